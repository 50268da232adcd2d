"""The tape that a question is put to, with freed nodes put back from the notes; which entries are bad, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..nodes import Leaf, Node, Wide
from ..sweep import order
from ..tape_values import Values, is_freed


class Tape:
    """The nodes below some roots, with what was freed put back from the notes, and their values as far as known."""

    def __init__(self, roots: Sequence[Node], results: Sequence[Any], leaves: Mapping[Any, Any]) -> None:
        path = order(list(roots))
        self.twin: dict[Node, Node] = _restored(path) if any(map(is_freed, path)) else {}
        self.roots = [self.twin.get(n, n) for n in roots]
        self.path = [self.twin.get(n, n) for n in path]
        self.lost = [n for n in self.path if is_freed(n)]
        self.values = Values(self.path, [*leaves.items(), *zip(self.roots, results, strict=True)], own=True)

    def operands(self, node: Node) -> list[Any]:
        """Return the values of the operands, UNKNOWN where nothing tells them."""
        return self.values.operands(node)

    def value(self, node: Node) -> Any:
        """Return the value of a node, or UNKNOWN."""
        return self.values.value(node)

    def note(self, node: Node) -> Any:
        """Return what was noted about a node: an object with `line`, `scope` and more, or None."""
        return getattr(node, "note", None)


def _restored(path: list[Node]) -> dict[Node, Node]:
    """Return twins of the nodes of a freed graph that have what they had kept, from the notes made under debug."""
    twin: dict[Node, Node] = {}
    for node in path:
        kept = getattr(getattr(node, "note", None), "kept", ())
        if isinstance(node, Leaf):
            continue
        parents = tuple(None if p is None else twin.get(p, p) for p in node.parents)
        op, *values = kept if is_freed(node) and kept else (node.op,)
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
