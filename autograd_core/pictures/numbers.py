"""Numbers for reading: an array in a few of them, and each of them in four digits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .data import Number, Stats, tell

BINS = 12
SAMPLE = 50_000  # entries that a histogram looks at
SMALL = 6  # entries up to which an array is printed
SHORT = 64  # entries up to which Python is faster than NumPy


def tell_shape(shape: Any) -> str:
    """Return a shape as NumPy writes it."""
    return "" if shape is None else str(tuple(shape))


def number(x: Any) -> Number:
    """Return what JSON can hold."""
    x = float(x)
    return x if math.isfinite(x) else str(x)


def tell_dtype(dtype: Any) -> str:
    """Return the name of a dtype."""
    found = _DTYPES.get(dtype)
    if found is None:
        found = _DTYPES[dtype] = np.dtype(dtype).name
    return found


_DTYPES: dict[Any, str] = {}


def norm_of(stats: Stats | None) -> float:
    """Return the norm as a float, 0 where there is none."""
    return 0.0 if stats is None else float(stats.norm)


def scalar(v: float) -> Stats:
    """Return one number as statistics: every value of a scalar graph."""
    if math.isfinite(v):
        return Stats(1, abs(v), v, v, v)
    return Stats(1, str(abs(v)), str(v), str(v), str(v), 1)


def summarise(x: Any) -> Stats:
    """Return an array in a few numbers.

    Examples
    --------
    >>> s = summarise(np.array([3.0, 4.0]))
    >>> s.norm, s.text
    (5.0, '[3, 4]')
    """
    if isinstance(x, float):  # a NumPy float64, too
        return scalar(float(x))
    x = np.asarray(x)
    if x.size == 0 or x.dtype.kind not in "biufc":
        return Stats(x.size, 0.0, written="[]" if not x.size else None)
    flat = flattened(x)
    written = array_text(x) if x.size <= SMALL else None
    if x.size <= SHORT:  # thousands of small arrays: 8 us each, not 60
        v = flat.tolist()
        bad = 0 if math.isfinite(sum(v)) else sum(not math.isfinite(e) for e in v)
        if not bad:
            low, high = min(v), max(v)
            return Stats(len(v), math.hypot(*v), sum(v) / len(v), low, high, 0, short_histogram(v, low, high), written)
    with np.errstate(all="ignore"):
        finite = np.isfinite(flat)
        bad = int(flat.size - np.count_nonzero(finite))
        low, high, mean = float(flat.min()), float(flat.max()), float(flat.mean())
        bins = histogram(flat[finite] if bad else flat)
        return Stats(x.size, norm_only(flat), number(mean), number(low), number(high), bad, bins, written)


def flattened(x: Any) -> Any:
    """Return the entries of an array, of complex ones their absolute values, as float64."""
    return (np.abs(x) if x.dtype.kind == "c" else x).reshape(-1).astype(np.float64, copy=False)


def norm_only(flat: Any) -> Number:
    """Return the Euclidean norm, also where squares would under- or overflow."""
    with np.errstate(all="ignore"):
        norm = math.sqrt(float(flat.dot(flat)))
        if norm == 0 or math.isinf(norm):
            top = float(np.max(np.abs(flat)))
            norm = top * float(np.sqrt(np.sum((flat / top) ** 2))) if 0 < top < math.inf else top
    return number(norm)


def flow_of(x: Any) -> Stats:
    """Return what flows along an edge in fewer numbers still: its norm, and how many entries are not finite."""
    if isinstance(x, float):
        return scalar(float(x))
    x = np.asarray(x)
    if x.size <= 1 or x.dtype.kind not in "fc":
        return summarise(x)
    flat = flattened(x)
    norm = norm_only(flat)
    bad = 0 if isinstance(norm, float) else int(flat.size - np.count_nonzero(np.isfinite(flat)))
    return Stats(x.size, norm, nonfinite=bad)


def short_histogram(v: list[float], low: float, high: float) -> tuple[int, ...] | None:
    """Return `histogram` of a few finite numbers."""
    if not low < high or math.isinf(high - low):
        return None
    counts, scale = [0] * BINS, BINS / (high - low)
    for e in v:
        counts[min(int((e - low) * scale), BINS - 1)] += 1
    return tuple(counts)


def histogram(flat: Any) -> tuple[int, ...] | None:
    """Return the counts of finite numbers in equal bins between the smallest and the largest; of a sample of many."""
    if flat.size < 2:
        return None
    flat = flat[:: -(-flat.size // SAMPLE)]
    low, high = float(flat.min()), float(flat.max())
    if not low < high or math.isinf(high - low):
        return None
    bins = np.minimum(((flat - low) * (BINS / (high - low))).astype(int), BINS - 1)
    return tuple(np.bincount(bins, minlength=BINS).tolist())


def array_text(x: Any) -> str | None:
    """Return a small array as text."""
    if not x.shape:
        return tell(x[()])
    if x.size > SMALL or x.ndim > 2:
        return None
    if x.ndim == 1:
        return "[" + ", ".join(tell(v) for v in x) + "]"
    return "[" + ", ".join(str(array_text(row)) for row in x) + "]"
