//! What an op is: [`Op`] for primitives, [`FusedOp`] for fused ones, and [`apply`] to run them.

use std::any::Any;
use std::panic::Location;
use std::sync::Arc;

use backstitch_kernels::{DType, Element, Float};

use crate::forward::push_forward;
use crate::graph::{Node, NodeId, current_id, mode, with_mode};
use crate::reverse::{Sweep, pull_back};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// One gradient per input; `None` where [`Site::wants`] said that nobody asks for it.
pub type Gradient<T, const N: usize> = [Option<Tensor<T>>; N];

/// One tangent per input; `None` where the input does not move.
pub type Tangents<'a, T, const N: usize> = [Option<&'a Tensor<T>>; N];

/// Which values an op keeps from its forward for its derivatives.
#[derive(Clone, Copy, Debug)]
pub struct Saves {
    inputs: u32,
    output: bool,
}

impl Saves {
    /// Nothing but shapes.
    pub const NOTHING: Saves = Saves { inputs: 0, output: false };
    /// All inputs.
    pub const INPUTS: Saves = Saves { inputs: u32::MAX, output: false };
    /// The output.
    pub const OUTPUT: Saves = Saves { inputs: 0, output: true };
    /// All inputs and the output.
    pub const ALL: Saves = Saves { inputs: u32::MAX, output: true };

    fn input(&self, i: usize) -> bool {
        self.inputs == u32::MAX || self.inputs.checked_shr(i as u32).unwrap_or(0) & 1 == 1
    }
}

/// A differentiable operation on `N` tensors, made of a kernel and its derivatives.
///
/// The derivatives are written with tensor ops, so they can be differentiated again. Whatever
/// the op needs besides its inputs (an axis, an exponent, indices) is a field of it.
///
/// # Examples
/// An op of one's own, checked like the built-in ones:
/// ```
/// use backstitch_tensor::{Float, Tensor, check_gradients};
/// use backstitch_tensor::op::{Gradient, Op, Saves, Site, Tangents, apply};
///
/// struct Cube;
///
/// impl<T: Float> Op<T, 1> for Cube {
///     const NAME: &'static str = "cube";
///     const SAVES: Saves = Saves::INPUTS;
///
///     fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
///         x * x * x
///     }
///     fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
///         let x = at.input(0);
///         [Some(dy * (x * x * T::from_f64(3.0)))]
///     }
///     fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
///         let x = at.input(0);
///         dx.unwrap() * (x * x * T::from_f64(3.0))
///     }
/// }
///
/// let x = Tensor::from([1.0f64, -2.0]);
/// check_gradients(|x: &Tensor<f64>| apply(Cube, [x]), &x).unwrap();
/// ```
pub trait Op<T: Element, const N: usize>: Send + Sync + 'static {
    /// The op's name, as it stands in messages and in the registry.
    const NAME: &'static str;
    /// What [`Op::backward`] and [`Op::jvp`] read at the site.
    const SAVES: Saves;

    /// Computes the output from inputs that are outside the graph. May fill fields of the op with
    /// what its derivatives need.
    fn forward(&mut self, inputs: [&Tensor<T>; N]) -> Tensor<T>;

    /// The gradient of each wanted input, of that input's shape, from the gradient of the output.
    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, N>;

    /// The tangent of the output from those of the inputs, at least one of which is there.
    fn jvp(&self, at: &Site<T>, tangents: Tangents<T, N>) -> Tensor<T>;
}

/// An op with hand-written kernels for forward and backward, made for speed or accuracy.
///
/// Its decomposition is its definition: the tests compare with it, and second derivatives and
/// forward mode go through it. All inputs are saved for that.
pub trait FusedOp<T: Float, const N: usize>: Send + Sync + 'static {
    /// The op's name, as it stands in messages and in the registry.
    const NAME: &'static str;
    /// Whether [`FusedOp::backward`] reads the output.
    const SAVES_OUTPUT: bool = false;

    /// Computes the output with a kernel. May fill fields with what backward needs.
    fn forward(&mut self, inputs: [&Tensor<T>; N]) -> Tensor<T>;

    /// The gradient of each wanted input, with a kernel.
    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, N>;

    /// The same function as [`FusedOp::forward`], in primitive ops.
    fn decompose(&self, inputs: [&Tensor<T>; N]) -> Tensor<T>;

    /// The tangent of the output with a kernel, where that is cheaper than that of the
    /// decomposition and nobody differentiates it further.
    fn jvp(&self, _at: &Site<T>, _tangents: Tangents<T, N>) -> Option<Tensor<T>> {
        None
    }
}

/// Runs a primitive op, and records it when an input is tracked.
#[track_caller]
pub fn apply<T: Element, const N: usize, O: Op<T, N>>(mut op: O, x: [&Tensor<T>; N]) -> Tensor<T> {
    let y = op.forward(x);
    finish(O::NAME, y, &x, O::SAVES, || Box::new(Primitive::<_, N>(op)))
}

