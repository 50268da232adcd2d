"""What the samples do not say of NumPy's rarer functions: kinks, NaN, keywords, methods of ufuncs, assignment, errors."""

import warnings

import numpy as np
import pytest
from numeric import along, close, gradient
from tables import expressions, named, same

import autograd_core as ag
from autograd_core.ops import methods, parts
from autograd_core.spaces import space_of

INF, NAN = np.inf, np.nan
T = ag.Tensor


def slope(f, x):
    return ag.grad(lambda x: np.sum(f(x)))(np.asarray(x, float))


def check(f, *x, tolerance=1e-6):
    """Compare values with NumPy's bit for bit, and gradients, tangents and Hessian's products with differences."""
    values, pull = ag.vjp(f, *x)
    same(np.asarray(values)[()], np.asarray(f(*x))[()])
    rng = np.random.default_rng(1)
    w = rng.uniform(-1, 1, np.shape(values))
    v = tuple(rng.uniform(-1, 1, np.shape(a)) for a in x)
    found = pull(w) if len(x) > 1 else (pull(w),)
    close(found, gradient(lambda y: np.sum(np.real(f(*y) * w)), x), tolerance)
    _, tangent = ag.jvp(f, x, v)
    close((tangent,), along(lambda y: (f(*y),), x, v), tolerance)


# --- past NaN ---------------------------------------------------------------------------------------------------------

PAST_NAN = expressions(
    "np.nansum(np.log(t))", "np.nanmean(np.sqrt(t))", "np.nanvar(np.log(t))", "np.nanstd(np.arccos(t))", "np.nanmax(np.log(t))",
    "np.nanmin(np.sqrt(t))", "np.nanprod(np.log(t))", "np.nanmedian(np.sqrt(t))", "np.nanquantile(np.log(t), 0.3)",
    "np.nanpercentile(np.sqrt(t), 70.0)", "np.nancumsum(np.sqrt(t))[-1]", "np.nancumprod(np.log(t))[-1]", "np.sum(np.nan_to_num(np.sqrt(t)))",
    "np.fmax.reduce(np.sqrt(t))", "np.fmin.reduce(np.log(t))",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("f", PAST_NAN)
def test_nothing_flows_into_what_is_nan(f):
    x, kept = np.array([0.5, -1.5, 0.3, 0.9]), np.array([0.5, 0.3, 0.9])
    found = ag.grad(f)(x)
    alone = ag.grad(f)(kept)
    np.testing.assert_allclose(found, [alone[0], 0.0, *alone[1:]], rtol=1e-12)
    v = np.array([0.3, 1.0, -0.2, 0.5])
    second = ag.grad(lambda x: ag.grad(f)(x) @ v)(x)
    assert np.isfinite(second).all()
    assert np.isfinite(ag.jvp(f, (x,), (v,))[1])


@pytest.mark.parametrize("name", ["nanmean", "nanmax", "nanmin", "nanvar", "nanmedian"])
def test_an_empty_slice_warns_as_numpy_does(name):
    fn = getattr(np, name)
    x = np.array([[NAN, NAN], [1.0, 3.0]])
    for a in (x, T(x)):
        with pytest.warns(RuntimeWarning):
            y = fn(a, axis=1)
    assert np.isnan(y.data[0])
    y[1].backward()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = ag.grad(lambda x: fn(x, axis=1)[1])(x)
    np.testing.assert_array_equal(found[0], 0)
    assert np.isfinite(found).all()


# --- kinks, ties and ends ---------------------------------------------------------------------------------------------

KINKS = {
    "median of an even number": (lambda x: np.median(x), [3.0, 1.0, 2.0, 9.0], [0.5, 0, 0.5, 0]),
    "median of a tie": (lambda x: np.sum(np.median(x)), [1.0, 1.0, 1.0], None),
    "median with NaN": (lambda x: np.median(x), [1.0, NAN, 0.0], [0, 1, 0]),
    "quantile at an entry": (lambda x: np.quantile(x, 0.5), [3.0, 1.0, 2.0], [0, 0, 1]),
    "quantile at the ends": (lambda x: np.sum(np.quantile(x, [0.0, 1.0])), [3.0, 1.0, 2.0], [1, 1, 0]),
    "running maximum": (lambda x: np.maximum.accumulate(x), [1.0, 3.0, 2.0, 4.0], [1, 2, 0, 1]),
    "running maximum of ties": (lambda x: np.maximum.accumulate(x), [2.0, 2.0, 1.0, 2.0], [1 + 1 / 2 + 1 / 2 + 1 / 3, 1 / 2 + 1 / 2 + 1 / 3, 0, 1 / 3]),
    "running minimum with NaN": (lambda x: np.minimum.accumulate(x), [2.0, NAN, 1.0], [1, 2, 0]),
    "nanmax of ties": (lambda x: np.nanmax(x), [2.0, NAN, 2.0], [0.5, 0, 0.5]),
    "sign": (np.sign, [0.0, -2.0], [0, 0]),
    "modf": (lambda x: np.modf(x)[0], [0.0, 1.0, -2.5], [1, 1, 1]),
    "frexp": (lambda x: np.frexp(x)[0], [0.0, 1.0, -3.0], [1, 0.5, 0.25]),
    "nextafter": (lambda x: np.nextafter(x, INF), [0.0, 1.0], [1, 1]),
    "i0 at 0": (np.i0, [0.0], [0]),
    "interp at a corner": (lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 3.0, 4.0]), [0.0, 1.0, 2.0], [3, 1, 1]),
    "interp beyond": (lambda x: np.interp(x, [0.0, 1.0], [0.0, 3.0], left=7.0), [-1.0, 2.0], [0, 0]),
    "hypot.reduce of zeros": (lambda x: np.hypot.reduce(x), [0.0, 0.0], [0, 0]),
    "logaddexp.reduce of -inf": (lambda x: np.logaddexp.reduce(x), [-INF, -INF], [0, 0]),
    "nan_to_num": (np.nan_to_num, [NAN, INF, 2.0], [0, 0, 1]),
    "trim_zeros": (np.trim_zeros, [0.0, 2.0, 0.0, 3.0, 0.0], [0, 1, 1, 1, 0]),
    "choose": (lambda x: np.choose([0, 1], [x[:2], x[2:]]), [1.0, 2.0, 3.0, 4.0], [1, 0, 0, 1]),
    "piecewise": (lambda x: np.piecewise(x, [x < 0], [lambda y: y * 2, np.sqrt]), [-1.0, 4.0], [2, 0.25]),
    "vander at 0": (lambda x: np.vander(x, 3), [0.0], [1]),
}  # fmt: skip


