//! `any`, `all` and `count_nonzero`: reductions to truth values and counts.

use backstitch_kernels::{Element, reduce};

use super::over::{Over, first_axis, reduced};
use crate::shape::{IntoDims, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl Tensor<bool> {
    /// Whether any element along some axes is set; `keepdim` leaves those axes with length 1. No
    /// axes means all.
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place.
    ///
    /// # Numerics
    /// Of no elements it is false.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[true, false], [false, false]]);
    /// assert_eq!(x.any(1, false).to_vec(), [true, false]);
    /// assert_eq!(x.all(1, false).to_vec(), [false, false]);
    /// ```
    #[track_caller]
    pub fn any(&self, dims: impl IntoDims, keepdim: bool) -> Tensor<bool> {
        let over = or_panic(Over::new("any", self.shape(), dims));
        let (merged, axis) = over.merge(self);
        reduced(&merged, axis, reduce::any).reshape(over.result(keepdim))
    }

    /// Whether all elements along some axes are set; as [`Tensor::any`]. Of no elements it is true.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    #[track_caller]
    pub fn all(&self, dims: impl IntoDims, keepdim: bool) -> Tensor<bool> {
        let over = or_panic(Over::new("all", self.shape(), dims));
        let (merged, axis) = over.merge(self);
        reduced(&merged, axis, reduce::all).reshape(over.result(keepdim))
    }
}

impl<T: Element> Tensor<T> {
    /// How many elements along some axes are not 0; `keepdim` leaves those axes with length 1. No
    /// axes means all.
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place.
    ///
    /// # Gradient
    /// None: a count is an integer.
    ///
    /// # Numerics
    /// NaN is not 0.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1i64, 0], [2, 3]]);
    /// assert_eq!(x.count_nonzero(1, false).to_vec(), [1, 2]);
    /// assert_eq!(x.count_nonzero([], false).item(), 3);
    /// ```
    #[track_caller]
    pub fn count_nonzero(&self, dims: impl IntoDims, keepdim: bool) -> Tensor<i64> {
        let over = or_panic(Over::new("count_nonzero", self.shape(), dims));
        let (merged, axis) = over.merge(&self.to::<bool>());
        reduced(&merged, axis, reduce::count).reshape(over.result(keepdim))
    }
}

macro_rules! spec {
    ($name:literal, $formula:literal, $method:ident, $of:expr) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: &[
                &[&[1]],
                &[&[0, 3]],
                &[&[3, 0]],
                &[&[7]],
                &[&[3, 17]],
                &[&[5, 2, 33]],
                &[&[256, 1024]],
            ],
            domain: Domain::Range(-2.0, 2.0),
            // Rounded, so that zeros occur.
            build: build!(|x| x[0].round().to::<bool>().$method(0, false).to::<T>()),
            oracle: Oracle::Whole(|x| {
                let of: fn(&[bool]) -> f64 = $of;
                let set = |x: &f64| x.round_ties_even() != 0.0;
                first_axis(&x[0], |lane| of(&lane.iter().map(set).collect::<Vec<bool>>()))
            }),
            refused: &[&[&[]]],
            slope: Slope::None("a truth value or a count"),
            cost: |shapes| Cost::elementwise(shapes, 1.0),
            tolerance: Tolerance::Exact,
        }
    };
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!("any", "y[j] = whether any x[i, j] is not 0, over the first axis", any, |lane| {
        f64::from(lane.contains(&true))
    }),
    spec!("any all", "y[j] = whether no x[i, j] is 0, over the first axis", all, |lane| {
        f64::from(!lane.contains(&false))
    }),
    spec!(
        "any count_nonzero",
        "y[j] = how many x[i, j] are not 0, over the first axis",
        count_nonzero,
        |lane| lane.iter().filter(|&&set| set).count() as f64
    ),
];