/// Runs a fused op, and records it when an input is tracked.
#[track_caller]
pub fn apply_fused<T: Float, const N: usize, O: FusedOp<T, N>>(
    mut op: O,
    x: [&Tensor<T>; N],
) -> Tensor<T> {
    if mode().decomposes {
        return op.decompose(x);
    }
    let y = op.forward(x);
    let saves = Saves { output: O::SAVES_OUTPUT, ..Saves::INPUTS };
    finish(O::NAME, y, &x, saves, || Box::new(Fused::<_, N>(op)))
}

/// Runs an op on any number of tensors.
#[track_caller]
pub(crate) fn apply_variadic<T: Element>(
    name: &'static str,
    y: Tensor<T>,
    x: &[&Tensor<T>],
    saves: Saves,
    op: impl FnOnce() -> Box<dyn AnyOp<T>>,
) -> Tensor<T> {
    finish(name, y, x, saves, op)
}

/// [`apply_variadic`] for an op that takes elements of all types, though its derivatives are made
/// for floats: only floats are ever recorded.
#[track_caller]
pub(crate) fn apply_to_any<T: Element, O: AnyOp<f32> + AnyOp<f64> + 'static>(
    name: &'static str,
    y: Tensor<T>,
    x: &[&Tensor<T>],
    op: impl FnOnce() -> O,
) -> Tensor<T> {
    apply_variadic(name, y, x, Saves::NOTHING, || {
        let op: Box<dyn Any> = match T::DTYPE {
            DType::F32 => Box::new(Box::new(op()) as Box<dyn AnyOp<f32>>),
            DType::F64 => Box::new(Box::new(op()) as Box<dyn AnyOp<f64>>),
            DType::I64 | DType::Bool | DType::U8 => unreachable!("only floats are in the graph"),
        };
        *op.downcast::<Box<dyn AnyOp<T>>>().expect("the element type decided")
    })
}

/// Gives the output its node, if one of the inputs has one, and looks for anomalies.
#[track_caller]
fn finish<T: Element>(
    name: &'static str,
    y: Tensor<T>,
    x: &[&Tensor<T>],
    saves: Saves,
    op: impl FnOnce() -> Box<dyn AnyOp<T>>,
) -> Tensor<T> {
    let mode = mode();
    if mode.anomaly && x.iter().all(|x| first_non_finite(x).is_none()) {
        panic_on_anomaly(name, "", &y, Location::caller());
    }
    if !mode.records || x.iter().all(|x| x.node().is_none()) {
        assert!(
            !mode.sealed || mode.records || x.iter().all(|x| x.node().is_none()),
            "checkpoint: needs all tracked tensors in its module or its input; got another one \
             in {name}"
        );
        return y.with_node(None);
    }
    let record = Record {
        op: op(),
        inputs: x.iter().enumerate().map(|(i, x)| Edge::new(x, saves.input(i))).collect(),
        output: saves.output.then(|| y.detach()),
    };
    y.with_node(Some(Node::op(name, record)))
}

/// Panics when `x`, made by the op called at `caller`, has a value that is not finite.
pub(crate) fn panic_on_anomaly<T: Element>(
    name: &str,
    pass: &str,
    x: &Tensor<T>,
    caller: &Location<'static>,
) {
    if let Some((at, value)) = first_non_finite(x) {
        panic!(
            "{name}{pass}: made {value} at element {at} of shape {:?}, called at {caller}",
            x.shape()
        );
    }
}

/// The position and value of the first NaN or infinity.
fn first_non_finite<T: Element>(x: &Tensor<T>) -> Option<(usize, f64)> {
    fn find<T: Float>(x: &Tensor<T>) -> Option<(usize, f64)> {
        let data = x.to_vec();
        let at = data.iter().position(|x| !x.is_finite())?;
        Some((at, data[at].to_f64()))
    }
    let x: &dyn Any = x;
    match (x.downcast_ref::<Tensor<f32>>(), x.downcast_ref::<Tensor<f64>>()) {
        (Some(x), _) => find(x),
        (_, Some(x)) => find(x),
        (None, None) => None,
    }
}

/// An op with its saved values, as a node holds it.
pub(crate) struct Record<T: Element> {
    pub(crate) op: Box<dyn AnyOp<T>>,
    pub(crate) inputs: Vec<Edge<T>>,
    pub(crate) output: Option<Tensor<T>>,
}

impl<T: Element> Record<T> {
    pub(crate) fn parents(&self) -> impl Iterator<Item = &Arc<Node<T>>> {
        self.inputs.iter().filter_map(|edge| edge.node.as_ref())
    }

