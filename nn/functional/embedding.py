"""Embedding: rows of a table, taken by their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag


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

    Rows are sorted by number, so that those of one number stand together and are summed by one call for all.
    """
    features = y.shape[indices.ndim :]
    out = np.zeros((n, *features), y.dtype)
    if not indices.size:
        return out
    flat = indices.reshape(-1)
    order = flat.argsort(kind="stable")
    found = flat[order]
    starts = np.flatnonzero(np.concatenate([[True], found[1:] != found[:-1]]))
    out[found[starts]] = np.add.reduceat(y.reshape(-1, *features).take(order, axis=0), starts, axis=0)
    return out


ag.rule(
    take_rows,
    lambda g, weight_space, indices: add_rows(g, indices, n=weight_space.shape[0]),
    None,
    args="weight indices",
    name="embedding",
)
ag.rule(add_rows, lambda g, indices: take_rows(g, indices), None, args="y indices", metadata="n")
