"""`compile`: record a function at its first call, replay it afterwards."""

from __future__ import annotations

import contextlib
import functools
import gc
import sys
import threading
import types
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, overload

import numpy as np

from ..notes import GraphError
from ..program.around.compared_arrays import Memory as Compared
from ..program.around.surroundings import Surroundings
from ..program.around.watched_places import NEVER, is_same_number
from ..program.calls import uncompiled
from ..program.tracing import Trace, differs
from ..state import PLAIN, STATE
from ..tensor import Tensor
from ..tree import flatten, rests
from . import blocks, width
from .memory import Layout, Memory
from .plan import Plan
from .quick import NOTHING, shortcut
from .scalars import NotFinite
from .writer import Writer, compiled

ndarray = np.ndarray
P = ParamSpec("P")
MOST = 16  # kinds of arguments of one function for which plans are kept
STATES = 4  # plans kept for one of them, as for training and evaluation, or gradients there or not
AGAIN = 10  # recordings in a row before it is said that compiling does not pay
OF_ARRAYS = 3  # the same where it is a captured array that changes: it is a buffer, as a rule, and goes on so


@overload
def compile(f: Callable[P, Any], *, check: bool = False) -> Compiled[P]: ...
@overload
def compile(f: None = None, *, check: bool = False) -> Callable[[Callable[P, Any]], Compiled[P]]: ...
def compile(f: Any = None, *, check: bool = False) -> Any:
    """Return a function that records `f` at its first call and replays the recording afterwards.

    Arrays, NumPy scalars, Python floats and complex numbers among the arguments may differ from call to call; what else
    there is (structure, shapes, dtypes, ints, strings, other objects) selects the plan, of which each combination gets
    its own. Results are plain arrays and numbers.

    Parameters
    ----------
    f : callable
        Takes and returns nested containers of arrays and numbers; may use Tensors around it, gradients, models and
        optimizers. It must do the same operations at every call: a Python branch on a traced value is refused.
    check : bool
        Run `f` beside every replay and compare: slow, for finding out.

    Examples
    --------
    >>> import numpy as np
    >>> import autograd_core as ag
    >>> slope = compile(ag.grad(lambda x: np.sum(np.where(x > 0, x**2, -x))))
    >>> slope(np.array([1.0, -2.0])), slope(np.array([-3.0, 4.0]))
    (array([ 2., -1.]), array([-1.,  8.]))
    """
    if f is None:
        return functools.partial(compile, check=check)
    if not callable(f):
        raise TypeError(f"compile takes a function, not {f!r}")
    return Compiled(f, check)


