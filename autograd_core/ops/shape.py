"""Functions that move entries about without changing them. All are linear, and carry masks as they carry cotangents."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules import Door, composite, rule
from ..spaces import array, cast, from_end

MOVES: dict[str, Any] = {"linear": True, "batched": True, "carries": True}


# --- shapes -----------------------------------------------------------------------------------------------------------


def _reshape_pull(g: Any, x_space: Any, ans_space: Any, shape: Any = None, order: Any = "C") -> Any:
    shape = tuple(x_space.shape)
    if order == "C":
        return np.reshape(g, g.shape[: len(g.shape) - len(ans_space.shape)] + shape)  # behind the axis of a batch
    if len(g.shape) > len(ans_space.shape):
        return np.stack([np.reshape(row, shape, order=order) for row in g])
    return np.reshape(g, shape, order=order)


def _reshape(x: Any, shape: Any = None, order: Any = "C", copy: bool | None = None) -> Any:
    if order == "A":  # only the values would tell the pullback which
        raise TypeError("np.reshape with order='A' is refused for Tensors: write order='C' or order='F'")
    return x.reshape(shape, order=order) if copy is None else np.reshape(x, shape, order=order, copy=copy)


RESHAPE = rule(np.reshape, _reshape_pull, compute=_reshape, params="a shape order copy", **MOVES)


def reshaped(a: Any, shape: Any) -> Any:
    """Return ``np.reshape(a, shape)``, past NumPy's dispatcher: what others are made of."""
    return Door.record(RESHAPE, (a,), {"shape": shape}) if type(a) is Door.kind else np.reshape(a, shape)


@composite(np.ravel)
def _ravel(a: Any, order: Any = "C") -> Any:
    if order == "K":  # as the entries lie in memory
        a, order = np.transpose(a, np.argsort([-abs(s) for s in a.strides], kind="stable")), "C"
    elif order == "A":
        order = "F" if a.flags.fnc else "C"
    return reshaped(a, -1) if order == "C" else np.reshape(a, -1, order=order)


@composite(np.squeeze)
def _squeeze(a: Any, axis: Any = None) -> Any:
    shape = a.shape
    if axis is None:
        return reshaped(a, tuple([n for n in shape if n != 1]))
    axes = from_end(axis, len(shape), reducing=True)
    if any(shape[i] != 1 for i in axes):
        raise ValueError(f"cannot squeeze axis {axis} of shape {shape}: its length is not 1")
    return reshaped(a, tuple([n for i, n in enumerate(shape, -len(shape)) if i not in axes]))


@composite(np.expand_dims)
def _expand_dims(a: Any, axis: Any) -> Any:
    shape = a.shape
    if type(axis) is int and -len(shape) <= axis <= len(shape):  # of others, NumPy knows what they are
        at = axis % (len(shape) + 1)
        return reshaped(a, (*shape[:at], 1, *shape[at:]))
    return reshaped(a, np.expand_dims(np.broadcast_to(np.float64(0), shape), axis).shape)


def _at_least(n: int) -> Any:
    def one(a: Any) -> Any:
        a = array(a)
        shape = a.shape
        missing = n - len(shape)
        if missing <= 0:
            return a
        before = missing - 1 if n == 3 and shape else missing  # a third axis comes last
        return reshaped(a, (1,) * before + shape + (1,) * (missing - before))

    def body(*arrays: Any) -> Any:
        return one(arrays[0]) if len(arrays) == 1 else tuple(one(a) for a in arrays)

    body.__name__ = f"atleast_{n}d"
    return body


composite(np.atleast_1d)(_at_least(1))
composite(np.atleast_2d)(_at_least(2))
composite(np.atleast_3d)(_at_least(3))


# --- axes -------------------------------------------------------------------------------------------------------------


def _transpose_pull(g: Any, x_space: Any, axes: Any = None) -> Any:
    ndim = len(x_space.shape)
    axes = range(ndim)[::-1] if axes is None else [a % ndim for a in axes]
    head = len(g.shape) - ndim
    inverse = [0] * ndim
    for i, a in enumerate(axes):
        inverse[a] = head + i
    return np.transpose(g, (*range(head), *inverse))


def _transpose(x: Any, axes: Any = None) -> Any:
    return x.transpose(axes)


TRANSPOSE = rule(np.transpose, _transpose_pull, compute=_transpose, params="a axes", **MOVES)


def transposed(a: Any, axes: Any) -> Any:
    """Return ``np.transpose(a, axes)``, past NumPy's dispatcher."""
    return Door.record(TRANSPOSE, (a,), {"axes": axes}) if type(a) is Door.kind else np.transpose(a, axes)


