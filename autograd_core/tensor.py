"""The Tensor, and the doors through which every operation is recorded.

A Tensor is a NumPy value and, if it is tracked, the node of the operation that made it. All recording happens in
`record1`, `record2` (one and two operands, no metadata: the hot path) and `record` (everything else); Python's
operators, ndarray's methods and NumPy's two protocols lead there and nowhere else.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import ops
from .graph import Leaf, Node, Pick, Wide, pull_back, tick
from .notes import GraphError, annotate
from .rules import COMPOSITES, CONSTANTS, REFUSED, RULES, SILENT, Door, Op
from .spaces import Space, space_of
from .state import PLAIN, STATE

float64 = np.float64
ndarray = np.ndarray
state_now = STATE.get
new = object.__new__
SMALL = 4096  # bytes up to which a plain array that the tape keeps is copied: 0.2 us, against a silently wrong gradient
CONSTANT_LIMIT = 1000  # entries in the table of 0-d constants before it starts afresh

_constants: dict[tuple[Any, Any], Any] = {}


# ----------------------------------------------------------------------------------------------------------------------
# Recording
# ----------------------------------------------------------------------------------------------------------------------


def record1(op: Op, compute: Callable[..., Any], a: Tensor) -> Any:
    """Compute and record an operation of one operand."""
    x = a._data
    p = a._node
    ans = compute(x)
    state = state_now()
    t = new(Tensor)
    t._data = ans
    if p is None or (state is not PLAIN and not state.grad):
        t._node = None
    elif type(ans) is float64 and op.elementwise:
        t._node = Node(op, tick(), (), float64, p, None, x, None, ans)
    else:
        plan = op.keeps[1]
        shape = p.shape if ans.shape == p.shape else ans.shape
        t._node = Node(
            op,
            tick(),
            shape,
            ans.dtype,
            p,
            None,
            x if plan and plan[0] else None,
            None,
            ans if plan and plan[2] else None,
        )
    if state is not PLAIN and state.noted:
        annotate(state, t, op, (a,), {})
    return t


def record2(op: Op, compute: Callable[..., Any], a: Any, b: Any) -> Any:
    """Compute and record an operation of two operands, of which at least one is a Tensor."""
    if type(a) is Tensor:
        x = a._data
        p = a._node
        if type(b) is Tensor:
            y = b._data
            q = b._node
        else:
            y = operand(b, x)
            q = None
    else:
        y = b._data
        q = b._node
        x = operand(a, y)
        p = None
    ans = compute(x, y)
    state = state_now()
    t = new(Tensor)
    t._data = ans
    if (p is None and q is None) or (state is not PLAIN and not state.grad):
        t._node = None
    else:
        t._node = n = new(Node)  # its __init__ written out: 0.1 us of 1.4 for a product, forward and backward
        n.op = op
        n.seq = tick()
        n.p = p
        n.q = q
        if type(ans) is float64 and op.elementwise:  # all scalars: keep them, they cost nothing
            n.shape = ()
            n.dtype = float64
            n.a = x
            n.b = y
            n.ans = ans
        else:
            shape = ans.shape  # one tuple for a run of equal shapes: the sweep compares identities first
            n.shape = (
                p.shape
                if p is not None and shape == p.shape
                else q.shape
                if q is not None and shape == q.shape
                else shape
            )
            n.dtype = ans.dtype
            plan = op.keeps[(p is not None) + 2 * (q is not None)]
            if plan is None:
                n.a = n.b = n.ans = None
            else:
                n.a = (x if p is not None or type(x) is not ndarray else captured(x, state)) if plan[0] else None
                n.b = (y if q is not None or type(y) is not ndarray else captured(y, state)) if plan[1] else None
                n.ans = ans if plan[2] else None
    if state is not PLAIN and state.noted:
        annotate(state, t, op, (a, b), {})
    return t


def record_wide1(op: Op, a: Tensor, kwargs: dict[str, Any]) -> Any:
    """Compute and record an operation of one array and metadata, all of it known to its rule: reductions, reshaping."""
    x = a._data
    p = a._node
    ans = op.compute(x, **kwargs)
    if op.aux:
        ans, aux = ans
        kwargs = {**kwargs, "aux": aux}
    if type(ans) is ndarray and not ans.shape:
        ans = ans[()]
    state = state_now()
    t = new(Tensor)
    t._data = ans
    if p is None or (state is not PLAIN and not state.grad):
        t._node = None
    else:
        (keep,), kans = op.plan(1, 1)
        dtype = float64 if type(ans) is float64 else ans.dtype
        t._node = Wide(
            op, tick(), ans.shape, dtype, (p,), (x if keep == "value" else None,), ans if kans else None, kwargs
        )
    if state is not PLAIN and state.noted:
        annotate(state, t, op, (a,), kwargs)
    return t


def record(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Compute and record any operation; `args` are its array arguments, `kwargs` its metadata."""
    values = tuple([a._data if type(a) is Tensor else plain(a) for a in args])
    kwargs = {k: v for k, v in kwargs.items() if v is not np._NoValue}
    ans = op.compute(*values, **kwargs)
    aux = {}
    if op.aux:
        ans, aux["aux"] = ans
    state = state_now()
    sources = tuple([a._node if type(a) is Tensor else None for a in args])
    mask = 0
    if state is PLAIN or state.grad:
        for i, s in enumerate(sources):
            if s is not None and (op.variadic or op.joint or op.pulls[i] is not None):
                mask |= 1 << i
    node: Any = None
    if mask:
        unknown = kwargs.keys() - op.metadata - SILENT
        if unknown:
            raise TypeError(f"the rule for {op.name} does not know the keyword {sorted(unknown)[0]!r}")
        kinds, kans = op.plan(mask, len(args))
        kept = tuple(
            [
                (captured(v, state) if s is None and type(v) is ndarray else v)
                if k == "value"
                else space_of(v)
                if k == "space" and s is None
                else None
                for k, v, s in zip(kinds, values, sources, strict=True)
            ]
        )
        if mask != (1 << len(args)) - 1:
            sources = tuple([s if mask >> i & 1 else None for i, s in enumerate(sources)])
        node = Wide(
            op, tick(), None, None, sources, kept, None, {k: v for k, v in kwargs.items() if k in op.metadata} | aux
        )
    t = _wrap_all(ans, node) if op.outputs else _wrap_one(ans, node)
    if node is not None and kans:
        node.ans = t._data if type(t) is Tensor else tuple(ans)
    if state is not PLAIN and state.noted:
        annotate(state, t, op, args, kwargs)
    return t


