//! The product against a naive twin in f64.

use proptest::prelude::*;

use super::*;
use crate::arch;

/// A matrix in a larger slice, and how to look at it.
#[derive(Clone, Debug)]
struct Case<T> {
    data: Vec<T>,
    offset: usize,
    shape: (usize, usize),
    strides: (isize, isize),
}

impl<T: Float> Case<T> {
    /// Values in [-1, 1] from a seed, in one of several layouts.
    fn new(shape: (usize, usize), layout: usize, seed: u64) -> Self {
        let (rows, cols) = (shape.0.max(1) as isize, shape.1.max(1) as isize);
        let strides = match layout % 7 {
            0 => (cols, 1),
            1 => (1, rows),
            2 => (cols + 5, 1),
            3 => (1, rows + 3),
            4 => (2 * cols + 1, 2),
            5 => (-cols, 1),
            _ => (-3, -3 * rows - 1),
        };
        let reach = |len: isize, stride: isize| (len - 1) * stride;
        let lowest = reach(rows, strides.0).min(0) + reach(cols, strides.1).min(0);
        let highest = reach(rows, strides.0).max(0) + reach(cols, strides.1).max(0);
        let len = (highest - lowest + 1) as usize;
        let data = values(len, seed);
        Self { data, offset: (-lowest) as usize, shape, strides }
    }

    fn matrix(&self) -> Matrix<'_, T> {
        Matrix::new(&self.data, self.offset, self.shape, self.strides)
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        let index =
            self.offset as isize + i as isize * self.strides.0 + j as isize * self.strides.1;
        self.data[index as usize].to_f64()
    }
}

/// Numbers in [-1, 1] by a linear congruential generator.
fn values<T: Float>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        T::from_f64((state >> 33) as f64 / (1u64 << 30) as f64 - 1.0)
    };
    (0..len).map(|_| next()).collect()
}

/// `A B` and the sum of the terms' magnitudes, in f64.
fn naive<T: Float>(a: &Case<T>, b: &Case<T>) -> Vec<(f64, f64)> {
    let (m, k, n) = (a.shape.0, a.shape.1, b.shape.1);
    let mut out = Vec::with_capacity(m * n);
    for i in 0..m {
        for j in 0..n {
            let terms = (0..k).map(|p| a.at(i, p) * b.at(p, j));
            out.push(terms.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs())));
        }
    }
    out
}

/// An activation, and what it does.
type Activates = (Activation, fn(f64) -> f64);

const ACTIVATIONS: [Activates; 6] = [
    (Activation::Relu, |x| x.max(0.0)),
    (Activation::Tanh, f64::tanh),
    (Activation::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
    (Activation::Gelu, |x| x * 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)),
    (Activation::GeluTanh, |x| {
        let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
        0.5 * x * (1.0 + u.tanh())
    }),
    (Activation::Silu, |x| x / (1.0 + (-x).exp())),
];

/// Guard value around C.
const GUARD: f64 = 12345.0;

struct Setup {
    m: usize,
    n: usize,
    k: usize,
    layouts: (usize, usize),
    pad: usize,
    add: bool,
    epilogue: usize,
    seed: u64,
}

