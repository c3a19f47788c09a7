//! The stable twins of the fuzz targets: short seeded runs of the same bodies.

mod checkpoints;
mod graphs;
#[path = "../../crates/data/tests/common/mod.rs"]
mod mutations;
mod ops;
mod source;

use backstitch::prelude::*;
use backstitch::registry::{Layout, Trial, specs};
use backstitch::train::{Checkpoint, History};
use checkpoints::{KIND, model};
use source::Source;

/// Random fuzz inputs of `len` bytes.
fn inputs(count: u64, len: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(move |seed| {
        let rng = &mut Rng::seed(seed);
        (0..len).map(|_| rng.next_u64() as u8).collect()
    })
}

#[test]
fn drawn_calls_of_ops_are_refused_or_right() {
    let mut taken = 0;
    for bytes in inputs(300, 24) {
        taken += usize::from(ops::Call::draw(&mut Source(&bytes)).check());
    }
    println!("{taken} of 300 calls are taken");
    assert!(taken > 100 && taken < 300, "{taken} of 300: too few of one kind");
}

#[test]
fn drawn_graphs_have_one_derivative() {
    for bytes in inputs(300, 40) {
        graphs::Graph::draw(&mut Source(&bytes)).check();
    }
}

#[test]
fn inputs_print_themselves_as_rust() {
    let bytes: Vec<u8> = (0..10).map(|i| i * 7 + 2).collect();
    let graph = graphs::Graph::draw(&mut Source(&bytes)).code();
    let call = ops::Call {
        spec: specs().find(|spec| spec.name == "acosh").expect("acosh has a spec"),
        trial: Trial {
            layouts: vec![Layout::Transposed],
            dy_layout: Layout::Transposed,
            ..Trial::new(&[&[5]], 16)
        },
    };
    let call = call.code();
    assert_eq!(format!("{{\n{graph}\n{call}\n}}\n"), include_str!("printed.txt"));
}

#[test]
fn what_is_printed_compiles_and_runs() {
    include!("printed.txt");
}

/// A run as a checkpoint.
fn saved() -> Vec<u8> {
    let (mut model, mut rng) = (model(1), Rng::seed(2));
    let mut optimizer: Adam = Adam::new(AdamConfig::default());
    let grads = model.0.forward(&Tensor::ones([1, 3])).sum().backward();
    optimizer.step(&mut model, &grads, 0.1);
    let data =
        TensorDataset::new(Tensor::<f32>::ones([4, 3]), Tensor::from([0i64, 1, 0, 1])).unwrap();
    let mut batches = Loader::new(data, 2).unwrap().epoch(&mut rng);
    batches.next().unwrap().unwrap();

    let mut file = Checkpoint::new(KIND);
    file.put_module("model", &model);
    file.put_optimizer("optimizer", &optimizer);
    file.put_rng("rng", &rng);
    file.put_words("position", &batches.state().to_words());
    let mut history = History::new(["epoch", "loss"]);
    history.push([1.0, 0.5]);
    file.put_text("history", history.to_csv());
    file.to_bytes()
}

#[test]
fn mutated_checkpoints_are_refused_or_whole() {
    let (mut files, mut runs) = (0, 0);
    let bytes = saved();
    assert!(checkpoints::safetensors(&bytes) && checkpoints::checkpoint(&bytes));
    for bytes in mutations::mutations(&[bytes, vec![]], 20_000) {
        files += usize::from(checkpoints::safetensors(&bytes));
        runs += usize::from(checkpoints::checkpoint(&bytes));
    }
    println!("{files} files and {runs} whole runs of 20000");
    assert!(files > runs && runs > 100, "{files} and {runs}: they miss the interesting part");
}
