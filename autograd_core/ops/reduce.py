"""Reductions and running reductions. Axes are counted from the end, so pullbacks also take a batch of cotangents."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import spaces
from ..rules import composite, present, primitive, rule, where
from ..spaces import array, cast, conj, from_end, unreduce
from ..state import STATE
from .shape import MOVES

_NoValue = np._NoValue


def count(space: Any, axis: Any) -> int:
    """Return how many entries a reduction over `axis` puts together.

    Examples
    --------
    >>> count(np.ones((2, 3)), None), count(np.ones((2, 3)), -1)
    (6, 3)
    """
    if axis is None:
        return math.prod(space.shape)
    n = 1
    for a in from_end(axis, len(space.shape), reducing=True):
        n *= space.shape[a]
    return n


def rows(x: Any, axis: Any) -> Any:
    """Return an array with the reduced axes put last, as one.

    Examples
    --------
    >>> rows(np.zeros((2, 3, 4)), (0, 2)).shape, rows(np.zeros((2, 3)), None).shape
    ((3, 8), (6,))
    """
    axes = from_end(axis, x.ndim)
    rest = [i for i in range(-x.ndim, 0) if i not in axes]
    kept = [x.shape[i] for i in rest]
    return np.reshape(np.transpose(x, [*rest, *axes]), (*kept, math.prod(x.shape[i] for i in axes)))


def beside(weights: Any, x: Any, axis: Any) -> Any:
    """Return weights given for the axes of a reduction with the axes of the array."""
    if weights.shape == x.shape:
        return weights
    axes = from_end(axis, x.ndim)
    if weights.shape != tuple(x.shape[i] for i in axes):
        raise ValueError(f"weights of shape {weights.shape} for axis {axis} of shape {x.shape}")
    shape = [n if i in axes else 1 for i, n in enumerate(x.shape, -x.ndim)]
    return np.reshape(np.transpose(weights, np.argsort(axes)), shape)


# --- sums and means ---------------------------------------------------------------------------------------------------


@primitive
def total(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return the sum; the same bits as `numpy.sum`, without its wrappers."""
    return np.add.reduce(x, axis=axis, keepdims=keepdims)


rule(total, lambda g, x_space, axis=None, keepdims=False: unreduce(g, x_space, axis, keepdims), name="sum", **MOVES)


sum_in_front = primitive(spaces.sum_in_front)

rule(sum_in_front, lambda g, x_space, axis: unreduce(g, x_space, axis), params="x axis", name="sum", **MOVES)


