"""Where rounding, overflow, NaN or an alias once led a derivative astray: one case each, with its numbers."""

import math

import numpy as np
import pytest

import autograd_core as ag
from autograd_core import Tensor
from autograd_core.ops import index
from autograd_core.rules import RULES


@pytest.mark.parametrize(("fn", "a", "slope"), [(np.remainder, 1.0, -9.0), (np.fmod, 1.0, -9.0), (np.fmod, -1.0, 9.0)])
def test_a_quotient_that_rounds_up_counts_no_multiple_too_many(fn, a, slope):
    # 1 / 0.1 is 10.0, but ten times 0.1, which is more than a tenth, is more than 1.
    assert ag.grad(lambda b: fn(a, b))(0.1) == slope
    assert math.isclose(fn(a, 0.1 + 1e-6) - fn(a, 0.1), slope * 1e-6, rel_tol=1e-6)


def test_the_remainder_of_a_negative_number_by_infinity_is_infinity_itself():
    assert ag.grad(lambda b: np.remainder(-1.0, b))(np.inf) == 1


@pytest.mark.parametrize("fn", [np.maximum, np.minimum])
@pytest.mark.parametrize("bound", [1.0, np.ones(2)], ids=["number", "array"])
def test_nan_comes_back_from_the_larger_of_two(fn, bound):
    with np.errstate(invalid="ignore"):
        found = ag.grad(lambda x: np.sum(fn(np.sqrt(x), bound)))(np.array([-1.0, 1.0]))
    assert np.isnan(found[0])
    assert found[1] == 0.25


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("angle", [1e-3, 1.1e-3, 0.01, 0.1, 0.49, 0.51])
def test_the_slope_of_sinc_keeps_its_digits_near_zero(dtype, angle):
    x = dtype(angle / np.pi)
    y = np.pi * np.longdouble(x)
    exact = np.pi * sum((-1) ** k * 2 * k * y ** (2 * k - 1) / math.factorial(2 * k + 1) for k in range(1, 9))
    assert abs(ag.grad(np.sinc)(x) / exact - 1) < 20 * np.finfo(dtype).eps
    terms = ((-1) ** k * 2 * k * (2 * k - 1) * y ** (2 * k - 2) / math.factorial(2 * k + 1) for k in range(1, 9))
    curve = np.pi**2 * sum(terms)
    assert abs(ag.grad(ag.grad(np.sinc))(x) / curve - 1) < 100 * np.finfo(dtype).eps


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_the_slope_of_an_angle_at_any_size(size):
    found = ag.grad(np.arctan2, (0, 1))(size, size)
    np.testing.assert_allclose(np.array(found) * size, [0.5, -0.5], rtol=1e-15)


def test_clip_without_bounds_is_a_copy():
    t = Tensor([1.0, 2.0], requires_grad=False)
    y = np.clip(t, None, None)
    y[0] = 9.0
    assert t.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("large", [1e20, np.inf])
def test_copies_made_by_repeat_are_added_up_apart(large):
    # Differences of running sums lose what is small behind what is large, and are NaN behind an infinity.
    x, g = np.array([1.0, 2.0, 3.0]), np.array([large, 1.0, 2.0])
    np.testing.assert_array_equal(ag.vjp(lambda x: np.repeat(x, [1, 0, 2]), x)[1](g), [large, 0.0, 3.0])
    rows = ag.vjp(lambda x: np.repeat(x, [1, 0, 2], axis=1), np.ones((2, 3)))[1](np.stack([g, g]))
    np.testing.assert_array_equal(rows, [[large, 0.0, 3.0]] * 2)


@pytest.mark.parametrize("large", [1e20, np.inf])
def test_ties_of_a_running_maximum_share_with_none_but_each_other(large):
    x, g = np.array([1.0, 1.0, 1.0, 0.0, 2.0]), np.array([1.0, 2.0, 3.0, 6.0, large])
    found = ag.vjp(np.maximum.accumulate, x)[1](g)
    np.testing.assert_array_equal(found, [1 + 2 / 2 + 9 / 3, 2 / 2 + 9 / 3, 9 / 3, 0.0, large])


