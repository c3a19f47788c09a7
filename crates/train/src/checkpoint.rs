//! [`Checkpoint`]: named tensors, numbers and texts in one safetensors file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use backstitch_data::Error;
use backstitch_nn::{Optimizer, OptimizerState};
use backstitch_tensor::{
    Element, Float, Module, Rng, RngState, Slot, SlotMut, Tensor, for_each, for_each_mut,
};
use safetensors::tensor::Dtype;

use crate::entry::{self, Entry};
use crate::file;

/// The key under which a checkpoint's kind and version stand in the file's metadata.
const KIND: &str = "backstitch.kind";

/// Everything that a run needs to go on: model, optimizer, generators, positions.
///
/// A checkpoint is one file in the safetensors format, so that any tool can read the weights. It
/// has a *kind*, a text that names the program and the version of its layout; loading refuses
/// another kind. Names are dotted paths.
///
/// # Examples
/// ```
/// use backstitch_tensor::{Rng, Tensor};
/// use backstitch_train::Checkpoint;
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("run.safetensors");
/// let (weights, mut rng) = (Tensor::from([1.0f32, 2.0]), Rng::seed(1));
///
/// let mut checkpoint = Checkpoint::new("demo 1");
/// checkpoint.put_tensor("weights", &weights);
/// checkpoint.put_rng("rng", &rng);
/// checkpoint.put_words("epoch", &[7]);
/// checkpoint.save(&path)?;
///
/// let checkpoint = Checkpoint::load(&path, "demo 1")?;
/// assert_eq!(checkpoint.tensor::<f32>("weights")?.to_vec(), [1.0, 2.0]);
/// assert_eq!(checkpoint.rng("rng")?, rng);
/// assert_eq!(checkpoint.words("epoch")?, [7]);
/// # rng.next_u64();
/// # Ok::<(), backstitch_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    kind: String,
    entries: BTreeMap<String, Entry>,
    texts: BTreeMap<String, String>,
}

/// What goes in.
impl Checkpoint {
    /// An empty checkpoint of a kind, such as `"fashion_mnist 1"`.
    pub fn new(kind: impl Into<String>) -> Self {
        Checkpoint { kind: kind.into(), entries: BTreeMap::new(), texts: BTreeMap::new() }
    }

    /// Adds a tensor, bit for bit.
    pub fn put_tensor<T: Element>(&mut self, name: impl Into<String>, x: &Tensor<T>) {
        self.entries.insert(name.into(), Entry::new(x));
    }

    /// Adds whole numbers.
    pub fn put_words(&mut self, name: impl Into<String>, words: &[u64]) {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let entry = Entry { dtype: Dtype::U64, shape: vec![words.len()], bytes };
        self.entries.insert(name.into(), entry);
    }

    /// Adds numbers, bit for bit.
    pub fn put_numbers(&mut self, name: impl Into<String>, numbers: &[f64]) {
        self.put_tensor(name, &Tensor::from(numbers));
    }

    /// Adds a text.
    pub fn put_text(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.texts.insert(name.into(), text.into());
    }

    /// Adds where a generator stands.
    pub fn put_rng(&mut self, name: impl Into<String>, rng: &Rng) {
        let state = rng.state();
        let key = state.seed.chunks(8).map(|bytes| {
            u64::from_le_bytes(bytes.try_into().expect("a key has four times eight bytes"))
        });
        let position = [state.stream, state.words as u64, (state.words >> 64) as u64];
        self.put_words(name, &key.chain(position).collect::<Vec<u64>>());
    }

    /// Adds what an optimizer remembers, under `name`.
    pub fn put_optimizer<T: Float>(&mut self, name: &str, optimizer: &impl Optimizer<T>) {
        self.put_optimizer_state(name, &optimizer.state());
    }

    /// Adds the state of an optimizer that takes steps of its own kind, such as
    /// [`Lbfgs`](backstitch_nn::Lbfgs), under `name`.
    pub fn put_optimizer_state<T: Float>(&mut self, name: &str, state: &OptimizerState<T>) {
        for (own, x) in &state.tensors {
            self.put_tensor(join(name, &format!("tensors.{own}")), x);
        }
        for (own, &count) in &state.steps {
            self.put_words(join(name, &format!("steps.{own}")), &[count]);
        }
    }

