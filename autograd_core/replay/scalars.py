"""Scalar graphs: plans whose values are single floats, in the style of micrograd; read here, run by two executors.

Both, `levels` and `floats`, compute first and change the world afterwards, so a call may be given up in between. It is
where a result is not finite, or Python refuses it: there NumPy warns, Python raises, and the masks that a recorded
sweep has left out would matter (see `Trace.assume_finite`). Then `NotFinite` is raised, and the caller runs the
function itself. What nobody needs is not computed, so it does not warn either.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import repeat
from typing import Any

import numpy as np

from ..nodes import Leaf, Lent, tick
from ..program.primitives import Kernel, by_entry, into_last, is_part, row_of
from ..program.program import Equation, Variable, variables
from ..rules import RULES
from .plan import Plan


class NotFinite(ArithmeticError):
    """A value for which this plan gives no answer; nothing has been changed yet."""


# --- operations -------------------------------------------------------------------------------------------------------

FLOAT, BOOL = FITTING = np.dtype(np.float64), np.dtype(np.bool_)


def kernel_of(equation: Equation, name: str) -> Kernel | None:
    """Return the kernel of an operation, None if its result is its operand; `name` for one without its own."""
    fn, operands = equation.call, len(equation.inputs)
    found = row_of(equation).scalar
    if not isinstance(found, str):
        return found
    if isinstance(fn, np.ufunc):
        if fn.nin == operands and not {"d" * operands + "->d", "d" * operands + "->?"}.isdisjoint(fn.types):
            return Kernel(fn, name=name)
    elif (op := RULES.get(equation.operation)) is not None and op.elementwise and len(op.args) == operands:

        def scalar(*operands: Any) -> Any:
            return fn(*map(np.float64, operands))  # it may ask for a dtype, which floats do not have

        return Kernel(into_last(fn) if op.trusted else by_entry(scalar), name=name, scalar=scalar)
    raise Unfit


# --- the graph --------------------------------------------------------------------------------------------------------


class Graph:
    """A scalar plan: sources numbered downwards from -1, operations upwards from 0, so one list has room for both.

    Attributes
    ----------
    sources : list of (kind, what)
        ("input", position), ("tensor", Tensor), ("gradient", leaf), ("constant", float); of an array that is only
        indexed ("input entry", (position, index)), ("tensor entry", (Tensor, index)), ("array entry", (array, index)).
    operations : list of (Kernel, operands) or None
        None for what nobody needs.
    gradients, values : list of (leaf, number or None) and of (Tensor, number)
        What is given away: None is no gradient.
    outputs : list of (type, number) or of what the plan returns literally, as (None, value)
    """

    def __init__(self) -> None:
        self.sources: list[tuple[str, Any]] = []
        self.operations: list[tuple[Kernel, tuple[int, ...]] | None] = []
        self.gradients: list[tuple[Leaf, int | None]] = []
        self.values: list[tuple[Any, int]] = []
        self.outputs: list[tuple[Any, Any]] = []

    @property
    def size(self) -> int:
        """The number of operations that are needed."""
        return sum(made is not None for made in self.operations)

    @property
    def wanted(self) -> list[int]:
        """The numbers of what leaves the graph, in the order in which `leaving` takes the values."""
        found = [k for _, k in self.gradients if k is not None] + [k for _, k in self.values]
        return found + [k for kind, k in self.outputs if kind is not None]

    @property
    def ends(self) -> set[int]:
        """Operations one of which is not finite if any operation at all is not."""
        found = {k for k in self.wanted if k >= 0}
        for made in self.operations:
            if made is not None and (hides := made[0].hides):
                found.update([k for i, k in enumerate(made[1]) if k >= 0 and i in hides])
        return found

    def drop(self) -> None:
        """Leave out the operations that nobody needs."""
        needed = bytearray(len(self.operations) + len(self.sources))
        for k in self.wanted:
            needed[k] = True
        for k in range(len(self.operations) - 1, -1, -1):
            if needed[k]:
                for o in self.operations[k][1]:  # type: ignore[index]
                    needed[o] = True
            else:
                self.operations[k] = None


class Unfit(Exception):
    """No scalar graph."""


def read(plan: Plan) -> Graph | None:
    """Return a plan as a scalar graph, or None if it is none."""
    try:
        return _Reader(plan).read()
    except Unfit:
        return None


class _Reader:
    """What has been read of a plan so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.graph = Graph()
        self.numbers: dict[Variable, int] = {}
        self.kernels: dict[Any, Kernel | None] = {}  # of functions met so far
        self.seen: dict[Any, int] = {}  # operation and operands -> number
        self.sources: dict[Any, int] = {}
        self.literals: dict[Any, int] = {}
        self.views: dict[Variable, tuple[str, Any, Any]] = {}  # array -> kind, owner, flat indices
        self.gradients: dict[int, tuple[Leaf, int | None]] = {}  # the last one that each leaf is given
        self.values: dict[int, tuple[Any, int]] = {}  # the same for Tensors
        self.position = {v: i for i, v in enumerate(plan.inputs)}

    def read(self) -> Graph:
        for equation in self.plan.equations:
            if equation.effect:
                self.effect(equation)
            elif is_part(equation):
                self.index(equation)
            else:
                self.operation(equation)
        graph = self.graph
        outputs = self.plan.outputs
        graph.outputs = [(kind(r), self.number(r)) if type(r) is Variable else (None, r) for r in outputs]
        graph.gradients, graph.values = list(self.gradients.values()), list(self.values.values())
        graph.drop()
        return graph

    def operation(self, equation: Equation) -> None:
        if not equation.outputs:  # np.shape of a number: of no results
            return
        out = equation.outputs[0]
        is_float = out.dtype is FLOAT or out.dtype == FLOAT
        if out.shape != () or equation.params or equation.several or not (is_float or out.dtype == BOOL):
            raise Unfit
        operands, numbers = [], self.numbers
        for a in equation.inputs:
            k = numbers.get(a) if type(a) is Variable else None
            operands.append(self.number(a) if k is None else k)
        try:
            kernel = self.kernels[equation.call]
        except KeyError:
            kernel = self.kernels[equation.call] = kernel_of(equation, f"own{len(self.kernels)}")
        if kernel is None:
            numbers[out] = operands[0]
            return
        if not is_float and kernel.of_numbers:
            raise Unfit
        made, operations = (kernel, tuple(operands)), self.graph.operations
        numbers[out] = found = self.seen.setdefault(made, len(operations))
        if found == len(operations):
            operations.append(made)

    def effect(self, equation: Equation) -> None:
        target = equation.target
        if equation.effect == "gradient" and target.dtype is np.float64:
            value = equation.inputs[0]
            self.gradients[id(target)] = target, None if value is None else self.number(value)
        elif equation.effect == "assign" and type(target._data) is np.float64:  # names may share memory of arrays
            self.values[id(target)] = target, self.number(equation.inputs[0])
        else:
            raise Unfit

    # --- operands -----------------------------------------------------------------------------------------------------

    def number(self, a: Any) -> int:
        """Return the number of an argument."""
        if type(a) is not Variable:
            return self.literal(a)
        found = self.numbers.get(a)
        if found is None:
            if a.shape != () or a.dtype not in FITTING:
                raise Unfit
            found = self.numbers[a] = self.taken(a)
        return found

    def taken(self, v: Variable) -> int:
        """Return the number of a value that is there before the call."""
        kind, what = v.kind, v.source
        if kind == "input":
            return self.source("input", self.position[v], v)
        if kind == "gradient":
            return self.source("gradient", what, id(what))
        if kind == "tensor" and type(what._data) is np.float64:
            given = self.values.get(id(what))
            return self.source("tensor", what, id(what)) if given is None else given[1]
        if kind == "constant":
            return (
                self.literal(what) if type(what) is not np.ndarray else self.source("array entry", (what, 0), id(what))
            )
        raise Unfit

    def literal(self, a: Any) -> int:
        """Return the number of a constant."""
        if not isinstance(a, (float, int, np.integer, np.bool_)):
            raise Unfit
        key = a or str(float(a))  # 0.0 and -0.0 are equal, and not the same
        found = self.literals.get(key)
        if found is None:
            found = self.literals[key] = self.source("constant", float(a), key)
        return found

    def source(self, kind: str, what: Any, key: Any) -> int:
        """Return the number of a source; equal keys are the same one."""
        found = self.sources.setdefault((kind, key), -1 - len(self.graph.sources))
        if found < -len(self.graph.sources):
            self.graph.sources.append((kind, what))
        return found

    def index(self, equation: Equation) -> None:
        """Read an equation that takes entries of an array."""
        array, index = equation.inputs[0], equation.params.get("index", equation.inputs[-1])
        if type(array) is not Variable or variables(index):
            raise Unfit
        kind, owner, flat = self.view(array)
        part = flat[index]
        (out,) = equation.outputs
        if np.ndim(part):
            self.views[out] = kind, owner, part
        else:
            key = owner if kind == "input" else id(owner)
            self.numbers[out] = self.source(f"{kind} entry", (owner, int(part)), (key, int(part)))

    def view(self, v: Variable) -> tuple[str, Any, Any]:
        """Return what an array is part of, and the indices of its entries there."""
        if v not in self.views:
            if v.kind not in KINDS or v.epoch or not v.shape or v.dtype != FLOAT:
                raise Unfit
            owner = self.position[v] if v.kind == "input" else v.source
            self.views[v] = KINDS[v.kind], owner, np.arange(v.size).reshape(v.shape)
        return self.views[v]


