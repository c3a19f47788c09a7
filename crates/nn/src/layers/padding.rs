//! Padding layers: images continued beyond their edges by a number, or by their own elements.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{PadMode, Tensor};

use crate::{Layer, Pass};

macro_rules! paddings {
    ($($name:ident $axes:literal [$($value:ident)?] $mode:expr, $doc:literal;)*) => {$(
        #[doc = concat!($doc, ": see [`Tensor::pad`].")]
        #[derive(Clone, Copy, Debug, PartialEq, Module)]
        #[module(crate = "backstitch_tensor", elem = "all")]
        pub struct $name {
            /// How many elements come before and after each of the last axes, in their order; a
            /// negative number cuts elements off.
            #[module(skip)]
            pub pads: [(isize, isize); $axes],
            $(
                /// The number that is put there.
                #[module(skip)]
                pub $value: f64,
            )?
        }

        impl $name {
            /// As many elements on all sides.
            pub fn new(padding: isize $(, $value: f64)?) -> Self {
                $name { pads: [(padding, padding); $axes] $(, $value)? }
            }

            /// The output for `x`.
            ///
            /// # Panics
            /// When `x` has too few axes, or less than is cut off.
            #[track_caller]
            pub fn forward<T: Float>(&self, x: &Tensor<T>) -> Tensor<T> {
                $(let $value = T::from_f64(self.$value);)?
                x.pad(self.pads, $mode)
            }
        }

        impl<T: Float> Layer<T> for $name {
            #[track_caller]
            fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
                self.forward(x)
            }
        }
    )*};
}

paddings! {
    ZeroPad1d 1 [] PadMode::Constant(T::ZERO), "Zeros around the last axis";
    ZeroPad2d 2 [] PadMode::Constant(T::ZERO), "Zeros around the last two axes";
    ZeroPad3d 3 [] PadMode::Constant(T::ZERO), "Zeros around the last three axes";
    ConstantPad1d 1 [value] PadMode::Constant(value), "A number around the last axis";
    ConstantPad2d 2 [value] PadMode::Constant(value), "A number around the last two axes";
    ConstantPad3d 3 [value] PadMode::Constant(value), "A number around the last three axes";
    ReflectionPad1d 1 [] PadMode::Reflect, "The last axis, mirrored at its outer elements";
    ReflectionPad2d 2 [] PadMode::Reflect, "The last two axes, mirrored at their outer elements";
    ReflectionPad3d 3 [] PadMode::Reflect, "The last three axes, mirrored at their outer elements";
    ReplicationPad1d 1 [] PadMode::Replicate, "The outer elements of the last axis, repeated";
    ReplicationPad2d 2 [] PadMode::Replicate, "The outer elements of the last two axes, repeated";
    ReplicationPad3d 3 [] PadMode::Replicate, "The outer elements of the last three axes, repeated";
    CircularPad1d 1 [] PadMode::Circular, "The last axis, from its other end on";
    CircularPad2d 2 [] PadMode::Circular, "The last two axes, from their other ends on";
    CircularPad3d 3 [] PadMode::Circular, "The last three axes, from their other ends on";
}
