"""Passes: functions from a program to a better one that computes the same bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .calls import is_harmless, is_locked
from .primitives import is_stretch, may_raise, plain_ufunc, row_of
from .program import SEQUENCES, Equation, Program, Variable, replaced, variables

ndarray = np.ndarray
FOLDED = 1 << 20  # bytes up to which a constant is computed once and kept


def optimised(program: Program) -> Program:
    """Apply all passes: one walk forwards for what looks at an equation and those before it, one back for dead code."""
    return raised_first(without_dead(forwards(program)))


def forwards(program: Program) -> Program:
    """Fold constants, take operands unstretched, leave out what changes nothing, compute once what is the same."""
    stretched, seen = Stretched(), dict[Any, Variable]()
    moving = changing(program)
    by: dict[Variable, Any] = {}
    kept = []
    for equation in program.equations:
        equation = equation.exchanged(by)
        if not moving.isdisjoint(equation.shares):
            moving.update(equation.outputs)
        if not equation.effect and len(equation.outputs) == 1:
            out = equation.outputs[0]
            if (constant := folded(equation)) is not None:
                by[out] = constant
                continue
            equation = stretched.undone(equation)
            same = unchanged(equation)
            if same is None or same in moving:  # a copy of a parameter is no copy any more when that has changed
                same = merged(seen, equation)
            if same is not None:
                by[out] = same
                continue
        kept.append(equation)
    outputs = replaced(program.outputs, lambda v: by.get(v, v)) if by else program.outputs
    return program.rewritten(kept, outputs)


def changing(program: Program) -> set[Variable]:
    """Return the variables of memory that the program, or what it calls, writes into."""
    if not any(equation.effect in ("assign", "call") for equation in program.equations):
        return set()
    return {v for v in program.variables if v.kind == "tensor" or (v.kind == "constant" and type(v.source) is ndarray)}


# --- constants --------------------------------------------------------------------------------------------------------


def folded(equation: Equation) -> Variable | None:
    """Return a constant in place of what depends on numbers, and on arrays that nobody can write into; else None."""
    out, reads = equation.outputs[0], equation.reads
    if not reads or equation.several or equation.call is None or out.nbytes > FOLDED:
        return None
    if not all(v.kind == "constant" and never_changes(v.source) for v in reads):
        return None
    look = lambda v: v.source
    value = equation.call(*replaced(equation.inputs, look), **replaced(equation.params, look))
    if type(value) is ndarray:
        value.flags.writeable = False
    found = Variable(out.number, "constant", value, value, out.weak)
    found.value = None
    return found


def never_changes(source: Any) -> bool:
    """Say whether a constant is a number, or an array that nobody can write into."""
    return type(source) is not ndarray or is_locked(source)


# --- stretched operands -----------------------------------------------------------------------------------------------


class Stretched:
    """Element-wise operations read what was stretched, where another operand has the shape anyway."""

    def __init__(self) -> None:
        self.before: dict[Variable, Any] = {}  # a stretched array -> what it was made of

    def entry(self, v: Any) -> Any:
        """Return what an operand was before it was stretched; None if it was not."""
        if type(v) is not Variable:
            return None
        if v not in self.before and v.kind == "constant":
            a = v.source
            if type(a) is ndarray and a.ndim and a.size and not any(a.strides) and is_locked(a):
                self.before[v] = a[(0,) * a.ndim]
        return self.before.get(v)

    def undone(self, equation: Equation) -> Equation:
        """Return an equation that reads stretched operands as they were, if it can."""
        if is_stretch(equation) and type(equation.inputs[0]) is Variable:
            self.before[equation.outputs[0]] = equation.inputs[0]
        elif plain_ufunc(equation) is not None:
            for i, a in enumerate(equation.inputs):
                if (entry := self.entry(a)) is not None:
                    inputs = (*equation.inputs[:i], entry, *equation.inputs[i + 1 :])
                    shapes = [b.shape for b in inputs if type(b) is Variable]
                    if np.broadcast_shapes(*shapes) == equation.outputs[0].shape:
                        equation = equation.reading(inputs, equation.params, equation.shares)
        return equation


# --- cheap algebra ----------------------------------------------------------------------------------------------------


def unchanged(equation: Equation) -> Variable | None:
    """Return the operand that the result of an equation equals, in shape and dtype too; None if there is none.

    That is x * 1, x / 1, x - 0, x + -0.0, of integers also x + 0, and masks compared with 0. Not x + 0.0, as the sum of
    0.0 and -0.0 is 0.0; nor anything of complex numbers, whose infinities become NaN beside a 1.
    """
    row = row_of(equation)
    if row.neutral is None or len(equation.inputs) != 2 or equation.params:
        return None
    a, b = equation.inputs
    out = equation.outputs[0]
    for x, y in ((a, b), (b, a)) if row.commutes else ((a, b),):
        if type(x) is Variable and _is_number(y, row.neutral, out.dtype.kind):
            alike = (x.shape, x.dtype, x.weak) == (out.shape, out.dtype, out.weak)
            if alike and (x.contiguous or not x.shape):
                return x
    return None


NUMBERS = (int, float, np.number)


def _is_number(y: Any, value: float, kind: str) -> bool:
    """Say whether a literal is a number, with its sign where the result has signed zeros."""
    if not isinstance(y, NUMBERS) or isinstance(y, bool | np.complexfloating) or y != value or kind == "c":
        return False
    return kind != "f" or math.copysign(1, y) == math.copysign(1, value)


# --- common sub-expressions -------------------------------------------------------------------------------------------


def merged(seen: dict[Any, Variable], equation: Equation) -> Variable | None:
    """Return the result of the same operation on the same values, if there has been one."""
    named = _key(equation.params) if equation.params else None
    key = equation.operation, equation.several, _key(equation.inputs), named
    try:
        found = seen.get(key)
    except TypeError:  # something in it cannot be hashed
        return None
    if found is None:
        seen[key] = equation.outputs[0]
    return found


def _key(tree: Any) -> Any:
    """Return something that is equal for equal operands: a variable itself, a pair with its type for others."""
    kind = type(tree)
    if kind is Variable:
        return tree
    if kind is tuple or kind is list or isinstance(tree, SEQUENCES):
        return (kind, *[_key(v) for v in tree])
    if kind is dict:
        return (dict, *[(k, _key(v)) for k, v in tree.items()])
    if kind is slice:
        return slice, _key(tree.start), _key(tree.stop), _key(tree.step)
    if kind is float:
        return kind, tree.hex()  # 0.0 and -0.0 are different
    if isinstance(tree, np.generic):
        return kind, tree.tobytes()
    return kind, repr(tree) if kind is complex else tree


# --- dead code --------------------------------------------------------------------------------------------------------


def without_dead(program: Program) -> Program:
    """Leave out what nobody reads."""
    used = set(variables(program.outputs))
    kept = []
    for equation in reversed(program.equations):
        if equation.effect or not used.isdisjoint(equation.outputs):
            used.update(equation.reads)
            kept.append(equation)
    return program.rewritten(kept[::-1])


# --- what may raise ---------------------------------------------------------------------------------------------------


def raised_first(program: Program) -> Program:
    """Move what may raise, and does not depend on a change to the world, before the first change.

    A call that fails puts back what it has changed. For that it makes copies, unless nothing raises after the changes.
    """
    equations = program.equations
    start = next((i for i, equation in enumerate(equations) if equation.effect == "assign"), None)
    if start is None:
        return program
    moving, made, floor = changing(program), dict[Variable, int](), 0
    chosen: dict[int, list[Equation]] = {}  # number of the equation before which they come -> equations
    moved: set[int] = set()
    late = wanted(equations, start)
    for i, equation in enumerate(equations):
        if not moving.isdisjoint(equation.shares):
            moving.update(equation.outputs)
        if equation.effect == "call" and not is_harmless(equation):
            floor = i + 1
        at = max([floor, *(made.get(v, -1) + 1 for v in equation.reads)])
        if i in late and at <= start and moving.isdisjoint(equation.reads):
            chosen.setdefault(at, []).append(equation)
            moved.add(i)
            made |= dict.fromkeys(equation.outputs, at - 1)
        else:
            made |= dict.fromkeys(equation.outputs, i)
    if not moved:
        return program
    order = [[*chosen.get(i, ()), *([] if i in moved else [equation])] for i, equation in enumerate(equations)]
    return program.rewritten([equation for some in order for equation in some])


def wanted(equations: list[Equation], start: int) -> set[int]:
    """Return the numbers of equations from one on that may raise, and of those that they need."""
    found, needed = set[int](), set[Variable]()
    for i in range(len(equations) - 1, start, -1):
        equation = equations[i]
        if not equation.effect and (may_raise(equation) or not needed.isdisjoint(equation.outputs)):
            found.add(i)
            needed.update(equation.reads)
    return found
