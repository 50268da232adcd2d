"""Pullbacks: what the names of their parameters ask for, and how each is handed that from a node.

Read once, when a rule is registered. An operation comes here as it is, with the names of its arguments; the functions
that are made know nothing of rules: ``lambda g, n: pull(g, n.a, n.ans)``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

Pull = Callable[..., Any]


def names_of(pull: Pull) -> tuple[str, ...]:
    """Return the names of a pullback's parameters, from its code: `inspect` takes a fifth of NumPy's import time."""
    code = getattr(pull, "__code__", None)
    if code is None or hasattr(pull, "__self__"):  # a method's code counts `self`
        import inspect

        return tuple(inspect.signature(pull).parameters)
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return names


def keywords(op: Any) -> tuple[str, ...] | None:
    """Return the names of an operation's parameters; None where they are not known, or any is taken."""
    import inspect

    if op.params is not None:
        return op.params
    try:
        parameters = inspect.signature(op.fn).parameters.values()
    except (TypeError, ValueError):  # a C function without a signature
        return None
    return None if any(p.kind is p.VAR_KEYWORD for p in parameters) else tuple(p.name for p in parameters)


def _optional(pull: Any) -> frozenset[str]:
    """Return the parameters of a pullback that have a default, under which it may keep what it likes."""
    import inspect

    return frozenset(n for n, p in inspect.signature(pull).parameters.items() if p.default is not p.empty)


def _spelt(pull: Any, names: tuple[str, ...]) -> str:
    name = getattr(pull, "__name__", "<lambda>")
    return f"lambda {', '.join(names)}: ..." if name == "<lambda>" else f"def {name}({', '.join(names)})"


@functools.cache
def _compiled(source: str) -> Callable[..., Any]:
    made: Callable[..., Any] = eval(compile(source, __file__, "eval"))  # so that no message takes it for a user's line
    return made


def places(op: Any, wide: bool = True) -> dict[str, str]:
    """Return where a node keeps what a pullback may name: everything but metadata."""
    where = {"g": "g", "ans": "n.ans", "ans_space": "n", "i": "i"}
    where |= {"space": "n.space(i)", "spaces": "n.spaces", "values": "n.args"}
    for k, a in enumerate(op.args):
        where[a] = f"n.args[{k}]" if wide else f"n.{'ab'[k]}"
        if op.widens:
            where[a] = f"widened({where[a]})"
        where[a + "_space"] = f"n.space({k})" if wide else f"n.{'pq'[k]}"
    return where


def adapt(op: Any, pull: Pull) -> Callable[[Any, Any], Any]:
    """Compile ``lambda g, n: pull(g, n.ans, ...)``, which hands a pullback what it names from a node or a live view."""
    if pull is same:
        return same
    where = places(op, op.wide)
    if not op.trusted:
        pull = _with_defaults(op, pull, where)
    own = [name for name in names_of(pull) if name != "g"]
    rest = tuple(name for name in own if name not in where)
    handed = [f"{name}={where[name]}" if rest else where[name] for name in own if name in where]
    if rest:
        handed.append(
            "**n.kwargs" if op.metadata.issubset(rest) else f"**{{k: v for k, v in n.kwargs.items() if k in {rest}}}"
        )
    head = "lambda g, n, i" if op.variadic else "lambda g, n"
    make = _compiled(f"lambda pull: {head}: pull({', '.join(['g', *handed])})")
    adapted: Callable[[Any, Any], Any] = make(pull)
    return adapted


def _with_defaults(op: Any, pull: Pull, where: dict[str, str]) -> Pull:
    """Let a user's pullback name a keyword that a call left out: it gets the default of the operation."""
    import inspect

    try:
        given = inspect.signature(op.fn).parameters.values()
    except (TypeError, ValueError):
        return pull
    defaults = {p.name: p.default for p in given if p.default is not p.empty and p.name not in where}
    wanted = {name: defaults[name] for name in names_of(pull) if name in defaults and name not in _optional(pull)}
    return functools.partial(pull, **wanted) if wanted else pull


def widened(x: Any) -> Any:
    """Return whole numbers as int64: of bytes, -x and x - 1 wrap around, and the logarithm has three digits."""
    return x.astype(np.int64) if hasattr(x, "dtype") and x.dtype.kind in "bui" else x


def same(g: Any, _: Any = None) -> Any:
    """Pull through something that changes nothing: the sweep knows this one and does not even call it."""
    return g


def check_names(op: Any, pulls: tuple[Pull | None, ...], more: frozenset[str]) -> None:
    """Refuse a pullback of a user's that asks for what the operation does not have, before anything is recorded."""
    known, own = {*places(op), *more, *(("aux",) if op.aux else ())}, keywords(op)
    for pull in pulls:
        names = () if pull is None or pull is same else names_of(pull)
        if names and names[0] != "g":  # which gets the cotangent, under whatever name
            if "g" in names or names[0] in known:
                wanted = ("g", *(name for name in names if name != "g"))
                raise TypeError(
                    f"a pullback of {op.name} takes the cotangent of the result first, under the name g, not "
                    f"{names[0]}: {_spelt(pull, wanted)}"
                )
            names = names[1:]
        if own is None:
            continue
        for name in names:
            if name not in known and name not in own and name not in _optional(pull):
                raise TypeError(
                    f"a pullback of {op.name} names {name}, which {op.name}({', '.join(own)}) does not have; "
                    f"its rule calls the arrays {', '.join(op.args) or 'values'} (args= names them differently), "
                    f"and knows g, ans and x_space"
                )
