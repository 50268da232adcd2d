"""Colour by a measure: how large values and gradients are, how many bytes an operation keeps, how long it takes.

Values and gradients count by the root of their mean square, so that a large array and a small one can be compared;
bytes and seconds add up. Colours go by the logarithm, from dark to bright (viridis: in order for every eye, and in
grey).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..nodes import Node
from ..notes import kept_arrays
from ..program.calls import owner_of
from ..tape_values import UNKNOWN, Values, is_pick
from .data import Graph
from .numbers import norm_of, tell
from .view import Key, View

MEASURES = ("value", "gradient", "bytes", "time")
STOPS = ("#440154", "#3B528B", "#21918C", "#5EC962", "#FDE725")
TRIES = 3  # of each operation the shortest counts
BUDGET = 5.0  # seconds for all of them
LEGENDS = {
    "value": "size of an entry of the value",
    "gradient": "size of an entry of the gradient",
    "bytes": "bytes kept for the backward pass",
    "time": "time to compute it forwards",
}


@dataclass(slots=True)
class Heat:
    """A measure of the vertices of a graph: norms with the numbers of entries, or what adds up, with 0 for them."""

    what: str
    of: dict[int, tuple[float, float]]

    def at(self, vertices: Iterable[int]) -> float | None:
        """Return the measure of some vertices together, None where there is none."""
        found = [self.of[k] for k in vertices if k in self.of]
        if not found:
            return None
        sizes, entries = zip(*found, strict=True)
        n = math.fsum(entries)  # by the norm, not its square: that of a gradient of 1e-170 would vanish
        return math.hypot(*sizes) / math.sqrt(n) if n else math.fsum(sizes)

    def colour(self, x: float, scale: tuple[float, float]) -> tuple[str, str]:
        """Return the colour of a measure, and that of a text upon it.

        Examples
        --------
        >>> heat = Heat("time", {})
        >>> heat.colour(1e-6, (1e-6, 1e-3)), heat.colour(1e-3, (1e-6, 1e-3))
        (('#440154', '#FFFFFF'), ('#FDE725', '#000000'))
        """
        low, high = scale
        if not low < high:
            return shade(0.5)
        if not low < x < high:
            return shade(0.0 if x <= low else 1.0)
        return shade((math.log(x) - math.log(low)) / (math.log(high) - math.log(low)))

    def tell(self, x: float) -> str:
        """Return a measure in words."""
        if self.what == "time":
            return tell_time(x)
        return tell_bytes(x) if self.what == "bytes" else tell(x)


def shade(share: float) -> tuple[str, str]:
    """Return the colour at a share of the scale, and that of a text upon it."""
    place = share * (len(STOPS) - 1)
    k = min(int(place), len(STOPS) - 2)
    a, b = (np.array([int(s[i : i + 2], 16) for i in (1, 3, 5)]) for s in STOPS[k : k + 2])
    rgb = np.rint(a + (b - a) * (place - k)).astype(int)
    return "#" + "".join(f"{v:02X}" for v in rgb), "#FFFFFF" if luminance(rgb) < 0.18 else "#000000"


@dataclass(slots=True)
class Paint:
    """The colours of a view's boxes: fill, text and words for each that has a measure; and the ends of the scale."""

    boxes: dict[Key, tuple[str, str, str]]
    scale: tuple[float, float]


def paint(view: View) -> Paint:
    """Return how the boxes of a view are coloured; by their roles, unless the graph has a measure."""
    heat = view.graph.heat
    if heat is None:
        return Paint({}, (0.0, 0.0))
    found = {key: x for key in view.boxes if (x := heat.at(_vertices(view, key))) is not None}
    positive = [x for x in found.values() if 0 < x < math.inf]
    scale = (min(positive), max(positive)) if positive else (0.0, 0.0)
    return Paint({key: (*heat.colour(x, scale), heat.tell(x)) for key, x in found.items()}, scale)


def _vertices(view: View, key: Key) -> Iterable[int]:
    if key[0] == "m":
        m = view.graph.modules[key[1]]
        return range(m.first, m.last)
    return view.members.get(key[1], [key[1]]) if key[0] == "n" else ()


def luminance(rgb: Any) -> float:
    """Return how bright a colour is, from 0 to 1; black text on it is the better read from 0.18 on (WCAG 2)."""
    c = np.asarray(rgb) / 255
    linear = np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def tell_time(seconds: float) -> str:
    """Return a time in three digits.

    Examples
    --------
    >>> tell_time(2.5e-7), tell_time(0.0123), tell_time(2.0)
    ('0.25 µs', '12.3 ms', '2 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} \N{MICRO SIGN}s"


def tell_bytes(n: float) -> str:
    """Return a number of bytes.

    Examples
    --------
    >>> tell_bytes(800), tell_bytes(12_345_678)
    ('800 bytes', '12.3 MB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n:.0f} bytes"


def sizes(what: str, graph: Graph) -> Heat:
    """Measure values or gradients, of which a graph has the norms."""
    if what not in ("value", "gradient"):
        raise ValueError(f'color_by="{what}" is for graphs of our Tensors, in which operations can be looked into')
    return Heat(what, dict(_sizes(what, graph)))


def costs(what: str, graph: Graph, at: dict[Node, int], values: Values) -> Heat:
    """Measure bytes or times of operations, while their nodes, which stand `at` vertices, and values are there."""
    vertices = graph.vertices  # of a result the operation counts, which stands before it
    own = {n: k if vertices[k].role != "output" else int(vertices[k].operands[0]) for n, k in at.items()}  # type: ignore[arg-type]
    return Heat(what, _kept(own) if what == "bytes" else _times(own, values))


def _sizes(what: str, graph: Graph) -> Iterable[tuple[int, tuple[float, float]]]:
    for k, v in enumerate(graph.vertices):
        stats = getattr(v, what)
        if stats is not None and v.role != "constant":
            norm, n = norm_of(stats), 1 if v.shape is None else math.prod(v.shape)
            if n and math.isfinite(norm):
                yield k, (norm, float(n))


def _kept(at: dict[Node, int]) -> dict[int, tuple[float, float]]:
    """Return the bytes that operations keep: each array once, where it is met first."""
    seen: set[int] = set()
    found = {}
    for node, k in sorted(at.items(), key=lambda item: item[0].seq):
        if node.op is None or is_pick(node):
            continue
        n = 0
        for a in kept_arrays(node):
            owner = owner_of(a)
            owner = a if owner is None else owner  # of somebody else's memory
            if id(owner) not in seen:
                seen.add(id(owner))
                n += a.nbytes
        found[k] = (float(n), 0.0)
    return found


def _times(at: dict[Node, int], values: Values) -> dict[int, tuple[float, float]]:
    """Return how long operations take, computed once more from what is known; without those that are not."""
    end = time.perf_counter() + BUDGET
    found: dict[int, tuple[float, float]] = {}
    with np.errstate(all="ignore"):
        for node in sorted(at, key=lambda n: n.seq):
            if node.op is None or is_pick(node) or not node.op.trusted or values.value(node) is UNKNOWN:
                continue
            best = math.inf
            for _ in range(TRIES):
                start = time.perf_counter()
                values.computed(node)
                best = min(best, time.perf_counter() - start)
            found[at[node]] = (best, 0.0)
            if time.perf_counter() > end:
                break
    return found
