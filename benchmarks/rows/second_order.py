"""Hessian products, Hessians and a Jacobian."""

from typing import ClassVar

import numpy as np

from benchmarks.rows.base import SecondOrder


class Rosenbrock(SecondOrder):
    """The Rosenbrock function of 100 variables: a banded Hessian."""

    absent: ClassVar = {"mygrad": "no second derivatives"}

    def make(self, rng):
        """A point, and a direction for the product."""
        x, v = rng.normal(size=(2, 100))
        self.at = (x, v) if self.kind == "hvp" else (x,)

    def by_hand(self, x, v=None):
        """Its two bands."""
        diagonal = np.zeros_like(x)
        diagonal[:-1] = 1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0
        diagonal[1:] += 200.0
        beside = -400.0 * x[:-1]
        if self.kind == "hessian":
            return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        product = diagonal * v
        product[:-1] += beside * v[1:]
        product[1:] += beside * v[:-1]
        return product

    def words(self, np):
        """As one writes it."""
        return lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    torch_words = words


class Logistic(SecondOrder):
    """Logistic regression of 500 points in 50 dimensions, with a small L2 penalty."""

    absent: ClassVar = {"mygrad": "no second derivatives"}
    penalty = 1e-3

    def make(self, rng):
        """Labels -1 and 1, already multiplied into the points."""
        points, labels = rng.normal(size=(500, 50)), rng.choice([-1.0, 1.0], 500)
        w, v = rng.normal(size=(2, 50)) / 5
        self.at = (w, v) if self.kind == "hvp" else (w,)
        self.data = [points * labels[:, None]]
        self.data[0].flags.writeable = False  # it never changes, so nobody need compare it at each call

    def by_hand(self, *args):
        """`X' diag(s (1 - s)) X / n + penalty`, never formed for a product."""
        w, *v, X = args
        s = 1.0 / (1.0 + np.exp(X @ w))
        curvature = s * (1.0 - s) / len(X)
        if self.kind == "hvp":
            return X.T @ (curvature * (X @ v[0])) + self.penalty * v[0]
        hessian = (X.T * curvature) @ X
        hessian[np.diag_indices_from(hessian)] += self.penalty
        return hessian

    def words(self, np):
        """With `logaddexp`."""

        def loss(w, X):
            return np.mean(np.logaddexp(0.0, -(X @ w))) + 0.5 * self.penalty * np.sum(w**2)

        return loss

    def torch_words(self, torch):
        """With `softplus`."""

        def loss(w, X):
            return torch.mean(torch.nn.functional.softplus(-(X @ w))) + 0.5 * self.penalty * torch.sum(w**2)

        return loss


class TanhJacobian(SecondOrder):
    """Jacobian of a 64-64 tanh net of one input vector, float32."""

    dtype = np.float32

    def make(self, rng):
        """Glorot-like weights."""
        self.at = (rng.normal(size=64).astype(np.float32),)
        shapes = [(64, 64), (64,), (64, 64), (64,)]
        self.data = [(rng.normal(size=shape) / 8).astype(np.float32) for shape in shapes]

    @staticmethod
    def by_hand(x, W1, b1, W2, b2):
        """Diagonal, matrix, diagonal, matrix."""
        h = np.tanh(x @ W1 + b1)
        y = np.tanh(h @ W2 + b2)
        return ((1 - y * y)[:, None] * W2.T * (1 - h * h)) @ W1.T

    def words(self, np):
        """Two layers."""
        return lambda x, W1, b1, W2, b2: np.tanh(np.tanh(x @ W1 + b1) @ W2 + b2)

    torch_words = words


ROWS = [
    Rosenbrock("rosenbrock-hvp", "Rosenbrock, n = 100, Hessian product", "hvp"),
    Rosenbrock("rosenbrock-hessian", "Rosenbrock, n = 100, Hessian", "hessian"),
    Logistic("logistic-hvp", "logistic regression 500 x 50, Hessian product", "hvp"),
    Logistic("logistic-hessian", "logistic regression 500 x 50, Hessian", "hessian"),
    TanhJacobian("jacobian", "64-64-64 tanh net, Jacobian", "jacobian"),
]