    /// Hands the inputs' nodes over and frees the saved values.
    pub(crate) fn release(self, nodes: &mut Vec<Arc<Node<T>>>) {
        nodes.extend(self.inputs.into_iter().filter_map(|edge| edge.node));
    }
}

/// One input of a recorded op: its node, if it has one, and its value or at least its shape.
pub(crate) struct Edge<T: Element> {
    pub(crate) node: Option<Arc<Node<T>>>,
    saved: Saved<T>,
}

enum Saved<T: Element> {
    Value(Tensor<T>),
    Shape(Shape),
}

impl<T: Element> Edge<T> {
    fn new(x: &Tensor<T>, saves: bool) -> Self {
        let saved = match saves {
            true => Saved::Value(x.detach()),
            false => Saved::Shape(Shape::new(x.shape())),
        };
        Edge { node: x.node().cloned(), saved }
    }
}

/// What an op's derivative can read: the saved inputs and output, all shapes, and which
/// gradients are wanted.
///
/// While a graph of derivatives is recorded, the tensors here are tracked; otherwise they are not.
pub struct Site<'a, T: Element> {
    name: &'static str,
    record: &'a Record<T>,
    tracked: Option<Tracked<T>>,
    floor: NodeId,
}

/// The saved inputs and the saved output, back in the graph.
type Tracked<T> = (Vec<Option<Tensor<T>>>, Option<Tensor<T>>);

impl<'a, T: Element> Site<'a, T> {
    /// The site of a node. `tracks` puts the values back into the graph; gradients of nodes
    /// below `floor` are not wanted.
    pub(crate) fn new(
        node: &Arc<Node<T>>,
        record: &'a Record<T>,
        tracks: bool,
        floor: NodeId,
    ) -> Self {
        let tracked = tracks.then(|| {
            let input = |edge: &Edge<T>| match &edge.saved {
                Saved::Value(x) => Some(x.clone().with_node(edge.node.clone())),
                Saved::Shape(_) => None,
            };
            let output = record.output.as_ref().map(|y| y.clone().with_node(Some(node.clone())));
            (record.inputs.iter().map(input).collect(), output)
        });
        Site { name: node.name, record, tracked, floor }
    }

    /// Input `i`, if the op saves it.
    ///
    /// # Panics
    /// When [`Op::SAVES`] does not have it.
    pub fn input(&self, i: usize) -> &Tensor<T> {
        let saved = match (&self.tracked, &self.record.inputs[i].saved) {
            (Some((inputs, _)), _) => inputs[i].as_ref(),
            (None, Saved::Value(x)) => Some(x),
            (None, Saved::Shape(_)) => None,
        };
        saved.unwrap_or_else(|| {
            panic!("{}: needs input {i} in SAVES; got only its shape", self.name)
        })
    }

    /// The output, if the op saves it.
    ///
    /// # Panics
    /// When [`Op::SAVES`] does not have it.
    pub fn output(&self) -> &Tensor<T> {
        let saved = match &self.tracked {
            Some((_, output)) => output.as_ref(),
            None => self.record.output.as_ref(),
        };
        saved.unwrap_or_else(|| panic!("{}: needs the output in SAVES; it is not there", self.name))
    }

    /// The shape of input `i`, saved or not.
    pub fn shape(&self, i: usize) -> &[usize] {
        match &self.record.inputs[i].saved {
            Saved::Value(x) => x.shape(),
            Saved::Shape(shape) => shape,
        }
    }

    /// Whether anyone asks for the gradient of input `i`.
    pub fn wants(&self, i: usize) -> bool {
        self.record.inputs[i].node.as_ref().is_some_and(|node| node.id >= self.floor)
    }

    /// The gradient of input `i` from `gradient`, which runs only if it is wanted.
    pub fn want(&self, i: usize, gradient: impl FnOnce() -> Tensor<T>) -> Option<Tensor<T>> {
        self.wants(i).then(gradient)
    }

    /// The number of inputs.
    pub(crate) fn arity(&self) -> usize {
        self.record.inputs.len()
    }

    pub(crate) fn is_tracked(&self) -> bool {
        self.tracked.is_some()
    }
}

/// An op of any number of inputs, as the graph calls it.
pub(crate) trait AnyOp<T: Element>: Send + Sync {
    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Vec<Option<Tensor<T>>>;
    fn jvp(&self, at: &Site<T>, tangents: &[Option<&Tensor<T>>]) -> Tensor<T>;

    /// The gradient of the only input as some of its rows, if the op was asked to give it so: the
    /// rows' indices, of which some may be the same, and their gradients.
    fn rows(&self, _dy: &Tensor<T>) -> Option<(Tensor<i64>, Tensor<T>)> {
        None
    }
}

struct Primitive<O, const N: usize>(O);