class Compiled(Generic[P]):
    """A compiled function.

    Attributes
    ----------
    plan : Plan
        The one that was used last; print it.
    plans : list of Plan
    """

    def __init__(self, f: Callable[P, Any], check: bool = False) -> None:
        functools.update_wrapper(self, f)
        self.f = f
        self.check = check
        self.entries: OrderedDict[Any, list[Entry]] = OrderedDict()
        self.lock = threading.RLock()
        self.masked: set[Any] = set()  # keys of plans that have to keep the masks of scalars
        self.again = 0  # recordings one after the other, because something had changed
        self.others = 0  # the same, because the arguments were of another kind
        self.said: set[str] = set()  # what the user has been told of
        self.fast: Any = None  # the short way of the entry used last

    @property
    def plans(self) -> list[Plan]:
        """All plans, the one used last at the end."""
        return [entry.plan for known in self.entries.values() for entry in reversed(known)]

    @property
    def plan(self) -> Plan:
        """The plan used last."""
        if not self.entries:
            raise GraphError("nothing has been compiled yet: call the function once")
        return self.plans[-1]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Replay the plan for these arguments, or record it."""
        state, fast = STATE.get(), self.fast
        if fast is not None and state is PLAIN and not kwargs and (found := fast(args)) is not NOTHING:
            return found
        if state is not PLAIN and (state.recorder is not None or state.depth or state.debug):
            return self.f(*args, **kwargs)  # somebody else records: be part of it
        leaves, rebuild = flatten((args, kwargs))
        leaves = [v.view(ndarray) if type(v) is np.memmap else v for v in leaves]
        key, values = signature(leaves)
        if key is None:
            return self.f(*args, **kwargs)
        key = (key, _shape_of(args, kwargs), state.grad)
        known = self.entries.get(key, [])
        entry = next((e for e in known if e.changed() is None), None)
        if entry is None:
            more = rests((args, kwargs))
            return (self.record_again if known else self.record_other)(key, leaves, rebuild, more)
        self.again = self.others = 0
        if entry is not known[0]:
            self.entries[key] = [entry, *[e for e in known if e is not entry]]
        if self.check:
            return self.compared(entry, values, args, kwargs)
        with contextlib.suppress(KeyError):  # another thread has dropped it meanwhile
            self.entries.move_to_end(key)
        self.fast = entry.shortcut(args) if state.grad and not kwargs else None
        try:
            return entry.rebuild(entry.replay(*values))
        except NotFinite:  # nothing has been changed yet
            return uncompiled(self.f, args, kwargs)

    def record(self, key: Any, leaves: list[Any], rebuild: Any, more: list[Any]) -> Any:
        """Run the function once, write its plan, return what it returned.

        Without the garbage collector, which would go through a recording again and again as it grows: half of the time.
        """
        enabled = gc.isenabled()
        with self.lock:
            try:
                gc.disable()
                return self.recorded(key, leaves, rebuild, more)
            finally:
                if enabled:
                    gc.enable()

    def recorded(self, key: Any, leaves: list[Any], rebuild: Any, more: list[Any]) -> Any:
        """Do so, whoever looks after the garbage."""
        around = Surroundings(self.f, [*leaves, *more])
        self.say_large(around.large)
        trace = Trace(around, key in self.masked)
        entered = [trace.entered(v) if differs(v) else v for v in leaves]
        args, kwargs = rebuild(entered)
        outer = STATE.get()
        try:
            STATE.set(outer.changed(recorder=trace))
            with np.errstate():  # the recorder may let NumPy be silent
                out = self.f(*args, **kwargs)
            found = trace.finish(out)
            STATE.set(outer)
            around.watch()
            finite = trace.finite
            if regular := not finite or trace.all_finite():
                guards = [*trace.guards, *around.guards(), *tracked(trace.tensors.values())]
                trace.forget_values()
                entry = Entry(Plan(trace.program, guards, finite))
        except BaseException:
            STATE.set(outer)  # by a call of C's: the end of a with-statement can be interrupted
            trace.put_back()
            raise
        if not regular:
            trace.put_back()
            return uncompiled(self.f, *rebuild(leaves))
        if finite and entry.scalar is None:  # the next call records anew, with the masks
            self.masked.add(key)
            return found
        self.entries[key] = [entry, *self.entries.get(key, [])][:STATES]
        self.entries.move_to_end(key)
        self.fast = None
        while len(self.entries) > MOST:
            self.entries.popitem(last=False)
        return found

    def record_other(self, key: Any, leaves: list[Any], rebuild: Any, more: list[Any]) -> Any:
        """Record for arguments of another kind; give up, and say so, where every call brings another."""
        if self.others < MOST:
            found = self.record(key, leaves, rebuild, more)
            self.others += key in self.entries  # not if something was not finite, and nothing was kept
            return found
        if self.others == MOST:
            self.others += 1
            last = next(reversed(self.entries))
            different = [v for v, a, b in zip(leaves, key[0], last[0], strict=False) if a != b]
            what = f"{type(different[0]).__name__} {different[0]!r:.40}" if different else "their structure"
            warnings.warn(
                f"{MOST} calls one after the other had arguments of different kinds ({what}, at last), and the "
                f"compiled function was recorded at each: it runs uncompiled until one comes back. Ints, other "
                f"objects, Tensors and shapes select the plan: pass data as arrays, floats or NumPy's numbers, "
                f"np.int64(i), and pad to few shapes",
                stacklevel=3,
            )
        return uncompiled(self.f, *rebuild(leaves))

    def record_again(self, key: Any, leaves: list[Any], rebuild: Any, more: list[Any]) -> Any:
        """Record anew, since something around has changed; seldom, and say so, where that goes on and on."""
        self.again += 1
        read = self.entries[key][0].changed()
        buffer = isinstance(getattr(read, "__self__", None), Compared)
        if self.again < (OF_ARRAYS if buffer else AGAIN):
            return self.record(key, leaves, rebuild, more)
        if (what := described(read)) not in self.said:
            self.said.add(what)
            instead = "pass it as an argument, or hold it in a Tensor and fill that by t.assign(...)"
            warnings.warn(
                f"{what} changes at every call, and the compiled function was recorded at each: it runs uncompiled "
                f"from now on, but for a trial now and then; {instead if buffer else 'pass it as an argument'}",
                stacklevel=3,
            )
        if self.again & (self.again - 1):
            return uncompiled(self.f, *rebuild(leaves))
        return self.record(key, leaves, rebuild, more)  # after 16, 32, 64 calls: what has changed may stay by now

    def say_large(self, large: list[str]) -> None:
        """Warn, once, of what the function can reach and nobody compares."""
        if large and "large" not in self.said:
            self.said.add("large")
            more = f", and {len(large) - 1} more" if len(large) > 1 else ""
            warnings.warn(
                f"{large[0]}{more}: too much for ag.compile to compare at every call. Operations on Tensors read "
                f"arrays anew, but what NumPy makes of them alone, such as c.sum() or if c[0] > 0, is kept as it was "
                f"recorded: pass what changes as an argument, or hold it in a Tensor; what does not change may say so "
                f"by c.flags.writeable = False",
                stacklevel=5,
            )

    def compared(self, entry: Entry, values: list[Any], args: Any, kwargs: Any) -> Any:
        """Replay, and compare with the function itself."""
        from .checked import compare

        return compare(self.f, entry, values, args, kwargs)

    def __repr__(self) -> str:
        name = getattr(self.f, "__qualname__", repr(self.f))
        return f"<compiled {name}: {len(self.plans)} plans, print(f.plan) shows the one used last>"

    def __ag_state__(self, names: Any, whole: bool) -> Any:
        """Return what another compiled function rests on that calls this one: the function itself."""
        return [functools.partial(getattr, self, "f")]

    def __reduce__(self) -> Any:
        """Be copied and pickled without plans, which are made anew; by name, if a module has it under its name."""
        found: Any = sys.modules.get(getattr(self, "__module__", None) or "")
        for name in getattr(self, "__qualname__", "").split("."):
            found = vars(found).get(name) if hasattr(found, "__dict__") else None
        return self.__qualname__ if found is self else (Compiled, (self.f, self.check))

    def __get__(self, obj: Any, kind: Any = None) -> Any:
        """Be a method, if defined in a class."""
        return self if obj is None else functools.partial(self, obj)


class Entry:
    """A plan and the functions made of it, each with buffers of its own: one for every call at a time."""

    def __init__(self, plan: Plan) -> None:
        self.scalar = width.executor(plan)
        if self.scalar is None:
            plan.optimise()
        self.plan, self.guards = plan, plan.guards
        unused = self.scalar is not None or plan.finite
        self.pool: list[Any] = [] if unused else [executor(self.plan)]
        self.rebuild = plan.program.rebuild
        self.single = len(plan.outputs) == 1 and self.rebuild([self]) is self
        self.fast: Any = None

    def shortcut(self, args: tuple[Any, ...]) -> Any:
        """Return the short way for arguments like these, if they are plain arrays; None if there is none."""
        if self.fast is None and self.scalar is None and all(type(a) is ndarray for a in args):
            self.fast = shortcut(self.guards, args, self.pool, None if self.single else self.rebuild)
        return self.fast

    def changed(self) -> Any:
        """Return how to read the first thing the plan rests on that is not as it was, None if all is."""
        for i, (read, expected) in enumerate(self.guards):
            if (found := reading(read)) is not expected:
                if not is_same_number(found, expected):
                    return read
                self.guards[i], self.fast = (read, found), None  # the short way compares identities
        return None

    def replay(self, *values: Any) -> list[Any]:
        """Return the leaves of the result."""
        if self.scalar is not None:
            return self.scalar(*values)
        try:
            instance = self.pool.pop()
        except IndexError:
            instance = executor(self.plan)
        found = instance(*values)
        while found is None:  # a parameter lives elsewhere by now
            instance = executor(self.plan)
            found = instance(*values)
        self.pool.append(instance)
        result: list[Any] = found
        return result


def executor(plan: Plan) -> Callable[..., list[Any] | None]:
    """Return a function that runs a plan, with buffers of its own; it returns None if parameters have moved."""
    layout = Layout(plan.program)
    writer = Writer(plan, Memory(layout))
    source = writer.source(blocks.write)
    plan.notes |= {"buffers": f"{layout.size:,} bytes", "source": source, "places": layout.described()}
    plan.notes |= {f"group {i}": line for i, line in enumerate(writer.described)}
    return compiled(source, writer.names)


def tracked(tensors: Iterable[Tensor]) -> list[tuple[Any, Any]]:
    """Return guards for which of the Tensors around a program get gradients: a frozen parameter is another program."""
    return [(functools.partial(getattr, t, "_node"), t._node) for t in tensors if t.dtype.kind in "fc"]


def reading(read: Any) -> Any:
    """Return what a place holds; what nothing is, if it has been deleted."""
    try:
        return read()
    except (AttributeError, ValueError):
        return NEVER


def described(read: Any) -> str:
    """Return words for what a guard reads."""
    if isinstance(getattr(read, "__self__", None), Compared):
        return str(read.__self__)
    if isinstance(read, functools.partial) and read.func is str:
        return str(*read.args)
    if isinstance(read, functools.partial) and read.func is getattr and type(read.args[0]) is types.CellType:
        return "a variable of the function around it"
    if isinstance(read, functools.partial) and read.func is getattr:
        return f"the attribute {read.args[1]!r} of {type(read.args[0]).__name__}"
    if isinstance(read, functools.partial) and getattr(read.func, "__name__", "") == "get":
        return f"the entry {read.args[0]!r} of a dict"
    return "something around the function"


def signature(leaves: list[Any]) -> tuple[Any, list[Any]]:
    """Return what of the arguments selects the plan, and the values that are passed to it."""
    key: list[Any] = []
    values: list[Any] = []
    for v in leaves:
        kind = type(v)
        if kind is ndarray:
            if v.dtype.kind not in "biufc":
                raise TypeError(
                    f"a compiled function takes arrays of numbers, not of {v.dtype}: convert them outside, as "
                    f"x.astype(float) or, for times, x.astype(np.int64) does"
                )
            key.append((v.shape, v.dtype, v.strides))
            values.append(v)
        elif kind is float or kind is complex or isinstance(v, np.generic):
            key.append(kind)
            values.append(v)
        elif kind is Tensor:
            if v._node is not None and v._node.op is not None:
                return None, values  # in the middle of somebody's graph: be part of it
            key.append((Itself(v), v.shape, v.dtype))
        elif isinstance(v, np.random.Generator):
            key.append(np.random.Generator)
            values.append(v)
        elif isinstance(v, ndarray):
            return None, values  # a matrix, a masked array: they compute otherwise
        else:
            key.append((kind, v) if kind in (int, bool, str, type(None)) else Itself(v))
    return tuple(key), values


def _shape_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the structure of the arguments, hashable."""
    from ..tree import structure

    if not kwargs and all(isinstance(a, ndarray | np.generic | float | int | Tensor) for a in args):
        return len(args)
    return structure((args, kwargs)), fixed(rests((args, kwargs)))


class Itself:
    """An object as part of a key: equal to itself only, and kept, so that no other is taken for it later."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is Itself and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def fixed(x: Any) -> Any:
    """Return something hashable that is equal for what is equal, or the same."""
    if isinstance(x, tuple | list):
        return (type(x), *map(fixed, x))
    if isinstance(x, dict):
        return (dict, *((fixed(k), fixed(v)) for k, v in x.items()))
    try:
        hash(x)
    except TypeError:
        return Itself(x)
    return x
