//! `dropout`: zeroes elements at random and scales the rest up.

use backstitch_kernels::{Float, dropout as kernel};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Zeroes each element with probability `p` and divides the others by `1 - p`, so that the
    /// expected value stays ("inverted" dropout).
    ///
    /// Which elements stay is a function of `seed` and their position alone; nothing is stored.
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy / (1 - p)` where the element stayed, else 0.
    ///
    /// # Panics
    /// When `p` is not from 0 to 1.
    ///
    /// # Reference
    /// Srivastava et al. 2014, scaled while training as in PyTorch. The bits come from
    /// xoshiro128++ (Blackman and Vigna 2021), seeded by Philox4x32-10 (Salmon et al. 2011).
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::<f32>::ones([1000]).dropout(0.5, 7).to_vec();
    /// assert!(y.iter().all(|&y| y == 0.0 || y == 2.0));
    /// ```
    #[track_caller]
    pub fn dropout(&self, p: f64, seed: u64) -> Tensor<T> {
        or_panic(check(p));
        apply(Dropout { p, seed }, [self])
    }
}

fn check(p: f64) -> Result<(), ShapeError> {
    match (0.0..=1.0).contains(&p) {
        true => Ok(()),
        false => Err(ShapeError::new("dropout", "a probability from 0 to 1", p)),
    }
}

/// Linear in its input: its derivative is the same function.
#[derive(Clone, Copy)]
struct Dropout {
    p: f64,
    seed: u64,
}

impl<T: Float> Op<T, 1> for Dropout {
    const NAME: &'static str = "dropout";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let x = x.contiguous();
        let data = x.as_slice().expect("made contiguous");
        Tensor::build(x.shape(), |y| kernel::dropout(data, self.p, self.seed, y))
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(apply(*self, [dy]))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        apply(*self, [dx.expect("the only input moves")])
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "dropout",
    formula: "y = x / (1 - p) or 0",
    shapes: &[&[&[]], &[&[0]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[2, 3, 33]], &[&[256, 1024]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].dropout(0.25, 9)),
    oracle: Oracle::Whole(|x| {
        let mut kept = vec![false; x[0].numel()];
        kernel::mask(0.25, 9, &mut kept);
        let values = x[0].to_vec().into_iter().zip(kept);
        Tensor::from_vec(
            values.map(|(x, kept)| if kept { x / 0.75 } else { 0.0 }).collect(),
            x[0].shape(),
        )
    }),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(1.5, "one division, or a product with the rounded 1 / (1 - p)"),
}];
