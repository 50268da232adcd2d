"""Where the boxes go: Graphviz says. `dot` if it is on the PATH, else the one that pygraphviz carries, else nobody.

Always in a child process with a time-out: a layout that takes too long, or crashes, costs a picture, never the session.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TIMEOUT = 10.0  # seconds
ADVICE = (
    "There is no layout engine to draw this: install Graphviz (apt install graphviz, brew install graphviz, winget "
    'install graphviz) or run pip install "autograd-core[viz]".'
)
CHILD = """
import sys, warnings
warnings.simplefilter("ignore")
import pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot"))
"""

Point = tuple[float, float]


class NoEngine(RuntimeError):
    """There is no layout engine, or it failed."""


@dataclass(slots=True)
class Layout:
    """Places in points, from the top left corner."""

    width: float
    height: float
    boxes: dict[str, tuple[float, float, float, float]]  # centre, width, height
    frames: dict[str, tuple[float, float, float, float]]  # left, top, right, bottom
    curves: dict[str, list[Point]]  # Bézier points from source to target


def engine() -> str | None:
    """Return which engine is there: "dot", "pygraphviz", or None."""
    if shutil.which("dot"):
        return "dot"
    return "pygraphviz" if _importable("pygraphviz") else None


@functools.cache
def _importable(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def command(form: str) -> list[str] | None:
    """Return the command that reads DOT and writes another format, None if there is no engine."""
    which = engine()
    if which == "dot":
        from graphviz.backend.dot_command import command as of_graphviz

        return [str(part) for part in of_graphviz("dot", form)]
    return [sys.executable, "-c", CHILD, form] if which else None


def run(dot: str, form: str, timeout: float = TIMEOUT) -> bytes:
    """Return what the engine makes of a DOT text; raise NoEngine with a sentence if it cannot."""
    parts = command(form)
    if parts is None:
        raise NoEngine(ADVICE)
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    flags: dict[str, Any] = {"creationflags": 0x08000000} if sys.platform == "win32" else {}
    try:
        done = subprocess.run(parts, input=dot.encode(), capture_output=True, timeout=timeout, env=env, **flags)
    except subprocess.TimeoutExpired:
        raise NoEngine(
            f"The layout took more than {timeout:g} s: ask for less with max_nodes=, focus= or depth=, or more "
            f"time with timeout=."
        ) from None
    except OSError as error:
        raise NoEngine(f"The layout engine could not be started ({error}).") from None
    if done.returncode or not done.stdout:
        why = done.stderr.decode(errors="replace").strip().splitlines()
        raise NoEngine(f"The layout engine failed ({why[-1] if why else done.returncode}).")
    return done.stdout


def lay_out(dots: Sequence[str], timeout: float = TIMEOUT) -> list[Layout]:
    """Return the layouts of DOT texts, all from one start of the engine if it takes several."""
    if engine() == "dot":
        text = run("".join(dots), "json0", timeout).decode()
        decoder, found, at = json.JSONDecoder(), [], 0
        while at < len(text) and (start := text.find("{", at)) >= 0:
            made, at = decoder.raw_decode(text, start)
            found.append(_read(made))
        if len(found) == len(dots):
            return found
    return [_read(json.loads(run(dot, "json0", timeout))) for dot in dots]


def _read(made: dict[str, Any]) -> Layout:
    """Read Graphviz's JSON."""
    _, _, width, height = (float(v) for v in made["bb"].split(","))
    layout = Layout(width, height, {}, {}, {})
    for thing in made.get("objects", ()):
        if "pos" in thing:
            x, y = (float(v) for v in thing["pos"].split(","))
            layout.boxes[thing["name"]] = (x, height - y, 72 * float(thing["width"]), 72 * float(thing["height"]))
        elif thing["name"].startswith("cluster_") and "bb" in thing:
            left, low, right, high = (float(v) for v in thing["bb"].split(","))
            layout.frames[thing["name"].removeprefix("cluster_")] = (left, height - high, right, height - low)
    for edge in made.get("edges", ()):
        if "pos" in edge:
            points = [p.split(",") for p in edge["pos"].split() if p[0] not in "se"]
            curve = [(float(x), height - float(y)) for x, y in points]
            layout.curves[edge["id"]] = curve[::-1] if edge.get("class") == "turned" else curve
    return layout
