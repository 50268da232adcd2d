"""How each operation is written down: into a buffer, as a view, as a plain call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..nodes import Lent
from ..ops import index, products, reduce
from ..program.sums import is_leading, sum_rows
from ..spaces import ones
from .forms import BITS, index_of, is_array, is_mean, reduction, ufunc_of
from .plan import Plan, Ref, Step
from .writer import INFIX, Writer, give, leave

ndarray = np.ndarray
KEYWORD_OUT = (np.maximum, np.minimum)  # of more than two arguments by position NumPy warns


# --- writing it down --------------------------------------------------------------------------------------------------


def write(w: Writer, step: Step) -> None:
    """Write one step in the best way known."""
    FORMS[step.form](w, step)


def _call(w: Writer, step: Step) -> None:
    """Write a plain call; numbers leave it as numbers: an array without axes might be a view of a buffer."""
    slots = [w.plan.slots[k] for k in step.outs]
    numbers = [s.number for s in slots if s.shape == () and not (s.weak or isinstance(step.fn, np.ufunc))]
    if step.told is index.getitem and not step.effect:
        w.lines.append(f"v{step.outs[0]} = {w.expression(step.args[0])}[{w.expression(index_of(step))}]")
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


def _number(w: Writer, step: Step) -> None:
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


def _ufunc(w: Writer, step: Step) -> None:
    """Write ``fn(a, b, out)``."""
    fn, args = ufunc_of(step)
    operands = [w.operand(a, d) for a, d in zip(args, loop(w.plan, fn, args), strict=True)]
    f = w.bind(fn, fn.__name__ + "_")
    inside = ", ".join(operands)
    comma = ", out=" if fn in KEYWORD_OUT else ", "
    w.put(step.outs[0], f"{f}({inside})", f"{f}({inside}{comma}{{}})")


PYTHON = {"f": float, "i": int, "c": complex}


def loop(plan: Plan, fn: np.ufunc, args: Any) -> list[Any]:
    """Return the dtypes in which a ufunc computes with these arguments; nobody asks for those of arrays."""
    if all(is_array(plan, a) for a in args):
        return [None] * len(args)
    kinds: list[Any] = []
    for a in args:
        if type(a) is Ref:
            slot = plan.slots[a.slot]
            kinds.append(PYTHON[slot.dtype.kind] if slot.weak else slot.dtype)
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


def _join(w: Writer, step: Step) -> None:
    k, (arrays,) = step.outs[0], step.args
    if k in w.memory.layout.joined:
        w.out(k)  # its parts are written in their places
    elif (place := w.out(k)) is None:
        _call(w, step)
    else:
        axis = w.expression(step.kwargs.get("axis", 0))
        w.lines.append(f"{w.bind(np.concatenate, 'f')}({w.expression(tuple(arrays))}, {axis}, {place})")


def _scatter(w: Writer, step: Step) -> None:
    place = w.out(step.outs[0])
    if place is None:
        _call(w, step)
        return
    g, at = w.expression(step.args[0]), index_of(step)
    w.lines.append(f"{place}.fill(0)")
    if index.is_basic(at):
        w.lines.append(f"{place}[{w.expression(at)}] = {g}")
    else:
        w.lines.append(f"{w.bind(index.add_at, 'f')}({place}, {w.expression(at)}, {g})")


def _setitem(w: Writer, step: Step) -> None:
    a, b = map(w.expression, step.args[:2])
    place = w.out(step.outs[0])
    if place is None:
        _call(w, step)
    else:
        w.lines += [f"{place}[...] = {a}", f"{place}[{w.expression(index_of(step))}] = {b}"]


def _copy(w: Writer, step: Step) -> None:
    a = w.expression(step.args[0])
    place = w.out(step.outs[0])
    if place is None:
        _call(w, step)
    else:
        w.lines.append(f"{place}[...] = {a}")


# --- effects ----------------------------------------------------------------------------------------------------------


def _assign(w: Writer, step: Step) -> None:
    target, (value,) = step.target, step.args
    data = target._data
    if type(data) is not ndarray or not data.flags.writeable:
        w.change(target)
        w.lines.append(f"assign({w.bind(target, 't')}, {w.expression(value)})")
        return
    w.rebinding.append((w.bind(target, "t"), w.bind(data, "a")))
    k = value.slot if type(value) is Ref else None
    if not (k in w.fixed and _same_memory(w.fixed[k], data)):
        w.change(data)
        w.lines.append(f"{w.bind(data, 'a')}[...] = {w.expression(value)}")
    if target._node is not None:
        w.touched[id(target._node)] = target._node


def _same_memory(a: Any, b: Any) -> bool:
    """Say whether two arrays are one in all but name."""
    return a is b or a.__array_interface__ == b.__array_interface__


def _grad(w: Writer, step: Step) -> None:
    leaf, (value,) = step.target, step.args
    name = w.bind(leaf, "l")
    k = value.slot if type(value) is Ref else None
    is_lent = k is not None and k in w.fixed and w.memory.layout.is_lent(k, leaf)
    if not is_lent and id(leaf) in w.lent:
        w.reset.append(leaf)
    if value is None:
        if id(step) not in w.needless:
            w.lines.append(f"{name}.grad = None")
    elif k is not None and is_lent:
        w.lines.append(f"{name}.grad = {w.bind(Lent(w.fixed[k]), 'g')}")
        w.given = len(w.lines)
    elif k in w.fresh and w.escapes[k] == 1:
        w.lines.append(f"{name}.grad = {w.expression(value)}")
    elif k in w.made and w.escapes[k] == 1:
        w.lines.append(f"{w.bind(leave, 'f')}({name}, {w.expression(value)})")
    else:
        w.lines.append(f"{w.bind(give, 'f')}({name}, {w.expression(value)})")


FORMS: dict[str, Callable[[Writer, Step], None]] = {
    "assign": _assign,
    "call": _call,
    "check": _call,
    "copy": _copy,
    "grad": _grad,
    "join": _join,
    "mean": _mean,
    "number": _number,
    "product": _product,
    "reduction": _reduction,
    "scatter": _scatter,
    "selection": _select,
    "setitem": _setitem,
    "ufunc": _ufunc,
    "view": _view,
}
