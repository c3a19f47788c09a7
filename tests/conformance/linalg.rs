//! Matrix products.

use backstitch::{Float, Tensor};

use crate::case::{Args, Entry, Outputs, one, ops};

pub const OPS: &[Entry] = ops![
    "Det" => |args: &Args<T>| one(args.x(0)?.det()),
    "Einsum" => einsum,
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

fn matmul<T: Float>(args: &Args<T>) -> Outputs<T> {
    one(args.like_first(args.number(0)?.matmul(&args.number(1)?)))
}

fn einsum<T: Float>(args: &Args<T>) -> Outputs<T> {
    let operands: Vec<Tensor<T>> =
        (0..args.inputs.len()).map(|i| args.number(i)).collect::<Result<_, _>>()?;
    let equation = args.text("equation", "");
    let y = Tensor::einsum(&equation, &operands.iter().collect::<Vec<_>>());
    one(args.like_first(y))
}
