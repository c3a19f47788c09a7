//! `im2col`: the patches of images as columns.

use backstitch_kernels::Float;
use backstitch_kernels::fold::Windows;

use super::moves;
use super::pad::PadMode;
use super::unfold::unfold;
use crate::shape::{Axes, ShapeError, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

/// Patches that slide over the last `D` axes of images: their size and how they move.
///
/// # Examples
/// ```
/// use backstitch_tensor::Patches;
///
/// let patches = Patches { padding: [(1, 1); 2], ..Patches::new([3, 3]) };
/// assert_eq!(patches.stride, [1, 1]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patches<const D: usize> {
    /// The elements of a patch along each axis.
    pub size: [usize; D],
    /// From a patch to the next.
    pub stride: [usize; D],
    /// From an element of a patch to the next.
    pub dilation: [usize; D],
    /// Zeros before and after each axis.
    pub padding: [(usize, usize); D],
}

impl<const D: usize> Patches<D> {
    /// Patches of this size, with stride 1, dilation 1 and no padding.
    pub fn new(size: [usize; D]) -> Self {
        Patches { size, stride: [1; D], dilation: [1; D], padding: [(0, 0); D] }
    }

    /// The windows along each axis of a padded image of these lengths.
    pub(super) fn windows(&self, op: &str, image: &[usize]) -> Result<[Windows; D], ShapeError> {
        let Patches { size, stride, dilation, padding } = *self;
        let window = |d: usize| {
            let len = image[d] + padding[d].0 + padding[d].1;
            let reach = size[d].saturating_sub(1) * dilation[d] + 1;
            let fits = len >= reach && size[d] > 0 && stride[d] > 0 && dilation[d] > 0;
            let count = len.saturating_sub(reach) / stride[d].max(1) + 1;
            let (size, step, dilation) = (size[d], stride[d], dilation[d]);
            fits.then_some(Windows { len, count, size, step, dilation })
        };
        let windows: Option<Vec<Windows>> = (0..D).map(window).collect();
        let refuse = || {
            let rule = "patches that fit, of sizes, strides and dilations above 0";
            ShapeError::new(op, rule, format!("{self:?} for an image of {image:?}"))
        };
        Ok(windows.ok_or_else(refuse)?.try_into().expect("a window for each axis"))
    }
}

impl<T: Float> Tensor<T> {
    /// The patches of images as columns; PyTorch's `nn.functional.unfold`, for any number of axes.
    ///
    /// # Shape
    /// `x (N, C, H, W)` to `y (N, C size_h size_w, L)`: a row for each channel and element of a
    /// patch, a column for each of the `L` patches, both in row-major order.
    ///
    /// # Gradient
    /// `dx` is the sum of `dy` over the patches that the pixel is in: [`Tensor::col2im`].
    ///
    /// # Panics
    /// When `x` has not two axes before those of the patches, or no patch fits.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{Patches, Tensor};
    ///
    /// let image = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).reshape([1, 1, 2, 3]);
    /// let columns = image.im2col(&Patches::new([2, 2]));
    /// assert_eq!(columns.shape(), [1, 4, 2]);
    /// assert_eq!(columns.select(2, 0).to_vec(), [1.0, 2.0, 4.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn im2col<const D: usize>(&self, patches: &Patches<D>) -> Tensor<T> {
        let windows = or_panic(windows_rule(self.shape(), patches));
        let padding = patches.padding.map(|(before, after)| (before as isize, after as isize));
        let mut x = self.pad(padding, PadMode::Constant(T::ZERO));
        for (d, &windows) in windows.iter().enumerate() {
            x = unfold(&x, 2 + d, windows);
        }
        // x (N, C, counts, sizes)
        let counts = 2..2 + D as isize;
        let sizes = 2 + D as isize..2 + 2 * D as isize;
        let order: Axes<isize> = [0, 1].into_iter().chain(sizes).chain(counts).collect();
        let [n, c] = [self.shape()[0], self.shape()[1]];
        let rows = c * patches.size.iter().product::<usize>();
        let columns = windows.iter().map(|windows| windows.count).product();
        x.permute(order).reshape([n, rows, columns])
    }
}

fn windows_rule<const D: usize>(
    x: &[usize],
    patches: &Patches<D>,
) -> Result<[Windows; D], ShapeError> {
    if x.len() != D + 2 {
        let rule = format!("images (N, C, ...) of {} axes", D + 2);
        return Err(ShapeError::new("im2col", rule, format!("{x:?}")));
    }
    let refuse = |error: ShapeError| error.hint(format!("the images have shape {x:?}"));
    patches.windows("im2col", &x[2..]).map_err(refuse)
}

/// Example patches.
pub(super) const PATCHES: Patches<2> =
    Patches { size: [2, 3], stride: [2, 1], dilation: [1, 2], padding: [(1, 0), (2, 1)] };

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "im2col",
    "y[n, (c, i, j), (p, q)] = x[n, c, 2 p + i - 1, q + 2 j - 2], 0 outside",
    &[
        &[&[1, 1, 1, 2]],
        &[&[0, 2, 3, 4]],
        &[&[2, 1, 4, 5]],
        &[&[1, 3, 2, 6]],
        &[&[2, 2, 3, 3]],
        &[&[8, 16, 32, 32]],
    ],
    &[&[&[2, 3, 4]], &[&[1, 1, 1, 1]]],
    build!(|x| x[0].im2col(&PATCHES)),
    |x| {
        let [n, c, h, w] = *x[0].shape() else { panic!("an image") };
        let (rows, cols) = ((h + 1 - 2) / 2 + 1, w + 3 - 5 + 1);
        Tensor::from_fn([n, c * 6, rows * cols], |idx| {
            let (channel, i, j) = (idx[1] / 6, idx[1] / 3 % 2, idx[1] % 3);
            let (p, q) = (idx[2] / cols, idx[2] % cols);
            let (row, col) = ((2 * p + i).wrapping_sub(1), (q + 2 * j).wrapping_sub(2));
            if row < h && col < w { x[0].at(&[idx[0], channel, row, col]) } else { 0.0 }
        })
    },
)];

#[cfg(test)]
mod tests {
    use super::Patches;
    use crate::tensor::Tensor;

    #[test]
    fn patches_of_one_axis_are_columns_and_go_back() {
        let patches = Patches::new([2]);
        assert_eq!((patches.stride, patches.dilation, patches.padding), ([1], [1], [(0, 0)]));
        let x = Tensor::from([[[1.0f32, 2.0, 3.0]]]);
        let columns = x.im2col(&patches);
        assert_eq!((columns.shape(), columns.to_vec()), (&[1, 2, 2][..], vec![1.0, 2.0, 2.0, 3.0]));
        assert_eq!(columns.col2im([3], &patches).to_vec(), [1.0, 4.0, 3.0]);
    }
}
