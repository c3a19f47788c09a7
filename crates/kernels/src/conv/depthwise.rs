//! Depthwise convolution: every channel by itself, channels in registers.
//!
//! ```text
//! for each pass of a few lines of output places:       their lines stay in the L2 cache
//!     for each register of channels, for each nine taps:
//!         for each run of places that see the same taps:
//!             multiply and add, with the taps' weights or sums in registers
//! ```
//!
//! There is no padded copy of the image: a tap outside of it reads a line of zeros. The lines of the
//! next pass are asked for on the way.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::micro::load;
use super::plan::Plan;
use crate::disjoint::Disjoint;
use crate::prefetch::{to_read_later, to_write};
use crate::simd::Vector;
use crate::{Buffer, Float, arch, array, par, scratch};

/// Taps that are summed at a time: those of a 3x3 kernel.
const TAPS: usize = 9;

/// Taps in a row of those.
const SIDE: usize = 3;

/// Bytes of output places that a pass has.
const PASS: usize = 64 << 10;

/// How many tasks there should be, and blocks that have sums of their own.
const TASKS: usize = 8;

/// Lines of a task of the plan's sums, at most.
const TASK_LINES: usize = 64;

/// `y = bias +` the plan's sums, at the plan's places.
pub(super) fn run<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, plan: &Plan, y: &mut [T]) {
    let channels = plan.in_channels;
    let taps = plan.tap_positions();
    let kernel = w.len() / channels;
    // (taps, channels)
    scratch::with(taps.len() * channels, |by_tap: &mut [T]| {
        for (tap, row) in taps.iter().zip(by_tap.chunks_exact_mut(channels)) {
            for (c, weight) in row.iter_mut().enumerate() {
                *weight = w[c * kernel + tap];
            }
        }
        let (by_tap, lines) = (&*by_tap, Lines::new(plan, x, y.len()));
        let per_task = lines.count.div_ceil(TASKS).min(TASK_LINES);
        let y = Disjoint::new(y);
        par::for_each(lines.count.div_ceil(per_task), work(plan), |task| {
            let range = task * per_task..lines.count.min((task + 1) * per_task);
            lines.for_each_pass(range, |pass| {
                arch::dispatch_for::<T, _>(Forward { pass, w: by_tap, bias, y: y.start() });
            });
        });
    });
}

/// Nanoseconds on one thread: memory counts.
fn work(plan: &Plan) -> usize {
    plan.places() * plan.in_channels * plan.taps() / 8
}

/// The lines of output places of a plan, along its innermost axis, and the lines that they read.
struct Lines<'a, T> {
    x: &'a [T],
    plan: &'a Plan,
    count: usize,
    /// Places of the taps in the kernel.
    taps: Vec<[usize; 3]>,
    /// Places of a line of which no tap lies outside of the image's line.
    inner: Range<usize>,
}

impl<'a, T: Float> Lines<'a, T> {
    /// For an output of `len` elements.
    fn new(plan: &'a Plan, x: &'a [T], len: usize) -> Self {
        let [a, b, c] = &plan.axes;
        let input: usize = plan.axes.iter().map(|axis| axis.input).product();
        let output: usize = plan.axes.iter().map(|axis| axis.output).product();
        let images = plan.batch * plan.in_channels;
        assert!(x.len() == images * input && len == images * output, "conv: needs whole images");
        let first = c.pad.max(0) as usize;
        let reach = c.input as isize + c.pad - ((c.taps - 1) * c.dilation) as isize;
        let end = c.count.min((reach.max(0) as usize).div_ceil(c.stride));
        let first = first.div_ceil(c.stride).min(end);
        let tap = |tap| [tap / (b.taps * c.taps), tap / c.taps % b.taps, tap % c.taps];
        let taps = (0..plan.taps()).map(tap).collect();
        Lines { x, plan, count: plan.batch * a.count * b.count, taps, inner: first..end }
    }

    /// Image, and places along the outer axes, of a line.
    fn line(&self, line: usize) -> [usize; 3] {
        let [a, b, _] = &self.plan.axes;
        [line / (a.count * b.count), line / b.count % a.count, line % b.count]
    }

    /// Where place `k` of a line is in the output.
    fn output(&self, [n, i, j]: [usize; 3], k: usize) -> usize {
        let [a, b, c] = &self.plan.axes;
        let row = (n * a.output + a.out_first + i * a.out_step) * b.output;
        let place = (row + b.out_first + j * b.out_step) * c.output + c.out_first + k * c.out_step;
        place * self.plan.in_channels
    }

