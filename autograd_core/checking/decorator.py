"""`checks_gradient`: a test whose body is the function to be checked, at arguments that Hypothesis looks for."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..tree import flatten
from . import strategies
from .checker import examined
from .layouts import is_plain
from .lines import explained, lines_of
from .report import GradientError, Report

LIMIT = 0.2  # of the derivatives a test looks at, so many may remain unjudged
SHRINKING = 2.0  # seconds in which a failing example may become a simpler one
ORDERS = ("C", "F", "strided", "negative")  # how an array may lie in memory without being another array
AGAIN = 20  # examples that passed, whose lines are compared with those of one that failed


Example = tuple[Callable[..., Any], tuple[Any, ...]]  # a function and its arguments


class Tally:
    """How many derivatives have been judged, over all examples of one test, and which examples have failed."""

    def __init__(self, examine: Callable[..., Report]) -> None:
        self.examine = examine
        self.examples = self.entries = self.inconclusive = 0
        self.passed: list[Example] = []
        self.failed: dict[Any, Example] = {}
        self.last: Example | None = None  # of those that failed
        self.since = 0.0  # the first failure
        self.gathering = False  # examples that pass, after one that has failed

    def look(self, key: Any, example: Example) -> None:
        """Judge one example. Raise if it fails; but when time is up only one that has failed before may fail."""
        spent = bool(self.failed) and not self.gathering and time.thread_time() - self.since > SHRINKING
        if spent and key not in self.failed:
            return
        f, values = example
        report = self.examine(f, values, brief=True)
        if report:
            self._count(report)  # one example that cannot be judged is no failure, too many are
            self.passed += [example] if len(self.passed) < AGAIN else []
            return
        if self.gathering:
            return
        self.since = self.since if self.failed else time.thread_time()
        self.failed[key] = self.last = example
        raise GradientError(report)

    def _count(self, report: Report) -> None:
        self.examples += 1
        self.entries += sum(report.counts.values())
        self.inconclusive += report.counts.get("inconclusive", 0)

    def error(self, found: GradientError) -> GradientError:
        """Return the error of the last example that failed, with all that can be said of it."""
        if self.last is None:
            return found
        report = self.examine(*self.last)
        error = found if report else GradientError(report)
        others = [lines_of(functools.partial(self.examine, *e, brief=True)) for e in self.passed]
        own = lines_of(functools.partial(self.examine, *self.last, brief=True))
        notes = [*getattr(found, "__notes__", ()), explained(own, others)]
        error.__notes__ = [note for note in notes if note]
        return error

    def require(self, name: str, limit: float) -> None:
        """Raise if so little was judged that passing would mean nothing."""
        if not self.entries:
            raise AssertionError(
                f"{name} checked no derivative in {self.examples} examples: all of its arguments were empty, or its "
                "results have no gradient; draw other arguments"
            )
        share = self.inconclusive / self.entries
        if share > limit:
            raise AssertionError(
                f"{name} could judge too little to pass: {self.inconclusive:,} of {self.entries:,} derivatives in "
                f"{self.examples} examples were inconclusive ({100 * share:.0f} %, allowed are {100 * limit:.0f} %). "
                "Draw values of moderate size, away from jumps and from the ends of the domain: tensors(domain=...)"
            )


def checks_gradient(
    *together: Any,
    gradient: Callable[..., Any] | None = None,
    order: int = 1,
    modes: Sequence[str] | str = ("reverse", "forward"),
    rtol: float | None = None,
    kinks: str = "subgradient",
    noise: float = 1.0,
    examples: int | None = None,
    inconclusive: float = LIMIT,
    layouts: Sequence[str] | str = ORDERS,
    **arguments: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Turn a function into a test of its own gradient, at many arguments.

    Parameters
    ----------
    *together : strategy, optional
        One strategy for a tuple of all arguments not named: ``operands(2)`` draws arrays that broadcast together.
    **arguments : strategy, str, Domain, tuple of int, ndarray, or anything
        Where the values of each parameter come from: a Hypothesis strategy; a domain by name ("positive") or itself, in
        any shape; a shape; an array, for its shape and dtype. Anything else is a constant. The parameters named nowhere
        belong to pytest (fixtures, parametrize); but if none is named at all, all get arrays that broadcast together.
    gradient, order, modes, rtol, kinks, noise
        As `autograd_core.gradcheck` has them.
    examples : int, optional
        How many to try, instead of Hypothesis' own setting.
    inconclusive : float
        The share of derivatives that may remain unjudged; with more, or with none at all, the test fails.
    layouts : str or sequence of str
        How drawn arrays lie in memory, as `tensors` has them: each in one of these ways. An array that is not in C's
        order stays as it was drawn.

    Examples
    --------
    >>> from autograd_core.checking.strategies import tensors
    >>> @checks_gradient(x=tensors(domain="positive"), y="unit", examples=10)
    ... def test_entropy(x, y):
    ...     return np.sum(x * np.log(x)) + np.sum(np.log(y))
    >>> test_entropy()
    >>> @checks_gradient(x=(3,), gradient=lambda x: 2 * x * np.sign(x + 100.5), examples=10)
    ... def test_square(x):
    ...     return np.sum(x * x)
    >>> test_square()
    """

    def decorate(f: Callable[..., Any]) -> Callable[..., Any]:
        hypothesis = _hypothesis()
        parameters = inspect.signature(f).parameters
        drawn, names, outside = _sources(f.__name__, list(parameters), together, arguments)
        ways = [layouts] if isinstance(layouts, str) else list(layouts)
        drawn = {name: _in_memory(strategy, ways) for name, strategy in drawn.items()}
        options: dict[str, Any] = {"order": order, "modes": modes, "rtol": rtol, "kinks": kinks, "noise": noise}
        examine = functools.partial(examined, gradient=gradient, **options)
        tallies: list[Tally] = []

        def run(**found: Any) -> None:
            if GROUP in found:
                found |= dict(zip([n for n in names if n not in arguments], found.pop(GROUP), strict=True))
            passed = {n: found[n] for n in outside}

            def call(*values: Any) -> Any:
                return f(**dict(zip(names, values, strict=True)), **passed)

            call.__name__ = call.__qualname__ = f.__name__
            call.__signature__ = inspect.Signature([parameters[n] for n in names])  # type: ignore[attr-defined]
            tallies[-1].look(_key(found), (call, tuple(found[n] for n in names)))

        for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
            setattr(run, attribute, getattr(f, attribute))
        run.__signature__ = _keywords([*drawn, *outside])  # type: ignore[attr-defined]
        settings: dict[str, Any] = {"deadline": None, "phases": _phases(hypothesis)}
        settings |= {} if examples is None else {"max_examples": examples}
        test = hypothesis.settings(**settings)(hypothesis.given(**drawn)(run))
        phases = {"phases": [hypothesis.Phase.generate], "max_examples": 2 * AGAIN, "database": None}
        others = hypothesis.settings(deadline=None, **phases)(hypothesis.given(**drawn)(run))

        @functools.wraps(test)
        def wrapper(*args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            tallies.append(Tally(examine))
            kwargs |= dict(zip(outside, args, strict=False))
            try:
                test(**kwargs)
                tallies[-1].require(f.__name__, inconclusive)
            except GradientError as error:  # the report says it all, our own frames would bury it
                if not tallies[-1].passed:  # the first example failed: one that Hypothesis has kept, perhaps
                    tallies[-1].gathering = True
                    others(**kwargs)
                raise tallies[-1].error(error).with_traceback(None) from None
            finally:
                tallies.pop()

        del wrapper.__wrapped__  # pytest would look there for the names of fixtures
        wrapper.__signature__ = inspect.Signature([parameters[n] for n in outside])  # type: ignore[attr-defined]
        return wrapper

    return decorate


def _phases(hypothesis: Any) -> list[Any]:
    """Return what Hypothesis does, but for its own explanation of failures."""
    return [p for p in hypothesis.settings.default.phases if p is not hypothesis.Phase.explain]


def _key(found: dict[str, Any]) -> Any:
    """Return something by which an example is known again."""
    return tuple(
        (a.dtype.str, a.shape, a.strides, a.tobytes()) if isinstance(a, np.ndarray) else repr(a)
        for a in flatten(list(found.values()))[0]
    )


GROUP = "operands"  # under this name Hypothesis prints what was drawn together


def _hypothesis() -> Any:
    strategies.hypothesis()
    import hypothesis

    return hypothesis


def _sources(
    test: str, parameters: list[str], together: tuple[Any, ...], arguments: dict[str, Any]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return strategies by name, the names of the parameters drawn in order, and those that pytest is to pass."""
    if len(together) > 1:
        raise TypeError("checks_gradient takes one strategy for a tuple of arguments, and all others by name")
    unknown = [name for name in arguments if name not in parameters]
    if unknown:
        raise TypeError(f"{test} has no argument {unknown[0]!r}; it takes {', '.join(parameters) or 'none'}")
    own = [p for p in parameters if p != "self"]
    drawn = {name: _strategy(spec) for name, spec in arguments.items()}
    if not together and not arguments:
        together = (strategies.operands(len(own)),)
        names = own
    elif together:
        names = own
    else:
        names = [p for p in own if p in arguments]
    if together:
        drawn[GROUP] = together[0]
    return drawn, names, [p for p in parameters if p not in names]


def _strategy(spec: Any) -> Any:
    """Return the strategy that a short form stands for."""
    st = strategies.hypothesis()
    if isinstance(spec, st.SearchStrategy):
        return spec
    if isinstance(spec, str | strategies.Domain):
        return strategies.tensors(domain=spec)
    if isinstance(spec, tuple) and all(isinstance(n, int) for n in spec):
        return strategies.tensors(spec)
    if isinstance(spec, np.ndarray) and spec.dtype.kind in "fc":
        return strategies.tensors(spec.shape, spec.dtype)
    return st.just(spec)


def _in_memory(strategy: Any, ways: list[str]) -> Any:
    """Return a strategy for the same values where each array lies in memory in one of several ways."""
    st = strategies.hypothesis()
    if unknown := [w for w in ways if w not in strategies.LAYOUTS]:
        raise ValueError(f"layouts are some of {', '.join(strategies.LAYOUTS)}, not {unknown[0]!r}")

    def moved(draw: Any) -> Any:  # composite, so that Hypothesis prints what came of it
        leaves, rebuild = flatten(draw(strategy))
        movable = [isinstance(a, np.ndarray) and a.ndim > 0 and is_plain(a) for a in leaves]
        return rebuild(
            [
                strategies.arranged(a, draw(st.sampled_from(ways))) if m else a
                for a, m in zip(leaves, movable, strict=True)
            ]
        )

    return strategy if ways == ["C"] else st.composite(moved)()


def _keywords(names: Sequence[str]) -> inspect.Signature:
    return inspect.Signature([inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in names])
