"""What a function can reach without being given it: generators it might draw from, whatever it might read by name.

A function reads what its code names: variables around it, attributes of objects, classes and modules, entries of lists
and dicts found there, other functions and what those name in turn. Each such place is noted with what it holds. A plan
holds as long as all of them do; a function that changes one itself is refused, since a replay would not do it again.
Of what belongs to libraries it is looked for generators, arrays and attributes that the function names; their own code
is not read. An object whose class has a method ``__ag_state__(names, whole)`` says itself what a plan rests on:

    names     what the code of the function, and of what it calls, reads as attributes, and strings in it
    whole     nobody reads the code of the object's class, which belongs to a library: everything is to be told
    returns   functions without arguments; what they return is looked into, and to stay as it is, numbers as equal ones

Such functions are read before every call: ``functools.partial(getattr, self, "rate")`` costs next to nothing. What is
too much to be compared is told, once.
"""

from __future__ import annotations

import collections
import contextvars
import dis
import functools
import random
import sys
import types
import weakref
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

import numpy as np

from ...notes import GraphError
from ...packages import is_part
from ...tensor import Tensor
from ..wording import word_now
from .compared_arrays import chosen, size_of, words
from .made_up_names import names_anything, names_by_text
from .watched_places import (
    MANY,
    MISSING,
    NEVER,
    PLAIN,
    Place,
    contents,
    held_by,
    how_far,
    is_kept,
    is_traced,
    refuse,
    slots,
    state_of,
    states_of_the_world,
)

FAR = 5000  # objects looked at
WIDE = 1000  # entries of a container that are looked into; of longer ones it is only seen which they are
LIBRARIES = {"numpy", "scipy"}
ASKED_OF_TENSORS = {"requires_grad", "is_leaf", "name"}  # which are no values, and may decide all the same
DATA = {"collections", "weakref", "configparser", "multiprocessing", "queue", "string", "numpy"}
VIEWS = (KeysView, ValuesView, ItemsView)
ATOMS = {Tensor, str, int, float, bool, complex, bytes, type(None), type(...), np.ufunc, slice, range, np.dtype}
GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)
COLLECTIONS = (list, tuple, set, frozenset, collections.deque)
HOLDERS = {"types", "argparse", "_thread"}  # modules whose objects hold what others put there
MAKING = {"__init__", "__new__", "__post_init__"}  # called where a class is
WRAPPERS = (staticmethod, classmethod, property, functools.cached_property, functools.partialmethod)
PARTIAL = ("func", "args", "keywords")
UNCALLED = {"__init_subclass__", "__repr__", "__str__", "__hash__", "__del__", "__class_getitem__", *MAKING}
VARIABLES = {dis.opmap[name]: shift for name, shift in (("LOAD_GLOBAL", 1), ("STORE_GLOBAL", 0), ("IMPORT_NAME", 0))}


