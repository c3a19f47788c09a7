//! Reverse mode: [`Tensor::backward`] and the sweep behind it.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use backstitch_kernels::{Float, elementwise};

use crate::graph::{Kind, Node, NodeId, mode, with_mode};
use crate::module::{Module, Slot, for_each};
use crate::op::{Record, Site, panic_on_anomaly};
use crate::rows::Rows;
use crate::tensor::Tensor;

/// What a sweep does with the values that ops saved, and whether it records its own ops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// Frees each op's saved values as it passes.
    Free,
    /// Leaves the graph as it was, for more sweeps.
    Keep,
    /// Leaves the graph and records the derivatives, so that they can be differentiated.
    Record,
}

/// Gradients that await their node, highest number last.
type Pending<T> = BTreeMap<NodeId, (Arc<Node<T>>, Tensor<T>)>;

/// Carries gradients from the seeds down to `targets`, or to all leaves where there are none.
///
/// Nothing is computed for nodes older than all targets, which cannot depend on them.
#[track_caller]
pub(crate) fn pull_back<T: Float>(
    seeds: Vec<(Arc<Node<T>>, Tensor<T>)>,
    sweep: Sweep,
    targets: Option<&[NodeId]>,
) -> BTreeMap<NodeId, Tensor<T>> {
    pull_back_to(seeds, sweep, targets, None)
}

/// Gradients of leaves that come as rows, by leaf.
type RowsByLeaf<T> = BTreeMap<NodeId, Rows<T>>;

/// [`pull_back`], which puts gradients that come as rows of a leaf into `rows`, where it is there.
#[track_caller]
fn pull_back_to<T: Float>(
    seeds: Vec<(Arc<Node<T>>, Tensor<T>)>,
    sweep: Sweep,
    targets: Option<&[NodeId]>,
    mut rows: Option<&mut RowsByLeaf<T>>,
) -> BTreeMap<NodeId, Tensor<T>> {
    let floor = targets.map_or(0, |ids| ids.iter().copied().min().unwrap_or(NodeId::MAX));
    let mut pending = Pending::new();
    for (node, dy) in seeds {
        accumulate(&mut pending, &node, dy, sweep);
    }
    let mut found = BTreeMap::new();
    while let Some((id, (node, dy))) = pending.pop_last() {
        if targets.is_some_and(|ids| ids.contains(&id)) {
            found.insert(id, dy.clone());
        }
        let Kind::Op(record) = &node.kind else {
            if targets.is_none() {
                found.insert(id, dy);
            }
            continue;
        };
        if sweep == Sweep::Free {
            let record = node.take_record();
            if !gave_rows(record.as_ref(), &dy, rows.as_deref_mut()) {
                visit(&node, record.as_ref(), &dy, sweep, floor, &mut pending);
            }
        } else {
            let record = record.read().expect("no op panics while it holds the lock");
            visit(&node, record.as_ref(), &dy, sweep, floor, &mut pending);
        }
    }
    found
}

/// Whether an op gave the gradient of its only input, a leaf, as rows.
fn gave_rows<T: Float>(
    record: Option<&Record<T>>,
    dy: &Tensor<T>,
    rows: Option<&mut RowsByLeaf<T>>,
) -> bool {
    let (Some(record), Some(rows)) = (record, rows) else { return false };
    let Some(leaf) = record.inputs[0].node.as_ref() else { return false };
    let Kind::Leaf = leaf.kind else { return false };
    let Some((idx, values)) = record.op.rows(dy) else { return false };
    let found = Rows::sum(&idx, &values);
    rows.entry(leaf.id).and_modify(|rows| *rows = rows.plus(&found)).or_insert(found);
    true
}

/// Asks one op for its inputs' gradients and adds them to what is pending.
#[track_caller]
fn visit<T: Float>(
    node: &Arc<Node<T>>,
    record: Option<&Record<T>>,
    dy: &Tensor<T>,
    sweep: Sweep,
    floor: NodeId,
    pending: &mut Pending<T>,
) {
    let Some(record) = record else {
        panic!(
            "backward: needs the values that {} (called at {}) saved; an earlier backward freed \
             them; add the losses and go back once, or call backward_with_graph the first time",
            node.name, node.caller
        )
    };
    let at = Site::new(node, record, sweep == Sweep::Record, floor);
    if !(0..at.arity()).any(|i| at.wants(i)) {
        return;
    }
    // The ops that a backward is made of are not what the user called.
    let dx = match mode().anomaly {
        true => with_mode(|mode| mode.anomaly = false, || record.op.backward(&at, dy)),
        false => record.op.backward(&at, dy),
    };
    for (i, dx) in dx.into_iter().enumerate() {
        let (Some(dx), true) = (dx, at.wants(i)) else { continue };
        debug_assert_eq!(dx.shape(), at.shape(i), "{}: shape of gradient {i}", node.name);
        if mode().anomaly {
            panic_on_anomaly(node.name, " backward", &dx, node.caller);
        }
        let parent = record.inputs[i].node.as_ref().expect("a wanted input has a node");
        accumulate(pending, parent, dx, sweep);
    }
}

