//! Conformance with cases of others: ONNX's backend tests, values and gradients.
//!
//! Runs every case file below `BACKSTITCH_CASES`, else below `../shared/cases` where that is
//! there, through the public API. The values run in the case's precision, the gradients in f64.
//! Prints how many cases of each op passed, failed and are not supported yet; fails on a wrong
//! value. What is not supported has not passed.

#[path = "conformance/activations.rs"]
mod activations;
#[path = "conformance/case.rs"]
mod case;
#[path = "conformance/conv_pool.rs"]
mod conv_pool;
#[path = "conformance/elementwise.rs"]
mod elementwise;
#[path = "conformance/indexing.rs"]
mod indexing;
#[path = "conformance/linalg.rs"]
mod linalg;
#[path = "conformance/losses.rs"]
mod losses;
#[path = "conformance/normalization.rs"]
mod normalization;
#[path = "conformance/optimizers.rs"]
mod optimizers;
#[path = "conformance/reductions.rs"]
mod reductions;
#[path = "conformance/regions.rs"]
mod regions;
#[path = "conformance/regularization.rs"]
mod regularization;
#[path = "conformance/resampling.rs"]
mod resampling;
#[path = "conformance/scatter.rs"]
mod scatter;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use case::{Case, Entry, Verdict};
use serde_json::{Value as Json, json};

/// All ops that the runner knows, by area.
const AREAS: &[&[Entry]] = &[
    activations::OPS,
    conv_pool::OPS,
    elementwise::OPS,
    indexing::OPS,
    linalg::OPS,
    losses::OPS,
    normalization::OPS,
    optimizers::OPS,
    reductions::OPS,
    regions::OPS,
    regularization::OPS,
    resampling::OPS,
    scatter::OPS,
];

#[test]
fn cases() {
    let Some(folder) = folder() else {
        report("conformance: SKIPPED: no BACKSTITCH_CASES and no ../shared/cases\n");
        return;
    };
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut missing = Vec::new();
    for file in files(&folder) {
        for case in Case::read(&file) {
            let verdict = run(&case);
            let count = counts.entry(case.op.clone()).or_default();
            match verdict {
                Verdict::Passed => count[0] += 1,
                Verdict::Failed(why) => {
                    count[1] += 1;
                    failures.push(format!("{} ({}): {why}", case.name, case.op));
                }
                Verdict::Unsupported(why) => {
                    count[2] += 1;
                    missing.push(format!("{} ({}): {why}", case.name, case.op));
                }
            }
        }
    }
    report(&table(&counts));
    report(&format!("not supported yet:\n  {}\n", missing.join("\n  ")));
    assert!(!counts.is_empty(), "{}: needs case files; found none", folder.display());
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
}

/// Cases by hand, of ops that the folder may have none of.
#[test]
fn own_cases() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/own_cases.json");
    for case in Case::read(&file) {
        match run(&case) {
            Verdict::Passed => {}
            Verdict::Failed(why) | Verdict::Unsupported(why) => panic!("{}: {why}", case.name),
        }
    }
}

/// What a case of `Relu` shows that differs in some keys from one that passes.
fn shown(changes: Json) -> Verdict {
    let tensor = |data: [f64; 2]| json!({"shape": [2], "dtype": "f32", "data": data});
    let mut case = json!({
        "name": "by hand", "op": "Relu", "attrs": {}, "atol": 1e-6, "rtol": 1e-4,
        "inputs": [tensor([3.0, -1.0])], "outputs": [tensor([3.0, 0.0])],
        "cotangents": [tensor([5.0, 7.0])], "grads": [tensor([5.0, 0.0])],
    });
    for (key, value) in changes.as_object().expect("keys and values") {
        case[key] = value.clone();
    }
    run(&Case::new(case, Path::new(".")))
}

#[test]
fn cases_that_are_wrong_or_say_nothing_do_not_pass() {
    assert!(matches!(shown(json!({})), Verdict::Passed));
    let tensor = |data: Json| json!([{"shape": [2], "dtype": "f32", "data": data}]);
    let whole = json!([{"shape": [2], "dtype": "i64", "data": [3, -1]}]);
    for wrong in [
        json!({"outputs": tensor(json!([3.0, 0.01]))}),
        json!({"outputs": tensor(json!(["Infinity", 0.0]))}),
        json!({"outputs": tensor(json!([3.0, "-Infinity"]))}),
        json!({"outputs": tensor(json!(["NaN", 0.0]))}),
        json!({"outputs": [{"shape": [1, 2], "dtype": "f32", "data": [3.0, 0.0]}]}),
        json!({"outputs": [{"shape": [2], "dtype": "i64", "data": [3, 0]}]}),
        json!({"outputs": [{"shape": [2], "data": [3, 0]}]}),
        json!({"outputs": []}),
        json!({"outputs": [null]}),
        json!({"outputs": null}),
        json!({"inputs": tensor(json!(["Infinity", -1.0]))}),
        json!({"inputs": tensor(json!([3.0]))}),
        json!({"inputs": tensor(json!(["three", 0.0]))}),
        json!({"grads": tensor(json!([5.0, 7.0]))}),
        json!({"grads": tensor(json!(["Infinity", 0.0]))}),
        json!({"grads": [null, {"shape": [2], "dtype": "f32", "data": [0.0, 0.0]}]}),
        json!({"cotangents": null}),
        json!({"cotangents": whole}),
        json!({"atol": null}),
    ] {
        assert!(matches!(shown(wrong.clone()), Verdict::Failed(_)), "{wrong}");
    }
    for missing in [json!({"op": "Rule"}), json!({"op": null}), json!({"inputs": []})] {
        assert!(matches!(shown(missing.clone()), Verdict::Unsupported(_)), "{missing}");
    }
}

#[test]
fn files_that_are_broken_stop_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.json");
    for text in ["", "{", "{\"schema\": 1}", "{\"schema\": 1, \"cases\": []}", "{\"schema\": 2}"] {
        std::fs::write(&file, text).unwrap();
        assert!(std::panic::catch_unwind(|| Case::read(&file)).is_err(), "{text}");
    }
}

fn run(case: &Case) -> Verdict {
    match AREAS.iter().copied().flatten().find(|entry| entry.name == case.op) {
        Some(entry) => case.run(entry),
        None => Verdict::Unsupported("no such op".into()),
    }
}

fn folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("BACKSTITCH_CASES") {
        return Some(folder.into());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
    folder.is_dir().then_some(folder)
}

/// All JSON files in a folder and the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: cannot be read: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("a folder's entries can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn table(counts: &BTreeMap<String, [usize; 3]>) -> String {
    let mut lines =
        vec![format!("{:<28}{:>8}{:>8}{:>15}", "op", "passed", "failed", "not supported")];
    let mut total = [0; 3];
    for (op, count) in counts {
        lines.push(format!("{op:<28}{:>8}{:>8}{:>15}", count[0], count[1], count[2]));
        (0..3).for_each(|i| total[i] += count[i]);
    }
    lines.push(format!("{:<28}{:>8}{:>8}{:>15}\n", "all", total[0], total[1], total[2]));
    lines.join("\n")
}

/// Prints past the test harness, which would swallow the output of a test that passes.
fn report(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).expect("stderr can be written");
}
