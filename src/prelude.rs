//! What most programs use: `use backstitch::prelude::*;`.

pub use backstitch_data::{
    ColorJitter, CsvOptions, Cutout, Dataset, Encoder, Feature, FlatImages, Images, Loader,
    LoaderState, MemoryDataset, Missing, Normalize, RandomCrop, RandomHorizontalFlip,
    RandomRotation, Scale, Table, TensorDataset, Transform, cifar, mnist, split,
};
pub use backstitch_nn::*;
pub use backstitch_tensor::{
    AvgPoolOptions, CrossEntropy, END, Float, Gradients, INFER, InterpolateOptions, Interpolation,
    Module, PadMode, Padding, Param, Patches, PoolOptions, Reduction, Rng, Running, ScatterReduce,
    Tensor, UnpoolOptions, check_gradients, check_second_order, checkpoint, detect_anomaly, grad,
    hessian, hvp, jacobian, jvp, linearize, no_grad, tree_map, tree_zip, value_and_grad, vjp,
};
pub use backstitch_train::{
    Accuracy, Checkpoint, ConfusionMatrix, History, Mean, Progress, weights,
};
