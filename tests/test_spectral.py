"""Eigenvalues, singular values, QR, pseudo-inverses: against JAX and PyTorch, and where values repeat or ranks fall.

That every function has its derivatives at generic matrices is shown by the contract, test_rules.py.
"""

import numpy as np
import pytest
from numeric import along, close, gradient

import autograd_core as ag
from autograd_core.ops import spectral

LinAlgError = np.linalg.LinAlgError
rng = np.random.default_rng(3)
C = rng.normal(size=(4, 4))
MATRIX = rng.normal(size=(4, 4)) + np.diag([0.0, 2.0, 4.0, 6.0])
TURN = np.linalg.qr(rng.normal(size=(4, 4)))[0]
REPEATED = TURN @ np.diag([2.0, 2.0, 2.0, 5.0]) @ TURN.T
BASIS = rng.normal(size=(3, 3)) / 2 + np.eye(3)


def h(a):
    """Return the Hermitian part."""
    return (a + np.conj(a.T)) / 2


def right(f, x, tolerance=1e-7):
    """Check a gradient against differences."""
    found = ag.grad(f)(x)
    close((found,), gradient(lambda y: np.real(f(*y)), (x,)), tolerance)
    return found


def refused(f, x, *words):
    with pytest.raises(LinAlgError) as error:
        ag.grad(f)(x)
    assert all(word in str(error.value) for word in words), str(error.value)


# --- JAX and PyTorch --------------------------------------------------------------------------------------------------


class Torch:
    """PyTorch under NumPy's names."""

    def __init__(self, torch):
        self.torch = torch
        self.linalg = torch.linalg

    def __getattr__(self, name):
        return getattr(self.torch, name)


def svd(xp, a):
    return xp.linalg.svd(a, full_matrices=False)


def part(xp, a):
    return (a + xp.conj(a).T) / 2


def eigenvalues(xp, a, c):
    return xp.sum(c[0] * xp.sin(xp.linalg.eigvalsh(part(xp, a))))


def eigenvectors(xp, a, c):
    w, V = xp.linalg.eigh(part(xp, a))
    return xp.sum(c * xp.abs(V) ** 2) + xp.sum(w**3)


def function_of_a_matrix(xp, a, c):
    w, V = xp.linalg.eigh(part(xp, a))
    return xp.sum(c * xp.abs((V * xp.exp(w / 3)) @ xp.conj(V).T) ** 2)


def eigenvalues_of_any(xp, a, c):
    return xp.sum(c[0, 0] * xp.abs(xp.linalg.eigvals(a) - 0.3) ** 3)


def singular_values(xp, a, c):
    return xp.sum(c[0, :3] * xp.linalg.svdvals(a[:3]) ** 3)


def singular_vectors(xp, a, c):
    U, s, Vh = svd(xp, a[:, :3])
    return xp.sum(c[:, :3] * xp.abs(U) ** 2) + xp.sum(c[:3, :3] * xp.abs(Vh) ** 2) + xp.sum(s**2)


def shrunk(xp, a, c):
    U, s, Vh = svd(xp, a[:3])
    return xp.sum(c[:3] * xp.abs((U * xp.tanh(s)) @ Vh) ** 2)


def factors(xp, a, c):
    Q, R = xp.linalg.qr(a[:, :3])
    return xp.sum(xp.real(c[:, :3] * Q)) + xp.sum(c[:3, :3] * xp.abs(R) ** 2)


def wide_factors(xp, a, c):
    Q, R = xp.linalg.qr(a[:3])
    return xp.sum(xp.real(c[:3, :3] * Q)) + xp.sum(c[:3] * xp.abs(R) ** 2)


def pseudo_inverse(xp, a, c):
    return xp.sum(c[:3] * xp.abs(xp.linalg.pinv(a[:, :3])) ** 2)


def least_squares(xp, a, c):
    return xp.sum(c[:2, :2] * xp.abs(xp.linalg.lstsq(a[:, :2], a[:, 2:])[0]) ** 3)


