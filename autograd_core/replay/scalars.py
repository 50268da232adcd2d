"""Scalar graphs: plans whose values are single floats, in the style of micrograd; read here, run by two executors.

Both, `levels` and `floats`, compute first and change the world afterwards, so a call may be given up in between:
where Python's floats raise and NumPy's do not, and where a value is not finite although the plan was recorded without
masks (see `Trace`). Then `NotFinite` is raised, and the caller runs the function itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops.elementwise import relu
from ..ops.index import getitem
from ..ops.parts import sign
from ..rules import RULES
from ..tensor import _square
from .plan import Plan, Ref, refs
from .writer import give


class NotFinite(ArithmeticError):
    """A value for which this plan gives no answer; nothing has been changed yet."""


class Kernel:
    """An operation on scalars: on arrays by ``f(*operands, out)``, on floats by an expression.

    `repeats` says that the expression names an operand twice; no expression at all: call the function.
    """

    __slots__ = ("expression", "f", "name", "repeats", "scalar")

    def __init__(
        self, f: Callable[..., Any], expression: str | None = None, name: str = "", scalar: Any = None
    ) -> None:
        self.f = f
        self.scalar = scalar or f  # on two floats
        self.expression = expression
        self.name = name or str(getattr(f, "__name__", f))
        self.repeats = expression is not None and any(expression.count(f"{{{i}}}") > 1 for i in range(3))


def _where(c: Any, a: Any, b: Any, out: Any) -> None:
    out[...] = np.where(c, a, b)


def _relu(x: Any, out: Any) -> None:
    np.maximum(x, 0.0, out=out)


def _larger(a: Any, b: Any, out: Any) -> None:
    np.maximum(a, b, out=out)


def _smaller(a: Any, b: Any, out: Any) -> None:
    np.minimum(a, b, out=out)


def _square_of(x: Any, out: Any) -> None:
    np.power(x, 2.0, out)


def _power(x: float, y: float) -> Any:
    return np.float64(x) ** y


POW = Kernel(np.power, scalar=_power)
SUM = Kernel(np.add, "", name="sum")  # of more than two: what chains of additions become
KERNELS: dict[Any, Kernel] = {
    relu.__wrapped__: Kernel(_relu, "({0} if {0} > 0 or {0} != {0} else 0.0)", "relu"),  # type: ignore[attr-defined]
    np.where: Kernel(_where, "({1} if {0} else {2})", "where"),
    sign.__wrapped__: Kernel(np.sign),  # type: ignore[attr-defined]
    _square: Kernel(_square_of, "{0} ** 2", "square"),
    operator.pow: POW,
    np.maximum: Kernel(_larger, "({0} if {0} >= {1} or {0} != {0} else {1})"),
    np.minimum: Kernel(_smaller, "({0} if {0} <= {1} or {0} != {0} else {1})"),
    np.bitwise_or: Kernel(np.logical_or, "({0} or {1})"),
    np.bitwise_and: Kernel(np.logical_and, "({0} and {1})"),
    np.invert: Kernel(np.logical_not, "(not {0})"),
    **{u: Kernel(u, f"({{0}} {s} {{1}})") for u, s in (
        (np.add, "+"), (np.subtract, "-"), (np.multiply, "*"), (np.true_divide, "/"), (np.greater, ">"),
        (np.greater_equal, ">="), (np.less, "<"), (np.less_equal, "<="), (np.equal, "=="), (np.not_equal, "!="),
    )},
    np.negative: Kernel(np.negative, "(-{0})"),
    np.absolute: Kernel(np.absolute, "abs({0})"),
    np.logical_or: Kernel(np.logical_or, "({0} or {1})"),
    np.logical_and: Kernel(np.logical_and, "({0} and {1})"),
    np.logical_not: Kernel(np.logical_not, "(not {0})"),
}  # fmt: skip
ALIASES = {operator.add: np.add, operator.sub: np.subtract, operator.mul: np.multiply, operator.neg: np.negative,
           operator.truediv: np.true_divide, abs: np.absolute}  # fmt: skip
ARITHMETIC = {np.add, np.multiply, np.subtract, np.negative, np.absolute, _larger, _smaller}
FITTING = (np.dtype(np.float64), np.dtype(np.bool_))
SAME = {np.positive, operator.pos, np.conjugate, np.real}


class Graph:
    """A scalar plan, numbered: sources from 0, then operations.

    Attributes
    ----------
    sources : list of (kind, what)
        ("input", position), ("tensor", Tensor), ("grad", leaf), ("constant", number); ("input entry",
        (position, index)) and ("tensor entry", (Tensor, index)) for an entry of an array that is only indexed.
    operations : list of (Kernel, operands)
    effects : list of (effect, target, number or None)
    outputs : list of (number, weak) or of what the plan returns literally, as (None, value)
    """

    def __init__(self) -> None:
        self.sources: list[tuple[str, Any]] = []
        self.operations: list[tuple[Kernel, tuple[int, ...]]] = []
        self.effects: list[tuple[str, Any, int | None]] = []
        self.outputs: list[tuple[int | None, Any]] = []
        self.finite = False

    @property
    def wanted(self) -> list[int]:
        """The numbers of what leaves the graph: by effects, then as results."""
        return [k for _, _, k in self.effects if k is not None] + [k for k, _ in self.outputs if k is not None]


class _Unfit(Exception):
    """No scalar graph."""


class _Reader:
    """What has been read of a plan so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.sources: dict[Any, int] = {}
        self.graph = Graph()
        self.numbers: dict[int, int] = {}  # slot -> number, sources counted downwards from -1
        self.kernels: dict[Any, Kernel] = {}  # of functions met so far
        self.views: dict[int, tuple[str, Any, Any]] = {}  # slot of an array -> kind, owner, flat indices
        self.values: dict[int, int] = {}  # id of a Tensor -> number of the value it has been given
        self.seen: dict[Any, int] = {}  # operation and operands -> number
        self.literals: dict[Any, int] = {}  # type and value of a literal that is not 0 -> number
        self.position = {k: i for i, k in enumerate(plan.inputs)}

    def read(self) -> Graph:
        for step in self.plan.steps:
            if not step.effect and not step.tuple:
                if step.told is getitem:
                    self.index(step)
                else:
                    self.operation(step)
            elif step.effect in ("assign", "grad"):
                self.effect(step)
            else:
                raise _Unfit
        for r in self.plan.outputs:
            weak = type(r) is Ref and self.plan.slots[r.slot].weak
            self.graph.outputs.append((self.number(r), weak) if type(r) is Ref else (None, r))
        return self._settled()

    def operation(self, step: Any) -> None:
        fn, numbers = step.fn, self.numbers
        (out,) = step.outs
        slot = self.plan.slots[out]
        if step.kwargs or slot.shape != () or slot.dtype not in FITTING:
            raise _Unfit
        operands = tuple(
            [k if type(a) is Ref and (k := numbers.get(a.slot)) is not None else self.number(a) for a in step.args]
        )
        kernel = self.kernels.get(fn)
        if kernel is None:
            fn = ALIASES.get(fn, fn)
            if fn in SAME:
                numbers[out] = operands[0]
                return
            kernel = KERNELS.get(fn) or KERNELS.get(step.told)
            if kernel is None:
                kernel = _kernel(fn, step.told, len(operands), f"own{len(self.kernels)}")
            self.kernels[step.fn] = kernel
        if slot.dtype == np.bool_ and kernel.f in ARITHMETIC:
            raise _Unfit  # True + True is True
        key = (kernel, operands)
        found = self.seen.get(key)
        if found is None:
            found = self.seen[key] = len(self.graph.operations)
            self.graph.operations.append(key)
        numbers[out] = found

    def effect(self, step: Any) -> None:
        value = step.args[0]
        number = None if value is None else self.number(value)
        if step.effect == "assign":
            if type(step.target._data) is not np.float64:
                raise _Unfit  # parts of one buffer may be known under several names
            assert number is not None
            self.values[id(step.target)] = number
        self.graph.effects.append((step.effect, step.target, number))

    def index(self, step: Any) -> None:
        array, index = step.args[0], step.kwargs.get("index", step.args[-1])
        if type(array) is not Ref or any(True for _ in refs(index)):
            raise _Unfit
        kind, owner, flat = self.view(array.slot)
        part = flat[index]
        (out,) = step.outs
        if np.ndim(part):
            self.views[out] = kind, owner, part
        elif kind == "constant":
            self.numbers[out] = self.source("constant", float(owner.reshape(-1)[part]))
        else:
            self.numbers[out] = self.source(kind + " entry", (owner, int(part)))

    def view(self, number: int) -> tuple[str, Any, Any]:
        if number not in self.views:
            slot = self.plan.slots[number]
            if (
                not slot.shape
                or slot.dtype != np.float64
                or slot.kind not in ("input", "tensor", "constant")
                or slot.epoch
            ):
                raise _Unfit
            owner = self.position[number] if slot.kind == "input" else slot.source
            self.views[number] = slot.kind, owner, np.arange(slot.size).reshape(slot.shape)
        return self.views[number]

    def number(self, a: Any) -> int:
        """Return the number of an argument."""
        if type(a) is not Ref:
            found = self.literals.get((type(a), a)) if type(a) in (float, int) else None
            if found is not None:
                return found
            if not isinstance(a, (float, int, np.float64, np.bool_)):
                raise _Unfit
            found = self.source("constant", float(a))
            if a:  # 0.0 and -0.0 are equal, and not the same
                self.literals[type(a), a] = found
            return found
        if (found := self.numbers.get(a.slot)) is not None:
            return found
        slot = self.plan.slots[a.slot]
        if slot.shape != () or slot.dtype not in (np.float64, np.bool_):
            raise _Unfit
        if slot.kind == "input":
            found = self.source("input", self.position[a.slot])
        elif slot.kind == "constant":
            found = self.source("constant", float(slot.source))
        elif slot.kind == "grad":
            found = self.source("grad", slot.source)
        elif slot.kind == "tensor" and type(slot.source._data) is np.float64:
            found = self.values.get(id(slot.source))
            found = self.source("tensor", slot.source) if found is None else found
        else:
            raise _Unfit
        self.numbers[a.slot] = found
        return found

    def source(self, kind: str, what: Any) -> int:
        key = (kind, _bits(what)) if kind == "constant" else (kind, what if type(what) is tuple else id(what))
        if kind.endswith("entry"):
            key = (kind, (id(what[0]) if kind[0] == "t" else what[0], what[1]))
        elif kind == "input":
            key = (kind, what)
        if key not in self.sources:
            self.graph.sources.append((kind, what))
            self.sources[key] = -len(self.graph.sources)
        return self.sources[key]

    def _settled(self) -> Graph:
        """Leave out what nobody needs; number the sources from 0, constants last, and the operations after them."""
        graph = self.graph
        ops = graph.operations
        needed = {k for k in graph.wanted if k >= 0}
        for k in range(len(ops) - 1, -1, -1):
            if k in needed:
                needed.update(ops[k][1])
        needed = {k for k in needed if k >= 0}
        place = sorted(range(len(graph.sources)), key=lambda i: _ORDER.index(graph.sources[i][0]))
        new = {-1 - i: k for k, i in enumerate(place)}
        kept = sorted(needed)
        new |= {k: len(place) + n for n, k in enumerate(kept)}
        settled = Graph()
        settled.sources = [graph.sources[i] for i in place]
        settled.operations = [(ops[k][0], tuple([new[o] for o in ops[k][1]])) for k in kept]
        settled.effects = [(e, t, None if k is None else new[k]) for e, t, k in graph.effects]
        settled.outputs = [(None if k is None else new[k], w) for k, w in graph.outputs]
        settled.finite = self.plan.finite
        return settled


