//! `pixel_shuffle`: channels become pixels, and back.

use backstitch_kernels::Element;

use crate::shape::{ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Makes `factor * factor` channels into a block of pixels.
    ///
    /// `y[n, c, factor h + i, factor w + j] = x[n, c factor² + i factor + j, h, w]`
    ///
    /// # Shape
    /// `x (..., C * factor², H, W)` to `y (..., C, H * factor, W * factor)`.
    ///
    /// # Gradient
    /// [`Tensor::pixel_unshuffle`] of `dy`.
    ///
    /// # Panics
    /// When the shape does not fit.
    ///
    /// # Reference
    /// Shi et al. 2016, equation 4.
    #[track_caller]
    pub fn pixel_shuffle(&self, factor: usize) -> Tensor<T> {
        let square = factor * factor;
        let divides =
            factor > 0 && self.rank() >= 3 && self.shape()[self.rank() - 3].is_multiple_of(square);
        or_panic(rule(divides, "pixel_shuffle", "(..., C * factor², H, W)", self.shape(), factor));
        let (lead, &[c, h, w]) = self.shape().split_last_chunk().expect("three axes or more");
        let n = lead.iter().product();
        let parts = self.reshape([n, c / square, factor, factor, h, w]);
        let shape: Vec<usize> =
            lead.iter().copied().chain([c / square, h * factor, w * factor]).collect();
        parts.permute([0, 1, 4, 2, 5, 3]).reshape(shape)
    }

    /// Makes blocks of `factor * factor` pixels into channels: the reverse of
    /// [`Tensor::pixel_shuffle`].
    ///
    /// # Shape
    /// `x (..., C, H * factor, W * factor)` to `y (..., C * factor², H, W)`.
    ///
    /// # Gradient
    /// [`Tensor::pixel_shuffle`] of `dy`.
    ///
    /// # Panics
    /// When the shape does not fit.
    #[track_caller]
    pub fn pixel_unshuffle(&self, factor: usize) -> Tensor<T> {
        let divides = factor > 0
            && self.rank() >= 3
            && self.shape()[self.rank() - 2..].iter().all(|n| n.is_multiple_of(factor));
        let needs = "(..., C, H * factor, W * factor)";
        or_panic(rule(divides, "pixel_unshuffle", needs, self.shape(), factor));
        let (lead, &[c, h, w]) = self.shape().split_last_chunk().expect("three axes or more");
        let n = lead.iter().product();
        let parts = self.reshape([n, c, h / factor, factor, w / factor, factor]);
        let shape: Vec<usize> =
            lead.iter().copied().chain([c * factor * factor, h / factor, w / factor]).collect();
        parts.permute([0, 1, 3, 5, 2, 4]).reshape(shape)
    }
}

fn rule(
    holds: bool,
    name: &str,
    needs: &str,
    shape: &[usize],
    factor: usize,
) -> Result<(), ShapeError> {
    match holds {
        true => Ok(()),
        false => Err(ShapeError::new(name, needs, format!("{shape:?} with factor {factor}"))),
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "pixel_shuffle",
        formula: "y[n, c, 2 h + i, 2 w + j] = x[n, 4 c + 2 i + j, h, w]",
        shapes: &[&[&[4, 1, 1]], &[&[2, 4, 3, 0]], &[&[2, 8, 3, 5]], &[&[8, 64, 16, 16]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].pixel_shuffle(2)),
        oracle: Oracle::Whole(|x| {
            let mut shape = x[0].shape().to_vec();
            let c = shape.len() - 3;
            (shape[c], shape[c + 1], shape[c + 2]) =
                (shape[c] / 4, shape[c + 1] * 2, shape[c + 2] * 2);
            Tensor::from_fn(shape, |idx| {
                let mut own = idx.to_vec();
                own[c] = 4 * idx[c] + 2 * (idx[c + 1] % 2) + idx[c + 2] % 2;
                (own[c + 1], own[c + 2]) = (idx[c + 1] / 2, idx[c + 2] / 2);
                x[0].at(&own)
            })
        }),
        refused: &[&[&[3, 2, 2]], &[&[4, 4]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "pixel_shuffle pixel_unshuffle",
        formula: "y[n, 4 c + 2 i + j, h, w] = x[n, c, 2 h + i, 2 w + j]",
        shapes: &[&[&[1, 2, 2]], &[&[2, 3, 2, 0]], &[&[2, 3, 4, 6]], &[&[8, 16, 32, 32]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].pixel_unshuffle(2)),
        oracle: Oracle::Whole(|x| {
            let mut shape = x[0].shape().to_vec();
            let c = shape.len() - 3;
            (shape[c], shape[c + 1], shape[c + 2]) =
                (shape[c] * 4, shape[c + 1] / 2, shape[c + 2] / 2);
            Tensor::from_fn(shape, |idx| {
                let mut own = idx.to_vec();
                let part = idx[c] % 4;
                own[c] = idx[c] / 4;
                (own[c + 1], own[c + 2]) = (2 * idx[c + 1] + part / 2, 2 * idx[c + 2] + part % 2);
                x[0].at(&own)
            })
        }),
        refused: &[&[&[3, 3, 2]], &[&[4, 4]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    },
];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn three_by_three_channels_become_one() {
        let x = Tensor::from_vec((0..9).map(|i| i as f32).collect(), [9, 1, 1]);
        let y = x.pixel_shuffle(3);
        assert_eq!((y.shape(), y.to_vec()), (&[1, 3, 3][..], x.to_vec()));
        assert_eq!(y.pixel_unshuffle(3).to_vec(), x.to_vec());
    }

    #[test]
    fn a_factor_of_1_changes_nothing_and_0_is_refused() {
        let x = Tensor::from_vec((0..8).map(|i| i as f32).collect(), [2, 2, 2]);
        assert_eq!(x.pixel_shuffle(1).to_vec(), x.to_vec());
        assert_eq!(x.pixel_unshuffle(1).to_vec(), x.to_vec());
        let none = Tensor::<f32>::zeros([0, 0, 0]);
        let message = |refused: std::thread::Result<Tensor>| {
            *refused.err().unwrap().downcast::<String>().unwrap()
        };
        let shuffled = message(std::panic::catch_unwind(|| none.pixel_shuffle(0)));
        assert!(shuffled.starts_with("pixel_shuffle: needs "), "{shuffled}");
        let unshuffled = message(std::panic::catch_unwind(|| none.pixel_unshuffle(0)));
        assert!(unshuffled.starts_with("pixel_unshuffle: needs "), "{unshuffled}");
    }
}
