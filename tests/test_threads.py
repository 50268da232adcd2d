"""Threads and tasks: no global tape, switches are local to a context, a shared graph may be walked by two at once."""

import asyncio
import contextvars
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tables import named, same

import autograd_core as ag
from autograd_core import Tensor
from autograd_core.state import PLAIN, STATE, Recorder, recording

THREADS = 8
V = np.linspace(0.5, 1.5, 4)


@pytest.fixture(autouse=True)
def impatient():
    """Let threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def together(work, n=THREADS):
    """Return what `work(k)` returns in n threads that start at once; an error in a thread is raised here."""
    barrier = threading.Barrier(n)

    def run(k):
        barrier.wait()
        return work(k)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(run, range(n)))


# --- every thread its own program -------------------------------------------------------------------------------------


def nested(k):
    f = lambda x: np.sum(np.sin(k * x) * ag.grad(lambda y: np.sum(y**3 * x))(x))
    return ag.grad(f)(V)


def network(k):
    rng = np.random.default_rng(k)
    w, b = Tensor(rng.normal(size=(4, 4))), Tensor(rng.normal(size=4))
    for _ in range(5):
        loss = np.mean((np.tanh(V @ w + b) - 0.5) ** 2)
        loss.backward()
        for p in (w, b):
            p.data -= 0.1 * p.grad
            p.grad = None
    return np.concatenate([w.data.ravel(), b.data])


PROGRAMS = {
    "nested gradients": nested,
    "third order": lambda k: ag.grad(
        lambda x: np.sum(ag.grad(lambda y: np.sum(ag.grad(lambda z: np.sum(np.exp(k * z)))(y) ** 2))(x))
    )(0.1 * V),
    "hessian": lambda k: ag.hessian(lambda x: np.sum(np.cos(k * x) * x**2))(V),
    "jvp of grad": lambda k: ag.jvp(ag.grad(lambda x: np.sum(np.cos(k * x))), (V,), (V,))[1],
    "jacobian": lambda k: ag.jacobian(lambda x: np.outer(np.sin(k * x), x))(V),
    "checkpoint": lambda k: ag.grad(lambda x: np.sum(ag.checkpoint(lambda y: np.sin(k * y) ** 2)(x)))(V),
    "training": network,
    "assignments": lambda k: ag.grad(
        lambda x: (lambda y: ([y.__setitem__(i, y[i - 1] * x[i] + k) for i in range(4)], np.sum(y))[1])(x * 1)
    )(V),
    "many constants": lambda k: ag.grad(lambda x: sum(np.sum(x * (k + j / 1000)) for j in range(300)))(V),
}


@pytest.mark.parametrize("program", named(PROGRAMS))
def test_programs_in_threads(program):
    alone = [program(k) for k in range(THREADS)]
    for _ in range(3):
        for ours, theirs in zip(together(program), alone, strict=True):
            same(ours, theirs)


def test_tensors_pass_between_threads():
    x = Tensor(V)
    parts = together(lambda k: np.sum(np.sin(x * (k + 1))))
    loss = np.sum(np.stack(parts))
    together(lambda _: loss.backward(), 1)
    np.testing.assert_allclose(x.grad, sum((k + 1) * np.cos(V * (k + 1)) for k in range(THREADS)))


# --- one graph, walked by many ----------------------------------------------------------------------------------------


def shared_graph():
    x = Tensor(V)
    y = x
    for k in range(50):
        y = np.sin(y * (1 + 0.01 * k)) + x
    return x, np.sum(y)


def test_a_shared_graph_is_pulled_back_by_many():
    value, pull = ag.vjp(lambda x: np.sin(x * x) @ np.cos(x[:, None] * x), V)
    wanted = [pull(k * value) for k in range(THREADS)]
    for _ in range(5):
        for ours, theirs in zip(together(lambda k: [pull(k * value) for _ in range(5)][-1]), wanted, strict=True):
            same(ours, theirs)


def test_contributions_of_a_shared_graph_add_up():
    x, y = shared_graph()
    y.backward(retain_graph=True)
    wanted, rounds = x.grad, 40
    for _ in range(15):
        x.grad = None
        together(lambda _: [y.backward(retain_graph=True) for _ in range(rounds)])
        np.testing.assert_allclose(x.grad, THREADS * rounds * wanted)


def test_contributions_of_several_graphs_add_up():
    x, rounds = Tensor(2.0), 200
    for _ in range(15):
        x.grad = None
        together(lambda k: [(x * float(k)).backward() for _ in range(rounds)])
        same(x.grad, np.float64(rounds * sum(range(THREADS))))


def test_one_of_two_walks_without_retaining_wins():
    # both finish, or the loser is told; never a wrong gradient
    for _ in range(20):
        x, y = shared_graph()
        wanted = ag.grad(lambda x: np.sum(x))(V)

        def walk(_, y=y):
            try:
                y.backward()
            except ag.GraphError as error:
                return str(error)
            return None

        refused = [m for m in together(walk, 2) if m is not None]
        assert all("retain_graph=True" in m for m in refused)
        assert x.grad.shape == wanted.shape


# --- switches ---------------------------------------------------------------------------------------------------------


class Listener(Recorder):
    """A recorder that counts."""

    def __init__(self):
        self.told = 0

    def record(self, *_):
        self.told += 1


SWITCHES = {
    "no_grad": (ag.no_grad, lambda: not (Tensor(1.0) * 2).requires_grad),
    "scope": (lambda: ag.scope("inner"), lambda: (Tensor(1.0) * 2).scope[-1:] == ("inner",)),
    "debug": (ag.debug, lambda: STATE.get().debug),
    "recording": (lambda: recording(Listener()), lambda: STATE.get().recorder is not None),
}


@pytest.mark.parametrize(("switch", "thrown"), named(SWITCHES))
def test_a_switch_is_local_to_its_thread(switch, thrown):
    assert not thrown()
    inside, outside = threading.Event(), threading.Event()
    seen = []

    def other():
        inside.wait(5)
        seen.append(thrown())
        with switch():
            seen.append(thrown())
        outside.set()

    thread = threading.Thread(target=other)
    thread.start()
    with switch():
        inside.set()
        assert outside.wait(5)
        assert thrown()
    thread.join()
    assert seen == [False, True]
    assert STATE.get() is PLAIN


@pytest.mark.parametrize(("switch", "thrown"), named(SWITCHES))
def test_a_switch_is_local_to_its_task(switch, thrown):
    async def throwing(steps):
        found = []
        with switch():
            for _ in range(steps):
                found.append(thrown())
                await asyncio.sleep(0)
        found.append(not thrown())
        return found

    async def bystander(steps):
        found = []
        for _ in range(steps):
            found.append(not thrown())
            await asyncio.sleep(0)
        return found

    async def main():
        return await asyncio.gather(throwing(3), bystander(5), throwing(5), bystander(3))

    assert all(all(found) for found in asyncio.run(main()))
    assert STATE.get() is PLAIN


@pytest.mark.parametrize(("switch", "thrown"), named(SWITCHES))
def test_a_task_inherits_the_switches_of_its_maker(switch, thrown):
    async def child():
        return thrown()

    async def main():
        with switch():
            inside = asyncio.create_task(child())
        outside = asyncio.create_task(child())
        return await inside, await outside

    assert asyncio.run(main()) == (True, False)


@pytest.mark.parametrize(("switch", "thrown"), named(SWITCHES))
def test_a_switch_is_restored_after_an_error(switch, thrown):
    def failing():
        with switch(), switch():
            raise KeyError(thrown())

    with pytest.raises(KeyError, match="True"):
        failing()
    assert not thrown()
    assert STATE.get() is PLAIN


def test_gradients_in_tasks():
    async def step(k):
        x = Tensor(V)
        y = np.sin(k * x)
        await asyncio.sleep(0)
        with ag.no_grad():
            z = y * 2
            await asyncio.sleep(0)
        assert not z.requires_grad
        await asyncio.sleep(0)
        np.sum(y * x).backward()
        return x.grad

    async def main():
        return await asyncio.gather(*(step(k) for k in range(10)))

    for k, found in enumerate(asyncio.run(main())):
        same(found, ag.grad(lambda x, k=k: np.sum(np.sin(k * x) * x))(V))


def test_switches_follow_a_copied_context():
    with ag.no_grad():
        context = contextvars.copy_context()
    assert (Tensor(1.0) * 2).requires_grad
    assert not context.run(lambda: (Tensor(1.0) * 2).requires_grad)


def test_no_grad_as_a_decorator_in_threads():
    f = ag.no_grad()(lambda x: x * 2)
    assert not any(y.requires_grad for y in together(lambda k: f(Tensor(float(k)))))
    assert (Tensor(1.0) * 2).requires_grad


def test_recorders_hear_their_own_thread_only():
    def work(k):
        listener = Listener()
        with recording(listener):
            x = Tensor(V)
            for _ in range(k):
                x = x * 2.0
        return listener.told

    assert together(work) == list(range(THREADS))
