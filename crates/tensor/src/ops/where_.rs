//! `where_`: chooses between two tensors, element by element.

use backstitch_kernels::{Element, elementwise};

use super::operand::Operand;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The elements of `a` where the mask is set, else those of `b`; `where` is a word of Rust's.
    ///
    /// `y = a` where `mask`, else `b`
    ///
    /// # Shape
    /// `mask (...)`, `a (...)` and `b (...)` to their broadcast shape. `a` and `b` may be numbers.
    ///
    /// # Gradient
    /// `da = dy` where `mask`, else 0; `db` the reverse; both summed over broadcast axes.
    ///
    /// # Numerics
    /// What is not chosen has no influence, even if it is NaN.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([-1.0, 2.0]);
    /// assert_eq!(Tensor::where_(&x.gt(0.0), &x, 0.0).to_vec(), [0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn where_(mask: &Tensor<bool>, a: impl Operand<T>, b: impl Operand<T>) -> Tensor<T> {
        let (a, b) = (a.into_tensor(), b.into_tensor());
        let shape = or_panic(shape_rule(mask.shape(), a.shape(), b.shape()));
        let mask = mask.broadcast_view(&shape);
        apply(Where { mask }, [&a.expand(shape), &b.expand(shape)])
    }
}

fn shape_rule(mask: &[usize], a: &[usize], b: &[usize]) -> Result<Shape, ShapeError> {
    let rule = || {
        let got = format!("{mask:?}, {a:?} and {b:?}");
        ShapeError::new("where_", "a mask and two operands that broadcast", got)
    };
    let shape = broadcast("where_", a, b).map_err(|_| rule())?;
    broadcast("where_", mask, &shape).map_err(|_| rule())
}

/// Chooses between two tensors of the mask's shape.
struct Where {
    mask: Tensor<bool>,
}

impl Where {
    fn choose<T: Element>(&self, a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
        apply(Where { mask: self.mask.clone() }, [a, b])
    }

    /// `d` where the mask is set, else 0; or the reverse.
    fn keep<T: Element>(&self, d: &Tensor<T>, where_set: bool) -> Tensor<T> {
        let zero = Tensor::scalar(T::default()).broadcast_view(d.shape());
        match where_set {
            true => self.choose(d, &zero),
            false => self.choose(&zero, d),
        }
    }
}

impl<T: Element> Op<T, 2> for Where {
    const NAME: &'static str = "where_";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [a, b]: [&Tensor<T>; 2]) -> Tensor<T> {
        Tensor::build(a.shape(), |y| elementwise::select(self.mask.view(), a.view(), b.view(), y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        [at.want(0, || self.keep(dy, true)), at.want(1, || self.keep(dy, false))]
    }

    fn jvp(&self, _: &Site<T>, [da, db]: Tangents<T, 2>) -> Tensor<T> {
        match (da, db) {
            (Some(da), Some(db)) => self.choose(da, db),
            (Some(da), None) => self.keep(da, true),
            (None, Some(db)) => self.keep(db, false),
            (None, None) => unreachable!("an op's jvp is called when an input moves"),
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "where_",
    formula: "y[i] = a[i] where the sum of the index i in the shape of a is even, else b[i]",
    shapes: super::binary::SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| Tensor::where_(&example_mask(x[0].shape()), &x[0], &x[1])),
    oracle: Oracle::Whole(|x| {
        let shape = broadcast("", x[0].shape(), x[1].shape()).expect("the op accepted them");
        let (a, b) = (x[0].broadcast_view(&shape), x[1].broadcast_view(&shape));
        let mask = example_mask(x[0].shape()).broadcast_view(&shape);
        Tensor::from_fn(shape, |idx| if mask.at(idx) { a.at(idx) } else { b.at(idx) })
    }),
    refused: super::binary::REFUSED,
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];

/// A mask for examples: a chequerboard.
pub(super) fn example_mask(shape: &[usize]) -> Tensor<bool> {
    Tensor::from_fn(shape, |idx| idx.iter().sum::<usize>() % 2 == 0)
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn what_is_not_chosen_has_no_influence() {
        let a = Tensor::from([1.0, f64::NAN, f64::INFINITY]).leaf();
        let mask = Tensor::from([true, false, false]);
        let y = Tensor::where_(&mask, &a * &a, 5.0);
        assert_eq!(y.to_vec(), [1.0, 5.0, 5.0]);
        assert_eq!(y.sum().backward().get(&a).unwrap().to_vec()[0], 2.0);
    }

    #[test]
    fn masks_broadcast_too() {
        let mask = Tensor::from([[true], [false]]);
        let y = Tensor::where_(&mask, Tensor::from([1.0, 2.0]), 0.0);
        assert_eq!((y.shape(), y.to_vec()), (&[2, 2][..], vec![1.0, 2.0, 0.0, 0.0]));
        let panic =
            std::panic::catch_unwind(|| Tensor::where_(&mask, Tensor::full([3, 2], 1.0), 0.0));
        let message = panic.err().unwrap().downcast::<String>().unwrap();
        assert!(message.ends_with("got [2, 1], [3, 2] and []"), "{message}");
    }

    #[test]
    fn chooses_between_labels() {
        let labels = Tensor::from([3i64, -1]);
        assert_eq!(Tensor::where_(&labels.ge(0), &labels, 100).to_vec(), [3, 100]);
    }
}
