//! The graph behind tensors: nodes with rising numbers, and the mode in which ops record them.
//!
//! A node knows its inputs' nodes, never its users: dropping the last tensor that leads to a node
//! frees it. Numbers rise, so an op's number is above those of everything it was computed from,
//! and taking nodes from the highest number down visits users before inputs, without recursion
//! and without a sort.

use std::cell::Cell;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use backstitch_kernels::Element;

use crate::op::Record;

/// The number of a node. Later nodes have higher ones.
pub(crate) type NodeId = u64;

/// Numbers handed out so far. They order nodes and name leaves; no result depends on their values.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// The op that made a tensor, or a leaf.
pub(crate) struct Node<T: Element> {
    pub(crate) id: NodeId,
    /// The lowest number among the leaves below. Tells in one comparison whether the node depends
    /// on anything that is older than a given moment.
    pub(crate) lowest: NodeId,
    pub(crate) name: &'static str,
    pub(crate) caller: &'static Location<'static>,
    pub(crate) kind: Kind<T>,
}

#[expect(clippy::large_enum_variant, reason = "leaves are few, and a box would cost each op")]
pub(crate) enum Kind<T: Element> {
    /// A start of the graph: a parameter, or an input that wants a gradient.
    Leaf,
    /// An op with its saved values; `None` once a backward has passed and freed them.
    Op(RwLock<Option<Record<T>>>),
}

impl<T: Element> Node<T> {
    #[track_caller]
    pub(crate) fn leaf() -> Arc<Self> {
        let id = next_id();
        let caller = Location::caller();
        Arc::new(Node { id, lowest: id, name: "leaf", caller, kind: Kind::Leaf })
    }

    #[track_caller]
    pub(crate) fn op(name: &'static str, record: Record<T>) -> Arc<Self> {
        let id = next_id();
        let lowest = record.parents().map(|parent| parent.lowest).min().unwrap_or(id);
        let caller = Location::caller();
        Arc::new(Node { id, lowest, name, caller, kind: Kind::Op(RwLock::new(Some(record))) })
    }

    /// Takes the saved values out; they are freed when the result is dropped.
    pub(crate) fn take_record(&self) -> Option<Record<T>> {
        match &self.kind {
            Kind::Leaf => None,
            Kind::Op(record) => {
                record.write().expect("no op panics while it holds the lock").take()
            }
        }
    }
}

fn next_id() -> NodeId {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// A number below those of all nodes made from now on.
pub(crate) fn current_id() -> NodeId {
    next_id()
}

/// Frees chains of any length without recursion: nodes whose last owner goes are taken apart here.
impl<T: Element> Drop for Node<T> {
    fn drop(&mut self) {
        let Kind::Op(record) = &mut self.kind else { return };
        let Some(record) = record.get_mut().ok().and_then(Option::take) else { return };
        let mut orphans: Vec<Arc<Node<T>>> = Vec::new();
        record.release(&mut orphans);
        while let Some(node) = orphans.pop() {
            let Some(mut node) = Arc::into_inner(node) else { continue };
            if let Kind::Op(record) = &mut node.kind
                && let Some(record) = record.get_mut().ok().and_then(Option::take)
            {
                record.release(&mut orphans);
            }
        }
    }
}

/// How ops behave on this thread, for the length of a closure.
#[derive(Clone, Copy)]
pub(crate) struct Mode {
    /// Whether ops on tracked tensors extend the graph.
    pub(crate) records: bool,
    /// Whether an op that makes a non-finite value panics.
    pub(crate) anomaly: bool,
    /// Whether fused ops run as their decomposition.
    pub(crate) decomposes: bool,
    /// Whether a tracked input is refused where nothing is recorded: inside of a checkpoint.
    pub(crate) sealed: bool,
}

thread_local! {
    static MODE: Cell<Mode> = const {
        Cell::new(Mode { records: true, anomaly: false, decomposes: false, sealed: false })
    };
}

pub(crate) fn mode() -> Mode {
    MODE.get()
}

/// Runs `body` in a changed mode and restores the old one, also when `body` panics.
pub(crate) fn with_mode<R>(change: impl FnOnce(&mut Mode), body: impl FnOnce() -> R) -> R {
    struct Restore(Mode);
    impl Drop for Restore {
        fn drop(&mut self) {
            MODE.set(self.0);
        }
    }
    let _restore = Restore(MODE.get());
    let mut mode = MODE.get();
    change(&mut mode);
    MODE.set(mode);
    body()
}

/// Runs `body` without recording a graph: for evaluation, where nobody asks for gradients.
///
/// # Examples
/// ```
/// use backstitch_tensor::{Tensor, no_grad};
///
/// let w = Tensor::from([1.0, 2.0]).leaf();
/// let y = no_grad(|| &w * 2.0);
/// assert!(!y.is_tracked());
/// ```
pub fn no_grad<R>(body: impl FnOnce() -> R) -> R {
    with_mode(|mode| mode.records = false, body)
}

/// Runs `body` and panics at the first op, forward or backward, that makes a NaN or an infinity
/// from finite inputs, naming the op and the line that called it.
///
/// Costs a pass over every result; meant for finding where a run went wrong.
///
/// # Panics
/// As described: that is its purpose.
///
/// # Examples
/// ```
/// use backstitch_tensor::{Tensor, detect_anomaly};
///
/// let caught = std::panic::catch_unwind(|| {
///     detect_anomaly(|| Tensor::from([0.0f32]).log());
/// });
/// let message = *caught.unwrap_err().downcast::<String>().unwrap();
/// assert!(message.starts_with("log: made -inf"), "{message}");
/// ```
pub fn detect_anomaly<R>(body: impl FnOnce() -> R) -> R {
    with_mode(|mode| mode.anomaly = true, body)
}

/// Runs `body` with every fused op replaced by its decomposition into primitive ops.
///
/// Slower and less accurate; it is the definition that the fused kernels are tested against.
pub fn with_decomposition<R>(body: impl FnOnce() -> R) -> R {
    with_mode(|mode| mode.decomposes = true, body)
}
