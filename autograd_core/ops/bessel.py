# ruff: noqa: E501  (one rule, one line)
"""SciPy's special functions, 2: Bessel, Airy and Kelvin functions, integrals, hypergeometric functions, polynomials.

A derivative by the order is refused: no closed form is known. Whatever of SciPy's ufuncs has no rule here or in
special.py is refused by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules import COMPOSITES, CONSTANTS, REFUSED, RULES, refuse
from .special import none, paired, ruled, safe, several, whole

sp: Any = None  # scipy.special, once it is there


def register(module: Any) -> None:
    """Enter the rules of these functions of `scipy.special` into the table, and refuse all others."""
    global sp
    sp = module
    _bessel()
    _of_any_order()
    _airy_and_kelvin()
    _integrals()
    _hypergeometric()
    _polynomials()
    for fn in (*vars(sp).values(), *vars(sp._ufuncs).values()):
        if isinstance(fn, np.ufunc) and not any(fn in table for table in (RULES, COMPOSITES, CONSTANTS, REFUSED)):
            refuse(fn, "no derivative of it is known here: give it t.data, or add a rule with ag.rule")


# fmt: off
def _bessel() -> None:
    ruled(sp.j0,  lambda g, x: -g * sp.j1(x))
    ruled(sp.j1,  lambda g, x: g * (sp.j0(x) - sp.jv(2, x)) / 2)
    ruled(sp.y0,  lambda g, x: -g * sp.y1(x))
    ruled(sp.y1,  lambda g, x: g * (sp.y0(x) - sp.yv(2, x)) / 2)
    ruled(sp.i0,  lambda g, x: g * sp.i1(x))
    ruled(sp.i1,  lambda g, x: g * (sp.i0(x) + sp.iv(2, x)) / 2)
    ruled(sp.k0,  lambda g, x: -g * sp.k1(x))
    ruled(sp.k1,  lambda g, x: -g * (sp.k0(x) + sp.kv(2, x)) / 2)
    ruled(sp.i0e, lambda g, ans, x: g * (sp.i1e(x) - np.sign(x) * ans))
    ruled(sp.i1e, lambda g, ans, x: g * ((sp.i0e(x) + sp.ive(2, x)) / 2 - np.sign(x) * ans))
    ruled(sp.k0e, lambda g, ans, x: g * (ans - sp.k1e(x)))
    ruled(sp.k1e, lambda g, ans, x: g * (ans - (sp.k0e(x) + sp.kve(2, x)) / 2))


def _of_any_order() -> None:
    order = lambda fn: none(f"{fn.__name__}(v, z) by its order v")
    ruled(sp.jv,  order(sp.jv),  lambda g, a, b: g * (sp.jv(a - 1, b) - sp.jv(a + 1, b)) / 2)
    ruled(sp.yv,  order(sp.yv),  lambda g, a, b: g * (sp.yv(a - 1, b) - sp.yv(a + 1, b)) / 2)
    ruled(sp.iv,  order(sp.iv),  lambda g, a, b: g * (sp.iv(a - 1, b) + sp.iv(a + 1, b)) / 2)
    ruled(sp.kv,  order(sp.kv),  lambda g, a, b: -g * (sp.kv(a - 1, b) + sp.kv(a + 1, b)) / 2)
    ruled(sp.yn,  order(sp.yn),  lambda g, a, b: g * (sp.yn(whole(a) - 1, b) - sp.yn(whole(a) + 1, b)) / 2)
    ruled(sp.kn,  order(sp.kn),  lambda g, a, b: -g * (sp.kn(whole(a) - 1, b) + sp.kn(whole(a) + 1, b)) / 2)
    ruled(sp.jve, order(sp.jve), lambda g, a, b: g * (sp.jve(a - 1, _real(b, sp.jve)) - sp.jve(a + 1, b)) / 2)
    ruled(sp.yve, order(sp.yve), lambda g, a, b: g * (sp.yve(a - 1, _real(b, sp.yve)) - sp.yve(a + 1, b)) / 2)
    ruled(sp.ive, order(sp.ive), lambda g, ans, a, b: g * ((sp.ive(a - 1, _real(b, sp.ive)) + sp.ive(a + 1, b)) / 2 - np.sign(b) * ans))
    ruled(sp.kve, order(sp.kve), lambda g, ans, a, b: g * (ans - (sp.kve(a - 1, b) + sp.kve(a + 1, b)) / 2))
    ruled(sp.hankel1,  order(sp.hankel1),  lambda g, a, b: g * (sp.hankel1(a - 1, b) - sp.hankel1(a + 1, b)) / 2)
    ruled(sp.hankel2,  order(sp.hankel2),  lambda g, a, b: g * (sp.hankel2(a - 1, b) - sp.hankel2(a + 1, b)) / 2)
    ruled(sp.hankel1e, order(sp.hankel1e), lambda g, ans, a, b: g * ((sp.hankel1e(a - 1, b) - sp.hankel1e(a + 1, b)) / 2 - 1j * ans))
    ruled(sp.hankel2e, order(sp.hankel2e), lambda g, ans, a, b: g * ((sp.hankel2e(a - 1, b) - sp.hankel2e(a + 1, b)) / 2 + 1j * ans))
    ruled(sp.struve,   order(sp.struve),   lambda g, ans, a, b: g * (sp.struve(a - 1, b) - a * ans / b))
    ruled(sp.modstruve, order(sp.modstruve), lambda g, ans, a, b: g * (sp.modstruve(a - 1, b) - a * ans / b))


def _airy_and_kelvin() -> None:
    several(sp.airy,    lambda g, ans, x: paired(g, ans[1], x * ans[0], ans[3], x * ans[2]))
    several(sp.airye,   lambda g, ans, x: paired(g, *_airye_slopes(ans, _real(x, sp.airye))))
    several(sp.itairy,  lambda g, x: paired(g, *sp.airy(x)[::2], *sp.airy(-x)[::2]))
    several(sp.kelvin,  lambda g, ans, x: paired(g, ans[2], ans[3], 1j * ans[0] - ans[2] / x, 1j * ans[1] - ans[3] / x))
    ruled(sp.ber,       lambda g, x: g * sp.berp(x))
    ruled(sp.bei,       lambda g, x: g * sp.beip(x))
    ruled(sp.ker,       lambda g, x: g * sp.kerp(x))
    ruled(sp.kei,       lambda g, x: g * sp.keip(x))
    ruled(sp.berp,      lambda g, ans, x: g * (-sp.bei(x) - _per(ans, x)))
    ruled(sp.beip,      lambda g, ans, x: g * (sp.ber(x) - _per(ans, x, 0.5)))
    ruled(sp.kerp,      lambda g, ans, x: g * (-sp.kei(x) - ans / x))
    ruled(sp.keip,      lambda g, ans, x: g * (sp.ker(x) - ans / x))
    several(sp.pbdv,    none("pbdv(v, x) by v"), lambda g, ans, a, b: paired(g, ans[1], (b * b / 4 - a - 0.5) * ans[0]))
    several(sp.pbvv,    none("pbvv(v, x) by v"), lambda g, ans, a, b: paired(g, ans[1], (b * b / 4 - a - 0.5) * ans[0]))
    several(sp.pbwa,    none("pbwa(a, x) by a"), lambda g, ans, a, b: paired(g, ans[1], (a - b * b / 4) * ans[0]))


def _integrals() -> None:
    ruled(sp.expi,      lambda g, x: g * np.exp(x) / x)
    ruled(sp.exp1,      lambda g, x: -g * np.exp(-x) / x)
    ruled(sp.expn,      none("expn(n, x) by n"), lambda g, ans, a, b: -g * _expn_before(whole(a), b, ans))
    several(sp.sici,    lambda g, x: paired(g, np.sinc(x / np.pi), np.cos(x) / x))
    several(sp.shichi,  lambda g, x: paired(g, _per(np.sinh(x), x, 1), np.cosh(x) / x))
    ruled(sp.spence,    lambda g, x: g * _spence_slope(x))
    several(sp.itj0y0,  lambda g, x: paired(g, sp.j0(x), sp.y0(x)))
    several(sp.iti0k0,  lambda g, x: paired(g, sp.i0(x), sp.k0(x)))
    several(sp.it2j0y0, lambda g, x: paired(g, _per(1 - sp.j0(x), x), -sp.y0(x) / x))
    several(sp.it2i0k0, lambda g, x: paired(g, _per(sp.i0(x) - 1, x), -sp.k0(x) / x))
    ruled(sp.itstruve0, lambda g, x: g * sp.struve(0, x))
    ruled(sp.it2struve0, lambda g, x: -g * sp.struve(0, x) / x)
    ruled(sp.itmodstruve0, lambda g, x: g * sp.modstruve(0, x))


def _hypergeometric() -> None:
    by = lambda name, *args: [none(f"{name} by {a}") for a in args]
    ruled(sp.hyp0f1,    *by("hyp0f1(v, z)", "v"),                 lambda g, a, b: g * sp.hyp0f1(a + 1, b) / a)
    ruled(sp.hyp1f1,    *by("hyp1f1(a, b, x)", "a", "b"),         lambda g, a, b, c: g * a * sp.hyp1f1(a + 1, b + 1, c) / b)
    ruled(sp.hyperu,    *by("hyperu(a, b, x)", "a", "b"),         lambda g, a, b, c: -g * a * sp.hyperu(a + 1, b + 1, c))
    ruled(sp.hyp2f1,    *by("hyp2f1(a, b, c, z)", "a", "b", "c"), lambda g, a, b, c, z: g * a * b * sp.hyp2f1(a + 1, b + 1, c + 1, z) / c,
          args="a b c z")
    ruled(sp.wright_bessel, *by("wright_bessel(a, b, x)", "a", "b"), lambda g, a, b, c: g * sp.wright_bessel(a, a + b, c))
    if hasattr(sp, "log_wright_bessel"):  # SciPy 1.14
        ruled(sp.log_wright_bessel, *by("log_wright_bessel(a, b, x)", "a", "b"),
              lambda g, ans, a, b, c: g * np.exp(sp.log_wright_bessel(a, a + b, c) - ans))


def _polynomials() -> None:
    n = none("a polynomial by its degree n")
    alpha, beta = none("a polynomial by its parameter"), none("a polynomial by its parameter")
    two, three, four = ({"args": names} for names in ("n x", "n alpha x", "n alpha beta x"))
    ruled(sp.eval_chebyt,     n, lambda g, n, x: g * n * sp.eval_chebyu(_down(n), x), **two)
    ruled(sp.eval_chebyu,     n, lambda g, n, x: g * 2 * _second_kind(n, x), **two)
    ruled(sp.eval_chebyc,     n, lambda g, n, x: g * n * sp.eval_chebys(_down(n), x), **two)
    ruled(sp.eval_chebys,     n, lambda g, n, x: g * _second_kind(n, x / 2), **two)
    ruled(sp.eval_sh_chebyt,  n, lambda g, n, x: g * n * 2 * sp.eval_sh_chebyu(_down(n), x), **two)
    ruled(sp.eval_sh_chebyu,  n, lambda g, n, x: g * 4 * _second_kind(n, 2 * x - 1), **two)
    ruled(sp.eval_legendre,   n, lambda g, n, x: g * _legendre_slope(n, x), **two)
    ruled(sp.eval_sh_legendre, n, lambda g, n, x: g * 2 * _legendre_slope(n, 2 * x - 1), **two)
    ruled(sp.eval_hermite,    n, lambda g, n, x: g * 2 * n * sp.eval_hermite(_down(n), x), **two)
    ruled(sp.eval_hermitenorm, n, lambda g, n, x: g * n * sp.eval_hermitenorm(_down(n), x), **two)
    ruled(sp.eval_laguerre,   n, lambda g, n, x: -g * (n != 0) * sp.eval_genlaguerre(_down(n), 1.0, x), **two)
    ruled(sp.eval_genlaguerre, n, alpha, lambda g, n, alpha, x: -g * (n != 0) * sp.eval_genlaguerre(_down(n), alpha + 1.0, x), **three)
    ruled(sp.eval_gegenbauer, n, alpha, lambda g, n, alpha, x: g * (n != 0) * 2 * alpha * sp.eval_gegenbauer(_down(n), alpha + 1.0, x), **three)
    ruled(sp.eval_jacobi,     n, alpha, beta, lambda g, n, alpha, beta, x: g * (n != 0) * (n + alpha + beta + 1) / 2
          * sp.eval_jacobi(_down(n), alpha + 1.0, beta + 1.0, x), **four)
    ruled(sp.eval_sh_jacobi,  n, alpha, beta, lambda g, n, alpha, beta, x: g * n * sp.eval_sh_jacobi(_down(n), alpha + 2.0, beta + 1.0, x), **four)
    ruled(sp.lpmv,            n, n, lambda g, ans, n, alpha, x: g * (alpha * x * ans - (alpha + n) * sp.lpmv(n, alpha - 1, x)) / (x * x - 1), **three)
# fmt: on


def _real(x: Any, fn: Any) -> Any:
    """Return x; refuse complex numbers, whose absolute value scales the result."""
    if getattr(x, "dtype", np.dtype(float)).kind == "c":
        raise TypeError(f"scipy.special.{fn.__name__} of complex numbers is refused: scale the function without the e")
    return x


def _per(a: Any, x: Any, limit: float = 0.0) -> Any:
    """Return a / x, but its limit at 0."""
    zero = x == 0
    return np.where(zero, limit * x if limit == 0 else limit, a / safe(x, zero))


def _airye_slopes(ans: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    a, da, b, db = ans
    root = np.sqrt(np.maximum(x, 0))
    return da + root * a, x * a + root * da, db - root * b, x * b - root * db


def _down(n: Any) -> Any:
    """Return the degree of a slope; of degree 0 it is 0: each rule has n, or 0 where n is 0, as a factor."""
    return np.where(n == 0, 0, n - 1)


def _second_kind(n: Any, x: Any) -> Any:
    """Return half of the slope of Chebyshev's U, which is odd in n + 1."""
    m = np.absolute(n + 1) - 1
    return np.sign(n + 1) * (m != 0) * sp.eval_gegenbauer(_down(m), 2.0, x)


def _legendre_slope(n: Any, x: Any) -> Any:
    """Return the slope of Legendre's polynomial, which is the same for n and -n - 1."""
    n = np.where(n < 0, -n - 1, n)
    return (n != 0) * (n + 1) / 2 * sp.eval_jacobi(_down(n), 1.0, 1.0, x)


def _expn_before(n: Any, x: Any, ans: Any) -> Any:
    """Return E of order n - 1; that of order -1 is exp(-x) (1 + 1/x) / x."""
    return np.where(n == 0, ans * (1 + 1 / x), sp.expn(np.maximum(n - 1, 0), x))


def _spence_slope(x: Any) -> Any:
    near = x == 1
    return np.where(near, -1, np.log(x) / safe(1 - x, near))
