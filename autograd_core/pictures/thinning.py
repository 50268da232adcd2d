"""Long repeats, found on the tape: of 10^6 equal blocks a picture needs the first, the last, and how many there are.

A vertex with all that is shown of it takes 15 us to make and to fold, a look at its node 2. So where equal blocks would
be folded anyway, only those at both ends become vertices, and the fold says how many more there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nodes import Node
from ..notes import NOTHING
from ..tape_values import UNKNOWN, Values, kept_operand
from .modules import best_period

LONG = 20_000  # nodes from which a path is looked at
KEPT = 2_000  # nodes that stay at each end of a repeat
ROUNDS = 4  # repeats of different lengths that are looked for
NEAR = 3  # nodes between a leaf and its use, if it belongs to one block


class Thinned:
    """A path without the middle of its long repeats.

    Attributes
    ----------
    path : list of Node
    twins : dict of Node to Node
        For what is left out and used by what is not: the same in a block before.
    gaps : list of (list of Node, list of Node, int)
        What is left out, the block behind it, and how many blocks it is.
    """

    def __init__(self, path: Sequence[Node], values: Values, inputs: set[Node], special: set[Node]) -> None:
        self.path = list(path)
        self.values = values
        self.inputs = inputs
        self.special = special  # nodes that are equal to none; and what is kept of repeats, not to be looked at again
        self.twins: dict[Node, Node] = {}
        self.gaps: list[tuple[list[Node], list[Node], int]] = []
        for _ in range(ROUNDS):
            if len(self.path) < LONG or not self.cut():
                break

    def cut(self) -> bool:
        """Leave out the middle of the repeats of one period; say whether there were any."""
        path = self.path
        looks, sources, targets = self.compared()
        found = best_period(looks)
        if found is None:
            return False
        period, runs = found
        copies = max(2, KEPT // period)
        left: list[tuple[int, int]] = []
        for start, length in runs:
            more = length // period + 1 - 2 * copies
            first, last = start + copies * period, start + (copies + more) * period
            inside = (first <= sources) & (sources < last)
            if more > copies and not (inside & ((targets < first) | (targets >= last + copies * period))).any():
                left.append((first, last))
        for first, last in left:
            self.gaps.append((path[first:last], path[last : last + period], (last - first) // period))
            for j in range(last - copies * period, last):
                self.twins[path[j]] = path[j - (last - first)]
            self.special.update(path[first - copies * period : first], path[last : last + copies * period])
        kept, at = list[Node](), 0
        for first, last in left:
            kept += path[at:first]
            at = last
        self.path = kept + path[at:]
        return bool(left)

    def compared(self) -> tuple[Any, Any, Any]:
        """Return a number for each node, equal where nodes and their operands look the same; the ends of all edges."""
        index = {node: i for i, node in enumerate(self.path)}
        special, seen = self.special, dict[Any, int]()
        looks, sources, targets = [], list[int](), list[int]()
        for i, node in enumerate(self.path):
            operands: list[Any] = []
            op, narrow = node.op, node.__class__ is Node
            for k, p in enumerate((node.p, node.q)[: len(op.args)] if narrow and op is not None else node.parents):
                if p is None:
                    operands.append(literal(node, k, self.values))
                    continue
                j = index[p] if p in index else index[self.twins[p]]
                sources.append(j)
                targets.append(i)
                shared = (p.op is None and i - j > NEAR) or p in self.inputs
                operands.append(~j if shared else i - j)
            note = getattr(node, "note", NOTHING)
            name: Any = node if note.name or node in special else None
            more = None if narrow or op is None else metadata(node)
            look = op, node.shape, node.dtype, note.scope, name, more, *operands
            looks.append(seen.setdefault(look, len(seen)))
        return np.array(looks, np.int64), np.array(sources, np.int64), np.array(targets, np.int64)


def literal(node: Node, k: int, values: Values) -> Any:
    """Return what tells an untracked operand from others: a number itself, of an array of more entries the identity."""
    value = kept_operand(node, k)
    if value is UNKNOWN:  # a sum does not keep it, but its result and its other operand may be known
        ans, other = values.of.get(node), values.operand(node, 1 - k) if len(node.parents) == 2 else UNKNOWN
        known = isinstance(ans, float) and isinstance(other, float)
        return f"{ans - other:.9g}" if known else node
    if isinstance(value, np.ndarray | np.generic) and value.size == 1:
        return value.item(), value.shape
    return value if isinstance(value, float | int) else id(value)


def metadata(node: Node) -> Any:
    """Return the keywords of an operation, as far as they can be compared; else what is equal to itself only."""
    try:
        key = tuple(sorted(node.kwargs.items()))  # type: ignore[attr-defined]
        hash(key)
    except TypeError:
        return node
    return key
