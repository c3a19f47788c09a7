//! `prod`: multiplies all elements, or those along some axes.

use backstitch_kernels::{Float, reduce};

use super::cumprod::{factors, product_before};
use super::over::{Over, first_axis, reduced};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{IntoDims, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The product of all elements; as [`Tensor::prod_dim`] over all axes.
    #[track_caller]
    pub fn prod(&self) -> Tensor<T> {
        self.prod_dim([], false)
    }

    /// The products along some axes; `keepdim` leaves those axes with length 1. No axes means all.
    ///
    /// `y = Π x`
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place.
    ///
    /// # Gradient
    /// `dx = dy` times the product of all other elements. Nothing is divided, so it is right where
    /// elements are zero, to any order.
    ///
    /// # Numerics
    /// The product of no elements is 1.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.prod_dim(1, false).to_vec(), [2.0, 12.0]);
    /// ```
    #[track_caller]
    pub fn prod_dim(&self, dims: impl IntoDims, keepdim: bool) -> Tensor<T> {
        let over = or_panic(Over::new("prod", self.shape(), dims));
        let (merged, axis) = over.merge(self);
        apply(Prod { axis }, [&merged]).reshape(over.result(keepdim))
    }
}

/// The products along `axis`, which keeps length 1.
struct Prod {
    axis: usize,
}

impl Prod {
    /// For each element, the product of all others.
    fn others<T: Float>(&self, x: &Tensor<T>) -> Tensor<T> {
        product_before(x, self.axis, false) * product_before(x, self.axis, true)
    }
}

impl<T: Float> Op<T, 1> for Prod {
    const NAME: &'static str = "prod";
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        reduced(x, self.axis, reduce::prod)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(dy * self.others(at.input(0)))]
    }

    fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        let terms = dx.expect("the only input moves") * self.others(at.input(0));
        terms.sum_dim(self.axis as isize, true)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "prod",
    formula: "y[j] = Π_i x[i, j], over the first axis",
    shapes: &[
        &[&[1]],
        &[&[0, 3]],
        &[&[3, 0]],
        &[&[7]],
        &[&[3, 17]],
        &[&[5, 2, 33]],
        &[&[256, 1024]],
    ],
    domain: Domain::Custom(|_, shape, rng| factors(shape, rng)),
    build: build!(|x| x[0].prod_dim(0, false)),
    oracle: Oracle::Whole(|x| first_axis(&x[0], |lane| lane.iter().product())),
    refused: &[&[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Ulps(64.0, "as many roundings as factors"),
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;
    use crate::transforms::{grad, hessian};

    #[test]
    fn zeros_do_not_spoil_derivatives() {
        let slope = |x: [f64; 3]| grad(|x: &Tensor<f64>| x.prod(), &Tensor::from(x)).to_vec();
        assert_eq!(slope([2.0, 0.0, 5.0]), [0.0, 10.0, 0.0]);
        assert_eq!(slope([0.0, 0.0, 5.0]), [0.0, 0.0, 0.0]);
        let curve = hessian(|x: &Tensor<f64>| x.prod(), &Tensor::from([0.0, 0.0, 5.0]));
        assert_eq!(curve.to_vec(), [0.0, 5.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn the_product_of_all_keeps_no_axis() {
        let y = Tensor::from([[3.0, -1.0], [2.0, 5.0]]).prod();
        assert_eq!((y.shape(), y.item()), (&[][..], -30.0));
    }
}
