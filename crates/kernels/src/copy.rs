//! Copies between strided layouts: a view made contiguous, or written into a window of an output.
//!
//! The loops are ordered so that the innermost (`b`) runs along the output, and the next one
//! (`a`), if the input is transposed, along the input. Blocks of these two loops are what threads
//! share. A block is, by its strides, a run of memcpys or fills, a transpose in square tiles
//! whose cache lines are used whole, or single elements.

use crate::disjoint::Disjoint;
use crate::element::Element;
use crate::gemm::transpose::transpose as move_tiles;
use crate::par;
use crate::view::{Axes, Axis, MAX_AXES, View};

/// Elements of a task, and the longest run of a block.
const TASK: usize = 16 * 1024;

/// Side of a block of a transpose; 64 lines of 64 bytes on either side fit the L1 cache.
const SIDE: usize = 64;

/// Rows of the input that are transposed together, in registers: the elements of a cache line, so
/// that lines are read and written whole even where a power-of-two stride leaves room for few of
/// them in the cache.
const TILE: usize = 16;

/// Writes the elements of `x`, in order, to `y`.
///
/// # Panics
/// If `y` has not as many elements as the view.
pub fn copy<T: Element>(x: View<'_, T>, y: &mut [T]) {
    let axes = Axes::new(y.len(), [x.strides(), View::flat(&*y).strides()]);
    copy_axes(x, Disjoint::new(y), 0, &axes);
}

/// Writes the elements of `x`, in order, to the window of `y` that begins at `y[start]` and has
/// the given shape and strides.
///
/// # Panics
/// If the window leaves `y`, overlaps itself, or has another shape than `x`.
pub fn copy_into<T: Element>(
    x: View<'_, T>,
    y: &mut [T],
    start: usize,
    strides: &[isize],
    shape: &[usize],
) {
    let window = View::new(&*y, start, shape, strides);
    let axes = Axes::new(shape.iter().product(), [x.strides(), window.strides()]);
    assert!(
        does_not_overlap(axes.as_slice()),
        "copy_into: needs a window that does not overlap itself; got shape {shape:?} with strides {strides:?}"
    );
    copy_axes(x, Disjoint::new(y), start, &axes);
}

/// Whether no output element is reached twice: each axis steps over all that the axes of smaller
/// steps reach.
fn does_not_overlap(axes: &[Axis<2>]) -> bool {
    let step = |axis: &Axis<2>| axis.strides[1].unsigned_abs();
    let mut sorted = [(0, 0); MAX_AXES];
    let sorted = &mut sorted[..axes.len()];
    for (sorted, axis) in sorted.iter_mut().zip(axes) {
        *sorted = (step(axis), axis.len);
    }
    sorted.sort_unstable();
    let mut reach = 0;
    sorted.iter().all(|&(step, len)| {
        let steps_over = step > reach || len <= 1;
        reach += step * len.saturating_sub(1);
        steps_over
    })
}

/// A rectangle of two loops: where it begins in input and output, and its loops.
#[derive(Clone, Copy)]
struct Block {
    from: isize,
    to: isize,
    a: Axis<2>,
    b: Axis<2>,
}

