"""Polynomials, by their coefficients, highest power first, and by their roots."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..rules import composite, primitive, rule
from ..spaces import array, cast
from .values import recorded, refuse_to_choose

# --- values and roots -------------------------------------------------------------------------------------------------


def _polyval_pull_p(g: Any, p_space: Any, x: Any) -> Any:
    n, *rest = p_space.shape
    powers = np.vander(np.reshape(x, -1), n)
    if not rest:
        return np.reshape(g, -1) @ powers
    stretched = (1,) * (g.ndim - x.ndim) + tuple(x.shape)  # a polynomial for each column of `p`
    back = g * np.reshape(powers.T, (n, *stretched))
    return np.sum(back, axis=tuple(range(1, back.ndim - len(rest))))


def _polyval_pull_x(g: Any, p: Any, x: Any) -> Any:
    if p.shape[0] < 2:  # constants: np.polyval of no coefficients has another shape
        return g * np.zeros_like(x)
    powers = np.arange(p.shape[0] - 1, 0, -1)
    return g * np.polyval(p[:-1] * np.reshape(powers, (-1, *(1,) * (p.ndim - 1))), x)


rule(
    np.polyval,
    _polyval_pull_p,
    _polyval_pull_x,
    args="p x",
    compute=lambda p, x: np.polyval(p, x),
)


def _vander_pull(g: Any, ans_space: Any, x: Any, increasing: bool = False) -> Any:
    n = ans_space.shape[1]
    g = g if increasing else np.flip(g, -1)
    lower = np.vander(x, max(n - 1, 0), increasing=True)
    return np.sum(g[..., 1:] * (lower * np.arange(1, n)), axis=-1)


rule(np.vander, _vander_pull, params="x N increasing", metadata="N", batched=True, fixes=True)


def _roots_pull(g: Any, ans: Any, p: Any) -> Any:
    """Move each simple root r by -r^k / p'(r) for the coefficient of x^k: the implicit function theorem."""
    return -(g / np.polyval(np.polyder(p), ans)) @ np.vander(ans, p.shape[0])


rule(np.roots, _roots_pull, args="p")


@primitive
def monic(roots: Any) -> Any:
    """Return the polynomial with given roots and leading coefficient 1."""
    return np.poly(roots)


def _monic_pull(g: Any, ans: Any, roots: Any) -> Any:
    """Move the coefficients by minus those of the polynomial divided by x - r, which Horner's rule finds."""
    quotient = ans[0] * np.ones_like(roots)
    total = g[1] * quotient
    for k in range(1, roots.shape[0]):
        quotient = ans[k] + roots * quotient
        total = total + g[k + 1] * quotient
    return -total


rule(monic, _monic_pull, args="roots", name="poly")


@composite(np.poly)
def _poly(seq_of_zeros: Any) -> Any:
    roots = array(seq_of_zeros)
    if roots.ndim == 2 and roots.shape[0] == roots.shape[1] > 0:
        roots = np.linalg.eigvals(roots)
    elif roots.ndim > 1:
        raise ValueError(f"np.poly takes roots or a square matrix, not an array of shape {roots.shape}")
    if roots.size and roots.dtype.kind == "c":
        refuse_to_choose(
            "np.poly of complex roots gives real or complex numbers, as the values want it,",
            "multiply polynomials of degree one by np.convolve",
        )
    return monic(roots if roots.ndim else np.reshape(roots, 1)) if roots.size else 1.0


# --- arithmetic -------------------------------------------------------------------------------------------------------


def _coefficients(p: Any, who: str) -> Any:
    """Return a vector of coefficients; of one number, too."""
    p = np.atleast_1d(array(p))
    if p.ndim > 1:
        raise ValueError(f"{who} takes the coefficients of one polynomial, a vector, not an array of shape {p.shape}")
    return p


def _aligned(a: Any, b: Any) -> list[Any]:
    """Put zeros in front of the shorter of two polynomials."""
    pair = [np.reshape(p, 1) if not p.ndim else p for p in (array(a), array(b))]
    n = max(len(p) for p in pair)
    return [np.concatenate([np.zeros(n - len(p), p.dtype), p]) if len(p) < n else p for p in pair]


