"""What people ask for by name: grad, vjp, jvp, jacobian, hessian, hvp, checkpoint; functions of functions.

Each enters its arguments as fresh nodes, runs the function, and walks the tape between those nodes and the results. The
nodes are what keeps nested derivatives apart: in ``grad(lambda x: x * grad(lambda y: x + y)(1.0))(2.0)`` the inner walk
stops at `y` and never sees `x`. If an outer transform is running, or an argument is itself a tracked Tensor, the walk
is recorded and its results are Tensors: plain in, plain out; a Tensor in, Tensors out.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

from .nodes import Node, tick
from .pullbacks import same
from .recording import again, captured, plain, tensor, wrap, wrap_results
from .rules import Op
from .state import STATE, deeper, switched
from .sweep import order, pull_back, push_forward
from .tensor import Tensor
from .tree import PLAIN_LEAVES, flatten, flatten_like

PLAIN_LEAVES.add(Tensor)
ENTER = Op(np.positive, (same,), name="input", linear=True)

P = ParamSpec("P")
R = TypeVar("R")


class _Entered:
    """A function run on entered arguments: the nodes to walk between, and how to hand results out."""

    def __init__(
        self, f: Callable[..., Any], args: tuple[Any, ...], argnums: tuple[int, ...], kwargs: dict[str, Any], name: str
    ) -> None:
        state = STATE.get()
        chosen = tuple(args[i] for i in argnums)
        leaves, self.rebuild = flatten(chosen)
        self.inputs = [_enter(leaf, name) for leaf in leaves]
        self.nodes = [t._node for t in self.inputs]  # before `f` runs: it may change its arguments in place
        outer = state.depth > 0 or (state.grad and any(map(_tracked, leaves)))
        self.live = outer or state.recorder is not None
        self.apart = not outer and state.recorder is not None  # recorded, and yet as plain as without the recorder
        entered = dict(zip(argnums, self.rebuild(self.inputs), strict=True))
        with deeper():
            self.out = f(*(entered.get(i, a) for i, a in enumerate(args)), **kwargs)
        if self.out is None:
            raise TypeError(
                f"{name} needs a function with one result, it returned 0: None, so does it end with return?"
            )
        self.results, self.rebuild_out = flatten(self.out)
        self.ends = [getattr(r, "_node", None) for r in self.results]  # the caller may change results in place
        self.path = order([n for n in self.ends if n is not None], set(self.nodes))

    def value(self, own: bool = False) -> Any:
        """Return what `f` returned; arrays are the caller's `own` if the tape goes on keeping them."""
        left = [self.leave(r) for r in self.results]
        if own and not self.live:
            left = [v.copy() if type(v) is np.ndarray else v for v in left]
        return self.rebuild_out(left if self.live else _apart(left, [t._data for t in self.inputs]))

    def leave(self, t: Any) -> Any:
        """Return a result as the caller wants it: a plain array, unless somebody outside differentiates it too."""
        if self.apart:
            return _untracked(t)
        return t if self.live or type(t) is not Tensor else t._data

    def pull(self, cotangents: list[Any], live: bool, lead: int = 0) -> list[Any]:
        """Return one cotangent for each input leaf."""
        seeds: dict[Node, Any] = {}
        for node, g in zip(self.ends, cotangents, strict=True):
            if node is not None and g is not None:
                seeds[node] = seeds[node] + g if node in seeds else g
        if live:
            with deeper():
                found = pull_back(seeds, set(self.nodes), wrap=wrap, lead=lead, path=self.path)
        else:
            found = pull_back(seeds, set(self.nodes), lead=lead, path=self.path)
        head = next((np.shape(g)[:lead] for g in cotangents if g is not None), ())
        pulled = [found[n] if n in found else np.zeros(head + n.shape, n.dtype) for n in self.nodes]
        pulled = _apart([g[()] if type(g) is np.ndarray and not g.shape else g for g in pulled])
        return [*map(_untracked, pulled)] if self.apart and not any(map(_tracked, cotangents)) else pulled


