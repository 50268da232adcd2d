"""A function and its gradient, written by anybody in anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..tensor import Tensor
from ..tree import flatten
from .foreign import like, to_numpy
from .names import name_of, named_leaves
from .programs import Array, Program, Pull, Slot, argument_of, is_float, refuse_integers, wanted


class Pair(Program):
    """A function and its gradient, written by anybody in anything."""

    differentiates = "the gradient"

    def __init__(self, f: Callable[..., Any], gradient: Callable[..., Any], args: tuple[Any, ...], wrt: Any) -> None:
        self.f, self.gradient = f, gradient
        self.name = name_of(f)
        self.leaves, self.rebuild = flatten(args)
        names = named_leaves(f, args)
        positions, held = wanted(wrt, len(args))
        if held:
            raise TypeError("with gradient= only arguments can be checked: wrt= takes their numbers")
        chosen = [k for k, i in enumerate(argument_of(args)) if positions is None or i in positions]
        arrays = {k: to_numpy(self.leaves[k]) for k in chosen}
        if positions is not None:
            refuse_integers([(names[k], arrays[k]) for k in chosen])
        self.slots = [Slot(names[k], a, k) for k, a in arrays.items() if is_float(a)]
        if not self.slots:
            refuse_integers([(names[k], a) for k, a in arrays.items()])
            raise TypeError("gradcheck needs an argument of floats to differentiate by")
        first: dict[int, int] = {}
        self.twins = [first.setdefault(id(self.leaves[s.place]), k) for k, s in enumerate(self.slots)]
        moved = {s.place for s in self.slots}
        self.constants = {
            k: (names[k], np.array(a))
            for k, a in enumerate(self.leaves)
            if isinstance(a, np.ndarray) and k not in moved and a.dtype != object
        }

    def _call(self, f: Callable[..., Any], xs: Sequence[Array]) -> list[Any]:
        leaves = list(self.leaves)
        given: list[Any] = []
        for slot, x, twin in zip(self.slots, xs, self.twins, strict=True):
            # One array in two places is one array, unless its two roles have to be moved apart.
            same = twin < len(given) and np.array_equal(x, xs[twin], equal_nan=True)
            leaves[slot.place] = a = given[twin] if same else _like(self.leaves[slot.place], slot, x)
            given.append(a)
        out = flatten(f(*self.rebuild(leaves)))[0]
        if self.watched:
            self._look(given, xs)
        return [to_numpy(r) for r in out]

    def _look(self, given: Sequence[Any], xs: Sequence[Array]) -> None:
        """Note which argument a call has changed; give constants back their values."""
        for slot, a, x in zip(self.slots, given, xs, strict=True):
            if isinstance(a, np.ndarray | Tensor) and not np.array_equal(to_numpy(a), x, equal_nan=True):
                self.changed = slot.name
        for k, (name, before) in self.constants.items():
            if not np.array_equal(self.leaves[k], before, equal_nan=before.dtype.kind in "fc"):
                self.changed = name
                self.leaves[k][...] = before

    def values(self, xs: Sequence[Array]) -> list[Array]:
        """Call the function."""
        return [np.array(r) for r in self._call(self.f, xs) if is_float(r)]  # copies: of a buffer that is used again

    def pull(self, xs: Sequence[Array]) -> tuple[list[Array], Pull]:
        """Call the gradient; what it returns are gradients of one number, or Jacobians."""
        results = self.values(xs)
        found = self._call(self.gradient, xs)
        gradients = [np.asarray(float(g) if isinstance(g, int) else g) for g in found if _is_number(g)]
        blocks = _blocks(results, gradients, self.slots)

        def pull(cotangents: Sequence[Any]) -> list[Any]:
            total: list[Any] = [None] * len(self.slots)
            for row, r, g in zip(blocks, results, cotangents, strict=True):
                for k, block in enumerate(row):
                    term = np.tensordot(g, block, r.ndim) if r.ndim else g * block
                    total[k] = term if total[k] is None else total[k] + term
            return [np.asarray(t, b.dtype) for t, b in zip(total, blocks[0], strict=True)]

        return results, pull


def _like(leaf: Any, slot: Slot, x: Array) -> Any:
    """Return values as what was given: an array in its memory, a scalar of its kind, an array of its library."""
    if isinstance(leaf, np.ndarray):
        return slot.laid_out(x)
    return slot.tensor(x, requires_grad=False) if isinstance(leaf, Tensor) else like(leaf, x)


def _is_number(g: Any) -> bool:
    """Say whether this may be meant as a gradient; arrays of integers are, and then refused by their dtype."""
    return isinstance(g, int) or is_float(g) or getattr(getattr(g, "dtype", None), "kind", "") in ("i", "u")


class Misshapen(Exception):
    """A gradient that cannot be one: its number, shape or dtype is not its argument's."""


def _blocks(results: Sequence[Array], gradients: Sequence[Array], slots: Sequence[Slot]) -> list[list[Array]]:
    """Return the Jacobian of every result by every slot, from what a user's function returned."""
    if len(gradients) != len(results) * len(slots):
        raise Misshapen(
            f"gradient= returned {len(gradients)} array{'s' * (len(gradients) != 1)} for {len(slots)} "
            f"argument{'s' * (len(slots) != 1)} ({', '.join(s.name for s in slots)}) of {len(results)} "
            f"result{'s' * (len(results) != 1)}"
        )
    rows = []
    for i, r in enumerate(results):
        row = []
        for k, slot in enumerate(slots):
            g = gradients[i * len(slots) + k]
            wanted = r.shape + slot.value.shape
            if g.shape == slot.value.shape and r.size == 1:
                g = g.reshape(wanted)
            if g.shape != wanted:
                expected = f"{slot.value.shape}" if r.size == 1 else f"{wanted}, a Jacobian"
                hint = "; its axes are swapped" if g.shape == slot.value.shape[::-1] else ""
                raise Misshapen(f"the gradient by {slot.name} has shape {g.shape}, expected {expected}{hint}")
            row.append(g)
        rows.append(row)
    return rows
