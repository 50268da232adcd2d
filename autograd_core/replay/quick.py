"""The check before a replay, as source: are these the plan's arguments, is all else as it was? 0.3 us an array."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .trace import has_gradient
from .writer import compiled


def taking(guards: list[tuple[Any, Any]], args: tuple[Any, ...]) -> Callable[[tuple[Any, ...]], bool]:
    """Return a function that says whether arguments are arrays like these, and whether all guards hold."""
    names: dict[str, Any] = {"ndarray": np.ndarray}
    tests = [f"len(args) == {len(args)}"]
    for i, a in enumerate(args):
        names |= {f"d{i}": a.dtype, f"x{i}": a.shape, f"s{i}": a.strides}
        tests.append(
            f"(a := args[{i}]).__class__ is ndarray and a.shape == x{i} and a.dtype is d{i} and a.strides == s{i}"
        )
    for i, (read, expected) in enumerate(guards):
        names |= {f"e{i}": expected}
        tests.append(f"{_reading(read, f'g{i}', names)} is e{i}")
    body = " and ".join(f"({t})" for t in dict.fromkeys(tests))
    tried = f"try:\n        return {body}\n    except (AttributeError, ValueError):\n        return False"
    return compiled(f"def takes(args):\n    {tried}", names, "takes")  # what a guard reads may have been deleted


def _reading(read: Any, name: str, names: dict[str, Any]) -> str:
    """Return source that reads what a guard looks at, without a call where it can be."""
    if isinstance(read, functools.partial):
        if read.func is getattr and str(read.args[1]).isidentifier():
            names[name] = read.args[0]
            return f"{name}.{read.args[1]}"
        if read.func is has_gradient:
            names[name] = read.args[0]
            return f"({name}.grad is not None)"
        if len(read.args) == 1 and not read.keywords:
            names[name], names[f"{name}k"] = read.func, read.args[0]
            return f"{name}({name}k)"
    names[name] = read
    return f"{name}()"