fn copy_axes<T: Element>(x: View<'_, T>, y: Disjoint<'_, T>, start: usize, axes: &Axes<2>) {
    if axes.is_empty() {
        return;
    }
    let (x, offset) = x.data();
    let mut sorted = [Axis { len: 1, strides: [0; 2] }; MAX_AXES + 1];
    let axes = order(axes.as_slice(), &mut sorted);
    let (outer, inner) = axes.split_at(axes.len() - 2);
    let (a, b) = (inner[0], inner[1]);
    let (a_block, b_block) = match is_transpose(a, b) {
        true => (SIDE, SIDE),
        false => (TASK.div_ceil(b.len), TASK),
    };
    let (a_blocks, b_blocks) = (a.len.div_ceil(a_block), b.len.div_ceil(b_block));
    let blocks = outer.iter().map(|axis| axis.len).product::<usize>() * a_blocks * b_blocks;
    let group = TASK.div_ceil(a.len.min(a_block) * b.len.min(b_block));
    let elements = a.len * b.len * blocks / (a_blocks * b_blocks);
    par::for_each(blocks.div_ceil(group), elements / 2, |task| {
        for index in task * group..blocks.min((task + 1) * group) {
            let (a_first, b_first) = (index / b_blocks % a_blocks, index % b_blocks);
            let (a_first, b_first) = (a_first * a_block, b_first * b_block);
            let mut position = [offset as isize, start as isize];
            let mut rest = index / (a_blocks * b_blocks);
            for axis in outer.iter().rev() {
                advance(&mut position, axis, rest % axis.len);
                rest /= axis.len;
            }
            advance(&mut position, &a, a_first);
            advance(&mut position, &b, b_first);
            let part = |axis: Axis<2>, first: usize, len: usize| Axis {
                len: len.min(axis.len - first),
                ..axis
            };
            // SAFETY: blocks are different elements of the window, which `Axes` walks once each,
            // and `does_not_overlap` (or contiguity) makes them different places of the output.
            unsafe {
                copy_block(
                    x,
                    &y,
                    Block {
                        from: position[0],
                        to: position[1],
                        a: part(a, a_first, a_block),
                        b: part(b, b_first, b_block),
                    },
                );
            }
        }
    });
}

fn advance(position: &mut [isize; 2], axis: &Axis<2>, steps: usize) {
    position[0] += axis.strides[0] * steps as isize;
    position[1] += axis.strides[1] * steps as isize;
}

/// Orders the loops: innermost the smallest step of the output, next to it the smallest step of
/// the input. At least two loops come out.
fn order<'a>(axes: &[Axis<2>], sorted: &'a mut [Axis<2>; MAX_AXES + 1]) -> &'a [Axis<2>] {
    let count = axes.len().max(2);
    // The first of two stays an axis of length 1 where there is one loop only.
    sorted[count - axes.len()..count].copy_from_slice(axes);
    let sorted = &mut sorted[..count];
    let step = |axis: &Axis<2>, side: usize| match axis.len {
        1 => usize::MAX,
        _ => axis.strides[side].unsigned_abs(),
    };
    let nearest = |axes: &[Axis<2>], side: usize| {
        let last = axes.len() - 1;
        (0..=last).rev().min_by_key(|&i| step(&axes[i], side)).unwrap_or(last)
    };
    let b = nearest(sorted, 1);
    sorted[b..].rotate_left(1);
    let rest = &sorted[..count - 1];
    // A repeated axis (step 0) gains nothing from being near; look for the smallest real step.
    let a = (0..rest.len())
        .rev()
        .filter(|&i| rest[i].strides[0] != 0)
        .min_by_key(|&i| step(&rest[i], 0))
        .unwrap_or(rest.len() - 1);
    sorted[a..count - 1].rotate_left(1);
    sorted
}

/// Whether `a` runs along the input and `b` along the output.
fn is_transpose(a: Axis<2>, b: Axis<2>) -> bool {
    a.strides[0] == 1 && b.strides[1] == 1 && b.strides[0] > 1
}

/// Copies one block.
///
/// # Safety
/// Nobody else uses the output elements of the block.
unsafe fn copy_block<T: Element>(x: &[T], y: &Disjoint<'_, T>, block: Block) {
    let Block { from, to, a, b } = block;
    if is_transpose(a, b) {
        // SAFETY: as this function's.
        return unsafe { transpose(x, y, block) };
    }
    for row in 0..a.len as isize {
        let from = from + row * a.strides[0];
        let to = to + row * a.strides[1];
        if b.strides[1] == 1 {
            let (from, to) = (from as usize, to as usize);
            // SAFETY: these elements belong to the block.
            let y = unsafe { y.range(to..to + b.len) };
            match b.strides[0] {
                1 => y.copy_from_slice(&x[from..from + b.len]),
                0 => y.fill(x[from]),
                stride => gather(x, from, stride, y),
            }
            continue;
        }
        for i in 0..b.len as isize {
            let from = (from + i * b.strides[0]) as usize;
            let to = (to + i * b.strides[1]) as usize;
            // SAFETY: this element belongs to the block.
            let y = unsafe { y.range(to..to + 1) };
            y[0] = x[from];
        }
    }
}

