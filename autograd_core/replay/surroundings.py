"""What a function can reach without being given it: generators it might draw from, whatever it might read by name.

A function reads what its code names: variables around it, attributes of objects, classes and modules, entries of lists
and dicts found there, other functions and what those name in turn. Each such place is noted with what it holds. A plan
holds as long as all of them do; a function that changes one itself is refused, since a replay would not do it again.
Inside libraries nothing is looked at, but for generators, attributes of networks and the settings of optimizers.
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
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..notes import GraphError
from ..tensor import Tensor
from .places import (
    MISSING,
    NEVER,
    PLAIN,
    Array,
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
WIDE = 100  # entries of a container that are looked into; of longer ones it is only seen which they are
SMALL = 1 << 16  # bytes, in all, of arrays that only plain NumPy may have read, and that are compared at every call
LIBRARIES = {"numpy", "autograd_core", "scipy", "nn"}
LIVE = ("lr", "params")
ATOMS = {Tensor, str, int, float, bool, complex, bytes, type(None), type(...), np.ufunc, slice, range, np.dtype}
GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
COLLECTIONS = (list, tuple, set, frozenset, collections.deque)
HOLDERS = {"types", "argparse", "_thread"}  # modules whose objects hold what others put there
MAKING = {"__init__", "__new__", "__post_init__"}  # called where a class is
UNCALLED = {"__init_subclass__", "__repr__", "__str__", "__hash__", "__del__", "__class_getitem__", *MAKING}
VARIABLES = {dis.opmap[name]: shift for name, shift in (("LOAD_GLOBAL", 1), ("STORE_GLOBAL", 0), ("IMPORT_NAME", 0))}


class Surroundings:
    """The generators and the places within reach of a function, as they were before it ran."""

    def __init__(self, f: Any, more: list[Any]) -> None:
        self.places: list[Place] = []
        self.settings: list[tuple[Any, Any]] = []  # of optimizers, and whether networks train
        self.parts: list[tuple[Any, Any]] = []  # attributes of networks, who may keep things there
        self.sources: dict[int, Any] = {}
        self.arrays: list[Array] = []
        self.room = SMALL
        self.names = {"forward"}  # that code of functions reads as attributes, and strings in it
        self.codes: list[types.CodeType] = []
        self.objects: list[tuple[Any, set[str]]] = []  # of the user's, with the names looked at in each
        self.later: list[Any] = []  # what no name leads to, and may hold generators all the same
        self.seen: set[int] = set()
        self.bases: set[int] = set()
        self.own = _package(f)
        self.changed: set[Place] = set()
        self.told = False
        self.unsettled: list[tuple[Any, Any]] = []
        self.known: Any = ()
        self.finished = False
        self.near([(f, ("function",)), *((x, ("argument",)) for x in more if type(x) is not np.ndarray)])
        self.far()
        self.lacking = [(x, frozenset(self.names.difference(vars(x)))) for x, _ in self.objects if self.may_gain(x)]
        self.settle()

    # --- the walk -------------------------------------------------------------------------------------------------

    def near(self, stack: list[tuple[Any, Any]]) -> None:
        """Look at what names lead to, until there are no more."""
        seen = self.seen
        while stack:
            while stack and len(seen) < FAR:
                x, name = stack.pop()
                if type(x) not in ATOMS and id(x) not in seen:
                    seen.add(id(x))
                    try:
                        stack.extend(self.inside(x, type(x), name))
                    except Exception:  # an object may refuse to be looked at
                        continue
            stack = []
            for x, done in self.objects:
                if new := self.names - done:
                    stack.extend(self.members(x, new) if isinstance(x, type) else self.attributes(x, new))
                    done |= new

    def far(self) -> None:
        """Look for generators where no name leads."""
        stack, seen = self.later, self.seen
        while stack and len(seen) < FAR:
            x = stack.pop()
            kind = type(x)
            if kind in ATOMS or id(x) in seen:
                continue
            if kind is types.FunctionType or kind is types.MethodType or _is_network(kind) or _is_compiled(kind):
                self.near([(x, ("function",))])
                continue
            seen.add(id(x))
            try:
                stack.extend(self.parts_of(x, kind))
            except Exception:
                continue

    def parts_of(self, x: Any, kind: type) -> list[Any]:
        """Return what an object holds that no name leads to; note if it is a generator or an optimizer."""
        if issubclass(kind, dict):
            return list(x.values())
        if issubclass(kind, COLLECTIONS):
            return list(x)
        if issubclass(kind, GENERATORS):
            self.sources[id(x)] = x
        elif kind is types.BuiltinFunctionType:
            return [x.__self__]
        elif kind.__dictoffset__ and not issubclass(kind, type | types.ModuleType):
            self.groups(vars(x))
            return list(vars(x).values())
        return []

    def inside(self, x: Any, kind: type, name: Any) -> Iterator[tuple[Any, Any]]:
        """Yield what an object leads to, each with the name of its place."""
        if kind is types.FunctionType:
            yield from self.function(x)
        elif kind is np.ndarray:
            if x.nbytes <= self.room and x.flags.writeable and not x.dtype.hasobject:
                self.room -= x.nbytes
                self.arrays.append(Array(x, name))
        elif issubclass(kind, dict | types.MappingProxyType):
            yield from self.container(x, [*x.keys(), *x.values()], name)
        elif issubclass(kind, COLLECTIONS):
            yield from self.container(x, x, name)
        elif kind is functools.partial:
            yield from ((x.func, name), (x.args, name), (x.keywords, name))
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
            self.names.update(MAKING)
        elif kind is contextvars.ContextVar:
            yield self.place(functools.partial(x.get, None), x.get(None), ("context variable", x.name))
        elif issubclass(kind, weakref.ref):
            yield x(), name
        elif hasattr(kind, "__next__"):
            self.iterator(x, kind, name)
        elif not issubclass(kind, np.generic):
            yield from self.object(x, kind, name)

    def place(self, read: Any, value: Any, name: tuple[Any, ...]) -> tuple[Any, Any]:
        """Note a place; return what it holds, to be looked at."""
        self.places.append(Place(read, value, name))
        return value, name

    def container(self, x: Any, values: Any, name: Any) -> Iterator[tuple[Any, Any]]:
        """Note the entries of a container, and yield them."""
        if type(x) not in (tuple, frozenset) and not hasattr(x, "_fields"):
            self.places.append(Place(None, x, name, contents(x)))
        if len(x) <= WIDE:
            yield from [(v, name) for v in values]
        elif len(x) <= FAR:
            self.later += values

    def iterator(self, x: Any, kind: type, name: Any) -> None:
        """Note how far an iterator has come."""
        if (read := how_far(x, kind)) is not None:
            self.places.append(Place(read, read(), ("iterator", *name[1:])))

    def function(self, f: Any) -> Iterator[tuple[Any, Any]]:
        """Yield what a function reads by name: its closure, its defaults, and the globals its code names."""
        cells = f.__closure__ or ()
        if self.of_library(f.__globals__.get("__name__")):
            yield from [(held_by(c), ("variable",)) for c in cells]
            return
        code = f.__code__
        if "<locals>" not in f.__qualname__:  # which a notebook's autoreload gives another code
            self.place(functools.partial(getattr, f, "__code__"), code, ("attribute", "__code__", f))
        for name, cell in zip(code.co_freevars, cells, strict=True):
            if (value := held_by(cell)) is not MISSING:
                yield self.place(functools.partial(getattr, cell, "cell_contents"), value, ("variable", name))
        for name in ("__defaults__", "__kwdefaults__"):
            if (value := getattr(f, name)) is not None:
                yield self.place(functools.partial(getattr, f, name), value, ("attribute", name, f))
        if hasattr(f, "__wrapped__"):
            yield f.__wrapped__, ("function",)
        yield from self.globals(code, f.__globals__)

    def globals(self, code: types.CodeType, held: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
        """Yield the globals that code names, and the modules that it imports itself."""
        codes = [code]
        for c in codes:
            codes.extend([k for k in c.co_consts if type(k) is types.CodeType])
            self.names.update(c.co_names)
            self.names.update([k for k in c.co_consts if type(k) is str and k.isidentifier()])  # getattr(x, "rate")
            for name in _globals(c):
                if name in held and not isinstance(held[name], types.ModuleType):
                    yield self.place(functools.partial(held.get, name), held[name], ("global variable", name))
                elif (module := held.get(name, sys.modules.get(name))) is not None:
                    yield module, ("module", name)
        self.codes += codes

    def object(self, x: Any, kind: type, name: Any) -> Iterator[tuple[Any, Any]]:
        """Yield what an object of some class leads to."""
        if _is_compiled(kind) or issubclass(kind, collections.UserDict | collections.UserList):
            yield (x.f if _is_compiled(kind) else x.data), name
            return
        held = vars(x) if _has_attributes(kind) else {}
        network = _is_network(kind)
        if network:
            self.settings.append((functools.partial(getattr, x, "training"), x.training))
        if not self.of_library(kind.__module__):
            self.objects.append((x, set()))
            self.kinds(kind)
            self.later += held.values()
        elif network:
            for key, value in held.items():
                if key[0] != "_" and key != "training":
                    self.parts.append((functools.partial(getattr, x, key), value))
                    yield value, ("attribute", key, x)
        else:
            self.groups(held)
            self.later += held.values()

    def groups(self, held: dict[str, Any]) -> None:
        """Note the settings of an optimizer, if these are its attributes; its rate is read anew."""
        if isinstance(groups := held.get("groups"), list):
            self.settings += [(functools.partial(g.get, k), g[k]) for g in groups for k in g if k not in LIVE]

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
        for name in names.intersection(slots(type(x))):
            if (value := getattr(x, name, MISSING)) is not MISSING:
                yield self.place(functools.partial(getattr, x, name, MISSING), value, ("attribute", name, x))

    def members(self, kind: type, names: set[str]) -> Iterator[tuple[Any, Any]]:
        """Yield methods and other attributes of a class that are named."""
        held = vars(kind)
        for name in names.intersection(held):
            value = held[name]
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
        return top in LIBRARIES or (top != self.own and _is_library(top))

    # --- before and after -------------------------------------------------------------------------------------------

    def settle(self, whole: bool = True) -> None:
        """Note the states of generators, maybe without the global ones: what is drawn from here on is to be told."""
        self.states = {key: state_of(g) for key, g in self.sources.items()}
        if whole:
            self.world = states_of_the_world(self.names)
            for place in (*self.places, *self.arrays) if self.told else ():
                if place not in self.changed and place.is_changed():
                    place.again()  # by a function that was called anew, as it will be at every replay
            self.told = True

    def watch(self, whole: bool = True) -> None:
        """Raise if a generator has been drawn from without the recorder being told."""
        names = [repr(g) for key, g in self.sources.items() if state_of(g) != self.states[key]]
        if whole and states_of_the_world(self.names) != self.world:
            names.append("a global generator of numpy.random or random")
        if whole and not self.finished:
            self.changed = {place for place in (*self.places, *self.arrays) if place.is_changed()}
        if names:
            raise GraphError(
                f"{names[0]} was drawn from inside the compiled function, and the draw would be baked in: draw by "
                f"ag.fresh(rng.normal, size=...), which is repeated at every replay, or pass the numbers as an argument"
            )

    def finish(self, known: Any) -> None:
        """Raise if the function has changed what is around it, unless it is something that it keeps, once for all."""
        self.known, self.finished = known, True
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
        kept = self.settings + [(read, value) for read, value in self.parts if read() is value]
        found = [g for place in self.places if not place.dropped for g in place.guards()]
        found += [(functools.partial(names.isdisjoint, vars(x)), True) for x, names in self.lacking]
        unread = [a for a in self.arrays if id(a.before) not in self.known and not a.dropped]
        return kept + found + [g for a in unread for g in a.guards()]


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


def _is_compiled(kind: type) -> bool:
    return kind.__name__ == "Compiled" and kind.__module__.endswith("replay.run")


def _is_network(kind: type) -> bool:
    return isinstance(getattr(kind, "training", None), bool) and hasattr(kind, "forward")


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
