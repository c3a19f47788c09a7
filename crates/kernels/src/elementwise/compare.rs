//! Comparisons, logic, selection and conversion: maps between element types.

use std::slice;

use super::map::Strided;
use crate::element::{Element, Float, per_element, per_float};
use crate::view::{View, common_shape};
use crate::{arch, par};

/// Elements per block on the stack, per task, and estimated picoseconds per element.
const BLOCK: usize = 256;
const TASK: usize = 64 * BLOCK;
const COST_PS: usize = 300;

/// `y[i] = f(x[i])`, compiled for the instruction set at hand.
#[inline(always)]
#[track_caller]
fn convert<A: Element, B: Element>(x: View<'_, A>, y: &mut [B], f: impl Fn(A) -> B + Copy + Sync) {
    zip(x, View::scalar(&false), y, move |x, _| f(x));
}

/// `y[i] = f(a[i], b[i])`, compiled for the instruction set at hand.
#[inline(always)]
#[track_caller]
fn zip<A: Element, B: Element, C: Element>(
    a: View<'_, A>,
    b: View<'_, B>,
    y: &mut [C],
    f: impl Fn(A, B) -> C + Copy + Sync,
) {
    drive(a, b, y, &Zip(f));
}

struct Zip<F>(F);

impl<A: Element, B: Element, C: Element, F: Fn(A, B) -> C + Copy + Sync> Run<A, B, C> for Zip<F> {
    fn run(&self, a: &[A], b: &[B], y: &mut [C]) {
        arch::inlined_narrow(
            #[inline(always)]
            || zip_block(a, b, y, self.0),
        );
    }
}

/// The loop of [`zip`], a function of slices because only function arguments tell the compiler
/// that they do not overlap.
#[inline(always)]
fn zip_block<A: Copy, B: Copy, C>(a: &[A], b: &[B], y: &mut [C], f: impl Fn(A, B) -> C) {
    for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
        *y = f(a, b);
    }
}

/// What fills a block of results from blocks of operands of the same length: a trait of its own,
/// because the compiler makes each `dyn Fn` twice.
trait Run<A, B, C>: Sync {
    fn run(&self, a: &[A], b: &[B], y: &mut [C]);
}

/// Feeds `body` with all elements in blocks: once per combination of types, not per function.
#[track_caller]
fn drive<A: Element, B: Element, C: Element>(
    a: View<'_, A>,
    b: View<'_, B>,
    y: &mut [C],
    body: &dyn Run<A, B, C>,
) {
    common_shape(y.len(), &[a.strides(), b.strides()]);
    let (a, b) = (Operand::new(a, y.len()), Operand::new(b, y.len()));
    let work_ns = y.len() * COST_PS / 1000;
    par::chunks_mut(y, TASK, work_ns, |index, y| {
        let start = index * TASK;
        if let (Operand::Slice(a), Operand::Slice(b)) = (&a, &b) {
            let range = start..start + y.len();
            return body.run(&a[range.clone()], &b[range], y);
        }
        let (mut buffer_a, mut buffer_b) = ([A::default(); BLOCK], [B::default(); BLOCK]);
        for (block, y) in y.chunks_mut(BLOCK).enumerate() {
            let start = start + block * BLOCK;
            let a = a.block(start, &mut buffer_a[..y.len()]);
            let b = b.block(start, &mut buffer_b[..y.len()]);
            body.run(a, b, y);
        }
    });
}

/// An input, read in place if it is contiguous.
#[expect(clippy::large_enum_variant, reason = "one per call, on the stack")]
enum Operand<'a, T: Element> {
    Slice(&'a [T]),
    Strided(Strided<'a, T>),
}

impl<'a, T: Element> Operand<'a, T> {
    #[track_caller]
    fn new(view: View<'a, T>, len: usize) -> Self {
        match view.as_slice() {
            Some(slice) => Operand::Slice(slice),
            None => Operand::Strided(Strided::new(view, len)),
        }
    }

    /// The elements from the `start`-th on, as many as the buffer has.
    #[inline(always)]
    fn block<'b>(&'b self, start: usize, buffer: &'b mut [T]) -> &'b [T] {
        match self {
            Operand::Slice(slice) => &slice[start..start + buffer.len()],
            Operand::Strided(strided) => {
                strided.copy_to(start, buffer);
                buffer
            }
        }
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $op:tt;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $name<T: Element>(a: View<'_, T>, b: View<'_, T>, y: &mut [bool]) {
            #[track_caller]
            fn kernel<T: Element>(a: View<'_, T>, b: View<'_, T>, y: &mut [bool]) {
                zip(a, b, y, |a, b| a $op b);
            }
            per_element!(T: kernel(a: View<'_, T>, b: View<'_, T>, y: &mut [bool]))
        }
    )*};
}

comparisons! {
    /// `y = a == b`; false if either is NaN.
    equal ==;
    /// `y = a != b`; true if either is NaN.
    not_equal !=;
    /// `y = a < b`; false if either is NaN.
    less <;
    /// `y = a <= b`; false if either is NaN.
    less_equal <=;
    /// `y = a > b`; false if either is NaN.
    greater >;
    /// `y = a >= b`; false if either is NaN.
    greater_equal >=;
}

