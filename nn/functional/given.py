"""What is given to a layer: arrays or Tensors of numbers, and lists, which become arrays."""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any

import numpy as np


def whole(n: Any, who: str, what: str) -> int:
    """Return a whole number, or say that it is none.

    Examples
    --------
    >>> whole(2, "Linear", "n_in")
    2
    >>> whole(2.5, "Linear", "n_in")
    Traceback (most recent call last):
    ...
    TypeError: n_in of Linear is an integer, not 2.5
    """
    try:
        return operator.index(n)
    except TypeError:
        hint = f": write {int(n)}" if isinstance(n, float) and n.is_integer() else ""
        raise TypeError(f"{what} of {who} is an integer, not {n!r}{hint}") from None


def numbers(x: Any, who: str, kinds: str = "biufc") -> Any:
    """Return an array or a Tensor of numbers as it is, and lists as an array; or say that they are no numbers.

    Examples
    --------
    >>> numbers([[1, 2]], "a layer")
    array([[1, 2]])
    >>> numbers(np.array(["1"]), "a layer")
    Traceback (most recent call last):
    ...
    TypeError: a layer takes numbers, not an array of dtype <U1
    """
    if not hasattr(x, "ndim"):
        if callable(x):
            raise TypeError(f"{who} takes numbers, not a {type(x).__name__}: hand over what it returns, as in model(X)")
        x = np.asarray(x)
    if x.dtype.kind not in kinds:
        what = "numbers" if "c" in kinds else "real numbers"
        raise TypeError(f"{who} takes {what}, not an array of dtype {x.dtype}")
    return x


def floats(x: Any, who: str) -> Any:
    """Return the same with integers and flags as floats, where a mean or a multiple of them is wanted."""
    x = numbers(x, who)
    return x.astype(float) if x.dtype.kind in "biu" else x


def is_number(x: Any) -> bool:
    """Say whether a setting is one real number; True and False are none."""
    return isinstance(x, Real) and not isinstance(x, bool)


def cannot_hold(dtype: Any, values: Any) -> str:
    """Return words for the first number that would become another than by rounding, inf for example; else nothing.

    Examples
    --------
    >>> cannot_hold(np.dtype(np.float32), np.array([1e-50, 1e300]))
    '1e+300, which float32 cannot hold'
    """
    if dtype == values.dtype:
        return ""
    with np.errstate(all="ignore"):
        cast = values.astype(dtype)
        lost = np.isfinite(values) & ~np.isfinite(cast) if dtype.kind in "fc" else cast != values
    return f"{values[lost].flat[0]}, which {dtype} cannot hold" if lost.any() else ""


HALF = np.dtype(np.float16)


def widened(x: Any) -> Any:
    """Return half precision as float32, in which sums are reckoned: those of float16 stop growing, at 2048 of ones."""
    return x.astype(np.float32) if getattr(x, "dtype", None) == HALF else x
