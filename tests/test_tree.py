"""Containers of arrays: taken apart into leaves, put together around others, compared, and refused."""

import collections
import dataclasses
import itertools
from typing import NamedTuple

import numpy as np
import pytest
from tables import expressions, named, same

import autograd_core as ag
from autograd_core import tree as trees
from autograd_core.tree import flatten, flatten_like, map_tree, structure

Point = collections.namedtuple("Point", "x y")


class Typed(NamedTuple):
    a: float
    b: float = 2.0


@dataclasses.dataclass
class Record:
    w: object
    b: object = None


@dataclasses.dataclass(frozen=True)
class Frozen:
    w: object
    tags: tuple = ()


@dataclasses.dataclass(slots=True, kw_only=True)
class Slotted:
    first: object
    second: object


class Mapping(dict):
    pass


class Sequence(list):
    pass


class Opaque:
    def __eq__(self, other):
        return type(other) is Opaque

    __hash__ = None


TREES = {
    "leaf": (1.0, [1.0]),
    "array": (np.ones(2), [np.ones(2)]),
    "tensor": (ag.Tensor(1.0, requires_grad=False), [ag.Tensor(1.0, requires_grad=False)]),
    "None": (None, []),
    "text": ("abc", ["abc"]),
    "object": (Opaque(), [Opaque()]),
    "list": ([1, 2.0, "a"], [1, 2.0, "a"]),
    "empty list": ([], []),
    "tuple": ((1, (2, 3)), [1, 2, 3]),
    "empty tuple": ((), []),
    "tuple of floats": ((1.0, 2.0), [1.0, 2.0]),
    "dict by key": ({"b": 1, "a": 2}, [2, 1]),
    "empty dict": ({}, []),
    "keys of several kinds": ({1: "one", "a": "letter", None: "none"}, ["letter", "one", "none"]),
    "nested": ({"w": [1, (2, None)], "b": {"x": {}}, "c": [[], [3]]}, [3, 1, 2]),
    "namedtuple": (Point(1, [2, 3]), [1, 2, 3]),
    "typed namedtuple": (Typed(1.0), [1.0, 2.0]),
    "dataclass": (Record(1, [2]), [1, 2]),
    "frozen dataclass": (Frozen({"a": 1}, (2, 3)), [1, 2, 3]),
    "slotted dataclass": (Slotted(first=1, second=2), [1, 2]),
    "subclass of dict": (Mapping(b=1, a=2), [2, 1]),
    "subclass of list": (Sequence([1, 2]), [1, 2]),
    "ordered dict": (collections.OrderedDict(b=1, a=2), [2, 1]),
    "default dict": (collections.defaultdict(list, b=1, a=2), [2, 1]),
    "dict of lists of records": ({"r": [Record(1, 2), Record(None, 3)]}, [1, 2, 3]),
    "shared twice": ([[1, 2]] * 2, [1, 2, 1, 2]),
}


@pytest.mark.parametrize(("tree", "leaves"), named(TREES))
def test_flatten_and_rebuild(tree, leaves):
    found, rebuild = flatten(tree)
    assert len(found) == len(leaves)
    assert all(type(a) is type(b) and np.array_equal(a, b) for a, b in zip(found, leaves, strict=True))
    again = rebuild(found)
    assert type(again) is type(tree)
    assert repr(again) == repr(tree)
    changed = rebuild(range(len(found)))
    assert flatten(changed)[0] == list(range(len(found)))
    assert type(changed) is type(tree) or (leaves and found[0] is tree)
    if isinstance(tree, dict):
        assert list(changed) == list(tree)  # the order of insertion stays


@pytest.mark.parametrize(
    "tree",
    named(
        {
            "nested": {"b": 1.0, "a": [2.0]},
            "list": [1.0, 2.0],
            "one": 1.0,
            "namedtuple": (Point(1, 2),),
            "flat tuple": ((1.0, 2.0),),
        }
    ),
)
def test_rebuild_refuses_too_few_leaves(tree):
    leaves, rebuild = flatten(tree)
    with pytest.raises((ValueError, StopIteration)):
        rebuild(leaves[1:])


