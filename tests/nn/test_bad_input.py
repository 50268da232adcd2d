"""Bad input is refused by a sentence, and leaves model and optimizer as they were."""

import numpy as np
import pytest

import autograd_core as ag
import nn

X, Y = np.random.default_rng(0).normal(size=(8, 3)), np.arange(8) % 2


def fit(model, optimizer, X=X, y=Y, **settings):
    settings = {"loss": nn.cross_entropy, "epochs": 1, "batch_size": 4, "progress": False} | settings
    nn.fit(model, (X, y), optimizer=optimizer, **settings)


def with_nan(X):
    X = X.copy()
    X[5, 1] = np.nan
    return X


def step(model, optimizer, X, y):
    optimizer.zero_grad()
    nn.cross_entropy(model(X), y).backward()
    optimizer.step()


def complex_model(model, _):
    model.extra = ag.Tensor([1j])
    try:
        fit(model, nn.SGD(lr=0.1))
    finally:
        del model.extra


def without(name):
    return lambda m, _: m.load_state_dict({k: v + 1 for k, v in m.state_dict().items() if k != name})


def shared(model, _):
    tied = nn.Sequential(model.layers[2], model.layers[2])
    state = {k: v + k.startswith("1") for k, v in tied.state_dict().items()}
    tied.load_state_dict(state)


def more_state(_, optimizer):
    state = optimizer.state_dict()
    state["state"][0]["m"] = np.ones(3)
    optimizer.load_state_dict(state)


def rate(optimizer, lr):
    optimizer.lr = lr


CASES = {
    "wrong number of features": (
        lambda m, o: fit(m, o, X[:, :2]),
        ValueError,
        r"linear with a weight of shape \(4, 3\) needs x of shape \(\.\.\., 3\), not \(4, 2\)",
    ),
    "wrong number of features in a step": (lambda m, o: step(m, o, X[:, :2], Y), ValueError, r"needs x of shape"),
    "labels out of range": (lambda m, o: fit(m, o, y=Y + 1), ValueError, "labels of 2 classes are 0 to 1; these go"),
    "negative labels": (lambda m, o: step(m, o, X, Y - 1), ValueError, "labels of 2 classes are 0 to 1; these go"),
    "labels of another length": (lambda m, o: fit(m, o, y=Y[:7]), ValueError, r"equally many rows, not \[8, 7\]"),
    "nan in the data": (lambda m, o: fit(m, o, with_nan(X)), ValueError, r"array 0 of the data has nan in row 5 \(1 of 8"),
    "nan in the validation data": (
        lambda m, o: fit(m, o, validation=(with_nan(X), Y)),
        ValueError,
        "array 0 of the validation data has nan in row 5",
    ),
    "no data": (lambda m, o: fit(m, o, X[:0], Y[:0]), ValueError, "the data is empty"),
    "a batch larger than the data": (lambda m, o: fit(m, o, batch_size=9), ValueError, "8 observations"),
    "a batch of nothing": (lambda m, o: fit(m, o, batch_size=0), ValueError, "batch"),
    "a rate of yes": (lambda _, o: rate(o, True), ValueError, "a learning rate is a positive number, not True"),
    "a negative rate": (lambda m, _: nn.Adam(m.parameters(), lr=-1), ValueError, "positive number, not -1"),
    "no epochs": (lambda m, o: fit(m, o, epochs=0), ValueError, "epochs is a positive number, not 0"),
    "an unknown activation": (
        lambda *_: nn.MLP([3, 4, 2], "relo", rng=0),
        ValueError,
        "no activation is called 'relo'; did you mean 'relu'",
    ),
    "a missing parameter": (without("2.bias"), ValueError, "the state does not fit Sequential: 2.bias is missing"),
    "shared parameters of two values": (shared, ValueError, "are the same Tensor but have different values"),
    "a state of another shape": (more_state, ValueError, r"m is float64 of shape \(3,\), expected"),
    "complex parameters": (complex_model, TypeError, r"parameter \d of SGD is complex, of shape \(1,\): train its real"),
    "complex data": (lambda m, o: fit(m, o, loss=nn.mse, y=Y + 1j), (TypeError, ValueError), "complex|shape"),
    "a gradient of another shape": (
        lambda m, _: setattr(m.layers[0].weight, "grad", np.ones(2)),
        ValueError,
        r"a gradient of shape \(2,\)",
    ),
    "a loss that is not a number": (lambda m, o: fit(m, o, loss=lambda f, _: f), TypeError, "one tracked number"),
    "a model without parameters": (
        lambda *_: fit(nn.Sequential(nn.relu), nn.SGD(lr=0.1)),
        ValueError,
        "Sequential has no parameters to train",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_input_changes_nothing(case):
    act, error, message = CASES[case]
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.tanh, nn.Linear(4, 2, rng=1))
    optimizer = nn.Adam(model.parameters(), lr=0.1)
    step(model, optimizer, X, Y)
    before, state = model.state_dict(), optimizer.state_dict()
    with pytest.raises(error, match=message):
        act(model, optimizer)
    np.testing.assert_equal(model.state_dict(), before)
    np.testing.assert_equal(optimizer.state_dict(), state)
    fit(model, optimizer)  # and both go on
    assert not np.array_equal(model.state_dict()["0.weight"], before["0.weight"])
