"""What is easily lost between a recording and its replays: results of checkpoints, masks of numbers, refusals."""

import warnings

import numpy as np
import pytest
from bits import identical

import autograd_core as ag
from autograd_core import Tensor

X = np.array([0.5, 1.5, 2.0])

# --- checkpoints ------------------------------------------------------------------------------------------------------

BLOCKS = {
    "a number": lambda a, b: np.sum(np.sin(a * b)),
    "an array": lambda a, b: np.sin(a * b),
    "two numbers": lambda a, b: (np.sum(a * b), np.sum(a) * b[0]),
    "a number and an array": lambda a, b: (np.mean(a * b), a * b**2),
    "a dict": lambda a, b: {"y": np.sum(a * b), "z": a + b},
    "the same twice": lambda a, b: (y := np.sum(a * b), y),
    "a checkpoint in a checkpoint": lambda a, b: ag.checkpoint(lambda c: np.sum(np.exp(c)))(a * b),
    "a checkpoint beside": lambda a, b: ag.checkpoint(np.sin)(a * b) + np.cos(a),
    "what is not tracked": lambda a, b: (np.sum(a), np.sum(b)),
    "an assignment": lambda a, b: set_first(a * b),
}


def set_first(y):
    y[0] = y[1] * 2
    return np.sum(y**2)


def total(tree):
    leaves = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, tuple) else [tree]
    return sum(np.sum(leaf * (i + 1.0)) for i, leaf in enumerate(leaves))


@pytest.mark.parametrize("w", [2.0, np.array([1.0, -1.0, 0.5]), np.float32(0.5)], ids=["float", "array", "float32"])
@pytest.mark.parametrize("name", BLOCKS)
def test_checkpoints_in_a_step(name, w):
    found = []
    for run in (lambda f: f, ag.compile):
        p = Tensor(w)

        def step(x, p=p):
            p.grad = None
            loss = total(ag.checkpoint(BLOCKS[name])(p, x))
            loss.backward()
            p.data = p.data - np.float32(0.1) * p.grad
            return loss, p.grad, p.data * 1

        run_step = run(step)
        found.append([run_step(X + k) for k in range(4)])
    identical(*found, 1e-6 if isinstance(w, np.float32) else 1e-13)


def second(f):
    return ag.grad(ag.grad(f))


def through_compiled(f):
    return ag.grad(ag.compile(f))


def growing(x):
    return x * np.exp(x)


def stacked(x):
    return np.sum(np.stack([x, x**2]))


@pytest.mark.parametrize("way", [ag.grad, ag.value_and_grad, second, through_compiled])
@pytest.mark.parametrize("f", [np.sin, growing, stacked])
def test_checkpoints_of_one_number(f, way):
    own = way(ag.checkpoint(f))
    compiled = ag.compile(own)
    for x in (0.5, 1.5, -2.0):
        identical(compiled(x), own(x), 1e-14)
        identical(compiled(x), way(f)(x), 1e-14)


@pytest.mark.parametrize("v", [np.ones(3), np.array([0.0, 1.0, -1.0])])
def test_second_derivatives_of_checkpoints(v):
    f = ag.checkpoint(lambda x: np.sum(np.sin(x) * x[0]))
    compiled = ag.compile(ag.hvp(f))
    for k in range(3):
        identical(compiled(X + k, v), ag.hvp(f)(X + k, v), 1e-14)


# --- selections of numbers --------------------------------------------------------------------------------------------

SELECTIONS = {
    "a root": lambda x: np.where(2 * x > 0, np.sqrt(2 * x), 0 * x),
    "a root beside a number": lambda x: np.where(2 * x > 0, np.sqrt(2 * x), 0.0),
    "a logarithm": lambda x: np.where(x > 0, np.log(x), x),
    "a quotient": lambda x: np.where(x * 2 != 0, np.sin(x) / x, x),
    "a sum over an array": lambda x: np.where(x > 0, np.sum(np.sqrt(np.ones(3, x.dtype) * x)), 0 * x),
    "two branches": lambda x: np.select([x > 0, x < 0], [np.sqrt(x), np.sqrt(-x)], 0 * x),
    "stacked": lambda x: np.sum(np.where(np.stack([x, 2 * x]) > 0, np.sqrt(np.stack([x, 2 * x])), 0 * x)),
    "nested": lambda x: np.where(x > -5, np.where(x > 0, x * np.sqrt(np.prod(np.stack([x, x, x]))), x), 3 * x),
}


