"""Order statistics, covariances and histograms.

A quantile is a mean of two entries. Which two, and with what weights, NumPy itself is asked: by whatever method, the
quantile of the positions 0, 1, 2, ... of the sorted entries is the position of the quantile.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..rules import Door, composite, constant, present, primitive, rule
from ..spaces import array
from .index import _touched, picked, scatter
from .reduce import beside, rows
from .values import recorded, values

# --- quantiles --------------------------------------------------------------------------------------------------------


@primitive
def neighbours(
    x: Any,
    q: Any,
    axis: Any = None,
    method: Any = "linear",
    weights: Any = None,
    known: bool = False,
    apart: bool = False,
) -> tuple[Any, ...]:
    """Return the flat positions of the entries below and above each quantile, its place among the sorted, and how many.

    With `known` NaN is left out; otherwise a row with a NaN points at it. With `apart` the two are never the same. The
    axes of `q` come first.
    """
    entries, numbers = rows(x, axis), rows(np.arange(x.size).reshape(x.shape), axis)
    *kept, n = entries.shape
    nan = np.isnan(entries)
    count = n - np.sum(nan, axis=-1) if known else np.full(kept, n)
    order = None
    if known or weights is not None:
        order = np.argsort(entries, axis=-1)
        if weights is not None:
            weights = np.broadcast_to(beside(np.asarray(weights), x, axis), x.shape)
            weights = np.take_along_axis(rows(weights, axis), order, -1)
        at = np.broadcast_to(np.arange(float(n)), entries.shape)
        at = np.where(at < count[..., None], at, np.nan)
        with warnings.catch_warnings():  # of rows that are NaN throughout
            warnings.simplefilter("ignore", RuntimeWarning)
            at = np.nanquantile(at, q, axis=-1, method=method, weights=weights)
        at = np.where(np.isnan(at), 0.0, at)
    else:
        at = np.quantile(np.arange(float(n)), q, method=method)
        at = np.broadcast_to(np.reshape(at, np.shape(q) + (1,) * len(kept)), (*np.shape(q), *kept))
    low = np.floor(at).astype(int)
    if apart:
        low = np.maximum(np.minimum(low, count - 2), 0)
    high = np.minimum(low + 1, count - 1) if apart else np.ceil(at).astype(int)
    if order is None:
        order = np.argpartition(entries, np.unique([low, high]), axis=-1)
    if not known:
        order = np.where(np.any(nan, axis=-1, keepdims=True), np.argmax(nan, axis=-1)[..., None], order)
    ordered = np.take_along_axis(numbers, order, -1)

    def numbers_at(k: Any) -> Any:
        k = np.moveaxis(k.reshape(-1, *kept), 0, -1)
        return np.moveaxis(np.take_along_axis(ordered, k, -1), -1, 0).reshape(at.shape)

    return numbers_at(low), numbers_at(high), at, count


constant(neighbours)


def _numpys(of: str, x: Any, q: Any, axis: Any, keepdims: bool, method: str, weights: Any) -> Any:
    """Return NumPy's function `of` that name: quantiles, percentiles or medians, with NaN or past it."""
    fn = getattr(np, of)
    if of.endswith("median"):
        return fn(x, axis=axis, keepdims=keepdims)
    return fn(x, q, axis=axis, keepdims=keepdims, method=method, weights=weights)


@primitive
def order_statistic(
    x: Any, q: Any, of: str, axis: Any = None, keepdims: bool = False, method: str = "linear", weights: Any = None
) -> Any:
    """Return a quantile, which may move, of an array."""
    return _numpys(of, x, q, axis, keepdims, method, weights)


@primitive
def fixed_statistic(
    x: Any, q: Any, of: str, axis: Any = None, keepdims: bool = False, method: str = "linear", weights: Any = None
) -> Any:
    """Return a quantile, which is a constant, of an array."""
    return _numpys(of, x, q, axis, keepdims, method, weights)


# The slope of the position by q, for n entries, is n and this; by the other methods the position goes by steps.
SLOPES = {
    "linear": -1.0,
    "interpolated_inverted_cdf": 0.0,
    "hazen": 0.0,
    "weibull": 1.0,
    "median_unbiased": 1 / 3,
    "normal_unbiased": 1 / 4,
}


