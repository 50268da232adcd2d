"""Products of arrays of all pairs of ranks: where NumPy has an answer it is ours, and where it refuses so do we.

Their derivatives are tested with those of everything else, at the same shapes (samples.of_all_ranks).
"""

import itertools
import warnings

import numpy as np
import pytest
from numeric import close, gradient

import autograd_core as ag

SHAPES = [
    (),
    (1,),
    (2,),
    (3,),
    (0,),
    (2, 3),
    (3, 2),
    (3, 3),
    (1, 3),
    (0, 3),
    (2, 2, 3),
    (2, 3, 2),
    (3, 3, 3),
    (1, 2, 3),
]
PRODUCTS = {
    "inner": np.inner,
    "outer": np.outer,
    "dot": np.dot,
    "vdot": np.vdot,
    "matmul": np.matmul,
    "vecdot": np.vecdot,
    "vecdot along 0": lambda a, b: np.vecdot(a, b, axis=0),
    "matvec": np.matvec,
    "vecmat": np.vecmat,
    "kron": np.kron,
    "tensordot 0": lambda a, b: np.tensordot(a, b, 0),
    "tensordot 1": lambda a, b: np.tensordot(a, b, 1),
    "tensordot 2": np.tensordot,
    "tensordot of last axes": lambda a, b: np.tensordot(a, b, ([-1], [-1])),
    "tensordot of two numbers": lambda a, b: np.tensordot(a, b, (0, -1)),
    "einsum": lambda a, b: np.einsum("...,...", a, b),
    "einsum of vectors": lambda a, b: np.einsum("...i,...i->...", a, b),
    "einsum without the axes of ...": lambda a, b: np.einsum("...,...->", a, b),
    "einsum of the first without them": lambda a, b: np.einsum("...i,i->i", a, b),
    "linalg.cross": np.linalg.cross,
    "linalg.outer": np.linalg.outer,
    "linalg.tensordot": np.linalg.tensordot,
    "linalg.vecdot": np.linalg.vecdot,
    "linalg.matmul": np.linalg.matmul,
    "linalg.multi_dot": lambda a, b: np.linalg.multi_dot([a, b]),
    "linalg.multi_dot of three": lambda a, b: np.linalg.multi_dot(
        [a, b, np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]])]
    ),
    "convolve": np.convolve,
    "convolve to the same length": lambda a, b: np.convolve(a, b, "same"),
    "correlate": np.correlate,
    "correlate in full": lambda a, b: np.correlate(a, b, "full"),
    "multiply.outer": np.multiply.outer,
    "hypot.outer": np.hypot.outer,
    "polymul": np.polymul,
    "polyval": np.polyval,
    "cov": np.cov,
}


def answer(f, *args):
    """Return what a call gives, or None if it is refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f(*args)
    except (ValueError, IndexError, TypeError, np.linalg.LinAlgError):
        return None


@pytest.mark.parametrize("kind", "fc")
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_numpys_at_all_ranks(name, kind):
    f, rng = PRODUCTS[name], np.random.default_rng(0)
    for shapes in itertools.product(SHAPES, SHAPES):
        a, b = (rng.normal(size=s) + (1j * rng.normal(size=s) if kind == "c" else 0) for s in shapes)
        a, b = np.asarray(a)[()], np.asarray(b)[()]
        theirs = answer(f, a, b)
        for args in ((ag.Tensor(a), b), (a, ag.Tensor(b)), (ag.Tensor(a), ag.Tensor(b))):
            ours = answer(f, *args)
            if theirs is None:
                assert ours is None, f"NumPy refuses shapes {shapes}"
                continue
            assert ours is not None, f"NumPy takes shapes {shapes}"
            np.testing.assert_array_equal(np.asarray(ag.stop_gradient(ours)), np.asarray(theirs), strict=True)


@pytest.mark.parametrize("shapes", [((), (2, 3)), ((2, 3), ()), ((), (2, 2, 3)), ((2, 2, 3), ()), ((2, 3), (2, 2, 3))])
def test_inner_at_ranks_that_differ(shapes):
    rng = np.random.default_rng(1)
    a, b = (np.asarray(rng.normal(size=s))[()] for s in shapes)
    w = rng.normal(size=np.inner(a, b).shape)
    f = lambda x: np.sum(np.sin(np.inner(*x)) * w)
    close(ag.grad(f)((a, b)), gradient(f, (a, b)))


# --- einsum by BLAS ---------------------------------------------------------------------------------------------------

TWO = [
    "ij,jk->ik", "ij,kj->ki", "ijk,mik->mij", "ij,ij->i", "bij,bjk->bik", "ijk,jk->i", "i,i->", "ij,j->i", "ijkl,klm->mji",
    "ib,jb->bij", "ii,ij->j", "ij,k->ik", "ij,jk->k", "abc,cd->dab",
]  # fmt: skip


@pytest.mark.parametrize("subscripts", TWO)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_products_of_two_by_blas(subscripts, dtype, monkeypatch):
    from autograd_core.ops import products

    rng = np.random.default_rng(0)
    sizes = dict(zip("abijklmcd", (3, 2, 4, 4, 3, 5, 2, 3, 2), strict=True))
    terms = subscripts.split("->")[0].split(",")
    arrays = [rng.normal(size=[sizes[c] for c in t]) for t in terms]
    if dtype is np.complex128:
        arrays = [a + 1j * rng.normal(size=a.shape) for a in arrays]
    arrays = [a.astype(dtype) for a in arrays]

    def f(*arrays):
        return np.sum(np.abs(np.einsum(subscripts, *arrays)) ** 2 + np.real(np.einsum(subscripts, *arrays)))

    monkeypatch.setattr(products, "WORTH_BLAS", 10**12)
    want = ag.grad(f, (0, 1))(*arrays)
    second = ag.hvp(lambda a: f(a, arrays[1]))(arrays[0], arrays[0])
    monkeypatch.setattr(products, "WORTH_BLAS", 0)
    tight = {"rtol": 1e-4 if dtype is np.float32 else 1e-12, "atol": 1e-4 if dtype is np.float32 else 1e-12}
    for found in (ag.grad(f, (0, 1))(*arrays), ag.compile(ag.grad(f, (0, 1)))(*arrays)):
        for g, w in zip(found, want, strict=True):
            np.testing.assert_allclose(g, w, **tight)
            assert g.dtype == w.dtype
    np.testing.assert_allclose(ag.hvp(lambda a: f(a, arrays[1]))(arrays[0], arrays[0]), second, **tight)


def test_large_products_are_right():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(6, 20, 30)), rng.normal(size=(25, 6, 30))
    f = ag.grad(lambda a, b: np.sum(np.einsum("ijk,mik->mij", a, b) ** 2), (0, 1))
    y = np.einsum("ijk,mik->mij", a, b)
    for g, subscripts, other in zip(f(a, b), ("mij,mik->ijk", "mij,ijk->mik"), (b, a), strict=True):
        np.testing.assert_allclose(g, 2 * np.einsum(subscripts, y, other), rtol=1e-10)


def test_half_precision_and_empty_arrays_stay_with_einsum(monkeypatch):
    from autograd_core.ops import products

    monkeypatch.setattr(products, "WORTH_BLAS", 0)
    f = ag.grad(lambda a, b: np.sum(np.einsum("ij,jk->ik", a, b)), (0, 1))
    for g in f(np.ones((2, 3), np.float16), np.ones((3, 2), np.float16)):
        assert g.dtype == np.float16
    assert f(np.ones((2, 0)), np.ones((0, 3)))[0].shape == (2, 0)
