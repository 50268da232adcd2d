"""The plan: a recorded program as plain data, which any executor may run.

A plan is a list of steps over numbered slots. A slot is a place for one value; what stands in it, and when, its `kind`
says:

    input       an argument of the call: an array, a NumPy scalar, a Python number, a random generator
    tensor      the array of a Tensor that the program took from around it (a parameter): read anew at every call, at
                the moment of the step that uses it, since assignments may have changed it
    grad        the gradient that such a leaf had when the program was called
    constant    an array or a number that is the same at every call; an array is held by reference
    value       the result of a step

and its `space` says the shape and the dtype (None for what is no array; `weak` for Python numbers, which take the
dtype of what they meet). A step is one of

    effect ""         out = fn(*args, **kwargs), a function of its arguments alone: it may be merged, moved, left out
    effect "call"     the same, but fn is to be called at every replay, exactly there (random draws, rates)
    effect "check"    fn returns nothing and raises at some values; it is not left out
    effect "assign"   target (a Tensor) gets the value args[0]
    effect "grad"     target (a leaf) gets the gradient args[0]; None in its place forgets the one it has

`args` and `kwargs` hold `Ref`s to slots wherever the program had a traced value, also inside tuples, lists and slices;
everything else in them is literal. `outs` numbers the slots of the results (one, or one for each of a tuple's).
Steps stand in the order of execution; steps with an effect keep theirs among all others.

Executors: `run.executor(plan)` chooses. A plan all of whose values are single floats is a scalar graph, and is given to
`scalars.executor(plan)` if that returns one (a function from the list of the values of `plan.inputs` to the list of the
values of `plan.outputs`); every other plan becomes straight-line NumPy source: `forms.py` tells what each step is,
`memory.py` lays out the buffers, `kernels.py` and `blocks.py` know how each form is written down, `writer.py` holds the
source under construction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


class Ref:
    """A slot, where it stands among the arguments of a step."""

    __slots__ = ("slot",)

    def __init__(self, slot: int) -> None:
        self.slot = slot

    def __repr__(self) -> str:
        return f"%{self.slot}"

    def __eq__(self, other: object) -> bool:
        return type(other) is Ref and other.slot == self.slot

    def __hash__(self) -> int:
        return hash(("Ref", self.slot))


class Slot:
    """A place for one value."""

    __slots__ = ("axes", "dtype", "epoch", "forc", "kind", "number", "shape", "size", "source", "weak")

    def __init__(self, number: int, kind: str, shape: Any, dtype: Any, source: Any, weak: bool, epoch: int) -> None:
        self.number = number
        self.kind = kind
        self.shape = shape  # None for what is no array
        self.size = math.prod(shape) if shape else 1
        self.dtype = dtype
        self.source = source  # the Tensor, the leaf or the constant
        self.weak = weak
        self.forc = True  # did its array lie in memory without gaps, in either order, when it was recorded?
        self.axes: tuple[int, ...] | None = None  # from the slowest to the fastest, where that is not their own order
        self.epoch = epoch  # which state of the memory a slot of kind "tensor" stands for

    @property
    def ref(self) -> Ref:
        """Return what stands for it among arguments."""
        return Ref(self.number)

    @property
    def nbytes(self) -> int:
        """Return the bytes of its value."""
        return self.size * self.dtype.itemsize if self.dtype is not None else 0

    def __repr__(self) -> str:
        space = "" if self.dtype is None else f" {self.dtype}{list(self.shape)}"
        return f"%{self.number} {self.kind}{space}"


class Step:
    """One operation."""

    __slots__ = ("_of", "_reads", "args", "effect", "fn", "form", "kwargs", "outs", "shares", "target", "told", "tuple")

    def __init__(
        self,
        fn: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        outs: tuple[int, ...],
        told: Any = None,
        several: bool = False,
        reads: tuple[int, ...] | None = None,
        effect: str = "",
        target: Any = None,
    ) -> None:
        self.fn = fn  # to be called with plain values
        self.args = args
        self.kwargs = kwargs
        self.outs = outs
        self.effect = effect
        self.target = target
        self.told = told if told is not None else fn  # under which name the recorder was told: what a rule is known by
        self.tuple = several  # does fn return a tuple, also of one result?
        self.form = ""  # what it is, in a word of `forms.form_of`, once the passes are through
        self.shares: tuple[int, ...] = ()  # operands with which a result may share memory
        self._reads = reads  # the slots in arguments
        self._of = None if reads is None else args  # these arguments

    @property
    def name(self) -> str:
        """Return the name of the operation."""
        if self.effect in ("assign", "grad"):
            return self.effect
        fn = getattr(self.told, "func", self.told)
        return str(getattr(fn, "__name__", fn))

    @property
    def reads(self) -> tuple[int, ...]:
        """Return the slots that are read, with repetitions."""
        if self._of is not self.args:
            self._of, self._reads = self.args, tuple(refs((self.args, self.kwargs)))
        return self._reads  # type: ignore[return-value]

    def exchange(self, by: dict[int, Any]) -> None:
        """Read other slots, or literals, in place of some."""
        if by and not by.keys().isdisjoint(self.reads):
            self.args, self.kwargs = replaced(self.args, by), replaced(self.kwargs, by)
            self._of = None
            self.shares = tuple(refs([by.get(k, Ref(k)) for k in self.shares]))

    def __repr__(self) -> str:
        return f"{self.outs} = {self.name}{self.args}{self.kwargs or ''}"


class Plan:
    """Slots, steps, what goes in and what comes out."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.steps: list[Step] = []
        self.inputs: list[int] = []  # slots, in the order of the leaves of the arguments that are passed in
        self.outputs: list[Any] = []  # Ref or a literal, for each leaf of the result
        self.rebuild: Callable[[list[Any]], Any] = list  # from the leaves of the result to the result
        self.guards: list[tuple[Any, Any]] = []  # (read, expected): what must be as it was for the plan to hold
        self.finite = False  # recorded without the masks of scalars: no answer where a value is not finite
        self.notes: dict[str, Any] = {}  # what passes found out: buffers, groups, bytes

    def slot(
        self,
        kind: str,
        shape: Any,
        dtype: Any,
        value: Any = None,
        source: Any = None,
        weak: bool = False,
        epoch: int = 0,
    ) -> Slot:
        """Add a slot; `value` is what stood there when it was recorded."""
        made = Slot(len(self.slots), kind, shape, dtype, source, weak, epoch)
        if shape and type(value) is np.ndarray and not value.flags.c_contiguous:
            axes = tuple(sorted(range(value.ndim), key=lambda i: (-abs(value.strides[i]), i)))
            made.axes = None if axes == tuple(range(value.ndim)) else axes
            made.forc = value.flags.forc
        self.slots.append(made)
        return made

    def __str__(self) -> str:
        from .show import text

        return text(self)


