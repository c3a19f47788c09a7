//! The house rules that a machine can check: lists are complete, files are short and say what
//! they are for, dependencies point down.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use backstitch::registry::{OpSpec, specs};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files of the repository below `folder` with one of these endings, hidden folders and what
/// is built or downloaded left out.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a folder's entries can be read").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy();
            let skipped = ["target", "runs", "data"].contains(&&*name) && folder == root();
            if path.is_dir() && !name.starts_with('.') && !skipped {
                folders.push(path.clone());
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path.clone());
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<PathBuf> {
    files("", &[".rs"])
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Fails with every problem that `find` finds in a file.
fn check(files: Vec<PathBuf>, find: impl Fn(&str) -> Vec<String>) {
    assert!(!files.is_empty(), "there are files to check");
    let mut problems = Vec::new();
    for file in files {
        let name = shown(&file);
        problems.extend(find(&text(&file)).into_iter().map(|problem| format!("{name}: {problem}")));
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    check(sources(), |text| {
        let first = text.lines().next().unwrap_or_default();
        let says = first.starts_with("//! ") || first.starts_with("#![doc");
        if says { Vec::new() } else { vec!["needs a first line that starts with //!".into()] }
    });
}

#[test]
fn files_and_functions_are_short() {
    check(sources(), |text| {
        let lines = text.lines().count();
        let mut problems = long_functions(text);
        if lines > 800 {
            problems.push(format!("needs at most 800 lines; got {lines}"));
        }
        problems
    });
}

/// Functions of more than 70 lines, from the line of `fn` to the brace that closes it at the same
/// indent: what rustfmt makes of every function with a body of several lines.
fn long_functions(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut problems = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words = ["pub ", "pub(crate) ", "pub(super) ", "const ", "unsafe ", "extern \"C\" "];
        let bare = words.iter().fold(code, |code, word| code.strip_prefix(word).unwrap_or(code));
        let ends_head = |line: &&&str| [";", "{", "}", ","].iter().any(|end| line.ends_with(end));
        let head = lines[start..].iter().filter(|line| !line.ends_with(',')).find(ends_head);
        if !bare.starts_with("fn ") || !head.is_some_and(|head| head.ends_with('{')) {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let ends = |line: &&str| *line == format!("{indent}}}");
        let Some(len) = lines[start..].iter().position(ends) else { continue };
        if len + 1 > 70 {
            problems.push(format!("line {}: needs at most 70 lines; got {}", start + 1, len + 1));
        }
    }
    problems
}

#[test]
fn unsafe_code_is_in_the_kernels_alone() {
    let outside = |path: &PathBuf| !path.starts_with(root().join("crates/kernels"));
    // The word is taken apart so that this file passes.
    let word = concat!("un", "safe");
    check(sources().into_iter().filter(outside).collect(), |text| {
        let uses = |line: &&str| {
            let code = line.split("//").next().unwrap_or_default();
            [" {", " fn", " impl", "(no_mangle)"]
                .iter()
                .any(|after| code.contains(&format!("{word}{after}")))
        };
        text.lines().filter(uses).map(|line| format!("needs no {word} code; got {line}")).collect()
    });
}

#[test]
fn every_op_is_listed() {
    let folder = root().join("crates/tensor/src/ops");
    let list = text(&folder.join("mod.rs"));
    let mut problems = Vec::new();
    for file in files("crates/tensor/src/ops", &[".rs"]) {
        let name = file.file_stem().expect("a file has a name").to_string_lossy().to_string();
        // Folders hold parts of one op.
        if name == "mod" || file.parent() != Some(&folder) {
            continue;
        }
        let listed = |line: &str| list.lines().any(|text| text.trim().ends_with(line));
        if !listed(&format!("mod {name};")) {
            problems.push(format!("{name}: needs a line `mod {name};`"));
        }
        let has_specs = ["const SPECS: &[OpSpec]", "use specs::SPECS;"]
            .iter()
            .any(|line| text(&file).contains(line));
        if has_specs && !listed(&format!("{name}::SPECS,")) {
            problems.push(format!("{name}: needs a line `{name}::SPECS,`"));
        }
        if !has_specs && text(&file).contains("const NAME: &'static str = \"") {
            problems.push(format!("{name}: needs SPECS for the op that it has"));
        }
    }
    assert!(problems.is_empty(), "ops/mod.rs:\n{}", problems.join("\n"));
}

#[test]
fn specs_are_sane() {
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    for spec in specs() {
        let mut ensure = |condition: bool, rule: &str| {
            if !condition {
                problems.push(format!("{}: needs {rule}", spec.name));
            }
        };
        ensure(names.insert(spec.name), "a name of its own");
        ensure(!spec.formula.is_empty(), "a formula");
        ensure(spec.shapes.len() >= 4, "four example shapes or more");
        ensure(has_edge(spec), "an edge among its example shapes: a length of 0 or 1, or no axes");
        let arity = spec.shapes[0].len();
        let all = spec.shapes.iter().chain(spec.refused);
        ensure(all.clone().all(|shapes| shapes.len() == arity), "one number of inputs everywhere");
        let cost = (spec.cost)(spec.shapes.last().expect("four or more"));
        ensure(cost.elements > 0.0 && cost.flops >= 0.0, "a cost at its largest shapes");
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

fn has_edge(spec: &OpSpec) -> bool {
    let edge = |shape: &&[usize]| shape.is_empty() || shape.iter().any(|&n| n <= 1);
    spec.shapes.iter().any(|shapes| shapes.iter().any(edge))
}

#[test]
fn a_spec_has_ten_fields() {
    let source = text(&root().join("crates/tensor/src/spec.rs"));
    let body = source.split("pub struct OpSpec {").nth(1).expect("the struct is there");
    let body = body.split("\n}").next().expect("it ends");
    let fields = body.lines().filter(|line| line.starts_with("    pub ")).count();
    assert!(fields <= 10, "OpSpec: needs ten fields or fewer; got {fields}");
}

#[test]
fn dependencies_point_down() {
    let order = ["kernels", "linalg", "tensor", "derive", "nn", "data", "train"];
    let allowed: [&[&str]; 7] = [
        &[],
        &["kernels"],
        &["kernels", "linalg"],
        &[],
        &["kernels", "tensor", "derive"],
        &["kernels", "tensor"],
        &["kernels", "tensor", "nn", "data"],
    ];
    let mut problems = Vec::new();
    for (name, allowed) in order.iter().zip(allowed) {
        let manifest = text(&root().join(format!("crates/{name}/Cargo.toml")));
        let used = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        for line in used.lines().filter(|line| line.starts_with("backstitch-")) {
            let rest = line.trim_start_matches("backstitch-");
            let other = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            if !allowed.contains(&other) {
                problems.push(format!("{name} needs to stay below {other}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn nothing_is_left_unfinished() {
    // Taken apart so that this file passes.
    let words = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
        concat!("FIX", "ME"),
    ];
    check(sources(), |text| {
        let found = words.iter().filter(|word| text.contains(**word));
        found.map(|word| format!("needs no {word}")).collect()
    });
}

#[test]
fn nothing_points_at_one_machine() {
    let words = [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/")];
    check(files("", &[".rs", ".md", ".toml", ".sh", ".yml"]), |text| {
        let found = words.iter().filter(|word| text.contains(**word));
        found.map(|word| format!("needs no path like {word}")).collect()
    });
}

#[test]
fn ignored_tests_are_sweeps() {
    let attribute = concat!("#[ig", "nore");
    check(sources(), |text| {
        let lines: Vec<&str> = text.lines().collect();
        let mut problems = Vec::new();
        for (i, line) in lines.iter().enumerate() {
            let near = lines[i..(i + 4).min(lines.len())].join(" ");
            let sweep =
                near.contains("sweep") || near.contains("exhaustive") || near.contains("all_f32");
            if line.trim_start().starts_with(attribute) && !sweep {
                problems.push(format!("line {}: only exhaustive sweeps may be ignored", i + 1));
            }
        }
        problems
    });
}