@pytest.mark.parametrize(
    "tree",
    named(
        {
            "nested": {"b": 1.0, "a": [2.0]},
            "list": [1.0, 2.0],
            "flat tuple": ((1.0, 2.0),),
            "one": 1.0,
        }
    ),
)
def test_rebuild_refuses_leaves_left_over(tree):
    leaves, rebuild = flatten(tree)
    with pytest.raises(ValueError, match=r"leaves|argument|values"):
        rebuild([*leaves, 7.0])


def test_flattening_does_not_depend_on_insertion():
    assert flatten({"a": 1, "b": 2})[0] == flatten({"b": 2, "a": 1})[0]


def test_map_tree():
    tree, other = {"x": 1, "y": [2, None, Point(3, 4)]}, {"x": 10, "y": [20, None, Point(30, 40)]}
    assert map_tree(lambda a: a * 2, tree) == {"x": 2, "y": [4, None, Point(6, 8)]}
    assert map_tree(lambda a, b: a + b, tree, other) == {"x": 11, "y": [22, None, Point(33, 44)]}
    assert map_tree(lambda a, b, c: a + b + c, 1, 2, 3) == 6
    assert map_tree(lambda _: 1 / 0, {"none": None, "nothing": []}) == {"none": None, "nothing": []}
    assert ag.map_tree is map_tree
    same(map_tree(np.add, {"w": np.ones(2)}, {"w": np.arange(2.0)})["w"], np.array([1.0, 2.0]))
    t = map_tree(lambda a: a * 2, [ag.Tensor(3.0)])[0]
    assert t.requires_grad


@pytest.mark.parametrize(
    ("tree", "model", "says"),
    [
        ([1.0], {"a": 1.0}, r"\[\*\], expected \{'a': \*\}"),
        ([1.0, 2.0], [1.0], r"\[\*, \*\], expected \[\*\]"),
        ((1.0,), [1.0], r"\(\*,\), expected \[\*\]"),
        ({"a": 1.0}, {"b": 1.0}, r"\{'a': \*\}, expected \{'b': \*\}"),
        ({"a": 1.0}, {"a": [1.0]}, r"\{'a': \*\}, expected \{'a': \[\*\]\}"),
        (None, 1.0, r"None, expected \*"),
        (1.0, None, r"\*, expected None"),
        ([None], [1.0], r"\[None\], expected \[\*\]"),
        (Point(1.0, 2.0), (1.0, 2.0), r"Point\(x=\*, y=\*\), expected \(\*, \*\)"),
        (Record(1.0), Record(1.0, 2.0), r"Record\(w=\*, b=None\), expected Record\(w=\*, b=\*\)"),
    ],
)  # fmt: skip
def test_structures_that_differ(tree, model, says):
    with pytest.raises(ValueError, match=rf"^the thing has the structure {says}$"):
        flatten_like(tree, model, "the thing")
    with pytest.raises(ValueError, match="structure"):
        map_tree(max, model, tree)


def test_structures_that_agree():
    assert flatten_like({"a": 1, "b": 2}, {"a": 0.0, "b": np.ones(2)}, "x") == [1, 2]
    assert flatten_like(np.ones(1), 2.0, "x") == [np.ones(1)]
    assert structure({"w": [1, None], "b": Point(2, "a")}) == "{'w': [*, None], 'b': Point(x=*, y=*)}"


def test_dicts_agree_whatever_their_order():
    assert flatten_like({"b": 1, "a": 2}, {"a": 0.0, "b": 1.0}, "x") == [2, 1]


def contains_itself(kind):
    if kind == "list":
        found = [1.0]
        found.append(found)
    elif kind == "dict":
        found = {"a": 1.0}
        found["b"] = {"c": found}
    elif kind == "tuple":
        inner = []
        found = (1.0, inner)
        inner.append(found)
    else:
        found = Record(1.0)
        found.b = [found]
    return found


@pytest.mark.parametrize(
    ("kind", "name"), [("list", "list"), ("dict", "dict"), ("tuple", "(tuple|list)"), ("dataclass", "Record")]
)
def test_containers_that_contain_themselves(kind, name):
    with pytest.raises(ValueError, match=rf"a {name} contains itself"):
        flatten(contains_itself(kind))
    with pytest.raises(ValueError, match="contains itself"):
        ag.grad(lambda _: 1.0)(contains_itself(kind))


