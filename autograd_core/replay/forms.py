"""What a step is: an operation entry by entry, a view, a product ... Its buffer, group and source depend on that."""

from __future__ import annotations

import operator
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops import elementwise, index, reduce
from ..tensor import _square
from .plan import Plan, Ref, Step

BITS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}
WRITABLE = {"group", "ufunc", "product", "reduction", "mean", "selection", "join", "scatter", "setitem", "copy"}


def form_of(plan: Plan, step: Step) -> str:
    """Return what a step is, in a word; if it is one of WRITABLE, the result can be written into a given array.

    Effects are "assign", "grad", "check" and "call", which is also what has several results or no form of its own;
    "number" is what results in one, "group" a group of operations entry by entry.
    """
    if is_group(step):
        return "group"
    if step.effect:
        return step.effect
    if len(step.outs) != 1 or step.tuple:
        return "call"
    if not plan.slots[step.outs[0]].shape:
        return "number"
    if type(step.fn) is np.ufunc and elementwise_ufunc(step) is not None:
        return "ufunc"
    form, holds = FORMS.get(step.told, ("call", None))
    return form if holds is None or holds(plan, step) else "call"


def is_group(step: Step) -> bool:
    """Say whether a step is a group of element-wise operations."""
    return hasattr(step.fn, "overwrites")


def may_raise(step: Step) -> bool:
    """Say whether a step may raise for some values: singular matrices, indices out of bounds."""
    harmless = isinstance(step.fn, np.ufunc | types.BuiltinFunctionType) or step.told in HARMLESS
    return step.form in ("call", "check") or (step.form == "number" and not harmless)


# --- entry by entry ---------------------------------------------------------------------------------------------------


def elementwise_ufunc(step: Step) -> Any:
    """Return the ufunc that a step applies entry by entry, with its arguments as they are; None if it is another."""
    fn = SAME_AS.get(step.told, step.fn)
    plain = type(fn) is np.ufunc and fn.signature is None and fn.nout == 1 and not step.kwargs
    return fn if plain and not step.effect and len(step.outs) == 1 and len(step.args) == fn.nin else None


SAME_AS: dict[Any, Any] = {reduce.root: np.sqrt, _square: np.square}


def ufunc_of(step: Step) -> Any:
    """Return the ufunc and the arguments by which a step goes entry by entry; None if it does not."""
    if (fn := elementwise_ufunc(step)) is not None:
        return fn, step.args
    if step.told is elementwise.relu:
        return np.maximum, (step.args[0], 0)
    return power_of(step)


def power_of(step: Step) -> Any:
    """Return the ufunc and the arguments by which an array's own operator computes a power."""
    if step.told is not operator.pow or len(step.args) != 2 or type(step.args[0]) is not Ref:
        return None
    a, b = step.args
    if type(b) is Ref:
        return np.power, step.args
    if type(b) in (int, float):
        fn = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal, 1: np.positive}.get(b)
        return (fn, (a,)) if fn else (np.power, step.args) if b else None
    return None


def selects_or_zero(plan: Plan, step: Step) -> bool:
    """Say whether a step is ``np.where(mask, g, 0)``, which multiplies bits."""
    if step.told is not np.where or len(step.args) != 3 or type(step.args[2]) is Ref:
        return False
    mask, g, zero = step.args
    if not (is_array(plan, mask) and is_array(plan, g)):
        return False
    m, x, k = plan.slots[mask.slot], plan.slots[g.slot], plan.slots[step.outs[0]]
    return bool(
        m.dtype == bool and m.shape == x.shape and x.dtype in BITS and x.dtype == k.dtype
        and isinstance(zero, int | float | np.number) and zero == 0
    )  # fmt: skip


def is_copy(step: Step) -> bool:
    """Say whether a step copies or casts an array."""
    return step.told in (np.copy, np.astype, np.array) and type(step.args[0]) is Ref


# --- views, products, reductions --------------------------------------------------------------------------------------


def is_array(plan: Plan, a: Any) -> bool:
    """Say whether an argument is a slot with axes."""
    return type(a) is Ref and bool(plan.slots[a.slot].shape)


