"""Element-wise functions: one line each. Broadcasting is not mentioned; the sweep undoes it once, for everyone."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np

from ..pullbacks import same
from ..rules import RULES, composite, constant, present, primitive, rule, where
from ..spaces import array, cast

A = TypeVar("A")
LOG2 = float(np.log(2.0))
LOG10 = float(np.log(10.0))


def _safe(x: Any, hole: Any) -> Any:
    """Return x with 1 where `hole` holds: a denominator whose zeros are dealt with elsewhere."""
    return np.where(hole, x.dtype.type(1), x)


# Where g stands for an upstream cotangent and complex arguments are allowed, a rule is the plain derivative of a
# holomorphic function; abs, real, imag and angle follow the convention df/dx - i df/dy.


def _real(x: Any) -> Any:
    """Return the real part: of real numbers a view as well, not the very array, so that assigning is noticed."""
    return x[...] if isinstance(x, np.ndarray) and x.shape and x.dtype.kind != "c" else x.real


# fmt: off
rule(np.positive,   same)
rule(np.negative,   lambda g: -g)
rule(np.absolute,   lambda g, x: g * _unit(x))
rule(np.fabs,       lambda g, x: g * np.sign(x))
rule(np.sqrt,       lambda g, ans: g / (ans + ans))
rule(np.cbrt,       lambda g, ans: g / (3 * ans * ans))
rule(np.square,     lambda g, x: g * (x + x))
rule(np.reciprocal, lambda g, ans: -g * ans * ans)
rule(np.exp,        lambda g, ans: g * ans)
rule(np.exp2,       lambda g, ans: g * ans * LOG2)
rule(np.expm1,      lambda g, ans: g + g * ans)
rule(np.log,        lambda g, x: g / x)
rule(np.log2,       lambda g, x: g / (x * LOG2))
rule(np.log10,      lambda g, x: g / (x * LOG10))
rule(np.log1p,      lambda g, x: g / (x + 1))
rule(np.sin,        lambda g, x: g * np.cos(x))
rule(np.cos,        lambda g, x: -g * np.sin(x))
rule(np.tan,        lambda g, ans: g + g * ans * ans)
rule(np.arcsin,     lambda g, x: g / np.sqrt((1 - x) * (1 + x)))
rule(np.arccos,     lambda g, x: -g / np.sqrt((1 - x) * (1 + x)))
rule(np.arctan,     lambda g, x: g / (1 + x * x))
rule(np.sinh,       lambda g, x: g * np.cosh(x))
rule(np.cosh,       lambda g, x: g * np.sinh(x))
rule(np.tanh,       lambda g, ans: g - g * ans * ans)
rule(np.arcsinh,    lambda g, x: g / (np.sqrt(x * x + 1) if x.dtype.kind == "c" else np.hypot(x, 1)))  # 1e20 in f4
rule(np.arccosh,    lambda g, x: g / (np.sqrt(x - 1) * np.sqrt(x + 1)))
rule(np.arctanh,    lambda g, x: g / ((1 - x) * (1 + x)))
rule(np.degrees,    lambda g: g * (180 / np.pi))
rule(np.rad2deg,    lambda g: g * (180 / np.pi))
rule(np.radians,    lambda g: g * (np.pi / 180))
rule(np.deg2rad,    lambda g: g * (np.pi / 180))
rule(np.conjugate,  lambda g: np.conjugate(g))
rule(np.real,       lambda g: g,       elementwise=True, compute=_real)
rule(np.imag,       lambda g, x_space: g * -1j if np.dtype(x_space.dtype).kind == "c" else g * 0, elementwise=True)

rule(np.add,        same,                            same)
rule(np.subtract,   same,                            lambda g: -g)
rule(np.multiply,   lambda g, b: g * b,              lambda g, a: g * a)
rule(np.divide,     lambda g, b: g / b,              lambda g, ans, b: -g * ans / b)
rule(np.power,      lambda g, a, b: g * _slope(a, b), lambda g, a, b, ans: g * ans * _log_base(a, ans))
rule(np.float_power, lambda g, a, b: g * _slope(a, b), lambda g, a, b, ans: g * ans * _log_base(a, ans))
rule(np.remainder,  lambda g: g,                     lambda g, a, b: -g * np.floor_divide(a, b))
rule(np.fmod,       lambda g: g,                     lambda g, a, b, ans: -g * np.rint((a - ans) / b))
rule(np.maximum,    lambda g, a, b: _larger(g, a, b),    lambda g, a, b: _larger(g, b, a), selects=True)
rule(np.minimum,    lambda g, a, b: _larger(g, b, a),    lambda g, a, b: _larger(g, a, b), selects=True)
rule(np.fmax,       lambda g, a, b, ans: _winner(g, a, b, ans),
                    lambda g, a, b, ans: _winner(g, b, a, ans), selects=True)
rule(np.fmin,       lambda g, a, b, ans: _winner(g, a, b, ans),
                    lambda g, a, b, ans: _winner(g, b, a, ans), selects=True)
rule(np.logaddexp,  lambda g, a, b, ans: g * _share(np.exp, a, b, ans),
                    lambda g, a, b, ans: g * _share(np.exp, b, a, ans))
rule(np.logaddexp2, lambda g, a, b, ans: g * _share(np.exp2, a, b, ans),
                    lambda g, a, b, ans: g * _share(np.exp2, b, a, ans))
rule(np.hypot,      lambda g, a, ans: g * a / _safe(ans, ans == 0), lambda g, b, ans: g * b / _safe(ans, ans == 0))
rule(np.arctan2,    lambda g, a, b: g * _over_square(b, a, b), lambda g, a, b: -g * _over_square(a, a, b))
rule(np.copysign,   lambda g, a, b: g * np.sign(a) * np.copysign(a.dtype.type(1), b), None)
# fmt: on

for _fn in (
    np.absolute, np.fabs, np.square, np.exp, np.exp2, np.expm1, np.sin, np.cos, np.sinh, np.cosh, np.tanh, np.arctan,
    np.arcsinh, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2, np.hypot,
    np.copysign,
):  # fmt: skip
    RULES[_fn].pole = False


def _unit(x: Any) -> Any:
    """Return the slope of abs: the sign, or conj(x)/|x| for complex x, and 0 at 0."""
    if x.dtype.kind != "c":
        return np.sign(x)
    size = np.absolute(x)
    return np.conjugate(x) / np.where(size == 0, np.inf, size)  # 0 at 0, in every order


def _slope(a: Any, b: Any) -> Any:
    """Return the derivative of a**b by a, which is 0 where b is 0, also at a = 0."""
    if isinstance(b, float | int | complex) and not isinstance(b, np.generic):
        return b * a ** (b - 1) if b else a * 0
    b = cast(b, a.dtype) if b.dtype.kind == "b" else b  # True - 1 is an int64, which would promote a
    return np.where(b == 0, 0, b * a ** np.where(b == 0, 1, b - 1))


def _log_base(a: Any, ans: Any) -> Any:
    """Return log(a) in the precision of the result, but 0 where a is 0: there a**b is 0 for every b > 0."""
    if not hasattr(a, "dtype"):  # a Python number, which promotes nothing
        return np.log(complex(a) if ans.dtype.kind == "c" else a).item() if a else 0.0
    return np.log(_safe(cast(a, ans.dtype), a == 0))


def _larger(g: Any, a: Any, b: Any) -> Any:
    """Return what goes to `a` as the larger of two, or to `b` as the smaller: all, half at a tie; all beside a NaN."""
    taken = np.logical_not(a < b)
    return present(where(taken, np.where(a == b, 0.5 * g, g)), taken)


def _winner(g: Any, a: Any, b: Any, ans: Any) -> Any:
    """Return what of a cotangent goes to `a`: all where it is the answer alone, half where it ties."""
    taken = a == ans
    return present(where(taken, np.where(b == ans, 0.5 * g, g)), taken)


def _share(exp: Any, a: Any, b: Any, ans: Any) -> Any:
    """Return exp(a) / (exp(a) + exp(b)), precise where it is tiny: 1/2 where both are the same infinity."""
    a = a if hasattr(a, "dtype") else ans.dtype.type(a)
    infinite = np.isinf(ans)
    weight = exp(np.where(infinite, 0, a) - np.where(infinite, 0, ans))
    one = weight.dtype.type(1)
    return np.where(infinite, np.where(a == b, 0.5 * one, np.where(a == ans, one, 0)), weight)


def _over_square(x: Any, a: Any, b: Any) -> Any:
    """Return x / (a² + b²), 0 at the origin; by the length, whose square would under- or overflow long before."""
    size = np.hypot(a, b)
    size = _safe(size, size == 0)
    return x / size / size


# --- selections -------------------------------------------------------------------------------------------------------


def _where(c: Any, a: Any, b: Any) -> Any:
    ans = np.where(c, a, b)
    return ans if ans.shape else ans[()]


WHERE = rule(
    np.where,
    None,
    lambda g, c: present(where(c, g), lambda: np.not_equal(c, 0)),  # the condition may be any numbers
    lambda g, c: present(where(np.logical_not(c), g), np.logical_not(c)),
    args="c a b",
    compute=_where,
    params="condition x y",
    elementwise=True,
    selects=True,
)
WHERE.pole = False


@primitive
def relu(x: A) -> A:
    """Return max(x, 0) with the lectures' derivative: 0 at 0."""
    return np.maximum(x, 0)  # type: ignore[call-overload]


