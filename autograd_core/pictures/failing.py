"""The graph up to the line that raised: found in the traceback, so nothing need be switched on before.

The frames of a traceback still hold what the function had: Tensors in variables, and, where an operation itself has
raised, what it was called with. What these stand on is the graph so far; the operation that failed is drawn behind it.
"""

from __future__ import annotations

import os
import traceback
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import recording
from ..nodes import Node
from ..packages import is_inside, is_part
from ..rules import Op
from ..tensor import Tensor
from ..tree import flatten
from .data import Edge, Graph, Vertex
from .given import Given, variables
from .numbers import tell, tell_dtype
from .reading import read
from .symbols import clean, label_of

FAILED = "failed"  # the role of the operation that raised
MOST = 300  # Tensors in containers that are looked at in one frame


def frames_of(error: BaseException) -> list[types.FrameType]:
    """Return the frames that an error has gone through, the outermost first."""
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


@dataclass
class Raised:
    """An error, and since when its graph was recorded: `seq` of a node before, None if that is not known."""

    error: BaseException
    since: int | None = None


def graph_of(raised: Raised, given: Given) -> tuple[Graph, dict[Any, int]] | None:
    """Return the data of the graph so far, None if no Tensor of it is left."""
    error, since = raised.error, raised.since
    frames = frames_of(error)
    own = [frame for frame in frames if _is_theirs(frame)]
    for frame in reversed(own):
        variables(given, frame)
    op, names, operands = _failed(frames)
    roots = dict.fromkeys(t._node for t in operands if type(t) is Tensor and t._node is not None)
    # A notebook's variables hold all that has been computed in it: what is older is no part of this.
    for frame in reversed(own) if since is not None else own[-1:] if not roots else ():
        nodes = [t._node for t in _tensors(frame) if t._node is not None]
        roots |= dict.fromkeys(n for n in nodes if since is None or n.seq > since)
    if not roots:
        return None
    ends = _ends(list(roots))
    names = names if len(names) == len(operands) else ("",) * len(operands)
    for t, name in zip(operands, names, strict=True):
        if type(t) is Tensor and t._node in ends:
            given.outputs.setdefault(t._node, given.variables.get(t._node) or name)
    for node in ends:
        given.outputs.setdefault(node, given.names.get(node) or given.variables.get(node, ""))
    graph, at = read(ends, given, {}, True)
    if not any(v.role == "operation" for v in graph.vertices):  # the error says as much as a picture would
        return None
    if op:
        _add_failed(graph, at, op, operands, given)
    for v in graph.vertices:
        v.why_none = "the function raised before"
    graph.notes.insert(0, _told(error, own))
    return graph, at


def _is_theirs(frame: types.FrameType) -> bool:
    """Say whether a frame belongs to the user: neither to these packages nor to NumPy."""
    return not is_inside(frame)


def _failed(frames: list[types.FrameType]) -> tuple[str, tuple[str, ...], tuple[Any, ...]]:
    """Return the name of the operation that raised, of its arguments, and what it was called with; "" if none did."""
    for frame in reversed(frames):
        found = frame.f_locals
        if frame.f_code.co_filename == recording.__file__ and isinstance(op := found.get("op"), Op):
            operands = tuple(found["args"]) if "args" in found else tuple(found[k] for k in "abc" if k in found)
            return op.name, op.args, operands
    # One that was refused before it was computed: the first function of ours that the user's line has called.
    last = max((k for k, frame in enumerate(frames) if _is_theirs(frame)), default=-1)
    for frame in frames[last + 1 :]:
        code = frame.f_code
        given = [frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount]]
        operands = tuple(t for t in given if type(t) is Tensor)
        if operands and is_part(frame.f_globals.get("__name__")):
            return code.co_name.strip("_"), (), operands
    return "", (), ()


def _tensors(frame: types.FrameType) -> Iterator[Tensor]:
    """Return the Tensors in the variables of a frame, and in containers there."""
    for value in list(frame.f_locals.values()):
        if type(value) is Tensor:
            yield value
        elif type(value) in (list, tuple, dict) and len(value) <= MOST:
            yield from (t for t in flatten(value)[0] if type(t) is Tensor)


def _ends(nodes: list[Node]) -> list[Node]:
    """Return those that none of the others stands on; a leaf that nothing has used yet is not shown."""
    below: set[Node] = set()
    stack = [p for n in nodes for p in n.parents if p is not None]
    while stack:
        node = stack.pop()
        if node not in below:
            below.add(node)
            stack += [p for p in node.parents if p is not None]
    ends = [n for n in nodes if n not in below and n.op is not None]
    return ends or [n for n in nodes if n not in below][:1]


def _add_failed(graph: Graph, at: dict[Any, int], op: str, operands: tuple[Any, ...], given: Given) -> None:
    """Draw the operation that raised, with its operands."""
    places: list[int | str | None] = []
    for x in operands:
        node = x._node if type(x) is Tensor else None
        plain = x._data if type(x) is Tensor else x
        if node in at:
            places.append(at[node])
        elif node is None and isinstance(plain, int | float | np.generic):
            places.append(tell(plain))
        else:
            array = np.asarray(plain)
            role, name = ("constant", given.array_name(array)[0]) if node is None else ("parameter", given.name(node))
            graph.vertices.append(Vertex(role, "", name, array.shape, tell_dtype(array.dtype)))
            places.append(len(graph.vertices) - 1)
    k, name = len(graph.vertices), clean(op)
    failed = Vertex(FAILED, name, operands=tuple(places), label=f"✗ {label_of(name, places, {})}")
    graph.vertices.append(failed)
    graph.edges += [Edge(p, k, i) for i, p in enumerate(places) if isinstance(p, int)]


def _told(error: BaseException, own: list[types.FrameType]) -> str:
    """Return what has happened, and where, in a sentence."""
    lines = [n for frame, n in traceback.walk_tb(error.__traceback__) if frame in own]
    where = f" at {os.path.basename(own[-1].f_code.co_filename)}:{lines[-1]}" if lines else ""
    text = str(error).strip().partition("\n")[0]
    return f"This is the graph up to {type(error).__name__}{where}: {text.rstrip('.')}."