def _slope(at: Any, count: Any, method: str) -> Any:
    """Return the slope of positions by q: 0 where they are held at the outermost entries."""
    held = (at <= 0) | (at >= count - 1)
    return np.where(held & (method != "linear"), 0, count + SLOPES[method]) if method in SLOPES else 0 * at


def _order_pull_x(
    g: Any, x: Any, q: Any, of: str, axis: Any = None, method: str = "linear", weights: Any = None,
    keepdims: Any = False,
) -> Any:  # fmt: skip
    """Send the cotangent to the two entries that a quantile lies between."""
    if not x.size:
        return np.zeros(x.shape, g.dtype)
    q = q * 0.01 if of.endswith("percentile") else q
    low, high, at, count = neighbours(x, q, axis, method, weights, known=of.startswith("nan"))
    share = at % 1 + _slope(at, count, method) * _as_rows(q - values(q), at)  # q moves it
    g, index = np.reshape(g, at.shape), np.stack([low, high])
    back = scatter(np.stack([g * (1 - share), g * share]), index=index, shape=(x.size,))

    def touched() -> Any:
        return np.reshape(_touched(index, (x.size,)), x.shape)

    return present(np.reshape(back, x.shape), touched)


def _as_rows(q: Any, at: Any) -> Any:
    return np.reshape(q, np.shape(q) + (1,) * (at.ndim - np.ndim(q)))


def _order_pull_q(
    g: Any, x: Any, q: Any, of: str, axis: Any = None, method: str = "linear", weights: Any = None,
    keepdims: Any = False,
) -> Any:  # fmt: skip
    """Return the slope between the two entries; at an entry, that to the right."""
    scale = 0.01 if of.endswith("percentile") else 1.0
    if method not in SLOPES or not x.size:
        return np.zeros(np.shape(q), g.dtype)
    low, high, at, count = neighbours(x, values(q) * scale, axis, method, known=of.startswith("nan"), apart=True)
    flat = np.reshape(x, -1)
    slope = (flat[high] - flat[low]) * (_slope(at, count, method) * scale)
    return np.sum(np.reshape(g, at.shape) * slope, axis=tuple(range(np.ndim(q), at.ndim)))


rule(order_statistic, _order_pull_x, _order_pull_q, args="x q", metadata="of", selects=True)
rule(fixed_statistic, _order_pull_x, selects=True, name="quantile")


def _kept(keepdims: Any) -> bool:
    return keepdims is not np._NoValue and bool(keepdims)


def _quantile(of: str) -> Any:
    def body(
        a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, method: str = "linear",
        keepdims: Any = False, *, weights: Any = None,
    ) -> Any:  # fmt: skip
        weights = None if weights is None else values(weights)
        keywords = {"of": of, "axis": axis, "keepdims": _kept(keepdims), "method": method, "weights": weights}
        if type(q) is Door.kind:
            return order_statistic(array(a), q, **keywords)
        return fixed_statistic(a, q=q if type(q) in (int, float) else np.asarray(q), **keywords)

    return body


