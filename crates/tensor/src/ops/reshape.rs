//! `reshape`: the same elements in another shape.

use backstitch_kernels::Element;

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, numel, or_panic, view_strides};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

/// A length in a shape for [`Tensor::reshape`] that follows from the others, as `-1` in PyTorch.
pub const INFER: usize = usize::MAX;

impl<T: Element> Tensor<T> {
    /// The same elements, in row-major order, in another shape.
    /// A view where strides can say so, such as for row-major tensors and for axes that are split;
    /// else a copy.
    ///
    /// # Shape
    /// `x (...)` to `shape`, which must have as many elements. One of its lengths may be [`INFER`].
    ///
    /// # Gradient
    /// `dx` is `dy` in the shape of `x`.
    ///
    /// # Panics
    /// When the numbers of elements differ, or no length, or more than one, could be inferred.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{INFER, Tensor};
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.reshape([4]).shape(), [4]);
    /// assert_eq!(x.reshape([1, INFER, 2]).shape(), [1, 2, 2]);
    /// ```
    #[track_caller]
    pub fn reshape(&self, shape: impl AsRef<[usize]>) -> Tensor<T> {
        let shape = or_panic(shape_rule(self.shape(), shape.as_ref()));
        match self.shape() == &shape[..] {
            true => self.clone(),
            false => apply(Reshape { shape }, [self]),
        }
    }
}

fn shape_rule(from: &[usize], to: &[usize]) -> Result<Shape, ShapeError> {
    let have = numel(from);
    if let Some(at) = to.iter().position(|&n| n == INFER) {
        let mut inferred = Shape::new(to);
        inferred[at] = 1;
        let others = if inferred.contains(&INFER) { 0 } else { numel(&inferred) };
        if others == 0 || !have.is_multiple_of(others) {
            let rule = "one length to infer, and others that divide the number of elements";
            let list: Vec<String> = to.iter().map(length).collect();
            let got = format!("[{}] for a tensor of shape {from:?} ({have})", list.join(", "));
            return Err(ShapeError::new("reshape", rule, got));
        }
        inferred[at] = have / others;
        return Ok(inferred);
    }
    let want = numel(to);
    if have != want {
        let got = format!("{to:?} ({want} elements) for a tensor of shape {from:?} ({have})");
        return Err(ShapeError::new("reshape", "a shape with as many elements", got));
    }
    Ok(Shape::new(to))
}

fn length(n: &usize) -> String {
    if *n == INFER { "INFER".into() } else { n.to_string() }
}

struct Reshape {
    shape: Shape,
}

impl<T: Element> Op<T, 1> for Reshape {
    const NAME: &'static str = "reshape";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        match view_strides(x.shape(), x.strides(), &self.shape) {
            Some(strides) => x.relaid(self.shape, strides, x.offset()),
            None => x.reshaped(&self.shape),
        }
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(dy.reshape(at.shape(0)))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        dx.expect("the only input moves").reshape(self.shape)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "reshape",
    formula: "y[i] = x[i] in row-major order",
    shapes: &[&[&[]], &[&[0, 3]], &[&[1]], &[&[7]], &[&[3, 4]], &[&[2, 3, 33]], &[&[256, 1024]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].reshape(reversed(x[0].shape()))),
    oracle: Oracle::Whole(|x| Tensor::from_vec(x[0].to_vec(), reversed(x[0].shape()))),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 0.0),
    tolerance: Tolerance::Exact,
}];

fn reversed(shape: &[usize]) -> Vec<usize> {
    shape.iter().rev().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_only_where_strides_cannot_say_it() {
        let x = Tensor::<f32>::zeros([4, 6, 5]);
        let check = |x: &Tensor, shape: &[usize], view: bool| {
            let y = x.reshape(shape);
            assert_eq!(y.shares_buffer(x), view, "{:?} to {shape:?}", x.shape());
            assert_eq!(y.to_vec(), x.to_vec());
        };
        let numbers = Tensor::from_fn([4, 6, 5], |at| (at[0] * 30 + at[1] * 5 + at[2]) as f32);
        check(&numbers, &[24, 5], true);
        let turned = numbers.permute([1, 2, 0]);
        check(&turned, &[30, 4], true);
        check(&turned, &[2, 3, 5, 4], true);
        check(&turned, &[6, 20], false);
        check(&numbers.slice_step(1, .., 2), &[4, 3, 5, 1], true);
        check(&numbers.slice_step(1, .., 2), &[12, 5], true);
        check(&numbers.slice_step(1, ..5, 2), &[12, 5], true);
        check(&numbers.slice(1, ..5), &[20, 5], false);
        check(&x.slice(0, 1..).slice(2, ..1), &[18], true);
    }

    #[test]
    fn refuses_another_number_of_elements() {
        let error = shape_rule(&[2, 3], &[4]).unwrap_err().to_string();
        let want = "reshape: needs a shape with as many elements; got [4] (4 elements) for a \
                    tensor of shape [2, 3] (6)";
        assert_eq!(error, want);
    }

    #[test]
    fn infers_one_length() {
        let shape = |from: &[usize], to: &[usize]| shape_rule(from, to).map(|shape| shape.to_vec());
        assert_eq!(shape(&[2, 6], &[INFER, 3]).unwrap(), [4, 3]);
        assert_eq!(shape(&[0, 6], &[INFER, 3]).unwrap(), [0, 3]);
        assert_eq!(shape(&[], &[INFER]).unwrap(), [1]);
        let want = "reshape: needs one length to infer, and others that divide the number of \
                    elements; got ";
        for (to, got) in [
            (&[INFER, 5][..], "[INFER, 5]"),
            (&[INFER, INFER], "[INFER, INFER]"),
            (&[0, INFER], "[0, INFER]"),
        ] {
            let error = shape(&[2, 6], to).unwrap_err().to_string();
            assert_eq!(error, format!("{want}{got} for a tensor of shape [2, 6] (12)"));
        }
    }
}
