"""How each operation is written down: into a buffer, as a view, as a plain call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..nodes import Lent
from ..ops import index, products, reduce
from ..program.primitives import BITS, index_of, is_array, is_mean, is_part, reduction, row_of, ufunc_of
from ..program.program import Equation, Variable
from ..spaces import ones, sum_in_front
from .writer import Writer, give, leave, local

ndarray = np.ndarray
KEYWORD_OUT = (np.maximum, np.minimum)  # of more than two arguments by position NumPy warns


# --- writing it down --------------------------------------------------------------------------------------------------


def write(w: Writer, equation: Equation) -> None:
    """Write one equation in the best way known."""
    FORMS[equation.form](w, equation)


def _call(w: Writer, equation: Equation) -> None:
    """Write a plain call; numbers leave it as numbers: an array without axes might be a view of a buffer."""
    if is_part(equation) and not equation.effect:
        _item(w, equation)
        return
    parts = [w.expression(a) for a in equation.inputs]
    parts += [f"{name}={w.expression(v)}" for name, v in equation.params.items()]
    call = f"{w.bind(equation.call, 'f')}({', '.join(parts)})"
    if not (equation.effect or equation.shares):
        w.made.update(equation.outputs)
    targets = ", ".join(local(v) for v in equation.outputs) + "," * equation.several
    w.lines.append(f"{targets} = {call}" if equation.outputs else call)
    if type(equation.call) is not np.ufunc:
        _as_numbers(w, equation)


def _item(w: Writer, equation: Equation) -> None:
    """Write the reading of entries."""
    array, index = w.expression(equation.inputs[0]), w.expression(index_of(equation))
    w.lines.append(f"{local(equation.outputs[0])} = {array}[{index}]")
    _as_numbers(w, equation)


def _as_numbers(w: Writer, equation: Equation) -> None:
    names = [local(v) for v in equation.outputs if v.shape == () and not v.weak]
    w.lines += [f"{name} = {w.bind(number)}({name})" for name in names]


def number(x: Any) -> Any:
    """Return an array without axes as a number."""
    return x[()] if type(x) is np.ndarray else x


def _number(w: Writer, equation: Equation) -> None:
    """Write an operation whose result is a number."""
    row, out, inputs = row_of(equation), local(equation.outputs[0]), equation.inputs
    if not any(map(is_array, inputs)):
        if row.sign and not equation.params and len(inputs) == 2 and all(map(_number_like, inputs)):
            w.lines.append(f"{out} = {w.expression(inputs[0])} {row.sign} {w.expression(inputs[1])}")
            w.fresh.add(equation.outputs[0])  # a number
            return
    elif is_mean(equation):
        kind = w.bind(equation.outputs[0].dtype.type)
        w.lines.append(f"{out} = {kind}({_summed(w, equation)} / {inputs[0].size})")
        return
    elif row.number == "sum" and not equation.params.get("keepdims"):
        w.lines.append(f"{out} = {_summed(w, equation)}")
        return
    elif row.number == "dot" and len(inputs) == 2 and all(map(is_array, inputs)):
        a, b = map(w.expression, inputs)
        w.lines.append(f"{out} = {a}.dot({b})")
        return
    _call(w, equation)


def _number_like(a: Any) -> bool:
    return type(a) in (Variable, int, float) or isinstance(a, np.number)


def _summed(w: Writer, equation: Equation) -> str:
    """Return source for the sum of all entries."""
    a = equation.inputs[0]
    reduce_ = w.bind(np.add.reduce, "add_reduce")
    if a in w.fixed and w.fixed[a].flags.c_contiguous:
        return f"{reduce_}({w.bind(w.fixed[a].reshape(-1), 'a')})"
    return f"{reduce_}({w.expression(a)}, None)"


def _fixed_view(w: Writer, equation: Equation) -> bool:
    """Take a view here and now, if the array is known before any call; say whether it is."""
    base = equation.inputs[0]
    if base in w.fixed:
        made = equation.call(w.fixed[base], *equation.inputs[1:], **equation.params)
        if np.may_share_memory(made, w.fixed[base]):
            w.view(equation.outputs[0], made)
            return True
    return False


def _view(w: Writer, equation: Equation) -> None:
    if not _fixed_view(w, equation):
        _call(w, equation)


def _transpose(w: Writer, equation: Equation) -> None:
    out = equation.outputs[0]
    if not _fixed_view(w, equation):
        if len(out.shape) == 2 and tuple(equation.params.get("axes") or (1, 0)) == (1, 0):
            w.lines.append(f"{local(out)} = {w.expression(equation.inputs[0])}.T")
        else:
            _call(w, equation)


def _reshape(w: Writer, equation: Equation) -> None:
    out = equation.outputs[0]
    if not _fixed_view(w, equation):
        w.lines.append(f"{local(out)} = {w.expression(equation.inputs[0])}.reshape({out.shape})")


def _ufunc(w: Writer, equation: Equation) -> None:
    """Write ``fn(a, b, out)``."""
    fn, args = ufunc_of(equation)
    operands = [w.operand(a, d) for a, d in zip(args, loop(fn, args), strict=True)]
    f = w.bind(fn, fn.__name__ + "_")
    inside = ", ".join(operands)
    comma = ", out=" if fn in KEYWORD_OUT else ", "
    w.put(equation.outputs[0], f"{f}({inside})", f"{f}({inside}{comma}{{}})")


PYTHON = {"f": float, "i": int, "c": complex}


def loop(fn: np.ufunc, args: Any) -> list[Any]:
    """Return the dtypes in which a ufunc computes with these operands; nobody asks for those of arrays."""
    if all(map(is_array, args)):
        return [None] * len(args)
    kinds: list[Any] = []
    for a in args:
        if type(a) is Variable:
            kinds.append(PYTHON[a.dtype.kind] if a.weak else a.dtype)
        else:
            kinds.append(type(a) if type(a) in (int, float, complex) else np.asarray(a).dtype)
    try:
        return list(fn.resolve_dtypes((*kinds, *[None] * fn.nout))[: fn.nin])
    except (TypeError, ValueError):
        return [None] * len(args)


def _matmul(w: Writer, equation: Equation) -> None:
    if all(_blas(w, x) for x in equation.inputs):
        _dot(w, equation)
    else:
        a, b = map(w.expression, equation.inputs)
        f, g = w.bind(products.matmul, "f"), w.bind(np.matmul, "f")
        w.put(equation.outputs[0], f"{f}({a}, {b})", f"{g}({a}, {b}, {{}})")


def _dot(w: Writer, equation: Equation) -> None:
    a, b = map(w.expression, equation.inputs)
    w.put(equation.outputs[0], f"{a}.dot({b})", f"{a}.dot({b}, {{}})")


def _blas(w: Writer, v: Variable) -> bool:
    """Say whether a matrix lies in memory as BLAS takes it."""
    return bool(w.fixed[v].flags.forc) if v in w.fixed else v.contiguous


def _reduction(w: Writer, equation: Equation) -> None:
    out, (a,), axis = equation.outputs[0], equation.inputs, equation.params.get("axis")
    fn = reduction(equation)
    f, keep = w.bind(fn.reduce, f"{fn.__name__}_reduce"), bool(equation.params.get("keepdims", False))
    x, ax = w.expression(a), w.expression(tuple(axis) if isinstance(axis, tuple) else axis)
    w.put(out, f"{f}({x}, {ax}, None, None, {keep})", f"{f}({x}, {ax}, None, {{}}, {keep})")


def _front(w: Writer, equation: Equation) -> None:
    """Write the sum of a matrix's rows as `spaces.project` takes it."""
    out, (a,) = equation.outputs[0], equation.inputs
    if a in w.fixed and w.fixed[a].flags.c_contiguous:
        row = w.bind(ones(a.shape[0], a.dtype))
        w.put(out, f"{row}.dot({w.expression(a)})", f"{row}.dot({w.expression(a)}, {{}})")
    else:
        call = f"{w.bind(sum_in_front, 'f')}({w.expression(a)}, (0,))"
        w.put(out, call, f"{{}}[...] = {call}")


