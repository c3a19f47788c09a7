//! Numeric loops over slices: SIMD, threads, buffers; the only unsafe code of Backstitch.

mod element;
pub mod par;
pub mod pool;
pub mod scratch;

pub use element::{DType, Element, Float};
pub use pool::Buffer;
