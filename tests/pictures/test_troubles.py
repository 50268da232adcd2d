"""What goes wrong in a network is said below its picture, and nothing is said of a network that is well."""

import numpy as np
import pytest

import autograd_core as ag
import nn

X = np.random.default_rng(0).normal(size=(40, 3))


def notes(loss, **settings):
    return ag.draw(loss, **settings).graph.notes


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("seed", range(5))
def test_a_fresh_network_is_well(activation, seed):
    model = nn.MLP([3, 16, 16, 1], activation, rng=seed)
    assert notes(np.mean(model(X) ** 2), params=model) == []


def test_dead_units_are_counted():
    model = nn.MLP([3, 5, 1], "relu", rng=0)
    model.layers[0].bias.assign([-99.0, 1.0, -99.0, 1.0, 1.0])
    (note,) = notes(np.mean(model(X)), params=model)
    assert note == "0 for every observation: 2 of 5 units of relu."
    by_maximum = np.sum(np.maximum(X @ ag.Tensor(np.ones((3, 2))) + np.array([0.0, -99.0]), 0))
    assert notes(by_maximum) == ["0 for every observation: 1 of 2 units of maximum."]


def test_maxima_of_something_else_are_no_units():
    a = ag.Tensor(np.array([[0.0, -1.0], [0.0, -2.0]]))
    assert notes(np.sum(np.maximum(a, -0.5))) == []


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_saturation(activation):
    model = nn.MLP([3, 8, 1], activation, rng=0)
    model.layers[0].weight.assign(100 * model.layers[0].weight.data)
    (note,) = notes(np.mean(model(X)), params=model)
    assert note.startswith("Saturated, with next to no slope: ")
    assert note.endswith(f"% of {activation}.")


def test_vanishing_gradients():
    model = nn.Sequential(*[layer for k in range(9) for layer in (nn.Linear(3, 3, rng=k), nn.sigmoid)])
    (note,) = notes(np.mean(model(X)), params=model)
    assert note.startswith("The gradient of 0.weight is ")
    assert "of that of 16." in note


def test_parameters_that_nothing_reaches():
    model = nn.MLP([3, 4, 1], "tanh", rng=0)
    (note,) = notes(np.mean(model.layers[0](X)), params=model)
    assert note == "No path from the result reaches 2.bias, 2.weight."


@pytest.mark.parametrize("shape", [(3, 0), (0, 3), (1, 4), (4,), ()])
@pytest.mark.parametrize("f", [ag.relu, np.tanh, nn.sigmoid])
def test_what_holds_no_units_says_nothing(f, shape):
    assert notes(np.sum(f(ag.Tensor(np.full(shape, -99.0))))) == []


def test_complex_values_are_looked_at_too():
    assert notes(np.abs(np.sum(np.tanh(ag.Tensor(np.ones((3, 2)) * (0.3 + 0.2j)))))) == []


def test_what_is_left_out_of_a_picture_is_reached_all_the_same():
    deep = nn.Sequential(*[layer for k in range(300) for layer in (nn.Linear(2, 2, rng=k), nn.Residual(nn.tanh))])
    assert not [n for n in notes(np.mean(deep(X[:, :2])), params=deep) if "No path" in n]
    model = nn.MLP([3, 4, 1], "tanh", rng=0)
    hidden = model.layers[0](X)
    assert notes(np.mean(model.layers[2](hidden)), inputs={"h": hidden}, params=model) == []
