//! `index_put`: puts elements, or whole parts, at places that indices along several axes name.

use backstitch_kernels::Float;

use super::operand::Operand;
use crate::shape::{Shape, ShapeError, broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The tensor with `values` put where `idx` says, which has one tensor of indices for each of
    /// the first axes; or, to `accumulate`, with `values` added there.
    ///
    /// `y[idx_0[i], idx_1[i], ..] = values[i, ..]`; of several for one place, the last one stays.
    ///
    /// # Shape
    /// `x (n_1, ..., n_k, ...)`, k tensors of indices that broadcast to `(i...)`, and a number or
    /// `values` that broadcast to `(i..., ...)`, with the axes of `x` behind the first k.
    /// Negative indices count from the end.
    ///
    /// # Gradient
    /// That of [`Tensor::index_add`] to accumulate, else of [`Tensor::scatter`].
    ///
    /// # Panics
    /// When the shapes do not fit, or an index lies outside its axis.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let (rows, columns) = (Tensor::from([0i64, 1, 0]), Tensor::from([1i64, 0, -1]));
    /// let values = Tensor::from([1.0, 2.0, 4.0]);
    /// let y = Tensor::zeros([2, 2]).index_put(&[&rows, &columns], &values, true);
    /// assert_eq!(y.to_vec(), [0.0, 5.0, 2.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn index_put(
        &self,
        idx: &[&Tensor<i64>],
        values: impl Operand<T>,
        accumulate: bool,
    ) -> Tensor<T> {
        let values = values.into_tensor();
        let (rows, shape) = or_panic(places(self.shape(), idx, values.shape()));
        let (named, part) = self.shape().split_at(idx.len());
        let part = part.iter().product();
        let flat = self.reshape([named.iter().product(), part]);
        let values = values.expand(shape).reshape([rows.numel(), part]);
        let y = match accumulate {
            true => flat.index_add(0, &rows, &values),
            false => {
                let each = rows.reshape([rows.numel(), 1]).expand([rows.numel(), part]);
                flat.scatter(0, &each, &values)
            }
        };
        y.reshape(self.shape())
    }
}

/// A list of rows of `x`, once its first axes are one, and the shape of what is put there.
fn places(
    x: &[usize],
    idx: &[&Tensor<i64>],
    values: &[usize],
) -> Result<(Tensor<i64>, Shape), ShapeError> {
    let shapes: Vec<String> = idx.iter().map(|idx| format!("{:?}", idx.shape())).collect();
    let refuse = |rule: &str| {
        let got = format!("{x:?}, indices {} and values {values:?}", shapes.join(", "));
        ShapeError::new("index_put", rule, got)
    };
    if idx.is_empty() || idx.len() > x.len() {
        return Err(refuse("indices for one axis or more, and no more than there are"));
    }
    let alike = |shape: Shape, idx: &&Tensor<i64>| broadcast("index_put", &shape, idx.shape());
    let lead = idx.iter().try_fold(Shape::new(&[]), alike);
    let lead = lead.map_err(|_| refuse("indices that broadcast"))?;
    let mut shape = lead;
    shape.extend(x[idx.len()..].iter().copied());
    if broadcast("index_put", &shape, values).ok() != Some(shape) {
        return Err(refuse(&format!("values that broadcast to {shape:?}")));
    }
    let mut rows = vec![0; lead.iter().product()];
    for (axis, (idx, &n)) in idx.iter().zip(x).enumerate() {
        for (row, i) in rows.iter_mut().zip(idx.broadcast_view(&lead).to_vec()) {
            let n = n as i64;
            if !(-n..n).contains(&i) {
                return Err(refuse(&format!(
                    "indices from {} to {} along dim {axis}, not {i}",
                    -n,
                    n - 1
                )));
            }
            *row = *row * n + i.rem_euclid(n);
        }
    }
    Ok((Tensor::from(rows), shape))
}

