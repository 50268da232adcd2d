"""Wide scalar graphs as operations on arrays: equal operations of one level are done at once.

All values live in one vector. The operations of a group write side by side; their operands are parts of the vector
where they happen to lie side by side too, and are gathered where not. A chain of additions, which is how a gradient of
many contributions and a neuron's sum come about, is one group whatever its length: rows are added in their order, which
is the order of the chain, so the bits are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..program.primitives import SUM, Kernel
from .scalars import Graph, replaying

LONG = 3  # terms from which on a chain of additions is one operation


class Group:
    """Equal operations of one level: results at [start, stop), operand j of each at columns[j]."""

    __slots__ = ("columns", "kernel", "start", "stop")

    def __init__(self, kernel: Kernel, start: int, columns: list[Any]) -> None:
        self.kernel = kernel
        self.start = start
        self.stop = start + len(columns[0])
        self.columns = columns


class Levelled:
    """Operations, and the numbers of those that are equal and of one level: under level, kernel, how many operands."""

    def __init__(self, operations: list[Any]) -> None:
        self.operations = operations
        self.members: dict[tuple[int, str, int], list[int]] = {}
        self.kernels: dict[str, Kernel] = {}


def level(graph: Graph) -> Levelled:
    """Sort operations into levels, and those of a level by what they are."""
    found = Levelled(collapsed(graph))
    members, kernels = found.members, found.kernels
    levels = [0] * (len(found.operations) + len(graph.sources))
    for k, made in enumerate(found.operations):
        if made is None:
            continue
        kernel, operands = made
        at = 0
        for o in operands:
            if levels[o] > at:
                at = levels[o]
        levels[k] = at + 1
        key = at + 1, kernel.name, len(operands)
        if (group := members.get(key)) is None:
            kernels[kernel.name] = kernel
            members[key] = [k]
        else:
            group.append(k)
    return found


def collapsed(graph: Graph) -> list[Any]:
    """Return the operations with each chain of additions, whose inner sums nobody else uses, as one sum."""
    operations = list(graph.operations)
    uses = [0] * (len(operations) + len(graph.sources))
    for _, operands in filter(None, operations):
        for o in operands:
            uses[o] += 1
    for k in graph.wanted:
        uses[k] += 2
    chains: dict[int, list[int]] = {}  # number of a sum -> its terms
    for k, made in enumerate(graph.operations):
        if made is None or made[0].f is not np.add:
            continue
        a, b = made[1]
        inner = [o for o in (a, b) if uses[o] == 1 and o in chains]  # a != b, since it is used once
        if not inner:
            chains[k] = [a, b]
            continue
        head = inner[0]
        chains[k] = chain = chains.pop(head)
        chain.append(b if head == a else a)
        operations[head] = None
    for k, chain in chains.items():
        if len(chain) >= LONG:
            operations[k] = SUM, tuple(chain)
    return operations


class Schedule:
    """Groups in order, and where every value stands in the vector: sources first, constants last among them."""

    def __init__(self, graph: Graph, size: int) -> None:
        self.groups: list[Group] = []
        self.place = np.full(size + len(graph.sources), -1)
        constant = [kind == "constant" for kind, _ in graph.sources]
        self.place[-1 - np.argsort(constant, kind="stable")] = np.arange(len(constant))
        self.constants = [what for kind, what in graph.sources if kind == "constant"]
        self.sources = self.size = len(constant)


def schedule(graph: Graph, levelled: Levelled) -> Schedule:
    """Give all values their places, operations of a group side by side."""
    operations = levelled.operations
    plan = Schedule(graph, len(operations))
    place, at = plan.place, plan.size
    for key in sorted(levelled.members):
        members = levelled.members[key]
        columns = place[np.array([operations[k][1] for k in members])].T
        order = np.lexsort(columns[::-1])  # by the place of the first operand, so that gathers go upwards
        place[np.array(members)[order]] = np.arange(at, at + len(members))
        plan.groups.append(Group(levelled.kernels[key[1]], at, list(np.ascontiguousarray(columns[:, order]))))
        at += len(members)
    plan.size = at
    return plan


class Workspace:
    """The vector of values, scratch, and the whole program bound to them: functions with their arguments."""

    def __init__(self, plan: Schedule) -> None:
        self.values = np.zeros(plan.size)
        self.given = self.values[: plan.sources - len(plan.constants)]
        self.values[len(self.given) : plan.sources] = plan.constants
        self.results = self.values[plan.sources :]
        self.scratch: dict[int, Any] = {}
        self.program: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        for group in plan.groups:
            self._bind(group)

    def _bind(self, group: Group) -> None:
        out = self.values[group.start : group.stop]
        if group.kernel is SUM:
            rows = np.stack(group.columns)
            if rows.shape[1] == 1:  # one chain alone: a reduction would add in pairs
                terms = self._gathered(rows[:, 0], 0)
                self.program += [(np.add.accumulate, (terms, 0, None, terms)), (_last, (terms, out))]
            else:  # from -0.0, to which it adds: 0.0 would lose the sign of a sum of those
                self.program.append((np.add.reduce, (self._gathered(rows, 0), 0, None, out, False, -0.0)))
            return
        operands = [self._operand(column, j) for j, column in enumerate(group.columns)]
        self.program.append((group.kernel.f, (*operands, out)))

    def _operand(self, column: Any, j: int) -> Any:
        """Return a part of the vector, or scratch that is gathered into first."""
        start, n = int(column[0]), len(column)
        if n == 1 or (column == start).all():
            return self.values[start : start + 1]
        if column[-1] - start == n - 1 and (np.diff(column) == 1).all():
            return self.values[start : start + n]
        return self._gathered(column, j)

    def _gathered(self, index: Any, j: int) -> Any:
        into = self.scratch.get(j)
        if into is None or into.size < index.size:
            into = self.scratch[j] = np.empty(index.size)
        into = into[: index.size].reshape(index.shape)
        index = np.ascontiguousarray(index, np.intp)
        self.program.append((self.values.take, (index, None, into, "clip")))
        return into


def _last(terms: Any, out: Any) -> None:
    out[0] = terms[-1]


def executor(graph: Graph, plan: Schedule) -> Callable[..., list[Any]]:
    """Return the function that runs the schedule; each call has a workspace of its own."""
    wanted = plan.place[graph.wanted]
    spare: list[Workspace] = []

    def compute(given: list[Any]) -> list[Any]:
        try:
            work = spare.pop()
        except IndexError:
            work = Workspace(plan)
        work.given[:] = given
        for f, args in work.program:
            f(*args)
        values = [*work.values.take(wanted), np.add.reduce(work.results)]
        spare.append(work)
        return values

    return replaying(graph, compute)