/// Adds a gradient to what a node has received so far: in place where nobody else sees it.
fn accumulate<T: Float>(
    pending: &mut Pending<T>,
    node: &Arc<Node<T>>,
    dx: Tensor<T>,
    sweep: Sweep,
) {
    match pending.entry(node.id) {
        Entry::Vacant(entry) => {
            entry.insert((node.clone(), dx));
        }
        Entry::Occupied(mut entry) => {
            let sum = &mut entry.get_mut().1;
            match sweep {
                Sweep::Record => *sum = &*sum + &dx,
                Sweep::Free | Sweep::Keep => add_in_place(sum, &dx),
            }
        }
    }
}

fn add_in_place<T: Float>(sum: &mut Tensor<T>, dx: &Tensor<T>) {
    match sum.is_unique() && sum.is_contiguous() {
        true => elementwise::add_assign(sum.data_mut(), dx.view()),
        false => *sum = &sum.detach() + &dx.detach(),
    }
}

/// The gradients that a backward found, one per leaf of the graph.
///
/// They are values of their own: accumulating over batches is [`Gradients::accumulate`], and
/// nothing needs to be zeroed.
pub struct Gradients<T: Float = f32> {
    by_leaf: BTreeMap<NodeId, Tensor<T>>,
    /// Those that are rows; a leaf is here or there.
    rows: RowsByLeaf<T>,
}

impl<T: Float> Gradients<T> {
    /// The gradient of a leaf, such as a parameter; `None` where the loss did not reach it, or
    /// where it is [`Gradients::rows`].
    pub fn get(&self, leaf: &Tensor<T>) -> Option<&Tensor<T>> {
        self.by_leaf.get(&leaf.node()?.id)
    }

    /// The gradient of a leaf of which only some rows were used, by an op that was asked to give
    /// it so: [`EmbeddingOptions::sparse`](crate::EmbeddingOptions::sparse).
    pub fn rows(&self, leaf: &Tensor<T>) -> Option<&Rows<T>> {
        self.rows.get(&leaf.node()?.id)
    }

    /// The names of the trainable parameters of `model` that the loss did not reach.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{Param, Tensor};
    ///
    /// let model = (Param::new(Tensor::scalar(2.0)), Param::new(Tensor::scalar(3.0)));
    /// let grads = (&*model.1 * 5.0).backward();
    /// assert_eq!(grads.missing(&model), ["0"]);
    /// ```
    pub fn missing<M: Module<T> + ?Sized>(&self, model: &M) -> Vec<String> {
        let mut names = Vec::new();
        for_each(model, |name, slot| match slot {
            Slot::Param(param)
                if param.is_trainable()
                    && self.get(param).is_none()
                    && self.rows(param).is_none() =>
            {
                names.push(name.to_string());
            }
            _ => {}
        });
        names
    }

    /// Replaces the gradient of a leaf, or adds one.
    ///
    /// # Panics
    /// When `leaf` is outside the graph, or the shapes differ.
    #[track_caller]
    pub fn set(&mut self, leaf: &Tensor<T>, gradient: Tensor<T>) {
        let node = leaf.node().expect("set: needs a tracked leaf; got a tensor outside the graph");
        assert!(
            leaf.shape() == gradient.shape(),
            "set: needs a gradient of shape {:?}; got {:?}",
            leaf.shape(),
            gradient.shape()
        );
        self.by_leaf.insert(node.id, gradient);
        self.rows.remove(&node.id);
    }

    /// Adds other gradients, such as those of another part of a batch.
    pub fn accumulate(&mut self, more: Gradients<T>) {
        for (leaf, found) in more.rows {
            self.rows.entry(leaf).and_modify(|rows| *rows = rows.plus(&found)).or_insert(found);
        }
        for (leaf, gradient) in more.by_leaf {
            match self.by_leaf.entry(leaf) {
                Entry::Vacant(entry) => {
                    entry.insert(gradient);
                }
                Entry::Occupied(mut entry) => add_in_place(entry.get_mut(), &gradient),
            }
        }
        self.fill_in_rows();
    }

    /// Adds rows to the dense gradients of their leaves, where there are any.
    fn fill_in_rows(&mut self) {
        let by_leaf = &mut self.by_leaf;
        self.rows.retain(|leaf, rows| match by_leaf.get_mut(leaf) {
            Some(dense) => {
                *dense = rows.add_to(dense);
                false
            }
            None => true,
        });
    }

    /// All gradients, in the order in which their leaves were made, then those that are rows,
    /// without their zeros.
    pub fn iter(&self) -> impl Iterator<Item = &Tensor<T>> {
        self.by_leaf.values().chain(self.rows.values().map(|rows| &rows.values))
    }

    /// All gradients, to change them in place; as [`Gradients::iter`].
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Tensor<T>> {
        self.by_leaf.values_mut().chain(self.rows.values_mut().map(|rows| &mut rows.values))
    }

    /// The number of leaves that the loss reached.
    pub fn len(&self) -> usize {
        self.by_leaf.len() + self.rows.len()
    }

    /// Whether the loss reached no leaf.
    pub fn is_empty(&self) -> bool {
        self.by_leaf.is_empty() && self.rows.is_empty()
    }
}

