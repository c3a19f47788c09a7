//! Checks of derivatives against differences: [`check_gradients`] and [`check_second_order`].

use std::cell::Cell;
use std::fmt;

use crate::module::{Module, Slot, SlotMut, for_each, for_each_mut};
use crate::rng::Rng;
use crate::tensor::Tensor;
use crate::transforms::{jvp, vjp};

/// Relative error that a gradient may show against extrapolated central differences in f64.
pub const FIRST_ORDER_TOLERANCE: f64 = 1e-7;
/// Relative error that a second derivative may show against differences of the first.
pub const SECOND_ORDER_TOLERANCE: f64 = 1e-5;

/// The step of the differences. With one Richardson extrapolation the truncation error is of
/// order `STEP⁴` and the rounding error of order `2⁻⁵³ / STEP`, both near 1e-12.
const STEP: f64 = 1e-3;
/// Random directions tried per check.
const DIRECTIONS: usize = 4;

/// A derivative that differs from the difference quotient.
#[derive(Clone, Debug)]
pub struct GradientError {
    /// Which check failed: `"gradient"` or `"jvp"`, or one of those of a first derivative, such as
    /// `"jvp of the gradient"`.
    pub check: &'static str,
    /// The op that made the function's output, the last one of the function.
    pub op: &'static str,
    /// The tensor, by its name in the tree, and the element, by its row-major position.
    pub element: String,
    /// What automatic differentiation found for the derivative by that element.
    pub derivative: f64,
    /// What the differences found.
    pub difference: f64,
    /// The error along the random direction in which the failure was seen, relative to the
    /// magnitude of the terms.
    pub error: f64,
    /// What that error may be.
    pub tolerance: f64,
}

impl fmt::Display for GradientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {}: needs a relative error of at most {:e}; got {:e}, worst at {}: derivative \
             {}, difference {}",
            self.check,
            self.op,
            self.tolerance,
            self.error,
            self.element,
            self.derivative,
            self.difference
        )
    }
}

impl std::error::Error for GradientError {}

/// Compares the gradient of `f` at `x` with central differences along random directions, and
/// forward mode with reverse mode.
///
/// `f` may have any output shape: a random combination of its elements is differentiated. It
/// must be smooth within 0.001 of `x`, and must compute the same each time.
///
/// # Errors
/// When a derivative is off by more than [`FIRST_ORDER_TOLERANCE`] relative to the magnitude of
/// its terms.
///
/// # Examples
/// ```
/// use backstitch_tensor::{Tensor, check_gradients};
///
/// let x = Tensor::from([0.3f64, -1.2]);
/// check_gradients(|x: &Tensor<f64>| x.tanh(), &x).unwrap();
/// // A function whose derivative is cut off on purpose does not pass.
/// assert!(check_gradients(|x: &Tensor<f64>| x * x.detach(), &x).is_err());
/// ```
pub fn check_gradients<X: Module<f64> + Clone>(
    f: impl Fn(&X) -> Tensor<f64>,
    x: &X,
) -> Result<(), GradientError> {
    check_with_tolerance(f, x, ["gradient", "jvp"], FIRST_ORDER_TOLERANCE)
}

/// [`check_gradients`] of the gradient of `f` and of its tangent along a direction that moves too:
/// the second derivatives, by all four pairs of reverse and forward mode.
///
/// # Errors
/// When a second derivative is off by more than [`SECOND_ORDER_TOLERANCE`].
pub fn check_second_order<X: Module<f64> + Clone>(
    f: impl Fn(&X) -> Tensor<f64>,
    x: &X,
) -> Result<(), GradientError> {
    let (dy, dx) = drawn(&f, x);
    gradient_moves(|x: &X| of(&vjp(&f, x).1(&dy)), x, &dx)?;
    tangent_moves(|x: &X, dx: &X| jvp(&f, x, dx).1, x, &with(x, &dx))
}

/// [`check_second_order`] of a function of several tensors for every choice of those that the first
/// derivative is by and of those that then move: all of them, or one alone. An op looks at which
/// of its inputs want a gradient or have a tangent, and each answer may be wrong by itself.
pub(crate) fn check_second_order_by_parts(
    f: impl Fn(&Tensors) -> Tensor<f64>,
    x: &Tensors,
) -> Result<(), GradientError> {
    let (dy, weights) = drawn(&f, x);
    let all: Vec<usize> = (0..x.len()).collect();
    let parts: Vec<&[usize]> = match x.len() {
        1 => vec![&all],
        _ => std::iter::once(&all[..]).chain(all.chunks(1)).collect(),
    };
    for &by in &parts {
        let dx = picked(&weights, by);
        for &moving in &parts {
            let gradient = |part: &Tensors| {
                let x = replaced(x, moving, part);
                vjp(|part: &Tensors| f(&replaced(&x, by, part)), &picked(&x, by)).1(&dy)
            };
            gradient_moves(gradient, &picked(x, moving), &dx)?;
            let tangent = |part: &Tensors, dx: &Tensors| {
                let x = replaced(x, moving, part);
                jvp(|part: &Tensors| f(&replaced(&x, by, part)), &picked(&x, by), dx).1
            };
            tangent_moves(tangent, &picked(x, moving), &dx)?;
        }
    }
    Ok(())
}

