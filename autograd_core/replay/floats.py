"""Narrow scalar graphs as straight-line Python over floats: a sixth of the time of NumPy's scalars."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .scalars import POW, Graph, NotFinite, apply_effects, load, results
from .writer import compiled

DEPTH = 12  # operations written into one expression: deeper ones take Python's compiler more than linear time


def executor(graph: Graph) -> Callable[..., list[Any]]:
    """Return the function that runs the graph."""
    text, names = written(graph)
    compute = compiled(text, names)

    def replay(*given: Any) -> list[Any]:
        try:
            with np.errstate(all="ignore"):
                values = compute([float(v) for v in load(graph, given)])
        except (ZeroDivisionError, OverflowError, ValueError) as error:  # NumPy's scalars have an answer: ask them
            raise NotFinite from error
        if graph.finite and not math.isfinite(values.pop()):
            raise NotFinite
        values = [np.float64(v) for v in values]
        apply_effects(graph, values)
        return results(graph, values)

    return replay


def written(graph: Graph) -> tuple[str, dict[str, Any]]:
    """Return source of a function from the values of the sources to those of `Graph.wanted`, and the names it uses.

    What is used once stands where it is used.
    """
    n = len(graph.sources)
    names: dict[str, Any] = {"float": float, "abs": abs}
    uses = [0] * (n + len(graph.operations))
    for kernel, operands in graph.operations:
        for o in operands:
            uses[o] += 2 if kernel.repeats else 1
    for k in graph.wanted:
        uses[k] += 2
    text: list[str] = []
    variables = [f"v{k}" for k, (kind, _) in enumerate(graph.sources) if kind != "constant"]
    for kind, what in graph.sources:
        text.append(f"v{len(text)}" if kind != "constant" else _literal(what, names))
    lines = [f"{', '.join(variables)}, = given"] if variables else []
    depth = [0] * len(uses)
    for k, (kernel, operands) in enumerate(graph.operations, n):
        parts = [text[o] for o in operands]
        if kernel is POW and _is_whole(graph, operands[1]):
            made = f"({parts[0]} ** {parts[1]})"
        elif kernel.expression is not None:
            made = kernel.expression.format(*parts)
        else:
            names[f"f{kernel.name}"] = kernel.scalar
            made = f"float(f{kernel.name}({', '.join(parts)}))"
        depth[k] = 1 + max(depth[o] for o in operands)
        if uses[k] == 1 and depth[k] < DEPTH and not graph.finite:
            text.append(made)
        else:
            lines.append(f"v{k} = {made}")
            text.append(f"v{k}")
            depth[k] = 0
    returned = [text[k] for k in graph.wanted]
    if graph.finite:
        lines += ["s = 0.0", *_sums(range(n, len(text)))]
        returned.append("s")
    body = "\n".join(f"    {line}" for line in lines)
    return f"def replay(given):\n{body}\n    return [{', '.join(returned)}]", names


def _is_whole(graph: Graph, k: int) -> bool:
    """Is this a constant exponent from 0 upwards? Then Python's power is C's, as that of NumPy's scalars is."""
    kind, what = graph.sources[k] if k < len(graph.sources) else ("", 0.5)
    return kind == "constant" and what >= 0 and float(what).is_integer()


def _sums(numbers: range) -> list[str]:
    return [f"s += {' + '.join(f'v{k}' for k in numbers[i : i + 20])}" for i in range(0, len(numbers), 20)]


def _literal(x: float, names: dict[str, Any]) -> str:
    """Return source for a constant; a negative one in brackets, since -x ** 2 is -(x ** 2)."""
    if math.isfinite(x):
        return f"({x!r})" if x < 0 or math.copysign(1, x) < 0 else repr(x)
    name = f"c{len(names)}"
    names[name] = x
    return name
