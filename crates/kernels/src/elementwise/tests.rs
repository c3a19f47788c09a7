//! Maps against naive twins, on every layout and instruction set.

use proptest::prelude::*;

use super::*;
use crate::view::View;
use crate::{Float, arch};

/// A buffer and a layout on it; all operands of one case share a shape.
#[derive(Clone)]
struct Operand {
    data: Vec<f64>,
    offset: usize,
    strides: Vec<isize>,
}

impl std::fmt::Debug for Operand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} from {} of {}", self.strides, self.offset, self.data.len())
    }
}

#[derive(Clone, Debug)]
struct Case {
    shape: Vec<usize>,
    operands: Vec<Operand>,
}

impl Operand {
    /// The elements in the order of the shape, one by one.
    fn elements<T: crate::Element>(&self, shape: &[usize], data: &[T]) -> Vec<T> {
        let len: usize = shape.iter().product();
        (0..len)
            .map(|mut i| {
                let mut at = self.offset as isize;
                for (&n, &stride) in shape.iter().zip(&self.strides).rev() {
                    at += (i % n) as isize * stride;
                    i /= n;
                }
                data[at as usize]
            })
            .collect()
    }
}

/// Lengths around block and register sizes, and short axes.
fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![]),
        prop_oneof![0..70usize, Just(1024), Just(2500)].prop_map(|n| vec![n]),
        (1..7usize, 1..300usize).prop_map(|(a, b)| vec![a, b]),
        (0..4usize, 1..5usize, 1..40usize).prop_map(|(a, b, c)| vec![a, b, c]),
        (1..3usize, 1..4usize, 1..4usize, 1..4usize).prop_map(|(a, b, c, d)| vec![a, b, c, d]),
    ]
}

/// A layout of the shape: axes in any order, each plain, reversed, with gaps, or broadcast.
fn operand(shape: Vec<usize>) -> impl Strategy<Value = Operand> {
    let rank = shape.len();
    let order = Just((0..rank).collect::<Vec<_>>()).prop_shuffle();
    let kinds = prop_oneof![
        2 => Just(vec![0; rank]),
        3 => proptest::collection::vec(0..4, rank),
    ];
    let permuted = prop_oneof![2 => Just(false), 1 => Just(true)];
    (order, kinds, permuted, any::<u64>()).prop_map(move |(order, kinds, permuted, seed)| {
        let mut strides = vec![0isize; rank];
        let (mut reach, mut offset) = (1usize, 3usize);
        for (i, &drawn) in order.iter().enumerate() {
            let axis = if permuted { drawn } else { rank - 1 - i };
            let len = shape[axis].max(1);
            match kinds[axis] {
                3 => strides[axis] = 0,
                kind => {
                    let step = if kind == 2 { reach + 1 } else { reach };
                    strides[axis] = step as isize;
                    if kind == 1 {
                        offset += step * (len - 1);
                        strides[axis] = -strides[axis];
                    }
                    reach = step * len;
                }
            }
        }
        let len = offset + reach * 2 + 5;
        let data = (0..len).map(|i| value(seed.wrapping_add(i as u64))).collect();
        Operand { data, offset, strides }
    })
}

/// A number in -4 to 4, or now and then a special one.
fn value(seed: u64) -> f64 {
    let bits = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (seed >> 7);
    match bits >> 59 {
        0 => [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY][(bits % 5) as usize],
        _ => (bits >> 12) as f64 / (1u64 << 49) as f64 - 4.0,
    }
}

fn cases(operands: usize) -> impl Strategy<Value = Case> {
    shapes().prop_flat_map(move |shape| {
        proptest::collection::vec(operand(shape.clone()), operands)
            .prop_map(move |operands| Case { shape: shape.clone(), operands })
    })
}

