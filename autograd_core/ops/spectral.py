"""Eigenvalues, singular values, QR, and what is made of them: pseudo-inverse, least squares, condition, spectral norms.

Transposes are plain, as in linalg.py. Results are differentiated as NumPy returns them: a complex vector has the phase
that LAPACK gives it, which makes one known entry real. Where values repeat, up to rounding, their vectors are any basis
of a space. What does not depend on the basis has its derivative, all else is refused; a sum over i ≠ j leaves out ties.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..rules import composite, constant, primitive, rule
from ..spaces import from_end, mT
from .linalg import _H, LinAlgError

eigh: Any = np.linalg.eigh  # NumPy's types want literals
qr: Any = np.linalg.qr

CHOICE = (
    "np.linalg.{name}: {value:.6g} is repeated, so that its vectors are any basis of their space, and this gradient "
    "depends on which; use them together, in what does not depend on the basis, such as a projector"
)
BOTH = (
    "np.linalg.{name}: {value:.6g} is repeated, where the derivative of a function of values and vectors together, "
    "such as V f(w) Vᵀ, does not follow from theirs; write it without them (solve, matrix_power, scipy.linalg.expm)"
)
AGAIN = (
    "np.linalg.{name}: {value:.6g} is repeated, where what forward mode or a second derivative needs of its vectors "
    "does not exist; take first derivatives in reverse mode, and those of values alone by eigvalsh, eigvals or svdvals"
)
PHASE = (
    "np.linalg.{name}: the entry by which LAPACK sets the phase of a vector of {value:.6g} is 0, and this gradient "
    "depends on the phase; use the vector in what does not, such as a projector or absolute values"
)
NULL = (
    "np.linalg.{name}: the singular value {value:.6g} is zero, and this gradient depends on its vectors, which may be "
    "any in the null space; use those of the others, or values only"
)
COMPLETION = (
    "np.linalg.{name}: the last columns are any orthonormal completion of the others, and this gradient depends on "
    "which; use them together, in what does not depend on the basis, such as a projector"
)


# --- ties -------------------------------------------------------------------------------------------------------------


def _absent(g: Any) -> bool:
    """Say whether nothing flows into a result: nobody used it. Zeros do flow."""
    return g is None


@primitive
def tied(gap: Any, values: Any, slack: Any = 1.0) -> Any:
    """Return where gaps between computed values are as small as rounding makes them: twice as much as was seen."""
    top = np.max(np.absolute(values), axis=-1, initial=0) * slack
    return np.absolute(gap) <= 8 * values.shape[-1] ** (1 / 3) * np.finfo(values.dtype).eps * top[..., None, None]


@primitive
def others(tie: Any) -> Any:
    """Return ties of one value with another."""
    return tie & ~np.eye(tie.shape[-1], dtype=bool)


def clashes(tie: Any) -> Any:
    """Return ties of one value with another; None, as nearly always, if there are none. A recorder is not told that."""
    return None if type(tie) is np.ndarray and np.count_nonzero(tie) * tie.shape[-1] == tie.size else others(tie)


@primitive
def refuse(demand: Any, size: Any, tie: Any, values: Any, name: str, why: str) -> None:
    """Raise if an entry of `demand` at a tie is more than rounding beside the largest of `size`."""
    limit = math.sqrt(np.finfo(demand.dtype).eps) * np.max(np.absolute(size), axis=(-2, -1), keepdims=True, initial=0)
    wrong = tie & (np.absolute(demand) > limit)
    if np.any(wrong):
        value = np.broadcast_to(values[..., None, :], wrong.shape)[wrong][0]
        raise LinAlgError(why.format(name=name, value=value))


constant(tied, others, refuse)


@primitive
def still(x: Any, tie: Any, values: Any, name: str) -> Any:
    """Return the same, of which ties leave the derivative open: it has none where they count."""
    return +x


def _still_pull(g: Any, tie: Any, values: Any, name: str = "") -> Any:
    refuse(g, g, tie, values, name, AGAIN)
    return g


rule(still, _still_pull, None, None, args="x tie values", batched=True)


def _values_only(g: Any, values: Any, name: str, slack: Any = 1.0) -> Any:
    """Return what flows into values, as a diagonal; under a second derivative, with what ties leave open of it."""
    tie = None if type(values) is np.ndarray else clashes(tied(_differences(values), values, slack))
    return _diagonal(g) if tie is None else still(_diagonal(g), tie, values, name=name)


def _inverse(gap: Any, tie: Any) -> Any:
    """Return 1 / gap, but 0 at ties."""
    return np.logical_not(tie) / np.where(tie, gap.dtype.type(1), gap)


def _differences(v: Any) -> Any:
    return v[..., None, :] - v[..., :, None]


def _refuse_both(Y: Any, rates: Any, size: Any, tie: Any, values: Any, name: str) -> None:
    """Refuse values and vectors together, but for the trace: the derivative needs the slope f', which nothing tells."""
    if _absent(rates):
        return
    top = np.max(np.absolute(values), axis=-1, initial=0)[..., None, None]
    refuse(Y, size, tie, values, name, BOTH)
    refuse(_differences(rates) * top, _size(rates[..., None]) * top + _size(size), tie, values, name, BOTH)


