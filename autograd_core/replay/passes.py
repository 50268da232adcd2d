"""Passes: each takes a plan and leaves a better one that computes the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..program.calls import of_ours
from .arrays import is_locked
from .forms import elementwise_ufunc, form_of, may_raise
from .groups import group
from .plan import SEQUENCES, Plan, Ref, Step, refs, replaced

ndarray = np.ndarray


def optimised(plan: Plan) -> Plan:
    """Apply all passes: one walk forwards for what looks at a step and those before it, one back for dead code."""
    plan.notes["recorded"] = f"{len(plan.steps)} steps"
    forwards(plan)
    drop(plan)
    raise_first(plan)
    group(plan)
    forget(plan)
    for step in plan.steps:
        step.form = form_of(plan, step)
    return plan


def forget(plan: Plan) -> None:
    """Let go of arrays that were recorded as constants and are read no more."""
    used = {k for step in plan.steps for k in step.reads} | set(refs(plan.outputs))
    for slot in plan.slots:
        if slot.kind == "constant" and slot.number not in used:
            slot.source = None


def forwards(plan: Plan) -> None:
    """Fold constants, take operands unstretched, leave out what changes nothing, compute once what is the same."""
    known, stretched, seen, moving = Known(plan), Stretched(plan), dict[Any, Any](), changing(plan)
    by: dict[int, Any] = {}
    kept = []
    for step in plan.steps:
        step.exchange(by)
        if not moving.isdisjoint(step.shares):
            moving.update(step.outs)
        if not step.effect and len(step.outs) == 1:
            if known.fold(step):
                stretched.note(step.outs[0])
                continue
            stretched.undo(step)
            same = unchanged(plan, step)
            if same is None or same.slot in moving:  # a copy of a parameter is no copy any more when that has changed
                same = merged(seen, step)
            if same is not None:
                by[step.outs[0]] = same
                continue
        kept.append(step)
    plan.steps = kept
    if by:
        plan.outputs = replaced(plan.outputs, by)


def changing(plan: Plan) -> set[int]:
    """Return the slots of memory that the program, or what it calls, writes into."""
    if not any(step.effect in ("assign", "call") for step in plan.steps):
        return set()
    return {s.number for s in plan.slots if s.kind == "tensor" or (s.kind == "constant" and type(s.source) is ndarray)}


# --- constants --------------------------------------------------------------------------------------------------------


class Known:
    """What depends on numbers and on arrays that nobody can write into is computed once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.slots = {s.number for s in plan.slots if s.kind == "constant" and _never_changes(s.source)}

    def fold(self, step: Step) -> bool:
        """Make the result of a step a constant, if it is one."""
        out, reads = self.plan.slots[step.outs[0]], step.reads
        if not reads or not self.slots.issuperset(reads) or step.tuple or step.fn is None or out.nbytes > 1 << 20:
            return False
        by = {k: self.plan.slots[k].source for k in reads}
        value = step.fn(*replaced(step.args, by), **replaced(step.kwargs, by))
        if type(value) is ndarray:
            value.flags.writeable = False
        out.kind, out.source = "constant", value
        if _never_changes(value):
            self.slots.add(out.number)
        return True


def _never_changes(source: Any) -> bool:
    return type(source) is not ndarray or is_locked(source)


# --- stretched operands -----------------------------------------------------------------------------------------------


