"""Methods of ufuncs: ``np.add.reduce``, ``accumulate``, ``outer``, each said with the functions that have rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from .reduce import logsumexp

REDUCE: dict[Any, Any] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_and: np.all,
    np.logical_or: np.any,
}
ACCUMULATE: dict[Any, Any] = {np.add: np.cumsum, np.multiply: np.cumprod}


def ufunc_method(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Apply ``ufunc.method(*inputs, **kwargs)`` to Tensors."""
    if method == "reduce" and ufunc in REDUCE:
        return _reduce(REDUCE[ufunc], *inputs, **kwargs)
    if method == "reduce" and ufunc is np.logaddexp:
        axis = inputs[1] if len(inputs) > 1 else kwargs.get("axis", 0)
        return logsumexp(inputs[0], axis=axis, keepdims=kwargs.get("keepdims", False))
    if method == "accumulate" and ufunc in ACCUMULATE:
        axis = inputs[1] if len(inputs) > 1 else kwargs.get("axis", 0)
        return ACCUMULATE[ufunc](inputs[0], axis=axis)
    if method == "outer":
        a, b = inputs
        return ufunc(np.reshape(a, np.shape(a) + (1,) * np.ndim(b)), b, **kwargs)
    raise TypeError(
        f"np.{ufunc.__name__}.{method} has no gradient rule; "
        + (f"np.{ufunc.__name__}.outer and np.add.reduce have" if method != "outer" else "")
    )


def _reduce(
    fn: Any,
    a: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = np._NoValue,
    where: Any = True,
) -> Any:
    keywords = {"initial": initial} if initial is not np._NoValue and fn not in (np.all, np.any) else {}
    if where is not True:
        keywords["where"] = where
    if fn in (np.sum, np.prod) and dtype is not None:
        keywords["dtype"] = dtype
    return fn(a, axis=axis, keepdims=keepdims, **keywords)
