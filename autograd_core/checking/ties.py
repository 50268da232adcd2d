"""Where entries tie: the directions in which they tie on, and the slopes all around a point.

At ``[2, 2, 1]`` the maximum has slopes 0 and 1 by either of the first two entries, and anything between passes for a
slope of each alone. But let both grow together and it grows with them: their two shares make 1, or they are wrong. So
tied entries are moved together, and where the function is smooth then, the derivative is judged as anywhere else.

The median of ``[1, 1, 1]`` does not move at all with one entry, whichever; its slopes show beside the point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import numeric
from .judging import combine
from .numeric import Array
from .report import Entry

BESIDE = 2.0**-20  # of the size of the entries: how far away "all around" is
CLOSER = 2.0**-8  # of that: a kink is one there, too, and the bends of sin(x) at 1e7 are none
FIRST = 8  # points looked at before a direction is taken for smooth
FEW = 12  # entries for which ties of unequal entries are looked for: of `x` with `2 * y`


def together(
    trial: Any, rows: Array, claimed: Array, noise: Callable[[], Array], kinks: Sequence[int], full: bool = True
) -> list[Entry]:
    """Return what is wrong with claimed derivatives where tied entries move together.

    Parameters
    ----------
    trial : Trial
    rows : array
        Combinations of results.
    claimed : array
        Their derivatives by all coordinates.
    noise : callable
        Returns by how much those are off by rounding.
    kinks : list of int
        Coordinates along which kinks have been seen.
    full : bool
        Whether every coordinate has been looked at; if not, the others are moved, too.
    """
    if trial.settings.kinks != "subgradient":
        return []
    for u, groups in _equal(trial):
        if _off(trial, rows, claimed, u):
            alone = [restricted(u, group) for group in groups[:64]]
            for part in [*alone, u] if len(alone) > 1 else [u]:
                if found := _judged(trial, rows, claimed, noise, part, kinks):
                    return found
        everything = np.where(u != 0, u, trial.direction())
        off = not full and _off(trial, rows, claimed, everything)
        if off and (found := _judged(trial, rows, claimed, noise, everything, kinks)):
            return found
    if kinks and len(columns := _candidates(trial, kinks)) <= FEW:
        for u in _smooth(trial, rows, claimed, columns):
            if found := _judged(trial, rows, claimed, noise, u, kinks):
                return found
    return []


def restricted(u: Array, columns: Any) -> Array:
    """Return a direction in which only some coordinates move."""
    part = np.zeros(u.shape)
    part[columns] = u[columns]
    return part


def _equal(trial: Any) -> list[tuple[Array, list[Array]]]:
    """Return directions in which equal entries stay equal, and the groups of entries they move.

    Those of one size and of both signs move in the same direction, and then apart.
    """
    size = np.where(trial.known, np.abs(trial.x), np.nan)
    _, place, count = np.unique(size, return_inverse=True, return_counts=True, equal_nan=False)
    tied = np.flatnonzero(count[place] > 1)
    if not len(tied):
        return []
    order = tied[np.argsort(place[tied], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(place[order])) + 1)
    u = np.zeros(size.shape)
    for group, step in zip(groups, np.abs(trial.random(len(groups))), strict=True):
        u[group] = step * np.max(trial.scale[group])
    signs = np.where(trial.x < 0, -1.0, 1.0)
    mixed = any(np.ptp(signs[group]) for group in groups)
    return [(u, groups), (signs * u, groups)] if mixed else [(u, groups)]


def _off(trial: Any, rows: Array, claimed: Array, u: Array) -> bool:
    """Say whether plain differences disagree in a direction."""
    a, terms = claimed @ u, np.abs(claimed) @ np.abs(u)
    line = trial.along(u)
    with np.errstate(all="ignore"):
        for difference, h in ((numeric.central, 2.0**-17), (numeric.quick, 2.0**-10)):
            n = combine(rows, difference(line, h * trial.wider))
            if np.all(np.abs(a - n) <= 0.1 * trial.rtol * terms):
                return False
    return True


def _judged(
    trial: Any, rows: Array, claimed: Array, noise: Callable[[], Array], u: Array, kinks: Sequence[int]
) -> list[Entry]:
    """Return the entries that are wrong in a direction in which the function is smooth, here and all around."""
    u = u / np.max(np.abs(u))
    a, terms = claimed @ u, np.abs(claimed) @ np.abs(u)
    size = float(np.min(trial.scale[u != 0]))
    found = trial.examine(
        rows, a, trial.along(u), size, None, "reverse", floor=noise() @ np.abs(u), cancelled=terms, far=1.0
    )
    # Directions that were measured are a little off, and leave a little of the kink.
    wrong = [e for e in found if e.verdict == "wrong" and _gap(e) <= 1e-3 * abs(e.got - e.expected)]
    if not wrong:
        return []
    slopes = around(trial, u, 24 + 8 * min(int(np.count_nonzero(u)), 64))
    steady = []
    for e in wrong:
        s = combine(rows[e.combination][None], slopes.T)[0]
        s = s[np.isfinite(s)]
        # A smooth function's slope is nearly the same everywhere around, and so are these, if none has been missed.
        if len(s) > 16 and np.ptp(s) <= 1e-3 * abs(e.got - e.expected):
            every = np.count_nonzero(u) == trial.x.size > 4 and not kinks
            e.input, e.tied, e.sides = "a combination of entries" if every else _label(trial, u), not every, None
            trial.count("wrong")
            steady.append(e)
    return steady


def _gap(e: Entry) -> float:
    return 0.0 if e.sides is None else abs(e.sides[1] - e.sides[0])


def _label(trial: Any, u: Array) -> str:
    columns = np.flatnonzero(np.abs(u) > 1e-6)
    parts = []
    for j in columns[:4].tolist():
        factor = "" if abs(u[j]) > 1 - 1e-9 else f"{abs(u[j]):.3g} "
        parts.append(("-" if u[j] < 0 else "") + factor + trial.inputs.label(j))
    return ", ".join(parts) + (", ..." if len(columns) > 4 else "") + " together"


def around(trial: Any, u: Array, count: int, closer: float = 1.0) -> Array:
    """Return the slopes of all results in a direction at random points close by, a row for each point."""
    reach, step = _reach(trial, u, closer)
    slopes = []
    xs = trial.xs
    with np.errstate(all="ignore"):
        for _ in range(count):
            beside = reach * trial.scale * trial.random(trial.x.size) * trial.known
            try:
                trial.xs = trial.moved(beside)
                slopes.append(numeric.central(trial.along(u), step))
            finally:
                trial.xs = xs
    return np.array(slopes)


def _toward(trial: Any, row: Array, a: float, u: Array, closer: float) -> float:
    """Return the slope nearest to a given one that bisection finds along a line beside the point, or NaN.

    Among forty equal entries, the twentieth in order moves with each in one of forty places only.
    """
    reach, step = _reach(trial, u, closer)
    end = 64 * step * (1 + min(int(np.count_nonzero(u)), 64))  # from before all others to beyond them
    xs = trial.xs
    try:
        trial.xs = trial.moved(reach * trial.scale * trial.random(trial.x.size) * trial.known)
        line = trial.along(u)
        (low, from_), (high, to) = ((combine(row[None], y)[0], h) for y, h in (line(-end), line(end)))
        for _ in range(16):
            y, h = line((from_ + to) / 2)
            middle = combine(row[None], y)[0]
            first, second = (middle - low) / (h - from_), (high - middle) / (to - h)
            if abs(first - second) <= 1e-4 * max(abs(first), abs(second), abs(a)):
                return float((high - low) / (to - from_))
            if not abs(first - a) > abs(second - a):
                high, to = middle, h
            else:
                low, from_ = middle, h
        return np.nan
    finally:
        trial.xs = xs


def _reach(trial: Any, u: Array, closer: float) -> tuple[float, float]:
    """Return how far points are away, in sizes of entries, and the step of the differences there."""
    moved = np.flatnonzero(u)
    reach = BESIDE * closer * trial.wider
    return reach, reach * float(np.min(trial.scale[moved] / np.abs(u[moved]))) / (16 * (1 + min(len(moved), 64)))


def slopes_beside(trial: Any, row: Array, a: float, u: Array) -> tuple[float, float] | None:
    """Return the least and the largest slope all around, if they differ and the claimed one lies between them.

    At any distance they do, at a kink. Beside a point where the function only bends, the nearer the less; and where
    only rounding makes them differ, the nearer the more.
    """
    found: list[Array] = []
    rounding = float(np.abs(row) @ trial.grain) / _reach(trial, u, CLOSER)[1]
    for count, closer in ((FIRST, 1.0), (24, 1.0), (16, CLOSER)):
        s = combine(row[None], around(trial, u, count, closer).T)[0]
        s = np.append(s, _toward(trial, row, a, u, closer))
        s = s[np.isfinite(s)]
        if len(s) < 2 or not np.ptp(s) > max(1e-2 * max(float(np.max(np.abs(s))), abs(a)), 100 * rounding):
            return None
        found.append(s)
    wide, close = np.concatenate(found[:2]), found[2]
    low, high = float(np.min(wide)), float(np.max(wide))
    if not 0.5 <= np.ptp(close) / (high - low) <= 2:
        return None
    slack = 1e-4 * (high - low)
    return (low, high) if low - slack <= a <= high + slack else None


def _candidates(trial: Any, kinks: Sequence[int]) -> Array:
    """Return the coordinates that may tie: all, if they are few, else those at kinks."""
    return np.flatnonzero(trial.known) if trial.x.size <= FEW else np.unique(np.asarray(kinks, int))


def _smooth(trial: Any, rows: Array, claimed: Array, columns: Array) -> list[Array]:
    """Return directions in which all slopes around agree with each other and not with what is claimed.

    Slopes at points all around span a set. Orthogonal to it the function is smooth, and there any combination of
    slopes, whatever its weights, is the same.
    """
    scale = trial.scale[columns]
    reach, step = BESIDE * trial.wider, BESIDE * trial.wider / 64 / (1 + len(columns))
    units = [restricted(trial.scale, j) for j in columns]
    table, xs = [], trial.xs
    with np.errstate(all="ignore"):
        for _ in range(8 + 4 * len(columns)):
            try:
                trial.xs = trial.moved(reach * trial.scale * trial.random(trial.x.size) * trial.known)
                table.append(np.stack([combine(rows, numeric.central(trial.along(u), step)) for u in units], axis=1))
            finally:
                trial.xs = xs
    found = []
    for i in range(len(rows)):
        slopes = np.array([t[i] for t in table])
        slopes = slopes[np.all(np.isfinite(slopes), axis=1)]
        size = np.max(np.abs(slopes), initial=0.0)
        if len(slopes) <= len(columns) or not size:
            continue
        middle = np.mean(slopes, axis=0)
        _, s, basis = np.linalg.svd((slopes - middle) / size)
        basis = basis[np.count_nonzero(s > 1e-3 * s[0]) if s[0] > 1e-3 else 0 :]
        off = basis.T @ (basis @ (claimed[i, columns] * scale - middle))
        if np.linalg.norm(off) > 1e-3 * size and s[0] > 1e-3:
            u = np.zeros(trial.x.size)
            u[columns] = off * scale
            u[np.abs(u) < 1e-4 * np.max(np.abs(u))] = 0.0
            found.append(u)
    return found
