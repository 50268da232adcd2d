"""The switches a program can throw: recording on or off, a scope's name, debugging, a recorder.

They live in one context variable, so they are local to a thread and to an asyncio task. While nothing is switched the
variable holds `PLAIN` itself, and the hot path asks one question: ``STATE.get() is PLAIN``. Imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NoReturn


class Recorder:
    """Hears of everything that happens while it listens, in the order of execution; this base class ignores it all.

    A recorder hears every operation, tracked or not, the backward sweep included; and what is no operation: a leaf gets
    new values or a gradient, somebody asks for values, a function is to be called anew whenever the tape is run again.
    """

    title = "a recorder"  # under which messages speak of it

    def record(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], ans: Any) -> None:
        """Hear that ``ans = fn(*args, **kwargs)`` has been computed; what is recorded comes as Tensors."""

    def checked(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Hear that a function without a result has looked at values, at which it raises if it must."""

    def find(self, value: Any) -> Any:
        """Return the Tensor that stands for a value the tape had kept, also in a tuple of them, or the value itself."""
        return value

    def assign(self, t: Any, value: Any) -> None:
        """Hear that a leaf, or an untracked Tensor, is about to get new values."""

    def gradient(self, leaf: Any, value: Any) -> None:
        """Hear that a leaf is about to get a gradient; None takes away the one that it has."""

    def earlier_gradient(self, leaf: Any) -> Any:
        """Return the Tensor that stands for the gradient a leaf had before, None to leave it as it is."""

    def stand_in(self, t: Any) -> Any:
        """Return what stands for the values of a Tensor, of which somebody asks for `data`; None to hand them out."""

    def carried(self, t: Any) -> None:
        """Hear that the array of a Tensor goes on in another Tensor."""

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


def fresh(fn: Any, *args: Any, **kwargs: Any) -> Any:
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
    recorder = STATE.get().recorder
    found = None if recorder is None else recorder.call(fn, args, kwargs)
    return fn(*args, **kwargs) if found is None else found[0]


class State:
    """One setting of all switches, never changed; entering a context makes another.

    A class by hand: `dataclasses` alone would cost a tenth of NumPy's import time.
    """

    __slots__ = ("children", "debug", "depth", "grad", "noted", "recorder", "scope")

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


PLAIN = State()
STATE: ContextVar[State] = ContextVar("autograd_core_state", default=PLAIN)


@contextlib.contextmanager
def switched(**changes: Any) -> Iterator[State]:
    """Run a block with some switches changed."""
    state = STATE.get().changed(**changes)
    token = STATE.set(state)
    try:
        yield state
    finally:
        STATE.reset(token)


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

    def __init__(self, make: Callable[[], contextlib.AbstractContextManager[State]]) -> None:
        functools.update_wrapper(self, make)
        self.make = make

    def __call__(self, *given: Any) -> contextlib.AbstractContextManager[State]:
        if given:
            raise TypeError(f"ag.{self.make.__name__}() takes nothing; as a decorator it is @ag.{self.make.__name__}()")
        return self.make()

    def __enter__(self) -> NoReturn:
        raise TypeError(f"the brackets are missing: write with ag.{self.make.__name__}():")

    def __exit__(self, *exc: object) -> None:
        """Belong to the protocol of contexts."""


@_Brackets
def no_grad() -> contextlib.AbstractContextManager[State]:
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
def debug() -> contextlib.AbstractContextManager[State]:
    """Note the source line of every operation, and catch arrays that change between recording and backward."""
    return switched(debug=True)


def recording(recorder: Recorder) -> contextlib.AbstractContextManager[State]:
    """Tell `recorder` of every operation on Tensors: comparisons, constants and the backward sweep included."""
    return switched(recorder=recorder)


class scope:
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

    __slots__ = ("name", "token")

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        self.token = STATE.set(STATE.get().inside(self.name))

    def __exit__(self, *exc: object) -> None:
        STATE.reset(self.token)
