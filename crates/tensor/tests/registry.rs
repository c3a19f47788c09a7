//! Every op through every check of the registry, on inputs that proptest draws.
//!
//! `OPS="relu sum"` in the environment narrows a run to some op files.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};

use backstitch_tensor::Tensor;
use backstitch_tensor::registry::checks::{self, CHECKS, Check};
use backstitch_tensor::registry::{Layout, OpSpec, Trial, specs};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// The specs to run: all, or those of the files that `OPS` names.
fn chosen() -> Vec<&'static OpSpec> {
    let names = std::env::var("OPS").unwrap_or_default();
    let names: Vec<&str> = names.split_whitespace().collect();
    specs().filter(|spec| names.is_empty() || names.contains(&spec.file())).collect()
}

/// Runs something on every op and reports all failures together, and what took longest.
fn on_every_op(run: impl Fn(&'static OpSpec) -> Result<(), String>) {
    let mut failures = Vec::new();
    let mut slowest = (Duration::ZERO, "none");
    let start = Instant::now();
    for spec in chosen() {
        let start = Instant::now();
        if let Err(failure) = run(spec) {
            failures.push(failure);
        }
        slowest = slowest.max((start.elapsed(), spec.name));
    }
    println!("{:?} in all; {:?} for {}", start.elapsed(), slowest.0, slowest.1);
    assert!(failures.is_empty(), "{} ops fail:\n{}", failures.len(), failures.join("\n"));
}

/// Runs one check on every op: at every small example shape as it stands, then `cases` times at
/// what proptest makes of them.
fn drive(cases: u32, check: Check) {
    on_every_op(|spec| {
        for (seed, shapes) in small(spec).iter().enumerate() {
            run(check, spec, &Trial::new(shapes, seed as u64))?;
        }
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        TestRunner::new_with_rng(config, rng)
            .run(&trials(spec), |trial| run(check, spec, &trial).map_err(TestCaseError::fail))
            .map_err(|error| error.to_string())
    });
}

/// Runs one check on every op once, at its largest example shapes.
fn drive_large(check: Check) {
    on_every_op(|spec| {
        let shapes = spec.shapes.last().expect("a spec has example shapes");
        run(check, spec, &Trial::new(shapes, 1))
    });
}

/// All example shapes but the last, which is large.
fn small(spec: &OpSpec) -> &'static [&'static [&'static [usize]]] {
    &spec.shapes[..spec.shapes.len() - 1]
}

fn run(check: Check, spec: &OpSpec, trial: &Trial) -> Result<(), String> {
    match caught(|| check(spec, trial)) {
        Ok(verdict) => verdict.map_err(|error| error.to_string()),
        Err(panic) => Err(format!("{}: {trial:?}: panics: {}", spec.name, panic.message)),
    }
}

/// Trials of the example shapes, with other lengths and any layouts.
fn trials(spec: &'static OpSpec) -> impl Strategy<Value = Trial> {
    let arity = spec.shapes[0].len();
    let layout = || prop::sample::select(&Layout::ALL[..]);
    let layouts = prop::collection::vec(layout(), arity);
    let lengths = prop::collection::vec(1..40usize, 4);
    (0..small(spec).len(), prop::option::of(lengths), layouts, layout(), 0..1_000_000u64).prop_map(
        move |(at, lengths, layouts, dy_layout, seed)| {
            let example = Trial::new(small(spec)[at], seed);
            let other = lengths.map(|lengths| Trial {
                shapes: with_lengths(&example.shapes, &lengths),
                ..example.clone()
            });
            let trial = other.filter(|trial| accepts(spec, trial)).unwrap_or(example);
            Trial { layouts, dy_layout, ..trial }
        },
    )
}

/// The same shapes with each length above 1 replaced by another, equal ones by equal ones: most
/// ops' shape rules compare lengths and go on to hold.
fn with_lengths(shapes: &[Vec<usize>], lengths: &[usize]) -> Vec<Vec<usize>> {
    let old: BTreeSet<usize> = shapes.iter().flatten().copied().filter(|&n| n > 1).collect();
    let new = |n: &usize| match old.iter().position(|old| old == n) {
        Some(at) => lengths[at % lengths.len()],
        None => *n,
    };
    shapes.iter().map(|shape| shape.iter().map(new).collect()).collect()
}

/// Whether the op and its oracle take these shapes, and they are small enough for many runs.
fn accepts(spec: &OpSpec, trial: &Trial) -> bool {
    let numel = |shape: &Vec<usize>| shape.iter().product::<usize>();
    trial.shapes.iter().map(numel).sum::<usize>() < 400
        && caught(|| (spec.build.f64)(&trial.inputs(spec))).is_ok_and(|y| y.numel() < 1000)
        && caught(|| spec.oracle.eval(&trial.inputs(spec))).is_ok()
}

/// A panic that was caught: its message and where it was raised.
struct Panic {
    message: String,
    file: String,
    line: u32,
}

thread_local! {
    static CATCHES: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Runs `body`; a panic on this thread is not printed but returned.
fn caught<R>(body: impl FnOnce() -> R) -> Result<R, Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !CATCHES.get() {
                return default(info);
            }
            let location = info.location().expect("panics have a location");
            let message = info.payload_as_str().unwrap_or_default().to_string();
            let (file, line) = (location.file().to_string(), location.line());
            LAST.set(Some(Panic { message, file, line }));
        }));
    });
    let before = CATCHES.replace(true);
    let result = catch_unwind(AssertUnwindSafe(body));
    CATCHES.set(before);
    result.map_err(|_| LAST.take().expect("the hook saw the panic"))
}

