"""Narrow scalar graphs as straight-line Python over floats: a sixth of the time of NumPy's scalars."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .scalars import Graph, replaying
from .writer import compiled

DEPTH = 12  # operations written into one expression: deeper ones take Python's compiler more than linear time


def executor(graph: Graph) -> Callable[..., list[Any]]:
    """Return the function that runs the graph."""
    compute = compiled(*written(graph))
    float64 = np.float64

    def numbers(given: list[Any]) -> list[Any]:
        return [float64(v) for v in compute([float(v) for v in given])]

    return replaying(graph, numbers)


def written(graph: Graph) -> tuple[str, dict[str, Any]]:
    """Return source of a function, as `replaying` asks for one, and the names it uses.

    What is used once stands where it is used.
    """
    n, ends = len(graph.sources), graph.ends
    names: dict[str, Any] = {"float": float, "abs": abs}
    uses = [0] * (len(graph.operations) + n)
    for kernel, operands in filter(None, graph.operations):
        for o in operands:
            uses[o] += 2 if kernel.repeats else 1
    for k in (*graph.wanted, *ends):
        uses[k] += 2
    text = [""] * len(uses)
    for k, (kind, what) in enumerate(graph.sources, 1):
        text[-k] = f"x{k}" if kind != "constant" else _literal(what, names)
    given = [f"x{k}" for k, (kind, _) in enumerate(graph.sources, 1) if kind != "constant"]
    lines = [f"[{', '.join(given)}] = given"]
    depth = [0] * len(uses)
    for k, made in enumerate(graph.operations):
        if made is None:
            continue
        kernel, operands = made
        written = _call(kernel, [text[o] for o in operands], names)
        depth[k] = 1 + max([depth[o] for o in operands])
        if uses[k] == 1 and depth[k] < DEPTH:
            text[k] = written
        else:
            lines.append(f"v{k} = {written}")
            text[k] = f"v{k}"
            depth[k] = 0
    terms = [text[k] for k in sorted(ends)]
    lines += ["s = 0.0", *[f"s += {' + '.join(terms[i : i + 20])}" for i in range(0, len(terms), 20)]]
    body = "\n".join(f"    {line}" for line in lines)
    return f"def replay(given):\n{body}\n    return [{', '.join([*[text[k] for k in graph.wanted], 's'])}]", names


def _call(kernel: Any, operands: list[str], names: dict[str, Any]) -> str:
    """Return source for an operation."""
    name = f"f_{kernel.name}"
    if not kernel.expression:
        names[name] = kernel.scalar
        return f"float({name}({', '.join(operands)}))"
    if "{f}" in kernel.expression:
        names[name] = kernel.scalar
    found: str = kernel.expression.format(*operands, f=name)
    return found


def _literal(x: float, names: dict[str, Any]) -> str:
    """Return source for a constant; a negative one in brackets, to be on the safe side of Python's precedence."""
    if math.isfinite(x):
        return f"({x!r})" if math.copysign(1, x) < 0 else repr(x)
    name = f"c{len(names)}"
    names[name] = x
    return name
