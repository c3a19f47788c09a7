//! `einsum`: sums of products of any axes, by matrix products.

use backstitch_kernels::Float;

use super::moves;
use crate::equation::{Equation, Label};
use crate::shape::{Axes, Shape, ShapeError, or_panic};
use crate::spec::{Build, Cost, OpSpec, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Sums of products, in Einstein's notation: each axis gets a letter; axes of one letter move
    /// together; letters that the output lacks are summed over.
    ///
    /// A letter twice in one operand takes the diagonal. `...` stands for any axes, aligned at the
    /// last; axes of length 1 broadcast. Without `->`, the output is the ellipsis and the letters
    /// that occur once, in order.
    ///
    /// # Shape
    /// As the equation says.
    ///
    /// # Gradient
    /// That of the products and sums that it is made of.
    ///
    /// # Numerics
    /// Operands are combined two by two, each time those whose product adds least to the memory in
    /// use, of equal ones those that can be read as they lie; as matrix products where an axis is
    /// summed over.
    ///
    /// # Panics
    /// When the equation does not fit the operands.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let a = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(Tensor::einsum("ij,jk->ik", &[&a, &a]).to_vec(), [7.0, 10.0, 15.0, 22.0]);
    /// assert_eq!(Tensor::einsum("ii", &[&a]).item(), 5.0);
    /// ```
    #[track_caller]
    pub fn einsum(equation: &str, operands: &[&Tensor<T>]) -> Tensor<T> {
        let (parsed, sizes) = or_panic(rule(equation, operands));
        let mut terms = Vec::with_capacity(operands.len());
        for (x, labels) in operands.iter().zip(&parsed.inputs) {
            terms.push(single(x, labels, &sizes));
        }
        while terms.len() > 1 {
            let (i, j) = cheapest(&terms, &parsed.output, &sizes);
            let (mut b, mut a) = (terms.remove(j), terms.remove(i));
            let needed = needed(&parsed.output, &terms);
            // Axes that are summed over later come last, where the next product reads in order.
            if summed_later(&a, &b, &parsed.output) && !summed_later(&b, &a, &parsed.output) {
                (a, b) = (b, a);
            }
            terms.push(contracted(a, b, &needed));
        }
        let term = summed(terms.remove(0), &parsed.output);
        let place = |label: &Label| term.labels.iter().position(|own| own == label);
        let order: Axes<isize> =
            parsed.output.iter().filter_map(place).map(|p| p as isize).collect();
        term.x.permute(order)
    }
}

/// The length of each label.
type Sizes = [usize; 128];

fn rule<T: Float>(text: &str, operands: &[&Tensor<T>]) -> Result<(Equation, Sizes), ShapeError> {
    let shapes: Vec<&[usize]> = operands.iter().map(|x| x.shape()).collect();
    let refuse = |rule: String| {
        let shapes: Vec<String> = shapes.iter().map(|shape| format!("{shape:?}")).collect();
        ShapeError::new("einsum", rule, format!("{text:?} for {}", shapes.join(", ")))
    };
    let ranks: Vec<usize> = shapes.iter().map(|shape| shape.len()).collect();
    let parsed = Equation::parse(text, &ranks).map_err(refuse)?;
    let mut sizes = [1; 128];
    for (labels, shape) in parsed.inputs.iter().zip(&shapes) {
        for (&label, &n) in labels.iter().zip(*shape) {
            let size = &mut sizes[usize::from(label)];
            if *size != n && *size != 1 && n != 1 {
                let label = char::from(label);
                return Err(refuse(format!("one length for {label:?}, not {size} and {n}")));
            }
            *size = if *size == 1 { n } else { *size };
        }
    }
    Ok((parsed, sizes))
}

/// An operand whose axes have different labels.
struct Term<T: Float> {
    x: Tensor<T>,
    labels: Vec<Label>,
}

/// An operand with the diagonals of repeated labels, and without axes that broadcast.
#[track_caller]
fn single<T: Float>(x: &Tensor<T>, labels: &[Label], sizes: &Sizes) -> Term<T> {
    let (mut x, mut labels) = (x.clone(), labels.to_vec());
    for axis in (0..labels.len()).rev() {
        if x.shape()[axis] == 1 && sizes[usize::from(labels[axis])] != 1 {
            x = x.squeeze(axis as isize);
            labels.remove(axis);
        }
    }
    while let Some((first, second)) = repeated(&labels) {
        x = x.diagonal(0, first as isize, second as isize);
        labels.remove(second);
        let label = labels.remove(first);
        labels.push(label);
    }
    Term { x, labels }
}

fn repeated(labels: &[Label]) -> Option<(usize, usize)> {
    let second = (1..labels.len()).find(|&i| labels[..i].contains(&labels[i]))?;
    let first = labels.iter().position(|label| *label == labels[second])?;
    Some((first, second))
}

