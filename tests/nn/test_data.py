import sys

import numpy as np
import pytest

from nn import data

X, Y = np.arange(22.0).reshape(11, 2), np.arange(11)


# --- batches ----------------------------------------------------------------------------------------------------------


def test_an_epoch_sees_every_observation_once():
    seen = list(data.batches((X, Y), 4, rng=0))
    assert [len(y) for _, y in seen] == [4, 4, 3]
    order = np.concatenate([y for _, y in seen])
    assert sorted(order) == list(Y)
    assert list(order) != list(Y)
    for x, y in seen:
        np.testing.assert_array_equal(x, X[y])
    assert [len(y) for _, y in data.batches((X, Y), 4, rng=0, drop_last=True)] == [4, 4]


def test_epochs_differ_and_a_seed_repeats_them():
    def order(rng):
        return np.concatenate([y for _, y in data.batches((X, Y), 11, rng=rng, epochs=2)])

    assert list(order(0)[:11]) != list(order(0)[11:])
    np.testing.assert_array_equal(order(0), order(np.random.default_rng(0)))
    assert list(order(0)) != list(order(1))


def test_minibatch_gradients_have_the_mean_of_all():
    means = [x.mean(axis=0) for x, _ in data.batches((X[:10], Y[:10]), 5, rng=0)]
    np.testing.assert_allclose(np.mean(means, axis=0), X[:10].mean(axis=0))


@pytest.mark.parametrize(
    ("size", "n", "message"),
    [(0, 3, "positive number"), (1.5, 3, "positive number"), (4, 3, "batch of 4 is larger"), (1, 0, "is empty")],
)
def test_batches_that_cannot_be_taken(size, n, message):
    with pytest.raises(ValueError, match=message):
        data.batches((X[:n], Y[:n]), size)


# --- checking, splitting, standardising -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (X, TypeError, r"is a tuple of arrays, such as \(X, y\), not a ndarray"),
        ((X, Y[:3]), ValueError, r"equally many rows, not \[11, 3\]"),
        ((X, 1.0), ValueError, "equally many rows"),
        ((), ValueError, r"equally many rows, not \[\]"),
        ((X[:0], Y[:0]), ValueError, "the data is empty"),
        ((X, np.array(["a"] * 11)), TypeError, "array 1 of the data has dtype <U1"),
        ((np.where(X == 8, np.nan, X), Y), ValueError, r"array 0 of the data has nan in row 4 \(1 of 11 rows"),
        ((X, np.where(Y > 5, np.inf, Y)), ValueError, "array 1 of the data has inf in row 6"),
    ],
    ids=["an array", "lengths", "number", "nothing", "empty", "texts", "nan", "inf"],
)
def test_data_that_cannot_be_used(given, error, message):
    with pytest.raises(error, match=message):
        data.check(given)


def test_split():
    parts = data.split((X, Y), (0.5, 0.3, 0.2), rng=0)
    assert sorted(np.concatenate([y for _, y in parts])) == list(Y)
    for x, y in parts:
        np.testing.assert_array_equal(x, X[y])
    for fractions, message in [((0.9, 0.2), "at most 1"), ((1.0, 0.0), "positive"), ((0.99, 0.01), "would be empty")]:
        with pytest.raises(ValueError, match=message):
            data.split((X, Y), fractions, rng=0)


def test_standardise():
    given = np.random.default_rng(0).normal(5, 3, (100, 3)).astype(np.float32)
    given[:, 1] = 0.1
    Z, map = data.standardise(given)
    assert Z.dtype == np.float32
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(Z.std(axis=0), [1, 0, 1], atol=1e-5)
    np.testing.assert_allclose(map.inverse(map(given[:5])), given[:5], rtol=1e-5)
    np.testing.assert_allclose(map(given)[:, 0], Z[:, 0])


# --- augmentation -----------------------------------------------------------------------------------------------------


