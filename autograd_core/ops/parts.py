"""Numbers taken apart, put together and made presentable: parts, phases, powers of two, NaN replaced, complex roots.

What is new here beside compositions are the real function I1, the derivative of `numpy.i0`, and the sign of a complex
number, which is a direction and moves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..pullbacks import same
from ..rules import Door, composite, constant, present, primitive, rule, where
from ..spaces import array
from .values import refuse_to_choose, values

# --- real numbers -----------------------------------------------------------------------------------------------------


@primitive
def fraction(x: Any) -> Any:
    """Return x without its whole part."""
    return np.modf(x)[0]


@primitive
def mantissa(x: Any) -> Any:
    """Return x divided by a power of two, between 1/2 and 1."""
    return np.frexp(x)[0]


@primitive
def exponent(x: Any) -> Any:
    """Return that power of two."""
    return np.frexp(x)[1]


@primitive
def scaled(x: Any, power: Any) -> Any:
    """Return x times a power of two."""
    return np.ldexp(x, power)


constant(exponent)
rule(fraction, same, elementwise=True)
rule(mantissa, lambda g, x: np.ldexp(g, -exponent(x)), elementwise=True)
rule(scaled, lambda g, power=0: np.ldexp(g, power), elementwise=True, linear=True, name="ldexp")
rule(np.nextafter, same, None)
rule(np.heaviside, None, lambda g, a: present(where(np.equal(a, 0), g), np.equal(a, 0)), selects=True)

composite(np.modf)(lambda x, /: (fraction(x), np.trunc(x)))
composite(np.frexp)(lambda x, /: (mantissa(x), exponent(x)))
composite(np.ldexp)(lambda x1, x2, /: scaled(array(x1), power=values(x2)))
composite(np.divmod)(lambda x1, x2, /: (np.floor_divide(x1, x2), np.remainder(x1, x2)))


@primitive
def i1(x: Any) -> Any:
    """Return the modified Bessel function I1: I0 times the continued fraction x / (2 + x² / (4 + x² / (6 + ...))).

    The farther terms matter, beyond rounding, up to six times the root of x.
    """
    y = np.absolute(np.asarray(x, np.float64))
    y = np.minimum(y, 720.0)  # where I0 overflows
    tail: Any = 1.0
    for k in range(int(20 + 6 * math.sqrt(np.max(y, initial=0.0, where=y == y))), 0, -1):
        tail = 2 * k + y * y / tail
    return (np.copysign(y / tail, x) * np.i0(np.asarray(x, np.float64))).astype(np.result_type(x, np.float16))[()]


rule(np.i0, lambda g, x: g * i1(x), compute=lambda x: np.i0(x)[()], elementwise=True)
rule(i1, lambda g, ans, x: g * (np.i0(x) - _quotient_at_0(ans, x, 0.5)), elementwise=True)


def _quotient_at_0(a: Any, x: Any, limit: float) -> Any:
    zero = x == 0
    return np.where(zero, limit, a / np.where(zero, x.dtype.type(1), x))


# --- complex numbers --------------------------------------------------------------------------------------------------


@primitive
def complex_of(a: Any, b: Any) -> Any:
    """Return a + ib, whatever is infinite or NaN in either."""
    out = np.empty(np.broadcast_shapes(np.shape(a), np.shape(b)), np.result_type(a, b, np.complex64))
    out.real, out.imag = a, b
    return out[()]


rule(complex_of, same, lambda g: g * 1j, elementwise=True)


@composite(np.angle)
def _angle(z: Any, deg: bool = False) -> Any:
    angle = np.arctan2(np.imag(z), np.real(z)) if z.dtype.kind == "c" else np.arctan2(0, z)
    return angle * (180 / np.pi) if deg else angle


@primitive
def sign(x: Any) -> Any:
    """Return the sign of real numbers, as NumPy has it."""
    return np.sign(x)


@primitive
def direction(x: Any) -> Any:
    """Return the sign of complex numbers: z / |z|."""
    return np.sign(x)


def _direction_pull(g: Any, ans: Any, x: Any) -> Any:
    """Return what of g is across z, over |z|; at 0 nothing."""
    size = np.absolute(x)
    across = g - np.real(g * ans) * np.conjugate(ans)
    return np.where(size == 0, size.dtype.type(0), across / np.where(size == 0, size.dtype.type(1), size))


constant(sign)
rule(direction, _direction_pull, batched=True, name="sign")
composite(np.sign)(lambda x, /: direction(x) if x.dtype.kind == "c" else sign(x))


@composite(np.real_if_close)
def _real_if_close(a: Any, tol: float = 100) -> Any:
    if a.dtype.kind != "c":
        return a
    refuse_to_choose("np.real_if_close gives real or complex numbers, as the values want it,", "write np.real(x)")
    tol = np.finfo(a.dtype).eps * tol if tol > 1 else tol
    return np.real(a) if np.all(np.absolute(np.imag(a)) < tol) else a


@composite(np.sort_complex)
def _sort_complex(a: Any) -> Any:
    if a.dtype.kind == "c":
        return np.sort(a)
    return np.astype(np.sort(a), np.complex64 if a.dtype.char in "bhBH" else np.complex128)


@primitive
def finite(x: Any, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Return what is finite as it is, and numbers for the rest."""
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


