"""Writes lbfgs.csv: parameters after 1, 2 and 5 steps of PyTorch's L-BFGS, in f64.

The loss is Rosenbrock's function of x and y plus (z - 0.5 x)^4; all start at -1.2, 1, 2.

Made with PyTorch 2.15: python lbfgs.py > lbfgs.csv
"""

import torch
from torch.optim import LBFGS

for name, options in {
    "plain": {"lr": 0.1, "max_iter": 4},
    "short history": {"lr": 0.2, "max_iter": 6, "history_size": 2},
    "strong wolfe": {"max_iter": 3, "line_search_fn": "strong_wolfe"},
    "few losses": {"max_iter": 10, "max_eval": 6, "line_search_fn": "strong_wolfe"},
}.items():
    p = torch.nn.Parameter(torch.tensor([-1.2, 1.0, 2.0], dtype=torch.float64))
    optimizer = LBFGS([p], **options)

    def closure():
        optimizer.zero_grad()
        x, y, z = p
        loss = (1 - x) ** 2 + 100 * (y - x**2) ** 2 + (z - 0.5 * x) ** 4
        loss.backward()
        return loss

    row = []
    for t in range(5):
        row.append(optimizer.step(closure).item())
        if t + 1 in (1, 2, 5):
            row += p.tolist()
    print(name, *map(repr, row), sep=",")