def _mean(w: Writer, equation: Equation) -> None:
    out, (a,), axis = equation.outputs[0], equation.inputs, equation.params.get("axis")
    if w.memory.layout.places.get(out) is None:
        _call(w, equation)
        w.fresh.add(out)
        return
    place = w.out(out)
    n, keep = reduce.count(a, axis), bool(equation.params.get("keepdims", False))
    axis = tuple(axis) if isinstance(axis, tuple | list) else axis
    w.lines.append(f"{w.bind(np.add.reduce, 'add_reduce')}({w.expression(a)}, {axis!r}, None, {place}, {keep})")
    w.lines.append(f"{w.bind(np.true_divide, 'divide_')}({place}, {w.number(n, out.dtype)}, {place})")


def _select(w: Writer, equation: Equation) -> None:
    """Write ``np.where(mask, g, 0)`` as its rule has it: by multiplying bits with 0 and 1."""
    mask, g, out = equation.inputs[0], equation.inputs[1], equation.outputs[0]
    place = w.out(out)
    if place is None:
        w.lines.append(f"{local(out)} = {w.bind(np.where, 'where')}({', '.join(map(w.expression, equation.inputs))})")
        w.fresh.add(out)
        return
    bits = BITS[g.dtype]
    left = _seen_as(w, g, bits)
    right = _seen_as(w, mask, np.int8)
    w.lines.append(f"{w.bind(np.multiply, 'multiply_')}({left}, {right}, {w.bind(w.fixed[out].view(bits), 'b')})")