/// Runs `f` on guarded output for every instruction set; the guards must survive.
fn outputs<T: Float>(len: usize, f: impl Fn(&mut [T])) -> Vec<Vec<T>> {
    let guard = T::from_f64(-77.0);
    arch::available()
        .iter()
        .map(|&isa| {
            let mut y = vec![guard; len + 32];
            arch::with(isa, || f(&mut y[16..16 + len]));
            assert!(y[..16].iter().chain(&y[16 + len..]).all(|&g| g == guard), "guards");
            y[16..16 + len].to_vec()
        })
        .collect()
}

/// Fails unless all elements equal the expected ones to 1e-5 (of 1 at least), NaN and zero signs
/// included.
fn assert_close<T: Float>(got: &[T], expected: impl Iterator<Item = f64>) {
    for (i, (got, expected)) in got.iter().map(|y| y.to_f64()).zip(expected).enumerate() {
        let expected = T::from_f64(expected).to_f64();
        let close = (got - expected).abs() <= 1e-5 * expected.abs().max(1.0);
        let same = got == expected && got.is_sign_negative() == expected.is_sign_negative();
        assert!(
            same || close && got != 0.0 || got.is_nan() && expected.is_nan(),
            "element {i}: got {got}, expected {expected}"
        );
    }
}

type Map1<T> = fn(View<'_, T>, &mut [T]);
type Map2<T> = fn(View<'_, T>, View<'_, T>, &mut [T]);
/// A map and its twin on one number.
type Twins1<T> = (Map1<T>, fn(f64) -> f64);
/// A map and its twin on two numbers.
type Twins2<T> = (Map2<T>, fn(f64, f64) -> f64);

fn check_unary<T: Float>(case: &Case, maps: &[Twins1<T>]) {
    let [x] = &case.operands[..] else { unreachable!("one operand") };
    let data: Vec<T> = x.data.iter().map(|&x| T::from_f64(x)).collect();
    let elements = x.elements(&case.shape, &data);
    for (map, twin) in maps {
        let view = View::new(&data, x.offset, &case.shape, &x.strides);
        for y in outputs(elements.len(), |y| map(view, y)) {
            assert_close(&y, elements.iter().map(|x| twin(x.to_f64())));
        }
    }
}

fn check_binary<T: Float>(case: &Case, maps: &[Twins2<T>]) {
    let [a, b] = &case.operands[..] else { unreachable!("two operands") };
    let data = [a, b].map(|x| x.data.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>());
    let elements = [a.elements(&case.shape, &data[0]), b.elements(&case.shape, &data[1])];
    for (map, twin) in maps {
        let views = [
            View::new(&data[0], a.offset, &case.shape, &a.strides),
            View::new(&data[1], b.offset, &case.shape, &b.strides),
        ];
        let expected = || {
            let pairs = elements[0].iter().zip(&elements[1]);
            pairs.map(|(a, b)| twin(a.to_f64(), b.to_f64()))
        };
        for y in outputs(elements[0].len(), |y| map(views[0], views[1], y)) {
            assert_close(&y, expected());
        }
    }
}

fn nan_max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

fn unary_maps<T: Float>() -> Vec<Twins1<T>> {
    vec![
        (neg, |x| -x),
        (abs, f64::abs),
        (sign, |x| if x == 0.0 || x.is_nan() { x } else { x.signum() }),
        (square, |x| x * x),
        (sqrt, f64::sqrt),
        (rsqrt, |x| 1.0 / x.sqrt()),
        (recip, f64::recip),
        (floor, f64::floor),
        (ceil, f64::ceil),
        (round, f64::round_ties_even),
        (trunc, f64::trunc),
        (|x, y| clamp(x, T::from_f64(-1.5), T::ONE, y), |x| x.clamp(-1.5, 1.0)),
        (exp, f64::exp),
        (tan, f64::tan),
        (relu, |x| if x < 0.0 { 0.0 } else { x }),
        (relu6, |x| x.clamp(0.0, 6.0)),
        (|x, y| leaky_relu(x, T::HALF, y), |x| if x > 0.0 { x } else { 0.5 * x }),
        (|x, y| elu(x, T::HALF, y), |x| if x > 0.0 { x } else { 0.5 * x.exp_m1() }),
        (|x, y| celu(x, T::HALF, y), |x| if x > 0.0 { x } else { 0.5 * (2.0 * x).exp_m1() }),
        (|x, y| hardtanh(x, -T::ONE, T::HALF, y), |x| x.clamp(-1.0, 0.5)),
        (|x, y| hardshrink(x, T::HALF, y), |x| if x.abs() <= 0.5 { 0.0 } else { x }),
        (
            |x, y| softshrink(x, T::HALF, y),
            |x| {
                if x.abs() <= 0.5 { 0.0 } else { x - 0.5f64.copysign(x) }
            },
        ),
        (hardsigmoid, |x| (x + 3.0).clamp(0.0, 6.0) / 6.0),
    ]
}

fn binary_maps<T: Float>() -> Vec<Twins2<T>> {
    vec![
        (add, |a, b| a + b),
        (sub, |a, b| a - b),
        (mul, |a, b| a * b),
        (div, |a, b| a / b),
        (pow, f64::powf),
        (atan2, f64::atan2),
        (rem, |a, b| a % b),
        (|a, b, y| add_scaled(a, b, T::HALF, y), |a, b| a + 0.5 * b),
        (relu_backward, |dy, y| if y <= 0.0 { 0.0 } else { dy }),
        (tanh_backward, |dy, y| dy * (1.0 - y * y)),
        (sigmoid_backward, |dy, y| dy * y * (1.0 - y)),
        (
            |dy, x, dx| leaky_relu_backward(dy, x, T::HALF, dx),
            |dy, x| {
                if x > 0.0 { dy } else { 0.5 * dy }
            },
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn unary_maps_equal_their_twins(case in cases(1)) {
        check_unary::<f32>(&case, &unary_maps());
        check_unary::<f64>(&case, &unary_maps());
    }

    #[test]
    fn binary_maps_equal_their_twins(case in cases(2)) {
        check_binary::<f32>(&case, &binary_maps());
        check_binary::<f64>(&case, &binary_maps());
    }

    #[test]
    fn max_and_min_spread_nan(case in cases(2)) {
        // Of two zeros either may be chosen: compare without signs.
        let positive = |f: Map2<f64>, twin: fn(f64, f64) -> f64| {
            let [a, b] = &case.operands[..] else { unreachable!("two operands") };
            let views = [a, b].map(|x| View::new(&x.data, x.offset, &case.shape, &x.strides));
            let elements = [a, b].map(|x| x.elements(&case.shape, &x.data));
            for y in outputs(elements[0].len(), |y| f(views[0], views[1], y)) {
                for ((y, &a), &b) in y.iter().zip(&elements[0]).zip(&elements[1]) {
                    let expected = twin(a, b);
                    assert!(*y == expected || y.is_nan() && expected.is_nan(), "{a} {b} {y}");
                }
            }
        };
        positive(max, nan_max);
        positive(min, |a, b| -nan_max(-a, -b));
    }

    #[test]
    fn in_place_equals_out_of_place(case in cases(2)) {
        let [a, b] = &case.operands[..] else { unreachable!("two operands") };
        let elements = a.elements(&case.shape, &a.data);
        let view = View::new(&b.data, b.offset, &case.shape, &b.strides);
        let mut expected = vec![0.0; elements.len()];
        for &isa in arch::available() {
            arch::with(isa, || {
                let mut y = elements.clone();
                add_scaled(View::flat(&elements), view, 0.5, &mut expected);
                add_scaled_assign(&mut y, view, 0.5);
                assert_close(&y, expected.iter().copied());
                y.copy_from_slice(&elements);
                mul_add(View::flat(&elements), view, View::scalar(&2.0), &mut expected);
                let scaled = y.clone();
                y.fill(2.0);
                mul_add_assign(&mut y, View::flat(&scaled), view);
                assert_close(&y, expected.iter().copied());
                y.copy_from_slice(&elements);
                tanh(View::flat(&elements), &mut expected);
                tanh_assign(&mut y);
                assert_close(&y, expected.iter().copied());
            });
        }
    }

    #[test]
    fn comparisons_and_selection_equal_their_twins(case in cases(2)) {
        let [a, b] = &case.operands[..] else { unreachable!("two operands") };
        let views = [a, b].map(|x| View::new(&x.data, x.offset, &case.shape, &x.strides));
        let [ea, eb] = [a, b].map(|x| x.elements(&case.shape, &x.data));
        let mut mask = vec![false; ea.len()];
        for &isa in arch::available() {
            arch::with(isa, || {
                less(views[0], views[1], &mut mask);
                assert!(mask.iter().zip(ea.iter().zip(&eb)).all(|(&m, (a, b))| m == (a < b)));
                let mut y = vec![0.0; ea.len()];
                select(View::flat(&mask), views[0], views[1], &mut y);
                assert_close(&y, ea.iter().zip(&eb).map(|(&a, &b)| if a < b { a } else { b }));
                let mut narrow = vec![0.0f32; ea.len()];
                cast(views[0], &mut narrow);
                assert_close(&narrow, ea.iter().copied());
            });
        }
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let x: Vec<f32> = (0..300_000).map(|i| (i as f32 * 0.37).sin() * 5.0).collect();
    let mut results = Vec::new();
    for threads in [1, 2, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let mut y = vec![0.0; x.len()];
        pool.install(|| gelu(View::flat(&x), &mut y));
        results.push(y);
    }
    assert!(results.iter().all(|y| y == &results[0]));
}

#[test]
#[should_panic(expected = "needs 3 elements; got a flat view of 2")]
fn wrong_lengths_are_refused() {
    add(View::flat(&[1.0, 2.0]), View::scalar(&1.0), &mut [0.0; 3]);
}

#[test]
fn integer_comparisons() {
    let mut y = [false; 3];
    equal(View::flat(&[1i64, 2, 3]), View::scalar(&2), &mut y);
    assert_eq!(y, [false, true, false]);
    let mut casted = [0i64; 3];
    cast(View::flat(&y), &mut casted);
    assert_eq!(casted, [0, 1, 0]);
    let mut chosen = [0i64; 3];
    select(View::flat(&y), View::scalar(&7i64), View::flat(&casted), &mut chosen);
    assert_eq!(chosen, [0, 7, 0]);
}

#[test]
fn long_runs_of_broadcast_operands_equal_their_twin() {
    // Runs that go together, in tasks that begin in the middle of one; some backwards.
    let (shape, len) = ([5, 27, 288], 5 * 27 * 288);
    let x: Vec<f32> = (0..len).map(|i| (i as f32 * 0.37).sin()).collect();
    let strides: [(usize, [isize; 3]); 5] = [
        (0, [27, 1, 0]),
        (0, [288, 0, 1]),
        (26 * 300, [7000, -300, 1]),
        (4, [-1, 7, 0]),
        (0, [0, 288, 1]),
    ];
    let at = |(offset, strides): (usize, [isize; 3]), i: usize| {
        let index = [i / (27 * 288), i / 288 % 27, i % 288];
        let moved: isize = index.iter().zip(strides).map(|(&i, step)| i as isize * step).sum();
        x[(offset as isize + moved) as usize]
    };
    for a in &strides {
        for b in &strides {
            let (u, v) = (View::new(&x, a.0, &shape, &a.1), View::new(&x, b.0, &shape, &b.1));
            let mut y = vec![0.0; len];
            mul(u, v, &mut y);
            assert!((0..len).all(|i| y[i] == at(*a, i) * at(*b, i)), "{a:?} {b:?}");
            let before = y.clone();
            add_assign(&mut y, v);
            assert!((0..len).all(|i| y[i] == before[i] + at(*b, i)), "{b:?} in place");
        }
    }
}
