"""One comparison: the derivative a program claims against differences of its values, entry by entry or in projection.

A gradient is accepted by the cheapest differences that agree with it, and rejected only by two ladders that agree with
each other. Between the two lies "inconclusive": the differences cannot see what would have to be seen.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from . import numeric, ties
from .coordinates import Coordinates
from .judging import agreed, combine, differ, judge, reduce, refined, total
from .layouts import repeats
from .programs import Array, Program, Pull
from .report import Entry

Claim = Callable[[Sequence[Array]], Array]  # claimed derivatives, at the inputs given
TINY = numeric.TINY
SMALLEST = float(np.finfo(float).smallest_subnormal)
ROWS = 64  # results that are checked one by one; of more, three random combinations
COLUMNS = 2000  # results whose one-sided limits are kept apart


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
        self.wider = (self.unit / numeric.EPS) ** 0.25  # are steps for functions of fewer digits
        self.rtol = settings.rtol or max(1e-6, 200 * self.unit)
        smallest = np.where(self.y != 0, 5e-324, 0.0)  # there is: less than a unit in the last place of exp(-735)
        self.grain = np.fmax(np.maximum(settings.noise, 1.0) * self.unit * np.abs(self.y), smallest)
        self.known = np.isfinite(self.x)  # by other entries nothing can be moved
        self.scale = self._scales()

    def _scales(self) -> Array:
        """Return the size of every coordinate: its own, or else its array's, or else 1."""
        sizes = np.where(self.known, np.abs(self.x), 1.0)
        for part in (sizes[p] for p in self.inputs.parts):
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
        k, index, part = self.inputs.index(j)

        def line(h: float) -> tuple[Array, float]:
            x = np.array(self.xs[k])  # in the same order in memory: np.ravel(x, "K") is a function, too
            real = x.imag if part == ".imag" else x.real
            before = float(real[index])
            real[index] = before + h
            return self.at({k: x}), float(real[index]) - before

        return line

    def along(self, u: Array) -> Any:
        """Return the line through the point in a direction."""
        parts = [(k, v) for k, v in enumerate(self.inputs.arrays(u)) if np.any(v)]

        def line(h: float) -> tuple[Array, float]:
            moved = {k: np.array(self.xs[k]) for k, _ in parts}
            for k, v in parts:
                moved[k] += (h * v).astype(self.xs[k].dtype)
            return self.at(moved), h

        return line

    def moved(self, u: Array) -> list[Array]:
        """Return the inputs a little farther on."""
        return [np.asarray(x + v.astype(x.dtype)) for x, v in zip(self.xs, self.inputs.arrays(u), strict=True)]

    # --- the claimed derivative ---------------------------------------------------------------------------------------

    def cotangents(self, w: Array) -> list[Array]:
        """Return weights of the real results as cotangents; a complex one's imaginary part has the weight -i."""
        return [np.asarray(np.conj(g), d) for g, (_, d) in zip(self.outputs.arrays(w), self.shapes, strict=True)]

    def gradient(self, pull: Pull, w: Array) -> Array:
        """Return the claimed derivative of weighted results by all coordinates."""
        parts = []
        with np.errstate(all="ignore"):
            for g, x in zip(pull(self.cotangents(w)), self.xs, strict=True):
                g = np.zeros(x.shape, x.dtype) if g is None else np.asarray(g)
                parts.append(np.conj(g) if x.dtype.kind == "c" else g)  # df/dx - i df/dy
        return np.where(self.known, self.inputs.flat(parts), 0.0)

    def tangent(self, u: Array, xs: Sequence[Array]) -> Array:
        """Return the derivatives of all results along a direction, as forward mode claims them at some inputs."""
        tangents = [v.astype(x.dtype) for v, x in zip(self.inputs.arrays(u), self.xs, strict=True)]
        pushed = self.program.push(xs, tangents)
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
        return self.random(size.size) / np.maximum(size, max(1e-3 * typical, TINY))

    def cancelled(self, w: Array) -> float:
        """Return what rounding may leave of a derivative whose terms cancel, at size 1."""
        return 1e3 * self.unit * float(np.sum(np.abs(w * self.y)))

    def random(self, n: int) -> Array:
        """Return numbers between 1/2 and 3/2 of either sign: none is so small that it hides an error."""
        return self.rng.uniform(0.5, 1.5, n) * self.rng.choice([-1.0, 1.0], n)

    # --- entry by entry -----------------------------------------------------------------------------------------------

    def by_entry(
        self, rows: Array, claim: Claim, mode: str, columns: Iterable[int] | None = None, claimed: Array | None = None
    ) -> list[Entry]:
        """Compare claimed derivatives (of `rows`, by all coordinates) with differences; return the verdicts."""
        claimed = claim(self.xs) if claimed is None else claimed
        columns = [j for j in (range(self.x.size) if columns is None else columns) if self.known[j]]
        rest = self._rest(rows, claimed)
        entries: list[Entry] = []
        doubtful: list[tuple[float, int]] = []
        alone = self._after_groups(rows, claimed, columns)
        self.count("ok", len(rows) * (len(columns) - len(alone)))
        for j in alone:
            accepted, off = self._accept(rows, claimed[:, j], self.along_entry(j), self.scale[j])
            if accepted:
                self.count("ok", len(rows))
            else:
                doubtful.append((-off, j))
        noise = self.noise_of(claim, claimed) if doubtful else claimed
        for _, j in sorted(doubtful):
            size = self.scale[j]
            found = self.examine(
                rows, claimed[:, j], self.along_entry(j), size, j, mode, floor=noise[:, j], rest=rest / size
            )
            self.look_around(rows, found, ties.restricted(self.scale, j) / size)
            self.count("ok", len(rows) - len(found))
            entries += found
            for entry in found:
                self.count(entry.verdict)
            if sum(e.verdict in ("wrong", "nonfinite") for e in entries) >= self.settings.enough:
                break
        return entries

    def noise_of(self, claim: Claim, claimed: Array, apart: bool = True, terms: float = 0.0) -> Array:
        """Return how far claimed derivatives move when the inputs do by a few units in the last place.

        A derivative that cancels, as ``1 - tanh(x)**2`` does at 15, is right and yet off by more than the allowance.
        Unless they move `apart`, entries that tie tie on: a slope that is another without a tie is no noise.
        """
        found = [claimed]
        with np.errstate(all="ignore"):
            for _ in range(6):
                try:
                    found.append(claim(self._nearly(apart)))
                except Exception:  # as near to the edge of the domain as that
                    continue
                if len(found) == 4 and not np.any(_alone(np.array(found), terms)):
                    break
        if len(found) == 1:
            return np.zeros(claimed.shape)
        table = np.where(np.isfinite(claimed) & np.isfinite(found), np.array(found), claimed)
        off = np.max(np.abs(table - claimed), axis=0)
        return np.asarray(
            4 * np.where(_alone(table, terms), np.ptp(table[1:], axis=0), np.where(np.isfinite(off), off, 0.0))
        )

    def _nearly(self, apart: bool) -> list[Array]:
        """Return the inputs, off by a few units in the last place."""
        same: Array | None = None
        twins = getattr(self.program, "twins", range(len(self.xs)))
        moved = []
        for k, (slot, x) in enumerate(zip(self.program.slots, self.xs, strict=True)):
            bound = not apart or list(twins).count(twins[k]) > 1 or repeats(slot.model)  # or it were another array
            if bound and same is None:
                same = self._few_places(())
            places = same if bound and same is not None else self._few_places(x.shape)
            moved.append(np.asarray(x * (1 + places), x.dtype))
        return moved

    def _few_places(self, shape: tuple[int, ...]) -> Array:
        return np.asarray(self.unit * self.rng.integers(1, 4, shape) * self.rng.choice([-1, 1], shape))

    def _rest(self, rows: Array, claimed: Array) -> Array:
        """Return what rounding in a rule may leave of a zero, at size 1: units in the last place of its neighbours.

        Once of those in the same row, and once of those in all rows of the same array.
        """
        sizes = np.where(np.isfinite(claimed), np.abs(claimed) * self.scale, 0.0)
        rest = np.max(sizes, axis=1, initial=0.0)
        beside = rest.copy()
        if len(rows) == rows.shape[1] == self.y.size:
            for part in self.outputs.parts:
                beside[part] = np.max(rest[part], initial=0.0)
        return 64 * self.unit * np.stack([rest, beside])

    def count(self, verdict: str, n: int = 1) -> None:
        """Add to the number of entries with a verdict."""
        if n:
            self.settings.counts[verdict] = self.settings.counts.get(verdict, 0) + n

    def _after_groups(self, rows: Array, claimed: Array, columns: list[int]) -> list[int]:
        """Try four entries at a time, those of like weight together; return those that have to be tried alone.

        What four do together has to agree as well as if the least of them moved alone, so one that is wrong is seen.
        The errors of two may cancel, but steps are random: to a millionth, once in a million.
        """
        if self.settings.kinks == "forbid" or len(columns) <= ROWS:
            return columns
        weight = np.sum(np.abs(claimed), axis=0) * self.scale
        apart = [j for j in columns if not np.all(claimed[:, j])]
        together = sorted(set(columns) - set(apart), key=lambda j: float(weight[j]))
        steps = 2.0**-18 * self.wider * self.scale * np.abs(self.random(self.x.size))
        with np.errstate(all="ignore"):
            for first in range(0, len(together), 4):
                group = together[first : first + 4]
                u = np.where(np.isin(np.arange(self.x.size), group), steps, 0.0)
                n, terms = combine(rows, numeric.central(self.along(u), 1.0)), claimed[:, group] * u[group]
                if not np.all(np.abs(n - np.sum(terms, axis=1)) <= self.rtol * np.min(np.abs(terms), axis=1)):
                    apart += group
        return sorted(apart)

    def _accept(self, rows: Array, a: Array, line: Any, size: float) -> tuple[bool, float]:
        """Try cheap differences; return whether they agree, and else by how much they are off."""
        off = np.full(len(a), np.inf)
        if self.settings.kinks == "forbid":  # a central difference looks smooth where both sides cancel
            return False, 0.0
        tries = [(numeric.central, 0.5e-5 * size), (numeric.quick, 1e-3 * size), (numeric.quick, 1e-3 * max(size, 1.0))]
        with np.errstate(all="ignore"):
            for last, (difference, h) in enumerate(tries, -2):
                n = combine(rows, difference(line, numeric.power_of_two(h * self.wider)))
                gap = np.where(a == n, 0.0, np.abs(a - n) / np.maximum(np.abs(a), np.abs(n)))
                zero = (a == 0) & (n == 0)
                if last and np.any(zero):  # or does it move, but less than can be seen at a small step?
                    far = combine(rows, line(numeric.power_of_two(0.5 * max(size, 1.0)))[0])
                    gap = np.where(zero & (far != combine(rows, self.y)), np.nan, gap)
                off = np.fmin(off, gap)
                if np.all(off <= self.rtol):
                    return True, 0.0
        return False, float(np.max(off))

    def examine(
        self,
        rows: Array,
        a: Array,
        line: Any,
        size: float,
        j: int | None,
        mode: str,
        *,
        floor: Array | float = 0.0,
        cancelled: Array | float = 0.0,
        rest: Array | float = 0.0,
        far: float = 1.0,
    ) -> list[Entry]:
        """Judge claimed derivatives along a line by ladders; return an entry for each that is not simply right.

        `floor` is how far `a` is off by rounding, `cancelled` the size of the terms of which it is the sum, for a
        direction of many entries, `rest` what rounding in the rule may leave of a zero, and `far` the step that is
        as long as 1.
        """
        with np.errstate(all="ignore"):
            base = self.y
            grain = np.fmax(self.grain, 2 * numeric.noise(line, base, size, self.unit))
            ladder = functools.partial(
                numeric.ladder, line, base, size, grain, unit=self.unit, smallest=self._smallest(rows, a), far=far
            )
            first = reduce(rows, ladder())
            verdicts = self._judge(a, first, floor, cancelled, rest)
            clear = (np.abs(a - first.value) > 1e3 * first.error) & (first.error < 1e-6 * np.abs(first.value))
            if any(v not in ("ok", "kink") and not sure for v, sure in zip(verdicts, clear, strict=True)):
                first = agreed(first, reduce(rows, ladder(phase=0.7)))
                verdicts = self._judge(a, first, floor, cancelled, rest)
            within = first.error < 300 * np.maximum(np.abs(a), np.abs(first.value))
            if any(v == "inconclusive" and w for v, w in zip(verdicts, within, strict=True)):
                value, error = numeric.fitted(line, base, size, self.rng, grain, self.unit)
                first = refined(first, *(total(rows, value), total(np.abs(rows), error)))
                verdicts = self._judge(a, first, floor, cancelled, rest)
        return [self._entry(i, j, rows, a, first, v, mode) for i, v in enumerate(verdicts) if v != "ok"]

    def look_around(self, rows: Array, found: Sequence[Entry], u: Array) -> None:
        """Let a slope pass that is none here, along a line, but one of those that there are all around."""
        for e in found if self.settings.kinks == "subgradient" else ():
            if e.verdict in ("wrong", "inconclusive"):
                sides = ties.slopes_beside(self, rows[e.combination], e.got, u)
                if sides is not None:
                    e.verdict, e.sides = "kink", sides

    def _smallest(self, rows: Array, a: Array) -> Array:
        """Return for every result the smallest slope other than 0 that is claimed of it, or infinity."""
        shares = np.where(rows * a[:, None] != 0, np.abs(a[:, None]) / np.abs(rows), np.inf)
        return np.asarray(np.min(shares, axis=0, initial=np.inf))

    def _judge(
        self, a: Array, s: numeric.Slope, floor: Array | float, cancelled: Array | float, rest: Array | float
    ) -> list[str]:
        floor, cancelled = (np.broadcast_to(b, a.shape) for b in (floor, cancelled))
        rest = np.broadcast_to(rest, (2, *a.shape))
        kinks = self.settings.kinks
        return [
            judge(x, slope, float(floor[i]), float(cancelled[i]), self.rtol, kinks, *rest[:, i].tolist())
            for i, (x, *slope) in enumerate(zip(*map(np.ndarray.tolist, (a, *s)), strict=True))
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
            combination=i,
        )

    def entry_of(self, j: int, got: float, expected: float, error: float) -> Entry:
        """Return an entry for a combination of all results that is known to be wrong."""
        name, at = self.inputs.label(j), float(self.x[j])
        return Entry("wrong", "a combination of results", name, at, got, expected, error, column=j)

    def noise(self) -> Array:
        """Return how far rounding inside the function moves each result, relative to it."""
        found = numeric.noise(self.along(self.direction()), self.y, 1.0, self.unit)
        return found / np.maximum(np.abs(self.y), np.max(np.abs(self.y), initial=np.finfo(float).tiny))

    # --- in projection ------------------------------------------------------------------------------------------------

    def direction(self, columns: Array | None = None) -> Array:
        """Return a random direction in which every entry moves by its own size: each has its relative say."""
        u = self.random(self.x.size) * self.scale * self.known
        if columns is not None:
            u = np.where(np.isin(np.arange(u.size), columns), u, 0.0)
        return u

    def by_projection(self, w: Array, u: Array, claim: Claim, mode: str, terms: float) -> list[Entry]:
        """Compare one number, the derivative of weighted results in a direction: a sum of `terms` of that size."""
        with np.errstate(all="ignore"):
            a = claim(self.xs)
            line = self.along(u)
            tries = ((numeric.central, 2.0**-17), (numeric.quick, 2.0**-10))
            for difference, h in tries if self.settings.kinks != "forbid" else ():
                n = combine(w[None], difference(line, h * self.wider))
                if np.abs(a[0] - n[0]) <= 0.1 * self.rtol * terms:
                    self.count("ok")
                    return []
        far = 1.0 / float(np.max(np.abs(u), initial=TINY))
        last = 8 * SMALLEST * float(np.max(np.abs(u), initial=0.0)) * float(np.sum(np.abs(w)))  # places of subnormals
        floor = self.noise_of(claim, a, terms=terms) + last
        found = self.examine(w[None], a, line, 1.0, None, mode, floor=floor, cancelled=terms, far=far)
        self.look_around(w[None], found, u)
        for entry in found:
            self.count(entry.verdict)
        if not found:
            self.count("ok")
        return found


def _alone(table: Array, terms: float) -> Array:
    """Say where the first number stands apart from all others, which agree: that is no noise, nor what terms leave."""
    if len(table) < 4:
        return np.zeros(table.shape[1:], bool)
    off, spread = np.max(np.abs(table[1:] - table[0]), axis=0), np.ptp(table[1:], axis=0)
    size = np.maximum(
        1e-2 * np.max(np.abs(table), axis=0), 1e-6 * max(terms, float(np.max(np.abs(table), initial=0.0)))
    )
    return np.asarray((off > size) & (spread <= 1e-3 * off))


def _unit(dtype: Any) -> float:
    return float(np.finfo(dtype).eps) if dtype.kind in "fc" else 0.0


def _result_names(n: int) -> list[str]:
    return ["result"] if n == 1 else [f"result[{k}]" for k in range(n)]
