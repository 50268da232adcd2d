"""Straight-line Python source for a plan: one line an equation, no loop over steps, everything bound by name.

A variable is *fixed* where its array is known before any call: a buffer of ours, a parameter, a constant, or a view of
one of these; everything else is a local name of the function. Operations that can write into a buffer do; views of
fixed arrays are taken once, here; numbers are computed by Python's own operators.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from ..changes import all_or_nothing
from ..nodes import Leaf, tick
from ..program.calls import is_harmless
from ..program.primitives import may_raise
from ..program.program import Variable, variables
from ..tensor import Tensor
from .memory import Memory, given_away
from .plan import Plan

ndarray = np.ndarray
LARGE = 1 << 15  # bytes from which on a variable lets go of an array as soon as it can


class Writer:
    """Source under construction, and the objects its names are bound to."""

    def __init__(self, plan: Plan, memory: Memory) -> None:
        self.plan = plan
        self.memory = memory
        self.names: dict[str, Any] = {"assign": assign, "give": give, "own": own, "Leaf": Leaf, "tick": tick}
        self.by_identity: dict[int, str] = {}
        self.lines: list[str] = []
        self.functions: list[str] = []  # of groups, before the one that replays
        self.described: list[str] = []  # groups, for people
        self.fixed: dict[Variable, Any] = {}  # their arrays
        self.boxes: dict[tuple[Any, Any], str] = {}  # a number as an array without axes, for ufuncs
        self.rebinding: list[tuple[str, str]] = []
        self.touched: dict[int, Any] = {}
        self.reset: list[Leaf] = []  # leaves whose gradient of before is given up before they are lent another
        self.given = 0  # lines until the last has been
        self.changed: dict[int, Any] = {}  # arrays around the program that it writes into, Tensors that hold a number
        self.writes = False  # has the equation under way done so?
        self.needless = memory.layout.needless()
        self.lent = memory.layout.lent_to()
        self.escapes = Counter(
            (*variables(plan.outputs), *given_away(plan.program))
        )  # results and gradients that an array is
        self.fresh: set[Variable] = set()  # variables whose array is nobody else's
        self.made: set[Variable] = set()  # variables whose array was new when it was recorded
        for v in sorted(memory.used, key=lambda v: v.number):
            if v.kind == "constant" and isinstance(v.source, ndarray):
                self.fixed[v] = v.source
            elif v.kind == "tensor" and type(v.source._data) is ndarray:
                self.fixed[v] = v.source._data
                self.rebinding.append((self.bind(v.source, "t"), self.bind(v.source._data, "a")))

    # --- names ------------------------------------------------------------------------------------------------------

    def bind(self, value: Any, prefix: str = "c") -> str:
        """Return a name for an object."""
        name = self.by_identity.get(id(value))
        if name is None:
            name = f"{prefix}{len(self.names)}"
            self.by_identity[id(value)] = name
            self.names[name] = value
        return name

    def expression(self, tree: Any) -> str:
        """Return source for an argument."""
        kind = type(tree)
        if kind is Variable:
            return self.variable(tree)
        if kind in (list, dict) and not variables(tree):
            return self.bind(tree)
        if hasattr(tree, "_fields") and not variables(tree):
            return self.bind(tree)
        if isinstance(tree, tuple):
            return "(" + "".join(self.expression(v) + ", " for v in tree) + ")"
        if kind is list:
            return "[" + ", ".join(self.expression(v) for v in tree) + "]"
        if kind is dict:
            return "{" + ", ".join(f"{k!r}: {self.expression(v)}" for k, v in tree.items()) + "}"
        if kind is slice and variables(tree):
            return f"slice({', '.join(self.expression(v) for v in (tree.start, tree.stop, tree.step))})"
        if kind in (int, bool, str, type(None)) or (kind is float and tree - tree == 0):
            return repr(tree) if kind in (str, type(None)) or tree >= 0 else f"({tree!r})"
        return self.bind(tree)

    def variable(self, v: Variable) -> str:
        """Return the name under which a variable is read."""
        if v in self.fixed:
            return self.bind(self.fixed[v], "a")
        if v.kind == "constant":
            return self.bind(v.source)
        return f"{self.bind(v.source, 't')}._data" if v.kind == "tensor" else local(v)

    def operand(self, a: Any, dtype: Any) -> str:
        """Return source for an operand of a ufunc: numbers as arrays without axes, which costs half."""
        if type(a) is Variable:
            if a.shape == () and a not in self.fixed and a.dtype.kind in "iufc":
                kind = dtype if a.weak else a.dtype
                box = self.boxes.get((a, kind))
                if box is None:
                    box = self.boxes[a, kind] = self.bind(np.zeros((), kind), "s")
                    self.lines.append(f"{box}[()] = {self.variable(a)}")
                return box
            return self.variable(a)
        if type(a) in (int, float) and dtype is not None and dtype.kind in "fc" and type(a) is not bool:
            return self.number(a, dtype)
        if isinstance(a, np.generic):
            return self.number(a, a.dtype)
        return self.expression(a)

    def number(self, value: Any, dtype: Any) -> str:
        """Return the name of a constant without axes, one for equal ones."""
        key = (repr(value), np.dtype(dtype))
        name = self.boxes.get(key)
        if name is None:
            name = self.boxes[key] = self.bind(np.array(value, dtype), "n")
        return name

    # --- places -----------------------------------------------------------------------------------------------------

    def out(self, v: Variable) -> str | None:
        """Return the name of the buffer for a result, if it has one."""
        found = self.memory.buffer(v)
        if found is None:
            return None
        if self.memory.layout.places[v] is found:
            self.change(found)
        self.fixed[v] = found
        return self.bind(found, "b")

    def put(self, v: Variable, call: str, into: str) -> None:
        """Write a call with its result in a buffer, if there is one for it; `into` is the same call with a hole."""
        place = self.out(v)
        if place is None:
            self.fresh.add(v)
            self.lines.append(f"{local(v)} = {call}")
        else:
            self.lines.append(into.format(place))

    def change(self, what: Any) -> None:
        """Note that the line to come gives new values to an array around the program, or to a Tensor."""
        self.changed[id(what)] = what
        self.writes = True

    def view(self, v: Variable, array: Any) -> None:
        """Let a variable be a view of a fixed array."""
        self.fixed[v] = array
        self.memory.alive.append(array)

    # --- the whole --------------------------------------------------------------------------------------------------

    def source(self, write: Callable[[Writer, Any], None]) -> str:
        """Return the source of the function; `write` knows how to write down an equation."""
        last = {v: i for i, equation in enumerate(self.plan.equations) for v in equation.reads}
        ends: dict[int, list[Variable]] = {}
        for v, i in last.items():
            if v.kind == "value" and v.nbytes >= LARGE:
                ends.setdefault(i, []).append(v)
        kept = set(variables(self.plan.outputs))
        for v in sorted(self.memory.used, key=lambda v: v.number):
            if v.kind == "gradient":  # before another one takes its place
                self.lines.append(f"{local(v)} = {self.bind(v.source, 'l')}.gradient()")
        writing: list[tuple[int, int, int]] = []  # number, and lines, of each equation that writes into what is around
        for i, equation in enumerate(self.plan.equations):
            start, self.writes = len(self.lines), False
            write(self, equation)
            if self.writes:
                writing.append((i, start, len(self.lines)))
            self.lines += [f"{local(v)} = None" for v in ends.get(i, ()) if v not in self.fixed and v not in kept]
        first = {r: i for i, r in reversed(list(enumerate(self.plan.outputs))) if type(r) is Variable}
        results = [self.result(r, type(r) is Variable and first[r] == i) for i, r in enumerate(self.plan.outputs)]
        self.lines.append(f"return [{', '.join(results)}]")
        self.protect(writing)
        current = self.current()
        if current:
            self.lines.insert(0, f"if not ({current}): return None")
        inputs = ", ".join(map(local, self.plan.inputs))
        if self.plan.quiet:
            self.names["errstate"] = np.errstate
            self.lines = ["with errstate(all='ignore'):", *_indented(self.lines)]
        return "\n".join([*self.functions, f"def replay({inputs}):", *_indented(self.lines)])

    def protect(self, writing: list[tuple[int, int, int]]) -> None:
        """Let a call that fails leave everything as it was: gradients that are lent, and what has been written into."""
        given, head = self.given if self.reset else 0, list[str]()
        if self.reset:
            self.names |= {"forget": forget, "reset": self.reset}
            head = ["try:", *_indented(self.lines[:given]), "except BaseException:", "    forget(reset)", "    raise"]
        if self.touched:
            leaves = [self.bind(leaf, "l") for leaf in self.touched.values()]
            at = writing[-1][2] if writing else len(self.lines) - 1
            self.lines.insert(at, f"Leaf.latest = {' = '.join(f'{leaf}.updated' for leaf in leaves)} = tick()")
        if not writing:
            self.lines = [*head, *self.lines[given:]]
            return
        start, stop = writing[0][1], writing[-1][2] + bool(self.touched)
        after = self.plan.equations[writing[0][0] :]
        trusted = not any(may_raise(equation) and not is_harmless(equation) for equation in after)
        whole = all_or_nothing(*self.changed.values(), trusted=trusted)
        if not trusted or whole.small:  # copies are made, and whatever comes up to the end is no danger
            stop = len(self.lines)
        before = [*head, *self.lines[given:start]] if given <= start else []
        body = self.lines[start:stop] if given <= start else [*head, *self.lines[given : max(stop, given)]]
        self.lines = [*before, *self.whole(whole, body), *self.lines[max(stop, given) :]]

    def whole(self, block: all_or_nothing, body: list[str]) -> list[str]:
        """Return lines inside such a block, spelt out where it copies small arrays: its two calls take 0.4 us."""
        if not (pairs := block._copies()):
            return [f"with {self.bind(block, 'whole')}:", *_indented(body)]
        self.names["put_back"] = block._put_back
        copying = [f"{self.bind(kept, 'k')}[...] = {self.bind(array, 'a')}" for kept, array in pairs]
        return [*copying, "try:", *_indented(body), "except BaseException:", "    put_back()", "    raise"]

    def result(self, r: Any, first: bool) -> str:
        """Return source for a result of the program: nobody else's array, not even another result."""
        if type(r) is not Variable or (r in self.fresh and first) or r.weak:
            return self.expression(r)
        return f"own({self.expression(r)})"

    def current(self) -> str:
        """Return the condition under which the parameters are where they were when this was written."""
        return " and ".join(f"{t}._data is {a}" for t, a in dict.fromkeys(self.rebinding))


