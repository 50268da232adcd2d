"""Walks over the tape: in which order, backwards with cotangents, forwards with tangents.

Sorting nodes by their time of creation is all the ordering there is. Every walk is a loop, never a recursion: depth is
no matter. There is one loop in each direction; who wants to see what flows, a picture or an explanation, is told by it
(`Watcher`). This module knows no Tensor either; a walk that is to be recorded gets `wrap(value, node)`, which makes
one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from .absent import Fixed, Masks, has_fixed_entries, mask_rows, reached
from .nodes import PICK, Leaf, Live, Node, Wide, Wrap, float64
from .notes import GraphError, printable, refuse_changed
from .pullbacks import same
from .rules import Door, Op, Present
from .spaces import as_dtype, project
from .state import STATE

by_seq = attrgetter("seq")


# ----------------------------------------------------------------------------------------------------------------------
# Order
# ----------------------------------------------------------------------------------------------------------------------


def order(roots: Sequence[Node], targets: Any = None) -> list[Node]:
    """Return the nodes between targets and roots, operands first; without targets, everything down to the leaves.

    Targets are borders: the walk does not look behind them. The list grows while it is walked, so depth is no matter.
    """
    path = list(roots) if len(roots) == 1 else list(dict.fromkeys(roots))
    seen = set(path)
    if targets is None:
        for node in path:
            kind = node.__class__
            if kind is Node:
                if (p := node.p) is not None and p not in seen:
                    seen.add(p)
                    path.append(p)
                if (p := node.q) is not None and p not in seen:
                    seen.add(p)
                    path.append(p)
            elif kind is Wide:
                for p in node.sources:  # type: ignore[attr-defined]
                    if p is not None and p not in seen:
                        seen.add(p)
                        path.append(p)
        path.sort(key=by_seq)
        return path
    floor = min((t.seq for t in targets), default=0)
    for node in path:
        if node in targets:
            continue
        for p in (node.p, node.q) if node.__class__ is Node else node.parents:
            if p is not None and p.seq >= floor and p not in seen:
                seen.add(p)
                path.append(p)
    path.sort(key=by_seq)
    useful = set(targets)
    for node in path:
        if node.__class__ is Node:
            if node.p in useful or node.q in useful:
                useful.add(node)
        elif node not in useful and not useful.isdisjoint(node.parents):
            useful.add(node)
    return [node for node in path if node in useful]


def refuse_stale(path: Sequence[Node], bordered: bool) -> None:
    """Raise if a leaf has been given new values since one of these operations used it.

    Between borders a leaf may stand beside the path; otherwise it is on it, and a look at the leaves mostly suffices.
    """
    first = next((n.seq for n in path if n.op is not None), 0)
    if first > Leaf.latest:  # no leaf at all has changed since the first of these operations
        return
    if not bordered and not [n for n in path if n.op is None and n.updated > first]:  # type: ignore[attr-defined]
        return
    for node in path:
        for p in node.parents:
            if isinstance(p, Leaf) and p.updated > node.seq:
                raise GraphError(
                    f"{printable(p.name or 'a Tensor')} of shape {p.shape} was updated after {node.op.name} had used "
                    f"it, so the gradient would belong to other values; call backward() before updating, or compute "
                    f"the loss again"
                )


# ----------------------------------------------------------------------------------------------------------------------
# Backwards
# ----------------------------------------------------------------------------------------------------------------------


class Watcher:
    """Looks on during a walk backwards, which then writes nothing in place and lets every mask travel to its end."""

    def on_node(self, node: Node, g: Any, mask: Any) -> None:
        """Hear the whole cotangent of a node before it is sent on; of several results a list, None where none came."""

    def on_edge(self, node: Node, i: int, g: Any, mask: Any) -> None:
        """Hear what an operation sends to operand `i`; with a mask, where anything is sent at all."""


def pull_back(
    seeds: dict[Node, Any],
    targets: Any = None,
    *,
    wrap: Wrap | None = None,
    free: bool = False,
    lead: int = 0,
    path: list[Node] | None = None,
    watch: Watcher | None = None,
) -> dict[Node, Any]:
    """Return the cotangents of targets (of all leaves, if None) from cotangents of results.

    `wrap` records the sweep itself; `free` lets go of kept values on the way; with `lead=1` every cotangent has one
    more axis in front: a batch of sweeps in one. Who knows the `path` already, in order, may give it. `watch` is told
    of all that flows.
    """
    path = order(list(seeds), targets) if path is None else path
    refuse_stale(path, targets is not None)
    state = STATE.get()
    if state.debug:
        for node in path:
            refuse_changed(node)
    if wrap is not None and state.recorder is not None and state.recorder.full:
        seeds = {node: _seen(g, wrap) for node, g in seeds.items()}
    sweep = _Sweep(path, seeds, targets, wrap, lead, watch)
    if state.recorder is not None and not lead and watch is None:
        sweep.assume_finite = state.recorder.assume_finite
    try:
        sweep.run(free)
    except GraphError:
        raise
    except Exception as error:
        if sweep.at is not None and sweep.at.op is not None:
            error.add_note(f"in the pullback of {sweep.at.op.name}, whose result has shape {sweep.at.shape}")
        raise
    finally:
        sweep.masks.speak()
    return sweep.found


def _seen(g: Any, wrap: Wrap) -> Any:
    """Return a cotangent as a recorder sees it: one that is plain has a variable, too."""
    if isinstance(g, tuple | list):
        return type(g)(_seen(part, wrap) for part in g)
    return wrap(g, None) if isinstance(g, np.ndarray | np.generic) else g


class _Sweep:
    """One walk backwards: the cotangents on their way, and which of their buffers the sweep may write into."""

    __slots__ = (
        "absent",
        "assume_finite",
        "at",
        "found",
        "grads",
        "lead",
        "masks",
        "owned",
        "path",
        "plain",
        "targets",
        "useful",
        "watch",
        "wrap",
    )

    def __init__(
        self,
        path: list[Node],
        seeds: dict[Node, Any],
        targets: Any,
        wrap: Wrap | None,
        lead: int,
        watch: Watcher | None,
    ) -> None:
        self.path = path
        self.grads = dict(seeds)
        self.targets = targets
        self.useful = None if targets is None else set(path)
        self.wrap = wrap
        self.lead = lead
        self.watch = watch
        self.plain = wrap is None and not lead  # else nothing is written in place
        self.found: dict[Node, Any] = {}
        self.owned: set[Node] = set()
        self.masks = Masks(path, lead, everywhere=watch is not None)
        self.absent: list[Node] = []  # scalars into which a selection lets nothing flow
        self.assume_finite: Any = None  # asks a recorder whether it sees to it that masks of scalars do not matter
        self.at: Node | None = None

    def run(self, free: bool) -> None:
        """Walk the whole path; the narrow operations, which are most of any graph, right here."""
        grads, masks, targets, useful = self.grads, self.masks.of, self.targets, self.useful
        wrap, lead, watch = self.wrap, self.lead, self.watch
        odd = lead or watch is not None
        for node in reversed(self.path):
            self.at = node
            op = node.op
            if op is None or (targets is not None and node in targets):
                if node in grads:
                    self.found[node] = g = grads.pop(node)
                    if watch is not None:
                        watch.on_node(node, g, masks.get(node))
                continue
            if op.special or masks or (odd and (watch is not None or not op.batched)):
                if watch is None or op.special or op.wide or masks or not self.plain:
                    self.visit(node)
                    if self.masks.quiet and not masks:
                        self.masks.speak()
                elif (g := grads.pop(node, None)) is not None:
                    watch.on_node(node, g, None)
                    self._send_narrow(node, op, g, watch)
            elif (g := grads.pop(node, None)) is None:
                continue
            else:
                view: Any = node if wrap is None else Live(node, wrap)
                if op.wide:
                    for i, p in enumerate(node.sources):  # type: ignore[attr-defined]
                        if p is not None and (useful is None or p in useful):
                            gp = op.pulls[0](g, view, i) if op.variadic else op.pulls[i](g, view)
                            if gp.shape != p.shape or gp.dtype is not p.dtype:
                                gp = project(gp, p, lead)
                            if p in grads:
                                self.add(p, gp)
                            else:
                                grads[p] = gp
                else:
                    exact = op.elementwise and not lead  # then a cotangent has its node's own shape and dtype
                    if (p := node.p) is not None and (useful is None or p in useful):
                        gp = g if (pull := op.pulls[0]) is same else pull(g, view)
                        if not (exact and p.shape is node.shape and p.dtype is node.dtype) and (
                            gp.shape != p.shape or gp.dtype is not p.dtype
                        ):
                            gp = project(gp, p, lead)
                        if (old := grads.get(p)) is None:
                            grads[p] = gp
                        elif type(old) is float64:
                            grads[p] = old + gp
                        else:
                            self.add(p, gp)
                    if (p := node.q) is not None and (useful is None or p in useful):
                        gp = g if (pull := op.pulls[1]) is same else pull(g, view)
                        if not (exact and p.shape is node.shape and p.dtype is node.dtype) and (
                            gp.shape != p.shape or gp.dtype is not p.dtype
                        ):
                            gp = project(gp, p, lead)
                        if (old := grads.get(p)) is None:
                            grads[p] = gp
                        elif type(old) is float64:
                            grads[p] = old + gp
                        else:
                            self.add(p, gp)
            if free:
                node.op = op.freed or _freed(op)
                if op.wide:
                    node.release()
                elif node.dtype is not float64:
                    node.a = node.b = node.ans = None

        if self.absent:
            self._fill_absent()

    def _fill_absent(self) -> None:
        """Give zeros to those who were reached by absent scalars only: connected, but nothing flows."""
        missing = [n for n in self.path if n not in self.found and (n.op is None or n in (self.targets or ()))]
        there = reached(self.absent, self.path, self.targets) if missing else ()
        self.found.update((n, np.zeros(n.shape, n.dtype)[()]) for n in missing if n in there)

    def visit(self, node: Node) -> None:
        """Send the cotangent of one node to its operands; any kind of node, any kind of sweep."""
        g = self.grads.pop(node, None)
        if g is None:
            return
        op, masks, watch, plain = node.op, self.masks, self.watch, self.plain
        mask = masks.take(node) if masks.of or masks.quiet else None
        if watch is not None:
            watch.on_node(node, g, mask)
        if op is PICK:
            self._collect(node, g)
            return
        plain = plain and mask is None
        if op.simple and plain:  # a rectifier, mostly
            (p,) = node.parents
            if p is not None and (self.useful is None or p in self.useful) and not masks.want(p):
                gp = op.pulls[0](g, node)
                self.add(p, project(gp.g if type(gp) is Present else gp, p))
                return
        if op.outputs and not op.partial:
            spaces = zip(g, node.shape, node.dtype, strict=True)
            g = tuple(_zeros(self.lead, g, s, d) if y is None else y for y, s, d in spaces)
        if op.refill is not None and plain and not masks.want(node.parents[0]):
            op.refill(self, node, g)
            return
        view = node if self.wrap is None else Live(node, self.wrap)
        joint = self._pull(op, 0, view, g) if op.joint else None
        if joint is not None and len(joint) != len(node.parents):
            raise ValueError(f"the pullback returned {len(joint)} cotangents for {len(node.parents)} arguments")
        for i, p in enumerate(node.parents):
            if p is None or (self.useful is not None and p not in self.useful):
                continue
            if joint is not None:
                self._arrive(node, i, p, joint[i], None)
            elif op.into is not None and plain and not masks.want(p):
                op.into(self.buffer(p), g, node)
            elif op.pulls[0 if op.variadic else i] is not None:
                self._send(node, i, p, g, mask, view)

    def _send(self, node: Node, i: int, p: Node, g: Any, mask: Any, view: Any) -> None:
        """Pull a cotangent through to operand `i`, and with it the mask that says where it is present."""
        op, taken = node.op, None
        gp = self._pull(op, i, view, g)
        if mask is not None or type(gp) is Present:
            gp, taken = self.masks.through(op, p, gp, mask, functools.partial(self._pull, op, i, view))
        if type(taken) is np.bool_:  # of a scalar: all of it flows, or nothing does, and no mask is needed
            if not taken:
                self.absent.append(p)
                return
            taken = None
        elif taken is not None and not p.shape and self.assume_finite is not None and self._finite():
            taken = None
        if gp is None and not op.trusted:
            raise TypeError("the pullback returned None; where no gradient flows, register None in its place")
        self._arrive(node, i, p, gp, taken)

    def _finite(self) -> bool:
        """Ask the recorder whether masks of scalars matter; it may silence NumPy for good, which must outlive ours."""
        was = self.masks.quiet
        self.masks.speak()
        found: bool = self.assume_finite()
        if was:
            self.masks.hush()
        return found

    def _arrive(self, node: Node, i: int, p: Node, gp: Any, mask: Any) -> None:
        """Add what an operation sends to operand `i`, in that one's space; None is nothing."""
        if gp is not None:
            gp = project(gp if node.op.trusted else self._checked(gp, p), p, self.lead)
            if self.watch is not None:
                self.watch.on_edge(node, i, gp, mask)
            self.add(p, gp, mask)

    def _send_narrow(self, node: Node, op: Op, g: Any, watch: Watcher) -> None:
        """Send the cotangent of a narrow operation, watched; a picture may show 10^6 of them."""
        useful, grads = self.useful, self.grads
        for i, p in ((0, node.p), (1, node.q)):
            if p is None or (useful is not None and p not in useful):
                continue
            gp = g if (pull := op.pulls[i]) is same else pull(g, node)
            if type(gp) is not float64 or p.shape or p.dtype is not float64:
                gp = project(gp, p)
            watch.on_edge(node, i, gp, None)
            if p in grads:
                self.add(p, gp)
            else:
                grads[p] = gp

    def _pull(self, op: Op, i: int, view: Any, g: Any) -> Any:
        """Call one pullback, row by row if it cannot take a batch."""
        pull, which = op.pulls[0 if op.variadic else i], (i,) if op.variadic else ()
        if not self.lead or op.batched:
            return pull(g, view, *which)
        rows = [pull(_row(g, r), view, *which) for r in range(_rows(g))]
        if op.joint:
            return [None if c[0] is None else np.stack(c) for c in zip(*rows, strict=True)]
        return mask_rows(rows) if type(rows[0]) is Present else np.stack(rows)

    def add(self, p: Node, gp: Any, mask: Any = None) -> None:
        """Add a contribution: the second makes a buffer that the sweep owns, later ones are added in place."""
        grads = self.grads
        old = grads.get(p)
        if mask is not None or self.masks.of:
            self.masks.merge(p, mask, fresh=old is None)
        if old is None:
            grads[p] = gp
        elif p in self.owned and (self.wrap is None or isinstance(gp, np.ndarray | np.generic)):
            old += gp
        else:
            grads[p] = old = old + gp
            if type(old) is np.ndarray:
                self.owned.add(p)
            else:  # a recorded contribution on top of a plain buffer
                self.owned.discard(p)

    def send(self, p: Node, gp: Any) -> None:
        """Put a contribution of a rule's `refill` into the space of its variable and add it."""
        if self.useful is None or p in self.useful:
            self.add(p, project(gp, p, self.lead))

    def hand_over(self, node: Node, p: Node, g: Any, hole: Any) -> None:
        """Pass the cotangent of an assignment on to the array assigned to, zero at `hole`; in place if it is ours."""
        if self.useful is not None and p not in self.useful:
            return
        g = g if node in self.owned else np.array(g)
        g[hole] = 0
        if p in self.grads:
            self.add(p, g)
        else:
            self.grads[p] = g
            self.owned.add(p)

    def buffer(self, p: Node) -> Any:
        """Return the cotangent of `p` as an array that the sweep may write into."""
        if p not in self.owned:
            old = self.grads.get(p)
            self.masks.of.pop(p, None)
            self.grads[p] = np.zeros(p.shape, p.dtype) if old is None else np.array(old)
            self.owned.add(p)
        return self.grads[p]

    def _collect(self, node: Node, g: Any) -> None:
        """Put the cotangent of one result among those of its operation."""
        main: Any = node.p
        if self.useful is None or main in self.useful:
            if self.watch is not None:
                self.watch.on_edge(node, 0, g, None)
            slots = self.grads.setdefault(main, [None] * len(main.shape))
            slots[node.a] = g if slots[node.a] is None else slots[node.a] + g

    def _checked(self, gp: Any, p: Node) -> Any:
        """Refuse what a user's rule must not return; copy the rest: the user may still hold it."""
        if isinstance(gp, int | float | complex):
            gp = np.asarray(gp)[()]
        if not hasattr(gp, "dtype") or not hasattr(gp, "shape"):
            raise TypeError(f"the pullback returned {type(gp).__name__}, not an array of shape {p.shape}")
        if gp.dtype.kind not in "fc":
            raise TypeError(
                f"the pullback returned an array of dtype {gp.dtype} for an argument of dtype {np.dtype(p.dtype)}"
            )
        if gp.dtype != p.dtype and np.can_cast(gp.dtype, p.dtype):
            raise TypeError(
                f"the pullback returned {gp.dtype} for an argument of dtype {np.dtype(p.dtype)}: its digits are lost"
            )
        return gp.copy() if isinstance(gp, np.ndarray) else gp


