"""What stands in the boxes: a title and one or two lines, forward and backward; and how large a box must be."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from .data import Graph, Module, Vertex
from .numbers import Stats, norm_of, tell, tell_shape
from .symbols import HOLE, shorten
from .view import Key, View
from .writing import pulls

TITLE, NOTE = 13.0, 10.5  # points
LINE = 14.0
WIDEST = 34  # characters in a line
PARTIAL = "∂"

NARROW, WIDE = "ijlI|.,:;'!()[]{}/\\ tfr·`", "mwMWOQGCDH@%∂Σ‖→…"
COMBINING = re.compile("[\u0300-\u036f]")


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return about how wide a text is in Helvetica, rather too wide than too narrow."""
    units = sum(0.3 if c in NARROW else 0.86 if c in WIDE or ord(c) > 0x2E80 else 0.58 for c in COMBINING.sub("", text))
    return units * size * (1.06 if bold else 1.0)


@dataclass(slots=True)
class Label:
    """The text of one box."""

    title: str
    notes: tuple[str, ...]


def scalar(graph: Graph) -> bool:
    """Say whether all there is are numbers: then their values and gradients stand in the boxes."""
    return all(v.shape in ((), (1,), (1, 1), None) for v in graph.vertices)


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
        self.scalar = scalar(view.graph)
        self.blank = ("",) if self.scalar else ()  # where others have their gradient
        self.terms = terms(view.graph)
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
        if v.role == "operation":
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
        count = self.terms[k]
        total = f"Σ of {count}" if count > 1 else ""
        if v.role == "operation":
            formula = " ,  ".join(dict.fromkeys(p for p in pulls(self.graph, v) if p)) if v.gradient is not None else ""
            first = formula or (v.why_none or "no gradient")
            notes = [shorten(f"{total}:  {first}" if total and formula else first, WIDEST)]
            if self.scalar and v.gradient is not None:
                notes.append(f"{PARTIAL} {gradient_text(v.gradient)}")
            return Label(v.label, tuple(notes))
        name = shown_name(v, framed) or v.role
        if v.gradient is None:
            return Label(name, (shorten(v.why_none or "no gradient", WIDEST),))
        title = f"∂{self.root}/∂{name}" if self.root else f"∂/∂{name}"
        note = gradient_text(v.gradient)
        if self.scalar:
            return Label(title, (total or "gradient", f"{PARTIAL} {note}"))
        return Label(title, (f"{total},  {note}" if total else note,))

    def _copy(self, v: Vertex, key: Key, backward: bool, framed: bool) -> Label:
        """Return the text of another copy of a shared leaf: going backward, what comes from this user."""
        name = shown_name(v, framed) or v.role
        flow = self.graph.edges[key[1]].flow
        note = "no gradient" if flow is None else gradient_text(flow)
        return Label(name, (shorten(note if backward else "again", WIDEST), *self.blank))

    def _folded(self, v: Vertex, many: list[int], backward: bool, framed: bool) -> Label:
        """Return what all copies have in common, and in which range their gradients lie."""
        name = shown_name(v, framed)
        note = " ".join(p for p in (name if v.role == "operation" else "", tell_shape(v.shape or None)) if p)
        if backward:
            norms = [norm_of(g) for i in many if (g := self.graph.vertices[i].gradient) is not None]
            note = spread(norms) if norms else "no gradient"
        title = v.label if v.role == "operation" else name or v.role
        return Label(title, (shorten(note, WIDEST), *self.blank))

    def _module(self, m: Module) -> Label:
        inside = self.graph.vertices[m.first : m.last]
        name = shorten(m.name.replace("\n", " "), 28) + times(m)
        name = f"▸ {name}" if m.opens else "…"
        return Label(name, (content(inside), *self.blank))

    def frame(self, k: int) -> str:
        """Return the text above an open module."""
        m = self.graph.modules[k]
        return shorten(m.name.replace("\n", " "), 40) + times(m)


def times(m: Module) -> str:
    """Return how often a module is repeated."""
    return f"  × {m.times}" if m.times > 1 else ""


def spread(norms: list[float]) -> str:
    """Return the range in which numbers lie."""
    low, high = min(norms), max(norms)
    return f"‖{HOLE}‖ = {tell(low)}" if low == high else f"‖{HOLE}‖ {low:.2g} … {high:.2g}".replace("-", "−")


def content(inside: list[Vertex]) -> str:
    """Return what a closed module holds."""
    ops = sum(v.role == "operation" for v in inside)
    size = sum(entries(v) for v in inside if v.role == "parameter")
    text = f"{ops:,} operation{'s' * (ops != 1)}"
    return text + (f", {size:,} parameter{'s' * (size != 1)}" if size else "")


def entries(v: Vertex) -> int:
    """Return how many numbers a vertex holds."""
    return math.prod(v.shape or ())


def terms(graph: Graph) -> list[int]:
    """Return for every vertex how many contributions its gradient is the sum of."""
    counts = [0] * len(graph.vertices)
    for e in graph.edges:
        if e.flow is not None:
            counts[e.source] += 1
    return counts


def box_size(forward: Label, backward: Label, round_ends: bool) -> tuple[float, float]:
    """Return width and height in points: the same for both directions, whatever fonts there are."""
    width = 0.0
    for label in (forward, backward):
        width = max(width, text_width(label.title, TITLE, True), *(text_width(n, NOTE) for n in label.notes))
    rows = max(len(forward.notes), len(backward.notes))
    wide = width * (1.28 if round_ends else 1.0) + (14 if round_ends else 20)
    return max(58.0, round(wide)), 26 + LINE * rows


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
