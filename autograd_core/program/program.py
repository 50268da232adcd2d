"""The program: variables and equations, as plain data over which every further walk goes.

A variable is a value that the program speaks of. Its `kind` says where the value comes from:

    input       an argument of the call: an array, a NumPy scalar, a Python number, a random generator
    tensor      the values of a Tensor from around the function, read when an equation first uses them; after an
                assignment the next read is another variable, with a later `epoch`
    gradient    the gradient that such a leaf had when the program was called, read at its beginning
    constant    an array or a number from around the function, the same at every call; an array by reference
    value       the result of an equation

An equation is ``outputs = operation(*inputs, **params)``. Variables stand wherever the function had a value, also
inside tuples, lists, slices and dicts; everything else in `inputs` and `params` is literal. Its `effect` says whether
it does anything besides:

    ""          nothing: it may be merged, moved, left out
    "call"      the operation is to be called at every run, exactly there: random draws, rates, printing
    "check"     the operation returns nothing and raises at some values; it is not left out
    "assign"    `target`, a Tensor, gets the value inputs[0]
    "gradient"  `target`, a leaf, gets the gradient inputs[0]; None takes away the one that it has

Equations stand in the order of execution, and those with an effect keep theirs among all others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..nodes import Leaf
from ..notes import GraphError, source_line
from ..rules import RULES
from ..state import STATE, switched
from ..tensor import Tensor

float64 = np.float64
FLOAT = np.dtype(float64)
SEQUENCES = (tuple, list)  # a union of types would be built anew at every call


class Variable:
    """A value that a program speaks of: its space, and where it comes from.

    Attributes
    ----------
    kind : str
        "input", "tensor", "gradient", "constant" or "value".
    shape, dtype : tuple, dtype
        None for what is no array.
    source : Tensor, leaf, array or number
        What it is around the function.
    weak : bool
        Is it a Python number, which takes the dtype of what it meets?
    """

    __slots__ = ("axes", "contiguous", "dtype", "epoch", "kind", "mark", "number", "shape", "source", "value", "weak")

    def __init__(
        self,
        number: int,
        kind: str,
        value: Any,
        source: Any = None,
        weak: bool = False,
        epoch: int = 0,
        mark: Any = None,
    ) -> None:
        self.number = number
        self.kind = kind
        self.shape: Any
        self.dtype: Any
        self.axes: tuple[int, ...] | None = None  # from the slowest to the fastest in memory, if not their own order
        self.contiguous = True  # did its array lie in memory without gaps when it was captured?
        if type(value) is float64:
            self.shape, self.dtype = (), FLOAT
        else:  # None for what is no array: a generator
            self.shape, self.dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
            if type(value) is np.ndarray and value.shape and not value.flags.c_contiguous:
                axes = tuple(sorted(range(value.ndim), key=lambda i: (-abs(value.strides[i]), i)))
                self.axes = None if axes == tuple(range(value.ndim)) else axes
                self.contiguous = value.flags.forc
        self.value = value  # while it is being captured, no longer
        self.source = source  # the Tensor, the leaf, the constant
        self.weak = weak  # a Python number, which takes the dtype of what it meets
        self.epoch = epoch  # how often memory around the function had been written into before this was read
        self.mark = mark  # of the capture that it belongs to

    @property
    def size(self) -> int:
        """Return the number of entries."""
        return math.prod(self.shape) if self.shape else 1

    @property
    def nbytes(self) -> int:
        """Return the bytes of its value."""
        return self.size * self.dtype.itemsize if self.dtype is not None else 0

    @property
    def name(self) -> str:
        """Return letters for the number: a, b, ..., z, aa, ab."""
        letters, k = "", self.number + 1
        while k:
            k, rest = divmod(k - 1, 26)
            letters = chr(97 + rest) + letters
        return letters

    def __repr__(self) -> str:
        return self.name


class Equation:
    """One operation of a program; while it is captured also the note of its node on the tape.

    Attributes
    ----------
    operation : callable
        As NumPy or a rule knows it.
    inputs, params : tuple, dict
        Variables wherever the function had a value, literals else.
    outputs : tuple of Variable
    effect : str
        What it does besides, "" for nothing.
    target : Tensor or leaf
        What an effect changes.
    scope : tuple of str
    line : str or None
        ``file:line`` where it stood in a function that `ag.trace` has run.
    """

    __slots__ = (
        "_reads", "byproduct", "call", "effect", "form", "given", "inputs", "line", "mark", "name", "operation",
        "outputs", "params", "quiet", "scope", "several", "shares", "target",
    )  # fmt: skip

    sums = operands = loose = kept = ()  # what a note of debugging has
    result = None

    def __init__(
        self,
        operation: Any,
        call: Any,
        inputs: tuple[Any, ...],
        params: dict[str, Any],
        outputs: tuple[Variable, ...],
        several: bool = False,
        effect: str = "",
        target: Any = None,
        scope: tuple[str, ...] = (),
        mark: Any = None,
    ) -> None:
        self.operation = operation  # as NumPy or a rule knows it
        self.call: Any = call  # what computes it from plain values; None for effects
        self.inputs = inputs
        self.params = params
        self.outputs = outputs
        self.several = several  # does the call return a tuple, also of one result?
        self.effect = effect
        self.target = target
        self.scope = scope
        self.mark = mark
        self.given = params  # the keywords themselves, by which it is known which of them hold no variables
        self.byproduct: Any = None  # what the forward pass leaves to pullbacks, its arrays the last outputs
        self.shares: tuple[Variable, ...] = ()  # inputs with whose memory a result may overlap
        self.quiet = False  # were NumPy's warnings silenced where it was captured?
        self.line: str | None = None
        self.name: str | None = None
        self.form = ""  # a word for how it runs, once `primitives.form_of` has been asked
        self._reads: tuple[Variable, ...] | None = None

    @property
    def title(self) -> str:
        """Return the name of the operation."""
        if self.effect in ("assign", "gradient"):
            return self.effect
        op = RULES.get(self.operation)
        fn = getattr(self.operation, "func", self.operation)
        return op.name if op is not None else str(getattr(fn, "__name__", fn)).strip("_")

    @property
    def reads(self) -> tuple[Variable, ...]:
        """Return the variables that are read, with repetitions."""
        if self._reads is None:
            self._reads = tuple(variables((self.inputs, self.params)))
        return self._reads

    def reading(self, inputs: tuple[Any, ...], params: dict[str, Any], shares: tuple[Variable, ...]) -> Equation:
        """Return the same operation of other operands."""
        made = object.__new__(Equation)
        for name in Equation.__slots__:
            setattr(made, name, getattr(self, name))
        made.inputs, made.params, made.shares = inputs, params, shares
        made.form, made._reads = "", None
        return made

    def exchanged(self, by: dict[Variable, Any]) -> Equation:
        """Return it with other variables, or literals, in the place of some; itself if it reads none of these."""
        if not by or by.keys().isdisjoint(self.reads):
            return self

        def look(v: Variable) -> Any:
            return by.get(v, v)

        shares = tuple(variables([look(v) for v in self.shares]))
        return self.reading(replaced(self.inputs, look), replaced(self.params, look), shares)

    def __repr__(self) -> str:
        from .printing import line

        return line(self)


class Program:
    """What a function does: what goes in, equations, what comes out. Call it to run it, print it to read it.

    Attributes
    ----------
    inputs : list of Variable
        In the order of the leaves of the arguments that may differ from call to call.
    equations : list of Equation
        In the order of execution.
    outputs : list of Variable or literal
        For each leaf of the result.

    Examples
    --------
    >>> import autograd_core as ag
    >>> program = ag.trace(lambda x: np.sin(x) + 1.0)(0.5)
    >>> [equation.title for equation in program], program(0.0)
    (['sin', 'add'], np.float64(1.0))
    """

    def __init__(
        self,
        inputs: list[Variable],
        equations: list[Equation],
        outputs: list[Any],
        rebuild: Callable[[list[Any]], Any] = list,
        leaves_of: Callable[..., list[Any]] | None = None,
        name: str = "program",
    ) -> None:
        self.inputs = inputs
        self.equations = equations
        self.outputs = outputs
        self.rebuild = rebuild  # from the leaves of the result to the result
        self.leaves_of = leaves_of  # from the arguments of a call to the values of `inputs`
        self.name = name

    def __iter__(self) -> Iterator[Equation]:
        return iter(self.equations)

    def __len__(self) -> int:
        return len(self.equations)

    @property
    def variables(self) -> list[Variable]:
        """Return every variable, in the order in which they are first met."""
        met = dict.fromkeys(self.inputs)
        for equation in self.equations:
            met.update(dict.fromkeys(equation.reads))
            met.update(dict.fromkeys(equation.outputs))
        met.update(dict.fromkeys(variables(self.outputs)))
        return list(met)

    def rewritten(self, equations: list[Equation], outputs: list[Any] | None = None) -> Program:
        """Return a program with the same inputs and other equations: what a pass gives."""
        outputs = self.outputs if outputs is None else outputs
        return Program(self.inputs, equations, outputs, self.rebuild, self.leaves_of, self.name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program, equation by equation: the reference that every other way to run it is tested against."""
        values = list(args) if self.leaves_of is None else self.leaves_of(args, kwargs)
        return self.rebuild(self.run(values))

    def run(self, values: list[Any]) -> list[Any]:
        """Return the leaves of the result from the values of the inputs; if anything raises, nothing has changed."""
        if STATE.get().recorder is not None:
            raise GraphError(
                f"{self.name}, a program, is called inside a function that is recorded (at {source_line()}), which "
                f"would keep its results as they are now: call the function itself"
            )
        if any(isinstance(value, Tensor) for value in values):
            raise TypeError(
                f"{self.name}, a program, takes arrays and numbers and gives such back, through which no gradient "
                f"flows: call the function itself, trace its gradient, ag.trace(ag.grad(f)), or pass t.data"
            )
        if len(values) != len(self.inputs):
            raise TypeError(f"{self.name} takes {len(self.inputs)} arrays and numbers, {len(values)} were given")
        gradients = [v for e in self.equations for v in e.reads if v.kind == "gradient"]
        run = _Run(dict(zip(self.inputs, values, strict=True)), gradients)
        try:
            with switched(recorder=None, grad=False):
                for equation in self.equations:
                    run.step(equation)
            return [_own(v) for v in run.look(self.outputs)]
        except BaseException:
            run.put_back()
            raise

    def text(self, lines: bool = False) -> str:
        """Return the program to be read, an equation a line; with `lines`, where in the function each stood."""
        from .printing import text

        return text(self, lines)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<program {self.name}: {len(self.equations)} equations, print it to read it>"


