"""Which values on a tape are still known: what somebody holds, what nodes and notes keep, what follows from those.

A tape keeps only what its pullbacks named, and backward() lets go of that. The rest is computed once more from what is
known, by the same NumPy function on the same arrays, hence with the same bits. Pictures and explanations ask here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .nodes import FREED, PICK, Node
from .notes import Note
from .rules import Op
from .spaces import Space

UNKNOWN: Any = type("Unknown", (), {"__repr__": lambda _: "unknown"})()
NUMBERS = (np.ndarray, np.generic, float, int, complex)
REPEATABLE = (int, float, complex, str, tuple, list, slice, type, type(...), np.ndarray, np.generic, np.dtype)


class Values:
    """The values of the nodes of a path, and of their untracked operands, as far as they can be known.

    `known` is what somebody holds. What follows is computed when it is asked for; by functions of the user's, which may
    do more than compute, only with `own`. At most `limit` entries are computed.
    """

    def __init__(
        self, path: Sequence[Node], known: Iterable[tuple[Node, Any]], own: bool = False, limit: float = math.inf
    ) -> None:
        self.path = path
        self.own = own
        self.limit = limit
        self.of: dict[Node, Any] = dict(known)
        self.never: set[Node] = set()  # those of which it has been found out that nothing tells them
        for node in path:
            self._take(node)

    def _take(self, node: Any) -> None:
        """Note the values that one node keeps, or its note."""
        op, of = node.op, self.of
        if op is None or op is PICK or op.original is PICK:
            return
        noted, ans = getattr(node, "note", None), node.ans
        if noted.__class__ is not Note:
            noted = None
        if ans is None and noted is not None:
            ans = noted.result
        if ans is not None:
            of.setdefault(node, ans)
        if node.__class__ is Node and noted is None:  # most of any tape
            if (p := node.p) is not None and (v := node.a) is not None and p not in of and v.__class__ is not Space:
                of[p] = v
            if (p := node.q) is not None and (v := node.b) is not None and p not in of and v.__class__ is not Space:
                of[p] = v
            return
        for i, p in enumerate(node.parents):
            if p is not None and p not in of and (v := kept_operand(node, i)) is not UNKNOWN:
                of[p] = v

    def operand(self, node: Node, i: int) -> Any:
        """Return the value of an operand, or UNKNOWN."""
        p = node.parents[i]
        return kept_operand(node, i) if p is None else self.value(p)

    def operands(self, node: Node) -> list[Any]:
        """Return the values of all operands."""
        return [] if operation(node) is PICK else [self.operand(node, i) for i in range(len(node.parents))]

    def value(self, node: Node) -> Any:
        """Return the value of a node, or UNKNOWN; computed from what is known if need be, without recursion."""
        of, never = self.of, self.never
        if node in of or node in never:
            return of.get(node, UNKNOWN)
        stack = [node]
        while stack:
            here = stack[-1]
            waiting = [p for p in here.parents if p is not None and p not in of and p not in never]
            if waiting and here not in of and here not in never:
                stack += waiting
                continue
            stack.pop()
            if here not in of and here not in never:
                ans = self._follow(here)
                if ans is UNKNOWN:
                    never.add(here)
                else:
                    of[here] = ans
        return of.get(node, UNKNOWN)

    def _follow(self, node: Any) -> Any:
        """Return the value of a node, of whose operands all is known that can be."""
        op = node.op
        if op is None:
            return UNKNOWN
        if op is PICK:  # one that has been freed has forgotten which result it was
            whole = self.of.get(node.p, UNKNOWN)
            return whole if whole is UNKNOWN else whole[node.a]
        if self.limit <= 0 or not (self.own or op.trusted):
            return UNKNOWN
        with np.errstate(all="ignore"):
            ans = self.computed(node)
        self.limit -= 0 if isinstance(ans, tuple) else int(np.size(ans))
        return ans

    def computed(self, node: Any, aux: bool = False) -> Any:
        """Return the result of a node from its operands, with its by-product if asked, or UNKNOWN."""
        op = operation(node)
        kwargs = {k: v for k, v in node.kwargs.items() if k != "aux"} if op.wide else {}
        if not all(v is None or isinstance(v, REPEATABLE) for v in kwargs.values()):  # FREED; a random generator
            return UNKNOWN
        operands = self.operands(node)
        if any(v is UNKNOWN for v in operands):
            return UNKNOWN
        try:
            ans = op.compute(*operands, **kwargs)
        except Exception:  # a rule whose operation needs more than the rule is told
            return UNKNOWN
        more = None
        if op.aux:
            ans, more = ans
        if isinstance(ans, np.ndarray) and not ans.shape:
            ans = ans[()]
        if not op.outputs and (np.shape(ans) != tuple(node.shape) or ans.dtype != node.dtype):
            return UNKNOWN
        return (ans, more) if aux else ans


def operation(node: Node) -> Op:
    """Return the operation of a node, as it was before the node was freed."""
    op: Op = node.op
    return op.original or op


def is_freed(node: Node) -> bool:
    """Say whether backward() has let go of what a node kept."""
    return node.op is not None and node.op.original is not None


def is_pick(node: Node) -> bool:
    """Say whether a node is one of several results; one that has been freed does not know any more which."""
    op = node.op
    return op is PICK or (op is not None and op.original is PICK)


def note_of(node: Any) -> Note | None:
    """Return what debugging has noted about a node."""
    note = getattr(node, "note", None)
    return note if note.__class__ is Note and note.line is not None else None


def kept_operand(node: Any, i: int) -> Any:
    """Return the value of an operand if its node keeps it, or its note, else UNKNOWN."""
    op = operation(node)
    if op.wide:
        v = node.args[i] if i < len(node.args or ()) else None
    else:
        v = (node.a, node.b)[i] if i < 2 and op is not PICK else None
    if v is None and (note := note_of(node)) is not None and i < len(note.operands):
        v = note.operands[i]
    return v if isinstance(v, NUMBERS) else UNKNOWN


def known_metadata(node: Any) -> dict[str, Any]:
    """Return the metadata that a node still has."""
    return {k: v for k, v in node.kwargs.items() if v is not FREED}
