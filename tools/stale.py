"""Random programs of what a function can read from around it, changed between calls: is a compiled one ever stale?

`python -m tools.stale 10000 --seed 0`. A program puts three numbers into an array of some kind, that into holders inside
holders, and reads it twice: once by plain Python or NumPy, once beside a traced value. Then something is changed: the
numbers, what a holder holds, the whole. After each change the compiled function has to give what the function gives.
What is refused by name, and what raises without being compiled, is counted, and said at the end.
"""

from __future__ import annotations

import argparse
import random
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import autograd_core as ag
import nn

X = np.array([0.5, 1.5, 2.0])

# fmt: off
# ruff: noqa: E501  (tables of source text)
PREAMBLE = """
import array, collections, contextvars, ctypes, dataclasses, functools, operator, types, weakref
import numpy as np
import autograd_core as ag
import nn
class Holder:
    def __init__(self, c): self.c = c
    def read(self): return self.c
    @property
    def prop(self): return self.c
    def __getitem__(self, i): return self.c
    def __call__(self): return self.c
class Slots:
    __slots__ = ("c",)
    def __init__(self, c): self.c = c
@dataclasses.dataclass
class Data:
    c: object
class Layer(nn.Module):
    def __init__(self, c): self.c = c
    def forward(self, x): return x
class Bag(dict):
    pass
class Kind:
    c = None
def kind(c):
    return type("Kind", (Kind,), {"c": c})
def cell(c):
    return lambda: c
def default(c):
    def read(c=c): return c
    return read
def sub(c):
    b = Bag(); b.c = c
    return b
def objects(c):
    a = np.empty(2, object); a[0] = c
    return a
"""
HOLDERS: list[tuple[str, str, str | None]] = [  # made of what it holds, read, given something else
    ("[{}]", "{}[0]", "{}[0] = {}"),
    ("[0, {}, 0]", "{}[1]", "{}[1] = {}"),
    ("({},)", "{}[0]", None),
    ("dict(k={})", "{}['k']", "{}['k'] = {}"),
    ("dict(k={})", "[*{}.values()][0]", "{}['k'] = {}"),
    ("dict(k={})", "{}.get('k')", "{}.update(k={})"),
    ("Holder({})", "{}.c", "{}.c = {}"),
    ("Holder({})", "{}.read()", "{}.c = {}"),
    ("Holder({})", "{}.prop", "{}.c = {}"),
    ("Holder({})", "{}[3]", "{}.c = {}"),
    ("Holder({})", "{}()", "{}.c = {}"),
    ("Holder({})", "getattr({}, 'c')", "{}.c = {}"),
    ("Holder({})", "getattr({}, 'cd'[:1])", "{}.c = {}"),
    ("Holder({})", "vars({})['c']", "{}.c = {}"),
    ("Holder({})", "operator.attrgetter('c')({})", "{}.c = {}"),
    ("Holder({}).read", "{}()", "{}.__self__.c = {}"),
    ("Slots({})", "{}.c", "{}.c = {}"),
    ("Data({})", "{}.c", "{}.c = {}"),
    ("Layer({})", "{}.c", "{}.c = {}"),
    ("nn.Sequential(Layer({}))", "{}[0].c", "{}[0].c = {}"),
    ("kind({})", "{}.c", "{}.c = {}"),
    ("kind({})()", "{}.c", "type({}).c = {}"),
    ("kind({})()", "{}.c", "{}.c = {}"),
    ("cell({})", "{}()", None),
    ("default({})", "{}()", "{}.__defaults__ = ({},)"),
    ("functools.partial(lambda c: c, {})", "{}()", "{}.__setstate__((lambda c: c, ({},), {{}}, {{}}))"),
    ("functools.partial(lambda c: c, c={})", "{}()", "{}.keywords['c'] = {}"),
    ("types.SimpleNamespace(c={})", "{}.c", "{}.c = {}"),
    ("types.MappingProxyType(dict(c={}))", "{}['c']", None),
    ("collections.UserDict(k={})", "{}['k']", "{}['k'] = {}"),
    ("collections.UserList([{}])", "{}[0]", "{}[0] = {}"),
    ("collections.ChainMap({{}}, dict(k={}))", "{}['k']", "{}['k'] = {}"),
    ("collections.ChainMap({{}}, dict(k={}))", "{}['k']", "{}.maps[1]['k'] = {}"),
    ("collections.OrderedDict(k={})", "{}['k']", "{}['k'] = {}"),
    ("collections.defaultdict(int, k={})", "{}['k']", "{}['k'] = {}"),
    ("collections.deque([{}])", "{}[0]", "{}.appendleft({})"),
    ("collections.namedtuple('P', 'c')({})", "{}.c", None),
    ("objects({})", "{}[0]", "{}[0] = {}"),
    ("sub({})", "{}.c", "{}.c = {}"),
    ("Bag(k={})", "{}['k']", "{}['k'] = {}"),
    ("dict(k={}).values()", "next(iter({}))", None),
    ("[{}] * 300", "{}[-1]", "{}[-1] = {}"),
]
ARRAYS: list[tuple[str, str | None]] = [  # made of three numbers, changed to three others
    ("np.array({})", "{}[:] = {}"),
    ("np.array({}, np.float32)", "{}[:] = {}"),
    ("np.array({})[::-1]", "{}[:] = {}"),
    ("np.broadcast_to(base := np.array({}), 3)", None),
    ("array.array('d', {})", "{}[:] = array.array('d', {})"),
    ("(ctypes.c_double * 3)(*{})", "{}[:] = {}"),
    ("memoryview(np.array({}))", "np.asarray({})[:] = {}"),
    ("list({})", "{}[:] = {}"),
    ("tuple({})", None),
    ("collections.deque({})", "{}.extend({}); {}.rotate(-3)"),
    ("np.array({}, object)", "{}[:] = {}"),
    ("np.array([(v,) for v in {}], [('a', float)])['a']", "{}[:] = {}"),
    ("np.ma.array({})", "{}[:] = {}"),
    ("ag.Tensor({})", "{}.assign(np.array({}))"),
    ("ag.Tensor({}, requires_grad=False)", "{}.data[...] = np.array({})"),
]
ALONE = ["np.sum({a})", "float({a}[0])", "np.exp({a}).max()", "(2.0 if {a}[0] > 0 else 3.0)", "sum(v * v for v in {a})",
         "len([v for v in {a} if v > 0])", "np.asarray({a}, float)[1]", "max({a})", "abs({a}[2])", "1.0"]
