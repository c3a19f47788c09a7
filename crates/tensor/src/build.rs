//! Construction of tensors: from numbers, from shapes, from random distributions.

use backstitch_kernels::{Buffer, DType, Element, Float};
use rand_distr::{Distribution, StandardNormal, StandardUniform};

use crate::rng::Rng;
use crate::shape::numel;
use crate::tensor::Tensor;

/// From elements that are there already.
impl<T: Element> Tensor<T> {
    /// A tensor of these elements, in row-major order, copied.
    ///
    /// # Panics
    /// When the shape asks for another number of elements.
    #[track_caller]
    pub fn from_slice(data: &[T], shape: impl AsRef<[usize]>) -> Self {
        let shape = check_count("from_slice", data.len(), shape.as_ref());
        Tensor::from_buffer(Buffer::from_slice(data), shape)
    }

    /// A tensor of these elements, in row-major order.
    ///
    /// # Panics
    /// When the shape asks for another number of elements.
    #[track_caller]
    pub fn from_vec(data: Vec<T>, shape: impl AsRef<[usize]>) -> Self {
        let shape = check_count("from_vec", data.len(), shape.as_ref());
        Tensor::from_buffer(Buffer::from_slice(&data), shape)
    }

    /// A tensor without axes, of one element.
    pub fn scalar(value: T) -> Self {
        Tensor::full([], value)
    }

    /// A tensor whose elements are all `value`.
    #[track_caller]
    pub fn full(shape: impl AsRef<[usize]>, value: T) -> Self {
        Tensor::build(shape.as_ref(), |out| out.fill(value))
    }

    /// A tensor whose element at each index is `value` of that index.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let eye = Tensor::from_fn([2, 2], |idx| if idx[0] == idx[1] { 1.0f32 } else { 0.0 });
    /// assert_eq!(eye.to_vec(), [1.0, 0.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn from_fn(shape: impl AsRef<[usize]>, mut value: impl FnMut(&[usize]) -> T) -> Self {
        let shape = shape.as_ref();
        Tensor::build(shape, |out| {
            let mut idx = vec![0; shape.len()];
            for element in out {
                *element = value(&idx);
                for axis in (0..shape.len()).rev() {
                    idx[axis] += 1;
                    if idx[axis] < shape[axis] {
                        break;
                    }
                    idx[axis] = 0;
                }
            }
        })
    }
}

#[track_caller]
fn check_count<'a>(name: &str, count: usize, shape: &'a [usize]) -> &'a [usize] {
    assert!(
        numel(shape) == count,
        "{name}: needs {} elements for shape {shape:?}; got {count}",
        numel(shape)
    );
    shape
}

impl<T: Element> Tensor<T> {
    /// The numbers from `start` to below `end`, each `step` more than the one before; with a
    /// negative step, down to above `end`.
    ///
    /// # Numerics
    /// Floats are rounded once each, from f64. Where `end` is a multiple of the step off,
    /// rounding decides whether it is reached; [`Tensor::linspace`] has both ends.
    ///
    /// # Panics
    /// When the step is 0 or leads away from `end`.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::arange(0i64, 3, 1).to_vec(), [0, 1, 2]);
    /// assert_eq!(Tensor::arange(1.0, 0.0, -0.25).to_vec(), [1.0, 0.75, 0.5, 0.25]);
    /// ```
    #[track_caller]
    pub fn arange(start: T, end: T, step: T) -> Self {
        let [first, last, by] = [start, end, step].map(T::cast::<f64>);
        let count = (last - first) / by;
        assert!(
            by != 0.0 && count >= 0.0 && count.is_finite(),
            "arange: needs a step that leads from start to end; got {start}, {end} and {step}"
        );
        Tensor::from_fn([count.ceil() as usize], |idx| match T::DTYPE {
            DType::I64 => T::from_i64(start.cast::<i64>() + idx[0] as i64 * step.cast::<i64>()),
            _ => T::from_f64(first + idx[0] as f64 * by),
        })
    }
}

/// From shapes and distributions.
impl<T: Float> Tensor<T> {
    /// A tensor of zeros.
    #[track_caller]
    pub fn zeros(shape: impl AsRef<[usize]>) -> Self {
        Tensor::full(shape, T::ZERO)
    }

