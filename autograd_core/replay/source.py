"""Straight-line Python source for a plan: one line a step, no loop over steps, everything else bound by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..nodes import Leaf
from ..tensor import Tensor
from .plan import Plan, Ref, Step

CHUNK = 2000  # lines a function: Python's compiler takes more than linear time for very long ones


class Writer:
    """Source under construction, and the objects its names are bound to."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.names: dict[str, Any] = {"None": None}
        self.by_identity: dict[int, str] = {}
        self.lines: list[str] = []
        self.outputs: set[int] = set()

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
        if kind is Ref:
            return self.slot(tree.slot)
        if kind is tuple:
            return "(" + "".join(self.expression(v) + ", " for v in tree) + ")"
        if kind is list:
            return "[" + ", ".join(self.expression(v) for v in tree) + "]"
        if kind is slice and any(type(v) is Ref for v in (tree.start, tree.stop, tree.step)):
            return f"slice({', '.join(self.expression(v) for v in (tree.start, tree.stop, tree.step))})"
        if kind in (int, bool, str, type(None)):
            return repr(tree)
        return self.bind(tree)

    def slot(self, number: int) -> str:
        """Return the name under which a slot is read."""
        slot = self.plan.slots[number]
        if slot.kind == "constant":
            return self.bind(slot.source)
        if slot.kind == "tensor":
            return f"{self.bind(slot.source, 't')}._data"
        if slot.kind == "grad":
            return f"{self.bind(slot.source, 'l')}.grad"
        return f"v{number}"

    def call(self, step: Step) -> str:
        """Return source for the call of a step."""
        parts = [self.expression(a) for a in step.args]
        parts += [f"{k}={self.expression(v)}" for k, v in step.kwargs.items()]
        return f"{self.bind(step.fn, 'f')}({', '.join(parts)})"

    def step(self, step: Step) -> None:
        """Write one step."""
        if step.effect == "assign":
            value = self.expression(step.args[0])
            self.lines.append(f"assign({self.bind(step.target, 't')}, {value})")
            return
        if step.effect == "grad":
            leaf, value = self.bind(step.target, "l"), step.args[0]
            made = f"give({leaf}, {self.expression(value)})" if value is not None else f"{leaf}.grad = None"
            self.lines.append(made)
            return
        targets = ", ".join(f"v{k}" for k in step.outs) + "," * step.tuple
        self.lines.append(f"{targets} = {self.call(step)}" if step.outs else self.call(step))


def plain_source(plan: Plan) -> tuple[str, dict[str, Any]]:
    """Return source for a plan as it stands, without buffers, and the names it uses."""
    writer = Writer(plan)
    writer.names |= {"assign": assign, "give": give, "own": own}
    for step in plan.steps:
        writer.step(step)
    results = [f"own({writer.expression(r)})" if type(r) is Ref else writer.expression(r) for r in plan.outputs]
    inputs = ", ".join(f"v{k}" for k in plan.inputs)
    lines = [f"def replay({inputs}):", *(f"    {line}" for line in writer.lines)]
    lines.append(f"    return [{', '.join(results)}]")
    return "\n".join(lines), writer.names


def compiled(source: str, names: dict[str, Any]) -> Callable[..., Any]:
    """Return the function that source defines."""
    names = dict(names)
    exec(compile(source, "<plan>", "exec"), names)
    made: Callable[..., Any] = names["replay"]
    return made


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
    if leaf.buffer is not None:
        leaf.buffer[...] = g
        leaf.grad = leaf.buffer
    else:
        leaf.grad = np.array(g, leaf.dtype)[()]


def own(value: Any) -> Any:
    """Return a result that shares no memory with anything of ours."""
    return (value.copy() if value.shape else value[()]) if type(value) is np.ndarray else value
