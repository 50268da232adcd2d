"""Graphs of unusual shape: very wide, very deep, and a gather with repeated indices."""

from typing import ClassVar

import numpy as np

from benchmarks.rows.base import Gradients


class FanIn(Gradients):
    """Ten thousand small arrays, each used three times, summed."""

    absent: ClassVar = {
        "autograd": "minutes a step",
        **dict.fromkeys(["jit", "torch_compile"], "minutes to compile"),
    }
    slow = ("jax",)

    def make(self, rng):
        """Vectors of 16."""
        self.params = list(rng.normal(size=(10_000, 16)))

    @staticmethod
    def by_hand(*leaves):
        """A loop over the leaves, twice."""
        total = np.zeros(16)
        for x in leaves:
            total += x * x + x
        return np.sum(total), *[2.0 * x + 1.0 for x in leaves]

    def words(self, np):
        """A loop over the leaves."""

        def loss(*leaves):
            total = 0.0
            for x in leaves:
                total = total + (x * x + x)
            return np.sum(total)

        return loss

    torch_words = words


class Rnn(Gradients):
    """A tanh cell over a hundred steps, mean square of its last state, float32."""

    dtype = np.float32
    steps, batch, inputs, hidden = 100, 32, 32, 64

    def make(self, rng):
        """A recurrent matrix without scale, so that gradients arrive at the first step."""
        recurrent, _ = np.linalg.qr(rng.normal(size=(self.hidden, self.hidden)))
        params = [rng.normal(size=(self.inputs, self.hidden)) / 20, recurrent, 0.1 * rng.normal(size=self.hidden)]
        self.params = [p.astype(np.float32) for p in params]
        X = rng.normal(size=(self.steps, self.batch, self.inputs))
        self.data = [X.astype(np.float32), np.zeros((self.batch, self.hidden), np.float32)]

    @staticmethod
    def by_hand(W, U, b, X, h):
        """Backpropagation through time."""
        states = [h]
        for x in X:
            h = np.tanh(x @ W + h @ U + b)
            states.append(h)
        loss = np.mean(h**2)

        gW, gU, gb = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
        g = h * np.float32(2 / h.size)
        for t in reversed(range(len(X))):
            gz = g * (1 - states[t + 1] ** 2)
            gW += X[t].T @ gz
            gU += states[t].T @ gz
            gb += gz.sum(axis=0)
            g = gz @ U.T
        return loss, gW, gU, gb

    def words(self, np):
        """A loop over time."""

        def loss(W, U, b, X, h):
            for x in X:
                h = np.tanh(x @ W + h @ U + b)
            return np.mean(h**2)

        return loss

    torch_words = words

    def jit_words(self, np):
        """A compiled loop."""
        from jax import lax

        def loss(W, U, b, X, h):
            h, _ = lax.scan(lambda h, x: (np.tanh(x @ W + h @ U + b), None), h, X)
            return np.mean(h**2)

        return loss


class Embedding(Gradients):
    """4096 rows of a table of 10,000, with repeats; sum of squares of a product, float32."""

    dtype = np.float32

    def make(self, rng):
        """Random indices, hence repeated ones."""
        self.params = [rng.normal(size=(10_000, 64)).astype(np.float32)]
        self.data = [rng.normal(size=64).astype(np.float32), rng.integers(0, 10_000, 4096)]

    @staticmethod
    def by_hand(table, weights, indices):
        """`np.add.at` adds up the repeats."""
        product = table[indices] * weights
        gradient = np.zeros_like(table)
        np.add.at(gradient, indices, 2 * product * weights)
        return np.sum(product**2), gradient

    def words(self, np):
        """Advanced indexing."""
        return lambda table, weights, indices: np.sum((table[indices] * weights) ** 2)

    def torch_words(self, torch):
        """With `embedding`."""
        embedding = torch.nn.functional.embedding
        return lambda table, weights, indices: torch.sum((embedding(indices, table) * weights) ** 2)


class Shifts(Gradients):
    """A hundred times `x` with `y` moved on by one entry: slices, whose cotangents are partly absent."""

    steps, n = 100, 10

    def __init__(self, name, title, product):
        super().__init__(name, title)
        self.product = product

    def make(self, rng):
        """Ten numbers, and what moves in."""
        self.params = [rng.uniform(0.8, 1.2, self.n)]
        self.data = [np.ones(1)]

    def by_hand(self, x, one):
        """Two loops, over shifted arrays."""
        states = [x]
        for _ in range(self.steps):
            shifted = np.concatenate([one, states[-1][:-1]])
            states.append(x * shifted if self.product else x + shifted)
        g, gx = np.ones(self.n), np.zeros(self.n)
        for y in states[-2::-1]:
            gx += g * np.concatenate([one, y[:-1]]) if self.product else g
            g = np.append((g * x)[1:] if self.product else g[1:], 0.0)
        return np.sum(states[-1]), gx + g

    def words(self, np):
        """A loop with a join in it."""

        def loss(x, one):
            y = x
            for _ in range(self.steps):
                shifted = np.concatenate([one, y[:-1]])
                y = x * shifted if self.product else x + shifted
            return np.sum(y)

        return loss

    torch_words = words


class Contraction(Gradients):
    """A sum over one axis of two stacks, by `einsum`, whose gradients are stacks of matrix products."""

    def make(self, rng):
        """Thirty matrices each, the axes of one in another order."""
        self.params = [rng.normal(size=(30, 40, 50)), rng.normal(size=(60, 30, 50))]

    def by_hand(self, a, b):
        """Three stacks of products."""
        y = np.moveaxis(b, 1, 0) @ np.swapaxes(a, 1, 2)
        g = 2 * y
        return np.sum(y * y), np.swapaxes(g, 1, 2) @ np.moveaxis(b, 1, 0), np.moveaxis(g @ a, 0, 1)

    def words(self, np):
        """One call, squared."""
        return lambda a, b: np.sum(np.einsum("ijk,mik->mij", a, b) ** 2)

    torch_words = words


ROWS = [
    FanIn("fan-in", "10,000 vectors of 16, each used 3 times"),
    Rnn("rnn", "tanh RNN, 100 steps, batch 32, hidden 64"),
    Embedding("embedding", "embedding, 4096 of 10,000 x 64"),
    Contraction("einsum", "einsum of 30x40x50 and 60x30x50, squared"),
    Shifts("shifts-add", "100 sums with shifted entries, 10 numbers", product=False),
    Shifts("shifts-multiply", "100 products with shifted entries, 10 numbers", product=True),
]