def _seen_as(w: Writer, v: Variable, kind: Any) -> str:
    if v in w.fixed and w.fixed[v].strides and (w.fixed[v].flags.c_contiguous or kind is not np.int8):
        return w.bind(w.fixed[v].view(kind), "a")
    return f"{w.variable(v)}.view({w.bind(kind)})"


def _join(w: Writer, equation: Equation) -> None:
    out, (arrays,) = equation.outputs[0], equation.inputs
    if out in w.memory.layout.joined:
        w.out(out)  # its parts are written in their places
    elif (place := w.out(out)) is None:
        _call(w, equation)
    else:
        axis = w.expression(equation.params.get("axis", 0))
        w.lines.append(f"{w.bind(np.concatenate, 'f')}({w.expression(tuple(arrays))}, {axis}, {place})")


def _scatter(w: Writer, equation: Equation) -> None:
    place = w.out(equation.outputs[0])
    if place is None:
        _call(w, equation)
        return
    g, at = w.expression(equation.inputs[0]), index_of(equation)
    w.lines.append(f"{place}.fill(0)")
    if index.is_basic(at):
        w.lines.append(f"{place}[{w.expression(at)}] = {g}")
    else:
        w.lines.append(f"{w.bind(index.add_at, 'f')}({place}, {w.expression(at)}, {g})")


def _setitem(w: Writer, equation: Equation) -> None:
    a, b = map(w.expression, equation.inputs[:2])
    place = w.out(equation.outputs[0])
    if place is None:
        _call(w, equation)
    else:
        w.lines += [f"{place}[...] = {a}", f"{place}[{w.expression(index_of(equation))}] = {b}"]


def _copy(w: Writer, equation: Equation) -> None:
    a = w.expression(equation.inputs[0])
    place = w.out(equation.outputs[0])
    if place is None:
        _call(w, equation)
    else:
        w.lines.append(f"{place}[...] = {a}")


# --- effects ----------------------------------------------------------------------------------------------------------


def _assign(w: Writer, equation: Equation) -> None:
    target, (value,) = equation.target, equation.inputs
    data = target._data
    if type(data) is not ndarray or not data.flags.writeable:
        w.change(target)
        w.lines.append(f"assign({w.bind(target, 't')}, {w.expression(value)})")
        return
    w.rebinding.append((w.bind(target, "t"), w.bind(data, "a")))
    v = value if type(value) is Variable else None
    if not (v in w.fixed and _same_memory(w.fixed[v], data)):
        w.change(data)
        w.lines.append(f"{w.bind(data, 'a')}[...] = {w.expression(value)}")
    if target._node is not None:
        w.touched[id(target._node)] = target._node


def _same_memory(a: Any, b: Any) -> bool:
    """Say whether two arrays are one in all but name."""
    return a is b or a.__array_interface__ == b.__array_interface__


def _gradient(w: Writer, equation: Equation) -> None:
    leaf, (value,) = equation.target, equation.inputs
    name = w.bind(leaf, "l")
    v = value if type(value) is Variable else None
    is_lent = v is not None and v in w.fixed and w.memory.layout.is_lent(v, leaf)
    if not is_lent and id(leaf) in w.lent:
        w.reset.append(leaf)
    if value is None:
        if id(equation) not in w.needless:
            w.lines.append(f"{name}.grad = None")
    elif v is not None and is_lent:
        w.lines.append(f"{name}.grad = {w.bind(Lent(w.fixed[v]), 'g')}")
        w.given = len(w.lines)
    elif v in w.fresh and w.escapes[v] == 1:
        w.lines.append(f"{name}.grad = {w.expression(value)}")
    elif v in w.made and w.escapes[v] == 1:
        w.lines.append(f"{w.bind(leave, 'f')}({name}, {w.expression(value)})")
    else:
        w.lines.append(f"{w.bind(give, 'f')}({name}, {w.expression(value)})")


FORMS: dict[str, Callable[[Writer, Equation], None]] = {
    "assign": _assign,
    "call": _call,
    "check": _call,
    "copy": _copy,
    "dot": _dot,
    "front": _front,
    "gradient": _gradient,
    "item": _item,
    "join": _join,
    "mean": _mean,
    "number": _number,
    "matmul": _matmul,
    "reduction": _reduction,
    "scatter": _scatter,
    "selection": _select,
    "setitem": _setitem,
    "ufunc": _ufunc,
    "part": _view,
    "reshape": _reshape,
    "stretch": _view,
    "transpose": _transpose,
}
