"""Arrays made longer, shorter or other: padding, deleting, inserting, and assignment by function.

What only moves entries is asked of NumPy for the positions 0, 1, 2, ...: its answer is the index to take.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules import Door, composite, primitive, rule
from ..spaces import array, cast, from_end
from .index import _along, picked, scatter
from .values import values

# --- longer and shorter -----------------------------------------------------------------------------------------------


def _along_axis(arr: Any, index: Any, axis: int) -> Any:
    return picked(arr, (..., index, *(slice(None),) * (-1 - axis)))


@primitive
def without(x: Any, gone: Any, axis: int | None = None) -> Any:
    """Return an array without some of its entries along an axis."""
    return np.delete(x, gone, axis)


def _without_pull(g: Any, x_space: Any, gone: Any = None, axis: int | None = None) -> Any:
    shape = tuple(x_space.shape)
    if axis is None:
        kept = np.delete(np.arange(x_space.size), gone)
        return np.reshape(scatter(g, index=kept, shape=(x_space.size,)), shape)
    kept = np.delete(np.arange(shape[axis]), gone)
    return scatter(g, index=(*(slice(None),) * (axis % len(shape)), kept), shape=shape)


rule(without, _without_pull, linear=True, name="delete")
composite(np.delete)(lambda arr, obj, axis=None: without(arr, gone=values(obj), axis=axis))


@primitive
def inserted(a: Any, b: Any, places: Any, axis: int | None = None) -> Any:
    """Return an array with others put between its entries along an axis."""
    return np.insert(a, places, b, axis)


def _slots(places: Any, n: int, k: int) -> Any:
    """Return where in the result the n old entries and the k new ones are, by NumPy's answer for their numbers."""
    numbers = np.insert(np.arange(n), places, n + np.arange(k))
    return np.argsort(numbers, kind="stable")


def _inserted_pull_a(g: Any, a_space: Any, places: Any = None, axis: int | None = None) -> Any:
    n = a_space.size if axis is None else a_space.shape[axis]
    axis = -1 if axis is None else from_end(axis, len(a_space.shape))[0]
    slots = _slots(places, n, g.shape[axis] - n)
    return np.reshape(_along_axis(g, slots[:n], axis), a_space.shape)


def _inserted_pull_b(g: Any, a_space: Any, b_space: Any, places: Any = None, axis: int | None = None) -> Any:
    n = a_space.size if axis is None else a_space.shape[axis]
    axis = -1 if axis is None else from_end(axis, len(a_space.shape))[0]
    slots = _slots(places, n, g.shape[axis] - n)
    new = _along_axis(g, slots[n:], axis)
    if np.ndim(places) or isinstance(places, slice):
        return new
    new = np.moveaxis(new, axis, 0)  # at one place, the first axis of what is inserted runs along the axis
    return new[0] if len(b_space.shape) < new.ndim else new


rule(inserted, _inserted_pull_a, _inserted_pull_b, args="a b", name="insert", fixes=True)


@composite(np.insert)
def _insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    arr = array(arr)
    return inserted(arr, cast(array(values), arr.dtype), places=obj, axis=axis)


@primitive
def refilled(x: Any, shape: Any) -> Any:
    """Return the entries of an array, again and again, in another shape."""
    return np.resize(x, shape)


def _refilled_pull(g: Any, x_space: Any) -> Any:
    n = x_space.size
    if not n or not g.size:
        return np.zeros(x_space.shape, g.dtype)
    rest = np.zeros(-g.size % n, g.dtype)
    return np.reshape(np.sum(np.reshape(np.concatenate([np.reshape(g, -1), rest]), (-1, n)), axis=0), x_space.shape)


rule(refilled, _refilled_pull, metadata="shape", linear=True, name="resize")
composite(np.resize)(lambda a, new_shape: refilled(a, shape=new_shape))