class _Run:
    """One run of a program: the values of its variables so far, and how to undo what it has done."""

    def __init__(self, values: dict[Variable, Any], gradients: Any) -> None:
        self.values = values
        self.values.update((v, v.source.gradient()) for v in gradients)
        self.undo: list[tuple[Any, Any]] = []

    def look(self, tree: Any) -> Any:
        """Return inputs or params with values in the places of variables."""
        return replaced(tree, self.value)

    def value(self, v: Variable) -> Any:
        """Return the value of a variable; one from around the function is read when it is first asked for."""
        if v not in self.values:
            self.values[v] = v.source._data if v.kind == "tensor" else v.source
        return self.values[v]

    def step(self, equation: Equation) -> None:
        """Compute one equation."""
        inputs = self.look(equation.inputs)
        if equation.effect == "assign":
            self.assign(equation.target, inputs[0])
        elif equation.effect == "gradient":
            self.gradient(equation.target, inputs[0])
        else:
            with np.errstate(all="ignore" if equation.quiet else None):
                found = equation.call(*inputs, **self.look(equation.params))
            results = found if equation.several else () if equation.effect == "check" else (found,)
            for v, value in zip(equation.outputs, results, strict=True):
                self.values[v] = value[()] if type(value) is np.ndarray and not value.shape else value

    def assign(self, t: Any, value: Any) -> None:
        """Give a Tensor new values."""
        self.undo.append((t, t._data.copy()))
        t.assign(value)

    def gradient(self, leaf: Leaf, value: Any) -> None:
        """Give a leaf a gradient of its own."""
        self.undo.append((leaf, leaf.grad))
        leaf.grad = value if value is None else np.array(value, leaf.dtype)[()]

    def put_back(self) -> None:
        """Undo what the run has done to Tensors and leaves, the last first."""
        for target, before in reversed(self.undo):
            if isinstance(target, Leaf):
                target.grad = before
            else:
                target.assign(before)