PROGRAMS = [
    *(eigenvalues, eigenvectors, function_of_a_matrix, singular_values, singular_vectors, shrunk, eigenvalues_of_any),
    *(wide_factors, factors, least_squares, pseudo_inverse),
]


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_torch_agrees(f, kind):
    a = MATRIX if kind == "real" else MATRIX + 1j * C.T
    torch = pytest.importorskip("torch")
    t = torch.tensor(a, requires_grad=True)
    f(Torch(torch), t, torch.tensor(C)).backward()
    close((ag.grad(lambda a: f(np, a, C))(a),), (np.conj(t.grad.numpy()),), 1e-10)


@pytest.mark.parametrize("f", PROGRAMS[2::2], ids=lambda f: f.__name__)
def test_jax_agrees(f):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    a = MATRIX + 1j * C.T
    close((ag.grad(lambda a: f(np, a, C))(a),), (jax.grad(lambda a: f(jax.numpy, a, C))(a),), 1e-10)


def test_eigenvectors_of_any_matrix_as_in_torch():
    torch = pytest.importorskip("torch")
    f = lambda xp, a: xp.sum(xp.abs(xp.linalg.eig(a)[1]) ** 2 * (C if xp is np else torch.tensor(C)))
    for a in (MATRIX, MATRIX + 1j * C):
        t = torch.tensor(a, requires_grad=True)
        f(Torch(torch), t).backward()
        close((ag.grad(lambda a: f(np, a))(a),), (np.conj(t.grad.numpy()),), 1e-9)


# --- phases -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 3), (3, 2), (2, 3), (2, 9)])
def test_complex_singular_vectors_move_as_lapack_returns_them(shape):
    a = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    v = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    f = lambda a: tuple(np.linalg.svd(a, full_matrices=False))
    close(ag.jvp(f, (a,), (v,))[1], along(lambda x: f(*x), (a,), (v,)), 1e-6)


def test_a_phase_that_nothing_sets():
    a = np.diag([1.0, 2.0, 3.0]) + 0j
    refused(lambda a: np.sum(np.imag(np.linalg.eigh(h(a))[1])), a, "np.linalg.eigh", "phase", "of 2 is 0")
    refused(lambda a: np.sum(np.imag(np.linalg.svd(a)[0])), a, "np.linalg.svd", "phase")
    right(lambda a: np.real((lambda V: V[1, :] @ np.conj(V[2, :]) * 1j)(np.linalg.eigh(h(a))[1][:, 1:])), a)


# --- repeated eigenvalues ---------------------------------------------------------------------------------------------


def of_matrix(f):
    """Return V f(w) Vᵀ as a function of a symmetric matrix."""

    def body(a):
        w, V = np.linalg.eigh(h(a))
        return (V * f(w)) @ V.T

    return body


def lowest_space(a):
    V = np.linalg.eigh(h(a))[1][:, :3]
    return V @ V.T


def test_values_repeat():
    close((right(lambda a: np.sum(np.linalg.eigvalsh(h(a)) ** 2), REPEATED),), (2 * REPEATED,))
    right(lambda a: np.sum(np.linalg.eigh(h(a))[0] ** 3), REPEATED)
    right(lambda a: np.trace(of_matrix(np.exp)(a)), REPEATED)
    right(lambda a: np.sum(np.linalg.svdvals(a) ** 3), 2 * TURN[:, :3])
    right(lambda a: np.sum(np.linalg.svd(a)[1] ** 3), 2 * TURN)
    right(lambda a: np.sum(np.real(np.linalg.eigvals(a) ** 2)), np.diag([2.0, 2.0, 5.0]))


def test_one_of_repeated_eigenvalues_has_a_subgradient():
    v = np.linalg.eigh(np.eye(3))[1][:, -1]
    close((ag.grad(lambda a: np.linalg.eigvalsh(a)[-1])(np.eye(3)),), (np.outer(v, v),))


def test_projectors_and_single_vectors():
    right(lambda a: np.sum(C * lowest_space(a)), REPEATED)
    right(lambda a: np.sum(C[0] * np.linalg.eigh(h(a))[1][:, 3] ** 2), REPEATED)
    refused(
        lambda a: np.sum(C[0] * np.linalg.eigh(h(a))[1][:, 0] ** 2),
        REPEATED,
        "np.linalg.eigh: 2 is repeated",
        "projector",
    )