def test_einsum_takes_the_numbers_of_all_52_letters():
    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(np.einsum(Tensor(a), [51, 26]).data, np.einsum(a, [51, 26]))
    np.testing.assert_array_equal(np.einsum(Tensor(a), [25, 26]).data, np.einsum(a, [25, 26]))
    np.testing.assert_array_equal(np.einsum(Tensor(a), [26, 25], a, [26, 0]).data, np.einsum(a, [26, 25], a, [26, 0]))


@pytest.mark.parametrize("fn", [np.max, np.min, np.nanmax, np.nanmin])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_an_extreme_with_initial_keeps_the_dtype(fn, dtype):
    a, how = np.array([3, 1, 2], dtype), {"initial": np.float64(2), "where": np.array([True, False, True])}
    found, expected = fn(Tensor(a), **how).data, fn(a, **how)
    assert (found, found.dtype) == (expected, expected.dtype)


@pytest.mark.parametrize("fn", [np.max, np.min])
def test_no_warning_where_an_extreme_is_nan(fn):
    np.testing.assert_array_equal(ag.grad(fn)(np.array([np.nan, 1.0])), [0.0, 0.0])


def test_sort_of_a_number_has_no_axis():
    with pytest.raises(np.exceptions.AxisError):
        np.sort(Tensor(1.0))
    assert np.sort(Tensor(1.0), axis=None).tolist() == [1.0]


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("n", [3, 300])
def test_a_condition_of_any_numbers(kind, n):
    # Long arrays are chosen from by multiplying bits by 0 and 1, which a condition of bytes, 0 to 255, is not.
    c = (np.arange(n) % 3).astype(kind)
    taken, left = ag.grad(lambda a, b: np.sum(np.where(c, a, b)), (0, 1))(np.ones(n), np.ones(n))
    np.testing.assert_array_equal(taken, c != 0)
    np.testing.assert_array_equal(left, c == 0)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16, np.uint64])
def test_an_index_of_small_numbers_reaches_every_entry(kind):
    # 64 * 32 is not a byte: entries beyond the 255th got what belonged to others.
    rng = np.random.default_rng(0)
    index, g = rng.integers(0, 65, (20, 10)), rng.normal(size=(20, 10, 32))
    expected = np.zeros((65, 32))
    np.add.at(expected, index, g)
    pull = ag.vjp(lambda table: table[index.astype(kind)], np.ones((65, 32)))[1]
    np.testing.assert_allclose(pull(g), expected)


def test_the_way_back_of_a_byte_is_no_byte():
    x, three = np.arange(300.0), np.uint8(3)
    for shift in (three, np.array([3], np.uint8)):
        np.testing.assert_array_equal(ag.vjp(lambda x, s=shift: np.roll(x, s), x)[1](x), np.roll(x, -3))
    starts = np.array([255, 255, 250], np.uint8)
    found = ag.vjp(lambda x: np.add.reduceat(x, starts), x)[1](np.array([1.0, 2.0, 4.0]))
    np.testing.assert_array_equal(found[249:], [0.0, *[4.0] * 5, 7.0, *[4.0] * 44])


@pytest.mark.parametrize("mode", ["wrap", "clip"])
def test_an_index_of_bytes_into_a_longer_array(mode):
    x, at = np.arange(300.0), np.array([3, 250], np.uint8)
    np.testing.assert_array_equal(np.take(Tensor(x), at, mode=mode).data, np.take(x, at, mode=mode))
    t = Tensor(x).copy()
    np.put(t, at, [-1.0, -2.0], mode=mode)
    np.put(x, at, [-1.0, -2.0], mode=mode)
    np.testing.assert_array_equal(t.data, x)


@pytest.mark.parametrize("fn", [np.mean, np.var, np.std])
def test_a_moment_of_nothing_sends_back_nothing(fn):
    with pytest.warns(RuntimeWarning):
        value, pull = ag.vjp(lambda x: fn(x[x > 1]), np.zeros(3))
    assert np.isnan(value)
    np.testing.assert_array_equal(pull(1.0), np.zeros(3))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's own, of the value
