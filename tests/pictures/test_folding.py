"""Large graphs: strict folding, budgets, focus; every vertex is in exactly one box, and no crossing edge is lost."""

import contextlib
import random
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pictures.programs import folded, some

import autograd_core as ag
import nn
from autograd_core.pictures.view import drawn, make_view, owners, representatives


def fold(f):
    told = {"what": f} if not isinstance(f, dict) else f
    return ag.draw(told.pop("what"), **{"fold": True} | told)


def repeats(p):
    return [(m.times, m.period) for m in p.graph.modules if m.times > 1]


def test_equal_layers_are_folded():
    p = fold(folded(12))
    assert repeats(p) == [(12, 5)]  # W, matmul, b, add, tanh
    assert len(p.view.boxes) == 5 + 3  # and x, the sum, the output
    assert p.note == ""
    text = p.text()
    assert "× 12" in text
    assert all(len(members) == 12 for members in p.view.members.values())
    assert "layer 1 … layer 12  × 12" in p.to_dot()


def test_one_different_layer_is_not_folded():
    def net(odd):
        h = x = ag.Tensor(some(2, 4), name="x")
        for k in range(12):
            with ag.scope(f"layer {k}"):
                h = h @ ag.Tensor(some(4, 4))
                h = np.sin(h) if k == odd else np.tanh(h)
        return {"what": np.sum(h), "inputs": {"x": x}}

    assert repeats(fold(net(-1))) == [(12, 3)]
    assert sorted(times for times, _ in repeats(fold(net(5)))) == [5, 6]
    assert repeats(fold(net(2))) == [(9, 3)]  # two layers before it are too few


def test_a_side_exit_forbids_folding():
    """What leaves a block for somewhere else than the next one is not the same block."""
    h, kept = ag.Tensor(some(2, 4), name="x"), []
    for k in range(8):
        h = np.tanh(h @ ag.Tensor(some(4, 4)))
        kept += [h] if k in (2, 3) else []
    p = fold(np.sum(h) + np.sum(kept[0]) + np.sum(kept[1]))
    assert all(times * period <= 4 * 3 + 3 for times, period in repeats(p))
    names = {v.op for v in p.graph.vertices}
    assert {"sum", "add", "tanh", "matmul"} <= names


def test_other_shapes_are_not_folded():
    h = ag.Tensor(some(2, 3), name="x")
    for n in range(3, 12):
        h = np.tanh(h @ ag.Tensor(some(n, n + 1)))
    assert repeats(fold(np.sum(h))) == []


def test_other_numbers_are_not_folded():
    h = ag.Tensor(1.0, name="x")
    for n in range(12):
        h = h * float(n)
    assert repeats(fold(h)) == []


def sines(x, last=0.1):
    for k in range(30):
        x = np.sin(x) + (last if k == 29 else 0.1)
    return np.sum(x)


def differences(x, last=0.1):
    for k in range(30):
        x = np.cos(x) - (last if k == 29 else 0.1)
    return np.exp(np.mean(x) * 2.0)


@pytest.mark.parametrize("f", [sines, differences])
@pytest.mark.parametrize("recorded", [True, False])
def test_the_last_of_a_repeat_is_with_the_others(f, recorded):
    """Nobody keeps what an addition adds to an array: it is found out, for the last from what comes of it."""
    x = np.array([0.5, 0.25, 1.0])
    p = fold(f(ag.Tensor(x, name="x"))) if recorded else ag.draw(f, x, fold=True)
    assert repeats(p) == [(30, 2)]
    assert "const" not in p.text()
    assert {v.label for v in p.graph.vertices if v.op in ("add", "subtract")} <= {"+ 0.1", "− 0.1"}


@pytest.mark.parametrize("f", [sines, differences])
def test_another_last_number_is_not_taken_for_the_same(f):
    p = fold(f(ag.Tensor([0.5, 0.25, 1.0], name="x"), last=0.2))
    assert repeats(p) == [(29, 2)]


def test_repeats_inside_repeats():
    h = ag.Tensor(0.5, name="x")
    for _ in range(6):
        for _ in range(5):
            h = np.sin(h) * 2.0
        h = np.exp(h)
    assert sorted(repeats(fold(h))) == [(5, 2), (6, 11)]


