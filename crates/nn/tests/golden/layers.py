"""Writes layers.csv: outputs and gradients of PyTorch's layers, in f64.

Element k of a parameter is 0.5 sin(k + 1), of the input x 2 cos(1.3 k), of the gradient of the
output sin(0.7 k + 0.2). A line has the layer's name, what it is (y, dx, or a state's name, with
a d before it for its gradient), and the elements.

Made with PyTorch 2.15: python layers.py > layers.csv
"""

import torch
from torch import nn

torch.set_default_dtype(torch.float64)


def wave(shape, f):
    return f(torch.arange(torch.Size(shape).numel(), dtype=torch.float64)).reshape(shape)


def emit(name, what, x):
    print(name, what, *map(repr, x.detach().flatten().tolist()), sep=",")


def check(name, layer, shape, train=True, batches=1):
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(wave(p.shape, lambda k: 0.5 * torch.sin(k + 1)))
    for b in range(batches):
        layer.train(train or b + 1 < batches)
        x = wave(shape, lambda k: 2 * torch.cos(1.3 * k + b)).requires_grad_()
        y = layer(x)
    y.backward(wave(y.shape, lambda k: torch.sin(0.7 * k + 0.2)))
    emit(name, "y", y)
    emit(name, "dx", x.grad)
    for n, p in layer.named_parameters():
        emit(name, "d" + n, p.grad)
    for n, p in layer.named_buffers():
        emit(name, n, p.double())


