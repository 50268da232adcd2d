"""Convolution: a weight moved over an image, or along a signal, as a product with its windows.

Three functions are bilinear and each other's pullbacks: the convolution itself, what it sends back to the image and
what it sends back to the weight. The windows of a few images at a time are copied to the columns of a matrix that fits
into the cache, so that a convolution is a few large products and keeps nothing but its arguments.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

import autograd_core as ag

from .given import numbers

BLOCK = 2**18  # entries of the matrix of windows


class Moves(NamedTuple):
    """How a window is moved: along each axis by `stride`, with a margin of `padding`, its entries `dilation` apart."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int


def conv1d(
    x: Any, weight: Any, bias: Any = None, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """Return the correlation of signals with windows: `conv2d` with one axis.

    Parameters
    ----------
    x : (n, c_in, length) array
    weight : (c_out, c_in / groups, k) array
    bias : (c_out,) array, optional
    stride, dilation, groups : int
    padding : int or "same"

    Examples
    --------
    >>> conv1d(np.array([[[1.0, 2.0, 4.0]]]), np.array([[[-1.0, 1.0]]]))
    array([[[1., 2.]]])
    """
    return _convolution(1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(
    x: Any, weight: Any, bias: Any = None, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """Return the correlation of images with windows, summed over the channels: what networks call a convolution.

    Parameters
    ----------
    x : (n, c_in, height, width) array
    weight : (c_out, c_in / groups, k, l) array
    bias : (c_out,) array, optional
    stride : int or pair
        How far a window moves at each step.
    padding : int or pair or "same"
        How many zeros stand around an image; "same" makes results of its size, for a stride of 1.
    dilation : int or pair
        How far apart the entries of a window stand.
    groups : int
        In how many parts the channels are split: each part of the results sees one part of x.

    Examples
    --------
    >>> conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))
    array([[[[4., 4.],
             [4., 4.]]]])
    >>> conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), padding="same")
    array([[[[4., 4., 2.],
             [4., 4., 2.],
             [2., 2., 1.]]]])
    """
    return _convolution(2, x, weight, bias, stride, padding, dilation, groups)


def _convolution(d: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    stride, dilation, groups = check_moves(d, stride, padding, dilation, groups)
    x = numbers(x, f"conv{d}d")
    _check(f"conv{d}d", d, x, weight, bias, groups)
    if padding == "same":
        total = [step * (k - 1) for step, k in zip(dilation, weight.shape[2:], strict=True)]
        padding = tuple(n // 2 for n in total)
        if any(n % 2 for n in total):  # one zero more at the end, as in PyTorch
            x = np.pad(x, ((0, 0), (0, 0), *((0, n % 2) for n in total)))
    how = Moves(stride, lengths(padding, d, "padding", 0), dilation, groups)
    if bias is None:
        return correlate(x, weight, how=how)
    return _correlate_and_add(x, weight, bias, how=how)


def check_moves(d: int, stride: Any, padding: Any, dilation: Any, groups: int) -> tuple[Any, Any, int]:
    """Return stride, dilation and groups as they are needed, or say what is wrong with one of the four."""
    stride, dilation = lengths(stride, d, "stride", 1), lengths(dilation, d, "dilation", 1)
    (groups,) = lengths(groups, 1, "groups", 1)
    if padding == "same":
        if max(stride) > 1:
            raise ValueError(f'padding="same" needs a stride of 1, not {stride}: there are fewer results than entries')
    elif isinstance(padding, str):
        raise ValueError(f'padding is a number of zeros or "same", not {padding!r}')
    else:
        lengths(padding, d, "padding", 0)
    return stride, dilation, groups


def _check(name: str, d: int, x: Any, weight: Any, bias: Any, groups: int) -> None:
    """Say which shapes do not belong together."""
    if weight.ndim != d + 2:
        raise ValueError(f"{name} needs a weight with {d + 2} axes, (c_out, c_in, ...), not of shape {weight.shape}")
    if x.ndim != d + 2:
        raise ValueError(f"{name} needs x with {d + 2} axes, (n, channels, ...), not of shape {x.shape}")
    if x.shape[1] != (channels := weight.shape[1] * groups):
        parts = f" and {groups} groups" if groups > 1 else ""
        raise ValueError(
            f"{name} with a weight of shape {weight.shape}{parts} needs {channels} channels; x has the shape {x.shape}"
        )
    if len(weight) % groups:
        raise ValueError(f"{name} cannot split {len(weight)} results into {groups} groups")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"{name} with a weight of shape {weight.shape} needs a bias of shape {weight.shape[:1]}, "
                         f"not {bias.shape}")  # fmt: skip


def lengths(value: Any, d: int, what: str, least: int) -> tuple[int, ...]:
    """Return one length for each of `d` axes, of a number for all or a sequence of them.

    Examples
    --------
    >>> lengths(2, 2, "stride", 1), lengths((1, 2), 2, "stride", 1)
    ((2, 2), (1, 2))
    """
    given = value if isinstance(value, tuple | list) else (value,) * d
    found = tuple(n for n in given if hasattr(n, "__index__"))
    if len(given) != d or len(found) != d or min(map(operator.index, found)) < least:
        raise ValueError(f"{what} is an integer from {least} upwards, or {d} of them, not {value!r}")
    return tuple(map(operator.index, found))


def places(size: tuple[int, ...], window: tuple[int, ...], stride: Any, padding: Any, dilation: Any = 1) -> Any:
    """Return at how many places along each axis a window fits.

    Examples
    --------
    >>> places((28, 28), (5, 5), (1, 1), (0, 0))
    (24, 24)
    """
    wide = tuple(
        step * (k - 1) + 1 for step, k in zip(lengths(dilation, len(size), "dilation", 1), window, strict=True)
    )
    found = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, wide, stride, padding, strict=True))
    if min(found) < 1:
        spread = f", spread over {wide}," if wide != window else ""
        raise ValueError(f"a window of {window}{spread} does not fit into {size} with a padding of {tuple(padding)}")
    return found


def padded(x: Any, padding: tuple[int, ...], value: Any = 0) -> Any:
    """Return an array with a margin around its last axes."""
    if not any(padding):
        return x
    d = len(padding)
    inner = tuple(n + 2 * p for n, p in zip(x.shape[-d:], padding, strict=True))
    out = np.full((*x.shape[:-d], *inner), value, x.dtype)
    inside(out, x.shape[-d:], padding)[...] = x
    return out


def inside(x: Any, size: Any, padding: tuple[int, ...]) -> Any:
    """Return a view of an array without its margin."""
    return x[(..., *(slice(p, p + n) for n, p in zip(size, padding, strict=True)))] if any(padding) else x


def windows(x: Any, window: tuple[int, ...], how: Moves, at: tuple[int, ...]) -> Any:
    """Return a view (n, channels, ...) -> (channels, offsets..., n, places...) of all windows."""
    n, c, *rest = x.strides
    moved = [step * s for step, s in zip(rest, how.stride, strict=True)]
    apart = [step * s for step, s in zip(rest, how.dilation, strict=True)]
    return as_strided(x, (x.shape[1], *window, x.shape[0], *at), (c, *apart, n, *moved), writeable=False)


def offsets(
    window: tuple[int, ...], stride: Any, at: tuple[int, ...], dilation: Any = None
) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield each offset in a window with the index of the entries that stand there, one for each place."""
    dilation = dilation or (1,) * len(window)
    for offset in itertools.product(*map(range, window)):
        rows = zip(offset, dilation, stride, at, strict=True)
        yield offset, (..., *(slice(i * d, i * d + s * (m - 1) + 1, s) for i, d, s, m in rows))


def _blocks(n: int, each: int) -> Iterator[slice]:
    size = max(1, min(n, BLOCK // max(each, 1)))
    return (slice(i, min(i + size, n)) for i in range(0, n, size))


def _columns(x: Any, window: tuple[int, ...], how: Moves, at: tuple[int, ...]) -> Iterator[tuple[slice, Any]]:
    """Yield blocks of images with the matrix of their windows, a column for each; the matrix is overwritten."""
    rows, each = x.shape[1] * math.prod(window), math.prod(at)
    room = None
    for block in _blocks(len(x), rows * each):
        view = windows(x[block], window, how, at)
        if room is None or room.shape != view.shape:
            room = np.empty(view.shape, x.dtype)
        np.copyto(room, view)
        yield block, room.reshape(rows, -1)


def _by_channel(y: Any) -> Any:
    """Return (n, channels, ...) as the matrix (channels, n * ...)."""
    return np.moveaxis(y, 1, 0).reshape(y.shape[1], -1)


def _split(matrix: Any, groups: int) -> Any:
    """Return a matrix as a stack of groups of its rows."""
    return matrix.reshape(groups, -1, matrix.shape[1])


def _product(a: Any, b: Any) -> Any:
    """Return the product of two stacks of matrices, group by group, one below the other."""
    return a[0].dot(b[0]) if len(a) == 1 else np.matmul(a, b).reshape(-1, b.shape[2])


# --- three bilinear functions -----------------------------------------------------------------------------------------


@ag.primitive
def correlate(x: Any, weight: Any, how: Moves) -> Any:
    """Return the sum of products of `weight` with each window of `x`."""
    return _correlate(x, weight, None, how)


def _correlate(x: Any, weight: Any, bias: Any, how: Moves) -> Any:
    window = weight.shape[2:]
    at = places(x.shape[2:], window, how.stride, how.padding, how.dilation)
    dtype = np.result_type(x, weight) if bias is None else np.result_type(x, weight, bias)
    y = np.empty((len(x), len(weight), *at), dtype)
    matrix = _split(weight.reshape(len(weight), -1), how.groups)
    for block, columns in _columns(padded(x, how.padding), window, how, at):
        product = _product(matrix, _split(columns, how.groups)).reshape(len(weight), -1, *at)
        if bias is not None:
            product += bias.reshape(-1, *(1,) * (len(at) + 1))
        y[block] = np.moveaxis(product, 0, 1)
    return y


@ag.primitive
def correlate_back(y: Any, weight: Any, size: Any, how: Moves) -> Any:
    """Return for every entry of an image of that size the sum of what its windows send back."""
    window, at, channels = weight.shape[2:], y.shape[2:], weight.shape[1] * how.groups
    inner = tuple(n + 2 * p for n, p in zip(size, how.padding, strict=True))
    out = np.zeros((channels, len(y), *inner), np.result_type(y, weight))
    matrix = _split(weight.reshape(len(weight), -1), how.groups).swapaxes(1, 2)
    for block in _blocks(len(y), channels * math.prod(window) * math.prod(at)):
        columns = _product(matrix, _split(_by_channel(y[block]), how.groups)).reshape(channels, *window, -1, *at)
        part = out[:, block]
        for offset, index in offsets(window, how.stride, at, how.dilation):
            part[index] += columns[(slice(None), *offset)]
    return np.moveaxis(inside(out, size, how.padding), 0, 1)


@ag.primitive
def correlate_weight(y: Any, x: Any, window: Any, how: Moves) -> Any:
    """Return for every entry of a weight the sum over all windows of what meets it."""
    channels = x.shape[1] // how.groups
    out = np.zeros((y.shape[1], channels * math.prod(window)), np.result_type(y, x))
    for block, columns in _columns(padded(x, how.padding), window, how, y.shape[2:]):
        out += _product(_split(_by_channel(y[block]), how.groups), _split(columns, how.groups).swapaxes(1, 2))
    return out.reshape(y.shape[1], channels, *window)


@ag.primitive
def _correlate_and_add(x: Any, weight: Any, bias: Any, how: Moves) -> Any:
    return _correlate(x, weight, bias, how)


def _pull_x(g: Any, weight: Any, x_space: Any, how: Moves) -> Any:
    return correlate_back(g, weight, size=x_space.shape[2:], how=how)


def _pull_weight(g: Any, x: Any, weight_space: Any, how: Moves) -> Any:
    return correlate_weight(g, x, window=weight_space.shape[2:], how=how)


def _pull_bias(g: Any) -> Any:
    return g.sum(axis=(0, *range(2, g.ndim)))


# fmt: off
ag.rule(correlate, _pull_x, _pull_weight, args="x weight", name="convolution", linear=True)
ag.rule(_correlate_and_add, _pull_x, _pull_weight, _pull_bias, args="x weight bias", name="convolution")
# fmt: on
ag.rule(
    correlate_back,
    lambda g, weight, how: correlate(g, weight, how=how),
    lambda g, y, weight_space, how: _pull_weight(y, g, weight_space, how),
    args="y weight",
    metadata="size",
    linear=True,
)
ag.rule(
    correlate_weight,
    lambda g, x, how: correlate(x, g, how=how),
    lambda g, y, x_space, how: _pull_x(y, g, x_space, how),
    args="y x",
    metadata="window",
    linear=True,
)