def test_a_deep_chain():
    n = 10_000
    x = ag.Tensor(0.5, name="x")
    y = x
    for _ in range(n // 2):
        y = y * 0.999 + 0.001
    p = ag.draw(y)
    assert repeats(p) == [(n // 2, 2)]
    assert len(p.view.boxes) == 4
    assert p.graph.vertices[0].gradient.mean == pytest.approx(0.999 ** (n // 2))
    assert len(p.to_dict()["nodes"]) < 200
    assert "× 5000" in p.text()


def calls(n, what):
    """Return how many Python functions a drawing of `n` operations calls: time, without the noise of a clock."""
    x = ag.Tensor(0.5, name="x") if what == "numbers" else ag.Tensor(np.array([0.5, 0.25]), name="x")
    y = x
    for k in range(n // 2):
        with ag.scope(f"block {k}") if what == "blocks" else contextlib.nullcontext():
            y = y * (0.999 + (1e-6 * k if what == "different" else 0)) + 0.001
    count = 0

    def counted(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        ag.draw(y)._repr_mimebundle_()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("what", ["numbers", "arrays", "blocks", "different"])
def test_the_work_grows_no_faster_than_the_graph(what):
    ag.draw(ag.Tensor(1.0) * 2.0)._repr_mimebundle_()  # imports
    small, large = calls(500, what), calls(4000, what)
    assert large < 8 * small * 1.1


def random_program(seed, n):
    """Return the last of `n` random operations on numbers."""
    rng = np.random.default_rng(seed)
    values = [ag.Tensor(float(v), name=f"x{k}") for k, v in enumerate(rng.random(4))]
    picks = rng.integers(0, 12, (n, 2))
    for k, (i, j) in zip(rng.integers(0, 4, n), picks, strict=True):
        a, b = values[-1 - i % len(values)], values[-1 - j % len(values)]
        made = a + b if k == 0 else a * b if k == 1 else np.tanh(a) if k == 2 else a - b
        values.append(made * 0.9)
    return sum(values[-3:], ag.Tensor(0.0, name="zero"))


def test_tens_of_thousands_of_operations():
    """Ten times as many are timed by ``python -m benchmarks.pictures``."""
    p = ag.draw(random_program(0, 5_000))
    assert len(p.view.boxes) <= 110
    assert "operations are inside closed boxes" in p.note
    assert "focus=" in p.note


@pytest.mark.parametrize("budget", [20, 60, 300])
def test_the_budget_is_kept(budget):
    p = ag.draw(random_program(1, 400), max_nodes=budget)
    assert len(p.view.boxes) <= budget + 12  # inputs and what is merged stand beside the budget
    if p.view.closed:
        assert "of" in p.note
        assert "max_nodes" in p.note


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(10, 200), st.booleans())
def test_every_vertex_in_one_box_and_no_crossing_edge_lost(seed, n, budget, folds):
    p = ag.draw(random_program(seed, n), max_nodes=budget, fold=folds)
    graph, view = p.graph, p.view
    rep, owner = representatives(graph), owners(graph, view.closed)
    boxes = [("n", int(r)) if owner[r] < 0 else ("m", int(owner[r])) for r in rep]
    assert set(boxes) == {key for key in view.boxes if key[0] != "c"}
    assert drawn(graph, view.closed) == len(set(boxes))
    told = [k for link in view.links for k in link.edges]
    assert len(told) == len(set(told))
    for k, e in enumerate(graph.edges):
        inside = boxes[e.source] == boxes[e.target] or rep[e.source] > rep[e.target]
        assert (k in told) is not inside or (k not in told and rep[e.source] != e.source)
    assert len(make_view(graph).boxes) >= len(view.boxes) - 1


def test_closed_modules_keep_their_edges():
    p = ag.draw(folded(3)["what"], depth=0)
    assert [key[0] for key in p.view.boxes] == ["m", "m", "m", "n", "n"]
    assert [(link.source[0], link.target[0]) for link in p.view.links] == [
        ("m", "m"),
        ("m", "m"),
        ("m", "n"),
        ("n", "n"),
    ]
    assert "layer 2" in p.text()
    assert "depth=" in p.note


def test_focus():
    h = x = ag.Tensor(1.0, name="x")
    for _ in range(50):
        h = h * 1.5 + 0.5
    mid = h
    for _ in range(50):
        h = h * 1.5 + 0.5
    p = ag.draw(h, focus=mid, radius=3, fold=False)
    assert len(p.graph.vertices) == 7
    assert "7 of 202 vertices" in p.note
    assert ag.draw(h, focus="x", radius=1).graph.vertices[0].name == "x"
    assert x.grad is None


def test_shared_leaves_stand_beside_their_users():
    from pictures.programs import recurrent

    p = ag.draw(recurrent(6)["what"])
    copies = [key for key in p.view.boxes if key[0] == "c"]
    assert len(copies) == 2 * 5
    assert {p.graph.vertices[p.view.vertex(key)].name for key in copies} == {"W", "U"}
    total = next(v for v in p.graph.vertices if v.name == "U").gradient
    flows = [float(e.flow.norm) for e in p.graph.edges if p.graph.vertices[e.source].name == "U"]
    assert len(flows) == 6
    assert float(total.norm) <= sum(flows) * (1 + 1e-12)


def test_long_rows_are_shortened():
    """Modules one after another, no two alike: a hundred in a row would be a ribbon."""
    h = ag.Tensor(some(2, 4), name="x")
    for k in range(150):
        with ag.scope(f"block {k}"):
            h = np.tanh(h @ ag.Tensor(some(4, 4))) * (1.0 + k)
    loss = np.sum(h)
    p = ag.draw(loss)
    assert 30 <= len(p.view.boxes) <= 40
    assert "operations are inside closed boxes" in p.note
    assert len(ag.draw(loss, max_nodes=90).view.boxes) > 80
    assert [m.opens for m in p.graph.modules].count(False) < 150


def test_a_scope_that_holds_nothing_but_another_is_one_box_with_it():
    model = nn.Linear(2, 2, rng=0)
    for _ in range(30):
        model = nn.Sequential(model)
    graph = ag.draw(model, np.ones((1, 2))).graph
    assert [m.name for m in graph.modules] == ["Sequential / " + " / ".join("0" * 30)]
    assert "[Sequential / 0 / 0" in ag.draw(model, np.ones((1, 2))).text()


def test_thousands_of_nested_scopes():
    def descend(x, n):
        for k in range(n):
            scopes.enter_context(ag.scope(f"s{k}"))
            x = np.sin(x)
        return x

    with contextlib.ExitStack() as scopes:
        y = descend(ag.Tensor(1.0, name="x"), 1200)
    picture = ag.draw(y)
    assert len(picture.graph.forward) == 1200
    assert 10 < len(picture.graph.modules) < 100
    assert "sin" in picture.text()
    assert len(picture.view.boxes) < 110


def test_a_module_that_is_nothing_but_a_repeat():
    def f(x):
        with ag.scope("net"):
            for _ in range(60):
                x = np.sin(x)
        return x

    graph = ag.draw(f, 1.0).graph
    assert [(m.name, m.parent, m.times) for m in graph.modules] == [("net", None, 1), ("repeated", 0, 60)]


def program(source, x, shared, depth, size):
    """Apply a random program: scopes in scopes, repeats with and without them, branches."""
    if not depth or size <= 1:
        steps = [np.sin, np.tanh, lambda v: v * 2.0, lambda v: v + shared, lambda v: shared * v, lambda v: v * v]
        return source.choice(steps)(x)
    kind = source.choice(["scope", "scope", "repeat", "layers", "branches", "row"])
    if kind == "scope":
        with ag.scope(source.choice("abc")):
            return program(source, x, shared, depth - 1, size)
    if kind in ("repeat", "layers"):
        n, seed = source.choice([2, 4, 5, 8]), source.random()
        for i in range(n):
            with ag.scope(f"layer {i}") if kind == "layers" else contextlib.nullcontext():
                x = program(random.Random(seed), x, shared, depth - 1, size // n)
        return x
    first = program(source, x, shared, depth - 1, size // 2)
    if kind == "branches":
        return first + program(source, x, shared, depth - 1, size // 2)
    return program(source, first, shared, depth - 1, size // 2)


@given(seed=st.integers(0, 10**6), fold=st.sampled_from([None, True, False]), budget=st.sampled_from([None, 5, 20, 60]))
@example(seed=23, fold=True, budget=None)
@example(seed=60, fold=None, budget=20)
@settings(max_examples=40, deadline=None)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_any_nest_of_scopes_and_repeats_can_be_drawn(seed, fold, budget):
    shared = ag.Tensor(0.5, name="shared")
    f = program(random.Random(seed), ag.Tensor(0.3, name="x"), shared, 6, 200)
    graph = ag.draw(f, fold=fold, max_nodes=budget).graph
    for k, m in enumerate(graph.modules):
        assert (m.last - m.first) % m.times == 0
        if m.parent is not None:
            around = graph.modules[m.parent]
            assert m.parent < k
            assert around.first <= m.first < m.last <= around.last
        assert all(o.last <= m.first or m.last <= o.last for o in graph.modules[:k])
    view = make_view(graph, {k for k, m in enumerate(graph.modules) if not m.opens})
    order = {key: i for i, key in enumerate(view.boxes)}
    assert all(order[link.source] < order[link.target] for link in view.links)
