"""Random programs over NumPy: a directed graph of statements, printed as Python source, made of numbers that shrink.

Each statement is chosen by four numbers. What does not fit (a shape, a domain, a value that grows) is passed over for
the next in the table, so that every choice of numbers is a program, and its inputs are away from kinks and poles.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Row = tuple[int, ...]
Test = Callable[..., bool]
# Values outside these sizes are not let in: 1 + 1e-16 is 1, and differences of the result see nothing of it.
SMALLEST, LARGEST = 1e-3, 30.0
ENTRIES = 100


def _gaps(a: Any, axis: Any) -> Any:
    return np.diff(np.sort(np.asarray(a), axis=axis), axis=-1 if axis is None else axis)


def _all(condition: Any) -> bool:
    return bool(np.all(condition))


ANY: Test = lambda *_: True
POSITIVE: Test = lambda a, *_: _all(a > 0.1)
NONZERO: Test = lambda a, *_: _all(np.abs(a) > 0.1)
OPEN: Test = lambda a, *_: _all(np.abs(a) < 0.9)
APART: Test = lambda a, b, *_: _all(np.abs(a - b) > 0.05)
DIVISOR: Test = lambda _, b: _all(np.abs(b) > 0.1)
DISTINCT: Test = lambda a, *_: bool(np.size(a) > 1) and _all(_gaps(np.ravel(a), None) > 0.05)
SPREAD: Test = lambda a, *_: bool(np.size(a) > 1) and _all(np.std(a) > 0.1)
ROWS: Test = lambda a, *_: np.ndim(a) > 0 and np.shape(a)[-1] > 1 and _all(np.std(a, axis=-1) > 0.1)
LONG: Test = lambda a, *_: bool(np.sum(np.square(a)) > 0.01)
ROUND: Test = lambda a, *_: _all(np.abs(a - np.round(a)) > 0.05)
PAIR: Test = lambda a, b, *_: _all(np.hypot(a, b) > 0.1)
TALL: Test = lambda a, *_: np.ndim(a) > 0 and np.shape(a)[0] > 1

# (source, when it may be used); the simplest first, to which programs shrink.
OPERATIONS: list[tuple[str, Test]] = [
    ("{a} + {b}", ANY),
    ("{a} * {b}", ANY),
    ("{a} - {b}", ANY),
    ("-{a}", ANY),
    ("{c} * {a}", ANY),
    ("{a} + {c}", ANY),
    ("{a} / {b}", DIVISOR),
    ("{a} / (1 + {b} * {b})", ANY),
    ("{a} ** 2", ANY),
    ("{a} ** 3 / 4", ANY),
    ("{a} ** {c}", POSITIVE),
    ("np.power({a}, {b})", POSITIVE),
    ("np.sin({a})", ANY),
    ("np.cos({a})", ANY),
    ("np.tan({a})", OPEN),
    ("np.tanh({a})", ANY),
    ("np.sinh({a}) / 4", ANY),
    ("np.exp({a}) / 3", ANY),
    ("np.exp(-{a} * {a})", ANY),
    ("np.expm1({a}) / 3", ANY),
    ("np.log({a})", POSITIVE),
    ("np.log1p({a})", POSITIVE),
    ("np.log(1 + {a} ** 2)", ANY),
    ("np.sqrt({a})", POSITIVE),
    ("np.cbrt({a})", NONZERO),
    ("np.reciprocal({a})", NONZERO),
    ("np.abs({a})", NONZERO),
    ("np.arctan({a})", ANY),
    ("np.arcsin({a})", OPEN),
    ("np.arccos({a})", OPEN),
    ("np.arctanh({a})", OPEN),
    ("np.arcsinh({a})", ANY),
    ("np.arccosh(1 + {a})", POSITIVE),
    ("np.sinc({a})", ANY),
    ("np.arctan2({a}, {b})", PAIR),
    ("np.hypot({a}, {b})", PAIR),
    ("np.logaddexp({a}, {b})", ANY),
    ("np.maximum({a}, {b})", APART),
    ("np.minimum({a}, {b})", APART),
    ("np.maximum({a}, 0)", NONZERO),
    ("np.fmax({a}, {b})", APART),
    ("np.clip({a}, -1, 1)", ROUND),
    ("np.where({a} > 0, {a}, {b})", NONZERO),
    ("np.where({a} > 0, np.sqrt(np.abs({a})), {b})", NONZERO),
    ("np.where({a} > 0.1, np.log(np.abs({a}) + 0.1), {b})", ROUND),
    ("np.remainder({a}, 1.0)", ROUND),
    ("np.sum({a}) / 3", ANY),
    ("np.sum({a}, axis={axis})", ANY),
    ("np.mean({a}, axis={axis}, keepdims=True)", ANY),
    ("np.mean({a} * {b})", ANY),
    ("np.var({a}, axis={axis})", ANY),
    ("np.std({a})", SPREAD),
    ("np.std({a}, axis=-1)", ROWS),
    ("np.prod({a}, axis={axis})", ANY),
    ("np.max({a})", DISTINCT),
    ("np.min({a}, axis={axis})", DISTINCT),
    ("np.median({a})", DISTINCT),
    ("np.sort(np.ravel({a}))", DISTINCT),
    ("np.sort({a}, axis={axis})", DISTINCT),
    ("np.linalg.norm({a})", LONG),
    ("np.linalg.norm(np.ravel({a}), 3)", NONZERO),
    ("np.cumsum({a}, axis={axis})", ANY),
    ("np.cumprod({a}, axis={axis})", ANY),
    ("np.diff({a}, axis={axis})", ANY),
    ("np.transpose({a})", ANY),
    ("np.swapaxes({a}, 0, -1)", TALL),
    ("np.reshape({a}, -1)", ANY),
    ("np.ravel({a})[::-1]", ANY),
    ("np.flip({a}, axis={axis})", ANY),
    ("np.roll({a}, {n}, axis={axis})", ANY),
    ("np.expand_dims({a}, {axis})", ANY),
    ("np.squeeze({a})", ANY),
    ("np.repeat({a}, 2, axis={axis})", ANY),
    ("np.tile({a}, 2)", ANY),
    ("np.concatenate([np.ravel({a}), np.ravel({b})])", ANY),
    ("np.stack([{a}, {a} * {a}])", ANY),
    ("np.pad({a}, 1)", TALL),
    ("{a}[{n}]", TALL),
    ("{a}[::-2]", TALL),
    ("{a}[..., 0]", TALL),
    ("{a}[[0, -1, 0]]", TALL),
    ("{a}[np.arange(len({a})) % 2 == 0]", TALL),
    ("np.take({a}, [1, 0, 1])", DISTINCT),
    ("np.outer({a}, {b})", ANY),
    ("np.dot({a}, {b})", ANY),
    ("np.matmul({a}, {b})", TALL),
    ("{a} @ np.transpose({a})", TALL),
    ("np.einsum('...i,...i->...', {a}, {b})", TALL),
    ("np.trace(np.outer({a}, {b}))", ANY),
    ("np.tril(np.atleast_2d({a}))", ANY),
    ("np.linalg.inv(np.outer({a}, {a}) + 2 * np.eye({size}))", ANY),
    ("np.linalg.solve(np.outer({a}, {a}) + 2 * np.eye({size}), np.ravel({a}))", ANY),
    ("np.linalg.det(np.eye({size}) + np.outer({a}, {a}) / 4)", ANY),
    ("np.linalg.cholesky(np.outer({a}, {a}) + np.eye({size}))", ANY),
    ("{a}.copy(); {out}[0] = {out}[-1] * {c}", TALL),
    ("{a}.copy(); {out} *= {out}", ANY),
]


class RandomProgram:
    """A function as source, and the arrays it was made at.

    Examples
    --------
    >>> p = build([(12, 0, 0, 0), (1, 0, 1, 0)], (np.array([0.5, 1.0]),))
    >>> p
    def program(x):
        a = np.sin(x)
        b = a * x
        return b
    <BLANKLINE>
    program(np.array([0.5, 1. ]))
    >>> p(*p.inputs)
    array([0.23971277, 0.84147098])
    """

    def __init__(
        self, names: Sequence[str], lines: Sequence[str], results: Sequence[str], inputs: Sequence[Any]
    ) -> None:
        self.inputs = tuple(inputs)
        self.operations = len(lines)
        body = [f"    {line}" for line in lines]
        self.source = "\n".join([f"def program({', '.join(names)}):", *body, f"    return {', '.join(results)}"])
        space: dict[str, Any] = {"np": np}
        exec(_compiled(self.source), space)
        self.function = space["program"]

    def __call__(self, *args: Any) -> Any:
        """Run the program."""
        return self.function(*args)

    def __repr__(self) -> str:
        arrays = ", ".join(_source_of(v) for v in self.inputs)
        return f"{self.source}\n\nprogram({arrays})"


def _source_of(v: Any) -> str:
    dtype = "" if v.dtype == np.float64 else f", np.{v.dtype}"
    body = np.array2string(np.asarray(v), separator=", ", floatmode="unique").replace("\n", "")
    return f"np.array({body}{dtype})" if v.ndim else f"np.{v.dtype}({v!s})"


def chosen(only: Sequence[str] | None) -> list[tuple[str, Test]]:
    """Return the operations whose source contains one of some texts; all of them for None."""
    table = [o for o in OPERATIONS if only is None or any(text in o[0] for text in only)]
    if not table:
        raise ValueError(f"no operation has {' or '.join(only or ())} in its source")
    return table


def build(rows: Sequence[Row], values: Sequence[Any], only: Sequence[str] | None = None) -> RandomProgram:
    """Return the program that rows of four numbers (operation, operands, parameter) choose at given inputs."""
    table = chosen(only)
    names = ["x", "y", "z", *(f"x{i}" for i in range(4, 99))][: len(values)]
    env: dict[str, Any] = dict(zip(names, values, strict=True))
    order, used = list(names), set[str]()
    lines: list[str] = []
    for row in rows:
        out = _letter(len(lines))
        found = _statement(table, row, env, order, out)
        if found is not None:
            line, operands, env[out] = found
            lines.append(f"{out} = {line}")
            used.update(operands)
            order.append(out)
    results = [v for v in order if v not in used and v not in names] or [names[0]]
    kept = [n for n in names if n in used] or names[:1]
    return RandomProgram(kept, lines, results, [env[n] for n in kept])


def _letter(k: int) -> str:
    letters = "abcdefghijklmnopqrstuvw"
    return letters[k] if k < len(letters) else f"v{k}"


def _statement(table: list[Any], row: Row, env: dict[str, Any], order: list[str], out: str) -> Any:
    """Return the first statement from the chosen one on that fits: its source, its operands, its value."""
    number, i, j, k = row
    a, b = order[-1 - i % min(len(order), 4)], order[-1 - j % min(len(order), 6)]
    for step in range(len(table)):
        template, test = table[(number + step) % len(table)]
        ndim = np.ndim(env[a])
        if ("{axis}" in template and not ndim) or not _holds(test, env[a], env[b]):
            continue
        line = template.format(
            a=a,
            b=b,
            out=out,
            c=(0.5, 1.5, -0.25, 2.5)[k % 4],
            n=k % 3,
            axis=k % (2 * ndim) - ndim if ndim else 0,
            size=np.size(env[a]),
        )
        value = _fitting(line, env, out)
        if value is not None:
            return line, (a, b) if "{b}" in template else (a,), value
    return None


def _holds(test: Test, a: Any, b: Any) -> bool:
    try:
        return test(a, b)
    except ValueError:  # of shapes that do not broadcast
        return False


def _fitting(line: str, env: dict[str, Any], out: str) -> Any:
    """Return the value of a statement, None if it does not fit: by its shapes, or its size."""
    space = {"np": np, **env}
    try:
        with np.errstate(all="ignore"):
            exec(_compiled(f"{out} = {line}"), space)
    except (ValueError, IndexError, TypeError, np.linalg.LinAlgError):
        return None
    value = np.asarray(space[out])[()]
    size = np.abs(value)
    sound = value.dtype.kind == "f" and 0 < value.size <= ENTRIES and _all(np.isfinite(value))
    return value if sound and _all((size == 0) | ((size >= SMALLEST) & (size <= LARGEST))) else None


@functools.lru_cache(4096)
def _compiled(source: str) -> Any:
    return compile(source, "<random program>", "exec")
