//! [`Dropout1d`], [`Dropout2d`], [`Dropout3d`]: zero whole channels at random while training.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::Tensor;

use crate::{Layer, Pass};

macro_rules! layers {
    ($($name:ident $rank:literal $shape:literal)*) => {$(
        /// Zeroes each channel of each sample with probability `p` while training, and divides the
        /// others by `1 - p`.
        ///
        /// # Shape
        #[doc = concat!("`x ", $shape, "` to the same shape.")]
        ///
        /// # Reference
        /// Tompson et al. 2015, section 3.2.
        #[derive(Clone, Copy, Debug, PartialEq, Module)]
        #[module(crate = "backstitch_tensor", elem = "all")]
        pub struct $name {
            /// The probability of zeroing, from 0 to 1.
            pub p: f64,
        }

        impl $name {
            /// Dropout of channels with probability `p`.
            ///
            /// # Panics
            /// When `p` is not from 0 to 1.
            #[track_caller]
            pub fn new(p: f64) -> Self {
                assert!((0.0..=1.0).contains(&p), "dropout: needs a probability from 0 to 1; got {p}");
                $name { p }
            }

            /// The output for `x`. Each call in a pass drops other channels.
            ///
            /// # Panics
            /// When `x` has other axes.
            #[track_caller]
            pub fn forward<T: Float>(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
                assert!(
                    x.rank() == $rank,
                    concat!(stringify!($name), ": needs ", $shape, "; got {:?}"),
                    x.shape()
                );
                if !pass.is_train() || self.p == 0.0 {
                    return x.clone();
                }
                let mut shape = vec![1; x.rank()];
                shape[..2].copy_from_slice(&x.shape()[..2]);
                x * Tensor::<T>::ones(shape).dropout(self.p, pass.draw_seed())
            }
        }

        impl<T: Float> Layer<T> for $name {
            #[track_caller]
            fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
                self.forward(x, pass)
            }
        }
    )*};
}

layers! {
    Dropout1d 3 "(N, C, T)"
    Dropout2d 4 "(N, C, H, W)"
    Dropout3d 5 "(N, C, D, H, W)"
}
