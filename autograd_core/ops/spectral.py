"""Eigenvalues, singular values, QR and what is made of them: pseudo-inverse, least squares, condition, spectral norms.

Transposes are plain, as in linalg.py. Results are differentiated as NumPy returns them: a complex eigenvector or singular
vector with the phase that LAPACK gives it (one known entry is real). At a tie, where values repeat up to rounding,
vectors are any basis of their space: what does not depend on the choice has its derivative, anything else is refused.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..rules import composite, constant, primitive, rule
from ..spaces import from_end, mT
from .linalg import LinAlgError, _H

CHOICE = "its vectors are any basis of their space, and this gradient depends on which; use them only in what does not, such as a projector"
BOTH = "a function of values and vectors together, such as V f(w) Vᵀ, has a derivative there that does not follow from theirs; write it without them (matrix_power, solve, scipy.linalg.expm), or move the values apart"
AGAIN = "their derivatives, asked for in forward mode or by a second derivative, do not exist there; use first derivatives in reverse mode, or move the values apart"


# --- ties -------------------------------------------------------------------------------------------------------------


def _absent(g: Any) -> bool:
    """Say whether nothing flows into a result that nobody used; zeros on a tape do flow."""
    return g is None or (type(g) is np.ndarray and not g.any())


def _rounding(values: Any, factor: Any = 1) -> Any:
    """Return how far apart, from rounding alone, computed values may lie; twice what is seen. One more axis behind."""
    n = values.shape[-1]
    top = np.max(np.absolute(values), axis=-1, keepdims=True, initial=0)
    return (8 * math.sqrt(n) * np.finfo(values.dtype).eps) * factor * top[..., None]


def _over(gap: Any, tie: Any) -> Any:
    """Return 1 / gap, but 0 at ties."""
    return np.logical_not(tie) / np.where(tie, gap.dtype.type(1), gap)


def _gaps(values: Any, factor: Any = 1) -> tuple[Any, Any]:
    """Return the matrix of differences, vⱼ − vᵢ, and where it is 0 up to rounding."""
    gap = values[..., None, :] - values[..., :, None]
    return gap, np.absolute(gap) <= _rounding(values, factor)


def _others(tie: Any) -> Any:
    """Return ties of different values; None, which is the rule, if there are none."""
    n = tie.shape[-1]
    return None if np.count_nonzero(tie) * n == tie.size else tie & ~np.eye(n, dtype=bool)


@primitive
def refuse(demand: Any, size: Any, tie: Any, values: Any, name: str, why: str) -> None:
    """Raise if an entry of `demand` at a tie is more than rounding beside the largest of `size`."""
    limit = math.sqrt(np.finfo(demand.dtype).eps) * np.max(np.absolute(size), axis=(-2, -1), keepdims=True, initial=0)
    wrong = tie & (np.absolute(demand) > limit)
    if np.any(wrong):
        value = np.broadcast_to(values[..., None, :], wrong.shape)[wrong][0]
        raise LinAlgError(f"np.linalg.{name}: the value {value:.6g} is repeated: {why}")


constant(refuse)


@primitive
def still(x: Any, tie: Any, values: Any, name: str) -> Any:
    """Return zeros: what ties leave open of a derivative. Its own derivative does not exist, and is refused."""
    return np.zeros_like(x)


def _still_pull(g: Any, tie: Any, values: Any, name: str = "") -> Any:
    refuse(g, g, tie, values, name, AGAIN)
    return np.zeros_like(g)


rule(still, _still_pull, None, None, args="x tie values", batched=True)


def _antihermitian(x: Any) -> Any:
    return (x - _H(x)) / 2


def _scaled(vectors: Any, g: Any, others: Any) -> Any:
    """Return ``vectors diag(g) others``."""
    return (vectors * g[..., None, :]) @ others


def _diagonal(g: Any) -> Any:
    return g[..., None, :] * np.eye(g.shape[-1], dtype=bool)


def _corner(n: int, i: int) -> Any:
    return np.arange(n)[:, None] == i % max(n, 1)


# --- symmetric and Hermitian matrices -----------------------------------------------------------------------------------


def _eigh_pull(g: Any, ans: Any, UPLO: str = "L") -> Any:
    """With M = Vᴴ dA V: dw = diag M, dV = V (F ∘ M), Fᵢⱼ = 1 / (wⱼ − wᵢ); transposed, on Hermitian matrices."""
    (gw, gV), (w, V) = g, ans
    gap, tie = _gaps(w)
    others = _others(tie)
    N = _diagonal(gw)
    if not _absent(gV):
        gV = _at_phase(gV, V, 0 if UPLO in "Ll" else V.shape[-1] - 1, w)
        Y = mT(V) @ gV
        K = _antihermitian(Y)
        N = N + _over(gap, tie) * K
        if others is not None:
            _refuse_choice(K, Y, None if _absent(gw) else gw, others, w, "eigh")
            N = N + still(K, others, w, name="eigh")
    if others is not None:
        N = N + still(_diagonal(gw), others, w, name="eigh")
    return np.conjugate(V) @ N @ mT(V)


def _at_phase(gV: Any, V: Any, row: int, w: Any) -> Any:
    """Pull back through the choice of phases that makes a row of V real: turning a column by i has no effect."""
    if V.dtype.kind != "c":
        return gV
    turn = np.imag(np.sum(V * gV, axis=-2, keepdims=True))
    return gV - 1j * (_corner(V.shape[-2], row) * _turned_by(turn, np.real(V[..., row, None, :]), V, w, "eigh"))


def _turned_by(turn: Any, real: Any, V: Any, w: Any, name: str) -> Any:
    """Return turn / real; where the entry that should tell the phase is 0, nothing may ask for it."""
    hole = np.absolute(real) <= 8 * np.finfo(V.dtype).eps
    refuse(turn, V, hole, w, name, "x")
    return turn * _over(real, hole)


def _refuse_choice(K: Any, Y: Any, rates: Any, tie: Any, values: Any, name: str) -> None:
    """Refuse what depends on the basis; and values and vectors together unless they ask for the trace alone."""
    refuse(K, Y, tie, values, name, CHOICE)
    if rates is not None:
        spread = rates[..., None, :] - rates[..., :, None]
        refuse(Y, Y, tie, values, name, BOTH)
        refuse(spread, rates[..., None, :], tie, values, name, BOTH)


rule(np.linalg.eigh, _eigh_pull, args="a", outputs=2, batched=True)
