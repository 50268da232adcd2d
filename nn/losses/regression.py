"""Losses of numbers: squared, absolute, and Huber's between them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import autograd_core as ag

from .reductions import Reduction, alike, elementwise_loss, in_single, reduce, share, weighted


@in_single
def mse(prediction: Any, target: Any, reduction: Reduction = "mean", *, sample_weight: Any = None) -> Any:
    """Return the squared error (prediction - target)**2.

    Parameters
    ----------
    prediction, target : arrays of the same shape
    reduction : "mean", "sum" or "none"
    sample_weight : array, optional
        A weight for each loss, or for each observation, that is along the first axis.

    Examples
    --------
    >>> mse(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(2.0)
    >>> mse(np.array([1.0, 2.0]), np.array([1.0, 4.0]), sample_weight=[3, 1])
    np.float64(1.0)
    """
    if sample_weight is None:
        if reduction == "mean":
            return _mean_square(prediction, target)
        return _mse(prediction, target, reduction=reduction)
    return weighted(_mse(prediction, target, reduction="none"), sample_weight, reduction)


@ag.primitive
def _mean_square(prediction: Any, target: Any) -> Any:
    """Return the mean: apart, since without a keyword it is recorded in a third of the time."""
    prediction, target = alike("mse", prediction, target)
    d = prediction - target
    if d.size and d.dtype.itemsize > 2:
        d = d.ravel("K")
        return d.dot(d) / d.size
    return reduce(d * d, "mean")


@ag.primitive
def _mse(prediction: Any, target: Any, reduction: str) -> Any:
    prediction, target = alike("mse", prediction, target)
    d = prediction - target
    return reduce(d * d, reduction)


def _mean_pull(g: Any, a: Any, b: Any) -> Any:
    d = a - b
    return g * (2.0 / d.size) * d


ag.rule(_mean_square, _mean_pull, lambda g, a, b: _mean_pull(g, b, a), name="mse", inline=True)
ag.rule(
    _mse,
    lambda g, a, b: g * 2 * (a - b),
    lambda g, a, b: g * 2 * (b - a),
    name="mse",
    metadata="reduction",
    inline=True,
)

_l1 = elementwise_loss(
    "l1", lambda f, y: np.abs(f - y), lambda f, y: np.sign(f - y), lambda f, y: np.sign(y - f)
)  # fmt: skip


@in_single
def l1(prediction: Any, target: Any, reduction: Reduction = "mean", *, sample_weight: Any = None) -> Any:
    """Return the absolute error ``|prediction - target|``, whose derivative where they are equal is 0.

    Examples
    --------
    >>> l1(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(1.0)
    """
    return _l1(prediction, target, reduction, sample_weight)


@in_single
def huber(
    prediction: Any, target: Any, reduction: Reduction = "mean", *, delta: float = 1.0, sample_weight: Any = None
) -> Any:
    """Return ``d**2 / 2`` where ``d = |prediction - target|`` is at most `delta`; beyond, ``delta * d - delta**2 / 2``.

    Examples
    --------
    >>> huber(np.array([0.5, 4.0]), np.array([0.0, 0.0]), "none")
    array([0.125, 3.5  ])
    """
    if not 0 < delta < math.inf:
        raise ValueError(f"huber needs a positive delta, not {delta}")
    if sample_weight is None:
        return _huber(prediction, target, reduction=reduction, delta=delta)
    return weighted(_huber(prediction, target, reduction="none", delta=delta), sample_weight, reduction)


@ag.primitive
def _huber(prediction: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    prediction, target = alike("huber", prediction, target)
    d = np.abs(prediction - target)
    inner = np.minimum(d, delta)
    return reduce(inner * (d - 0.5 * inner), reduction)


def _huber_pull(g: Any, prediction: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    slope = np.minimum(np.maximum(prediction - target, -delta), delta)
    return share(g, prediction.size, reduction) * slope


ag.rule(
    _huber,
    _huber_pull,
    lambda g, prediction, target, reduction="mean", delta=1.0: -_huber_pull(g, prediction, target, reduction, delta),
    args="prediction target",
    name="huber",
    inline=True,
)