/// The inputs of a function.
type Tensors = Vec<Tensor<f64>>;

fn picked(x: &Tensors, by: &[usize]) -> Tensors {
    by.iter().map(|&i| x[i].clone()).collect()
}

/// `x` with `part` in these places.
fn replaced(x: &Tensors, by: &[usize], part: &Tensors) -> Tensors {
    let mut x = x.clone();
    for (&i, part) in by.iter().zip(part) {
        x[i] = part.clone();
    }
    x
}

/// A gradient of the function's output, and a unit direction: then first derivatives are made of
/// numbers of order one where values are.
fn drawn<X: Module<f64> + Clone>(f: impl Fn(&X) -> Tensor<f64>, x: &X) -> (Tensor<f64>, Tensors) {
    let mut rng = Rng::seed(2);
    let dy = Tensor::randn(f(x).shape(), &mut rng);
    (dy, unit_direction(x, &mut rng))
}

/// Checks the derivatives of a gradient's product with `weights`.
fn gradient_moves<X: Module<f64> + Clone>(
    gradient: impl Fn(&X) -> Tensors,
    x: &X,
    weights: &Tensors,
) -> Result<(), GradientError> {
    let slope = |x: &X| {
        let terms = gradient(x).into_iter().zip(weights).map(|(dx, weight)| (&dx * weight).sum());
        terms.reduce(|sum, term| sum + term).unwrap_or_else(|| Tensor::scalar(0.0))
    };
    let checks = ["gradient of the gradient", "jvp of the gradient"];
    check_with_tolerance(slope, x, checks, SECOND_ORDER_TOLERANCE)
}

/// Checks the derivatives of a tangent by the inputs and by the direction.
fn tangent_moves<X: Module<f64> + Clone, D: Module<f64> + Clone>(
    tangent: impl Fn(&X, &D) -> Tensor<f64>,
    x: &X,
    dx: &D,
) -> Result<(), GradientError> {
    let checks = ["gradient of the tangent", "jvp of the tangent"];
    let both = (x.clone(), dx.clone());
    check_with_tolerance(|(x, dx): &(X, D)| tangent(x, dx), &both, checks, SECOND_ORDER_TOLERANCE)
}

