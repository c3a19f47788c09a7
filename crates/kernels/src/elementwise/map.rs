//! The driver of all maps: walks views of any layout in blocks and hands registers to an op.
//!
//! The only code that is compiled per op, float type and instruction set is one loop over whole
//! registers (`registers`). All else is done by the driver, once per float type:
//! 1. Operands that are contiguous, as a whole or within a long run, are read in place.
//! 2. All others are first copied to a block on the stack, which stays in the L1 cache; a repeated
//!    value is written there once.
//! 3. The last elements, fewer than two of the widest registers have, go through padded blocks.
//! 4. The output may be an input too (in-place maps): each register is read before it is written.

use pulp::{Simd, WithSimd};

use crate::element::{Element, Float};
use crate::simd::Vector;
use crate::view::{Axes, Strides, View, common_shape};
use crate::{arch, array, par};

/// Elements per block on the stack.
const BLOCK: usize = 1024;
/// Elements of two of the widest registers (f32 on AVX-512); loops run over multiples of it.
const WIDEST: usize = 32;
/// Runs at least this long are worth a block of their own.
const LONG_RUN: usize = 128;
/// One task of a parallel map takes about this long, in picoseconds.
const TASK_PS: usize = 10_000_000;

/// An element-wise function of N inputs, on registers.
pub trait MapOp<T: Float, const N: usize>: Copy + Send + Sync {
    /// Estimated picoseconds per element on one thread, from which parallel loops are cut.
    const COST: usize = cost::MEMORY;

    /// The function. Must be `#[inline(always)]`.
    fn apply<S: Simd>(self, inputs: [Vector<T, S>; N]) -> Vector<T, S>;
}

/// Values for [`MapOp::COST`].
pub mod cost {
    /// Bound by memory: a few instructions, or one exponential.
    pub const MEMORY: usize = 300;
    /// Two exponentials, or several divisions.
    pub const MATH: usize = 600;
    /// A scalar function of the standard library.
    pub const SCALAR: usize = 8_000;
}

/// An input of [`map`].
#[derive(Clone, Copy, Debug)]
pub enum Input<'a, T: Element> {
    /// A view of the output's shape.
    View(View<'a, T>),
    /// What the output holds before the map.
    Output,
}

