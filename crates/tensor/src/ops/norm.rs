//! `norm`: p-norms of all elements, or of those along some axes.

use backstitch_kernels::{Float, reduce};

use super::over::{Over, first_axis, reduced};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{IntoDims, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The p-norms along some axes; `keepdim` leaves those axes with length 1. No axes means all.
    ///
    /// `y = (Σ |x|^p)^(1/p)`; the largest `|x|` for p = ∞, the smallest for -∞, and for 0 the
    /// number of elements that are not 0.
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place.
    ///
    /// # Gradient
    /// `dx = dy * sign(x) (|x| / y)^(p - 1)`; 0 where `x` or `y` is 0, as in PyTorch. For p = ∞ and
    /// -∞, `dy` goes to the elements of that magnitude, in equal parts; for 0 there is none.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice, or p is infinite and there is no element.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([3.0, -4.0]);
    /// assert_eq!(x.norm(2.0, 0, false).item(), 5.0);
    /// assert_eq!(x.norm(f64::INFINITY, [], false).item(), 4.0);
    /// ```
    #[track_caller]
    pub fn norm(&self, p: f64, dims: impl IntoDims, keepdim: bool) -> Tensor<T> {
        let over = or_panic(match p.is_infinite() {
            true => Over::some("norm", self.shape(), dims),
            false => Over::new("norm", self.shape(), dims),
        });
        let (merged, axis) = over.merge(self);
        apply(Norm { p, axis }, [&merged]).reshape(over.result(keepdim))
    }
}

/// The norm along `axis`, which keeps length 1.
struct Norm {
    p: f64,
    axis: usize,
}

impl Norm {
    /// The slope by each element.
    fn slope<T: Float>(&self, x: &Tensor<T>, y: &Tensor<T>) -> Tensor<T> {
        if self.p == 0.0 {
            return super::pointwise::no_slope(x);
        }
        if self.p == 1.0 {
            return x.sign();
        }
        if self.p.is_infinite() {
            let hits = x.detach().abs().eq(y.detach()).to::<T>();
            return x.sign() * (&hits / hits.sum_dim(self.axis as isize, true));
        }
        // Nothing is divided by 0, and no negative power of 0 is taken, in derivatives either.
        let none = y.eq(T::ZERO);
        let unit = x / y.masked_fill(&none, T::ONE);
        if self.p == 2.0 {
            return unit;
        }
        let flat = unit.eq(T::ZERO);
        let magnitude = unit.abs().masked_fill(&flat, T::ONE);
        let power = magnitude.pow(T::from_f64(self.p - 1.0));
        x.sign() * power.masked_fill(&flat, T::ZERO)
    }
}

impl<T: Float> Op<T, 1> for Norm {
    const NAME: &'static str = "norm";
    const SAVES: Saves = Saves::ALL;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let (x, axis) = (x.detach(), self.axis);
        let dim = axis as isize;
        match self.p {
            0.0 => x.ne(T::ZERO).to::<T>().sum_dim(dim, true),
            1.0 => x.abs().sum_dim(dim, true),
            2.0 => reduced(&x, axis, reduce::sum_squares).sqrt(),
            f64::INFINITY => reduced(&x.abs(), axis, reduce::max),
            f64::NEG_INFINITY => reduced(&x.abs(), axis, reduce::min),
            p => x.abs().pow(T::from_f64(p)).sum_dim(dim, true).pow(T::from_f64(1.0 / p)),
        }
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(dy * self.slope(at.input(0), at.output()))]
    }

    fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        let terms = dx.expect("the only input moves") * self.slope(at.input(0), at.output());
        terms.sum_dim(self.axis as isize, true)
    }
}

macro_rules! spec {
    ($name:literal, $formula:literal, $p:expr, $slope:expr) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: super::over::SHAPES,
            domain: Domain::Custom(|_, shape, rng| {
                // Of both signs, their magnitudes apart from each other and far from 0, where
                // roots bend too much for differences.
                let x = super::extreme::distinct(shape, rng) + 0.005;
                &x + x.sign() * 0.2
            }),
            build: build!(|x| x[0].norm($p, 0, false)),
            oracle: Oracle::Whole(|x| first_axis(&x[0], |lane| of(lane, $p))),
            refused: &[&[&[]]],
            slope: $slope,
            cost: |shapes| Cost::elementwise(shapes, 2.0),
            tolerance: Tolerance::Ulps(64.0, "a sum of positive terms and its root"),
        }
    };
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!("norm", "y[j] = √(Σ_i x[i, j]²), over the first axis", 2.0, Slope::Smooth),
    spec!("norm 1", "y[j] = Σ_i |x[i, j]|, over the first axis", 1.0, Slope::Smooth),
    spec!("norm 3", "y[j] = (Σ_i |x[i, j]|³)^(1/3), over the first axis", 3.0, Slope::Smooth),
    spec!("norm 0.5", "y[j] = (Σ_i √|x[i, j]|)², over the first axis", 0.5, Slope::Smooth),
    spec!("norm inf", "y[j] = max_i |x[i, j]|, over the first axis", f64::INFINITY, Slope::Smooth),
    spec!(
        "norm -inf",
        "y[j] = min_i |x[i, j]|, over the first axis",
        f64::NEG_INFINITY,
        Slope::Smooth
    ),
    spec!(
        "norm 0",
        "y[j] = how many x[i, j] are not 0, over the first axis",
        0.0,
        Slope::Zero("a count")
    ),
];