class Residual(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


check("linear", nn.Linear(3, 2), (4, 3))
check("linear wide", nn.Linear(3, 2), (2, 2, 3))
check("linear without bias", nn.Linear(3, 2, bias=False), (3,))
check("batch_norm", nn.BatchNorm1d(3), (5, 3), batches=3)
check("batch_norm time", nn.BatchNorm1d(2), (3, 2, 4))
check("batch_norm average", nn.BatchNorm1d(3, momentum=None), (4, 3), batches=3)
check("batch_norm plain", nn.BatchNorm1d(3, affine=False, eps=0.1), (4, 3))
check("batch_norm untracked", nn.BatchNorm1d(3, track_running_stats=False), (4, 3), train=False)
check("batch_norm eval", nn.BatchNorm1d(3), (5, 3), train=False, batches=3)
check("layer_norm", nn.LayerNorm(4), (2, 3, 4))
check("layer_norm two axes", nn.LayerNorm((3, 4), eps=0.1), (2, 3, 4))
check("layer_norm without bias", nn.LayerNorm(4, bias=False), (3, 4))
check("layer_norm plain", nn.LayerNorm(4, elementwise_affine=False), (3, 4))
check("conv1d", nn.Conv1d(2, 3, 3, stride=2, padding=1), (2, 2, 5))
check("conv2d", nn.Conv2d(2, 3, 2), (1, 2, 3, 4))
check("conv2d groups", nn.Conv2d(4, 2, (1, 3), groups=2, dilation=(1, 2), padding=(0, 1), bias=False), (1, 4, 2, 4))
check("conv2d same", nn.Conv2d(1, 2, (2, 4), padding="same"), (1, 1, 3, 4))
check("conv2d reflect", nn.Conv2d(1, 2, (2, 3), padding=(0, 2), stride=2, padding_mode="reflect"), (1, 1, 3, 4))
check("conv2d replicate", nn.Conv2d(1, 2, (2, 4), padding="same", padding_mode="replicate"), (1, 1, 3, 4))
check("conv1d circular", nn.Conv1d(2, 2, 3, padding=2, dilation=2, padding_mode="circular"), (1, 2, 5))
check("conv3d", nn.Conv3d(1, 2, 2), (1, 1, 2, 3, 2))
check("conv_transpose1d", nn.ConvTranspose1d(2, 3, 2), (2, 2, 3))
check("conv_transpose2d", nn.ConvTranspose2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), output_padding=(1, 0), groups=2), (1, 2, 2, 3))
check("conv_transpose3d", nn.ConvTranspose3d(1, 2, 2), (1, 1, 2, 1, 2))
check("max_pool1d", nn.MaxPool1d(2), (2, 2, 5))
check("max_pool2d", nn.MaxPool2d((3, 2), stride=(2, 1), padding=1, ceil_mode=True), (1, 2, 4, 3))
check("max_pool3d", nn.MaxPool3d(2), (1, 1, 2, 4, 3))
check("avg_pool1d", nn.AvgPool1d(3), (2, 2, 6))
check("avg_pool2d", nn.AvgPool2d((3, 2), stride=2, padding=1, ceil_mode=True), (1, 2, 4, 3))
check("avg_pool2d inside", nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), (1, 2, 4, 3))
check("avg_pool3d", nn.AvgPool3d(2), (1, 1, 2, 4, 3))
check("lp_pool1d", nn.LPPool1d(4, 2), (2, 2, 5))
check("lp_pool2d", nn.LPPool2d(2, (3, 2), stride=(1, 2)), (1, 2, 4, 4))
check("lp_pool3d", nn.LPPool3d(2, 2), (1, 1, 2, 2, 3))
check("adaptive_avg_pool2d", nn.AdaptiveAvgPool2d((3, 2)), (1, 2, 5, 3))
check("adaptive_max_pool2d", nn.AdaptiveMaxPool2d((3, 2)), (1, 2, 5, 3))
check("batch_norm2d", nn.BatchNorm2d(3), (2, 3, 2, 2), batches=2)
check("batch_norm3d", nn.BatchNorm3d(2), (2, 2, 1, 2, 2))
check("group_norm", nn.GroupNorm(2, 4), (2, 4, 3))
check("instance_norm", nn.InstanceNorm2d(2, affine=True), (2, 2, 2, 2))
check("instance_norm tracked", nn.InstanceNorm1d(2, eps=0.1, momentum=0.3, track_running_stats=True), (2, 2, 3), batches=2)
check("instance_norm eval", nn.InstanceNorm3d(2, affine=True, track_running_stats=True), (2, 2, 1, 2, 2), train=False, batches=3)
check("rms_norm", nn.RMSNorm(4, eps=0.1), (2, 3, 4))
check("local_response_norm", nn.LocalResponseNorm(4, alpha=0.5, k=2.0), (2, 5, 2))
check("upsample", nn.Upsample(scale_factor=2), (1, 2, 2, 3))
check("upsample bilinear", nn.Upsample(scale_factor=2, mode="bilinear"), (1, 2, 2, 3))
check("upsample bilinear aligned", nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), (1, 1, 2, 3))
check("upsample bicubic", nn.Upsample(scale_factor=2, mode="bicubic"), (1, 1, 2, 3))
check("upsample bicubic aligned", nn.Upsample(scale_factor=2, mode="bicubic", align_corners=True), (1, 1, 2, 3))
check("upsample bilinear by 1.6", nn.Upsample(scale_factor=1.6, mode="bilinear"), (1, 1, 2, 3))
check("upsample to size", nn.Upsample(size=(3, 2)), (1, 2, 2, 3))
check("pixel_shuffle", nn.PixelShuffle(2), (1, 4, 2, 3))
check("pixel_unshuffle", nn.PixelUnshuffle(2), (1, 1, 4, 2))
check("zero_pad1d", nn.ZeroPad1d((1, 2)), (2, 2, 3))
check("zero_pad2d", nn.ZeroPad2d((1, 0, 2, -1)), (1, 2, 3, 3))
check("zero_pad3d", nn.ZeroPad3d(1), (1, 1, 2, 1, 2))
check("constant_pad1d", nn.ConstantPad1d((1, 2), 0.7), (2, 2, 3))
check("constant_pad2d", nn.ConstantPad2d(1, -0.5), (1, 2, 2, 3))
check("constant_pad3d", nn.ConstantPad3d((0, 1, 1, 0, 0, 1), 2.5), (1, 1, 2, 1, 2))
check("reflection_pad1d", nn.ReflectionPad1d((1, 2)), (2, 2, 3))
check("reflection_pad2d", nn.ReflectionPad2d((2, 1, 0, 1)), (1, 2, 2, 3))
check("reflection_pad3d", nn.ReflectionPad3d(1), (1, 1, 2, 2, 3))
check("replication_pad1d", nn.ReplicationPad1d((1, 2)), (2, 2, 3))
check("replication_pad2d", nn.ReplicationPad2d((2, 1, 0, 1)), (1, 2, 2, 3))
check("replication_pad3d", nn.ReplicationPad3d(1), (1, 1, 2, 1, 2))
check("circular_pad1d", nn.CircularPad1d((1, 2)), (2, 2, 3))
check("circular_pad2d", nn.CircularPad2d((2, 1, 0, 1)), (1, 2, 2, 3))
check("circular_pad3d", nn.CircularPad3d(1), (1, 1, 2, 1, 2))
check("dropout2d eval", nn.Dropout2d(0.3), (1, 2, 2, 2), train=False)
check("prelu", nn.PReLU(3), (2, 3, 2))
check("prelu one", nn.PReLU(), (2, 3))
check("elu", nn.ELU(0.7), (7,))
check("gelu", nn.GELU(), (7,))
check("gelu_tanh", nn.GELU(approximate="tanh"), (7,))
check("hardswish", nn.Hardswish(), (7,))
check("leaky_relu", nn.LeakyReLU(0.2), (7,))
check("log_softmax", nn.LogSoftmax(1), (2, 4))
check("mish", nn.Mish(), (7,))
check("relu", nn.ReLU(), (7,))
check("selu", nn.SELU(), (7,))
check("sigmoid", nn.Sigmoid(), (7,))
check("silu", nn.SiLU(), (7,))
check("softmax", nn.Softmax(-1), (2, 4))
check("softplus", nn.Softplus(), (7,))
check("tanh", nn.Tanh(), (7,))
check("dropout eval", nn.Dropout(0.3), (7,), train=False)
check(
    "sequential",
    nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)),
    (5, 3),
)
check("residual", Residual(nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 3), nn.GELU())), (4, 3))
