//! `resample`: a sparse linear map along one axis, which interpolation is made of.

use std::sync::Arc;

use backstitch_kernels::Float;
use backstitch_kernels::reduce::Split;
use backstitch_kernels::resample::{self as kernel, Rows};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// Replaces axis `dim` by weighted sums of its elements: `rows` lists for each new element the
    /// old ones with their weights.
    ///
    /// `y[.., r, ..] = Σ weight x[.., i, ..]` over the pairs `(i, weight)` of `rows[r]`
    ///
    /// # Shape
    /// `x (...)` to the same shape with `rows.len()` in place of axis `dim`.
    ///
    /// # Gradient
    /// The transposed map of `dy`.
    ///
    /// # Panics
    /// When the axis does not exist, or an index lies outside of it.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([1.0, 3.0]);
    /// let y = x.resample(0, &[vec![(0, 1.0)], vec![(0, 0.5), (1, 0.5)], vec![(1, 1.0)]]);
    /// assert_eq!(y.to_vec(), [1.0, 2.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn resample(&self, dim: isize, rows: &[Vec<(usize, f64)>]) -> Tensor<T> {
        let axis = or_panic(axis_of("resample", dim, self.rank()));
        let size = self.shape()[axis];
        if let Some(&(index, _)) = rows.iter().flatten().find(|term| term.0 >= size) {
            let rule = format!("indices below {size} along dim {dim}");
            or_panic(Err(ShapeError::new(
                "resample",
                rule,
                format!("{index} in {:?}", self.shape()),
            )))
        }
        apply(Resample { axis, rows: Arc::new(Rows::new(size, rows.iter().cloned())) }, [self])
    }
}

/// Linear, like its transpose.
#[derive(Clone)]
struct Resample {
    axis: usize,
    rows: Arc<Rows>,
}

impl<T: Float> Op<T, 1> for Resample {
    const NAME: &'static str = "resample";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let mut shape = Shape::new(x.shape());
        shape[self.axis] = self.rows.len();
        if !x.is_channels_last() {
            let x = x.contiguous();
            let split = Split::at(x.shape(), self.axis);
            return Tensor::build(&shape, |y| kernel::resample(data(&x), split, &self.rows, y));
        }
        let last = x.channels_last();
        let axis = match self.axis {
            0 => 0,
            1 => x.rank() - 1,
            axis => axis - 1,
        };
        let split = Split::at(last.shape(), axis);
        Tensor::build_channels_last(&shape, |y| kernel::resample(data(&last), split, &self.rows, y))
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(apply(Resample { axis: self.axis, rows: Arc::new(self.rows.transposed()) }, [dy]))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        apply(self.clone(), [dx.expect("the only input moves")])
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "resample",
    formula: "y[r, j] = x[r, j] / 2 - 2 x[r + 1, j], along the first axis",
    shapes: &[&[&[1]], &[&[3, 0]], &[&[7]], &[&[3, 17]], &[&[5, 2, 33]], &[&[256, 1024]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].resample(0, &example(x[0].shape()))),
    oracle: Oracle::Whole(|x| by_loops(&x[0], |term| term)),
    refused: &[&[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 4.0),
    tolerance: Tolerance::Terms(4.0, |x| by_loops(&x[0], f64::abs), "two products and a sum"),
}];

fn example(shape: &[usize]) -> Vec<Vec<(usize, f64)>> {
    let size = shape.first().copied().unwrap_or(0);
    let row = |r: usize| [(r, 0.5), (r + 1, -2.0)].into_iter().filter(|t| t.0 < size).collect();
    (0..size).map(row).collect()
}

fn by_loops(x: &Tensor<f64>, term: impl Fn(f64) -> f64) -> Tensor<f64> {
    let rows = example(x.shape());
    Tensor::from_fn(x.shape(), |idx| {
        let at = |i: usize| x.at(&[&[i], &idx[1..]].concat());
        rows[idx[0]].iter().map(|&(i, weight)| term(weight * at(i))).sum()
    })
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    #[should_panic(expected = "resample: needs indices below 2 along dim 0; got 2 in [2]")]
    fn an_index_behind_the_axis_is_refused() {
        Tensor::from([1.0f32, 2.0]).resample(0, &[vec![(2, 1.0)]]);
    }

    #[test]
    fn channels_that_lie_last_are_resampled_alike() {
        let x: Tensor<f64> = Tensor::randn([2, 3, 4], &mut crate::rng::Rng::seed(5));
        let last = x.movedim(1, -1).contiguous().movedim(-1, 1);
        for dim in 0..3 {
            let rows = [vec![(0, 2.0), (1, -1.0)], vec![(1, 3.0)]];
            assert_eq!(last.resample(dim, &rows).to_vec(), x.resample(dim, &rows).to_vec());
        }
    }
}