fn of(lane: &[f64], p: f64) -> f64 {
    let magnitudes = lane.iter().map(|x| x.abs());
    match p {
        f64::INFINITY => magnitudes.fold(0.0, f64::max),
        f64::NEG_INFINITY => magnitudes.fold(f64::INFINITY, f64::min),
        0.0 => magnitudes.filter(|&x| x != 0.0).count() as f64,
        p => magnitudes.map(|x| x.powf(p)).sum::<f64>().powf(1.0 / p),
    }
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;
    use crate::transforms::{grad, hessian};

    /// At zeros and ties, as `torch.linalg.vector_norm`.
    #[test]
    fn slopes_at_zeros_and_ties() {
        let check = |p: f64, x: [f64; 3], want: [f64; 3]| {
            let dx = grad(|x: &Tensor<f64>| x.norm(p, [], false), &Tensor::from(x)).to_vec();
            let near = dx.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-14);
            assert!(near, "p {p} at {x:?}: {dx:?}");
        };
        for p in [0.0, 0.5, 1.0, 1.5, 2.0, 3.0] {
            check(p, [0.0; 3], [0.0; 3]);
        }
        check(2.0, [3.0, 0.0, -4.0], [0.6, 0.0, -0.8]);
        check(1.5, [4.0, 0.0, 0.0], [1.0, 0.0, 0.0]);
        check(0.5, [4.0, 0.0, 0.0], [1.0, 0.0, 0.0]);
        check(f64::INFINITY, [2.0, -2.0, 1.0], [0.5, -0.5, 0.0]);
        check(f64::NEG_INFINITY, [2.0, -1.0, 1.0], [0.0, -0.5, 0.5]);
    }

    #[test]
    fn no_elements() {
        let x = Tensor::<f64>::zeros([0, 2]);
        assert_eq!(x.norm(2.0, 0, false).to_vec(), [0.0, 0.0]);
        assert_eq!(x.norm(0.0, [], false).item(), 0.0);
        let refused = std::panic::catch_unwind(|| x.norm(f64::INFINITY, 0, false));
        let message = *refused.err().unwrap().downcast::<String>().unwrap();
        assert_eq!(message, "norm: needs an element along dim 0; got [0, 2]");
    }

    #[test]
    fn slopes_at_zero_and_of_one_element() {
        for p in [1.0, 1.5, 2.0, 3.0] {
            let slope = |x: &[f64]| {
                crate::transforms::grad(|x: &Tensor<f64>| x.norm(p, 0, false), &Tensor::from(x))
                    .to_vec()
            };
            assert_eq!(slope(&[0.0, 0.0]), [0.0, 0.0], "p = {p}");
            assert!((slope(&[2.0])[0] - 1.0).abs() < 1e-15, "p = {p}");
        }
    }

    /// The largest magnitudes of columns, of rows, and along an axis in the middle.
    #[test]
    fn infinite_norms_share_the_gradient_along_any_axis() {
        let x = Tensor::from([[[1.0f64, -3.0], [2.0, 3.0], [-2.0, 0.5]]]);
        let slope = |dim: isize| {
            grad(|x: &Tensor<f64>| x.norm(f64::INFINITY, dim, false).sum(), &x).to_vec()
        };
        assert_eq!(slope(1), [0.0, -0.5, 0.5, 0.5, -0.5, 0.0]);
        assert_eq!(slope(2), [0.0, -1.0, 0.0, 1.0, -1.0, 0.0]);
    }

    #[test]
    fn second_derivatives_at_zeros_are_numbers() {
        for p in [1.5, 2.5, 3.0] {
            let x = Tensor::from([0.0f64, 1.0, -2.0]);
            let curvature = hessian(|x: &Tensor<f64>| x.norm(p, 0, false), &x);
            assert!(curvature.to_vec().iter().all(|x| x.is_finite()), "p {p}: {curvature:?}");
        }
    }
}