BESIDE = ["x * np.asarray({a}, float)", "x + {a}[1]", "np.where(np.asarray({a}, float) > 0, x, -x)", "ag.Tensor(np.asarray({a}, float)) * x",
          "x[np.argsort(np.asarray({a}, float))]", "x", "np.stack([x[i] * v for i, v in enumerate({a})])", "x ** np.asarray({a}, float)[1]"]
OF_TENSORS = (["np.sum({a})", "1.0", "np.max({a})"], ["x * {a}", "x + {a}[1]", "np.where({a} > 0, x, -x)"])
SHAPES = ["def f(x):\n    return ({b}) * ({s})", "def f(x):\n    def g(y):\n        return ({b}) * 1\n    return g(x) * (lambda: {s})()",
          "def f(x, *, h=h):\n    return ({b}) * ({s})", "def f(x):\n    s = {s}\n    return ag.checkpoint(lambda x: ({b}) * s)(x)",
          "def g(x):\n    return {b}\ndef f(x):\n    return g(x) * ({s})", "f = lambda x: ({b}) * ({s})",
          "class F:\n    def __call__(self, x):\n        return self.b(x) * ({s})\n    def b(self, x):\n        return {b}\nf = F()",
          "def f(x):\n    y = {b}\n    for _ in range(2):\n        y = y * ({s})\n    return y",
          "def f(x):\n    return ag.grad(lambda x: np.sum(({b}) ** 2))(x) * ({s})",
          "def f(x):\n    return [y * ({s}) for y in [{b}]][0]", "f = functools.partial(lambda k, x: ({b}) * ({s}), 1)"]
# fmt: on


