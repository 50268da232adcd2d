"""From a program to the plan that the executors of this folder read: variables become slots, equations steps."""

from __future__ import annotations

from typing import Any

from ..program.program import Equation, Variable, replaced
from .plan import Plan, Ref, Slot, Step

KINDS = {"gradient": "grad"}
EFFECTS = {"gradient": "grad"}
NESTED = (tuple, list, slice, dict)


def as_plan(program: Any, capture: Any) -> Plan:
    """Return the plan of a program that has just been captured."""
    return _Bridge(capture).cross(program)


class _Bridge:
    """The plan so far, and what stands in it for which variable."""

    def __init__(self, capture: Any) -> None:
        self.plan = Plan()
        self.plan.guards = capture.guards
        self.plan.finite = capture.finite
        self.found: dict[Variable, Ref] = {}

    def cross(self, program: Any) -> Plan:
        """Return the plan."""
        plan = self.plan
        plan.inputs = [self.ref(v).slot for v in program.inputs]
        for equation in program.equations:
            plan.steps.append(self.step(equation))
            if equation.quiet:
                plan.notes["quiet"] = "as recorded: NumPy does not warn"
        plan.outputs = self.refs(program.outputs)
        plan.rebuild = program.rebuild
        return plan

    def ref(self, v: Variable) -> Ref:
        """Return what stands for a variable among the arguments of a step."""
        found = self.found.get(v)
        if found is None:
            if v.kind == "value" and not v.shape:
                slots = self.plan.slots
                slots.append(Slot(len(slots), "value", v.shape, v.dtype, None, v.weak, v.epoch))
                found = Ref(len(slots) - 1)
            else:
                kind = KINDS.get(v.kind, v.kind)
                found = self.plan.slot(kind, v.shape, v.dtype, v.value, v.source, v.weak, v.epoch).ref
            self.found[v] = found
        return found

    def refs(self, tree: Any) -> Any:
        """Return inputs or params with slots in the places of variables."""
        return replaced(tree, self.ref)

    def step(self, equation: Equation) -> Step:
        """Return the step of an equation."""
        args, reads, flat = [], [], not equation.params
        for a in equation.inputs:
            if type(a) is Variable:
                found = self.ref(a)
                reads.append(found.slot)
                args.append(found)
            else:
                flat = flat and not isinstance(a, NESTED)
                args.append(self.refs(a))
        kwargs = self.refs(equation.params) if equation.params else equation.params
        outs = tuple([self.ref(v).slot for v in equation.outputs])
        effect = EFFECTS.get(equation.effect, equation.effect) if equation.effect else ""
        known = tuple(reads) if flat else None
        told, several = equation.operation, equation.several
        step = Step(equation.call, tuple(args), kwargs, outs, told, several, known, effect, equation.target)
        if equation.shares:
            step.shares = tuple([self.ref(v).slot for v in equation.shares])
        return step
