//! Transforms over trees of every kind, nested in each other; checkpoints; custom ops; failures.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use backstitch_tensor::op::{Gradient, Op, Saves, Site, Tangents, apply};
use backstitch_tensor::registry::{self, Build, Cost, Domain, OpSpec, Oracle, Slope, Tolerance};
use backstitch_tensor::{
    ConvOptions, Float, Module, Param, Rng, Running, Slot, Tensor, Visitor, VisitorMut,
    check_gradients, check_second_order, checkpoint, detect_anomaly, for_each, grad, hessian, hvp,
    jacobian, jvp, linearize, value_and_grad, vjp,
};

type Map<M> = BTreeMap<String, M>;

fn random(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::randn(shape, &mut Rng::seed(seed))
}

/// All tensors of a tree.
fn parts<X: Module<f64>>(x: &X) -> Vec<Tensor<f64>> {
    let mut found = Vec::new();
    for_each(x, |_, slot| match slot {
        Slot::Param(param) => found.push(param.detach()),
        Slot::Tensor(x) => found.push(x.detach()),
        Slot::Running(_) => {}
    });
    found
}

/// A smooth function in which every element of every tensor of a tree acts on every other.
fn mixed<X: Module<f64>>(x: &X) -> Tensor<f64> {
    let mut sum = Tensor::scalar(0.3);
    for_each(x, |_, slot| {
        let part: &Tensor<f64> = match &slot {
            Slot::Param(param) => param,
            Slot::Tensor(x) => x,
            Slot::Running(_) => return,
        };
        sum = (&sum + (part * part).sum() * 0.25).sin() + (part * &sum).sum();
    });
    sum
}

fn dot(a: &[Tensor<f64>], b: &[Tensor<f64>]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a * b).sum().item()).sum()
}

#[track_caller]
fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-10 * (1.0 + a.abs()), "{a} and {b}");
}

/// Every transform, and some inside of others, on one tree.
#[track_caller]
fn check<X: Module<f64> + Clone>(x: &X, v: &X) {
    check_gradients(mixed::<X>, x).unwrap();
    check_second_order(mixed::<X>, x).unwrap();
    let (value, dx) = value_and_grad(mixed::<X>, x);
    assert_eq!(value.item(), mixed(x).item());
    assert_eq!(dot(&parts(&dx), &parts(v)), dot(&parts(&grad(mixed::<X>, x)), &parts(v)));
    let slope = dot(&parts(&dx), &parts(v));
    near(jvp(mixed::<X>, x, v).1.item(), slope);
    let (_, push) = linearize(mixed::<X>, x);
    near(push(v).item(), slope);
    let (_, pull) = vjp(mixed::<X>, x);
    near(dot(&parts(&pull(&Tensor::scalar(2.0))), &parts(v)), 2.0 * slope);
    // v H v in four ways: forward over reverse, and the slope of the slope along v.
    let curved = dot(&parts(&hvp(mixed::<X>, x, v)), &parts(v));
    let along = |x: &X| jvp(mixed::<X>, x, v).1;
    near(dot(&parts(&grad(along, x)), &parts(v)), curved);
    near(jvp(along, x, v).1.item(), curved);
    let by_pull = |x: &X| vjp(mixed::<X>, x).1(&Tensor::scalar(1.0));
    near(dot(&parts(&jvp(by_pull, x, v).1), &parts(v)), curved);
}

/// A tree of one's own, as `#[derive(Module)]` writes it.
#[derive(Clone)]
struct Layer {
    weight: Param<f64>,
    scale: Option<Tensor<f64>>,
    seen: Running<f64>,
    rate: f64,
}

impl Module<f64> for Layer {
    fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, f64>) {
        visitor.field("weight", &self.weight);
        visitor.field("scale", &self.scale);
        visitor.field("seen", &self.seen);
        visitor.field("rate", &self.rate);
    }
    fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, f64>) {
        visitor.field("weight", &mut self.weight);
        visitor.field("scale", &mut self.scale);
        visitor.field("seen", &mut self.seen);
        visitor.field("rate", &mut self.rate);
    }
}

