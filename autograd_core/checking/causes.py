"""From the pattern of wrong entries to the mistake that makes such patterns."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from .report import Entry, Report

Array = np.ndarray[Any, Any]


def likely(report: Report, sizes: dict[str, int], got: Array | None = None, expected: Array | None = None) -> str:
    """Return a likely cause, or nothing.

    Parameters
    ----------
    report : Report
    sizes : dict
        Number of entries of every input, by name.
    got, expected : array, optional
        The same gradient of one array, claimed and measured, if its shape is known.
    """
    wrong = report.wrong
    if not wrong:
        return ""
    if all(e.verdict == "nonfinite" for e in wrong):
        return _not_finite(wrong)
    wrong = [e for e in wrong if e.verdict == "wrong" and math.isfinite(e.expected)]
    if not wrong:
        return ""
    if any(e.tied for e in wrong):
        return (
            "the shares of entries that tie do not add up: each may take any part, but where they move together the "
            "function has one slope only"
        )
    if any(e.sides is not None for e in wrong):
        outside = any(e.sides and not min(e.sides) <= e.got <= max(e.sides) for e in wrong)
        return "the point is on a kink" + ", and what was got lies outside the slopes of its two sides" * outside
    return (
        _everywhere(wrong, report)
        or _ratio(wrong, sizes)
        or _arrangement(got, expected)
        or _alone(wrong, report)
        or _digits(wrong)
    )


def _not_finite(wrong: list[Entry]) -> str:
    kind = "NaN" if any(math.isnan(e.got) for e in wrong) else "infinite"
    if all(math.isfinite(e.expected) and e.error < 1e-3 * abs(e.expected) for e in wrong):
        return (
            f"the gradient is {kind} where the function has a finite slope: 0 * inf or 0 / 0 inside a rule; "
            "treat the singular point by itself, or select with np.where before the singular function"
        )
    return f"the gradient is {kind} at the edge of the function's domain: check at a point inside it"


def _everywhere(wrong: list[Entry], report: Report) -> str:
    if all(e.got == 0 for e in wrong):
        if report.detached and all(e.input.partition("[")[0] in report.detached for e in wrong if e.column is not None):
            names = ", ".join(report.detached)
            return (
                f"nothing flows back to {names}: it reaches the result by a way that is not recorded "
                "(.data, .item(), .detach(), stop_gradient, a constant computed beforehand)"
            )
        return "the gradient is zero where the function is not flat: a term or a whole path is missing"
    return ""


def _ratio(wrong: list[Entry], sizes: dict[str, int]) -> str:
    ratios = np.array([e.ratio for e in wrong])
    if not np.all(np.isfinite(ratios)) or not np.any(ratios):
        return ""
    r = float(ratios[0])
    if len(wrong) < 2 and max(sizes.values(), default=1) > 1:
        return ""
    if np.ptp(ratios) > 1e-3 * min(abs(r), abs(r - 1)):
        signs = np.all(np.abs(np.abs(ratios) - 1) < 1e-4) and np.any(ratios < 0)
        return "the sign is wrong in some entries" if signs else ""
    for value, what in NAMED:
        if abs(r - value) < 1e-4 * abs(value):
            return f"a constant factor: {what}"
    for name, n in sizes.items():
        for value, what in ((n, "a sum where a mean is meant"), (1 / n, "a mean where a sum is meant")):
            if n > 1 and abs(r - value) < 1e-4 * abs(value):
                return f"a constant factor {_fraction(r)}, the number of entries of {name}: {what}"
    return f"a constant factor {_fraction(r)} in every wrong entry: a factor of the chain rule is missing or too many"


NAMED = (
    (-1.0, "the sign is wrong"),
    (2.0, "twice what it should be; a contribution counted twice, or a missing 1/2"),
    (0.5, "half of what it should be; a missing 2, or one of two equal contributions lost"),
    (math.pi / 180, "degrees where radians are meant"),
    (180 / math.pi, "radians where degrees are meant"),
    (math.log(10), "a logarithm of another base"),
    (1 / math.log(10), "a logarithm of another base"),
    (math.log(2), "a logarithm of another base"),
    (1 / math.log(2), "a logarithm of another base"),
)


def _fraction(r: float) -> str:
    for n in range(2, 1001):
        if abs(r * n - 1) < 1e-6:
            return f"1/{n}"
    return f"{r:.6g}"


def _arrangement(got: Array | None, expected: Array | None) -> str:
    """Say whether one gradient is a rearrangement of the other."""

    def close(a: Array, b: Array) -> bool:
        return a.shape == b.shape and np.allclose(a, b, rtol=1e-5, atol=1e-6 * float(np.max(np.abs(b))))

    if got is None or expected is None or got.size < 2 or not np.all(np.isfinite(got)) or close(got, expected):
        return ""
    for axes in itertools.permutations(range(got.ndim)) if 2 <= got.ndim <= 4 else ():
        if axes != tuple(range(got.ndim)) and close(np.transpose(got, axes), expected):
            which = "" if got.ndim == 2 else f", axes {axes}"
            return f"it is the right one transposed, its transpose{which}: axes or operands swapped"
    for axis in range(got.ndim):
        if got.shape[axis] > 1 and close(np.flip(got, axis), expected):
            return f"it is the right one reversed along axis {axis}"
        for shift in range(1, min(got.shape[axis], 9)):
            if close(np.roll(got, shift, axis), expected):
                return f"it is the right one shifted by {shift} along axis {axis}: an index is off"
        total = np.broadcast_to(np.sum(expected, axis, keepdims=True), got.shape)
        if got.shape[axis] > 1 and close(got, total):
            return f"it holds sums over axis {axis}: a sum too many"
    if close(np.sort(got, axis=None), np.sort(expected, axis=None)):
        return "the right numbers stand in the wrong places: an order or a permutation"
    return ""


def _alone(wrong: list[Entry], report: Report) -> str:
    (e, *more) = wrong
    seen = abs(e.got - e.expected) > 1e-6 * abs(e.expected)  # less is found by comparing sums, not entries
    if report.full and not more and seen and report.size > 1:
        return "one entry only: an index, an edge, or a contribution lost where an entry is used more than once"
    return ""


def _digits(wrong: list[Entry]) -> str:
    off = max(abs(e.got - e.expected) / max(abs(e.got), abs(e.expected)) for e in wrong)
    return f"off by {off:.1g} only: a constant with too few digits, or a part computed in float32" if off < 3e-4 else ""
