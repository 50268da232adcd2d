"""The self-check: run the function beside its replay from the same state, and compare results and changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..notes import GraphError
from ..program.calls import uncompiled
from ..tensor import Tensor
from ..tree import flatten
from .plan import Plan
from .scalars import NotFinite
from .writer import assign

BOUND = 1e-5, 1e-12  # relative, for float32 and float64: beyond it is no rounding


def compare(f: Callable[..., Any], entry: Any, values: list[Any], args: Any, kwargs: Any) -> Any:
    """Return what a replay returns; raise if the function itself returns or does something else."""
    plan: Plan = entry.plan
    if any(e.effect == "call" for e in plan.equations):
        raise GraphError("check=True cannot call a function twice that draws or changes things through ag.fresh")
    targets = _unique([e.target for e in plan.equations if e.effect == "assign"])
    leaves = _unique([e.target for e in plan.equations if e.effect == "gradient"])
    before = [np.array(t._data) for t in targets], [_copy(leaf.gradient()) for leaf in leaves]
    out = f(*args, **kwargs)
    wanted = [
        *(v._data if isinstance(v, Tensor) else v for v in flatten(out)[0]),
        *(np.array(t._data) for t in targets),
        *(_copy(leaf.gradient()) for leaf in leaves),
    ]
    for t, data in zip(targets, before[0], strict=True):
        assign(t, data)
    for leaf, grad in zip(leaves, before[1], strict=True):
        leaf.grad = grad
    try:
        results = entry.replay(*values)
    except NotFinite:  # then it is the function itself that is called
        return uncompiled(f, args, kwargs)
    found = [*results, *(t._data for t in targets), *(leaf.gradient() for leaf in leaves)]
    names = [f"result {i}" for i in range(len(results))]
    names += [f"the value of {t._label()}" for t in targets]
    names += [f"the gradient of {leaf.name or 'a leaf'}" for leaf in leaves]
    for name, a, b in zip(names, found, wanted, strict=True):
        _agree(name, a, b)
    return plan.program.rebuild(results)


def _agree(name: str, found: Any, wanted: Any) -> None:
    if not isinstance(wanted, np.ndarray | np.generic | int | float | complex):
        same = found is wanted or found == wanted
        difference = f"{found!r} instead of {wanted!r}"
    else:
        a, b = np.asarray(found), np.asarray(wanted)
        bound = BOUND[0] if b.dtype.itemsize < 8 * (1 + (b.dtype.kind == "c")) and b.dtype.kind in "fc" else BOUND[1]
        same = a.shape == b.shape and a.dtype == b.dtype
        difference = f"{a.dtype}{list(a.shape)} instead of {b.dtype}{list(b.shape)}"
        if same and b.size:
            scale = np.max(np.abs(np.where(np.isfinite(b), b, 0)))
            same = np.allclose(a, b, rtol=bound, atol=bound * float(scale), equal_nan=True)
            difference = f"off by up to {np.nanmax(np.abs(a.astype(complex) - b)):.1e}, the largest being {scale:.1e}"
    if not same:
        raise GraphError(
            f"{name} of the replay differs from the function's own: {difference}. Does it depend on something that is "
            f"neither an argument nor a Tensor: an attribute, a file, the time?"
        )


def _copy(g: Any) -> Any:
    return None if g is None else np.array(g)[()]


def _unique(things: list[Any]) -> list[Any]:
    return list({id(x): x for x in things}.values())
