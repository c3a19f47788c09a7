//! Places in a tensor, named by indices along an axis: what gathers, scatters, sorts and extremes
//! share.
//!
//! Picking elements and adding elements to where they were picked from are linear, and each is the
//! reverse of the other; so two small ops serve all of their derivatives, to any order.

use backstitch_kernels::index::{self, BadIndex};
use backstitch_kernels::reduce::Split;
use backstitch_kernels::scatter::{self, Combine, Start};
use backstitch_kernels::{Element, Float};

use crate::op::{AnyOp, Saves, Site, apply_to_any, apply_variadic};
use crate::shape::Shape;
use crate::tensor::{Tensor, data};

/// Places along an axis.
#[derive(Clone)]
pub(super) struct Places {
    pub(super) axis: usize,
    /// One index per element, of the shape that is picked; or one per row, a list.
    /// Contiguous, and inside the axis.
    pub(super) idx: Tensor<i64>,
    /// Whether each index names a whole row.
    pub(super) rows: bool,
}

impl Places {
    pub(super) fn elements(axis: usize, idx: &Tensor<i64>) -> Places {
        Places { axis, idx: idx.contiguous(), rows: false }
    }

    pub(super) fn rows(axis: usize, idx: &Tensor<i64>) -> Places {
        Places { axis, idx: idx.contiguous(), rows: true }
    }

    /// What stands at the places, outside the graph.
    ///
    /// # Errors
    /// When an index lies outside the axis.
    pub(super) fn of<T: Element>(&self, x: &Tensor<T>) -> Result<Tensor<T>, BadIndex> {
        let (x, idx, mut result) = (x.contiguous(), data(&self.idx), Ok(()));
        let split = Split::at(x.shape(), self.axis);
        let mut shape = Shape::new(x.shape());
        shape[self.axis] = if self.rows { idx.len() } else { self.idx.shape()[self.axis] };
        let y = Tensor::build(&shape, |y| {
            result = match self.rows {
                true => index::index_select(data(&x), split, idx, y),
                false => index::gather(data(&x), split, idx, y),
            };
        });
        result.map(|()| y)
    }

    /// A tensor, or zeros of its shape, with `x`, of the shape that is picked, added at the places;
    /// outside the graph.
    ///
    /// # Errors
    /// When an index lies outside the axis.
    fn added<T: Float>(
        &self,
        to: Option<&Tensor<T>>,
        shape: &[usize],
        x: &Tensor<T>,
    ) -> Result<Tensor<T>, BadIndex> {
        let (x, to, mut result) = (x.contiguous(), to.map(Tensor::contiguous), Ok(()));
        let (idx, split) = (data(&self.idx), Split::at(shape, self.axis));
        let start = to.as_ref().map_or(Start::Zeros, |to| Start::Copy(data(to)));
        let y = Tensor::build(shape, |y| {
            result = match self.rows {
                true => scatter::index_add(data(&x), idx, split, start, y),
                false => scatter::scatter_reduce(data(&x), idx, split, Combine::Sum, start, y),
            };
        });
        result.map(|()| y)
    }
}

/// Records that `y` is what stands at the places of `x`, for the op `name`.
#[track_caller]
pub(super) fn picked<T: Element>(
    name: &'static str,
    x: &Tensor<T>,
    y: Tensor<T>,
    places: Places,
) -> Tensor<T> {
    apply_to_any(name, y, &[x], || Picked { places, sparse: false })
}

/// [`picked`] of rows along the first axis, with a gradient that is [`Rows`](crate::Rows) where `x`
/// is a leaf.
#[track_caller]
pub(super) fn picked_sparse<T: Float>(
    name: &'static str,
    x: &Tensor<T>,
    y: Tensor<T>,
    places: Places,
) -> Tensor<T> {
    debug_assert!(places.rows && places.axis == 0);
    let pick = || Box::new(Picked { places, sparse: true }) as _;
    apply_variadic(name, y, &[x], Saves::NOTHING, pick)
}

