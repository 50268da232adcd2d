"""SciPy's functions: through the same door where they ask a Tensor, by `ag.primitive` where they do not."""

import subprocess
import sys

import numpy as np
import pytest
from numeric import close, gradient

import autograd_core as ag
from autograd_core.rules import COMPOSITES, CONSTANTS, REFUSED, RULES

pytest.importorskip("scipy", reason="SciPy is not installed")
import scipy.linalg as la
import scipy.signal as signal
import scipy.sparse as sparse
import scipy.special as sp
from samples import COMPOSITE_SAMPLES, SAMPLES

X, V = np.array([0.4, 1.1, 2.3]), np.array([-0.5, 0.2, 1.5])
A = np.array([[1.2, 0.3, -0.1], [0.1, 1.5, 0.4], [0.2, -0.3, 1.9]])


# --- when the rules are registered ------------------------------------------------------------------------------------


FIRST = {
    "a narrow ufunc": "sp.erf(t)",
    "one with keywords": "sp.erf(t, dtype=np.float64)",
    "a wide one": "sp.betainc(2.0, 3.0, t)",
    "its method outer": "sp.xlogy.outer(t, t)",
    "its method reduce": "sp.beta.reduce(t)",
    "several results": "sp.airy(t)[0]",
    "a function that is no ufunc": "ag.primitive(sp.softmax)(t)",
    "of scipy.linalg": "ag.primitive(scipy.linalg.expm)(t * np.eye(3))",
}


def test_first_meetings():
    """Whatever meets a Tensor first loads the rules; importing ours has not loaded SciPy."""
    head = "import sys, numpy as np, autograd_core as ag\nassert 'scipy' not in sys.modules\nimport scipy.linalg, scipy.special as sp\n"
    body = "from autograd_core.ops import late\nfor use in {}:\n    late.loaded.clear(); t = ag.Tensor([0.2, 0.5, 0.7])\n    assert eval(use).requires_grad, use\n"
    rest = "    [ag.rules.RULES.pop(f) for f in list(ag.rules.RULES) if f in scipys]\n"
    scipys = "scipys = {f for m in (sp, sp._ufuncs, scipy.linalg) for f in vars(m).values() if callable(f)}\n"
    subprocess.run([sys.executable, "-c", head + scipys + body.format(list(FIRST.values())) + rest], check=True)


