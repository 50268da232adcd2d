"""Linear algebra and norms: NumPy's values bit for bit, gradients against central differences, PyTorch and JAX."""

import itertools

import numpy as np
import pytest

import autograd_core as ag
from autograd_core.ops.linalg import adjugate

LA = np.linalg
KINDS = ["f", "c"]
ORDERS = [None, 2, 1, np.inf, -np.inf, 3, 2.5, 1.5, 0.5, -1, -2]
MATRIX_ORDERS = [None, "fro", 1, -1, np.inf, -np.inf]


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def draw(rng, shape, kind="f"):
    x = rng.normal(size=shape)
    return x + 1j * rng.normal(size=shape) if kind == "c" else x


def adjoint(x):
    return np.swapaxes(np.conjugate(x), -1, -2)


def hermitian(x):
    """Symmetrise: a function of positive definite matrices, as one of all matrices."""
    return x @ adjoint(x) + np.eye(x.shape[-1], dtype=x.dtype)


def flat(y):
    return y if isinstance(y, tuple) else (y,)


def arrays(y):
    return [t.data if isinstance(t, ag.Tensor) else t for t in flat(y)]


def scalar(f, rng, *args):
    """Return the function followed by a random real functional of all its results."""
    weights = [draw(rng, np.shape(y), np.asarray(y).dtype.kind) for y in flat(f(*args))]
    return lambda *args: sum(np.sum(np.real(y * w)) for y, w in zip(flat(f(*args)), weights, strict=True))


def numeric(f, x, h=1e-6):
    """Return df/dx - i df/dy of a real function by central differences."""
    x = np.array(x)
    g = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        for unit in (1, 1j) if x.dtype.kind == "c" else (1,):
            up, down = x.copy(), x.copy()
            up[i] += h * unit
            down[i] -= h * unit
            g[i] += np.conj(unit) * (f(up) - f(down)) / (2 * h)
    return g


def same(y, expected):
    y, expected = np.asarray(y), np.asarray(expected)
    assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
    assert np.array_equal(y, expected, equal_nan=True)


def close(y, expected, rtol=1e-9):
    assert np.shape(y) == np.shape(expected)
    atol = rtol * max(1.0, float(np.max(np.abs(expected), initial=0)))
    assert np.allclose(y, expected, rtol=0, atol=atol), f"{y}\ninstead of\n{expected}"


def check(f, rng, *args):
    """Judge values, reverse, forward and second order of a function of arrays."""
    for y, expected in zip(arrays(f(*map(ag.Tensor, args))), flat(f(*args)), strict=True):
        same(y, expected)
    s = scalar(f, rng, *args)
    for k, x in enumerate(args):

        def by(x, k=k):
            return s(*args[:k], x, *args[k + 1 :])

        g = ag.grad(by)(x)
        assert g.dtype == x.dtype
        close(g, numeric(by, x), 1e-6)
        v = draw(rng, x.shape, x.dtype.kind)
        close(ag.jvp(by, (x,), (v,))[1], np.sum(np.real(g * v)))

        def slope(x, by=by, v=v):
            return np.sum(np.real(ag.grad(by)(x) * v))

        close(ag.grad(slope)(x), numeric(slope, x), 1e-6)


# --- inverse, solve, Cholesky, determinants ---------------------------------------------------------------------------

FUNCTIONS = {
    "inv": LA.inv,
    "det": LA.det,
    "slogdet": LA.slogdet,
    "cholesky": lambda a: LA.cholesky(hermitian(a)),
    "cholesky upper": lambda a: LA.cholesky(hermitian(a), upper=True),
    "power 0": lambda a: LA.matrix_power(a, 0) + a,
    "power 3": lambda a: LA.matrix_power(a, 3),
    "power 7": lambda a: LA.matrix_power(a, 7),
    "power -2": lambda a: LA.matrix_power(a, -2),
    "tensorinv": lambda a: LA.tensorinv(a[..., None], ind=1) if a.ndim == 2 else LA.inv(a),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 2, 2)], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_square_matrices(name, shape, kind, rng):
    a = draw(rng, shape, kind) + 1.5 * np.eye(shape[-1])
    check(FUNCTIONS[name], rng, a)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n != "tensorinv"])
