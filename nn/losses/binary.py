"""Losses of two classes: of scores or probabilities, and labels."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag

from ..functional import sigmoid, softplus
from .reductions import Reduction, clamped_log, elementwise_loss, in_single, probable, weighted


def signs(name: str, labels: Any) -> Any:
    """Return labels 0 and 1, or -1 and 1, as -1 and 1.

    Examples
    --------
    >>> signs("hinge", np.array([0, 1]))
    array([-1,  1], dtype=int8)
    """
    return _signs(labels.data if isinstance(labels, ag.Tensor) else np.asarray(labels), name=name)


@ag.primitive
def _signs(y: Any, name: str) -> Any:
    """Look at the labels and turn them: one operation, so that a compiled loss does it for each batch."""
    positive, zero, negative = y == 1, y == 0, y == -1
    if not np.all(positive | zero | negative) or (zero.any() and negative.any()):
        wrong = np.unique(y)
        found = ", ".join(map(str, wrong[:5])) + (", ..." if wrong.size > 5 else "")
        raise ValueError(f"the labels of {name} are 0 and 1, or -1 and 1; these are {found}")
    return np.where(positive, np.int8(1), np.int8(-1))


ag.rule(_signs, None, args="y", metadata="name")


_hinge = elementwise_loss("hinge", lambda f, y: np.maximum(1 - y * f, 0), lambda f, y: -y * (y * f < 1))
_logistic = elementwise_loss("logistic", lambda f, y: softplus(-y * f), lambda f, y: -y * sigmoid(-y * f))
_binomial = elementwise_loss("binomial", lambda f, y: softplus(-2 * y * f), lambda f, y: -2 * y * sigmoid(-2 * y * f))


@in_single
def hinge(scores: Any, labels: Any, reduction: Reduction = "mean", *, sample_weight: Any = None) -> Any:
    """Return max(1 - y * score, 0) for labels y of -1 and 1 (or 0 and 1); the derivative at the kink is 0.

    Examples
    --------
    >>> hinge(np.array([0.5, 2.0, -1.0]), np.array([1, 1, 1]), "none")
    array([0.5, 0. , 2. ])
    """
    return _hinge(scores, signs("hinge", labels), reduction, sample_weight)


@in_single
def logistic(scores: Any, labels: Any, reduction: Reduction = "mean", *, sample_weight: Any = None) -> Any:
    """Return log(1 + exp(-y * score)) for labels y of -1 and 1; with 0 and 1 it is `bce_with_logits`.

    Examples
    --------
    >>> logistic(np.array([0.0, 1e4, 1e4]), np.array([1, 1, -1]), "none")
    array([6.93147181e-01, 0.00000000e+00, 1.00000000e+04])
    """
    return _logistic(scores, signs("logistic", labels), reduction, sample_weight)


@in_single
def binomial(scores: Any, labels: Any, reduction: Reduction = "mean", *, sample_weight: Any = None) -> Any:
    """Return log(1 + exp(-2 * y * score)), the lectures' binomial log-likelihood, for labels y of -1 and 1, or 0 and 1.

    A score is then half the logarithm of the odds; where it is the whole, take `logistic`.

    Examples
    --------
    >>> binomial(np.array([0.0, 1e4]), np.array([1, -1]), "none")
    array([6.93147181e-01, 2.00000000e+04])
    """
    return _binomial(scores, signs("binomial", labels), reduction, sample_weight)


def _check_bce(p: Any, y: Any) -> None:
    probable("bce", "probabilities", p)
    probable("bce", "targets", y)


def _log(p: Any) -> Any:
    """Return log(p), but no less than -100, as PyTorch has it."""
    return np.log(np.maximum(p, np.exp(p.dtype.type(-100)) if p.dtype.itemsize > 4 else np.finfo(p.dtype).tiny))


_bce = elementwise_loss(
    "bce",
    lambda p, y: -(y * clamped_log(p) + (1 - y) * clamped_log(1 - p)),
    lambda p, y: (p - y) / np.maximum(p * (1 - p), 1e-12),
    lambda p, _: _log(1 - p) - _log(p),
    check=_check_bce,
)
_bce_with_logits = elementwise_loss(
    "bce_with_logits",
    lambda x, y: np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x))),
    lambda x, y: sigmoid(x) - y,
    lambda x, _: -x,
    check=lambda _, y: probable("bce_with_logits", "targets", y),
)


@in_single
def bce(probabilities: Any, targets: Any, reduction: Reduction = "mean", *, sample_weight: Any = None) -> Any:
    """Return -(y log p + (1 - y) log(1 - p)); a logarithm is no less than -100, as in PyTorch.

    Of logits take `bce_with_logits`, which keeps all digits.

    Examples
    --------
    >>> bce(np.array([0.5, 1.0, 0.0]), np.array([1.0, 1.0, 1.0]), "none")
    array([  0.69314718,   0.        , 100.        ])
    """
    return _bce(probabilities, targets, reduction, sample_weight)


@in_single
def bce_with_logits(
    logits: Any, targets: Any, reduction: Reduction = "mean", *, pos_weight: Any = None, sample_weight: Any = None
) -> Any:
    """Return the binary cross-entropy of sigmoid(logits), stable at any size of logits.

    `pos_weight`, a number or one for each class, along the last axis, is a factor before the part of the positive
    targets: above 1 where these are rare.

    Examples
    --------
    >>> bce_with_logits(np.array([0.0, 1e4, 1e4]), np.array([1.0, 1.0, 0.0]), "none")
    array([6.93147181e-01, 0.00000000e+00, 1.00000000e+04])
    """
    if pos_weight is None:
        return _bce_with_logits(logits, targets, reduction, sample_weight)
    factor = np.asarray(pos_weight)
    if factor.dtype.kind not in "biuf" or not np.all((factor >= 0) & (factor < np.inf)):
        raise ValueError("pos_weight is finite numbers from 0 upwards")
    if factor.shape not in ((), (1,), np.shape(logits)[-1:]):
        shape = np.shape(logits)
        raise ValueError(f"logits of shape {shape} need a pos_weight of shape {shape[-1:]} or (), not {factor.shape}")
    # w * loss, where w * y + (1 - y) = 1 + (w - 1) * y weighs the part of the positive ones
    plain = _bce_with_logits(logits, targets, "none", None)
    y = targets.data if isinstance(targets, ag.Tensor) and not targets.requires_grad else targets
    y = y if isinstance(y, ag.Tensor) else np.asarray(y).astype(plain.dtype)
    extra = (factor - 1).astype(plain.dtype)
    return weighted(plain + extra * y * softplus(-logits), sample_weight, reduction)
