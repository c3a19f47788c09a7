//! The graph as a whole: orders of derivatives, nesting, sharing, depth.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use backstitch_tensor::op::{Gradient, Op, Saves, Site, Tangents, apply};
use backstitch_tensor::{
    Param, Tensor, check_gradients, check_second_order, grad, hessian, hvp, jacobian, jvp, no_grad,
    tree_map, tree_zip, value_and_grad, vjp,
};

fn scalar(x: f64) -> Tensor<f64> {
    Tensor::scalar(x)
}

#[test]
fn a_value_used_along_many_paths_sums_their_gradients() {
    for uses in [1, 2, 3, 100] {
        let x = scalar(3.0).leaf();
        let mut y = &x * 1.0;
        for _ in 1..uses {
            y = y + &x;
        }
        assert_eq!(y.backward().get(&x).unwrap().item(), uses as f64);
    }
}

#[test]
fn gradients_of_gradients_nest_to_any_order() {
    let cube = |x: &Tensor<f64>| x * x * x;
    let first = |x: &Tensor<f64>| grad(cube, x);
    let second = |x: &Tensor<f64>| grad(first, x);
    let third = |x: &Tensor<f64>| grad(second, x);
    let x = scalar(2.0);
    let values = [first(&x), second(&x), third(&x), grad(third, &x)].map(|y| y.item());
    assert_eq!(values, [12.0, 12.0, 6.0, 0.0]);
    assert!(!first(&x).is_tracked());
}

#[test]
fn forward_and_reverse_mode_nest_in_each_other() {
    let f = |x: &Tensor<f64>| (x * x * x).sum();
    let x = Tensor::from([1.0, -2.0]);
    let v = Tensor::from([1.0, 10.0]);
    assert_eq!(hvp(f, &x, &v).to_vec(), [6.0, -120.0]);
    assert_eq!(hessian(f, &x).to_vec(), [6.0, 0.0, 0.0, -12.0]);
    let slope_along_v = |x: &Tensor<f64>| jvp(f, x, &v).1;
    assert_eq!(grad(slope_along_v, &x).to_vec(), [6.0, -120.0]);
    let inner = |x: &Tensor<f64>| jvp(f, x, x).1;
    assert_eq!(jvp(inner, &x, &v).1.item(), 9.0 + 9.0 * 40.0);
}

#[test]
fn tangents_of_two_levels_do_not_mix() {
    // d/dx (x * d/dy (x + y)) = 1, not 2.
    let outer = |x: &Tensor<f64>| {
        let (_, dy) = jvp(|y: &Tensor<f64>| x + y, &scalar(1.0), &scalar(1.0));
        x * dy
    };
    assert_eq!(jvp(outer, &scalar(5.0), &scalar(1.0)).1.item(), 1.0);
    assert_eq!(grad(outer, &scalar(5.0)).item(), 1.0);
}

#[test]
fn a_gradient_penalty_reaches_the_parameters_it_closes_over() {
    let w = Param::new(Tensor::from([2.0f64, 3.0]));
    let x = Tensor::from([5.0f64, 7.0]);
    let slope = grad(|x: &Tensor<f64>| (&*w * x * x).sum(), &x);
    let penalty = (&slope * &slope).sum().backward();
    // slope = 2 w x; d/dw Σ (2 w x)² = 8 w x²
    assert_eq!(penalty.get(&w).unwrap().to_vec(), [8.0 * 2.0 * 25.0, 8.0 * 3.0 * 49.0]);
}

#[test]
fn trees_get_trees_of_gradients() {
    let animals: BTreeMap<String, Tensor> = [("cat", 2.0), ("dog", 5.0), ("eel", 1.0)]
        .map(|(k, v)| (k.into(), Tensor::scalar(v)))
        .into();
    let (value, slopes) =
        value_and_grad(|map: &BTreeMap<String, Tensor>| &map["cat"] * &map["dog"], &animals);
    assert_eq!(value.item(), 10.0);
    let slopes: Vec<f32> = slopes.values().map(|slope| slope.item()).collect();
    assert_eq!(slopes, [5.0, 2.0, 0.0]);
}