def _finite_pull(g: Any, x: Any) -> Any:
    if x.dtype.kind != "c":
        return present(where(np.isfinite(x), g), np.isfinite(x))
    g = complex_of(where(np.isfinite(x.real), np.real(g)), where(np.isfinite(x.imag), np.imag(g)))
    return present(g, np.isfinite(x.real) | np.isfinite(x.imag))


rule(finite, _finite_pull, metadata="nan posinf neginf", selects=True, name="nan_to_num")


@composite(np.nan_to_num)
def _nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    if not copy:
        raise TypeError("np.nan_to_num with copy=False is refused for Tensors: write x[...] = np.nan_to_num(x)")
    fillers = {"nan": nan, "posinf": posinf, "neginf": neginf}
    y = finite(x, **{k: v for k, v in fillers.items() if type(v) is not Door.kind})
    for hole, filler in ((np.isnan, nan), (np.isposinf, posinf), (np.isneginf, neginf)):
        if type(filler) is Door.kind:
            y = np.where(hole(x), np.astype(filler, y.dtype), y)
    return y


# --- numpy.emath: off the real line where it must be ------------------------------------------------------------------


def _if(outside: Any, x: Any) -> Any:
    """Return `x`, as complex numbers if any entry is `outside` the real domain."""
    refuse_to_choose(
        "a function of np.emath gives real or complex numbers, as the values want it,",
        "write np.sqrt(x + 0j), say, or np.sqrt(x)",
    )
    if not np.any(outside):
        return x
    return np.astype(x, np.complex64 if x.dtype.char in "fbhBHF" else np.complex128)


def _negative(x: Any) -> Any:
    return np.isreal(x) & (np.real(x) < 0)


def _beyond_1(x: Any) -> Any:
    return np.isreal(x) & (np.absolute(x) > 1)


def _on_the_plane(ours: Any, fn: Any, outside: Callable[[Any], Any]) -> None:
    composite(ours)(lambda x: fn(_if(outside(x), x)))


for _name in "sqrt log log2 log10".split():
    _on_the_plane(getattr(np.emath, _name), getattr(np, _name), _negative)
for _name in "arccos arcsin arctanh".split():
    _on_the_plane(getattr(np.emath, _name), getattr(np, _name), _beyond_1)


@composite(np.emath.power)
def _power(x: Any, p: Any) -> Any:
    x, p = array(x), array(p)
    return np.power(_if(_negative(x), x), p if p.dtype.kind in "fc" or not np.any(_negative(p)) else p * 1.0)


@composite(np.emath.logn)
def _logn(n: Any, x: Any) -> Any:
    n, x = array(n), array(x)
    return np.log(_if(_negative(x), x)) / np.log(_if(_negative(n), n))
