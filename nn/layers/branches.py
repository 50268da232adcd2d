"""Layers beside one another: a way around some, or several on the same input."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..functional.given import numbers
from ..module import Module
from .sequential import Sequential, check_layers


class Residual(Sequential):
    """x + layers(x).

    Examples
    --------
    >>> Residual(np.tanh)(np.zeros(2))
    array([0., 0.])
    """

    def forward(self, x: Any) -> Any:
        """Add what the layers make of x to it."""
        x = numbers(x, "Residual")
        y = super().forward(x)
        if y.shape != x.shape:
            raise ValueError(f"the layers of a Residual keep the shape, but made {y.shape} of {x.shape}")
        return x + y


class Parallel(Module):
    """Several branches on the same input, their outputs joined along an axis: the inception block.

    Parameters
    ----------
    *branches : Modules or functions
    axis : int
        Where to join: 1, the channels, unless given.

    Examples
    --------
    >>> Parallel(np.sin, np.cos)(np.zeros((3, 2))).shape
    (3, 4)
    """

    def __init__(self, *branches: Callable[..., Any], axis: int = 1) -> None:
        if not branches:
            raise ValueError("Parallel needs a branch at least")
        check_layers(branches, "branch", "Parallel")
        self.branches, self.axis = list(branches), axis

    def _attributes(self) -> Iterable[tuple[str, Any]]:
        """Return the branches, named by position, and what a subclass may hold beside them."""
        rest = [(name, value) for name, value in vars(self).items() if name != "branches"]
        return [*((str(i), branch) for i, branch in enumerate(self.branches)), *rest]

    def forward(self, x: Any) -> Any:
        """Apply every branch and join what comes out."""
        found = [branch(x) for branch in self.branches]
        shapes = [np.shape(y) for y in found]
        rests = {s[: self.axis % len(s)] + s[self.axis % len(s) + 1 :] if self._is_axis(s) else () for s in shapes}
        if not all(map(self._is_axis, shapes)) or len(rests) > 1:
            raise ValueError(
                f"the branches of a Parallel are joined along axis {self.axis} and agree in the others, "
                f"but made {', '.join(map(str, shapes))}"
            )
        return np.concatenate(found, axis=self.axis)

    def _is_axis(self, shape: tuple[int, ...]) -> bool:
        return -len(shape) <= self.axis < len(shape)
