//! `max_unpool`: what a maximum pooling kept, back at the places where it was found.

use backstitch_kernels::Float;

use super::gather::outside;
use super::places::Places;
use crate::shape::{Shape, ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

/// The pooling over `D` axes that a [`max_unpool`](Tensor::max_unpool2d) turns back. The defaults
/// are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpoolOptions<const D: usize> {
    /// Places from one window to the next. The kernel's size by default.
    pub stride: Option<[usize; D]>,
    /// Places around the image that windows may have lain on. None by default.
    pub padding: [usize; D],
    /// The size of the image that was pooled. By default the smallest that fits,
    /// `(in - 1) stride - 2 padding + kernel`; another may differ by less than a stride.
    pub output: Option<[usize; D]>,
}

impl<const D: usize> Default for UnpoolOptions<D> {
    fn default() -> Self {
        UnpoolOptions { stride: None, padding: [0; D], output: None }
    }
}

macro_rules! methods {
    ($($name:ident $with_indices:ident $axes:literal)*) => {
        impl<T: Float> Tensor<T> {
            $(
                #[doc = concat!("Puts each element at its place in an image of zeros, over ", stringify!($axes), " axes: ")]
                #[doc = concat!("a partial inverse of [`", stringify!($with_indices), "`](Tensor::", stringify!($with_indices), ").")]
                ///
                /// `y[n, c, indices[n, c, o]] = x[n, c, o]`; where places meet, the last one stays.
                ///
                /// # Shape
                /// `x (N, C, ...)` or `(C, ...)` and `indices` alike, which count in row-major order
                /// over the axes of `y` behind the channels, to `y` alike.
                ///
                /// # Gradient
                /// `dx` is `dy` at the places, and 0 for elements that did not stay. (PyTorch's is
                /// `dy` for those as well.)
                ///
                /// # Panics
                /// When the shapes do not fit, the image has another size than one that is pooled
                /// to `x`, or an index lies outside of it.
                #[track_caller]
                pub fn $name(
                    &self,
                    indices: &Tensor<i64>,
                    kernel: [usize; $axes],
                    options: &UnpoolOptions<$axes>,
                ) -> Tensor<T> {
                    max_unpool(stringify!($name), self, indices, kernel, options)
                }
            )*
        }
    };
}

methods! {
    max_unpool1d max_pool1d_with_indices 1
    max_unpool2d max_pool2d_with_indices 2
    max_unpool3d max_pool3d_with_indices 3
}

#[track_caller]
fn max_unpool<T: Float, const D: usize>(
    name: &'static str,
    x: &Tensor<T>,
    indices: &Tensor<i64>,
    kernel: [usize; D],
    options: &UnpoolOptions<D>,
) -> Tensor<T> {
    let shape = or_panic(shape_rule(name, x.shape(), indices.shape(), kernel, options));
    let front = x.rank() - D;
    let planes: usize = shape[..front].iter().product();
    let flat = |axes: &[usize]| [planes, axes.iter().product()];
    let places = Places::elements(1, &indices.reshape(flat(&x.shape()[front..])));
    let image = Tensor::zeros(flat(&shape[front..]));
    let y = image.put_at(name, places, &x.reshape(flat(&x.shape()[front..])));
    or_panic(y.map_err(|bad| outside(name, bad, &shape))).reshape(shape)
}

