"""Cotangents and tangents that are absent, which is not zero: masks, who wants to know of them, how they travel.

Where a selection (`np.where`, an index, a maximum) does not take an entry, nothing flows into it. An operation whose
slope is infinite there, a square root at 0, would make 0 * inf = NaN of a zero; of nothing it makes nothing. So a
selection attaches a mask to what it sends, element-wise operations and those that only move entries hand it on, and
those with a slope that depends on values apply it. Walks without selections come here for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .nodes import PICK, Node
from .rules import Op, Present, where

Pull = Callable[[Any], Any]  # a cotangent, or a mask in its place, through one operation to one of its operands


# ----------------------------------------------------------------------------------------------------------------------
# Backwards
# ----------------------------------------------------------------------------------------------------------------------


class Masks:
    """Where the cotangents on their way are present, if not everywhere."""

    __slots__ = ("everywhere", "lead", "of", "path", "quiet", "wanted")

    def __init__(self, path: Sequence[Node], lead: int, everywhere: bool) -> None:
        self.of: dict[Node, Any] = {}
        self.path = path
        self.lead = lead  # batch axes in front
        self.everywhere = everywhere  # who watches wants every mask, whether anything applies it or not
        self.wanted: set[Node] | None = None  # found when first asked, for all nodes at once
        self.quiet: Any = None  # NumPy's settings, while entries that nothing flows into may divide by zero

    def want(self, p: Node | None) -> bool:
        """Say whether a mask on the cotangent of `p` would reach an operation that applies it."""
        if self.everywhere:
            return p is not None
        if self.wanted is None:
            self.wanted = self._applied()
        return p in self.wanted

    def _applied(self) -> set[Node]:
        """Return the nodes from which operations that hand masks on lead to one that applies them."""
        found: set[Node] = set()
        for node in self.path:  # operands first
            op = node.op
            if op is not None and op.carries and (op.singular or not found.isdisjoint(node.parents)):
                found.add(node)
        return found

    def take(self, node: Node) -> Any:
        """Return the mask of a cotangent that is about to be sent on, and let NumPy be silent if there is one."""
        mask = self.of.pop(node, None)
        if mask is None:
            self.speak()
        elif self.quiet is None:  # once for a run of such operations: entering costs as much as a small product
            self.hush()
        return mask

    def hush(self) -> None:
        """Let NumPy be silent."""
        self.quiet = np.errstate(all="ignore")
        self.quiet.__enter__()

    def speak(self) -> None:
        """Give NumPy its settings back."""
        if self.quiet is not None:
            quiet, self.quiet = self.quiet, None
            quiet.__exit__(None, None, None)

    def through(self, op: Op, p: Node, gp: Any, mask: Any, pull: Pull) -> tuple[Any, Any]:
        """Return what an operation sends to `p`, and where that is present; None for everywhere, or if nobody asks."""
        own = None
        if type(gp) is Present:
            gp, own = gp.g, gp
        if mask is None:
            return gp, None if own is None or not self.want(p) else project_mask(_mask(own), p, self.lead, gp)
        if op.elementwise:
            mask = mask if own is None else mask & _mask(own)
            if op.singular:
                gp = np.where(mask, gp, gp.dtype.type(0))
        elif not op.carries:
            return gp, None
        if not self.want(p):
            return gp, None
        if not op.elementwise:  # what moves entries moves those of the mask
            mask = pull(mask)
            mask = (mask.g if type(mask) is Present else mask).astype(bool)
        return gp, project_mask(mask, p, self.lead, gp)

    def merge(self, p: Node, mask: Any, fresh: bool) -> None:
        """Note where the cotangent of `p` is present: where any contribution is; everywhere, if one has no mask."""
        if fresh:
            if mask is not None:
                self.of[p] = mask
        elif p in self.of:
            if mask is None:
                del self.of[p]
            else:
                self.of[p] = self.of[p] | mask


def mask_rows(rows: Sequence[Present]) -> Present:
    """Return what single rows of a batch found as one."""
    return Present(np.stack([r.g for r in rows]), lambda: np.stack([_mask(r) for r in rows]))


def project_mask(mask: Any, space: Any, lead: int, like: Any) -> Any:
    """Undo broadcasting for a mask: an entry is present if any of its copies is."""
    if mask.shape != like.shape:
        mask = np.broadcast_to(mask, like.shape)
    extra = mask.ndim - lead - len(space.shape)
    if extra > 0:
        mask = np.any(mask, axis=tuple(range(lead, lead + extra)))
    stretched = tuple(lead + i for i, n in enumerate(space.shape) if n == 1 != mask.shape[lead + i])
    return np.any(mask, axis=stretched, keepdims=True) if stretched else mask


def reached(absent: Iterable[Node], path: Sequence[Node], targets: Any) -> set[Node]:
    """Return those below scalars into which nothing flows: connected, by operations that would have sent something."""
    found = set(absent)
    for node in reversed(path):
        if node in found and not (targets and node in targets):
            blind = node.op.blind if node.op is not None else 0
            found.update(p for i, p in enumerate(node.parents) if p is not None and not blind >> i & 1)
    return found


def _mask(cotangent: Present) -> Any:
    return cotangent.mask() if callable(cotangent.mask) else cotangent.mask


# ----------------------------------------------------------------------------------------------------------------------
# Forwards
# ----------------------------------------------------------------------------------------------------------------------


def has_fixed_entries(path: Sequence[Node]) -> bool:
    """Say whether entries that cannot move may reach a slope that is infinite where its argument is finite."""
    makers = (k for k, n in enumerate(path) if n.op is not None and n.op.fixes)
    first = next(makers, None)
    return first is not None and any(n.op is not None and n.op.pole for n in path[first:])


class Fixed:
    """Masks of the entries that can move: False for a constant assigned to them, the zeros of a triangle, a padding.

    The tangent of such an entry is absent, not merely zero: the square root of an assigned 0 would make it
    0 * inf = NaN. Which entries of a result can move is asked of the rule itself: NaN as the tangent of all that moves
    in an operand arrives wherever it has any influence, also with the weight 0. `push(node, i, t)` is the walk's own.
    """

    __slots__ = ("masks", "push", "wanting")

    def __init__(self, path: Sequence[Node], push: Callable[[Node, int, Any], Any]) -> None:
        self.masks: dict[Node, Any] = {}
        self.push = push
        self.wanting: set[Node] = set()  # those from which an operation can be reached that applies masks
        for node in reversed(path):
            if node in self.wanting or (node.op is not None and node.op.singular):
                self.wanting.update(p for p in node.parents if p is not None)

    def through(self, node: Any, i: int, p: Any, t: Any) -> Any:
        """Return the tangent that operand `i` contributes, and note where the result can move by it."""
        op, mask = node.op, self.masks.get(p)
        wanted = node in self.wanting
        if mask is not None and op.singular:
            shaped = mask if mask.shape == node.shape else np.broadcast_to(mask, node.shape)
            t = where(shaped, t)
        if not wanted:
            return t
        if mask is not None or op.fixes or 0 in p.shape:
            mask = self._moving(node, i, p, mask)
        if node not in self.masks or mask is None:
            self.masks[node] = mask
        elif (old := self.masks[node]) is not None:
            self.masks[node] = _both(old, mask)
        return t

    def _moving(self, node: Any, i: int, p: Any, mask: Any) -> Any:
        """Return which entries of the result can move, of one operand or by one; None for all."""
        op = node.op
        if op is PICK:
            return mask[node.a]
        if op.elementwise and not op.fixes:
            return np.broadcast_to(mask, node.shape)
        mask = np.ones(p.shape, bool) if mask is None else mask
        probe = np.where(mask, np.dtype(p.dtype).type(np.nan), np.dtype(p.dtype).type(0))
        try:
            found = self.push(node, i, probe)
        except Exception:  # a pullback that takes no NaN, SciPy's logm: then everything moves
            return None
        if isinstance(found, tuple):
            return tuple(np.isnan(y) for y in found)
        found = np.isnan(found)
        return None if isinstance(found, np.ndarray | np.generic) and np.all(found) else found


def _both(a: Any, b: Any) -> Any:
    """Return where either of two operands moves the result, or the results."""
    return tuple(x | y for x, y in zip(a, b, strict=True)) if isinstance(a, tuple) else a | b
