"""Scalar graphs, in both ways of running them: the bits of the function itself."""

import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import autograd_core as ag
from autograd_core import Tensor
from autograd_core.replay import floats, levels, scalars, width

WAYS = {"levels": lambda g: levels.executor(g, levels.schedule(g, levels.level(g))), "floats": floats.executor}


def compiled(f, way, monkeypatch):
    """Compile, whatever the width suggests, and see to it that the plan is a scalar graph."""

    def executor(plan):
        graph = scalars.read(plan)
        assert graph is not None
        return WAYS[way](graph)

    monkeypatch.setattr(width, "executor", executor)
    return ag.compile(f)


def same(a, b):
    """Compare results bit by bit, NaN with NaN; a zero is a zero."""
    assert type(a) is type(b)
    if isinstance(a, tuple | list):
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b or (a != a and b != b), (a, b)


UNARY = {
    "tanh": np.tanh, "exp": np.exp, "sin": np.sin, "neg": lambda a: -a, "relu": ag.relu, "square": lambda a: a**2,
    "cube": lambda a: a**3, "sqrt": lambda a: np.sqrt(np.abs(a) + 1), "root": lambda a: (a * a + 0.5) ** 0.5,
    "half": lambda a: a / 2, "less": lambda a: 1.0 - a, "down": lambda a: np.where(a > 0.3, a, 0.1 * a),
}  # fmt: skip
BINARY = {
    "add": lambda a, b: a + b, "mul": lambda a, b: a * b, "sub": lambda a, b: a - b, "max": np.maximum,
    "min": np.minimum, "div": lambda a, b: a / (b * b + 1.0), "pick": lambda a, b: np.where(a < b, a, b),
}  # fmt: skip
operations = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), st.integers(0, 30), st.none()),
        st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 30), st.integers(0, 30)),
    ),
    min_size=2,
    max_size=25,
)


def program(steps):
    def f(x, y):
        values = [x, y]
        for name, i, j in steps:
            a = values[i % len(values)]
            values.append(UNARY[name](a) if j is None else BINARY[name](a, values[j % len(values)]))
        return sum(values)

    return f


@pytest.mark.parametrize("way", WAYS)
@given(steps=operations)
@example(steps=[("relu", 0, None), ("mul", 2, 1), ("relu", 3, None), ("add", 3, 4)])
@example(steps=[("exp", 0, None)] * 2 + [("mul", 2, 3)] * 8)  # overflows: Python's floats raise, NumPy's do not
def test_random_programs(way, steps):
    f = ag.value_and_grad(program(steps), (0, 1))
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        c = compiled(f, way, patch)
        for x, y in ((0.5, -1.25), (-2.0, 0.3), (40.0, 3.0)):
            same(c(x, y), f(x, y))


def network(sizes, rng):
    weights = [[[Tensor(v) for v in row] for row in rng.normal(size=(n, m + 1))] for m, n in pairwise(sizes)]
    flat = [w for layer in weights for row in layer for w in row]

    def forward(x):
        for k, layer in enumerate(weights):
            x = [sum((w * v for w, v in zip(row[1:], x, strict=True)), row[0]) for row in layer]
            x = [ag.relu(v) for v in x] if k + 1 < len(weights) else x
        return x[0]

    return forward, flat


def training(forward, parameters):
    def step(X, y, rate):
        for p in parameters:
            p.grad = None
        loss = sum((forward(list(row)) - t) ** 2 for row, t in zip(X, y, strict=True)) * (1.0 / len(y))
        loss.backward()
        for p in parameters:
            p.data -= rate * p.grad
        return loss

    return step


@pytest.mark.parametrize("way", WAYS)
def test_training_in_the_style_of_micrograd(way, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6, 2)), rng.normal(size=6)
    forward, eager = network((2, 5, 1), np.random.default_rng(1))
    step = training(forward, eager)
    forward, replayed = network((2, 5, 1), np.random.default_rng(1))
    replay = compiled(training(forward, replayed), way, monkeypatch)
    for k in range(5):
        a, b = step(X + k, y, 0.01 * (k + 1)), replay(X + k, y, 0.01 * (k + 1))
        assert a.data == b
        assert [p.data for p in eager] == [p.data for p in replayed]
        assert [p.grad for p in eager] == [p.grad for p in replayed]
        assert all(type(p.data) is type(p.grad) is np.float64 for p in replayed)
    assert len(replay.plans) == 1
    assert len(replay.plan.steps) > 100