/// `y[i] = x[from + i stride]`
fn gather<T: Copy>(x: &[T], from: usize, stride: isize, y: &mut [T]) {
    if stride > 0 {
        for (y, &x) in y.iter_mut().zip(x[from..].iter().step_by(stride as usize)) {
            *y = x;
        }
    } else {
        for (i, y) in y.iter_mut().enumerate() {
            *y = x[(from as isize + i as isize * stride) as usize];
        }
    }
}

/// `y[i, j] = x[j, i]` for a block with i along `a` and j along `b`.
///
/// # Safety
/// Nobody else uses the output elements of the block.
unsafe fn transpose<T: Element>(x: &[T], y: &Disjoint<'_, T>, block: Block) {
    let Block { from, to, a, b } = block;
    let x = &x[from as usize..];
    let x_step = b.strides[0] as usize;
    let whole = match a.strides[1] {
        // Rows of the output that lie in memory as they are counted.
        1.. => b.len / TILE * TILE,
        _ => 0,
    };
    if whole > 0 {
        let (y_step, last) = (a.strides[1] as usize, (a.len - 1) * a.strides[1] as usize);
        // The block's corners: everything between them is in the slices.
        let (rows, to) = (&x[..(whole - 1) * x_step + a.len], to as usize);
        // SAFETY: the columns of these rows belong to the block, and only they are written.
        let y = unsafe { y.range(to..to + last + whole) };
        // SAFETY: `rows` holds `whole` rows of `a.len` elements, `x_step` apart; `y` holds `a.len`
        // rows of `whole` elements, `y_step` apart.
        unsafe { transpose_tiles((rows, x_step), whole, a.len, (y, y_step)) };
    }
    for i in 0..a.len {
        let first = (to + i as isize * a.strides[1]) as usize + whole;
        // SAFETY: these elements belong to the block.
        let y = unsafe { y.range(first..first + b.len - whole) };
        if !y.is_empty() {
            gather(x, whole * x_step + i, x_step as isize, y);
        }
    }
}