# --- small helpers ----------------------------------------------------------------------------------------------------


def _antihermitian(x: Any) -> Any:
    return (x - _H(x)) / 2


def _size(g: Any) -> Any:
    """Return the largest absolute value of an entry of each matrix."""
    return np.max(np.absolute(g), axis=(-2, -1), keepdims=True, initial=0)


def _diagonal(v: Any) -> Any:
    return 0.0 if v is None else v[..., None] * np.eye(v.shape[-1], dtype=bool)


def _turn_back(demand: Any, entry: Any, size: Any, values: Any, name: str) -> Any:
    """Return i demand / entry, by which the entry of each vector that LAPACK makes real undoes a turn of its phase."""
    hole = np.absolute(entry) <= math.sqrt(np.finfo(entry.dtype).eps)
    refuse(demand, size, hole, values, name, PHASE)
    return 1j * demand * _inverse(entry, hole)


def _only(n: int, i: int) -> Any:
    """Return a column of n entries, True at i."""
    return np.arange(n)[:, None] == i


# --- symmetric and Hermitian matrices ---------------------------------------------------------------------------------


def _eigh_pull(g: Any, ans: Any, UPLO: str = "L") -> Any:
    """With M = Vᴴ dA V: dw = diag M, dV = V (F ∘ M), F = 1 / (wⱼ − wᵢ); pulled back to a Hermitian gradient."""
    (gw, gV), (w, V) = g, ans
    if _absent(gV):
        return np.conjugate(V) @ _values_only(gw, w, "eigh") @ mT(V)
    if V.dtype.kind == "c":
        row = 0 if UPLO in "Ll" else V.shape[-1] - 1
        turn = np.imag(np.sum(V * gV, axis=-2, keepdims=True))
        gV = gV - _only(V.shape[-1], row) * _turn_back(turn, np.real(V[..., row : row + 1, :]), gV, w, "eigh")
    gap = _differences(w)
    tie = tied(gap, w)
    Y = mT(V) @ gV
    K = _antihermitian(Y)
    N = _diagonal(gw) + _inverse(gap, tie) * K
    if (clash := clashes(tie)) is not None:
        refuse(K, gV, clash, w, "eigh", CHOICE)
        _refuse_both(Y, gw, gV, clash, w, "eigh")
        N = still(N, clash, w, name="eigh")
    return np.conjugate(V) @ N @ mT(V)


rule(np.linalg.eigh, _eigh_pull, args="a", outputs=2, partial=True, batched=True)


def _eigvalsh_pull(g: Any, a: Any, UPLO: str = "L") -> Any:
    w, V = eigh(a, UPLO)
    return np.conjugate(V) @ _values_only(g, w, "eigvalsh") @ mT(V)


rule(np.linalg.eigvalsh, _eigvalsh_pull, args="a", batched=True)


# --- any square matrix ------------------------------------------------------------------------------------------------


@primitive
def condition(V: Any) -> Any:
    """Return the condition of eigenvectors, by which rounding grows."""
    return np.linalg.cond(V, 1) if V.size else np.ones(V.shape[:-2])


