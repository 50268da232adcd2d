"""Why a gradient is zero: which operations let nothing through, and whether nothing came or a zero did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..nodes import PICK, Node
from ..tape_values import UNKNOWN
from .tape import Tape
from .trails import Trail

RELUS = {"relu"}
FLAT = {
    "tanh", "sigmoid", "softmax", "log_softmax", "arctan", "erf", "erfc", "expit", "ndtr", "normal_cdf", "exp", "exp2",
    "expm1", "softplus", "elu", "silu", "gelu", "logaddexp", "logsumexp", "reciprocal",
}  # fmt: skip
LEVEL = 1e-4  # a function that passes on less than this part of what came counts as saturated


class Block(NamedTuple):
    """An operation at which a cotangent came in and nothing went out to one of its operands."""

    node: Node
    i: int
    kind: str


def blocks(tape: Tape, trail: Trail, leaf: Node) -> list[Block]:
    """Return the operations that keep the gradient from `leaf`, the nearest to the result first."""
    users = _users(tape)
    seen, queue, found = {leaf}, [leaf], []
    for node in queue:
        for user, i in users.get(node, ()):
            sent = [e.g for e in trail.edges.get(node, ()) if e.node is user]
            if user in trail.into and _any(trail.into[user]) and not any(map(_any, sent)):
                found.append(Block(user, i, kind_of(tape, trail, user, i)))
            elif user not in seen:
                seen.add(user)
                queue.append(user)
    return sorted(found, key=lambda b: -b.node.seq)


def cancels(trail: Trail, node: Node) -> bool:
    """Say whether contributions that are not zero add up to zero."""
    return any(_any(e.g) for e in trail.edges.get(node, ()))


def faded(trail: Trail, leaf: Node) -> Block | None:
    """Return the saturated function that let almost nothing through to `leaf`, if there is one."""
    node, worst = leaf, None
    while edges := [e for e in trail.edges.get(node, ()) if not isinstance(e.g, tuple | list)]:
        edge = max(edges, key=lambda e: _size(e.g))
        came = _size(trail.into[edge.node])
        ratio = _size(edge.g) / came if came else 1.0
        if edge.node.op.name in FLAT and ratio < LEVEL and (worst is None or ratio < worst[0]):
            worst = ratio, Block(edge.node, edge.node.parents.index(node), "saturated")
        node = edge.node
    return worst and worst[1]


def idle_units(tape: Tape) -> Iterator[tuple[Node, int, int]]:
    """Yield every relu with how many of its units are 0 for every row, and how many there are."""
    for node in tape.path:
        if node.op is not None and node.op.name in RELUS and node.ndim > 1:
            value = tape.value(node)
            if value is not UNKNOWN and value.size:
                alive = np.any(value > 0, axis=tuple(range(value.ndim - 1)))
                if not alive.all():
                    yield node, int(np.sum(~alive)), alive.size


def kind_of(tape: Tape, trail: Trail, node: Node, i: int) -> str:
    """Return what kept a cotangent from operand `i` of an operation: one of the kinds an explanation can have."""
    op = node.op
    if op.name in RELUS or (op.name == "maximum" and _bound(tape, node, i) == 0):
        return "dead relu"
    if op.selects or any(e.mask is not None and not np.any(e.mask) for e in _sent(trail, node, i)):
        return "absent"
    return "saturated" if op.name in FLAT else "zero"


def _bound(tape: Tape, node: Node, i: int) -> Any:
    """Return the number with which a maximum compares, if it is one number."""
    if "bound" in getattr(node, "kwargs", {}):
        return np.asarray(node.kwargs["bound"]).item()  # type: ignore[attr-defined]
    others = [v for j, v in enumerate(tape.operands(node)) if j != i]
    return np.asarray(others[0]).item() if others and others[0] is not UNKNOWN and np.size(others[0]) == 1 else None


def _sent(trail: Trail, node: Node, i: int) -> list[Any]:
    p = node.parents[i]
    return [] if p is None else [e for e in trail.edges.get(p, ()) if e.node is node]


def _users(tape: Tape) -> dict[Node, list[tuple[Node, int]]]:
    users: dict[Node, list[tuple[Node, int]]] = {}
    for node in tape.path:
        for i, p in enumerate((node.p,) if node.op is PICK else node.parents):
            if p is not None:
                users.setdefault(p, []).append((node, i))
    return users


def _any(g: Any) -> bool:
    return any(map(_any, g)) if isinstance(g, tuple | list) else g is not None and bool(np.any(np.asarray(g) != 0))


def _size(g: Any) -> float:
    if isinstance(g, tuple | list):
        return max(map(_size, g), default=0.0)
    return float(np.max(np.abs(g))) if g is not None and np.size(g) else 0.0