/// The labels that the output or another term has.
fn needed<T: Float>(output: &[Label], terms: &[Term<T>]) -> Vec<Label> {
    terms.iter().fold(output.to_vec(), |all, term| [all, term.labels.clone()].concat())
}

/// Sums over the labels that nobody needs.
#[track_caller]
fn summed<T: Float>(term: Term<T>, needed: &[Label]) -> Term<T> {
    let alone = |axis: &usize| !needed.contains(&term.labels[*axis]);
    let dims: Axes<isize> =
        (0..term.labels.len()).filter(alone).map(|axis| axis as isize).collect();
    if dims.is_empty() {
        return term;
    }
    let labels = term.labels.iter().copied().filter(|label| needed.contains(label)).collect();
    Term { x: term.x.sum_dim(dims, false), labels }
}

/// Whether a term has an axis that `other` and the output lack.
fn summed_later<T: Float>(term: &Term<T>, other: &Term<T>, output: &[Label]) -> bool {
    term.labels.iter().any(|label| !other.labels.contains(label) && !output.contains(label))
}

/// How many elements must be copied for those axes of a term that `picks` picks, and the others
/// that are not in `batch`, to become one axis each.
fn copied<T: Float>(term: &Term<T>, batch: &[Label], picks: impl Fn(&Label) -> bool) -> usize {
    let one_run = |inside: bool| {
        let mut axes = (0..term.labels.len()).filter(|&axis| {
            let label = &term.labels[axis];
            !batch.contains(label) && picks(label) == inside
        });
        let Some(mut outer) = axes.next() else { return true };
        axes.all(|inner| {
            let (n, step) = (term.x.shape()[inner], term.x.strides()[inner]);
            let joins = term.x.strides()[outer] == step * n as isize;
            outer = inner;
            joins
        })
    };
    if one_run(true) && one_run(false) { 0 } else { term.x.numel() }
}

