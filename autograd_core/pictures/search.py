"""Search: what somebody asks for in words, and which vertices it names; the same words as in `page_search.js`.

weight          in the name of a thing, of its operation, or of a module around it
(64, 20)        a shape
nan, inf        an entry of the value or of the gradient is not finite
> 1e3, < 1e-6   so large is the largest entry of the value or of the gradient; `gradient > 1` asks for one of them
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable

from .data import Graph, Vertex
from .numbers import Stats, is_broken

COMPARED = re.compile(r"(value|gradient)?\s*(<=|>=|<|>)\s*([-+]?[\d.]+(?:e[-+]?\d+)?)")
SHAPE = re.compile(r"\(\s*(\d+\s*(,\s*\d+\s*)*,?)?\s*\)")
SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def find(graph: Graph, words: str) -> list[Vertex]:
    """Return the vertices that words name, in the order of execution; none for no words."""
    test = matcher(words)
    return [] if test is None else [v for v in graph.vertices if test(v)]


def matcher(words: str) -> Callable[[Vertex], bool] | None:
    """Return the question that is asked of each vertex."""
    asked = words.strip().lower()
    if not asked:
        return None
    if asked in ("nan", "inf", "infinite"):
        return lambda v: is_broken(v.value) or is_broken(v.gradient)
    if compared := COMPARED.fullmatch(asked):
        what, sign, number = compared.groups()
        limit, holds = float(number), SIGNS[sign]
        parts = (what,) if what else ("value", "gradient")
        return lambda v: any(holds(largest(getattr(v, part)), limit) for part in parts)
    if SHAPE.fullmatch(asked):
        shape = tuple(map(int, re.findall(r"\d+", asked)))
        return lambda v: v.shape == shape
    return lambda v: any(asked in text.lower() for text in (v.name, v.op, v.label, *v.path))


def largest(stats: Stats | None) -> float:
    """Return the size of the largest entry; NaN if there is none, or one that is not finite."""
    if stats is None or not isinstance(stats.min, float) or not isinstance(stats.max, float):
        return math.nan
    return max(abs(stats.min), abs(stats.max))
