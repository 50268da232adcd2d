"""Networks of dense layers: XOR, a small classifier, one of MNIST's size."""

import numpy as np

from benchmarks.rows.base import Descent, Gradients
from benchmarks.styles import layers, modules


class Xor(Gradients):
    """2-16-1 with tanh and mean squared error, on the four points."""

    def make(self, rng):
        """Float64, as NumPy gives it."""
        X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        y = np.array([[0.0], [1.0], [1.0], [0.0]])
        self.params = [rng.normal(size=(2, 16)), np.zeros(16), rng.normal(size=(16, 1)) / 4, np.zeros(1)]
        self.data = [X, y]

    @staticmethod
    def by_hand(W1, b1, W2, b2, X, y):
        """Textbook backpropagation."""
        h = np.tanh(X @ W1 + b1)
        error = h @ W2 + b2 - y
        loss = np.mean(error**2)
        g = error * (2.0 / error.size)
        gz = (g @ W2.T) * (1.0 - h * h)
        return loss, X.T @ gz, gz.sum(axis=0), h.T @ g, g.sum(axis=0)

    def words(self, np):
        """Two lines of NumPy."""

        def loss(W1, b1, W2, b2, X, y):
            h = np.tanh(X @ W1 + b1)
            return np.mean((h @ W2 + b2 - y) ** 2)

        return loss

    def torch_words(self, torch):
        """With `addmm`, which is what its `Linear` calls."""

        def loss(W1, b1, W2, b2, X, y):
            h = torch.tanh(torch.addmm(b1, X, W1))
            return torch.nn.functional.mse_loss(torch.addmm(b2, h, W2), y)

        return loss


class XorStep(Xor, Descent):
    """The same, and the update."""


class XorModules(Xor):
    """The same, out of each library's layers and loss."""

    style = modules
    sizes = (2, 16, 1)
    activation = "tanh"
    loss = "mse"


class XorLayers(XorStep):
    """The same, out of each library's layers, loss and optimizer."""

    style = layers
    sizes = (2, 16, 1)
    activation = "tanh"


ACTIVATIONS = {  # value, and its pullback from its output
    "tanh": (np.tanh, lambda g, h: g * (1 - h * h)),
    "relu": (lambda z: np.maximum(z, 0), lambda g, h: g * (h > 0)),
}


class Classifier(Gradients):
    """Two hidden layers and softmax cross-entropy, float32; the log-sum-exp written out where there is none to call."""

    dtype = np.float32

    def __init__(self, name, title, sizes, batch, activation):
        super().__init__(name, title)
        self.sizes = sizes
        self.batch = batch
        self.activation = activation

    def make(self, rng):
        """He's initial weights and small biases, so that no rectifier sits exactly on its corner."""
        self.params = []
        for m, n in zip(self.sizes, self.sizes[1:], strict=False):
            weight, bias = rng.normal(size=(m, n)) * np.sqrt(2 / m), 0.1 * rng.normal(size=n)
            self.params += [weight.astype(np.float32), bias.astype(np.float32)]
        X = rng.uniform(size=(self.batch, self.sizes[0])).astype(np.float32)
        self.data = [X, np.arange(self.batch), rng.integers(0, self.sizes[-1], self.batch)]

    def by_hand(self, W1, b1, W2, b2, W3, b3, X, rows, labels):
        """Textbook backpropagation; softmax minus one at the label."""
        act, pull = ACTIVATIONS[self.activation]
        h1 = act(X @ W1 + b1)
        h2 = act(h1 @ W2 + b2)
        z = h2 @ W3 + b3
        z = z - np.max(z, axis=1, keepdims=True)
        e = np.exp(z)
        total = np.sum(e, axis=1)
        loss = np.mean(np.log(total) - z[rows, labels])

        g3 = e / total[:, None]
        g3[rows, labels] -= 1
        g3 /= len(labels)
        g2 = pull(g3 @ W3.T, h2)
        g1 = pull(g2 @ W2.T, h1)
        return loss, X.T @ g1, g1.sum(axis=0), h1.T @ g2, g2.sum(axis=0), h2.T @ g3, g3.sum(axis=0)

    def words(self, np, detach=lambda z: z.data):
        """Plain NumPy; the shift that keeps `exp` finite is a constant."""
        act = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}[self.activation]

        def loss(W1, b1, W2, b2, W3, b3, X, rows, labels):
            h = act(X @ W1 + b1)
            h = act(h @ W2 + b2)
            z = h @ W3 + b3
            z = z - np.max(detach(z), axis=1, keepdims=True)
            return np.mean(np.log(np.sum(np.exp(z), axis=1)) - z[rows, labels])

        return loss

    def jax_words(self, np):
        """The same, with its own word for a constant."""
        from jax import lax

        return self.words(np, lax.stop_gradient)

    def autograd_words(self, np):
        """The same, with its own word for a constant."""
        from autograd.tracer import getval

        return self.words(np, getval)

    def torch_words(self, torch):
        """With `addmm` and `cross_entropy`."""
        act = {"tanh": torch.tanh, "relu": torch.relu}[self.activation]

        def loss(W1, b1, W2, b2, W3, b3, X, _rows, labels):
            h = act(torch.addmm(b1, X, W1))
            h = act(torch.addmm(b2, h, W2))
            return torch.nn.functional.cross_entropy(torch.addmm(b3, h, W3), labels)

        return loss


class ClassifierModules(Classifier):
    """The same, out of each library's layers and loss."""

    style = modules
    loss = "cross_entropy"


MNIST = Classifier("mnist", "784-512-256-10, batch 128, relu", (784, 512, 256, 10), 128, "relu")

ROWS = [
    Xor("xor", "XOR 2-16-1, loss and gradients"),
    XorStep("xor-step", "XOR 2-16-1, SGD step written out"),
    XorModules("xor-nn", "XOR 2-16-1, loss and gradients with nn's layers"),
    XorLayers("xor-nn-step", "XOR 2-16-1, SGD step with nn's layers"),
    Classifier("small-tanh", "32-64-64-10, batch 64, tanh", (32, 64, 64, 10), 64, "tanh"),
    Classifier("small-relu", "32-64-64-10, batch 64, relu", (32, 64, 64, 10), 64, "relu"),
    ClassifierModules("small-nn", "32-64-64-10, batch 64, tanh, nn's layers", (32, 64, 64, 10), 64, "tanh"),
    MNIST,
    ClassifierModules("mnist-nn", "784-512-256-10, batch 128, relu, nn's layers", (784, 512, 256, 10), 128, "relu"),
]
