"""Changes to arrays and Tensors that are made all together or not at all; and Ctrl-C, which may have to wait.

For that, copies are made beforehand. An optimizer's are too large for that (a copy of Adam's state for 535,818
parameters takes as long as the update); what its equation can raise, NumPy must have been told to raise, and Ctrl-C can
wait for a millisecond. So a block that is trusted is copied for only where its arrays are small, or NumPy may raise.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal.signal` makes enumerations of numbers: 10 us, not 0.5
import operator
import warnings
import weakref
from itertools import repeat
from typing import Any

import numpy as np

from .tensor import Tensor

SMALL = 1 << 15  # bytes; to copy them takes a microsecond, to let Ctrl-C wait two
SIGINT = _signal.SIGINT
KNOWN: tuple[Any, bool] = (None, False)  # settings of floating-point errors, and whether they make NumPy raise
FILTERS: tuple[Any, bool] = (None, False)  # filters of warnings, and whether any makes an error
BROKEN: Any = weakref.WeakValueDictionary()  # arrays, or what they are parts of, whose update was broken off, by `id`

# What `np.errstate` sets, to be compared by identity: `np.geterr` takes a microsecond.
settings_of_errors: Any = getattr(np.geterr.__globals__.get("_extobj_contextvar"), "get", np.geterr)


class uninterrupted:
    """Let Ctrl-C wait until the block is done; whoever handles it, `asyncio` or a handler of your own, is told then.

    For short blocks whose statements belong together. Signals come to the main thread; elsewhere nothing changes.

    Examples
    --------
    >>> import autograd_core as ag
    >>> w, updates = ag.Tensor([1.0, 2.0]), 0
    >>> with ag.uninterrupted():
    ...     w.data -= 0.5
    ...     updates += 1
    """

    __slots__ = ("came", "frame", "handler")

    def __enter__(self) -> None:
        self.came, self.frame = False, None
        self.handler = _signal.getsignal(SIGINT)
        if callable(self.handler):  # else it ends the process, or is ignored, or is somebody's in C
            try:
                _signal.signal(SIGINT, self)
            except ValueError:  # not the main thread
                self.handler = None

    def __call__(self, _: int, frame: Any) -> None:
        """Take note of a signal."""
        self.came, self.frame = True, frame

    def __exit__(self, *exc: object) -> None:
        if _signal.getsignal(SIGINT) is self:
            _signal.signal(SIGINT, self.handler)
        if self.came:
            frame, self.came, self.frame = self.frame, False, None
            self.handler(SIGINT, frame)


class all_or_nothing:
    """Change arrays and leaves in a block, all of them or none: if it raises, they get their values back.

    Parameters
    ----------
    *values : arrays and Tensors
        What the block changes in place. Gradients are not put back.
    trusted : bool
        The block raises only where NumPy does, by `np.errstate` or for a warning that is an error. Then large arrays
        are not copied unless that may be; Ctrl-C waits for the end of the block instead.

    Examples
    --------
    >>> import numpy as np
    >>> import autograd_core as ag
    >>> a, b = ag.Tensor([1.0, 2.0]), np.zeros(2)
    >>> try:
    ...     with ag.all_or_nothing(a, b):
    ...         a.data += 1
    ...         b[2] = 1
    ... except IndexError:
    ...     print(a.data, b)
    [1. 2.] [0. 0.]
    """

    __slots__ = (
        "_arrays", "_copied", "_held", "_kept", "_pairs", "_pause", "_tensors", "_trusted", "_waits", "small",
    )  # fmt: skip

    def __init__(self, *values: Any, trusted: bool = False) -> None:
        self._tensors = [v for v in values if isinstance(v, Tensor)]
        for v in values:
            if not isinstance(v, Tensor | np.ndarray):
                raise TypeError(f"all_or_nothing takes arrays and Tensors, such as *model.parameters(), not {v!r:.60}")
            if isinstance(v, Tensor) and not v.is_leaf:
                raise TypeError(f"{v._label()} is the result of an operation, whose values do not change")
        self._arrays = united([v for v in values if not isinstance(v, Tensor)])
        self.small = sum(v.nbytes for v in values) <= SMALL
        self._trusted, self._copied = trusted, self.small or not trusted
        self._kept: list[Any] = []
        self._held: list[Any] = []
        self._pairs: list[tuple[Any, Any]] = []  # small arrays and their copies, from the second time on
        self._pause = uninterrupted()
        self._waits = False  # is Ctrl-C waiting?

    def __enter__(self) -> None:
        if BROKEN and self._trusted:
            self.refuse()
        if self._pairs:
            for kept, array in self._pairs:
                kept[...] = array
        elif not self._copied and not numpy_raises():
            self._pause.__enter__()
            self._waits = True
        else:
            self._held = [t._data for t in self._tensors]
            self._kept = [d.copy() if type(d) is np.ndarray else d for d in (*self._held, *self._arrays)]
            self._copies()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._pairs and error is None:
            return
        if error is not None and not self._waits:
            self._put_back()
        elif error is not None:
            BROKEN.update({id(a): a for a in self._owners()})
            error.add_note(
                "This has broken off an update: part of the arrays is new, so load their last state before going on."
            )
        elif BROKEN and not self._trusted:  # parameters on their own are as they should be; an optimizer has moments
            self.forget([a for a in self._owners() if any(a is t._data for t in self._tensors)])
        if not self._pairs:
            self._kept = []
        self._held = []
        if self._waits:
            self._waits = False
            self._pause.__exit__()

    def _owners(self) -> list[Any]:
        """Return the arrays, or what they are parts of: an optimizer and a compiled step have different parts."""
        arrays = [*self._arrays, *(t._data for t in self._tensors)]
        return [a.base if type(a.base) is np.ndarray else a for a in arrays if type(a) is np.ndarray]

    def refuse(self) -> None:
        """Raise where an update of these arrays was broken off and nothing has been loaded since."""
        if any(id(a) in BROKEN for a in self._owners()):
            raise RuntimeError(
                "an update of these arrays was broken off in the middle, and part of them is new: load a state of the "
                "model and one of the optimizer before going on; without an optimizer, give all parameters their "
                "values in `with ag.all_or_nothing(*parameters):`"
            )

    def forget(self, owners: list[Any] | None = None) -> None:
        """Take all arrays for whole again, since they were given new values."""
        for a in self._owners() if owners is None else owners:
            BROKEN.pop(id(a), None)

    def _copies(self) -> list[tuple[Any, Any]]:
        """Return pairs of a copy and its array, where the block is small and changes no Tensors."""
        if self.small and not self._tensors and not self._pairs:
            self._kept = self._kept or [a.copy() for a in self._arrays]
            self._pairs = list(zip(self._kept, self._arrays, strict=True))
        return self._pairs

    def _put_back(self) -> None:
        """Give everything its values back, in steps that nothing can come between: each is one call that is C's."""
        n = len(self._held)
        targets = [*self._held, *self._arrays]
        changeable = [i for i, a in enumerate(targets) if type(a) is np.ndarray and a.flags.writeable]
        any(map(setattr, self._tensors, repeat("_data"), self._held))
        any(map(operator.setitem, [targets[i] for i in changeable], repeat(...), [self._kept[i] for i in changeable]))
        for t in self._tensors[:n]:
            if t._node is not None:
                t._node.touch()


