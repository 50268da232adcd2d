"""The SVG: counts, numbers re-read, forward and backward in register, odd names, nothing that could run or be fetched."""

import functools
import math
import re
import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures.programs import PROGRAMS, drawn, micrograd, mlp

import autograd_core as ag
from autograd_core.pictures import layout
from autograd_core.pictures.numbers import norm_of
from autograd_core.pictures.svg import escape
from autograd_core.pictures.themes import THEMES

pytestmark = pytest.mark.skipif(layout.engine() is None, reason="needs dot on the PATH, or pygraphviz>=2")
picture = functools.cache(drawn)  # laid out once
SVG = "{http://www.w3.org/2000/svg}"


def parts(svg, kind):
    """Return the groups of a class in an SVG text."""
    return [g for g in ET.fromstring(svg).iter(SVG + "g") if kind in g.get("class", "").split()]


def words(group):
    """Return the lines of text in a box."""
    return ["".join(t.itertext()) for t in group.iter(SVG + "text")]


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_boxes_and_arrows_are_those_of_the_view(name, direction):
    p = picture(name)
    svg = p.to_svg(direction)
    assert len(parts(svg, "node")) == len(p.view.boxes)
    assert len(parts(svg, "edge")) == len(p.view.links)
    told = sorted(int(e[1:]) for g in parts(svg, "edge") for e in g.get("data-edge").split())
    assert told == sorted(k for link in p.view.links for k in link.edges)
    if not p.view.members:
        assert told == list(range(len(p.graph.edges)))
        assert len({g.get("data-node") for g in parts(svg, "node")}) == len(p.graph.vertices)


def centre(group):
    """Return the centre of a box."""
    box = next(e for e in group if e.get("class") == "box")
    if box.tag == SVG + "ellipse":
        return float(box.get("cx")), float(box.get("cy"))
    x, y, w, h = (float(box.get(a)) for a in ("x", "y", "width", "height"))
    return x + w / 2, y + h / 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_forward_and_backward_are_in_register(name):
    p = picture(name)
    forward, backward = (parts(p.to_svg(d), "node") for d in ("forward", "backward"))
    for a, b in zip(forward, backward, strict=True):
        assert a.get("data-node") == b.get("data-node")
        assert math.dist(centre(a), centre(b)) < 0.01


@pytest.mark.parametrize("name", ["mlp", "micrograd", "recurrent"])
def test_dot_gives_forward_and_backward_the_same_places(name):
    """Also for somebody who runs Graphviz on the two DOT texts."""
    p = picture(name)
    a, b = (layout.lay_out([p.to_dot(d)])[0] for d in ("forward", "backward"))
    assert a.boxes.keys() == b.boxes.keys()
    shift = {(round(a.boxes[k][0] - b.boxes[k][0], 2), round(a.boxes[k][1] - b.boxes[k][1], 2)) for k in a.boxes}
    assert len(shift) == 1
    bare = layout.lay_out([ag.pictures.dot.to_dot(p.view, bare=True, rankdir=p.rankdir)])[0]
    shift = {(round(a.boxes[k][0] - bare.boxes[k][0], 2), round(a.boxes[k][1] - bare.boxes[k][1], 2)) for k in a.boxes}
    assert len(shift) == 1


def test_top_to_bottom():
    p = drawn("mlp", rankdir="TB")
    place = {g.get("data-node"): centre(g) for g in parts(p.to_svg(), "node")}
    across = {g.get("data-node"): centre(g) for g in parts(picture("mlp").to_svg(), "node")}
    for ends in p.graph.edges:  # no arrow goes up; in the usual picture none goes left
        assert place[f"n{ends.source}"][1] <= place[f"n{ends.target}"][1] + 0.5
        assert across[f"n{ends.source}"][0] <= across[f"n{ends.target}"][0] + 0.5
    assert place == {g.get("data-node"): centre(g) for g in parts(p.to_svg("backward"), "node")}
    with pytest.raises(ValueError, match='rankdir must be "LR", left to right, or "TB"'):
        drawn("mlp", rankdir="down")


def test_numbers_are_read_again():
    told = micrograd()
    p = ag.draw(told.pop("what"), **told)
    for direction in ("forward", "backward"):
        for g in parts(p.to_svg(direction), "node"):
            v = p.graph.vertices[int(g.get("data-node")[1:])]
            if v.gradient is None:  # a relu lets nothing through
                assert v.label == "+"
                assert "∂" not in words(g)[-1]
                continue
            text = " ".join(words(g)).replace("−", "-")
            gradient = float(re.search(r"∂ (-?[\d.e+-]+)", text)[1])
            assert gradient == pytest.approx(v.gradient.mean, rel=5e-4)
            if direction == "forward":
                value = float(re.search(r"(-?[\d.e+-]+) ∂", text)[1])
                assert value == pytest.approx(v.value.mean, rel=5e-4)


