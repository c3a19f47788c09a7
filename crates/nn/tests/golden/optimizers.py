"""Writes optimizers.csv: parameters after 1, 5 and 20 steps of PyTorch's optimizers, in f64.

The gradient of p[i] in step t (from 0) is a[i] (p[i] - c[i]) + 0.3 cos(t + i), with
a = 1, 10, 0.1, 3 and c = 0, 1, -2, 0.5; p starts at 1, -1, 0.5, 2.

Made with PyTorch 2.15: python optimizers.py > optimizers.csv
"""

import math

import torch
from torch import optim

A = torch.tensor([1.0, 10.0, 0.1, 3.0], dtype=torch.float64)
C = torch.tensor([0.0, 1.0, -2.0, 0.5], dtype=torch.float64)

for name, make in {
    "sgd": lambda p: optim.SGD(p, 0.05),
    "sgd momentum": lambda p: optim.SGD(p, 0.01, momentum=0.9),
    "sgd dampening": lambda p: optim.SGD(p, 0.05, momentum=0.9, dampening=0.4),
    "sgd nesterov": lambda p: optim.SGD(p, 0.01, momentum=0.9, nesterov=True),
    "sgd decay": lambda p: optim.SGD(p, 0.01, momentum=0.9, weight_decay=0.1),
    "adam": lambda p: optim.Adam(p, 0.1),
    "adam decay": lambda p: optim.Adam(p, 0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1),
    "adam amsgrad": lambda p: optim.Adam(p, 0.1, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, 0.1),
    "adamw amsgrad": lambda p: optim.AdamW(p, 0.1, amsgrad=True, weight_decay=0.3),
    "rmsprop": lambda p: optim.RMSprop(p, 0.05),
    "rmsprop momentum": lambda p: optim.RMSprop(p, 0.01, alpha=0.9, momentum=0.9, weight_decay=0.1),
    "rmsprop centered": lambda p: optim.RMSprop(p, 0.01, centered=True, eps=1e-3),
    "rmsprop both": lambda p: optim.RMSprop(p, 0.01, centered=True, momentum=0.5, eps=1e-3),
    "adagrad": lambda p: optim.Adagrad(p, 0.1),
    "adagrad decay": lambda p: optim.Adagrad(
        p, 0.1, lr_decay=0.05, weight_decay=0.1, initial_accumulator_value=0.2
    ),
}.items():
    p = torch.nn.Parameter(torch.tensor([1.0, -1.0, 0.5, 2.0], dtype=torch.float64))
    optimizer = make([p])
    row = []
    for t in range(20):
        noise = torch.tensor([0.3 * math.cos(t + i) for i in range(4)], dtype=torch.float64)
        p.grad = (A * (p - C) + noise).detach()
        optimizer.step()
        if t + 1 in (1, 5, 20):
            row += p.tolist()
    print(name, *map(repr, row), sep=",")
