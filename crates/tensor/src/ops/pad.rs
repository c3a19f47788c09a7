//! `pad`: makes axes longer at their ends, or shorter.

use backstitch_kernels::{Element, copy};

use super::moves;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, contiguous_strides, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

/// What [`Tensor::pad`] puts beyond the ends of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode<T: Element = f32> {
    /// A number.
    Constant(T),
    /// The elements from the end inwards, without the one at the end: `c b | a b c | b a`. Where
    /// more are needed than there are, it turns round again, as in NumPy.
    Reflect,
    /// The element at the end: `a a | a b c | c c`.
    Replicate,
    /// The elements from the other end: `b c | a b c | a b`.
    Circular,
}

impl<T: Element> Tensor<T> {
    /// Puts so many elements before and after each of the last axes; a negative number cuts
    /// elements off.
    ///
    /// `pads` has one pair (before, after) for each of the last axes, in their order, so the last
    /// pair is that of the last axis. (PyTorch's flat list begins with the last axis.)
    ///
    /// # Shape
    /// `x (A, B, C)` with `[(a, b), (c, d)]` to `y (A, a + B + b, c + C + d)`.
    ///
    /// # Gradient
    /// `dx` is the sum of `dy` over the places that the element went to.
    ///
    /// # Panics
    /// When there are more pairs than axes, an axis would be shorter than 0, or one without
    /// elements is to be padded by something else than a constant.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{PadMode, Tensor};
    ///
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// assert_eq!(x.pad([(1, 2)], PadMode::Constant(0.0)).to_vec(), [0.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
    /// assert_eq!(x.pad([(2, 1)], PadMode::Reflect).to_vec(), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    /// assert_eq!(x.pad([(-1, 1)], PadMode::Circular).to_vec(), [2.0, 3.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn pad(&self, pads: impl AsRef<[(isize, isize)]>, mode: PadMode<T>) -> Tensor<T> {
        let pads = pads.as_ref();
        or_panic(shape_rule(self.shape(), pads, matches!(mode, PadMode::Constant(_))));
        let first = self.rank() - pads.len();
        if let PadMode::Constant(value) = mode {
            return constant(self, first, pads, value);
        }
        let mut y = self.clone();
        for (axis, &(before, after)) in (first..).zip(pads) {
            if (before, after) != (0, 0) {
                y = extended(&y, axis, before, after, mode);
            }
        }
        y
    }
}

fn shape_rule(x: &[usize], pads: &[(isize, isize)], constant: bool) -> Result<(), ShapeError> {
    let got = || format!("{pads:?} for {x:?}");
    if pads.len() > x.len() {
        return Err(ShapeError::new("pad", "at most one pair per axis", got()));
    }
    for (&size, &(before, after)) in x[x.len() - pads.len()..].iter().zip(pads) {
        if size as isize + before.min(0) + after.min(0) < 0 {
            return Err(ShapeError::new("pad", "to leave a length of 0 or more", got()));
        }
        if size == 0 && !constant && (before > 0 || after > 0) {
            return Err(ShapeError::new("pad", "elements to continue an axis with", got()));
        }
    }
    Ok(())
}

/// Cuts what is to be cut, then puts the rest into a tensor full of `value`.
#[track_caller]
fn constant<T: Element>(
    x: &Tensor<T>,
    first: usize,
    pads: &[(isize, isize)],
    value: T,
) -> Tensor<T> {
    let mut kept = x.clone();
    let mut start = Shape::new(&vec![0; x.rank()]);
    let mut shape = Shape::new(x.shape());
    for (axis, &(before, after)) in (first..).zip(pads) {
        let cut = (-before).max(0) as usize;
        let len = x.shape()[axis] - cut - (-after).max(0) as usize;
        if len < x.shape()[axis] {
            kept = kept.narrow(axis as isize, cut, len);
        }
        start[axis] = before.max(0) as usize;
        shape[axis] = start[axis] + len + after.max(0) as usize;
    }
    match shape[..] == *kept.shape() {
        true => kept,
        false => apply(PadConstant { start, shape, value }, [&kept]),
    }
}

