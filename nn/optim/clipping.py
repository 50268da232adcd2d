"""Clipping: gradients made shorter before a step, in place."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

import autograd_core as ag

from ..functional.given import is_number
from ..module import Module


def clip_by_norm(parameters: Iterable[ag.Tensor], limit: float) -> float:
    """Shorten all gradients by one factor so that their common norm is at most `limit`; return the norm before.

    Gradients that are not finite stay as they are: no factor would help.

    Examples
    --------
    >>> p = ag.Tensor([0.0, 0.0])
    >>> p.grad = np.array([3.0, 4.0])
    >>> clip_by_norm([p], 1.0)
    5.0
    >>> p.grad
    array([0.6, 0.8])
    """
    _check_limit(limit)
    found = _with_gradient(parameters)
    squares = [np.vdot(g := _exact(p.grad), g).real for p in found]
    if any(isinstance(s, ag.Tensor) for s in squares):
        return _clip_recorded(found, squares, limit)
    # as a recorded sum adds up: since Python 3.12 that of floats carries what is rounded off along
    norm = math.sqrt(functools.reduce(operator.add, map(float, squares), 0.0))
    if not 0 < norm < math.inf:  # squares of 1e20 in float32 overflow, those of 1e-30 vanish
        norm = _scaled_norm(found)
    if limit < norm < math.inf:
        for p in found:
            p.grad *= p.dtype.type(limit / norm)
    return norm


def _scaled_norm(found: list[ag.Tensor]) -> float:
    """Return the common norm where squares leave the range of floats."""
    gradients: list[Any] = [p.grad for p in found]
    largest = [float(np.max(np.abs(g), initial=0)) for g in gradients]
    top = max(largest, default=0.0)
    if any(map(math.isnan, largest)) or not 0 < top < math.inf:
        return math.nan if any(map(math.isnan, largest)) else top
    parts = (np.divide(g, top, dtype=np.float64) for g in gradients)
    return top * math.sqrt(sum(float(np.vdot(part, part)) for part in parts))


def _clip_recorded(found: list[ag.Tensor], squares: list[Any], limit: float) -> Any:
    """Do the same under `ag.compile`, where nothing can be decided: multiply by 1 where nothing is to be done."""
    norm = np.sqrt(sum(np.astype(s, np.float64) for s in squares))
    gradients: list[Any] = [p.grad for p in found]
    if any(p.dtype.itemsize < 8 for p in found):
        wide = [np.astype(g, np.float64) for g in gradients]
        norm = np.where(norm < np.inf, norm, np.sqrt(sum(np.vdot(g, g) for g in wide)))
    factor = np.where((norm > limit) & (norm < np.inf), limit / norm, 1.0)
    for p in found:
        p.grad = p.grad * np.astype(factor, p.dtype)
    return norm


def clip_by_value(parameters: Iterable[ag.Tensor], limit: float) -> None:
    """Bring every entry of every gradient into [-limit, limit].

    Examples
    --------
    >>> p = ag.Tensor([0.0, 0.0])
    >>> p.grad = np.array([3.0, -0.5])
    >>> clip_by_value([p], 1.0)
    >>> p.grad
    array([ 1. , -0.5])
    """
    _check_limit(limit)
    for p in _with_gradient(parameters):
        g: Any = p.grad
        p.grad = np.clip(g, -limit, limit, out=g if isinstance(g, np.ndarray) else None)


def _with_gradient(parameters: Iterable[ag.Tensor]) -> list[ag.Tensor]:
    """Return the parameters that have a gradient, of several or of a model."""
    every = parameters.parameters() if isinstance(parameters, Module) else parameters
    if isinstance(every, ag.Tensor):  # its rows would have no gradients
        every = [every]
    return [p for p in every if p.grad is not None]


def _exact(g: Any) -> Any:
    """Return a gradient whose squares do not overflow: in half precision those of 256 do."""
    return g.astype(np.float32) if g.dtype.itemsize == 2 else g


def _check_limit(limit: float) -> None:
    if not is_number(limit) or not limit > 0:
        raise ValueError(f"gradients are clipped to a positive limit, not {limit!r}")
