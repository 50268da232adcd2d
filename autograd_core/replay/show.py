"""A plan as text: operation, operands, result, and what the passes have made of it."""

from __future__ import annotations

from typing import Any

import numpy as np


def text(plan: Any) -> str:
    """Return a plan as a table of lines."""
    head = ", ".join(_place(plan, k) for k in plan.inputs)
    lines = [f"plan of {len(plan.steps)} steps"]
    lines += [f"  {k}: {v}" for k, v in plan.notes.items() if isinstance(v, str | int) and k != "source"]
    lines.append(f"  inputs {head or 'none'}")
    read = {k for step in plan.steps for k in step.reads}
    around = [_called(slot) for slot in plan.slots if slot.kind == "tensor" and slot.number in read]
    lines += [f"  around {', '.join(around)}"] if around else []
    for step in plan.steps:
        lines.append("  " + _line(plan, step))
    lines.append("  return " + ", ".join(_argument(r) for r in plan.outputs))
    if "source" in plan.notes:
        lines += ["source", *("  " + line for line in plan.notes["source"].splitlines())]
    return "\n".join(lines)


def _line(plan: Any, step: Any) -> str:
    args = [_argument(a) for a in step.args] + [f"{k}={_argument(v)}" for k, v in step.kwargs.items()]
    if step.effect in ("assign", "grad"):
        target = getattr(step.target, "name", None) or f"{step.target.dtype}{list(step.target.shape)}"
        return f"{step.effect} {target} <- {', '.join(args)}"
    if step.effect == "check":
        return f"{step.name}({', '.join(args)})"
    results = ", ".join(_place(plan, k) for k in step.outs)
    places = plan.notes.get("places", {})
    where = ", ".join(dict.fromkeys(places[k] for k in step.outs if k in places)) or "view" * (step.form == "view")
    return f"{results} = {step.name}({', '.join(args)}){'  !' if step.effect else ''}{'  -> ' + where if where else ''}"


def _place(plan: Any, k: int) -> str:
    return _place_of(plan.slots[k])


def _place_of(slot: Any) -> str:
    if slot.dtype is None:
        return f"%{slot.number}"
    return f"%{slot.number} {'number' if slot.weak else np.dtype(slot.dtype).name + str(list(slot.shape))}"


def _called(slot: Any) -> str:
    name = getattr(slot.source, "name", None)
    return f"{_place_of(slot)}{f' {name}' if name else ''}"


def _argument(a: Any) -> str:
    if isinstance(a, tuple | list):
        inner = ", ".join(_argument(v) for v in a)
        return f"({inner})" if isinstance(a, tuple) else f"[{inner}]"
    if hasattr(a, "slot"):
        return repr(a)
    return repr(a) if isinstance(a, int | float | str | slice | type(None)) else type(a).__name__
