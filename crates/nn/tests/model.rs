//! What can be done with any model: state dicts, freezing, clones, missing gradients.

use backstitch_nn::{
    BatchNorm1d, BatchNormOptions, Dropout, LayerNorm, Linear, Module, ModuleExt, Optimizer, Pass,
    Sgd, SgdConfig, StateDictError,
};
use backstitch_tensor::{Rng, Tensor};

#[derive(Clone, Module)]
#[module(crate = "backstitch_tensor")]
struct Mlp {
    fc1: Linear,
    norm: BatchNorm1d,
    drop: Dropout,
    fc2: Linear,
}

impl Mlp {
    fn new(rng: &mut Rng) -> Self {
        Mlp {
            fc1: Linear::new(4, 8, rng),
            norm: BatchNorm1d::new(8),
            drop: Dropout::new(0.1),
            fc2: Linear::new(8, 3, rng),
        }
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        let h = self.norm.forward(&self.fc1.forward(x), pass).relu();
        self.fc2.forward(&self.drop.forward(&h, pass))
    }
}

/// The program of the README: one epoch over made-up batches.
#[test]
fn a_model_trains_by_a_loop_in_view() {
    let mut rng = Rng::seed(0);
    let mut model = Mlp::new(&mut rng);
    let mut optimizer = Sgd::new(SgdConfig { momentum: 0.9, ..SgdConfig::default() });
    let x = Tensor::randn([32, 4], &mut rng);
    let target = x.slice(1, 0..3);
    let mut losses = Vec::new();
    for _ in 0..60 {
        let pass = Pass::train(&mut rng);
        let error = model.forward(&x, &pass) - &target;
        let loss = (&error * &error).mean();
        let grads = loss.backward();
        assert!(grads.missing(&model).is_empty());
        optimizer.step(&mut model, &grads, 0.05);
        losses.push(loss.item());
    }
    assert!(losses[59] < losses[0] / 3.0, "{losses:?}");
    let (a, b) = (model.forward(&x, &Pass::eval()), model.forward(&x, &Pass::eval()));
    assert_eq!(a.to_vec(), b.to_vec());
}

#[test]
fn state_dicts_have_pytorchs_names_and_round_trip() {
    let mut rng = Rng::seed(1);
    let (trained, mut fresh) = (Mlp::new(&mut rng), Mlp::new(&mut rng));
    let x = Tensor::randn([8, 4], &mut rng);
    trained.forward(&x, &Pass::train(&mut rng));
    let state = trained.state_dict();
    let names = [
        "fc1.bias",
        "fc1.weight",
        "fc2.bias",
        "fc2.weight",
        "norm.bias",
        "norm.num_batches_tracked",
        "norm.running_mean",
        "norm.running_var",
        "norm.weight",
    ];
    assert_eq!(state.keys().map(String::as_str).collect::<Vec<_>>(), names);
    assert_eq!(state["fc1.weight"].shape(), [8, 4]);
    assert_eq!(state["norm.num_batches_tracked"].item(), 1.0);

    fresh.load_state_dict(&state).unwrap();
    let eval = |model: &Mlp| model.forward(&x, &Pass::eval()).to_vec();
    assert_eq!(eval(&trained), eval(&fresh));
    for (name, param) in fresh.params_mut() {
        param.data_mut().fill(9.0);
        assert_ne!(state[&name].to_vec()[0], 9.0, "the dict is not the model");
    }
}

