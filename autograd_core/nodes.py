"""The tape: what one recorded operation is.

A node points at the nodes of its tracked operands and holds what their pullbacks named, nothing else. Results point at
nodes, nodes never at results, so a graph is freed as soon as nobody holds its end, and without the garbage collector.
Creation order is a topological order: `seq` is all that a walk has to sort by.

This module knows no Tensor. A walk that is itself to be recorded sees nodes through `Live`, which wraps what they keep.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from .pullbacks import same
from .rules import Op
from .spaces import Space

tick: Callable[[], int] = itertools.count(1).__next__
float64 = np.float64

Wrap = Callable[..., Any]  # (value, its own node, the node that keeps it, the place in that) -> what a pullback sees


LIGHT = {int, bool, float, str, type(None)}  # metadata without anything inside
FREED: Any = type("Freed", (), {"__repr__": lambda _: "freed"})()  # what stands for other metadata in a freed node


class Node:
    """An operation of one or two array arguments: `p` and `q` are where they came from, `a` and `b` what was kept.

    Flat slots, not tuples: one object for the garbage collector to follow instead of two made a chain of 100,000
    operations 1.6 times faster to record. `dtype` is a scalar type where the result is a scalar, whose values are all
    kept: they cost nothing, and pictures show them.
    """

    __slots__ = ("a", "ans", "b", "dtype", "note", "op", "p", "q", "seq", "shape")

    def __init__(self, op: Any, seq: int, shape: Any, dtype: Any, p: Any, q: Any, a: Any, b: Any, ans: Any) -> None:
        self.op = op
        self.seq = seq
        self.shape = shape
        self.dtype = dtype
        self.p = p
        self.q = q
        self.a = a
        self.b = b
        self.ans = ans

    @property
    def ndim(self) -> int:
        """Return the number of axes of the result."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Return the number of entries of the result."""
        return math.prod(self.shape)

    @property
    def parents(self) -> tuple[Node | None, ...]:
        """Return the nodes of the operands, None for an operand that is not tracked."""
        return (self.p, self.q)[: len(self.op.args)] if self.op else ()

    def release(self) -> None:
        """Let go of the values kept for the pullbacks; a scalar's stay."""
        if self.dtype is not float64:
            self.a = self.b = self.ans = None

    def __repr__(self) -> str:
        return f"<{self.op.name if self.op else 'leaf'} {Space(self.shape, self.dtype)!r}>"


class Wide(Node):
    """Any other operation: any number of array arguments, metadata, several results."""

    __slots__ = ("args", "kwargs", "sources")

    def __init__(
        self,
        op: Any,
        seq: int,
        shape: Any,
        dtype: Any,
        sources: tuple[Node | None, ...],
        args: tuple[Any, ...],
        ans: Any,
        kwargs: dict[str, Any],
    ) -> None:
        self.op = op
        self.seq = seq
        self.shape = shape
        self.dtype = dtype
        self.sources = sources
        self.args = args
        self.ans = ans
        self.kwargs = kwargs

    @property
    def parents(self) -> tuple[Node | None, ...]:
        """Return the nodes of the operands, None for an operand that is not tracked."""
        return self.sources

    def space(self, k: int) -> Any:
        """Return something with the shape and dtype of argument `k`."""
        return self.sources[k] or self.args[k]

    @property
    def spaces(self) -> list[Any]:
        """Return the spaces of all arguments."""
        return [s or a for s, a in zip(self.sources, self.args, strict=True)]

    def release(self) -> None:
        """Let go of the values kept for the pullbacks, and of arrays and functions among the metadata."""
        self.args, self.ans = (), None
        if self.kwargs:
            self.kwargs = {k: v if type(v) in LIGHT or _is_small(v) else FREED for k, v in self.kwargs.items()}


def _is_small(v: Any) -> bool:
    """Say whether metadata holds no array: axes, an index, a dtype."""
    if type(v) is tuple or type(v) is list:
        return all(type(part) in LIGHT or _is_small(part) for part in v)
    return isinstance(v, slice | np.dtype) or v is ...


class Leaf(Node):
    """Where gradients accumulate. It outlives graphs recorded from it; `updated` is the moment of its last change."""

    __slots__ = ("grad", "name", "updated")
    latest: ClassVar[int] = 0  # the last change of any leaf: a walk over younger operations need not look at each

    def __init__(self, shape: Any, dtype: Any, name: str | None = None) -> None:
        self.op = self.p = self.q = self.a = self.b = self.ans = None
        self.seq = tick()
        self.shape = shape
        self.dtype = dtype
        self.grad: Any = None
        self.name = name
        self.updated = 0

    def touch(self) -> None:
        """Note that the values have changed: what was recorded from them before is stale."""
        self.updated = tick()
        if self.updated > Leaf.latest:  # another thread may have been quicker
            Leaf.latest = self.updated

    def gradient(self) -> Any:
        """Return the gradient, its own by now if it was lent."""
        if type(self.grad) is Lent:
            self.grad = self.grad.array.copy()
        return self.grad


class Lent:
    """A gradient in a buffer of a compiled function, good until its next call: who asks for it gets a copy.

    Few ask; to give each leaf an array of its own at each step cost XOR with SGD 13 % of its time.
    """

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array


class Live:
    """A node seen by a recorded walk: the same attributes, with kept values wrapped, so that they have gradients."""

    __slots__ = ("node", "wrap")

    def __init__(self, node: Any, wrap: Wrap) -> None:
        self.node = node
        self.wrap = wrap

    def __getattr__(self, name: str) -> Any:
        """Return what is not a kept value from the node itself: spaces, metadata, parents."""
        return getattr(self.node, name)

    @property
    def a(self) -> Any:
        """The first operand of a narrow operation."""
        return self.wrap(self.node.a, self.node.p, self.node, 0)

    @property
    def b(self) -> Any:
        """The second one."""
        return self.wrap(self.node.b, self.node.q, self.node, 1)

    @property
    def args(self) -> tuple[Any, ...]:
        """The operands of a wide operation."""
        node, wrap = self.node, self.wrap
        return tuple([wrap(a, s, node, i) for i, (a, s) in enumerate(zip(node.args, node.sources, strict=True))])

    @property
    def kwargs(self) -> dict[str, Any]:
        """The metadata; what of it is recorded, an index for example, as Tensors."""
        node, wrap = self.node, self.wrap
        return {k: v if type(v) in LIGHT else wrap(v, None, node, k) for k, v in node.kwargs.items()}

    @property
    def ans(self) -> Any:
        """The result, or the results."""
        if self.node.op.outputs:
            return tuple([self.wrap(y, Pick(self.node, k), self.node, -1 - k) for k, y in enumerate(self.node.ans)])
        return self.wrap(self.node.ans, self.node, self.node, -1)


def _unpicked(*_: Any) -> Any:
    raise AssertionError("a pick is walked by the sweep itself")


PICK = Op(_unpicked, (same,), name="pick")
PICK.special = True


def Pick(node: Wide, k: int) -> Node:
    """Return the node of result `k` of an operation with several."""
    shape, dtype = node.shape[k], node.dtype[k]
    return Node(PICK, tick(), shape, dtype, node, None, k, None, None)
