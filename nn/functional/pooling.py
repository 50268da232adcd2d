"""Pooling: the largest or the mean entry of each window.

Windows are taken one offset after the other, for all places at once: as many passes as a window has entries, over
slices, and no copy of the windows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import autograd_core as ag

from .convolution import inside, lengths, offsets, padded, places
from .given import floats, numbers


def max_pool2d(x: Any, window: Any, *, stride: Any = None, padding: Any = 0) -> Any:
    """Return the largest entry of each window; the first of equal ones gets the gradient.

    Parameters
    ----------
    x : (..., height, width) array
    window : int or pair
    stride : int or pair, optional
        How far a window moves at each step: by its own size unless given.
    padding : int or pair
        How many entries that are never the largest stand around an image.

    Examples
    --------
    >>> max_pool2d(np.array([[[[1.0, 2.0], [4.0, 3.0]]]]), 2)
    array([[[[4.]]]])
    """
    x = numbers(x, "max_pool2d", "biuf")
    return largest(x, **_settings("max_pool2d", x, window, stride, padding))


def avg_pool2d(x: Any, window: Any, *, stride: Any = None, padding: Any = 0) -> Any:
    """Return the mean of each window, the zeros of the padding included, as PyTorch has it.

    Examples
    --------
    >>> avg_pool2d(np.array([[[[1.0, 2.0], [4.0, 3.0]]]]), 2)
    array([[[[2.5]]]])
    """
    x = floats(x, "avg_pool2d")
    return averages(x, **_settings("avg_pool2d", x, window, stride, padding))


def _settings(name: str, x: Any, window: Any, stride: Any, padding: Any) -> dict[str, Any]:
    if x.ndim < 3:
        raise ValueError(f"{name} needs x of shape (..., channels, height, width), not {x.shape}")
    window = lengths(window, 2, "window", 1)
    stride = window if stride is None else lengths(stride, 2, "stride", 1)
    padding = lengths(padding, 2, "padding", 0)
    if any(2 * p > k for p, k in zip(padding, window, strict=True)):
        raise ValueError(f"{name} takes a padding of at most half the window {window}, not {padding}")
    return {"window": window, "stride": stride, "padding": padding}


# --- the largest ------------------------------------------------------------------------------------------------------


def _find(x: Any, window: Any, stride: Any, padding: Any) -> tuple[Any, Any]:
    """Return the largest entries, and at which offset of its window each was found."""
    at = places(x.shape[-2:], window, stride, padding)
    x = padded(x, padding, _least(x.dtype) if any(padding) else 0)
    y: Any = None
    for k, (_, index) in enumerate(offsets(window, stride, at)):
        entry = x[index]
        if y is None:
            y, which = entry.copy(), np.zeros(entry.shape, np.min_scalar_type(math.prod(window) - 1))
            continue
        # the last offset that beats all before it: offsets grow, so a maximum of numbers keeps it
        np.maximum(which, (entry > y).astype(which.dtype) * which.dtype.type(k), out=which)
        np.maximum(y, entry, out=y)
    return y, which


def _least(dtype: Any) -> Any:
    """Return what is never larger than a number of this dtype."""
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min if dtype.kind in "iu" else False


@ag.primitive
def largest(x: Any, window: Any, stride: Any, padding: Any) -> Any:
    """Return the largest entry of each window."""
    return _find(np.asarray(x), window, stride, padding)[0]


@ag.primitive
def chosen(x: Any, which: Any, window: Any, stride: Any, padding: Any) -> Any:
    """Return from each window the entry at an offset of its own."""
    x = padded(x, padding)
    y = np.zeros(which.shape, x.dtype)
    for k, (_, index) in enumerate(offsets(window, stride, which.shape[-2:])):
        y += x[index] * (which == k)
    return y


@ag.primitive
def put_back(y: Any, which: Any, size: Any, window: Any, stride: Any, padding: Any) -> Any:
    """Return images of a size with each entry of y added where `chosen` takes it from."""
    out = np.zeros((*y.shape[:-2], *(n + 2 * p for n, p in zip(size, padding, strict=True))), y.dtype)
    apart = all(s >= k for s, k in zip(stride, window, strict=True))
    for k, (_, index) in enumerate(offsets(window, stride, y.shape[-2:])):
        if apart:
            np.multiply(y, which == k, out=out[index])
        else:
            out[index] += y * (which == k)
    return inside(out, size, padding)


def _largest_pull(g: Any, x_space: Any, window: Any, stride: Any, padding: Any, aux: Any = None) -> Any:
    return put_back(g, aux, size=x_space.shape[-2:], window=window, stride=stride, padding=padding)


ag.rule(largest, _largest_pull, compute=_find, args="x", name="max_pool2d", aux=True)
ag.rule(
    chosen,
    lambda g, which, x_space, window, stride, padding: put_back(
        g, which, size=x_space.shape[-2:], window=window, stride=stride, padding=padding
    ),
    None,
    args="x which",
)
ag.rule(
    put_back,
    lambda g, which, window, stride, padding: chosen(g, which, window=window, stride=stride, padding=padding),
    None,
    args="y which",
    metadata="size",
)


# --- the mean ---------------------------------------------------------------------------------------------------------


@ag.primitive
def averages(x: Any, window: Any, stride: Any, padding: Any) -> Any:
    """Return the mean of each window."""
    at = places(x.shape[-2:], window, stride, padding)
    x = padded(x, padding)
    y = np.zeros((*x.shape[:-2], *at), x.dtype)
    for _, index in offsets(window, stride, at):
        y += x[index]
    y *= y.dtype.type(1 / math.prod(window))
    return y


@ag.primitive
def spread(y: Any, size: Any, window: Any, stride: Any, padding: Any) -> Any:
    """Return images of a size with an equal share of each entry of y added all over its window."""
    out = np.zeros((*y.shape[:-2], *(n + 2 * p for n, p in zip(size, padding, strict=True))), y.dtype)
    share = y * y.dtype.type(1 / math.prod(window))
    for _, index in offsets(window, stride, y.shape[-2:]):
        out[index] += share
    return inside(out, size, padding)


ag.rule(
    averages,
    lambda g, x_space, window, stride, padding: spread(
        g, size=x_space.shape[-2:], window=window, stride=stride, padding=padding
    ),
    args="x",
    name="avg_pool2d",
    linear=True,
)
ag.rule(
    spread,
    lambda g, window, stride, padding: averages(g, window=window, stride=stride, padding=padding),
    args="y",
    metadata="size",
    linear=True,
)
