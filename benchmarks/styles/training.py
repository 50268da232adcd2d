"""A training step out of each library's layers, loss and optimizer: `step() -> (loss, parameter, parameter, ...)`.

The row has the models, `ours()` and `torch(torch)`, both with parameters in the order and the shapes of `row.params`,
and names the optimizer. Where a library has neither layers nor optimizers, the update is the one by hand.
"""

import itertools

from benchmarks.styles import compiled as whole


def numpy(row):
    """Gradients by hand, and an update of each parameter by hand."""
    params = [p.copy() for p in row.params]
    update = by_hand(row, params)

    def step():
        loss, *grads = row.by_hand(*params, *row.data)
        update(grads)
        return loss, *params

    return step


def ours(row):
    """`nn`, from layers to the optimizer."""
    import nn

    model, loss = row.ours(nn)
    params = list(model.parameters())
    for p, value in zip(params, row.params, strict=True):
        p.assign(value)
    optimizer = getattr(nn, row.optimizer)(params, lr=row.rate)

    def step():
        optimizer.zero_grad()
        value = loss(model, *row.data)
        value.backward()
        optimizer.step()
        return value, *[p.data for p in params]

    return step


def torch(row, transform=lambda f: f):
    """`torch.nn` and `torch.optim`, as it chooses between its loops over parameters."""
    import torch

    model, loss = row.torch(torch)
    params, data = list(model.parameters()), [torch.tensor(d) for d in row.data]
    with torch.no_grad():
        for p, value in zip(params, row.params, strict=True):
            p.copy_(torch.tensor(value))
    optimizer = getattr(torch.optim, row.optimizer)(params, lr=row.rate)
    forward, update = transform(lambda *data: loss(model, *data)), transform(lambda: optimizer.step())

    def step():
        optimizer.zero_grad()
        value = forward(*data)
        value.backward()
        update()
        return value, *params

    return step


def torch_compile(row):
    """Compile model and loss, and with them their backward pass; and the optimizer's step, which by trial is worth it."""
    return torch(row, whole.torch_compile)


def autograd(row):
    """Gradients by HIPS autograd, the update by hand."""
    import autograd

    params = [p.copy() for p in row.params]
    update = by_hand(row, params)
    value_and_grad = autograd.value_and_grad(row.autograd_words(autograd.numpy), tuple(range(len(params))))

    def step():
        value, grads = value_and_grad(*params, *row.data)
        update(grads)
        return value, *params

    return step


def mygrad(row):
    """`loss.backward()`, and the update by hand."""
    import mygrad

    loss, params = row.mygrad_words(mygrad), [mygrad.tensor(p) for p in row.params]
    update = by_hand(row, [p.data for p in params])

    def step():
        value = loss(*params, *row.data)
        value.backward()
        update([p.grad for p in params])
        return value, *params

    return step


def by_hand(row, params):
    """Return the update of each parameter as a careful person writes it, which changes `params` in place."""
    import numpy as np

    if row.optimizer == "SGD":

        def update(grads):
            for p, g in zip(params, grads, strict=True):
                p -= row.rate * g

        return update

    means, squares = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    count, b1, b2 = itertools.count(1), 0.9, 0.999

    def update(grads):
        t = next(count)
        for p, g, m, v in zip(params, grads, means, squares, strict=True):
            m[...] = b1 * m + (1 - b1) * g
            v[...] = b2 * v + (1 - b2) * g * g
            p -= row.rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + 1e-8)

    return update


compiled = whole.training_compiled
jax = whole.training_jax
jit = whole.training_jit
out = whole.training_out
