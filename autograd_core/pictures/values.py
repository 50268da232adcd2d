"""Which values of a recorded program are still known: what pullbacks keep, what somebody holds, what follows.

A tape keeps only what its pullbacks named. The rest is looked up in Tensors that are still alive, or computed once more
from what is known, by the same NumPy function on the same arrays, hence with the same bits.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nodes import PICK, Leaf, Node
from ..rules import Op
from ..spaces import Space
from ..tensor import Tensor

UNKNOWN = object()
HARMLESS = (int, float, complex, str, tuple, list, slice, type, type(...), np.ndarray, np.generic, np.dtype)
STEPS = 20  # operations between a supposed result and the next known one
LARGEST = 50_000_000  # entries that are computed once more for a picture


class Values:
    """What is known about the nodes of a path, and about their untracked operands."""

    def __init__(self, path: Sequence[Node], held: Sequence[Any] = ()) -> None:
        self.path = path
        self.of: dict[Node, Any] = {}
        self.stale = stale_leaves(path)
        wanted = set(path)
        only_numbers = all_scalars(path)
        if not only_numbers:
            self._look_up((*held, *alive()), wanted)
        for node in path:
            self._kept(node)
        if only_numbers and any(n.op is None and n not in self.of for n in path):  # no operation keeps its value
            self._look_up((*held, *alive()), wanted)
        for leaf in self.stale:  # what follows from its new values never was
            self.of.pop(leaf, None)

    def _look_up(self, tensors: Sequence[Any], wanted: set[Node]) -> None:
        """Note the values of Tensors that somebody holds."""
        for t in tensors:
            if t._node in wanted:
                self.of.setdefault(t._node, t._data)

    def _kept(self, node: Node) -> None:
        """Note the values that one node keeps."""
        op, of = node.op, self.of
        if op is None:
            return
        if op is PICK:
            results = of.get(node.p)
            if results is not None:
                of.setdefault(node, results[node.a])
            return
        if node.ans is not None:
            of.setdefault(node, node.ans)
        if node.__class__ is Node:
            for p, v in ((node.p, node.a), (node.q, node.b)):
                if p is not None and p not in of and v is not None and v.__class__ is not Space:
                    of[p] = v
            return
        for i, p in enumerate(node.parents):
            if p is not None and p not in of and (v := kept_operand(node, i)) is not UNKNOWN:
                of[p] = v

    def operand(self, node: Node, i: int) -> Any:
        """Return the value of an operand, or UNKNOWN."""
        p = node.parents[i]
        return kept_operand(node, i) if p is None else self.of.get(p, UNKNOWN)

    def follow(self) -> None:
        """Compute what is not known from what is; nothing of a user's own, which may do more than compute."""
        spent = 0
        with np.errstate(all="ignore"):
            for node in self.path:
                if node.op is None or node in self.of:
                    continue
                if node.op is PICK:
                    self._kept(node)
                    continue
                if node.op.trusted and spent < LARGEST:
                    ans = self.computed(node)
                    if ans is not UNKNOWN:
                        self.of[node] = ans
                        spent += 0 if isinstance(ans, tuple) else int(np.size(ans))

    def computed(self, node: Any, aux: bool = False) -> Any:
        """Return the result of a node from its operands, with its by-product if asked, or UNKNOWN."""
        operands = [self.operand(node, i) for i in range(len(node.parents))]
        op = self.rule(node)
        if any(v is UNKNOWN for v in operands):
            return UNKNOWN
        kwargs = {k: v for k, v in node.kwargs.items() if k != "aux"} if node.op.wide else {}
        if not all(v is None or isinstance(v, HARMLESS) for v in kwargs.values()):  # a random generator, for one
            return UNKNOWN
        try:
            ans = op.compute(*operands, **kwargs)
        except Exception:  # metadata that has been freed, for example
            return UNKNOWN
        more = None
        if op.aux:
            ans, more = ans
        if isinstance(ans, np.ndarray) and not ans.shape:
            ans = ans[()]
        if not op.outputs and (np.shape(ans) != tuple(node.shape) or ans.dtype != node.dtype):
            return UNKNOWN
        return (ans, more) if aux else ans

    def confirmed(self, node: Node, ans: Any) -> bool:
        """Say whether a supposed result leads, to the bit, to the next that is known; then keep what lies between."""
        supposed: list[Node] = []
        found = False
        with np.errstate(all="ignore"):
            while len(supposed) < STEPS and np.shape(ans) == tuple(node.shape):
                supposed.append(node)
                self.of[node] = ans
                users = self.users.get(node, ())
                if len(users) != 1 or not users[0].op.trusted or users[0].op is PICK:
                    break
                node, known = users[0], self.of.get(users[0])
                ans = self.computed(node)
                if ans is UNKNOWN or known is not None:
                    found = (
                        known is not None and ans is not UNKNOWN and bool(np.any(known)) and np.array_equal(ans, known)
                    )
                    break
        for n in () if found else supposed:
            del self.of[n]
        return found

    @functools.cached_property
    def users(self) -> dict[Node, list[Node]]:
        """Return which operations of the path use each node."""
        found: dict[Node, list[Node]] = {}
        for node in self.path:
            for p in node.parents:
                if p is not None:
                    found.setdefault(p, []).append(node)
        return found

    def rule(self, node: Node) -> Op:
        """Return the operation of a node, as it was before the node was freed."""
        op: Op = node.op
        return op.original or op


def all_scalars(path: Sequence[Node]) -> bool:
    """Say whether the tape keeps every value anyway."""
    return all(n.dtype is np.float64 for n in path)


def alive() -> list[Any]:
    """Return all Tensors that somebody holds: 3 ms beside a hundred thousand other objects."""
    return [o for o in gc.get_objects() if type(o) is Tensor and hasattr(o, "_node")]  # one may be half made


def stale_leaves(path: Sequence[Node]) -> set[Node]:
    """Return the leaves that were given new values after an operation had used them."""
    first = next((n.seq for n in path if n.op is not None), 0)
    late = {n for n in path if isinstance(n, Leaf) and n.updated > first}
    return {p for n in path if late for p in n.parents if p in late and p.updated > n.seq}


def kept_operand(node: Any, i: int) -> Any:
    """Return the value of an operand if its node keeps it, else UNKNOWN."""
    op = node.op
    if op.wide:
        v = node.args[i] if i < len(node.args or ()) else None
    else:
        v = (node.a, node.b)[i] if i < 2 and op is not PICK else None
    return UNKNOWN if v is None or isinstance(v, Space) else v


def is_freed(op: Any) -> bool:
    """Say whether an operation is the twin that stands where backward() has let go of kept values."""
    return op is not None and op.original is not None
