"""The picture: shown in a notebook, saved in any format, taken apart as data."""

from __future__ import annotations

import base64
import functools
import itertools
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..files import replace_file
from .data import Graph, Vertex
from .dot import best_direction, to_dot
from .labels import content, entries
from .layout import ADVICE, TIMEOUT, Layout, NoEngine, engine, lay_out, run
from .search import find
from .svg import to_svg
from .texts import to_text
from .themes import THEMES
from .view import View, drawn, fitting, innermost, make_view
from .writing import formula, pulls, write_rules

PAPER_LIMIT = 120_000  # bytes of a PNG that goes into a notebook beside the page, which has about as many
FORMATS = ("svg", "png", "pdf", "html", "dot", "json", "txt")
ENGINE_LIMIT = 2000  # boxes beyond which no layout is asked for: 5,000 take dot four seconds, 20,000 four minutes
VIEWS = 12
OPEN_LIMIT = 400
DRAWN_LIMIT = 520  # boxes and arrows in all views of a page: each of them takes dot a millisecond, and a page 200 bytes


class Picture:
    """A drawn computational graph, forward and backward in the same places.

    Shown as the last line of a notebook's cell it steps through both passes; `save` writes it to a file. It holds plain
    data only and keeps no array alive.

    Attributes
    ----------
    graph : Graph
        Vertices, edges and modules, with statistics of values and gradients.
    note : str
        What the picture could not show, and how to see it; empty if there is nothing to say.
    engine : str or None
        Which layout engine drew it.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        theme: str = "auto",
        direction: str = "forward",
        max_nodes: int | None = None,
        timeout: float = TIMEOUT,
        interactive: bool = True,
        closed: Iterable[int] | None = None,
        rankdir: str | None = None,
    ) -> None:
        if theme not in ("auto", *THEMES):
            raise ValueError(f"theme must be one of auto, {', '.join(THEMES)}, not {theme!r}")
        _check_direction(direction)
        if rankdir not in ("LR", "TB", None):
            raise ValueError(
                f'rankdir must be "LR", left to right, or "TB", top to bottom, or None, whichever fits, not {rankdir!r}'
            )
        self.graph, self.theme, self.direction = graph, theme, direction
        self.timeout, self.interactive = timeout, interactive
        self._failed, self._form = "", "svg"
        self._chosen = closed is not None
        self._layouts: dict[frozenset[int], Layout] = {}
        self.view: View = fitting(graph, max_nodes) if closed is None else make_view(graph, closed)
        self.rankdir = rankdir or best_direction(self.view)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: formulas instead of the rules they are of."""
        write_rules(self.graph)
        self.graph.measured = None
        return self.__dict__

    # --- the other ways round -----------------------------------------------------------------------------------------

    def _changed(self, **changes: Any) -> Picture:
        made = object.__new__(Picture)
        made.__dict__.update({k: v for k, v in self.__dict__.items() if k not in ("alt", "engine")})
        made.__dict__.update(changes)
        return made

    def forward(self) -> Picture:
        """Return the same picture, showing the forward pass first."""
        return self._changed(direction="forward")

    def backward(self) -> Picture:
        """Return the same picture, showing the backward pass first."""
        return self._changed(direction="backward")

    def static(self, form: str = "svg") -> Picture:
        """Return the same picture as an image only, "svg" or "png": for notebooks that are viewed but not run."""
        if form not in ("svg", "png"):
            raise ValueError(f'a static picture is "svg" or "png", not {form!r}')
        return self._changed(interactive=False, _form=form)

    # --- as text ------------------------------------------------------------------------------------------------------

    @property
    def engine(self) -> str | None:
        """Which layout engine there is: "dot", "pygraphviz" or None."""
        return engine()

    @property
    def note(self) -> str:
        """What the picture could not show, and how to see it."""
        view, notes = self.view, list(self.graph.notes)
        hidden = [key[1] for key in view.boxes if key[0] == "m"]
        if hidden:
            before = self.graph.columns.operations
            closed = [(m.first, m.last) for m in (self.graph.modules[k] for k in hidden)]
            ops = sum(before[b] - before[a] + self.graph.left_out(a, b)[0] for a, b in closed)
            whole = before[-1] + self.graph.left_out(-1, len(self.graph.vertices))[0]
            notes.append(
                f"{ops:,} of {whole:,} operations are inside closed boxes: "
                f"{self._remedy()}, focus=name with radius=3 draws a part."
            )
        if self._failed:
            notes.append(self._failed)
        return " ".join(notes)

    def _remedy(self) -> str:
        return "a larger depth= opens them" if self._chosen else f"max_nodes={drawn(self.graph, [])} draws all"

    @functools.cached_property
    def alt(self) -> str:
        """The picture in a sentence."""
        g = self.graph
        count = {role: sum(v.role == role for v in g.vertices) for role in ("operation", "parameter", "input")}
        count["operation"] += sum(gap.operations for gap in g.gaps)
        count["parameter"] += sum(gap.nodes - gap.operations for gap in g.gaps)
        parts = [f"{n:,} {role}{'s' * (n != 1)}" for role, n in count.items() if n]
        names = [v.name for v in g.vertices if v.role in ("parameter", "input") and v.name][:6]
        made = f" from {', '.join(names)}" if names else ""
        return f"Computational graph of {g.title or 'the result'}{made}: {', '.join(parts)}.".replace("\n", " ")

    @property
    def _colours(self) -> str:
        """The theme an image is drawn in; only a page can follow its surroundings."""
        return "lecture" if self.theme == "auto" else self.theme

    def to_dot(self, direction: str | None = None) -> str:
        """Return the DOT text."""
        backward = self._is_backward(direction)
        return to_dot(self.view, backward, self._colours, rankdir=self.rankdir)

    def to_graphviz(self, direction: str | None = None) -> Any:
        """Return a `graphviz.Source` of the DOT text."""
        import graphviz

        return graphviz.Source(self.to_dot(direction))

    def text(self) -> str:
        """Return the graph as lines of text."""
        note = self.note
        return to_text(self.view) + (f"\n\n{note}" if note else "")

    def find(self, words: str) -> list[Vertex]:
        """Return what words name: a part of a name, a shape "(64, 20)", "nan", "> 1e3", "gradient < 1e-6".

        Comparisons ask for the largest entry of the value or of the gradient. The search of a page takes the same.

        Examples
        --------
        >>> import autograd_core as ag
        >>> a = ag.Tensor(2.0, name="a")
        >>> [v.op or v.name for v in ag.draw(a * 600).find("> 1e3")]
        ['multiply', 'output']
        """
        return find(self.graph, words)

    # --- as pictures --------------------------------------------------------------------------------------------------

    def _lay_out(self, views: Iterable[View]) -> None:
        missing = [v for v in views if v.closed not in self._layouts]
        if not missing:
            return
        if any(len(v.boxes) > ENGINE_LIMIT for v in missing):
            raise NoEngine(
                f"{len(missing[0].boxes):,} boxes are more than can be laid out or read: ask for less with max_nodes=, "
                f"or for a part with focus= and radius=."
            )
        made = lay_out([to_dot(v, bare=True, rankdir=self.rankdir) for v in missing], self.timeout)
        self._layouts.update({v.closed: one for v, one in zip(missing, made, strict=True)})

    def to_svg(self, direction: str | None = None, *, theme: str | None = None) -> str:
        """Return the picture as SVG; without an engine raise a RuntimeError that says what to install."""
        backward = self._is_backward(direction)
        if theme is not None and theme not in THEMES:
            raise ValueError(f"theme must be one of {', '.join(THEMES)}, not {theme!r}")
        self._lay_out([self.view])
        return self._svg(self.view, backward, theme or self._colours)

    def _is_backward(self, direction: str | None) -> bool:
        if direction is not None:
            _check_direction(direction)
        return (direction or self.direction) == "backward"

    def _svg(self, view: View, backward: bool, theme: str) -> str:
        way = "Backward" if backward else "Forward"
        described = (
            f"{way} pass, {len(view.boxes)} boxes, {len(view.links)} arrows, laid out by {engine()}. {self.note}"
        )
        return to_svg(
            view,
            self._layouts[view.closed],
            backward=backward,
            theme=theme,
            alt=self.alt,
            description=described.strip(),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data: what `save("x.json")` writes and the interactive page reads."""
        views = self._views()
        try:
            self._lay_out(views)
        except NoEngine as error:
            self._failed = str(error)
            views = []
        shown = self._shown(views or [self.view])
        g = self.graph
        contributions = g.columns.terms
        edges = {
            f"e{k}": {
                "from": f"n{e.source}",
                "to": f"n{e.target}",
                "argument": e.argument,
                "flow": None if e.flow is None else e.flow.to_dict(),
            }
            for k, e in enumerate(g.edges)
            if e.source in shown and e.target in shown
        }
        return {
            "title": g.title,
            "alt": self.alt,
            "theme": self.theme,
            "direction": self.direction,
            "engine": self.engine,
            "note": self.note or None,
            "text": to_text(self.view),
            "views": [
                {
                    "collapsed": [f"m{k}" for k in sorted(v.closed)],
                    "forward": self._svg(v, False, self._colours),
                    "backward": self._svg(v, True, self._colours) if g.backward else None,
                }
                for v in views
            ],
            "modules": self._modules(views),
            "nodes": {f"n{k}": self._node(k, shown, contributions[k]) for k in sorted(shown)},
            "edges": edges,
            "forward": [f"n{k}" for k in g.forward if k in shown],
            "backward": [f"n{k}" for k in g.backward if k in shown],
        }

    def _views(self) -> list[View]:
        """Return this view, and those one click away."""
        base = self.view
        modules = self.graph.modules
        closed = {key[1] for key in base.boxes if key[0] == "m"}
        sets = [base.closed]
        everything = frozenset(k for k in base.closed if not modules[k].opens)
        toggles = sorted(closed | set(base.frames))
        opens = [k for k in toggles if modules[k].opens]
        # All combinations, or one change at a time.
        sizes = range(1, len(opens) + 1) if 2 ** len(opens) < VIEWS else [1]
        outer = everything | {k for k, m in enumerate(modules) if m.opens and m.parent is None}
        changed = (base.closed ^ set(some) for n in sizes for some in itertools.combinations(opens, n))
        views, spare = [base], DRAWN_LIMIT - len(base.boxes) - len(base.links)
        for other in (everything, outer, *changed):
            if len(views) == VIEWS or other in sets or drawn(self.graph, other) > spare:
                continue
            view = make_view(self.graph, other)
            if len(view.boxes) + len(view.links) <= spare:
                sets.append(frozenset(other))
                views.append(view)
                spare -= len(view.boxes) + len(view.links)
        return views

    def _shown(self, views: Iterable[View]) -> set[int]:
        """Return the vertices that are told about: all of them, in a large graph only those drawn."""
        if len(self.graph.vertices) <= ENGINE_LIMIT:
            return set(range(len(self.graph.vertices)))
        shown: set[int] = set()
        for v in views:
            for kind, k in v.boxes:
                if kind == "n":
                    shown |= set(v.members.get(k, [k])[:50])
        return shown

    def _node(self, k: int, shown: set[int], contributions: int) -> dict[str, Any]:
        v: Vertex = self.graph.vertices[k]
        module = self._home[k]
        found = {
            "role": v.role,
            "name": v.name,
            "op": v.op,
            "symbol": v.label,
            "shape": None if v.shape is None else list(v.shape),
            "dtype": v.dtype,
            "module": None if module < 0 else f"m{module}",
            "formula": formula(self.graph, v),
            "pull": list(pulls(self.graph, v)),
            "operands": [f"n{o}" if isinstance(o, int) and o in shown else None for o in v.operands],
            "numbers": [o if isinstance(o, str) else None for o in v.operands],
            "source": v.source,
            "value": None if v.value is None else v.value.to_dict(),
            "gradient": None if v.gradient is None else v.gradient.to_dict(),
            "accumulated": None if v.accumulated is None else v.accumulated.to_dict(),
            "why_none": None if v.gradient is not None else v.why_none,
            "terms": contributions,
        }
        members = self.view.members.get(k)
        return found if members is None else found | {"members": [f"n{i}" for i in members if i in shown]}

    @functools.cached_property
    def _home(self) -> list[int]:
        return innermost(self.graph)

    def _modules(self, views: list[View]) -> dict[str, Any]:
        modules = self.graph.modules
        wanted: set[int] = set()
        for v in views or [self.view]:
            wanted |= {key[1] for key in v.boxes if key[0] == "m"} | set(v.frames)
        if len(modules) <= OPEN_LIMIT:
            wanted = set(range(len(modules)))
        found: dict[str, Any] = {}
        for k in sorted(wanted):
            m = modules[k]
            inside, left_out = self.graph.vertices[m.first : m.last], self.graph.left_out(m.first, m.last)
            found[f"m{k}"] = {
                "name": m.name,
                "kind": "",
                "parent": None if m.parent is None else f"m{m.parent}",
                "note": content(self.graph, m),
                "times": m.copies,
                "opens": m.opens and any(k not in v.closed for v in views) and any(k in v.closed for v in views),
                "operations": sum(v.role == "operation" for v in inside) + left_out[0],
                "parameters": sum(entries(v) for v in inside if v.role == "parameter") + left_out[1],
            }
        return found

    # --- files --------------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, direction: str | None = None) -> Path:
        """Write the picture to a file: svg, png, pdf, html, dot, json or txt, as its name ends.

        Examples
        --------
        >>> import tempfile, os
        >>> import autograd_core as ag
        >>> x = ag.Tensor(2.0, name="x")
        >>> path = os.path.join(tempfile.mkdtemp(), "square.dot")
        >>> ag.draw(x**2).save(path).name
        'square.dot'
        """
        path = Path(path)
        form = path.suffix.lstrip(".").lower()
        if form not in FORMATS:
            raise ValueError(f"a picture is saved as {', '.join(FORMATS)}; the name {path.name!r} ends in none of them")
        replace_file(path, self.render(form, direction=direction))
        return path

    def render(self, form: str, *, direction: str | None = None) -> bytes:
        """Return the picture in one of the formats that `save` writes."""
        if form not in FORMATS:
            raise ValueError(f"the formats are {', '.join(FORMATS)}, not {form!r}")
        backward = self._is_backward(direction)
        if form in ("png", "pdf"):
            if engine() is None:
                raise NoEngine(ADVICE)
            return self._drawn_by_engine(form, 144, direction)
        if form == "svg":
            return self.to_svg(direction).encode()
        if form == "html":
            from .page import document

            return document((self.backward() if backward else self.forward()).to_dict()).encode()
        if form == "json":
            return (json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n").encode()
        return (self.to_dot(direction) if form == "dot" else self.text() + "\n").encode()

    def _drawn_by_engine(self, form: str, dpi: int, direction: str | None = None) -> bytes:
        head = "digraph autograd {\n  graph ["
        return run(self.to_dot(direction).replace(head, f"{head}dpi={dpi}, ", 1), form, self.timeout)

    # --- in a notebook ------------------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        """Return what a notebook shows; never raise."""
        try:
            if not self.interactive:
                if self._form == "png":
                    return {"image/png": base64.b64encode(self.render("png")).decode(), "text/plain": self.text()}
                return {"image/svg+xml": self.to_svg(), "text/plain": self.text()}
            from .page import fragment

            return {"text/html": fragment(self.to_dict()), **self._for_paper(), "text/plain": self.text()}
        except NoEngine as error:
            self._failed = str(error)
            return {"text/plain": self.text()}
        except Exception as error:
            return {"text/plain": f"{self.text()}\n\nThe picture could not be made ({type(error).__name__}: {error})."}

    def _for_paper(self) -> dict[str, str]:
        """Return the PNG that a PDF of the notebook shows, which has no use for a page.

        Not as SVG: nbconvert would call Inkscape, and stop where there is none.
        """
        if self._failed or engine() is None:
            return {}
        try:
            made = self._drawn_by_engine("png", 96)
        except NoEngine:
            return {}
        return {"image/png": base64.b64encode(made).decode()} if len(made) <= PAPER_LIMIT else {}

    def as_image(self, direction: str | None = None) -> str:
        """Return the SVG as a ``data:`` address."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.to_svg(direction).encode()).decode()

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"


def _check_direction(direction: Any) -> None:
    if direction not in ("forward", "backward"):
        raise ValueError(f'direction must be "forward" or "backward", not {direction!r}')