@primitive
def refuse_defective(V: Any, w: Any, cond: Any) -> None:
    """Refuse a matrix that has too few eigenvectors."""
    eps = np.finfo(V.dtype).eps
    tie = clashes(tied(_differences(w), w, np.where(cond * eps > 1 / 8, 1 / eps, 1)))
    parallel = tie is not None and tie & (np.absolute(_H(V) @ V) > 1 - math.sqrt(eps))
    if np.any(parallel):
        value = w[np.any(parallel, axis=-1)][0]
        value = value if value.imag else value.real  # since NumPy 2.5 all are complex
        raise LinAlgError(
            f"np.linalg.eig: the matrix is defective: {value:.6g} is repeated without as many eigenvectors, "
            "where eigenvalues have no derivative; for their sum or product use np.trace or np.linalg.det"
        )


def _slack(V: Any, w: Any) -> Any:
    """Return by how much rounding grows."""
    cond = condition(V)
    refuse_defective(V, w, cond)
    return cond


@primitive
def largest_real(V: Any) -> Any:
    """Return, for every column, True at the entry that LAPACK makes real: its largest."""
    size = np.absolute(V) * (np.imag(V) == 0)
    if not V.size:
        return size != 0
    return np.arange(V.shape[-2])[:, None] == np.argmax(size, axis=-2)[..., None, :]


@primitive
def matching(found: Any, wanted: Any) -> Any:
    """Return which of the values found is which of those wanted."""
    gap = np.absolute(wanted[..., :, None] - found[..., None, :])
    index = np.zeros(wanted.shape, int)
    for at in np.ndindex(wanted.shape[:-1]):
        for i in range(wanted.shape[-1]):
            index[at][i] = j = np.argmin(gap[at][i])
            gap[at][:, j] = np.inf
    return index


constant(condition, refuse_defective, largest_real, matching)


def _eig_pull(g: Any, ans: Any) -> Any:
    """With M = V⁻¹ dA V: dw = diag M, dV = V (M / (wⱼ − wᵢ)), then columns are brought back to length 1 and phase."""
    (gw, gV), (w, V) = g, ans
    slack = _slack(V, w)
    if _absent(gV):
        return np.linalg.solve(mT(V), _values_only(gw, w, "eig", slack) @ mT(V))
    y, size = np.sum(V * gV, axis=-2, keepdims=True), gV
    gV = gV - np.real(y) * np.conjugate(V)
    if V.dtype.kind == "c":
        real = largest_real(V)
        gV = gV - real * (1j * np.imag(y) / np.real(np.sum(V * real, axis=-2, keepdims=True)))
    gap = _differences(w)
    tie = tied(gap, w, slack)
    Y = mT(V) @ gV
    N = _diagonal(gw) + _inverse(gap, tie) * Y
    if (clash := clashes(tie)) is not None:
        refuse(Y, size, clash, w, "eig", CHOICE)
        _refuse_both(Y, gw, size, clash, w, "eig")
        N = still(N, clash, w, name="eig")
    return np.linalg.solve(mT(V), N @ mT(V))


rule(np.linalg.eig, _eig_pull, args="a", outputs=2, partial=True, batched=True)


def _eigvals_pull(g: Any, ans: Any, a: Any) -> Any:
    w, V = np.linalg.eig(a)
    if type(w) is not np.ndarray or not np.array_equal(w, ans):  # in another order; no value decides for a recorder
        index = matching(w, ans)
        w, V = np.take_along_axis(w, index, axis=-1), np.take_along_axis(V, index[..., None, :], axis=-1)
    return np.linalg.solve(mT(V), _values_only(g, w, "eigvals", _slack(V, w)) @ mT(V))


rule(np.linalg.eigvals, _eigvals_pull, args="a", batched=True)


# --- singular values --------------------------------------------------------------------------------------------------


@primitive
def singular(a: Any, full_matrices: bool = True) -> Any:
    """Return the singular value decomposition, as `numpy.linalg.svd` has it."""
    return np.linalg.svd(a, full_matrices)


