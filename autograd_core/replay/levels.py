"""Wide scalar graphs as operations on arrays: equal operations of one level are done at once.

All values live in one vector. The operations of a group write side by side; their operands are parts of the vector
where they happen to lie side by side too, and are gathered where not. A chain of additions, which is how a gradient of
many contributions and a neuron's sum come about, is one group whatever its length: rows are added in their order, which
is the order of the chain, so the bits are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .scalars import SUM, Graph, Kernel, NotFinite, apply_effects, load, results

LONG = 3  # terms from which on a chain of additions is one operation


class Group:
    """Equal operations of one level: results at [start, stop), operand j of each at columns[j]."""

    __slots__ = ("columns", "kernel", "start", "stop")

    def __init__(self, kernel: Kernel, start: int, columns: list[Any]) -> None:
        self.kernel = kernel
        self.start = start
        self.stop = start + len(columns[0])
        self.columns = columns


class Schedule:
    """Groups in order, and where every value stands in the vector."""

    def __init__(self, groups: list[Group], place: Any) -> None:
        self.groups = groups
        self.place = place


class Levelled:
    """Operations, and the numbers of those that are equal and of one level: under level, kernel, how many operands."""

    def __init__(self) -> None:
        self.operations: list[tuple[Kernel, tuple[int, ...]] | None] = []
        self.members: dict[tuple[int, str, int], list[int]] = {}
        self.kernels: dict[str, Kernel] = {}


def level(graph: Graph) -> Levelled:
    """Sort operations into levels, and those of a level by what they are."""
    found, n = Levelled(), len(graph.sources)
    found.operations = collapsed(graph)
    levels = [0] * n
    members, kernels = found.members, found.kernels
    for k, made in enumerate(found.operations, n):
        if made is None:
            levels.append(0)
            continue
        kernel, operands = made
        at = 0
        for o in operands:
            if levels[o] > at:
                at = levels[o]
        levels.append(at + 1)
        key = at + 1, kernel.name, len(operands)
        if (group := members.get(key)) is None:
            kernels[kernel.name] = kernel
            members[key] = [k]
        else:
            group.append(k)
    return found


def schedule(graph: Graph, levelled: Levelled) -> Schedule:
    """Give all values their places, operations of a group side by side."""
    n, operations = len(graph.sources), levelled.operations
    place = np.full(n + len(operations), -1)
    place[:n] = np.arange(n)
    found, at = [], n
    for key in sorted(levelled.members):
        members = np.array(levelled.members[key])
        columns = place[np.array([operations[k - n][1] for k in members.tolist()])].T
        order = np.lexsort(columns[::-1])  # by the place of the first operand, so that gathers go upwards
        place[members[order]] = np.arange(at, at + len(members))
        found.append(Group(levelled.kernels[key[1]], at, list(np.ascontiguousarray(columns[:, order]))))
        at += len(members)
    return Schedule(found, place)


def collapsed(graph: Graph) -> list[tuple[Kernel, tuple[int, ...]] | None]:
    """Return the operations with each chain of additions, whose inner sums nobody else uses, as one sum."""
    n, operations = len(graph.sources), list[tuple[Kernel, tuple[int, ...]] | None](graph.operations)
    uses = [0] * (n + len(operations))
    for _, operands in graph.operations:
        for o in operands:
            uses[o] += 1
    for k in graph.wanted:
        uses[k] += 2
    terms: dict[int, list[int]] = {}
    for k, (kernel, operands) in enumerate(graph.operations, n):
        if kernel.f is np.add:
            a, b = operands
            head, tail = (b, a) if uses[b] == 1 and b in terms and not (uses[a] == 1 and a in terms) else (a, b)
            terms[k] = [*terms.pop(head), tail] if uses[head] == 1 and head in terms and a != b else [head, tail]
            if len(terms[k]) > 2:
                operations[head - n] = None
    for k, chain in terms.items():
        if len(chain) >= LONG:
            operations[k - n] = SUM, tuple(chain)
        elif operations[k - n] is not None:
            operations[k - n] = graph.operations[k - n]
    return operations


class Workspace:
    """The vector of values, scratch, and the whole program bound to them: functions with their arguments."""

    def __init__(self, graph: Graph, plan: Schedule, size: int) -> None:
        self.values = np.zeros(size)
        constants = [what for kind, what in graph.sources if kind == "constant"]
        self.first = len(graph.sources) - len(constants)
        self.values[self.first : len(graph.sources)] = constants
        self.last = len(graph.sources)
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
                return
            self.program.append((np.add.reduce, (self._gathered(rows, 0), 0, None, out)))
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
    size = int(plan.place.max()) + 1
    wanted = plan.place[graph.wanted]
    spare: list[Workspace] = []

    def replay(*given: Any) -> list[Any]:
        try:
            work = spare.pop()
        except IndexError:
            work = Workspace(graph, plan, size)
        work.values[: work.first] = load(graph, given)
        for f, args in work.program:
            f(*args)
        if graph.finite and not math.isfinite(np.add.reduce(work.values[work.last :])):
            spare.append(work)
            raise NotFinite
        values = list(work.values.take(wanted))
        spare.append(work)
        apply_effects(graph, values)
        return results(graph, values)

    return replay
