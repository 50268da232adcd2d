"""One comparison: the derivative a program claims against differences of its values, entry by entry or in projection.

A gradient is accepted by the cheapest differences that agree with it, and rejected only by two ladders that agree with
each other. Between the two lies "inconclusive": the differences cannot see what would have to be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import numeric
from .names import Coordinates
from .programs import Program, Pull
from .report import Entry

Array = np.ndarray[Any, Any]
ROWS = 64  # results that are checked one by one; of more, three random combinations
COLUMNS = 2000  # results whose one-sided limits are kept apart
ENOUGH = 12  # wrong entries after which nobody wants another
FLOOR = 256  # units in the last place by which a gradient may be off relative to ``result / variable``


class Restructured(Exception):
    """The results have another structure at another point."""


class Trial:
    """A program at a point: its values around it, its claimed derivative, and verdicts."""

    def __init__(self, program: Program, xs: Sequence[Array], rng: np.random.Generator, settings: Any) -> None:
        self.program, self.rng, self.settings = program, rng, settings
        self.xs = list(xs)
        self.inputs = Coordinates([s.name for s in program.slots], self.xs)
        self.x = self.inputs.flat(self.xs)
        self.evaluations = 0
        self.raised: BaseException | None = None
        results = program.values(self.xs)
        self.shapes = [(r.shape, r.dtype) for r in results]
        self.outputs = Coordinates(_result_names(len(results)), results)
        self.y = self.outputs.flat(results)
        self.unit = max([numeric.EPS, *(_unit(r.dtype) for r in (*results, *self.xs))])
        self.rtol = settings.rtol or max(1e-6, 200 * self.unit)
        self.grain = np.maximum(settings.noise, 1.0) * self.unit * np.abs(self.y)
        self.scale = self._scales()

    def _scales(self) -> Array:
        """Return the size of every coordinate: its own, or else its array's, or else 1."""
        sizes = np.abs(self.x)
        for start, end in zip(self.inputs.ends[:-1], self.inputs.ends[1:], strict=True):
            part = sizes[start:end]
            typical = float(np.sqrt(np.mean((part / (peak := np.max(part))) ** 2)) * peak) if np.any(part) else 1.0
            part[part == 0] = typical
        return sizes

    # --- values -------------------------------------------------------------------------------------------------------

    def at(self, moved: dict[int, Array]) -> Array:
        """Return the results with some inputs replaced, NaN where the function gives none."""
        self.evaluations += 1
        xs = [moved.get(k, x) for k, x in enumerate(self.xs)]
        try:
            results = self.program.values(xs)
        except (TypeError, NameError, AttributeError, Restructured):
            raise
        except Exception as error:
            self.raised = self.raised or error
            return np.full(self.y.shape, np.nan)
        found = [(r.shape, r.dtype) for r in results]
        if [f[0] for f in found] != [s[0] for s in self.shapes]:
            raise Restructured(
                f"the results change their shapes from {[s[0] for s in self.shapes]} to {[f[0] for f in found]} when "
                f"{', '.join(self.inputs.names[k] for k in moved)} moves a little"
            )
        return self.outputs.flat(results)

    def along_entry(self, j: int) -> Any:
        """Return the line through the point along one coordinate."""
        k, i = self.inputs.find(j)
        dtype = self.xs[k].real.dtype

        def line(h: float) -> tuple[Array, float]:
            x = np.array(self.xs[k])
            flat = x.reshape(-1).view(dtype)
            before = float(flat[i])
            flat[i] = before + h
            return self.at({k: x}), float(flat[i]) - before

        return line

    def along(self, u: Array) -> Any:
        """Return the line through the point in a direction."""
        parts = []
        for k, x in enumerate(self.xs):
            part = u[self.inputs.ends[k] : self.inputs.ends[k + 1]]
            if np.any(part):
                parts.append((k, part.view(complex).reshape(x.shape) if x.dtype.kind == "c" else part.reshape(x.shape)))
        return lambda h: (self.at({k: (self.xs[k] + h * v).astype(self.xs[k].dtype) for k, v in parts}), h)

    # --- the claimed derivative ---------------------------------------------------------------------------------------

    def cotangents(self, w: Array) -> list[Array]:
        """Return weights of the real results as cotangents; a complex one's imaginary part has the weight -i."""
        found = []
        for k, (shape, dtype) in enumerate(self.shapes):
            part = w[self.outputs.ends[k] : self.outputs.ends[k + 1]]
            found.append(np.asarray(np.conj(part.view(complex)) if dtype.kind == "c" else part, dtype).reshape(shape))
        return found

    def gradient(self, pull: Pull, w: Array) -> Array:
        """Return the claimed derivative of weighted results by all coordinates."""
        parts = []
        with np.errstate(all="ignore"):
            for g, x in zip(pull(self.cotangents(w)), self.xs, strict=True):
                g = np.zeros(x.shape, x.dtype) if g is None else np.asarray(g)
                parts.append(np.conj(g) if x.dtype.kind == "c" else g)  # df/dx - i df/dy
        return self.inputs.flat(parts)

    def tangent(self, u: Array) -> Array:
        """Return the derivatives of all results along a direction, as forward mode claims them."""
        tangents = []
        for k, x in enumerate(self.xs):
            part = u[self.inputs.ends[k] : self.inputs.ends[k + 1]]
            tangents.append((part.view(complex) if x.dtype.kind == "c" else part).astype(x.dtype).reshape(x.shape))
        pushed = self.program.push(self.xs, tangents)
        return self.outputs.flat(
            [np.zeros(s, d) if t is None else np.asarray(t) for t, (s, d) in zip(pushed, self.shapes, strict=True)]
        )

    def rows(self) -> Array:
        """Return the combinations of results that are differentiated: each by itself, if they are not too many."""
        m = self.y.size
        return np.eye(m) if m <= ROWS else np.stack([self.weights() for _ in range(3)])

    def weights(self) -> Array:
        """Return random weights of the results, to each as much as it takes to be heard beside the others."""
        size = np.abs(self.y)
        typical = np.max(size, initial=0.0) or 1.0
        return self.random(size.size) / np.maximum(size, 1e-3 * typical)

    def random(self, n: int) -> Array:
        """Return numbers between 1/2 and 3/2 of either sign: none is so small that it hides an error."""
        return self.rng.uniform(0.5, 1.5, n) * self.rng.choice([-1.0, 1.0], n)

    # --- entry by entry -----------------------------------------------------------------------------------------------

    def by_entry(self, rows: Array, claimed: Array, mode: str, columns: Iterable[int] | None = None) -> list[Entry]:
        """Compare claimed derivatives (of `rows`, by all coordinates) with differences; return the verdicts."""
        columns = list(range(self.x.size) if columns is None else columns)
        entries: list[Entry] = []
        doubtful: list[tuple[float, int]] = []
        for j in columns:
            accepted, off = self._accept(rows, claimed[:, j], self.along_entry(j), self.scale[j])
            if accepted:
                self.count("ok", len(rows))
            else:
                doubtful.append((-off, j))
        for _, j in sorted(doubtful):
            found = self.examine(rows, claimed[:, j], self.along_entry(j), self.scale[j], j, mode)
            self.count("ok", len(rows) - len(found))
            entries += found
            for entry in found:
                self.count(entry.verdict)
            if sum(e.verdict in ("wrong", "nonfinite") for e in entries) >= ENOUGH:
                break
        return entries

    def count(self, verdict: str, n: int = 1) -> None:
        """Add to the number of entries with a verdict."""
        if n:
            self.settings.counts[verdict] = self.settings.counts.get(verdict, 0) + n

    def _accept(self, rows: Array, a: Array, line: Any, size: float) -> tuple[bool, float]:
        """Try cheap differences; return whether they agree, and else by how much they are off."""
        off = np.full(len(a), np.inf)
        if self.settings.kinks == "forbid":  # a central difference looks smooth where both sides cancel
            return False, 0.0
        tries = [(numeric.central, 0.5e-5 * size), (numeric.quick, 1e-3 * size), (numeric.quick, 1e-3 * max(size, 1.0))]
        wider = (self.unit / numeric.EPS) ** 0.25
        with np.errstate(all="ignore"):
            for difference, h in tries:
                n = _combine(rows, difference(line, numeric.power_of_two(h * wider)))
                gap = np.abs(a - n) / np.maximum(np.abs(a), np.abs(n))
                off = np.fmin(off, np.where(a == n, 0.0, gap))
                if np.all(off <= self.rtol):
                    return True, 0.0
        return False, float(np.max(off))

    def examine(
        self, rows: Array, a: Array, line: Any, size: float, j: int | None, mode: str, cancelled: Array | float = 0.0
    ) -> list[Entry]:
        """Judge claimed derivatives along a line by ladders; return an entry for each that is not simply right.

        `cancelled` is the size of the terms of which `a` is the sum, for a direction of many entries.
        """
        with np.errstate(all="ignore"):
            base = self.y
            grain = np.fmax(self.grain, 4 * numeric.noise(line, base, size, self.unit))
            first = _reduce(rows, numeric.ladder(line, base, size, grain, unit=self.unit))
            lost = np.abs(rows) @ np.where(np.isfinite(grain), grain, 0.0)
            floor = FLOOR * lost / size
            verdicts = self._judge(a, first, floor, cancelled)
            if any(v not in ("ok", "kink") for v in verdicts):
                second = _reduce(rows, numeric.ladder(line, base, size, grain, unit=self.unit, phase=0.7))
                first = _agreed(first, second)
                verdicts = self._judge(a, first, floor, cancelled)
        return [self._entry(i, j, rows, a, first, v, mode) for i, v in enumerate(verdicts) if v != "ok"]

    def _judge(self, a: Array, s: numeric.Slope, floor: Array, cancelled: Array | float) -> list[str]:
        floor = np.broadcast_to(floor, a.shape)
        cancelled = np.broadcast_to(cancelled, a.shape)
        kinks = self.settings.kinks
        return [
            judge(x, (*(float(part[i]) for part in s),), float(floor[i]), float(cancelled[i]), self.rtol, kinks)
            for i, x in enumerate(map(float, a))
        ]

    def _entry(self, i: int, j: int | None, rows: Array, a: Array, s: numeric.Slope, verdict: str, mode: str) -> Entry:
        one = np.count_nonzero(rows[i]) == 1
        sides = (float(s.left[i]), float(s.right[i]))
        has_kink = verdict == "kink" or differ(*sides, float(s.left_error[i]), float(s.right_error[i]), self.rtol)
        return Entry(
            verdict=verdict,
            output=self.outputs.label(int(np.flatnonzero(rows[i])[0])) if one else "a combination of results",
            input="a combination of entries" if j is None else self.inputs.label(j),
            at=None if j is None else float(self.x[j]),
            got=float(a[i]),
            expected=float(s.value[i]),
            error=float(s.error[i]),
            sides=sides if has_kink else None,
            mode=mode,
            row=i if one else None,
            column=j,
        )

    def entry_of(self, j: int, got: float, expected: float, error: float) -> Entry:
        """Return an entry for a combination of all results that is known to be wrong."""
        name, at = self.inputs.label(j), float(self.x[j])
        return Entry("wrong", "a combination of results", name, at, got, expected, error, column=j)

    # --- in projection ------------------------------------------------------------------------------------------------

    def direction(self, columns: Array | None = None) -> Array:
        """Return a random direction in which every entry moves by its own size: each has its relative say."""
        u = self.random(self.x.size) * self.scale
        if columns is not None:
            u = np.where(np.isin(np.arange(u.size), columns), u, 0.0)
        return u

    def by_projection(self, w: Array, g: Array, u: Array, mode: str, claimed: float | None = None) -> list[Entry]:
        """Compare one number, the derivative of weighted results in a direction."""
        with np.errstate(all="ignore"):
            a = np.array([g @ u if claimed is None else claimed])
            terms = float(np.sum(np.abs(g * u)))
            line = self.along(u)
            tries = ((numeric.central, 2.0**-17), (numeric.quick, 2.0**-10))
            for difference, h in tries if self.settings.kinks != "forbid" else ():
                n = _combine(w[None], difference(line, h * (self.unit / numeric.EPS) ** 0.25))
                if np.abs(a[0] - n[0]) <= 0.1 * self.rtol * terms:
                    self.count("ok")
                    return []
        found = self.examine(w[None], a, line, 1.0, None, mode, cancelled=terms)
        for entry in found:
            self.count(entry.verdict)
        if not found:
            self.count("ok")
        return found


