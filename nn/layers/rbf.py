"""Radial basis functions."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag

from ..functional.given import numbers, whole
from ..init import Rng, generator, real
from ..module import Module


class RBF(Module):
    """``exp(-|x - center_m|**2 / (2 * scale_m**2))`` for each of n units.

    The lecture's lambda is scale**2; here the logarithm of the scale is the parameter, so that any value is a good one.

    Parameters
    ----------
    n_in, n_out : int
        Numbers of features and of units.
    scale : float
        Of every unit at first.
    rng : Generator or int
        Where the centers are drawn from, N(0, 1); or assign points of the data to them.
    dtype : dtype

    Attributes
    ----------
    center : (n_out, n_in) Tensor
    log_scale : (n_out,) Tensor

    Examples
    --------
    >>> layer = RBF(2, 3, rng=0)
    >>> layer(layer.center.data).data.diagonal()
    array([1., 1., 1.])
    """

    def __init__(self, n_in: int, n_out: int, *, scale: float = 1.0, rng: Rng, dtype: Any = np.float64) -> None:
        if not 0 < scale < np.inf:
            raise ValueError(f"an RBF needs a positive scale, not {scale}")
        shape = whole(n_out, "RBF", "n_out"), whole(n_in, "RBF", "n_in")
        if min(shape) < 1:
            raise ValueError(f"the centers of an RBF have the shape (n_out, n_in), of positive lengths, not {shape}")
        self.center = ag.Tensor(generator(rng).normal(size=shape).astype(real(dtype)), name="center")
        self.log_scale = ag.Tensor(np.full(shape[0], np.log(scale), real(dtype)), name="log_scale")

    def forward(self, x: Any) -> Any:
        """Map observations, the rows of x."""
        n_in, x = self.center.shape[1], numbers(x, "an RBF", "biuf")
        if x.shape[-1:] != (n_in,):
            raise ValueError(f"an RBF of {n_in} features needs x of shape (..., {n_in}), not {x.shape}")
        d = x[..., None, :] - self.center
        return np.exp(-0.5 * (d * d).sum(axis=-1) * np.exp(-2 * self.log_scale))