@primitive
def mean(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return the mean; the same bits as `numpy.mean` in half of its time."""
    if x.dtype.kind != "f" or x.dtype.itemsize < 4:
        return np.mean(x, axis=axis, keepdims=keepdims)
    n = count(x, axis) if x.ndim or axis is None else 0  # of a number NumPy takes no axis here
    if not n:
        return np.mean(x, axis=axis, keepdims=keepdims)
    total = np.add.reduce(x, axis=axis, keepdims=keepdims)
    if type(total) is np.ndarray:
        return np.true_divide(total, n, out=total, casting="unsafe", subok=False)
    return total.dtype.type(total / n)


def _mean_pull(g: Any, x_space: Any, axis: Any = None, keepdims: bool = False) -> Any:
    if g.dtype != bool and (n := count(x_space, axis)):  # a mask is stretched only, and what is of nothing vanishes
        g = g * (1.0 / n)
    return unreduce(g, x_space, axis, keepdims)


rule(mean, _mean_pull, **MOVES)


def _masked(a: Any, where: Any, filler: float) -> Any:
    """Return the array with the entries that ``where=`` leaves out replaced."""
    return a if where is True or where is _NoValue else np.where(where, a, filler)


def count_where(space: Any, axis: Any, where: Any, keepdims: bool) -> Any:
    """Return how many entries a reduction with ``where=`` puts together, as an array beside the reduced one."""
    return np.sum(np.broadcast_to(where, space.shape), axis=axis, keepdims=keepdims)


def taken(g: Any, where: Any) -> Any:
    """Return the cotangent of a reduction with ``where=``: absent where that leaves entries out."""
    if where is True:
        return g
    return present(np.where(where, g, g.dtype.type(0)), where if hasattr(where, "dtype") else np.asarray(where, bool))


# With NumPy's rarer keywords NumPy computes, so that the bits agree.


@primitive
def total_where(x: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None, where: Any = True) -> Any:
    """Return the sum of some entries, in some dtype."""
    return np.sum(x, axis=axis, dtype=dtype, keepdims=keepdims, where=where)


@primitive
def total_from(
    x: Any, initial: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None, where: Any = True
) -> Any:
    """Return the sum that starts with `initial`."""
    return np.sum(x, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where)


@primitive
def mean_where(x: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None, where: Any = True) -> Any:
    """Return the mean of some entries, in some dtype."""
    return np.mean(x, axis=axis, dtype=dtype, keepdims=keepdims, where=where)


def _total_where_pull(g: Any, x_space: Any, axis: Any = None, keepdims: Any = False, where: Any = True) -> Any:
    return taken(unreduce(g, x_space, axis, keepdims), where)


def _mean_where_pull(g: Any, x_space: Any, axis: Any = None, keepdims: Any = False, where: Any = True) -> Any:
    return taken(unreduce(g / count_where(x_space, axis, where, keepdims), x_space, axis, keepdims), where)


rule(total_where, _total_where_pull, metadata="dtype", selects=True, name="sum", **MOVES)
rule(
    total_from,
    _total_where_pull,
    lambda g: g,
    args="x initial",
    metadata="dtype",
    selects=True,
    batched=True,
    name="sum",
)
rule(mean_where, _mean_where_pull, metadata="dtype", linear=True, selects=True, batched=True, name="mean")


@composite(np.mean)
def _mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = _NoValue
) -> Any:
    keepdims = keepdims is not _NoValue and keepdims
    if dtype is None and (where is _NoValue or where is True):
        return mean(a, axis=axis, keepdims=keepdims)
    where = True if where is _NoValue else where
    return mean_where(a, axis=axis, keepdims=keepdims, dtype=dtype, where=where)


@composite(np.var)
def _var(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: Any = False, *,
    where: Any = _NoValue, mean: Any = _NoValue, correction: Any = _NoValue,
) -> Any:  # fmt: skip
    a = cast(a, dtype)
    metadata = {
        "axis": axis,
        "ddof": ddof if correction is _NoValue else correction,
        "keepdims": keepdims is not _NoValue and keepdims,
    }
    if where is not _NoValue and where is not True:
        metadata["where"] = where
    if mean is not _NoValue:
        return variance_about(a, mean, **metadata)
    return variance_where(a, **metadata) if "where" in metadata else variance(a, **metadata)


@primitive
def variance(x: Any, axis: Any = None, ddof: float = 0, keepdims: Any = False) -> Any:
    """Return the variance, as `numpy.var` has it."""
    return np.var(x, axis=axis, ddof=ddof, keepdims=keepdims)


def _variance_pull(g: Any, x: Any, axis: Any = None, ddof: float = 0, keepdims: Any = False) -> Any:
    if not x.size:
        return np.zeros_like(x)
    deviation, freedom = x - mean(x, axis=axis, keepdims=True), count(x, axis) - ddof
    return unreduce(g * (2.0 / freedom if freedom > 0 else np.nan), x, axis, keepdims) * conj(deviation)


rule(variance, _variance_pull, batched=True, name="var")


@primitive
def variance_where(x: Any, axis: Any = None, ddof: float = 0, keepdims: Any = False, where: Any = True) -> Any:
    """Return the variance of some entries."""
    return np.var(x, axis=axis, ddof=ddof, keepdims=keepdims, where=where)


@primitive
def variance_about(
    x: Any, center: Any, axis: Any = None, ddof: float = 0, keepdims: Any = False, where: Any = True
) -> Any:
    """Return the mean square of deviations from a given center, as `numpy.var` has it with ``mean=``."""
    return np.var(x, axis=axis, ddof=ddof, keepdims=keepdims, where=where, mean=center)


def _variance_where_pull(
    g: Any, x: Any, axis: Any = None, ddof: float = 0, keepdims: Any = False, where: Any = True
) -> Any:
    center = mean_where(x, axis=axis, keepdims=True, where=where)
    return taken(_slope_about(g, x, center, axis, ddof, keepdims, where), where)


def _slope_about(g: Any, x: Any, center: Any, axis: Any, ddof: float, keepdims: bool, where: Any) -> Any:
    scale = 2.0 / (count_where(x, axis, where, keepdims) - ddof)
    return unreduce(g * scale, x, axis, keepdims) * np.conjugate(_masked(x - center, where, 0))


rule(variance_where, _variance_where_pull, selects=True, batched=True, name="var")
rule(
    variance_about,
    lambda g, x, center, axis=None, ddof=0, keepdims=False, where=True: taken(
        _slope_about(g, x, center, axis, ddof, keepdims, where), where
    ),
    lambda g, x, center, axis=None, ddof=0, keepdims=False, where=True: (
        -_slope_about(g, x, center, axis, ddof, keepdims, where)
    ),
    args="x center",
    selects=True,
    batched=True,
    name="var",
)


@composite(np.std)
def _std(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: Any = False, *,
    where: Any = _NoValue, mean: Any = _NoValue, correction: Any = _NoValue,
) -> Any:  # fmt: skip
    ddof = ddof if correction is _NoValue else correction
    if where is not _NoValue or mean is not _NoValue:
        return root(np.var(a, axis, dtype, ddof=ddof, keepdims=keepdims, where=where, mean=mean))
    return deviation(cast(a, dtype), axis=axis, ddof=ddof, keepdims=keepdims is not _NoValue and keepdims)


@primitive
def deviation(x: Any, axis: Any = None, ddof: float = 0, keepdims: Any = False) -> Any:
    """Return the standard deviation, as `numpy.std` has it; its derivative at constant data is 0."""
    return np.std(x, axis=axis, ddof=ddof, keepdims=keepdims)


def _deviation_pull(g: Any, ans: Any, x: Any, axis: Any = None, ddof: float = 0, keepdims: Any = False) -> Any:
    return _variance_pull(g * _half_over(ans), x, axis, ddof, keepdims)


def _half_over(x: Any) -> Any:
    """Return 1 / (2 x), but 0 where x is 0."""
    flat = x == 0
    return np.where(flat, x.dtype.type(0), 0.5 / np.where(flat, x.dtype.type(1), x))


rule(deviation, _deviation_pull, batched=True, name="std")


@primitive
def root(x: Any) -> Any:
    """Return the square root with derivative 0 at 0: the convention for norms and deviations."""
    return np.sqrt(x)


rule(root, lambda g, ans: g * _half_over(ans), elementwise=True, name="sqrt")


# --- products ---------------------------------------------------------------------------------------------------------


def _prod_pull(g: Any, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return g times the product of all the other entries: exact where some are zero, and never quadratic."""
    return unreduce(g, x, axis, keepdims) * product_of_others(x, axis)


def product_of_others(x: Any, axis: Any) -> Any:
    """Return, for every entry, the product of the others along `axis`: of those before times of those after."""
    if x.size < 2:
        return np.ones_like(x)
    axes = from_end(axis, len(x.shape))
    flat = rows(x, axes)
    ones = np.ones((*flat.shape[:-1], 1), flat.dtype)
    before = np.cumprod(np.concatenate([ones, flat[..., :-1]], axis=-1), axis=-1)
    after = np.flip(np.cumprod(np.concatenate([ones, np.flip(flat, -1)[..., :-1]], axis=-1), axis=-1), -1)
    others = np.reshape(before * after, (*flat.shape[:-1], *(x.shape[a] for a in axes)))
    return np.moveaxis(others, range(-len(axes), 0), axes)


@primitive
def product(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return the product, as `numpy.prod` has it."""
    return np.multiply.reduce(x, axis=axis, keepdims=keepdims)


rule(product, _prod_pull, batched=True, name="prod")


@primitive
def product_from(x: Any, initial: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return the product that starts with `initial`."""
    return np.prod(x, axis=axis, keepdims=keepdims, initial=initial)


rule(
    product_from,
    lambda g, x, initial, axis=None, keepdims=False: _prod_pull(g * initial, x, axis, keepdims),
    lambda g, x, axis=None, keepdims=False: g * product(x, axis=axis, keepdims=keepdims),
    args="x initial",
    batched=True,
    name="prod",
)


@composite(np.prod)
def _prod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
    initial: Any = _NoValue, where: Any = True,
) -> Any:  # fmt: skip
    a = _masked(cast(a, dtype), where, 1)
    keepdims = keepdims is not _NoValue and keepdims
    if initial is _NoValue:
        return product(a, axis=axis, keepdims=keepdims)
    return product_from(a, initial, axis=axis, keepdims=keepdims)


@composite(np.sum)
def _sum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
    initial: Any = _NoValue, where: Any = True,
) -> Any:  # fmt: skip
    keepdims = keepdims is not _NoValue and keepdims
    if dtype is None and where is True and initial is _NoValue:
        return total(a, axis=axis, keepdims=keepdims)
    where = True if where is _NoValue else where
    metadata = {"axis": axis, "keepdims": keepdims, "dtype": dtype, "where": where}
    return total_where(a, **metadata) if initial is _NoValue else total_from(a, initial, **metadata)


