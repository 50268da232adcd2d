"""Joining and splitting: everything is made of `concatenate` and of indexing."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..rules import Door, composite, rule
from ..spaces import array, cast
from .shape import MOVES, reshaped


def _concatenate(*arrays: Any, axis: Any = 0, **how: Any) -> Any:
    """Return the arrays joined, and where each of them ends."""
    joined, ends, end = np.concatenate(arrays, axis, **how), [], 0
    for a in arrays:
        end += np.size(a) if axis is None else a.shape[axis]
        ends.append(end)
    return joined, ends


def _concatenate_pull(g: Any, i: int, space: Any, aux: Any, axis: int | None = 0) -> Any:
    """Return the part of the cotangent that belongs to array `i`."""
    part = slice(aux[i - 1] if i else 0, aux[i])
    if axis is None:
        return np.reshape(g[..., part], g.shape[:-1] + tuple(space.shape))
    ndim = len(space.shape)
    return g[(..., part, *(slice(None),) * (ndim - 1 - axis % ndim))]


JOINS: dict[str, Any] = {"params": "arrays axis out dtype casting", "variadic": True, "fixes": True, **MOVES}
CONCATENATE = rule(np.concatenate, _concatenate_pull, compute=_concatenate, aux=True, **JOINS)


def _stack(*arrays: Any, axis: int = 0, **how: Any) -> Any:
    """Return what `numpy.stack` does; by a view of the arrays joined where that will do, in half of its time."""
    first = arrays[0]
    if axis == 0 and type(first) is np.ndarray and first.shape:
        shape = first.shape
        if all(type(a) is np.ndarray and a.shape == shape for a in arrays):
            return np.concatenate(arrays, **how).reshape(len(arrays), *shape)
    return np.stack(arrays, axis, **how)


def _stack_pull(g: Any, i: int, space: Any, axis: int = 0) -> Any:
    """Return the part of the cotangent that belongs to array `i`."""
    ndim = len(space.shape)
    if len(g.shape) == 1:  # a scalar, where [..., i] would be an array without axes
        return g[i]
    return g[(..., i, *(slice(None),) * (ndim - axis % (ndim + 1)))]


STACK = rule(np.stack, _stack_pull, compute=_stack, **JOINS)


def _joined(op: Any, arrays: Any, axis: int, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """Return arrays joined by one of the two operations above, past NumPy's dispatcher, which asks each of them."""
    how = {} if dtype is None and casting == "same_kind" else {"dtype": dtype, "casting": casting}
    arrays = _arrays(arrays)
    if Door.kind in map(type, arrays):
        return Door.record(op, tuple(arrays), {"axis": axis, **how})
    return op.fn(arrays, axis, **how)


def _arrays(given: Any) -> Any:
    """Return what is to be joined, with lists as arrays or as Tensors."""
    return [array(a) for a in given] if list in map(type, given) else given


def _shapes(arrays: Any) -> list[Any]:
    return [a.shape if hasattr(a, "shape") else np.shape(a) for a in arrays]


@composite(np.vstack)
def _vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    tup = _arrays(tup)
    if all(len(shape) == 1 for shape in _shapes(tup)):
        return _joined(STACK, tup, 0, dtype, casting)
    return _joined(CONCATENATE, [np.atleast_2d(a) for a in tup], 0, dtype, casting)


@composite(np.hstack)
def _hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    tup = _arrays(tup)
    shapes = _shapes(tup)
    arrays = [a if shape else np.atleast_1d(a) for a, shape in zip(tup, shapes, strict=True)]
    return _joined(CONCATENATE, arrays, 0 if shapes and len(shapes[0]) < 2 else 1, dtype, casting)


@composite(np.dstack)
def _dstack(tup: Any) -> Any:
    return _joined(CONCATENATE, [np.atleast_3d(a) for a in _arrays(tup)], 2)


@composite(np.column_stack)
def _column_stack(tup: Any) -> Any:
    tup = _arrays(tup)
    shapes = _shapes(tup)
    if all(len(shape) == 1 for shape in shapes):
        return _joined(STACK, tup, 1)
    columns = [reshaped(a, (-1, 1)) if len(shape) < 2 else a for a, shape in zip(tup, shapes, strict=True)]
    return _joined(CONCATENATE, columns, 1)


@composite(np.append)
def _append(arr: Any, values: Any, axis: int | None = None) -> Any:
    arr, values = array(arr), array(values)
    if axis is None:
        arr, values, axis = reshaped(arr, -1), reshaped(values, -1), 0
    return _joined(CONCATENATE, (arr, values), axis)


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
    if not x.ndim:
        raise ValueError("np.unstack takes an array with an axis or more, not a number")
    head = (slice(None),) * (axis % x.ndim)
    return tuple(x[(*head, i)] for i in range(x.shape[axis]))


@composite(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError(f"select needs as many choices as conditions: {len(choicelist)} and {len(condlist)}")
    choicelist, default = _arrays(choicelist), array(default) if type(default) is list else default
    dtype = np.result_type(*(c.dtype if hasattr(c, "dtype") else c for c in (*choicelist, default)))
    result = cast(array(default), dtype)
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        result = np.where(condition, choice, result)
    return result