@pytest.mark.parametrize(("f", "x", "expected"), named(KINKS))
def test_kinks(f, x, expected):
    found = slope(f, x)
    if expected is None:
        assert found.sum() == pytest.approx(1)
        assert np.isfinite(found).all()
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_an_entry_masked_by_one_of_its_copies_is_present():
    # Cotangents of copies of one entry: the mask of the last one used to win.
    found = ag.grad(lambda x: np.sum(np.where([True, False], np.log(x)[np.array([0, 0])], 0.0)))(np.array([2.0]))
    np.testing.assert_array_equal(found, [0.5])


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (1.0, 0.565159103992485),
        (10.0, 2670.988303701255),
        (-100.0, -1.068369390338163e42),
        (1e-9, 5e-10),
        (0.5, 0.2578943053908963),
    ],
)
def test_i1_is_exact(x, expected):
    np.testing.assert_allclose(parts.i1(np.array([x])), [expected], rtol=4e-15)
    np.testing.assert_allclose(slope(np.i0, [x]), [expected], rtol=4e-15)


def test_uniform_coordinates_still_have_their_own_slope():
    # NumPy computes the gradient on evenly spaced points by another formula, which knows only the first distance.
    x, y = np.array([0.0, 0.5, 1.0, 1.5]), np.array([1.0, 4.0, 9.0, 10.0])
    for order in (1, 2):
        f = lambda x, order=order: np.gradient(y, x, edge_order=order)
        same(ag.vjp(f, x)[0], f(x))
        w = np.array([0.3, -1.0, 0.7, 0.2])
        bent = x + 1e-9 * np.array([1.0, -1.0, 2.0, 0.0])
        np.testing.assert_allclose(ag.vjp(f, x)[1](w), gradient(lambda x, f=f, w=w: f(x[0]) @ w, (bent,))[0], rtol=1e-5)


def test_roots_at_zero_and_of_a_vanishing_leading_coefficient():
    p = np.array([0.0, 2.0, -6.0, 4.0, 0.0])
    value, pull = ag.vjp(np.roots, p)
    same(value, np.roots(p))
    np.testing.assert_allclose(np.sort(value), [0, 1, 2])
    found = pull(np.ones(3))  # the sum of the roots is -b/a
    np.testing.assert_allclose(found[1:], [-1.5, -0.5, 0, 0], atol=1e-12)


