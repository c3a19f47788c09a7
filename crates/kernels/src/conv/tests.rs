//! Convolutions against plain loops in `f64`.

use proptest::prelude::*;

use super::*;
use crate::arch;
use crate::testing::*;

/// Every term of a convolution: positions in image, weight and output.
fn terms(conv: &Conv, mut term: impl FnMut(usize, usize, usize)) {
    let [a, b, c] = conv.axes;
    let (cin, cout) = (conv.in_channels / conv.groups, conv.out_channels / conv.groups);
    let place = |axis: &Window, o: usize, k: usize| {
        let at = (o * axis.stride + k * axis.dilation) as isize - axis.pad;
        (0..axis.input as isize).contains(&at).then_some(at as usize)
    };
    for n in 0..conv.batch {
        for out in 0..conv.places() {
            let (o0, o1, o2) =
                (out / (b.output * c.output), out / c.output % b.output, out % c.output);
            for tap in 0..conv.taps() {
                let (k0, k1, k2) =
                    (tap / (b.kernel * c.kernel), tap / c.kernel % b.kernel, tap % c.kernel);
                let places = (place(&a, o0, k0), place(&b, o1, k1), place(&c, o2, k2));
                let (Some(i), Some(j), Some(k)) = places else { continue };
                let pixel = ((n * a.input + i) * b.input + j) * c.input + k;
                for channel in 0..conv.out_channels {
                    for own in 0..cin {
                        term(
                            pixel * conv.in_channels + channel / cout * cin + own,
                            (channel * cin + own) * conv.taps() + tap,
                            (n * conv.places() + out) * conv.out_channels + channel,
                        );
                    }
                }
            }
        }
    }
}

fn check<T: Float>(conv: &Conv, with_bias: bool, seed: u64) {
    let x: Vec<T> = values(conv.input_len(), seed);
    let w: Vec<T> = values(conv.weight_len(), seed + 1);
    let dy: Vec<T> = values(conv.output_len(), seed + 2);
    let bias: Vec<T> = values(conv.out_channels, seed + 3);
    let bias = with_bias.then_some(&bias[..]);
    let (wide_x, wide_w, wide_dy) = (wide(&x), wide(&w), wide(&dy));
    let start = |at: usize| bias.map_or(0.0, |bias| bias[at % conv.out_channels].to_f64());
    let mut want: [Vec<f64>; 3] =
        [(0..dy.len()).map(start).collect(), vec![0.0; x.len()], vec![0.0; w.len()]];
    let mut sizes: [Vec<f64>; 3] =
        want.each_ref().map(|want| want.iter().map(|y| y.abs()).collect());
    terms(conv, |i, k, o| {
        let products = [wide_x[i] * wide_w[k], wide_dy[o] * wide_w[k], wide_x[i] * wide_dy[o]];
        for (at, (place, product)) in [o, i, k].into_iter().zip(products).enumerate() {
            want[at][place] += product;
            sizes[at][place] += product.abs();
        }
    });
    let mut got = [vec![T::NAN; dy.len()], vec![T::NAN; x.len()], vec![T::NAN; w.len()]];
    super::conv(&x, &w, bias, conv, &mut got[0]);
    conv_backward_input(&dy, &w, conv, &mut got[1]);
    conv_backward_weight(&x, &dy, conv, &mut got[2]);
    let eps = T::EPSILON.to_f64();
    for at in 0..3 {
        let context = (["y", "dx", "dw"][at], conv, arch::current(), T::DTYPE);
        let terms = (conv.weight_len() + conv.output_len()) as f64;
        assert_within(context, &got[at], &want[at], |i| eps * terms.sqrt() * sizes[at][i]);
    }
}

/// A window with as many outputs as fit, and perhaps one less.
fn window(
    (input, kernel, stride, dilation): (usize, usize, usize, usize),
    (before, after): (isize, isize),
) -> Window {
    let reach = (dilation * (kernel - 1)) as isize;
    let free = input as isize + before + after - reach - 1;
    let output = if free < 0 { 0 } else { free as usize / stride + 1 };
    Window { input, output, kernel, stride, dilation, pad: before }
}

fn windows() -> impl Strategy<Value = Window> {
    let sizes = (0..9usize, 1..5usize, 1..4usize, 1..4usize);
    (sizes, (-1..4isize, -1..4isize)).prop_map(|(sizes, pads)| window(sizes, pads))
}

