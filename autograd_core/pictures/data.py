"""What a picture shows, as plain data: no arrays, no Tensors, so a picture keeps nothing alive.

Vertices stand in the order of execution, and an edge points at them by position: the same program gives the same data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Number = float | str  # JSON knows neither NaN nor infinity: they are the strings "nan", "inf", "-inf"
MINUS = "\N{MINUS SIGN}"


def tell(x: Any) -> str:
    """Return a number in four digits.

    Examples
    --------
    >>> tell(-1234.5678), tell(2.0), tell(1e-9), tell(float("nan"))
    ('−1235', '2', '1e−09', 'nan')
    """
    kind = type(x)
    if kind is not float:
        if isinstance(x, complex | np.complexfloating):
            sign = "+" if not x.imag < 0 else MINUS
            return f"{tell(x.real)} {sign} {tell(abs(x.imag))}i"
        if isinstance(x, bool | np.bool_ | str | int | np.integer):
            return str(x).replace("-", MINUS)
        x = float(x)
    return format(x + 0.0, ".4g").replace("-", MINUS)  # + 0.0: no −0


@dataclass(slots=True)
class Stats:
    """An array in a few numbers; complex entries count by their absolute values."""

    n: int
    norm: Number
    mean: Number | None = None
    min: Number | None = None
    max: Number | None = None
    nonfinite: int = 0
    histogram: tuple[int, ...] | None = None
    written: str | None = None  # a small array itself

    @property
    def text(self) -> str | None:
        """The array itself, if it is small."""
        return tell(self.mean) if self.written is None and self.n == 1 and self.mean is not None else self.written

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "n": self.n,
            "text": self.text,
            "mean": self.mean,
            "min": self.min,
            "max": self.max,
            "norm": self.norm,
            "nonfinite": self.nonfinite,
            "histogram": None if self.histogram is None else list(self.histogram),
        }


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
