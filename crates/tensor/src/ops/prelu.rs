//! `prelu`: rectified linear unit whose slope below zero is learned.

use backstitch_kernels::Float;

use crate::shape::{Shape, ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Rectified linear unit whose slope below zero is learned, one for all or one per channel.
    ///
    /// `y = x` above 0, `weight * x` below
    ///
    /// # Shape
    /// `x (N, C, ...)` and `weight (C)`, or `x (...)` and `weight (1)`, to the shape of `x`.
    ///
    /// # Gradient
    /// `dx = dy` above 0, `weight * dy` below; at the kink 0 it is `weight * dy`, as in PyTorch.
    /// `dweight` is the sum of `dy * x` below 0.
    ///
    /// # Numerics
    /// NaN stays NaN.
    ///
    /// # Panics
    /// When `weight` has neither one element nor one per channel.
    ///
    /// # Reference
    /// He et al. 2015, section 2.1.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[-1.0, -1.0], [2.0, -4.0]]);
    /// let y = x.prelu(&Tensor::from([0.5, 0.25]));
    /// assert_eq!(y.to_vec(), [-0.5, -0.25, 2.0, -1.0]);
    /// ```
    #[track_caller]
    pub fn prelu(&self, weight: &Tensor<T>) -> Tensor<T> {
        let weight = weight.reshape(or_panic(shape_rule(self.shape(), weight.shape())));
        // Where an element is positive, its place in the second term is 0: no slope reaches it.
        let negative = Tensor::where_(&self.gt(T::ZERO), T::ZERO, self);
        self.relu() + negative * weight
    }
}

/// The shape in which `weight` broadcasts against `x`: along axis 1, or everywhere.
fn shape_rule(x: &[usize], weight: &[usize]) -> Result<Shape, ShapeError> {
    match weight {
        [] | [1] => Ok(Shape::default()),
        &[channels] if x.len() > 1 && x[1] == channels => {
            Ok((1..x.len()).map(|axis| if axis == 1 { channels } else { 1 }).collect())
        }
        _ => {
            let got = format!("{x:?} and {weight:?}");
            Err(ShapeError::new("prelu", "x (N, C, ...) and weight (C) or (1)", got))
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "prelu",
    formula: "y = x above 0, weight x below",
    shapes: &[
        &[&[], &[]],
        &[&[7], &[1]],
        &[&[0, 3], &[3]],
        &[&[5, 1], &[1]],
        &[&[3, 17], &[17]],
        &[&[2, 3, 5, 2], &[3]],
        &[&[256, 1024], &[1024]],
    ],
    // Both the elements and the weights stay well away from 0.
    domain: Domain::Custom(|_, shape, rng| {
        let draw = Tensor::rand(shape, -1.0, 1.0, rng);
        &draw + draw.sign() * 0.1
    }),
    build: build!(|x| x[0].prelu(&x[1])),
    oracle: Oracle::Whole(|x| {
        let weight = x[1].to_vec();
        Tensor::from_fn(x[0].shape(), |idx| {
            let slope = weight[if weight.len() == 1 { 0 } else { idx[1] }];
            let x = x[0].at(idx);
            if x > 0.0 { x } else { slope * x }
        })
    }),
    refused: &[&[&[4, 3], &[2]], &[&[3], &[3]], &[&[4, 3], &[1, 3]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 2.0),
    tolerance: Tolerance::Ulps(0.5, "one product, correctly rounded"),
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn the_slope_at_zero_is_the_weight_and_infinities_do_no_harm() {
        let x = Tensor::from([0.0, 1.0, -1.0, f64::INFINITY]).leaf();
        let weight = Tensor::from([0.25]).leaf();
        let y = x.prelu(&weight);
        assert_eq!(y.to_vec(), [0.0, 1.0, -0.25, f64::INFINITY]);
        let grads = y.sum().backward();
        assert_eq!(grads.get(&x).unwrap().to_vec(), [0.25, 1.0, 0.25, 1.0]);
        assert_eq!(grads.get(&weight).unwrap().to_vec(), [-1.0]);
    }
}
