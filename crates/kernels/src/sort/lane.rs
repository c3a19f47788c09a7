//! One lane as entries: sorting them, and finding the first k or the n-th.
//!
//! An entry holds an element's key, an integer that orders as the elements shall, and its place,
//! which decides between equal keys and so makes every order stable. It orders by itself, so that
//! no comparison looks up an element.
//!
//! 1. Long lists are sorted by the bytes of the key, the lowest first, each pass one walk through
//!    the list; all bytes are counted in one walk before, and those that are equal everywhere are
//!    skipped.
//! 2. The first k of many elements are sifted: once k entries are known, most blocks of elements
//!    hold nothing that comes before the k-th, which one vector comparison per block finds out.

use super::Order;
use crate::arch;
use crate::element::Float;

/// Lists from this length on are sorted by bytes.
const LONG: usize = 512;

/// Elements that are compared with the k-th at a time.
const BLOCK: usize = 64;

/// An element's key and place.
pub(super) trait Entry: Copy + Ord {
    /// How many `i64` an entry takes.
    const WORDS: usize;
    /// Bytes of the key.
    const BYTES: usize;

    fn new(key: i64, place: usize) -> Self;
    fn key(self) -> i64;
    fn place(self) -> usize;
    /// Byte `at` of the key, counted from the lowest, so that bytes order as keys do.
    fn byte(self, at: usize) -> usize;
    /// Words as entries.
    fn list(words: &mut [i64]) -> &mut [Self];
}

/// A key of 32 bits above the place.
impl Entry for [i64; 1] {
    const WORDS: usize = 1;
    const BYTES: usize = 4;

    #[inline(always)]
    fn new(key: i64, place: usize) -> Self {
        [key << 32 | place as i64]
    }
    #[inline(always)]
    fn key(self) -> i64 {
        self[0] >> 32
    }
    #[inline(always)]
    fn place(self) -> usize {
        (self[0] & 0xffff_ffff) as usize
    }
    #[inline(always)]
    fn byte(self, at: usize) -> usize {
        ((self[0] as u64 ^ 1 << 63) >> (32 + 8 * at) & 0xff) as usize
    }
    fn list(words: &mut [i64]) -> &mut [Self] {
        words.as_chunks_mut().0
    }
}

/// A key of 64 bits, then the place.
impl Entry for [i64; 2] {
    const WORDS: usize = 2;
    const BYTES: usize = 8;

    #[inline(always)]
    fn new(key: i64, place: usize) -> Self {
        [key, place as i64]
    }
    #[inline(always)]
    fn key(self) -> i64 {
        self[0]
    }
    #[inline(always)]
    fn place(self) -> usize {
        self[1] as usize
    }
    #[inline(always)]
    fn byte(self, at: usize) -> usize {
        ((self[0] as u64 ^ 1 << 63) >> (8 * at) & 0xff) as usize
    }
    fn list(words: &mut [i64]) -> &mut [Self] {
        words.as_chunks_mut().0
    }
}

/// Elements that have keys.
pub(super) trait Sortable: Float {
    type Entry: Entry;

    /// A key that orders as numbers do, NaN above all.
    fn rising_key(self) -> i64;
}

impl Sortable for f32 {
    type Entry = [i64; 1];

    #[inline(always)]
    fn rising_key(self) -> i64 {
        // The sum turns -0 into 0. Magnitudes of negative numbers grow downwards.
        let bits = (self + 0.0).to_bits() as i32;
        let key = bits ^ ((bits >> 31) as u32 >> 1) as i32;
        i64::from(if self.is_nan() { i32::MAX } else { key })
    }
}

impl Sortable for f64 {
    type Entry = [i64; 2];

    #[inline(always)]
    fn rising_key(self) -> i64 {
        let bits = (self + 0.0).to_bits() as i64;
        let key = bits ^ ((bits >> 63) as u64 >> 1) as i64;
        if self.is_nan() { i64::MAX } else { key }
    }
}

/// The key for an order, NaN first in falling order. `flip` is that of [`flip`].
#[inline(always)]
fn key<T: Sortable>(x: T, flip: i64) -> i64 {
    x.rising_key() ^ flip
}

