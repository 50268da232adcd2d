"""`draw`: from a result, a function or a model to its picture."""

from __future__ import annotations

import contextlib
import gc
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..nodes import tick
from ..program.program import Program
from ..recording import plain
from ..tensor import Tensor
from ..tree import flatten
from .data import Graph
from .failing import Raised
from .failing import graph_of as graph_up_to
from .given import Given, called, named, node_of, tell, variables
from .heat import MEASURES, Heat, sizes
from .modules import find_modules
from .picture import Picture
from .programs import graph_of
from .pytorch import graph_of as graph_of_torch
from .pytorch import is_torch
from .reading import read
from .view import depths


def draw(
    what: Any,
    *args: Any,
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    params: Any = None,
    names: Mapping[str, Any] | None = None,
    gradient: Any = None,
    direction: str = "forward",
    rankdir: str | None = None,
    theme: str = "auto",
    max_nodes: int | None = None,
    fold: bool | None = None,
    depth: int | None = None,
    focus: Any = None,
    radius: int = 2,
    color_by: str | None = None,
    interactive: bool = True,
    timeout: float = 10.0,
) -> Picture:
    """Draw the computational graph of a result, of a function at some arguments, or of a model at some input.

    White are inputs and outputs, red parameters, blue operations. The backward picture is the same with the arrows
    turned: its gradients are those of a sweep from the result, which adds nothing to any `grad`.

    Parameters
    ----------
    what : Tensor, container of Tensors, callable, Program or exception
        A result or several, or a function (an `nn` module is one) to be called with `args`. If that raises, what is
        drawn is the graph so far, with the operation that failed; the same of an exception that has been caught, and
        ``with ag.draw.on_error():`` draws that of a block. Of what `ag.trace` gives, comparisons, draws, assignments
        and the backward pass are operations like others, without values.
    *args : array_like
        Arguments of the function.
    inputs, outputs : mapping from names to Tensors or arrays, optional
        What is drawn white. Inputs may be arrays that the program used; outputs are results on the way.
    params : module, or mapping from names to Tensors, optional
        Where parameters have their names from; for a model, itself.
    names : mapping from names to Tensors, optional
        More names. Variables of the caller that hold Tensors of the graph have theirs anyway.
    gradient : array_like, optional
        Cotangent of the result, ones by default.
    direction : {"forward", "backward"}
        Which of the two is seen first.
    rankdir : {"LR", "TB"}, optional
        Left to right, or top to bottom; by default left to right, unless that is a strip of some 2,000 pixels.
    theme : {"auto", "lecture", "dark"}
        "auto" draws as in the lecture, and a page follows the notebook's or the system's theme.
    max_nodes : int, optional
        How many boxes at most; modules are closed until the picture fits. By default 100, and no more than 36 in a row.
    fold : bool, optional
        Fold repeated blocks into one with "× 12"; by default where there are more than 40 boxes.
    depth : int, optional
        How many levels of modules are open.
    focus : Tensor or str, optional
        Draw only what is within `radius` edges of it.
    radius : int
    color_by : {"value", "gradient", "bytes", "time"}, optional
        Colour boxes by a measure, and no longer by their roles: the size of their values or gradients, the bytes that
        they keep for the backward pass, or the time to compute them, measured once more.
    interactive : bool
        In a notebook, step through the passes; else show an image.
    timeout : float
        Seconds that the layout may take.

    Returns
    -------
    Picture

    Examples
    --------
    >>> import numpy as np
    >>> import autograd_core as ag
    >>> a, b = ag.Tensor(2.0, name="a"), ag.Tensor(-3.0, name="b")
    >>> print(ag.draw(a * b + 1.0).text())
    a = parameter        2   grad −3
    b = parameter        −3  grad 2
    n2 = multiply(a, b)  −6  grad 1
    n3 = add(n2, 1)      −5  grad 1
    output = n3          −5  grad 1
    """
    _check(max_nodes, depth, radius, timeout)
    if color_by is not None and color_by not in MEASURES:
        raise ValueError(f"color_by is one of {', '.join(MEASURES)}, not {color_by!r}")
    thin = fold is not False and focus is None and color_by is None
    names_given = (inputs, outputs, params, names)
    with collector_off():  # it would look through a large graph again and again
        graph, at = _read(what, args, names_given, gradient, sys._getframe(1), thin, color_by)
        if color_by is not None and graph.heat is None:
            graph.heat = sizes(color_by, graph)
        if focus is not None:
            graph = around(graph, focused(graph, at, focus), radius)
        find_modules(graph, fold or (fold is None and (len(graph.vertices) > 40 or bool(graph.gaps))))
        closed = None if depth is None else {k for k, d in enumerate(depths(graph)) if d >= depth}
        return Picture(
            graph,
            theme=theme,
            direction=direction,
            rankdir=rankdir,
            max_nodes=max_nodes,
            timeout=timeout,
            interactive=interactive,
            closed=closed,
        )


