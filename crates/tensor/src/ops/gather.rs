//! `gather`: picks elements along an axis by index; `take_along_dim`: the same with broadcasting.

use backstitch_kernels::{Element, index::BadIndex};

use super::places::{Places, picked};
use crate::shape::{Shape, ShapeError, axis_of, broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
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
        let axis = or_panic(shape_rule("gather", self.shape(), dim, idx.shape()));
        let mut x = self.clone();
        for other in (0..self.rank()).filter(|&other| other != axis) {
            if idx.shape()[other] < x.shape()[other] {
                x = x.narrow(other as isize, 0, idx.shape()[other]);
            }
        }
        let places = Places::elements(axis, idx);
        let y = or_panic(places.of(&x).map_err(|bad| outside("gather", bad, self.shape())));
        picked("gather", &x, y, places)
    }

    /// Picks elements along axis `dim`, as [`Tensor::gather`], where the other axes broadcast.
    ///
    /// # Shape
    /// `idx` has as many axes as `x`, and all but `dim` broadcast.
    ///
    /// # Panics
    /// When the shapes do not fit, or an index is negative or outside the axis.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [4.0, 3.0]]);
    /// let last = Tensor::from([[1i64]]);
    /// assert_eq!(x.take_along_dim(&last, 1).to_vec(), [2.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn take_along_dim(&self, idx: &Tensor<i64>, dim: isize) -> Tensor<T> {
        let (x, idx) = or_panic(along_rule(self.shape(), dim, idx.shape()))
            .map_or((self.clone(), idx.clone()), |(x, i)| (self.expand(x), idx.expand(i)));
        x.gather(dim, &idx)
    }
}

pub(super) fn shape_rule(
    op: &str,
    x: &[usize],
    dim: isize,
    idx: &[usize],
) -> Result<usize, ShapeError> {
    let axis = axis_of(op, dim, x.len())?;
    let fits = x.len() == idx.len() && (0..x.len()).all(|a| a == axis || idx[a] <= x[a]);
    if !fits {
        let rule = format!("indices with as many axes, none but dim {dim} longer");
        return Err(ShapeError::new(op, rule, format!("{x:?} and indices {idx:?}")));
    }
    Ok(axis)
}

/// The shapes to which tensor and indices broadcast; `None` where they have them already.
fn along_rule(
    x: &[usize],
    dim: isize,
    idx: &[usize],
) -> Result<Option<(Shape, Shape)>, ShapeError> {
    let op = "take_along_dim";
    let axis = axis_of(op, dim, x.len())?;
    let refuse = || {
        let rule = format!("indices with as many axes that broadcast, but for dim {dim}");
        ShapeError::new(op, rule, format!("{x:?} and indices {idx:?}"))
    };
    if x.len() != idx.len() {
        return Err(refuse());
    }
    let with = |shape: &[usize], length: usize| {
        let mut shape = Shape::new(shape);
        shape[axis] = length;
        shape
    };
    let both = broadcast(op, &with(x, 1), &with(idx, 1)).map_err(|_| refuse())?;
    let (wide_x, wide_idx) = (with(&both, x[axis]), with(&both, idx[axis]));
    Ok((wide_x[..] != *x || wide_idx[..] != *idx).then_some((wide_x, wide_idx)))
}

/// What to say about an index outside its axis.
pub(super) fn outside(op: &str, bad: BadIndex, x: &[usize]) -> String {
    format!("{op}: {bad}, for a tensor of shape {x:?}")
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "gather",
        formula: "y[i, j] = x[idx[i, j], j], along the first axis",
        shapes: &[&[&[1]], &[&[7]], &[&[3, 0]], &[&[4, 17]], &[&[5, 2, 33]], &[&[256, 1024]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].gather(0, &example(x[0].shape(), x[0].rank() > 1))),
        oracle: Oracle::Whole(|x| {
            let idx = example(x[0].shape(), x[0].rank() > 1);
            Tensor::from_fn(idx.shape(), |at| x[0].at(&[&[idx.at(at) as usize], &at[1..]].concat()))
        }),
        refused: &[&[&[]], &[&[0]], &[&[0, 3]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "gather take_along_dim",
        formula: "y[i, j] = x[idx[i, 0], j], along the first axis",
        shapes: &[&[&[1]], &[&[7]], &[&[3, 0]], &[&[4, 17]], &[&[5, 2, 33]], &[&[256, 1024]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].take_along_dim(&first_column(x[0].shape()), 0)),
        oracle: Oracle::Whole(|x| {
            let mut shape = x[0].shape().to_vec();
            shape[0] += 1;
            let idx = first_column(x[0].shape()).broadcast_view(&shape);
            Tensor::from_fn(shape, |at| x[0].at(&[&[idx.at(at) as usize], &at[1..]].concat()))
        }),
        refused: &[&[&[]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    },
];

/// One index more than the first axis is long, some of them equal; `cuts` shortens the last
/// axis where it is no large one.
pub(super) fn example(shape: &[usize], cuts: bool) -> Tensor<i64> {
    let mut idx = shape.to_vec();
    if let Some(n) = idx.first_mut() {
        *n += 1;
    }
    if let (true, Some(n @ 1..100)) = (cuts, idx.last_mut()) {
        *n -= 1;
    }
    let size = shape.first().map_or(1, |&n| n.max(1));
    Tensor::from_fn(idx, |at| (at.iter().sum::<usize>() * 2 % size) as i64)
}

/// The first part of [`example`] along all axes but the first.
fn first_column(shape: &[usize]) -> Tensor<i64> {
    let ones: Vec<usize> =
        shape.iter().enumerate().map(|(i, &n)| if i == 0 { n } else { 1 }).collect();
    example(&ones, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_outside_are_refused_with_their_place() {
        let x = Tensor::from([1.0, 2.0, 3.0]);
        let refused = std::panic::catch_unwind(|| x.gather(0, &Tensor::from([0i64, 5])));
        let message = *refused.err().unwrap().downcast::<String>().unwrap();
        let want =
            "gather: needs indices from 0 to 2; got 5 at position 1, for a tensor of shape [3]";
        assert_eq!(message, want);
    }

    #[test]
    fn misfits_show_both_shapes() {
        let refusal = |x: &[usize], idx: &[usize]| {
            let gather = shape_rule("gather", x, 0, idx).unwrap_err().to_string();
            let along = along_rule(x, 0, idx).unwrap_err().to_string();
            (gather, along)
        };
        let shapes = "got [2, 3] and indices [5, 4]";
        let (gather, along) = refusal(&[2, 3], &[5, 4]);
        assert!(gather.ends_with(shapes) && along.ends_with(shapes), "{gather} {along}");
        let (gather, along) = refusal(&[2, 3], &[5]);
        assert!(gather.ends_with("indices [5]") && along.ends_with("indices [5]"));
    }

    #[test]
    fn indices_may_be_fewer_along_the_other_axes() {
        let x = Tensor::from([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]).leaf();
        let y = x.gather(1, &Tensor::from([[[1i64], [0], [1]]]));
        assert_eq!((y.shape(), y.to_vec()), (&[1, 3, 1][..], vec![3.0, 1.0, 3.0]));
        let dx = y.sum().backward().get(&x).unwrap().to_vec();
        assert_eq!(dx, [1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
