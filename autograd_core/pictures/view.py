"""A view: which boxes of a graph are drawn. Modules are open or closed; of a repeat the first copy stands for all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .data import Graph, Module
from .numbers import Stats

# ("n", a vertex), ("m", a closed module) or ("c", an edge: another copy of the leaf it comes from)
Key = tuple[str, int]
Places = np.ndarray[Any, np.dtype[np.int64]]
BOXES, ROW = 100, 36  # drawn at most, by default: in all, and one behind the other
SHARED = 3  # users in several modules beyond which a leaf is drawn again beside each of them
LEAVES = ("parameter", "constant", "input")


@dataclass(slots=True)
class Link:
    """What is drawn from one box to another; it may stand for several edges."""

    source: Key
    target: Key
    edges: list[int]
    flow: Stats | None = None

    @property
    def id(self) -> str:
        """Return the name of the first edge, which is like no other link's."""
        return f"e{self.edges[0]}"


@dataclass(slots=True)
class View:
    """The boxes of a graph that are drawn."""

    graph: Graph
    closed: frozenset[int]
    boxes: list[Key] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)  # open modules, outer ones first
    links: list[Link] = field(default_factory=list)
    members: dict[int, list[int]] = field(default_factory=dict)  # the vertices for which one of them stands
    frame_of: dict[Key, int | None] = field(default_factory=dict)

    def id(self, key: Key) -> str:
        """Return the name of a box: n7, m2, c5."""
        return f"{key[0]}{key[1]}"

    def vertex(self, key: Key) -> int:
        """Return the vertex that a box other than a closed module shows."""
        return self.graph.edges[key[1]].source if key[0] == "c" else key[1]


def role_of(view: View, key: Key) -> str:
    """Return the role of a box."""
    return "module" if key[0] == "m" else view.graph.vertices[view.vertex(key)].role


def representatives(graph: Graph) -> Places:
    """Return for every vertex the one that is drawn for it."""
    rep = np.arange(len(graph.vertices))
    for m in reversed(graph.modules):  # inner ones first
        if m.times > 1:
            rep[m.first : m.last] = np.tile(rep[m.first : m.first + m.period], m.times)
    return rep


def owners(graph: Graph, closed: Iterable[int]) -> Places:
    """Return for every vertex the outermost closed module it is in, or -1."""
    owner = np.full(len(graph.vertices), -1)
    for k in sorted(closed, reverse=True):
        owner[graph.modules[k].first : graph.modules[k].last] = k
    return owner


def make_view(graph: Graph, closed: Iterable[int] = ()) -> View:
    """Return the view with these modules closed."""
    view = View(graph, frozenset(closed))
    rep, owner = representatives(graph), owners(graph, view.closed)
    owner = owner[rep]
    n = len(graph.vertices)
    box = np.where(owner < 0, rep, n + owner)  # one number for each box
    codes, first = np.unique(box, return_index=True)
    turn = np.argsort(first)
    keys: list[Key] = [("n", code) if code < n else ("m", code - n) for code in codes.tolist()]
    view.boxes = [keys[k] for k in turn.tolist()]
    copies = np.flatnonzero((owner < 0) & (rep != np.arange(n)))
    copies = copies[np.argsort(rep[copies], kind="stable")]
    shown, starts = np.unique(rep[copies], return_index=True)
    for r, group in zip(shown.tolist(), np.split(copies, starts[1:]), strict=False):
        view.members[r] = [r, *group.tolist()]
    _frame(view, innermost(graph))
    place = np.empty(len(turn), np.int64)
    place[turn] = np.arange(len(turn))
    _link(view, place[np.searchsorted(codes, box)], rep)
    _spread(view)
    return view


def innermost(graph: Graph) -> list[int]:
    """Return for every vertex the innermost module it is in, or -1."""
    home = np.full(len(graph.vertices), -1)
    for k, m in enumerate(graph.modules):
        home[m.first : m.last] = k
    return home.tolist()


def _frame(view: View, home: list[int]) -> None:
    """Find the open modules around the boxes that are drawn."""
    modules = view.graph.modules
    needed: set[int] = set()
    for kind, k in view.boxes:
        m: int | None = (home[k] if home[k] >= 0 else None) if kind == "n" else modules[k].parent
        view.frame_of[kind, k] = m
        while m is not None and m not in needed:
            needed.add(m)
            m = modules[m].parent
    view.frames = sorted(needed)


def _link(view: View, place: Places, rep: Places) -> None:
    """Join the boxes; parallel edges are merged where a box stands for several vertices.

    `place` says for every vertex which of the boxes it is drawn as.
    """
    columns = view.graph.columns
    s, t = place[columns.sources], place[columns.targets]
    # Not inside a box, nor from one copy of a repeat to the next.
    drawn = np.flatnonzero((s < t) & (rep[columns.sources] <= rep[columns.targets]))
    s, t = s[drawn], t[drawn]
    plain = np.array([key[0] == "n" for key in view.boxes], np.bool_)
    argument = np.where(plain[s] & plain[t], columns.arguments[drawn], -1)
    _, first, which = np.unique(np.stack([s, t, argument]), axis=1, return_index=True, return_inverse=True)
    which = which.reshape(-1)
    groups = np.split(drawn[np.argsort(which, kind="stable")], np.cumsum(np.bincount(which))[:-1])
    for k in np.argsort(first).tolist():
        edges, at = groups[k], first[k]
        link = Link(view.boxes[s[at]], view.boxes[t[at]], edges.tolist())
        largest = int(edges[np.argmax(np.nan_to_num(columns.flows[edges], nan=np.inf, posinf=np.inf))])
        link.flow = view.graph.edges[largest].flow
        view.links.append(link)


