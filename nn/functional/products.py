"""The linear map."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

import autograd_core as ag

from .given import numbers


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """Return ``x @ weight.T + bias``, one operation on the tape.

    Parameters
    ----------
    x : (..., n_in) array
        One observation, or any number of them.
    weight : (n_out, n_in) array
    bias : (n_out,) array, optional

    Examples
    --------
    >>> linear(np.array([1.0, 2.0]), np.array([[1.0, 1.0], [0.0, 3.0]]), np.array([0.5, 0.0]))
    array([3.5, 6. ])
    """
    if not hasattr(x, "ndim"):
        x = numbers(x, "linear")
    return _product(x, weight) if bias is None else _affine(x, weight, bias)


def _multiply(x: Any, weight: Any) -> Any:
    """Return ``x @ weight.T``; dot compares the lengths anyway."""
    if weight.ndim != 2 or not x.ndim:
        _explain(x, weight)
    try:
        return x.dot(weight.T) if x.ndim <= 2 else _dot(x, weight.T)
    except ValueError:
        _explain(x, weight)


_product = ag.primitive(_multiply)


@ag.primitive
def _affine(x: Any, weight: Any, bias: Any) -> Any:
    if x.ndim == 2 == weight.ndim:
        try:
            y = x.dot(weight.T)
        except ValueError:
            _explain(x, weight)
    else:
        y = _multiply(x, weight)
    if bias.shape != y.shape[-1:]:
        n = y.shape[-1]
        raise ValueError(f"linear with a weight of shape {weight.shape} needs a bias of shape ({n},), not {bias.shape}")
    if bias.dtype is not y.dtype:
        return y + bias
    y += bias
    return y


def _explain(x: Any, weight: Any) -> NoReturn:
    """Say what does not fit."""
    if weight.ndim != 2:
        raise ValueError(f"linear needs a weight of shape (n_out, n_in), not {weight.shape}")
    if x.shape[-1:] == weight.shape[1:]:
        numbers(x, "linear")
    wanted = f"(..., {weight.shape[1]})"
    raise ValueError(f"linear with a weight of shape {weight.shape} needs x of shape {wanted}, not {x.shape}")


def _dot(a: Any, b: Any) -> Any:
    """Return ``a @ b`` for a matrix `b` by one `dot`: cheaper than ``@``, and on a stack it would go row by row."""
    if a.ndim <= 2:
        return dot(a, b)
    return dot(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[1])


def dot(a: Any, b: Any) -> Any:
    """Return ``np.dot(a, b)``, by the method where it takes b: the method of an array takes no Tensor."""
    return a.dot(b) if type(b) is np.ndarray else np.dot(a, b)


def _pull_x(g: Any, weight: Any) -> Any:
    return _dot(g, weight)


def _pull_weight(g: Any, x: Any) -> Any:
    """Pull through ``x @ weight.T`` for the weight; `g` may have one more axis in front, a batch of cotangents."""
    if g.ndim == 2 == x.ndim:
        return dot(g.T, x)
    g = g.reshape(*g.shape[: g.ndim - x.ndim], -1, g.shape[-1])
    return np.swapaxes(g, -1, -2) @ x.reshape(-1, x.shape[-1])


# fmt: off
ag.rule(_product, _pull_x, _pull_weight,  args="x weight", name="linear", batched=True, linear=True, inline=True)
ag.rule(_affine,  _pull_x, _pull_weight, lambda g: g, args="x weight bias", name="linear", batched=True, inline=True)
# fmt: on
