"""NumPy's calls, sorted: which row of the table a function stands for, and which of its arguments are arrays.

`call` serves ``__array_function__``, `call_ufunc` serves ``__array_ufunc__`` in all its ways. A function is ruled,
composed, constant or refused; anything else is an error that says how to add a rule. Never an array of objects.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import numpy as np

from . import ops, recording
from .notes import GraphError
from .recording import (
    operand,
    plain,
    plain_index,
    record,
    record1,
    record2,
    record_primitive,
    record_wide1,
    state_now,
    tensor,
)
from .rules import COMPOSITES, CONSTANTS, REFUSED, RULES, SILENT, Op
from .spaces import array, has_tensors
from .state import PLAIN

ndarray = np.ndarray
NO_VALUE = np._NoValue
VECTORIZED = " (vectorized)"  # which np.frompyfunc puts behind a function's name
SEQUENCES = (list, tuple)
SUMMARIES = {np.allclose, np.array_equal, np.array_equiv, np.count_nonzero}  # Python's bools and ints, of values
TEXTS = {np.array2string, np.array_repr, np.array_str, np.format_float_positional, np.format_float_scientific}
TEXTS |= {np.shares_memory, np.may_share_memory}  # as far as they are constant, nothing that stands on a tape
WITH_NUMBER: dict[Any, Op] = ops.elementwise.WITH_NUMBER


def call(fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Apply a NumPy function to arguments with Tensors among them."""
    op = RULES.get(fn)
    if op is not None:
        if list in map(type, args):
            args = _without_lists(op, args)
        if op.wide:
            if fn is np.where and len(args) == 1:
                return call_constant(np.nonzero, args, kwargs)
            return record_primitive(op, *bind(op, args, kwargs))
        return record(op, *bind(op, args, kwargs)) if kwargs or len(args) != len(op.args) else narrow(op, args)
    body = COMPOSITES.get(fn)
    if body is not None:
        args, kwargs, out = without_out(body, args, kwargs)
        return body(*args, **kwargs) if out is None else deliver(body(*args, **kwargs), out, fn)
    if fn in CONSTANTS:
        return call_constant(fn, args, kwargs)
    why = REFUSED.get(fn) or REFUSED.get(getattr(fn, "__module__", None))
    if why:
        raise TypeError(f"{title(fn)} is refused for Tensors: {why}")
    ops.late.load()
    found = ops.late.known(fn)
    if found is None:
        raise TypeError(no_rule(fn))
    return call(found, args, kwargs)