/// Runs one product and compares every element, the padding included.
fn check<T: Float>(setup: &Setup) {
    let &Setup { m, n, k, layouts, pad, add, epilogue, seed } = setup;
    let a = Case::<T>::new((m, k), layouts.0, seed);
    let b = Case::<T>::new((k, n), layouts.1, seed ^ 0x55);
    let bias = values::<T>(n, seed ^ 0x99);
    let row = n + pad;
    let before = values::<T>(m * row + 1, seed ^ 0x33);
    let mut c = before.clone();
    for (index, x) in c.iter_mut().enumerate() {
        if index % row.max(1) >= n || index >= m * row {
            *x = T::from_f64(GUARD);
        } else if !add {
            *x = T::NAN;
        }
    }
    let alpha = T::from_f64(if seed.is_multiple_of(2) { 1.0 } else { -0.75 });
    let (accumulate, chosen) = (
        if add { Accumulate::Add } else { Accumulate::Replace },
        match epilogue {
            0 => Epilogue::None,
            1 => Epilogue::Bias(&bias[..]),
            _ if epilogue % 2 == 0 => Epilogue::Act(ACTIVATIONS[epilogue / 2 - 1].0),
            _ => Epilogue::BiasAct(&bias[..], ACTIVATIONS[epilogue / 2 - 1].0),
        },
    );
    let end = if m == 0 { 0 } else { (m - 1) * row + n };
    let out = MatrixMut::new(&mut c[..end], m, n, row);
    gemm(a.matrix(), b.matrix(), out, alpha, accumulate, chosen);
    let product = naive(&a, &b);
    for (index, x) in c.iter().enumerate() {
        let (i, j) = (index / row.max(1), index % row.max(1));
        if i >= m || j >= n {
            assert_eq!(x.to_f64(), GUARD, "guard at {i}, {j}");
            continue;
        }
        let (sum, size) = product[i * n + j];
        let old = if add { before[index].to_f64() } else { 0.0 };
        let bias = if epilogue % 2 == 1 { bias[j].to_f64() } else { 0.0 };
        let mut expected = alpha.to_f64() * sum + old + bias;
        let size = size + old.abs() + bias.abs() + 1e-30;
        let mut bound = (k + 3) as f64 * T::EPSILON.to_f64() * size;
        if epilogue >= 2 {
            let (_, function) = ACTIVATIONS[epilogue / 2 - 1];
            expected = function(expected);
            // Slopes are at most 1.13; functions are accurate to 20 ulps.
            bound = 1.13 * bound + 20.0 * T::EPSILON.to_f64() * expected.abs();
        }
        let error = (x.to_f64() - expected).abs();
        assert!(error <= bound, "({i}, {j}): {x} for {expected}, error {error} over {bound}");
    }
}

/// Sizes around every edge of the kernels.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..20usize,
        2 => 20..70usize,
        1 => prop::sample::select(vec![95, 96, 97, 127, 128, 129, 255, 256, 257, 300]),
    ]
}

fn setups() -> impl Strategy<Value = Setup> {
    (size(), size(), size(), (0..7usize, 0..7usize), 0..3usize, any::<bool>(), 0..14usize, 0..99u64)
        .prop_map(|(m, n, k, layouts, pad, add, epilogue, seed)| Setup {
            m,
            n,
            k,
            layouts,
            pad,
            add,
            epilogue,
            seed,
        })
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Setup { m, n, k, layouts, pad, add, epilogue, seed } = self;
        write!(
            f,
            "Setup {{ m: {m}, n: {n}, k: {k}, layouts: {layouts:?}, pad: {pad}, add: {add}, \
             epilogue: {epilogue}, seed: {seed} }}"
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 200 } else { 2000 }))]

    #[test]
    fn equals_the_naive_product_f32(setup in setups()) {
        check::<f32>(&setup);
    }

    #[test]
    fn equals_the_naive_product_f64(setup in setups()) {
        check::<f64>(&setup);
    }

    #[test]
    fn every_instruction_set_equals_the_naive_product(setup in setups(), pick in 0..8usize) {
        let isas = arch::available();
        arch::with(isas[pick % isas.len()], || {
            check::<f32>(&setup);
            check::<f64>(&setup);
        });
    }
}

/// Several spans of chunks, blocks of columns and tiles, whole and with rests.
#[test]
fn large_products_are_right() {
    for (m, n, k) in [
        (31, 300, 2800),
        (530, 33, 700),
        (29, 1100, 500),
        (300, 290, 225),
        (600, 70, 96),
        (250, 230, 1400),
    ] {
        for (index, layouts) in [(0, 0), (0, 1), (1, 0), (3, 4), (4, 2)].into_iter().enumerate() {
            let (add, seed) = (index % 2 == 1, index as u64);
            let (pad, epilogue) = (index % 3, 3 + 2 * index);
            let setup = Setup { m, n, k, layouts, pad, add, epilogue, seed };
            check::<f32>(&setup);
            arch::with(arch::available()[index % arch::available().len()], || check::<f64>(&setup));
        }
    }
}

