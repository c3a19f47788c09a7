//! Dropout: the draw is compared by its zeros' share and the scale of the rest.

use backstitch::nn::{Dropout, Pass};
use backstitch::{Float, Rng, Tensor};

use crate::case::{Args, Entry, Outputs, Value, ops};

pub const OPS: &[Entry] = ops!["Dropout" => dropout];

/// Evaluation copies the input. In training ours must zero elements or scale them, about as many
/// as the rate says; the case's own draw then is repeated from the zeros of its output.
fn dropout<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    let rate = match args.value(1) {
        Some(_) => args.number(1)?.item().to_f64(),
        None => args.f64("ratio", 0.5),
    };
    let trains = match args.value(2) {
        Some(_) => args.mask(2)?.item(),
        None => false,
    };
    let layer = Dropout::new(rate);
    if !trains || rate == 0.0 {
        let y = layer.forward(x, &Pass::eval());
        let all = Tensor::full(x.shape(), true);
        return Ok(vec![Some(Value::Float(y)), Some(Value::Bool(all))]);
    }
    let scaled = x * T::from_f64(1.0 / (1.0 - rate));
    check_draw(&layer.forward(x, &Pass::train(&mut Rng::seed(0))), &scaled, rate);
    let Some(Some(Value::Float(drawn))) = args.wants.first() else {
        return Err("a case without output".into());
    };
    let kept = drawn.ne(T::ZERO);
    let y = Tensor::where_(&kept, &scaled, T::ZERO);
    Ok(vec![Some(Value::Float(y)), Some(Value::Bool(kept))])
}

fn check_draw<T: Float>(y: &Tensor<T>, scaled: &Tensor<T>, rate: f64) {
    let mut zeros = 0;
    for (y, scaled) in y.to_vec().into_iter().zip(scaled.to_vec()) {
        let near = (y - scaled).abs() <= scaled.abs() * T::EPSILON * T::from_f64(4.0);
        assert!(y == T::ZERO || near, "dropout: needs 0 or {scaled}; got {y}");
        zeros += usize::from(y == T::ZERO);
    }
    let n = y.numel() as f64;
    let (mean, deviation) = (n * rate, (n * rate * (1.0 - rate)).sqrt());
    let off = (zeros as f64 - mean).abs();
    assert!(off <= 6.0 * deviation, "dropout: needs about {mean} zeros; got {zeros}");
}
