"""Writes what crates/train/tests/models.rs compares with: networks in PyTorch, under torchvision's
names.

resnet.safetensors, vgg.safetensors: state dicts of narrow networks after a few steps of training,
with an input and the logits in evaluation under the names "input" and "logits".
logits.csv: logits of whole networks whose parameters follow from a formula, so that no large file
is needed: see `hashed`.

Made with PyTorch 2.15: python models.py
"""

import json
import struct

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """torchvision's BasicBlock and Bottleneck."""

    def __init__(self, inputs, width, stride, bottleneck, zeros):
        super().__init__()
        out = 4 * width if bottleneck else width
        conv = lambda i, o, k, s: nn.Conv2d(i, o, k, s, k // 2, bias=False)
        if bottleneck:
            self.conv1, self.bn1 = conv(inputs, width, 1, 1), nn.BatchNorm2d(width)
            self.conv2, self.bn2 = conv(width, width, 3, stride), nn.BatchNorm2d(width)
            self.conv3, self.bn3 = conv(width, out, 1, 1), nn.BatchNorm2d(out)
        else:
            self.conv1, self.bn1 = conv(inputs, width, 3, stride), nn.BatchNorm2d(width)
            self.conv2, self.bn2 = conv(width, width, 3, 1), nn.BatchNorm2d(width)
        changes = stride != 1 or inputs != out
        self.zeros = (stride, (out - inputs) // 2) if changes and zeros else None
        self.downsample = None
        if changes and not zeros:
            self.downsample = nn.Sequential(conv(inputs, out, 1, stride), nn.BatchNorm2d(out))

    def forward(self, x):
        around = x if self.downsample is None else self.downsample(x)
        if self.zeros:
            stride, pad = self.zeros
            around = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, pad, pad))
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if hasattr(self, "conv3"):
            h = self.bn3(self.conv3(F.relu(h)))
        return F.relu(h + around)


class ResNet(nn.Module):
    def __init__(self, blocks, bottleneck=False, width=64, small=False, classes=1000, zeros=False):
        super().__init__()
        k, s = (3, 1) if small else (7, 2)
        self.conv1 = nn.Conv2d(3, width, k, s, k // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        channels, self.stages = width, len(blocks)
        for i, count in enumerate(blocks):
            stage = []
            for j in range(count):
                stride = 2 if i > 0 and j == 0 else 1
                stage.append(Block(channels, width << i, stride, bottleneck, zeros))
                channels = (width << i) * (4 if bottleneck else 1)
            setattr(self, f"layer{i + 1}", nn.Sequential(*stage))
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        for i in range(self.stages):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.fc(x.mean((2, 3)))


VGG = {
    "A": "64 M 128 M 256 256 M 512 512 M 512 512 M",
    "B": "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
    "C": "64 64 M 128 128 M 256 256 1x256 M 512 512 1x512 M 512 512 1x512 M",
    "D": "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
    "E": "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M",
}


class Vgg(nn.Module):
    def __init__(self, table, bn=False, pool=7, hidden=4096, classes=1000):
        super().__init__()
        features, channels = [], 3
        for item in table.split():
            if item == "M":
                features.append(nn.MaxPool2d(2))
                continue
            k = 1 if item.startswith("1x") else 3
            out = int(item.removeprefix("1x"))
            features.append(nn.Conv2d(channels, out, k, padding=k // 2))
            features += ([nn.BatchNorm2d(out)] if bn else []) + [nn.ReLU()]
            channels = out
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(pool)
        self.classifier = nn.Sequential(
            nn.Linear(channels * pool * pool, hidden), nn.ReLU(), nn.Dropout(),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, classes),
        )

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def hashed(name, shape):
    """Numbers from -1 to 1: lowbias32 (Wellons) of the index plus FNV-1a of the name."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 & 0xFFFFFFFF
    x = np.arange(int(np.prod(shape)), dtype=np.uint32) + np.uint32(seed)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    x = x ^ (x >> np.uint32(16))
    return torch.from_numpy((x / 2.0**31 - 1.0).astype(np.float32)).reshape(shape)


def fill(model):
    """Weights of variance 2 / fan_in, and norms that do something."""
    with torch.no_grad():
        for name, x in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            u = hashed(name, x.shape)
            if x.dim() > 1:
                x.copy_(u * float(np.sqrt(6.0 / x[0].numel())))
            elif name.endswith(("running_var", "weight")):
                x.copy_(1.0 + 0.5 * u)
            else:
                x.copy_(0.1 * u)


def logits(name, model, size):
    fill(model)
    with torch.no_grad():
        y = model.double().eval()(hashed("input", (2, 3, size, size)).double())
    return f"{name},{size}," + ",".join(repr(float(v)) for v in y[:, :10].flatten())


def save(path, tensors):
    """The safetensors format: a length, a header in JSON, the tensors' bytes."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, x in tensors.items():
        raw = x.contiguous().numpy().tobytes()
        dtype = {torch.float32: "F32", torch.int64: "I64"}[x.dtype]
        header[name] = {"dtype": dtype, "shape": list(x.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)


def trained(path, model):
    """A few steps, so that norms and running statistics have moved."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for step in range(5):
        x, y = torch.randn(8, 3, 32, 32), torch.arange(8) % 10
        loss = F.cross_entropy(model.train()(x + step), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        y = model.eval()(x)
    save(path, model.state_dict() | {"input": x, "logits": y})


if __name__ == "__main__":
    torch.manual_seed(0)
    trained("resnet.safetensors", ResNet([1, 1, 1, 1], width=4, classes=10))
    trained("vgg.safetensors", Vgg("4 M 8 M 8 1x12 M", bn=True, pool=2, hidden=16, classes=10))
    lines = [
        logits("resnet18", ResNet([2, 2, 2, 2]), 64),
        logits("resnet34", ResNet([3, 4, 6, 3]), 64),
        logits("resnet50", ResNet([3, 4, 6, 3], bottleneck=True), 64),
        logits("resnet18 small", ResNet([2, 2, 2, 2], small=True, classes=10), 32),
        logits("resnet20", ResNet([3, 3, 3], width=16, small=True, classes=10, zeros=True), 32),
        logits("vgg a", Vgg(VGG["A"]), 64),
    ]
    for name, bn in [("A", True), ("B", False), ("C", True), ("D", False), ("E", True)]:
        model = Vgg(VGG[name], bn, pool=1, hidden=64, classes=10)
        lines.append(logits(f"vgg {name.lower()} small", model, 32))
    open("logits.csv", "w").write("\n".join(lines) + "\n")