def test_a_rule_of_the_users_stays():
    program = (
        "import numpy as np, autograd_core as ag, scipy.special as sp\n"
        "ag.rule(sp.erf, lambda g, x: g * 7)\n"
        "sp.erfc(ag.Tensor(1.0))\n"
        "assert ag.grad(sp.erf)(1.0) == 7"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_ufunc_has_a_class():
    ufuncs = [f for f in vars(sp).values() if isinstance(f, np.ufunc)]
    tables = RULES, COMPOSITES, CONSTANTS, REFUSED
    assert not [f.__name__ for f in ufuncs if sum(f in table for table in tables) != 1]
    assert sum(f in RULES for f in ufuncs) > 140


def test_registered_means_tested():
    theirs = {f for m in (sp, sp._ufuncs, la, signal) for f in vars(m).values() if callable(f)}
    assert not [f for f in theirs if f in RULES and f not in SAMPLES]
    assert not [f for f in theirs if f in COMPOSITES and f not in COMPOSITE_SAMPLES]


# --- what has no derivative -------------------------------------------------------------------------------------------

NO_SLOPE = {
    "order": (lambda v: sp.jv(v, X), "jv.*by its order v"),
    "shape": (lambda a: sp.gammainc(a, X), r"gammainc\(a, x\) by a"),
    "degree": (lambda n: sp.eval_legendre(n, V), "degree n"),
    "degrees of freedom": (lambda df: sp.stdtr(df, X), "by df"),
}


@pytest.mark.parametrize(("f", "says"), NO_SLOPE.values(), ids=NO_SLOPE)
def test_a_parameter_without_a_derivative_is_refused_not_zero(f, says):
    t = ag.Tensor(X)
    with pytest.raises(TypeError, match=says):
        np.sum(f(t)).backward()
    with pytest.raises(TypeError, match=says):
        ag.jvp(f, (X,), (V,))
    np.testing.assert_array_equal(f(t.detach()), f(X))


def test_a_function_without_a_rule_is_refused_by_name():
    for use, name in ((lambda t: sp.mathieu_a(2, t), "mathieu_a"), (lambda t: sp.zeta(t), "_riemann_zeta")):
        with pytest.raises(TypeError, match=rf"scipy\.special\.{name} is refused for Tensors: no derivative"):
            use(ag.Tensor(X))
    with pytest.raises(TypeError, match=r"agm\.reduce has no gradient rule"):
        sp.agm.reduce(ag.Tensor(X))
    with pytest.raises(TypeError, match=r"write np\.linalg\.inv"):
        la.inv(ag.Tensor(A))


def test_scaled_bessel_functions_of_complex_numbers_are_refused():
    with pytest.raises(TypeError, match=r"ive of complex numbers is refused"):
        ag.vjp(lambda z: sp.ive(1, z), X + 1j)[1](np.ones(3) + 0j)


def test_singular_points():
    with np.errstate(divide="ignore"):
        _singular_points()


def _singular_points():
    slope = lambda f, x: ag.elementwise_grad(f)(np.asarray(x, float))
    same = np.testing.assert_array_equal
    same(slope(lambda x: sp.xlogy(x, 0.0), [0.0, 1.0]), [0.0, -np.inf])
    same(slope(lambda x: sp.xlogy(0.0, x), [0.0, 1.0]), [0.0, 0.0])
    same(slope(lambda x: sp.rel_entr(0.0, x), [0.0, 2.0]), [0.0, 0.0])
    same(slope(lambda x: sp.kl_div(0.0, x), [0.0, 2.0]), [1.0, 1.0])
    same(slope(sp.rgamma, [0.0, -1.0, -2.0, -3.0]), [1.0, -1.0, 2.0, -6.0])
    same(slope(sp.exprel, [0.0]), [0.5])
    same(slope(sp.spence, [1.0]), [-1.0])
    same(slope(lambda x: sp.jv(1, x), [0.0]), [0.5])
    same(slope(lambda x: np.where(x > 0, sp.entr(x), 0.0), [0.0]), [0.0])


@pytest.mark.parametrize("x", [-40.0, -20.0, 0.0, 30.0])
def test_tails_keep_their_digits(x):
    ratio = np.exp(-x * x / 2 - sp.log_ndtr(x)) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(ag.grad(sp.log_ndtr)(x), ratio, rtol=1e-10)
    np.testing.assert_allclose(ag.grad(lambda x: sp.log_expit(x))(x), 1 / (1 + np.exp(x)), rtol=1e-14)


@pytest.mark.parametrize("name", "erfinv gammainc i1 log_ndtr xlog1py".split())
def test_first_and_second_derivatives_are_jaxs(name):
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    ours, theirs = getattr(sp, name), getattr(jax.scipy.special, name)
    fixed, x = [1.7, 2.3][: ours.nin - 1], np.array([0.15, 0.4, 0.77, 0.9])
    slope = jax.grad(lambda x: theirs(*fixed, x))
    both = jax.jit(jax.vmap(lambda x: (slope(x), jax.grad(slope)(x)))).lower(x)
    both = both.compile(compiler_options={"xla_backend_optimization_level": 0})
    first = ag.elementwise_grad(lambda x: ours(*fixed, x))
    for a, b in zip((first(x), ag.elementwise_grad(first)(x)), both(x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


# --- functions that ask no Tensor -------------------------------------------------------------------------------------

PLAIN = {
    "softmax": lambda: sp.softmax(ag.Tensor(X)),
    "logsumexp": lambda: sp.logsumexp(ag.Tensor(X)),
    "expm": lambda: la.expm(ag.Tensor(A)),
    "solve_triangular": lambda: la.solve_triangular(ag.Tensor(A), X),
    "convolve": lambda: signal.convolve(X, ag.Tensor(V)),
}


@pytest.mark.parametrize("name", PLAIN)
def test_they_say_what_to_write(name):
    with pytest.raises(TypeError, match=rf"\.detach\(\).*scipy\.\w+\.{name} asks no Tensor, ag\.primitive\(scipy"):
        PLAIN[name]()


def test_softplus_goes_through_numpy():
    if not hasattr(sp, "softplus"):
        pytest.skip("this SciPy has no softplus")
    np.testing.assert_allclose(ag.grad(lambda x: np.sum(sp.softplus(x)))(X), sp.expit(X))


def test_a_wrapped_function_may_be_given_a_rule():
    twice = ag.primitive(sp.softmax)
    ag.rule(twice, lambda g: 2 * g)
    np.testing.assert_array_equal(ag.vjp(twice, X)[1](V), 2 * V)
    np.testing.assert_allclose(
        ag.vjp(ag.primitive(sp.softmax), X)[1](V), sp.softmax(X) * (V - sp.softmax(X) @ V), rtol=1e-14
    )


def test_the_exponential_is_scaled_with_care():
    expm = ag.primitive(la.expm)
    g = 1e9 * V[:, None] * X
    np.testing.assert_allclose(ag.vjp(expm, A)[1](g), la.expm_frechet(A.T, g)[1], rtol=1e-11)
    np.testing.assert_allclose(ag.vjp(expm, np.zeros((3, 3)))[1](g), g)


# --- degrees and counts that are no whole numbers, or negative --------------------------------------------------------

DEGREES = ["chebyt", "chebyu", "chebyc", "chebys", "sh_chebyt", "sh_chebyu", "legendre", "sh_legendre", "laguerre"]
COUNTED = {
    "yn": lambda n, x: sp.yn(n, x),
    "kn": lambda n, x: sp.kn(n, x),
    "expn": lambda n, x: sp.expn(n, x),
    "bdtr": lambda n, x: sp.bdtr(n, n + 2, x),
    "bdtrc": lambda n, x: sp.bdtrc(n, n + 2, x),
    "nbdtr": lambda n, x: sp.nbdtr(n, n + 1, x),
    "nbdtrc": lambda n, x: sp.nbdtrc(n, n + 1, x),
    "nbdtri": lambda n, x: sp.nbdtri(n, n + 1, x),
}


@pytest.mark.parametrize("name", DEGREES)
def test_polynomials_of_any_degree(name):
    """Twice: the slope's own slope asks for a degree that is one less."""
    x, fn = np.linspace(0.1, 0.8, 4), getattr(sp, "eval_" + name)
    for n in (-3, -2, -1, 0, 1, 2, -1.5, 0.5, 2.5):
        f = lambda x, n=n: np.sum(fn(n, x))
        close((ag.grad(f)(x),), gradient(lambda x: f(*x), (x,)), 1e-6)  # noqa: B023
        if name != "laguerre" or n >= 0:
            slopes = ag.grad(lambda x: np.sum(ag.grad(f)(x)))(x)  # noqa: B023
            close((slopes,), gradient(lambda x: np.sum(ag.grad(f)(*x)), (x,)), 1e-5)  # noqa: B023


@pytest.mark.filterwarnings("ignore:floating point number truncated", "ignore:.*non-integer arg")
@pytest.mark.parametrize("name", COUNTED)
def test_scipy_leaves_out_what_stands_behind_the_point(name):
    x = np.array([0.3, 0.6])
    f = lambda n: lambda x: np.sum(COUNTED[name](n, x))
    np.testing.assert_allclose(ag.grad(f(2.0))(x), ag.grad(f(2))(x), rtol=1e-14)
    close((ag.grad(f(2.4))(x),), gradient(lambda x: f(2.4)(*x), (x,)), 1e-6)


# --- sparse matrices --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_products_with_sparse_matrices(kind):
    dense = np.where(np.abs(A) > 0.25, A, 0)[:2]
    S, W = kind(dense), np.array([[1.0, -2.0], [0.5, 3.0]])
    uses = [lambda x: S @ x, lambda x: (x.T @ S.T).T]
    for x, w in ((X, W[0]), (np.stack([X, V], 1), W)):
        for use in uses:
            np.testing.assert_array_equal(use(ag.Tensor(x)).data, use(x))
            f = lambda x, use=use, w=w: np.sum(np.sin(use(x)) * w)
            close((ag.grad(f)(x),), gradient(lambda x: np.sum(np.sin(dense @ x[0]) * w), (x,)))  # noqa: B023
            np.testing.assert_allclose(ag.jvp(use, (x,), (x,))[1], dense @ x)
    assert type(S @ ag.Tensor(X, requires_grad=False)) is np.ndarray
    with pytest.raises(TypeError, match="sparse matrices"):
        S.multiply(ag.Tensor(A[:2]))
