//! `permute`: reorders axes without copying; `transpose` swaps two.

use backstitch_kernels::Element;

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Axes, AxisSet, IntoDims, ShapeError, axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Reorders the axes: axis `i` of the result is axis `dims[i]` of the tensor. A view.
    ///
    /// # Gradient
    /// `dx` is `dy` with its axes back in order.
    ///
    /// # Panics
    /// When `dims` does not name every axis once.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([2, 3, 4]).permute([2, 0, 1]).shape(), [4, 2, 3]);
    /// ```
    #[track_caller]
    pub fn permute(&self, dims: impl IntoDims) -> Tensor<T> {
        let axes = or_panic(axes_rule(self.shape(), dims.into_dims()));
        apply(Permute { axes }, [self])
    }

    /// Swaps two axes. A view; negative numbers count from the last axis.
    ///
    /// # Gradient
    /// `dx` is `dy` with the axes swapped back.
    ///
    /// # Panics
    /// When an axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.transpose(0, 1).to_vec(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn transpose(&self, dim0: isize, dim1: isize) -> Tensor<T> {
        let axis0 = or_panic(axis_of("transpose", dim0, self.rank()));
        let axis1 = or_panic(axis_of("transpose", dim1, self.rank()));
        let mut axes: Axes<usize> = (0..self.rank()).collect();
        axes.swap(axis0, axis1);
        apply(Permute { axes }, [self])
    }
}

fn axes_rule(shape: &[usize], dims: Axes<isize>) -> Result<Axes<usize>, ShapeError> {
    let rank = shape.len();
    let rule =
        || ShapeError::new("permute", format!("each of {rank} dims once"), format!("{dims:?}"));
    if dims.len() != rank || (rank > 0 && AxisSet::new("permute", dims, rank).is_err()) {
        return Err(rule().hint(format!("the tensor has shape {shape:?}")));
    }
    dims.iter().map(|&dim| axis_of("permute", dim, rank)).collect()
}

struct Permute {
    axes: Axes<usize>,
}

impl Permute {
    fn inverse(&self) -> Permute {
        let mut axes = self.axes;
        for (to, &from) in self.axes.iter().enumerate() {
            axes[from] = to;
        }
        Permute { axes }
    }
}

impl<T: Element> Op<T, 1> for Permute {
    const NAME: &'static str = "permute";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let shape = self.axes.iter().map(|&axis| x.shape()[axis]).collect();
        let strides = self.axes.iter().map(|&axis| x.strides()[axis]).collect();
        x.relaid(shape, strides, x.offset())
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(apply(self.inverse(), [dy]))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        apply(Permute { axes: self.axes }, [dx.expect("the only input moves")])
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "permute",
        formula: "y[j, k, i] = x[i, j, k], first axis to the end",
        shapes: &[&[&[]], &[&[0, 3]], &[&[1]], &[&[3, 17]], &[&[2, 3, 33]], &[&[64, 32, 128]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].permute(rolled(x[0].rank()))),
        oracle: Oracle::Whole(|x| {
            let mut shape = x[0].shape().to_vec();
            let by = usize::from(!shape.is_empty());
            shape.rotate_left(by);
            Tensor::from_fn(shape, |idx| {
                let mut own = idx.to_vec();
                own.rotate_right(by);
                x[0].at(&own)
            })
        }),
        refused: &[],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "transpose",
        formula: "y[..., j, i] = x[..., i, j]",
        shapes: &[&[&[0, 3]], &[&[1, 1]], &[&[3, 17]], &[&[2, 3, 33]], &[&[512, 1024]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].transpose(-1, -2)),
        oracle: Oracle::Whole(|x| {
            let mut shape = x[0].shape().to_vec();
            let rank = shape.len();
            shape.swap(rank - 2, rank - 1);
            Tensor::from_fn(shape, |idx| {
                let mut own = idx.to_vec();
                own.swap(rank - 2, rank - 1);
                x[0].at(&own)
            })
        }),
        refused: &[&[&[3]], &[&[]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    },
];

/// The dims that move the first axis to the end.
fn rolled(rank: usize) -> Axes<isize> {
    (0..rank).map(|axis| ((axis + 1) % rank) as isize).collect()
}
