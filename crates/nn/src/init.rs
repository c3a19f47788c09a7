//! [`Init`]: how parameters start.

use backstitch_kernels::Float;
use backstitch_tensor::{Param, Rng, Tensor};

/// A distribution that parameters start from.
///
/// # Examples
/// ```
/// use backstitch_nn::{Fan, Init, Linear, Nonlinearity};
/// use backstitch_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed(0);
/// let he = Init::KaimingNormal { fan: Fan::In, nonlinearity: Nonlinearity::Relu };
/// let w: Tensor = he.tensor([64, 128], &mut rng);
///
/// let mut layer: Linear = Linear::new(128, 64, &mut rng);
/// he.fill(&mut layer.weight, &mut rng);
/// assert_eq!(layer.weight.shape(), w.shape());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All zero.
    Zeros,
    /// All one.
    Ones,
    /// All the same number.
    Constant(f64),
    /// Even between two numbers.
    Uniform {
        /// The lower end.
        low: f64,
        /// The upper end.
        high: f64,
    },
    /// Normal.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        std: f64,
    },
    /// Normal, with values further than two standard deviations from the mean drawn again. What
    /// remains has a standard deviation of 0.8796 `std`.
    TruncNormal {
        /// The mean.
        mean: f64,
        /// The standard deviation before cutting.
        std: f64,
    },
    /// Even between `±gain √(6 / (fan_in + fan_out))` (Glorot and Bengio 2010, equation 16).
    XavierUniform {
        /// The gain of what follows; see [`Nonlinearity::gain`].
        gain: f64,
    },
    /// Normal of variance `gain² 2 / (fan_in + fan_out)` (Glorot and Bengio 2010, equation 12).
    XavierNormal {
        /// The gain of what follows; see [`Nonlinearity::gain`].
        gain: f64,
    },
    /// Even between `±gain √(3 / fan)` (He et al. 2015, section 2.2).
    KaimingUniform {
        /// Which way the variance is kept.
        fan: Fan,
        /// What follows the layer.
        nonlinearity: Nonlinearity,
    },
    /// Normal of variance `gain² / fan` (He et al. 2015, section 2.2).
    KaimingNormal {
        /// Which way the variance is kept.
        fan: Fan,
        /// What follows the layer.
        nonlinearity: Nonlinearity,
    },
    /// `gain` times a matrix with orthonormal rows or columns, whichever are fewer; axes after
    /// the first count as one (Saxe, McClelland and Ganguli 2014).
    Orthogonal {
        /// The gain of what follows; see [`Nonlinearity::gain`].
        gain: f64,
    },
}

/// Which number of connections a variance is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    /// Inputs of each output: keeps the variance of activations.
    In,
    /// Outputs of each input: keeps the variance of gradients.
    Out,
}

/// What follows a layer, as far as it changes the variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// Nothing.
    Identity,
    /// The logistic function.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// The rectified linear unit.
    Relu,
    /// The leaky rectified linear unit of this negative slope.
    LeakyRelu(f64),
    /// The scaled exponential linear unit.
    Selu,
}

impl Nonlinearity {
    /// The factor on the standard deviation: PyTorch's `calculate_gain`.
    ///
    /// 1, 1, 5/3, √2, √(2 / (1 + slope²)) and 3/4, in the order of the variants.
    pub fn gain(self) -> f64 {
        match self {
            Nonlinearity::Identity | Nonlinearity::Sigmoid => 1.0,
            Nonlinearity::Tanh => 5.0 / 3.0,
            Nonlinearity::Relu => f64::sqrt(2.0),
            Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
            Nonlinearity::Selu => 0.75,
        }
    }
}

/// The connections of a weight: `(fan_in, fan_out)`.
///
/// A weight is `(out, in)`, or `(out, in, ...)` with the positions of a convolution's kernel,
/// each of which is a connection. A vector `(n)` counts as `(n, 1)`.
pub fn fans(shape: &[usize]) -> (usize, usize) {
    let positions: usize = shape.iter().skip(2).product();
    let axis = |i: usize| shape.get(i).copied().unwrap_or(1);
    (axis(1) * positions, axis(0) * positions)
}