# --- extremes ---------------------------------------------------------------------------------------------------------


def extreme_pull(g: Any, ans: Any, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Share the cotangent equally among ties; where the extreme is NaN nothing flows."""
    winners = x == unreduce(ans, x, axis, keepdims)
    ties = np.maximum(np.sum(winners, axis=axis, keepdims=True), 1)
    return present(where(winners, unreduce(g, x, axis, keepdims) / ties.astype(x.dtype)), winners)


@primitive
def largest(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return the maximum, as `numpy.max` has it."""
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims)


@primitive
def smallest(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return the minimum, as `numpy.min` has it."""
    return np.minimum.reduce(x, axis=axis, keepdims=keepdims)


rule(largest, extreme_pull, selects=True, batched=True, name="max")
rule(smallest, extreme_pull, selects=True, batched=True, name="min")


def extreme(reduce: Any, pairwise: Any, filler: float) -> Any:
    """Make a function with the signature of `numpy.max` from a reduction, its ufunc, and what that looks past."""

    def body(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NoValue, where: Any = _NoValue
    ) -> Any:
        keepdims = keepdims is not _NoValue and keepdims
        if initial is not _NoValue:
            initial = cast(array(initial), a.dtype)
            if not count(a, axis):  # there is no extreme of nothing
                return np.sum(a, axis=axis, keepdims=keepdims) + initial
        if where is not True and where is not _NoValue:
            if initial is _NoValue:
                raise ValueError("a maximum or minimum with where= needs initial=, as in NumPy")
            a = np.where(where, a, filler if a.dtype.kind in "fc" else initial)
        result = reduce(a, axis=axis, keepdims=keepdims)
        return result if initial is _NoValue else pairwise(result, initial)

    return body


for _fns, _body in (
    ((np.max, np.amax), extreme(largest, np.maximum, -np.inf)),
    ((np.min, np.amin), extreme(smallest, np.minimum, np.inf)),
):
    for _fn in _fns:
        composite(_fn)(_body)


@composite(np.ptp)
def _ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


@composite(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False) -> Any:
    keepdims = keepdims is not _NoValue and keepdims
    if weights is None:
        result = np.mean(a, axis=axis, keepdims=keepdims)
        return (result, np.ones_like(result) * count(a, axis)) if returned else result
    a = array(a)
    if axis is not None and axis != () and not a.ndim:
        raise np.exceptions.AxisError(axis, 0)
    weights = beside(array(weights), a, axis)
    dtype = np.result_type(a.dtype, weights.dtype, *([] if a.dtype.kind in "fc" else [float]))
    size = np.sum(weights, axis=axis, dtype=dtype, keepdims=keepdims)
    if STATE.get().recorder is None and np.any(size == 0):
        raise ZeroDivisionError("the weights of np.average sum to zero")
    result = np.sum(np.multiply(a, weights, dtype=dtype), axis=axis, keepdims=keepdims) / size
    return (result, np.broadcast_to(size, np.shape(result))) if returned else result


# --- running reductions -----------------------------------------------------------------------------------------------


def _reverse_running_sum(g: Any, axis: int) -> Any:
    back = np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)
    return back if g.dtype != bool else back != 0  # of a mask: is any later entry present?


def _cumsum_pull(g: Any, x_space: Any, axis: Any = None) -> Any:
    if axis is None or not x_space.shape:
        return np.reshape(_reverse_running_sum(g, -1), g.shape[:-1] + tuple(x_space.shape))
    return _reverse_running_sum(g, from_end(axis, len(x_space.shape))[0])


rule(np.cumsum, _cumsum_pull, compute=lambda x, **keywords: x.cumsum(**keywords), **MOVES)


def _cumprod_pull(g: Any, ans: Any, x: Any, axis: Any = None) -> Any:
    """Return sum_j>=i g_j ans_j / x_i; at the zeros of x without the division."""
    if axis is None or not x.shape:
        return np.reshape(_cumprod_pull(g, ans, np.reshape(x, -1), -1), tuple(x.shape))
    axis = from_end(axis, len(x.shape))[0]
    zero = x == 0
    state = STATE.get()
    if state.recorder is not None:  # no value may decide; what `depth` counts is differentiated once more
        return _cumprod_pull_with_zeros(g, x, axis) if state.depth else _cumprod_pull_by_masks(g, x, zero, axis)
    if not np.any(zero):
        return _reverse_running_sum(g * ans, axis) / x
    return _cumprod_pull_with_zeros(g, x, axis)


def _cumprod_pull_by_masks(g: Any, x: Any, zero: Any, axis: int) -> Any:
    """Pull without looking: an entry gets the products before any zero, the first zero those before the second."""
    others = np.where(zero, x.dtype.type(1), x)
    before, flow = np.cumsum(zero, axis=axis), g * np.cumprod(others, axis=axis)
    to_all, to_first = (_reverse_running_sum(np.where(before == k, flow, flow.dtype.type(0)), axis) for k in (0, 1))
    return np.where(zero, np.where(before == 1, to_first, to_first.dtype.type(0)), to_all / others)


def _cumprod_pull_with_zeros(g: Any, x: Any, axis: int) -> Any:
    """Pull through a running product with zeros: h_i = g_i + x_{i+1} h_{i+1}, times the product of those before."""
    n = x.shape[axis]
    x, g = np.moveaxis(x, axis, -1), np.moveaxis(g, axis, -1)
    ones = np.ones((*x.shape[:-1], 1), x.dtype)
    before = np.cumprod(np.concatenate([ones, x[..., :-1]], axis=-1), axis=-1)
    h = g[..., -1]
    parts = [h]
    for i in range(n - 2, -1, -1):
        h = g[..., i] + x[..., i + 1] * h
        parts.append(h)
    return np.moveaxis(before * np.stack(parts[::-1], axis=-1), -1, axis)


rule(np.cumprod, _cumprod_pull)

# --- log-sum-exp ------------------------------------------------------------------------------------------------------


@primitive
def logsumexp(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return log(sum(exp(x))) without overflow; of all -inf it is -inf."""
    x = np.asarray(x)
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, x.dtype.type(0))
    with np.errstate(divide="ignore"):
        ans = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return ans if keepdims else np.squeeze(ans, axis=axis if axis is None else from_end(axis, x.ndim))[()]


def _logsumexp_pull(g: Any, ans: Any, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    ans = unreduce(ans, x, axis, keepdims)
    same = x == ans  # exp(inf - inf), exp(-inf + inf): all of the weight, or none at all
    weight = np.exp(np.where(same, x.dtype.type(0), x) - np.where(same, x.dtype.type(0), ans))
    return unreduce(g, x, axis, keepdims) * np.where(ans == -np.inf, x.dtype.type(0), weight)


rule(logsumexp, _logsumexp_pull, batched=True)