/// `y[i] = op(inputs[0][i], inputs[1][i], ...)` for all i.
///
/// # Panics
/// If the shapes of the inputs differ, or do not hold `y.len()` elements.
#[track_caller]
pub fn map<T: Float, const N: usize, Op: MapOp<T, N>>(
    op: Op,
    inputs: [Input<'_, T>; N],
    y: &mut [T],
) {
    check_shapes(&inputs, y.len());
    drive(inputs, y, Op::COST, &|inputs, y, len| {
        // SAFETY: `drive` gives pointers that fit the contract of `Registers`.
        arch::dispatch(unsafe { Registers::new(op, inputs, y, len) });
    });
}

/// As [`map`] with a scalar function, in baseline code: for what the standard library computes.
#[track_caller]
pub(super) fn map_scalar<T: Float, const N: usize>(
    f: impl Fn([T; N]) -> T + Sync,
    inputs: [Input<'_, T>; N],
    y: &mut [T],
) {
    check_shapes(&inputs, y.len());
    drive(inputs, y, cost::SCALAR, &|inputs, y, len| {
        for i in 0..len {
            // SAFETY: by the contract of `Loop`, i < len is readable in each input and writable
            // in the output.
            unsafe { y.add(i).write(f(inputs.map(|x| x.add(i).read()))) };
        }
    });
}

/// A loop of `len` steps, a multiple of [`WIDEST`]: all inputs are readable and the output is
/// writable for `len` elements; each input either equals the output or does not overlap with it.
type Loop<'a, T, const N: usize> = &'a (dyn Fn([*const T; N], *mut T, usize) + Sync);

/// Feeds `run` with all elements, in tasks that depend on the length and the cost alone.
fn drive<T: Float, const N: usize>(
    inputs: [Input<'_, T>; N],
    y: &mut [T],
    cost: usize,
    run: Loop<'_, T, N>,
) {
    let sources = inputs.map(|input| Source::new(input, y.len()));
    let task_len = (TASK_PS / cost).next_multiple_of(BLOCK);
    if y.len() <= task_len {
        return task(&sources, 0, y, run);
    }
    let work_ns = y.len() * cost / 1000;
    par::chunks_mut(y, task_len, work_ns, |index, y| {
        task(&sources, index * task_len, y, run);
    });
}

/// Panics unless all views have one shape, of `len` elements.
#[track_caller]
fn check_shapes<T: Element, const N: usize>(inputs: &[Input<'_, T>; N], len: usize) {
    let strides = inputs.each_ref().map(|input| match input {
        Input::View(view) => view.strides(),
        Input::Output => Strides::ANY,
    });
    common_shape(len, &strides);
}

/// Where the elements of one input come from.
#[expect(clippy::large_enum_variant, reason = "one per call and input, on the stack")]
enum Source<'a, T: Element> {
    Slice(&'a [T]),
    Output,
    Value(T),
    Strided(Strided<'a, T>),
}

impl<'a, T: Element> Source<'a, T> {
    fn new(input: Input<'a, T>, len: usize) -> Self {
        let Input::View(view) = input else {
            return Source::Output;
        };
        if let Some(slice) = view.as_slice() {
            return Source::Slice(slice);
        }
        let strided = Strided::new(view, len);
        match strided.axes.as_slice() {
            [axis] if axis.strides == [0] => Source::Value(strided.data[strided.offset]),
            _ => Source::Strided(strided),
        }
    }
}

/// The elements of a view in the order of its shape.
pub(super) struct Strided<'a, T: Element> {
    data: &'a [T],
    offset: usize,
    axes: Axes<1>,
}

impl<'a, T: Element> Strided<'a, T> {
    #[track_caller]
    pub(super) fn new(view: View<'a, T>, len: usize) -> Self {
        let (data, offset) = view.data();
        let axes = Axes::new(len, [view.strides()]);
        Strided { data, offset, axes }
    }

    /// The run of the innermost axis that `start` lies in: position of the element in the data,
    /// and elements left in the run.
    fn run_at(&self, start: usize) -> (usize, usize) {
        let inner = self.axes.inner();
        let (row, column) = (start / inner.len, start % inner.len);
        let [moved] = self.axes.row_offsets(row);
        let position = self.offset as isize + moved + column as isize * inner.strides[0];
        (position as usize, inner.len - column)
    }

    /// Whether runs are long, and either contiguous or one repeated value.
    fn has_long_runs(&self) -> bool {
        let inner = self.axes.inner();
        inner.len >= LONG_RUN && matches!(inner.strides, [0 | 1])
    }

    /// The elements from the `start`-th on, as many as the buffer has: in place if they lie in one
    /// run, else copied. With long runs, the caller asks for no more than the run has left.
    fn block<'b>(&'b self, start: usize, buffer: &'b mut [T]) -> &'b [T] {
        if self.has_long_runs() && self.axes.inner().strides == [1] {
            let (position, _) = self.run_at(start);
            return &self.data[position..position + buffer.len()];
        }
        self.copy_to(start, buffer);
        buffer
    }

    /// Copies the elements from the `start`-th on.
    #[inline(never)]
    pub(super) fn copy_to(&self, start: usize, block: &mut [T]) {
        let inner = self.axes.inner();
        // From one run to the next, if that is always the same way.
        let step = match self.axes.as_slice() {
            [outer, _] => Some(outer.strides[0]),
            _ => None,
        };
        let (mut position, mut left) = self.run_at(start);
        let mut run_start = position as isize - (inner.len - left) as isize * inner.strides[0];
        let mut done = 0;
        while done < block.len() {
            let run_len = left.min(block.len() - done);
            let run = &mut block[done..done + run_len];
            match inner.strides[0] {
                0 => run.fill(self.data[position]),
                1 => run.copy_from_slice(&self.data[position..position + run_len]),
                stride => {
                    let mut position = position as isize;
                    for x in run {
                        *x = self.data[position as usize];
                        position += stride;
                    }
                }
            }
            done += run_len;
            if done < block.len() {
                (position, left) = match step {
                    Some(step) => {
                        run_start += step;
                        (run_start as usize, inner.len)
                    }
                    None => self.run_at(start + done),
                };
            }
        }
    }
}

/// One contiguous piece of a map, `y`, whose first element is the `start`-th of all.
fn task<T: Float, const N: usize>(
    sources: &[Source<'_, T>; N],
    start: usize,
    y: &mut [T],
    run: Loop<'_, T, N>,
) {
    let needs_block = |source: &Source<'_, T>| !matches!(source, Source::Slice(_) | Source::Output);
    if sources.iter().any(needs_block) {
        return blocks(sources, start, y, run);
    }
    let len = y.len();
    let output = y.as_mut_ptr();
    let inputs = std::array::from_fn(|i| match &sources[i] {
        Source::Slice(x) => x[start..start + len].as_ptr(),
        _ => output.cast_const(),
    });
    // SAFETY: `y` has `len` elements; each input is a slice of `len` elements, or `y` itself.
    unsafe { whole_and_rest(inputs, output, len, run) }
}

/// A task with operands that need blocks.
fn blocks<T: Float, const N: usize>(
    sources: &[Source<'_, T>; N],
    start: usize,
    y: &mut [T],
    run: Loop<'_, T, N>,
) {
    let mut buffers = [[T::ZERO; BLOCK]; N];
    for (buffer, source) in buffers.iter_mut().zip(sources) {
        if let Source::Value(value) = source {
            buffer.fill(*value);
        }
    }
    let mut done = 0;
    while done < y.len() {
        let start = start + done;
        let mut len = BLOCK.min(y.len() - done);
        for source in sources {
            if let Source::Strided(strided) = source
                && strided.has_long_runs()
            {
                len = len.min(strided.run_at(start).1);
            }
        }
        let output = y[done..done + len].as_mut_ptr();
        let inputs = std::array::from_fn(|i| match &sources[i] {
            Source::Slice(x) => x[start..start + len].as_ptr(),
            Source::Output => output.cast_const(),
            Source::Value(_) => buffers[i].as_ptr(),
            Source::Strided(strided) => strided.block(start, &mut buffers[i][..len]).as_ptr(),
        });
        // SAFETY: `y` has `len` elements; each input is a slice of at least `len <= BLOCK`
        // elements, or `y` itself.
        unsafe { whole_and_rest(inputs, output, len, run) }
        done += len;
    }
}

/// Runs a loop of any length: what is left over behind a multiple of [`WIDEST`] goes through
/// padded copies.
///
/// # Safety
/// As [`Loop`] says, except that `len` is arbitrary.
unsafe fn whole_and_rest<T: Float, const N: usize>(
    inputs: [*const T; N],
    y: *mut T,
    len: usize,
    run: Loop<'_, T, N>,
) {
    let whole = len - len % WIDEST;
    if whole > 0 {
        run(inputs, y, whole);
    }
    if whole < len {
        let rest = len - whole;
        let mut padded = [[T::ZERO; WIDEST]; N];
        let mut result = [T::ZERO; WIDEST];
        for (padded, x) in padded.iter_mut().zip(inputs) {
            // SAFETY: the `rest` elements from `whole` on are readable; nothing writes to them
            // while the slice lives.
            let x = unsafe { std::slice::from_raw_parts(x.add(whole), rest) };
            padded[..rest].copy_from_slice(x);
        }
        run(padded.each_ref().map(|x| x.as_ptr()), result.as_mut_ptr(), WIDEST);
        // SAFETY: the `rest` elements of `y` from `whole` on are writable, and no other reference
        // to them is left.
        let y = unsafe { std::slice::from_raw_parts_mut(y.add(whole), rest) };
        y.copy_from_slice(&result[..rest]);
    }
}

/// The loop over registers, with the pointers of a [`Loop`].
struct Registers<T, Op, const N: usize> {
    op: Op,
    inputs: [*const T; N],
    y: *mut T,
    len: usize,
}

impl<T, Op, const N: usize> Registers<T, Op, N> {
    /// # Safety
    /// As [`Loop`] says.
    unsafe fn new(op: Op, inputs: [*const T; N], y: *mut T, len: usize) -> Self {
        Registers { op, inputs, y, len }
    }
}

impl<T: Float, const N: usize, Op: MapOp<T, N>> Registers<T, Op, N> {
    /// # Safety
    /// There is a register of elements from the `i`-th on.
    #[inline(always)]
    unsafe fn load<S: Simd>(&self, simd: S, i: usize) -> [Vector<T, S>; N] {
        array::map(
            self.inputs,
            #[inline(always)]
            |x| {
                // SAFETY: by this function's contract and that of `new`.
                let x = unsafe { x.add(i).cast::<T::Lanes<S>>().read_unaligned() };
                Vector::new(simd, x)
            },
        )
    }

    /// # Safety
    /// As for `load`.
    #[inline(always)]
    unsafe fn store<S: Simd>(&self, i: usize, y: Vector<T, S>) {
        // SAFETY: by this function's contract and that of `new`.
        unsafe { self.y.add(i).cast::<T::Lanes<S>>().write_unaligned(y.lanes) };
    }
}

impl<T: Float, const N: usize, Op: MapOp<T, N>> WithSimd for Registers<T, Op, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = T::lanes::<S>();
        // Two registers at a time, whose chains of dependent operations overlap. `len` is a
        // multiple of WIDEST, and so of two registers.
        let mut i = 0;
        while i + 2 * lanes <= self.len {
            // SAFETY: i + 2 * lanes <= len.
            let (first, second) = unsafe { (self.load(simd, i), self.load(simd, i + lanes)) };
            let (first, second) = (self.op.apply(first), self.op.apply(second));
            // SAFETY: as above.
            unsafe {
                self.store(i, first);
                self.store(i + lanes, second);
            }
            i += 2 * lanes;
        }
    }
}
