"""What a picture shows, as plain data: no arrays, no Tensors, so a picture keeps nothing alive.

Vertices stand in the order of execution, and an edge points at them by position: the same program gives the same data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .numbers import Stats, is_broken, norm_of


@dataclass(slots=True)
class Vertex:
    """A value of the program: made by an operation, or there from the start."""

    role: str  # input, parameter, constant, operation, output
    op: str = ""
    name: str = ""
    shape: tuple[int, ...] | None = None  # None: not known
    dtype: str = ""
    operands: tuple[int | str | None, ...] = ()  # a position, the text of a number, or None for what nobody has kept
    path: tuple[str, ...] = ()  # the scopes it was computed in
    label: str = ""  # its operation as a symbol, numbers among the operands included
    rule: Any = None  # the row of the table, for formulas
    metadata: dict[str, Any] = field(default_factory=dict)  # what of it is small
    value: Stats | None = None
    gradient: Stats | None = None
    accumulated: Stats | None = None
    why_none: str | None = None
    source: str | None = None


@dataclass(slots=True)
class Edge:
    """A value used as an argument; `flow` is what comes back along it."""

    source: int
    target: int
    argument: int
    flow: Stats | None = None


@dataclass(slots=True)
class Module:
    """A run of vertices, from `first` up to `last`, computed in one scope, repeated, or summed up."""

    name: str
    first: int
    last: int
    parent: int | None = None
    times: int = 1  # so often stands a block of this length in the run
    opens: bool = True
    hidden: int = 0  # blocks in the middle that have no vertices

    @property
    def copies(self) -> int:
        """Return how often the block was computed."""
        return self.times + self.hidden

    @property
    def period(self) -> int:
        """Return how many vertices one copy has."""
        return (self.last - self.first) // self.times


@dataclass(slots=True)
class Gap:
    """Blocks in the middle of a repeat that have no vertices."""

    at: int  # the vertex before which they are left out
    copies: int
    nodes: int
    operations: int
    parameters: int  # numbers in them
    ranges: dict[int, tuple[float, float]]  # of the gradients of what a vertex of the block behind them stands for
    terms: dict[int, int]  # contributions that they send to a vertex


SCALAR = ((), (1,), (1, 1), None)


class Columns:
    """What views of a graph ask again and again, as arrays: 10^6 vertices are looked at once, not for every box.

    Attributes
    ----------
    sources, targets, arguments, flows : arrays with an entry for each edge
        `flows` are norms, −1 where nothing flows.
    gradients, broken_values, broken_gradients : arrays with an entry for each vertex
        Norms, −1 where there is no gradient; whether an entry is NaN or infinite.
    terms : list of int
        Of how many contributions the gradient of each vertex is the sum.
    operations : array
        How many operations come before each vertex.
    scalar : bool
        Whether all there is are numbers.
    """

    def __init__(self, graph: Graph) -> None:
        edges = graph.edges
        self.sources, self.targets, self.arguments = (
            np.fromiter(of, np.int64, len(edges))
            for of in ((e.source for e in edges), (e.target for e in edges), (e.argument for e in edges))
        )
        self.flows = norms([e.flow for e in edges])
        self.gradients = norms([v.gradient for v in graph.vertices])
        self.broken_values = broken([v.value for v in graph.vertices])
        self.broken_gradients = broken([v.gradient for v in graph.vertices], self.gradients)
        self.terms = np.bincount(self.sources[~(self.flows < 0)], minlength=len(graph.vertices)).tolist()
        for gap in graph.gaps:
            for k, n in gap.terms.items():
                self.terms[k] += n
        self.operations = np.cumsum([0, *(v.role == "operation" for v in graph.vertices)])
        self.scalar = all(v.shape in SCALAR for v in graph.vertices)


def norms(of: Sequence[Stats | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the norms of arrays, −1 where there is no array."""
    return np.fromiter((-1.0 if s is None else norm_of(s) for s in of), np.float64, len(of))


def broken(
    of: Sequence[Stats | None], sizes: np.ndarray[tuple[int], np.dtype[np.float64]] | None = None
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Say of which arrays an entry is NaN or infinite: only where the norm is, it is looked for."""
    found = np.zeros(len(of), np.bool_)
    for k in np.flatnonzero(~np.isfinite(norms(of) if sizes is None else sizes)).tolist():
        found[k] = is_broken(of[k])
    return found


@dataclass(slots=True)
class Graph:
    """All of it."""

    title: str
    vertices: list[Vertex] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    modules: list[Module] = field(default_factory=list)
    backward: list[int] = field(default_factory=list)  # operations, in the order of the sweep
    notes: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    heat: Any = None  # a measure by which boxes are coloured, if not by their roles
    measured: Columns | None = field(default=None, repr=False, compare=False)

    @property
    def columns(self) -> Columns:
        """Return the columns, made when they are first asked for: by then the graph is complete."""
        if self.measured is None:
            self.measured = Columns(self)
        return self.measured

    def number(self, k: int) -> int:
        """Return the place of a vertex in the program, with what is left out before it."""
        return k + sum(gap.nodes for gap in self.gaps if gap.at <= k)

    def left_out(self, first: int, last: int) -> tuple[int, int]:
        """Return how many operations, and numbers in parameters, are left out in a run of vertices."""
        inside = [gap for gap in self.gaps if first < gap.at < last]
        return sum(gap.operations for gap in inside), sum(gap.parameters for gap in inside)

    @property
    def forward(self) -> list[int]:
        """Return the operations in the order of execution."""
        return [i for i, v in enumerate(self.vertices) if v.role == "operation"]
