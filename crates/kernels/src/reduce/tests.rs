//! Every reduction against its naive twin.

use proptest::prelude::*;

use super::{any, *};
use crate::arch;
use crate::testing::*;

/// The elements of each reduced place, in order.
fn groups<T: Copy>(x: &[T], split: Split) -> Vec<Vec<T>> {
    let Split { outer, axis, inner } = split;
    let group = |o: usize, i: usize| (0..axis).map(|a| x[(o * axis + a) * inner + i]).collect();
    (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))).map(|(o, i)| group(o, i)).collect()
}

/// The largest element and its first place; the first NaN wins.
fn naive_max(x: &[f64]) -> (f64, i64) {
    let mut best = (x[0], 0);
    for (i, &x) in x.iter().enumerate() {
        if !best.0.is_nan() && (x.is_nan() || x > best.0) {
            best = (x, i as i64);
        }
    }
    best
}

fn check_all<T: Float>(x: &[T], split: Split) {
    let context = (split, arch::current());
    let groups = groups(&wide(x), split);
    let eps = T::EPSILON.to_f64();
    let mut out = vec![T::from_f64(7.0); split.reduced()];
    let naive = |f: fn(&[f64]) -> f64| groups.iter().map(|g| f(g)).collect::<Vec<f64>>();
    let size = |f: fn(f64) -> f64, i: usize| groups[i].iter().map(|&x| f(x)).sum::<f64>();

    sum(x, split, &mut out);
    let want = naive(|g| g.iter().sum());
    assert_within(("sum", context), &out, &want, |i| 130.0 * eps * size(f64::abs, i));
    mean(x, split, &mut out);
    let want = naive(|g| g.iter().sum::<f64>() / g.len() as f64);
    let count = split.axis as f64;
    assert_within(("mean", context), &out, &want, |i| 130.0 * eps * size(f64::abs, i) / count);
    sum_squares(x, split, &mut out);
    let want = naive(|g| g.iter().map(|x| x * x).sum());
    assert_within(("sum_squares", context), &out, &want, |i| 131.0 * eps * want[i]);
    prod(x, split, &mut out);
    let want = naive(|g| g.iter().product());
    assert_within(("prod", context), &out, &want, |i| {
        eps * (count + 2.0) * want[i].abs() + T::MIN_POSITIVE.to_f64()
    });
    if split.axis > 0 {
        check_extremes(x, split, &groups);
    }
}

fn check_extremes<T: Float>(x: &[T], split: Split, groups: &[Vec<f64>]) {
    let context = (split, arch::current());
    let mut out = vec![T::from_f64(7.0); split.reduced()];
    let mut index = vec![-1; split.reduced()];
    let (want, places): (Vec<f64>, Vec<i64>) = groups.iter().map(|g| naive_max(g)).unzip();
    max(x, split, &mut out);
    assert_within(("max", context), &out, &want, |_| 0.0);
    argmax(x, split, &mut index);
    assert_eq!(index, places, "argmax {context:?}");
    out.fill(T::ZERO);
    index.fill(-1);
    max_with_index(x, split, &mut out, &mut index);
    assert_within(("max_with_index", context), &out, &want, |_| 0.0);
    assert_eq!(index, places, "max_with_index {context:?}");

    let negated = |g: &Vec<f64>| naive_max(&g.iter().map(|x| -x).collect::<Vec<_>>());
    let (want, places): (Vec<f64>, Vec<i64>) =
        groups.iter().map(negated).map(|(x, i)| (-x, i)).unzip();
    min(x, split, &mut out);
    assert_within(("min", context), &out, &want, |_| 0.0);
    argmin(x, split, &mut index);
    assert_eq!(index, places, "argmin {context:?}");
    min_with_index(x, split, &mut out, &mut index);
    assert_within(("min_with_index", context), &out, &want, |_| 0.0);
}

/// Walks along the axis of each column, from the first element on or from the last one down, and
/// compares what `step` makes of a state and the next elements.
fn scanned<S: Copy>(
    split: Split,
    reverse: bool,
    start: S,
    mut step: impl FnMut(S, usize, usize) -> (S, f64),
) -> Vec<f64> {
    let mut want = vec![0.0; split.elements()];
    for column in 0..split.reduced() {
        let (o, i) = (column / split.inner, column % split.inner);
        let mut state = start;
        for a in 0..split.axis {
            let a = if reverse { split.axis - 1 - a } else { a };
            let at = (o * split.axis + a) * split.inner + i;
            (state, want[at]) = step(state, at, a);
        }
    }
    want
}

