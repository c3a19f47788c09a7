//! Shared tests of all layers: PyTorch's numbers, names, clones, evaluation; and chances of
//! dropout and initialisation.

use std::collections::BTreeMap;

use backstitch_tensor::{InterpolateOptions, Interpolation, Rng, Tensor, check_gradients};

use super::*;
use crate::{Layer, ModuleExt, Pass, Statistics};

/// What the shared tests need to know about a layer.
struct Entry {
    /// Its name in `tests/golden/layers.csv`.
    name: &'static str,
    layer: Box<dyn Layer<f64>>,
    shape: &'static [usize],
    /// How many batches it has seen when its last output is compared.
    batches: usize,
    /// Whether the last of them is a training pass.
    trains: bool,
}

fn entry(name: &'static str, layer: impl Layer<f64> + 'static, shape: &'static [usize]) -> Entry {
    Entry { name, layer: Box::new(layer), shape, batches: 1, trains: true }
}

/// The registry of layers.
#[rustfmt::skip]
fn registry() -> Vec<Entry> {
    let rng = &mut Rng::seed(0);
    let linear = |a, b, rng: &mut Rng| Linear::<f64>::new(a, b, rng);
    let norm = |options| BatchNorm1d::<f64>::with_options(3, options);
    let defaults = BatchNormOptions::default();
    let without_bias = LinearOptions { bias: false, ..LinearOptions::default() };
    let layer_norm = LayerNormOptions::default();
    vec![
        entry("linear", linear(3, 2, rng), &[4, 3]),
        entry("linear wide", linear(3, 2, rng), &[2, 2, 3]),
        entry("linear without bias", Linear::with_options(3, 2, without_bias, rng), &[3]),
        Entry { batches: 3, ..entry("batch_norm", norm(defaults), &[5, 3]) },
        entry("batch_norm time", BatchNorm1d::new(2), &[3, 2, 4]),
        Entry { batches: 3, ..entry("batch_norm average", norm(BatchNormOptions { momentum: None, ..defaults }), &[4, 3]) },
        entry("batch_norm plain", norm(BatchNormOptions { affine: false, eps: 0.1, ..defaults }), &[4, 3]),
        Entry { trains: false, ..entry("batch_norm untracked", norm(BatchNormOptions { track_running_stats: false, ..defaults }), &[4, 3]) },
        Entry { batches: 3, trains: false, ..entry("batch_norm eval", norm(defaults), &[5, 3]) },
        entry("layer_norm", LayerNorm::new([4]), &[2, 3, 4]),
        entry("layer_norm two axes", LayerNorm::with_options([3, 4], LayerNormOptions { eps: 0.1, ..layer_norm }), &[2, 3, 4]),
        entry("layer_norm without bias", LayerNorm::with_options([4], LayerNormOptions { bias: false, ..layer_norm }), &[3, 4]),
        entry("layer_norm plain", LayerNorm::with_options([4], LayerNormOptions { elementwise_affine: false, ..layer_norm }), &[3, 4]),
        entry("prelu", Prelu::new(3), &[2, 3, 2]),
        entry("prelu one", Prelu::new(1), &[2, 3]),
        entry("elu", Elu(0.7), &[7]),
        entry("gelu", Gelu, &[7]),
        entry("gelu_tanh", GeluTanh, &[7]),
        entry("hardswish", Hardswish, &[7]),
        entry("leaky_relu", LeakyRelu(0.2), &[7]),
        entry("log_softmax", LogSoftmax(1), &[2, 4]),
        entry("mish", Mish, &[7]),
        entry("relu", Relu, &[7]),
        entry("selu", Selu, &[7]),
        entry("sigmoid", Sigmoid, &[7]),
        entry("silu", Silu, &[7]),
        entry("softmax", Softmax(-1), &[2, 4]),
        entry("softplus", Softplus, &[7]),
        entry("tanh", Tanh, &[7]),
        Entry { trains: false, ..entry("dropout eval", Dropout::new(0.3), &[7]) },
        entry("sequential", Sequential::new().then(linear(3, 4, rng)).then(BatchNorm1d::new(4)).then(Tanh).then(linear(4, 2, rng)), &[5, 3]),
        entry("residual", Residual { inner: (LayerNorm::new([3]), linear(3, 3, rng), Gelu) }, &[4, 3]),
    ]
}