@pytest.mark.parametrize("shape", [(0, 0), (0, 2, 2), (2, 0, 0)], ids=str)
def test_empty_matrices(name, shape):
    f, a = FUNCTIONS[name], np.zeros(shape)
    for y, expected in zip(arrays(f(ag.Tensor(a))), flat(f(a)), strict=True):
        same(y, expected)
    same(ag.grad(lambda a: np.sum(flat(f(a))[-1]))(a), a)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 3), (3,)),
        ((3, 3), (3, 2)),
        ((2, 3, 3), (3,)),
        ((2, 3, 3), (2, 3, 1)),
        ((2, 1, 2, 2), (3, 2, 2)),
        ((2, 2), (3, 2, 2)),
    ],
    ids=str,
)
def test_solve(a, b, kind, rng):
    check(LA.solve, rng, draw(rng, a, kind) + 2 * np.eye(a[-1]), draw(rng, b, kind))


def test_solve_mixes_real_and_complex(rng):
    check(LA.solve, rng, draw(rng, (2, 2)) + 2 * np.eye(2), draw(rng, (2,), "c"))


def test_solve_with_one_side_constant(rng):
    a, b = draw(rng, (3, 3)), draw(rng, (3,))
    close(ag.grad(lambda b: np.sum(LA.solve(a, b)))(b), LA.inv(a).sum(0))
    close(ag.grad(lambda a: np.sum(LA.solve(a, b)))(a), -np.outer(LA.inv(a).sum(0), LA.solve(a, b)))


def test_tensorsolve(rng):
    check(LA.tensorsolve, rng, draw(rng, (4, 2, 2)), draw(rng, (4,)))
    check(lambda a, b: LA.tensorsolve(a, b, axes=(0,)), rng, draw(rng, (2, 4, 2)), draw(rng, (4,)))
    with pytest.raises(LA.LinAlgError, match="tensorsolve cannot"):
        LA.tensorsolve(ag.Tensor(np.ones((2, 3, 2))), np.ones(2))
    with pytest.raises(ValueError, match="ind > 0"):
        LA.tensorinv(ag.Tensor(np.ones((2, 2))), ind=0)


def test_cholesky_gradient_is_symmetrised(rng):
    # NumPy reads one triangle only; the gradient is that of the function of symmetric matrices, as in PyTorch and JAX.
    for kind in KINDS:
        a = hermitian(draw(rng, (3, 3), kind))
        for upper in (False, True):
            g = ag.grad(scalar(lambda a, upper=upper: LA.cholesky(a, upper=upper), rng, a))(a)
            same(g, np.conj(g.T))


def test_slogdet_backward_by_either_result(rng):
    t = ag.Tensor(draw(rng, (3, 3)))
    sign, logabsdet = LA.slogdet(t)
    assert type(LA.slogdet(t)) is type(LA.slogdet(t.data))
    logabsdet.backward(retain_graph=True)
    close(t.grad, LA.inv(t.data).T)
    t.grad = None
    sign.backward()
    same(t.grad, np.zeros((3, 3)))


def test_slogdet_of_a_singular_matrix_has_no_derivative_and_spares_the_others(rng):
    a = np.stack([draw(rng, (2, 2)), np.ones((2, 2))])
    y, g = ag.value_and_grad(lambda a: np.sum(LA.slogdet(a)[1]))(a)
    assert y == -np.inf
    close(g[0], LA.inv(a[0]).T)
    assert np.isnan(g[1]).all()


def test_singular_matrices_raise_as_in_numpy():
    for f in (LA.inv, lambda a: LA.solve(a, np.ones(2)), lambda a: LA.matrix_power(a, -1)):
        with pytest.raises(LA.LinAlgError, match="Singular"):
            f(ag.Tensor(np.ones((2, 2))))
    with pytest.raises(LA.LinAlgError, match="positive definite"):
        LA.cholesky(ag.Tensor(-np.eye(2)))


# --- determinants at any rank -----------------------------------------------------------------------------------------


def leibniz(a):
    """Return the determinant as a polynomial, whose derivatives are right at any rank."""
    n = a.shape[-1]
    return sum(
        LA.det(np.eye(n)[list(p)]) * np.prod(a[..., np.arange(n), np.array(p)], axis=-1)
        for p in itertools.permutations(range(n))
    )


def of_rank(rng, n, rank, kind="f"):
    return draw(rng, (n, rank), kind) @ draw(rng, (rank, n), kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "rank"), [(n, rank) for n in (1, 2, 3) for rank in range(n)])
