//! The walk over the places of a pooling that all its kernels share.
//!
//! A kernel fills the places of one side of the pooling, the target, from the places of the other,
//! the source, that they are linked with: forward, windows from what they see; backward, input
//! places from the windows that see them. All channels of a place go together. A task walks along
//! its places in order and lists the links of each, one line of windows at a time, inside of the
//! code that is compiled for an instruction set: a call for each place costs more than a place.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::span::Links;
use super::{Pool, unravel};
use crate::element::Float;
use crate::simd::Vector;
use crate::{arch, array, par};

/// Elements of a task.
const TASK: usize = 16 * 1024;

/// Registers of channels that are folded together.
const GROUP: usize = 4;

/// A pooling as seen from the target.
pub(super) struct Walk<'a> {
    pool: &'a Pool,
    /// From the target's places to the source's.
    links: [Links; 3],
    /// Places of the source's images along each axis.
    source: [usize; 3],
    is_forward: bool,
}

/// Links with places of the source that differ along the innermost axis alone.
#[derive(Clone, Copy)]
pub(super) struct Line {
    /// Elements of the source before the line.
    start: usize,
    /// The number of the tap at the line's begin.
    tap: usize,
    /// What the source's sums are divided by, along the outer axes.
    pub(super) divisor: f64,
}

/// What becomes of a place of the target: two values for each channel, of which one is written.
pub(super) trait Fold<T: Float>: Copy + Sync {
    /// What counts of a link, beside the elements it leads to: from its line, the place on the
    /// innermost axis of the source, and the number of its tap, which is all that most ask for.
    #[inline(always)]
    fn link(self, _line: Line, _at: usize, tap: usize) -> T {
        T::from_usize(tap)
    }

    /// What counts of a place, if anything does: from its three indices and the first of its links.
    #[inline(always)]
    fn place(self, _place: [usize; 3], _first: Option<T>) -> T {
        T::ZERO
    }

    /// The values of at most a register of the target's elements, before any link: zeros.
    #[inline(always)]
    fn start<S: Simd>(self, simd: S, _target: Range<usize>) -> [Vector<T, S>; 2] {
        [Vector::splat(simd, T::ZERO); 2]
    }

    /// One link more: elements of the source, and where they are.
    fn add<S: Simd>(
        self,
        values: [Vector<T, S>; 2],
        x: Vector<T, S>,
        source: Range<usize>,
        link: Vector<T, S>,
    ) -> [Vector<T, S>; 2];

    /// What is written: the first value. Called once for each element of the target.
    #[inline(always)]
    fn finish<S: Simd>(
        self,
        [value, _]: [Vector<T, S>; 2],
        _place: Vector<T, S>,
        _target: Range<usize>,
    ) -> Vector<T, S> {
        value
    }
}

impl<'a> Walk<'a> {
    /// From the input to the windows.
    pub(super) fn forward(pool: &'a Pool) -> Self {
        let links = [0, 1, 2].map(|at| Links::of_windows(&pool.axes[at]));
        let source = [0, 1, 2].map(|at| pool.axes[at].input);
        Walk { pool, links, source, is_forward: true }
    }

    /// From the windows to the input.
    pub(super) fn backward(pool: &'a Pool) -> Self {
        let links = [0, 1, 2].map(|at| Links::of_inputs(&pool.axes[at]));
        let source = [0, 1, 2].map(|at| pool.axes[at].len());
        Walk { pool, links, source, is_forward: false }
    }

    /// Fills the target.
    pub(super) fn run<T: Float>(&self, source: &[T], target: &mut [T], fold: impl Fold<T>) {
        if target.is_empty() {
            return;
        }
        let channels = self.pool.channels;
        let places = TASK.div_ceil(channels);
        let work = self.pool.input_len() + self.pool.output_len();
        par::chunks_mut(target, places * channels, work, |task, target| {
            arch::dispatch_for::<T, _>(Places {
                walk: self,
                first: task * places,
                source,
                target,
                fold,
            });
        });
    }

