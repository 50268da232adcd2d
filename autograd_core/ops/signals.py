"""SciPy's convolutions: they ask no Tensor, so a program says ``convolve = ag.primitive(scipy.signal.convolve)``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules import composite, primitive, rule
from ..spaces import array

signal: Any = None  # scipy.signal, once it is there


def register(module: Any) -> None:
    """Enter the rules of these functions of `scipy.signal` into the table."""
    global signal
    signal = module
    rule(convolution, _left, _right, metadata="name mode axes method", linear=True)
    for name, body in BODIES.items():
        composite(getattr(signal, name))(body)


@primitive
def convolution(a: Any, b: Any, name: str, mode: str, axes: Any, method: Any) -> Any:
    """Return a convolution by the function of SciPy of that name; `correlate` is one with b reversed and conjugated."""
    how = {"axes": axes} if method is None else {"method": method}
    return getattr(signal, name)(a, b, mode, **how)


def _along(x: Any, axes: Any) -> tuple[int, ...]:
    axes = range(len(x.shape)) if axes is None else (axes,) if isinstance(axes, int) else axes
    return tuple(axis % len(x.shape) for axis in axes)


def _full(g: Any, a: Any, b: Any, mode: str, axes: tuple[int, ...]) -> Any:
    """Return the cotangent of the whole convolution, of which `mode` keeps a part: zero elsewhere."""
    if mode == "full":
        return g
    pads = [(0, 0)] * len(g.shape)
    for axis in axes:
        n, m = a.shape[axis], b.shape[axis]
        before = min(n, m) - 1 if mode == "valid" else (m - 1) // 2
        pads[axis] = (before, n + m - 1 - before - g.shape[axis])
    return np.pad(g, pads)


def _pulled(g: Any, other: Any, name: str, axes: Any, method: Any) -> Any:
    return convolution(g, other, name=name, mode="valid", axes=axes, method=method)


def _left(g: Any, a_space: Any, b: Any, name: str = "", mode: str = "", axes: Any = None, method: Any = None) -> Any:
    along = _along(b, axes)
    g = _full(g, a_space, b, mode, along)
    if name == "correlate":
        return _pulled(g, np.conjugate(b), "convolve", axes, method)
    return _pulled(g, np.flip(b, along), name, axes, method)


def _right(g: Any, a: Any, b_space: Any, name: str = "", mode: str = "", axes: Any = None, method: Any = None) -> Any:
    along = _along(a, axes)
    g = _full(g, a, b_space, mode, along)
    if name == "correlate":
        return np.conjugate(np.flip(_pulled(g, np.flip(a, along), "convolve", axes, method), along))
    return _pulled(g, np.flip(a, along), name, axes, method)


def _convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    return convolution(array(in1), array(in2), name="convolve", mode=mode, axes=None, method=method)


def _correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    return convolution(array(in1), array(in2), name="correlate", mode=mode, axes=None, method=method)


def _fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    return convolution(array(in1), array(in2), name="fftconvolve", mode=mode, axes=axes, method=None)


def _oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    return convolution(array(in1), array(in2), name="oaconvolve", mode=mode, axes=axes, method=None)


BODIES: dict[str, Any] = {
    "convolve": _convolve,
    "correlate": _correlate,
    "fftconvolve": _fftconvolve,
    "oaconvolve": _oaconvolve,
}
