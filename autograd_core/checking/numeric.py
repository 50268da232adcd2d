"""Derivatives by differences along a line, each with an estimate of its own error.

A few evaluations may accept a gradient; only the ladder may reject one. It takes differences at steps from half of the
variable's size down to a few units in its last place, extrapolates every run of them, and keeps the value that is best
determined: nobody can name one good step for `log` near 0, ``1e8 + sin`` and ``sin(1e6 * x)``. It also takes the
limits from the left and from the right, which differ at a kink.

Values that are not finite are left out, so the steps shrink by themselves at the edge of a domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    line: Line,
    base: Array,
    size: float,
    grain: Array | float = 0.0,
    *,
    unit: float = EPS,
    phase: float = 1.0,
    smallest: Array | float = 0.0,
    far: float = 1.0,
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
    smallest : array, optional
        Slopes that have to be told from 0, for each result; 0 for as small ones as can be.
    far : float
        The largest step that makes sense, for results that no smaller one moves.

    Examples
    --------
    >>> found = ladder(lambda h: (np.abs([2.0 + h, h]), h), np.array([2.0, 0.0]), 2.0)
    >>> found.value[0], found.left[1], found.right[1]
    (np.float64(1.0), np.float64(-1.0), np.float64(1.0))
    """
    y, p, z, q = _sides(line, list(_steps(size, unit, phase)))
    with np.errstate(all="ignore"):
        reach = np.abs(base)
        lost = _lost(np.fmax(np.fmax(np.abs(y), np.abs(z)), reach), unit, grain)
        value, error = _best(y - z, p + q, 2, lost)
        right, right_error = _best(y - base, p, 1, _lost(np.fmax(np.abs(y), reach), unit, grain))
        left, left_error = _best(base - z, q, 1, _lost(np.fmax(np.abs(z), reach), unit, grain))
        # At the edge of a domain one side is all there is.
        for side, its_error in ((right, right_error), (left, left_error)):
            edge = ~np.isfinite(value) & np.isfinite(side)
            value, error = np.where(edge, side, value), np.where(edge, its_error, error)
        rounding = _lost(reach, unit, grain)
        still = (error == 0) & (value == 0) | _contradicted((y, p, z), base, (value, left, right), rounding)
        if np.any(still):
            value, error, dead = _flat(line, base, (y, p, z, q), (value, error), still, rounding, smallest, far * phase)
            left, right = np.where(dead, 0.0, left), np.where(dead, 0.0, right)
            left_error, right_error = np.where(dead, error, left_error), np.where(dead, error, right_error)
        steep = np.fmax.reduce(np.where((p <= size)[:, None], np.abs((y - z) / (p + q)[:, None]), 0.0), axis=0)
    return Slope(value, error, left, left_error, right, right_error, steep)


def fitted(
    line: Line, base: Array, size: float, rng: np.random.Generator, grain: Array | float = 0.0, unit: float = EPS
) -> tuple[Array, Array]:
    """Return the derivative of every result by polynomials fitted to many values, for what drowns in rounding.

    Rounding errors average out: of 48 values they leave a tenth of what they do to two. Odd and even parts are fitted
    by themselves; both must fit, or a kink nearby would pass for a slope.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> value, error = fitted(lambda h: (np.array([1e8 + (1e-5 + h) ** 2]), h), np.array([1e8 + 1e-10]), 1e-5, rng)
    >>> bool(abs(value[0] - 2e-5) < error[0] < 2e-7)
    True
    """
    value, error = np.full(base.shape, np.nan), np.full(base.shape, np.inf)
    for half in [0.5 * s / 8**k for s in {max(size, 1.0), 1.0} for k in range(4)]:
        y, p, z, q = _sides(line, (half * rng.uniform(0.02, 1.0, 24)).tolist())
        h = np.maximum(np.abs(p), np.abs(q))
        if not np.allclose(p, q, rtol=1e-9) or not np.all(np.isfinite(y)) or not np.all(np.isfinite(z)):
            continue
        t = (h / half)[:, None]
        least = 0.3 * np.maximum(unit * np.abs(base), grain)
        odd, spread = _least_squares(t ** np.array([1, 3, 5, 7]), 0.5 * (y - z), least)
        fewer, _ = _least_squares(t ** np.array([1, 3, 5]), 0.5 * (y - z), least)
        _, rough = _least_squares(t ** np.array([0, 2, 4, 6]), 0.5 * (y + z) - base, least)
        found, off = odd / half, 2 * (np.fmax(spread, rough) + np.abs(odd - fewer)) / half
        better = ~(off / (off + np.abs(found)) >= error / (error + np.abs(value)))
        value, error = np.where(better, found, value), np.where(better, off, error)
    return value, error


def _least_squares(A: Array, y: Array, least: Array) -> tuple[Array, Array]:
    """Return the first coefficient of a fit, and its standard error if values are off by `least` or more."""
    inverse = np.linalg.pinv(A)
    c = inverse @ y
    sigma = np.sqrt(np.sum((y - A @ c) ** 2, axis=0) / (len(A) - A.shape[1]))
    return c[0], np.maximum(sigma, least) * float(np.linalg.norm(inverse[0]))


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