def local(v: Variable) -> str:
    """Return the local name of a variable."""
    return f"v{v.number}"


def compiled(source: str, names: dict[str, Any], name: str = "replay") -> Callable[..., Any]:
    """Return the function that source defines."""
    names = dict(names)
    body = source.replace("\n", "\n    ")
    exec(_code(f"def make():\n    {body}\n    return {name}"), names)
    make: Callable[..., Callable[..., Any]] = names.pop("make")  # a function among its own globals would be a cycle
    return make()


@functools.lru_cache(maxsize=64)
def _code(source: str) -> Any:
    """Return the code of source: the same for another instance of a plan, or for a plan like it."""
    return compile(source, "<plan>", "exec")


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


# --- what the source calls --------------------------------------------------------------------------------------------


def assign(t: Tensor, value: Any) -> None:
    """Give a Tensor new values, in place where it has an array."""
    data = t._data
    if type(data) is np.ndarray and data.flags.writeable:
        data[...] = value
    else:
        t._data = np.array(value, data.dtype)[()]
    if t._node is not None:
        t._node.touch()


def give(leaf: Leaf, g: Any) -> None:
    """Give a leaf a gradient of its own."""
    leaf.grad = np.array(g, leaf.dtype)[()]


def forget(leaves: list[Leaf]) -> None:
    """Take back gradients when a call has failed: the program had forgotten them, and their bytes are overwritten."""
    for leaf in leaves:
        leaf.grad = None


def leave(leaf: Leaf, g: Any) -> None:
    """Leave a leaf a new array; a view, of a buffer perhaps, is copied, as a sweep does."""
    if type(g) is ndarray and g.base is None and g.dtype == leaf.dtype:
        leaf.grad = g
    else:
        give(leaf, g)


def own(value: Any) -> Any:
    """Return a result that shares no memory with anything of ours."""
    return (value.copy() if value.shape else value[()]) if type(value) is np.ndarray else value
