//! `col2im`: images from the sums of their patches.

use backstitch_kernels::Float;
use backstitch_kernels::fold::Windows;

use super::fold::fold;
use super::im2col::{PATCHES, Patches};
use crate::shape::{Axes, ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Puts patches, given as columns, back into images of these lengths and adds up where they
    /// overlap; PyTorch's `nn.functional.fold`, for any number of axes. The transpose of
    /// [`Tensor::im2col`], not its inverse.
    ///
    /// # Shape
    /// `x (N, C size_h size_w, L)` to `y (N, C, H, W)`.
    ///
    /// # Gradient
    /// `dx` is the patches of `dy`.
    ///
    /// # Panics
    /// When `x` has not three axes, or not the rows and columns that patches of such images have.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{Patches, Tensor};
    ///
    /// let patches = Patches::new([2, 2]);
    /// let columns = Tensor::<f32>::ones([1, 4, 2]);
    /// assert_eq!(columns.col2im([2, 3], &patches).to_vec(), [1.0, 2.0, 1.0, 1.0, 2.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn col2im<const D: usize>(&self, image: [usize; D], patches: &Patches<D>) -> Tensor<T> {
        let windows = or_panic(windows_rule(self.shape(), image, patches));
        let elements: usize = patches.size.iter().product();
        let mut shape = Axes::new(&[self.shape()[0], self.shape()[1] / elements]);
        shape.extend(patches.size);
        shape.extend(windows.map(|windows| windows.count));
        // (N, C, sizes, counts), then (N, C, counts, sizes)
        let (sizes, counts) = (2..2 + D as isize, 2 + D as isize..2 + 2 * D as isize);
        let order: Axes<isize> = [0, 1].into_iter().chain(counts).chain(sizes).collect();
        let mut y = self.reshape(shape).permute(order);
        for d in (0..D).rev() {
            y = fold(&y, 2 + d, windows[d]);
        }
        for (d, (&len, &(before, _))) in image.iter().zip(&patches.padding).enumerate() {
            y = y.narrow(2 + d as isize, before, len);
        }
        y
    }
}

fn windows_rule<const D: usize>(
    x: &[usize],
    image: [usize; D],
    patches: &Patches<D>,
) -> Result<[Windows; D], ShapeError> {
    let refuse = |error: ShapeError| error.hint(format!("the columns have shape {x:?}"));
    let windows = patches.windows("col2im", &image).map_err(refuse)?;
    let columns: usize = windows.iter().map(|windows| windows.count).product();
    let elements: usize = patches.size.iter().product();
    match *x {
        [_, rows, cols] if rows % elements == 0 && cols == columns => Ok(windows),
        _ => {
            let rule = format!("(N, C {elements}, {columns}) for images of {image:?}");
            Err(ShapeError::new("col2im", rule, format!("{x:?}")))
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "col2im",
    formula: "y[n, c, h, w] = Σ x[n, (c, i, j), (p, q)] over 2 p + i - 1 = h, q + 2 j - 2 = w",
    shapes: &[
        &[&[1, 6, 8]],
        &[&[0, 6, 8]],
        &[&[2, 12, 8]],
        &[&[1, 0, 8]],
        &[&[3, 6, 8]],
        &[&[32, 192, 8]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].col2im([4, 5], &PATCHES)),
    oracle: Oracle::Whole(|x| images(&x[0], |x| x)),
    refused: &[&[&[1, 6, 4]], &[&[1, 5, 8]], &[&[6, 8]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Terms(8.0, |x| images(&x[0], f64::abs), "sums of a few terms"),
}];

/// The images of 4 by 5 pixels that `term` of the columns adds up to, as plain loops.
fn images(x: &Tensor<f64>, term: impl Fn(f64) -> f64) -> Tensor<f64> {
    let [n, rows, cols] = *x.shape() else { panic!("columns") };
    let mut y = vec![0.0; n * rows / 6 * 20];
    for (at, value) in x.to_vec().into_iter().enumerate() {
        let (image, row, col) = (at / cols / rows, at / cols % rows, at % cols);
        let (c, i, j) = (row / 6, row / 3 % 2, row % 3);
        // Four patches side by side.
        let (h, w) = (2 * (col / 4) + i, col % 4 + 2 * j);
        if (1..5).contains(&h) && (2..7).contains(&w) {
            y[((image * (rows / 6) + c) * 4 + h - 1) * 5 + w - 2] += term(value);
        }
    }
    Tensor::from_vec(y, [n, rows / 6, 4, 5])
}
