//! Numbers of taps in memory: a byte each where windows have up to 255 taps, else three.

use std::ops::Range;

use pulp::Simd;

use super::Pool;
use crate::disjoint::Disjoint;
use crate::element::Float;
use crate::simd::Vector;

/// At least the lanes of any register.
const LANES_MAX: usize = 16;

impl Pool {
    /// The bytes in which the taps of all windows are kept.
    ///
    /// Byte p of the number of tap i lies at `p * output_len + i`, least significant byte first;
    /// all bits are set in that of a window without a place in the input.
    pub fn taps_len(&self) -> usize {
        self.tap_bytes() * self.output_len()
    }

    /// Bytes of a tap's number.
    fn tap_bytes(&self) -> usize {
        if self.taps().iter().product::<usize>() <= 255 { 1 } else { 3 }
    }

    /// What stands for no tap.
    pub(super) fn no_tap(&self) -> usize {
        (1 << (8 * self.tap_bytes())) - 1
    }
}

/// Numbers to read.
#[derive(Clone, Copy)]
pub(super) struct Taps<'a> {
    bytes: &'a [u8],
    len: usize,
}

impl<'a> Taps<'a> {
    pub(super) fn new(pool: &Pool, bytes: &'a [u8]) -> Self {
        Taps { bytes, len: pool.output_len() }
    }

    pub(super) fn get(&self, at: usize) -> usize {
        let bytes = self.bytes[at..].iter().step_by(self.len).enumerate();
        bytes.map(|(place, &byte)| usize::from(byte) << (8 * place)).sum()
    }

    /// As floats; at most a register.
    #[inline(always)]
    pub(super) fn load<T: Float, S: Simd>(&self, simd: S, at: Range<usize>) -> Vector<T, S> {
        let mut number = widened(simd, &self.bytes[at.clone()]);
        let (mut start, mut factor) = (at.start + self.len, 256.0);
        while start < self.bytes.len() {
            let byte: Vector<T, S> = widened(simd, &self.bytes[start..start + at.len()]);
            number = byte.mul_add(Vector::constant(simd, factor), number);
            (start, factor) = (start + self.len, factor * 256.0);
        }
        number
    }
}

/// Numbers to write.
pub(super) struct TapsMut<'a> {
    bytes: Disjoint<'a, u8>,
    len: usize,
}

impl<'a> TapsMut<'a> {
    pub(super) fn new(pool: &Pool, bytes: &'a mut [u8]) -> Self {
        TapsMut { bytes: Disjoint::new(bytes), len: pool.output_len() }
    }

    /// Stores as many numbers as `at` has, at most a register.
    ///
    /// # Safety
    /// Nobody else uses the numbers of `at`.
    #[inline(always)]
    pub(super) unsafe fn store<T: Float, S: Simd>(&self, number: Vector<T, S>, at: Range<usize>) {
        let mut wide = [T::ZERO; LANES_MAX];
        if self.bytes.len() == self.len {
            // SAFETY: by this function's contract.
            let bytes = unsafe { self.bytes.range(at) };
            // 2^p, p the mantissa's bits, brings the number to the lowest bits.
            (number + number.same(T::TWO_MANTISSA)).store(&mut wide[..T::lanes::<S>()]);
            #[cfg(target_arch = "x86_64")]
            if const { size_of::<T>() == 4 && S::F32_LANES == 16 } && bytes.len() == 16 {
                // SAFETY: both sides have 16 elements, of 4 bytes and of one; an instruction set
                // with registers of 16 lanes is AVX-512.
                return unsafe { store_lowest(wide.as_ptr().cast(), bytes.as_mut_ptr()) };
            }
            for (byte, number) in bytes.iter_mut().zip(wide) {
                *byte = number.to_bits_u64() as u8;
            }
            return;
        }
        number.store(&mut wide[..T::lanes::<S>()]);
        let (mut start, mut shift) = (at.start, 0);
        while start < self.bytes.len() {
            // SAFETY: as above.
            let bytes = unsafe { self.bytes.range(start..start + at.len()) };
            for (byte, number) in bytes.iter_mut().zip(wide) {
                *byte = (number.cast::<i64>() >> shift) as u8;
            }
            (start, shift) = (start + self.len, shift + 8);
        }
    }
}

/// Stores the lowest bytes of 16 words: one instruction, of which the compiler makes sixteen.
///
/// # Safety
/// `words` points to 16 words, `bytes` to 16 bytes that may be written.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn store_lowest(words: *const i32, bytes: *mut u8) {
    use std::arch::x86_64::{_mm_storeu_si128, _mm512_cvtepi32_epi8, _mm512_loadu_si512};
    // SAFETY: by this function's contract.
    unsafe {
        let words = _mm512_loadu_si512(words.cast());
        _mm_storeu_si128(bytes.cast(), _mm512_cvtepi32_epi8(words));
    }
}

/// Up to a register of bytes as floats, and zeros behind.
#[inline(always)]
fn widened<T: Float, S: Simd>(simd: S, bytes: &[u8]) -> Vector<T, S> {
    let mut wide = [T::ZERO; LANES_MAX];
    if bytes.len() == T::lanes::<S>() {
        for (wide, &byte) in wide.iter_mut().zip(&bytes[..T::lanes::<S>()]) {
            *wide = T::from_u8(byte);
        }
    } else {
        for (wide, &byte) in wide.iter_mut().zip(bytes) {
            *wide = T::from_u8(byte);
        }
    }
    Vector::load(simd, &wide[..T::lanes::<S>()])
}
