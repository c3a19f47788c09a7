//! Tensors of random draws from distributions that tensors describe.

use backstitch_kernels::Float;
use rand_distr::{Distribution, StandardUniform};

use crate::rng::Rng;
use crate::shape::{Shape, ShapeError, or_panic};
use crate::tensor::{Tensor, data};

/// A number from 0 to below 1.
fn unit(rng: &mut Rng) -> f64 {
    StandardUniform.sample(rng)
}

/// A whole number below `end`, each with the same chance (Lemire 2019).
fn below(end: u64, rng: &mut Rng) -> u64 {
    loop {
        let wide = u128::from(rng.next_u64()) * u128::from(end);
        let (high, low) = ((wide >> 64) as u64, wide as u64);
        // The first few values of each bucket would come up once too often.
        if low >= end.wrapping_neg() % end {
            return high;
        }
    }
}

/// Draws of whole numbers.
impl Tensor<i64> {
    /// Whole numbers from `low` to below `high`, each with the same chance.
    ///
    /// # Panics
    /// When `high` is not above `low`.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{Rng, Tensor};
    ///
    /// let throws = Tensor::randint(1, 7, [100], &mut Rng::seed(0));
    /// assert!(throws.to_vec().iter().all(|throw| (1..7).contains(throw)));
    /// ```
    #[track_caller]
    pub fn randint(low: i64, high: i64, shape: impl AsRef<[usize]>, rng: &mut Rng) -> Tensor<i64> {
        assert!(low < high, "randint: needs low below high; got {low} and {high}");
        let range = high.wrapping_sub(low) as u64;
        Tensor::build(shape.as_ref(), |out| {
            out.fill_with(|| low.wrapping_add(below(range, rng) as i64));
        })
    }

    /// The numbers from 0 to below `n` in random order, each order with the same chance.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{Rng, Tensor};
    ///
    /// let mut order = Tensor::randperm(5, &mut Rng::seed(0)).to_vec();
    /// order.sort();
    /// assert_eq!(order, [0, 1, 2, 3, 4]);
    /// ```
    ///
    /// # Reference
    /// Fisher and Yates's shuffle (Durstenfeld 1964).
    pub fn randperm(n: usize, rng: &mut Rng) -> Tensor<i64> {
        Tensor::build(&[n], |out| {
            for i in 0..n {
                let j = below(i as u64 + 1, rng) as usize;
                out[i] = out[j];
                out[j] = i as i64;
            }
        })
    }
}

/// Draws whose distribution a tensor gives. No gradient flows through a draw.
impl<T: Float> Tensor<T> {
    /// Draws from the normal distribution with the mean and the standard deviation of these
    /// tensors, which broadcast. A derivative by both follows: `mean + std * draw`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{Rng, Tensor};
    ///
    /// let (mean, std) = (Tensor::from([0.0_f32, 100.0]), Tensor::scalar(1.0));
    /// let draws = Tensor::normal(&mean, &std, &mut Rng::seed(0)).to_vec();
    /// assert!(draws[0].abs() < 10.0 && (draws[1] - 100.0).abs() < 10.0);
    /// ```
    #[track_caller]
    pub fn normal(mean: &Tensor<T>, std: &Tensor<T>, rng: &mut Rng) -> Tensor<T> {
        let shape = or_panic(crate::shape::broadcast("normal", mean.shape(), std.shape()));
        mean + std * Tensor::randn(shape, rng)
    }

