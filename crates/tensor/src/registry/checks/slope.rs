//! The check of promised slopes: at kinks, of constant pieces, and of outputs without any.

use backstitch_kernels::Float;

use super::gradients;
use crate::registry::report::{Case, CheckError};
use crate::registry::trial::{Trial, cast};
use crate::spec::{OpSpec, Slope};
use crate::tensor::Tensor;
use crate::transforms::jvp;

/// Compares derivatives with what the spec promises, exactly:
/// at each kink (with all elements of the first input there) `dx = slope * dy`, in reverse and
/// forward mode; for [`Slope::Zero`] all gradients are zeros; for [`Slope::None`] the output of
/// tracked inputs is outside the graph.
///
/// # Errors
/// When a promise is broken.
pub fn slope(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    let case = Case { check: "slope", spec, trial };
    as_promised(&case, spec.build.f32)?;
    as_promised(&case, spec.build.f64)
}

fn as_promised<T: Float>(
    case: &Case,
    build: fn(&[Tensor<T>]) -> Tensor<T>,
) -> Result<(), CheckError> {
    let x: Vec<Tensor<T>> = case.trial.inputs(case.spec);
    match case.spec.slope {
        Slope::Smooth => Ok(()),
        Slope::Kinks(kinks) => {
            kinks.iter().try_for_each(|&(at, slope)| at_kink(case, build, &x, at, slope))
        }
        Slope::Zero(_) => {
            for (i, dx) in gradients(build, &x, case.trial).1.iter().enumerate() {
                let zeros = vec![0.0; dx.numel()];
                let want = Tensor::zeros(dx.shape());
                case.near(&format!("the gradient of input {i}"), dx, &want, &zeros)?;
            }
            Ok(())
        }
        Slope::None(_) => {
            let leaves: Vec<Tensor<T>> = x.iter().map(Tensor::leaf).collect();
            let tracked = build(&leaves).is_tracked();
            case.ensure(!tracked, || "the output has no derivative but is in the graph".into())
        }
    }
}

fn at_kink<T: Float>(
    case: &Case,
    build: fn(&[Tensor<T>]) -> Tensor<T>,
    x: &[Tensor<T>],
    at: f64,
    slope: f64,
) -> Result<(), CheckError> {
    let mut x = x.to_vec();
    x[0] = Tensor::full(x[0].shape(), T::from_f64(at));
    let (y, dx) = gradients(build, &x, case.trial);
    let exact = vec![0.0; dx[0].numel()];
    case.ensure(y.shape() == dx[0].shape(), || "kinks need an element-wise op".into())?;
    let dy: Tensor<T> = case.trial.dy(y.shape());
    let want: Tensor<f64> = cast(&(&dy * T::from_f64(slope)));
    case.near(&format!("the gradient at the kink {at}"), &dx[0], &want, &exact)?;
    let f = |moving: &Tensor<T>| {
        let mut inputs = x.clone();
        inputs[0] = moving.clone();
        build(&inputs)
    };
    let (_, moved) = jvp(f, &x[0], &dy);
    case.near(&format!("the jvp at the kink {at}"), &moved, &want, &exact)
}
