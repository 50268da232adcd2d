"""Losses of k classes: of scores or probabilities, and labels."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag

from ..functional import log_softmax, softmax
from ..functional.given import numbers
from .reductions import Reduction, clamped_log, distributed, in_single, probable, reduce, weighted


@in_single
def cross_entropy(
    logits: Any,
    labels: Any,
    reduction: Reduction = "mean",
    *,
    weight: Any = None,
    label_smoothing: float = 0.0,
    sample_weight: Any = None,
) -> Any:
    """Return -log(softmax(logits)) at the labels, or its mean under given probabilities; stable at any size of logits.

    Parameters
    ----------
    logits : (..., k) array
        Scores of k classes, before any softmax.
    labels : (...) array of integers, or (..., k) array of probabilities
        Which class it is, 0 to k - 1; or how probable each class is.
    reduction : "mean", "sum" or "none"
    weight : (k,) array, optional
        A weight for each class, with integer labels; a mean is divided by the sum of the weights met.
    label_smoothing : float
        This part of the probability is spread evenly over all classes.
    sample_weight : (...) array, optional
        A weight for each observation.

    Examples
    --------
    >>> logits = np.array([[1e4, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> cross_entropy(logits, np.array([0, 2]), reduction="none")
    array([0.        , 1.09861229])
    >>> cross_entropy(logits[1], np.array([0.5, 0.5, 0.0]))
    np.float64(1.0986122886681098)
    """
    logits, labels = real(logits, "cross_entropy"), _array(labels)
    if weight is not None:
        sample_weight = _class_weights(logits, labels, weight, label_smoothing, sample_weight)
    if label_smoothing:
        labels = _smoothed(logits, labels, label_smoothing)
    op = _at_labels if labels.dtype.kind in "iu" else _under
    if op is _under and not (isinstance(labels, ag.Tensor) and labels.requires_grad):
        labels = _distribution(labels.data if isinstance(labels, ag.Tensor) else labels, scores=logits.shape)
    if sample_weight is None:
        return op(logits, labels, reduction=reduction)
    return weighted(op(logits, labels, reduction="none"), sample_weight, reduction)


def _class_weights(logits: Any, labels: Any, weight: Any, label_smoothing: float, sample_weight: Any) -> Any:
    """Return the weight of each observation: that of its class, times its own."""
    k = logits.shape[-1]
    weight = np.asarray(weight)
    if labels.dtype.kind not in "iu" or label_smoothing:
        raise ValueError(
            "weights of classes need integer labels and no label_smoothing; weigh the probabilities instead"
        )
    if weight.shape != (k,):
        raise ValueError(f"{k} classes need a weight of shape ({k},), not {weight.shape}")
    found = _taken(_checked(logits, labels), weight)
    return found if sample_weight is None else found * sample_weight


@ag.primitive
def _taken(labels: Any, weight: Any) -> Any:
    """Return the weight of each label: np.take looks at its first argument only, whether it is a Tensor."""
    return np.take(weight, labels)


ag.rule(_taken, None, None, args="labels weight")


def _checked(scores: Any, labels: Any, name: str = "cross_entropy") -> Any:
    """Return integer labels that fit the scores; or say why they do not."""
    labels = labels.data if isinstance(labels, ag.Tensor) else np.asarray(labels)
    return _valid(labels, scores=scores.shape, name=name)  # inside ag.compile the labels are a Tensor still


@ag.primitive
def _valid(labels: Any, scores: tuple[int, ...], name: str) -> Any:
    """Return labels that fit scores of a shape: one operation, so that a compiled loss looks at each batch."""
    if not scores:
        raise ValueError(f"{name} needs scores of shape (..., classes), not a number")
    if labels.shape != scores[:-1]:
        what = f"integer labels of shape {scores[:-1]}, not {labels.shape}"
        hint = "; write labels.astype(float) for one-hot labels" if labels.shape == scores else ""
        hint = hint or (f"; write labels.reshape{scores[:-1]}" if labels.size == np.prod(scores[:-1]) else "")
        raise ValueError(f"{name} with logits of shape {scores} needs {what}{hint}")
    k = scores[-1]
    if not k:
        raise ValueError(f"{name} with logits of shape {scores}: there are no classes")
    if labels.size and labels.astype(np.uintp).max() >= k:  # a negative number becomes a huge one
        raise ValueError(f"labels of {k} classes are 0 to {k - 1}; these go from {labels.min()} to {labels.max()}")
    return labels


ag.rule(_valid, None, args="labels", metadata="scores name")


def _array(x: Any) -> Any:
    return x if hasattr(x, "dtype") else np.asarray(x)


def real(x: Any, name: str) -> Any:
    """Return scores, lists of them as an array; or say that they are no real numbers."""
    return numbers(x, name, "biuf")


def _hot(scores: Any, labels: Any) -> Any:
    """Return where each observation's class stands."""
    return labels[..., None] == np.arange(scores.shape[-1])


def _smoothed(logits: Any, labels: Any, part: float) -> Any:
    if not 0 <= part <= 1:
        raise ValueError(f"label_smoothing lies between 0 and 1, not {part}")
    p = _hot(logits, _checked(logits, labels)) if labels.dtype.kind in "iu" else labels
    return (p * (1 - part) + part / logits.shape[-1]).astype(logits.dtype)


def _exponentials(logits: Any) -> tuple[Any, Any, Any]:
    """Return the logits less the largest, their exponentials, and the sums of these."""
    z = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    e = np.exp(z)
    return z, e, np.add.reduce(e, axis=-1, keepdims=True)


def _at(x: Any, labels: Any) -> Any:
    """Return the entry at its label of each observation."""
    return x.reshape(-1, x.shape[-1])[np.arange(labels.size), labels.ravel()].reshape(labels.shape)


@ag.primitive
def _distribution(p: Any, scores: tuple[int, ...]) -> Any:
    """Return targets of which each is a distribution: one operation, so that a compiled loss looks at each batch.

    Those that are differentiated by are not looked at: a derivative asks for their neighbours, whose sum is not 1.
    """
    if p.shape == scores and p.shape:  # else the loss itself has a sentence
        distributed("cross_entropy", "target probabilities", p)
    return p


ag.rule(_distribution, None, args="p", metadata="scores")


@ag.primitive
def _at_labels(logits: Any, labels: Any, reduction: str = "mean") -> Any:
    return _at_labels_and_softmax(logits, labels, reduction)[0]


def _at_labels_and_softmax(logits: Any, labels: Any, reduction: str = "mean") -> tuple[Any, Any]:
    logits = _array(logits)
    labels = _checked(logits, labels)
    z, e, total = _exponentials(logits)
    losses = np.log(total[..., 0]) - _at(z, labels)
    e /= total
    return reduce(losses, reduction), e


@ag.primitive
def _under(logits: Any, probabilities: Any, reduction: str = "mean") -> Any:
    return _under_and_softmax(logits, probabilities, reduction)[0]


def _under_and_softmax(logits: Any, probabilities: Any, reduction: str = "mean") -> tuple[Any, Any]:
    logits, probabilities = _array(logits), _array(probabilities)
    if probabilities.shape != logits.shape or not logits.ndim:
        indices = probabilities.dtype.kind == "f" and probabilities.shape == logits.shape[:-1]
        hint = "; write labels.astype(int)" if indices else ""
        raise ValueError(
            f"cross_entropy with logits of shape {logits.shape} needs probabilities of that shape or integer labels of "
            f"shape {logits.shape[:-1]}; these are {probabilities.dtype} of shape {probabilities.shape}{hint}"
        )
    z, e, total = _exponentials(logits)
    losses = -(probabilities * (z - np.log(total))).sum(axis=-1)
    e /= total
    return reduce(losses, reduction), e


def _each(g: Any, logits: Any, reduction: str) -> Any:
    """Return the cotangent of every observation's loss, ready to stand beside its logits."""
    if reduction == "none":
        return g[..., None]
    return g * (logits.shape[-1] / logits.size) if reduction == "mean" else g


# The forward pass leaves its softmax to the pullback, which takes it if the logits are plain arrays, and computes it
# from the logits if they are Tensors: then it is differentiated.


def _at_labels_pull(g: Any, logits: Any, labels: Any, reduction: str = "mean", aux: Any = None) -> Any:
    each = _each(g, logits, reduction)
    p = softmax(logits) if isinstance(logits, ag.Tensor) else aux
    return each * (p - _hot(logits, labels))


def _under_pull(g: Any, logits: Any, probabilities: Any, reduction: str = "mean", aux: Any = None) -> Any:
    total = probabilities.sum(axis=-1, keepdims=True)  # 1, unless the caller means something else
    p = softmax(logits) if isinstance(logits, ag.Tensor) else aux
    return _each(g, logits, reduction) * (p * total - probabilities)


def _probabilities_pull(g: Any, logits: Any, reduction: str = "mean") -> Any:
    return -_each(g, logits, reduction) * log_softmax(logits)


ag.rule(
    _at_labels,
    _at_labels_pull,
    None,
    args="logits labels",
    name="cross_entropy",
    compute=_at_labels_and_softmax,
    aux=True,
    inline=True,
)
ag.rule(
    _under,
    _under_pull,
    _probabilities_pull,
    args="logits probabilities",
    name="cross_entropy",
    compute=_under_and_softmax,
    aux=True,
    inline=True,
)


# --- of what has been through a softmax already -----------------------------------------------------------------------


@in_single
def nll(
    log_probabilities: Any, labels: Any, reduction: Reduction = "mean", *, weight: Any = None, sample_weight: Any = None
) -> Any:
    """Return minus the log-probability of the labels: with `log_softmax` before it this is `cross_entropy`.

    Examples
    --------
    >>> nll(np.log(np.array([[0.5, 0.5], [0.25, 0.75]])), np.array([0, 0]), "none")
    array([0.69314718, 1.38629436])
    """
    log_probabilities, labels = real(log_probabilities, "nll"), _array(labels)
    if weight is not None:
        sample_weight = _class_weights(log_probabilities, labels, weight, 0, sample_weight)
    if sample_weight is None:
        return _nll(log_probabilities, labels, reduction=reduction)
    return weighted(_nll(log_probabilities, labels, reduction="none"), sample_weight, reduction)


@ag.primitive
def _nll(x: Any, labels: Any, reduction: str = "mean") -> Any:
    x = _array(x)
    labels = _checked(x, labels, "nll")
    if x.size and x.min() >= 0 and np.all(np.abs(x.sum(axis=-1) - 1) < 1e-3):
        raise ValueError(
            "nll takes the logarithms of probabilities, and these are probabilities: write nll(np.log(p), labels), or "
            "cross_entropy(scores, labels) of what went into the softmax"
        )
    return reduce(-_at(x, labels), reduction)


def _nll_pull(g: Any, x_space: Any, labels: Any, reduction: str = "mean") -> Any:
    hot = labels[..., None] == np.arange(x_space.shape[-1])
    if reduction == "mean":
        g = g * (1.0 / labels.size)
    return -(g[..., None] if reduction == "none" else g) * hot


ag.rule(_nll, _nll_pull, None, args="x labels", name="nll")


@in_single
def multinomial_deviance(
    probabilities: Any, labels: Any, reduction: Reduction = "mean", *, sample_weight: Any = None
) -> Any:
    """Return -sum(y * log(p)) for estimated probabilities p and labels y, integers or one-hot.

    Of scores take `cross_entropy`, which keeps all digits.

    Examples
    --------
    >>> multinomial_deviance(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1]), "none")
    array([0.69314718, 0.28768207])
    """
    probabilities = real(probabilities, "multinomial_deviance")
    y = _array(labels.data if isinstance(labels, ag.Tensor) else labels)
    if y.dtype.kind in "iu" and y.shape != probabilities.shape:
        y = _hot(probabilities, _checked(probabilities, y, "multinomial_deviance"))
    if sample_weight is None:
        return _deviance(probabilities, y, reduction=reduction)
    return weighted(_deviance(probabilities, y, reduction="none"), sample_weight, reduction)


@ag.primitive
def _deviance(p: Any, y: Any, reduction: str = "mean") -> Any:
    p, y = np.asarray(p), np.asarray(y)
    if p.shape != y.shape:
        raise ValueError(
            f"multinomial_deviance of probabilities of shape {p.shape} needs integer labels of shape {p.shape[:-1]} or "
            f"labels of the shape of the probabilities, not {y.shape}"
        )
    probable("multinomial_deviance", "probabilities", p)
    return reduce(-(y * clamped_log(p)).sum(axis=-1), reduction)


ag.rule(
    _deviance,
    lambda g, p, y, reduction="mean": -_each(g, p, reduction) * y / np.maximum(p, 1e-12),
    None,
    args="p y",
    name="multinomial_deviance",
)
