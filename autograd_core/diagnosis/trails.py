"""Following a bad number to where it began: from the result down the tape, or from a gradient up the backward pass."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..nodes import PICK, Node, Wide
from ..rules import Present
from ..sweep import Watcher, pull_back
from ..tape_values import UNKNOWN
from .tape import Tape, bad, copies, first, original


class Step(NamedTuple):
    """One operation on the way of a bad number, and the entry of its result (or operand, backwards) where it stood."""

    node: Node
    at: tuple[int, ...] | None
    value: Any
    given: int | None = None  # the operand that nobody computed and that brought it in
    unknown: bool = False  # an operand's values are not known any more: it may have begun before


class Edge(NamedTuple):
    """What one operation sent to one of its operands, and where anything was sent at all."""

    node: Node
    g: Any
    mask: Any


class Trail(Watcher):
    """What a walk backwards has sent, all of it: what came into every node and what each sent on."""

    def __init__(self, tape: Tape, seeds: dict[Node, Any]) -> None:
        self.into: dict[Node, Any] = {}
        self.taken: dict[Node, Any] = {}  # where a cotangent is present, if not everywhere
        self.edges: dict[Node, list[Edge]] = {}
        with np.errstate(all="ignore"):
            self.found = pull_back(seeds, path=tape.path, watch=self)

    def on_node(self, node: Node, g: Any, mask: Any) -> None:
        """Remember what came into a node."""
        self.into[node] = g
        if mask is not None:
            self.taken[node] = mask

    def on_edge(self, node: Node, i: int, g: Any, mask: Any) -> None:
        """Remember a contribution, and whose it was."""
        p = node.parents[i]
        assert p is not None
        self.edges.setdefault(p, []).append(Edge(node, g, mask))


# --- forwards ---------------------------------------------------------------------------------------------------------


def down(tape: Tape, root: Node, index: tuple[int, ...]) -> list[Step]:
    """Follow a NaN or an infinity from a result to where it began: steps, the result's first."""
    steps: list[Step] = []
    node, value = root, np.asarray(tape.value(root))[index]
    while True:
        if node.op is PICK:
            node = node.parents[0] or node
            steps.append(Step(node, None, value))
        else:
            steps.append(Step(node, index, value))
        if node.op is None:
            return steps
        source = _source(tape, node, index, value)
        if source is None or isinstance(source, bool | int):
            steps[-1] = steps[-1]._replace(unknown=source is True, given=None if source in (None, True) else source)
            return steps
        node, index, value = source


def _source(tape: Tape, node: Node, index: tuple[int, ...], value: Any) -> Any:
    """Return what brought a bad value in: (operand, index, value); or the number of an operand given so.

    None if nobody did, so that it began here; True if that is not known.
    """
    operands = tape.operands(node)
    if len(operands) != len(node.parents):
        return True
    found: list[tuple[int, tuple[int, ...], Any]] = []
    for i, v in enumerate(operands):
        if v is UNKNOWN:
            continue
        wrong = bad(v)
        if not wrong.any():
            continue
        at = original(index, np.shape(v)) if node.op.elementwise and len(index) >= np.ndim(v) else None
        if at is not None and not wrong[at]:
            continue
        if at is None:
            at = first(wrong & _influence(node, i, index, np.shape(v)))
            if at is None:
                continue
        found.append((i, at, np.asarray(v)[at]))
    if not found:
        return True if any(v is UNKNOWN for v in operands) else None
    rank = (lambda v: not np.isnan(v)) if np.isnan(value) else (lambda v: (np.isnan(v), np.sign(v) != np.sign(value)))
    i, at, v = min(found, key=lambda f: (rank(f[2]), node.parents[f[0]] is None))
    p = node.parents[i]
    return i if p is None else (p, at, v)


def _influence(node: Node, i: int, index: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """Return which entries of an operand can reach one entry of the result: by the rule, at made-up numbers."""
    everywhere = np.ones(shape, bool)
    if node.op.outputs or node.parents[i] is None or len(index) != len(node.shape):
        return everywhere
    rng = np.random.default_rng(0)

    def other(v: Any) -> Any:
        plain = isinstance(v, np.ndarray | np.generic) and v.dtype.kind in "fc"
        return np.asarray(rng.uniform(0.5, 1.5, np.shape(v)), v.dtype)[()] if plain else v

    like: Any
    if isinstance(node, Wide):
        args = tuple(map(other, node.args))
        like = Wide(node.op, 0, node.shape, node.dtype, node.sources, args, other(node.ans), node.kwargs)
    else:
        a, b, ans = map(other, (node.a, node.b, node.ans))
        like = Node(node.op, 0, node.shape, node.dtype, node.p, node.q, a, b, ans)
    g = np.zeros(node.shape, np.result_type(node.dtype))
    g[index] = 1
    try:
        with np.errstate(all="ignore"):
            pull = node.op.pulls[0 if node.op.variadic or node.op.joint else i]
            back = pull(g[()], like, *((i,) if node.op.variadic else ()))
            back = back[i] if node.op.joint else back
        reached = np.asarray(back.g if type(back) is Present else back) != 0
    except Exception:  # what the operation noted on the way does not fit the made-up numbers
        return everywhere
    return reached if reached.shape == shape and reached.any() else everywhere


# --- backwards --------------------------------------------------------------------------------------------------------


def up(trail: Trail, node: Node, index: tuple[int, ...]) -> list[Step]:
    """Follow a bad entry of a gradient up to the operation that made it; steps, the nearest to `node` first."""
    steps: list[Step] = []
    total = trail.into[node]
    while True:
        value = np.asarray(total)[index]
        edges = [e for e in trail.edges.get(node, ()) if not isinstance(e.g, tuple) and bad(e.g)[index]]
        if not edges:  # every contribution is finite and their sum is not, or the seed itself
            steps.append(Step(node, index, value))
            return steps
        edge = max(edges, key=lambda e: bool(np.isnan(np.asarray(e.g)[index])) == bool(np.isnan(value)))
        steps.append(Step(edge.node, index, np.asarray(edge.g)[index]))
        came = trail.into[edge.node]
        at = _bad_in(came, edge.node, index, np.shape(edge.g))
        if at is None:
            return steps
        k, index = at
        node, total = edge.node, came
        if k is not None:  # one of several results
            picks = [e for e in trail.edges[edge.node] if e.node.a == k and e.node.op is PICK]
            node, total = picks[0].node, picks[0].g


def _bad_in(came: Any, node: Node, index: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """Return (which result, index) where a cotangent is bad and may have reached an entry of an operand."""
    if isinstance(came, tuple | list):
        for k, part in enumerate(came):
            if part is not None and (at := first(bad(part))) is not None:
                return k, at
        return None
    wrong = bad(came)
    if node.op.elementwise and len(shape) <= wrong.ndim:
        only = np.zeros(wrong.shape, bool)
        only[copies(index, shape, wrong.shape)] = True
        wrong = wrong & only
    at = first(wrong)
    return None if at is None else (None, at)
