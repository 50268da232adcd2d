"""Penalties: how large parameters are, to be added to a loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

import autograd_core as ag

from ..functional.given import numbers
from ..module import Module


def l1_penalty(parameters: Any) -> ag.Tensor:
    """Return the sum of ``|p|`` over all entries of an array, of several, or of a model; the derivative at 0 is 0.

    Examples
    --------
    >>> l1_penalty([np.array([1.0, -2.0]), np.array([[3.0]])])
    np.float64(6.0)
    """
    return _total(np.sum(np.abs(p)) for p in _each(parameters))


def l2_penalty(parameters: Any) -> ag.Tensor:
    """Return the sum of p**2 over all entries of an array, of several, or of a model: the ridge penalty, not halved.

    Examples
    --------
    >>> l2_penalty([np.array([1.0, -2.0]), np.array([[3.0]])])
    np.float64(14.0)
    """
    return _total(_squares(p) for p in _each(parameters))


@ag.primitive
def _squares(x: Any) -> Any:
    x = numbers(x, "l2_penalty", "biuf").ravel("K")
    if x.dtype == np.float16:  # whose squares overflow at 256
        x = x.astype(np.float32)
        return x.dot(x).astype(np.float16)
    return x.dot(x)


ag.rule(_squares, lambda g, x: (g + g) * x, name="l2_penalty", inline=True)


def _each(parameters: Any) -> Iterable[Any]:
    if isinstance(parameters, ag.Tensor | np.ndarray):
        return [parameters]
    if isinstance(parameters, Module):
        return parameters.parameters()
    if isinstance(parameters, Mapping):
        return parameters.values()
    if not isinstance(parameters, Iterable) or isinstance(parameters, str):
        raise TypeError(
            f"a penalty is of an array or of several, such as model.parameters(), not of a {type(parameters).__name__}"
        )
    return parameters


def _total(terms: Iterable[Any]) -> Any:
    found = list(terms)
    if not found:
        raise ValueError("a penalty of no parameters at all: all are frozen, or a generator gave them before")
    total = found[0]
    for term in found[1:]:
        total = total + term
    return total
