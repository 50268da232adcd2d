"""Formulas in the names of what a vertex is made of, written when it is shown: most of a large graph never is."""

from __future__ import annotations

import re
from typing import NamedTuple

from .data import Graph, Vertex
from .formulas import in_names, power_pull, pull_formulas
from .symbols import HOLE, formula_of

UNTRACKED = "not tracked"
LETTER = re.compile("[^\\W\\d_][\u0300-\u036f]?_?\\d{0,2}'*")  # x, W1, ŷ
LOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class Written(NamedTuple):
    """What a rule says, without its functions: for pictures that are pickled."""

    args: tuple[str, ...]
    formulas: tuple[str, ...]


def raw_pulls(v: Vertex) -> tuple[str, ...]:
    """Return the formulas of a vertex's rule, in letters."""
    return pull_formulas(v.rule, len(v.operands), v.metadata.get("reduction", "mean") == "mean")


def write_rules(graph: Graph) -> None:
    """Put what the rules say in their places."""
    for v in graph.vertices:
        if v.rule is not None and not isinstance(v.rule, Written):
            v.rule = Written(v.rule.args, raw_pulls(v))


def operand_names(graph: Graph, v: Vertex) -> list[str]:
    """Return how the operands of a vertex are called."""
    return [graph.vertices[o].name or HOLE if isinstance(o, int) else o or HOLE for o in v.operands]


def formula(graph: Graph, v: Vertex) -> str:
    """Return how a vertex is computed."""
    if v.role not in ("operation", "failed"):
        return ""
    made = formula_of(v.op, operand_names(graph, v), v.metadata)
    return f"{v.name} = {made}" if v.name else made


def pulls(graph: Graph, v: Vertex) -> tuple[str, ...]:
    """Return what each operand of a vertex receives on the way back, "" for one that has no gradient."""
    if v.rule is None:
        return ()
    names = operand_names(graph, v)
    letters = dict(zip(v.rule.args, names, strict=False)) | {"v": v.name}
    letters = {k: lowered(n) for k, n in letters.items() if len(k) == 1 and (LETTER.fullmatch(n) or n[:1].isdigit())}
    found = v.rule.formulas if isinstance(v.rule, Written) else raw_pulls(v)
    if v.op in ("power", "float_power") and isinstance(v.operands[1], str):
        found = (power_pull(v.operands[1]), "")
    return tuple(in_names(f, letters) if tracked(graph, o) else "" for f, o in zip(found, v.operands, strict=True))


def tracked(graph: Graph, o: int | str | None) -> bool:
    """Say whether an operand is a vertex that can have a gradient."""
    return isinstance(o, int) and graph.vertices[o].why_none != UNTRACKED


def lowered(name: str) -> str:
    """Return W1 as it is written in a formula."""
    return name[0] + name[1:].replace("_", "").translate(LOW) if LETTER.fullmatch(name) else name
