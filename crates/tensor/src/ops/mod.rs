//! The ops: one file each, with its documentation, its derivatives and its specs.
//!
//! This file lists them and nothing else. An op is added with a file, a `mod` line and a line in
//! [`SPECS`]; the tidy test finds what is missing.

#[cfg(feature = "registry")]
use crate::spec::OpSpec;

mod abs;
mod acos;
mod acosh;
mod adaptive_avg_pool;
mod add;
mod affine;
mod any;
mod asin;
mod asinh;
mod atan;
mod atan2;
mod atanh;
mod avg_pool;
mod batch_norm;
mod batch_norm_add_relu;
mod binary;
mod ceil;
mod celu;
#[cfg(feature = "linalg")]
mod cholesky;
mod chunk;
mod clamp;
mod classes;
mod col2im;
mod concat;
mod conv;
mod conv_transpose;
mod cos;
mod cosh;
mod cross_entropy;
mod cross_entropy_soft;
mod cummax;
mod cumprod;
mod cumsum;
#[cfg(feature = "linalg")]
mod det;
mod diag_embed;
mod diagonal;
mod div;
mod dot;
mod dropout;
#[cfg(feature = "linalg")]
mod eigh;
mod einsum;
mod elu;
mod embedding;
mod eq;
mod erf;
mod erfc;
mod exp;
mod exp2;
mod expand;
mod expm1;
mod extreme;
mod flatten;
mod flip;
mod floor;
mod fmod;
mod fold;
mod gather;
mod ge;
mod gelu;
mod gelu_tanh;
mod glu;
mod grid_sample;
mod group_norm;
mod gt;
mod hardshrink;
mod hardsigmoid;
mod hardswish;
mod hardtanh;
mod histc;
mod im2col;
mod index_add;
mod index_put;
mod index_select;
mod interpolate;
#[cfg(feature = "linalg")]
mod inverse;
mod is_finite;
mod is_inf;
mod is_nan;
mod layer_norm;
mod le;
mod leaky_relu;
mod lerp;
mod linear;
mod local_response_norm;
mod log;
mod log1p;
mod log2;
mod log_softmax;
mod logcumsumexp;
mod logical_and;
mod logical_not;
mod logical_or;
mod logical_xor;
mod logsigmoid;
mod logsumexp;
mod lp_pool;
mod lt;
mod map_gradient;
mod masked_fill;
mod masked_select;
mod matmul;
mod matrices;
mod max;
mod max_pool;
mod max_unpool;
mod maximum;
mod mean;
mod median;
mod meshgrid;
mod min;
mod minimum;
mod mish;
mod movedim;
mod moves;
mod mse;
mod mul;
mod ne;
mod norm;
mod one_hot;
pub(crate) mod operand;
mod outer;
mod over;
mod pad;
mod permute;
mod pixel_shuffle;
mod places;
mod pointwise;
mod pool;
mod pow;
mod prelu;
mod prod;
#[cfg(feature = "linalg")]
mod qr;
mod recip;
mod recurrence;
mod relu;
mod relu6;
mod remainder;
mod repeat_interleave;
mod resample;
mod reshape;
mod rms_norm;
mod roll;
mod round;
mod rsqrt;
mod scatter;
mod scatter_add;
mod scatter_reduce;
mod select;
mod select_scatter;
mod selu;
mod sigmoid;
mod sign;
mod silu;
mod sin;
mod sinh;
mod slice;
mod slice_scatter;
#[cfg(feature = "linalg")]
mod slogdet;
mod softmax;
mod softplus;
mod softshrink;
mod softsign;
#[cfg(feature = "linalg")]
mod solve;
#[cfg(feature = "linalg")]
mod solve_triangular;
mod sort;
mod split;
mod sqrt;
mod square;
mod squeeze;
mod stack;
mod sub;
mod sum;
#[cfg(feature = "linalg")]
mod svd;
mod tan;
mod tanh;
mod threshold;
mod tile;
mod to;
mod topk;
mod tril;
mod triu;
mod trunc;
mod unbind;
mod unfold;
mod unique;
mod unsqueeze;
mod var;
mod where_;

pub use avg_pool::AvgPoolOptions;
pub use batch_norm::BatchStatistics;
pub use classes::{CrossEntropy, Reduction};
pub use conv::{ConvOptions, Padding, Winograd};
pub use conv_transpose::ConvTransposeOptions;
pub use embedding::EmbeddingOptions;
pub use grid_sample::{GridMode, GridPadding, GridSampleOptions};
pub use im2col::Patches;
pub use interpolate::{InterpolateOptions, Interpolation};
pub use max_unpool::UnpoolOptions;
pub use pad::PadMode;
pub use pool::PoolOptions;
pub use reshape::INFER;
pub use scatter_reduce::ScatterReduce;
pub use slice::{END, End};
pub use unique::Unique;