fn flip(order: Order) -> i64 {
    match order {
        Order::Rising => 0,
        Order::Falling => -1,
    }
}

/// The entries that are held at a time to find the first `k` of `len` elements.
fn held(len: usize, k: usize) -> usize {
    len.min((4 * k).max(1024))
}

/// The words of scratch that [`first_k`] needs; with `k = len`, also [`nth`].
pub(super) fn room<T: Sortable>(len: usize, k: usize) -> usize {
    2 * held(len, k) * T::Entry::WORDS
}

/// The first `k` entries of a lane, `0 < k <= lane.len()`, sorted. `words` are [`room`].
pub(super) fn first_k<'a, T: Sortable>(
    lane: &[T],
    k: usize,
    order: Order,
    words: &'a mut [i64],
) -> &'a [T::Entry] {
    let (list, spare) = T::Entry::list(words).split_at_mut(held(lane.len(), k));
    let flip = flip(order);
    let count = arch::inlined_for::<T, _>(
        #[inline(always)]
        || match list.len() == lane.len() {
            true => fill(lane, flip, list),
            false => sift(lane, k, flip, list),
        },
    );
    if k == lane.len() {
        return sorted(list, spare);
    }
    if k < count {
        list[..count].select_nth_unstable(k - 1);
    }
    list[..k].sort_unstable();
    &list[..k]
}

/// The entry at place `n` of a lane in rising order, or the first NaN.
pub(super) fn nth<'a, T: Sortable>(lane: &[T], n: usize, words: &'a mut [i64]) -> &'a [T::Entry] {
    let list = &mut T::Entry::list(words)[..lane.len()];
    if let Some(place) = lane.iter().position(|x| x.is_nan()) {
        list[0] = T::Entry::new(0, place);
        return &list[..1];
    }
    fill(lane, 0, list);
    list.select_nth_unstable(n);
    &list[n..n + 1]
}

/// Entries of all elements; how many there are.
#[inline(always)]
fn fill<T: Sortable>(lane: &[T], flip: i64, list: &mut [T::Entry]) -> usize {
    for (place, (slot, &x)) in list.iter_mut().zip(lane).enumerate() {
        *slot = T::Entry::new(key(x, flip), place);
    }
    lane.len()
}

/// Entries among which the first `k` are; how many there are.
#[inline(always)]
fn sift<T: Sortable>(lane: &[T], k: usize, flip: i64, list: &mut [T::Entry]) -> usize {
    let mut count = 0;
    // The key of the k-th so far: what comes later and has the same key stands behind it.
    let mut limit = None;
    for (block, first) in lane.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
        if let Some(limit) = limit
            && !block.iter().fold(false, |hit, &x| hit | (key(x, flip) < limit))
        {
            continue;
        }
        for (&x, place) in block.iter().zip(first..) {
            let key = key(x, flip);
            if count == list.len() {
                list.select_nth_unstable(k - 1);
                limit = Some(list[k - 1].key());
                count = k;
            }
            if limit.is_none_or(|limit| key < limit) {
                list[count] = T::Entry::new(key, place);
                count += 1;
            }
        }
    }
    count
}

/// A list whose places rise, in order, in one of the two lists.
fn sorted<'a, E: Entry>(list: &'a mut [E], spare: &'a mut [E]) -> &'a [E] {
    if list.len() < LONG {
        list.sort_unstable();
        return list;
    }
    let mut counts = [[0u32; 256]; 8];
    for entry in &*list {
        for (byte, counts) in counts[..E::BYTES].iter_mut().enumerate() {
            counts[entry.byte(byte)] += 1;
        }
    }
    let (mut from, mut to) = (list, spare);
    for (byte, counts) in counts[..E::BYTES].iter_mut().enumerate() {
        if counts[from[0].byte(byte)] as usize == from.len() {
            continue;
        }
        let mut start = 0;
        for count in &mut *counts {
            start += std::mem::replace(count, start);
        }
        for &entry in &*from {
            let place = &mut counts[entry.byte(byte)];
            to[*place as usize] = entry;
            *place += 1;
        }
        (from, to) = (to, from);
    }
    from
}
