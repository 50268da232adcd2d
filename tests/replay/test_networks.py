"""Networks under `ag.compile`: every layer, loss and optimizer takes the same steps, bit by bit or to a last bit."""

import numpy as np
import pytest

import autograd_core as ag
import nn

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(6, 4))
IMAGES = RNG.normal(size=(3, 2, 7, 7))
SEQUENCE = RNG.normal(size=(5, 3, 4))
TOKENS = RNG.integers(0, 7, (4, 5))

LAYERS = {
    "Linear": (lambda: nn.Linear(4, 3, rng=0), FEATURES),
    "MLP": (lambda: nn.MLP([4, 8, 3], "relu", rng=0), FEATURES),
    **{
        f"activation {name}": (lambda name=name: nn.Sequential(nn.Linear(4, 5, rng=0), nn.Activation(name)), FEATURES)
        for name in ("elu", "gelu", "leaky_relu", "log_softmax", "relu", "sigmoid", "silu", "softmax", "softplus", "tanh")
    },
    "Dropout": (lambda: nn.Sequential(nn.Linear(4, 9, rng=0), nn.Dropout(0.5, rng=1)), FEATURES),
    "BatchNorm": (lambda: nn.Sequential(nn.Linear(4, 3, rng=0), nn.BatchNorm(3)), FEATURES),
    "BatchNorm of images": (lambda: nn.BatchNorm(2), IMAGES),
    "LayerNorm": (lambda: nn.Sequential(nn.Linear(4, 3, rng=0), nn.LayerNorm(3)), FEATURES),
    "Embedding": (lambda: nn.Embedding(7, 3, rng=0), TOKENS),
    "Conv2d": (lambda: nn.Conv2d(2, 3, 3, padding=1, rng=0), IMAGES),
    "Conv1d": (lambda: nn.Conv1d(3, 2, 2, rng=0), SEQUENCE),
    "MaxPool2d": (lambda: nn.Sequential(nn.Conv2d(2, 3, 2, rng=0), nn.MaxPool2d(2)), IMAGES),
    "AvgPool2d": (lambda: nn.Sequential(nn.Conv2d(2, 3, 2, rng=0), nn.AvgPool2d(2)), IMAGES),
    "RBF": (lambda: nn.RBF(4, 3, rng=0), FEATURES),
}  # fmt: skip
RECURRENT = {
    "RNN": (lambda: nn.RNN(4, 3, rng=0), SEQUENCE),
    "LSTM": (lambda: nn.LSTM(4, 3, rng=0), SEQUENCE),
    "GRU": (lambda: nn.GRU(4, 3, rng=0), SEQUENCE),
}
OPTIMIZERS = {
    "SGD": lambda: nn.SGD(lr=0.05),
    "momentum": lambda: nn.SGD(lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "AdaGrad": lambda: nn.AdaGrad(lr=0.05),
    "RMSProp": lambda: nn.RMSProp(lr=0.01, momentum=0.9, weight_decay=1e-3),
    "Adam": lambda: nn.Adam(lr=0.01, weight_decay=1e-3),
    "AdamW": lambda: nn.AdamW(lr=0.01),
}


def trained(make, x, optimizer, steps, compiled, loss):
    """Return what some steps of training leave behind."""
    model, optimizer = make(), optimizer()
    optimizer.attach(model.parameters())

    def step(x):
        optimizer.zero_grad()
        value = loss(model(x))
        value.backward()
        optimizer.step()
        return value

    run = ag.compile(step) if compiled else step
    losses = []
    for i in range(steps):
        if i == steps // 2:
            optimizer.scale = 0.5
        losses.append(plain(run(x + i if x.dtype.kind == "f" else x)))
    state = optimizer.state_dict()["state"]
    return losses, model.state_dict(), state, run


def alike(found, wanted, bound):
    np.testing.assert_allclose(found[0], wanted[0], bound, bound)
    for name, value in wanted[1].items():
        np.testing.assert_allclose(found[1][name], value, bound, bound, err_msg=name)
    for i, own in wanted[2].items():
        for name, value in own.items():
            np.testing.assert_allclose(found[2][i][name], value, bound, bound, err_msg=name)


def square(y):
    return np.mean(y * y) + np.sum(y) / 100


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    make, x = LAYERS[name]
    runs = [trained(make, x, OPTIMIZERS["momentum"], 4, compiled, square) for compiled in (True, False)]
    alike(*runs, 1e-13)


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers(name):
    make, x = RECURRENT[name]
    runs = [trained(make, x, OPTIMIZERS["Adam"], 4, compiled, lambda y: square(y[0])) for compiled in (True, False)]
    alike(*runs, 1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_optimizers(name, dtype):
    def make():
        return nn.MLP([4, 8, 3], "tanh", rng=0, dtype=dtype)

    x = FEATURES.astype(dtype)
    alike(*(trained(make, x, OPTIMIZERS[name], 8, compiled, square) for compiled in (True, False)), 0)


LABELS, HOT = np.array([0, 2, 1, 1, 0, 2]), np.eye(3)[[0, 2, 1, 1, 0, 2]]
LOSSES = {
    "mse": (nn.mse, HOT),
    "l1": (nn.l1, HOT),
    "huber": (nn.huber, HOT),
    "cross_entropy": (nn.cross_entropy, LABELS),
    "cross_entropy of probabilities": (nn.cross_entropy, HOT),
    "cross_entropy, smoothed": (lambda z, y: nn.cross_entropy(z, y, label_smoothing=0.1), LABELS),
    "bce_with_logits": (nn.bce_with_logits, HOT),
    "bce": (lambda z, y: nn.bce(nn.sigmoid(z), y), HOT),
    "hinge": (nn.hinge, 2 * HOT - 1),
    "logistic": (nn.logistic, 2 * HOT - 1),
    "weighted": (lambda z, y: nn.mse(z, y, sample_weight=np.arange(1.0, 7.0)), HOT),
    "nll": (lambda z, y: nn.nll(nn.functional.log_softmax(z), y), LABELS),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    loss, y = LOSSES[name]
    model = nn.MLP([4, 8, 3], "tanh", rng=0)

    def f(x, y):
        for p in model.parameters():
            p.grad = None
        value = loss(model(x), y)
        value.backward()
        return value, [p.grad for p in model.parameters()]

    compiled = ag.compile(f)
    for _ in range(3):
        x = RNG.normal(size=(6, 4))
        for ours, theirs in zip(flat(compiled(x, y)), flat(f(x, y)), strict=True):
            np.testing.assert_allclose(ours, theirs, 1e-14, 1e-14)


def flat(tree):
    return [plain(v) for v in (tree[0], *tree[1])]


def plain(v):
    return np.asarray(v.data if isinstance(v, ag.Tensor) else v)
