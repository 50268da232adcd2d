"""Local checking: walk the recorded tape and try every operation's rule at the values it was really given.

Each operation is a small program of its own, so the checker that judges a user's function judges it, too. The first one
that is wrong is where a wrong gradient begins, whatever the other thousand do.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nodes import PICK
from ..recording import record1, record2, record_wide
from ..state import switched
from ..sweep import order
from ..tree import flatten
from . import numeric
from .programs import Array, Derivative, Slot, Traced, is_float
from .report import Blame, Entry
from .retrials import difference_in_disguise, one_triangle
from .ties import together
from .trial import Claim, Trial

LIMIT = 5000  # operations; beyond, the first ones
WHOLE = 64  # entries of an operation's operands that are looked at one by one


class Operation(Traced):
    """One recorded operation, as a function of its tracked operands."""

    def __init__(self, node: Any, note: Any) -> None:
        self.node, self.op = node, node.op
        self.name = self.op.name
        self.operands = [
            np.zeros(p.shape, p.dtype) if a is None and p is not None else a  # changed in place: linear in it
            for a, p in zip(note.operands, node.parents, strict=True)
        ]
        names = self.op.args if len(self.op.args) == len(self.operands) else ()
        self.slots = [
            Slot(names[i] if names else f"argument {i}", self.operands[i], i)
            for i, p in enumerate(node.parents)
            if p is not None
        ]

    def trace(self, ts: Sequence[Any]) -> list[Any]:
        """Record the operation again."""
        args = list(self.operands)
        for slot, t in zip(self.slots, ts, strict=True):
            args[slot.place] = t
        op = self.op
        if op.wide:
            kwargs = {k: v for k, v in self.node.kwargs.items() if not (op.aux and k == "aux")}
            out = record_wide(op, tuple(args), kwargs, kwargs)
        else:
            out = record1(op, op.compute, args[0]) if len(args) == 1 else record2(op, op.compute, args[0], args[1])
        return [r for r in flatten(out)[0] if is_float(r)]


def find_wrong(
    program: Traced, xs: Sequence[Array], rng: np.random.Generator, settings: Any, most: int = 1
) -> tuple[list[Blame], bool]:
    """Return the first operations whose rules are wrong, and whether any stands on a kink."""
    depth = 0
    while isinstance(program, Derivative):
        program, depth = program.base, depth + 1
        xs = xs[: len(program.slots)]
    with switched(debug=True):
        _, results = program.recorded(xs)
    roots = [r._node for r in results if getattr(r, "_node", None) is not None]
    nodes = [n for n in order(roots) if n.op is not None and n.op is not PICK]
    found: list[Blame] = []
    kinks = False
    for position, node in enumerate(nodes[:LIMIT], 1):
        note: Any = getattr(node, "note", None)
        if not getattr(note, "operands", ()):
            continue
        trial, entries = check_operation(Operation(node, note), rng, settings, depth)
        kinks = kinks or any(e.verdict == "kink" for e in entries)
        wrong = [e for e in entries if e.verdict in ("wrong", "nonfinite")]
        if wrong:
            operand = wrong[0].input.partition("[")[0]
            disguise = "" if settings.brief or trial is None else difference_in_disguise(trial, wrong)
            found.append(Blame(node.op.name, position, len(nodes), note.line, operand, wrong[0], difference=disguise))
            if len(found) >= most:
                break
    return found, kinks


def check_operation(
    operation: Operation, rng: np.random.Generator, settings: Any, depth: int = 0
) -> tuple[Trial | None, list[Entry]]:
    """Return the trial of one operation, and the entries of its derivative that are not simply right."""
    program: Traced = operation
    try:
        for _ in range(depth):
            results = program.values([s.value for s in program.slots])
            program = Derivative(program, results, rng)
        trial = Trial(program, [s.value for s in program.slots], rng, settings.silent())
        entries = compare(trial, settings.modes, trial.x.size <= WHOLE)
        one_triangle(trial, entries)  # of a matrix that is symmetric here
        return trial, entries
    except (AssertionError, TypeError, ValueError, np.linalg.LinAlgError):  # a checkpoint, or no longer what it was
        return None, []


def compare(trial: Trial, modes: Sequence[str], full: bool) -> list[Entry]:
    """Return the entries of a derivative that are not simply right, in the modes asked for."""
    if not trial.x.size or not trial.y.size:
        return []
    entries: list[Entry] = []
    if "reverse" in modes or not trial.program.can_push:
        entries = _reverse(trial, full) or _additive(trial)
    if "forward" in modes and trial.program.can_push and not any(e.verdict in ("wrong", "nonfinite") for e in entries):
        entries += _forward(trial, full, verified="reverse" in modes)
    return entries


def _reverse(trial: Trial, full: bool) -> list[Entry]:
    if full:
        rows = trial.rows()
        claim = _by_reverse(trial, rows)
        return _with_ties(trial, rows, claim, trial.by_entry(rows, claim, "reverse"))
    entries: list[Entry] = []
    for _ in range(trial.settings.projections):
        w, u = trial.weights(), trial.direction()
        found = _projected(trial, w, u)
        if any(e.verdict in ("wrong", "nonfinite") for e in found):
            return entries + (_located(trial, w) or found)
        entries += found
    rows = trial.weights()[None]
    return _with_ties(trial, rows, _by_reverse(trial, rows), entries, full=False)


def _with_ties(trial: Trial, rows: Array, claim: Claim, entries: list[Entry], full: bool = True) -> list[Entry]:
    """Add what is wrong where tied entries move together, if nothing else is."""
    if any(e.verdict in ("wrong", "nonfinite") for e in entries):
        return entries
    claimed = claim(trial.xs)
    noise = functools.cache(lambda: trial.noise_of(claim, claimed, apart=False))
    kinks = [e.column for e in entries if e.column is not None and e.verdict == "kink"]
    return together(trial, rows, claimed, noise, kinks, full) + entries


def _additive(trial: Trial) -> list[Entry]:
    """Compare the pullback of a sum with the sum of pullbacks: they differ where digits get lost on the way back.

    Differences see a relative error of 1e-6; a rule that rounds to float32 is off by less.
    """
    _, pull = trial.program.pull(trial.xs)
    v, w = trial.weights(), trial.weights()
    a, b = trial.gradient(pull, v), trial.gradient(pull, w)
    rest = (trial.cancelled(v) + trial.cancelled(w)) / trial.scale
    for share in (numeric.GOLDEN, 2**0.5):  # irrational: a sum of two rounded numbers may be a rounded number
        both, parts = trial.gradient(pull, v + share * w), a + share * b
        for part in trial.inputs.parts:
            off = np.abs(both[part] - parts[part])
            largest = np.max(np.abs(a[part]) + np.abs(b[part]), initial=0.0)
            if not np.any(off > 5e6 * trial.unit * largest + rest[part]):
                continue
            if np.max(trial.noise()) > 1e4 * trial.unit:  # the function computes with as few digits
                return []
            j = part.start + int(np.argmax(off))
            trial.count("wrong")
            return [trial.entry_of(j, float(both[j]), float(parts[j]), 0.0)]
    return []


def _by_reverse(trial: Trial, rows: Array) -> Claim:
    """Return the claim of reverse mode about some combinations of results."""

    def claim(xs: Sequence[Array]) -> Array:
        _, pull = trial.program.pull(xs)
        return np.stack([trial.gradient(pull, w) for w in rows])

    return claim


def _projected(trial: Trial, w: Array, u: Array) -> list[Entry]:
    claim = _by_reverse(trial, w[None])
    terms = float(np.sum(np.abs(claim(trial.xs)[0] * u)))
    return trial.by_projection(w, u, lambda xs: claim(xs) @ u, "reverse", terms)


def _located(trial: Trial, w: Array) -> list[Entry]:
    """Halve the entries until those that are wrong stand alone; then do the same with the results."""
    _, pull = trial.program.pull(trial.xs)
    columns = np.flatnonzero(~np.isfinite(trial.gradient(pull, w)))[:8].tolist()
    stack = [] if columns else [np.flatnonzero(trial.known)]
    settings, trial.settings = trial.settings, trial.settings.silent()
    try:
        while stack and len(columns) < 8:
            part = stack.pop()
            if not any(e.verdict == "wrong" for e in _projected(trial, w, trial.direction(part))):
                continue
            if len(part) == 1:
                columns.append(int(part[0]))
            else:
                half = len(part) // 2
                stack += [part[half:], part[:half]]
    finally:
        trial.settings = settings
    if not columns:
        return []
    rows = trial.rows()
    if len(rows) < trial.y.size:
        rows = np.stack([w, *(_unit_row(trial, pull, w, j) for j in columns[:2])])
    found = trial.by_entry(rows, _by_reverse(trial, rows), "reverse", columns)
    return [e for e in found if e.row is not None] or found


def _unit_row(trial: Trial, pull: Any, w: Array, j: int) -> Array:
    """Return the result whose derivative by entry `j` is off most, as weights."""
    part = np.arange(trial.y.size)
    with np.errstate(all="ignore"):
        measured = numeric.quick(trial.along_entry(j), numeric.power_of_two(1e-3 * trial.scale[j]))
    while len(part) > 1:
        halves = part[: len(part) // 2], part[len(part) // 2 :]
        off = []
        for half in halves:
            v = np.where(np.isin(np.arange(w.size), half), w, 0.0)
            off.append(abs(trial.gradient(pull, v)[j] - np.nansum(v * measured)))
        part = halves[int(not off[0] >= off[1])]
    return np.asarray(np.arange(w.size) == part[0], float)


def _by_forward(trial: Trial, rows: Array, columns: Sequence[int]) -> Claim:
    """Return the claim of forward mode, column by column."""

    def claim(xs: Sequence[Array]) -> Array:
        found = np.zeros((len(rows), trial.x.size))
        for j in columns:
            unit = np.zeros(trial.x.size)
            unit[j] = trial.scale[j]
            found[:, j] = rows @ trial.tangent(unit, xs) / trial.scale[j]
        return found

    return claim


def _forward(trial: Trial, full: bool, verified: bool) -> list[Entry]:
    """Check forward mode: against reverse mode, to rounding, where that has been found right; else by differences."""
    if not verified and full:
        rows = trial.rows()
        return trial.by_entry(rows, _by_forward(trial, rows, np.flatnonzero(trial.known).tolist()), "forward")
    entries: list[Entry] = []
    for _ in range(trial.settings.projections):
        w, u = trial.weights(), trial.direction()
        t = trial.tangent(u, trial.xs)
        if not verified:
            claim = lambda xs, w=w, u=u: np.array([w @ trial.tangent(u, xs)])
            entries += trial.by_projection(w, u, claim, "forward", float(np.sum(np.abs(w * t))))
            continue
        g = trial.gradient(trial.program.pull(trial.xs)[1], w)
        with np.errstate(all="ignore"):
            off = abs(float(w @ t) - float(g @ u))
            terms = float(np.sum(np.abs(g * u)) + np.sum(np.abs(w * t)))
        if off > 1e7 * trial.unit * terms + trial.cancelled(w) or (np.isnan(off) and np.all(np.isfinite(g))):
            return _forward_located(trial)
    return entries


def _forward_located(trial: Trial) -> list[Entry]:
    """Compare forward mode with differences where it disagrees with reverse mode."""
    rows, columns = trial.rows(), np.flatnonzero(trial.known)[:2000].tolist()
    claimed, forward = _by_reverse(trial, rows)(trial.xs), _by_forward(trial, rows, columns)
    pushed = forward(trial.xs)
    with np.errstate(all="ignore"):
        off = np.max(np.abs(pushed - claimed) / (np.abs(pushed) + np.abs(claimed)), axis=0)
    wrong = [j for j in columns if not off[j] <= 1e-8]
    return trial.by_entry(rows, _by_forward(trial, rows, wrong), "forward", wrong)