    /// Where a tap of place `k` of a line is in the image, and whether it is inside.
    fn input(&self, [n, i, j]: [usize; 3], k: usize, tap: usize) -> (isize, bool) {
        let (mut position, mut is_inside) = (n as isize, true);
        for ((axis, place), tap) in self.plan.axes.iter().zip([i, j, k]).zip(self.taps[tap]) {
            let at = (place * axis.stride + tap * axis.dilation) as isize - axis.pad;
            is_inside &= (0..axis.input as isize).contains(&at);
            position = position * axis.input as isize + at;
        }
        (position * self.plan.in_channels as isize, is_inside)
    }

    /// Elements from one place of a line to the next, in the image and in the output.
    fn steps(&self) -> [usize; 2] {
        let c = &self.plan.axes[2];
        [c.stride * self.plan.in_channels, c.out_step * self.plan.in_channels]
    }

    /// Calls `body` with some lines after the other.
    fn for_each_pass(&self, lines: Range<usize>, mut body: impl FnMut(&Pass<'_, T>)) {
        let (channels, taps) = (self.plan.in_channels, self.taps.len());
        let line = self.plan.axes[2].count * channels * size_of::<T>();
        let per_pass = (PASS / line).max(1);
        let zeros = (self.inner.len().max(1) - 1) * self.steps()[0] + channels;
        scratch::with(zeros, |zeros: &mut [T]| {
            zeros.fill(T::ZERO);
            for first in lines.clone().step_by(per_pass) {
                let end = lines.end.min(first + per_pass);
                let groups = (0..taps).step_by(TAPS).map(|tap| {
                    (first..end).flat_map(|line| self.runs(self.line(line), tap, zeros)).collect()
                });
                // The first line that this pass does not read.
                let line = self.line(end);
                let next = self.input(line, 0, taps - 1).0;
                body(&Pass {
                    groups: groups.collect(),
                    taps,
                    channels,
                    steps: self.steps(),
                    image: std::marker::PhantomData,
                    next: (self.x.as_ptr().wrapping_offset(next), self.output(line, 0)),
                });
            }
        });
    }

    /// The runs of a line, with the taps from `first` on.
    fn runs(&self, line: [usize; 3], first: usize, zeros: &[T]) -> impl Iterator<Item = Run<T>> {
        let Range { start, end } = self.inner;
        let count = self.plan.axes[2].count;
        let single = |k: usize| k..k + 1;
        let inner = (!self.inner.is_empty()).then_some(start..end);
        let places = (0..start).map(single).chain(inner).chain((end..count).map(single));
        places.map(move |places| {
            let taps = std::array::from_fn(|i| {
                // Where there are fewer taps, the last one again.
                let tap = (first + i).min(self.taps.len() - 1);
                let (position, is_inside) = self.input(line, places.start, tap);
                if !is_inside {
                    return zeros.as_ptr();
                }
                let reach = (places.len() - 1) * self.steps()[0] + self.plan.in_channels;
                assert!(position as usize + reach <= self.x.len(), "conv: the image is too short");
                self.x.as_ptr().wrapping_offset(position)
            });
            Run { taps, to: self.output(line, places.start), len: places.len() }
        })
    }
}

/// Neighbouring places of a line that see the same taps.
struct Run<T> {
    /// The taps of the first place, which are all there for all channels and places.
    taps: [*const T; TAPS],
    /// Where the first place is in the output.
    to: usize,
    len: usize,
}

/// Some lines: for every [`TAPS`] taps, their runs.
struct Pass<'a, T> {
    groups: Vec<Vec<Run<T>>>,
    taps: usize,
    channels: usize,
    /// Elements from one place to the next, in the image and in the output.
    steps: [usize; 2],
    /// What the next pass reads of the image and reads or writes of the output starts there.
    next: (*const T, usize),
    image: std::marker::PhantomData<&'a [T]>,
}

/// The sums of a pass's places: the weights of a register of channels stay where they are.
struct Forward<'a, T> {
    pass: &'a Pass<'a, T>,
    /// `(taps, channels)`
    w: &'a [T],
    bias: Option<&'a [T]>,
    y: *mut T,
}