def _median(of: str) -> Any:
    def body(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
        return fixed_statistic(a, q=0.5, of=of, axis=axis, keepdims=_kept(keepdims))

    return body


for _name in "quantile percentile nanquantile nanpercentile".split():
    composite(getattr(np, _name))(_quantile(_name))
for _name in "median nanmedian".split():
    composite(getattr(np, _name))(_median(_name))


# --- covariances ------------------------------------------------------------------------------------------------------


@primitive
def covariance(
    x: Any, rowvar: bool = True, bias: bool = False, ddof: Any = None, fweights: Any = None, aweights: Any = None,
    dtype: Any = None,
) -> Any:  # fmt: skip
    """Return the covariances of variables, the rows of an array or its columns."""
    return np.cov(x, None, rowvar, bias, ddof, fweights, aweights, dtype=dtype)


@primitive
def correlation(x: Any, rowvar: bool = True, dtype: Any = None) -> Any:
    """Return the correlations of variables."""
    return np.corrcoef(x, None, rowvar, dtype=dtype)


def _covariance_pull(
    g: Any,
    x: Any,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
) -> Any:
    """Pull through X diag(w) Xᴴ / freedom, where X are the deviations: that from the mean takes nothing away."""
    X = x.T if x.ndim == 2 and not rowvar else np.reshape(x, (-1, x.shape[-1] if x.ndim else 1))
    n = X.shape[1]
    repeats = np.ones(n) if fweights is None else np.astype(array(fweights), float)
    w = repeats if aweights is None else repeats * np.astype(array(aweights), float)
    total, ddof = np.sum(w), (0 if bias else 1) if ddof is None else ddof
    freedom = total - ddof * (1 if aweights is None else np.sum(w * aweights) / total)
    X = X - np.sum(X * w, axis=1, keepdims=True) / total
    Y, g = X * w / freedom, np.reshape(g, (X.shape[0], X.shape[0]))
    back = g @ np.conjugate(Y) + np.conjugate(g.T @ Y) if x.dtype.kind == "c" else (g + g.T) @ Y
    return back.T if x.ndim == 2 and not rowvar else np.reshape(back, x.shape)


def _correlation_pull(g: Any, ans: Any, x: Any, rowvar: bool = True) -> Any:
    """Divide by the deviations, and subtract what moves these, the diagonal of the covariances."""
    c = covariance(x, rowvar=rowvar)
    if not c.ndim:
        return np.zeros(x.shape, x.dtype)
    variance = np.real(np.diagonal(c))
    deviation = np.sqrt(variance)
    own = np.real(np.sum(g * ans, axis=1) + np.sum(g * ans, axis=0)) / (2 * variance)
    return _covariance_pull(g / deviation[:, None] / deviation - np.diag(own), x, rowvar)


rule(covariance, _covariance_pull, metadata="dtype", name="cov")
rule(correlation, _correlation_pull, metadata="dtype", name="corrcoef")


def _joined(m: Any, y: Any, rowvar: bool) -> Any:
    """Return the variables of two arrays as rows of one."""
    m, y = (np.reshape(a, (1, -1)) if a.ndim < 2 else a if rowvar or a.shape[0] == 1 else a.T for a in (m, array(y)))
    return np.concatenate([m, y], axis=0)


def _is_of_none(m: Any, y: Any, rowvar: bool) -> bool:
    """Say whether a matrix has no variables: NumPy then answers before it joins the second array to it."""
    if np.ndim(y) > 2:
        raise ValueError(f"covariances are of vectors and matrices, the second array has shape {np.shape(y)}")
    return bool(m.ndim == 2 and not m.shape[0 if rowvar or m.shape[0] == 1 else 1])


@composite(np.cov)
def _cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: Any = None, aweights: Any = None, *, dtype: Any = None,
) -> Any:  # fmt: skip
    m = array(m)
    m, rowvar = (m, rowvar) if y is None or _is_of_none(m, y, rowvar) else (_joined(m, y, rowvar), True)
    keywords = {"bias": bias, "ddof": ddof, "fweights": fweights, "aweights": aweights, "dtype": dtype}
    return covariance(m, rowvar=rowvar, **{k: v for k, v in keywords.items() if v is not None})


@composite(np.corrcoef)
def _corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    x = array(x)
    x, rowvar = (x, rowvar) if y is None or _is_of_none(x, y, rowvar) else (_joined(x, y, rowvar), True)
    return correlation(x, rowvar=rowvar, **({} if dtype is None else {"dtype": dtype}))


# --- histograms -------------------------------------------------------------------------------------------------------