def _own(value: Any) -> Any:
    return value.copy() if type(value) is np.ndarray else value


# --- trees of variables -----------------------------------------------------------------------------------------------


def variables(tree: Any) -> list[Variable]:
    """Return the variables in a structure of inputs or params."""
    found: list[Variable] = []
    _gather(tree, found)
    return found


def _gather(tree: Any, found: list[Variable]) -> None:
    kind = type(tree)
    if kind is Variable:
        found.append(tree)
    elif kind is tuple or kind is list or isinstance(tree, SEQUENCES):
        for part in tree:
            if type(part) not in ATOMS:
                _gather(part, found)
    elif kind is dict:
        for part in tree.values():
            _gather(part, found)
    elif kind is slice:
        _gather((tree.start, tree.stop, tree.step), found)


ATOMS = {int, float, bool, str, type(None), np.float64, np.float32}


def replaced(tree: Any, by: Callable[[Variable], Any]) -> Any:
    """Return a structure of inputs or params with something else in the place of each variable; itself if it has none.

    Examples
    --------
    >>> x = Variable(0, "input", np.ones(2))
    >>> replaced((x, [x, 3.0], slice(None, x)), lambda v: v.name)
    ('a', ['a', 3.0], slice(None, 'a', None))
    """
    kind = type(tree)
    if kind in ATOMS:
        return tree
    if kind is Variable:
        return by(tree)
    if kind is slice:
        return slice(*replaced((tree.start, tree.stop, tree.step), by))
    if kind is dict:
        return {k: replaced(v, by) for k, v in tree.items()}
    if isinstance(tree, SEQUENCES):
        parts = [replaced(part, by) for part in tree]
        if all(a is b for a, b in zip(parts, tree, strict=True)):
            return tree
        return kind(*parts) if hasattr(tree, "_fields") else kind(parts)
    return tree
