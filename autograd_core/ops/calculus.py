"""Calculus on samples: slopes and integrals along an axis, interpolation, convolution, unwrapped phases."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules import Door, composite, present, primitive, rule, where
from ..spaces import array, cast, from_end
from .index import scatter
from .values import instead, plain, recorded

# --- slopes and integrals ---------------------------------------------------------------------------------------------


@composite(np.gradient)
def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f, varargs = array(f), tuple(array(h) if isinstance(h, list) else h for h in varargs)
    f = f if f.dtype.kind in "fc" else np.astype(f, float)
    axes = from_end(axis, f.ndim)
    if edge_order not in (1, 2):
        raise ValueError(f"edge_order is 1 or 2, not {edge_order}")
    if len(varargs) == 0:
        spacings: tuple[Any, ...] = (1.0,) * len(axes)
    elif len(varargs) == 1 and np.ndim(varargs[0]) == 0:
        spacings = varargs * len(axes)
    elif len(varargs) == len(axes):
        spacings = varargs
    else:
        raise TypeError(
            f"np.gradient along {len(axes)} axes was given {len(varargs)} spacings: give one, or one for each"
        )
    slopes = tuple(_slope(f, h, a, edge_order) for h, a in zip(spacings, axes, strict=True))
    return slopes[0] if len(axes) == 1 else slopes


@primitive
def slope(f: Any, spacing: Any, axis: int, edge_order: Any = 1) -> Any:
    """Return the slope along one axis of samples at fixed places."""
    return np.gradient(f, spacing, axis=axis, edge_order=edge_order)


def _slope_pull(g: Any, f_space: Any, spacing: Any = None, axis: int = -1, edge_order: Any = 1) -> Any:
    """Send each slope to the points it was taken between; for the two at the ends NumPy tells the weights."""
    n, m = f_space.shape[axis], edge_order + 1
    u, v = (np.diff(spacing)[:-1], np.diff(spacing)[1:]) if np.ndim(spacing) else (spacing, spacing)
    near = lambda part: spacing[part] if np.ndim(spacing) else spacing
    first, last = (
        np.gradient(np.eye(m), near(part), axis=0, edge_order=edge_order)[end]
        for part, end in ((slice(m), 0), (slice(-m, None), -1))
    )
    g = np.moveaxis(g, axis, -1)
    zeros = lambda k: np.zeros((*g.shape[:-1], k), g.dtype)
    middle = g[..., 1:-1]
    total = (
        np.concatenate([middle * (-v / (u * (u + v))), zeros(2)], axis=-1)
        + np.concatenate([zeros(1), middle * ((v - u) / (u * v)), zeros(1)], axis=-1)
        + np.concatenate([zeros(2), middle * (u / (v * (u + v)))], axis=-1)
        + np.concatenate([g[..., :1] * first, zeros(n - m)], axis=-1)
        + np.concatenate([zeros(n - m), g[..., -1:] * last], axis=-1)
    )
    return np.moveaxis(total, -1, axis)


rule(slope, _slope_pull, args="f", linear=True, name="gradient")


def _slope(f: Any, h: Any, axis: int, edge_order: int) -> Any:
    """Return the slope along one axis, whose points are `h` apart or, if `h` is a vector, at `h`."""
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ValueError(f"np.gradient with edge_order={edge_order} needs {edge_order + 1} points or more, not {n}")
    if np.ndim(h) and np.shape(h) != (n,):
        raise ValueError(
            f"np.gradient takes a spacing or {n} places along this axis, not an array of shape {np.shape(h)}"
        )
    if type(h) is not Door.kind:
        return slope(f, spacing=h, axis=axis, edge_order=edge_order)
    if not h.ndim:
        return _differences(f, h, None, axis, edge_order)
    d = np.diff(h)
    found = _differences(f, None, d, axis, edge_order)
    if not recorded() and not np.all(d == d[0]):
        return found
    return instead(found, plain(np.gradient, f, h, axis=axis, edge_order=edge_order))


def _differences(f: Any, h: Any, d: Any, axis: int, edge_order: int) -> Any:
    """Return NumPy's differences, for one distance or all: central, at the ends of the first or second order."""
    behind = (slice(None),) * (-1 - axis)
    at = lambda i: f[(*(slice(None),) * (f.ndim + axis), i, *behind)]
    if h is not None:
        middle = (at(slice(2, None)) - at(slice(None, -2))) / (2.0 * h)
    else:
        u, v = d[:-1], d[1:]
        weights = (-v / (u * (u + v)), (v - u) / (u * v), u / (v * (u + v)))
        a, b, c = (np.reshape(w, (-1, *(1,) * len(behind))) for w in weights)
        middle = a * at(slice(None, -2)) + b * at(slice(1, -1)) + c * at(slice(2, None))
    if edge_order == 1:
        first, last = (h, h) if h is not None else (d[0], d[-1])
        first, last = (at(1) - at(0)) / first, (at(-1) - at(-2)) / last
    else:
        if h is not None:
            a, b, c = -1.5 / h, 2.0 / h, -0.5 / h
            p, q, r = 0.5 / h, -2.0 / h, 1.5 / h
        else:
            u, v = d[0], d[1]
            a, b, c = -(2.0 * u + v) / (u * (u + v)), (u + v) / (u * v), -u / (v * (u + v))
            u, v = d[-2], d[-1]
            p, q, r = v / (u * (u + v)), -(v + u) / (u * v), (2.0 * v + u) / (v * (u + v))
        first, last = a * at(0) + b * at(1) + c * at(2), p * at(-3) + q * at(-2) + r * at(-1)
    slope = np.concatenate([np.expand_dims(first, axis), middle, np.expand_dims(last, axis)], axis=axis)
    return cast(slope, f.dtype)


