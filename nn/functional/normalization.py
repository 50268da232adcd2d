"""Normalisation: mean 0 and variance 1 along some axes, then a scale and a shift of each feature."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag


def _standardize(x: Any, axis: Any, eps: float) -> tuple[Any, Any]:
    """Return (x - mean) / sqrt(variance + eps), and the mean and 1 / sqrt(variance + eps)."""
    mean = np.mean(x, axis=axis, keepdims=True)
    d = x - mean
    scale = 1 / np.sqrt(np.mean(d * d, axis=axis, keepdims=True) + eps)
    return d * scale, (mean, scale)


@ag.primitive
def standardize(x: Any, axis: Any = -1, eps: float = 1e-5) -> Any:
    """Return (x - mean) / sqrt(variance + eps) along an axis or several.

    Examples
    --------
    >>> standardize(np.array([1.0, 3.0]), eps=0)
    array([-1.,  1.])
    """
    return _standardize(x, axis, eps)[0]


def _standardize_pull(g: Any, x: Any, axis: Any = -1, eps: float = 1e-5, aux: Any = None) -> Any:
    if isinstance(x, ag.Tensor):  # for a gradient of this gradient mean and scale are functions of x
        _, aux = _standardize(x, axis, eps)
    mean, scale = aux
    y = (x - mean) * scale
    return scale * (g - g.mean(axis=axis, keepdims=True) - y * (g * y).mean(axis=axis, keepdims=True))


def _compute(x: Any, axis: Any = -1, eps: float = 1e-5) -> tuple[Any, Any]:
    return _standardize(x, axis, eps)


ag.rule(standardize, _standardize_pull, compute=_compute, aux=True)


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
    y = standardize(x, axis=(0, *range(2, x.ndim)), eps=eps)
    if weight is not None:
        y = y * per_feature(weight, x.ndim)
    return y if bias is None else y + per_feature(bias, x.ndim)


def per_feature(a: Any, ndim: int) -> Any:
    """Return a vector ready to stand beside (n, features, ...)."""
    return a.reshape(-1, *(1,) * (ndim - 2)) if ndim > 2 else a