/// The input at `start` inside of a tensor of `shape` that is otherwise full of `value`.
struct PadConstant<T: Element> {
    start: Shape,
    shape: Shape,
    value: T,
}

impl<T: Element> Op<T, 1> for PadConstant<T> {
    const NAME: &'static str = "pad";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        Tensor::build(&self.shape, |y| {
            y.fill(self.value);
            let strides = contiguous_strides(&self.shape);
            let start = self.start.iter().zip(strides.iter()).map(|(&i, &s)| i * s as usize).sum();
            if x.numel() > 0 {
                copy::copy_into(x.view(), y, start, &strides, x.shape());
            }
        })
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        let mut dx = dy.clone();
        for (axis, &len) in at.shape(0).iter().enumerate() {
            if len < dy.shape()[axis] {
                dx = dx.narrow(axis as isize, self.start[axis], len);
            }
        }
        [Some(dx)]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        let zeros = PadConstant { value: T::default(), start: self.start, shape: self.shape };
        apply(zeros, [dx.expect("the only input moves")])
    }
}

/// One axis, continued by its own elements: a few stretches of it, forward, backward or of one
/// element, one after the other.
#[track_caller]
fn extended<T: Element>(
    x: &Tensor<T>,
    axis: usize,
    before: isize,
    after: isize,
    mode: PadMode<T>,
) -> Tensor<T> {
    let size = x.shape()[axis] as isize;
    let sources: Vec<isize> =
        (-before..size + after).map(|place| source(place, size, mode)).collect();
    let dim = axis as isize;
    let mut parts = Vec::new();
    let mut rest = &sources[..];
    while let Some(&start) = rest.first() {
        let step = rest.get(1).map_or(1, |next| next - start);
        let step = if step.abs() <= 1 { step } else { 1 };
        let goes_on = |(i, &source): (usize, &isize)| source == start + i as isize * step;
        let len = rest.iter().enumerate().take_while(|&at| goes_on(at)).count();
        rest = &rest[len..];
        parts.push(match step {
            1 => x.narrow(dim, start as usize, len),
            -1 => x.slice_step(dim, start + 1 - len as isize..=start, -1),
            _ => {
                let mut shape = Shape::new(x.shape());
                shape[axis] = len;
                x.narrow(dim, start as usize, 1).expand(shape)
            }
        });
    }
    match parts.is_empty() {
        true => x.narrow(dim, 0, 0),
        false => Tensor::concat(&parts, dim),
    }
}

