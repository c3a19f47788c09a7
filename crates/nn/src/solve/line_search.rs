//! Line searches: how far to go along a direction.

/// What a line search knows about the point at distance `t` along its direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial<E = ()> {
    /// The distance.
    pub t: f64,
    /// The function there.
    pub value: f64,
    /// Its slope along the direction.
    pub slope: f64,
    /// What the caller wants back about the point that is chosen, such as the gradient.
    pub extra: E,
}

/// The options of [`armijo`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Armijo {
    /// The distance tried first. 1 by default, the step of Newton's method.
    pub first: f64,
    /// The share of the decrease that the slope promises which is enough. 1e-4 by default
    /// (Nocedal and Wright 2006, section 3.1).
    pub c1: f64,
    /// The factor from each trial to the next. 0.5 by default.
    pub shrink: f64,
    /// How many trials there are at most. 50 by default.
    pub max_trials: usize,
}

impl Default for Armijo {
    fn default() -> Self {
        Armijo { first: 1.0, c1: 1e-4, shrink: 0.5, max_trials: 50 }
    }
}

/// Backtracking: the first of the distances `first`, `first shrink`, `first shrink²`, ... where
/// the function is at most `value + c1 t slope`, and its value there; none where no trial is.
///
/// `value` and `slope` are those at distance 0; `at` gives the function at a distance.
///
/// # Examples
/// ```
/// use backstitch_nn::{Armijo, armijo};
///
/// // From 1 downhill on x⁴, along -4: the full step overshoots.
/// let f = |t: f64| (1.0 - 4.0 * t).powi(4);
/// assert_eq!(armijo(1.0, -16.0, &Armijo::default(), f), Some((0.25, 0.0)));
/// ```
///
/// # Reference
/// Armijo 1966; Nocedal and Wright 2006, algorithm 3.1.
pub fn armijo(
    value: f64,
    slope: f64,
    options: &Armijo,
    mut at: impl FnMut(f64) -> f64,
) -> Option<(f64, f64)> {
    let mut t = options.first;
    for _ in 0..options.max_trials {
        let found = at(t);
        if found <= value + options.c1 * t * slope {
            return Some((t, found));
        }
        t *= options.shrink;
    }
    None
}

/// The options of [`strong_wolfe`]. The defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StrongWolfe {
    /// The share of the decrease that the slope promises which is enough. 1e-4 by default.
    pub c1: f64,
    /// The share of the slope that may be left. 0.9 by default.
    pub c2: f64,
    /// How many trials there are at most after the first. 25 by default.
    pub max_iter: usize,
    /// The search ends with the best trial when it has come so close. 1e-9 by default.
    pub tolerance: f64,
}

impl Default for StrongWolfe {
    fn default() -> Self {
        StrongWolfe { c1: 1e-4, c2: 0.9, max_iter: 25, tolerance: 1e-9 }
    }
}

impl StrongWolfe {
    /// Whether the function has come down enough. Not where it is NaN.
    fn is_low<E>(&self, start: &Trial<E>, now: &Trial<E>) -> bool {
        now.value <= start.value + self.c1 * now.t * start.slope
    }

    /// Whether the slope has come down enough.
    fn is_flat<E>(&self, start: &Trial<E>, now: &Trial<E>) -> bool {
        now.slope.abs() <= -self.c2 * start.slope
    }
}

/// A distance where the function has come down enough and is flat enough:
/// `f(t) <= f(0) + c1 t f'(0)` and `|f'(t)| <= c2 |f'(0)|`; the lowest trial, where the trials do
/// not suffice.
///
/// `start` is the point at distance 0; `at` gives the point at a distance. Trials first go out
/// until they enclose such a point, then close in on it, by minima of cubics through two trials.
///
/// # Examples
/// ```
/// use backstitch_nn::{StrongWolfe, Trial, strong_wolfe};
///
/// let at = |t: f64| Trial { t, value: (t - 3.0).powi(2), slope: 2.0 * (t - 3.0), extra: () };
/// let options = StrongWolfe { c2: 0.1, ..StrongWolfe::default() };
/// assert_eq!(strong_wolfe(&at(0.0), 1.0, &options, at).t, 3.0);
/// ```
///
/// # Reference
/// Nocedal and Wright 2006, algorithms 3.5 and 3.6, with the safeguards of `torch.optim.LBFGS`
/// and minFunc (Schmidt 2005).
pub fn strong_wolfe<E: Clone>(
    start: &Trial<E>,
    first: f64,
    options: &StrongWolfe,
    mut at: impl FnMut(f64) -> Trial<E>,
) -> Trial<E> {
    let (mut before, mut now) = (start.clone(), at(first));
    for iteration in 0..options.max_iter {
        let rises = iteration > 1 && now.value >= before.value;
        let encloses = !options.is_low(start, &now) || rises;
        if !encloses && options.is_flat(start, &now) {
            return now;
        }
        if encloses || now.slope >= 0.0 {
            return close_in(start, [before, now], options.max_iter - iteration, options, at);
        }
        let bounds = (now.t + 0.01 * (now.t - before.t), now.t * 10.0);
        let next = at(cubic_minimum(&before, &now, bounds));
        before = std::mem::replace(&mut now, next);
    }
    if now.value < start.value { now } else { start.clone() }
}

/// Makes the interval between two trials, of which one is low, smaller and smaller.
fn close_in<E: Clone>(
    start: &Trial<E>,
    mut ends: [Trial<E>; 2],
    max_iter: usize,
    options: &StrongWolfe,
    mut at: impl FnMut(f64) -> Trial<E>,
) -> Trial<E> {
    // Not the other way round: an end that is NaN is high.
    let lowest = |ends: &[Trial<E>; 2]| usize::from(ends[0].value > ends[1].value);
    let mut low = lowest(&ends);
    let mut was_near_an_end = false;
    for _ in 0..max_iter {
        let (left, right) = (ends[0].t.min(ends[1].t), ends[0].t.max(ends[1].t));
        if right - left < options.tolerance {
            break;
        }
        let mut t = cubic_minimum(&ends[0], &ends[1], (left, right));
        // Twice near an end, or at one, is too slow: then a tenth away from it.
        let margin = 0.1 * (right - left);
        let is_near_an_end = (right - t).min(t - left) < margin;
        let leaves_it = is_near_an_end && (was_near_an_end || t >= right || t <= left);
        if leaves_it {
            t = if right - t < t - left { right - margin } else { left + margin };
        }
        was_near_an_end = is_near_an_end && !leaves_it;

        let now = at(t);
        if !options.is_low(start, &now) || now.value >= ends[low].value {
            ends[1 - low] = now;
            low = lowest(&ends);
        } else if options.is_flat(start, &now) {
            return now;
        } else {
            if now.slope * (ends[1 - low].t - ends[low].t) >= 0.0 {
                ends[1 - low] = ends[low].clone();
            }
            ends[low] = now;
        }
    }
    ends[low].clone()
}

/// The minimum of the cubic through the values and slopes of two trials, moved into bounds; the
/// middle of the bounds where the cubic has none.
///
/// # Reference
/// Nocedal and Wright 2006, equation 3.59.
fn cubic_minimum<E>(a: &Trial<E>, b: &Trial<E>, (low, high): (f64, f64)) -> f64 {
    let (a, b) = if a.t <= b.t { (a, b) } else { (b, a) };
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.t - b.t);
    let d2 = (d1 * d1 - a.slope * b.slope).sqrt();
    let t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2));
    if t.is_nan() { (low + high) / 2.0 } else { t.max(low).min(high) }
}