# --- several arguments tracked, of which NumPy asks only some -----------------------------------------------------------

rng = np.random.default_rng(0)
A, B, C = rng.uniform(0.5, 2, (3, 4)), rng.uniform(0.5, 2, 4), rng.uniform(0.5, 2, 3)
SEVERAL = {
    "nanvar about": (lambda a, m: np.nanvar(a, axis=1, mean=m[:, None]), A, C),
    "interp left": (lambda f, a: np.interp(np.array([-1.0, 0.4, 5.0]), [0.0, 1.0, 2.0], f, left=a[0], right=a[1]), C, B),
    "pad constant": (lambda a, b: np.pad(a, 1, constant_values=((b[0], b[1]), (b[2], b[3]))), A, B),
    "pad with a pair": (lambda a, b: np.pad(a, 1, constant_values=(b[0], 2.0)), A, B),
    "pad with a row": (lambda a, b: np.pad(a, 1, constant_values=b[:2]), A, B),
    "pad ramp": (lambda a, b: np.pad(a, ((0, 0), (2, 3)), mode="linear_ramp", end_values=b[0]), A, B),
    "polyint": (lambda p, k: np.polyint(p, 2, k[:2]), B, C),
    "insert": (lambda a, b: np.insert(a, [1, 2, 2], b, axis=1), A[:, :2], A[:, 1:]),
    "full_like": (lambda a, b: np.full_like(a, b), A, B),
    "nan_to_num": (lambda a, b: np.nan_to_num(a * np.array([1.0, NAN, 1.0, 1.0]), nan=b[0]), A, B),
    "nested arrays": (lambda a, b: np.array([[a[0], 1.0], [b[1], a[2]]], like=a), B, C),
    "logspace by base": (lambda a, b: np.logspace(a, 2.0, 3, base=b), C, C + 0.1),
    "ediff1d with ends": (lambda a, b: np.ediff1d(a, to_end=b, to_begin=b[0]), B, C),
    "histogram of weights": (lambda e, w: np.histogram(np.array([0.1, 0.9, 1.5]), np.cumsum(e), weights=w, density=True)[0], np.array([0.05, 0.5, 0.6, 0.7]), C),
}  # fmt: skip


@pytest.mark.parametrize(("f", "a", "b"), named(SEVERAL))
def test_derivatives_by_several_arguments(f, a, b):
    check(f, a, b)


# --- methods of ufuncs ------------------------------------------------------------------------------------------------

METHODS = expressions(
    "np.add.reduce(t)", "np.add.reduce(t, axis=(0, 1), keepdims=True)", "np.add.reduce(t, 1, initial=2.0, where=t > 1)", "np.multiply.reduce(t, axis=1)",
    "np.maximum.reduce(t, axis=None)", "np.minimum.reduce(t, axis=1, initial=0.7)", "np.fmax.reduce(t)", "np.fmin.reduce(t, axis=(0, 1))",
    "np.hypot.reduce(t, axis=None)", "np.logaddexp.reduce(t, axis=1)", "np.logaddexp2.reduce(t, axis=(0, 1), keepdims=True)", "np.subtract.reduce(t)",
    "np.subtract.reduce(t, axis=1, initial=3.0)", "np.divide.reduce(t, axis=1, keepdims=True)", "np.power.reduce(t)", "np.arctan2.reduce(t)", "np.remainder.reduce(t + [[9], [3], [1]])",
    "np.subtract.reduce(t, initial=1.0, where=t > 1)", "np.hypot.reduce(t, initial=2.0)", "np.float_power.reduce(t, axis=0)",
    "np.add.accumulate(t)", "np.multiply.accumulate(t, axis=1)", "np.maximum.accumulate(t, axis=1)", "np.minimum.accumulate(t)", "np.fmax.accumulate(t)", "np.hypot.accumulate(t, axis=1)",
    "np.logaddexp.accumulate(t)", "np.subtract.accumulate(t, axis=-1)", "np.power.accumulate(t)",
    "np.add.reduceat(t, [0, 2, 1])", "np.add.reduceat(t, [0, 2], axis=1)", "np.multiply.reduceat(t, [0, 2, 3, 1], axis=1)", "np.maximum.reduceat(t, [0, 1])", "np.subtract.reduceat(t, [1, 0, 2])", "np.hypot.reduceat(t, [0, 1])",
    "np.multiply.outer(t, t[0])", "np.subtract.outer(2.0, t)", "np.arctan2.outer(t[0], [1.0, 2.0])", "np.add.reduce(t, dtype=np.float64)", "np.multiply.accumulate(t, dtype=np.float64)",
)  # fmt: skip