    /// Adds all tensors of a module: parameters and running statistics, under `name`.
    pub fn put_module<T: Float>(&mut self, name: &str, module: &impl Module<T>) {
        for_each(module, |path, slot| {
            let path = join(name, path);
            match slot {
                Slot::Param(param) => self.put_tensor(path, param),
                Slot::Tensor(x) => self.put_tensor(path, x),
                Slot::Running(running) => self.put_tensor(path, &running.get()),
            }
        });
    }
}

/// What comes out.
impl Checkpoint {
    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// A tensor.
    ///
    /// # Errors
    /// When there is none of this name, or it has another element type.
    pub fn tensor<T: Element>(&self, name: &str) -> Result<Tensor<T>, Error> {
        let entry = self.entry(name)?;
        entry.tensor().ok_or_else(|| {
            Error::mismatch(name, format!("a tensor of {}", T::DTYPE), format!("{:?}", entry.dtype))
        })
    }

    /// Whole numbers.
    ///
    /// # Errors
    /// When there are none of this name.
    pub fn words(&self, name: &str) -> Result<Vec<u64>, Error> {
        let entry = self.entry(name)?;
        if entry.dtype != Dtype::U64 {
            return Err(Error::mismatch(name, "whole numbers", format!("{:?}", entry.dtype)));
        }
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("chunks of eight"));
        Ok(entry.bytes.chunks_exact(8).map(word).collect())
    }

    /// Numbers.
    ///
    /// # Errors
    /// When there are none of this name.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>, Error> {
        Ok(self.tensor::<f64>(name)?.to_vec())
    }

    /// A text.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn text(&self, name: &str) -> Result<&str, Error> {
        let text = self.texts.get(name).map(String::as_str);
        text.ok_or_else(|| Error::mismatch(name, "a text of this name", "none"))
    }

    /// A generator that goes on where the saved one stood.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn rng(&self, name: &str) -> Result<Rng, Error> {
        let words = self.words(name)?;
        let &[a, b, c, d, stream, low, high] = &words[..] else {
            return Err(Error::mismatch(
                name,
                "a generator's 7 numbers",
                format!("{}", words.len()),
            ));
        };
        let mut seed = [0; 32];
        for (bytes, word) in seed.chunks_mut(8).zip([a, b, c, d]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let words = u128::from(high) << 64 | u128::from(low);
        Ok(Rng::from_state(&RngState { seed, stream, words }))
    }

    /// Puts the saved tensors under `name` into a module of the same structure.
    ///
    /// # Errors
    /// When a tensor is missing, unexpected or of another shape; the error names all of them, and
    /// the module stays as it was.
    pub fn load_module<T: Float>(
        &self,
        name: &str,
        module: &mut impl Module<T>,
    ) -> Result<(), Error> {
        let mut found = self.matching(name, module)?;
        for_each_mut(module, |path, slot| {
            let x = found.remove(path).expect("every name was matched");
            match slot {
                SlotMut::Param(param) => param.set(&x),
                SlotMut::Tensor(tensor) => *tensor = x,
                SlotMut::Running(running) => running.set(x),
            }
        });
        Ok(())
    }

    /// The saved tensor for each tensor of the module, by its name in the module.
    fn matching<T: Float>(
        &self,
        name: &str,
        module: &impl Module<T>,
    ) -> Result<HashMap<String, Tensor<T>>, Error> {
        let mut wanted = BTreeMap::new();
        for_each(module, |path, slot| {
            let shape = match slot {
                Slot::Param(param) => param.shape().to_vec(),
                Slot::Tensor(x) => x.shape().to_vec(),
                Slot::Running(running) => running.get().shape().to_vec(),
            };
            wanted.insert(path.to_string(), shape);
        });
        let prefix = join(name, "");
        let own = |full: &&str| full.strip_prefix(&prefix).map(str::to_string);
        let unexpected: Vec<String> = self
            .names()
            .filter_map(|full| own(&full))
            .filter(|path| !wanted.contains_key(path))
            .map(|path| format!("unexpected {path}"))
            .collect();
        let mut problems = unexpected;
        let mut found = HashMap::new();
        for (path, shape) in wanted {
            match self.tensor::<T>(&join(name, &path)) {
                Ok(x) if x.shape() == shape => {
                    found.insert(path, x);
                }
                Ok(x) => problems.push(format!("{path} of shape {:?}, not {shape:?}", x.shape())),
                Err(_) if !self.entries.contains_key(&join(name, &path)) => {
                    problems.push(format!("missing {path}"));
                }
                Err(error) => problems.push(error.to_string()),
            }
        }
        match problems.is_empty() {
            true => Ok(found),
            false => Err(Error::mismatch(name, "the tensors of this model", problems.join(", "))),
        }
    }

    /// Lets an optimizer of `model` go on where the saved one stood.
    ///
    /// # Errors
    /// When the state is missing, or does not fit the optimizer and the model; the optimizer stays
    /// as it was.
    pub fn load_optimizer<T: Float>(
        &self,
        name: &str,
        optimizer: &mut impl Optimizer<T>,
        model: &dyn Module<T>,
    ) -> Result<(), Error> {
        let loaded = optimizer.load_state(model, &self.optimizer_state(name)?);
        loaded.map_err(|error| Error::mismatch(name, "a state that fits", error.to_string()))
    }

    /// The state of an optimizer; empty where there is none of this name.
    ///
    /// # Errors
    /// When a tensor of it has another element type.
    pub fn optimizer_state<T: Float>(&self, name: &str) -> Result<OptimizerState<T>, Error> {
        let mut state = OptimizerState { tensors: BTreeMap::new(), steps: BTreeMap::new() };
        let (tensors, steps) = (join(name, "tensors."), join(name, "steps."));
        for full in self.names() {
            if let Some(own) = full.strip_prefix(&tensors) {
                state.tensors.insert(own.to_string(), self.tensor(full)?);
            } else if let Some(own) = full.strip_prefix(&steps) {
                let count = self.words(full)?.first().copied().unwrap_or_default();
                state.steps.insert(own.to_string(), count);
            }
        }
        Ok(state)
    }

    fn entry(&self, name: &str) -> Result<&Entry, Error> {
        let entry = self.entries.get(name);
        entry.ok_or_else(|| Error::mismatch(name, "a tensor of this name", "none"))
    }
}

