//! `linear`: a matrix product with a bias, the work of a fully connected layer.
//!
//! One op, because the bias is added while the product's tile is in cache: no second pass.

use backstitch_kernels::Float;
use backstitch_kernels::gemm::{Accumulate, Epilogue, MatrixMut, gemm};

use super::matmul::matrix_of;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The affine map of a fully connected layer, with the weight laid out as in PyTorch.
    ///
    /// `y = x weightᵀ + bias`
    ///
    /// # Shape
    /// `x (..., in)`, `weight (out, in)`, `bias (out)` to `y (..., out)`.
    ///
    /// # Gradient
    /// `dx = dy weight`, `dweight = dyᵀ x`, `dbias = Σ dy` over all axes but the last.
    ///
    /// # Panics
    /// When the shapes do not fit.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let (x, w) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[3.0, 4.0], [5.0, 6.0]]));
    /// let y = x.linear(&w, Some(&Tensor::from([0.5, 0.0])));
    /// assert_eq!(y.to_vec(), [11.5, 17.0]);
    /// ```
    #[track_caller]
    pub fn linear(&self, weight: &Tensor<T>, bias: Option<&Tensor<T>>) -> Tensor<T> {
        let bias_shape = bias.map(|bias| bias.shape());
        let shape = or_panic(shape_rule(self.shape(), weight.shape(), bias_shape));
        let x = match self.rank() {
            2 => self.clone(),
            rank => {
                let rows = self.shape()[..rank - 1].iter().product();
                self.reshape([rows, weight.shape()[1]])
            }
        };
        let y = match bias {
            Some(bias) => apply(Linear, [&x, weight, bias]),
            None => x.matmul(&weight.transpose(0, 1)),
        };
        y.reshape(shape)
    }
}

fn shape_rule(x: &[usize], weight: &[usize], bias: Option<&[usize]>) -> Result<Shape, ShapeError> {
    let fits = weight.len() == 2
        && x.last() == weight.last()
        && bias.is_none_or(|bias| bias == &weight[..1]);
    if !fits {
        let bias = bias.map_or(String::new(), |bias| format!(" and bias {bias:?}"));
        let got = format!("{x:?}, weight {weight:?}{bias}");
        return Err(ShapeError::new("linear", "x (..., in), weight (out, in), bias (out)", got));
    }
    let mut shape = Shape::new(x);
    shape[x.len() - 1] = weight[0];
    Ok(shape)
}

/// `x (N, in)`, `weight (out, in)`, `bias (out)` to `y (N, out)`.
struct Linear;

impl<T: Float> Op<T, 3> for Linear {
    const NAME: &'static str = "linear";
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, [x, weight, bias]: [&Tensor<T>; 3]) -> Tensor<T> {
        let (rows, out) = (x.shape()[0], weight.shape()[0]);
        let bias = bias.contiguous();
        let epilogue = Epilogue::Bias(bias.as_slice().expect("made contiguous"));
        Tensor::build(&[rows, out], |y| {
            let y = MatrixMut::row_major(y, rows, out);
            let weight = matrix_of(weight).transposed();
            gemm(matrix_of(x), weight, y, T::ONE, Accumulate::Replace, epilogue);
        })
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 3> {
        [
            at.want(0, || dy.matmul(at.input(1))),
            at.want(1, || dy.transpose(0, 1).matmul(at.input(0))),
            at.want(2, || dy.sum_dim(0, false)),
        ]
    }

    fn jvp(&self, at: &Site<T>, [dx, dweight, dbias]: Tangents<T, 3>) -> Tensor<T> {
        let (x, weight) = (at.input(0), at.input(1));
        let by_map = match (dweight, dbias) {
            (Some(dweight), Some(dbias)) => Some(apply(Linear, [x, dweight, dbias])),
            (Some(dweight), None) => Some(x.matmul(&dweight.transpose(0, 1))),
            (None, dbias) => dbias.map(|dbias| dbias.expand([x.shape()[0], weight.shape()[0]])),
        };
        let by_input = dx.map(|dx| dx.matmul(&weight.transpose(0, 1)));
        match (by_input, by_map) {
            (Some(by_input), Some(by_map)) => by_input + by_map,
            (by_input, by_map) => by_input.or(by_map).expect("an input moves"),
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "linear",
    formula: "y = x weightᵀ + bias",
    shapes: &[
        &[&[1, 1], &[1, 1], &[1]],
        &[&[3], &[2, 3], &[2]],
        &[&[0, 3], &[2, 3], &[2]],
        &[&[3, 17], &[5, 17], &[5]],
        &[&[2, 3, 4], &[7, 4], &[7]],
        &[&[128, 784], &[512, 784], &[512]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].linear(&x[1], Some(&x[2]))),
    oracle: Oracle::Whole(|x| affine(x, |term| term)),
    refused: &[
        &[&[2, 3], &[3, 2], &[3]],
        &[&[2, 3], &[4, 3], &[3]],
        &[&[2, 3], &[3], &[3]],
        &[&[], &[1, 1], &[1]],
    ],
    slope: Slope::Smooth,
    cost: |shapes| {
        let count = |shape: &[usize]| shape.iter().product::<usize>() as f64;
        let rows: usize = shapes[0][..shapes[0].len() - 1].iter().product();
        let y = (rows * shapes[1][0]) as f64;
        let reads: f64 = shapes.iter().map(|shape| count(shape)).sum();
        Cost { flops: 2.0 * y * shapes[1][1] as f64 + y, elements: reads + y }
    },
    tolerance: Tolerance::Terms(
        16.0,
        |x| affine(x, f64::abs),
        "sums in order within chunks of k, in several accumulators",
    ),
}];

/// The map with `term` applied to each product and to the bias, as plain loops.
fn affine(x: &[Tensor<f64>], term: impl Fn(f64) -> f64) -> Tensor<f64> {
    let [x, weight, bias] = x else { unreachable!("linear has three inputs") };
    let shape = shape_rule(x.shape(), weight.shape(), None).expect("the op accepted these shapes");
    let lead = shape.len() - 1;
    Tensor::from_fn(shape, |idx| {
        let product = |l| x.at(&[&idx[..lead], &[l]].concat()) * weight.at(&[idx[lead], l]);
        let products = (0..weight.shape()[1]).map(|l| term(product(l)));
        products.sum::<f64>() + term(bias.at(&[idx[lead]]))
    })
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn a_bias_of_zeros_is_none() {
        let rng = &mut crate::rng::Rng::seed(3);
        let x: Tensor<f64> = Tensor::randn([2, 3, 4], rng).leaf();
        let weight: Tensor<f64> = Tensor::randn([5, 4], rng).leaf();
        let zeros = Tensor::zeros([5]);
        let run = |bias: Option<&Tensor<f64>>| {
            let y = x.linear(&weight, bias);
            let grads = y.square().sum().backward();
            [&y, grads.get(&x).unwrap(), grads.get(&weight).unwrap()].map(Tensor::to_vec).concat()
        };
        for (a, b) in run(None).into_iter().zip(run(Some(&zeros))) {
            assert!((a - b).abs() < 1e-13, "{a} is not {b}");
        }
    }
}
