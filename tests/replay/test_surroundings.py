"""What a compiled function reads from around it: another number, array or Tensor there is another plan."""

import functools

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


def test_what_a_function_counts_itself_is_no_reason_to_record_again():
    settings = Settings()
    compiled = ag.compile(lambda x: settings.logged(x) * 2)
    compiled(X), compiled(X), compiled(X)
    assert settings.calls == 1


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
