"""Indexing: primitives that are each other's pullbacks, and what is composed of them.

`scatter` is where repeated indices add up.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..rules import Door, composite, constant, present, primitive, rule, where
from ..spaces import array, cast, from_end


@primitive
def getitem(x: Any, index: Any) -> Any:
    """Return ``x[index]``."""
    return x[index]


def picked(x: Any, index: Any) -> Any:
    """Return ``x[index]``, also for a plain `x` and an index that a recorder keeps as Tensors."""
    if type(x) is np.ndarray and Door.kind in map(type, index if type(index) is tuple else (index,)):
        return getitem(x, index=index)
    return x[index]


@primitive
def scatter(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Return zeros of `shape` with `g` added at `index`; repeated indices accumulate."""
    out = np.zeros(shape, g.dtype)
    add_at(out, index, g)
    return out


@primitive
def setitem(a: Any, b: Any, index: Any) -> Any:
    """Return a copy of `a` with ``[index]`` set to `b`."""
    out = np.array(a)
    out[index] = b
    return out


@primitive
def added_at(a: Any, b: Any, index: Any) -> Any:
    """Return a copy of `a` with `b` added at `index`, one entry after the other."""
    out = np.array(a)
    np.add.at(out, index, b)
    return out


def is_basic(index: Any) -> bool:
    """Say whether an index takes every entry at most once without a look at values: integers, slices, new axes.

    Examples
    --------
    >>> is_basic((0, slice(None), None)), is_basic([0, 0]), is_basic(np.array([True]))
    (True, False, False)
    """
    parts = index if type(index) is tuple else (index,)
    return all(
        i is None
        or i is Ellipsis
        or isinstance(i, slice)
        or (isinstance(i, int | np.integer) and not isinstance(i, bool | np.bool_))
        for i in parts
    )


def add_at(out: Any, index: Any, g: Any) -> None:
    """Do ``out[index] += g`` with repeated indices accumulating, in place; for masks, + is `or`.

    ``np.add.at`` is quick only for one flat vector of positions (1.3 ns an entry against 11): that is what much gets.
    """
    if is_basic(index) or is_mask(index):
        out[index] += g
    elif (
        np.size(g) > 2000
        and out.ndim > 1
        and out.flags.c_contiguous
        and (flat := positions(index, out.shape)) is not None
    ):
        inner = out.shape[len(index) if type(index) is tuple else 1 :]
        rows = np.broadcast_to(g, flat.shape if not inner else (*flat.shape[:-1], *inner))
        np.add.at(out.reshape(-1), flat.reshape(-1), rows.reshape(-1).astype(out.dtype, copy=False))
    else:
        np.add.at(out, index, g)


def positions(index: Any, shape: tuple[int, ...]) -> Any:
    """Return the flat positions that arrays of integers along the first axes stand for, else None.

    Examples
    --------
    >>> positions(([0, 1], [2, -1]), (2, 3)), positions([1], (2, 3))
    (array([2, 5]), array([[3, 4, 5]]))
    """
    parts = index if type(index) is tuple else (index,)
    if len(parts) > len(shape) or any(isinstance(i, slice) or i is None or i is Ellipsis for i in parts):
        return None
    arrays = [np.asarray(i) for i in parts]
    if any(i.dtype.kind not in "iu" for i in arrays):
        return None
    flat: Any = 0
    for i, n in zip(arrays, shape, strict=False):
        i = i.astype(np.intp, copy=False)  # an index of bytes may point beyond the 255th entry of all
        flat = flat * n + np.where(i < 0, i + n, i)
    if len(arrays) == len(shape):
        return flat
    rest = math.prod(shape[len(arrays) :])
    return np.reshape(flat * rest, (*np.shape(flat), 1)) + np.arange(rest)


def is_mask(index: Any) -> bool:
    """Say whether an index is one boolean array."""
    return isinstance(index, np.ndarray | np.bool_) and index.dtype.kind == "b"


def _getitem_pull(g: Any, x_space: Any, ans_space: Any, index: Any = None) -> Any:
    shape = tuple(x_space.shape)
    lead = len(g.shape) - len(ans_space.shape)
    back = scatter_rows(g, index, shape) if lead else scatter(g, index=index, shape=shape)
    return present(back, lambda: _touched(index, shape))


