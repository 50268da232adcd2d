"""From one loss each to one for all, by mean or sum, with weights or without; and a maker of element-wise losses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, Literal, cast

import numpy as np

import autograd_core as ag

from ..functional.given import HALF, numbers, widened
from ..signatures import OfArray, P

Reduction = Literal["mean", "sum", "none"]


def in_single(loss: Callable[Concatenate[Any, P], Any]) -> OfArray[P]:
    """Let a loss of half precision be reckoned in float32, and given in half: squares overflow at 256 there."""
    first, second = loss.__code__.co_varnames[:2]

    @functools.wraps(loss)
    def given(*args: Any, **settings: Any) -> Any:
        if len(args) >= 2:
            prediction, target = args[:2]
        elif second in settings:
            prediction, target = args[0] if args else settings.get(first), settings[second]
        else:
            prediction = target = None  # whoever forgot it is told
        if getattr(prediction, "dtype", None) != HALF or _is_wide(target):
            return loss(*args, **settings)
        rest = {name: value for name, value in settings.items() if name not in (first, second)}
        found = loss(widened(prediction), widened(target), *args[2:], **rest)
        with np.errstate(over="ignore"):  # a loss beyond 65504 is infinite, its gradient is not
            return found.astype(HALF)

    return cast("OfArray[P]", given)


def _is_wide(target: Any) -> bool:
    """Say whether a target makes the loss one of float32 or float64 by itself."""
    dtype = getattr(target, "dtype", HALF)
    return dtype.kind == "f" and dtype.itemsize > 2


def reduce(losses: Any, reduction: str) -> Any:
    """Return the mean or the sum of plain losses, or the losses."""
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


def weighted(losses: Any, sample_weight: Any, reduction: str) -> Any:
    """Return the weighted mean or sum of losses, or the weighted losses; a weight for each, or for each observation.

    Examples
    --------
    >>> weighted(np.array([1.0, 4.0]), [1, 2], "mean")
    np.float64(3.0)
    """
    if reduction not in ("mean", "sum", "none"):
        reduce(losses, reduction)
    if sample_weight is None:
        return losses if reduction == "none" else np.mean(losses) if reduction == "mean" else np.sum(losses)
    w = sample_weight.data if isinstance(sample_weight, ag.Tensor) else np.asarray(sample_weight)
    w = _weights(w, losses=losses.shape, dtype=losses.dtype, shares=reduction == "mean")
    return losses * w if reduction == "none" else np.sum(losses * w)


@ag.primitive
def _weights(w: Any, losses: tuple[int, ...], dtype: Any, shares: bool) -> Any:
    """Return a weight for each loss, or its share of all weights: one operation, so that a compiled loss looks at them.

    Weights are one for each observation or for each loss.
    """
    if w.shape != losses[: w.ndim]:
        raise ValueError(f"losses of shape {losses} need sample weights of shape {losses[:1]}, not {w.shape}")
    if w.dtype.kind not in "biuf" or not np.all((w >= 0) & (w < np.inf)):
        raise ValueError("sample weights are finite numbers from 0 upwards")
    w = np.broadcast_to(w.reshape(*w.shape, *(1,) * (len(losses) - w.ndim)), losses).astype(dtype)
    if not shares:
        return w
    if not (total := w.sum()) > 0:
        raise ValueError("the mean loss needs a sample weight above 0")
    return w / total


ag.rule(_weights, None, args="w", metadata="losses dtype shares")


def share(g: Any, size: int, reduction: str) -> Any:
    """Return what of a cotangent falls on one of `size` losses."""
    return g * (1.0 / size) if reduction == "mean" else g


def alike(name: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Return two real arrays of one shape in floats, those of the other for integers; or say what is wrong."""
    prediction, target = (a if hasattr(a, "dtype") else numbers(a, name) for a in (prediction, target))
    if prediction.shape == target.shape and prediction.dtype.kind == target.dtype.kind == "f":
        return prediction, target
    for a in (prediction, target):
        if a.dtype.kind not in "biufc":
            raise TypeError(f"{name} takes numbers, not an array of dtype {a.dtype}")
    if prediction.shape != target.shape:
        raise ValueError(
            f"{name} needs a prediction and a target of one shape, not {prediction.shape} and {target.shape}: it does "
            f"not broadcast; write target.reshape(prediction.shape) if their entries belong together"
        )
    kinds = prediction.dtype.kind + target.dtype.kind
    if "c" in kinds:
        raise TypeError(f"{name} of complex numbers: take it of their real and imaginary parts, or of np.abs of them")
    if prediction.dtype.kind != "f":
        prediction = prediction.astype(target.dtype if target.dtype.kind == "f" else float)
    if target.dtype.kind != "f":
        target = target.astype(prediction.dtype)
    return prediction, target


Formula = Callable[[Any, Any], Any]


def elementwise_loss(
    name: str,
    value: Formula,
    slope: Formula,
    target_slope: Formula | None = None,
    check: Callable[[Any, Any], None] | None = None,
) -> Callable[..., Any]:
    """Return a loss, one operation on the tape, of the formulas for its value and its slopes at each entry."""

    @ag.primitive
    def op(prediction: Any, target: Any, reduction: str = "mean") -> Any:
        prediction, target = alike(name, prediction, target)
        if check is not None:
            check(prediction, target)
        return reduce(value(prediction, target), reduction)

    def pull(g: Any, prediction: Any, target: Any, reduction: str = "mean") -> Any:
        return share(g, prediction.size, reduction) * slope(prediction, target)

    def pull_target(g: Any, prediction: Any, target: Any, reduction: str = "mean") -> Any:
        assert target_slope is not None
        return share(g, prediction.size, reduction) * target_slope(prediction, target)

    ag.rule(op, pull, pull_target if target_slope else None, args="prediction target", name=name, inline=check is None)

    def loss(prediction: Any, target: Any, reduction: str = "mean", sample_weight: Any = None) -> Any:
        if sample_weight is None:
            return op(prediction, target, reduction=reduction)
        return weighted(op(prediction, target, reduction="none"), sample_weight, reduction)

    return loss


def probable(name: str, what: str, p: Any) -> None:
    """Refuse what is not a probability; one that is predicted may be NaN, as any loss may."""
    outside = (p < 0) | (p > 1)
    if np.any(outside if what == "probabilities" else outside | np.isnan(p)):
        raise ValueError(f"the {what} of {name} lie between 0 and 1")


def clamped_log(p: Any) -> Any:
    """Return log(p), but no less than -100, as PyTorch has it."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(p), -100)


def distributed(name: str, what: str, p: Any) -> None:
    """Refuse what is not a distribution along the last axis: numbers between 0 and 1 whose sum is 1.

    The sum may be 1e-3 away from 1, a rounding of half precision.
    """
    probable(name, what, p)
    total = p.sum(axis=-1)
    if not np.all(np.abs(total - 1) < 1e-3):
        wrong = total.ravel()[np.argmax(np.abs(total - 1))]
        raise ValueError(
            f"the {what} of {name} add up to 1 along the last axis, not to {wrong:.6g}; write p / p.sum(axis=-1, "
            f"keepdims=True), or pass integer labels"
        )
