"""The same small programs in PyTorch and JAX: values, gradients, Hessian-vector products."""

import importlib

import numpy as np
import pytest
from samples import SAMPLES, name_of, samples_of
from test_rules import Case

import autograd_core as ag


@pytest.fixture(scope="module")
def jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    return jax


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(threads)


class UnderNumPysNames:
    """PyTorch, where its functions are called otherwise."""

    def __init__(self, torch):
        self.torch = torch
        self.linalg = torch.linalg
        self.max, self.min = torch.amax, torch.amin
        self.transpose, self.expand_dims = torch.permute, torch.unsqueeze
        self.prod = lambda x, axis: torch.prod(x, dim=axis)

    def __getattr__(self, name):
        return getattr(self.torch, name)

    def sort(self, x, axis=-1):
        return self.torch.sort(x, dim=axis).values

    def arange(self, n):
        return self.torch.arange(n)


# --- programs: functions of a namespace and arrays, of which the shapes are given ----------------------------------------

PROGRAMS = {}
LABELS, PLACES = np.array([2, 0, 1, 1]), np.array([0, 3, 3, 1, 0])


def program(*shapes):
    def register(f):
        PROGRAMS[f.__name__] = (f, shapes)
        return f

    return register


def softmax(xp, x):
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


@program((4, 3), (3, 5), (5,), (5, 2), (2,))
def mlp(xp, X, W, b, V, c):
    return xp.mean((xp.tanh(X @ W + b) @ V + c) ** 2)


@program((4, 2), (2, 3), (3,))
def softmax_regression(xp, X, W, b):
    z = X @ W + b
    z = z - xp.max(z, axis=1, keepdims=True)
    return xp.mean(xp.log(xp.sum(xp.exp(z), axis=1)) - z[xp.arange(4), LABELS])


@program((5, 2), (2, 3), (3, 3), (3,))
def rnn(xp, X, W, U, h):
    loss = 0.0
    for x in X:
        h = xp.tanh(x @ W + h @ U)
        loss = loss + xp.sum(h * h)
    return loss


@program((3, 4), (3, 4), (4,), (4,))
def gates(xp, x, h, w, u):
    z = 1 / (1 + xp.exp(-(x * w + h * u)))
    return xp.sum(z * xp.sin(h) + (1 - z) * xp.exp(x))


@program((4, 3), (3,))
def embedding(xp, E, w):
    rows = E[PLACES]
    return xp.sum(xp.sin(rows @ w)) + xp.sum(rows[1:] * rows[:-1])


@program((2, 4))
def running(xp, x):
    return xp.sum(xp.cumsum(x, axis=1) ** 3) + xp.sum(xp.sin(xp.cumprod(x, axis=0)))


@program((3, 3), (3, 3, 2), (2,))
def repeated_letters(xp, A, T, v):
    return xp.sum(xp.einsum("ii->i", A) ** 2) + xp.sum(xp.sin(xp.einsum("iij,j->i", T, v))) + xp.einsum("ij,ji->", A, A)


@program((2, 3, 4), (4, 2), (2, 2, 3))
def batched_products(xp, A, B, C):
    return xp.sum(xp.sin(A @ B @ C)) + xp.sum(xp.einsum("bij,bki->bkj", A, C) ** 2)


@program((3, 1), (1, 4), (4,), ())
def broadcasting(xp, a, b, c, d):
    return xp.sum(a * b + b / (2 + c * c) - d * xp.exp(a) * c + (a - d) ** 2)


@program((3, 4), (3, 4), (3, 4))
def attention(xp, Q, K, V):
    return xp.sum((softmax(xp, Q @ K.T / 2.0) @ V) ** 2)


@program((3, 4), (4,), (4,))
def layer_norm(xp, x, gamma, beta):
    centered = x - xp.mean(x, axis=-1, keepdims=True)
    variance = xp.mean(centered**2, axis=-1, keepdims=True)
    return xp.sum(xp.sin(gamma * centered / xp.sqrt(variance + 1e-3) + beta))


@program((7,), (3,))
def convolution(xp, x, w):
    return xp.sum(xp.stack([xp.sum(x[i : i + 3] * w) for i in range(5)]) ** 2)


@program((5, 2), (2,), ())
def logistic_regression(xp, X, w, b):
    z = X @ w + b
    return xp.sum(xp.logaddexp(0 * z, -z)) + 0.1 * xp.sum(w * w)


@program((3, 3), (3,))
def gaussian(xp, A, x):
    S = A @ A.T + 2 * xp.einsum("i,ij->ij", xp.exp(x), xp.eye(3, dtype=A.dtype))
    return xp.sum(x * xp.linalg.solve(S, x)) + xp.linalg.slogdet(S)[1] + xp.sum(xp.linalg.inv(S))


@program((3, 3))
def cholesky(xp, A):
    L = xp.linalg.cholesky(A @ A.T + xp.eye(3, dtype=A.dtype))
    return xp.sum(xp.log(xp.diagonal(L))) + xp.sum(L[1:] ** 3) + xp.linalg.det(A)


@program((4,), (4,))
def powers_and_angles(xp, x, y):
    r = xp.hypot(x, y)
    return xp.sum(r ** (1 + y * y)) + xp.sum(xp.arctan2(x, y) * xp.log1p(r)) + xp.sum(xp.sinc(x) * xp.exp2(y))


@program((3, 4), (4,))
def selections(xp, x, y):
    z = xp.where(x > y, x * y, xp.sin(x)) + xp.maximum(x, 2 * y) * xp.minimum(x * x, y)
    return xp.sum(xp.clip(z, -0.9, 0.8) ** 2) + xp.sum(z)


