"""Joining and splitting: everything is made of `concatenate` and of indexing."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..rules import composite, rule


def _concatenate(*arrays: Any, axis: Any = 0, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """Return the arrays joined, and where each of them ends."""
    joined = np.concatenate(arrays, axis=axis, dtype=dtype, casting=casting)
    return joined, list(itertools.accumulate([np.size(a) if axis is None else a.shape[axis] for a in arrays]))


def _concatenate_pull(g: Any, i: int, space: Any, aux: Any, axis: int | None = 0) -> Any:
    """Return the part of the cotangent that belongs to array `i`."""
    part = slice(aux[i - 1] if i else 0, aux[i])
    if axis is None:
        return np.reshape(g[..., part], g.shape[:-1] + tuple(space.shape))
    ndim = len(space.shape)
    return g[(..., part, *(slice(None),) * (ndim - 1 - axis % ndim))]


rule(
    np.concatenate,
    _concatenate_pull,
    compute=_concatenate,
    aux=True,
    params="arrays axis out dtype casting",
    variadic=True,
    batched=True,
    carries=True,
    linear=True,
)


def _stack(*arrays: Any, axis: int = 0, dtype: Any = None, casting: Any = "same_kind") -> Any:
    return np.stack(arrays, axis=axis, dtype=dtype, casting=casting)


def _stack_pull(g: Any, i: int, space: Any, axis: int = 0) -> Any:
    """Return the part of the cotangent that belongs to array `i`."""
    ndim = len(space.shape)
    if len(g.shape) == 1:  # a scalar, where [..., i] would be an array without axes
        return g[i]
    return g[(..., i, *(slice(None),) * (ndim - axis % (ndim + 1)))]


rule(
    np.stack,
    _stack_pull,
    compute=_stack,
    params="arrays axis out dtype casting",
    variadic=True,
    batched=True,
    carries=True,
    linear=True,
)


@composite(np.vstack)
def _vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    if all(len(np.shape(a)) == 1 for a in tup):
        return np.stack(tup, dtype=dtype, casting=casting)
    return np.concatenate([np.atleast_2d(a) for a in tup], 0, dtype=dtype, casting=casting)


@composite(np.hstack)
def _hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    arrays = [a if np.shape(a) else np.atleast_1d(a) for a in tup]
    return np.concatenate(arrays, 0 if arrays and len(np.shape(arrays[0])) == 1 else 1, dtype=dtype, casting=casting)


@composite(np.dstack)
def _dstack(tup: Any) -> Any:
    return np.concatenate([np.atleast_3d(a) for a in tup], 2)


@composite(np.column_stack)
def _column_stack(tup: Any) -> Any:
    if all(len(np.shape(a)) == 1 for a in tup):
        return np.stack(tup, axis=1)
    return np.concatenate([np.reshape(a, (-1, 1)) if np.ndim(a) < 2 else a for a in tup], 1)


@composite(np.append)
def _append(arr: Any, values: Any, axis: int | None = None) -> Any:
    if axis is None:
        arr, values, axis = np.reshape(arr, -1), np.reshape(values, -1), 0
    return np.concatenate([arr, values], axis=axis)


@composite(np.block)
def _block(arrays: Any) -> Any:
    def depth(a: Any) -> int:
        return 1 + depth(a[0]) if isinstance(a, list) else 0

    def widest(a: Any) -> int:
        return max(widest(b) for b in a) if isinstance(a, list) else np.ndim(a)

    levels = depth(arrays)
    ndim = max(levels, widest(arrays))

    def join(a: Any, level: int) -> Any:
        if not isinstance(a, list):
            return np.reshape(a, (1,) * (ndim - np.ndim(a)) + np.shape(a))
        return np.concatenate([join(b, level + 1) for b in a], axis=ndim - levels + level)

    return join(arrays, 0)


@composite(np.array_split)
def _array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    n = ary.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        sections = int(indices_or_sections)
        if sections <= 0:
            raise ValueError("number of sections must be larger than 0")
        each, extra = divmod(n, sections)
        edges = np.cumsum([0] + [each + 1] * extra + [each] * (sections - extra)).tolist()
    else:
        edges = [0, *indices_or_sections, n]
    head = (slice(None),) * (axis % ary.ndim)
    return [ary[(*head, slice(a, b))] for a, b in itertools.pairwise(edges)]


@composite(np.split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    if np.ndim(indices_or_sections) == 0 and ary.shape[axis] % indices_or_sections:
        raise ValueError(f"an axis of length {ary.shape[axis]} cannot be split into {indices_or_sections} equal parts")
    return np.array_split(ary, indices_or_sections, axis)


@composite(np.hsplit)
def _hsplit(ary: Any, indices_or_sections: Any) -> Any:
    return np.split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@composite(np.vsplit)
def _vsplit(ary: Any, indices_or_sections: Any) -> Any:
    return np.split(ary, indices_or_sections, 0)


@composite(np.dsplit)
def _dsplit(ary: Any, indices_or_sections: Any) -> Any:
    return np.split(ary, indices_or_sections, 2)


@composite(np.unstack)
def _unstack(x: Any, /, *, axis: int = 0) -> Any:
    head = (slice(None),) * (axis % x.ndim)
    return tuple(x[(*head, i)] for i in range(x.shape[axis]))


@composite(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError(f"select needs as many choices as conditions: {len(choicelist)} and {len(condlist)}")
    dtype = np.result_type(*(c.dtype if hasattr(c, "dtype") else c for c in (*choicelist, default)))
    result = np.astype(default, dtype) if hasattr(default, "dtype") else np.asarray(default, dtype)
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        result = np.where(condition, choice, result)
    return result
