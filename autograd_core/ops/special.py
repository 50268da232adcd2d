# ruff: noqa: E501  (one rule, one line)
"""SciPy's special functions, 1: elementary, error, gamma and elliptic functions, and those of probability.

Where a derivative by a parameter has no closed form, such as the order of a Bessel function, it is refused: never a
silent zero. `register` is called when a ufunc of `scipy.special` first meets a Tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..pullbacks import same
from ..rules import RULES, Op, composite, constant, primitive, rule
from .reduce import logsumexp
from .values import instead, plain, values

sp: Any = None  # scipy.special, once it is there
SQRT_PI = math.sqrt(math.pi)
DEGREE = math.pi / 180


def ruled(fn: Any, *pulls: Any, **properties: Any) -> Op:
    """Register a function of SciPy, unless the user has: a number beside an array stays one, an order is an integer."""
    if RULES.get(fn) is None:
        op = rule(fn, *pulls, compute=fn, widens=True, **properties)
        op.weak = False
        op.special = True  # what SciPy makes of a Python number is a float64, so each cotangent is projected
    return RULES[fn]


def several(fn: Any, *pulls: Any, **properties: Any) -> Op:
    """Register an element-wise function with several results."""
    return ruled(fn, *pulls, outputs=fn.nout, elementwise=False, batched=True, **properties)


def paired(g: Any, *slopes: Any) -> Any:
    """Return the sum of the cotangents of several results times their slopes."""
    return sum(a * b for a, b in zip(g, slopes, strict=True))


def none(what: str) -> Callable[[Any], Any]:
    """Return the pullback of a parameter by which no derivative is known in closed form."""

    def pull(g: Any) -> Any:
        raise TypeError(
            f"no derivative of {what} is known in closed form: give this argument as a number, or as t.data"
        )

    return pull


def whole(n: Any) -> Any:
    """Return what SciPy makes of a number that should be whole: it leaves out what stands behind the point."""
    return np.trunc(n)


def safe(x: Any, hole: Any, value: Any = 1) -> Any:
    """Return x, but `value` where `hole` holds."""
    return np.where(hole, value, x)


def register(module: Any) -> None:
    """Enter the rules of these functions of `scipy.special` into the table."""
    global sp
    sp = module
    _elementary()
    _error()
    _gamma()
    _elliptic()
    _probability()
    _sums()


@primitive
def polygamma(n: Any, x: Any) -> Any:
    """Return derivative n of the digamma function."""
    return sp.polygamma(n, x)[()]


@primitive
def hurwitz(x: Any, q: Any) -> Any:
    """Return Hurwitz' zeta function, behind `scipy.special.zeta` of two arguments."""
    return sp.zeta(x, q)


