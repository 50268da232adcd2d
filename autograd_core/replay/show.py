"""A plan as text: operation, operands, result, and what the passes have made of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..program.primitives import VIEWS
from ..program.program import Variable


def text(plan: Any) -> str:
    """Return a plan as a table of lines."""
    head = ", ".join(map(_place, plan.inputs))
    lines = [f"plan of {len(plan.equations)} equations"]
    lines += [f"  {k}: {v}" for k, v in plan.notes.items() if isinstance(v, str | int) and k != "source"]
    lines.append(f"  inputs {head or 'none'}")
    around = dict.fromkeys(v for e in plan.equations for v in e.reads if v.kind == "tensor")
    lines += [f"  around {', '.join(map(_called, around))}"] if around else []
    for equation in plan.equations:
        lines.append("  " + _line(plan, equation))
    lines.append("  return " + ", ".join(map(_operand, plan.outputs)))
    if "source" in plan.notes:
        lines += ["source", *("  " + line for line in plan.notes["source"].splitlines())]
    return "\n".join(lines)


def _line(plan: Any, equation: Any) -> str:
    operands = [*map(_operand, equation.inputs), *(f"{k}={_operand(v)}" for k, v in equation.params.items())]
    if equation.effect in ("assign", "gradient"):
        target = getattr(equation.target, "name", None) or f"{equation.target.dtype}{list(equation.target.shape)}"
        what = "grad" if equation.effect == "gradient" else "assign"
        return f"{what} {target} <- {', '.join(operands)}"
    if equation.effect == "check":
        return f"{equation.title}({', '.join(operands)})"
    places = plan.notes.get("places", {})
    view = "view" * (equation.form in VIEWS)
    where = ", ".join(dict.fromkeys(places[v] for v in equation.outputs if v in places)) or view
    results = ", ".join(map(_place, equation.outputs))
    anew = "  !" if equation.effect else ""
    return f"{results} = {equation.title}({', '.join(operands)}){anew}{'  -> ' + where if where else ''}"


def _place(v: Any) -> str:
    if v.dtype is None:
        return _name(v)
    return f"{_name(v)} {'number' if v.weak else np.dtype(v.dtype).name + str(list(v.shape))}"


def _name(v: Any) -> str:
    return f"%{v.number}"


def _called(v: Any) -> str:
    name = getattr(v.source, "name", None)
    return f"{_place(v)}{f' {name}' if name else ''}"


def _operand(a: Any) -> str:
    if isinstance(a, tuple | list):
        inner = ", ".join(map(_operand, a))
        return f"({inner})" if isinstance(a, tuple) else f"[{inner}]"
    if type(a) is Variable:
        return _name(a)
    return repr(a) if isinstance(a, int | float | str | slice | type(None)) else type(a).__name__