def test_norms_are_read_again():
    told = mlp()
    loss = told.pop("what")
    W1 = next(n for n in [loss._node] if n)  # the tape itself is asked below
    svg = ag.draw(loss, **told).to_svg("backward")
    loss.backward(retain_graph=True)
    red = {words(g)[0]: words(g)[1] for g in parts(svg, "parameter")}
    stack, leaves = [W1], {}
    while stack:
        node = stack.pop()
        leaves |= {node.name: node} if node.op is None else {}
        stack += [p for p in node.parents if p is not None]
    for name in ("W1", "W2"):
        text = next(t for title, t in red.items() if title.endswith(name))
        assert text.startswith("Σ of 2")
        shown = float(text.partition("= ")[2].replace("−", "-"))
        assert shown == pytest.approx(np.linalg.norm(leaves[name].grad), rel=5e-4)


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_runs_and_nothing_is_fetched(name):
    for theme in THEMES:
        svg = picture(name).to_svg(theme=theme)
        assert ET.fromstring(svg).get("role") == "img"
        assert not re.search(r"<script|<a |href|url\(|style=|\sid=|on\w+=", svg)
        assert svg.count("http") == 1  # the name space


def test_themes_differ_in_colours_only():
    p = picture("mlp")
    light, dark = (re.sub("#[0-9A-F]{6}", "#", p.to_svg("backward", theme=t)) for t in THEMES)
    assert light == dark
    assert THEMES["lecture"].keys() == THEMES["dark"].keys()


def luminance(colour):
    """Return the relative luminance of WCAG 2."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("theme", THEMES)
def test_contrast(theme):
    c = THEMES[theme]
    pairs = [("text", "ground"), ("muted", "ground"), ("muted", "box"), ("input_text", "input"), ("text", "box")]
    pairs += [("constant_text", "constant"), ("filled_text", "parameter"), ("filled_text", "operation")]
    for a, b in [*pairs, ("edge", "ground"), ("flow", "ground"), ("flow", "box")]:
        light, dark = sorted((luminance(c[a]), luminance(c[b])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (a, b)


def test_a_large_gradient_is_drawn_thicker():
    h = x = ag.Tensor(1.0, name="x")
    for _ in range(6):
        h = h * 0.01
    p = ag.draw(h, fold=False)
    widths = {}
    for g in parts(p.to_svg("backward"), "edge"):
        line = next(e for e in g if e.get("class") == "line")
        widths[g.get("data-edge")] = float(line.get("stroke-width"))
    flows = [norm_of(e.flow) for e in p.graph.edges]
    assert flows == sorted(flows)
    drawn_widths = [widths[f"e{k}"] for k in range(len(flows))]
    assert drawn_widths == sorted(drawn_widths)
    assert drawn_widths[-1] > 4 * drawn_widths[0]
    assert x.grad is None


def test_nan_is_ringed():
    p = picture("not_a_number")
    ringed = {p.graph.vertices[int(g.get("data-node")[1:])].label for g in parts(p.to_svg("backward"), "nonfinite")}
    assert ringed == {"exp", ""}  # exp receives log x, x receives both; log receives exp x, which is finite
    assert parts(p.to_svg("forward"), "nonfinite")[0].find(SVG + "rect[@class='ring']") is not None


@settings(max_examples=12)
@given(st.lists(st.text(max_size=20), min_size=3, max_size=3))
def test_any_name(names):
    a, b = ag.Tensor(1.0, name=names[0]), ag.Tensor([2.0, 3.0], name=names[1])
    with ag.scope(names[2]):
        c = a * b
    c.name = names[2]
    p = ag.draw(np.sum(c + a), outputs={names[1]: c})
    for direction in ("forward", "backward"):
        svg = p.to_svg(direction)
        boxes = parts(svg, "node")
        assert len(boxes) == len(p.view.boxes)
    assert ET.fromstring(svg).find(SVG + "title").text.strip() == escape_free(p.alt)


def escape_free(text):
    """Return text as an XML parser gives it back."""
    return ET.fromstring(f"<t>{escape(text)}</t>").text.strip()


# Colour vision without red, green or blue cones: Machado, Oliveira and Fernandes (2009), severity 1.
BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(colour, eyes):
    """Return CIE Lab coordinates of a colour as such eyes see it."""
    channels = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(BLIND[eyes]) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", BLIND)
@pytest.mark.parametrize("theme", THEMES)
def test_roles_differ_to_all_eyes(theme, eyes):
    fills = [lab(THEMES[theme][role], eyes) for role in ("parameter", "operation", "input")]
    for k in range(3):
        assert np.linalg.norm(fills[k] - fills[k - 1]) >= 55


def test_each_role_has_its_own_shape():
    """Red and blue are the same grey."""
    outlines = {}
    for g in parts(picture("mlp").to_svg(), "node"):
        box = next(e for e in g if e.get("class") == "box")
        outlines.setdefault(g.get("class").split()[1], set()).add(
            (box.tag, box.get("rx") if box.tag == SVG + "rect" else "")
        )
    assert len({tuple(sorted(o)) for role, o in outlines.items() if role != "output"}) == len(outlines) - 1


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs dot on the PATH")
def test_files(tmp_path):
    p = picture("mlp")
    starts = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph", "json": b"{", "txt": b"x = input"}
    for form, start in starts.items():
        path = p.save(tmp_path / f"mlp.{form}")
        assert path.read_bytes().startswith(start)
        assert p.save(tmp_path / f"again.{form}").stat().st_size > 100
    assert p.save(tmp_path / "b.svg", direction="backward").read_text("utf-8") == p.backward().to_svg()