# fmt: off
def _elementary() -> None:
    ruled(sp.cbrt,       lambda g, ans: g / (3 * ans * ans))
    ruled(sp.exp2,       lambda g, ans: g * ans * math.log(2))
    ruled(sp.exp10,      lambda g, ans: g * ans * math.log(10))
    ruled(sp.expm1,      lambda g, ans: g + g * ans)
    ruled(sp.log1p,      lambda g, x: g / (x + 1))
    ruled(sp.sindg,      lambda g, x: g * DEGREE * sp.cosdg(x))
    ruled(sp.cosdg,      lambda g, x: -g * DEGREE * sp.sindg(x))
    ruled(sp.tandg,      lambda g, ans: g * DEGREE * (1 + ans * ans))
    ruled(sp.cotdg,      lambda g, ans: -g * DEGREE * (1 + ans * ans))
    ruled(sp.cosm1,      lambda g, x: -g * np.sin(x))
    ruled(sp.exprel,     lambda g, x: g * _exprel_slope(x))
    ruled(sp.radian,     lambda g: g * DEGREE, lambda g: g * (DEGREE / 60), lambda g: g * (DEGREE / 3600))
    ruled(sp.expit,      lambda g, ans: g * ans * (1 - ans))
    ruled(sp.logit,      lambda g, x: g / (x * (1 - x)))
    ruled(sp.log_expit,  lambda g, x: g * sp.expit(-x))
    ruled(sp.xlogy,      lambda g, a, b: g * _log_beside(a, b), lambda g, a, b: g * _over(a, b))
    ruled(sp.xlog1py,    lambda g, a, b: g * _log_beside(a, b + 1), lambda g, a, b: g * _over(a, b + 1))
    ruled(sp.entr,       lambda g, x: -g * (np.log(x) + 1))
    ruled(sp.rel_entr,   lambda g, a, b: g * (_log_ratio(a, b) + 1), lambda g, a, b: -g * _over(a, b))
    ruled(sp.kl_div,     lambda g, a, b: g * _log_ratio(a, b), lambda g, a, b: g * (1 - _over(a, b)))
    ruled(sp.huber,      lambda g, a, b: g * np.maximum(np.absolute(b) - a, 0), lambda g, a, b: g * np.clip(b, -a, a))
    ruled(sp.pseudo_huber, lambda g, a, b: g * (2 * a * _bow(a, b) - b * b / (a * (1 + _bow(a, b)))),
                         lambda g, a, b: g * b / (1 + _bow(a, b)))
    ruled(sp.boxcox,     lambda g, a, b: g * np.exp(sp.xlogy(b - 1, a)), lambda g, a, b: g * _bend(np.log(a), b))
    ruled(sp.boxcox1p,   lambda g, a, b: g * np.exp(sp.xlog1py(b - 1, a)), lambda g, a, b: g * _bend(np.log1p(a), b))
    ruled(sp.inv_boxcox, lambda g, ans, b: g * np.exp(sp.xlogy(1 - b, ans)),
                         lambda g, ans, b: -g * _bend(np.log(ans), b) * np.exp(sp.xlogy(1 - b, ans)))
    ruled(sp.inv_boxcox1p, lambda g, ans, b: g * np.exp(sp.xlog1py(1 - b, ans)),
                         lambda g, ans, b: -g * _bend(np.log1p(ans), b) * np.exp(sp.xlog1py(1 - b, ans)))
    ruled(sp.powm1,      lambda g, a, b: g * b * np.power(a, b - 1), lambda g, ans, a: g * (ans + 1) * np.log(a))
    ruled(sp.wrightomega, lambda g, ans: g * ans / (1 + ans))
    ruled(sp._ufuncs._lambertw, lambda g, ans: g * np.exp(-ans) / (1 + ans), None, None, name="lambertw")
    constant(sp.round, sp.gammasgn)


def _error() -> None:
    c = 2 / SQRT_PI
    ruled(sp.erf,        lambda g, x: g * c * np.exp(-x * x))
    ruled(sp.erfc,       lambda g, x: -g * c * np.exp(-x * x))
    ruled(sp.erfi,       lambda g, x: g * c * np.exp(x * x))
    ruled(sp.erfcx,      lambda g, ans, x: g * (2 * x * ans - c))
    ruled(sp.erfinv,     lambda g, ans: g / c * np.exp(ans * ans))
    ruled(sp.erfcinv,    lambda g, ans: -g / c * np.exp(ans * ans))
    ruled(sp.dawsn,      lambda g, ans, x: g * (1 - 2 * x * ans))
    ruled(sp.wofz,       lambda g, ans, x: g * (c * 1j - 2 * x * ans))
    ruled(sp.ndtr,       lambda g, x: g / math.sqrt(2 * math.pi) * np.exp(-x * x / 2))
    ruled(sp.ndtri,      lambda g, ans: g * math.sqrt(2 * math.pi) * np.exp(ans * ans / 2))
    ruled(sp.log_ndtr,   lambda g, x: g * math.sqrt(2 / math.pi) / sp.erfcx(x * -math.sqrt(0.5)))
    ruled(sp.ndtri_exp,  lambda g, ans: g * math.sqrt(math.pi / 2) * sp.erfcx(ans * -math.sqrt(0.5)))
    ruled(sp.owens_t,    lambda g, a, b: g * (-0.5 / math.sqrt(2 * math.pi)) * np.exp(-a * a / 2) * sp.erf(a * b * math.sqrt(0.5)),
                         lambda g, a, b: g * (0.5 / math.pi) * np.exp(-a * a * (1 + b * b) / 2) / (1 + b * b))
    several(sp.fresnel,  lambda g, x: paired(g, np.sin(np.pi / 2 * x * x), np.cos(np.pi / 2 * x * x)))
    several(sp.modfresnelp, lambda g, ans, x: paired(g, -np.exp(1j * x * x), -2j * x * ans[1] - np.exp(-0.25j * np.pi) / SQRT_PI))
    several(sp.modfresnelm, lambda g, ans, x: paired(g, -np.exp(-1j * x * x), 2j * x * ans[1] - np.exp(0.25j * np.pi) / SQRT_PI))
    ruled(sp.voigt_profile, lambda g, a, b, c: g * np.real(_voigt_slope(a, b, c)),
          lambda g, ans, a, b, c: -g * (ans + np.real(_voigt_slope(a, b, c) * (a + 1j * c))) / b,
          lambda g, a, b, c: -g * np.imag(_voigt_slope(a, b, c)))


