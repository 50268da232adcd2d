"""From a program to graph data: its variables and equations are the vertices; nothing is run, so nothing has a value.

What a tape cannot show is here: comparisons, random draws, the backward pass as equations of its own, and effects. An
assignment, or a gradient left in a leaf, is an output that bears the name of what it changes.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..program.calls import draw
from ..program.printing import Names, written
from ..program.program import Equation, Program, Variable, variables
from ..rules import RULES
from .data import Edge, Graph, Vertex
from .numbers import tell, tell_dtype
from .symbols import clean, label_of, light
from .writing import UNTRACKED

ROLES = {"input": "input", "tensor": "parameter", "gradient": "parameter", "constant": "constant"}


def graph_of(program: Program) -> Graph:
    """Return the data of the picture of a program."""
    return _Writer(program).graph


class _Writer:
    """One program, vertex by vertex."""

    def __init__(self, program: Program) -> None:
        self.graph = Graph(program.name.strip("<>"))
        self.at: dict[Variable, int] = {}
        self.names = Names(program)
        for v in program.inputs:
            self._source(v)
        for equation in program.equations:
            self._equation(equation)
        for k, out in enumerate(program.outputs):
            if isinstance(out, Variable):
                name = "output" if len(program.outputs) == 1 else f"output {k + 1}"
                self._end(out, name, ())
        for vertex in self.graph.vertices:
            vertex.why_none = UNTRACKED  # what a program does backwards are equations of its own

    def _add(self, vertex: Vertex) -> int:
        self.graph.vertices.append(vertex)
        return len(self.graph.vertices) - 1

    def _called(self, x: Any) -> str:
        return self.names(x).replace("'", "")

    def _source(self, v: Variable) -> int:
        """Return where a variable is that no equation makes; drawn when it is first read."""
        if v not in self.at:
            name = self._called(v.source) if v.kind in ("tensor", "gradient") else v.name
            name = f"∂{name}" if v.kind == "gradient" else name
            vertex = Vertex(ROLES[v.kind], "", name, v.shape, "" if v.dtype is None else tell_dtype(v.dtype))
            self.at[v] = self._add(vertex)
        return self.at[v]

    def _operand(self, x: Any) -> int | str | None:
        """Return the position of an operand, or the text of a number; None for another literal."""
        if isinstance(x, Variable):
            if x in self.at:
                return self.at[x]
            if x.kind == "constant" and x.shape == ():
                return tell(np.asarray(x.source)[()])
            return self._source(x)
        return written(x) if isinstance(x, int | float | complex | np.generic) else None

    def _equation(self, equation: Equation) -> None:
        if equation.effect in ("assign", "gradient"):
            name = self._called(equation.target)
            value = equation.inputs[0]
            if isinstance(value, Variable):
                self._end(value, f"∂{name}" if equation.effect == "gradient" else f"{name} ←", equation.scope)
            return
        operands = self._operands(equation)
        title = str(equation.inputs[1]) if equation.operation is draw else equation.title  # which draw it is
        k = self._add(Vertex("operation", clean(title), equation.name or ""))
        v = self.graph.vertices[k]
        rule = RULES.get(equation.operation)
        metadata = {name: x for name, x in equation.params.items() if x is not None and x is not False}
        v.operands, v.path, v.rule = tuple(operands), equation.scope, rule
        v.label, v.metadata = label_of(v.op, v.operands, light(metadata)), light(metadata)
        if equation.line is not None:
            v.source = os.path.basename(equation.line)
        for i, source in enumerate(operands):
            if isinstance(source, int):
                self.graph.edges.append(Edge(source, k, i))
        if equation.several and len(equation.outputs) > 1:
            for j, out in enumerate(equation.outputs):
                pick = Vertex(
                    "operation", "pick", "", out.shape, tell_dtype(out.dtype), (k,), equation.scope, f"result {j}"
                )
                self.at[out] = self._add(pick)
                self.graph.edges.append(Edge(k, self.at[out], 0))
            return
        for out in equation.outputs:
            self.at[out] = k
            v.shape, v.dtype = out.shape, "" if out.dtype is None else tell_dtype(out.dtype)

    def _operands(self, equation: Equation) -> list[int | str | None]:
        """Return the operands one by one; variables inside of tuples, lists and keywords stand behind them."""
        found: list[int | str | None] = []
        for x in equation.inputs:
            if isinstance(x, tuple | list):
                found += [self._operand(v) for v in variables(x)]
            else:
                found.append(self._operand(x))
        return [*found, *(self._operand(v) for v in variables(equation.params))]

    def _end(self, v: Variable, name: str, path: tuple[str, ...]) -> None:
        """Draw a result, or what an effect leaves somewhere."""
        source = self._operand(v)
        operands = (source,)
        k = self._add(
            Vertex("output", "", name, v.shape, "" if v.dtype is None else tell_dtype(v.dtype), operands, path)
        )
        if isinstance(source, int):
            self.graph.edges.append(Edge(source, k, 0))
