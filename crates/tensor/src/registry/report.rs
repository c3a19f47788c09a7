//! [`CheckError`], and the comparisons that make one: they name inputs, element and both values.

use std::fmt;

use backstitch_kernels::Float;

use super::trial::Trial;
use crate::spec::{OpSpec, Tolerance};
use crate::tensor::Tensor;

/// An op that does not do what its spec says.
#[derive(Clone, Debug)]
pub struct CheckError {
    /// The op, by its name in the registry.
    pub op: &'static str,
    /// The check that failed.
    pub check: &'static str,
    /// What is wrong, with the inputs, the element, both values and the error.
    pub message: String,
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.op, self.check, self.message)
    }
}

impl std::error::Error for CheckError {}

/// One check of one op on one trial: the context of comparisons.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) check: &'static str,
    pub(super) spec: &'a OpSpec,
    pub(super) trial: &'a Trial,
}

impl Case<'_> {
    /// The error that says `message` about this case.
    pub(super) fn fail(&self, message: impl fmt::Display) -> CheckError {
        let Trial { shapes, layouts, dy_layout, seed } = self.trial;
        let message = format!(
            "{message}; inputs {shapes:?}, layouts {layouts:?}, dy {dy_layout:?}, seed {seed}"
        );
        CheckError { op: self.spec.name, check: self.check, message }
    }

    /// `condition`, or the error that says `message`.
    pub(super) fn ensure(
        &self,
        condition: bool,
        message: impl FnOnce() -> String,
    ) -> Result<(), CheckError> {
        if condition { Ok(()) } else { Err(self.fail(message())) }
    }

    /// Compares `what` with its reference, element by element. NaN equals NaN, infinities must
    /// agree, and a finite reference may be off by what `allowed` says for its position.
    pub(super) fn near<T: Float>(
        &self,
        what: &str,
        got: &Tensor<T>,
        want: &Tensor<f64>,
        allowed: &[f64],
    ) -> Result<(), CheckError> {
        self.same_shape(what, got.shape(), want.shape())?;
        let pairs = got.to_vec().into_iter().zip(want.to_vec());
        for (i, ((got, want), &allowed)) in pairs.zip(allowed).enumerate() {
            let rounded = T::from_f64(want);
            let error = (got.to_f64() - want).abs();
            let same = match rounded.is_finite() {
                true => got == rounded || error <= allowed,
                false => got == rounded || (got.is_nan() && rounded.is_nan()),
            };
            if !same {
                return Err(self.fail(format!(
                    "{what} as {} needs {want:e} at element {i}; got {:e}, off by {error:e} \
                     where {allowed:e} is allowed",
                    T::DTYPE,
                    got.to_f64()
                )));
            }
        }
        Ok(())
    }

    /// Compares two results bit by bit; all NaNs count as equal.
    pub(super) fn same_bits<T: Float>(
        &self,
        what: &str,
        got: &Tensor<T>,
        want: &Tensor<T>,
    ) -> Result<(), CheckError> {
        self.same_shape(what, got.shape(), want.shape())?;
        for (i, (got, want)) in got.to_vec().into_iter().zip(want.to_vec()).enumerate() {
            let same = got.to_bits_u64() == want.to_bits_u64() || (got.is_nan() && want.is_nan());
            if !same {
                let (got, want) = (got.to_f64(), want.to_f64());
                let error = (got - want).abs();
                return Err(self.fail(format!(
                    "{what} as {} needs the bits of {want:e} at element {i}; got {got:e}, off by \
                     {error:e}",
                    T::DTYPE
                )));
            }
        }
        Ok(())
    }

    fn same_shape(&self, what: &str, got: &[usize], want: &[usize]) -> Result<(), CheckError> {
        self.ensure(got == want, || format!("{what} needs shape {want:?}; got {got:?}"))
    }

    /// What the spec allows each element of the output to be off by, computed in `T`.
    pub(super) fn allowed<T: Float>(
        &self,
        x: &[Tensor<f64>],
        want: &Tensor<f64>,
    ) -> Result<Vec<f64>, CheckError> {
        let eps = T::EPSILON.to_f64();
        match self.spec.tolerance {
            Tolerance::Exact => Ok(vec![0.0; want.numel()]),
            Tolerance::Ulps(ulps, _) => {
                // Below the normal numbers, ulps do not shrink any further.
                let floor = T::MIN_POSITIVE.to_f64();
                let allow = |want: f64| ulps * eps * want.abs().max(floor);
                Ok(want.to_vec().into_iter().map(allow).collect())
            }
            Tolerance::Terms(units, terms, _) => {
                let terms = terms(x);
                self.same_shape("the tolerance's terms", terms.shape(), want.shape())?;
                Ok(terms.to_vec().into_iter().map(|terms| units * eps * terms).collect())
            }
        }
    }
}

/// The largest magnitude in a tensor; 0 for none.
pub(super) fn max_abs<T: Float>(x: &Tensor<T>) -> f64 {
    x.to_vec().iter().map(|x| x.to_f64().abs()).fold(0.0, f64::max)
}
