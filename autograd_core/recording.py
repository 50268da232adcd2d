"""Recording: from an operation and its operands to a result and its node. Every recorded operation passes here.

`record1` and `record2` (one and two operands, no metadata) are the hot path and written out; `record` takes everything
else. The class of results, `Tensor`, is defined two floors up and hands itself in when it is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .nodes import Node, Pick, Wide, tick
from .notes import annotate
from .rules import SILENT, Op
from .spaces import space_of
from .state import PLAIN, STATE

Tensor: Any = None  # see above
ARRAYS: set[Any] = set()  # Tensor and ndarray, as soon as there is a Tensor
float64 = np.float64
ndarray = np.ndarray
state_now = STATE.get
new = object.__new__
SMALL = 4096  # bytes up to which a plain array that the tape keeps is copied: 0.2 us, against a silently wrong gradient
CONSTANT_LIMIT = 1000  # entries in the table of 0-d constants before it starts afresh

_constants: dict[tuple[Any, Any], Any] = {}
_OBJECT = np.dtype(object)
NUMBERS = (np.generic, bool, int, float, complex)  # a tuple: a union of types would be built anew at every call
ALONE, NOTHING_KEPT = (1, 1), (None,)  # the plan of an operation of one array, and what most of them keep
NO_METADATA: dict[str, Any] = {}  # shared by all nodes without; nobody writes into it


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
            y = operand(b, x) if op.weak else plain(b)
            q = None
    else:
        y = b._data
        q = b._node
        x = operand(a, y) if op.weak else plain(a)
        p = None
    ans = compute(x, y)
    if op.blind:  # arguments without a pullback
        p = None if op.blind & 1 else p
        q = None if op.blind & 2 else q
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


def record3(op: Op, a: Any, b: Any, c: Any) -> Any:
    """Compute and record a primitive of three operands, of which at least one is a Tensor."""
    x, p = (a._data, a._node) if type(a) is Tensor else (plain(a), None)
    y, q = (b._data, b._node) if type(b) is Tensor else (plain(b), None)
    z, r = (c._data, c._node) if type(c) is Tensor else (plain(c), None)
    ans = op.compute(x, y, z)
    state = state_now()
    t = new(Tensor)
    t._data = ans
    mask = ((p is not None) + 2 * (q is not None) + 4 * (r is not None)) & ~op.blind
    if not mask or (state is not PLAIN and not state.grad):
        t._node = None
    else:
        plan = op.keeps[mask]
        kept: Any = (None, None, None)
        if plan is not None:
            kept = (
                (x if p is not None or type(x) is not ndarray else captured(x, state)) if plan[0] else None,
                (y if q is not None or type(y) is not ndarray else captured(y, state)) if plan[1] else None,
                (z if r is not None or type(z) is not ndarray else captured(z, state)) if plan[2] else None,
            )
        t._node = n = new(Wide)
        n.op = op
        n.seq = tick()
        n.shape = ans.shape
        n.dtype = float64 if type(ans) is float64 else ans.dtype
        n.sources = (p if mask & 1 else None, q if mask & 2 else None, r if mask & 4 else None)
        n.args = kept
        n.ans = ans if plan is not None and plan[3] else None
        n.kwargs = NO_METADATA
    if state is not PLAIN and state.noted:
        annotate(state, t, op, (a, b, c), {})
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
        by_value, _, kans = op.plans.get(ALONE) or op.plan(1, 1)
        t._node = n = new(Wide)
        n.op = op
        n.seq = tick()
        n.shape = ans.shape
        n.dtype = float64 if type(ans) is float64 else ans.dtype
        n.sources = (p,)
        n.args = (x,) if by_value else NOTHING_KEPT
        n.ans = ans if kans else None
        n.kwargs = kwargs
    if state is not PLAIN and state.noted:
        annotate(state, t, op, (a,), kwargs)
    return t


def record(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Compute and record any operation as NumPy was asked for it: with keywords that its rule need not know."""
    given = {k: v for k, v in kwargs.items() if v is not np._NoValue}
    kwargs = {k: metadatum(op, k, v) for k, v in given.items()}
    unknown = kwargs.keys() - op.metadata - SILENT
    if unknown and any(type(a) is Tensor and a._node is not None for a in args):
        raise TypeError(f"the rule for {op.name} does not know the keyword {sorted(unknown)[0]!r}")
    if kwargs.keys() <= op.metadata:
        return record_wide(op, args, kwargs, kwargs, given)
    return record_wide(op, args, kwargs, {k: v for k, v in kwargs.items() if k in op.metadata}, given)