def _pull_relu(g: Any, ans: Any) -> Any:
    taken = ans > 0
    return present(where(taken, g), taken)


rule(relu, _pull_relu, elementwise=True, selects=True).pole = False


def _floor(x: Any, bound: Any) -> tuple[Any, Any]:
    ties = x == bound
    return np.maximum(x, bound), ties if np.count_nonzero(ties) else None  # a tenth of the time of np.any


def _ceiling(x: Any, bound: Any) -> tuple[Any, Any]:
    ties = x == bound
    return np.minimum(x, bound), ties if np.count_nonzero(ties) else None


def _beyond(g: Any, ans: Any, bound: Any = None, aux: Any = None) -> Any:
    """Pull through max or min(x, constant): the result tells where x won; ties, which it does not, are rare: keep them.

    Where the result differs from the constant x has won, or is NaN.
    """
    taken, ties = ans != bound, aux
    if ties is None:
        return present(where(taken, g), taken)
    return present(where(taken, g) + where(ties, 0.5 * g), np.logical_or(taken, ties))


def at_least(x: Any, bound: Any) -> Any:
    """Return max(x, bound) for a constant: keeps the result, which the next operation keeps anyway, not the operand."""
    return np.maximum(x, bound)


def at_most(x: Any, bound: Any) -> Any:
    """Return min(x, bound) for a constant."""
    return np.minimum(x, bound)


