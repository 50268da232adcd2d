"""What can be known about the values on a tape: what debugging noted, what pullbacks kept, what follows from those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..nodes import PICK, Leaf, Node, Wide
from ..sweep import order

UNKNOWN: Any = type("Unknown", (), {"__repr__": lambda _: "unknown"})()


class Tape:
    """The nodes below some roots, with what was freed put back from the notes, and their values as far as known."""

    def __init__(self, roots: Sequence[Node], results: Sequence[Any], leaves: Mapping[Any, Any]) -> None:
        path = order(list(roots))
        self.freed = [n for n in path if _is_freed(n)]
        self.twin: dict[Node, Node] = _restored(path) if self.freed else {}
        self.roots = [self.twin.get(n, n) for n in roots]
        self.path = [self.twin.get(n, n) for n in path]
        self.lost = [n for n in self.path if _is_freed(n)]
        self.values: dict[Node, Any] = {}
        for node in reversed(self.path):
            for p, value in zip(node.parents, self._kept(node), strict=False):
                if p is not None and value is not UNKNOWN:
                    self.values.setdefault(p, value)
            noted = getattr(self.note(node), "result", None)
            if noted is not None:
                self.values[node] = noted
            elif node.op is not None and node.ans is not None and not node.op.outputs:
                self.values.setdefault(node, node.ans)
        self.values.update(zip(self.roots, results, strict=True))
        there = set(self.path)
        self.values.update((n, v) for n, v in leaves.items() if n in there)

    def _kept(self, node: Node) -> list[Any]:
        """Return the values of the operands that the node itself, or its note, holds."""
        if node.op is None or node.op is PICK:
            return []
        noted = getattr(self.note(node), "operands", ())
        kept = (node.args if isinstance(node, Wide) else (node.a, node.b))[: max(1, len(node.parents))]
        kept = (*kept, *(None,) * (len(node.parents) - len(kept)))
        found = [n if k is None else k for k, n in zip(kept, noted, strict=False)] if noted else list(kept)
        return [v if isinstance(v, np.ndarray | np.generic | float | int | complex) else UNKNOWN for v in found]

    def operands(self, node: Node) -> list[Any]:
        """Return the values of the operands, UNKNOWN where nothing tells them."""
        if node.op is PICK:
            return []
        return [
            self.value(p) if v is UNKNOWN and p is not None else v
            for p, v in zip(node.parents, self._kept(node), strict=False)
        ]

    def value(self, node: Node) -> Any:
        """Return the value of a node; computed again from its operands if need be, without recursion."""
        stack = [node]
        while stack:
            here = stack[-1]
            if here in self.values:
                stack.pop()
                continue
            waiting = [
                p
                for p, v in zip(here.parents, self._kept(here) or [UNKNOWN], strict=False)
                if p is not None and v is UNKNOWN and p not in self.values
            ]
            if waiting:
                stack += waiting
                continue
            self.values[here] = self._compute(here)
            stack.pop()
        return self.values[node]

    def _compute(self, node: Node) -> Any:
        op = node.op
        if op is None or _is_freed(node):
            return UNKNOWN
        if op is PICK:
            whole = self.values[node.p]
            return UNKNOWN if whole is UNKNOWN else whole[node.a]
        operands = self.operands(node)
        if len(operands) != len(node.parents) or any(v is UNKNOWN for v in operands):
            return UNKNOWN
        kwargs = {k: v for k, v in (node.kwargs if isinstance(node, Wide) else {}).items() if k != "aux"}
        try:
            with np.errstate(all="ignore"):
                ans = op.compute(*operands, **kwargs)
        except Exception:  # a rule whose operation needs more than the rule is told: its value stays unknown
            return UNKNOWN
        return ans[0] if op.aux else ans

    def note(self, node: Node) -> Any:
        """Return what was noted about a node: an object with `line`, `scope` and more, or None."""
        return getattr(node, "note", None)


def _is_freed(node: Node) -> bool:
    return node.op is not None and node.op.original is not None


def _restored(path: list[Node]) -> dict[Node, Node]:
    """Return twins of the nodes of a freed graph that have what they had kept, from the notes made under debug."""
    twin: dict[Node, Node] = {}
    for node in path:
        kept = getattr(getattr(node, "note", None), "kept", ())
        if isinstance(node, Leaf):
            continue
        parents = tuple(None if p is None else twin.get(p, p) for p in node.parents)
        op, *values = kept if _is_freed(node) and kept else (node.op,)
        if isinstance(node, Wide):
            args, ans, kwargs = values or [node.args, node.ans, node.kwargs]
            again: Node = Wide(op, node.seq, node.shape, node.dtype, parents, args, ans, kwargs)
        else:
            a, b, ans = values or [node.a, node.b, node.ans]
            p, q = twin.get(node.p, node.p), twin.get(node.q, node.q)
            again = Node(op, node.seq, node.shape, node.dtype, p, q, a, b, ans)
        if hasattr(node, "note"):
            again.note = node.note  # type: ignore[attr-defined]
        twin[node] = again
    return twin


def first(mask: Any) -> tuple[int, ...] | None:
    """Return the index of the first True."""
    mask = np.asarray(mask)
    return tuple(int(i) for i in np.argwhere(mask)[0]) if mask.any() else None


def bad(value: Any) -> Any:
    """Return where a value is NaN or infinite; numbers that are not floats are neither."""
    value = np.asarray(value)
    return ~np.isfinite(value) if value.dtype.kind in "fc" else np.zeros(value.shape, bool)


def copies(index: tuple[int, ...], shape: tuple[int, ...], wide: tuple[int, ...]) -> tuple[Any, ...]:
    """Return where in a broadcast result the copies of one entry of an operand are."""
    extra = len(wide) - len(shape)
    inner = tuple(slice(None) if n == 1 != m else i for i, n, m in zip(index, shape, wide[extra:], strict=True))
    return (slice(None),) * extra + inner


def original(index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return which entry of an operand of that shape an entry of the broadcast result was made from."""
    tail = index[len(index) - len(shape) :]
    return tuple(0 if n == 1 else i for i, n in zip(tail, shape, strict=True))
