"""What a node can carry beside its operation: scope, name, source line, checksums; and what a recorder is told.

Notes are written only while a switch is thrown, so they cost nothing otherwise.
"""

from __future__ import annotations

import re
import sys
import warnings
import weakref
import zlib
from typing import Any

import numpy as np

from .packages import is_inside
from .state import State

# Escape sequences that a terminal would obey, orders of reading, and halves of characters, which no file can hold.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class GraphError(RuntimeError):
    """A walk over a graph that cannot give the right answer any more."""


class Note:
    """Metadata of a node for later walks.

    While debugging also what went in and came out, and what the node keeps, which backward() would free: values only,
    never Tensors, since a Tensor changed in place would then hold its own node.
    """

    __slots__ = ("kept", "line", "loose", "name", "operands", "result", "scope", "sums")

    def __init__(self) -> None:
        self.scope: tuple[str, ...] = ()
        self.name: str | None = None
        self.line: str | None = None
        self.sums: tuple[tuple[Any, int], ...] = ()
        self.operands: tuple[Any, ...] = ()
        self.loose: tuple[int, ...] = ()  # the operands that were Tensors without a node
        self.result: Any = None
        self.kept: tuple[Any, ...] = ()

    def remember(self, node: Any, op: Any, args: tuple[Any, ...], t: Any) -> None:
        """Note where an operation was called, and with what."""
        self.line = source_line()
        self.sums = checksums(node)
        if op is not None:
            self.operands = tuple([None if a is t else getattr(a, "_data", a) for a in args])
            self.loose = tuple([i for i, a in enumerate(args) if getattr(a, "_node", self) is None])
            self.result = getattr(t, "_data", None)
            wide = hasattr(node, "sources")
            self.kept = (node.args, node.ans, node.kwargs) if wide else (node.a, node.b, node.ans)
            self.kept = (node.op, *self.kept)


NOTHING = Note()


def annotate(
    state: State, t: Any, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any], name: str | None = None
) -> None:
    """Write down what the switches ask for about a result that has just been recorded."""
    if state.noted == 1 and name is None and not isinstance(t, tuple):
        if t._node is not None:
            t._node.note = state if type(state) is State else state.now()
        return
    wanted = state.scope or state.debug or name is not None
    results: Any = () if not wanted else t if isinstance(t, tuple) else (t,)
    for result in results:
        if state.debug:
            watch_view(result)
        node = getattr(result, "_node", None)
        if node is not None:
            note = getattr(node, "note", None)
            if note is None or type(note) is State:  # not yet one of its own
                scope = state.scope if note is None else note.scope
                note = node.note = Note()
                note.scope = scope
                if state.debug:
                    note.remember(node, op, args, result)
                    if isinstance(t, tuple) and not hasattr(node.p, "note"):
                        node.p.note = Note()
                        node.p.note.scope = scope
                        node.p.note.remember(node.p, op, args, None)
            if name is not None:
                note.name = name
    if state.recorder is not None and op is not None:
        if op.variadic:
            args = (list(args),)
        if op.aux and "aux" in kwargs:
            kwargs = {k: v for k, v in kwargs.items() if k != "aux"}
        if op.fn is np.astype:  # it takes its dtype by position only
            args, kwargs = (*args, kwargs["dtype"]), {}
        state.recorder.record(op.fn, args, kwargs, t)


def printable(text: str) -> str:
    r"""Return a text, such as a name that somebody gave, as it can be shown anywhere and written into any file.

    Examples
    --------
    >>> printable("a\x1b[31m")
    'a␛[31m'
    """
    return text if text.isprintable() else UNPRINTABLE.sub(_sign, text)


def _sign(found: re.Match[str]) -> str:
    code = ord(found.group())
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def source_line() -> str:
    """Return ``file:line`` of the innermost frame that belongs neither to these packages nor to NumPy."""
    frame = sys._getframe(1)
    while frame is not None:
        if not is_inside(frame):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return "?"


def kept_arrays(node: Any) -> list[np.ndarray[Any, Any]]:
    """Return the arrays that a node keeps for its pullbacks."""
    kept = (*(node.args or ()), node.ans, *node.kwargs.values()) if node.op.wide else (node.a, node.b, node.ans)
    flat = [v for k in kept for v in (k if isinstance(k, tuple | list) else (k,))]
    return [v for v in flat if isinstance(v, np.ndarray)]


def checksums(node: Any) -> tuple[tuple[Any, int], ...]:
    """Return a checksum of every array that a node keeps."""
    return tuple((a, checksum(a)) for a in kept_arrays(node))


def checksum(a: Any) -> int:
    """Return a number that changes when an array does."""
    return zlib.crc32(np.ascontiguousarray(a).data.cast("B")) if a.size else 0


def refuse_changed(node: Any) -> None:
    """Raise if an array that the tape keeps has been written into since it was recorded."""
    note = getattr(node, "note", NOTHING)
    for a, before in note.sums:
        if checksum(a) != before:
            raise GraphError(
                f"an array of shape {a.shape} was changed after {node.op.name} had used it (at "
                f"{note.line}), so its gradient would be "
                f"wrong; pass a copy, or call backward() before changing it"
            )


_views: dict[int, dict[int, Any]] = {}  # while debugging: by the identity of an array the Tensors that are views of it


def watch_view(t: Any) -> None:
    """Remember a Tensor whose values are a view, as long as it lives."""
    if (owner := _owner(t)) is not None:
        array, key = id(owner), id(t)

        def forget(_: Any) -> None:
            if (known := _views.get(array)) is not None:
                known.pop(key, None)
                if not known:
                    _views.pop(array, None)

        _views.setdefault(array, {})[key] = weakref.ref(t, forget)


def _owner(t: Any) -> Any:
    """Return the array whose memory a Tensor shows, None if that is its own."""
    first = array = getattr(t, "_data", None)
    while type(base := getattr(array, "base", None)) is np.ndarray:
        array = base
    return None if array is first else array


def report_views(old: Any, new: Any) -> None:
    """Warn of Tensors that are views of `old` and would show something else in NumPy, where it has become `new`."""
    for ref in list(_views.get(id(old), {}).values()):
        t = ref()
        if t is None or _owner(t) is not old:
            continue
        view = t._data
        memory = np.asarray(new).transpose(sorted(range(old.ndim), key=lambda i: -old.strides[i])).tobytes()
        start = view.__array_interface__["data"][0] - old.__array_interface__["data"][0]
        if np.ndarray(view.shape, view.dtype, memory, start, view.strides).tobytes() != view.tobytes():
            warnings.warn(
                f"a view of shape {view.shape}, taken at {getattr(t._node, 'note', NOTHING).line or '?'}, keeps its "
                f"values at the assignment at {source_line()}, where NumPy's view would change with the array: take "
                f"it afterwards, or say .copy() if the old values are meant",
                stacklevel=3,
            )
