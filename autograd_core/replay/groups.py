"""Groups: runs of element-wise operations on large arrays, executed block by block while a block is in the cache.

A group reads its operands once and writes only what is needed outside; all else lives in a few buffers of one block's
size. Sums over all entries are taken along the way, with NumPy's own bits: the blocks are the parts into which its
pairwise summation halves an array, and partial sums are added up the same tree. Halves of the blocks go to two cores.
"""

from __future__ import annotations

import contextvars
import functools
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from ..program.primitives import chooses_or_zero, is_choice, is_copy, plain_ufunc, sums_all, ufunc_of
from ..program.program import Equation, Program, Variable, variables

LARGE = 1 << 15  # entries from which a group is worth its slices
BLOCK = 1 << 17  # bytes of one operand in a block: some six of them fit into a core's cache
SPLIT = 1 << 17  # entries from which half goes to another core
COUNTED = 8  # NumPy halves an array at multiples of this


class Group:
    """The operation of a group: its equations, and what of them is seen outside."""

    __name__ = "group"

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.flat = True  # no operand that is the same for all rows: the arrays are walked end to end
        self.equations: list[Equation] = []
        self.sums: list[Equation] = []
        self.made: set[Variable] = set()
        self.after: set[Variable] = set()  # results of sums, which are there when all blocks are done
        self.most = 1  # entries, or rows, of a block
        self.bounds: list[tuple[int, int]] = []  # of all blocks
        self.block: tuple[int, ...] = ()  # shape of the longest
        self.cores = 1
        self.inner: dict[Variable, int] = {}  # results that are not seen outside -> the temporary that holds them
        self.scratch: list[Any] = []  # dtypes of the temporaries

    @property
    def first(self) -> Variable:
        """Return its first result, by which it is known."""
        return self.equations[0].outputs[0]

    @property
    def length(self) -> int:
        """Entries, or rows, of the whole."""
        return math.prod(self.shape) if self.flat else self.shape[0]

    def rooms(self) -> list[int]:
        """Return the bytes of all temporaries on all cores."""
        return [math.prod(self.block) * dtype.itemsize for dtype in self.scratch] * self.cores

    def overwrites(self, out: Variable, olds: set[Variable]) -> bool:
        """Say whether a result may take the place of some operands: nobody reads them after it has been written."""
        at = next(i for i, e in enumerate(self.equations) if out in e.outputs)
        if any(not olds.isdisjoint(e.reads) for e in self.equations[at + 1 :]):
            return False
        return olds.isdisjoint(self.equations[at].reads) or plain_ufunc(self.equations[at]) is not None


# --- the pass ---------------------------------------------------------------------------------------------------------


def grouped(program: Program) -> Program:
    """Put runs of element-wise operations on arrays of one shape together."""
    if all(v.size < LARGE for e in program.equations for v in e.outputs):
        return program
    equations: list[Equation] = []
    now: Group | None = None
    for equation in program.equations:
        shape, reads = element_wise(equation), equation.reads
        if now is not None:
            if shape == now.shape and now.after.isdisjoint(reads):
                _take(now, equation)
                continue
            if sums_all(equation) and not now.made.isdisjoint(reads):
                now.sums.append(equation)
                now.after.update(equation.outputs)
                continue
            if not equation.effect and now.made.isdisjoint(reads) and now.after.isdisjoint(reads):
                equations.append(equation)  # it does not need the group, and goes before it
                continue
            _close(now, equations)
            now = None
        if shape is not None:
            now = Group(shape)
            _take(now, equation)
        else:
            equations.append(equation)
    if now is not None:
        _close(now, equations)
    _results(equations, program.outputs)
    return program.rewritten(equations)


def _take(group: Group, equation: Equation) -> None:
    group.equations.append(equation)
    group.made.update(equation.outputs)


def _close(group: Group, equations: list[Equation]) -> None:
    """Write a group down as one equation, or its only equation as it was."""
    if len(group.equations) == 1 and not group.sums and group.first.size < SPLIT:
        equations += group.equations
        return
    inside = {v for e in group.equations for v in e.outputs}
    inputs = dict.fromkeys(v for e in group.equations for v in e.reads if v not in inside)
    group.flat = all(v.shape in ((), group.shape) for v in inputs)
    sums = group.sums
    if not group.flat:  # rows, whose sums do not come by halves
        group.sums = []
    outputs = tuple(v for e in (*group.equations, *group.sums) for v in e.outputs)
    equations.append(Equation(group, group, tuple(inputs), {}, outputs, several=True))
    equations += sums if not group.flat else []


def _results(equations: list[Equation], outputs: list[Any]) -> None:
    """Let groups have those results only that are read outside."""
    used = set(variables(outputs)).union(*[e.reads for e in equations])
    for equation in equations:
        if isinstance(equation.call, Group):
            equation.outputs = tuple(v for v in equation.outputs if v in used)
            _cut(equation.call)
            _assign(equation.call, set(equation.outputs))


