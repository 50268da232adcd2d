"""Gradients that a compiled step leaves behind stay in its buffers until somebody asks for them."""

import copy

import numpy as np
import pytest

import autograd_core as ag
import nn
from autograd_core.nodes import Lent

X, Y = np.linspace(-1, 1, 12).reshape(4, 3), np.linspace(0, 1, 8).reshape(4, 2)


def network(optimizer=None, sizes=(3, 5, 2)):
    model = nn.MLP(list(sizes), activation=nn.tanh, rng=np.random.default_rng(0))
    return model, (optimizer or nn.SGD)(model.parameters(), lr=0.1)


def step_of(model, optimizer, zero=True):
    def step(x, y):
        if zero:
            optimizer.zero_grad()
        loss = nn.mse(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def gradients(model):
    return [p.grad for p in model.parameters()]


def both(calls=4, optimizer=None, zero=True):
    """Train eagerly and compiled; yield both models after every call."""
    (a, oa), (b, ob) = network(optimizer), network(optimizer)
    eager, compiled = step_of(a, oa, zero), ag.compile(step_of(b, ob, zero))
    for i in range(calls):
        x = X + i
        assert np.allclose(eager(x, Y).data, compiled(x, Y), rtol=1e-12)
        yield a, b


def lent(model):
    return [type(p._node.grad) is Lent for p in model.parameters()]


def test_they_are_lent_and_joined():
    model, optimizer = network()
    step = ag.compile(step_of(model, optimizer))
    step(X, Y)
    step(X, Y)
    assert all(lent(model))
    assert "concatenate" not in step.plan.notes["source"]
    first = next(iter(model.parameters()))
    assert first.grad is first.grad
    assert lent(model).count(False) == 1  # who asks gets an array of their own


@pytest.mark.parametrize("optimizer", [nn.SGD, nn.Adam, nn.RMSProp])
@pytest.mark.parametrize("zero", [True, False])
def test_they_are_what_eager_steps_leave(optimizer, zero):
    for a, b in both(optimizer=optimizer, zero=zero):
        for g, h in zip(gradients(a), gradients(b), strict=True):
            assert np.allclose(g, h, rtol=1e-9, atol=1e-14)


def test_they_are_right_when_looked_at_now_and_then():
    for i, (a, b) in enumerate(both(calls=7)):
        if i in (3, 6):
            for g, h in zip(gradients(a), gradients(b), strict=True):
                assert np.allclose(g, h, rtol=1e-9, atol=1e-14)


def test_who_keeps_one_keeps_its_values():
    kept = []
    for _, b in both():
        kept.append([(g, g.copy(), g[:1]) for g in gradients(b)])
    for g, values, view in [one for call in kept for one in call]:
        assert np.array_equal(g, values)
        assert np.array_equal(view, values[:1])


def test_who_writes_into_one_harms_nobody():
    model, optimizer = network()
    other, same = network()
    step, plain = ag.compile(step_of(model, optimizer)), step_of(other, same)
    for _ in range(4):
        assert np.allclose(step(X, Y), plain(X, Y).data, rtol=1e-12)
        for g in gradients(model):
            g[...] = np.nan


def test_eager_steps_add_to_them():
    model, optimizer = network()
    step = ag.compile(step_of(model, optimizer))
    step(X, Y)
    step(X, Y)
    assert all(lent(model))
    twin = copy.deepcopy(model)
    before = [g.copy() for g in gradients(twin)]
    nn.mse(model(X), Y).backward()
    nn.mse(twin(X), Y).backward()
    for g, h, b in zip(gradients(model), gradients(twin), before, strict=True):
        assert np.array_equal(g, h)
        assert not np.array_equal(g, b)


def test_two_compiled_functions_hand_them_on():
    model, optimizer = network()
    other, same = network()

    def backward(model):
        return lambda x, y: nn.mse(model(x), y).backward()

    first, second = ag.compile(backward(model)), ag.compile(backward(model))
    plain = backward(other)
    for _ in range(3):
        optimizer.zero_grad(), same.zero_grad()
        first(X, Y), second(X + 1, Y), first(X + 2, Y)
        plain(X, Y), plain(X + 1, Y), plain(X + 2, Y)
        for g, h in zip(gradients(model), gradients(other), strict=True):
            assert np.allclose(g, h, rtol=1e-12)


def test_an_array_given_to_two_leaves_and_returned():
    a, b = ag.Tensor(np.ones(3)), ag.Tensor(np.ones(3))

    @ag.compile
    def both_of(x):
        a.grad = b.grad = None
        y = np.sum((a + b) * x)
        y.backward()
        return a.grad

    both_of(X[0])
    for x in X:
        found = both_of(x)
        found *= 2
        assert np.array_equal(a.grad, x)
        assert np.array_equal(b.grad, x)


def test_a_gradient_that_also_becomes_the_value():
    w = ag.Tensor(np.ones(3))

    @ag.compile
    def newest(x):
        w.grad = None
        np.sum(w * w * x).backward()
        g = w.grad
        w.data = g
        return np.sum(g)

    twin = np.ones(3)
    for x in (X[0], X[1], X[2]):
        newest(x)
        twin = 2 * twin * x
        assert np.allclose(w.grad, twin, rtol=1e-12)
        assert np.allclose(w.data, twin, rtol=1e-12)
        w.data = w.data * 3
        twin = twin * 3
        assert np.allclose(w.grad * 3, twin, rtol=1e-12)


def test_transposed_and_reshaped_gradients():
    w, v = ag.Tensor(np.ones((3, 2))), ag.Tensor(np.ones(6))

    @ag.compile
    def f(x):
        w.grad = v.grad = None
        y = np.sum(np.tanh(w.T @ x)) + np.sum(v.reshape(2, 3).T * x * w)
        y.backward()
        return y

    for x in (np.arange(6.0).reshape(3, 2) / 10, np.ones((3, 2)), -np.arange(6.0).reshape(3, 2)):
        f(x)
        g, h = w.grad, v.grad
        f.f(x)
        assert np.allclose(g, w.grad, rtol=1e-12)
        assert np.allclose(h, v.grad, rtol=1e-12)


def test_joining_by_hand_in_another_order():
    w, v = ag.Tensor(np.ones((3, 2))), ag.Tensor(np.ones(4))

    @ag.compile
    def norm(x):
        w.grad = v.grad = None
        y = np.sum(np.tanh(w @ x)) ** 2 + np.sum(np.sin(v))
        y.backward()
        g = np.concatenate([v.grad, w.grad.T.reshape(-1)])
        return g, np.sqrt(np.sum(g * g))

    for x in (np.array([1.0, 2.0]), np.array([0.5, -1.0])):
        g, size = norm(x)
        wanted = np.concatenate([v.grad, w.grad.T.reshape(-1)])
        assert np.array_equal(g, wanted)
        assert np.isclose(size, np.linalg.norm(wanted), rtol=1e-12)


def test_clipped_gradients():
    (a, oa), (b, ob) = network(), network()

    def clipped(model, optimizer):
        def step(x, y):
            optimizer.zero_grad()
            loss = nn.mse(model(x), y)
            loss.backward()
            nn.clip_by_norm(model.parameters(), 0.01)
            optimizer.step()
            return loss

        return step

    eager, compiled = clipped(a, oa), ag.compile(clipped(b, ob))
    for i in range(4):
        eager(X + i, Y), compiled(X + i, Y)
        for g, h in zip(gradients(a), gradients(b), strict=True):
            assert np.allclose(g, h, rtol=1e-9, atol=1e-16)


def test_joining_the_same_parts_in_two_orders():
    w, v = ag.Tensor(np.ones(2)), ag.Tensor(np.ones(3))

    @ag.compile
    def both_ways(x, y):
        w.grad = v.grad = None
        (np.sum(np.sin(w * x)) + np.sum(np.cos(v * y))).backward()
        return np.concatenate([w.grad, v.grad]) * 2, np.concatenate([v.grad, w.grad]) * 3

    for i in range(4):
        one, other = both_ways(X[0, :2] + i, X[1] - i)
        assert np.array_equal(one, 2 * np.concatenate([w.grad, v.grad]))
        assert np.array_equal(other, 3 * np.concatenate([v.grad, w.grad]))
