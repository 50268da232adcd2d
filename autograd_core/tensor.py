"""The Tensor: a NumPy value that remembers how it was made.

Here is what a person does with a value: look at it, walk back from it, give it away. Its `operators`, NumPy's `methods`
and assignment `inplace` stand in files of their own, and lead, as the two protocols do, to the doors of `recording`.
"""

from __future__ import annotations

import operator
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import ops, recording
from .inplace import InPlace, dtype_key
from .methods import Elsewhere, Methods, say_elsewhere
from .nodes import Leaf, Lent, tick
from .notes import GraphError, annotate, checksum, source_line
from .operators import KNOWN, Operators
from .protocols import call, call_ufunc, narrow
from .recording import (
    again,
    plain,
    record1,
    record2,
    record_primitive,
    state_now,
    tensor,
    wrap,
)
from .rules import COMPOSITES, RULES, Door
from .signatures import Known, Signatures
from .spaces import array, has_tensors
from .state import PLAIN
from .sweep import pull_back

float64 = np.float64
ndarray = np.ndarray
new = object.__new__


def _has_own_ufuncs(x: Any) -> bool:
    """Say whether an operand speaks NumPy's ufunc protocol itself, so that its turn comes after ours."""
    return hasattr(type(x), "__array_ufunc__") and not isinstance(x, Tensor | ndarray | np.generic)


REMEDY = (
    "choose by np.where(condition, a, b), return the value from the recorded function and look at it outside, or pass "
    "what decides as a Python int, bool or str"
)


