//! `scatter_reduce`: combines elements with those at places along an axis, by index.

use backstitch_kernels::Float;
use backstitch_kernels::index;
use backstitch_kernels::reduce::Split;
use backstitch_kernels::scatter::{self, Combine, Start};

use super::gather::{example, outside};
use super::operand::Operand;
use super::places::Places;
use super::recurrence::recurrence;
use super::scatter::{Put, REFUSED, SHAPES, terms};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::or_panic;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

/// How [`Tensor::scatter_reduce`] combines the elements that meet at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScatterReduce {
    /// Their sum.
    Sum,
    /// Their product.
    Prod,
    /// Their mean.
    Mean,
    /// The largest of them.
    Amax,
    /// The smallest of them.
    Amin,
}

impl<T: Float> Tensor<T> {
    /// The tensor with elements of `src`, or a number, combined with what stands at places along
    /// axis `dim`; or put in its stead, unless `include_self`.
    ///
    /// `y[.., idx[.., i, ..], ..]` is the sum, product, mean, largest or smallest of
    /// `src[.., i, ..]` and, with `include_self`, of `x` there. Other places keep `x`.
    ///
    /// # Shape
    /// `idx` has as many axes as `x` and `src`, none longer than in `src`, and none but `dim`
    /// longer than in `x`; `y` has the shape of `x`.
    ///
    /// # Gradient
    /// That of the sum, product (right where elements are zero, to any order) or mean; of the
    /// largest or smallest, equal parts to all that are equal, as in PyTorch.
    ///
    /// # Numerics
    /// Terms are combined in rising order of `i`: the same bits on any number of threads. NaN is
    /// both largest and smallest.
    ///
    /// # Panics
    /// When the shapes do not fit, or an index is negative or outside the axis.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{ScatterReduce, Tensor};
    ///
    /// let (x, src) = (Tensor::from([9.0, 9.0]), Tensor::from([1.0, 2.0, 4.0]));
    /// let y = x.scatter_reduce(0, &Tensor::from([1i64, 0, 1]), &src, ScatterReduce::Prod, false);
    /// assert_eq!(y.to_vec(), [2.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn scatter_reduce(
        &self,
        dim: isize,
        idx: &Tensor<i64>,
        src: impl Operand<T>,
        how: ScatterReduce,
        include_self: bool,
    ) -> Tensor<T> {
        let put = or_panic(Put::new("scatter_reduce", self, dim, idx, src));
        // Several kernels read the indices, so they are checked once before all of them; those that
        // became flat were checked when they did.
        if put.x.rank() == self.rank() {
            let checked = index::check(data(&put.places.idx), self.shape()[put.places.axis]);
            or_panic(checked.map_err(|bad| outside("scatter_reduce", bad, self.shape())));
        }
        let start = match include_self {
            true => put.x.clone(),
            false => put.x.masked_fill(&touched(&put), neutral::<T>(how)),
        };
        let (src, places) = (&put.src, put.places.clone());
        let add = |x: &Tensor<T>| x.add_at("scatter_reduce", places.clone(), src);
        let y = match how {
            ScatterReduce::Sum => add(&start).expect("the indices were checked"),
            ScatterReduce::Mean => {
                let counts = counts(&put, include_self);
                add(&start).expect("the indices were checked") / counts
            }
            ScatterReduce::Prod => product(&Put { x: start, ..put }),
            ScatterReduce::Amax => apply(Extreme { places, how: Combine::Max }, [&start, src]),
            ScatterReduce::Amin => apply(Extreme { places, how: Combine::Min }, [&start, src]),
        };
        if y.shape() == self.shape() { y } else { y.reshape(self.shape()) }
    }
}

fn neutral<T: Float>(how: ScatterReduce) -> T {
    match how {
        ScatterReduce::Sum | ScatterReduce::Mean => T::ZERO,
        ScatterReduce::Prod => T::ONE,
        ScatterReduce::Amax => T::NEG_INFINITY,
        ScatterReduce::Amin => T::INFINITY,
    }
}

/// Which places get an element.
fn touched<T: Float>(put: &Put<T>) -> Tensor<bool> {
    let ones = Tensor::<T>::ones(put.src.shape());
    ones.place(&put.places, put.x.shape()).gt(T::ZERO)
}

/// How many elements each mean is of; 1 where none was put.
fn counts<T: Float>(put: &Put<T>, include_self: bool) -> Tensor<T> {
    let ones = Tensor::<T>::ones(put.src.shape());
    let counts = ones.place(&put.places, put.x.shape());
    if include_self { counts + T::ONE } else { counts.maximum(T::ONE) }
}

