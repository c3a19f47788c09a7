//! `local_response_norm`: divides by the activity of neighbouring channels.

use backstitch_kernels::Float;

use super::avg_pool::AvgPoolOptions;
use super::conv::Padding;
use super::pool::PoolOptions;
use crate::shape::{ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Divides each element by the activity of `size` neighbouring channels around its own.
    ///
    /// `y = x / (k + alpha / size Σ x²)^beta`, the sum over the `size / 2` channels before and the
    /// `(size - 1) / 2` behind, as far as there are any.
    ///
    /// # Shape
    /// `x (N, C, ...)` to `y` alike.
    ///
    /// # Gradient
    /// Also through the sum.
    ///
    /// # Panics
    /// When `x` has no channels, or `size` is 0.
    ///
    /// # Reference
    /// Krizhevsky et al. 2012, section 3.3; `alpha` over `size`, as in PyTorch, whose defaults are
    /// 1e-4, 0.75 and 1.
    #[track_caller]
    pub fn local_response_norm(&self, size: usize, alpha: f64, beta: f64, k: f64) -> Tensor<T> {
        or_panic(shape_rule(self.shape(), size));
        let (n, c) = (self.shape()[0], self.shape()[1]);
        // Channels as places, places as channels that are averaged side by side.
        let squares = (self * self).reshape([n, c, self.shape()[2..].iter().product()]);
        let options = AvgPoolOptions {
            windows: PoolOptions {
                stride: Some([1]),
                padding: Padding::Sides([(size / 2, (size - 1) / 2)]),
                ..PoolOptions::default()
            },
            divisor_override: Some(size),
            ..AvgPoolOptions::default()
        };
        let means = squares.permute([0, 2, 1]).avg_pool1d([size], &options).permute([0, 2, 1]);
        let activity = means.reshape(self.shape()) * T::from_f64(alpha) + T::from_f64(k);
        self / activity.pow(T::from_f64(beta))
    }
}

fn shape_rule(x: &[usize], size: usize) -> Result<(), ShapeError> {
    match x.len() >= 2 && size > 0 {
        true => Ok(()),
        false => {
            let got = format!("{x:?} and size {size}");
            Err(ShapeError::new("local_response_norm", "x (N, C, ...) and a size above 0", got))
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "local_response_norm",
    formula: "y = x / (2 + 0.7 / 4 Σ x²)^0.8, the sum over 2 channels before and 1 behind",
    shapes: &[&[&[1, 1]], &[&[2, 5, 3]], &[&[2, 17, 2, 2]], &[&[16, 32, 14, 14]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].local_response_norm(4, 0.7, 0.8, 2.0)),
    oracle: Oracle::Whole(|x| {
        let channels = x[0].shape()[1];
        Tensor::from_fn(x[0].shape(), |idx| {
            let square = |c: usize| {
                let mut own = idx.to_vec();
                own[1] = c;
                x[0].at(&own).powi(2)
            };
            let near = idx[1].saturating_sub(2)..channels.min(idx[1] + 2);
            x[0].at(idx) / (2.0 + 0.7 / 4.0 * near.map(square).sum::<f64>()).powf(0.8)
        })
    }),
    refused: &[&[&[3]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 20.0),
    tolerance: Tolerance::Ulps(32.0, "a mean of squares, a power and a division"),
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn windows_are_longer_in_front() {
        let x = [1.0f64, 2.0, 3.0, 4.0, 5.0];
        for size in 1..=5 {
            let y =
                Tensor::from_vec(x.to_vec(), [1, 5, 1]).local_response_norm(size, 0.5, 0.75, 2.0);
            let want = |c: usize| {
                let near =
                    (c.saturating_sub(size / 2)..=(c + (size - 1) / 2).min(4)).map(|i| x[i] * x[i]);
                x[c] / (2.0 + 0.5 / size as f64 * near.sum::<f64>()).powf(0.75)
            };
            for (c, y) in y.to_vec().into_iter().enumerate() {
                assert!((y - want(c)).abs() < 1e-14, "{size}: {y} is not {}", want(c));
            }
        }
    }
}