impl<T: Float> WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Forward { pass, w, bias, y } = self;
        let (channels, lanes) = (pass.channels, T::lanes::<S>());
        let zero = Vector::splat(simd, T::ZERO);
        let mut ahead = Ahead::new(pass, y);
        for channel in (0..channels).step_by(lanes) {
            let len = lanes.min(channels - channel);
            let bias = bias.map_or(zero, |bias| Vector::load(simd, &bias[channel..channel + len]));
            for (group, runs) in pass.groups.iter().enumerate() {
                let first = group * TAPS;
                let count = TAPS.min(pass.taps - first);
                let w: [Vector<T, S>; TAPS] = array::from_fn(
                    #[inline(always)]
                    |i| match i < count {
                        true => Vector::load(simd, &w[(first + i) * channels + channel..][..len]),
                        false => zero,
                    },
                );
                for run in runs {
                    let taps = run.taps(channel);
                    for k in 0..run.len {
                        if group == 0 {
                            ahead.ask(lanes, to_write);
                        }
                        let y = y.wrapping_add(run.to + channel + k * pass.steps[1]);
                        // SAFETY: places of the plan are in the output; every place belongs to one
                        // line, every line to one pass and one task.
                        let y = unsafe { std::slice::from_raw_parts_mut(y, len) };
                        let mut sum = if first == 0 { bias } else { Vector::load(simd, y) };
                        let mut i = 0;
                        while i < if count == TAPS { TAPS } else { count } {
                            // SAFETY: `Run` says that they are there.
                            let x =
                                unsafe { some(simd, taps[i].wrapping_add(k * pass.steps[0]), len) };
                            sum = x.mul_add(w[i], sum);
                            i += 1;
                        }
                        sum.store(y);
                    }
                }
            }
        }
    }
}

/// Adds the terms of a run whose places' windows overlap: of each row of three taps, a place loads
/// only the last one, as the others were loaded by the two places before.
///
/// # Safety
/// A register lies at every tap of each place, and at each place of `dy`.
#[inline(always)]
unsafe fn slide<T: Float, S: Simd>(
    simd: S,
    (taps, step): ([*const T; TAPS], usize),
    (dy, dy_step): (*const T, usize),
    len: usize,
    mut ask: impl FnMut(),
    mut totals: [Vector<T, S>; TAPS],
) -> [Vector<T, S>; TAPS] {
    let mut window: [Vector<T, S>; 2 * SIDE] = array::from_fn(
        // SAFETY: by the caller's promise.
        #[inline(always)]
        |i| unsafe { load(simd, taps[i / 2 * SIDE + i % 2]) },
    );
    for k in (0..len).step_by(2) {
        // Two places at a time, after which every row's window lies in its registers as before.
        ask();
        let taps = array::map(
            taps,
            #[inline(always)]
            |tap| tap.wrapping_add(k * step),
        );
        let dy = dy.wrapping_add(k * dy_step);
        // SAFETY: by the caller's promise.
        unsafe { add_place(simd, 0, taps, load(simd, dy), &mut window, &mut totals) };
        if k + 1 < len {
            ask();
            let taps = array::map(
                taps,
                #[inline(always)]
                |tap| tap.wrapping_add(step),
            );
            // SAFETY: by the caller's promise.
            unsafe {
                let dy = load(simd, dy.wrapping_add(dy_step));
                add_place(simd, 1, taps, dy, &mut window, &mut totals);
            }
        }
    }
    totals
}

/// Adds a place's terms: of each row of its window the first two registers are there, in the order
/// that `turn` says, and the last one takes the first one's place.
///
/// # Safety
/// A register lies at the last tap of each row.
#[inline(always)]
unsafe fn add_place<T: Float, S: Simd>(
    simd: S,
    turn: usize,
    taps: [*const T; TAPS],
    dy: Vector<T, S>,
    window: &mut [Vector<T, S>; 2 * SIDE],
    totals: &mut [Vector<T, S>; TAPS],
) {
    let mut row = 0;
    while row < SIDE {
        let (first, second) = (2 * row + turn, 2 * row + 1 - turn);
        totals[SIDE * row] = window[first].mul_add(dy, totals[SIDE * row]);
        // SAFETY: by the caller's promise.
        window[first] = unsafe { load(simd, taps[SIDE * row + 2]) };
        totals[SIDE * row + 1] = window[second].mul_add(dy, totals[SIDE * row + 1]);
        totals[SIDE * row + 2] = window[first].mul_add(dy, totals[SIDE * row + 2]);
        row += 1;
    }
}

impl<T: Float> Run<T> {
    /// Whether the taps are three rows of three, in each of which a tap sees at the next place, `step`
    /// elements on, what the next tap sees at this one.
    fn slides(&self, step: usize) -> bool {
        let is_next = |pair: &[*const T]| pair[0].wrapping_add(step) == pair[1];
        self.len > 1 && self.taps.chunks_exact(SIDE).all(|row| row.windows(2).all(is_next))
    }

    #[inline(always)]
    fn taps(&self, channel: usize) -> [*const T; TAPS] {
        array::map(
            self.taps,
            #[inline(always)]
            |tap| tap.wrapping_add(channel),
        )
    }
}

/// Asks for the lines of the next pass, a register for each place and register of channels.
struct Ahead<T> {
    x: *const T,
    y: *const T,
}