@pytest.mark.parametrize("fn", [np.var, np.std])
def test_a_moment_without_a_degree_of_freedom_is_nan_and_so_is_its_slope(fn):
    value, pull = ag.vjp(lambda x: fn(x, ddof=1), np.ones(1))
    assert np.isnan(value)
    assert np.isnan(pull(1.0))


def test_take_of_no_entries():
    np.testing.assert_array_equal(np.take(Tensor([1.0, 2.0]), []).data, np.take([1.0, 2.0], []))


def test_an_average_by_zeros_is_refused_as_by_numpy():
    with pytest.raises(ZeroDivisionError):
        np.average(Tensor([1.0, 2.0]), weights=[0.0, 0.0])


def test_a_base_of_bytes_has_a_logarithm_of_all_digits():
    a, b = np.array([2, 3], np.uint8), np.array([1.5, 2.5])
    np.testing.assert_allclose(ag.vjp(lambda b: a**b, b)[1](np.ones(2)), a**b * np.log([2.0, 3.0]), rtol=1e-14)


def test_a_negative_base_with_a_complex_exponent():
    b = np.array([1 + 1j])
    expected = (-2 + 0j) ** b * np.log(-2 + 0j)
    for a in (-2.0, np.array([-2.0])):
        np.testing.assert_allclose(ag.vjp(lambda b, a=a: np.power(a, b), b)[1](np.ones(1, complex)), expected)


def test_a_power_of_booleans_keeps_the_dtype():
    assert ag.vjp(lambda x: x ** np.array([True, False]), np.ones(2, np.float32))[1](np.ones(2)).dtype == np.float32


def test_clip_of_a_number_between_tensors_has_numpys_dtype():
    low = np.float32(1.5)
    assert np.clip(1, Tensor(low), 3).dtype == np.clip(1, low, 3).dtype


@pytest.mark.parametrize("call", ["xlogy(x, n)", "huber(n, x)", "owens_t(x, n)", "stdtr(n, x)", "ellipkinc(n, x)"])
def test_a_parameter_of_bytes_does_not_wrap_around(call):
    sp = pytest.importorskip("scipy.special", reason="needs SciPy")
    found = []
    for kind in (np.uint8, np.int64):
        names = {name: getattr(sp, name) for name in ("xlogy", "huber", "owens_t", "stdtr", "ellipkinc")}
        n = np.array([2, 3], kind)
        f = eval(f"lambda x, n: {call}", names)
        found.append(ag.vjp(lambda x, f=f, n=n: f(x, n), np.array([0.3, 0.6]))[1](np.ones(2)))
    np.testing.assert_allclose(*found, rtol=1e-12)


def test_gradients_are_the_callers_each_by_itself():
    x = np.ones(3)
    pairs = [
        ag.grad(lambda a, b: np.sum((a + b) * x), (0, 1))(x, x),
        ag.grad(lambda t: np.sum((t["a"] + t["b"]) * 2.0))({"a": x, "b": x}).values(),
        [row[0] for row in ag.hessian(lambda t: np.sum((t[0] + t[1]) ** 3))((x, x))],
    ]
    for first, second in pairs:
        assert not np.shares_memory(first, second)


@pytest.mark.parametrize("counts", [[2, 0, 1], np.array([2, 0, 1])], ids=["list", "array"])
@pytest.mark.parametrize("fn", [np.repeat, np.add.reduceat])
def test_what_goes_back_by_counts_can_be_compiled(fn, counts):
    gradient = ag.grad(lambda x: np.sum(fn(x**2, counts, 1) ** 2))
    compiled, x = ag.compile(gradient), np.arange(6.0).reshape(2, 3)
    for scale in (1.0, 2.0, 3.0):
        np.testing.assert_array_equal(compiled(scale * x), gradient(scale * x))


