//! `batch_norm_add_relu`: normalises each channel over the batch, adds a residual, cuts off at 0.
//!
//! Fused: the end of a residual block in one pass over memory forward, where the three ops apart
//! read and write 12 bytes an element more each. Backward reads the output's sign, which is kept
//! anyway as the next layer's input.

use backstitch_kernels::{Float, norm};

use super::batch_norm::{
    BatchStatistics, EPS, Norm, TOLERANCE, build_laid, laid_out, normalised, or_default,
    shape_rule, statistics, train,
};
use super::relu::mask_by;
use crate::op::{FusedOp, Gradient, Site, apply_fused};
use crate::shape::{ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, build};
use crate::tensor::{Tensor, data};

const NAME: &str = "batch_norm_add_relu";

impl<T: Float> Tensor<T> {
    /// [`Tensor::batch_norm`] with a residual added to it and [`Tensor::relu`] behind: the end of
    /// a residual block. Also returns the statistics, for running ones.
    ///
    /// `y = max((x - mean) / √(var + eps) weight + bias + residual, 0)`
    ///
    /// # Shape
    /// As [`Tensor::batch_norm`]; the residual like `x`.
    ///
    /// # Gradient
    /// `dresidual = dy` where `y > 0`, else 0; the others as of [`Tensor::batch_norm`] from that.
    ///
    /// # Panics
    /// When the shapes do not fit.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0f32], [3.0]]);
    /// let residual = Tensor::from([[0.5], [0.5]]);
    /// let (y, _) = x.batch_norm_add_relu(&residual, None, None, 0.0);
    /// assert_eq!(y.to_vec(), [0.0, 1.5]);
    /// ```
    #[track_caller]
    pub fn batch_norm_add_relu(
        &self,
        residual: &Tensor<T>,
        weight: Option<&Tensor<T>>,
        bias: Option<&Tensor<T>>,
        eps: f64,
    ) -> (Tensor<T>, BatchStatistics<T>) {
        or_panic(rule([self, residual], &[weight, bias]));
        let (weight, bias) = or_default([self.shape()[1]], weight, bias);
        let (y, statistics) = train([self, &weight, &bias], Some(residual), eps, true);
        let norm = Norm { statistics: statistics.clone(), eps, training: true, y: Some(y) };
        (apply_fused(AddRelu(norm), [self, &weight, &bias, residual]), statistics)
    }

    /// [`Tensor::batch_norm_with`] with a residual added to it and [`Tensor::relu`] behind.
    ///
    /// # Shape
    /// As [`Tensor::batch_norm_with`]; the residual like `x`.
    ///
    /// # Gradient
    /// As [`Tensor::batch_norm_add_relu`], with constant statistics.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn batch_norm_add_relu_with(
        &self,
        statistics: &BatchStatistics<T>,
        residual: &Tensor<T>,
        weight: Option<&Tensor<T>>,
        bias: Option<&Tensor<T>>,
        eps: f64,
    ) -> Tensor<T> {
        let BatchStatistics { mean, var } = statistics;
        or_panic(rule([self, residual], &[weight, bias, Some(mean), Some(var)]));
        let statistics = BatchStatistics { mean: mean.contiguous(), var: var.contiguous() };
        let (weight, bias) = or_default([self.shape()[1]], weight, bias);
        let norm = Norm { statistics, eps, training: false, y: None };
        apply_fused(AddRelu(norm), [self, &weight, &bias, residual])
    }
}

fn rule<T: Float>(
    [x, residual]: [&Tensor<T>; 2],
    channels: &[Option<&Tensor<T>>],
) -> Result<(), ShapeError> {
    if x.shape() != residual.shape() {
        let got = format!("{:?} and {:?}", x.shape(), residual.shape());
        return Err(ShapeError::new(NAME, "a residual like x", got));
    }
    shape_rule(NAME, x.shape(), channels)
}

/// `x (N, C, ...)`, `weight (C)`, `bias (C)`, `residual` like x, to `y` like x.
struct AddRelu<T: Float>(Norm<T, false>);

impl<T: Float> FusedOp<T, 4> for AddRelu<T> {
    const NAME: &'static str = NAME;
    const SAVES_OUTPUT: bool = true;

