"""Pictures of programs: every equation is there, with its operands, and nothing is run."""

import numpy as np
import pytest

import autograd_core as ag
import nn


def edges(picture):
    """Return which vertex leads to which, by what the text calls them."""
    vertices = picture.graph.vertices
    return {(vertices[e.source].name or vertices[e.source].op, vertices[e.target].name or vertices[e.target].op)
            for e in picture.graph.edges}  # fmt: skip


def test_comparisons_and_the_backward_pass_are_there():
    program = ag.trace(ag.grad(lambda x: np.sum(np.where(x > 0, np.log(x), 0.0))))(np.array([1.0, 2.0]))
    picture = ag.draw(program)
    drawn = [v.op for v in picture.graph.vertices if v.role == "operation"]
    assert drawn == [e.title for e in program]
    assert {"greater", "log", "where", "divide"} <= set(drawn)
    assert ("a", "greater") in edges(picture)
    assert ("greater", "where") in edges(picture)
    assert all(v.value is None for v in picture.graph.vertices)


def test_a_step_has_parameters_and_effects():
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.Linear(3, 1, rng=1))
    optimizer = nn.SGD(model.parameters(), lr=0.1)

    def step(x):
        loss = np.mean(model(x) ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    before = [p.data.copy() for p in model.parameters()]
    picture = ag.draw(ag.trace(step)(np.ones((4, 2))))
    roles = {v.name: v.role for v in picture.graph.vertices if v.name}
    assert roles["a"] == "input"
    assert roles["weight"] == roles["weight 2"] == "parameter"
    assert roles["∂weight"] == roles["∂weight 2"] == roles["weight ←"] == roles["output"] == "output"
    assert [v.path for v in picture.graph.vertices if v.op == "linear"] == [("Sequential", "0"), ("Sequential", "1")]
    for p, old in zip(model.parameters(), before, strict=True):
        assert np.array_equal(p.data, old)
        assert p.grad is None


def test_several_results_containers_and_draws():
    def f(x, rng):
        values, vectors = np.linalg.eigh(x @ x.T)
        return np.concatenate([values, vectors[0], rng.normal(size=2)])

    picture = ag.draw(ag.trace(f)(np.eye(2), np.random.default_rng(0)))
    ops = [v.op for v in picture.graph.vertices if v.role == "operation"]
    assert ops.count("pick") == 2
    assert {"eigh", "concatenate", "normal"} <= set(ops)
    (k,) = [k for k, v in enumerate(picture.graph.vertices) if v.op == "concatenate"]
    assert len([e for e in picture.graph.edges if e.target == k]) == 3


@pytest.mark.parametrize("suffix", ["dot", "json", "txt", "svg"])
def test_every_format_takes_it(suffix, tmp_path):
    picture = ag.draw(ag.trace(lambda x: np.tanh(x) * 2)(np.ones(2)))
    picture.save(tmp_path / f"p.{suffix}")
    assert "tanh" in (tmp_path / f"p.{suffix}").read_text(encoding="utf-8")


def test_settings_work_as_for_a_tape():
    program = ag.trace(lambda x: np.exp(np.sin(np.cos(x))))(1.0)
    near = ag.draw(program, focus="output", radius=1)
    assert [v.op for v in near.graph.vertices if v.op] == ["exp"]
    with pytest.raises(TypeError, match="no further arguments"):
        ag.draw(program, 1.0)
    assert "not tracked" not in ag.draw(program).backward().text()
