"""Graphs of scalars: a long chain, micrograd's README expression, micrograd's moons demo, one node a number."""

from typing import ClassVar

import numpy as np

from benchmarks.rows.base import Gradients


class Chain(Gradients):
    """`y = y * 1.0001 + 0.0001`, again and again, from a scalar."""

    def __init__(self, name, title, pairs):
        super().__init__(name, title)
        self.pairs = pairs
        self.operations = 2 * pairs
        self.absent = {"jax": "minutes a step", "torch_compile": "minutes to compile"} if pairs > 1_000 else {}
        self.slow = ("autograd", "mygrad", "micrograd") if pairs > 10_000 else ()

    def make(self, rng):
        """One number."""
        self.params = [np.float64(rng.uniform(0.5, 1.0))]

    def by_hand(self, x):
        """Two loops over NumPy scalars."""
        y = x
        for _ in range(self.pairs):
            y = y * 1.0001 + 0.0001
        g = np.float64(1.0)
        for _ in range(self.pairs):
            g = g * 1.0001
        return y, g

    def words(self, _np=None):
        """The same words for everyone."""

        def loss(x):
            y = x
            for _ in range(self.pairs):
                y = y * 1.0001 + 0.0001
            return y

        return loss

    torch_words = micrograd_words = words

    def jit_words(self, _np):
        """A compiled loop."""
        from jax import lax

        def body(y, _):
            return y * 1.0001 + 0.0001, None

        return lambda x: lax.scan(body, x, length=self.pairs)[0]


class Readme(Gradients):
    """The expression in micrograd's README."""

    def make(self, _rng):
        """Its two inputs."""
        self.params = [np.float64(-4.0), np.float64(2.0)]

    @staticmethod
    def by_hand(a, b):
        """Forward, then the chain rule line by line, upwards."""
        p, q = b + a, b - a
        d0 = a * b + b**3
        c1 = 2.0 * p + 1.0
        c = 2.0 * c1 + 1.0 - a
        d1 = 3.0 * d0 + max(p, 0.0)
        d = 4.0 * d1 + max(q, 0.0)
        e = c - d
        f = e * e
        g = f / 2.0 + 10.0 / f

        ge = 2.0 * e * (0.5 - 10.0 / (f * f))
        gd0 = -12.0 * ge
        gp = 4.0 * ge - (4.0 * ge if p > 0.0 else 0.0)
        gq = -ge if q > 0.0 else 0.0
        return g, gp - gq - ge + b * gd0, gp + gq + (a + 3.0 * b**2) * gd0

    def words(self, np):
        """Word for word, with `np.maximum` as the rectifier."""
        return self.expression(lambda x: np.maximum(x, 0.0))

    def torch_words(self, torch):
        """Word for word."""
        return self.expression(torch.relu)

    def micrograd_words(self):
        """Word for word."""
        return self.expression(lambda x: x.relu())

    @staticmethod
    def expression(relu):
        """As printed in the README."""

        def loss(a, b):
            c = a + b
            d = a * b + b**3
            c += c + 1
            c += 1 + c + (-a)
            d += d * 2 + relu(b + a)
            d += 3 * d + relu(b - a)
            e = c - d
            f = e**2
            g = f / 2.0
            g += 10.0 / f
            return g

        return loss


class Neuron:
    """A weighted sum of scalars, rectified unless it is the last; takes its parameters from an iterator."""

    def __init__(self, params, inputs, relu):
        self.w = [next(params) for _ in range(inputs)]
        self.b = next(params)
        self.relu = relu

    def __call__(self, x):
        """From scalars to a scalar."""
        act = sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b)
        return self.relu(act) if self.relu else act


class Layer:
    """Several neurons on the same inputs."""

    def __init__(self, params, inputs, outputs, relu):
        self.neurons = [Neuron(params, inputs, relu) for _ in range(outputs)]

    def __call__(self, x):
        """From scalars to scalars."""
        return [neuron(x) for neuron in self.neurons]


