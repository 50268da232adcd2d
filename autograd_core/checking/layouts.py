"""How an array lies in memory: other values are put into memory of the same form, so that they are read the same way.

``x.ravel(order="K")`` reads a transposed array in another order than a copy of it. A gradient that is wrong for such an
array is seen only if the function and its gradient are given such arrays, at every point at which they are called.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
ROOM = 1 << 16  # bytes that an array's gaps may always take; beyond, 64 times what its entries take
Strides = tuple[int, ...]


def laid_out(model: Array, x: Array) -> Array:
    """Return the values of `x`, of the shape of `model`, in new memory of the form of the model's.

    The order of its axes, gaps, negative strides, repeated memory, byte order, alignment, write protection and class
    are the model's; the precision stays that of `x`. Entries that share memory in the model but differ in `x` cannot.

    Examples
    --------
    >>> a = np.zeros((3, 4)).T[::-1]
    >>> laid_out(a, np.ones((4, 3), np.float32)).strides == tuple(s // 2 for s in a.strides)
    True
    """
    dtype = x.dtype.newbyteorder("=")
    dtype = dtype if model.dtype.isnative else dtype.newbyteorder()
    flags = model.flags
    if flags.c_contiguous and flags.aligned:
        found = np.array(x, dtype, order="C")
    else:
        found = _room(model, dtype)
        found[...] = x
        if repeats(model) and not np.array_equal(found, x, equal_nan=True):
            found = np.array(x, dtype, order="C")
    if not flags.writeable:
        found.flags.writeable = False
    return found if type(model) is np.ndarray else _of_class(model, found)


def repeats(model: Array) -> bool:
    """Say whether two entries may share memory."""
    reach = model.itemsize
    for stride, n in sorted((abs(s), n) for s, n in zip(model.strides, model.shape, strict=True) if n > 1):
        if stride < reach:
            return True
        reach += (n - 1) * stride
    return False


def is_plain(model: Any) -> bool:
    """Say whether something is no array, or one as NumPy makes them."""
    if not isinstance(model, np.ndarray):
        return True
    flags = model.flags
    return type(model) is np.ndarray and flags.carray and model.dtype.isnative


def described(model: Array) -> str:
    """Say in words what is unusual about the memory of an array.

    Examples
    --------
    >>> described(np.zeros((2, 3)).T)
    "Fortran's order"
    """
    parts = []
    if repeats(model):
        parts.append(f"repeated memory, strides {model.strides}")
    elif any(s < 0 for s in model.strides):
        parts.append(f"negative strides {model.strides}")
    elif model.flags.f_contiguous and not model.flags.c_contiguous:
        parts.append("Fortran's order")
    elif not model.flags.c_contiguous:
        parts.append(f"strides {model.strides}")
    parts += ["read-only"] if not model.flags.writeable else []
    parts += ["bytes in the other order"] if not model.dtype.isnative else []
    parts += ["not aligned"] if not model.flags.aligned else []
    parts += [f"class {type(model).__name__}"] if type(model) is not np.ndarray else []
    return ", ".join(parts) or "C order"


def _room(model: Array, dtype: Any) -> Array:
    """Return memory of the form of the model's, for entries of a dtype."""
    strides = _scaled(model, dtype.itemsize)
    low, high = _extent(model.shape, strides)
    if high - low > max(ROOM, 64 * model.size * dtype.itemsize):  # a column of a large table
        strides = _closer(model, dtype.itemsize)
        low, high = _extent(model.shape, strides)
    shift = 0 if model.flags.aligned else model.__array_interface__["data"][0] % model.dtype.alignment
    memory = np.zeros(high - low + dtype.itemsize + shift, np.uint8)
    return np.ndarray(model.shape, dtype, memory.data, shift - low, strides)


def _extent(shape: tuple[int, ...], strides: Strides) -> tuple[int, int]:
    ends = [(n - 1) * s for n, s in zip(shape, strides, strict=True) if n]
    return sum(min(e, 0) for e in ends), sum(max(e, 0) for e in ends)


def _scaled(model: Array, itemsize: int) -> Strides:
    """Return the model's strides for entries of another size."""
    old = model.itemsize
    if old == itemsize:
        return model.strides
    return tuple((1 if s > 0 else -1) * -(-abs(s) // old) * itemsize for s in model.strides)


def _closer(model: Array, itemsize: int) -> Strides:
    """Return strides of the same order and signs with gaps of one entry."""
    strides, step = [0] * model.ndim, 2 * itemsize
    for k in sorted(range(model.ndim), key=lambda k: abs(model.strides[k])):
        if model.strides[k] and model.shape[k] > 1:
            strides[k] = step if model.strides[k] > 0 else -step
            step *= model.shape[k]
    return tuple(strides)


def _of_class(model: Array, found: Array) -> Array:
    """Return an array as one of a subclass, with what the class keeps beside the entries."""
    found = found.view(type(model))
    found.__array_finalize__(model)
    return found
