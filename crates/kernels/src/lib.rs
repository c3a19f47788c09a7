//! Numeric loops over slices: SIMD, threads, buffers; the only unsafe code of Backstitch.
//!
//! Kernels are written once, generic over [`Float`] and over the instruction set
//! ([`simd::Vector`]), and compiled here for f32 and f64 (`per_float!` in `element.rs`), so that
//! crates that call them neither compile them again nor lower their optimisation level.

pub mod arch;
mod array;
pub mod calibrate;
pub mod conv;
pub mod copy;
pub mod cross_entropy;
mod disjoint;
pub mod dropout;
pub mod element;
pub mod elementwise;
pub mod fold;
pub mod gemm;
pub mod index;
pub mod math;
pub mod norm;
pub mod optim;
pub mod par;
pub mod pool;
pub mod pooling;
mod prefetch;
pub mod reduce;
mod registers;
pub mod resample;
pub mod scatter;
pub mod scratch;
pub mod simd;
pub mod softmax;
pub mod sort;
#[cfg(test)]
mod testing;
pub mod view;

pub use element::{DType, Element, Float};
pub use pool::Buffer;
pub use view::View;
