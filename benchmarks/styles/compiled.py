"""Steps compiled as wholes: `ag.compile`, `jax.jit`, `torch.compile`; and by hand with buffers made beforehand, `out=`."""

import itertools

BLOCK = 1 << 15


def torch_compile(f):
    """`torch.compile`, for the shapes at hand, of a function with code of its own.

    Its compilations belong to the code object: rows that share one would make it fall back to shapes of any size, and
    after eight of them to no compilation at all.
    """
    import types

    import torch

    own = types.FunctionType(f.__code__.replace(), f.__globals__, f.__name__, f.__defaults__, f.__closure__)
    return torch.compile(own, dynamic=False)


# --- training steps ---------------------------------------------------------------------------------------------------


def training_compiled(row):
    """`nn`, from layers to the optimizer, replayed."""
    import autograd_core as ag
    import nn

    model, loss = row.ours(nn)
    params = list(model.parameters())
    for p, value in zip(params, row.params, strict=True):
        p.assign(value)
    optimizer = getattr(nn, row.optimizer)(params, lr=row.rate)

    @ag.compile
    def update(*data):
        optimizer.zero_grad()
        value = loss(model, *data)
        value.backward()
        optimizer.step()
        return value

    arrays = [p.data for p in params]  # updated in place
    return lambda: (update(*row.data), *arrays)


def training_jax(row, transform=lambda f: f, words="jax_words"):
    """One function of parameters and state; the update by hand."""
    import jax

    from benchmarks.styles.gradients import as_jax

    loss, data = getattr(row, words)(jax.numpy), as_jax(row.data)
    state = as_jax(row.params), [0.0 * p for p in as_jax(row.params)], [0.0 * p for p in as_jax(row.params)], 1.0
    value_and_grad, rate, b1, b2 = jax.value_and_grad(lambda params, data: loss(*params, *data)), row.rate, 0.9, 0.999

    def update(state, data):
        params, means, squares, t = state
        value, grads = value_and_grad(params, data)
        if row.optimizer == "SGD":
            return value, ([p - rate * g for p, g in zip(params, grads, strict=True)], means, squares, t)
        means = [b1 * m + (1 - b1) * g for m, g in zip(means, grads, strict=True)]
        squares = [b2 * v + (1 - b2) * g * g for v, g in zip(squares, grads, strict=True)]
        root = jax.numpy.sqrt(1 - b2**t)
        factor = (rate * root / (1 - b1**t)).astype(params[0].dtype)
        eps = (1e-8 * root).astype(params[0].dtype)
        params = [p - factor * m / (jax.numpy.sqrt(v) + eps) for p, m, v in zip(params, means, squares, strict=True)]
        return value, (params, means, squares, t + 1.0)

    update = transform(update)

    def step():
        nonlocal state
        value, state = jax.block_until_ready(update(state, data))
        return value, *state[0]

    return step


def training_jit(row):
    """Compile the same."""
    import jax

    return training_jax(row, jax.jit, "jit_words")