class Moons(Gradients):
    """micrograd's demo: 2-16-16-1 on two moons, hinge loss and an L2 penalty."""

    absent: ClassVar = {
        "jax": "minutes a step",
        **dict.fromkeys(["jit", "torch_compile"], "minutes to compile"),
    }
    slow = ("torch", "autograd", "mygrad")
    sizes = (2, 16, 16, 1)
    penalty = 1e-4

    def make(self, rng):
        """A hundred points on two half circles; parameters neuron by neuron, weights before bias."""
        angle = rng.uniform(0.0, np.pi, 100)
        upper = np.arange(100) < 50
        x = np.where(upper, np.cos(angle), 1.0 - np.cos(angle)) + 0.1 * rng.normal(size=100)
        y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle)) + 0.1 * rng.normal(size=100)
        self.points = np.stack([x, y], axis=1).tolist()
        self.labels = np.where(upper, 1.0, -1.0).tolist()
        count = sum((m + 1) * n for m, n in zip(self.sizes, self.sizes[1:], strict=False))
        self.params = list(rng.uniform(-1.0, 1.0, count))

    def network(self, params, relu):
        """Build the layers from a flat list of parameters."""
        params = iter(params)
        last = len(self.sizes) - 2
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        return [Layer(params, m, n, None if k == last else relu) for k, (m, n) in enumerate(pairs)]

    def by_hand(self, *params):
        """Scalars as well, so that the ratio is the price of the tape and not of scalars."""
        layers, grads = self.network(params, bool), []
        for layer in layers:
            grads.append([[0.0] * (len(neuron.w) + 1) for neuron in layer.neurons])
        total = 0.0
        for x, label in zip(self.points, self.labels, strict=True):
            values = [x]
            for layer in layers:
                values.append(forward(layer, values[-1]))
            margin = 1.0 - label * values[-1][0]
            if margin > 0.0:
                total = total + margin
                g = [-label / len(self.labels)]
                for k in reversed(range(len(layers))):
                    g = backward(layers[k], grads[k], values[k], values[k + 1], g)
        flat = [g for layer in grads for neuron in layer for g in neuron]
        loss = total / len(self.labels) + self.penalty * sum(p * p for p in params)
        return loss, *[g + 2.0 * self.penalty * p for g, p in zip(flat, params, strict=True)]

    def words(self, np):
        """With `np.maximum` as the rectifier."""
        return self.demo(lambda x: np.maximum(x, 0.0))

    def torch_words(self, torch):
        """With `torch.relu`."""
        return self.demo(torch.relu)

    def micrograd_words(self):
        """As in its notebook."""
        return self.demo(lambda x: x.relu())

    def demo(self, relu):
        """Scores of all the points, hinge loss, penalty."""

        def loss(*params):
            layers = self.network(params, relu)
            losses = []
            for x, label in zip(self.points, self.labels, strict=True):
                for layer in layers:
                    x = layer(x)
                losses.append(relu(1 + -label * x[0]))
            data_loss = sum(losses) * (1.0 / len(losses))
            return data_loss + self.penalty * sum(p * p for p in params)

        return loss


def forward(layer, x):
    """Outputs of a layer by hand."""
    out = []
    for neuron in layer.neurons:
        act = neuron.b
        for wi, xi in zip(neuron.w, x, strict=True):
            act = act + wi * xi
        out.append(act if act > 0.0 or not neuron.relu else 0.0)
    return out


def backward(layer, grads, x, out, g):
    """Add a layer's gradients for one point into `grads`; return the gradient of its inputs."""
    gx = [0.0] * len(x)
    for neuron, gw, o, gk in zip(layer.neurons, grads, out, g, strict=True):
        if neuron.relu and not o > 0.0:
            continue
        for i, xi in enumerate(x):
            gw[i] = gw[i] + gk * xi
            gx[i] = gx[i] + gk * neuron.w[i]
        gw[-1] = gw[-1] + gk
    return gx


ROWS = [
    Readme("readme", "micrograd's README expression, scalars"),
    Chain("chain-1e3", "scalar chain, 10^3 pairs of operations", 1_000),
    Chain("chain-1e4", "scalar chain, 10^4 pairs", 10_000),
    Chain("chain-1e5", "scalar chain, 10^5 pairs", 100_000),
    Moons("moons", "moons MLP 2-16-16-1, a node a scalar"),
]
