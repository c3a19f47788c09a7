//! Dropout, and random numbers that are a pure function of a seed and an element's index.
//!
//! The generator is Philox4x32-10, which turns a 128-bit counter and a 64-bit key into four
//! 32-bit words. Elements come in groups of 64, which share 16 counters, so that registers of up
//! to 16 lanes produce words in the order of the elements: element `64 g + 16 k + j` takes word k
//! of counter `16 g + j`. Nothing is stored between forward and backward, and threads, instruction
//! sets and the cut of a slice change nothing.

use pulp::{Simd, WithSimd};

use crate::element::{Element, Float, per_float};
use crate::{arch, par};

/// Elements that share counters.
const GROUP: usize = 64;

/// Elements of a task.
const TASK: usize = 16 * 1024;

/// `y = x / (1 - p)` with probability `1 - p`, else 0, independently for each element.
///
/// Which elements are kept follows from `seed` and their index alone: [`mask`] gives them. The
/// gradient is the same function of `dy`. With `p = 1` all become 0.
///
/// # Panics
/// If lengths differ or p is not in `[0, 1]`.
///
/// # Reference
/// Srivastava et al. 2014, scaled while training ("inverted") as in PyTorch.
pub fn dropout<T: Float>(x: &[T], p: f64, seed: u64, y: &mut [T]) {
    check("dropout", p);
    assert!(
        x.len() == y.len(),
        "dropout: needs slices of one length; got {} and {}",
        x.len(),
        y.len()
    );
    per_float!(T: drop_elements(x: &[T], p: f64, seed: u64, y: &mut [T]))
}

/// Whether [`dropout`] keeps each element.
///
/// # Panics
/// If p is not in `[0, 1]`.
pub fn mask(p: f64, seed: u64, kept: &mut [bool]) {
    check("mask", p);
    let dropped = dropped_words(p);
    for_groups(kept, seed, |_, words, kept| {
        for (kept, &word) in kept.iter_mut().zip(words) {
            *kept = u64::from(word) >= dropped;
        }
    });
}

/// Fills `out` with numbers uniform in `[0, 1)`, multiples of 2^-24: element i is
/// [`uniform_at`]`(seed, i)`.
pub fn uniform(seed: u64, out: &mut [f32]) {
    for_groups(out, seed, |_, words, out| {
        for (out, &word) in out.iter_mut().zip(words) {
            *out = to_uniform(word);
        }
    });
}

/// The uniform number of one index.
pub fn uniform_at(seed: u64, index: usize) -> f32 {
    let (group, place) = (index / GROUP, index % GROUP);
    let counter = (16 * group + place % 16) as u64;
    let words = philox([counter as u32, (counter >> 32) as u32, 0, 0], key(seed));
    to_uniform(words[place / 16])
}

#[track_caller]
fn check(kernel: &str, p: f64) {
    assert!((0.0..=1.0).contains(&p), "{kernel}: needs p in [0, 1]; got {p}");
}

/// How many of the 2^32 words drop an element: the lowest.
fn dropped_words(p: f64) -> u64 {
    (p * 4_294_967_296.0).round() as u64
}

#[inline(always)]
fn to_uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

fn key(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

fn drop_elements<T: Float>(x: &[T], p: f64, seed: u64, y: &mut [T]) {
    let dropped = dropped_words(p);
    let Ok(dropped) = u32::try_from(dropped) else {
        return y.fill(T::ZERO);
    };
    let scale = T::from_f64(1.0 / (1.0 - p));
    for_groups(
        y,
        seed,
        #[inline(always)]
        |first, words, y| {
            for ((y, &x), &word) in y.iter_mut().zip(&x[first..]).zip(words) {
                let scaled = x * scale;
                *y = if word >= dropped { scaled } else { T::ZERO };
            }
        },
    );
}

/// Calls `fill(index of the first element, words, elements)` for each group of `out`.
fn for_groups<T: Element>(
    out: &mut [T],
    seed: u64,
    fill: impl Fn(usize, &[u32; GROUP], &mut [T]) + Sync,
) {
    let work = out.len();
    par::chunks_mut(out, TASK, work, |task, out| {
        arch::dispatch_for::<T, _>(Groups { first: task * TASK, key: key(seed), out, fill: &fill });
    });
}

struct Groups<'a, T, F> {
    first: usize,
    key: [u32; 2],
    out: &'a mut [T],
    fill: &'a F,
}

impl<T, F: Fn(usize, &[u32; GROUP], &mut [T])> WithSimd for Groups<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Opaque: the compiler would fold the shift of a product's low half into its constant, and
        // then needs a multiplication of 64 bits, three times as slow.
        let multipliers = std::hint::black_box(MULTIPLIERS).map(|m| simd.splat_u32s(m));
        let mut words = [0; GROUP];
        for (i, out) in self.out.chunks_mut(GROUP).enumerate() {
            let first = self.first + i * GROUP;
            group_words(simd, (first / GROUP) as u64, (self.key, multipliers), &mut words);
            (self.fill)(first, &words, out);
        }
    }
}

