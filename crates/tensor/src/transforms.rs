//! Derivatives of functions, of any order: [`grad`], [`vjp`], [`jvp`], [`hvp`], [`jacobian`], ...
//!
//! A function maps a tree (a tensor, a tuple, a module, ...; see [`Module`]) to a tensor, or to
//! another tree. Transforms nest: a gradient is made of ops, so it can be differentiated again.

use std::collections::BTreeMap;

use backstitch_kernels::Float;

use crate::forward::push_forward;
use crate::graph::{NodeId, current_id, mode, with_mode};
use crate::module::{Module, SlotMut, for_each_mut};
use crate::op::alias;
use crate::reverse::{Sweep, pull_back};
use crate::tensor::Tensor;

/// The gradient of a scalar function at `x`, a tree like `x`.
///
/// Zero where the function does not depend on a part of `x`. Running statistics and frozen
/// parameters are left as they are.
///
/// # Panics
/// When `f` returns anything but one element.
///
/// # Examples
/// The second derivative of `sin` is `-sin`:
/// ```
/// use backstitch_tensor::{Tensor, grad};
///
/// let sin = |x: &Tensor<f64>| x.sin();
/// let cos = |x: &Tensor<f64>| grad(sin, x);
/// let x = Tensor::scalar(0.5);
/// assert!((grad(cos, &x).item() + 0.5f64.sin()).abs() < 1e-15);
/// ```
#[track_caller]
pub fn grad<T: Float, X: Module<T> + Clone>(f: impl FnOnce(&X) -> Tensor<T>, x: &X) -> X {
    value_and_grad(f, x).1
}

/// The value of a scalar function and its gradient; see [`grad`].
///
/// # Panics
/// When `f` returns anything but one element.
#[track_caller]
pub fn value_and_grad<T: Float, X: Module<T> + Clone>(
    f: impl FnOnce(&X) -> Tensor<T>,
    x: &X,
) -> (Tensor<T>, X) {
    let traced = Traced::new(x);
    let y = traced.call(f);
    assert!(y.numel() == 1, "grad: needs a function with one value; got shape {:?}", y.shape());
    let sweep = if traced.is_inner(&[&y]) { Sweep::Record } else { Sweep::Free };
    let dy = Tensor::ones(y.shape());
    let dx = traced.pull(&[(&y, &dy)], sweep);
    (traced.release(y), dx)
}

/// The value of a function and its vector-Jacobian product: a function from a gradient of the
/// output to the gradient of the input, which may be called any number of times.
///
/// # Panics
/// The product panics when its argument's shapes differ from the output's.
///
/// # Examples
/// ```
/// use backstitch_tensor::{Tensor, vjp};
///
/// let x = Tensor::from([1.0f32, 2.0]);
/// let (y, pull) = vjp(|x: &Tensor| x * x, &x);
/// assert_eq!(y.to_vec(), [1.0, 4.0]);
/// assert_eq!(pull(&Tensor::from([1.0, 10.0])).to_vec(), [2.0, 40.0]);
/// ```
pub fn vjp<T: Float, X: Module<T> + Clone, Y: Module<T> + Clone>(
    f: impl FnOnce(&X) -> Y,
    x: &X,
) -> (Y, impl Fn(&Y) -> X) {
    let traced = Traced::new(x);
    let y = traced.call(f);
    let inner = traced.is_inner(&tensors(&y).iter().collect::<Vec<_>>());
    let value = if inner { y.clone() } else { detached(&y) };
    let pull = move |dy: &Y| {
        let (outputs, gradients) = (tensors(&y), tensors(dy));
        check_shapes("vjp", &outputs, &gradients);
        let seeds: Vec<_> = outputs.iter().zip(&gradients).collect();
        let tracked = inner || gradients.iter().any(Tensor::is_tracked);
        let sweep = if tracked && mode().records { Sweep::Record } else { Sweep::Keep };
        traced.pull(&seeds, sweep)
    };
    (value, pull)
}