/// The product of what meets at each place: elements are brought in order of their places, and
/// one recurrence multiplies them up, starting anew with `x` at each new place.
#[track_caller]
fn product<T: Float>(put: &Put<T>) -> Tensor<T> {
    let shape = put.x.shape();
    let put = match shape.len() {
        1 => Put { x: put.x.clone(), src: put.src.clone(), places: put.places.clone() },
        _ => Put::flat(&put.x, &put.places.idx, put.places.axis, &put.src),
    };
    let n = put.src.numel();
    let targets = data(&put.places.idx);
    let mut order: Vec<i64> = (0..n as i64).collect();
    order.sort_by_key(|&i| targets[i as usize]);
    let target = |i: usize| targets[order[i] as usize];
    let starts = Tensor::from_fn([n], |i| i[0] == 0 || target(i[0]) != target(i[0] - 1));
    let last = |&i: &usize| i + 1 == n || target(i) != target(i + 1);
    let ends: Vec<i64> = (0..n).filter(last).map(|i| i as i64).collect();
    let homes: Tensor<i64> = ends.iter().map(|&i| target(i as usize)).collect();
    let sorted = |at: Vec<i64>| Places::elements(0, &Tensor::from(at));

    // h_i = s_(i-1) h_(i-1), but x where a place starts; the product is s h at its end.
    let src = put.src.pick(&sorted(order.clone()));
    let own = put.x.pick(&sorted((0..n).map(target).collect()));
    let factors = super::recurrence::before(&src, 0, T::ZERO, false);
    let so_far =
        recurrence(&factors.masked_fill(&starts, T::ZERO), &start_only(&own, &starts), 0, false);
    let products = (so_far * src).pick(&sorted(ends));
    put.x.scatter(0, &homes, products).reshape(shape)
}

fn start_only<T: Float>(x: &Tensor<T>, starts: &Tensor<bool>) -> Tensor<T> {
    Tensor::where_(starts, x, T::ZERO)
}

/// The largest or smallest of what meets at each place.
struct Extreme {
    places: Places,
    how: Combine,
}

impl Extreme {
    /// The parts of each gradient that go to `x` and to `src`: constant wherever there is a slope.
    fn shares<T: Float>(&self, at: &Site<T>) -> [Tensor<T>; 2] {
        let (x, src, y) = (at.input(0).detach(), at.input(1).detach(), at.output().detach());
        let own = x.eq(&y).to::<T>();
        let hits = src.eq(y.pick(&self.places)).to::<T>();
        let count = &own + hits.place(&self.places, y.shape());
        [own / &count, hits / count.pick(&self.places)]
    }
}

impl<T: Float> Op<T, 2> for Extreme {
    const NAME: &'static str = "scatter_reduce";
    const SAVES: Saves = Saves::ALL;

    fn forward(&mut self, [x, src]: [&Tensor<T>; 2]) -> Tensor<T> {
        let (x, src) = (x.contiguous(), src.contiguous());
        let (start, split) = (Start::Copy(data(&x)), Split::at(x.shape(), self.places.axis));
        Tensor::build(x.shape(), |y| {
            let (src, idx) = (data(&src), data(&self.places.idx));
            let put = scatter::scatter_reduce(src, idx, split, self.how, start, y);
            put.expect("the indices were checked");
        })
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        let [own, hits] = self.shares(at);
        [at.want(0, || dy * own), at.want(1, || dy.pick(&self.places) * hits)]
    }

    fn jvp(&self, at: &Site<T>, [dx, dsrc]: Tangents<T, 2>) -> Tensor<T> {
        let [own, hits] = self.shares(at);
        let by_src = dsrc.map(|dsrc| (dsrc * hits).place(&self.places, at.shape(0)));
        match (dx.map(|dx| dx * own), by_src) {
            (Some(a), Some(b)) => a + b,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => unreachable!("an op's jvp is called when an input moves"),
        }
    }
}

macro_rules! spec {
    ($name:literal, $formula:literal, $how:ident, $include_self:literal, $draw:expr, $of:expr) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: SHAPES,
            domain: Domain::Custom($draw),
            build: build!(|x| {
                let idx = example(x[0].shape(), x[0].rank() > 1);
                x[0].scatter_reduce(0, &idx, &x[1], ScatterReduce::$how, $include_self)
            }),
            oracle: Oracle::Whole(|x| terms(x, |own, put| terms_of(own, put, $include_self, $of))),
            refused: REFUSED,
            slope: Slope::Smooth,
            cost: |shapes| Cost::elementwise(shapes, 2.0),
            tolerance: Tolerance::Terms(
                16.0,
                |x| {
                    terms(x, |own, put| {
                        let sizes: Vec<f64> = put.iter().map(|x| x.abs()).collect();
                        terms_of(own.abs(), &sizes, true, |terms| {
                            terms.iter().sum::<f64>().max(terms.iter().product::<f64>().abs())
                        })
                    })
                },
                "one operation per index",
            ),
        }
    };
}

/// Values of which no two are equal, of both inputs together.
fn distinct(input: usize, shape: &[usize], rng: &mut crate::rng::Rng) -> Tensor<f64> {
    super::extreme::distinct(shape, rng) + 0.01 * input as f64
}

