"""Operators: Python's signs between Tensors, NumPy's values and whatever else has a turn; reading entries."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from . import ops
from .nodes import Wide, tick
from .notes import annotate
from .protocols import call_constant
from .recording import NOTHING_KEPT, plain_index, record1, record2, state_now
from .rules import RULES
from .spaces import array
from .state import PLAIN

float64 = np.float64
ndarray = np.ndarray
new = object.__new__
KNOWN: set[Any] = {ndarray, float, int, float64}  # types of operands that need no second look; the Tensor joins them
GETITEM, SETITEM = ops.index.GETITEM, ops.index.SETITEM


def _binary(fn: np.ufunc, compute: Callable[..., Any]) -> tuple[Any, Any]:
    op = RULES[fn].told_as(compute) if compute is operator.pow else RULES[fn]  # x**0.5 is a square root

    def forward(self: Any, other: Any) -> Any:
        if type(other) in KNOWN:
            return record2(op, compute, self, other)
        if _is_array_like(other):
            return record2(op, compute, self, array(other) if isinstance(other, list | tuple) else other)
        return _left_to(fn, self, other)

    def reflected(self: Any, other: Any) -> Any:
        if type(other) in KNOWN:
            return record2(op, compute, other, self)
        if _is_array_like(other):
            return record2(op, compute, array(other) if isinstance(other, list | tuple) else other, self)
        return ops.sparse.product(other, self, False) if _sparse_factor(fn, other) else NotImplemented

    return forward, reflected


def _is_array_like(other: Any) -> bool:
    """Say whether an operand is a number, an array or a list of them, rather than an object with ideas of its own."""
    if isinstance(other, Operators | ndarray | np.generic | int | float | complex | list | tuple):
        return True
    return hasattr(other, "__array__") and not hasattr(other, "__array_ufunc__")


def _sparse_factor(fn: np.ufunc, other: Any) -> bool:
    return fn is np.matmul and ops.sparse.is_sparse(other)


def _left_to(fn: np.ufunc, t: Any, other: Any) -> Any:
    """Give an unknown operand its turn, as ndarray does: by its ufunc protocol, else by its reflected operator."""
    if _sparse_factor(fn, other):
        return ops.sparse.product(other, t, True)
    return fn(t, other) if getattr(other, "__array_ufunc__", None) is not None else NotImplemented


def _constant_binary(fn: np.ufunc, compute: Callable[..., Any], swapped: bool = False) -> Any:
    anything = (np.equal, np.not_equal)  # None, an object of no kind: NumPy compares every entry with it

    def method(self: Any, other: Any) -> Any:
        known = type(other) in KNOWN or _is_array_like(other) or type(other) is str
        if not known and (fn not in anything or hasattr(type(other), "__array_ufunc__")):
            return _left_to(fn, self, other)
        if state_now().recorder is not None:
            return call_constant(fn, (other, self) if swapped else (self, other), {})
        a, b = self._data, other._data if type(other) is type(self) else other
        return compute(b, a) if swapped else compute(a, b)

    return method


def _square(x: Any) -> Any:
    return x**2


SQUARE = RULES[np.square].told_as(_square)  # of a scalar it is C's pow, and one in a thousand has another last bit


class Held:
    """What a Tensor is made of; where a part of its class asks for what another has, ``self`` is of any type."""

    __slots__ = ("__weakref__", "_data", "_node", "_var")

    _data: Any  # an array, or a scalar of NumPy's
    _node: Any  # on the tape; None if untracked
    _var: Any  # the variable that it is to a recorder; set and read while one listens, by nobody else


class Operators(Held):
    """What a Tensor does between signs."""

    __slots__ = ()

    __add__, __radd__ = _binary(np.add, operator.add)
    __sub__, __rsub__ = _binary(np.subtract, operator.sub)
    __mul__, __rmul__ = _binary(np.multiply, operator.mul)
    __truediv__, __rtruediv__ = _binary(np.true_divide, operator.truediv)
    __mod__, __rmod__ = _binary(np.remainder, operator.mod)
    __matmul__, __rmatmul__ = _binary(np.matmul, ops.products.matmul)
    _power, _rpower = _binary(np.power, operator.pow)

    def __pow__(self: Any, other: Any) -> Any:
        if type(other) in (int, float) and other == 2 and self.dtype.kind in "fc":
            return record1(SQUARE, _square, self)
        return self._power(other)

    def __rpow__(self, other: Any) -> Any:
        python = type(other) is complex and type(self._data) is float64  # of both Python would compute the result
        return self._rpower(np.complex128(other) if python else other)

    def __floordiv__(self: Any, other: Any) -> Any:
        return np.floor_divide(self, other)

    def __rfloordiv__(self: Any, other: Any) -> Any:
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

    __lt__ = _constant_binary(np.less, operator.lt)
    __le__ = _constant_binary(np.less_equal, operator.le)
    __gt__ = _constant_binary(np.greater, operator.gt)
    __ge__ = _constant_binary(np.greater_equal, operator.ge)
    __eq__ = _constant_binary(np.equal, operator.eq)
    __ne__ = _constant_binary(np.not_equal, operator.ne)
    __and__ = __rand__ = _constant_binary(np.bitwise_and, operator.and_)
    __or__ = __ror__ = _constant_binary(np.bitwise_or, operator.or_)
    __xor__ = __rxor__ = _constant_binary(np.bitwise_xor, operator.xor)
    __lshift__ = _constant_binary(np.left_shift, operator.lshift)
    __rlshift__ = _constant_binary(np.left_shift, operator.lshift, swapped=True)
    __rshift__ = _constant_binary(np.right_shift, operator.rshift)
    __rrshift__ = _constant_binary(np.right_shift, operator.rshift, swapped=True)
    __hash__ = object.__hash__

    def __invert__(self) -> Any:
        return call_constant(np.invert, (self,), {})

    def __getitem__(self, index: Any) -> Any:
        where = index if type(index) is int or type(index) is slice else plain_index(index)
        ans = self._data[where]
        if type(ans) is ndarray and not ans.shape:  # of t[..., 0] NumPy makes an array without axes
            ans = ans[()]
        node, state = self._node, state_now()
        t = new(self.__class__)
        t._data = ans
        if node is None or (state is not PLAIN and not state.grad):
            t._node = None
        else:
            if node.op is SETITEM and type(ans) is ndarray and 8 * ans.nbytes <= self._data.nbytes and not state.debug:
                t._data = ans = ans.copy()  # a view that is kept would make the next assignment copy the whole
            t._node = n = new(Wide)
            n.op = GETITEM
            n.seq = tick()
            n.shape = ans.shape
            n.dtype = float64 if type(ans) is float64 else ans.dtype
            n.sources = (node,)
            n.args = NOTHING_KEPT
            n.ans = None
            n.kwargs = {"index": where}
        if state is not PLAIN and state.noted:
            annotate(state, t, GETITEM, (self,), {"index": index})
        return t
