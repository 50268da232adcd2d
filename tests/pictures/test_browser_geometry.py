"""Geometry as a browser draws it: texts in their boxes, boxes apart, edges between their nodes, both passes in register."""

import itertools

import numpy as np
import pytest

import autograd_core as ag
import nn
from autograd_core.pictures.page import document

# Everything in the SVG's own units: what is shown of each node and edge, and points along each edge.
COLLECT = """svg => {
  const inverse = svg.getScreenCTM().inverse();
  const place = (x, y) => { const p = new DOMPoint(x, y).matrixTransform(inverse); return [p.x, p.y]; };
  const rect = e => { const r = e.getBoundingClientRect(); return [...place(r.left, r.top), ...place(r.right, r.bottom)]; };
  const shown = part => [...part.children].find(face => getComputedStyle(face).display !== "none");
  const inEllipse = (box, t) => {
    if (box.tagName !== "ellipse") return true;
    const [rx, ry] = [box.rx.baseVal.value, box.ry.baseVal.value], r = rect(t), b = rect(box);
    const middle = [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2], tall = r[3] - r[1];
    const corners = [[r[0], r[1] + tall / 4], [r[2], r[1] + tall / 4], [r[0], r[3] - tall / 4], [r[2], r[3] - tall / 4]];
    return corners.every(([x, y]) => ((x - middle[0]) / rx) ** 2 + ((y - middle[1]) / ry) ** 2 <= 1.02);
  };
  const nodes = [...svg.querySelectorAll("g.node")].map(part => ({
    id: part.dataset.node || part.dataset.module,
    box: rect(shown(part).querySelector(".box")),
    texts: [...shown(part).querySelectorAll("text")].map(t => [t.textContent, ...rect(t)]),
    out: [...shown(part).querySelectorAll("text")].filter(t => !inEllipse(shown(part).querySelector(".box"), t)).map(t => t.textContent),
  }));
  const edges = [...svg.querySelectorAll("g.edge")].map(part => {
    const face = shown(part), path = face.querySelector("path"), head = face.querySelector("polygon");
    const length = path.getTotalLength(), matrix = path.getScreenCTM();
    const points = [...Array(41).keys()].map(i => {
      const p = path.getPointAtLength(length * i / 40).matrixTransform(matrix);
      return place(p.x, p.y);
    });
    const r = head && rect(head);
    return { ids: part.dataset.edge.split(" "), points, head: r && [(r[0] + r[2]) / 2, (r[1] + r[3]) / 2] };
  });
  const legend = [...shown(svg.querySelector("g.legend")).children].map(part => [part.textContent, ...rect(part)]);
  const ground = rect(svg.querySelector(".ground")), modules = [...svg.querySelectorAll("g.module")].map(rect);
  return { nodes, edges, legend, ground, modules };
}"""


def mlp_loss():
    rng = np.random.default_rng(1)
    W1, W2 = ag.Tensor(rng.normal(size=(3, 4)), name="W1"), ag.Tensor(rng.normal(size=(4, 1)), name="W2")
    h = np.tanh(np.array([0.5, -1.2, 0.8]) @ W1)
    return np.sum(np.log1p(np.exp(h @ W2))) + 0.1 * (np.linalg.norm(W1) + np.linalg.norm(W2))


def residual():
    block = nn.Residual(nn.Linear(4, 4, rng=0), np.tanh, nn.Linear(4, 4, rng=1))
    return nn.mse(block(np.ones((2, 4))), np.zeros((2, 4)))


def scalars():
    a, b = ag.Tensor(-4.0, name="a"), ag.Tensor(2.0, name="b")
    c = a + b
    d = a * b + b**3
    c = c + c + 1
    return (d + d * 2 + c) / 2.0 + a * a


def shared():
    W = ag.Tensor(np.eye(3), name="W")
    x = np.ones(3)
    for _ in range(4):
        x = np.tanh(W @ x)
    return np.sum(x)


def recurrent():
    rng = np.random.default_rng(0)
    W, U, h = ag.Tensor(rng.normal(size=(3, 4)), name="W"), ag.Tensor(rng.normal(size=(4, 4)), name="U"), np.zeros(4)
    for t in range(5):  # each weight has five users, and is drawn again beside each
        with ag.scope(f"step {t}"):
            h = np.tanh(rng.normal(size=3) @ W + h @ U)
    return np.sum(h)


def folded():
    return np.sum(nn.MLP([4] * 15, activation="tanh", rng=0)(np.ones((2, 4))))


def single():
    a = ag.Tensor(2.0, name="a")
    return a * a


def rectified():
    a, b = ag.Tensor(-4.0), ag.Tensor(2.0)
    return ag.relu(a * b) + b


def not_finite():
    x = ag.Tensor([0.0, 1.0], name="a long name")
    with np.errstate(all="ignore"):
        return np.sum(np.log(x) * np.sqrt(x))


def gap(point, box):
    """Return how far a point is from a box."""
    (x, y), (left, top, right, bottom) = point, box
    return float(np.hypot(max(left - x, 0, x - right), max(top - y, 0, y - bottom)))


