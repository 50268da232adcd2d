"""Which way to run a scalar graph: `levels` for a wide one, `floats` for a narrow one, such as a chain.

An operation on arrays costs as much as some eighty on floats, and an entry of one a third of that on a float.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import floats, levels, scalars
from .plan import Plan

OPERATION, ELEMENT, FLOAT = 3.0, 0.012, 0.04  # microseconds: an array operation, an entry of one, a float's operation


def executor(plan: Plan) -> Callable[..., list[Any]] | None:
    """Return a function that runs a scalar plan, in the way that its width suggests; None for other plans."""
    graph = scalars.read(plan)
    if graph is None or (n := graph.size) < 2:
        return None
    levelled = levels.level(graph)
    passes = sum(min(operands, 3) for _, _, operands in levelled.members)
    wide = OPERATION * passes + ELEMENT * n < FLOAT * n
    plan.notes["scalars"] = f"{n} operations, in {len(levelled.members)} array operations" if wide else f"{n} on floats"
    return levels.executor(graph, levels.schedule(graph, levelled)) if wide else floats.executor(graph)