def kind(v: Variable) -> type:
    """Return the type of a result."""
    return float if v.weak else np.bool_ if v.dtype == BOOL else np.float64


KINDS = {"input": "input", "tensor": "tensor", "constant": "array"}  # of arrays whose entries may be sources


# --- what goes in and out ---------------------------------------------------------------------------------------------

READERS: dict[str, Callable[[Any, tuple[Any, ...]], Any]] = {
    "input": lambda k, given: given[k],
    "tensor": lambda t, _: t._data,
    "gradient": lambda leaf, _: leaf.gradient() if type(leaf.grad) is Lent else leaf.grad,
    "input entry": lambda entry, given: given[entry[0]].item(entry[1]),
    "tensor entry": lambda entry, _: entry[0]._data.item(entry[1]),
    "array entry": lambda entry, _: entry[0].item(entry[1]),
}


def replaying(graph: Graph, compute: Callable[[list[Any]], list[Any]]) -> Callable[..., list[Any]]:
    """Return the function that replays a graph.

    `compute` goes from the values of the sources but the constants to those of `Graph.wanted` and, last, the sum of at
    least `Graph.ends`.
    """
    readers = [(READERS[kind], what) for kind, what in graph.sources if kind != "constant"]
    leaves = [leaf for leaf, k in graph.gradients if k is not None]
    bare = [leaf for leaf, k in graph.gradients if k is None]
    tensors = [t for t, _ in graph.values]
    touched = [t._node for t in tensors if t._node is not None]  # that they are the same, guards see to
    first, last = len(leaves), len(leaves) + len(tensors)

    def replay(*given: Any) -> list[Any]:
        try:
            with np.errstate(all="ignore"):
                values = compute([read(what, given) for read, what in readers])
        except (ArithmeticError, ValueError, TypeError) as error:  # NumPy's scalars, or Python, have an answer: ask
            raise NotFinite from error
        if not math.isfinite(values.pop()):
            raise NotFinite
        any(map(setattr, bare, repeat("grad"), repeat(None)))
        any(map(setattr, leaves, repeat("grad"), values))
        if tensors:
            Leaf.latest = now = tick()
            any(map(setattr, touched, repeat("updated"), repeat(now)))
            any(map(setattr, tensors, repeat("_data"), values[first:last]))  # one call of C's: no signal comes between
        left = iter(values[last:])
        return [what if kind is None else kind(next(left)) for kind, what in graph.outputs]

    return replay
