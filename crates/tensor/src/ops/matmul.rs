//! `matmul`: the matrix product, over a batch of matrices if there are more axes.

use backstitch_kernels::Float;
use backstitch_kernels::gemm::{
    Accumulate, BatchAxis, Epilogue, Matrix, MatrixMut, gemm, gemm_batched,
};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, broadcast, broadcast_strides, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The matrix product of the last two axes.
    ///
    /// `y[..., i, j] = Σ_l a[..., i, l] b[..., l, j]`
    ///
    /// # Shape
    /// `a (..., m, k)` and `b (..., k, n)` to `y (..., m, n)`; the axes in front broadcast. A
    /// tensor of one axis stands for a row on the left and a column on the right, and that axis
    /// is dropped from the result, as in NumPy. Transposed tensors are read as they lie.
    ///
    /// # Gradient
    /// `da = dy bᵀ`, `db = aᵀ dy`, summed over broadcast axes.
    ///
    /// # Numerics
    /// Sums run over `k` in an order that depends on the shapes alone.
    ///
    /// # Panics
    /// When the shapes do not fit.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let a = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(a.matmul(&a).to_vec(), [7.0, 10.0, 15.0, 22.0]);
    /// ```
    #[track_caller]
    pub fn matmul(&self, b: &Tensor<T>) -> Tensor<T> {
        let shape = or_panic(shape_rule(self.shape(), b.shape()));
        if self.rank() > 2 && b.rank() == 2 {
            // One product of all rows instead of many small ones.
            let (k, rows) = (b.shape()[0], self.shape()[..self.rank() - 1].iter().product());
            return apply(Matmul, [&self.reshape([rows, k]), b]).reshape(shape);
        }
        let matrix = |x: &Tensor<T>, shape: [usize; 2]| match x.rank() {
            1 => x.reshape(shape),
            _ => x.clone(),
        };
        let a = matrix(self, [1, self.numel()]);
        let b = matrix(b, [b.numel(), 1]);
        apply(Matmul, [&a, &b]).reshape(shape)
    }
}

/// The shape of the product, or why there is none.
fn shape_rule(a: &[usize], b: &[usize]) -> Result<Shape, ShapeError> {
    let refuse =
        || ShapeError::new("matmul", "(..., m, k) and (..., k, n)", format!("{a:?} and {b:?}"));
    if a.is_empty() || b.is_empty() {
        return Err(refuse().hint("a scalar multiplies with *"));
    }
    let (a_batch, a_matrix) = a.split_at(a.len().saturating_sub(2));
    let (b_batch, b_matrix) = b.split_at(b.len().saturating_sub(2));
    if a_matrix.last() != b_matrix.first() {
        let hint = "is one of them transposed?";
        let swapped = a_matrix.last() == b_matrix.last() || a_matrix.first() == b_matrix.first();
        return Err(if swapped { refuse().hint(hint) } else { refuse() });
    }
    let mut shape = broadcast("matmul", a_batch, b_batch).map_err(|_| refuse())?;
    shape.extend(a_matrix[..a_matrix.len() - 1].iter().copied());
    shape.extend(b_matrix[1..].iter().copied());
    Ok(shape)
}

/// The product of tensors of two or more axes.
struct Matmul;

