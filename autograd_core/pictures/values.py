"""The values of a picture: those of the tape, and of Tensors that are still alive; constants that were recognised."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..nodes import PICK, Leaf, Node
from ..tape_values import UNKNOWN, Values
from ..tensor import Tensor

STEPS = 20  # operations between a supposed result and the next known one
LARGEST = 50_000_000  # entries that are computed once more for a picture


class Shown(Values):
    """The values of a picture: what somebody holds is looked up among the Tensors that are still alive."""

    def __init__(self, path: Sequence[Node], held: Sequence[Any] = ()) -> None:
        self.stale = stale_leaves(path)
        only_numbers = all(n.dtype is np.float64 for n in path)  # the tape keeps them
        found = () if only_numbers else looked_up(path, held)
        super().__init__(path, found, limit=LARGEST)
        if only_numbers and any(n.op is None and n not in self.of for n in path):  # no operation keeps its value
            self.of = dict(looked_up(path, held)) | self.of
        for leaf in self.stale:  # what follows from its new values never was
            self.of.pop(leaf, None)
        self.never.update(self.stale)

    def follow(self) -> None:
        """Compute what is not known from what is."""
        of = self.of
        for node in self.path:
            if node not in of:
                self.value(node)

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


def looked_up(path: Sequence[Node], held: Sequence[Any]) -> Iterator[tuple[Node, Any]]:
    """Yield nodes of a path with the values of Tensors that somebody holds."""
    wanted = set(path)
    return ((t._node, t._data) for t in (*alive(), *held) if t._node in wanted)


def alive() -> list[Any]:
    """Return all Tensors that somebody holds: 3 ms beside a hundred thousand other objects."""
    return [o for o in gc.get_objects() if type(o) is Tensor and hasattr(o, "_node")]  # one may be half made


def stale_leaves(path: Sequence[Node]) -> set[Node]:
    """Return the leaves that were given new values after an operation had used them."""
    first = next((n.seq for n in path if n.op is not None), 0)
    late = {n for n in path if isinstance(n, Leaf) and n.updated > first}
    return {p for n in path if late for p in n.parents if p in late and p.updated > n.seq}
