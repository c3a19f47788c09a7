//! Dropout: random words that are a function of a seed and an element's index.
//!
//! Elements come in blocks of 4096. Each block has 16 generators xoshiro128++, whose states are
//! what Philox4x32-10 makes of the seed and the counters `16 block` to `16 block + 15`; element
//! `16 i + j` of the block takes word i of generator j. Nothing is stored between forward and
//! backward, and threads, instruction sets and the cut of a slice change nothing. Philox alone, for
//! every word, took 0.7 ns an element; so it is as fast as a copy.

use pulp::{Simd, WithSimd};

use crate::element::{Element, Float, per_float};
use crate::{arch, array, par};

/// Generators of a block: as many as the widest register has lanes.
const LANES: usize = 16;

/// Elements of a block: seeding costs 16 times what a step costs, and is shared by 256.
const BLOCK: usize = 4096;

/// Elements whose words are drawn together, to stay in the L1 cache.
const GROUP: usize = 256;

/// Elements of a task: whole blocks.
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

#[track_caller]
fn check(kernel: &str, p: f64) {
    assert!((0.0..=1.0).contains(&p), "{kernel}: needs p in [0, 1]; got {p}");
}

/// How many of the 2^32 words drop an element: the lowest.
fn dropped_words(p: f64) -> u64 {
    (p * 4_294_967_296.0).round() as u64
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
        arch::dispatch_for::<T, _>(Groups { first: task * TASK, seed, out, fill: &fill });
    });
}

struct Groups<'a, T, F> {
    /// The index of the first element: a multiple of [`BLOCK`].
    first: usize,
    seed: u64,
    out: &'a mut [T],
    fill: &'a F,
}

impl<T, F: Fn(usize, &[u32; GROUP], &mut [T])> WithSimd for Groups<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut words = [0; GROUP];
        for (i, out) in self.out.chunks_mut(BLOCK).enumerate() {
            let first = self.first + i * BLOCK;
            let mut state = states(simd, self.seed, first / BLOCK);
            for (k, out) in out.chunks_mut(GROUP).enumerate() {
                draw(simd, &mut state, &mut words);
                (self.fill)(first + k * GROUP, &words, out);
            }
        }
    }
}

/// The first states of a block's generators, words 0 to 3 of each.
#[inline(always)]
fn states<S: Simd>(simd: S, seed: u64, block: usize) -> [[u32; LANES]; 4] {
    let counter = LANES as u64 * block as u64;
    let lanes: [u32; LANES] = array::from_fn(|lane| lane as u32);
    let (lanes, _) = S::as_simd_u32s(&lanes);
    let low = simd.splat_u32s(counter as u32);
    let high = simd.splat_u32s((counter >> 32) as u32);
    let zero = simd.splat_u32s(0);
    let mut states = [[0; LANES]; 4];
    for (part, &lane) in lanes.iter().enumerate() {
        let counter = [simd.add_u32s(low, lane), high, zero, zero];
        let words = philox(simd, counter, [seed as u32, (seed >> 32) as u32]);
        for (states, words) in states.iter_mut().zip(words) {
            S::as_mut_simd_u32s(states).0[part] = words;
        }
    }
    states
}

/// The next words of a block's generators.
///
/// # Reference
/// Blackman and Vigna 2021, "Scrambled linear pseudorandom number generators": xoshiro128++.
#[inline(always)]
fn draw<S: Simd>(simd: S, states: &mut [[u32; LANES]; 4], words: &mut [u32; GROUP]) {
    let (words, _) = S::as_mut_simd_u32s(words);
    let parts = LANES / S::U32_LANES;
    for part in 0..parts {
        let [mut a, mut b, mut c, mut d] = array::map(
            array::from_fn(|i| i),
            #[inline(always)]
            |i: usize| S::as_simd_u32s(&states[i]).0[part],
        );
        for step in 0..GROUP / LANES {
            let sum = simd.add_u32s(a, d);
            words[step * parts + part] = simd.add_u32s(rotated::<S, 7>(simd, sum), a);
            let shifted = simd.wrapping_dyn_shl_u32s(b, simd.splat_u32s(9));
            c = simd.xor_u32s(c, a);
            d = simd.xor_u32s(d, b);
            b = simd.xor_u32s(b, c);
            a = simd.xor_u32s(a, d);
            c = simd.xor_u32s(c, shifted);
            d = rotated::<S, 11>(simd, d);
        }
        for (states, next) in states.iter_mut().zip([a, b, c, d]) {
            S::as_mut_simd_u32s(states).0[part] = next;
        }
    }
}