/// Writes `rows` rows of `len` elements as `len` rows of `rows` elements, `rows` a multiple of
/// [`TILE`].
///
/// # Safety
/// `x` holds the rows, `x_step` apart, and `y` has room for theirs, `y_step` apart.
unsafe fn transpose_tiles<T: Element>(
    (x, x_step): (&[T], usize),
    rows: usize,
    len: usize,
    (y, y_step): (&mut [T], usize),
) {
    let (x, y, x_step) = (x.as_ptr(), y.as_mut_ptr(), x_step as isize);
    // SAFETY: by this function's contract. Elements are only moved, so that any type of their size
    // will do.
    unsafe {
        match size_of::<T>() {
            4 => move_tiles::<f32>((x.cast(), x_step), rows, len, (y.cast(), y_step), rows),
            8 => move_tiles::<f64>((x.cast(), x_step), rows, len, (y.cast(), y_step), rows),
            _ => {
                for i in 0..len {
                    for j in 0..rows {
                        *y.add(i * y_step + j) = *x.offset(j as isize * x_step + i as isize);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::*;

    /// The positions a layout reaches, in order.
    fn positions(start: usize, shape: &[usize], strides: &[isize]) -> Vec<usize> {
        let mut all = vec![start as isize];
        for (&len, &stride) in shape.iter().zip(strides) {
            all = all.iter().flat_map(|p| (0..len as isize).map(move |i| p + i * stride)).collect();
        }
        all.iter().map(|&p| p as usize).collect()
    }

    /// Start, strides and extent of a window of `shape` whose axes lie in memory in the order
    /// `order`, each `gap` longer than needed, some backwards, some (if allowed) repeated.
    fn layout(
        shape: &[usize],
        order: &[usize],
        kinds: &[u8],
        repeat: bool,
    ) -> (usize, Vec<isize>, usize) {
        let mut strides = vec![0; shape.len()];
        let (mut start, mut step) = (0, 1);
        for &axis in order {
            let kind = kinds[axis];
            if repeat && kind.is_multiple_of(4) {
                continue;
            }
            let len = shape[axis].max(1);
            strides[axis] = step as isize;
            if kind.is_multiple_of(5) {
                strides[axis] = -strides[axis];
                start += step * (len - 1);
            }
            step *= len + usize::from(kind.is_multiple_of(3));
        }
        (start, strides, step)
    }

    fn check<T: Element>(
        x: &[T],
        y: &[T],
        shape: &[usize],
        from: (usize, &[isize]),
        to: (usize, &[isize]),
    ) {
        let view = View::new(x, from.0, shape, from.1);
        let sources = positions(from.0, shape, from.1);
        let want: Vec<T> = sources.iter().map(|&p| x[p]).collect();
        let mut out = vec![T::default(); want.len()];
        copy(view, &mut out);
        assert_eq!(out, want, "copy {shape:?} {from:?}");

        let mut out = y.to_vec();
        copy_into(view, &mut out, to.0, to.1, shape);
        let mut want = y.to_vec();
        for (&p, &source) in positions(to.0, shape, to.1).iter().zip(&sources) {
            want[p] = x[source];
        }
        assert_eq!(out, want, "copy_into {shape:?} {from:?} {to:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn equals_its_twin(
            shape in prop::collection::vec(prop_oneof![0..4usize, 0..20usize, Just(1)], 0..5),
            keys in prop::collection::vec(any::<u8>(), 20),
            seed: u64,
        ) {
            let sorted = |keys: &[u8]| {
                let mut order: Vec<usize> = (0..shape.len()).collect();
                order.sort_by_key(|&axis| keys[axis]);
                order
            };
            let (x_start, x_strides, x_len) = layout(&shape, &sorted(&keys), &keys[5..], true);
            let (y_start, y_strides, y_len) = layout(&shape, &sorted(&keys[10..]), &keys[15..], false);
            let x: Vec<f32> = values(x_len, seed);
            let y: Vec<f32> = values(y_len, !seed);
            let (from, to) = ((x_start, &x_strides[..]), (y_start, &y_strides[..]));
            check(&x, &y, &shape, from, to);
            let x: Vec<bool> = x.iter().map(|&x| x > 0.0).collect();
            let y: Vec<bool> = y.iter().map(|&y| y > 0.0).collect();
            check(&x, &y, &shape, from, to);
        }
    }

    #[test]
    fn large_copies_equal_their_twins() {
        let x: Vec<f64> = values(70_000, 1);
        let y: Vec<f64> = values(70_000, 2);
        let cases: [(&[usize], &[isize], &[isize]); 6] = [
            (&[70_000], &[1], &[1]),
            (&[70_000], &[0], &[1]),
            (&[250, 273], &[1, 250], &[273, 1]),
            (&[250, 273], &[0, 1], &[273, 1]),
            (&[20, 33, 100], &[3300, 1, 33], &[1, 20, 660]),
            (&[20, 33, 100], &[3300, 100, 1], &[3300, 1, 33]),
        ];
        for (shape, from, to) in cases {
            check(&x, &y, shape, (0, from), (0, to));
        }
    }

    #[test]
    fn a_large_transpose_on_many_threads() {
        let x: Vec<f32> = values(1000 * 700, 3);
        assert_same_on_threads(|| {
            let mut y = vec![0.0; x.len()];
            copy(View::new(&x, 0, &[700, 1000], &[1, 700]), &mut y);
            assert!((0..x.len()).all(|i| y[i] == x[i % 1000 * 700 + i / 1000]));
            bits(&y)
        });
    }

    #[test]
    #[should_panic(expected = "copy_into: needs a window that does not overlap itself")]
    fn an_overlapping_window_is_refused() {
        copy_into(View::flat(&[1.0f32; 6]), &mut [0.0; 9], 0, &[2, 1], &[2, 3]);
    }
}
