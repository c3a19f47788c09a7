//! Calls of ops with shapes, layouts and values drawn from bytes: each is refused in words or
//! passes every check of the registry.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use backstitch::registry::{CHECKS, Layout, OpSpec, Trial, specs};

use crate::source::Source;

/// An op with the inputs to call it on.
pub struct Call {
    pub spec: &'static OpSpec,
    pub trial: Trial,
}

impl Call {
    /// One of the example calls of an op; most have other lengths, with equal ones still equal or
    /// not.
    pub fn draw(source: &mut Source) -> Call {
        let all: Vec<&OpSpec> = specs().collect();
        let spec = all[source.below(all.len())];
        let small = &spec.shapes[..spec.shapes.len() - 1];
        let mut trial = Trial::new(small[source.below(small.len())], source.below(256) as u64);
        let example = trial.shapes.clone();
        match source.below(4) {
            0 => {}
            1 => {
                let inputs = trial.shapes.iter_mut().filter(|shape| !shape.is_empty());
                let mut inputs: Vec<_> = inputs.collect();
                if !inputs.is_empty() {
                    let (at, count) = (source.below(inputs.len()), inputs.len());
                    let shape = &mut inputs[at % count];
                    let axis = source.below(shape.len());
                    shape[axis] = 1 + source.below(9);
                }
            }
            _ => {
                let lengths: [usize; 4] = std::array::from_fn(|_| 2 + source.below(8));
                let other = |n: usize| if n < 2 { n } else { lengths[n % 4] };
                for n in trial.shapes.iter_mut().flatten() {
                    *n = other(*n);
                }
            }
        }
        if trial.shapes.iter().map(|shape| shape.iter().product::<usize>()).sum::<usize>() > 400 {
            trial.shapes = example;
        }
        let mut layout = || Layout::ALL[source.below(Layout::ALL.len())];
        trial.layouts.iter_mut().for_each(|own| *own = layout());
        trial.dy_layout = layout();
        Call { spec, trial }
    }

    /// Makes the call; returns whether the op takes these shapes.
    ///
    /// # Panics
    /// When the op panics but does not say what it needs, or fails a check; with the call as Rust.
    pub fn check(&self) -> bool {
        let Call { spec, trial } = self;
        let output = quietly(|| (spec.build.f64)(&trial.inputs(spec)));
        let takes = output.and_then(|y| match y.numel() < 1000 {
            true => quietly(|| spec.oracle.eval(&trial.inputs(spec))).map_err(|_| String::new()),
            false => Err(String::new()),
        });
        match takes {
            // The reference is for fewer shapes, or the output is too large for many checks.
            Err(message) if message.is_empty() => return false,
            Err(message) => {
                let refuses = message.contains(": needs ");
                assert!(refuses, "{}: panics: {message}\n{}", spec.name, self.code());
                return false;
            }
            Ok(_) => {}
        }
        for (name, check) in CHECKS {
            let verdict = quietly(|| check(spec, trial).map_err(|error| error.to_string()));
            if let Err(message) = verdict.and_then(|verdict| verdict) {
                panic!("{name}: {message}\n{}", self.code());
            }
        }
        true
    }

    /// Rust that makes the same call and checks it.
    pub fn code(&self) -> String {
        let Trial { shapes, layouts, dy_layout, seed } = &self.trial;
        let listed = |parts: Vec<String>| parts.join(", ");
        let shapes = listed(shapes.iter().map(|shape| format!("&{shape:?}")).collect());
        let layouts = listed(layouts.iter().map(|layout| format!("Layout::{layout:?}")).collect());
        format!(
            "use backstitch::registry::{{CHECKS, Layout, Trial, specs}};\n\
             let spec = specs().find(|spec| spec.name == {:?}).unwrap();\n\
             let trial = Trial {{\n    layouts: vec![{layouts}],\n    \
             dy_layout: Layout::{dy_layout:?},\n    ..Trial::new(&[{shapes}], {seed})\n}};\n\
             (spec.build.f64)(&trial.inputs(spec));\n\
             for (_, check) in CHECKS {{\n    check(spec, &trial).unwrap();\n}}",
            self.spec.name
        )
    }
}

thread_local! {
    static CATCHES: Cell<bool> = const { Cell::new(false) };
}

/// Runs something that may panic without a word on the terminal, and without the end that a fuzzer
/// makes of panics; the message instead.
fn quietly<R>(body: impl FnOnce() -> R) -> Result<R, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !CATCHES.get() {
                loud(info);
            }
        }));
    });
    let before = CATCHES.replace(true);
    let result = catch_unwind(AssertUnwindSafe(body));
    CATCHES.set(before);
    result.map_err(|payload| match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast::<&str>().map_or("?".into(), |text| text.to_string()),
    })
}
