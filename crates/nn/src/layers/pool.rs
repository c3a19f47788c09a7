//! Pooling layers: maxima, averages and norms of windows, or of equal parts of an image; and what
//! turns maxima back.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{AvgPoolOptions, PoolOptions, Tensor, UnpoolOptions};

use crate::{Layer, Pass};

macro_rules! windows {
    ($name:ident $method:ident $axes:literal $options:ident $doc:literal) => {
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
        }
    };
}

macro_rules! windowed {
    ($($name:ident $method:ident $axes:literal $options:ident $doc:literal)*) => {$(
        windows!($name $method $axes $options $doc);

        impl $name {
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

macro_rules! indexed {
    ($($name:ident $method:ident $($options:ident)?, $field:ident;)*) => {$(
        impl $name {
            /// The output for `x`, and the place of each element in its image, counted in row-major
            /// order over the axes behind the channels: PyTorch's `return_indices`.
            ///
            /// # Panics
            /// As `forward`.
            #[track_caller]
            pub fn forward_with_indices<T: Float>(&self, x: &Tensor<T>) -> (Tensor<T>, Tensor<i64>) {
                x.$method(self.$field $(, &self.$options)?)
            }
        }
    )*};
}

indexed! {
    MaxPool1d max_pool1d_with_indices options, kernel;
    MaxPool2d max_pool2d_with_indices options, kernel;
    MaxPool3d max_pool3d_with_indices options, kernel;
    AdaptiveMaxPool1d adaptive_max_pool1d_with_indices, output;
    AdaptiveMaxPool2d adaptive_max_pool2d_with_indices, output;
    AdaptiveMaxPool3d adaptive_max_pool3d_with_indices, output;
}

macro_rules! unpooling {
    ($($name:ident $method:ident $axes:literal $doc:literal)*) => {$(
        windows!($name $method $axes UnpoolOptions $doc);

        impl $name {
            /// The image that has the elements of `x` at these places.
            ///
            /// # Panics
            /// When the shapes do not fit, or an index lies outside of the image.
            #[track_caller]
            pub fn forward<T: Float>(&self, x: &Tensor<T>, indices: &Tensor<i64>) -> Tensor<T> {
                x.$method(indices, self.kernel, &self.options)
            }

            /// [`Self::forward`] to an image of this size, such as that of what was pooled.
            ///
            /// # Panics
            /// When the shapes do not fit, or an index lies outside of the image.
            #[track_caller]
            pub fn forward_to<T: Float>(
                &self,
                x: &Tensor<T>,
                indices: &Tensor<i64>,
                output: [usize; $axes],
            ) -> Tensor<T> {
                let options = UnpoolOptions { output: Some(output), ..self.options };
                $name { options, ..*self }.forward(x, indices)
            }
        }
    )*};
}

unpooling! {
    MaxUnpool1d max_unpool1d 1 "Largest elements back at their places on one axis"
    MaxUnpool2d max_unpool2d 2 "Largest elements back at their places on two axes"
    MaxUnpool3d max_unpool3d 3 "Largest elements back at their places on three axes"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PyTorch's documentation of `MaxUnpool2d` has these numbers.
    #[test]
    fn a_pooling_is_turned_back_to_its_size() {
        let x = Tensor::from_vec((1..=20).map(f64::from).collect(), [1, 1, 4, 5]);
        let (y, indices) = MaxPool2d::new(2).forward_with_indices(&x);
        assert_eq!(indices.to_vec(), [6, 8, 16, 18]);
        let unpool = MaxUnpool2d::new(2);
        let near = Tensor::from_vec(vec![1i64, 3, 9, 11], [1, 1, 2, 2]);
        assert_eq!(unpool.forward(&y, &near).shape(), [1, 1, 4, 4]);
        let back = unpool.forward_to(&y, &indices, [4, 5]);
        let kept = |x: f64| if [7.0, 9.0, 17.0, 19.0].contains(&x) { x } else { 0.0 };
        assert_eq!(back.to_vec(), x.to_vec().into_iter().map(kept).collect::<Vec<_>>());
    }

    #[test]
    fn adaptive_layers_have_indices() {
        let x = Tensor::from([[[1.0, 3.0, 2.0, 0.0]]]);
        let (y, indices) = AdaptiveMaxPool1d::new(2).forward_with_indices(&x);
        assert_eq!((y.to_vec(), indices.to_vec()), (vec![3.0, 2.0], vec![1, 2]));
    }
}