@composite(np.trim_zeros)
def _trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    filt, trim = array(filt), trim.lower()
    if trim not in ("fb", "bf", "f", "b"):
        raise ValueError(f"np.trim_zeros trims 'f', 'b' or 'fb', not {trim!r}")
    axes = from_end(axis, filt.ndim)
    found = np.argwhere(filt)
    first, last = (np.min(found, axis=0), np.max(found, axis=0) + 1) if len(found) else ([0] * filt.ndim,) * 2
    if not len(found):
        trim = "fb"
    ends = [
        (int(a) if "f" in trim else None, int(b) if "b" in trim else None) for a, b in zip(first, last, strict=True)
    ]
    return filt[tuple(slice(*ends[i]) if i in axes else slice(None) for i in range(-filt.ndim, 0))] if axes else filt


@composite(np.lib.stride_tricks.sliding_window_view)
def _sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    if writeable:
        raise TypeError(
            "sliding_window_view with writeable=True is refused for Tensors: a window is a value, not a view"
        )
    lengths = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    axes = from_end(axis, x.ndim)
    if len(lengths) != len(axes):
        raise ValueError(f"{len(lengths)} lengths of windows were given for {len(axes)} axes")
    for k, (n, a) in enumerate(zip(lengths, axes, strict=True)):
        a -= k
        if not 0 <= n <= x.shape[a]:
            raise ValueError(f"a window of {n} entries does not fit on an axis of {x.shape[a]}")
        starts = np.arange(x.shape[a] - n + 1)
        x = np.moveaxis(_along_axis(x, starts[:, None] + np.arange(n), a), a, -1)
    return x


# --- padding ----------------------------------------------------------------------------------------------------------

STATISTICS: dict[str, Any] = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}
OPTIONS = {
    **dict.fromkeys(["empty", "edge", "wrap"], ()),
    "constant": ("constant_values",),
    "linear_ramp": ("end_values",),
    **dict.fromkeys(STATISTICS, ("stat_length",)),
    **dict.fromkeys(["reflect", "symmetric"], ("reflect_type",)),
}


@primitive
def padded(x: Any, widths: Any, mode: Any = "constant", constant_values: Any = None, reflect_type: Any = None) -> Any:
    """Return an array continued by constants or by its own entries."""
    options: Any = {"constant_values": constant_values, "reflect_type": reflect_type}
    return np.pad(x, widths, mode, **{k: v for k, v in options.items() if v is not None})


def _padded_pull(g: Any, x_space: Any, widths: Any = None, mode: Any = "constant") -> Any:
    for axis, (n, (before, after)) in enumerate(zip(x_space.shape, widths, strict=True)):
        ahead = (slice(None),) * axis
        if mode == "constant":
            g = g[(*ahead, slice(before, before + n))]
        elif before or after:
            index = np.pad(np.arange(n), (before, after), mode)
            g = scatter(g, index=(*ahead, index), shape=(*g.shape[:axis], n, *g.shape[axis + 1 :]))
    return g


rule(padded, _padded_pull, metadata="constant_values reflect_type", name="pad", fixes=True)


@composite(np.pad)
def _pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    x = array
    if callable(mode):
        raise TypeError("np.pad with a function is refused for Tensors, since it writes into views: join parts instead")
    if mode not in OPTIONS:
        raise ValueError(f"mode {mode!r} is not supported by np.pad: only {', '.join(sorted(OPTIONS))}")
    if unknown := kwargs.keys() - set(OPTIONS[mode]):
        raise TypeError(f"np.pad with mode={mode!r} does not know the keyword {sorted(unknown)[0]!r}")
    widths = _widths(pad_width, x.ndim)
    if not x.ndim:  # a number has no ends
        return np.copy(x)
    if not x.size and mode not in ("constant", "empty"):
        if any(any(w) and not n for w, n in zip(widths, x.shape, strict=True)):
            raise ValueError(f"np.pad with mode={mode!r} cannot extend an axis without entries; mode='constant' can")
        mode, kwargs = "empty", {}
    if mode == "empty":
        return padded(x, widths=widths, mode="constant")
    if mode == "constant" and not _moves(kwargs.get("constant_values", 0)):
        return padded(x, widths=widths, mode=mode, **kwargs)
    if mode in ("edge", "wrap") or (mode in ("reflect", "symmetric") and kwargs.get("reflect_type") != "odd"):
        return padded(x, widths=widths, mode=mode, **kwargs)
    option = kwargs.get(OPTIONS[mode][0])
    if mode in ("constant", "linear_ramp"):
        options = _pairs(0 if option is None else option, x.ndim)
    elif option is None or mode in ("reflect", "symmetric"):
        options = [(option, option)] * x.ndim
    else:
        options = np.broadcast_to(np.asarray(option), (x.ndim, 2)).tolist()
    for axis, (width, option) in enumerate(zip(widths, options, strict=True)):
        if any(width):
            x = _pad_axis(x, mode, width, option, axis - x.ndim)
    return x if x is not array else np.copy(x)


