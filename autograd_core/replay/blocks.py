"""The source of a group: a function of one block, and the call that runs it over all of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..program.primitives import BITS, chooses_or_zero, is_choice, is_copy, row_of, ufunc_of
from ..program.program import Equation, Variable
from . import groups, kernels
from .groups import Group
from .kernels import KEYWORD_OUT, loop
from .writer import Writer, local


class Body:
    """The function of one block, under construction."""

    def __init__(self, w: Writer, equation: Equation, name: str) -> None:
        self.w, self.equation, self.name = w, equation, name
        self.group: Group = equation.call
        self.lines: list[str] = []
        self.names: dict[Variable, str] = {}
        self.passed: list[tuple[str, str]] = []  # names in the function, and what is handed to it

    def inputs(self) -> list[Variable]:
        """Return the operands with axes that come from outside."""
        return [a for a in self.equation.inputs if a.shape]

    def hand(self, v: Variable, source: str) -> str:
        """Return the name of the part of an array that is known to the whole only."""
        name = f"w{v.number}"
        self.passed.append((name, source))
        return name

    def whole(self, v: Variable, array: str, fixed: Any) -> str:
        """Return the name under which the function knows a whole array, end to end if it goes entry by entry."""
        w = self.w
        if fixed is not None:
            return w.bind(fixed.reshape(-1) if self.group.flat else fixed, "a")
        return self.hand(v, f"{array}.reshape(-1)" if self.group.flat else array)

    def operand(self, v: Variable) -> None:
        """Name the part of an operand that belongs to a block."""
        w, part = self.w, f"x{v.number}"
        if v.shape == self.group.shape:
            self.lines.append(f"{part} = {self.whole(v, w.variable(v), w.fixed.get(v))}[start:stop]")
            self.names[v] = part
        else:
            self.names[v] = w.bind(w.fixed[v], "a") if v in w.fixed else self.hand(v, w.variable(v))

    def result(self, v: Variable) -> str:
        """Return the name of the place for a result: of a temporary, or part of its array."""
        w, part, inner = self.w, f"x{v.number}", self.group.inner.get(v)
        if inner is not None:
            return f"t{inner}"
        if w.out(v) is None:
            w.lines.append(f"{local(v)} = {w.bind(np.empty, 'empty')}({v.shape}, {w.bind(v.dtype)})")
            w.fresh.add(v)
        self.lines.append(f"{part} = {self.whole(v, local(v), w.fixed.get(v))}[start:stop]")
        return part

    # --- equations ----------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write the function's lines."""
        for v in self.inputs():
            self.operand(v)
        self.lines += [f"t{i} = room[{i}][:stop - start]" for i in range(len(self.group.scratch))]
        for equation in self.group.equations:
            out = equation.outputs[0]
            place = self.result(out)
            self.operation(equation, place)
            self.names[out] = place
        partial = [f"{self.w.bind(np.add.reduce, 'add_reduce')}({self.names[e.inputs[0]]})" for e in self.group.sums]
        if partial:
            self.lines.append(f"return {', '.join(partial)},")

    def source_of(self, a: Any, dtype: Any) -> str:
        """Return source for an operand."""
        if type(a) is Variable and a in self.names:
            return self.names[a]
        return self.w.operand(a, dtype)

    def operation(self, equation: Equation, place: str) -> None:
        """Write one operation into its place."""
        w, out = self.w, equation.outputs[0]
        if chooses_or_zero(equation):
            mask, g = (self.source_of(a, None) for a in equation.inputs[:2])
            bits = w.bind(BITS[out.dtype])
            f, small = w.bind(np.multiply, "multiply_"), w.bind(np.int8)
            self.lines.append(f"{f}({g}.view({bits}), {mask}.view({small}), {place}.view({bits}))")
            return
        if is_choice(equation):
            mask, a, b = (self.source_of(x, out.dtype) for x in equation.inputs)
            copyto = w.bind(np.copyto, "copyto")
            self.lines += [f"{copyto}({place}, {b})", f"{copyto}({place}, {a}, where={mask})"]
            return
        if is_copy(equation):
            self.lines.append(f"{place}[...] = {self.source_of(equation.inputs[0], None)}")
            return
        fn, args = ufunc_of(equation)
        operands = [self.source_of(a, d) for a, d in zip(args, loop(fn, args), strict=True)]
        comma = ", out=" if fn in KEYWORD_OUT else ", "
        self.lines.append(f"{w.bind(fn, fn.__name__ + '_')}({', '.join(operands)}{comma}{place})")


def write(w: Writer, equation: Equation) -> None:
    """Write one equation, a group or a single operation."""
    if equation.form == "group":
        write_group(w, equation)
    else:
        kernels.write(w, equation)


def write_group(w: Writer, equation: Equation) -> None:
    """Write a group: its function before the others, and its call."""
    body = Body(w, equation, f"group{len(w.functions)}")
    group = body.group
    body.write()
    names = ", ".join(["start", "stop", "room", *(name for name, _ in body.passed)])
    w.functions.append("\n".join([f"def {body.name}({names}):", *(f"    {line}" for line in body.lines or ["pass"])]))
    rooms = w.memory.rooms(group)
    given = "(" + "".join(f"{source}, " for _, source in body.passed) + ")"
    f, b, r = w.bind(groups.run, "run"), w.bind(group.bounds), w.bind(rooms)
    parts = f"parts = {f}({body.name}, {b}, {r}, {given})"
    w.lines.append(parts)
    for i, e in enumerate(group.sums):
        one = f"[p[{i}] for p in parts]"
        total = f"{w.bind(groups.added, 'added')}({one}, 0, {group.length}, {group.most})"
        _deliver(w, e, total)
    w.described.append(
        f"group of {len(group.equations)} operations on {group.shape}: {len(group.bounds)} blocks of "
        f"{math.prod(group.block)} entries, {len(group.scratch)} temporaries, {group.cores} cores"
        f"{', with sums' * bool(group.sums)}"
    )


def _deliver(w: Writer, equation: Equation, total: str) -> None:
    (out,), (x,) = equation.outputs, equation.inputs
    mean = row_of(equation).number == "mean"
    w.lines.append(
        f"{local(out)} = {w.bind(out.dtype.type)}({total} / {x.size})" if mean else f"{local(out)} = {total}"
    )
