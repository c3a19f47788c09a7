//! What the ops of linear algebra share: shape rules, example matrices, a reference elimination.

use backstitch_kernels::Float;

use crate::rng::Rng;
use crate::shape::{Shape, ShapeError, broadcast};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

/// The side of square matrices in the last two axes.
pub(super) fn side(op: &str, shape: &[usize]) -> Result<usize, ShapeError> {
    match *shape {
        [.., m, n] if m == n => Ok(n),
        _ => Err(ShapeError::new(op, "square matrices (..., n, n)", format!("{shape:?}"))),
    }
}

/// The sides of matrices in the last two axes.
pub(super) fn sides(op: &str, shape: &[usize]) -> Result<(usize, usize), ShapeError> {
    match *shape {
        [.., m, n] => Ok((m, n)),
        _ => Err(ShapeError::new(op, "matrices (..., m, n)", format!("{shape:?}"))),
    }
}

/// What specs of factorisations share; the rest is to be filled in.
pub(super) const FACTORS: OpSpec = OpSpec {
    name: "",
    formula: "",
    shapes: &[
        &[&[1, 1]],
        &[&[3, 0]],
        &[&[3, 3]],
        &[&[5, 2]],
        &[&[2, 4]],
        &[&[2, 3, 3]],
        &[&[48, 24]],
    ],
    domain: Domain::Custom(|_, shape, rng| strong(shape, rng)),
    build: build!(|x| x[0].clone()),
    oracle: Oracle::Whole(|x| x[0].clone()),
    refused: &[&[&[2]], &[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| {
        let (m, n) = (shapes[0][0] as f64, shapes[0][1] as f64);
        Cost { flops: 4.0 * m * n * n, elements: 2.0 * m * n + n * n }
    },
    tolerance: Tolerance::Exact,
};

/// Example shapes of systems of equations.
pub(super) const SYSTEMS: &[&[&[usize]]] = &[
    &[&[1, 1], &[1, 1]],
    &[&[0, 0], &[0, 3]],
    &[&[3, 3], &[3]],
    &[&[5, 5], &[5, 2]],
    &[&[2, 1, 3, 3], &[4, 3, 2]],
    &[&[128, 128], &[128, 16]],
];

/// Shapes that are no systems of equations.
pub(super) const NO_SYSTEMS: &[&[&[usize]]] =
    &[&[&[2, 3], &[2]], &[&[2, 2], &[3]], &[&[2], &[2]], &[&[2, 2, 2], &[3, 2, 1]]];

/// Example systems: well conditioned.
pub(super) const SYSTEM: Domain = Domain::Custom(|i, shape, rng| match i {
    0 => draw(Square::Dominant, shape, rng),
    _ => Tensor::rand(shape, -2.0, 2.0, rng),
});

/// Two tensors with the same axes in front, and the shape of the answer.
type Systems<T> = (Tensor<T>, Tensor<T>, Shape);

/// Matrices `(..., n, n)` and right sides `(..., n, k)` with their axes in front broadcast, and the
/// shape of the solutions. A right side of one axis is a column.
#[track_caller]
pub(super) fn broadcast_systems<T: Float>(
    op: &str,
    a: &Tensor<T>,
    b: &Tensor<T>,
) -> Result<Systems<T>, ShapeError> {
    let refuse = || {
        let got = format!("{:?} and {:?}", a.shape(), b.shape());
        ShapeError::new(op, "(..., n, n) and (..., n, k)", got)
    };
    let n = side(op, a.shape()).map_err(|_| refuse())?;
    let column = b.rank() == 1;
    let b_shape = if column { vec![b.numel(), 1] } else { b.shape().to_vec() };
    let [b_lead @ .., rows, k] = &b_shape[..] else { return Err(refuse()) };
    if *rows != n {
        return Err(refuse());
    }
    let lead = broadcast(op, &a.shape()[..a.rank() - 2], b_lead).map_err(|_| refuse())?;
    let full = |rows: usize, cols: usize| {
        let mut shape = lead;
        shape.extend([rows, cols]);
        shape
    };
    let mut shape = full(n, *k);
    let (a, b) = (a.expand(full(n, n)), b.reshape(&b_shape).expand(shape));
    if column {
        shape.remove(shape.len() - 1);
    }
    Ok((a, b, shape))
}

/// What kind of square matrix an example is.
#[derive(Clone, Copy)]
pub(super) enum Square {
    /// Well conditioned, with a strong diagonal of both signs.
    Dominant,
    /// Symmetric with eigenvalues of about 1, 2, ..., so that none are near each other.
    Spaced,
}

/// Random square matrices in the last two axes.
pub(super) fn draw(kind: Square, shape: &[usize], rng: &mut Rng) -> Tensor<f64> {
    let noise = Tensor::<f64>::rand(shape, -1.0, 1.0, rng);
    let Ok(n) = side("draw", shape) else { return noise };
    let scale = 1.0 / n.max(1) as f64;
    let diagonal = |i: usize| match kind {
        Square::Dominant => {
            if i % 3 == 1 {
                -2.0
            } else {
                2.0
            }
        }
        Square::Spaced => 1.0 + i as f64,
    };
    let last = shape.len() - 1;
    Tensor::from_fn(shape, |idx| {
        let (i, j) = (idx[last - 1], idx[last]);
        let mut mirrored = idx.to_vec();
        mirrored.swap(last - 1, last);
        let off = match kind {
            Square::Dominant => noise.at(idx) * scale,
            Square::Spaced => 0.3 * scale * (noise.at(idx) + noise.at(&mirrored)),
        };
        off + if i == j { diagonal(i) } else { 0.0 }
    })
}

/// Matrices whose columns are far from dependent.
pub(super) fn strong(shape: &[usize], rng: &mut Rng) -> Tensor<f64> {
    let noise = Tensor::<f64>::rand(shape, -1.0, 1.0, rng);
    let Ok((m, n)) = sides("draw", shape) else { return noise };
    let scale = 0.6 / (m.max(n).max(1) as f64).sqrt();
    let last = shape.len() - 1;
    let diagonal = |i: usize| if i.is_multiple_of(2) { 2.0 } else { -1.5 };
    Tensor::from_fn(shape, |idx| {
        let (i, j) = (idx[last - 1], idx[last]);
        noise.at(idx) * scale + if i == j { diagonal(i) } else { 0.0 }
    })
}

/// Each matrix of the last two axes, as a vector of rows.
pub(super) fn each(x: &Tensor<f64>) -> Vec<Vec<Vec<f64>>> {
    let (rows, cols) = (x.size(-2), x.size(-1));
    let data = x.to_vec();
    let count = x.shape()[..x.rank() - 2].iter().product();
    let row = |matrix: usize, i: usize| data[(matrix * rows + i) * cols..][..cols].to_vec();
    (0..count).map(|matrix| (0..rows).map(|i| row(matrix, i)).collect()).collect()
}

/// The solutions of systems with the same axes in front, by Gauss-Jordan elimination with pivots.
pub(super) fn eliminated(a: &Tensor<f64>, b: &Tensor<f64>) -> Tensor<f64> {
    let solutions = each(a).into_iter().zip(each(b)).flat_map(|(mut a, mut b)| {
        reduce(&mut a, &mut b);
        b.concat()
    });
    Tensor::from_vec(solutions.collect(), b.shape())
}

/// Turns `a` into the identity by row operations, which it applies to `b` as well, and returns the
/// determinant of `a`.
pub(super) fn reduce(a: &mut [Vec<f64>], b: &mut [Vec<f64>]) -> f64 {
    let mut det = 1.0;
    for i in 0..a.len() {
        let size = |&row: &usize| (a[row][i].abs() * 1e12) as i64;
        let pivot = (i..a.len()).max_by_key(size).expect("rows are left");
        if pivot != i {
            a.swap(i, pivot);
            b.swap(i, pivot);
            det = -det;
        }
        let value = a[i][i];
        det *= value;
        a[i].iter_mut().chain(&mut b[i]).for_each(|x| *x /= value);
        for row in (0..a.len()).filter(|&row| row != i) {
            let factor = a[row][i];
            for side in [&mut *a, &mut *b] {
                let pivot_row = side[i].clone();
                side[row].iter_mut().zip(pivot_row).for_each(|(x, pivot)| *x -= factor * pivot);
            }
        }
    }
    det
}