def _widths(pad_width: Any, ndim: int) -> list[Any]:
    """Return the widths before and after each axis."""
    if isinstance(pad_width, dict):
        widths: list[Any] = [[0, 0] for _ in range(ndim)]
        for axis, width in pad_width.items():
            widths[axis] = [width, width] if np.ndim(width) == 0 else list(width)
    elif type(pad_width) is int:
        widths = [(pad_width, pad_width)] * ndim
    else:
        pairs = np.asarray(pad_width)
        if pairs.dtype.kind not in "iu":
            raise TypeError(f"pad_width must be whole numbers, not {pairs.dtype}")
        widths = np.broadcast_to(pairs, (ndim, 2)).tolist()
    if any(w < 0 for pair in widths for w in pair):
        raise ValueError(f"pad_width must not be negative: {pad_width}")
    return widths


def _moves(option: Any) -> bool:
    """Say whether there is a Tensor in nested lists of numbers."""
    return type(option) is Door.kind or (isinstance(option, list | tuple) and any(_moves(o) for o in option))


def _pairs(option: Any, ndim: int) -> list[Any]:
    """Return a value for either end of every axis, from one, two, or two for each axis; any of them may be a Tensor.

    One number, or two, for all axes become arrays, and others Python numbers, which promote less: so NumPy has it.
    """
    if type(option) is np.ndarray and option.ndim:
        option = option.tolist()
    if isinstance(option, list | tuple) and not any(isinstance(o, list | tuple) or np.ndim(o) for o in option):
        return [(array(option[0]), array(option[-1]))] * ndim
    if isinstance(option, list | tuple):
        pairs = [(o[0], o[-1]) for o in option]
        return [(array(a), array(b)) for a, b in pairs] * ndim if len(pairs) == 1 else pairs
    if not np.ndim(option):
        return [(array(option), array(option))] * ndim
    option = np.broadcast_to(option, (ndim, 2))
    return [(option[i, 0], option[i, 1]) for i in range(ndim)]


def _pad_axis(x: Any, mode: str, width: Any, option: Any, axis: int) -> Any:
    before, after = width
    n = x.shape[axis]
    part = lambda a, b=None: _along_axis(x, slice(a, b), axis)
    if mode in ("symmetric", "reflect"):
        return _pad_odd(x, before, after, mode, axis)
    ends: list[Any]
    if mode == "constant":
        ends = list(option)
    elif mode == "linear_ramp":
        edges = [np.squeeze(e, axis) for e in (part(0, 1), part(n - 1))]
        ramp = lambda value, edge, k: np.linspace(value, edge, k, endpoint=False, dtype=x.dtype, axis=axis)
        return np.concatenate(
            [ramp(option[0], edges[0], before), x, np.flip(ramp(option[1], edges[1], after), axis)], axis=axis
        )
    else:
        lengths = [n if k is None else min(int(k), n) for k in option]
        if 0 in lengths and mode in ("maximum", "minimum"):
            raise ValueError("stat_length of 0 leaves nothing to take an extreme of")
        fn = STATISTICS[mode]
        ends = [fn(part(0, lengths[0]), axis=axis, keepdims=True)]
        ends.append(ends[0] if lengths == [n, n] else fn(part(n - lengths[1]), axis=axis, keepdims=True))
    sizes = [(*x.shape[:axis], k, *x.shape[axis + 1 or x.ndim :]) for k in (before, after)]
    parts = [np.broadcast_to(cast(array(e), x.dtype), size) for e, size in zip(ends, sizes, strict=True)]
    return np.concatenate([parts[0], x, parts[1]], axis=axis)


