//! [`InstanceNorm1d`], [`InstanceNorm2d`], [`InstanceNorm3d`]: normalise each channel of each
//! sample.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{Param, Tensor};

use crate::{Layer, Pass};

macro_rules! layers {
    ($($name:ident $rank:literal $shape:literal)*) => {$(
        /// Normalises each channel of each sample over its places. Without scale and shift unless
        /// asked for, as in PyTorch; running statistics are not kept.
        ///
        /// # Shape
        #[doc = concat!("`x ", $shape, "` to the same shape.")]
        ///
        /// # Reference
        /// Ulyanov et al. 2016.
        #[derive(Clone, Debug, Module)]
        #[module(crate = "backstitch_tensor")]
        pub struct $name<T: Float = f32> {
            /// The scale `(C)`. Starts at 1.
            pub weight: Option<Param<T>>,
            /// The shift `(C)`. Starts at 0.
            pub bias: Option<Param<T>>,
            /// Keeps the division finite. 1e-5 by default.
            #[module(skip)]
            pub eps: f64,
        }

        impl<T: Float> $name<T> {
            /// A layer for `channels` channels, with PyTorch's defaults: an `eps` of 1e-5, neither
            /// scale nor shift.
            pub fn new(channels: usize) -> Self {
                Self::with_options(channels, 1e-5, false)
            }

            /// A layer with another `eps`, or with scale and shift.
            pub fn with_options(channels: usize, eps: f64, affine: bool) -> Self {
                let param = |value| affine.then(|| Param::new(Tensor::full([channels], value)));
                $name { weight: param(T::ONE), bias: param(T::ZERO), eps }
            }

            /// The output for `x`.
            ///
            /// # Panics
            /// When `x` has other axes or another number of channels.
            #[track_caller]
            pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
                assert!(
                    x.rank() == $rank,
                    concat!(stringify!($name), ": needs ", $shape, "; got {:?}"),
                    x.shape()
                );
                x.instance_norm(self.weight.as_deref(), self.bias.as_deref(), self.eps)
            }
        }

        impl<T: Float> Layer<T> for $name<T> {
            #[track_caller]
            fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
                self.forward(x)
            }
        }
    )*};
}

layers! {
    InstanceNorm1d 3 "(N, C, T)"
    InstanceNorm2d 4 "(N, C, H, W)"
    InstanceNorm3d 5 "(N, C, D, H, W)"
}
