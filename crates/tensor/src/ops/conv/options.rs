//! Strides, padding and other options of convolutions.

pub use backstitch_kernels::conv::Winograd;

/// The options of convolutions over `D` axes. The defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvOptions<const D: usize> {
    /// Places from one output to the next. 1 by default.
    pub stride: [usize; D],
    /// Zeros around the image. None by default.
    pub padding: Padding<D>,
    /// Places from one tap of the kernel to the next. 1 by default.
    pub dilation: [usize; D],
    /// Parts of the channels that do not see each other. 1 by default.
    pub groups: usize,
    /// Which of Winograd's algorithms may be used where they are faster: all by default, for f32.
    /// They round more than direct sums, and a NaN or an infinity spreads to neighbouring places;
    /// see [`Winograd`].
    pub winograd: Winograd,
}

impl<const D: usize> Default for ConvOptions<D> {
    fn default() -> Self {
        let padding = Padding::Number([0; D]);
        ConvOptions {
            stride: [1; D],
            padding,
            dilation: [1; D],
            groups: 1,
            winograd: Winograd::default(),
        }
    }
}

/// What surrounds an image of `D` axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding<const D: usize> {
    /// Nothing.
    Valid,
    /// As much as keeps the image's size, for stride 1; an odd place more goes behind.
    Same,
    /// As much before as behind, for each axis.
    Number([usize; D]),
    /// So much before and behind, for each axis.
    Sides([(usize, usize); D]),
}

impl<const D: usize> From<usize> for Padding<D> {
    fn from(places: usize) -> Self {
        Padding::Number([places; D])
    }
}

impl<const D: usize> From<[usize; D]> for Padding<D> {
    fn from(places: [usize; D]) -> Self {
        Padding::Number(places)
    }
}

impl<const D: usize> Padding<D> {
    /// Places before and behind an axis whose taps reach `reach` places beyond the first.
    pub fn sides(&self, axis: usize, reach: usize) -> (usize, usize) {
        match self {
            Padding::Valid => (0, 0),
            Padding::Same => (reach / 2, reach - reach / 2),
            Padding::Number(places) => (places[axis], places[axis]),
            Padding::Sides(sides) => sides[axis],
        }
    }
}