def _pad_odd(x: Any, before: int, after: int, mode: str, axis: int) -> Any:
    """Continue an axis by mirror images, turned upside down about its ends, as often as it takes, as NumPy does."""
    period, edge = x.shape[axis], int(mode == "symmetric")
    if period == 1:
        return np.concatenate([np.repeat(x, before, axis), x, np.repeat(x, after, axis)], axis=axis)
    part = lambda index: _along_axis(x, index, axis)
    while before or after:
        n = x.shape[axis]
        length = n // period * period if edge else (n - 1) // (period - 1) * (period - 1)
        parts = [x]
        if before:
            k = min(length, before)
            mirrored = part(np.arange(k - edge, -edge, -1))
            parts.insert(0, 2 * part(slice(0, 1)) - mirrored)
            before -= k
        if after:
            k = min(length, after)
            mirrored = part(np.arange(n - 2 + edge, n - 2 + edge - k, -1))
            parts.append(2 * part(slice(n - 1, None)) - mirrored)
            after -= k
        x = np.concatenate(parts, axis=axis)
    return x


# --- assignment -------------------------------------------------------------------------------------------------------
# As t[index] = value, a Tensor's own assignment: it takes a new value, and views taken before keep theirs.


@composite(np.put_along_axis)
def _put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    if axis is None:
        arr[np.unravel_index(np.asarray(indices), arr.shape)] = values
        return
    arr[_along(np.asarray(indices), arr.shape, axis)] = values


@composite(np.put)
def _put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    places, v = np.reshape(values(ind), -1), array(v)
    places = cast(places, np.intp) if places.dtype.kind in "bui" else places
    if mode == "wrap":
        places = places % a.size
    elif mode == "clip":
        places = np.clip(places, 0, a.size - 1)
    elif np.any((places < -a.size) | (places >= a.size)):
        raise IndexError(f"np.put into {a.size} entries was given places beyond them")
    if places.size and v.size:
        a[np.unravel_index(places % a.size, a.shape)] = np.resize(v, places.shape)


@composite(np.place)
def _place(arr: Any, mask: Any, vals: Any) -> None:
    mask, vals = np.asarray(mask, bool), array(vals)
    if not vals.size and np.any(mask):
        raise ValueError("np.place needs a value to insert")
    arr[mask] = np.resize(vals, np.count_nonzero(mask))


@composite(np.putmask)
def _putmask(a: Any, /, mask: Any, values: Any) -> None:
    mask, new = np.asarray(mask, bool), array(values)
    if mask.size != a.size:
        raise ValueError(f"np.putmask takes a mask of the size of the array: shapes {mask.shape} and {a.shape}")
    if not new.size:
        return
    mask = np.reshape(mask, a.shape)
    a[mask] = (new if new.shape == a.shape else np.resize(new, a.shape))[mask]


@composite(np.copyto)
def _copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    src = array(src)
    if not np.can_cast(src.dtype, dst.dtype, casting):
        raise TypeError(f"np.copyto cannot cast {src.dtype} to {dst.dtype} by the rule {casting!r}")
    dst[...] = src if where is True else np.where(where, src, dst)


@composite(np.fill_diagonal)
def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    if a.ndim < 2 or (a.ndim > 2 and len(set(a.shape)) > 1):
        raise ValueError(f"np.fill_diagonal takes a matrix or an array with axes of one length, not shape {a.shape}")
    step = 1 + sum(int(np.prod(a.shape[i:], dtype=int)) for i in range(1, a.ndim))
    places = np.arange(0, a.shape[1] ** 2 if a.ndim == 2 and not wrap else a.size, step)
    places = places[places < a.size]
    val = array(val)
    if not val.size:
        return
    a[np.unravel_index(places, a.shape)] = np.resize(val, places.shape) if val.ndim else val