fn image(batch: usize, channels: [usize; 2], groups: usize, axes: [Window; 3]) -> Conv {
    let [in_channels, out_channels] = channels;
    Conv { batch, in_channels, out_channels, groups, axes, winograd: Winograd::Large }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn equals_its_twin(
        batch in 0..4usize,
        (c, o) in (1..20usize, 1..40usize),
        groups in 1..4usize,
        (h, w) in (windows(), windows()),
        with_bias: bool,
        seed in 0..1000u64,
    ) {
        let channels = if groups == 1 { [c, o] } else { [c.div_ceil(4) * groups, o.div_ceil(9) * groups] };
        let conv = image(batch, channels, groups, [Window::ONE, h, w]);
        on_each_isa(|_| {
            check::<f64>(&conv, with_bias, seed);
            check::<f32>(&conv, with_bias, seed);
        });
    }

    #[test]
    fn of_three_axes_equals_its_twin(
        axes in [windows(), windows(), windows()],
        depthwise: bool,
        seed in 0..1000u64,
    ) {
        let conv = match depthwise {
            true => image(2, [5, 5], 5, axes),
            false => image(2, [3, 2], 1, axes),
        };
        check::<f64>(&conv, true, seed);
        check::<f32>(&conv, true, seed);
    }
}

#[test]
fn outputs_that_see_no_pixel_equal_their_twins() {
    let [before, behind] = [(3, 0), (0, 3)].map(|pads| window((4, 2, 1, 1), pads));
    for axes in [[Window::ONE, before, behind], [Window::ONE, behind, before]] {
        for channels in [[1, 16], [5, 16], [16, 16]] {
            on_each_isa(|_| check::<f32>(&image(2, channels, 1, axes), true, 7));
        }
    }
}

#[test]
fn sizes_of_networks_equal_their_twins() {
    let square = |sizes, pad| {
        let window = window(sizes, (pad, pad));
        [Window::ONE, window, window]
    };
    let cases = [
        image(3, [64, 64], 1, square((13, 3, 1, 1), 1)),
        image(2, [130, 70], 1, square((9, 3, 2, 1), 1)),
        image(2, [256, 40], 1, square((5, 1, 1, 1), 0)),
        image(9, [200, 33], 1, square((4, 3, 1, 1), 1)),
        image(2, [1, 32], 1, square((28, 5, 1, 1), 2)),
        image(1, [3, 20], 1, square((40, 7, 2, 1), 3)),
        image(2, [70, 70], 70, square((17, 3, 2, 1), 1)),
        image(2, [48, 96], 3, square((8, 3, 1, 2), 2)),
        // Few input channels by several panels, the last not full.
        image(2, [3, 100], 1, square((13, 3, 1, 1), 1)),
        // More than one chunk and panel.
        image(1, [90, 75], 1, square((9, 3, 2, 1), 1)),
        // A weight gradient in parts, with places left over.
        image(3, [40, 24], 1, square((37, 1, 1, 1), 0)),
        // More taps than are summed at a time; lines without a place that sees all taps.
        image(2, [20, 20], 20, square((11, 5, 1, 2), 4)),
        image(3, [33, 33], 33, square((3, 5, 1, 1), 2)),
        // Of nine taps at a time some rows are neighbours in the image, others are not.
        image(2, [20, 20], 20, square((11, 5, 1, 1), 2)),
        // A window that slides over an odd number of places.
        image(2, [20, 20], 20, square((9, 3, 1, 1), 1)),
        // Several passes of lines.
        image(2, [140, 140], 140, square((40, 3, 1, 1), 1)),
    ];
    on_each_isa(|_| {
        for conv in &cases {
            check::<f32>(conv, true, 7);
        }
    });
}

#[test]
fn threads_do_not_change_bits() {
    let window = window((20, 3, 1, 1), (1, 1));
    let plain = image(5, [40, 50], 1, [Window::ONE, window, window]);
    let depthwise = image(5, [40, 40], 40, [Window::ONE, window, window]);
    let winograd = image(16, [64, 144], 1, [Window::ONE, window, window]);
    let strided = Window { output: 10, stride: 2, ..window };
    let strided = image(33, [64, 144], 1, [Window::ONE, strided, strided]);
    let product = Window { output: 20, kernel: 1, pad: 0, ..window };
    let product = image(11, [40, 50], 1, [Window::ONE, product, product]);
    let few = image(5, [3, 40], 1, [Window::ONE, window, window]);
    for conv in [plain, depthwise, winograd, strided, product, few] {
        let x: Vec<f32> = values(conv.input_len(), 1);
        let w: Vec<f32> = values(conv.weight_len(), 2);
        let dy: Vec<f32> = values(conv.output_len(), 3);
        assert_same_on_threads(|| {
            let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
            super::conv(&x, &w, None, &conv, &mut y);
            conv_backward_input(&dy, &w, &conv, &mut dx);
            conv_backward_weight(&x, &dy, &conv, &mut dw);
            (bits(&y), bits(&dx), bits(&dw))
        });
    }
}

#[test]
#[should_panic(expected = "conv: needs [18, 4, 8] elements of image, weight and output")]
fn lengths_are_checked() {
    let window = window((3, 2, 1, 1), (0, 0));
    let conv = image(1, [2, 1], 1, [Window::ONE, window, window]);
    let conv = Conv {
        out_channels: 2,
        in_channels: 2,
        groups: 2,
        axes: [Window::ONE, window, Window { kernel: 1, output: 2, ..window }],
        ..conv
    };
    super::conv(&[0.0f32; 3], &[0.0], None, &conv, &mut [0.0]);
}

