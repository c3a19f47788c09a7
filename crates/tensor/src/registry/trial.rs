//! [`Trial`]: a set of inputs to try an op on, with the [`Layout`] of each.

use backstitch_kernels::Float;

use crate::rng::Rng;
use crate::spec::{Domain, OpSpec};
use crate::tensor::Tensor;

/// How a tensor's elements lie in its buffer.
///
/// A layout that a tensor's rank does not allow falls back to [`Layout::Contiguous`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Row-major, alone in the buffer.
    Contiguous,
    /// The inside of a larger tensor, whose other elements are NaN.
    Inside,
    /// First and last axis swapped.
    Transposed,
    /// Every second element of the last axis of a larger tensor, whose other elements are NaN.
    Gaps,
    /// First and last axis walked backwards.
    Reversed,
    /// The first axis repeats one part; so do the values.
    ExpandedFirst,
    /// The last axis repeats one element; so do the values.
    ExpandedLast,
    /// The second axis behind all others, as convolutions leave images of three axes or more.
    ChannelsLast,
}

impl Layout {
    /// All of them, the simplest first.
    pub const ALL: [Layout; 8] = [
        Layout::Contiguous,
        Layout::Inside,
        Layout::Transposed,
        Layout::Gaps,
        Layout::Reversed,
        Layout::ExpandedFirst,
        Layout::ExpandedLast,
        Layout::ChannelsLast,
    ];

    /// Whether the layout makes values repeat.
    fn repeats(self) -> bool {
        matches!(self, Layout::ExpandedFirst | Layout::ExpandedLast)
    }

    /// The values of `x` in this layout; the expanded ones repeat the first values of their axis.
    pub fn lay<T: Float>(self, x: &Tensor<T>) -> Tensor<T> {
        let x = x.detach();
        if x.rank() == 0 || x.numel() == 0 {
            return x;
        }
        let last = x.rank() - 1;
        match self {
            Layout::Contiguous => x.contiguous(),
            Layout::Inside => {
                let pad = |n: &usize| n + 3;
                let outer: Vec<usize> = x.shape().iter().map(pad).collect();
                let inside = |i: usize, n: usize| i >= 1 && i <= n;
                let outer = Tensor::from_fn(&outer, |idx| {
                    let own: Vec<usize> = idx.iter().map(|i| i.wrapping_sub(1)).collect();
                    let hit = idx.iter().zip(x.shape()).all(|(&i, &n)| inside(i, n));
                    if hit { x.at(&own) } else { T::NAN }
                });
                (0..x.rank()).fold(outer, |y, axis| y.narrow(axis as isize, 1, x.shape()[axis]))
            }
            Layout::Transposed => x.transpose(0, -1).contiguous().transpose(0, -1),
            Layout::Gaps => {
                let mut outer = x.shape().to_vec();
                outer[last] = 2 * outer[last] + 1;
                let outer = Tensor::from_fn(&outer, |idx| {
                    let mut own = idx.to_vec();
                    own[last] /= 2;
                    if idx[last] % 2 == 1 { x.at(&own) } else { T::NAN }
                });
                outer.slice_step(-1, 1.., 2)
            }
            Layout::Reversed => {
                let flip = |x: Tensor<T>| x.slice_step(0, .., -1).slice_step(-1, .., -1);
                flip(flip(x).contiguous())
            }
            Layout::ExpandedFirst => x.narrow(0, 0, 1).contiguous().broadcast_view(x.shape()),
            Layout::ExpandedLast => x.narrow(-1, 0, 1).contiguous().broadcast_view(x.shape()),
            Layout::ChannelsLast if last < 2 => x.contiguous(),
            Layout::ChannelsLast => x.movedim(1, -1).contiguous().movedim(-1, 1),
        }
    }
}

/// One set of inputs for an op: everything that a check draws follows from it.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The shapes of all inputs.
    pub shapes: Vec<Vec<usize>>,
    /// The layout of each input.
    pub layouts: Vec<Layout>,
    /// The layout of the incoming gradient.
    pub dy_layout: Layout,
    /// The seed of all values.
    pub seed: u64,
}

impl Trial {
    /// Row-major inputs of these shapes.
    pub fn new(shapes: &[&[usize]], seed: u64) -> Trial {
        Trial {
            shapes: shapes.iter().map(|shape| shape.to_vec()).collect(),
            layouts: vec![Layout::Contiguous; shapes.len()],
            dy_layout: Layout::Contiguous,
            seed,
        }
    }