@pytest.mark.filterwarnings("ignore:.*(invalid value|divide by zero):RuntimeWarning")
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("way", [ag.grad, ag.value_and_grad, second])
@pytest.mark.parametrize("name", SELECTIONS)
def test_masks_of_numbers_are_kept_at_every_call(name, way, dtype, first):
    own = way(SELECTIONS[name])
    compiled = ag.compile(own)
    for x in (first, 0, 1, 0.5, 0, -1):
        identical(compiled(dtype(x)), own(dtype(x)), 4 * np.finfo(dtype).eps)


SINGULAR = {
    "sqrt": lambda x: np.where(x > 0, np.sqrt(2 * x), 0.0),
    "log": lambda x: np.where(x > 0, np.log(2 * x), 0.0),
    "log2": lambda x: np.where(x > 0, np.log2(2 * x), 0.0),
    "log10": lambda x: np.where(x > 0, np.log10(2 * x), 0.0),
    "log1p": lambda x: np.where(x > 0, np.log1p(2 * x - 1), 0.0),
    "quotient": lambda x: np.where(x != 0, 1 / (2 * x), 0.0),
    "reciprocal": lambda x: np.where(x != 0, np.reciprocal(2 * x), 0.0),
    "sin(x) / x": lambda x: np.where(x != 0, np.sin(2 * x) / x, 2.0),
    "a root as a power": lambda x: np.where(x > 0, (2 * x) ** 0.5, 0.0),
    "a negative power": lambda x: np.where(x > 0, (2 * x) ** -1.5, 0.0),
    "x ** x": lambda x: np.where(x > 0, (2 * x) ** (2 * x), 0.0),
    "cbrt": lambda x: np.where(x > 0, np.cbrt(2 * x), 0.0),
    "arccos": lambda x: np.where(x > 0, np.arccos(1 - 2 * x), 0.0),
    "arcsin": lambda x: np.where(x > 0, np.arcsin(2 * x - 1), 0.0),
    "arccosh": lambda x: np.where(x > 0, np.arccosh(1 + 2 * x), 0.0),
    "arctanh": lambda x: np.where(x > 0, np.arctanh(2 * x - 1), 0.0),
    "norm": lambda x: np.where(x > 0, np.linalg.norm(np.stack([x, 2 * x])), 0.0),
    "hypot": lambda x: np.where(x > 0, np.hypot(x, 2 * x), 0.0),
    "arctan2": lambda x: np.where(x > 0, np.arctan2(x, 2 * x), 0.0),
    "a product of roots": lambda x: np.where(x > 0, x * np.sqrt(np.prod(np.stack([x, x, x]))), 0.0),
    "std": lambda x: np.where(x > 0, np.std(np.stack([x, 2 * x])), 0.0),
    "no selection": lambda x: np.log(np.sqrt(x * 2)),
    "clip": lambda x: np.sqrt(np.clip(2 * x, 0, 3)),
    "select": lambda x: np.select([x > 0, x < 0], [np.sqrt(x), np.sqrt(-x)], 0.0),
}