def _freed(op: Op) -> Op:
    """Return the twin of an operation that stands in freed nodes: the same name, and pullbacks that explain."""

    def gone(*_: Any) -> Any:
        raise GraphError(
            f"this graph has been walked by backward(), which freed what {op.name} had kept; to walk it again write "
            f"backward(retain_graph=True) the first time, or compute the result again"
        )

    pulls = (gone,) * max(2, len(op.pulls))
    op.freed = op.twin(pulls=pulls, refill=None, into=None, special=True, joint=False, outputs=0, original=op)
    return op.freed


def _rows(g: Any) -> int:
    return int((next(y for y in g if y is not None) if isinstance(g, tuple) else g).shape[0])


def _row(g: Any, r: int) -> Any:
    return tuple(None if y is None else y[r] for y in g) if isinstance(g, tuple) else g[r]


def _zeros(lead: int, slots: Sequence[Any], shape: tuple[int, ...], dtype: Any) -> Any:
    present = next(y for y in slots if y is not None)
    return np.zeros(present.shape[:lead] + tuple(shape), dtype)


# ----------------------------------------------------------------------------------------------------------------------
# Forwards
# ----------------------------------------------------------------------------------------------------------------------


def push_forward(
    roots: Sequence[Node],
    tangents: dict[Node, Any],
    *,
    wrap: Wrap,
    live: bool = False,
    lead: int = 0,
    path: list[Node] | None = None,
) -> dict[Node, Any]:
    """Return the tangents of results from tangents of some nodes, by the same rules.

    Element-wise, the pullback pushes (a diagonal is its own transpose); a linear operation is called on the tangent;
    otherwise the pullback, linear in its cotangent, is recorded on a dummy and pulled back: the transpose's transpose.
    """
    moving = dict(tangents)
    path = order(roots, set(tangents)) if path is None else path
    fixed = None
    if has_fixed_entries(path):
        seen = live and STATE.get().recorder is not None  # else masks are plain values, also of a live walk
        fixed = Fixed(path, lambda node, i, t: _push(node, i, t, wrap, seen, 0))
    with np.errstate(all="ignore"):  # an infinite slope that a later selection leaves out is no event
        for node in path:
            if node not in tangents:
                total: Any = None
                for i, p in enumerate(node.parents):
                    if p is not None and p in moving and _pull_of(node.op, i) is not None:
                        t = _push(node, i, moving[p], wrap, live, lead)
                        if fixed is not None:
                            t = fixed.through(node, i, p, t)
                        total = t if total is None else _plus(total, t)
                if total is not None:
                    moving[node] = total
    return {root: moving.get(root) for root in roots}