/// Layers of images.
#[rustfmt::skip]
fn image_layers() -> Vec<Entry> {
    let rng = &mut Rng::seed(1);
    let instance = InstanceNormOptions::default();
    vec![
        entry("conv1d", Conv1d::with_options(2, 3, [3], Conv1dOptions { stride: [2], padding: 1.into(), ..Default::default() }, rng), &[2, 2, 5]),
        entry("conv2d", Conv2d::new(2, 3, 2, rng), &[1, 2, 3, 4]),
        entry("conv2d groups", Conv2d::with_options(4, 2, [1, 3], Conv2dOptions { groups: 2, dilation: [1, 2], bias: false, padding: [0, 1].into(), ..Default::default() }, rng), &[1, 4, 2, 4]),
        entry("conv2d same", Conv2d::with_options(1, 2, [2, 4], Conv2dOptions { padding: backstitch_tensor::Padding::Same, ..Default::default() }, rng), &[1, 1, 3, 4]),
        entry("conv2d reflect", Conv2d::with_options(1, 2, [2, 3], Conv2dOptions { padding: [0, 2].into(), stride: [2, 2], padding_mode: PaddingMode::Reflect, ..Default::default() }, rng), &[1, 1, 3, 4]),
        entry("conv2d replicate", Conv2d::with_options(1, 2, [2, 4], Conv2dOptions { padding: backstitch_tensor::Padding::Same, padding_mode: PaddingMode::Replicate, ..Default::default() }, rng), &[1, 1, 3, 4]),
        entry("conv1d circular", Conv1d::with_options(2, 2, [3], Conv1dOptions { padding: 2.into(), dilation: [2], padding_mode: PaddingMode::Circular, ..Default::default() }, rng), &[1, 2, 5]),
        entry("conv3d", Conv3d::new(1, 2, 2, rng), &[1, 1, 2, 3, 2]),
        entry("conv_transpose1d", ConvTranspose1d::new(2, 3, 2, rng), &[2, 2, 3]),
        entry("conv_transpose2d", ConvTranspose2d::with_options(2, 4, [3, 2], ConvTranspose2dOptions { stride: [2, 1], padding: [1, 0].into(), output_padding: [1, 0], groups: 2, ..Default::default() }, rng), &[1, 2, 2, 3]),
        entry("conv_transpose3d", ConvTranspose3d::new(1, 2, 2, rng), &[1, 1, 2, 1, 2]),
        entry("max_pool1d", MaxPool1d::new(2), &[2, 2, 5]),
        entry("max_pool2d", MaxPool2d::with_options([3, 2], backstitch_tensor::PoolOptions { stride: Some([2, 1]), padding: 1.into(), ceil_mode: true, ..Default::default() }), &[1, 2, 4, 3]),
        entry("max_pool3d", MaxPool3d::new(2), &[1, 1, 2, 4, 3]),
        entry("avg_pool1d", AvgPool1d::new(3), &[2, 2, 6]),
        entry("avg_pool2d", AvgPool2d::with_options([3, 2], backstitch_tensor::AvgPoolOptions { windows: backstitch_tensor::PoolOptions { stride: Some([2, 2]), padding: 1.into(), ceil_mode: true, ..Default::default() }, ..Default::default() }), &[1, 2, 4, 3]),
        entry("avg_pool2d inside", AvgPool2d::with_options([3, 3], backstitch_tensor::AvgPoolOptions { windows: backstitch_tensor::PoolOptions { stride: Some([2, 2]), padding: 1.into(), ceil_mode: true, ..Default::default() }, count_include_pad: false, divisor_override: None }), &[1, 2, 4, 3]),
        entry("avg_pool3d", AvgPool3d::new(2), &[1, 1, 2, 4, 3]),
        entry("lp_pool1d", LpPool1d::new(4.0, 2), &[2, 2, 5]),
        entry("lp_pool2d", LpPool2d::with_options(2.0, [3, 2], backstitch_tensor::PoolOptions { stride: Some([1, 2]), ..Default::default() }), &[1, 2, 4, 4]),
        entry("lp_pool3d", LpPool3d::new(2.0, 2), &[1, 1, 2, 2, 3]),
        entry("adaptive_avg_pool2d", AdaptiveAvgPool2d { output: [3, 2] }, &[1, 2, 5, 3]),
        entry("adaptive_max_pool2d", AdaptiveMaxPool2d { output: [3, 2] }, &[1, 2, 5, 3]),
        Entry { batches: 2, ..entry("batch_norm2d", BatchNorm2d::new(3), &[2, 3, 2, 2]) },
        entry("batch_norm3d", BatchNorm3d::new(2), &[2, 2, 1, 2, 2]),
        entry("group_norm", GroupNorm::new(2, 4), &[2, 4, 3]),
        entry("instance_norm", InstanceNorm2d::with_options(2, InstanceNormOptions { affine: true, ..instance }), &[2, 2, 2, 2]),
        Entry { batches: 2, ..entry("instance_norm tracked", InstanceNorm1d::with_options(2, InstanceNormOptions { eps: 0.1, momentum: 0.3, track_running_stats: true, ..instance }), &[2, 2, 3]) },
        Entry { batches: 3, trains: false, ..entry("instance_norm eval", InstanceNorm3d::with_options(2, InstanceNormOptions { affine: true, track_running_stats: true, ..instance }), &[2, 2, 1, 2, 2]) },
        entry("rms_norm", RmsNorm::with_options([4], 0.1, true), &[2, 3, 4]),
        entry("local_response_norm", LocalResponseNorm { alpha: 0.5, k: 2.0, ..LocalResponseNorm::new(4) }, &[2, 5, 2]),
        entry("upsample", Upsample::new(2.0), &[1, 2, 2, 3]),
        entry("upsample bilinear", Upsample { options: interpolate(Interpolation::Linear, false, false), ..Upsample::new(2.0) }, &[1, 2, 2, 3]),
        entry("upsample bilinear aligned", Upsample { options: interpolate(Interpolation::Linear, true, false), ..Upsample::new(2.0) }, &[1, 1, 2, 3]),
        entry("upsample bicubic", Upsample { options: interpolate(Interpolation::Cubic, false, false), ..Upsample::new(2.0) }, &[1, 1, 2, 3]),
        entry("upsample bicubic aligned", Upsample { options: interpolate(Interpolation::Cubic, true, false), ..Upsample::new(2.0) }, &[1, 1, 2, 3]),
        entry("upsample bilinear by 1.6", Upsample { options: interpolate(Interpolation::Linear, false, false), ..Upsample::new(1.6) }, &[1, 1, 2, 3]),
        entry("upsample to size", Upsample::to_size([3, 2]), &[1, 2, 2, 3]),
        entry("pixel_shuffle", PixelShuffle(2), &[1, 4, 2, 3]),
        entry("pixel_unshuffle", PixelUnshuffle(2), &[1, 1, 4, 2]),
        entry("zero_pad1d", ZeroPad1d { pads: [(1, 2)] }, &[2, 2, 3]),
        entry("zero_pad2d", ZeroPad2d { pads: [(2, -1), (1, 0)] }, &[1, 2, 3, 3]),
        entry("zero_pad3d", ZeroPad3d::new(1), &[1, 1, 2, 1, 2]),
        entry("constant_pad1d", ConstantPad1d { pads: [(1, 2)], value: 0.7 }, &[2, 2, 3]),
        entry("constant_pad2d", ConstantPad2d::new(1, -0.5), &[1, 2, 2, 3]),
        entry("constant_pad3d", ConstantPad3d { pads: [(0, 1), (1, 0), (0, 1)], value: 2.5 }, &[1, 1, 2, 1, 2]),
        entry("reflection_pad1d", ReflectionPad1d { pads: [(1, 2)] }, &[2, 2, 3]),
        entry("reflection_pad2d", ReflectionPad2d { pads: [(0, 1), (2, 1)] }, &[1, 2, 2, 3]),
        entry("reflection_pad3d", ReflectionPad3d::new(1), &[1, 1, 2, 2, 3]),
        entry("replication_pad1d", ReplicationPad1d { pads: [(1, 2)] }, &[2, 2, 3]),
        entry("replication_pad2d", ReplicationPad2d { pads: [(0, 1), (2, 1)] }, &[1, 2, 2, 3]),
        entry("replication_pad3d", ReplicationPad3d::new(1), &[1, 1, 2, 1, 2]),
        entry("circular_pad1d", CircularPad1d { pads: [(1, 2)] }, &[2, 2, 3]),
        entry("circular_pad2d", CircularPad2d { pads: [(0, 1), (2, 1)] }, &[1, 2, 2, 3]),
        entry("circular_pad3d", CircularPad3d::new(1), &[1, 1, 2, 1, 2]),
        Entry { trains: false, ..entry("dropout2d eval", Dropout2d::new(0.3), &[1, 2, 2, 2]) },
    ]
}

