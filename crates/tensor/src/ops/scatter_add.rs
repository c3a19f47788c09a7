//! `scatter_add`: adds elements at places along an axis, by index.

use backstitch_kernels::Float;

use super::gather::{example, outside};
use super::operand::Operand;
use super::scatter::{Put, REFUSED, SHAPES, terms};
use crate::shape::or_panic;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The tensor with elements of `src`, or a number, added at places along axis `dim`.
    ///
    /// `y[.., idx[.., i, ..], ..] += src[.., i, ..]`, in rising order of `i`: the same bits on any
    /// number of threads.
    ///
    /// # Shape
    /// `idx` has as many axes as `x` and `src`, none longer than in `src`, and none but `dim`
    /// longer than in `x`; `y` has the shape of `x`.
    ///
    /// # Gradient
    /// `dx = dy`; `dsrc` is `dy` at the places.
    ///
    /// # Panics
    /// When the shapes do not fit, or an index is negative or outside the axis.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let src = Tensor::from([1.0, 2.0, 4.0]);
    /// let y = Tensor::zeros([2]).scatter_add(0, &Tensor::from([1i64, 0, 1]), &src);
    /// assert_eq!(y.to_vec(), [2.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn scatter_add(&self, dim: isize, idx: &Tensor<i64>, src: impl Operand<T>) -> Tensor<T> {
        let put = or_panic(Put::new("scatter_add", self, dim, idx, src));
        let y = put.x.add_at("scatter_add", put.places, &put.src);
        let y = or_panic(y.map_err(|bad| outside("scatter_add", bad, self.shape())));
        if y.shape() == self.shape() { y } else { y.reshape(self.shape()) }
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "scatter_add",
    formula: "y[idx[i, j], j] = x[idx[i, j], j] + Σ src[i, j], along the first axis",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].scatter_add(0, &example(x[0].shape(), x[0].rank() > 1), &x[1])),
    oracle: Oracle::Whole(|x| terms(x, |own, put| own + put.iter().sum::<f64>())),
    refused: REFUSED,
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Terms(
        4.0,
        |x| terms(x, |own, put| own.abs() + put.iter().map(|x| x.abs()).sum::<f64>()),
        "one addition per index",
    ),
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn indices_outside_are_refused_with_their_place() {
        let refusal = |idx: Tensor<i64>| {
            let (x, src) = (Tensor::<f32>::zeros([2, 3]), Tensor::ones([2, 3]));
            let refused = std::panic::catch_unwind(|| x.scatter_add(1, &idx, &src));
            *refused.err().unwrap().downcast::<String>().unwrap()
        };
        let want = "scatter_add: needs indices from 0 to 2; got 3 at position 1, for a tensor of \
                    shape [2, 3]";
        assert_eq!(refusal(Tensor::from([[0i64, 3], [1, 1]])), want);
        // Of some rows alone, where all becomes flat.
        assert_eq!(refusal(Tensor::from([[0i64, 3]])), want);
    }
}
