"""The dense layer."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag

from ..functional import linear
from ..functional.given import whole
from ..init import Initialiser, Rng, drawn, uniform_fan_in
from ..module import Module


class Linear(Module):
    """y = x @ weight.T + bias.

    Parameters
    ----------
    n_in, n_out : int
    bias : bool
    rng : Generator or int
        Where the weight is drawn from; the bias starts at 0.
    init : callable
        Its distribution, from `nn.init`: U[-c, c] with c = sqrt(3 / n_in) unless given.
    dtype : dtype

    Attributes
    ----------
    weight : (n_out, n_in) Tensor
    bias : (n_out,) Tensor or None

    Examples
    --------
    >>> import nn
    >>> layer = nn.Linear(2, 3, rng=0)
    >>> layer(np.ones((5, 2))).shape
    (5, 3)
    >>> layer = nn.Linear(2, 3, rng=0, init=nn.init.he)
    >>> layer.weight.assign(nn.init.orthogonal(0, (3, 2))).shape
    (3, 2)
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        bias: bool = True,
        *,
        rng: Rng,
        init: Initialiser = uniform_fan_in,
        dtype: Any = np.float64,
    ) -> None:
        shape = whole(n_out, "Linear", "n_out"), whole(n_in, "Linear", "n_in")
        self.weight = ag.Tensor(drawn(init, rng, shape, dtype), name="weight")
        self.bias = ag.Tensor(np.zeros(shape[0], dtype), name="bias") if bias else None

    def forward(self, x: Any) -> Any:
        """Map observations, the rows of x."""
        return linear(x, self.weight, self.bias)