fn interpolate(mode: Interpolation, align_corners: bool, antialias: bool) -> InterpolateOptions {
    InterpolateOptions { mode, align_corners, antialias }
}

fn wave(shape: &[usize], f: impl Fn(f64) -> f64) -> Tensor<f64> {
    (0..shape.iter().product()).map(|k: usize| f(k as f64)).collect::<Tensor<f64>>().reshape(shape)
}

impl Entry {
    /// Gives parameters the values of `tests/golden/layers.py`.
    fn fill(&mut self) {
        for (_, param) in (*self.layer).params_mut() {
            let values = wave(param.shape(), |k| 0.5 * (k + 1.0).sin());
            param.set(&values);
        }
    }

    fn input(&self, batch: usize) -> Tensor<f64> {
        wave(self.shape, |k| 2.0 * (1.3 * k + batch as f64).cos())
    }

    fn pass(&self, batch: usize) -> Pass {
        match self.trains || batch + 1 < self.batches {
            true => Pass::train(&mut Rng::seed(batch as u64)),
            false => Pass::eval(),
        }
    }
}

/// The numbers of `layers.csv` by layer and by what they are.
fn golden() -> BTreeMap<&'static str, BTreeMap<&'static str, Vec<f64>>> {
    let mut found: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for line in include_str!("../../tests/golden/layers.csv").lines() {
        let mut cells = line.split(',');
        let (layer, what) = (cells.next().unwrap(), cells.next().unwrap());
        let values = cells.map(|cell| cell.parse().unwrap()).collect();
        found.entry(layer).or_default().insert(what, values);
    }
    found
}

