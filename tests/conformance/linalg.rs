//! Matrix products.

use backstitch::{Float, Tensor};

use crate::case::{Args, Entry, Outputs, one, ops};

pub const OPS: &[Entry] = ops![
    "Gemm" => gemm,
    "MatMul" => matmul,
];

/// `alpha A B + beta C`, with either matrix transposed.
fn gemm<T: Float>(args: &Args<T>) -> Outputs<T> {
    let turned = |i: usize, flag: &str| {
        let x = args.number(i)?;
        Ok::<_, String>(if args.flag(flag, false) { x.transpose(0, 1) } else { x })
    };
    let product = turned(0, "transA")?.matmul(&turned(1, "transB")?) * args.float("alpha", 1.0);
    let y = match args.value(2) {
        Some(_) => product + args.number(2)? * args.float("beta", 1.0),
        None => product,
    };
    one(args.like_first(y))
}

/// A vector counts as a row on the left and as a column on the right, as in NumPy.
fn matmul<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (a, b) = (args.number(0)?, args.number(1)?);
    let row = if a.rank() == 1 { a.reshape([1, a.numel()]) } else { a.clone() };
    let column = if b.rank() == 1 { b.reshape([b.numel(), 1]) } else { b.clone() };
    let y: Tensor<T> = row.matmul(&column);
    let mut shape = y.shape().to_vec();
    if b.rank() == 1 {
        shape.pop();
    }
    if a.rank() == 1 {
        shape.remove(y.rank() - 2);
    }
    one(args.like_first(y.reshape(shape)))
}