def _spread(view: View) -> None:
    """Draw a leaf that is shared by several modules once more beside each further user: fewer long edges."""
    users: dict[Key, list[Link]] = {}
    for link in view.links:
        if link.source[0] == "n" and view.graph.vertices[link.source[1]].role in LEAVES:
            users.setdefault(link.source, []).append(link)
    for links in users.values():
        if len(links) > SHARED and len({view.frame_of[link.target] for link in links}) > 1:
            for link in links[1:]:
                link.source = ("c", link.edges[0])
                view.boxes.insert(view.boxes.index(link.target), link.source)
                view.frame_of[link.source] = view.frame_of[link.target]


# ----------------------------------------------------------------------------------------------------------------------
# What to close
# ----------------------------------------------------------------------------------------------------------------------


def drawn(graph: Graph, closed: Iterable[int]) -> int:
    """Return how many boxes a view would have."""
    rep, owner = representatives(graph), owners(graph, closed)
    owner = owner[rep]
    return len(np.unique(rep[owner < 0])) + len(np.unique(owner[owner >= 0]))


def depths(graph: Graph) -> list[int]:
    """Return how deep each module lies."""
    found: list[int] = []
    for m in graph.modules:
        found.append(0 if m.parent is None else found[m.parent] + 1)
    return found


def fitting(graph: Graph, most: int | None) -> View:
    """Return a view of at most so many boxes; by default so many that the picture is neither too large nor too long."""
    modules = [replace(m) for m in graph.modules]
    view = make_view(graph, to_close(graph, BOXES if most is None else most))
    if most is None and longest(view) > ROW:
        graph.modules = modules
        view = make_view(graph, to_close(graph, ROW))
    return view


def longest(view: View) -> int:
    """Return how many boxes the longest way through a view has."""
    depth = dict.fromkeys(view.boxes, 1)
    into: dict[Key, list[Key]] = {}
    for link in view.links:
        into.setdefault(link.target, []).append(link.source)
    for key in view.boxes:
        depth[key] = 1 + max((depth[source] for source in into.get(key, ())), default=0)
    return max(depth.values(), default=0)


def to_close(graph: Graph, budget: int) -> set[int]:
    """Return the modules to close, deepest first, until the picture fits; sum up siblings that are still too many."""
    closed = {k for k, m in enumerate(graph.modules) if not m.opens}
    deep = depths(graph)
    for level in range(max(deep, default=-1), -1, -1):
        if drawn(graph, closed) <= budget:
            return closed
        if level == 0 and sum(d == 0 for d in deep) == 1 and graph.modules[deep.index(0)].times == 1:
            break  # one box around everything would hide it all
        closed |= {k for k, d in enumerate(deep) if d == level and graph.modules[k].last - graph.modules[k].first > 1}
    if drawn(graph, closed) > budget:
        return _sum_up(graph, closed, budget)
    return closed


def _sum_up(graph: Graph, closed: set[int], budget: int) -> set[int]:
    """Put a run in the middle of the longest row of siblings into one box that does not open."""
    most = len(graph.vertices) // 2
    parent = next((k for k, m in enumerate(graph.modules) if m.last - m.first > most and k not in closed), None)
    low, high = (
        (0, len(graph.vertices)) if parent is None else (graph.modules[parent].first, graph.modules[parent].last)
    )
    rows = siblings(graph, closed, low, high)
    rows = rows[next((i for i, (k, _) in enumerate(rows) if graph.vertices[k].role != "input"), 0) :]
    head = budget // 4
    first, last = rows[min(head, len(rows) - 1)][0], rows[max(0, len(rows) - (budget - head))][0]
    first, last = _clear_of_modules(graph, first, last, parent)
    if last - first < 2:
        return closed
    for k, m in enumerate(graph.modules):
        if first <= m.first and m.last <= last and k != parent:
            m.opens = False
    kept = {id(graph.modules[k]) for k in closed}
    summed = Module("", first, last, parent, 1, False)
    graph.modules.append(summed)
    put_in_order(graph)
    return {k for k, m in enumerate(graph.modules) if m is summed or id(m) in kept}


def siblings(graph: Graph, closed: set[int], low: int, high: int) -> list[tuple[int, int]]:
    """Return the runs that are drawn as one box each, from one vertex up to another."""
    owner = owners(graph, closed)
    runs: list[tuple[int, int]] = []
    k = low
    while k < high:
        end = k + 1 if owner[k] < 0 else graph.modules[owner[k]].last
        runs.append((k, end))
        k = end
    return runs


def put_in_order(graph: Graph) -> None:
    """Put the modules in order, first to last, outer before inner."""
    old = graph.modules

    def around(m: int) -> int:  # a repeat may be all that its module holds
        depth, above = 0, old[m].parent
        while above is not None:
            depth, above = depth + 1, old[above].parent
        return depth

    turn = sorted(range(len(old)), key=lambda m: (old[m].first, -old[m].last, around(m), m))
    place = {m: k for k, m in enumerate(turn)}
    graph.modules = [old[m] for m in turn]
    for m in graph.modules:
        m.parent = None if m.parent is None else place[m.parent]


def _clear_of_modules(graph: Graph, first: int, last: int, parent: int | None) -> tuple[int, int]:
    """Widen or narrow a run so that it cuts no module in two."""
    for k, m in enumerate(graph.modules):
        if k != parent and m.parent == parent:
            if m.first < first < m.last:
                first = m.last
            if m.first < last < m.last:
                last = m.first
    return first, last