/// The value of a function at `x`, and its Jacobian-vector product with `dx`: how fast the
/// output moves when `x` moves along `dx`. Forward mode: one pass, whatever the output's size.
///
/// # Panics
/// When the shapes of `x` and `dx` differ.
///
/// # Examples
/// ```
/// use backstitch_tensor::{Tensor, jvp};
///
/// let (y, dy) = jvp(|x: &Tensor| x * x, &Tensor::scalar(3.0), &Tensor::scalar(1.0));
/// assert_eq!((y.item(), dy.item()), (9.0, 6.0));
/// ```
#[track_caller]
pub fn jvp<T: Float, X: Module<T> + Clone, Y: Module<T> + Clone>(
    f: impl FnOnce(&X) -> Y,
    x: &X,
    dx: &X,
) -> (Y, Y) {
    check_shapes("jvp", &tensors(x), &tensors(dx));
    let (y, push) = linearize(f, x);
    let dy = push(dx);
    (y, dy)
}

/// The value of a function at `x` and its linear approximation there: [`jvp`] with the function
/// run once and the direction left open.
///
/// # Panics
/// The approximation panics when its argument's shapes differ from those of `x`.
pub fn linearize<T: Float, X: Module<T> + Clone, Y: Module<T> + Clone>(
    f: impl FnOnce(&X) -> Y,
    x: &X,
) -> (Y, impl Fn(&X) -> Y) {
    let traced = Traced::new(x);
    let y = traced.call(f);
    let inner = traced.is_inner(&tensors(&y).iter().collect::<Vec<_>>());
    let value = if inner { y.clone() } else { detached(&y) };
    let push = move |dx: &X| {
        let directions = tensors(dx);
        check_shapes("jvp", &traced.inputs(), &directions);
        let tracks = mode().records && (inner || directions.iter().any(Tensor::is_tracked));
        let tangents = traced.ids.iter().copied().zip(directions);
        let tangents: BTreeMap<_, _> =
            tangents.filter_map(|(id, tangent)| Some((id?, tangent))).collect();
        let outputs = tensors(&y);
        let outputs: Vec<_> = outputs.iter().collect();
        let mut moved = push_forward(&outputs, tangents, tracks, traced.floor).into_iter();
        with_tensors(&y, |y| moved.next().flatten().unwrap_or_else(|| Tensor::zeros(y.shape())))
    };
    (value, push)
}

/// The product of a scalar function's Hessian at `x` with `v`, without forming the Hessian:
/// forward mode over reverse mode.
///
/// # Panics
/// When `f` returns anything but one element, or the shapes of `x` and `v` differ.
#[track_caller]
pub fn hvp<T: Float, X: Module<T> + Clone>(f: impl Fn(&X) -> Tensor<T>, x: &X, v: &X) -> X {
    jvp(|x: &X| grad(&f, x), x, v).1
}

/// The Jacobian of a function at `x`: its shape is the output's followed by the input's.
///
/// Takes reverse mode where the output is smaller than the input, forward mode otherwise.
///
/// # Examples
/// ```
/// use backstitch_tensor::{Tensor, jacobian};
///
/// let j = jacobian(|x: &Tensor| x * x, &Tensor::from([1.0, 2.0]));
/// assert_eq!(j.to_vec(), [2.0, 0.0, 0.0, 4.0]);
/// ```
#[track_caller]
pub fn jacobian<T: Float>(f: impl FnOnce(&Tensor<T>) -> Tensor<T>, x: &Tensor<T>) -> Tensor<T> {
    let traced = Traced::new::<T>(x);
    let y = traced.call(f);
    let tracks = traced.is_inner(&[&y]);
    let unit = |like: &Tensor<T>, i: usize| {
        Tensor::build(like.shape(), |out| {
            out.fill(T::ZERO);
            out[i] = T::ONE;
        })
    };
    let shape: Vec<usize> = y.shape().iter().chain(x.shape()).copied().collect();
    if y.numel() <= x.numel() {
        let sweep = if tracks { Sweep::Record } else { Sweep::Keep };
        let row = |i| traced.pull(&[(&y, &unit(&y, i))], sweep).reshape([x.numel()]);
        return stack_rows(y.numel(), x.numel(), row).reshape(shape);
    }
    let column = |i| {
        let tangents = [(traced.ids[0].expect("a tensor is traced"), unit(x, i))].into();
        let moved = push_forward(&[&y], tangents, tracks, traced.floor).pop().flatten();
        moved.unwrap_or_else(|| Tensor::zeros(y.shape())).reshape([y.numel()])
    };
    stack_rows(x.numel(), y.numel(), column).transpose(0, 1).reshape(shape)
}

