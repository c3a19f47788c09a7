//! Forward mode: pushes tangents up a recorded graph, in rising order of its nodes' numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use backstitch_kernels::Float;

use crate::graph::{Kind, Node, NodeId};
use crate::op::Site;
use crate::tensor::Tensor;

/// The tangents of `outputs` from those of some nodes at or above `floor`; `None` where an output
/// does not depend on any of them. `tracks` makes the tangents part of the graph.
pub(crate) fn push_forward<T: Float>(
    outputs: &[&Tensor<T>],
    mut tangents: BTreeMap<NodeId, Tensor<T>>,
    tracks: bool,
    floor: NodeId,
) -> Vec<Option<Tensor<T>>> {
    for node in nodes_above(floor, outputs).into_values() {
        let Kind::Op(record) = &node.kind else { continue };
        if tangents.contains_key(&node.id) {
            continue;
        }
        let record = record.read().expect("no op panics while it holds the lock");
        let record = record.as_ref().expect("the graph was recorded for this push alone");
        let of_input = |edge: &crate::op::Edge<T>| tangents.get(&edge.node.as_ref()?.id);
        let inputs: Vec<Option<&Tensor<T>>> = record.inputs.iter().map(of_input).collect();
        if inputs.iter().all(Option::is_none) {
            continue;
        }
        let tangent = record.op.jvp(&Site::new(&node, record, tracks, floor), &inputs);
        tangents.insert(node.id, tangent);
    }
    let of_output = |y: &&Tensor<T>| tangents.get(&y.node()?.id).cloned();
    outputs.iter().map(of_output).collect()
}

/// All nodes from `outputs` down to `floor`, by number.
fn nodes_above<T: Float>(floor: NodeId, outputs: &[&Tensor<T>]) -> BTreeMap<NodeId, Arc<Node<T>>> {
    let mut found = BTreeMap::new();
    let mut stack: Vec<Arc<Node<T>>> = outputs.iter().filter_map(|y| y.node().cloned()).collect();
    while let Some(node) = stack.pop() {
        if node.id < floor || found.contains_key(&node.id) {
            continue;
        }
        if let Kind::Op(record) = &node.kind {
            let record = record.read().expect("no op panics while it holds the lock");
            stack.extend(record.iter().flat_map(|record| record.parents().cloned()));
        }
        found.insert(node.id, node);
    }
    found
}