def _svd_pull(g: Any, ans: Any, full_matrices: bool = True) -> Any:
    """With P = Uᴴ dA V: ds = diag P, and for dU = U Ω, dV = V Ω', off the diagonal, as sum and difference

    (Ω + Ω')ᵢⱼ = (P + Pᴴ)ᵢⱼ / (sⱼ − sᵢ),    (Ω − Ω')ᵢⱼ = (P − Pᴴ)ᵢⱼ / (sᵢ + sⱼ);

    outside the spans dU = (1 − U Uᴴ) dA V / s, and dV likewise.
    """
    (gU, gs, gVh), (U, s, Vh) = g, ans
    if _absent(gU) and _absent(gVh):
        U, Vh = U[..., : s.shape[-1]], Vh[..., : s.shape[-1], :]
        return np.conjugate(U) @ _values_only(gs, s, "svd") @ np.conjugate(Vh)
    gU, gVh = (np.zeros_like(v) if y is None else y for y, v in ((gU, U), (gVh, Vh)))
    size = _size(gU) + _size(gVh)
    U, gU, Vh, gVh = _reduced(U, gU, s, Vh, gVh, size)
    gap, sums = _differences(s), s[..., None, :] + s[..., :, None]
    tie, zero = tied(gap, s), tied(sums, s)
    YU, YV = mT(U) @ gU, gVh @ mT(Vh)
    plus, minus = _antihermitian(YU) - _antihermitian(YV), _antihermitian(YU) + _antihermitian(YV)
    N = _diagonal(gs) + _inverse(gap, tie) * plus + _inverse(sums, zero) * minus
    refuse(minus, size, zero, s, "svd", NULL)
    if (clash := clashes(tie)) is not None:
        refuse(plus, size, clash, s, "svd", CHOICE)
        _refuse_both(YU + _H(YV), gs, size, clash, s, "svd")
        N = still(N, clash, s, name="svd")
    W = np.conjugate(Vh)
    ga = np.conjugate(U) @ N @ W
    if U.shape[-2] > s.shape[-1]:
        ga = ga + _over_values(gU - np.conjugate(U) @ YU, s, size) @ W
    if Vh.shape[-1] > s.shape[-1]:
        ga = ga + np.conjugate(U) @ mT(_over_values(mT(gVh - YV @ W), s, size))
    return ga


def _over_values(outside: Any, s: Any, size: Any) -> Any:
    """Divide columns by singular values; those of zero must not be asked for."""
    null = tied(s[..., None, :], s)
    refuse(outside, size, null, s, "svd", NULL)
    return outside * _inverse(s[..., None, :], null)


def _reduced(U: Any, gU: Any, s: Any, Vh: Any, gVh: Any, size: Any) -> tuple[Any, Any, Any, Any]:
    """Return the vectors of singular values, and cotangents freed of completions and phases."""
    k, m, n = s.shape[-1], U.shape[-2], Vh.shape[-1]
    if U.shape[-1] > k:
        U, gU = _folded(U, gU, k, "svd")
    if Vh.shape[-2] > k:
        Vh, gVh = (_H(x) for x in _folded(_H(Vh), _H(gVh), k, "svd"))
    if U.dtype.kind == "c" and k:
        turn = np.imag(np.sum(U * gU, axis=-2) - np.sum(Vh * gVh, axis=-1))[..., None, :]
        if m < n:
            gU = gU - _only(m, 0) * _turn_back(turn, np.real(U[..., :1, :]), size, s, "svd")
        else:
            gVh = gVh + mT(_only(n, 0) * _turn_back(turn, np.real(mT(Vh[..., :1])), size, s, "svd"))
    return U, gU, Vh, gVh


def _folded(Q: Any, g: Any, k: int, name: str) -> tuple[Any, Any]:
    """Return the first k columns, with what flows into the others, which follow them: dQ₂ = −Q₁ (Q₂ᴴ dQ₁)ᴴ."""
    Q1, Q2, g1, g2 = Q[..., :k], Q[..., k:], g[..., :k], g[..., k:]
    Y = mT(Q2) @ g2
    refuse(_antihermitian(Y), g2, True, np.zeros(Y.shape[-1:]), name, COMPLETION)
    return Q1, g1 - np.conjugate(Q2) @ _H(mT(Q1) @ g2)


rule(singular, _svd_pull, args="a", outputs=3, partial=True, batched=True, name="svd")


