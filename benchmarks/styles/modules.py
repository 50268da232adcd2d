"""Loss and gradients out of the library's own layers and loss: `step() -> (loss, gradient, gradient, ...)`."""

from benchmarks.styles import compiled as whole
from benchmarks.styles.gradients import numpy

__all__ = ["compiled", "numpy", "ours", "torch", "torch_compile"]


def ours(row, transform=lambda f: f):
    """`nn.MLP` and the loss that the row names; weights are (out, in)."""
    import nn

    model = nn.MLP(row.sizes, activation=row.activation, rng=0, dtype=row.dtype)
    loss, params, X, target = getattr(nn, row.loss), list(model.parameters()), row.data[0], row.data[-1]
    for p, value in zip(params, row.params, strict=True):
        p.assign(value.T)

    def update(X, target):
        for p in params:
            p.grad = None
        value = loss(model(X), target)
        value.backward()
        return value

    update = transform(update)
    return lambda: (update(X, target), *[p.grad.T for p in params])


def compiled(row):
    """`ag.compile` of loss and `backward()`."""
    import autograd_core as ag

    return ours(row, ag.compile)


def torch(row, transform=lambda f: f):
    """`torch.nn.Sequential` and the loss that the row names."""
    import torch
    from torch import nn

    activation = {"tanh": nn.Tanh, "relu": nn.ReLU}[row.activation]
    layers = [part for m, n in zip(row.sizes, row.sizes[1:], strict=False) for part in (nn.Linear(m, n), activation())]
    X, target = torch.tensor(row.data[0]), torch.tensor(row.data[-1])
    model = nn.Sequential(*layers[:-1]).to(X.dtype)
    params = list(model.parameters())
    with torch.no_grad():
        for p, value in zip(params, row.params, strict=True):
            p.copy_(torch.tensor(value).T if value.ndim == 2 else torch.tensor(value))
    loss = {"mse": nn.functional.mse_loss, "cross_entropy": nn.functional.cross_entropy}[row.loss]
    forward = transform(lambda X, target: loss(model(X), target))

    def step():
        for p in params:
            p.grad = None
        value = forward(X, target)
        value.backward()
        return value, *[p.grad.T if p.ndim == 2 else p.grad for p in params]

    return step


def torch_compile(row):
    """Compile model and loss, and with them their backward pass."""
    return torch(row, whole.torch_compile)
