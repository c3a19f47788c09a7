//! Whole training steps on fixed workloads, one JSON line a run, to be compared with other
//! libraries that print the same line.
//!
//! `cargo bench --bench workloads -- --workload W2 --threads 2 --seconds 5`; without a workload all
//! run, one after the other, for a short time; with a part of names those that have it, as criterion's
//! benches. Models, batches and optimizers are in `benches/workloads/models.rs`.

#[path = "workloads/models.rs"]
mod models;

use std::time::Instant;

use models::{Workload, workload};

/// The workloads that exist.
const NAMES: [&str; 8] = ["W1", "W2", "W3", "W4", "W5", "W6", "W9", "W10"];

struct Args {
    workloads: Vec<String>,
    threads: usize,
    seconds: f64,
}

fn main() {
    let args = args();
    for name in &args.workloads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build();
        pool.expect("threads can be started").install(|| measure(name, &args));
    }
}

fn args() -> Args {
    let mut args = Args { workloads: Vec::new(), threads: 2, seconds: 0.2 };
    let mut parts = Vec::new();
    let mut given = std::env::args().skip(1);
    while let Some(key) = given.next() {
        let mut value = || given.next().unwrap_or_else(|| panic!("{key} needs a value"));
        match key.as_str() {
            "--workload" => args.workloads.push(value()),
            "--threads" => args.threads = value().parse().expect("--threads needs a number"),
            "--seconds" => args.seconds = value().parse().expect("--seconds needs a number"),
            "--mode" => drop(value()),
            // What cargo passes to every bench, and what criterion's benches beside this one take.
            "--bench" | "--test" | "--exact" | "--noplot" | "--quick" | "--quiet" | "--verbose" => {
            }
            "--save-baseline" | "--baseline" | "--baseline-lenient" | "--load-baseline" => {
                drop(value());
            }
            option if option.starts_with('-') => {
                panic!("unknown option {option}; workloads are {NAMES:?}")
            }
            _ => parts.push(key),
        }
    }
    if args.workloads.is_empty() {
        let asked =
            |name: &&str| parts.is_empty() || parts.iter().any(|part| name.contains(&**part));
        args.workloads = NAMES.into_iter().filter(asked).map(String::from).collect();
    }
    args
}

/// Runs steps for the asked time and prints their statistics.
fn measure(name: &str, args: &Args) {
    let mut workload: Box<dyn Workload> = workload(name)
        .unwrap_or_else(|| panic!("unknown workload {name}; workloads are {NAMES:?}"));
    let start = Instant::now();
    let loss_first = workload.step();
    let first_step_s = start.elapsed().as_secs_f64();
    let (mut warm, start) = (0, Instant::now());
    while warm < 2 || start.elapsed().as_secs_f64() < (args.seconds / 4.0).min(1.0) {
        workload.step();
        warm += 1;
    }
    let (busy, own) = cpu_seconds();
    let (mut times, start) = (Vec::new(), Instant::now());
    loop {
        let step = Instant::now();
        workload.step();
        times.push(step.elapsed().as_secs_f64() * 1e3);
        let elapsed = start.elapsed().as_secs_f64();
        if elapsed > args.seconds && (times.len() >= 7 || elapsed > 4.0 * args.seconds) {
            break;
        }
    }
    let (busy_end, own_end) = cpu_seconds();
    let others = ((busy_end - busy) - (own_end - own)).max(0.0) / start.elapsed().as_secs_f64();
    let loss_last = workload.step();
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((part * times.len() as f64) as usize).min(times.len() - 1)];
    println!(
        "{{\"peer\": \"backstitch\", \"version\": \"{}\", \"workload\": \"{name}\", \
         \"threads\": {}, \"median_step_ms\": {:.5}, \"p10\": {:.5}, \"p90\": {:.5}, \
         \"steps\": {}, \"peak_rss_mb\": {:.1}, \"loss_first\": {loss_first:.5}, \
         \"loss_last\": {loss_last:.5}, \"params\": {}, \"first_step_s\": {first_step_s:.3}, \
         \"other_cpu_pct\": {:.0}}}",
        env!("CARGO_PKG_VERSION"),
        args.threads,
        at(0.5),
        at(0.1),
        at(0.9),
        times.len(),
        peak_rss_mb(),
        workload.parameters(),
        100.0 * others,
    );
}

/// The most memory the process has had, from Linux's own count; 0 elsewhere.
fn peak_rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kb.unwrap_or(0.0) / 1024.0
}

/// Seconds of processor time: of the whole machine, and of this process; 0 where unknown.
fn cpu_seconds() -> (f64, f64) {
    /// Clock ticks a second, on every Linux of today.
    const TICKS: f64 = 100.0;
    let numbers = |text: &str| -> Vec<f64> {
        text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    };
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let all = numbers(stat.lines().next().unwrap_or_default());
    // user nice system [idle iowait] irq softirq steal
    let busy: f64 =
        all.iter().take(8).enumerate().filter(|(i, _)| ![3, 4].contains(i)).map(|(_, t)| t).sum();
    let own = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets: state, then 10 numbers, then user and system time.
    let own = numbers(own.rsplit(')').next().unwrap_or_default());
    let own = own.get(10).zip(own.get(11)).map_or(0.0, |(user, system)| user + system);
    (busy / TICKS, own / TICKS)
}
