"""What is checked: a function of real coordinates, whoever wrote it and whoever differentiates it.

A `Program` knows its inputs (`slots`), computes its results from other values of them, and pulls cotangents back. The
checker sees nothing else, so functions of Tensors, modules with parameters, gradients of gradients, single operations
of a tape and foreign pairs of function and gradient are all checked by the same few lines.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..nodes import Leaf
from ..recording import plain, wrap
from ..state import deeper, switched
from ..sweep import pull_back, push_forward
from ..tensor import Tensor
from ..tree import flatten
from .layouts import laid_out
from .names import name_of, named_leaves, parameter_names

Array = np.ndarray[Any, Any]
Pull = Callable[[Sequence[Any]], list[Any]]  # cotangents of the results -> gradients of the slots, None for absent


class Slot:
    """An input that is differentiated by: its name, its value, and the Tensor that holds it if it is no argument.

    `model` is the array that was given, in its own memory; `value` is a copy in this machine's byte order.
    """

    __slots__ = ("held", "model", "name", "place", "value")

    def __init__(self, name: str, value: Any, place: int = -1, held: Any = None) -> None:
        self.name = name
        self.model: Array = value if isinstance(value, np.ndarray) else np.asarray(value)
        self.value: Array = np.array(self.model, self.model.dtype.newbyteorder("="))
        self.place = place
        self.held = held

    def laid_out(self, x: Array) -> Array:
        """Return values in memory of the form of what was given."""
        return laid_out(self.model, x)

    def tensor(self, x: Array, **options: Any) -> Tensor:
        """Return values as a Tensor, in that memory: a copy of its own would be in order."""
        t = Tensor(laid := self.laid_out(x), **options)
        if laid.ndim:
            t._data = laid
        return t


class Program:
    """A function with a derivative. `values` must not record; `pull` gives the derivative that is on trial."""

    name = "f"
    slots: list[Slot]
    can_push = False
    differentiates = "the function"  # what runs when gradients are computed
    watched = True  # look whether calls change their arguments
    changed: str | None = None  # the name of an argument that a call has changed in place

    def values(self, xs: Sequence[Array]) -> list[Array]:
        """Return the results that can have derivatives."""
        raise NotImplementedError

    def pull(self, xs: Sequence[Array]) -> tuple[list[Array], Pull]:
        """Return the results and the function that pulls cotangents back."""
        raise NotImplementedError

    def push(self, xs: Sequence[Array], tangents: Sequence[Array]) -> list[Any]:
        """Return the tangents of the results."""
        raise NotImplementedError


class Traced(Program):
    """A program recorded on our tape. Subclasses say how to run: `trace` from Tensors to results."""

    can_push = True

    def trace(self, ts: Sequence[Any]) -> list[Any]:
        """Return the results of floats of a run on Tensors, which may be tracked or not."""
        raise NotImplementedError

    def values(self, xs: Sequence[Array]) -> list[Array]:
        """Run on untracked Tensors."""
        with switched(grad=False):
            ts = [slot.tensor(x, requires_grad=False) for x, slot in zip(xs, self.slots, strict=True)]
            return [_array(r) for r in self.trace(ts)]

    def recorded(self, xs: Sequence[Array]) -> tuple[list[Any], list[Any]]:
        """Run on fresh tracked Tensors; return them and the results."""
        ts = [slot.tensor(x, name=slot.name) for x, slot in zip(xs, self.slots, strict=True)]
        leaves = [t._node for t in ts]
        with deeper():
            results = self.trace(ts)
        return leaves, results

    def pull(self, xs: Sequence[Array]) -> tuple[list[Array], Pull]:
        """Record once, and sweep for every cotangent."""
        leaves, results = self.recorded(xs)

        def pull(cotangents: Sequence[Any]) -> list[Any]:
            found = pull_back(_seeds(results, cotangents), set(leaves))
            return [found.get(leaf) for leaf in leaves]

        return [_array(r) for r in results], pull

    def push(self, xs: Sequence[Array], tangents: Sequence[Array]) -> list[Any]:
        """Record, and walk forwards."""
        leaves, results = self.recorded(xs)
        moving = {leaf: np.asarray(v, leaf.dtype)[()] for leaf, v in zip(leaves, tangents, strict=True)}
        nodes = [getattr(r, "_node", None) for r in results]
        found = push_forward([n for n in nodes if n is not None], moving, wrap=wrap)
        return [None if n is None else found[n] for n in nodes]


def _array(r: Any) -> Array:
    return np.asarray(plain(r))


def _seeds(results: Sequence[Any], cotangents: Sequence[Any]) -> dict[Any, Any]:
    seeds: dict[Any, Any] = {}
    for r, g in zip(results, cotangents, strict=True):
        node = getattr(r, "_node", None)
        if node is not None and g is not None:
            g = np.asarray(g, r.dtype)[()]
            seeds[node] = seeds[node] + g if node in seeds else g
    return seeds


def is_float(x: Any) -> bool:
    """Say whether a leaf is something to differentiate by: a Python float, or an array or Tensor of floats."""
    return isinstance(x, float | complex) or getattr(getattr(x, "dtype", None), "kind", "") in ("f", "c")


class Function(Traced):
    """A function of arguments, and of the Tensors that it holds: a module's parameters, or what `wrt` names."""

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...], wrt: Any) -> None:
        self.f = f
        self.name = name_of(f)
        self.leaves, self.rebuild = flatten(args)
        self.originals = [np.array(a) if isinstance(a, np.ndarray) else None for a in self.leaves]
        names = named_leaves(f, args)
        positions, held = wanted(wrt, len(args))
        chosen = [k for k, i in enumerate(argument_of(args)) if positions is None or i in positions]
        if positions is not None:
            refuse_integers([(names[k], self.leaves[k]) for k in chosen])
        self.slots = [Slot(names[k], plain(self.leaves[k]), k) for k in chosen if is_float(self.leaves[k])]
        labels = parameter_names([f, *self.leaves])
        if wrt is None:
            held = [t for t, _ in labels.values()]
        self.slots += [
            Slot(labels.get(id(t), (t, t.name or f"wrt[{i}]"))[1], t._data, -1, t) for i, t in enumerate(held)
        ]
        if not self.slots:
            refuse_integers(list(zip(names, self.leaves, strict=True)))
            raise TypeError("gradcheck needs an argument of floats to differentiate by, or wrt=[...] with Tensors")

    def trace(self, ts: Sequence[Any]) -> list[Any]:
        """Call the function with Tensors in the places of its slots."""
        leaves = list(self.leaves)
        held: list[tuple[Any, Any]] = []
        before: list[tuple[str, Any, Any, Any]] = []
        for slot, t in zip(self.slots, ts, strict=True):
            if slot.held is None:
                leaves[slot.place] = t
                if self.watched:
                    before.append((slot.name, t, t._node, np.array(t._data)))
            else:
                held.append((slot.held, t))
        with lent(held):
            out = self.f(*self.rebuild(leaves))
        if self.watched:
            self._look(before)
        return [r for r in flatten(out)[0] if is_float(r)]

    def _look(self, before: Sequence[tuple[str, Any, Any, Any]]) -> None:
        for name, t, node, value in before:
            if t._node is not node or not np.array_equal(t._data, value, equal_nan=True):
                self.changed = name
        for k, a in enumerate(self.originals):
            if a is not None and not np.array_equal(self.leaves[k], a, equal_nan=a.dtype.kind in "fc"):
                self.changed = f"argument {k}"
                self.leaves[k][...] = a


