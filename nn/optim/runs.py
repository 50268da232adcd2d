"""Runs: parameters end to end in one buffer, of which they are parts, with their gradients and state beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

import autograd_core as ag

Array = np.ndarray[Any, Any]
Settings = dict[str, Any]
BLOCK = 1 << 15  # entries: a few arrays of that many fit into a core's cache


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
        The buffer in which the gradients of the small ones live, the first ``gradients.size`` entries. Copying those of
        large ones there would take a twentieth of a training step.
    state : list of arrays
        One as long as `values` for each of `slots`; in float32 for parameters in half precision, where eps would be 0.
    steps : list of int
        How many updates each parameter has had.
    """

    def __init__(self, parameters: list[ag.Tensor], group: Settings, slots: tuple[str, ...]) -> None:
        self.parameters = sorted(parameters, key=_is_large)
        self.group, self.slots = group, slots
        self.ends = [0, *np.cumsum([p.size for p in self.parameters]).tolist()]
        self.dtype = self.parameters[0].dtype
        self.half = self.dtype.itemsize == 2
        self.small = sum(not _is_large(p) for p in self.parameters)
        self.values = np.empty(self.ends[-1], self.dtype)
        self.gradients = np.zeros(self.ends[self.small], self.dtype)
        self.state = self.fresh(slots)
        self.steps = [0] * len(self.parameters)
        self._places = [
            (p, self.part(self.values, i), self.part(self.gradients, i) if i < self.small else None)
            for i, p in enumerate(self.parameters)
        ]
        for p, place, room in self._places:
            _settle(p, place, room)

    def part(self, flat: Array, i: int) -> Array:
        """Return the part of a buffer that belongs to a parameter, in its shape."""
        return flat[self.ends[i] : self.ends[i + 1]].reshape(self.parameters[i].shape)

    def rate(self, optimizer: Equation) -> float:
        """Return the learning rate at this step."""
        return float(self.group["lr"] * optimizer.scale)

    def settings(self) -> Settings:
        """Return what the equation needs beside the rate."""
        return {name: value for name, value in self.group.items() if name not in ("params", "lr")}

    # --- one step -------------------------------------------------------------------------------------------------

    def step(self, optimizer: Equation) -> bool:
        """Update all parameters that have a gradient; say whether there are any."""
        n, settings, lr = len(self.parameters), self.settings(), self.rate(optimizer)
        if (slots := optimizer.slots(settings)) != self.slots:  # a momentum that was switched on
            known = dict(zip(self.slots, self.state, strict=True))
            self.state = [known.get(name, new) for name, new in zip(slots, self.fresh(slots), strict=True)]
            self.slots = slots
        found = [i for i, (p, place, room) in enumerate(self._places) if _gather(p, place, room)]
        if len(found) == n and len(set(self.steps)) == 1:
            spans = [(0, self.small), *((i, i + 1) for i in range(self.small, n))]
        else:  # one by one: those that sat out have counted fewer steps
            spans = [(i, i + 1) for i in found]
        for first, last in spans:
            if self.ends[first] < self.ends[last]:
                self._update(optimizer, first, last, lr, settings)
        for i in found:
            self.steps[i] += 1
            p = self.parameters[i]
            p.data = p.data  # says that it was updated
        return bool(found)

    def _update(self, optimizer: Equation, first: int, last: int, lr: float, settings: Settings) -> None:
        """Apply the equation to parameters that lie side by side, block by block."""
        start, stop, t = self.ends[first], self.ends[last], self.steps[first] + 1
        g = self.gradients[start:stop] if last <= self.small else self.parameters[first].grad.reshape(-1)
        for a in range(start, stop, BLOCK):
            b = min(a + BLOCK, stop)
            p, d, state = self.values[a:b], g[a - start : b - start], [s[a:b] for s in self.state]
            if self.half:
                single = p.astype(np.float32)
                optimizer.update(single, d.astype(np.float32), state, t, lr, settings)
                p[...] = single
            else:
                optimizer.update(p, d, state, t, lr, settings)

    # --- state ----------------------------------------------------------------------------------------------------

    def fresh(self, slots: tuple[str, ...]) -> list[Array]:
        """Return the state before the first step."""
        return [np.zeros(self.ends[-1], np.float32 if self.half else self.dtype) for _ in slots]

    def state_of(self, i: int) -> dict[str, Any]:
        """Return a copy of the state of one parameter."""
        arrays = {name: self.part(s, i).copy() for name, s in zip(self.slots, self.state, strict=True)}
        return {"step": self.steps[i], **arrays}

    def read(self, given: list[Mapping[str, Any]], slots: tuple[str, ...], complaints: list[str]) -> list[Array]:
        """Return the state that is given parameter by parameter, as buffers; or say what does not fit."""
        found = self.fresh(slots)
        for i, (own, complaint) in enumerate(zip(given, complaints, strict=True)):
            if set(own) != {"step", *slots}:
                raise ValueError(f"{complaint}: it has {', '.join(own)}, expected step, {', '.join(slots)}")
            shape = self.parameters[i].shape
            for name, flat in zip(slots, found, strict=True):
                array = np.asarray(own[name])
                if array.shape != shape or array.dtype.kind not in "fiu":
                    raise ValueError(f"{complaint}: {name} is {array.dtype} of shape {array.shape}, expected {shape}")
                self.part(flat, i)[...] = array
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
    return p.size >= BLOCK


def _settle(p: ag.Tensor, place: Array, room: Array | None) -> None:
    """Let a parameter live in its place, and its gradient, also one that it has already, in its room."""
    g = p.grad
    p.place(place, room)
    if g is not None and room is not None:
        room[...] = g
        p.grad = room


def _gather(p: ag.Tensor, place: Array, room: Array | None) -> bool:
    """See that a parameter and its gradient are where they belong; say whether it has one."""
    g = p.grad
    if g is None:
        return False
    if p.data is not place:  # another optimizer has taken it over
        _settle(p, place, room)
    elif room is not None and g is not room:  # it was assigned
        room[...] = g
    return True
