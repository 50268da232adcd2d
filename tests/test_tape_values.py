"""What is still known on a tape: the values themselves, or nothing; after backward(), too."""

import numpy as np
import pytest

import autograd_core as ag
from autograd_core.nodes import FREED
from autograd_core.pictures.values import Shown
from autograd_core.sweep import order
from autograd_core.tape_values import UNKNOWN, Values, known_metadata

X = np.arange(8.0).reshape(2, 2, 2) + 0.5
OPERATIONS = {  # of one array, with metadata of all kinds
    "transpose": lambda x: np.transpose(x, (0, 2, 1)),
    "sum over axes": lambda x: np.sum(x, axis=(0, 2)),
    "rolled": lambda x: np.roll(x, (1, 1), axis=(0, 2)),
    "reversed": lambda x: np.flip(x, (0, 1)),
    "an index": lambda x: x[:, 1, ::-1],
    "an array as index": lambda x: x[np.array([1, 0])],
    "a mask": lambda x: x[np.array([True, False])],
    "taken": lambda x: np.take(x, np.array([[1, 0]]), axis=2),
    "where": lambda x: np.sum(x, where=np.array([True, False]), axis=1),
    "a quantile": lambda x: np.quantile(x, np.array([0.2, 0.7]), axis=0),
    "diagonal": lambda x: np.diagonal(x, axis1=0, axis2=2),
    "moved": lambda x: np.moveaxis(x, (0, 1), (2, 0)),
    "padded": lambda x: np.pad(x, ((0, 1), (1, 0), (0, 0))),
    "sorted": lambda x: np.sort(x, axis=1),
    "a product": lambda x: np.einsum("ijk->kij", x),
    "cast": lambda x: x.astype(np.float32),
    "several results": lambda x: np.linalg.slogdet(x)[1],
    "one of several arrays": lambda x: np.linalg.eigh(x + np.swapaxes(x, 1, 2))[1],
}


def path_of(f, free):
    """Return the tape of a sum of squares of ``f(x)``, and what its node is worth; of the result nobody holds more."""
    x = ag.Tensor(X)
    y = f(x)
    node, value = y._node, y.data.copy()
    loss = np.sum(y * y)
    if free:
        loss.backward()
    return order([loss._node]), node, value, x


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("f", OPERATIONS.values(), ids=list(OPERATIONS))
def test_a_value_is_right_or_unknown(f, free):
    path, node, value, x = path_of(f, free)
    for values in (Values(path, [(x._node, x._data)]), Shown(path)):
        found = values.value(node)
        if found is not UNKNOWN:
            assert found.dtype == value.dtype
            assert np.array_equal(found, value)
        assert free or found is not UNKNOWN  # the product keeps it


@pytest.mark.parametrize("name", ["transpose", "sum over axes", "rolled", "an index", "moved"])
def test_what_needs_no_array_is_computed_again(name):
    path, node, value, x = path_of(OPERATIONS[name], True)
    assert np.array_equal(Values(path, [(x._node, x._data)]).value(node), value)


@pytest.mark.parametrize("f", OPERATIONS.values(), ids=list(OPERATIONS))
def test_gradients_in_a_picture_after_backward(f):
    """They are those of before, or not shown."""
    x = ag.Tensor(X, name="x")
    loss = np.sum(f(x) ** 2)
    before = norms(ag.draw(loss))
    loss.backward()
    after = norms(ag.draw(loss))
    assert len(before) == len(after)
    assert all(b is None or b == pytest.approx(a) for a, b in zip(before, after, strict=True))


def norms(picture):
    """Return the norms of the gradients at the operations; those of leaves are accumulated, and known anyway."""
    operations = [v for v in picture.graph.vertices if v.role == "operation"]
    return [v.gradient.norm if v.gradient else None for v in operations]


def test_what_was_dropped_says_so():
    x = ag.Tensor(X)
    y = x[np.array([1, 0])]
    np.sum(y * y).backward()
    assert y._node.kwargs["index"] is FREED
    assert repr(FREED) == "freed"
    assert known_metadata(y._node) == {}


def test_a_function_of_the_users_own_is_not_called_again():
    calls = []

    @ag.primitive
    def noted(x):
        calls.append(1)
        return x * 3

    ag.rule(noted, lambda g: g * 3)
    x = ag.Tensor(X)
    y = noted(x)
    node = y._node
    loss = np.sum(y)
    del y
    assert Values(order([loss._node]), [(x._node, x._data)]).value(node) is UNKNOWN
    assert len(calls) == 1
    found = Values(order([loss._node]), [(x._node, x._data)], own=True).value(node)
    assert np.array_equal(found, 3 * X)


def test_no_more_than_so_many_entries_are_computed():
    x = ag.Tensor(np.ones(10))
    nodes, y = [], x
    for _ in range(5):
        y = -y
        nodes.append(y._node)
    values = Values(order([y._node]), [(x._node, x._data)], limit=25)
    known = [values.value(n) is not UNKNOWN for n in nodes]
    assert known == [True, True, True, False, False]


def test_depth_is_no_matter():
    x = ag.Tensor(np.ones(2))
    y = x
    for _ in range(20_000):
        y = -y
    node = y._node
    del y
    assert np.array_equal(Values(order([node]), [(x._node, x._data)]).value(node), [1.0, 1.0])


def test_debugging_notes_what_would_be_freed():
    with ag.debug():
        x = ag.Tensor(X)
        y = x[np.array([1, 0])]
        node, want = y._node, y.data.copy()
        np.sum(y * y).backward()
    del y
    assert np.array_equal(Values(order([node]), ()).value(node), want)