def test_deep_containers():
    tree = 1.0
    for _ in range(200):
        tree = [tree]
    assert flatten(tree)[0] == [1.0]
    assert repr(flatten(tree)[1]([2])).count("[") == 200


@pytest.fixture
def registered(monkeypatch):
    """Let classes be registered for one test."""
    monkeypatch.setattr(trees, "_registered", dict(trees._registered))


class Linear:
    reprs = itertools.count()

    def __init__(self, weight, bias, name):
        self.weight, self.bias, self.name = weight, bias, name

    def __repr__(self):  # as little use as an address, and never twice the same
        return f"<Linear {next(self.reprs)}>"


@pytest.mark.usefixtures("registered")
def test_registered_classes():
    assert flatten(layer := Linear(1.0, 2.0, "fc"))[0] == [layer]  # a leaf until registered
    ag.register_tree(
        Linear,
        lambda m: ((m.weight, {"bias": m.bias}), m.name),
        lambda name, parts: Linear(parts[0], parts[1]["bias"], name),
    )
    layer = Linear(np.array([1.0, 2.0]), 0.5, "fc")
    leaves, rebuild = flatten({"layer": [layer]})
    assert len(leaves) == 2
    again = rebuild([10, 20])["layer"][0]
    assert (type(again), again.weight, again.bias, again.name) == (Linear, 10, 20, "fc")
    found = ag.grad(lambda m: np.sum(m.weight**2) * m.bias)(layer)
    assert (type(found), found.name) == (Linear, "fc")
    same([found.weight, found.bias], [np.array([1.0, 2.0]), np.float64(5.0)])


@pytest.mark.usefixtures("registered")
def test_a_registered_class_that_contains_itself():
    ag.register_tree(Linear, lambda m: ((m.weight, m.bias), m.name), lambda name, parts: Linear(*parts, name))
    layer = Linear(1.0, None, "fc")
    layer.bias = [layer]
    with pytest.raises(ValueError, match="a Linear contains itself"):
        flatten(layer)


@pytest.mark.usefixtures("registered")
def test_a_registered_class_is_named_in_messages():
    ag.register_tree(Linear, lambda m: ((m.weight, m.bias), m.name), lambda name, parts: Linear(*parts, name))
    with pytest.raises(ValueError, match=r"structure \[\*\], expected"):
        flatten_like([1.0], Linear(1.0, 2.0, "fc"), "the thing")


@pytest.mark.usefixtures("registered")
def test_registered_classes_agree_with_themselves():
    ag.register_tree(Linear, lambda m: ((m.weight, m.bias), m.name), lambda name, parts: Linear(*parts, name))
    assert flatten_like(Linear(1.0, 2.0, "fc"), Linear(3.0, 4.0, "fc"), "x") == [1.0, 2.0]
    layer, along = Linear(np.array([1.0, 2.0]), 0.5, "fc"), Linear(np.ones(2), 1.0, "fc")
    same(ag.jvp(lambda m: m.weight * m.bias, (layer,), (along,))[1], np.array([1.5, 2.5]))
    same(ag.vjp(lambda m: m, layer)[1](along).weight, np.ones(2))
    same(ag.hvp(lambda m: np.sum(m.weight) * m.bias)(layer, along).bias, np.float64(2.0))


@pytest.mark.parametrize(
    "use",
    expressions(
        "ag.grad(lambda t: np.sum(t.w * t.b))(Record(np.ones(2), 3.0))",
        "ag.grad(lambda t: np.sum(t.w * t.tags[0]))(Frozen(np.ones(2), (3.0,)))",
        "ag.grad(lambda t: np.sum(t.first * t.second))(Slotted(first=np.ones(2), second=3.0))",
        of="_",
    ),
)
def test_gradients_of_dataclasses(use):
    found = use(None)
    leaves = flatten(found)[0]
    same(leaves, [np.full(2, 3.0), np.float64(2.0)])


def test_a_dataclass_with_fields_that_its_init_does_not_take():
    @dataclasses.dataclass
    class Counted:
        w: object
        size: int = dataclasses.field(init=False, default=0)

        def __post_init__(self):
            self.size = np.size(self.w)

    leaves, rebuild = flatten(Counted(np.ones(3)))
    assert np.array_equal(rebuild([v if np.ndim(v) else 3 for v in leaves]).w, np.ones(3))
