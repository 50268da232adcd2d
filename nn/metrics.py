"""Metrics: how good predictions are, as plain numbers; not differentiated."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag

from .data import whole

MOST = 10_000  # classes of a confusion matrix: 800 MB


def accuracy(prediction: Any, labels: Any, threshold: float = 0.0) -> float:
    """Return the fraction of observations whose class is predicted.

    Parameters
    ----------
    prediction : (n, k) scores of k classes, (n,) or (n, 1) scores of class 1 against 0, or (n,) classes as integers
    labels : n integers, or (n, k) one-hot
    threshold : float
        A single score above it means class 1: 0 for logits, 0.5 for probabilities.

    Examples
    --------
    >>> accuracy(np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0]))
    0.5
    """
    found, wanted = _classes(prediction, threshold), _classes(labels, 0.5)
    _check_pair("accuracy", found, wanted)
    return float(np.mean(found == wanted))


def r2(prediction: Any, target: Any) -> float:
    """Return the coefficient of determination: 1 - (squared error) / (squared deviation of the target from its mean).

    Several outputs count with equal weight each. 1 is perfect, 0 is what the mean reaches.

    Examples
    --------
    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    0.7857142857142857
    """
    prediction, target = _reals(prediction), _reals(target)
    _check_pair("r2", prediction, target)
    error = np.square(prediction - target).sum(axis=0)
    spread = np.square(target - target.mean(axis=0)).sum(axis=0)
    if not np.all(spread):
        raise ValueError("r2 of a target that is constant: there is no variation to explain")
    return float(np.mean(1 - error / spread))


def confusion_matrix(prediction: Any, labels: Any, classes: int | None = None, threshold: float = 0.0) -> Any:
    """Return how many observations of class i are predicted as class j, in row i and column j.

    Takes what `accuracy` takes.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]))
    array([[1, 1],
           [0, 1]])
    """
    found, wanted = _classes(prediction, threshold), _classes(labels, 0.5)
    _check_pair("confusion_matrix", found, wanted)
    if min(found.min(), wanted.min()) < 0:
        raise ValueError("classes are numbered from 0; there are negative ones, or scores that are NaN")
    seen = int(max(found.max(), wanted.max())) + 1
    k = seen if classes is None else classes
    if not whole(k, 1) or k > MOST:
        raise ValueError(f"a confusion matrix has 1 to {MOST:,} classes, not {k!r}")
    if seen > k:
        raise ValueError(f"there is a class {seen - 1}, but classes={classes}")
    return np.bincount(wanted.astype(np.intp) * k + found.astype(np.intp), minlength=k * k).reshape(k, k)


def _plain(x: Any) -> Any:
    x = np.asarray(x.data if isinstance(x, ag.Tensor) else x)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"a metric takes real numbers, not an array of dtype {x.dtype}")
    return x


def _reals(x: Any) -> Any:
    """Return float64: small integers would wrap around where they are subtracted, and float32 lose digits."""
    return _plain(x).astype(float)


def _classes(x: Any, threshold: float) -> Any:
    """Return one class for each observation, -1 where a score is NaN: that is no prediction."""
    x = _plain(x)
    if x.ndim == 2 and x.shape[1] > 1:
        return np.where(np.isnan(x).any(axis=1), -1, x.argmax(axis=1))
    x = x[:, 0] if x.ndim == 2 and x.shape[1] == 1 else x
    return x if x.dtype.kind in "iu" else np.where(np.isnan(x), -1, x > threshold)


def _check_pair(who: str, a: Any, b: Any) -> None:
    if a.shape != b.shape:
        raise ValueError(f"{who} of predictions and targets that do not belong together, {a.shape} and {b.shape}")
    if not a.size:
        raise ValueError(f"{who} of no observations at all")