def test_many_ties_beside_a_batch():
    batch = np.stack([REPEATED, MATRIX, 0 * MATRIX])
    f = lambda a: np.sum(np.linalg.eigvalsh(a) ** 2)
    close((ag.grad(f)(batch),), (np.stack([ag.grad(f)(a) for a in batch]),), 1e-12)
    refused(lambda a: np.sum(np.linalg.eigh(a)[1]), batch, "np.linalg.eigh", "repeated")


def test_a_function_of_a_matrix_is_refused_where_it_cannot_be_told():
    f = of_matrix(np.exp)
    refused(lambda a: np.sum(C * f(a)), REPEATED, "np.linalg.eigh: 2 is repeated", "V f(w) Vᵀ", "expm")
    refused(
        lambda a: np.sum(C * (lambda U, s, Vh: (U * s) @ Vh)(*np.linalg.svd(a))),
        2 * TURN,
        "np.linalg.svd: 2 is repeated",
        "V f(w)",
    )
    right(lambda a: np.sum(f(a) ** 2) / 1e4, REPEATED)  # its cotangent commutes with the matrix


@pytest.mark.parametrize(("f", "weights"), [(np.log, C), (np.exp, np.eye(4, k=1))], ids=["log", "exp"])
def test_a_function_of_the_identity_is_refused(f, weights):
    refused(lambda a: np.sum(weights * of_matrix(f)(a)), np.eye(4), "V f(w) Vᵀ")


def test_second_derivatives_at_ties():
    close((ag.hessian(lambda a: np.sum(np.linalg.eigvalsh(h(a))))(REPEATED),), (np.zeros((4, 4, 4, 4)),))
    for f in (lambda a: np.sum(np.linalg.eigvalsh(h(a)) ** 2), lambda a: np.sum(C * lowest_space(a))):
        with pytest.raises(LinAlgError, match=r"2 is repeated.*second derivative"):
            ag.hessian(f)(REPEATED)


def test_forward_mode_at_ties():
    values = lambda a: (np.sum(np.linalg.eigvalsh(h(a)) ** 2), np.sum(np.linalg.svdvals(a)))
    close(ag.jvp(values, (REPEATED,), (C,))[1], along(lambda x: values(*x), (REPEATED,), (C,)))
    with pytest.raises(LinAlgError, match=r"eigh: 2 is repeated.*forward mode"):
        ag.jvp(lambda a: np.linalg.eigh(h(a))[1], (REPEATED,), (C,))
    close((ag.jvp(lowest_space, (REPEATED,), (REPEATED,))[1],), (np.zeros((4, 4)),))  # a direction without a choice


def test_repeated_eigenvalues_of_any_matrix():
    a = BASIS @ np.diag([2.0, 2.0, 5.0]) @ np.linalg.inv(BASIS)

    def projector(a):
        w, V = np.linalg.eig(a)
        i = int(np.argmax(np.real(w)))
        return np.real(V[:, i : i + 1] @ np.linalg.inv(V)[i : i + 1])

    right(lambda a: np.sum(C[:3, :3] * projector(a)), a)
    refused(lambda a: np.sum(np.abs(np.linalg.eig(a)[1]) ** 2 * BASIS), a, "np.linalg.eig: 2", "repeated")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("a", [[[1, 1], [0, 1]], [[100, 1], [0, 100]], [[2, 1, 0], [0, 2, 1], [0, 0, 2]]])
def test_defective_matrices_are_refused(a, dtype):
    for f in (np.linalg.eigvals, lambda a: np.linalg.eig(a)[0]):
        refused(lambda a, f=f: np.sum(np.real(f(a))), np.array(a, dtype), "defective", f"{a[0][0]} is repeated")


def test_eigenvalues_are_matched_whatever_their_order():
    w = np.array([[3.0, 1.0, 2.0], [1j, -1j, 0.0]])
    found = w[..., [2, 0, 1]] + 1e-13
    np.testing.assert_array_equal(spectral.matching(w, w), [[0, 1, 2], [0, 1, 2]])
    np.testing.assert_array_equal(spectral.matching(found, w), [[1, 2, 0], [1, 2, 0]])


# --- repeated singular values, ranks ----------------------------------------------------------------------------------


def test_polar_factor_of_a_multiple_of_an_orthogonal_matrix():
    def polar(a):
        U, _, Vh = np.linalg.svd(a, full_matrices=False)
        return U @ Vh

    right(lambda a: np.sum(C[:, :3] * polar(a)), 2 * TURN[:, :3])