def test_the_width_decides():
    def wide(x):
        return sum(ag.relu(x * k) for k in range(500))

    def narrow(x):
        for _ in range(500):
            x = x * x * 0.5 + 0.25
        return x

    for f, word in ((wide, "array operations"), (narrow, "on floats")):
        c = ag.compile(ag.grad(f))
        assert c(0.3) == ag.grad(f)(0.3)
        assert word in c.plan.notes["scalars"]
        assert c(-0.7) == ag.grad(f)(-0.7)


@pytest.mark.parametrize("way", WAYS)
def test_a_mask_that_was_left_out_is_not_missed(way, monkeypatch):
    # Recorded where all is finite; later the branch not taken is infinite, and the function itself is asked.
    def f(x):
        return np.where(x > 0, np.sqrt(x), 0.0) * 1.0

    c = compiled(ag.grad(f), way, monkeypatch)
    with np.errstate(all="ignore"):
        for x in (4.0, 0.0, -1.0, 1.0):
            same(c(x), ag.grad(f)(x))


def test_recording_where_a_value_is_not_finite():
    with np.errstate(all="ignore"):
        c = ag.compile(ag.grad(lambda x: np.where(x > 0, np.sqrt(x), 0.0) * 1.0))
        assert c(0.0) == 0.0
        assert c(4.0) == 0.25


def test_what_recording_did_is_undone_before_the_function_is_run_again():
    p = Tensor(0.0)

    def step():
        p.grad = None
        loss = np.where(p > 0, np.sqrt(p), 2.0 * p) * 3.0
        loss.backward()
        p.data -= 0.5 * p.grad
        return loss

    with np.errstate(all="ignore"):
        assert ag.compile(step)() == 0.0
    assert (p.data, p.grad) == (-3.0, 6.0)


def test_division_by_zero_is_numpys(monkeypatch):
    c = compiled(lambda x, y: x / y + 1.0, "floats", monkeypatch)
    assert c(1.0, 2.0) == 1.5
    with np.errstate(all="ignore"):
        assert c(np.float64(1.0), np.float64(0.0)) == np.inf


@pytest.mark.parametrize("way", WAYS)
def test_threads_do_not_share_values(way, monkeypatch):
    f = ag.value_and_grad(program([("tanh", 0, None), ("mul", 2, 1), ("add", 3, 0)] * 20), (0, 1))
    c = compiled(f, way, monkeypatch)
    c(0.0, 0.0)
    wrong = []

    def work(k):
        for i in range(60):
            x = 0.01 * (k * 60 + i)
            if c(x, -x) != f(x, -x):
                wrong.append(x)

    pool = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in pool:
        t.start()
    for t in pool:
        t.join()
    assert not wrong


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.stack([x, x])),
        lambda x: np.float32(2) * x.astype(np.float32),
        lambda x: x * (1 + 2j),
    ],
    ids=["arrays", "single precision", "complex"],
)
def test_what_is_no_scalar_graph_is_left_to_the_others(f):
    c = ag.compile(f)
    x = np.float64(0.5)
    assert c(x) == f(Tensor(x)).data
    assert "scalars" not in c.plan.notes


def test_sums_of_booleans_are_not_taken_for_sums_of_numbers():
    def f(x):
        return ((x > 0) + (x > 1)) * x + x * x

    c = ag.compile(f)
    for x in (2.0, 0.5, -1.0):
        assert c(x) == f(np.float64(x))


def test_entries_taken_with_an_ellipsis():
    c = ag.compile(ag.grad(lambda x: np.sin(x[..., 0] * x[..., 1])))
    for x in (np.array([1.0, 2.0]), np.array([-0.3, 0.7])):
        np.testing.assert_array_equal(c(x), ag.grad(lambda x: np.sin(x[..., 0] * x[..., 1]))(x))