/// The Hessian of a scalar function at `x`: its shape is that of `x` twice.
///
/// # Panics
/// When `f` returns anything but one element.
#[track_caller]
pub fn hessian<T: Float>(f: impl Fn(&Tensor<T>) -> Tensor<T>, x: &Tensor<T>) -> Tensor<T> {
    jacobian(|x: &Tensor<T>| grad(&f, x), x)
}

fn stack_rows<T: Float>(rows: usize, cols: usize, row: impl Fn(usize) -> Tensor<T>) -> Tensor<T> {
    let rows: Vec<Tensor<T>> = (0..rows).map(row).collect();
    match rows.is_empty() {
        true => Tensor::zeros([0, cols]),
        false => Tensor::concat(&rows, 0).reshape([rows.len(), cols]),
    }
}

/// A tree like `x` whose tensors are `f` of its own; see [`tree_zip`].
#[track_caller]
pub fn tree_map<T: Float, X: Module<T> + Clone>(
    x: &X,
    mut f: impl FnMut(&Tensor<T>) -> Tensor<T>,
) -> X {
    tree_zip(x, x, |x, _| f(x))
}

/// A tree like `a` whose tensors are `f` of those of `a` and `b`, in order: arithmetic on whole
/// models.
///
/// What `f` computes stays in the graph, so that gradients flow through the new tree to where its
/// tensors came from. A trainable parameter whose new value is outside the graph, as under
/// [`no_grad`](crate::no_grad), is a parameter of its own, as in a clone. Running statistics are
/// those of `a`.
///
/// # Panics
/// When the shapes of `a` and `b` differ.
///
/// # Examples
/// The derivative of a loss behind a step of gradient descent, by where the step began (MAML):
/// ```
/// use backstitch_tensor::{Tensor, grad, tree_zip};
///
/// let loss = |w: &Tensor<f64>| (w * w).sum();
/// let behind = |w: &Tensor<f64>| loss(&tree_zip(w, &grad(loss, w), |w, g| w - g * 0.25));
/// assert_eq!(grad(behind, &Tensor::from([4.0])).to_vec(), [2.0]);
/// ```
/// An average of a model's weights over time:
/// ```
/// use backstitch_tensor::{Param, Tensor, no_grad, tree_zip};
///
/// let (mean, model) = (Param::new(Tensor::scalar(2.0f32)), Param::new(Tensor::scalar(4.0)));
/// let mean = no_grad(|| tree_zip(&mean, &model, |mean, w| mean.lerp(w, 0.25)));
/// assert_eq!(mean.item(), 2.5);
/// ```
#[track_caller]
pub fn tree_zip<T: Float, X: Module<T> + Clone>(
    a: &X,
    b: &X,
    mut f: impl FnMut(&Tensor<T>, &Tensor<T>) -> Tensor<T>,
) -> X {
    // A clone's parameters are leaves of their own, so the tensors are taken from the originals.
    let (a_tensors, b_tensors) = (tensors(a), tensors(b));
    check_shapes("tree_zip", &a_tensors, &b_tensors);
    let mut pairs = a_tensors.iter().zip(&b_tensors);
    let mut next = || {
        let (a, b) = pairs.next().expect("a clone has the same tensors");
        f(a, b)
    };
    let mut tree = a.clone();
    for_each_mut(&mut tree, |_, slot| match slot {
        SlotMut::Running(_) => {}
        SlotMut::Tensor(x) => *x = next(),
        SlotMut::Param(param) => {
            let y = next();
            let is_own = param.is_trainable() && !y.is_tracked();
            param.replace(if is_own { y.leaf() } else { y });
        }
    });
    tree
}

/// A copy of a tree whose tensors are fresh nodes, so that derivatives by them can be found.
struct Traced<X> {
    tree: X,
    /// The node of each tensor of the tree; `None` for one that stays constant.
    ids: Vec<Option<NodeId>>,
    /// All nodes of this trace are above.
    floor: NodeId,
}

