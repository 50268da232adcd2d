"""Two programs: ``python -m nn`` differentiates an expression and learns XOR; ``python -m nn demo`` writes a report."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

import autograd_core as ag
import nn

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])


def main(argv: Sequence[str]) -> int:
    """Run what the command line asks for; return the exit code: 0 if all was learnt that should be."""
    from .demo.main import main as demo
    from .demo.main import version

    if argv[:1] == ["demo"]:
        return demo(argv[1:])
    if argv:
        print(f"{__doc__}\nnot understood: {' '.join(argv)}", file=sys.stderr)
        return 2
    print(f"autograd-core {version()}, NumPy {np.__version__}, Python {platform.python_version()}")
    show_gradient()
    return 0 if train_xor() else 1


def show_gradient() -> None:
    """Print a gradient beside the one that finite differences give."""

    def f(x: Any) -> Any:
        return np.sum(np.tanh(x) ** 2)

    x = ag.Tensor([0.5, -1.2, 2.0])
    y = f(x)
    y.backward()
    print(f"\nf(x) = sum(tanh(x)**2) at x = {x.data} is {y:.12f}")
    print("                df/dx    by finite differences")
    h = 1e-5
    for i, exact in enumerate(np.asarray(x.grad)):
        step = h * np.eye(3)[i]
        print(f"  x[{i}]  {exact:15.12f}  {(f(x.data + step) - f(x.data - step)) / (2 * h):15.12f}")


def train_xor(steps: int = 1000) -> bool:
    """Train 2-16-1 on the four points, print the way down, and say whether all four are right."""
    model = nn.MLP([2, 16, 1], activation="tanh", rng=0)
    optimizer = nn.SGD(model.parameters(), lr=0.05)
    print(f"\nXOR, mean squared error, gradient descent with rate {optimizer.lr}\n{model}\n")
    for step in range(steps + 1):
        loss = nn.mse(model(X), Y)
        if step % 200 == 0:
            print(f"  step {step:4}   loss {loss.item():.2e}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with ag.no_grad():
        found = model(X).data
    print()
    for (a, b), y, p in zip(X, Y[:, 0], found[:, 0], strict=True):
        print(f"  {a:.0f} xor {b:.0f} = {y:.0f}   the network says {p:8.5f}")
    learnt = bool(np.all(np.abs(found - Y) < 0.1))
    print("\nXOR is learnt" if learnt else "\nXOR is not learnt: an output is off by 0.1 or more")
    return learnt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