/// The largest errors of image, gradient by the image and by the weight, relative to the root of
/// the mean square of what is right.
fn errors(conv: &Conv) -> [f64; 3] {
    let x: Vec<f32> = values(conv.input_len(), 1);
    let w: Vec<f32> = values(conv.weight_len(), 2);
    let dy: Vec<f32> = values(conv.output_len(), 3);
    let (wide_x, wide_w, wide_dy) = (wide(&x), wide(&w), wide(&dy));
    let mut exact = [vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]];
    terms(conv, |i, k, o| {
        exact[0][o] += wide_x[i] * wide_w[k];
        exact[1][i] += wide_dy[o] * wide_w[k];
        exact[2][k] += wide_x[i] * wide_dy[o];
    });
    let mut got = [vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()], vec![f32::NAN; w.len()]];
    super::conv(&x, &w, None, conv, &mut got[0]);
    conv_backward_input(&dy, &w, conv, &mut got[1]);
    conv_backward_weight(&x, &dy, conv, &mut got[2]);
    std::array::from_fn(|at| {
        let off =
            got[at].iter().zip(&exact[at]).map(|(got, exact)| (f64::from(*got) - exact).abs());
        let squares: f64 = exact[at].iter().map(|exact| exact * exact).sum();
        off.fold(0.0, |a, b| if b.is_nan() { b } else { a.max(b) })
            / (squares / exact[at].len() as f64).sqrt()
    })
}

#[test]
fn winograd_keeps_its_bounds() {
    let square = |sizes| {
        let window = window(sizes, (1, 1));
        [Window::ONE, window, window]
    };
    let strided = |channels, sizes, pads| {
        let other = window((24, 3, 2, 1), (1, 0));
        image(7, channels, 1, [Window::ONE, window(sizes, pads), other])
    };
    let small = image(3, [64, 48], 1, square((14, 3, 1, 1)));
    let wide = image(2, [48, 272], 1, square((17, 3, 1, 1)));
    let deep = image(13, [272, 32], 1, square((4, 3, 1, 1)));
    let five = image(4, [32, 64], 1, square((9, 5, 1, 1)));
    // The bounds that `Winograd` promises.
    let cases = [
        (Winograd::Small, winograd::Form::F2x3, small, 4.0),
        (Winograd::Large, winograd::Form::F4x3, small, 10.0),
        (Winograd::Large, winograd::Form::F4x3, wide, 10.0),
        (Winograd::Large, winograd::Form::F4x3, deep, 10.0),
        (Winograd::Large, winograd::Form::F2x5, five, 10.0),
        (Winograd::Large, winograd::Form::Strided, strided([48, 80], (16, 3, 2, 1), (1, 1)), 10.0),
        (Winograd::Large, winograd::Form::Strided, strided([272, 32], (14, 3, 2, 1), (1, 1)), 10.0),
        (Winograd::Large, winograd::Form::Strided, strided([32, 144], (15, 3, 2, 1), (0, 1)), 10.0),
    ];
    on_each_isa(|isa| {
        for (winograd, form, conv, bound) in cases {
            assert_eq!(winograd::form(&Plan::forward(&conv), winograd), Some(form));
            let direct = errors(&Conv { winograd: Winograd::Off, ..conv });
            let errors = errors(&Conv { winograd, ..conv });
            for (error, direct) in errors.into_iter().zip(direct) {
                assert!(direct > 0.0, "{direct:e}");
                assert!(error < bound * direct, "{isa} {form:?}: {error:e} against {direct:e}");
            }
        }
    });
}

#[test]
fn winograd_is_for_what_it_suits() {
    let form = |channels, sizes| {
        let window = window(sizes, (1, 1));
        let conv = image(8, channels, 1, [Window::ONE, window, window]);
        winograd::form(&Plan::forward(&conv), Winograd::Large)
    };
    assert_eq!(form([64, 64], (16, 3, 1, 1)), Some(winograd::Form::F4x3));
    assert_eq!(form([64, 64], (6, 3, 1, 1)), Some(winograd::Form::F2x3));
    assert_eq!(form([64, 64], (16, 3, 2, 1)), Some(winograd::Form::Strided));
    assert_eq!(form([64, 64], (9, 3, 2, 1)), None);
    assert_eq!(form([64, 64], (16, 3, 3, 1)), None);
    assert_eq!(form([64, 64], (16, 3, 1, 2)), None);
    assert_eq!(form([64, 64], (16, 4, 1, 1)), None);
    assert_eq!(form([16, 64], (16, 3, 1, 1)), None);
    assert_eq!(form([64, 40], (16, 3, 1, 1)), None);
}