def _gamma() -> None:
    ruled(sp.gamma,      lambda g, ans, x: g * ans * sp.psi(x))
    ruled(sp.gammaln,    lambda g, x: g * sp.psi(x))
    ruled(sp.loggamma,   lambda g, x: g * sp.psi(x))
    ruled(sp.rgamma,     lambda g, ans, x: g * _rgamma_slope(ans, x))
    ruled(sp.psi,        lambda g, x: g * polygamma(1, x), name="digamma")
    ruled(sp.beta,       lambda g, ans, a, b: g * ans * (sp.psi(a) - sp.psi(a + b)),
                         lambda g, ans, a, b: g * ans * (sp.psi(b) - sp.psi(a + b)))
    ruled(sp.betaln,     lambda g, a, b: g * (sp.psi(a) - sp.psi(a + b)), lambda g, a, b: g * (sp.psi(b) - sp.psi(a + b)))
    ruled(sp.binom,      lambda g, ans, a, b: g * ans * (sp.psi(a + 1) - sp.psi(a - b + 1)),
                         lambda g, ans, a, b: g * ans * (sp.psi(a - b + 1) - sp.psi(b + 1)))
    ruled(sp.poch,       lambda g, ans, a, b: g * ans * (sp.psi(a + b) - sp.psi(a)), lambda g, ans, a, b: g * ans * sp.psi(a + b))
    ruled(sp.gammainc,    none("gammainc(a, x) by a"),       lambda g, a, b: g * _gamma_density(a, b))
    ruled(sp.gammaincc,   none("gammaincc(a, x) by a"),      lambda g, a, b: -g * _gamma_density(a, b))
    ruled(sp.gammaincinv, none("gammaincinv(a, y) by a"),    lambda g, ans, a: g / _gamma_density(a, ans))
    ruled(sp.gammainccinv, none("gammainccinv(a, y) by a"),  lambda g, ans, a: -g / _gamma_density(a, ans))
    of = lambda name: (none(f"{name}(a, b, x) by a"), none(f"{name}(a, b, x) by b"))
    ruled(sp.betainc,     *of("betainc"),     lambda g, a, b, c: g * _beta_density(a, b, c))
    ruled(sp.betaincc,    *of("betaincc"),    lambda g, a, b, c: -g * _beta_density(a, b, c))
    ruled(sp.betaincinv,  *of("betaincinv"),  lambda g, ans, a, b: g / _beta_density(a, b, ans))
    ruled(sp.betainccinv, *of("betainccinv"), lambda g, ans, a, b: -g / _beta_density(a, b, ans))
    ruled(polygamma,      none("polygamma(n, x) by n"),      lambda g, a, b: g * polygamma(a + 1, b), elementwise=True)
    ruled(hurwitz,        none("zeta(x, q) by x"),           lambda g, a, b: -g * a * hurwitz(a + 1, b), elementwise=True, name="zeta")
    RULES.setdefault(sp.polygamma, RULES[polygamma])
    RULES.setdefault(sp._ufuncs._zeta, RULES[hurwitz])


