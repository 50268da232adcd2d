"""Modules and repeats: runs of vertices in the order of execution.

A run of a topological order can always be drawn as one box: no edge leaves it and comes back. So a scope that is
entered twice is two boxes, and there is never a false loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .data import Graph, Module
from .view import LEAVES, put_in_order

CANDIDATES = 24  # distances tried as periods in one pass
PASSES = 30
COPIES = 4  # so many equal blocks make a repeat
DEEPEST = 40  # boxes in boxes; a recursive program may enter thousands of scopes


@dataclass(slots=True)
class Unit:
    """A vertex, or a module, among its siblings."""

    first: int
    last: int
    module: int | None = None


def find_modules(graph: Graph, fold: bool = True) -> None:
    """Find the runs of equal scopes in a graph, and if wanted the repeats among siblings; outer ones come first."""
    graph.modules.clear()
    prints = Prints(graph) if fold else None
    top = _level(graph, 0, len(graph.vertices), 0, None, prints)
    if prints is not None:
        _repeats(graph, top, None, prints)
        _tell_hidden(graph)
    put_in_order(graph)


def _tell_hidden(graph: Graph) -> None:
    """Let repeats know of the blocks in their middle that have no vertices: the innermost around a gap."""
    for gap in graph.gaps:
        around = [m for m in graph.modules if m.first < gap.at < m.last and m.times > 1]
        if around:
            min(around, key=lambda m: m.last - m.first).hidden += gap.copies


def _level(
    graph: Graph, first: int, last: int, depth: int, parent: int | None, prints: Prints | None, level: int = 0
) -> list[Unit]:
    """Make the modules among the vertices from `first` up to `last`, whose scopes agree down to `depth`."""
    units: list[Unit] = []
    start = first
    while start < last:
        path = graph.vertices[start].path
        if len(path) <= depth:
            units.append(Unit(start, start + 1))
            start += 1
            continue
        end = start
        while end < last and graph.vertices[end].path[depth : depth + 1] == path[depth : depth + 1]:
            end += 1
        made: int | None = None
        names = _nested(graph, start, end, depth)
        if end - start > 1 and level < DEEPEST:
            made = len(graph.modules)
            graph.modules.append(Module(" / ".join(names), start, end, parent))
            inside = _level(graph, start, end, depth + len(names), made, prints, level + 1)
        else:
            inside = [Unit(k, k + 1) for k in range(start, end)]
        if prints is not None and made is not None:
            _repeats(graph, inside, made, prints)
        units += [Unit(start, end, made)] if made is not None else inside
        start = end
    return units


def _nested(graph: Graph, first: int, last: int, depth: int) -> list[str]:
    """Return the scope that vertices have at a depth, and those inside that hold all of them, too: one box for all."""
    names = [graph.vertices[first].path[depth]]
    deepest = min(len(graph.vertices[k].path) for k in range(first, last))
    for d in range(depth + 1, deepest):
        name = graph.vertices[first].path[d]
        if any(graph.vertices[k].path[d] != name for k in range(first + 1, last)):
            break
        names.append(name)
    return names


# ----------------------------------------------------------------------------------------------------------------------
# Repeats
# ----------------------------------------------------------------------------------------------------------------------


class Prints:
    """What a vertex looks like, alone and with its surroundings: operands and users by their distance.

    All of it as whole numbers, equal where the looks are: 10^6 vertices are compared in milliseconds.
    """

    def __init__(self, graph: Graph) -> None:
        vertices = graph.vertices
        users: list[list[int]] = [[] for _ in vertices]
        for e in graph.edges:
            users[e.source].append(e.target - e.source)
        alone: dict[Any, int] = {}
        inputs: dict[Any, int] = {}
        exits: dict[Any, int] = {}
        looks: list[tuple[int, int, int]] = []
        leaf = [v.role in LEAVES for v in vertices]
        for k, v in enumerate(vertices):
            n = len(v.operands)
            sources = [
                o if o.__class__ is not int else ("at", o) if leaf[o] and o < k - n else k - o for o in v.operands
            ]
            looks.append(
                (
                    alone.setdefault((v.role, v.op, v.label, v.shape, v.dtype, n), len(alone)),
                    inputs.setdefault(tuple(sources), len(inputs)),
                    exits.setdefault(tuple(users[k]), len(exits)),
                )
            )
        self.alone, self.inputs, self.exits = np.array(looks, np.int64).reshape(-1, 3).T
        self.whole = (self.alone * len(inputs) + self.inputs) * len(exits) + self.exits

    def first_copy(self, a: int, b: int, length: int, graph: Graph) -> bool:
        """Say whether the block at `a` is that at `b`, but for where its operands from outside come from."""
        here, there = slice(a, a + length), slice(b, b + length)
        if (self.alone[here] != self.alone[there]).any() or (self.exits[here] != self.exits[there]).any():
            return False
        for k in range(length):
            for o, p in zip(graph.vertices[a + k].operands, graph.vertices[b + k].operands, strict=True):
                if isinstance(o, int) and isinstance(p, int):
                    if not (o < a and p < b) and a - o != b - p:
                        return False
                elif o != p:
                    return False
        return True

    def last_copy(self, a: int, b: int, length: int) -> bool:
        """Say whether the block at `b` is that at `a`, but for who uses its results."""
        here, there = slice(a, a + length), slice(b, b + length)
        return not ((self.alone[here] != self.alone[there]).any() or (self.inputs[here] != self.inputs[there]).any())


def _repeats(graph: Graph, units: list[Unit], parent: int | None, prints: Prints) -> None:
    """Fold equal blocks among siblings, in place; again and again, since folded blocks may repeat too."""
    for _ in range(PASSES):
        if len(units) < COPIES:
            return
        best = best_period(_looks(graph, units, prints))
        if best is None:
            return
        period, runs = best
        made = _fold_runs(graph, units, period, runs, parent, prints)
        if made is None:
            return
        units[:] = made


def _looks(graph: Graph, units: Sequence[Unit], prints: Prints) -> Any:
    """Return a number for each unit, equal where they look the same; those of modules are negative."""
    found = prints.whole[np.fromiter((u.first for u in units), np.int64, len(units))]
    seen: dict[Any, int] = {}
    for i, u in enumerate(units):
        if u.module is not None:
            look = (graph.modules[u.module].times, *prints.whole[u.first : u.last].tolist())
            found[i] = -1 - seen.setdefault(look, len(seen))
    return found


def best_period(ids: Any) -> tuple[int, list[tuple[int, int]]] | None:
    """Return the period that folds most, and the runs (start, length) of units equal to those one period later."""
    turn = np.argsort(ids, kind="stable")
    same = ids[turn][1:] == ids[turn][:-1]
    distances = (turn[1:] - turn[:-1])[same]
    if not distances.size:
        return None
    counts = np.bincount(distances)
    ranked = np.argsort(-counts, kind="stable")[:CANDIDATES]
    best: tuple[int, int, list[tuple[int, int]]] | None = None
    for k in sorted(int(k) for k in ranked if counts[k]):
        equal = np.concatenate([[False], ids[:-k] == ids[k:], [False]])
        edges = np.flatnonzero(equal[1:] != equal[:-1])
        runs = [(int(a), int(b - a)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= k]
        saved = sum(r // k * k for _, r in runs)
        if runs and (best is None or saved > best[0]):
            best = (saved, k, runs)
    return None if best is None else (best[1], best[2])


def _fold_runs(
    graph: Graph, units: list[Unit], period: int, runs: Sequence[tuple[int, int]], parent: int | None, prints: Prints
) -> list[Unit] | None:
    """Replace the runs of one period by folded units; None if none of them is long enough."""
    made: list[Unit] = []
    done = 0
    for start, length in runs:
        if start < done:
            continue
        copies = length // period + 1
        size = units[start + period].first - units[start].first if start + period < len(units) else 0
        a = start
        before = a - period >= done and units[a].first - units[a - period].first == size
        if before and prints.first_copy(units[a - period].first, units[a].first, size, graph):
            a -= period
            copies += 1
        end = a + copies * period
        last = units[a].first + (copies - 1) * size
        fits = end + period <= len(units) and units[end + period - 1].last == last + 2 * size
        if fits and prints.last_copy(last, last + size, size):
            copies += 1
            end += period
        if copies < COPIES:
            continue
        made += units[done:a]
        made.append(_folded(graph, units[a:end], copies, parent))
        _repeats(graph, units[a : a + period], made[-1].module, prints)  # blocks inside the first of them
        done = end
    return None if not done else [*made, *units[done:]]


def _folded(graph: Graph, units: Sequence[Unit], copies: int, parent: int | None) -> Unit:
    """Make the module of a repeat, and put what it repeats inside it."""
    m = len(graph.modules)
    first, last = units[0].first, units[-1].last
    names = [graph.modules[u.module].name for u in units if u.module is not None]
    name = f"{names[0]} … {names[-1]}" if names else "repeated"
    graph.modules.append(Module(name, first, last, parent, copies))
    for u in units:
        if u.module is not None:
            graph.modules[u.module].parent = m
    return Unit(first, last, m)
