"""The switches a program can throw: recording on or off, a scope's name, debugging, a recorder.

They live in one context variable, so they are local to a thread and to an asyncio task. While nothing is switched the
variable holds `PLAIN` itself, and the hot path asks one question: ``STATE.get() is PLAIN``. Imports nothing of ours.

A generator shares the context of whoever draws from it, so a block in which it stops would go on outside of it. Such a
block begins with a state that looks whether the generator is running (`Within`).
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Recorder:
    """Hears of everything that happens while it listens, in the order of execution; this base class ignores it all.

    A recorder hears every operation, tracked or not, the backward sweep included; and what is no operation: a leaf gets
    new values or a gradient, somebody asks for values, a function is to be called anew whenever the tape is run again.
    """

    title = "a recorder"  # under which messages speak of it
    full = False  # does every Tensor refer to its variable, and every node to its equation?

    def record(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], ans: Any) -> None:
        """Hear that ``ans = fn(*args, **kwargs)`` has been computed; what is recorded comes as Tensors."""

    def checked(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Hear that a function without a result has looked at values, at which it raises if it must."""

    def variable(self, t: Any) -> Any:
        """Return the variable of a Tensor."""

    def kept(self, value: Any, source: Any, holder: Any, place: Any) -> Any:
        """Return what stands for a value kept by the node `holder` in a `place`, with `source` its own node."""

    def enter(self, t: Any, leaf: Any) -> None:
        """Hear that a transform has made the Tensor `t` of an argument."""

    def become(self, t: Any, other: Any) -> None:
        """Hear that a Tensor has taken over the value of another, or a plain one."""

    def assign(self, t: Any, value: Any) -> None:
        """Hear that a leaf, or an untracked Tensor, is about to get new values."""

    def gradient(self, leaf: Any, value: Any) -> None:
        """Hear that a leaf is about to get a gradient; None takes away the one that it has."""

    def earlier_gradient(self, leaf: Any) -> Any:
        """Return the Tensor that stands for the gradient a leaf had before, None to leave it as it is."""

    def stand_in(self, t: Any) -> Any:
        """Return what stands for the values of a Tensor, of which somebody asks for `data`; None to hand them out."""

    def placed(self, t: Any) -> None:
        """Hear that the values of a leaf are about to live in another array; may refuse."""

    def made(self, t: Any, data: Any) -> None:
        """Hear that a Tensor has been made of a plain array."""

    def changing(self, t: Any) -> None:
        """Hear that a Tensor is about to become another value in place."""

    def asked(self, what: Any) -> None:
        """Hear that somebody wants the values themselves, by `what`; may raise a better error than the Tensor will."""

    def call(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any] | None:
        """Call a function that is to be called anew at every run of the tape; None to leave that to the caller."""

    def assume_finite(self) -> bool:
        """Say whether masks of absent cotangents may be left out where only values that are not finite need them."""
        return False


