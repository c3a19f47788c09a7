//! Arrays made element by element, in loops that cost the compiler little.
//!
//! `std::array::from_fn` and `<[T; N]>::map` are made for closures that may panic and for elements
//! that may need dropping. Inlined into every vector loop, type and instruction set, their guards
//! were a third of all the code that the optimiser had to remove again.

use std::mem::MaybeUninit;

/// `[f(0), f(1), ...]`
#[inline(always)]
pub(crate) fn from_fn<V: Copy, const N: usize>(f: impl Fn(usize) -> V) -> [V; N] {
    let mut out = [const { MaybeUninit::<V>::uninit() }; N];
    if const { N <= 3 } {
        // Without a loop that the compiler would have to unroll.
        if const { N > 0 } {
            out[0] = MaybeUninit::new(f(0));
        }
        if const { N > 1 } {
            out[1] = MaybeUninit::new(f(1));
        }
        if const { N > 2 } {
            out[2] = MaybeUninit::new(f(2));
        }
    } else {
        let mut i = 0;
        while i < N {
            out[i] = MaybeUninit::new(f(i));
            i += 1;
        }
    }
    // SAFETY: all N elements have just been written, and `MaybeUninit<V>` is laid out like `V`.
    unsafe { out.as_ptr().cast::<[V; N]>().read() }
}

/// `[f(x[0]), f(x[1]), ...]`
#[inline(always)]
pub(crate) fn map<U: Copy, V: Copy, const N: usize>(x: [U; N], f: impl Fn(U) -> V) -> [V; N] {
    from_fn(
        #[inline(always)]
        |i| f(x[i]),
    )
}
