"""Changes made whole or not at all, and Ctrl-C that waits."""

# ruff: noqa: PT012 (blocks of several statements are what is tested)

import _thread
import asyncio
import importlib
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import autograd_core as ag
import nn

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def python_as_it_is():
    """Let the handler be Python's own, and warnings no errors: for those a trusted block makes copies."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with warnings.catch_warnings():
        warnings.resetwarnings()
        yield
    signal.signal(signal.SIGINT, before)


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------


WAYS = {"signal": lambda: signal.raise_signal(signal.SIGINT), "interrupt_main": _thread.interrupt_main}


@pytest.mark.parametrize("way", WAYS)
def test_an_interrupt_waits(way):
    done = []
    with pytest.raises(KeyboardInterrupt), ag.uninterrupted():
        WAYS[way]()
        time.sleep(0)
        done.append(1)
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        WAYS[way]()
        time.sleep(0.01)


def test_blocks_in_blocks():
    done = []
    with pytest.raises(KeyboardInterrupt), ag.uninterrupted():
        with ag.uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append(1)
        done.append(2)
    assert done == [1, 2]


def test_an_error_inside_goes_with_the_interrupt():
    with pytest.raises(KeyboardInterrupt) as caught, ag.uninterrupted():
        signal.raise_signal(signal.SIGINT)
        raise KeyError
    assert isinstance(caught.value.__context__, KeyError)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_ones_own_is_told_with_its_frame():
    told = []
    signal.signal(signal.SIGINT, lambda number, frame: told.append((number, frame.f_code.co_name)))
    with ag.uninterrupted():
        signal.raise_signal(signal.SIGINT)
        assert not told
    assert told == [(signal.SIGINT, "test_a_handler_of_ones_own_is_told_with_its_frame")]


@pytest.mark.parametrize("kind", [signal.SIG_IGN, signal.SIG_DFL])
def test_no_handler_at_all(kind):
    signal.signal(signal.SIGINT, kind)
    with ag.uninterrupted():
        assert signal.getsignal(signal.SIGINT) is kind
    assert signal.getsignal(signal.SIGINT) is kind


def test_a_handler_that_was_changed_inside_stays():
    other = lambda *_: None
    with ag.uninterrupted():
        signal.signal(signal.SIGINT, other)
    assert signal.getsignal(signal.SIGINT) is other


def test_asyncio_cancels_its_task():
    done = []

    async def main():
        with ag.uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append(1)
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            done.append(2)
            raise

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert done == [1, 2]


def test_other_threads_have_no_signals():
    done = []

    def work():
        with ag.uninterrupted():
            done.append(signal.getsignal(signal.SIGINT) is signal.default_int_handler)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


# --- all or nothing ---------------------------------------------------------------------------------------------------

LARGE = 10_000
VALUES = {
    "an array": lambda: np.arange(3.0),
    "a large array": lambda: np.arange(float(LARGE)),
    "integers": lambda: np.arange(3),
    "a view": lambda: np.arange(12.0).reshape(3, 4)[:, ::2],
    "no axes": lambda: np.array(3.0),
    "empty": lambda: np.zeros((0, 3)),
    "a leaf": lambda: ag.Tensor(np.arange(3.0)),
    "a large leaf": lambda: ag.Tensor(np.arange(float(LARGE))),
    "a number": lambda: ag.Tensor(2.0),
    "untracked": lambda: ag.Tensor(np.arange(3.0), requires_grad=False),
    "half": lambda: ag.Tensor(np.arange(3.0), dtype=np.float16),
}


def raw(v):
    return v.data if isinstance(v, ag.Tensor) else v


def change(v):
    if isinstance(v, ag.Tensor):
        v.data += 1
    else:
        v += 1


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("kind", VALUES)
def test_what_fails_is_put_back(kind, error):
    values = [VALUES[kind](), VALUES["a leaf"](), VALUES["an array"]()]
    before = [raw(v).copy() for v in values]
    block = ag.all_or_nothing(*values)
    for _ in range(2):
        with pytest.raises(error), block:
            for v in values:
                change(v)
            raise error
        for v, old in zip(values, before, strict=True):
            np.testing.assert_array_equal(raw(v), old)
    with block:
        for v in values:
            change(v)
    for v, old in zip(values, before, strict=True):
        np.testing.assert_array_equal(raw(v), old + 1)


def test_a_graph_from_before_is_stale_after_a_failure():
    w = ag.Tensor([1.0, 2.0])
    loss = np.sum(w * w)
    with pytest.raises(KeyError), ag.all_or_nothing(w):
        w.data += 1
        raise KeyError
    with pytest.raises(ag.GraphError, match="was updated after"):
        loss.backward()


@pytest.mark.parametrize("size", [3, LARGE])
@pytest.mark.parametrize("how", ["errstate", "warning"])
def test_a_trusted_block_is_put_back_where_numpy_raises(size, how):
    a = np.ones(size)
    block = ag.all_or_nothing(a, trusted=True)
    with warnings.catch_warnings(), np.errstate(over="raise" if how == "errstate" else "warn"):
        warnings.simplefilter("error")
        with pytest.raises((FloatingPointError, RuntimeWarning)), block:
            a += 1
            a *= 1e308
            a *= 1e308
    np.testing.assert_array_equal(a, 1)
    with block:
        a += 1


def test_a_trusted_block_lets_an_interrupt_wait():
    a = np.ones(LARGE)
    with pytest.raises(KeyboardInterrupt), ag.all_or_nothing(a, trusted=True):
        a += 1
        signal.raise_signal(signal.SIGINT)
        a += 1
    np.testing.assert_array_equal(a, 3)


def test_a_trusted_block_that_raises_all_the_same_says_so():
    a = np.ones(LARGE)
    block = ag.all_or_nothing(a, trusted=True)
    with pytest.raises(KeyError) as caught, block:
        a += 1
        raise KeyError
    assert "part of the arrays is new" in caught.value.__notes__[0]
    for again in (block, ag.all_or_nothing(a[:5], trusted=True)):
        with pytest.raises(RuntimeError, match="was broken off in the middle, and part of them is new"), again:
            a += 1
    block.forget()
    with block:
        a += 1


@pytest.mark.parametrize(
    ("value", "message"),
    [([1.0], "takes arrays and Tensors"), (nn.relu, "takes arrays"), (ag.Tensor(1.0) * 2, "is the result of")],
)
def test_what_cannot_be_put_back(value, message):
    with pytest.raises(TypeError, match=message):
        ag.all_or_nothing(value)


# --- updates, interrupted at random moments: a short sample of `python -m tools.interrupts` ----------------------------


@pytest.fixture
def interrupts(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])  # behind the packages under test, wherever they are
    return importlib.import_module("tools.interrupts")


NAMES = [
    "eager, Adam, small", "eager, Adam, large", "eager, momentum, two groups", "replay, Adam, small",
    "replay, Adam, large", "replay, momentum, two groups", "recording, Adam", "recording, momentum, large", "scalars",
    "fit", "fit, compiled",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_update_is_made_whole_or_not_at_all(interrupts, name):
    found = interrupts.judge(interrupts.PROGRAMS[name], 5, seed=len(name))
    assert not interrupts.wrong(found)


@pytest.mark.parametrize("name", NAMES)
def test_an_update_that_fails_is_made_whole_or_refuses_to_go_on(interrupts, name):
    found = interrupts.judge(interrupts.PROGRAMS[name], 6, seed=len(name), errors=True)
    assert not interrupts.wrong(found)


class Failing(nn.SGD):
    """An optimizer of one's own whose memory is exhausted in the middle of an update."""

    fails = False

    @staticmethod
    def update(p, g, state, t, lr, settings):  # noqa: ARG004
        p -= 0.5 * lr * g
        if Failing.fails:
            raise MemoryError
        p -= 0.5 * lr * g


