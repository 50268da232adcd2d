"""Buffers: a place in one block of bytes for each result that can be written into, by when it lives."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..program.calls import of_ours
from .forms import WRITABLE, is_flat_join, is_group, is_reshape, may_raise
from .groups import Group
from .plan import Plan, Ref, Step, refs

ndarray = np.ndarray
ALIGNED = 64


class Memory:
    """The arrays of one instance of a plan: parts of a block of bytes, as a layout has them."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.layout = layout
        self.used = layout.used
        self.alive: list[Any] = []
        self.block = _aligned(layout.size)
        self.slots = plan.slots

    def buffer(self, k: int) -> Any:
        """Return the array for a result, or None if it has none."""
        place = self.layout.places.get(k)
        if place is None or isinstance(place, ndarray):
            return place
        slot = self.slots[k]
        if slot.axes is None:
            return self.part(place, slot.shape, slot.dtype)
        return self.part(place, [slot.shape[i] for i in slot.axes], slot.dtype).transpose(np.argsort(slot.axes))

    def part(self, start: int, shape: Any, dtype: Any) -> Any:
        """Return part of the block as an array."""
        return self.block[start : start + math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)

    def rooms(self, group: Group) -> list[list[Any]]:
        """Return for each core the arrays in which it keeps a group's temporaries."""
        starts = iter(self.layout.rooms[group.first])
        return [[self.part(next(starts), group.block, d) for d in group.scratch] for _ in range(group.cores)]


