//! The ops: one file each, with its documentation, its derivatives and its specs.
//!
//! This file lists them and nothing else. An op is added with a file, a `mod` line and a line in
//! [`SPECS`]; the tidy test finds what is missing.

use crate::spec::OpSpec;

mod abs;
mod acos;
mod acosh;
mod add;
mod affine;
mod asin;
mod asinh;
mod atan;
mod atan2;
mod atanh;
mod batch_norm;
mod binary;
mod ceil;
mod celu;
mod clamp;
mod concat;
mod cos;
mod cosh;
mod cross_entropy;
mod div;
mod dropout;
mod elu;
mod eq;
mod erf;
mod erfc;
mod exp;
mod exp2;
mod expand;
mod expm1;
mod extreme;
mod floor;
mod fmod;
mod gather;
mod ge;
mod gelu;
mod gelu_tanh;
mod glu;
mod gt;
mod hardshrink;
mod hardsigmoid;
mod hardswish;
mod hardtanh;
mod is_finite;
mod is_inf;
mod is_nan;
mod layer_norm;
mod le;
mod leaky_relu;
mod lerp;
mod linear;
mod log;
mod log1p;
mod log2;
mod log_softmax;
mod logical_and;
mod logical_not;
mod logical_or;
mod logical_xor;
mod logsigmoid;
mod lt;
mod masked_fill;
mod matmul;
mod max;
mod maximum;
mod mean;
mod min;
mod minimum;
mod mish;
mod mse;
mod mul;
mod ne;
pub(crate) mod operand;
mod permute;
mod pointwise;
mod pow;
mod prelu;
mod recip;
mod relu;
mod relu6;
mod remainder;
mod reshape;
mod round;
mod rsqrt;
mod selu;
mod sigmoid;
mod sign;
mod silu;
mod sin;
mod sinh;
mod slice;
mod softmax;
mod softplus;
mod softshrink;
mod softsign;
mod sqrt;
mod square;
mod sub;
mod sum;
mod tan;
mod tanh;
mod threshold;
mod to;
mod trunc;
mod where_;

pub use batch_norm::BatchStatistics;
pub use cross_entropy::{CrossEntropy, Reduction};

/// The specs of all ops, file by file.
pub(crate) const SPECS: &[&[OpSpec]] = &[
    abs::SPECS,
    acos::SPECS,
    acosh::SPECS,
    add::SPECS,
    affine::SPECS,
    asin::SPECS,
    asinh::SPECS,
    atan::SPECS,
    atan2::SPECS,
    atanh::SPECS,
    batch_norm::SPECS,
    ceil::SPECS,
    celu::SPECS,
    clamp::SPECS,
    concat::SPECS,
    cos::SPECS,
    cosh::SPECS,
    cross_entropy::SPECS,
    div::SPECS,
    dropout::SPECS,
    elu::SPECS,
    eq::SPECS,
    erf::SPECS,
    erfc::SPECS,
    exp::SPECS,
    exp2::SPECS,
    expand::SPECS,
    expm1::SPECS,
    floor::SPECS,
    fmod::SPECS,
    gather::SPECS,
    ge::SPECS,
    gelu::SPECS,
    gelu_tanh::SPECS,
    glu::SPECS,
    gt::SPECS,
    hardshrink::SPECS,
    hardsigmoid::SPECS,
    hardswish::SPECS,
    hardtanh::SPECS,
    is_finite::SPECS,
    is_inf::SPECS,
    is_nan::SPECS,
    layer_norm::SPECS,
    le::SPECS,
    leaky_relu::SPECS,
    lerp::SPECS,
    linear::SPECS,
    log::SPECS,
    log1p::SPECS,
    log2::SPECS,
    log_softmax::SPECS,
    logical_and::SPECS,
    logical_not::SPECS,
    logical_or::SPECS,
    logical_xor::SPECS,
    logsigmoid::SPECS,
    lt::SPECS,
    masked_fill::SPECS,
    matmul::SPECS,
    max::SPECS,
    maximum::SPECS,
    mean::SPECS,
    min::SPECS,
    minimum::SPECS,
    mish::SPECS,
    mse::SPECS,
    mul::SPECS,
    ne::SPECS,
    permute::SPECS,
    pow::SPECS,
    prelu::SPECS,
    recip::SPECS,
    relu::SPECS,
    relu6::SPECS,
    remainder::SPECS,
    reshape::SPECS,
    round::SPECS,
    rsqrt::SPECS,
    selu::SPECS,
    sigmoid::SPECS,
    sign::SPECS,
    silu::SPECS,
    sin::SPECS,
    sinh::SPECS,
    slice::SPECS,
    softmax::SPECS,
    softplus::SPECS,
    softshrink::SPECS,
    softsign::SPECS,
    sqrt::SPECS,
    square::SPECS,
    sub::SPECS,
    sum::SPECS,
    tan::SPECS,
    tanh::SPECS,
    threshold::SPECS,
    to::SPECS,
    trunc::SPECS,
    where_::SPECS,
];
