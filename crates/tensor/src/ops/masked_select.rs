//! `masked_select`: the elements where a mask is set; `nonzero`: where they are.

use backstitch_kernels::{Element, index};

use super::places::Places;
use crate::shape::{broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Element> Tensor<T> {
    /// The elements where the mask is set, as a list, in row-major order.
    ///
    /// # Shape
    /// `x (...)` and `mask (...)` that broadcast to a list.
    ///
    /// # Gradient
    /// Each element of `dy` goes to where its element was.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, -2.0], [-3.0, 4.0]]);
    /// assert_eq!(x.masked_select(&x.gt(0.0)).to_vec(), [1.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor<bool>) -> Tensor<T> {
        let shape = or_panic(broadcast("masked_select", self.shape(), mask.shape()));
        let mask = mask.broadcast_view(&shape).contiguous();
        let set = data(&mask).iter().enumerate().filter(|&(_, &set)| set);
        let places: Vec<i64> = set.map(|(flat, _)| flat as i64).collect();
        let flat = self.expand(shape).reshape([mask.numel()]);
        flat.pick(&Places::elements(0, &Tensor::from(places)))
    }
}

impl<T: Element> Tensor<T> {
    /// The indices of the elements that are not 0, one row for each, in row-major order.
    ///
    /// # Shape
    /// `x (...)` to `(count, axes)`.
    ///
    /// # Gradient
    /// None: indices are integers.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 0.0], [0.0, 4.0]]);
    /// assert_eq!(x.nonzero().to_vec(), [0, 0, 1, 1]);
    /// ```
    pub fn nonzero(&self) -> Tensor<i64> {
        let mask = self.to::<bool>().contiguous();
        let count = data(&mask).iter().filter(|&&set| set).count();
        Tensor::build(&[count, self.rank()], |out| index::nonzero(data(&mask), self.shape(), out))
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "masked_select",
        formula: "y = those x[i] where the sum of the index i is even, in a list",
        shapes: &[&[&[]], &[&[0]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[2, 3, 33]], &[&[256, 1024]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].masked_select(&mask(x[0].shape()))),
        oracle: Oracle::Whole(|x| {
            let all = x[0].to_vec().into_iter().zip(mask(x[0].shape()).to_vec());
            all.filter(|&(_, set)| set).map(|(x, _)| x).collect()
        }),
        refused: &[&[&[2, 5]], &[&[3, 3, 5]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "masked_select nonzero",
        formula: "y = the indices of the x[i] that are not 0",
        shapes: &[&[&[0]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[2, 3, 33]], &[&[256, 1024]]],
        domain: Domain::Range(-2.0, 2.0),
        // Rounded, so that zeros occur.
        build: build!(|x| x[0].round().nonzero().to::<T>()),
        oracle: Oracle::Whole(|x| {
            let mut found = Vec::new();
            let _ = Tensor::from_fn(x[0].shape(), |idx| {
                if x[0].at(idx).round_ties_even() != 0.0 {
                    found.extend(idx.iter().map(|&i| i as f64));
                }
                false
            });
            let rank = x[0].rank();
            let count = found.len() / rank;
            Tensor::from_vec(found, [count, rank])
        }),
        refused: &[],
        slope: Slope::None("indices are integers"),
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
];

/// A chequerboard; for a last axis of 5 another shape, to be refused.
fn mask(shape: &[usize]) -> Tensor<bool> {
    match shape.last() {
        Some(5) => super::where_::example_mask(&[4]),
        _ => super::where_::example_mask(shape),
    }
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn a_mask_broadcasts() {
        let x = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        assert_eq!(x.masked_select(&Tensor::from([false, true])).to_vec(), [2.0, 4.0, 6.0]);
    }

    #[test]
    fn a_transposed_mask_is_read_in_its_own_order() {
        let mask = Tensor::from([[false, true, true], [false, false, true]]).transpose(0, 1);
        assert_eq!(mask.nonzero().to_vec(), [1, 0, 2, 0, 2, 1]);
    }
}
