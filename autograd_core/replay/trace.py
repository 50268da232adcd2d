"""Tracing for `ag.compile`: a capture that refuses, in its words, what a replay cannot do, and looks around itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..notes import GraphError, source_line
from ..ops.index import getitem
from ..program.calls import draw, number_of, of_networks, strip
from ..program.capture import LITERAL, Capture, settings_of_errors
from ..program.program import variables
from ..state import switched
from ..tensor import Tensor
from ..tree import flatten
from .refusals import (
    ASKED,
    refuse_changing,
    refuse_metadata,
    refuse_raising,
    refuse_result,
    refuse_shape,
    refuse_swallowed,
    refuse_value,
    refuse_writing,
)
from .surroundings import Surroundings

ndarray = np.ndarray


class Trace(Capture):
    """A recorder that writes a program for replays."""

    title = "ag.compile"

    def __init__(self, around: Surroundings, masks: bool = False) -> None:
        super().__init__(masks, inline=True)
        self.around_function = around
        self.program: Any

    def refuse(self, fn: Any, args: Any, params: dict[str, Any], ans: Any) -> None:
        """Raise where a shape depends on values."""
        if fn in ASKED:
            refuse_shape(fn, args, params, self.guards, ans)
        if params and fn is not getitem and variables(params):
            refuse_metadata(fn, params, self.guards)

    def append(self, equation: Any) -> None:
        """Add an equation, unless NumPy is to raise by the values it meets."""
        super().append(equation)
        if equation.quiet:
            refuse_raising(np.geterr(), self.errors)

    def assume_finite(self) -> bool:
        """Leave out the masks of scalars, and let NumPy be silent from there on.

        Where it would have something to say, a value is not finite: the function is called itself, and says it, or has
        nothing to say since its masks apply.
        """
        found = super().assume_finite()
        if found and self.errors["invalid"] != "ignore":
            np.seterr(divide="ignore", over="ignore", invalid="ignore")
            self.settings, self.errors = settings_of_errors(), np.geterr()
        return found

    def asked(self, what: Any) -> None:
        """Refuse to tell a value, and remember it, should the function catch the error."""
        try:
            refuse_value(what)
        except GraphError as error:
            self.refused = source_line(), str(error)
            raise

    def changing(self, t: Tensor) -> None:
        """Refuse to change in place an argument of the call, or a Tensor from around the function."""
        if any(t is a for a in self.arguments):
            refuse_writing(t.shape)
        if self.is_from_around(t):
            refuse_changing(t._label())

    def placed(self, t: Tensor) -> None:
        """Refuse a Tensor that has got new values here and moves on: a replay would take its old values along."""
        if id(t) in self.undo:
            raise GraphError(
                f"a Tensor of shape {t.shape} gets new values and then moves into another buffer, as a parameter of "
                f"two optimizers that step in one compiled function does (at {source_line()}): compile the two steps "
                f"apart"
            )

    def called(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function unseen, which may draw and change what is around."""
        ours = isinstance(getattr(fn, "__self__", None), np.random.Generator) or of_networks(fn)
        world = fn is not draw and not ours  # it takes a while to look at the global generators
        self.around_function.watch(world)
        with switched(recorder=None):
            ans = fn(*strip(args), **strip(kwargs))
        self.around_function.settle(world, fn)
        return ans

    def result_leaf(self, x: Any) -> Any:
        """Return the variable of a leaf of the result; refuse one that hides traced values."""
        if isinstance(x, Tensor) or type(x) is ndarray:
            return self.operand(x)
        if type(x) not in LITERAL:
            refuse_result(x, self.known())
        return x

    def finish(self, out: Any, name: str = "program") -> Any:
        """Take down what the function returns; return it with plain values."""
        self.program = program = super().finish(out, name)
        plain = [x._data if isinstance(x, Tensor) else x for x in flatten(out)[0]]
        return program.rebuild([v.copy() if type(v) is ndarray and v.shape else number_of(v) for v in plain])

    def refuse_hidden_changes(self) -> None:
        """Raise where the function has done what the recorder was not told, or went another way after a refusal."""
        if self.refused:
            refuse_swallowed(self.refused[0])
        super().refuse_hidden_changes()
        self.around_function.finish(self.known())

    def put_back(self) -> None:
        """Undo what the function has done to Tensors around it; say what was refused, if NumPy has hidden it."""
        import sys

        super().put_back()
        error = sys.exc_info()[1]
        if self.refused and isinstance(error, TypeError | ValueError):  # NumPy's, of an entry that is set by float()
            raise GraphError(self.refused[1]) from error
