"""Passes: each takes a plan and leaves a better one that computes the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from .groups import group
from .kernels import elementwise_ufunc
from .plan import Plan, Ref, Step, refs, replaced

ndarray = np.ndarray


def optimised(plan: Plan) -> Plan:
    """Apply all passes."""
    plan.notes["recorded"] = f"{len(plan.steps)} steps"
    fold(plan)
    unstretch(plan)
    simplify(plan)
    merge(plan)
    drop(plan)
    group(plan)
    return plan


# --- cheap algebra ----------------------------------------------------------------------------------------------------


def simplify(plan: Plan) -> None:
    """Leave out operations that change nothing: x * 1, x / 1, x + 0, and masks compared with 0."""
    by: dict[int, Any] = {}
    kept = []
    for step in plan.steps:
        step.exchange(by)
        same = unchanged(plan, step)
        if same is None:
            kept.append(step)
        else:
            by[step.outs[0]] = same
    _exchange(plan, kept, by)


def unchanged(plan: Plan, step: Step) -> Ref | None:
    """Return the operand that the result of a step equals, in shape and dtype too; None if there is none."""
    if step.effect or len(step.outs) != 1 or len(step.args) != 2 or step.kwargs:
        return None
    a, b = step.args
    if step.told is np.not_equal and type(a) is Ref and plan.slots[a.slot].dtype == bool and b is not True and b == 0:
        return a
    neutral = NEUTRAL.get(step.told)
    if neutral is None:
        return None
    for x, y in ((a, b), (b, a)) if step.told in (np.multiply, np.add) else ((a, b),):
        if type(x) is Ref and _is_number(y, neutral):
            p, q = plan.slots[x.slot], plan.slots[step.outs[0]]
            if (p.shape, p.dtype, p.weak) == (q.shape, q.dtype, q.weak) and (p.forc or not p.shape):
                return x
    return None


NEUTRAL = {np.multiply: 1, np.true_divide: 1, np.add: 0, np.subtract: 0}


def _is_number(y: Any, value: int) -> bool:
    return isinstance(y, int | float | np.number) and not isinstance(y, bool) and bool(y == value)


def _exchange(plan: Plan, steps: list[Step], by: dict[int, Any]) -> None:
    """Take over the remaining steps, with some slots exchanged for others everywhere."""
    plan.steps = steps
    if by:
        for step in steps:
            step.exchange(by)
        plan.outputs = replaced(plan.outputs, by)


# --- constants --------------------------------------------------------------------------------------------------------


def fold(plan: Plan) -> None:
    """Compute once what depends on numbers and on arrays that nobody can write into."""
    by: dict[int, Any] = {}
    kept = []
    for step in plan.steps:
        step.exchange(by)
        known = not step.effect and not step.tuple and all(_never_changes(plan, k) for k in step.reads)
        if known and step.fn is not None and step.reads and plan.slots[step.outs[0]].nbytes <= 1 << 20:
            args, kwargs = _filled(plan, step.args), _filled(plan, step.kwargs)
            value = step.fn(*args, **kwargs)
            if type(value) is ndarray:
                value.flags.writeable = False
            out = plan.slots[step.outs[0]]
            out.kind, out.source = "constant", value
        else:
            kept.append(step)
    _exchange(plan, kept, by)


def _never_changes(plan: Plan, k: int) -> bool:
    slot = plan.slots[k]
    if slot.kind != "constant":
        return False
    return type(slot.source) is not ndarray or _locked(slot.source)


def _locked(a: Any) -> bool:
    """Say whether nobody can write into an array."""
    while type(a) is ndarray:
        if a.flags.writeable:
            return False
        a = a.base
    return a is None or isinstance(a, np.generic)


def _filled(plan: Plan, tree: Any) -> Any:
    return replaced(tree, {k: plan.slots[k].source for k in refs(tree)})


# --- stretched operands -----------------------------------------------------------------------------------------------


def unstretch(plan: Plan) -> None:
    """Let element-wise operations read what was stretched, where another operand has the shape anyway."""
    stretched = {s.outs[0]: s.args[0] for s in plan.steps if s.told is np.broadcast_to and type(s.args[0]) is Ref}
    for slot in plan.slots:
        a = slot.source
        if slot.kind == "constant" and type(a) is ndarray and a.ndim and a.size and not any(a.strides) and _locked(a):
            stretched[slot.number] = a[(0,) * a.ndim]
    for step in plan.steps:
        if elementwise_ufunc(step) is None or stretched.keys().isdisjoint(step.reads):
            continue
        for i, a in enumerate(step.args):
            if type(a) is Ref and a.slot in stretched:
                args = (*step.args[:i], stretched[a.slot], *step.args[i + 1 :])
                shapes = [plan.slots[b.slot].shape for b in args if type(b) is Ref]
                if np.broadcast_shapes(*shapes) == plan.slots[step.outs[0]].shape:
                    step.args = args


# --- common sub-expressions -------------------------------------------------------------------------------------------


def merge(plan: Plan) -> None:
    """Compute once what is computed twice from the same values."""
    seen: dict[Any, int] = {}
    by: dict[int, Any] = {}
    kept = []
    for step in plan.steps:
        step.exchange(by)
        key = None if step.effect or len(step.outs) != 1 else _key((step.told, step.tuple, step.args, step.kwargs))
        if key is not None and key in seen:
            by[step.outs[0]] = Ref(seen[key])
            continue
        if key is not None:
            seen[key] = step.outs[0]
        kept.append(step)
    _exchange(plan, kept, by)


def _key(tree: Any) -> Any:
    """Return something hashable that is equal for equal operations; None if there is no such thing."""
    kind = type(tree)
    if isinstance(tree, tuple | list):
        parts = tuple([_key(v) for v in tree])
        return None if None in parts else (kind, parts)
    if kind is dict:
        parts = tuple([_key(v) for v in tree.values()])
        return None if None in parts else (tuple(tree), parts)
    if kind is slice:
        return _key((slice, tree.start, tree.stop, tree.step))
    if tree is None:
        return ()
    if isinstance(tree, int | float | complex | np.generic):
        return kind, repr(tree)  # 0.0 and -0.0, 1 and True are different
    try:
        hash(tree)
    except TypeError:
        return None
    return kind, tree


# --- dead code --------------------------------------------------------------------------------------------------------


def drop(plan: Plan) -> None:
    """Leave out what nobody reads, and gradients forgotten that are given anew before anybody could look."""
    later: set[int] = set()
    kept = []
    for step in reversed(plan.steps):
        if step.effect == "call":
            later.clear()
        elif step.effect == "grad":
            if step.args[0] is None and id(step.target) in later:
                continue
            later.add(id(step.target))
        kept.append(step)
    plan.steps = kept[::-1]
    used = set(refs(plan.outputs))
    kept = []
    for step in reversed(plan.steps):
        if step.effect or not used.isdisjoint(step.outs):
            used.update(step.reads)
            kept.append(step)
    plan.steps = kept[::-1]
