"""Linear algebra: solve, inverse, determinants, Cholesky; batched over leading axes.

Transposes are plain, for complex matrices too: a conjugate stands only where the function itself conjugates.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..rules import composite, constant, primitive, rule
from ..spaces import array, conj, mT
from .values import recorded

LinAlgError = np.linalg.LinAlgError
vecdot: Any = np.vecdot  # NumPy's types do not know its axis=


def _H(x: Any) -> Any:
    """Return the conjugate transpose."""
    return mT(conj(x))


# --- inverse and solve ------------------------------------------------------------------------------------------------

rule(np.linalg.inv, lambda g, ans: -mT(ans) @ g @ mT(ans), args="a", batched=True)


def _solve_pull(g: Any, ans: Any, a: Any, b_space: Any) -> list[Any]:
    """Solve with the transpose, once for both cotangents: the factorisation is what costs."""
    if len(b_space.shape) == 1:
        gb = np.linalg.solve(mT(a), g[..., None])
        return [-gb * ans[..., None, :], gb[..., 0]]
    gb = np.linalg.solve(mT(a), g)
    return [-gb @ mT(ans), gb]


rule(np.linalg.solve, _solve_pull, args="a b", joint=True, batched=True)


@composite(np.linalg.tensorinv)
def _tensorinv(a: Any, ind: int = 2) -> Any:
    if ind <= 0:
        raise ValueError(f"tensorinv needs ind > 0, not {ind}")
    n = math.prod(a.shape[ind:])
    return np.reshape(np.linalg.inv(np.reshape(a, (n, -1))), a.shape[ind:] + a.shape[:ind])


@composite(np.linalg.tensorsolve)
def _tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    last = [] if axes is None else list(axes)
    a = np.transpose(a, [i for i in range(np.ndim(a)) if i not in last] + last)
    shape = a.shape[np.ndim(b) :]
    n = math.prod(shape)
    if a.size != n * n:
        raise LinAlgError(f"tensorsolve cannot solve shape {a.shape} for a right-hand side of shape {np.shape(b)}")
    return np.reshape(np.linalg.solve(np.reshape(a, (n, n)), np.reshape(b, -1)), shape)


# --- determinants -----------------------------------------------------------------------------------------------------


@primitive
def deflation(a: Any) -> Any:
    """Return vectors u and w, as [u, w], that make ``a + u wᵀ`` well-conditioned; none if `a` is so already.

    They belong to the singular values that are tiny beside the largest, each scaled to take the largest's place.
    """
    n = a.shape[-1]
    eps = math.sqrt(np.finfo(a.dtype).eps)
    if not a.size or not np.any(np.linalg.cond(a, 1) > 1 / eps):
        return np.zeros((*a.shape[:-2], 2, n, 0), a.dtype)
    U, s, V = np.linalg.svd(np.where(np.isfinite(a), a, a.dtype.type(0)))
    top = s[..., :1]
    tiny = s <= eps * top
    scale = np.where(tiny, np.where(top == 0, s.dtype.type(1), top), s.dtype.type(0))
    r = int(np.max(np.sum(tiny, axis=-1)))
    return np.stack([U * scale[..., None, :], mT(V)], axis=-3)[..., n - r :]


constant(deflation)


def adjugate(a: Any, det: Any) -> Any:
    """Return the adjugate of matrices whose determinants are known: exact at any rank, and so are all its derivatives.

    For constants U and W, however chosen, and B = a + U W,

        det a = det B det C,    adj a = det B (det C B⁻¹ + B⁻¹ U adj C W B⁻¹),    C = I − W B⁻¹ U = W B⁻¹ a Wᴴ,

    where the last holds for orthonormal rows of W, and does not cancel. B can be inverted where `a` cannot.
    """
    pair = deflation(a)
    if not pair.shape[-1]:
        return det[..., None, None] * np.linalg.inv(a)
    U, W = pair[..., 0, :, :], mT(pair[..., 1, :, :])
    B = a + U @ W
    inverse = np.linalg.inv(B)
    det_C, adj_C = _small_adjugate(W @ inverse @ a @ _H(W))
    return np.linalg.det(B)[..., None, None] * (det_C * inverse + inverse @ U @ adj_C @ W @ inverse)


def _small_adjugate(C: Any) -> tuple[Any, Any]:
    """Return determinant and adjugate by Faddeev and LeVerrier: polynomials, so that C may be 0."""
    identity = M = np.eye(C.shape[-1], dtype=C.dtype)
    for k in range(1, C.shape[-1] + 1):
        adj, CM = M, C @ M
        c = (np.trace(CM, axis1=-2, axis2=-1) / k)[..., None, None]
        M = c * identity - CM
    return c, adj


rule(np.linalg.det, lambda g, a, ans: g[..., None, None] * mT(adjugate(a, ans)), args="a", batched=True)


def _slogdet_pull(g: Any, ans: Any, a: Any) -> Any:
    """Pull through sign and logarithm; only a complex sign moves. A singular matrix has no derivative here: NaN."""
    weight = g[1] if a.dtype.kind != "c" else g[1] + np.imag(g[0] * ans[0]) * 1j
    singular = (ans[0] == 0)[..., None, None]
    if recorded() or np.any(singular):
        identity = np.eye(a.shape[-1], dtype=a.dtype)
        inverse = np.where(singular, a.dtype.type(np.nan), np.linalg.inv(np.where(singular, identity, a)))
    else:
        inverse = np.linalg.inv(a)
    return weight[..., None, None] * mT(inverse)


rule(np.linalg.slogdet, _slogdet_pull, args="a", outputs=2, batched=True)


# --- Cholesky ---------------------------------------------------------------------------------------------------------


def _cholesky_pull(g: Any, ans: Any, upper: bool = False) -> Any:
    """Pull back to a Hermitian gradient: NumPy reads one triangle, but the function is one of symmetric matrices.

    With L triangular, systems with Lᵀ are solved without pivoting, hence without loss.
    """
    L, g = (_H(ans), _H(g)) if upper else (ans, g)
    g = np.tril(g)  # what a root, say, makes infinite beside the triangle does not matter
    R = mT(L)
    identity = np.eye(L.shape[-1], dtype=L.dtype)
    P = (R @ g) * (np.tril(np.ones_like(identity)) - identity / 2)
    S = mT(np.linalg.solve(_H(L), mT(np.linalg.solve(R, P))))
    return (S + _H(S)) / 2


rule(np.linalg.cholesky, _cholesky_pull, args="a", batched=True, fixes=True)


# --- powers and products ----------------------------------------------------------------------------------------------


@composite(np.linalg.matrix_power)
def _matrix_power(a: Any, n: Any) -> Any:
    """Multiply in NumPy's order, so that the bits agree."""
    n = operator.index(n)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise LinAlgError(f"matrix_power needs square matrices in the last two axes, the shape is {a.shape}")
    if n == 0:
        return np.where(np.True_, np.eye(a.shape[-1], dtype=a.dtype), a)
    if n < 0:
        a, n = np.linalg.inv(a), -n
    if n == 3:
        return a @ a @ a
    result, square = None, a
    while True:
        n, bit = divmod(n, 2)
        if bit:
            result = square if result is None else result @ square
        if not n:
            return result
        square = square @ square


