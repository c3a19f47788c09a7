//! [`checkpoint`]: a part of a model that is computed again in backward instead of stored.

use backstitch_kernels::Float;

use crate::graph::with_mode;
use crate::module::{Module, Slot, SlotMut, for_each, for_each_mut};
use crate::op::{AnyOp, Saves, Site, apply_variadic, rerun_backward, rerun_jvp};
use crate::tensor::Tensor;
use crate::transforms::tensors;

/// Runs `f` on `module` and `x` and keeps nothing of what it computes on the way: the derivatives
/// run it again. Memory for time, at any point of a model.
///
/// `f` sees a copy of `module` and of `x`, and must compute the same each time from them alone:
/// what is random in it takes a fixed seed, or a clone of one pass (in `backstitch_nn`,
/// `Pass::checkpoint` does that). Running statistics of `module` follow the first run alone. Values
/// and gradients have the bits that they have without a checkpoint, to any order, in reverse and
/// forward mode.
///
/// # Panics
/// When `f` uses a tracked tensor that is neither in `module` nor in `x`: its gradient would be
/// lost.
///
/// # Examples
/// ```
/// use backstitch_tensor::{Param, Tensor, checkpoint};
///
/// let w = Param::new(Tensor::from([2.0, 3.0]));
/// let x = Tensor::from([0.5, 1.0]);
/// let y = checkpoint(&w, &x, |w, x| (&**w * x).sin().sum());
/// let grads = y.backward();
/// let want = (&x * (&*w * &x).cos()).to_vec();
/// assert_eq!(grads.get(&w).unwrap().to_vec(), want);
/// ```
///
/// # Reference
/// Chen et al. 2016, "Training deep nets with sublinear memory cost".
#[track_caller]
pub fn checkpoint<T, M, X>(
    module: &M,
    x: &X,
    f: impl Fn(&M, &X) -> Tensor<T> + Send + Sync + 'static,
) -> Tensor<T>
where
    T: Float,
    M: Module<T> + Clone + Send + Sync + 'static,
    X: Module<T> + Clone + Send + Sync + 'static,
{
    let kept = (untracked(module), untracked(x));
    let first = kept.clone();
    let change = |mode: &mut crate::graph::Mode| (mode.records, mode.sealed) = (false, true);
    let y = with_mode(change, || f(&first.0, &first.1));
    assert!(
        !y.is_tracked(),
        "checkpoint: needs a function that computes its result; got a tensor of old"
    );
    follow(module, &first.0);
    follow(x, &first.1);
    let inputs = [tensors(module), tensors(x)].concat();
    let inputs: Vec<&Tensor<T>> = inputs.iter().collect();
    apply_variadic("checkpoint", y, &inputs, Saves::INPUTS, || {
        Box::new(Checkpoint { f, module: kept.0, x: kept.1 })
    })
}

/// A copy outside of the graph.
fn untracked<T: Float, X: Module<T> + Clone>(tree: &X) -> X {
    let outside: Vec<Tensor<T>> = tensors(tree).iter().map(Tensor::detach).collect();
    with(tree, &outside)
}

/// A copy with these tensors.
fn with<T: Float, X: Module<T> + Clone>(tree: &X, tensors: &[Tensor<T>]) -> X {
    let mut tensors = tensors.iter().cloned();
    let mut next = || tensors.next().expect("a copy has as many tensors");
    let mut tree = tree.clone();
    for_each_mut(&mut tree, |_, slot| match slot {
        SlotMut::Running(_) => {}
        SlotMut::Param(param) => param.replace(next()),
        SlotMut::Tensor(x) => *x = next(),
    });
    tree
}

/// Gives a tree the running statistics of its copy.
fn follow<T: Float, X: Module<T>>(tree: &X, copy: &X) {
    let mut values = Vec::new();
    for_each(copy, |_, slot| {
        if let Slot::Running(running) = slot {
            values.push(running.get());
        }
    });
    let mut values = values.into_iter();
    for_each(tree, |_, slot| {
        if let Slot::Running(running) = slot {
            running.set(values.next().expect("a copy has as many statistics"));
        }
    });
}

struct Checkpoint<F, M, X> {
    f: F,
    module: M,
    x: X,
}

impl<F, M, X> Checkpoint<F, M, X> {
    /// The function at other tensors; the statistics of the copies are dropped with them.
    fn run<T: Float>(&self, inputs: &[Tensor<T>]) -> Tensor<T>
    where
        F: Fn(&M, &X) -> Tensor<T>,
        M: Module<T> + Clone,
        X: Module<T> + Clone,
    {
        let (module, x) = inputs.split_at(tensors(&self.module).len());
        (self.f)(&with(&self.module, module), &with(&self.x, x))
    }
}

impl<T, F, M, X> AnyOp<T> for Checkpoint<F, M, X>
where
    T: Float,
    F: Fn(&M, &X) -> Tensor<T> + Send + Sync,
    M: Module<T> + Clone + Send + Sync,
    X: Module<T> + Clone + Send + Sync,
{
    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Vec<Option<Tensor<T>>> {
        rerun_backward(at, dy, |inputs| self.run(inputs))
    }

    fn jvp(&self, at: &Site<T>, tangents: &[Option<&Tensor<T>>]) -> Tensor<T> {
        rerun_jvp(at, tangents, |inputs| self.run(inputs))
    }
}
