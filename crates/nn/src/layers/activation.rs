//! Activations as layers, for [`Sequential`](crate::Sequential) and tuples.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::Tensor;

use crate::{Layer, Pass};

/// A layer without parameters for a method of `Tensor`.
macro_rules! activations {
    ($($name:ident $(($field:ident: $kind:ty))? => |$x:ident| $y:expr, $method:literal;)+) => {$(
        #[doc = concat!("[`Tensor::", $method, "`] as a layer.")]
        #[derive(Clone, Copy, Debug, PartialEq, Module)]
        #[module(crate = "backstitch_tensor", elem = "all")]
        pub struct $name $((
            #[doc = concat!("The argument of [`Tensor::", $method, "`].")]
            pub $kind,
        ))?;

        impl<T: Float> Layer<T> for $name {
            #[track_caller]
            fn forward(&self, $x: &Tensor<T>, _: &Pass) -> Tensor<T> {
                $(let $name($field) = *self;)?
                $y
            }
        }
    )+};
}

activations! {
    Elu(alpha: f64) => |x| x.elu(T::from_f64(alpha)), "elu";
    Gelu => |x| x.gelu(), "gelu";
    GeluTanh => |x| x.gelu_tanh(), "gelu_tanh";
    Hardswish => |x| x.hardswish(), "hardswish";
    LeakyRelu(slope: f64) => |x| x.leaky_relu(T::from_f64(slope)), "leaky_relu";
    LogSoftmax(dim: isize) => |x| x.log_softmax(dim), "log_softmax";
    Mish => |x| x.mish(), "mish";
    Relu => |x| x.relu(), "relu";
    Selu => |x| x.selu(), "selu";
    Sigmoid => |x| x.sigmoid(), "sigmoid";
    Silu => |x| x.silu(), "silu";
    Softmax(dim: isize) => |x| x.softmax(dim), "softmax";
    Softplus => |x| x.softplus(), "softplus";
    Tanh => |x| x.tanh(), "tanh";
}

impl Default for Elu {
    /// The limit at -∞ is -1 (PyTorch).
    fn default() -> Self {
        Elu(1.0)
    }
}

impl Default for LeakyRelu {
    /// A slope of 0.01 (PyTorch).
    fn default() -> Self {
        LeakyRelu(0.01)
    }
}
