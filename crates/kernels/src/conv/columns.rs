//! Weights with their output channels side by side, as registers hold them.

use super::plan::Plan;
use crate::Float;
use crate::gemm::transpose::transpose;

/// Brings the weights between some input channels, from `input` on, and `count` output channels,
/// from `output` on, to `(channels, taps of the kernel, width)`. What lies behind the `count`-th
/// column is arbitrary.
///
/// `w` starts at the group that the channels are counted in.
pub(super) fn columns<T: Float>(
    w: &[T],
    plan: &Plan,
    (input, output): (usize, usize),
    (channels, count): (usize, usize),
    (to, width): (&mut [T], usize),
) {
    let (in_step, out_step) = (plan.in_step, plan.out_step);
    let taps: usize = plan.axes.iter().map(|axis| axis.kernel).product();
    // Where all taps of neighbouring input channels are neighbours, they are one run.
    let joined = if in_step == taps { channels } else { 1 };
    let to = &mut to[..channels * taps * width];
    for (at, to) in to.chunks_exact_mut(joined * taps * width).enumerate() {
        let first = (input + at * joined) * in_step + output * out_step;
        let w = &w[first..first + (count - 1) * out_step + joined * taps];
        // SAFETY: the slices were just cut to these lengths: `count` runs, `out_step` apart, and
        // as many rows of `width`.
        unsafe {
            let to = (to.as_mut_ptr(), width);
            transpose((w.as_ptr(), out_step as isize), count, joined * taps, to, width);
        }
    }
}
