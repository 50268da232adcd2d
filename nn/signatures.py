"""Types of functions, for type checkers: where a Tensor goes in a Tensor comes out, where an array, an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

A = TypeVar("A")
P = ParamSpec("P")


class OfArray(Protocol[P]):
    """A function of an array first, and of others or settings; a loss of a prediction, of arrays a number, too."""

    __name__: str

    def __call__(self, x: A, /, *args: P.args, **kwargs: P.kwargs) -> A:
        """Return an array or a Tensor, whichever was given."""


def of_array(fn: Callable[Concatenate[Any, P], Any]) -> OfArray[P]:
    """Return a function, of which a type checker knows now that it returns what it is given."""
    return cast("OfArray[P]", fn)