class Layout:
    """For each result where in the block it begins, or the array of somebody else that it is written into at once.

    Results share bytes if they do not live at the same time. Gradients that leaves are lent live from the step that
    makes them until the next call; they lie at the bottom, those made last first: what ends before has room there.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.places: dict[int, Any] = {}
        self.size = 0
        self.rooms: dict[int, list[int]] = {}  # for the first result of a group: where its temporaries are kept
        self.lent: set[int] = set()  # roots of gradients that leaves are lent
        self.kept: list[tuple[int, int]] = []  # the steps that make these, falling, and where their bytes end
        self.joined: set[int] = set()  # results of concatenations whose parts are written in their places at once
        self.used = {k for step in plan.steps for k in step.reads} | set(refs(plan.outputs))
        self.root = list(range(len(plan.slots)))
        for step in plan.steps:
            if step.form == "view":
                self.root[step.outs[0]] = step.args[0].slot
            elif step.shares:  # slots that may share memory live and die together
                roots = sorted({self.find(k) for k in (*step.shares, *step.outs)})
                for r in roots:
                    self.root[r] = roots[0]
        self.root = [self.find(k) for k in range(len(self.root))]
        self.last = self.last_uses()
        self.adopt()
        self.lend()
        self.share()

    def described(self) -> dict[int, str]:
        """Return in words where each result lives."""
        here = {k: f"byte {place}" for k, place in self.places.items() if isinstance(place, int)}
        return {k: here.get(k, "where the old value stood") for k in self.places}

    def find(self, k: int) -> int:
        """Return the slot whose memory another is part of."""
        while self.root[k] != k:
            self.root[k] = k = self.root[self.root[k]]
        return k

    def last_uses(self) -> dict[int, int]:
        """Return for each root the number of the last step that reads it or a view of it."""
        last: dict[int, int] = {}
        for i, step in enumerate(self.plan.steps):
            for k in step.reads:
                last[self.root[k]] = i
        for k in refs(self.plan.outputs):
            last[self.root[k]] = len(self.plan.steps)
        return last

    # --- results that live in arrays of others ----------------------------------------------------------------------

    def adopt(self) -> None:
        """Let new values of Tensors be computed in their own places, where nobody needs the old."""
        plan = self.plan
        made = {k: i for i, step in enumerate(plan.steps) for k in step.outs}
        taken: set[int] = set()
        results = set(refs(plan.outputs))
        for i, step in enumerate(plan.steps):
            if step.effect != "assign" or type(step.args[0]) is not Ref:
                continue
            k = step.args[0].slot
            target = step.target._data
            slot = plan.slots[k]
            if (
                k in made
                and k not in self.places
                and self.root[k] == k
                and type(target) is ndarray
                and target.flags.writeable
                and target.flags.c_contiguous
                and (target.shape, target.dtype, None) == (slot.shape, slot.dtype, slot.axes)
                and plan.steps[made[k]].form in WRITABLE
                and k not in results
                and id(target) not in taken
                and self.undisturbed(k, target, made[k], i)
            ):
                self.places[k] = target
                taken.add(id(target))

    def undisturbed(self, new: int, target: Any, start: int, stop: int) -> bool:
        """Say whether nobody reads the old values of an array after the step that makes the new ones, nor calls out."""
        steps = self.plan.steps
        for i in range(start, stop + 1):
            step = steps[i]
            if step.effect == "call" and i > start:
                return False
            if start < i < stop and may_raise(step):
                return False  # the old values are to be there then
            olds = {k for k in step.reads if self.overlapping(k, target)}
            if olds and (i > start or not overwritable(self.plan, step, olds, new)):
                return False
            if i != start and step.effect == "assign" and i != stop and overlaps(step, target):
                return False
        last = self.last.get(new, start)
        return not any(overlaps(step, target) for step in steps[stop + 1 : last])

    def overlapping(self, k: int, target: Any) -> bool:
        """Say whether a slot is memory around the program, or a view of it, that overlaps an array."""
        slot = self.plan.slots[self.root[k]]
        if slot.kind == "input":  # which may be anything
            return bool(slot.shape)
        held = slot.source._data if slot.kind == "tensor" else slot.source if slot.kind == "constant" else None
        return type(held) is ndarray and np.may_share_memory(held, target)

    # --- gradients, which stay where they are until the next call ----------------------------------------------------

    def lend(self) -> None:
        """Give gradients that leaves get and the program goes on with bytes of their own; end to end if it joins them.

        What only others will read is made anew at each call: lent, it would have to be copied for them.
        """
        plan, given = self.plan, used_after(self.plan)
        results = {self.root[k] for k in refs(plan.outputs)}
        made = {k: i for i, step in enumerate(plan.steps) if step.form in WRITABLE for k in step.outs}
        taken = results | set(self.places)
        whole = {k: k for k in made if plan.slots[k].nbytes and taken.isdisjoint((k, self.root[k]))}
        self.lent = {self.root[k] for k in given} & set(whole)
        free, together = set(self.lent), list[tuple[int, int, list[int]]]()
        for step in plan.steps:
            if is_reshape(step) and step.args[0].slot in whole and plan.slots[step.args[0].slot].axes is None:
                whole[step.outs[0]] = whole[step.args[0].slot]
            if is_flat_join(plan, step) and step.outs[0] in whole:
                parts = [whole.get(k, -1) for k in step.reads]
                if len(set(parts)) == len(parts) and free.issuperset(parts):
                    together.append((min(made[k] for k in parts), step.outs[0], parts))
                    self.joined.add(step.outs[0])
                    free.difference_update(parts)
        together += [(made[k], k, [k]) for k in free]
        for first, whole_, parts in sorted(together, reverse=True):
            self.places[whole_] = start = self.size
            for k in parts:
                self.places[k] = start
                start += plan.slots[k].nbytes
            self.size = _padded(start)
            self.kept.append((first, self.size))

    def needless(self) -> set[int]:
        """Return the identities of steps that forget a gradient, where one is lent before anybody could look."""
        found: set[int] = set()
        later: set[int] = set()  # leaves that are lent one, seen from the end
        for step in reversed(self.plan.steps):
            if step.effect == "call":
                later.clear()
            elif step.effect == "grad" and step.args[0] is None and id(step.target) in later:
                found.add(id(step))
            elif step.effect == "grad":
                lent = type(step.args[0]) is Ref and self.is_lent(step.args[0].slot, step.target)
                (later.add if lent else later.discard)(id(step.target))
        return found

    def lent_to(self) -> set[int]:
        """Return the identities of leaves that are lent a gradient at some step."""
        given = [s for s in self.plan.steps if s.effect == "grad" and type(s.args[0]) is Ref]
        return {id(s.target) for s in given if self.is_lent(s.args[0].slot, s.target)}

    def is_lent(self, k: int, leaf: Any) -> bool:
        """Say whether a leaf may be given the array of a result as it is."""
        slot = self.plan.slots[k]
        return self.root[k] in self.lent and (slot.shape, slot.dtype) == (leaf.shape, leaf.dtype)

    def unread(self) -> bool:
        """Say whether nobody reads the gradients of the call before while the program runs."""
        foreign = (s for s in self.plan.steps if s.effect == "call" and not of_ours(s))
        return all(slot.kind != "grad" for slot in self.plan.slots) and next(foreign, None) is None

    # --- all else ----------------------------------------------------------------------------------------------------

    def share(self) -> None:
        """Give every other result that can be written into a place, bytes that are free again first."""
        plan, bottom = self.plan, self.size
        outputs = {self.root[k] for k in (*refs(plan.outputs), *given_away(plan))}
        kept = self.kept if self.unread() else []
        free, owner, ends = Gaps(), dict[int, int](), dict[int, list[int]]()
        for i, step in enumerate(plan.steps):
            for k in step.outs if step.form in WRITABLE else ():
                slot = plan.slots[k]
                if k in self.places or k in outputs or self.root[k] != k or not (slot.shape and slot.nbytes):
                    continue
                last = max(self.last.get(k, i), i)
                limit = _end_of(kept, last)
                start = next(
                    (p for p in self.dying(step, k, i, owner) if p >= bottom or p + slot.nbytes <= limit), None
                )
                self.places[k] = start = free.take(slot.nbytes, limit, bottom) if start is None else start
                owner[start] = k
                ends.setdefault(last, []).append(k)
            if step.form == "group":
                self.rooms[step.fn.first] = [free.take(n, _end_of(kept, i), bottom) for n in step.fn.rooms()]
                for start, n in zip(self.rooms[step.fn.first], step.fn.rooms(), strict=True):
                    free.give(start, n)
            for k in ends.pop(i, ()):
                if owner[self.places[k]] == k:
                    free.give(self.places[k], plan.slots[k].nbytes)
        self.size = max(self.size, free.highest)

    def dying(self, step: Step, k: int, i: int, owner: dict[int, int]) -> Iterator[int]:
        """Yield the places of operands that end here and may be written over entry by entry."""
        for q in dict.fromkeys(step.reads):
            place = self.places.get(q)
            if (
                isinstance(place, int)
                and self.root[q] == q
                and self.last.get(q) == i
                and owner.get(place) == q
                and in_place(self.plan, step, q, k)
            ):
                yield place


class Gaps:
    """The bytes that are free, from the lowest up; there is no end to them."""

    def __init__(self) -> None:
        self.starts: list[int] = [0]
        self.stops: list[float] = [math.inf]
        self.highest = 0  # where all ends that has been taken

    def take(self, n: int, limit: int, bottom: int) -> int:
        """Return the first place for `n` bytes that ends before `limit`, or begins at `bottom` or after it."""
        n = _padded(n)
        for i, start in enumerate(self.starts):
            at = start if start + n <= limit else max(start, bottom)
            if at + n <= self.stops[i]:
                break
        rest = [(a, b) for a, b in ((self.starts[i], at), (at + n, self.stops[i])) if a < b]
        self.starts[i : i + 1], self.stops[i : i + 1] = [a for a, _ in rest], [b for _, b in rest]
        self.highest = max(self.highest, at + n)
        return at

    def give(self, start: int, n: int) -> None:
        """Let bytes be free again."""
        stop: float = start + _padded(n)
        i = bisect.bisect_left(self.starts, start)
        if i < len(self.starts) and self.starts[i] == stop:
            stop = self.stops[i]
            del self.starts[i], self.stops[i]
        if i and self.stops[i - 1] == start:
            self.stops[i - 1] = stop
        else:
            self.starts.insert(i, start)
            self.stops.insert(i, stop)


def _padded(n: int) -> int:
    """Return so many bytes that what comes next begins at the border of a cache line."""
    return -(-n // ALIGNED) * ALIGNED


def _end_of(kept: list[tuple[int, int]], last: int) -> int:
    """Return where the bytes end that nobody needs for a gradient up to a step."""
    n = bisect.bisect_left(kept, -last, key=lambda entry: -entry[0])
    return kept[n - 1][1] if n else 0


def in_place(plan: Plan, step: Step, q: int, k: int) -> bool:
    """Say whether a step may write its result over an operand."""
    a, b = plan.slots[q], plan.slots[k]
    alike = (a.shape, a.dtype, a.axes) == (b.shape, b.dtype, b.axes)
    if is_group(step):
        return alike and bool(step.fn.overwrites(k, {q}))
    return alike and step.form == "ufunc"


def given_away(plan: Plan) -> list[int]:
    """Return the slots whose arrays become gradients of leaves, who keep them."""
    return [k for s in plan.steps if s.effect == "grad" for k in s.reads]


def used_after(plan: Plan) -> set[int]:
    """Return the slots of gradients that leaves are given and that are read afterwards, by an optimizer in general."""
    later: set[int] = set()
    found: set[int] = set()
    for step in reversed(plan.steps):
        if step.effect == "grad":
            found.update(later.intersection(step.reads))
        else:
            later.update(step.reads)
    return found


def overwritable(plan: Plan, step: Step, olds: set[int], new: int) -> bool:
    """Say whether a step may write a result over what it reads in some slots."""
    if is_group(step):
        shape = plan.slots[new].shape
        return all(plan.slots[k].shape == shape for k in olds) and bool(step.fn.overwrites(new, olds))
    return all(in_place(plan, step, k, new) for k in olds)


def overlaps(step: Step, target: Any) -> bool:
    """Say whether a step writes into an array of somebody else, as far as can be known."""
    if step.effect == "call":
        return True
    held = step.target._data if step.effect == "assign" else None
    return type(held) is ndarray and np.may_share_memory(held, target)


def _aligned(n: int) -> Any:
    """Return bytes that begin at the border of a cache line."""
    raw = np.empty(n + ALIGNED, np.uint8)
    start = -raw.ctypes.data % ALIGNED
    return raw[start : start + n]