def refs(tree: Any) -> list[int]:
    """Return the slots in a structure of arguments.

    Examples
    --------
    >>> refs((Ref(3), [Ref(1), 2.0], {"index": (slice(None), Ref(3))}))
    [3, 1, 3]
    """
    found: list[int] = []
    _gather(tree, found)
    return found


def _gather(tree: Any, found: list[int]) -> None:
    kind = type(tree)
    if kind is Ref:
        found.append(tree.slot)
    elif kind is tuple or kind is list or isinstance(tree, SEQUENCES):
        for part in tree:
            if type(part) is Ref:
                found.append(part.slot)
            elif type(part) not in ATOMS:
                _gather(part, found)
    elif kind is dict:
        for part in tree.values():
            _gather(part, found)
    elif kind is slice:
        _gather((tree.start, tree.stop, tree.step), found)


ATOMS = {int, float, bool, str, type(None), np.float64, np.float32}
SEQUENCES = (tuple, list)  # a union of types would be built anew at every call


def replaced(tree: Any, by: dict[int, Any]) -> Any:
    """Return a structure of arguments with some slots exchanged for others, or for literals."""
    kind = type(tree)
    if kind is Ref:
        return by.get(tree.slot, tree)
    if kind in ATOMS:
        return tree
    if kind is tuple:
        return tuple([replaced(part, by) for part in tree])
    if kind is dict:
        return {k: replaced(v, by) for k, v in tree.items()}
    if kind is slice:
        return slice(*replaced((tree.start, tree.stop, tree.step), by))
    if isinstance(tree, SEQUENCES):
        parts = [replaced(part, by) for part in tree]
        return kind(*parts) if hasattr(tree, "_fields") else kind(parts)
    return tree
