//! The ops: one file each, with its documentation, its derivatives and its specs.
//!
//! This file lists them and nothing else. An op is added with a file, a `mod` line and a line in
//! [`SPECS`]; the tidy test finds what is missing.

use crate::spec::OpSpec;

mod add;
mod affine;
mod binary;
mod concat;
mod div;
mod exp;
mod expand;
mod extreme;
mod gather;
mod linear;
mod matmul;
mod max;
mod mean;
mod min;
mod mul;
mod permute;
mod relu;
mod reshape;
mod slice;
mod softmax;
mod sub;
mod sum;

/// The specs of all ops, file by file.
pub(crate) const SPECS: &[&[OpSpec]] = &[
    add::SPECS,
    affine::SPECS,
    concat::SPECS,
    div::SPECS,
    exp::SPECS,
    expand::SPECS,
    gather::SPECS,
    linear::SPECS,
    matmul::SPECS,
    max::SPECS,
    mean::SPECS,
    min::SPECS,
    mul::SPECS,
    permute::SPECS,
    relu::SPECS,
    reshape::SPECS,
    slice::SPECS,
    softmax::SPECS,
    sub::SPECS,
    sum::SPECS,
];
