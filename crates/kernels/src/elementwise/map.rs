//! The driver of all maps: walks views of any layout in blocks and hands registers to an op.
//!
//! The only code that is compiled per op, float type and instruction set is one loop over whole
//! registers (`registers`). All else is done by the driver, once per float type:
//! 1. Operands that are contiguous, as a whole or together within long runs, are read in place; what
//!    repeats one value there is read from one place.
//! 2. All others are first copied to a block on the stack, which stays in the L1 cache.
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
/// Runs at least this long are worth a loop of their own.
const LONG_RUN: usize = 128;
/// The most runs that one call takes.
const RUNS: usize = 8;
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
    drive(inputs, y, Op::COST, &Vectors(op));
}

/// As [`map`] with a scalar function, in baseline code: for what the standard library computes.
#[track_caller]
pub(super) fn map_scalar<T: Float, const N: usize>(
    f: impl Fn([T; N]) -> T + Sync,
    inputs: [Input<'_, T>; N],
    y: &mut [T],
) {
    drive(inputs, y, cost::SCALAR, &Scalars(f));
}

/// The loop over the elements of a map, all that is compiled per op: a trait of its own, because
/// the compiler makes each `dyn Fn` twice.
trait Loop<T, const N: usize>: Sync {
    /// Runs over `(runs, len)` elements.
    ///
    /// # Safety
    /// `len` is a multiple of [`WIDEST`]; the output is writable for all elements, without gaps. Of
    /// each run, each input that walks is readable for `len` elements and either equals the output
    /// or does not overlap with it; each that stays is readable for [`WIDEST`] elements.
    unsafe fn run(&self, inputs: [Walk<T>; N], y: *mut T, shape: (usize, usize));
}

struct Vectors<Op>(Op);

impl<T: Float, const N: usize, Op: MapOp<T, N>> Loop<T, N> for Vectors<Op> {
    unsafe fn run(&self, inputs: [Walk<T>; N], y: *mut T, shape: (usize, usize)) {
        // By the caller's promise, which is what the fields of `Registers` stand for.
        arch::dispatch_for::<T, _>(Registers { op: self.0, inputs, y, shape });
    }
}

struct Scalars<F>(F);

impl<T: Float, const N: usize, F: Fn([T; N]) -> T + Sync> Loop<T, N> for Scalars<F> {
    unsafe fn run(&self, inputs: [Walk<T>; N], y: *mut T, (runs, len): (usize, usize)) {
        for run in 0..runs {
            for i in 0..len {
                // SAFETY: by the caller's promise, i < len is readable in each input and writable
                // in the output.
                unsafe {
                    let y = y.add(run * len + i);
                    y.write((self.0)(inputs.map(|x| x.run(run).at(i).read())));
                }
            }
        }
    }
}

/// How a loop reads an input: element by element, or one block of equal elements over and over.
struct Walk<T> {
    start: *const T,
    /// Of the bits of a position, all or none.
    mask: usize,
    /// Elements from one run to the next.
    step: isize,
}

impl<T> Clone for Walk<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Walk<T> {}

impl<T> Walk<T> {
    fn along(start: *const T) -> Self {
        Walk { start, mask: usize::MAX, step: 0 }
    }

    /// One block for each run.
    fn staying(blocks: &[[T; WIDEST]]) -> Self {
        Walk { start: blocks.as_ptr().cast(), mask: 0, step: WIDEST as isize }
    }

    /// The input of the `run`-th run.
    #[inline(always)]
    fn run(self, run: usize) -> Self {
        Walk { start: self.start.wrapping_offset(run as isize * self.step), ..self }
    }

    /// Where the elements from the `i`-th on are read.
    ///
    /// # Safety
    /// If the input walks, `i` lies in it or at its end.
    #[inline(always)]
    unsafe fn at(self, i: usize) -> *const T {
        // SAFETY: by this function's contract; one that stays is read at its start.
        unsafe { self.start.add(i & self.mask) }
    }
}

/// Feeds `body` with all elements, in tasks that depend on the length and the cost alone.
#[track_caller]
#[inline(never)]
fn drive<T: Float, const N: usize>(
    inputs: [Input<'_, T>; N],
    y: &mut [T],
    cost: usize,
    body: &dyn Loop<T, N>,
) {
    check_shapes(&inputs, y.len());
    let sources = inputs.map(|input| Source::new(input, y.len()));
    let strided = sources.iter().any(|source| matches!(source, Source::Strided(_)));
    let runs = if strided { Runs::new(inputs, y) } else { None };
    let task = |start: usize, y: &mut [T]| match &runs {
        Some(runs) => along_runs(runs, start, y, body),
        None if strided => blocks(&sources, start, y, body),
        None => straight(&sources, start, y, body),
    };
    let task_len = (TASK_PS / cost).next_multiple_of(BLOCK);
    if y.len() <= task_len {
        return task(0, y);
    }
    let work_ns = y.len() * cost / 1000;
    par::chunks_mut(y, task_len, work_ns, |index, y| task(index * task_len, y));
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

/// Operands whose innermost loop in step is long, and along which each walks by one or stays.
struct Runs<'a, T: Element, const N: usize> {
    /// Data and position of the first element; nothing where the output is the input.
    data: [Option<(&'a [T], usize)>; N],
    axes: Axes<N>,
}

impl<'a, T: Element, const N: usize> Runs<'a, T, N> {
    fn new(inputs: [Input<'a, T>; N], y: &[T]) -> Option<Self> {
        let output = View::flat(y);
        let strides = inputs.each_ref().map(|input| match input {
            Input::View(view) => view.strides(),
            Input::Output => output.strides(),
        });
        let axes = Axes::new(y.len(), strides);
        let inner = axes.inner();
        let long = inner.len >= LONG_RUN && inner.strides.iter().all(|step| matches!(step, 0 | 1));
        let data = inputs.map(|input| match input {
            Input::View(view) => Some(view.data()),
            Input::Output => None,
        });
        long.then_some(Runs { data, axes })
    }
}

/// One contiguous piece of a map, `y`, whose first element is the `start`-th of all: run by run.
fn along_runs<T: Float, const N: usize>(
    runs: &Runs<'_, T, N>,
    start: usize,
    y: &mut [T],
    body: &dyn Loop<T, N>,
) {
    let inner = runs.axes.inner();
    let (rows, steps) = match runs.axes.as_slice() {
        [.., rows, _] => (rows.len, rows.strides),
        _ => (1, [0; N]),
    };
    let (mut row, mut column) = (start / inner.len, start % inner.len);
    let mut rows_left = rows - row % rows;
    let mut moved = runs.axes.row_offsets(row);
    let mut values = [[[T::ZERO; WIDEST]; RUNS]; N];
    let mut done = 0;
    while done < y.len() {
        let len = (inner.len - column).min(y.len() - done);
        // Whole runs go together, unless a rest of each must be padded.
        let together = match len == inner.len && len.is_multiple_of(WIDEST) {
            true => RUNS.min(rows_left).min((y.len() - done) / len),
            false => 1,
        };
        let output = y[done..done + together * len].as_mut_ptr();
        let mut inputs = [Walk { step: len as isize, ..Walk::along(output.cast_const()) }; N];
        for (i, input) in inputs.iter_mut().enumerate() {
            let Some((data, offset)) = runs.data[i] else { continue };
            let first =
                |run: usize| (offset as isize + moved[i] + run as isize * steps[i]) as usize;
            *input = match inner.strides[i] {
                0 => {
                    let blocks = &mut values[i][..together];
                    blocks.iter_mut().enumerate().for_each(|(run, b)| b.fill(data[first(run)]));
                    Walk::staying(blocks)
                }
                _ => {
                    let slice = |run: usize| &data[first(run) + column..first(run) + column + len];
                    // The runs between these two lie between them.
                    let (start, _) = (slice(0), slice(together - 1));
                    Walk { step: steps[i], ..Walk::along(start.as_ptr()) }
                }
            };
        }
        // SAFETY: `y` has these elements; each input is slices of `len` elements, or `y` itself, or
        // stays.
        unsafe {
            match together {
                1 => whole_and_rest(inputs, output, len, body),
                _ => body.run(inputs, output, (together, len)),
            }
        }
        done += together * len;
        (row, column, rows_left) = (row + together, 0, rows_left - together);
        if rows_left == 0 {
            (rows_left, moved) = (rows, runs.axes.row_offsets(row));
        } else {
            let moves = moved.iter_mut().zip(steps);
            moves.for_each(|(moved, step)| *moved += together as isize * step);
        }
    }
}

/// A piece without strided operands: all at once.
fn straight<T: Float, const N: usize>(
    sources: &[Source<'_, T>; N],
    start: usize,
    y: &mut [T],
    body: &dyn Loop<T, N>,
) {
    let len = y.len();
    let output = y.as_mut_ptr();
    let mut values = [[T::ZERO; WIDEST]; N];
    let mut inputs = [Walk::along(output.cast_const()); N];
    for ((input, source), block) in inputs.iter_mut().zip(sources).zip(&mut values) {
        match source {
            Source::Slice(x) => *input = Walk::along(x[start..start + len].as_ptr()),
            Source::Value(value) => {
                block.fill(*value);
                *input = Walk::staying(std::slice::from_ref(block));
            }
            Source::Output | Source::Strided(_) => {}
        }
    }
    // SAFETY: `y` has `len` elements; each input is a slice of `len` elements, or `y` itself, or
    // stays.
    unsafe { whole_and_rest(inputs, output, len, body) }
}

/// A piece with operands that are copied first, block by block.
fn blocks<T: Float, const N: usize>(
    sources: &[Source<'_, T>; N],
    start: usize,
    y: &mut [T],
    body: &dyn Loop<T, N>,
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
        let len = BLOCK.min(y.len() - done);
        let output = y[done..done + len].as_mut_ptr();
        let inputs = std::array::from_fn(|i| {
            Walk::along(match &sources[i] {
                Source::Slice(x) => x[start..start + len].as_ptr(),
                Source::Output => output.cast_const(),
                Source::Value(_) => buffers[i].as_ptr(),
                Source::Strided(strided) => {
                    strided.copy_to(start, &mut buffers[i][..len]);
                    buffers[i].as_ptr()
                }
            })
        });
        // SAFETY: `y` has `len` elements; each input is a slice of at least `len <= BLOCK`
        // elements, or `y` itself.
        unsafe { whole_and_rest(inputs, output, len, body) }
        done += len;
    }
}

/// Runs a loop of any length: what is left over behind a multiple of [`WIDEST`] goes through
/// padded copies.
///
/// # Safety
/// As [`Loop::run`], except that `len` is arbitrary.
unsafe fn whole_and_rest<T: Float, const N: usize>(
    inputs: [Walk<T>; N],
    y: *mut T,
    len: usize,
    body: &dyn Loop<T, N>,
) {
    let whole = len - len % WIDEST;
    if whole > 0 {
        // SAFETY: by the caller's promise.
        unsafe { body.run(inputs, y, (1, whole)) };
    }
    if whole < len {
        let rest = len - whole;
        let mut padded = [[T::ZERO; WIDEST]; N];
        let mut result = [T::ZERO; WIDEST];
        for (padded, x) in padded.iter_mut().zip(inputs) {
            // SAFETY: the `rest` elements from `whole` on are readable, as are those of a block that
            // stays; nothing writes to them while the slice lives.
            let x = unsafe { std::slice::from_raw_parts(x.at(whole), rest) };
            padded[..rest].copy_from_slice(x);
        }
        let padded = padded.each_ref().map(|x| Walk::along(x.as_ptr()));
        // SAFETY: the blocks have that many elements.
        unsafe { body.run(padded, result.as_mut_ptr(), (1, WIDEST)) };
        // SAFETY: the `rest` elements of `y` from `whole` on are writable, and no other reference
        // to them is left.
        let y = unsafe { std::slice::from_raw_parts_mut(y.add(whole), rest) };
        y.copy_from_slice(&result[..rest]);
    }
}

/// The loop over registers, made only by [`Loop::run`] under its promises.
struct Registers<T, Op, const N: usize> {
    op: Op,
    inputs: [Walk<T>; N],
    y: *mut T,
    shape: (usize, usize),
}

impl<T: Float, const N: usize, Op: MapOp<T, N>> Registers<T, Op, N> {
    /// The `second` register from the `i`-th element on.
    ///
    /// # Safety
    /// There is a register of elements from the `i`-th on, and another if `second`.
    #[inline(always)]
    unsafe fn load<S: Simd>(&self, simd: S, i: usize, second: bool) -> [Vector<T, S>; N] {
        array::map(
            self.inputs,
            #[inline(always)]
            |x| {
                let lanes = if second { T::lanes::<S>() } else { 0 };
                // SAFETY: by this function's contract and that of `Loop::run`.
                let x = unsafe { x.at(i).add(lanes).cast::<T::Lanes<S>>().read_unaligned() };
                Vector::new(simd, x)
            },
        )
    }

    /// # Safety
    /// As for `load`.
    #[inline(always)]
    unsafe fn store<S: Simd>(&self, i: usize, y: Vector<T, S>) {
        // SAFETY: by this function's contract and that of `Loop::run`.
        unsafe { self.y.add(i).cast::<T::Lanes<S>>().write_unaligned(y.lanes) };
    }
}

impl<T: Float, const N: usize, Op: MapOp<T, N>> WithSimd for Registers<T, Op, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (lanes, (runs, len)) = (T::lanes::<S>(), self.shape);
        for _ in 0..runs {
            let mut i = 0;
            if const { S::IS_SCALAR } {
                // Baseline code is there to run anywhere, and to cost the compiler little: a function
                // and a loop that calls it.
                while i < len {
                    // SAFETY: i < len.
                    unsafe { self.store(i, apply_one(self.op, self.load(simd, i, false))) };
                    i += 1;
                }
            } else {
                // Two registers at a time, whose chains of dependent operations overlap. `len` is
                // a multiple of WIDEST, and so of two registers.
                while i + 2 * lanes <= len {
                    // SAFETY: i + 2 * lanes <= len.
                    let (first, second) =
                        unsafe { (self.load(simd, i, false), self.load(simd, i, true)) };
                    let (first, second) = (self.op.apply(first), self.op.apply(second));
                    // SAFETY: as above.
                    unsafe {
                        self.store(i, first);
                        self.store(i + lanes, second);
                    }
                    i += 2 * lanes;
                }
            }
            self.y = self.y.wrapping_add(len);
            for input in &mut self.inputs {
                *input = input.run(1);
            }
        }
    }
}

/// One element, in baseline code.
#[inline(never)]
fn apply_one<T: Float, S: Simd, const N: usize, Op: MapOp<T, N>>(
    op: Op,
    inputs: [Vector<T, S>; N],
) -> Vector<T, S> {
    op.apply(inputs)
}
