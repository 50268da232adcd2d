"""The picture as DOT text, with the size of every box stated: all engines and fonts give the same layout.

Forward and backward are one text with other attributes, none of which moves a box.
"""

from __future__ import annotations

import math
from typing import Any

from .heat import paint
from .labels import NOTE, Label, Labels, box_size, split_name
from .numbers import norm_of
from .ranks import RANKSEP, hanging, length, spine, weight
from .themes import THEMES
from .view import Key, Link, View, role_of
from .writing import LOW

WIDEST = 1400.0  # points of the longest way: pictures are up to a fifth wider, about 2,000 pixels
THINNEST, THICKEST = 0.7, 3.4
LEAST, MOST = 3.0, 8.0  # decades between them


def escape(text: str) -> str:
    """Return text for an HTML-like label."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def quote(text: str) -> str:
    """Return text in quotation marks."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_round(role: str) -> bool:
    """Say whether a role is drawn as an ellipse."""
    return role in ("input", "output", "constant")


def sizes(view: View, labels: Labels) -> dict[Key, tuple[float, float]]:
    """Return width and height of every box in points."""
    return {k: box_size(labels.of(k, False), labels.of(k, True), is_round(role_of(view, k))) for k in view.boxes}


def best_direction(view: View) -> str:
    """Return "LR", or "TB" where left to right would be a strip wider than a page."""
    return "TB" if length(view, sizes(view, Labels(view))) > WIDEST else "LR"


def edge_width(norm: float, scale: tuple[float, float]) -> float:
    """Return how thick a gradient is drawn: by the logarithm of its norm, on a scale of the largest and of decades.

    Examples
    --------
    >>> edge_width(1.0, (1.0, 6.0)), edge_width(1e-3, (1.0, 6.0)), edge_width(0.0, (1.0, 6.0))
    (3.4, 2.05, 0.7)
    """
    largest, decades = scale
    if math.isnan(norm) or math.isinf(norm):
        return THICKEST
    if not norm or not largest or not math.isfinite(largest):
        return THINNEST
    share = max(0.0, 1 + (math.log10(norm) - math.log10(largest)) / decades)
    return round(THINNEST + (THICKEST - THINNEST) * share, 2)


def flow_scale(view: View) -> tuple[float, float]:
    """Return the largest finite norm that flows along an edge, and how many decades below it the smallest is."""
    norms = [n for link in view.links if link.flow is not None and 0 < (n := norm_of(link.flow)) < math.inf]
    if not norms:
        return 0.0, LEAST
    return max(norms), min(MOST, max(LEAST, math.log10(max(norms)) - math.log10(min(norms))))


def fades(view: View, key: Key, backward: bool) -> bool:
    """Say whether a box is drawn with dashes: a constant, or what no gradient comes to."""
    if key[0] == "m":
        return False
    v = view.graph.vertices[view.vertex(key)]
    return key[0] == "c" or v.role == "constant" or (backward and v.role in ("input", "output") and v.gradient is None)


WIDTHS = {"parameter": "2.2", "failed": "3.4"}


def look(role: str, dashed: bool, theme: dict[str, str]) -> dict[str, str]:
    """Return the colours and the line of a box."""
    if role == "module":
        names = ("box", "operation_line", "text")
    elif role in ("operation", "parameter", "failed"):
        names = (role, f"{role}_line", "filled_text")
    else:
        kind = "constant" if dashed else "input"
        names = (kind, f"{kind}_line", f"{kind}_text")
    fill, line, text = (theme[name] for name in names)
    return {"fill": fill, "line": line, "text": text, "width": WIDTHS.get(role, "1.3")}


def to_dot(
    view: View, backward: bool = False, theme: str = "lecture", *, bare: bool = False, rankdir: str = "LR"
) -> str:
    """Return the DOT text of a view; `bare` is what the layout needs, without labels."""
    return _Writer(view, backward, theme, bare, rankdir).text()


