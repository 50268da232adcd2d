"""From the tape to graph data: roles, names, values, gradients, formulas."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nodes import Leaf, Node
from ..notes import NOTHING, printable
from ..rules import Op
from ..sweep import order
from ..tape_values import UNKNOWN, is_pick, kept_operand, known_metadata, operation
from .data import Edge, Gap, Graph, Vertex
from .flows import gradient_of_leaf, watch
from .given import Given, alike
from .heat import costs
from .numbers import Stats, is_broken, norm_of, summarise, tell, tell_dtype
from .symbols import clean, known_label, label_of, light
from .thinning import Thinned
from .troubles import troubles
from .values import Shown
from .writing import UNTRACKED

CONSTANT = "const"
AXES = {"reshape", "expand_dims", "squeeze"}  # operations that may do nothing but add axes of length 1
NUMBERS = {float, np.float64}
NO_METADATA: dict[str, Any] = {}


def read(
    roots: Sequence[Node], given: Given, seeds: dict[Node, Any], thin: bool = False
) -> tuple[Graph, dict[Node, int]]:
    """Return the data of the graph that ends in `roots`, and where in it the nodes are.

    With `thin` the middle of long repeats is left out, which would be folded.
    """
    reader = _Reader(roots, given, seeds, thin)
    if given.cost:
        reader.graph.heat = costs(given.cost, reader.graph, reader.at, reader.values)
    return reader.graph, reader.at


class _Reader:
    """One reading of a tape."""

    def __init__(self, roots: Sequence[Node], given: Given, seeds: dict[Node, Any], thin: bool) -> None:
        self.given, self.roots = given, list(dict.fromkeys(roots))
        self.graph = Graph(given.title)
        self.outputs = {*given.outputs, *self.roots}
        self.path = within(order(self.roots), self.roots, given.inputs)
        self.values = Shown(self.path, given.held)
        self.values.follow()
        self.sweep, why = watch(seeds, self.path, self.values, given.inputs) if seeds else (None, None)
        if why is not None:
            self.graph.notes.append(why)
        self.untracked = fed_only_by(given.followed, self.path)
        if self.sweep is not None and self.untracked:
            self.sweep.leave_out(self.untracked)
        self.at: dict[Node, int] = {}
        self.constants: dict[int, int] = {}
        self.texts: dict[float, str] = {}  # of numbers
        self.recognised: dict[tuple[Op, int], Any] = {}
        self.kinds: dict[Op, tuple[str, Op, int]] = {}  # name, rule and number of results of an operation
        self.named_numbers = any(declared for _, _, declared in given.arrays)
        self.kept_alive: list[Any] = []  # ids are keys only while their objects live
        thinned = Thinned(self.path, self.values, set(given.inputs), self._special()) if thin else None
        self.behind: dict[Node, Node] = {}  # what is not drawn, and what is drawn in its place
        if thinned is not None:
            self.path, self.behind = thinned.path, thinned.twins
        # The note of an operation with several results is with the results.
        self.picked = {n.p: n for n in reversed(self.path) if is_pick(n)}
        self.leaves = [n for n in self.path if self._is_leaf(n)]
        self._leave_out()
        self.ops = [n for n in self.path if not self._is_leaf(n) and not self._passes(n) and n not in self.behind]
        self._place_inputs()
        for k, node in enumerate(self.ops):
            self._operation(node, self.ops[k + 1] if k + 1 < len(self.ops) else None)
        if thinned is not None:
            self.graph.gaps = [self._gap(*gap) for gap in thinned.gaps]
        self._finish()

    # --- what a node is -----------------------------------------------------------------------------------------------

    def _passes(self, node: Node) -> bool:
        """Say whether a node only marks where a transform was entered, so that its operand stands for it."""
        return node.op is not None and node.op.name == "input" and node.op.fn is np.positive

    def _leave_out(self) -> None:
        """Find what is not drawn: the one result used of an operation with several, and axes added for broadcasting."""
        used = Counter(n.p for n in self.path if is_pick(n))
        self.only = {n.p: n for n in self.path if is_pick(n) and used[n.p] == 1}
        self.behind |= {pick: main for main, pick in self.only.items()}
        narrow = [n for n in self.path if n.op is not None and n.op.name in AXES and self._adds_axes(n)]
        users: dict[Node, list[Node]] = {n: [] for n in narrow}
        for node in self.path if narrow else ():
            for p in node.parents:
                if p in users:
                    users[p].append(node)
        for node in narrow:
            if all(u.op.elementwise and len(u.op.args) == 2 and u.size > node.size for u in users[node]):
                self.behind[node] = node.parents[0]  # type: ignore[assignment]

    def _adds_axes(self, node: Node) -> bool:
        (p,) = node.parents
        named = node in self.outputs or self._name(node)
        return p is not None and not named and [n for n in node.shape if n != 1] == [n for n in p.shape if n != 1]

    def _through(self, node: Node) -> Node:
        while node in self.behind or (self._passes(node) and node.p is not None and not self._is_leaf(node)):
            node = self.behind.get(node) or node.p
        return node

    def _is_leaf(self, node: Node) -> bool:
        return node.op is None or node in self.given.inputs or (self._passes(node) and node.p is None)

    def _declared(self, node: Node) -> str | None:
        """Return the name under which the values of a leaf were declared an input, None if they were not."""
        value = self.values.of.get(node)
        for name, a, declared in self.given.arrays if value is not None and node not in self.given.params else ():
            if declared and self._name(node) in ("", name) and alike(a, value):
                return name
        return None

    def _special(self) -> set[Node]:
        """Return the nodes that are drawn, wherever they are: those with a name or a role, and what is not finite."""
        given, values = self.given, self.values.of
        totals = {} if self.sweep is None else self.sweep.totals
        found = {*self.outputs, *given.inputs, *given.names, *given.variables}
        # Of a number x - x tells it in 30 ns, and there may be 10^6.
        found.update([n for n, v in values.items() if (v - v != 0 if v.__class__ in NUMBERS else not is_finite(v))])
        found.update([n for n, s in totals.items() if is_broken(s)])
        return found

    def _gap(self, left_out: list[Node], behind: list[Node], copies: int) -> Gap:
        """Return what is to be known of blocks that are left out in front of another."""
        totals = {} if self.sweep is None else self.sweep.totals
        norms = np.array([-1.0 if (s := totals.get(n)) is None else norm_of(s) for n in left_out])
        norms = norms.reshape(copies, len(behind))
        drawn = [(self.at[node], norms[:, i]) for i, node in enumerate(behind) if node in self.at]
        ranges = {k: (float(found.min()), float(found.max())) for k, found in drawn if not (found < 0).any()}
        shown = [node for node in behind if node in self.at]
        leaves = [node for node in shown if node.op is None]
        parameters = copies * sum(node.size for node in leaves)
        at = min(k for k, _ in drawn)
        shared = [i for i, n in enumerate(behind) if any(p is not None and self._is_shared(p) for p in n.parents)]
        terms = self._terms([n for i in shared for n in left_out[i :: len(behind)]], at)
        operations = copies * (len(shown) - len(leaves))
        return Gap(at, copies, copies * len(shown), operations, parameters, ranges, terms)

    def _is_shared(self, p: Node) -> bool:
        """Say whether a node may be used by all blocks of a repeat."""
        return p.op is None or p in self.given.inputs

    def _terms(self, left_out: list[Node], at: int) -> dict[int, int]:
        """Return how many contributions what is left out sends to each leaf and each input that is drawn."""
        flows = {} if self.sweep is None else self.sweep.flows
        found: Counter[int] = Counter()
        for node in left_out:
            for p, sent in zip(node.parents, flows.get(node, ()), strict=False):
                if sent is not None and p in self.at and self._is_shared(p):
                    found[self.at[p]] += 1
        return {k: n for k, n in found.items() if k < at}

    def _name(self, node: Node) -> str:
        own = node.name if isinstance(node, Leaf) else getattr(node, "note", NOTHING).name
        return self.given.names.get(node) or own or self.given.variables.get(node, "")

    def _note(self, node: Node | None) -> Any:
        return getattr(self.picked.get(node, node), "note", NOTHING)

    def _stats(self, node: Node) -> Stats | None:
        value = self.values.of.get(node)
        return None if value is None or isinstance(value, tuple | list) else summarise(value)

    # --- vertices -----------------------------------------------------------------------------------------------------

    def _add(self, vertex: Vertex) -> int:
        self.graph.vertices.append(vertex)
        return len(self.graph.vertices) - 1

    def _place_inputs(self) -> None:
        """Put declared inputs first, outside of every module."""
        for node in self.leaves:
            name = None if node in self.given.inputs or not self.named_numbers else self._declared(node)
            if name is not None:
                self.given.names[node] = name
            if name is not None or node in self.given.inputs or self._passes(node):
                self._leaf(node, "input", ())
        for node in self.ops if self.named_numbers else ():
            for i, p in enumerate(node.parents):
                value = UNKNOWN if p is not None else kept_operand(node, i)
                if isinstance(value, np.ndarray) and self.given.array_name(value)[1]:
                    self._constant(node, i, ())
        if not self.ops:
            for node in self.roots:
                self._source(node, ())

    def _leaf(self, node: Node, role: str, path: tuple[str, ...]) -> int:
        v = Vertex(role, name=self._name(node), shape=tuple(node.shape), dtype=tell_dtype(node.dtype), path=path)
        v.value = self._stats(node)
        self.at[node] = self._add(v)
        return self.at[node]

    def _source(self, node: Node, path: tuple[str, ...]) -> int:
        """Return the position of an operand that is a node."""
        node = self._through(node)
        found = self.at.get(node)
        return self._leaf(node, "parameter", path) if found is None else found

    def _constant(self, node: Node, i: int, path: tuple[str, ...]) -> int | str:
        """Return the position of an untracked operand, or its text if it is a single number."""
        value = kept_operand(node, i)
        if value.__class__ in NUMBERS and not self.named_numbers:
            text = self.texts.get(value)
            if text is None:
                text = self.texts[value] = tell(value)
            return text
        if value is UNKNOWN:
            value = self._recognised(node, i)
            if value is UNKNOWN:
                return CONSTANT
        if isinstance(value, float | int) and not self.named_numbers:
            return tell(value)
        name, declared = self.given.array_name(value)
        if np.size(value) == 1 and not declared and not (name and np.ndim(value)):
            return tell(np.ravel(value)[0])
        if id(value) in self.constants:
            return self.constants[id(value)]
        role = "input" if name and (declared or np.ndim(value)) else "constant"
        for k in self.constants.values() if name else ():
            if self.graph.vertices[k].name == name:
                return k
        v = Vertex(role, name=name, shape=np.shape(value), dtype=tell_dtype(np.result_type(value)), path=path)
        if name and (declared or self.ops[0] not in self.at):
            v.path = ()  # what enters the first module comes from outside
        v.value = summarise(value)
        v.why_none = UNTRACKED
        self.kept_alive.append(value)
        self.constants[id(value)] = self._add(v)
        return self.constants[id(value)]

    def _recognised(self, node: Node, i: int) -> Any:
        """Return the plain value that, put in the place of an operand nobody kept, gives the very result recorded."""
        op, ans = node.op, self.values.of.get(node)
        if op.wide or len(op.args) != 2 or not op.trusted:
            return UNKNOWN
        other = self.values.operand(node, 1 - i)
        if other is UNKNOWN:
            return UNKNOWN
        if ans is None:
            return self._as_before(node, i, other)
        guess = guessed(op.name, i, ans, other)
        for a in [*(a for _, a, declared in self.given.arrays if declared or telling(a)), *guess]:
            try:
                with np.errstate(all="ignore"):
                    again = op.compute(*((a, other) if i == 0 else (other, a)))
            except Exception:  # shapes that do not fit
                continue
            if alike(again, ans):
                self.recognised[op, i] = a
                return a
        return UNKNOWN

    def _as_before(self, node: Node, i: int, other: Any) -> Any:
        """Return the number that was recognised in this place before, if with it the next known result comes out."""
        a = self.recognised.get((node.op, i), UNKNOWN)
        if not isinstance(a, float):
            return UNKNOWN
        with np.errstate(all="ignore"):
            ans = node.op.compute(*((a, other) if i == 0 else (other, a)))
        return a if self.values.confirmed(node, ans) else UNKNOWN

    def _operation(self, node: Node, following: Node | None) -> None:
        op, at, given = node.op, self.at, self.given
        note = self._note(node) if self.picked else getattr(node, "note", NOTHING)
        shown = self.only.get(node, node)  # of several results the only one used stands for all
        known = self.kinds.get(op)
        if known is None:
            known = self.kinds[op] = (clean(op.name), operation(node), operation(node).outputs)
        name, rule, several = known
        operands: list[int | str | None] = []
        narrow = node.__class__ is Node
        for i, p in enumerate((node.p, node.q)[: len(op.args)] if narrow else node.parents):
            found = self._constant(node, i, note.scope) if p is None else at.get(p)
            operands.append(self._source(p, note.scope) if found is None else found)
        k = len(self.graph.vertices)
        v = Vertex("operation", name, given.names.get(shown) or note.name or given.variables.get(shown, ""))
        if shown is not node or not several:
            v.shape, v.dtype = shown.shape, tell_dtype(shown.dtype)
        v.operands, v.path, v.rule, v.value = tuple(operands), note.scope, rule, self._stats(shown)
        self.graph.vertices.append(v)
        at[node] = k
        if note.line is not None:
            v.source = os.path.basename(note.line)
        self._label(node, v)
        sent = () if self.sweep is None else self.sweep.flows.get(node, ())
        for i, source in enumerate(operands):
            if source.__class__ is int:
                self.graph.edges.append(Edge(source, k, i, sent[i] if sent else None))
        if shown in self.outputs:
            self._output(shown, k, following)

    def _label(self, node: Any, v: Vertex) -> None:
        """Write what the box of an operation is headed by."""
        if is_pick(node):
            v.label = "result" if node.a is None else f"result {node.a}"
        elif node.__class__ is not Node and node.kwargs:
            known = known_metadata(node)
            v.label, v.metadata = label_of(v.op, v.operands, known), light(known)
        else:
            v.label = known_label(v.op, tuple([o if o.__class__ is str else None for o in v.operands]))

    def _output(self, node: Node, k: int, following: Node | None) -> None:
        """Put a named result behind its operation; what uses the result uses it from there."""
        made = self.graph.vertices[k]
        path = made.path if following is None else common(made.path, self._note(following).scope)
        name = self.given.outputs.get(node) or made.name or ("output" if node in self.roots else "")
        if node in self.roots:
            path = ()
        made.name = ""  # it goes to the result
        v = Vertex("output", "", name, made.shape, made.dtype, (k,), path, value=made.value)
        self.at[node] = self._add(v)
        self.graph.edges.append(Edge(k, self.at[node], 0, None if self.sweep is None else self.sweep.totals.get(node)))

    # --- gradients ----------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        graph, sweep, at = self.graph, self.sweep, self.at
        totals = {} if sweep is None else sweep.totals
        for node, k in self.at.items():
            v = graph.vertices[k]
            v.gradient = totals.get(node)
            if v.gradient is None:
                v.why_none = "not known" if sweep is None else "nothing flows"
                if node in self.untracked:
                    v.why_none = UNTRACKED
        for node in self.leaves:
            if node not in self.at:
                continue
            v, total = graph.vertices[self.at[node]], gradient_of_leaf(node)
            if total is not None and sweep is None:
                v.gradient, v.why_none = total, None
            elif total is not None and total != v.gradient:
                v.accumulated = total
        for v in graph.vertices:  # an operation before its named result has the same gradient
            if v.role == "output":
                made = graph.vertices[v.operands[0]]  # type: ignore[index]
                made.gradient, made.why_none = v.gradient, v.why_none
        if sweep is not None:
            graph.backward = list(
                dict.fromkeys(
                    self._behind(n) for n in sweep.visited if n in at and n not in self.behind and not self._passes(n)
                )
            )
        for node in self.behind:
            self.at.setdefault(node, self.at[self._through(node)])
        if any(n in self.values.stale for n in self.at):
            names = sorted({self._name(n) or "a parameter" for n in self.values.stale})
            graph.notes.append(f"The values of {', '.join(names[:3])} have changed since they were used.")
        named = {n: name for n in self.path if (name := self._name(n))}
        # Not `self.path`: that ends at declared inputs, and leaves the middle of long repeats out.
        unused = self.given.params.difference(order(self.roots)) if self.given.params else set()
        graph.notes += troubles(self.path, self.values.of, totals, {**named, **self.given.names}, unused)
        self._write_legibly()

    def _write_legibly(self) -> None:
        """Make what people have named fit for every output: a file, a terminal, a page."""
        graph = self.graph
        graph.title, graph.notes = printable(graph.title), [printable(note) for note in graph.notes]
        for v in graph.vertices:
            v.op, v.name, v.label, v.path = printable(v.op), printable(v.name), printable(v.label), _legible(v.path)
            v.operands = _legible(v.operands)
            if v.metadata:
                v.metadata = {k: _legible(value) for k, value in v.metadata.items()}

    def _behind(self, node: Node) -> int:
        """Return the position of the operation itself, not of the named result behind it."""
        k = self.at[node]
        v = self.graph.vertices[k]
        return v.operands[0] if v.role == "output" else k  # type: ignore[return-value]


def is_finite(value: Any) -> bool:
    """Say whether a value holds neither infinity nor NaN; a tuple of results is taken for finite."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, tuple | list) or bool(np.all(np.isfinite(value)))


