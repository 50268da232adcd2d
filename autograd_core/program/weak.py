"""Python numbers on a tape: floats, ints and complex numbers with a shape and a dtype, so that a Tensor may hold them.

They stay what they are, *weak*: beside a float32 array a Python float is computed in float32, a NumPy float64 is not.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

NAMES = "add sub mul truediv floordiv mod pow".split()


def _exact(_: Any, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Hand NumPy the number itself: of its subclasses it makes float64."""
    plain = [x.__class__.__base__(x) if type(x) in (WeakFloat, WeakInt, WeakComplex) else x for x in inputs]
    if ufunc is np.power and method == "__call__" and not kwargs:
        return operator.pow(*plain)  # as the array's own operator, which takes the root for x**0.5
    if ufunc is np.conjugate and method == "__call__" and not kwargs:
        return inputs[0].conjugate()
    return getattr(ufunc, method)(*plain, **kwargs)


class WeakFloat(float):
    """A Python float whose results with other Python numbers are of this kind again."""

    shape = ()
    ndim = 0
    size = 1
    dtype = np.dtype(np.float64)
    __array_ufunc__ = _exact


class WeakInt(int):
    """A Python int of the same kind."""

    shape = ()
    ndim = 0
    size = 1
    dtype = np.dtype(np.int64)
    __array_ufunc__ = _exact


class WeakComplex(complex):
    """A Python complex number of the same kind."""

    shape = ()
    ndim = 0
    size = 1
    dtype = np.dtype(np.complex128)
    __array_ufunc__ = _exact


def weak(value: Any) -> Any:
    """Return a Python number as one that a Tensor may hold.

    Examples
    --------
    >>> type(weak(2) / 3).__name__, (np.ones(1, np.float32) * weak(0.5)).dtype
    ('WeakFloat', dtype('float32'))
    """
    return (
        WeakInt(value) if isinstance(value, int) else (WeakComplex if isinstance(value, complex) else WeakFloat)(value)
    )


def _method(kind: type, name: str) -> Any:
    plain = getattr(kind, name)

    def method(self: Any, *others: Any) -> Any:
        if others and isinstance(others[0], np.generic):
            return NotImplemented
        found = plain(self, *others)
        return found if found is NotImplemented else weak(found)

    return method


for _kind in (WeakFloat, WeakInt, WeakComplex):
    for _name in NAMES if _kind is not WeakComplex else (n for n in NAMES if n not in ("floordiv", "mod")):
        for _spelling in (f"__{_name}__", f"__r{_name}__"):
            setattr(_kind, _spelling, _method(_kind.__base__, _spelling))  # type: ignore[arg-type]
    for _spelling in ("__neg__", "__pos__", "__abs__", "conjugate"):
        setattr(_kind, _spelling, _method(_kind.__base__, _spelling))  # type: ignore[arg-type]