fn check_with_tolerance<X: Module<f64> + Clone>(
    f: impl Fn(&X) -> Tensor<f64>,
    x: &X,
    [by_gradient, by_jvp]: [&'static str; 2],
    tolerance: f64,
) -> Result<(), GradientError> {
    let mut rng = Rng::seed(1);
    let op = Cell::new("a function that ignores its input");
    let named = |x: &X| {
        let y = f(x);
        op.set(y.node().map_or(op.get(), |node| node.name));
        y
    };
    let (y, pull) = vjp(named, x);
    let dy = Tensor::randn(y.shape(), &mut rng);
    let gradient = of(&pull(&dy));
    // What rounding alone can do to a difference quotient. Even where the value is small, numbers
    // of order one may have been rounded on the way to it.
    let noise =
        32.0 * f64::EPSILON * (dot_abs(&y, &dy) + dot_abs(&dy, &Tensor::ones(dy.shape()))) / STEP;
    let probe = |direction: &[Tensor<f64>]| {
        let at = |step: f64| dot(&f(&moved(x, direction, step)), &dy);
        let slope = |step: f64| (at(step) - at(-step)) / (2.0 * step);
        (4.0 * slope(STEP / 2.0) - slope(STEP)) / 3.0
    };
    for _ in 0..DIRECTIONS {
        let direction = unit_direction(x, &mut rng);
        let pairs = || gradient.iter().zip(&direction);
        let derivative: f64 = pairs().map(|(g, d)| dot(g, d)).sum();
        let scale: f64 = pairs().map(|(g, d)| dot_abs(g, d)).sum();
        let off = |value: f64| {
            let error = (value - derivative).abs();
            // Written so that NaN fails.
            let passes = error <= tolerance * scale + noise;
            (!passes).then(|| error / scale.max(f64::MIN_POSITIVE))
        };
        if let Some(error) = off(probe(&direction)) {
            let found = Found { check: by_gradient, op: op.get(), error, tolerance };
            return Err(worst_element(found, x, &gradient, probe));
        }
        let (_, tangent) = jvp(&f, x, &with(x, &direction));
        if let Some(error) = off(dot(&tangent, &dy)) {
            let forward = |unit: &[Tensor<f64>]| dot(&jvp(&f, x, &with(x, unit)).1, &dy);
            let found = Found { check: by_jvp, op: op.get(), error, tolerance };
            return Err(worst_element(found, x, &gradient, forward));
        }
    }
    Ok(())
}

/// What is known of a failure before the element is.
struct Found {
    check: &'static str,
    op: &'static str,
    error: f64,
    tolerance: f64,
}

/// Finds the element whose derivative differs most from what `probe` finds along it.
fn worst_element<X: Module<f64> + Clone>(
    found: Found,
    x: &X,
    gradient: &[Tensor<f64>],
    probe: impl Fn(&[Tensor<f64>]) -> f64,
) -> GradientError {
    let names = names(x);
    let mut worst = (-1.0, String::new(), 0.0, 0.0);
    for (t, dx) in gradient.iter().enumerate() {
        for (i, &derivative) in dx.to_vec().iter().enumerate() {
            let mut unit: Vec<Tensor<f64>> =
                gradient.iter().map(|dx| Tensor::zeros(dx.shape())).collect();
            unit[t].data_mut()[i] = 1.0;
            let difference = probe(&unit);
            let off = (difference - derivative).abs();
            if off > worst.0 || off.is_nan() {
                worst = (off, format!("{}[{i}]", names[t]), derivative, difference);
            }
        }
    }
    let (_, element, derivative, difference) = worst;
    let Found { check, op, error, tolerance } = found;
    GradientError { check, op, element, derivative, difference, error, tolerance }
}

fn of<X: Module<f64>>(x: &X) -> Vec<Tensor<f64>> {
    let mut found = Vec::new();
    for_each(x, |_, slot| match slot {
        Slot::Param(param) => found.push((**param).clone()),
        Slot::Tensor(x) => found.push(x.clone()),
        Slot::Running(_) => {}
    });
    found
}

fn names<X: Module<f64>>(x: &X) -> Vec<String> {
    let mut found = Vec::new();
    for_each(x, |name, slot| {
        if !matches!(slot, Slot::Running(_)) {
            found.push(if name.is_empty() { "x".to_string() } else { name.to_string() });
        }
    });
    found
}

/// A tree like `x` with these tensors.
fn with<X: Module<f64> + Clone>(x: &X, tensors: &[Tensor<f64>]) -> X {
    let mut tensors = tensors.iter();
    let mut tree = x.clone();
    for_each_mut(&mut tree, |_, slot| match slot {
        SlotMut::Running(_) => {}
        SlotMut::Param(param) => param.set(tensors.next().expect("one tensor per slot")),
        SlotMut::Tensor(x) => *x = tensors.next().expect("one tensor per slot").detach(),
    });
    tree
}

/// `x + step * direction`.
fn moved<X: Module<f64> + Clone>(x: &X, direction: &[Tensor<f64>], step: f64) -> X {
    let sum = |(x, d): (&Tensor<f64>, &Tensor<f64>)| {
        let moved = x.to_vec().iter().zip(d.to_vec()).map(|(x, d)| x + step * d).collect();
        Tensor::from_vec(moved, x.shape())
    };
    let tensors: Vec<Tensor<f64>> = of(x).iter().zip(direction).map(sum).collect();
    with(x, &tensors)
}

/// A direction drawn evenly from the unit sphere.
fn unit_direction<X: Module<f64>>(x: &X, rng: &mut Rng) -> Vec<Tensor<f64>> {
    let raw: Vec<Tensor<f64>> = of(x).iter().map(|x| Tensor::randn(x.shape(), rng)).collect();
    let norm = raw.iter().map(|d| dot(d, d)).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    let scale = |d: &Tensor<f64>| {
        Tensor::from_vec(d.to_vec().iter().map(|d| d / norm).collect(), d.shape())
    };
    raw.iter().map(scale).collect()
}

fn dot(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.to_vec().iter().zip(b.to_vec()).map(|(a, b)| a * b).sum()
}

fn dot_abs(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.to_vec().iter().zip(b.to_vec()).map(|(a, b)| (a * b).abs()).sum()
}
