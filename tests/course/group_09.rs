//! Library design.

use std::collections::BTreeMap;
use std::path::Path;

use backstitch::op::{Gradient, Op, Saves, Site, Tangents, apply};
use backstitch::prelude::*;

use crate::support::{Real, all_close, close};

/// Parameters in fields, lists and maps.
#[derive(Clone, Module)]
#[module(elem = "f64")]
struct Net {
    stem: Linear<f64>,
    blocks: Vec<(Linear<f64>, Dropout)>,
    heads: BTreeMap<String, Linear<f64>>,
}

impl Net {
    fn new(rng: &mut Rng) -> Self {
        let mut layer = |from, to| Linear::new(from, to, rng);
        let heads = [("cat".to_string(), layer(4, 2)), ("dog".to_string(), layer(4, 3))];
        Net {
            stem: layer(3, 4),
            blocks: vec![(layer(4, 4), Dropout::new(0.5)), (layer(4, 4), Dropout::new(0.5))],
            heads: heads.into(),
        }
    }

    fn forward(&self, x: &Real, pass: &Pass) -> Real {
        let step = |x: Real, (layer, drop): &(Linear<f64>, Dropout)| {
            drop.forward(&layer.forward(&x).relu(), pass)
        };
        let h = self.blocks.iter().fold(self.stem.forward(x), step);
        self.heads["cat"].forward(&h)
    }
}

#[test]
fn row_9_5_modules_are_recursive() {
    let rng = &mut Rng::seed(81);
    let net = Net::new(rng);
    let names = ["stem", "blocks.0.0", "blocks.1.0", "heads.cat", "heads.dog"];
    let names: Vec<String> =
        names.iter().flat_map(|name| [format!("{name}.weight"), format!("{name}.bias")]).collect();
    assert_eq!(net.param_names(), names);
    assert_eq!(net.param_count(), 16 + 20 + 20 + 10 + 15);
    // One pass tells every layer, however deep, whether it trains.
    let x = Tensor::randn([5, 3], rng);
    let eval = || net.forward(&x, &Pass::eval()).to_vec();
    let mut train = || net.forward(&x, &Pass::train(rng)).to_vec();
    assert_eq!(eval(), eval());
    assert_ne!(train(), train());
}

#[test]
fn row_9_6_linear_module() {
    let rng = &mut Rng::seed(82);
    let layer: Linear<f64> = Linear::new(3, 2, rng);
    let x = Tensor::randn([5, 3], rng);
    // The weight lies transposed, as PyTorch's does.
    let by_hand = x.matmul(&layer.weight.transpose(0, 1)) + &**layer.bias.as_ref().unwrap();
    all_close(&layer.forward(&x).detach(), &by_hand.detach(), 1e-15);
}

#[test]
fn row_9_7_losses_are_modules() {
    let rng = &mut Rng::seed(83);
    let net = Net::new(rng);
    let x = Tensor::randn([6, 3], rng);
    let (labels, targets) = (Tensor::from([0, 1, 1, 0, 0, 1]), Tensor::randn([6, 2], rng));
    let cross_entropy = CrossEntropyLoss { options: CrossEntropy::default() };
    let outputs = || net.forward(&x, &Pass::eval());
    let losses = [
        cross_entropy.forward(&outputs(), &labels),
        MseLoss::default().forward(&outputs(), &targets),
    ];
    let (a, b) = (losses[0].backward(), losses[1].backward());
    let both = (cross_entropy.forward(&outputs(), &labels) * 0.7
        + MseLoss::default().forward(&outputs(), &targets) * 2.0)
        .backward();
    for (name, param) in net.params() {
        let Some(both) = both.get(param) else {
            assert!(name.starts_with("heads.dog"), "{name}");
            continue;
        };
        let sum = a.get(param).unwrap() * 0.7 + b.get(param).unwrap() * 2.0;
        all_close(both, &sum, 1e-14);
    }
    // Inference needs no loss and leaves no graph.
    let guess = no_grad(|| outputs().argmax(1, false));
    assert_eq!(guess.shape(), [6]);
    assert!(!no_grad(outputs).is_tracked());
}

/// The loop does not know which optimizer it runs; the formulas are those of group 5.
#[test]
fn row_9_9_optimisers_are_objects() {
    let momentum =
        SgdConfig { momentum: 0.9, momentum_form: MomentumForm::Ema, ..SgdConfig::default() };
    let printed = AdamConfig { bias_correction: false, ..AdamConfig::default() };
    let optimizers: [(f64, Box<dyn Optimizer<f64>>); 3] = [
        (0.1, Box::new(Sgd::new(SgdConfig::default()))),
        (0.5, Box::new(Sgd::new(momentum))),
        (0.01, Box::new(Adam::new(printed))),
    ];
    let x = Tensor::randn([16, 3], &mut Rng::seed(84));
    let labels = Tensor::from_fn([16], |idx| i64::from(x.at(&[idx[0], 0]) > 0.0));
    for (lr, mut optimizer) in optimizers {
        let mut net = Net::new(&mut Rng::seed(85));
        let loss = |net: &Net| net.forward(&x, &Pass::eval()).cross_entropy(&labels);
        let first = loss(&net).item();
        for _ in 0..100 {
            let grads = loss(&net).backward();
            optimizer.step(&mut net, &grads, lr);
        }
        assert!(loss(&net).item() < 0.5 * first, "{} from {first}", loss(&net).item());
    }
}

