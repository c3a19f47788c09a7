//! `SimdFloat` and `Vector`: one vocabulary of vector operations for f32, f64 and every
//! instruction set, so that each kernel is written once.
//!
//! Everything here is `#[inline(always)]`: a helper that is not inlined is compiled without the
//! instruction set's features, and every operation in it becomes a call. The same holds for any
//! function generic over `S: Simd`.

mod float;
mod vector;

pub use float::SimdFloat;
pub use vector::{Mask, Vector};