def test_det_of_singular_matrices(n, rank, kind, rng):
    a, v, w = of_rank(rng, n, rank, kind), draw(rng, (n, n), kind), draw(rng, (n, n), kind)
    derivatives = []
    for det in (LA.det, leibniz):
        first = ag.grad(lambda a, det=det: np.real(det(a)))
        second = ag.grad(lambda a, first=first: np.real(np.sum(first(a) * v)))
        third = ag.grad(lambda a, second=second: np.real(np.sum(second(a) * w)))
        derivatives.append([first(a), second(a), third(a) if n == 3 else 0.0])
    for got, expected in zip(*derivatives, strict=True):
        close(got, expected, 1e-12)
    if rank < n - 1:
        close(derivatives[0][0], np.zeros((n, n)), 1e-12)


def test_det_of_zeros_has_gradient_zero():
    same(ag.grad(LA.det)(np.zeros((3, 3))), np.zeros((3, 3)))
    same(ag.grad(LA.det)(np.diag([1.0, 2.0, 0.0])), np.diag([0.0, 0.0, 2.0]))


def test_det_of_a_batch_of_all_ranks(rng):
    a = np.stack([of_rank(rng, 3, rank) for rank in range(4)])
    w = rng.normal(size=4)
    gradients = [ag.vjp(det, a)[1](w) for det in (LA.det, leibniz)]
    close(*gradients, 1e-12)
    close(ag.jacobian(LA.det)(a), ag.jacobian(leibniz)(a), 1e-12)


@pytest.mark.parametrize("tiny", [1e-3, 1e-7, 1e-8, 1e-9, 1e-15, 1e-40])
def test_det_near_singular_matrices(tiny, rng):
    Q, P = (LA.qr(rng.normal(size=(3, 3)))[0] for _ in "QP")
    for a in (Q @ np.diag([1, 0.5, tiny]) @ P, np.diag([1e5, tiny, tiny])):
        expected = ag.grad(leibniz)(a)
        assert np.allclose(ag.grad(LA.det)(a), expected, rtol=0, atol=1e-13 * np.max(np.abs(expected)))
        expected = ag.hessian(leibniz)(a)
        assert np.allclose(ag.hessian(LA.det)(a), expected, rtol=0, atol=1e-8 * np.max(np.abs(expected)))


def test_adjugate_works_on_plain_arrays(rng):
    a = draw(rng, (4, 4))
    close(a @ adjugate(a, LA.det(a)), LA.det(a) * np.eye(4))
    a = of_rank(rng, 4, 3)
    close(a @ adjugate(a, LA.det(a)), np.zeros((4, 4)), 1e-12)


def test_det_of_nan_has_gradient_nan():
    with np.errstate(invalid="ignore"):
        assert np.isnan(ag.grad(LA.det)(np.full((2, 2), np.nan))).all()


# --- powers and products ----------------------------------------------------------------------------------------------


def test_matrix_power_zero_passes_nothing():
    a = ag.Tensor(np.full((2, 2), np.inf))
    y = LA.matrix_power(a, 0)
    same(y.data, np.eye(2))
    y.backward(np.ones((2, 2)))
    same(a.grad, np.zeros((2, 2)))


@pytest.mark.parametrize("n", range(-5, 10))
def test_matrix_power_has_numpys_bits(n, rng):
    for shape in ((9, 9), (2, 5, 5)):
        a = draw(rng, shape)
        same(LA.matrix_power(ag.Tensor(a), n).data, LA.matrix_power(a, n))


def test_matrix_power_refuses():
    with pytest.raises(LA.LinAlgError, match="square"):
        LA.matrix_power(ag.Tensor(np.ones((2, 3))), 2)
    with pytest.raises(TypeError, match="integer"):
        LA.matrix_power(ag.Tensor(np.ones((2, 2))), 0.5)


CHAINS = [
    [(2, 3), (3, 2)],
    [(3,), (3, 2)],
    [(2, 3), (3, 4), (4, 2)],
    [(3,), (3, 2), (2,)],
    [(3,), (3, 2), (2, 2)],
    [(2, 3), (3, 1), (1, 3), (3, 2)],
    [(2, 2), (2, 3), (3, 1), (1, 2), (2,)],
]


@pytest.mark.parametrize("shapes", CHAINS, ids=str)
def test_multi_dot(shapes, rng):
    check(lambda *chain: LA.multi_dot(chain), rng, *(draw(rng, s) for s in shapes))


def test_multi_dot_has_numpys_bits(rng):
    for lengths in ([20, 5, 30, 10, 40], [7, 7, 7, 7, 7], [30, 1, 40, 10, 25, 8], [10, 100, 5, 50]):
        chain = [draw(rng, s) for s in itertools.pairwise(lengths)]
        same(LA.multi_dot([ag.Tensor(chain[0]), *chain[1:]]).data, LA.multi_dot(chain))