def judge(
    a: float, slope: tuple[float, ...], floor: float, cancelled: float, rtol: float, kinks: str = "subgradient"
) -> str:
    """Return the verdict on one claimed derivative.

    Parameters
    ----------
    a : float
        What is claimed.
    slope : tuple
        The fields of a `Slope`.
    floor : float
        What rounding may leave of a derivative that is zero.
    cancelled : float
        The size of the terms of which `a` is the sum.
    """
    value, error, left, left_error, right, right_error, steep = slope
    if not np.isfinite(a):
        return "nonfinite"
    if differ(left, right, left_error, right_error, rtol, floor):
        if kinks == "skip":
            return "kink"
        slack = rtol * max(abs(left), abs(right), cancelled) + 3 * max(left_error, right_error) + floor
        inside = min(left, right) - slack <= a <= max(left, right) + slack
        return "kink" if inside and kinks == "subgradient" else "wrong"
    if not np.isfinite(value):
        return "inconclusive"
    off = abs(a - value)
    allowed = rtol * max(abs(a), abs(value), cancelled)
    if off <= allowed:
        return "ok"
    if off <= allowed + floor:
        return "ok" if abs(a) <= floor / 16 else "inconclusive"
    if off > allowed + floor + 3 * error:
        return "wrong"
    # Zero as far as one can see, and one can see much smaller slopes than there are around.
    flat = abs(a) <= error <= 1e-10 * steep and abs(value) <= 3 * error
    return "ok" if flat else "inconclusive"