    /// Lists the lines that the places of one line of the target are linked with.
    fn list_lines(&self, image: usize, place: [usize; 3], lines: &mut Vec<Line>) {
        let [a, b, c] = self.source;
        let taps = self.pool.taps();
        let divisor = |axis: usize, at: usize| match self.is_forward {
            true => 1.0,
            false => self.pool.axes[axis].divisors[at],
        };
        lines.clear();
        for &(i, t0) in self.links[0].at(place[0]) {
            for &(j, t1) in self.links[1].at(place[1]) {
                lines.push(Line {
                    start: (((image * a + i) * b + j) * c) * self.pool.channels,
                    tap: (t0 * taps[1] + t1) * taps[2],
                    divisor: divisor(0, i) * divisor(1, j),
                });
            }
        }
    }
}

/// The places of a task.
struct Places<'a, T, F> {
    walk: &'a Walk<'a>,
    first: usize,
    source: &'a [T],
    target: &'a mut [T],
    fold: F,
}

impl<T: Float, F: Fold<T>> WithSimd for Places<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Places { walk, first, source, target, fold } = self;
        let (channels, group) = (walk.pool.channels, GROUP * T::lanes::<S>());
        let lens = [walk.links[0].len(), walk.links[1].len(), walk.links[2].len()];
        let image_len = lens[0] * lens[1] * lens[2];
        let (mut lines, mut list) = (Vec::new(), Vec::new());
        let mut at = [0, 0, lens[2]];
        for (i, target) in target.chunks_exact_mut(channels).enumerate() {
            let place = first + i;
            if at[2] == lens[2] {
                at = unravel(place % image_len, lens);
                walk.list_lines(place / image_len, at, &mut lines);
            }
            list.clear();
            for &line in &lines {
                for &(to, tap) in walk.links[2].at(at[2]) {
                    list.push((line.start + to * channels, fold.link(line, to, line.tap + tap)));
                }
            }
            let value = fold.place(at, list.first().map(|&(_, value)| value));
            let linked = Linked { source, list: &list, place: value, fold };
            let mut channel = 0;
            while channel + group <= channels {
                let target = &mut target[channel..channel + group];
                linked.fill::<S, GROUP>(simd, place * channels, channel, target);
                channel += group;
            }
            while channel < channels {
                let end = channels.min(channel + T::lanes::<S>());
                let target = &mut target[channel..end];
                linked.fill::<S, 1>(simd, place * channels, channel, target);
                channel = end;
            }
            at[2] += 1;
        }
    }
}

/// A place of the target, and what it is linked with.
struct Linked<'a, T, F> {
    source: &'a [T],
    /// Where the source's places start, and [`Fold::link`].
    list: &'a [(usize, T)],
    /// [`Fold::place`]
    place: T,
    fold: F,
}

impl<T: Float, F: Fold<T>> Linked<'_, T, F> {
    /// Fills G registers from `channel` on of the place that starts at element `start`; a single
    /// one may be partial.
    #[inline(always)]
    fn fill<S: Simd, const G: usize>(
        &self,
        simd: S,
        start: usize,
        channel: usize,
        target: &mut [T],
    ) {
        let (lanes, fold) = (T::lanes::<S>(), self.fold);
        let width = if G == 1 { target.len() } else { lanes };
        let part = |start: usize, g: usize| {
            let start = start + channel + g * lanes;
            start..start + width
        };
        let mut values: [[Vector<T, S>; 2]; G] = array::from_fn(
            #[inline(always)]
            |g| fold.start(simd, part(start, g)),
        );
        for &(from, link) in self.list {
            let source = &self.source[from + channel..][..(G - 1) * lanes + width];
            let link = Vector::splat(simd, link);
            let mut g = 0;
            while g < G {
                let x = Vector::load(simd, &source[g * lanes..]);
                values[g] = fold.add(values[g], x, part(from, g), link);
                g += 1;
            }
        }
        let place = Vector::splat(simd, self.place);
        let mut g = 0;
        while g < G {
            let y = fold.finish(values[g], place, part(start, g));
            y.store(&mut target[g * lanes..g * lanes + width]);
            g += 1;
        }
    }
}
