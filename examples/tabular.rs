//! Predicts prices from a table with categories and missing numbers, as a service would.
//!
//! `cargo run --release --example tabular` trains until the validation loss stops falling and
//! saves model, encoder and scale in one file; `cargo run --release --example tabular -- 62 35 red`
//! loads that file and predicts one row. `-` stands for what is missing.

use std::process::ExitCode;

use anyhow::{Context, ensure};
use backstitch::prelude::*;

const FILE: &str = "runs/tabular.safetensors";
const KIND: &str = "tabular 1";
const COLUMNS: [&str; 3] = ["size", "age", "colour"];
const PATIENCE: usize = 10;

#[derive(Clone, Module)]
struct Net {
    hidden1: Linear,
    hidden2: Linear,
    output: Linear,
}

impl Net {
    fn new(inputs: usize, rng: &mut Rng) -> Self {
        Net {
            hidden1: Linear::new(inputs, 32, rng),
            hidden2: Linear::new(32, 32, rng),
            output: Linear::new(32, 1, rng),
        }
    }

    /// x (N, F) to (N).
    fn forward(&self, x: &Tensor) -> Tensor {
        let h = self.hidden1.forward(x).relu();
        self.output.forward(&self.hidden2.forward(&h).relu()).squeeze(1)
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        return train();
    }
    ensure!(words.len() == 3, "expected size, age and colour, found {} words", words.len());
    let cell = |at: usize| Some(words[at].as_str()).filter(|word| *word != "-");
    let row = Table::from_rows(COLUMNS, &[[cell(0), cell(1), cell(2)]])?;
    println!("{:.1}", Predictor::load()?.predict(&row)?.item());
    Ok(())
}

/// All that a prediction needs, in another process than the training.
struct Predictor {
    encoder: Encoder,
    net: Net,
    /// Mean and standard deviation of the prices.
    scale: [f32; 2],
}

impl Predictor {
    fn load() -> anyhow::Result<Predictor> {
        let file = Checkpoint::load(FILE, KIND).context("train first, without arguments")?;
        let encoder = Encoder::parse(file.text("encoder")?)?;
        let mut net = Net::new(encoder.width(), &mut Rng::seed(0));
        file.load_module("net", &mut net)?;
        let scale = file.tensor("scale")?;
        Ok(Predictor { encoder, net, scale: [scale.at(&[0]), scale.at(&[1])] })
    }

    fn predict(&self, table: &Table) -> anyhow::Result<Tensor> {
        let [mean, std] = self.scale;
        let x = self.encoder.apply(table)?;
        Ok(no_grad(|| self.net.forward(&x) * std + mean))
    }
}

fn train() -> anyhow::Result<()> {
    let mut rng = Rng::seed(0);
    let table = Table::parse(houses(2000, &mut rng).as_bytes(), &CsvOptions::default())?;
    let parts = split::split(table.rows(), 0.2, &mut rng)?;
    let (training, validation) = (table.select(&parts.train), table.select(&parts.test));
    // Whatever is learnt about the columns is learnt from the training rows.
    let encoder = Encoder::fit(&training, &Feature::infer(&training, &["price"])?)?;
    let prices = training.target("price")?;
    let (mean, std) = (prices.mean().item(), prices.std([], 1, false).item());
    let targets = |table: &Table| anyhow::Ok((table.target("price")? - mean) / std);
    let data = TensorDataset::new(encoder.apply(&training)?, targets(&training)?)?;
    let loader = Loader::new(data, 64)?;
    let (x, y) = (encoder.apply(&validation)?, targets(&validation)?);

    let mut net = Net::new(encoder.width(), &mut rng);
    let mut optimizer = AdamW::new(AdamWConfig::default());
    let (mut best, mut best_loss, mut waited) = (net.clone(), f32::INFINITY, 0);
    for epoch in 1.. {
        for batch in loader.epoch(&mut rng) {
            let (x, y) = batch?;
            let grads = net.forward(&x).mse(&y).backward();
            optimizer.step(&mut net, &grads, 3e-3);
        }
        let loss = no_grad(|| net.forward(&x).mse(&y)).item();
        waited += 1;
        if loss < best_loss {
            (best, best_loss, waited) = (net.clone(), loss, 0);
        }
        if waited == PATIENCE {
            println!("{epoch} epochs; prices are off by {:.2}", best_loss.sqrt() * std);
            break;
        }
    }

    let mut file = Checkpoint::new(KIND);
    file.put_module("net", &best);
    file.put_text("encoder", encoder.to_csv());
    file.put_tensor("scale", &Tensor::from([mean, std]));
    std::fs::create_dir_all("runs")?;
    Ok(file.save(FILE)?)
}

/// Invented houses: large ones are dear, very old and very new ones cheap, and colours matter.
/// Some sizes are not known.
fn houses(count: usize, rng: &mut Rng) -> String {
    let noise = Tensor::<f32>::randn([count, 3], rng).to_vec();
    let colours = Tensor::randint(0, 3, [count], rng).to_vec();
    let known = Tensor::full([count], 0.9f32).bernoulli(rng).to_vec();
    let mut csv = "size,age,colour,price\n".to_string();
    for (row, noise) in noise.chunks_exact(3).enumerate() {
        let (size, age) = (50.0 + 10.0 * noise[0], 40.0 + 10.0 * noise[1]);
        let (colour, extra) =
            [("red", 0.0), ("green", 10.0), ("blue", -10.0)][colours[row] as usize];
        let price = 2.0 * size - 5.0 * noise[1].powi(2) + extra + noise[2];
        let size = if known[row] == 1.0 { size.to_string() } else { String::new() };
        csv += &format!("{size},{age},{colour},{price}\n");
    }
    csv
}