@pytest.mark.parametrize("f", METHODS)
def test_methods_of_ufuncs(f):
    check(f, A)


@pytest.mark.parametrize("method", ["reduce", "accumulate", "reduceat", "outer"])
def test_methods_of_constant_ufuncs(method):
    rest = {"reduce": (), "accumulate": (), "reduceat": ([0, 2],), "outer": (B,)}[method]
    for ufunc in (np.logical_and, np.floor_divide, np.logical_xor):
        got, expected = getattr(ufunc, method)(T(A), *rest), getattr(ufunc, method)(A, *rest)
        assert type(got) is type(expected) or (ufunc is np.floor_divide and method != "outer")
        same(got, expected)


def test_floor_division_hands_a_first_entry_on():
    x = np.array([[7.5, 2.0, 3.0], [9.5, 4.0, 1.5]])
    first = [[1, 0, 0], [1, 0, 0]]
    same(slope(lambda t: np.floor_divide.accumulate(t, axis=1), x), np.array(first, float))
    same(slope(lambda t: np.floor_divide.reduceat(t, [0, 2], axis=1), x), np.array([[0, 0, 1.0], [0, 0, 1]]))
    same(slope(lambda t: np.floor_divide.reduce(t[:, :1], axis=1), x), np.array(first, float))
    same(slope(lambda t: np.floor_divide.reduce(t, axis=1), x), np.zeros((2, 3)))


AT = {
    "add": (np.add, ([0, 0, 2],), (C,)), "subtract": (np.subtract, ([1, 1, 1],), (C,)), "multiply": (np.multiply, ([0, 0, 2],), (C,)),
    "divide": (np.divide, ([3, 0, 3],), (C,)), "maximum": (np.maximum, ([0, 0, 2],), (C,)), "power": (np.power, ([1, 1, 0],), (C,)), "negative": (np.negative, ([1, 1, 0],), ()),
    "sqrt": (np.sqrt, ([1, 1, 0],), ()), "slice": (np.multiply, (slice(1, 3),), (C[:2],)), "scalar": (np.multiply, (1,), (C[0],)),
}  # fmt: skip


@pytest.mark.parametrize(("ufunc", "index", "operand"), named(AT))
def test_at(ufunc, index, operand):
    def f(t, *operand):
        y = t.copy()
        methods.at(ufunc, y, *index, *operand) if isinstance(y, T) else ufunc.at(y, *index, *operand)
        return y

    check(f, B, *operand)


def test_axes_of_generalised_ufuncs():
    axes = [(1, 0), (0, 1), (0, 1)]
    same(methods.with_axes(np.matmul, (A, A), axes=axes[:2] + [(0, 1)]), np.matmul(A, A, axes=axes))
    same(methods.with_axes(np.vecdot, (A, A), axis=0), np.vecdot(A, A, axis=0))
    same(methods.with_axes(np.matvec, (A, C), axes=[(1, 0), 0, 0]), np.matvec(A, C, axes=[(1, 0), 0, 0]))


# --- keywords ---------------------------------------------------------------------------------------------------------

OUT = expressions(
    "np.median(A, out=t)",
    "np.quantile(A, 0.3, out=t)",
    "np.nansum(A, out=t)",
    "np.nanmean(A, out=t)",
    "np.nanstd(A, out=t)",
    "np.nanmax(A, out=t)",
    "np.max(A, out=t)",
    "np.mean(A, out=t)",
)


@pytest.mark.parametrize("f", OUT)
def test_out_is_assigned_to(f):
    expected = f(np.zeros(()))
    t = T(0.0, requires_grad=False)
    f(t)
    assert t.data == expected


# --- assignment -------------------------------------------------------------------------------------------------------

WRITERS = expressions(
    "np.put(t, 0, v)",
    "np.place(t, [True, False], v)",
    "np.putmask(t, [True, False], v)",
    "np.copyto(t, v)",
    "np.put_along_axis(t, np.array([0]), v, 0)",
    "np.fill_diagonal(t.reshape(1, 2), v)",
    of="t, v",
)