/// The shape of the image.
fn shape_rule<const D: usize>(
    name: &str,
    x: &[usize],
    indices: &[usize],
    kernel: [usize; D],
    options: &UnpoolOptions<D>,
) -> Result<Shape, ShapeError> {
    let refuse = |rule: &str| {
        let got = format!("{x:?}, indices {indices:?}, kernel {kernel:?} and {options:?}");
        Err(ShapeError::new(name, rule, got))
    };
    if x != indices || !(D + 1..=D + 2).contains(&x.len()) {
        return refuse("x (N, C, ...) or (C, ...) and indices of the same shape");
    }
    let front = x.len() - D;
    let mut shape = Shape::new(x);
    for axis in 0..D {
        // Wide numbers: those of a user may be too large to be multiplied.
        let wide = |n: usize| n as i128;
        let (n, stride) = (wide(x[front + axis]), options.stride.unwrap_or(kernel)[axis]);
        let inner = (n - 1) * wide(stride) - 2 * wide(options.padding[axis]) + wide(kernel[axis]);
        let output = options.output.map_or(inner, |output| wide(output[axis]));
        let fits = (output - inner).abs() < wide(stride) || output == inner;
        if n == 0 || kernel[axis] == 0 || stride == 0 || output <= 0 || !fits {
            return refuse(
                "at least one place along each axis, and an image that differs from \
                 (in - 1) stride - 2 padding + kernel by less than a stride",
            );
        }
        shape[front + axis] = usize::try_from(output).unwrap_or(usize::MAX);
    }
    Ok(shape)
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "max_unpool max_unpool2d",
        formula: "y[n, c, idx[n, c, o]] = x[n, c, o], else 0",
        shapes: &[
            &[&[1, 1, 1, 1]],
            &[&[0, 2, 2, 3]],
            &[&[2, 3, 2, 3]],
            &[&[17, 7, 2]],
            &[&[16, 32, 14, 14]],
        ],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| {
            x[0].max_unpool2d(&example(x[0].shape(), 2, 4), [2, 2], &UnpoolOptions::default())
        }),
        oracle: Oracle::Whole(|x| unpooled(&x[0], 2, 4, |n, _| 2 * n)),
        refused: &[&[&[2, 2]], &[&[1, 1, 0, 4]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "max_unpool max_unpool1d",
        formula: "y[n, c, idx[n, c, o]] = x[n, c, o], else 0, with a place more",
        shapes: &[&[&[1, 1, 1]], &[&[2, 3, 7]], &[&[3, 14]], &[&[16, 32, 100]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| {
            let n = x[0].size(-1);
            let options = UnpoolOptions { output: Some([2 * n + 1]), ..UnpoolOptions::default() };
            x[0].max_unpool1d(&example(x[0].shape(), 1, 2), [2], &options)
        }),
        oracle: Oracle::Whole(|x| unpooled(&x[0], 1, 2, |n, _| 2 * n + 1)),
        refused: &[&[&[2]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "max_unpool max_unpool3d",
        formula: "y[n, c, idx[n, c, o]] = x[n, c, o], else 0, of windows that overlap",
        shapes: &[&[&[1, 1, 2, 1, 2]], &[&[2, 3, 2, 3, 2]], &[&[2, 3, 2, 5]], &[&[4, 8, 8, 8, 8]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| {
            let (stride, padding) = (Some([2, 1, 2]), [1, 0, 0]);
            let options = UnpoolOptions { stride, padding, output: None };
            x[0].max_unpool3d(&example(x[0].shape(), 3, 1), [3, 1, 2], &options)
        }),
        oracle: Oracle::Whole(|x| unpooled(&x[0], 3, 1, |n, axis| [2 * n - 1, n, 2 * n][axis])),
        refused: &[&[&[2, 2, 2]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    },
];

/// Places in planes that are `larger` times as large as those of `shape`, which meet in planes that
/// are a multiple of 7.
fn example(shape: &[usize], axes: usize, larger: usize) -> Tensor<i64> {
    let front = shape.len().saturating_sub(axes);
    let plane: usize = shape[front..].iter().product();
    let count: usize = shape.iter().product();
    let places = (0..count).map(|i| (i * 7 % (plane * larger)) as i64).collect();
    Tensor::from_vec(places, shape)
}

/// The same by plain loops, into planes whose sizes follow from those of `x` by `size`.
fn unpooled(
    x: &Tensor<f64>,
    axes: usize,
    larger: usize,
    size: impl Fn(usize, usize) -> usize,
) -> Tensor<f64> {
    let (indices, front) = (example(x.shape(), axes, larger).to_vec(), x.rank() - axes);
    let mut shape = x.shape().to_vec();
    for (axis, n) in shape[front..].iter_mut().enumerate() {
        *n = size(*n, axis);
    }
    let plane = |shape: &[usize]| shape[front..].iter().product::<usize>();
    let (small, large) = (plane(x.shape()), plane(&shape));
    let mut y = vec![0.0; shape.iter().product()];
    for (i, (x, index)) in x.to_vec().into_iter().zip(indices).enumerate() {
        y[i / small * large + index as usize] = x;
    }
    Tensor::from_vec(y, shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Padding, PoolOptions};

    /// PyTorch's documentation of `MaxUnpool2d` has these numbers.
    #[test]
    fn a_pooling_is_turned_back() {
        let x = Tensor::from_vec((1..=16).map(|i| i as f32).collect(), [1, 1, 4, 4]);
        let (y, indices) = x.max_pool2d_with_indices([2, 2], &PoolOptions::default());
        let back = y.max_unpool2d(&indices, [2, 2], &UnpoolOptions::default());
        let kept = |x: f32| if [6.0, 8.0, 14.0, 16.0].contains(&x) { x } else { 0.0 };
        assert_eq!(back.to_vec(), x.to_vec().into_iter().map(kept).collect::<Vec<_>>());
        // An image of odd size, and windows that overlap and lie on padding.
        let x = Tensor::from_vec((0..25).map(|i| (i * 7 % 25) as f32).collect(), [1, 5, 5]);
        let (stride, padding) = (Some([2, 2]), Padding::Number([1, 1]));
        let options = PoolOptions { stride, padding, ..PoolOptions::default() };
        let (y, indices) = x.max_pool2d_with_indices([3, 3], &options);
        let options = UnpoolOptions { stride, padding: [1, 1], output: None };
        let back = y.max_unpool2d(&indices, [3, 3], &options);
        assert_eq!(back.shape(), x.shape());
        let found = indices.to_vec();
        for (i, (back, x)) in back.to_vec().into_iter().zip(x.to_vec()).enumerate() {
            assert_eq!(back, if found.contains(&(i as i64)) { x } else { 0.0 });
        }
    }

    #[test]
    fn sizes_and_indices_that_do_not_fit_are_refused() {
        let refusal = |index: i64, options: UnpoolOptions<1>| {
            let (x, indices) = (Tensor::<f32>::ones([1, 2]), Tensor::from([[index, 0]]));
            let refused = std::panic::catch_unwind(|| x.max_unpool1d(&indices, [3], &options));
            refused.err().map(|message| *message.downcast::<String>().unwrap())
        };
        let sized = |n| UnpoolOptions { output: Some([n]), ..UnpoolOptions::default() };
        assert!(refusal(5, UnpoolOptions::default()).is_none());
        assert_eq!(
            refusal(6, UnpoolOptions::default()).unwrap(),
            "max_unpool1d: needs indices from 0 to 5; got 6 at position 0, for a tensor of shape \
             [1, 6]"
        );
        assert!([4, 8].into_iter().all(|n| refusal(0, sized(n)).is_none()));
        for options in [
            sized(3),
            sized(9),
            UnpoolOptions { stride: Some([0]), ..UnpoolOptions::default() },
            UnpoolOptions { padding: [3], ..UnpoolOptions::default() },
            UnpoolOptions { stride: Some([usize::MAX]), padding: [usize::MAX], output: None },
        ] {
            let message = refusal(0, options).expect("refused");
            assert!(message.starts_with("max_unpool1d: needs at least one place"), "{message}");
        }
        let more = Tensor::from([[0i64, 1, 0]]);
        let refused = std::panic::catch_unwind(|| {
            Tensor::<f32>::ones([1, 2]).max_unpool1d(&more, [3], &UnpoolOptions::default())
        });
        let message = refused.unwrap_err().downcast::<String>().unwrap();
        assert!(
            message.contains("indices of the same shape; got [1, 2], indices [1, 3]"),
            "{message}"
        );
    }
}
