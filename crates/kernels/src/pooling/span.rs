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

/// For each place on one side of an axis, the places on the other side that it is linked with, and
/// the taps that link them.
pub(super) struct Links {
    /// Where each place's links begin in `links`, and where the last place's end.
    starts: Vec<usize>,
    /// Place on the other side, and tap.
    links: Vec<(usize, usize)>,
}

impl Links {
    /// From each window to the input places that it sees, in the order of its taps.
    pub(super) fn of_windows(spans: &Spans) -> Links {
        let all = (0..spans.len())
            .flat_map(|o| spans.window(o).map(move |(place, tap)| (o, place, tap)))
            .collect();
        Links::collect(spans.len(), all)
    }

    /// From each input place to the windows that see it.
    pub(super) fn of_inputs(spans: &Spans) -> Links {
        let mut all: Vec<(usize, usize, usize)> = (0..spans.len())
            .flat_map(|o| spans.window(o).map(move |(place, tap)| (place, o, tap)))
            .collect();
        all.sort_unstable();
        Links::collect(spans.input, all)
    }

    /// From links ordered by their places.
    fn collect(places: usize, all: Vec<(usize, usize, usize)>) -> Links {
        let mut starts = vec![0; places + 1];
        for &(place, ..) in &all {
            starts[place + 1] += 1;
        }
        for place in 0..places {
            starts[place + 1] += starts[place];
        }
        Links { starts, links: all.into_iter().map(|(_, other, tap)| (other, tap)).collect() }
    }

    /// The number of places.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    #[inline(always)]
    pub(super) fn at(&self, place: usize) -> &[(usize, usize)] {
        &self.links[self.starts[place]..self.starts[place + 1]]
    }
}
