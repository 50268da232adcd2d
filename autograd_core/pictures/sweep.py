"""The backward sweep, watched: the engine's own walk by the same pullbacks, told of every cotangent on its way.

It adds nothing to any `grad`. A graph that `backward` has freed is walked through copies of its nodes, if what they
kept is known: scalars always are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import _Sweep, refuse_stale
from ..nodes import PICK, Leaf, Node, Wide, float64
from ..notes import GraphError, refuse_changed
from ..rules import same
from ..spaces import project
from ..state import STATE
from .numbers import Stats, summarise
from .values import UNKNOWN, Values, is_freed


class Watched(_Sweep):
    """One walk backwards that notes the cotangent of every node and what flows along every edge."""

    def __init__(self, path: Sequence[Node], seeds: dict[Node, Any], ends: Any = ()) -> None:
        super().__init__(list(path), seeds, None, None, 0)
        self.ends = ends  # the walk does not look behind these
        self.totals: dict[Node, Any] = {}
        self.flows: dict[Node, list[Any]] = {}  # of each operation, what it sends to its operands
        self.visited: list[Node] = []
        self.cursor = -1

    def run(self, free: bool = False) -> None:  # noqa: ARG002  (the engine's signature)
        """Visit every node that something flows into; scalar operations, of which there may be 10^6, right here."""
        grads, totals, visited, masks = self.grads, self.totals, self.visited, self.masks
        with np.errstate(all="ignore"):
            for node in reversed(self.path):
                g = grads.get(node)
                if g is None:
                    continue
                op = node.op
                if node in self.ends:
                    totals[node] = summarise(grads.pop(node))
                    continue
                if op is None or op.special or masks or node.__class__ is not Node or type(g) is not float64:
                    self._note(node, g)
                    continue
                totals[node] = summarise(g)
                visited.append(node)
                del grads[node]
                self.at = node
                first, second = node.p, node.q
                sent = self.flows[node] = [None, None]
                if first is not None:
                    sent[0] = self._send(first, g if op.pulls[0] is same else op.pulls[0](g, node))
                if second is not None:
                    sent[1] = self._send(second, g if op.pulls[1] is same else op.pulls[1](g, node))
        if self.absent:
            self._fill_absent()
            for leaf, zero in self.found.items():
                totals.setdefault(leaf, summarise(zero))

    def _send(self, p: Node, gp: Any) -> Any:
        """Add a contribution of an operation on numbers; return its statistics."""
        if type(gp) is not float64 or p.dtype is not float64 or p.shape:
            gp = project(gp, p)
        old = self.grads.get(p)
        if old is None:
            self.grads[p] = gp
        else:
            super().add(p, gp)
        return summarise(gp, True)

    def _note(self, node: Node, g: Any) -> None:
        """Note the cotangent of one node, and visit it."""
        self.at, self.cursor = node, -1
        mask = self.masks.get(node)
        flows = mask is None or bool(np.any(mask))  # else a selection lets nothing through to here: absent, not zero
        if node.op is None or flows:
            several = isinstance(g, list)  # the slots of an operation with several results
            self.totals[node] = summarise(np.concatenate([np.ravel(s) for s in g if s is not None]) if several else g)
        if node.op is None:
            return
        if flows:
            self.visited.append(node)
        self.flows[node] = [None] * len(node.parents)
        if node.op is PICK:
            self.flows[node][0] = summarise(g, True)
        self.visit(node)

    def add(self, p: Node, gp: Any, mask: Any = None) -> None:
        """Note a contribution, then add it."""
        parents = self.at.parents  # type: ignore[union-attr]
        self.cursor = next((i for i in range(self.cursor + 1, len(parents)) if parents[i] is p), self.cursor)
        if mask is None or np.any(mask):  # else a selection sends nothing at all this way
            self.flows[self.at][self.cursor] = summarise(gp, True)  # type: ignore[index]
        super().add(p, gp, mask)

    def leave_out(self, nodes: set[Node]) -> None:
        """Forget what was found about some nodes, and what flows to them."""
        self.totals = {n: g for n, g in self.totals.items() if n not in nodes}
        for node, sent in self.flows.items():
            sent[:] = [None if p in nodes else s for p, s in zip(node.parents, sent, strict=False)]
        self.visited = [n for n in self.visited if n not in nodes]

    def _wants(self, p: Node | None) -> bool:  # noqa: ARG002
        """Keep every mask, which also keeps contributions from being written into buffers unseen."""
        return True


def watch(
    seeds: dict[Node, Any], path: Sequence[Node], values: Values, ends: Any = ()
) -> tuple[Watched | None, str | None]:
    """Walk back from results to leaves and `ends`; return the walk, and if there is none a sentence that says why."""
    try:
        refuse_stale(path, False)
        if STATE.get().debug:
            for node in path:
                refuse_changed(node)
        if any(is_freed(n.op) for n in path if n not in ends):
            return _watch_copies(seeds, path, values, ends)
        sweep = Watched(path, seeds, ends)
        sweep.run()
    except GraphError as error:
        return None, f"Gradients are not shown: {error}."
    except Exception as error:
        where = f" in the pullback of {sweep.at.op.name}" if sweep.at is not None and sweep.at.op is not None else ""
        return None, f"Gradients are not shown: {type(error).__name__}{where}: {error}."
    return sweep, None


FREED = (
    "Gradients inside the graph are not shown: backward() has freed what they need. Draw before backward(), or write "
    "backward(retain_graph=True)."
)


def _watch_copies(
    seeds: dict[Node, Any], path: Sequence[Node], values: Values, ends: Any
) -> tuple[Watched | None, str | None]:
    """Walk through copies of freed nodes that keep everything."""
    twin: dict[Node | None, Node | None] = {None: None}
    for node in path:
        made = node if isinstance(node, Leaf) or node in ends else _copy(node, twin, values)
        if made is None:
            return None, FREED
        twin[node] = made
    copies = [twin[n] for n in path]
    sweep = Watched(copies, {twin[n]: g for n, g in seeds.items()}, ends)  # type: ignore[arg-type, misc]
    sweep.run()
    back = {made: node for node, made in twin.items()}
    sweep.totals = {back[n]: s for n, s in sweep.totals.items()}  # type: ignore[misc]
    sweep.flows = {back[n]: s for n, s in sweep.flows.items()}  # type: ignore[misc]
    sweep.visited = [back[n] for n in sweep.visited]  # type: ignore[misc]
    return sweep, None


def _copy(node: Any, twin: dict[Node | None, Node | None], values: Values) -> Node | None:
    """Return a node as it was before it was freed, or None if what it kept is not known."""
    op = values.rule(node)
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
