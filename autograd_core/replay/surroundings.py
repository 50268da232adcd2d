"""What a function can reach without being given it: generators it might draw from, flags and numbers it might read."""

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
NUMBERS = (int, float, bool, str)
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
        self.walk([f, *more])
        self.settle()

    def settle(self, world: bool = True) -> None:
        """Note the states of generators, maybe without the global ones: what is drawn from here on is to be told."""
        self.states = {key: _state(g) for key, g in self.sources.items()}
        self.world = _world() if world else self.world

    def walk(self, stack: list[Any]) -> None:
        """Look at everything that functions and objects refer to, once."""
        seen: set[int] = set()
        while stack and len(seen) < FAR:
            x = stack.pop()
            if type(x) in DULL or id(x) in seen or isinstance(x, DEAD_ENDS):
                continue
            seen.add(id(x))
            if isinstance(x, GENERATORS):
                self.sources[id(x)] = x
            else:
                stack.extend(self.inside(x))

    def inside(self, x: Any) -> Iterator[Any]:
        """Yield what an object refers to; note the numbers and flags among it."""
        if isinstance(x, dict):
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
            if isinstance(getattr(x, "training", None), bool):
                self.flags.append((x, x.training))
            if isinstance(groups := held.get("groups"), list):  # an optimizer's settings; its rate is read anew
                self.numbers += [(functools.partial(g.get, k), g[k]) for g in groups for k in g if k not in LIVE]
            yield from held.values()

    def read_by(self, f: types.FunctionType) -> Iterator[Any]:
        """Yield what a function reads by name: its closure, its defaults, and the globals its code names."""
        if f.__module__ and f.__module__.partition(".")[0] in ("numpy", "autograd_core", "scipy", "nn"):
            yield from (c.cell_contents for c in f.__closure__ or () if _filled(c))
            return
        for cell in f.__closure__ or ():
            if _filled(cell):
                value = cell.cell_contents
                if type(value) in NUMBERS:
                    self.numbers.append((functools.partial(_content, cell), value))
                yield value
        yield from f.__defaults__ or ()
        yield from (f.__kwdefaults__ or {}).values()
        codes = [f.__code__]
        for code in codes:
            codes.extend(c for c in code.co_consts if isinstance(c, types.CodeType))
            for name in code.co_names:
                if name in f.__globals__:
                    value = f.__globals__[name]
                    if type(value) in NUMBERS:
                        self.numbers.append((functools.partial(f.__globals__.get, name), value))
                    yield value

    def guards(self) -> list[tuple[Any, Any]]:
        """Return what must be as it was for a plan to hold."""
        flags = [(functools.partial(getattr, x, "training"), flag) for x, flag in self.flags]
        return flags + self.numbers

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
