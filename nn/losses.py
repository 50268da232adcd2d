"""Losses: functions of a prediction and a target, each one operation on the tape.

`reduction` is "mean" over all losses, "sum", or "none" for one loss each. A backward pass computes again what is cheap
(a difference, a softmax) rather than keep it.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

import autograd_core as ag

from .functional import log_softmax, softmax

Reduction = Literal["mean", "sum", "none"]


def _reduce(losses: Any, reduction: str) -> Any:
    if reduction == "mean":
        if not losses.size:
            raise ValueError("the mean loss of no observations at all")
        if losses.dtype.itemsize == 2:  # the sum may overflow where the mean does not
            return losses.mean()
        return np.add.reduce(losses, axis=None) / losses.size  # a fifth of the time of mean()
    if reduction == "sum":
        return losses.sum()
    if reduction == "none":
        return losses
    raise ValueError(f'reduction is "mean", "sum" or "none", not {reduction!r}')


# --- regression -------------------------------------------------------------------------------------------------------


@ag.primitive
def mse(prediction: Any, target: Any, reduction: Reduction = "mean") -> Any:
    """Return the squared error (prediction - target)**2.

    Parameters
    ----------
    prediction, target : arrays of the same shape
    reduction : "mean", "sum" or "none"

    Examples
    --------
    >>> mse(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(2.0)
    """
    d = _difference(np.asarray(prediction), np.asarray(target))
    if reduction == "mean" and d.size and d.dtype.itemsize > 2:
        d = d.ravel("K")
        return d.dot(d) / d.size
    return _reduce(d * d, reduction)


def _difference(a: Any, b: Any) -> Any:
    """Return a - b in floats: the difference of unsigned integers would wrap around."""
    if a.shape != b.shape:
        raise ValueError(
            f"mse needs a prediction and a target of one shape, not {a.shape} and {b.shape}: it does not broadcast; "
            f"write target.reshape(prediction.shape) if their entries belong together"
        )
    kinds = a.dtype.kind + b.dtype.kind
    if "c" in kinds:
        raise TypeError("mse of complex numbers: take np.mean(np.abs(prediction - target) ** 2)")
    return a - b if "f" in kinds else np.subtract(a, b, dtype=float)


def _mse_pull(g: Any, prediction: Any, target: Any, reduction: Reduction = "mean") -> Any:
    d = prediction - target
    return g * (2.0 / d.size if reduction == "mean" else 2.0) * d


ag.rule(
    mse,
    _mse_pull,
    lambda g, prediction, target, reduction="mean": -_mse_pull(g, prediction, target, reduction),
    args="prediction target",
)


# --- classification ---------------------------------------------------------------------------------------------------


def cross_entropy(logits: Any, labels: Any, reduction: Reduction = "mean") -> Any:
    """Return -log(softmax(logits)) at the labels, or its mean under given probabilities; stable at any size of logits.

    Parameters
    ----------
    logits : (..., k) array
        Scores of k classes, before any softmax.
    labels : (...) array of integers, or (..., k) array of probabilities
        Which class it is, 0 to k - 1; or how probable each class is.
    reduction : "mean", "sum" or "none"

    Examples
    --------
    >>> logits = np.array([[1e4, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> cross_entropy(logits, np.array([0, 2]), reduction="none")
    array([0.        , 1.09861229])
    >>> cross_entropy(logits[1], np.array([0.5, 0.5, 0.0]))
    np.float64(1.0986122886681098)
    """
    if not hasattr(labels, "dtype"):
        labels = np.asarray(labels)
    return (_at_labels if labels.dtype.kind in "iu" else _under)(logits, labels, reduction=reduction)


@ag.primitive
def _at_labels(logits: Any, labels: Any, reduction: Reduction = "mean") -> Any:
    logits, labels = np.asarray(logits), np.asarray(labels)
    if labels.shape != logits.shape[:-1] or not logits.ndim:
        what = f"integer labels of shape {logits.shape[:-1]}, not {labels.shape}"
        hint = "; write labels.astype(float) for one-hot labels" if labels.shape == logits.shape else ""
        raise ValueError(f"cross_entropy with logits of shape {logits.shape} needs {what}{hint}")
    k = logits.shape[-1]
    if labels.size and labels.astype(np.uintp).max() >= k:  # a negative number becomes a huge one
        raise ValueError(f"labels of {k} classes are 0 to {k - 1}; these go from {labels.min()} to {labels.max()}")
    z = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    at_label = z.reshape(-1, k)[np.arange(labels.size), labels.ravel()].reshape(labels.shape)
    return _reduce(np.log(np.exp(z).sum(axis=-1)) - at_label, reduction)


@ag.primitive
def _under(logits: Any, probabilities: Any, reduction: Reduction = "mean") -> Any:
    logits, probabilities = np.asarray(logits), np.asarray(probabilities)
    if probabilities.shape != logits.shape or not logits.ndim:
        raise ValueError(
            f"cross_entropy with logits of shape {logits.shape} needs probabilities of that shape or integer labels of "
            f"shape {logits.shape[:-1]}; these are {probabilities.dtype} of shape {probabilities.shape}"
        )
    return _reduce(-(probabilities * log_softmax(logits)).sum(axis=-1), reduction)


def _each(g: Any, logits: Any, reduction: Reduction) -> Any:
    """Return the cotangent of every observation's loss, ready to stand beside its logits."""
    if reduction == "none":
        return g[..., None]
    return g * (logits.shape[-1] / logits.size) if reduction == "mean" else g


def _at_labels_pull(g: Any, logits: Any, labels: Any, reduction: Reduction = "mean") -> Any:
    return _each(g, logits, reduction) * (softmax(logits) - (labels[..., None] == np.arange(logits.shape[-1])))


def _under_pull(g: Any, logits: Any, probabilities: Any, reduction: Reduction = "mean") -> Any:
    total = probabilities.sum(axis=-1, keepdims=True)  # 1, unless the caller means something else
    return _each(g, logits, reduction) * (softmax(logits) * total - probabilities)


def _probabilities_pull(g: Any, logits: Any, reduction: Reduction = "mean") -> Any:
    return -_each(g, logits, reduction) * log_softmax(logits)


ag.rule(_at_labels, _at_labels_pull, None, args="logits labels", name="cross_entropy")
ag.rule(_under, _under_pull, _probabilities_pull, args="logits probabilities", name="cross_entropy")