def _cut(group: Group) -> None:
    """Choose a group's blocks, and on how many cores they are walked."""
    each = 1 if group.flat else math.prod(group.shape[1:])
    size = max(e.outputs[0].dtype.itemsize for e in group.equations)
    group.most = max(1, BLOCK // size // each)
    group.bounds = (halves if group.flat else rows)(0, group.length, group.most)
    longest = max(b - a for a, b in group.bounds)
    group.block = (longest,) if group.flat else (longest, *group.shape[1:])
    group.cores = cores() if group.length * each >= SPLIT and len(group.bounds) > 1 else 1


def _assign(group: Group, seen: set[Variable]) -> None:
    """Give results that are not seen outside as few temporaries as they need."""
    last = {v: i for i, e in enumerate(group.equations) for v in e.reads}
    last |= {e.inputs[0]: len(group.equations) for e in group.sums}
    free: dict[Any, list[int]] = {}
    for i, equation in enumerate(group.equations):
        out = equation.outputs[0]
        dying = [v for v in dict.fromkeys(equation.reads) if last.get(v) == i and v in group.inner]
        if out not in seen:
            over = (v for v in dying if ufunc_of(equation) is not None and v.dtype == out.dtype)
            if (old := next(over, None)) is not None:
                dying.remove(old)
                group.inner[out] = group.inner[old]
            elif free.get(out.dtype):
                group.inner[out] = free[out.dtype].pop()
            else:
                group.inner[out] = len(group.scratch)
                group.scratch.append(out.dtype)
            if out not in last:
                dying.append(out)
        for v in dying:
            free.setdefault(v.dtype, []).append(group.inner[v])


def element_wise(equation: Equation) -> tuple[int, ...] | None:
    """Return the shape of the result if an equation goes entry by entry over large arrays as they lie in memory."""
    if equation.effect or len(equation.outputs) != 1 or equation.several:
        return None
    out = equation.outputs[0]
    if not out.shape or out.size < LARGE or out.axes is not None or not known(equation):
        return None
    for a in equation.inputs:
        if type(a) is Variable and a.shape:
            whole = a.shape == out.shape and a.axes is None and a.contiguous
            if not (whole or (len(out.shape) > 1 and across(a.shape, out.shape))):
                return None
        elif isinstance(a, np.ndarray | list | tuple):
            return None
    return tuple(out.shape)


def known(equation: Equation) -> bool:
    """Say whether it is one of the operations that a group can write down."""
    if ufunc_of(equation) is not None or chooses_or_zero(equation):
        return True
    if is_copy(equation):
        return bool(equation.inputs[0].shape == equation.outputs[0].shape)
    return is_choice(equation)


def across(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Say whether an operand is the same for every part along the first axis."""
    return len(shape) < len(whole) or (len(shape) == len(whole) and shape[0] == 1)


# --- blocks -----------------------------------------------------------------------------------------------------------


def halves(start: int, stop: int, most: int) -> list[tuple[int, int]]:
    """Return the parts into which NumPy's pairwise summation halves a range, none longer than `most`.

    Examples
    --------
    >>> halves(0, 1000, 300)
    [(0, 248), (248, 496), (496, 744), (744, 1000)]
    """
    n = stop - start
    if n <= max(most, 128):
        return [(start, stop)]
    middle = start + n // 2 - n // 2 % COUNTED
    return halves(start, middle, most) + halves(middle, stop, most)


def added(parts: list[Any], start: int, stop: int, most: int) -> Any:
    """Add partial sums up the tree of `halves`."""
    left = iter(parts)

    def tree(start: int, stop: int) -> Any:
        n = stop - start
        if n <= max(most, 128):
            return next(left)
        middle = start + n // 2 - n // 2 % COUNTED
        first = tree(start, middle)
        return first + tree(middle, stop)

    return tree(start, stop)


def rows(start: int, stop: int, most: int) -> list[tuple[int, int]]:
    """Return ranges of rows."""
    return [(a, min(a + most, stop)) for a in range(start, stop, most)]


def run(fn: Callable[..., Any], bounds: list[tuple[int, int]], rooms: list[Any], args: tuple[Any, ...]) -> list[Any]:
    """Call a group for each block, the second half of them on another core if there are two rooms to work in."""
    if len(rooms) == 1:
        return _part(fn, bounds, rooms[0], args)
    middle = len(bounds) // 2
    other = worker().submit(contextvars.copy_context().run, _part, fn, bounds[middle:], rooms[1], args)
    try:
        return _part(fn, bounds[:middle], rooms[0], args) + other.result()
    except BaseException:
        other.exception()  # waits for it: it writes into arrays that are to be put back
        raise


def _part(fn: Callable[..., Any], bounds: list[tuple[int, int]], room: Any, args: tuple[Any, ...]) -> list[Any]:
    return [fn(a, b, room, *args) for a, b in bounds]


@functools.cache
def worker() -> Any:
    """Return the thread that works beside the caller's."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(cores() - 1, "autograd_core.replay")


if hasattr(os, "register_at_fork"):  # a child has no such thread, and would wait for it for ever
    os.register_at_fork(after_in_child=worker.cache_clear)


@functools.cache
def cores() -> int:
    """Return how many cores we may use, at most two: more would wait for memory."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(2, available)
