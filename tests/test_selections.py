"""A cotangent that is absent is not one that is zero; and the derivatives we chose where there is none."""

import numpy as np
import pytest
from numeric import along

import autograd_core as ag

INF, NAN = np.inf, np.nan

# --- what is not taken sends nothing back -----------------------------------------------------------------------------
# A function whose slope is infinite, or NaN, at some point; and the point.

SINGULAR = {
    "sqrt": (np.sqrt, 0.0),
    "sqrt out of its domain": (np.sqrt, -1.0),
    "root of a root": (lambda x: np.sqrt(np.sqrt(x)), 0.0),
    "log": (np.log, 0.0),
    "log2 of 3 sqrt": (lambda x: np.log2(3 * np.sqrt(x)), 0.0),
    "log1p": (np.log1p, -1.0),
    "1/x": (lambda x: 1 / x, 0.0),
    "reciprocal": (np.reciprocal, 0.0),
    "division": (lambda x: np.sin(x + 1) / x, 0.0),
    "divisor of a divisor": (lambda x: 1 / (1 / x), 0.0),
    "cbrt": (np.cbrt, 0.0),
    "x**0.5": (lambda x: x**0.5, 0.0),
    "x**-1.5": (lambda x: x**-1.5, 0.0),
    "x**x": (lambda x: x**x, -0.5),
    "x**b": (lambda x: np.power(x, np.array([0.5, 0.25, -1.0, 0.5])), 0.0),
    "x log x": (lambda x: x * np.log(x), 0.0),
    "arccos": (np.arccos, 1.0),
    "arcsin": (np.arcsin, -1.0),
    "arctanh": (np.arctanh, 1.0),
    "arccosh": (lambda x: np.arccosh(x + 1), 0.0),
    "logaddexp": (lambda x: np.logaddexp(np.log(x), np.log(2 * x)), 0.0),
    "tan of arctanh": (lambda x: np.tan(np.arctanh(x)), 1.0),
    "overflow": (lambda x: np.exp(1 / x**2), 1e-2),
}


LAST = np.array([False, False, True, True])


def set_zero(y, mask):
    y = y.copy()
    y[~mask] = 0.0
    return y


def both_sides(y, mask):
    rest = mask.copy()
    rest[0] = False
    return np.where(rest, y, 0.0) + np.where(rest, 0.0, np.where(mask, y, 0.0))


# How `mask` keeps the point away from the result; `y` has four entries, or as many more in front as a batch.
SELECTIONS = {
    "where": lambda y, mask: np.where(mask, y, 0.0),
    "where not": lambda y, mask: np.where(~mask, 1.0, y),
    "where twice": lambda y, mask: np.where(mask, np.where(mask, y, 1.0), 0.0),
    "of two halves": both_sides,
    "after a function": lambda y, mask: np.where(mask, np.sin(y) * 2 + 1, 0.0),
    "before a function": lambda y, mask: np.exp(-np.where(mask, y, 0.0)),
    "select": lambda y, mask: np.select([mask], [y], 0.5),
    "select among": lambda y, mask: np.select([~mask, mask], [np.ones(4), y]),
    "boolean index": lambda y, mask: y[mask],
    "integer index": lambda y, mask: y[np.flatnonzero(mask)],
    "slices": lambda y, mask: np.concatenate([y[:1], y[2:]]) if not mask[1] else y,
    "take": lambda y, mask: np.take(y, np.flatnonzero(mask)),
    "compress": lambda y, mask: np.compress(mask, y),
    "assignment": set_zero,
    "sum where": lambda y, mask: np.sum(y, where=mask),
    "mean where": lambda y, mask: np.mean(np.sin(y), where=mask),
    "prod where": lambda y, mask: np.prod(y, where=mask),
    "behind a reshape": lambda y, mask: np.where(mask.reshape(2, 2), np.reshape(y, (2, 2)), 0.0),
    "behind a transpose": lambda y, mask: np.where(mask.reshape(2, 2).T, np.reshape(y, (2, 2)).T, 0.0),
    "behind flip and roll": lambda y, mask: np.where(np.roll(mask[::-1], 1), np.roll(np.flip(y), 1), 0.0),
    "behind a stack": lambda y, mask: np.where(mask, np.stack([y, 2 * y]), 0.0),
    "behind a broadcast": lambda y, mask: np.where(mask, y * np.ones((3, 1)), 0.0),
    "behind a sum": lambda y, mask: np.where(mask, np.sum(np.stack([y, y**2]), axis=0), 0.0),
    "behind a mean": lambda y, mask: np.where(mask, np.mean(np.stack([np.maximum(y, -50.0), y]), axis=0), 0.0),
    "behind a cumsum": lambda y, _: np.where(LAST, np.cumsum(np.maximum(y, -50.0)[::-1])[::-1], 0.0),
    "behind an index": lambda y, mask: np.where(mask[[2, 1, 1, 0]], y[[2, 1, 1, 0]], 0.0),
}


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("name", SINGULAR)
def test_the_branch_not_taken_is_absent(name, selection):
    h, hole = SINGULAR[name]
    choose = SELECTIONS[selection]
    x = np.array([0.3, hole, 0.7, 0.45])
    mask = np.array([True, False, True, True])

    def f(x):
        with np.errstate(
            all="ignore"
        ):  # NumPy's own warnings of the forward pass; in the backward pass they are errors
            return np.sum(choose(h(x), mask) ** 2)

    def g(x):  # the same where the point has been replaced beforehand
        return f(np.where(mask, x, 0.6))

    v = np.array([1.0, 2.0, -1.0, 0.5])
    first, second = ag.grad(g)(x), ag.hvp(g)(x, v)
    assert first[1] == second[1] == 0
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
    close(ag.grad(f)(x), first)
    close(ag.grad(lambda x: np.sum(ag.grad(f)(x) * v))(x), second)
    close(ag.jvp(ag.grad(f), (x,), (v,))[1], second)
    close(ag.jvp(f, (x,), (v,))[1], np.sum(first * v))
    close(ag.jacobian(f, mode="reverse")(x), first)
    close(ag.hessian(f)(x) @ v, second)
    t = ag.Tensor(x)
    f(t).backward()
    close(t.grad, first)


