//! [`Descent`]: what all optimizers have in common.
//!
//! A step must cost little beside the kernel: for a small model it runs hundreds of thousands of
//! times a second. Names are read when the optimizer first meets a model; afterwards a walk
//! without names compares each parameter's leaf with the one seen last time.

use std::collections::BTreeMap;

use backstitch_kernels::Float;
use backstitch_tensor::{
    Gradients, Module, Param, Slot, Tensor, for_each, for_each_param, for_each_param_mut,
};

use super::{Group, Optimizer, OptimizerState, OptimizerStateError, check_lr};

/// What sets one optimizer apart: its configuration, and how it updates a parameter.
pub trait Algorithm<T: Float> {
    /// The name, as it stands in messages.
    const NAME: &'static str;

    /// A parameter with its gradient and state, as the update takes it.
    type Slices<'a>;

    /// The names of the state tensors that each parameter has, PyTorch's where it has them.
    fn state_names(&self) -> &'static [&'static str];

    /// What state tensors start with.
    fn initial_state(&self) -> T {
        T::ZERO
    }

    /// The weight decay of parameters whose group has none of its own.
    fn weight_decay(&self) -> f64;

    /// Puts together a parameter's elements, its gradient, and its state in the order of the names.
    fn slices<'a>(
        &self,
        p: &'a mut [T],
        g: &'a [T],
        state: &'a mut [Tensor<T>],
    ) -> Self::Slices<'a>;

    /// Updates parameters that are all at the same step.
    fn update(&self, now: Now, params: &mut [Self::Slices<'_>]);
}

/// The numbers of a step that can differ between parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// Which step of these parameters it is, from 1 on.
    pub t: u64,
    /// Learning rate.
    pub lr: f64,
    /// Weight decay.
    pub weight_decay: f64,
}

/// An optimizer: an algorithm with its state for each parameter.
///
/// Parameters are known by name, so a model that was saved and loaded, cloned, or partly frozen
/// keeps its state.
#[derive(Clone, Debug)]
pub struct Descent<A, T: Float = f32> {
    /// The algorithm's configuration. It may change between steps.
    pub config: A,
    groups: Vec<Group>,
    /// The trainable parameters of the model, in its order.
    active: Vec<Memory<T>>,
    /// Parameters whose state is kept for when they return: frozen ones, or just loaded.
    dormant: BTreeMap<String, Memory<T>>,
}

/// What is remembered of one parameter.
#[derive(Clone, Debug)]
struct Memory<T: Float> {
    name: String,
    leaf: u64,
    group: Option<usize>,
    steps: u64,
    /// Empty until the first step.
    state: Vec<Tensor<T>>,
}

impl<A: Algorithm<T>, T: Float> Descent<A, T> {
    /// An optimizer that treats all parameters alike.
    pub fn new(config: A) -> Self {
        Self::with_groups(config, [])
    }

    /// An optimizer that treats some parameters apart.
    pub fn with_groups(config: A, groups: impl IntoIterator<Item = Group>) -> Self {
        let groups = groups.into_iter().collect();
        Descent { config, groups, active: Vec::new(), dormant: BTreeMap::new() }
    }

    /// Calls `see` with each trainable parameter and its state, which is empty before its first
    /// step.
    pub(super) fn for_each_state(
        &mut self,
        model: &mut dyn Module<T>,
        mut see: impl FnMut(&mut Param<T>, &[Tensor<T>]),
    ) {
        self.meet(model);
        let mut memories = self.active.iter();
        for_each_param_mut(model, |param| {
            if param.is_trainable() {
                see(param, &memories.next().expect("the optimizer has met the model").state);
            }
        });
    }

