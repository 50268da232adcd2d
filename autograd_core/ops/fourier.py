"""Fourier transforms: linear, so a tangent is transformed itself. Several axes are one transform after another.

A transform along an axis first cuts or fills it to length n. The matrix of `fft` is symmetric: it is its own transpose,
with the same `norm`. The real transforms meet every frequency but the first, and n/2, twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules import composite, rule
from ..spaces import from_end

TURNED: dict[Any, Any] = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _along(space: Any, axis: int) -> tuple[int, int]:
    """Return an axis counted from the end, and its length."""
    axis = from_end(int(axis), len(space.shape))[0]
    return axis, space.shape[axis]


def _fit(g: Any, size: int, axis: int) -> Any:
    """Undo cutting or filling: cut or fill an axis to its former length."""
    n = g.shape[axis]
    if n > size:
        return g[(..., slice(size), *(slice(None),) * (-1 - axis))]
    if n < size:
        missing = np.zeros([size - n if i - g.ndim == axis else m for i, m in enumerate(g.shape)], g.dtype)
        return np.concatenate([g, missing], axis=axis)
    return g


def _fft_pull(g: Any, a_space: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    axis, size = _along(a_space, axis)
    return _fit(np.fft.fft(g, None, axis, norm), size, axis)


def _ifft_pull(g: Any, a_space: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    axis, size = _along(a_space, axis)
    return _fit(np.fft.ifft(g, None, axis, norm), size, axis)


def _times_met(spectrum: Any, n: int, axis: int, twice: float) -> Any:
    """Multiply the frequencies that a real signal of length n has twice by `twice`."""
    weight = np.full(spectrum.shape[axis], twice, np.finfo(spectrum.dtype).dtype)
    weight[0] = 1
    if n % 2 == 0:
        weight[n // 2] = 1
    return spectrum * np.reshape(weight, (-1,) + (1,) * (-1 - axis))


def _rfft_pull(g: Any, a_space: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    """Return the real part of fft(g) by a real transform, half as long: Re Σₖ gₖ exp(−2πi j k / n)."""
    axis, size = _along(a_space, axis)
    n = size if n is None else n
    return _fit(np.fft.irfft(np.conjugate(_times_met(g, n, axis, 0.5)), n, axis, TURNED[norm]), size, axis)


def _irfft_pull(g: Any, a_space: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    axis, size = _along(a_space, axis)
    spectrum = np.conjugate(np.fft.rfft(g, None, axis, TURNED[norm]))
    return _fit(_times_met(spectrum, g.shape[axis], axis, 2.0), size, axis)


rule(np.fft.fft, _fft_pull, args="a", linear=True, batched=True)
rule(np.fft.ifft, _ifft_pull, args="a", linear=True, batched=True)
rule(np.fft.rfft, _rfft_pull, args="a", linear=True, batched=True)
rule(np.fft.irfft, _irfft_pull, args="a", linear=True, batched=True)


# --- made of these, as NumPy makes them -------------------------------------------------------------------------------


def _turned(norm: Any) -> Any:
    if norm not in TURNED:
        raise ValueError(f"norm is 'backward', 'ortho' or 'forward', not {norm!r}")
    return TURNED[norm]


@composite(np.fft.hfft)
def _hfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    return np.fft.irfft(np.conjugate(a), n, axis, _turned(norm))


@composite(np.fft.ihfft)
def _ihfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    return np.conjugate(np.fft.rfft(a, n, axis, _turned(norm)))


def _lengths(a: Any, s: Any, axes: Any) -> tuple[list[Any], list[int]]:
    """Return how long to make which axes; -1 leaves an axis as long as it is."""
    if axes is None:
        axes = range(-a.ndim if s is None else -len(s), 0)
    axes = list(axes)
    s = (
        [a.shape[i] for i in axes]
        if s is None
        else [a.shape[i] if n == -1 else n for n, i in zip(s, axes, strict=True)]
    )
    return s, axes


def _over_axes(fn: Any, one: Any, default: Any, last: Any = None) -> None:
    """Compose `fn` of `one` over every axis, the last one first; of `last` over the last axis, if that is given."""

    def body(a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None) -> Any:
        s, axes = _lengths(a, s, axes)
        for k in range(len(axes) - 1, -1, -1):
            a = (one if last is None or k < len(axes) - 1 else last)(a, s[k], axes[k], norm)
        return a

    composite(fn)(body)


def _inverse_real(fn: Any, default: Any) -> None:
    """Compose `fn` of `ifft` over every axis but the last, and then `irfft` over that."""

    def body(a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None) -> Any:
        lengths, axes = _lengths(a, s, axes)
        for n, axis in zip(lengths[:-1], axes[:-1], strict=True):
            a = np.fft.ifft(a, n, axis, norm)
        return np.fft.irfft(a, None if s is None else lengths[-1], axes[-1], norm)

    composite(fn)(body)


last_two = (-2, -1)
_over_axes(np.fft.fftn, np.fft.fft, None)
_over_axes(np.fft.fft2, np.fft.fft, last_two)
_over_axes(np.fft.ifftn, np.fft.ifft, None)
_over_axes(np.fft.ifft2, np.fft.ifft, last_two)
_over_axes(np.fft.rfftn, np.fft.fft, None, np.fft.rfft)
_over_axes(np.fft.rfft2, np.fft.fft, last_two, np.fft.rfft)
_inverse_real(np.fft.irfftn, None)
_inverse_real(np.fft.irfft2, last_two)


def _rolled(x: Any, axes: Any, sign: int) -> Any:
    axes = range(x.ndim) if axes is None else axes if isinstance(axes, tuple | list) else (axes,)
    return np.roll(x, [sign * (x.shape[i] // 2) for i in axes], tuple(axes)) if len(axes) else x


@composite(np.fft.fftshift)
def _fftshift(x: Any, axes: Any = None) -> Any:
    return _rolled(x, axes, 1)


@composite(np.fft.ifftshift)
def _ifftshift(x: Any, axes: Any = None) -> Any:
    return _rolled(x, axes, -1)
