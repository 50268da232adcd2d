"""Derivatives by differences along a line, each with an estimate of its own error.

A few evaluations may accept a gradient; only the ladder may reject one. It takes differences at steps from half of the
variable's size down to a few units in its last place, extrapolates every run of them, and keeps the value that is best
determined: nobody can name one good step for `log` near 0, ``1e8 + sin`` and ``sin(1e6 * x)``. It also takes the
limits from the left and from the right, which differ at a kink.

Values that are not finite are left out, so the steps shrink by themselves at the edge of a domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

EPS = float(np.finfo(float).eps)
TINY = float(np.finfo(float).tiny)
GOLDEN = 0.5 * (5**0.5 - 1)
ORDERS = 6  # extrapolations at most: more amplify rounding and no longer gain
CLOSE, RATIO = 1.7, 4.0  # of neighbouring steps: large ones, where rounding matters most, and the others

Array = np.ndarray[Any, Any]
Line = Callable[[float], tuple[Array, float]]  # step -> results there, as a vector, and the step really taken


class Slope(NamedTuple):
    """A derivative of every result along a line: from both sides, from the left and from the right, with errors."""

    value: Array
    error: Array
    left: Array
    left_error: Array
    right: Array
    right_error: Array
    steep: Array  # the steepest difference at any step up to the variable's size


def power_of_two(x: float) -> float:
    """Return the largest power of two not above `x`: a sum with it is exact, or nearly so.

    Examples
    --------
    >>> power_of_two(0.3)
    0.25
    """
    return float(2.0 ** np.floor(np.log2(max(x, 64 * TINY))))


def central(line: Line, h: float) -> Array:
    """Return the plain central difference: two evaluations."""
    (above, up), (below, down) = line(h), line(-h)
    return (above - below) / (up - down)


def quick(line: Line, h: float) -> Array:
    """Return a central difference extrapolated once: four evaluations, and an error of order ``h**4``."""
    coarse, fine = central(line, h), central(line, h / 2)
    return (4 * fine - coarse) / 3


def noise(line: Line, base: Array, size: float, unit: float = EPS) -> Array:
    """Estimate how far rounding inside the function moves each result.

    Differences of high order of neighbouring values hold nothing else (Moré and Wild's way): the results themselves may
    be small because large terms have cancelled, and then their size tells nothing. If neighbours are equal the function
    is a staircase, an excursion into float32 perhaps, and we go farther until its steps are seen.
    """
    step = power_of_two(64 * unit * size)
    found, different = _scatter(line, base, step)
    if np.any(different <= 3):  # of results that do not depend on this variable there is nothing to see
        different = np.where(line(power_of_two(1e-2 * size))[0] == base, 4, different)
    while np.any(flat := different <= 3) and step < 1e-5 * size:
        step *= 16
        farther, different = _scatter(line, base, step)
        found = np.where(flat, np.fmax(found, farther), found)
        different = np.where(flat, different, 4)
    return found


def _scatter(line: Line, base: Array, step: float) -> tuple[Array, Array]:
    """Return the size of the noise on neighbouring values, and how many of them differ."""
    values = table = np.stack([base, *(line(k * step)[0] for k in range(1, 9))])
    found, weight = [], 1.0
    with np.errstate(all="ignore"):
        for k in range(1, 7):
            table = np.diff(table, axis=0)
            weight *= k * k / ((2 * k - 1) * (2 * k))  # (k!)**2 / (2k)!, the gain of this order on noise
            found.append(np.sqrt(weight) * np.sqrt(np.mean(table**2, axis=0)))
        least = np.min(found[2:], axis=0)
    different = 1 + np.sum(np.diff(np.sort(values, axis=0), axis=0) > 0, axis=0)
    return np.where(np.isfinite(least), least, 0.0), different


def ladder(
    line: Line, base: Array, size: float, grain: Array | float = 0.0, *, unit: float = EPS, phase: float = 1.0
) -> Slope:
    """Return the derivative of every result, by all steps that make sense.

    Parameters
    ----------
    line : callable
        ``line(h) -> (results, step really taken)``; not finite where the function is not defined.
    base : array
        The results at step 0.
    size : float
        The size of the variable.
    grain : array, optional
        How far rounding moves each result, if that is known to be more than a unit in its last place.
    unit : float
        A unit in the last place of 1, in the dtype in which the function computes.
    phase : float
        Shifts all steps: a second opinion.

    Examples
    --------
    >>> found = ladder(lambda h: (np.abs([2.0 + h, h]), h), np.array([2.0, 0.0]), 2.0)
    >>> found.value[0], found.left[1], found.right[1]
    (np.float64(1.0), np.float64(-1.0), np.float64(1.0))
    """
    steps = list(_steps(size, unit, phase))
    above, up = zip(*map(line, steps), strict=True)
    below, down = zip(*(line(-h) for h in steps), strict=True)
    y, z = np.array(above), np.array(below)
    p, q = np.array(up), -np.array(down)
    with np.errstate(all="ignore"):
        reach = np.abs(base)
        value, error = _best(y - z, p + q, 2, _lost(np.fmax(np.fmax(np.abs(y), np.abs(z)), reach), unit, grain))
        right, right_error = _best(y - base, p, 1, _lost(np.fmax(np.abs(y), reach), unit, grain))
        left, left_error = _best(base - z, q, 1, _lost(np.fmax(np.abs(z), reach), unit, grain))
        # At the edge of a domain one side is all there is.
        for side, its_error in ((right, right_error), (left, left_error)):
            edge = ~np.isfinite(value) & np.isfinite(side)
            value, error = np.where(edge, side, value), np.where(edge, its_error, error)
        steep = np.fmax.reduce(np.where((p <= size)[:, None], np.abs((y - z) / (p + q)[:, None]), 0.0), axis=0)
    return Slope(value, error, left, left_error, right, right_error, steep)


def _lost(reach: Array, unit: float, grain: Array | float) -> Array:
    """Return how far rounding may have moved the difference of two values."""
    return 2 * np.maximum(0.75 * unit * reach, grain)


def _steps(size: float, unit: float, phase: float) -> Iterator[float]:
    """Yield steps: closer together where rounding matters most.

    None is a simple multiple of another: with halves alone ``sin(1e9 * x)`` looks slow and smooth whenever the smallest
    of a few steps happens to be close to a multiple of its period, for then they all are.
    """
    h = power_of_two(max(size, 1.0) * 0.5) * phase
    lowest = max(32 * unit * size, 64 * TINY)
    k = 0
    while h >= lowest and k < 64:
        yield h * (1 + 0.25 * (k * GOLDEN % 1))
        h /= CLOSE if k < 8 else RATIO
        k += 1


def _best(rise: Array, run: Array, order: int, lost: Array) -> tuple[Array, Array]:
    """Extrapolate differences to step 0 and return each result's best value with an estimate of its error.

    Neville's scheme in powers of the step `order`. The error of an entry is what the last extrapolation changed (the
    error of the order below, so a cautious guess) and what rounding can have done. Best is the smallest *relative*
    error: a bounded function that oscillates has tiny differences at large steps, and tiny errors with them.
    """
    shape = rise.shape[1:]
    h = run[:, None]
    level = rise / h
    floor = lost / h
    values, errors = [], []
    for j in range(1, min(ORDERS + 1, len(run))):
        ratio = (run[:-j] / run[j:])[:, None] ** order
        finer, coarser = level[1:], level[:-1]
        level = finer + (finer - coarser) / (ratio - 1)
        floor = floor[1:] * (1 + 1 / (ratio - 1)) + floor[:-1] / (ratio - 1)
        if j >= 2:
            values.append(level)
            errors.append(np.maximum(np.abs(level - finer), np.abs(level - coarser)) + floor)
    if not values:
        return np.full(shape, np.nan), np.full(shape, np.inf)
    value, error = np.concatenate(values), np.concatenate(errors)
    error = np.where(np.isfinite(value) & np.isfinite(error), error, np.inf)
    relative = np.where(error < np.inf, error / (np.abs(value) + error), np.inf)
    relative = np.where(np.isnan(relative), 0.0, relative)  # 0 / 0: exactly nothing moves
    certain = np.min(relative, axis=0) < 0.1
    k = np.where(certain, np.argmin(relative, axis=0), np.argmin(error, axis=0))
    pick = (k, *np.indices(k.shape))
    value, error = value[pick], error[pick]
    return np.where(np.isfinite(error), value, np.nan), error
