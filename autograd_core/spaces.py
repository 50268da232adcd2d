"""Shapes and dtypes of values, and the one place where broadcasting and promotion are undone.

Everything here works on anything that speaks NumPy's protocols, so it may itself stand on a tape. Imports nothing of
ours.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np


class Space:
    """Shape and dtype of an array, without its values."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        """Return the number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Return the number of entries."""
        return math.prod(self.shape)

    def __repr__(self) -> str:
        return f"{np.dtype(self.dtype).name}{list(self.shape)}"


def space_of(x: Any) -> Space:
    """Return the space in which an array lives."""
    return Space(np.shape(x), x.dtype if hasattr(x, "dtype") else np.result_type(x))


def project(g: Any, space: Any, lead: int = 0) -> Any:
    """Put a gradient back into the space of its variable: its shape, its realness, its dtype.

    The forward pass broadcasts and promotes implicitly; this undoes both, once, for every rule. The first `lead` axes
    are not touched: they number the rows of a batch of cotangents.

    Examples
    --------
    >>> project(np.ones((3, 2)), Space((2,), np.float64))
    array([3., 3.])
    >>> project(np.ones((3, 2)), Space((3, 1), np.float32))
    array([[2.],
           [2.],
           [2.]], dtype=float32)
    """
    shape = g.shape
    if len(shape) == 2 and not lead and space.shape == shape[1:] and type(g) is np.ndarray:
        g = sum_in_front(g, (0,))  # a bias, the commonest of all
    elif shape[lead:] != space.shape:
        extra = g.ndim - lead - len(space.shape)
        if extra > 0:
            axes = tuple(range(lead, lead + extra))
            g = sum_in_front(g, axes) if isinstance(g, np.ndarray) else g._sum_in_front(axes)
        stretched = tuple(
            lead + i for i, n in enumerate(space.shape) if n == 1 and g.shape[lead + i : lead + i + 1] != (1,)
        )
        if stretched and extra >= 0:
            g = np.add.reduce(g, axis=stretched, keepdims=True)
        if g.shape[lead:] != space.shape:
            raise ValueError(f"a gradient of shape {g.shape[lead:]} for a variable of shape {space.shape}")
    return g if g.dtype == space.dtype else as_dtype(g, space.dtype)


def sum_in_front(x: Any, axis: tuple[int, ...]) -> Any:
    """Return the sum over axes that broadcasting has put in front."""
    if axis == (0,) and x.ndim == 2 and x.flags.c_contiguous:
        return ones(x.shape[0], x.dtype).dot(x)  # 0.5 us where the sum takes 1.3
    return np.add.reduce(x, axis=axis)


def as_dtype(g: Any, dtype: Any) -> Any:
    """Return a cotangent or a tangent in another dtype; of a real variable only the real part is of interest."""
    return (np.real(g) if g.dtype.kind == "c" and np.dtype(dtype).kind != "c" else g).astype(dtype)


def unreduce(g: Any, space: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Stretch the result of a reduction back over the axes it removed.

    Axes are counted from the end, so a batch of cotangents (one more axis in front) is stretched row by row.

    Examples
    --------
    >>> unreduce(np.array([1.0, 2.0]), Space((2, 3), np.float64), axis=1)
    array([[1., 1., 1.],
           [2., 2., 2.]])
    """
    ndim = len(space.shape)
    if isinstance(g, np.generic):  # np.broadcast_to takes 3.3 us, a view made by hand 0.4
        return np.ndarray(space.shape, g.dtype, g, 0, (0,) * ndim)
    if type(g) is np.ndarray and type(axis) is int and g.flags.c_contiguous and g.ndim == ndim - (not keepdims):
        strides = list(g.strides)
        if keepdims:
            strides[axis] = 0
        else:
            strides.insert(axis % ndim, 0)
        return np.ndarray(space.shape, g.dtype, g, 0, strides)
    axes = from_end(axis, ndim, reducing=True)
    lead = g.ndim - (ndim if keepdims else ndim - len(axes))
    reduced = tuple([1 if i - ndim in axes else n for i, n in enumerate(space.shape)])
    g = np.reshape(g, g.shape[:lead] + reduced)
    shape = g.shape[:lead] + tuple(space.shape)
    if type(g) is np.ndarray and g.flags.c_contiguous:
        steps = tuple([0 if m == 1 and m != n else s for m, n, s in zip(g.shape, shape, g.strides, strict=True)])
        return np.ndarray(shape, g.dtype, g, 0, steps)
    return np.broadcast_to(g, shape)


@functools.lru_cache(maxsize=256)
def ones(n: int, dtype: Any) -> Any:
    """Return a read-only vector of ones, made once."""
    found = np.ones(n, dtype)
    found.flags.writeable = False
    return found


def from_end(axis: Any, ndim: int, reducing: bool = False) -> tuple[int, ...]:
    """Return axes as negative numbers, all of them for None; `reducing` a number, 0 and -1 are none, as in NumPy.

    Examples
    --------
    >>> from_end(None, 2), from_end(0, 2), from_end((-1, 0), 3)
    ((-2, -1), (-2,), (-1, -3))
    """
    if axis is None:
        return tuple(range(-ndim, 0))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    if reducing and not ndim and axis in (0, -1):
        return ()
    for a in axes:
        if not -ndim <= a < ndim:  # counted from the end, an axis too many would be the first
            raise np.exceptions.AxisError(a, ndim)
    return tuple(a if a < 0 else a - ndim for a in axes)


def mT(x: Any) -> Any:
    """Swap the last two axes."""
    return np.swapaxes(x, -1, -2)


def conj(x: Any) -> Any:
    """Return the complex conjugate; real numbers as they are, without an operation."""
    return np.conjugate(x) if x.dtype.kind == "c" else x


def array(a: Any) -> Any:
    """Return an array or a Tensor as it is, anything else as an array; lists of Tensors are stacked."""
    if hasattr(a, "dtype"):
        return a
    return np.stack([array(b) for b in a]) if has_tensors(a) else np.asarray(a)


def has_tensors(a: Any) -> bool:
    """Say whether there are Tensors in nested lists: what has a dtype and is not NumPy's own."""
    if not isinstance(a, list | tuple):
        return hasattr(a, "dtype") and not isinstance(a, np.ndarray | np.generic)
    return any(has_tensors(b) for b in a)


def cast(a: Any, dtype: Any) -> Any:
    """Return an array or a Tensor in a dtype: as it is, if it has that already or None is asked for."""
    return a if dtype is None or a.dtype == dtype else a.astype(dtype)