def _pull_of(op: Op, i: int) -> Any:
    return op.pulls[0 if op.variadic or op.joint else i]


def _plus(a: Any, b: Any) -> Any:
    return tuple(x + y for x, y in zip(a, b, strict=True)) if isinstance(a, tuple) else a + b


def _push(node: Any, i: int, dp: Any, wrap: Wrap, live: bool, lead: int) -> Any:
    """Return what a tangent of operand `i` contributes to the tangent of the result."""
    op = node.op
    if op is PICK:
        return dp[node.a]
    view = Live(node, wrap) if live else node
    if op.elementwise and not op.variadic:
        t = op.pulls[i](_stretch(dp, node.shape, lead), view)
        return _settle(t.g if type(t) is Present else t, node, lead)
    if op.push is not None:
        return _settle(op.push(i, dp, view, lead), node, lead)
    if lead:
        return _stack_rows([_push(node, i, dp[r], wrap, live, 0) for r in range(dp.shape[0])])
    if op.linear and not op.variadic and not op.joint:
        operands = list(view.args if op.wide else (view.a, view.b)[: len(op.args)])
        operands[i] = dp
        if not live:
            return _settle(op.compute(*operands, **(node.kwargs if op.wide else {})), node, lead)
        return _settle(Door.record(op, tuple(operands), node.kwargs) if op.wide else op.fn(*operands), node, lead)
    return _transpose_twice(node, view, i, dp, wrap, live)