fn on_threads<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(body)
}

/// Computes one product several times on each number of threads and compares the bits.
fn check_threads<T: Float>((m, n, k): (usize, usize, usize), layouts: (usize, usize)) {
    let a = Case::<T>::new((m, k), layouts.0, 1);
    let b = Case::<T>::new((k, n), layouts.1, 2);
    let product = || {
        let mut c = vec![T::NAN; m * n];
        let out = MatrixMut::row_major(&mut c, m, n);
        let relu = Epilogue::Act(Activation::Relu);
        gemm(a.matrix(), b.matrix(), out, T::ONE, Accumulate::Replace, relu);
        c.into_iter().map(T::to_bits_u64).collect::<Vec<_>>()
    };
    let expected = on_threads(1, product);
    for threads in [2, 3, 8] {
        on_threads(threads, || {
            for _ in 0..5 {
                assert!(product() == expected, "({m}, {n}, {k}) on {threads} threads");
            }
        });
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    // The first is cut into fewer tiles for one thread than for several, with one column over.
    let mut shapes =
        vec![(256, 193, 2000), (130, 513, 300), (700, 40, 500), (33, 10, 4096), (700, 70, 200)];
    shapes.extend([(1, 2000, 700), (900, 1, 900)]);
    for shape in shapes {
        for layouts in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            check_threads::<f32>(shape, layouts);
            check_threads::<f64>(shape, layouts);
        }
    }
}

/// The shape of faer-rs issue 273: a wide row-major product whose operand is mostly zero blocks.
#[test]
fn wide_products_with_zero_blocks_are_right() {
    let (m, n, k) = (40, 5018, 64);
    let a = Case::<f64>::new((m, k), 0, 3);
    let mut b = Case::<f64>::new((k, n), 0, 4);
    for (index, x) in b.data.iter_mut().enumerate() {
        if index % n < 4000 {
            *x = 0.0;
        }
    }
    let mut c = vec![f64::NAN; m * n];
    let out = MatrixMut::row_major(&mut c, m, n);
    gemm(a.matrix(), b.matrix(), out, 1.0, Accumulate::Replace, Epilogue::None);
    for (index, (sum, size)) in naive(&a, &b).into_iter().enumerate() {
        assert!((c[index] - sum).abs() <= k as f64 * f64::EPSILON * size, "element {index}");
    }
}

#[test]
fn infinities_and_nan_travel() {
    let (a, b) = ([f32::INFINITY, 1.0, 0.0, f32::NAN], [1.0, 0.0, 0.0, 1.0]);
    let mut c = [0.0_f32; 4];
    let (a, b) = (Matrix::row_major(&a, 2, 2), Matrix::row_major(&b, 2, 2));
    let out = MatrixMut::row_major(&mut c, 2, 2);
    gemm(a, b, out, 1.0, Accumulate::Replace, Epilogue::Act(Activation::Relu));
    // Row 0: inf * 1 + 1 * 0, and inf * 0 + 1 * 1. Row 1: both sums have a NaN term.
    assert!(c[0] == f32::INFINITY && c[1].is_nan() && c[2].is_nan() && c[3].is_nan(), "{c:?}");
}

