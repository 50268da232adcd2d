"""What stands in the boxes: a title and one or two lines, forward and backward; and how large a box must be."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from .data import Graph, Module, Vertex
from .numbers import Stats, norm_of, tell, tell_shape
from .symbols import HOLE, shorten
from .view import Key, View
from .writing import pulls

TITLE, NOTE = 13.0, 10.5  # points
LINE = 14.0
WIDEST = 34  # characters in a line
PARTIAL = "∂"

# Widths in thousandths of the size: of Helvetica or of DejaVu Sans, whichever is wider. Where there is no Helvetica and
# no Arial, which is most of Linux, the second is drawn, and is an eighth wider.
WIDTHS = {
    300: "ijlI|'",
    360: " .,:;!/\\tJ-",
    420: "f()[]{}r·`",
    530: 'scz‖*"',
    620: "kvxyFLeagonuhTY∂?∛√",
    660: "bdpq0123456789ESPZBKXAVᵀσφα",
    710: "CR$&",
    790: "HNUDGOQ",
    850: "w+=<>−×÷~≥≤∗⋆",
    1000: "mMW%@…→∫⊗⊙ΣΠ",
}
WIDTH_OF = {c: width for width, some in WIDTHS.items() for c in some}
OTHER, FULL = 680, 1000  # of what is not in the table; of Chinese, Japanese and Korean
BOLD = 1.14
COMBINING = re.compile("[\u0300-\u036f]")


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return about how wide a text is, rather too wide than too narrow."""
    units = sum(WIDTH_OF.get(c, FULL if ord(c) > 0x2E80 else OTHER) for c in COMBINING.sub("", text))
    return units / 1000 * size * (BOLD if bold else 1.0)


@dataclass(slots=True)
class Label:
    """The text of one box."""

    title: str
    notes: tuple[str, ...]


def shown_name(v: Vertex, framed: bool) -> str:
    """Return a name for its box: inside of the box of a module the last part of a dotted one."""
    name = v.name.replace("\n", " ")
    dotted = framed and "." in name.strip(".") and "[" not in name
    return shorten(name.rpartition(".")[2] if dotted else name, 24)


def result_text(v: Vertex) -> str:
    """Return a value, or the shape of an array."""
    if v.value is not None and (v.value.n == 1 or v.role == "constant") and (text := v.value.text) is not None:
        return text.strip("[]") if v.value.n == 1 else text
    return tell_shape(v.shape)


def gradient_text(s: Stats) -> str:
    """Return a gradient: the number, or the norm of an array."""
    if s.n == 1 and (text := s.text) is not None:
        return text.strip("[]")
    return f"‖{HOLE}‖ = {tell(norm_of(s))}"


