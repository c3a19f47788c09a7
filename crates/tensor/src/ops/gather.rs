//! `gather`: picks elements along an axis by index, and its reverse.

use backstitch_kernels::{Float, index, reduce::Split};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// Picks elements along axis `dim`.
    ///
    /// `y[.., i, ..] = x[.., idx[.., i, ..], ..]`
    ///
    /// # Shape
    /// `idx` has as many axes as `x`, none but `dim` longer than in `x`; `y` has its shape.
    ///
    /// # Gradient
    /// `dx` gets each element of `dy` added at the place it was picked from.
    ///
    /// # Panics
    /// When the shapes do not fit, or an index is negative or outside the axis.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// let labels = Tensor::from([[1i64], [0]]);
    /// assert_eq!(x.gather(1, &labels).to_vec(), [2.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn gather(&self, dim: isize, idx: &Tensor<i64>) -> Tensor<T> {
        let axis = or_panic(shape_rule(self.shape(), dim, idx.shape()));
        let mut x = self.clone();
        for other in (0..self.rank()).filter(|&other| other != axis) {
            if idx.shape()[other] < x.shape()[other] {
                x = x.narrow(other as isize, 0, idx.shape()[other]);
            }
        }
        or_panic(check(idx, x.shape()[axis]));
        apply(Gather { axis, idx: idx.contiguous() }, [&x])
    }

    /// Zeros of `shape` with the tensor's elements added at `idx` along `axis`.
    #[track_caller]
    pub(super) fn scatter_zeros(&self, axis: usize, idx: &Tensor<i64>, shape: &[usize]) -> Self {
        apply(ScatterZeros { axis, idx: idx.clone(), shape: Shape::new(shape) }, [self])
    }
}

fn shape_rule(x: &[usize], dim: isize, idx: &[usize]) -> Result<usize, ShapeError> {
    let axis = axis_of("gather", dim, x.len())?;
    let fits = x.len() == idx.len() && (0..x.len()).all(|a| a == axis || idx[a] <= x[a]);
    if !fits {
        let rule = format!("indices with as many axes, none but dim {dim} longer");
        return Err(ShapeError::new("gather", rule, format!("{x:?} and indices {idx:?}")));
    }
    Ok(axis)
}

fn check(idx: &Tensor<i64>, size: usize) -> Result<(), String> {
    index::check(&idx.to_vec(), size).map_err(|bad| format!("gather: {bad}"))
}

struct Gather {
    axis: usize,
    idx: Tensor<i64>,
}

impl<T: Float> Op<T, 1> for Gather {
    const NAME: &'static str = "gather";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let x = x.contiguous();
        let split = Split::at(x.shape(), self.axis);
        Tensor::build(self.idx.shape(), |y| {
            let picked = index::gather(data(&x), split, data(&self.idx), y);
            picked.expect("the indices were checked");
        })
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(dy.scatter_zeros(self.axis, &self.idx, at.shape(0)))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        let gather = Gather { axis: self.axis, idx: self.idx.clone() };
        apply(gather, [dx.expect("the only input moves")])
    }
}

/// The reverse of a gather; linear like it.
struct ScatterZeros {
    axis: usize,
    idx: Tensor<i64>,
    shape: Shape,
}

impl<T: Float> Op<T, 1> for ScatterZeros {
    const NAME: &'static str = "scatter_zeros";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let x = x.contiguous();
        let split = Split::at(&self.shape, self.axis);
        Tensor::build(&self.shape, |y| {
            y.fill(T::ZERO);
            let added = index::scatter_add(data(&x), data(&self.idx), split, y);
            added.expect("the indices were checked");
        })
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(apply(Gather { axis: self.axis, idx: self.idx.clone() }, [dy]))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        let dx = dx.expect("the only input moves");
        dx.scatter_zeros(self.axis, &self.idx, &self.shape)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "gather",
    formula: "y[i, j] = x[idx[i, j], j], along the first axis",
    shapes: &[&[&[1]], &[&[7]], &[&[3, 0]], &[&[4, 17]], &[&[5, 2, 33]], &[&[256, 1024]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].gather(0, &example(x[0].shape()))),
    oracle: Oracle::Whole(|x| {
        let idx = example(x[0].shape());
        Tensor::from_fn(idx.shape(), |at| x[0].at(&[&[idx.at(at) as usize], &at[1..]].concat()))
    }),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 0.0),
    tolerance: Tolerance::Exact,
}];

/// One index more than the first axis is long, some of them equal.
fn example(shape: &[usize]) -> Tensor<i64> {
    let mut longer = shape.to_vec();
    longer[0] += 1;
    Tensor::from_fn(longer, |at| (at.iter().sum::<usize>() * 2 % shape[0].max(1)) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_outside_are_refused_with_their_place() {
        let error = check(&Tensor::from([0i64, 5]), 3).unwrap_err();
        assert_eq!(error, "gather: needs indices from 0 to 2; got 5 at position 1");
    }
}
