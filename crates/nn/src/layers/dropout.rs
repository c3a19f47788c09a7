//! [`Dropout`]: zeroes elements at random while training.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::Tensor;

use crate::{Layer, Pass};

/// Zeroes each element with probability `p` while training.
///
/// What remains is divided by `1 - p`, so that expectations stay and evaluation has nothing to
/// do; or, by [`Dropout::rescale`], evaluation multiplies by `1 - p` instead.
///
/// # Examples
/// ```
/// use backstitch_nn::{Dropout, Pass};
/// use backstitch_tensor::{Rng, Tensor};
///
/// let y = Dropout::new(0.75).forward(&Tensor::ones([1000]), &Pass::train(&mut Rng::seed(0)));
/// assert!(y.to_vec().iter().all(|&y: &f32| y == 0.0 || y == 4.0));
/// ```
///
/// # Reference
/// Srivastava et al. 2014; the default is its "inverted" form, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = "backstitch_tensor", elem = "all")]
pub struct Dropout {
    /// The probability of zeroing, from 0 to 1.
    pub p: f64,
    /// Where expectations are kept. While training by default (PyTorch).
    #[module(skip)]
    pub rescale: Rescale,
}

/// Where dropout makes up for what it drops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rescale {
    /// Training divides by `1 - p`.
    #[default]
    Train,
    /// Evaluation multiplies by `1 - p`: the paper's "weight scaling".
    Eval,
}

impl Dropout {
    /// Dropout with probability `p`, rescaling while training.
    ///
    /// # Panics
    /// When `p` is not from 0 to 1.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "dropout: needs a probability from 0 to 1; got {p}");
        Dropout { p, rescale: Rescale::Train }
    }

    /// The output for `x`. Each call in a pass drops other elements.
    #[track_caller]
    pub fn forward<T: Float>(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        let keep = T::from_f64(1.0 - self.p);
        match (pass.is_train(), self.rescale) {
            (true, _) if self.p == 0.0 => x.clone(),
            (true, Rescale::Train) => x.dropout(self.p, pass.draw_seed()),
            (true, Rescale::Eval) => x.dropout(self.p, pass.draw_seed()) * keep,
            (false, Rescale::Train) => x.clone(),
            (false, Rescale::Eval) => x * keep,
        }
    }
}

impl<T: Float> Layer<T> for Dropout {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        self.forward(x, pass)
    }
}