@pytest.mark.parametrize("size", [10, LARGE])
def test_an_optimizer_that_was_broken_off_wants_a_state(monkeypatch, size):
    model = nn.Linear(size, 1, rng=0)
    optimizer = Failing(model.parameters(), lr=0.1, momentum=0.5)

    def step():
        optimizer.zero_grad()
        np.sum(model.weight**2).backward()
        np.sum(model.bias**2).backward()
        optimizer.step()

    compiled = ag.compile(step)
    compiled()
    weights, state = model.state_dict(), optimizer.state_dict()
    with monkeypatch.context() as m, pytest.raises(MemoryError) as caught:
        m.setattr(Failing, "fails", True)
        step()
    assert bool(getattr(caught.value, "__notes__", None)) == (size == LARGE)
    if size == LARGE:
        for refused in (step, optimizer.step, optimizer.state_dict, compiled):
            with pytest.raises(RuntimeError, match="load a state of the model and one of the optimizer"):
                refused()
        model.load_state_dict(weights)
        with pytest.raises(RuntimeError, match="broken off in the middle"):  # moments may be new
            step()
        optimizer.load_state_dict(state)
    np.testing.assert_equal((model.state_dict(), optimizer.state_dict()), (weights, state))
    step()
    compiled()
    assert optimizer.state_dict()["state"][0]["step"] == 3


def test_parameters_without_an_optimizer_are_whole_when_they_have_all_new_values():
    p = ag.Tensor(np.ones(LARGE))

    @ag.compile
    def step():
        p.grad = None
        np.sum(p * p).backward()
        p.data = p.data - 0.1 * p.grad

    step()
    with pytest.raises(KeyError), ag.all_or_nothing(p._data, trusted=True):
        p._data[:5] = 3
        raise KeyError
    with pytest.raises(RuntimeError, match=r"in `with ag\.all_or_nothing\(\*parameters\):`"):
        step()
    with ag.all_or_nothing(p):
        p.data = np.ones(LARGE)
    step()
    np.testing.assert_allclose(p.data, 0.8)


def test_all_programs_are_interrupted(interrupts):
    assert list(interrupts.PROGRAMS) == NAMES


def test_a_torn_update_would_be_found(interrupts, monkeypatch):
    """Without what makes an update whole, interrupts tear it."""

    class Careless(ag.all_or_nothing):
        def __enter__(self):
            pass

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(ag, "all_or_nothing", Careless)

    make = lambda: interrupts.Steps(interrupts.adam, 8, False)
    states, n, _ = interrupts.measured(make)
    moments = range(n - 100, n - 2000, -7)  # the last update; which instructions it has depends on the Python
    assert any("torn" in interrupts.trial(make, states, interrupts.Counting(at)) for at in moments)