#[test]
fn forward() {
    drive(32, checks::forward);
}

#[test]
fn special_values() {
    drive(1, checks::special);
}

#[test]
fn gradient() {
    drive(12, checks::gradient);
}

#[test]
fn subsets() {
    drive(8, checks::subsets);
}

#[test]
fn slope() {
    drive(4, checks::slope);
}

#[test]
fn layouts() {
    drive(64, checks::layouts);
}

/// Not by draws alone: every example shape of every op, each input in every layout, both element
/// types; and says how many that are.
#[test]
fn every_layout_in_both_precisions() {
    let (trials, inputs) = (Cell::new(0), Cell::new(0));
    on_every_op(|spec| {
        let mut seen = BTreeSet::new();
        for trial in Trial::examples(spec) {
            run(checks::layouts, spec, &trial)?;
            trials.update(|trials| trials + 1);
            seen.extend(
                trial.layouts.iter().enumerate().map(|(i, layout)| format!("{i} {layout:?}")),
            );
        }
        let arity = spec.shapes[0].len();
        inputs.update(|inputs| inputs + arity);
        match seen.len() == arity * Layout::ALL.len() {
            true => Ok(()),
            false => {
                Err(format!("{}: needs {arity} inputs in every layout; got {seen:?}", spec.name))
            }
        }
    });
    println!(
        "{} specs of {} inputs, {} trials in f32 and in f64, every input in {} layouts",
        chosen().len(),
        inputs.get(),
        trials.get(),
        Layout::ALL.len()
    );
}

#[test]
fn modes() {
    drive(8, checks::modes);
}

#[test]
fn second_order() {
    drive(4, checks::second_order);
}

#[test]
fn precision() {
    drive(8, checks::precision);
}

#[test]
fn fused() {
    drive(8, checks::fused);
}

#[test]
fn instruction_sets() {
    drive(8, checks::instruction_sets);
}

#[test]
fn refused() {
    drive(1, checks::refused);
}

#[test]
fn threads() {
    drive_large(checks::threads);
}

#[test]
fn large() {
    drive_large(checks::large);
}

/// A test here for each check there: this one fails when a check is added and not driven.
#[test]
fn every_check_is_driven() {
    let source = include_str!("registry.rs");
    let driven = |name: &str| source.contains(&format!("checks::{});", name.replace(' ', "_")));
    let missing: Vec<&str> =
        CHECKS.iter().map(|&(name, _)| name).filter(|name| !driven(name)).collect();
    assert!(missing.is_empty(), "checks without a test: {missing:?}");
}

/// Ops are `#[track_caller]` all the way: a refusal points at the line that called the op, which
/// for a spec is its `build` expression, below `SPECS` in the op's file.
#[test]
fn refusals_point_at_the_caller() {
    on_every_op(|spec| {
        for shapes in spec.refused {
            let x: Vec<Tensor> = shapes.iter().map(|shape| Tensor::full(shape, 0.5)).collect();
            let Err(panic) = caught(|| (spec.build.f32)(&x)) else { continue };
            let Panic { file, line, .. } = panic;
            let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            let specs = source.lines().position(|text| text.contains("SPECS: &[OpSpec]"));
            let in_spec = specs.is_some_and(|specs| line as usize > specs);
            if !file.contains("/src/ops/") || !in_spec {
                return Err(format!(
                    "{}: refusing {shapes:?} needs a panic at the caller's line; got {file}:{line}",
                    spec.name
                ));
            }
        }
        Ok(())
    });
}