def _apart(arrays: list[Any], others: Any = ()) -> list[Any]:
    """Return arrays that share no memory with each other, nor are one of `others`: results are the caller's."""
    seen = {id(a) for a in others}
    for i, a in enumerate(arrays):
        if type(a) is np.ndarray and (a.base is not None or not a.flags.writeable or id(a) in seen):
            arrays[i] = a.copy()
        seen.add(id(a))
    return arrays


def _untracked(leaf: Any) -> Any:
    return again(leaf) if _tracked(leaf) else leaf


def _tracked(leaf: Any) -> bool:
    return type(leaf) is Tensor and leaf._node is not None


def _enter(leaf: Any, name: str) -> Tensor:
    """Return a Tensor with a node of its own, connected to where the value came from."""
    source, recorder = leaf._node if type(leaf) is Tensor else None, STATE.get().recorder
    known: Any = leaf
    if type(leaf) is np.ndarray and leaf.shape:
        value: Any = captured(leaf, STATE.get())  # the caller may change it before the pull
    elif type(leaf) is Tensor and recorder is not None:
        if not isinstance(leaf._data, np.ndarray | np.generic):  # a Python number
            known = np.positive(leaf)
        value = known._data
    else:
        value = np.asarray(plain(leaf))[()]
    if value.dtype.kind not in "fc":
        raise TypeError(
            f"{name} needs floats or complex numbers, an argument has dtype {value.dtype}: write np.asarray(x, float)"
        )
    dtype = np.float64 if type(value) is np.float64 else value.dtype
    t = tensor(value, Node(ENTER, tick(), value.shape, dtype, source, None, None, None, None))
    if recorder is not None:
        recorder.enter(t, known)
    return t


def _function(f: Any, name: str) -> Any:
    """Return a function, or say that it is none: the gradient of what has been computed is asked for differently."""
    if callable(f):
        return f
    what = f"a {type(f).__name__}" + (f" of shape {np.shape(plain(f))}" if isinstance(f, Tensor | np.ndarray) else "")
    raise TypeError(
        f"{name} takes the function itself, ag.{name}(f{', x' if name in ('vjp', 'jvp') else ')(x'}), not {what}; the "
        f"gradient of a Tensor that has been computed comes from its backward()"
    )


def _positions(argnums: int | tuple[int, ...], args: tuple[Any, ...], name: str) -> tuple[int, ...]:
    """Return argnums as a tuple of positions that exist."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for n in numbers:
        if not hasattr(n, "__index__"):
            raise TypeError(f"{name} takes argnums= as an int or a tuple of them, not {argnums!r}")
        if not -len(args) <= n < len(args):
            raise TypeError(
                f"{name} by argument {n}, but the function was called with {len(args)} positional arguments; what is "
                f"differentiated by is passed by position"
            )
    positions = tuple(n % len(args) for n in numbers)
    if len(set(positions)) < len(positions):
        raise TypeError(f"{name} with argnums={argnums!r} names an argument twice")
    return positions


def _unpack(tree: tuple[Any, ...], argnums: int | tuple[int, ...]) -> Any:
    return tree[0] if isinstance(argnums, int) else tree


def _cotangent(g: Any, r: Any) -> Any:
    """Return a given cotangent in the space of its result."""
    if type(r) is not Tensor:
        return None
    if np.shape(g) != r.shape:
        raise ValueError(f"a cotangent of shape {np.shape(g)} for a result of shape {r.shape}")
    if np.result_type(plain(g)).kind == "c" and r.dtype.kind != "c":
        raise TypeError(f"a complex cotangent for a result of dtype {r.dtype}")
    if type(g) is Tensor:
        return g if g.dtype == r.dtype else g.astype(r.dtype)
    return np.array(g, r.dtype)[()]


def _seed_of_scalar(run: _Entered, name: str) -> list[Any]:
    """Return the cotangent 1 for a function with one scalar result."""
    if len(run.results) != 1:
        raise TypeError(f"{name} needs a function with one result, it returned {len(run.results)}; use vjp or jacobian")
    r = run.results[0]
    if np.result_type(plain(r)).kind not in "biufc":
        raise TypeError(f"{name} needs a number as result, the function returned {type(r).__name__}")
    if np.size(plain(r)) != 1:
        raise TypeError(
            f"{name} needs a scalar result, the function returned shape {np.shape(plain(r))}; use "
            "jacobian, vjp or elementwise_grad"
        )
    if np.iscomplexobj(plain(r)):
        raise TypeError(
            f"{name} needs a real result, the function returned {plain(r).dtype}; take its real part, or use vjp"
        )
    return [np.ones(r.shape, r.dtype)[()] if type(r) is Tensor else None]


# ----------------------------------------------------------------------------------------------------------------------
# Reverse
# ----------------------------------------------------------------------------------------------------------------------


def vjp(f: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return ``f(*args)`` and the function that pulls cotangents back to the arguments.

    Examples
    --------
    >>> value, pull = vjp(lambda a, b: a * b, 2.0, np.array([1.0, 3.0]))
    >>> value
    array([2., 6.])
    >>> pull(np.array([1.0, 10.0]))
    (np.float64(31.0), array([ 2., 20.]))
    """
    _function(f, "vjp")
    if not args:
        raise TypeError("vjp needs the arguments at which to differentiate: vjp(f, x, ...)")
    run = _Entered(f, args, tuple(range(len(args))), kwargs, "vjp")

    def pull(cotangent: Any) -> Any:
        given = flatten_like(cotangent, run.out, "the cotangent")
        cotangents = [_cotangent(g, r) for g, r in zip(given, run.results, strict=True)]
        live = run.live or STATE.get().depth > 0 or any(_tracked(g) for g in cotangents)
        found = run.rebuild([g if live else plain(g) for g in run.pull(cotangents, live)])
        return found[0] if len(args) == 1 else found

    return run.value(own=True), pull


