"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag

from ..functional.given import floats, is_number
from ..init import Rng, generator
from ..module import Module


class Dropout(Module):
    """In training, set each entry to 0 with probability p and divide the others by 1 - p; else change nothing.

    Parameters
    ----------
    p : float
        From 0 up to, but not including, 1.
    rng : Generator or int
        Where it is drawn from what to leave out.

    Examples
    --------
    >>> layer = Dropout(0.5, rng=0)
    >>> layer(np.ones(6))
    array([2., 2., 2., 0., 0., 0.])
    >>> layer.eval()(np.ones(6))
    array([1., 1., 1., 1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, *, rng: Rng) -> None:
        if not is_number(p) or not 0 <= p < 1:
            raise ValueError(f"Dropout leaves out with a probability from 0 up to, but not including, 1; not {p!r}")
        self.p, self.rng = p, generator(rng)

    def forward(self, x: Any) -> Any:
        """Multiply by a fresh mask while training."""
        if not self.training or not self.p:
            return x
        x = floats(x, "Dropout")
        kept = ag.fresh(self.rng.random, x.shape, np.float32) >= self.p
        return x * (kept * x.dtype.type(1 / (1 - self.p)))