impl<T: Float> Tensor<T> {
    /// The gradients of this loss: its derivative by every leaf that it was computed from.
    ///
    /// Frees the values that the graph saved as it passes them, so it can be called once;
    /// [`Tensor::backward_with_graph`] keeps them.
    ///
    /// # Panics
    /// When the tensor has more or fewer elements than one, is outside the graph, or its graph
    /// was freed.
    #[track_caller]
    pub fn backward(&self) -> Gradients<T> {
        self.check_scalar("backward");
        self.sweep("backward", Tensor::ones(self.shape()), Sweep::Free)
    }

    /// Like [`Tensor::backward`], but from `dy`, the gradient of something further on by this
    /// tensor, which may have any shape.
    ///
    /// # Panics
    /// When the shapes differ, the tensor is outside the graph, or its graph was freed.
    #[track_caller]
    pub fn backward_from(&self, dy: &Tensor<T>) -> Gradients<T> {
        assert!(
            self.shape() == dy.shape(),
            "backward_from: needs a gradient of the tensor's shape {:?}; got {:?}",
            self.shape(),
            dy.shape()
        );
        self.sweep("backward_from", dy.detach(), Sweep::Free)
    }

    /// Like [`Tensor::backward`], but keeps the graph and makes the gradients part of it, so that
    /// they can be differentiated again.
    ///
    /// # Panics
    /// As [`Tensor::backward`].
    ///
    /// # Examples
    /// The second derivative of `x³` at 2 is 12:
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::scalar(2.0).leaf();
    /// let first = (&x * &x * &x).backward_with_graph();
    /// let dx = first.get(&x).unwrap();
    /// let second = dx.backward();
    /// assert_eq!((dx.item(), second.get(&x).unwrap().item()), (12.0, 12.0));
    /// ```
    #[track_caller]
    pub fn backward_with_graph(&self) -> Gradients<T> {
        self.check_scalar("backward_with_graph");
        self.sweep("backward_with_graph", Tensor::ones(self.shape()), Sweep::Record)
    }

    /// The derivative of this scalar by each of `inputs`, which may be leaves or anything
    /// computed on the way. Zero where an input has no part in it.
    ///
    /// The graph is kept, and the derivatives are part of it, so that a loss can be made of them;
    /// under [`no_grad`](crate::no_grad) they are plain values.
    ///
    /// # Panics
    /// When the tensor has more or fewer elements than one, or it or an input is outside the
    /// graph. For functions that may be constant, [`grad`](crate::grad) gives zero.
    ///
    /// # Examples
    /// A penalty on the slope of a network, as of a critic in a Wasserstein GAN:
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let (w, x) = (Tensor::scalar(3.0).leaf(), Tensor::from([1.0, 2.0]).leaf());
    /// let y = (&x * &w).tanh();
    /// let slope = &y.sum().derivatives(&[&x])[0];
    /// let penalty = (slope - 1.0).square().mean();
    /// assert!(penalty.backward().get(&w).is_some());
    /// ```
    #[track_caller]
    pub fn derivatives(&self, inputs: &[impl Borrow<Tensor<T>>]) -> Vec<Tensor<T>> {
        self.check_scalar("derivatives");
        let mut targets = Vec::with_capacity(inputs.len());
        for (i, x) in inputs.iter().enumerate() {
            let Some(node) = x.borrow().node() else {
                panic!(
                    "derivatives: needs inputs in the graph; got input {i} outside; call leaf() on \
                     it before anything is computed from it"
                );
            };
            targets.push(node.id);
        }
        let seed = (self.tracked("derivatives").clone(), Tensor::ones(self.shape()));
        let sweep = if mode().records { Sweep::Record } else { Sweep::Keep };
        let found = pull_back(vec![seed], sweep, Some(&targets));
        let zeros = |x: &Tensor<T>| Tensor::zeros(x.shape());
        let both = inputs.iter().zip(&targets);
        both.map(|(x, id)| found.get(id).cloned().unwrap_or_else(|| zeros(x.borrow()))).collect()
    }

    #[track_caller]
    fn check_scalar(&self, name: &str) {
        assert!(
            self.numel() == 1,
            "{name}: needs a loss of one element; got shape {:?}; reduce it with sum or mean",
            self.shape()
        );
    }

    /// The tensor's node, which it must have.
    #[track_caller]
    fn tracked(&self, name: &str) -> &Arc<Node<T>> {
        match self.node() {
            Some(node) => node,
            None => panic!(
                "{name}: needs a loss computed from a parameter or another leaf; got a tensor \
                 outside the graph; was it made under no_grad or detached?"
            ),
        }
    }

    #[track_caller]
    fn sweep(&self, name: &str, dy: Tensor<T>, sweep: Sweep) -> Gradients<T> {
        let seed = (self.tracked(name).clone(), dy);
        let mut rows = RowsByLeaf::new();
        let by_leaf = pull_back_to(vec![seed], sweep, None, Some(&mut rows));
        let mut grads = Gradients { by_leaf, rows };
        grads.fill_in_rows();
        grads
    }
}
