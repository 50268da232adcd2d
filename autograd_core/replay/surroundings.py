"""What a function can reach without being given it: generators it might draw from, what it might read by name.

Guards are kept for what the code of functions names: variables around them, attributes of objects, entries of dicts
under constant keys, as far as they hold numbers, strings, arrays and Tensors. What libraries read is not looked at.
"""

from __future__ import annotations

import functools
import random
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..notes import GraphError
from ..tensor import Tensor

FAR = 5000  # objects looked at
FEW = 200  # entries of a dict that is looked into
WATCHED = {int, float, bool, str, np.ndarray, Tensor}
CALLED = ("__call__", "forward")
LIBRARIES = {"numpy", "autograd_core", "scipy", "nn", "builtins", "collections", "functools", "threading", "logging"}
LIVE = ("lr", "params")
DULL = {Tensor, np.ndarray, str, int, float, bool, type(None), types.BuiltinFunctionType, types.ModuleType, np.ufunc}
DEAD_ENDS = (type, types.ModuleType, np.ndarray, np.generic, str, bytes, int, float)
GENERATORS = (np.random.Generator, np.random.RandomState)
COLLECTIONS = (list, tuple, set, frozenset)


class Surroundings:
    """The generators and flags within reach of a function, as they were before it ran."""

    def __init__(self, f: Any, more: list[Any]) -> None:
        self.f = f
        self.numbers: list[tuple[Any, Any]] = []
        self.flags: list[tuple[Any, bool]] = []
        self.sources: dict[int, Any] = {}
        self.world: Any = None
        self.names: set[str] = set()  # that code of functions reads as attributes
        self.keys: set[str] = set()  # its constants
        self.objects: list[Any] = []
        self.dicts: list[dict[Any, Any]] = []
        self.seen: set[int] = set()
        self.walk([f, *more])
        while methods := self.methods():
            self.walk(methods)
        self.entries = [*self.attributes(), *self.items()]
        self.settle()

    def settle(self, world: bool = True) -> None:
        """Note the states of generators, maybe without the global ones: what is drawn from here on is to be told."""
        self.states = {key: _state(g) for key, g in self.sources.items()}
        self.world = _world() if world else self.world

    def walk(self, stack: list[Any]) -> None:
        """Look at everything that functions and objects refer to, once."""
        while stack and len(self.seen) < FAR:
            x = stack.pop()
            if type(x) in DULL or id(x) in self.seen or isinstance(x, DEAD_ENDS):
                continue
            self.seen.add(id(x))
            if isinstance(x, GENERATORS):
                self.sources[id(x)] = x
            else:
                stack.extend(self.inside(x))

    def inside(self, x: Any) -> Iterator[Any]:
        """Yield what an object refers to; note the numbers and flags among it."""
        if isinstance(x, dict):
            self.dicts.append(x)
            yield from x.values()
        elif isinstance(x, COLLECTIONS):
            yield from x
        elif isinstance(x, functools.partial):
            yield from (x.func, x.args, x.keywords)
        elif isinstance(x, types.MethodType):
            yield from (x.__self__, x.__func__)
        elif isinstance(x, types.FunctionType):
            yield from self.read_by(x)
        elif hasattr(x, "__dict__") and not isinstance(x, types.BuiltinFunctionType):
            held = vars(x)
            if not _of_library(type(x)):
                self.objects.append(x)
            if isinstance(getattr(x, "training", None), bool):
                self.flags.append((x, x.training))
            if isinstance(groups := held.get("groups"), list):  # an optimizer's settings; its rate is read anew
                self.numbers += [(functools.partial(g.get, k), g[k]) for g in groups for k in g if k not in LIVE]
            yield from held.values()

    def read_by(self, f: types.FunctionType) -> Iterator[Any]:
        """Yield what a function reads by name: its closure, its defaults, and the globals its code names."""
        if _of_library(f):
            yield from (c.cell_contents for c in f.__closure__ or () if _filled(c))
            return
        for cell in f.__closure__ or ():
            if _filled(cell):
                value = cell.cell_contents
                if is_watched(value):
                    self.numbers.append((functools.partial(_content, cell), value))
                yield value
        yield from f.__defaults__ or ()
        yield from (f.__kwdefaults__ or {}).values()
        codes = [f.__code__]
        for code in codes:
            codes.extend(c for c in code.co_consts if isinstance(c, types.CodeType))
            self.names.update(code.co_names)
            self.keys.update(c for c in code.co_consts if type(c) is str)
            for name in code.co_names:
                if name in f.__globals__:
                    value = f.__globals__[name]
                    if is_watched(value):
                        self.numbers.append((functools.partial(f.__globals__.get, name), value))
                    yield value

    def methods(self) -> list[Any]:
        """Return methods of the objects met that the code names, and that have not been looked at."""
        kinds = {kind for x in self.objects for kind in type(x).__mro__ if not _of_library(kind)}
        found = [m for kind in kinds for name, m in vars(kind).items() if name in self.names or name in CALLED]
        if len(self.seen) >= FAR:
            return []
        return [m for m in found if isinstance(m, types.FunctionType) and id(m) not in self.seen]

    def attributes(self) -> Iterator[tuple[Any, Any]]:
        """Yield readers of attributes that the code names, and what they hold."""
        for x in self.objects:
            for name in self.names.intersection(vars(x)):
                if is_watched(value := vars(x)[name]):
                    yield functools.partial(getattr, x, name), value

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Yield readers of entries of dicts whose keys stand in the code, and what they hold."""
        for d in self.dicts:
            if len(d) <= FEW:
                for key in self.keys.intersection([k for k in d if type(k) is str]):
                    if is_watched(value := d[key]):
                        yield functools.partial(d.get, key), value

    def guards(self) -> list[tuple[Any, Any]]:
        """Return what must be as it was for a plan to hold."""
        flags = [(functools.partial(getattr, x, "training"), flag) for x, flag in self.flags]
        kept = [(read, value) for read, value in self.entries if read() is value]  # not what it counts itself
        return flags + self.numbers + kept

    def watch(self, world: bool = True) -> None:
        """Raise if a generator has been drawn from without the recorder being told."""
        names = [repr(g) for key, g in self.sources.items() if _state(g) != self.states[key]]
        if world and _world() != self.world:
            names.append("a global generator of numpy.random or random")
        if names:
            raise GraphError(
                f"{names[0]} was drawn from inside the compiled function, and the draw would be baked in: draw by "
                f"ag.fresh(rng.normal, size=...), which is repeated at every replay, or pass the numbers as an argument"
            )


def is_watched(value: Any) -> bool:
    """Say whether a plan rests on a value: a number, a string, an array, a Tensor, by their identity."""
    return type(value) in WATCHED or isinstance(value, np.generic)


def _of_library(x: Any) -> bool:
    return str(getattr(x, "__module__", None)).partition(".")[0] in LIBRARIES


def _world() -> Any:
    """Return the states of the global generators."""
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    return state["state"]["key"].tobytes(), state["state"]["pos"], random.getstate()


def _state(g: Any) -> Any:
    return repr(g.bit_generator.state if isinstance(g, np.random.Generator) else g.get_state(legacy=False))


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _content(cell: Any) -> Any:
    return cell.cell_contents if _filled(cell) else None
