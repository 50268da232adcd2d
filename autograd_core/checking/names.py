"""Names by which people know what goes into a function: ``x``, ``p['w']``, ``layers.0.weight``."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..tensor import Tensor
from ..tree import _children, _sorted


def named_leaves(f: Callable[..., Any], args: tuple[Any, ...]) -> list[str]:
    """Return a name for every leaf of the arguments of `f`, in the order in which a tree lists them.

    Examples
    --------
    >>> named_leaves(lambda x, params: ..., (1.0, {"w": [2.0, 3.0]}))
    ['x', "params['w'][0]", "params['w'][1]"]
    """
    found: list[str] = []
    for name, a in zip(_parameters(f, len(args)), args, strict=True):
        _walk(name, a, found)
    return found


def name_of(f: Any) -> str:
    """Return the name of a function, or of an object's class."""
    return str(getattr(f, "__qualname__", None) or type(f).__name__)


def _parameters(f: Callable[..., Any], n: int) -> list[str]:
    if isinstance(f, np.ufunc):  # older ones tell no signature
        return ["x"] if n == 1 else [f"x{i + 1}" for i in range(n)]
    try:
        parameters = inspect.signature(getattr(f, "forward", f)).parameters.values()
    except (TypeError, ValueError):  # a C function without a signature
        return [f"argument {i}" for i in range(n)]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in kinds][:n]
    rest = next((p.name for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL), "args")
    return names + [f"{rest}[{i}]" for i in range(n - len(names))]


def _walk(name: str, tree: Any, found: list[str]) -> None:
    if tree is None:
        return
    below = _children(tree)
    if below is None:
        found.append(name)
        return
    for label, child in zip(_labels(tree, len(below[0])), below[0], strict=True):
        _walk(name + label, child, found)


def _labels(tree: Any, n: int) -> list[str]:
    named = getattr(tree, "named_parameters", None)
    if callable(named) and len(names := [f".{k}" for k, _ in named()]) == n:
        return names
    if isinstance(tree, dict):
        return [f"[{k!r}]" for k in _sorted(tree)]
    fields = getattr(tree, "_fields", None) or list(getattr(type(tree), "__dataclass_fields__", ()))
    return [f".{k}" for k in fields] if len(fields) == n and fields else [f"[{i}]" for i in range(n)]


def parameter_names(objects: Iterable[Any]) -> dict[int, tuple[Any, str]]:
    """Return the parameters of all modules among some objects, with their names, by identity."""
    found: dict[int, tuple[Any, str]] = {}
    for obj in objects:
        listing = getattr(obj, "named_parameters", None)
        if listing is not None and not isinstance(obj, Tensor):
            for name, t in listing():
                if isinstance(t, Tensor):
                    found.setdefault(id(t), (t, name))
    return found


class Coordinates:
    """The real numbers that arrays hold: one for a real entry, two for a complex one."""

    def __init__(self, names: Sequence[str], arrays: Sequence[np.ndarray[Any, Any]]) -> None:
        self.names = list(names)
        self.spaces = [(a.shape, a.dtype.kind == "c") for a in arrays]
        self.ends = np.cumsum([0, *(a.size * (1 + (a.dtype.kind == "c")) for a in arrays)]).tolist()
        self.parts = [slice(*ends) for ends in itertools.pairwise(self.ends)]
        self.size = self.ends[-1]

    def find(self, j: int) -> tuple[int, int]:
        """Return the array to which coordinate `j` belongs, and its number therein."""
        k = int(np.searchsorted(self.ends, j, "right")) - 1
        return k, j - self.ends[k]

    def index(self, j: int) -> tuple[int, tuple[int, ...], str]:
        """Return the array, the index of the entry, and ``".real"`` or ``".imag"`` for part of a complex one."""
        k, i = self.find(j)
        shape, is_complex = self.spaces[k]
        part = (".real", ".imag")[i % 2] if is_complex else ""
        at = np.unravel_index(i // 2 if is_complex else i, shape) if shape else ()
        return k, tuple(int(a) for a in at), part

    def label(self, j: int) -> str:
        """Return the name of a coordinate.

        Examples
        --------
        >>> Coordinates(["x", "z"], [np.zeros((2, 3)), np.zeros(2, complex)]).label(9)
        'z[1].imag'
        """
        k, at, part = self.index(j)
        return f"{self.names[k]}{'[' + ', '.join(map(str, at)) + ']' if at else ''}{part}"

    def flat(self, arrays: Sequence[Any]) -> np.ndarray[Any, Any]:
        """Return arrays as one vector of coordinates."""
        parts = [real_parts(a, is_complex) for a, (_, is_complex) in zip(arrays, self.spaces, strict=True)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def arrays(self, u: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
        """Return a vector of coordinates as arrays, of float64 or complex128."""
        return [
            (u[part].view(np.complex128) if is_complex else u[part]).reshape(shape)
            for part, (shape, is_complex) in zip(self.parts, self.spaces, strict=True)
        ]


def real_parts(a: Any, is_complex: bool) -> np.ndarray[Any, Any]:
    """Return the entries of an array as float64, two for each complex one."""
    if is_complex:
        return np.ascontiguousarray(a, np.complex128).reshape(-1).view(np.float64)
    return np.asarray(np.real(a), np.float64).reshape(-1)