impl Init {
    /// PyTorch's default for the weights of linear layers and convolutions: Kaiming uniform for a
    /// leaky ReLU of slope √5, which is even between `±1 / √fan_in`.
    pub const TORCH: Init = Init::KaimingUniform {
        fan: Fan::In,
        nonlinearity: Nonlinearity::LeakyRelu(2.236_067_977_499_79),
    };

    /// A new tensor. Draws run in row-major order.
    ///
    /// # Panics
    /// For [`Init::Orthogonal`], when the shape has fewer than two axes.
    #[track_caller]
    pub fn tensor<T: Float>(self, shape: impl AsRef<[usize]>, rng: &mut Rng) -> Tensor<T> {
        let shape = shape.as_ref();
        self.tensor_with_fans(shape, fans(shape), rng)
    }

    /// Gives a parameter new values, in place.
    ///
    /// # Panics
    /// As [`Init::tensor`].
    #[track_caller]
    pub fn fill<T: Float>(self, param: &mut Param<T>, rng: &mut Rng) {
        let value = self.tensor(param.shape(), rng);
        param.set(&value);
    }

    /// As [`Init::tensor`], with the fans `(in, out)` given: a bias takes those of its weight.
    ///
    /// # Panics
    /// As [`Init::tensor`].
    #[track_caller]
    pub fn tensor_with_fans<T: Float>(
        self,
        shape: &[usize],
        fans: (usize, usize),
        rng: &mut Rng,
    ) -> Tensor<T> {
        let both = (fans.0 + fans.1) as f64;
        let one = |fan: Fan| match fan {
            Fan::In => fans.0 as f64,
            Fan::Out => fans.1 as f64,
        };
        match self {
            Init::Zeros => Tensor::zeros(shape),
            Init::Ones => Tensor::ones(shape),
            Init::Constant(value) => Tensor::full(shape, T::from_f64(value)),
            Init::Uniform { low, high } => {
                Tensor::rand(shape, T::from_f64(low), T::from_f64(high), rng)
            }
            Init::Normal { mean, std } => normal(shape, mean, std, f64::INFINITY, rng),
            Init::TruncNormal { mean, std } => normal(shape, mean, std, 2.0, rng),
            Init::XavierUniform { gain } => symmetric(shape, gain * (6.0 / both).sqrt(), rng),
            Init::XavierNormal { gain } => {
                normal(shape, 0.0, gain * (2.0 / both).sqrt(), f64::INFINITY, rng)
            }
            Init::KaimingUniform { fan, nonlinearity } => {
                symmetric(shape, nonlinearity.gain() * (3.0 / one(fan)).sqrt(), rng)
            }
            Init::KaimingNormal { fan, nonlinearity } => {
                let std = nonlinearity.gain() / one(fan).sqrt();
                normal(shape, 0.0, std, f64::INFINITY, rng)
            }
            Init::Orthogonal { gain } => orthogonal(shape, gain, rng),
        }
    }
}

fn symmetric<T: Float>(shape: &[usize], bound: f64, rng: &mut Rng) -> Tensor<T> {
    Tensor::rand(shape, T::from_f64(-bound), T::from_f64(bound), rng)
}

/// Normal draws, drawn again where they lie more than `limit` standard deviations out. In double
/// precision, a part at a time: large weights need no second copy of twice their size.
fn normal<T: Float>(shape: &[usize], mean: f64, std: f64, limit: f64, rng: &mut Rng) -> Tensor<T> {
    Tensor::build(shape, |out| {
        for out in out.chunks_mut(1 << 16) {
            let draws = Tensor::<f64>::randn([out.len()], rng).to_vec();
            for (out, mut z) in out.iter_mut().zip(draws) {
                while z.abs() > limit {
                    z = Tensor::<f64>::randn([], rng).item();
                }
                *out = T::from_f64(mean + std * z);
            }
        }
    })
}