#[test]
fn jacobians_agree_in_both_modes() {
    let wide = |x: &Tensor<f64>| Tensor::concat(&[&(x * x), &(x * 3.0), &x.exp()], 0);
    let x = Tensor::from([0.5, -1.0]);
    let forward = jacobian(wide, &x);
    assert_eq!(forward.shape(), [6, 2]);
    let (_, pull) = vjp(wide, &x);
    for i in 0..6 {
        let row = pull(&Tensor::from_fn([6], |idx| f64::from(idx[0] == i)));
        assert_eq!(row.to_vec(), forward.slice(0, i as isize..=i as isize).to_vec());
    }
    let tall = |x: &Tensor<f64>| (x * x).sum();
    assert_eq!(jacobian(tall, &x).to_vec(), [1.0, -2.0]);
}

#[test]
fn softmax_has_all_derivatives() {
    let x = Tensor::from([[0.3, -1.0, 2.0], [0.1, 0.2, 0.7]]);
    check_gradients(|x: &Tensor<f64>| x.softmax(-1), &x).unwrap();
    check_second_order(|x: &Tensor<f64>| x.softmax(-1), &x).unwrap();
    check_gradients(|x: &Tensor<f64>| x.softmax(0), &x).unwrap();
}

#[test]
fn backward_frees_and_says_so() {
    let x = scalar(2.0).leaf();
    let y = &x * &x;
    y.backward();
    let panic = std::panic::catch_unwind(|| y.backward()).err().unwrap();
    let message = panic.downcast::<String>().unwrap();
    assert!(message.contains("mul") && message.contains("autodiff.rs"), "{message}");
}

#[test]
fn a_loss_outside_the_graph_is_refused() {
    let x = scalar(2.0).leaf();
    let y = no_grad(|| &x * &x);
    let panic = std::panic::catch_unwind(|| y.backward()).err().unwrap();
    assert!(panic.downcast::<String>().unwrap().contains("outside the graph"));
}

#[test]
fn a_million_chained_ops_neither_overflow_nor_slow_down() {
    let x = scalar(0.5).leaf();
    let mut y = &x * 1.0;
    for _ in 0..1_000_000 {
        y = y + 1e-9;
    }
    assert_eq!(y.backward().get(&x).unwrap().item(), 1.0);
    let mut y = &x * 1.0;
    for _ in 0..1_000_000 {
        y = y + 1e-9;
    }
    drop(y);
}

/// The other walks of a graph; a deeper one takes long.
#[test]
fn deep_graphs_are_recorded_and_moved_along_without_recursion() {
    let deep = |x: &Tensor<f64>| (0..200_000).fold(x * 1.0, |y, _| y + 1e-9);
    let x = scalar(0.5).leaf();
    let dx = deep(&x).backward_with_graph().get(&x).unwrap().clone();
    assert_eq!(dx.item(), 1.0);
    let (_, moved) = jvp(deep, &scalar(0.5), &scalar(3.0));
    assert_eq!(moved.item(), 3.0);
    let square = |x: &Tensor<f64>| deep(x) * x;
    assert!((hvp(square, &scalar(0.5), &scalar(1.0)).item() - 2.0).abs() < 1e-12);
}

/// `x + 1`, with a saved value of which the test keeps a weak handle.
struct Keeps {
    saved: Arc<()>,
    /// The values that ops before this one saved, and those after it.
    all: Arc<Mutex<Vec<Weak<()>>>>,
    number: usize,
}

impl Op<f64, 1> for Keeps {
    const NAME: &'static str = "keeps";
    const SAVES: Saves = Saves::NOTHING;
    fn forward(&mut self, [x]: [&Tensor<f64>; 1]) -> Tensor<f64> {
        self.all.lock().unwrap().push(Arc::downgrade(&self.saved));
        x + 1.0
    }
    fn backward(&self, _: &Site<f64>, dy: &Tensor<f64>) -> Gradient<f64, 1> {
        let is_there = |saved: &Weak<()>| saved.upgrade().is_some();
        let there: Vec<bool> = self.all.lock().unwrap().iter().map(is_there).collect();
        let expected: Vec<bool> = (0..there.len()).map(|k| k <= self.number).collect();
        assert_eq!(there, expected, "op {} runs backward", self.number);
        [Some(dy.clone())]
    }
    fn jvp(&self, _: &Site<f64>, [dx]: Tangents<f64, 1>) -> Tensor<f64> {
        dx.unwrap().clone()
    }
}

#[test]
fn saved_values_are_freed_as_backward_passes_them() {
    let all = Arc::new(Mutex::new(Vec::new()));
    let x = scalar(0.0).leaf();
    let keeps = |number| Keeps { saved: Arc::new(()), all: all.clone(), number };
    let y = (0..10).fold(x.clone(), |y, number| apply(keeps(number), [&y]));
    assert_eq!(y.backward().get(&x).unwrap().item(), 1.0);
    assert!(all.lock().unwrap().iter().all(|saved| saved.upgrade().is_none()));
}