@program((3, 4))
def extremes(xp, x):
    return (
        xp.sum(xp.max(x, axis=1) ** 3) - xp.sum(xp.min(x, axis=0) * xp.sort(x, axis=0)[1]) + xp.sum(xp.prod(x, axis=1))
    )


@program((3, 3), (3, 2))
def arrangements(xp, A, B):
    rows = xp.concatenate([A, 2 * B], axis=1)
    tall = xp.stack([rows, rows**2], axis=0)
    moved = xp.roll(xp.flip(xp.transpose(tall, (2, 0, 1)), (0,)), 1, 2)
    return xp.sum(xp.sin(moved) * xp.reshape(tall, (5, 2, 3))) + xp.sum(xp.tril(A) @ xp.triu(A)) + xp.trace(A) ** 2


@program((2,), (2,))
def rosenbrock_descent(xp, x, step):
    for _ in range(3):
        a, b = x[0], x[1]
        slope = xp.stack([-2 * (1 - a) - 4 * a * (b - a * a), 2 * (b - a * a)])
        x = x - 0.1 * xp.exp(step) * slope
    return xp.sum(x * x)


@program((6,), (6,))
def scalars_one_by_one(xp, x, y):
    total = x[0]
    for i in range(1, 6):
        total = total * xp.sin(x[i]) + y[i] / (2 + total * total) - 0.5 ** (total * y[i - 1])
    return total


# --- comparisons ------------------------------------------------------------------------------------------------------


def at(name, dtype=np.float64):
    f, shapes = PROGRAMS[name]
    rng = np.random.default_rng(len(name))
    x, v = ([np.asarray(rng.uniform(0.3, 1.5, s) * rng.choice([1, -1], s), dtype) for s in shapes] for _ in range(2))
    return f, tuple(x), tuple(v)


def ours(name, dtype=np.float64):
    f, x, v = at(name, dtype)
    g = lambda x: f(np, *x)
    value, gradient = ag.value_and_grad(g)(x)
    return [value, *gradient, *ag.hvp(g)(x, v)]


def same(a, b, tolerance):
    for ours, theirs in zip(a, b, strict=True):
        theirs = np.asarray(theirs)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(
            ours, theirs, rtol=tolerance, atol=tolerance * max(1, np.max(np.abs(theirs), initial=0))
        )


def in_jax(jax, f, *args):
    """Compile without optimising, which would take longer than everything else here, and run."""
    args = jax.tree.map(jax.numpy.array, args)
    compiled = jax.jit(f).lower(*args).compile(compiler_options={"xla_backend_optimization_level": 0})
    return compiled(*args)


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_in_jax(name, jax):
    f, x, v = at(name)

    def theirs(x, v):
        g = lambda x: f(jax.numpy, *x)
        gradient, product = jax.jvp(jax.grad(g), (x,), (v,))
        return g(x), gradient, product

    value, gradient, product = in_jax(jax, theirs, x, v)
    same(ours(name), [value, *gradient, *product], 1e-11)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", PROGRAMS)
def test_as_in_torch(name, dtype, torch):
    f, x, v = at(name, dtype)
    x = [torch.tensor(a, requires_grad=True) for a in x]
    value = f(UnderNumPysNames(torch), *x)
    gradient = torch.autograd.grad(value, x, create_graph=True)
    inner = sum(torch.sum(g * torch.tensor(a)) for g, a in zip(gradient, v, strict=True))
    product = torch.autograd.grad(inner, x, allow_unused=True)
    product = [torch.zeros_like(a) if p is None else p for a, p in zip(x, product, strict=True)]
    same(
        ours(name, dtype),
        [a.detach().numpy() for a in (value, *gradient, *product)],
        1e-11 if dtype is np.float64 else 1e-4,
    )


@pytest.mark.parametrize("name", ["mlp", "rnn", "embedding", "selections"])
def test_backward_accumulates_as_in_torch(name, torch):
    f, x, _ = at(name)
    t, u = [ag.Tensor(a) for a in x], [torch.tensor(a, requires_grad=True) for a in x]
    for _ in range(2):
        f(np, *t).backward()
        f(UnderNumPysNames(torch), *u).backward()
    same([a.grad for a in t], [a.grad for a in u], 1e-12)


# --- complex numbers: the convention is JAX's --------------------------------------------------------------------------

MADE_OF_RULES = [np.sum, np.mean, np.var, np.std, np.prod, np.vdot, np.vecdot, np.einsum, np.kron, np.linalg.norm]
FIRST = {
    fn: Case(fn, samples_of(fn)[0], np.complex128) for fn in (*SAMPLES, *MADE_OF_RULES) if name_of(fn).startswith("np.")
}
COMPLEX = [fn for fn, case in FIRST.items() if case.accepted() and not case.sample.through]


@pytest.mark.parametrize("fn", COMPLEX, ids=name_of)
def test_complex_gradient_is_jaxs(fn, jax):
    module = importlib.import_module(fn.__module__.replace("numpy", "jax.numpy") if fn.__module__ else "jax.numpy")
    theirs = getattr(module, fn.__name__, None)
    if theirs is None:
        pytest.skip("JAX does not have it")
    case = Case(fn, samples_of(fn)[0], np.complex128)
    w = case.like(case.f(case.x))
    scalar = lambda xp: lambda x: sum(xp.sum(xp.real(a * b)) for a, b in zip(case.f(x), w, strict=True))
    mine = ag.grad(scalar(np))(case.x)
    case.fn = theirs
    try:
        expected = in_jax(jax, jax.grad(scalar(jax.numpy)), case.x)
    except (NotImplementedError, jax.errors.ConcretizationTypeError):
        pytest.skip("JAX does not differentiate it")
    same(mine, expected, 1e-10)
