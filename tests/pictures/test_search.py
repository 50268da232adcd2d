"""Search by name, shape and value: in Python, and the same in a saved page."""

import numpy as np
import pytest

import autograd_core as ag
import nn
from autograd_core.pictures.page import document


@pytest.fixture(scope="module")
def picture():
    model = nn.MLP([3, 8, 2], "tanh", rng=0)
    X = ag.Tensor(np.ones((5, 3)), name="X", requires_grad=False)
    loss = nn.mse(model(X) * 1000, np.zeros((5, 2)))
    found = ag.draw(loss, inputs={"X": X}, params=model)
    assert found.graph.vertices
    return found


def words(picture, query):
    return [v.name or v.op for v in picture.find(query)]


def test_names(picture):
    assert words(picture, "weight") == ["0.weight", "2.weight"]
    assert words(picture, "TANH") == ["tanh"]
    assert len(words(picture, "mlp")) == 7  # what is in a module of that name
    assert words(picture, "nothing of that name") == []
    assert picture.find("") == picture.find("  ") == []


def test_shapes(picture):
    assert {v.shape for v in picture.find("(5, 8)")} == {(5, 8)}
    assert {v.shape for v in picture.find("(8,)")} == {(8,)}
    assert {v.shape for v in picture.find("()")} == {()}


def test_sizes(picture):
    sizes = {id(v): [max(abs(s.min), abs(s.max)) for s in (v.value, v.gradient) if s] for v in picture.graph.vertices}
    for sign, holds in ((">", np.greater), ("<", np.less), (">=", np.greater_equal), ("<=", np.less_equal)):
        for limit in (1e-3, 0.5, 1.0, 1e3):
            want = [v for v in picture.graph.vertices if any(holds(s, limit) for s in sizes[id(v)])]
            assert picture.find(f"{sign} {limit:g}") == want
    assert all(v.gradient.max > 1 or v.gradient.min < -1 for v in picture.find("gradient > 1"))
    assert picture.find("value>1e3") == picture.find("VALUE > 1000")


def test_entries_that_are_not_finite():
    x = ag.Tensor([1.0, -1.0], name="x")
    with np.errstate(invalid="ignore"):
        y = np.sqrt(x)
        z = np.sum(y) * 2
    found = ag.draw(z).find("nan")
    assert [v.op for v in found if v.role == "operation"] == ["sqrt", "sum", "multiply"]
    assert ag.draw(z).find("nan") == ag.draw(z).find("inf") or len(found) == len(ag.draw(z).find("inf"))


QUERIES = [
    "weight", "mlp", "TANH", "zzz", "(5, 8)", "()", "(8,)", "> 1", "< 0.5", "gradient >= 1e-3", "value<1e3", "nan", "5", "×",
    "> ", "(", ">", "gradient", ".", "value > x",
]  # fmt: skip


def test_the_page_finds_the_same(picture, visit):
    if not picture.to_dict()["views"]:
        pytest.skip("needs a layout engine: Graphviz's dot, or pygraphviz")
    page = visit.open(document(picture.to_dict()))
    query, found = page.locator(".query"), page.locator(".found")
    for text in QUERIES:
        query.fill(text)
        assert found.inner_text() == f"{len(picture.find(text))} found", text
    query.fill("")
    assert page.locator(".searching").count() == 0


def test_found_boxes_are_marked_and_visited(picture, visit):
    if not picture.to_dict()["views"]:
        pytest.skip("needs a layout engine: Graphviz's dot, or pygraphviz")
    page = visit.open(document(picture.to_dict()))
    page.keyboard.press("Tab")
    page.keyboard.press("/")
    page.keyboard.type("weight")  # f and b, which show passes elsewhere, are letters here
    assert page.locator(".status").inner_text() == "whole forward pass"
    assert page.locator(".node.hit").count() == 2
    page.keyboard.press("Enter")
    assert page.locator(".found").inner_text() == "1 of 2"
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.locator(".found").inner_text() == "1 of 2"
    page.keyboard.press("Shift+Enter")
    assert page.locator(".found").inner_text() == "2 of 2"
    page.keyboard.press("Escape")
    assert page.locator(".node.hit").count() == 0
    assert page.locator(".query").input_value() == ""


def test_a_closed_module_is_marked_for_what_is_inside(visit):
    model = nn.MLP([3, 8, 2], "tanh", rng=0)
    closed = ag.draw(model, np.ones((5, 3)), depth=0)
    if not closed.to_dict()["views"]:
        pytest.skip("needs a layout engine: Graphviz's dot, or pygraphviz")
    page = visit.open(document(closed.to_dict()))
    page.locator(".query").fill("tanh")
    assert page.locator(".hit").count() == 1
    assert page.locator(".hit.module, .hit[data-module]").count() == 1
