"""Who asks a tracked Tensor for plain numbers, and what to write instead.

``math.exp(t)``, ``plt.plot(t)``, ``a[0] = t`` and SciPy's solvers ask through ``float`` and ``np.asarray``, which can
only refuse; but the frame that asks tells what was meant. Frames are read on the way to an error only.
"""

from __future__ import annotations

import builtins
import os
import sys
from types import FrameType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from ..packages import is_inside
from . import late

INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
LEAVING = ".item() for a Python number, .data for the array, .detach() for an untracked Tensor"
LOADS = ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FAST", "LOAD_DEREF", "LOAD_ATTR", "LOAD_METHOD")
OTHER_WORDS = {  # of functions of `math` that NumPy calls something else, or does not have
    "dist": "np.linalg.norm(a - b)", "erf": "scipy.special.erf(t)", "erfc": "scipy.special.erfc(t)",
    "fsum": "np.sum(t)", "gamma": "scipy.special.gamma(t)", "lgamma": "scipy.special.gammaln(t)",
    "perm": "scipy.special.poch(t - k + 1, k)", "phase": "np.angle(t)", "sumprod": "np.dot(a, b)",
}  # fmt: skip
SOLVERS = {  # packages of SciPy that call a function of the user's
    "scipy.optimize": "return y.item() or y.data from the function, and hand over derivatives as jac= or fprime=: "
    "ag.grad(f) of a scalar, ag.jacobian(f) of an array",
    "scipy.integrate": "return y.item() or y.data from the function",
}


class Asker(NamedTuple):
    """Who asks, and what to write instead; `replaces` says that it would put words of its own over a TypeError."""

    title: str
    advice: str
    replaces: bool = False


def sentence(what: str, frame: FrameType | None) -> tuple[str, bool]:
    """Return the words for a tracked Tensor of which `what` was asked in a frame; and is a TypeError replaced there?"""
    found = asker(frame)
    if found is None:
        known = late.asked(frame) if "scipy" in sys.modules else ""
        return (
            f"{what} of a tracked Tensor would silently lose its gradient; use {LEAVING}, np.stack([...]) to join "
            f"Tensors{known}"
        ), False
    return (
        f"in {found.title} a tracked Tensor would silently lose its gradient: {found.advice}; where no gradient is "
        f"wanted use {LEAVING}"
    ), found.replaces


def asker(frame: FrameType | None) -> Asker | None:
    """Say who asks, if that is known: the innermost frame outside of these packages and of NumPy, from one on."""
    while frame is not None and is_inside(frame):
        if frame.f_code.co_qualname.startswith("vectorize."):
            return Asker("np.vectorize(f)(t)", "write f for whole arrays, or np.stack([f(x) for x in t])")
        frame = frame.f_back
    if frame is None:
        return None
    return _by_a_library(frame) if _is_installed(frame) else _by_the_user(frame)


def _by_the_user(frame: FrameType) -> Asker | None:
    """Look at the instruction that is running: a function of `math`, an assignment into an array, a NumPy call."""
    kind, name, fn = _running(frame)
    if kind in ("STORE_SUBSCR", "STORE_SLICE"):  # a[i] = t, and a[i:j] = t since Python 3.12
        start = "start from a Tensor, a = ag.Tensor(a, requires_grad=False)"
        return Asker("a[i] = t, into a plain array,", f"collect the parts and write np.stack(parts), or {start}")
    if kind != "call":
        return None
    last = name.rpartition(".")[2]
    if getattr(fn, "__module__", "") in ("math", "cmath"):
        word = OTHER_WORDS.get(last) or (f"np.{fn.__name__}(t)" if hasattr(np, fn.__name__) else "")
        return Asker(f"{fn.__module__}.{fn.__name__}(t)", f"write {word}") if word else None
    if isinstance(fn, type) and issubclass(fn, np.generic):
        return Asker(f"{name}(t)", f"write t.astype(np.{fn.__name__})")
    if fn is np.full or fn is np.full_like or (fn is None and last == "fill"):
        return Asker(f"{last}(...)", "write np.broadcast_to(t, shape)")
    return None


