//! `scatter`: puts elements at places along an axis, by index.

use backstitch_kernels::index::BadIndex;
use backstitch_kernels::reduce::Split;
use backstitch_kernels::scatter::{self, Start};
use backstitch_kernels::{Element, Float};

use super::gather::{example, outside};
use super::operand::Operand;
use super::places::{Places, brought};
use crate::op::{AnyOp, Site};
use crate::shape::{ShapeError, contiguous_strides, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// The tensor with elements of `src`, or a number, put at places along axis `dim`.
    ///
    /// `y[.., idx[.., i, ..], ..] = src[.., i, ..]`; of several, the last one stays.
    ///
    /// # Shape
    /// `idx` has as many axes as `x` and `src`, none longer than in `src`, and none but `dim`
    /// longer than in `x`; `y` has the shape of `x`.
    ///
    /// # Gradient
    /// `dx = dy` where nothing was put, else 0; `dsrc` is `dy` at the places, and 0 for elements
    /// that did not stay. (PyTorch's `dsrc` is `dy` for those as well.)
    ///
    /// # Panics
    /// When the shapes do not fit, or an index is negative or outside the axis.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::zeros([2, 2]).scatter(1, &Tensor::from([[1i64], [0]]), 5.0);
    /// assert_eq!(y.to_vec(), [0.0, 5.0, 5.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn scatter(&self, dim: isize, idx: &Tensor<i64>, src: impl Operand<T>) -> Tensor<T> {
        let put = or_panic(Put::new("scatter", self, dim, idx, src));
        let y = put.x.put_at("scatter", put.places, &put.src);
        let y = or_panic(y.map_err(|bad| outside("scatter", bad, self.shape())));
        if y.shape() == self.shape() { y } else { y.reshape(self.shape()) }
    }
}

/// A tensor, what is to be put there, and where: of shapes that fit.
pub(super) struct Put<T: Element> {
    pub(super) x: Tensor<T>,
    pub(super) src: Tensor<T>,
    pub(super) places: Places,
}

impl<T: Float> Put<T> {
    /// Cuts `src` to the shape of `idx`. Where the indices leave parts of the other axes out, all
    /// becomes flat, and the indices are checked here, since a flat place beyond one axis may lie
    /// inside of another; else the kernel that puts elements there checks them.
    ///
    /// # Errors
    /// When the shapes do not fit, or an index that becomes flat lies outside the axis.
    #[track_caller]
    pub(super) fn new(
        op: &str,
        x: &Tensor<T>,
        dim: isize,
        idx: &Tensor<i64>,
        src: impl Operand<T>,
    ) -> Result<Put<T>, String> {
        let src = match src.number() {
            Some(number) => Tensor::scalar(number).broadcast_view(idx.shape()),
            None => src.into_tensor(),
        };
        let axis = shape_rule(op, x.shape(), dim, idx.shape(), src.shape())
            .map_err(|error| error.to_string())?;
        let idx = idx.contiguous();
        let cut = |src: Tensor<T>, axis: usize| match idx.shape()[axis] {
            n if n < src.shape()[axis] => src.narrow(axis as isize, 0, n),
            _ => src,
        };
        let src = (0..x.rank()).fold(src, cut);
        if (0..x.rank()).all(|a| a == axis || idx.shape()[a] == x.shape()[a]) {
            return Ok(Put { x: x.clone(), src, places: Places::elements(axis, &idx) });
        }
        backstitch_kernels::index::check(data(&idx), x.shape()[axis])
            .map_err(|bad| outside(op, bad, x.shape()))?;
        Ok(Put::flat(x, &idx, axis, &src))
    }

    /// The same, with one axis.
    #[track_caller]
    pub(super) fn flat(x: &Tensor<T>, idx: &Tensor<i64>, axis: usize, src: &Tensor<T>) -> Put<T> {
        let strides = contiguous_strides(x.shape());
        let flat = Tensor::from_fn(idx.shape(), |at| {
            let place = |a: usize| if a == axis { idx.at(at) } else { at[a] as i64 };
            (0..at.len()).map(|a| place(a) * strides[a] as i64).sum()
        });
        Put {
            x: x.reshape([x.numel()]),
            src: src.reshape([src.numel()]),
            places: Places::elements(0, &flat.reshape([idx.numel()])),
        }
    }
}