def _read(
    what: Any,
    args: tuple[Any, ...],
    names: tuple[Any, ...],
    gradient: Any,
    frame: types.FrameType,
    thin: bool,
    cost: str | None,
) -> tuple[Graph, dict[Any, int]]:
    """Return the data of the graph, and where in it the nodes of a tape are."""
    given = Given()
    given.cost = cost if cost in ("bytes", "time") else None
    if isinstance(what, Program | BaseException | Tensor | list | tuple | dict) and args:
        raise TypeError(f"draw({_word(what)}) takes no further arguments; to draw a function write draw(f, *args)")
    if isinstance(what, Program):
        return graph_of(what), {}
    if isinstance(what, BaseException | Raised):
        what = what if isinstance(what, Raised) else Raised(what)
        tell(given, *names)
        found = graph_up_to(what, given)
        if found is None:
            raise TypeError(f"no Tensor is left of the graph that this {type(what.error).__name__} has ended")
        return found
    if is_torch(what):
        given.torch = pytorch_names(names, frame)
        given.torch_inputs = [t for _, t in named(names[0])]
        return graph_of_torch(what, args, given, gradient), {}
    since = tick()
    try:
        results = _results(what, args, given)
    except Exception as error:
        if error is not given.raised or (found := graph_up_to(Raised(error, since), given)) is None:
            raise
        return found
    inputs, outputs, params, more = names
    params = what if params is None and hasattr(what, "named_parameters") else params
    tell(given, inputs, outputs, params, more)
    variables(given, frame)
    given.title = given.title or results[0].name or given.variables.get(results[0]._node, "")
    return read([t._node for t in results], given, seeds(results, gradient), thin)


def pytorch_names(names: tuple[Any, ...], frame: types.FrameType) -> dict[str, Any]:
    """Return Tensors of PyTorch's by their names: those of the caller's variables, and those that keywords give."""
    found = {name: t for name, t in frame.f_locals.items() if not name.startswith("_") and is_torch(t)}
    found |= {name: t for given in names for name, t in named(given)}
    return {name: t for name, t in found.items() if hasattr(t, "grad_fn")}


def _word(what: Any) -> str:
    return "program" if isinstance(what, Program) else "error" if isinstance(what, BaseException) else "result"


def _results(what: Any, args: tuple[Any, ...], given: Given) -> list[Tensor]:
    """Return the results that are drawn: those given, or those of a function."""
    if isinstance(what, Tensor | list | tuple | dict):
        results = [what] if isinstance(what, Tensor) else [t for t in flatten(what)[0] if type(t) is Tensor]
        if not results:
            raise TypeError(f"this {type(what).__name__} holds no Tensors, so there is no graph to draw")
        return results
    if not callable(what):
        raise TypeError(f"draw takes a Tensor, or a function and its arguments, not {type(what).__name__}")
    return called(what, args, given)


def _check(max_nodes: Any, depth: Any, radius: Any, timeout: Any) -> None:
    """Say which number is none."""
    for name, n, least in (("max_nodes", max_nodes, 1), ("depth", depth, 0), ("radius", radius, 0)):
        if n is not None and (not isinstance(n, int | np.integer) or isinstance(n, bool) or n < least):
            raise ValueError(f"{name} is a whole number of at least {least}, not {n!r}")
    if timeout is not None and (not isinstance(timeout, int | float) or not timeout > 0):
        raise ValueError(f"timeout is a positive number of seconds, not {timeout!r}")


