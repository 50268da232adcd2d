"""Blocks that throw switches: `no_grad`, `scope`, `debug`, recorders; left in turn, out of turn, in generators, elsewhere."""

import asyncio
import contextlib
import contextvars
import threading

import numpy as np
import pytest

import autograd_core as ag
from autograd_core.state import PLAIN, STATE, Recorder, recording

# each switch as (what begins a block, what of the state it changes)
SWITCHES = {
    "no_grad": (ag.no_grad, lambda: not STATE.get().grad),
    "scope": (lambda: ag.scope("inside"), lambda: "inside" in STATE.get().scope),
    "debug": (ag.debug, lambda: STATE.get().debug),
    "recording": (lambda: recording(Recorder()), lambda: STATE.get().recorder is not None),
}


@pytest.fixture(params=SWITCHES)
def switch(request):
    return SWITCHES[request.param]


def nothing_is_on():
    t = ag.Tensor(2.0) * 3
    s = STATE.get().now()
    return (s.grad, s.depth, s.scope, s.debug, s.recorder) == (True, 0, (), False, None) and t.requires_grad


@pytest.fixture(autouse=True)
def all_off():
    assert STATE.get() is PLAIN
    yield
    assert nothing_is_on()
    STATE.set(PLAIN)


def test_in_turn(switch):
    block, on = switch
    with block(), ag.scope("other"):
        assert on()
        with pytest.raises(KeyError), block():
            raise KeyError
        assert on()
    assert STATE.get() is PLAIN


@pytest.mark.parametrize("second", SWITCHES)
def test_out_of_turn_is_an_error_and_leaves_nothing_on(switch, second):
    block, on = switch
    first, other = block(), SWITCHES[second][0]()
    first.__enter__()
    other.__enter__()
    with pytest.raises(RuntimeError, match="left before one that began inside it"):
        first.__exit__(None, None, None)
    assert SWITCHES[second][1]()  # the other goes on
    other.__exit__(None, None, None)
    assert STATE.get() is PLAIN
    with block():
        assert on()


def test_three_out_of_turn():
    a, b, c = ag.no_grad(), ag.scope("b"), ag.debug()
    for block in (a, b, c):
        block.__enter__()
    for block in (a, b):
        with pytest.raises(RuntimeError, match="in turn, the last one first"):
            block.__exit__(None, None, None)
    c.__exit__(None, None, None)
    assert STATE.get() is PLAIN


def test_an_error_ends_what_began_inside(switch):
    with contextlib.suppress(KeyError), switch[0]():
        ag.no_grad().__enter__()  # and never left
        raise KeyError
    assert STATE.get() is PLAIN


def test_a_block_begins_once(switch):
    block = switch[0]()
    with block, pytest.raises(RuntimeError, match="has begun already"):
        block.__enter__()
    with block:  # afterwards, again
        pass


def test_an_exit_stack(switch):
    block, on = switch
    with contextlib.ExitStack() as stack:
        stack.enter_context(block())
        stack.enter_context(ag.scope("second"))
        assert on()
    assert STATE.get() is PLAIN


# --- generators -------------------------------------------------------------------------------------------------------


def drawing(switch, n=2):
    block, on = switch
    with block():
        for i in range(n):
            assert on()
            yield i
            assert on()


@pytest.fixture
def end():
    """Ways in which a generator that was stopped once is done with."""

    def of(how, g):
        if how == "exhausted":
            assert list(g) == [1]
        elif how == "closed":
            g.close()
        elif how == "error":
            with pytest.raises(KeyError):
                g.throw(KeyError)
        # else it is dropped

    return of


@pytest.mark.parametrize("how", ["exhausted", "closed", "error", "dropped"])
def test_a_generator_that_is_stopped_switches_nothing_outside(switch, how, end):
    g = drawing(switch)
    assert next(g) == 0
    assert nothing_is_on()
    y = np.sum(ag.Tensor([1.0, 2.0]) ** 2)
    y.backward()
    end(how, g)
    del g
    assert nothing_is_on()
    assert STATE.get() is PLAIN


@pytest.mark.parametrize("how", ["exhausted", "closed", "error"])
def test_a_generator_that_ends_in_a_block_of_the_caller(switch, how, end):
    g = drawing(switch)
    with ag.scope("caller"):
        next(g)
        assert STATE.get().scope == ("caller",)
        end(how, g)
        assert STATE.get().scope == ("caller",)
    assert STATE.get() is PLAIN


def test_a_generator_that_outlives_a_block_of_the_caller(switch):
    g = drawing(switch)
    with ag.scope("caller"), ag.no_grad():
        next(g)
    assert nothing_is_on()
    with ag.scope("caller"):  # of the same name
        assert STATE.get().scope == ("caller",)
    assert nothing_is_on()
    assert list(g) == [1]
    assert STATE.get() is PLAIN


def test_generators_in_step(switch):
    assert list(zip(drawing(switch, 3), drawing(SWITCHES["no_grad"], 2), drawing(switch, 3), strict=False)) == [
        (0, 0, 0),
        (1, 1, 1),
    ]
    a, b = drawing(switch), drawing(switch)
    assert [next(a), next(b), next(a), next(b)] == [0, 0, 1, 1]
    assert nothing_is_on()
    assert list(a) == list(b) == []
    assert STATE.get() is PLAIN


def test_generators_in_generators(switch):
    def outer():
        with ag.scope("outer"):
            for i in drawing(switch, 2):
                assert STATE.get().now().scope == ("outer",)
                yield i
            yield from drawing(switch, 2)

    for _ in outer():
        assert nothing_is_on()
    assert STATE.get() is PLAIN


