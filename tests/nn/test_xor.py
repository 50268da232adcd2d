"""The start of nn, all at once: a network learns XOR."""

import subprocess
import sys

import numpy as np
import pytest

import autograd_core as ag
import nn

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])


def train(model, loss, optimizer, steps):
    optimizer.attach(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(model(X))
        value.backward()
        optimizer.step()
    with ag.no_grad():
        return value.item(), model(X).data


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_regression(dtype):
    model = nn.MLP([2, 16, 1], activation="tanh", rng=0, dtype=dtype)
    loss, found = train(model, lambda z: nn.mse(z, Y.astype(dtype)), nn.SGD(lr=0.05), 300)
    assert loss < 0.01
    np.testing.assert_allclose(found, Y, atol=0.1)


def test_classification():
    model = nn.MLP([2, 16, 2], activation="relu", rng=0)
    labels = Y[:, 0].astype(int)
    loss, found = train(model, lambda z: nn.cross_entropy(z, labels), nn.SGD(lr=0.1, momentum=0.9, nesterov=True), 200)
    assert loss < 0.05
    np.testing.assert_array_equal(found.argmax(axis=1), labels)


def test_training_is_deterministic():
    first, second = (
        train(nn.MLP([2, 16, 1], "tanh", rng=0), lambda z: nn.mse(z, Y), nn.SGD(lr=0.05), 20)[1] for _ in range(2)
    )
    assert first.tobytes() == second.tobytes()


def test_a_linear_model_cannot():
    _, found = train(nn.MLP([2, 1], rng=0), lambda z: nn.mse(z, Y), nn.SGD(lr=0.3), 300)
    np.testing.assert_allclose(found, 0.5, atol=1e-3)


def test_main_program():
    done = subprocess.run([sys.executable, "-W", "error", "-m", "nn"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "XOR is learnt" in done.stdout
    exact, numeric = np.array(
        [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("  x[")], float
    ).T
    np.testing.assert_allclose(exact, numeric, rtol=1e-6)
