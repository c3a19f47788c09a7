//! Tensors, the graph, ops and their registry, transforms.

#![forbid(unsafe_code)]
// Without the registry, the specs in the ops' files have no reader.
#![cfg_attr(not(feature = "registry"), allow(dead_code))]

mod build;
mod channels_last;
mod check;
mod checkpoint;
mod equation;
mod forward;
mod graph;
mod module;
pub mod op;
mod ops;
mod print;
mod random;
#[cfg(feature = "registry")]
pub mod registry;
mod reverse;
mod rng;
mod rows;
pub mod shape;
mod spec;
mod tensor;
mod transforms;

pub use backstitch_kernels::{DType, Element, Float};
pub use channels_last::layout_conversions;
pub use check::{
    FIRST_ORDER_TOLERANCE, GradientError, SECOND_ORDER_TOLERANCE, check_gradients,
    check_second_order,
};
pub use checkpoint::checkpoint;
pub use graph::{detect_anomaly, no_grad, with_decomposition};
pub use module::{
    Module, Param, Running, Slot, SlotMut, Visitor, VisitorMut, for_each, for_each_mut,
    for_each_param, for_each_param_mut,
};
pub use ops::operand::Operand;
pub use ops::{
    AvgPoolOptions, BatchStatistics, ConvOptions, ConvTransposeOptions, CrossEntropy, END,
    EmbeddingOptions, End, GridMode, GridPadding, GridSampleOptions, INFER, InterpolateOptions,
    Interpolation, PadMode, Padding, Patches, PoolOptions, Reduction, ScatterReduce, Unique,
    UnpoolOptions, Winograd,
};
pub use reverse::Gradients;
pub use rng::{Rng, RngState};
pub use rows::Rows;
pub use tensor::Tensor;
pub use transforms::{
    grad, hessian, hvp, jacobian, jvp, linearize, tree_map, tree_zip, value_and_grad, vjp,
};
