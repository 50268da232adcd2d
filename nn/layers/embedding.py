"""Embedding: a vector to learn for each of n things."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

import autograd_core as ag

from ..functional import embedding
from ..init import Rng, generator, real
from ..module import Module


class Embedding(Module):
    """The row of `weight` for each index.

    Parameters
    ----------
    n, features : int
        Numbers of rows and of columns of the weight.
    rng : Generator or int
        Where the weight is drawn from, N(0, 1) as in PyTorch.
    dtype : dtype

    Examples
    --------
    >>> Embedding(10, 3, rng=0)(np.array([[1, 2], [3, 1]])).shape
    (2, 2, 3)
    """

    def __init__(self, n: int, features: int, *, rng: Rng, dtype: Any = np.float64) -> None:
        shape = operator.index(n), operator.index(features)
        if min(shape) < 1:
            raise ValueError(f"an Embedding has the shape (n, features), of positive lengths, not {shape}")
        self.weight = ag.Tensor(generator(rng).normal(size=shape).astype(real(dtype)), name="weight")

    def forward(self, indices: Any) -> Any:
        """Take the rows."""
        return embedding(indices, self.weight)