/// The words of the 64 elements of a group.
#[inline(always)]
fn group_words<S: Simd>(
    simd: S,
    group: u64,
    (key, multipliers): ([u32; 2], [S::u32s; 2]),
    words: &mut [u32; GROUP],
) {
    const LANES: [u32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    let counter = 16 * group;
    let low = simd.splat_u32s(counter as u32);
    let high = simd.splat_u32s((counter >> 32) as u32);
    let zero = simd.splat_u32s(0);
    let (lanes, _) = S::as_simd_u32s(&LANES);
    for (part, &lane) in lanes.iter().enumerate() {
        let counter = [simd.add_u32s(low, lane), high, zero, zero];
        let result = philox_lanes(simd, counter, key, multipliers);
        for (words, result) in words.chunks_exact_mut(16).zip(result) {
            S::as_mut_simd_u32s(words).0[part] = result;
        }
    }
}

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// Philox4x32-10 of one counter.
///
/// # Reference
/// Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let product = |word: u32, multiplier: u32| u64::from(word) * u64::from(multiplier);
        let (a, b) = (product(counter[0], MULTIPLIERS[0]), product(counter[2], MULTIPLIERS[1]));
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
        key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
    }
    counter
}

/// [`philox`] in every lane.
#[inline(always)]
fn philox_lanes<S: Simd>(
    simd: S,
    mut counter: [S::u32s; 4],
    mut key: [u32; 2],
    multipliers: [S::u32s; 2],
) -> [S::u32s; 4] {
    for _ in 0..ROUNDS {
        let (a_low, a_high) = simd.widening_mul_u32s(counter[0], multipliers[0]);
        let (b_low, b_high) = simd.widening_mul_u32s(counter[2], multipliers[1]);
        counter = [
            xor_3(simd, b_high, counter[1], key[0]),
            b_low,
            xor_3(simd, a_high, counter[3], key[1]),
            a_low,
        ];
        key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
    }
    counter
}

#[inline(always)]
fn xor_3<S: Simd>(simd: S, high: S::u32s, word: S::u32s, key: u32) -> S::u32s {
    simd.xor_u32s(simd.xor_u32s(high, word), simd.splat_u32s(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// The known answers that Random123 ships (kat_vectors, philox4x32 with 10 rounds).
    #[test]
    fn philox_gives_the_known_answers() {
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, words) in cases {
            assert_eq!(philox(counter, key), words);
        }
    }

    #[test]
    fn every_instruction_set_gives_the_words_of_the_indices() {
        on_each_isa(|isa| {
            for len in [0, 1, 63, 64, 65, 1000, TASK + 70] {
                let mut out = vec![2.0; len];
                uniform(0x0123_4567_89ab_cdef, &mut out);
                for (i, &u) in out.iter().enumerate() {
                    assert_eq!(u, uniform_at(0x0123_4567_89ab_cdef, i), "{isa} [{i}] of {len}");
                }
            }
        });
    }

    #[test]
    fn a_million_ones() {
        for p in [0.1, 0.5, 0.8] {
            let n = 1_000_000;
            let mut y = vec![7.0f32; n];
            dropout(&vec![1.0; n], p, 42, &mut y);
            let zeros = y.iter().filter(|&&y| y == 0.0).count() as f64 / n as f64;
            let mean = y.iter().map(|&y| f64::from(y)).sum::<f64>() / n as f64;
            let se = (p * (1.0 - p) / n as f64).sqrt();
            assert!((zeros - p).abs() < 5.0 * se, "{zeros} for {p}");
            assert!((mean - 1.0).abs() < 5.0 * se / (1.0 - p), "{mean} for {p}");
        }
    }

    #[test]
    fn dropout_follows_the_mask_in_both_types() {
        on_each_isa(|isa| {
            let (x, n) = (values::<f64>(1003, 1), 1003);
            let (mut y, mut kept) = (vec![7.0; n], vec![false; n]);
            dropout(&x, 0.25, 9, &mut y);
            mask(0.25, 9, &mut kept);
            let narrow: Vec<f32> = x.iter().map(|&x| x as f32).collect();
            let mut narrow_y = vec![7.0; n];
            dropout(&narrow, 0.25, 9, &mut narrow_y);
            for i in 0..n {
                let scale = if kept[i] { 1.0 / 0.75 } else { 0.0 };
                assert_eq!(y[i], x[i] * scale, "{isa}");
                assert_eq!(narrow_y[i], narrow[i] * scale as f32, "{isa}");
            }
        });
    }

    #[test]
    fn the_ends_of_p() {
        let x = [1.0f32, f32::INFINITY, -2.0];
        let mut y = [7.0; 3];
        dropout(&x, 0.0, 1, &mut y);
        assert_eq!(y, x);
        dropout(&x, 1.0, 1, &mut y);
        assert_eq!(y, [0.0; 3]);
        let mut kept = [true; 3];
        mask(1.0, 1, &mut kept);
        assert_eq!(kept, [false; 3]);
    }

    #[test]
    fn seeds_differ_and_threads_do_not() {
        let run = |seed| {
            let mut out = vec![0.0; 200_000];
            uniform(seed, &mut out);
            bits(&out)
        };
        assert_same_on_threads(|| run(1));
        let same = run(1).iter().zip(run(2)).filter(|&(&a, b)| a == b).count();
        assert!(same < 10, "{same} equal numbers");
    }

    #[test]
    #[should_panic(expected = "dropout: needs p in [0, 1]; got 1.5")]
    fn an_impossible_p_is_refused() {
        dropout(&[1.0f32], 1.5, 0, &mut [0.0]);
    }
}