def _elliptic() -> None:
    ruled(sp.ellipk,     lambda g, x: g * _ellipk_slope(x))
    ruled(sp.ellipkm1,   lambda g, ans, x: -g * _ellipk_slope(1 - x, x, ans))
    ruled(sp.ellipe,     lambda g, x: -g * (np.pi / 8) * sp.hyp2f1(0.5, 1.5, 2.0, x))
    ruled(sp.ellipkinc,  lambda g, a, b: g / np.sqrt(1 - b * np.sin(a) ** 2), lambda g, a, b: g * _by_parameter(a, b, sp.ellipkinc))
    ruled(sp.ellipeinc,  lambda g, a, b: g * np.sqrt(1 - b * np.sin(a) ** 2), lambda g, a, b: g * _by_parameter(a, b, sp.ellipeinc))
    several(sp.ellipj,   lambda g, ans, b: paired(g, ans[1] * ans[2], -ans[0] * ans[2], -b * ans[0] * ans[1], ans[2]),
                         lambda g, ans, b: paired(g, *_ellipj_by_parameter(ans, b)))


def _probability() -> None:
    ruled(sp.stdtr,      none("stdtr(df, t) by df"),      lambda g, a, b: g * _student_density(a, b))
    ruled(sp.stdtrit,    none("stdtrit(df, p) by df"),    lambda g, ans, a: g / _student_density(a, ans))
    ruled(sp.chdtr,      none("chdtr(v, x) by v"),        lambda g, a, b: g * _gamma_density(a / 2, b / 2) / 2)
    ruled(sp.chdtrc,     none("chdtrc(v, x) by v"),       lambda g, a, b: -g * _gamma_density(a / 2, b / 2) / 2)
    ruled(sp.chdtri,     none("chdtri(v, p) by v"),       lambda g, ans, a: -2 * g / _gamma_density(a / 2, ans / 2))
    ruled(sp.gdtr,       lambda g, a, b, c: g * c * _gamma_density(b, a * c), none("gdtr(a, b, x) by b"),
                         lambda g, a, b, c: g * a * _gamma_density(b, a * c))
    ruled(sp.gdtrc,      lambda g, a, b, c: -g * c * _gamma_density(b, a * c), none("gdtrc(a, b, x) by b"),
                         lambda g, a, b, c: -g * a * _gamma_density(b, a * c))
    ruled(sp.gdtrix,     lambda g, ans, a: -g * ans / a, none("gdtrix(a, b, p) by b"),
                         lambda g, ans, a, b: g / (a * _gamma_density(b, a * ans)))
    of = lambda name, a, b: (none(f"{name}({a}, {b}, x) by {a}"), none(f"{name}({a}, {b}, x) by {b}"))
    ruled(sp.fdtr,       *of("fdtr", "dfn", "dfd"),       lambda g, a, b, c: g * _fisher_density(a, b, c))
    ruled(sp.fdtrc,      *of("fdtrc", "dfn", "dfd"),      lambda g, a, b, c: -g * _fisher_density(a, b, c))
    ruled(sp.fdtri,      *of("fdtri", "dfn", "dfd"),      lambda g, ans, a, b: g / _fisher_density(a, b, ans))
    ruled(sp.pdtr,       None,                            lambda g, a, b: -g * _gamma_density(np.floor(a) + 1, b))
    ruled(sp.pdtrc,      None,                            lambda g, a, b: g * _gamma_density(np.floor(a) + 1, b))
    ruled(sp.pdtri,      None,                            lambda g, ans, a: -g / _gamma_density(np.floor(a) + 1, ans))
    ruled(sp.bdtr,       None, none("bdtr(k, n, p) by n"),   lambda g, a, b, c: -g * _beta_density(np.floor(a) + 1, whole(b) - np.floor(a), c))
    ruled(sp.bdtrc,      None, none("bdtrc(k, n, p) by n"),  lambda g, a, b, c: g * _beta_density(np.floor(a) + 1, whole(b) - np.floor(a), c))
    ruled(sp.bdtri,      None, none("bdtri(k, n, y) by n"),  lambda g, ans, a, b: -g / _beta_density(np.floor(a) + 1, whole(b) - np.floor(a), ans))
    ruled(sp.nbdtr,      None, none("nbdtr(k, n, p) by n"),  lambda g, a, b, c: g * _beta_density(whole(b), whole(a) + 1, c))
    ruled(sp.nbdtrc,     None, none("nbdtrc(k, n, p) by n"), lambda g, a, b, c: -g * _beta_density(whole(b), whole(a) + 1, c))
    ruled(sp.nbdtri,     None, none("nbdtri(k, n, y) by n"), lambda g, ans, a, b: g / _beta_density(whole(b), whole(a) + 1, ans))
    ruled(sp.nrdtrimn,   lambda g, b, ans, a: -g * b * _normal_slope(a), lambda g, a: -g * sp.ndtri(a), same)
    ruled(sp.nrdtrisd,   lambda g, b: -g / sp.ndtri(b), lambda g, ans, b: -g * ans * _normal_slope(b) / sp.ndtri(b), lambda g, b: g / sp.ndtri(b))