def test_multi_dot_refuses(rng):
    a = ag.Tensor(draw(rng, (2, 2)))
    with pytest.raises(ValueError, match="two arrays"):
        LA.multi_dot([a])
    with pytest.raises(LA.LinAlgError, match="matrices between"):
        LA.multi_dot([a, np.ones(2), a])
    with pytest.raises(TypeError, match="out="):
        LA.multi_dot([a, a], out=np.ones((2, 2)))


PRODUCTS = {
    "matmul": (LA.matmul, (2, 2, 3), (3, 2)),
    "tensordot": (lambda a, b: LA.tensordot(a, b, axes=([1, 2], [1, 0])), (2, 3, 2), (2, 3)),
    "tensordot 1": (lambda a, b: LA.tensordot(a, b, axes=1), (2, 3), (3, 2)),
    "vecdot": (LA.vecdot, (2, 3), (3,)),
    "vecdot 0": (lambda a, b: LA.vecdot(a, b, axis=0), (3, 2), (3, 2)),
    "outer": (LA.outer, (3,), (2,)),
    "cross": (LA.cross, (2, 3), (3,)),
    "cross 0": (lambda a, b: LA.cross(a, b, axis=0), (3, 2), (3, 2)),
    "np.cross": (np.cross, (3,), (2, 3)),
    "np.cross axes": (lambda a, b: np.cross(a, b, axisa=0, axisb=1, axisc=0), (3, 2), (2, 3)),
    "np.cross axis": (lambda a, b: np.cross(a, b, axis=1), (2, 3, 1), (2, 3, 2)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name, kind, rng):
    f, a, b = PRODUCTS[name]
    check(f, rng, draw(rng, a, kind), draw(rng, b, kind))


MOVES = {
    "matrix_transpose": LA.matrix_transpose,
    "diagonal": LA.diagonal,
    "diagonal 1": lambda a: LA.diagonal(a, offset=1),
    "trace": LA.trace,
    "trace -1": lambda a: LA.trace(a, offset=-1),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves(name, rng):
    for shape in ((3, 3), (2, 3, 4)):
        check(MOVES[name], rng, draw(rng, shape))


def test_products_refuse():
    t = ag.Tensor(np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"write a\[\.\.\., 0\]"):
        np.cross(t, t)
    with pytest.raises(ValueError, match="takes vectors"):
        LA.outer(t, t)


def test_matrix_rank_is_a_plain_number():
    assert LA.matrix_rank(ag.Tensor(np.ones((2, 2)))) == 1


# --- norms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ord", ORDERS, ids=str)
def test_norms_of_vectors(ord, kind, rng):
    check(lambda x: LA.norm(x, ord), rng, draw(rng, (4,), kind))
    x = draw(rng, (2, 3), kind)
    check(lambda x: LA.norm(x, ord, axis=0), rng, x)
    check(lambda x: LA.norm(x, ord, axis=-1, keepdims=True), rng, x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ord", MATRIX_ORDERS, ids=str)
def test_norms_of_matrices(ord, kind, rng):
    check(lambda x: LA.norm(x, ord), rng, draw(rng, (2, 3), kind))
    x = draw(rng, (2, 2, 3), kind)
    check(lambda x: LA.norm(x, ord, axis=(-1, 0)), rng, x)
    check(lambda x: LA.matrix_norm(x, ord=ord or "fro", keepdims=True), rng, x)


@pytest.mark.parametrize("ord", [2, 1, np.inf, 3], ids=str)
def test_vector_norm(ord, rng):
    x = draw(rng, (2, 2, 3))
    for axis in (None, 0, -1, (0, 2), (-1, 0, 1)):
        check(lambda x, axis=axis: LA.vector_norm(x, axis=axis, ord=ord), rng, x)
    same(
        LA.vector_norm(ag.Tensor(x), axis=(0, -1), keepdims=True, ord=ord).data,
        LA.vector_norm(x, axis=(0, -1), keepdims=True, ord=ord),
    )
    same(LA.vector_norm(ag.Tensor(x), keepdims=True, ord=ord).data, LA.vector_norm(x, keepdims=True, ord=ord))
    same(LA.vector_norm(ag.Tensor(-2.0), ord=ord).data, LA.vector_norm(-2.0, ord=ord))


def outcome(f):
    """Return the value, or the kind of error."""
    try:
        with np.errstate(all="ignore"):
            (y,) = arrays(f())
            return y
    except (ValueError, TypeError, IndexError) as error:
        return type(error)


@pytest.mark.parametrize("shape", [(), (4,), (0,), (3, 4), (0, 3), (3, 0), (2, 3, 4), (2, 2, 3, 2)], ids=str)
def test_norms_have_numpys_bits_and_errors(shape, rng):
    x, n = draw(rng, shape), len(shape)
    t = ag.Tensor(x)
    axes = [None, *range(-n, n), n, *itertools.permutations(range(-n, 0), 2), *[(i, i - n) for i in range(n)]]
    for axis, ord, keepdims in itertools.product(axes, [*ORDERS, 0, "fro", "nuc", "no"], [False, True]):
        expected = outcome(lambda: LA.norm(x, ord, axis, keepdims))  # noqa: B023
        got = outcome(lambda: LA.norm(t, ord, axis, keepdims))  # noqa: B023
        if isinstance(expected, type):
            assert issubclass(got, (expected, TypeError)), (axis, ord)
        elif ord not in (2, -2, "nuc") or got is not TypeError:
            same(got, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_norm_at_zero_has_derivatives_zero(dtype):
    for shape, orders in ((3,), ORDERS), ((2, 2), MATRIX_ORDERS):
        x = np.zeros(shape, dtype)
        for ord in orders:
            if ord in (-1, -2) and len(shape) == 1:
                continue  # NumPy divides by zero

            def slope(x, ord=ord):
                return np.sum(np.real(ag.grad(lambda x: LA.norm(x, ord))(x)))

            same(ag.grad(lambda x, ord=ord: LA.norm(x, ord))(x), x)
            second = ag.grad(slope)(x)
            assert np.isfinite(second).all()
            if x.dtype.kind == "f":
                same(second, x)


def test_norm_of_rows_of_which_one_is_zero(rng):
    x = draw(rng, (3, 2))
    x[1] = 0
    for ord in (None, 1, np.inf, 3, 1.5):
        g = ag.grad(lambda x, ord=ord: np.sum(LA.norm(x, ord, axis=1)))(x)
        same(g[1], np.zeros(2))
        close(g[0], ag.grad(lambda x, ord=ord: LA.norm(x, ord))(x[0]))
    H = ag.hessian(lambda x: np.sum(LA.norm(x, axis=1)))(x)
    same(H[1], np.zeros((2, 3, 2)))
    close(H[0, :, 0], (np.eye(2) - np.outer(x[0], x[0]) / (x[0] @ x[0])) / LA.norm(x[0]))


def test_norm_with_a_zero_among_the_entries():
    x = np.array([3.0, 0.0, 4.0])
    for ord in (1.5, 0.5, 3):
        for derivative in (
            ag.grad(lambda x, ord=ord: LA.norm(x, ord))(x),
            ag.hessian(lambda x, ord=ord: LA.norm(x, ord))(x),
        ):
            assert np.isfinite(derivative).all()
            assert not np.any(derivative[1])


def test_ties_share_equally():
    x = np.array([2.0, -2.0, 1.0])
    same(ag.grad(lambda x: LA.norm(x, np.inf))(x), np.array([0.5, -0.5, 0.0]))
    same(ag.grad(lambda x: LA.norm(x, -np.inf))(np.array([2.0, -1.0, 1.0])), np.array([0.0, -0.5, 0.5]))
    a = np.array([[1.0, -2.0], [3.0, 2.0]])
    same(ag.grad(lambda a: LA.norm(a, 1))(a), np.array([[0.5, -0.5], [0.5, 0.5]]))


def test_nothing_flows_into_what_an_extreme_norm_leaves_out():
    same(ag.grad(lambda x: LA.norm(np.sqrt(x), np.inf))(np.array([0.0, 4.0])), np.array([0.0, 0.25]))


def test_counting_norm_is_constant():
    y = LA.norm(ag.Tensor([[1.0, 0.0], [2.0, 3.0]]), 0, axis=0)
    same(np.asarray(y), np.array([2.0, 1.0]))


def test_large_and_small_entries_of_p_norms():
    for scale in (1e-30, 1e30):
        x = np.array([3.0, -4.0]) * scale
        close(ag.grad(lambda x: LA.norm(x, 5))(x), ag.grad(lambda x: LA.norm(x, 5))(x / scale))


# --- both families ----------------------------------------------------------------------------------------------------

SQUARE = {name: f for name, f in FUNCTIONS.items() if "tensor" not in name}
ALL = SQUARE | {
    "solve": lambda a: LA.solve(a, a[..., 0, :] if a.ndim == 2 else a),
    "norm": lambda a: LA.norm(a, axis=-1),
    "norm 3": lambda a: LA.norm(a, 3, axis=-1),
    "norm inf": lambda a: LA.norm(a, np.inf, axis=(-2, -1)),
    "vector_norm": lambda a: LA.vector_norm(a, axis=(-1, -2)),
    "cross": lambda a: np.cross(a, a[..., ::-1]),
    "trace": LA.trace,
}


@pytest.mark.parametrize("name", ALL)
def test_single_precision_stays(name, rng):
    f = ALL[name]
    for dtype in (np.float32, np.complex64):
        a = (draw(rng, (3, 3), np.dtype(dtype).kind) + 2 * np.eye(3)).astype(dtype)
        for y, expected in zip(arrays(f(ag.Tensor(a))), flat(f(a)), strict=True):
            same(y, expected)

        def s(a):
            return np.sum(np.real(flat(f(a))[-1]))

        g = ag.grad(s)(a)
        assert g.dtype == dtype
        wide = a.astype(np.result_type(dtype, np.float64))
        close(g, ag.grad(s)(wide), 1e-4)
        assert ag.grad(lambda a, s=s: np.sum(np.real(ag.grad(s)(a))))(a).dtype == dtype
        assert ag.jvp(s, (a,), (a,))[1].dtype == np.float32


@pytest.mark.parametrize("name", ALL)
def test_a_batch_of_cotangents_is_pulled_in_one_sweep(name, rng):
    f = lambda a: flat(ALL[name](a))[-1]
    for shape in ((3, 3), (2, 3, 3)):
        a = draw(rng, shape) + 2 * np.eye(3)
        y, pull = ag.vjp(f, a)
        rows = [pull(e.reshape(np.shape(y))[()]) for e in np.eye(np.size(y))]
        expected = np.reshape(rows, np.shape(y) + a.shape)
        close(ag.jacobian(f, mode="reverse")(a), expected)
        close(ag.jacobian(f, mode="forward")(a), expected)


# --- other libraries --------------------------------------------------------------------------------------------------

SAME_NAMES = {
    "inv": lambda L, a: L.inv(a),
    "solve": lambda L, a: L.solve(a, a[..., :1] + 1),
    "det": lambda L, a: L.det(a),
    "slogdet": lambda L, a: L.slogdet(a)[1],
    "slogdet sign": lambda L, a: L.slogdet(a)[0],
    "cholesky": lambda L, a: L.cholesky(a),
    "cholesky upper": lambda L, a: L.cholesky(a, upper=True),
    "matrix_power": lambda L, a: L.matrix_power(a, -3),
    "fro": lambda L, a: L.matrix_norm(a),
    "1": lambda L, a: L.matrix_norm(a, ord=1),
    "inf": lambda L, a: L.matrix_norm(a, ord=np.inf),
    "vector_norm": lambda L, a: L.vector_norm(a, ord=2.5),
}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def jax():
    found = pytest.importorskip("jax")
    found.config.update("jax_enable_x64", True)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SAME_NAMES)
def test_as_pytorch(torch, name, kind, rng):
    a = hermitian(draw(rng, (2, 3, 3), kind))
    f = SAME_NAMES[name]
    w = f(LA, hermitian(draw(rng, a.shape, kind)))
    t = torch.tensor(a, requires_grad=True)
    f(torch.linalg, t).backward(torch.tensor(np.conj(w)))
    expected = (
        np.zeros_like(a) if t.grad is None else np.conj(t.grad.numpy())
    )  # its gradients are the conjugates of ours
    if name.startswith("cholesky"):
        expected = (expected + adjoint(expected)) / 2  # PyTorch keeps an imaginary diagonal on the way, to no effect
    close(ag.vjp(lambda a: f(LA, a), a)[1](w), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SAME_NAMES)
def test_as_jax(jax, name, kind, rng):
    a = hermitian(draw(rng, (2, 2), kind))
    f = SAME_NAMES[name]
    y, pull = ag.vjp(lambda a: f(LA, a), a)
    w = draw(rng, np.shape(y), np.asarray(y).dtype.kind)
    _, their_pull = jax.vjp(lambda a: f(jax.numpy.linalg, a), a)
    close(pull(np.asarray(w)[()]), np.asarray(their_pull(jax.numpy.asarray(w))[0]))