/// `y = a && b`
#[track_caller]
pub fn logical_and(a: View<'_, bool>, b: View<'_, bool>, y: &mut [bool]) {
    zip(a, b, y, |a, b| a & b);
}

/// `y = a || b`
#[track_caller]
pub fn logical_or(a: View<'_, bool>, b: View<'_, bool>, y: &mut [bool]) {
    zip(a, b, y, |a, b| a | b);
}

/// `y = a != b`: exactly one of them.
#[track_caller]
pub fn logical_xor(a: View<'_, bool>, b: View<'_, bool>, y: &mut [bool]) {
    zip(a, b, y, |a, b| a ^ b);
}

/// `y = !x`
#[track_caller]
pub fn logical_not(x: View<'_, bool>, y: &mut [bool]) {
    convert(x, y, |x| !x);
}

/// Whether each element is NaN.
#[track_caller]
pub fn is_nan<T: Float>(x: View<'_, T>, y: &mut [bool]) {
    not_equal(x, x, y);
}

/// Whether each element is neither infinite nor NaN.
#[track_caller]
pub fn is_finite<T: Float>(x: View<'_, T>, y: &mut [bool]) {
    #[track_caller]
    fn kernel<T: Float>(x: View<'_, T>, y: &mut [bool]) {
        convert(x, y, |x| x.abs() <= T::MAX);
    }
    per_float!(T: kernel(x: View<'_, T>, y: &mut [bool]))
}

/// Whether each element is infinite, of either sign.
#[track_caller]
pub fn is_infinite<T: Float>(x: View<'_, T>, y: &mut [bool]) {
    #[track_caller]
    fn kernel<T: Float>(x: View<'_, T>, y: &mut [bool]) {
        convert(x, y, |x| x.abs() == T::INFINITY);
    }
    per_float!(T: kernel(x: View<'_, T>, y: &mut [bool]))
}

/// `y = a` where the mask is set, else b. What is not chosen may be NaN.
#[track_caller]
pub fn select<T: Element>(mask: View<'_, bool>, a: View<'_, T>, b: View<'_, T>, y: &mut [T]) {
    #[track_caller]
    fn kernel<T: Element>(mask: View<'_, bool>, a: View<'_, T>, b: View<'_, T>, y: &mut [T]) {
        common_shape(y.len(), &[mask.strides(), a.strides(), b.strides()]);
        let len = y.len();
        let (mask, a, b) = (Operand::new(mask, len), Operand::new(a, len), Operand::new(b, len));
        let work_ns = len * COST_PS / 1000;
        par::chunks_mut(y, TASK, work_ns, |index, y| {
            let mut buffer_mask = [false; BLOCK];
            let mut buffers = [[T::default(); BLOCK]; 2];
            let [buffer_a, buffer_b] = &mut buffers;
            for (block, y) in y.chunks_mut(BLOCK).enumerate() {
                let start = index * TASK + block * BLOCK;
                let mask = mask.block(start, &mut buffer_mask[..y.len()]);
                let a = a.block(start, &mut buffer_a[..y.len()]);
                let b = b.block(start, &mut buffer_b[..y.len()]);
                arch::inlined_narrow(
                    #[inline(always)]
                    || select_block(mask, a, b, y),
                );
            }
        });
    }
    per_element!(T: kernel(mask: View<'_, bool>, a: View<'_, T>, b: View<'_, T>, y: &mut [T]))
}

/// [`select`] by bits, which is vectorised where a choice between values would be a branch.
#[inline(always)]
fn select_block<T: Element>(mask: &[bool], a: &[T], b: &[T], y: &mut [T]) {
    let len = y.len();
    assert!(mask.len() == len && a.len() == len && b.len() == len);
    let (a, b, y) = (a.as_ptr(), b.as_ptr(), y.as_mut_ptr());
    macro_rules! select_bits {
        ($bits:ty) => {{
            // SAFETY: the integers have the size and alignment of T, and all slices hold `len`
            // elements. What is written has the bits of one of two values of T.
            let (a, b, y) = unsafe {
                (
                    slice::from_raw_parts(a.cast::<$bits>(), len),
                    slice::from_raw_parts(b.cast::<$bits>(), len),
                    slice::from_raw_parts_mut(y.cast::<$bits>(), len),
                )
            };
            for i in 0..len {
                let all = <$bits>::from(mask[i]).wrapping_neg();
                y[i] = (a[i] & all) | (b[i] & !all);
            }
        }};
    }
    match size_of::<T>() {
        1 => select_bits!(u8),
        4 => select_bits!(u32),
        8 => select_bits!(u64),
        size => unreachable!("no element has {size} bytes"),
    }
}

/// Converts between element types as [`Element::cast`] does.
#[track_caller]
pub fn cast<A: Element, B: Element>(x: View<'_, A>, y: &mut [B]) {
    convert(x, y, A::cast::<B>);
}
