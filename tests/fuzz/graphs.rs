//! Random graphs: reverse mode, forward mode, decompositions and both ways to second derivatives
//! must agree.

use std::fmt::Write;

use backstitch::prelude::*;
use backstitch::with_decomposition;

use crate::source::Source;

type Real = Tensor<f64>;
/// Three tensors that broadcast with each other.
type Inputs = [Real; 3];
/// A step, as Rust and as a function. Results broadcast with the inputs again.
type Step = (&'static str, fn(&Real, &Real) -> Real);

macro_rules! steps {
    ($(|$a:ident, $b:ident| $body:expr;)+) => {
        &[$((stringify!($body), |$a: &Real, $b: &Real| $body)),+]
    };
}

#[rustfmt::skip]
const STEPS: &[Step] = steps! {
    |a, b| a + b;
    |a, b| a - b;
    |a, b| a * b;
    |a, b| a / (b.square() + 1.0);
    |a, b| a.maximum(b);
    |a, b| (a - b).sin();
    |a, b| a.tanh() * b;
    |a, b| (a + b).sigmoid();
    |a, b| (a * b).relu();
    |a, b| a.gelu() + b.silu();
    |a, b| a.softmax(-1) * b;
    |a, b| a.log_softmax(-1) - b;
    |a, b| a.sum_dim(0, true) * b;
    |a, b| a.sum_dim(1, true) + b;
    |a, b| a.mean().reshape([1, 1]) * b;
    |a, b| a * a * b;
    |a, b| a.expand([3, 4]).transpose(0, 1).reshape([3, 4]) + b;
    |a, b| a.expand([3, 4]).narrow(1, 1, 1) * b;
    |a, b| a.expand([3, 4]).layer_norm([4], None, None, 0.1) * b;
    |a, b| a.expand([3, 4]).matmul(&b.expand([3, 4]).transpose(0, 1)).matmul(&a.expand([3, 4]));
    |a, b| Tensor::concat(&[&a.expand([3, 4]), &b.expand([3, 4])], 0).slice_step(0, .., 2);
    |a, b| a.detach() * b;
};

/// A graph: steps with the numbers of the nodes that they take; the first three are the inputs.
pub struct Graph {
    seed: u64,
    steps: Vec<(usize, usize, usize)>,
}

impl Graph {
    /// Up to 12 steps. Those whose values grow large, where rounding alone makes differences, are
    /// left out.
    pub fn draw(source: &mut Source) -> Graph {
        let mut graph = Graph { seed: source.below(256) as u64, steps: Vec::new() };
        let mut nodes = graph.inputs().to_vec();
        while source.has_more() && graph.steps.len() < 12 {
            let step = source.below(STEPS.len());
            let [a, b] = [0, 1].map(|_| source.below(nodes.len()));
            let node = (STEPS[step].1)(&nodes[a], &nodes[b]);
            if node.to_vec().iter().all(|x| x.abs() < 20.0) {
                nodes.push(node);
                graph.steps.push((step, a, b));
            }
        }
        graph
    }

    fn inputs(&self) -> Inputs {
        let rng = &mut Rng::seed(self.seed);
        [[3, 4], [3, 1], [1, 4]].map(|shape| Tensor::randn(shape, rng))
    }

    /// The last node, weighted and summed.
    fn loss(&self, inputs: &Inputs) -> Real {
        let mut n = inputs.to_vec();
        for &(step, a, b) in &self.steps {
            n.push((STEPS[step].1)(&n[a], &n[b]));
        }
        let weights = Tensor::linspace(0.5, 1.7, 12).reshape([3, 4]);
        (n[n.len() - 1].expand([3, 4]) * weights).sum()
    }

    /// Differentiates the graph in several ways.
    ///
    /// # Panics
    /// When they disagree; with the graph as Rust.
    pub fn check(&self) {
        let f = |x: &Inputs| self.loss(x);
        let (x, v) = (self.inputs(), Graph { seed: self.seed + 1, steps: Vec::new() }.inputs());
        let gradient = grad(f, &x);

        let leaves = x.each_ref().map(|x| x.leaf());
        let grads = f(&leaves).derivatives(&leaves.each_ref());
        self.close("derivatives", &grads, &gradient);
        let primitive = with_decomposition(|| grad(f, &x));
        self.close("decomposed", &primitive, &gradient);
        let (_, along) = jvp(f, &x, &v);
        self.close("forward mode", &[along], &[dot(&gradient, &v)]);

        let reverse_twice = grad(|x: &Inputs| dot(&grad(f, x), &v), &x);
        self.close("second order", &hvp(f, &x, &v), &reverse_twice);
    }

    fn close(&self, name: &str, found: &[Real], expected: &[Real]) {
        let flat = |tree: &[Real]| tree.iter().flat_map(Tensor::to_vec).collect::<Vec<f64>>();
        let (found, expected) = (flat(found), flat(expected));
        let size = expected.iter().fold(1.0f64, |size, x| size.max(x.abs()));
        for (a, b) in found.iter().zip(&expected) {
            let close = (a - b).abs() <= 1e-8 * size;
            assert!(close, "{name}: {a} is not {b}, of up to {size}\n{}", self.code());
        }
        assert_eq!(found.len(), expected.len(), "{name}\n{}", self.code());
    }

    /// Rust that differentiates the same function `f` at the same inputs `x`.
    pub fn code(&self) -> String {
        let mut code = format!(
            "let rng = &mut Rng::seed({});\n\
             let x: [Tensor<f64>; 3] = [[3, 4], [3, 1], [1, 4]].map(|shape| Tensor::randn(shape, rng));\n\
             let f = |x: &[Tensor<f64>; 3]| {{\n    let mut n = x.to_vec();\n",
            self.seed
        );
        let step = |a: &str, b: &str, body: &str| {
            format!("    n.push({{ let (a, b) = (&n[{a}], &n[{b}]); {body} }});\n")
        };
        for &(kind, a, b) in &self.steps {
            code += &step(&a.to_string(), &b.to_string(), STEPS[kind].0);
        }
        let end = "    let weights = Tensor::linspace(0.5, 1.7, 12).reshape([3, 4]);\n    \
                   (n[n.len() - 1].expand([3, 4]) * weights).sum()\n};\nlet _ = grad(f, &x);";
        write!(code, "{end}").expect("a string takes all that is written");
        code
    }
}

fn dot(a: &Inputs, b: &Inputs) -> Real {
    a.iter().zip(b).map(|(a, b)| (a * b).sum()).reduce(|a, b| a + b).expect("there are three")
}
