"""Schedules: functions of the number of updates so far, k = 0, 1, 2, ..., that give a factor for the learning rate.

``optimizer.scale = schedule(k)`` before a step applies one; `fit` does so at every update. What follows a measured loss
instead has a method `observe`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from .data import whole

Schedule = Callable[[int], float]


def constant() -> Schedule:
    """Return the schedule that is 1 always."""
    return lambda _: 1.0


def step(every: int, factor: float = 0.1) -> Schedule:
    """Return the schedule that is multiplied by `factor` after `every` updates.

    Examples
    --------
    >>> s = step(10, 0.5)
    >>> s(9), s(10), s(20)
    (1.0, 0.5, 0.25)
    """
    _check_count("every", every, 1)
    _check_factor("factor", factor)
    return lambda k: float(factor ** (k // every))


def cosine(total: int, warmup: int = 0, end: float = 0.0) -> Schedule:
    """Return the schedule that rises linearly in `warmup` updates, and falls on a half cosine to `end` at `total`.

    Examples
    --------
    >>> s = cosine(10, warmup=2)
    >>> s(0), s(1), s(2), s(6), s(10), s(11)
    (0.5, 1.0, 1.0, 0.5, 0.0, 0.0)
    """
    _check_count("warmup", warmup, 0)
    _check_count("total", total, warmup + 1)
    if not 0 <= end <= 1:
        raise ValueError(f"end lies from 0 to 1, not {end}")

    def factor(k: int) -> float:
        if k < warmup:
            return (k + 1) / warmup
        done = min(1.0, (k - warmup) / (total - warmup))
        return end + (1 - end) * (1 + math.cos(math.pi * done)) / 2

    return factor


def inverse(a: float = 100.0) -> Schedule:
    """Return the schedule a / (a + k): its sum diverges, that of its squares does not, as Robbins and Monro want it.

    Examples
    --------
    >>> s = inverse()
    >>> s(0), s(100)
    (1.0, 0.5)
    """
    if not 0 < a < math.inf:
        raise ValueError(f"a / (a + k) needs a positive a, not {a}")
    return lambda k: a / (a + k)


class ReduceOnPlateau:
    """The schedule that is multiplied by `factor` when a loss has not fallen for `patience` epochs.

    `fit` tells it the loss after every epoch, of the validation data if there are any.

    Examples
    --------
    >>> s = ReduceOnPlateau(patience=1, factor=0.5)
    >>> for loss in [3.0, 2.0, 2.0, 2.0]:
    ...     s.observe(loss)
    >>> s(4)
    0.5
    """

    def __init__(self, patience: int = 10, factor: float = 0.1, min_delta: float = 0.0, lowest: float = 0.0) -> None:
        _check_count("patience", patience, 0)
        _check_factor("factor", factor)
        if not min_delta >= 0 or not 0 <= lowest <= 1:
            raise ValueError(f"min_delta is at least 0 and lowest from 0 to 1, not {min_delta} and {lowest}")
        self.patience, self.factor, self.min_delta, self.lowest = patience, factor, min_delta, lowest
        self.scale, self.best, self.waited = 1.0, math.inf, 0

    def __call__(self, _: int) -> float:
        """Return the factor reached, whatever k."""
        return self.scale

    def observe(self, loss: float) -> None:
        """Take note of a loss."""
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.scale, self.waited = max(self.lowest, self.scale * self.factor), 0

    def state_dict(self) -> dict[str, Any]:
        """Return what has been observed so far."""
        return {"scale": self.scale, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what another has observed."""
        self.scale, self.best, self.waited = state["scale"], state["best"], state["waited"]


def _check_count(name: str, value: Any, least: int) -> None:
    if not whole(value, least):
        raise ValueError(f"{name} is a whole number of at least {least}, not {value!r}")


def _check_factor(name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise ValueError(f"{name} lies above 0 and up to 1, not {value}")