fn check_scans<T: Float>(x: &[T], split: Split) {
    let (x64, eps) = (wide(x), T::EPSILON.to_f64());
    let mut out = vec![T::from_f64(7.0); x.len()];
    // The terms of a sum may cancel; its error is in proportion to them.
    let depth = if size_of::<T>() == 8 { split.axis as f64 } else { 1.0 };
    for reverse in [false, true] {
        cumsum(x, split, reverse, &mut out);
        let want = scanned(split, reverse, 0.0, |sum, at, _| (sum + x64[at], sum + x64[at]));
        let terms =
            scanned(split, reverse, 0.0, |sum, at, _| (sum + x64[at].abs(), sum + x64[at].abs()));
        let bound = |i: usize| eps * (want[i].abs() + f64::EPSILON / eps * depth * terms[i]);
        assert_within(("cumsum", split, reverse), &out, &want, bound);
        cumprod(x, split, reverse, &mut out);
        let want = scanned(split, reverse, 1.0, |p, at, _| (p * x64[at], p * x64[at]));
        assert_within(("cumprod", split, reverse), &out, &want, |i| {
            eps * depth * want[i].abs() + T::MIN_POSITIVE.to_f64()
        });
        let b: Vec<T> = x.iter().map(|&x| T::ONE - x * x).collect();
        let a: Vec<T> = x.iter().map(|&x| x * T::from_f64(0.3)).collect();
        recurrence(&a, &b, split, reverse, &mut out);
        let want = scanned(split, reverse, 0.0, |h, at, _| {
            let h = a[at].to_f64() * h + b[at].to_f64();
            (h, h)
        });
        assert_within(("recurrence", split, reverse), &out, &want, |i| 2.0 * eps * want[i].abs());
    }
    logcumsumexp(x, split, &mut out);
    let want = scanned(split, false, 0.0f64, |sum, at, _| {
        let sum = sum + x64[at].exp();
        (sum, sum.ln())
    });
    let bound = |i: usize| eps * want[i].abs() + f64::EPSILON * (8.0 + split.axis as f64);
    assert_within(("logcumsumexp", split), &out, &want, bound);
    let mut places = vec![-1; x.len()];
    for largest in [true, false] {
        match largest {
            true => argcummax(x, split, &mut places),
            false => argcummin(x, split, &mut places),
        }
        let want = scanned(split, false, (f64::NAN, 0), |(best, place): (f64, usize), at, a| {
            let beats = if largest { x64[at] >= best } else { x64[at] <= best };
            let next = if a == 0 || beats { (x64[at], a) } else { (best, place) };
            (next, next.1 as f64)
        });
        assert!(places.iter().zip(&want).all(|(&got, &want)| got as f64 == want), "{split:?}");
    }
}

#[test]
fn scans_of_special_values() {
    let split = |axis: usize| Split { outer: 1, axis, inner: 1 };
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let same = |got: &[f64], want: &[f64]| {
        let equal = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
        assert!(got.iter().zip(want).all(equal), "{got:?} {want:?}");
    };
    let mut out = [0.0; 4];
    logcumsumexp(&[-inf, -inf, 2.0, inf], split(4), &mut out);
    same(&out, &[-inf, -inf, 2.0, inf]);
    logcumsumexp(&[inf, inf, 1.0, nan], split(4), &mut out);
    same(&out, &[inf, inf, inf, nan]);
    let mut places = [0; 5];
    argcummax(&[1.0, 1.0, nan, 2.0, nan], split(5), &mut places);
    assert_eq!(places, [0, 1, 2, 2, 4]);
    // What stands behind NaN must not reach what stands before it.
    let mut x = [1.0f32; 20];
    x[10] = f32::NAN;
    let mut out = [0.0; 20];
    cumsum(&x, split(20), false, &mut out);
    assert!((0..20).all(|i| out[i].is_nan() == (i >= 10)));
    cumsum(&x, split(20), true, &mut out);
    assert!((0..20).all(|i| out[i].is_nan() == (i <= 10)));
}