def heard(f, x):
    """Return what NumPy says of a call: "divide by zero", "invalid value"; or the error."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        try:
            f(x)
        except FloatingPointError:
            return {"raised"}
    return {str(w.message).partition(" encountered")[0] for w in found}


def summed(f):
    return lambda x: np.sum(f(x))


@pytest.mark.parametrize("errors", ["warn", "raise"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, float])
@pytest.mark.parametrize("way", [ag.grad, ag.value_and_grad, second])
@pytest.mark.parametrize("name", SINGULAR)
def test_a_compiled_number_warns_of_nothing_that_the_function_does_not(name, way, dtype, errors):
    own = way(SINGULAR[name])
    with np.errstate(divide=errors, invalid=errors):
        for first in (0, 1):
            compiled = ag.compile(own)
            for x in (first, 0, 1, 0):
                assert heard(compiled, dtype(x)) <= heard(own, dtype(x))


@pytest.mark.parametrize("name", SINGULAR)
def test_a_compiled_array_warns_of_nothing_that_the_function_does_not(name):
    for own in (summed(SINGULAR[name]), ag.grad(summed(SINGULAR[name]))):
        compiled = ag.compile(own)
        for x in (0.0, 1.0, 0.0):
            assert heard(compiled, np.full(3, x)) <= heard(own, np.full(3, x))


def test_settings_of_errors_are_as_they_were_after_a_recording():
    before = np.geterr()
    for x in (0.0, 1.0):
        ag.compile(ag.grad(SINGULAR["sqrt"]))(x)
        assert np.geterr() == before


# --- refusals of pullbacks --------------------------------------------------------------------------------------------

W = np.arange(9.0).reshape(3, 3) ** 1.5


def weighed(y):
    return np.sum(W[: y.shape[-2], : y.shape[-1]] * np.real(y))


DISTINCT = np.array([[3.0, 1.0, 0.5], [1.0, 2.0, 0.25], [0.5, 0.25, 1.0]])
DEPENDENT = np.ones((3, 3)) + np.diag([0.0, 0.0, 1.0])
JORDAN = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
REPEATED = {  # the function, a matrix at which its gradient exists, one at which it is refused
    "eigh": (lambda a: weighed(np.linalg.eigh(a)[1]), DISTINCT, np.eye(3)),
    "eigh of a pair": (lambda a: weighed(np.linalg.eigh(a)[1]), DISTINCT, np.diag([1.0, 2.0, 2.0])),
    "values and vectors": (lambda a: weighed((v := np.linalg.eigh(a))[1] * np.exp(v[0])), DISTINCT, np.eye(3)),
    "svd": (lambda a: weighed(np.linalg.svd(a)[0]), DISTINCT, np.eye(3)),
    "qr": (lambda a: weighed(np.linalg.qr(a)[0]), DISTINCT, DEPENDENT - np.diag([0.0, 0.0, 1.0])),
    "r alone": (lambda a: weighed(np.linalg.qr(a, "r")), DISTINCT, DEPENDENT),
    "eig": (lambda a: weighed(np.linalg.eig(a)[1]), DISTINCT, np.eye(3)),
    "a defective matrix": (lambda a: np.real(np.sum(np.linalg.eig(a)[0] ** 2)), DISTINCT, JORDAN),
    "its values": (lambda a: np.real(np.sum(np.linalg.eigvals(a) ** 2)), DISTINCT, JORDAN),
}


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("name", REPEATED)
def test_a_replay_refuses_what_the_function_refuses(name, first):
    f, *matrices = REPEATED[name]
    own = ag.grad(f)
    with pytest.raises(np.linalg.LinAlgError) as error:
        own(matrices[1])
    compiled = ag.compile(own)
    for i in (first, 0, 1, 0, 1):
        if i:
            with pytest.raises(np.linalg.LinAlgError) as again:
                compiled(matrices[1])
            assert str(again.value) == str(error.value)
        else:
            identical(compiled(matrices[0]), own(matrices[0]), 1e-12)


@pytest.mark.parametrize("name", ["eigh", "svd", "qr", "eig"])
def test_a_step_that_is_refused_changes_nothing(name):
    f, good, bad = REPEATED[name]
    p = Tensor(np.eye(3))

    @ag.compile
    def step(a):
        p.grad = None
        f(a @ p).backward()
        p.data = p.data - 0.1 * p.grad

    step(good)
    p.data = np.eye(3)
    with pytest.raises(np.linalg.LinAlgError):
        step(bad)
    identical(p.data, np.eye(3))
    step(good)
    assert np.any(p.data != np.eye(3))


@pytest.mark.parametrize(
    "f",
    [
        lambda a: np.sum(np.linalg.eigh(a)[0] ** 2),
        lambda a: np.sum(np.linalg.eigvalsh(a) ** 3),
        lambda a: np.sum(np.linalg.svd(a)[1]),
        lambda a: np.sum(np.linalg.svdvals(a) ** 2),
        lambda a: weighed((v := np.linalg.eigh(a))[1][..., :1] @ v[1][..., :1].T),
        lambda a: np.linalg.norm(a, "nuc"),
    ],
    ids=["eigh", "eigvalsh", "svd", "svdvals", "a projector", "nuclear"],
)
def test_what_does_not_depend_on_the_basis_is_replayed(f):
    own = ag.grad(f)
    compiled = ag.compile(own)
    for a in (DISTINCT, np.diag([1.0, 2.0, 2.0]), np.diag([3.0, 2.0, 1.0]), np.diag([1.0, 2.0, 2.0])):
        identical(compiled(a), own(a), 1e-12)
    assert len(compiled.plans) == 1


# --- dtypes that depend on values, and complex numbers of Python ------------------------------------------------------


@pytest.mark.skipif(np.linalg.eigvals(np.eye(2)).dtype.kind == "c", reason="since NumPy 2.5 eigenvalues are complex")
@pytest.mark.parametrize("f", [np.linalg.eigvals, lambda a: np.linalg.eig(a)[0]], ids=["eigvals", "eig"])
def test_eigenvalues_that_turn_complex_are_refused(f):
    compiled = ag.compile(f)
    real, turning = np.diag([1.0, 2.0]), np.array([[0.0, 1.0], [-1.0, 0.0]])
    identical(compiled(real), f(real))
    with pytest.raises(ag.GraphError, match=r"float64 when ag\.compile recorded it, complex128 now; .*a \+ 0j"):
        compiled(turning)
    identical(compiled(real), f(real))


def test_polynomials_of_complex_roots_are_refused():
    with pytest.raises(ag.GraphError, match=r"np\.poly of complex roots gives real or complex numbers"):
        ag.compile(np.poly)(np.array([1 + 1j, 1 - 1j]))
    identical(ag.compile(np.poly)(np.array([1.0, 2.0])), np.poly([1.0, 2.0]))


COMPLEX = {
    "real": lambda x: (x * 1j).real,
    "imag": lambda x: (x * 1j + 2).imag,
    "np.real": lambda x: np.real(x * 1j),
    "np.imag": lambda x: np.imag(x * 1j),
    "product": lambda x: x * 1j,
    "conjugate": lambda x: (x * 1j).conjugate(),
    "absolute": lambda x: abs(x * 1j),
    "angle": lambda x: np.angle(x * 1j + 1),
    "exponential": lambda x: np.exp(x * 1j),
    "square": lambda x: (x * 1j) ** 2,
    "quotient": lambda x: 1 / (x * 1j),
    "difference": lambda x: 1j - x,
    "power": lambda x: x**1j,
    "power of it": lambda x: 2j**x,
    "twice": lambda x: (x * 1j) * (x + 1j),
    "beside float32": lambda x: np.ones(2, np.float32) * (x * 1j),
    "beside complex64": lambda x: np.ones(2, np.complex64) + x * 1j,
    "stacked": lambda x: np.stack([x * 1j, x]),
    "chosen": lambda x: np.where(x > 0, x * 1j, x),
}


def squared(f):
    return ag.grad(lambda x: np.sum(np.abs(f(x)) ** 2))


@pytest.mark.parametrize("way", [lambda f: f, squared], ids=["value", "gradient"])
@pytest.mark.parametrize("name", COMPLEX)
def test_a_python_float_beside_a_complex_number(name, way):
    own = way(COMPLEX[name])
    compiled = ag.compile(own)
    for x in (1.1, 2.5, 1.1, -0.5 if name not in ("power", "chosen") else 2.0):
        identical(compiled(x), own(x), 1e-14)