impl<T: Float> Op<T, 2> for Matmul {
    const NAME: &'static str = "matmul";
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, [a, b]: [&Tensor<T>; 2]) -> Tensor<T> {
        let shape = shape_rule(a.shape(), b.shape()).expect("the shapes were checked");
        Tensor::build(&shape, |y| multiply(a, b, &shape, y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        let (a, b) = (at.input(0), at.input(1));
        [
            at.want(0, || dy.matmul(&b.transpose(-1, -2)).sum_to(a.shape())),
            at.want(1, || a.transpose(-1, -2).matmul(dy).sum_to(b.shape())),
        ]
    }

    fn jvp(&self, at: &Site<T>, [da, db]: Tangents<T, 2>) -> Tensor<T> {
        let left = da.map(|da| da.matmul(at.input(1)));
        let right = db.map(|db| at.input(0).matmul(db));
        match (left, right) {
            (Some(left), Some(right)) => left + right,
            (left, right) => left.or(right).expect("an input moves"),
        }
    }
}

/// Writes the product, of `shape`, to `y`.
fn multiply<T: Float>(a: &Tensor<T>, b: &Tensor<T>, shape: &[usize], y: &mut [T]) {
    if y.is_empty() {
        return;
    }
    let (batch, matrix) = shape.split_at(shape.len() - 2);
    let c = MatrixMut::row_major(y, matrix[0], matrix[1]);
    let (left, right) = (matrix_of(a), matrix_of(b));
    if batch.is_empty() {
        return gemm(left, right, c, T::ONE, Accumulate::Replace, Epilogue::None);
    }
    let steps = |x: &Tensor<T>| {
        let lead = x.rank() - 2;
        broadcast_strides(&x.shape()[..lead], &x.strides()[..lead], batch)
    };
    let (a_steps, b_steps) = (steps(a), steps(b));
    let axis = |i: usize| BatchAxis { len: batch[i], a_step: a_steps[i], b_step: b_steps[i] };
    let axes: Vec<BatchAxis> = (0..batch.len()).map(axis).collect();
    let c_step = matrix[0] * matrix[1];
    gemm_batched(&axes, left, right, c, c_step, T::ONE, Accumulate::Replace, Epilogue::None);
}

/// The last two axes, at the start of the batch.
pub(super) fn matrix_of<T: Float>(x: &Tensor<T>) -> Matrix<'_, T> {
    let lead = x.rank() - 2;
    let (shape, strides) = (&x.shape()[lead..], &x.strides()[lead..]);
    Matrix::new(x.storage(), x.offset(), (shape[0], shape[1]), (strides[0], strides[1]))
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "matmul",
    formula: "y[i, j] = Σ_l a[i, l] b[l, j]",
    shapes: &[
        &[&[1, 1], &[1, 1]],
        &[&[3], &[3]],
        &[&[3], &[3, 2]],
        &[&[2, 3], &[3]],
        &[&[2, 0], &[0, 3]],
        &[&[0, 2], &[2, 3]],
        &[&[0, 2, 3], &[0, 3, 4]],
        &[&[3, 17], &[17, 5]],
        &[&[2, 3, 4], &[4, 5]],
        &[&[2, 1, 3, 4], &[3, 4, 2]],
        &[&[128, 784], &[784, 512]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].matmul(&x[1])),
    oracle: Oracle::Whole(|x| products(&x[0], &x[1], |p| p)),
    refused: &[&[&[2, 3], &[2, 4]], &[&[], &[2]], &[&[2, 3, 4], &[3, 4, 2]], &[&[3], &[4]]],
    slope: Slope::Smooth,
    cost: |shapes| {
        let (a, b) = (shapes[0], shapes[1]);
        let y = shape_rule(a, b).map_or(0, |y| y.iter().product::<usize>()) as f64;
        let (k, size) = (a[a.len() - 1], |s: &[usize]| s.iter().product::<usize>() as f64);
        Cost { flops: 2.0 * y * k as f64, elements: size(a) + size(b) + y }
    },
    tolerance: Tolerance::Terms(
        16.0,
        |x| products(&x[0], &x[1], f64::abs),
        "sums in order within chunks of k, in several accumulators",
    ),
}];

/// The product with `term` applied to each elementary product, as plain loops.
fn products(a: &Tensor<f64>, b: &Tensor<f64>, term: impl Fn(f64) -> f64) -> Tensor<f64> {
    let shape = shape_rule(a.shape(), b.shape()).expect("the op accepted these shapes");
    let a = if a.rank() == 1 { a.reshape([1, a.numel()]) } else { a.clone() };
    let b = if b.rank() == 1 { b.reshape([b.numel(), 1]) } else { b.clone() };
    let full = shape_rule(a.shape(), b.shape()).expect("a row or a column fits as well");
    let batch = full.len() - 2;
    let spread = |x: &Tensor<f64>| {
        let matrix = &x.shape()[x.rank() - 2..];
        x.broadcast_view(&[&full[..batch], matrix].concat())
    };
    let (a, b) = (spread(&a), spread(&b));
    let sum = |idx: &[usize]| {
        let (i, j) = (idx[batch], idx[batch + 1]);
        let product = |l| {
            let (row, col) = ([&idx[..batch], &[i, l]].concat(), [&idx[..batch], &[l, j]].concat());
            term(a.at(&row) * b.at(&col))
        };
        (0..a.size(-1)).map(product).sum()
    };
    Tensor::from_fn(full, sum).reshape(shape)
}

#[cfg(test)]
mod tests {
    use super::shape_rule;

    #[test]
    fn refusals_name_both_shapes_and_guess_the_cause() {
        let check = |a: &[usize], b: &[usize], want: &str| {
            assert_eq!(shape_rule(a, b).unwrap_err().to_string(), want);
        };
        check(
            &[2, 3],
            &[2, 4],
            "matmul: needs (..., m, k) and (..., k, n); got [2, 3] and [2, 4]; is one of them \
             transposed?",
        );
        check(&[2, 3], &[5, 4], "matmul: needs (..., m, k) and (..., k, n); got [2, 3] and [5, 4]");
        check(
            &[],
            &[2],
            "matmul: needs (..., m, k) and (..., k, n); got [] and [2]; a scalar multiplies with *",
        );
    }
}
