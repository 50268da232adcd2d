"""Engines: dot, else pygraphviz, else none; time-outs; displaying never raises."""

import base64
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from pictures.programs import drawn

import autograd_core as ag
from autograd_core.pictures import Picture, layout


@pytest.fixture
def no_dot(monkeypatch, tmp_path):
    """Empty the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_engine(no_dot, monkeypatch):  # noqa: ARG001
    """Hide pygraphviz, too."""
    monkeypatch.setattr(layout, "_importable", lambda _: False)


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_there_is_a_text_and_a_sentence(tmp_path):
    p = drawn("mlp")
    assert p.engine is None
    shown = p.static()._repr_mimebundle_()
    assert shown.keys() == {"text/plain"}
    assert "layer 1" in shown["text/plain"]
    assert "apt install graphviz" in shown["text/plain"]
    assert p.to_dict()["views"] == []
    for form in ("svg", "png", "pdf"):
        with pytest.raises(RuntimeError, match=r"autograd-core\[viz\]"):
            p.save(tmp_path / f"x.{form}")
    for form in ("dot", "json", "txt"):
        assert p.save(tmp_path / f"x.{form}").exists()


@pytest.mark.usefixtures("no_dot")
def test_pygraphviz_takes_the_place_of_dot(tmp_path):
    pytest.importorskip("pygraphviz", reason="needs pygraphviz>=2, of the extra viz")
    p = drawn("mlp")
    assert p.engine == "pygraphviz"
    assert p.to_svg().count('class="node') == len(p.view.boxes)
    assert p.save(tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    wide, tall = (layout.lay_out([drawn("mlp", rankdir=way).to_dot()])[0] for way in ("LR", "TB"))
    assert wide.width > 2 * wide.height
    assert tall.height > 1.2 * tall.width


@pytest.mark.skipif(layout.engine() != "dot", reason="needs dot on the PATH")
def test_both_engines_agree(monkeypatch, tmp_path):
    pytest.importorskip("pygraphviz", reason="needs pygraphviz>=2, of the extra viz")
    p = drawn("mlp")
    dot = ag.pictures.dot.to_dot(p.view, bare=True)
    first = layout.lay_out([dot])[0]
    monkeypatch.setenv("PATH", str(tmp_path))
    second = layout.lay_out([dot])[0]
    assert first.boxes.keys() == second.boxes.keys()
    for name in first.boxes:
        assert first.boxes[name][2:] == pytest.approx(second.boxes[name][2:], abs=0.1)  # sizes are stated


@pytest.fixture
def slow_dot(monkeypatch):
    """Put a program that sleeps in the place of the engine."""
    monkeypatch.setattr(layout, "command", lambda _: [sys.executable, "-c", "import time; time.sleep(60)"])


@pytest.mark.usefixtures("slow_dot")
def test_a_layout_that_takes_too_long_is_a_text():
    p = drawn("scalar", timeout=0.2)
    shown = p._repr_mimebundle_()
    assert "took more than 0.2 s" in shown["text/plain"]
    assert "n2 = multiply(a, b)" in shown["text/plain"]


def test_an_engine_that_crashes_is_a_text(monkeypatch):
    monkeypatch.setattr(layout, "command", lambda _: [sys.executable, "-c", "raise SystemExit('out of cheese')"])
    p = drawn("scalar")
    assert "out of cheese" in p.static()._repr_mimebundle_()["text/plain"]


def test_displaying_never_raises(monkeypatch):
    p = drawn("scalar")

    def broken(*_):
        raise KeyError("a bug")

    monkeypatch.setattr(Picture, "_lay_out", broken)
    shown = p.static()._repr_mimebundle_()
    assert "KeyError" in shown["text/plain"]
    assert "multiply(a, b)" in shown["text/plain"]


def test_importing_the_library_imports_no_drawing():
    code = "import sys, autograd_core; print(sorted(m for m in sys.modules if 'graphviz' in m or 'pictures' in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_json_is_json():
    p = drawn("not_a_number")
    made = json.loads(p.render("json"))
    assert made["nodes"]["n0"]["gradient"]["norm"] == "nan"
    assert json.loads(json.dumps(p.to_dict(), allow_nan=False)) == p.to_dict()
    assert made["forward"] == ["n1", "n2", "n3", "n4"]
    assert made["backward"] == ["n4", "n3", "n2", "n1"]


def test_bad_arguments_are_refused_kindly(tmp_path):
    x = ag.Tensor(2.0, name="x")
    y = x * 3.0
    for call, message in [
        (lambda: ag.draw(3.0), "a Tensor, or a function"),
        (lambda: ag.draw(lambda _: 3.0, 2.0), "nothing that depends on a tracked Tensor"),
        (lambda: ag.draw(ag.Tensor(2)), "depends on no tracked Tensor"),
        (lambda: ag.draw(y, x), r"draw\(f, \*args\)"),
        (lambda: ag.draw(y, theme="pink"), "lecture, dark"),
        (lambda: ag.draw(y, direction="up"), "forward"),
        (lambda: ag.draw(y, focus="z"), "there are output, x, y|there are x, y"),
        (lambda: ag.draw(y, focus=ag.Tensor(1.0)), "a Tensor of this graph"),
        (lambda: ag.draw(y, names=[x]), "a mapping"),
        (lambda: ag.draw(y, outputs={"o": np.ones(2)}), "no tracked Tensor"),
        (lambda: ag.draw(y).save(tmp_path / "x.gif"), "svg, png, pdf"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            call()


LOSS = np.sum(ag.Tensor([1.0, 2.0], name="x") ** 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ag.draw(LOSS, max_nodes=0), "max_nodes is a whole number of at least 1, not 0"),
        (lambda: ag.draw(LOSS, max_nodes=2.5), "max_nodes is a whole number of at least 1, not 2.5"),
        (lambda: ag.draw(LOSS, depth=-1), "depth is a whole number of at least 0, not -1"),
        (lambda: ag.draw(LOSS, depth="a"), "depth is a whole number of at least 0, not 'a'"),
        (lambda: ag.draw(LOSS, focus="x", radius=-1), "radius is a whole number of at least 0, not -1"),
        (lambda: ag.draw(LOSS, timeout=0), "timeout is a positive number of seconds, not 0"),
        (lambda: ag.draw(LOSS, timeout="a"), "timeout is a positive number of seconds, not 'a'"),
        (lambda: ag.draw(LOSS, gradient=np.ones(2)), r"a gradient of shape \(2,\) for a result of shape \(\)"),
        (lambda: ag.draw(LOSS).to_dot("left"), 'direction must be "forward" or "backward", not \'left\''),
        (lambda: ag.draw(LOSS).to_svg("left"), "direction must be"),
        (lambda: ag.draw(LOSS).to_svg(theme="blue"), "theme must be one of lecture, dark, not 'blue'"),
        (lambda: ag.draw(LOSS).render("gif"), "the formats are svg, png, pdf, html, dot, json, txt, not 'gif'"),
        (lambda: ag.draw(LOSS).render("txt", direction="left"), "direction must be"),
    ],
    ids=range(13),
)
def test_arguments_that_make_no_sense(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_several_results_at_once():
    x = ag.Tensor([1.0, 2.0], name="x")
    graph = ag.draw([np.sum(x**2), {"mean": np.mean(x)}]).graph
    assert [v.role for v in graph.vertices].count("output") == 2
    np.testing.assert_allclose(graph.vertices[0].gradient.norm, np.linalg.norm([2.5, 4.5]))
    with pytest.raises(TypeError, match="this list holds no Tensors"):
        ag.draw([1.0])


@pytest.mark.skipif(layout.engine() is None, reason="needs dot on the PATH, or pygraphviz>=2")
@pytest.mark.parametrize("name", ["mlp", "micrograd", "odd_names"])
def test_a_notebook_holds_an_image_for_paper(name):
    bundle = drawn(name)._repr_mimebundle_()
    assert bundle.keys() == {"text/html", "image/png", "text/plain"}
    image = base64.b64decode(bundle["image/png"])
    assert image.startswith(b"\x89PNG")
    assert len(image) < 120_000


@pytest.mark.skipif(layout.engine() is None, reason="needs dot on the PATH, or pygraphviz>=2")
def test_the_image_for_paper_is_left_out_where_it_is_heavy_or_fails(monkeypatch):
    p = drawn("mlp")
    monkeypatch.setattr(Picture, "_drawn_by_engine", lambda *_: b"x" * 1_000_000)
    assert p._repr_mimebundle_().keys() == {"text/html", "text/plain"}

    def fails(*_):
        raise layout.NoEngine("too slow")

    monkeypatch.setattr(Picture, "_drawn_by_engine", fails)
    assert p._repr_mimebundle_().keys() == {"text/html", "text/plain"}


@pytest.mark.skipif(layout.engine() is None, reason="needs dot on the PATH, or pygraphviz>=2")
def test_a_notebook_made_a_pdf_shows_the_picture():
    exporters = pytest.importorskip("nbconvert.exporters", reason="needs nbconvert, of the extra notebook")
    data = drawn("mlp")._repr_mimebundle_()
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    cell = {"cell_type": "code", "id": "a", "execution_count": 1, "metadata": {}, "source": "p", "outputs": [output]}
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat, of the extra notebook")
    notebook = nbformat.from_dict({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    try:
        exporter = exporters.LatexExporter()
    except ValueError as error:  # nbconvert's templates lie where the environment was made
        pytest.skip(f"needs nbconvert's templates: {error}")
    body, resources = exporter.from_notebook_node(notebook)
    (image,) = resources["outputs"]
    assert image.endswith(".png")
    assert rf"{{{image}}}" in body


def net(depth):
    """Return the result of some layers, no two of them equal."""
    h = ag.Tensor(np.ones((2, 4)), name="x")
    for k in range(depth):
        h = np.tanh(h @ ag.Tensor(np.full((4 + k, 5 + k), 0.1), name=f"weight{k}"))
    return np.sum(h)


@pytest.mark.parametrize(("depth", "rankdir"), [(1, "LR"), (4, "LR"), (12, "TB"), (16, "TB")])
def test_a_strip_that_is_too_wide_is_drawn_from_top_to_bottom(depth, rankdir):
    p = ag.draw(net(depth), fold=False)
    assert f"rankdir={rankdir}" in p.to_dot()
    assert f"rankdir={rankdir}" in p.backward().to_dot()
    assert "rankdir=LR" in ag.draw(net(depth), fold=False, rankdir="LR").to_dot()
    if layout.engine() is not None:
        widths = [float(re.search(r' width="([\d.]+)pt"', p.to_svg(d))[1]) for d in ("forward", "backward")]
        assert widths[0] == widths[1] < 1600
