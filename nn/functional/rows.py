"""Embedding: rows of a table, taken by their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag

FEW = 8  # rows of one number up to which they are added in rounds


def embedding(indices: Any, weight: Any) -> Any:
    """Return the row of `weight` for each index.

    Parameters
    ----------
    indices : array of integers, 0 to n - 1
    weight : (n, features) array

    Examples
    --------
    >>> embedding(np.array([1, 1, 0]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[3., 4.],
           [3., 4.],
           [1., 2.]])
    """
    indices = np.asarray(indices.data if isinstance(indices, ag.Tensor) else indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"an embedding takes integers, not {indices.dtype}")
    n = weight.shape[0]
    if indices.size and (indices.min() < 0 or indices.max() >= n):
        raise ValueError(
            f"an embedding of {n} rows takes indices 0 to {n - 1}; these go from {indices.min()} to {indices.max()}"
        )
    return take_rows(weight, indices)


@ag.primitive
def take_rows(weight: Any, indices: Any) -> Any:
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


ag.rule(
    take_rows,
    lambda g, weight_space, indices: add_rows(g, indices, n=weight_space.shape[0]),
    None,
    args="weight indices",
    name="embedding",
)
ag.rule(add_rows, lambda g, indices: take_rows(g, indices), None, args="y indices", metadata="n")
