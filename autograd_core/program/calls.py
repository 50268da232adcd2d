"""What a trace tells apart: functions and what is to be called for them, arrays and whose memory they are."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..notes import GraphError, source_line
from ..packages import is_of_part
from ..recording import tensor
from ..rules import RULES
from ..state import fresh
from ..tensor import Tensor
from ..tree import flatten
from .primitives import NONE, PRIMITIVES
from .weak import WeakComplex, WeakFloat, WeakInt, weak
from .wording import word_now

ndarray = np.ndarray
WEAK = (WeakFloat, WeakInt, WeakComplex)


class Draws:
    """A generator passed as an argument: what it draws is told, and drawn afresh by the generator of the replay."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def __getattr__(self, name: str) -> Any:
        """Return the generator's method, to be called at every replay."""
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "spawn" or not callable(getattr(self.generator, name)):
            raise GraphError(
                f"rng.{name} of a generator passed to a {word_now()} function (at {source_line()}): inside, it only "
                f"draws; take it outside, and pass what comes of it as an argument"
            )
        return functools.partial(fresh, draw, self.generator, name)


def draw(generator: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method of a generator; `shuffle`, which changes its argument, is refused."""
    if name == "shuffle":
        raise GraphError(
            f"rng.shuffle(x) changes x in place inside a {word_now()} function (at {source_line()}): write "
            f"x = rng.permuted(x)"
        )
    return getattr(generator, name)(*args, **kwargs)


class Steady:
    """An operation of NumPy's whose dtype depends on values, called for the dtypes that were recorded."""

    def __init__(self, fn: Any, compute: Any, results: Any, title: str) -> None:
        self.fn, self.compute, self.title, self.dtypes = fn, compute, title, [t.dtype for t in results]
        self.__name__ = getattr(fn, "__name__", "")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns, if it is of the same kind."""
        found = self.compute(*args, **kwargs)
        now = [a.dtype for a in (found if isinstance(found, tuple) else (found,))]
        if now != self.dtypes:
            raise GraphError(
                f"np.linalg.{self.__name__} of a real matrix gives real or complex numbers, as the values want it: "
                f"{self.dtypes[0]} when {self.title} recorded it, {now[0]} now; pass a complex matrix, a + 0j, or use "
                f"eigh and eigvalsh of a symmetric one"
            )
        return found


class ByProducts:
    """An operation called for its results and for what its forward pass leaves to the pullbacks, arrays end to end."""

    def __init__(self, fn: Any, results: int) -> None:
        self.op, self.results = RULES[fn], results
        self.__name__ = self.op.name

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Return results, if they are wanted, and by-products."""
        if self.op.variadic:
            args = tuple(args[0])
        ans, aux = self.op.compute(*args, **kwargs)
        return (*((ans,) if self.results == 1 else ans if self.results else ()), *arrays_of(aux))


def by_products(fn: Any, result: Any) -> list[Any]:
    """Return the arrays that the forward pass of an operation has left to its pullbacks."""
    op = RULES.get(fn)
    if op is None or not op.aux or (node := getattr(result, "_node", None)) is None:
        return []
    node = node.p if op.outputs else node
    return list(arrays_of(node.kwargs.get("aux")))


def draws_or_reads(fn: Any) -> bool:
    """Say whether a function called anew draws, or reads what an object says it rests on, as an optimizer's rate.

    Not any method of ours: ``t.assign`` changes a Tensor, and raises where the shape does not fit.
    """
    owner = getattr(fn, "__self__", None)
    reads = hasattr(type(owner), "__ag_state__") and is_of_part(fn)
    return fn is draw or isinstance(owner, np.random.Generator) or reads


def is_harmless(equation: Any) -> bool:
    """Say whether an equation calls such a function, which raises only by mistake."""
    return equation.effect == "call" and draws_or_reads(equation.operation)


def owner_of(value: Any) -> Any:
    """Return the array that an array's memory belongs to; None if that is somebody else, a file for example."""
    while type(value.base) is ndarray:
        value = value.base
    return value if value.base is None else None


def is_locked(a: Any) -> bool:
    """Say whether nobody can write into an array."""
    while isinstance(a, np.ndarray):
        if a.flags.writeable:
            return False
        a = a.base
    return a is None or type(a) is bytes or (isinstance(a, np.generic) and not isinstance(a, np.void))


def arrays_of(tree: Any) -> Iterator[Any]:
    """Yield the arrays in nested tuples and lists."""
    if isinstance(tree, tuple | list):
        for part in tree:
            yield from arrays_of(part)
    elif isinstance(tree, ndarray | np.generic):
        yield tree


def computing(fn: Any) -> Any:
    """Return the function to be called with plain values in place of one that a recorder was told of."""
    op = RULES.get(fn)
    if op is not None and not op.aux and not op.variadic and (op.trusted or not hasattr(fn, "__wrapped__")):
        return PRIMITIVES.get(fn, NONE).call or op.compute
    if op is not None and not op.trusted:
        return op.compute if not op.aux and not op.variadic else fn.__wrapped__
    return getattr(fn, "__wrapped__", fn)


def strip(tree: Any) -> Any:
    """Return arguments with plain values."""
    if isinstance(tree, Tensor):
        return number_of(tree._data)
    if isinstance(tree, tuple | list):
        parts = [strip(v) for v in tree]
        if all(a is b for a, b in zip(parts, tree, strict=True)):
            return tree
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if type(tree) is dict:
        found = {k: strip(v) for k, v in tree.items()}
        return tree if all(found[k] is tree[k] for k in tree) else found
    return tree


def number_of(value: Any) -> Any:
    """Return a Python number for a weak one."""
    if type(value) in WEAK:
        return value.__class__.__base__(value)
    return value[()] if type(value) is ndarray and not value.shape else value


def standing_for(value: Any) -> Any:
    """Return what a called function's result looks like to the program that is traced."""
    if type(value) in (float, int, complex):
        return tensor(weak(value))
    if isinstance(value, ndarray | np.generic):
        return tensor(value if value.shape else np.asarray(value)[()])
    if type(value) is bool:
        return tensor(np.array(value))
    return value


def uncompiled(f: Any, args: Any, kwargs: Any) -> Any:
    """Return what a function returns itself, as plain values: as its replay does."""
    leaves, rebuild = flatten(f(*args, **kwargs))
    return rebuild([number_of(np.array(v._data)) if isinstance(v, Tensor) else v for v in leaves])