/// Files.
impl Checkpoint {
    /// Writes the checkpoint to a temporary file, syncs it and renames it to `path`: a run that is
    /// killed at any moment leaves the old checkpoint or the new one.
    ///
    /// # Errors
    /// When the system cannot write there.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        file::write_atomically(path, &self.to_bytes())
    }

    /// Reads a checkpoint of this kind.
    ///
    /// # Errors
    /// When the file cannot be read, is no whole safetensors file, or is of another kind.
    pub fn load(path: impl AsRef<Path>, kind: &str) -> Result<Self, Error> {
        let path = path.as_ref();
        Self::parse(&file::read(path)?, kind).map_err(|error| error.in_file(path))
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut texts: HashMap<String, String> =
            self.texts.iter().map(|(name, text)| (name.clone(), text.clone())).collect();
        texts.insert(KIND.to_string(), self.kind.clone());
        entry::serialize(&self.entries, texts)
    }

    /// Reads the bytes of a file; never panics.
    ///
    /// # Errors
    /// When they are no whole safetensors file, or of another kind.
    pub fn parse(bytes: &[u8], kind: &str) -> Result<Self, Error> {
        let (entries, mut texts) = entry::deserialize(bytes)?;
        let found = texts.remove(KIND).unwrap_or_else(|| "a file without a kind".to_string());
        if found != kind {
            return Err(Error::mismatch(
                "checkpoint",
                format!("kind {kind:?}"),
                format!("{found:?}"),
            ));
        }
        Ok(Checkpoint { kind: found, entries, texts })
    }
}

