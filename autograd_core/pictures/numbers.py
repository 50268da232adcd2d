"""Numbers for reading: an array in a few of them, and each of them in four digits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .data import Number, Stats

BINS = 12
SAMPLE = 50_000  # entries that a histogram looks at
SMALL = 6  # entries up to which an array is printed
MINUS = "\N{MINUS SIGN}"


def tell(x: Any) -> str:
    """Return a number in four digits.

    Examples
    --------
    >>> tell(-1234.5678), tell(2.0), tell(1e-9), tell(float("nan"))
    ('−1235', '2', '1e−09', 'nan')
    """
    if isinstance(x, complex | np.complexfloating):
        sign = "+" if not x.imag < 0 else MINUS
        return f"{tell(x.real)} {sign} {tell(abs(x.imag))}i"
    if isinstance(x, bool | np.bool_ | str):
        return str(x).replace("-", MINUS)
    if isinstance(x, int | np.integer):
        return str(x).replace("-", MINUS)
    return format(float(x) + 0.0, ".4g").replace("-", MINUS)  # + 0.0: no −0


def tell_shape(shape: Any) -> str:
    """Return a shape as NumPy writes it."""
    return "" if shape is None else str(tuple(shape))


def number(x: Any) -> Number:
    """Return what JSON can hold."""
    x = float(x)
    return x if math.isfinite(x) else str(x)


def norm_of(stats: Stats | None) -> float:
    """Return the norm as a float, 0 where there is none."""
    return 0.0 if stats is None else float(stats.norm)


def summarise(x: Any) -> Stats:
    """Return an array in a few numbers.

    Examples
    --------
    >>> s = summarise(np.array([3.0, 4.0]))
    >>> s.norm, s.text
    (5.0, '[3, 4]')
    """
    if isinstance(x, float):  # every node of a scalar graph: 0.4 us, not 40
        finite = math.isfinite(x)
        v = float(x) if finite else str(float(x))
        size = abs(float(x)) if finite else str(abs(float(x)))
        return Stats(1, size, tell(x), v, v, v, 0 if finite else 1)
    x = np.asarray(x)
    if x.size == 0:
        return Stats(0, 0.0, "[]")
    text = array_text(x)
    if x.dtype.kind not in "biufc":
        return Stats(x.size, 0.0, text)
    flat = (np.abs(x) if x.dtype.kind == "c" else x).ravel()
    flat = flat.astype(np.float64, copy=False)
    with np.errstate(all="ignore"):
        finite_mask = np.isfinite(flat)
        bad = int(flat.size - np.count_nonzero(finite_mask))
        norm = math.sqrt(float(flat.dot(flat))) if not bad else float(np.sqrt(np.sum(flat * flat)))
        if norm == 0 or math.isinf(norm):  # squares under- or overflow before numbers do
            top = float(np.max(np.abs(flat)))
            norm = top * float(np.sqrt(np.sum((flat / top) ** 2))) if 0 < top < math.inf else top
        return Stats(
            x.size,
            number(norm),
            text,
            number(np.mean(flat)),
            number(np.min(flat)),
            number(np.max(flat)),
            bad,
            histogram(flat[finite_mask] if bad else flat),
        )


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