def _wrap_one(ans: Any, node: Any) -> Tensor:
    if type(ans) is ndarray and not ans.shape:
        ans = ans[()]
    t = new(Tensor)
    t._data = ans
    t._node = node if ans.dtype.kind in "fc" else None
    if node is not None:
        node.shape = ans.shape
        node.dtype = float64 if type(ans) is float64 else ans.dtype
    return t


def _wrap_all(ans: Any, node: Any) -> Any:
    ans = [np.asarray(y)[()] for y in ans] if not hasattr(ans, "_fields") else ans
    if node is not None:
        node.shape = tuple(np.shape(y) for y in ans)
        node.dtype = tuple(y.dtype for y in ans)
    results = [wrap(y, None if node is None or y.dtype.kind not in "fc" else Pick(node, k)) for k, y in enumerate(ans)]
    return type(ans)(*results) if hasattr(ans, "_fields") else tuple(results)


def wrap_results(op: Op, values: list[Any], sources: tuple[Node, ...], kwargs: dict[str, Any]) -> Any:
    """Return the results of an operation that has been computed by other means, standing on the tape as one node."""
    return _wrap_all(values, Wide(op, tick(), None, None, sources, (None,) * len(sources), None, kwargs))


def wrap(value: Any, node: Any) -> Any:
    """Return a Tensor of a value and its node: what a recorded walk sees of an operand. Untracked values stay plain."""
    if node is None:
        recorder = state_now().recorder
        return value if recorder is None or value is None else recorder.find(value)  # type: ignore[attr-defined]
    t = new(Tensor)
    t._data = value
    t._node = node
    return t


def tensor(value: Any, node: Any = None) -> Tensor:
    """Return a Tensor of a value and a node, without copying."""
    t = new(Tensor)
    t._data = value
    t._node = node
    return t


def operand(b: Any, x: Any) -> Any:
    """Return what stands beside the value `x` in an operation, as NumPy can use it fastest.

    A Python number beside an array becomes a 0-d array of the array's dtype, made once: 0.3 us less for each operation.
    """
    kind = type(b)
    if kind is float or kind is int:
        if type(x) is ndarray and b and x.dtype.kind in "fc":
            key = (b, x.dtype)
            found = _constants.get(key)
            if found is None:
                if len(_constants) >= CONSTANT_LIMIT:
                    _constants.clear()
                found = _constants[key] = np.array(b, x.dtype)
                found.flags.writeable = False
            return found
        return b
    if kind is ndarray and b.dtype is not _OBJECT:
        return b
    return plain(b)


_OBJECT = np.dtype(object)


def plain(a: Any) -> Any:
    """Return a plain NumPy value, refusing what would become an array of objects."""
    if isinstance(a, np.generic | bool | int | float | complex):
        return a
    if isinstance(a, Tensor):
        return a._data
    found = np.asarray(a)
    if found.dtype == object and not isinstance(a, list | tuple | ndarray):
        raise TypeError(f"a {type(a).__name__} is neither a number nor an array")
    if found.dtype == object:
        raise TypeError(
            f"{type(a).__name__} holds Python objects, not numbers; join Tensors with np.stack([...]) or np.concatenate([...])"
        )
    return found if found.shape else found[()]


def captured(a: Any, state: Any) -> Any:
    """Return an untracked array as the tape may keep it: a copy of a small one, so that later changes do no harm."""
    return a.copy() if a.nbytes <= SMALL and state.recorder is None else a


