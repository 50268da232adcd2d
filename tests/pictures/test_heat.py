"""Boxes coloured by a measure: what is measured, how it becomes a colour, and that it arrives in every output."""

import re

import numpy as np
import pytest

import autograd_core as ag
import nn
from autograd_core.pictures.heat import STOPS, Heat, luminance, paint

rng = np.random.default_rng(0)
X = rng.normal(size=(6, 3))


held = []  # parameters, whose values a picture can look up while somebody holds them


def loss():
    W = ag.Tensor(np.ones((3, 50)), name="W")
    held[:] = [W]
    h = np.tanh(X @ W)
    return np.sum(h**2)


def by_label(picture):
    found = paint(picture.view).boxes
    vertices = picture.graph.vertices
    return {vertices[k].label or vertices[k].name: found[kind, k] for kind, k in found if kind == "n"}


def measure_of(picture):
    heat, vertices = picture.graph.heat, picture.graph.vertices
    return {vertices[k].op or vertices[k].name: heat.at([k]) for k in heat.of}


def test_values_and_gradients_count_by_the_entry():
    y = loss()
    h = np.tanh(X @ np.ones((3, 50)))
    values = measure_of(ag.draw(y, color_by="value"))
    assert values["W"] == pytest.approx(1.0)
    assert values["tanh"] == pytest.approx(np.sqrt(np.mean(h**2)))
    gradients = measure_of(ag.draw(y, color_by="gradient"))
    assert gradients["tanh"] == pytest.approx(np.sqrt(np.mean((2 * h) ** 2)))
    assert gradients["W"] == pytest.approx(np.sqrt(np.mean((X.T @ (2 * h * (1 - h**2))) ** 2)))


def test_bytes_are_those_that_the_tape_keeps():
    kept = measure_of(ag.draw(loss(), color_by="bytes"))
    assert kept["matmul"] == X.nbytes  # the data; the parameter is needed for a gradient of the data only
    assert kept["tanh"] == 6 * 50 * 8  # its result
    assert kept["square"] == 0  # the same array
    assert kept["sum"] == 0
    y = loss()
    y.backward()
    assert set(measure_of(ag.draw(y, color_by="bytes")).values()) == {0.0}


def test_times_are_there_for_every_operation():
    times = measure_of(ag.draw(loss(), color_by="time"))
    assert set(times) == {"matmul", "tanh", "square", "sum"}
    assert all(0 < t < 5 for t in times.values())


def test_times_of_a_function_whose_arguments_nobody_else_holds():
    picture = ag.draw(lambda x: np.sum(np.exp(x)), np.ones((20, 20)), color_by="time")
    assert set(measure_of(picture)) == {"exp", "sum"}


def test_gradients_whose_squares_vanish():
    x = ag.Tensor([1.0, 1.0], name="x")
    gradients = measure_of(ag.draw(np.sum(x * 1e-200), color_by="gradient"))
    assert gradients["x"] == pytest.approx(1e-200)


def test_an_operation_of_the_users_own_is_not_run_again():
    calls = []

    @ag.primitive
    def noted(x):
        calls.append(1)
        return x * 3

    ag.rule(noted, lambda g: g * 3)
    y = np.sum(noted(ag.Tensor(np.ones(3))))
    assert "noted" not in measure_of(ag.draw(y, color_by="time"))
    assert len(calls) == 1


def test_colours_are_in_order():
    heat = Heat("value", {})
    shades = [heat.colour(x, (1e-6, 1.0))[0] for x in np.logspace(-6, 0, 25)]
    assert shades[0] == STOPS[0]
    assert shades[-1] == STOPS[-1]
    bright = [luminance([int(s[i : i + 2], 16) for i in (1, 3, 5)]) for s in shades]
    assert bright == sorted(bright)
    for s, b in zip(shades, bright, strict=True):  # the text is legible on each: 4.5 to 1
        text = 1.0 if heat.colour(1.0, (0.0, 0.0)) and s and b < 0.18 else 0.0
        assert (max(text, b) + 0.05) / (min(text, b) + 0.05) >= 4.5


def test_zero_and_one_value_have_a_colour():
    heat = Heat("value", {})
    assert heat.colour(0.0, (1.0, 10.0))[0] == STOPS[0]
    assert heat.colour(np.inf, (1.0, 10.0))[0] == STOPS[-1]
    assert heat.colour(3.0, (3.0, 3.0))[0] == STOPS[2]
    assert heat.colour(0.0, (0.0, 0.0))[0] == STOPS[2]


def test_the_picture_has_the_colours_in_every_form():
    picture = ag.draw(loss(), color_by="gradient")
    fills = {fill for fill, _, _ in paint(picture.view).boxes.values()}
    assert len(fills) > 2
    assert all(f'fillcolor="{fill}"' in picture.to_dot() for fill in fills)
    if picture.engine is None:
        pytest.skip("needs Graphviz")
    svg = picture.to_svg()
    assert all(re.search(f'class="box hot"[^>]*fill="{fill}"', svg) for fill in fills)
    assert "size of an entry of the gradient, " in svg
    assert "hot" not in ag.draw(loss()).to_svg()


def test_closed_and_folded_modules():
    model = nn.Sequential(*[nn.Linear(4, 4, rng=k) for k in range(12)])
    y = np.sum(model(np.ones((2, 4))) ** 2)
    closed = ag.draw(y, params=model, depth=0, color_by="bytes")
    whole = sum(above for above, _ in closed.graph.heat.of.values())
    modules = [key for key in paint(closed.view).boxes if key[0] == "m"]
    assert modules
    assert (
        sum(
            closed.graph.heat.at(range(closed.graph.modules[k].first, closed.graph.modules[k].last)) for _, k in modules
        )
        <= whole
    )
    assert ag.draw(y, params=model, fold=True, color_by="gradient").to_dot().count("fillcolor") > 3


def test_a_part_keeps_its_colours():
    picture = ag.draw(loss(), focus="W", radius=1, color_by="value")
    assert "W" in measure_of(picture)


def test_nan_is_left_to_its_ring():
    x = ag.Tensor([1.0, -1.0], name="x")
    with np.errstate(invalid="ignore"):
        y = np.sum(np.sqrt(x))
    values = measure_of(ag.draw(y, color_by="value"))
    assert set(values) == {"x"}


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="color_by is one of value, gradient, bytes, time, not 'size'"):
        ag.draw(loss(), color_by="size")
    program = ag.trace(lambda x: np.sum(x**2))(np.ones(3))
    with pytest.raises(ValueError, match="is for graphs of our Tensors"):
        ag.draw(program, color_by="time")