class Tensor(Signatures[Known], Operators, InPlace, Methods):
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

    __slots__ = ()

    def __init__(
        self, data: Any, *, requires_grad: bool | None = None, dtype: Any = None, name: str | None = None
    ) -> None:
        if isinstance(data, Tensor) and data._node is not None:
            solver = ops.detaching.solver(sys._getframe(1))
            hint = f"; {solver} hands back what a function returned: {ops.detaching.SOLVERS[solver]}" if solver else ""
            raise TypeError(
                "Tensor(t) of a tracked Tensor would lose its gradient: write t.copy() to stay connected, "
                f"t.detach() not to{hint}"
            )
        if isinstance(data, ndarray) and hasattr(data, "mask"):
            plain(data)  # which refuses it
        value = np.array(data._data if isinstance(data, Tensor) else data, dtype=dtype)
        kind = value.dtype.kind
        if kind not in "biufc":
            hint = (
                "; join Tensors with np.stack([...])"
                if isinstance(data, list | tuple | ndarray) and kind == "O"
                else ""
            )
            raise TypeError(f"a Tensor holds numbers, {type(data).__name__} gave dtype {value.dtype}{hint}")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"the name of a Tensor is a string, not {name!r}")
        if requires_grad and kind not in "fc":
            raise TypeError(
                f"requires_grad needs floats or complex numbers, not {value.dtype}: write Tensor(data, dtype=float)"
            )
        self._data = value if value.shape else value[()]
        tracked = kind in "fc" if requires_grad is None else requires_grad
        self._node = Leaf(value.shape, dtype_key(self._data), name) if tracked else None
        if (recorder := state_now().recorder) is not None:
            if isinstance(data, Tensor):
                recorder.record(np.array, (data,), {"dtype": dtype}, self)
            elif type(data) is ndarray or recorder.full:
                recorder.made(self, data)

    def __init_subclass__(cls) -> None:
        raise TypeError(
            "Tensor cannot be subclassed: an operation asks `type(x) is Tensor`, and returns Tensors; hold one instead"
        )

    # --- what it is -----------------------------------------------------------------------------------------------

    @property
    def data(self) -> Any:
        """The values, as NumPy has them. A leaf's may be written into; a recorded Tensor's are read-only."""
        state = state_now()
        if state is not PLAIN and state.recorder is not None:
            stand_in = state.recorder.stand_in(self)
            if stand_in is not None:
                return stand_in
        value = self._data
        if self._node is not None and self._node.op is not None and type(value) is ndarray:
            value = value.view()
            value.flags.writeable = False
        return value

    @data.setter
    def data(self, value: Any) -> None:
        if value is not self._data:
            self.assign(value)
        elif (node := self._node) is not None:
            node.updated = now = tick()  # as `touch` does, without a call
            if now > Leaf.latest:
                Leaf.latest = now

    def assign(self, value: Any) -> Tensor:
        """Give a leaf new values of the same shape, in its own dtype; graphs recorded from it before become stale."""
        node = self._node
        if node is not None and node.op is not None:
            raise GraphError(
                f"only a leaf takes new values; this Tensor is the result of {node.op.name}: use t.detach()"
            )
        given, value = value, plain(value)
        if np.shape(value) != self.shape:
            raise ValueError(f"cannot assign values of shape {np.shape(value)} to a Tensor of shape {self.shape}")
        if np.asarray(value).dtype.kind == "c" and self.dtype.kind != "c":
            raise TypeError(f"cannot assign complex values to a Tensor of dtype {self.dtype}")
        if (recorder := state_now().recorder) is not None:
            recorder.assign(self, given)
        if type(self._data) is ndarray and self._data.flags.writeable:
            self._data[...] = value
        else:
            self._data = np.array(value, self.dtype)[()]
        if node is not None:
            node.touch()
        return self

    def place(self, values: Any) -> Tensor:
        """Let the values of a leaf live in a given array, part of an optimizer's flat buffer; they are copied into it.

        Examples
        --------
        >>> buffer = np.zeros(5)
        >>> w = Tensor([[1.0, 2.0]]).place(buffer[:2].reshape(1, 2))
        >>> buffer *= 2
        >>> buffer, w
        (array([2., 4., 0., 0., 0.]), Tensor([[2., 4.]]))
        """
        if type(values) is not ndarray or values.shape != self.shape or values.dtype != self.dtype:
            raise ValueError(f"place() needs an array of shape {self.shape} and dtype {self.dtype}")
        if type(self._node) is not Leaf:
            raise GraphError("only a tracked leaf can be placed into a buffer")
        if (recorder := state_now().recorder) is not None:
            recorder.placed(self)
        values[...] = self._data
        self._data, self._var = values, None  # to a recorder it is memory from around
        self._node.touch()
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
            key = id(self)
            _asleep[key] = self._node, checksum(self._data), weakref.ref(self, lambda _: _asleep.pop(key, None))
            self._node = None
        elif self.dtype.kind not in "fc":
            raise TypeError(f"requires_grad needs floats or complex numbers, not {self.dtype}: write t.astype(float)")
        else:
            leaf, before, _ = _asleep.pop(id(self), (None, 0, None))
            if leaf is None or leaf.shape != self.shape or leaf.dtype != dtype_key(self._data):
                leaf = Leaf(self.shape, dtype_key(self._data))
            elif checksum(self._data) != before:
                leaf.touch()
            leaf.grad = None
            self._node = leaf

    @property
    def is_leaf(self) -> bool:
        """Is this Tensor made by the user rather than by an operation?"""
        return self._node is None or self._node.op is None

    @property
    def grad(self) -> np.ndarray[Any, np.dtype[Any]] | None:
        """The gradient accumulated by `backward`, None before; only leaves have one."""
        if type(self._node) is not Leaf:
            return None
        found = self._node.grad
        if type(found) is Lent:
            found = self._node.gradient()
        if type(found) is not Tensor and (recorder := state_now().recorder) is not None:
            stand_in = recorder.earlier_gradient(self._node)
            return found if stand_in is None else stand_in
        return found

    @grad.setter
    def grad(self, value: Any) -> None:
        if type(self._node) is not Leaf:
            raise GraphError(f"only a tracked leaf has a gradient to set, and this is {self._label()}")
        recorder = state_now().recorder
        recorded = recorder is not None
        if value is not None:
            given, value = value, plain(value)
            if np.shape(value) != self.shape:
                raise ValueError(f"a gradient of shape {np.shape(value)} for a Tensor of shape {self.shape}")
            if np.asarray(value).dtype.kind == "c" and self.dtype.kind != "c":
                raise TypeError(f"a complex gradient for a Tensor of dtype {self.dtype}")
            if type(given) is Tensor and recorded and given.dtype != self.dtype:
                given = given.astype(self.dtype)
            value = given if type(given) is Tensor and recorded else np.asarray(value, self.dtype)[()]
        if recorder is not None:
            recorder.gradient(self._node, value)
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
            if self.dtype.kind not in "fc":
                raise GraphError(
                    f"a Tensor of {self.dtype} is not differentiated: write ag.Tensor(2.0), not ag.Tensor(2)"
                )
            raise GraphError(
                "backward() from a Tensor that depends on no tracked Tensor: was it computed under "
                "no_grad() or from .data?"
            )
        state = state_now()
        live = state.recorder is not None
        seed = _seed(self, gradient)
        found = pull_back({node: seed}, wrap=wrap if live else None, free=not (retain_graph or live))
        _accumulate(found, state.recorder)

    def detach(self) -> Tensor:
        """Return an untracked Tensor with the same values (shared, read-only)."""
        value = self._data
        if state_now().recorder is not None:
            return again(self)
        if type(value) is ndarray:
            value = value.view()
            value.flags.writeable = False
        return tensor(value)

    def item(self, *args: Any) -> Any:
        """Return the value of a Tensor with one entry as a Python number."""
        self._not_recorded(".item")
        return self._data.item(*args)

    def numpy(self) -> Any:
        """Return a copy of the values as an ndarray."""
        self._not_recorded(".numpy")
        return np.array(self._data)

    def tolist(self) -> Any:
        """Return the values as Python numbers in nested lists."""
        self._not_recorded(".tolist")
        return self._data.tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """Return the bytes of the values."""
        self._not_recorded(".tobytes")
        return bytes(self._data.tobytes(order))

    def _sum_in_front(self, axis: tuple[int, ...]) -> Any:
        """Be summed as `spaces.project` sums."""
        return ops.reduce.sum_in_front(self, axis=axis)

    def _label(self) -> str:
        return f"{self.name!r}" if self.name else f"a Tensor of shape {self.shape}"

    # --- Python's protocols ---------------------------------------------------------------------------------------

    def __len__(self) -> int:
        if type(self._data) is not ndarray:
            raise TypeError("len() of a Tensor without axes")
        return len(self._data)

    def __iter__(self) -> Iterator[Tensor]:
        if type(self._data) is not ndarray:
            raise TypeError("iteration over a Tensor without axes")
        return (self[i] for i in range(len(self._data)))

    def __contains__(self, value: Any) -> bool:
        self._not_recorded("in")
        return bool(np.any(plain(value) == self._data))

    def __bool__(self) -> bool:
        self._not_recorded("bool")
        return bool(self._data)

    def _not_recorded(self, what: str) -> None:
        if (recorder := state_now().recorder) is not None:
            recorder.asked(what)  # a recorder may know better what to write instead
            raise GraphError(
                f"{_spelt(what)} of a Tensor under {recorder.title} (at {source_line()}): its value would be "
                f"baked into what is recorded; {REMEDY}"
            )

    def _refuse_detaching(self, what: str) -> None:
        self._not_recorded(what)
        if self._node is not None:
            words, replaced = ops.detaching.sentence(_spelt(what), sys._getframe(2))
            raise GraphError(words) if replaced else TypeError(words)

    def __float__(self) -> float:
        self._refuse_detaching("float")
        return float(self._data)

    def __int__(self) -> int:
        self._refuse_detaching("int")
        return int(self._data)

    def __complex__(self) -> complex:
        self._refuse_detaching("complex")
        return complex(self._data)

    def __index__(self) -> int:
        self._refuse_detaching("index")
        return operator.index(self._data)

    def __round__(self, digits: int | None = None) -> Any:
        if type(self._data) is ndarray or state_now().recorder is not None:
            return np.round(self, digits or 0)
        return round(self._data, digits)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if (
            "scipy.sparse" in sys.modules
            and (self._node is not None or state_now().recorder is not None)
            and ops.late.asked(sys._getframe(1)) == "sparse"
        ):
            found = np.empty((), object)  # an object without axes means "ask the other operand" to a sparse matrix
            found[()] = self
            return found
        self._refuse_detaching("np.asarray")
        return np.array(self._data, dtype, copy=copy)

    def __dlpack__(self, **kwargs: Any) -> Any:
        self._refuse_detaching("DLPack")
        return np.asarray(self._data).__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return np.asarray(self._data).__dlpack_device__()

    def __format__(self, spec: str) -> str:
        self._not_recorded("format")
        number = spec and not self._data.shape  # a leaf placed into a buffer is an array of no axes
        if spec and not number and spec[-1] in "bcdeEfFgGnoxX%":
            raise TypeError(
                f"the format {spec!r} is of one number, this Tensor has the shape {self.shape}: write t.item() if it "
                f"has one entry, else np.array2string(t.data, precision=3)"
            )
        return format(self._data[()], spec) if number else format(str(self._data), spec)

    def __str__(self) -> str:
        self._not_recorded("str")
        return str(self._data)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if type(vars(Tensor).get(name)) is not Elsewhere]

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
        return tensor(value, self._node) if state_now().recorder is None else again(self, self._node)

    def __reduce__(self) -> Any:
        if self._node is not None and self._node.op is not None:
            raise TypeError(
                f"the result of {self._node.op.name} cannot be pickled with its graph; pickle t.detach() or t.data"
            )
        return _restore, (np.asarray(self._data), self.requires_grad, self.name, self.grad)

    # --- NumPy's protocols ----------------------------------------------------------------------------------------

    __array_priority__ = 1000

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if not (type(inputs[0]) in KNOWN and type(inputs[-1]) in KNOWN):
            if any(map(_has_own_ufuncs, inputs)):
                return NotImplemented
            inputs = tuple([array(a) if type(a) is list and has_tensors(a) else a for a in inputs])
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
        return (
            body(*args, **kwargs)
            if body is not None and len(args) < 2 and "out" not in kwargs
            else call(fn, args, kwargs)
        )