def record_wide(
    op: Op, args: tuple[Any, ...], kwargs: dict[str, Any], metadata: dict[str, Any], given: Any = None
) -> Any:
    """Compute with `kwargs`; record with `metadata`, the part of them that the rule names; `given` is what came."""
    values: list[Any] = []
    sources: list[Node | None] = []
    mask, bit = 0, 1
    for a in args:
        if type(a) is Tensor:
            values.append(a._data)
            sources.append(a._node)
            if a._node is not None:
                mask |= bit
        else:
            values.append(a if type(a) is ndarray and a.dtype is not _OBJECT else plain(a))
            sources.append(None)
        bit <<= 1
    ans = op.compute(*values, **kwargs)
    if op.aux:
        ans, aux = ans
        metadata = {**metadata, "aux": aux}
    state = state_now()
    if op.blind & mask:  # arguments without a pullback
        mask &= ~op.blind
        sources = [s if mask >> i & 1 else None for i, s in enumerate(sources)]
    node: Any = None
    if mask and (state is PLAIN or state.grad):
        by_value, by_space, kans = op.plans.get((mask, len(args))) or op.plan(mask, len(args))
        kept: list[Any] = [None] * len(args)
        for i in by_value:
            v = values[i]
            kept[i] = v if type(v) is not ndarray or sources[i] is not None else captured(v, state)
        for i in by_space:
            kept[i] = space_of(values[i])
        node = new(Wide)
        node.op = op
        node.seq = tick()
        node.sources = tuple(sources)
        node.args = tuple(kept)
        node.ans = ans if kans else None
        node.kwargs = metadata
    t = _wrap_all(ans, node) if op.outputs else _wrap_one(ans, node)
    if state is not PLAIN and state.noted:
        annotate(state, t, op, args, kwargs if given is None else given)
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
    if not hasattr(ans, "_fields"):
        ans = [y if type(y) is ndarray and y.shape else np.asarray(y)[()] for y in ans]
    if node is not None:
        node.shape = tuple(np.shape(y) for y in ans)
        node.dtype = tuple(y.dtype for y in ans)
    make = wrap if state_now().recorder is None else tensor  # a recorder wants to see untracked results, too
    results = [make(y, None if node is None or y.dtype.kind not in "fc" else Pick(node, k)) for k, y in enumerate(ans)]
    return type(ans)(*results) if hasattr(ans, "_fields") else tuple(results)


