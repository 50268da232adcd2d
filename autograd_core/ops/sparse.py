"""Products of SciPy's sparse matrices with Tensors: ``S @ t`` and ``t @ S``, linear in the Tensor; S is a constant."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules import primitive, rule

SMALL = 4096  # bytes of entries up to which the matrix is copied: it might be changed later


def is_sparse(x: Any) -> bool:
    """Say whether this is one of SciPy's sparse arrays or matrices, without loading SciPy."""
    return type(x).__module__.startswith("scipy.sparse") and hasattr(x, "nnz")


@primitive
def times(x: Any, matrix: Any) -> Any:
    """Return ``matrix @ x`` for a sparse matrix."""
    return matrix @ x


rule(times, lambda g, matrix=None: times(g, matrix=matrix.T), linear=True, name="matmul (sparse)")


def product(matrix: Any, x: Any, reflected: bool) -> Any:
    """Return ``matrix @ x``, or ``x @ matrix`` if reflected."""
    if matrix.ndim != 2 or len(x.shape) not in (1, 2):
        raise ValueError(f"a sparse matrix of shape {matrix.shape} and a Tensor of shape {x.shape} have no product")
    matrix = matrix.copy() if getattr(matrix, "data", np.empty(0)).nbytes <= SMALL else matrix
    return np.transpose(times(np.transpose(x), matrix=matrix.T)) if reflected else times(x, matrix=matrix)
