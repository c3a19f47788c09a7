//! Size classes: four to each power of two, in units of one 64-byte line.

/// Bytes in a line: the unit of every size and the alignment of every block.
pub(super) const LINE: usize = 64;

/// How many classes there are: enough for any size that fits in `isize`.
pub(super) const COUNT: usize = 4 * (usize::BITS as usize - 8);

/// A size class, by its place in the list of all classes.
///
/// Classes 0 to 3 hold 1 to 4 lines; from there each power of two has four: 5, 6, 7, 8 lines,
/// then 10, 12, 14, 16, and so on. At most a fifth of a block is slack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Class(u8);

impl Class {
    /// The smallest class that holds `len` elements; `None` for no elements.
    ///
    /// # Panics
    /// When the size in bytes does not fit in `isize`.
    #[inline]
    #[track_caller]
    pub(super) fn of<T>(len: usize) -> Option<Self> {
        let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= BYTES_MAX);
        let Some(bytes) = bytes else { too_large(len, size_of::<T>()) };
        if bytes == 0 {
            return None;
        }
        let last = (bytes - 1) / LINE;
        if last < 4 {
            return Some(Self(last as u8));
        }
        let shift = last.ilog2() - 2;
        let quarter = (last >> shift) - 4;
        Some(Self((4 + 4 * shift as usize + quarter) as u8))
    }

    /// The class at a place in the list.
    pub(super) fn at(index: usize) -> Self {
        assert!(index < COUNT, "size class {index} out of {COUNT}");
        Self(index as u8)
    }

    /// The place in the list of classes, below [`COUNT`].
    #[inline]
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The size of a block of this class.
    #[inline]
    pub(super) fn bytes(self) -> usize {
        let index = self.index();
        if index < 4 {
            return (index + 1) * LINE;
        }
        let shift = (index - 4) / 4;
        let quarter = (index - 4) % 4;
        ((quarter + 5) << shift) * LINE
    }
}

/// The largest request: leaves room for rounding up to a class within `isize`.
const BYTES_MAX: usize = isize::MAX as usize / 2;

#[cold]
#[track_caller]
fn too_large(len: usize, size: usize) -> ! {
    panic!("buffer: needs at most {BYTES_MAX} bytes; got {len} elements of {size} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_gets_the_smallest_class_that_holds_it() {
        for bytes in (1..5000).chain([1 << 20, (1 << 20) + 1, (5 << 38) - 1, BYTES_MAX]) {
            let class = Class::of::<u8>(bytes).unwrap();
            assert!(class.bytes() >= bytes, "{bytes} bytes in {class:?}");
            assert!(class.index() < COUNT);
            if class.index() > 0 {
                let smaller = Class::at(class.index() - 1);
                assert!(smaller.bytes() < bytes, "{bytes} bytes fit in {smaller:?}");
            }
        }
    }

    #[test]
    fn a_class_holds_its_own_size() {
        for index in 0..4 * 40 {
            let class = Class::at(index);
            assert_eq!(Class::of::<u8>(class.bytes()), Some(class));
            assert_eq!(class.bytes() % LINE, 0);
        }
    }

    #[test]
    fn nothing_has_no_class() {
        assert_eq!(Class::of::<f64>(0), None);
    }

    #[test]
    #[should_panic(expected = "buffer: needs at most")]
    fn an_overflowing_size_is_refused() {
        let _ = Class::of::<f64>(usize::MAX / 4);
    }
}
