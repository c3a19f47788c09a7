//! Element-wise maps over views: arithmetic, elementary functions, activations, comparisons.
//!
//! Every function takes its inputs as [`crate::View`]s of the output's shape (stride 0 where an
//! input is broadcast) and overwrites a contiguous output. All panic if shapes differ or do not
//! hold as many elements as the output.

mod activation;
mod arithmetic;
mod backward;
mod compare;
pub mod map;
mod unary;

pub use activation::*;
pub use arithmetic::*;
pub use backward::*;
pub use compare::*;
pub use unary::*;

/// Defines maps of one input, each with its in-place form.
macro_rules! unary_maps {
    ($(
        $(#[$doc:meta])*
        $name:ident $assign:ident $op:ident($($param:ident),*) $cost:ident |$x:ident| $body:expr;
    )*) => {$(
        #[derive(Clone, Copy)]
        struct $op<T> {
            $($param: T,)*
            of: std::marker::PhantomData<T>,
        }

        impl<T: Float> MapOp<T, 1> for $op<T> {
            const COST: usize = cost::$cost;

            #[inline(always)]
            fn apply<S: Simd>(self, [$x]: [Vector<T, S>; 1]) -> Vector<T, S> {
                $(let $param = $x.same(self.$param);)*
                $body
            }
        }

        $(#[$doc])*
        #[track_caller]
        pub fn $name<T: Float>(x: View<'_, T>, $($param: T,)* y: &mut [T]) {
            #[track_caller]
            fn kernel<T: Float>(x: View<'_, T>, $($param: T,)* y: &mut [T]) {
                map($op { $($param,)* of: std::marker::PhantomData }, [Input::View(x)], y);
            }
            per_float!(T: kernel(x: View<'_, T>, $($param: T,)* y: &mut [T]))
        }

        #[doc = concat!("[`", stringify!($name), "`] in place.")]
        pub fn $assign<T: Float>(y: &mut [T] $(, $param: T)*) {
            fn kernel<T: Float>(y: &mut [T] $(, $param: T)*) {
                map($op { $($param,)* of: std::marker::PhantomData }, [Input::Output], y);
            }
            per_float!(T: kernel(y: &mut [T] $(, $param: T)*))
        }
    )*};
}

/// Defines maps of two inputs, each with the form that overwrites the first.
macro_rules! binary_maps {
    ($(
        $(#[$doc:meta])*
        $name:ident $assign:ident $op:ident($($param:ident),*) $cost:ident
        |$a:ident, $b:ident| $body:expr;
    )*) => {$(
        #[derive(Clone, Copy)]
        struct $op<T> {
            $($param: T,)*
            of: std::marker::PhantomData<T>,
        }

        impl<T: Float> MapOp<T, 2> for $op<T> {
            const COST: usize = cost::$cost;

            #[inline(always)]
            fn apply<S: Simd>(self, [$a, $b]: [Vector<T, S>; 2]) -> Vector<T, S> {
                $(let $param = $a.same(self.$param);)*
                $body
            }
        }

        $(#[$doc])*
        #[track_caller]
        pub fn $name<T: Float>($a: View<'_, T>, $b: View<'_, T>, $($param: T,)* y: &mut [T]) {
            #[track_caller]
            fn kernel<T: Float>($a: View<'_, T>, $b: View<'_, T>, $($param: T,)* y: &mut [T]) {
                let op = $op { $($param,)* of: std::marker::PhantomData };
                map(op, [Input::View($a), Input::View($b)], y);
            }
            per_float!(T: kernel($a: View<'_, T>, $b: View<'_, T>, $($param: T,)* y: &mut [T]))
        }

        #[doc = concat!("[`", stringify!($name), "`] with the output's old content as first input.")]
        #[track_caller]
        pub fn $assign<T: Float>(y: &mut [T], $b: View<'_, T> $(, $param: T)*) {
            #[track_caller]
            fn kernel<T: Float>(y: &mut [T], $b: View<'_, T> $(, $param: T)*) {
                let op = $op { $($param,)* of: std::marker::PhantomData };
                map(op, [Input::Output, Input::View($b)], y);
            }
            per_float!(T: kernel(y: &mut [T], $b: View<'_, T> $(, $param: T)*))
        }
    )*};
}

/// Defines maps of two inputs by scalar functions, each with the form that overwrites the first.
macro_rules! scalar_binary_maps {
    ($($(#[$doc:meta])* $name:ident $assign:ident $f:expr;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $name<T: Float>(a: View<'_, T>, b: View<'_, T>, y: &mut [T]) {
            #[track_caller]
            fn kernel<T: Float>(a: View<'_, T>, b: View<'_, T>, y: &mut [T]) {
                map_scalar(|[a, b]| $f(a, b), [Input::View(a), Input::View(b)], y);
            }
            per_float!(T: kernel(a: View<'_, T>, b: View<'_, T>, y: &mut [T]))
        }

        #[doc = concat!("[`", stringify!($name), "`] with the output's old content as first input.")]
        #[track_caller]
        pub fn $assign<T: Float>(y: &mut [T], b: View<'_, T>) {
            #[track_caller]
            fn kernel<T: Float>(y: &mut [T], b: View<'_, T>) {
                map_scalar(|[a, b]| $f(a, b), [Input::Output, Input::View(b)], y);
            }
            per_float!(T: kernel(y: &mut [T], b: View<'_, T>))
        }
    )*};
}

use {binary_maps, scalar_binary_maps, unary_maps};

#[cfg(test)]
mod tests;