composite(np.polyadd)(lambda a1, a2: np.add(*_aligned(a1, a2)))
composite(np.polysub)(lambda a1, a2: np.subtract(*_aligned(a1, a2)))


@composite(np.polymul)
def _polymul(a1: Any, a2: Any) -> Any:
    a, b = (np.trim_zeros(_coefficients(p, "np.polymul"), "f") for p in (a1, a2))
    a, b = (p if len(p) else np.zeros(1, p.dtype) for p in (a, b))
    return np.convolve(a, b)


@composite(np.polydiv)
def _polydiv(u: Any, v: Any) -> Any:
    u, v = (_coefficients(p, "np.polydiv") + 0.0 for p in (u, v))
    m, n = len(u) - 1, len(v) - 1
    dtype = np.result_type(u.dtype, v.dtype)
    r = cast(u, dtype)
    scale, window = 1.0 / v[0], r[: n + 1]
    q: list[Any] = []
    done: list[Any] = []
    for k in range(m - n + 1):  # only as many coefficients as v has are at work
        window = np.concatenate([window[1:], r[k + n : k + n + 1]]) if k else window
        d = scale * window[0]
        window = window - d * v
        q.append(d)
        done.append(window[:1])
    r = np.concatenate([*done, window[1:]]) if q else r
    while len(r) > 1 and np.allclose(r[0], 0, rtol=1e-14):
        r = r[1:]
    quotient = np.stack(q) if q else np.zeros(1, dtype)
    return cast(quotient, dtype), r


@composite(np.polyder)
def _polyder(p: Any, m: int = 1) -> Any:
    if m < 0:
        raise ValueError(f"the order of a derivative is not negative: {m}")
    p = _coefficients(p, "np.polyder")
    for _ in range(int(m)):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


@composite(np.polyint)
def _polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    if m < 0:
        raise ValueError(f"the order of an integral is not negative: {m}")
    p, k = _coefficients(p, "np.polyint"), np.zeros(m) if k is None else np.atleast_1d(array(k))
    k = k[0] * np.ones(m) if len(k) == 1 and m > 1 else k
    if len(k) < m:
        raise ValueError(f"np.polyint needs one constant or {m}, not {len(k)}")
    for i in range(int(m)):
        p = np.concatenate([p / np.arange(len(p), 0, -1), k[i : i + 1]])
    return p


@composite(np.polyfit)
def _polyfit(
    x: Any, y: Any, deg: Any, rcond: float | None = None, full: bool = False, w: Any = None, cov: Any = False
) -> Any:
    order = int(deg) + 1
    x, y = array(x) + 0.0, array(y) + 0.0
    if deg < 0 or x.ndim != 1 or not x.size or y.ndim not in (1, 2) or y.shape[0] != x.shape[0]:
        raise TypeError(f"np.polyfit cannot fit degree {deg} to places of shape {x.shape}, values of shape {y.shape}")
    rcond = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    left, right = np.vander(x, order), y
    if w is not None:
        w = array(w) + 0.0
        if w.shape != x.shape:
            raise TypeError(f"np.polyfit needs one weight for each place: shapes {w.shape} and {x.shape}")
        left = cast(left * w[:, None], left.dtype)
        right = cast(right * (w[:, None] if y.ndim == 2 else w), y.dtype)  # NumPy weighs in place
    scale = np.sqrt(np.sum(left * left, axis=0))
    left = left / scale
    c, residuals, rank, s = np.linalg.lstsq(left, right, rcond)
    c = (c.T / scale).T
    if full:
        return c, residuals, rank, s, rcond
    if not recorded() and rank != order:
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=3)
    if not cov:
        return c
    base = np.linalg.inv(np.dot(left.T, left)) / np.outer(scale, scale)
    if cov != "unscaled":
        if len(x) <= order:
            raise ValueError(f"scaling the covariance takes more than {order} places, {len(x)} were given")
        residuals = residuals / (len(x) - order)
        return c, base * residuals if y.ndim == 1 else base[:, :, None] * residuals
    return c, base if y.ndim == 1 else base[:, :, None]
