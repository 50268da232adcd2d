"""Clipping: gradients made shorter before a step, in place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

import autograd_core as ag

from ..module import Module


def clip_by_norm(parameters: Iterable[ag.Tensor], limit: float) -> float:
    """Shorten all gradients by one factor so that their common norm is at most `limit`; return the norm before.

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
    norm = math.sqrt(sum(float(s) for s in squares))
    if norm > limit:
        for p in found:
            p.grad *= p.dtype.type(limit / norm)
    return norm


def _clip_recorded(found: list[ag.Tensor], squares: list[Any], limit: float) -> Any:
    """Do the same under `ag.compile`, where nothing can be decided: multiply by 1 where nothing is to be done."""
    norm = np.sqrt(sum(np.astype(s, np.float64) for s in squares))
    factor = np.where(norm > limit, limit / norm, 1.0)
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
        g = p.grad
        p.grad = np.clip(g, -limit, limit, out=g if isinstance(g, np.ndarray) else None)


def _with_gradient(parameters: Iterable[ag.Tensor]) -> list[ag.Tensor]:
    """Return the parameters that have a gradient, of several or of a model."""
    every = parameters.parameters() if isinstance(parameters, Module) else parameters
    return [p for p in every if p.grad is not None]


def _exact(g: Any) -> Any:
    """Return a gradient whose squares do not overflow: in half precision those of 256 do."""
    return g.astype(np.float32) if g.dtype.itemsize == 2 else g


def _check_limit(limit: float) -> None:
    if not limit > 0:
        raise ValueError(f"gradients are clipped to a positive limit, not {limit}")