impl<T: Element, const N: usize, O: Op<T, N>> AnyOp<T> for Primitive<O, N> {
    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Vec<Option<Tensor<T>>> {
        self.0.backward(at, dy).into()
    }

    fn jvp(&self, at: &Site<T>, tangents: &[Option<&Tensor<T>>]) -> Tensor<T> {
        self.0.jvp(at, std::array::from_fn(|i| tangents[i]))
    }
}

struct Fused<O, const N: usize>(O);

/// [`FusedOp::decompose`] of a list of inputs.
fn decomposed<T: Float, const N: usize, O: FusedOp<T, N>>(
    op: &O,
    inputs: &[Tensor<T>],
) -> Tensor<T> {
    op.decompose(std::array::from_fn(|i| &inputs[i]))
}

impl<T: Float, const N: usize, O: FusedOp<T, N>> AnyOp<T> for Fused<O, N> {
    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Vec<Option<Tensor<T>>> {
        match at.is_tracked() {
            true => rerun_backward(at, dy, |inputs| decomposed(&self.0, inputs)),
            false => self.0.backward(at, dy).into(),
        }
    }

    fn jvp(&self, at: &Site<T>, tangents: &[Option<&Tensor<T>>]) -> Tensor<T> {
        let own = match at.is_tracked() {
            true => None,
            false => self.0.jvp(at, std::array::from_fn(|i| tangents[i])),
        };
        own.unwrap_or_else(|| rerun_jvp(at, tangents, |inputs| decomposed(&self.0, inputs)))
    }
}

/// Runs a function on fresh aliases of those inputs that `picks` picks.
fn rerun<T: Float>(
    at: &Site<T>,
    picks: impl Fn(usize) -> bool,
    run: impl FnOnce(&[Tensor<T>]) -> Tensor<T>,
) -> (Vec<Tensor<T>>, Tensor<T>) {
    let input = |i: usize| match picks(i) {
        true => alias(at.input(i)),
        false => at.input(i).clone(),
    };
    let inputs: Vec<Tensor<T>> = (0..at.arity()).map(input).collect();
    let records = |mode: &mut crate::graph::Mode| (mode.records, mode.sealed) = (true, false);
    let y = with_mode(records, || run(&inputs));
    (inputs, y)
}

/// The gradients of an op that is the function `run` of its inputs, all of which it saves.
pub(crate) fn rerun_backward<T: Float>(
    at: &Site<T>,
    dy: &Tensor<T>,
    run: impl FnOnce(&[Tensor<T>]) -> Tensor<T>,
) -> Vec<Option<Tensor<T>>> {
    let (inputs, y) = rerun(at, |i| at.wants(i), run);
    let Some(node) = y.node() else { return vec![None; at.arity()] };
    let id = |i: usize| at.wants(i).then(|| inputs[i].node().expect("an alias has a node").id);
    let targets: Vec<NodeId> = (0..at.arity()).filter_map(id).collect();
    let seeds = vec![(node.clone(), dy.clone())];
    let sweep = if at.is_tracked() { Sweep::Record } else { Sweep::Free };
    let grads = pull_back(seeds, sweep, Some(&targets));
    let grad = |i: usize| {
        let grad = grads.get(&id(i)?).cloned();
        Some(grad.unwrap_or_else(|| Tensor::zeros(inputs[i].shape())))
    };
    (0..at.arity()).map(grad).collect()
}

/// The tangent of an op that is the function `run` of its inputs, all of which it saves.
pub(crate) fn rerun_jvp<T: Float>(
    at: &Site<T>,
    tangents: &[Option<&Tensor<T>>],
    run: impl FnOnce(&[Tensor<T>]) -> Tensor<T>,
) -> Tensor<T> {
    let floor = current_id();
    let (inputs, y) = rerun(at, |i| tangents[i].is_some(), run);
    let moving = inputs.iter().zip(tangents).filter_map(|(x, tangent)| {
        let id = x.node()?.id;
        tangent.map(|tangent| (id, tangent.clone()))
    });
    push_forward(&[&y], moving.collect(), at.is_tracked(), floor)
        .pop()
        .flatten()
        .unwrap_or_else(|| Tensor::zeros(y.shape()))
}

/// The same value as a new node, so that a sweep can stop here: a leaf where `x` is outside the
/// graph, else a copy in name only, through which gradients flow on.
pub(crate) fn alias<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    match x.node() {
        None => x.leaf(),
        Some(_) => {
            let record = Record {
                op: Box::new(Primitive::<_, 1>(Alias)),
                inputs: vec![Edge::new(x, false)],
                output: None,
            };
            x.detach().with_node(Some(Node::op("alias", record)))
        }
    }
}

struct Alias;

impl<T: Float> Op<T, 1> for Alias {
    const NAME: &'static str = "alias";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        x.detach()
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(dy.clone())]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        dx.expect("the only input moves").clone()
    }
}