@pytest.mark.parametrize("write", WRITERS)
def test_a_tracked_value_is_not_lost_in_a_plain_array(write):
    with pytest.raises((TypeError, ValueError)) as info:
        write(np.zeros(2), T(1.0))
    chain = [str(info.value), str(info.value.__cause__)]
    assert any("silently lose its gradient" in message for message in chain)


@pytest.mark.parametrize("write", WRITERS)
def test_a_leaf_is_not_written_into(write):
    with pytest.raises(ag.GraphError):
        write(T([1.0, 2.0]), 1.0)


def test_assignment_takes_a_new_value():
    t = T([1.0, 2.0, 3.0])
    y = t * 1
    before = y.data
    np.put_along_axis(y, np.array([1]), t[0] * 5, 0)
    np.testing.assert_array_equal(before, [1, 2, 3])
    np.testing.assert_array_equal(y.data, [1, 5, 3])
    np.sum(y).backward()
    np.testing.assert_array_equal(t.grad, [6, 0, 1])


# --- errors -----------------------------------------------------------------------------------------------------------

ERRORS = {
    "pad with a function": (lambda t: np.pad(t, 1, lambda *_: None), TypeError, "writes into views"),
    "pad mode": (lambda t: np.pad(t, 1, "nonsense"), ValueError, "not supported"),
    "pad width": (lambda t: np.pad(t, -1), ValueError, "negative"),
    "pad keyword": (lambda t: np.pad(t, 1, "edge", stat_length=1), TypeError, "stat_length"),
    "pad nothing": (lambda t: np.pad(t[:0], 1, "edge"), ValueError, "without entries"),
    "nanmax where": (lambda t: np.nanmax(t, where=[True, False]), ValueError, "needs initial="),
    "choose": (lambda t: np.choose([0, 3], [t, t]), ValueError, "mode='wrap'"),
    "piecewise": (lambda t: np.piecewise(t, [t > 1], [1, 2, 3]), ValueError, "as many functions"),
    "gradient spacing": (lambda t: np.gradient(t, [0.0, 1.0, 2.0]), ValueError, "2 places"),
    "gradient order": (lambda t: np.gradient(t, edge_order=2), ValueError, "3 points"),
    "gradient arguments": (lambda t: np.gradient(t, 1.0, 2.0), TypeError, "2 spacings"),
    "geomspace": (lambda t: np.geomspace(t - 1, 2.0), ValueError, "zero"),
    "roots": (lambda t: np.poly(t[None, :]), ValueError, "square matrix"),
    "polyint": (lambda t: np.polyint(t, -1), ValueError, "not negative"),
    "polyfit": (lambda t: np.polyfit(t, t[:1], 1), TypeError, "degree 1"),
    "convolve": (lambda t: np.convolve(t, []), ValueError, "not empty"),
    "cov": (lambda t: np.cov(t[None, None]), ValueError, "more than 2 dimensions"),
    "fweights": (lambda t: np.cov(t, fweights=[0.5, 1]), TypeError, "integer"),
    "tracked weights": (lambda t: np.cov(t, aweights=t), TypeError, "aweights= as a constant"),
    "cumulative_sum": (lambda t: np.cumulative_sum(t[None]), ValueError, "axis must be given"),
    "meshgrid": (lambda t: np.meshgrid(t, indexing="zz"), ValueError, "'xy' or 'ij'"),
    "bincount": (lambda t: np.bincount([0, 1, 2], t), ValueError, "same length"),
    "put": (lambda t: np.put(t * 1, 7, 1.0), IndexError, "beyond"),
    "copyto": (lambda t: np.copyto(t * 1, 1j), TypeError, "cannot cast"),
    "fill_diagonal": (lambda t: np.fill_diagonal(t * 1, 1.0), ValueError, "matrix"),
    "sliding_window_view": (lambda t: np.lib.stride_tricks.sliding_window_view(t, 5), ValueError, "does not fit"),
    "writeable windows": (lambda t: np.lib.stride_tricks.sliding_window_view(t, 1, writeable=True), TypeError, "not a view"),
    "nan_to_num in place": (lambda t: np.nan_to_num(t, copy=False), TypeError, r"x\[...\]"),
    "interp period": (lambda t: np.interp(t, [0.0, 1.0], [0.0, 1.0], period=0), ValueError, "period"),
    "apply_along_axis": (lambda t: np.apply_along_axis(np.sum, 0, t.reshape(2, 1)[:, :0]), ValueError, "no vector"),
    "asmatrix": (lambda t: np.save("f", t), TypeError, r"write t\.data"),
    "arrays of Tensors": (lambda t: np.array([t, t]), TypeError, "silently lose its gradient"),
    "full": (lambda t: np.full(3, t), TypeError, "silently lose its gradient"),
}  # fmt: skip


