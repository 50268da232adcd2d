"""Two classifications: a curve in the plane, and handwritten digits."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

import nn


@dataclasses.dataclass
class Task:
    """A trained classifier with its data: `train` and `held_out` are (X, y); `accuracy` is that on `held_out`."""

    title: str
    model: nn.Module
    train: nn.data.Data
    held_out: nn.data.Data
    history: nn.History
    accuracy: float
    wanted: float


def moons(epochs: int | None = None, progress: bool | None = None) -> Task:
    """Train 2-32-32-2 on two half-moons that reach into each other."""
    train, held_out = nn.data.split(nn.data.moons(600, noise=0.2, rng=0), (0.75, 0.25), rng=1)
    model = nn.MLP([2, 32, 32, 2], activation="tanh", rng=2)
    return _fit("Two moons", model, train, held_out, nn.Adam(lr=0.01), epochs or 60, 0.85, progress)


def digits(epochs: int | None = None, progress: bool | None = None) -> Task:
    """Train 64-64-10 on scikit-learn's 1797 digits of 8 by 8 pixels."""
    images, labels = nn.data.digits()
    X = images.reshape(len(images), -1).astype(np.float32)
    train, held_out = nn.data.split((X, labels), (0.75, 0.25), rng=1)
    model = nn.MLP([64, 64, 10], activation="relu", rng=2, dtype=np.float32)
    return _fit("Handwritten digits", model, train, held_out, nn.Adam(lr=0.003), epochs or 30, 0.85, progress)


def _fit(
    title: str,
    model: nn.Module,
    train: Any,
    held_out: Any,
    optimizer: nn.Adam,
    epochs: int,
    wanted: float,
    progress: bool | None,
) -> Task:
    history = nn.fit(
        model,
        train,
        loss=nn.cross_entropy,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=32,
        validation=held_out,
        metrics=[nn.metrics.accuracy],
        early_stopping=nn.EarlyStopping(patience=15),
        rng=3,
        progress=progress,
    )
    accuracy = nn.metrics.accuracy(predict(model, held_out[0]), held_out[1])
    return Task(title, model, train, held_out, history, accuracy, wanted)


def predict(model: nn.Module, X: Any) -> Any:
    """Return the plain outputs of a model, in evaluation mode, with nothing recorded."""
    import autograd_core as ag

    training = model.training
    try:
        with ag.no_grad():
            return model.eval()(X).data
    finally:
        model.train(training)
