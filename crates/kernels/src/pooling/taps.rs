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
        number.store(&mut wide[..T::lanes::<S>()]);
        if self.bytes.len() == self.len {
            // SAFETY: by this function's contract.
            let bytes = unsafe { self.bytes.range(at) };
            if bytes.len() == T::lanes::<S>() {
                // Of fixed length, which the compiler makes a few instructions of.
                let bytes = &mut bytes[..T::lanes::<S>()];
                for (byte, number) in bytes.iter_mut().zip(wide) {
                    *byte = number.cast();
                }
            } else {
                for (byte, number) in bytes.iter_mut().zip(wide) {
                    *byte = number.cast();
                }
            }
            return;
        }
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
