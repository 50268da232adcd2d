"""Verdicts: what is claimed against what was measured, and how well it was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .numeric import EPS, Array, Slope


def judge(
    a: float,
    slope: Sequence[float],
    floor: float = 0.0,
    cancelled: float = 0.0,
    rtol: float = 1e-6,
    kinks: str = "subgradient",
    rest: float = 0.0,
    rest_beside: float = 0.0,
) -> str:
    """Return the verdict on one claimed derivative.

    Parameters
    ----------
    a : float
        What is claimed.
    slope : sequence
        The fields of a `Slope`.
    floor : float
        How far `a` itself is off by rounding.
    cancelled : float
        The size of the terms of which `a` is the sum.
    rtol, kinks
        As for `gradcheck`.
    rest : float
        What rounding in the rule may leave of a zero, to judge by the other derivatives of the same result.
    rest_beside : float
        The same, to judge by the derivatives of all entries of that array.

    Examples
    --------
    >>> judge(2.1, (2.0, 1e-12, 2.0, 1e-9, 2.0, 1e-9, 2.0))
    'wrong'
    >>> judge(2.1, (2.0, 0.05, 2.0, 0.1, 2.0, 0.1, 2.0))
    'inconclusive'
    >>> judge(0.3, (0.5, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0))
    'kink'
    """
    value, error, left, left_error, right, right_error, steep = slope
    if not np.isfinite(a):
        return "nonfinite"
    middle = 0.5 * (left + right)  # what a central difference tends to at a kink
    near = not abs(value - middle) > 10 * error + 0.1 * abs(right - left)
    if near and differ(left, right, left_error, right_error, rtol):
        if kinks == "skip":
            return "kink"
        slack = rtol * max(abs(left), abs(right), cancelled) + 3 * max(left_error, right_error) + floor
        inside = min(left, right) - slack <= a <= max(left, right) + slack
        return "kink" if inside and kinks == "subgradient" else "wrong"
    if not np.isfinite(value):
        return "inconclusive"
    off = abs(a - value)
    allowed = rtol * max(abs(a), abs(value), cancelled)
    if off <= max(allowed, 1e-322):  # 20 times the smallest number there is
        return "ok"
    # Nothing moves, or far away only: what is claimed may be what is left where terms cancel.
    still = value == 0 and error <= 1e-10 * steep
    if (max(off, abs(a), error) <= rest) or (still and abs(a) <= rest_beside):
        return "ok"
    if off > allowed + floor + 3 * error:
        return "inconclusive" if still and steep == 0 and abs(a) <= EPS else "wrong"
    # Zero as far as one can see, and one can see much smaller slopes than there are around.
    flat = abs(a) <= error <= 1e-10 * steep and abs(value) <= 3 * error
    return "ok" if flat else "inconclusive"


def differ(left: float, right: float, left_error: float, right_error: float, rtol: float) -> bool:
    """Say whether the limits from the left and from the right are known well enough to be different."""
    if not (np.isfinite(left) and np.isfinite(right)):
        return False
    return abs(right - left) > 10 * (left_error + right_error) + rtol * max(abs(left), abs(right))


def combine(rows: Array, column: Array) -> Array:
    """Return combinations of results; one of them that is not finite spoils only those in which it stands."""
    if np.all(np.isfinite(column)):
        return rows @ column
    safe = np.where(np.isfinite(column), column, 0.0)
    return np.where((rows != 0) @ ~np.isfinite(column), np.nan, rows @ safe)


def total(rows: Array, parts: Array) -> Array:
    """Return sums over results, of which those without weight may be anything."""
    return np.asarray(np.sum(np.where(rows == 0, 0.0, rows * parts), axis=1))


def reduce(rows: Array, s: Slope) -> Slope:
    """Return slopes of combinations of results. The sides stay intervals: at a kink each result may take any slope."""
    if len(rows) == rows.shape[1] and np.array_equal(rows, np.eye(len(rows))):
        return s
    low = np.minimum(rows * s.left, rows * s.right)
    high = np.maximum(rows * s.left, rows * s.right)
    weight = np.abs(rows)
    side_error = np.fmax(s.left_error, s.right_error)
    # Where both sides agree the value from both is the better one.
    same = ~(np.abs(s.right - s.left) > 10 * (s.left_error + s.right_error))
    low, high = np.where(same, rows * s.value, low), np.where(same, rows * s.value, high)
    side_error = total(weight, np.where(same, s.error, side_error))
    value, error, steep = total(rows, s.value), total(weight, s.error), total(weight, s.steep)
    return Slope(value, error, total(weight != 0, low), side_error, total(weight != 0, high), side_error, steep)


def refined(s: Slope, value: Array, error: Array) -> Slope:
    """Return slopes with values that are better known, where they do not contradict those there are."""
    better = (error < s.error) & (np.abs(value - s.value) <= 3 * s.error)
    return s._replace(value=np.where(better, value, s.value), error=np.where(better, error, s.error))


def agreed(first: Slope, second: Slope) -> Slope:
    """Return what two ladders say together: their difference is part of the error."""
    parts: list[Array] = []
    for v, e in ((0, 1), (2, 3), (4, 5)):
        better = first[e] <= second[e]
        value = np.where(better, first[v], second[v])
        error = np.fmax(np.fmin(first[e], second[e]), np.abs(first[v] - second[v]))
        parts += [value, np.where(np.isfinite(first[v]) & np.isfinite(second[v]), error, np.fmin(first[e], second[e]))]
    return Slope._make([*parts, np.fmax(first.steep, second.steep)])
