"""Walks over the tape: in which order, backwards with cotangents, forwards with tangents.

Sorting nodes by their time of creation is all the ordering there is. Every walk is a loop, never a recursion: depth is
no matter. This module knows no Tensor either; a walk that is to be recorded gets `wrap(value, node)`, which makes one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from .nodes import PICK, Leaf, Live, Node, Wide, Wrap, float64
from .notes import GraphError, printable, refuse_changed
from .rules import Door, Op, Present, same, where
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


def pull_back(
    seeds: dict[Node, Any],
    targets: Any = None,
    *,
    wrap: Wrap | None = None,
    free: bool = False,
    lead: int = 0,
    path: list[Node] | None = None,
) -> dict[Node, Any]:
    """Return the cotangents of targets (of all leaves, if None) from cotangents of results.

    `wrap` records the sweep itself; `free` lets go of kept values on the way; with `lead=1` every cotangent has one
    more axis in front: a batch of sweeps in one. Who knows the `path` already, in order, may give it.
    """
    path = order(list(seeds), targets) if path is None else path
    refuse_stale(path, targets is not None)
    state = STATE.get()
    if state.debug:
        for node in path:
            refuse_changed(node)
    if wrap is not None and state.recorder is not None and state.recorder.full:
        seeds = {node: _seen(g, wrap) for node, g in seeds.items()}
    sweep = _Sweep(path, seeds, targets, wrap, lead)
    if state.recorder is not None and not lead:
        sweep.assume_finite = state.recorder.assume_finite
    try:
        sweep.run(free)
    except GraphError:
        raise
    except Exception as error:
        if sweep.at is not None and sweep.at.op is not None:
            error.add_note(f"in the pullback of {sweep.at.op.name}, whose result has shape {sweep.at.shape}")
        raise
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
        "targets",
        "useful",
        "wanted",
        "wrap",
    )

    def __init__(self, path: list[Node], seeds: dict[Node, Any], targets: Any, wrap: Wrap | None, lead: int) -> None:
        self.path = path
        self.grads = dict(seeds)
        self.targets = targets
        self.useful = None if targets is None else set(path)
        self.wrap = wrap
        self.lead = lead
        self.found: dict[Node, Any] = {}
        self.owned: set[Node] = set()
        self.masks: dict[Node, Any] = {}
        self.wanted: dict[Node, bool] = {}
        self.absent: list[Node] = []  # scalars into which a selection lets nothing flow
        self.assume_finite: Any = None  # asks a recorder whether it sees to it that masks of scalars do not matter
        self.at: Node | None = None

    def run(self, free: bool) -> None:
        """Walk the whole path; the narrow operations, which are most of any graph, right here."""
        grads, masks, targets, useful, wrap, lead = (
            self.grads,
            self.masks,
            self.targets,
            self.useful,
            self.wrap,
            self.lead,
        )
        for node in reversed(self.path):
            self.at = node
            op = node.op
            if op is None or (targets is not None and node in targets):
                if node in grads:
                    self.found[node] = grads.pop(node)
                continue
            if op.special or masks or (lead and not op.batched):
                self.visit(node)
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
        ends = [n for n in self.path if (n.op is None if self.targets is None else n in self.targets)]
        if all(n in self.found for n in ends):
            return
        reached = set(self.absent)
        for node in reversed(self.path):
            if node in reached and not (self.targets and node in self.targets):
                blind = node.op.blind if node.op is not None else 0
                reached.update(p for i, p in enumerate(node.parents) if p is not None and not blind >> i & 1)
        for n in ends:
            if n not in self.found and n in reached:
                self.found[n] = np.zeros(n.shape, n.dtype)[()]

    def visit(self, node: Node) -> None:
        """Send the cotangent of one node to its operands; any kind of node, any kind of sweep."""
        g = self.grads.pop(node, None)
        if g is None:
            return
        op, mask = node.op, self.masks.pop(node, None)
        if op.simple and mask is None and self.wrap is None and not self.lead:  # a rectifier, mostly
            (p,) = node.parents
            if p is not None and (self.useful is None or p in self.useful) and not self._wants(p):
                gp = op.pulls[0](g, node)
                self.add(p, project(gp.g if type(gp) is Present else gp, p))
                return
        if op is PICK:
            self._collect(node, g)
            return
        if op.outputs and not op.partial:
            g = tuple(
                _zeros(self.lead, g, s, d) if y is None else y
                for y, s, d in zip(g, node.shape, node.dtype, strict=True)
            )
        if (
            op.refill is not None
            and self.wrap is None
            and not self.lead
            and mask is None
            and not self._wants(node.parents[0])
        ):
            op.refill(self, node, g)
            return
        view = node if self.wrap is None else Live(node, self.wrap)
        joint = self._pull(op, 0, g, view) if op.joint else None
        if joint is not None and len(joint) != len(node.parents):
            raise ValueError(f"the pullback returned {len(joint)} cotangents for {len(node.parents)} arguments")
        for i, p in enumerate(node.parents):
            if p is None or (self.useful is not None and p not in self.useful):
                continue
            if mask is None and op.into is not None and self.wrap is None and not self.lead and not self._wants(p):
                op.into(self.buffer(p), g, node)
                continue
            if joint is not None:
                gp, taken = joint[i], None
            else:
                gp, taken = self._masked(op, i, g, view, p, mask)
                if type(taken) is np.bool_:  # of a scalar: all of it flows, or nothing does, and no mask is needed
                    if not taken:
                        self.absent.append(p)
                        continue
                    taken = None
                elif taken is not None and not p.shape and self.assume_finite is not None and self.assume_finite():
                    taken = None
            if gp is None and joint is None and not op.trusted and op.pulls[0 if op.variadic else i] is not None:
                raise TypeError("the pullback returned None; where no gradient flows, register None in its place")
            if gp is not None:
                if not op.trusted:
                    gp = self._checked(gp, p)
                self.add(p, project(gp, p, self.lead), taken)

    def _pull(self, op: Op, i: int, g: Any, view: Any) -> Any:
        """Call one pullback, row by row if it cannot take a batch."""
        pull = op.pulls[0 if op.variadic else i]
        call: Callable[[Any], Any] = functools.partial(_call_pull, pull, view, i if op.variadic else None)
        if not self.lead or op.batched:
            return call(g)
        rows = [call(_row(g, r)) for r in range(_rows(g))]
        if op.joint:
            return [None if c[0] is None else np.stack(c) for c in zip(*rows, strict=True)]
        if type(rows[0]) is Present:
            return Present(np.stack([r.g for r in rows]), lambda: np.stack([_mask(r) for r in rows]))
        return np.stack(rows)

    def _masked(self, op: Op, i: int, g: Any, view: Any, p: Node, mask: Any) -> tuple[Any, Any]:
        """Call one pullback; return the cotangent and, where a selection left entries out, which are present."""
        if op.pulls[0 if op.variadic else i] is None:
            return None, None
        if mask is None:
            gp = self._pull(op, i, g, view)
            if type(gp) is not Present:
                return gp, None
            if not self._wants(p):
                return gp.g, None
            return gp.g, project_mask(_mask(gp), p, self.lead, gp.g)
        with np.errstate(all="ignore"):  # entries that nothing flows into may divide by zero
            gp = self._pull(op, i, g, view)
        own = None
        if type(gp) is Present:
            own, gp = _mask(gp), gp.g
        if op.elementwise:
            mask = mask if own is None else mask & own
            if op.singular:
                gp = np.where(mask, gp, gp.dtype.type(0))
        elif op.carries:
            mask = self._pull(op, i, mask, view)
            mask = (mask.g if type(mask) is Present else mask).astype(bool)
        else:
            return gp, None
        return gp, project_mask(mask, p, self.lead, gp) if self._wants(p) else None

    def _wants(self, p: Node | None) -> bool:
        """Say whether a mask on the cotangent of `p` would reach an operation that applies it; asked once a node."""
        if p is None or p.op is None or not p.op.carries:
            return False
        stack, seen = [p], {p}
        while stack:
            node = stack.pop()
            if node.op.singular or self.wanted.get(node):
                self.wanted[p] = True
                return True
            for q in node.parents:
                if q is not None and q.op is not None and q.op.carries and q not in seen and q not in self.wanted:
                    seen.add(q)
                    stack.append(q)
                elif q is not None and self.wanted.get(q):
                    self.wanted[p] = True
                    return True
        self.wanted.update(dict.fromkeys(seen, False))
        return False

    def add(self, p: Node, gp: Any, mask: Any = None) -> None:
        """Add a contribution: the second makes a buffer that the sweep owns, later ones are added in place."""
        grads = self.grads
        old = grads.get(p)
        if self.masks or mask is not None:
            self._merge_masks(p, mask, fresh=old is None)
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

    def _merge_masks(self, p: Node, mask: Any, fresh: bool) -> None:
        """Note where the cotangent of `p` is present: where any contribution is; everywhere, if one has no mask."""
        if fresh:
            if mask is not None:
                self.masks[p] = mask
        elif p in self.masks:
            if mask is None:
                del self.masks[p]
            else:
                self.masks[p] = self.masks[p] | mask

    def send(self, p: Node, gp: Any) -> None:
        """Put a contribution into the space of its variable and add it."""
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
            self.masks.pop(p, None)
            self.grads[p] = np.zeros(p.shape, p.dtype) if old is None else np.array(old)
            self.owned.add(p)
        return self.grads[p]

    def _collect(self, node: Node, g: Any) -> None:
        """Put the cotangent of one result among those of its operation."""
        main: Any = node.p
        if self.useful is None or main in self.useful:
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


def project_mask(mask: Any, space: Any, lead: int, like: Any) -> Any:
    """Undo broadcasting for a mask: an entry is present if any of its copies is."""
    if mask.shape != like.shape:
        mask = np.broadcast_to(mask, like.shape)
    extra = mask.ndim - lead - len(space.shape)
    if extra > 0:
        mask = np.any(mask, axis=tuple(range(lead, lead + extra)))
    stretched = tuple(lead + i for i, n in enumerate(space.shape) if n == 1 != mask.shape[lead + i])
    return np.any(mask, axis=stretched, keepdims=True) if stretched else mask


def _mask(cotangent: Present) -> Any:
    return cotangent.mask() if callable(cotangent.mask) else cotangent.mask


def _call_pull(pull: Any, view: Any, i: int | None, g: Any) -> Any:
    return pull(g, view) if i is None else pull(g, view, i)


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
    fixed = _Fixed(path, wrap, live) if _has_fixed_entries(path) else None
    with np.errstate(all="ignore"):  # an infinite slope that a later selection leaves out is no event
        for node in path:
            if node not in tangents:
                total: Any = None
                for i, p in enumerate(node.parents):
                    if p is not None and p in moving and _pull_of(node.op, i) is not None:
                        t = _push(node, i, moving[p], wrap, live, lead)
                        if fixed is not None:
                            t = fixed.push(node, i, p, t)
                        total = t if total is None else _plus(total, t)
                if total is not None:
                    moving[node] = total
    return {root: moving.get(root) for root in roots}


def _has_fixed_entries(path: list[Node]) -> bool:
    """Say whether entries that cannot move may reach a slope that is infinite where its argument is finite."""
    makers = (k for k, n in enumerate(path) if n.op is not None and n.op.fixes)
    first = next(makers, None)
    return first is not None and any(n.op is not None and n.op.pole for n in path[first:])


class _Fixed:
    """Masks of the entries that can move: False for a constant assigned to them, the zeros of a triangle, a padding.

    The tangent of such an entry is absent, not merely zero: the square root of an assigned 0 would make it
    0 * inf = NaN. Which entries of a result can move is asked of the rule itself: NaN as the tangent of all that moves
    in an operand arrives wherever it has any influence, also with the weight 0.
    """

    __slots__ = ("live", "masks", "wanting", "wrap")

    def __init__(self, path: list[Node], wrap: Wrap, live: bool) -> None:
        self.masks: dict[Node, Any] = {}
        self.wrap = wrap
        self.live = live and STATE.get().recorder is not None  # else masks are plain values, also of a live walk
        self.wanting: set[Node] = set()  # those from which an operation can be reached that applies masks
        for node in reversed(path):
            if node in self.wanting or (node.op is not None and node.op.singular):
                self.wanting.update(p for p in node.parents if p is not None)

    def push(self, node: Any, i: int, p: Any, t: Any) -> Any:
        """Return the tangent that operand `i` contributes, and note where the result can move by it."""
        op, mask = node.op, self.masks.get(p)
        wanted = node in self.wanting
        if mask is not None and op.singular:
            shaped = mask if mask.shape == node.shape else np.broadcast_to(mask, node.shape)
            t = where(shaped, t)
        if not wanted:
            return t
        if mask is not None or op.fixes or 0 in p.shape:
            mask = self._through(node, i, p, mask)
        if node not in self.masks or mask is None:
            self.masks[node] = mask
        elif (old := self.masks[node]) is not None:
            self.masks[node] = _both(old, mask)
        return t

    def _through(self, node: Any, i: int, p: Any, mask: Any) -> Any:
        """Return which entries of the result can move, of one operand or by one; None for all."""
        op = node.op
        if op is PICK:
            return mask[node.a]
        if op.elementwise and not op.fixes:
            return np.broadcast_to(mask, node.shape)
        mask = np.ones(p.shape, bool) if mask is None else mask
        probe = np.where(mask, np.dtype(p.dtype).type(np.nan), np.dtype(p.dtype).type(0))
        try:
            found = _push(node, i, probe, self.wrap, self.live, 0)
        except Exception:  # a pullback that takes no NaN, SciPy's logm: then everything moves
            return None
        if isinstance(found, tuple):
            return tuple(np.isnan(y) for y in found)
        found = np.isnan(found)
        return None if isinstance(found, np.ndarray | np.generic) and np.all(found) else found


def _both(a: Any, b: Any) -> Any:
    """Return where either of two operands moves the result, or the results."""
    return tuple(x | y for x, y in zip(a, b, strict=True)) if isinstance(a, tuple) else a | b


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
