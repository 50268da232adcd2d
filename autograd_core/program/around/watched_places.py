"""Places: what a function may read by name, how to read it again, and what it held before the function ran."""

from __future__ import annotations

import operator
import random
import types
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ...notes import GraphError
from ...tensor import Tensor
from ..wording import word_now

MANY = 1 << 16  # entries of a container that are compared, in 1 ms; of longer ones the length, and the ends
FEW = 8  # entries that are compared one by one: 0.05 us each, where a call takes 0.5
PLAIN = {int, float, str, bool, bytes, complex}
WORDS = 2500  # bytes of a Mersenne twister: 624 words and a position
AHEAD = {"random", "randn", "normal", "standard_normal"}  # who may use up a number that was drawn in advance
MISSING: Any = object()
COUNTED: Any = (
    type(iter([])),
    type(iter(())),
    type(iter(range(0))),
    type(iter("")),
    type(iter({})),
    type(reversed([])),
)
NEVER: Any = object()  # what no place holds


class Place:
    """A variable or an attribute with what it held; or a container with its entries."""

    __slots__ = ("before", "dropped", "name", "read", "was")

    def __init__(self, read: Any, before: Any, name: tuple[Any, ...], was: Any = None) -> None:
        self.read = read
        self.before = before
        self.name = name
        self.was = was
        self.dropped = False  # what a function called anew changes is its own business

    def now(self) -> Any:
        """Return what it holds."""
        try:
            return self.read()
        except (AttributeError, ValueError):
            return MISSING

    def is_changed(self) -> bool:
        """Say whether it holds something else."""
        if self.was is not None:
            return not same_items(self.before, self.was)
        now = self.now()
        if now is self.before:
            return False
        if equal(now, self.before):
            self.before = now
            return False
        return True

    def again(self) -> None:
        """Take what it holds for what it held before."""
        self.dropped = True
        self.before, self.was = (self.before, contents(self.before)) if self.was is not None else (self.now(), None)

    def guards(self) -> Iterator[tuple[Any, Any]]:
        """Yield what must be as it was for a plan to hold."""
        x, was = self.before, self.was
        if was is None:
            yield self.read, x
        elif type(x) is list and all(callable(v) and _is_itself(v) for v in was) and len(x) <= MANY:
            yield partial(x.__eq__, was), True  # layers: nothing but themselves is equal to them; 0.05 us
        elif isinstance(x, list) and len(x) <= FEW:
            yield partial(len, x), len(x)
            yield from ((partial(x.__getitem__, i), v) for i, v in enumerate(was))
        elif type(x) is dict and len(x) <= FEW:
            yield partial(len, x), len(x)
            yield from ((partial(x.get, k), v) for k, v in x.items())
        else:
            yield partial(same_items, x, was), True

    def __str__(self) -> str:
        kind, *rest = self.name
        words = f"the {kind} {rest[0]!r}" if rest else f"the {kind}"
        if kind == "attribute":
            holder = rest[1]
            named = isinstance(holder, type | types.ModuleType | types.FunctionType)
            words += f" of {holder.__name__ if named else type(holder).__name__}"
        return words if self.was is None else f"a {type(self.before).__name__} in {words}"


def _is_itself(x: Any) -> bool:
    """Say whether nothing but an object itself is equal to it."""
    equals: Any = type(x).__eq__
    return equals is object.__eq__


def contents(x: Any) -> list[Any]:
    """Return what a container holds, keys first, or as much of it as is compared."""
    if len(x) > MANY:
        return [len(x)] if hasattr(x, "keys") or isinstance(x, set) else [len(x), x[0], x[-1]]
    return [*x.keys(), *x.values()] if hasattr(x, "keys") else list(x)


def same_items(x: Any, was: list[Any]) -> bool:
    """Say whether a container holds the very same things."""
    now = contents(x)
    return len(now) == len(was) and (all(map(operator.is_, now, was)) or (len(x) > MANY and equal(now, was)))


