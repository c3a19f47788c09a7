//! Automatic differentiation.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use backstitch::op::{Gradient, Op, Saves, Site, Tangents, apply};
use backstitch::prelude::*;

use crate::support::{Real, all_close, close};

/// The slope of `log |error|` over `log eps`, for the error of a difference quotient of `exp` at 1.
fn error_slope(quotient: impl Fn(f64) -> f64) -> f64 {
    let derivative = grad(|x: &Real| x.exp(), &Tensor::scalar(1.0)).item();
    let error = |eps: f64| (quotient(eps) - derivative).abs().log10();
    (error(1e-2) - error(1e-4)) / 2.0
}

fn exp(x: f64) -> f64 {
    Tensor::scalar(x).exp().item()
}

#[test]
fn row_3_1_one_sided_difference() {
    close(error_slope(|eps| (exp(1.0 + eps) - exp(1.0)) / eps), 1.0, 0.01);
}

#[test]
fn row_3_2_central_difference() {
    close(error_slope(|eps| (exp(1.0 + eps) - exp(1.0 - eps)) / (2.0 * eps)), 2.0, 0.01);
}

/// `x³` with a derivative that is wrong by a factor.
struct Cube {
    factor: f64,
}

impl Op<f64, 1> for Cube {
    const NAME: &'static str = "cube";
    const SAVES: Saves = Saves::INPUTS;
    fn forward(&mut self, [x]: [&Real; 1]) -> Real {
        x * x * x
    }
    fn backward(&self, at: &Site<f64>, dy: &Real) -> Gradient<f64, 1> {
        [Some(dy * at.input(0).square() * (3.0 * self.factor))]
    }
    fn jvp(&self, at: &Site<f64>, [dx]: Tangents<f64, 1>) -> Real {
        dx.unwrap() * at.input(0).square() * (3.0 * self.factor)
    }
}

#[test]
fn row_3_3_gradient_checker() {
    let x = Tensor::randn([3, 4], &mut Rng::seed(12));
    let check = |factor| check_gradients(|x: &Real| apply(Cube { factor }, [x]), &x);
    check(1.0).unwrap();
    check(-1.0).unwrap_err();
    check(1.01).unwrap_err();

    // The same by hand, in one direction of length one.
    let delta: Real = Tensor::randn([3, 4], &mut Rng::seed(13));
    let delta = &delta / delta.square().sum().sqrt();
    close(delta.square().sum().item(), 1.0, 1e-15);
    let f = |x: &Real| (x * x * x).sum();
    let along = (grad(f, &x) * &delta).sum().item();
    let eps = 1e-5;
    let central = (f(&(&x + &delta * eps)) - f(&(&x - &delta * eps))).item() / (2.0 * eps);
    close(along, central, 1e-8);
}

#[test]
fn row_3_4_sum_product_chain() {
    let x = Tensor::scalar(0.7);
    let d = |f: fn(&Real) -> Real| grad(f, &x).item();
    let (sin, cos, exp) = (0.7f64.sin(), 0.7f64.cos(), 0.7f64.exp());
    close(d(|x| x.sin() + x.exp()), cos + exp, 1e-15);
    close(d(|x| x.sin() * x.exp()), cos * exp + sin * exp, 1e-15);
    close(d(|x| x.exp().sin()), exp.cos() * exp, 1e-15);
}

/// A product that counts multiplications of numbers: one forward, two backward.
struct Times(Arc<AtomicUsize>);

impl Op<f64, 2> for Times {
    const NAME: &'static str = "times";
    const SAVES: Saves = Saves::INPUTS;
    fn forward(&mut self, [a, b]: [&Real; 2]) -> Real {
        self.0.fetch_add(1, Ordering::Relaxed);
        a * b
    }
    fn backward(&self, at: &Site<f64>, dy: &Real) -> Gradient<f64, 2> {
        let times = |x: &Real| {
            self.0.fetch_add(1, Ordering::Relaxed);
            dy * x
        };
        [at.want(0, || times(at.input(1))), at.want(1, || times(at.input(0)))]
    }
    fn jvp(&self, at: &Site<f64>, [da, db]: Tangents<f64, 2>) -> Real {
        let term = |d: Option<&Real>, x: &Real| d.map_or(Tensor::scalar(0.0), |d| d * x);
        term(da, at.input(1)) + term(db, at.input(0))
    }
}

