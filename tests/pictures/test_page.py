"""The page without a browser: what stands in the HTML, that nothing a user wrote becomes markup, equal bytes, and its size.

The data is made by hand here, so that these tests need neither a layout engine nor the rest of the drawing.
"""

import base64
import copy
import json
import random
import re
import zlib
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_core as ag
import nn
from autograd_core.pictures import layout, page

HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; alert(1); '",
    "<!-- <script>",
    "]]> &amp; &lt; ${alert(1)} `",
    "a\u2028b\u2029c\x00\x1b\x85\ud800\ufffe",
    "\\u003c\\",
    "javascript:alert(1)",
]


def stats(value):
    return {
        "n": 1,
        "text": str(value),
        "mean": value,
        "min": value,
        "max": value,
        "norm": abs(value),
        "nonfinite": 0,
        "histogram": None,
    }


def handmade(name="x"):
    """Return the data of y = x * x as a picture would give it."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><g class="node input" data-node="n0"/></svg>'
    x = {"role": "parameter", "name": name, "op": "", "symbol": "", "shape": [], "dtype": "float64", "module": "m0"}
    y = {
        "role": "operation",
        "name": name,
        "op": "multiply",
        "symbol": "×",
        "shape": [],
        "dtype": "float64",
        "module": None,
    }
    x |= {
        "formula": "",
        "pull": [],
        "operands": [],
        "source": None,
        "value": stats(3.0),
        "gradient": stats(6.0),
        "why_none": None,
    }
    y |= {"formula": f"{name} × {name}", "pull": [f"g {name}"] * 2, "operands": ["n0", "n0"], "source": f"{name}:3"}
    y |= {"value": stats(9.0), "gradient": stats(1.0), "why_none": None}
    edge = {"from": "n0", "to": "n1", "flow": stats(3.0)}
    return {
        "title": name,
        "alt": f"graph of {name}",
        "theme": "auto",
        "direction": "forward",
        "engine": "none",
        "note": name,
        "text": f"y = {name}",
        "views": [
            {"collapsed": [], "forward": svg, "backward": svg},
            {"collapsed": ["m0"], "forward": svg, "backward": None},
        ],
        "modules": {"m0": {"name": name, "kind": name, "parent": None, "note": name, "opens": True}},
        "nodes": {"n0": x, "n1": y},
        "edges": {"e0": edge | {"argument": 0}, "e1": edge | {"argument": 1}},
        "forward": ["n1"],
        "backward": ["n1"],
    }


class Parsed(HTMLParser):
    """What a parser sees: tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words, self.scripts, self.inside = [], "", [], None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, _):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts.append(data)
        elif self.inside != "style":
            self.words += data


CALL = re.compile(r'upgrade\(document\.currentScript,"([0-9a-f]{12})","([A-Za-z0-9+/=]+)","([^"<]|\\")*"\);}\)\(\)$')


def payload(html):
    """Return the data in the call at the script's end."""
    (script,) = Parsed(html).scripts
    return json.loads(zlib.decompress(base64.b64decode(CALL.search(script)[2])))


def test_the_image_comes_first_and_needs_nothing():
    html = page.fragment(handmade())
    parsed = Parsed(html)
    assert [tag for tag, _ in parsed.tags] == ["div", "img", "script"]
    image = parsed.tags[1][1]
    assert set(image) == {"alt", "style", "src"}
    assert image["alt"] == "graph of x"
    svg = base64.b64decode(image["src"].removeprefix("data:image/svg+xml;base64,")).decode()
    assert svg == handmade()["views"][0]["forward"]


def test_no_text_is_left_when_scripts_and_styles_are_stripped():
    html = re.sub(r"<(script|style)\b.*?</\1>", "", page.fragment(handmade()), flags=re.S)
    assert Parsed(html).words == ""


