"""Why is it wrong? The program is asked again.

With arrays that lie otherwise in memory; along both triangles of a matrix; and is the derivative one of the plain
differences that somebody may have written in place of it?
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from . import numeric
from .layouts import described, is_plain
from .numeric import Array
from .programs import Program, Slot
from .report import Entry, brief_power

MOST = 1024  # entries of a matrix that are moved one by one
CLOSE = 3e-5  # a derivative off by less, everywhere, is an approximation of the right one

# --- what is asked ----------------------------------------------------------------------------------------------------


def _measured(trial: Any, w: Array, columns: Sequence[int]) -> Array:
    """Return the derivatives of weighted results by some coordinates, by good differences."""
    with np.errstate(all="ignore"):
        steps = [numeric.power_of_two(1e-3 * trial.scale[j] * trial.wider) for j in columns]
        return np.array([w @ numeric.quick(trial.along_entry(j), h) for j, h in zip(columns, steps, strict=True)])


def _claimed(trial: Any, w: Array) -> Array:
    return np.asarray(trial.gradient(trial.program.pull(trial.xs)[1], w))


def _columns(entries: Sequence[Entry], most: int) -> list[int]:
    return sorted({e.column for e in entries if e.column is not None and e.verdict == "wrong"})[:most]


# --- memory -----------------------------------------------------------------------------------------------------------


TINY = np.finfo(float).tiny


def depends_on_layout(trial: Any, wrong: Sequence[Entry]) -> str:
    """Say so if the derivative is right for the same values in other memory."""
    program, columns = trial.program, _columns(wrong, 4)
    if not columns:
        return ""
    w = trial.weights()

    def off() -> float:
        a, n = _claimed(trial, w)[columns], _measured(trial, w, columns)
        size = np.maximum(np.abs(a), np.abs(n))
        return float(np.max(np.abs(a - n) / np.maximum(size, max(1e-4 * np.max(size), TINY))))  # some may be zero

    before = off()
    for changes, words in _other_memory(program):
        with contextlib.suppress(Exception), _in_memory(program, changes):
            if off() < min(1e-6, 1e-2 * before):
                return words
    return ""


def _other_memory(program: Program) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield other forms of memory to try, and what it means if the derivative is right in them."""
    unusual = [s for s in program.slots if not is_plain(s.model)]
    for slots in [*([s] for s in unusual), *([unusual] if len(unusual) > 1 else [])]:
        what = "; ".join(f"{s.name} as it was given ({described(s.model)})" for s in slots)
        names = " and ".join(s.name for s in slots)
        yield (
            {s.name: np.array(s.value, order="C") for s in slots},
            f"it depends on layout: right for a copy of {names} in C order, wrong for {what}; look for "
            'ravel(order="K"), reshape, strides and raw memory',
        )
    for i, k in enumerate(getattr(program, "twins", ())):
        if k < i:
            same = f"{program.slots[k].name} and {program.slots[i].name}"
            yield {"twins": True}, f"it depends on identity: {same} are one array, and for two equal ones it is right"
    for slot in program.slots:
        if slot.value.size > 1:
            other, was = _otherwise(slot), described(slot.model)
            yield (
                {slot.name: other},
                f"it depends on layout: wrong for {slot.name} in {was}, right in other memory ({described(other)})",
            )


def _otherwise(slot: Slot) -> Array:
    if slot.value.ndim > 1 and not slot.value.flags.f_contiguous:
        return np.asfortranarray(slot.value)
    return np.repeat(slot.value, 2, axis=-1)[..., ::2]


@contextlib.contextmanager
def _in_memory(program: Any, changes: dict[str, Any]) -> Iterator[None]:
    before, twins = [s.model for s in program.slots], getattr(program, "twins", None)
    try:
        for s in program.slots:
            s.model = changes.get(s.name, s.model)
        if "twins" in changes:
            program.twins = list(range(len(program.slots)))
        yield
    finally:
        for s, model in zip(program.slots, before, strict=True):
            s.model = model
        if twins is not None:
            program.twins = twins


# --- one triangle -----------------------------------------------------------------------------------------------------


def one_triangle(trial: Any, entries: Sequence[Entry]) -> str:
    """Find the matrices of which only one triangle is read; mark what is wrong by them alone, and return a sentence.

    NumPy's and SciPy's functions of symmetric matrices never look at the other triangle, and their gradients are those
    of symmetric matrices. Both are right, and yet no entry off the diagonal agrees.
    """
    columns = _columns(entries, len(entries))
    sentences = []
    for k, part in enumerate(trial.inputs.parts):
        shape, is_complex = trial.inputs.spaces[k]
        if len(shape) < 2 or shape[-1] != shape[-2] or not 1 < part.stop - part.start <= MOST:
            continue
        if not any(part.start <= j < part.stop for j in columns):
            continue
        w = trial.weights()
        form = (*shape, 2) if is_complex else (*shape, 1)
        claimed = _claimed(trial, w)[part].reshape(form)
        measured = _measured(trial, w, range(part.start, part.stop)).reshape(form)
        if which := _triangle(claimed, measured):
            for e in entries:
                if e.verdict == "wrong" and e.column is not None and part.start <= e.column < part.stop:
                    e.verdict = "triangle"
                    trial.count("wrong", -1)
                    trial.count("triangle")
            sentences.append(_triangle_sentence(trial.inputs.names[k], which, len(shape) > 2, is_complex))
    return "; ".join(sentences)