AT_LEAST = rule(
    at_least, _beyond, compute=_floor, name="maximum", params="x bound", elementwise=True, selects=True, aux=True
)
AT_MOST = rule(
    at_most, _beyond, compute=_ceiling, name="minimum", params="x bound", elementwise=True, selects=True, aux=True
)
AT_LEAST.pole = AT_MOST.pole = False
WITH_NUMBER = {np.maximum: AT_LEAST, np.minimum: AT_MOST}


NUMBERS = {int, float}


@primitive
def between(x: Any, low: Any, high: Any) -> Any:
    """Return ``np.clip`` with constant bounds."""
    return np.clip(x, low, high)


def _between_pull(g: Any, x: Any, low: Any = None, high: Any = None) -> Any:
    """Leave out what was clipped; at a bound half of the cotangent passes, as through a maximum."""
    taken = np.logical_not((x < low) | (x > high))
    return present(where(taken, g * 0.5 ** ((x == low).astype(g.dtype) + (x == high))), taken)


rule(between, _between_pull, elementwise=True, selects=True, name="clip").pole = False


@composite(np.clip)
def _clip(
    a: Any,
    a_min: Any = np._NoValue,
    a_max: Any = np._NoValue,
    out: Any = None,
    *,
    min: Any = np._NoValue,
    max: Any = np._NoValue,
) -> Any:
    a = array(a)
    low = min if a_min is np._NoValue else a_min
    high = max if a_max is np._NoValue else a_max
    low = None if low is np._NoValue else low
    high = None if high is np._NoValue else high
    low, high = (array(bound) if type(bound) is list else bound for bound in (low, high))
    if type(low) in NUMBERS and type(high) in NUMBERS:
        return between(a, low=low, high=high)
    if low is None and high is None:
        return np.copy(a)  # never the argument itself, which may be changed in place
    a = a if low is None else np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


class _Which:
    """What a plain array's method clip asks when it is given a Tensor as a bound: a ufunc without a public name."""

    def __array_ufunc__(self, ufunc: np.ufunc, *_: Any, **__: Any) -> Any:
        return ufunc


CLIP: Any = np.zeros(1).clip(_Which(), 1)  # type: ignore[call-overload]
composite(CLIP)(lambda x1, x2, x3, /: _clip(x1, x2, x3))


@primitive
def sinc(x: Any) -> Any:
    """Return sin(pi x) / (pi x)."""
    return np.sinc(x)


SINC = [(-1) ** k * 2 * k / math.factorial(2 * k + 1) for k in range(7, 0, -1)]  # of y¹³, y¹¹, ... y


def _sinc_slope(x: Any) -> Any:
    """Return the derivative of sinc; near 0 by its series, since the closed form cancels there, in float32 already."""
    y = np.pi * x
    near = np.absolute(y) < 0.5
    z, y = _safe(y, near), np.where(near, y, 0)
    square = y * y
    series = SINC[0]
    for c in SINC[1:]:
        series = series * square + c
    return np.pi * np.where(near, y * series, (np.cos(z) - np.sin(z) / z) / z)


rule(sinc, lambda g, x: g * _sinc_slope(x), elementwise=True)
composite(np.sinc)(lambda x: sinc(x))

constant(
    np.floor, np.ceil, np.trunc, np.rint, np.floor_divide, np.signbit, np.isnan, np.isinf,
    np.isfinite, np.isnat, np.logical_and, np.logical_or, np.logical_xor, np.logical_not, np.less, np.less_equal,
    np.greater, np.greater_equal, np.equal, np.not_equal, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert,
    np.left_shift, np.right_shift, np.gcd, np.lcm, np.spacing, np.bitwise_count,
    np.round, np.around, np.fix, np.isclose, np.allclose, np.array_equal, np.array_equiv, np.iscomplex, np.isreal,
    np.iscomplexobj, np.isrealobj, np.isposinf, np.isneginf, np.shape, np.ndim, np.size, np.result_type, np.can_cast,
    np.common_type, np.min_scalar_type, np.array2string, np.array_repr, np.array_str, np.may_share_memory,
    np.shares_memory, np.zeros_like, np.ones_like, np.empty_like, np.nonzero, np.flatnonzero, np.count_nonzero,
    np.argwhere, np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition, np.lexsort,
    np.searchsorted, np.digitize, np.any, np.all, np.isin,
)  # fmt: skip