/// The two terms whose product adds least to the numbers in memory, and for which least is copied.
fn cheapest<T: Float>(terms: &[Term<T>], output: &[Label], sizes: &Sizes) -> (usize, usize) {
    let cost = |&(i, j): &(usize, usize)| {
        let kept = |label: &Label| {
            let others = (0..terms.len()).filter(|&k| k != i && k != j);
            output.contains(label) || others.into_iter().any(|k| terms[k].labels.contains(label))
        };
        let second = terms[j].labels.iter().filter(|label| !terms[i].labels.contains(label));
        let both = terms[i].labels.iter().chain(second).filter(|label| kept(label));
        let made: usize = both.map(|label| sizes[usize::from(*label)]).product();
        let shared =
            |label: &Label| terms[i].labels.contains(label) && terms[j].labels.contains(label);
        let batch: Vec<Label> =
            terms[i].labels.iter().copied().filter(|label| shared(label) && kept(label)).collect();
        let copies = copied(&terms[i], &batch, shared) + copied(&terms[j], &batch, shared);
        (made as i64 - terms[i].x.numel() as i64 - terms[j].x.numel() as i64, copies)
    };
    let pairs = (0..terms.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
    pairs.min_by_key(cost).expect("there are two terms or more")
}

/// The product of two terms, summed over the labels that are not needed any more.
#[track_caller]
fn contracted<T: Float>(a: Term<T>, b: Term<T>, needed: &[Label]) -> Term<T> {
    let a = summed(a, &[needed, &b.labels].concat());
    let b = summed(b, &[needed, &a.labels].concat());
    let of = |term: &Term<T>, picks: &dyn Fn(&Label) -> bool| -> Vec<Label> {
        term.labels.iter().copied().filter(|label| picks(label)).collect()
    };
    let shared = |label: &Label| a.labels.contains(label) && b.labels.contains(label);
    let batch = of(&a, &|label| shared(label) && needed.contains(label));
    let inner = of(&a, &|label| shared(label) && !needed.contains(label));
    let left = of(&a, &|label| !shared(label));
    let right = of(&b, &|label| !shared(label));
    let size = |label: &Label| match a.labels.iter().position(|own| own == label) {
        Some(axis) => a.x.shape()[axis],
        None => b.x.shape()[b.labels.iter().position(|own| own == label).expect("its own")],
    };
    let sizes = |labels: &[Label]| labels.iter().map(size).collect::<Shape>();
    let merged = |labels: &[Label]| labels.iter().map(size).product::<usize>();
    let shape = |parts: &[&[Label]]| {
        let mut shape = sizes(&batch);
        parts.iter().for_each(|labels| shape.push(merged(labels)));
        shape
    };
    let lay = |term: &Term<T>, groups: [&[Label]; 3]| {
        let place = |label: &Label| term.labels.iter().position(|own| own == label);
        term.x.permute(
            groups.concat().iter().filter_map(place).map(|p| p as isize).collect::<Axes<_>>(),
        )
    };
    let (x, y) = (lay(&a, [&batch, &left, &inner]), lay(&b, [&batch, &inner, &right]));
    let product = match (inner.is_empty(), left.is_empty() && right.is_empty() && !batch.is_empty())
    {
        // Nothing to multiply a matrix with: elements by elements.
        (true, _) => x.reshape(shape(&[&left, &[]])) * y.reshape(shape(&[&[], &right])),
        (_, true) => (x.reshape(shape(&[&inner])) * y.reshape(shape(&[&inner]))).sum_dim(-1, false),
        _ => x.reshape(shape(&[&left, &inner])).matmul(&y.reshape(shape(&[&inner, &right]))),
    };
    let labels = [batch, left, right].concat();
    Term { x: product.reshape(sizes(&labels)), labels }
}

const fn spec(
    name: &'static str,
    formula: &'static str,
    shapes: &'static [&'static [&'static [usize]]],
    refused: &'static [&'static [&'static [usize]]],
    build: Build,
    oracle: fn(&[Tensor<f64>]) -> Tensor<f64>,
    terms: fn(&[Tensor<f64>]) -> Tensor<f64>,
) -> OpSpec {
    OpSpec {
        cost: |shapes| {
            let sizes = shapes.iter().map(|shape| shape.iter().product::<usize>() as f64);
            let n: f64 = sizes.clone().sum();
            Cost { flops: 2.0 * sizes.product::<f64>().sqrt(), elements: n }
        },
        tolerance: Tolerance::Terms(16.0, terms, "as matrix products and sums"),
        ..moves::spec(name, formula, shapes, refused, build, oracle)
    }
}

/// An equation with its build and its oracle.
macro_rules! einsum_spec {
    ($name:literal, $equation:literal, $shapes:expr, $refused:expr) => {
        spec(
            $name,
            $equation,
            $shapes,
            $refused,
            build!(|x| Tensor::einsum($equation, &x.iter().collect::<Vec<_>>())),
            |x| by_loops($equation, x, |product| product),
            |x| by_loops($equation, x, f64::abs),
        )
    };
}

pub(super) const SPECS: &[OpSpec] = &[
    einsum_spec!(
        "einsum",
        "bij,bjk->bik",
        &[
            &[&[1, 1, 1], &[1, 1, 1]],
            &[&[2, 3, 0], &[2, 0, 4]],
            &[&[2, 3, 5], &[2, 5, 4]],
            &[&[1, 3, 5], &[2, 5, 4]],
            &[&[8, 64, 64], &[8, 64, 64]],
        ],
        &[&[&[2, 3, 5], &[2, 4, 4]], &[&[2, 3], &[2, 3, 4]]]
    ),
    einsum_spec!(
        "einsum diagonal",
        "iji,...k->k...j",
        &[
            &[&[1, 1, 1], &[1]],
            &[&[3, 0, 3], &[2, 3]],
            &[&[3, 2, 3], &[2, 3]],
            &[&[2, 3, 2], &[4]],
            &[&[16, 16, 16], &[8, 32]],
        ],
        &[&[&[2, 3, 4], &[2]]]
    ),
    einsum_spec!(
        "einsum bilinear",
        "bn,anm,bm->ba",
        &[
            &[&[1, 1], &[1, 1, 1], &[1, 1]],
            &[&[2, 3], &[4, 3, 2], &[2, 2]],
            &[&[2, 0], &[4, 0, 2], &[2, 2]],
            &[&[5, 2], &[1, 2, 3], &[5, 3]],
            &[&[32, 24], &[16, 24, 20], &[32, 20]],
        ],
        &[&[&[2, 3], &[4, 2, 2], &[2, 2]]]
    ),
    einsum_spec!(
        "einsum sum",
        "ij,kj,l->ik",
        &[
            &[&[1, 1], &[1, 1], &[1]],
            &[&[2, 3], &[4, 3], &[5]],
            &[&[2, 3], &[0, 3], &[2]],
            &[&[3, 1], &[2, 4], &[2]],
            &[&[64, 48], &[32, 48], &[8]],
        ],
        &[&[&[2, 3], &[4, 2], &[5]]]
    ),
    einsum_spec!(
        "einsum outer",
        "bi,bj->bij",
        &[
            &[&[1, 1], &[1, 1]],
            &[&[0, 3], &[0, 2]],
            &[&[2, 3], &[2, 4]],
            &[&[1, 3], &[2, 4]],
            &[&[32, 64], &[32, 128]],
        ],
        &[&[&[2, 3], &[3, 4]]]
    ),
    einsum_spec!(
        "einsum dot",
        "bij,bij->b",
        &[
            &[&[1, 1, 1], &[1, 1, 1]],
            &[&[2, 0, 3], &[2, 0, 3]],
            &[&[2, 3, 4], &[2, 3, 4]],
            &[&[1, 3, 4], &[2, 3, 1]],
            &[&[16, 16, 32], &[16, 16, 32]],
        ],
        &[&[&[2, 3, 4], &[2, 3, 5]]]
    ),
];

/// The sum of `term` of the products, as plain loops over all labels.
fn by_loops(text: &str, x: &[Tensor<f64>], term: impl Fn(f64) -> f64) -> Tensor<f64> {
    let (parsed, sizes) = rule(text, &x.iter().collect::<Vec<_>>()).expect("the op accepted it");
    let mut all = parsed.output.clone();
    for label in parsed.inputs.concat() {
        if !all.contains(&label) {
            all.push(label);
        }
    }
    let lens = |labels: &[Label]| -> Vec<usize> {
        labels.iter().map(|label| sizes[usize::from(*label)]).collect()
    };
    let rest = lens(&all[parsed.output.len()..]);
    let count: usize = rest.iter().product();
    Tensor::from_fn(lens(&parsed.output), |idx| {
        let at_point = |flat: usize| {
            let mut point = idx.to_vec();
            let mut left = flat;
            for &n in rest.iter().rev() {
                point.insert(idx.len(), left % n);
                left /= n;
            }
            let place = |label: &Label| point[all.iter().position(|l| l == label).expect("all")];
            let value = |(x, labels): (&Tensor<f64>, &Vec<Label>)| {
                let own =
                    labels.iter().zip(x.shape()).map(|(l, &n)| if n == 1 { 0 } else { place(l) });
                x.at(&own.collect::<Vec<usize>>())
            };
            term(x.iter().zip(&parsed.inputs).map(value).product())
        };
        (0..count).map(at_point).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn many_equations_equal_plain_loops() {
        let mut rng = Rng::seed(3);
        let cases: &[(&str, &[&[usize]])] = &[
            ("ij,jk", &[&[2, 3], &[3, 4]]),
            ("ij,ij->", &[&[2, 3], &[2, 3]]),
            ("ij,ij->i", &[&[2, 3], &[2, 3]]),
            ("i,j->ji", &[&[2], &[3]]),
            ("ijkl->lk", &[&[2, 3, 4, 5]]),
            ("ii->i", &[&[3, 3]]),
            ("iijj->ij", &[&[2, 2, 3, 3]]),
            ("bqhd,bkhd->bhqk", &[&[2, 3, 4, 5], &[2, 6, 4, 5]]),
            ("bhqk,bkhd->bqhd", &[&[2, 4, 3, 6], &[2, 6, 4, 5]]),
            ("...ij,...jk->...ik", &[&[2, 1, 3, 4], &[5, 4, 2]]),
            ("abc,cbd,ade->be", &[&[2, 3, 4], &[4, 3, 2], &[2, 2, 3]]),
            (",ij->ji", &[&[], &[2, 3]]),
            ("bij,bij->b", &[&[2, 3, 4], &[2, 3, 4]]),
            // An axis that is summed over last, on the left and on the right.
            ("bn,anm,bm->ba", &[&[4, 3], &[5, 3, 2], &[4, 2]]),
            ("bm,anm,bn->ba", &[&[4, 2], &[5, 3, 2], &[4, 3]]),
            ("ab,bc,cd,de->ae", &[&[2, 3], &[3, 4], &[4, 2], &[2, 5]]),
        ];
        for (text, shapes) in cases {
            let x: Vec<Tensor<f64>> = shapes.iter().map(|s| Tensor::randn(*s, &mut rng)).collect();
            let got = Tensor::einsum(text, &x.iter().collect::<Vec<_>>());
            let want = by_loops(text, &x, |product| product);
            assert_eq!(got.shape(), want.shape(), "{text}");
            let near = got.to_vec().iter().zip(want.to_vec()).all(|(a, b)| (a - b).abs() < 1e-12);
            assert!(near, "{text}");
        }
    }

    #[test]
    fn refusals_name_equation_and_shapes() {
        let (a, b) = (Tensor::<f32>::zeros([2, 3]), Tensor::zeros([4, 5]));
        let error = rule("ij,jk->ik", &[&a, &b]).err().unwrap().to_string();
        let want = "einsum: needs one length for 'j', not 3 and 4; got \"ij,jk->ik\" for [2, 3], \
                    [4, 5]";
        assert_eq!(error, want);
    }
}
