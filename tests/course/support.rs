//! What the rows share: comparisons, toy data, real data, and a test that runs alone.

use backstitch::data::cifar::Cifar;
use backstitch::data::mnist::Mnist;
use backstitch::prelude::*;
use backstitch::train::Accuracy;

/// Numbers of double precision, for exact comparisons.
pub type Real = Tensor<f64>;

/// Fails unless `a` and `b` differ by `tol` at most, relative to `b` where that is above 1.
#[track_caller]
pub fn close(a: f64, b: f64, tol: f64) {
    assert!((a - b).abs() <= tol * b.abs().max(1.0), "{a} is not within {tol:e} of {b}");
}

/// [`close`] for every element; the shapes must be equal.
#[track_caller]
pub fn all_close<T: Float>(a: &Tensor<T>, b: &Tensor<T>, tol: f64) {
    assert_eq!(a.shape(), b.shape());
    for (a, b) in a.to_vec().into_iter().zip(b.to_vec()) {
        close(a.to_f64(), b.to_f64(), tol);
    }
}

/// `per_arm` points on each of `arms` spiral arms of one and a half turns and radius 3, with a
/// little noise; the labels are the arms.
pub fn spiral(arms: usize, per_arm: usize, rng: &mut Rng) -> (Tensor, Tensor<i64>) {
    let noise: Tensor = Tensor::randn([arms * per_arm], rng);
    let mut points = Vec::new();
    for (i, noise) in noise.to_vec().into_iter().enumerate() {
        let along = (i % per_arm) as f32 / per_arm as f32;
        let start = (i / per_arm) as f32 / arms as f32;
        let angle = std::f32::consts::TAU * (start + 1.5 * along) + 0.05 * noise;
        let radius = 0.2 + 2.8 * along;
        points.extend([radius * angle.cos(), radius * angle.sin()]);
    }
    let labels = Tensor::from_fn([arms * per_arm], |idx| (idx[0] / per_arm) as i64);
    (Tensor::from_vec(points, [arms * per_arm, 2]), labels)
}

/// The share of rows whose largest logit is not the label's.
pub fn error_rate<T: Float>(logits: &Tensor<T>, labels: &Tensor<i64>) -> f64 {
    let mut accuracy = Accuracy::default();
    accuracy.add(logits, labels);
    1.0 - accuracy.value()
}

/// Rows of zeros with a one at the label: `I_y`.
pub fn one_hot<T: Float>(labels: &Tensor<i64>, classes: usize) -> Tensor<T> {
    let labels = labels.to_vec();
    Tensor::from_fn([labels.len(), classes], |idx| {
        if labels[idx[0]] == idx[1] as i64 { T::ONE } else { T::ZERO }
    })
}

/// MNIST itself where its files are there: in the folder `mnist` of `BACKSTITCH_DATA`, or of
/// `../shared/data`.
pub fn real_mnist() -> Option<Mnist> {
    let root = std::env::var("BACKSTITCH_DATA");
    let root = root.unwrap_or(format!("{}/../shared/data", env!("CARGO_MANIFEST_DIR")));
    let folder = std::path::Path::new(&root).join("mnist");
    folder.exists().then(|| mnist::read(folder, 10).unwrap())
}

/// The 6,000 + 1,000 images of Fashion-MNIST that come with Backstitch.
pub fn fashion() -> Mnist {
    mnist::read(concat!(env!("CARGO_MANIFEST_DIR"), "/data/fashion-mnist"), 10).unwrap()
}

/// The 1,589 + 317 emoji of nine categories that come with Backstitch.
pub fn emoji() -> Cifar {
    cifar::read_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/data/emoji32")).unwrap()
}

/// MNIST, or else the embedded Fashion-MNIST, with the limit that belongs to it.
pub fn images_and_limit(row: &str, mnist: f64, fashion_limit: f64) -> (Mnist, f64) {
    match real_mnist() {
        Some(data) => (data, mnist),
        None => {
            println!(
                "ROW {row}: MNIST IS NOT THERE. Trained on 6,000 images of Fashion-MNIST, whose \
                 measured limit is {fashion_limit}; the course's {mnist} was not checked."
            );
            (fashion(), fashion_limit)
        }
    }
}

/// Runs the test called `name` in a process of its own, for what all threads of a process share.
pub fn alone(name: &str, body: impl FnOnce()) {
    if std::env::var_os("BACKSTITCH_ALONE").is_some() {
        return body();
    }
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--test-threads", "1"])
        .env("BACKSTITCH_ALONE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

/// The 1,797 handwritten digits of 8 x 8 pixels that come with Backstitch, from 0 to 1.
pub fn digits() -> (Tensor, Tensor<i64>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits/digits.csv.gz");
    let options = CsvOptions { header: false, ..CsvOptions::default() };
    let table = Table::read(path, &options).unwrap();
    let names: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    let pixels = table.tensor(&table.columns()[..64]).unwrap();
    (pixels / 16.0, table.labels("64", &names).unwrap())
}

/// Mean and variance of all elements.
pub fn moments<T: Float>(x: &Tensor<T>) -> (f64, f64) {
    let x = x.to_vec();
    let mean = x.iter().map(|x| x.to_f64()).sum::<f64>() / x.len() as f64;
    let squares = x.iter().map(|x| (x.to_f64() - mean).powi(2));
    (mean, squares.sum::<f64>() / x.len() as f64)
}
