"""A training step with the library's own layers, loss and optimizer: `step() -> (loss, parameter, parameter, ...)`."""

from benchmarks.styles.descent import numpy

__all__ = ["numpy", "ours", "torch"]


def ours(row):
    """`nn.MLP`, `nn.mse`, `nn.SGD`; weights are (out, in)."""
    import nn

    X, y = row.data
    model = nn.MLP(row.sizes, activation=row.activation, rng=0)
    params = list(model.parameters())
    for p, value in zip(params, row.params, strict=True):
        p.assign(value.T)
    optimizer = nn.SGD(params, lr=row.rate)

    def step():
        optimizer.zero_grad()
        loss = nn.mse(model(X), y)
        loss.backward()
        optimizer.step()
        return loss, *[p.data.T for p in params]

    return step


def torch(row):
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

    def step():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(X), y)
        loss.backward()
        optimizer.step()
        return loss, *[p.T if p.ndim == 2 else p for p in params]

    return step
