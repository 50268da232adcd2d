"""What people do between two compiled steps: other optimizers, states loaded, parameters frozen or given away."""

import copy
import pickle

import numpy as np
import pytest

import autograd_core as ag
import nn

X, Y = np.linspace(-1, 1, 12).reshape(4, 3), np.linspace(0, 1, 8).reshape(4, 2)


class Training:
    """A model and a step, compiled or not."""

    def __init__(self, compiled, model=None):
        self.compiled = compiled
        self.model = model or nn.MLP([3, 5, 2], "tanh", rng=0)
        self.steps = {}

    def step(self, optimizer, x=X):
        if id(optimizer) not in self.steps:

            def step(x, y):
                self.model.zero_grad()
                loss = nn.mse(self.model(x), y)
                loss.backward()
                optimizer.step()
                return loss

            self.steps[id(optimizer)] = ag.compile(step) if self.compiled else step
        return self.steps[id(optimizer)](x, Y)

    def seen(self):
        return {name: p.data.copy() for name, p in self.model.named_parameters()}


def both(life):
    """Let a generator live twice, compiled and not, and compare the parameters whenever it yields."""
    ours, theirs = Training(True), Training(False)
    for _ in zip(life(ours), life(theirs), strict=True):
        for name, value in theirs.seen().items():
            np.testing.assert_array_equal(ours.seen()[name], value, name)


def test_a_second_optimizer_takes_the_parameters_over():
    def life(training):
        first = nn.SGD(training.model.parameters(), lr=0.1, momentum=0.5)
        for _ in range(3):
            training.step(first)
        second = nn.Adam(training.model.parameters(), lr=0.05)
        yield
        for optimizer in (second, second, second, first, first, second, first):
            training.step(optimizer)
            yield

    both(life)


def test_a_state_is_loaded():
    def life(training):
        optimizer = nn.Adam(training.model.parameters(), lr=0.05)
        for _ in range(3):
            training.step(optimizer)
        state = optimizer.state_dict()
        for _ in range(3):
            training.step(optimizer)
        optimizer.load_state_dict(state)
        for _ in range(3):
            training.step(optimizer)
            yield
        assert optimizer.state_dict()["state"][0]["step"] == 6

    both(life)


def test_momentum_is_switched_on_and_off():
    def life(training):
        optimizer = nn.SGD(training.model.parameters(), lr=0.05)
        for momentum in (0.0, 0.9, 0.9, 0.0, 0.5, 0.9):
            optimizer.groups[0]["momentum"] = momentum
            for _ in range(2):
                training.step(optimizer)
            yield

    both(life)


def test_parameters_are_given_to_an_optimizer_anew():
    def life(training):
        optimizer = nn.Adam(training.model.parameters(), lr=0.05)
        for chosen in (training.model, training.model.layers[2], training.model):
            optimizer.attach(chosen.parameters())
            for _ in range(3):
                training.step(optimizer)
                yield

    both(life)


def test_parameters_are_frozen_and_go_on():
    def life(training):
        optimizer = nn.Adam(training.model.parameters(), lr=0.05)
        for frozen in (False, True, False, True):
            training.model.layers[0].freeze(frozen)
            for _ in range(3):
                training.step(optimizer)
                yield

    both(life)


def test_parameters_that_have_counted_unlike_steps():
    def life(training):
        optimizer = nn.Adam(training.model.parameters(), lr=0.05)
        for _ in range(3):
            training.step(optimizer)
        state = optimizer.state_dict()
        state["state"][1]["step"] = 7
        optimizer.load_state_dict(state)
        for _ in range(3):
            training.step(optimizer)
            yield

    both(life)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_a_model_has_gradients_of_its_own(twin):
    training = Training(True)
    optimizer = nn.SGD(training.model.parameters(), lr=0.1)
    for _ in range(3):
        training.step(optimizer)
    other = twin(training.model)
    wanted = [p.grad.copy() for p in training.model.parameters()]
    training.step(optimizer, X + 1)
    training.step(optimizer, X + 2)
    for p, q, g in zip(other.parameters(), training.model.parameters(), wanted, strict=True):
        assert np.array_equal(p.grad, g)
        assert not np.array_equal(q.grad, g)


def test_gradients_outlive_the_compiled_function():
    training, plain = Training(True), Training(False)
    for one in (training, plain):
        optimizer = nn.SGD(one.model.parameters(), lr=0.1)
        for _ in range(3):
            one.step(optimizer)
        one.steps.clear()
    for p, q in zip(training.model.parameters(), plain.model.parameters(), strict=True):
        assert np.array_equal(p.grad, q.grad)


def test_arrays_given_as_gradients_stay_as_they_are():
    model = nn.MLP([3, 5, 2], "tanh", rng=0)
    add = ag.compile(lambda x: nn.mse(model(x), Y).backward())
    for _ in range(3):
        add(X)
    mine = [np.ones(p.shape) for p in model.parameters()]
    for p, g in zip(model.parameters(), mine, strict=True):
        p.grad = g
    add(X)
    assert all(np.all(g == 1) for g in mine)


def test_values_are_put_in_place_of_others():
    def life(training):
        optimizer = nn.RMSProp(training.model.parameters(), lr=0.05)
        for i in range(6):
            training.step(optimizer)
            for p in training.model.parameters():
                if i % 2:
                    p.data = p.data * 0.5
                else:
                    p.data -= 0.1
            yield

    both(life)
