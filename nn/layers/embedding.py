"""Embedding: a vector to learn for each of n things."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag

from ..functional import embedding
from ..functional.given import whole
from ..init import Rng, generator, real
from ..module import Module


class Embedding(Module):
    """The row of `weight` for each index.

    Parameters
    ----------
    n, features : int
        Numbers of rows and of columns of the weight.
    padding_idx : int, optional
        The number of a row that fills sequences up: it starts at 0 and stays there, as it gets no gradient.
    rng : Generator or int
        Where the weight is drawn from, N(0, 1) as in PyTorch.
    dtype : dtype

    Examples
    --------
    >>> Embedding(10, 3, rng=0)(np.array([[1, 2], [3, 1]])).shape
    (2, 2, 3)
    """

    def __init__(
        self, n: int, features: int, *, padding_idx: int | None = None, rng: Rng, dtype: Any = np.float64
    ) -> None:
        shape = whole(n, "Embedding", "n"), whole(features, "Embedding", "features")
        if min(shape) < 1:
            raise ValueError(f"an Embedding has the shape (n, features), of positive lengths, not {shape}")
        weight = generator(rng).normal(size=shape).astype(real(dtype))
        if padding_idx is not None:
            if not -shape[0] <= whole(padding_idx, "Embedding", "padding_idx") < shape[0]:
                raise ValueError(f"an Embedding of {n} rows has none with the number padding_idx={padding_idx}")
            weight[padding_idx] = 0
        self.weight, self.padding_idx = ag.Tensor(weight, name="weight"), padding_idx

    def forward(self, indices: Any) -> Any:
        """Take the rows."""
        return embedding(indices, self.weight, self.padding_idx)
