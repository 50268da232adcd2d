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

from ..ops import reduce
from .forms import elementwise_ufunc, is_copy, is_mean, selects_or_zero, ufunc_of
from .plan import Plan, Ref, Step, refs

LARGE = 1 << 15  # entries from which a group is worth its slices
BLOCK = 1 << 17  # bytes of one operand in a block: some six of them fit into a core's cache
SPLIT = 1 << 17  # entries from which half goes to another core
COUNTED = 8  # NumPy halves an array at multiples of this


class Group:
    """The operation of a group: its steps, and what of them is seen outside."""

    __name__ = "group"

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.flat = True  # no operand that is the same for all rows: the arrays are walked end to end
        self.steps: list[Step] = []
        self.sums: list[Step] = []
        self.made: set[int] = set()
        self.after: set[int] = set()  # results of sums, which are there when all blocks are done
        self.most = 1  # entries, or rows, of a block
        self.bounds: list[tuple[int, int]] = []  # of all blocks
        self.block: tuple[int, ...] = ()  # shape of the longest
        self.cores = 1
        self.inner: dict[int, int] = {}  # results that are not seen outside -> the temporary that holds them
        self.scratch: list[Any] = []  # dtypes of the temporaries

    @property
    def first(self) -> int:
        """The slot of its first result, by which it is known."""
        return self.steps[0].outs[0]

    @property
    def length(self) -> int:
        """Entries, or rows, of the whole."""
        return math.prod(self.shape) if self.flat else self.shape[0]

    def rooms(self) -> list[int]:
        """Return the bytes of all temporaries on all cores."""
        return [math.prod(self.block) * dtype.itemsize for dtype in self.scratch] * self.cores

    def overwrites(self, k: int, olds: set[int]) -> bool:
        """Say whether result `k` may take the place of some operands: nobody reads them after it has been written."""
        at = next(i for i, s in enumerate(self.steps) if k in s.outs)
        if any(not olds.isdisjoint(s.reads) for s in self.steps[at + 1 :]):
            return False
        return olds.isdisjoint(self.steps[at].reads) or elementwise_ufunc(self.steps[at]) is not None


# --- the pass ---------------------------------------------------------------------------------------------------------


def group(plan: Plan) -> None:
    """Put runs of element-wise operations on arrays of one shape together."""
    if all(slot.size < LARGE for slot in plan.slots):
        return
    steps: list[Step] = []
    now: Group | None = None
    for step in plan.steps:
        shape, reads = element_wise(plan, step), step.reads
        if now is not None:
            if shape == now.shape and now.after.isdisjoint(reads):
                _take(now, step)
                continue
            if sums_all(plan, step) and not now.made.isdisjoint(reads):
                now.sums.append(step)
                now.after.update(step.outs)
                continue
            if not step.effect and now.made.isdisjoint(reads) and now.after.isdisjoint(reads):
                steps.append(step)  # it does not need the group, and goes before it
                continue
            _close(plan, now, steps)
            now = None
        if shape is not None:
            now = Group(shape)
            _take(now, step)
        else:
            steps.append(step)
    if now is not None:
        _close(plan, now, steps)
    plan.steps = steps
    _results(plan)


def _take(group: Group, step: Step) -> None:
    group.steps.append(step)
    group.made.update(step.outs)


def _close(plan: Plan, group: Group, steps: list[Step]) -> None:
    """Write a group down as one step, or its only step as it was."""
    size = plan.slots[group.steps[0].outs[0]].size
    if len(group.steps) == 1 and not group.sums and size < SPLIT:
        steps += group.steps
        return
    inside = {k for s in group.steps for k in s.outs}
    inputs = dict.fromkeys(k for s in group.steps for k in s.reads if k not in inside)
    group.flat = all(plan.slots[k].shape in ((), group.shape) for k in inputs)
    sums = group.sums
    if not group.flat:  # rows, whose sums do not come by halves
        group.sums = []
    outs = tuple(k for s in (*group.steps, *group.sums) for k in s.outs)
    steps.append(Step(group, tuple(Ref(k) for k in inputs), {}, outs, several=True))
    steps += sums if not group.flat else []


