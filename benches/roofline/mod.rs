//! What the benches share: a calibration of the machine, and criterion's wall clock with rates as
//! GFLOP/s or GB/s and as a percentage of the calibrated roofline.

use std::time::{Duration, Instant};

use backstitch::kernels::{Buffer, calibrate};
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput};

/// What the machine can do, measured when a bench starts.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Multiply-adds from registers, all threads, in operations a second.
    flops: f64,
    /// (bytes of the working set up to which the rate holds, bytes a second).
    bandwidths: Vec<(f64, f64)>,
}

/// Working sets that stay in L1, L2, L3, in a large L3, or go to memory on most machines, in bytes.
const SETS: [usize; 5] = [24 << 10, 384 << 10, 12 << 20, 36 << 20, 256 << 20];

impl Machine {
    /// Measures for two or three seconds and prints what it found.
    pub fn calibrate() -> Self {
        let threads = rayon::current_num_threads();
        let flops = best(|| calibrate::multiply_adds(400_000, threads));
        let bandwidth = |&set: &usize| {
            let len = set / 12;
            let [a, b, mut y] = [1.0, 2.0, 0.0].map(|x| Buffer::from_slice(&vec![x; len]));
            let rounds = ((32 << 20) / set).max(1);
            (set as f64, best(|| calibrate::triad(&a, &b, &mut y, rounds, threads)))
        };
        let machine = Machine { flops, bandwidths: SETS.iter().map(bandwidth).collect() };
        let join = best(|| {
            backstitch::kernels::par::for_each(threads, usize::MAX, |_| {});
            1.0
        });
        let rates: Vec<String> =
            machine.bandwidths.iter().map(|(_, rate)| format!("{:.0}", rate / 1e9)).collect();
        println!(
            "calibration: {threads} threads, {:.0} GFLOP/s, triad {} GB/s (sets of 24K, 384K, 12M, 36M, 256M), \
             fork and join {:.2} us",
            machine.flops / 1e9,
            rates.join(", "),
            1e6 / join,
        );
        machine
    }

    fn bandwidth(&self, bytes: f64) -> f64 {
        let fits = self.bandwidths.iter().find(|(set, _)| bytes <= *set);
        fits.or(self.bandwidths.last()).expect("there are levels").1
    }
}

/// The highest of several rates of work a second, tried for so long that sleeping threads have come.
fn best(mut work: impl FnMut() -> f64) -> f64 {
    let (begin, mut best, mut tries) = (Instant::now(), 0.0_f64, 0);
    while tries < 7 || begin.elapsed() < Duration::from_millis(60) {
        let start = Instant::now();
        best = best.max(work() / start.elapsed().as_secs_f64());
        tries += 1;
    }
    best
}

/// Criterion's wall clock, with rates against the roofline.
pub struct Roofline {
    clock: WallTime,
    machine: Machine,
}

impl Measurement for Roofline {
    type Intermediate = Instant;
    type Value = Duration;

    fn start(&self) -> Instant {
        self.clock.start()
    }
    fn end(&self, start: Instant) -> Duration {
        self.clock.end(start)
    }
    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        self.clock.add(a, b)
    }
    fn zero(&self) -> Duration {
        self.clock.zero()
    }
    fn to_f64(&self, value: &Duration) -> f64 {
        self.clock.to_f64(value)
    }
    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl Roofline {
    /// A rate in words, from nanoseconds.
    fn rate(&self, throughput: &Throughput, nanoseconds: f64) -> String {
        match *throughput {
            Throughput::Elements(flops) => {
                let rate = flops as f64 / nanoseconds;
                format!("{rate:.1} GFLOP/s, {:.0}% of peak", rate * 1e11 / self.machine.flops)
            }
            Throughput::Bytes(bytes) => {
                let rate = bytes as f64 / nanoseconds;
                let roof = self.machine.bandwidth(bytes as f64);
                format!("{rate:.1} GB/s, {:.0}% of triad", rate * 1e11 / roof)
            }
            ref other => format!("{other:?}"),
        }
    }
}

impl ValueFormatter for Roofline {
    fn format_throughput(&self, throughput: &Throughput, value: f64) -> String {
        self.rate(throughput, value)
    }
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        self.clock.formatter().scale_values(typical, values)
    }
    fn scale_throughputs(
        &self,
        _: f64,
        throughput: &Throughput,
        values: &mut [f64],
    ) -> &'static str {
        let (work, unit) = match *throughput {
            Throughput::Bytes(bytes) => (bytes as f64, "GB/s"),
            Throughput::Elements(flops) => (flops as f64, "GFLOP/s"),
            _ => (1.0, "1/ns"),
        };
        values.iter_mut().for_each(|value| *value = work / *value);
        unit
    }
    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        self.clock.formatter().scale_for_machines(values)
    }
}

/// Criterion as all benches use it: short runs, so that all of them take a few minutes.
pub fn criterion() -> Criterion<Roofline> {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(20)
        .nresamples(2000)
        .without_plots()
        .with_measurement(Roofline { clock: WallTime, machine: Machine::calibrate() })
        .configure_from_args()
}