#[test]
fn row_3_5_product_of_many() {
    let product = |values: &[f64], count: &Arc<AtomicUsize>| {
        let theta: Vec<Real> = values.iter().map(|&v| Tensor::scalar(v).leaf()).collect();
        let start = theta[0].clone();
        let f = theta[1..].iter().fold(start, |f, t| apply(Times(count.clone()), [&f, t]));
        f.derivatives(&theta).iter().map(Tensor::item).collect()
    };
    let count = Arc::new(AtomicUsize::new(0));
    let one_zero: Vec<f64> = product(&[2.0, 0.0, 3.0, 5.0], &count);
    assert_eq!(one_zero, [0.0, 30.0, 0.0, 0.0]);
    let two_zeros: Vec<f64> = product(&[2.0, 0.0, 0.0, 5.0], &count);
    assert_eq!(two_zeros, [0.0; 4]);
    for n in [10, 20, 40] {
        count.store(0, Ordering::Relaxed);
        let _: Vec<f64> = product(&vec![1.5; n], &count);
        let used = count.load(Ordering::Relaxed);
        assert_eq!(used, 3 * (n - 1));
        assert!(used < n * (n - 2));
    }
}

/// `y = ln x1 + x1 x2 - sin x2`, with all seven values of the course's trace.
fn trace(x: &(Real, Real)) -> [Real; 7] {
    let (v1, v2) = x.clone();
    let (v3, v4, v5) = (v1.log(), &v1 * &v2, v2.sin());
    let v6 = &v3 + &v4;
    let v7 = &v6 - &v5;
    [v1, v2, v3, v4, v5, v6, v7]
}

fn at_two_five() -> (Real, Real) {
    (Tensor::scalar(2.0), Tensor::scalar(5.0))
}

#[track_caller]
fn all_equal(found: &[Real], exact: &[f64], printed: &[f64]) {
    assert_eq!(found.len(), exact.len());
    for ((found, &exact), &printed) in found.iter().zip(exact).zip(printed) {
        close(found.item(), exact, 1e-15);
        assert!((found.item() - printed).abs() <= 0.0005, "{} for {printed}", found.item());
    }
}

#[test]
fn row_3_6_example_trace() {
    let (ln, sin) = (2f64.ln(), 5f64.sin());
    let exact = [2.0, 5.0, ln, 10.0, sin, ln + 10.0, ln + 10.0 - sin];
    let printed = [2.0, 5.0, 0.693, 10.0, -0.959, 10.693, 11.652];
    all_equal(&trace(&at_two_five()), &exact, &printed);
}

#[test]
fn row_3_7_forward_mode() {
    let direction = (Tensor::scalar(1.0), Tensor::scalar(0.0));
    let (_, dots) = jvp(trace, &at_two_five(), &direction);
    let dots_printed = [1.0, 0.0, 0.5, 5.0, 0.0, 5.5, 5.5];
    all_equal(&dots, &dots_printed, &dots_printed);
}

/// The square, counting the passes of forward mode through it.
struct Square(Arc<AtomicUsize>);

impl Op<f64, 1> for Square {
    const NAME: &'static str = "square";
    const SAVES: Saves = Saves::INPUTS;
    fn forward(&mut self, [x]: [&Real; 1]) -> Real {
        x * x
    }
    fn backward(&self, at: &Site<f64>, dy: &Real) -> Gradient<f64, 1> {
        [Some(dy * at.input(0) * 2.0)]
    }
    fn jvp(&self, at: &Site<f64>, [dx]: Tangents<f64, 1>) -> Real {
        self.0.fetch_add(1, Ordering::Relaxed);
        dx.unwrap() * at.input(0) * 2.0
    }
}

