"""Names by which people know what goes into a function: ``x``, ``p['w']``, ``layers.0.weight``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor
from ..tree import _children, _sorted


def named_leaves(f: Callable[..., Any], args: tuple[Any, ...]) -> list[str]:
    """Return a name for every leaf of the arguments of `f`, in the order in which a tree lists them.

    Examples
    --------
    >>> named_leaves(lambda x, params: ..., (1.0, {"w": [2.0, 3.0]}))
    ['x', "params['w'][0]", "params['w'][1]"]
    """
    found: list[str] = []
    for name, a in zip(_parameters(f, len(args)), args, strict=True):
        _walk(name, a, found)
    return found


def name_of(f: Any) -> str:
    """Return the name of a function, without the functions it was made in, or of an object's class."""
    return str(getattr(f, "__qualname__", None) or type(f).__name__).rpartition("<locals>.")[2]


def _parameters(f: Callable[..., Any], n: int) -> list[str]:
    if isinstance(f, np.ufunc):  # older ones tell no signature
        return ["x"] if n == 1 else [f"x{i + 1}" for i in range(n)]
    try:
        parameters = inspect.signature(getattr(f, "forward", f)).parameters.values()
    except (TypeError, ValueError):  # a C function without a signature
        return [f"argument {i}" for i in range(n)]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in kinds][:n]
    rest = next((p.name for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL), "args")
    return names + [f"{rest}[{i}]" for i in range(n - len(names))]


def _walk(name: str, tree: Any, found: list[str]) -> None:
    if tree is None:
        return
    below = _children(tree)
    if below is None:
        found.append(name)
        return
    for label, child in zip(_labels(tree, len(below[0])), below[0], strict=True):
        _walk(name + label, child, found)


def _labels(tree: Any, n: int) -> list[str]:
    named = getattr(tree, "named_parameters", None)
    if callable(named) and len(names := [f".{k}" for k, _ in named()]) == n:
        return names
    if isinstance(tree, dict):
        return [f"[{k!r}]" for k in _sorted(tree)]
    fields = getattr(tree, "_fields", None) or list(getattr(type(tree), "__dataclass_fields__", ()))
    return [f".{k}" for k in fields] if len(fields) == n and fields else [f"[{i}]" for i in range(n)]


def parameter_names(objects: Iterable[Any]) -> dict[int, tuple[Any, str]]:
    """Return the parameters of all modules among some objects, with their names, by identity."""
    found: dict[int, tuple[Any, str]] = {}
    for obj in objects:
        listing = getattr(obj, "named_parameters", None)
        if listing is not None and not isinstance(obj, Tensor):
            for name, t in listing():
                if isinstance(t, Tensor):
                    found.setdefault(id(t), (t, name))
    return found