def training_out(row):
    """As fast as NumPy goes: every array made beforehand, parameters and gradients in flat buffers, Adam in blocks."""
    import numpy as np

    flat = np.concatenate([p.ravel() for p in row.params])
    grad, ends = np.zeros_like(flat), np.cumsum([0, *(p.size for p in row.params)])
    views = [
        [a[i:j].reshape(p.shape) for i, j, p in zip(ends, ends[1:], row.params, strict=False)] for a in (flat, grad)
    ]
    params, grads = views
    X, target = row.data
    n, layers = len(X), len(params) // 2
    hidden = [X] + [np.empty((n, m), flat.dtype) for m in row.sizes[1:]]
    back = [np.empty_like(h) for h in hidden[1:]]
    room = [np.empty_like(h) for h in hidden[1:]]
    masks = [np.empty(h.shape, bool) for h in hidden[1:]]
    ones, rows, column = np.ones(n, flat.dtype), np.arange(n), np.empty((n, 1), flat.dtype)
    update = adam_out(row.rate, flat, grad) if row.optimizer == "Adam" else sgd_out(row.rate, flat, grad)

    def step():
        for k in range(layers):
            z = hidden[k + 1]
            hidden[k].dot(params[2 * k].T, z)
            np.add(z, params[2 * k + 1], z)
            if k < layers - 1:
                np.tanh(z, z) if row.activation == "tanh" else np.maximum(z, 0, out=z)
        z, g = hidden[-1], back[-1]
        if row.loss == "mse":
            np.subtract(z, target, g)
            flat_g = g.reshape(-1)
            loss = flat_g.dot(flat_g) / g.size
            np.multiply(g, g.dtype.type(2 / g.size), g)
        else:
            np.maximum.reduce(z, axis=1, keepdims=True, out=column)
            np.subtract(z, column, z)
            np.exp(z, g)
            np.add.reduce(g, axis=1, keepdims=True, out=column)
            loss = (np.add.reduce(np.log(column[:, 0])) - np.add.reduce(z[rows, target])) / n
            np.divide(g, column, g)
            g[rows, target] -= 1
            np.multiply(g, g.dtype.type(1 / n), g)
        for k in reversed(range(layers)):
            g = back[k]
            g.T.dot(hidden[k], grads[2 * k])
            ones.dot(g, grads[2 * k + 1])
            if k:
                below, h, r = back[k - 1], hidden[k], room[k - 1]
                g.dot(params[2 * k], below)
                if row.activation == "tanh":
                    np.multiply(h, h, r)
                    np.subtract(1, r, r)
                    np.multiply(below, r, below)
                else:
                    np.greater(h, 0, masks[k - 1])
                    np.multiply(below, masks[k - 1], below)
        update()
        return loss, *params

    return step


def sgd_out(rate, p, g):
    """Return the update of a flat buffer."""
    import numpy as np

    room, rate = np.empty_like(p), np.array(rate, p.dtype)

    def update():
        np.multiply(g, rate, room)
        np.subtract(p, room, p)

    return update


def adam_out(rate, p, g):
    """Return the update of a flat buffer, in blocks."""
    import math

    import numpy as np

    m, v, count = np.zeros_like(p), np.zeros_like(p), itertools.count(1)
    b1, c1, b2, c2 = (np.array(x, p.dtype) for x in (0.9, 1 - 0.9, 0.999, 1 - 0.999))
    room, other = np.empty(min(BLOCK, p.size), p.dtype), np.empty(min(BLOCK, p.size), p.dtype)
    blocks = [
        tuple(x[a : a + BLOCK] for x in (p, g, m, v)) + tuple(r[: min(BLOCK, p.size - a)] for r in (room, other))
        for a in range(0, p.size, BLOCK)
    ]
    eps, factor = np.zeros((), p.dtype), np.zeros((), p.dtype)

    def update():
        t = next(count)
        root = math.sqrt(1 - 0.999**t)
        eps[()], factor[()] = 1e-8 * root, rate * root / (1 - 0.9**t)
        for p, g, m, v, r, s in blocks:
            np.multiply(m, b1, m)
            np.multiply(g, c1, r)
            np.add(m, r, m)
            np.multiply(g, g, r)
            np.multiply(r, c2, r)
            np.multiply(v, b2, v)
            np.add(v, r, v)
            np.sqrt(v, r)
            np.add(r, eps, r)
            np.divide(m, r, s)
            np.multiply(s, factor, s)
            np.subtract(p, s, p)

    return update


# --- second order -----------------------------------------------------------------------------------------------------


def second_order_compiled(row):
    """`ag.compile(ag.hvp(f))` and so on."""
    import numpy as np

    import autograd_core as ag

    f = row.words(np)
    transform = ag.compile(lambda at, data: getattr(ag, row.kind)(lambda x: f(x, *data))(*at))
    return lambda: (transform(row.at, row.data),)
