//! `topk`: the k largest or smallest elements along an axis.

use backstitch_kernels::{Float, sort};

use super::extreme::{chosen, distinct, sorted_places};
use super::over::along_first;
use crate::shape::{ShapeError, axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The `k` largest elements along axis `dim`, the largest first, or the smallest, the smallest
    /// first; and where they are.
    ///
    /// # Shape
    /// `x (...)` to `y (...)` and positions `(...)`, both with `k` for axis `dim`.
    ///
    /// # Gradient
    /// Each element of `dy` goes to where its element was.
    ///
    /// # Numerics
    /// Of equal elements those that stand first are taken. NaN counts as larger than every number.
    ///
    /// # Panics
    /// When the axis does not exist or has less than `k` elements.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let (y, idx) = Tensor::from([2.0, 3.0, 1.0]).topk(2, 0, true);
    /// assert_eq!((y.to_vec(), idx.to_vec()), (vec![3.0, 2.0], vec![1, 0]));
    /// ```
    #[track_caller]
    pub fn topk(&self, k: usize, dim: isize, largest: bool) -> (Tensor<T>, Tensor<i64>) {
        let axis = or_panic(shape_rule(self.shape(), k, dim));
        chosen("topk", self, axis, k, |x, split, values, idx| {
            sort::top_k(x, split, k, super::sort::order(largest), values, idx);
        })
    }
}

fn shape_rule(x: &[usize], k: usize, dim: isize) -> Result<usize, ShapeError> {
    let axis = axis_of("topk", dim, x.len())?;
    match k <= x[axis] {
        true => Ok(axis),
        false => {
            let rule = format!("{k} elements or more along dim {dim}");
            Err(ShapeError::new("topk", rule, format!("{x:?}")))
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "topk",
    formula: "y = the 5 largest of x, or all, in falling order, along the first axis",
    shapes: super::over::SHAPES,
    domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
    build: build!(|x| {
        // Of two dozen rows, as many as there are not: to be refused.
        let n = x[0].shape().first().map_or(1, |&n| if n == 24 { 25 } else { n.min(5) });
        x[0].topk(n, 0, true).0
    }),
    oracle: Oracle::Whole(|x| {
        along_first(&x[0], |lane| {
            sorted_places(lane, true).iter().take(5).map(|&i| lane[i]).collect()
        })
    }),
    refused: &[&[&[]], &[&[24]], &[&[24, 3]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn the_first_of_equal_ones_are_taken() {
        let x = Tensor::from([1.0, 2.0, 2.0, 1.0, f32::NAN]).leaf();
        assert_eq!(x.topk(2, 0, true).1.to_vec(), [4, 1]);
        let (y, idx) = x.topk(3, 0, false);
        assert_eq!((y.to_vec(), idx.to_vec()), (vec![1.0, 1.0, 2.0], vec![0, 3, 1]));
        let grads = (y * Tensor::from([1.0, 10.0, 100.0])).sum().backward();
        assert_eq!(grads.get(&x).unwrap().to_vec(), [1.0, 100.0, 0.0, 10.0, 0.0]);
    }
}
