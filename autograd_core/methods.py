"""NumPy's attributes and methods of a Tensor: a table where NumPy's signature is all there is to say.

At the end stands what a Tensor does not have and others do: asked for, it says what to write.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import ops
from .operators import Held
from .recording import record, record_primitive, record_wide1
from .rules import RULES


def _method(name: str) -> Any:
    fn = getattr(np, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self.__array_function__(fn, (), (self, *args), kwargs)

    method.__name__ = name
    method.__doc__ = f"See `numpy.{name}`."
    return method


def _attribute(name: str) -> Any:
    return property(lambda self: getattr(self._data, name), doc=f"See `numpy.ndarray.{name}`.")


class Methods(Held):
    """What a Tensor has as an ndarray has it."""

    __slots__ = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self._data.shape

    @property
    def dtype(self) -> Any:
        """Type of the entries."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._data.size

    @property
    def T(self) -> Any:
        """The axes in reverse order."""
        return record_wide1(ops.shape.TRANSPOSE, self, {"axes": None})

    @property
    def mT(self: Any) -> Any:
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
        return iter(self.reshape(-1))

    def reshape(self, *shape: Any, order: Any = "C", copy: bool | None = None) -> Any:
        """Return the entries in another shape."""
        metadata = {"shape": shape[0] if len(shape) == 1 else shape}
        if order != "C":
            metadata["order"] = order
        if copy is not None:
            metadata["copy"] = copy
        return record_primitive(ops.shape.RESHAPE, (self,), metadata)

    def transpose(self: Any, *axes: Any) -> Any:
        """Return the axes in another order."""
        return np.transpose(self, None if not axes or axes[0] is None else axes[0] if len(axes) == 1 else axes)

    def flatten(self: Any, order: Any = "C") -> Any:
        """Return a copy with one axis."""
        return np.ravel(self, order=order).copy()

    def copy(self, order: Any = "C") -> Any:
        """Return a recorded copy."""
        return record_wide1(RULES[np.copy], self, {"order": order})

    def astype(self, dtype: Any, order: Any = "K", casting: Any = "unsafe", subok: Any = True, copy: Any = True) -> Any:  # noqa: ARG002  (NumPy's signature)
        """Return the entries in another dtype; the gradient comes back in this one."""
        if not np.can_cast(self.dtype, dtype, casting):
            raise TypeError(f"cannot cast {self.dtype} to {np.dtype(dtype)} under the rule {casting!r}")
        return record(RULES[np.astype], (self,), {"dtype": np.dtype(dtype)})

    def conj(self: Any) -> Any:
        """Return the complex conjugate."""
        return np.conjugate(self)

    conjugate = conj

    def compress(self: Any, condition: Any, axis: int | None = None) -> Any:
        """See `numpy.compress`."""
        return np.compress(condition, self, axis=axis)

    def resize(self, *_: Any, **__: Any) -> None:
        """Refuse: a value does not change its shape."""
        raise TypeError("t.resize(...) is refused for Tensors: write np.resize(t, shape)")


AS_FUNCTIONS = (  # t.sum(axis=0) is np.sum(t, axis=0)
    "all any argmax argmin argpartition argsort choose clip cumprod cumsum diagonal dot max mean min nonzero prod "
    "ravel repeat round searchsorted squeeze std sum swapaxes take trace var"
).split()
AS_OF_THE_VALUE = "nbytes itemsize strides flags device".split()

for _name in AS_FUNCTIONS:
    setattr(Methods, _name, _method(_name))
for _name in AS_OF_THE_VALUE:
    setattr(Methods, _name, _attribute(_name))


# --- what others have -------------------------------------------------------------------------------------------------


class Elsewhere:
    """An attribute that Tensors do not have and others do: asked for, it says what to write.

    A `__getattr__` would say so, too, and cost each attribute of each Tensor 40 ns, a twentieth of a step of XOR.
    """

    __slots__ = ("hint", "name")

    def __init__(self, name: str, hint: str) -> None:
        self.name, self.hint = name, hint

    def __get__(self, t: Any, kind: Any = None) -> Any:
        raise AttributeError(f"a Tensor has no attribute {self.name!r}: write {self.hint}", name=self.name, obj=t)


ELSEWHERE = {
    "relu": "np.maximum(t, 0)",
    "sigmoid": "nn.sigmoid(t)",
    "softmax": "nn.softmax(t)",
    "log_softmax": "nn.log_softmax(t)",
    "mm": "t @ other",
    "norm": "np.linalg.norm(t)",
    "t": "t.T",
    "unsqueeze": "t[..., None]",
    "view": "t.reshape(shape)",
    "zero_grad": "t.grad = None",
    "add_": "t += other",
    "append": "np.append(t, values)",
    "clone": "t.copy()",
    "contiguous": "np.ascontiguousarray(t)",
    "cpu": "t.data; it is in memory",
    "cuda": "t; it stays in memory, there is no GPU",
    "dim": "t.ndim",
    "double": "t.astype(np.float64)",
    "expand": "np.broadcast_to(t, shape)",
    "float": "t.astype(np.float32)",
    "half": "t.astype(np.float16)",
    "is_cuda": "t; it stays in memory, there is no GPU",
    "long": "t.astype(np.int64)",
    "mul_": "t *= other",
    "numel": "t.size",
    "permute": "np.transpose(t, axes)",
    "repeat_interleave": "np.repeat(t, n)",
    "requires_grad_": "t.requires_grad = True",
    "retain_grad": "ag.grad or ag.vjp for the gradient by a result; only leaves have a grad",
    "sub_": "t -= other",
    "to": "t.astype(dtype); it stays in memory, there is no GPU",
    "type": "t.astype(dtype)",
    "value": "t.data",
}
for _name, _found in vars(np).items():
    if _name[0] != "_" and callable(_found) and not isinstance(_found, type):
        ELSEWHERE.setdefault(_name, f"np.{_name}(t)")


def say_elsewhere(kind: type) -> None:
    """Let a class say of every attribute that it does not have what to write instead."""
    for name, hint in ELSEWHERE.items():
        if not hasattr(kind, name):
            setattr(kind, name, Elsewhere(name, hint))
