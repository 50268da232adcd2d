"""Normalisation: mean 0 and variance 1 along some axes, then a scale and a shift of each feature."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag

from .given import numbers, widened


def standardize(x: Any, axis: Any = -1, eps: float = 1e-5) -> Any:
    """Return (x - mean) / sqrt(variance + eps) along an axis or several.

    Examples
    --------
    >>> standardize(np.array([1.0, 3.0]), eps=0)
    array([-1.,  1.])
    """
    return standardize_and_tell(numbers(x, "standardize", "biuf"), axis=axis, eps=eps)[0]


@ag.primitive
def standardize_and_tell(x: Any, axis: Any = -1, eps: float = 1e-5) -> tuple[Any, Any, Any]:
    """Return (x - mean) / sqrt(variance + eps), the mean and the variance; the two keep the axes, of length 1.

    Of half precision these two are float32: squares overflow at 256, and sums stop growing at 2048 times a number.
    """
    wide = widened(x)
    mean = np.mean(wide, axis=axis, keepdims=True)
    d = wide - mean
    variance = np.mean(d * d, axis=axis, keepdims=True)
    d *= 1 / np.sqrt(variance + variance.dtype.type(eps))
    return (d if wide is x else d.astype(x.dtype)), mean, variance


def _standardize_pull(g: Any, x_space: Any, ans: Any, axis: Any = -1, eps: float = 1e-5) -> Any:
    (g, to_mean, to_variance), (y, mean, variance) = g, ans
    g, y = None if g is None else widened(g), widened(y)
    spread = np.sqrt(variance + variance.dtype.type(eps))
    share = mean.size / max(x_space.size, 1)
    found = None
    if g is not None:
        found = (g - g.mean(axis=axis, keepdims=True) - y * (g * y).mean(axis=axis, keepdims=True)) / spread
    if to_variance is not None:
        part = to_variance * (2 * share) * (y * spread)
        found = part if found is None else found + part
    if to_mean is not None:
        part = np.broadcast_to(to_mean * share, x_space.shape)
        found = part if found is None else found + part
    return found


ag.rule(standardize_and_tell, _standardize_pull, args="x", name="standardize", outputs=3, partial=True)


def layer_norm(x: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5) -> Any:
    """Return each observation standardised over its last axes, those that `weight` has (or the last one).

    Examples
    --------
    >>> layer_norm(np.array([[1.0, 3.0], [5.0, 5.0]])).round(4)
    array([[-1.,  1.],
           [ 0.,  0.]])
    """
    y = standardize(x, axis=tuple(range(-weight.ndim, 0)) if weight is not None else -1, eps=eps)
    if weight is not None:
        y = y * weight
    return y if bias is None else y + bias


def batch_norm(x: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5) -> Any:
    """Return every feature, along axis 1, standardised over all observations and places.

    Examples
    --------
    >>> batch_norm(np.array([[1.0], [3.0]]), eps=0)
    array([[-1.],
           [ 1.]])
    """
    return batch_norm_and_tell(x, weight, bias, eps=eps)[0]


def batch_norm_and_tell(
    x: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5
) -> tuple[Any, tuple[Any, Any]]:
    """Return what `batch_norm` does, and the mean and the variance of every feature that were found on the way."""
    x = numbers(x, "batch_norm", "biuf")
    y, mean, variance = standardize_and_tell(x, axis=(0, *range(2, x.ndim)), eps=eps)
    if weight is not None:
        y = y * per_feature(weight, x.ndim)
    return y if bias is None else y + per_feature(bias, x.ndim), (mean.reshape(-1), variance.reshape(-1))


def per_feature(a: Any, ndim: int) -> Any:
    """Return a vector ready to stand beside (n, features, ...)."""
    return a.reshape(-1, *(1,) * (ndim - 2)) if ndim > 2 else a
