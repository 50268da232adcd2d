"""What cannot be replayed, in sentences: what was asked of a traced value, where, and what to write instead."""

from __future__ import annotations

import functools
import sys
from collections.abc import ItemsView, ValuesView
from typing import Any

import numpy as np

from ..notes import GraphError, source_line
from ..ops.statistics import binned
from ..ops.values import plain
from ..packages import is_inside
from ..rules import RULES
from ..tensor import Tensor
from .around.watched_places import is_traced
from .capture import alike
from .program import Variable, variables
from .wording import here, title_now, word_now

CHOICE = (
    "choose by np.where(condition, a, b), return the value from the recorded function and look at it outside, or pass "
    "what decides as a Python int, bool or str"
)
SIZE = "pass a size, a count or an axis as a Python int: each gets a plan of its own"
PRINT = "write ag.fresh(print, t), which prints at every replay, or return the value and look at it outside"
OUTSIDE = "an argument is an array of its own inside such a function: ask outside, and pass the answer as a bool"
INSTEAD = {  # by what was asked for
    "index": f"{SIZE}; take an entry of a plain array or list by ag.Tensor(a, requires_grad=False)[i]; or choose by "
    "np.where(condition, a, b)",
    "np.asarray": "join Tensors by np.stack([...]), copy one by t.copy(), take an entry of a plain array by "
    "ag.Tensor(a, requires_grad=False)[i], or choose by np.where(condition, a, b)",
    "str": PRINT,
    "format": PRINT,
    "np.shares_memory": OUTSIDE,
    "np.may_share_memory": OUTSIDE,
}
FUNCTIONS = {  # by the function of NumPy's on whose behalf it was asked
    "piecewise": "its functions get as many entries as there are True ones: write np.where(condition, f(x), g(x)), or "
    "np.select([condition, ...], [f(x), ...]) for several pieces",
    "reduceat": "how many entries each segment has depends on the indices: pass them as a tuple of Python ints; or "
    "sum by labels, np.add.at(ag.Tensor(np.zeros(n)), labels, x), or where np.where(labels == k, x, 0) chooses",
    "repeat": "the counts decide the shape of the result: pass a count as a Python int and several as a tuple; or "
    "compute i = np.repeat(np.arange(n), counts) outside, pass it, and write np.take(x, i, axis=0)",
    "vectorize": "it calls Python for each entry: write the function for whole arrays, with np.where(condition, a, b)",
}
SHAPING = {"repeats", "axis", "axes", "axis1", "axis2", "n", "N", "num", "bins", "offset", "shape", "widths", "gone"}
SHAPING |= {"minlength", "starts", "edge_order", "ord"}
USED_UP = ("__next__", "__await__", "__anext__")


def refuse_value(what: str) -> None:
    """Raise where a traced value is asked for."""
    name = asking()
    asked = f"np.{name} asks for " if name else ""
    call = what if what in ("in", "DLPack") else what + "()"
    raise GraphError(
        f"{asked}{call} of a Tensor {here()}: its value would be baked into what is "
        f"recorded; {FUNCTIONS.get(name) or INSTEAD.get(what, CHOICE)}"
    )


def asking() -> str:
    """Return the name of the function of NumPy's that the user has called, as far as there is a sentence for it."""
    frame: Any = sys._getframe(1)
    name = ""
    while frame is not None and is_inside(frame):
        held = frame.f_locals
        for known in (held.get("method"), type(held.get("self")).__name__, frame.f_code.co_name.removeprefix("_")):
            name = known if type(known) is str and known in FUNCTIONS else name
        frame = frame.f_back
    return name


def refuse_writing(shape: Any) -> None:
    """Raise where an argument is changed in place."""
    raise GraphError(
        f"an argument of shape {shape} is changed in place {here()}, which would not "
        f"reach the caller's array, as it does without: write x = x + 1 rather than x += 1, or begin with x = x.copy()"
    )


def refuse_changing(label: str) -> None:
    """Raise where a Tensor from around the function is changed in place, which is no effect that a replay has."""
    raise GraphError(
        f"{label}, from around the {word_now()} function, is changed in place (at {source_line()}), which a replay "
        f"would not do again: write t.assign(t + x) rather than t += x, or begin with t = t.copy()"
    )