fn shape_rule(
    op: &str,
    x: &[usize],
    dim: isize,
    idx: &[usize],
    src: &[usize],
) -> Result<usize, ShapeError> {
    let refuse = || {
        let rule = format!("indices with as many axes, none longer but dim {dim} of the tensor");
        ShapeError::new(op, rule, format!("{x:?}, indices {idx:?} and elements {src:?}"))
    };
    let axis = super::gather::shape_rule(op, x, dim, idx)
        .map_err(|error| if x.is_empty() { error } else { refuse() })?;
    let fits = src.len() == idx.len() && (0..idx.len()).all(|a| idx[a] <= src[a]);
    if fits { Ok(axis) } else { Err(refuse()) }
}

impl<T: Float> Tensor<T> {
    /// The tensor with the elements of `src` put at the places, for the op `name`.
    ///
    /// # Errors
    /// When an index lies outside the axis.
    #[track_caller]
    pub(super) fn put_at(
        &self,
        name: &'static str,
        places: Places,
        src: &Tensor<T>,
    ) -> Result<Tensor<T>, BadIndex> {
        let y = replaced(self, &places, src);
        brought(name, [self, src], y, PutAt(places))
    }
}

/// `x` with the elements of `src` at the places, outside the graph.
fn replaced<T: Element>(
    x: &Tensor<T>,
    places: &Places,
    src: &Tensor<T>,
) -> Result<Tensor<T>, BadIndex> {
    let (x, src, mut result) = (x.contiguous(), src.contiguous(), Ok(()));
    let (start, split) = (Start::Copy(data(&x)), Split::at(x.shape(), places.axis));
    let y = Tensor::build(x.shape(), |y| {
        result = scatter::scatter(data(&src), data(&places.idx), split, start, y);
    });
    result.map(|()| y)
}

struct PutAt(Places);

impl PutAt {
    /// 1 for elements that stay, 0 for those that later ones replace.
    fn stays<T: Float>(&self, shape: &[usize]) -> Tensor<T> {
        let idx = &self.0.idx;
        let order = Tensor::from_vec((0..idx.numel() as i64).collect(), idx.shape());
        let last = replaced(&Tensor::full(shape, -1), &self.0, &order);
        let last = last.and_then(|last| self.0.of(&last)).expect("the indices were checked");
        last.eq(order).to()
    }

    fn again<T: Float>(&self, x: &Tensor<T>, src: &Tensor<T>) -> Tensor<T> {
        x.put_at("put_at", self.0.clone(), src).expect("the indices were checked")
    }
}

impl<T: Float> AnyOp<T> for PutAt {
    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Vec<Option<Tensor<T>>> {
        let nothing = || Tensor::zeros(at.shape(1));
        vec![
            at.want(0, || self.again(dy, &nothing())),
            at.want(1, || dy.pick(&self.0) * self.stays(at.shape(0))),
        ]
    }

    fn jvp(&self, at: &Site<T>, tangents: &[Option<&Tensor<T>>]) -> Tensor<T> {
        let or_zeros =
            |i: usize| tangents[i].cloned().unwrap_or_else(|| Tensor::zeros(at.shape(i)));
        self.again(&or_zeros(0), &or_zeros(1))
    }
}

/// Example shapes of scatters: a tensor, and elements of which [`example`] places some.
pub(super) const SHAPES: &[&[&[usize]]] = &[
    &[&[1], &[2]],
    &[&[7], &[9]],
    &[&[3, 0], &[4, 0]],
    &[&[4, 17], &[5, 17]],
    &[&[5, 2, 33], &[6, 3, 32]],
    &[&[256, 1024], &[257, 1024]],
];

pub(super) const REFUSED: &[&[&[usize]]] = &[&[&[3], &[3]], &[&[4, 3], &[5, 1]], &[&[4], &[5, 1]]];

/// The terms of each element of a scatter along the first axis: its own, then those placed there.
pub(super) fn terms(x: &[Tensor<f64>], f: impl Fn(f64, &[f64]) -> f64) -> Tensor<f64> {
    let idx = example(x[0].shape(), x[0].rank() > 1);
    Tensor::from_fn(x[0].shape(), |at| {
        let inside = at[1..].iter().zip(&idx.shape()[1..]).all(|(i, n)| i < n);
        let count = if inside { idx.shape()[0] } else { 0 };
        let place = |i: usize| [&[i], &at[1..]].concat();
        let hits = (0..count).filter(|&i| idx.at(&place(i)) as usize == at[0]);
        f(x[0].at(at), &hits.map(|i| x[1].at(&place(i))).collect::<Vec<f64>>())
    })
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "scatter",
    formula: "y[idx[i, j], j] = src[i, j], along the first axis, else x",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].scatter(0, &example(x[0].shape(), x[0].rank() > 1), &x[1])),
    oracle: Oracle::Whole(|x| terms(x, |own, put| *put.last().unwrap_or(&own))),
    refused: REFUSED,
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 0.0),
    tolerance: Tolerance::Exact,
}];