#[test]
fn layers_equal_pytorchs() {
    let mut golden = golden();
    for mut entry in registry().into_iter().chain(image_layers()) {
        let mut expected = golden.remove(entry.name).expect("the layer is in layers.csv");
        entry.fill();
        let mut last = None;
        for batch in 0..entry.batches {
            let x = entry.input(batch).leaf();
            last = Some((entry.layer.forward(&x, &entry.pass(batch)), x));
        }
        let (y, x) = last.unwrap();
        let grads = y.backward_from(&wave(y.shape(), |k| (0.7 * k + 0.2).sin()));
        let mut check = |what: &str, found: &Tensor<f64>| {
            let expected = expected.remove(what).expect("layers.csv has everything");
            assert_eq!(found.numel(), expected.len());
            for (found, expected) in found.to_vec().iter().zip(expected) {
                // Rounding of sums of at most 24 terms of size about 1, a few times over.
                let error = (found - expected).abs();
                assert!(error < 1e-13, "{} {what}: {found} is not {expected}", entry.name);
            }
        };
        check("y", &y);
        check("dx", grads.get(&x).unwrap());
        for (name, param) in (*entry.layer).params() {
            check(&format!("d{name}"), grads.get(param).unwrap());
        }
        backstitch_tensor::for_each(&*entry.layer, |name, slot| {
            if let backstitch_tensor::Slot::Running(running) = slot {
                check(name, &running.get());
            }
        });
        assert!(expected.is_empty(), "{}: lacks {:?}", entry.name, expected.keys());
    }
    assert!(golden.is_empty(), "not in the registry: {:?}", golden.keys());
}

#[test]
fn gradients_by_the_input_are_right() {
    for mut entry in registry() {
        entry.fill();
        let pass = entry.pass(entry.batches - 1).with_statistics(match entry.trains {
            true => Statistics::Batch,
            false => Statistics::Running,
        });
        let forward = |x: &Tensor<f64>| entry.layer.forward(x, &pass.clone());
        check_gradients(forward, &entry.input(0)).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
    }
}

