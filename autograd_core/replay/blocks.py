"""The source of a group: a function of one block, and the call that runs it over all of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops import reduce
from . import groups, kernels
from .forms import BITS, is_copy, selects_or_zero, ufunc_of
from .groups import Group
from .kernels import KEYWORD_OUT, loop
from .plan import Ref, Step
from .writer import Writer


class Body:
    """The function of one block, under construction."""

    def __init__(self, w: Writer, step: Step, name: str) -> None:
        self.w, self.step, self.name = w, step, name
        self.group: Group = step.fn
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.passed: list[tuple[str, str]] = []  # names in the function, and what is handed to it

    def inputs(self) -> list[int]:
        """Return the operands with axes that come from outside."""
        return [a.slot for a in self.step.args if self.w.plan.slots[a.slot].shape]

    def hand(self, k: int, source: str) -> str:
        """Return the name of the part of an array that is known to the whole only."""
        name = f"w{k}"
        self.passed.append((name, source))
        return name

    def whole(self, k: int, array: str, fixed: Any) -> str:
        """Return the name under which the function knows a whole array, end to end if it goes entry by entry."""
        w = self.w
        if fixed is not None:
            return w.bind(fixed.reshape(-1) if self.group.flat else fixed, "a")
        return self.hand(k, f"{array}.reshape(-1)" if self.group.flat else array)

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
        """Return the name of the place for a result: of a temporary, or part of its array."""
        w, slot, inner = self.w, self.w.plan.slots[k], self.group.inner.get(k)
        if inner is not None:
            return f"t{inner}"
        place = w.out(k)
        if place is None:
            w.lines.append(f"v{k} = {w.bind(np.empty, 'empty')}({slot.shape}, {w.bind(slot.dtype)})")
            w.fresh.add(k)
        array = self.whole(k, f"v{k}", w.fixed.get(k))
        self.lines.append(f"x{k} = {array}[start:stop]")
        return f"x{k}"

    # --- steps --------------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write the function's lines."""
        for k in self.inputs():
            self.operand(k)
        self.lines += [f"t{i} = room[{i}][:stop - start]" for i in range(len(self.group.scratch))]
        for step in self.group.steps:
            k = step.outs[0]
            place = self.result(k)
            self.operation(step, place)
            self.names[k] = place
        partial = [f"{self.w.bind(np.add.reduce, 'add_reduce')}({self.names[s.args[0].slot]})" for s in self.group.sums]
        if partial:
            self.lines.append(f"return {', '.join(partial)},")

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
    rooms = w.memory.rooms(group)
    given = "(" + "".join(f"{source}, " for _, source in body.passed) + ")"
    f, b, r = w.bind(groups.run, "run"), w.bind(group.bounds), w.bind(rooms)
    parts = f"parts = {f}({body.name}, {b}, {r}, {given})"
    w.lines.append(parts)
    for i, s in enumerate(group.sums):
        one = f"[p[{i}] for p in parts]"
        total = f"{w.bind(groups.added, 'added')}({one}, 0, {group.length}, {group.most})"
        _deliver(w, s, total)
    w.described.append(
        f"group of {len(group.steps)} operations on {group.shape}: {len(group.bounds)} blocks of "
        f"{math.prod(group.block)} entries, {len(group.scratch)} temporaries, {group.cores} cores"
        f"{', with sums' * bool(group.sums)}"
    )


def _deliver(w: Writer, s: Step, total: str) -> None:
    k = s.outs[0]
    if s.told is reduce.total:
        w.lines.append(f"v{k} = {total}")
    else:
        slot = w.plan.slots[s.args[0].slot]
        w.lines.append(f"v{k} = {w.bind(w.plan.slots[k].dtype.type)}({total} / {slot.size})")