fn layer(seed: u64) -> Layer {
    Layer {
        weight: Param::new(random(&[2, 3], seed)),
        scale: seed.is_multiple_of(2).then(|| random(&[2], seed + 100)),
        seen: Running::new(random(&[2], seed)),
        rate: 0.5,
    }
}

#[test]
fn trees_of_every_kind() {
    let t = |seed| random(&[2], seed);
    check(&t(1), &t(2));
    check(&random(&[], 1), &random(&[], 2));
    check(&(t(1), random(&[2, 2], 3)), &(t(2), random(&[2, 2], 4)));
    check(&[t(1), t(3), t(5)], &[t(2), t(4), t(6)]);
    check(&vec![t(1), random(&[3], 3)], &vec![t(2), random(&[3], 4)]);
    check(&Some(t(1)), &Some(t(2)));
    let map = |seed| Map::from([("a".to_string(), t(seed)), ("b".to_string(), t(seed + 1))]);
    check(&map(1), &map(3));
    check(&layer(2), &layer(4));
    check(&Param::new(t(1)), &Param::new(t(2)));
    check(&Box::new(t(1)), &Box::new(t(2)));
}

#[test]
fn trees_in_trees() {
    let t = |seed| random(&[2], seed);
    let tree = |seed: u64| {
        let map = Map::from([
            ("x".to_string(), (vec![Some(layer(2 * seed)), None], [t(seed), t(seed + 1)])),
            ("y".to_string(), (vec![], [t(seed + 2), t(seed + 3)])),
        ]);
        (map, Some(Box::new((t(seed + 4), 7usize, "name"))))
    };
    check(&tree(1), &tree(20));
}

#[test]
fn outputs_are_trees_too() {
    let f = |(x, y): &(Tensor<f64>, Tensor<f64>)| {
        Map::from([("product".to_string(), x * y), ("sum".to_string(), (x + y).sum())])
    };
    let x = (Tensor::from([1.0, 2.0]), Tensor::from([3.0, 5.0]));
    let (value, pull) = vjp(f, &x);
    assert_eq!(value["product"].to_vec(), [3.0, 10.0]);
    let dy = Map::from([
        ("product".to_string(), Tensor::from([1.0, 10.0])),
        ("sum".to_string(), Tensor::scalar(100.0)),
    ]);
    let (dx, dy_input) = pull(&dy);
    assert_eq!((dx.to_vec(), dy_input.to_vec()), (vec![103.0, 150.0], vec![101.0, 120.0]));
    let (_, moved) = jvp(f, &x, &(Tensor::from([1.0, 0.0]), Tensor::from([0.0, 1.0])));
    assert_eq!((moved["product"].to_vec(), moved["sum"].item()), (vec![3.0, 2.0], 2.0));
}

#[test]
fn frozen_parameters_and_statistics_stay_out() {
    let mut frozen = layer(2);
    frozen.weight.set_trainable(false);
    let dx = grad(mixed::<Layer>, &frozen);
    assert!(dx.weight.to_vec().iter().all(|&dx| dx == 0.0));
    assert!(dx.scale.unwrap().to_vec().iter().all(|&dx| dx != 0.0));
    assert_eq!(dx.seen.get().to_vec(), frozen.seen.get().to_vec());
}

#[test]
fn jacobians_and_hessians_of_closures_over_tracked_tensors() {
    let w = Tensor::from([2.0, 3.0]).leaf();
    let x = Tensor::from([0.5, -1.0]);
    let f = |x: &Tensor<f64>| (x.exp() * &w).sum();
    let h = hessian(f, &x);
    let want = [2.0 * 0.5f64.exp(), 0.0, 0.0, 3.0 * (-1.0f64).exp()];
    assert!(h.to_vec().iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-14));
    // The Hessian depends on w as well: d(sum of H)/dw = exp(x).
    let dw = h.sum().backward();
    assert!((dw.get(&w).unwrap().to_vec()[0] - 0.5f64.exp()).abs() < 1e-14);
    let j = jacobian(|x: &Tensor<f64>| x * &w, &x);
    assert_eq!(j.to_vec(), [2.0, 0.0, 0.0, 3.0]);
    assert_eq!(j.sum().backward().get(&w).unwrap().to_vec(), [1.0, 1.0]);
}