def equal(a: Any, b: Any) -> bool:
    """Say whether plain values are equal, of the same type."""
    if type(a) is not type(b):
        return False
    if type(a) in (tuple, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return a is b or (type(a) in PLAIN and a == b and repr(a) == repr(b))


def is_same_number(a: Any, b: Any) -> bool:
    """Say whether plain values, which nobody can change, are equal."""
    return type(a) in PLAIN and equal(a, b)


# --- what the function itself has changed -----------------------------------------------------------------------------


def is_traced(x: Any, known: Any, depth: int = 3) -> bool:
    """Say whether a value is on the tape, or holds one that is."""
    kind = type(x)
    if kind is Tensor:
        return id(x._data) in known
    if not depth or kind in PLAIN or isinstance(x, type | types.ModuleType):
        return False
    inside: Any = ()
    if isinstance(x, list | tuple | set | frozenset | dict):
        inside = ((*x.keys(), *x.values()) if isinstance(x, dict) else x) if len(x) <= MANY else ()
    elif kind is partial:
        inside = (x.func, *x.args, *x.keywords.values())
    elif kind is types.FunctionType:
        inside = [v for c in x.__closure__ or () if (v := held_by(c)) is not MISSING]
    elif kind.__dictoffset__:
        inside = vars(x).values()
    else:
        inside = [v for n in slots(kind) if (v := getattr(x, n, MISSING)) is not MISSING]
    return any(is_traced(v, known, depth - 1) for v in list(inside))


def slots(kind: type) -> list[str]:
    """Return the names of the slots of a class."""
    return [n for base in kind.__mro__ for n, m in vars(base).items() if type(m) is types.MemberDescriptorType]


def how_far(x: Any, kind: type) -> Any:
    """Return what tells how far an iterator has come; what tells something else each time, if nothing does."""
    if kind in COUNTED:
        return partial(operator.length_hint, x)
    if kind is types.GeneratorType:
        return lambda: x.gi_frame.f_lasti if x.gi_frame is not None else None
    if kind.__module__ == "itertools" or kind in (zip, map, filter, enumerate):
        return partial(repr, x) if kind.__name__ in ("count", "repeat") else object
    return None


def held_by(cell: Any) -> Any:
    """Return what a variable of a closure holds."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def is_kept(place: Place, known: Any) -> bool:
    """Say whether something has been put where nothing was, as it is done once; and nothing traced."""
    x, was = place.before, place.was
    if was is None:
        return (x is None or x is False or x is MISSING) and not is_traced(place.now(), known)
    if not isinstance(x, dict) or len(was) == 1:
        return False
    n = len(was) // 2
    old = {id(k): v for k, v in zip(was[:n], was[n:], strict=True)}
    return sum(id(k) in old and old[id(k)] is v for k, v in x.items()) == n and not is_traced(x, known)


def refuse(place: Place, codes: list[types.CodeType]) -> None:
    """Raise since a function has changed something around it."""
    raise GraphError(
        f"{place} is changed by the {word_now()} function itself{_line(place.name, codes)}, which a replay would not "
        f"do again: return the value and keep it outside, hold it in a Tensor and write t.assign(...), or make the "
        f"change in a function called by ag.fresh, as every replay calls it anew"
    )


def _line(name: tuple[Any, ...], codes: list[types.CodeType]) -> str:
    """Return where code speaks of a name: where it stores, else where it reads."""
    import dis

    found = []
    for code in codes:
        line = code.co_firstlineno
        for i in dis.get_instructions(code):
            line = (i.positions.lineno if i.positions else None) or line
            if len(name) > 1 and i.argval == name[1] and "CONST" not in i.opname:
                found.append((not i.opname.startswith(("STORE", "DELETE")), line, code.co_filename))
    return f" (at {min(found)[2]}:{min(found)[1]})" if found else ""


# --- random generators ------------------------------------------------------------------------------------------------


def state_of(g: Any) -> Any:
    """Return the state of a generator."""
    if isinstance(g, random.SystemRandom):
        return None  # it has none: what the operating system draws nobody can see
    if isinstance(g, random.Random):
        return g.getstate()
    if isinstance(g, np.random.BitGenerator):
        return repr(g.state)
    if isinstance(g, np.random.Generator):
        return repr(g.bit_generator.state), getattr(g.bit_generator.seed_seq, "n_children_spawned", 0)
    return repr(g.get_state(legacy=False))


def states_of_the_world(names: Any) -> Any:
    """Return the states of the global generators, for a program that reads some names.

    NumPy's is read from memory, in 1 us; asking for it takes 60.
    """
    source: Any = np.random.get_bit_generator()  # type: ignore[attr-defined]
    if type(source) is np.random.MT19937 and AHEAD.isdisjoint(names):
        try:
            import ctypes

            return ctypes.string_at(source.ctypes.state_address, WORDS), random.getstate()
        except (ImportError, AttributeError):
            pass
    return repr(np.random.get_state(legacy=False)), random.getstate()  # noqa: NPY002