/// Each lane rotated to the left by K bits.
#[inline(always)]
fn rotated<S: Simd, const K: u32>(simd: S, x: S::u32s) -> S::u32s {
    let left = simd.wrapping_dyn_shl_u32s(x, simd.splat_u32s(K));
    simd.or_u32s(left, simd.wrapping_dyn_shr_u32s(x, simd.splat_u32s(32 - K)))
}

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// Philox4x32-10 of the counter in every lane.
///
/// # Reference
/// Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3.
#[inline(always)]
fn philox<S: Simd>(simd: S, mut counter: [S::u32s; 4], mut key: [u32; 2]) -> [S::u32s; 4] {
    // Opaque: the compiler would fold the shift of a product's low half into its constant, and
    // then needs a multiplication of 64 bits, three times as slow.
    let multipliers = std::hint::black_box(MULTIPLIERS).map(|m| simd.splat_u32s(m));
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
            assert_eq!(philox(pulp::Scalar::new(), counter, key), words);
        }
    }

    /// Of the authors' C program, from the state 1, 2, 3, 4.
    #[test]
    fn xoshiro_gives_the_known_words() {
        on_each_isa(|isa| {
            let mut states = [1, 2, 3, 4].map(|word| [word; LANES]);
            let mut words = [0; GROUP];
            arch::dispatch_for::<f32, _>(Draw(&mut states, &mut words));
            let known = [641, 1573767, 3222811527, 3517856514, 836907274, 4247214768, 3867114732];
            for (step, &word) in words.chunks(LANES).zip(&known) {
                assert_eq!(step, [word; LANES], "{isa}");
            }
        });
    }

    struct Draw<'a>(&'a mut [[u32; LANES]; 4], &'a mut [u32; GROUP]);

    impl WithSimd for Draw<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            draw(simd, self.0, self.1);
        }
    }

    /// The word of one index, step by step.
    fn word_at(seed: u64, index: usize) -> u32 {
        let (block, step, lane) = (index / BLOCK, index % BLOCK / LANES, index % LANES);
        let counter = (LANES * block + lane) as u64;
        let counter = [counter as u32, (counter >> 32) as u32, 0, 0];
        let mut s = philox(pulp::Scalar::new(), counter, [seed as u32, (seed >> 32) as u32]);
        let mut word = 0;
        for _ in 0..=step {
            word = s[0].wrapping_add(s[3]).rotate_left(7).wrapping_add(s[0]);
            let shifted = s[1] << 9;
            s[2] ^= s[0];
            s[3] ^= s[1];
            s[1] ^= s[2];
            s[0] ^= s[3];
            s[2] ^= shifted;
            s[3] = s[3].rotate_left(11);
        }
        word
    }

    #[test]
    fn every_instruction_set_gives_the_words_of_the_indices() {
        let seed = 0x0123_4567_89ab_cdef;
        on_each_isa(|isa| {
            for len in [0, 1, 63, 64, 65, 1000, BLOCK + 1, TASK + 70] {
                let mut kept = vec![true; len];
                mask(0.5, seed, &mut kept);
                for (i, &kept) in kept.iter().enumerate() {
                    let expected = word_at(seed, i) >= 1 << 31;
                    assert_eq!(kept, expected, "{isa} [{i}] of {len}");
                }
            }
        });
    }

    /// Neighbours in a row, in a column and a block apart drop independently.
    #[test]
    fn distances_do_not_matter() {
        let n = 1_000_000;
        let mut kept = vec![false; n];
        mask(0.5, 3, &mut kept);
        for distance in [1, 2, 15, 16, 17, 32, GROUP, 1024, BLOCK, 2 * BLOCK, TASK] {
            let pairs = kept.iter().zip(&kept[distance..]);
            let same = pairs.filter(|(a, b)| a == b).count() as f64;
            let count = (n - distance) as f64;
            let deviation = (same - count / 2.0).abs() / (count / 4.0).sqrt();
            assert!(deviation < 5.0, "{deviation} standard deviations at {distance}");
        }
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
            let mut out = vec![false; 200_000];
            mask(0.5, seed, &mut out);
            out
        };
        assert_same_on_threads(|| run(1));
        let same = run(1).iter().zip(run(2)).filter(|&(&a, b)| a == b).count();
        assert!((99_000..101_000).contains(&same), "{same} equal choices");
    }

    #[test]
    #[should_panic(expected = "dropout: needs p in [0, 1]; got 1.5")]
    fn an_impossible_p_is_refused() {
        dropout(&[1.0f32], 1.5, 0, &mut [0.0]);
    }
}
