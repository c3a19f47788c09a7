//! Pooling against plain loops in `f64`.

use proptest::prelude::*;

use super::*;
use crate::arch;
use crate::element::Float;
use crate::testing::*;

/// Input position and tap of every element of each output's window.
fn windows(pool: &Pool) -> Vec<Vec<(usize, usize)>> {
    let [a, b, c] = &pool.axes;
    let counts = pool.taps();
    let place = |axis: &Spans, o: usize, tap: usize| {
        let at = axis.windows[o].0 + (tap * axis.dilation) as isize;
        let inside = tap < axis.windows[o].1 && (0..axis.input as isize).contains(&at);
        inside.then_some(at as usize)
    };
    let mut all = Vec::new();
    for out in 0..pool.batch * pool.places() {
        let n = out / pool.places();
        let o = unravel(out % pool.places(), [a.len(), b.len(), c.len()]);
        for channel in 0..pool.channels {
            let mut own = Vec::new();
            for tap in 0..counts.iter().product() {
                let [t0, t1, t2] = unravel(tap, counts);
                let places = (place(a, o[0], t0), place(b, o[1], t1), place(c, o[2], t2));
                if let (Some(i), Some(j), Some(k)) = places {
                    let pixel = ((n * a.input + i) * b.input + j) * c.input + k;
                    own.push((pixel * pool.channels + channel, tap));
                }
            }
            all.push(own);
        }
    }
    all
}

fn check<T: Float>(pool: &Pool, seed: u64) {
    let context = (pool, arch::current(), T::DTYPE);
    let x: Vec<T> = values(pool.input_len(), seed);
    let dy: Vec<T> = values(pool.output_len(), seed + 1);
    let windows = windows(pool);
    let (mut y, mut taps) = (dy.clone(), vec![7; pool.taps_len()]);
    max_pool(&x, pool, &mut y, &mut taps);
    let mut indices = vec![0; dy.len()];
    max_pool_indices(&taps, pool, &mut indices);
    let mut picked = dy.clone();
    max_pool_gather(&x, &taps, pool, &mut picked);
    let mut want_dx = vec![0.0; x.len()];
    let image: usize = pool.axes.iter().map(|axis| axis.input).product();
    for (o, window) in windows.iter().enumerate() {
        let mut best: Option<(usize, usize)> = None;
        for &(at, tap) in window {
            if best.is_none_or(|(best, _)| x[at] > x[best]) {
                best = Some((at, tap));
            }
        }
        let value = best.map_or(T::NEG_INFINITY, |(at, _)| x[at]);
        assert_eq!(y[o], value, "{context:?}");
        assert_eq!(picked[o], best.map_or(T::ZERO, |(at, _)| x[at]), "{context:?}");
        let index = best.map_or(-1, |(at, _)| (at / pool.channels % image) as i64);
        assert_eq!(indices[o], index, "{context:?}");
        if let Some((at, _)) = best {
            want_dx[at] += dy[o].to_f64();
        }
    }
    let mut dx = x.clone();
    max_pool_scatter(&dy, &taps, pool, &mut dx);
    let eps = T::EPSILON.to_f64() * 50.0;
    assert_within(context, &dx, &want_dx, |_| eps);

    average_pool(&x, pool, &mut y);
    average_pool_backward(&dy, pool, &mut dx);
    let (mut want_y, mut want_dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
    for (o, window) in windows.iter().enumerate() {
        let [a, b, c] = [0, 1, 2].map(|at| pool.axes[at].len());
        let place = unravel(o / pool.channels % pool.places(), [a, b, c]);
        let divisor: f64 = (0..3).map(|at| pool.axes[at].divisors[place[at]]).product();
        for &(at, _) in window {
            want_y[o] += x[at].to_f64() / divisor;
            want_dx[at] += dy[o].to_f64() / divisor;
        }
    }
    assert_within(context, &y, &want_y, |_| eps);
    assert_within(context, &dx, &want_dx, |_| eps);
}

fn spans() -> impl Strategy<Value = Spans> {
    let window = (-3..9isize, 1..4usize);
    (1..8usize, 1..3usize, prop::collection::vec(window, 1..5)).prop_map(
        |(input, dilation, windows)| {
            let divisors = (0..windows.len()).map(|o| 1.0 + o as f64).collect();
            Spans { input, dilation, windows, divisors }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn equals_its_twin(
        batch in 0..3usize,
        channels in 1..40usize,
        axes in [spans(), spans(), spans()],
        seed in 0..1000u64,
    ) {
        let pool = Pool { batch, channels, axes };
        on_each_isa(|_| {
            check::<f64>(&pool, seed);
            check::<f32>(&pool, seed);
        });
    }
}

/// Windows of `kernel` places, side by side.
fn tiles(input: usize, kernel: usize) -> Spans {
    let windows: Vec<_> = (0..input / kernel).map(|o| ((o * kernel) as isize, kernel)).collect();
    let divisors = vec![kernel as f64; windows.len()];
    Spans { input, dilation: 1, windows, divisors }
}

#[test]
fn large_images_equal_their_twins_on_any_number_of_threads() {
    let pool = Pool { batch: 3, channels: 65, axes: [Spans::one(), tiles(28, 2), tiles(29, 3)] };
    check::<f32>(&pool, 1);
    let x: Vec<f32> = values(pool.input_len(), 1);
    let dy: Vec<f32> = values(pool.output_len(), 2);
    assert_same_on_threads(|| {
        let (mut y, mut taps, mut dx) = (dy.clone(), vec![7; pool.taps_len()], x.clone());
        max_pool(&x, &pool, &mut y, &mut taps);
        max_pool_scatter(&dy, &taps, &pool, &mut dx);
        let mut mean = dy.clone();
        average_pool(&x, &pool, &mut mean);
        (bits(&y), taps, bits(&dx), bits(&mean))
    });
}

#[test]
fn nan_is_the_largest_and_the_first_of_equals_counts() {
    let pool = Pool { batch: 1, channels: 1, axes: [Spans::one(), Spans::one(), tiles(6, 3)] };
    let x = [1.0f32, f32::NAN, 2.0, 5.0, 5.0, 4.0];
    let (mut y, mut taps) = ([0.0; 2], [7; 2]);
    max_pool(&x, &pool, &mut y, &mut taps);
    assert!(y[0].is_nan() && y[1] == 5.0);
    assert_eq!(taps, [1, 0]);
    let x = [f32::NEG_INFINITY; 6];
    max_pool(&x, &pool, &mut y, &mut taps);
    assert_eq!((y, taps), ([f32::NEG_INFINITY; 2], [0, 0]));
}

/// With up to 255 taps, numbers have one byte; with more, three.
#[test]
fn windows_of_many_taps_equal_their_twins() {
    for kernel in [255, 256, 300] {
        let pool =
            Pool { batch: 2, channels: 19, axes: [Spans::one(), tiles(900, kernel), Spans::one()] };
        assert_eq!(pool.taps_len() / pool.output_len(), if kernel > 255 { 3 } else { 1 });
        on_each_isa(|_| {
            check::<f32>(&pool, 3);
            check::<f64>(&pool, 3);
        });
    }
}
