//! Backstitch trains neural networks on CPUs, from Rust.