BOUNDS = {
    "maximum": (lambda x: np.maximum(np.sqrt(x), 0.5), 0.0),
    "maximum of two": (lambda x: np.maximum(np.sqrt(x), 0.5 + 0 * x), 0.0),
    "minimum": (lambda x: np.minimum(1 / x, 4.0), 0.0),
    "fmax": (lambda x: np.fmax(np.log(x), -3.0), -1.0),
    "fmin": (lambda x: np.fmin(np.arccos(x), 9.0), 2.0),
    "clip": (lambda x: np.clip(np.log(x), -3.0, 2.0), 0.0),
    "clip twice": (lambda x: np.clip(np.clip(np.sqrt(x), 0.1, 3), 0.2, None), 0.0),
    "relu": (lambda x: ag.relu(np.sqrt(x) - 0.25), 0.0),
    "max": (lambda x: np.max(np.log(x)), 0.0),
    "min": (lambda x: np.min(1 / x), 0.0),
    "sort": (lambda x: np.sort(np.sqrt(x))[1:], 0.0),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_what_a_bound_cuts_off_is_absent(name):
    h, hole = BOUNDS[name]

    def f(x):
        with np.errstate(all="ignore"):
            return np.sum(h(x) ** 2)

    rest = np.array([0.5, 0.9, 0.35])
    x, v = np.concatenate([rest, [hole]]), np.array([1.0, -1.0, 2.0, 3.0])
    (expected,) = along(lambda y: (f(np.concatenate([y[0], [hole]])),), (rest,), (v[:3],))
    np.testing.assert_allclose(ag.grad(f)(x) @ v, expected, rtol=1e-7)
    np.testing.assert_allclose(ag.jvp(f, (x,), (v,))[1], expected, rtol=1e-7)
    second = ag.grad(lambda x: np.sum(ag.grad(f)(x) * v))(x)
    (expected,) = along(lambda y: (ag.grad(f)(np.concatenate([y[0], [hole]]))[:3],), (rest,), (v[:3],))
    np.testing.assert_allclose(second, [*expected, 0], rtol=1e-6, atol=1e-6)


def test_rows_not_taken_are_absent():
    # a sum over rows carries the mask on: no entry of the row reaches the square root
    x = np.array([[1.0, 0.0], [4.0, 9.0]])
    f = lambda x: np.sum(np.where([False, True], np.sum(np.sqrt(x), axis=1), 0.0))
    np.testing.assert_array_equal(ag.grad(f)(x), [[0, 0], [1 / 4, 1 / 6]])


def test_select_takes_a_tracked_default():
    f = lambda x: np.sum(np.select([x > 0], [np.log(np.where(x > 0, x, 1.0))], x))
    np.testing.assert_array_equal(ag.grad(f)(np.array([2.0, -3.0])), [0.5, 1.0])


def test_a_ufunc_with_where_is_a_selection():
    x = ag.Tensor([4.0, 0.0])
    y = np.sqrt(x, where=x > 0, out=ag.Tensor(np.zeros(2), requires_grad=False))
    np.sum(y).backward()
    np.testing.assert_array_equal(x.grad, [0.25, 0])


# --- counter-examples: what must not be lost ---------------------------------------------------------------------------


def test_a_cotangent_that_merely_is_zero_keeps_second_order():
    f = lambda x: np.sum(np.where(x > 0, (np.sqrt(x) - 1) ** 2, 0.0))
    x = np.array([1.0, 0.0])
    np.testing.assert_array_equal(ag.grad(f)(x), [0, 0])
    np.testing.assert_allclose(ag.hessian(f)(x), [[0.5, 0], [0, 0]])


def test_a_singular_slope_on_the_taken_branch_surfaces():
    with np.errstate(all="ignore"):
        assert ag.grad(lambda x: np.where(x >= 0, np.sqrt(x), 0.0))(0.0) == INF
        assert np.isnan(ag.grad(lambda x: np.where(x < 0, np.log(np.sqrt(x)), 0.0))(-1.0))
        assert np.isnan(
            ag.grad(lambda x: np.sum(np.array([0.0, 1.0]) * np.sqrt(x)))(np.zeros(2))[0]
        )  # 0 * inf: no selection


PATHS = {"whole": lambda y: y, "where": lambda y: np.where(y == 0, y, 0.0), "index": lambda y: y[:1], "root": np.sqrt}


@pytest.mark.parametrize("other", PATHS)
def test_what_is_taken_on_another_path_is_present(other):
    def f(x):
        y = np.sqrt(x)
        return np.sum(np.where(x > 0, y, 0.0)) + np.sum(PATHS[other](y))

    with np.errstate(all="ignore"):
        assert ag.grad(f)(np.array([0.0, 4.0]))[0] == INF


def test_programs_without_selections_see_no_masks():
    x = ag.Tensor([0.0, 1.0])
    with np.errstate(all="ignore"):
        np.sum(np.sqrt(x) * np.array([0.0, 1.0])).backward()
    assert np.isnan(x.grad[0])


# --- derivatives chosen where there is none ----------------------------------------------------------------------------

CHOSEN = {
    "relu at 0": (ag.relu, [0.0], [0.0]),
    "maximum(x, 0) at 0": (lambda x: np.maximum(x, 0.0), [0.0, 1.0, -1.0], [0.5, 1.0, 0.0]),
    "maximum(0, x) at 0": (lambda x: np.maximum(0, x), [0.0], [0.5]),
    "minimum(x, 0) at 0": (lambda x: np.minimum(x, 0.0), [0.0], [0.5]),
    "clip at its bounds": (lambda x: np.clip(x, 0.0, 1.0), [0.0, 0.5, 1.0], [0.5, 1.0, 0.5]),
    "maximum of a tie": (lambda x: np.maximum(x[0], x[1]), [2.0, 2.0], [0.5, 0.5]),
    "minimum of a tie": (lambda x: np.minimum(x[0], x[1]), [2.0, 2.0], [0.5, 0.5]),
    "fmax of a tie": (lambda x: np.fmax(x[0], x[1]), [2.0, 2.0], [0.5, 0.5]),
    "fmin of a tie": (lambda x: np.fmin(x[0], x[1]), [2.0, 2.0], [0.5, 0.5]),
    "maximum with itself": (lambda x: np.maximum(x, x), [2.0], [1.0]),
    "max of ties": (np.max, [3.0, 1.0, 3.0, 3.0], [1 / 3, 0.0, 1 / 3, 1 / 3]),
    "min of ties": (np.min, [3.0, 1.0, 1.0], [0.0, 0.5, 0.5]),
    "ptp of constants": (np.ptp, [2.0, 2.0], [0.0, 0.0]),
    "sort of ties": (lambda x: np.sort(x)[0], [2.0, 2.0], [1.0, 0.0]),
    "abs at 0": (np.abs, [0.0, -0.0], [0.0, 0.0]),
    "fabs at 0": (np.fabs, [0.0], [0.0]),
    "copysign at 0": (lambda x: np.copysign(x, -1.0), [0.0], [0.0]),
    "std of constants": (np.std, [1.5, 1.5, 1.5], [0.0, 0.0, 0.0]),
    "std of one": (lambda x: np.std(x, ddof=0), [1.5], [0.0]),
    "var of constants": (np.var, [1.5, 1.5], [0.0, 0.0]),
    "norm at 0": (np.linalg.norm, [0.0, 0.0], [0.0, 0.0]),
    "norm of order 1 at 0": (lambda x: np.linalg.norm(x, 1), [0.0, 2.0], [0.0, 1.0]),
    "norm of order 3 at 0": (lambda x: np.linalg.norm(x, 3), [0.0, 0.0], [0.0, 0.0]),
    "prod with a zero": (np.prod, [2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
    "prod with two zeros": (np.prod, [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    "cumprod with a zero": (np.cumprod, [2.0, 0.0, 3.0], [1.0, 8.0, 0.0]),
    "sinc at 0": (np.sinc, [0.0, -0.0], [0.0, 0.0]),
    "logaddexp of -inf": (lambda x: np.logaddexp(x[0], x[1]), [-INF, -INF], [0.5, 0.5]),
    "logaddexp of inf": (lambda x: np.logaddexp(x[0], x[1]), [INF, INF], [0.5, 0.5]),
    "logaddexp of far apart": (lambda x: np.logaddexp(x[0], x[1]), [-INF, 1e30], [0.0, 1.0]),
    "logsumexp of -inf": (ag.logsumexp, [-INF, -INF], [0.0, 0.0]),
    "logsumexp beside -inf": (ag.logsumexp, [-INF, 1.0], [0.0, 1.0]),
    "hypot at 0": (lambda x: np.hypot(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
    "arctan2 at 0": (lambda x: np.arctan2(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
    "x**0 at 0": (lambda x: x**0, [0.0, 2.0], [0.0, 0.0]),
    "x**0.0 at 0": (lambda x: x ** np.zeros(2), [0.0, 2.0], [0.0, 0.0]),
    "x**1 at 0": (lambda x: x**1, [0.0], [1.0]),
    "x**2 at 0": (lambda x: x**2, [0.0, -0.0], [0.0, 0.0]),
    "x**b at 0": (lambda x: x ** np.array([1.0, 2.0, 3.0]), [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
    "0**b": (lambda b: 0.0**b, [2.0, 0.5], [0.0, 0.0]),
    "0**b of an array": (lambda b: np.zeros(2) ** b, [2.0, 0.0], [0.0, 0.0]),
    "a negative base": (lambda x: x**3, [-2.0], [12.0]),
    "running maximum of ties": (
        lambda x: np.maximum.accumulate(x) * np.array([1.0, 2.0, 3.0, 4.0]), [2.0, 2.0, 1.0, 2.0], [1 + 1 + 1.5 + 4 / 3, 1 + 1.5 + 4 / 3, 0.0, 4 / 3],
    ),
    "running minimum of ties": (np.minimum.accumulate, [2.0, 2.0], [1.5, 0.5]),
    "median of an even number": (np.median, [1.0, 2.0, 3.0, 4.0], [0.0, 0.5, 0.5, 0.0]),
    "median of ties": (np.median, [2.0, 2.0, 2.0], [0.0, 1.0, 0.0]),
    "quantile at an entry": (lambda x: np.quantile(x, 0.5), [1.0, 2.0, 3.0], [0.0, 1.0, 0.0]),
    "quantile by q at an entry": (lambda q: np.quantile(np.array([1.0, 2.0, 5.0], q.dtype), q), [0.0, 0.5, 1.0], [2.0, 6.0, 6.0]),
    "interp at corners": (lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 1.0, 4.0]), [1.0], [3.0]),
    "interp at its ends": (lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 1.0, 4.0]), [0.0, 2.0], [1.0, 3.0]),
    "interp beyond its ends": (lambda x: np.interp(x, [0.0, 1.0], [0.0, 1.0]), [-1.0, 3.0], [0.0, 0.0]),
    "sign at 0": (lambda x: x + np.sign(x), [0.0, 1.0], [1.0, 1.0]),
    "heaviside at 0": (lambda x: x + np.heaviside(x, 0.5), [0.0, 1.0], [1.0, 1.0]),
    "remainder at a multiple": (lambda x: np.mod(x, 1.0), [1.0], [1.0]),
    "unwrap at half a turn": (np.unwrap, [0.0, np.pi], [1.0, 1.0]),
    "unique of ties": (np.unique, [1.0, 1.0, 2.0], [1.0, 0.0, 1.0]),
    "nan_to_num": (np.nan_to_num, [NAN, INF, -INF, 1.0], [0.0, 0.0, 0.0, 1.0]),
    "fmax beside NaN": (lambda x: np.fmax(x[0], x[1]), [NAN, 1.0], [0.0, 1.0]),
    "nansum": (np.nansum, [NAN, 2.0], [0.0, 1.0]),
    "nanmean": (np.nanmean, [NAN, 2.0, 4.0], [0.0, 0.5, 0.5]),
    "nanmax of ties": (np.nanmax, [NAN, 2.0, 2.0], [0.0, 0.5, 0.5]),
    "nanstd of constants": (np.nanstd, [NAN, 2.0, 2.0], [0.0, 0.0, 0.0]),
    "nanmedian": (np.nanmedian, [NAN, 2.0, 3.0], [0.0, 0.5, 0.5]),
    "singular values at 0": (lambda x: np.linalg.svdvals(np.diag(x)), [1.0, 0.0], [1.0, 0.0]),
    "norm of order 2 at a tie": (lambda x: np.linalg.norm(np.diag(x), 2), [1.0, 1.0], [0.5, 0.5]),
    "eigenvalues that tie": (lambda x: np.linalg.eigvalsh(np.diag(x))[0], [1.0, 1.0], [1.0, 0.0]),
    "their sum": (lambda x: np.sum(np.linalg.eigvalsh(np.diag(x))), [1.0, 1.0], [1.0, 1.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", CHOSEN)
def test_chosen_derivative(name):
    f, x, expected = CHOSEN[name]
    for scale in (1.0, 2.0):
        g = lambda x, scale=scale: scale * np.sum(f(x))
        np.testing.assert_allclose(ag.grad(g)(np.array(x)), scale * np.array(expected), atol=1e-15)
    t = ag.Tensor(x, dtype=np.float32)
    np.sum(f(t)).backward()
    np.testing.assert_allclose(t.grad, expected, rtol=1e-6)


SECOND = {
    "relu at 0": (ag.relu, [0.0], [[0.0]]),
    "sinc at 0": (np.sinc, [0.0], [[-(np.pi**2) / 3]]),
    "x**2 at 0": (lambda x: x**2, [0.0], [[2.0]]),
    "square at 0": (np.square, [0.0], [[2.0]]),
    "x**b at 0": (lambda x: x ** np.array([1.0, 2.0]), [0.0, 0.0], [[0.0, 0.0], [0.0, 2.0]]),
    "x**0 at 0": (lambda x: x**0, [0.0], [[0.0]]),
    "abs at 0": (np.abs, [0.0], [[0.0]]),
    "prod with a zero": (np.prod, [2.0, 0.0, 3.0], [[0.0, 3.0, 0.0], [3.0, 0.0, 2.0], [0.0, 2.0, 0.0]]),
    "prod with two zeros": (np.prod, [2.0, 0.0, 0.0], [[0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 2.0, 0.0]]),
    "cumprod with zeros": (np.cumprod, [0.0, 0.0, 5.0], [[0.0, 6.0, 0.0], [6.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
    "var of constants": (np.var, [1.5, 1.5], [[0.5, -0.5], [-0.5, 0.5]]),
    "max of ties": (np.max, [1.0, 1.0], [[0.0, 0.0], [0.0, 0.0]]),
    "logaddexp of a tie": (lambda x: np.logaddexp(x[0], x[1]), [1.0, 1.0], [[0.25, -0.25], [-0.25, 0.25]]),
    "hypot at 0": (lambda x: np.hypot(x[0], x[1]), [0.0, 3.0], [[1 / 3, 0.0], [0.0, 0.0]]),
}


@pytest.mark.parametrize("name", SECOND)
def test_chosen_second_derivative(name):
    f, x, expected = SECOND[name]
    g = lambda x: np.sum(f(x))
    np.testing.assert_allclose(ag.hessian(g)(np.array(x)), expected, atol=1e-12)
    np.testing.assert_allclose(ag.jacobian(ag.grad(g), mode="forward")(np.array(x)), expected, atol=1e-12)


def test_nan_skipping_lets_nothing_into_what_it_skips():
    x = np.array([-1.0, 0.25, 4.0, 2.0])
    for skip in (np.nansum, np.nanmean, np.nanmax, np.nanprod, np.nanmedian, np.nanvar):
        f = lambda x, skip=skip: skip(np.sqrt(x) * np.array([1.0, 1.0, 2.0, 1.0]))
        with np.errstate(invalid="ignore"):
            found = ag.grad(f)(x)
        assert found[0] == 0
        g = lambda x, skip=skip: skip(np.sqrt(x) * np.array([1.0, 2.0, 1.0]))
        np.testing.assert_allclose(found[1:], ag.grad(g)(x[1:]), rtol=1e-14, err_msg=skip.__name__)


def test_the_logarithm_at_the_identity():
    """By eigh at tied values where f is 0 the slope off the diagonal is lost; without vectors it is there."""
    scipy = pytest.importorskip("scipy.linalg", reason="SciPy is not installed")
    entry = lambda f: ag.grad(lambda a: f(a)[0, 1] + f(a)[1, 0])(np.eye(2))
    np.testing.assert_allclose(entry(ag.primitive(scipy.logm)), [[0, 1], [1, 0]], atol=1e-14)
    by_eigh = lambda f: lambda a: (lambda w, V: V @ (f(w)[:, None] * V.T))(*np.linalg.eigh(a))
    with pytest.raises(np.linalg.LinAlgError, match="is repeated"):
        entry(by_eigh(lambda w: np.log(2 * w)))


def test_a_multiple_root_has_no_finite_slope():
    with np.errstate(all="ignore"):
        found = ag.grad(lambda p: np.real(np.roots(p)[0]))(np.array([1.0, -2.0, 1.0]))
    assert not np.any(np.isfinite(found))


def test_standard_deviation_of_constants_beside_others():
    x = np.array([[1.0, 1.0], [1.0, 3.0]])
    np.testing.assert_array_equal(ag.grad(lambda x: np.sum(np.std(x, axis=1)))(x), [[0, 0], [-0.5, 0.5]])
    assert np.all(np.isfinite(ag.hessian(lambda x: np.sum(np.std(x, axis=1)))(x)))


def test_absolute_value_of_complex_zero():
    z = np.array([0j, 3 + 4j])
    np.testing.assert_allclose(ag.grad(lambda z: np.sum(np.abs(z)))(z), [0, 0.6 - 0.8j])


def test_into_a_scalar_that_is_not_selected_nothing_flows_and_nothing_is_walked():
    # A rectifier's mask would follow every product below it: micrograd's moons step took 1.25 s, it takes 0.29 s.
    calls = []

    @ag.primitive
    def watched(x):
        return x * 1.0

    ag.rule(watched, lambda g, x: calls.append(x) or g, elementwise=True)
    a, b, never = ag.Tensor(-1.0), ag.Tensor(3.0), ag.Tensor(2.0)
    loss = ag.relu(watched(a * b)) + np.where(a > 0, np.sqrt(np.abs(a + 1.0)), b * b) + ag.stop_gradient(never) * b
    loss.backward()
    assert not calls
    assert (a.grad, b.grad, never.grad) == (0.0, 8.0, None)  # connected, but nothing flows; and not connected at all


def test_absent_scalars_between_borders():
    def f(x, y):
        return ag.relu(x * y) * y

    assert ag.grad(f, (0, 1))(-1.0, 2.0) == (0.0, 0.0)
    assert ag.grad(lambda y: ag.grad(f)(1.0, y))(2.0) == 4.0
    assert ag.grad(lambda y: ag.grad(f)(-1.0, y))(2.0) == 0.0


# --- what cannot move, forwards ----------------------------------------------------------------------------------------
# Zeros that stand beside the entries of `y`, four numbers between 0 and 1: by whatever tangent, they stay.

KEPT = np.array([False, True, True, True])


def changed(change):
    def make(y):
        y = y * 1.0
        change(y)
        return y

    return make


def accumulated(y):
    t = np.sum(y[:0]) + np.zeros(4)  # a sum of nothing cannot move either
    np.add.at(t, [1, 2], y[:2])
    return t


def filled(y):
    y = y.reshape(2, 2) * 1.0
    np.fill_diagonal(y, 0.0)
    return y


first_zero = changed(lambda y: y.__setitem__(0, 0.0))
low = lambda y: np.tril(y.reshape(2, 2), -1)
FIXED = {
    "assignment": first_zero,
    "assignment of a slice": changed(lambda y: y.__setitem__(slice(0, 2), np.zeros(2))),
    "assignment by a mask": changed(lambda y: y.__setitem__(~KEPT, 0.0)),
    "put": changed(lambda y: np.put(y, [0, 2], 0.0)),
    "place": changed(lambda y: np.place(y, ~KEPT, [0.0])),
    "putmask": changed(lambda y: np.putmask(y, ~KEPT, 0.0)),
    "copyto": changed(lambda y: np.copyto(y, 0.0, where=~KEPT)),
    "put_along_axis": changed(lambda y: np.put_along_axis(y, np.array([1]), 0.0, 0)),
    "fill_diagonal": filled,
    "add.at": accumulated,
    "tril": lambda y: np.tril(y.reshape(2, 2)),
    "triu": lambda y: np.triu(y.reshape(2, 2), 1),
    "pad": lambda y: np.pad(y, 2),
    "pad with zeros given": lambda y: np.pad(y.reshape(2, 2), ((1, 0), (0, 1)), constant_values=0.0),
    "diag": np.diag,
    "diag above": lambda y: np.diag(y, 1),
    "diagflat": lambda y: np.diagflat(y.reshape(2, 2)),
    "insert": lambda y: np.insert(y, 1, 0.0),
    "insert columns": lambda y: np.insert(y.reshape(2, 2), [0, 1], np.zeros(2), axis=1),
    "concatenate": lambda y: np.concatenate([y, np.zeros(2)]),
    "stack": lambda y: np.stack([y, np.zeros(4)]),
    "hstack": lambda y: np.hstack([np.zeros(1), y]),
    "block": lambda y: np.block([[y.reshape(2, 2), np.zeros((2, 2))], [np.zeros((2, 2)), y.reshape(2, 2)]]),
    "append": lambda y: np.append(y, 0.0),
    "diff of zeros in front": lambda y: np.diff(np.concatenate([np.zeros(2), np.sort(y)])),
    "ediff1d": lambda y: np.ediff1d(np.sort(y), to_end=0.0),
    "cumulative_sum": lambda y: np.cumulative_sum(y / 4, include_initial=True),
    "where": lambda y: np.where(KEPT, y, 0.0),
    "where of a scalar": lambda y: np.where(False, y[0], 0.0),
    "select": lambda y: np.select([KEPT], [y], 0.0),
    "choose": lambda y: np.choose(KEPT.astype(int), [np.zeros(4), y]),
    "piecewise": lambda y: np.piecewise(y, [KEPT], [lambda v: v, 0.0]),
    "clip": lambda y: np.clip(y, 0.5, 2) - 0.5,
    "maximum": lambda y: np.maximum(y, 0.5) - 0.5,
    "maximum of arrays": lambda y: np.maximum(y, np.full(4, 0.5)) - 0.5,
    "minimum": lambda y: 0.6 - np.minimum(y, 0.6),
    "fmax": lambda y: np.fmax(y, 0.5) - 0.5,
    "relu": lambda y: ag.relu(y - 0.5),
    "nan_to_num": lambda y: np.nan_to_num(np.where(KEPT, y, NAN)),
    "where= and out=": lambda y: np.multiply(y, 1.0, where=KEPT, out=ag.Tensor(np.zeros(4), requires_grad=False)),
    "vander": lambda y: np.vander(y, 3) - np.array([0, 0, 1.0]),
    "cholesky": lambda y: np.linalg.cholesky(np.eye(2) + np.outer(y[:2], y[:2])),
    "qr": lambda y: -np.linalg.qr(np.array([[2.0, 0.3], [0.2, 2.0]]) + np.outer(y[:2], y[:2]))[1][1:, :1] * 1.0,
    "einsum on a diagonal": lambda y: np.diag(y)[None] * np.ones((2, 1, 1)),
    "interp beyond its ends": lambda y: np.interp(y, [0.4, 0.4, 0.8, 1.0], [0.0, 0.2, 0.7, 1.0], left=None),
    "checkpoint": ag.checkpoint(first_zero),
    # carried on
    "roll": lambda y: np.roll(first_zero(y), 1),
    "flip": lambda y: np.flip(first_zero(y)),
    "sort": lambda y: np.sort(first_zero(y)),
    "reshape and transpose": lambda y: first_zero(y).reshape(2, 2).T,
    "index": lambda y: first_zero(y)[[0, 0, 1]],
    "take_along_axis": lambda y: np.take_along_axis(first_zero(y), np.array([0, 1]), 0),
    "repeat": lambda y: np.repeat(first_zero(y), 2),
    "tile": lambda y: np.tile(first_zero(y), 2),
    "broadcast_to": lambda y: np.broadcast_to(first_zero(y), (2, 4)),
    "delete": lambda y: np.delete(first_zero(y), 1),
    "resize": lambda y: np.resize(first_zero(y), (7,)),
    "split": lambda y: np.split(first_zero(y), 2)[0],
    "unstack": lambda y: np.unstack(first_zero(y))[0],
    "pad by the edge": lambda y: np.pad(first_zero(y), 1, mode="edge"),
    "diagonal": lambda y: np.diagonal(np.tril(y.reshape(2, 2)), 1),
    "rot90": lambda y: np.rot90(low(y)),
    "sum of rows": lambda y: np.sum(low(y), axis=1),
    "mean of rows": lambda y: np.mean(low(y), axis=1),
    "max of rows": lambda y: np.max(low(y), axis=1),
    "trapezoid of rows": lambda y: np.trapezoid(low(y), axis=1),
    "trace": lambda y: np.trace(low(y)),
    "cumsum": lambda y: np.cumsum(first_zero(y) / 4),
    "matrix times column": lambda y: np.ones((3, 2)) @ np.triu(y.reshape(2, 2), 1) / 2,
    "dot": lambda y: low(y).dot(np.array([0.5, 0.8])),
    "einsum": lambda y: np.einsum("ij,j->i", low(y), np.array([0.5, 0.8])),
    "convolve": lambda y: np.convolve(first_zero(y), [1.0]),
    "sum of two": lambda y: (first_zero(y) + first_zero(y * y)) / 2,
    "product of two": lambda y: first_zero(y) * first_zero(y),
    "sine": lambda y: np.sin(first_zero(y)),
    "real part": lambda y: np.real(first_zero(y) + 0j),
    "astype": lambda y: first_zero(y).astype(float),
}
AT_ZERO = {
    "sqrt": np.sqrt,
    "root of a root": lambda y: np.sqrt(np.sqrt(y)),
    "cbrt": np.cbrt,
    "log": np.log,
    "log2": np.log2,
    "log1p": lambda y: np.log1p(y - 1),
    "x log x": lambda y: y * np.log(y),
    "1/x": lambda y: 1 / y,
    "reciprocal": np.reciprocal,
    "sine of 1/x": lambda y: np.sin(1 / y),
    "sin(x)/x": lambda y: np.sin(y) / y,
    "x**0.5": lambda y: y**0.5,
    "x**-1": lambda y: y**-1.0,
    "x**x": lambda y: y**y,
    "arccos": lambda y: np.arccos(1 - y),
    "arcsin": lambda y: np.arcsin(1 - y),
    "arctanh": lambda y: np.arctanh(1 - y),
    "arccosh": lambda y: np.arccosh(1 + y),
    "arctan2": lambda y: np.arctan2(y, y),
    "norm": np.linalg.norm,
}


CURVED = ["sqrt", "x**x", "arccos", "1/x"]  # of which second derivatives are taken, too


@pytest.mark.parametrize("fixed", FIXED)
def test_what_cannot_move_has_no_tangent(fixed):
    make, x, v = FIXED[fixed], np.array([0.9, 0.31, 0.72, 0.45]), np.array([1.0, 2.0, -1.0, 0.5])
    for name, h in AT_ZERO.items():
        with np.errstate(all="ignore"):
            try:
                slope = check_tangent(lambda x, h=h: np.sum(np.sin(h(make(x)))), x, v)
                check_against_differences(lambda x, h=h: h(make(x)), slope @ v, x, v)
                if name in CURVED:
                    check_second_order(lambda x, h=h: np.sum(np.sin(h(make(x)))), x, v)
            except AssertionError as error:
                error.add_note(name)
                raise


def same(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


def check_tangent(f, x, v):
    slope = ag.grad(f)(x)
    same(slope @ v, ag.jvp(f, (x,), (v,))[1])
    same(ag.jacobian(f, mode="forward")(x), slope)
    return slope


def check_against_differences(h, found, x, v):
    """Compare with the differences of all entries that are finite: the others are those that stay."""

    def moving(x):
        y = np.asarray(ag.stop_gradient(h(ag.Tensor(x, requires_grad=False))))
        return np.sum(np.sin(y), where=np.isfinite(y))

    (expected,) = along(lambda y: (moving(y[0]),), (x,), (v * 0.1,))
    np.testing.assert_allclose(found, expected * 10, rtol=1e-4, atol=1e-6)


def check_second_order(f, x, v):
    second = ag.grad(lambda x: np.sum(ag.grad(f)(x) * v))(x)
    same(ag.jvp(ag.grad(f), (x,), (v,))[1], second)
    same(ag.grad(lambda x: ag.jvp(f, (x,), (v,))[1])(x), second)
    same(ag.hvp(f)(x, v), second)
    same(ag.jvp(lambda x: ag.jvp(f, (x,), (v,))[1], (x,), (v,))[1], second @ v)
    (expected,) = along(lambda y: (ag.grad(f)(y[0]),), (x,), (v * 0.1,))
    np.testing.assert_allclose(second, expected * 10, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fixed", ["assignment", "tril", "concatenate", "maximum", "qr", "sort", "matrix times column"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiled_tangents_know_what_cannot_move(fixed, dtype):
    x, v = np.array([0.9, 0.31, 0.72, 0.45], dtype), np.array([1.0, 2.0, -1.0, 0.5], dtype)
    f = lambda x: np.sum(np.sqrt(FIXED[fixed](x)))
    forward = lambda x: ag.jvp(f, (x,), (v,))[1]
    with np.errstate(all="ignore"):
        compiled = ag.compile(forward)
        for a in (x, x * dtype(0.8), x[::-1].copy()):
            np.testing.assert_allclose(compiled(a), forward(a), rtol=1e-5)
            np.testing.assert_allclose(forward(a), ag.grad(f)(a) @ v, rtol=1e-4)


def test_a_tangent_that_is_zero_only_by_its_value_is_not_absent():
    f = lambda x: np.sum(np.sqrt(x * np.array([0.0, 1.0])))
    with np.errstate(all="ignore"):
        assert np.isnan(ag.jvp(f, (np.ones(2),), (np.ones(2),))[1])
        assert np.isnan(ag.grad(f)(np.ones(2))[0])


def test_a_pullback_that_takes_no_nan_is_not_asked_twice():
    @ag.primitive
    def doubled(x):
        return np.array([2 * x[0], 0.0])

    def pull(g):
        if isinstance(g, np.ndarray) and not np.all(np.isfinite(g)):
            raise ValueError("no NaN here")
        return 2 * g * np.array([1.0, 0.0])

    ag.rule(doubled, pull, linear=False)
    f = lambda x: np.sum(np.sin(doubled(np.tril(x[None])[0]) + 1))
    x = np.array([0.3, 0.4])
    np.testing.assert_allclose(
        ag.jvp(lambda x: np.log(1 + f(x)), (x,), (x,))[1], ag.grad(lambda x: np.log(1 + f(x)))(x) @ x
    )


def test_numpy_warns_again_behind_a_selection():
    t, x = ag.Tensor(0.0), ag.Tensor([0.0, 4.0])
    with np.errstate(divide="ignore"):
        a = np.log(t)  # recorded first, so walked last
    loss = a + np.sum(np.where(x.data > 0, np.sqrt(x) ** 1.5, 0.0))
    before = np.geterr()
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        loss.backward()
    assert np.geterr() == before
    assert x.grad[0] == 0.0


def test_settings_are_put_back_after_a_pullback_raises():
    @ag.primitive
    def breaks(x):
        return x * 1.0

    def pull(g):
        raise ValueError(f"on purpose, given {g}")

    ag.rule(breaks, pull, elementwise=True)
    x = ag.Tensor([0.0, 4.0])
    loss = np.sum(np.where(x.data > 0, np.sqrt(breaks(x)), 0.0))
    before = np.geterr()
    with pytest.raises(ValueError, match="on purpose"):
        loss.backward()
    assert np.geterr() == before
