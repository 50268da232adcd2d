"""A program as text, like a page of mathematics: an equation a line, with spaces, scopes, lines of source, effects."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

SHORT = {
    "float16": "f16", "float32": "f32", "float64": "f64", "longdouble": "f80", "complex64": "c64", "complex128": "c128",
    "bool": "bool",
}  # fmt: skip
MOST = 6  # entries of a tuple or a list that are shown
WIDEST = 22  # letters of results that others are aligned with


def text(program: Any, lines_of_source: bool = False) -> str:
    """Return a program as lines: equations in a scope stand further in, under its name; results stand in a column."""
    names = Names(program)
    head = ", ".join(f"{v.name}: {space(v)}" for v in program.inputs)
    lines = [f"{program.name}({head})"]
    around = [v for v in program.variables if v.kind in ("tensor", "gradient") or (v.kind == "constant" and v.shape)]
    lines += _aligned([("    ", f"{v.name}: {space(v)}", _origin(v, names)) for v in around])
    rows: list[tuple[str, str, str]] = []
    scope: tuple[str, ...] = ()
    for e in program.equations:
        if e.scope != scope:
            scope = e.scope
            if scope:
                rows.append(("", f"  {' / '.join(scope)}:", ""))
        results, what = _sides(e, names)
        where = f"  # {os.path.basename(e.line)}" if lines_of_source and e.line else ""
        rows.append(("      " if scope else "    ", results, what + where))
    lines += _aligned(rows)
    lines.append("  return " + ", ".join(written(v) for v in program.outputs))
    return "\n".join(lines)


class Names:
    """What the Tensors around a program are called: those of one name are numbered."""

    def __init__(self, program: Any) -> None:
        found = [v.source for v in program.variables if v.kind in ("tensor", "gradient")]
        found += [e.target for e in program.equations if e.effect in ("assign", "gradient")]
        self.of: dict[Any, str] = {}
        times: dict[str, int] = {}
        for x in found:
            leaf = _leaf(x)
            if leaf not in self.of:
                name = called(x)
                times[name] = times.get(name, 0) + 1
                self.of[leaf] = name if times[name] == 1 else f"{name} {times[name]}"

    def __call__(self, x: Any) -> str:
        """Return the name of a Tensor, or of a leaf."""
        return self.of[_leaf(x)]


def _leaf(x: Any) -> Any:
    """Return the leaf of a Tensor: gradients are left in leaves, values assigned to Tensors."""
    node = getattr(x, "_node", None)
    return x if node is None else node


def _aligned(rows: list[tuple[str, str, str]]) -> list[str]:
    """Return rows (margin, results, what they are) with what they are in a column, unless its place is far out."""
    column = max((len(m) + len(r) for m, r, what in rows if what and len(r) <= WIDEST), default=0)
    return [f"{(m + r).ljust(column)} = {what}" if what and r else f"{m}{r}{what}" for m, r, what in rows]


def line(equation: Any) -> str:
    """Return one equation."""
    results, what = _sides(equation, called)
    return f"{results} = {what}" if results else what


def _sides(equation: Any, names: Any) -> tuple[str, str]:
    """Return the results of an equation, if it has any, and what it does."""
    if equation.effect in ("assign", "gradient"):
        what = "gradient of " if equation.effect == "gradient" else ""
        return "", f"{what}{names(equation.target)} <- {written(equation.inputs[0])}"
    named = {k: v for k, v in equation.params.items() if v is not None and v is not False}
    given = [*map(written, equation.inputs), *(f"{k}={written(v)}" for k, v in named.items())]
    if equation.effect == "check":
        return "", f"{equation.title}({', '.join(given)})"
    results = ", ".join(f"{v.name}: {space(v)}" for v in equation.outputs)
    if named.keys() == {"index"} and len(given) == 2:  # entries of an array
        return results, f"{given[0]}[{entries(named['index'])}]"
    anew = "  !" if equation.effect == "call" else ""
    return results, f"{equation.title}({', '.join(given)}){anew}"


def entries(index: Any) -> str:
    """Return an index as it stands between brackets."""
    return ", ".join(map(written, index)) if type(index) is tuple and index else written(index)


def space(v: Any) -> str:
    """Return the space of a variable.

    Examples
    --------
    >>> from autograd_core.program.program import Variable
    >>> space(Variable(0, "input", np.ones((2, 3), np.float32))), space(Variable(1, "value", np.float64(1)))
    ('f32[2,3]', 'f64')
    """
    if v.dtype is None:
        return "generator"
    if v.weak:
        return "number"
    name = np.dtype(v.dtype).name
    name = SHORT.get(name, name.replace("uint", "u").replace("int", "i"))
    return name + (f"[{','.join(map(str, v.shape))}]" if v.shape else "")


def written(x: Any) -> str:
    """Return an operand: a variable's name, a constant number itself, a literal."""
    if hasattr(x, "kind") and hasattr(x, "epoch"):
        return _number(x.source) if x.kind == "constant" and x.shape == () else str(x.name)
    if isinstance(x, tuple | list):
        inner = ", ".join(written(v) for v in x[:MOST]) + (", ..." if len(x) > MOST else "")
        return f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"
    if isinstance(x, slice):
        step = "" if x.step is None else f":{written(x.step)}"
        return f"{'' if x.start is None else written(x.start)}:{'' if x.stop is None else written(x.stop)}{step}"
    if x is Ellipsis:
        return "..."
    if isinstance(x, dict):
        return "{" + ", ".join(f"{k}: {written(v)}" for k, v in x.items()) + "}"
    if isinstance(x, float | np.generic):
        return _number(x)
    if isinstance(x, np.dtype):
        return str(x.name)
    return repr(x) if isinstance(x, int | str | type(None)) else str(getattr(x, "__name__", type(x).__name__))


def _number(x: Any) -> str:
    value = np.asarray(x)[()]
    return str(value.item()) if value.dtype.kind in "biu" else f"{value:.6g}"


def _origin(v: Any, names: Names) -> str:
    if v.kind == "gradient":
        return f"gradient of {names(v.source)}, from before"
    if v.kind == "tensor":
        return names(v.source) + (f", after {v.epoch} writes" if v.epoch else "")
    return "array from around"


def called(x: Any) -> str:
    """Return what a Tensor or a leaf is called, by its own name or by its space."""
    name = getattr(x, "name", None)
    return repr(name) if name else f"Tensor {np.dtype(x.dtype).name}{list(x.shape)}"