def _kernel(fn: Any, told: Any, operands: int, name: str) -> Kernel:
    """Return the kernel of a function without a line of its own: entry by entry, or it does not fit."""
    if isinstance(fn, np.ufunc):
        if fn.nout == 1 and fn.nin == operands and fn.signature is None:
            return Kernel(fn, name=name)
    elif (op := RULES.get(told)) is not None and op.elementwise and len(op.args) == operands:

        def into(*operands: Any) -> None:
            operands[-1][...] = fn(*operands[:-1])

        def scalar(*operands: Any) -> Any:
            return fn(*map(np.float64, operands))  # it may ask for a dtype, which Python's floats do not have

        return Kernel(into, name=name, scalar=scalar)
    raise _Unfit


_ORDER = ["input", "tensor", "grad", "input entry", "tensor entry", "constant"]


def _bits(x: float) -> Any:
    return np.float64(x).tobytes()


def read(plan: Plan) -> Graph | None:
    """Return a plan as a scalar graph, or None if it is none."""
    if any(s.shape for s in plan.slots if s.kind == "value" and s.dtype not in (np.float64, np.bool_)):
        return None
    try:
        return _Reader(plan).read()
    except _Unfit:
        return None


def apply_effects(graph: Graph, values: list[Any]) -> None:
    """Carry out gradients and assignments, in order, with the values of `Graph.wanted`."""
    at = 0
    for effect, target, k in graph.effects:
        if k is None:
            target.grad = None
            continue
        value = values[at]
        at += 1
        if effect == "assign":
            target._data = value
            if target._node is not None:
                target._node.touch()
        elif target.dtype is np.float64:
            target.grad = value
        else:
            give(target, value)


def results(graph: Graph, values: list[Any]) -> list[Any]:
    """Return the results of the plan out of the values of `Graph.wanted`."""
    found = iter(values[len(values) - sum(k is not None for k, _ in graph.outputs) :])
    return [w if k is None else float(next(found)) if w else next(found) for k, w in graph.outputs]


def load(graph: Graph, values: tuple[Any, ...]) -> list[float]:
    """Return the values of all sources but the constants."""
    found: list[Any] = []
    for kind, what in graph.sources:
        if kind == "input":
            found.append(values[what])
        elif kind == "tensor":
            found.append(what._data)
        elif kind == "grad":
            found.append(what.grad)
        elif kind == "input entry":
            found.append(values[what[0]].item(what[1]))
        elif kind == "tensor entry":
            found.append(what[0]._data.item(what[1]))
        else:
            break
    return found
