"""What a diagnosis is called and how it reads: the Explanation, and what to say about single operations."""

from __future__ import annotations

import html
import linecache
from typing import Any

import numpy as np

from ..notes import printable
from ..tape_values import UNKNOWN

KINDS = (
    "fine", "nan", "inf", "zero", "saturated", "dead relu", "absent", "cancelled", "never connected", "detached",
    "not tracked", "accumulated", "freed",
)  # fmt: skip

LINES_HINT = "compute it inside `with ag.debug():`, or call ag.explain(f, *args), and the line of source is named too"

EPS = "np.clip(x, -1 + eps, 1 - eps)"
FLAT_TOP = "subtract the largest entry first, or use ag.logsumexp, nn.softmax, nn.cross_entropy"
POWER = "a fractional power of a negative number is NaN; below exponent 1 the slope at 0 is infinite"

# What to say about an operation, and what to write instead.
ADVICE = {
    "log": (
        "log is defined above 0 only; at 0 it is -inf, and its slope infinite",
        "np.where(x > 0, np.log(x), 0.0) or np.log(x + eps)",
    ),
    "log2": (
        "log2 is defined above 0 only; at 0 it is -inf, and its slope infinite",
        "np.where(x > 0, np.log2(x), 0.0)",
    ),
    "log10": (
        "log10 is defined above 0 only; at 0 it is -inf, and its slope infinite",
        "np.where(x > 0, np.log10(x), 0.0)",
    ),
    "log1p": ("log1p is defined above -1 only", "np.where(x > -1, np.log1p(x), 0.0)"),
    "sqrt": (
        "sqrt is defined from 0 on, and its slope at 0 is infinite",
        "np.where(x > 0, np.sqrt(x), 0.0) or np.sqrt(x + eps)",
    ),
    "cbrt": ("the slope of cbrt at 0 is infinite", "np.where(x != 0, np.cbrt(x), 0.0)"),
    "exp": ("exp overflows above 709.78 (float64) or 88.72 (float32)", FLAT_TOP),
    "exp2": ("exp2 overflows above 1024 (float64) or 128 (float32)", FLAT_TOP),
    "expm1": ("expm1 overflows above 709.78 (float64) or 88.72 (float32)", FLAT_TOP),
    "sinh": ("sinh overflows above 710 (float64) or 89 (float32)", ""),
    "cosh": ("cosh overflows above 710 (float64) or 89 (float32)", ""),
    "square": ("the square is larger than the dtype can hold", ""),
    "divide": ("a division by 0, or by a number too small", "np.where(b != 0, a / b, 0.0) or a / (b + eps)"),
    "reciprocal": ("a division by 0", "np.where(x != 0, np.reciprocal(x), 0.0)"),
    "power": (POWER, "np.where(a > 0, a**b, 0.0)"),
    "float_power": (POWER, "np.where(a > 0, np.float_power(a, b), 0.0)"),
    "arcsin": ("arcsin lives on [-1, 1], and its slope at the ends is infinite", EPS),
    "arccos": ("arccos lives on [-1, 1], and its slope at the ends is infinite", EPS),
    "arctanh": ("arctanh lives inside (-1, 1)", EPS),
    "arccosh": ("arccosh lives from 1 on, and its slope at 1 is infinite", "np.maximum(x, 1 + eps)"),
    "subtract": ("inf - inf is NaN", ""),
    "add": ("inf + -inf is NaN", ""),
    "multiply": ("0 * inf is NaN, or the product is too large", ""),
    "matmul": ("0 * inf or inf - inf inside the sums, or a sum that is too large", ""),
    "sum": ("inf - inf inside the sum, or a sum that is too large", ""),
}


class Explanation:
    """Why a gradient, or the loss itself, is as it is.

    Attributes
    ----------
    kind : str
        "nan", "inf", "zero", "saturated", "dead relu", "absent", "cancelled", "never connected", "detached",
        "not tracked", "accumulated", "freed" or "fine".
    where : str
        "forward" or "backward" for a NaN or an infinity, else "".
    operation : str or None
        The operation where it began.
    index : tuple of int or None
        The entry where it began: of the operation's result (forward), of its operand (backward).
    operands : dict
        What the operation computed with at that entry; whole arrays where entries mix.
    line : str or None
        ``file:line`` of the call, if it ran under `ag.debug()`.
    scope : tuple of str
        The modules and scopes it ran in.
    name : str or None
        The Tensor asked about.
    text : str
        All of it, to be read.
    findings : tuple of Explanation
        One for each Tensor, if several were asked about.
    """

    def __init__(
        self,
        kind: str,
        sentence: str,
        *,
        where: str = "",
        operation: str | None = None,
        index: tuple[int, ...] | None = None,
        operands: dict[str, Any] | None = None,
        line: str | None = None,
        scope: tuple[str, ...] = (),
        name: str | None = None,
        details: tuple[str, ...] = (),
        findings: tuple[Explanation, ...] = (),
    ) -> None:
        self.kind, self.sentence, self.where, self.name = kind, printable(sentence), where, name
        self.operation, self.index, self.operands = operation, index, operands or {}
        self.line, self.scope, self.findings = line, scope, findings
        self.details = tuple(map(printable, details))

    @property
    def text(self) -> str:
        """All of it, to be read."""
        return "\n".join([self.sentence, *("  " + d for d in self.details)])

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        ok = self.kind in ("fine", "absent")
        color = "#2e7d32" if ok else "#c62828"
        body = "".join(f"<div>{html.escape(d).replace(' ', '&nbsp;')}</div>" for d in self.details)
        return (
            f'<div style="border-left:4px solid {color};padding:4px 12px"><b>{html.escape(self.sentence)}</b>'
            f'<div style="font-family:monospace;font-size:90%;margin-top:4px">{body}</div></div>'
        )


def number(v: Any) -> str:
    """Return a value as it reads best: a number, a small array, or a summary of a large one."""
    if v is UNKNOWN or v is None:
        return "unknown"
    a = np.asarray(v)
    if a.dtype.kind not in "fc":
        return str(a.item()) if a.ndim == 0 else f"{a.dtype}{list(a.shape)}"
    if a.ndim == 0:
        return repr(a.item()) if a.dtype.itemsize >= 8 else f"{a.item():.7g}"
    if a.size <= 6:
        return np.array2string(a, separator=", ").replace("\n", "")
    finite = a[np.isfinite(a)]
    span = f"from {np.min(finite):.3g} to {np.max(finite):.3g}" if finite.size and a.dtype.kind == "f" else ""
    count = a.size - finite.size
    return f"{a.dtype}{list(a.shape)} {span}" + (f", {count} not finite" if count else "")


def where_in(index: tuple[int, ...] | None) -> str:
    """Return an index as Python writes it behind a name."""
    return f"[{', '.join(map(str, index))}]" if index else ""


def place(line: str | None, scope: tuple[str, ...]) -> str:
    """Return where an operation stood, as far as known."""
    parts = [f"at {line}"] if line else []
    if scope:
        parts.append(f"in {' / '.join(scope)}")
    return f" ({', '.join(parts)})" if parts else ""


def quoted(line: str | None) -> list[str]:
    """Return the line of source itself, if it can be read."""
    if not line:
        return []
    path, _, n = line.rpartition(":")
    source = linecache.getline(path, int(n)).strip() if n.isdigit() else ""
    return [f"> {source}"] if source else []


def advice(name: str) -> list[str]:
    """Return what to say about an operation, and what to write instead."""
    why, instead = ADVICE.get(name, ("", ""))
    return [line for line in (why, f"try {instead}" if instead else "") if line]
