"""Whole training steps: layers, loss, backward pass and optimizer, at the sizes people train on a CPU."""

import numpy as np

from benchmarks.rows.base import Row
from benchmarks.styles import training


class Training(Row):
    """Loss and the parameters after a step; weights are (out, in)."""

    style = training
    dtype = np.float32
    rate = 1e-3

    @property
    def tolerance(self):
        """Adam divides gradients by their size: entries that are nearly 0 have few digits in float32.

        In float64 it is PyTorch's, compiled, that has few: it counts its steps in float32, and is 3e-8 off.
        """
        if self.dtype == np.float32:
            return 1e-3
        return 1e-6 if self.optimizer == "Adam" else 1e-8

    def jax_words(self, np):
        """The same, with its own word for a constant."""
        from jax import lax

        return self.words(np, lax.stop_gradient)

    def autograd_words(self, np):
        """The same, with its own word for a constant."""
        from autograd.tracer import getval

        return self.words(np, getval)


def cross_entropy(np, z, labels, detach):
    """Mean of the labels' negative logarithms of softmax; the shift that keeps `exp` finite is a constant."""
    z = z - np.max(detach(z), axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(len(labels)), labels])


class Mlp(Training):
    """Dense layers; mean squared error, or cross-entropy of labels."""

    def __init__(self, name, title, sizes, batch, activation, optimizer, dtype=np.float32, loss="cross_entropy"):
        super().__init__(name, title)
        self.sizes, self.batch, self.activation, self.optimizer = sizes, batch, activation, optimizer
        self.dtype, self.loss = dtype, loss

    def make(self, rng):
        """He's initial weights and small biases, so that no rectifier sits exactly on its corner."""
        self.params = []
        for m, n in zip(self.sizes, self.sizes[1:], strict=False):
            weight, bias = rng.normal(size=(n, m)) * np.sqrt(2 / m), 0.1 * rng.normal(size=n)
            self.params += [weight.astype(self.dtype), bias.astype(self.dtype)]
        X = rng.uniform(size=(self.batch, self.sizes[0])).astype(self.dtype)
        n = self.sizes[-1]
        labels = rng.integers(0, n, self.batch)
        target = rng.normal(size=(self.batch, n)).astype(self.dtype) if self.loss == "mse" else labels
        self.data = [X, target]

    def by_hand(self, *params):
        """Textbook backpropagation."""
        *params, X, target = params
        pairs = list(zip(params[::2], params[1::2], strict=True))
        hidden = [X]
        for W, b in pairs[:-1]:
            z = hidden[-1] @ W.T + b
            hidden.append(np.tanh(z) if self.activation == "tanh" else np.maximum(z, 0))
        W, b = pairs[-1]
        z = hidden[-1] @ W.T + b
        if self.loss == "mse":
            error = z - target
            loss, g = np.mean(error**2), error * z.dtype.type(2 / error.size)
        else:
            rows = np.arange(len(z))
            z = z - np.max(z, axis=1, keepdims=True)
            e = np.exp(z)
            total = np.sum(e, axis=1)
            loss, g = np.mean(np.log(total) - z[rows, target]), e / total[:, None]
            g[rows, target] -= 1
            g /= len(target)
        grads = []
        for (W, _), h in zip(reversed(pairs), reversed(hidden), strict=True):
            grads += [g.sum(axis=0), g.T @ h]
            if h is not X:
                g = g @ W
                g = g * (1 - h * h) if self.activation == "tanh" else g * (h > 0)
        return loss, *reversed(grads)

    def words(self, np, detach=lambda z: z.data):
        """Plain NumPy."""

        def loss(*params):
            *params, h, target = params
            pairs = list(zip(params[::2], params[1::2], strict=True))
            for k, (W, b) in enumerate(pairs):
                z = h @ W.T + b
                if k < len(pairs) - 1:
                    h = np.tanh(z) if self.activation == "tanh" else np.maximum(z, 0)
            if self.loss == "mse":
                return np.mean((z - target) ** 2)
            return cross_entropy(np, z, target, detach)

        return loss

    def ours(self, nn):
        """`nn.MLP`."""
        loss = getattr(nn, self.loss)
        model = nn.MLP(self.sizes, self.activation, rng=0, dtype=self.dtype)
        return model, lambda model, X, target: loss(model(X), target)

    def torch(self, torch):
        """`torch.nn.Sequential`."""
        from torch import nn

        activation = {"tanh": nn.Tanh, "relu": nn.ReLU}[self.activation]
        sizes = zip(self.sizes, self.sizes[1:], strict=False)
        layers = [part for m, n in sizes for part in (nn.Linear(m, n), activation())]
        loss = {"mse": nn.functional.mse_loss, "cross_entropy": nn.functional.cross_entropy}[self.loss]
        dtype = {np.float32: torch.float32, np.float64: torch.float64}[self.dtype]
        return nn.Sequential(*layers[:-1]).to(dtype), lambda model, X, target: loss(model(X), target)