impl<T: Float> Ahead<T> {
    #[inline(always)]
    fn new(pass: &Pass<'_, T>, y: *const T) -> Self {
        Ahead { x: pass.next.0, y: y.wrapping_add(pass.next.1) }
    }

    #[inline(always)]
    fn ask(&mut self, lanes: usize, ask_y: impl Fn(*const T)) {
        if lanes * size_of::<T>() < 32 {
            // Short registers would ask for the same line again and again.
            return;
        }
        to_read_later(self.x);
        ask_y(self.y);
        (self.x, self.y) = (self.x.wrapping_add(lanes), self.y.wrapping_add(lanes));
    }
}

/// Loads `len` elements, at most a register's.
///
/// # Safety
/// They are readable at `from`.
#[inline(always)]
unsafe fn some<T: Float, S: Simd>(simd: S, from: *const T, len: usize) -> Vector<T, S> {
    // SAFETY: by the caller's promise.
    unsafe {
        match len == T::lanes::<S>() {
            true => load(simd, from),
            false => Vector::load(simd, std::slice::from_raw_parts(from, len)),
        }
    }
}

/// `dw`: the sums over all places of the plan.
pub(super) fn weight<T: Float>(x: &[T], dy: &[T], plan: &Plan, dw: &mut [T]) {
    let (channels, taps) = (plan.in_channels, plan.taps());
    let len = channels * taps;
    let lines = Lines::new(plan, x, dy.len());
    let per_block = lines.count.div_ceil(TASKS);
    let blocks = lines.count.div_ceil(per_block);
    // (blocks, taps, channels)
    let mut partials = Buffer::unspecified(blocks * len);
    par::chunks_mut(&mut partials, len, work(plan), |block, sums| {
        sums.fill(T::ZERO);
        let range = block * per_block..lines.count.min((block + 1) * per_block);
        lines.for_each_pass(range, |pass| {
            arch::dispatch_for::<T, _>(AddPass { pass, dy: dy.as_ptr(), sums });
        });
    });
    let (first, others) = partials.split_at_mut(len);
    for other in others.chunks_exact(len) {
        first.iter_mut().zip(other).for_each(|(sum, other)| *sum += *other);
    }
    for (c, dw) in dw.chunks_exact_mut(taps).enumerate() {
        for (tap, dw) in dw.iter_mut().enumerate() {
            *dw = first[tap * channels + c];
        }
    }
}

/// Adds a pass's terms to the sums of all taps.
struct AddPass<'a, T> {
    pass: &'a Pass<'a, T>,
    dy: *const T,
    /// `(taps, channels)`
    sums: &'a mut [T],
}

impl<T: Float> WithSimd for AddPass<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let AddPass { pass, dy, sums } = self;
        let (channels, lanes) = (pass.channels, T::lanes::<S>());
        let mut ahead = Ahead::new(pass, dy);
        for channel in (0..channels).step_by(lanes) {
            let len = lanes.min(channels - channel);
            for (group, runs) in pass.groups.iter().enumerate() {
                let mut totals = [Vector::splat(simd, T::ZERO); TAPS];
                for run in runs {
                    let taps = run.taps(channel);
                    if run.slides(pass.steps[0]) && len == lanes {
                        let dy = dy.wrapping_add(run.to + channel);
                        // SAFETY: `Run` says that the taps are there, and places of the plan are in
                        // the output, and so in `dy`.
                        totals = unsafe {
                            slide(
                                simd,
                                (taps, pass.steps[0]),
                                (dy, pass.steps[1]),
                                run.len,
                                #[inline(always)]
                                || {
                                    if group == 0 {
                                        ahead.ask(lanes, to_read_later);
                                    }
                                },
                                totals,
                            )
                        };
                        continue;
                    }
                    for k in 0..run.len {
                        if group == 0 {
                            ahead.ask(lanes, to_read_later);
                        }
                        let dy = dy.wrapping_add(run.to + channel + k * pass.steps[1]);
                        // SAFETY: places of the plan are in the output, and so in `dy`.
                        let dy = unsafe { some(simd, dy, len) };
                        let mut i = 0;
                        while i < TAPS {
                            // SAFETY: `Run` says that they are there.
                            let x =
                                unsafe { some(simd, taps[i].wrapping_add(k * pass.steps[0]), len) };
                            totals[i] = x.mul_add(dy, totals[i]);
                            i += 1;
                        }
                    }
                }
                let sums = sums[group * TAPS * channels..].chunks_mut(channels);
                for (total, sums) in totals.into_iter().zip(sums) {
                    let sums = &mut sums[channel..channel + len];
                    (Vector::load(simd, sums) + total).store(sums);
                }
            }
        }
    }
}
