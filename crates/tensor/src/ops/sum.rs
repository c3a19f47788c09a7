//! `sum`: adds up all elements, or those along some axes.

use backstitch_kernels::{Float, reduce};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{AxisSet, IntoDims, Shape, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The sum of all elements.
    ///
    /// `y = Σ x`
    ///
    /// # Shape
    /// `x (...)` to a scalar `()`.
    ///
    /// # Gradient
    /// `dx = dy`, repeated.
    ///
    /// # Numerics
    /// Partial sums are combined in a tree that depends on the shape alone: the same bits on any
    /// number of threads. The sum of no elements is 0.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, 2.0, 3.0]).sum().item(), 6.0);
    /// ```
    #[track_caller]
    pub fn sum(&self) -> Tensor<T> {
        self.sum_dim([], false)
    }

    /// The sums along some axes; `keepdim` leaves those axes with length 1. No axes means all.
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place.
    ///
    /// # Gradient
    /// `dx = dy`, repeated along `dims`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum_dim(-1, false).to_vec(), [3.0, 7.0]);
    /// assert_eq!(x.sum_dim([0], true).shape(), [1, 2]);
    /// ```
    #[track_caller]
    pub fn sum_dim(&self, dims: impl IntoDims, keepdim: bool) -> Tensor<T> {
        let axes = or_panic(AxisSet::new("sum", dims, self.rank()));
        let sum = apply(Sum { kept: axes.kept(self.shape()) }, [self]);
        match keepdim {
            true => sum,
            false => sum.reshape(axes.dropped(self.shape())),
        }
    }
}

/// Sums to `kept`, the input's shape with 1 for each axis that is summed over.
struct Sum {
    kept: Shape,
}

impl<T: Float> Op<T, 1> for Sum {
    const NAME: &'static str = "sum";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let x = x.contiguous();
        let data = x.as_slice().expect("the tensor was made contiguous");
        Tensor::build(&self.kept, |y| reduce::sum_to(data, x.shape(), &self.kept, y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(dy.expand(at.shape(0)))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        apply(Sum { kept: self.kept }, [dx.expect("the only input moves")])
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "sum",
        formula: "y = Σ x",
        shapes: &[&[&[]], &[&[0]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[2, 3, 33]], &[&[256, 1024]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].sum()),
        oracle: Oracle::Whole(|x| Tensor::scalar(x[0].to_vec().iter().sum())),
        refused: &[],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Terms(
            32.0,
            |x| Tensor::scalar(x[0].to_vec().iter().map(|x| x.abs()).sum()),
            "blocked partial sums: the error grows with the depth of the tree",
        ),
    },
    OpSpec {
        name: "sum dim",
        formula: "y[j] = Σ_i x[i, j], over the first axis",
        shapes: &[&[&[1]], &[&[0, 3]], &[&[3, 0]], &[&[3, 17]], &[&[5, 2, 33]], &[&[256, 1024]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].sum_dim(0, false)),
        oracle: Oracle::Whole(|x| sum_first(&x[0], |x| x)),
        refused: &[&[&[]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Terms(
            32.0,
            |x| sum_first(&x[0], f64::abs),
            "blocked partial sums: the error grows with the depth of the tree",
        ),
    },
    OpSpec {
        name: "sum dims",
        formula: "y[j] = Σ_ik x[i, j, k], over the first axis and the last",
        shapes: &[
            &[&[1, 1]],
            &[&[0, 3]],
            &[&[3, 17]],
            &[&[5, 2, 33]],
            &[&[2, 3, 4, 5]],
            &[&[16, 64, 256]],
        ],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].sum_dim([0, -1], false)),
        oracle: Oracle::Whole(|x| sum_ends(&x[0], |x| x)),
        refused: &[&[&[]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Terms(
            32.0,
            |x| sum_ends(&x[0], f64::abs),
            "blocked partial sums: the error grows with the depth of the tree",
        ),
    },
    OpSpec {
        name: "sum inner dims",
        formula: "y[i, 1, 1] = Σ_jk x[i, j, k], over the last two axes, which stay",
        shapes: &[
            &[&[1, 1]],
            &[&[3, 0]],
            &[&[3, 17]],
            &[&[5, 2, 33]],
            &[&[2, 3, 4, 5]],
            &[&[16, 64, 256]],
        ],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].sum_dim([-1, -2], true)),
        oracle: Oracle::Whole(|x| sum_last_two(&x[0], |x| x)),
        refused: &[&[&[]], &[&[3]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Terms(
            32.0,
            |x| sum_last_two(&x[0], f64::abs),
            "blocked partial sums: the error grows with the depth of the tree",
        ),
    },
];

/// The sum of `term` along the first and the last axis.
fn sum_ends(x: &Tensor<f64>, term: impl Fn(f64) -> f64) -> Tensor<f64> {
    let (first, last) = (x.shape()[0], x.size(-1));
    Tensor::from_fn(&x.shape()[1..x.rank() - 1], |idx| {
        let at = |i: usize| x.at(&[&[i / last], idx, &[i % last]].concat());
        (0..first * last).map(|i| term(at(i))).sum()
    })
}

/// The sum of `term` along the last two axes, which keep length 1.
fn sum_last_two(x: &Tensor<f64>, term: impl Fn(f64) -> f64) -> Tensor<f64> {
    let (rows, cols) = (x.size(-2), x.size(-1));
    let mut shape = x.shape().to_vec();
    shape[x.rank() - 2..].fill(1);
    Tensor::from_fn(shape, |idx| {
        let at = |i: usize| x.at(&[&idx[..x.rank() - 2], &[i / cols, i % cols]].concat());
        (0..rows * cols).map(|i| term(at(i))).sum()
    })
}

/// The sum of `term` along the first axis, as plain loops.
fn sum_first(x: &Tensor<f64>, term: impl Fn(f64) -> f64) -> Tensor<f64> {
    Tensor::from_fn(&x.shape()[1..], |idx| {
        (0..x.shape()[0]).map(|i| term(x.at(&[&[i], idx].concat()))).sum()
    })
}
