"""Pictures of models and of functions of trees: nothing missing, everything named, and the model left as it was."""

import collections

import numpy as np
import pytest
from pictures.programs import some

import autograd_core as ag
import nn
from autograd_core.pictures.given import places


class Branched(nn.Module):
    """Operations before the first parameter, and a branch that has none."""

    def __init__(self):
        self.first, self.second = nn.Linear(3, 2, rng=0), nn.Linear(2, 2, rng=1)

    def forward(self, x):
        return self.second(np.tanh(self.first(np.tanh(x) * 2.0))) + np.sum(x, axis=1, keepdims=True)


def test_the_whole_forward_pass_of_a_model_is_drawn():
    model, x = Branched(), some(4, 3)
    picture = ag.draw(model, x)
    graph = picture.graph
    assert [v.op for v in graph.vertices if v.role == "operation"] == [
        *("tanh", "multiply", "linear", "tanh", "linear", "sum", "add")
    ]
    ancestors = [v for v in graph.vertices if v.op in ("tanh", "multiply", "sum")]
    untracked = [v for v in [graph.vertices[0], *ancestors] if v.gradient is None]
    assert [(v.name or v.op, v.why_none) for v in untracked] == [
        (name, "not tracked") for name in ("x", "tanh", "multiply", "sum")
    ]
    np.sum(model(x)).backward()
    for name, p in model.named_parameters():
        found = next(v.gradient for v in graph.vertices if v.name == name)
        np.testing.assert_allclose(found.norm, np.linalg.norm(p.grad), rtol=1e-14)
    # what flows: into the parameters, and between the operations behind them
    sources = {graph.vertices[e.source].name or graph.vertices[e.source].op for e in graph.edges if e.flow is None}
    assert sources == {"x", "tanh", "multiply", "sum"}
    assert [graph.vertices[k].op for k in graph.backward] == ["add", "linear", "tanh", "linear"]


def test_a_model_stays_as_it_was():
    model = nn.Sequential(nn.Linear(3, 3, rng=0), nn.BatchNorm(3), nn.Dropout(0.5, rng=0))
    before, drawn = model.state_dict(), model.layers[2].rng.bit_generator.state
    ag.draw(model, some(4, 3))
    np.testing.assert_equal(model.state_dict(), before)
    assert model.layers[2].rng.bit_generator.state == drawn
    assert all(p.grad is None for p in model.parameters())


def test_a_model_that_asks_for_plain_arrays_gets_them():
    class Plain(nn.Module):
        def __init__(self):
            self.weight, self.calls = ag.Tensor(np.ones(3)), 0

        def forward(self, x):
            return np.asarray(x) * self.weight

    graph = ag.draw(Plain(), some(3)).graph
    assert [(v.role, v.name) for v in graph.vertices[:2]] == [("input", "x"), ("parameter", "weight")]


def test_an_error_in_a_model_is_the_models_own():
    with pytest.raises(ValueError, match=r"needs x of shape \(\.\.\., 3\), not \(4, 2\)"):
        ag.draw(nn.Linear(3, 2, rng=0), some(4, 2))


def test_a_perceptron_with_a_threshold():
    graph = ag.draw(nn.Sequential(nn.Linear(2, 3, rng=0), nn.step), some(4, 2)).graph
    step = next(v for v in graph.vertices if v.op == "step")
    assert step.shape == (4, 3)
    assert {v.gradient.norm for v in graph.vertices if v.role == "parameter"} == {0.0}


def test_the_formula_of_a_users_rule_is_the_users():
    @ag.primitive
    def square(x):
        return x * x

    ag.rule(square, lambda g, x: g * x * 3)  # wrong, and to be seen
    picture = ag.draw(square(ag.Tensor(2.0, name="x")))
    assert "v̄ x 3" in picture.to_dot("backward")
    assert "2 v̄ x" not in picture.to_dot("backward")


Pair = collections.namedtuple("Pair", "mean scale")


def test_leaves_of_a_tree_are_called_as_one_would_write_them():
    tree = {"w": some(3), "b": (some(3), None, [2.0]), "p": Pair(some(3), 1.5)}

    def f(d, x):
        return np.sum(d["w"] * d["b"][0] + d["b"][2][0] + d["p"].mean * d["p"].scale + x)

    names = [v.name for v in ag.draw(f, tree, 1.0).graph.vertices if v.role == "input"]
    assert names == ["d['b'][0]", "d['b'][2][0]", "d['p'].mean", "d['p'].scale", "d['w']", "x"]
    assert places({"only": 1.0}, "d") == ["d['only']"]
    picture = ag.draw(f, tree, 1.0)
    assert "d['w']" in picture.text()
    assert ag.draw(lambda d: d["a.b"] ** 2, {"a.b": 2.0}).text().startswith("d['a.b'] = input")


def test_the_picture_of_a_key_with_markup():
    picture = ag.draw(lambda d: d["<b>&\"'"] ** 2, {"<b>&\"'": 2.0})
    assert "<b>&" not in picture.to_dot().replace("<<B>", "")
    assert picture.to_dot().count("&lt;b&gt;&amp;") >= 1


def test_arguments_that_are_no_numbers():
    def f(x, how, flag, n, nothing):
        return getattr(np, how)(x) * n if flag and nothing is None else None

    vertices = ag.draw(f, some(3), "sum", True, 4, None).graph.vertices
    assert [(v.role, v.name, v.op) for v in vertices[:2]] == [("input", "x", ""), ("operation", "", "sum")]
    with pytest.raises(TypeError, match=r"no graph to draw: x is of integers, write floats"):
        ag.draw(lambda x: np.sum(x), np.arange(3))


def test_a_compiled_function_is_drawn_as_what_it_computes():
    f = ag.compile(lambda x: np.sum(np.tanh(x) * x))
    f(some(3))
    ops = [v.op for v in ag.draw(f, some(3)).graph.vertices if v.role == "operation"]
    assert ops == ["tanh", "multiply", "sum"]


def test_an_assignment_shows_its_index():
    x = ag.Tensor(some(4), name="x")
    y = x * 2.0
    y[1:3] = 5.0 * x[0]
    assert "[1:3] =" in [v.label for v in ag.draw(np.sum(y)).graph.vertices]


def test_every_operation_of_a_network_shows_its_rule_in_mathematics():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, rng=0), nn.BatchNorm(2), nn.silu, nn.MaxPool2d(2), nn.AvgPool2d(2), nn.gelu, nn.Flatten(),
        nn.Linear(2, 3, rng=1), nn.leaky_relu, nn.elu, nn.softplus,
    )  # fmt: skip
    pulls = [
        text
        for v in ag.draw(lambda x: nn.huber(model(x), np.zeros((4, 3))), some(4, 1, 6, 6)).to_dict()["nodes"].values()
        for text in v["pull"]
    ]
    assert len(pulls) > 15
    assert not [text for text in pulls if "ᵛʲᵖ" in text or "_" in text or "type" in text]
    sequence = ag.draw(nn.LSTM(3, 2, rng=0), some(4, 2, 3)).to_dict()["nodes"].values()
    assert any("back through time" in text for v in sequence for text in v["pull"])


def test_an_operation_and_its_named_result_say_the_same_of_their_gradient():
    w = ag.Tensor(some(3, 2), name="w")
    loss = np.sum(np.tanh(some(4, 3) @ w) ** 2)
    loss.backward()
    vertices = ag.draw(loss).graph.vertices
    assert {v.why_none for v in vertices if v.gradient is None} == {"not known"}
