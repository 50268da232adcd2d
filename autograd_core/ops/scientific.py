"""SciPy's functions of matrices: `expm`, `logm`, `sqrtm`, `solve_triangular`, `cho_solve`, `solve_sylvester`.

They ask no Tensor, so a program says ``expm = ag.primitive(scipy.linalg.expm)`` and calls that. Transposes are plain,
as in linalg.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules import RULES, composite, constant, primitive, refuse, rule
from ..spaces import mT

la: Any = None  # scipy.linalg, once it is there


def register(module: Any) -> None:
    """Enter the rules of these functions of `scipy.linalg` into the table."""
    global la
    la = module
    rule(expm, lambda g, a: _adjoint(expm, g, a), args="a")
    rule(logm, lambda g, a: _adjoint(logm, g, a), args="a")
    rule(sqrtm, lambda g, ans: solve_sylvester(mT(ans), mT(ans), g), args="a")
    rule(
        solve_sylvester,
        lambda g, ans, a, b: -solve_sylvester(mT(a), mT(b), g) @ mT(ans),
        lambda g, ans, a, b: -mT(ans) @ solve_sylvester(mT(a), mT(b), g),
        lambda g, a, b: solve_sylvester(mT(a), mT(b), g),
        args="a b q",
    )
    rule(
        solve_triangular,
        _triangle_pull,
        lambda g, a, trans=0, lower=False, unit_diagonal=False: _back(a, g, trans, lower, unit_diagonal),
        args="a b",
        metadata="trans lower unit_diagonal",
    )
    rule(cho_solve, _cho_pull, lambda g, c, lower=False: cho_solve(c, g, lower=lower), args="c b", metadata="lower")
    for name, body in BODIES.items():
        composite(getattr(la, name))(body)
    for name in dir(la):
        fn = getattr(la, name)
        if callable(fn) and hasattr(np.linalg, name) and not isinstance(fn, type) and fn not in RULES:
            refuse(fn, f"write np.linalg.{name}, which takes Tensors as they are")


# --- one matrix -------------------------------------------------------------------------------------------------------


@primitive
def expm(a: Any) -> Any:
    """Return the exponential of a matrix."""
    return la.expm(a)


@primitive
def logm(a: Any) -> Any:
    """Return the logarithm of a matrix."""
    return _as(la.logm(a), a)


@primitive
def sqrtm(a: Any) -> Any:
    """Return the principal square root of a matrix."""
    return _as(la.sqrtm(a), a)


def _as(found: Any, a: Any) -> Any:
    """Return a result of SciPy in the precision of its argument; older ones compute in double only."""
    return found.astype(np.result_type(a.dtype, found.dtype.char.lower() if found.dtype.kind == "f" else "F"))


def _adjoint(fn: Any, g: Any, a: Any) -> Any:
    """Return the transpose of the derivative of f at A: the corner of f([[Aᵀ, G], [0, Aᵀ]]).

    It is linear in G, which is scaled by a power of two to the size of A: `expm` chooses its steps by the norm.
    """
    n = a.shape[-1]
    scale = size_beside(a, g)
    corner = np.concatenate([mT(a), g * scale], axis=-1)
    below = np.concatenate([np.zeros_like(g), mT(a)], axis=-1)
    return fn(np.concatenate([corner, below], axis=-2))[..., :n, n:] / scale


@primitive
def size_beside(a: Any, g: Any) -> Any:
    """Return the power of two, in the precision of `g`, that brings `g` to the size of `a`."""
    powers = (min(max(int(np.frexp(np.max(np.absolute(x), initial=0))[1]), -60), 60) for x in (a, g))
    return np.ldexp(np.finfo(g.dtype).dtype.type(1), next(powers) - next(powers))


constant(size_beside)


# --- equations --------------------------------------------------------------------------------------------------------


@primitive
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """Return X of A X + X B = Q."""
    return la.solve_sylvester(a, b, q)


@primitive
def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False) -> Any:
    """Return x of A x = b for a triangle A, or of its transpose."""
    return la.solve_triangular(a, b, trans=trans, lower=lower, unit_diagonal=unit_diagonal)


def _back(a: Any, g: Any, trans: Any, lower: bool, unit: bool) -> Any:
    """Solve with the plain transpose of what has been solved with."""
    if trans in (2, "C"):
        a, trans = np.conjugate(a), 1
    return solve_triangular(a, g, trans=0 if trans in (1, "T") else 1, lower=lower, unit_diagonal=unit)


def _triangle_pull(g: Any, ans: Any, a: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False) -> Any:
    y = _back(a, g, trans, lower, unit_diagonal)
    y, x = (v if len(v.shape) == len(a.shape) else v[..., None] for v in (y, ans))
    ga = -y @ mT(x) if trans in (0, "N") else -x @ mT(y)
    ga = np.conjugate(ga) if trans in (2, "C") else ga
    return np.tril(ga, -int(unit_diagonal)) if lower else np.triu(ga, int(unit_diagonal))


@primitive
def cho_solve(c: Any, b: Any, lower: bool = False) -> Any:
    """Return x of A x = b from the triangle of Cholesky's factorisation of A."""
    return la.cho_solve((c, lower), b)


def _cho_pull(g: Any, ans: Any, c: Any, lower: bool = False) -> Any:
    """Pull back to L of A = L Lᴴ, or U of A = Uᴴ U: with y of A y = g the cotangent of A is -y xᵀ."""
    if c.dtype.kind == "c":
        raise TypeError("scipy.linalg.cho_solve of complex matrices is refused for Tensors: use np.linalg.solve")
    y = cho_solve(c, g, lower=lower)
    y, x = (v if len(v.shape) == len(c.shape) else v[..., None] for v in (y, ans))
    both = -y @ mT(x) - x @ mT(y)
    return np.tril(both @ np.tril(c)) if lower else np.triu(np.triu(c) @ both)


# --- under SciPy's names ----------------------------------------------------------------------------------------------


def _expm(A: Any) -> Any:
    return expm(A)


def _logm(A: Any) -> Any:
    return logm(A)


def _sqrtm(A: Any) -> Any:
    return sqrtm(A)


def _solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    return solve_sylvester(a, b, q)


def _solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False,
    overwrite_b: bool = False, check_finite: bool = True,
) -> Any:  # fmt: skip
    return solve_triangular(a, b, trans=trans, lower=bool(lower), unit_diagonal=bool(unit_diagonal))


def _cho_solve(c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    return cho_solve(c_and_lower[0], b, lower=bool(c_and_lower[1]))


BODIES: dict[str, Any] = {
    "expm": _expm,
    "logm": _logm,
    "sqrtm": _sqrtm,
    "solve_sylvester": _solve_sylvester,
    "solve_triangular": _solve_triangular,
    "cho_solve": _cho_solve,
}