def test_the_first_picture_is_sent_once():
    assert payload(page.fragment(handmade()))["views"][0]["forward"] is None
    backward = handmade() | {"direction": "backward"}
    backward["views"][0]["backward"] = "<svg/>"
    assert base64.b64encode(b"<svg/>").decode() in page.fragment(backward)
    assert payload(page.fragment(backward))["views"][0]["backward"] is None


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("make", [page.fragment, page.document])
def test_no_name_becomes_markup(make, name):
    harmless, hostile = make(handmade()), make(handmade(name))
    hostile.encode()  # no lone surrogate is left
    assert [tag for tag, _ in Parsed(hostile).tags] == [tag for tag, _ in Parsed(harmless).tags]
    assert [set(attrs) for _, attrs in Parsed(hostile).tags] == [set(attrs) for _, attrs in Parsed(harmless).tags]
    assert payload(hostile)["nodes"]["n0"]["name"] == name


@given(st.text())
def test_any_text_survives_as_data(name):
    html = page.document(handmade(name))
    html.encode()
    assert payload(html)["nodes"]["n1"]["formula"] == f"{name} × {name}"
    assert len(Parsed(html).scripts) == 1


def test_without_a_picture_the_text_tree_is_shown():
    data = handmade("<b>") | {"views": [], "note": "install <graphviz>"}
    assert (
        page.fragment(data)
        == '<div class="ag-picture"><p>install &lt;graphviz&gt;</p><pre style="font-family:monospace">y = &lt;b&gt;</pre></div>'
    )
    assert "<script" not in page.document(data)


def test_equal_data_equal_bytes_and_data_is_left_alone():
    data = handmade()
    before = copy.deepcopy(data)
    assert page.document(data) == page.document(copy.deepcopy(data))
    assert data == before
    token = re.search('data-ag-picture="([0-9a-f]{12})"', page.fragment(data))[1]
    assert token not in page.fragment(handmade("z"))


def test_numbers_without_a_word_in_json_are_strings():
    data = handmade()
    data["nodes"]["n0"]["value"] |= {"mean": float("nan"), "min": float("-inf"), "max": float("inf")}
    found = payload(page.fragment(data))["nodes"]["n0"]["value"]
    assert (found["mean"], found["min"], found["max"]) == ("nan", "-inf", "inf")


def test_the_page_asks_no_network_for_anything():
    html = page.document(handmade())
    (policy,) = [
        attrs["content"] for tag, attrs in Parsed(html).tags if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; img-src data:;")
    code = page.script() + page.style()
    assert set(re.findall(r"https?://[^\"' ]*", code)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(
        r"\bfetch\b|XMLHttp|WebSocket|\bimport\b|@import|url\(|<!--|</script|eval\(|innerHTML|document\.write", code
    )


def test_scripts_lose_comments_and_nothing_else():
    for name in page.SCRIPTS:
        for line in files("autograd_core.pictures").joinpath(name).read_text("utf-8").splitlines():
            code, mark, _ = line.partition(" // ")
            if mark:
                assert all(code.count(quote) % 2 == 0 for quote in "'\"`"), (
                    f"a string holds what looks like a comment: {line}"
                )
            assert line.count("`") % 2 == 0, f"a template over several lines would lose its indentation: {line}"


def test_what_every_picture_carries_is_small():
    assert len(page.script()) + len(page.style()) < 45_000


def layers():
    """Return the result of a deep network."""
    return nn.MLP([4] * 26, rng=0)(np.ones((2, 4)))


def scalars():
    """Return numbers combined at random: nothing repeats."""
    chance = random.Random(0)
    values = [ag.Tensor(chance.random(), name=f"x{k}") for k in range(10)]
    for _ in range(70):
        a, b = (values[-1 - chance.randrange(min(len(values), 30))] for _ in range(2))
        kind = chance.randrange(3)
        values.append(a * b if kind == 0 else np.tanh(a + b) if kind == 1 else a - b)
    return sum(values[-20:])


@pytest.mark.skipif(layout.engine() is None, reason="needs dot on the PATH, or pygraphviz>=2")
@pytest.mark.parametrize("what", [scalars, layers])
def test_a_page_of_a_hundred_boxes_is_light(what):
    p = ag.draw(what(), fold=False, max_nodes=110)
    assert len(p.view.boxes) == pytest.approx(100, abs=8)
    assert len(p.render("html")) <= 250_000
