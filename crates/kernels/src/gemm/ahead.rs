//! What a micro-kernel asks for on the way: memory that a later call reads.
//!
//! A request for a line of memory costs a micro-kernel nothing, one with every step of K. All at
//! once, requests wait for each other: the same lines asked for between two calls took 2% of the
//! product of (256, 1024) and (1024, 1024).

use super::pack::Lines;

/// Steps of K after which the requests turn to the next lines of memory.
pub(crate) const TURN: usize = 16;

/// Places that are asked for one by one: the p-th lies at `start + p % TURN step + p / TURN turn`,
/// in elements. They may lie anywhere.
#[derive(Clone, Copy)]
pub(crate) struct Ahead<T> {
    pub(crate) start: *const T,
    pub(crate) step: isize,
    pub(crate) turn: isize,
}

impl<T> Ahead<T> {
    /// Nothing but a place that is in the cache.
    #[inline(always)]
    pub(crate) fn nothing(near: *const T) -> Self {
        Self { start: near, step: 0, turn: 0 }
    }

    /// How many parts a panel of `count` lines falls into whose elements at a place are neighbours.
    pub(super) fn parts(count: usize) -> usize {
        count.div_ceil(64 / size_of::<T>())
    }

    /// One of the parts into which a panel of `count` lines of `k` elements falls, each for one call
    /// of `k` steps; `None` after the last, and for lines without order in memory.
    #[inline(always)]
    pub(super) fn part(lines: Lines<T>, count: usize, k: usize, part: usize) -> Option<Self> {
        let lane = 64 / size_of::<T>();
        if lines.k_step == 1 {
            // Lines side by side, as many as there are steps to a turn.
            let (groups, pieces) = (count.div_ceil(TURN), TURN / lane);
            let first = (part % groups * TURN) as isize * lines.step;
            let start =
                lines.start.wrapping_offset(first).wrapping_add(part / groups * (k / pieces));
            (part < groups * pieces).then_some(Self {
                start,
                step: lines.step,
                turn: lane as isize,
            })
        } else {
            // All lines at a place, next to each other; their last element, because the first may be
            // in memory that the lines before them have brought.
            let last = count.min((part + 1) * lane) - 1;
            let (start, step) = (lines.start.wrapping_add(last), lines.k_step);
            (lines.step == 1 && part < Self::parts(count)).then_some(Self {
                start,
                step,
                turn: TURN as isize * step,
            })
        }
    }
}
