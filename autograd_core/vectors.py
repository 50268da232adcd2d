"""Trees as vectors: what optimisers, samplers and solvers of other libraries take, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from . import tree
from .recording import plain
from .tensor import Tensor


def flatten(container: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return the numbers of arrays in nested containers as one vector, and the function that puts a vector back there.

    Both are differentiable: of tracked Tensors, or of a Module, the vector is a Tensor. A part of a vector gets the
    shape and the dtype of the array that stood there, but whole numbers become what the vector holds.

    Examples
    --------
    >>> vector, unflatten = flatten({"w": np.ones((2, 2)), "b": 3.0})
    >>> vector
    array([3., 1., 1., 1., 1.])
    >>> unflatten(vector * 2)
    {'w': array([[2., 2.],
           [2., 2.]]), 'b': np.float64(6.0)}
    """
    leaves, rebuild = tree.flatten(container)
    shapes, dtypes = [np.shape(leaf) for leaf in leaves], [np.asarray(plain(leaf)).dtype for leaf in leaves]
    for leaf, dtype in zip(leaves, dtypes, strict=True):
        if dtype.kind not in "biufc":
            raise TypeError(f"flatten takes arrays and numbers in containers, and there is a {type(leaf).__name__}")
    ends = np.cumsum([0, *(int(np.prod(s)) for s in shapes)]).tolist()
    vector = np.concatenate([np.reshape(leaf, -1) for leaf in leaves]) if leaves else np.zeros(0)

    def unflatten(v: Any) -> Any:
        v = v if isinstance(v, Tensor) else np.asarray(v)
        if v.shape != (ends[-1],):
            raise ValueError(
                f"a vector of {ends[-1]} numbers fills {tree.structure(container)}, not one of shape {v.shape}"
            )
        parts = [np.reshape(v[a:b], s) for (a, b), s in zip(pairwise(ends), shapes, strict=True)]
        return rebuild([_as(part, dtype) for part, dtype in zip(parts, dtypes, strict=True)])

    return vector, unflatten


def _as(part: Any, dtype: Any) -> Any:
    """Return a part of a vector in the dtype of what stood in its place; a number as a scalar."""
    if dtype.kind == "f" and part.dtype.kind == "c":
        part = np.real(part)
    if dtype.kind in "fc" and part.dtype != dtype:
        part = part.astype(dtype)
    return part if part.shape else part[()]