#[test]
fn row_3_8_cost_of_forward_mode() {
    let passes = Arc::new(AtomicUsize::new(0));
    let w: Real = Tensor::randn([3, 5], &mut Rng::seed(14));
    let x = Tensor::from([1.0, 2.0, 3.0]);
    // From R³ to R⁵, where forward mode is the cheaper one.
    let f = |x: &Real| apply(Square(passes.clone()), [x]).reshape([1, 3]).matmul(&w).reshape([5]);
    let full = jacobian(f, &x);
    assert_eq!(passes.load(Ordering::Relaxed), 3);
    all_close(&full, &(w.transpose(0, 1) * &x * 2.0), 1e-15);
}

#[test]
fn row_3_9_reverse_mode() {
    let (x1, x2) = at_two_five();
    let v = trace(&(x1.leaf(), x2.leaf()));
    let bars = v[6].derivatives(&v);
    let last = 2.0 - 5f64.cos();
    let (exact, printed) =
        ([5.5, last, 1.0, 1.0, -1.0, 1.0, 1.0], [5.5, 1.716, 1.0, 1.0, -1.0, 1.0, 1.0]);
    all_equal(&bars, &exact, &printed);
}

#[test]
fn row_3_10_nodes_used_many_times() {
    for uses in [2, 3, 100] {
        let v = Tensor::scalar(0.3).leaf();
        let terms = (0..uses).map(|k| (&v * (k as f64 + 1.0)).sin());
        let y = terms.reduce(|sum, term| sum + term).unwrap();
        let want: f64 = (1..=uses).map(|k| k as f64 * (0.3 * k as f64).cos()).sum();
        close(y.backward().get(&v).unwrap().item(), want, 1e-13);
    }
}

/// The identity, which writes its label down when its adjoint is passed on.
struct Label(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Op<f64, 1> for Label {
    const NAME: &'static str = "label";
    const SAVES: Saves = Saves::NOTHING;
    fn forward(&mut self, [x]: [&Real; 1]) -> Real {
        x.detach()
    }
    fn backward(&self, _: &Site<f64>, dy: &Real) -> Gradient<f64, 1> {
        self.1.lock().unwrap().push(self.0);
        [Some(dy.clone())]
    }
    fn jvp(&self, _: &Site<f64>, [dx]: Tangents<f64, 1>) -> Real {
        dx.unwrap().clone()
    }
}

#[test]
fn row_3_11_reverse_topological_order() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let label = |name, x: Real| apply(Label(name, order.clone()), [&x]);
    let (x1, x2) = at_two_five();
    let (v1, v2) = (label("v1", x1.leaf()), label("v2", x2.leaf()));
    let (v3, v4, v5) = (label("v3", v1.log()), label("v4", &v1 * &v2), label("v5", v2.sin()));
    let v6 = label("v6", &v3 + &v4);
    label("v7", &v6 - &v5).backward();
    let order = order.lock().unwrap();
    let place = |name| order.iter().position(|&label| label == name).unwrap();
    assert_eq!(order.len(), 7, "each node once: {order:?}");
    let edges =
        [("v1", "v3"), ("v1", "v4"), ("v2", "v4"), ("v2", "v5"), ("v3", "v6"), ("v4", "v6")];
    for (input, output) in edges.into_iter().chain([("v6", "v7"), ("v5", "v7")]) {
        assert!(place(output) < place(input), "{output} before {input}: {order:?}");
    }
}

#[test]
fn row_3_12_gradients_are_nodes() {
    let x = Tensor::scalar(2.0).leaf();
    let first = (&x * &x * &x).backward_with_graph().get(&x).unwrap().clone();
    assert!(first.is_tracked());
    assert_eq!(first.item(), 12.0);
    let second = first.backward_with_graph().get(&x).unwrap().clone();
    assert_eq!(second.item(), 12.0);
    assert_eq!(second.backward().get(&x).unwrap().item(), 6.0);
}

#[test]
fn row_3_13_both_kinds_of_backward() {
    let mut rng = Rng::seed(15);
    let x: Real = Tensor::randn([6, 4], &mut rng);
    let model: (Linear<f64>, Tanh, Linear<f64>) =
        (Linear::new(4, 5, &mut rng), Tanh, Linear::new(5, 3, &mut rng));
    let labels = Tensor::from([0, 1, 2, 2, 1, 0]);
    let loss = || model.forward(&x, &Pass::eval()).cross_entropy(&labels);
    let (freeing, building) = (loss().backward(), loss().backward_with_graph());
    for (_, param) in model.params() {
        let (a, b) = (freeing.get(param).unwrap(), building.get(param).unwrap());
        assert!(!a.is_tracked() && b.is_tracked());
        all_close(a, &b.detach(), 1e-15);
    }
}

