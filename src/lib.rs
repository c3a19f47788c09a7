//! Backstitch trains neural networks on CPUs, from Rust.
//!
//! A backstitch is sewn forward and back; so is every layer here.
//!
//! This page explains the whole library. It is also a program: the parts compile.
//!
//! # Tensors
//!
//! A [`Tensor`] is an array of numbers of up to eight axes. It is a value: cloning, transposing or
//! slicing it copies nothing, and changing one never changes another.
//!
//! ```
//! use backstitch::prelude::*;
//!
//! let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
//! let y = x.matmul(&x.transpose(0, 1)) + 1.0;
//! assert_eq!(y.to_vec(), [6.0, 12.0, 12.0, 26.0]);
//! ```
//!
//! # Gradients
//!
//! A tensor computed from a *leaf* knows how it was computed. [`Tensor::backward`] finds the
//! derivatives of a loss by all leaves and returns them as [`Gradients`]: a value of its own, so
//! nothing needs to be zeroed and nothing is hidden.
//!
//! ```
//! use backstitch::prelude::*;
//!
//! let w = Tensor::from([3.0, 4.0]).leaf();
//! let loss = (&w * &w).sum();
//! let grads = loss.backward();
//! assert_eq!(grads.get(&w).unwrap().to_vec(), [6.0, 8.0]);
//! ```
//!
//! Functions can be differentiated as functions, to any order, forward or in reverse:
//! [`grad`], [`value_and_grad`], [`vjp`], [`jvp`], [`hvp`], [`jacobian`], [`hessian`]. They take
//! and return *trees*: tensors, tuples, arrays, `Vec`, maps from names, or whole models.
//!
//! ```
//! use backstitch::prelude::*;
//!
//! let f = |x: &Tensor<f64>| (x * x * x).sum();
//! let x = Tensor::from([1.0, 2.0]);
//! assert_eq!(grad(f, &x).to_vec(), [3.0, 12.0]);
//! assert_eq!(hessian(f, &x).to_vec(), [6.0, 0.0, 0.0, 12.0]);
//! ```
//!
//! Derivatives can be part of a loss: those of [`Tensor::derivatives`] stay in the graph, and
//! [`tree_map`] and [`tree_zip`] compute whole models through which gradients flow. Here a loss
//! stands behind a step of gradient descent, as in meta-learning:
//!
//! ```
//! use backstitch::prelude::*;
//!
//! let mut rng = Rng::seed(0);
//! let model: Linear = Linear::new(3, 1, &mut rng);
//! let (x, y) = (Tensor::randn([8, 3], &mut rng), Tensor::randn([8, 1], &mut rng));
//! let loss = |model: &Linear| model.forward(&x).mse(&y);
//! let stepped = tree_zip(&model, &grad(loss, &model), |w, dw| w - dw * 0.1);
//! let grads = loss(&stepped).backward();
//! assert!(grads.get(&model.weight).is_some());
//! ```
//!
//! # Models
//!
//! A model is a struct of layers that derives [`Module`]. Its forward is ordinary code. Whether it
//! trains or evaluates, and the randomness of dropout, are in the [`Pass`](nn::Pass) that the
//! forward is given.
//!
#![doc = include_str!("../docs/first-program.md")]
//!
//! A model knows its parameters by dotted names, such as `fc1.weight`: [`nn::ModuleExt`] counts and
//! freezes them, prints a summary, and exchanges weights with PyTorch. [`nn`] lists the layers,
//! losses, initialisers and whole models.
//!
//! # Training
//!
//! The loop is yours. A [`Loader`](data::Loader) gives batches, shuffled by a generator that is an
//! argument; an optimizer changes the parameters, and nothing else does; a schedule is a function of
//! the step.
//!
//! ```
//! use backstitch::prelude::*;
//!
//! let mut rng = Rng::seed(0);
//! let x: Tensor = Tensor::randn([64, 2], &mut rng);
//! let labels = Tensor::from_fn([64], |idx| i64::from(x.at(&[idx[0], 0]) > 0.0));
//! let loader = Loader::new(TensorDataset::new(x.clone(), labels.clone())?, 16)?;
//!
//! let mut model = (Linear::new(2, 8, &mut rng), Relu, Linear::new(8, 2, &mut rng));
//! let mut optimizer = AdamW::new(AdamWConfig::default());
//! let schedule = CosineAnnealingLr { lr: 0.05, t_max: 40, eta_min: 0.0 };
//! let mut step = 0;
//! for _ in 0..10 {
//!     for batch in loader.epoch(&mut rng) {
//!         let (x, labels) = batch?;
//!         let pass = Pass::train(&mut rng);
//!         let loss = model.forward(&x, &pass).cross_entropy(&labels);
//!         let mut grads = loss.backward();
//!         clip_grad_norm(&mut grads, 1.0);
//!         optimizer.step(&mut model, &grads, schedule.at(step));
//!         step += 1;
//!     }
//! }
//! let guesses = no_grad(|| model.forward(&x, &Pass::eval())).argmax(1, false);
//! assert!(guesses.eq(&labels).to_vec().iter().filter(|&&hit| hit).count() > 58);
//! # Ok::<(), backstitch::data::Error>(())
//! ```
//!
//! Data comes from tensors, from files ([`data::mnist`], [`data::idx`], [`data::cifar`], CSV as a
//! [`Table`](data::Table)) or from anything that is a [`Dataset`](data::Dataset).
//! [`train`] has what goes around the loop: meters, progress, a history, pictures, weights in files,
//! and checkpoints from which a run that was killed goes on, bit for bit.
//!
//! ```
//! use backstitch::prelude::*;
//! use backstitch::train::Checkpoint;
//!
//! let mut rng = Rng::seed(0);
//! let model: Linear = Linear::new(3, 2, &mut rng);
//! let mut checkpoint = Checkpoint::new("demo 1");
//! checkpoint.put_module("model", &model);
//! checkpoint.put_rng("rng", &rng);
//!
//! // In a program: `checkpoint.save(path)?`, and `Checkpoint::load(path, "demo 1")?`.
//! let checkpoint = Checkpoint::parse(&checkpoint.to_bytes(), "demo 1")?;
//! let mut again: Linear = Linear::new(3, 2, &mut Rng::seed(1));
//! checkpoint.load_module("model", &mut again)?;
//! assert_eq!(again.weight.to_vec(), model.weight.to_vec());
//! # Ok::<(), backstitch::data::Error>(())
//! ```
//!
//! # When something is wrong
//!
//! [`Gradients::missing`] names the parameters that a loss did not reach; [`detect_anomaly`] stops at
//! the first op that makes a NaN or an infinity, and names its line; [`check_gradients`] compares any
//! function's derivatives with differences.
//!
//! # Ops of your own
//!
//! Most are compositions of others, and differentiable as they are. For a derivative of your own
//! implement [`op::Op`], which has an example, and call [`op::apply`]. With the feature `registry`
//! your op goes through the checks of the built-in ones.
//!
//! # Features
//!
//! `linalg` adds factorisations (`Tensor::solve` and its kin) and Newton's method, `progress` bars in the terminal,
//! `plots` pictures, and `registry`, for dev-dependencies, the checks of ops for ops of one's own.
//! All are off by default: what a program does not use, it need not compile.
//!
//! # What panics and what returns errors
//!
//! A mistake in the program (shapes that do not fit, an axis that does not exist) panics at the
//! line that called the op, with the op's name, its rule and all shapes. What depends on the
//! outside (files, data, checkpoints) returns a `Result` whose error names the file, the place,
//! what was expected and what was found.
//!
//! # Reproducibility
//!
//! There are no globals: learning rates and random generators are arguments, and the threads are
//! those of the rayon pool one stands in. Results have the same bits on any number of threads, and on
//! any machine that runs the same instruction set. That is the machine's fastest, or the one that the
//! environment variable `BACKSTITCH_ISA` names: `scalar`, `avx2`, `avx512` or `neon`.

#![forbid(unsafe_code)]

pub use backstitch_data as data;
pub use backstitch_nn as nn;
pub use backstitch_train as train;

pub use backstitch_kernels as kernels;
pub use backstitch_tensor::*;

pub mod prelude;

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
