"""What must hold before numbers are compared: the same answer twice, shapes and dtypes, linearity in the cotangent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .pairs import Misshapen
from .programs import Array, Program, Pull


class Refusal(Exception):
    """A program that cannot be checked, or need not be any more: its verdict and a sentence."""

    def __init__(self, verdict: str, message: str) -> None:
        super().__init__(message)
        self.verdict = verdict


Pulled = tuple[list[Array], list[Array | None]]  # cotangents, and the gradients that they gave


def inspect(program: Program, xs: Sequence[Array], rng: np.random.Generator) -> Pulled:
    """Raise a `Refusal` unless the program is one that has gradients; return some."""
    results = _values(program, xs)
    again = _values(program, xs)
    _refuse_change(program)
    _refuse_chance(results, again)
    for k, r in enumerate(results):
        if not np.all(np.isfinite(r)):
            _refuse_input(program, xs)
            where = np.argwhere(~np.isfinite(r))[0].tolist()
            raise Refusal(
                "structure",
                f"the result{f'[{k}]' if len(results) > 1 else ''} is {r[tuple(where)]}"
                f"{f' at index {where}' if where else ''}: the function has no gradient there; check at a point inside "
                "its domain",
            )
    try:
        recorded, pull = program.pull(xs)
    except Misshapen as error:
        raise Refusal("structure", str(error)) from None
    _refuse_change(program, program.differentiates)
    _refuse_other_values(results, recorded)
    pulled = _spaces(program, xs, results, pull, rng)
    program.watched = False
    return pulled


def inspect_again(program: Program, xs: Sequence[Array], before: Pulled) -> None:
    """Raise a `Refusal` if the gradient is another now than it was in the beginning."""
    g, found = before
    for slot, a, b in zip(program.slots, found, _pulled(program.pull(xs)[1], g), strict=True):
        if not _close(a, b):
            raise Refusal("nondeterministic", f"called often, the gradient by {slot.name} becomes another")


def _refuse_input(program: Program, xs: Sequence[Array]) -> None:
    """Raise if values that are not finite come from values that are not."""
    for slot, x in zip(program.slots, xs, strict=True):
        if not np.all(np.isfinite(x)):
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
            raise Refusal("structure", f"{slot.name}{list(at) if at else ''} is {x[at]}: check at finite values")


def _values(program: Program, xs: Sequence[Array]) -> list[Array]:
    results = program.values(xs)
    if not results:
        raise Refusal("structure", "the function returns no floats: there is nothing to differentiate")
    return results


def _refuse_change(program: Program, who: str = "the function") -> None:
    name = program.changed
    if name is not None:
        raise Refusal(
            "structure",
            f"{who} changes {name} in place, so it computes something else the next time: work on a copy, "
            f"{name.partition('[')[0]} = {name.partition('[')[0]}.copy()",
        )


def _refuse_chance(results: Sequence[Array], again: Sequence[Array]) -> None:
    if [r.shape for r in results] != [r.shape for r in again]:
        raise Refusal(
            "structure",
            f"called twice with the same arguments the function returned shapes {[r.shape for r in results]} and "
            f"{[r.shape for r in again]}",
        )
    for k, (a, b) in enumerate(zip(results, again, strict=True)):
        # Bits may differ where memory is aligned otherwise; a random draw differs by more.
        off = np.abs(a - b) > 64 * np.finfo(a.dtype).eps * np.max(np.abs(a), initial=0, where=np.isfinite(a))
        if np.any(off):
            at = tuple(int(i) for i in np.argwhere(off)[0])
            raise Refusal(
                "nondeterministic",
                f"called twice with the same arguments the function returned {a[at]} and {b[at]} in "
                f"result{f'[{k}]' if len(results) > 1 else ''}{list(at) if at else ''}: fix the seed inside it, or "
                "switch dropout off with model.eval()",
            )


def _refuse_other_values(results: Sequence[Array], recorded: Sequence[Array]) -> None:
    if [r.shape for r in results] != [r.shape for r in recorded]:
        raise Refusal("structure", "the function returns other shapes when it is recorded than when it is not")
    for a, b in zip(results, recorded, strict=True):
        if not np.allclose(a, b, rtol=1e3 * np.finfo(a.dtype).eps, atol=0, equal_nan=True):
            scale = np.max(np.abs(a), initial=0)
            if np.max(np.abs(a - b), initial=0) > 1e3 * np.finfo(a.dtype).eps * scale:
                raise Refusal("structure", "the function computes other values when it is recorded than when it is not")


def _spaces(
    program: Program, xs: Sequence[Array], results: Sequence[Array], pull: Pull, rng: np.random.Generator
) -> Pulled:
    """Compare shapes and dtypes of gradients with their variables', and gradients of several cotangents."""
    g = [np.asarray(rng.uniform(0.5, 1.5, r.shape) * rng.choice([-1.0, 1.0], r.shape), r.dtype) for r in results]
    given = [y.copy() for y in g]
    found = _pulled(pull, given)
    if not all(map(np.array_equal, g, given)):
        raise Refusal("structure", "the rule changes its cotangent g in place, which others may need: work on a copy")
    for slot, x, got in zip(program.slots, xs, found, strict=True):
        if got is not None and got.shape != x.shape:
            raise Refusal(
                "structure",
                f"the gradient by {slot.name} has shape {got.shape}, expected {x.shape}"
                + ("; its axes are swapped" if got.shape == x.shape[::-1] else ""),
            )
        if got is not None and got.dtype.newbyteorder("=") != x.dtype:
            raise Refusal("structure", f"the gradient by {slot.name} has dtype {got.dtype}, expected {x.dtype}")
    for slot, a, b in zip(program.slots, found, _pulled(pull, g), strict=True):
        if not _close(a, b):
            raise Refusal("nondeterministic", f"pulled back twice, the gradient by {slot.name} is another")
    for slot, a, b in zip(program.slots, found, _pulled(program.pull(xs)[1], g), strict=True):
        if not _close(a, b):
            raise Refusal("nondeterministic", f"computed twice, the gradient by {slot.name} is another")
    twice = _pulled(pull, [np.asarray(2 * y, y.dtype) for y in g])
    nothing = _pulled(pull, [np.zeros(r.shape, r.dtype) for r in results])
    for slot, a, b, zero in zip(program.slots, found, twice, nothing, strict=True):
        if not _close(None if a is None else a * 2, b):
            raise Refusal(
                "structure",
                f"the gradient by {slot.name} is not linear in the cotangent: twice the cotangent does not give twice "
                "the gradient; the rule ignores g, or uses it more than once",
            )
        if zero is not None and np.any(zero[np.isfinite(zero)] != 0):
            raise Refusal("structure", f"the gradient by {slot.name} of a zero cotangent is not zero")
    return g, found


def _pulled(pull: Pull, g: Sequence[Array]) -> list[Array | None]:
    with np.errstate(all="ignore"):
        return [None if y is None else np.asarray(y) for y in pull(g)]


def _close(a: Array | None, b: Array | None) -> bool:
    """Compare to rounding: a second sweep may add in another order."""
    if a is None or b is None:
        return a is b
    same = (a == b) | ~(np.isfinite(a) & np.isfinite(b))
    scale = float(np.max(np.abs(a), initial=np.finfo(a.dtype).tiny, where=np.isfinite(a)))  # below, digits are lost
    return bool(np.all(same | (np.abs(a - b) <= 64 * float(np.finfo(a.dtype).eps) * scale)))
