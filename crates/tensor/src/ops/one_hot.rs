//! `one_hot`: labels as rows with a one in the label's place.

use backstitch_kernels::{Element, index};

use crate::shape::{Shape, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl Tensor<i64> {
    /// A row of zeros for each label, with a one in the label's place, of any element type.
    ///
    /// # Shape
    /// `labels (...)` to `y (..., classes)`.
    ///
    /// # Panics
    /// When a label is negative or not below `classes`.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y: Tensor<f32> = Tensor::from([2i64, 0]).one_hot(3);
    /// assert_eq!(y.to_vec(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn one_hot<U: Element>(&self, classes: usize) -> Tensor<U> {
        let idx = self.contiguous();
        or_panic(
            index::check(data(&idx), classes)
                .map_err(|bad| format!("one_hot: {bad}, for labels of shape {:?}", self.shape())),
        );
        let mut shape = Shape::new(self.shape());
        shape.push(classes);
        Tensor::build(&shape, |y| {
            index::one_hot(data(&idx), classes, y).expect("the labels were checked");
        })
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "one_hot",
    formula: "y[i, c] = 1 where c is x[i], rounded down, else 0; of 4 classes",
    shapes: &[&[&[]], &[&[0]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[256, 64]]],
    domain: Domain::Range(0.0, 4.0),
    build: build!(|x| {
        // One class too few for the shape that is to be refused.
        let shift = if x[0].shape() == [13] { 4 } else { 0 };
        let labels = Tensor::from_fn(x[0].shape(), |i| x[0].at(i).to_f64() as i64 + shift);
        // A view with gaps, as the column of a table is.
        Tensor::stack(&[&labels, &labels], -1).select(-1, 1).one_hot::<T>(4)
    }),
    oracle: Oracle::Whole(|x| {
        let mut shape = x[0].shape().to_vec();
        shape.push(4);
        Tensor::from_fn(shape, |at| {
            let (class, i) = at.split_last().expect("the classes' axis");
            f64::from(x[0].at(i).floor() == *class as f64)
        })
    }),
    refused: &[&[&[13]]],
    slope: Slope::None("labels are integers"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