#[test]
fn loading_names_all_problems_and_changes_nothing() {
    let mut rng = Rng::seed(2);
    let mut model = Mlp::new(&mut rng);
    let before = model.state_dict();
    let mut state = Mlp::new(&mut rng).state_dict();
    state.remove("fc1.bias");
    state.insert("fc3.weight".into(), Tensor::zeros([1]));
    state.insert("fc2.weight".into(), Tensor::zeros([8, 3]));
    let error = model.load_state_dict(&state).unwrap_err();
    let expected = StateDictError {
        missing: vec!["fc1.bias".into()],
        unexpected: vec!["fc3.weight".into()],
        mismatched: vec![("fc2.weight".into(), vec![3, 8], vec![8, 3])],
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "the state dict does not fit the model: missing fc1.bias; unexpected fc3.weight; \
         fc2.weight needs shape [3, 8]; got [8, 3]"
    );
    assert_eq!(model.load_matching(&state).unwrap_err(), expected);
    for (name, x) in model.state_dict() {
        assert_eq!(x.to_vec(), before[&name].to_vec(), "{name}");
    }

    state.remove("fc2.weight");
    let report = model.load_matching(&state).unwrap();
    assert_eq!(report.missing, ["fc1.bias", "fc2.weight"]);
    assert_eq!(model.state_dict()["fc1.weight"].to_vec(), state["fc1.weight"].to_vec());
}

#[test]
fn frozen_parameters_get_no_gradient_and_keep_their_values() {
    let mut rng = Rng::seed(3);
    let mut model = Mlp::new(&mut rng);
    assert_eq!(model.set_trainable(false, |name| name.starts_with("fc1.")), 2);
    assert_eq!(model.param_count() - model.trainable_count(), 4 * 8 + 8);
    let before = model.state_dict();
    let x = Tensor::randn([8, 4], &mut rng);
    let grads = model.forward(&x, &Pass::train(&mut rng)).sum().backward();
    assert!(grads.get(&model.fc1.weight).is_none() && grads.missing(&model).is_empty());
    Sgd::new(SgdConfig::default()).step(&mut model, &grads, 0.1);
    let after = model.state_dict();
    let changed = |name: &str| before[name].to_vec() != after[name].to_vec();
    assert!(!changed("fc1.weight") && !changed("fc1.bias") && changed("fc2.bias"));
    assert!(model.summary().to_string().contains("fc1.weight                param    [8, 4]"));
}

#[test]
fn missing_gradients_are_named() {
    let mut rng = Rng::seed(4);
    let model = Mlp::new(&mut rng);
    let grads = model.fc2.forward(&Tensor::ones([1, 8])).sum().backward();
    let missing = ["fc1.weight", "fc1.bias", "norm.weight", "norm.bias"];
    assert_eq!(grads.missing(&model), missing);
}

#[test]
fn a_clone_is_a_model_of_its_own() {
    let mut rng = Rng::seed(5);
    let model = Mlp::new(&mut rng);
    let mut copy = model.clone();
    let x = Tensor::randn([8, 4], &mut rng);
    let grads = copy.forward(&x, &Pass::train(&mut rng)).sum().backward();
    assert!(grads.get(&model.fc1.weight).is_none());
    Sgd::new(SgdConfig::default()).step(&mut copy, &grads, 0.1);
    assert_ne!(model.fc2.bias.as_ref().unwrap().to_vec(), copy.fc2.bias.unwrap().to_vec());
    assert_eq!(model.norm.running_mean.unwrap().get().to_vec(), [0.0; 8]);
    assert_ne!(copy.norm.running_mean.unwrap().get().to_vec(), [0.0; 8]);
}

#[test]
fn layers_without_options_have_fewer_tensors() {
    let options = BatchNormOptions { affine: false, ..BatchNormOptions::default() };
    let names = |norm: BatchNorm1d| norm.state_dict().into_keys().collect::<Vec<_>>();
    let running = ["num_batches_tracked", "running_mean", "running_var"];
    assert_eq!(names(BatchNorm1d::with_options(2, options)), running);
    let options = BatchNormOptions { track_running_stats: false, ..BatchNormOptions::default() };
    assert_eq!(names(BatchNorm1d::with_options(2, options)), ["bias", "weight"]);
    assert_eq!(LayerNorm::<f32>::new([3, 4]).param_count(), 24);
}
