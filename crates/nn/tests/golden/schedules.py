"""Writes schedules.csv: the learning rates of PyTorch's schedulers at 50 steps each.

Made with PyTorch 2.15: python schedules.py > schedules.csv
"""

import torch
from torch.optim import lr_scheduler as s


def rates(make, steps=50, key="lr"):
    w = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    schedule = make(optimizer)
    for _ in range(steps):
        yield optimizer.param_groups[0][key]
        optimizer.step()
        schedule.step()


def sequential(o):
    parts = [s.LinearLR(o, 0.1, total_iters=10), s.CosineAnnealingLR(o, 40)]
    return s.SequentialLR(o, parts, milestones=[10])


def chained(o):
    return s.ChainedScheduler([s.ConstantLR(o, 0.1, 20), s.ExponentialLR(o, 0.9)])


for name, make in {
    "constant": lambda o: s.ConstantLR(o, 1 / 3, 5),
    "step": lambda o: s.StepLR(o, 7, 0.5),
    "multi_step": lambda o: s.MultiStepLR(o, [10, 11, 30], 0.1),
    "exponential": lambda o: s.ExponentialLR(o, 0.93),
    "cosine": lambda o: s.CosineAnnealingLR(o, 30, 0.01),
    "cosine_restarts": lambda o: s.CosineAnnealingWarmRestarts(o, 8, 2, 0.001),
    "linear": lambda o: s.LinearLR(o, 0.25, 1.0, 12),
    "polynomial": lambda o: s.PolynomialLR(o, 40, 1.7),
    "one_cycle": lambda o: s.OneCycleLR(o, 0.1, 50),
    "one_cycle_early": lambda o: s.OneCycleLR(o, 0.1, 50, pct_start=0.1, div_factor=10, final_div_factor=100),
    "sequential": sequential,
    "chained": chained,
}.items():
    print(name, *(repr(float(lr)) for lr in rates(make)), sep=",")
print("momentum", *(repr(m) for m in rates(lambda o: s.OneCycleLR(o, 0.1, 50), key="momentum")), sep=",")