const fn spec(
    name: &'static str,
    formula: &'static str,
    build: crate::spec::Build,
    oracle: fn(&[Tensor<f64>]) -> Tensor<f64>,
    tolerance: Tolerance,
) -> OpSpec {
    OpSpec {
        name,
        formula,
        shapes: &[
            &[&[1], &[2]],
            &[&[7], &[9]],
            &[&[4, 5], &[2, 3]],
            &[&[3, 2], &[4, 5]],
            &[&[4, 5, 2], &[3, 2, 2]],
            &[&[3, 2, 0], &[2, 2, 0]],
            &[&[256, 64, 16], &[128, 64, 16]],
        ],
        domain: Domain::Range(-2.0, 2.0),
        build,
        oracle: Oracle::Whole(oracle),
        refused: &[&[&[], &[2]], &[&[4], &[3, 2]], &[&[4, 5, 2], &[2, 3, 4]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance,
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    spec(
        "index_put",
        "y[i, j] = values[r, c] where (i, j) = idx[r, c], else x",
        build!(|x| put(x, false)),
        |x| put_by_loops(x, |_, values| *values.last().expect("only called with values")),
        Tolerance::Exact,
    ),
    spec(
        "index_put accumulate",
        "y[i, j] = x[i, j] + Σ values[r, c] where (i, j) = idx[r, c]",
        build!(|x| put(x, true)),
        |x| put_by_loops(x, |own, values| own + values.iter().sum::<f64>()),
        Tolerance::Terms(
            4.0,
            |x| put_by_loops(&abs(x), |own, values| own + values.iter().sum::<f64>()),
            "one addition per index",
        ),
    ),
];

fn abs(x: &[Tensor<f64>]) -> Vec<Tensor<f64>> {
    x.iter().map(Tensor::abs).collect()
}

/// Indices for the first axis, or the first two, some of them equal and some from the end: as many
/// along each as there are values.
fn example(x: &[usize], values: &[usize]) -> Vec<Tensor<i64>> {
    let index = |axis: usize, i: usize| {
        let (n, i) = (x[axis].max(1) as i64, i as i64);
        (i * 7 + axis as i64) % n - if i % 2 == 0 { 0 } else { n }
    };
    match (x.len(), values) {
        (0, _) => vec![Tensor::from([0i64])],
        (1, _) | (_, []) => vec![(0..values[0]).map(|i| index(0, i)).collect()],
        (_, [_]) => vec![(0..values[0]).map(|i| index(0, i)).collect()],
        (_, [m, n, ..]) => {
            let column: Tensor<i64> = (0..*m).map(|i| index(0, i)).collect();
            vec![column.reshape([*m, 1]), (0..*n).map(|i| index(1, i)).collect()]
        }
    }
}

fn put<T: Float>(x: &[Tensor<T>], accumulate: bool) -> Tensor<T> {
    let idx = example(x[0].shape(), x[1].shape());
    x[0].index_put(&idx.iter().collect::<Vec<_>>(), &x[1], accumulate)
}

/// `result` of each element's own value and of all that goes there, if anything does.
fn put_by_loops(x: &[Tensor<f64>], result: fn(f64, &[f64]) -> f64) -> Tensor<f64> {
    let (x, values) = (&x[0], &x[1]);
    let idx = example(x.shape(), values.shape());
    let k = idx.len();
    let lead = &values.shape()[..k];
    let places: Vec<Vec<usize>> = Tensor::<f64>::zeros(lead)
        .to_vec()
        .iter()
        .enumerate()
        .map(|(at, _)| match k {
            1 => vec![at],
            _ => vec![at / lead[1], at % lead[1]],
        })
        .collect();
    Tensor::from_fn(x.shape(), |at| {
        let names = |place: &&Vec<usize>| {
            (0..k).all(|axis| {
                let list = idx[axis].to_vec();
                let n = x.shape()[axis] as i64;
                list[place[axis]].rem_euclid(n) as usize == at[axis]
            })
        };
        let hits = places.iter().filter(names);
        let hits: Vec<f64> = hits.map(|place| values.at(&[place, &at[k..]].concat())).collect();
        if hits.is_empty() { x.at(at) } else { result(x.at(at), &hits) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_put_at_whole_parts() {
        let y = Tensor::<f32>::zeros([3, 2]).index_put(&[&Tensor::from([-1i64, 0])], 5.0, false);
        assert_eq!(y.to_vec(), [5.0, 5.0, 0.0, 0.0, 5.0, 5.0]);
    }

    #[test]
    fn refusals_name_what_does_not_fit() {
        let refused = |idx: &[&Tensor<i64>], values: &[usize]| {
            places(&[4, 5], idx, values).expect_err("refused").to_string()
        };
        let (one, two) = (Tensor::from([4i64]), Tensor::from([0i64, 1]));
        assert_eq!(
            refused(&[&one], &[]),
            "index_put: needs indices from -4 to 3 along dim 0, not 4; got [4, 5], indices [1] and \
             values []"
        );
        assert_eq!(
            refused(&[&two, &Tensor::from([0i64, 1, 2])], &[]),
            "index_put: needs indices that broadcast; got [4, 5], indices [2], [3] and values []"
        );
    }
}
