"""Tracing: a capture that refuses, in words, what another run could not do, and looks around; `ag.trace`."""

from __future__ import annotations

import copy
import functools
import random
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..notes import GraphError, source_line
from ..state import STATE, switched
from ..tensor import Tensor
from ..tree import flatten, rests, structure
from .around.surroundings import Surroundings
from .around.watched_places import PLAIN
from .calls import draws_or_reads, number_of, strip
from .capture import LITERAL, Capture, settings_of_errors
from .primitives import decides_shape
from .printing import space
from .program import Program, Variable, variables
from .refusals import (
    refuse_changing,
    refuse_metadata,
    refuse_raising,
    refuse_result,
    refuse_shape,
    refuse_swallowed,
    refuse_value,
    refuse_writing,
)
from .wording import word_now

ndarray = np.ndarray


class Trace(Capture):
    """A recorder that writes a program to be run again.

    `title` is the function of ours that messages speak of, and `word` what it makes of a function.
    """

    word = "compiled"
    title = "ag.compile"

    def __init__(self, around: Surroundings, masks: bool = False, inline: bool = True) -> None:
        super().__init__(masks, inline)
        self.around_function = around
        self.program: Program

    def refuse(self, fn: Any, args: Any, params: dict[str, Any], ans: Any) -> None:
        """Raise where a shape depends on values."""
        if kind := decides_shape(fn, args):
            refuse_shape(kind, fn, args, params, self.guards, ans)
        if params and kind != "mask" and variables(params):
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
                f"two optimizers that step in one {word_now()} function does (at {source_line()}): compile the two "
                f"steps apart"
            )

    def called(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function unseen, which may draw and change what is around."""
        world = not draws_or_reads(fn)  # it takes a while to look at the global generators
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
        super().put_back()
        error = sys.exc_info()[1]
        if self.refused and isinstance(error, TypeError | ValueError):  # NumPy's, of an entry that is set by float()
            raise GraphError(self.refused[1]) from error


class Reading(Trace):
    """The recorder of `ag.trace`: layers and losses stay one equation each, and all masks are written down."""

    word = "traced"
    title = "ag.trace"

    def append(self, equation: Any) -> None:
        """Add an equation, and note where in the function it stood."""
        super().append(equation)
        equation.line = source_line()


def trace(f: Callable[..., Any]) -> Callable[..., Program]:
    """Return a function that runs `f` once and returns the program of what it did: equations, as data.

    Arrays, NumPy scalars, floats, complex numbers and random generators among the arguments become inputs of the
    program; everything else (structure, ints, strings, other objects) is part of it. Tensors from around `f`, what it
    leaves in their gradients and assigns to them are in the program; once it is traced everything is as it was before.
    What `ag.compile` refuses is refused here, too.

    Examples
    --------
    >>> import numpy as np
    >>> program = trace(lambda x: np.sum(np.exp(x) * 2))(np.array([0.0, 1.0]))
    >>> print(program)
    <lambda>(a: f64[2])
        b: f64[2] = exp(a)
        c: f64[2] = multiply(b, 2)
        d: f64    = sum(c)
      return d
    >>> program(np.array([1.0, 1.0]))
    np.float64(10.87312731383618)
    """
    if not callable(f):
        raise TypeError(f"trace takes a function, not {f!r}")

    @functools.wraps(f)
    def traced(*args: Any, **kwargs: Any) -> Program:
        outer = STATE.get()
        if outer.recorder is not None:
            raise GraphError(f"ag.trace inside a function that is recorded (at {source_line()}): trace that one")
        leaves, rebuild = flatten((args, kwargs))
        recorder = Reading(Surroundings(f, [*leaves, *rests((args, kwargs))]), masks=True, inline=False)
        draws = kept_states(recorder.around_function.sources.values())
        positional, named = rebuild([recorder.entered(v) if differs(v) else v for v in leaves])
        try:
            with switched(recorder=recorder):
                recorder.finish(f(*positional, **named), getattr(f, "__name__", "program"))
                recorder.around_function.watch()
        finally:
            recorder.put_back()
            for put_back, state in draws:
                put_back(state)
        program = recorder.program
        recorder.forget_values()
        program.leaves_of = functools.partial(values_for, program.inputs, leaves, structure((args, kwargs)))
        return program

    return traced


def kept_states(generators: Iterable[Any]) -> list[tuple[Callable[[Any], Any], Any]]:
    """Return, for random generators and the two global ones, what gives a state back, and the state."""
    found: list[tuple[Callable[[Any], Any], Any]] = [
        (np.random.set_state, np.random.get_state(legacy=False)),  # noqa: NPY002
        (random.setstate, random.getstate()),
    ]
    for g in generators:
        if isinstance(g, random.Random) and not isinstance(g, random.SystemRandom):
            found.append((g.setstate, g.getstate()))
        elif isinstance(g, np.random.RandomState):
            found.append((g.set_state, g.get_state(legacy=False)))
        elif isinstance(g, np.random.Generator | np.random.BitGenerator):
            source = g.bit_generator if isinstance(g, np.random.Generator) else g
            found.append((functools.partial(setattr, source, "state"), copy.deepcopy(source.state)))
    return found


def differs(value: Any) -> bool:
    """Say whether an argument may differ from call to call."""
    return type(value) in (ndarray, float, complex) or isinstance(value, np.generic | np.random.Generator)


def values_for(inputs: list[Variable], traced: list[Any], like: Any, args: Any, kwargs: Any) -> list[Any]:
    """Return the values of the inputs from the arguments of another call, which must be of the same kind."""
    leaves = flatten((args, kwargs))[0]
    if len(leaves) != len(traced) or structure((args, kwargs)) != like:
        raise TypeError(
            f"the program was traced with {len(traced)} values in its arguments, {len(leaves)} were given, or in other "
            f"containers: trace the function anew"
        )
    found = list[Any]()
    for value, before in zip(leaves, traced, strict=True):
        if differs(before):
            found.append(fitting(inputs[len(found)], value))
        elif not (value is before or (type(value) is type(before) and type(value) in PLAIN and value == before)):
            raise TypeError(f"the program was traced with {before!r:.40} and is given {value!r:.40}: trace it anew")
    return found


def fitting(v: Variable, value: Any) -> Any:
    """Return the value of an input, if it is of the kind that was traced."""
    if v.weak and isinstance(value, float | int | complex if v.dtype.kind == "c" else float | int):
        return complex(value) if v.dtype.kind == "c" else float(value)
    if v.dtype is None and isinstance(value, np.random.Generator):
        return value
    given = np.asarray(value) if isinstance(value, float | int) else value
    if (getattr(given, "shape", None), getattr(given, "dtype", None)) != (v.shape, v.dtype):
        spoken = f"{given.dtype}{list(given.shape)}" if hasattr(given, "dtype") else type(value).__name__
        raise TypeError(f"the program takes {v.name}: {space(v)}, {spoken} was given: trace the function anew")
    return given if given.shape or isinstance(given, np.generic) else given[()]