    /// 1 with the probability that each element gives, else 0.
    ///
    /// # Panics
    /// When an element is not from 0 to 1.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{Rng, Tensor};
    ///
    /// let draws = Tensor::from([0.0, 1.0]).bernoulli(&mut Rng::seed(0));
    /// assert_eq!(draws.to_vec(), [0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn bernoulli(&self, rng: &mut Rng) -> Tensor<T> {
        let chances = self.contiguous();
        let outside = data(&chances).iter().find(|p| !(T::ZERO..=T::ONE).contains(p));
        if let Some(p) = outside {
            panic!("bernoulli: needs probabilities from 0 to 1; got {}", p.to_f64());
        }
        Tensor::build(self.shape(), |out| {
            for (y, p) in out.iter_mut().zip(data(&chances)) {
                *y = if unit(rng) < p.to_f64() { T::ONE } else { T::ZERO };
            }
        })
    }

    /// `count` draws of indices of the last axis, with chances proportional to its elements, which
    /// need not add up to 1. Without replacement, the indices of one row differ.
    ///
    /// # Shape
    /// `x (..., n)` to `(..., count)`.
    ///
    /// # Panics
    /// When an element is negative or not finite, or a row has fewer elements above 0 than are
    /// needed: one, or `count` without replacement.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{Rng, Tensor};
    ///
    /// let draws = Tensor::from([0.0, 3.0, 1.0]).multinomial(2, false, &mut Rng::seed(0));
    /// let mut draws = draws.to_vec();
    /// draws.sort();
    /// assert_eq!(draws, [1, 2]);
    /// ```
    #[track_caller]
    pub fn multinomial(&self, count: usize, replacement: bool, rng: &mut Rng) -> Tensor<i64> {
        let (n, shape) = or_panic(drawn_shape("multinomial", self.shape(), count));
        let weights = self.contiguous();
        or_panic(check_weights(data(&weights), n, if replacement { 1 } else { count }));
        Tensor::build(&shape, |out| {
            for (out, row) in out.chunks_mut(count.max(1)).zip(data(&weights).chunks(n.max(1))) {
                let mut row: Vec<f64> = row.iter().map(|w| w.to_f64()).collect();
                for out in out {
                    let index = pick(&row, rng);
                    *out = index as i64;
                    if !replacement {
                        row[index] = 0.0;
                    }
                }
            }
        })
    }

    /// `count` draws of indices of the last axis, with the chances that softmax makes of its
    /// elements: sampling from a model's logits.
    ///
    /// # Shape
    /// `x (..., n)` to `(..., count)`.
    ///
    /// # Numerics
    /// A logit of -inf is never drawn.
    ///
    /// # Panics
    /// When a row is NaN or has +inf, or -inf alone.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{Rng, Tensor};
    ///
    /// let logits = Tensor::from([f32::NEG_INFINITY, 2.0]);
    /// assert_eq!(logits.categorical(3, &mut Rng::seed(0)).to_vec(), [1, 1, 1]);
    /// ```
    #[track_caller]
    pub fn categorical(&self, count: usize, rng: &mut Rng) -> Tensor<i64> {
        or_panic(drawn_shape("categorical", self.shape(), count));
        let chances = self.detach().softmax(-1);
        let n = self.size(-1).max(1);
        if let Some(at) = chances.to_vec().iter().position(|p| p.is_nan()) {
            let row = &self.to_vec()[at / n * n..][..n];
            panic!(
                "categorical: needs logits that are finite or -inf, not all -inf; got {row:?} in \
                 row {}",
                at / n
            );
        }
        chances.multinomial(count, true, rng)
    }
}

/// The length of the last axis, and the shape with `count` in its place.
fn drawn_shape(op: &str, x: &[usize], count: usize) -> Result<(usize, Shape), ShapeError> {
    let Some((&n, lead)) = x.split_last() else {
        return Err(ShapeError::new(op, "an axis to draw from", format!("{x:?}")));
    };
    let mut shape = Shape::new(lead);
    shape.push(count);
    Ok((n, shape))
}

fn check_weights<T: Float>(weights: &[T], n: usize, needed: usize) -> Result<(), String> {
    for (i, row) in weights.chunks(n.max(1)).enumerate() {
        if let Some(w) = row.iter().find(|w| !w.is_finite() || **w < T::ZERO) {
            return Err(format!(
                "multinomial: needs finite weights from 0 up; got {} in row {i}",
                w.to_f64()
            ));
        }
        let positive = row.iter().filter(|w| **w > T::ZERO).count();
        if positive < needed {
            return Err(format!(
                "multinomial: needs {needed} weights above 0 in each row; got {positive} in row {i}"
            ));
        }
    }
    Ok(())
}

