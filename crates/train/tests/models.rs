//! Networks equal PyTorch's, from its checkpoints and from weights that follow from a formula.
//! `golden/models.py` made what is compared with.

use std::path::PathBuf;

use backstitch_nn::models::*;
use backstitch_nn::{Layer, ModuleExt, Pass};
use backstitch_tensor::{Float, Rng, Slot, SlotMut, Tensor, for_each, for_each_mut};
use backstitch_train::weights;

use VggItem::{Conv1, Conv3, Pool};

fn golden(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).join(file)
}

/// Fails where a logit differs by more than 1e-4 of the largest.
#[track_caller]
fn equal<T: Float>(what: &str, found: &Tensor<T>, expected: &[f64]) {
    let found: Vec<f64> = found.to_vec().iter().map(|y| y.to_f64()).collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    let error = found.iter().zip(expected).fold(0.0f64, |e, (a, b)| e.max((a - b).abs()));
    println!("{what}: an error of {:.1e} of the largest logit", error / largest);
    assert!(error <= 1e-4 * largest, "{what}: {error:e} is too much beside {largest}");
}

const NARROW_RESNET: ResNetTable = ResNetTable { blocks: [1; 4], bottleneck: false, width: 4 };
const NARROW_VGG: &[VggItem] = &[Conv3(4), Pool, Conv3(8), Pool, Conv3(8), Conv1(12), Pool];

fn narrow_resnet() -> ResNet {
    let options = ResNetOptions { classes: 10, ..ResNetOptions::default() };
    ResNet::new(&NARROW_RESNET, options, &mut Rng::seed(0))
}

fn narrow_vgg() -> Vgg {
    let options =
        VggOptions { classes: 10, batch_norm: true, pool: 2, hidden: 16, ..VggOptions::default() };
    Vgg::new(NARROW_VGG, options, &mut Rng::seed(0))
}

/// Loads a file of PyTorch's into a model, and compares what it makes of the file's input.
fn check_checkpoint(file: &str, mut model: impl Layer) {
    let mut state = weights::load(golden(file)).unwrap();
    let error = model.load_state_dict(&state).unwrap_err();
    assert_eq!(error.unexpected, ["input", "logits"]);
    assert!(error.missing.is_empty() && error.mismatched.is_empty(), "{error}");
    let (input, logits) = (state.remove("input").unwrap(), state.remove("logits").unwrap());
    let expected: Vec<f64> = logits.to_vec().into_iter().map(f64::from).collect();
    model.load_state_dict(&state).unwrap();
    equal(file, &model.forward(&input, &Pass::eval()), &expected);
    let counts = model.state_dict().into_iter().filter(|(name, _)| name.ends_with("tracked"));
    assert!(counts.into_iter().all(|(_, count)| count.item() == 5.0), "PyTorch saw five batches");

    // What the oldest checkpoints lack is no error; what is saved loads again.
    let saved = weights::parse::<f32>(&weights::to_bytes(&model.state_dict())).unwrap();
    assert!(saved.keys().eq(state.keys()));
    state.retain(|name, _| !name.ends_with("num_batches_tracked"));
    model.load_state_dict(&state).unwrap();
    let lost = state.keys().next().unwrap().clone();
    state.remove(&lost);
    assert_eq!(model.load_state_dict(&state).unwrap_err().missing, [lost]);
}

#[test]
fn checkpoints_of_pytorch_load() {
    check_checkpoint("resnet.safetensors", narrow_resnet());
    check_checkpoint("vgg.safetensors", narrow_vgg());
}

/// Numbers from -1 to 1: lowbias32 (Wellons) of the index plus FNV-1a of the name.
fn hashed(name: &str, shape: &[usize]) -> Vec<f32> {
    let seed =
        name.bytes().fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    let number = |i: u32| {
        let mut x = i.wrapping_add(seed);
        x = (x ^ x >> 16).wrapping_mul(0x7feb_352d);
        x = (x ^ x >> 15).wrapping_mul(0x846c_a68b);
        (f64::from(x ^ x >> 16) / 2f64.powi(31) - 1.0) as f32
    };
    (0..shape.iter().product::<usize>() as u32).map(number).collect()
}

/// Weights of variance 2 / fan_in, and norms that do something.
fn fill(model: &mut impl Layer) {
    for_each_mut(model, |name, slot| {
        let value = |shape: &[usize]| {
            let mut x = hashed(name, shape);
            let fan_in: usize = shape.iter().skip(1).product();
            let (shift, factor) = match name.rsplit('.').next() {
                _ if shape.len() > 1 => (0.0, (6.0 / fan_in as f64).sqrt() as f32),
                Some("running_var" | "weight") => (1.0, 0.5),
                _ => (0.0, 0.1),
            };
            x.iter_mut().for_each(|x| *x = shift + factor * *x);
            Tensor::from_vec(x, shape)
        };
        match slot {
            SlotMut::Param(param) => param.set(&value(param.shape())),
            SlotMut::Running(_) if name.ends_with("num_batches_tracked") => {}
            SlotMut::Running(running) => running.set(value(running.get().shape())),
            SlotMut::Tensor(_) => {}
        }
    });
}

