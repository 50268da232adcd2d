"""Differences: right where they say so, and they know how far off they are."""

import math

import numpy as np
import pytest

from autograd_core.checking import numeric
from autograd_core.checking.judging import judge

CASES = {
    "sin": (np.sin, 1.0, math.cos(1)),
    "exp": (np.exp, 3.0, math.exp(3)),
    "log near 0": (np.log, 1e-6, 1e6),
    "log nearer to 0": (np.log, 1e-9, 1e9),
    "1/x": (lambda x: 1 / x, 1e-3, -1e6),
    "large": (np.square, 1e8, 2e8),
    "small": (np.square, 1e-8, 2e-8),
    "huge": (lambda x: 3 * x, 1e300, 3),
    "on a pedestal": (lambda x: 1e8 + np.sin(x), 0.5, math.cos(0.5)),
    "on a pedestal, far out": (lambda x: 1e8 + np.sin(x), 991349.70952505, math.cos(991349.70952505)),
    "arcsin near 1": (np.arcsin, 0.999, 1 / math.sqrt(1 - 0.999**2)),
    "fast": (lambda x: np.sin(1e6 * x), 1.0, 1e6 * math.cos(1e6)),
    "far out": (np.sin, 1e10, math.cos(1e10)),
    "smooth at 0": (lambda x: np.abs(x) ** 1.5, 0.0, 0.0),
    "beside a kink": (np.abs, 1e-9, 1.0),
    "cancelled": (lambda x: (1e8 + np.sin(x)) - 1e8, 1.0, math.cos(1)),
    "in float32": (lambda x: np.float32(x) ** 2 * 1.0, 0.7, 1.4),
    "saturated": (np.tanh, 15.0, 1 / math.cosh(15) ** 2),
}


def line_of(f, x):
    def line(h):
        with np.errstate(all="ignore"):
            return np.atleast_1d(np.asarray(f(x + h), float)), (x + h) - x

    return line


def measured(f, x, phase=1.0):
    line, size = line_of(f, x), abs(x) or 1.0
    base = line(0.0)[0]
    return numeric.ladder(line, base, size, 2 * numeric.noise(line, base, size), phase=phase)


@pytest.mark.parametrize("phase", [1.0, 0.7])
@pytest.mark.parametrize("name", CASES)
def test_the_error_is_no_larger_than_estimated(name, phase):
    f, x, exact = CASES[name]
    found = measured(f, x, phase)
    assert abs(found.value[0] - exact) <= 3 * found.error[0]
    assert found.error[0] <= 0.05 * abs(exact) or exact == 0


@pytest.mark.parametrize(
    ("f", "x", "left", "right"),
    [(np.abs, 0.0, -1, 1), (lambda x: np.maximum(x, 0), 0.0, 0, 1), (lambda x: np.clip(x, 0, 1), 1.0, 1, 0)],
    ids=["abs", "relu", "clip"],
)
def test_the_sides_of_a_kink(f, x, left, right):
    found = measured(f, x)
    assert found.left[0] == pytest.approx(left, abs=1e-12)
    assert found.right[0] == pytest.approx(right, abs=1e-12)


def test_at_the_edge_of_a_domain_one_side_will_do():
    found = measured(lambda x: np.where(x < 0, np.nan, np.exp(x)), 0.0)
    assert abs(found.value[0] - 1) <= 3 * found.error[0] < 1e-9
    assert math.isnan(found.left[0])


def test_nowhere_to_go():
    found = measured(lambda x: np.where(x == 1.0, 2.0, np.nan), 1.0)
    assert math.isnan(found.value[0])
    assert judge(1.0, [float(part[0]) for part in found]) == "inconclusive"


FLAT = {
    "1 has no digits for more": (lambda x: np.log(1 + x**2), 1e-9, 2e-9),
    "cancelled": (lambda x: 1 - np.cos(x), 1e-9, 1e-9),
    "cancelled, with something beside it": (lambda x: 1 - np.cos(x) + 1e-3, 1e-9, 1e-9),
    "far too flat": (lambda x: np.log(1 + x**4), 1e-6, 4e-18),
    "dead": (lambda x: np.maximum(x, 0), -0.5, 0.0),
    "dead, the kink close by": (lambda x: np.maximum(x, 0), -1e-5, 0.0),
    "dead, with something beside it": (lambda x: np.maximum(x, 0) + 1e-3, -1e-5, 0.0),
    "constant": (lambda x: 0 * x, 0.3, 0.0),
    "steps": (np.floor, 0.5, 0.0),
    "many steps": (np.round, 12.3, 0.0),
}


@pytest.mark.parametrize("phase", [1.0, 0.7])
@pytest.mark.parametrize("name", FLAT)
def test_flat_to_the_last_digit_is_not_flat_for_certain(name, phase):
    f, x, exact = FLAT[name]
    found = measured(f, x, phase)
    assert abs(found.value[0] - exact) <= 3 * found.error[0]
    assert judge(exact, [float(part[0]) for part in found]) in ("ok", "inconclusive")
    if exact == 0:  # what can hide there is next to nothing
        assert judge(1e-6, [float(part[0]) for part in found]) == "wrong"


def test_rounding_errors_average_out():
    line = line_of(lambda x: 1e8 + x * x, 1e-5)
    base, rng = line(0.0)[0], np.random.default_rng(0)
    (value,), (error,) = numeric.fitted(line, base, 1e-5, rng)
    assert abs(value - 2e-5) <= error < 0.5 * numeric.ladder(line, base, 1e-5).error[0]
    beside = line_of(lambda x: 1e8 + np.abs(x), -1e-9)
    assert numeric.fitted(beside, beside(0.0)[0], 1e-9, rng)[1][0] > 1e-3  # it fits no polynomial: nothing is known


@pytest.mark.parametrize("f", [np.sign, np.floor])
def test_at_a_jump_nothing_is_certain(f):
    found = measured(f, 0.0)
    assert judge(0.0, [float(part[0]) for part in found]) != "wrong"


def test_noise_is_found_where_it_is():
    rounded = line_of(lambda x: np.float32(np.sin(x)), 1.0)
    assert 1e-9 < numeric.noise(rounded, rounded(0.0)[0], 1.0)[0] < 1e-6
    exact = line_of(np.sin, 1.0)
    assert numeric.noise(exact, exact(0.0)[0], 1.0)[0] < 1e-15
    fast = line_of(lambda x: np.sin(1e6 * x), 1.0)
    assert numeric.noise(fast, fast(0.0)[0], 1.0)[0] < 1e-9