@primitive
def counts(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """Return how often each whole number occurs."""
    return np.bincount(x, weights, minlength)


constant(counts)


@primitive
def binned(weights: Any, x: Any, minlength: int = 0) -> Any:
    """Return the sum of the weights of each whole number."""
    return np.bincount(x, weights, minlength)


rule(
    binned,
    lambda g, x, weights_space: picked(g, x) if x.size else np.zeros(0),
    None,
    args="weights x",
    metadata="minlength",
    name="bincount",
)


@composite(np.bincount)
def _bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    return counts(x, minlength=minlength) if weights is None else binned(array(weights), values(x), minlength=minlength)


@primitive
def tally(weights: Any, sample: Any, bins: Any, range: Any = None) -> Any:
    """Return sums of weights over bins: of numbers, or of points, which are the rows of a sample."""
    fn = np.histogram if sample.ndim == 1 else np.histogramdd
    return fn(sample, bins, range, weights=weights)[0]


@primitive
def tally_of_ones(sample: Any, bins: Any, range: Any = None) -> Any:
    """Return how many numbers or points lie in each bin."""
    fn = np.histogram if sample.ndim == 1 else np.histogramdd
    return fn(sample, bins, range)[0]


@primitive
def raw_edges(a: Any, bins: Any, range: Any = None, weights: Any = None) -> Any:
    """Return NumPy's edges of bins."""
    return np.histogram_bin_edges(a, bins, range, weights)


constant(tally_of_ones, raw_edges)


def _tally_pull(g: Any, sample: Any, weights_space: Any, bins: Any = None, range: Any = None) -> Any:
    """Give each weight the cotangent of its bin; those outside all bins get 0."""
    if sample.ndim == 1:
        columns, edges = [sample], [np.histogram_bin_edges(sample, bins, range)]
    else:
        columns, edges = list(sample.T), list(np.histogramdd(sample, bins, range)[1])
    places, outside = [], False
    for x, e in zip(columns, edges, strict=True):
        place = np.searchsorted(e, x, side="right") - 1
        places.append(np.where(x == e[-1], len(e) - 2, np.clip(place, 0, len(e) - 2)))
        outside = outside | (x < e[0]) | (x > e[-1])
    return np.reshape(np.where(outside, 0, picked(g, tuple(places))), weights_space.shape)


rule(tally, _tally_pull, None, args="weights sample", name="histogram")


def _edges(a: Any, bins: Any, range: Any, weights: Any = None) -> Any:
    """Return the edges of bins; those that span the data move with its extremes."""
    if not isinstance(bins, str) and np.ndim(bins) == 1:
        return array(bins)
    edges = raw_edges(a, bins, range, weights)
    return edges if range is not None or a.dtype.kind not in "fc" else _even(a, len(edges) - 1, None, edges.dtype)


def _even(a: Any, n: int, range: Any, dtype: Any = None) -> Any:
    """Return the edges of n bins of one width over a range, or over the data."""
    low, high = range if range is not None else (np.min(a), np.max(a)) if a.size else (0, 1)
    if recorded():
        low, high = np.where(low == high, low - 0.5, low), np.where(low == high, high + 0.5, high)
    elif low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, n + 1, dtype=dtype)


@composite(np.histogram_bin_edges)
def _histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    return _edges(np.reshape(array(a), -1), bins, range, None if weights is None else values(weights))


@composite(np.histogram)
def _histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    a = np.reshape(array(a), -1)
    edges = _edges(a, bins, range, weights if weights is None else values(weights))
    bins = values(bins) if isinstance(bins, list) or hasattr(bins, "dtype") else bins
    if weights is None:
        n = tally_of_ones(a, bins, range)
    else:
        n = tally(np.reshape(array(weights), -1), a, bins=bins, range=range)
    if density:
        n = n / np.astype(np.diff(edges), float) / np.sum(n)
    return n, edges


@composite(np.histogramdd)
def _histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    if not hasattr(sample, "dtype"):
        sample = np.stack([array(column) for column in sample], axis=-1)
    sample = np.reshape(sample, (-1, 1)) if sample.ndim < 2 else sample
    columns = list(sample.T)
    parts = list(bins) if isinstance(bins, list | tuple) or np.ndim(bins) else [bins] * len(columns)
    ranges = [None] * len(columns) if range is None else range
    edges = [array(b) if np.ndim(b) else _even(x, b, r) for x, b, r in zip(columns, parts, ranges, strict=True)]
    bins = [values(b) if hasattr(b, "dtype") else b for b in parts]
    if weights is None:
        hist = tally_of_ones(sample, bins, range)
    else:
        hist = tally(array(weights), sample, bins=bins, range=range)
    if density:
        total = np.sum(hist)
        for i, e in enumerate(edges):
            width = np.diff(e)
            hist = hist / np.reshape(width, (*(1,) * i, -1, *(1,) * (len(edges) - i - 1)))
        hist = hist / total
    return hist, edges


@composite(np.histogram2d)
def _histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    if len(x) != len(y):
        raise ValueError(f"histogram2d needs as many x as y: {len(x)} and {len(y)}")
    n = len(bins) if hasattr(bins, "__len__") else 1
    hist, edges = np.histogramdd([x, y], bins if n in (1, 2) else [bins, bins], range, density, weights)
    return hist, edges[0], edges[1]
