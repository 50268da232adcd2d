"""What a compiled function can read from around it is changed between calls: it does what the function itself does."""

import array
import collections
import contextlib
import contextvars
import ctypes
import dataclasses
import functools
import importlib
import operator
import pathlib
import random
import sys
import types
import weakref

import numpy as np
import pytest
from bits import identical

import autograd_core as ag
import nn
from autograd_core import Tensor

X = np.array([0.5, 1.5, 2.0])
BEFORE, AFTER = [1.0, 2.0, 3.0], [-2.0, 1.0, 4.0]


def as_it_is(f):
    return f


def as_gradient(f):
    return ag.grad(lambda x: np.sum(f(x)))


def as_training_step(f):
    w = Tensor(np.ones(3))
    optimizer = nn.SGD([w], lr=0.01)

    def step(x):
        optimizer.zero_grad()
        loss = np.mean(f(w * x) ** 2)
        loss.backward()
        optimizer.step()
        return loss, w.data

    return step


WAYS = [as_it_is, as_gradient, as_training_step]


def agree(f, change, way, x=X):
    """Compare a compiled function with itself uncompiled, at every call, before and after changes."""
    own, compiled = way(f), ag.compile(way(f))

    def values(run):
        found = run(x)
        return [
            np.array(v.data if isinstance(v, Tensor) else v) for v in (found if isinstance(found, tuple) else [found])
        ]

    for _ in range(2):
        identical(values(compiled), values(own), 1e-14)
    change()
    for _ in range(2):
        identical(values(compiled), values(own), 1e-14)


# --- one array, read alone and beside traced values -------------------------------------------------------------------