def scatter_rows(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Scatter a batch of cotangents, all rows at once where the index may be moved one axis on."""
    if (further := behind_batch(index)) is not None:
        return scatter(g, index=further, shape=(g.shape[0], *shape))
    return np.stack([scatter(row, index=index, shape=shape) for row in g])


def behind_batch(index: Any) -> Any:
    """Return an index with one more axis in front, left alone; None where NumPy would move that axis.

    Examples
    --------
    >>> behind_batch(3), behind_batch((0, [1], slice(None), [2])) is None
    ((slice(None, None, None), 3), True)
    """
    parts = index if type(index) is tuple else (index,)
    advanced = [k for k, i in enumerate(parts) if not is_basic(i)]
    if advanced:  # beside arrays an integer counts as one
        advanced = [k for k, i in enumerate(parts) if not (i is None or i is Ellipsis or isinstance(i, slice))]
        if advanced[-1] - advanced[0] >= len(advanced):
            return None
    return (slice(None), *parts)


def _scatter_pull(g: Any, index: Any = None, shape: Any = None) -> Any:
    if len(g.shape) == len(shape):
        return getitem(g, index=index)
    if (further := behind_batch(index)) is not None:
        return getitem(g, index=further)
    return np.stack([getitem(row, index=index) for row in g])


@primitive
def _touched(index: Any, shape: tuple[int, ...]) -> Any:
    mask = np.zeros(shape, bool)
    mask[index] = True
    return mask


def _into(sweep_buffer: Any, g: Any, node: Any) -> None:
    add_at(sweep_buffer, node.kwargs["index"], g)


GETITEM = rule(
    getitem,
    _getitem_pull,
    params="x index",
    linear=True,
    selects=True,
    fixes=False,
    carries=True,
    batched=True,
    into=_into,
)
rule(added_at, lambda g, index=None: g, lambda g, index=None: getitem(g, index=index), params="a b index", fixes=True)
rule(scatter, _scatter_pull, args="x", params="g index shape", linear=True, fixes=True, carries=True, batched=True)


def _setitem_pull_a(g: Any, index: Any = None) -> Any:
    left = np.logical_not(_touched(index, tuple(g.shape)))
    return present(where(left, g), left)


def _setitem_pull_b(g: Any, b_space: Any, index: Any = None) -> Any:
    part = getitem(g, index=index)
    last = _assigned_last(index, tuple(g.shape))
    part = part if last is None else part * last
    extra = len(b_space.shape) - len(part.shape)
    return part if extra <= 0 else np.reshape(part, (1,) * extra + tuple(part.shape))  # leading ones fit anywhere


def _assigned_last(index: Any, shape: tuple[int, ...]) -> Any:
    """Return which of the values of an assignment remain: with repeated indices, the last. None: all of them."""
    return None if is_basic(index) or is_mask(index) else _remaining(index, shape)


@primitive
def _remaining(index: Any, shape: tuple[int, ...]) -> Any:
    slots = np.empty(shape, np.intp)
    numbers = np.arange(slots[index].size).reshape(slots[index].shape)
    slots[index] = numbers
    return slots[index] == numbers


def _setitem_refill(sweep: Any, node: Any, g: Any) -> None:
    """Walk back over an assignment in the sweep's own buffer, so that a loop of assignments is not quadratic."""
    a, b = node.sources
    index = node.kwargs["index"]
    if b is not None:
        part = _setitem_pull_b(g, b, index)
        sweep.send(b, part.copy() if isinstance(part, np.ndarray) and part.base is not None else part)
    if a is not None:
        sweep.hand_over(node, a, g, index)


constant(_touched, _remaining)
SETITEM = rule(
    setitem, _setitem_pull_a, _setitem_pull_b, params="a b index", selects=True, refill=_setitem_refill,
)  # fmt: skip


# --- picking ----------------------------------------------------------------------------------------------------------


@composite(np.take)
def _take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
    indices = array(indices if np.size(indices) else np.zeros(np.shape(indices), int))
    if indices.dtype.kind == "b" or (mode != "raise" and indices.dtype.kind in "iu"):  # numbers here, not a mask
        indices = cast(indices, np.intp)
    ndim = len(a.shape)
    axis = None if axis in (0, -1) and not ndim else axis  # a number has them all the same
    if mode == "raise" and indices.shape and ndim and (axis == 0 or (ndim == 1 and axis in (None, -1))):
        return a[indices]
    if axis is None:
        a, axis = np.reshape(a, -1), 0
    n = a.shape[axis]
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"mode is 'raise', 'wrap' or 'clip', not {mode!r}")
    if mode != "raise":
        indices = indices % n if mode == "wrap" else np.clip(indices, 0, n - 1)
    axis %= a.ndim
    if indices.ndim == 0:
        return a[(slice(None),) * axis + (indices,)]
    return a[(slice(None),) * axis + (indices,)] if axis else a[indices]