def _triangle(claimed: Array, measured: Array) -> str:
    """Return which triangle is read, if the one gradient is the other made symmetric."""
    size = float(np.max(np.abs(measured), initial=0.0))

    def turned(g: Array) -> Array:
        return np.asarray(np.array([1.0, -1.0])[: g.shape[-1]] * np.swapaxes(g, -2, -3))  # the conjugate transpose

    def close(a: Array, b: Array) -> bool:
        return bool(np.max(np.abs(a - b)) <= 1e-5 * size)

    if not size or not np.all(np.isfinite(measured)) or not np.all(np.isfinite(claimed)):
        return ""
    if not close(claimed, turned(claimed)) or not close(2 * claimed, measured + turned(measured)):
        return ""
    n = measured.shape[-2]
    lower = np.tril(np.ones((n, n), bool), -1)
    for which, other in (("lower", lower.T), ("upper", lower)):
        if not np.any(measured[..., other, :]) and np.any(measured[..., other.T, :]):
            return which
    return ""


def _triangle_sentence(name: str, which: str, batch: bool, is_complex: bool) -> str:
    a = name if name.isidentifier() else "A"
    turned = f"np.swapaxes({a}, -1, -2)" if batch else f"{a}.T"
    turned += ".conj()" if is_complex else ""
    symmetric = "Hermitian" if is_complex else "symmetric"
    return (
        f"the function reads only the {which} triangle of {name}, and the gradient is that of {symmetric} matrices, "
        f"shared by both triangles: check f(({a} + {turned}) / 2) as a function of {a}, which reads both"
    )


# --- a difference in place of a derivative ----------------------------------------------------------------------------


def _step_rules(x: Array) -> Iterator[tuple[str, Array]]:
    """Yield steps that people take at entries, with their names."""
    sizes = {f"1e-{k}": 10.0**-k for k in range(1, 12)}
    sizes |= {"sqrt(eps)": numeric.EPS**0.5, "cbrt(eps)": numeric.EPS ** (1 / 3)}
    for words, h in sizes.items():
        yield words, h * np.ones(x.shape)
        yield f"{words} * abs(x)", h * np.abs(x)
        yield f"{words} * max(1, abs(x))", h * np.maximum(1, np.abs(x))
        yield f"{words} * (1 + abs(x))", h * (1 + np.abs(x))


def difference_in_disguise(trial: Any, wrong: Sequence[Entry]) -> str:
    """Say which plain difference the claimed derivative is, if it is one."""
    columns = _columns(wrong, 4)
    if not columns or any(not np.isfinite(e.got) or not e.error for e in wrong):
        return ""
    w = trial.weights()
    a, n = _claimed(trial, w)[columns], _measured(trial, w, columns)
    off = np.abs(a - n)
    if np.any(off > 0.1 * np.max(np.abs(n))):
        return ""
    lines, x = [trial.along_entry(j) for j in columns], trial.x[columns]
    base = float(w @ trial.y)
    with np.errstate(all="ignore"):
        for words, steps in _step_rules(x):
            above = np.array([w @ line(h)[0] for line, h in zip(lines, steps, strict=True)])
            if np.all(_matches((above - base) / steps, a, off)):
                return f"a forward difference with the step {words}"
            below = np.array([w @ line(-h)[0] for line, h in zip(lines, steps, strict=True)])
            for kind, found in (("backward", (base - below) / steps), ("central", (above - below) / (2 * steps))):
                if np.all(_matches(found, a, off)):
                    return f"a {kind} difference with the step {words}"
    return ""


def _matches(found: Array, a: Array, off: Array) -> Array:
    return np.asarray(np.abs(found - a) <= 0.03 * off)


def approximate(entries: Sequence[Entry], disguise: str) -> float | None:
    """Return by how much derivatives are off, if that makes them an approximation of the right ones rather than wrong.

    By a difference in disguise small ones may be off by more than by a part of themselves.
    """
    wrong = [e for e in entries if e.verdict in ("wrong", "nonfinite")]
    if not wrong or any(
        e.verdict == "nonfinite" or e.tied or e.sides is not None or not e.error or not np.isfinite(e.expected)
        for e in wrong
    ):
        return None
    gaps = np.array([abs(e.got - e.expected) for e in wrong])
    sizes = np.array([max(abs(e.got), abs(e.expected)) for e in wrong])
    worst = float(np.max(gaps) / np.max(sizes)) if disguise else float(np.max(gaps / sizes))
    return worst if worst <= (1e-2 if disguise else CLOSE) else None


def approximate_cause(worst: float, disguise: str) -> str:
    """Return the probable cause of a derivative that is right to some digits."""
    if disguise:
        return f"the derivative is {disguise}"
    return (
        f"off by {brief_power(worst)} only: a finite difference in place of a derivative, a constant with too few "
        "digits, or a part computed in float32"
    )
