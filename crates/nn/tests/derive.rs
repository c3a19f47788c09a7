//! Derived modules: names, element types, generics, enums.

use backstitch_nn::{Linear, Module, ModuleExt};
use backstitch_tensor::{Float, Param, Rng, Running, Tensor};
use std::collections::BTreeMap;

fn param<T: Float>(value: f64) -> Param<T> {
    Param::new(Tensor::scalar(T::from_f64(value)))
}

#[derive(Clone, Module)]
#[module(crate = "backstitch_tensor")]
struct Kinds {
    weight: Param,
    running: Running,
    constant: Tensor,
    r#type: Option<Param>,
    absent: Option<Param>,
    list: Vec<Param>,
    array: [Param; 2],
    pair: (Param, Param),
    map: BTreeMap<String, Param>,
    boxed: Box<Param>,
    size: usize,
    #[module(skip)]
    _function: fn(f32) -> f32,
    #[module(rename = "renamed.deeply")]
    old_name: Param,
}

#[test]
fn every_kind_of_field_has_pytorchs_name() {
    let mut kinds = Kinds {
        weight: param(1.0),
        running: Running::new(Tensor::scalar(2.0)),
        constant: Tensor::scalar(3.0),
        r#type: Some(param(4.0)),
        absent: None,
        list: vec![param(5.0), param(6.0)],
        array: [param(7.0), param(8.0)],
        pair: (param(9.0), param(10.0)),
        map: [("a".to_string(), param(11.0)), ("b".to_string(), param(12.0))].into(),
        boxed: Box::new(param(13.0)),
        size: 3,
        _function: f32::abs,
        old_name: param(14.0),
    };
    let names = [
        "weight",
        "running",
        "constant",
        "type",
        "list.0",
        "list.1",
        "array.0",
        "array.1",
        "pair.0",
        "pair.1",
        "map.a",
        "map.b",
        "boxed",
        "renamed.deeply",
    ];
    let rows = kinds.summary().rows;
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), names);
    let state = kinds.state_dict();
    for (i, name) in names.iter().enumerate() {
        assert_eq!(state[*name].item(), i as f32 + 1.0, "{name}");
    }

    let mut seen = Vec::new();
    backstitch_tensor::for_each_mut(&mut kinds, |name, _| seen.push(name.to_string()));
    assert_eq!(seen, names, "visit_mut goes the same way");
    assert_eq!(kinds.size, 3);
}

#[derive(Module)]
#[module(crate = "backstitch_tensor")]
struct Generic<T: Float = f32> {
    fc: Linear<T>,
}

#[derive(Module)]
#[module(crate = "backstitch_tensor", elem = "f64")]
struct Double(Param<f64>, usize);

#[derive(Module)]
#[module(crate = "backstitch_tensor", elem = "all")]
struct Twice<L> {
    first: L,
    second: L,
}

#[derive(Module)]
#[module(crate = "backstitch_tensor")]
struct Nothing;

#[test]
fn structs_of_any_element_type_are_modules() {
    let mut rng = Rng::seed(0);
    let single = Generic::<f32> { fc: Linear::new(1, 1, &mut rng) };
    let double = Generic::<f64> { fc: Linear::new(1, 1, &mut rng) };
    assert_eq!((single.param_count(), double.param_names().len()), (2, 2));
    assert_eq!(Double(param(1.0), 2).param_names(), ["0"]);
    let twice = Twice { first: double, second: Generic { fc: Linear::new(1, 1, &mut rng) } };
    let names = ["first.fc.weight", "first.fc.bias", "second.fc.weight", "second.fc.bias"];
    assert_eq!(twice.param_names(), names);
    assert_eq!(Twice { first: param::<f32>(1.0), second: param(2.0) }.param_count(), 2);
    assert_eq!(Nothing.param_count(), 0);
}

#[derive(Clone, Module)]
#[module(crate = "backstitch_tensor")]
enum Step {
    Linear(Linear),
    Relu,
    Pair(Param, Param),
    #[module(rename = "block")]
    Block {
        a: Param,
        b: Param,
    },
    Named {
        only: Param,
    },
    Recursive(Vec<Step>),
}

#[test]
fn enums_visit_the_variant_that_is_there() {
    let mut rng = Rng::seed(0);
    let net = Step::Recursive(vec![
        Step::Linear(Linear::new(1, 1, &mut rng)),
        Step::Relu,
        Step::Pair(param(1.0), param(2.0)),
        Step::Block { a: param(3.0), b: param(4.0) },
        Step::Named { only: param(5.0) },
        Step::Recursive(vec![Step::Named { only: param(6.0) }]),
    ]);
    let names = [
        "0.weight",
        "0.bias",
        "2.Pair.0",
        "2.Pair.1",
        "3.block.a",
        "3.block.b",
        "4.only",
        "5.0.only",
    ];
    assert_eq!(net.param_names(), names);
    let mut net = net;
    assert_eq!(net.params_mut().len(), names.len());
}

#[test]
fn gradients_of_a_derived_module_are_a_module_of_its_type() {
    let fc = Linear::<f64>::new(2, 1, &mut Rng::seed(0));
    let x = Tensor::from([[3.0, 5.0]]);
    let slopes = backstitch_tensor::grad(|fc: &Linear<f64>| fc.forward(&x).sum(), &fc);
    assert_eq!(slopes.weight.to_vec(), [3.0, 5.0]);
    assert_eq!(slopes.bias.unwrap().to_vec(), [1.0]);
}