def within(path: list[Node], roots: Sequence[Node], borders: set[Node]) -> list[Node]:
    """Return the nodes of a path without those that are only behind borders: behind declared inputs."""
    if all(n.op is None for n in borders):
        return path
    found, stack = set(roots), list(roots)
    while stack:
        node = stack.pop()
        for p in node.parents if node not in borders else ():
            if p is not None and p not in found:
                found.add(p)
                stack.append(p)
    return [n for n in path if n in found]


def fed_only_by(sources: set[Node], path: Sequence[Node]) -> set[Node]:
    """Return the sources, and the nodes that depend on no other leaf."""
    found: set[Node] = set()
    for node in path if sources else ():
        parents = [p for p in node.parents if p is not None]
        if node in sources or (parents and all(p in found for p in parents)):
            found.add(node)
    return found


def telling(a: Any) -> bool:
    """Say whether an array is recognised by what it does: not if it is long, or the same number everywhere."""
    return 1 < np.size(a) <= 100_000 and bool(np.any(a != np.ravel(a)[0]))


def guessed(op: str, i: int, ans: Any, other: Any) -> list[Any]:
    """Return the number that an unknown operand of a sum or a difference may have been."""
    if op not in ("add", "subtract") or not np.size(ans) or not np.size(other):
        return []
    y, x = complex(np.ravel(ans)[0]), complex(np.ravel(other)[0])
    c = y - x if op == "add" else x - y if i else y + x
    return [] if c.imag or not np.isfinite(c.real) else [float(f"{c.real:.12g}")]


def common(a: Sequence[str], b: Sequence[str]) -> tuple[str, ...]:
    """Return the beginning that two paths share."""
    shared: list[str] = []
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        shared.append(x)
    return tuple(shared)


def _legible(value: Any) -> Any:
    """Return a string, or a tuple with strings in it, fit for every output."""
    if isinstance(value, str):
        return printable(value)
    return tuple([_legible(v) for v in value]) if type(value) is tuple else value
