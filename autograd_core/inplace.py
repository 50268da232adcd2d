"""Assignment in place: ``t[i] = x``, ``t += x``, ``t.sort()`` give a Tensor another value and another node.

A value that somebody else can see is never written into: the Tensor takes a new one, and views of the old keep theirs.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from . import ops
from .nodes import Leaf, Wide, tick
from .notes import GraphError, annotate, report_views
from .operators import Held
from .recording import again, plain, plain_index, state_now, tensor
from .rules import COMPOSITES
from .spaces import array, has_tensors, space_of
from .state import PLAIN

float64 = np.float64
ndarray = np.ndarray
GETITEM, SETITEM = ops.index.GETITEM, ops.index.SETITEM
_getrefcount = getattr(sys, "getrefcount", lambda _: 1000)
_ALONE = 3  # the Tensor's slot, the local name, getrefcount's own argument


def _inplace(compute: Callable[..., Any]) -> Any:
    def method(self: Any, other: Any) -> Any:
        self._become(compute(self, other))
        return self

    return method


def dtype_key(value: Any) -> Any:
    """Return the dtype as nodes have it: the type itself for the commonest of all."""
    return float64 if type(value) is float64 else value.dtype


class InPlace(Held):
    """What a Tensor does that changes it."""

    __slots__ = ()

    def _become(self: Any, other: Any) -> None:
        """Take over the value and the node of a result, as an in-place operation does."""
        if type(self._node) is Leaf:
            if state_now().grad:
                raise GraphError(
                    f"in-place change of {self._label()}, a leaf: its gradient would be lost. To update a "
                    "parameter write p.data -= ... or "
                    f"p.assign(...); to compute, start from y = x.copy()"
                )
            self.assign(other)
            return
        if self._node is not None and not state_now().grad:
            raise GraphError(
                f"in-place change of the result of {self._node.op.name} under no_grad() would lose its gradient: "
                f"use t.detach().copy()"
            )
        if (recorder := (state := state_now()).recorder) is not None:
            recorder.changing(self)
        value = other._data if type(other) is type(self) else plain(other)
        if np.shape(value) != self.shape:
            raise ValueError(f"an in-place operation cannot turn shape {self.shape} into {np.shape(value)}")
        if value.dtype != self.dtype:
            if not np.can_cast(value.dtype, self.dtype, "same_kind"):
                raise TypeError(f"an in-place operation cannot turn {self.dtype} into {value.dtype}")
            other = other.astype(self.dtype) if type(other) is type(self) else value.astype(self.dtype)
            value = other._data if type(other) is type(self) else other
        if state.debug:
            report_views(self._data, value)
        self._data = value
        self._node = other._node if type(other) is type(self) else None
        if recorder is not None:
            recorder.become(self, other)

    def __setitem__(self: Any, index: Any, value: Any) -> None:
        """Assign into a copy that takes the place of the old value; into that itself if nobody else can see it."""
        node, old, state = self._node, self._data, state_now()
        self._refuse_assignment(state)
        where = plain_index(index)
        value = array(value) if type(value) is list and has_tensors(value) else value
        source = value._node if type(value) is type(self) and state.grad else None
        given = plain(value)
        if np.asarray(given).dtype.kind == "c" and old.dtype.kind != "c":
            raise TypeError(f"cannot assign complex values into a Tensor of dtype {old.dtype}")
        if source is not None and old.dtype.kind not in "fc":
            raise TypeError(
                f"cannot assign a tracked value into a Tensor of dtype {old.dtype}: its gradient would be lost"
            )
        if type(old) is not ndarray:
            old = np.array(old)
        elif type(node) is Leaf:  # under no_grad: an update, in its own array
            if state.recorder is not None:
                self.assign(ops.index.setitem(tensor(old), value, index=index))
                return
        elif not (old.base is None and old.flags.writeable and _getrefcount(old) <= _ALONE):
            old = old.copy()
        before = None if state.recorder is None else again(self, node)
        old[where] = given
        if state.debug:
            report_views(self._data, old)
        self._data = old if old.shape else old[()]
        if type(node) is Leaf:
            node.touch()
        elif node is not None or source is not None:
            space = None if source is not None else space_of(given)
            self._node = Wide(
                SETITEM,
                tick(),
                old.shape,
                dtype_key(self._data),
                (node, source),
                (None, space),
                None,
                {"index": where},
            )
        if state is not PLAIN and state.noted:
            annotate(state, self, SETITEM, (before, value), {"index": index})

    def _refuse_assignment(self: Any, state: Any) -> None:
        """Raise where an assignment would do less, or more, than NumPy's."""
        node = self._node
        if node is None or node.op is not None:
            if node is not None and not state.grad:
                raise GraphError(
                    f"assignment into the result of {node.op.name} under no_grad() would lose its "
                    "gradient: use t.detach().copy()"
                )
            if state.recorder is not None:
                state.recorder.changing(self)
            if self._is_view():
                raise GraphError(
                    "assignment through a view would not reach the Tensor it was taken from, as it would "
                    "in NumPy: write "
                    "y[index] = value on the Tensor itself, or v = v.copy() first if only the view shall change"
                )
        elif state.grad:
            raise GraphError(
                f"assignment into {self._label()}, a leaf: its gradient would be lost. Start from y = "
                "x.copy(), build in "
                "y = Tensor(np.zeros(shape), requires_grad=False), or update a parameter by p.assign(...)"
            )

    def _is_view(self) -> bool:
        """Say whether NumPy would have this share memory with another array that somebody can still see."""
        node, value = self._node, self._data
        if node is not None and node.op is GETITEM:
            return ops.index.is_basic(node.kwargs["index"]) and type(value) is ndarray
        if type(value) is not ndarray or value.base is None:
            return False
        return _getrefcount(value.base) > 2  # the view's, and getrefcount's own

    __iadd__ = _inplace(operator.add)
    __isub__ = _inplace(operator.sub)
    __imul__ = _inplace(operator.mul)
    __itruediv__ = _inplace(operator.truediv)
    __ipow__ = _inplace(operator.pow)
    __imatmul__ = _inplace(operator.matmul)
    __imod__ = _inplace(operator.mod)
    __ifloordiv__ = _inplace(operator.floordiv)

    def fill(self, value: Any) -> None:
        """Set every entry."""
        self[...] = value

    def sort(self: Any, axis: int = -1, **kwargs: Any) -> None:
        """Sort in place."""
        self._refuse_assignment(state_now())
        self._become(np.sort(self, axis, **kwargs))

    def partition(self: Any, kth: Any, axis: int = -1, **kwargs: Any) -> None:
        """Sort in place as far as to have the entries at `kth` where they belong."""
        self._refuse_assignment(state_now())
        self._become(np.partition(self, kth, axis, **kwargs))

    def put(self, indices: Any, values: Any, mode: str = "raise") -> None:
        """Set entries counted along the raveled array."""
        COMPOSITES[np.put](self, indices, values, mode)
