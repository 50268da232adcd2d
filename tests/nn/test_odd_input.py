"""What people hand to layers: lists, integers, flags, words, nothing; every layer takes it rightly or says why not."""

import numpy as np
import pytest

import autograd_core as ag
import nn

RNG = np.random.default_rng(0)
IMAGES, ROWS, SEQUENCES = RNG.normal(size=(4, 3, 6, 6)), RNG.normal(size=(4, 3)), RNG.normal(size=(5, 4, 3))

LAYERS = {
    "linear": (lambda: nn.Linear(3, 2, rng=0), ROWS),
    "mlp": (lambda: nn.MLP([3, 4, 2], rng=0), ROWS),
    "conv1d": (lambda: nn.Conv1d(4, 2, 2, rng=0), SEQUENCES),
    "conv2d": (lambda: nn.Conv2d(3, 2, 3, rng=0), IMAGES),
    "max_pool2d": (lambda: nn.MaxPool2d(2, padding=1), IMAGES),
    "avg_pool2d": (lambda: nn.AvgPool2d(2, padding=1), IMAGES),
    "Flatten": (lambda: nn.Flatten(), IMAGES),
    "Dropout": (lambda: nn.Dropout(0.3, rng=0), ROWS),
    "BatchNorm": (lambda: nn.BatchNorm(3), ROWS),
    "LayerNorm": (lambda: nn.LayerNorm(3), ROWS),
    "RNN": (lambda: nn.RNN(3, 2, rng=0), SEQUENCES),
    "LSTM": (lambda: nn.LSTM(3, 2, rng=0), SEQUENCES),
    "GRU": (lambda: nn.GRU(3, 2, rng=0), SEQUENCES),
    "RBF": (lambda: nn.RBF(3, 2, rng=0), ROWS),
    "Residual": (lambda: nn.Residual(nn.Linear(3, 3, rng=0)), ROWS),
    "Parallel": (lambda: nn.Parallel(nn.Linear(3, 3, rng=0), nn.Linear(3, 2, rng=1)), ROWS),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def result(layer, x):
    y = layer(x)
    y = y[0] if isinstance(y, tuple) else y
    return y.data if isinstance(y, ag.Tensor) else y


@every_layer
def test_lists_integers_and_flags_are_numbers(name):
    make, x = LAYERS[name]
    whole = np.rint(3 * x).astype(int)
    expected = result(make(), whole.astype(float))
    for given in (whole, whole.tolist(), ag.Tensor(whole), whole.astype(np.int8)):
        np.testing.assert_allclose(result(make(), given), expected, rtol=1e-6, atol=1e-12)
    flags = x > 0
    np.testing.assert_allclose(result(make(), flags), result(make(), flags.astype(float)), rtol=1e-12, atol=1e-12)


@every_layer
def test_what_is_no_number_is_refused(name):
    make, x = LAYERS[name]
    layer = make()
    for given in (x.astype(str), x.astype(object), None, "text"):
        with pytest.raises((TypeError, ValueError), match=r"numbers|needs x"):
            layer(given)
    if name not in ("Flatten", "Dropout", "max_pool2d", "avg_pool2d"):  # which take any number of features
        with pytest.raises(ValueError, match=r"\(7, 7\)"):
            layer(np.ones((7, 7)))


@pytest.mark.parametrize("name", ["BatchNorm", "LayerNorm", "RBF", "max_pool2d"])
def test_complex_numbers_where_they_would_mean_something_else(name):
    make, x = LAYERS[name]
    layer = make()
    before = layer.state_dict()
    with pytest.raises(TypeError, match="takes real numbers, not an array of dtype complex128"):
        layer(x + 1j)
    np.testing.assert_equal(layer.state_dict(), before)


@every_layer
def test_memory_of_any_kind(name):
    make, x = LAYERS[name]
    expected = result(make(), x)
    spread = np.zeros((*x.shape[:-1], 2 * x.shape[-1]))[..., ::2]
    spread[...] = x
    locked = x.copy()
    locked.flags.writeable = False
    swapped = x.astype(">f8")
    for given in (np.asfortranarray(x), spread, locked, np.flip(np.flip(x).copy()), swapped):
        np.testing.assert_allclose(result(make(), given), expected, rtol=1e-12, atol=1e-14)


@every_layer
def test_no_observations(name):
    make, x = LAYERS[name]
    axis = 1 if name in ("RNN", "LSTM", "GRU") else 0
    none = np.zeros_like(x, shape=[0 if i == axis else n for i, n in enumerate(x.shape)])
    layer = make()
    shape = result(layer, x).shape
    if name == "BatchNorm":
        with pytest.raises(ValueError, match=r"needs two values of each feature at least to train.*\(0, 3\)"):
            layer(none)
        layer.eval()
    x0 = ag.Tensor(none)
    y = layer(x0)
    y = y[0] if isinstance(y, tuple) else y
    assert y.shape == tuple(0 if i == axis else n for i, n in enumerate(shape))
    np.sum(y).backward()
    assert x0.grad.shape == none.shape
    assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())


def test_branches_that_cannot_be_joined():
    with pytest.raises(ValueError, match=r"joined along axis 1 and agree in the others, but made \(2,\), \(2,\)"):
        nn.Parallel(nn.Linear(3, 2, rng=0), nn.Linear(3, 2, rng=0))(np.ones(3))
    with pytest.raises(ValueError, match=r"joined along axis 1 .* but made \(5, 4, 3\), \(5, 4, 2\)"):
        nn.Parallel(nn.Linear(3, 3, rng=0), nn.Linear(3, 2, rng=0))(np.ones((5, 4, 3)))
    joined = nn.Parallel(nn.Linear(3, 3, rng=0), nn.Linear(3, 2, rng=0), axis=-1)(np.ones((5, 4, 3)))
    assert joined.shape == (5, 4, 5)