/// Compares a whole network with the line of `logits.csv` that bears its name.
fn check_whole(name: &str, mut model: impl Layer) {
    let lines = std::fs::read_to_string(golden("logits.csv")).unwrap();
    let mut cells = lines
        .lines()
        .find(|line| line.split(',').next() == Some(name))
        .expect("logits.csv has the network")
        .split(',')
        .skip(1);
    let size: usize = cells.next().unwrap().parse().unwrap();
    let expected: Vec<f64> = cells.map(|cell| cell.parse().unwrap()).collect();
    fill(&mut model);
    let shape = [2, 3, size, size];
    let x = Tensor::from_vec(hashed("input", &shape), shape);
    let y = model.forward(&x, &Pass::eval());
    equal(name, &y.narrow(1, 0, 10), &expected);
}

#[test]
fn whole_resnets_equal_pytorchs() {
    let rng = &mut Rng::seed(0);
    let (large, small) = (ResNetOptions::default(), ResNetOptions::small_images(10));
    check_whole("resnet18", ResNet::new(&RESNET18, large, rng));
    check_whole("resnet34", ResNet::new(&RESNET34, large, rng));
    check_whole("resnet50", ResNet::new(&RESNET50, large, rng));
    check_whole("resnet18 small", ResNet::new(&RESNET18, small, rng));
    let zeros = ResNetOptions { shortcut: Shortcut::Zeros, ..small };
    check_whole("resnet20", ResNet::new(&RESNET20, zeros, rng));
}

#[test]
fn whole_vggs_equal_pytorchs() {
    let rng = &mut Rng::seed(0);
    let options = VggOptions { init_weights: false, ..VggOptions::default() };
    check_whole("vgg a", Vgg::new(VGG_A, options, rng));
    let tables = [("a", VGG_A), ("b", VGG_B), ("c", VGG_C), ("d", VGG_D), ("e", VGG_E)];
    for (name, table) in tables {
        let options = VggOptions {
            classes: 10,
            pool: 1,
            hidden: 64,
            batch_norm: ["a", "c", "e"].contains(&name),
            ..options
        };
        check_whole(&format!("vgg {name} small"), Vgg::new(table, options, rng));
    }
}

/// The counts that torchvision and the papers state.
#[test]
fn networks_have_as_many_parameters_as_published() {
    let rng = &mut Rng::seed(0);
    let large = ResNetOptions::default();
    for (table, count) in [(RESNET18, 11_689_512), (RESNET34, 21_797_672), (RESNET50, 25_557_032)] {
        assert_eq!(ResNet::<f32>::new(&table, large, rng).param_count(), count);
    }
    let small = ResNetOptions { shortcut: Shortcut::Zeros, ..ResNetOptions::small_images(10) };
    for (table, count) in [(RESNET20, 269_722), (RESNET56, 853_018)] {
        assert_eq!(ResNet::<f32>::new(&table, small, rng).param_count(), count);
    }
}

#[test]
fn parameters_start_as_torchvisions() {
    let rng = &mut Rng::seed(0);
    let options = ResNetOptions { zero_init_residual: true, ..ResNetOptions::small_images(10) };
    let resnet: ResNet = ResNet::new(&RESNET18, options, rng);
    let vgg: Vgg = Vgg::new(&[Conv3(64), Conv3(128), Pool], VggOptions::small_images(10), rng);
    let deviation =
        |x: &[f32]| (x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / x.len() as f64).sqrt();
    let mut seen = 0;
    let mut check = |name: &str, slot: Slot<'_, f32>| {
        let Slot::Param(param) = slot else { return };
        let (x, fan_out) = (param.to_vec(), param.shape()[0] as f64 * 9.0);
        match name {
            // 36,864 and 73,728 numbers: a standard error of 0.4% at most.
            "layer1.0.conv1.weight" | "features.3.weight" => {
                assert!((deviation(&x) / (2.0 / fan_out).sqrt() - 1.0).abs() < 0.02, "{name}");
            }
            "classifier.0.weight" => assert!((deviation(&x) / 0.01 - 1.0).abs() < 0.02, "{name}"),
            "layer2.0.bn2.weight" | "features.0.bias" | "classifier.6.bias" => {
                assert!(x.iter().all(|&x| x == 0.0), "{name}");
            }
            "layer2.0.bn1.weight" | "layer2.0.downsample.1.weight" => {
                assert!(x.iter().all(|&x| x == 1.0), "{name}");
            }
            // Even between ± 1 / √512.
            "fc.weight" => {
                let bound = 1.0 / 512f32.sqrt();
                assert!(x.iter().all(|x| x.abs() <= bound), "{name}");
                assert!((deviation(&x) * 3f64.sqrt() / f64::from(bound) - 1.0).abs() < 0.03);
            }
            _ => return,
        }
        seen += 1;
    };
    for_each(&resnet, &mut check);
    for_each(&vgg, &mut check);
    assert_eq!(seen, 9);
}

#[test]
#[should_panic(expected = "Vgg: needs a table with a convolution; got [Pool]")]
fn a_table_without_convolutions_is_refused() {
    Vgg::<f32>::new(&[Pool], VggOptions::default(), &mut Rng::seed(0));
}
