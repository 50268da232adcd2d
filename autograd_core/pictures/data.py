"""What a picture shows, as plain data: no arrays, no Tensors, so a picture keeps nothing alive.

Vertices stand in the order of execution, and an edge points at them by position: the same program gives the same data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .numbers import Stats


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

    @property
    def period(self) -> int:
        """Return how many vertices one copy has."""
        return (self.last - self.first) // self.times


@dataclass(slots=True)
class Graph:
    """All of it."""

    title: str
    vertices: list[Vertex] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    modules: list[Module] = field(default_factory=list)
    backward: list[int] = field(default_factory=list)  # operations, in the order of the sweep
    notes: list[str] = field(default_factory=list)

    @property
    def forward(self) -> list[int]:
        """Return the operations in the order of execution."""
        return [i for i, v in enumerate(self.vertices) if v.role == "operation"]