def record_primitive(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Record a primitive of ours, called with all of its arrays by position and all of its metadata by name."""
    if op.direct and not kwargs:
        if len(args) == 3:
            return record3(op, *args)
        return record2(op, op.compute, *args) if len(args) == 2 else record1(op, op.compute, *args)
    for k, v in kwargs.items():
        if k not in op.metadata or type(v) in ARRAYS or (type(v) is tuple and k == "index"):  # with Tensors in it
            return record(op, args, kwargs)
    if len(args) == 1 and type(args[0]) is Tensor and not op.outputs and not op.joint:
        return record_wide1(op, args[0], kwargs)
    return record_wide(op, args, kwargs, kwargs)


def metadatum(op: Op, name: str, value: Any) -> Any:
    """Return metadata as the tape may keep it; a tracked Tensor cannot be metadata, since nothing flows into that."""
    if type(value) is tuple and any(type(v) is Tensor for v in value):
        return tuple([metadatum(op, name, v) for v in value])  # an index under a recorder
    if type(value) is Tensor:
        if value._node is not None:
            several = ""
            if op.variadic:
                several = f"; several arrays are handed over in a list, np.{op.name}([a, b])"
            elif op.name in ("max", "min"):
                several = f"; the {'larger' if op.name == 'max' else 'smaller'} of two is np.{op.name}imum(a, b)"
            raise TypeError(
                f"{op.name} takes {name}= as a constant: a tracked Tensor there would lose its gradient{several}"
            )
        value = value._data
    return captured(value, state_now()) if type(value) is ndarray else value


def wrap_results(op: Op, values: list[Any], sources: tuple[Node, ...], kwargs: dict[str, Any]) -> Any:
    """Return the results of an operation that has been computed by other means, standing on the tape as one node."""
    shapes, dtypes = tuple([y.shape for y in values]), tuple([y.dtype for y in values])
    node = Wide(op, tick(), shapes, dtypes, sources, (None,) * len(sources), None, kwargs)
    results = tuple([tensor(y, Pick(node, k)) for k, y in enumerate(values)])  # themselves: a recorder knows them so
    if (state := state_now()).noted:
        annotate(state, results, None, (), {})  # a recorder has been told of what was computed
    return results


def wrap(value: Any, node: Any, holder: Any = None, place: Any = 0) -> Any:
    """Return a Tensor of a value and its node: what a recorded walk sees of what `holder` keeps in a `place`.

    Untracked values stay plain, unless a recorder has a variable for them.
    """
    recorder = state_now().recorder
    if recorder is not None and recorder.full:
        return recorder.kept(value, node, holder, place)
    if node is None:
        return value
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


def again(t: Tensor, node: Any = None) -> Tensor:
    """Return another Tensor of the same value: to a recorder the same variable, on the tape another node."""
    twin = tensor(t._data, node)
    if (recorder := state_now().recorder) is not None:
        twin._var = recorder.variable(t)
    return twin


def operand(b: Any, x: Any) -> Any:
    """Return what stands beside the value `x` in an operation, as NumPy can use it fastest.

    A Python number beside an array becomes a 0-d array of the array's dtype, made once: 0.3 us less for each operation.
    """
    kind = type(b)
    if kind is float or kind is int:
        if type(x) is ndarray and (b or kind is int) and x.dtype.kind in "fc":  # -0.0 would find 0.0
            key = (b, x.dtype)
            found = _constants.get(key)
            if found is None:
                if len(_constants) >= CONSTANT_LIMIT:
                    _constants.clear()
                found = _constants[key] = np.array(b, x.dtype)
                found.flags.writeable = False
            return found
        return b
    if kind is complex:  # beside a float64, which is a Python float, Python would compute the result
        return np.complex128(b) if type(x) is float64 else b
    if kind is ndarray and b.dtype is not _OBJECT:
        return b
    return plain(b)


def plain(a: Any) -> Any:
    """Return a plain NumPy value, refusing what would become an array of objects."""
    if type(a) is ndarray and a.dtype is not _OBJECT:
        return a
    if isinstance(a, NUMBERS):
        return a
    if isinstance(a, Tensor):
        return a._data
    if isinstance(a, ndarray) and hasattr(type(a), "mask" if hasattr(a, "mask") else "getA"):
        raise TypeError(
            f"a {type(a).__name__} would lose what makes it different: pass a.filled(value) or np.asarray(a)"
        )
    found = np.asarray(a)
    if found.dtype == object and not isinstance(a, list | tuple | ndarray):
        hint = ""
        if callable(a):
            hint = ": functions come behind the arrays that a rule names, as in ag.primitive(lambda x, f: f(x))"
        raise TypeError(f"a {type(a).__name__} is neither a number nor an array{hint}")
    if found.dtype == object:
        raise TypeError(
            f"{type(a).__name__} holds Python objects, not numbers; join Tensors with np.stack([...]) or "
            "np.concatenate([...])"
        )
    return found if found.shape else found[()]


def captured(a: Any, state: Any) -> Any:
    """Return an untracked array as the tape may keep it: a copy of a small one, so that later changes do no harm."""
    return a.copy("K") if a.nbytes <= SMALL and state.recorder is None else a


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
        return captured(index, state_now())
    return index