def _by_a_library(frame: FrameType) -> Asker | None:
    """Name the library's function that was called, as it stands in the user's line, and what it takes."""
    package, outermost, user = _package(frame), frame, frame.f_back
    while user is not None and _is_installed(user) and _package(user) in (package, "numpy", "autograd_core"):
        outermost, user = (user if _package(user) == package else outermost), user.f_back
    kind, name, _ = _running(user) if user is not None else ("", "", None)
    if kind != "call" or not name:
        name = f"{package}'s {outermost.f_code.co_name}"
    if package != "scipy":
        return Asker(f"{name}(t)", f"{package} takes plain arrays, give it t.data")
    if home := solver(frame):
        return Asker(f"{name}(...)", f"{home} works with plain numbers: {SOLVERS[home]}", True)
    if late.asked(frame):
        return None
    own = f"make it an operation with a derivative by ag.primitive({name}) and ag.rule"
    return Asker(f"{name}(t)", f"it takes plain arrays, give it t.data, or {own}", True)


def solver(frame: FrameType | None) -> str:
    """Return which of SciPy's packages that call functions of the user's is at work above, if any."""
    while frame is not None:
        home = ".".join(frame.f_globals.get("__name__", "").split(".")[:2])
        if home in SOLVERS:
            return home
        frame = frame.f_back
    return ""


def lost_in(frame: FrameType | None) -> bool:
    """Say whether a frame is SciPy's that hands an array on to compiled code, in which our error would be lost.

    Those look at it before, by np.atleast_1d (root, fsolve, leastsq, curve_fit, lfilter) or np.isnan (brentq, bisect).
    """
    while frame is not None and is_inside(frame):
        frame = frame.f_back
    module = "" if frame is None else frame.f_globals.get("__name__", "")
    return module.startswith("scipy.optimize.") or (module.startswith("scipy.signal.") and _names(frame, "lfilter"))


def _names(frame: FrameType | None, name: str) -> bool:
    return frame is not None and frame.f_code.co_name == name


def _is_installed(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    if path.startswith("<"):  # made by a library: <decorator ...>, <__array_function__ internals>; or typed by the user
        return "decorator" in path or "internals" in path
    return is_inside(frame) or any(part in path for part in INSTALLED)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _running(frame: FrameType) -> tuple[str, str, Any]:
    """Return what a frame is doing: "call", how its function is written and the function; or another instruction."""
    import dis

    before = [i for i in dis.get_instructions(frame.f_code) if i.offset <= frame.f_lasti]
    if not before:
        return "", "", None
    now = before[-1]
    if not now.opname.startswith(("CALL", "PRECALL")):
        return now.opname, "", None
    start = _start(now)
    if start is None:  # python -X no_debug_ranges
        return "call", "", None
    # The callee begins where the call begins: math.exp(...) gives LOAD math, LOAD exp, arguments, CALL.
    parts: list[str] = []
    for i in before[:-1]:
        if _start(i) != start or i.opname.startswith("PRECALL"):
            continue
        if i.opname.startswith("CALL"):
            parts = [".".join(parts) + "(...)"]
        elif i.opname.startswith(("LOAD_ATTR", "LOAD_METHOD")):
            parts.append(str(i.argval))
        elif i.opname.startswith(LOADS):
            parts = [str(i.argval)]
    return "call", ".".join(parts), _value(frame, parts)


def _start(instruction: Any) -> tuple[int, int] | None:
    at = instruction.positions
    return None if at is None or at.lineno is None or at.col_offset is None else (at.lineno, at.col_offset)


def _value(frame: FrameType, parts: list[str]) -> Any:
    """Return what a dotted name means in a frame; attributes of modules only, since others may run code."""
    if not parts:
        return None
    found = {**vars(builtins), **frame.f_globals, **frame.f_locals}.get(parts[0])
    for part in parts[1:]:
        if not isinstance(found, ModuleType):
            return None
        found = getattr(found, part, None)
    return found
