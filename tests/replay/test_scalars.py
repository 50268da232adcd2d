"""Scalar graphs, in both ways of running them: the bits of the function itself."""

import math
import threading
import warnings
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


def same(a, b, signs=False):
    """Compare results bit by bit, NaN with NaN; without `signs` a zero is a zero.

    A recorded sweep leaves masks out, and adds a zero where the function itself adds nothing: -0.0 becomes 0.0.
    """
    assert type(a) is type(b)
    if isinstance(a, tuple | list):
        for x, y in zip(a, b, strict=True):
            same(x, y, signs)
    else:
        assert a == b or (a != a and b != b), (a, b)
        assert not signs or a != a or np.signbit(a) == np.signbit(b), (a, b)


def plain(tree):
    """Return what compiling makes of a result."""
    if isinstance(tree, tuple):
        return tuple(map(plain, tree))
    tree = tree.data if isinstance(tree, Tensor) else tree
    return tree[()] if isinstance(tree, np.ndarray) else tree


def called(f, *args):
    """Return what a function returns or raises, and of which kinds its warnings are."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = plain(f(*args))
        except ArithmeticError as error:
            found = str(error)
    return found, {w.category for w in caught}


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


MORE = {
    "exp": np.exp, "log": np.log, "sin": np.sin, "tanh": np.tanh, "abs": abs, "cbrt": np.cbrt,
    "inverse": lambda a: a**-1, "root": lambda a: a**0.5, "square": lambda a: a**2, "over": lambda a: 1 / a,
    "huge": lambda a: a * 1e200, "tiny": lambda a: a * 1e-200, "zero": lambda a: a * -0.0, "mod": lambda a: a % 0.7,
    "base": lambda a: 2.0**a, "function": lambda a: np.power(a, 2.0), "relu": ag.relu,
    "integer": lambda a: a * np.int64(3), "finite": lambda a: np.where(np.isnan(a), 0.5, a), "sinc": np.sinc,
}  # fmt: skip
OTHERS = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
    "max": np.maximum, "min": np.minimum, "fmax": np.fmax, "pow": lambda a, b: abs(a) ** b, "mod": lambda a, b: a % b,
    "xor": lambda a, b: np.where((a > 0) ^ (b > 0), a, b), "angle": np.arctan2,
    "or": lambda a, b: np.where((a > 0) | (b > 0), a, b), "equal": lambda a, b: (a == b) * b, "sign": np.copysign,
    "and": lambda a, b: np.where(~((a > 0) & (b > 0)), a, b), "choice": lambda a, b: np.where(a, b, 1.0),
}  # fmt: skip
more = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(MORE)), st.integers(0, 20), st.none()),
        st.tuples(st.sampled_from(sorted(OTHERS)), st.integers(0, 20), st.integers(0, 20)),
    ),
    min_size=1,
    max_size=12,
)
numbers = st.sampled_from([0.0, -0.0, 0.5, -1.25, 2.0, 40.0, 1e308, 1e-310, math.inf, -math.inf, math.nan])


@pytest.mark.parametrize("way", WAYS)
@given(steps=more, x=numbers, y=numbers)
@example(steps=[("xor", 0, 1)], x=0.5, y=-1.25)
@example(steps=[("exp", 0, None), ("tanh", 2, None)], x=1e308, y=0.5)  # the infinity between is not seen in the result
@example(steps=[("max", 0, 1), ("max", 1, 0), ("min", 0, 1)], x=0.0, y=-0.0)
@example(steps=[("add", 0, 0), ("add", 2, 1), ("add", 3, 1)], x=-0.0, y=-0.0)
@example(steps=[("base", 0, None), ("inverse", 0, None)], x=-0.0, y=2.0)
def test_values_zeros_and_warnings_are_numpys(way, steps, x, y):
    def f(x, y):
        values = [x, y]
        for name, i, j in steps:
            a = values[i % len(values)]
            values.append(MORE[name](a) if j is None else OTHERS[name](a, values[j % len(values)]))
        return tuple(values)

    x, y = np.float64(x), np.float64(y)
    with pytest.MonkeyPatch.context() as patch:
        c = compiled(f, way, patch)
        called(c, np.float64(0.25), np.float64(-1.5))
        wanted, warned = called(f, Tensor(x), Tensor(y))
        found, heard = called(c, x, y)
        same(found, wanted, signs=True)
        assert heard == warned


@pytest.mark.parametrize("way", WAYS)
def test_powers_are_cs_and_not_those_of_arrays(way, monkeypatch):
    x = np.random.default_rng(0).uniform(0.5, 2.0, 30_000)
    roots = x[[math.pow(v, 0.5) != math.sqrt(v) for v in x]][:10]
    squares = x[[math.pow(v, 2.0) != v * v for v in x]][:10]
    x = np.concatenate([roots, squares, x])[:20]

    def f(x):
        return tuple(x[k] ** p for p in (2, 3, 0.5, -1, 1.5, 2.0) for k in range(20))

    c = compiled(f, way, monkeypatch)
    c(np.ones(20))
    same(c(x), plain(f(Tensor(x))))


@pytest.mark.parametrize("way", WAYS)
def test_python_raises_where_numpy_does_not(way, monkeypatch):
    c = compiled(lambda x, y: (x / y + 1.0, x**-1.0), way, monkeypatch)
    assert c(1.0, 2.0) == (1.5, 1.0)
    with pytest.raises(ZeroDivisionError):
        c(1.0, 0.0)
    with pytest.raises(FloatingPointError), np.errstate(all="raise"):
        c(np.float64(1.0), np.float64(0.0)), c(np.float64(1.0), np.float64(0.0))


@pytest.mark.parametrize("way", WAYS)
def test_a_call_given_up_changes_nothing_twice(way, monkeypatch):
    def step(p, q):
        def f(x):
            p.grad = None
            loss = ag.relu(p * x) / q + p * q  # divided by zero
            loss.backward()
            p.data -= 0.5 * p.grad
            q.data = q - 1.0
            return loss

        return f

    eager, replayed = (Tensor(1.0), Tensor(2.0)), (Tensor(1.0), Tensor(2.0))
    f, c = step(*eager), compiled(step(*replayed), way, monkeypatch)
    with np.errstate(all="ignore"):
        for k in range(5):
            f(np.float64(k)), c(np.float64(k))
            same([(t.data, t.grad) for t in eager], [(t.data, t.grad) for t in replayed])


@pytest.mark.parametrize("way", WAYS)
def test_the_last_of_several_assignments_holds(way, monkeypatch):
    def step(p, q):
        def f(x):
            (p * q * x).backward()
            before, g = p.data, p.grad
            p.data = q.data * 2.0
            q.data = before
            p.data = p + 1.0
            q.grad = q.grad * 0.5
            p.grad = None
            return p * x, q, g, before

        return f

    eager, replayed = (Tensor(1.5), Tensor(-0.5)), (Tensor(1.5), Tensor(-0.5))
    f, c = step(*eager), compiled(step(*replayed), way, monkeypatch)
    for k in range(1, 5):
        same(c(float(k)), plain(f(float(k))))
        assert [(t.data, t.grad) for t in eager] == [(t.data, t.grad) for t in replayed]


@pytest.mark.parametrize("way", WAYS)
def test_gradients_reset_to_zero_as_micrograd_does(way, monkeypatch):
    def step(p, q):
        def f(x):
            before = p.grad * 1.0
            for t in (p, q):
                t.grad = 0.0
            (p * q * x).backward()
            first = p.grad
            p.grad = 1.0
            (p * q * 2.0 + p).backward()
            for t in (p, q):
                t.data -= 0.1 * t.grad
            return before, first, p.grad, q.grad

        p.grad, q.grad = 5.0, 6.0
        return f

    eager, replayed = (Tensor(1.5), Tensor(-0.5)), (Tensor(1.5), Tensor(-0.5))
    f, c = step(*eager), compiled(step(*replayed), way, monkeypatch)
    for k in range(1, 5):
        same(c(float(k)), plain(f(float(k))))
        assert [(t.data, t.grad) for t in eager] == [(t.data, t.grad) for t in replayed]


def test_a_gradient_read_beside_its_reset():
    def step(p):
        def f(x):
            before = p.grad
            p.grad = 0.0
            (p * x * x).backward()
            return before * 2.0, p.grad

        p.grad = 5.0
        return f

    f, c = step(Tensor(1.5)), ag.compile(step(Tensor(1.5)))
    for k in range(1, 4):
        same(c(float(k)), plain(f(float(k))))


@pytest.mark.parametrize("way", WAYS)
def test_results_have_the_types_of_numpys(way, monkeypatch):
    c = compiled(lambda x, y: (x > y, (x > y) ^ (y > 0), x, y * 2.0, x * y, 1.5, None), way, monkeypatch)
    c(0.5, np.float64(-1.0))
    found = c(2.0, np.float64(3.0))
    assert found == (False, True, 2.0, 6.0, 6.0, 1.5, None)
    assert [type(v) for v in found[:5]] == [np.bool_, np.bool_, float, np.float64, np.float64]


@pytest.mark.parametrize("way", WAYS)
def test_a_captured_number_in_an_array_is_read_anew(way, monkeypatch):
    rate = np.array(3.0)
    c = compiled(lambda x: x * rate + rate, way, monkeypatch)
    assert c(1.0) == 6.0
    rate[()] = 4.0
    assert c(1.0) == 8.0


def test_functions_of_users_are_called_with_numbers(monkeypatch):
    @ag.primitive
    def softplus(x):
        return math.log1p(math.exp(-abs(x))) + (x if x > 0 else 0.0)

    ag.rule(softplus, lambda g, x: g / (1 + np.exp(-x)), elementwise=True)
    f = ag.grad(lambda *xs: sum(softplus(x) * x for x in xs), tuple(range(5)))
    c = compiled(f, "levels", monkeypatch)
    for k in range(3):
        xs = [0.3 * k - 0.5 * i for i in range(5)]
        same(c(*xs), f(*xs))


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
    assert len(replay.plan.equations) > 100


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