def test_rank_one():
    a = np.outer(C[0], C[1, :3])

    def leading(a, r=1):
        U, s, Vh = np.linalg.svd(a, full_matrices=False)
        return (U[:, :r] * s[:r]) @ Vh[:r]

    right(lambda a: np.sum(MATRIX[:, :3] * leading(a)), a)
    refused(
        lambda a: np.sum(C[0] * np.linalg.svd(a, full_matrices=False)[0][:, 1] ** 2),
        a,
        "np.linalg.svd",
        "zero",
        "null space",
    )
    right(lambda a: np.sum(C[:, :3] * (lambda Vh: (a @ Vh.T) @ Vh)(np.linalg.svd(a)[2][:1])), a)


@pytest.mark.parametrize(
    ("rest", "shape"),
    [
        (lambda a: np.linalg.svd(a)[0][:, 2:], (4, 2)),
        (lambda a: np.linalg.svd(a)[2].T[:, 2:], (2, 4)),
        (lambda a: np.linalg.svd(a + 1j * a**2)[0][:, 2:], (4, 2)),
        (lambda a: np.linalg.qr(a, "complete")[0][:, 2:], (4, 2)),
    ],
)
def test_completions(rest, shape):
    a = np.random.default_rng(5).normal(size=shape)
    f = lambda a: (lambda Q: np.sum(C * np.real(Q @ np.conj(Q.T))))(rest(a))
    right(f, a, 1e-6)
    refused(lambda a: np.sum(C[:, :2] * np.real(rest(a))), a, "any orthonormal completion")


def test_qr_of_dependent_columns():
    a = np.stack([C[0], C[1], C[0] - 2 * C[1]], axis=1)
    refused(lambda a: np.sum(np.linalg.qr(a)[1]), a, "np.linalg.qr: column 2 depends linearly", "pinv")
    right(lambda a: np.sum(np.linalg.qr(a.T[:2], "r") ** 3), a)
    with pytest.raises(TypeError, match="mode='raw' is refused"):
        np.linalg.qr(ag.Tensor(a), "raw")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [2, 8, 27])
@pytest.mark.parametrize("size", [1.0, 1e6])
def test_qr_of_nearly_dependent_columns(n, dtype, size):
    # refused are entries of the diagonal up to 8 n^(1/3) rounding errors of the largest: NumPy's leave about half of that
    limit = 8 * n ** (1 / 3) * np.finfo(dtype).eps
    f = lambda a: np.sum(np.linalg.qr(a)[1])
    diagonal = size * np.ones(n, dtype)
    for factor in (0.9, 0.1, 0.0):
        diagonal[-1] = size * limit * factor
        refused(f, np.diag(diagonal), f"column {n - 1} depends linearly", "pinv")
    for factor in (1.1, 10.0):
        diagonal[-1] = size * limit * factor
        assert np.all(np.isfinite(ag.grad(f)(np.diag(diagonal))))


def test_pseudo_inverse_where_the_rank_stays():
    left, other = np.random.default_rng(1).normal(size=(2, 4, 2))
    low = lambda u: u @ (u[:3] * other[:3]).T  # 4 by 3, of rank 2
    right(lambda u: np.sum(C[:3] * np.linalg.pinv(low(u), rcond=1e-10)), left)
    right(lambda u: np.sum(C[0] * np.linalg.pinv(low(u) @ low(u).T, rcond=1e-10, hermitian=True)[0]), left)
    right(lambda u: np.sum(C[:3, 0] * np.linalg.lstsq(low(u), C[0] * u[:, 0], rcond=1e-10)[0]), left)
    right(lambda u: np.sum(np.linalg.lstsq(u, C[:, :3])[1] ** 2) + np.sum(np.linalg.lstsq(u, C[0])[3] ** 3), left)


def test_least_squares_returns_what_numpys_does():
    for a, b in ((MATRIX[:, :2], C[0]), (MATRIX[:2], C[:2]), (np.ones((3, 2)), np.ones(3))):
        for dtype in (np.float32, np.float64):
            a, b = a.astype(dtype), b.astype(dtype)
            for ours, theirs in zip(np.linalg.lstsq(ag.Tensor(a), ag.Tensor(b)), np.linalg.lstsq(a, b), strict=True):
                np.testing.assert_array_equal(getattr(ours, "data", ours), theirs, strict=True)


