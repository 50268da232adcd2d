"""The formula of a rule, for reading: from the source of its pullback, so it is what the sweep does, also for your own.

``lambda g, ans: g - g * ans * ans`` reads ``v̄ − v̄ v²``. Where one reads better by hand, it is written by hand in
`WRITTEN`; where the source is not one expression, the formula names the function.
"""

from __future__ import annotations

import ast
import functools
import linecache
import re
from collections.abc import Sequence
from typing import Any

from ..pullbacks import same
from ..rules import Op
from .numbers import tell
from .symbols import clean, raised

BAR = "\N{COMBINING MACRON}"
G = "v" + BAR

WRITTEN = {
    "add": (G, G),
    "subtract": (G, f"−{G}"),
    "multiply": (f"b {G}", f"a {G}"),
    "divide": (f"{G} / b", f"−{G} v / b"),
    "power": (f"{G} b a^(b−1)", f"{G} v log a"),
    "matmul": (f"{G} bᵀ", f"aᵀ {G}"),
    "dot": (f"{G} bᵀ", f"aᵀ {G}"),
    "tanh": (f"{G} (1 − v²)",),
    "sigmoid": (f"{G} v (1 − v)",),
    "relu": (f"{G} [v > 0]",),
    "step": ("0",),
    "square": (f"2 {G} x",),
    "sqrt": (f"{G} / 2v",),
    "exp": (f"{G} v",),
    "log": (f"{G} / x",),
    "reciprocal": (f"−{G} v²",),
    "absolute": (f"{G} sign x",),
    "negative": (f"−{G}",),
    "norm": (f"{G} x / v",),
    "euclidean": (f"{G} x / v",),
    "sum": (f"{G} to every entry",),
    "mean": (f"{G} / n to every entry",),
    "prod": (f"{G} v / x",),
    "transpose": (f"{G}ᵀ",),
    "reshape": (f"{G} reshaped",),
    "ravel": (f"{G} reshaped",),
    "astype": (G,),
    "getitem": (f"{G} to its place",),
    "pick": (f"{G} to its place",),
    "concatenate": (f"its part of {G}",),
    "stack": (f"its part of {G}",),
    "maximum": (f"{G} [a ≥ b]", f"{G} [b ≥ a]"),
    "minimum": (f"{G} [a ≤ b]", f"{G} [b ≤ a]"),
    "where": ("", f"{G} where c", f"{G} elsewhere"),
    "logsumexp": (f"{G} softmax(x)",),
    "linear": (f"{G} W", f"{G}ᵀ x", f"Σ rows of {G}"),
    "affine": (f"{G} W", f"{G}ᵀ x", f"Σ rows of {G}"),
    "input": (G,),
    "var": (f"2 {G} (x − mean) / n",),
    "std": (f"{G} (x − mean) / n v",),
    "max": (f"{G} where x = v",),
    "min": (f"{G} where x = v",),
    "softmax": (f"v ({G} − Σ {G} v)",),
    "log_softmax": (f"{G} − softmax(x) Σ {G}",),
    "leaky_relu": (f"{G} [x > 0], else slope {G}",),
    "elu": (f"{G} [x > 0], else {G} (v + α)",),
    "gelu": (f"{G} (P(Z ≤ x) + x φ(x))",),
    "normal_cdf": (f"{G} φ(x)",),
    "silu": (f"{G} (σ(x) + v (1 − σ(x)))",),
    "softplus": (f"{G} σ(x)",),
    "convolution": (f"{G} ∗ W", f"{G} ⋆ x", f"Σ {G} over all places"),
    "max_pool2d": (f"{G} to the largest",),
    "avg_pool2d": (f"{G} / k to all of a window",),
    "standardize": (f"({G} − mean {G} − v mean({G} v)) / s",),
    "embedding": (f"{G} added to its rows", ""),
    "rnn": (f"{G} back through time",),
    "lstm": (f"{G} back through time",),
    "gru": (f"{G} back through time",),
    "l2_penalty": (f"2 {G} x",),
}
LOSSES = {  # divided by the number of observations where the mean is taken
    "cross_entropy": (f"{G} (softmax(x) − y)", f"−{G} log softmax(x)"),
    "mse": (f"2 {G} (a − b)", f"2 {G} (b − a)"),
    "l1": (f"{G} sign(x − y)", f"{G} sign(y − x)"),
    "bce": (f"{G} (p − y) / p (1 − p)", f"{G} log((1 − p) / p)"),
    "bce_with_logits": (f"{G} (σ(x) − y)", f"−{G} x"),
    "huber": (f"{G} (x − y), at most δ", f"{G} (y − x), at most δ"),
    "hinge": (f"−y {G} [y f < 1]", ""),
    "logistic": (f"−y {G} σ(−y f)", ""),
    "binomial": (f"−2 y {G} σ(−2 y f)", ""),
    "nll": (f"−{G} at the label", ""),
    "multinomial_deviance": (f"−{G} y / p", ""),
}
SIGNS: dict[type, tuple[str, int]] = {
    ast.Add: (" + ", 1),
    ast.Sub: (" − ", 1),
    ast.Mult: (" ", 2),
    ast.Div: (" / ", 2),
    ast.MatMult: (" @ ", 2),
    ast.FloorDiv: (" // ", 2),
    ast.Mod: (" mod ", 2),
}
TESTS: dict[type, str] = {ast.Gt: ">", ast.GtE: "≥", ast.Lt: "<", ast.LtE: "≤", ast.Eq: "=", ast.NotEq: "≠"}


