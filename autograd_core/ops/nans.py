"""Reductions that look past NaN. What they do not look at is absent, so nothing flows into it: no NaN comes back.

They are NumPy's own steps: replace, reduce, count.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..rules import composite, constant, present, primitive, rule
from ..rules import where as select
from ..spaces import unreduce
from .reduce import _to, root

_NoValue = np._NoValue


def given(**keywords: Any) -> dict[str, Any]:
    """Return the keywords that were given."""
    return {k: v for k, v in keywords.items() if v is not _NoValue and v is not None}


def without_nan(a: Any, filler: float) -> Any:
    """Return an array with NaN replaced."""
    return np.where(np.isnan(a), filler, a)


@composite(np.nansum)
def _nansum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NoValue,
    initial: Any = _NoValue, where: Any = _NoValue,
) -> Any:  # fmt: skip
    return np.sum(
        without_nan(a, 0), axis, **given(dtype=dtype, out=out, keepdims=keepdims, initial=initial, where=where)
    )


@composite(np.nanprod)
def _nanprod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NoValue,
    initial: Any = _NoValue, where: Any = _NoValue,
) -> Any:  # fmt: skip
    return np.prod(
        without_nan(a, 1), axis, **given(dtype=dtype, out=out, keepdims=keepdims, initial=initial, where=where)
    )


@composite(np.nancumsum)
def _nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return _to(out, np.cumsum(without_nan(a, 0), axis, **given(dtype=dtype)))


@composite(np.nancumprod)
def _nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return _to(out, np.cumprod(without_nan(a, 1), axis, **given(dtype=dtype)))


# --- moments ----------------------------------------------------------------------------------------------------------


def _divide(total: Any, count: Any) -> Any:
    """Divide by whole numbers, in the total's own dtype; by none of them it is NaN, and nothing flows."""
    none = count <= 0
    nan = complex(np.nan, np.nan) if total.dtype.kind == "c" else np.nan
    ratio = np.where(none, nan, total / np.where(none, 1, count))
    return ratio if ratio.dtype == total.dtype else np.astype(ratio, total.dtype)


@primitive
def warn_of(bad: Any, message: str) -> None:
    """Warn if any entry is bad, as NumPy does."""
    if np.any(bad):
        warnings.warn(message, RuntimeWarning, stacklevel=5)


constant(warn_of)


@composite(np.nanmean)
def _nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NoValue, *, where: Any = _NoValue
) -> Any:
    hole = np.isnan(a)
    keywords = given(keepdims=keepdims, where=where)
    count = np.sum(~hole, axis, **keywords)
    mean = _divide(np.sum(np.where(hole, 0, a), axis, **given(dtype=dtype), **keywords), count)
    warn_of(count == 0, "Mean of empty slice")
    return _to(out, mean)


@composite(np.nanvar)
def _nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: Any = _NoValue, *,
    where: Any = _NoValue, mean: Any = _NoValue, correction: Any = _NoValue,
) -> Any:  # fmt: skip
    hole = np.isnan(a)
    keywords = given(where=where)
    count = np.sum(~hole, axis, keepdims=True, **keywords)
    if mean is _NoValue:
        mean = _divide(np.sum(np.where(hole, 0, a), axis, keepdims=True, **given(dtype=dtype), **keywords), count)
    d = np.where(hole, 0, a - mean)
    d = d if d.dtype == a.dtype else np.astype(d, a.dtype)
    square = np.real(d * np.conjugate(d)) if d.dtype.kind == "c" else d * d
    total = np.sum(square, axis, **given(dtype=dtype, keepdims=keepdims), **keywords)
    freedom = (count if total.ndim == count.ndim else np.squeeze(count, axis)) - (
        ddof if correction is _NoValue else correction
    )
    warn_of(freedom <= 0, "Degrees of freedom <= 0 for slice.")
    return _to(out, _divide(total, freedom))


@composite(np.nanstd)
def _nanstd(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: Any = _NoValue, *,
    where: Any = _NoValue, mean: Any = _NoValue, correction: Any = _NoValue,
) -> Any:  # fmt: skip
    variance = np.nanvar(a, axis, dtype, None, ddof, keepdims=keepdims, where=where, mean=mean, correction=correction)
    return _to(out, root(variance))


# --- extremes ---------------------------------------------------------------------------------------------------------


@primitive
def known_largest(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return the largest that is not NaN."""
    return np.fmax.reduce(x, axis, keepdims=keepdims)


@primitive
def known_smallest(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return the smallest that is not NaN."""
    return np.fmin.reduce(x, axis, keepdims=keepdims)


def _known_extreme_pull(g: Any, ans: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Share the cotangent equally among ties; where all is NaN nothing flows."""
    winners = x == unreduce(ans, x, axis, keepdims)
    ties = np.maximum(np.sum(winners, axis=axis, keepdims=True), 1)
    return present(select(winners, unreduce(g, x, axis, keepdims) / ties.astype(x.dtype)), winners)


rule(known_largest, _known_extreme_pull, selects=True, batched=True, name="nanmax")
rule(known_smallest, _known_extreme_pull, selects=True, batched=True, name="nanmin")


def known_extreme(reduce: Any, pairwise: Any) -> Any:
    """Make a function with the signature of `numpy.nanmax` from a reduction and its ufunc."""

    def body(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NoValue, where: Any = _NoValue
    ) -> Any:
        if where is not _NoValue and where is not True:
            if initial is _NoValue:
                raise ValueError("a maximum or minimum with where= needs initial=, as in NumPy")
            a = np.where(where, a, np.nan)
        axis = tuple(range(a.ndim)) if axis is None else axis
        result = reduce(a, axis=axis, keepdims=keepdims is not _NoValue and keepdims)
        return _to(out, result if initial is _NoValue else pairwise(result, initial))

    return body


def _warning(body: Any) -> Any:
    def nan_extreme(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NoValue, where: Any = _NoValue
    ) -> Any:
        result = body(a, axis, out, keepdims, initial, where)
        warn_of(np.isnan(result), "All-NaN slice encountered")
        return result

    return nan_extreme


nan_max, nan_min = known_extreme(known_largest, np.fmax), known_extreme(known_smallest, np.fmin)
composite(np.nanmax)(_warning(nan_max))
composite(np.nanmin)(_warning(nan_min))