/// `name.path`, or `path` where there is no name; `name.` for an empty path.
fn join(name: &str, path: &str) -> String {
    match name {
        "" => path.to_string(),
        _ => format!("{name}.{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstitch_tensor::{Param, Running};

    type Pair = (Param, Running);

    fn pair(a: f32, b: f32) -> Pair {
        (Param::new(Tensor::from([a, b])), Running::new(Tensor::scalar(a)))
    }

    #[test]
    fn every_element_type_keeps_its_bits() {
        let mut saved = Checkpoint::new("test 1");
        let odd = [f32::NAN, -0.0, f32::INFINITY, f32::MIN_POSITIVE / 2.0];
        saved.put_tensor("f32", &Tensor::from(odd));
        saved.put_tensor("f64", &Tensor::from([[0.1f64], [-0.0]]));
        saved.put_tensor("i64", &Tensor::from([i64::MIN, i64::MAX]));
        saved.put_tensor("bool", &Tensor::from([true, false]));
        saved.put_tensor("u8", &Tensor::<u8>::from([0, 255]));
        saved.put_text("note", "a \"quoted\" word");
        let loaded = Checkpoint::parse(&saved.to_bytes(), "test 1").unwrap();
        assert_eq!(saved, loaded);
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&loaded.tensor::<f32>("f32").unwrap().to_vec()), bits(&odd));
        assert_eq!(loaded.tensor::<f64>("f64").unwrap().shape(), [2, 1]);
        assert_eq!(loaded.tensor::<bool>("bool").unwrap().to_vec(), [true, false]);
        assert_eq!(loaded.text("note").unwrap(), "a \"quoted\" word");
    }

    #[test]
    fn another_type_kind_or_name_is_refused_in_one_line() {
        let mut saved = Checkpoint::new("test 1");
        saved.put_tensor("x", &Tensor::from([1.0f32]));
        let check = |error: Error, want: &str| assert_eq!(error.to_string(), want);
        let other = Checkpoint::parse(&saved.to_bytes(), "test 2").unwrap_err();
        check(other, "checkpoint: expected kind \"test 2\", found \"test 1\"");
        check(saved.tensor::<f64>("x").unwrap_err(), "x: expected a tensor of f64, found F32");
        check(saved.words("y").unwrap_err(), "y: expected a tensor of this name, found none");
    }

    #[test]
    fn modules_come_back_and_mismatches_change_nothing() {
        let mut saved = Checkpoint::new("test 1");
        saved.put_module("model", &pair(1.0, 2.0));
        let mut loaded = pair(0.0, 0.0);
        saved.load_module("model", &mut loaded).unwrap();
        assert_eq!((loaded.0.to_vec(), loaded.1.get().item()), (vec![1.0, 2.0], 1.0));

        let mut other =
            (Param::new(Tensor::from([9.0f32])), Param::new(Tensor::scalar(9.0f32)), 1u8);
        let mut more = (other.0.clone(), other.1.clone(), other.0.clone());
        let error = saved.load_module("model", &mut more).unwrap_err().to_string();
        assert_eq!(
            error,
            "model: expected the tensors of this model, found 0 of shape [2], not [1], missing 2"
        );
        assert_eq!(more.0.to_vec(), [9.0]);
        other.0.set(&Tensor::from([3.0]));
        let error = saved.load_module::<f32>("model", &mut other.1).unwrap_err().to_string();
        assert!(error.contains("unexpected 0"), "{error}");
    }

    #[test]
    fn an_lbfgs_goes_on_from_its_state() {
        use backstitch_nn::{Lbfgs, LbfgsConfig};
        let loss = |w: &Param<f64>| (w.square() * Tensor::from([1.0, 30.0])).sum();
        let lbfgs = || Lbfgs::new(LbfgsConfig { max_iter: 2, ..LbfgsConfig::default() });
        let (mut w, mut optimizer) = (Param::new(Tensor::from([3.0, -1.0])), lbfgs());
        optimizer.step(&mut w, 0.5, loss);
        let mut saved = Checkpoint::new("test 1");
        saved.put_optimizer_state("lbfgs", &optimizer.state());
        let loaded = Checkpoint::parse(&saved.to_bytes(), "test 1").unwrap();
        let (mut again, mut resumed) = (w.clone(), lbfgs());
        resumed.load_state(&again, &loaded.optimizer_state("lbfgs").unwrap()).unwrap();
        optimizer.step(&mut w, 0.5, loss);
        resumed.step(&mut again, 0.5, loss);
        assert_eq!(w.to_vec(), again.to_vec());
    }

    #[test]
    fn truncated_and_mutated_files_are_refused_without_panic() {
        let mut saved = Checkpoint::new("test 1");
        saved.put_tensor("x", &Tensor::from([1.0f32, 2.0, 3.0]));
        let bytes = saved.to_bytes();
        for len in 0..bytes.len() {
            assert!(Checkpoint::parse(&bytes[..len], "test 1").is_err(), "{len} bytes");
        }
        let mut rng = Rng::seed(3);
        for _ in 0..2000 {
            let mut mutated = bytes.clone();
            let at = rng.next_u64() as usize % mutated.len();
            mutated[at] = rng.next_u64() as u8;
            let _ = Checkpoint::parse(&mutated, "test 1");
        }
    }
}