@composite(np.linalg.multi_dot)
def _multi_dot(arrays: Any, *, out: Any = None) -> Any:
    if len(arrays) < 2:
        raise ValueError(f"multi_dot needs two arrays or more, {len(arrays)} were given")
    first, *middle, last = arrays
    if not middle:
        return np.dot(first, last)
    row, column = np.ndim(first) == 1, np.ndim(last) == 1
    first = np.reshape(first, (1, -1)) if row else first
    last = np.reshape(last, (-1, 1)) if column else last
    chain = [first, *middle, last]
    if any(np.ndim(a) != 2 for a in chain):
        raise LinAlgError(f"multi_dot needs matrices between its ends, the axes are {[np.ndim(a) for a in arrays]}")
    splits = _cheapest_splits([np.shape(a)[0] for a in chain] + [np.shape(last)[1]])
    result = _multiply_chain(chain, splits, 0, len(chain) - 1)
    if row and column:
        return result[0, 0]
    return np.reshape(result, -1) if row or column else result


def _cheapest_splits(lengths: list[int]) -> dict[tuple[int, int], int]:
    """Return where to split each part of a chain of matrices so that fewest multiplications are made; ties as in NumPy.

    Examples
    --------
    >>> _cheapest_splits([10, 100, 5, 50])[0, 2]
    1
    """
    n = len(lengths) - 1
    cost: dict[tuple[int, int], int] = {(i, i): 0 for i in range(n)}
    split = {}
    for i, j in [(i, i + size) for size in range(1, n) for i in range(n - size)]:
        costs = [cost[i, k] + cost[k + 1, j] + lengths[i] * lengths[k + 1] * lengths[j + 1] for k in range(i, j)]
        cost[i, j] = min(costs)
        split[i, j] = i + costs.index(cost[i, j])
    return split


def _multiply_chain(chain: list[Any], split: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return chain[i]
    k = split[i, j]
    return np.dot(_multiply_chain(chain, split, i, k), _multiply_chain(chain, split, k + 1, j))


@composite(np.cross)
def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(array(a), axisa, -1), np.moveaxis(array(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(
            f"np.cross of Tensors takes vectors of 3 entries, not {a.shape[-1]} and {b.shape[-1]}; "
            f"for 2 entries, which NumPy deprecates, write a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]"
        )
    return np.moveaxis(np.roll(a, -1, -1) * np.roll(b, 1, -1) - np.roll(a, 1, -1) * np.roll(b, -1, -1), -1, axisc)


# --- the names of the array API, by the older functions ---------------------------------------------------------------

# fmt: off
composite(np.linalg.matmul)(lambda x1, x2, /: np.matmul(x1, x2))
composite(np.linalg.matrix_transpose)(lambda x, /: np.matrix_transpose(x))
composite(np.linalg.tensordot)(lambda x1, x2, /, *, axes=2: np.tensordot(x1, x2, axes=axes))
composite(np.linalg.vecdot)(lambda x1, x2, /, *, axis=-1: vecdot(x1, x2, axis=axis))
composite(np.linalg.cross)(lambda x1, x2, /, *, axis=-1: np.cross(x1, x2, axis=axis))
composite(np.linalg.diagonal)(lambda x, /, *, offset=0: np.diagonal(x, offset, axis1=-2, axis2=-1))
composite(np.linalg.trace)(lambda x, /, *, offset=0, dtype=None: np.trace(x, offset, axis1=-2, axis2=-1, dtype=dtype))
# fmt: on


@composite(np.linalg.outer)
def _outer(x1: Any, x2: Any, /) -> Any:
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError(
            f"np.linalg.outer takes vectors, not shapes {np.shape(x1)} and {np.shape(x2)}; np.outer flattens"
        )
    return np.outer(x1, x2)


constant(np.linalg.matrix_rank)