@pytest.mark.parametrize(("f", "error", "words"), named(ERRORS))
def test_errors(f, error, words):
    with pytest.raises(error, match=words):
        f(T([1.0, 2.0]))


def test_spaces_are_kept():
    x = np.array([[1.0, NAN, 3.0]], np.float32)
    for f in (
        np.nanmean,
        np.nanvar,
        np.nanmedian,
        lambda t: np.nanquantile(t, 0.3),
        lambda t: np.pad(t, 2, "mean"),
        lambda t: np.interp(0.5, [0, 1], t[0, ::2]),
        np.i0,
    ):
        found = ag.grad(lambda t, f=f: np.sum(np.nan_to_num(f(t))))(x)
        assert repr(space_of(found)) == repr(space_of(x))


# --- under a recorder ---------------------------------------------------------------------------------------------------

RECORDED = {
    "sort": np.sort,
    "partition": lambda x: np.partition(x, 1),
    "stack of scalars": lambda x: np.stack([x[0] * x[1], np.sum(x * x)]),
    "clip": lambda x: np.clip(x, 0.25, 0.8),
    "take": lambda x: np.take(x, [1, 0, 1]),
    "trapezoid": np.trapezoid,
    "diagonal": lambda x: np.diagonal(x[:, None] * x),
    "apply_along_axis": lambda x: np.apply_along_axis(np.sum, 0, x[:, None] * x),
}


@pytest.mark.parametrize("name", RECORDED)
def test_what_depends_on_values_is_computed_anew(name):
    gradient = ag.grad(lambda x: np.sum(np.sin(RECORDED[name](x))))
    compiled = ag.compile(gradient)
    for x in (np.array([0.3, 0.7, 0.4, 0.9]), np.array([0.9, 0.2, 0.5, 0.1])):
        np.testing.assert_allclose(compiled(x), gradient(x), rtol=1e-14, atol=1e-15)


# --- rare keywords and kinds ------------------------------------------------------------------------------------------

EMPTY = np.zeros((0, 3))


@pytest.mark.parametrize("fn", [np.max, np.min, np.nanmax, np.nanmin])
def test_extremes_of_nothing_but_an_initial(fn):
    t, start = T(EMPTY), T(1.5)
    y = fn(t, axis=0, initial=start)
    same(y, fn(EMPTY, axis=0, initial=1.5))
    same(fn(t, initial=2.0, keepdims=True), fn(EMPTY, initial=2.0, keepdims=True))
    np.sum(y).backward()
    same(start.grad, np.float64(3))
    assert t.grad.shape == (0, 3)
    with pytest.raises(ValueError, match="no identity"):
        fn(t, axis=0)


def test_single_precision_goes_numpys_ways():
    x, ends = np.linspace(0.3, 1.7, 24, dtype=np.float32).reshape(2, 3, 4), ((1, 2), (3, 4), (5, 6))
    same(np.pad(T(x), ((1, 2),), "linear_ramp", end_values=ends), np.pad(x, ((1, 2),), "linear_ramp", end_values=ends))
    y, places = np.sqrt(x[0, :2].reshape(-1)), np.arange(8.0)
    for weights in (np.arange(1, 9), np.linspace(0.5, 1, 8, dtype=np.float32)):
        same(np.polyfit(places, T(y), 2, w=weights), np.polyfit(places, y, 2, w=weights))


def test_powers_of_and_by_complex_numbers():
    t = T(np.array([1 + 0.5j, 0.5 - 2j], np.complex64))
    np.sum(np.real(t ** (1.5 + 0.5j))).backward()
    assert t.grad.dtype == np.complex64
    t = T(1.5)
    y = (1 + 2j) ** t
    assert y.item() == (1 + 2j) ** 1.5
    np.real(y).backward()
    np.testing.assert_allclose(t.grad, np.real(y.data * np.log(1 + 2j)), rtol=1e-14)