DECADES = 10.0 ** np.arange(-30, 31, 2.0)
NEAR = [1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 1, 1.1, 1.5, 2, 3, 5, 7, 20, 50, 80]
EVERYWHERE = np.unique([s * x for s in (1, -1) for x in (*DECADES, *NEAR)]).astype(np.float32)
ONE_BY_ONE = {f.__name__: f for f in vars(np).values() if type(f) is np.ufunc and f.nin == 1}
CURVES = [f for f in ONE_BY_ONE.values() if f in RULES and RULES[f].pulls[0]]


@pytest.mark.parametrize("fn", CURVES, ids=lambda fn: fn.__name__)
def test_slopes_in_single_precision_are_those_in_double(fn):
    def slopes(x):
        with np.errstate(all="ignore"):
            t = Tensor(x)
            y = fn(t)
            y.backward(np.ones(x.shape, y.dtype))
        return y.data, t.grad.astype(float)

    (_, found), (values, exact) = slopes(EVERYWHERE), slopes(EVERYWHERE.astype(float))
    seen = np.isfinite(values) & np.isfinite(exact) & (abs(exact) < 1e30) & (abs(exact) > 1e-30)
    slack = np.finfo(np.float32).eps if fn is np.expm1 else 0  # 1 + expm1(-20) is 0 in single precision
    assert seen.any()
    np.testing.assert_allclose(found[seen], exact[seen], rtol=0.02, atol=slack)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.5.0", reason="NumPy sorts downwards since 2.5")
def test_sorting_downwards():
    x = np.array([[3.0, 1.0, 2.0], [0.5, np.nan, 4.0]])
    value, grad = ag.value_and_grad(lambda x: np.sum(np.sort(x, descending=True)[0] * [1.0, 10.0, 100.0]))(x)
    assert value == 123.0
    assert np.array_equal(grad, [[1.0, 100.0, 10.0], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(np.sort(Tensor(x), descending=True).data, np.sort(x, descending=True))


# --- copies that assignments make --------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [index.setitem, index.added_at])
@pytest.mark.parametrize("tracked", [True, False])
def test_an_assignment_as_a_function_leaves_its_argument_alone(write, tracked):
    a = np.arange(4.0)
    x = Tensor(a) * 1.0 if tracked else a
    y = write(x, np.float64(9.0), index=1)
    np.testing.assert_array_equal(a, np.arange(4.0))
    np.testing.assert_array_equal(x.data if tracked else x, np.arange(4.0))
    assert (y.data if tracked else y)[1] in (9.0, 10.0)


WRITES = {
    "assignment": lambda t: t.__setitem__(0, 5.0),
    "multiply.at": lambda t: np.multiply.at(t, [0, 0, 2], 3.0),
    "power.at": lambda t: np.power.at(t, [1], 2.0),
    "add.at": lambda t: np.add.at(t, [0, 0], 1.0),
    "put": lambda t: np.put(t, [1], 7.0),
    "copyto": lambda t: np.copyto(t, 0.5),
    "sort": lambda t: t.sort(),
    "+=": lambda t: t.__iadd__(1.0),
}


@pytest.mark.parametrize("name", WRITES)
def test_what_was_recorded_before_an_assignment_keeps_its_values(name):
    x = Tensor([0.5, 1.5, 1.0])
    t = x * 1.0
    held, before = t.data, t.data.copy()
    y, z = np.sin(t), t * t
    copy = t.copy()
    WRITES[name](t)
    for kept in (held, copy.data):
        np.testing.assert_array_equal(kept, before)
    np.sum(y + z).backward()
    np.testing.assert_allclose(x.grad, np.cos(before) + 2 * before, rtol=1e-15)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.3.0", reason="NumPy gave it a default axis in 2.3")
def test_take_along_axis_goes_along_the_last_axis_unless_told():
    x, i = np.arange(6.0).reshape(2, 3), np.array([[2, 0], [1, 1]])
    np.testing.assert_array_equal(np.take_along_axis(Tensor(x), i).data, np.take_along_axis(x, i))
    found = ag.grad(lambda x: np.sum(np.take_along_axis(x, i) * np.array([[1.0, 2.0], [3.0, 4.0]])))(x)
    np.testing.assert_array_equal(found, [[2, 0, 1], [0, 7, 0]])