class Xor(Mlp):
    """The four points."""

    def make(self, rng):
        """As float64, which is what NumPy gives."""
        super().make(rng)
        X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        self.data = [X, np.array([[0.0], [1.0], [1.0], [0.0]])]


class Convolution(Training):
    """A convolution 5x5 from 1 to 8 channels over 64 images of 28x28, relu, pooling, a dense layer, cross-entropy."""

    optimizer = "SGD"
    rate = 0.01

    def make(self, rng):
        """Scaled to be of size 1 everywhere."""
        shapes = [((8, 1, 5, 5), 0.2), ((8,), 0.1), ((10, 8 * 12 * 12), 0.03), ((10,), 0.1)]
        self.params = [(scale * rng.normal(size=shape)).astype(np.float32) for shape, scale in shapes]
        self.data = [rng.normal(size=(64, 1, 28, 28)).astype(np.float32), rng.integers(0, 10, 64)]

    @staticmethod
    def by_hand(K, c, W, b, X, labels):
        """One product over all windows; pooling by a view of the four entries of each square."""
        rows, n = np.arange(len(X)), len(X)
        view = np.lib.stride_tricks.sliding_window_view(X[:, 0], (5, 5), axis=(1, 2))  # (n, 24, 24, 5, 5)
        columns = view.reshape(-1, 25)
        z = columns @ K.reshape(8, 25).T + c
        h = np.maximum(z, 0).reshape(n, 12, 2, 12, 2, 8).transpose(0, 5, 1, 3, 2, 4).reshape(n, 8, 12, 12, 4)
        best = h.argmax(axis=-1)[..., None]
        flat = np.take_along_axis(h, best, axis=-1).reshape(n, -1)
        out = flat @ W.T + b
        out = out - np.max(out, axis=1, keepdims=True)
        e = np.exp(out)
        total = np.sum(e, axis=1)
        loss = np.mean(np.log(total) - out[rows, labels])

        g = e / total[:, None]
        g[rows, labels] -= 1
        g /= n
        back = np.zeros_like(h)
        np.put_along_axis(back, best, (g @ W).reshape(n, 8, 12, 12, 1), axis=-1)
        back = back.reshape(n, 8, 12, 12, 2, 2).transpose(0, 2, 4, 3, 5, 1).reshape(-1, 8) * (z > 0)
        return loss, (back.T @ columns).reshape(8, 1, 5, 5), back.sum(axis=0), g.T @ flat, g.sum(axis=0)

    def words(self, np, detach):
        """One product over all windows, as by hand."""
        from numpy.lib.stride_tricks import sliding_window_view

        def loss(K, c, W, b, X, labels):
            columns = sliding_window_view(X[:, 0], (5, 5), axis=(1, 2)).reshape(-1, 25)
            z = np.maximum(columns @ K.reshape(8, 25).T + c, 0)
            squares = np.reshape(z, (len(X), 12, 2, 12, 2, 8))
            h = np.transpose(squares, (0, 5, 1, 3, 2, 4)).reshape((len(X), -1, 4))
            return cross_entropy(np, np.max(h, axis=-1) @ W.T + b, labels, detach)

        return loss

    def jax_words(self, np):
        """With `lax`'s convolution and window."""
        from jax import lax

        def loss(K, c, W, b, X, labels):
            h = np.maximum(lax.conv_general_dilated(X, K, (1, 1), "VALID") + c[:, None, None], 0)
            h = lax.reduce_window(h, -np.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
            return cross_entropy(np, h.reshape(len(X), -1) @ W.T + b, labels, lax.stop_gradient)

        return loss

    def mygrad_words(self, np):
        """With its own layers."""
        from mygrad.nnet.layers import conv_nd, max_pool

        def loss(K, c, W, b, X, labels):
            h = np.maximum(conv_nd(X, K, stride=1) + c.reshape(8, 1, 1), 0)
            h = max_pool(h, pool=(2, 2), stride=2)
            return cross_entropy(np, h.reshape(len(X), -1) @ W.T + b, labels, lambda z: z.data)

        return loss

    @staticmethod
    def ours(nn):
        """Layers of `nn`."""
        layers = nn.Conv2d(1, 8, 5, rng=0, dtype=np.float32), nn.relu, nn.MaxPool2d(2), nn.Flatten()
        model = nn.Sequential(*layers, nn.Linear(8 * 12 * 12, 10, rng=0, dtype=np.float32))
        return model, lambda model, X, labels: nn.cross_entropy(model(X), labels)

    @staticmethod
    def torch(torch):
        """Layers of `torch.nn`."""
        from torch import nn

        model = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 12 * 12, 10))
        return model, lambda model, X, labels: nn.functional.cross_entropy(model(X), labels)