class Surroundings:
    """The generators and the places within reach of a function, as they were before it ran."""

    def __init__(self, f: Any, more: list[Any]) -> None:
        self.places: list[Place] = []
        self.answers: list[tuple[Any, Any]] = []  # what objects say that they rest on, but for numbers
        self.speaking: list[tuple[Any, bool]] = []  # those objects; and is their code not read?
        self.sources: dict[int, Any] = {}
        self.memory: list[tuple[Any, Any]] = []  # arrays and their like, with the names of their places
        self.large: list[str] = []  # what is too much to be compared
        self.anything = False  # does code ask for attributes by names that it makes?
        self.names = {"forward"}  # that code of functions reads as attributes, and strings in it
        self.codes: list[types.CodeType] = []
        self.tensors: dict[int, Tensor] = {}
        self.objects: list[tuple[Any, set[str]]] = []  # of the user's, with the names looked at in each
        self.strangers: list[tuple[Any, set[str]]] = []  # the same of libraries
        self.later: list[Any] = []  # what no name leads to, and may hold generators all the same
        self.unsettled: list[tuple[Any, Any]] = []  # what nobody can compare: no plan holds
        self.seen: dict[int, Any] = {}  # and kept, or another object would come to live under the same number
        self.bases: set[int] = set()
        self.own = _package(f)
        self.changed: set[Place] = set()
        self.told = False
        self.finished = False
        self.near([(f, ("function",)), *((x, ("argument",)) for x in more if type(x) is not np.ndarray)])
        self.far()
        self.ask()
        self.arrays, more_than_enough = chosen(self.memory)
        self.large += more_than_enough
        self.lacking = [(x, frozenset(self.names.difference(vars(x)))) for x, _ in self.objects if self.may_gain(x)]
        self.settle()

    # --- the walk -------------------------------------------------------------------------------------------------

    def near(self, stack: list[tuple[Any, Any]]) -> None:
        """Look at what names lead to, until there are no more."""
        seen = self.seen
        while stack:
            while stack and len(seen) < FAR:
                x, name = stack.pop()
                if type(x) is Tensor:
                    self.tensors[id(x)] = x
                elif type(x) is np.ufunc and all(kinds.strip("O->") == "" for kinds in x.types):
                    self.unsettled.append((functools.partial(str, f"the Python function in {x.__name__}"), NEVER))
                elif type(x) not in ATOMS and id(x) not in seen:
                    seen[id(x)] = x
                    try:
                        stack.extend(self.inside(x, type(x), name))
                    except Exception:  # an object may refuse to be looked at
                        continue
            if stack:
                self.large.append(f"more than {FAR:,} objects")
            stack = []
            for x, done in (*self.objects, *self.strangers):
                if new := self.wanted(x) - done:
                    stack.extend(self.members(x, new) if isinstance(x, type) else self.attributes(x, new))
                    done |= new

    def wanted(self, x: Any) -> set[str]:
        """Return the names by which code may read something of an object."""
        if not self.anything or isinstance(x, type | types.ModuleType | types.FunctionType):
            return self.names
        return {*self.names, *(vars(x) if _has_attributes(type(x)) else ()), *slots(type(x))}

    def far(self) -> None:
        """Look for generators where no name leads."""
        stack, seen = self.later, self.seen
        while stack and len(seen) < FAR:
            x = stack.pop()
            kind = type(x)
            if kind in ATOMS or id(x) in seen:
                continue
            if kind is types.FunctionType or kind is types.MethodType or _speaks(kind):
                self.near([(x, ("function",))])
                continue
            seen[id(x)] = x
            try:
                stack.extend(self.parts_of(x, kind))
            except Exception:
                continue

    def parts_of(self, x: Any, kind: type) -> list[Any]:
        """Return what an object holds that no name leads to; note if it is a generator."""
        if issubclass(kind, dict):
            return list(x.values())
        if issubclass(kind, COLLECTIONS):
            return list(x)
        if issubclass(kind, GENERATORS):
            self.sources[id(x)] = x
        elif kind is types.BuiltinFunctionType:
            return [x.__self__]
        elif kind.__dictoffset__ and not issubclass(kind, type | types.ModuleType):
            return list(vars(x).values())
        return []

    def inside(self, x: Any, kind: type, name: Any) -> Iterator[tuple[Any, Any]]:
        """Yield what an object leads to, each with the name of its place."""
        if kind is types.FunctionType:
            yield from self.function(x)
        elif issubclass(kind, np.ndarray | np.void):
            self.memory.append((x, name))
            if x.dtype.hasobject:
                yield from [(v, name) for v in np.asarray(x).ravel()[:WIDE].tolist()]
            if kind is not np.ndarray:
                yield from self.object(x, kind, name)
        elif issubclass(kind, dict | types.MappingProxyType):
            yield from self.container(x, [*x.keys(), *x.values()], name)
            yield from self.more_than(x, kind, name)
        elif issubclass(kind, COLLECTIONS):
            yield from self.container(x, x, name)
            yield from self.more_than(x, kind, name)
        elif issubclass(kind, functools.partial):
            yield from (self.place(functools.partial(getattr, x, n), getattr(x, n), (*name, n)) for n in PARTIAL)
        elif kind is types.MethodType:
            yield from ((x.__self__, name), (x.__func__, name))
        elif kind is types.BuiltinFunctionType:
            yield x.__self__, name
        elif issubclass(kind, GENERATORS):
            self.sources[id(x)] = x
        elif issubclass(kind, types.ModuleType):
            if not self.of_library(x.__name__):
                self.objects.append((x, set()))
        elif issubclass(kind, type):
            self.kinds(x)
            self.kinds(kind)
            self.names.update(MAKING)
        elif kind is contextvars.ContextVar:
            yield self.place(functools.partial(x.get, None), x.get(None), ("context variable", x.name))
        elif issubclass(kind, weakref.ref):
            yield x(), name
        elif issubclass(kind, weakref.ProxyTypes):
            yield x.__init__.__self__, name
        elif issubclass(kind, VIEWS):
            yield (x.mapping if hasattr(x, "mapping") else x._mapping), name
        elif hasattr(kind, "__next__") and self.iterator(x, kind, name):
            yield getattr(x, "base", None), name  # the array of a flat iterator
        elif not issubclass(kind, np.generic):
            yield from self.object(x, kind, name)

    def more_than(self, x: Any, kind: type, name: Any) -> Iterator[tuple[Any, Any]]:
        """Yield what a container has beside its entries, if it is one of the user's making."""
        if not self.of_library(kind.__module__):
            yield from self.object(x, kind, name)

    def place(self, read: Any, value: Any, name: tuple[Any, ...]) -> tuple[Any, Any]:
        """Note a place; return what it holds, to be looked at."""
        self.places.append(Place(read, value, name))
        return value, name

    def container(self, x: Any, values: Any, name: Any) -> Iterator[tuple[Any, Any]]:
        """Note the entries of a container, and yield them."""
        fixed = type(x) in (tuple, frozenset) or hasattr(x, "_fields")
        if not fixed:
            self.places.append(Place(None, x, name, contents(x)))
        if len(x) <= WIDE:
            yield from [(v, name) for v in values]
            return
        blind = not all(type(v) in ATOMS or isinstance(v, np.number | np.bool_) for v in values)
        if blind or (len(x) > MANY and not fixed):
            self.large.append(f"{words(x, name)} with {len(x):,} entries")
        if len(x) <= FAR:
            self.later += values

    def iterator(self, x: Any, kind: type, name: Any) -> bool:
        """Note how far an iterator has come; say whether it is one of which that is known."""
        if (read := how_far(x, kind)) is not None:
            self.places.append(Place(read, read(), ("iterator", *name[1:])))
        return read is not None

    def function(self, f: Any) -> Iterator[tuple[Any, Any]]:
        """Yield what a function reads by name: its closure, its defaults, and the globals its code names."""
        cells = f.__closure__ or ()
        if self.of_library(f.__globals__.get("__name__")):
            yield from [(held_by(c), ("variable",)) for c in cells]
            return
        code = f.__code__
        if "<locals>" not in f.__qualname__ or len(self.seen) > 1:  # which a notebook's autoreload gives another code
            self.place(functools.partial(getattr, f, "__code__"), code, ("attribute", "__code__", f))
        for name, cell in zip(code.co_freevars, cells, strict=True):
            if (value := held_by(cell)) is not MISSING:
                yield self.place(functools.partial(getattr, cell, "cell_contents"), value, ("variable", name))
        for name in ("__defaults__", "__kwdefaults__"):
            if (value := getattr(f, name)) is not None:
                yield self.place(functools.partial(getattr, f, name), value, ("attribute", name, f))
        if hasattr(f, "__wrapped__"):
            yield f.__wrapped__, ("function",)
        self.strangers.append((f, set()))  # it may have attributes
        yield from self.globals(code, f.__globals__)

    def globals(self, code: types.CodeType, held: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
        """Yield the globals that code names, and the modules that it imports itself."""
        codes = codes_of(code)
        for c in codes:
            self.names.update(c.co_names)
            self.names.update([k for k in c.co_consts if type(k) is str and k.isidentifier()])  # getattr(x, "rate")
            self.anything = self.anything or names_anything(c)
            for name in [*_globals(c), *names_by_text(c, held)]:
                if name in held and not isinstance(held[name], types.ModuleType):
                    yield self.place(functools.partial(held.get, name), held[name], ("global variable", name))
                elif (module := held.get(name, sys.modules.get(name))) is not None:
                    yield module, ("module", name)
        self.codes += codes

    def object(self, x: Any, kind: type, name: Any) -> Iterator[tuple[Any, Any]]:
        """Yield what an object of some class leads to."""
        held = vars(x) if _has_attributes(kind) else {}
        whole = self.of_library(kind.__module__)
        if _speaks(kind):
            self.speaking.append((x, whole))
            yield from [(read(), _name_of(read)) for read in x.__ag_state__(self.names, whole)]
        elif any(base.__module__.partition(".")[0] in DATA for base in kind.__mro__):
            for key, value in held.items():  # what the library's code reads is not named in the user's
                yield self.place(functools.partial(getattr, x, key), value, ("attribute", key, x))
        if not whole:
            if not hasattr(kind, "__array__") and size_of(x) is not None:  # an array of C's, of a length of the user's
                self.memory.append((x, name))
            self.objects.append((x, set()))
            self.kinds(kind)
            self.later += held.values()
        elif not _speaks(kind):
            yield from self.stranger(x, kind, held, name)

    def stranger(self, x: Any, kind: type, held: dict[str, Any], name: Any) -> Iterator[tuple[Any, Any]]:
        """Yield what an object of a library leads to: arrays, wherever they are; what else it has, if it is named."""
        if size_of(x) is not None:
            self.memory.append((x, name))
        elif kind.__module__ in ("operator", "_operator") and hasattr(x, "__reduce__"):  # attrgetter("rate")
            self.names.update([n for part in x.__reduce__()[1] for n in str(part).split(".")])
        self.later += held.values()
        self.strangers.append((x, set()))
        held = held | {n: getattr(x, n, None) for n in slots(kind)}
        yield from [(v, ("attribute", key, x)) for key, v in held.items() if isinstance(v, np.ndarray)]

    def ask(self) -> None:
        """Note what objects say that they rest on, now that all names are known; the function must not change numbers.

        Flags it may: who evaluates a model and then trains on has it recorded once for each.
        """
        for x, whole in self.speaking:
            for read in x.__ag_state__(self.names, whole):
                value = read()
                if type(value) in PLAIN and type(value) is not bool:
                    self.place(read, value, _name_of(read))
                else:
                    self.answers.append((read, value))

    def kinds(self, kind: type) -> None:
        """Take in a class and those it comes from, as far as they are the user's."""
        for base in kind.__mro__:
            if id(base) not in self.bases and not self.of_library(base.__module__):
                self.bases.add(id(base))
                self.objects.append((base, set()))
                self.names.update([n for n in vars(base) if n[:2] == n[-2:] == "__" and n not in UNCALLED])

    def attributes(self, x: Any, names: set[str]) -> Iterator[tuple[Any, Any]]:
        """Yield what attributes of an object or a module hold that are named somewhere."""
        held = vars(x) if _has_attributes(type(x)) else {}
        for name in names.intersection(held):
            yield self.place(functools.partial(getattr, x, name, MISSING), held[name], ("attribute", name, x))
        for name in names.intersection(() if type(x) is types.FunctionType else slots(type(x))):
            if (value := getattr(x, name, MISSING)) is not MISSING:
                yield self.place(functools.partial(getattr, x, name, MISSING), value, ("attribute", name, x))

    def members(self, kind: type, names: set[str]) -> Iterator[tuple[Any, Any]]:
        """Yield methods and other attributes of a class that are named."""
        held = vars(kind)
        for name in names.intersection(held):
            value = held[name]
            part = value
            if isinstance(value, WRAPPERS):
                part = getattr(value, "__func__", None) or getattr(value, "fget", None) or getattr(value, "func", value)
            if name[:2] != "__" or type(value) is types.FunctionType:
                simple = type(value) in (types.FunctionType, property) or not hasattr(type(value), "__get__")
                read = functools.partial(getattr, kind, name) if simple else functools.partial(held.get, name)
                self.place(read, value, ("attribute", name, kind))
                yield part, ("attribute", name, kind)

    def may_gain(self, x: Any) -> bool:
        """Say whether an attribute that is put there would hide one of the class, or of a class it comes from."""
        if isinstance(x, type):
            return sum(id(base) in self.bases for base in x.__mro__) > 1
        return _has_attributes(type(x)) and not isinstance(x, types.ModuleType)

    def of_library(self, module: Any) -> bool:
        """Say whether a module belongs to a library, and not to the package of the function itself."""
        top = str(module).partition(".")[0]
        return top in LIBRARIES or is_part(top) or (top != self.own and _is_library(top))

    # --- before and after -------------------------------------------------------------------------------------------

    def settle(self, whole: bool = True, fn: Any = None) -> None:
        """Note the states of generators, maybe without the global ones: what is drawn from here on is to be told.

        What `fn` has changed, since it is called anew, is for others to read at their own risk: then no plan holds.
        """
        self.states = {key: state_of(g) for key, g in self.sources.items()}
        if whole:
            self.world = states_of_the_world(self.names)
            for place in (*self.places, *self.arrays) if self.told else ():
                if place not in self.changed and place.is_changed():
                    place.again()  # by a function that was called anew, as it will be at every replay
                    if self.is_named_beside(place, fn):
                        self.unsettled.append((functools.partial(str, place), NEVER))
            self.told = True

    def is_named_beside(self, place: Place, fn: Any) -> bool:
        """Say whether other code than that of a function names what it changes."""
        own = codes_of(getattr(getattr(fn, "__func__", fn), "__code__", None))
        others = [c for c in self.codes if c not in own and c.co_name not in MAKING]
        return len(place.name) > 1 and any(place.name[1] in (*c.co_names, *c.co_freevars) for c in others)

    def watch(self, whole: bool = True) -> None:
        """Raise if a generator has been drawn from without the recorder being told."""
        names = [repr(g) for key, g in self.sources.items() if state_of(g) != self.states[key]]
        if whole and states_of_the_world(self.names) != self.world:
            names.append("a global generator of numpy.random or random")
        if whole and not self.finished:
            self.changed = {place for place in (*self.places, *self.arrays) if place.is_changed()}
        if names:
            raise GraphError(
                f"{names[0]} was drawn from inside the {word_now()} function, and the draw would be baked in: draw by "
                f"ag.fresh(rng.normal, size=...), which is repeated at every replay, or pass the numbers as an argument"
            )

    def finish(self, known: Any) -> None:
        """Raise if the function has changed what is around it, unless it is something that it keeps, once for all."""
        self.finished = True
        for place in self.places:
            if place.is_changed():
                if not is_kept(place, known):
                    refuse(place, self.codes)
                self.unsettled.append((place.read or functools.partial(len, place.before), NEVER))
        for array in self.arrays:
            if array.is_changed():
                refuse(array, self.codes)
        for x, names in self.lacking:
            for name in names.intersection(vars(x)):
                counted = type(before := getattr(type(x), name, None)) in PLAIN and before is not False
                if counted or is_traced(vars(x)[name], known):
                    refuse(Place(None, None, ("attribute", name, x)), self.codes)
                self.unsettled.append((functools.partial(getattr, x, name), NEVER))

    def guards(self) -> list[tuple[Any, Any]]:
        """Return what must be as it was for a plan to hold."""
        if self.unsettled:
            return self.unsettled
        found = [g for place in self.places if not place.dropped for g in place.guards()]
        found += [(functools.partial(names.isdisjoint, vars(x)), True) for x, names in self.lacking]
        asked = [(t, name) for name in ASKED_OF_TENSORS.intersection(self.names) for t in self.tensors.values()]
        found += [(functools.partial(getattr, t, name), getattr(t, name)) for t, name in asked]
        compared = [a for a in self.arrays if not a.dropped]
        return self.answers + found + [g for a in compared for g in a.guards()]


def codes_of(code: Any) -> list[types.CodeType]:
    """Return code with that of the functions written inside it."""
    found = [code] if code is not None else []
    for c in found:
        found.extend([k for k in c.co_consts if type(k) is types.CodeType])
    return found


def _globals(code: types.CodeType) -> list[str]:
    """Return the names of global variables, and of modules that are imported, in code."""
    ops, args = code.co_code[::2], code.co_code[1::2]
    found = []
    for op, shift in VARIABLES.items():
        i = ops.find(op)
        while i >= 0:
            far = args[i - 1] << 8 if i and ops[i - 1] == dis.EXTENDED_ARG else 0
            found.append(code.co_names[(args[i] + far) >> shift])
            i = ops.find(op, i + 1)
    return list(dict.fromkeys(found))


def _speaks(kind: type) -> bool:
    return hasattr(kind, "__ag_state__")


def _name_of(read: Any) -> tuple[Any, ...]:
    """Return the name of the place that one of those functions reads."""
    if isinstance(read, functools.partial) and read.func is getattr:
        return "attribute", read.args[1], read.args[0]
    return ("setting", read.args[0]) if isinstance(read, functools.partial) and read.args else ("state",)


def _has_attributes(kind: type) -> bool:
    return bool(kind.__dictoffset__) or kind.__name__ == "_local"  # of threading


def _package(f: Any) -> str:
    """Return the package of a function, or of the class of what is called."""
    while isinstance(f, functools.partial):
        f = f.func
    return str(getattr(f, "__module__", None) or type(f).__module__).partition(".")[0]


@functools.lru_cache(maxsize=1000)
def _is_library(top: str) -> bool:
    if top in sys.stdlib_module_names:
        return top not in HOLDERS
    path = str(getattr(sys.modules.get(top), "__file__", None) or "")
    return "site-packages" in path or "dist-packages" in path
