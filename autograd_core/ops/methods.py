"""Methods of ufuncs: ``np.add.reduce``, ``accumulate``, ``outer``, ``reduceat`` and ``at``.

Those of the common ufuncs are functions with rules; the others apply the ufunc step by step, which has derivatives, and
take their values from NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..rules import COMPOSITES, CONSTANTS, RULES, constant, present, primitive, rule
from ..spaces import array, cast, from_end, unreduce
from .index import picked, scatter, setitem
from .nans import nan_max, nan_min
from .reduce import logsumexp
from .values import instead, plain, recorded, values

# --- reductions -------------------------------------------------------------------------------------------------------


@primitive
def radius(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return ``np.hypot.reduce``: the root of the sum of squares."""
    return np.hypot.reduce(x, axis=axis, keepdims=keepdims)


def _radius_pull(g: Any, ans: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    flat = ans == 0
    weight = np.where(flat, 0, g / np.where(flat, 1, ans))
    return unreduce(weight, x, axis, keepdims) * x


@primitive
def log_of_sum(x: Any, axis: Any = None, keepdims: Any = False, base2: bool = False) -> Any:
    """Return ``np.logaddexp.reduce`` or ``np.logaddexp2.reduce``."""
    return (np.logaddexp2 if base2 else np.logaddexp).reduce(x, axis=axis, keepdims=keepdims)


def _log_of_sum_pull(g: Any, x: Any, axis: Any = None, keepdims: bool = False, base2: bool = False) -> Any:
    x = x * np.log(2) if base2 else x
    total = logsumexp(x, axis=axis, keepdims=True)
    same = x == total
    weight = np.where(total == -np.inf, 0, np.exp(np.where(same, 0, x) - np.where(same, 0, total)))
    return unreduce(g, x, axis, keepdims) * weight


rule(radius, _radius_pull, batched=True, name="hypot.reduce")
rule(log_of_sum, _log_of_sum_pull, batched=True, name="logaddexp.reduce")


def _logaddexp2(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return log_of_sum(x, axis=axis, keepdims=keepdims, base2=True)


REDUCE: dict[Any, Callable[..., Any]] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.fmax: nan_max,
    np.fmin: nan_min,
    np.hypot: radius,
    np.logaddexp: log_of_sum,
    np.logaddexp2: _logaddexp2,
    np.logical_and: np.all,
    np.logical_or: np.any,
}
WITH_KEYWORDS = (np.sum, np.prod, np.max, np.min, nan_max, nan_min)


def _reduce(
    ufunc: np.ufunc, a: Any, axis: Any = 0, dtype: Any = None, keepdims: bool = False,
    initial: Any = np._NoValue, where: Any = True,
) -> Any:  # fmt: skip
    a = array(a)
    fn: Any = REDUCE.get(ufunc)
    if fn in (np.all, np.any):
        return fn(a, axis=axis, keepdims=keepdims, where=where)
    if fn not in (np.sum, np.prod):
        a = cast(a, dtype)
    if fn in WITH_KEYWORDS:
        given = {"dtype": dtype} if dtype is not None and fn in (np.sum, np.prod) else {}
        given |= {"initial": initial} if initial is not np._NoValue else {}
        given |= {"where": where} if where is not True else {}
        return COMPOSITES.get(fn, fn)(a, axis=axis, keepdims=keepdims, **given)  # of a Tensor among masks, too
    axes = from_end(axis, a.ndim, reducing=True)
    if fn is not None and where is True and (initial is np._NoValue or initial is None):
        return fn(a, axis=tuple(axes), keepdims=keepdims)
    value = plain(ufunc.reduce, a, axis=axis, keepdims=keepdims, initial=initial, where=where)
    if not a.ndim:
        a, axes, keepdims = np.reshape(a, 1), (-1,), False
    if len(axes) != 1:
        raise TypeError(f"np.{ufunc.__name__}.reduce of a Tensor with where= or initial= goes along one axis at a time")
    mask = None if where is True else np.moveaxis(np.broadcast_to(where, a.shape), axes[0], 0)
    steps = np.moveaxis(a, axes[0], 0)
    start = ufunc.identity if initial is np._NoValue else initial
    total = steps[0] if start is None else start
    for i in range(start is None, len(steps)):
        after = ufunc(total, steps[i])
        total = after if mask is None else np.where(mask[i], after, total)
    total = np.expand_dims(total, axes[0]) if keepdims else total
    return instead(total, value)


# --- running ----------------------------------------------------------------------------------------------------------


@primitive
def running_max(x: Any, axis: int) -> Any:
    """Return the maximum of the entries so far."""
    return np.maximum.accumulate(x, axis=axis)


@primitive
def running_min(x: Any, axis: int) -> Any:
    """Return the minimum of the entries so far."""
    return np.minimum.accumulate(x, axis=axis)


def _running_extreme_pull(g: Any, ans: Any, x: Any, axis: int = -1) -> Any:
    """Send each cotangent to the entry that was the extreme; ties so far share it equally."""
    g, ans, x = (np.moveaxis(a, axis, -1) for a in (g, ans, x))
    n = x.shape[-1]
    winners = (x == ans) | (np.isnan(x) & np.isnan(ans))
    later = (ans[..., 1:] != ans[..., :-1]) & ~(np.isnan(ans[..., 1:]) & np.isnan(ans[..., :-1]))
    new = np.concatenate([np.ones((*x.shape[:-1], 1), bool), later], axis=-1)
    winners = np.where(np.isnan(ans), new, winners)
    positions = np.arange(n)
    first = np.maximum.accumulate(np.where(new, positions, 0), axis=-1)
    if not recorded() and not np.any(winners & ~new):
        rows = tuple(np.indices(x.shape, sparse=True))[:-1]
        back = scatter(g, index=(*rows, first), shape=tuple(x.shape))
    else:
        so_far = np.cumsum(winners, axis=-1)
        back = g / (so_far - np.take_along_axis(so_far, first, -1) + 1)
        step = 1
        while step < n:  # the sums from here to the end of a run; a difference of running sums would mix the runs
            same = first[..., step:] == first[..., :-step]
            back = np.concatenate([back[..., :-step] + np.where(same, back[..., step:], 0), back[..., -step:]], axis=-1)
            step *= 2
        back = np.where(winners, back, 0)
    return present(np.moveaxis(back, -1, axis), np.moveaxis(winners, -1, axis))


rule(running_max, _running_extreme_pull, selects=True, name="maximum.accumulate")
rule(running_min, _running_extreme_pull, selects=True, name="minimum.accumulate")
ACCUMULATE: dict[Any, Callable[..., Any]] = {np.maximum: running_max, np.minimum: running_min}


def _accumulate(ufunc: np.ufunc, a: Any, axis: int = 0, dtype: Any = None) -> Any:
    a = array(a)
    if not a.ndim:
        raise TypeError("cannot accumulate on a scalar")
    if ufunc in (np.add, np.multiply):
        return (np.cumsum if ufunc is np.add else np.cumprod)(a, axis=axis, dtype=dtype)
    a = cast(a, dtype)
    axis = from_end(axis, a.ndim)[0]
    if ufunc in ACCUMULATE and a.size:
        return ACCUMULATE[ufunc](a, axis=axis)
    value = plain(ufunc.accumulate, a, axis=axis)
    steps = np.moveaxis(a, axis, 0)
    if not a.size:
        return a
    parts = [steps[0]]
    for i in range(1, len(steps)):
        parts.append(ufunc(parts[-1], steps[i]))
    return instead(np.stack(parts, axis=axis), value)


# --- over segments, and at places -------------------------------------------------------------------------------------


@primitive
def segment_sums(x: Any, starts: Any, axis: int) -> Any:
    """Return ``np.add.reduceat``."""
    return np.add.reduceat(x, starts, axis=axis)


def _segments(starts: Any, n: int) -> tuple[Any, Any]:
    """Return where NumPy's segments end, from each start to the next or after one entry, and how long they are."""
    ends = np.append(starts[1:], n)
    ends = np.where(ends > starts, ends, starts + 1)
    return ends, ends - starts


@primitive
def segment_entries(starts: Any, n: int) -> tuple[Any, Any]:
    """Return for all entries of all segments to which one they belong, and where in the array they are."""
    ends, lengths = _segments(starts, n)
    owners = np.repeat(np.arange(len(starts)), lengths)
    return owners, np.arange(len(owners)) + np.repeat(ends - np.cumsum(lengths), lengths)


constant(segment_entries)


def _segment_sums_pull(g: Any, x_space: Any, starts: Any = None, axis: int = -1) -> Any:
    owners, places = segment_entries(starts, n=x_space.shape[axis])
    behind = (slice(None),) * (-1 - axis)
    ahead = (slice(None),) * (len(x_space.shape) + axis)
    return scatter(picked(g, (..., owners, *behind)), index=(*ahead, places), shape=tuple(x_space.shape))


rule(segment_sums, _segment_sums_pull, linear=True, args="x", params="x starts axis", name="add.reduceat")


def _reduceat(ufunc: np.ufunc, a: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
    a, indices = array(a), cast(values(np.asarray(indices)), np.intp)
    a = cast(a, dtype)
    axis = from_end(axis, a.ndim)[0]
    if ufunc is np.add:
        return segment_sums(a, starts=indices, axis=axis)
    value = plain(ufunc.reduceat, a, indices, axis=axis)
    steps = np.moveaxis(a, axis, 0)
    parts = []
    for first, end in zip(indices.tolist(), _segments(indices, len(steps))[0].tolist(), strict=True):
        if ufunc in (np.multiply, np.maximum, np.minimum):
            parts.append(ufunc.reduce(steps[first:end]))
            continue
        parts.append(steps[first])
        for i in range(first + 1, end):
            parts[-1] = ufunc(parts[-1], steps[i])
    return instead(np.stack(parts, axis=axis), value)


def _at_copy(ufunc: np.ufunc, t: Any, *rest: Any) -> Any:
    new = np.array(t)
    ufunc.at(new, *rest)
    return new


def at(ufunc: np.ufunc, t: Any, index: Any, *operand: Any) -> None:
    """Apply ``ufunc.at(t, index, operand)``, by assignment: at repeated indices again and again."""
    operand = tuple(array(b) for b in operand)
    new = plain(_at_copy, ufunc, t, index, *operand)
    places = np.arange(t.size).reshape(t.shape)[index]
    if ufunc in (np.add, np.subtract):
        t[...] = instead(ufunc(t, scatter(np.broadcast_to(operand[0], places.shape), index=index, shape=t.shape)), new)
        return
    flat, places = np.reshape(t, -1), places.reshape(-1)
    rest = [np.reshape(np.broadcast_to(b, np.shape(t[index])), -1) for b in operand]
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    turn = np.empty(places.size, int)  # how often each place has been met before
    turn[order] = np.arange(places.size) - np.repeat(starts, np.diff(starts, append=places.size))
    for k in range(np.max(turn, initial=-1) + 1):
        now = turn == k
        flat = setitem(flat, ufunc(flat[places[now]], *(b[now] for b in rest)), index=places[now])
    t[...] = instead(np.reshape(flat, t.shape), new)


def with_axes(ufunc: np.ufunc, inputs: tuple[Any, ...], axes: Any = None, axis: int | None = None) -> Any:
    """Apply a generalised ufunc with ``axes=`` or ``axis=``: with the axes it works on put last, and back again."""
    axes = [(axis,)] * len(inputs) if axes is None else axes
    axes = [(a,) if isinstance(a, int) else tuple(a) for a in axes]
    last = lambda a: range(-len(a), 0)
    result = ufunc(*(np.moveaxis(x, a, last(a)) for x, a in zip(inputs, axes, strict=False)))
    return np.moveaxis(result, last(axes[-1]), axes[-1]) if len(axes) > len(inputs) else result


# --- all of them ------------------------------------------------------------------------------------------------------


def ufunc_method(ufunc: np.ufunc, name: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Apply ``ufunc.name(*inputs, **kwargs)`` to Tensors."""
    if name == "outer":
        a, b = inputs
        a, b = array(a), array(b)
        return ufunc(a[(..., *(None,) * b.ndim)] if b.ndim else a, b, **kwargs)
    if name == "at":
        return at(ufunc, *inputs)
    through = ufunc in RULES or ufunc in COMPOSITES or ufunc is np.floor_divide  # which hands a first entry on as it is
    if not through and not (name == "reduce" and ufunc in REDUCE):
        if ufunc not in CONSTANTS:
            raise TypeError(f"{ufunc.__name__}.{name} has no gradient rule: {ufunc.__name__} itself has none")
        return plain(getattr(ufunc, name), *inputs, **kwargs)
    kwargs = {k: v for k, v in kwargs.items() if k != "out" or v is not None}
    if kwargs.get("dtype") is not None:  # NumPy has no logical_and and no float_power of float32, and refuses
        plain(ufunc.reduce, np.ones(1), dtype=kwargs["dtype"])
    body: Any = {"reduce": _reduce, "accumulate": _accumulate, "reduceat": _reduceat}[name]
    return body(ufunc, *inputs, **kwargs)
