"""Initial weights: functions of a source of randomness and a shape.

The source is a `numpy.random.Generator`, or an int to seed a new one with; never a global state. A weight has the shape
``(n_out, n_in)``, or ``(n_out, n_in, ...)`` for one that is moved over an image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .functional.given import whole

Rng = np.random.Generator | int
Initialiser = Callable[..., "np.ndarray[Any, Any]"]  # of a source, a shape and dtype=


def generator(rng: Any) -> np.random.Generator:
    """Return the source of randomness that was given, or make one from a seed."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool):
        return np.random.default_rng(int(rng))
    raise TypeError(f"rng is a seed, such as rng=0, or np.random.default_rng(...), not {rng!r}")


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many numbers enter and leave one place of a layer with such a weight.

    Examples
    --------
    >>> fans((16, 2)), fans((8, 3, 5, 5))
    ((2, 16), (75, 200))
    """
    shape = tuple(whole(n, "a weight", "a length") for n in shape)
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(f"a weight has the shape (n_out, n_in), of positive lengths, not {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def uniform_fan_in(rng: Rng, shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray[Any, Any]:
    """Return draws from U[-c, c] with c = sqrt(3 / fan_in), whose variance is 1 / fan_in: the lectures' choice.

    Examples
    --------
    >>> w = uniform_fan_in(0, (16, 3))
    >>> w.shape, bool(np.abs(w).max() < 1)
    ((16, 3), True)
    """
    return _uniform(rng, shape, math.sqrt(3 / fans(shape)[0]), dtype)


def glorot(rng: Rng, shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray[Any, Any]:
    """Return draws from U[-c, c] with c = sqrt(6 / (fan_in + fan_out)), for tanh (Glorot and Bengio 2010)."""
    return _uniform(rng, shape, math.sqrt(6 / sum(fans(shape))), dtype)


def he(rng: Rng, shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray[Any, Any]:
    """Return draws from N(0, 2 / fan_in), for relu (He et al. 2015)."""
    return generator(rng).normal(0, math.sqrt(2 / fans(shape)[0]), shape).astype(real(dtype))


def gaussian(
    rng: Rng, shape: tuple[int, ...], deviation: float | None = None, dtype: Any = np.float64
) -> np.ndarray[Any, Any]:
    """Return draws from N(0, deviation**2), by default N(0, 1 / fan_in)."""
    fan_in, _ = fans(shape)
    scale = 1 / math.sqrt(fan_in) if deviation is None else deviation
    if not 0 <= scale < math.inf:
        raise ValueError(f"a deviation is a number from 0 upwards, not {deviation}")
    return generator(rng).normal(0, scale, shape).astype(real(dtype))


def orthogonal(rng: Rng, shape: tuple[int, ...], gain: float = 1.0, dtype: Any = np.float64) -> np.ndarray[Any, Any]:
    """Return `gain` times a random matrix with orthonormal rows, or columns if there are fewer of these.

    Uniformly distributed (Saxe et al. 2014); a weight of more than two axes is one matrix of n_out rows.

    Examples
    --------
    >>> w = orthogonal(0, (2, 3))
    >>> bool(np.allclose(w @ w.T, np.eye(2)))
    True
    """
    fans(shape)
    n, m = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(generator(rng).normal(size=(max(n, m), min(n, m))))
    q *= np.where(np.diagonal(r) < 0, -1, 1)  # QR's choice of signs is not random
    return (gain * (q if n >= m else q.T)).reshape(shape).astype(real(dtype))


def _uniform(rng: Rng, shape: tuple[int, ...], c: float, dtype: Any) -> np.ndarray[Any, Any]:
    return generator(rng).uniform(-c, c, shape).astype(real(dtype))


def drawn(init: Any, rng: Rng, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """Return a weight from a distribution."""
    if not callable(init):
        raise TypeError(f"init is a function, such as nn.init.he, not {init!r}")
    found: np.ndarray[Any, Any] = init(rng, shape, dtype=dtype)
    return found


def real(dtype: Any) -> np.dtype[Any]:
    """Return the dtype of parameters, which are floats."""
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"weights are floats, such as np.float32, not {np.dtype(dtype)}")
    return np.dtype(dtype)