/// Records that `y` is what `op`, whose public name is `name`, made of `x` by bringing `src` to places
/// of it; or passes on that an index lies outside the axis.
#[track_caller]
pub(super) fn brought<T: Float>(
    name: &'static str,
    [x, src]: [&Tensor<T>; 2],
    y: Result<Tensor<T>, BadIndex>,
    op: impl AnyOp<T> + 'static,
) -> Result<Tensor<T>, BadIndex> {
    Ok(apply_variadic(name, y?, &[x, src], Saves::NOTHING, || Box::new(op) as _))
}

impl<T: Element> Tensor<T> {
    /// What stands at places that are known to be inside.
    pub(super) fn pick(&self, places: &Places) -> Tensor<T> {
        let y = places.of(self).expect("the indices were checked");
        picked("pick", self, y, places.clone())
    }
}

impl<T: Float> Tensor<T> {
    /// Zeros of `shape` with the tensor's elements added at the places.
    pub(super) fn place(&self, places: &Places, shape: &[usize]) -> Tensor<T> {
        let y = places.added(None, shape, self).expect("the indices were checked");
        let place = || Box::new(Place { places: places.clone(), shape: Shape::new(shape) }) as _;
        apply_variadic("place", y, &[self], Saves::NOTHING, place)
    }

    /// The tensor with the elements of `src` added at the places, for the op `name`.
    ///
    /// # Errors
    /// When an index lies outside the axis.
    #[track_caller]
    pub(super) fn add_at(
        &self,
        name: &'static str,
        places: Places,
        src: &Tensor<T>,
    ) -> Result<Tensor<T>, BadIndex> {
        let y = places.added(Some(self), self.shape(), src);
        brought(name, [self, src], y, AddAt(places))
    }
}

struct Picked {
    places: Places,
    /// Whether the gradient of a leaf comes as rows.
    sparse: bool,
}

impl<T: Float> AnyOp<T> for Picked {
    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Vec<Option<Tensor<T>>> {
        vec![Some(dy.place(&self.places, at.shape(0)))]
    }

    fn jvp(&self, _: &Site<T>, tangents: &[Option<&Tensor<T>>]) -> Tensor<T> {
        tangents[0].expect("the only input moves").pick(&self.places)
    }

    fn rows(&self, dy: &Tensor<T>) -> Option<(Tensor<i64>, Tensor<T>)> {
        self.sparse.then(|| (self.places.idx.clone(), dy.clone()))
    }
}

struct Place {
    places: Places,
    shape: Shape,
}

impl<T: Float> AnyOp<T> for Place {
    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Vec<Option<Tensor<T>>> {
        vec![Some(dy.pick(&self.places))]
    }

    fn jvp(&self, _: &Site<T>, tangents: &[Option<&Tensor<T>>]) -> Tensor<T> {
        tangents[0].expect("the only input moves").place(&self.places, &self.shape)
    }
}

struct AddAt(Places);

impl<T: Float> AnyOp<T> for AddAt {
    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Vec<Option<Tensor<T>>> {
        vec![at.want(0, || dy.clone()), at.want(1, || dy.pick(&self.0))]
    }

    fn jvp(&self, at: &Site<T>, tangents: &[Option<&Tensor<T>>]) -> Tensor<T> {
        match (tangents[0], tangents[1]) {
            (Some(dx), Some(dsrc)) => {
                dx.add_at("add_at", self.0.clone(), dsrc).expect("the indices were checked")
            }
            (Some(dx), None) => dx.clone(),
            (None, Some(dsrc)) => dsrc.place(&self.0, at.shape(0)),
            (None, None) => unreachable!("an op's jvp is called when an input moves"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    fn labels_and_masks_are_picked_too() {
        let labels = Tensor::from([[3i64, 1], [4, 5]]);
        let idx = Tensor::from([[1i64], [0]]);
        assert_eq!(labels.index_select(0, &Tensor::from([1i64, 0])).to_vec(), [4, 5, 3, 1]);
        assert_eq!(labels.gather(1, &idx).to_vec(), [1, 4]);
        assert_eq!(labels.take_along_dim(&idx, 1).to_vec(), [1, 4]);
        assert_eq!(labels.masked_select(&labels.gt(3)).to_vec(), [4, 5]);
        assert_eq!(labels.unfold(1, 2, 1).shape(), [2, 1, 2]);
        assert_eq!(labels.gt(3).gather(1, &idx).to_vec(), [false, true]);
    }
}