    /// Makes `active` follow the trainable parameters of `model`.
    #[track_caller]
    fn meet(&mut self, model: &dyn Module<T>) {
        let (mut count, mut same) = (0, true);
        for_each_param(model, |param| {
            if let Some(leaf) = param.leaf_id() {
                same &= self.active.get(count).is_some_and(|memory| memory.leaf == leaf);
                count += 1;
            }
        });
        if same && count == self.active.len() {
            return;
        }
        for memory in self.active.drain(..) {
            self.dormant.insert(memory.name.clone(), memory);
        }
        for_each(model, |name, slot| {
            let Slot::Param(param) = slot else { return };
            let Some(leaf) = param.leaf_id() else { return };
            let group = self.groups.iter().position(|group| (group.picks)(name, param.shape()));
            let known = self.dormant.remove(name);
            let (steps, state) = known.map_or((0, Vec::new()), |known| (known.steps, known.state));
            self.active.push(Memory { name: name.to_string(), leaf, group, steps, state });
        });
        let names: std::collections::BTreeSet<_> = self.active.iter().map(|m| &m.name).collect();
        assert!(
            names.len() == self.active.len(),
            "{}: needs parameters of different names; got some twice",
            A::NAME
        );
    }

    /// The numbers of a parameter's next step.
    fn now(&self, memory: &Memory<T>, lr: f64) -> Now {
        let group = memory.group.map(|idx| &self.groups[idx]);
        Now {
            t: memory.steps.saturating_add(1),
            lr: lr * group.map_or(1.0, |group| group.lr_factor),
            weight_decay: group
                .and_then(|group| group.weight_decay)
                .unwrap_or_else(|| self.config.weight_decay()),
        }
    }
}

impl<A: Algorithm<T>, T: Float> Descent<A, T> {
    /// Updates the rows of parameters whose gradients are rows, and their state; all other rows
    /// stay as they are, as in `torch.optim.SparseAdam`: their averages do not fade, and their
    /// weights do not decay.
    fn step_rows(&mut self, model: &mut dyn Module<T>, grads: &Gradients<T>, lr: f64) {
        let mut active = std::mem::take(&mut self.active);
        let mut memories = active.iter_mut();
        for_each_param_mut(model, |param| {
            if !param.is_trainable() {
                return;
            }
            let memory = memories.next().expect("the optimizer has met the model");
            let Some(rows) = grads.rows(param) else { return };
            let now = self.now(memory, lr);
            self.start(memory, param.shape());
            memory.steps = now.t;
            let mut p = param.detach().index_select(0, &rows.idx);
            let part = |x: &Tensor<T>| x.index_select(0, &rows.idx);
            let mut state: Vec<Tensor<T>> = memory.state.iter().map(part).collect();
            let g = Tensor::from_vec(rows.values.to_vec(), rows.values.shape());
            let g = g.as_slice().expect("just made");
            self.config.update(now, &mut [self.config.slices(p.data_mut(), g, &mut state)]);
            put_rows(param.data_mut(), &rows.idx, &p);
            for (whole, part) in memory.state.iter_mut().zip(&state) {
                put_rows(whole.data_mut(), &rows.idx, part);
            }
        });
        self.active = active;
    }

    /// Gives a parameter its state before its first step.
    fn start(&self, memory: &mut Memory<T>, shape: &[usize]) {
        if memory.state.len() != self.config.state_names().len() {
            let fresh = |_: &&str| Tensor::full(shape, self.config.initial_state());
            memory.state = self.config.state_names().iter().map(fresh).collect();
        }
    }
}

/// Overwrites the rows `idx` of `whole`.
fn put_rows<T: Float>(whole: &mut [T], idx: &Tensor<i64>, rows: &Tensor<T>) {
    let len = rows.numel() / idx.numel().max(1);
    let rows = rows.to_vec();
    for (&at, row) in idx.to_vec().iter().zip(rows.chunks_exact(len.max(1))) {
        whole[at as usize * len..][..len].copy_from_slice(row);
    }
}