/// Which of `size` elements stands at a place that may lie beyond the ends.
fn source<T: Element>(place: isize, size: isize, mode: PadMode<T>) -> isize {
    match mode {
        PadMode::Constant(_) => unreachable!("constants are not taken from the axis"),
        PadMode::Replicate => place.clamp(0, size - 1),
        PadMode::Circular => place.rem_euclid(size),
        PadMode::Reflect => {
            let turn = (size - 1).max(1);
            let place = place.rem_euclid(2 * turn);
            place.min(2 * turn - place).min(size - 1)
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    moves::spec(
        "pad",
        "y[i] = x[i - 1] inside, 0.5 outside, with the last axis cut by 1 at its end",
        moves::MATRICES,
        &[&[&[0]], &[&[]]],
        build!(|x| x[0].pad([(1, 2), (0, -1)], PadMode::Constant(T::from_f64(0.5)))),
        |x| {
            let (rank, mut shape) = (x[0].rank(), x[0].shape().to_vec());
            shape[rank - 2] += 3;
            shape[rank - 1] -= 1;
            Tensor::from_fn(shape, |idx| match idx[rank - 2].checked_sub(1) {
                Some(i) if i < x[0].size(-2) => moves::at(&x[0], idx, rank - 2, i),
                _ => 0.5,
            })
        },
    ),
    moves::spec(
        "pad reflect",
        "y = x continued by its mirror image at both ends of the first axis",
        &[&[&[2]], &[&[3]], &[&[7]], &[&[4, 17]], &[&[5, 0]], &[&[256, 1024]]],
        &[&[&[0]]],
        build!(|x| padded(&x[0], PadMode::Reflect)),
        |x| {
            let n = x[0].shape()[0];
            // A full period of the mirror image is 2 n - 2 places.
            let from = |i: usize| (i + 2 * (2 * n - 2) - 2) % (2 * n - 2);
            moves::along_first(&x[0], n + 5, |i| from(i).min(2 * n - 2 - from(i)))
        },
    ),
    moves::spec(
        "pad replicate",
        "y = x continued by its end elements along the first axis",
        moves::SHAPES,
        &[&[&[0]]],
        build!(|x| padded(&x[0], PadMode::Replicate)),
        |x| {
            let n = x[0].shape()[0];
            moves::along_first(&x[0], n + 5, |i| i.saturating_sub(2).min(n - 1))
        },
    ),
    moves::spec(
        "pad circular",
        "y[i] = x[(i - 2) mod n], along the first axis",
        moves::SHAPES,
        &[&[&[0]]],
        build!(|x| padded(&x[0], PadMode::Circular)),
        |x| {
            let n = x[0].shape()[0];
            moves::along_first(&x[0], n + 5, |i| (i + 2 * n - 2) % n)
        },
    ),
];

/// The first axis made 2 and 3 elements longer.
#[track_caller]
fn padded<T: Element>(x: &Tensor<T>, mode: PadMode<T>) -> Tensor<T> {
    let mut pads = vec![(0, 0); x.rank()];
    pads[0] = (2, 3);
    x.pad(pads, mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_numpy() {
        let x = Tensor::from([0i64, 1, 2]);
        let check = |pads, mode, want: &[i64]| {
            assert_eq!(x.pad([pads], mode).to_vec(), want, "{pads:?} {mode:?}");
        };
        check((5, 6), PadMode::Reflect, &[1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0]);
        check((4, 4), PadMode::Circular, &[2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
        check((2, 1), PadMode::Replicate, &[0, 0, 0, 1, 2, 2]);
        check((-1, 2), PadMode::Reflect, &[1, 2, 1, 0]);
        check((1, -3), PadMode::Constant(9), &[9]);
        check((-2, -1), PadMode::Replicate, &[]);
        assert_eq!(Tensor::from([5i64]).pad([(2, 1)], PadMode::Reflect).to_vec(), [5; 4]);
    }

    #[test]
    fn refusals_name_pads_and_shape() {
        let check = |x: &[usize], pads: &[(isize, isize)], want: &str| {
            assert_eq!(shape_rule(x, pads, false).unwrap_err().to_string(), want);
        };
        check(
            &[3],
            &[(-2, -2)],
            "pad: needs to leave a length of 0 or more; got [(-2, -2)] for [3]",
        );
        check(
            &[3],
            &[(0, 0); 2],
            "pad: needs at most one pair per axis; got [(0, 0), (0, 0)] for [3]",
        );
        check(
            &[0],
            &[(1, 0)],
            "pad: needs elements to continue an axis with; got [(1, 0)] for [0]",
        );
    }

    #[test]
    fn one_end_alone_is_continued() {
        let x = Tensor::from([0i64, 1, 2]);
        assert_eq!(x.pad([(1, 0)], PadMode::Replicate).to_vec(), [0, 0, 1, 2]);
        assert_eq!(x.pad([(0, 1)], PadMode::Replicate).to_vec(), [0, 1, 2, 2]);
        assert_eq!(x.pad([(-1, 2)], PadMode::Constant(9)).to_vec(), [1, 2, 9, 9]);
        assert_eq!(x.pad([(2, -2)], PadMode::Constant(9)).to_vec(), [9, 9, 0]);
    }
}