    /// A tensor of ones.
    #[track_caller]
    pub fn ones(shape: impl AsRef<[usize]>) -> Self {
        Tensor::full(shape, T::ONE)
    }

    /// The identity matrix of `n` rows.
    pub fn eye(n: usize) -> Self {
        Tensor::from_fn([n, n], |idx| if idx[0] == idx[1] { T::ONE } else { T::ZERO })
    }

    /// `count` numbers at equal distances from `first` to `last`, both included.
    pub fn linspace(first: T, last: T, count: usize) -> Self {
        let step = (last - first) / T::from_usize(count.max(2) - 1);
        Tensor::from_fn([count], |idx| match idx[0] + 1 == count && count > 1 {
            true => last,
            false => first + T::from_usize(idx[0]) * step,
        })
    }

    /// Draws from the normal distribution with mean 0 and standard deviation 1.
    #[track_caller]
    pub fn randn(shape: impl AsRef<[usize]>, rng: &mut Rng) -> Self {
        Self::sample(shape, rng, |rng| StandardNormal.sample(rng))
    }

    /// Draws from the uniform distribution on `[low, high)`.
    #[track_caller]
    pub fn rand(shape: impl AsRef<[usize]>, low: T, high: T, rng: &mut Rng) -> Self {
        let width = (high - low).to_f64();
        Self::sample(shape, rng, |rng| {
            let unit: f64 = StandardUniform.sample(rng);
            low.to_f64() + width * unit
        })
    }

    /// Draws every element from `distribution`.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{Rng, Tensor};
    ///
    /// let waits = Tensor::<f32>::random([4], rand_distr::Exp::new(2.0).unwrap(), &mut Rng::seed(0));
    /// assert!(waits.to_vec().iter().all(|&wait| wait >= 0.0));
    /// ```
    #[track_caller]
    pub fn random(
        shape: impl AsRef<[usize]>,
        distribution: impl Distribution<f64>,
        rng: &mut Rng,
    ) -> Self {
        Self::sample(shape, rng, |rng| distribution.sample(rng))
    }

    #[track_caller]
    fn sample(
        shape: impl AsRef<[usize]>,
        rng: &mut Rng,
        mut draw: impl FnMut(&mut Rng) -> f64,
    ) -> Self {
        Tensor::build(shape.as_ref(), |out| out.fill_with(|| T::from_f64(draw(rng))))
    }
}

impl<T: Element> From<T> for Tensor<T> {
    fn from(value: T) -> Self {
        Tensor::scalar(value)
    }
}

impl<T: Element> From<&[T]> for Tensor<T> {
    fn from(data: &[T]) -> Self {
        Tensor::from_slice(data, [data.len()])
    }
}

impl<T: Element> From<Vec<T>> for Tensor<T> {
    fn from(data: Vec<T>) -> Self {
        let shape = [data.len()];
        Tensor::from_vec(data, shape)
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Tensor<T> {
    fn from(data: [T; N]) -> Self {
        Tensor::from_slice(&data, [N])
    }
}

impl<T: Element, const M: usize, const N: usize> From<[[T; N]; M]> for Tensor<T> {
    fn from(data: [[T; N]; M]) -> Self {
        Tensor::from_slice(data.as_flattened(), [M, N])
    }
}

impl<T: Element, const N: usize> From<&[[T; N]]> for Tensor<T> {
    fn from(rows: &[[T; N]]) -> Self {
        Tensor::from_slice(rows.as_flattened(), [rows.len(), N])
    }
}

impl<T: Element, const N: usize> From<Vec<[T; N]>> for Tensor<T> {
    fn from(rows: Vec<[T; N]>) -> Self {
        Tensor::from(&rows[..])
    }
}

impl<T: Element, const L: usize, const M: usize, const N: usize> From<[[[T; N]; M]; L]>
    for Tensor<T>
{
    fn from(data: [[[T; N]; M]; L]) -> Self {
        Tensor::from_slice(data.as_flattened().as_flattened(), [L, M, N])
    }
}

impl<T: Element> FromIterator<T> for Tensor<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Tensor::from(items.into_iter().collect::<Vec<T>>())
    }
}

impl<T: Element> Default for Tensor<T> {
    /// A scalar of the element type's default: zero, or false.
    fn default() -> Self {
        Tensor::scalar(T::default())
    }
}