@contextlib.contextmanager
def collector_off() -> Iterator[None]:
    """Run a block without the garbage collector."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def seeds(results: list[Tensor], gradient: Any) -> dict[Any, Any]:
    """Return the cotangents the sweep starts from: those given, or ones."""
    found: dict[Any, Any] = {}
    for t in results:
        node = t._node
        if node is None:
            raise TypeError("this Tensor depends on no tracked Tensor, so there is no graph to draw")
        if gradient is None:
            g = np.ones(t.shape, t.dtype)[()]
        else:
            g = plain(gradient)
            if np.ndim(g) and np.shape(g) != t.shape:
                raise ValueError(f"a gradient of shape {np.shape(g)} for a result of shape {t.shape}")
            g = np.broadcast_to(np.asarray(g, t.dtype), t.shape)[()]
        found[node] = found[node] + g if node in found else g
    return found


def focused(graph: Graph, at: dict[Any, int], focus: Any) -> int:
    """Return the position of the vertex that a Tensor or a name stands for."""
    node = node_of(focus)
    if node is not None and node in at:
        return at[node]
    if isinstance(focus, str):
        for k, v in enumerate(graph.vertices):
            if focus in (v.name, f"n{k}") or (v.name and v.name.endswith(f".{focus}")):
                return k
        names = sorted({v.name for v in graph.vertices if v.name})
        raise ValueError(f"nothing in this graph is called {focus!r}; there are {', '.join(names[:12]) or 'no names'}")
    raise ValueError("focus= takes a Tensor of this graph, or the name of one")


def around(graph: Graph, centre: int, radius: int) -> Graph:
    """Return the part of a graph within some edges of one vertex."""
    near: dict[int, list[int]] = {}
    for e in graph.edges:
        near.setdefault(e.source, []).append(e.target)
        near.setdefault(e.target, []).append(e.source)
    inside, rim = {centre}, [centre]
    for _ in range(radius):
        rim = sorted({b for a in rim for b in near.get(a, ())} - inside)
        inside.update(rim)
    kept = sorted(inside)
    place = {k: i for i, k in enumerate(kept)}
    part = Graph(graph.title, notes=list(graph.notes))
    for k in kept:
        v = graph.vertices[k]
        v.operands = tuple(place.get(o) if isinstance(o, int) else o for o in v.operands)
        part.vertices.append(v)
    part.edges = [e for e in graph.edges if e.source in place and e.target in place]
    for e in part.edges:
        e.source, e.target = place[e.source], place[e.target]
    if graph.heat is not None:
        part.heat = Heat(graph.heat.what, {place[k]: x for k, x in graph.heat.of.items() if k in place})
    part.backward = [place[k] for k in graph.backward if k in place]
    if len(kept) < len(graph.vertices):
        name = graph.vertices[centre].name or graph.vertices[centre].label
        part.notes.append(
            f"{len(kept):,} of {len(graph.vertices):,} vertices are shown, those within {radius} steps of {name}."
        )
    return part


class on_error:
    r"""Draw the graph so far if the block raises: in a notebook it is shown, elsewhere the error says what it was.

    The error goes on. `picture` is what has been drawn, None if nothing has been recorded. Without the block the same
    is ``ag.draw(error)``, of an error that has been caught.

    Examples
    --------
    >>> import numpy as np
    >>> import autograd_core as ag
    >>> W, x = ag.Tensor(np.ones((2, 3)), name="W"), ag.Tensor(np.ones(2), name="x")
    >>> try:
    ...     with ag.draw.on_error() as seen:
    ...         loss = np.sum(W @ np.tanh(x))
    ... except ValueError:
    ...     print(seen.picture.text().partition("\n\n")[0])
    x = parameter   (2,)
    n1 = tanh(x)    (2,)
    b = n1          (2,)
    W = parameter   (2, 3)
    failed: matmul(W, b)
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = settings  # those of `draw`
        self.picture: Any = None
        self.since = tick()

    def __enter__(self) -> on_error:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Exception):
            return
        try:
            self.picture = draw(Raised(error, self.since), **self.settings)
        except Exception:  # nothing has been recorded, or it cannot be drawn: the block's own error is what counts
            return
        if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
            sys.modules["IPython.display"].display(self.picture)
        else:
            error.add_note(f"{self.picture.graph.notes[0]}\n{self.picture.text()}")