def fresh(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return ``fn(*args, **kwargs)``, called anew whenever a compiled function is replayed.

    For what is not a function of its arguments alone: random draws, a rate read from an object, a change to the world.
    Without `ag.compile` around it this is the call itself; inside, arrays come back as untracked Tensors.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> fresh(rng.integers, 10, size=3)
    array([8, 6, 5])
    """
    if (recorder := STATE.get().recorder) is None:
        return fn(*args, **kwargs)
    found = recorder.call(fn, args, kwargs)
    return fn(*args, **kwargs) if found is None else found[0]


class State:
    """One setting of all switches, never changed; entering a context makes another.

    A class by hand: `dataclasses` alone would cost a tenth of NumPy's import time.
    """

    __slots__ = ("children", "debug", "depth", "grad", "left", "noted", "recorder", "scope")

    name = line = None  # a State that only names a scope serves as the note of a node
    sums = ()

    def __init__(
        self,
        grad: bool = True,
        depth: int = 0,
        scope: tuple[str, ...] = (),
        debug: bool = False,
        recorder: Recorder | None = None,
    ) -> None:
        self.grad = grad  # are tracked operations recorded?
        self.depth = depth  # how many transforms are running whose result is itself to be differentiated
        self.scope = scope  # names of the scopes entered, outermost first
        self.debug = debug  # note the user's source line and a checksum of captured arrays at every node
        self.recorder = recorder
        # What is to be written down about a result: nothing, its scope, or more.
        self.noted = 2 if debug or recorder is not None else 1 if scope else 0
        self.children: dict[str, State] = {}
        self.left: State | None = None  # what holds instead, once its block was left before another that began inside

    def now(self) -> State:
        """Return the state that is in force."""
        return self

    def inside(self, name: str) -> State:
        """Return the state inside a scope of that name, made once."""
        found = self.children.get(name)
        if found is None:
            if len(self.children) > 1000:
                self.children.clear()
            found = State(self.grad, self.depth, (*self.scope, name), self.debug, self.recorder)
            self.children[name] = found
        return found

    def changed(self, **changes: Any) -> State:
        """Return another state with some switches changed."""
        return State(**({k: getattr(self, k) for k in ("grad", "depth", "scope", "debug", "recorder")} | changes))


class Within(State):
    """The state of a block in a generator: another one while that runs, and what was before while it is stopped.

    What it is asked for it has none of: `__getattr__` asks the state in force.
    """

    __slots__ = ("frame", "inner", "outer")

    def __init__(self, inner: State, outer: State, frame: Any) -> None:
        self.inner = inner
        self.outer = outer
        self.frame = frame  # of the generator
        self.left = None

    def now(self) -> State:
        """Return the state that is in force: a generator that runs was called by somebody."""
        return self.inner if is_running(self.frame) else standing(self.outer).now()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.now(), name)

    def inside(self, name: str) -> State:
        """Return the state inside a scope of that name."""
        return self.now().inside(name)


PLAIN = State()
STATE: ContextVar[State] = ContextVar("autograd_core_state", default=PLAIN)
state_now, switch, frame_above = STATE.get, STATE.set, sys._getframe  # for blocks that are entered again and again


# --- blocks -----------------------------------------------------------------------------------------------------------

GENERATOR = 0x20 | 0x200  # flags of code: a generator's, an asynchronous one's
MANAGERS = vars(contextlib)


def generator_of(frame: Any) -> Any:
    """Return the frame of the generator in which a block begins, None if that is another function.

    The generator of a `contextlib.contextmanager` begins it for the one who has entered that: it is to stop inside.
    """
    while frame is not None:
        flags, above = frame.f_code.co_flags, frame.f_back
        manages = flags & GENERATOR and above is not None and above.f_globals is MANAGERS
        if frame.f_globals is not MANAGERS and not manages:
            return frame if flags & GENERATOR else None
        frame = above
    return None


def is_running(frame: Any) -> bool:
    """Say whether the frame of a generator is among those that have called this function.

    One that is stopped has no caller; one that has ended still shows its last one from Python 3.13 on.
    """
    if frame.f_back is None:
        return False
    above: Any = sys._getframe(1)
    while above is not None and above is not frame:
        above = above.f_back
    return above is frame


def standing(state: State) -> State:
    """Return a state, or what holds in its place if its block was left before its turn."""
    while state.left is not None:
        state = state.left
    return state


class Block:
    """A with-statement that throws switches: what it shares with the others of its kind is how it is left."""

    __slots__ = ("outer", "state", "token")

    def __init__(self) -> None:
        self.state: Any = None

    def enter(self, state: State, outer: State, frame: Any) -> State:
        """Begin the block, in which a state holds; of it another one is made if it is a generator's."""
        if self.state is not None:
            raise RuntimeError("this block has begun already: write the with-statement with a new one")
        if frame.f_code.co_flags & GENERATOR or frame.f_globals is MANAGERS:
            generator = generator_of(frame)
            state = state if generator is None else Within(state, outer, generator)
        self.state, self.outer = state, outer
        try:
            self.token = STATE.set(state)
        except BaseException:  # an interrupt, after it
            STATE.set(outer)
            raise
        return state

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            outer = self.outer
            if turn := state_now() is self.state:
                switch(outer if outer.left is None else standing(outer))
        except BaseException:  # an interrupt, before it
            STATE.set(self.outer)
            raise
        state, self.state = self.state, None
        if not turn:
            self.out_of_turn(state, outer, error)

    def out_of_turn(self, state: State, outer: State, error: Any) -> None:
        """Leave the block while another one goes on that began inside; what is then left last ends them all."""
        above = STATE.get()
        while type(above) is Within and above is not state:
            above = standing(above.outer)
        state.left = outer
        known = outer.now().children
        for name in [name for name, s in known.items() if s is state]:
            del known[name]  # whoever enters a scope of that name gets a new one
        if above is state or isinstance(error, GeneratorExit):
            return  # above are generators that are stopped, or this one is being closed, wherever that is
        if error is None:
            raise RuntimeError(
                "a block such as `with ag.no_grad()` was left before one that began inside it, or in another thread or "
                "task than it began in: leave them in turn, the last one first"
            )
        if type(state) is not Within:  # the error has ended all that began inside
            with contextlib.suppress(ValueError, RuntimeError):  # in another context
                STATE.reset(self.token)
                STATE.set(standing(outer))


class switched(Block):
    """Run a block, or a function, with some switches changed."""

    __slots__ = ("changes",)

    def __init__(self, **changes: Any) -> None:
        self.changes = changes
        self.state = None

    def __enter__(self) -> State:
        outer = STATE.get()
        return self.enter(outer.changed(**self.changes), outer, sys._getframe(1))

    def out_of_turn(self, state: State, outer: State, error: Any) -> None:
        """Leave the block out of turn; a context in which it goes on, as that of another thread, has it off by now."""
        if type(state) is not Within:
            for name in ("grad", "depth", "debug", "recorder", "noted"):
                setattr(state, name, getattr(standing(outer), name))
        super().out_of_turn(state, outer, error)

    def __call__(self, f: F) -> F:
        """Return the function with its body as such a block; also a generator, a coroutine, or both in one."""
        around: F = self._around(f)
        return around

    def _around(self, f: Any) -> Any:
        import inspect

        if inspect.isgeneratorfunction(f):
            return functools.wraps(f)(lambda *args, **kwargs: _drawn(f(*args, **kwargs), self.changes))
        if inspect.isasyncgenfunction(f):
            return functools.wraps(f)(lambda *args, **kwargs: _stepwise(f(*args, **kwargs), self.changes))
        if inspect.iscoroutinefunction(f):

            @functools.wraps(f)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with switched(**self.changes):
                    return await f(*args, **kwargs)

            return awaited

        @functools.wraps(f)
        def called(*args: Any, **kwargs: Any) -> Any:
            with switched(**self.changes):
                return f(*args, **kwargs)

        return called


def _drawn(generator: Any, changes: dict[str, Any]) -> Any:
    """Yield what a generator does, which runs with switches changed."""
    with switched(**changes):
        return (yield from generator)


async def _stepwise(generator: Any, changes: dict[str, Any]) -> Any:
    """Yield what an asynchronous generator does, which runs with switches changed; hand on what it is sent."""
    with switched(**changes), contextlib.suppress(StopAsyncIteration):
        found = await generator.asend(None)
        while True:
            try:
                sent = yield found
            except GeneratorExit:
                await generator.aclose()
                raise
            except BaseException as error:
                found = await generator.athrow(error)
            else:
                found = await generator.asend(sent)


class deeper:
    """Run a block inside one more transform, recording: as `switched` would, in a third of the time."""

    __slots__ = ("token",)

    def __enter__(self) -> None:
        s = STATE.get()
        self.token = STATE.set(State(True, s.depth + 1, s.scope, s.debug, s.recorder))

    def __exit__(self, *exc: object) -> None:
        STATE.reset(self.token)


class _Brackets:
    """A function that makes a context; entered without having been called, it says what is missing."""

    def __init__(self, make: Callable[[], switched]) -> None:
        functools.update_wrapper(self, make)
        self.make = make

    def __call__(self, *given: Any) -> switched:
        if given:
            raise TypeError(f"ag.{self.make.__name__}() takes nothing; as a decorator it is @ag.{self.make.__name__}()")
        return self.make()

    def __enter__(self) -> NoReturn:
        raise TypeError(f"the brackets are missing: write with ag.{self.make.__name__}():")

    def __exit__(self, *exc: object) -> None:
        """Belong to the protocol of contexts."""


@_Brackets
def no_grad() -> switched:
    """Record nothing inside the block: results are untracked. Also a decorator.

    Examples
    --------
    >>> import autograd_core as ag
    >>> x = ag.Tensor([1.0, 2.0])
    >>> with ag.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """
    return switched(grad=False)


@_Brackets
def debug() -> switched:
    """Note the source line of every operation, and catch arrays that change between recording and backward."""
    return switched(debug=True)


def recording(recorder: Recorder) -> switched:
    """Tell `recorder` of every operation on Tensors: comparisons, constants and the backward sweep included."""
    return switched(recorder=recorder)


class scope(Block):
    """Name a part of the program; every operation recorded inside carries the path of names.

    A class of its own rather than `switched`: `nn` modules enter one at every call (0.7 us against 3.3 us).

    Examples
    --------
    >>> import autograd_core as ag
    >>> x = ag.Tensor(2.0)
    >>> with ag.scope("layer 1"):
    ...     y = x * x
    >>> y.scope
    ('layer 1',)
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = None

    def __enter__(self) -> None:
        outer, frame = state_now(), frame_above(1)
        state = outer.children.get(self.name) or outer.inside(self.name)
        if self.state is not None or frame.f_code.co_flags & 0x220:  # GENERATOR
            self.enter(state, outer, frame)
            return
        self.state, self.outer = state, outer  # as `enter` does, in two thirds of the time
        try:
            self.token = switch(state)
        except BaseException:
            STATE.set(outer)
            raise
