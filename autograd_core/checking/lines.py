"""Which lines does a failing example run that no other does? The user's are the ones to look at.

Hypothesis asks the same, by watching every line there is while it looks for a simpler example: that takes most of the
time, and what it finds are the ways that the checker takes where a gradient is wrong.
"""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIBRARIES = ("numpy", "scipy", "torch", "jax", "jaxlib", "hypothesis")
HERE = str(Path(__file__).parents[1]) + os.sep
SHOWN = 5
Lines = set[tuple[str, int]]


def lines_of(run: Callable[[], Any]) -> Lines:
    """Return the lines of the user's files that a call runs; none while somebody else traces, a debugger perhaps.

    Examples
    --------
    >>> lines_of(lambda: functools.reduce(max, [1, 2])) == set()
    True
    """
    if sys.gettrace() is not None:
        return set()
    found: Lines = set()

    def trace(frame: Any, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if not is_users(file):
            return None
        if event == "line":
            found.add((file, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(None)
    return found


@functools.lru_cache(4096)
def is_users(file: str) -> bool:
    """Say whether a file belongs neither to this package nor to the libraries underneath, nor is made at run time."""
    homes = [os.path.dirname(str(sys.modules[name].__file__)) + os.sep for name in LIBRARIES if name in sys.modules]
    inside = "site-packages" in file or not file.startswith(
        tuple(sysconfig.get_paths()[p] for p in ("stdlib", "platstdlib"))
    )
    return inside and not file.startswith(("<", HERE, *homes))


def explained(failing: Lines, others: list[Lines]) -> str:
    """Return a note on the lines that only a failing example has run, or nothing.

    Examples
    --------
    >>> print(explained({("a.py", 3), ("a.py", 7)}, [{("a.py", 3)}]))
    Explanation: of the examples that were tried again, only this one ran
        a.py:7
    """
    alone = sorted(failing.difference(*others)) if others else []
    if not alone:
        return ""
    rows = [f"    {file}:{line}" for file, line in alone[:SHOWN]]
    rows += [f"    and {len(alone) - SHOWN} lines more"] if len(alone) > SHOWN else []
    return "\n".join(["Explanation: of the examples that were tried again, only this one ran", *rows])
