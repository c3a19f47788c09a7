//! Solves a differential equation with a network: `u'' = -π² sin πx` with `u(0) = u(1) = 0`.
//!
//! `cargo run --release --example physics`. The loss holds second derivatives of the network by
//! its input, and training differentiates it again by the weights: three orders on ordinary code.
//! The solution is `sin πx`.

use std::f64::consts::PI;

use backstitch::prelude::*;

#[derive(Clone, Module)]
struct Net<T: Float> {
    hidden1: Linear<T>,
    hidden2: Linear<T>,
    output: Linear<T>,
}

impl Net<f64> {
    fn new(rng: &mut Rng) -> Self {
        Net {
            hidden1: Linear::new(1, 20, rng),
            hidden2: Linear::new(20, 20, rng),
            output: Linear::new(20, 1, rng),
        }
    }

    /// x (N, 1) to u (N, 1).
    fn forward(&self, x: &Tensor<f64>) -> Tensor<f64> {
        let h = self.hidden1.forward(x).tanh();
        self.output.forward(&self.hidden2.forward(&h).tanh())
    }

    /// The second derivative of each output by its own input (N, 1).
    fn curvature(&self, x: &Tensor<f64>) -> Tensor<f64> {
        let x = x.leaf();
        // Outputs do not depend on each other's inputs, so the gradient of the sum has all slopes.
        let slope = self.forward(&x).sum().derivatives(&[&x]).remove(0);
        slope.sum().derivatives(&[&x]).remove(0)
    }
}

fn main() {
    let mut net = Net::new(&mut Rng::seed(0));
    let x = Tensor::linspace(0.0, 1.0, 64).unsqueeze(1);
    let ends = Tensor::from([[0.0], [1.0]]);
    let solution = (&x * PI).sin();
    let loss = |net: &Net<f64>| {
        let residual = net.curvature(&x) + &solution * PI.powi(2);
        residual.square().mean() + net.forward(&ends).square().mean() * 100.0
    };

    // A loss without randomness, in f64: the ground of L-BFGS.
    let line_search = LbfgsLineSearch::StrongWolfe;
    let mut optimizer = Lbfgs::new(LbfgsConfig { line_search, ..LbfgsConfig::default() });
    for step in 0..40 {
        let loss = optimizer.step(&mut net, 1.0, loss);
        if step % 10 == 0 {
            println!("step {step:2}: loss {loss:.2e}");
        }
    }
    let error = no_grad(|| net.forward(&x) - &solution).abs().max().item();
    println!("u is off by {error:.1e} at most");
    assert!(error < 1e-3, "the equation is not solved");
}