def _transpose_twice(node: Any, view: Any, i: int, dp: Any, wrap: Wrap, live: bool) -> Any:
    op = node.op
    shapes = node.shape if op.outputs else (node.shape,)
    dtypes = node.dtype if op.outputs else (node.dtype,)
    dummies = [Leaf(tuple(s), d) for s, d in zip(shapes, dtypes, strict=True)]
    u = tuple(wrap(np.zeros(leaf.shape, leaf.dtype), leaf) for leaf in dummies)
    pull = _pull_of(op, i)
    g = u if op.outputs else u[0]
    back = pull(g, view, i) if op.variadic else pull(g, view)
    back = back[i] if op.joint else back
    back = project(back.g if type(back) is Present else back, node.parents[i])
    node_of_back = getattr(back, "_node", None)
    found: dict[Node, Any] = {}
    if node_of_back is not None:
        found = pull_back({node_of_back: dp}, set(dummies), wrap=wrap if live else None)
    out = tuple(found[leaf] if leaf in found else np.zeros(leaf.shape, leaf.dtype) for leaf in dummies)
    return out if op.outputs else out[0]


def _stretch(dp: Any, shape: tuple[int, ...], lead: int) -> Any:
    """Broadcast a tangent to the shape of the result, behind its batch axes."""
    if dp.shape[lead:] == shape:
        return dp
    head = dp.shape[:lead]
    dp = np.reshape(dp, head + (1,) * (len(shape) - dp.ndim + lead) + dp.shape[lead:])
    return np.broadcast_to(dp, head + tuple(shape))


def _settle(t: Any, node: Any, lead: int) -> Any:
    """Put a tangent into the space of the result it belongs to."""
    if np.shape(t)[lead:] != tuple(node.shape):
        t = np.broadcast_to(t, np.shape(t)[:lead] + tuple(node.shape))
    return t if t.dtype == node.dtype else as_dtype(t, node.dtype)


def _stack_rows(rows: list[Any]) -> Any:
    if isinstance(rows[0], tuple):
        return tuple(np.stack(c) for c in zip(*rows, strict=True))
    return np.stack(rows)
