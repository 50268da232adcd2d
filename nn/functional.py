"""Activations and the linear map: functions of arrays and of Tensors alike.

A function has a rule of its own where composing it of NumPy's functions would overflow, lose digits or be slow.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import numpy as np

import autograd_core as ag

Function = Callable[[Any], Any]


# --- one entry at a time ----------------------------------------------------------------------------------------------

relu = ag.relu
tanh = np.tanh


def identity(x: Any) -> Any:
    """Return x: the activation of a layer that is to stay linear."""
    return x


@ag.primitive
def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """Return x where it is positive and ``slope * x`` elsewhere; the derivative at 0 is `slope`, as PyTorch has it.

    Examples
    --------
    >>> leaky_relu(np.array([-2.0, 3.0]))
    array([-0.02,  3.  ])
    """
    if not 0 < slope <= 1:
        raise ValueError(f"leaky_relu needs 0 < slope <= 1, not {slope}; with slope 0 it is relu")
    return np.maximum(x, slope * x)


@ag.primitive
def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)), with all its digits on both sides.

    Examples
    --------
    >>> sigmoid(np.array([-1e4, -50.0, 0.0, 1e4]))
    array([0.00000000e+00, 1.92874985e-22, 5.00000000e-01, 1.00000000e+00])
    """
    with np.errstate(over="ignore"):  # exp(1e4) is inf, and 1 / inf the right answer
        return 1 / (1 + np.exp(-x))


@ag.primitive
def softplus(x: Any) -> Any:
    """Return log(1 + exp(x)), a smooth relu, without overflow.

    Examples
    --------
    >>> softplus(np.array([-1e4, 0.0, 1e4]))
    array([0.00000000e+00, 6.93147181e-01, 1.00000000e+04])
    """
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


# np.maximum(x > 0, slope) is exactly 1 on one side, the slope on the other, without the branches np.where mispredicts.

# fmt: off
ag.rule(leaky_relu, lambda g, x, slope=0.01: g * np.maximum(x > 0, x.dtype.type(slope)), elementwise=True)
ag.rule(sigmoid,    lambda g, ans: g * ans * (1 - ans), elementwise=True)
ag.rule(softplus,   lambda g, x: g * sigmoid(x),        elementwise=True)
# fmt: on


# --- along an axis ----------------------------------------------------------------------------------------------------


@ag.primitive
def softmax(x: Any, axis: Any = -1) -> Any:
    """Return exp(x) / sum(exp(x)), the sum along `axis`.

    Examples
    --------
    >>> softmax(np.array([1e4, 1e4, -1e4]))
    array([0.5, 0.5, 0. ])
    """
    e = np.exp(x - np.maximum.reduce(x, axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@ag.primitive
def log_softmax(x: Any, axis: Any = -1) -> Any:
    """Return log(softmax(x)), with all its digits where softmax(x) is 0 or 1.

    Examples
    --------
    >>> log_softmax(np.array([1e4, 0.0]))
    array([     0., -10000.])
    """
    z = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))


# fmt: off
ag.rule(softmax,     lambda g, ans, axis=-1: ans * (g - (g * ans).sum(axis=axis, keepdims=True)))
ag.rule(log_softmax, lambda g, ans, axis=-1: g - np.exp(ans) * g.sum(axis=axis, keepdims=True))
# fmt: on


# --- the linear map ---------------------------------------------------------------------------------------------------


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
    return _product(x, weight) if bias is None else _affine(x, weight, bias)


def _multiply(x: Any, weight: Any) -> Any:
    if x.ndim == 2 == weight.ndim and x.shape[1] == weight.shape[1]:
        return x.dot(weight.T)
    if weight.ndim != 2:
        raise ValueError(f"linear needs a weight of shape (n_out, n_in), not {weight.shape}")
    if x.shape[-1:] != weight.shape[1:]:
        wanted = f"(..., {weight.shape[1]})"
        raise ValueError(f"linear with a weight of shape {weight.shape} needs x of shape {wanted}, not {x.shape}")
    return _dot(x, weight.T)


_product = ag.primitive(_multiply)


@ag.primitive
def _affine(x: Any, weight: Any, bias: Any) -> Any:
    y = _multiply(x, weight)
    if bias.shape != y.shape[-1:]:
        n = y.shape[-1]
        raise ValueError(f"linear with a weight of shape {weight.shape} needs a bias of shape ({n},), not {bias.shape}")
    if bias.dtype is not y.dtype:
        return y + bias
    y += bias
    return y


def _dot(a: Any, b: Any) -> Any:
    """Return ``a @ b`` for a matrix `b` by one `dot`: cheaper than ``@``, and on a stack it would go row by row."""
    if a.ndim <= 2:
        return np.dot(a, b)
    return np.dot(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[1])


def _pull_x(g: Any, weight: Any) -> Any:
    return _dot(g, weight)


def _pull_weight(g: Any, x: Any) -> Any:
    """Pull through ``x @ weight.T`` for the weight; `g` may have one more axis in front, a batch of cotangents."""
    if g.ndim == 2 == x.ndim:
        return np.dot(g.T, x)
    g = g.reshape(*g.shape[: g.ndim - x.ndim], -1, g.shape[-1])
    return np.swapaxes(g, -1, -2) @ x.reshape(-1, x.shape[-1])


# fmt: off
ag.rule(_product, _pull_x, _pull_weight,              args="x weight",      name="linear", batched=True)
ag.rule(_affine,  _pull_x, _pull_weight, lambda g: g, args="x weight bias", name="linear", batched=True)
# fmt: on


# --- by name ----------------------------------------------------------------------------------------------------------

ACTIVATIONS: dict[str, Function] = {
    f.__name__: f for f in (identity, leaky_relu, log_softmax, relu, sigmoid, softmax, softplus, tanh)
}


def find_activation(chosen: str | Function) -> Function:
    """Return an activation chosen by name, or a function as it is.

    Examples
    --------
    >>> find_activation("tanh")
    <ufunc 'tanh'>
    """
    if callable(chosen):
        return chosen
    if chosen in ACTIVATIONS:
        return ACTIVATIONS[chosen]
    near = difflib.get_close_matches(str(chosen), ACTIVATIONS, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(
        f"no activation is called {chosen!r}; {hint}There are {', '.join(ACTIVATIONS)}, or pass a function"
    )