def _sides(line: Line, steps: Sequence[float]) -> tuple[Array, Array, Array, Array]:
    """Return the results and the steps taken above, and below."""
    above, up = zip(*map(line, steps), strict=True)
    below, down = zip(*(line(-h) for h in steps), strict=True)
    return np.array(above), np.array(up), np.array(below), -np.array(down)


def _contradicted(sides: tuple[Array, Array, Array], base: Array, slopes: Sequence[Array], rounding: Array) -> Array:
    """Say which results are equal at all small steps, on both sides, as no slope lets them be that large steps show."""
    y, p, z = sides
    equal = np.logical_and.accumulate(((y == base) & (z == base))[::-1])
    count = np.sum(equal, axis=0)
    length = p[len(p) - np.maximum(count, 1)]
    return (count >= 3) & np.any([np.abs(slope) * length > 10 * rounding for slope in slopes], axis=0)


def _flat(
    line: Line,
    base: Array,
    sides: tuple[Array, Array, Array, Array],
    found: tuple[Array, Array],
    still: Array,
    rounding: Array,
    smallest: Array | float,
    far: float,
) -> tuple[Array, Array, Array]:
    """Return slopes and errors again for results that do not move at small steps, and which of them are flat.

    ``log(1 + x * x)`` is 0 for all of ``abs(x) < 1e-8``, and there it jumps to 2e-16: 1 has no digits for more. Any
    slope up to 2e-16 / 1e-8 looks as flat as that, and large steps tell it better. But where `relu` starts to move it
    moves by next to nothing, and nothing hides in its dead zone.
    """
    y, p, z, q = sides
    while 4 * p[0] <= 0.5 * far:
        outer = _sides(line, [4 * float(p[0])])
        y, p, z, q = (np.concatenate(pair) for pair in zip(outer, (y, p, z, q), strict=True))
    lost = np.maximum(_lost(np.fmax(np.abs(y), np.abs(z)), EPS, 0.0), rounding)
    value, error = _best(y - z, p + q, 2, lost, flat=False)
    enough = np.fmin(1e-3 * smallest, np.where(error < 0.1 * np.abs(value), error, np.inf))
    jump, hidden = np.zeros(base.shape), np.zeros(base.shape)
    for values, steps, sign in ((y, p, 1), (z, q, -1)):
        step, length = _edge(line, base, values, steps, sign, still, enough)
        jump, hidden = np.fmax(jump, step), np.fmax(hidden, np.maximum(step, rounding) / length)
    value, error = _best(y - z, p + q, 2, np.maximum(lost, jump), flat=False)
    seen = still & (error < np.minimum(hidden, 0.1 * np.abs(value)))
    dead = still & ~seen
    value = np.where(seen, value, np.where(dead, 0.0, found[0]))
    return value, np.where(seen, error, np.where(dead, hidden, found[1])), dead


def _edge(
    line: Line, base: Array, values: Array, steps: Array, sign: int, still: Array, enough: Array
) -> tuple[Array, Array]:
    """Return by how much results jump where a stretch ends on which they are flat, and how long it is at least.

    A jump that makes a hundredth of all there is to see is the function's own, as are those of `floor`: it counts as 0.
    """
    moved = np.where(np.isfinite(values), np.abs(values - base), 0.0)
    last = len(steps) - 1 - np.argmax(moved[::-1] > 0, axis=0)  # the smallest step that shows
    ends = still & (last < len(steps) - 1) & np.any(moved > 0, axis=0)
    high, low = steps[last], steps[np.minimum(last + 1, len(steps) - 1)]
    jump = np.take_along_axis(moved, last[None], axis=0)[0]
    for _ in range(200):
        open_ = ends & (jump > enough * low) & (high - low > 4 * EPS * high)
        if not np.any(open_):
            break
        h = 0.5 * float(low[open_][0] + high[open_][0])
        there = np.abs(line(sign * h)[0] - base)
        within = (low < h) & (h < high)
        low = np.where(within & (there == 0), h, low)
        jump = np.where(within & (there > 0), there, jump)
        high = np.where(within & (there != 0), h, high)
    low = np.where(np.any(moved > 0, axis=0), low, steps[0])
    return np.where(ends & (jump < 1e-2 * np.max(moved, axis=0)), jump, 0.0), low


def _best(rise: Array, run: Array, order: int, lost: Array, flat: bool = True) -> tuple[Array, Array]:
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
    relative = np.where(np.isnan(relative), 0.0 if flat else np.inf, relative)  # 0 / 0: exactly nothing moves
    certain = np.min(relative, axis=0) < 0.1
    k = np.where(certain, np.argmin(relative, axis=0), np.argmin(error, axis=0))
    pick = (k, *np.indices(k.shape))
    value, error = value[pick], error[pick]
    return np.where(np.isfinite(error), value, np.nan), error
