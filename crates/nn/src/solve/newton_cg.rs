//! [`NewtonCg`]: Newton's method with conjugate gradients and Hessian-vector products.

use std::cell::Cell;

use backstitch_kernels::Float;
use backstitch_tensor::{Module, Tensor, linearize, value_and_grad};

use super::line_search::{Armijo, armijo};
use super::vector::{dot, largest, moved, variables, with_variables};

/// Newton's method without a matrix: each direction solves `H d = -g` roughly by conjugate
/// gradients, whose products with the Hessian are forward mode over reverse mode; a backtracking
/// line search follows.
///
/// # Examples
/// ```
/// use backstitch_nn::NewtonCg;
/// use backstitch_tensor::Tensor;
///
/// let f = |x: &Tensor<f64>| (x.exp() - x * 2.0).sum();
/// let found = NewtonCg::default().minimize(f, &Tensor::from([0.0, 3.0]));
/// assert!(found.converged && (found.x.at(&[1]) - 2f64.ln()).abs() < 1e-8);
/// ```
///
/// # Reference
/// Nocedal and Wright 2006, algorithm 7.1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewtonCg {
    /// How many directions are followed at most. 100 by default.
    pub max_iter: usize,
    /// Ends when no element of the gradient is larger. 1e-8 by default; f32 needs more.
    pub tolerance_grad: f64,
    /// How many conjugate gradients a direction is made of at most; none for twice the number of
    /// variables, the default.
    pub max_cg: Option<usize>,
    /// The line search.
    pub line_search: Armijo,
}

impl Default for NewtonCg {
    fn default() -> Self {
        let line_search = Armijo::default();
        NewtonCg { max_iter: 100, tolerance_grad: 1e-8, max_cg: None, line_search }
    }
}

/// Where a method ended.
#[derive(Clone, Copy, Debug)]
pub struct Minimum<X> {
    /// The point.
    pub x: X,
    /// The function there.
    pub value: f64,
    /// The largest magnitude in the gradient there.
    pub gradient: f64,
    /// The number of steps that led there.
    pub iterations: usize,
    /// Whether the gradient is as small as was asked for. If not, the steps did not suffice, or a
    /// line search found nothing lower.
    pub converged: bool,
}

impl NewtonCg {
    /// Goes down `f` from `x`.
    ///
    /// # Panics
    /// When `f` returns anything but one element.
    #[track_caller]
    pub fn minimize<T: Float, X: Module<T> + Clone>(
        &self,
        f: impl Fn(&X) -> Tensor<T>,
        x: &X,
    ) -> Minimum<X> {
        let mut x = x.clone();
        for iterations in 0.. {
            let (value, g, d) = self.local(&f, &x, iterations < self.max_iter);
            let (at, gradient) = (variables(&x), largest(&g));
            let height = |t: f64| f(&with_variables(&x, &moved(&at, t, &d))).item().to_f64();
            let found = match gradient <= self.tolerance_grad || iterations == self.max_iter {
                true => None,
                false => armijo(value, dot(&g, &d), &self.line_search, height),
            };
            let Some((t, _)) = found else {
                let converged = gradient <= self.tolerance_grad;
                return Minimum { x, value, gradient, iterations, converged };
            };
            x = with_variables(&x, &moved(&at, t, &d));
        }
        unreachable!("the loop ends after max_iter steps")
    }

    /// The value at `x`, the gradient, and the direction to follow; zero where none is wanted. One
    /// run of the function serves the gradient and all products with the Hessian.
    fn local<T: Float, X: Module<T> + Clone>(
        &self,
        f: impl Fn(&X) -> Tensor<T>,
        x: &X,
        wants_direction: bool,
    ) -> (f64, Tensor<T>, Tensor<T>) {
        let value = Cell::new(f64::NAN);
        let (dx, push) = linearize(
            |x: &X| {
                let (y, dx) = value_and_grad(&f, x);
                value.set(y.item().to_f64());
                dx
            },
            x,
        );
        let g = variables(&dx);
        let product = |v: &Tensor<T>| variables(&push(&with_variables(x, v)));
        let d = match wants_direction && largest(&g) > self.tolerance_grad {
            true => self.direction(&g, product),
            false => Tensor::zeros(g.shape()),
        };
        (value.get(), g, d)
    }

    /// `d` with `H d = -g`, roughly; along negative curvature it goes no further.
    fn direction<T: Float>(
        &self,
        g: &Tensor<T>,
        product: impl Fn(&Tensor<T>) -> Tensor<T>,
    ) -> Tensor<T> {
        let norm = dot(g, g).sqrt();
        let tolerance = norm * norm.sqrt().min(0.5);
        let mut d: Tensor<T> = Tensor::zeros(g.shape());
        let (mut r, mut p) = (g.detach(), -g);
        let mut rr = norm * norm;
        for i in 0..self.max_cg.unwrap_or(2 * g.numel()) {
            let hp = product(&p);
            let curvature = dot(&p, &hp);
            if curvature <= 0.0 || curvature.is_nan() {
                return if i == 0 { p } else { d };
            }
            let alpha = rr / curvature;
            d = moved(&d, alpha, &p);
            r = moved(&r, alpha, &hp);
            let before = std::mem::replace(&mut rr, dot(&r, &r));
            if rr.sqrt() <= tolerance {
                break;
            }
            p = moved(&-&r, rr / before, &p);
        }
        d
    }
}