@primitive
def area(y: Any, x: Any, dx: Any, axis: int) -> Any:
    """Return the integral along an axis by the trapezoidal rule, between places that are fixed."""
    return np.trapezoid(y, x, dx, axis)


def _area_pull(g: Any, y_space: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Weigh each sample by half of the distance between its neighbours."""
    n = y_space.shape[axis]
    widths = np.full(n - 1, dx) if x is None else np.diff(x)
    weights = (np.append(widths, 0) + np.append(0, widths)) / 2
    return np.expand_dims(g, axis) * np.reshape(weights, (n,) + (1,) * (-1 - axis))


rule(area, _area_pull, args="y", params="y x dx axis", linear=True, batched=True, carries=True, name="trapezoid")


@composite(np.trapezoid)
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = array(y)
    axis = from_end(axis, y.ndim)[0]
    if type(dx) in (int, float) and y.dtype.kind in "fc" and y.shape[axis]:
        if x is None:
            return area(y, x=x, dx=dx, axis=axis)
        x = array(x)
        if type(x) is not Door.kind and (x := np.array(x)).ndim == 1 and len(x) == y.shape[axis]:
            return area(y, x=x, dx=dx, axis=axis)
    if x is not None:
        x = array(x)
        dx = np.reshape(np.diff(x), (-1, *(1,) * (-1 - axis))) if x.ndim == 1 else np.diff(x, axis=axis)
    behind = (slice(None),) * (-1 - axis)
    return np.sum(dx * (y[(..., slice(1, None), *behind)] + y[(..., slice(None, -1), *behind)]) / 2.0, axis)


@primitive
def steps(x: Any) -> Any:
    """Return the differences of all entries in a row."""
    return np.ediff1d(x)


def _steps_pull(g: Any, x_space: Any) -> Any:
    if not x_space.size:
        return np.zeros(x_space.shape, g.dtype)
    end = np.zeros(1, g.dtype)
    return np.reshape(np.concatenate([end, g]) - np.concatenate([g, end]), x_space.shape)


rule(steps, _steps_pull, linear=True, name="ediff1d")


@composite(np.ediff1d)
def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    ary = array(ary)
    parts = [steps(ary)]
    for end, at in ((to_begin, 0), (to_end, len(parts) + 1)):
        if end is not None:
            end = np.reshape(array(end), -1)
            if not np.can_cast(end.dtype, ary.dtype, "same_kind"):
                raise TypeError(f"np.ediff1d of {ary.dtype} cannot take {end.dtype} at its ends")
            parts.insert(at, cast(end, ary.dtype))
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _running(fn: Any, identity: float) -> Any:
    def body(x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False) -> Any:
        x = x if x.ndim else np.reshape(x, 1)
        if axis is None and x.ndim > 1:
            raise ValueError(f"the axis must be given for an array of shape {x.shape}")
        axis = from_end(0 if axis is None else axis, x.ndim)[0]
        result = fn(x, axis=axis, dtype=dtype)
        if include_initial:
            shape = tuple(1 if i - x.ndim == axis else n for i, n in enumerate(x.shape))
            result = np.concatenate([np.full(shape, identity, result.dtype), result], axis=axis)
        return result

    return body


composite(np.cumulative_sum)(_running(np.cumsum, 0))
composite(np.cumulative_prod)(_running(np.cumprod, 1))


# --- interpolation ----------------------------------------------------------------------------------------------------


@primitive
def interpolate(x: Any, xp: Any, fp: Any) -> Any:
    """Return the polygon through the points (xp, fp), held beyond its ends."""
    return np.interp(x, xp, fp)


def _leg(x: Any, xp: Any) -> tuple[Any, ...]:
    """Return for each x the corners to its left and right, how far it is between them, their distance, is it flat?

    Flat it is beyond the ends, and at an end where places are tied: there the last of the values holds.
    """
    n = xp.shape[0]
    left = np.minimum(np.maximum(np.searchsorted(xp, x, side="right") - 1, 0), max(n - 2, 0))
    right = np.minimum(left + 1, n - 1)
    h = xp[right] - xp[left]
    jump = h == 0
    h = np.where(jump, 1, h)
    last = (x > xp[-1]) | (jump & (right != left))
    t = np.where(x < xp[0], 0, np.where(last, 1, (x - xp[left]) / h))
    return left, right, t, h, (x < xp[0]) | (x > xp[-1]) | jump


def _interpolate_pull_x(g: Any, x: Any, xp: Any, fp: Any) -> Any:
    left, right, _, h, flat = _leg(x, xp)
    moving = np.logical_not(flat)
    return present(where(moving, g * ((fp[right] - fp[left]) / h)), moving)


def _interpolate_pull_xp(g: Any, x: Any, xp: Any, fp: Any) -> Any:
    left, right, t, h, flat = _leg(x, xp)
    g = where(np.logical_not(flat), g * ((fp[right] - fp[left]) / h))
    return _to_corners(g * (t - 1), -g * t, left, right, xp.shape)


def _interpolate_pull_fp(g: Any, x: Any, xp: Any, fp_space: Any) -> Any:
    left, right, t, _, _ = _leg(x, xp)
    return _to_corners(g * (1 - t), g * t, left, right, tuple(fp_space.shape))


def _to_corners(a: Any, b: Any, left: Any, right: Any, shape: Any) -> Any:
    return scatter(np.stack([a, b]), index=np.stack([left, right]), shape=shape)


rule(
    interpolate,
    _interpolate_pull_x,
    _interpolate_pull_xp,
    _interpolate_pull_fp,
    args="x xp fp",
    name="interp",
    selects=True,
)


@composite(np.interp)
def _interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    x, xp, fp = array(x), array(xp), array(fp)
    if period is None:
        y = interpolate(x, xp, fp)
        y = y if left is None else np.where(x < xp[0], left, y)
        return y if right is None else np.where(x > xp[-1], right, y)
    if xp.ndim != 1 or fp.shape != xp.shape:
        raise ValueError(f"np.interp needs as many values as places: shapes {fp.shape} and {xp.shape}")
    if np.any(period == 0):
        raise ValueError("the period of np.interp must not be 0")
    period = np.absolute(period)
    x, xp = (np.remainder(cast(a, float), period) for a in (x, xp))
    order = np.argsort(xp)
    xp, fp = xp[order], fp[order]
    xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
    return interpolate(x, xp, np.concatenate([fp[-1:], fp, fp[:1]]))


# --- convolution ------------------------------------------------------------------------------------------------------


@primitive
def convolution(a: Any, b: Any, mode: Any) -> Any:
    """Return the convolution of a vector with one that is not longer."""
    return np.convolve(a, b, mode)


@primitive
def correlation(a: Any, b: Any, mode: Any) -> Any:
    """Return the correlation of a vector with one that is not longer."""
    return np.correlate(a, b, mode)


def _whole(g: Any, n: int, m: int, mode: str) -> Any:
    """Return the cotangent of the whole convolution of n and m <= m entries from that of its middle part."""
    if mode == "full":
        return g
    start = m - 1 if mode == "valid" else (m - 1) // 2
    zeros = lambda k: np.zeros(k, g.dtype)
    return np.concatenate([zeros(start), g, zeros(n + m - 1 - start - g.shape[0])])


def _pull_a(g: Any, a_space: Any, b: Any, mode: str = "full") -> Any:
    return np.convolve(_whole(g, a_space.shape[0], b.shape[0], mode), b[::-1], "valid")


def _pull_b(g: Any, a: Any, b_space: Any, mode: str = "full") -> Any:
    return np.convolve(_whole(g, a.shape[0], b_space.shape[0], mode), a[::-1], "valid")


rule(convolution, _pull_a, _pull_b, linear=True, name="convolve")
rule(
    correlation,
    lambda g, a_space, b, mode="full": _pull_a(g, a_space, np.conjugate(b[::-1]), mode),
    lambda g, a, b_space, mode="full": np.conjugate(_pull_b(g, a, b_space, mode)[::-1]),
    linear=True,
    name="correlate",
)

MODES = {0: "valid", 1: "same", 2: "full"}


def _vector(a: Any) -> Any:
    a = array(a)
    return a if a.ndim else np.reshape(a, 1)


@composite(np.convolve)
def _convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    a, v = _vector(a), _vector(v)
    if a.ndim != 1 or v.ndim != 1:
        raise ValueError(f"np.convolve takes vectors, not shapes {a.shape} and {v.shape}")
    if not (a.size and v.size):
        raise ValueError(f"np.convolve takes vectors that are not empty, these have {a.size} and {v.size} entries")
    a, v = (v, a) if len(v) > len(a) else (a, v)
    return convolution(a, v, mode=MODES.get(mode, mode))


@composite(np.correlate)
def _correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    a, v, mode = array(a), array(v), MODES.get(mode, mode)
    if a.ndim != 1 or v.ndim != 1:
        raise ValueError(f"np.correlate takes two vectors, not shapes {a.shape} and {v.shape}")
    if not (a.size and v.size):
        raise ValueError(f"np.correlate takes vectors that are not empty, these have {a.size} and {v.size} entries")
    if len(v) > len(a):
        return np.conjugate(correlation(v, a, mode=mode)[::-1])
    return correlation(a, v, mode=mode)


# Whole periods are added, whose number does not move.
rule(
    np.unwrap, lambda g: g, params="p discont axis period", metadata="discont axis period", elementwise=True
)  # fmt: skip