def _svdvals_pull(g: Any, ans: Any, x: Any) -> Any:
    """Pull back by ds = diag(Uᴴ dA V); 0 for a singular value that is 0, as for abs."""
    U, s, Vh = singular(x, full_matrices=False)
    return np.conjugate(U) @ _values_only(g * (ans != 0), s, "svdvals") @ np.conjugate(Vh)


rule(np.linalg.svdvals, _svdvals_pull, batched=True)


@composite(np.linalg.svd)
def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    if not hermitian:
        return singular(a, full_matrices=bool(full_matrices)) if compute_uv else np.linalg.svdvals(a)
    if not compute_uv:
        return np.flip(np.sort(np.absolute(np.linalg.eigvalsh(a))), -1)
    w, V = np.linalg.eigh(a)
    sign, s = np.copysign(w.dtype.type(1), w), np.absolute(w)
    order = np.flip(np.argsort(s), -1)
    sign, s = (np.take_along_axis(x, order, axis=-1) for x in (sign, s))
    V = np.take_along_axis(V, order[..., None, :], axis=-1)
    kind: Any = type(np.linalg.svd(np.eye(1)))
    return kind(V, s, _H(V * sign[..., None, :]))


# --- QR ---------------------------------------------------------------------------------------------------------------


@primitive
def factors(a: Any, mode: str = "reduced") -> Any:
    """Return the factors Q and R, as `numpy.linalg.qr` has them."""
    return qr(a, mode)


@primitive
def refuse_dependent(R: Any) -> None:
    """Refuse a triangle with a zero on its diagonal."""
    r = np.absolute(np.diagonal(R, axis1=-2, axis2=-1))
    null = r <= 8 * R.shape[-1] ** (1 / 3) * np.finfo(R.dtype).eps * np.max(r, axis=-1, keepdims=True, initial=0)
    if np.any(null):
        raise LinAlgError(
            f"np.linalg.qr: column {np.argwhere(null)[0][-1]} depends linearly on those before, where Q and R have "
            "no derivative; for a rank-deficient matrix use svd or pinv"
        )


constant(refuse_dependent)


def _qr_pull(g: Any, ans: Any, mode: str = "reduced") -> Any:
    """With C = Qᴴ dA R⁻¹: dQ = Q Ω + (1 − Q Qᴴ) dA R⁻¹, dR = (C − Ω) R, Ω what is not triangular in C."""
    (gQ, gR), (Q, R) = g, ans
    k = min(Q.shape[-2], R.shape[-1])
    if Q.shape[-1] > k:
        Q, gQ = _folded(Q, gQ, k, "qr")
    R1, R2, gR1, gR2 = R[..., :k, :k], R[..., :k, k:], np.triu(gR[..., :k, :k]), gR[..., :k, k:]
    refuse_dependent(R1)
    if R2.shape[-1]:  # R₂ = Qᴴ A₂
        gQ = gQ + np.conjugate(Q @ R2) @ _H(gR2)
    Y, Z = mT(Q) @ gQ, gR1 @ mT(R1)
    lower = np.tri(k, dtype=R.dtype) - np.eye(k, dtype=R.dtype) / 2
    W = Z + lower * (Y - Z - _H(Y - Z))
    ga = mT(np.linalg.solve(R1, mT(gQ + np.conjugate(Q) @ (W - Y))))
    return np.concatenate([ga, np.conjugate(Q) @ gR2], axis=-1) if R2.shape[-1] else ga


rule(factors, _qr_pull, args="a", outputs=2, batched=True, fixes=True, name="qr")


@composite(np.linalg.qr)
def _qr(a: Any, mode: str = "reduced") -> Any:
    if mode == "r":
        return factors(a, mode="reduced")[1]
    if mode not in ("reduced", "complete"):
        raise TypeError(f"np.linalg.qr with mode={mode!r} is refused for Tensors: use 'reduced', 'complete' or 'r'")
    return factors(a, mode=mode)


# --- pseudo-inverse and least squares ---------------------------------------------------------------------------------


