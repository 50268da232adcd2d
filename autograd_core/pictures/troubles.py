"""What often goes wrong in a network, as seen in the values and gradients of one picture: a sentence for each.

dead        units of a rectifier that are 0 for every observation: no gradient comes to their weights
saturated   most entries of a tanh or sigmoid lie where its slope is next to nothing
vanished    the gradient of one parameter is some 10^-5 of another's
unused      parameters that were named and that no path from the result reaches
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..nodes import Node
from .numbers import norm_of, tell

RECTIFIERS = {"relu", "maximum"}
SLOPES = {"tanh": lambda y: 1 - y * y, "sigmoid": lambda y: 4 * y * (1 - y)}  # relative to the steepest
ROWS = 10  # of fewer observations any unit may be 0 for all
DEAD = 0.2  # a few are dead in every fresh network
FLAT, MOST_OF = 0.02, 0.5  # a slope next to nothing, and the share of entries from which it is worth a sentence
SMALL = 1e-5
LARGEST = 1_000_000  # entries that are looked at
LISTED = 3


def troubles(
    path: Sequence[Node],
    values: Mapping[Node, Any],
    totals: Mapping[Node, Any],
    names: Mapping[Node, str],
    unused: set[Node],
) -> list[str]:
    """Return what is worth a look, in sentences."""
    found = [*_units(path, values, names), *_vanished(totals, names)]
    if unused:
        listed = sorted(names.get(n) or getattr(n, "name", None) or "a parameter" for n in unused)
        found.append(f"No path from the result reaches {_listed(listed)}.")
    return found


def _units(path: Sequence[Node], values: Mapping[Node, Any], names: Mapping[Node, str]) -> list[str]:
    """Return sentences about units that are dead, or saturated."""
    dead, flat, seen = list[str](), list[str](), 0
    for node in path:
        op = node.op
        if op is None or not (op.name in RECTIFIERS or op.name in SLOPES):
            continue
        y = values.get(node)
        if not isinstance(y, np.ndarray) or y.ndim < 2 or y.size < ROWS * max(1, y.shape[-1]):
            continue
        if (seen := seen + y.size) > LARGEST:
            break
        name = names.get(node) or op.name
        if op.name in SLOPES and (share := float(np.mean(np.abs(SLOPES[op.name](y)) < FLAT))) > MOST_OF:
            flat.append(f"{share:.0%} of {name}")
        if op.name in RECTIFIERS and (off := _always_zero(y)) >= DEAD * y.shape[-1]:
            dead.append(f"{off} of {y.shape[-1]} units of {name}")
    found = [f"0 for every observation: {_listed(dead)}."] if dead else []
    return found + ([f"Saturated, with next to no slope: {_listed(flat)}."] if flat else [])


def _always_zero(y: Any) -> int:
    """Return how many units a rectifier leaves 0 in every row; none if it is a maximum of something else."""
    return 0 if np.any(y < 0) else int(np.sum(~np.any(y.reshape(-1, y.shape[-1]) != 0, axis=0)))


def _vanished(totals: Mapping[Node, Any], names: Mapping[Node, str]) -> list[str]:
    """Return a sentence about gradients of parameters that are far apart."""
    sizes = {}
    for node, total in totals.items():
        if node.op is None and node.size > 1 and (size := norm_of(total) / node.size**0.5) > 0:
            sizes[node] = size
    if len(sizes) < 2:
        return []
    low, high = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    if not sizes[low] < SMALL * sizes[high]:
        return []
    a, b = (names.get(n) or getattr(n, "name", None) or "one parameter" for n in (low, high))
    return [f"The gradient of {a} is {tell(sizes[low] / sizes[high])} of that of {b}, entry by entry."]


def _listed(texts: list[str]) -> str:
    more = len(texts) - LISTED
    return ", ".join(texts[:LISTED]) + (f" and {more} more" if more > 0 else "")
