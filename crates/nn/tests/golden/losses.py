"""Writes losses.csv: values and gradients of PyTorch's losses in f64, at corners too.

A line is a loss, its reduction, then numbers with spaces between: output x, target t, the loss,
and the gradients by x and t for the incoming gradient DY (of which the loss takes as many as it
has elements). x and t have two rows; those of NllLoss have the shapes (2, 3, 2) and (2, 2).

Made with PyTorch 2.15: python losses.py > losses.csv
"""

import warnings

import torch
from torch.nn import functional as F

warnings.simplefilter("ignore")  # That KL's mean is no divergence.
torch.set_default_dtype(torch.float64)
DY = torch.tensor([0.5, -1.25, 2.0, 0.75, -3.0, 1.5, 0.25, -0.5])
INF = float("inf")


def line(name, reduction, loss, x, t):
    x = torch.tensor(x).requires_grad_()
    t = torch.tensor(t)
    if t.is_floating_point():
        t.requires_grad_()
    y = loss(x, t, reduction=reduction)
    (y.flatten() * DY[: y.numel()]).sum().backward()
    dt = t.grad if t.is_floating_point() else torch.zeros(0)
    parts = [x, t, y, x.grad, dt]
    print(name, reduction, *(" ".join(map(repr, p.flatten().tolist())) for p in parts), sep=",")


def pairs(name, loss, x, t, reductions=("none", "sum", "mean")):
    half = len(x) // 2
    for reduction in reductions:
        line(name, reduction, loss, [x[:half], x[half:]], [t[:half], t[half:]])


# Differences of both signs, none among them, and of the lengths 1 and 0.5 where slopes bend.
x = [0.25, 1.25, -0.75, 0.75, -0.25, 2.25, -2.75, 0.5]
t = [0.25] * 8
pairs("HuberLoss", F.huber_loss, x, t)
pairs("HuberLoss 0.5", lambda *at, **how: F.huber_loss(*at, delta=0.5, **how), x, t)
pairs("SmoothL1Loss", F.smooth_l1_loss, x, t)
pairs("SmoothL1Loss 0.5", lambda *at, **how: F.smooth_l1_loss(*at, beta=0.5, **how), x, t)
pairs("SmoothL1Loss 0", lambda *at, **how: F.smooth_l1_loss(*at, beta=0.0, **how), x, t)

p = [0.3, 0.9, 0.3, 1e-6, 0.75, 0.999]
pairs("BceLoss", F.binary_cross_entropy, p, [0.3, 1.0, 0.0, 0.5, 0.25, 0.125])
p = [0.0, 0.0, 1.0, 1.0, 0.3, 1.0, 1e-40, 1e-13]
pairs("BceLoss", F.binary_cross_entropy, p, [0.0, 1.0, 0.0, 1.0, 0.5, 0.25, 1.0, 0.75])

x = [-0.5, -1.0, -2.0, -0.125, -3.0, 0.0]
every = ("none", "sum", "mean", "batchmean")
pairs("KlDivLoss", F.kl_div, x, [0.0, 0.5, 1.0, 0.25, 0.0625, 2.0], every)
log_target = lambda *at, **how: F.kl_div(*at, log_target=True, **how)
pairs("KlDivLoss log_target", log_target, x, [-0.5, -0.25, 0.0, -1.0, -2.0, -30.0], every)

x = [[[-0.5, -1.0], [-2.0, -0.25], [-3.0, -4.0]], [[-1.5, -0.75], [-0.125, -6.0], [-2.5, -INF]]]
weight = torch.tensor([0.5, 2.0, 3.0])
weighted = lambda *at, **how: F.nll_loss(*at, weight=weight, **how)
ignoring = lambda *at, **how: F.nll_loss(*at, weight=weight, ignore_index=1, **how)
for reduction in ("none", "sum", "mean"):
    line("NllLoss", reduction, F.nll_loss, x, [[2, 0], [-100, 1]])
    line("NllLoss weights", reduction, weighted, x, [[2, 0], [-100, 1]])
    line("NllLoss ignore_index", reduction, ignoring, x, [[2, 0], [0, 1]])
