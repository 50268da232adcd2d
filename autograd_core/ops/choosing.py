"""Functions applied piece by piece, and sets: what is not taken is absent."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules import composite
from ..spaces import array, cast, from_end
from .index import setitem
from .values import plain, values


@composite(np.choose)
def _choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    a, n = values(array(a)), len(choices)
    if mode == "wrap":
        a = a % n
    elif mode == "clip":
        a = np.clip(a, 0, n - 1)
    elif np.any((a < 0) | (a >= n)):
        raise ValueError(f"np.choose among {n} choices was asked for others; mode='wrap' or 'clip' allows that")
    result = array(choices[0])
    for k in range(1, n):
        result = np.where(a == k, choices[k], result)
    return np.where(a == 0, result, result) if n == 1 else result


@composite(np.piecewise)
def _piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    x = array(x)
    if np.isscalar(condlist) or (not isinstance(condlist[0], list | np.ndarray) and x.ndim):
        condlist = [condlist]
    conditions = np.asarray(condlist, dtype=bool)
    if len(funclist) == len(conditions) + 1:
        conditions = np.concatenate([conditions, ~np.any(conditions, axis=0, keepdims=True)])
    elif len(funclist) != len(conditions):
        raise ValueError(
            f"np.piecewise with {len(conditions)} conditions takes as many functions, or one more, not {len(funclist)}"
        )
    y = np.zeros(x.shape, x.dtype)
    for condition, fn in zip(conditions, funclist, strict=True):
        index = condition if condition.ndim else (condition[()],)
        part = fn(x[index], *args, **kw) if callable(fn) and np.any(condition) else 0 if callable(fn) else fn
        if np.any(condition):
            y = setitem(y, array(part), index=index)
    return y


@composite(np.apply_along_axis)
def _apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    axis = from_end(axis, arr.ndim)[0] + arr.ndim
    rows = np.moveaxis(arr, axis, -1)
    shape = rows.shape[:-1]
    parts = [array(func1d(rows[i], *args, **kwargs)) for i in np.ndindex(shape)]
    if not parts:
        raise ValueError(f"np.apply_along_axis finds no vector along axis {axis} of shape {arr.shape}")
    result = np.reshape(np.stack(parts), shape + parts[0].shape)
    n = parts[0].ndim
    return np.moveaxis(result, range(-n, 0), range(axis, axis + n)) if n else result


@composite(np.apply_over_axes)
def _apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    for axis in np.reshape(axes, -1).tolist():
        axis = axis if axis >= 0 else axis + a.ndim
        result = func(a, axis)
        result = result if result.ndim == a.ndim else np.expand_dims(result, axis)
        if result.ndim != a.ndim:
            raise ValueError(f"the function of np.apply_over_axes made {a.ndim} axes into {result.ndim - 1}")
        a = result
    return a


# --- sets: entries taken by number ------------------------------------------------------------------------------------


def _unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, *, equal_nan: bool = True, sorted: bool = True,
) -> Any:  # fmt: skip
    answer = plain(np.unique, ar, True, return_inverse, return_counts, axis=axis, equal_nan=equal_nan)
    index, *rest = answer[1:]
    if not (sorted or return_index or return_inverse or return_counts or axis is not None):
        hashed = plain(np.unique, ar, equal_nan=equal_nan, sorted=False)
        index = index[np.argsort(np.argsort(hashed))]
    found = np.reshape(ar, -1)[index] if axis is None else np.take(ar, index, axis=axis)
    wanted = ([index] if return_index else []) + rest
    return (found, *wanted) if wanted else found


def _unique_before_sorted(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, *, equal_nan: bool = True,
) -> Any:  # fmt: skip
    return _unique(ar, return_index, return_inverse, return_counts, axis, equal_nan=equal_nan)


HASHES = np.lib.NumpyVersion(np.__version__) >= "2.3.0"
composite(np.unique)(_unique if HASHES else _unique_before_sorted)


def _results(name: str) -> Any:
    return type(getattr(np, name)(np.zeros(1)))


@composite(np.unique_all)
def _unique_all(x: Any, /) -> Any:
    return _results("unique_all")(*np.unique(x, True, True, True, equal_nan=False))


@composite(np.unique_counts)
def _unique_counts(x: Any, /) -> Any:
    return _results("unique_counts")(*np.unique(x, return_counts=True, equal_nan=False))


@composite(np.unique_inverse)
def _unique_inverse(x: Any, /) -> Any:
    return _results("unique_inverse")(*np.unique(x, return_inverse=True, equal_nan=False))


composite(np.unique_values)(lambda x, /: _unique(x, equal_nan=False, sorted=not HASHES))
composite(np.union1d)(lambda ar1, ar2: np.unique(np.concatenate([array(ar1), array(ar2)], axis=None)))


@composite(np.intersect1d)
def _intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    found = plain(np.intersect1d, array(ar1), array(ar2), assume_unique, True)
    common = np.reshape(array(ar1), -1)[found[1]]
    common = cast(common, found[0].dtype)
    return (common, *found[1:]) if return_indices else common


@composite(np.setdiff1d)
def _setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    a = np.reshape(array(ar1), -1) if assume_unique else np.unique(array(ar1))
    return a[np.isin(a, array(ar2), invert=True)]


@composite(np.setxor1d)
def _setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    parts = [array(a) if assume_unique else np.unique(array(a)) for a in (ar1, ar2)]
    both = np.sort(np.concatenate(parts, axis=None))
    alone = np.concatenate([[True], np.not_equal(both[1:], both[:-1]), [True]])
    return both[alone[1:] & alone[:-1]]
