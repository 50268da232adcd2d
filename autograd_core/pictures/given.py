"""What a picture is told about names and roles: by keywords, by a model, by the variables of the program around."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..nodes import Leaf, Node
from ..tensor import Tensor
from ..tree import flatten

_getrefcount = getattr(sys, "getrefcount", lambda _: 1000)


class Given:
    """What the user, or the program around, has told about names and roles."""

    def __init__(self) -> None:
        self.names: dict[Node, str] = {}
        self.variables: dict[Node, str] = {}  # for what has no other name
        self.inputs: set[Node] = set()
        self.outputs: dict[Node, str] = {}
        self.arrays: list[tuple[str, Any, bool]] = []  # plain values by name; is it declared an input?
        self.held: list[Any] = []  # Tensors kept alive meanwhile
        self.title = ""

    def array_name(self, value: Any) -> tuple[str, bool]:
        """Return the name of a plain value that the tape has kept, itself or a copy."""
        for name, a, declared in self.arrays:
            if a is value or ((declared or np.ndim(a)) and alike(a, value)):
                return name, declared
        return "", False


def alike(a: Any, b: Any) -> bool:
    """Say whether two values are the same to the bit: the tape keeps copies of small arrays."""
    if np.shape(a) != np.shape(b) or np.result_type(a) != np.result_type(b) or np.size(a) > 100_000:
        return False
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


def tell(
    given: Given, inputs: Mapping[str, Any] | None, outputs: Mapping[str, Any] | None, params: Any, names: Any
) -> None:
    """Note what the keywords of `draw` say."""
    for name, t in named(inputs):
        node = node_of(t)
        if node is None:
            given.arrays.append((name, np.asarray(getattr(t, "_data", t)), True))
        else:
            given.names[node] = name
            given.inputs.add(node)
    for name, t in named(outputs):
        node = node_of(t)
        if node is None:
            raise TypeError(f"outputs= names results on the way; {name} is no tracked Tensor")
        given.outputs[node] = name
    for name, t in [*named(params), *named(names)]:
        node = node_of(t)
        if node is not None:
            given.names[node] = name
        elif t is not None:
            given.arrays.append((name, np.asarray(getattr(t, "_data", t)), False))


def named(of: Any) -> list[tuple[str, Any]]:
    """Return names and Tensors: of a mapping, or of something with `named_parameters`."""
    if of is None:
        return []
    if hasattr(of, "named_parameters"):
        return [(str(name), t) for name, t in of.named_parameters()]
    if not isinstance(of, Mapping):
        raise TypeError(
            f"names are given as a mapping from names to Tensors, or by a module, not by {type(of).__name__}"
        )
    return [(str(name), t) for name, t in of.items()]


def node_of(t: Any) -> Node | None:
    """Return the node of a tracked Tensor."""
    return t._node if type(t) is Tensor else None


def variables(given: Given, frame: types.FrameType) -> None:
    """Note which variables of the caller hold Tensors and arrays, private ones and a notebook's own left out."""
    found = frame.f_locals
    for name, value in list(found.items()):
        if name.startswith("_") or name in ("In", "Out", "self"):
            continue
        if type(value) is Tensor and value._node is not None:
            given.variables.setdefault(value._node, name)
        elif type(value) is Tensor or type(value) is np.ndarray:
            given.arrays.append((name, getattr(value, "_data", value), False))
    # Up to Python 3.12 a function's frame holds on to this copy, and would keep arrays alive until the function ends.
    if type(found) is dict and frame.f_code.co_flags & inspect.CO_OPTIMIZED and _getrefcount(found) <= 3:
        found.clear()


def called(f: Callable[..., Any], args: tuple[Any, ...], given: Given) -> list[Any]:
    """Call a function with arguments that are followed, and return its tracked results.

    Arrays become inputs with gradients; those of a model stay untracked, as in training.
    """
    model = hasattr(f, "named_parameters")
    given.title = type(f).__name__ if model else getattr(f, "__name__", "f").strip("<>")
    entered = [_enter(name, a, given, model) for name, a in zip(argument_names(f, len(args)), args, strict=True)]
    found = flatten(f(*entered))[0]
    results = [t for t in found if type(t) is Tensor and t._node is not None]
    if not results:
        raise TypeError(
            f"{given.title} returned nothing that depends on a tracked Tensor, so there is no graph to draw"
        )
    return results


def _enter(name: str, value: Any, given: Given, model: bool) -> Any:
    """Return an argument as it is passed on, and note its name."""
    if hasattr(value, "named_parameters"):
        given.names |= {t._node: str(n) for n, t in value.named_parameters()}
        return value
    try:
        leaves, rebuild = flatten(value)
    except TypeError:
        return value
    made = []
    for k, a in enumerate(leaves):
        label = name if len(leaves) == 1 else f"{name}[{k}]"
        if type(a) is Tensor and a._node is not None:
            given.names.setdefault(a._node, a.name or label)
            if isinstance(a._node, Leaf):
                given.inputs.add(a._node)
        elif not isinstance(a, bool) and np.result_type(getattr(a, "_data", a)).kind in "fc" and not model:
            a = Tensor(a, requires_grad=True, name=label)
            given.inputs.add(a._node)
            given.held.append(a)
        elif isinstance(a, np.ndarray | Tensor):
            given.arrays.append((label, getattr(a, "_data", a), True))
        made.append(a)
    return rebuild(made)


def argument_names(f: Any, n: int) -> list[str]:
    """Return the names of the first arguments of a function."""
    try:
        parameters: Sequence[Any] = list(inspect.signature(getattr(f, "forward", f)).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "x")
    return (names + [f"{rest}{k + 1}" for k in range(n)])[:n]