def _spelt(what: str) -> str:
    return what if what in ("in", "DLPack") else what + "()"


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
                f"backward() of a Tensor of shape {t.shape} needs gradient=, an array of that shape; or "
                "reduce it first, for example with np.sum"
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


ACCUMULATING = threading.Lock()  # two threads may reach the same leaf


def _accumulate(found: dict[Any, Any], recorder: Any) -> None:
    """Add the cotangents found to the leaves; nothing has been changed before, so an error has cost nothing."""
    taken: set[int] = set()
    with ACCUMULATING:
        _add_to_leaves(found, recorder, taken)


def _add_to_leaves(found: dict[Any, Any], recorder: Any, taken: set[int]) -> None:
    for leaf, g in found.items():
        if not leaf.shape and type(g) is ndarray:
            g = g[()]
        if recorder is not None:
            g = again(g if type(g) is Tensor else _as_tensor(g, recorder))
            if leaf.gradient() is not None:  # of an earlier backward, or older: a recorder knows what stands for it
                before = leaf.grad if type(leaf.grad) is Tensor else recorder.earlier_gradient(leaf)
                before = tensor(leaf.grad) if before is None else before
                g = again(before + g)
            recorder.gradient(leaf, g)
        elif leaf.grad is not None:
            g = leaf.gradient() + g
        elif type(g) is ndarray and (g.base is not None or id(g) in taken):
            g = g.copy()  # a view, or the same array for two leaves: y = a + b
        taken.add(id(g))
        leaf.grad = g


def _as_tensor(g: Any, recorder: Any) -> Tensor:
    """Return a plain cotangent as a Tensor that a recorder knows."""
    return wrap(g, None) if recorder.full and type(g) is ndarray else tensor(g)


# Leaves whose gradient is not wanted for now, by the identity of their Tensors: what was recorded from one before it
# was switched off still ends in it when it is switched on again.
_asleep: dict[int, tuple[Leaf, int, Any]] = {}


say_elsewhere(Tensor)
KNOWN.add(Tensor)
recording.Tensor = Tensor
recording.ARRAYS = {Tensor, ndarray}
Door.kind, Door.record = Tensor, staticmethod(record_primitive)
