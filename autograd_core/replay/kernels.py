"""How each operation is written down: which write into buffers, which are views, which are plain calls."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..nodes import Lent
from ..ops import elementwise, index, products, reduce
from ..spaces import ones
from ..tensor import _square
from .plan import Plan, Ref, Step
from .sums import is_leading, sum_rows
from .writer import BITS, INFIX, Writer, give, leave

ndarray = np.ndarray
KEYWORD_OUT = (np.maximum, np.minimum)  # of more than two arguments by position NumPy warns


# --- what an operation is ---------------------------------------------------------------------------------------------


def elementwise_ufunc(step: Step) -> Any:
    """Return the ufunc that a step applies entry by entry, with its arguments as they are; None if it is another."""
    fn = SAME_AS.get(step.told, step.fn)
    plain = isinstance(fn, np.ufunc) and fn.signature is None and fn.nout == 1 and not step.kwargs
    return fn if plain and not step.effect and len(step.outs) == 1 and len(step.args) == fn.nin else None


SAME_AS: dict[Any, Any] = {reduce.root: np.sqrt, _square: np.square}


def is_array(plan: Plan, a: Any) -> bool:
    """Say whether an argument is a slot with axes."""
    return type(a) is Ref and bool(plan.slots[a.slot].shape)


def is_view(plan: Plan, step: Step) -> bool:
    """Say whether the result of a step is a view of its first argument, whatever the values."""
    if step.effect or len(step.outs) != 1 or not step.args or type(step.args[0]) is not Ref or len(step.reads) > 1:
        return False
    if not plan.slots[step.args[0].slot].shape and step.told is not np.broadcast_to:
        return False
    if step.told in (np.transpose, np.broadcast_to, np.reshape):
        return step.kwargs.get("copy") is None and step.kwargs.get("order", "C") == "C"
    return step.told is index.getitem and bool(plan.slots[step.outs[0]].shape) and index.is_basic(_index(step))


def _index(step: Step) -> Any:
    return step.kwargs["index"] if "index" in step.kwargs else step.args[1]


def is_product(plan: Plan, step: Step) -> bool:
    """Say whether a step is a product of two matrices that BLAS can write into a buffer."""
    if step.told not in (np.matmul, np.dot) or step.kwargs or len(step.args) != 2:
        return False
    if not all(is_array(plan, a) for a in step.args):
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


def is_mean(plan: Plan, step: Step) -> bool:
    """Say whether a step is a mean that we take as the rule does."""
    if step.told is not reduce.mean or not is_array(plan, step.args[0]):
        return False
    slot = plan.slots[step.args[0].slot]
    return slot.dtype.kind == "f" and slot.dtype.itemsize >= 4 and slot.size > 0


def writable(plan: Plan, step: Step) -> bool:
    """Say whether a step can write its result into a given array."""
    if step.effect or len(step.outs) != 1 or step.tuple or not plan.slots[step.outs[0]].shape:
        return False
    if elementwise_ufunc(step) is not None or step.told is elementwise.relu or is_product(plan, step):
        return True
    if reduction(step) is not None or is_mean(plan, step) or selects_or_zero(plan, step):
        return is_array(plan, step.args[0])
    if step.told is np.concatenate:
        return set(step.kwargs) <= {"axis"} and len(step.args) == 1
    return step.told in (index.setitem, index.scatter) or is_copy(step) or power_of(step) is not None


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


# --- writing it down --------------------------------------------------------------------------------------------------


def write(w: Writer, step: Step) -> None:
    """Write one step in the best way known."""
    if step.effect == "assign":
        _assign(w, step)
    elif step.effect == "grad":
        _grad(w, step)
    elif step.effect or len(step.outs) != 1 or step.tuple:
        _call(w, step)
    elif not w.plan.slots[step.outs[0]].shape:
        _scalar(w, step)
    else:
        _array(w, step)


def _array(w: Writer, step: Step) -> None:
    """Write an operation whose result has axes."""
    plan, k = w.plan, step.outs[0]
    if is_view(plan, step):
        _view(w, step)
    elif (fn := elementwise_ufunc(step)) is not None:
        _ufunc(w, k, fn, step.args)
    elif step.told is elementwise.relu:
        _ufunc(w, k, np.maximum, (step.args[0], 0))
    elif (power := power_of(step)) is not None:
        _ufunc(w, k, *power)
    elif is_product(plan, step):
        _product(w, step)
    elif is_array(plan, step.args[0] if step.args else None) and reduction(step) is not None:
        _reduction(w, step)
    elif is_mean(plan, step):
        _mean(w, step)
    elif selects_or_zero(plan, step):
        _select(w, step)
    elif w.memory.layout.places.get(k) is not None:
        _into(w, step)
    else:
        _call(w, step)


def _call(w: Writer, step: Step) -> None:
    """Write a plain call; numbers leave it as numbers: an array without axes might be a view of a buffer."""
    slots = [w.plan.slots[k] for k in step.outs]
    numbers = [s.number for s in slots if s.shape == () and not (s.weak or isinstance(step.fn, np.ufunc))]
    if step.told is index.getitem and not step.effect:
        w.lines.append(f"v{step.outs[0]} = {w.expression(step.args[0])}[{w.expression(_index(step))}]")
        w.lines += [f"v{k} = {w.bind(number)}(v{k})" for k in numbers]
        return
    parts = [w.expression(a) for a in step.args]
    parts += [f"{name}={w.expression(v)}" for name, v in step.kwargs.items()]
    call = f"{w.bind(step.fn, 'f')}({', '.join(parts)})"
    if not (step.effect or step.shares):
        w.made.update(step.outs)
    targets = ", ".join(f"v{k}" for k in step.outs) + "," * step.tuple
    w.lines.append(f"{targets} = {call}" if step.outs else call)
    w.lines += [f"v{k} = {w.bind(number)}(v{k})" for k in numbers]


def number(x: Any) -> Any:
    """Return an array without axes as a number."""
    return x[()] if type(x) is np.ndarray else x


def _scalar(w: Writer, step: Step) -> None:
    """Write an operation whose result is a number."""
    plan, k = w.plan, step.outs[0]
    arrays = any(is_array(plan, a) for a in step.args)
    sign = INFIX.get(step.told)
    if sign and not arrays and not step.kwargs and len(step.args) == 2 and all(map(_number_like, step.args)):
        w.lines.append(f"v{k} = {w.expression(step.args[0])} {sign} {w.expression(step.args[1])}")
        w.fresh.add(k)  # a number
    elif arrays and is_mean(plan, step):
        kind = w.bind(plan.slots[k].dtype.type)
        w.lines.append(f"v{k} = {kind}({_summed(w, step)} / {plan.slots[step.args[0].slot].size})")
    elif arrays and step.told is reduce.total and not step.kwargs.get("keepdims"):
        w.lines.append(f"v{k} = {_summed(w, step)}")
    elif step.told is np.dot and len(step.args) == 2 and all(is_array(plan, a) for a in step.args):
        a, b = map(w.expression, step.args)
        w.lines.append(f"v{k} = {a}.dot({b})")
    else:
        _call(w, step)


def _number_like(a: Any) -> bool:
    return type(a) in (Ref, int, float) or isinstance(a, np.number)


def _summed(w: Writer, step: Step) -> str:
    """Return source for the sum of all entries."""
    a = step.args[0].slot
    reduce_ = w.bind(np.add.reduce, "add_reduce")
    if a in w.fixed and w.fixed[a].flags.c_contiguous:
        return f"{reduce_}({w.bind(w.fixed[a].reshape(-1), 'a')})"
    return f"{reduce_}({w.expression(step.args[0])}, None)"


def _view(w: Writer, step: Step) -> None:
    base, k = step.args[0].slot, step.outs[0]
    if base in w.fixed:
        made = step.fn(w.fixed[base], *step.args[1:], **step.kwargs)
        if np.may_share_memory(made, w.fixed[base]):
            w.view(k, made)
            return
    plan = w.plan
    if (
        step.told is np.transpose
        and len(plan.slots[k].shape) == 2
        and tuple(step.kwargs.get("axes") or (1, 0)) == (1, 0)
    ):
        w.lines.append(f"v{k} = {w.expression(step.args[0])}.T")
    elif step.told is np.reshape:
        w.lines.append(f"v{k} = {w.expression(step.args[0])}.reshape({plan.slots[k].shape})")
    else:
        _call(w, step)


def _ufunc(w: Writer, k: int, fn: np.ufunc, args: Any) -> None:
    """Write ``fn(a, b, out)``."""
    dtypes = loop(w.plan, fn, args)
    operands = [w.operand(a, d) for a, d in zip(args, dtypes, strict=True)]
    f = w.bind(fn, fn.__name__ + "_")
    inside = ", ".join(operands)
    comma = ", out=" if fn in KEYWORD_OUT else ", "
    w.put(k, f"{f}({inside})", f"{f}({inside}{comma}{{}})")


def loop(plan: Plan, fn: np.ufunc, args: Any) -> list[Any]:
    """Return the dtypes in which a ufunc computes with these arguments."""
    kinds: list[Any] = []
    for a in args:
        if type(a) is Ref:
            slot = plan.slots[a.slot]
            kinds.append(float if slot.weak and slot.dtype.kind == "f" else int if slot.weak else slot.dtype)
        else:
            kinds.append(type(a) if type(a) in (int, float, complex) else np.asarray(a).dtype)
    try:
        return list(fn.resolve_dtypes((*kinds, *[None] * fn.nout))[: fn.nin])
    except (TypeError, ValueError):
        return [None] * len(args)


def _product(w: Writer, step: Step) -> None:
    (a, b), k = map(w.expression, step.args), step.outs[0]
    if step.told is np.matmul and not all(_blas(w, x.slot) for x in step.args):
        f = w.bind(products.matmul, "f")
        g = w.bind(np.matmul, "f")
        w.put(k, f"{f}({a}, {b})", f"{g}({a}, {b}, {{}})")
    else:
        w.put(k, f"{a}.dot({b})", f"{a}.dot({b}, {{}})")


def _blas(w: Writer, k: int) -> bool:
    """Say whether a matrix lies in memory as BLAS takes it."""
    if k in w.fixed:
        return bool(w.fixed[k].flags.forc)
    return bool(w.plan.slots[k].forc)


def _reduction(w: Writer, step: Step) -> None:
    k, (a,), axis = step.outs[0], step.args, step.kwargs.get("axis")
    if is_leading(axis) and axis == (0,) and len(w.plan.slots[a.slot].shape) == 2:
        n, dtype = w.plan.slots[a.slot].shape[0], w.plan.slots[a.slot].dtype
        if a.slot in w.fixed and w.fixed[a.slot].flags.c_contiguous:
            row = w.bind(ones(n, dtype))
            w.put(k, f"{row}.dot({w.expression(a)})", f"{row}.dot({w.expression(a)}, {{}})")
        else:
            w.put(
                k,
                f"{w.bind(sum_rows, 'f')}({w.expression(a)})",
                f"{{}}[...] = {w.bind(sum_rows, 'f')}({w.expression(a)})",
            )
        return
    fn = reduction(step)
    f, keep = w.bind(fn.reduce, f"{fn.__name__}_reduce"), bool(step.kwargs.get("keepdims", False))
    x, ax = w.expression(a), w.expression(tuple(axis) if isinstance(axis, tuple) else axis)
    w.put(k, f"{f}({x}, {ax}, None, None, {keep})", f"{f}({x}, {ax}, None, {{}}, {keep})")


def _mean(w: Writer, step: Step) -> None:
    k, (a,), axis = step.outs[0], step.args, step.kwargs.get("axis")
    if w.memory.layout.places.get(k) is None:
        _call(w, step)
        w.fresh.add(k)
        return
    place = w.out(k)
    n, keep = reduce.count(w.plan.slots[a.slot], axis), bool(step.kwargs.get("keepdims", False))
    axis = tuple(axis) if isinstance(axis, tuple | list) else axis
    w.lines.append(f"{w.bind(np.add.reduce, 'add_reduce')}({w.expression(a)}, {axis!r}, None, {place}, {keep})")
    w.lines.append(f"{w.bind(np.true_divide, 'divide_')}({place}, {w.number(n, w.plan.slots[k].dtype)}, {place})")


def _select(w: Writer, step: Step) -> None:
    """Write ``np.where(mask, g, 0)`` as `rules.where` has it: by multiplying bits with 0 and 1."""
    mask, g, k = step.args[0].slot, step.args[1].slot, step.outs[0]
    place = w.out(k)
    if place is None:
        w.lines.append(f"v{k} = {w.bind(np.where, 'where')}({', '.join(map(w.expression, step.args))})")
        w.fresh.add(k)
        return
    bits = BITS[w.plan.slots[g].dtype]
    left = _seen_as(w, g, bits)
    right = _seen_as(w, mask, np.int8)
    w.lines.append(f"{w.bind(np.multiply, 'multiply_')}({left}, {right}, {w.bind(w.fixed[k].view(bits), 'b')})")


def _seen_as(w: Writer, k: int, kind: Any) -> str:
    if k in w.fixed and w.fixed[k].strides and (w.fixed[k].flags.c_contiguous or kind is not np.int8):
        return w.bind(w.fixed[k].view(kind), "a")
    return f"{w.slot(k)}.view({w.bind(kind)})"


def _into(w: Writer, step: Step) -> None:
    """Write what goes into a buffer in ways of its own: copies, assignments, joins."""
    k = step.outs[0]
    if k in w.memory.layout.joined:
        w.out(k)
        return
    if step.told is np.concatenate:
        arrays, rest = step.args[0], step.kwargs
        parts = w.expression(tuple(arrays))
        w.lines.append(f"{w.bind(np.concatenate, 'f')}({parts}, {w.expression(rest.get('axis', 0))}, {w.out(k)})")
        return
    if step.told is index.scatter:
        g, at = w.expression(step.args[0]), _index(step)
        place = w.out(k)
        w.lines.append(f"{place}.fill(0)")
        if index.is_basic(at):
            w.lines.append(f"{place}[{w.expression(at)}] = {g}")
        else:
            w.lines.append(f"{w.bind(index.add_at, 'f')}({place}, {w.expression(at)}, {g})")
        return
    if step.told is index.setitem:
        a, b = map(w.expression, step.args[:2])
        place = w.out(k)
        w.lines.append(f"{place}[...] = {a}")
        w.lines.append(f"{place}[{w.expression(_index(step))}] = {b}")
        return
    a = w.expression(step.args[0])
    w.lines.append(f"{w.out(k)}[...] = {a}")


# --- effects ----------------------------------------------------------------------------------------------------------


def _assign(w: Writer, step: Step) -> None:
    target, (value,) = step.target, step.args
    data = target._data
    if type(data) is not ndarray or not data.flags.writeable:
        w.lines.append(f"assign({w.bind(target, 't')}, {w.expression(value)})")
        return
    k = value.slot if type(value) is Ref else None
    if not (k in w.fixed and _same_memory(w.fixed[k], data)):
        w.lines.append(f"{w.bind(data, 'a')}[...] = {w.expression(value)}")
        w.rebinding.append((w.bind(target, "t"), w.bind(data, "a")))
    if target._node is not None:
        w.touched[id(target._node)] = target._node


def _same_memory(a: Any, b: Any) -> bool:
    """Say whether two arrays are one in all but name."""
    return a is b or a.__array_interface__ == b.__array_interface__


def _grad(w: Writer, step: Step) -> None:
    leaf, (value,) = step.target, step.args
    name = w.bind(leaf, "l")
    if value is None:
        w.lines.append(f"{name}.grad = None")
        return
    k = value.slot if type(value) is Ref else None
    if k in w.fixed and w.memory.is_lent(k, leaf):
        w.lines.append(f"{name}.grad = {w.bind(Lent(w.fixed[k]), 'g')}")
    elif k in w.fresh and w.escapes[k] == 1:
        w.lines.append(f"{name}.grad = {w.expression(value)}")
    elif k in w.made and w.escapes[k] == 1:
        w.lines.append(f"{w.bind(leave, 'f')}({name}, {w.expression(value)})")
    else:
        w.lines.append(f"{w.bind(give, 'f')}({name}, {w.expression(value)})")
