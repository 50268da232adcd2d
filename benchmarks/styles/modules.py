"""Loss and gradients out of the library's own layers and loss: `step() -> (loss, gradient, gradient, ...)`."""

from benchmarks.styles.gradients import numpy

__all__ = ["numpy", "ours", "torch"]


def ours(row):
    """`nn.MLP` and the loss that the row names; weights are (out, in)."""
    import nn

    model = nn.MLP(row.sizes, activation=row.activation, rng=0, dtype=row.dtype)
    loss, params, X, target = getattr(nn, row.loss), list(model.parameters()), row.data[0], row.data[-1]
    for p, value in zip(params, row.params, strict=True):
        p.assign(value.T)

    def step():
        for p in params:
            p.grad = None
        value = loss(model(X), target)
        value.backward()
        return value, *[p.grad.T for p in params]

    return step


def torch(row):
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

    def step():
        for p in params:
            p.grad = None
        value = loss(model(X), target)
        value.backward()
        return value, *[p.grad.T if p.ndim == 2 else p.grad for p in params]

    return step
