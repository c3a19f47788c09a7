//! [`OpSpec`]: what the registry knows about an op, from which its tests, benches and table follow.

use crate::rng::Rng;
use crate::tensor::Tensor;

/// Everything that the registry knows about one op, or one variant of it.
///
/// Each op's file ends with its specs; [`registry`](crate::registry) lists them.
pub struct OpSpec {
    /// The op's name: that of its file, its method and its messages. A variant adds what sets it
    /// apart, after a space: `"sum dim"`.
    pub name: &'static str,
    /// What it computes, in plain text.
    pub formula: &'static str,
    /// Examples: the shapes of all inputs. Edge sizes (1, 0, odd, above a vector) included; the
    /// last is of a size that users train, for benches.
    pub shapes: &'static [&'static [&'static [usize]]],
    /// Which inputs the op is defined and differentiable on.
    pub domain: Domain,
    /// The op applied to its inputs. Other arguments (axes, indices) follow from the shapes.
    pub build: Build,
    /// The same function, written without any of our kernels, in f64.
    pub oracle: Oracle,
    /// Input shapes that the op must refuse by a panic that names the op and all shapes.
    pub refused: &'static [&'static [&'static [usize]]],
    /// What kind of derivative the op has, and where it jumps.
    pub slope: Slope,
    /// Work at given input shapes.
    pub cost: fn(&[&[usize]]) -> Cost,
    /// How far from the oracle a result may be.
    pub tolerance: Tolerance,
}

impl OpSpec {
    /// The name of the op's file: the first word of the name.
    pub fn file(&self) -> &'static str {
        self.name.split(' ').next().expect("split gives at least one part")
    }

    /// Inputs of these shapes, drawn from the domain; away from kinks.
    pub fn draw(&self, shapes: &[&[usize]], rng: &mut Rng) -> Vec<Tensor<f64>> {
        let kinks = match self.slope {
            Slope::Kinks(kinks) => kinks,
            _ => &[],
        };
        let draw = |(i, shape): (usize, &&[usize])| match self.domain {
            Domain::Range(low, high) => draw_range(shape, low, high, kinks, rng),
            Domain::Ranges(ranges) => draw_range(shape, ranges[i].0, ranges[i].1, kinks, rng),
            Domain::Custom(draw) => draw(i, shape, rng),
        };
        shapes.iter().enumerate().map(draw).collect()
    }
}

/// Uniform draws that stay clear of kinks, so that differences see one side only.
fn draw_range(
    shape: &[usize],
    low: f64,
    high: f64,
    kinks: &[(f64, f64)],
    rng: &mut Rng,
) -> Tensor<f64> {
    let mut x = Tensor::rand(shape, low, high, rng);
    for x in x.data_mut() {
        while kinks.iter().any(|&(at, _)| (*x - at).abs() < 0.01) {
            *x = Tensor::<f64>::rand([], low, high, rng).item();
        }
    }
    x
}

/// How the inputs of an op are drawn.
#[derive(Clone, Copy)]
pub enum Domain {
    /// All inputs evenly between two numbers.
    Range(f64, f64),
    /// Each input between two numbers of its own.
    Ranges(&'static [(f64, f64)]),
    /// By a function of the input's position and shape: distinct values, probabilities, ...
    Custom(fn(usize, &[usize], &mut Rng) -> Tensor<f64>),
}

/// The op for both element types. Made by `build!(|x| ...)` from one generic expression.
#[derive(Clone, Copy)]
pub struct Build {
    /// For `f32`.
    pub f32: fn(&[Tensor<f32>]) -> Tensor<f32>,
    /// For `f64`.
    pub f64: fn(&[Tensor<f64>]) -> Tensor<f64>,
}

/// `build!(|x| x[0].relu())`: the expression for both element types.
/// Inside, `T` is the element type.
macro_rules! build {
    (|$x:ident| $body:expr) => {{
        #[allow(unused)]
        fn generic<T: backstitch_kernels::Float>(
            $x: &[$crate::tensor::Tensor<T>],
        ) -> $crate::tensor::Tensor<T> {
            $body
        }
        $crate::spec::Build { f32: generic::<f32>, f64: generic::<f64> }
    }};
}
pub(crate) use build;

/// The reference of an op in f64.
#[derive(Clone, Copy)]
pub enum Oracle {
    /// Element by element.
    Unary(fn(f64) -> f64),
    /// Element by element, of two inputs that broadcast.
    Binary(fn(f64, f64) -> f64),
    /// Anything else, as loops over the elements.
    Whole(fn(&[Tensor<f64>]) -> Tensor<f64>),
}

impl Oracle {
    /// The reference output.
    pub fn eval(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        match self {
            Oracle::Unary(f) => Tensor::from_fn(x[0].shape(), |idx| f(x[0].at(idx))),
            Oracle::Binary(f) => {
                let shape = crate::shape::broadcast("oracle", x[0].shape(), x[1].shape());
                let shape = shape.expect("the op accepted these shapes");
                let (a, b) = (x[0].broadcast_view(&shape), x[1].broadcast_view(&shape));
                Tensor::from_fn(&shape[..], |idx| f(a.at(idx), b.at(idx)))
            }
            Oracle::Whole(f) => f(x),
        }
    }
}

/// What kind of derivative an op has.
#[derive(Clone, Copy, Debug)]
pub enum Slope {
    /// Differentiable on its whole domain.
    Smooth,
    /// The slope jumps at these inputs: (where, the slope promised there).
    Kinks(&'static [(f64, f64)]),
    /// The true derivative is zero wherever it exists, and the op says so, for this reason.
    Zero(&'static str),
    /// The output is not a number with a derivative (an index, a truth value), for this reason.
    None(&'static str),
}

/// The work of an op: from it benches compute rates and fractions of the machine's roofline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Floating-point operations.
    pub flops: f64,
    /// Elements that must be read or written at least once.
    pub elements: f64,
}

impl Cost {
    /// `flops` operations per element, and each input and the output touched once; for ops whose
    /// output has the broadcast shape of the inputs.
    pub fn elementwise(shapes: &[&[usize]], flops: f64) -> Cost {
        let count = |shape: &&[usize]| shape.iter().product::<usize>() as f64;
        let out = shapes.iter().map(count).fold(1.0, f64::max);
        Cost { flops: flops * out, elements: shapes.iter().map(count).sum::<f64>() + out }
    }
}

/// How far a result may be from the oracle's, in units of the element type's epsilon.
#[derive(Clone, Copy)]
pub enum Tolerance {
    /// Not at all: the op moves or selects values.
    Exact,
    /// So many epsilons of the result, and why.
    Ulps(f64, &'static str),
    /// So many epsilons of the sum of the terms' magnitudes, which the function gives, and why.
    Terms(f64, fn(&[Tensor<f64>]) -> Tensor<f64>, &'static str),
}