# ----------------------------------------------------------------------------------------------------------------------
# NumPy's protocols
# ----------------------------------------------------------------------------------------------------------------------


def call(fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Apply a NumPy function to arguments with Tensors among them."""
    op = RULES.get(fn)
    if op is not None:
        return (
            record(op, *bind(op, args, kwargs)) if op.wide or kwargs or len(args) != len(op.args) else narrow(op, args)
        )
    body = COMPOSITES.get(fn)
    if body is not None:
        return body(*args, **kwargs)
    if fn in CONSTANTS:
        return call_constant(fn, args, kwargs)
    if fn in REFUSED:
        raise TypeError(f"{title(fn)} is refused for Tensors: {REFUSED[fn]}")
    raise TypeError(no_rule(fn))


def narrow(op: Op, args: tuple[Any, ...]) -> Any:
    """Record a narrow operation called by its function."""
    if len(args) == 2:
        if op.fn in ops.elementwise.WITH_NUMBER:
            return extreme(op, *args)
        return record2(op, op.compute, *args) if any(type(a) is Tensor for a in args) else op.compute(*args)
    return record1(op, op.compute, args[0])


def extreme(op: Op, a: Any, b: Any) -> Any:
    """Record the larger or the smaller of two; beside a constant number only the result has to be kept."""
    if type(b) is not Tensor:
        a, b = b, a
    if type(a) is not Tensor and np.ndim(a) == 0 and type(b._data) is ndarray and state_now().recorder is None:
        return record_wide1(ops.elementwise.WITH_NUMBER[op.fn], b, {"bound": operand(a, b._data)})
    return record2(op, op.fn, a, b)


def call_constant(fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Apply a function without gradient to plain values; under a recorder it stands on the tape."""
    ans = fn(*_strip(args), **{k: _strip(v) for k, v in kwargs.items()})
    state = state_now()
    if state is not PLAIN and state.recorder is not None and isinstance(ans, ndarray | np.generic):
        t = tensor(ans)
        state.recorder.record(fn, args, kwargs, t)
        return t
    return ans


def _strip(a: Any) -> Any:
    """Return a structure of arguments with the values of its Tensors."""
    if type(a) is Tensor:
        return a._data
    if isinstance(a, list | tuple):
        parts = [_strip(v) for v in a]
        return type(a)(*parts) if hasattr(a, "_fields") else type(a)(parts)
    return a


def bind(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Sort NumPy's arguments into arrays, by position, and metadata, by name."""
    if op.variadic:
        params = op.parameters()
        arrays = tuple(args[0]) if args else tuple(kwargs[params[0]])
        kwargs = {k: v for k, v in kwargs.items() if k != params[0]} | dict(zip(params[1:], args[1:], strict=False))
        return _without_out(op, arrays, kwargs)
    n = len(op.args)
    if len(args) != n:
        params = op.parameters()
        if len(args) > len(params):
            raise TypeError(f"{title(op.fn)} takes at most {len(params)} positional arguments, {len(args)} were given")
        kwargs = kwargs | dict(zip(params[n:], args[n:], strict=False))
        args = args[:n] + tuple(kwargs.pop(p) for p in params[len(args) : n] if p in kwargs)
        if len(args) < n:
            raise TypeError(f"{title(op.fn)} takes {n} arrays, {len(args)} were given")
    return _without_out(op, args, kwargs)


def _without_out(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if kwargs.get("out") is not None:
        raise TypeError(f"{title(op.fn)} with out= is refused for Tensors: write y[...] = {op.name}(...) instead")
    kwargs = dict(kwargs)
    kwargs.pop("out", None)
    return args, kwargs


def title(fn: Any) -> str:
    """Return the name under which a person knows a function."""
    name = getattr(fn, "__name__", repr(fn))
    module = getattr(fn, "__module__", "") or ""
    return (
        f"np{module[5:]}.{name}" if module.startswith("numpy") else "np." + name if isinstance(fn, np.ufunc) else name
    )


def no_rule(fn: Any) -> str:
    """Return the sentence for a function that has no rule."""
    import difflib

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
    out = kwargs.pop("out", None)
    out = out[0] if isinstance(out, tuple) and len(out) == 1 else out
    if isinstance(out, tuple):
        raise TypeError(f"np.{ufunc.__name__} with several out= arrays is refused for Tensors")
    where = kwargs.pop("where", True)
    if method == "__call__":
        if where is not True and ufunc not in CONSTANTS:
            ans = _call_where(ufunc, inputs, where, out, kwargs)
        else:
            ans = _call_plain(ufunc, inputs, kwargs, where)
    else:
        if method == "at":
            return _ufunc_at(ufunc, *inputs)
        if where is not True:
            kwargs["where"] = where
        ans = ops.ufunc_method(ufunc, method, inputs, kwargs)
    if out is None:
        return ans
    if not isinstance(out, Tensor):
        if isinstance(ans, Tensor) and ans._node is not None:
            raise TypeError(
                f"np.{ufunc.__name__} with out= would write a tracked result into a plain array and lose its gradient; "
                f"pass a Tensor as out=, or write out = np.{ufunc.__name__}(...)"
            )
        out[...] = plain(ans)
        return out
    out[...] = ans
    return out


def _call_plain(ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any], where: Any = True) -> Any:
    op = RULES.get(ufunc)
    if op is None:
        if ufunc in CONSTANTS and where is not True:
            kwargs = kwargs | {"where": where}
        return call(ufunc, inputs, kwargs)
    if op.wide or op.outputs:
        return record(op, inputs, kwargs)
    if not any(type(a) is Tensor for a in inputs):  # only out= is a Tensor
        return ufunc(*inputs, **kwargs)
    compute = (lambda *a: ufunc(*a, **kwargs)) if kwargs else ufunc
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


def _ufunc_at(ufunc: np.ufunc, t: Any, index: Any, value: Any) -> None:
    """Apply ``np.add.at(t, index, value)``: repeated indices accumulate."""
    if ufunc not in (np.add, np.subtract) or not isinstance(t, Tensor):
        raise TypeError(
            f"np.{ufunc.__name__}.at is refused for Tensors, but for np.add.at(t, ...) and np.subtract.at(t, ...) with a Tensor t"
        )
    where = plain_index(index)
    shape = np.shape(t._data[where])
    t._become(ufunc(t, ops.index.scatter(np.broadcast_to(value, shape), index=where, shape=t.shape)))


# ----------------------------------------------------------------------------------------------------------------------
# The Tensor
# ----------------------------------------------------------------------------------------------------------------------


def _binary(fn: np.ufunc, compute: Callable[..., Any]) -> tuple[Any, Any]:
    op = RULES[fn]

    def forward(self: Tensor, other: Any) -> Any:
        return record2(op, compute, self, other)

    def reflected(self: Tensor, other: Any) -> Any:
        return record2(op, compute, other, self)

    return forward, reflected


def _constant_binary(fn: np.ufunc) -> Any:
    def method(self: Tensor, other: Any) -> Any:
        return call_constant(fn, (self, other), {})

    return method


def _inplace(compute: Callable[..., Any]) -> Any:
    def method(self: Tensor, other: Any) -> Tensor:
        self._become(compute(self, other))
        return self

    return method


class Tensor:
    """A NumPy array or scalar that remembers how it was made.

    Parameters
    ----------
    data : array_like
        Values; they are copied. A Python number or a 0-d array becomes a NumPy scalar.
    requires_grad : bool, optional
        Is a gradient wanted? By default for floats and complex numbers.
    dtype : dtype, optional
    name : str, optional
        Shown by `repr`, in pictures and in messages.

    Examples
    --------
    >>> import numpy as np
    >>> x = Tensor([1.0, 2.0, 3.0])
    >>> y = np.sum(x**2)
    >>> y.backward()
    >>> x.grad
    array([2., 4., 6.])
    """

    __slots__ = ("__weakref__", "_data", "_node")

    _data: Any
    _node: Any

    def __init__(
        self, data: Any, *, requires_grad: bool | None = None, dtype: Any = None, name: str | None = None
    ) -> None:
        if isinstance(data, Tensor) and data._node is not None:
            raise TypeError(
                "Tensor(t) of a tracked Tensor would lose its gradient: write t.copy() to stay connected, t.detach() not to"
            )
        value = np.array(_strip(data) if isinstance(data, Tensor) else data, dtype=dtype)
        kind = value.dtype.kind
        if kind not in "biufc":
            raise TypeError(
                f"a Tensor holds numbers, {type(data).__name__} gave dtype {value.dtype}; join Tensors with np.stack([...])"
            )
        if requires_grad and kind not in "fc":
            raise TypeError(
                f"requires_grad needs floats or complex numbers, not {value.dtype}: write Tensor(data, dtype=float)"
            )
        self._data = value if value.shape else value[()]
        tracked = kind in "fc" if requires_grad is None else requires_grad
        self._node = Leaf(value.shape, _dtype_key(self._data), name) if tracked else None

    # --- what it is -----------------------------------------------------------------------------------------------

    @property
    def data(self) -> Any:
        """The values, as NumPy has them. A leaf's may be written into; a recorded Tensor's are read-only."""
        value = self._data
        if self._node is not None and self._node.op is not None and type(value) is ndarray:
            value = value.view()
            value.flags.writeable = False
        return value

    @data.setter
    def data(self, value: Any) -> None:
        if value is not self._data:
            self.assign(value)
        elif self._node is not None:
            self._node.updated = tick()

    def assign(self, value: Any) -> Tensor:
        """Give a leaf new values of the same shape, in its own dtype; graphs recorded from it before become stale."""
        node = self._node
        if node is not None and node.op is not None:
            raise GraphError(
                f"only a leaf takes new values; this Tensor is the result of {node.op.name}: use t.detach()"
            )
        value = plain(value)
        if np.shape(value) != self.shape:
            raise ValueError(f"cannot assign values of shape {np.shape(value)} to a Tensor of shape {self.shape}")
        if np.asarray(value).dtype.kind == "c" and self.dtype.kind != "c":
            raise TypeError(f"cannot assign complex values to a Tensor of dtype {self.dtype}")
        if type(self._data) is ndarray and self._data.flags.writeable:
            self._data[...] = value
        else:
            self._data = np.array(value, self.dtype)[()]
        if node is not None:
            node.updated = tick()
        return self

    @property
    def requires_grad(self) -> bool:
        """Is a gradient wanted through this Tensor? May be set on a leaf."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted == (self._node is not None):
            return
        if not wanted:
            if self._node.op is not None:
                raise GraphError("requires_grad can be switched off on leaves only; use t.detach()")
            self._node = None
        elif self.dtype.kind not in "fc":
            raise TypeError(f"requires_grad needs floats or complex numbers, not {self.dtype}: write t.astype(float)")
        else:
            self._node = Leaf(self.shape, _dtype_key(self._data))

    @property
    def is_leaf(self) -> bool:
        """Is this Tensor made by the user rather than by an operation?"""
        return self._node is None or self._node.op is None

    @property
    def grad(self) -> Any:
        """The gradient accumulated by `backward`, None before; only leaves have one."""
        return self._node.grad if type(self._node) is Leaf else None

    @grad.setter
    def grad(self, value: Any) -> None:
        if type(self._node) is not Leaf:
            raise GraphError("only a tracked leaf has a gradient to set")
        if value is not None:
            value = plain(value)
            if np.shape(value) != self.shape:
                raise ValueError(f"a gradient of shape {np.shape(value)} for a Tensor of shape {self.shape}")
            value = np.asarray(value, self.dtype)[()]
        self._node.grad = value

    @property
    def name(self) -> str | None:
        """A name for messages and pictures."""
        node = self._node
        return node.name if type(node) is Leaf else getattr(getattr(node, "note", None), "name", None)

    @name.setter
    def name(self, name: str | None) -> None:
        if type(self._node) is Leaf:
            self._node.name = name
        elif self._node is not None:
            annotate(state_now(), self, None, (), {}, name=name)
        else:
            raise GraphError("an untracked Tensor has no place on the tape, hence no name")

    @property
    def scope(self) -> tuple[str, ...]:
        """The path of scopes in which this Tensor was computed."""
        return getattr(getattr(self._node, "note", None), "scope", ())

    # --- walking --------------------------------------------------------------------------------------------------

    def backward(self, gradient: Any = None, *, retain_graph: bool = False) -> None:
        """Add the gradient of this Tensor to the `grad` of every leaf it was computed from.

        Parameters
        ----------
        gradient : array_like, optional
            Cotangent of this Tensor; may be left out for a scalar, where it is 1.
        retain_graph : bool
            Keep what is needed to walk the same graph again.
        """
        node = self._node
        if node is None:
            raise GraphError(
                "backward() from a Tensor that depends on no tracked Tensor: was it computed under no_grad() or from .data?"
            )
        state = state_now()
        live = state.recorder is not None
        seed = _seed(self, gradient)
        found = pull_back({node: seed}, wrap=wrap if live else None, free=not (retain_graph or live))
        _accumulate(found, live)

    def detach(self) -> Tensor:
        """Return an untracked Tensor with the same values (shared, read-only)."""
        return tensor(self.data if self.is_leaf is False else self._data)

    def item(self, *args: Any) -> Any:
        """Return the value of a Tensor with one entry as a Python number."""
        return self._data.item(*args)

    def numpy(self) -> Any:
        """Return a copy of the values as an ndarray."""
        return np.array(self._data)

    def tolist(self) -> Any:
        """Return the values as Python numbers in nested lists."""
        return self._data.tolist()

    # --- changing in place ----------------------------------------------------------------------------------------

    def _become(self, other: Any) -> None:
        """Take over the value and the node of a result, as an in-place operation does."""
        if type(self._node) is Leaf:
            if state_now().grad:
                raise GraphError(
                    f"in-place change of {self._label()}, a leaf: its gradient would be lost. To update a parameter write p.data -= ... or "
                    f"p.assign(...); to compute, start from y = x.copy()"
                )
            self.assign(other)
            return
        value = other._data if type(other) is Tensor else plain(other)
        if np.shape(value) != self.shape:
            raise ValueError(f"an in-place operation cannot turn shape {self.shape} into {np.shape(value)}")
        if value.dtype != self.dtype:
            if not np.can_cast(value.dtype, self.dtype, "same_kind"):
                raise TypeError(f"an in-place operation cannot turn {self.dtype} into {value.dtype}")
            other = np.astype(other, self.dtype) if type(other) is Tensor else value.astype(self.dtype)
            value = other._data if type(other) is Tensor else other
        self._data = value
        self._node = other._node if type(other) is Tensor else None

    def __setitem__(self, index: Any, value: Any) -> None:
        """Assign into a copy that takes the place of the old value; into the old one itself if nobody else can see it."""
        node, old, state = self._node, self._data, state_now()
        self._refuse_assignment(state)
        where = plain_index(index)
        source = value._node if type(value) is Tensor and state.grad else None
        given = plain(value)
        if np.asarray(given).dtype.kind == "c" and old.dtype.kind != "c":
            raise TypeError(f"cannot assign complex values into a Tensor of dtype {old.dtype}")
        if type(old) is not ndarray:
            old = np.array(old)
        elif not (old.base is None and old.flags.writeable and _getrefcount(old) <= _ALONE):
            old = old.copy()
        old[where] = given
        self._data = old if old.shape else old[()]
        if type(node) is Leaf:
            node.updated = tick()
        elif node is not None or source is not None:
            space = None if source is not None else space_of(given)
            self._node = Wide(
                SETITEM,
                tick(),
                old.shape,
                _dtype_key(self._data),
                (node, source),
                (None, space),
                None,
                {"index": where},
            )
        if state is not PLAIN and state.noted:
            annotate(state, self, SETITEM, (self, value), {"index": index})

    def _refuse_assignment(self, state: Any) -> None:
        """Raise where an assignment would do less, or more, than NumPy's."""
        node = self._node
        if node is None or node.op is not None:
            if node is not None and not state.grad:
                raise GraphError(
                    f"assignment into the result of {node.op.name} under no_grad() would lose its gradient: use t.detach().copy()"
                )
            if type(self._data) is ndarray and self._data.base is not None and (node is None or node.op.carries):
                raise GraphError(
                    "assignment through a view would not reach the Tensor it was taken from, as it would in NumPy: write "
                    "y[index] = value on the Tensor itself, or v = v.copy() first if only the view shall change"
                )
        elif state.grad:
            raise GraphError(
                f"assignment into {self._label()}, a leaf: its gradient would be lost. Start from y = x.copy(), build in "
                f"y = Tensor(np.zeros(shape), requires_grad=False), or update a parameter by p.data[index] = ... or p.assign(...)"
            )

    def fill(self, value: Any) -> None:
        """Set every entry."""
        self[...] = value

    def sort(self, axis: int = -1, **kwargs: Any) -> None:
        """Sort in place."""
        self._become(np.sort(self, axis, **kwargs))

    def _label(self) -> str:
        return f"{self.name!r}" if self.name else f"a Tensor of shape {self.shape}"

    # --- Python's protocols ---------------------------------------------------------------------------------------

    __add__, __radd__ = _binary(np.add, operator.add)
    __sub__, __rsub__ = _binary(np.subtract, operator.sub)
    __mul__, __rmul__ = _binary(np.multiply, operator.mul)
    __truediv__, __rtruediv__ = _binary(np.true_divide, operator.truediv)
    __mod__, __rmod__ = _binary(np.remainder, operator.mod)
    __matmul__, __rmatmul__ = _binary(np.matmul, ops.products.matmul)
    _power, __rpow__ = _binary(np.power, operator.pow)

    def __pow__(self, other: Any) -> Any:
        if type(other) is not Tensor and type(other) in (int, float) and other == 2:
            return record1(RULES[np.square], _square, self)
        return self._power(other)

    def __floordiv__(self, other: Any) -> Any:
        return np.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return np.floor_divide(other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __neg__(self) -> Any:
        return record1(RULES[np.negative], operator.neg, self)

    def __pos__(self) -> Any:
        return record1(RULES[np.positive], operator.pos, self)

    def __abs__(self) -> Any:
        return record1(RULES[np.absolute], abs, self)

    __iadd__ = _inplace(operator.add)
    __isub__ = _inplace(operator.sub)
    __imul__ = _inplace(operator.mul)
    __itruediv__ = _inplace(operator.truediv)
    __ipow__ = _inplace(operator.pow)
    __imatmul__ = _inplace(operator.matmul)
    __imod__ = _inplace(operator.mod)
    __ifloordiv__ = _inplace(operator.floordiv)

    __lt__ = _constant_binary(np.less)
    __le__ = _constant_binary(np.less_equal)
    __gt__ = _constant_binary(np.greater)
    __ge__ = _constant_binary(np.greater_equal)
    __eq__ = _constant_binary(np.equal)
    __ne__ = _constant_binary(np.not_equal)
    __and__ = __rand__ = _constant_binary(np.bitwise_and)
    __or__ = __ror__ = _constant_binary(np.bitwise_or)
    __xor__ = __rxor__ = _constant_binary(np.bitwise_xor)
    __hash__ = object.__hash__

    def __invert__(self) -> Any:
        return call_constant(np.invert, (self,), {})

    def __getitem__(self, index: Any) -> Any:
        where = index if type(index) is int or type(index) is slice else plain_index(index)
        ans = self._data[where]
        node, state = self._node, state_now()
        t = new(Tensor)
        t._data = ans
        if node is None or (state is not PLAIN and not state.grad):
            t._node = None
        else:
            t._node = Wide(
                GETITEM,
                tick(),
                ans.shape,
                float64 if type(ans) is float64 else ans.dtype,
                (node,),
                (None,),
                None,
                {"index": where},
            )
        if state is not PLAIN and state.noted:
            annotate(state, t, GETITEM, (self,), {"index": index})
        return t

    def __len__(self) -> int:
        if type(self._data) is not ndarray:
            raise TypeError("len() of a Tensor without axes")
        return len(self._data)

    def __iter__(self) -> Iterator[Any]:
        if type(self._data) is not ndarray:
            raise TypeError("iteration over a Tensor without axes")
        return (self[i] for i in range(len(self._data)))

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(plain(value) == self._data))

    def __bool__(self) -> bool:
        self._not_recorded("bool")
        return bool(self._data)

    def _not_recorded(self, what: str) -> None:
        if (recorder := state_now().recorder) is not None:
            raise GraphError(
                f"{what}() of a Tensor under {type(recorder).__name__}: its value would be baked into what is recorded"
            )

    def _refuse_detaching(self, what: str) -> None:
        self._not_recorded(what)
        if self._node is not None:
            raise TypeError(
                f"{what} of a tracked Tensor would silently lose its gradient; use .item() for a Python number, .data for the array, "
                f".detach() for an untracked Tensor"
            )

    def __float__(self) -> float:
        self._refuse_detaching("float()")
        return float(self._data)

    def __int__(self) -> int:
        self._refuse_detaching("int()")
        return int(self._data)

    def __complex__(self) -> complex:
        self._refuse_detaching("complex()")
        return complex(self._data)

    def __index__(self) -> int:
        self._refuse_detaching("index()")
        return operator.index(self._data)

    def __round__(self, digits: int = 0) -> Any:
        return np.round(self, digits)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._refuse_detaching("np.asarray()")
        return np.array(self._data, dtype, copy=copy)

    def __dlpack__(self, **kwargs: Any) -> Any:
        self._refuse_detaching("DLPack")
        return np.asarray(self._data).__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return np.asarray(self._data).__dlpack_device__()

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec and type(self._data) is not ndarray else format(str(self._data), spec)

    def __str__(self) -> str:
        return str(self._data)

    def __repr__(self) -> str:
        body = (
            np.array2string(np.asarray(self._data), separator=", ", prefix="Tensor(")
            if np.ndim(self._data)
            else str(self._data)
        )
        rest = []
        if self.dtype not in (np.float64, np.complex128, np.bool_, np.int64):
            rest.append(f"dtype={self.dtype}")
        if self.name:
            rest.append(f"name={self.name!r}")
        if self._node is None and self.dtype.kind in "fc":
            rest.append("requires_grad=False")
        if self._node is not None and self._node.op is not None:
            rest.append(f"op={self._node.op.name}")
        return f"Tensor({', '.join([body, *rest])})"

    def __copy__(self) -> Tensor:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: Any) -> Tensor:
        value = self._data.copy() if type(self._data) is ndarray else self._data
        if type(self._node) is Leaf:
            twin = tensor(value, Leaf(self._node.shape, self._node.dtype, self._node.name))
            twin._node.grad = None if self.grad is None else self.grad.copy()
            return twin
        return tensor(value, self._node)

    def __reduce__(self) -> Any:
        if self._node is not None and self._node.op is not None:
            raise TypeError(
                f"the result of {self._node.op.name} cannot be pickled with its graph; pickle t.detach() or t.data"
            )
        return _restore, (np.asarray(self._data), self.requires_grad, self.name, self.grad)

    # --- NumPy's protocols ----------------------------------------------------------------------------------------

    __array_priority__ = 1000

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            op = RULES.get(ufunc)
            if op is not None and not op.wide:
                if len(inputs) == 1:
                    return record1(op, op.compute, inputs[0])
                if not op.selects:
                    return record2(op, op.compute, inputs[0], inputs[1])
                return narrow(op, inputs)
        return call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, fn: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if len(types) > 1 and any(kind is not Tensor and not issubclass(kind, ndarray) for kind in types):
            return NotImplemented
        body = COMPOSITES.get(fn)
        return call(fn, args, kwargs) if body is None else body(*args, **kwargs)

    # --- ndarray's attributes and methods: those without a line of their own are made below --------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self._data.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """Type of the entries."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._data.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._data.size  # type: ignore[no-any-return]

    @property
    def T(self) -> Any:  # noqa: N802  (NumPy's name)
        """The axes in reverse order."""
        return np.transpose(self)

    @property
    def mT(self) -> Any:  # noqa: N802  (NumPy's name)
        """The last two axes swapped."""
        return np.matrix_transpose(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return np.imag(self)

    @property
    def flat(self) -> Any:
        """An iterator over the entries."""
        return iter(self.ravel())

    def reshape(self, *shape: Any, order: Any = "C", copy: Any = None) -> Any:
        """Return the entries in another shape."""
        return record(RULES[np.reshape], (self,), {"shape": shape[0] if len(shape) == 1 else shape, "order": order})

    def transpose(self, *axes: Any) -> Any:
        """Return the axes in another order."""
        return np.transpose(self, None if not axes or axes[0] is None else axes[0] if len(axes) == 1 else axes)

    def flatten(self, order: Any = "C") -> Any:
        """Return a copy with one axis."""
        return np.ravel(self, order=order).copy()

    def copy(self, order: Any = "C") -> Any:
        """Return a recorded copy."""
        return np.copy(self, order=order)

    def astype(self, dtype: Any, *_: Any, **__: Any) -> Any:
        """Return the entries in another dtype; the gradient comes back in this one."""
        return np.astype(self, np.dtype(dtype))

    def conj(self) -> Any:
        """Return the complex conjugate."""
        return np.conjugate(self)

    conjugate = conj

    def resize(self, *_: Any, **__: Any) -> None:
        """Refuse: a value does not change its shape."""
        raise TypeError("t.resize(...) is refused for Tensors: write np.resize(t, shape)")


def _square(x: Any) -> Any:
    return x**2


def _method(name: str) -> Any:
    fn = getattr(np, name)

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return call(fn, (self, *args), kwargs)

    method.__name__ = name
    method.__doc__ = f"See `numpy.{name}`."
    return method


for _name in (
    "all any argmax argmin argpartition argsort choose clip cumprod cumsum diagonal dot max mean min nonzero prod ravel "
    "repeat round searchsorted squeeze std sum swapaxes take trace var"
).split():
    setattr(Tensor, _name, _method(_name))


def _attribute(name: str) -> Any:
    return property(lambda self: getattr(self._data, name), doc=f"See `numpy.ndarray.{name}`.")


for _name in ("nbytes", "itemsize", "strides", "flags", "device"):
    setattr(Tensor, _name, _attribute(_name))


def _compress(self: Tensor, condition: Any, axis: int | None = None) -> Any:
    """See `numpy.compress`."""
    return np.compress(condition, self, axis=axis)


Tensor.compress = _compress  # type: ignore[attr-defined]


def _dtype_key(value: Any) -> Any:
    return float64 if type(value) is float64 else value.dtype


def _restore(value: Any, requires_grad: bool, name: str | None, grad: Any) -> Tensor:
    t = Tensor(value, requires_grad=requires_grad, name=name if requires_grad else None)
    if grad is not None:
        t.grad = grad
    return t


def _seed(t: Tensor, gradient: Any) -> Any:
    """Return the cotangent from which backward() starts."""
    value = t._data
    if gradient is None:
        if value.size != 1:
            raise ValueError(
                f"backward() of a Tensor of shape {t.shape} needs gradient=, an array of that shape; or reduce it first, for example with np.sum"
            )
        return float64(1.0) if type(value) is float64 else np.ones(value.shape, value.dtype)[()]
    gradient = gradient if type(gradient) is Tensor else plain(gradient)
    if np.shape(gradient) != t.shape:
        raise ValueError(
            f"backward() of a Tensor of shape {t.shape} was given a gradient of shape {np.shape(gradient)}"
        )
    if type(gradient) is Tensor and state_now().recorder is not None:
        return gradient
    given = plain(gradient)
    if np.asarray(given).dtype.kind not in ("fiub" if value.dtype.kind == "f" else "fiubc"):
        raise TypeError(
            f"backward() of a Tensor of dtype {t.dtype} was given a gradient of dtype {np.asarray(given).dtype}"
        )
    return np.array(given, value.dtype)[()]


def _accumulate(found: dict[Any, Any], live: bool) -> None:
    """Add the cotangents found to the leaves; nothing has been changed before, so an error has cost nothing."""
    taken: set[int] = set()
    for leaf, g in found.items():
        if live:
            g = tensor(g._data) if type(g) is Tensor else g
        elif leaf.grad is not None:
            g = leaf.grad + g
        elif type(g) is ndarray and (g.base is not None or id(g) in taken):
            g = g.copy()  # a view, or the same array for two leaves: y = a + b
        taken.add(id(g))
        leaf.grad = g


_getrefcount = getattr(sys, "getrefcount", lambda _: 1000)
_ALONE = 3  # the Tensor's slot, the local name, getrefcount's own argument
GETITEM, SETITEM = ops.index.GETITEM, ops.index.SETITEM


def _record_primitive(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if len(args) == 1 and not op.outputs and not op.joint and kwargs.keys() <= op.metadata:
        return record_wide1(op, args[0], kwargs)
    return record(op, args, kwargs)


Door.kind, Door.record = Tensor, staticmethod(_record_primitive)


def plain_index(index: Any) -> Any:
    """Return an index without Tensors, lists or arrays that somebody could change later."""
    if type(index) is tuple:
        return tuple([plain_index(i) for i in index])
    if type(index) is Tensor:
        index = index._data
    if type(index) is list:
        index = np.asarray(index) if index else np.zeros(0, int)
    if type(index) is ndarray:
        if index.dtype.kind not in "iub":
            raise IndexError(f"an index must be integers or booleans, not {index.dtype}")
        return index.copy() if index.nbytes <= SMALL else index
    return index