/// What the terms of a place become; without any, it keeps its own.
fn terms_of(own: f64, put: &[f64], include_self: bool, of: fn(&[f64]) -> f64) -> f64 {
    match (put, include_self) {
        ([], _) => own,
        (_, true) => of(&[&[own], put].concat()),
        (_, false) => of(put),
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!(
        "scatter_reduce",
        "y = the sum of src at idx, where there is any, else x",
        Sum,
        false,
        super::binary::draw_apart,
        |t| { t.iter().sum() }
    ),
    spec!(
        "scatter_reduce prod",
        "y = x times the product of src at idx",
        Prod,
        true,
        super::binary::draw_apart,
        |t| { t.iter().product() }
    ),
    spec!(
        "scatter_reduce mean",
        "y = the mean of x and of src at idx",
        Mean,
        true,
        super::binary::draw_apart,
        |t| { t.iter().sum::<f64>() / t.len() as f64 }
    ),
    spec!(
        "scatter_reduce amax",
        "y = the largest of x and of src at idx",
        Amax,
        true,
        distinct,
        |t| { t.iter().copied().fold(f64::NEG_INFINITY, f64::max) }
    ),
    spec!(
        "scatter_reduce amin",
        "y = the smallest of src at idx, else x",
        Amin,
        false,
        distinct,
        |t| { t.iter().copied().fold(f64::INFINITY, f64::min) }
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::{grad, hessian};

    /// Places 0 and 1 get elements, place 2 none.
    fn reduced(x: [f64; 3], src: [f64; 4], how: ScatterReduce, include_self: bool) -> Vec<f64> {
        let idx = Tensor::from([0i64, 1, 0, 0]);
        let y = Tensor::from(x).scatter_reduce(0, &idx, Tensor::from(src), how, include_self);
        y.to_vec()
    }

    #[test]
    fn own_elements_count_or_do_not() {
        use ScatterReduce::{Amax, Amin, Mean, Prod, Sum};
        let check = |how, with: [f64; 3], without: [f64; 3]| {
            let (x, src) = ([4.0, 5.0, 6.0], [1.0, 2.0, 3.0, 8.0]);
            assert_eq!(reduced(x, src, how, true), with, "{how:?}");
            assert_eq!(reduced(x, src, how, false), without, "{how:?}");
        };
        check(Sum, [16.0, 7.0, 6.0], [12.0, 2.0, 6.0]);
        check(Prod, [96.0, 10.0, 6.0], [24.0, 2.0, 6.0]);
        check(Mean, [4.0, 3.5, 6.0], [4.0, 2.0, 6.0]);
        check(Amax, [8.0, 5.0, 6.0], [8.0, 2.0, 6.0]);
        check(Amin, [1.0, 2.0, 6.0], [1.0, 2.0, 6.0]);
    }

    #[test]
    fn zeros_and_ties() {
        let idx = Tensor::from([0i64, 0, 0]);
        let x = Tensor::from([2.0, 7.0]);
        let f = |how| {
            let (x, idx) = (x.clone(), idx.clone());
            move |src: &Tensor<f64>| x.scatter_reduce(0, &idx, src, how, true).sum()
        };
        let src = Tensor::from([0.0, 3.0, 0.0]);
        assert_eq!(grad(f(ScatterReduce::Prod), &src).to_vec(), [0.0; 3]);
        let curve = hessian(f(ScatterReduce::Prod), &src).to_vec();
        assert_eq!(curve, [0.0, 0.0, 6.0, 0.0, 0.0, 0.0, 6.0, 0.0, 0.0]);
        let tied = Tensor::from([2.0, 2.0, 1.0]);
        let dx = grad(f(ScatterReduce::Amax), &tied).to_vec();
        assert!((dx[0] - 1.0 / 3.0).abs() < 1e-15 && dx[0] == dx[1] && dx[2] == 0.0, "{dx:?}");
    }

    #[test]
    fn own_elements_share_gradients_and_do_not_hide_small_ones() {
        use ScatterReduce::{Amax, Amin};
        let idx = Tensor::from([0i64, 0]);
        let of =
            |x: &Tensor<f64>| x.scatter_reduce(0, &idx, Tensor::from([2.0, 2.0]), Amax, true).sum();
        let dx = grad(of, &Tensor::from([2.0f64, 7.0])).to_vec();
        assert!((dx[0] - 1.0 / 3.0).abs() < 1e-15 && dx[1] == 1.0, "{dx:?}");
        assert_eq!(reduced([4.0; 3], [-1.0, -2.0, -3.0, -8.0], Amax, false), [-1.0, -2.0, 4.0]);
        assert_eq!(reduced([4.0; 3], [9.0, 8.0, 7.0, 6.0], Amin, false), [6.0, 8.0, 4.0]);
    }

    #[test]
    fn a_place_with_one_element_counts_too() {
        let idx = Tensor::from([2i64, 0, 2]);
        let x = Tensor::from([4.0, 5.0, 6.0]);
        let y = x.scatter_reduce(0, &idx, Tensor::from([1.0, 2.0, 3.0]), ScatterReduce::Prod, true);
        assert_eq!(y.to_vec(), [8.0, 5.0, 18.0]);
    }
}