class Recurrent(Training):
    """A tanh layer over a hundred steps, the mean square of its last state."""

    optimizer = "SGD"
    rate = 0.1
    steps, batch, inputs, hidden = 100, 32, 32, 64

    def __init__(self, name, title, cells):
        super().__init__(name, title)
        self.cells = cells

    def make(self, rng):
        """A recurrent matrix without scale, so that gradients arrive at the first step."""
        recurrent, _ = np.linalg.qr(rng.normal(size=(self.hidden, self.hidden)))
        W, b = rng.normal(size=(self.hidden, self.inputs)) / 20, 0.1 * rng.normal(size=self.hidden)
        self.params = [p.astype(np.float32) for p in (W, recurrent, b, np.zeros(self.hidden))]
        self.data = [rng.normal(size=(self.steps, self.batch, self.inputs)).astype(np.float32)]

    def by_hand(self, W, U, b, c, X):
        """Backpropagation through time."""
        h = np.zeros((self.batch, self.hidden), np.float32)
        states = [h]
        for x in X:
            h = np.tanh(x @ W.T + h @ U.T + b + c)
            states.append(h)
        loss = np.mean(h**2)
        gW, gU, gb = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
        g = h * np.float32(2 / h.size)
        for t in reversed(range(len(X))):
            gz = g * (1 - states[t + 1] ** 2)
            gW += gz.T @ X[t]
            gU += gz.T @ states[t]
            gb += gz.sum(axis=0)
            g = gz @ U
        return loss, gW, gU, gb, gb

    def words(self, np, detach=None):
        """A loop over time."""

        def loss(W, U, b, c, X):
            h = np.tanh(X[0] @ W.T + b + c)
            for x in X[1:]:
                h = np.tanh(x @ W.T + h @ U.T + b + c)
            return np.mean(h**2)

        return loss

    def jit_words(self, np):
        """A compiled loop."""
        from jax import lax

        def loss(W, U, b, c, X):
            h = np.zeros((self.batch, self.hidden), X.dtype)
            h, _ = lax.scan(lambda h, x: (np.tanh(x @ W.T + h @ U.T + b + c), None), h, X)
            return np.mean(h**2)

        return loss

    def ours(self, nn):
        """`nn.RNN`."""
        model = nn.RNN(self.inputs, self.hidden, rng=0, dtype=np.float32)
        return model, lambda model, X: np.mean(model(X)[1] ** 2)

    def torch(self, torch):
        """`torch.nn.RNNCell` in a loop, which one can look into, or `torch.nn.RNN`."""
        if not self.cells:
            return torch.nn.RNN(self.inputs, self.hidden), lambda model, X: torch.mean(model(X)[1] ** 2)

        def loss(cell, X):
            h = X.new_zeros(self.batch, self.hidden)
            for x in X:
                h = cell(x, h)
            return torch.mean(h**2)

        return torch.nn.RNNCell(self.inputs, self.hidden), loss


