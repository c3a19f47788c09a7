//! Activations as layers, for [`Sequential`](crate::Sequential) and tuples.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::Tensor;

use crate::{Layer, Pass};

/// A layer without parameters for each method of `Tensor`.
macro_rules! activations {
    ($($name:ident $(($field:ident: $kind:ty))? => $method:ident, $doc:literal;)+) => {$(
        #[doc = $doc]
        #[doc = concat!(" As a layer; see [`Tensor::", stringify!($method), "`].")]
        #[derive(Clone, Copy, Debug, PartialEq, Module)]
        #[module(crate = "backstitch_tensor", elem = "all")]
        pub struct $name $((
            #[doc = concat!("The argument of [`Tensor::", stringify!($method), "`].")]
            pub $kind,
        ))?;

        impl<T: Float> Layer<T> for $name {
            #[track_caller]
            fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
                $(let $name($field) = *self;)?
                x.$method($($field)?)
            }
        }
    )+};
}

activations! {
    Relu => relu, "Rectified linear unit.";
    Softmax(dim: isize) => softmax, "Softmax along an axis.";
}