def test_a_block_of_the_caller_begun_while_a_generator_is_stopped(switch):
    """It ends while the other goes on: the generator runs under what its caller has switched, and an error says so."""

    def generator():
        with switch[0]():
            yield

    g = generator()
    next(g)
    with ag.scope("later"):
        assert STATE.get().scope == ("later",)
        with pytest.raises(RuntimeError, match="left before one that began inside it"):
            next(g)
    assert nothing_is_on()


def test_a_generator_is_closed_in_another_context(switch):
    g = drawing(switch)
    next(g)
    contextvars.copy_context().run(g.close)
    assert nothing_is_on()
    g = drawing(switch)
    contextvars.copy_context().run(next, g)
    g.close()
    assert STATE.get().now() is PLAIN


def test_a_generator_goes_on_in_another_thread(switch):
    def generator():
        with switch[0]():
            yield

    g, caught = generator(), []
    next(g)

    def go_on():
        try:
            next(g)
        except RuntimeError as error:
            caught.append(str(error))

    thread = threading.Thread(target=go_on)
    thread.start()
    thread.join()
    assert "in another thread" in caught[0]
    assert nothing_is_on()


@pytest.mark.parametrize("name", ["no_grad", "debug", "recording"])
def test_a_block_is_left_in_another_context(name):
    block = SWITCHES[name][0]()
    block.__enter__()
    with pytest.raises(RuntimeError, match="in another thread or task"):
        contextvars.Context().run(block.__exit__, None, None, None)
    assert nothing_is_on()
    STATE.set(PLAIN)


# --- managers: generators that are to stop inside ---------------------------------------------------------------------


def test_a_context_manager_of_ones_own(switch):
    block, on = switch

    @contextlib.contextmanager
    def managed():
        with block():
            yield

    def inside():
        with managed():
            assert on()
            yield
            assert on()

    with managed():
        assert on()
        with contextlib.ExitStack() as stack:
            stack.enter_context(managed())
            assert on()
    assert STATE.get() is PLAIN
    for _ in inside():
        assert nothing_is_on()

    @managed()
    def decorated():
        return on()

    assert decorated()
    assert STATE.get() is PLAIN


def test_an_asynchronous_context_manager_of_ones_own(switch):
    block, on = switch

    @contextlib.asynccontextmanager
    async def managed():
        with block():
            yield

    async def main():
        async with managed():
            await asyncio.sleep(0)
            assert on()
        assert nothing_is_on()

    asyncio.run(main())


# --- tasks ------------------------------------------------------------------------------------------------------------


def test_tasks_have_their_own(switch):
    block, on = switch

    async def switched():
        with block():
            await asyncio.sleep(0)
            assert on()
            assert all(await asyncio.gather(asked(), asked()))  # tasks begun inside
            assert await asyncio.to_thread(on)

    async def asked():
        await asyncio.sleep(0)
        return on()

    async def main():
        for _ in range(3):
            await asyncio.gather(switched(), other(), switched())

    async def other():
        for _ in range(4):
            assert nothing_is_on()
            await asyncio.sleep(0)

    asyncio.run(main())


def test_asynchronous_generators(switch):
    block, on = switch

    async def drawing():
        with block():
            for i in range(3):
                await asyncio.sleep(0)
                assert on()
                yield i

    async def main():
        async for _ in drawing():
            assert nothing_is_on()
            await asyncio.sleep(0)
            assert nothing_is_on()
        g = drawing()
        await anext(g)
        await g.aclose()
        assert nothing_is_on()
        await anext(drawing())  # closed by the loop, in a task of its own
        assert nothing_is_on()

    asyncio.run(main())


# --- decorators -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["no_grad", "debug", "recording"])
def test_a_decorated_function(name):
    block, on = SWITCHES[name]

    @block()
    def f(n):
        """Say so."""
        return (on(), *f(n - 1)) if n else (on(),)

    assert f(2) == (True, True, True)
    assert f.__doc__ == "Say so."
    assert STATE.get() is PLAIN


@pytest.mark.parametrize("name", ["no_grad", "debug", "recording"])
def test_a_decorated_generator(name):
    block, on = SWITCHES[name]

    @block()
    def f(n):
        seen = []
        for i in range(n):
            try:
                seen.append((yield i, on()))
            except KeyError:
                seen.append("error")
        return seen

    g = f(3)
    assert next(g) == (0, True)
    assert nothing_is_on()
    assert g.send("sent") == (1, True)
    assert g.throw(KeyError) == (2, True)
    assert nothing_is_on()
    with pytest.raises(StopIteration) as stopped:
        next(g)
    assert stopped.value.value == ["sent", "error", None]
    assert STATE.get() is PLAIN


@pytest.mark.parametrize("name", ["no_grad", "debug", "recording"])
def test_a_decorated_coroutine_and_asynchronous_generator(name):
    block, on = SWITCHES[name]

    @block()
    async def f():
        await asyncio.sleep(0)
        return on()

    @block()
    async def drawing(n):
        for i in range(n):
            await asyncio.sleep(0)
            try:
                got = yield i, on()
                assert got in (None, "sent")
            except KeyError:
                yield "error"

    async def main():
        assert await f()
        assert [v async for v in drawing(2)] == [(0, True), (1, True)]
        g = drawing(5)
        assert await anext(g) == (0, True)
        assert nothing_is_on()
        assert await g.asend("sent") == (1, True)
        assert await g.athrow(KeyError) == "error"
        assert await anext(g) == (2, True)
        await g.aclose()
        assert nothing_is_on()

    asyncio.run(main())
    assert asyncio.iscoroutinefunction(f)
