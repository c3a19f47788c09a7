//! Sparse linear maps along one axis: interpolation of images, and its gradient.

use crate::element::{Float, per_float};
use crate::reduce::Split;
use crate::{arch, par};

/// A sparse matrix: each row a sum of columns with weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    columns: usize,
    /// Where each row's terms begin, and where the last row's end.
    starts: Vec<usize>,
    /// Column and weight.
    terms: Vec<(usize, f64)>,
}

impl Rows {
    /// A matrix of `columns` columns with the terms of each row.
    ///
    /// # Panics
    /// When a term's column is not below `columns`.
    pub fn new(columns: usize, rows: impl IntoIterator<Item = Vec<(usize, f64)>>) -> Rows {
        let (mut starts, mut terms) = (vec![0], Vec::new());
        for row in rows {
            for &(column, _) in &row {
                assert!(column < columns, "resample: needs a column below {columns}; got {column}");
            }
            terms.extend(row);
            starts.push(terms.len());
        }
        Rows { columns, starts, terms }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Column and weight of each term of a row.
    pub fn row(&self, row: usize) -> &[(usize, f64)] {
        &self.terms[self.starts[row]..self.starts[row + 1]]
    }

    /// Rows and columns exchanged.
    pub fn transposed(&self) -> Rows {
        let mut columns = vec![Vec::new(); self.columns];
        for row in 0..self.len() {
            for &(column, weight) in self.row(row) {
                columns[column].push((row, weight));
            }
        }
        Rows::new(self.len(), columns)
    }
}

/// `y[o, r, i] = Σ weight x[o, column, i]` over the terms of row `r`, along the axis of `split`.
///
/// # Panics
/// When lengths do not fit.
#[track_caller]
pub fn resample<T: Float>(x: &[T], split: Split, rows: &Rows, y: &mut [T]) {
    let (input, output) = (split.elements(), split.outer * rows.len() * split.inner);
    assert!(
        x.len() == input && y.len() == output && rows.columns() == split.axis,
        "resample: needs {input} and {output} elements, {} columns; got {} and {}, {}",
        split.axis,
        x.len(),
        y.len(),
        rows.columns()
    );
    per_float!(T: map(x: &[T], split: Split, rows: &Rows, y: &mut [T]))
}

/// Elements of a task.
const TASK: usize = 16 * 1024;

fn map<T: Float>(x: &[T], split: Split, rows: &Rows, y: &mut [T]) {
    if y.is_empty() {
        return;
    }
    let Split { axis, inner, .. } = split;
    let group = TASK.div_ceil(inner);
    let weights: Vec<T> = rows.terms.iter().map(|term| T::from_f64(term.1)).collect();
    let work = x.len() + 2 * y.len();
    par::chunks_mut(y, group * inner, work, |task, y| {
        arch::inlined_narrow(
            #[inline(always)]
            || {
                for (at, y) in y.chunks_exact_mut(inner).enumerate() {
                    let line = task * group + at;
                    let (outer, row) = (line / rows.len(), line % rows.len());
                    let x = &x[outer * axis * inner..(outer + 1) * axis * inner];
                    let terms = rows.starts[row]..rows.starts[row + 1];
                    add_terms(x, &rows.terms[terms.clone()], &weights[terms], y);
                }
            },
        );
    });
}

#[inline(always)]
fn add_terms<T: Float>(x: &[T], terms: &[(usize, f64)], weights: &[T], y: &mut [T]) {
    y.fill(T::ZERO);
    for (&(column, _), &weight) in terms.iter().zip(weights) {
        let x = &x[column * y.len()..(column + 1) * y.len()];
        for (y, &x) in y.iter_mut().zip(x) {
            *y += weight * x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn check<T: Float>(split: Split, rows: &Rows) {
        let x: Vec<T> = values(split.elements(), 1);
        let mut y = vec![T::NAN; split.outer * rows.len() * split.inner];
        resample(&x, split, rows, &mut y);
        let want: Vec<f64> = (0..y.len())
            .map(|at| {
                let (line, i) = (at / split.inner, at % split.inner);
                let (o, row) = (line / rows.len(), line % rows.len());
                let term = |&(column, weight): &(usize, f64)| {
                    weight * x[(o * split.axis + column) * split.inner + i].to_f64()
                };
                rows.row(row).iter().map(term).sum()
            })
            .collect();
        assert_within(split, &y, &want, |_| 40.0 * T::EPSILON.to_f64());
    }

    #[test]
    fn equals_its_twin_and_transposes() {
        let row = |r: usize| (0..r % 4).map(|t| ((r * 3 + t) % 7, 0.5 - t as f64)).collect();
        let rows = Rows::new(7, (0..5).map(row));
        let back = rows.transposed().transposed();
        assert_eq!(back.len(), 5);
        for r in 0..5 {
            let sorted = |rows: &Rows| {
                let mut terms = rows.row(r).to_vec();
                terms.sort_by(|a, b| a.partial_cmp(b).unwrap());
                terms
            };
            assert_eq!(sorted(&back), sorted(&rows));
        }
        on_each_isa(|_| {
            for (outer, inner) in [(0, 3), (3, 1), (2, 40), (300, 70)] {
                check::<f32>(Split { outer, axis: 7, inner }, &rows);
                check::<f64>(Split { outer, axis: 7, inner }, &rows);
            }
        });
        let x: Vec<f32> = values(7 * 300 * 70, 2);
        assert_same_on_threads(|| {
            let mut y = vec![0.0; 5 * 300 * 70];
            resample(&x, Split { outer: 300, axis: 7, inner: 70 }, &rows, &mut y);
            bits(&y)
        });
    }
}