def test_augmentation():
    images = np.random.default_rng(0).random((20, 1, 5, 6))
    moved = data.shift(images, 1, rng=0)
    assert moved.shape == images.shape
    assert any(
        np.array_equal(m[0, 1:], i[0, :-1]) or np.array_equal(m[0], i[0]) for m, i in zip(moved, images, strict=True)
    )
    np.testing.assert_array_equal(data.shift(images, 0, rng=0), images)
    flipped = data.flip(images, rng=0)
    same = [np.array_equal(f, i) for f, i in zip(flipped, images, strict=True)]
    assert 0 < sum(same) < 20
    assert all(s or np.array_equal(f, i[..., ::-1]) for s, f, i in zip(same, flipped, images, strict=True))
    noisy = data.jitter(images.astype(np.float32), 0.1, rng=0)
    assert noisy.dtype == np.float32
    assert 0.08 < (noisy - images).std() < 0.12
    with pytest.raises(ValueError, match="0 to 5 pixels, not 6"):
        data.shift(images, 6, rng=0)


# --- small sets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [data.moons, data.circles, data.spirals, data.blobs], ids=lambda f: f.__name__)
def test_classes(make):
    x, y = make(101, rng=0)
    assert (x.shape, y.shape) == ((101, 2), (101,))
    assert np.bincount(y).max() - np.bincount(y).min() <= 1
    np.testing.assert_array_equal(make(101, rng=0)[0], x)
    assert not np.array_equal(make(101, rng=1)[0], x)
    data.check((x, y))
    with pytest.raises(ValueError, match="observations are needed, not 0"):
        make(0, rng=0)


def test_shapes_of_the_sets():
    x, y = data.circles(500, noise=0, ratio=0.5, rng=0)
    np.testing.assert_allclose(np.hypot(*x.T), np.where(y == 0, 1, 0.5))
    x, y = data.spirals(500, noise=0, turns=1.5, rng=0)
    r, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    np.testing.assert_allclose(np.cos(angle - 3 * np.pi * r), np.where(y == 0, 1, -1), atol=1e-9)
    x, y = data.moons(500, noise=0, rng=0)
    np.testing.assert_allclose(np.hypot(x[:, 0] - y, x[:, 1] - y / 2), 1)
    x, y = data.regression_1d(50, noise=0, rng=0)
    np.testing.assert_allclose(y, np.sin(3 * x) + x / 2)
    x, y = data.xor()
    np.testing.assert_array_equal(y[:, 0], x[:, 0] != x[:, 1])


def test_digits():
    pytest.importorskip("sklearn")
    x, y = data.digits()
    assert (x.shape, y.shape, x.min(), x.max()) == ((1797, 8, 8), (1797,), 0, 1)


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'autograd-core\[nn\]'"):
        data.digits()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: data.batches((np.zeros((5, 2)), np.arange(4)), 2), ValueError, r"equally many rows, not \[5, 4\]"),
        (lambda: data.batches(np.zeros((5, 2)), 2), TypeError, r"a tuple of arrays, such as \(X, y\), not a ndarray"),
        (lambda: data.batches([], 2), ValueError, "equally many rows"),
        (lambda: data.split(np.zeros((5, 2)), rng=0), TypeError, r"a tuple of arrays, such as \(X, y\), not a ndarray"),
        (lambda: data.split((np.zeros(5),), 0.8, rng=0), TypeError, r"such as \(0.8, 0.2\), not 0.8"),
        (lambda: data.split((np.zeros(5),), (), rng=0), TypeError, r"such as \(0.8, 0.2\), not \(\)"),
        (lambda: data.standardise(np.array([1j, 2.0])), TypeError, "standardise takes real numbers"),
        (lambda: data.blobs(10, classes=0, rng=0), ValueError, "at least 1 classes are needed, not 0"),
    ],
    ids=range(8),
)
def test_data_that_is_none(call, error, message):
    with pytest.raises(error, match=message):
        call()