/// Two layers of tanh, whose first statistic counts the calls.
fn block(layer: &Layer, x: &Tensor<f64>) -> Tensor<f64> {
    layer.seen.update(|seen| *seen = &*seen + 1.0);
    let h = layer.weight.matmul(&x.tanh()).softmax(0);
    let scale = layer.scale.as_ref().expect("this layer has one");
    (h * scale).dropout(0.3, 5).sin()
}

#[test]
fn a_checkpoint_changes_neither_values_nor_gradients() {
    let (model, x) = (layer(2), random(&[3], 9).leaf());
    let scale = model.scale.as_ref().unwrap().leaf();
    let model = Layer { scale: Some(scale.clone()), ..model };
    let before = model.seen.get().to_vec();
    let y = checkpoint(&model, &x, block);
    assert_eq!(model.seen.get().to_vec()[0], before[0] + 1.0);
    let kept = y.square().sum().backward();
    assert_eq!(model.seen.get().to_vec()[0], before[0] + 1.0, "backward runs on a copy");
    let plain = block(&model, &x);
    assert_eq!(y.to_vec(), plain.to_vec());
    let want = plain.square().sum().backward();
    for leaf in [&*model.weight, &x, &scale] {
        assert_eq!(kept.get(leaf).unwrap().to_vec(), want.get(leaf).unwrap().to_vec());
    }
}

#[test]
fn checkpoints_nest_in_transforms_and_in_each_other() {
    let f = |x: &(Layer, Tensor<f64>)| {
        let (model, x) = x;
        checkpoint(model, x, |model, x| {
            let inner = checkpoint(model, x, block);
            inner.sum() * x.sum()
        })
    };
    let (x, v) = ((layer(2), random(&[3], 9)), (layer(4), random(&[3], 10)));
    check_gradients(f, &x).unwrap();
    check_second_order(f, &x).unwrap();
    let plain = |x: &(Layer, Tensor<f64>)| block(&x.0, &x.1).sum() * x.1.sum();
    let (kept, want) = (hvp(f, &x, &v), hvp(plain, &x, &v));
    assert!(parts(&kept).iter().zip(parts(&want)).all(|(a, b)| a.to_vec() == b.to_vec()));
}

#[test]
fn a_checkpoint_of_many_parameters() {
    let model: Vec<Param<f64>> = (0..50).map(|seed| Param::new(random(&[2], seed))).collect();
    let y = checkpoint(&model, &(), |model, &()| {
        model.iter().map(|w| w.square().sum()).reduce(|a, b| a + b).unwrap()
    });
    let grads = y.backward();
    assert!(model.iter().all(|w| grads.get(w).unwrap().to_vec() == (&**w * 2.0).to_vec()));
}

#[test]
fn a_checkpoint_refuses_to_lose_a_gradient() {
    let (w, x) = (Tensor::from([1.0, 2.0]).leaf(), Tensor::from([3.0, 4.0]).leaf());
    let hidden = w.clone();
    let panic = catch_unwind(AssertUnwindSafe(|| checkpoint(&(), &x, move |_, x| x * &hidden)));
    let message = *panic.err().unwrap().downcast::<String>().unwrap();
    assert_eq!(
        message,
        "checkpoint: needs all tracked tensors in its module or its input; got another one in mul"
    );
}

/// `y = x³`, as a user writes it.
struct Cube;

impl<T: Float> Op<T, 1> for Cube {
    const NAME: &'static str = "cube";
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        x * x * x
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(dy * at.input(0).square() * T::from_f64(3.0))]
    }

    fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        dx.unwrap() * at.input(0).square() * T::from_f64(3.0)
    }
}

/// The same with a wrong factor in backward.
struct Crooked;

impl<T: Float> Op<T, 1> for Crooked {
    const NAME: &'static str = "crooked";
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        x * x * x
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(dy * at.input(0).square() * T::from_f64(2.0))]
    }

    fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        dx.unwrap() * at.input(0).square() * T::from_f64(3.0)
    }
}