class Stretched:
    """Element-wise operations read what was stretched, where another operand has the shape anyway."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.before: dict[int, Any] = {}  # slot of a stretched array -> what it was made of
        for slot in plan.slots:
            if slot.kind == "constant":
                self.note(slot.number)

    def note(self, k: int) -> None:
        """Look at a constant."""
        a = self.plan.slots[k].source
        if type(a) is ndarray and a.ndim and a.size and not any(a.strides) and is_locked(a):
            self.before[k] = a[(0,) * a.ndim]

    def undo(self, step: Step) -> None:
        """Let a step read stretched operands as they were, if it can."""
        if step.told is np.broadcast_to and type(step.args[0]) is Ref:
            self.before[step.outs[0]] = step.args[0]
        elif self.before and not self.before.keys().isdisjoint(step.reads) and elementwise_ufunc(step) is not None:
            for i, a in enumerate(step.args):
                if type(a) is Ref and a.slot in self.before:
                    args = (*step.args[:i], self.before[a.slot], *step.args[i + 1 :])
                    shapes = [self.plan.slots[b.slot].shape for b in args if type(b) is Ref]
                    if np.broadcast_shapes(*shapes) == self.plan.slots[step.outs[0]].shape:
                        step.args = args


# --- cheap algebra ----------------------------------------------------------------------------------------------------


def unchanged(plan: Plan, step: Step) -> Ref | None:
    """Return the operand that the result of a step equals, in shape and dtype too; None if there is none.

    That is x * 1, x / 1, x + 0, x - 0, and masks compared with 0.
    """
    neutral = NEUTRAL.get(step.told)
    if neutral is None or len(step.args) != 2 or step.kwargs:
        return None
    a, b = step.args
    if step.told is np.not_equal:
        is_mask = type(a) is Ref and plan.slots[a.slot].dtype == bool
        return a if is_mask and b is not True and type(b) is not Ref and b == 0 else None
    for x, y in ((a, b), (b, a)) if step.told in (np.multiply, np.add) else ((a, b),):
        if type(x) is Ref and type(y) is not Ref and _is_number(y, neutral):
            p, q = plan.slots[x.slot], plan.slots[step.outs[0]]
            if (p.shape, p.dtype, p.weak) == (q.shape, q.dtype, q.weak) and (p.forc or not p.shape):
                return x
    return None


NEUTRAL = {np.multiply: 1, np.true_divide: 1, np.add: 0, np.subtract: 0, np.not_equal: 0}


def _is_number(y: Any, value: int) -> bool:
    return isinstance(y, NUMBERS) and not isinstance(y, bool) and bool(y == value)


NUMBERS = (int, float, np.number)


# --- common sub-expressions -------------------------------------------------------------------------------------------


def merged(seen: dict[Any, Ref], step: Step) -> Ref | None:
    """Return the result of the same operation on the same values, if there has been one."""
    key = step.told, step.tuple, _key(step.args), _key(step.kwargs) if step.kwargs else None
    try:
        found = seen.get(key)
    except TypeError:  # something in it cannot be hashed
        return None
    if found is None:
        seen[key] = Ref(step.outs[0])
    return found


def _key(tree: Any) -> Any:
    """Return something that is equal for equal arguments: a slot's number, and a pair that tells the type of others."""
    kind = type(tree)
    if kind is Ref:
        return tree.slot
    if kind is tuple or kind is list or isinstance(tree, SEQUENCES):
        return (kind, *[_key(v) for v in tree])
    if kind is dict:
        return (dict, *[(k, _key(v)) for k, v in tree.items()])
    if kind is slice:
        return slice, _key(tree.start), _key(tree.stop), _key(tree.step)
    if kind is float:
        return kind, tree.hex()  # 0.0 and -0.0 are different
    if isinstance(tree, np.generic):
        return kind, tree.tobytes()
    return kind, repr(tree) if kind is complex else tree


# --- dead code --------------------------------------------------------------------------------------------------------


def drop(plan: Plan) -> None:
    """Leave out what nobody reads."""
    used = set(refs(plan.outputs))
    kept = []
    for step in reversed(plan.steps):
        if step.effect or not used.isdisjoint(step.outs):
            used.update(step.reads)
            kept.append(step)
    plan.steps = kept[::-1]


# --- what may raise ---------------------------------------------------------------------------------------------------


def raise_first(plan: Plan) -> None:
    """Move what may raise, and does not depend on a change to the world, before the first change.

    A call that fails puts back what it has changed. For that it makes copies, unless nothing raises after the changes.
    """
    start = next((i for i, step in enumerate(plan.steps) if step.effect == "assign"), None)
    if start is None:
        return
    moving, made, floor = changing(plan), dict[int, int](), 0
    chosen: dict[int, list[Step]] = {}  # number of the step after which they come -> steps
    moved: set[int] = set()
    late = wanted(plan, start)
    for i, step in enumerate(plan.steps):
        if not moving.isdisjoint(step.shares):
            moving.update(step.outs)
        if step.effect == "call" and not of_ours(step):
            floor = i + 1
        at = max([floor, *(made.get(k, -1) + 1 for k in step.reads)])
        if i in late and at <= start and moving.isdisjoint(step.reads):
            chosen.setdefault(at, []).append(step)
            moved.add(i)
            made |= dict.fromkeys(step.outs, at - 1)
        else:
            made |= dict.fromkeys(step.outs, i)
    if moved:
        order = [[*chosen.get(i, ()), *([] if i in moved else [step])] for i, step in enumerate(plan.steps)]
        plan.steps = [step for steps in order for step in steps]


def wanted(plan: Plan, start: int) -> set[int]:
    """Return the numbers of steps from one on that may raise, and of those that they need."""
    found, needed = set[int](), set[int]()
    for i in range(len(plan.steps) - 1, start, -1):
        step = plan.steps[i]
        if not step.effect:
            step.form = form_of(plan, step)
            if may_raise(step) or not needed.isdisjoint(step.outs):
                found.add(i)
                needed.update(step.reads)
    return found
