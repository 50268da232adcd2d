"""What flows backwards: the engine's own walk, watched; the cotangent of every node, and what goes along every edge.

It adds nothing to any `grad`. A graph that `backward` has freed is walked through copies of its nodes, if what they
kept is known: scalars always are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nodes import PICK, Leaf, Node, Wide
from ..notes import GraphError
from ..sweep import Watcher, pull_back
from ..tape_values import UNKNOWN, Values, is_freed, operation
from .numbers import Stats, summarise


class Flows(Watcher):
    """What a walk backwards has sent, in numbers: of every node, and along every edge."""

    def __init__(self, ends: Any) -> None:
        self.ends = set(ends)  # the walk does not look behind these
        self.totals: dict[Node, Any] = {}
        self.flows: dict[Node, list[Any]] = {}  # of each operation, what it sends to its operands
        self.at: Node | None = None

    @property
    def visited(self) -> list[Node]:
        """Return the operations that something flowed into, in the order of the walk."""
        return [node for node in self.totals if node.op is not None and node not in self.ends]

    def on_node(self, node: Node, g: Any, mask: Any) -> None:
        """Note the cotangent of one node."""
        self.at = node
        if mask is not None and node.op is not None and not np.any(mask):  # a selection lets nothing through to here
            return
        if g.__class__ is list:  # the slots of an operation with several results
            g = np.concatenate([np.ravel(s) for s in g if s is not None])
        self.totals[node] = summarise(g)

    def on_edge(self, node: Node, i: int, g: Any, mask: Any) -> None:
        """Note a contribution, unless a selection sends nothing at all this way."""
        if mask is None or np.any(mask):
            sent = self.flows.get(node)
            if sent is None:
                sent = self.flows[node] = [None, None] if node.__class__ is Node else [None] * len(node.parents)
            sent[i] = summarise(g, True)

    def leave_out(self, nodes: set[Node]) -> None:
        """Forget what was found about some nodes, and what flows to them."""
        self.totals = {n: g for n, g in self.totals.items() if n not in nodes}
        for node, sent in self.flows.items():
            sent[:] = [None if p in nodes else s for p, s in zip(node.parents, sent, strict=False)]


def _walk(path: Sequence[Node], seeds: dict[Node, Any], flows: Flows) -> None:
    """Walk back and note what flows."""
    with np.errstate(all="ignore"):
        found = pull_back(seeds, flows.ends or None, path=list(path), watch=flows)
    for node, zero in found.items():  # those that only absent scalars lead to
        if node not in flows.totals:
            flows.totals[node] = summarise(zero)


def watch(
    seeds: dict[Node, Any], path: Sequence[Node], values: Values, ends: Any = ()
) -> tuple[Flows | None, str | None]:
    """Walk back from results to leaves and `ends`; return the walk, and if there is none a sentence that says why."""
    flows = Flows(ends)
    try:
        if any(is_freed(n) for n in path if n not in ends):
            return _watch_copies(seeds, path, values, ends)
        _walk(path, seeds, flows)
    except GraphError as error:
        return None, f"Gradients are not shown: {error}."
    except Exception as error:
        where = f" in the pullback of {flows.at.op.name}" if flows.at is not None and flows.at.op is not None else ""
        return None, f"Gradients are not shown: {type(error).__name__}{where}: {error}."
    return flows, None


FREED = (
    "Gradients inside the graph are not shown: backward() has freed what they need. Draw before backward(), or write "
    "backward(retain_graph=True)."
)


def _watch_copies(
    seeds: dict[Node, Any], path: Sequence[Node], values: Values, ends: Any
) -> tuple[Flows | None, str | None]:
    """Walk through copies of freed nodes that keep everything."""
    twin: dict[Node | None, Node | None] = {None: None}
    for node in path:
        made = node if isinstance(node, Leaf) or node in ends else _copy(node, twin, values)
        if made is None:
            return None, FREED
        twin[node] = made
    flows = Flows(ends)
    _walk([twin[n] for n in path], {twin[n]: g for n, g in seeds.items()}, flows)  # type: ignore[misc]
    back = {made: node for node, made in twin.items()}
    flows.totals = {back[n]: s for n, s in flows.totals.items()}  # type: ignore[misc]
    flows.flows = {back[n]: s for n, s in flows.flows.items()}  # type: ignore[misc]
    return flows, None


def _copy(node: Any, twin: dict[Node | None, Node | None], values: Values) -> Node | None:
    """Return a node as it was before it was freed, or None if what it kept is not known."""
    op = operation(node)
    if op is PICK and node.a is None:  # which result it was has been freed
        return None
    if op is PICK:
        return Node(op, node.seq, node.shape, node.dtype, twin[node.p], None, node.a, None, None)
    operands = [values.operand(node, i) for i in range(len(node.parents))]
    if op is not node.op and any(v is UNKNOWN for v in operands):
        return None
    if not op.wide:
        a, b = (*operands, None, None)[:2] if op is not node.op else (node.a, node.b)
        ans = values.of.get(node)
        return Node(op, node.seq, node.shape, node.dtype, twin[node.p], twin[node.q], a, b, ans)
    sources = tuple(twin[p] for p in node.sources)
    if op is node.op:
        return Wide(op, node.seq, node.shape, node.dtype, sources, node.args, node.ans, node.kwargs)
    again = values.computed(node, aux=True)
    if again is UNKNOWN:
        return None
    kwargs = {**node.kwargs, "aux": again[1]} if op.aux else node.kwargs
    return Wide(op, node.seq, node.shape, node.dtype, sources, tuple(operands), again[0], kwargs)


def gradient_of_leaf(node: Node) -> Stats | None:
    """Return what has been accumulated in a leaf."""
    grad = getattr(node, "grad", None)
    return None if grad is None else summarise(getattr(grad, "_data", grad))
