//! `expand`: repeats axes of length 1 without copying.

use std::any::Any;

use backstitch_kernels::{Element, Float};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Repeats axes of length 1, and puts new ones in front, to reach `shape`. A view.
    ///
    /// # Shape
    /// `x (...)` to `shape`, to which `x` must broadcast.
    ///
    /// # Gradient
    /// `dx` is `dy` summed over the repeated axes.
    ///
    /// # Panics
    /// When `x` does not broadcast to `shape`.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0], [2.0]]).expand([2, 3]);
    /// assert_eq!(x.to_vec(), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn expand(&self, shape: impl AsRef<[usize]>) -> Tensor<T> {
        let shape = or_panic(shape_rule(self.shape(), shape.as_ref()));
        match self.shape() == &shape[..] {
            true => self.clone(),
            false => apply(Expand { shape }, [self]),
        }
    }
}

impl<T: Float> Tensor<T> {
    /// The reverse of [`Tensor::expand`]: sums over the axes that broadcasting would repeat.
    #[track_caller]
    pub(crate) fn sum_to(&self, shape: &[usize]) -> Tensor<T> {
        if self.shape() == shape {
            return self.clone();
        }
        let lead = self.rank() - shape.len();
        let repeated = |&axis: &usize| axis < lead || shape[axis - lead] != self.shape()[axis];
        let dims: crate::shape::Axes<isize> =
            (0..self.rank()).filter(repeated).map(|axis| axis as isize).collect();
        self.sum_dim(dims, true).reshape(shape)
    }
}

/// `from` must broadcast to `to`, which is the result.
fn shape_rule(from: &[usize], to: &[usize]) -> Result<Shape, ShapeError> {
    match broadcast("expand", from, to) {
        Ok(shape) if shape[..] == *to => Ok(shape),
        _ => Err(ShapeError::new(
            "expand",
            "a shape that the tensor broadcasts to",
            format!("{to:?} for a tensor of shape {from:?}"),
        )),
    }
}

struct Expand {
    shape: Shape,
}

impl<T: Element> Op<T, 1> for Expand {
    const NAME: &'static str = "expand";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        x.broadcast_view(&self.shape)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(sum_to_any(dy, at.shape(0)))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        dx.expect("the only input moves").expand(self.shape)
    }
}

/// [`Tensor::sum_to`] for the element types that have gradients, known only at run time.
fn sum_to_any<T: Element>(dy: &Tensor<T>, shape: &[usize]) -> Tensor<T> {
    let dy: &dyn Any = dy;
    let sum: Box<dyn Any> =
        match (dy.downcast_ref::<Tensor<f32>>(), dy.downcast_ref::<Tensor<f64>>()) {
            (Some(dy), _) => Box::new(dy.sum_to(shape)),
            (_, Some(dy)) => Box::new(dy.sum_to(shape)),
            (None, None) => unreachable!("only floats carry gradients"),
        };
    *sum.downcast().expect("the sum has the element type of its terms")
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "expand",
    formula: "y[i] = x[i mod shape of x]",
    shapes: &[&[&[]], &[&[1]], &[&[3, 1]], &[&[1, 17]], &[&[2, 1, 5]], &[&[256, 1]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].expand(example(x[0].shape()))),
    oracle: Oracle::Whole(|x| {
        let shape = example(x[0].shape());
        let lead = shape.len() - x[0].rank();
        Tensor::from_fn(shape, |idx| {
            let own: Vec<usize> =
                idx[lead..].iter().zip(x[0].shape()).map(|(&i, &n)| i % n).collect();
            x[0].at(&own)
        })
    }),
    refused: &[&[&[0]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 0.0),
    tolerance: Tolerance::Exact,
}];

/// A shape to expand to: ones become threes, and a new axis goes in front.
fn example(shape: &[usize]) -> Vec<usize> {
    std::iter::once(2).chain(shape.iter().map(|&n| if n == 1 || n == 0 { 3 } else { n })).collect()
}
