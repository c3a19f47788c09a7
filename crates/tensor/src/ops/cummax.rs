//! `cummax` and `cummin`: the extreme of each element and all before it.

use backstitch_kernels::{Float, reduce, reduce::Split};

use super::extreme::distinct;
use super::over::along_first;
use super::places::{Places, picked};
use crate::shape::{axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// The largest of each element and all before it along axis `dim`, and where that is.
    ///
    /// `y_i = max(x_0, ..., x_i)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)` and positions `(...)`.
    ///
    /// # Gradient
    /// `dy` goes to the element that was chosen, the last one of equal ones, as in PyTorch.
    ///
    /// # Numerics
    /// NaN counts as the largest.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let (y, idx) = Tensor::from([1.0, 5.0, 3.0]).cummax(0);
    /// assert_eq!((y.to_vec(), idx.to_vec()), (vec![1.0, 5.0, 5.0], vec![0, 1, 1]));
    /// ```
    #[track_caller]
    pub fn cummax(&self, dim: isize) -> (Tensor<T>, Tensor<i64>) {
        running("cummax", self, dim, reduce::argcummax)
    }

    /// The smallest of each element and all before it along axis `dim`, and where that is; as
    /// [`Tensor::cummax`], NaN counting as the smallest.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn cummin(&self, dim: isize) -> (Tensor<T>, Tensor<i64>) {
        running("cummin", self, dim, reduce::argcummin)
    }
}

#[track_caller]
fn running<T: Float>(
    name: &'static str,
    x: &Tensor<T>,
    dim: isize,
    kernel: fn(&[T], Split, &mut [i64]),
) -> (Tensor<T>, Tensor<i64>) {
    let axis = or_panic(axis_of(name, dim, x.rank()));
    let source = x.contiguous();
    let split = Split::at(x.shape(), axis);
    let idx = Tensor::build(x.shape(), |idx| kernel(data(&source), split, idx));
    let places = Places::elements(axis, &idx);
    let y = places.of(&source).expect("the kernel found the places");
    (picked(name, x, y, places), idx)
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "cummax",
        formula: "y_i = max(x_0, ..., x_i), along the first axis",
        shapes: super::over::SHAPES,
        domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
        build: build!(|x| x[0].cummax(0).0),
        oracle: Oracle::Whole(|x| so_far(&x[0], f64::max)),
        refused: &[&[&[]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "cummax cummin",
        formula: "y_i = min(x_0, ..., x_i), along the first axis",
        shapes: super::over::SHAPES,
        domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
        build: build!(|x| x[0].cummin(0).0),
        oracle: Oracle::Whole(|x| so_far(&x[0], f64::min)),
        refused: &[&[&[]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
];

fn so_far(x: &Tensor<f64>, join: fn(f64, f64) -> f64) -> Tensor<f64> {
    along_first(x, |lane| {
        (0..lane.len()).map(|i| lane[..=i].iter().copied().reduce(join).unwrap()).collect()
    })
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn the_last_of_equal_ones_is_chosen() {
        let x = Tensor::from([2.0, 2.0, 1.0]).leaf();
        let (y, idx) = x.cummax(0);
        assert_eq!(idx.to_vec(), [0, 1, 1]);
        assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [1.0, 2.0, 0.0]);
        let (y, idx) = x.cummin(0);
        assert_eq!(idx.to_vec(), [0, 1, 2]);
        assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [1.0, 1.0, 1.0]);
    }
}