@contextlib.contextmanager
def lent(pairs: Sequence[tuple[Any, Any]]) -> Iterator[None]:
    """Let Tensors that a function holds have the values and nodes of others for a while."""
    before = [(t, t._data, t._node) for t, _ in pairs]
    try:
        for t, other in pairs:
            t._data, t._node = other._data, other._node
        yield
    finally:
        for t, data, node in before:
            t._data, t._node = data, node


def argument_of(args: tuple[Any, ...]) -> list[int]:
    """Return, for every leaf of the arguments, the number of the argument to which it belongs."""
    return [i for i, a in enumerate(args) for _ in flatten((a,))[0]]


def wanted(wrt: Any, n: int) -> tuple[set[int] | None, list[Any]]:
    """Sort `wrt` into numbers of arguments and Tensors; None for all arguments."""
    if wrt is None:
        return None, []
    items = list(wrt) if isinstance(wrt, list | tuple) else [wrt]
    if not items:
        raise TypeError("wrt= names nothing to differentiate by")
    positions, held = set(), []
    for item in items:
        if isinstance(item, Tensor):
            if not isinstance(item._node, Leaf):
                raise TypeError("wrt= takes leaves: this Tensor is untracked, or the result of an operation")
            held.append(item)
        elif isinstance(item, int | np.integer) and -n <= item < n:
            positions.add(int(item) % n)
        else:
            raise TypeError(f"wrt= takes numbers of arguments (there are {n}) and Tensors, not {item!r}")
    return positions, held


def refuse_integers(leaves: Sequence[tuple[str, Any]]) -> None:
    """Raise if any of the named leaves is an array of anything but floats."""
    for name, a in leaves:
        if isinstance(a, int) and not isinstance(a, bool):
            a = np.asarray(a)
        if getattr(getattr(a, "dtype", None), "kind", "f") not in ("f", "c"):
            remedy = f"write np.asarray({name}, float)"
            raise TypeError(f"gradcheck needs floats to differentiate by, {name} has dtype {a.dtype}: {remedy}")


class Derivative(Traced):
    """The pullback of a traced program, as a program of its own: what second order is about."""

    def __init__(self, base: Traced, results: Sequence[Array], rng: np.random.Generator) -> None:
        self.base = base
        self.name = f"gradient of {base.name}"
        self.results = [r for r in results if r.size]
        self.slots = list(base.slots)
        for k, r in enumerate(results):
            g = rng.uniform(0.5, 1.5, r.shape) * rng.choice([-1.0, 1.0], r.shape)
            if r.dtype.kind == "c":
                g = g + 1j * rng.uniform(0.5, 1.5, r.shape)
            name = "cotangent" if len(results) == 1 else f"cotangent[{k}]"
            self.slots.append(Slot(name, np.asarray(g, r.dtype)))

    def trace(self, ts: Sequence[Any]) -> list[Any]:
        """Run, pull back with the sweep recorded, and return the gradients."""
        n = len(self.base.slots)
        leaves = [t._node for t in ts[:n]]
        with deeper():
            results = self.base.trace(ts[:n])
            seeds: dict[Any, Any] = {}
            for r, g in zip(results, ts[n:], strict=True):
                if getattr(r, "_node", None) is not None:
                    seeds[r._node] = seeds[r._node] + g if r._node in seeds else g
            found = pull_back(seeds, set(leaves), wrap=wrap)
        return [found[leaf] if leaf in found else np.zeros(leaf.shape, leaf.dtype) for leaf in leaves]

    def values(self, xs: Sequence[Array]) -> list[Array]:
        """Return the plain gradients, whose sweep is not recorded."""
        n = len(self.base.slots)
        found = self.base.pull(xs[:n])[1](xs[n:])
        return [
            np.zeros(np.shape(x), x.dtype) if g is None else np.asarray(g) for g, x in zip(found, xs[:n], strict=True)
        ]
