//! Safetensors files and checkpoints: whatever the bytes, an error or what they say; never a panic,
//! and never half of a model.

use backstitch::prelude::*;
use backstitch::train::{Checkpoint, History};

/// The kind of all checkpoints here.
pub const KIND: &str = "fuzz 1";

/// What is saved and loaded.
pub type Model = (Linear, BatchNorm1d);

/// A model to load into.
pub fn model(seed: u64) -> Model {
    (Linear::new(3, 2, &mut Rng::seed(seed)), BatchNorm1d::new(2))
}

/// Reads a file and everything in it as everything it may be; returns whether it is one.
pub fn safetensors(bytes: &[u8]) -> bool {
    let Ok(file) = Checkpoint::parse(bytes, KIND) else { return false };
    for name in file.names() {
        let read = [
            file.tensor::<f32>(name).map(|x| x.numel()),
            file.tensor::<f64>(name).map(|x| x.numel()),
            file.tensor::<i64>(name).map(|x| x.numel()),
            file.tensor::<bool>(name).map(|x| x.numel()),
            file.tensor::<u8>(name).map(|x| x.numel()),
        ];
        assert!(read.iter().filter(|read| read.is_ok()).count() <= 1, "{name}: two types");
        let _ = (file.words(name), file.rng(name), file.text(name));
    }
    // What can be read can be written and read again.
    assert!(Checkpoint::parse(&file.to_bytes(), KIND).is_ok_and(|again| again == file));
    true
}

/// Loads a run from a file; returns whether all of it is there.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let Ok(file) = Checkpoint::parse(bytes, KIND) else { return false };
    let bits = |model: &Model| -> Vec<Vec<u32>> {
        let bits = |x: &Tensor| x.to_vec().into_iter().map(f32::to_bits).collect();
        model.state_dict().values().map(bits).collect()
    };
    let mut loaded = model(0);
    let before = bits(&loaded);
    let has_model = file.load_module("model", &mut loaded).is_ok();
    assert!(has_model || bits(&loaded) == before, "an error leaves the model as it was");
    let mut optimizer: Adam = Adam::new(AdamConfig::default());
    let has_optimizer = file.load_optimizer("optimizer", &mut optimizer, &loaded).is_ok();
    if has_optimizer {
        // A state that was taken is fit to be gone on from.
        let grads = loaded.0.forward(&Tensor::ones([1, 3])).sum().backward();
        optimizer.step(&mut loaded, &grads, 0.1);
    }
    let position = file.words("position").and_then(|words| LoaderState::from_words(&words));
    let history = file.text("history").and_then(History::parse);
    has_model && has_optimizer && file.rng("rng").is_ok() && position.is_ok() && history.is_ok()
}
