"""The real numbers that arrays hold, as one vector: what is moved to take differences, and what is compared."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .numeric import Array


class Coordinates:
    """The real numbers that arrays hold: one for a real entry, two for a complex one."""

    def __init__(self, names: Sequence[str], arrays: Sequence[Array]) -> None:
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

    def flat(self, arrays: Sequence[Any]) -> Array:
        """Return arrays as one vector of coordinates."""
        parts = [real_parts(a, is_complex) for a, (_, is_complex) in zip(arrays, self.spaces, strict=True)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def arrays(self, u: Array) -> list[Array]:
        """Return a vector of coordinates as arrays, of float64 or complex128."""
        return [
            (u[part].view(np.complex128) if is_complex else u[part]).reshape(shape)
            for part, (shape, is_complex) in zip(self.parts, self.spaces, strict=True)
        ]


def real_parts(a: Any, is_complex: bool) -> Array:
    """Return the entries of an array as float64, two for each complex one."""
    if is_complex:
        return np.ascontiguousarray(a, np.complex128).reshape(-1).view(np.float64)
    return np.asarray(np.real(a), np.float64).reshape(-1)
