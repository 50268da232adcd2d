"""Answers of their own: one triangle, approximate; and gradients that are wrong only at times."""

import functools

import numpy as np
import pytest

import autograd_core as ag
from autograd_core.checking.lines import explained, lines_of

X = np.array([0.5, -1.2, 2.0])
SYMMETRIC = np.array([[2.0, 0.3, -0.5], [0.3, 1.0, 0.2], [-0.5, 0.2, 3.0]])
HERMITIAN = SYMMETRIC + 1j * np.array([[0, 0.4, -0.1], [-0.4, 0, 0.7], [0.1, -0.7, 0]])


def judged(f, *args, **options):
    return ag.gradcheck(f, *args, raises=False, **options)


# --- one triangle -----------------------------------------------------------------------------------------------------

TRIANGLES = {
    "eigvalsh": (np.linalg.eigvalsh, SYMMETRIC, "lower"),
    "eigvalsh, upper": (lambda A: np.linalg.eigvalsh(A, UPLO="U"), SYMMETRIC, "upper"),
    "eigh": (lambda A: np.linalg.eigh(A)[1] ** 2, SYMMETRIC, "lower"),
    "cholesky": (np.linalg.cholesky, SYMMETRIC, "lower"),
    "inside": (lambda A: np.sum(np.log(np.diag(np.linalg.cholesky(A @ np.eye(3))))), SYMMETRIC, "lower"),
    "batch": (np.linalg.eigvalsh, np.stack([SYMMETRIC, SYMMETRIC @ SYMMETRIC]), "lower"),
    "complex": (np.linalg.eigvalsh, HERMITIAN, "lower"),
    "complex cholesky": (lambda A: np.abs(np.linalg.cholesky(A)), HERMITIAN, "lower"),
}


def symmetrised(A):
    return (A + np.swapaxes(A, -1, -2).conj()) / 2


@pytest.mark.parametrize("name", TRIANGLES)
def test_one_triangle_is_recognised(name):
    f, A, which = TRIANGLES[name]
    report = judged(f, A)
    assert (report.verdict, bool(report)) == ("triangle", False)
    assert f"only the {which} triangle" in report.message
    assert "/ 2" in report.message
    assert "one triangle only" in str(report)
    assert not report.counts.get("wrong")
    with pytest.raises(ag.GradientError, match="one triangle only"):
        ag.gradcheck(f, A)
    assert ag.gradcheck(lambda A: f(symmetrised(A)), A).verdict == "ok"


@pytest.mark.parametrize("lower", [True, False])
def test_one_triangle_of_scipys(lower):
    linalg = pytest.importorskip("scipy.linalg", reason="scipy is not installed")

    def gradient(A):
        w, v = linalg.eigh(A, lower=lower)
        return (v * 2 * w) @ v.T

    f = lambda A: np.sum(linalg.eigh(A, lower=lower, eigvals_only=True) ** 2)
    report = judged(f, SYMMETRIC, gradient=gradient)
    assert report.verdict == "triangle"
    assert f"only the {'lower' if lower else 'upper'} triangle" in report.message
    g = lambda A: np.sum(linalg.cholesky(A, lower=lower))
    slope = lambda A: ag.grad(lambda A: np.sum(np.linalg.cholesky(A)))(A)
    assert judged(g, SYMMETRIC, gradient=slope).verdict == "triangle"
    assert ag.gradcheck(lambda A: f((A + A.T) / 2), SYMMETRIC, gradient=gradient)


def test_what_only_resembles_one_triangle_is_wrong():
    f = lambda A: np.sum(np.linalg.eigvalsh(A) ** 2)
    assert judged(f, SYMMETRIC, gradient=lambda A: 2.02 * A).verdict == "wrong"
    assert judged(f, SYMMETRIC, gradient=lambda A: 2 * A + np.triu(A, 1)).verdict == "wrong"
    assert judged(lambda A: np.sum(A**2), SYMMETRIC, gradient=lambda A: 2 * np.tril(A)).verdict == "wrong"
    assert judged(lambda A: np.sum(np.tril(A) ** 2), SYMMETRIC, gradient=lambda A: 2 * np.tril(A)).verdict == "ok"


