"""Values without derivatives, and values with the derivatives of another formula."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..notes import GraphError, source_line
from ..pullbacks import same
from ..rules import constant, primitive, rule
from ..state import STATE


def recorded() -> bool:
    """Say whether a recorder listens: then no value may decide what is computed."""
    return STATE.get().recorder is not None


def refuse_to_choose(what: str, remedy: str) -> None:
    """Raise under a recorder, before a value decides what is computed."""
    recorder = STATE.get().recorder
    if recorder is not None:
        raise GraphError(
            f"{what} under {recorder.title} (at {source_line()}), which differs from call to call; {remedy}"
        )


@primitive
def values(x: Any) -> Any:
    """Return a Tensor's values, or those of a list of Tensors: what goes by steps has no gradient."""
    return x


@primitive
def plain(fn: Any, *args: Any, **kwargs: Any) -> Any:
    """Return ``fn(*args, **kwargs)`` of values alone."""
    return fn(*args, **{k: v for k, v in kwargs.items() if v is not np._NoValue})


@primitive
def instead(x: Any, value: Any) -> Any:
    """Return `value`, with the derivatives of `x`: two formulas of the same numbers, one of them for NumPy's bits."""
    return value


constant(values, plain)
rule(instead, same, None, args="x value", elementwise=True)
