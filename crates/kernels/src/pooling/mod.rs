//! Pooling of channels-last images: maxima and averages of windows, and their gradients.
//!
//! Every output place gathers from its window, and every input place from the windows that see
//! it, all channels side by side; so there are no races, and sums are in a fixed order.

mod average;
mod max;
mod span;
mod taps;
mod walk;

pub use average::{average_pool, average_pool_backward};
pub use max::{max_pool, max_pool_gather, max_pool_indices, max_pool_scatter};
pub use span::Spans;

/// A pooling: its sizes. Images are `(batch, axes.., channels)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Images.
    pub batch: usize,
    /// Channels.
    pub channels: usize,
    /// The windows along the spatial axes, outermost first; [`Spans::one`] where there are fewer.
    pub axes: [Spans; 3],
}

impl Pool {
    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.batch * self.channels * self.axes.iter().map(|axis| axis.input).product::<usize>()
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.batch * self.channels * self.places()
    }

    /// Output places of an image.
    fn places(&self) -> usize {
        self.axes.iter().map(|axis| axis.len()).product()
    }

    /// The most taps of a window along each axis, by which taps are numbered.
    fn taps(&self) -> [usize; 3] {
        [0, 1, 2].map(|at| self.axes[at].taps_max())
    }

    /// Calls `tap` with the input position of each tap of output place `o` of its image that lies
    /// in the image, and with its number.
    #[inline(always)]
    fn window(&self, o: [usize; 3], taps: [usize; 3], mut tap: impl FnMut(usize, usize)) {
        let [a, b, c] = &self.axes;
        for (i, t0) in a.window(o[0]) {
            for (j, t1) in b.window(o[1]) {
                let (line, number) = ((i * b.input + j) * c.input, (t0 * taps[1] + t1) * taps[2]);
                for (k, t2) in c.window(o[2]) {
                    tap(line + k, number + t2);
                }
            }
        }
    }

    #[track_caller]
    fn check(&self, name: &str, x: usize, y: usize) {
        let (input, output) = (self.input_len(), self.output_len());
        assert!(
            x == input && y == output,
            "{name}: needs {input} elements of input and {output} of output; got {x} and {y}"
        );
    }
}

/// The three indices of an output or input place.
fn unravel(place: usize, lens: [usize; 3]) -> [usize; 3] {
    [place / (lens[1] * lens[2]), place / lens[2] % lens[1], place % lens[2]]
}

#[cfg(test)]
mod tests;