/// The specs of all ops, file by file.
#[cfg(feature = "registry")]
pub(crate) const SPECS: &[&[OpSpec]] = &[
    abs::SPECS,
    acos::SPECS,
    acosh::SPECS,
    adaptive_avg_pool::SPECS,
    add::SPECS,
    affine::SPECS,
    any::SPECS,
    asin::SPECS,
    asinh::SPECS,
    atan::SPECS,
    atan2::SPECS,
    atanh::SPECS,
    avg_pool::SPECS,
    batch_norm::SPECS,
    batch_norm_add_relu::SPECS,
    ceil::SPECS,
    celu::SPECS,
    cholesky::SPECS,
    chunk::SPECS,
    clamp::SPECS,
    col2im::SPECS,
    concat::SPECS,
    conv::SPECS,
    conv_transpose::SPECS,
    cos::SPECS,
    cosh::SPECS,
    cross_entropy::SPECS,
    cross_entropy_soft::SPECS,
    cummax::SPECS,
    cumprod::SPECS,
    cumsum::SPECS,
    det::SPECS,
    diag_embed::SPECS,
    diagonal::SPECS,
    div::SPECS,
    dot::SPECS,
    dropout::SPECS,
    eigh::SPECS,
    einsum::SPECS,
    elu::SPECS,
    embedding::SPECS,
    eq::SPECS,
    erf::SPECS,
    erfc::SPECS,
    exp::SPECS,
    exp2::SPECS,
    expand::SPECS,
    expm1::SPECS,
    flatten::SPECS,
    flip::SPECS,
    floor::SPECS,
    fmod::SPECS,
    fold::SPECS,
    gather::SPECS,
    ge::SPECS,
    gelu::SPECS,
    gelu_tanh::SPECS,
    glu::SPECS,
    grid_sample::SPECS,
    group_norm::SPECS,
    gt::SPECS,
    hardshrink::SPECS,
    hardsigmoid::SPECS,
    hardswish::SPECS,
    hardtanh::SPECS,
    histc::SPECS,
    im2col::SPECS,
    index_add::SPECS,
    index_put::SPECS,
    index_select::SPECS,
    inverse::SPECS,
    interpolate::SPECS,
    is_finite::SPECS,
    is_inf::SPECS,
    is_nan::SPECS,
    layer_norm::SPECS,
    le::SPECS,
    leaky_relu::SPECS,
    lerp::SPECS,
    linear::SPECS,
    local_response_norm::SPECS,
    log::SPECS,
    log1p::SPECS,
    log2::SPECS,
    log_softmax::SPECS,
    logcumsumexp::SPECS,
    logical_and::SPECS,
    logical_not::SPECS,
    logical_or::SPECS,
    logical_xor::SPECS,
    logsigmoid::SPECS,
    logsumexp::SPECS,
    lp_pool::SPECS,
    lt::SPECS,
    map_gradient::SPECS,
    masked_fill::SPECS,
    masked_select::SPECS,
    matmul::SPECS,
    max::SPECS,
    max_pool::SPECS,
    max_unpool::SPECS,
    maximum::SPECS,
    mean::SPECS,
    median::SPECS,
    meshgrid::SPECS,
    min::SPECS,
    minimum::SPECS,
    mish::SPECS,
    movedim::SPECS,
    mse::SPECS,
    mul::SPECS,
    ne::SPECS,
    norm::SPECS,
    one_hot::SPECS,
    outer::SPECS,
    pad::SPECS,
    permute::SPECS,
    pixel_shuffle::SPECS,
    pow::SPECS,
    prelu::SPECS,
    prod::SPECS,
    qr::SPECS,
    recip::SPECS,
    recurrence::SPECS,
    relu::SPECS,
    relu6::SPECS,
    remainder::SPECS,
    repeat_interleave::SPECS,
    resample::SPECS,
    rms_norm::SPECS,
    reshape::SPECS,
    roll::SPECS,
    round::SPECS,
    rsqrt::SPECS,
    scatter::SPECS,
    scatter_add::SPECS,
    scatter_reduce::SPECS,
    select::SPECS,
    select_scatter::SPECS,
    selu::SPECS,
    sigmoid::SPECS,
    sign::SPECS,
    silu::SPECS,
    sin::SPECS,
    sinh::SPECS,
    slice::SPECS,
    slice_scatter::SPECS,
    slogdet::SPECS,
    softmax::SPECS,
    softplus::SPECS,
    softshrink::SPECS,
    softsign::SPECS,
    solve::SPECS,
    solve_triangular::SPECS,
    sort::SPECS,
    split::SPECS,
    sqrt::SPECS,
    square::SPECS,
    squeeze::SPECS,
    stack::SPECS,
    sub::SPECS,
    sum::SPECS,
    svd::SPECS,
    tan::SPECS,
    tanh::SPECS,
    threshold::SPECS,
    tile::SPECS,
    to::SPECS,
    topk::SPECS,
    tril::SPECS,
    triu::SPECS,
    trunc::SPECS,
    unbind::SPECS,
    unfold::SPECS,
    unique::SPECS,
    unsqueeze::SPECS,
    var::SPECS,
    where_::SPECS,
];