impl<A: Algorithm<T>, T: Float> Optimizer<T> for Descent<A, T> {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module<T>, grads: &Gradients<T>, lr: f64) {
        check_lr(A::NAME, lr);
        self.meet(model);
        let mut reached = grads.is_empty();
        let packed = packed(model, grads);
        let mut active = std::mem::take(&mut self.active);
        let mut memories = active.iter_mut();
        // One sweep for all parameters that share their numbers: mostly, all there are.
        let mut sweeps: Vec<(Now, Vec<A::Slices<'_>>)> = Vec::new();
        for_each_param_mut(model, |param| {
            let Some(leaf) = param.leaf_id() else { return };
            let memory = memories.next().expect("the optimizer has met the model");
            let Some(grad) = grads.get(param) else {
                reached |= grads.rows(param).is_some();
                return;
            };
            reached = true;
            let g = grad.as_slice().or_else(|| packed.get(&leaf)?.as_slice());
            let g = g.expect("gradients with gaps are packed");
            let now = self.now(memory, lr);
            self.start(memory, param.shape());
            memory.steps = now.t;
            let slices = self.config.slices(param.data_mut(), g, &mut memory.state);
            match sweeps.iter_mut().find(|(numbers, _)| *numbers == now) {
                Some((_, params)) => params.push(slices),
                None => sweeps.push((now, vec![slices])),
            }
        });
        for (now, params) in &mut sweeps {
            self.config.update(*now, params);
        }
        drop(sweeps);
        self.active = active;
        assert!(
            reached || self.active.is_empty(),
            "{}: needs gradients of this model; got those of {} other leaves; a clone's parameters \
             are leaves of its own",
            A::NAME,
            grads.len()
        );
        self.step_rows(model, grads, lr);
    }

    fn state(&self) -> OptimizerState<T> {
        let mut found = OptimizerState { tensors: BTreeMap::new(), steps: BTreeMap::new() };
        for memory in self.active.iter().chain(self.dormant.values()).filter(|m| m.steps > 0) {
            found.steps.insert(memory.name.clone(), memory.steps);
            for (state, x) in self.config.state_names().iter().zip(&memory.state) {
                found.tensors.insert(format!("{}.{state}", memory.name), x.detach());
            }
        }
        found
    }

    fn load_state(
        &mut self,
        model: &dyn Module<T>,
        state: &OptimizerState<T>,
    ) -> Result<(), OptimizerStateError> {
        let mut shapes = BTreeMap::new();
        for_each(model, |name, slot| {
            if let Slot::Param(param) = slot {
                shapes.insert(name.to_string(), param.shape().to_vec());
            }
        });
        let loaded = read_state(self.config.state_names(), &shapes, state)
            .map_err(|problems| OptimizerStateError { optimizer: A::NAME, problems })?;
        self.active.clear();
        self.dormant = loaded;
        Ok(())
    }
}

/// Row-major copies of those gradients that lie otherwise, by leaf.
fn packed<T: Float>(model: &dyn Module<T>, grads: &Gradients<T>) -> BTreeMap<u64, Tensor<T>> {
    let mut copies = BTreeMap::new();
    for_each_param(model, |param| {
        if let (Some(leaf), Some(grad)) = (param.leaf_id(), grads.get(param))
            && !grad.is_contiguous()
        {
            copies.insert(leaf, Tensor::from_vec(grad.to_vec(), grad.shape()));
        }
    });
    copies
}

/// Sorts a state by parameters; or says everything that is wrong with it.
fn read_state<T: Float>(
    state_names: &[&str],
    shapes: &BTreeMap<String, Vec<usize>>,
    state: &OptimizerState<T>,
) -> Result<BTreeMap<String, Memory<T>>, Vec<String>> {
    let mut problems = Vec::new();
    let mut memories = BTreeMap::new();
    let mut used = 0;
    for (name, &steps) in &state.steps {
        let Some(shape) = shapes.get(name) else {
            problems.push(format!("{name}: the model has no such parameter"));
            continue;
        };
        let mut tensors = Vec::new();
        for state_name in state_names {
            let full = format!("{name}.{state_name}");
            match state.tensors.get(&full) {
                Some(x) if x.shape() == shape.as_slice() => tensors.push(x.detach()),
                Some(x) => {
                    problems.push(format!("{full}: needs shape {shape:?}; got {:?}", x.shape()));
                }
                None => problems.push(format!("{full}: missing")),
            }
            used += usize::from(state.tensors.contains_key(&full));
        }
        let memory = Memory { name: name.clone(), leaf: 0, group: None, steps, state: tensors };
        memories.insert(name.clone(), memory);
    }
    if used < state.tensors.len() {
        let expected = |full: &String| {
            full.rsplit_once('.').is_some_and(|(name, state_name)| {
                state_names.contains(&state_name) && state.steps.contains_key(name)
            })
        };
        let unexpected = state.tensors.keys().filter(|full| !expected(full));
        problems.extend(unexpected.map(|full| format!("{full}: unexpected")));
    }
    if problems.is_empty() { Ok(memories) } else { Err(problems) }
}