def united(arrays: list[Any]) -> list[Any]:
    """Return arrays with a buffer in place of those that fill it, end to end: one copy takes 0.3 us, however short."""
    found, parts = list[Any](), dict[int, list[Any]]()
    for a in arrays:
        (parts.setdefault(id(a.base), []) if type(a.base) is np.ndarray else found).append(a)
    for group in parts.values():
        buffer, end = group[0].base, 0
        for a in sorted(group, key=lambda a: a.ctypes.data):
            whole = a.flags.c_contiguous and a.ctypes.data == buffer.ctypes.data + end
            end += a.nbytes if whole else buffer.nbytes + 1
        fills = len(group) > 1 and end == buffer.nbytes and buffer.flags.c_contiguous and buffer.flags.writeable
        found.extend([buffer] if fills else group)
    return found


def numpy_raises() -> bool:
    """Say whether a floating-point error would raise here, or a warning of one."""
    global KNOWN, FILTERS
    settings, verdict = KNOWN
    filters, errors = FILTERS
    if (now := settings_of_errors()) is not settings:
        verdict = not {"ignore", "warn", "print"}.issuperset(np.geterr().values())
        KNOWN = now, verdict
    if filters != warnings.filters:  # the same tuples, as a rule: 0.1 us, where looking into them takes 0.8
        errors = "error" in map(operator.itemgetter(0), warnings.filters)
        FILTERS = list(warnings.filters), errors
    return verdict or errors
