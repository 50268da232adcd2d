"""From places to SVG: plain shapes and text with attributes only, so that no sanitiser can blacken it.

No ids, no styles, no references: several pictures may stand on one page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape as xml_escape

from .dot import edge_width, fades, flow_scale, is_round, look, not_finite
from .heat import LEGENDS, paint, shade
from .labels import LINE, NOTE, TITLE, Label, Labels, split_name, text_width
from .layout import Layout, Point
from .numbers import norm_of, tell, tell_shape
from .themes import FONT, THEMES
from .view import Key, Link, View, role_of
from .writing import formula

PAD = 18.0
LEGEND_ROW, LEAST_LEGEND = 20.0, 240.0  # the height of a row; a legend may be so wide, however narrow the drawing is
SMALL = 11.0
LEGEND_BOXES = (  # a role that is drawn, its name, and for which roles it stands
    ("input", "input / output", {"input", "output"}),
    ("parameter", "parameter", {"parameter"}),
    ("operation", "operation", {"operation"}),
    ("failed", "failed", {"failed"}),
)
HEAD = 8.0  # length of an arrow's head
SHADOW = 4.0


def f(x: float) -> str:
    """Return a coordinate."""
    text = f"{x:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def escape(text: str) -> str:
    """Return text for XML, without the characters that it cannot hold."""
    return xml_escape("".join(c if c.isprintable() or c == "\n" else " " for c in text), {'"': "&quot;"})


def to_svg(view: View, layout: Layout, *, backward: bool, theme: str, alt: str, description: str) -> str:
    """Return the picture of a view."""
    return _Writer(view, layout, backward, THEMES[theme]).text(alt, description)


class _Writer:
    """One SVG on its way."""

    def __init__(self, view: View, layout: Layout, backward: bool, theme: dict[str, str]) -> None:
        self.view, self.layout, self.backward, self.theme = view, layout, backward, theme
        self.labels = Labels(view)
        self.scale = flow_scale(view)
        self.paint = paint(view)
        self.legends = [self._legend(which) for which in (False, True)]
        self.width = max(layout.width, *[w for _, w, _ in self.legends])  # one: a page turns either into the other
        self.left = PAD + (self.width - layout.width) / 2

    def text(self, alt: str, description: str) -> str:
        """Return all of it."""
        width = self.width + 2 * PAD
        height = self.layout.height + 2 * PAD + max(h for _, _, h in self.legends)
        rows = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{f(width)}pt" height="{f(height)}pt" '
            f'viewBox="0 0 {f(width)} {f(height)}" role="img" aria-label="{escape(alt)}" font-family="{FONT}">',
            f"<title>{escape(alt)}</title><desc>{escape(description)}</desc>",
            f'<rect class="ground" width="{f(width)}" height="{f(height)}" fill="{self.theme["ground"]}"/>',
            *[self._frame(m) for m in self.view.frames],
            *[self._shadows(key) for key in self.view.boxes],
            *[self._edge(link) for link in self.view.links],
            *[self._node(key) for key in self.view.boxes],
            *self.legends[self.backward][0],
            "</svg>",
        ]
        return "\n".join(row for row in rows if row) + "\n"

    # --- modules ------------------------------------------------------------------------------------------------------

    def _frame(self, m: int) -> str:
        box = self.layout.frames.get(f"m{m}")
        if box is None:
            return ""
        left, right = box[0] + self.left, box[2] + self.left
        top, bottom = box[1] + PAD, box[3] + PAD
        t, module = self.theme, self.view.graph.modules[m]
        shape = f'rx="10" fill="{t["box"]}" stroke="{t["box_line"]}" stroke-width="1"'
        shadows = ""
        if module.times > 1:
            for d in (2 * SHADOW, SHADOW):
                shadows += f'<rect class="shadow" {rect(left + d, top - d, right - left, bottom - top)} {shape}/>'
        return (
            f'<g class="module" data-module="m{m}">{shadows}'
            f'<rect class="box" {rect(left, top, right - left, bottom - top)} {shape}/>'
            + self._line(left + 9, top + 15, self.labels.frame(m), 11, t["muted"], kind="name", anchor="start")
            + "</g>"
        )

    # --- edges --------------------------------------------------------------------------------------------------------

    def _edge(self, link: Link) -> str:
        curve = self.layout.curves.get(link.id)
        if curve is None:
            return ""
        points = [(x + self.left, y + PAD) for x, y in curve]
        nothing = self.backward and link.flow is None
        head = ""
        colour, width, dashes = self.theme["edge"], 1.3, ""
        if self.backward:
            if nothing:
                colour, width, dashes = self.theme["constant_line"], 1.1, ' stroke-dasharray="5 4"'
            else:
                colour, width = self.theme["flow"], edge_width(norm_of(link.flow), self.scale)
                points = points[::-1]
        if not nothing:
            size = HEAD + 0.9 * max(0.0, width - 1.3)
            points, tip, base = shorten(points, size)
            head = arrow_head(tip, base, colour, 0.36)
        ids = " ".join(f"e{k}" for k in link.edges[:200])
        return (
            f'<g class="edge{" none" if nothing else ""}" data-edge="{ids}">'
            f'<path class="line" d="{path(points)}" fill="none" stroke="{colour}" stroke-width="{f(width)}"{dashes}/>'
            f"{head}</g>"
        )

    # --- boxes --------------------------------------------------------------------------------------------------------

    def _node(self, key: Key) -> str:
        place = self.layout.boxes.get(self.view.id(key))
        if place is None:
            return ""
        x, y, w, h = place[0] + self.left, place[1] + PAD, place[2], place[3]
        role = role_of(self.view, key)
        dashed = fades(self.view, key, self.backward)
        c = look(role, dashed, self.theme)
        folded = key[0] == "n" and key[1] in self.view.members
        broken = not_finite(self.view, key, self.backward)
        hot = self.paint.boxes.get(key)  # marked so that a page does not give it the colours of its role
        fill, text = (c["fill"], c["text"]) if hot is None else hot[:2]
        paint = f'fill="{fill}" stroke="{c["line"]}" stroke-width="{c["width"]}"'
        parts = [f"<title>{escape(self._hover(key))}</title>"]
        outline = paint + (' stroke-dasharray="5 4"' if dashed else "")
        parts.append(shape(role, x, y, w, h, outline, "box" if hot is None else "box hot"))
        if broken:
            ring = f'fill="none" stroke="{self.theme["ring"]}" stroke-width="4"'
            parts.append(shape(role, x, y, w, h, ring, "ring"))
        parts += self._texts(self.labels.of(key, self.backward), x, y, text, "" if hot is None else " hot")
        kind = f"node {role}{' folded' if folded else ''}{' nonfinite' if broken else ''}{' copy' * (key[0] == 'c')}"
        what = f'data-module="m{key[1]}"' if key[0] == "m" else f'data-node="n{self.view.vertex(key)}"'
        what += f' data-copy="e{key[1]}"' if key[0] == "c" else ""
        return f'<g class="{kind}" {what}>{"".join(parts)}</g>'

    def _shadows(self, key: Key) -> str:
        """Return the edges of the sheets below a closed module that is repeated; arrows go above them."""
        place = self.layout.boxes.get(self.view.id(key))
        if key[0] != "m" or place is None or self.view.graph.modules[key[1]].times == 1:
            return ""
        x, y, w, h = place[0] + self.left - place[2] / 2, place[1] + PAD - place[3] / 2, place[2], place[3]
        paint = f'rx="11" fill="{self.theme["box"]}" stroke="{self.theme["operation_line"]}" stroke-width="1.3"'
        sheets = [f"<rect {rect(x + d, y - d, w, h)} {paint}/>" for d in (2 * SHADOW, SHADOW)]
        return f'<g class="shadow" data-module="m{key[1]}">{"".join(sheets)}</g>'

    def _texts(self, label: Label, x: float, y: float, colour: str, mark: str) -> list[str]:
        notes = [n for n in label.notes if n]
        top = y - (TITLE + LINE * len(notes)) / 2
        found = [self._line(x, top + TITLE - 2, label.title, TITLE, colour, kind="name" + mark, bold=True)]
        for k, note in enumerate(notes):
            found.append(self._line(x, top + TITLE + LINE * (k + 1) - 4, note, NOTE, colour, kind="note" + mark))
        return found

    def _line(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: str,
        *,
        kind: str,
        anchor: str = "middle",
        bold: bool = False,
    ) -> str:
        weight = ' font-weight="bold"' if bold else ""
        body = "".join(
            f'<tspan font-size="{f(size * 0.75)}" dy="{f(size * 0.2)}">{escape(p)}</tspan>' if low else escape(p)
            for p, low in split_name(text)
        )
        return (
            f'<text class="{kind}" x="{f(x)}" y="{f(y)}" text-anchor="{anchor}" font-size="{f(size)}" fill="{colour}"'
            f"{weight}>{body}</text>"
        )

    def _hover(self, key: Key) -> str:
        """Return what a browser shows when the pointer rests on a box."""
        if key[0] == "m":
            label = self.labels.of(key, False)
            return f"{label.title}: {', '.join(n for n in label.notes if n)}"
        v = self.view.graph.vertices[self.view.vertex(key)]
        rows = [formula(self.view.graph, v) or v.name or v.role]
        rows.append(" ".join(p for p in (v.role, tell_shape(v.shape), v.dtype) if p))
        for what, s in (("value", v.value), ("gradient", v.gradient)):
            if s is not None:
                between = "" if s.min is None else f", {tell(s.min)} to {tell(s.max)}"
                rows.append(f"{what} {s.text}" if s.text else f"{what}: norm {tell(norm_of(s))}{between}")
        if (hot := self.paint.boxes.get(key)) is not None and self.view.graph.heat.what in ("bytes", "time"):
            rows.append(f"{self.view.graph.heat.what} {hot[2]}")
        if v.source:
            rows.append(v.source)
        return "\n".join(rows)

    # --- legend -------------------------------------------------------------------------------------------------------

    def _legend(self, backward: bool) -> tuple[list[str], float, float]:
        """Return the legend, its width and its height: in as many rows as the width of the drawing asks for."""
        found = self._keys(backward)
        room = max(
            self.layout.width, LEAST_LEGEND, *[gap + text_width(name, SMALL, bold) for _, gap, name, bold in found]
        )
        x, row, widest = 0.0, 0, 0.0
        parts = []
        for key, gap, name, bold in found:
            width = gap + text_width(name, SMALL, bold)
            if x + width > room:
                x, row = 0.0, row + 1
            left, y = PAD + x, self.layout.height + 2 * PAD + 8 + LEGEND_ROW * row
            parts += [key(left, y)] if key is not None else []
            parts.append(
                self._line(
                    left + gap, y + 4, name, SMALL, self.theme["muted"], kind="legend", anchor="start", bold=bold
                )
            )
            widest = max(widest, x + width)
            x += width + 18
        return ['<g class="legend">', *parts, "</g>"], widest, LEGEND_ROW * (row + 1) + 2

    def _keys(self, backward: bool) -> list[tuple[Callable[[float, float], str] | None, float, str, bool]]:
        """Return the entries of the legend: what draws the sign, its room, the text, whether it is bold."""
        t = self.theme

        def box(role: str, paint: str) -> Callable[[float, float], str]:
            return lambda x, y: shape(role, x + 8, y, 16, 11, paint, "key", 4)

        def line(start: float, paint: str) -> Callable[[float, float], str]:
            return lambda x, y: f'<path class="key" d="M{f(x + start)},{f(y)}L{f(x + 20)},{f(y)}" {paint}/>'

        def scale(colours: Sequence[str]) -> Callable[[float, float], str]:
            return lambda x, y: "".join(
                f'<rect class="key hot" {rect(x + 9 * k, y - 5.5, 9, 11)} fill="{c}"/>' for k, c in enumerate(colours)
            )

        def arrow(x: float, y: float) -> str:
            shaft = line(4, f'stroke="{t["flow"]}" stroke-width="2.4"')(x, y)
            return shaft + arrow_head((x, y), (x + 8, y), t["flow"], 0.5, "key")

        found: list[tuple[Callable[[float, float], str] | None, float, str, bool]] = [
            (None, 0.0, "backward" if backward else "forward", True)
        ]
        present = {role_of(self.view, key) for key in self.view.boxes}
        for role, name, roles in LEGEND_BOXES:
            if present & roles:
                c = look(role, False, t)
                paint = f'fill="{c["fill"]}" stroke="{c["line"]}" stroke-width="1.2"'
                found.append((box(role, paint), 21, name, False))
        if backward:
            found.append((arrow, 25, "gradient, thicker where its norm is larger", False))
        dashed = any(fades(self.view, key, backward) for key in self.view.boxes)
        if dashed or (backward and any(link.flow is None for link in self.view.links)):
            paint = f'stroke="{t["constant_line"]}" stroke-width="1.3" stroke-dasharray="5 4"'
            found.append((line(0, paint), 25, "no gradient" if backward else "constant", False))
        if self.paint.boxes:
            heat, (low, high) = self.view.graph.heat, self.paint.scale
            marks = [shade(k / 6)[0] for k in range(7)] if low < high else [shade(0.5)[0]]
            text = f"{LEGENDS[heat.what]}, {heat.tell(low)} to {heat.tell(high)}" if low < high else LEGENDS[heat.what]
            found.append((scale(marks), 9.0 * len(marks) + 6, text, False))
        if any(not_finite(self.view, key, backward) for key in self.view.boxes):
            paint = f'fill="none" stroke="{t["ring"]}" stroke-width="2.4"'
            found.append((box("operation", paint), 21, "NaN or infinite", False))
        return found


def rect(x: float, y: float, w: float, h: float) -> str:
    """Return the place of a rectangle."""
    return f'x="{f(x)}" y="{f(y)}" width="{f(w)}" height="{f(h)}"'


def shape(role: str, x: float, y: float, w: float, h: float, paint: str, kind: str = "box", radius: float = 11) -> str:
    """Return the outline of a box: each role has its own."""
    if is_round(role):
        return f'<ellipse class="{kind}" cx="{f(x)}" cy="{f(y)}" rx="{f(w / 2)}" ry="{f(h / 2)}" {paint}/>'
    corner = "" if role == "parameter" else f'rx="{f(radius)}" '
    return f'<rect class="{kind}" {rect(x - w / 2, y - h / 2, w, h)} {corner}{paint}/>'


def path(points: Sequence[Point]) -> str:
    """Return Bézier points as a path."""
    start, rest = points[0], points[1:]
    return f"M{f(start[0])},{f(start[1])}C" + " ".join(f"{f(x)},{f(y)}" for x, y in rest)


def shorten(points: Sequence[Point], size: float) -> tuple[list[Point], Point, Point]:
    """Cut the end off a curve to make room for a head; return the rest, the tip, and the middle of the head's base."""
    p = list(points)
    tip = p[-1]
    while len(p) > 4 and math.dist(p[-4], tip) < size:
        del p[-3:]
    a, b, c, d = p[-4:]
    low, high = 0.0, 1.0
    for _ in range(24):
        t = (low + high) / 2
        q = split(a, b, c, d, t)
        if math.dist(q[3], tip) < size:
            high = t
        else:
            low = t
    q = split(a, b, c, d, low)
    return [*p[:-4], *q], tip, q[3]


def split(a: Point, b: Point, c: Point, d: Point, t: float) -> tuple[Point, Point, Point, Point]:
    """Return the part of a Bézier curve up to `t` (de Casteljau)."""
    ab, bc, cd = mix(a, b, t), mix(b, c, t), mix(c, d, t)
    abc, bcd = mix(ab, bc, t), mix(bc, cd, t)
    return a, ab, abc, mix(abc, bcd, t)


def mix(a: Point, b: Point, t: float) -> Point:
    """Return the point between two."""
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def arrow_head(tip: Point, base: Point, colour: str, slim: float, kind: str = "head") -> str:
    """Return the head of an arrow."""
    dx, dy = (tip[0] - base[0]) * slim, (tip[1] - base[1]) * slim
    corners = (tip, (base[0] - dy, base[1] + dx), (base[0] + dy, base[1] - dx))
    return f'<polygon class="{kind}" points="{" ".join(f"{f(x)},{f(y)}" for x, y in corners)}" fill="{colour}"/>'
