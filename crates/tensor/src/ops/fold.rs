//! `fold`: adds up windows that overlap, the reverse of `unfold`.

use backstitch_kernels::Float;
use backstitch_kernels::fold::{self as kernel, Windows};

use super::unfold::{unfold, windows};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// Puts windows, whose elements are the last axis, back along axis `dim` of length `len`, each
    /// `step` further on than the one before, and adds up where they overlap.
    ///
    /// `y[.., j, ..] = Σ x[.., w, .., i]` over all windows `w` and elements `i` with
    /// `w step + i = j`; 0 where there are none.
    ///
    /// # Shape
    /// `x (..., (len - size) / step + 1, ..., size)` to `y (..., len, ...)`.
    ///
    /// # Gradient
    /// `dx` is the windows of `dy`: [`Tensor::unfold`].
    ///
    /// # Numerics
    /// Windows are added in their order: the same bits on any number of threads.
    ///
    /// # Panics
    /// When the axes do not exist, or there are more or fewer windows than fit into `len`.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let windows = Tensor::from([[1.0, 2.0], [10.0, 20.0]]);
    /// assert_eq!(windows.fold(0, 3, 1).to_vec(), [1.0, 12.0, 20.0]);
    /// ```
    #[track_caller]
    pub fn fold(&self, dim: isize, len: usize, step: usize) -> Tensor<T> {
        let (axis, windows) = or_panic(shape_rule(self.shape(), dim, len, step));
        fold(self, axis, windows)
    }
}

fn shape_rule(
    x: &[usize],
    dim: isize,
    len: usize,
    step: usize,
) -> Result<(usize, Windows), ShapeError> {
    let axis = axis_of("fold", dim, x.len().saturating_sub(1))?;
    let (&size, others) = x.split_last().expect("an axis was found beside the last");
    let mut folded = Shape::new(others);
    folded[axis] = len;
    let windows = windows("fold", &folded, axis, size, step)?;
    match windows.count == x[axis] {
        true => Ok((axis, windows)),
        false => {
            let rule = format!("{} windows for a length of {len}", windows.count);
            Err(ShapeError::new("fold", rule, format!("{x:?}, dim {dim}, step {step}")))
        }
    }
}

#[track_caller]
pub(super) fn fold<T: Float>(x: &Tensor<T>, axis: usize, windows: Windows) -> Tensor<T> {
    apply(Fold { axis, windows }, [x])
}

struct Fold {
    axis: usize,
    windows: Windows,
}

impl<T: Float> Op<T, 1> for Fold {
    const NAME: &'static str = "fold";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let mut shape = Shape::new(&x.shape()[..x.rank() - 1]);
        shape[self.axis] = self.windows.len;
        let inner = shape[self.axis + 1..].iter().product();
        let x = x.contiguous();
        Tensor::build(&shape, |y| kernel::fold(data(&x), self.windows, inner, y))
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(unfold(dy, self.axis, self.windows))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        fold(dx.expect("the only input moves"), self.axis, self.windows)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "fold",
    formula: "y[j] = Σ x[w, ..., i] over w + i = j",
    shapes: &[
        &[&[1, 1]],
        &[&[4, 3]],
        &[&[3, 5]],
        &[&[2, 0, 3]],
        &[&[5, 2, 4]],
        &[&[3, 2, 3, 2]],
        &[&[256, 256, 3]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| {
        // Too long for what is to be refused.
        let (first, last) = (x[0].shape().first(), x[0].shape().last());
        let len = first.unwrap_or(&0) + last.unwrap_or(&0) - 1;
        x[0].fold(0, if first == Some(&9) { 99 } else { len }, 1)
    }),
    oracle: Oracle::Whole(|x| folded(&x[0], |x| x)),
    refused: &[&[&[2]], &[&[9, 3]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Terms(8.0, |x| folded(&x[0], f64::abs), "sums of a few terms in order"),
}];

/// The sums of `term` over overlapping windows of step 1, as plain loops.
fn folded(x: &Tensor<f64>, term: impl Fn(f64) -> f64) -> Tensor<f64> {
    let last = x.rank() - 1;
    let (count, size) = (x.shape()[0], x.shape()[last]);
    let shape = [&[count + size - 1], &x.shape()[1..last]].concat();
    Tensor::from_fn(shape, |idx| {
        let windows = (0..count).filter(|&w| (w..w + size).contains(&idx[0]));
        windows.map(|w| term(x.at(&[&[w], &idx[1..], &[idx[0] - w]].concat()))).sum()
    })
}
