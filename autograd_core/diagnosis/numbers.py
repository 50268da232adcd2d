"""Where a NaN or an infinity began: in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..nodes import Node
from ..tape_values import UNKNOWN
from .case import Case, argument, listed
from .tape import bad, first
from .trails import Step, down, up
from .words import LINES_HINT, Explanation, advice, number, place, where_in

# Where people bring infinities in on purpose.
CHOOSING = {"setitem", "add", "concatenate", "stack", "maximum", "minimum"}


def bad_result(case: Case) -> Explanation | None:
    """Return where a NaN or an infinity in a result came from, if there is one."""
    for r, root in zip(case.results, case.tape.roots, strict=True):
        index = first(bad(r._data))
        if index is None:
            continue
        value = np.asarray(r._data)[index]
        steps = down(case.tape, root, index)
        began = steps[-1]
        if np.isnan(value) and np.isinf(began.value) and _chosen(began):
            # A mask's -inf is no fault, a NaN made of it is.
            began = next(s for s in reversed(steps) if np.isnan(s.value))
        return _begin(case, f"the result{where_in(index)} is {value}", _kind(value), steps, began)
    return None


def _begin(case: Case, what: str, kind: str, steps: list[Step], began: Step) -> Explanation:
    """Say where the forward pass went wrong."""
    node = began.node
    if node.op is None:
        name = case.names.get(node) or getattr(node, "name", None) or f"a leaf of shape {node.shape}"
        text = f"{what}: {name}{where_in(began.at)} was {began.value} before anything was computed"
        why = "look at what last gave it values: an update with a bad gradient, or the data it was made from"
        return Explanation(kind, text, where="forward", index=began.at, name=name, details=(why,))
    operands = case.operands(node, began.at)
    line, scope = case.spot(node)
    details = [f"{listed(operands)}, result {number(began.value)}"]
    if began.given is not None:
        v = np.asarray(case.tape.operands(node)[began.given])
        at = first(bad(v)) or ()
        details.append(
            f"{argument(node, began.given)} was given with {v[at]} at {where_in(at) or '()'}: no operation made it"
        )
    else:
        details += advice(node.op.name) or _overflow(operands)
    after = [s for s in steps[:-1] if s.node.op is not None and np.isnan(s.value) and not np.isnan(began.value)]
    details += [f"then {s.node.op.name}{place(case.spot(s.node)[0], ())} made nan of it" for s in after[-1:]]
    if began.unknown or line is None:
        details.append(LINES_HINT)
    entry = f", entry {where_in(began.at)}" if began.at else ""
    text = f"{what}: it began {'in or before' if began.unknown else 'in'} {node.op.name}{place(line, scope)}{entry}"
    return case.blame(node, kind, text, details, where="forward", index=began.at, operands=operands)


def bad_gradient(case: Case, node: Node, name: str, g: Any, index: tuple[int, ...]) -> Explanation:
    """Return where the backward pass went wrong."""
    value = np.asarray(g)[index]
    what = f"the gradient of {name} is {value}{' at ' + where_in(index) if index else ''}"
    steps = up(case.trail, node, index)
    began = steps[-1]
    op, below = began.node, steps[-2].node if len(steps) > 1 else node
    if op is below:
        text = f"{what}: each contribution is finite, their sum is too large for {np.dtype(node.dtype)}"
        return Explanation(_kind(value), text, where="backward", name=name, index=index)
    i = next((i for i, p in enumerate(op.parents) if p is below), 0)
    entry = case.entry(op, i, began.at)
    operands = case.operands(op, entry)
    line, scope = case.spot(op)
    came = case.trail.into[op]
    came = "something finite" if isinstance(came, tuple | list) else number(np.asarray(came)[entry or ...])
    details = [
        f"{listed(operands)}{case.result(op, entry)}; {came} came in, {began.value} went out to {argument(op, i)}",
        *(_because(case, op, operands) or advice(op.op.name)),
        *([LINES_HINT] if line is None else []),
    ]
    at = f", entry {where_in(began.at)}" if began.at else ""
    text = f"{what}: it began in the backward pass of {op.op.name}{place(line, scope)}{at}"
    return case.blame(op, _kind(value), text, details, where="backward", index=began.at, operands=operands, name=name)


def _because(case: Case, op: Node, operands: dict[str, Any]) -> list[str]:
    """Return where an operand that is not finite came from: made forwards, met backwards."""
    found = []
    for i, (p, v) in enumerate(zip(op.parents, case.tape.operands(op), strict=False)):
        if p is None or v is UNKNOWN or not np.any(bad(operands[argument(op, i)])):
            continue
        at = first(bad(v)) or ()
        step = down(case.tape, p, at)[-1]
        if step.node.op is not None:
            where = f"{step.node.op.name}{place(case.spot(step.node)[0], ())}"
            found.append(f"its {argument(op, i)} had become {np.asarray(v)[at]} forwards, in {where}")
            found += advice(step.node.op.name)
    return found


def _overflow(operands: dict[str, Any]) -> list[str]:
    """Say so if operands are finite but so large that their product is not."""
    arrays = [np.asarray(v) for v in operands.values() if isinstance(v, np.ndarray | np.floating | float)]
    largest = max((float(np.max(np.abs(a), initial=0.0)) for a in arrays if a.dtype.kind == "f"), default=0.0)
    smallest = min((np.finfo(a.dtype).max for a in arrays if a.dtype.kind == "f"), default=np.inf)
    if not np.sqrt(float(smallest)) <= largest < np.inf:
        return []
    return [
        f"operands as large as {largest:.1e}: what came before has grown without bound, as by too high a learning rate"
    ]


def _chosen(step: Step) -> bool:
    """Say whether an infinity was brought in by an operation that people use to bring one in: a mask, a filling."""
    op = step.node.op
    return step.given is not None and (op.selects or op.name in CHOOSING)


def _kind(value: Any) -> str:
    return "nan" if np.isnan(value) else "inf"