#[test]
fn derivatives_find_intermediate_adjoints() {
    let x = scalar(2.0).leaf();
    let (a, b) = (&x * 3.0, &x * 5.0);
    let y = &a * &b;
    let adjoints = y.derivatives(&[&a, &b, &x]);
    let adjoints: Vec<f64> = adjoints.iter().map(Tensor::item).collect();
    assert_eq!(adjoints, [10.0, 6.0, 60.0]);
}

#[test]
fn derivatives_are_part_of_the_graph_unless_told_otherwise() {
    let (w, x) = (scalar(3.0).leaf(), scalar(2.0).leaf());
    let y = &x * &x * &x * &w;
    let dx = &y.derivatives(&[&x])[0];
    let second = dx.derivatives(&[&x, &w]);
    // 6 x w and 3 x².
    assert_eq!((second[0].item(), second[1].item()), (36.0, 12.0));
    assert!(!no_grad(|| y.derivatives(&[&x])).remove(0).is_tracked());
}

#[test]
fn derivatives_refuse_what_has_no_part_in_the_graph() {
    let (x, constant) = (scalar(2.0).leaf(), scalar(1.0));
    let refused = |message: &str, body: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_err();
        let found = panic.downcast::<String>().unwrap();
        assert!(found.contains(message), "{found}");
    };
    let y = &x * &constant;
    refused("got input 1 outside; call leaf()", &|| drop(y.derivatives(&[&x, &constant])));
    let y = no_grad(|| &x * &x);
    refused("derivatives: needs a loss computed", &|| drop(y.derivatives(&[&x])));
    // In the graph, but without a part in the value.
    let other = scalar(1.0).leaf();
    assert_eq!((&x * &x).derivatives(&[&other])[0].item(), 0.0);
}

#[test]
fn parameters_calculate_like_tensors() {
    let (w, x) = (Param::new(Tensor::from([2.0, 8.0])), Tensor::from([4.0, 2.0]));
    let check = |y: Tensor<f64>, values: [f64; 2], slope: [f64; 2]| {
        assert_eq!(y.to_vec(), values);
        assert_eq!(y.sum().backward().get(&w).unwrap().to_vec(), slope);
    };
    check(&x - &w, [2.0, -6.0], [-1.0, -1.0]);
    check(&w / x.clone(), [0.5, 4.0], [0.25, 0.5]);
    check(&w * &w, [4.0, 64.0], [4.0, 16.0]);
    check(&w + 1.0, [3.0, 9.0], [1.0, 1.0]);
    check(x.maximum(&w), [4.0, 8.0], [0.0, 1.0]);
    check(Tensor::concat(&[&w.detach(), &x], 0).slice(0, 0..2) * &w, [4.0, 64.0], [2.0, 8.0]);
}

#[test]
fn trees_are_mapped_and_zipped_with_their_graph() {
    type Pair = (Param<f64>, Tensor<f64>);
    let pair: Pair = (Param::new(scalar(3.0)), scalar(5.0));
    let loss = |(w, x): &Pair| w * w * x;
    // Behind a step of w by its gradient 2 w x, and of x by w².
    let g = grad(loss, &pair);
    assert_eq!((g.0.item(), g.1.item()), (30.0, 9.0));
    let behind = |pair: &Pair| {
        let g = grad(loss, pair);
        loss(&tree_zip(pair, &g, |x, g| x - g * 0.1))
    };
    let slope = grad(behind, &pair);
    // (w - 0.2 w x)² (x - 0.1 w²), which is w² (1 - 0.2 x)² (x - 0.1 w²), vanishes at x = 5.
    assert_eq!((slope.0.item(), slope.1.item()), (0.0, 0.0));
    check_gradients(behind, &(Param::new(scalar(1.5)), scalar(0.7))).unwrap();
    // A parameter stays one; a frozen one stays frozen.
    let mut copy = no_grad(|| tree_map(&pair, |x| x * 2.0));
    assert!(copy.0.is_trainable() && copy.0.leaf_id() != pair.0.leaf_id());
    assert_eq!((copy.0.item(), copy.1.item()), (6.0, 10.0));
    copy.0.set_trainable(false);
    assert!(!tree_map(&copy, |x| x + 1.0).0.is_trainable());
}