@composite(np.swapaxes)
def _swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    order = list(range(len(a.shape)))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transposed(a, order)


@composite(np.moveaxis)
def _moveaxis(a: Any, source: Any, destination: Any) -> Any:
    ndim = len(a.shape)
    if type(source) is int and type(destination) is int and -ndim <= source < ndim and -ndim <= destination < ndim:
        order = list(range(ndim))
        order.insert(destination % ndim, order.pop(source))
        return transposed(a, order)
    positions = np.moveaxis(np.broadcast_to(np.float64(0), range(1, ndim + 1)), source, destination).shape
    return transposed(a, [n - 1 for n in positions])


@composite(np.rollaxis)
def _rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    positions = np.rollaxis(np.broadcast_to(np.float64(0), range(1, a.ndim + 1)), axis, start).shape
    return transposed(a, [n - 1 for n in positions])


@composite(np.matrix_transpose)
def _matrix_transpose(x: Any, /) -> Any:
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose needs two axes or more, the shape is {x.shape}")
    return np.swapaxes(x, -1, -2)


# --- stretching -------------------------------------------------------------------------------------------------------


def _broadcast_pull(g: Any, x_space: Any, ans_space: Any, shape: Any = None) -> Any:
    head = len(g.shape) - len(ans_space.shape)
    extra = len(ans_space.shape) - len(x_space.shape)
    if extra:
        g = np.add.reduce(g, axis=tuple(range(head, head + extra)))
    stretched = tuple(head + i for i, n in enumerate(x_space.shape) if n == 1)
    return np.add.reduce(g, axis=stretched, keepdims=True) if stretched else g


rule(np.broadcast_to, _broadcast_pull, params="array shape subok", linear=True, batched=True, carries=False)


@composite(np.broadcast_arrays)
def _broadcast_arrays(*arrays: Any, subok: bool = False) -> Any:
    shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
    return tuple(np.broadcast_to(a, shape) for a in arrays)


@composite(np.tile)
def _tile(A: Any, reps: Any) -> Any:
    reps = (reps,) if np.ndim(reps) == 0 else tuple(reps)
    ndim = max(len(reps), A.ndim)
    reps = (1,) * (ndim - len(reps)) + reps
    shape = (1,) * (ndim - A.ndim) + A.shape
    split = tuple(n for pair in zip(reps, shape, strict=True) for n in pair)
    once = reshaped(A, tuple(n for s in shape for n in (1, s)))
    return reshaped(np.broadcast_to(once, split), tuple(r * s for r, s in zip(reps, shape, strict=True)))


# --- order along axes -------------------------------------------------------------------------------------------------


def _flip_pull(g: Any, x_space: Any, axis: Any = None) -> Any:
    return np.flip(g, from_end(axis, len(x_space.shape)))


rule(np.flip, _flip_pull, params="m axis", **MOVES)


@composite(np.fliplr)
def _fliplr(m: Any) -> Any:
    return np.flip(m, 1)


@composite(np.flipud)
def _flipud(m: Any) -> Any:
    return np.flip(m, 0)


@composite(np.rot90)
def _rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    first, second = axes
    k %= 4
    if k == 2:
        return np.flip(m, (first, second))
    if k == 1:
        return np.swapaxes(np.flip(m, second), first, second)
    return np.flip(np.swapaxes(m, first, second), second) if k else np.copy(m)


def _roll_pull(g: Any, x_space: Any, shift: Any = None, axis: Any = None) -> Any:
    back = -cast(array(shift), int)  # of a byte, minus 3 would be 253
    if axis is None and len(g.shape) > len(x_space.shape):
        return np.stack([np.roll(row, back) for row in g])
    return np.roll(g, back, axis=None if axis is None else from_end(axis, len(x_space.shape)))


rule(np.roll, _roll_pull, params="a shift axis", **MOVES)


# --- triangles, copies, casts -----------------------------------------------------------------------------------------

rule(np.tril, lambda g, k=0: np.tril(g, k), params="m k", fixes=True, **MOVES)
rule(np.triu, lambda g, k=0: np.triu(g, k), params="m k", fixes=True, **MOVES)
rule(
    np.copy,
    lambda g: g,
    compute=lambda x, order="K", subok=False: x.copy(order),
    params="a order subok",
    metadata="order",
    **MOVES,
)
rule(
    np.astype,
    lambda g: g,
    compute=lambda x, dtype, copy=True, device=None: x.astype(dtype),
    params="x dtype copy device",
    metadata="dtype",
    **MOVES,
)