def pull_formulas(op: Op, n: int, mean: bool = True) -> tuple[str, ...]:
    """Return the formula of each pullback of an operation with `n` operands, "" where nothing flows.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd_core.rules import RULES
    >>> pull_formulas(RULES[np.sin], 1)[0]
    'v̄ cos(x)'
    """
    ours = op.trusted  # an operation of a user's that happens to bear the name has a rule of its own
    if ours and (loss := LOSSES.get(clean(op.name))) is not None:
        return tuple(f"{part} / n" if mean and part else part for part in (*loss, *[G] * n)[:n])
    written = WRITTEN.get(clean(op.name)) if ours else None
    if written is not None:
        made = written * n if len(written) == 1 else written
        return tuple((*made, *[G] * n)[:n])
    pulls = op.pulls * n if op.variadic or op.joint else op.pulls
    return tuple("" if p is None else one_formula(inner(p), clean(op.name)) for p in (*pulls, *[None] * n)[:n])


def power_pull(number: str) -> str:
    """Return the formula for a power with a number as exponent.

    Examples
    --------
    >>> power_pull("3"), power_pull("2"), power_pull("0.5")
    ('3 v̄ a²', '2 v̄ a', '0.5 v̄ a^−0.5')
    """
    less = tell(float(number.replace("−", "-")) - 1)
    return f"{number} {G} a" + ("" if less == "1" else raised(less))


def inner(adapted: Any) -> Any:
    """Return the pullback as it was registered, out of the function that hands it what it names."""
    cells = getattr(adapted, "__closure__", None)
    return cells[0].cell_contents if cells else adapted


@functools.cache
def one_formula(pull: Any, name: str) -> str:
    """Return the formula of one pullback."""
    if pull is same:
        return G
    body = expression(pull)
    text = written_out(body)[0] if body is not None else None
    return text if text is not None and len(text) <= 40 else f"{name}ᵛʲᵖ({G})"


def expression(pull: Any) -> ast.expr | None:
    """Return the one expression that a function returns, found in its source by where its code begins."""
    code = getattr(pull, "__code__", None)
    if code is None:
        return None
    tree = parsed(code.co_filename)
    at = {(line, column) for line, _, column, _ in code.co_positions()}
    for node in tree.get(code.co_firstlineno, ()):
        if isinstance(node, ast.Lambda) and any(
            (n.lineno, n.col_offset) in at for n in ast.walk(node.body) if isinstance(n, ast.expr)
        ):
            return node.body
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
            return body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
    return None


@functools.lru_cache(maxsize=64)
def parsed(path: str) -> dict[int, list[ast.AST]]:
    """Return the functions of a file by their first line."""
    found: dict[int, list[ast.AST]] = {}
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except (SyntaxError, ValueError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda | ast.FunctionDef):
            found.setdefault(node.lineno, []).append(node)
    return found