# fmt: on


# --- slopes -----------------------------------------------------------------------------------------------------------


def _log_beside(a: Any, b: Any) -> Any:
    """Return log(b), but 0 where a and b are 0, as 0 log 0 is."""
    return np.log(safe(b, (a == 0) & (b == 0)))


def _log_ratio(a: Any, b: Any) -> Any:
    both = (a == 0) & (b == 0)
    return np.log(safe(a, both) / safe(b, both))


def _over(a: Any, b: Any) -> Any:
    """Return a / b, but 0 where a is 0."""
    return np.where(a == 0, 0, a / safe(b, (a == 0) & (b == 0)))


def _bow(a: Any, b: Any) -> Any:
    """Return sqrt(1 + (b/a)²) - 1."""
    square = (b / a) ** 2
    return square / (np.sqrt(1 + square) + 1)


def _exprel_slope(x: Any) -> Any:
    """Return the derivative of (exp(x) - 1) / x: near 0 by its series, since the closed form cancels there."""
    near = np.absolute(x) < 0.03
    y, z = np.where(near, x, 0), safe(x, near)
    series = 1 / 2 + y * (1 / 3 + y * (1 / 8 + y * (1 / 30 + y * (1 / 144 + y * (1 / 840 + y / 5760)))))
    return np.where(near, series, (np.exp(z) - sp.exprel(z)) / z)


def _bend(log: Any, power: Any) -> Any:
    """Return the derivative of (x**power - 1) / power by the power, for a given log(x)."""
    return log * log * _exprel_slope(power * log)


def _voigt_slope(x: Any, sigma: Any, gamma: Any) -> Any:
    """Return w'(z) / (2 sqrt(pi) sigma²) with z = (x + i gamma) / (sqrt(2) sigma)."""
    z = (x + 1j * gamma) / (math.sqrt(2) * sigma)
    return (1j / math.pi - z * sp.wofz(z) / SQRT_PI) / (sigma * sigma)


def _rgamma_slope(ans: Any, x: Any) -> Any:
    """Return the derivative of 1/gamma, which at its zeros 0, -1, -2 ... is (-1)ⁿ n! for x = -n."""
    pole = (x == np.floor(np.real(x))) & (np.real(x) <= 0)
    n = np.where(pole, -np.real(x), 0)
    return np.where(pole, (1 - 2 * (n % 2)) * sp.gamma(n + 1), -ans * sp.psi(safe(x, pole)))


def _gamma_density(a: Any, x: Any) -> Any:
    """Return the density of the gamma distribution: the derivative of gammainc by x."""
    return np.exp(sp.xlogy(a - 1, x) - x - sp.gammaln(a))


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    return np.exp(sp.xlogy(a - 1, x) + sp.xlog1py(b - 1, -x) - sp.betaln(a, b))


def _student_density(df: Any, t: Any) -> Any:
    return np.exp(-(df + 1) / 2 * np.log1p(t * t / df) - sp.betaln(df / 2, 0.5)) / np.sqrt(df)


def _fisher_density(dfn: Any, dfd: Any, x: Any) -> Any:
    """Return the density of F: y = dfn x / (dfn x + dfd) is distributed as beta, and dy/dx = dfn dfd / (...)²."""
    whole = dfn * x + dfd
    return _beta_density(dfn / 2, dfd / 2, dfn * x / whole) * dfn * dfd / whole**2


