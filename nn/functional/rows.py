"""Embedding: rows of a table, taken by their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag

FEW = 8  # rows of one number up to which they are added in rounds


def embedding(indices: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """Return the row of `weight` for each index.

    Parameters
    ----------
    indices : array of integers, 0 to n - 1
    weight : (n, features) array
    padding_idx : int, optional
        The number of a row that fills sequences up and gets no gradient.

    Examples
    --------
    >>> embedding(np.array([1, 1, 0]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[3., 4.],
           [3., 4.],
           [1., 2.]])
    """
    n = weight.shape[0]
    indices = indices.data if isinstance(indices, ag.Tensor) else np.asarray(indices)
    indices = _valid(indices, n=n)  # inside ag.compile they are a Tensor still
    if padding_idx is None:
        return take_rows(weight, indices)
    row = padding_idx + n if padding_idx < 0 else padding_idx
    if not 0 <= row < n:
        raise ValueError(f"an embedding of {n} rows has none with the number padding_idx={padding_idx}")
    return take_rows(weight, indices, padding=row)


@ag.primitive
def _valid(indices: Any, n: int) -> Any:
    """Return indices of rows that there are: one operation, so that a compiled model looks at each batch."""
    if indices.dtype.kind not in "iu":
        raise TypeError(f"an embedding takes integers, not {indices.dtype}")
    if indices.size and (indices.min() < 0 or indices.max() >= n):
        raise ValueError(
            f"an embedding of {n} rows takes indices 0 to {n - 1}; these go from {indices.min()} to {indices.max()}"
        )
    return indices


ag.rule(_valid, None, args="indices", metadata="n")


@ag.primitive
def take_rows(weight: Any, indices: Any, padding: int = -1) -> Any:  # noqa: ARG001  the pullback's
    """Return ``weight[indices]``."""
    return weight.take(indices, axis=0)


@ag.primitive
def add_rows(y: Any, indices: Any, n: int) -> Any:
    """Return a table of n rows, each the sum of the rows of y with its number.

    Sorted by number, the rows of one number stand together. Where these are few, the first ones are taken of all
    numbers at once, then the second ones, and so on; long runs are summed one by one.
    """
    features = y.shape[indices.ndim :]
    out = np.zeros((n, *features), y.dtype)
    flat, y = indices.reshape(-1), y.reshape(-1, *features)
    order = flat.argsort(kind="stable")
    numbers = flat[order]
    starts = np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1]])[: flat.size])
    counts = np.diff(starts, append=flat.size)
    for k in range(min(counts.max(initial=0), FEW)):
        have = starts[(counts > k) & (counts <= FEW)]
        out[numbers[have]] += y[order[have + k]]
    if (many := counts > FEW).any():
        begins = np.cumsum(counts[many]) - counts[many]
        out[numbers[starts[many]]] = np.add.reduceat(y[order[np.repeat(many, counts)]], begins, axis=0)
    return out


def _take_pull(g: Any, weight_space: Any, indices: Any, padding: int = -1) -> Any:
    if padding >= 0:
        g = g * (indices != padding)[..., None]
    return add_rows(g, indices, n=weight_space.shape[0])


ag.rule(
    take_rows,
    _take_pull,
    None,
    args="weight indices",
    name="embedding",
    inline=True,
)
ag.rule(add_rows, lambda g, indices: take_rows(g, indices), None, args="y indices", metadata="n")