/// Rows, or columns where they are fewer, of normal draws made orthonormal by Gram and Schmidt's
/// method; twice, which is as good as it gets in floating point (Kahan's "twice is enough").
#[track_caller]
fn orthogonal<T: Float>(shape: &[usize], gain: f64, rng: &mut Rng) -> Tensor<T> {
    assert!(shape.len() >= 2, "orthogonal: needs two axes or more; got shape {shape:?}");
    let (rows, cols) = (shape[0], shape[1..].iter().product::<usize>());
    let (count, len) = (rows.min(cols), rows.max(cols));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut v: Vec<f64> = Tensor::randn([len], rng).to_vec();
        for _ in 0..2 {
            for u in &vectors {
                let along: f64 = u.iter().zip(&v).map(|(u, v)| u * v).sum();
                v.iter_mut().zip(u).for_each(|(v, u)| *v -= along * u);
            }
            let norm = v.iter().map(|v| v * v).sum::<f64>().sqrt();
            v.iter_mut().for_each(|v| *v /= norm);
        }
        vectors.push(v);
    }
    Tensor::build(shape, |out| {
        for (i, out) in out.iter_mut().enumerate() {
            let (row, col) = (i / cols, i % cols);
            let value = if rows <= cols { vectors[row][col] } else { vectors[col][row] };
            *out = T::from_f64(gain * value);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 4] = [60, 40, 5, 5];
    const FANS: (f64, f64) = (1000.0, 1500.0);

    /// Mean and variance of each distribution, and the size of the largest value where it is
    /// bounded; within 5 standard errors of 60,000 draws.
    #[test]
    fn moments_and_bounds_are_those_of_the_formulas() {
        let leaky = Nonlinearity::LeakyRelu(0.2);
        let uniform = |bound: f64| (0.0, bound * bound / 3.0, bound);
        let normal = |variance: f64| (0.0, variance, f64::INFINITY);
        let (fan_in, fan_out) = FANS;
        let both = fan_in + fan_out;
        let table = [
            (Init::Uniform { low: -2.0, high: 2.0 }, uniform(2.0)),
            (Init::Uniform { low: 1.0, high: 3.0 }, (2.0, 1.0 / 3.0, 3.0)),
            (Init::Normal { mean: 1.0, std: 0.5 }, (1.0, 0.25, f64::INFINITY)),
            (Init::TruncNormal { mean: 0.0, std: 0.5 }, (0.0, (0.5f64 * 0.879_626).powi(2), 1.0)),
            (Init::XavierUniform { gain: 2.0 }, uniform(2.0 * (6.0 / both).sqrt())),
            (Init::XavierNormal { gain: 2.0 }, normal(4.0 * 2.0 / both)),
            (
                Init::KaimingUniform { fan: Fan::In, nonlinearity: Nonlinearity::Relu },
                uniform((6.0 / fan_in).sqrt()),
            ),
            (
                Init::KaimingUniform { fan: Fan::Out, nonlinearity: Nonlinearity::Relu },
                uniform((6.0 / fan_out).sqrt()),
            ),
            (
                Init::KaimingNormal { fan: Fan::In, nonlinearity: Nonlinearity::Relu },
                normal(2.0 / fan_in),
            ),
            (
                Init::KaimingNormal { fan: Fan::Out, nonlinearity: leaky },
                normal(2.0 / (fan_out * 1.04)),
            ),
            (Init::TORCH, uniform(1.0 / fan_in.sqrt())),
        ];
        for (i, (init, (mean, variance, bound))) in table.into_iter().enumerate() {
            let x = init.tensor::<f64>(SHAPE, &mut Rng::seed(i as u64)).to_vec();
            let n = x.len() as f64;
            let found = x.iter().sum::<f64>() / n;
            assert!((found - mean).abs() < 5.0 * (variance / n).sqrt(), "{init:?}: mean {found}");
            let deviations: Vec<f64> = x.iter().map(|x| (x - mean).powi(2)).collect();
            let found = deviations.iter().sum::<f64>() / n;
            let fourth = deviations.iter().map(|d| d * d).sum::<f64>() / n;
            let se = ((fourth - found * found) / n).sqrt();
            assert!((found - variance).abs() < 5.0 * se, "{init:?}: {found} is not {variance}");
            let largest = x.iter().fold(0.0f64, |a, b| a.max(b.abs()));
            assert!(largest <= bound, "{init:?}: {largest} is beyond {bound}");
            assert!(bound.is_infinite() || largest > 0.99 * bound, "{init:?}: only {largest}");
        }
    }

    #[test]
    fn truncated_values_are_drawn_again_and_not_clamped() {
        let init = Init::TruncNormal { mean: 0.0, std: 1.0 };
        let x = init.tensor::<f64>([200_000], &mut Rng::seed(3)).to_vec();
        // The density at the cut is 0.054 / 0.954 on each side; clamping would put 4.6% there.
        let near = x.iter().filter(|x| x.abs() > 1.99).count() as f64 / x.len() as f64;
        assert!((near - 2.0 * 0.01 * 0.0571).abs() < 3e-4, "{near}");
    }

    #[test]
    fn gains_are_pytorchs() {
        use Nonlinearity::*;
        let gains = [Identity, Sigmoid, Tanh, Relu, LeakyRelu(0.2), LeakyRelu(0.0), Selu];
        let expected = [
            1.0,
            1.0,
            5.0 / 3.0,
            std::f64::consts::SQRT_2,
            1.386_750_490_563_073,
            std::f64::consts::SQRT_2,
            0.75,
        ];
        for (nonlinearity, expected) in gains.into_iter().zip(expected) {
            assert!((nonlinearity.gain() - expected).abs() < 1e-15, "{nonlinearity:?}");
        }
    }

    #[test]
    fn fans_count_the_positions_of_kernels() {
        assert_eq!(fans(&[10, 784]), (784, 10));
        assert_eq!(fans(&[60, 40, 5, 5]), (1000, 1500));
        assert_eq!(fans(&[7]), (1, 7));
        assert_eq!(fans(&[]), (1, 1));
    }

    #[test]
    fn constants_fill_in_place_and_keep_the_leaf() {
        let mut param = Param::<f32>::new(Tensor::zeros([3]));
        let leaf = param.leaf_id();
        let values = [(Init::Zeros, 0.0), (Init::Ones, 1.0), (Init::Constant(2.5), 2.5)];
        for (init, value) in values {
            init.fill(&mut param, &mut Rng::seed(0));
            assert_eq!(param.to_vec(), [value; 3]);
        }
        assert_eq!(param.leaf_id(), leaf);
    }

    #[test]
    fn orthogonal_matrices_are_orthonormal() {
        for shape in [vec![4, 4], vec![3, 5], vec![6, 2], vec![4, 2, 3]] {
            let w = Init::Orthogonal { gain: 2.0 }.tensor::<f64>(&shape, &mut Rng::seed(1));
            let w = w.reshape([shape[0], w.numel() / shape[0]]);
            let wide = w.shape()[0] <= w.shape()[1];
            let (a, b) = (w.clone(), w.transpose(0, 1));
            let product = if wide { a.matmul(&b) } else { b.matmul(&a) };
            let expected = Tensor::eye(product.shape()[0]) * 4.0;
            for (found, expected) in product.to_vec().iter().zip(expected.to_vec()) {
                assert!((found - expected).abs() < 1e-14, "{shape:?}: {product:?}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_values() {
        let init = Init::KaimingNormal { fan: Fan::In, nonlinearity: Nonlinearity::Relu };
        let draw = |seed| init.tensor::<f32>([5, 5], &mut Rng::seed(seed)).to_vec();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
