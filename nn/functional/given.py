"""What is given to a layer: arrays or Tensors of numbers, and lists, which become arrays."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np


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