def value_and_grad(
    f: Callable[P, Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[P, tuple[Any, Any]]:
    """Return a function for the value and the gradient of a scalar function.

    With ``has_aux=True`` the function returns ``(scalar, anything)``, and so does the value.

    Examples
    --------
    >>> value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """
    name = "grad"

    @functools.wraps(_function(f, "value_and_grad"))
    def both(*args: Any, **kwargs: Any) -> Any:
        positions = _positions(argnums, args, name)
        aux: list[Any] = []

        def main(*args: Any, **kwargs: Any) -> Any:
            value, extra = f(*args, **kwargs)
            aux.append(extra)
            return value

        run = _Entered(main if has_aux else f, args, positions, kwargs, name)
        gradient = _unpack(run.rebuild(run.pull(_seed_of_scalar(run, name), run.live)), argnums)
        if not has_aux:
            return run.value(), gradient
        leaves, rebuild = flatten(aux[0])
        return (run.value(), rebuild([run.leave(a) for a in leaves])), gradient

    return both


def grad(f: Callable[P, Any], argnums: int | tuple[int, ...] = 0) -> Callable[P, Any]:
    """Return the gradient of a scalar function, in the structure of the argument.

    Parameters
    ----------
    f : callable
        Takes and returns arrays, Tensors or nested containers of them; returns one real scalar.
    argnums : int or tuple of int
        By which arguments; a tuple gives a tuple of gradients.

    Examples
    --------
    >>> grad(lambda p: p["w"] ** 2 * p["b"])({"w": 3.0, "b": 2.0})
    {'w': np.float64(12.0), 'b': np.float64(9.0)}
    >>> grad(grad(np.sin))(0.5) == -np.sin(0.5)
    np.True_

    A tracked Tensor in, Tensors out: through them a penalty on a gradient reaches what `f` uses from around it.

    >>> w, x = Tensor(np.array([1.0, 2.0])), np.array([0.1, 0.2])
    >>> slope = grad(lambda x: np.sum(w * x**2))
    >>> slope(x), slope(Tensor(x))
    (array([0.2, 0.8]), Tensor([0.2, 0.8], op=multiply))
    >>> np.sum(slope(Tensor(x)) ** 2).backward()
    >>> w.grad
    array([0.08, 0.64])
    """
    both = value_and_grad(_function(f, "grad"), argnums)

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def elementwise_grad(f: Callable[P, Any], argnums: int | tuple[int, ...] = 0) -> Callable[P, Any]:
    """Return the derivative of a function whose results depend on the entry in the same place only.

    Examples
    --------
    >>> elementwise_grad(np.square)(np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    """

    @functools.wraps(_function(f, "elementwise_grad"))
    def slope(*args: Any, **kwargs: Any) -> Any:
        run = _Entered(f, args, _positions(argnums, args, "elementwise_grad"), kwargs, "elementwise_grad")
        ones = [np.ones(r.shape, r.dtype)[()] if type(r) is Tensor else None for r in run.results]
        return _unpack(run.rebuild(run.pull(ones, run.live)), argnums)

    return slope


# ----------------------------------------------------------------------------------------------------------------------
# Forward
# ----------------------------------------------------------------------------------------------------------------------


def jvp(f: Callable[..., Any], primals: Any, tangents: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Return ``f(*primals)`` and its directional derivative.

    Examples
    --------
    >>> jvp(lambda a, b: a * b, (2.0, 3.0), (1.0, 0.5))
    (np.float64(6.0), np.float64(4.0))
    """
    _function(f, "jvp")
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise TypeError("jvp takes tuples: jvp(f, (x,), (v,))")
    primals, tangents = tuple(primals), tuple(tangents)
    given = flatten_like(tangents, primals, "the tuple of tangents")
    run = _Entered(f, primals, tuple(range(len(primals))), kwargs, "jvp")
    for n, v in zip(run.nodes, given, strict=True):
        if np.shape(plain(v)) != n.shape:
            raise ValueError(f"a tangent of shape {np.shape(plain(v))} for an argument of shape {n.shape}")
        if np.result_type(plain(v)).kind == "c" and np.dtype(n.dtype).kind != "c":
            raise TypeError(f"a complex tangent for an argument of dtype {np.dtype(n.dtype)}")
    live = run.live or any(_tracked(v) for v in given)
    moving = {n: v if type(v) is Tensor else np.asarray(v, n.dtype)[()] for n, v in zip(run.nodes, given, strict=True)}
    pushed = _push(run, moving, live)
    pushed = _apart(pushed)
    found = [
        _no_tangent(r, run.nodes) if d is None else d if live else plain(d)
        for r, d in zip(run.results, pushed, strict=True)
    ]
    run.live = live
    run.apart = run.apart and not any(map(_tracked, given))
    found = [*map(_untracked, found)] if run.apart else found
    return run.value(), run.rebuild_out(found)


def _float_of(r: Any, otherwise: Any = np.float64) -> Any:
    """Return the dtype of a derivative of a result: its own, unless it is no float and no complex number of NumPy's."""
    if isinstance(r, float | complex) and not isinstance(r, np.generic):  # a Python number, which promotes nothing
        return otherwise
    return np.result_type(plain(r)) if np.result_type(plain(r)).kind in "fc" else otherwise


def _no_tangent(r: Any, inputs: list[Node]) -> Any:
    """Return zeros for a result that does not move: of whole numbers and flags in the precision of the arguments."""
    precision = np.finfo(np.result_type(np.float16, *(n.dtype for n in inputs))).dtype
    return np.zeros(np.shape(plain(r)), _float_of(r, precision))[()]


def _push(run: _Entered, moving: dict[Node, Any], live: bool, lead: int = 0) -> list[Any]:
    """Return one tangent for each result, None where none arrives."""
    path = run.path if len(moving) == len(run.nodes) else None
    with contextlib.nullcontext() if STATE.get().grad else switched(grad=True):  # a transpose is taken by recording
        roots = [n for n in run.ends if n is not None]
        found = push_forward(roots, moving, wrap=wrap, live=live, lead=lead, path=path)
    return [None if n is None else found[n] for n in run.ends]


# ----------------------------------------------------------------------------------------------------------------------
# Matrices of derivatives
# ----------------------------------------------------------------------------------------------------------------------

ROWS = 1 << 22  # entries a batched sweep may hold for the largest argument or result: 32 MB of float64


def jacobian(f: Callable[P, Any], argnums: int | tuple[int, ...] = 0, *, mode: str | None = None) -> Callable[P, Any]:
    """Return the Jacobian: for each result and each argument an array of shape ``result.shape + argument.shape``.

    All rows go back in one batched sweep (`mode` "reverse"), or all columns forward in one ("forward"); by default
    whichever has fewer.

    Examples
    --------
    >>> jacobian(lambda x: np.array([[1.0, 2.0], [3.0, 4.0]]) @ x)(np.array([1.0, 1.0]))
    array([[1., 2.],
           [3., 4.]])
    """
    if mode not in (None, "reverse", "forward"):
        raise ValueError(f"mode is 'reverse', 'forward' or None, not {mode!r}")

    @functools.wraps(_function(f, "jacobian"))
    def matrix(*args: Any, **kwargs: Any) -> Any:
        run = _Entered(f, args, _positions(argnums, args, "jacobian"), kwargs, "jacobian")
        n_in, n_out = sum(n.size for n in run.nodes), sum(np.size(plain(r)) for r in run.results)
        forward = mode == "forward" or (mode is None and 2 * n_in < n_out)
        blocks = _columns(run) if forward else _rows(run)
        return run.rebuild_out([_unpack(run.rebuild(row), argnums) for row in blocks])

    return matrix


def _identity(shape: tuple[int, ...], dtype: Any, start: int, stop: int) -> Any:
    """Return rows `start` to `stop` of the identity on arrays of a shape."""
    n = int(np.prod(shape))
    return np.eye(stop - start, n, start, dtype).reshape(stop - start, *shape)


def _batches(run: _Entered, n: int) -> list[tuple[int, int]]:
    """Return where batches of n rows start and stop."""
    widest = max([1, *(n.size for n in run.nodes), *(np.size(plain(r)) for r in run.results)])
    step = max(1, ROWS // widest)
    return [(i, min(i + step, n)) for i in range(0, n, step)]


def _rows(run: _Entered) -> list[list[Any]]:
    """Return the blocks of the Jacobian, result by result, from batched reverse sweeps."""
    blocks = []
    for k, r in enumerate(run.results):
        shape, n = np.shape(plain(r)), np.size(plain(r))
        parts = []
        for start, stop in _batches(run, n):
            seeds: list[Any] = [None] * len(run.results)
            seeds[k] = _identity(shape, _float_of(r), start, stop)
            rows = run.pull(seeds, run.live, lead=1)
            if np.dtype(_float_of(r)).kind == "c":
                seeds[k] = seeds[k] * -1j  # by a real argument: the first pull gave the real part, this one the rest
                rest = run.pull(seeds, run.live, lead=1)
                rows = [a if a.dtype.kind == "c" else a + 1j * b for a, b in zip(rows, rest, strict=True)]
            parts.append(rows)
        columns = (
            [p[0] if len(p) == 1 else np.concatenate(p) for p in zip(*parts, strict=True)]
            if parts
            else [np.zeros((0, *n.shape), n.dtype) for n in run.nodes]
        )
        blocks.append([np.reshape(c, shape + n.shape) for c, n in zip(columns, run.nodes, strict=True)])
    return blocks


def _columns(run: _Entered) -> list[list[Any]]:
    """Return the blocks of the Jacobian, from batched forward sweeps, argument by argument."""
    blocks: list[list[Any]] = [[] for _ in run.results]
    for t in run.nodes:
        parts: list[list[Any]] = [[] for _ in run.results]
        for start, stop in _batches(run, t.size):
            pushed = _push(run, {t: _identity(t.shape, t.dtype, start, stop)}, run.live, lead=1)
            for part, r, d in zip(parts, run.results, pushed, strict=True):
                part.append(np.zeros((stop - start, *np.shape(plain(r))), _float_of(r, t.dtype)) if d is None else d)
        for block, part, r in zip(blocks, parts, run.results, strict=True):
            shape = np.shape(plain(r))
            whole = (
                part[0]
                if len(part) == 1
                else np.concatenate(part)
                if part
                else np.zeros((0, *shape), _float_of(r, t.dtype))
            )
            flat = np.moveaxis(whole, 0, -1)
            flat = _untracked(flat) if run.apart else flat if run.live else np.ascontiguousarray(plain(flat))
            block.append(np.reshape(flat, shape + t.shape))
    return blocks


def hessian(f: Callable[P, Any], argnums: int | tuple[int, ...] = 0) -> Callable[P, Any]:
    """Return the matrix of second derivatives: one recorded gradient, then one batched sweep over it.

    Examples
    --------
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    return jacobian(grad(_function(f, "hessian"), argnums), argnums, mode="reverse")


def hvp(f: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Return the function ``(x, v) -> H(x) v``, at the price of a few gradients, without the matrix.

    The gradient is recorded, and `v` pulled back through it: the Hessian is its own transpose.

    Examples
    --------
    >>> hvp(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    array([8., 2.])
    """
    f = _function(f, "hvp")

    def product(x: Any, v: Any) -> Any:
        flatten_like(v, x, "the vector")
        _, pull = vjp(grad(f), x)
        return pull(v)

    return product


# ----------------------------------------------------------------------------------------------------------------------
# Stopping and forgetting
# ----------------------------------------------------------------------------------------------------------------------


def stop_gradient(x: R) -> R:
    """Return the same values, through which no gradient flows.

    Examples
    --------
    >>> float(grad(lambda x: x * stop_gradient(x))(3.0))
    3.0
    """
    leaves, rebuild = flatten(x)
    return rebuild([leaf.detach() if type(leaf) is Tensor else leaf for leaf in leaves])


def _checkpoint_pull(g: Any, again: Any, outside: Any) -> list[Any]:
    """Run the function again, recorded, and pull through what it recorded."""
    with deeper():
        results = [r for r in flatten(again())[0] if _tracked(r)]
    cotangents = g if isinstance(g, tuple) else (g,)
    state = STATE.get()
    live = state.depth > 0 or state.recorder is not None or any(type(c) is Tensor for c in cotangents)
    found = pull_back(
        {r._node: c for r, c in zip(results, cotangents, strict=True)}, set(outside), wrap=wrap if live else None
    )
    return [found.get(node) for node in outside]


def _run_again(*_: Any) -> Any:
    raise AssertionError("a checkpoint is computed by its function")


CHECKPOINT = Op(_run_again, (_checkpoint_pull,), joint=True, outputs=1, name="checkpoint")


def checkpoint(f: Callable[P, R]) -> Callable[P, R]:
    """Return a function that keeps nothing of what it computes on the way: the backward pass computes it again.

    Tensors that `f` takes from around it get their gradients too. `f` must compute the same twice: give it its random
    numbers as arguments.

    Examples
    --------
    >>> grad(checkpoint(lambda x: np.sin(np.exp(x))))(0.0) == np.cos(1.0)
    np.True_
    """

    @functools.wraps(_function(f, "checkpoint"))
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        start = tick()
        given, rebuild_args = flatten((args, kwargs))
        state = STATE.get()
        leaves = [again(a, a._node) if type(a) is Tensor else a for a in given]  # as they are now
        leaves = [captured(a, state) if type(a) is np.ndarray else a for a in leaves]

        def run() -> Any:
            """Run `f` on Tensors of its own, which it may change in place."""
            own = [again(a, a._node) if type(a) is Tensor else a for a in leaves]
            positional, named = rebuild_args(own)
            return f(*positional, **named)

        out = run()
        results, rebuild = flatten(out)
        tracked = [r for r in results if _tracked(r)]
        if not tracked or not state.grad:
            return out
        outside = _outside([r._node for r in tracked], start)
        metadata = {"again": run, "outside": outside}
        results_ = wrap_results(CHECKPOINT, [r._data for r in tracked], outside, metadata)
        if state.recorder is not None:
            for t, r in zip(results_, tracked, strict=True):
                state.recorder.become(t, r)
        fresh = iter(results_)
        return rebuild([next(fresh) if _tracked(r) else r for r in results])

    return wrapped


def _outside(roots: list[Node], start: int) -> tuple[Node, ...]:
    """Return the nodes older than `start` on which newer ones rest."""
    seen = set(roots)
    path = list(seen)
    found: dict[Node, None] = {}
    for node in path:
        if node.seq < start:
            found[node] = None
            continue
        for p in node.parents:
            if p is not None and p not in seen:
                seen.add(p)
                path.append(p)
    return tuple(sorted(found, key=lambda n: n.seq))
