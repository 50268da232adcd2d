"""Where a plan keeps its results: bytes shared by when they live, gradients lent and not, arrays let go."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_core as ag
import nn
from autograd_core.nodes import Lent
from autograd_core.replay.memory import ALIGNED, Gaps, Layout

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(6, 3)), np.array([0, 1, 2, 1, 0, 2])


def classifier():
    model = nn.MLP([3, 8, 8, 3], activation=nn.tanh, rng=np.random.default_rng(1))
    optimizer = nn.Adam(model.parameters(), lr=0.1)

    def step(x, labels):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return model, step


# --- gaps -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 600), st.integers(0, 9))), st.integers(0, 8))
def test_what_is_taken_never_overlaps(requests, lines):
    gaps, bottom, taken = Gaps(), lines * ALIGNED, []
    for n, limit, back in requests:
        start = gaps.take(n, min(limit, bottom), bottom)
        stop = start + n
        assert start % ALIGNED == 0
        assert start >= bottom or stop <= min(limit, bottom)
        assert all(stop <= a or a + m <= start for a, m in taken)
        taken.append((start, n))
        if back < len(taken):
            gaps.give(*taken.pop(back))
    for one in taken:
        gaps.give(*one)
    assert (gaps.starts, gaps.stops) == ([0], [np.inf])


def test_the_lowest_place_is_taken_that_fits():
    gaps = Gaps()
    a, b, c = (gaps.take(n, 0, 0) for n in (64, 128, 64))
    gaps.give(a, 64)
    gaps.give(b, 128)
    assert gaps.take(192, 0, 0) == a
    assert gaps.take(1, 0, 0) == c + 64


# --- gradients --------------------------------------------------------------------------------------------------------


def test_other_results_stand_where_gradients_will_be():
    model, step = classifier()
    step = ag.compile(step)
    step(X, LABELS)
    step(X, LABELS)
    layout = Layout(step.plan.program)
    size = sum(p.data.nbytes for p in model.parameters())
    other = {v.shape for v, place in layout.places.items() if type(place) is int and place < size}
    assert (6, 8) in other  # activations
    assert all(type(p._node.grad) is Lent for p in model.parameters())


@pytest.mark.parametrize("compiled", [False, True])
def test_a_call_that_fails_leaves_no_gradients_of_before(compiled):
    model, step = classifier()
    step = ag.compile(step) if compiled else step
    for _ in range(3):
        step(X, LABELS)
    mine = [p.grad.copy() for p in model.parameters()][:1]
    with pytest.raises(ValueError, match="labels of 3 classes"):
        step(X, LABELS + 1)
    assert [p.grad for p in model.parameters()] == [None] * 6
    other, plain = classifier()
    for _ in range(3):
        plain(X, LABELS)
    assert np.allclose(mine[0], next(iter(other.parameters())).grad, rtol=1e-12)
    assert np.allclose(step(X, LABELS), plain(X, LABELS), rtol=1e-12)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert np.allclose(p.data, q.data, rtol=1e-12)
        assert np.allclose(p.grad, q.grad, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_call_that_fails_leaves_gradients_that_add_up(compiled):
    w = ag.Tensor(np.array([1.0, 2.0, 3.0]))

    def step(x, labels):
        loss = nn.cross_entropy(np.tanh(x * w), labels)
        loss.backward()
        w.data -= 0.1 * w.grad
        return loss

    step = ag.compile(step) if compiled else step
    for _ in range(3):
        step(X, LABELS)
    before = w.grad.copy()
    for _ in range(2):
        with pytest.raises(ValueError, match="labels of 3 classes"):
            step(X, LABELS + 1)
        assert np.array_equal(w.grad, before)
    step(X, LABELS)
    assert not np.array_equal(w.grad, before)


@pytest.mark.parametrize("reset", ["a draw in between", "zeros"])
def test_a_call_that_fails_leaves_nothing_of_ours(reset):
    """What stood where the gradients were is no gradient."""
    w, v = ag.Tensor(RNG.normal(size=(4, 4))), ag.Tensor(RNG.normal(size=(4, 4)))
    optimizer = nn.SGD([w, v], lr=0.01)

    @ag.compile
    def step(x, a, rng):
        h = np.tanh((np.exp(np.tanh(x @ w)) * 2) @ v)
        z = np.linalg.solve(a, h)
        if reset == "zeros":
            w.grad, v.grad = np.zeros((4, 4)), np.zeros((4, 4))
            loss = np.sum(z**2)
        else:
            optimizer.zero_grad()
            loss = np.sum((z * rng.normal(size=(4, 4))) ** 2)
        loss.backward()
        optimizer.step()
        return loss

    x, rng = RNG.normal(size=(4, 4)), np.random.default_rng(1)
    for _ in range(3):
        step(x, np.eye(4), rng)
    with pytest.raises(np.linalg.LinAlgError):
        step(x * 3, np.zeros((4, 4)), rng)
    assert w.grad is None
    assert v.grad is None


@pytest.mark.parametrize("compiled", [False, True])
def test_a_function_called_in_between_reads_gradients_of_before(compiled):
    w = ag.Tensor(np.array([1.0, 2.0, 3.0]))
    seen = []

    def look():
        seen.append(None if w.grad is None else w.grad.copy())
        return 0.0

    def step(x):
        y = np.exp(np.sin(x * w))
        loss = np.sum(y * y) + ag.fresh(look)
        w.grad = None
        loss.backward()
        w.data -= 0.01 * w.grad
        return loss

    step = ag.compile(step) if compiled else step
    after = []
    for i in range(4):
        step(X[i])
        after.append(w.grad.copy())
    assert seen[0] is None
    assert np.array_equal(seen[1:], after[:-1])


def test_gradients_that_only_others_read_are_their_own_arrays():
    w, v = ag.Tensor(RNG.normal(size=(3, 4))), ag.Tensor(RNG.normal(size=4))

    @ag.compile
    def loss(x):
        w.grad = v.grad = None
        found = np.mean(np.tanh(x @ w + v) ** 2)
        found.backward()
        return found

    kept = []
    for i in range(3):
        loss(X + i)
        kept.append((w.grad, v.grad, w.grad.copy(), v.grad.copy()))
        assert type(w._node.grad) is type(v._node.grad) is np.ndarray
    for a, b, c, d in kept:
        assert np.array_equal(a, c)
        assert np.array_equal(b, d)


def test_a_gradient_is_forgotten_before_another_is_made():
    """Else both would take memory at the same time."""
    w = ag.Tensor(np.ones(3))
    seen = []

    @ag.compile
    def loss(x):
        w.grad = None
        found = np.sum((x * w) ** 2) + ag.fresh(lambda: seen.append(w.grad) or 0.0)
        found.backward()
        return found

    for i in range(4):
        loss(X[i])
    assert seen == [None] * 4


# --- variables --------------------------------------------------------------------------------------------------------


def test_arrays_without_a_place_are_let_go():
    def f(x):
        for _ in range(10):
            x = np.cumsum(x)  # which has no place in our bytes
        return np.sum(x)

    step, x = ag.compile(f), RNG.normal(size=20_000)
    step(x), step(x)
    tracemalloc.start()
    step(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * x.nbytes


# --- arguments that are parameters ------------------------------------------------------------------------------------


def test_an_argument_may_be_the_memory_of_a_parameter():
    p = ag.Tensor(np.arange(1, 9.0))

    @ag.compile
    def doubled(x):
        new = p.data * 2
        old = x * 3
        p.data = new
        return old

    for k in range(5):
        assert np.array_equal(doubled(p.data), 3 * 2.0**k * np.arange(1, 9.0))
