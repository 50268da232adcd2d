"""One step of gradient descent, written out: `step() -> (loss, parameter, parameter, ...)`, parameters updated."""

from benchmarks.styles import compiled as whole
from benchmarks.styles.gradients import as_jax


def numpy(row):
    """Gradients by hand, parameters updated in place."""
    params = [p.copy() for p in row.params]

    def step():
        loss, *grads = row.by_hand(*params, *row.data)
        for p, g in zip(params, grads, strict=True):
            p -= row.rate * g
        return loss, *params

    return step


def ours(row, transform=lambda f: f):
    """`loss.backward()`, then `p.data -= rate * p.grad`."""
    import numpy as np

    import autograd_core as ag

    loss, params = row.words(np), [ag.Tensor(p) for p in row.params]

    def update(*data):
        for p in params:
            p.grad = None
        value = loss(*params, *data)
        value.backward()
        for p in params:
            p.data -= row.rate * p.grad
        return value

    update = transform(update)
    return lambda: (update(*row.data), *[p.data for p in params])


def compiled(row):
    """`ag.compile` of the whole step."""
    import autograd_core as ag

    return ours(row, ag.compile)


def torch(row, transform=lambda f: f):
    """`loss.backward()`, then the update under `no_grad`, as its tutorials write it."""
    import torch

    loss, params = transform(row.torch_words(torch)), [torch.tensor(p, requires_grad=True) for p in row.params]
    data = [torch.tensor(d) for d in row.data]

    def step():
        for p in params:
            p.grad = None
        value = loss(*params, *data)
        value.backward()
        with torch.no_grad():
            for p in params:
                p -= row.rate * p.grad
        return value, *params

    return step


def torch_compile(row):
    """Compile the loss, and with it its backward pass."""
    return torch(row, whole.torch_compile)


def jax(row, transform=lambda f: f):
    """New parameters from old."""
    import jax

    loss, params, data = row.jax_words(jax.numpy), as_jax(row.params), as_jax(row.data)
    value_and_grad = jax.value_and_grad(lambda params, data: loss(*params, *data))

    def update(params, data):
        value, grads = value_and_grad(params, data)
        return value, [p - row.rate * g for p, g in zip(params, grads, strict=True)]

    update = transform(update)

    def step():
        nonlocal params
        value, params = jax.block_until_ready(update(params, data))
        return value, *params

    return step


def jit(row):
    """Compile the whole step."""
    import jax as library

    return jax(row, library.jit)


def autograd(row):
    """Gradients by HIPS autograd, parameters updated in place."""
    import autograd

    params = [p.copy() for p in row.params]
    value_and_grad = autograd.value_and_grad(row.autograd_words(autograd.numpy), tuple(range(len(params))))

    def step():
        value, grads = value_and_grad(*params, *row.data)
        for p, g in zip(params, grads, strict=True):
            p -= row.rate * g
        return value, *params

    return step


def mygrad(row):
    """`loss.backward()`, then `p.data -= rate * p.grad`."""
    import mygrad

    loss, params = row.mygrad_words(mygrad), [mygrad.tensor(p) for p in row.params]

    def step():
        value = loss(*params, *row.data)
        value.backward()
        for p in params:
            p.data -= row.rate * p.grad
        return value, *params

    return step
