"""How operations are written: `×` rather than `multiply`, `√x` rather than `sqrt(x)`."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

HOLE = "·"

INFIX = {
    "add": "+",
    "subtract": "−",
    "multiply": "×",
    "divide": "÷",
    "matmul": "@",
    "dot": "@",
    "remainder": "mod",
    "maximum": "max",
    "minimum": "min",
}
SYMBOLS = INFIX | {
    "negative": "−",
    "power": "^",
    "float_power": "^",
    "square": "( )²",
    "sqrt": "√",
    "cbrt": "∛",
    "reciprocal": "1 ÷",
    "absolute": "| |",
    "norm": "‖ ‖",
    "vector_norm": "‖ ‖",
    "euclidean": "‖ ‖",
    "matrix_norm": "‖ ‖",
    "sum": "Σ",
    "prod": "Π",
    "sigmoid": "σ",
    "transpose": "ᵀ",
    "matrix_transpose": "ᵀ",
    "getitem": "[ ]",
    "setitem": "[ ] =",
    "conjugate": "conj",
    "inv": "( )⁻¹",
    "integrate": "∫",
    "outer": "⊗",
    "kron": "⊗",
}
AROUND = {
    "square": "{}²",
    "sqrt": "√{}",
    "cbrt": "∛{}",
    "reciprocal": "1 / {}",
    "negative": "−{}",
    "absolute": "|{}|",
    "norm": "‖{}‖",
    "euclidean": "‖{}‖",
    "transpose": "{}ᵀ",
    "matrix_transpose": "{}ᵀ",
    "inv": "{}⁻¹",
}
POWERS = str.maketrans("0123456789.−-", "⁰¹²³⁴⁵⁶⁷⁸⁹·⁻⁻")
LIGHT = (int, float, bool, str, tuple, slice, type(Ellipsis))
ATOM = re.compile(r"[^\W\d]\w*|\d+(\.\d+)?|·|\S\[[^]]*\]")


def clean(name: str) -> str:
    """Return the name of an operation without what marks it as private."""
    return name.strip("_") or name


def raised(number: str) -> str:
    """Return a number as an exponent, if it can be written so."""
    return number.translate(POWERS) if re.fullmatch(r"[−-]?\d{1,3}", number) else f"^{number}"


def light(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata that a picture may keep: no arrays."""
    kept = {k: v for k, v in metadata.items() if isinstance(v, LIGHT)}
    return kept | {"index": index_text(metadata["index"])} if "index" in metadata else kept


def label_of(op: str, operands: Sequence[Any], metadata: dict[str, Any]) -> str:
    """Return an operation as the title of its box, with the numbers that are its operands.

    Examples
    --------
    >>> label_of("multiply", (0, 1), {}), label_of("multiply", (0, "2"), {}), label_of("power", (0, "3"), {})
    ('×', '× 2', '( )³')
    """
    if metadata:
        return _label(op, operands, metadata)
    return known_label(op, tuple([o if isinstance(o, str) else None for o in operands]))


@functools.lru_cache(maxsize=10_000)
def known_label(op: str, operands: tuple[str | None, ...]) -> str:
    """Return the title of an operation without metadata: its operands are texts of numbers, or None."""
    return _label(op, operands, {})


def _label(op: str, operands: Sequence[Any], metadata: dict[str, Any]) -> str:
    name = clean(op)
    symbol = SYMBOLS.get(name, name)
    texts = [o for o in operands if isinstance(o, str)]
    if len(operands) == 2 and len(texts) == 1:
        first = isinstance(operands[0], str)
        if name in ("power", "float_power"):
            return f"{texts[0]} ^" if first else f"( ){raised(texts[0])}"
        if name in INFIX or name in ("arctan2", "hypot"):
            commutes = name in ("add", "multiply", "maximum", "minimum")
            return f"{texts[0]} {symbol}" if first and not commutes else f"{symbol} {texts[0]}"
    if name == "getitem":
        return shorten(f"[{index_text(metadata.get('index', HOLE))}]", 18)
    if name == "setitem" and "index" in metadata:
        return shorten(f"[{index_text(metadata['index'])}] =", 18)
    if name == "pick":
        return "result"
    if name in ("maximum", "minimum") and isinstance(metadata.get("bound"), int | float):
        return f"{symbol} {metadata['bound']:g}"
    return shorten(symbol, 22)


def formula_of(op: str, names: Sequence[str], metadata: dict[str, Any]) -> str:
    """Return an operation applied to named operands.

    Examples
    --------
    >>> formula_of("add", ("a", "b + c"), {}), formula_of("matmul", ("x", "W"), {}), formula_of("tanh", ("h",), {})
    ('a + (b + c)', 'x @ W', 'tanh(h)')
    """
    name = clean(op)
    if name in ("power", "float_power") and len(names) == 2:
        up = raised(names[1])
        return f"{bracket(names[0])}{up}" if up[0] != "^" else f"{bracket(names[0])}^{bracket(names[1])}"
    if name in INFIX and len(names) == 2 and INFIX[name] not in ("max", "min"):
        return f"{bracket(names[0])} {INFIX[name]} {bracket(names[1])}"
    if name in AROUND and len(names) == 1:
        inner = names[0] if name in ("absolute", "norm", "euclidean") else bracket(names[0])
        return AROUND[name].format(inner)
    if name == "getitem":
        return f"{bracket(names[0])}[{index_text(metadata.get('index', HOLE))}]"
    head = {"sum": "Σ", "prod": "Π", "sigmoid": "σ"}.get(name, name)
    more = [f"{k}={v!r}" for k, v in sorted(metadata.items()) if isinstance(v, LIGHT) and k != "order"]
    return f"{head}({', '.join([*names, *more])})"


def bracket(text: str) -> str:
    """Put brackets around what is more than a name."""
    return text if ATOM.fullmatch(text) else f"({text})"


def index_text(index: Any) -> str:
    """Return an index as it is written.

    Examples
    --------
    >>> index_text((slice(None, 3), ..., 0))
    ':3, …, 0'
    """
    if isinstance(index, tuple):
        return ", ".join(index_text(i) for i in index)
    if isinstance(index, slice):
        parts = ["" if p is None else str(p) for p in (index.start, index.stop)]
        return ":".join([*parts, *([] if index.step is None else [str(index.step)])])
    if index is Ellipsis:
        return "…"
    if index is None:
        return "None"
    if getattr(index, "shape", None):
        return "mask" if index.dtype.kind == "b" else "indices"
    return str(index)


def shorten(text: str, width: int) -> str:
    """Cut a text that is too long."""
    return text if len(text) <= width else text[: width - 1] + "…"
