//! Pooling layers: maxima, averages and norms of windows, or of equal parts of an image.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{AvgPoolOptions, PoolOptions, Tensor};

use crate::{Layer, Pass};

macro_rules! windowed {
    ($($name:ident $method:ident $axes:literal $options:ident $doc:literal)*) => {$(
        #[doc = concat!($doc, ": see [`Tensor::", stringify!($method), "`].")]
        #[derive(Clone, Copy, Debug, PartialEq, Module)]
        #[module(crate = "backstitch_tensor", elem = "all")]
        pub struct $name {
            /// The size of a window.
            #[module(skip)]
            pub kernel: [usize; $axes],
            /// Where the windows lie; side by side by default.
            #[module(skip)]
            pub options: $options<$axes>,
        }

        impl $name {
            /// Windows that are `kernel` long along each axis, side by side.
            pub fn new(kernel: usize) -> Self {
                Self::with_options([kernel; $axes], $options::default())
            }

            /// Windows with options.
            pub fn with_options(kernel: [usize; $axes], options: $options<$axes>) -> Self {
                $name { kernel, options }
            }

            /// The output for `x`.
            ///
            /// # Panics
            /// When `x` has other axes, or no window fits.
            #[track_caller]
            pub fn forward<T: Float>(&self, x: &Tensor<T>) -> Tensor<T> {
                x.$method(self.kernel, &self.options)
            }
        }

        layer!($name);
    )*};
}

macro_rules! adaptive {
    ($($name:ident $method:ident $axes:literal $doc:literal)*) => {$(
        #[doc = concat!($doc, ": see [`Tensor::", stringify!($method), "`].")]
        #[derive(Clone, Copy, Debug, PartialEq, Module)]
        #[module(crate = "backstitch_tensor", elem = "all")]
        pub struct $name {
            /// The size of the result.
            #[module(skip)]
            pub output: [usize; $axes],
        }

        impl $name {
            /// A result that is `output` long along each axis; 1 for the whole image's.
            pub fn new(output: usize) -> Self {
                $name { output: [output; $axes] }
            }

            /// The output for `x`.
            ///
            /// # Panics
            /// When `x` has other axes, or one of length 0.
            #[track_caller]
            pub fn forward<T: Float>(&self, x: &Tensor<T>) -> Tensor<T> {
                x.$method(self.output)
            }
        }

        layer!($name);
    )*};
}

macro_rules! layer {
    ($name:ident) => {
        impl<T: Float> Layer<T> for $name {
            #[track_caller]
            fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
                self.forward(x)
            }
        }
    };
}

macro_rules! norms {
    ($($name:ident $method:ident $axes:literal $doc:literal)*) => {$(
        #[doc = concat!($doc, ": see [`Tensor::", stringify!($method), "`].")]
        #[derive(Clone, Copy, Debug, PartialEq, Module)]
        #[module(crate = "backstitch_tensor", elem = "all")]
        pub struct $name {
            /// The power.
            pub p: f64,
            /// The size of a window.
            #[module(skip)]
            pub kernel: [usize; $axes],
            /// Where the windows lie; side by side by default.
            #[module(skip)]
            pub options: PoolOptions<$axes>,
        }

        impl $name {
            /// The `p`-norms of windows that are `kernel` long along each axis, side by side.
            pub fn new(p: f64, kernel: usize) -> Self {
                Self::with_options(p, [kernel; $axes], PoolOptions::default())
            }

            /// Windows with options.
            pub fn with_options(p: f64, kernel: [usize; $axes], options: PoolOptions<$axes>) -> Self {
                $name { p, kernel, options }
            }

            /// The output for `x`.
            ///
            /// # Panics
            /// When `x` has other axes, or no window fits.
            #[track_caller]
            pub fn forward<T: Float>(&self, x: &Tensor<T>) -> Tensor<T> {
                x.$method(self.p, self.kernel, &self.options)
            }
        }

        layer!($name);
    )*};
}

norms! {
    LpPool1d lp_pool1d 1 "The norms of windows over one axis"
    LpPool2d lp_pool2d 2 "The norms of windows over two axes"
    LpPool3d lp_pool3d 3 "The norms of windows over three axes"
}

windowed! {
    MaxPool1d max_pool1d 1 PoolOptions "The largest elements of windows over one axis"
    MaxPool2d max_pool2d 2 PoolOptions "The largest elements of windows over two axes"
    MaxPool3d max_pool3d 3 PoolOptions "The largest elements of windows over three axes"
    AvgPool1d avg_pool1d 1 AvgPoolOptions "The averages of windows over one axis"
    AvgPool2d avg_pool2d 2 AvgPoolOptions "The averages of windows over two axes"
    AvgPool3d avg_pool3d 3 AvgPoolOptions "The averages of windows over three axes"
}

adaptive! {
    AdaptiveMaxPool1d adaptive_max_pool1d 1 "The largest elements of equal parts of one axis"
    AdaptiveMaxPool2d adaptive_max_pool2d 2 "The largest elements of equal parts of two axes"
    AdaptiveMaxPool3d adaptive_max_pool3d 3 "The largest elements of equal parts of three axes"
    AdaptiveAvgPool1d adaptive_avg_pool1d 1 "The averages of equal parts of one axis"
    AdaptiveAvgPool2d adaptive_avg_pool2d 2 "The averages of equal parts of two axes"
    AdaptiveAvgPool3d adaptive_avg_pool3d 3 "The averages of equal parts of three axes"
}