def _results(plan: Plan) -> None:
    """Let groups have those results only that are read outside."""
    used = set(refs(plan.outputs)).union(*[s.reads for s in plan.steps])
    for step in plan.steps:
        if isinstance(step.fn, Group):
            step.outs = tuple(k for k in step.outs if k in used)
            _cut(plan, step.fn)
            _assign(plan, step.fn, set(step.outs))


def _cut(plan: Plan, group: Group) -> None:
    """Choose a group's blocks, and on how many cores they are walked."""
    each = 1 if group.flat else math.prod(group.shape[1:])
    size = max(plan.slots[s.outs[0]].dtype.itemsize for s in group.steps)
    group.most = max(1, BLOCK // size // each)
    group.bounds = (halves if group.flat else rows)(0, group.length, group.most)
    longest = max(b - a for a, b in group.bounds)
    group.block = (longest,) if group.flat else (longest, *group.shape[1:])
    group.cores = cores() if group.length * each >= SPLIT and len(group.bounds) > 1 else 1


def _assign(plan: Plan, group: Group, seen: set[int]) -> None:
    """Give results that are not seen outside as few temporaries as they need."""
    last = {k: i for i, s in enumerate(group.steps) for k in s.reads}
    last |= {s.args[0].slot: len(group.steps) for s in group.sums}
    free: dict[Any, list[int]] = {}
    for i, step in enumerate(group.steps):
        k = step.outs[0]
        kind = plan.slots[k].dtype
        dying = [q for q in dict.fromkeys(step.reads) if last.get(q) == i and q in group.inner]
        if k not in seen:
            over = (q for q in dying if ufunc_of(step) is not None and plan.slots[q].dtype == kind)
            if (q := next(over, None)) is not None:
                dying.remove(q)
                group.inner[k] = group.inner[q]
            elif free.get(kind):
                group.inner[k] = free[kind].pop()
            else:
                group.inner[k] = len(group.scratch)
                group.scratch.append(kind)
            if k not in last:
                dying.append(k)
        for q in dying:
            free.setdefault(plan.slots[q].dtype, []).append(group.inner[q])


def element_wise(plan: Plan, step: Step) -> tuple[int, ...] | None:
    """Return the shape of the result if a step goes entry by entry over large arrays as they lie in memory."""
    if step.effect or len(step.outs) != 1 or step.tuple:
        return None
    out = plan.slots[step.outs[0]]
    if not out.shape or out.size < LARGE or out.axes is not None or not known(plan, step):
        return None
    for a in step.args:
        if type(a) is Ref and (s := plan.slots[a.slot]).shape:
            whole = s.shape == out.shape and s.axes is None and s.forc
            if not (whole or (len(out.shape) > 1 and across(s.shape, out.shape))):
                return None
        elif isinstance(a, np.ndarray | list | tuple):
            return None
    return out.shape


def known(plan: Plan, step: Step) -> bool:
    """Say whether it is one of the operations that a group can write down."""
    if ufunc_of(step) is not None or selects_or_zero(plan, step):
        return True
    if is_copy(step):
        return plan.slots[step.args[0].slot].shape == plan.slots[step.outs[0]].shape
    return step.told is np.where and len(step.args) == 3 and type(step.args[0]) is Ref


def across(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Say whether an operand is the same for every part along the first axis."""
    return len(shape) < len(whole) or (len(shape) == len(whole) and shape[0] == 1)


def sums_all(plan: Plan, step: Step) -> bool:
    """Say whether a step is the sum or the mean over all entries, as a number."""
    if step.effect or len(step.outs) != 1 or len(step.args) != 1 or type(step.args[0]) is not Ref:
        return False
    slot = plan.slots[step.args[0].slot]
    plain = slot.dtype is not None and slot.dtype.kind == "f" and slot.dtype.itemsize > 2
    return plain and not plan.slots[step.outs[0]].shape and (step.told is reduce.total or is_mean(plan, step))


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