def _pinv_pull(g: Any, ans: Any, a: Any, hermitian: bool = False) -> Any:
    """Golub and Pereyra: dP = −P dA P + P Pᴴ dAᴴ (1 − A P) + (1 − P A) dAᴴ Pᴴ P, where the rank does not change."""
    P, G = ans, mT(g)
    ga = np.conjugate((G - a @ (P @ G)) @ P @ _H(P) + _H(P) @ P @ (G - G @ P @ a)) - mT(P) @ g @ mT(P)
    return (ga + _H(ga)) / 2 if hermitian else ga


rule(np.linalg.pinv, _pinv_pull, args="a", metadata="rcond rtol", batched=True)


def _lstsq_pull(g: Any, ans: Any, a: Any, b: Any, rcond: Any = None) -> list[Any]:
    """Pull through x = P b, P = pinv(A), with y = Pᵀ gx, and through the squares of r = b − A x, whose slope is 2 r̄."""
    gx, g_squares, _, gs = g
    vector = len(b.shape) == 1
    x, b, gx = (v[..., None] if vector else v for v in (ans[0], b, gx))
    wide = np.astype(a, np.result_type(a.dtype, float))  # in which NumPy computes, and judges the rank
    eps = np.finfo(float).eps
    cutoff = eps * max(a.shape) if rcond is None else eps if rcond < 0 else rcond
    P = np.linalg.pinv(wide, cutoff)
    r = np.conjugate(b - a @ x)
    gb = y = mT(P) @ gx
    ga = r @ _H(y) @ mT(P) + mT(P) @ np.conjugate(x @ mT(gx - mT(a) @ y)) - y @ mT(x)
    if g_squares.shape[-1]:
        slope = 2 * r * g_squares[..., None, :]
        gb, ga = gb + slope, ga - slope @ mT(x)
    if type(gs) is not np.ndarray or gs.any():
        ga = ga + _svdvals_pull(gs, ans[3], a)
    return [ga, gb[..., 0] if vector else gb]


rule(np.linalg.lstsq, _lstsq_pull, args="a b", outputs=4, joint=True, batched=True)


# --- norms and condition ----------------------------------------------------------------------------------------------


@primitive
def nuclear(s: Any) -> Any:
    """Return the sum of singular values; those that are zero up to rounding do not move it."""
    return np.sum(s, axis=-1)


def _nuclear_pull(g: Any, s: Any) -> Any:
    return g[..., None] * np.logical_not(tied(s[..., None, :], s)[..., 0, :])


rule(nuclear, _nuclear_pull, args="s", batched=True)


def norm_of_values(x: Any, ord: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    """Return the norm of matrices of order 2, -2 or "nuc": the largest, the smallest, the sum of singular values."""
    s = np.linalg.svdvals(np.moveaxis(x, axes, (-2, -1)))
    extreme = np.min if ord == -2 else np.max if ord == 2 and s.shape[-1] else None
    ans = extreme(s, axis=-1) if extreme else nuclear(s)
    return np.expand_dims(ans, from_end(axes, x.ndim)) if keepdims else ans


@primitive
def is_infinite(x: Any, p: Any) -> Any:
    """Say which matrices are so singular that their condition is infinite."""
    return np.isinf(np.linalg.cond(x, p))


constant(is_infinite)


@composite(np.linalg.cond)
def _cond(x: Any, p: Any = None) -> Any:
    if 0 in x.shape[-2:]:
        raise LinAlgError("np.linalg.cond is not defined for empty matrices")
    infinite = is_infinite(x, p)
    if p in (None, 2, -2):
        s = np.linalg.svdvals(x)
        over, under = (s[..., -1], s[..., 0]) if p == -2 else (s[..., 0], s[..., -1])
        return np.where(infinite, s.dtype.type(np.inf), over / np.where(infinite, s.dtype.type(1), under))
    identity = np.eye(x.shape[-1], dtype=x.dtype)
    regular = np.where(infinite[..., None, None], identity, x)
    wide = np.astype(regular, np.result_type(x.dtype, float))  # as NumPy inverts here
    ans = np.linalg.norm(x, p, axis=(-2, -1)) * np.linalg.norm(np.linalg.inv(wide), p, axis=(-2, -1))
    return np.where(infinite, np.inf, ans).astype(np.finfo(x.dtype).dtype)
