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

/// Sums of products: each operand gets an axis for every label, and what is not asked for is
/// summed over.
fn einsum<T: Float>(args: &Args<T>) -> Outputs<T> {
    let operands: Vec<Tensor<T>> =
        (0..args.inputs.len()).map(|i| args.number(i)).collect::<Result<_, _>>()?;
    let equation = args.text("equation", "").replace(' ', "");
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left.to_string(), Some(right.to_string())),
        None => (equation, None),
    };
    let mut repeated = 0;
    let mut labels = Vec::new();
    for (term, x) in left.split(',').zip(&operands) {
        let named = term.replace("...", "").len();
        repeated = repeated.max(x.rank() - named);
        labels.push(spelled(term, x.rank() - named));
    }
    let output = match right {
        Some(right) => spelled(&right, repeated),
        None => implicit(&labels, repeated),
    };
    let mut all = output.clone();
    for label in labels.iter().flatten() {
        if !all.contains(label) {
            all.push(*label);
        }
    }
    let spread = operands.iter().zip(&labels).map(|(x, labels)| spread(x, labels, &all));
    let product = spread.reduce(|a, b| a * b).ok_or("no operands")?;
    let summed: Vec<isize> = (output.len()..all.len()).map(|axis| axis as isize).collect();
    let y = if summed.is_empty() { product } else { product.sum_dim(&summed, false) };
    one(args.like_first(y))
}

/// The labels of a term; the axes of an ellipsis are numbered from its last.
fn spelled(term: &str, ellipsis: usize) -> Vec<char> {
    let digits = (0..ellipsis as u8).rev().map(|i| char::from(b'0' + i));
    term.replace("...", &digits.collect::<String>()).chars().collect()
}

/// The output when none is given: the ellipsis, then labels that occur once, in order.
fn implicit(labels: &[Vec<char>], ellipsis: usize) -> Vec<char> {
    let count = |label: &char| labels.iter().flatten().filter(|other| *other == label).count();
    let mut once: Vec<char> = labels.iter().flatten().copied().collect();
    once.retain(|label| label.is_alphabetic() && count(label) == 1);
    once.sort_unstable();
    spelled("...", ellipsis).into_iter().chain(once).collect()
}

/// An operand with an axis for each of `all` labels, of length 1 where it lacks the label.
fn spread<T: Float>(x: &Tensor<T>, labels: &[char], all: &[char]) -> Tensor<T> {
    let mut own: Vec<char> = all.iter().copied().filter(|label| labels.contains(label)).collect();
    own.dedup();
    let size = |label: &char| x.shape()[labels.iter().position(|l| l == label).expect("its own")];
    let shape: Vec<usize> = own.iter().map(size).collect();
    // A label that occurs twice takes the diagonal.
    let source = Tensor::from_fn(&shape, |at| {
        let place = |label: &char| at[own.iter().position(|l| l == label).expect("its own")];
        labels.iter().zip(x.shape()).fold(0, |flat, (label, n)| flat * n + place(label)) as i64
    });
    let full = |label: &char| if own.contains(label) { size(label) } else { 1 };
    let moved = x.reshape([x.numel()]).gather(0, &source.reshape([source.numel()]));
    moved.reshape(all.iter().map(full).collect::<Vec<usize>>())
}