def step_of(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a training step whose loss is made of a function."""
    w = ag.Tensor(np.ones(3))
    optimizer = nn.Adam([w], lr=0.01)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = np.mean(f(w * x) ** 2)
        loss.backward()
        optimizer.step()
        return loss, w.data * 1

    return step


WAYS: list[Callable[[Any], Any]] = [
    lambda f: f,
    lambda f: ag.grad(lambda x: np.sum(f(x))),
    lambda f: ag.value_and_grad(lambda x: np.sum(f(x) ** 2)),
    step_of,
]


def numbers(rng: random.Random) -> list[float]:
    """Return three numbers, one of four negative."""
    return [round(rng.uniform(0.5, 2) * rng.choice([1, 1, 1, -1]), 3) for _ in range(3)]


def inside(source: str, levels: list[Any]) -> str:
    """Return the source of what holds something, holder around holder."""
    for make, _, _ in levels:
        source = make.format(source)
    return source


def program(rng: random.Random) -> tuple[str, list[str]]:
    """Return the source of a function, and statements that change what it reads."""
    make, change = rng.choice(ARRAYS)
    source = make.format(numbers(rng))
    levels = [rng.choice(HOLDERS) for _ in range(rng.randint(0, 3))]
    paths = ["h"]
    for _, read, _ in reversed(levels):
        paths.append(read.format(paths[-1]))
    changes = [lambda: f"h = {inside(make.format(numbers(rng)), levels)}"]
    if change:
        first = change.replace("{}", paths[-1], 1)
        changes.append(lambda: first.replace("{}", str(numbers(rng)), 1).replace("{}", paths[-1]))
    if "base :=" in source:
        changes.append(lambda: f"base[:] = {numbers(rng)}")
    for i, (_, _, put) in enumerate(reversed(levels)):
        if put:
            below = levels[: len(levels) - 1 - i]
            changes.append(
                lambda put=put, path=paths[i], below=below: put.format(path, inside(make.format(numbers(rng)), below))  # type: ignore[misc]
            )
    alone, beside = OF_TENSORS if "Tensor" in source else (ALONE, BESIDE)
    a = paths[-1]
    text = rng.choice(SHAPES).format(b=rng.choice(beside).format(a=a), s=rng.choice(alone).format(a=a))
    wanted = [rng.choice(changes)() for _ in range(rng.randint(1, 3))]
    return f"{PREAMBLE}h = {inside(source, levels)}\n{text}\n", wanted


def outcome(run: Callable[[Any], Any]) -> tuple[str, Any]:
    """Return what a call gives: values, a refusal, an error."""
    try:
        out = run(X)
    except ag.GraphError as error:
        return "refused", str(error)
    except Exception as error:
        return "raised", f"{type(error).__name__}: {error}"
    parts = out if isinstance(out, tuple) else (out,)
    return "values", [np.array(v.data if isinstance(v, ag.Tensor) else v, float) for v in parts]


def alike(a: list[Any], b: list[Any]) -> bool:
    """Say whether two results are the same but for rounding."""
    same = (u.shape == v.shape and np.allclose(u, v, 1e-9, 1e-9, equal_nan=True) for u, v in zip(a, b, strict=True))
    return len(a) == len(b) and all(same)


def tried(seed: int) -> tuple[str | None, str | None]:
    """Run one program; return what differs, and what was refused."""
    rng = random.Random(seed)
    source, changes = program(rng)
    way = rng.choice(WAYS)
    made = sys.modules["program"] = types.ModuleType("program")
    module = vars(made)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(source, f"<program {seed}>", "exec"), module)
        own, replay = way(module["f"]), ag.compile(way(module["f"]))
        for change in (None, None, *changes, None):
            if change is not None:
                exec(change, module)
            (kind, a), (other, b) = outcome(own), outcome(replay)
            if other == "refused":
                return None, f"refused: {b}"
            if kind == "raised":
                return None, f"raises: {a}" if other == "raised" else f"only uncompiled: {a}"
            if other == "raised" or not alike(a, b):
                text = source[len(PREAMBLE) :]
                return f"--- seed {seed}, after {change}\n{text}{changes}\nown {a}\nreplay {b}", None
    return None, None


def main(argv: list[str] | None = None) -> int:
    """Try programs; print those that differ, and a table of what was not tried to its end."""
    parser = argparse.ArgumentParser(prog="python -m tools.stale", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("programs", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    wrong, left = 0, dict[str, list[int]]()
    for seed in range(given.seed, given.seed + given.programs):
        found, why = tried(seed)
        if found:
            wrong += 1
            print(found)
        if why:
            left.setdefault(why[:90], []).append(seed)
    print(f"{given.programs} programs, {wrong} differ, {sum(map(len, left.values()))} refused or raising by themselves")
    for why, seeds in sorted(left.items(), key=lambda e: -len(e[1]))[:12]:
        print(f"{len(seeds):6} {why} (seed {seeds[0]})")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
