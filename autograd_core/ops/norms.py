"""Norms of vectors and matrices, each with derivative 0 where the norm is 0.

Sums and extremes of absolute values are composed; where NumPy takes roots its own function is the forward pass.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..rules import composite, primitive, rule
from ..spaces import conj, unreduce
from .spectral import norm_of_values


@primitive
def euclidean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the root of the sum of squares over one axis, two, or all."""
    return np.linalg.norm(x, axis=axis, keepdims=keepdims)


def _euclidean_pull(g: Any, ans: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return unreduce(g / np.where(ans == 0, np.inf, ans), x, axis, keepdims) * conj(x)


rule(euclidean, _euclidean_pull, batched=True)


@primitive
def p_norm(x: Any, ord: Any, axis: int, keepdims: bool = False) -> Any:
    """Return ``sum(abs(x)**ord)**(1/ord)``."""
    return np.linalg.norm(x, ord, axis=axis, keepdims=keepdims)


def _p_norm_pull(g: Any, ans: Any, x: Any, ord: Any = None, axis: int = -1, keepdims: bool = False) -> Any:
    """Return g conj(x) |x|ᵖ⁻² / ansᵖ⁻¹, but 0 where x is 0: our choice where that, or its derivative, is infinite."""
    ans = unreduce(ans, x, axis, keepdims)
    hole = (x == 0) | (ans == 0)
    x, ans = np.where(hole, x.dtype.type(1), x), np.where(hole, ans.dtype.type(1), ans)
    slope = conj(x) / ans * (np.absolute(x) / ans) ** (float(ord) - 2)
    return unreduce(g, x, axis, keepdims) * np.where(hole, x.dtype.type(0), slope)


rule(p_norm, _p_norm_pull, batched=True)


@composite(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if x.dtype.kind not in "fc":
        x = x.astype(float)
    ord = ord if ord is None or isinstance(ord, str | int | float) else float(ord)  # refused by a tracked Tensor
    if axis is None and (ord is None or (x.ndim == 1 and ord == 2) or (x.ndim == 2 and ord in ("f", "fro"))):
        return euclidean(x, axis=None, keepdims=keepdims)
    axes = _axes(axis, x.ndim)
    if len(axes) == 1:
        return _of_vectors(x, ord, axes[0], keepdims)
    if len(axes) == 2:
        return _of_matrices(x, ord, axes, keepdims)
    raise ValueError(f"np.linalg.norm with ord={ord!r} takes one axis or two, not {len(axes)}; vector_norm takes any")


def _of_vectors(x: Any, ord: Any, axis: int, keepdims: bool) -> Any:
    if ord is None or ord == 2:
        return euclidean(x, axis=axis, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f"a vector has no norm of order {ord!r}: 'fro' and 'nuc' belong to matrices")
    if ord == 0:
        return np.sum((x != 0).astype(np.finfo(x.dtype).dtype), axis=axis, keepdims=keepdims)
    if ord not in (1, np.inf, -np.inf):
        return p_norm(x, ord=ord, axis=axis, keepdims=keepdims)
    reduce = np.sum if ord == 1 else _largest if ord > 0 else np.min
    return reduce(np.absolute(x), axis=axis, keepdims=keepdims)


def _of_matrices(x: Any, ord: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    if ord is None or ord in ("f", "fro"):
        return euclidean(x, axis=axes, keepdims=keepdims)
    if ord in (2, -2, "nuc"):
        return norm_of_values(x, ord, axes, keepdims)
    if ord not in (1, -1, np.inf, -np.inf):
        raise ValueError(f"a matrix has no norm of order {ord!r}: only 'fro', 'nuc', 1, -1, 2, -2, inf and -inf")
    rows, columns = axes
    sums = np.sum(np.absolute(x), axis=rows if abs(ord) == 1 else columns, keepdims=True)
    extreme = _largest if ord > 0 else np.min
    return extreme(sums, axis=axes, keepdims=keepdims)


def _largest(size: Any, axis: Any, keepdims: bool) -> Any:
    """Return the maximum of sizes; of none of them 0, as NumPy has it for norms."""
    empty = not math.prod(size.shape[i] for i in _axes(axis, size.ndim))
    return (np.sum if empty else np.max)(size, axis=axis, keepdims=keepdims)


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes that a norm is taken over, counted from the front."""
    if axis is None:
        return tuple(range(ndim))
    return normalize_axis_tuple(axis if isinstance(axis, tuple) else operator.index(axis), ndim)


@composite(np.linalg.vector_norm)
def _vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    if axis is not None and not isinstance(axis, tuple):
        return np.linalg.norm(x, ord, axis=axis, keepdims=keepdims)
    axes = _axes(axis, x.ndim)
    rest = [i for i in range(x.ndim) if i not in axes]
    n = math.prod(x.shape[i] for i in axes)
    flat = np.reshape(np.transpose(x, [*axes, *rest]), (n, *(x.shape[i] for i in rest)))
    ans = np.linalg.norm(flat, ord, axis=0)
    if not keepdims:
        return ans
    return np.reshape(ans, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


@composite(np.linalg.matrix_norm)
def _matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return np.linalg.norm(x, ord, axis=(-2, -1), keepdims=keepdims)
