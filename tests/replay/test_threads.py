"""Many threads call one compiled function, some of them with what it raises at, in the middle: all get what is theirs."""

import sys
import threading

import numpy as np
import pytest

import autograd_core as ag
import nn

THREADS = 6


@pytest.fixture(autouse=True)
def eager_switches():
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def in_threads(work, n=THREADS):
    """Call ``work(k)`` in threads that start together; raise what one of them raises."""
    failures, start = [], threading.Barrier(n)

    def run(k):
        try:
            start.wait()
            work(k)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]


def outcome(f, *args):
    """Return the leaves of a result, or the kind of exception and its text."""
    try:
        found = f(*args)
    except (ValueError, np.linalg.LinAlgError, FloatingPointError) as e:
        return type(e), str(e)
    return [np.asarray(v) for v in leaves(found)]


def leaves(tree):
    return [v for part in tree for v in leaves(part)] if isinstance(tree, tuple | list) else [plain(tree)]


def plain(v):
    return v.data if isinstance(v, ag.Tensor) else v


def assert_same(found, wanted):
    if isinstance(wanted, tuple):
        assert found == wanted
        return
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def program(x, scale):
    """Sorts, products and a factorisation; it raises, in the middle, where the first row is 0."""

    def f(x):
        y = np.sum(np.sort(np.tanh(x), axis=0) * scale)
        return y + np.sum(np.linalg.inv(x[:2, :2]) @ x[:2])

    return ag.value_and_grad(f)(x), x.T @ x


def drawn(rng, rows=(2, 9), dtypes=("f4", "f8")):
    x = rng.normal(size=(int(rng.integers(*rows)), 3)).astype(rng.choice(dtypes))
    if rng.integers(4) == 0:
        x[0] = 0  # its inverse does not exist
    return x


def test_one_function_with_arguments_of_many_kinds_some_of_which_it_raises_at():
    compiled = ag.compile(program)
    raised = []

    def work(k):
        rng = np.random.default_rng(k)
        for i in range(40):
            x, scale = drawn(rng), float(i)
            wanted = outcome(program, x, scale)
            assert_same(outcome(compiled, x, scale), wanted)
            raised.append(isinstance(wanted, tuple))

    in_threads(work)
    assert 10 < sum(raised) < len(raised) - 10
    assert len(compiled.plans) <= 2 * 7 * 2


def test_results_are_nobody_elses():
    compiled = ag.compile(lambda x: (np.tanh(x) * 2, np.cumsum(x), np.exp(x)[1:]))

    def work(k):
        rng = np.random.default_rng(k)
        kept = []
        for _ in range(100):
            x = rng.normal(size=50)
            found = compiled(x)
            kept.append((found, [a.copy() for a in found], x))
        for found, copied, x in kept:
            assert all(map(np.array_equal, found, copied))
            assert np.array_equal(found[0], np.tanh(x) * 2)

    in_threads(work)


@pytest.mark.filterwarnings("ignore:16 calls one after the other")  # which the threads' turns may bring about
def test_more_kinds_of_arguments_than_are_kept():
    compiled = ag.compile(lambda x: np.sin(x) * 2 + x)

    def work(k):
        rng = np.random.default_rng(k)
        for _ in range(60):
            x = rng.normal(size=int(rng.integers(1, 40)))
            assert np.array_equal(compiled(x), np.sin(x) * 2 + x)

    in_threads(work)
    assert len(compiled.plans) <= 16 + THREADS  # two that begin at once both record


def test_large_groups_on_both_cores():
    gradient = ag.value_and_grad(lambda x: np.sum(np.sin(np.exp(-(x**2))) * x + np.log1p(x**2)))
    compiled = ag.compile(gradient)

    def work(k):
        x = np.random.default_rng(k).normal(size=150_001 + k % 2)
        wanted = gradient(x)
        for _ in range(4):
            found = compiled(x)
            assert abs(found[0] - wanted[0]) <= 1e-14 * wanted[0]  # summed block by block
            assert np.array_equal(found[1], wanted[1])

    in_threads(work, 4)


def steps(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def network(k):
    model = nn.Sequential(
        nn.Linear(3, 6, rng=k), nn.BatchNorm(6), np.tanh, nn.Dropout(0.3, rng=k), nn.Linear(6, 4, rng=k)
    )
    return model, nn.Adam(model.parameters(), lr=0.02)


def test_each_thread_trains_a_model_of_its_own_on_labels_some_of_which_are_wrong():
    def work(k):
        (ours, our_rule), (theirs, their_rule) = network(k), network(k)
        compiled, plain_step = ag.compile(steps(ours, our_rule)), steps(theirs, their_rule)
        rng = np.random.default_rng(k)
        kept = []
        for i in range(25):
            x, y = rng.normal(size=(5 + i % 2, 3)), rng.integers(0, 4, 5 + i % 2)
            if i % 6 == 4:
                y[0] = 9
            before, drawn = theirs.state_dict(), theirs.layers[3].rng.bit_generator.state
            assert_same(outcome(compiled, x, y), outcome(plain_step, x, y))
            if i % 6 == 4:  # a compiled call that fails has changed nothing, running averages included
                theirs.load_state_dict(before)
                theirs.layers[3].rng.bit_generator.state = drawn
            if i % 6 != 4 and i % 4 == 0:
                for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
                    assert np.array_equal(p.grad, q.grad)
                    kept.append((p.grad, q.grad))
        for name, value in theirs.state_dict().items():
            assert np.array_equal(ours.state_dict()[name], value), name
        assert all(np.array_equal(g, h) for g, h in kept)

    in_threads(work, 4)


def test_one_model_predicts_for_all():
    model = nn.MLP([3, 8, 8, 2], "gelu", rng=0)
    predict = ag.compile(lambda x: (model(x), ag.grad(lambda x: np.sum(model(x) ** 2))(x)))

    def work(k):
        rng = np.random.default_rng(k)
        for _ in range(60):
            x = rng.normal(size=(int(rng.integers(1, 6)), 3))
            assert_same(outcome(predict, x), outcome(predict.f, x))

    in_threads(work)


def test_recording_fails_in_one_thread_while_others_replay():
    def f(x, fail):
        y = np.sin(x)
        if fail:
            raise ValueError("on purpose")
        return y * 2

    compiled = ag.compile(f)

    def work(k):
        x = np.arange(4.0) + k
        for i in range(60):
            fail = (i + k) % 3 == 0
            assert_same(outcome(compiled, x, fail), outcome(f, x, fail))

    in_threads(work)
    assert len(compiled.plans) <= THREADS  # all may have begun to record the same


def test_errors_raise_where_they_are_asked_to():
    slope = ag.grad(lambda x: np.sum(np.log(x) * 2))
    compiled = ag.compile(slope)
    compiled(np.ones(3))

    def work(k):
        x = np.array([0.0, 1.0, 2.0])
        for _ in range(50):
            with np.errstate(all="raise" if k % 2 else "ignore"):
                found = outcome(compiled, x)
            if k % 2:
                assert found[0] is FloatingPointError
            else:
                assert np.array_equal(found[0], [np.inf, 2.0, 1.0])
        assert np.array_equal(compiled(np.ones(3)), np.full(3, 2.0))

    in_threads(work)


def test_a_call_that_fails_leaves_the_next_ones_right():
    compiled = ag.compile(program)
    good, bad = np.arange(9.0).reshape(3, 3) + np.eye(3), np.zeros((3, 3))
    for x in (good, bad, good, bad, bad, good + 1):
        assert_same(outcome(compiled, x, 2.0), outcome(program, x, 2.0))
    assert len(compiled.plans) == 1
