{
let rng = &mut Rng::seed(2);
let x: [Tensor<f64>; 3] = [[3, 4], [3, 1], [1, 4]].map(|shape| Tensor::randn(shape, rng));
let f = |x: &[Tensor<f64>; 3]| {
    let mut n = x.to_vec();
    n.push({ let (a, b) = (&n[1], &n[2]); a.gelu() + b.silu() });
    n.push({ let (a, b) = (&n[1], &n[0]); (a * b).relu() });
    n.push({ let (a, b) = (&n[3], &n[0]); (a + b).sigmoid() });
    let weights = Tensor::linspace(0.5, 1.7, 12).reshape([3, 4]);
    (n[n.len() - 1].expand([3, 4]) * weights).sum()
};
let _ = grad(f, &x);
use backstitch::registry::{CHECKS, Layout, Trial, specs};
let spec = specs().find(|spec| spec.name == "acosh").unwrap();
let trial = Trial {
    layouts: vec![Layout::Transposed],
    dy_layout: Layout::Transposed,
    ..Trial::new(&[&[5]], 16)
};
(spec.build.f64)(&trial.inputs(spec));
for (_, check) in CHECKS {
    check(spec, &trial).unwrap();
}
}
