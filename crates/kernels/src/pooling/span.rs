//! [`Spans`]: the windows along one axis, and which of them see a place.

/// The windows along one axis: output place `o` sees the input places `start + k * dilation` for
/// `k` below its number of taps, as far as they lie in the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Spans {
    /// Places of the input.
    pub input: usize,
    /// Input places from one tap to the next.
    pub dilation: usize,
    /// The first place, perhaps before the input, and the number of taps of each window.
    pub windows: Vec<(isize, usize)>,
    /// What each window's sum is divided by in an average, times the other axes' numbers.
    pub divisors: Vec<f64>,
}

impl Spans {
    /// An axis of length 1, for images of fewer axes.
    pub fn one() -> Spans {
        Spans { input: 1, dilation: 1, windows: vec![(0, 1)], divisors: vec![1.0] }
    }

    /// The number of windows.
    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }

    pub(super) fn taps_max(&self) -> usize {
        self.windows.iter().map(|window| window.1).max().unwrap_or(0)
    }

    /// The input places of a window that lie in the input, with the numbers of their taps.
    #[inline(always)]
    pub(super) fn window(&self, o: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let ((start, taps), dilation) = (self.windows[o], self.dilation);
        let before = (-start).max(0) as usize;
        let first = before.div_ceil(dilation);
        let inside = self.input as isize - start;
        let end = if inside <= 0 { 0 } else { taps.min((inside as usize).div_ceil(dilation)) };
        (first..end).map(move |tap| ((start + (tap * dilation) as isize) as usize, tap))
    }
}

/// The windows that see each place of an axis.
pub(super) struct Cover {
    /// Where each place's windows begin in `windows`, and where the last place's end.
    starts: Vec<usize>,
    /// Window and tap.
    windows: Vec<(usize, usize)>,
}

impl Cover {
    pub(super) fn of(spans: &Spans) -> Cover {
        let mut all: Vec<(usize, usize, usize)> = (0..spans.len())
            .flat_map(|o| spans.window(o).map(move |(place, tap)| (place, o, tap)))
            .collect();
        all.sort_unstable();
        let mut starts = vec![0; spans.input + 1];
        for &(place, ..) in &all {
            starts[place + 1] += 1;
        }
        for place in 0..spans.input {
            starts[place + 1] += starts[place];
        }
        Cover { starts, windows: all.into_iter().map(|(_, o, tap)| (o, tap)).collect() }
    }

    #[inline(always)]
    pub(super) fn at(&self, place: usize) -> &[(usize, usize)] {
        &self.windows[self.starts[place]..self.starts[place + 1]]
    }
}