@primitive
def originals(repeats: Any, n: int) -> Any:
    """Return of which of n entries each copy is."""
    return np.repeat(np.arange(n), repeats)


constant(originals)


def _repeat_pull(g: Any, x_space: Any, repeats: Any = None, axis: int | None = None) -> Any:
    """Add up the copies of each entry."""
    axis = axis if x_space.shape else None  # a number has the axes 0 and -1 all the same
    shape = tuple(x_space.shape) if axis is not None else (math.prod(x_space.shape),)
    axis = 0 if axis is None else axis % len(shape)
    n = shape[axis]
    if np.size(repeats) == 1:
        each = int(np.ravel(repeats)[0])
        back = np.sum(np.reshape(g, (*shape[:axis], n, each, *shape[axis + 1 :])), axis=axis + 1)
    else:
        back = scatter(g, index=(*(slice(None),) * axis, originals(repeats, n=n)), shape=shape)
    return np.reshape(back, x_space.shape)


rule(np.repeat, _repeat_pull, params="a repeats axis", linear=True)


@composite(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    indices = array(indices)
    if axis is None:
        if indices.ndim != 1:
            raise ValueError(f"take_along_axis without an axis takes a vector of indices, not shape {indices.shape}")
        return picked(np.reshape(arr, -1), indices)
    return picked(arr, _along(indices, arr.shape, axis))


def _along(indices: Any, shape: tuple[int, ...], axis: int) -> tuple[Any, ...]:
    """Return the full index that `take_along_axis` stands for."""
    ndim = len(shape)
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    if indices.ndim != ndim:
        raise ValueError(f"indices of shape {indices.shape} along an axis of an array of shape {shape}")
    axis %= ndim
    parts: list[Any] = [
        np.reshape(np.arange(n), [n if j == i else 1 for j in range(ndim)]) for i, n in enumerate(shape)
    ]
    parts[axis] = indices
    return tuple(parts)


@composite(np.compress)
def _compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    return np.take(a, np.flatnonzero(condition), axis=axis)


@composite(np.extract)
def _extract(condition: Any, arr: Any) -> Any:
    return np.reshape(arr, -1)[np.flatnonzero(condition)]


def _diagonal_pull(g: Any, x_space: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Put the diagonal, the last axis of the cotangent, back into zeros; behind the axes of a batch, if any."""
    ndim = len(x_space.shape)
    axes = from_end((axis1, axis2), ndim)
    i = np.arange(g.shape[-1])
    index = (..., i - min(offset, 0), i + max(offset, 0))
    matrices = scatter(g, index=index, shape=(*g.shape[:-1], *(x_space.shape[a] for a in axes)))
    return np.moveaxis(matrices, (-2, -1), axes)


DIAGONAL = rule(np.diagonal, _diagonal_pull, args="x", linear=True, batched=True, carries=True)


@composite(np.trace)
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    diagonal = Door.record(DIAGONAL, (a,), {"offset": offset, "axis1": axis1, "axis2": axis2})
    return np.sum(diagonal, axis=-1, dtype=dtype)


@composite(np.diag)
def _diag(v: Any, k: int = 0) -> Any:
    if v.ndim == 2:
        return np.diagonal(v, k)
    n = v.shape[0] + abs(k)
    i = np.arange(v.shape[0])
    return scatter(v, index=(i - min(k, 0), i + max(k, 0)), shape=(n, n))


@composite(np.diagflat)
def _diagflat(v: Any, k: int = 0) -> Any:
    return np.diag(np.reshape(v, -1), k)


# --- ordering ---------------------------------------------------------------------------------------------------------


@primitive
def ordered(x: Any, axis: int, kind: Any) -> Any:
    """Return the entries sorted along an axis, as `numpy.sort` has them: of the kind "descending", too."""
    return np.sort(x, axis=axis, **_kind(kind))


def _kind(kind: Any) -> dict[str, Any]:
    return {"stable": True, "descending": True} if kind == "descending" else {"kind": kind}


@primitive
def parted(x: Any, kth: Any, axis: int, kind: Any) -> Any:
    """Return the entries in the order in which `numpy.argpartition` has them."""
    return np.partition(x, kth, axis=axis, kind=kind)


def _ordered(x: Any, axis: int, kind: Any) -> tuple[Any, Any]:
    order = x.argsort(axis, **_kind(kind))
    return x[order] if x.ndim == 1 else np.take_along_axis(x, order, axis), order


def _parted(x: Any, kth: Any, axis: int, kind: Any) -> tuple[Any, Any]:
    order = x.argpartition(kth, axis, kind)
    return x[order] if x.ndim == 1 else np.take_along_axis(x, order, axis), order


def _moved(t: Any, order: Any, axis: int) -> Any:
    """Return entries in an order; behind the axis of a batch, if there is one."""
    if len(t.shape) == 1:
        return picked(t, order)
    return np.take_along_axis(t, order if len(t.shape) == order.ndim else order[None], axis)


@primitive
def inverse_order(order: Any, axis: int) -> Any:
    """Return the permutations that undo others, along an axis."""
    back = np.empty_like(order)
    np.put_along_axis(back, order, np.reshape(np.arange(order.shape[axis]), (-1,) + (1,) * (-1 - axis)), axis)
    return back


constant(inverse_order)


def _ordered_pull(g: Any, aux: Any, axis: int = -1) -> Any:
    return _moved(g, inverse_order(aux, axis=axis), axis)


ORDERS: dict[str, Any] = {
    "push": lambda i, t, n, lead: _moved(t, n.kwargs["aux"], n.kwargs["axis"]),
    "args": "x",
    "aux": True,
    "batched": True,
    "carries": True,
}
rule(ordered, _ordered_pull, compute=_ordered, params="x axis kind", metadata="kind", name="sort", **ORDERS)
rule(parted, _ordered_pull, compute=_parted, params="x kth axis kind", metadata="kth kind", name="partition", **ORDERS)


@composite(np.sort)
def _sort(
    a: Any,
    axis: int | None = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: bool | None = None,
    descending: Any = np._NoValue,
) -> Any:
    if axis is None:
        a, axis = np.reshape(a, -1), -1
    if descending is not np._NoValue and descending:  # since NumPy 2.5
        kind = "descending"
    return ordered(a, axis=from_end(axis, len(a.shape))[0], kind=kind or "stable")


@composite(np.partition)
def _partition(a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: Any = None) -> Any:
    if axis is None:
        a, axis = np.reshape(a, -1), -1
    return parted(a, kth=kth, axis=from_end(axis, len(a.shape))[0], kind=kind)


@composite(np.diff)
def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = np._NoValue, append: Any = np._NoValue) -> Any:
    axis = from_end(axis, a.ndim)[0]
    ends = [
        np.broadcast_to(e, (*a.shape[:axis], 1, *a.shape[axis + 1 or a.ndim :]))
        if e is not np._NoValue and type(e) is not list and np.ndim(e) == 0
        else e
        for e in (prepend, append)
    ]
    parts = [array(p) for p in (ends[0], a, ends[1]) if p is not np._NoValue]
    a = np.concatenate(parts, axis=axis) if len(parts) > 1 else a
    after = (slice(None),) * (a.ndim + axis)
    for _ in range(n):
        a = a[(*after, slice(1, None))] - a[(*after, slice(None, -1))]
    return a
