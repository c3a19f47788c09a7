//! What reductions over a set of axes share: the axes become one.

use backstitch_kernels::{Element, Float, reduce::Split};

use crate::shape::{AxisSet, IntoDims, Shape, ShapeError};
use crate::tensor::Tensor;

/// The axes that a reduction of a tensor of some shape goes over.
pub(super) struct Over {
    axes: AxisSet,
    shape: Shape,
}

impl Over {
    /// The axes `dims`, or all where there are none.
    pub(super) fn new(op: &str, shape: &[usize], dims: impl IntoDims) -> Result<Over, ShapeError> {
        Ok(Over { axes: AxisSet::new(op, dims, shape.len())?, shape: Shape::new(shape) })
    }

    /// The same for a reduction that has no result without elements. An empty result needs none.
    pub(super) fn some(op: &str, shape: &[usize], dims: impl IntoDims) -> Result<Over, ShapeError> {
        let dims = dims.into_dims();
        let over = Over::new(op, shape, dims)?;
        if over.count() == 0 && over.result(false).iter().product::<usize>() > 0 {
            let rule = match *dims {
                [] => "an element".to_string(),
                [dim] => format!("an element along dim {dim}"),
                _ => format!("an element along dims {dims:?}"),
            };
            return Err(ShapeError::new(op, rule, format!("{shape:?}")));
        }
        Ok(over)
    }

    /// How many elements are reduced to one.
    pub(super) fn count(&self) -> usize {
        self.axes.iter().map(|axis| self.shape[axis]).product()
    }

    /// The result's shape; `keepdim` keeps the axes with length 1.
    pub(super) fn result(&self, keepdim: bool) -> Shape {
        match keepdim {
            true => self.axes.kept(&self.shape),
            false => self.axes.dropped(&self.shape),
        }
    }

    /// The tensor with its axes in one, and where that is. The others keep their order, so what is
    /// left after a reduction can be reshaped to the result.
    #[track_caller]
    pub(super) fn merge<T: Element>(&self, x: &Tensor<T>) -> (Tensor<T>, usize) {
        let inside: Vec<usize> = self.axes.iter().collect();
        let (Some(&first), Some(&last)) = (inside.first(), inside.last()) else {
            // No axes, one element.
            return (x.reshape([1]), 0);
        };
        if inside.len() == 1 {
            return (x.clone(), first);
        }
        if last - first + 1 == inside.len() {
            let mut shape = Shape::new(&self.shape[..first]);
            shape.push(self.count());
            shape.extend(self.shape[last + 1..].iter().copied());
            return (x.reshape(shape), first);
        }
        let mut shape = self.result(false);
        let outside = (0..self.shape.len()).filter(|axis| !inside.contains(axis));
        let order: Vec<isize> = outside.chain(inside.clone()).map(|axis| axis as isize).collect();
        let at = shape.len();
        shape.push(self.count());
        (x.permute(&order).reshape(shape), at)
    }
}

/// The shape with length 1 for `axis`.
pub(super) fn kept(shape: &[usize], axis: usize) -> Shape {
    let mut shape = Shape::new(shape);
    shape[axis] = 1;
    shape
}

/// The results, of shape `kept`, of a kernel that reduces along one axis.
pub(super) fn reduced<T: Element, R: Element>(
    x: &Tensor<T>,
    axis: usize,
    kernel: impl FnOnce(&[T], Split, &mut [R]),
) -> Tensor<R> {
    let x = x.contiguous();
    let split = Split::at(x.shape(), axis);
    Tensor::build(&kept(x.shape(), axis), |y| kernel(crate::tensor::data(&x), split, y))
}

/// Example shapes of reductions over the first axis.
pub(super) const SHAPES: &[&[&[usize]]] =
    &[&[&[1]], &[&[3, 0]], &[&[7]], &[&[3, 17]], &[&[5, 2, 33]], &[&[256, 1024]]];

/// Example shapes that reductions over the first axis refuse when they need elements.
pub(super) const REFUSED: &[&[&[usize]]] = &[&[&[]], &[&[0]], &[&[0, 3]]];

/// `f` of the elements along the first axis, for each place of the others.
pub(super) fn first_axis(x: &Tensor<f64>, f: impl Fn(&[f64]) -> f64) -> Tensor<f64> {
    Tensor::from_fn(&x.shape()[1..], |idx| {
        f(&(0..x.shape()[0]).map(|i| x.at(&[&[i], idx].concat())).collect::<Vec<f64>>())
    })
}

/// `f` of the elements along the first axis, as many as it gives, in their place.
pub(super) fn along_first(x: &Tensor<f64>, f: impl Fn(&[f64]) -> Vec<f64>) -> Tensor<f64> {
    let n = x.shape()[0];
    let lane = |idx: &[usize]| (0..n).map(|i| x.at(&[&[i], idx].concat())).collect::<Vec<f64>>();
    let mut shape = x.shape().to_vec();
    shape[0] = f(&vec![0.0; n]).len();
    Tensor::from_fn(shape, |idx| f(&lane(&idx[1..]))[idx[0]])
}

/// Positions as numbers, for a registry that compares numbers.
pub(super) fn as_numbers<T: Float>(idx: &Tensor<i64>) -> Tensor<T> {
    idx.to()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_set_of_axes_becomes_one() {
        let x = Tensor::<f64>::arange(0.0, 24.0, 1.0).reshape([2, 3, 4]);
        let check = |dims: &[isize], want: &[f64], shape: &[usize]| {
            let over = Over::new("sum", x.shape(), dims).unwrap();
            let (merged, axis) = over.merge(&x);
            assert_eq!(merged.shape()[axis], over.count());
            let sums = merged.sum_dim(axis as isize, false).reshape(over.result(false));
            assert_eq!((sums.to_vec(), sums.shape()), (want.to_vec(), shape), "{dims:?}");
            assert_eq!(over.result(true).len(), 3);
        };
        check(&[0, 2], &[60.0, 92.0, 124.0], &[3]);
        check(&[-2, -1], &[66.0, 210.0], &[2]);
        check(&[], &[276.0], &[]);
        check(&[0, 1], &[60.0, 66.0, 72.0, 78.0], &[4]);
        check(&[1], &[12.0, 15.0, 18.0, 21.0, 48.0, 51.0, 54.0, 57.0], &[2, 4]);
    }

    #[test]
    fn what_needs_an_element_says_so() {
        let refusal = |dims: &[isize]| Over::some("max", &[0, 3], dims).err().unwrap().to_string();
        assert_eq!(refusal(&[0]), "max: needs an element along dim 0; got [0, 3]");
        assert_eq!(refusal(&[0, 1]), "max: needs an element along dims [0, 1]; got [0, 3]");
        assert_eq!(refusal(&[]), "max: needs an element; got [0, 3]");
        assert!(Over::some("max", &[0, 3], 1).is_ok());
    }

    #[test]
    fn axes_that_are_apart_become_one() {
        let x = Tensor::<f64>::arange(0.0, 24.0, 1.0).reshape([2, 3, 2, 2]);
        let (merged, axis) = Over::new("sum", x.shape(), [1, 3]).unwrap().merge(&x);
        assert_eq!(merged.sum_dim(axis as isize, false).to_vec(), [27.0, 39.0, 99.0, 111.0]);
        let (merged, axis) = Over::new("sum", x.shape(), [0, 3]).unwrap().merge(&x);
        let sums = merged.sum_dim(axis as isize, false).to_vec();
        assert_eq!(sums, [26.0, 34.0, 42.0, 50.0, 58.0, 66.0]);
    }
}
