"""The source of a group: a function of one block, and the call that runs it over all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops import reduce
from . import groups, kernels
from .forms import BITS, is_copy, selects_or_zero, ufunc_of
from .groups import BLOCK, SPLIT, Group
from .kernels import KEYWORD_OUT, loop
from .plan import Ref, Step
from .writer import Writer


class Body:
    """The function of one block, under construction."""

    def __init__(self, w: Writer, step: Step, name: str) -> None:
        self.w, self.step, self.name = w, step, name
        self.group: Group = step.fn
        self.first = self.group.steps[0].outs[0]
        self.flat = self.group.flat
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.passed: list[tuple[str, str]] = []  # names in the function, and what is handed to it
        self.free: dict[Any, list[str]] = {}
        self.rooms: list[Any] = []  # dtypes of the buffers
        self.seen = set(step.outs)
        self.last = {k: i for i, s in enumerate(self.group.steps) for k in s.reads}
        self.last |= {s.args[0].slot: len(self.group.steps) for s in self.group.sums}

    def inputs(self) -> list[int]:
        """Return the operands with axes that come from outside."""
        return [a.slot for a in self.step.args if self.w.plan.slots[a.slot].shape]

    @property
    def each(self) -> int:
        """Entries of one row."""
        n = 1
        for k in () if self.flat else self.group.shape[1:]:
            n *= k
        return n

    @property
    def length(self) -> int:
        """Entries, or rows, of the whole."""
        return self.w.plan.slots[self.first].size if self.flat else self.group.shape[0]

    @property
    def most(self) -> int:
        """Entries, or rows, of a block."""
        size = max(self.w.plan.slots[s.outs[0]].dtype.itemsize for s in self.group.steps)
        return max(1, BLOCK // size // self.each)

    def hand(self, k: int, source: str) -> str:
        """Return the name of the part of an array that is known to the whole only."""
        name = f"w{k}"
        self.passed.append((name, source))
        return name

    def whole(self, k: int, array: str, fixed: Any) -> str:
        """Return the name under which the function knows a whole array, end to end if it goes entry by entry."""
        w = self.w
        if fixed is not None:
            return w.bind(fixed.reshape(-1) if self.flat else fixed, "a")
        return self.hand(k, f"{array}.reshape(-1)" if self.flat else array)

    def operand(self, k: int) -> None:
        """Name the part of an operand that belongs to a block."""
        w, slot = self.w, self.w.plan.slots[k]
        array = self.whole(k, w.slot(k), w.fixed.get(k)) if slot.shape == self.group.shape else None
        if array is None:
            self.names[k] = w.bind(w.fixed[k], "a") if k in w.fixed else self.hand(k, w.slot(k))
        else:
            self.lines.append(f"x{k} = {array}[start:stop]")
            self.names[k] = f"x{k}"

    def result(self, k: int) -> str:
        """Return the name of the place for a result: part of its array, or a buffer."""
        w, slot = self.w, self.w.plan.slots[k]
        if k in self.seen:
            place = w.out(k)
            if place is None:
                w.lines.append(f"v{k} = {w.bind(np.empty, 'empty')}({slot.shape}, {w.bind(slot.dtype)})")
                w.fresh.add(k)
            array = self.whole(k, f"v{k}", w.fixed.get(k))
            self.lines.append(f"x{k} = {array}[start:stop]")
            return f"x{k}"
        free = self.free.setdefault(slot.dtype, [])
        if free:
            return free.pop()
        name = f"t{len(self.rooms)}"
        self.lines.append(f"{name} = room[{len(self.rooms)}][:stop - start]")
        self.rooms.append(slot.dtype)
        return name

    # --- steps --------------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write the function's lines."""
        for k in self.inputs():
            self.operand(k)
        for i, step in enumerate(self.group.steps):
            k = step.outs[0]
            dying = [q for q in dict.fromkeys(step.reads) if self.last.get(q) == i and self.names.get(q, "x")[0] == "t"]
            over = [q for q in dying if self.may_overwrite(step, q)]
            if over and k not in self.seen:
                place = self.names[over[0]]
                dying.remove(over[0])
            else:
                place = self.result(k)
            self.names[k] = place
            self.operation(step, place)
            for q in dying:
                self.free.setdefault(self.w.plan.slots[q].dtype, []).append(self.names[q])
            if k not in self.last and k not in self.seen:
                self.free.setdefault(self.w.plan.slots[k].dtype, []).append(place)
        partial = [f"{self.w.bind(np.add.reduce, 'add_reduce')}({self.names[s.args[0].slot]})" for s in self.group.sums]
        if partial:
            self.lines.append(f"return {', '.join(partial)},")

    def may_overwrite(self, step: Step, q: int) -> bool:
        """Say whether a step may write its result into the buffer of an operand."""
        a, b = self.w.plan.slots[q], self.w.plan.slots[step.outs[0]]
        return ufunc_of(step) is not None and a.dtype == b.dtype

    def source_of(self, a: Any, dtype: Any) -> str:
        """Return source for an operand."""
        if type(a) is Ref and a.slot in self.names:
            return self.names[a.slot]
        return self.w.operand(a, dtype)

    def operation(self, step: Step, place: str) -> None:
        """Write one operation into its place."""
        w, plan, k = self.w, self.w.plan, step.outs[0]
        if selects_or_zero(plan, step):
            mask, g = (self.source_of(a, None) for a in step.args[:2])
            bits = w.bind(BITS[plan.slots[k].dtype])
            f, small = w.bind(np.multiply, "multiply_"), w.bind(np.int8)
            self.lines.append(f"{f}({g}.view({bits}), {mask}.view({small}), {place}.view({bits}))")
            return
        if step.told is np.where:
            mask, a, b = (self.source_of(x, plan.slots[k].dtype) for x in step.args)
            copyto = w.bind(np.copyto, "copyto")
            self.lines += [f"{copyto}({place}, {b})", f"{copyto}({place}, {a}, where={mask})"]
            return
        if is_copy(step):
            self.lines.append(f"{place}[...] = {self.source_of(step.args[0], None)}")
            return
        fn, args = ufunc_of(step)
        operands = [self.source_of(a, d) for a, d in zip(args, loop(plan, fn, args), strict=True)]
        out = ", out=" if fn in KEYWORD_OUT else ", "
        self.lines.append(f"{w.bind(fn, fn.__name__ + '_')}({', '.join(operands)}{out}{place})")