#[test]
fn clones_and_loaded_layers_give_the_same_output() {
    for mut entry in registry() {
        entry.fill();
        let x = entry.input(0);
        entry.layer.forward(&x, &Pass::train(&mut Rng::seed(0)));
        let expected = entry.layer.forward(&x, &Pass::eval()).to_vec();
        let copy = entry.layer.clone();
        assert_eq!(copy.forward(&x, &Pass::eval()).to_vec(), expected, "{}", entry.name);
        let fresh = registry().into_iter().find(|other| other.name == entry.name);
        let mut fresh = fresh.unwrap().layer;
        (*fresh).load_state_dict(&(*entry.layer).state_dict()).unwrap();
        assert_eq!(fresh.forward(&x, &Pass::eval()).to_vec(), expected, "{}", entry.name);
        let trainable = (*copy).trainable_count();
        assert_eq!(trainable, (*copy).param_count(), "{}", entry.name);
    }
}

#[test]
fn evaluation_changes_nothing() {
    for entry in registry() {
        let state = |entry: &Entry| {
            let state = (*entry.layer).state_dict();
            state.into_iter().map(|(name, x)| (name, x.to_vec())).collect::<Vec<_>>()
        };
        let before = state(&entry);
        for statistics in [Statistics::Running, Statistics::Batch] {
            let pass = Pass::eval().with_statistics(statistics);
            entry.layer.forward(&entry.input(0), &pass);
        }
        assert_eq!(state(&entry), before, "{}", entry.name);
    }
}

#[test]
fn batch_statistics_can_be_used_and_running_ones_kept_in_any_pass() {
    let norm = BatchNorm1d::<f64>::new(1);
    let x = Tensor::from([[1.0], [3.0]]);
    let y = |pass: &Pass| norm.forward(&x, pass).at(&[1, 0]);
    let running = || norm.running_mean.as_ref().unwrap().get().item();
    let train = || Pass::train(&mut Rng::seed(0));
    assert!((y(&Pass::eval().with_statistics(Statistics::Batch)) - 1.0).abs() < 1e-5);
    assert!((y(&train().with_statistics(Statistics::Batch)) - 1.0).abs() < 1e-5);
    assert!((y(&train().with_statistics(Statistics::Running)) - 3.0).abs() < 1e-4);
    assert_eq!(running(), 0.0);
    y(&train());
    assert_eq!(running(), 0.2);
    assert_eq!(norm.running_var.as_ref().unwrap().get().item(), 0.9 + 0.1 * 2.0);
    let options = BatchNormOptions { biased_running_var: true, ..BatchNormOptions::default() };
    let biased = BatchNorm1d::<f64>::with_options(1, options);
    biased.forward(&x, &train());
    assert_eq!(biased.running_var.as_ref().unwrap().get().item(), 1.0);
}

#[test]
fn a_batch_of_one_gives_the_bias() {
    let norm = BatchNorm1d::<f64>::new(2);
    let y = norm.forward(&Tensor::from([[5.0, -7.0]]), &Pass::train(&mut Rng::seed(0)));
    assert_eq!(y.to_vec(), [0.0, 0.0]);
    assert_eq!(norm.running_var.unwrap().get().to_vec(), [0.9, 0.9]);
}

#[test]
fn dropout_keeps_expectations_and_uses_one_mask_in_both_directions() {
    let (n, p) = (1_000_000, 0.3);
    let x = Tensor::<f32>::ones([n]).leaf();
    let y = Dropout::new(p).forward(&x, &Pass::train(&mut Rng::seed(1)));
    let zeros = y.to_vec().iter().filter(|&&y| y == 0.0).count() as f64 / n as f64;
    let se = (p * (1.0 - p) / n as f64).sqrt();
    assert!((zeros - p).abs() < 5.0 * se, "{zeros}");
    assert!((f64::from(y.mean().item()) - 1.0).abs() < 5.0 * se / (1.0 - p), "{:?}", y.mean());
    let dx = y.sum().backward();
    assert_eq!(dx.get(&x).unwrap().to_vec(), y.to_vec());
}

