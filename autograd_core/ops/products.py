"""Products: linear in each argument, so a tangent is pushed by the product itself."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ..rules import Door, composite, primitive, rule
from ..spaces import array, mT
from .shape import reshaped, transposed


def matmul(a: Any, b: Any) -> Any:
    """Return ``a @ b``; by `dot` for contiguous matrices, which gives the same bits in half of the overhead."""
    if type(a) is np.ndarray and type(b) is np.ndarray and a.ndim == 2 == b.ndim and a.flags.forc and b.flags.forc:
        return a.dot(b)
    return a @ b


def _pull_a(g: Any, a_space: Any, b: Any) -> Any:
    """Pull through ``a @ b`` for `a`; axes that `b` has beyond `a` are summed by the sweep."""
    na, nb = len(a_space.shape), b.ndim
    if na == 2 == nb:
        return matmul(g, b.T)
    if nb == 1:
        return g[..., None] * b
    if na == 1:
        return (g[..., None, :] @ mT(b))[..., 0, :]
    return g @ mT(b)


def _pull_b(g: Any, a: Any, b_space: Any) -> Any:
    na, nb = a.ndim, len(b_space.shape)
    if na == 2 == nb:
        return matmul(a.T, g)
    if na == 1 and nb == 1:
        return g[..., None] * a
    if na == 1:
        return a[:, None] * g[..., None, :]
    if nb == 1:
        return (mT(a) @ g[..., None])[..., 0]
    return mT(a) @ g


def _push(i: int, t: Any, n: Any, lead: int) -> Any:
    """Push a tangent through ``a @ b``; a batch of them with its axis in front of all others."""
    if not lead:
        return t @ n.b if i == 0 else n.a @ t
    other, ndim = (n.b, len(n.p.shape)) if i == 0 else (n.a, len(n.q.shape))
    vector, other_vector = ndim == 1, other.ndim == 1
    if vector:
        t = t[..., None, :] if i == 0 else t[..., None]
    if other_vector:
        other = other[:, None] if i == 0 else other[None, :]
    stack = max(ndim - 2, other.ndim - 2, 0) - max(ndim - 2, 0)
    t = np.reshape(t, (t.shape[0], *(1,) * stack, *t.shape[1:]))
    out = t @ other if i == 0 else other @ t
    if vector if i == 0 else other_vector:  # drop the row that stood for a vector on the left, then the column
        out = out[..., 0, :]
    return out[..., 0] if (other_vector if i == 0 else vector) else out


rule(np.matmul, _pull_a, _pull_b, linear=True, compute=matmul, batched=True, push=_push)


def _dot_pull_a(g: Any, a_space: Any, b: Any) -> Any:
    na, nb = len(a_space.shape), np.ndim(b)
    if na == 0 or nb == 0:
        return g * b
    if nb == 1:
        return np.expand_dims(g, -1) * b
    if na == nb == 2:
        return matmul(g, b.T)
    return np.tensordot(g, b, (tuple(range(na - 1, na + nb - 2)), (*range(nb - 2), nb - 1)))


def _dot_pull_b(g: Any, a: Any, b_space: Any) -> Any:
    na, nb = np.ndim(a), len(b_space.shape)
    if na == 0 or nb == 0:
        return g * a
    if na == nb == 2:
        return matmul(a.T, g)
    if nb == 1:
        return np.tensordot(a, g, (tuple(range(na - 1)), tuple(range(na - 1))))
    back = np.tensordot(a, g, (tuple(range(na - 1)), tuple(range(na - 1))))  # contracted axis, then the rest of b's
    return np.moveaxis(back, 0, -2)


rule(np.dot, _dot_pull_a, _dot_pull_b, linear=True, params="a b out")


@composite(np.inner)
def _inner(a: Any, b: Any, /) -> Any:
    a, b = array(a), array(b)
    if a.ndim == 0 or b.ndim < 2:  # a number times everything: nothing is summed, nothing turned
        return np.dot(a, b)
    return np.dot(a, np.swapaxes(b, -1, -2))


@composite(np.outer)
def _outer(a: Any, b: Any, out: Any = None) -> Any:
    return reshaped(array(a), (-1, 1)) * reshaped(array(b), (1, -1))


@composite(np.vdot)
def _vdot(a: Any, b: Any, /) -> Any:
    return np.dot(np.conjugate(reshaped(array(a), -1)), reshaped(array(b), -1))


@primitive
def vecdot(a: Any, b: Any) -> Any:
    """Return ``sum(conj(a) * b)`` over the last axis."""
    return np.vecdot(a, b)


rule(
    vecdot,
    lambda g, b: np.conjugate(g[..., None] * b),
    lambda g, a: g[..., None] * np.conjugate(a),
    linear=True,
    batched=True,
)


@composite(np.vecdot)
def _vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return vecdot(x1, x2) if axis == -1 else vecdot(np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1))


rule(
    np.matvec,
    lambda g, b: g[..., :, None] * b[..., None, :],
    lambda g, a: np.matvec(mT(a), g),
    linear=True,
    batched=True,
)
rule(
    np.vecmat,
    lambda g, b: np.conjugate(np.matvec(b, g)),
    lambda g, a: np.conjugate(a)[..., :, None] * g[..., None, :],
    linear=True,
    batched=True,
)


def _tensordot_axes(a: Any, b: Any, axes: Any) -> tuple[list[int], list[int]]:
    """Return the contracted axes of both operands as two lists of non-negative numbers."""
    if np.ndim(axes) == 0:
        n = int(axes)
        return list(range(a.ndim - n, a.ndim)), list(range(n))
    first, second = ([i] if np.ndim(i) == 0 else list(i) for i in axes)
    if any(not -x.ndim <= i < x.ndim for x, numbers in ((a, first), (b, second)) for i in numbers):
        raise IndexError(f"tensordot of shapes {a.shape} and {b.shape} has no axes {first} and {second}")
    return [i % a.ndim for i in first], [i % b.ndim for i in second]


def _as_matrix(a: Any, order: list[int], shape: tuple[int, int]) -> Any:
    """Return an array with its axes in some order, as rows and columns."""
    a = a if order == sorted(order) else transposed(a, order)
    return a if a.shape == shape else reshaped(a, shape)


@composite(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = array(a), array(b)
    left, right = _tensordot_axes(a, b, axes)
    if len(left) != len(right) or any(a.shape[i] != b.shape[j] for i, j in zip(left, right, strict=False)):
        raise ValueError(
            f"tensordot cannot contract axes {left} of shape {a.shape} with axes {right} of shape {b.shape}"
        )
    rest_a = [i for i in range(a.ndim) if i not in left]
    rest_b = [j for j in range(b.ndim) if j not in right]
    shape_a, shape_b = [a.shape[i] for i in rest_a], [b.shape[j] for j in rest_b]
    n = math.prod([a.shape[i] for i in left])
    rows = _as_matrix(a, rest_a + left, (math.prod(shape_a), n))
    columns = _as_matrix(b, right + rest_b, (n, math.prod(shape_b)))
    return reshaped(np.dot(rows, columns), (*shape_a, *shape_b))


# --- einsum -----------------------------------------------------------------------------------------------------------


def _einsum_pull(g: Any, i: int, values: Any, spaces: Any, subscripts: str = "", optimize: Any = False) -> Any:
    """Swap the roles of operand `i` and the result; letters that only operand `i` has are stretched back."""
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    own, shape = terms[i], spaces[i].shape
    letters = "".join(dict.fromkeys(own))
    others = terms[:i] + terms[i + 1 :]
    reachable = set(output).union(*others)
    wanted = "".join(c for c in letters if c in reachable)
    operands = [g, *values[:i], *values[i + 1 :]]
    back = contracted(",".join([output, *others]) + "->" + wanted, operands, optimize)
    sizes = dict(zip(own, shape, strict=True))
    back = np.reshape(back, [sizes[c] if c in reachable else 1 for c in letters])
    back = np.broadcast_to(back, [sizes[c] for c in letters])
    return back if letters == own else on_diagonal(back, term=own, shape=tuple(shape))


def contracted(subscripts: str, operands: list[Any], optimize: Any = False) -> Any:
    """Return ``np.einsum(subscripts, *operands)``, by BLAS where that is worth a few calls: seven times as fast.

    Forward `einsum` keeps NumPy's bits; those of a gradient are ours to choose.
    """
    sums = _as_product(subscripts) if len(operands) == 2 else None
    if sums is not None and all(x.dtype.kind in "fc" and x.dtype.itemsize > 2 for x in operands):
        (a, b), output = subscripts.split("->")[0].split(","), subscripts.split("->")[1]
        batch, left, inner, right = sums
        n = dict(zip(a + b, operands[0].shape + operands[1].shape, strict=True))
        rows, terms, columns = (math.prod([n[c] for c in letters]) for letters in (left, inner, right))
        stack = [n[c] for c in batch]
        if terms > 1 and math.prod(stack) * rows * terms * columns >= WORTH_BLAS:
            x = np.transpose(operands[0], [a.index(c) for c in batch + left + inner])
            y = np.transpose(operands[1], [b.index(c) for c in batch + inner + right])
            z = np.reshape(x, (*stack, rows, terms)) @ np.reshape(y, (*stack, terms, columns))
            z = np.reshape(z, [n[c] for c in batch + left + right])
            return np.transpose(z, [(batch + left + right).index(c) for c in output])
    return np.einsum(subscripts, *operands, optimize=optimize)


WORTH_BLAS = 1 << 13  # products of two numbers: at fewer the calls around one of matrices take longer than they save


@functools.lru_cache(maxsize=1024)
def _as_product(subscripts: str) -> tuple[str, str, str, str] | None:
    """Return the letters of a stack of matrix products: of the stack, of rows, those summed over, of columns.

    None if it is none: a letter comes twice in one operand, or is summed over in one alone, or nothing is.
    """
    inputs, output = subscripts.split("->")
    a, b = inputs.split(",")
    if len(set(a)) < len(a) or len(set(b)) < len(b):
        return None
    batch = "".join(c for c in a if c in b and c in output)
    inner = "".join(c for c in a if c in b and c not in output)
    left, right = ("".join(c for c in own if c not in other) for own, other in ((a, b), (b, a)))
    return (batch, left, inner, right) if inner and set(left + right) <= set(output) else None


@primitive
def on_diagonal(g: Any, term: str, shape: tuple[int, ...]) -> Any:
    """Return zeros with `g` where the positions of equal letters agree: the pullback of a repeated letter."""
    out = np.zeros(shape, g.dtype)
    np.einsum(term + "->" + "".join(dict.fromkeys(term)), out)[...] = g
    return out


rule(
    on_diagonal,
    lambda g, term="", shape=None: np.einsum(term + "->" + "".join(dict.fromkeys(term)), g),
    linear=True,
    fixes=True,
)


@primitive
def contract(operands: Any, subscripts: str, optimize: Any = False) -> Any:
    """Return `numpy.einsum` of a list of operands, with explicit subscripts."""
    return np.einsum(subscripts, *operands, optimize=optimize)


CONTRACT = rule(
    contract,
    _einsum_pull,
    compute=lambda *values, subscripts, optimize=False: np.einsum(subscripts, *values, optimize=optimize),
    name="einsum",
    variadic=True,
    metadata="subscripts optimize",
)


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # in the order in which NumPy numbers and sorts them


@functools.lru_cache(maxsize=1024)
def explicit(subscripts: str, ndims: tuple[int, ...]) -> str:
    """Write out what `einsum` leaves implicit: the result's letters, and letters for every ellipsis.

    Examples
    --------
    >>> explicit("ij,jk", (2, 2)), explicit("...i,i", (3, 1))
    ('ij,jk->ik', 'ABi,i->AB')
    """
    subscripts = subscripts.replace(" ", "")
    inputs, arrow, output = subscripts.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"einsum {subscripts!r} names {len(terms)} operands, {len(ndims)} were given")
    free = [c for c in LETTERS if c not in subscripts]
    widest = max((n - len(t.replace("...", "")) for t, n in zip(terms, ndims, strict=True) if "..." in t), default=0)
    dots = "".join(free[:widest])
    terms = [
        t.replace("...", dots[len(dots) - (n - len(t.replace("...", ""))) :] if "..." in t and n > len(t) - 3 else "")
        for t, n in zip(terms, ndims, strict=True)
    ]
    if not arrow:
        joined = "".join(terms)
        output = dots + "".join(sorted(c for c in set(joined) if joined.count(c) == 1 and c not in dots))
    elif dots and "..." not in output:
        raise ValueError(f"einsum {subscripts!r} names no ... in its result for the axes that ... stands for: {ndims}")
    return ",".join(terms) + "->" + output.replace("...", dots)


@composite(np.einsum)
def _einsum(*operands: Any, out: Any = None, optimize: Any = False, order: str = "K", casting: str = "safe") -> Any:
    if not isinstance(operands[0], str):
        operands = _from_sublists(operands)
    arrays = [array(a) for a in operands[1:]]
    subscripts = explicit(operands[0], tuple([a.ndim for a in arrays]))
    if any(1 in a.shape for a in arrays):
        arrays = _unbroadcast(subscripts, arrays)
    return Door.record(CONTRACT, tuple(arrays), {"subscripts": subscripts, "optimize": optimize})


def _unbroadcast(subscripts: str, arrays: list[Any]) -> list[Any]:
    """Stretch axes of length 1 that einsum would stretch, so that its pullback sees equal lengths for equal letters."""
    terms = subscripts.split("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, a in zip(terms, arrays, strict=True):
        for c, n in zip(term, a.shape, strict=True):
            sizes[c] = n if sizes.get(c, 1) == 1 else sizes[c]
    shapes = [tuple(sizes[c] for c in term) for term in terms]
    return [a if a.shape == s else np.broadcast_to(a, s) for a, s in zip(arrays, shapes, strict=True)]


def _from_sublists(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """Turn ``einsum(a, [0, 1], b, [1, 2], [0, 2])`` into its form with letters."""

    def letters(axes: Any) -> str:
        return "".join("..." if i is Ellipsis else LETTERS[i] for i in axes)

    arrays, terms = operands[0 : len(operands) // 2 * 2 : 2], operands[1::2]
    subscripts = ",".join(letters(t) for t in terms)
    if len(operands) % 2:
        subscripts += "->" + letters(operands[-1])
    return (subscripts, *arrays)


@composite(np.kron)
def _kron(a: Any, b: Any) -> Any:
    a, b = array(a), array(b)
    ndim = max(a.ndim, b.ndim)
    if not ndim:  # numbers, whose complex product has bits of its own
        return a * b
    a = reshaped(a, (1,) * (ndim - a.ndim) + a.shape)
    b = reshaped(b, (1,) * (ndim - b.ndim) + b.shape)
    left = reshaped(a, tuple(n for s in a.shape for n in (s, 1)))
    right = reshaped(b, tuple(n for s in b.shape for n in (1, s)))
    return reshaped(left * right, tuple(m * n for m, n in zip(a.shape, b.shape, strict=True)))
