"""The plan of a compiled function for one kind of arguments: the program that is run, and what it rests on."""

from __future__ import annotations

from typing import Any

from ..program.passes import optimised
from ..program.primitives import form_of
from ..program.program import Program, Variable
from .groups import grouped


class Plan:
    """A program, what must be as it was for it to hold, and what the ways to run it have found out.

    Attributes
    ----------
    program : Program
        As it is run, after all passes; `equations`, `inputs`, `outputs` and `rebuild` are its own.
    guards : list of (function, object)
        What is read before each call, and what it has to be.
    finite : bool
        Was it recorded without the masks of scalars? Then it has no answer where a value is not finite.
    quiet : bool
        Were NumPy's warnings silenced where it was recorded?
    notes : dict
        Buffers, groups, source: printed with the plan.
    """

    def __init__(self, program: Program, guards: list[tuple[Any, Any]], finite: bool = False) -> None:
        self.program = program
        self.guards = guards
        self.finite = finite
        self.quiet = any(equation.quiet for equation in program.equations)
        self.notes: dict[str, Any] = {"quiet": "as recorded: NumPy does not warn"} if self.quiet else {}

    @property
    def equations(self) -> list[Any]:
        """Return the equations, in the order of execution."""
        return self.program.equations

    @property
    def inputs(self) -> list[Variable]:
        """Return what the arguments of a call become."""
        return self.program.inputs

    @property
    def outputs(self) -> list[Any]:
        """Return a variable or a literal for each leaf of the result."""
        return self.program.outputs

    def optimise(self) -> None:
        """Let passes make the program better, and put what goes entry by entry into groups."""
        self.notes["recorded"] = f"{len(self.equations)} equations"
        self.program = grouped(optimised(self.program))
        for equation in self.equations:
            form_of(equation)

    def __str__(self) -> str:
        from .show import text

        return text(self)