def written_out(node: ast.expr) -> tuple[str | None, int]:
    """Return an expression as mathematics, and how tightly it binds (0 loosest); None for what has no short form."""
    if isinstance(node, ast.Name):
        return {"g": G, "ans": "v"}.get(node.id, node.id.removesuffix("_space")), 9
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return f"{node.value:g}".replace("-", "−"), 9
    if isinstance(node, ast.Attribute):
        return attribute(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return joined("−{}", (node.operand,), 2), 2
    if isinstance(node, ast.BinOp):
        return binary(node)
    if isinstance(node, ast.Call):
        return call(node)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in TESTS:
        return joined("[{} " + TESTS[type(node.ops[0])] + " {}]", (node.left, node.comparators[0]), 1), 9
    return None, 0


def joined(form: str, nodes: Sequence[ast.expr], tight: int) -> str | None:
    """Fill expressions into a form, bracketed where they bind less tightly."""
    texts = []
    for node in nodes:
        text, binds = written_out(node)
        if text is None:
            return None
        texts.append(text if binds >= tight else f"({text})")
    return form.format(*texts)


def binary(node: ast.BinOp) -> tuple[str | None, int]:
    """Return a sum, a product, a power."""
    if isinstance(node.op, ast.Pow):
        base, power = joined("{}", (node.left,), 9), joined("{}", (node.right,), 0)
        return (
            (None, 0)
            if base is None or power is None
            else (base + (raised(power) if len(power) < 4 else f"^({power})"), 5)
        )
    sign, tight = SIGNS.get(type(node.op), ("", 0))
    if not sign:
        return None, 0
    left = joined("{}", (node.left,), tight)
    right = joined("{}", (node.right,), tight + (not isinstance(node.op, ast.Add | ast.Mult)))
    if left is None or right is None:
        return None, 0
    if sign == " " and re.search(rf"(^| ){re.escape(right)}$", left) and len(right) < 3:
        return f"{left}²", tight
    return left + sign + right, tight


def attribute(node: ast.Attribute) -> tuple[str | None, int]:
    """Return x.T, np.pi, x.size."""
    if isinstance(node.value, ast.Name) and node.value.id == "np":
        return {"pi": "π"}.get(node.attr, node.attr), 9
    text = joined("{}", (node.value,), 9)
    if text is None:
        return None, 0
    return (text + "ᵀ" if node.attr in ("T", "mT") else f"{text}.{node.attr}"), 9


CALLS = {"sqrt": "√{}", "conjugate": "{}*", "mT": "{}ᵀ", "absolute": "|{}|", "exp": "e^{}"}


def call(node: ast.Call) -> tuple[str | None, int]:
    """Return a function of arguments; keywords are left out."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
    if name is None:
        return None, 0
    if name == "present" or name == "project":
        return written_out(node.args[0])
    if name in CALLS and len(node.args) == 1:
        return joined(CALLS[name], node.args, 9), 5
    args = joined(", ".join("{}" for _ in node.args), node.args, 0)
    if args is None:
        return None, 0
    if isinstance(node.func, ast.Attribute) and not (
        isinstance(node.func.value, ast.Name) and node.func.value.id == "np"
    ):
        of = joined("{}", (node.func.value,), 9)
        return (
            (None, 0)
            if of is None
            else (f"{of} @ {args}" if name == "dot" else f"{of}.{name}({args})", 2 if name == "dot" else 9)
        )
    return f"{name.strip('_')}({args})", 9


def in_names(formula: str, letters: dict[str, str]) -> str:
    """Put names in the place of letters: ``v̄ (1 − v²)`` becomes ``h̄ (1 − h²)``; only short names, whole letters.

    Examples
    --------
    >>> in_names("v̄ (1 − v²)", {"v": "h"})
    'h̄ (1 − h²)'
    """
    made, i = [], 0
    while i < len(formula):
        letter = formula[i]
        inside_word = (i > 0 and formula[i - 1].isalpha()) or (
            i + 1 < len(formula) and formula[i + 1].isalpha() and formula[i + 1] != "ᵀ"
        )
        name = letters.get(letter)
        if name is None or inside_word:
            made.append(letter)
        elif formula[i + 1 : i + 2] == BAR:
            made.append(name[0] + BAR + name[1:])
            i += 1
        else:
            made.append(name)
        i += 1
    return "".join(made)
