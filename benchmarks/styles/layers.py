"""A training step with the library's own layers, loss and optimizer: `step() -> (loss, parameter, parameter, ...)`."""

from benchmarks.styles import compiled as whole
from benchmarks.styles.descent import numpy

__all__ = ["compiled", "numpy", "ours", "torch", "torch_compile"]


def ours(row, transform=lambda f: f):
    """`nn.MLP`, `nn.mse`, `nn.SGD`; weights are (out, in)."""
    import nn

    X, y = row.data
    model = nn.MLP(row.sizes, activation=row.activation, rng=0)
    params = list(model.parameters())
    for p, value in zip(params, row.params, strict=True):
        p.assign(value.T)
    optimizer = nn.SGD(params, lr=row.rate)

    def update(X, y):
        optimizer.zero_grad()
        loss = nn.mse(model(X), y)
        loss.backward()
        optimizer.step()
        return loss

    update = transform(update)
    return lambda: (update(X, y), *[p.data.T for p in params])


def compiled(row):
    """`ag.compile` of the whole step."""
    import autograd_core as ag

    return ours(row, ag.compile)


def torch(row, transform=lambda f: f):
    """`torch.nn.Sequential`, `mse_loss`, `torch.optim.SGD`."""
    import torch
    from torch import nn

    X, y = (torch.tensor(d) for d in row.data)
    inputs, hidden, outputs = row.sizes
    activation = {"tanh": nn.Tanh, "relu": nn.ReLU}[row.activation]()
    model = nn.Sequential(nn.Linear(inputs, hidden), activation, nn.Linear(hidden, outputs)).to(X.dtype)
    params = list(model.parameters())
    with torch.no_grad():
        for p, value in zip(params, row.params, strict=True):
            p.copy_(torch.tensor(value).T if value.ndim == 2 else torch.tensor(value))
    optimizer = torch.optim.SGD(model.parameters(), lr=row.rate)
    value, update = transform(lambda X, y: nn.functional.mse_loss(model(X), y)), transform(lambda: optimizer.step())

    def step():
        optimizer.zero_grad()
        loss = value(X, y)
        loss.backward()
        update()
        return loss, *[p.T if p.ndim == 2 else p for p in params]

    return step


def torch_compile(row):
    """Compile model and loss, and with them their backward pass, and the optimizer's step."""
    return torch(row, whole.torch_compile)