class Embedding(Training):
    """Rows of a table of 10,000 x 64 for 4096 words, with repeats, a dense layer, mean squared error."""

    optimizer = "SGD"
    rate = 0.01

    def make(self, rng):
        """Random words, hence repeated ones."""
        table, W, b = rng.normal(size=(10_000, 64)), rng.normal(size=(1, 64)) / 8, np.zeros(1)
        self.params = [p.astype(np.float32) for p in (table, W, b)]
        self.data = [rng.integers(0, 10_000, 4096), rng.normal(size=(4096, 1)).astype(np.float32)]

    @staticmethod
    def by_hand(table, W, b, words, y):
        """`np.add.at` adds up the repeats."""
        x = table[words]
        error = x @ W.T + b - y
        g = error * np.float32(2 / error.size)
        back = np.zeros_like(table)
        np.add.at(back, words, g @ W)
        return np.mean(error**2), back, g.T @ x, g.sum(axis=0)

    def words(self, np, detach=None):
        """Advanced indexing."""
        return lambda table, W, b, words, y: np.mean((table[words] @ W.T + b - y) ** 2)

    @staticmethod
    def ours(nn):
        """Layers of `nn`."""
        model = nn.Sequential(
            nn.Embedding(10_000, 64, rng=0, dtype=np.float32), nn.Linear(64, 1, rng=0, dtype=np.float32)
        )
        return model, lambda model, words, y: nn.mse(model(words), y)

    @staticmethod
    def torch(torch):
        """Layers of `torch.nn`."""
        model = torch.nn.Sequential(torch.nn.Embedding(10_000, 64), torch.nn.Linear(64, 1))
        return model, lambda model, words, y: torch.nn.functional.mse_loss(model(words), y)


XOR, SMALL, MNIST, WIDE = (2, 16, 1), (32, 64, 64, 10), (784, 512, 256, 10), (1024, 4096, 1024)

ROWS = [
    Xor("train-xor-sgd", "XOR 2-16-1, training step, SGD", XOR, 4, "tanh", "SGD", np.float64, "mse"),
    Xor("train-xor-adam", "XOR 2-16-1, training step, Adam", XOR, 4, "tanh", "Adam", np.float64, "mse"),
    Mlp("train-small", "32-64-64-10, batch 64, training step, Adam", SMALL, 64, "tanh", "Adam"),
    Mlp("train-mnist", "784-512-256-10, batch 128, training step, Adam", MNIST, 128, "relu", "Adam"),
    Mlp("train-wide", "1024-4096-1024, batch 1024, training step, SGD", WIDE, 1024, "relu", "SGD", loss="mse"),
    Convolution("train-conv", "convolution 5x5, 1 to 8, on 64x28x28, pooling, dense, training step"),
    Recurrent("train-rnn", "tanh RNN, 100 steps, batch 32, hidden 64; PyTorch: RNN", cells=False),
    Recurrent("train-rnn-cells", "the same; PyTorch: a loop of RNNCell", cells=True),
    Embedding("train-embedding", "embedding, 4096 of 10,000 x 64, dense, training step"),
]