class _Writer:
    """One DOT text on its way."""

    def __init__(self, view: View, backward: bool, theme: str, bare: bool, rankdir: str) -> None:
        self.view, self.backward, self.theme, self.bare = view, backward, THEMES[theme], bare
        self.rankdir = rankdir
        self.labels = Labels(view)
        self.sizes = sizes(view, self.labels)
        self.straight = spine(view)
        self.hangs, self.above = hanging(view, self.straight)
        self.scale = flow_scale(view)
        self.paint = paint(view)
        self.first = {link.source: k for k, link in reversed(list(enumerate(view.links)))}
        self.inside: dict[int | None, list[Key]] = {}
        for key in view.boxes:
            self.inside.setdefault(view.frame_of[key], []).append(key)
        self.below: dict[int | None, list[int]] = {}
        for k in view.frames:
            self.below.setdefault(view.graph.modules[k].parent, []).append(k)

    def text(self) -> str:
        """Return all of it."""
        t = self.theme
        graph = {
            "rankdir": self.rankdir,
            "newrank": "true",
            "bgcolor": quote(t["ground"]),
            "pad": "0.25",
            "nodesep": "0.36",
            "ranksep": f"{RANKSEP / 72:.2f}",
            "splines": "true",
            "fontname": quote("Helvetica,Arial,sans-serif"),
            "fontsize": "11",
            "fontcolor": quote(t["muted"]),
        }
        rows = ["digraph autograd {", f"  graph [{attributes(graph)}];"]
        rows.append('  node [fixedsize=true, fontname="Helvetica,Arial,sans-serif", fontsize=13, label=""];')
        rows.append("  edge [arrowsize=0.7];")
        rows += self._level(None, "  ")
        rows += [f"  {{rank=same; {self.view.id(a)}; {self.view.id(b)}}}" for a, b in self.hangs.items()]
        rows += [self._edge(k, link) for k, link in enumerate(self.view.links)]
        return "\n".join([*rows, "}", ""])

    def _level(self, frame: int | None, indent: str) -> list[str]:
        """Return the boxes directly inside a module, and its modules."""
        rows = []
        things: list[tuple[int, Key | int]] = [(self._first(k), k) for k in self.inside.get(frame, ())]
        things += [(self.view.graph.modules[m].first, m) for m in self.below.get(frame, ())]
        for _, thing in sorted(things, key=lambda pair: (pair[0], isinstance(pair[1], tuple))):
            rows += self._cluster(thing, indent) if isinstance(thing, int) else [indent + self._node(thing)]
        return rows

    def _first(self, key: Key) -> int:
        if key[0] == "c":
            return self.view.graph.edges[key[1]].target
        return key[1] if key[0] == "n" else self.view.graph.modules[key[1]].first

    def _cluster(self, m: int, indent: str) -> list[str]:
        t = self.theme
        drawn = {
            "style": quote("rounded,filled"),
            "fillcolor": quote(t["box"]),
            "color": quote(t["box_line"]),
            "margin": "11",
            "labeljust": "l",
            "label": quote(self.labels.frame(m)),
        }
        rows = [f"{indent}subgraph cluster_m{m} {{", f"{indent}  graph [{attributes(drawn)}];"]
        return [*rows, *self._level(m, indent + "  "), indent + "}"]

    def _node(self, key: Key) -> str:
        role = role_of(self.view, key)
        width, height = self.sizes[key]
        shown: dict[str, Any] = {"width": f"{width / 72:.4f}", "height": f"{height / 72:.4f}"}
        shown["shape"] = "ellipse" if is_round(role) else "box"
        if not self.bare:
            dashed = fades(self.view, key, self.backward)
            c = look(role, dashed, self.theme)
            if key in self.paint.boxes:
                c |= dict(zip(("fill", "text"), self.paint.boxes[key], strict=False))
            style = [
                "filled",
                *(["rounded"] if role in ("operation", "module", "failed") else []),
                *(["dashed"] if dashed else []),
            ]
            shown |= {
                "style": quote(",".join(style)),
                "fillcolor": quote(c["fill"]),
                "color": quote(c["line"]),
                "fontcolor": quote(c["text"]),
                "penwidth": c["width"],
                "class": role,
                "label": html(self.labels.of(key, self.backward)),
            }
            if not_finite(self.view, key, self.backward):
                shown |= {"penwidth": "4", "color": quote(self.theme["ring"])}
        return f"{self.view.id(key)} [{attributes(shown)}];"

    def _edge(self, k: int, link: Link) -> str:
        first = self.first[link.source] == k and link.source not in self.hangs
        turned = link.source in self.above and self.hangs[link.source] == link.target
        shown: dict[str, Any] = {
            "id": link.id,
            "weight": weight(self.view, link, k in self.straight, first, self.hangs),
        }
        if turned:
            shown["class"] = "turned"
        if self.bare:
            shown["dir"] = "none"
        elif not self.backward:
            shown |= {"color": quote(self.theme["edge"]), "penwidth": 1.3, "dir": "back" if turned else "forward"}
        elif link.flow is None:
            shown |= {"color": quote(self.theme["constant_line"]), "penwidth": 1.1, "style": "dashed", "dir": "none"}
        else:
            width = edge_width(norm_of(link.flow), self.scale)
            direction = "forward" if turned else "back"
            shown |= {"color": quote(self.theme["flow"]), "penwidth": width, "dir": direction}
        ends = [self.view.id(link.source), self.view.id(link.target)]
        return f"  {' -> '.join(ends[::-1] if turned else ends)} [{attributes(shown)}];"


def not_finite(view: View, key: Key, backward: bool) -> bool:
    """Say whether a value, or going backward a gradient, is NaN or infinite somewhere."""
    found = view.graph.columns.broken_gradients if backward else view.graph.columns.broken_values
    if key[0] == "m":
        m = view.graph.modules[key[1]]
        return bool(found[m.first : m.last].any())
    k = view.vertex(key)
    return bool(found[view.members.get(k, [k])].any())


def attributes(of: dict[str, Any]) -> str:
    """Return attributes as DOT writes them."""
    return ", ".join(f"{k}={v}" for k, v in of.items())


def html(label: Label) -> str:
    """Return the text of a box as an HTML-like label."""
    title = "".join(escape(p.translate(LOW) if low else p) for p, low in split_name(label.title))
    notes = "".join(f'<BR/><FONT POINT-SIZE="{NOTE:g}">{escape(n)}</FONT>' for n in label.notes if n)
    return f"<<B>{title or ' '}</B>{notes}>"
