"""The graph up to the line that raised."""

import numpy as np
import pytest

import autograd_core as ag
import nn


def failed(picture):
    """Return the operation that failed and what it was called with, by name or shape."""
    (v,) = [v for v in picture.graph.vertices if v.role == "failed"]
    operands = [picture.graph.vertices[o] if isinstance(o, int) else o for o in v.operands]
    return v.op, [o if isinstance(o, str) else o.name or o.shape for o in operands]


def test_a_function_that_raises_is_drawn_up_to_there():
    W = ag.Tensor(np.ones((2, 3)), name="W")

    def f(x):
        h = np.tanh(x @ W.T)
        return np.sum(h @ np.ones((5, 4)))

    picture = ag.draw(f, np.ones((7, 3)))
    assert failed(picture) == ("matmul", ["h", (5, 4)])
    drawn = [v.op for v in picture.graph.vertices if v.role == "operation"]
    assert drawn == ["transpose", "matmul", "tanh"]
    note = picture.graph.notes[0]
    assert note.startswith("This is the graph up to ValueError at test_failing.py:")
    assert "not aligned" in note
    assert "failed: matmul(h, n" in picture.text()
    assert all(v.gradient is None for v in picture.graph.vertices)


def test_parameters_of_a_model_keep_their_names():
    class Net(nn.Module):
        def __init__(self):
            self.first, self.second = nn.Linear(3, 4, rng=0), nn.Linear(5, 1, rng=0)

        def forward(self, x):
            return self.second(nn.relu(self.first(x)))

    picture = ag.draw(Net(), np.ones((7, 3)))
    assert failed(picture)[0] == "linear"
    assert [v.shape for v in picture.graph.vertices if v.role == "parameter"] == [(4, 3), (4,), (1, 5), (1,)]
    assert [v.path for v in picture.graph.vertices if v.op == "relu"] == [("Net",)]


def test_a_block_draws_and_lets_the_error_go_on():
    x = ag.Tensor([1.0, 2.0], name="x")

    def refuse(y):
        raise ValueError(f"too large: {y.shape}")

    with pytest.raises(ValueError, match="too large") as caught, ag.draw.on_error() as seen:
        refuse(np.sin(x) * 2)
    assert [v.op for v in seen.picture.graph.vertices if v.op][:2] == ["sin", "multiply"]
    assert not [v for v in seen.picture.graph.vertices if v.role == "failed"]  # no operation did
    assert "n1 = sin(x)" in caught.value.__notes__[-1]
    assert ag.draw(caught.value).text() == seen.picture.text()


def test_a_block_that_ends_well_draws_nothing():
    with ag.draw.on_error() as seen:
        np.sin(ag.Tensor(1.0))
    assert seen.picture is None


def test_without_a_graph_the_error_is_all():
    with pytest.raises(ZeroDivisionError) as caught, ag.draw.on_error() as seen:
        1 / 0  # noqa: B018
    assert seen.picture is None
    assert not getattr(caught.value, "__notes__", ())
    with pytest.raises(TypeError, match="no Tensor is left"):
        ag.draw(caught.value)


def test_nothing_is_hidden_that_is_no_failure_of_the_function():
    with pytest.raises(TypeError, match="no graph to draw"):
        ag.draw(lambda x: x.shape[0], np.ones(2))
    with pytest.raises(ValueError, match=r"not aligned|mismatch"):  # nothing was recorded before
        ag.draw(lambda x: x @ np.ones(7), np.ones(2))
    with pytest.raises(ValueError, match="whole number"):
        ag.draw(lambda x: x @ np.ones(7), np.ones(2), max_nodes=0)


@pytest.mark.parametrize(
    ("f", "op"),
    [
        (lambda x: np.exp(x) + np.ones(5), "add"),
        (lambda x: np.concatenate([np.exp(x), np.ones((2, 2))]), "concatenate"),
        (lambda x: np.reshape(np.exp(x), (4, 4)), "reshape"),
        (lambda x: np.sin(x)[7], "getitem"),
        (lambda x: np.linalg.inv(np.outer(x, x) * 0), "inv"),
        (lambda x: np.einsum("ij,j->i", np.exp(x), x), "einsum"),
        (lambda x: np.where(np.ones(7, bool), np.exp(x), 0.0), "where"),
    ],
)
def test_whatever_operation_it_is(f, op):
    assert failed(ag.draw(f, np.array([1.0, 2.0, 3.0])))[0] == op


def test_all_formats_show_it(tmp_path):
    picture = ag.draw(lambda x: np.tanh(x) @ np.ones(5), np.ones(3))
    for suffix in ("dot", "json", "html", "txt"):
        picture.save(tmp_path / f"p.{suffix}")
    assert "✗ @" in picture.to_dot()
    assert picture.backward().to_dot()


def test_what_is_older_is_no_part_of_it():
    x = ag.Tensor([1.0, 2.0], name="x")
    older = np.exp(x)
    with pytest.raises(ValueError, match="broadcast"), ag.draw.on_error() as seen:
        np.sin(x) + np.ones(3)
    assert [v.op for v in seen.picture.graph.vertices if v.op] == ["sin", "add"]
    assert older.shape == (2,)


def test_branches_that_nothing_has_joined_yet_are_there():
    def f(x):
        a = np.sin(x)
        b = np.cos(x)
        return (a * 2) @ np.ones(9) + b

    picture = ag.draw(f, np.ones(3))
    assert {"sin", "cos", "multiply"} <= {v.op for v in picture.graph.vertices}
    assert failed(picture)[0] == "matmul"


def test_an_error_of_the_drawing_does_not_hide_the_blocks_own(monkeypatch):
    def broken(*_):
        raise RuntimeError("of the drawing")

    monkeypatch.setattr("autograd_core.pictures.drawing.graph_up_to", broken)
    with pytest.raises(ValueError, match="broadcast"), ag.draw.on_error() as seen:
        np.sin(ag.Tensor([1.0, 2.0])) + np.ones(3)
    assert seen.picture is None