#[test]
fn dropout_rescales_in_training_or_in_evaluation() {
    let x = Tensor::<f64>::ones([1000]);
    let pass = Pass::train(&mut Rng::seed(1));
    let inverted = Dropout::new(0.5);
    let scaled = Dropout { rescale: Rescale::Eval, ..inverted };
    let y = inverted.forward(&x, &pass.clone());
    assert_eq!(scaled.forward(&x, &pass.clone()).to_vec(), (&y * 0.5).to_vec());
    assert_eq!(scaled.forward(&x, &Pass::eval()).to_vec(), [0.5; 1000]);
    assert_eq!(inverted.forward(&x, &Pass::eval()).to_vec(), [1.0; 1000]);
    let (first, second) = (inverted.forward(&x, &pass), inverted.forward(&x, &pass));
    assert_ne!(first.to_vec(), second.to_vec(), "each call drops other elements");
    assert_eq!(Dropout::new(0.0).forward(&x, &pass).to_vec(), x.to_vec());
    for all in [Dropout::new(1.0), Dropout { p: 1.0, rescale: Rescale::Eval }] {
        assert_eq!(all.forward(&x, &pass).to_vec(), [0.0; 1000]);
    }
}

#[test]
fn linear_starts_as_pytorchs() {
    let layer: Linear = Linear::new(400, 300, &mut Rng::seed(0));
    let bound = 1.0 / 20.0;
    for param in [&layer.weight, layer.bias.as_ref().unwrap()] {
        let values = param.to_vec();
        let largest = values.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        assert!(largest <= bound && largest > 0.98 * bound, "{largest}");
    }
}

#[test]
fn embedding_looks_up_and_adds_gradients_of_repeated_symbols() {
    let mut words = Embedding::<f64>::new(3, 2, &mut Rng::seed(0));
    words.weight.data_mut().copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let y = words.forward(&Tensor::from([2, 0, 2]));
    assert_eq!(y.to_vec(), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
    let grads = y.backward_from(&wave(&[3, 2], |k| k));
    assert_eq!(grads.get(&words.weight).unwrap().to_vec(), [2.0, 3.0, 0.0, 0.0, 4.0, 6.0]);
}

#[test]
#[should_panic(expected = "BatchNorm1d: needs (N, C) or (N, C, T); got [3]")]
fn wrong_shapes_are_refused() {
    BatchNorm1d::<f32>::new(3).forward(&Tensor::ones([3]), &Pass::eval());
}

#[test]
fn batch_norm_with_a_residual_is_batch_norm_then_sum_then_relu() {
    let rng = &mut Rng::seed(3);
    let (fused, apart) = (BatchNorm2d::<f64>::new(4), BatchNorm2d::<f64>::new(4));
    let shape = [3, 4, 5, 2];
    for pass in [Pass::train(rng), Pass::eval()] {
        let channels_last = |x: &Tensor<f64>| {
            let rows = x.permute([0, 2, 3, 1]).reshape([120]);
            rows.reshape([3, 5, 2, 4]).permute([0, 3, 1, 2])
        };
        for lays in [Tensor::clone, channels_last] {
            // The residual stays in row-major order.
            let (x, residual) =
                (Tensor::randn(shape, rng).leaf(), Tensor::randn(shape, rng).leaf());
            let dy = Tensor::randn(shape, rng);
            let y = fused.forward_add_relu(&lays(&x), &residual, &pass);
            let two = (apart.forward(&x, &pass) + &residual).relu();
            assert!(y.to_vec().contains(&0.0) && y.to_vec().iter().any(|&y| y > 0.0));
            let (dy_fused, dy_apart) = (y.backward_from(&dy), two.backward_from(&dy));
            let pairs = [&x, &residual].map(|leaf| {
                (dy_fused.get(leaf).unwrap().to_vec(), dy_apart.get(leaf).unwrap().to_vec())
            });
            for (a, b) in pairs.into_iter().chain([(y.to_vec(), two.to_vec())]) {
                assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12));
            }
        }
    }
}

#[test]
fn batch_norm_with_relu_is_batch_norm_then_relu() {
    let rng = &mut Rng::seed(3);
    let (fused, apart) = (BatchNorm1d::<f64>::new(4), BatchNorm1d::<f64>::new(4));
    for pass in [Pass::train(rng), Pass::eval()] {
        let x = Tensor::from_fn([6, 4], |idx| ((idx[0] * 7 + idx[1] * 3) % 11) as f64 - 4.0);
        let y = fused.forward_relu(&x, &pass);
        assert_eq!(y.to_vec(), apart.forward(&x, &pass).relu().to_vec());
        assert!(y.to_vec().contains(&0.0) && y.to_vec().iter().any(|&y| y > 0.0));
    }
    let mean = |norm: &BatchNorm1d<f64>| norm.running_mean.as_ref().unwrap().get().to_vec();
    assert_eq!(mean(&fused), mean(&apart));
}
