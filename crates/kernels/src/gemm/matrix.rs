//! Matrices in slices: read with any strides, written in rows.

use std::marker::PhantomData;

use crate::Float;

/// A matrix to read: element (i, j) is `data[offset + i * row_stride + j * col_stride]`.
///
/// Strides may be negative or zero.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    data: &'a [T],
    offset: usize,
    pub(super) rows: usize,
    pub(super) cols: usize,
    row_stride: isize,
    col_stride: isize,
}

impl<'a, T: Float> Matrix<'a, T> {
    /// A matrix with any strides.
    ///
    /// # Panics
    /// When an element lies outside `data`.
    #[track_caller]
    pub fn new(
        data: &'a [T],
        offset: usize,
        (rows, cols): (usize, usize),
        (row_stride, col_stride): (isize, isize),
    ) -> Self {
        let matrix = Self { data, offset, rows, cols, row_stride, col_stride };
        matrix.check_steps([].into_iter());
        matrix
    }

    /// A matrix whose rows lie one after the other.
    ///
    /// # Panics
    /// When `data` is shorter than `rows * cols`.
    #[track_caller]
    pub fn row_major(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self::new(data, 0, (rows, cols), (cols as isize, 1))
    }

    /// The same elements with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Checks that the matrix, and its copies `len` times by `step` elements along each axis of a
    /// batch, lie in the slice.
    #[track_caller]
    pub(super) fn check_steps(&self, steps: impl Iterator<Item = (usize, isize)>) {
        let extent = |len: usize, step: isize| {
            let last = i128::try_from(len).expect("usize fits in i128") - 1;
            last * step as i128
        };
        if self.rows == 0 || self.cols == 0 {
            return;
        }
        let own = [(self.rows, self.row_stride), (self.cols, self.col_stride)];
        let (mut lowest, mut highest) = (self.offset as i128, self.offset as i128);
        for (len, step) in own.into_iter().chain(steps) {
            lowest += extent(len, step).min(0);
            highest += extent(len, step).max(0);
        }
        assert!(
            lowest >= 0 && highest < self.data.len() as i128,
            "matrix: needs elements {lowest} to {highest}; got a slice of {}",
            self.data.len(),
        );
    }

    /// The address of element (0, 0).
    pub(super) fn start(&self) -> Shared<T> {
        Shared(self.data.as_ptr().wrapping_add(self.offset))
    }

    /// Elements from one row to the next, and from one column to the next.
    pub(super) fn strides(&self) -> (isize, isize) {
        (self.row_stride, self.col_stride)
    }
}

/// An address in a borrowed slice, that tasks on other threads may read from.
#[derive(Clone, Copy)]
pub(super) struct Shared<T>(*const T);

// SAFETY: it points into a shared slice of numbers that outlives the call.
unsafe impl<T: Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// # Safety
    /// As `<*const T>::offset`.
    pub(super) unsafe fn offset(&self, elements: isize) -> *const T {
        // SAFETY: by the caller's promise.
        unsafe { self.0.offset(elements) }
    }
}

/// A matrix to write, whose columns are contiguous: element (i, j) is `data[i * row_stride + j]`.
#[derive(Debug)]
pub struct MatrixMut<'a, T> {
    start: *mut T,
    len: usize,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) row_stride: usize,
    data: PhantomData<&'a mut [T]>,
}

impl<'a, T: Float> MatrixMut<'a, T> {
    /// A matrix whose rows start `row_stride` elements apart.
    ///
    /// # Panics
    /// When `row_stride` is less than `cols` (unless there is at most one row), or `data` too
    /// short.
    #[track_caller]
    pub fn new(data: &'a mut [T], rows: usize, cols: usize, row_stride: usize) -> Self {
        assert!(
            row_stride >= cols || rows <= 1,
            "matrix: needs a row stride of at least {cols}; got {row_stride}"
        );
        let (start, len) = (data.as_mut_ptr(), data.len());
        let matrix = Self { start, len, rows, cols, row_stride, data: PhantomData };
        if let Some(needed) = matrix.needed() {
            assert!(needed <= len, "matrix: needs {needed} elements; got a slice of {len}");
        } else {
            panic!("matrix: needs a size that fits in usize; got {rows} rows of {row_stride}");
        }
        matrix
    }

    /// A matrix whose rows lie one after the other.
    ///
    /// # Panics
    /// When `data` is shorter than `rows * cols`.
    #[track_caller]
    pub fn row_major(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        Self::new(data, rows, cols, cols)
    }

    /// How many elements of the slice the matrix reaches; `None` on overflow.
    fn needed(&self) -> Option<usize> {
        if self.rows == 0 || self.cols == 0 {
            return Some(0);
        }
        (self.rows - 1).checked_mul(self.row_stride)?.checked_add(self.cols)
    }

    /// Checks that `count` matrices, `step` elements apart, are disjoint and lie in the slice.
    #[track_caller]
    pub(super) fn check_steps(&self, count: usize, step: usize) {
        let needed = self.needed().expect("checked by the constructor");
        assert!(
            count <= 1 || step >= needed,
            "gemm_batched: needs results at least {needed} elements apart; got {step}"
        );
        let end = count.saturating_sub(1).checked_mul(step).and_then(|at| at.checked_add(needed));
        assert!(
            end.is_some_and(|end| end <= self.len),
            "gemm_batched: needs {count} results, {step} elements apart; got a slice of {}",
            self.len,
        );
    }

    /// The address of element (0, 0).
    pub(super) fn start(&self) -> *mut T {
        self.start
    }
}