def is_view(plan: Plan, step: Step) -> bool:
    """Say whether the result of a step is a view of its first argument, whatever the values."""
    if not step.args or type(step.args[0]) is not Ref or len(step.reads) > 1:
        return False
    if step.told is index.getitem:
        return is_array(plan, step.args[0]) and index.is_basic(index_of(step))
    plain = step.kwargs.get("copy") is None and step.kwargs.get("order", "C") == "C"
    return plain and (step.told is np.broadcast_to or is_array(plan, step.args[0]))


def index_of(step: Step) -> Any:
    """Return the index of a step that reads or writes entries."""
    return step.kwargs["index"] if "index" in step.kwargs else step.args[1]


def is_reshape(step: Step) -> bool:
    """Say whether a step gives the entries of an array, in their order, another shape."""
    return step.told is np.reshape and step.kwargs.get("copy") is None and step.kwargs.get("order", "C") == "C"


def is_product(plan: Plan, step: Step) -> bool:
    """Say whether a step is a product of two matrices that BLAS can write into a buffer."""
    if step.kwargs or len(step.args) != 2 or not all(is_array(plan, a) for a in step.args):
        return False
    a, b, k = (plan.slots[x] for x in (step.args[0].slot, step.args[1].slot, step.outs[0]))
    same = a.dtype == b.dtype == k.dtype and k.axes is None and k.dtype.kind in "fc" and k.dtype.itemsize > 2
    return same and len(a.shape) == 2 == len(b.shape)


def reduction(step: Step) -> Any:
    """Return the ufunc by which a step reduces, or None."""
    return REDUCTIONS.get(step.told) if set(step.kwargs) <= {"axis", "keepdims"} and len(step.args) == 1 else None


REDUCTIONS = {
    reduce.total: np.add,
    reduce.largest: np.maximum,
    reduce.smallest: np.minimum,
    np.any: np.logical_or,
    np.all: np.logical_and,
}


HARMLESS = {*REDUCTIONS, reduce.mean, np.dot}


def is_mean(plan: Plan, step: Step) -> bool:
    """Say whether a step is a mean that we take as the rule does."""
    if step.told is not reduce.mean or not is_array(plan, step.args[0]):
        return False
    slot = plan.slots[step.args[0].slot]
    return slot.dtype.kind == "f" and slot.dtype.itemsize >= 4 and slot.size > 0


def is_join(_: Plan, step: Step) -> bool:
    """Say whether a step joins arrays along an axis."""
    return set(step.kwargs) <= {"axis"} and len(step.args) == 1


def is_flat_join(plan: Plan, step: Step) -> bool:
    """Say whether a step puts arrays of one axis and dtype end to end."""
    if step.told is not np.concatenate or step.effect or not is_join(plan, step):
        return False
    dtype = plan.slots[step.outs[0]].dtype
    flat = (
        type(a) is Ref and len(plan.slots[a.slot].shape) == 1 and plan.slots[a.slot].dtype == dtype
        for a in step.args[0]
    )
    return step.kwargs.get("axis", 0) == 0 and type(step.args[0]) in (tuple, list) and all(flat)


# --- by function ------------------------------------------------------------------------------------------------------

Holds = Callable[[Plan, Step], Any] | None


def _reduces(plan: Plan, step: Step) -> bool:
    return reduction(step) is not None and is_array(plan, step.args[0])


FORMS: dict[Any, tuple[str, Holds]] = {
    **dict.fromkeys((np.transpose, np.broadcast_to, np.reshape, index.getitem), ("view", is_view)),
    **dict.fromkeys(SAME_AS, ("ufunc", lambda _, step: elementwise_ufunc(step))),
    elementwise.relu: ("ufunc", None),
    operator.pow: ("ufunc", lambda _, step: power_of(step)),
    **dict.fromkeys((np.matmul, np.dot), ("product", is_product)),
    **dict.fromkeys(REDUCTIONS, ("reduction", _reduces)),
    reduce.mean: ("mean", is_mean),
    np.where: ("selection", selects_or_zero),
    np.concatenate: ("join", is_join),
    index.scatter: ("scatter", None),
    index.setitem: ("setitem", None),
    **dict.fromkeys((np.copy, np.astype, np.array), ("copy", lambda _, step: is_copy(step))),
}