/// A batch of two axes: A repeats along the first, B along the second.
#[test]
fn batches_step_and_repeat() {
    let (m, n, k, first, second) = (5, 7, 9, 3, 4);
    let (a, b) = (values::<f32>(second * m * k, 1), values::<f32>(first * k * n, 2));
    let c_step = m * n + 2;
    let mut c = vec![GUARD as f32; first * second * c_step];
    let axes = [
        BatchAxis { len: first, a_step: 0, b_step: (k * n) as isize },
        BatchAxis { len: second, a_step: (m * k) as isize, b_step: 0 },
    ];
    let (a0, b0) = (Matrix::row_major(&a, m, k), Matrix::row_major(&b, k, n));
    let out = MatrixMut::row_major(&mut c, m, n);
    gemm_batched(&axes, a0, b0, out, c_step, 1.0, Accumulate::Replace, Epilogue::None);
    for product in 0..first * second {
        let (a, b) = (&a[product % second * m * k..], &b[product / second * k * n..]);
        let mut expected = vec![GUARD as f32; c_step];
        let out = MatrixMut::row_major(&mut expected, m, n);
        let (a, b) = (Matrix::row_major(a, m, k), Matrix::row_major(b, k, n));
        gemm(a, b, out, 1.0, Accumulate::Replace, Epilogue::None);
        assert_eq!(c[product * c_step..][..c_step], expected, "product {product}");
    }
}

#[test]
fn large_batches_run_on_threads() {
    let (count, m, n, k) = (64, 20, 30, 40);
    let (a, b) = (values::<f64>(count * m * k, 1), values::<f64>(k * n, 2));
    let product = |axes: &[BatchAxis], rows: usize, c_step: usize| {
        let mut c = vec![f64::NAN; count * m * n];
        let (a, b) = (Matrix::row_major(&a, rows, k), Matrix::row_major(&b, k, n));
        let out = MatrixMut::row_major(&mut c, rows, n);
        gemm_batched(axes, a, b, out, c_step, 1.0, Accumulate::Replace, Epilogue::None);
        c
    };
    let axes = [BatchAxis { len: count, a_step: (m * k) as isize, b_step: 0 }];
    let batch = on_threads(3, || product(&axes, m, m * n));
    assert_eq!(batch, product(&[], count * m, 0));
}

/// Calls `product` and gives the message of its panic.
fn refusal(product: impl FnOnce() + std::panic::UnwindSafe) -> String {
    *std::panic::catch_unwind(product).unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn what_does_not_fit_is_refused() {
    let shapes = refusal(|| {
        let (a, b, mut c) = ([0.0_f32; 6], [0.0; 6], [0.0; 4]);
        let (a, b) = (Matrix::row_major(&a, 2, 3), Matrix::row_major(&b, 2, 3));
        let out = MatrixMut::row_major(&mut c, 2, 2);
        gemm(a, b, out, 1.0, Accumulate::Add, Epilogue::Bias(&[1.0; 5]));
    });
    assert_eq!(
        shapes,
        "gemm: needs (m, k), (k, n) into (m, n), bias (n); \
         got [2, 3], [2, 3] into [2, 2], bias [5]"
    );
    let short = refusal(|| _ = Matrix::row_major(&[0.0_f32; 5], 2, 3));
    assert_eq!(short, "matrix: needs elements 0 to 5; got a slice of 5");
    let negative = refusal(|| _ = Matrix::new(&[0.0_f32; 5], 1, (2, 2), (-2, 1)));
    assert_eq!(negative, "matrix: needs elements -1 to 2; got a slice of 5");
    let narrow = refusal(|| _ = MatrixMut::new(&mut [0.0_f32; 9], 3, 3, 2));
    assert_eq!(narrow, "matrix: needs a row stride of at least 3; got 2");
    let overlap = refusal(|| {
        let (a, mut c) = ([0.0_f32; 8], [0.0; 8]);
        let axes = [BatchAxis { len: 2, a_step: 4, b_step: 0 }];
        let matrix = Matrix::row_major(&a, 2, 2);
        let out = MatrixMut::row_major(&mut c, 2, 2);
        gemm_batched(&axes, matrix, matrix, out, 3, 1.0, Accumulate::Add, Epilogue::None);
    });
    assert_eq!(overlap, "gemm_batched: needs results at least 4 elements apart; got 3");
}
