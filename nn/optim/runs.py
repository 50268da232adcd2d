"""Runs: parameters end to end in one buffer, of which they are parts, with their gradients and state beside them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

import autograd_core as ag

from ..functional.given import cannot_hold
from .recorded import Boxes

Array = np.ndarray[Any, Any]
Settings = dict[str, Any]
Span = tuple[Any, list[tuple[Any, Any, list[Any]]]]
BLOCK = 1 << 16  # entries: a few arrays of that many fit into the cache, and ten calls are nothing beside the work
LARGE = BLOCK // 2
SMALL = 1 << 15  # bytes; up to so many are copied before an update
MOVES = [0]  # how often a parameter has been taken to another place: a replay looks at this number only


class Equation(Protocol):
    """What a run needs of an optimizer."""

    scale: float

    def slots(self, settings: Settings) -> tuple[str, ...]:
        """Return the names of the arrays of state."""

    def update(self, p: Any, g: Any, state: Any, t: Any, lr: Any, settings: Settings) -> None:
        """Change values and state by a gradient."""


class Run:
    """The parameters of one group and one dtype.

    Attributes
    ----------
    parameters : list of Tensors
        Small ones first.
    ends : list of int
        Parameter i has the entries from ``ends[i]`` to ``ends[i + 1]`` of every buffer.
    values : array
        The buffer in which the values of all parameters live.
    gradients : array
        The buffer to which the gradients of the small ones are copied at each step, the first ``gradients.size``
        entries. For large ones that would take a twentieth of a training step.
    state : list of arrays
        One as long as `values` for each of `slots`; in float32 for parameters in half precision, where eps would be 0.
    steps : array
        How many updates each parameter has had; floats, so that it can be assigned to in a compiled step like the rest.
    even : bool
        Have all had equally many?
    version : object
        Another one whenever compiled steps are to be recorded anew.
    """

    slots: tuple[str, ...] | None = None
    state: list[Array]
    _even = True

    def __init__(self, parameters: list[ag.Tensor], group: Settings, slots: tuple[str, ...]) -> None:
        self.parameters = sorted(parameters, key=_is_large)
        self.group = group
        self.ends = [0, *np.cumsum([p.size for p in self.parameters]).tolist()]
        self.dtype = self.parameters[0].dtype
        self.half = self.dtype.itemsize == 2
        self.small = sum(not _is_large(p) for p in self.parameters)
        self.gradients = np.zeros(self.ends[self.small], self.dtype)
        values, steps = np.zeros(self.ends[-1], self.dtype), np.zeros(len(self.parameters))
        self.values, self.steps, *state = side_by_side([values, steps, *self.fresh(slots)])
        self.boxes = Boxes()
        self.take(slots, state)
        self._places = [
            (p, self.part(self.values, i), self.part(self.gradients, i) if i < self.small else None)
            for i, p in enumerate(self.parameters)
        ]
        self.settle()

    def __ag_state__(self, names: Any, whole: bool) -> Iterator[Any]:
        """Yield what a compiled step rests on."""
        yield functools.partial(getattr, self, "version")

    def settle(self) -> None:
        """Let all parameters live in their places, also those that another optimizer has taken over."""
        for p, place, _ in self._places:
            if p.data is not place and p.requires_grad:
                self.move(p, place)
        self.moves = MOVES[0]

    def move(self, p: ag.Tensor, place: Array) -> None:
        """Let a parameter live in its place."""
        p.place(place)
        MOVES[0] += 1

    def number(self, first: int) -> int:
        """Return the number of the step that a parameter is about to make."""
        if self.moves != MOVES[0]:
            self.settle()
        return int(self.steps[first]) + 1

    def part(self, flat: Array, i: int) -> Array:
        """Return the part of a buffer that belongs to a parameter, in its shape."""
        return flat[self.ends[i] : self.ends[i + 1]].reshape(self.parameters[i].shape)

    def rate(self, optimizer: Equation) -> float:
        """Return the learning rate at this step."""
        return float(self.group["lr"] * optimizer.scale)

    def settings(self) -> Settings:
        """Return what the equation needs beside the rate, as it is at this step."""
        return self.group

    @property
    def even(self) -> bool:
        """Have all parameters had equally many steps?"""
        return self._even

    @even.setter
    def even(self, even: bool) -> None:
        if even != self._even:
            self._even, self.version = even, object()

    # --- one step -------------------------------------------------------------------------------------------------

    def switch(self, slots: tuple[str, ...]) -> None:
        """Go on with other slots: a momentum was switched on."""
        known = dict(zip(self.slots or (), self.state, strict=True))
        self.take(slots, [known.get(name, new) for name, new in zip(slots, self.fresh(slots), strict=True)])

    def step(self, optimizer: Equation, lr: float, n: int) -> None:
        """Update the parameters that have a gradient, of which there are `n`; the gradients are gathered."""
        if n < len(self._places) or not self._even:
            self._step_singly(optimizer, lr)
            return
        for p, place, _ in self._places:
            p.data = place  # says that it was updated
        t, group = int(self.steps.item(0)) + 1, self.group
        for span in self._spans:
            self._update(optimizer, span, t, lr, group)
        self.steps.fill(t)

    def _step_singly(self, optimizer: Equation, lr: float) -> None:
        """Update one by one, since those that sat out have counted fewer steps."""
        found = [i for i, p in enumerate(self.parameters) if p.grad is not None]
        for i in found:
            p, place, _ = self._places[i]
            p.data = place
        for i in found:
            self._update(optimizer, self._blocks(i, i + 1), int(self.steps[i]) + 1, lr, self.group)
            self.steps[i] += 1
        self.look_at_steps()

    def look_at_steps(self) -> None:
        """Find out whether all parameters have had equally many."""
        self.even = bool((self.steps == self.steps[0]).all())

    def gather(self) -> int:
        """Copy the small gradients to where they belong; return how many parameters have one.

        They are not made there: who keeps ``p.grad`` is to keep its values.
        """
        found = len(self._places)
        for p, place, room in self._places:
            if (g := p.grad) is None:
                found -= 1
                continue
            if p.data is not place:  # another optimizer has taken it over
                self.move(p, place)
            if room is not None:
                room[...] = g
        return found

    def _update(self, optimizer: Equation, span: Span, t: int, lr: float, settings: Settings) -> None:
        """Apply the equation to parameters that lie side by side, block by block."""
        owner, blocks = span
        large = None if owner is None else owner.grad.reshape(-1)
        a = 0
        for p, g, state in blocks:
            if large is not None:
                g, a = large[a : a + p.size], a + p.size
            if self.half:
                single = p.astype(np.float32)
                optimizer.update(single, g.astype(np.float32), state, t, lr, settings)
                p[...] = single
            else:
                optimizer.update(p, g, state, t, lr, settings)

    def _blocks(self, first: int, last: int) -> Span:
        """Return views of all buffers from one parameter to another, cut into blocks."""
        start, stop, small = self.ends[first], self.ends[last], last <= self.small
        cuts = [slice(a, min(a + BLOCK, stop)) for a in range(start, stop, BLOCK)]
        blocks = [(self.values[c], self.gradients[c] if small else None, [s[c] for s in self.state]) for c in cuts]
        return None if small else self.parameters[first], blocks

    # --- state ----------------------------------------------------------------------------------------------------

    def fresh(self, slots: tuple[str, ...]) -> list[Array]:
        """Return the state before the first step."""
        return [np.zeros(self.ends[-1], np.float32 if self.half else self.dtype) for _ in slots]

    def take(self, slots: tuple[str, ...], state: list[Array]) -> None:
        """Go on with another state, in the arrays of this one if it has the same slots: a replay writes into them."""
        if slots == self.slots:
            for own, new in zip(self.state, state, strict=True):
                own[...] = new
            return
        self.slots, self.state, self.version = slots, state, object()
        pairs = [(0, self.small), *((i, i + 1) for i in range(self.small, len(self.parameters)))]
        self._spans = [self._blocks(first, last) for first, last in pairs]

    def state_of(self, i: int) -> dict[str, Any]:
        """Return a copy of the state of one parameter."""
        arrays = {name: self.part(s, i).copy() for name, s in zip(self.slots or (), self.state, strict=True)}
        return {"step": int(self.steps[i]), **arrays}

    def read(
        self, given: list[Mapping[str, Any]], slots: tuple[str, ...], squares: tuple[str, ...], complaints: list[str]
    ) -> tuple[list[Array], list[int]]:
        """Return the state that is given parameter by parameter, as buffers, and steps; or say what does not fit."""
        found = self.fresh(slots)
        for i, (own, complaint) in enumerate(zip(given, complaints, strict=True)):
            if set(own) != {"step", *slots}:
                raise ValueError(f"{complaint}: it has {', '.join(own)}, expected step, {', '.join(slots)}")
            for name, flat in zip(slots, found, strict=True):
                array, place = np.asarray(own[name]), self.part(flat, i)
                if what := _unfit(array, place, name in squares):
                    raise ValueError(f"{complaint}: {name} {what}")
                with np.errstate(under="ignore"):
                    place[...] = array
        return found, [_steps(own["step"], complaint) for own, complaint in zip(given, complaints, strict=True)]


def _unfit(array: Array, place: Array, positive: bool) -> str:
    """Return what is wrong with an array of state, nothing if it fits."""
    if array.shape != place.shape or array.dtype.kind not in "fiu":
        return f"is {array.dtype} of shape {array.shape}, expected {place.shape}"
    if np.isnan(array).any():
        return f"has NaN, {np.isnan(array).sum()} of {array.size} entries"
    if positive and (array < 0).any():
        return f"has {array[array < 0].flat[0]}, and is a mean or a sum of squares"
    what = cannot_hold(place.dtype, array)
    return f"has {what}" if what else ""


def _steps(given: Any, complaint: str) -> int:
    """Return a number of steps; it comes from a file, or from PyTorch as a float."""
    number = float(given)
    if not (number >= 0 and number.is_integer()):
        raise ValueError(f"{complaint}: step is a number of updates, not {given!r}")
    return int(number)


def side_by_side(arrays: list[Array]) -> list[Array]:
    """Return arrays of zeros as parts of one buffer, if they are small: they are copied at every step, then at once."""
    if (size := sum(a.nbytes for a in arrays)) > SMALL:
        return arrays
    buffer, end = np.zeros(size, np.uint8), 0
    found = list(arrays)
    for i in sorted(range(len(arrays)), key=lambda i: -arrays[i].itemsize):  # so that each is aligned
        start, end = end, end + arrays[i].nbytes
        found[i] = buffer[start:end].view(arrays[i].dtype)
    return found


def runs_of(group: Settings, slots: tuple[str, ...]) -> list[Run]:
    """Return the runs of a group, one for each dtype."""
    by_dtype: dict[Any, list[ag.Tensor]] = {}
    for p in group["params"]:
        by_dtype.setdefault(p.dtype, []).append(p)
    return [Run(parameters, group, slots) for parameters in by_dtype.values()]


def settings_of(group: Settings) -> Settings:
    """Return the settings of a group, the rate among them, without its parameters."""
    return {name: value for name, value in group.items() if name != "params"}


def _is_large(p: ag.Tensor) -> bool:
    return p.size >= LARGE
