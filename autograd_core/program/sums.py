"""Sums that `spaces.project` asks for: the bits of its own way, which goes by a product with ones where it can."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..spaces import Leading, ones


def is_leading(axis: Any) -> bool:
    """Say whether it is `spaces.project` that sums over these axes."""
    return type(axis) is Leading


def sum_leading(g: Any, axis: Any) -> Any:
    """Sum over axes in front."""
    return sum_rows(g) if len(axis) == 1 and g.ndim == 2 else np.add.reduce(g, axis=tuple(axis))


def sum_rows(g: Any) -> Any:
    """Sum over the first axis of a matrix."""
    return ones(g.shape[0], g.dtype).dot(g) if g.flags.c_contiguous else np.add.reduce(g, axis=0)
