"""Local checking: the guilty operation is named, whichever it is, wherever it stands."""

import numpy as np
import pytest

import autograd_core as ag
from autograd_core.checking.local import Operation, check_operation, find_wrong
from autograd_core.checking.programs import Function
from autograd_core.rules import RULES
from autograd_core.state import switched
from autograd_core.sweep import order

X = np.array([[0.5, -1.2, 2.0], [1.1, 0.3, -0.4]])


def spoilt(op, i, how, monkeypatch):
    """Let pullback `i` of an operation return something else."""
    pull = op.pulls[i]
    mutant = lambda g, n, *which: how(pull(g, n, *which))
    monkeypatch.setattr(op, "pulls", (*op.pulls[:i], mutant, *op.pulls[i + 1 :]))
    for name, value in (("into", None), ("refill", None), ("special", True)):
        monkeypatch.setattr(op, name, value)


def everything(x, w):
    a = np.tanh(x @ w)
    b = np.concatenate([a, np.exp(-a)], axis=-1)
    c = np.where(b > 0.5, np.sqrt(b + 2), np.sin(b))
    d = c[:, ::2] * np.sum(c, axis=1, keepdims=True)
    e = np.linalg.inv(d[:, :2] + 3 * np.eye(2))
    f = np.max(e) + np.mean(d**2)
    low, high = np.split(c, 2, axis=1)
    return f + np.sum(low / (1 + high * high))


W = np.array([[0.3, -0.8], [1.4, 0.2], [-0.5, 0.9]])


def nodes_of(f, *args):
    program = Function(f, args, None)
    with switched(debug=True):
        _, results = program.recorded([s.value for s in program.slots])
    return [n for n in order([results[0]._node]) if n.op is not None]


NAMES = sorted({n.op.name for n in nodes_of(everything, X, W)} - {"pick"})


def test_every_operation_of_a_right_program_is_right():
    report = ag.gradcheck(everything, X, W, order=2)
    assert (report.verdict, report.blame) == ("ok", [])


@pytest.mark.parametrize("name", NAMES)
def test_any_operation_is_named(name, monkeypatch):
    node = next(n for n in nodes_of(everything, X, W) if n.op.name == name)
    first = next(i for i, pull in enumerate(node.op.pulls) if pull is not None)
    spoilt(node.op, first, lambda y: [1.01 * p for p in y] if isinstance(y, list) else _scaled(y), monkeypatch)
    settings = _settings()
    settings.modes, settings.enough = ("reverse",), 1
    (blame,), _ = find_wrong(Function(everything, (X, W), None), [X, W], np.random.default_rng(0), settings)
    assert blame.op == name
    assert blame.line.rpartition(":")[0] == __file__


def _scaled(y):
    if hasattr(y, "mask"):
        y.g = 1.01 * y.g
        return y
    return 1.01 * y


def test_the_entry_is_the_one_that_was_spoilt(monkeypatch):
    def one(y):
        y = np.array(y)
        y[1, 0] *= 1.001
        return y

    spoilt(RULES[np.tanh], 0, one, monkeypatch)
    report = ag.gradcheck(lambda x: np.sum(np.exp(np.tanh(np.sin(x)))), X, raises=False)
    assert (report.op, report.blame[0].entry.input) == ("tanh", "x[1, 0]")


def test_a_wrong_operation_is_found_in_a_loop_of_a_hundred(monkeypatch):
    spoilt(RULES[np.arctan], 0, lambda y: 1.001 * y, monkeypatch)

    def f(x):
        for k in range(100):
            x = np.arctan(x) if k == 57 else x - 0.01 * np.sin(x)
        return np.sum(x)

    report = ag.gradcheck(f, X[0, :2], raises=False)
    assert report.op == "arctan"
    assert report.blame[0].position == 1 + 3 * 57


def test_an_operation_changed_in_place():
    def f(x):
        y = x * 2
        y[0] = np.sin(x[1])
        y += np.cos(x)
        return np.sum(y * y)

    assert ag.gradcheck(f, X, order=2)
    program = Function(f, (X,), None)
    assert find_wrong(program, [X], np.random.default_rng(0), _settings()) == ([], False)


def test_an_operation_alone():
    node = nodes_of(lambda x: np.sum(np.abs(x)), np.array([0.0, 1.0]))[0]
    _, found = check_operation(Operation(node, node.note), np.random.default_rng(0), _settings("forbid"))
    assert [e.verdict for e in found] == ["wrong"]


def _settings(kinks="subgradient"):
    from autograd_core.checking.checker import Settings

    return Settings(None, kinks, 1.0, ("reverse", "forward"), 3)


def test_checkpoints_are_checked_as_a_whole(monkeypatch):
    f = ag.checkpoint(lambda x: np.tanh(x) * x)
    assert ag.gradcheck(lambda x: np.sum(f(x)), X)
    spoilt(RULES[np.tanh], 0, lambda y: 2 * y, monkeypatch)
    assert ag.gradcheck(lambda x: np.sum(f(x)), X, raises=False).verdict == "wrong"
