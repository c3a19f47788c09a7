//! The check of special values: zeros, infinities, NaN, subnormal and huge numbers.

use backstitch_kernels::Float;

use crate::registry::report::{Case, CheckError};
use crate::registry::trial::{Trial, cast};
use crate::spec::{OpSpec, Oracle};
use crate::tensor::Tensor;

/// Compares element-wise ops with their oracles at special values, and all pairs of them for ops
/// of two inputs: NaN where the oracle has NaN and nowhere else, infinities where it has them,
/// and the right signs.
///
/// # Errors
/// When a value is of another kind than the oracle's, or has another sign.
pub fn special(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    let case = Case { check: "special", spec, trial };
    at_special_values(&case, spec.build.f32)?;
    at_special_values(&case, spec.build.f64)
}

fn at_special_values<T: Float>(
    case: &Case,
    build: fn(&[Tensor<T>]) -> Tensor<T>,
) -> Result<(), CheckError> {
    let values = values::<T>();
    let n = values.len();
    let x = match case.spec.oracle {
        Oracle::Unary(_) => vec![Tensor::from(&values[..])],
        Oracle::Binary(_) => vec![
            Tensor::from_fn([n, n], |idx| values[idx[0]]),
            Tensor::from_fn([n, n], |idx| values[idx[1]]),
        ],
        Oracle::Whole(_) => return Ok(()),
    };
    let exact: Vec<Tensor<f64>> = x.iter().map(cast).collect();
    let (got, want) = (build(&x).to_vec(), case.spec.oracle.eval(&exact).to_vec());
    for (i, (got, want)) in got.into_iter().zip(want).enumerate() {
        let at: Vec<f64> = exact.iter().map(|x| x.to_vec()[i]).collect();
        case.ensure(same_kind(got, want, &at), || {
            format!("{} at {at:?} needs {want:e}; got {:e}", T::DTYPE, got.to_f64())
        })?;
    }
    Ok(())
}

fn values<T: Float>() -> Vec<T> {
    let subnormal = T::MIN_POSITIVE * T::from_f64(0.25);
    let magnitudes = [T::ZERO, T::ONE, subnormal, T::MIN_POSITIVE, T::MAX, T::INFINITY, T::NAN];
    magnitudes.iter().flat_map(|&x| [x, -x]).collect()
}

/// Whether both are NaN, or both the same infinity, or both finite and of one sign; and a number
/// below the normal ones is not flushed to zero. Of two zeros the signs count where an input is zero;
/// elsewhere a number has vanished, or was multiplied by zero.
fn same_kind<T: Float>(got: T, want: f64, at: &[f64]) -> bool {
    let rounded = T::from_f64(want);
    if rounded.is_nan() || got.is_nan() {
        return rounded.is_nan() && got.is_nan();
    }
    if rounded.is_infinite() || got.is_infinite() {
        return rounded == got;
    }
    if rounded == T::ZERO && got == T::ZERO && !at.contains(&0.0) {
        return true;
    }
    // The smallest numbers may be rounded away.
    let flushed = got == T::ZERO && rounded.abs() >= T::MIN_POSITIVE * T::from_f64(0.125);
    !flushed && got.is_sign_negative() == rounded.is_sign_negative()
}
