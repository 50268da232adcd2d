"""Where rounding, overflow, NaN or an alias once led a derivative astray: one case each, with its numbers."""

import math

import numpy as np
import pytest

import autograd_core as ag
from autograd_core import Tensor


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
