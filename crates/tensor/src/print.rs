//! How tensors print: nested brackets with aligned numbers, large ones shortened.

use std::fmt;

use backstitch_kernels::Element;

use crate::tensor::Tensor;

/// Above this many elements only the edges of each axis are shown.
const WHOLE: usize = 1000;
/// How many items are shown at each end of a shortened axis.
const EDGE: usize = 3;

/// The elements, as in NumPy: `[[1, 2], [3, 4]]` with a line per row.
impl<T: Element> fmt::Display for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision();
        let text = |idx: &[usize]| match precision {
            Some(digits) => format!("{:.digits$}", self.at(idx)),
            None => format!("{}", self.at(idx)),
        };
        let shown = indices(self);
        let width = shown.iter().flatten().map(|idx| text(idx).len()).max().unwrap_or(0);
        if self.numel() == 0 {
            return write!(f, "[] of shape {:?}", self.shape());
        }
        for (i, idx) in shown.iter().enumerate() {
            write_between(f, self, shown.get(i.wrapping_sub(1)), idx.as_deref())?;
            match idx {
                Some(idx) => write!(f, "{:>width$}", text(idx))?,
                None => write!(f, "...")?,
            }
        }
        write!(f, "{}", "]".repeat(self.rank()))
    }
}

/// The shape and the elements.
impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tracked = if self.is_tracked() { ", tracked" } else { "" };
        writeln!(f, "Tensor<{}> {:?}{tracked}", T::DTYPE, self.shape())?;
        fmt::Display::fmt(self, f)
    }
}

/// The indices to show, in order; `None` stands for what was left out.
fn indices<T: Element>(x: &Tensor<T>) -> Vec<Option<Vec<usize>>> {
    let shortened = x.numel() > WHOLE;
    let skips = |axis: usize, i: usize| {
        let n = x.shape()[axis];
        shortened && n > 2 * EDGE + 1 && i >= EDGE && i < n - EDGE
    };
    let mut shown = Vec::new();
    let mut idx = vec![0; x.rank()];
    if x.numel() == 0 {
        return shown;
    }
    loop {
        shown.push(Some(idx.clone()));
        let mut axis = x.rank();
        loop {
            if axis == 0 {
                return shown;
            }
            axis -= 1;
            idx[axis] += 1;
            if skips(axis, idx[axis]) {
                idx[axis] = x.shape()[axis] - EDGE;
                shown.push(None);
            }
            if idx[axis] < x.shape()[axis] {
                break;
            }
            idx[axis] = 0;
        }
    }
}

/// Closes and opens the brackets between two shown elements.
fn write_between<T: Element>(
    f: &mut fmt::Formatter<'_>,
    x: &Tensor<T>,
    before: Option<&Option<Vec<usize>>>,
    idx: Option<&[usize]>,
) -> fmt::Result {
    let rank = x.rank();
    let Some(idx) = idx else { return write!(f, ", ") };
    let Some(before) = before else { return write!(f, "{}", "[".repeat(rank)) };
    let closed = (0..rank).rev().take_while(|&axis| idx[axis] == 0).count();
    match (closed, before) {
        (0, _) => write!(f, ", "),
        _ => {
            let (close, open) = ("]".repeat(closed), "[".repeat(closed));
            write!(f, "{close},\n{}{open}", " ".repeat(rank - closed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_print_a_line_per_row() {
        let x = Tensor::from([[1.0f32, -2.5], [10.0, 4.0]]);
        assert_eq!(x.to_string(), "[[   1, -2.5],\n [  10,    4]]");
        assert_eq!(format!("{:.1}", x.transpose(0, 1)), "[[ 1.0, 10.0],\n [-2.5,  4.0]]");
    }

    #[test]
    fn scalars_empty_and_large_tensors_print() {
        assert_eq!(Tensor::scalar(3i64).to_string(), "3");
        assert_eq!(Tensor::<f32>::zeros([2, 0]).to_string(), "[] of shape [2, 0]");
        let long = Tensor::<f32>::zeros([5000]).to_string();
        assert_eq!(long, "[0, 0, 0, ..., 0, 0, 0]");
    }
}