def refuse_raising(now: Any, before: Any) -> None:
    """Raise where NumPy is to raise or to call back, by the values it meets."""
    for kind, way in now.items():
        if way not in ("ignore", "warn") and way != before[kind]:
            raise GraphError(
                f"np.errstate({kind}={way!r}) {here()}: a replay does not ask for errors, "
                f"whose values differ from call to call: choose by np.where(condition, a, b), or call the {word_now()} "
                f"function inside np.errstate"
            )


def refuse_swallowed(line: str) -> None:
    """Raise where a refusal has not reached us."""
    raise GraphError(
        f"what {title_now()} refused at {line} was caught inside the {word_now()} function, which then went a way "
        f"that it does not go otherwise: let the error pass, and write what it says"
    )


def refuse_result(leaf: Any, known: Any) -> None:
    """Raise if a result can be used up, or hides traced values."""
    if isinstance(leaf, ValuesView | ItemsView) or any(hasattr(type(leaf), name) for name in USED_UP):
        if hasattr(leaf, "close"):
            leaf.close()  # or a coroutine would complain that nobody has waited for it
        raise GraphError(
            f"a {word_now()} function returns arrays and numbers, not a {type(leaf).__name__}, which runs when "
            f"recording is over: return a list or a tuple (a function with yield or async may call {word_now()} ones)"
        )
    if is_traced(leaf, known):
        raise GraphError(
            f"a {word_now()} function returned a {type(leaf).__name__} that holds traced values, which a replay cannot "
            f"put there: return them in tuples, lists, dicts or dataclasses, or tell "
            f"ag.register_tree({type(leaf).__name__}, ...) how it is taken apart"
        )


def refuse_shape(kind: str, fn: Any, args: Any, kwargs: dict[str, Any], guards: Any, ans: Any) -> None:
    """Raise where the shape of a result depends on values, by what the table of primitives says."""
    if kind == "mask":
        for s in variables(kwargs["index"]):
            if s.dtype == bool and not fix(s, guards):
                _refuse_found("x[mask]", "True")
    elif kind == "found":
        named = args[0] if fn is plain else fn
        _refuse_found(f"np.{named.__name__}", "different" if fn is plain else "True")
    elif kind == "counts":
        numbers = args[fn is binned]
        if type(numbers) is np.ndarray:
            guards.append((functools.partial(alike, numbers, numbers.copy()), True))
        elif len(ans._data) > (kwargs.get("minlength") or 0):
            raise GraphError(
                f"np.bincount {here()} has as many entries as the largest number says: give "
                f"it minlength=n, with n above all of them, or write np.sum(x[:, None] == np.arange(n), axis=0)"
            )
    elif kind == "bins":
        bins: Any = kwargs.get("bins", args[1] if len(args) > 1 else None)
        if isinstance(bins, str) or (type(bins) in (Tensor, Variable) and not bins.shape):
            raise GraphError(
                f"np.histogram {here()} with a number of bins that the values, or an argument "
                f"that may differ, decide: pass it as a Python int, or the edges as an array"
            )


def fix(v: Variable, guards: Any) -> bool:
    """Make the values of a constant part of the plan: others are another plan; say whether it is one."""
    if v.kind == "constant":
        guards.append((functools.partial(alike, v.source, v.source.copy()), True))
    return v.kind == "constant"


def _refuse_found(name: str, which: str) -> None:
    raise GraphError(
        f"{name} {here()} has as many entries as there are {which} ones, which differs from call to call; keep the "
        f"shape by np.where(mask, x, 0), or compute it outside"
    )


def refuse_metadata(fn: Any, kwargs: dict[str, Any], guards: Any) -> None:
    """Raise where a keyword that decides the shape of a result is traced."""
    for key in SHAPING.intersection(kwargs):
        for s in variables(kwargs[key]):
            if not fix(s, guards) and (key != "gone" or s.shape):
                name = title(fn)
                raise GraphError(
                    f"np.{name} {here()} with {key}= that may differ from call to call: "
                    f"it decides the shape of the result; {FUNCTIONS.get(name) or SIZE}"
                )


def title(fn: Any) -> str:
    """Return the name under which a person knows an operation."""
    op = RULES.get(fn)
    return {"without": "delete"}.get(found := str(op.name if op else getattr(fn, "__name__", fn)), found)
