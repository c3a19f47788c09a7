//! Tensors, the graph, ops and their registry, transforms.
