"""How messages speak of what records: "under ag.trace (at line ...)", "the traced function"."""

from __future__ import annotations

from ..notes import source_line
from ..state import STATE


def title_now() -> str:
    """Return the function of ours under which another one runs."""
    return str(getattr(STATE.get().recorder, "title", "ag.compile"))


def word_now() -> str:
    """Return what that makes of a function: a compiled one, a traced one."""
    return str(getattr(STATE.get().recorder, "word", "compiled"))


def here() -> str:
    """Return under which function of ours, and where."""
    return f"under {title_now()} (at {source_line()})"
