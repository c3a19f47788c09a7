//! The element types of tensors: what a buffer may hold, and what kernels compute with.

use std::fmt::{Debug, Display};

/// A type of element. Sealed: `f32`, `f64`, `i64`, `bool` and `u8`.
///
/// All-zero bytes are a valid value of each.
pub trait Element:
    sealed::Sealed + Copy + PartialEq + Debug + Display + Default + Send + Sync + 'static
{
    /// The name of this type at run time.
    const DTYPE: DType;
}

/// An element type that kernels compute with and that may carry gradients: `f32` and `f64`.
pub trait Float: Element {}

/// The name of an element type at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `i64`
    I64,
    /// `bool`
    Bool,
    /// `u8`
    U8,
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;
}
impl Element for f64 {
    const DTYPE: DType = DType::F64;
}
impl Element for i64 {
    const DTYPE: DType = DType::I64;
}
impl Element for bool {
    const DTYPE: DType = DType::Bool;
}
impl Element for u8 {
    const DTYPE: DType = DType::U8;
}
impl Float for f32 {}
impl Float for f64 {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for i64 {}
    impl Sealed for bool {}
    impl Sealed for u8 {}
}
