"""Reductions that look past NaN: NumPy's own, with the pullbacks of a reduction of some entries.

What they do not look at is absent, so nothing flows into it: no NaN comes back.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..rules import composite, constant, present, primitive, rule
from ..rules import where as select
from ..spaces import unreduce
from .reduce import _cumprod_pull, _cumsum_pull, _half_over, extreme, extreme_pull, product_of_others, root

_NoValue = np._NoValue


def given(**keywords: Any) -> dict[str, Any]:
    """Return the keywords that were given."""
    return {k: v for k, v in keywords.items() if v is not _NoValue and v is not None}


def _known(x: Any, where: Any) -> Any:
    known = ~np.isnan(x)
    return known if where is True else known & where


def _count(known: Any, axis: Any, keepdims: Any) -> Any:
    """Return how many entries are known; 1 where none is, since it is divided by."""
    return np.maximum(np.sum(known, axis=axis, keepdims=keepdims), 1)


def _of_known(g: Any, known: Any) -> Any:
    return present(select(known, np.broadcast_to(g, known.shape)), known)


# --- sums and products ------------------------------------------------------------------------------------------------


@primitive
def known_sum(x: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None, where: Any = True) -> Any:
    """Return the sum of what is not NaN."""
    return np.nansum(x, axis=axis, keepdims=keepdims, dtype=dtype, where=where)


@primitive
def known_product(x: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None, where: Any = True) -> Any:
    """Return the product of what is not NaN."""
    return np.nanprod(x, axis=axis, keepdims=keepdims, dtype=dtype, where=where)


def _known_sum_pull(g: Any, x: Any, axis: Any = None, keepdims: Any = False, where: Any = True) -> Any:
    return _of_known(unreduce(g, x, axis, keepdims), _known(x, where))


def _known_product_pull(g: Any, x: Any, axis: Any = None, keepdims: Any = False, where: Any = True) -> Any:
    known = _known(x, where)
    others = product_of_others(np.where(known, x, x.dtype.type(1)), axis)
    return _of_known(unreduce(g, x, axis, keepdims) * others, known)


rule(known_sum, _known_sum_pull, metadata="dtype", selects=True, name="nansum")
rule(known_product, _known_product_pull, metadata="dtype", selects=True, name="nanprod")


def _keywords(axis: Any, keepdims: Any, where: Any, **rest: Any) -> dict[str, Any]:
    """Return the metadata of a call: what was given, and the axis."""
    keywords = {"axis": axis, **given(**rest)}
    if keepdims is not _NoValue:
        keywords["keepdims"] = bool(keepdims)
    if where is not _NoValue and where is not True:
        keywords["where"] = np.asarray(where)
    return keywords


def _sum_or_product(reduce: Any, numpys: Any, filler: int) -> Any:
    def body(
        a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NoValue,
        initial: Any = _NoValue, where: Any = _NoValue,
    ) -> Any:  # fmt: skip
        keywords = _keywords(axis, keepdims, where, dtype=dtype)
        if initial is _NoValue:
            return reduce(a, **keywords)
        return numpys(np.where(np.isnan(a), filler, a), initial=initial, **keywords)

    return body


composite(np.nansum)(_sum_or_product(known_sum, np.sum, 0))
composite(np.nanprod)(_sum_or_product(known_product, np.prod, 1))


@primitive
def known_running_sum(x: Any, axis: Any = None, dtype: Any = None) -> Any:
    """Return the sum of the entries so far that are not NaN."""
    return np.nancumsum(x, axis=axis, dtype=dtype)


@primitive
def known_running_product(x: Any, axis: Any = None, dtype: Any = None) -> Any:
    """Return the product of the entries so far that are not NaN."""
    return np.nancumprod(x, axis=axis, dtype=dtype)


def _known_running_product_pull(g: Any, ans: Any, x: Any, axis: Any = None) -> Any:
    known = ~np.isnan(x)
    return _of_known(_cumprod_pull(g, ans, np.where(known, x, x.dtype.type(1)), axis), known)


rule(
    known_running_sum,
    lambda g, x, axis=None: _of_known(_cumsum_pull(g, x, axis), ~np.isnan(x)),
    metadata="dtype",
    selects=True,
    name="nancumsum",
)
rule(known_running_product, _known_running_product_pull, metadata="dtype", selects=True, name="nancumprod")


def _running(running: Any) -> Any:
    def body(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        return running(a, axis=axis, **given(dtype=dtype))

    return body


composite(np.nancumsum)(_running(known_running_sum))
composite(np.nancumprod)(_running(known_running_product))


# --- moments ----------------------------------------------------------------------------------------------------------


@primitive
def known_mean(x: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None, where: Any = True) -> Any:
    """Return the mean of what is not NaN."""
    return np.nanmean(x, axis=axis, keepdims=keepdims, dtype=dtype, where=where)


@primitive
def known_variance(
    x: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None, where: Any = True, ddof: float = 0
) -> Any:
    """Return the variance of what is not NaN."""
    return np.nanvar(x, axis=axis, keepdims=keepdims, dtype=dtype, where=where, ddof=ddof)


@primitive
def known_deviation(
    x: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None, where: Any = True, ddof: float = 0
) -> Any:
    """Return the standard deviation of what is not NaN; its derivative at constant data is 0."""
    return np.nanstd(x, axis=axis, keepdims=keepdims, dtype=dtype, where=where, ddof=ddof)


@primitive
def known_variance_about(
    x: Any, mean: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None, where: Any = True, ddof: float = 0
) -> Any:
    """Return the mean square of deviations from a given mean."""
    return np.nanvar(x, axis=axis, keepdims=keepdims, dtype=dtype, where=where, ddof=ddof, mean=mean)


def _known_mean_pull(g: Any, x: Any, axis: Any = None, keepdims: Any = False, where: Any = True) -> Any:
    known = _known(x, where)
    return _of_known(unreduce(g / _count(known, axis, keepdims), x, axis, keepdims), known)


def _slope_about(g: Any, x: Any, mean: Any, axis: Any, keepdims: Any, known: Any, ddof: float) -> Any:
    freedom = _count(known, axis, keepdims) - ddof
    g = np.where(freedom > 0, g, 0) * (2.0 / np.where(freedom > 0, freedom, 1))
    return np.where(known, unreduce(g, x, axis, keepdims) * np.conjugate(np.where(known, x - mean, 0)), 0)


def _known_variance_pull(
    g: Any, x: Any, axis: Any = None, keepdims: Any = False, where: Any = True, ddof: float = 0
) -> Any:
    known = _known(x, where)
    mean = np.sum(np.where(known, x, 0), axis=axis, keepdims=True) / _count(known, axis, True)
    return present(_slope_about(g, x, mean, axis, keepdims, known, ddof), known)


def _known_deviation_pull(
    g: Any, ans: Any, x: Any, axis: Any = None, keepdims: Any = False, where: Any = True, ddof: float = 0
) -> Any:
    return _known_variance_pull(g * _half_over(ans), x, axis, keepdims, where, ddof)


def _about_pull_x(
    g: Any, x: Any, mean: Any, axis: Any = None, keepdims: Any = False, where: Any = True, ddof: float = 0
) -> Any:
    known = _known(x, where)
    return present(_slope_about(g, x, mean, axis, keepdims, known, ddof), known)


def _about_pull_mean(
    g: Any, x: Any, mean: Any, axis: Any = None, keepdims: Any = False, where: Any = True, ddof: float = 0
) -> Any:
    return -_slope_about(g, x, mean, axis, keepdims, _known(x, where), ddof)


rule(known_mean, _known_mean_pull, metadata="dtype", selects=True, name="nanmean")
rule(known_variance, _known_variance_pull, metadata="dtype", selects=True, name="nanvar")
rule(known_deviation, _known_deviation_pull, metadata="dtype", selects=True, name="nanstd")
rule(
    known_variance_about, _about_pull_x, _about_pull_mean, args="x mean", metadata="dtype", selects=True, name="nanvar"
)


@composite(np.nanmean)
def _nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NoValue, *, where: Any = _NoValue
) -> Any:
    return known_mean(a, **_keywords(axis, keepdims, where, dtype=dtype))


def _spread(spread: Any, finish: Any) -> Any:
    def body(
        a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: Any = _NoValue, *,
        where: Any = _NoValue, mean: Any = _NoValue, correction: Any = _NoValue,
    ) -> Any:  # fmt: skip
        keywords = _keywords(axis, keepdims, where, dtype=dtype, ddof=ddof if correction is _NoValue else correction)
        if mean is _NoValue:
            return spread(a, **keywords)
        return finish(known_variance_about(a, mean, **keywords))

    return body


composite(np.nanvar)(_spread(known_variance, lambda variance: variance))
composite(np.nanstd)(_spread(known_deviation, root))


# --- extremes ---------------------------------------------------------------------------------------------------------


@primitive
def warn_of(bad: Any, message: str) -> None:
    """Warn if any entry is bad, as NumPy does."""
    if np.any(bad):
        warnings.warn(message, RuntimeWarning, stacklevel=5)


constant(warn_of)


@primitive
def known_largest(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return the largest that is not NaN."""
    return np.fmax.reduce(x, axis, keepdims=keepdims)


@primitive
def known_smallest(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return the smallest that is not NaN."""
    return np.fmin.reduce(x, axis, keepdims=keepdims)


rule(known_largest, extreme_pull, selects=True, batched=True, name="nanmax")
rule(known_smallest, extreme_pull, selects=True, batched=True, name="nanmin")


def _warning(body: Any) -> Any:
    def nan_extreme(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NoValue, where: Any = _NoValue
    ) -> Any:
        result = body(a, axis, out, keepdims, initial, where)
        warn_of(np.isnan(result), "All-NaN slice encountered")
        return result

    return nan_extreme


nan_max, nan_min = extreme(known_largest, np.fmax, np.nan), extreme(known_smallest, np.fmin, np.nan)
composite(np.nanmax)(_warning(nan_max))
composite(np.nanmin)(_warning(nan_min))
