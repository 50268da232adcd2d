"""Nested containers of arrays: dict, list, tuple, namedtuple, dataclass, None, and whatever registers itself.

A tree is taken apart into its leaves and a recipe, and put together again around other leaves of the same number.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

Rebuild = Callable[[Iterable[Any]], Any]
Parts = tuple[tuple[Any, ...], Any]

_registered: dict[type, tuple[Callable[[Any], Parts], Callable[[Any, tuple[Any, ...]], Any]]] = {}


def register_tree(
    kind: type, take_apart: Callable[[Any], Parts], put_together: Callable[[Any, tuple[Any, ...]], Any]
) -> None:
    """Let objects of a class stand in trees.

    Parameters
    ----------
    kind : type
    take_apart : callable
        ``take_apart(obj) -> (children, rest)``: a tuple of trees, and whatever else is needed to rebuild.
    put_together : callable
        ``put_together(rest, children) -> obj``.

    Examples
    --------
    >>> class Pair:
    ...     def __init__(self, a, b):
    ...         self.a, self.b = a, b
    >>> register_tree(Pair, lambda p: ((p.a, p.b), None), lambda _, ab: Pair(*ab))
    >>> flatten({"p": Pair(1.0, [2.0])})[0]
    [1.0, 2.0]
    """
    _registered[kind] = (take_apart, put_together)


def flatten(tree: Any) -> tuple[list[Any], Rebuild]:
    """Return the leaves of a tree, and a function that puts other leaves in their places.

    Examples
    --------
    >>> leaves, rebuild = flatten({"w": [1.0, 2.0], "b": (3.0, None)})
    >>> leaves
    [3.0, 1.0, 2.0]
    >>> rebuild([30, 10, 20])
    {'w': [10, 20], 'b': (30, None)}
    """
    if type(tree) is tuple and all(type(part) in PLAIN_LEAVES for part in tree):
        return list(tree), functools.partial(_all, len(tree))
    if type(tree) in PLAIN_LEAVES:
        return [tree], _only
    leaves: list[Any] = []
    recipe = _take(tree, leaves, ())
    return leaves, lambda new: _put_all(recipe, iter(new))


PLAIN_LEAVES = {np.ndarray, np.float64, float}  # most trees are one of these, and cost nothing


def _only(leaves: Iterable[Any]) -> Any:
    (leaf,) = leaves
    return leaf


def _all(n: int, leaves: Iterable[Any]) -> tuple[Any, ...]:
    found = tuple(leaves)
    if len(found) != n:
        raise ValueError(f"{len(found)} leaves for a tree of {n}")
    return found


def structure(tree: Any) -> str:
    """Return a sentence-sized picture of a tree, a star for every leaf, for messages."""
    leaves, rebuild = flatten(tree)
    return repr(rebuild([_Star()] * len(leaves)))


class _Star:
    def __repr__(self) -> str:
        return "*"


def flatten_like(tree: Any, model: Any, what: str) -> list[Any]:
    """Return the leaves of a tree that must have the structure of another."""
    if type(tree) in PLAIN_LEAVES and type(model) in PLAIN_LEAVES:
        return [tree]
    if _kind(tree) != _kind(model):
        raise ValueError(f"{what} has the structure {structure(tree)}, expected {structure(model)}")
    return flatten(tree)[0]


def _kind(tree: Any) -> Any:
    """Return what two trees must have in common: types, keys and children, but not the order of a dict's keys."""
    if tree is None:
        return None
    found = _children(tree)
    if found is None:
        return ()
    kind = dict if isinstance(tree, dict) else type(tree)
    keys = tuple(_sorted(tree)) if isinstance(tree, dict) else ()
    return kind, keys, tuple(_kind(child) for child in found[0])


def map_tree(f: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply a function to every leaf (and to the leaves in the same places of other trees).

    Examples
    --------
    >>> map_tree(lambda a, b: a + b, {"x": 1, "y": [2]}, {"x": 10, "y": [20]})
    {'x': 11, 'y': [22]}
    """
    leaves, rebuild = flatten(tree)
    rows = [flatten_like(o, tree, "a tree") for o in others]
    return rebuild([f(*row) for row in zip(leaves, *rows, strict=True)])


def _children(tree: Any) -> tuple[tuple[Any, ...], Callable[[tuple[Any, ...]], Any]] | None:
    """Return the children of a container and how to make it again, or None for a leaf."""
    kind = type(tree)
    if kind in _registered:
        take_apart, put_together = _registered[kind]
        children, rest = take_apart(tree)
        return children, lambda new: put_together(rest, new)
    if isinstance(tree, dict):
        keys = _sorted(tree)
        return tuple(tree[k] for k in keys), lambda new: _filled(tree, keys, new)
    if isinstance(tree, tuple):
        return tree, (lambda new: kind(*new)) if hasattr(tree, "_fields") else kind
    if isinstance(tree, list):
        return tuple(tree), kind
    if hasattr(kind, "__dataclass_fields__"):
        names = list(kind.__dataclass_fields__)
        return tuple(getattr(tree, n) for n in names), lambda new: _with_fields(tree, names, new)
    return None


def _sorted(tree: dict[Any, Any]) -> list[Any]:
    """Return the keys in an order that does not depend on insertion."""
    try:
        return sorted(tree)
    except TypeError:
        return sorted(tree, key=repr)


def _filled(tree: Any, keys: list[Any], new: tuple[Any, ...]) -> Any:
    """Return a copy of a dict, of whatever kind and in its own order, with other values."""
    twin = copy.copy(tree)
    twin.update(zip(keys, new, strict=True))
    return twin


def _with_fields(tree: Any, names: list[str], new: tuple[Any, ...]) -> Any:
    """Return a copy of a dataclass, frozen or not, with other values."""
    twin = copy.copy(tree)
    for name, value in zip(names, new, strict=True):
        object.__setattr__(twin, name, value)
    return twin


def _take(tree: Any, leaves: list[Any], above: tuple[int, ...]) -> Any:
    if tree is None:
        return None
    found = _children(tree)
    if found is None:
        leaves.append(tree)
        return ()
    if id(tree) in above:
        raise ValueError(f"a {type(tree).__name__} contains itself")
    children, make = found
    return make, [_take(c, leaves, (*above, id(tree))) for c in children]


def rests(tree: Any) -> list[Any]:
    """Return what the registered containers in a tree are beside their leaves: a model's layers, for example."""
    if tree is None or (found := _children(tree)) is None:
        return []
    own = [_registered[type(tree)][0](tree)[1]] if type(tree) in _registered else []
    return own + [rest for child in found[0] for rest in rests(child)]


def _put_all(recipe: Any, leaves: Any) -> Any:
    tree = _put(recipe, leaves)
    if next(leaves, leaves) is not leaves:
        raise ValueError("more leaves than the tree has places")
    return tree


def _put(recipe: Any, leaves: Any) -> Any:
    if recipe is None:
        return None
    if recipe == ():
        return next(leaves)
    make, parts = recipe
    return make(tuple([_put(p, leaves) for p in parts]))
