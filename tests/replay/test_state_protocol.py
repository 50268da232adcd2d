"""`__ag_state__`: what an object of a library says that a compiled function rests on."""

import functools
import sys
import types
import warnings

import numpy as np
import pytest

import autograd_core as ag
import nn
from autograd_core.packages import is_part
from autograd_core.program.calls import draws_or_reads

X = np.linspace(-1, 1, 6).reshape(3, 2)
LIBRARY = """
import functools
__file__ = "/somewhere/site-packages/third_party/__init__.py"

class Gain:
    def __init__(self):
        self.gain, self.hidden, self.inner = 2.0, 1.0, None

    def __call__(self, x):
        x = x * self.gain
        return x if self.inner is None else self.inner(x)

class Telling(Gain):
    asked = []

    def __ag_state__(self, names, whole):
        self.asked.append((names, whole))
        yield functools.partial(getattr, self, "gain")
        yield functools.partial(getattr, self, "inner")
"""


@pytest.fixture
def third_party(monkeypatch):
    module = types.ModuleType("third_party")
    monkeypatch.setitem(sys.modules, "third_party", module)
    exec(LIBRARY, vars(module))
    return module


def test_numbers_are_compared(third_party):
    gain = third_party.Telling()
    f = ag.compile(lambda x: gain(x))
    assert np.array_equal(f(X), 2 * X)
    gain.gain = 3.0
    assert np.array_equal(f(X), 3 * X)
    assert all(whole for _, whole in gain.asked)


def test_an_equal_number_is_no_change(third_party):
    gain = third_party.Telling()
    f = ag.compile(lambda x: gain(x))
    f(X)
    plan = f.plan
    for other in ("2.0", "2.00"):
        gain.gain = float(other)
        assert np.array_equal(f(X), 2 * X)
        f(X)
    assert f.plan is plan
    gain.gain = 2  # another kind of number may be another program
    f(X)
    assert f.plan is not plan


def test_what_is_told_is_looked_into(third_party):
    outer, inner, array = third_party.Telling(), third_party.Telling(), np.array([1.0, 2.0])
    outer.inner = inner
    inner.inner = lambda x: x + np.exp(array)
    f = ag.compile(lambda x: outer(x))
    for change in (None, "inner", "array"):
        if change == "inner":
            inner.gain = 5.0
        if change == "array":
            array[0] = 7.0
        assert np.allclose(f(X), 2 * X * inner.gain + np.exp(array))


def test_what_is_not_told_may_change(third_party):
    gain = third_party.Telling()
    f = ag.compile(lambda x: gain(x))
    f(X)
    plan = f.plan
    gain.hidden = 9.0
    f(X)
    assert f.plan is plan


def test_a_function_that_changes_such_a_number_is_refused(third_party):
    gain = third_party.Telling()

    def f(x):
        gain.gain += 1
        return gain(x)

    with pytest.raises(ag.GraphError, match="the attribute 'gain' of Telling is changed by the compiled function"):
        ag.compile(f)(X)


def test_it_is_told_what_names_the_code_reads(third_party):
    gain = third_party.Telling()
    gain.asked.clear()
    ag.compile(lambda x: gain(x) + 0 * gain.hidden)(X)
    names, whole = gain.asked[-1]
    assert whole
    assert "hidden" in names
    assert "gain" not in names  # the code of the library is not read


class Own(nn.SGD):
    """An optimizer of a user's own, whose settings its code does not name as attributes."""


@pytest.mark.parametrize("kind", [nn.SGD, Own])
def test_settings_of_optimizers(kind):
    def trained(compiled):
        model = nn.MLP([2, 3, 1], rng=0)
        optimizer = kind(model.parameters(), lr=0.1, momentum=0.5)

        def step(x):
            optimizer.zero_grad()
            np.mean(model(x) ** 2).backward()
            optimizer.step()

        run = ag.compile(step) if compiled else step
        for i in range(12):
            if i == 4:
                optimizer.groups[0]["momentum"] = 0.9
            if i == 6:
                optimizer.groups[0]["lr"] = 0.01
            if i == 8:
                optimizer.groups[0]["weight_decay"] = 0.1
            if i == 10:
                optimizer.load_state_dict(optimizer.state_dict())
            run(X)
        return [p.data for p in model.parameters()]

    for a, b in zip(trained(True), trained(False), strict=True):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-15)


def test_a_new_rate_keeps_the_plan_unless_the_function_reads_it():
    model = nn.MLP([2, 3, 1], rng=0)
    optimizer = nn.SGD(model.parameters(), lr=0.1)

    def step(x):
        optimizer.zero_grad()
        np.mean(model(x) ** 2).backward()
        optimizer.step()

    f = ag.compile(step)
    f(X)
    plan = f.plan
    optimizer.groups[0]["lr"] = 0.05
    f(X)
    assert f.plan is plan
    g = ag.compile(lambda x: x * optimizer.groups[0]["lr"])
    assert np.array_equal(g(X), X * 0.05)
    optimizer.groups[0]["lr"] = 0.5
    assert np.array_equal(g(X), X * 0.5)


def test_counts_of_an_optimizer_are_never_replayed():
    p = ag.Tensor([1.0, 2.0])
    optimizer = nn.SGD([p], lr=0.1)
    f = ag.compile(
        lambda x: x * len(optimizer.state_dict()["state"]) * (1 + optimizer.state_dict()["state"][0]["step"])
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(4):
            assert np.array_equal(f(X), X * (1 + i))
            p.grad = np.ones(2)
            optimizer.step()


def test_what_draws_or_reads_is_told_from_what_changes():
    t, optimizer = ag.Tensor([1.0]), nn.SGD([ag.Tensor([1.0])], lr=0.1)
    assert draws_or_reads(optimizer.runs[0].rate)
    assert draws_or_reads(np.random.default_rng(0).normal)
    for changes in (t.assign, t.backward, print, lambda: None):
        assert not draws_or_reads(changes)


def test_a_package_says_that_it_is_a_part():
    assert is_part("nn.layers")
    assert is_part("autograd_core.ops")
    assert not is_part("numpy")
    assert not is_part("nnabla")
    assert not is_part("__main__")
    assert not is_part(None)


def test_a_script_called_nn_is_no_part(monkeypatch):
    monkeypatch.setitem(sys.modules, "nn", types.ModuleType("nn"))
    assert not is_part("nn")


def test_a_compiled_function_inside_another_one_is_watched():
    rate = types.SimpleNamespace(value=2.0)
    inner = ag.compile(lambda x: x * rate.value)
    outer = ag.compile(functools.partial(lambda g, x: g(x) + 1, inner))
    assert np.array_equal(outer(X), 2 * X + 1)
    rate.value = 3.0
    assert np.array_equal(outer(X), 3 * X + 1)
