"""Arrays and other memory within reach of a function: plain NumPy may read it unseen, so its bytes are compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..calls import is_locked
from .watched_places import Place

SMALL = 1 << 16  # bytes, in all, that are compared at every call: about 5 us


class Memory(Place):
    """An array, or what else holds numbers side by side: `array.array`, a bytearray, a record, a frame of a library."""

    __slots__ = ("kept",)

    def __init__(self, x: Any, name: tuple[Any, ...]) -> None:
        super().__init__(None, x, name, image(x))
        # Of objects the bytes are addresses, and no other object may come to live at one.
        self.kept = x.copy() if isinstance(x, np.ndarray | np.void) and x.dtype.hasobject else None

    def is_same(self) -> bool:
        """Say whether it holds what it held."""
        return bool(image(self.before) == self.was)

    def is_changed(self) -> bool:
        """Say whether it holds something else."""
        return not self.is_same()

    def again(self) -> None:
        """Take what it holds for what it held before."""
        self.dropped, self.was = True, image(self.before)

    def guards(self) -> Iterator[tuple[Any, Any]]:
        """Yield what must be as it was for a plan to hold."""
        yield self.is_same, True


def image(x: Any) -> Any:
    """Return bytes, shape and dtype: what a view through the same object may show otherwise one day.

    Nothing is held open: of a bytearray that somebody looks at the length cannot change.
    """
    if isinstance(x, np.ndarray):
        return np.ndarray.tobytes(x), x.shape, x.dtype  # of a masked array the bytes below the mask, too
    if hasattr(type(x), "__array__"):
        a = np.asarray(x)
        return a.tobytes(), a.shape, a.dtype
    with memoryview(x) as view:
        return view.tobytes(), view.shape, view.format


def size_of(x: Any) -> int | None:
    """Return how many bytes an object holds as an array would, None if it is no such object."""
    if isinstance(x, np.ndarray | np.void):
        return int(x.nbytes)
    try:
        if not hasattr(type(x), "__array__"):
            with memoryview(x) as view:
                return int(view.nbytes)
        return None if type(x).__array__ is None else int(np.asarray(x).nbytes)
    except Exception:  # it may say anything of itself
        return None


def chosen(found: list[tuple[Any, Any]]) -> tuple[list[Memory], list[str]]:
    """Return what is compared, the smallest first, and words for what is too large for that and might change."""
    room, compared, left = SMALL, list[Memory](), list[str]()
    sized = [(n, x, name) for x, name in found if (n := size_of(x)) is not None]
    for n, x, name in sorted(sized, key=lambda entry: entry[0]):
        if n <= room:
            room -= n
            compared.append(Memory(x, name))
        elif not is_locked(x):
            left.append(f"{words(x, name)} of {n:,} bytes")
    return compared, left


def words(x: Any, name: tuple[Any, ...]) -> str:
    """Return words for a thing in its place."""
    return str(Place(None, x, name, []))
