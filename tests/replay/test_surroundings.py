"""What a compiled function reads from around it: another number, array or Tensor there is another plan."""

import collections
import contextvars
import dataclasses
import functools
import itertools
import types
import weakref

import numpy as np
import pytest
from bits import identical

import autograd_core as ag
import nn
from autograd_core import Tensor

X = np.arange(3.0)


class Settings:
    def __init__(self):
        self.rate = 0.5
        self.weights = np.ones(3)
        self.parameter = Tensor(np.ones(3))
        self.inner = {"momentum": 0.9, "list": [1.0]}
        self.calls = 0

    def scaled(self, x):
        return x * self.rate

    def logged(self, x):
        self.calls += 1
        return x


class Scale(nn.Module):
    def __init__(self):
        self.factor, self.power = Tensor(np.full(3, 2.0)), 1.0

    def forward(self, x):
        return self.factor * x * self.power


def set_item(settings):
    settings.inner["momentum"] = 0.1


CHANGES = {
    "a number": (lambda s, x: x * s.rate, lambda s: setattr(s, "rate", 0.25)),
    "a number that a method reads": (lambda s, x: s.scaled(x), lambda s: setattr(s, "rate", 0.25)),
    "an array": (lambda s, x: x * s.weights, lambda s: setattr(s, "weights", np.full(3, 7.0))),
    "a Tensor": (lambda s, x: x * s.parameter, lambda s: setattr(s, "parameter", Tensor(np.full(3, 7.0)))),
    "an entry": (lambda s, x: x * s.inner["momentum"], set_item),
}


@pytest.mark.parametrize("name", CHANGES)
def test_attributes_and_entries(name):
    f, change = CHANGES[name]
    settings = Settings()
    compiled = ag.compile(functools.partial(f, settings))
    for _ in range(3):
        identical(compiled(X), f(settings, X))
    before = compiled.plan
    assert compiled(X) is not None
    assert compiled.plan is before
    change(settings)
    for _ in range(3):
        identical(compiled(X), f(settings, X))
    assert compiled.plan is not before


def test_a_module_of_ones_own():
    model = Scale()
    compiled = ag.compile(lambda x: model(x))
    for power in (1.0, 1.0, 2.0, 2.0):
        model.power = power
        identical(compiled(X), model(X))
    model.factor = Tensor(np.full(3, -1.0))
    identical(compiled(X), model(X))


def test_another_array_or_tensor_under_the_name():
    w, c = Tensor(np.ones(3)), np.ones(3)
    compiled = ag.compile(lambda x: w * x + c)
    for _ in range(2):
        identical(compiled(X), X + 1)
    w = Tensor(np.full(3, 3.0))
    identical(compiled(X), 3 * X + 1)
    c = np.zeros(3)
    identical(compiled(X), 3 * X)


# --- whatever else a name leads to ------------------------------------------------------------------------------------

Point = collections.namedtuple("Point", "rate")
RATE = 2.0


class Kind:
    rate = 2.0

    def scaled(self, x):
        return x * self.rate

    @property
    def double(self):
        return 2 * self._rate

    @classmethod
    def by_class(cls, x):
        return x * cls.rate

    @staticmethod
    def by_name(x):
        return x * Kind.rate

    def __getitem__(self, key):
        return self._rate + key

    def __rmul__(self, x):
        return x * self._rate

    __array_ufunc__ = None


class Slots:
    __slots__ = ("rate",)

    def __init__(self):
        self.rate = 2.0


@dataclasses.dataclass(slots=True)
class Data:
    rate: float = 2.0


def twice(x):
    return x * 2


def by_global(x):
    return twice(x) * RATE


def with_default(x, rate=2.0, *, more=(1.0,)):
    return x * rate * more[0]


MODULE = types.ModuleType("a_module_of_the_users")
exec("rate = 2.0\ndef scaled(x):\n    return x * rate\n", vars(MODULE))


