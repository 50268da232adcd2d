"""Activations: functions of one entry at a time, and softmax, of all along an axis."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

import autograd_core as ag

from ..signatures import A, of_array
from .given import widened

Function = Callable[[Any], Any]


# --- one entry at a time ----------------------------------------------------------------------------------------------

relu = ag.relu
tanh = np.tanh


def identity(x: A) -> A:
    """Return x: the activation of a layer that is to stay linear."""
    return x


@of_array
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


@of_array
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


@of_array
@ag.primitive
def softplus(x: Any) -> Any:
    """Return log(1 + exp(x)), a smooth relu, without overflow.

    Examples
    --------
    >>> softplus(np.array([-1e4, 0.0, 1e4]))
    array([0.00000000e+00, 6.93147181e-01, 1.00000000e+04])
    """
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@of_array
@ag.primitive
def elu(x: Any, alpha: float = 1.0) -> Any:
    """Return x where it is positive and ``alpha * (exp(x) - 1)`` elsewhere; the derivative at 0 is `alpha`.

    Examples
    --------
    >>> elu(np.array([-1e4, 0.0, 2.0]))
    array([-1.,  0.,  2.])
    """
    if not 0 < alpha < math.inf:
        raise ValueError(f"elu needs a positive alpha, not {alpha}")
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0))


@of_array
@ag.primitive
def silu(x: Any) -> Any:
    """Return x * sigmoid(x), also called swish.

    Examples
    --------
    >>> silu(np.array([-1e4, 0.0, 1e4]))
    array([   -0.,     0., 10000.])
    """
    return x * sigmoid(x)


@of_array
@ag.primitive
def gelu(x: Any, approximate: Literal["none", "tanh"] = "none") -> Any:
    """Return x * P(Z <= x) for a standard normal Z; or the formula with tanh that stands for it, off by up to 5e-4.

    The exact one takes the error function from SciPy, and where that is not installed Python's, entry by entry.

    Examples
    --------
    >>> gelu(np.array([-1e4, 1.0, 1e4])).round(6)
    array([-0.000000e+00,  8.413450e-01,  1.000000e+04])
    """
    if approximate == "none":
        return x * normal_cdf(x)
    if approximate != "tanh":
        raise ValueError(f'approximate is "none" or "tanh", not {approximate!r}')
    return x * sigmoid(_inner(x))


@of_array
@ag.primitive
def normal_cdf(x: Any) -> Any:
    """Return P(Z <= x) for a standard normal Z.

    Examples
    --------
    >>> normal_cdf(np.array([-1.0, 0.0, 1.0])).round(6)
    array([0.158655, 0.5     , 0.841345])
    """
    x = np.asarray(x)
    return (0.5 * _erfc()(x * -math.sqrt(0.5))).astype(x.dtype)[()]


@functools.cache
def _erfc() -> Any:
    try:
        from scipy.special import erfc
    except ImportError:
        return np.vectorize(math.erfc, otypes=[float])
    return erfc


def _normal_density(x: Any) -> Any:
    return np.exp(-0.5 * x * x) * math.sqrt(0.5 / math.pi)


def _inner(x: Any) -> Any:
    """Return u(x) with gelu(x) about x * sigmoid(u(x)); beyond 40 sigmoid is 0 or 1 anyway, and x**3 may overflow."""
    x = np.minimum(np.maximum(x, -40), 40)
    return math.sqrt(8 / math.pi) * (x + 0.044715 * x * x * x)


def _gelu_pull(g: Any, x: Any, approximate: str = "none") -> Any:
    if approximate == "none":
        return g * (normal_cdf(x) + x * _normal_density(x))
    s, near = sigmoid(_inner(x)), np.minimum(np.maximum(x, -40), 40)
    return g * (s + near * s * (1 - s) * (math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * near * near)))


def _elu_slope(x: Any, alpha: float) -> Any:
    return np.where(x > 0, x.dtype.type(1), alpha * np.exp(np.minimum(x, 0)))


def _silu_pull(g: Any, x: Any) -> Any:
    s = sigmoid(x)
    return g * (s + x * s * (1 - s))


@of_array
@ag.primitive
def step(x: Any) -> Any:
    """Return 1 where x >= 0, else 0: the threshold unit. It is flat: every gradient through it is 0.

    Examples
    --------
    >>> step(np.array([-1.0, 0.0, 2.0]))
    array([0., 1., 1.])
    """
    x = np.asarray(x)
    return (x >= 0) * (x.dtype.type(1) if x.dtype.kind == "f" else 1.0)


# np.maximum(x > 0, slope) is exactly 1 on one side, the slope on the other, without the branches np.where mispredicts.

# fmt: off
ag.rule(leaky_relu, lambda g, x, slope=0.01: g * np.maximum(x > 0, x.dtype.type(slope)), elementwise=True, inline=True)
ag.rule(sigmoid,    lambda g, ans: g * ans * (1 - ans), elementwise=True, inline=True)
ag.rule(elu,        lambda g, x, alpha=1.0: g * _elu_slope(x, alpha), elementwise=True, inline=True)
ag.rule(gelu,       _gelu_pull, elementwise=True, inline=True)
ag.rule(normal_cdf, lambda g, x: g * _normal_density(x), elementwise=True)
ag.rule(silu,       _silu_pull, elementwise=True, inline=True)
ag.rule(softplus,   lambda g, x: g * sigmoid(x),        elementwise=True, inline=True)
ag.rule(step,       lambda g: np.zeros_like(g),         elementwise=True)
# fmt: on


# --- along an axis ----------------------------------------------------------------------------------------------------


@of_array
@ag.primitive
def softmax(x: Any, axis: Any = -1) -> Any:
    """Return exp(x) / sum(exp(x)), the sum along `axis`.

    Examples
    --------
    >>> softmax(np.array([1e4, 1e4, -1e4]))
    array([0.5, 0.5, 0. ])
    """
    wide = widened(x)
    e = np.exp(wide - np.maximum.reduce(wide, axis=axis, keepdims=True))
    found = e / e.sum(axis=axis, keepdims=True)
    return found if wide is x else found.astype(x.dtype)


@of_array
@ag.primitive
def log_softmax(x: Any, axis: Any = -1) -> Any:
    """Return log(softmax(x)), with all its digits where softmax(x) is 0 or 1.

    Examples
    --------
    >>> log_softmax(np.array([1e4, 0.0]))
    array([     0., -10000.])
    """
    wide = widened(x)
    z = wide - np.maximum.reduce(wide, axis=axis, keepdims=True)
    found = z - np.log(np.exp(z).sum(axis=axis, keepdims=True))
    return found if wide is x else found.astype(x.dtype)


# fmt: off
ag.rule(softmax,     lambda g, ans, axis=-1: ans * (g - (g * widened(ans)).sum(axis=axis, keepdims=True)), inline=True)
ag.rule(log_softmax, lambda g, ans, axis=-1: g - np.exp(ans) * widened(g).sum(axis=axis, keepdims=True), inline=True)
# fmt: on


# --- by name ----------------------------------------------------------------------------------------------------------

ACTIVATIONS: dict[str, Function] = {
    f.__name__: f
    for f in (elu, gelu, identity, leaky_relu, log_softmax, relu, sigmoid, silu, softmax, softplus, step, tanh)
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
    near = difflib.get_close_matches(str(chosen).lower(), ACTIVATIONS, 1)
    hint = f"did you mean {near[0]!r}? There" if near else "there"
    raise ValueError(f"no activation is called {chosen!r}; {hint} are {', '.join(ACTIVATIONS)}, or pass a function")