READINGS = {
    "sum": lambda c, x: (x * c) / c.sum(),
    "np.sum": lambda c, x: x * c / np.sum(c),
    "exp": lambda c, x: x * np.exp(c) + x * c,
    "an operator": lambda c, x: x * (c + 1) + x * c,
    "an entry": lambda c, x: x * c[0] + x * c,
    "an entry as a float": lambda c, x: x * float(c[0]) + x * c,
    "item": lambda c, x: x * c.item(0) + x * c,
    "an iteration": lambda c, x: sum(x * v for v in c) + x * c,
    "unpacked": lambda c, x: x * [*c][1] + x * c,
    "tolist": lambda c, x: x * c.tolist()[0] + x * c,
    "a decision": lambda c, x: (x if c[0] > 0 else -x) + x * c,
    "a decision by all": lambda c, x: (x if c.all() and (c > 0).all() else -x) + x * c,
    "a decision alone": lambda c, x: x * 2 if c[0] > 0 else -x,
    "a loop": lambda c, x: functools.reduce(lambda y, _: y * 1.5, range(int(abs(c[0]))), x) + x * c,
    "a Tensor": lambda c, x: Tensor(c) * x,
    "a Tensor, and alone": lambda c, x: Tensor(c) * x + x * np.max(c),
    "np.asarray": lambda c, x: x * np.asarray(c) + x * np.asarray(c).mean(),
    "a copy": lambda c, x: x * c.copy() + x * c,
    "a copy alone": lambda c, x: x * c.copy(),
    "a cast": lambda c, x: x * c.astype(np.float32).astype(float) + x * c,
    "the transpose": lambda c, x: x * c.T * c.T.min() + x,
    "a part": lambda c, x: x[1:] * c[1:] + c[1:].sum(),
    "backwards": lambda c, x: x * c[::-1] + c[::-1][0] * x,
    "in another shape": lambda c, x: (x * c.reshape(3, 1)).sum(0) * c.reshape(-1)[0],
    "stretched": lambda c, x: (x * np.broadcast_to(c, (2, 3))).sum(0) * np.broadcast_to(c, (2, 3)).sum(),
    "stacked": lambda c, x: np.stack([x, c]).sum(0) * np.stack([c, c]).sum(),
    "dot": lambda c, x: x * (c @ c) + x @ c,
    "where": lambda c, x: np.where(c > 0, x, -x) + x * c,
    "an index": lambda c, x: x[np.argsort(c)] + x * c,
    "a slice": lambda c, x: x[: int(c.max())].sum() * c,
    "a mask": lambda c, x: x[c > 0].sum() * c,
    "a power": lambda c, x: x ** c[1] + x * c,
    "an axis": lambda c, x: np.sum(np.stack([x, 2 * x]), axis=int(c[0] < 0)).sum() * c,
    "text": lambda c, x: x * (1.0 if f"{c[0]}" == "1.0" else 5.0) + x * c,
    "bytes": lambda c, x: x * (1.0 if c.tobytes() == np.array(BEFORE).tobytes() else 5.0) + x * c,
    "a sort": lambda c, x: x * np.sort(c) + c * x,
    "its norm": lambda c, x: x * c / np.linalg.norm(c),
    "its maximum": lambda c, x: np.maximum(x, c.max()) * c,
    "clipped": lambda c, x: np.clip(x, c.min(), c.max()) * c,
    "np.dot of another": lambda c, x: np.dot(np.outer(c, c), x) * c,
    "einsum alone": lambda c, x: x * np.einsum("i,i", c, c) + x * c,
    "used in a nested function": lambda c, x: (lambda y: y * c)(x) * (lambda: c.sum())(),
    "used in a comprehension": lambda c, x: np.stack([x[i] * v for i, v in enumerate(c)]) + c * x,
    "through fresh": lambda c, x: x * ag.fresh(np.sum, c) + x * c.sum(),
    "in a checkpoint": lambda c, x: ag.checkpoint(lambda y: y * c * c.sum())(x),
    "in a derivative": lambda c, x: ag.grad(lambda y: np.sum(y**2 * c) * c.sum())(x) * x,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", READINGS)
def test_an_array_read_alone_and_beside(name, way):
    c = np.array(BEFORE)
    agree(lambda x: READINGS[name](c, x), lambda: c.__setitem__(slice(None), AFTER), way)


IN_PLACE = {
    "one entry": lambda c: c.__setitem__(2, 7.0),
    "multiplied": lambda c: c.__imul__(3.0),
    "sorted": lambda c: c[::-1].sort(),
    "copied to": lambda c: np.copyto(c, AFTER),
    "a ufunc's out": lambda c: np.negative(c, out=c),
    "at": lambda c: np.add.at(c, [0, 0], 5.0),
    "put": lambda c: np.put(c, [1], -1.0),
    "through a view": lambda c: c[1:].__iadd__(1.0),
    "through the bytes": lambda c: memoryview(c).__setitem__(0, 9.0),
    "through another dtype": lambda c: c.view(np.int64).__iadd__(1 << 52),
    "the sign of zero": lambda c: c.__setitem__(0, -0.0),
    "not a number": lambda c: c.__setitem__(0, np.nan),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_an_array_changed_in_place(name):
    c = np.array([0.0, 2.0, 3.0])
    agree(lambda x: x * c + x * np.copysign(1.0, c).sum(), lambda: IN_PLACE[name](c), as_it_is)


def set_to(a, values):
    def change():
        a[...] = values

    return change


def of_arrays():
    """Arrays of other kinds: what a function makes of them beside traced values, and the change."""
    two = np.arange(6.0).reshape(2, 3)
    yield "two axes", two, lambda x: (two @ x).sum() * two.sum(), set_to(two, two[::-1] + 1)
    fortran = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    yield "columns first", fortran, lambda x: (fortran @ x).sum() * fortran.sum(), set_to(fortran, 2 - fortran)
    point = np.array(2.0)
    yield "no axes", point, lambda x: x * point * float(point), set_to(point, 5.0)
    whole = np.array([2, 0, 1])
    yield "integers", whole, lambda x: x[whole] * whole.max(), set_to(whole, [0, 1, 1])
    yield "integers alone", whole, lambda x: x * whole[0], set_to(whole, [0, 1, 1])
    mask = np.array([True, False, True])
    yield "a mask", mask, lambda x: np.sum(x * mask) / mask.sum() * x, set_to(mask, [True, False, False])
    yield "a mask as an index", mask, lambda x: x[mask].sum() * x, set_to(mask, [True, False, False])
    single = np.array([1.0, 2.0, 3.0], np.float32)
    yield "float32", single, lambda x: x * single * single.sum(), set_to(single, AFTER)
    z = np.array([1 + 2j, 2j, 3.0])
    yield "complex", z, lambda x: x * np.abs(z) + np.real(x * z), set_to(z, [1j, 2.0, 1j])
    record = np.array([(1.0, 2), (2.0, 3), (3.0, 4)], [("a", float), ("b", int)])
    yield "fields", record, lambda x: x * record["a"] * record["b"][0], set_to(record, [(5.0, 5)] * 3)
    row = record[0]
    yield "a record", row, lambda x: x * row["a"], lambda: row.__setitem__("a", 9.0)
    rec = record.view(np.recarray)
    yield "a recarray", rec, lambda x: x * rec.a * rec.b[0], lambda: rec.a.__setitem__(0, 7.0)
    objects = np.array([1.0, 2.0, 3.0], object)
    yield "objects", objects, lambda x: x * objects[0] + x * float(objects.sum()), lambda: objects.__setitem__(0, 5.0)
    deep = np.empty(2, object)
    deep[0], deep[1] = np.ones(3), [1.0]
    yield "an array in one of objects", deep, lambda x: x * deep[0] * deep[0].sum(), set_to(deep[0], AFTER)
    yield "a list in one of objects", deep, lambda x: x * deep[1][0], lambda: deep[1].__setitem__(0, 5.0)
    matrix = np.ma.array([1.0, 2.0, 3.0], mask=[False, False, True])
    yield "masked", matrix, lambda x: x * matrix.sum(), lambda: matrix.__setitem__(0, 5.0)
    covered = np.ma.array([1.0, 2.0, 3.0], mask=[False, False, True])
    yield "the mask of one", covered, lambda x: x * covered.sum(), lambda: covered.mask.__setitem__(0, True)
    days = np.array(["2020-01-01", "2020-01-03"], "datetime64[D]")
    yield "days", days, lambda x: x * (days[1] - days[0]).astype(float), lambda: days.__setitem__(1, days[0])
    words = np.array(["a", "b"])
    yield "words", words, lambda x: x if words[0] == "a" else -x, lambda: words.__setitem__(0, "b")
    seen = np.ones(3)
    locked = seen[:]
    locked.flags.writeable = False
    yield "what only others may write into", locked, lambda x: x * locked * locked.sum(), set_to(seen, AFTER)
    wide = np.ones(3)
    stretched = np.broadcast_to(wide, (2, 3))
    yield "stretched", stretched, lambda x: (x * stretched).sum() * stretched.sum(), set_to(wide, AFTER)
    formed = np.arange(4.0)
    yield "its shape", formed, lambda x: x * len(formed) * formed.sum(), lambda: formed.resize((2, 2), refcheck=False)
    flat = np.arange(3.0)
    steps = flat.flat
    yield "a flat iterator", steps, lambda x: x * steps[1], lambda: flat.__setitem__(1, 5.0)
    frozen = np.arange(3.0)
    frozen.flags.writeable = False

    def thaw():
        frozen.flags.writeable = True
        frozen[:] = AFTER

    yield "one that was locked", frozen, lambda x: x * frozen * frozen.sum(), thaw


KINDS = [name for name, *_ in of_arrays()]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_arrays_of_other_kinds(name, way):
    _, _, f, change = next(case for case in of_arrays() if case[0] == name)
    agree(f, change, way)


# --- where values hide ------------------------------------------------------------------------------------------------


def both(c, x):
    """Return what depends on an array read anew, and on what plain NumPy makes of it."""
    return x * c + x * np.sum(c)


class Holder:
    kept = np.ones(3)

    def __init__(self, c):
        self.c = c
        self.w1 = 2.0

    def by_method(self, x):
        return both(self.c, x)

    @property
    def half(self):
        return self.c / 2

    @functools.cached_property
    def view(self):
        return self.c[:]

    @classmethod
    def by_class(cls, x):
        return both(cls.kept, x)

    def __iter__(self):
        return iter(self.c)

    def __call__(self, x):
        return both(self.c, x)

    def __getattr__(self, name):
        if name != "made":
            raise AttributeError(name)
        return self.c


class Slotted:
    __slots__ = ("c",)

    def __init__(self, c):
        self.c = c


@dataclasses.dataclass
class Data:
    c: object
    more: list = dataclasses.field(default_factory=list)


class Layer(nn.Module):
    def __init__(self, c):
        self.c, self.factor = c, Tensor(np.ones(3))

    def forward(self, x):
        return both(self.c, x * self.factor)


class Listed(list):
    rate = 2.0


class Noted(np.ndarray):
    pass


GLOBAL = np.array(BEFORE)
VARIABLE = contextvars.ContextVar("an_array")


def default(x, c=GLOBAL):
    return both(c, x)


def by_global(x):
    return both(GLOBAL, x)


def by_text(x):
    return both(globals()["GLOBAL"], x)


def descriptor_of(c):
    class Reads:
        def __get__(self, obj, kind=None):
            return c

    return type("Has", (), {"c": Reads()})()


def noted(c):
    found = np.zeros(3).view(Noted)
    found.c = c
    return found


def local(c):
    import threading

    found = threading.local()
    found.c = c
    return found


PLACES = {  # how an array is held, and how a function reads it
    "a variable": (lambda c: c, both),
    "a list": (lambda c: [c], lambda h, x: both(h[0], x)),
    "a list in a list": (lambda c: [[c]], lambda h, x: both(h[0][0], x)),
    "a long list": (lambda c: [c] * 500, lambda h, x: both(h[-1], x)),
    "a tuple": (lambda c: (0, c), lambda h, x: both(h[1], x)),
    "a dict": (lambda c: {"c": c}, lambda h, x: both(h["c"], x)),
    "an ordered dict": (lambda c: collections.OrderedDict(c=c), lambda h, x: both(h["c"], x)),
    "a default dict": (lambda c: collections.defaultdict(list, c=c), lambda h, x: both(h["c"], x)),
    "a chain of maps": (lambda c: collections.ChainMap({}, {"c": c}), lambda h, x: both(h["c"], x)),
    "a user's dict": (lambda c: collections.UserDict(c=c), lambda h, x: both(h["c"], x)),
    "a user's list": (lambda c: collections.UserList([c]), lambda h, x: both(h[0], x)),
    "a deque": (lambda c: collections.deque([c]), lambda h, x: both(h[0], x)),
    "a mapping proxy": (lambda c: types.MappingProxyType({"c": c}), lambda h, x: both(h["c"], x)),
    "values of a dict": (lambda c: {"c": c}.values(), lambda h, x: both(next(iter(h)), x)),
    "a namespace": (lambda c: types.SimpleNamespace(c=c), lambda h, x: both(h.c, x)),
    "a named tuple": (lambda c: collections.namedtuple("P", "c")(c), lambda h, x: both(h.c, x)),
    "a data class": (Data, lambda h, x: both(h.c, x)),
    "a data class as a dict": (Data, lambda h, x: both(dataclasses.asdict(h)["c"], x)),
    "a list of a data class": (lambda c: Data(0, [c]), lambda h, x: both(h.more[0], x)),
    "an attribute": (Holder, lambda h, x: both(h.c, x)),
    "an attribute by its name": (Holder, lambda h, x: both(getattr(h, "c"), x)),  # noqa: B009
    "vars": (Holder, lambda h, x: both(vars(h)["c"], x)),
    "an attribute of a method's": (Holder, lambda h, x: h.by_method(x)),
    "a bound method": (lambda c: Holder(c).by_method, lambda h, x: h(x)),
    "a called object": (Holder, lambda h, x: h(x)),
    "a property": (Holder, lambda h, x: both(h.half, x)),
    "a cached property": (Holder, lambda h, x: both(h.view, x)),
    "an iterated object": (Holder, lambda h, x: both(np.array(list(h)), x)),
    "an attribute that is made": (Holder, lambda h, x: both(h.made, x)),
    "a class": (lambda c: type("Has", (Holder,), {"kept": c}), lambda h, x: h.by_class(x)),
    "a descriptor": (descriptor_of, lambda h, x: both(h.c, x)),
    "a partial function in a class": (
        lambda c: type("Has", (), {"read": functools.partial(lambda c: c, c)}),
        lambda h, x: both(h.read(), x),
    ),
    "a bound method in a class": (
        lambda c: type("Has", (), {"read": Holder(c).by_method}),
        lambda h, x: h.read(x),
    ),
    "a class of classes": (
        lambda c: type("Of", (type,), {"kept": c})("Has", (), {}),
        lambda h, x: both(h.kept, x),
    ),
    "a slot": (Slotted, lambda h, x: both(h.c, x)),
    "a module of ours": (Layer, lambda h, x: h(x)),
    "modules in modules": (lambda c: nn.Sequential(Layer(c), Layer(c)), lambda h, x: h(x)),
    "an attribute of a list": (lambda c: setattr(h := Listed([1]), "c", c) or h, lambda h, x: both(h.c, x)),
    "an attribute of an array": (noted, lambda h, x: both(h.c, x)),
    "an attribute of a function": (lambda c: setattr(h := lambda: 0, "c", c) or h, lambda h, x: both(h.c, x)),
    "a closure": (lambda c: lambda x: both(c, x), lambda h, x: h(x)),
    "a closure in a closure": (lambda c: lambda: lambda x: both(c, x), lambda h, x: h()(x)),
    "a default": (lambda c: lambda x, c=c: both(c, x), lambda h, x: h(x)),
    "a default by keyword": (lambda c: lambda x, *, c=c: both(c, x), lambda h, x: h(x)),
    "a partial function": (lambda c: functools.partial(both, c), lambda h, x: h(x)),
    "a keyword of one": (lambda c: functools.partial(lambda x, c: both(c, x), c=c), lambda h, x: h(x)),
    "a wrapped function": (lambda c: functools.wraps(both)(lambda x: both(c, x)), lambda h, x: h(x)),
    "a compiled function": (lambda c: ag.compile(lambda x: both(c, x)), lambda h, x: h(x)),
    "a reference": (lambda c: weakref.ref(c), lambda h, x: both(h(), x)),
    "a proxy": (lambda c: (k := Holder(c), weakref.proxy(k)), lambda h, x: both(h[1].c, x)),
    "a weak dict": (lambda c: weakref.WeakValueDictionary(c=c), lambda h, x: both(h["c"], x)),
    "an attribute of a thread": (local, lambda h, x: both(h.c, x)),
    "a getter of attributes": (
        lambda c: (Holder(c), operator.attrgetter("c")),
        lambda h, x: both(h[1](h[0]), x),
    ),
    "a getter of items": (lambda c: ([c], operator.itemgetter(0)), lambda h, x: both(h[1](h[0]), x)),
    "a polynomial": (lambda c: np.poly1d(c), lambda h, x: h(x) + h.coeffs.sum()),
    "a polynomial of a class": (lambda c: np.polynomial.Polynomial(c), lambda h, x: x * h.coef.sum() + x * h.coef),
    "a view of memory": (lambda c: memoryview(c), lambda h, x: both(np.asarray(h), x)),
    "an array of objects": (lambda c: np.array([c, None], object), lambda h, x: both(h[0], x)),
}


def content(h):
    """Return the array behind a holder that keeps a copy of what it is given."""
    return h.coeffs if isinstance(h, np.poly1d) else h.coef if isinstance(h, np.polynomial.Polynomial) else None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PLACES)
def test_where_an_array_may_be(name, way):
    make, f = PLACES[name]
    c = np.array(BEFORE)
    h = make(c)
    c = c if content(h) is None else content(h)
    agree(lambda x: f(h, x), set_to(c, AFTER), way)


@pytest.mark.parametrize("f", [by_global, default, by_text])
@pytest.mark.parametrize("way", WAYS)
def test_a_global_array(f, way):
    GLOBAL[:] = BEFORE
    agree(f, set_to(GLOBAL, AFTER), way)


def test_an_array_in_a_context_variable():
    c = np.array(BEFORE)
    VARIABLE.set(c)
    agree(lambda x: both(VARIABLE.get(), x), set_to(c, AFTER), as_it_is)


def test_an_array_in_an_argument():
    h = Holder(np.array(BEFORE))
    f = lambda h, x: both(h.c, x)
    compiled = ag.compile(f)
    for values in (BEFORE, BEFORE, AFTER, AFTER):
        h.c[:] = values
        identical(compiled(h, X), f(h, X))


# --- what is no array -------------------------------------------------------------------------------------------------


class Stream:
    def __init__(self):
        self.rate = 2.0

    def __iter__(self):
        return self

    def __next__(self):
        return self.rate


def reset(p, *args, **keywords):
    p.__setstate__((p.func, args, keywords, {}))


def named(h, x, name="rate"):
    return x * getattr(h, name)


def counted(h, x):
    for i in range(1, 3):
        x = x * getattr(h, f"w{i}")
    return x


OTHERS = {
    "array.array": (
        lambda: array.array("d", BEFORE),
        lambda h, x: x * h[0] * np.asarray(h),
        lambda h: h.__setitem__(0, 5.0),
    ),
    "a longer array.array": (lambda: array.array("d"), lambda h, x: x * len(h), lambda h: h.append(5.0)),
    "bytes": (lambda: bytearray(b"abc"), lambda h, x: x * h[0], lambda h: h.__setitem__(0, 5)),
    "more bytes": (lambda: bytearray(b"abc"), lambda h, x: x * len(h), lambda h: h.extend(b"d")),
    "memory": (lambda: memoryview(bytearray(b"abc")), lambda h, x: x * h[0], lambda h: h.__setitem__(0, 5)),
    "numbers of C": (lambda: (ctypes.c_double * 3)(*BEFORE), lambda h, x: x * h[0], lambda h: h.__setitem__(0, 5.0)),
    "a number of C": (lambda: ctypes.c_double(2.0), lambda h, x: x * h.value, lambda h: setattr(h, "value", 5.0)),
    "a chain of maps": (
        lambda: collections.ChainMap({"a": 1.0}, {"b": 2.0}),
        lambda h, x: x * h["b"],
        lambda h: h.maps[1].update(b=5.0),
    ),
    "one more map": (
        lambda: collections.ChainMap({"a": 1.0}),
        lambda h, x: x * h["a"],
        lambda h: h.maps.insert(0, {"a": 5.0}),
    ),
    "a partial function": (
        lambda: functools.partial(lambda x, r: x * r, r=2.0),
        lambda h, x: h(x),
        lambda h: reset(h, r=5.0),
    ),
    "arguments of a partial function": (
        lambda: functools.partial(lambda r, x: x * r, 2.0),
        lambda h, x: h(x),
        lambda h: reset(h, 5.0),
    ),
    "a counter": (lambda: collections.Counter("ab"), lambda h, x: x * h["a"], lambda h: h.update("a")),
    "an ordered dict": (
        lambda: collections.OrderedDict(a=2.0, b=3.0),
        lambda h, x: x * next(iter(h.values())),
        lambda h: h.move_to_end("a"),
    ),
    "a default dict": (lambda: collections.defaultdict(float), lambda h, x: x * h["a"], lambda h: h.update(a=5.0)),
    "a dict put in place of another": (
        lambda: collections.UserDict(a=2.0),
        lambda h, x: x * h["a"],
        lambda h: setattr(h, "data", {"a": 5.0}),
    ),
    "a text of the user's": (
        lambda: collections.UserString("ab"),
        lambda h, x: x * len(h),
        lambda h: setattr(h, "data", "abc"),
    ),
    "a stream": (Stream, lambda h, x: x * next(h), lambda h: setattr(h, "rate", 5.0)),
    "a long list": (lambda: [1.0] * 5000, lambda h, x: x * h[2500], lambda h: h.__setitem__(2500, 5.0)),
    "a long dict": (lambda: dict.fromkeys(range(5000), 1.0), lambda h, x: x * h[7], lambda h: h.update({7: 5.0})),
    "a large set": (lambda: set(range(5000)), lambda h, x: x if 7 in h else -x, lambda h: (h.remove(7), h.add(-7))),
    "a frozen set in a list": (lambda: [frozenset("a")], lambda h, x: x * len(h[0]), lambda h: h.append(h.pop() | {1})),
    "a name that is held": (
        lambda: types.SimpleNamespace(rate=2.0),
        named,
        lambda h: setattr(h, "rate", 5.0),
    ),
    "a name that is made": (lambda: types.SimpleNamespace(w1=2.0, w2=2.0), counted, lambda h: setattr(h, "w2", 5.0)),
    "all attributes": (
        lambda: types.SimpleNamespace(a=2.0),
        lambda h, x: x * sum(vars(h).values()),
        lambda h: setattr(h, "b", 5.0),
    ),
    "all fields": (lambda: Data(2.0), lambda h, x: x * dataclasses.astuple(h)[0], lambda h: setattr(h, "c", 5.0)),
    "a number of NumPy's in a list": (lambda: [np.float64(2)], lambda h, x: x * h[0], lambda h: h.append(h.pop() + 3)),
    "the code of a function": (
        lambda: lambda x: x * 2,
        lambda h, x: h(x),
        lambda h: setattr(h, "__code__", (lambda x: x * 5).__code__),
    ),
    "the rate of a schedule": (
        nn.schedules.ReduceOnPlateau,
        lambda h, x: x * h.scale,
        lambda h: setattr(h, "scale", 0.1),
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_array(name, way):
    make, f, change = OTHERS[name]
    h = make()
    agree(lambda x: f(h, x), lambda: change(h), way)


# --- settings of optimizers -------------------------------------------------------------------------------------------

SETTINGS = {
    "lr": (lambda o: o.lr, lambda o: setattr(o, "lr", 0.5)),
    "lr of a group": (lambda o: o.groups[0]["lr"], lambda o: o.groups[0].update(lr=0.5)),
    "lr by name": (lambda o: getattr(o, "lr"), lambda o: setattr(o, "lr", 0.5)),  # noqa: B009
    "scale": (lambda o: o.scale, lambda o: setattr(o, "scale", 0.5)),
    "both": (lambda o: o.lr * o.scale, lambda o: setattr(o, "scale", 0.5)),
    "momentum": (lambda o: o.groups[0]["momentum"], lambda o: o.groups[0].update(momentum=0.5)),
    "decay": (lambda o: o.groups[0]["weight_decay"], lambda o: o.groups[0].update(weight_decay=0.5)),
    "defaults": (lambda o: o.defaults["lr"], lambda o: setattr(o, "lr", 0.5)),
    "how many groups": (lambda o: len(o.groups), lambda o: o.attach([{"params": o.parameters}])),
    "all settings": (
        lambda o: sum(v for k, v in o.groups[0].items() if k != "params"),
        lambda o: setattr(o, "lr", 0.5),
    ),
}


@pytest.mark.parametrize("stepping", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_optimizers(name, stepping):
    read, change = SETTINGS[name]
    results = []
    for run in (lambda f: f, ag.compile):
        w = Tensor(np.ones(3))
        optimizer = nn.SGD([w], lr=0.01, momentum=0.9)

        def step(x, w=w, optimizer=optimizer):
            optimizer.zero_grad()
            loss = np.sum(w * x) * read(optimizer)
            loss.backward()
            if stepping:
                optimizer.step()
            return loss, w.data

        step = run(step)
        found = []
        for i in range(5):
            if i == 2:
                change(optimizer)
            loss, values = step(X)
            found += [np.array(getattr(loss, "data", loss)), np.array(getattr(values, "data", values))]
        results.append(found)
    identical(*results, 1e-14)


COUNTS = {
    "the step count": lambda o: o.runs[0].steps[0],
    "a state": lambda o: o.state_dict()["state"][0]["step"],
    "moments": lambda o: float(o.runs[0].state[0].sum()),
}


@pytest.mark.parametrize("name", COUNTS)
def test_what_an_optimizer_counts_runs_uncompiled_with_a_word(name):
    results = []
    for run in (lambda f: f, ag.compile):
        w = Tensor(np.ones(3))
        optimizer = nn.Adam([w], lr=0.01)

        def step(x, w=w, optimizer=optimizer):
            optimizer.zero_grad()
            loss = np.sum(w * x) * (1.0 + COUNTS[name](optimizer))
            loss.backward()
            optimizer.step()
            return loss

        step = run(step)
        told = (
            pytest.warns(UserWarning, match="changes at every call") if run is ag.compile else contextlib.nullcontext()
        )
        with told:
            results.append([np.array(getattr(v := step(X), "data", v)) for _ in range(20)])
    identical(*results, 1e-14)


def sets_rate(o):
    o.lr = o.lr * 0.5


def sets_scale(o):
    o.scale = 0.5


@pytest.mark.parametrize(
    ("change", "what"), [(sets_rate, "the setting 'lr'"), (sets_scale, "the attribute 'scale' of SGD")]
)
def test_a_function_that_sets_a_rate_itself_is_refused(change, what):
    w = Tensor(np.ones(3))
    optimizer = nn.SGD([w], lr=0.01)

    def step(x):
        change(optimizer)
        return np.sum(w * x)

    with pytest.raises(ag.GraphError, match=f"{what} is changed by the compiled function itself"):
        ag.compile(step)(X)


class Counter:
    def __init__(self):
        self.calls, self.buffer = 0, np.zeros(3)

    def count(self):
        self.calls += 1
        self.buffer += 1


FRESHLY = {
    "a number": lambda h, x: (ag.fresh(h.count), x * h.calls)[1],
    "an array": lambda h, x: (ag.fresh(h.count), x * h.buffer)[1],
    "an array alone": lambda h, x: (ag.fresh(h.count), x * np.exp(h.buffer))[1],
}


@pytest.mark.parametrize("name", FRESHLY)
def test_what_ag_fresh_changes_and_the_function_reads_runs_uncompiled_with_a_word(name):
    own, other = Counter(), Counter()
    compiled = ag.compile(lambda x: FRESHLY[name](other, x))
    expected = [FRESHLY[name](own, X) for _ in range(20)]
    with pytest.warns(UserWarning, match=r"the attribute '(calls|buffer)' of Counter changes at every call"):
        found = [compiled(X) for _ in range(20)]
    identical(found, expected)


def test_the_randomness_of_the_system_may_be_within_reach():
    source = random.SystemRandom()
    assert ag.compile(lambda x: x if source else -x)(2.0) == 2.0


# --- what is told -----------------------------------------------------------------------------------------------------


def test_a_large_array_is_named():
    c = np.ones(10_000)
    f = ag.compile(lambda x: np.sum(x * c))
    with pytest.warns(UserWarning, match=r"a ndarray in the variable 'c' of 80,000 bytes: too much for ag\.compile"):
        f(np.ones(10_000))
    f(np.ones(10_000))
    f(np.ones((1, 10_000)))  # recorded anew, and not told again


def test_a_large_array_that_nobody_writes_into_is_not_named():
    c = np.ones(10_000)
    c.flags.writeable = False
    f = ag.compile(lambda x: np.sum(x * c))
    assert f(np.ones(10_000)) == 10_000


def test_small_arrays_are_compared_beside_a_large_one():
    large, c = np.ones(10_000), np.array(BEFORE)
    with pytest.warns(UserWarning, match="too much"):
        agree(lambda x: both(c, x) + np.sum(large), set_to(c, AFTER), as_it_is)


def filled(f, buffer, values):
    """Return results of a function whose buffer is filled before each call."""
    found = []
    for v in values:
        buffer[:] = v
        found.append(f(X))
    return found


def test_a_buffer_that_is_filled_at_every_call_is_named():
    buffer = np.zeros(3)
    f = ag.compile(lambda x: np.sum(x * buffer))
    with pytest.warns(UserWarning, match=r"in the variable 'buffer' changes at every call.*t\.assign") as told:
        found = filled(f, buffer, range(70))
    assert found == [4.0 * i for i in range(70)]
    assert len(told) == 1


def test_a_buffer_that_stays_at_last_is_replayed_again():
    buffer = np.zeros(3)
    f = ag.compile(lambda x: np.sum(x * buffer))
    values = [min(i, 12) for i in range(40)]
    with pytest.warns(UserWarning, match="changes at every call"):
        assert filled(f, buffer, values) == [4.0 * v for v in values]
    plan = f.plan
    f(X)
    assert f.plan is plan


def test_a_tensor_that_is_filled_is_read_anew():
    buffer = Tensor(np.zeros(3), requires_grad=False)
    f = ag.compile(lambda x: np.sum(x * buffer))
    for i in range(20):
        buffer.assign(np.full(3, float(i)))
        assert f(X) == i * 4.0
    assert len(f.plans) == 1


# --- what Tensors are asked besides their values, and functions inside of ufuncs -------------------------------------------


class Pair:
    def __init__(self):
        self.first, self.second = Tensor(np.ones(2)), Tensor(np.ones(2), name="second")


PAIR = Pair()
ASKED = {  # what decides, and what changes it
    "requires_grad": (lambda: PAIR.first.requires_grad, lambda: setattr(PAIR.first, "requires_grad", False)),
    "in a list": (lambda: all(t.requires_grad for t in (PAIR.first, PAIR.second)), lambda: setattr(PAIR.second, "requires_grad", False)),
    "by getattr": (lambda: getattr(PAIR.first, "requires_grad"), lambda: setattr(PAIR.first, "requires_grad", False)),  # noqa: B009
    "name": (lambda: PAIR.second.name == "second", lambda: setattr(PAIR.second, "name", "other")),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_what_a_tensor_is_asked_decides_again(name):
    decides, change = ASKED[name]
    PAIR.__init__()
    f = ag.compile(lambda x: x * 2 if decides() else x * 3)
    for _ in range(2):
        np.testing.assert_array_equal(f(X), X * 2)
    change()
    for _ in range(2):
        np.testing.assert_array_equal(f(X), X * 3)


def test_a_function_inside_of_a_ufunc_is_called_anew():
    k, c = [1.0], np.ones(3)
    scaled = np.frompyfunc(lambda a: a * k[0], 1, 1)
    f = ag.compile(lambda x: x * scaled(c).astype(float))
    for k[0] in (1.0, 1.0, 5.0, 7.0):
        np.testing.assert_array_equal(f(X), X * k[0])
    with pytest.warns(UserWarning, match="the Python function in"):
        results = [f(X) for k[0] in range(12)]
    np.testing.assert_array_equal(results, [X * v for v in range(12)])


# --- zeros have signs -------------------------------------------------------------------------------------------------

SIGNED = {
    "x + 0": lambda x: 1 / (x + 0),
    "0.0 + x": lambda x: 1 / (0.0 + x),
    "a sum that begins with 0": lambda x: 1 / sum([x]),
    "x - 0": lambda x: 1 / (x - 0),
    "x - -0.0": lambda x: 1 / (x - -0.0),
    "x + -0.0": lambda x: 1 / (x + -0.0),
    "x * 1": lambda x: 1 / (x * 1),
    "x / 1": lambda x: 1 / (x / 1),
    "complex": lambda x: (x * 1j) * 1,
    "float32": lambda x: 1 / (x.astype(np.float32) + 0),
}


@pytest.mark.parametrize("name", SIGNED)
def test_a_replay_keeps_the_signs_of_zeros(name):
    f, x = SIGNED[name], np.array([-0.0, 0.0, 1.0, -np.inf])
    compiled = ag.compile(f)
    with np.errstate(all="ignore"):
        for _ in range(3):
            np.testing.assert_array_equal(compiled(x), f(x), strict=True)


# --- random programs: a short sample of `python -m tools.stale` ---------------------------------------------------------


@pytest.fixture
def stale(monkeypatch):
    monkeypatch.setattr(
        sys, "path", [*sys.path, str(pathlib.Path(__file__).parents[2])]
    )  # behind the packages under test
    return importlib.import_module("tools.stale")


@pytest.mark.parametrize("start", range(0, 60, 10))
def test_random_programs_are_never_stale(stale, start):
    assert [found for seed in range(start, start + 10) if (found := stale.tried(seed)[0])] == []


def test_a_stale_program_would_be_found(stale, monkeypatch):
    def frozen(f):
        kept = []
        return lambda x: kept[0] if kept else kept.append(f(x)) or kept[0]

    monkeypatch.setattr(stale.ag, "compile", frozen)
    assert sum(stale.tried(seed)[0] is not None for seed in range(10)) > 3
