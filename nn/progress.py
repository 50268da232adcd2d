"""Progress on stderr: by tqdm if it is installed, else in plain lines; quiet where nobody looks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(progress: bool | None, done: int, epochs: int) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """Show progress on stderr: by tqdm if it is installed, else in plain lines; or not at all."""
    notebook = _in_a_notebook()
    if not (progress if progress is not None else notebook or sys.stderr.isatty()):
        yield lambda *_: None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda epoch, row: print(f"epoch {epoch}/{epochs}  {_line(row)}", file=sys.stderr)
        return
    if notebook:
        with contextlib.suppress(ImportError):
            import ipywidgets  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401
            from tqdm.notebook import tqdm
    with tqdm(total=epochs, initial=done, unit="epoch", file=None if notebook else sys.stderr) as bar:

        def show(_: int, row: dict[str, float]) -> None:
            bar.set_postfix_str(_line(row), refresh=False)
            bar.update()

        yield show


def _in_a_notebook() -> bool:
    """Say whether a kernel runs this; that its package was imported says nothing (nbclient's users import it too)."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython and ipython.get_ipython(), "kernel")


def _line(row: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in row.items())