class Labels:
    """The texts of one view."""

    def __init__(self, view: View) -> None:
        self.view, self.graph = view, view.graph
        self.columns = view.graph.columns
        self.scalar = self.columns.scalar  # all there is are numbers: their values and gradients stand in the boxes
        self.blank = ("",) if self.scalar else ()  # where others have their gradient
        root = next((v for v in reversed(self.graph.vertices) if v.role == "output"), None)
        self.root = "" if root is None or len(root.name) > 6 else shown_name(root, False)

    def of(self, key: Key, backward: bool) -> Label:
        """Return the text of a box."""
        if key[0] == "m":
            return self._module(self.graph.modules[key[1]])
        k = self.view.vertex(key)
        v = self.graph.vertices[k]
        framed = self.view.frame_of[key] is not None
        if key[0] == "c":
            return self._copy(v, key, backward, framed)
        many = self.view.members.get(k)
        if many is not None:
            return self._folded(v, many, backward, framed)
        return self._backward(v, k, framed) if backward else self._forward(v, framed)

    def _forward(self, v: Vertex, framed: bool) -> Label:
        result = result_text(v)
        name = shown_name(v, framed)
        if v.role in ("operation", "failed"):
            joint = " = " if result and not result.startswith("(") else " "
            note = f"{name}{joint}{result}".strip() if name else result
            title = v.label
        else:
            title, note = name or {"parameter": "parameter", "constant": "constant"}.get(v.role, v.role), result
        notes = [shorten(note, WIDEST)]
        if self.scalar:
            notes.append("" if v.gradient is None else f"{PARTIAL} {gradient_text(v.gradient)}")
        return Label(title, tuple(notes))

    def _backward(self, v: Vertex, k: int, framed: bool) -> Label:
        count = self.columns.terms[k]
        total = f"Σ of {count}" if count > 1 else ""
        if v.role == "operation":
            formula = " ,  ".join(dict.fromkeys(p for p in pulls(self.graph, v) if p)) if v.gradient is not None else ""
            unruled = gradient_text(v.gradient) if v.rule is None and v.gradient is not None else ""
            first = formula or unruled or v.why_none or "no gradient"
            notes = [shorten(f"{total}:  {first}" if total and formula else first, WIDEST)]
            if self.scalar and v.gradient is not None and not unruled:
                notes.append(f"{PARTIAL} {gradient_text(v.gradient)}")
            return Label(v.label, tuple(notes))
        name = shown_name(v, framed) or v.label or v.role
        if v.gradient is None:
            return Label(name, (shorten(v.why_none or "no gradient", WIDEST),))
        title = f"∂{self.root}/∂{name}" if self.root else f"∂/∂{name}"
        note = gradient_text(v.gradient)
        if self.scalar:
            return Label(title, (total or "gradient", f"{PARTIAL} {note}"))
        return Label(title, (f"{total},  {note}" if total else note,))

    def _copy(self, v: Vertex, key: Key, backward: bool, framed: bool) -> Label:
        """Return the text of another copy of a shared leaf: going backward, what comes from this user."""
        name = shown_name(v, framed) or v.label or v.role
        flow = self.graph.edges[key[1]].flow
        note = "no gradient" if flow is None else gradient_text(flow)
        return Label(name, (shorten(note if backward else "again", WIDEST), *self.blank))

    def _folded(self, v: Vertex, many: list[int], backward: bool, framed: bool) -> Label:
        """Return what all copies have in common, and in which range their gradients lie."""
        name = shown_name(v, framed)
        note = " ".join(p for p in (name if v.role == "operation" else "", tell_shape(v.shape or None)) if p)
        if backward:
            norms = self.columns.gradients[many]
            hidden = [n for gap in self.graph.gaps for k in many if k in gap.ranges for n in gap.ranges[k]]
            norms = np.append(norms[~(norms < 0)], hidden)
            note = spread(float(norms.min()), float(norms.max())) if norms.size else "no gradient"
        title = v.label if v.role == "operation" else name or v.role
        return Label(title, (shorten(note, WIDEST), *self.blank))

    def _module(self, m: Module) -> Label:
        name = shorten(m.name.replace("\n", " "), 28) + times(m)
        name = f"▸ {name}" if m.opens else "…"
        return Label(name, (content(self.graph, m), *self.blank))

    def frame(self, k: int) -> str:
        """Return the text above an open module."""
        m = self.graph.modules[k]
        return shorten(m.name.replace("\n", " "), 40) + times(m)


def times(m: Module) -> str:
    """Return how often a module is repeated."""
    return f"  × {m.copies}" if m.times > 1 else ""


def spread(low: float, high: float) -> str:
    """Return the range in which norms lie."""
    return f"‖{HOLE}‖ = {tell(low)}" if low == high else f"‖{HOLE}‖ {low:.2g} … {high:.2g}".replace("-", "−")


def content(graph: Graph, m: Module) -> str:
    """Return what a closed module holds."""
    inside, (ops, size) = graph.vertices[m.first : m.last], graph.left_out(m.first, m.last)
    ops += sum(v.role == "operation" for v in inside)
    size += sum(entries(v) for v in inside if v.role == "parameter")
    text = f"{ops:,} operation{'s' * (ops != 1)}"
    return text + (f", {size:,} parameter{'s' * (size != 1)}" if size else "")


def entries(v: Vertex) -> int:
    """Return how many numbers a vertex holds."""
    return math.prod(v.shape or ())


def box_size(forward: Label, backward: Label, round_ends: bool) -> tuple[float, float]:
    """Return width and height in points: the same for both directions, whatever fonts there are."""
    rows = max(len(forward.notes), len(backward.notes))
    height = 26 + LINE * rows
    width = 0.0
    for label in (forward, backward):
        lines = [(label.title, TITLE, True), *[(n, NOTE, False) for n in label.notes if n]]
        at = (len(lines) - 1) / 2
        for k, (text, size, bold) in enumerate(lines):
            # An ellipse is narrower above and below its middle; a cap stands out by a third of a line.
            off = (abs(k - at) + 0.3) * LINE / (height / 2) if round_ends else 0.0
            width = max(width, text_width(text, size, bold) / math.sqrt(max(0.2, 1 - off * off)))
    return max(58.0, round(width + (10 if round_ends else 16))), height


def split_name(text: str) -> list[tuple[str, bool]]:
    """Cut a text into pieces, with True for those written as subscripts: the 1 of W1.

    Examples
    --------
    >>> split_name("∂L/∂W1"), split_name("layer 12")
    ([('∂L/∂W', False), ('1', True)], [('layer 12', False)])
    """
    found = re.fullmatch(r"(.*(?:^|[\W\d_]))?([^\W\d_][\u0304]?)_?(\d{1,2})", text)
    if found is None or not text:
        return [(text, False)]
    return [((found[1] or "") + found[2], False), (found[3], True)]