def _normal_slope(p: Any) -> Any:
    """Return the derivative of ndtri."""
    return math.sqrt(2 * math.pi) * np.exp(sp.ndtri(p) ** 2 / 2)


def _ellipk_slope(m: Any, rest: Any = None, K: Any = None) -> Any:
    """Return K'(m); `rest` is 1 - m where that is known better. Near 0 by another function, since E - (1 - m) K cancels."""
    rest = 1 - m if rest is None else rest
    K = sp.ellipk(m) if K is None else K
    near = np.absolute(m) < 0.1
    far = safe(m, near, 0.5)
    closed = (sp.ellipe(far) - safe(rest, near, 0.5) * safe(K, near)) / (2 * far * safe(rest, near, 0.5))
    return np.where(near, np.pi / 8 * sp.hyp2f1(1.5, 1.5, 2.0, np.where(near, m, 0)), closed)


def _by_parameter(phi: Any, m: Any, integral: Any) -> Any:
    """Return the derivative of an incomplete elliptic integral of (1 - m sin²)^(-1/2) or ^(1/2) by m.

    Near 0 term by term: I_k, the integral of the 2k-th power of the sine, follows from the one before.
    """
    first = integral is sp.ellipkinc
    near = np.absolute(m) < 1e-3
    s, c = np.sin(phi), np.cos(phi)
    power, coefficient, series, tiny, odd = phi, 1.0, 0.0, np.where(near, m, 0), s * c
    for k in range(1, 7):
        power = ((2 * k - 1) * power - odd) / (2 * k)
        coefficient *= (2 * k - 1) / (2 * k)
        series = series + k * (coefficient if first else -coefficient / (2 * k - 1)) * tiny ** (k - 1) * power
        odd = odd * s * s
    far = safe(m, near, 0.5)
    F, E = sp.ellipkinc(phi, far), sp.ellipeinc(phi, far)
    if first:
        closed = (E / (1 - far) - F) / (2 * far) - s * c / (2 * (1 - far) * np.sqrt(1 - far * s * s))
    else:
        closed = (E - F) / (2 * far)
    return np.where(near, series, closed)


def _ellipj_by_parameter(ans: Any, m: Any) -> tuple[Any, Any, Any, Any]:
    """Return the derivatives of sn, cn, dn and phi by m: F(phi, m) is fixed."""
    sn, cn, dn, phi = ans
    slope = -dn * _by_parameter(phi, m, sp.ellipkinc)
    return cn * slope, -sn * slope, -(sn * sn + 2 * m * sn * cn * slope) / (2 * dn), slope


# --- functions that are no ufuncs: `ag.primitive(scipy.special.softmax)` ----------------------------------------------


def _sums() -> None:
    ruled(sp.softmax, lambda g, ans, axis=None: ans * (g - np.sum(g * ans, axis=axis, keepdims=True)))
    ruled(sp.log_softmax, lambda g, ans, axis=None: g - np.exp(ans) * np.sum(g, axis=axis, keepdims=True))
    composite(sp.logsumexp)(_logsumexp)
    composite(sp.multigammaln)(_multigammaln)


def _logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    numpys = plain(sp.logsumexp, a, axis=axis, b=b, keepdims=keepdims, return_sign=return_sign)
    value, sign = numpys if return_sign else (numpys, None)
    if b is None:
        ans = logsumexp(a, axis=axis, keepdims=keepdims)
    else:
        a, b = np.broadcast_arrays(a, b)
        a = np.where(np.equal(b, 0), -np.inf, a) if type(b) is np.ndarray else a  # then 0 weighs nothing, ever
        top = values(np.max(a, axis=axis, keepdims=True))
        top = np.where(np.isfinite(top), top, 0)
        weights = b * np.exp(a - top)
        ans = np.log(np.absolute(np.sum(weights, axis=axis, keepdims=keepdims)))
        ans = ans + (top if keepdims else np.squeeze(top, axis))
    ans = instead(ans, value)
    return (ans, sign) if return_sign else ans


def _multigammaln(a: Any, d: int) -> Any:
    value = plain(sp.multigammaln, a, d)
    return instead(sum(sp.gammaln(a - j / 2) for j in range(int(d))), value)