fn spec(name: &'static str, build: Build) -> OpSpec {
    OpSpec {
        name,
        formula: "y = x³",
        shapes: &[&[&[]], &[&[0]], &[&[7]], &[&[3, 17]], &[&[64, 64]]],
        domain: Domain::Range(-2.0, 2.0),
        build,
        oracle: Oracle::Unary(|x| x * x * x),
        refused: &[],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 2.0),
        tolerance: Tolerance::Ulps(2.0, "two products"),
    }
}

#[test]
fn ops_of_ones_own_pass_the_checks_of_the_built_in_ones() {
    let cube = Build { f32: |x| apply(Cube, [&x[0]]), f64: |x| apply(Cube, [&x[0]]) };
    registry::check(&spec("cube", cube)).unwrap();
    let third = |x: &Tensor<f64>| grad(|x| grad(|x| apply(Cube, [x]), x), x);
    assert_eq!(grad(third, &Tensor::scalar(2.0)).item(), 6.0);

    let wrong = Build { f32: |x| apply(Crooked, [&x[0]]), f64: |x| apply(Crooked, [&x[0]]) };
    let error = registry::check(&spec("crooked", wrong)).unwrap_err().to_string();
    assert!(error.starts_with("crooked: gradient: "), "{error}");
}

#[test]
fn a_failed_check_names_op_element_values_and_error() {
    let x = (Tensor::from([0.5f64, 2.0]), Tensor::from([1.0]));
    let error = check_gradients(|(x, y)| apply(Crooked, [x]) + y, &x).unwrap_err();
    assert_eq!((error.op, &*error.element), ("add", "0[1]"));
    assert!((error.derivative / error.difference - 2.0 / 3.0).abs() < 1e-6);
    let error = check_gradients(|x| apply(Crooked, [x]), &x.0).unwrap_err();
    let text = error.to_string();
    let start = "gradient of crooked: needs a relative error of at most 1e-7; got ";
    assert!(text.starts_with(start) && text.contains("worst at x[1]: derivative "), "{text}");
    assert!(error.error > 0.1 && text.contains(&format!("difference {}", error.difference)));
}

fn message(body: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body)).expect_err("it panics");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map(|text| text.to_string()).unwrap_or_default(),
    }
}

#[test]
fn a_loss_that_reaches_no_parameter_says_so() {
    let w = Param::new(Tensor::from([1.0f32, 2.0]));
    let lost = message(|| drop(w.detach().sum().backward()));
    assert!(
        lost.starts_with("backward: needs a loss computed from a parameter or another leaf"),
        "{lost}"
    );
    let lost = message(|| drop(w.detach().sum().backward_with_graph()));
    assert!(lost.starts_with("backward_with_graph: needs a loss computed from"), "{lost}");
}

#[test]
fn anomalies_name_op_and_line_forward_and_backward() {
    let line = line!() + 1;
    let forward = message(|| drop(detect_anomaly(|| Tensor::from([1.0f32, 0.0]).log())));
    let place = format!("called at {}:{line}:", file!());
    assert!(
        forward.starts_with("log: made -inf at element 1") && forward.contains(&place),
        "{forward}"
    );
    let x = Tensor::from([4.0f32, 0.0]).leaf();
    let line = line!() + 1;
    let y = x.sqrt();
    let backward = message(|| drop(detect_anomaly(|| y.sum().backward())));
    let place = format!("called at {}:{line}:", file!());
    assert!(
        backward.starts_with("sqrt backward: made inf at element 1") && backward.contains(&place),
        "{backward}"
    );
}

#[test]
fn images_that_do_not_fit_a_convolution_are_told_the_commonest_cause() {
    let hints = |shape: &[usize], hint: &str| {
        let (x, weight) = (Tensor::<f32>::ones(shape), Tensor::ones([8, 3, 3, 3]));
        let text = message(|| drop(x.conv2d(&weight, None, &ConvOptions::default())));
        assert!(text.ends_with(hint), "{text}");
    };
    hints(&[28, 28], "; unsqueeze adds the axes of batch and channels");
    hints(&[5, 28, 28, 3], "; are channels last? movedim moves them");
    hints(&[5, 1, 28, 28], "; 1 channels for a weight of 3");
}
