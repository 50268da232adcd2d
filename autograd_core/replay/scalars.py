"""Scalar graphs: plans whose values are single floats, in the style of micrograd; read here, run by two executors.

Both, `levels` and `floats`, compute first and change the world afterwards, so a call may be given up in between. It is
where a result is not finite, or Python refuses it: there NumPy warns, Python raises, and the masks that a recorded
sweep has left out would matter (see `Trace.assume_finite`). Then `NotFinite` is raised, and the caller runs the
function itself. What nobody needs is not computed, so it does not warn either.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable
from itertools import repeat
from typing import Any

import numpy as np

from ..nodes import Leaf, Lent, tick
from ..ops.elementwise import relu
from ..ops.index import getitem
from ..ops.parts import sign
from ..rules import RULES
from ..tensor import _square
from .plan import Plan, Ref, Step, refs


class NotFinite(ArithmeticError):
    """A value for which this plan gives no answer; nothing has been changed yet."""


# --- operations -------------------------------------------------------------------------------------------------------


class Kernel:
    """An operation on scalars: on arrays by ``f(*operands, out)``, on floats by an expression, or by a function.

    In an expression ``{0}`` is the first operand and ``{f}`` the function. A result may be finite although an operand
    in `hides` is not: the exponential of minus infinity, what `where` does not take.
    """

    __slots__ = ("expression", "f", "hides", "name", "repeats", "scalar")

    def __init__(
        self,
        f: Callable[..., Any],
        expression: str = "",
        name: str = "",
        scalar: Any = None,
        hides: tuple[int, ...] = (0, 1, 2),
    ) -> None:
        self.f = f
        self.scalar = scalar or f
        self.expression = expression
        self.name = name or f.__name__
        self.hides = hides
        self.repeats = any(expression.count(f"{{{i}}}") > 1 for i in range(3))


def _by_entry(fn: Any) -> Callable[..., None]:
    """Return a function on arrays that calls one on numbers for each entry."""

    def into(*operands: Any) -> None:
        operands[-1][:] = list(itertools.starmap(fn, np.broadcast(*operands[:-1])))

    return into


def _into(fn: Any) -> Callable[..., None]:
    """Return a function that writes what another one returns into its last argument."""

    def into(*operands: Any) -> None:
        operands[-1][:] = fn(*operands[:-1])

    return into


def _floor(x: Any, out: Any) -> None:
    np.maximum(x, 0.0, out=out)


def _larger(a: Any, b: Any, out: Any) -> None:
    np.maximum(a, b, out=out)


def _smaller(a: Any, b: Any, out: Any) -> None:
    np.minimum(a, b, out=out)


def _squared(x: float) -> float:
    return math.pow(x, 2.0)


def _infix(fn: Any, sign: str, *hides: int) -> Kernel:
    return Kernel(fn, f"({{0}} {sign} {{1}})", hides=hides)


# A scalar's power is C's, which NumPy's of arrays is not: of squares one in a thousand has another last bit. The larger
# of two zeros depends on the machine, so at a tie NumPy is asked.
SUM = Kernel(np.add, name="sum", hides=())  # of more than two: what chains of additions become
KERNELS: dict[Any, Kernel] = {
    **{fn: _infix(fn, sign) for fn, sign in ((np.add, "+"), (np.subtract, "-"), (np.multiply, "*"))},
    np.true_divide: _infix(np.true_divide, "/", 1),
    **{fn: _infix(fn, sign, 0, 1) for fn, sign in (
        (np.greater, ">"), (np.greater_equal, ">="), (np.less, "<"), (np.less_equal, "<="), (np.equal, "=="),
        (np.not_equal, "!="), (np.logical_or, "or"), (np.logical_and, "and"),
    )},
    np.bitwise_or: _infix(np.logical_or, "or"),
    np.bitwise_and: _infix(np.logical_and, "and"),
    np.bitwise_xor: _infix(np.not_equal, "!="),
    np.logical_not: Kernel(np.logical_not, "(not {0})"),
    np.invert: Kernel(np.logical_not, "(not {0})"),
    np.negative: Kernel(np.negative, "(-{0})", hides=()),
    np.absolute: Kernel(np.absolute, "abs({0})", hides=()),
    np.sin: Kernel(np.sin, hides=()),
    np.cos: Kernel(np.cos, hides=()),
    _square: Kernel(_by_entry(_squared), "{f}({0}, 2.0)", "square", math.pow, hides=()),
    operator.pow: Kernel(_by_entry(math.pow), "{f}({0}, {1})", "pow", math.pow),
    relu.__wrapped__: Kernel(_floor, "({0} if {0} > 0 or {0} != {0} else 0.0)", "relu"),  # type: ignore[attr-defined]
    sign.__wrapped__: Kernel(np.sign),  # type: ignore[attr-defined]
    np.where: Kernel(_into(np.where), "({1} if {0} else {2})", "where"),
    np.maximum: Kernel(_larger, "({0} if {0} > {1} else {1} if {0} < {1} else {f}({0}, {1}))", "maximum", np.maximum),
    np.minimum: Kernel(_smaller, "({0} if {0} < {1} else {1} if {0} > {1} else {f}({0}, {1}))", "minimum", np.minimum),
    **{fn: Kernel(_by_entry(fn), name=fn.__name__, scalar=fn) for fn in (np.power, np.float_power, np.fmax, np.fmin)},
}  # fmt: skip
ALIASES = {operator.add: np.add, operator.sub: np.subtract, operator.mul: np.multiply, operator.neg: np.negative,
           operator.truediv: np.true_divide, abs: np.absolute}  # fmt: skip
SAME = {np.positive, operator.pos, np.conjugate, np.real}
OF_NUMBERS = {np.add, np.absolute}  # which are others of booleans: True + True is True
FLOAT, BOOL = FITTING = np.dtype(np.float64), np.dtype(np.bool_)


def kernel_of(step: Step, name: str) -> Kernel | None:
    """Return the kernel of the function of a step, None if it returns its operand; `name` for one without its own."""
    fn = ALIASES.get(step.fn, step.fn)
    if fn in SAME:
        return None
    found, operands = KERNELS.get(fn) or KERNELS.get(step.told), len(step.args)
    if found is not None:
        return found
    if isinstance(fn, np.ufunc):
        if fn.nin == operands and not {"d" * operands + "->d", "d" * operands + "->?"}.isdisjoint(fn.types):
            return Kernel(fn, name=name)
    elif (op := RULES.get(step.told)) is not None and op.elementwise and len(op.args) == operands:

        def scalar(*operands: Any) -> Any:
            return fn(*map(np.float64, operands))  # it may ask for a dtype, which Python's floats do not have

        return Kernel(_into(fn) if op.trusted else _by_entry(scalar), name=name, scalar=scalar)
    raise Unfit


# --- the graph --------------------------------------------------------------------------------------------------------


class Graph:
    """A scalar plan: sources numbered downwards from -1, operations upwards from 0, so one list has room for both.

    Attributes
    ----------
    sources : list of (kind, what)
        ("input", position), ("tensor", Tensor), ("grad", leaf), ("constant", float); of an array that is only indexed
        ("input entry", (position, index)), ("tensor entry", (Tensor, index)) or ("array entry", (array, index)).
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
    if any(s.shape for s in plan.slots if s.kind == "value" and s.dtype not in FITTING):
        return None
    try:
        return _Reader(plan).read()
    except Unfit:
        return None


