"""A loss and the gradients of its parameters: `step() -> (loss, gradient, gradient, ...)`.

The libraries are imported where they are used: a worker imports its own and no other.
"""

from benchmarks.styles import compiled as whole


def numpy(row):
    """Forward and backward written by hand."""
    return lambda: row.by_hand(*row.params, *row.data)


def ours(row, transform=lambda f: f):
    """Plain NumPy on Tensors, then `loss.backward()`."""
    import numpy as np

    import autograd_core as ag

    loss, params = row.words(np), [ag.Tensor(p) for p in row.params]

    def update(*data):
        for p in params:
            p.grad = None
        value = loss(*params, *data)
        value.backward()
        return value

    update = transform(update)
    return lambda: (update(*row.data), *[p.grad for p in params])


def compiled(row):
    """`ag.compile` of loss and `backward()`."""
    import autograd_core as ag

    return ours(row, ag.compile)


def torch(row, transform=lambda f: f):
    """Eager PyTorch."""
    import torch

    loss, params = transform(row.torch_words(torch)), [torch.tensor(p, requires_grad=True) for p in row.params]
    data = [torch.tensor(d) for d in row.data]

    def step():
        for p in params:
            p.grad = None
        value = loss(*params, *data)
        value.backward()
        return value, *[p.grad for p in params]

    return step


def torch_compile(row):
    """Compile the loss, and with it its backward pass."""
    return torch(row, whole.torch_compile)


def jax(row):
    """JAX without `jit`: operation by operation."""
    import jax

    loss, params, data = row.jax_words(jax.numpy), as_jax(row.params), as_jax(row.data)
    value_and_grad = jax.value_and_grad(lambda params, data: loss(*params, *data))

    def step():
        value, grads = jax.block_until_ready(value_and_grad(params, data))
        return value, *grads

    return step


def jit(row):
    """JAX compiled, the compilation not timed."""
    import jax

    loss, params, data = row.jit_words(jax.numpy), as_jax(row.params), as_jax(row.data)
    value_and_grad = jax.jit(jax.value_and_grad(lambda params, data: loss(*params, *data)))

    def step():
        value, grads = jax.block_until_ready(value_and_grad(params, data))
        return value, *grads

    return step


def autograd(row):
    """HIPS autograd."""
    import autograd

    loss = row.autograd_words(autograd.numpy)
    value_and_grad = autograd.value_and_grad(loss, tuple(range(len(row.params))))

    def step():
        value, grads = value_and_grad(*row.params, *row.data)
        return value, *grads

    return step


def mygrad(row):
    """MyGrad; a tensor used again drops its old gradient by itself."""
    import mygrad

    loss, params = row.mygrad_words(mygrad), [mygrad.tensor(p) for p in row.params]

    def step():
        value = loss(*params, *row.data)
        value.backward()
        return value, *[p.grad for p in params]

    return step


def micrograd(row):
    """One `Value` a scalar; only for rows that are written in scalars."""
    from micrograd.engine import Value

    loss, params = row.micrograd_words(), [Value(float(p)) for p in row.params]

    def step():
        for p in params:
            p.grad = 0
        value = loss(*params, *row.data)
        value.backward()
        return value, *[p.grad for p in params]

    return step


def as_jax(arrays):
    """Return the arrays on JAX's device, once and for all."""
    import jax

    return [jax.numpy.asarray(a) for a in arrays]
