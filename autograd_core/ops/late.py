"""SciPy's rules, registered when one of its functions first meets a Tensor: ``import autograd_core`` loads no SciPy.

A ufunc of `scipy.special` comes through NumPy's protocol. Other functions of SciPy do not ask a Tensor: `ag.primitive`
makes them ask, ``ag.primitive(scipy.linalg.expm)(t)``, and here are their rules.
"""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any

from ..rules import COMPOSITES, CONSTANTS, REFUSED, RULES

FAMILIES = {  # modules of SciPy, and those of ours that know them
    "scipy.special": ("special", "bessel"),
    "scipy.linalg": ("scientific",),
    "scipy.signal": ("signals",),
}
loaded: set[str] = set()
LOADING = threading.Lock()  # a second thread waits until all rules are there


def load() -> None:
    """Register the rules of what the program has imported of SciPy, unless they are there."""
    with LOADING:
        for name in [name for name in FAMILIES if name in sys.modules and name not in loaded]:
            for ours in FAMILIES[name]:
                importlib.import_module(f".{ours}", __package__).register(importlib.import_module(name))
            loaded.add(name)


def known(fn: Any) -> Any:
    """Return the function in our tables that `fn` is, or that it was made of by `primitive`; None if there is none.

    NumPy's own that are not in the tables, ``np.eye``, have twins inside that are no concern of ours.
    """
    while fn is not None and not (getattr(fn, "__module__", None) or "").startswith("numpy"):
        if fn in RULES or fn in COMPOSITES or fn in CONSTANTS or fn in REFUSED:
            return fn
        fn = getattr(fn, "__wrapped__", None)
    return None


def asked(frame: Any) -> str:
    """Return "sparse" if a sparse matrix asks a Tensor for an array, else what to write where SciPy does, if we know.

    `frame` is where the Tensor was asked. Only called on the way to an error, or to an answer that a sparse matrix
    understands as "ask the other operand".
    """
    name, fn = "", None
    while frame is not None:
        module, inner = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if module.startswith("scipy._lib"):  # a decorator that goes over batches
            module, inner = (getattr(frame.f_locals.get("f"), k, "scipy.") for k in ("__module__", "__name__"))
        home = ".".join(module.split(".")[:2])
        if home == "scipy.sparse" and inner == "_matmul_dispatch":
            return "sparse"
        if home == "scipy.sparse":
            return "; of sparse matrices a Tensor knows S @ t and t @ S"
        if home in FAMILIES and callable(public := getattr(sys.modules[home], inner, None)):
            name, fn = f"{home}.{inner}", public
        elif name and not module.startswith("scipy."):
            break
        frame = frame.f_back
    if fn is None:
        return ""
    load()
    fn = known(fn)
    if fn in RULES or fn in COMPOSITES:
        return f"; {name} asks no Tensor, ag.primitive({name}) does"
    return f"; {REFUSED[fn]}" if fn in REFUSED else ""