# --- norms and conditions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ord", [2, -2, "nuc"])
def test_norms_of_singular_values(ord):
    a = np.stack([MATRIX[:3], C[:3]])
    for axes in ((-2, -1), (0, 2), (2, 0)):
        f = lambda a, axes=axes, **kwargs: spectral.norm_of_values(a, ord, axes, **kwargs)
        for keepdims in (False, True):
            theirs = np.linalg.norm(a, ord, axes, keepdims)
            np.testing.assert_array_equal(f(ag.Tensor(a), keepdims=keepdims).data, theirs, strict=True)
        right(lambda a, f=f: np.sum(f(a, keepdims=True) ** 2), a)


def test_norms_at_zero_and_at_ties():
    norm = lambda ord: lambda a: np.sum(spectral.norm_of_values(a, ord, (0, 1), False))
    for ord in (2, -2, "nuc"):
        close((ag.grad(norm(ord))(np.zeros((2, 3))),), (np.zeros((2, 3)),))
    close((ag.grad(norm(2))(np.eye(3)),), (np.eye(3) / 3,))
    u, v = C[0] / np.linalg.norm(C[0]), C[1, :3] / np.linalg.norm(C[1, :3])
    close((ag.grad(norm("nuc"))(np.outer(u, v)),), (np.outer(u, v),))
    assert norm(2)(ag.Tensor(np.zeros((0, 3)))).item() == 0


def test_condition_of_singular_matrices_is_constant():
    a = np.array([[[1.0, 2.0], [2.0, 4.0]], [[1.0, 0.0], [0.5, 3.0]]])
    for p in (None, 1, "fro"):
        g = ag.grad(lambda a, p=p: np.linalg.cond(a, p)[1])(a)
        assert np.all(g[0] == 0)
        assert np.any(g[1] != 0)
    assert np.linalg.cond(ag.Tensor(a[0]), 1).item() == np.inf
    with pytest.raises(LinAlgError, match="empty"):
        np.linalg.cond(ag.Tensor(np.zeros((0, 2))))


def test_rank_is_a_constant():
    assert int(np.linalg.matrix_rank(ag.Tensor(np.outer(C[0], C[1])))) == 1


# --- precision, batches -----------------------------------------------------------------------------------------------


FUNCTIONS = {
    "eigh": lambda a: np.linalg.eigh(a),
    "eig": lambda a: np.linalg.eig(a),
    "svd": lambda a: np.linalg.svd(a[..., :3], full_matrices=False),
    "qr": lambda a: np.linalg.qr(a[..., :3, :]),
    "pinv": lambda a: (np.linalg.pinv(a[..., :3]),),
    "values": lambda a: (np.linalg.eigvalsh(a), np.linalg.eigvals(a), np.linalg.svdvals(a)),
    "cond": lambda a: (np.linalg.cond(a), np.linalg.cond(a, 1)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_stays_and_batches_are_rows(name):
    f = lambda a: sum(np.sum(np.abs(y) ** 3) for y in FUNCTIONS[name](a))
    batch = np.stack([MATRIX, MATRIX.T + C])
    found = ag.grad(f)(batch)
    close((found,), (np.stack([ag.grad(f)(a) for a in batch]),), 1e-12)
    single = ag.grad(f)(batch.astype(np.float32))
    assert single.dtype == np.float32
    assert all(
        y.dtype.itemsize == 4 * (1 + (y.dtype.kind == "c"))
        for y in FUNCTIONS[name](ag.Tensor(batch.astype(np.float32)))
    )
    close((single,), (found,), 1e-3)


def test_results_keep_numpys_names():
    a = ag.Tensor(MATRIX)
    assert np.linalg.eigh(a).eigenvectors.shape == (4, 4)
    assert np.linalg.svd(a).Vh.shape == np.linalg.svd(a, hermitian=True).Vh.shape == (4, 4)
    assert np.linalg.qr(a).R.shape == np.linalg.qr(a, mode="r").shape


def test_a_nan_on_the_way_back_surfaces():
    for f in (np.linalg.eigh, np.linalg.svd, np.linalg.qr):
        assert np.isnan(ag.grad(lambda a, f=f: np.sum(f(a)[1] * np.nan))(MATRIX)).all()