def differ(left: float, right: float, left_error: float, right_error: float, rtol: float, floor: float = 0.0) -> bool:
    """Say whether the limits from the left and from the right are known well enough to be different."""
    if not (np.isfinite(left) and np.isfinite(right)):
        return False
    return abs(right - left) > 10 * (left_error + right_error) + rtol * max(abs(left), abs(right)) + floor


def _combine(rows: Array, column: Array) -> Array:
    """Return combinations of results; one of them that is not finite spoils only those in which it stands."""
    if np.all(np.isfinite(column)):
        return rows @ column
    safe = np.where(np.isfinite(column), column, 0.0)
    return np.where((rows != 0) @ ~np.isfinite(column), np.nan, rows @ safe)


def _reduce(rows: Array, s: numeric.Slope) -> numeric.Slope:
    """Return slopes of combinations of results. The sides stay intervals: at a kink each result may take any slope."""
    if len(rows) == rows.shape[1] and np.array_equal(rows, np.eye(len(rows))):
        return s
    low = np.minimum(rows * s.left, rows * s.right)
    high = np.maximum(rows * s.left, rows * s.right)
    absent = rows == 0

    def total(parts: Array) -> Array:
        return np.sum(np.where(absent, 0.0, parts), axis=1)

    weight = np.abs(rows)
    side_error = np.fmax(s.left_error, s.right_error)
    # Where both sides agree the value from both is the better one.
    same = ~(np.abs(s.right - s.left) > 10 * (s.left_error + s.right_error))
    value = rows * s.value
    low, high = np.where(same, value, low), np.where(same, value, high)
    side_error = np.where(same, s.error, side_error)
    side_error = total(weight * side_error)
    return numeric.Slope(
        total(value), total(weight * s.error), total(low), side_error, total(high), side_error, total(weight * s.steep)
    )


def _agreed(first: numeric.Slope, second: numeric.Slope) -> numeric.Slope:
    """Return what two ladders say together: their difference is part of the error."""
    parts: list[Array] = []
    for v, e in ((0, 1), (2, 3), (4, 5)):
        better = first[e] <= second[e]
        value = np.where(better, first[v], second[v])
        error = np.fmax(np.fmin(first[e], second[e]), np.abs(first[v] - second[v]))
        parts += [value, np.where(np.isfinite(first[v]) & np.isfinite(second[v]), error, np.fmin(first[e], second[e]))]
    return numeric.Slope._make([*parts, np.fmax(first.steep, second.steep)])


def _unit(dtype: Any) -> float:
    return float(np.finfo(dtype).eps) if dtype.kind in "fc" else 0.0


def _result_names(n: int) -> list[str]:
    return ["result"] if n == 1 else [f"result[{k}]" for k in range(n)]
