"""A question put to a tape: results, the Tensors asked about, and what is known of the operations between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..nodes import Leaf, Node
from ..sweep import order, refuse_stale
from ..tape_values import UNKNOWN
from ..tensor import Tensor
from ..tree import flatten
from .tape import Tape, bad, copies, first, original
from .trails import Trail
from .words import Explanation, number, quoted


class Case:
    """The results, the Tensors asked about by name, and the tape between them."""

    trail: Trail  # of the backward pass, once it has been walked

    def __init__(self, result: Any, asked: dict[str, Tensor], every: bool) -> None:
        given = flatten(result)[0]
        self.results = [r for r in given if isinstance(r, Tensor) and r._node is not None]
        self.asked = asked
        self.again: Callable[[], Any] | None = None  # how to compute the results anew
        self.own: frozenset[int] = frozenset()  # ids of the Tensors made of plain arguments: those may be shaken
        roots = {r._node: r._data for r in self.results}
        refuse_stale(order(list(roots)), bordered=False)
        values = {t._node: t._data for t in asked.values() if type(t._node) is Leaf}
        self.tape = Tape(list(roots), list(roots.values()), values)
        self.there = set(self.tape.path)
        self.names: dict[Node, str] = {t._node: name for name, t in asked.items() if t._node is not None}
        for node in self.tape.path if every else ():
            if isinstance(node, Leaf) and node not in self.names:
                self.names[node] = node.name or f"leaf {len(self.names) + 1}, of shape {node.shape},"

    def connected(self, node: Node | None) -> bool:
        """Say whether a node stands on the tape of the results."""
        return node is not None and self.tape.twin.get(node, node) in self.there

    # --- what is known of an operation --------------------------------------------------------------------------------

    def spot(self, node: Node) -> tuple[str | None, tuple[str, ...]]:
        """Return the line and the scope of an operation, as far as they were noted."""
        note = self.tape.note(node)
        return getattr(note, "line", None), getattr(note, "scope", ())

    def blame(self, node: Node, kind: str, sentence: str, details: Iterable[str], **more: Any) -> Explanation:
        """Return an explanation that names an operation, where it stood, and first of all details its line."""
        line, scope = self.spot(node)
        details = (*quoted(line), *details)
        return Explanation(kind, sentence, operation=node.op.name, line=line, scope=scope, details=details, **more)

    def operands(self, node: Node, index: tuple[int, ...] | None) -> dict[str, Any]:
        """Return the operands by name: at one entry of the result for an element-wise operation, else whole."""
        found = {}
        for i, v in enumerate(self.tape.operands(node)):
            if v is not UNKNOWN and index is not None and node.op.elementwise and len(index) >= np.ndim(v):
                v = np.asarray(v)[original(index, np.shape(v))].item()
            found[argument(node, i)] = v
        return found

    def result(self, node: Node, index: tuple[int, ...] | None) -> str:
        """Return the result of an operation in words, nothing if it is not known."""
        value = self.tape.value(node)
        if value is UNKNOWN or isinstance(value, tuple | list):
            return ""
        return f", result {number(value if index is None else np.asarray(value)[index])}"

    def entry(self, node: Node, i: int, index: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """Return the entry of the result to which an entry of operand `i` belongs, for an element-wise operation."""
        p = node.parents[i]
        if not node.op.elementwise or index is None or p is None:
            return None
        where = np.zeros(node.shape, bool)
        where[copies(index, p.shape, node.shape)] = True
        if where.sum() == 1:
            return first(where)
        with np.errstate(all="ignore"):  # an entry that was broadcast: find the copy that is to blame
            raw = node.op.pulls[i](self.trail.into[node], node)
        return first(where & bad(np.broadcast_to(getattr(raw, "g", raw), node.shape))) or first(where)


def argument(node: Node, i: int) -> str:
    """Return the name of an argument, as the rule has it."""
    names = node.op.args
    return str(names[i]) if len(names) == len(node.parents) else f"operand {i}"


def listed(operands: dict[str, Any]) -> str:
    """Return operands in words."""
    return ", ".join(f"{k} = {number(v)}" for k, v in operands.items())