def write(w: Writer, step: Step) -> None:
    """Write one step, a group or a single operation."""
    if step.form == "group":
        write_group(w, step)
    else:
        kernels.write(w, step)


def write_group(w: Writer, step: Step) -> None:
    """Write a group: its function before the others, and its call."""
    body = Body(w, step, f"group{len(w.functions)}")
    group = body.group
    body.write()
    names = ", ".join(["start", "stop", "room", *(name for name, _ in body.passed)])
    w.functions.append("\n".join([f"def {body.name}({names}):", *(f"    {line}" for line in body.lines or ["pass"])]))
    bounds = groups.halves(0, body.length, body.most) if body.flat else groups.rows(body.length, body.most)
    longest = max(b - a for a, b in bounds)
    two = body.length * body.each >= SPLIT and len(bounds) > 1
    shape = (longest,) if body.flat else (longest, *group.shape[1:])
    rooms = [w.memory.room(core, shape, body.rooms) for core in range(groups.cores() if two else 1)]
    given = "(" + "".join(f"{source}, " for _, source in body.passed) + ")"
    f, b, r = w.bind(groups.run, "run"), w.bind(bounds), w.bind(rooms)
    parts = f"parts = {f}({body.name}, {b}, {r}, {given})"
    w.lines.append(parts)
    for i, s in enumerate(group.sums):
        one = f"[p[{i}] for p in parts]"
        total = f"{w.bind(groups.added, 'added')}({one}, 0, {body.length}, {body.most})"
        _deliver(w, s, total)
    w.described.append(
        f"group of {len(group.steps)} operations on {group.shape}: {len(bounds)} blocks of {longest * body.each} "
        f"entries, {len(body.rooms)} buffers, {len(rooms)} cores{', with sums' * bool(group.sums)}"
    )


def _deliver(w: Writer, s: Step, total: str) -> None:
    k = s.outs[0]
    if s.told is reduce.total:
        w.lines.append(f"v{k} = {total}")
    else:
        slot = w.plan.slots[s.args[0].slot]
        w.lines.append(f"v{k} = {w.bind(w.plan.slots[k].dtype.type)}({total} / {slot.size})")