def overlaps(legend):
    """Return which signs and texts of a legend lie on one another; the shaft and the head of its arrow may."""
    found = []
    for (a, *A), (b, *B) in itertools.combinations(legend, 2):
        if (a or b) and min(A[2], B[2]) - max(A[0], B[0]) > 0 and min(A[3], B[3]) - max(A[1], B[1]) > 2:
            found.append(f"{a!r} and {b!r} of the legend overlap")
    return found


def blanks(scene):
    """Return at which sides the canvas is empty, or cuts something off."""
    things = [n["box"] for n in scene["nodes"]] + [r for _, *r in scene["legend"]] + scene["modules"]
    things += [[*p, *p] for e in scene["edges"] for p in e["points"]]
    margins = [abs(pick(t[k] for t in things) - scene["ground"][k]) for k, pick in enumerate((min, min, max, max))]
    wide = scene["ground"][2] > 330  # no legend is wider than this
    limits = (28, 28, 28, 48) if wide else (80, 28, 80, 48)
    return [f"{m:.0f} blank at side {k}" for k, (m, most) in enumerate(zip(margins, limits, strict=True)) if m > most]


def faults(scene, edges, backward):
    """Return what is wrong with a scene, in words."""
    found = overlaps(scene["legend"]) + [f"{words!r} leaves its ellipse" for n in scene["nodes"] for words in n["out"]]
    found += blanks(scene)
    boxes = [(node["id"], node["box"]) for node in scene["nodes"]]  # a shared leaf may be drawn several times
    for node in scene["nodes"]:
        for words, left, top, right, bottom in node["texts"]:
            box = node["box"]
            if left < box[0] - 0.5 or right > box[2] + 0.5 or top < box[1] - 3 or bottom > box[3] + 3:
                found.append(f"{words!r} leaves its box {node['id']}")
    for (a, A), (b, B) in itertools.combinations(boxes, 2):
        if min(A[2], B[2]) - max(A[0], B[0]) > 0.5 and min(A[3], B[3]) - max(A[1], B[1]) > 0.5:
            found.append(f"{a} and {b} overlap")
    for edge in scene["edges"]:
        ends = edges[edge["ids"][0]]
        sources, targets = ([box for i, box in boxes if i == ends[way]] for way in ("from", "to"))
        if not sources or not targets:
            continue  # one of them is inside a closed module
        near = [
            min(gap(p, box) for box in own for p in (edge["points"][0], edge["points"][-1]))
            for own in (sources, targets)
        ]
        if max(near) > 14:
            found.append(f"{edge['ids']} ends {max(near):.0f} from its nodes")
        if edge["head"]:
            to, away = (sources, targets) if backward else (targets, sources)
            to, away = (min(gap(edge["head"], box) for box in own) for own in (to, away))
            if to > 12 or to >= away:
                found.append(f"{edge['ids']} points the wrong way")
        for i, box in boxes:
            shrunk = [box[0] + 2, box[1] + 2, box[2] - 2, box[3] - 2]
            if i not in (ends["from"], ends["to"]) and any(gap(p, shrunk) == 0 for p in edge["points"]):
                found.append(f"{edge['ids']} runs through {i}")
    return found


LOSSES = [mlp_loss, residual, scalars, shared, recurrent, folded, single, rectified, not_finite]


@pytest.mark.parametrize("rankdir", ["LR", "TB"])
@pytest.mark.parametrize("loss", LOSSES)
def test_both_passes_are_drawn_well_and_in_register(visit, loss, rankdir):
    data = ag.draw(loss(), rankdir=rankdir).to_dict()
    if not data["views"]:
        pytest.skip("needs a layout engine: Graphviz's dot, or pygraphviz")
    page = visit.open(document(data))
    if len(data["views"]) > 1:
        page.locator("button.open").click()
    scenes = []
    for way in ("forward", "backward"):
        page.locator(f"button.{way}").click()
        scene = page.locator(".stage > svg").evaluate(COLLECT)
        assert faults(scene, data["edges"], way == "backward") == []
        assert len(scene["nodes"]) > 2
        scenes.append(scene["nodes"])
    there, back = scenes
    assert [node["id"] for node in there] == [node["id"] for node in back]
    np.testing.assert_allclose([node["box"] for node in there], [node["box"] for node in back], atol=0.01)


def test_the_judge_sees_faults(visit):
    data = ag.draw(mlp_loss()).to_dict()
    if not data["views"]:
        pytest.skip("needs a layout engine: Graphviz's dot, or pygraphviz")
    page = visit.open(document(data))
    scene = page.locator(".stage > svg").evaluate(COLLECT)
    small, turned = ({**scene, "nodes": [dict(n) for n in scene["nodes"]]} for _ in range(2))
    for node in small["nodes"]:
        x0, y0, x1, y1 = node["box"]
        node["box"] = [x0 + (x1 - x0) / 3, y0, x1 - (x1 - x0) / 3, y1]
    assert any("leaves its box" in f for f in faults(small, data["edges"], False))
    assert any("wrong way" in f for f in faults(turned, data["edges"], True))
    crowded = {**scene, "legend": [[words, x0 - 8, y0, x1 + 8, y1] for words, x0, y0, x1, y1 in scene["legend"]]}
    assert any("of the legend overlap" in f for f in faults(crowded, data["edges"], False))
    left, top, right, bottom = scene["ground"]
    assert any(
        "blank at side 2" in f
        for f in faults({**scene, "ground": [left, top, right + 40, bottom]}, data["edges"], False)
    )