/// An index with a chance proportional to its weight.
fn pick(weights: &[f64], rng: &mut Rng) -> usize {
    let mut left = unit(rng) * weights.iter().sum::<f64>();
    for (i, &weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return i;
        }
    }
    // Rounding may leave a little: the last that can be drawn.
    weights.iter().rposition(|&weight| weight > 0.0).expect("the weights were checked")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts within five standard deviations of what the chances say; seeds are fixed.
    #[track_caller]
    fn check(draws: &[i64], chances: &[f64]) {
        let n = draws.len() as f64;
        for (value, &p) in chances.iter().enumerate() {
            let seen = draws.iter().filter(|&&draw| draw == value as i64).count() as f64;
            let spread = (n * p * (1.0 - p)).sqrt();
            assert!((seen - n * p).abs() <= 5.0 * spread, "{value}: {seen} of {n}, chance {p}");
        }
    }

    #[test]
    fn draws_follow_their_chances() {
        let rng = &mut Rng::seed(5);
        check(&Tensor::randint(0, 4, [20_000], rng).to_vec(), &[0.25; 4]);
        let weights = Tensor::from([1.0f32, 0.0, 3.0, 4.0]);
        let chances = [0.125, 0.0, 0.375, 0.5];
        check(&weights.multinomial(20_000, true, rng).to_vec(), &chances);
        check(&weights.log().categorical(20_000, rng).to_vec(), &chances);
        let p = Tensor::<f64>::full([20_000], 0.3);
        let heads: Vec<i64> = p.bernoulli(rng).to_vec().iter().map(|&x| x as i64).collect();
        check(&heads, &[0.7, 0.3]);
    }

    #[test]
    fn orders_are_all_as_likely() {
        let rng = &mut Rng::seed(6);
        let number = |order: Vec<i64>| order.iter().fold(0, |n, i| n * 3 + i);
        let orders = [5, 7, 11, 15, 19, 21];
        let place = |order: Vec<i64>| {
            let number = number(order);
            orders.iter().position(|&order| order == number).unwrap() as i64
        };
        let draws: Vec<i64> =
            (0..12_000).map(|_| place(Tensor::randperm(3, rng).to_vec())).collect();
        check(&draws, &[1.0 / 6.0; 6]);
        // Without replacement: the first of weights 1, 2, 1 and then the first of what is left.
        let weights = Tensor::from([1.0f64, 2.0, 1.0]);
        let pairs: Vec<Vec<i64>> =
            (0..12_000).map(|_| weights.multinomial(2, false, rng).to_vec()).collect();
        let firsts: Vec<i64> = pairs.iter().map(|pair| pair[0]).collect();
        check(&firsts, &[0.25, 0.5, 0.25]);
        let then: Vec<i64> = pairs.iter().filter(|p| p[0] == 0).map(|p| p[1]).collect();
        check(&then, &[0.0, 2.0 / 3.0, 1.0 / 3.0]);
    }

    #[test]
    fn normal_draws_have_their_moments() {
        let rng = &mut Rng::seed(7);
        let n = 40_000;
        let (mean, std) = (Tensor::<f64>::full([n], 3.0), Tensor::scalar(2.0));
        let draws = Tensor::normal(&mean, &std, rng).to_vec();
        let average = draws.iter().sum::<f64>() / n as f64;
        let variance = draws.iter().map(|x| (x - average).powi(2)).sum::<f64>() / n as f64;
        let fourth = draws.iter().map(|x| (x - average).powi(4)).sum::<f64>() / n as f64;
        assert!((average - 3.0).abs() < 5.0 * 2.0 / (n as f64).sqrt());
        assert!((variance - 4.0).abs() < 5.0 * 4.0 * (2.0 / n as f64).sqrt());
        assert!((fourth / variance.powi(2) - 3.0).abs() < 5.0 * (24.0 / n as f64).sqrt());
    }

    #[test]
    fn uniform_draws_pass_kolmogorov_and_smirnov() {
        let n = 20_000;
        let mut draws = Tensor::<f64>::rand([n], -1.0, 3.0, &mut Rng::seed(8)).to_vec();
        draws.sort_by(f64::total_cmp);
        let at = |i: usize| (draws[i] + 1.0) / 4.0 - i as f64 / n as f64;
        let furthest = (0..n).map(|i| at(i).abs()).fold(0.0, f64::max);
        assert!(furthest < 2.0 / (n as f64).sqrt(), "{furthest}");
    }

    #[test]
    fn reparametrised_draws_have_gradients() {
        let (mean, std) = (Tensor::from([1.0f64, 2.0]).leaf(), Tensor::scalar(0.5).leaf());
        let y = Tensor::normal(&mean, &std, &mut Rng::seed(9));
        let noise = (&y.detach() - &mean.detach()).to_vec().iter().sum::<f64>() / 0.5;
        let grads = y.sum().backward();
        assert_eq!(grads.get(&mean).unwrap().to_vec(), [1.0, 1.0]);
        assert!((grads.get(&std).unwrap().item() - noise).abs() < 1e-12);
    }

    #[test]
    fn rows_are_drawn_apart_and_wrong_weights_refused() {
        let weights = Tensor::from([[0.0f32, 1.0], [1.0, 0.0]]);
        let draws = weights.multinomial(3, true, &mut Rng::seed(1));
        assert_eq!((draws.shape(), draws.to_vec()), (&[2, 3][..], vec![1, 1, 1, 0, 0, 0]));
        let check = |weights: &[f64], needed, want: &str| {
            assert_eq!(check_weights(weights, 2, needed).unwrap_err(), want);
        };
        check(
            &[1.0, 1.0, -1.0, 1.0],
            1,
            "multinomial: needs finite weights from 0 up; got -1 in row 1",
        );
        check(&[1.0, 0.0], 2, "multinomial: needs 2 weights above 0 in each row; got 1 in row 0");
    }
}
