"""What cannot be replayed is refused while recording, with the line and a remedy; and everything is as it was."""

import math
import random

import numpy as np
import pytest

import autograd_core as ag
from autograd_core import Tensor

X = np.array([1.0, -2.0, 3.0])


def branch(x):
    return x if x[0] > 0 else -x


def stored(x):
    out = np.zeros(3)
    out[0] = x[0]
    return out + x


def changed(x):
    y = OUTSIDE * x
    OUTSIDE[0] += 1
    return y


OUTSIDE = np.ones(3)
RNG = np.random.default_rng(0)
BAKED = r"under ag\.compile \(at .*test_refusals\.py:\d+\): its value would be baked.*np\.where"
REFUSED = {
    "float": (lambda x: float(x[0]), BAKED),
    "int": (lambda x: int(x[0]), BAKED),
    "bool": (lambda x: bool(x[0]), BAKED),
    "item": (lambda x: x[0].item(), BAKED),
    "tolist": (lambda x: x.tolist(), BAKED),
    "numpy": (lambda x: x.numpy(), BAKED),
    "asarray": (lambda x: np.asarray(x, dtype=float, copy=True, like=None), BAKED),
    "a branch": (branch, BAKED),
    "a loop": (lambda x: next(i for i in range(9) if i > x[0]), BAKED),
    "math": (lambda x: math.sin(x[0]), BAKED),
    "range": (lambda x: range(np.argmax(x)), BAKED),
    "in": (lambda x: 2.0 in x, BAKED),
    "stored in an array": (stored, BAKED),
    "a mask as an index": (lambda x: np.sum(x[x > 0]), r"x\[mask\] .*test_refusals\.py:\d+.*np\.where"),
    "entries that are not 0": (lambda x: np.flatnonzero(x), r"np\.flatnonzero .*test_refusals\.py:\d+.*np\.where"),
    "a condition as an index": (lambda x: np.piecewise(x, [x > 0, x <= 0], [np.sin, 0.0]), BAKED),
    "zeros at the ends": (lambda x: np.trim_zeros(x), r"np\.argwhere .*test_refusals\.py:\d+.*np\.where"),
    "real or complex": (lambda x: np.emath.sqrt(x), r"np\.emath gives real or complex.*test_refusals\.py:\d+.*0j"),
    "real if close": (lambda x: np.real_if_close(x + 0j), r"np\.real_if_close gives real or complex.*np\.real\(x\)"),
    "an array that changes": (changed, r"shape \(3,\), used at .*test_refusals\.py:\d+, was changed in place"),
    "a hidden draw": (lambda x: x * RNG.normal(size=3), r"drawn from inside.*ag\.fresh\(rng\.normal"),
    "numpy's global generator": (lambda x: x * np.random.rand(), r"global generator.*ag\.fresh"),  # noqa: NPY002
    "python's generator": (lambda x: x * random.random(), r"global generator.*ag\.fresh"),
    "a result that is no number": (lambda x: ag.fresh(lambda: ("a", 1)) or x, r"returns numbers and arrays"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    f, message = REFUSED[name]
    with pytest.raises((ag.GraphError, TypeError, ValueError)) as refusal:
        ag.compile(f)(X)
    error = refusal.value
    while not isinstance(error, ag.GraphError) and (error.__cause__ or error.__context__):
        error = (
            error.__cause__ or error.__context__
        )  # an entry of an array is set through float(), whose error NumPy wraps
    assert pytest.raises(ag.GraphError, match=message).matches(error), str(error)


def under_another_name(p):
    w = p.data
    w *= 2


def through_an_entry(p):
    p.data[0] = 9.0


@pytest.mark.parametrize("change", [under_another_name, through_an_entry])
def test_a_parameter_changed_in_place_under_another_name(change):
    p = Tensor(X, name="p")

    def f(x):
        change(p)
        return p * x

    with pytest.raises(ag.GraphError, match=r"'p', taken as \.data at .*test_refusals\.py:\d+.*p\.assign"):
        ag.compile(f)(X)
    np.testing.assert_array_equal(p.data, X)


def test_a_refusal_costs_nothing():
    p, q = Tensor(X), Tensor(2.0)
    p.grad = np.ones(3)

    def f(x):
        p.grad = None
        loss = np.sum(p * x) * q
        loss.backward()
        p.data -= 0.1 * p.grad
        q.assign(q.data * 3)
        return float(loss)

    compiled = ag.compile(f)
    with pytest.raises(ag.GraphError):
        compiled(X)
    np.testing.assert_array_equal(p.data, X)
    np.testing.assert_array_equal(p.grad, np.ones(3))
    assert (q.data, q.grad, compiled.plans) == (2.0, None, [])
    with pytest.raises(ag.GraphError, match="nothing has been compiled"):
        compiled.plan  # noqa: B018


def test_objects_in_arrays():
    with pytest.raises(TypeError, match="arrays of numbers, not of object"):
        ag.compile(lambda x: x)(np.array([None]))


def test_shuffling_in_place():
    with pytest.raises(ag.GraphError, match="permuted"):
        ag.compile(lambda x, rng: rng.shuffle(x))(X, np.random.default_rng(0))


def test_what_depends_on_something_else_is_found_by_check():
    class Box:
        rate = 2.0

    compiled = ag.compile(lambda x: x * Box.rate, check=True)
    compiled(X)
    np.testing.assert_array_equal(compiled(X), 2 * X)
    Box.rate = 3.0
    with pytest.raises(ag.GraphError, match=r"result 0 of the replay differs.*an attribute"):
        compiled(X)


def test_check_refuses_draws():
    compiled = ag.compile(lambda x: x * ag.fresh(RNG.normal), check=True)
    compiled(X)
    with pytest.raises(ag.GraphError, match="cannot call a function twice"):
        compiled(X)