def test_a_triangle_does_not_take_the_blame():
    spoilt = ag.primitive(lambda x: x**3)
    ag.rule(spoilt, lambda g, x: 3.3 * g * x**2, name="spoilt")
    report = judged(lambda A, x: np.sum(np.linalg.eigvalsh((A + A.T) / 2)) + np.sum(spoilt(x)), SYMMETRIC, X)
    assert (report.verdict, report.op) == ("wrong", "spoilt")


# --- approximate ------------------------------------------------------------------------------------------------------


def f(x):
    return np.sum(np.exp(x) * np.sin(3 * x))


def differences(kind, step):
    def gradient(x):
        h = step(x) if callable(step) else np.full(x.shape, step)
        moves = np.eye(x.size) * h
        ahead, behind = (np.array([f(x + s * m) for m in moves]) for s in (1, -1))
        return {"forward": (ahead - f(x)) / h, "backward": (f(x) - behind) / h, "central": (ahead - behind) / (2 * h)}[
            kind
        ]

    return gradient


DIFFERENCES = {
    "forward, 1e-6": ("forward", 1e-6, "1e-5", "a forward difference with the step 1e-6"),
    "forward, 1e-5": ("forward", 1e-5, "1e-4", "a forward difference with the step 1e-5"),
    "forward, 1e-4": ("forward", 1e-4, "1e-3", "a forward difference with the step 1e-4"),
    "backward, 1e-6": ("backward", 1e-6, "1e-5", "a backward difference with the step 1e-6"),
    "central, 1e-3": ("central", 1e-3, "1e-5", "a central difference with the step 1e-3"),
    "relative": ("forward", lambda x: 1e-6 * np.abs(x), "1e-5", "the step 1e-6 * abs(x)"),
    "at least": ("forward", lambda x: 1e-6 * np.maximum(1, np.abs(x)), "1e-5", "the step 1e-6 * max(1, abs(x))"),
    "odd step": ("forward", 2.3e-6, "1e-5", "a finite difference in place of a derivative"),
    "drowned": ("forward", 3e-11, "1e-4", ""),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_differences_in_place_of_a_derivative(name):
    kind, step, digits, words = DIFFERENCES[name]
    report = judged(f, X, gradient=differences(kind, step))
    assert not report
    if words:
        assert (report.verdict, report.counts.get("wrong", 0)) == ("approximate", 0)
        assert f"approximate ({digits})" in str(report)
        assert words in report.cause
        assert 0 < report.accuracy <= float(digits)
        assert {e.verdict for e in report.wrong} == {"approximate"}
        with pytest.raises(ag.GradientError, match="approximate"):
            ag.gradcheck(f, X, gradient=differences(kind, step))
    assert ag.gradcheck(f, X, gradient=differences(kind, step), rtol=1e-2)


def test_a_rule_of_differences_is_named():
    exp = ag.primitive(np.exp)
    ag.rule(exp, lambda g, x: g * (np.exp(x + 1e-5) - np.exp(x)) / 1e-5, name="exp_by_differences")
    report = judged(lambda x: np.sum(np.sin(exp(x))), X)
    assert (report.verdict, report.op) == ("approximate", "exp_by_differences")
    assert "a forward difference with the step 1e-5" in report.cause


@pytest.mark.parametrize("factor", [1 + 1e-5, 1 - 4e-6])
def test_too_few_digits_are_approximate(factor):
    report = judged(f, X, gradient=lambda x: factor * np.exp(x) * (np.sin(3 * x) + 3 * np.cos(3 * x)))
    assert report.verdict == "approximate"
    assert "too few digits" in report.cause


def test_what_is_wrong_is_not_called_approximate():
    right = lambda x: np.exp(x) * (np.sin(3 * x) + 3 * np.cos(3 * x))
    for wrong in (1.001, -1, np.array([1, 1, 1.01]), np.array([1, -1, 1 + 1e-6])):
        assert judged(f, X, gradient=lambda x, w=wrong: w * right(x)).verdict == "wrong"
    tiny = lambda x: np.sum(np.array([1.0, 1e-9, 1.0]) * x)
    assert judged(tiny, X, gradient=lambda _: np.array([1.0, -1e-9, 1.0])).verdict == "wrong"


# --- wrong at times ---------------------------------------------------------------------------------------------------

SOMETIMES = {
    "0-d": (np.array(2.0), lambda x: x.ndim == 0),
    "size 1": (np.ones(1), lambda x: x.size == 1),
    "large": (np.array([1.0, 3e6]), lambda x: x > 1e6),
    "negative": (np.array([0.5, -1.5]), lambda x: x < 0),
    "exactly 1": (np.array([0.5, 1.0, 2.5]), lambda x: x == 1),
    "whole": (np.array([0.5, 3.0]), lambda x: x == np.round(x)),
    "zero": (np.array([0.5, 0.0]), lambda x: x == 0),
    "negative zero": (np.array([0.5, -0.0]), np.signbit),
    "repeated": (np.array([1.0, 2.0, 2.0]), lambda x: np.sum(x[:, None] == x, 1) > 1),
    "sorted": (np.array([1.0, 2.0, 3.0]), lambda x: np.all(np.diff(x) > 0)),
    "float32": (X.astype(np.float32), lambda x: x.dtype == np.float32),
    "float16": (X.astype(np.float16), lambda x: x.dtype == np.float16),
    "float64 of float32": (X.astype(np.float32), lambda x: x.dtype == np.float64),
}


@pytest.mark.parametrize("name", SOMETIMES)
def test_wrong_for_some_values_only(name):
    x, where = SOMETIMES[name]
    square = lambda x: np.sum(x * x)
    wrong = lambda x: np.asarray(np.where(where(x), 4 * x + 1, 2 * x), x.dtype)
    assert judged(square, x, gradient=lambda x: np.asarray(2 * x)).verdict == "ok"
    assert judged(square, x, gradient=wrong).verdict == "wrong"


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_wrong_from_some_call_on(k):
    calls = []

    def gradient(x):
        calls.append(0)
        return (2 if len(calls) < k else 3) * x

    assert not judged(lambda x: np.sum(x * x), X, gradient=gradient)


def spoiling(x, c):
    g = 2 * c * x
    x *= 1.5
    return g


def spoiling_constants(x, c):
    g = 2 * c * x
    c += 1
    return g


@pytest.mark.parametrize("gradient", [spoiling, spoiling_constants])
@pytest.mark.parametrize("x", [X, np.array(2.0)], ids=["vector", "0-d"])
def test_a_gradient_that_changes_its_arguments(gradient, x):
    c = np.array(3)
    report = judged(lambda x, c: np.sum(c * x * x), x, c, gradient=gradient, wrt=0)
    assert report.verdict == "structure"
    assert f"the gradient changes {'x' if gradient is spoiling else 'c'} in place" in report.message
    assert c == 3


def test_a_rule_that_changes_its_cotangent():
    square = ag.primitive(lambda x: x * x)
    ag.rule(square, lambda g, x: np.multiply(g, 2 * x, out=g), name="in_place")
    assert "changes its cotangent" in judged(square, X).message


# --- explanations -----------------------------------------------------------------------------------------------------


def branching(x):
    if x < 0:
        x = -x
    return np.sum(np.median([x, x]))


def test_lines_of_users_only():
    found, other = (lines_of(functools.partial(branching, x)) for x in (-1.0, 1.0))
    first = branching.__code__.co_firstlineno
    assert {(__file__, first + k) for k in (1, 2, 3)} <= found
    assert {file for file, _ in found} == {__file__}
    assert explained(found, [other]).endswith(f":{first + 2}")
    assert explained(found, [found]) == explained(found, []) == ""