#[test]
fn row_9_10_regulariser_in_loss_or_optimiser() {
    let (alpha, lambda) = (0.1, 0.3);
    let x: Real = Tensor::randn([6, 3], &mut Rng::seed(86));
    let labels = Tensor::from([0, 1, 1, 0, 0, 1]);
    let step = |config: SgdConfig, penalty: f64| {
        let mut layer: Linear<f64> = Linear::new(3, 2, &mut Rng::seed(87));
        let loss =
            layer.forward(&x).cross_entropy(&labels) + l2_penalty(&layer, |_| true) * penalty;
        let grads = loss.backward();
        let g = grads.get(&layer.weight).unwrap().clone();
        let w = layer.weight.detach();
        Sgd::new(config).step(&mut layer, &grads, alpha);
        (w, g, layer.weight.detach())
    };
    let plain = SgdConfig::default();
    let (.., in_the_loss) = step(plain, lambda);
    let (w, g, in_the_optimizer) = step(SgdConfig { weight_decay: lambda, ..plain }, 0.0);
    all_close(&in_the_loss, &(&w * (1.0 - alpha * lambda) - g * alpha), 1e-15);
    all_close(&in_the_optimizer, &in_the_loss, 1e-15);
}

#[test]
fn row_9_11_data_loader() {
    let inputs = Tensor::from_fn([10, 1], |idx| idx[0] as f32);
    let data = TensorDataset::new(inputs, Tensor::from_fn([10], |idx| idx[0] as i64)).unwrap();
    let loader = Loader::new(data, 4).unwrap().workers(2);
    let order = |seed| -> Vec<Vec<i64>> {
        let batches = loader.epoch(&mut Rng::seed(seed));
        batches.map(|batch| batch.unwrap().1.to_vec()).collect()
    };
    let batches = order(1);
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    let mut all = batches.concat();
    assert_ne!(all, (0..10).collect::<Vec<i64>>());
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<i64>>());
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[test]
fn row_9_11_transforms_compose() {
    let (crop, flip) = (RandomCrop::new([5, 5], 1), RandomHorizontalFlip::new(0.5));
    let both = crop.clone().then(flip.clone());
    let image: Tensor = Tensor::randn([1, 6, 6], &mut Rng::seed(88));
    let mut different = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let rng = &mut Rng::seed(seed);
        let by_hand = flip.apply(crop.apply(image.clone(), rng).unwrap(), rng).unwrap();
        let composed = both.apply(image.clone(), &mut Rng::seed(seed)).unwrap();
        assert_eq!(composed.to_vec(), by_hand.to_vec());
        different.insert(composed.to_vec().into_iter().map(f32::to_bits).collect::<Vec<_>>());
    }
    assert!(different.len() > 10);
}

/// Swish, `x sigmoid(x)`, as a user adds it.
struct Swish;

impl Op<f64, 1> for Swish {
    const NAME: &'static str = "swish";
    const SAVES: Saves = Saves::INPUTS;
    fn forward(&mut self, [x]: [&Real; 1]) -> Real {
        x * x.sigmoid()
    }
    fn backward(&self, at: &Site<f64>, dy: &Real) -> Gradient<f64, 1> {
        [Some(dy * Self::slope(at.input(0)))]
    }
    fn jvp(&self, at: &Site<f64>, [dx]: Tangents<f64, 1>) -> Real {
        dx.unwrap() * Self::slope(at.input(0))
    }
}

impl Swish {
    fn slope(x: &Real) -> Real {
        let s = x.sigmoid();
        &s + x * &s * (1.0 - &s)
    }
}

#[test]
fn row_9_12_custom_activations() {
    let x: Real = Tensor::randn([4, 5], &mut Rng::seed(89));
    let swish = |x: &Real| apply(Swish, [x]);
    check_gradients(swish, &x).unwrap();
    all_close(&swish(&x), &x.silu(), 1e-15);
    let built_in = |x: &Real| x.silu();
    all_close(&grad(|x: &Real| swish(x).sum(), &x), &grad(|x: &Real| x.silu().sum(), &x), 1e-14);
    check_gradients(built_in, &x).unwrap();
    // Its gradient can be differentiated again, for it is made of ops.
    let once = |x: &Real| grad(|x: &Real| swish(x).sum(), x);
    check_gradients(once, &x).unwrap();
    // GELU, written by composition.
    let gelu = |x: &Real| x * 0.5 * (1.0 + (x / 2f64.sqrt()).erf());
    all_close(&gelu(&x), &x.gelu(), 1e-15);
    check_gradients(gelu, &x).unwrap();
    close(x.gelu().at(&[0, 0]), gelu(&x).at(&[0, 0]), 1e-15);
}

/// Kernels, then tensors, then layers and data, then training: no crate depends on a higher one.
#[test]
fn row_9_14_two_levels_of_abstraction() {
    let height = |name: &str| match name {
        "kernels" => 0,
        "linalg" => 1,
        "tensor" | "derive" => 2,
        "nn" | "data" => 3,
        "train" => 4,
        other => panic!("{other}: where does this crate belong?"),
    };
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut seen = 0;
    for entry in std::fs::read_dir(crates).unwrap() {
        let folder = entry.unwrap().path();
        let own = folder.file_name().unwrap().to_str().unwrap();
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
        let dependencies = dependencies.split("\n[").next().unwrap();
        for line in dependencies.lines() {
            let Some(rest) = line.strip_prefix("backstitch-") else { continue };
            let other = rest.split(['.', ' ', '=']).next().unwrap();
            assert!(height(other) < height(own), "{own} depends on {other}");
            seen += 1;
        }
    }
    assert!(seen > 5, "the manifests are read");
}