impl<X> Traced<X> {
    fn new<T: Float>(x: &X) -> Self
    where
        X: Module<T> + Clone,
    {
        let floor = current_id();
        let mut ids = Vec::new();
        // A clone's parameters are leaves of their own, so the aliases are taken from `x`.
        let mut originals = tensors(x).into_iter();
        let mut tree = x.clone();
        for_each_mut(&mut tree, |_, slot| {
            let original = match &slot {
                SlotMut::Running(_) => return,
                _ => originals.next().expect("a clone has the same tensors"),
            };
            match slot {
                SlotMut::Running(_) => {}
                SlotMut::Param(param) if !param.is_trainable() => ids.push(None),
                SlotMut::Param(param) => {
                    param.replace(with_mode(|mode| mode.records = true, || alias(&original)));
                    ids.push(param.node().map(|node| node.id));
                }
                SlotMut::Tensor(x) => {
                    *x = with_mode(|mode| mode.records = true, || alias(&original));
                    ids.push(x.node().map(|node| node.id));
                }
            }
        });
        Traced { tree, ids, floor }
    }

    fn call<Y>(&self, f: impl FnOnce(&X) -> Y) -> Y {
        with_mode(|mode| mode.records = true, || f(&self.tree))
    }

    /// Whether the outputs also depend on tracked tensors from outside, so that what is computed
    /// here may be differentiated again.
    fn is_inner<T: Float>(&self, outputs: &[&Tensor<T>]) -> bool {
        let depends = |y: &&Tensor<T>| y.node().is_some_and(|node| node.lowest <= self.floor);
        mode().records && outputs.iter().any(depends)
    }

    fn inputs<T: Float>(&self) -> Vec<Tensor<T>>
    where
        X: Module<T> + Clone,
    {
        tensors(&self.tree)
    }

    /// The gradients of the tree's tensors from those of some outputs.
    fn pull<T: Float>(&self, seeds: &[(&Tensor<T>, &Tensor<T>)], sweep: Sweep) -> X
    where
        X: Module<T> + Clone,
    {
        let targets: Vec<NodeId> = self.ids.iter().flatten().copied().collect();
        let seeds = seeds.iter().filter_map(|(y, dy)| Some((y.node()?.clone(), (*dy).clone())));
        let mut found = pull_back(seeds.collect(), sweep, Some(&targets));
        let mut ids = self.ids.iter();
        with_tensors(&self.tree, |x| {
            let id = ids.next().expect("the tree has as many tensors as when it was traced");
            id.and_then(|id| found.remove(&id)).unwrap_or_else(|| Tensor::zeros(x.shape()))
        })
    }

    /// An output as the caller may keep it: outside this trace's graph, unless an outer one
    /// needs the connection.
    fn release<T: Float>(&self, y: Tensor<T>) -> Tensor<T> {
        if self.is_inner(&[&y]) { y } else { y.detach() }
    }
}

/// The tensors of a tree, without running statistics, in order.
pub(crate) fn tensors<T: Float, X: Module<T>>(tree: &X) -> Vec<Tensor<T>> {
    let mut found = Vec::new();
    crate::module::for_each(tree, |_, slot| match slot {
        crate::module::Slot::Param(param) => found.push((**param).clone()),
        crate::module::Slot::Tensor(x) => found.push(x.clone()),
        crate::module::Slot::Running(_) => {}
    });
    found
}

/// A tree like `tree` with other tensors.
fn with_tensors<T: Float, X: Module<T> + Clone>(
    tree: &X,
    mut change: impl FnMut(&Tensor<T>) -> Tensor<T>,
) -> X {
    let mut tree = tree.clone();
    for_each_mut(&mut tree, |_, slot| match slot {
        SlotMut::Running(_) => {}
        SlotMut::Param(param) => {
            let changed = change(param);
            param.replace(changed);
        }
        SlotMut::Tensor(x) => *x = change(x),
    });
    tree
}

fn detached<T: Float, X: Module<T> + Clone>(tree: &X) -> X {
    with_tensors(tree, |x| x.detach())
}

#[track_caller]
fn check_shapes<T: Float>(name: &str, want: &[Tensor<T>], got: &[Tensor<T>]) {
    let shapes = |of: &[Tensor<T>]| of.iter().map(|x| x.shape().to_vec()).collect::<Vec<_>>();
    let (want, got) = (shapes(want), shapes(got));
    assert!(want == got, "{name}: needs tensors of shapes {want:?}; got {got:?}");
}