class _Reader:
    """What has been read of a plan so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.graph = Graph()
        self.numbers: list[int | None] = [None] * len(plan.slots)  # slot -> number
        self.kernels: dict[Any, Kernel | None] = {}  # of functions met so far
        self.seen: dict[Any, int] = {}  # operation and operands -> number
        self.sources: dict[Any, int] = {}
        self.literals: dict[Any, int] = {}
        self.views: dict[int, tuple[str, Any, Any]] = {}  # slot of an array -> kind, owner, flat indices
        self.gradients: dict[int, tuple[Leaf, int | None]] = {}  # the last one that each leaf is given
        self.values: dict[int, tuple[Any, int]] = {}  # the same for Tensors
        self.position = {k: i for i, k in enumerate(plan.inputs)}

    def read(self) -> Graph:
        for step in self.plan.steps:
            if step.effect:
                self.effect(step)
            elif step.told is getitem:
                self.index(step)
            else:
                self.operation(step)
        graph = self.graph
        graph.outputs = [(self.kind(r), self.number(r)) if type(r) is Ref else (None, r) for r in self.plan.outputs]
        graph.gradients, graph.values = list(self.gradients.values()), list(self.values.values())
        graph.drop()
        return graph

    def operation(self, step: Step) -> None:
        if not step.outs:  # np.shape of a number: of no results
            return
        out = step.outs[0]
        slot = self.plan.slots[out]
        is_float = slot.dtype is FLOAT or slot.dtype == FLOAT
        if slot.shape != () or step.kwargs or step.tuple or not (is_float or slot.dtype == BOOL):
            raise Unfit
        operands, numbers = [], self.numbers
        for a in step.args:
            k = numbers[a.slot] if type(a) is Ref else None
            operands.append(self.number(a) if k is None else k)
        try:
            kernel = self.kernels[step.fn]
        except KeyError:
            kernel = self.kernels[step.fn] = kernel_of(step, f"own{len(self.kernels)}")
        if kernel is None:
            numbers[out] = operands[0]
            return
        if not is_float and kernel.f in OF_NUMBERS:
            raise Unfit
        made, operations = (kernel, tuple(operands)), self.graph.operations
        numbers[out] = found = self.seen.setdefault(made, len(operations))
        if found == len(operations):
            operations.append(made)

    def effect(self, step: Step) -> None:
        target = step.target
        if step.effect == "grad" and target.dtype is np.float64:
            value = step.args[0]
            self.gradients[id(target)] = target, None if value is None else self.number(value)
        elif step.effect == "assign" and type(target._data) is np.float64:  # names may share memory of arrays
            self.values[id(target)] = target, self.number(step.args[0])
        else:
            raise Unfit

    def kind(self, r: Ref) -> type:
        """Return the type of a result."""
        slot = self.plan.slots[r.slot]
        return float if slot.weak else np.bool_ if slot.dtype == BOOL else np.float64

    # --- operands -----------------------------------------------------------------------------------------------------

    def number(self, a: Any) -> int:
        """Return the number of an argument."""
        if type(a) is not Ref:
            return self.literal(a)
        found = self.numbers[a.slot]
        if found is None:
            slot = self.plan.slots[a.slot]
            if slot.shape != () or slot.dtype not in FITTING:
                raise Unfit
            found = self.numbers[a.slot] = self.taken(slot)
        return found

    def taken(self, slot: Any) -> int:
        """Return the number of what stands in a slot before the call."""
        kind, what = slot.kind, slot.source
        if kind == "input":
            return self.source("input", self.position[slot.number], slot.number)
        if kind == "grad":
            return self.source("grad", what, id(what))
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

    def index(self, step: Step) -> None:
        """Read a step that takes entries of an array."""
        array, index = step.args[0], step.kwargs.get("index", step.args[-1])
        if type(array) is not Ref or refs(index):
            raise Unfit
        kind, owner, flat = self.view(array.slot)
        part = flat[index]
        (out,) = step.outs
        if np.ndim(part):
            self.views[out] = kind, owner, part
        else:
            key = owner if kind == "input" else id(owner)
            self.numbers[out] = self.source(f"{kind} entry", (owner, int(part)), (key, int(part)))

    def view(self, number: int) -> tuple[str, Any, Any]:
        """Return what an array is part of, and the indices of its entries there."""
        if number not in self.views:
            slot = self.plan.slots[number]
            if slot.kind not in KINDS or slot.epoch or not slot.shape or slot.dtype != FLOAT:
                raise Unfit
            owner = self.position[number] if slot.kind == "input" else slot.source
            self.views[number] = KINDS[slot.kind], owner, np.arange(slot.size).reshape(slot.shape)
        return self.views[number]


KINDS = {"input": "input", "tensor": "tensor", "constant": "array"}  # of arrays whose entries may be sources


# --- what goes in and out ---------------------------------------------------------------------------------------------

READERS: dict[str, Callable[[Any, tuple[Any, ...]], Any]] = {
    "input": lambda k, given: given[k],
    "tensor": lambda t, _: t._data,
    "grad": lambda leaf, _: leaf.gradient() if type(leaf.grad) is Lent else leaf.grad,
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