    fn forward(&mut self, [x, weight, bias, residual]: [&Tensor<T>; 4]) -> Tensor<T> {
        if let Some(y) = self.0.y.take() {
            return y;
        }
        let [weight, bias] = [weight, bias].map(Tensor::contiguous);
        let is_last = x.is_channels_last();
        let (shape, (x, split)) = (x.shape(), laid_out(x, is_last));
        let (residual, _) = laid_out(residual, is_last);
        build_laid(shape, is_last, |y| {
            let residual = Some(data(&residual));
            let norm = norm::BatchNorm { residual, relu: true, ..self.0.of(&weight, &bias) };
            norm::batch_norm(data(&x), split, &norm, y);
        })
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 4> {
        let dy = mask_by(dy, at.output());
        let [dx, dweight, dbias] = self.0.gradients([at.input(0), at.input(1), at.input(2)], &dy);
        [at.want(0, || dx), at.want(1, || dweight), at.want(2, || dbias), at.want(3, || dy)]
    }

    fn decompose(&self, [x, weight, bias, residual]: [&Tensor<T>; 4]) -> Tensor<T> {
        (self.0.decompose([x, weight, bias]) + residual).relu()
    }
}

const REFUSED: &[&[&[usize]]] =
    &[&[&[3], &[3], &[3], &[3]], &[&[2, 3], &[2], &[2], &[2, 3]], &[&[2, 3], &[3], &[3], &[3]]];

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "batch_norm_add_relu",
        formula: "y = max((x - mean) / √(var + eps) weight + bias + residual, 0), statistics over the batch",
        shapes: &[
            &[&[1, 1], &[1], &[1], &[1, 1]],
            &[&[5, 17], &[17], &[17], &[5, 17]],
            &[&[3, 2, 5], &[2], &[2], &[3, 2, 5]],
            &[&[2, 3, 2, 2], &[3], &[3], &[2, 3, 2, 2]],
            &[&[256, 1024], &[1024], &[1024], &[256, 1024]],
        ],
        domain: AWAY_FROM_KINK,
        build: build!(|x| x[0].batch_norm_add_relu(&x[3], Some(&x[1]), Some(&x[2]), EPS).0),
        oracle: Oracle::Whole(|x| {
            let (mean, var) = statistics(&x[0]);
            behind(x, &normalised(x, &mean, &var))
        }),
        refused: REFUSED,
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(&[shapes[0], shapes[3]], 5.0),
        tolerance: TOLERANCE,
    },
    OpSpec {
        name: "batch_norm_add_relu eval",
        formula: "y = max((x - mean) / √(var + eps) weight + bias + residual, 0), statistics given",
        shapes: &[
            &[&[1, 1], &[1], &[1], &[1, 1]],
            &[&[0, 3], &[3], &[3], &[0, 3]],
            &[&[5, 17], &[17], &[17], &[5, 17]],
            &[&[3, 2, 5], &[2], &[2], &[3, 2, 5]],
            &[&[256, 1024], &[1024], &[1024], &[256, 1024]],
        ],
        domain: AWAY_FROM_KINK,
        build: build!(|x| {
            let channels = x[0].shape().get(1).copied().unwrap_or(1);
            let (mean, var) = (Tensor::zeros([channels]), Tensor::full([channels], T::ONE));
            let statistics = BatchStatistics { mean, var };
            x[0].batch_norm_add_relu_with(&statistics, &x[3], Some(&x[1]), Some(&x[2]), EPS)
        }),
        oracle: Oracle::Whole(|x| {
            let channels = x[0].shape()[1];
            behind(x, &normalised(x, &vec![0.0; channels], &vec![1.0; channels]))
        }),
        refused: REFUSED,
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(&[shapes[0], shapes[3]], 3.0),
        tolerance: TOLERANCE,
    },
];

/// Sums that the ReLU surely passes or stops: a difference quotient must not see both sides of its
/// kink.
const AWAY_FROM_KINK: Domain = Domain::Custom(|input, shape, rng| {
    let uniform = Tensor::<f64>::rand(shape, -1.0, 1.0, rng);
    match input {
        0 => uniform * 2.0,
        1 | 2 => uniform * 0.25,
        _ => Tensor::from_fn(shape, |idx| uniform.at(idx) + 3.0f64.copysign(uniform.at(idx))),
    }
});

/// With the residual and the ReLU behind a norm.
fn behind(x: &[Tensor<f64>], y: &Tensor<f64>) -> Tensor<f64> {
    Tensor::from_fn(y.shape(), |idx| (y.at(idx) + x[3].at(idx)).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// With defaults for weight and bias, and statistics that are columns of a table.
    #[test]
    fn defaults_and_columns_are_taken() {
        let rng = &mut Rng::seed(8);
        let [x, residual] = [0, 1].map(|_| Tensor::<f64>::randn([2, 3, 4], rng));
        let (y, _) = x.batch_norm_add_relu(&residual, None, None, 1e-5);
        let want = (x.batch_norm(None, None, 1e-5).0 + &residual).relu();
        assert_eq!(y.to_vec(), want.to_vec());
        let table = Tensor::from([[1.0f64, 3.0], [-2.0, 0.5], [0.5, 1.0]]);
        let statistics = BatchStatistics { mean: table.select(1, 0), var: table.select(1, 1) };
        let y = x.batch_norm_add_relu_with(&statistics, &residual, None, None, 1e-5);
        let want = (x.batch_norm_with(&statistics, None, None, 1e-5) + residual).relu();
        assert_eq!(y.to_vec(), want.to_vec());
    }
}