#[test]
fn row_3_14_gradient_of_gradient() {
    let y = |x: &Real| {
        let (x2, x3) = (x.narrow(0, 0, 1), x.narrow(0, 1, 1));
        (&x2 * &x2 + &x2 * &x3).sum()
    };
    let x = Tensor::from([6.0, 0.0]);
    let (value, gradient) = value_and_grad(y, &x);
    assert_eq!((value.item(), gradient.to_vec()), (36.0, vec![12.0, 6.0]));
    assert_eq!(hessian(y, &x).to_vec(), [2.0, 1.0, 1.0, 0.0]);

    let traced = |x: &Real| {
        let part = |i| x.narrow(0, i, 1).reshape([]);
        trace(&(part(0), part(1)))[6].clone()
    };
    let x = Tensor::from([2.0, 5.0]);
    let exact = Tensor::from([[-0.25, 1.0], [1.0, 5f64.sin()]]);
    all_close(&hessian(traced, &x), &exact, 1e-15);
    let v = Tensor::from([0.3, -1.1]);
    let product = exact.matmul(&v.reshape([2, 1])).reshape([2]);
    all_close(&hvp(traced, &x, &v), &product, 1e-15);
}

#[test]
fn row_3_15_adjoint_of_a_product() {
    let mut rng = Rng::seed(16);
    let pair: (Real, Real) = (Tensor::randn([4, 6], &mut rng), Tensor::randn([6, 3], &mut rng));
    let z_bar = Tensor::randn([4, 3], &mut rng);
    let (_, pull) = vjp(|(x, w): &(Real, Real)| x.matmul(w), &pair);
    let (x_bar, w_bar) = pull(&z_bar);
    all_close(&x_bar, &z_bar.matmul(&pair.1.transpose(0, 1)), 1e-14);
    all_close(&w_bar, &pair.0.transpose(0, 1).matmul(&z_bar), 1e-14);
}

#[test]
fn row_3_16_adjoint_of_a_dict() {
    type Dict = BTreeMap<String, Real>;
    let dict = |cat: f64, dog: f64| -> Dict {
        [("cat", cat), ("dog", dog)].map(|(k, v)| (k.to_string(), Tensor::scalar(v))).into()
    };
    let numbers = |dict: &Dict| dict.iter().map(|(k, v)| (k.clone(), v.item())).collect::<Vec<_>>();
    let bar = grad(|d: &Dict| &d["cat"] * &d["dog"], &dict(2.0, 3.0));
    assert_eq!(numbers(&bar), [("cat".to_string(), 3.0), ("dog".to_string(), 2.0)]);
    // The dog is not used: its adjoint is there, and zero.
    let bar = grad(|d: &Dict| d["cat"].square(), &dict(2.0, 3.0));
    assert_eq!(numbers(&bar), [("cat".to_string(), 4.0), ("dog".to_string(), 0.0)]);
    // Dicts out, tuples in.
    let f = |(a, b): &(Real, Real)| -> Dict {
        [("cat".to_string(), a * b), ("dog".to_string(), a + b)].into()
    };
    let pair = at_two_five();
    let (_, pull) = vjp(f, &pair);
    let (a, b) = pull(&dict(1.0, 10.0));
    assert_eq!((a.item(), b.item()), (15.0, 12.0));
}

#[test]
fn row_3_17_weights_use_adjoints() {
    let mut w = Param::new(Tensor::from([1.0f64, -2.0]));
    let grads = (&*w * &*w * &*w).sum().backward();
    let w_bar = grads.get(&w).unwrap().clone();
    let want = w.detach() - w_bar * 0.1;
    Sgd::new(SgdConfig::default()).step(&mut w, &grads, 0.1);
    all_close(&w, &want, 1e-15);
}
