"""Buffers: one for each result that can be written into, shared by results that do not live at the same time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .forms import WRITABLE, is_flat_join, is_group, is_reshape
from .plan import Plan, Ref, Step, refs

ndarray = np.ndarray
ALIGNED = 64


class Memory:
    """Which results live in which buffer; the layout is worked out once, the arrays are made for each instance."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.layout = layout
        self.used = layout.used
        self.alive: list[Any] = []
        self.blocks = [_aligned(n) for n in layout.blocks]
        self.rooms: dict[tuple[int, int], Any] = {}  # by core and number: bytes that one group after the other works in
        self.slots = plan.slots

    def buffer(self, k: int) -> Any:
        """Return the array for a result, or None if it has none."""
        place = self.layout.places.get(k)
        if place is None:
            return None
        if isinstance(place, ndarray):
            return place
        slot, start = self.slots[k], self.layout.starts.get(k, 0)
        flat = self.blocks[place][start : start + slot.nbytes].view(slot.dtype)
        if slot.axes is None:
            return flat.reshape(slot.shape)
        return flat.reshape([slot.shape[i] for i in slot.axes]).transpose(np.argsort(slot.axes))

    def room(self, core: int, shape: tuple[int, ...], dtypes: list[Any]) -> list[Any]:
        """Return buffers for a group's temporaries on one of the cores."""
        found = []
        for i, dtype in enumerate(map(np.dtype, dtypes)):
            need = math.prod(shape) * dtype.itemsize
            if len(self.rooms.get((core, i), b"")) < need:
                self.rooms[core, i] = _aligned(need)
            found.append(self.rooms[core, i][:need].view(dtype).reshape(shape))
        return found

    @property
    def nbytes(self) -> int:
        """Return the bytes of all blocks and rooms."""
        return sum(self.layout.blocks) + sum(map(len, self.rooms.values()))

    def is_lent(self, k: int, leaf: Any) -> bool:
        """Say whether a leaf may be given the array of a result as it is."""
        slot = self.slots[k]
        return self.layout.root[k] in self.layout.lent and (slot.shape, slot.dtype) == (leaf.shape, leaf.dtype)


class Layout:
    """For each result the number of its block, or the array of somebody else that it is written into at once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.places: dict[int, Any] = {}
        self.blocks: list[int] = []
        self.starts: dict[int, int] = {}  # where in its block a result begins, if not at the beginning
        self.lent: set[int] = set()  # roots in blocks that nothing else is written to
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
        words = {}
        for k, place in self.places.items():
            start = f" from byte {self.starts[k]}" if self.starts.get(k) else ""
            words[k] = f"block {place}{start}" if isinstance(place, int) else "where the old value stood"
        return words

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
        held = slot.source._data if slot.kind == "tensor" else slot.source if slot.kind == "constant" else None
        return type(held) is ndarray and np.may_share_memory(held, target)

    # --- gradients, which stay in their blocks until the next call ---------------------------------------------------

    def lend(self) -> None:
        """Give gradients that leaves get blocks of their own; end to end where a step joins them."""
        plan, given = self.plan, given_away(self.plan)
        results = {self.root[k] for k in refs(plan.outputs)}
        made = {k for step in plan.steps if step.form in WRITABLE for k in step.outs}
        whole = {k: k for k in made if plan.slots[k].nbytes and not {k, self.root[k]} & (results | set(self.places))}
        able = {self.root[k] for k in given} & set(whole)
        for step in plan.steps:
            if is_reshape(step) and step.args[0].slot in whole and plan.slots[step.args[0].slot].axes is None:
                whole[step.outs[0]] = whole[step.args[0].slot]
            if is_flat_join(plan, step) and step.outs[0] in whole:
                parts = [whole.get(k) for k in step.reads]
                once = len(set(parts)) == len(parts) and self.places.keys().isdisjoint(parts)
                if once and able.issuperset(parts):
                    self.join(step.outs[0], parts)
        for k in sorted(able - set(self.places)):
            self.places[k] = len(self.blocks)
            self.blocks.append(plan.slots[k].nbytes)
        self.lent |= able

    def join(self, result: int, parts: list[Any]) -> None:
        """Let parts be written where a concatenation would put them."""
        start = 0
        for k in parts:
            self.places[k], self.starts[k] = len(self.blocks), start
            start += self.plan.slots[k].nbytes
        self.places[result] = len(self.blocks)
        self.joined.add(result)
        self.blocks.append(start)

    # --- blocks -----------------------------------------------------------------------------------------------------

    def share(self) -> None:
        """Give every other result that can be written into a block, free ones again."""
        plan = self.plan
        outputs = {self.root[k] for k in (*refs(plan.outputs), *given_away(plan))}
        free: list[int] = []
        ends: dict[int, list[int]] = {}
        self.owner: dict[int, int] = {}
        for i, step in enumerate(plan.steps):
            for k in step.outs if step.form in WRITABLE else ():
                if k not in self.places and k not in outputs and self.root[k] == k and plan.slots[k].shape:
                    if plan.slots[k].nbytes:
                        self.place(k, step, i, free)
                    if isinstance(block := self.places.get(k), int):
                        self.owner[block] = k
                        ends.setdefault(max(self.last.get(k, i), i), []).append(k)
            for k in ends.pop(i, ()):
                if self.owner[self.places[k]] == k:
                    free.append(self.places[k])

    def place(self, k: int, step: Step, i: int, free: list[int]) -> None:
        """Choose a block: that of an operand which dies here, if the operation goes entry by entry; else a free one."""
        need = self.plan.slots[k].nbytes
        for q in dict.fromkeys(step.reads):
            r = self.root[q]
            block = self.places.get(r)
            if (
                isinstance(block, int)
                and self.last.get(r) == i
                and r == q
                and self.blocks[block] >= need
                and self.owner.get(block) == r
                and in_place(self.plan, step, q, k)
            ):
                self.places[k] = block
                return
        fitting = [b for b in free if self.blocks[b] >= need]
        if fitting:
            block = min(fitting, key=self.blocks.__getitem__)
            if self.blocks[block] <= 4 * need + 4096:
                free.remove(block)
                self.places[k] = block
                return
        if free:
            block = max(free, key=self.blocks.__getitem__)  # grow one rather than make another
            if self.blocks[block] < need <= 4 * self.blocks[block] + 4096:
                self.blocks[block] = need
                free.remove(block)
                self.places[k] = block
                return
        self.blocks.append(need)
        self.places[k] = len(self.blocks) - 1


def in_place(plan: Plan, step: Step, q: int, k: int) -> bool:
    """Say whether a step may write its result over an operand."""
    a, b = plan.slots[q], plan.slots[k]
    alike = (a.shape, a.dtype, a.axes) == (b.shape, b.dtype, b.axes)
    if is_group(step):
        return alike and bool(step.fn.overwrites(k, {q}))
    return alike and isinstance(step.fn, np.ufunc) and step.fn.signature is None


def given_away(plan: Plan) -> list[int]:
    """Return the slots whose arrays become gradients of leaves, who keep them."""
    return [k for s in plan.steps if s.effect == "grad" for k in s.reads]


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