def _without_lists(op: Op, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return arguments with lists of Tensors stacked where arrays stand; of a variadic operation, those in its list."""
    if op.variadic:
        return ([array(a) if type(a) is list and has_tensors(a) else a for a in args[0]], *args[1:])
    n = len(op.args)
    return (*(array(a) if type(a) is list and has_tensors(a) else a for a in args[:n]), *args[n:])


def narrow(op: Op, args: tuple[Any, ...]) -> Any:
    """Record a narrow operation called by its function."""
    if len(args) == 2:
        if op.fn in WITH_NUMBER:
            return extreme(op, *args)
        return record2(op, op.compute, *args) if any(type(a) is recording.Tensor for a in args) else op.compute(*args)
    return record1(op, op.compute, args[0])


def extreme(op: Op, a: Any, b: Any) -> Any:
    """Record the larger or the smaller of two; beside a constant number only the result has to be kept."""
    if type(b) is not recording.Tensor:
        a, b = b, a
    if (
        type(a) is not recording.Tensor
        and (type(a) is int or type(a) is float or np.ndim(a) == 0)
        and type(b._data) is ndarray
        and state_now().recorder is None
    ):
        return record_wide1(WITH_NUMBER[op.fn], b, {"bound": operand(a, b._data)})
    return record2(op, op.fn, a, b)


def call_constant(fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Apply a function without gradient to plain values; under a recorder it stands on the tape."""
    if fn is np.isnan:
        refuse_solver("np.isnan()", args[0])
    if (kwargs or len(args) > 1) and not isinstance(fn, np.ufunc):
        args, kwargs, out = without_out(fn, args, kwargs)
        if out is not None:
            return deliver(call_constant(fn, args, kwargs), out, fn)
    plain_args = [strip(a) for a in args]
    ans = fn(*plain_args, **{k: strip(v) for k, v in kwargs.items()}) if kwargs else fn(*plain_args)
    state = state_now()
    if state is not PLAIN and state.recorder is not None:
        if fn in SUMMARIES:
            ans = np.bool_(ans) if type(ans) is bool else ans
            told = tensor(ans)
            state.recorder.record(fn, args, kwargs, told)
            return told
        if ans is None:
            state.recorder.checked(fn, args, kwargs)
            return None
        if fn in TEXTS:
            state.recorder.asked(title(fn))
        parts = ans if isinstance(ans, tuple) else (ans,)
        if all(isinstance(part, ndarray | np.generic) for part in parts):
            told = tuple(tensor(part) for part in parts) if isinstance(ans, tuple) else tensor(ans)
            state.recorder.record(fn, args, kwargs, told)
            return told
    return ans


def refuse_solver(what: str, t: Any) -> None:
    """Refuse a tracked Tensor that a solver of SciPy is about to hand on to compiled code."""
    if "scipy" in sys.modules and getattr(t, "_node", None) is not None:
        frame = sys._getframe(1)
        if ops.detaching.lost_in(frame):
            raise GraphError(ops.detaching.sentence(what, frame)[0])


def _looked_at(body: Any) -> Any:
    def atleast_1d(*arrays: Any) -> Any:
        for t in arrays:
            refuse_solver("np.atleast_1d()", t)
        return body(*arrays)

    return atleast_1d


COMPOSITES[np.atleast_1d] = _looked_at(COMPOSITES[np.atleast_1d])


def without_out(fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Take ``out=`` out of the arguments of a function, by name or by position."""
    if kwargs.get("out") is not None:
        kwargs = dict(kwargs)
        return args, kwargs, kwargs.pop("out")
    at = _place_of_out(fn) if len(args) > 1 else None
    if at is None or len(args) <= at or args[at] is None:
        return args, kwargs, None
    return (*args[:at], None, *args[at + 1 :]), kwargs, args[at]


@functools.cache
def _place_of_out(fn: Any) -> int | None:
    import inspect

    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        return None
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names.index("out") if "out" in names else None


def deliver(ans: Any, out: Any, fn: Any) -> Any:
    """Write a result into ``out=``: a Tensor takes it as an assignment, a plain array only what is not tracked."""
    out = out[0] if isinstance(out, tuple) and len(out) == 1 else out
    if not np.can_cast(plain(ans).dtype, out.dtype, "same_kind"):
        raise TypeError(f"{title(fn)} gives {plain(ans).dtype}, which does not fit into out= of {out.dtype}")
    if not isinstance(out, recording.Tensor) and isinstance(ans, recording.Tensor) and ans._node is not None:
        raise TypeError(
            f"{title(fn)} with out= would write a tracked result into a plain array and lose its gradient; "
            f"pass a Tensor as out=, or write out = {title(fn)}(...)"
        )
    out[...] = ans if isinstance(out, recording.Tensor) else plain(ans)
    return out


def strip(a: Any) -> Any:
    """Return a structure of arguments with the values of its Tensors."""
    kind = type(a)
    if kind is recording.Tensor:
        return a._data
    if kind is ndarray or kind is float or kind is int:
        return a
    if isinstance(a, SEQUENCES):
        parts = [strip(v) for v in a]
        return type(a)(*parts) if hasattr(a, "_fields") else type(a)(parts)
    return a


def bind(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Sort NumPy's arguments into arrays, by position, and metadata, by name."""
    n = 1 if op.variadic else len(op.args)
    if len(args) > n:
        params = op.params or op.parameters()
        if len(args) > len(params):
            raise TypeError(f"{title(op.fn)} takes at most {len(params)} positional arguments, {len(args)} were given")
        kwargs = dict(zip(params[n:], args[n:])) | kwargs  # noqa: B905  (there may be fewer arguments)
        args = args[:n]
    elif len(args) < n:
        kwargs = dict(kwargs)
        args = args + tuple([kwargs.pop(p) for p in op.parameters()[len(args) : n] if p in kwargs])
        if len(args) < n:
            raise TypeError(f"{title(op.fn)} takes {n} arrays, {len(args)} were given")
    for k, v in kwargs.items():
        if k == "out" or v is NO_VALUE:
            if v is not None and v is not NO_VALUE:
                raise TypeError(f"{title(op.fn)} with out= is refused for Tensors: write y[...] = {op.name}(...)")
            kwargs = {k: v for k, v in kwargs.items() if k != "out" and v is not NO_VALUE}
            break
    return tuple(args[0]) if op.variadic else args, kwargs


def title(fn: Any) -> str:
    """Return the name under which a person knows a function."""
    name = getattr(fn, "__name__", repr(fn))
    module = getattr(fn, "__module__", "") or ""
    if isinstance(fn, np.ufunc):
        if getattr(np, name, None) is fn:
            return f"np.{name}"
        homes = (sys.modules.get("scipy.special"), sys.modules.get("scipy.special._ufuncs"))
        return f"scipy.special.{name}" if any(getattr(home, name, None) is fn for home in homes) else name
    return f"np{module[5:]}.{name}" if module.startswith("numpy") else name


def no_rule(fn: Any) -> str:
    """Return the sentence for a function that has no rule."""
    import difflib

    if isinstance(fn, np.ufunc) and title(fn).endswith(VECTORIZED):
        name = title(fn).removesuffix(VECTORIZED)
        return (
            f"what np.frompyfunc made of {name} calls it entry by entry and gives arrays of Python objects, without "
            f"gradients: write it with NumPy's functions, for whole arrays; or np.stack([f(x) for x in t])"
        )
    known = {
        title(f): f
        for table in (RULES, COMPOSITES)
        for f in table
        if (getattr(f, "__module__", "") or "numpy").startswith("numpy")
    }
    near = difflib.get_close_matches(title(fn), known, 1, 0.5)
    hint = f"; the nearest function with a rule is {near[0]}" if near else ""
    return (
        f"{title(fn)} has no gradient rule{hint}. Add one with ag.rule({title(fn)}, lambda g, ...: ...), "
        f"or pass t.data if no gradient is wanted"
    )


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Apply a ufunc in any of its ways: with keywords, or by one of its methods."""
    if not kwargs and ufunc in CONSTANTS and method == "__call__":
        return call_constant(ufunc, inputs, kwargs)
    out = kwargs.pop("out", None)
    out = out[0] if isinstance(out, tuple) and len(out) == 1 else out
    if isinstance(out, tuple):
        raise TypeError(f"np.{ufunc.__name__} with several out= arrays is refused for Tensors")
    where = kwargs.pop("where", True)
    if method == "__call__":
        if where is not True:
            ans = _call_where(ufunc, inputs, where, out, kwargs)
        else:
            ans = _call_plain(ufunc, inputs, kwargs)
    else:
        if ufunc not in RULES and ufunc not in CONSTANTS:
            ops.late.load()
        if method == "at":
            return _ufunc_at(ufunc, *inputs)
        if where is not True:
            kwargs["where"] = where
        ans = ops.ufunc_method(ufunc, method, inputs, kwargs)
    if out is None:
        return ans
    if (
        inputs
        and out is inputs[0]
        and type(out) is ndarray
        and isinstance(ans, recording.Tensor)
        and ans._node is not None
    ):
        raise TypeError(
            f"{title(ufunc)} in place, as in a += t, would write a tracked result into a plain array and lose its "
            f"gradient: write a = {title(ufunc)}(a, t), or start from a Tensor, a = ag.Tensor(a, requires_grad=False)"
        )
    return deliver(ans, out, ufunc)


def _call_plain(ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    op = RULES.get(ufunc)
    if op is None and ufunc not in COMPOSITES and ufunc not in CONSTANTS:
        ops.late.load()
        op = RULES.get(ufunc)
    if op is None:
        return call(ufunc, inputs, kwargs)
    if op.wide or op.outputs:
        return record(op, inputs, kwargs)
    if not any(type(a) is recording.Tensor for a in inputs):  # only out= is a Tensor
        return ufunc(*inputs, **kwargs)
    if ufunc.signature and kwargs and kwargs.keys() <= {"axes", "axis"}:
        return ops.methods.with_axes(ufunc, inputs, **kwargs)
    if kwargs.keys() - SILENT:
        raise TypeError(f"the rule for {title(ufunc)} does not know the keyword {min(kwargs.keys() - SILENT)!r}")
    compute: Any = functools.partial(ufunc, **kwargs) if kwargs else ufunc
    if kwargs and state_now().recorder is not None:
        op = op.told_as(compute)
    return record2(op, compute, *inputs) if len(inputs) == 2 else record1(op, compute, *inputs)


def _call_where(ufunc: np.ufunc, inputs: tuple[Any, ...], where: Any, out: Any, kwargs: dict[str, Any]) -> Any:
    """Apply ``ufunc(..., where=mask, out=y)``: where the mask is False, `y` keeps its entries."""
    if out is None:
        raise TypeError(
            f"np.{ufunc.__name__} with where= but no out= leaves entries uninitialised; give out=, or write "
            f"np.where(mask, np.{ufunc.__name__}(...), default)"
        )
    with np.errstate(all="ignore"):  # NumPy does not look at the entries left out
        return np.where(plain(where), _call_plain(ufunc, inputs, kwargs), out)


def _ufunc_at(ufunc: np.ufunc, t: Any, index: Any, *operand: Any) -> None:
    """Apply ``np.add.at(t, index, value)``: repeated indices accumulate."""
    if not isinstance(t, recording.Tensor):
        raise TypeError(
            f"{title(ufunc)}.at of a plain array and a Tensor would lose its gradient: start from a Tensor, y = "
            f"Tensor(array, requires_grad=False)"
        )
    t._refuse_assignment(state := state_now())
    where = plain_index(index)
    if ufunc not in (np.add, np.subtract):
        return ops.methods.at(ufunc, t, where, *operand)
    value = array(operand[0])
    if not np.can_cast(plain(value).dtype if hasattr(value, "dtype") else np.result_type(value), t.dtype, "same_kind"):
        raise TypeError(
            f"np.{ufunc.__name__}.at cannot add {np.result_type(plain(value))} to a Tensor of dtype {t.dtype}"
        )
    value = np.broadcast_to(value if ufunc is np.add else np.negative(value), np.shape(t._data[where]))
    t._become(ops.index.added_at(t, value, index=where if state.recorder is None else index))
    return None