@dataclasses.dataclass
class Change:
    """A function of a holder and an array, and what happens to the holder between calls."""

    make: object
    f: object
    change: object


def kind_with_rate():
    found = type("Kind", (Kind,), {"rate": 2.0})()
    found._rate = 2.0
    return found


def loop(h, x):
    for a in h:
        x = x * a
    return x


def by_name_of_key(h, x):
    for key in list(h):
        x = x * h[key]
    return x


def put(name, value):
    return lambda h: setattr(h, name, value)


VARIABLE = contextvars.ContextVar("a_rate", default=2.0)
EVERYTHING = {
    "an entry of a list": Change(lambda: [2.0], lambda h, x: x * h[0], lambda h: h.__setitem__(0, 5.0)),
    "a longer list": Change(lambda: [2.0], loop, lambda h: h.append(5.0)),
    "a long list": Change(lambda: [1.0] * 20, loop, lambda h: h.__setitem__(7, 5.0)),
    "an array in a list": Change(lambda: [np.ones(3)], lambda h, x: x * h[0], lambda h: h.__setitem__(0, X + 7)),
    "a Tensor in a list": Change(lambda: [Tensor(X)], lambda h, x: x * h[0], lambda h: h.__setitem__(0, Tensor(X + 7))),
    "a key": Change(lambda: {"a": 2.0}, by_name_of_key, lambda h: h.__setitem__("b", 5.0)),
    "a key that is no string": Change(lambda: {0: 2.0}, lambda h, x: x * h[0], lambda h: h.__setitem__(0, 5.0)),
    "a dict in a dict": Change(
        lambda: {"o": {"lr": 2.0}}, lambda h, x: x * h["o"]["lr"], lambda h: h.__setitem__("o", {"lr": 5.0})
    ),
    "many keys": Change(lambda: dict.fromkeys(range(20), 1.0), by_name_of_key, lambda h: h.__setitem__(3, 5.0)),
    "a set": Change(set, lambda h, x: x * 2 if "b" in h else x, lambda h: h.add("b")),
    "a deque": Change(lambda: collections.deque([2.0]), lambda h, x: x * h[0], lambda h: h.appendleft(5.0)),
    "a mapping": Change(
        lambda: types.MappingProxyType({"a": [2.0]}),
        lambda h, x: x * h["a"][0],
        lambda h: h["a"].append(h["a"].pop() + 1),
    ),
    "a UserDict": Change(lambda: collections.UserDict(a=2.0), lambda h, x: x * h["a"], lambda h: h.update(a=5.0)),
    "an object in an object": Change(
        lambda: types.SimpleNamespace(a=Slots()), lambda h, x: x * h.a.rate, lambda h: setattr(h, "a", Data(5.0))
    ),
    "an attribute that was None": Change(
        lambda: types.SimpleNamespace(r=None), lambda h, x: x if h.r is None else x * h.r, put("r", 5.0)
    ),
    "an attribute that was not there": Change(kind_with_rate, lambda h, x: x * getattr(h, "new", 1.0), put("new", 5.0)),
    "an attribute in place of the class's": Change(kind_with_rate, lambda h, x: h.scaled(x), put("rate", 5.0)),
    "an attribute of a class": Change(
        kind_with_rate, lambda h, x: h.scaled(x), lambda h: setattr(type(h), "rate", 5.0)
    ),
    "a slot": Change(Slots, lambda h, x: x * h.rate, put("rate", 5.0)),
    "a slot of a dataclass": Change(Data, lambda h, x: x * h.rate, put("rate", 5.0)),
    "a property": Change(kind_with_rate, lambda h, x: x * h.double, put("_rate", 5.0)),
    "a class method": Change(kind_with_rate, lambda h, x: h.by_class(x), lambda h: setattr(type(h), "rate", 5.0)),
    "an operator": Change(kind_with_rate, lambda h, x: x * h, put("_rate", 5.0)),
    "an index": Change(kind_with_rate, lambda h, x: x * h[1], put("_rate", 5.0)),
    "a method": Change(kind_with_rate, lambda h, x: h.scaled(x), lambda h: setattr(type(h), "scaled", lambda _, x: -x)),
    "a method of one object": Change(kind_with_rate, lambda h, x: h.scaled(x), put("scaled", twice)),
    "a weak reference": Change(kind_with_rate, lambda h, x: x * weakref.ref(h)()._rate, put("_rate", 5.0)),
    "a partial function": Change(
        lambda: functools.partial(lambda x, r: x * r[0], r=[2.0]),
        lambda h, x: h(x),
        lambda h: h.keywords["r"].insert(0, 5.0),
    ),
    "the code of a function": Change(
        lambda: types.FunctionType(twice.__code__, globals()),
        lambda h, x: h(x),
        put("__code__", (lambda x: x * 5).__code__),
    ),
    "a default": Change(
        lambda: types.FunctionType(with_default.__code__, globals(), None, (2.0,)),
        lambda h, x: h(x, more=(1.0,)),
        put("__defaults__", (5.0,)),
    ),
    "a default by keyword": Change(
        lambda: functools.wraps(twice)(lambda x, *, r=2.0: x * r), lambda h, x: h(x), put("__kwdefaults__", {"r": 5.0})
    ),
    "a context variable": Change(lambda: VARIABLE, lambda h, x: x * h.get(), lambda h: h.set(5.0)),
    "a module's attribute": Change(lambda: MODULE, lambda h, x: x * h.rate, put("rate", 5.0)),
    "a module's function": Change(lambda: MODULE, lambda h, x: h.scaled(x), put("rate", 7.0)),
    "an array read by NumPy": Change(lambda: np.ones(3), lambda h, x: x * np.exp(h), lambda h: h.__setitem__(0, 5.0)),
    "an array that decides": Change(
        lambda: np.ones(3), lambda h, x: x if h[0] > 0 else -x, lambda h: h.__setitem__(0, -5.0)
    ),
    "a part of a network": Change(
        lambda: nn.MLP([3, 4, 2], rng=0), lambda h, x: h(x), lambda h: h.layers.__setitem__(0, nn.Linear(3, 4, rng=1))
    ),
    "one more layer": Change(
        lambda: nn.MLP([3, 4, 2], rng=0), lambda h, x: h(x), lambda h: h.layers.append(nn.Linear(2, 2, rng=1))
    ),
    "a weight": Change(
        lambda: nn.Linear(3, 4, rng=0), lambda h, x: h(x), lambda h: setattr(h, "weight", Tensor(np.ones((4, 3))))
    ),
    "what a layer was told": Change(lambda: nn.LayerNorm(3), lambda h, x: h(x), put("eps", 1.0)),
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_a_name_leads_to(name):
    case = EVERYTHING[name]
    h = case.make()
    f = case.f
    context = contextvars.copy_context()

    def life():
        compiled = ag.compile(lambda x: f(h, x) * 1)
        for _ in range(3):
            identical(compiled(X), (f(h, X) * 1))
        before = compiled.plan
        compiled(X)
        assert compiled.plan is before
        case.change(h)
        for _ in range(3):
            identical(compiled(X), (f(h, X) * 1))
        assert compiled.plan is not before

    context.run(life)


class Shy:
    def __getattr__(self, name):
        raise KeyError(name)

    @property
    def __dict__(self):
        raise RuntimeError("not to be looked at")

    def __len__(self):
        return 2


def test_objects_that_refuse_to_be_looked_at():
    shy = Shy()
    compiled = ag.compile(lambda x: x * len(shy))
    for _ in range(3):
        identical(compiled(X), 2 * X)


def test_what_is_too_much_to_compare_costs_little():
    rows = [[i] for i in range(4000)]
    tables = [np.ones(1000) for _ in range(90)]
    compiled = ag.compile(lambda x: x * len(rows) * len(tables))
    with pytest.warns(UserWarning, match=r"'rows' with 4,000 entries, and \d+ more: too much for ag\.compile"):
        compiled(X)
    assert len(compiled.plan.guards) < 100
    rows.append([1])
    identical(compiled(X), X * 4001 * 90)


def test_variables_stand_for_something_else(monkeypatch):
    rate, model, helper = (1.0, 2.0), nn.Linear(3, 2, rng=0), twice

    def f(x):
        return helper(x) * rate[1], model(x), by_global(x)

    compiled = ag.compile(f)
    identical(compiled(X), f(X))
    rate = (1.0, 5.0)
    identical(compiled(X), f(X))
    model = nn.Linear(3, 2, rng=1)
    identical(compiled(X), f(X))
    helper = abs
    identical(compiled(X), f(X))
    monkeypatch.setitem(globals(), "twice", lambda x: x * 9)
    identical(compiled(X), f(X))
    monkeypatch.setitem(globals(), "RATE", 9.0)
    identical(compiled(X), f(X))


# --- what a function changes itself -----------------------------------------------------------------------------------

COUNT = 0


class Counting(nn.Module):
    def __init__(self):
        self.layer, self.calls, self.log, self.last = nn.Linear(3, 3, rng=0), 0, [], np.zeros(3)

    def count(self):
        self.calls += 1


def counts(m, x):
    m.calls += 1
    return m.layer(x)


def logs(m, x):
    m.log.append(m.layer(x))
    return x


def remembers(m, x):
    m.last = np.tanh(m.layer(x) + m.last)
    return m.last


def adds(m, x):
    m.hidden = m.layer(x)
    return x


def counts_globally(_m, x):
    global COUNT
    COUNT += 1
    return x * COUNT


def fills(m, x):
    m.last[0] = 5.0
    return x


SEEN = {}


def memorises(_m, x):
    if "y" not in SEEN:
        SEEN["y"] = x * 2
    return x + SEEN["y"]


STREAM, NUMBERS, PAIRS, MADE = (
    iter([1.0, 2.0, 3.0]),
    itertools.count(1),
    zip([1.0], [2.0], strict=True),
    (i for i in range(9)),
)
THEMSELVES = {
    "a number": (counts, r"the attribute 'calls' of Counting is changed .*test_surroundings\.py:\d+\).*ag\.fresh"),
    "a list": (logs, r"a list in the attribute 'log' of Counting is changed .*test_surroundings\.py:\d+"),
    "a state": (remembers, r"the attribute 'last' of Counting is changed .*t\.assign"),
    "a new attribute": (adds, r"the attribute 'hidden' of Counting is changed .*test_surroundings\.py:\d+"),
    "a global variable": (counts_globally, r"the global variable 'COUNT' is changed .*test_surroundings\.py:\d+"),
    "an array": (fills, r"a ndarray in the attribute 'last' of Counting is changed .*test_surroundings\.py:\d+"),
    "a dict": (memorises, r"a dict in the global variable 'SEEN' is changed .*test_surroundings\.py:\d+"),
    "an iterator": (lambda _m, x: x * next(STREAM), r"the iterator 'STREAM' is changed .*test_surroundings\.py:\d+"),
    "a counter": (lambda _m, x: x * next(NUMBERS), r"the iterator 'NUMBERS' is changed"),
    "a zip": (lambda _m, x: x * next(PAIRS)[0], r"the iterator 'PAIRS' is changed"),
    "a generator": (lambda _m, x: x * next(MADE), r"the iterator 'MADE' is changed"),
}


@pytest.mark.parametrize("name", THEMSELVES)
def test_what_a_function_changes_itself_is_refused(name):
    f, message = THEMSELVES[name]
    model = Counting()
    with pytest.raises(ag.GraphError, match=message):
        ag.compile(lambda x: f(model, x))(X)
    SEEN.clear()


def test_a_change_that_every_replay_makes_anew():
    model = Counting()

    def f(x):
        ag.fresh(model.count)
        return model.layer(x)

    compiled = ag.compile(f)
    for _ in range(4):
        compiled(X)
    assert model.calls == 4
    assert len(compiled.plans) == 1


class Lazy:
    def __init__(self):
        self.table, self.made = {}, None

    @functools.cached_property
    def rate(self):
        return 2.0

    def scaled(self, x):
        if self.made is None:
            self.made = np.arange(3.0)
        if "k" not in self.table:
            self.table["k"] = 3.0
        return x * self.rate * self.table["k"] + self.made


def test_what_is_kept_once_for_all():
    lazy = Lazy()
    compiled = ag.compile(lambda x: lazy.scaled(x))
    for _ in range(4):
        identical(compiled(X), lazy.scaled(X))
    first = compiled.plan
    compiled(X)
    assert compiled.plan is first


def test_attributes_that_nothing_reads_are_not_watched():
    settings = Settings()
    settings.unread = 1.0
    compiled = ag.compile(lambda x: settings.scaled(x))
    compiled(X)
    plan = compiled.plan
    settings.unread = 2.0
    settings.weights = np.zeros(3)
    compiled(X)
    assert compiled.plan is plan


def test_a_mask_from_around_is_a_guard():
    mask = np.array([True, False, True])
    compiled = ag.compile(ag.value_and_grad(lambda x: np.sum(np.sin(x[mask]))))
    for change in (None, None, 1):
        if change is not None:
            mask[change] = True
        identical(compiled(X), ag.value_and_grad(lambda x: np.sum(np.sin(x[mask])))(X))


# --- values taken before they change ----------------------------------------------------------------------------------


def taken_number(p, _q, x):
    old = p.data
    p.data -= 0.1 * x
    return old, old * x, p.data


def detached_number(p, _q, x):
    old = p.detach()
    p.assign(p.data * x)
    return old * 2, p * 1


def in_two_states(p, _q, x):
    first = p * x
    p.data = p.data + 1
    second = p * x
    p.data = p.data * first.data
    return first, second, p.data


def copied(p, q, x):
    a, b, c, d = q * 1, p * 1, q.data.T + 0, q.detach() + 0
    q.data -= x
    p.data -= x
    return a, b, c, d, q * 1, p * 1


def of_parts(_p, q, x):
    q.data *= x
    part = q.data[1:]
    later = part + 1
    q.data += 1
    return later, part * 1, q.sum()


def updated(p, q, x):
    p.grad = q.grad = None
    loss = np.sum(p * q * x)
    loss.backward()
    before, slope = p.data, p.grad
    p.data -= 0.1 * p.grad
    q.data -= 0.1 * q.grad
    return loss, before, slope, p.data


@pytest.mark.parametrize("f", [taken_number, detached_number, in_two_states, copied, of_parts, updated])
def test_values_taken_before_they_change(f):
    results = []
    for run in (f, ag.compile(f)):
        p, q = Tensor(2.0), Tensor(np.ones(3))
        results.append([*(run(p, q, np.float64(x)) for x in (1.0, 2.0, 3.0)), p.data, q.data])
    identical(*results)


# --- zeros, and what is differentiated twice --------------------------------------------------------------------------


@pytest.mark.parametrize("x", [[1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 3.0, 4.0], [0.0, 2.0, 0.0, 4.0], [0.0] * 4])
def test_running_products_where_zeros_come_and_go(x):
    f = ag.value_and_grad(lambda x: np.sum(np.cumprod(x) * np.arange(1.0, 5.0)))
    compiled = ag.compile(f)
    for point in (np.full(4, 1.5), np.array(x), np.array(x)[::-1].copy()):
        identical(compiled(point), f(point), 1e-14)
    assert len(compiled.plans) == 1
    twice = ag.hvp(lambda x: np.sum(np.cumprod(x) ** 2))
    replayed = ag.compile(twice)
    for point in (np.full(4, 1.5), np.array(x)):
        identical(replayed(point, np.arange(4.0)), twice(point, np.arange(4.0)), 1e-13)
