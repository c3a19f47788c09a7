//! `chunk`: cuts an axis into a number of equal parts.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{axis_of, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Cuts axis `dim` into `count` parts of equal length. Views.
    ///
    /// Where the length is no multiple of `count`, all parts but the last are as long as
    /// `length / count` rounded up, and there may be fewer than `count`, as in PyTorch.
    ///
    /// # Gradient
    /// Each part's gradient at the part's place; they add up.
    ///
    /// # Panics
    /// When the axis does not exist or `count` is 0.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let parts = Tensor::from([1.0, 2.0, 3.0]).chunk(2, 0);
    /// assert_eq!((parts[0].to_vec(), parts[1].to_vec()), (vec![1.0, 2.0], vec![3.0]));
    /// ```
    #[track_caller]
    pub fn chunk(&self, count: usize, dim: isize) -> Vec<Tensor<T>> {
        let axis = or_panic(axis_of("chunk", dim, self.rank()));
        assert!(count > 0, "chunk: needs a number of parts above 0; got 0 for {:?}", self.shape());
        let size = self.shape()[axis];
        let len = size.div_ceil(count).max(1);
        let mut lens = vec![len; size / len];
        if !size.is_multiple_of(len) || size == 0 {
            lens.push(size % len);
        }
        self.split(lens, axis as isize)
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "chunk",
    "the second half of the first axis, then its first",
    &[&[&[2]], &[&[7]], &[&[3, 0]], &[&[4, 17]], &[&[5, 3, 2]], &[&[256, 1024]]],
    &[&[&[]]],
    build!(|x| {
        let parts = x[0].chunk(2, 0);
        Tensor::concat(&[&parts[1], &parts[0]], 0)
    }),
    |x| {
        let n = x[0].shape()[0];
        moves::along_first(&x[0], n, |i| (i + n.div_ceil(2)) % n)
    },
)];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn lengths_are_those_of_pytorch() {
        let lens = |size: usize, count: usize| -> Vec<usize> {
            Tensor::<f32>::zeros([size]).chunk(count, 0).iter().map(|x| x.numel()).collect()
        };
        assert_eq!(lens(7, 3), [3, 3, 1]);
        assert_eq!(lens(6, 4), [2, 2, 2]);
        assert_eq!(lens(2, 5), [1, 1]);
        assert_eq!(lens(0, 3), [0]);
    }
}
