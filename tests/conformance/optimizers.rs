//! One step of an optimizer from a given state, as in `ai.onnx.preview.training`.

use backstitch::nn::{
    Adagrad, AdagradConfig, Adam, AdamConfig, Algorithm, Descent, Optimizer, OptimizerState, Sgd,
    SgdConfig,
};
use backstitch::{Float, Param, Tensor};

use crate::case::{Args, Entry, Outputs, Value, ops};

pub const OPS: &[Entry] = ops![
    "Adagrad" => adagrad,
    "Adam" => adam,
    "Momentum" => momentum,
];

/// Steps all parameters of a case: inputs are R, T, then `X...`, `G...` and each kind of state in
/// turn; outputs are the parameters and the states.
fn step<T: Float, A: Algorithm<T>>(
    args: &Args<T>,
    mut optimizer: Descent<A, T>,
    states: &[&str],
    lr: f64,
) -> Outputs<T> {
    let count = (args.inputs.len() - 2) / (2 + states.len());
    let inputs = |group: usize| (0..count).map(move |k| args.x(2 + group * count + k));
    let mut params: Vec<Param<T>> =
        inputs(0).map(|x| Ok(Param::new(x?.clone()))).collect::<Result<_, String>>()?;
    let mut state = OptimizerState { tensors: Default::default(), steps: Default::default() };
    for k in 0..count {
        // One more than the case says: even before step 0 it gives a velocity that counts.
        state.steps.insert(k.to_string(), 1 + args.idx(1)?.item() as u64);
    }
    for (kind, name) in states.iter().enumerate() {
        for (k, x) in inputs(2 + kind).enumerate() {
            state.tensors.insert(format!("{k}.{name}"), x?.clone());
        }
    }
    optimizer.load_state(&params, &state).map_err(|error| error.to_string())?;
    let mut loss = Tensor::scalar(T::ZERO);
    for (param, g) in params.iter().zip(inputs(1)) {
        loss = loss + (&**param * g?).sum();
    }
    optimizer.step(&mut params, &loss.backward(), lr);
    let after = optimizer.state();
    let decay = T::from_f64(1.0 - args.f64("norm_coefficient_post", 0.0));
    let mut outputs: Vec<Option<Value<T>>> =
        params.iter().map(|param| Some(Value::Float(param.detach() * decay))).collect();
    for name in states {
        for k in 0..count {
            outputs.push(Some(Value::Float(after.tensors[&format!("{k}.{name}")].clone())));
        }
    }
    Ok(outputs)
}

fn rate<T: Float>(args: &Args<T>) -> Result<(f64, f64), String> {
    Ok((args.x(0)?.item().to_f64(), args.idx(1)?.item() as f64))
}

fn adagrad<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (lr, t) = rate(args)?;
    let config = AdagradConfig {
        eps: args.f64("epsilon", 1e-6),
        weight_decay: args.f64("norm_coefficient", 0.0),
        ..AdagradConfig::default()
    };
    let lr = lr / (1.0 + t * args.f64("decay_factor", 0.0));
    step(args, Adagrad::new(config), &["sum"], lr)
}

/// The corrections of the moments go into the rate, so epsilon is added to the raw root.
fn adam<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (lr, t) = rate(args)?;
    let betas = (args.f64("alpha", 0.9), args.f64("beta", 0.999));
    let config = AdamConfig {
        betas,
        eps: args.f64("epsilon", 1e-6),
        weight_decay: args.f64("norm_coefficient", 0.0),
        bias_correction: false,
        ..AdamConfig::default()
    };
    let correction = match t > 0.0 {
        true => (1.0 - betas.1.powf(t)).sqrt() / (1.0 - betas.0.powf(t)),
        false => 1.0,
    };
    step(args, Adam::new(config), &["exp_avg", "exp_avg_sq"], lr * correction)
}

fn momentum<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (lr, t) = rate(args)?;
    let config = SgdConfig {
        momentum: args.f64("alpha", 0.9),
        dampening: if t > 0.0 { 1.0 - args.f64("beta", 1.0) } else { 0.0 },
        nesterov: args.text("mode", "standard") == "nesterov",
        weight_decay: args.f64("norm_coefficient", 0.0),
        ..SgdConfig::default()
    };
    step(args, Sgd::new(config), &["momentum_buffer"], lr)
}