fn splits() -> impl Strategy<Value = Split> {
    let size = || prop_oneof![0..5usize, 0..40usize, Just(64), Just(130)];
    (0..4usize, size(), prop_oneof![Just(1), size()]).prop_map(|(outer, axis, inner)| Split {
        outer,
        axis,
        inner,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn reductions_equal_their_twins(split in splits(), seed: u64) {
        on_each_isa(|_| {
            check_all::<f32>(&values(split.elements(), seed), split);
            check_all::<f64>(&values(split.elements(), seed), split);
            check_scans::<f32>(&values(split.elements(), seed), split);
            check_scans::<f64>(&values(split.elements(), seed), split);
        });
    }

    #[test]
    fn extremes_keep_nan_and_first_places(split in splits(), seed: u64) {
        // Few different values, so that there are ties; some NaN and infinities.
        let special = [0.0, -0.0, 1.0, 1.0, 2.0, -1.0, f32::NAN, f32::INFINITY, -f32::INFINITY];
        let pick = indices(split.elements(), special.len(), seed);
        let x: Vec<f32> = pick.iter().map(|&i| special[i as usize]).collect();
        if split.axis > 0 {
            on_each_isa(|_| check_extremes(&x, split, &groups(&wide(&x), split)));
        }
    }

    #[test]
    fn truth_equals_its_twin(split in splits(), seed: u64) {
        let x: Vec<bool> = indices(split.elements(), 9, seed).iter().map(|&i| i > 0).collect();
        let groups = groups(&x, split);
        let mut out = vec![false; split.reduced()];
        any(&x, split, &mut out);
        prop_assert!(out.iter().zip(&groups).all(|(&o, g)| o == g.iter().any(|&x| x)));
        all(&x, split, &mut out);
        prop_assert!(out.iter().zip(&groups).all(|(&o, g)| o == g.iter().all(|&x| x)));
        let mut out = vec![-1; split.reduced()];
        count(&x, split, &mut out);
        let counted = |g: &Vec<bool>| g.iter().filter(|&&x| x).count() as i64;
        prop_assert!(out.iter().zip(&groups).all(|(&o, g)| o == counted(g)));
    }

    #[test]
    fn sum_to_equals_its_twin(
        shape in prop::collection::vec(0..5usize, 0..6),
        summed: u8,
        lead in 0..3usize,
        seed: u64,
    ) {
        let lead = lead.min(shape.len());
        let is_summed = |axis: usize| axis < lead || summed >> axis & 1 == 1;
        let to: Vec<usize> = (lead..shape.len())
            .map(|axis| if is_summed(axis) { 1 } else { shape[axis] })
            .collect();
        let x: Vec<f64> = values(shape.iter().product(), seed);
        let mut want = vec![0.0; to.iter().product()];
        for (flat, &x) in x.iter().enumerate() {
            let (mut rest, mut place, mut step) = (flat, 0, 1);
            for (axis, &size) in shape.iter().enumerate().rev() {
                if !is_summed(axis) {
                    place += rest % size * step;
                    step *= size;
                }
                rest /= size;
            }
            want[place] += x;
        }
        let mut out = vec![7.0; want.len()];
        sum_to(&x, &shape, &to, &mut out);
        assert_within((&shape, &to), &out, &want, |_| 1e-12);
    }
}

/// Long and wide enough for several blocks, parts, strips and tasks.
const LARGE: [(usize, usize, usize); 6] =
    [(1, 300_001, 1), (3, 70_000, 1), (2, 2500, 3), (1, 2100, 1100), (70, 300, 17), (5000, 10, 1)];

#[test]
fn large_reductions_equal_their_twins() {
    for (outer, axis, inner) in LARGE {
        let split = Split { outer, axis, inner };
        let x: Vec<f32> = values(split.elements(), 5);
        on_each_isa(|_| check_all(&x, split));
        check_scans(&x, split);
    }
}

#[test]
fn threads_do_not_change_bits() {
    for (outer, axis, inner) in LARGE {
        let split = Split { outer, axis, inner };
        let x: Vec<f32> = values(split.elements(), 6);
        assert_same_on_threads(|| {
            let mut out = vec![0.0f32; split.reduced()];
            let mut scanned = vec![0.0f32; x.len()];
            let mut index = vec![0; split.reduced()];
            sum(&x, split, &mut out);
            let mut all_bits = bits(&out);
            max_with_index(&x, split, &mut out, &mut index);
            all_bits.extend(bits(&out));
            cumsum(&x, split, true, &mut scanned);
            all_bits.extend(bits(&scanned));
            (all_bits, index)
        });
    }
}

#[test]
fn nan_reaches_every_sum() {
    for (outer, axis, inner) in [(1, 100, 1), (1, 9, 7)] {
        let split = Split { outer, axis, inner };
        let mut x = vec![1.0f32; split.elements()];
        x[50] = f32::NAN;
        let mut out = vec![0.0; split.reduced()];
        sum(&x, split, &mut out);
        assert!(out[50 % inner].is_nan());
        assert_eq!(out.iter().filter(|x| x.is_nan()).count(), 1);
    }
}

#[test]
#[should_panic(expected = "max: needs an element along the axis")]
fn max_of_nothing_is_refused() {
    let split = Split { outer: 1, axis: 0, inner: 2 };
    max(&[] as &[f32], split, &mut [0.0; 2]);
}
