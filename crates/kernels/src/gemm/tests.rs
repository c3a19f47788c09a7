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
            2 => Epilogue::Act(Activation::Relu),
            _ => Epilogue::BiasAct(&bias[..], Activation::Relu),
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
        if epilogue >= 2 {
            expected = expected.max(0.0);
        }
        let bound = (k + 3) as f64 * T::EPSILON.to_f64() * (size + old.abs() + bias.abs() + 1e-30);
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
    (size(), size(), size(), (0..7usize, 0..7usize), 0..3usize, any::<bool>(), 0..4usize, 0..99u64)
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
