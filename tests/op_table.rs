//! The table of ops in `docs/OPS.md`, generated from the registry.
//!
//! `UPDATE_DOCS=1 cargo test --test op_table` writes it anew.

use std::fmt::Write;

use backstitch::registry::{OpSpec, Slope, Tolerance, specs};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPS.md");

#[test]
fn the_op_table_is_up_to_date() {
    let table = table();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, &table).expect("docs/OPS.md can be written");
    }
    let written = std::fs::read_to_string(PATH).unwrap_or_default();
    let stale = written != table;
    assert!(!stale, "docs/OPS.md: needs an update: UPDATE_DOCS=1 cargo test --test op_table");
}

fn table() -> String {
    let mut text = String::from(
        "# Ops\n\n\
         Generated from the registry by `UPDATE_DOCS=1 cargo test --test op_table`; do not edit.\n\n\
         A name of two words is a variant of the op named first. Accuracy is the distance from the\n\
         reference that the tests allow, in epsilons (2^-23 for f32, 2^-52 for f64) of the result,\n\
         or of the sum of the magnitudes of its terms.\n\n\
         | op | computes | derivative | accuracy |\n\
         |---|---|---|---|\n",
    );
    let mut rows: Vec<&OpSpec> = specs().collect();
    rows.sort_by_key(|spec| spec.name);
    for spec in rows {
        let formula = spec.formula.replace('|', "\\|");
        let (slope, accuracy) = (slope(spec), accuracy(spec));
        writeln!(text, "| `{}` | {formula} | {slope} | {accuracy} |", spec.name)
            .expect("writing to a string cannot fail");
    }
    text
}

fn slope(spec: &OpSpec) -> String {
    let text = match spec.slope {
        Slope::Smooth => "any order".to_string(),
        Slope::Kinks(kinks) => {
            let kink = |&(at, slope): &(f64, f64)| format!("{slope} at {at}");
            let kinks: Vec<String> = kinks.iter().map(kink).collect();
            format!("any order; {}", kinks.join(", "))
        }
        Slope::Zero(why) => format!("zero: {why}"),
        Slope::None(why) => format!("none: {why}"),
    };
    text.replace('|', "\\|")
}

fn accuracy(spec: &OpSpec) -> String {
    let text = match spec.tolerance {
        Tolerance::Exact => "exact".to_string(),
        Tolerance::Ulps(units, why) => format!("{units}: {why}"),
        Tolerance::Terms(units, _, why) => format!("{units} of the terms: {why}"),
    };
    text.replace('|', "\\|")
}