    /// Trials of all example shapes but the last, which is large: with all layouts in turn.
    pub fn examples(spec: &OpSpec) -> impl Iterator<Item = Trial> {
        let small = &spec.shapes[..spec.shapes.len().saturating_sub(1)];
        let layouts = || Layout::ALL.into_iter().enumerate();
        small.iter().flat_map(move |shapes| {
            layouts().map(move |(i, dy_layout)| {
                let mut trial = Trial::new(shapes, i as u64);
                let count = Layout::ALL.len();
                for (k, layout) in trial.layouts.iter_mut().enumerate() {
                    *layout = Layout::ALL[(i + 3 * k) % count];
                }
                Trial { dy_layout, ..trial }
            })
        })
    }

    /// The shapes, as specs write them.
    pub fn shapes(&self) -> Vec<&[usize]> {
        self.shapes.iter().map(Vec::as_slice).collect()
    }

    /// Inputs drawn from the op's domain, rounded to `T`.
    ///
    /// Layouts that repeat values stay out of a domain that is more than a range: its values may
    /// have to differ.
    pub fn inputs<T: Float>(&self, spec: &OpSpec) -> Vec<Tensor<T>> {
        let custom = matches!(spec.domain, Domain::Custom(_));
        self.laid_out(spec, |_, layout| custom && layout.repeats())
    }

    /// Like [`Trial::inputs`], but whole matrices may repeat in any domain.
    pub(super) fn repeating_inputs<T: Float>(&self, spec: &OpSpec) -> Vec<Tensor<T>> {
        let custom = matches!(spec.domain, Domain::Custom(_));
        let batch = |x: &Tensor<f64>| x.rank() > 2;
        self.laid_out(spec, |x, layout| match layout {
            Layout::ExpandedFirst => custom && !batch(x),
            layout => custom && layout.repeats(),
        })
    }

    fn laid_out<T: Float>(
        &self,
        spec: &OpSpec,
        refuses: impl Fn(&Tensor<f64>, Layout) -> bool,
    ) -> Vec<Tensor<T>> {
        let values = spec.draw(&self.shapes(), &mut Rng::seed(self.seed));
        let lay = |(x, &layout): (&Tensor<f64>, &Layout)| {
            let layout = if refuses(x, layout) { Layout::Contiguous } else { layout };
            layout.lay(&cast(x))
        };
        values.iter().zip(&self.layouts).map(lay).collect()
    }

    /// A random gradient of an output.
    pub fn dy<T: Float>(&self, shape: &[usize]) -> Tensor<T> {
        let mut rng = Rng::seed(self.seed ^ 0x9e37_79b9_7f4a_7c15);
        // Rounded to f32, so that both element types get the same numbers.
        let dy: Tensor<f32> = Tensor::randn(shape, &mut rng);
        self.dy_layout.lay(&cast(&dy))
    }
}

/// The same values in another precision.
pub(super) fn cast<A: Float, B: Float>(x: &Tensor<A>) -> Tensor<B> {
    Tensor::from_vec(x.to_vec().into_iter().map(A::cast).collect(), x.shape())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_keep_values_and_differ_in_strides() {
        let x = Tensor::<f64>::randn([3, 2, 5], &mut Rng::seed(0));
        for layout in Layout::ALL {
            let y = layout.lay(&x);
            assert_eq!(y.shape(), x.shape());
            assert_eq!(y.is_contiguous(), layout == Layout::Contiguous, "{layout:?}");
            let first = |idx: &[usize]| match layout {
                Layout::ExpandedFirst => x.at(&[&[0], &idx[1..]].concat()),
                Layout::ExpandedLast => x.at(&[&idx[..2], &[0][..]].concat()),
                _ => x.at(idx),
            };
            assert_eq!(y.to_vec(), Tensor::from_fn([3, 2, 5], first).to_vec(), "{layout:?}");
        }
    }

    #[test]
    fn layouts_of_small_tensors_stay_inside() {
        for shape in [&[][..], &[0], &[1], &[0, 3], &[1, 1]] {
            let x = Tensor::<f32>::randn(shape, &mut Rng::seed(0));
            for layout in Layout::ALL {
                assert_eq!(layout.lay(&x).to_vec(), x.to_vec(), "{layout:?} of {shape:?}");
            }
        }
    }
}
