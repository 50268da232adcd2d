"""The picture as text: a line for every operation, in the order of execution, modules indented. No engine needed."""

from __future__ import annotations

from .data import Graph, Vertex
from .labels import Labels, content, gradient_text, result_text, times
from .symbols import shorten
from .view import Key, View

MOST = 400


def to_text(view: View) -> str:
    """Return the boxes of a view, one a line, with what each is made of."""
    graph, labels = view.graph, Labels(view)
    rows: list[tuple[str, str, str]] = []
    opened: list[int] = []
    boxes = [key for key in view.boxes if key[0] != "c"]
    for key in boxes[:MOST]:
        chain = frames_around(view, key)
        for depth, m in enumerate(chain):
            if m not in opened:
                opened.append(m)
                module = graph.modules[m]
                rows.append(("  " * depth + f"[{shorten(module.name, 60)}{times(module)}]".replace("\n", " "), "", ""))
        rows.append(line(graph, key, "  " * len(chain), labels))
    widths = [max((len(r[i]) for r in rows), default=0) for i in range(2)]
    text = [f"{a:{widths[0]}}  {b:{widths[1]}}  {c}".rstrip() for a, b, c in rows]
    if len(boxes) > MOST:
        text.append(f"… {len(boxes) - MOST:,} more")
    return "\n".join(text)


def frames_around(view: View, key: Key) -> list[int]:
    """Return the open modules around a box, the outermost first."""
    chain: list[int] = []
    m = view.frame_of[key]
    while m is not None:
        chain.insert(0, m)
        m = view.graph.modules[m].parent
    return chain


def reference(graph: Graph, o: int | str | None) -> str:
    """Return how an operand is called."""
    if not isinstance(o, int):
        return o or "·"
    return graph.vertices[o].name.replace("\n", " ") or f"n{graph.number(o)}"


def line(graph: Graph, key: Key, indent: str, labels: Labels) -> tuple[str, str, str]:
    """Return one box as three columns: what it is, its value, its gradient."""
    if key[0] == "m":
        m = graph.modules[key[1]]
        return f"{indent}[+] {labels.of(key, False).title}", content(graph, m), ""
    v: Vertex = graph.vertices[key[1]]
    name = reference(graph, key[1])
    what = v.role
    if v.role == "operation":
        what = f"{v.op}({', '.join(reference(graph, o) for o in v.operands)})"
    elif v.role == "failed":
        return f"{indent}failed: {v.op}({', '.join(reference(graph, o) for o in v.operands)})", "", ""
    elif v.role == "output":
        what = reference(graph, v.operands[0])
    gradient = "" if v.gradient is None else "grad " + gradient_text(v.gradient)
    return f"{indent}{name} = {what}", result_text(v), gradient
