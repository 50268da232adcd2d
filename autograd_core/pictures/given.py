"""What a picture is told about names and roles: by keywords, by a model, by the variables of the program around."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..nodes import Node
from ..tensor import Tensor
from ..tree import _children, _sorted, flatten

_getrefcount = getattr(sys, "getrefcount", lambda _: 1000)


class Given:
    """What the user, or the program around, has told about names and roles."""

    def __init__(self) -> None:
        self.names: dict[Node, str] = {}
        self.variables: dict[Node, str] = {}  # for what has no other name
        self.inputs: set[Node] = set()
        self.params: set[Node] = set()  # what is red whatever else is told of it
        self.followed: set[Node] = set()  # inputs that the program has untracked: no gradient is told of them
        self.outputs: dict[Node, str] = {}
        self.arrays: list[tuple[str, Any, bool]] = []  # plain values by name; is it declared an input?
        self.held: list[Any] = []  # Tensors kept alive meanwhile
        self.torch: dict[str, Any] = {}  # the caller's variables that hold Tensors of PyTorch's
        self.torch_inputs: list[Any] = []
        self.title = ""
        self.cost: str | None = None  # what to measure of operations: "bytes", "time"
        self.raised: Exception | None = None  # what the function to be drawn has raised

    def forget_followed(self) -> None:
        """Forget the inputs that were made to be followed."""
        self.inputs -= {*self.followed, *(t._node for t in self.held)}
        self.followed.clear()
        self.held.clear()

    def name(self, node: Node) -> str:
        """Return the name of a node that has one."""
        return self.names.get(node) or getattr(node, "name", None) or self.variables.get(node, "")

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
    given.params = {node for _, t in named(params) if (node := node_of(t)) is not None}
    given.inputs -= given.params
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
        if type(value) is Tensor and getattr(value, "_node", None) is not None:
            given.variables.setdefault(value._node, name)
        elif type(value) is Tensor or type(value) is np.ndarray:
            given.arrays.append((name, getattr(value, "_data", value), False))
    # Up to Python 3.12 a function's frame holds on to this copy, and would keep arrays alive until the function ends.
    if type(found) is dict and frame.f_code.co_flags & inspect.CO_OPTIMIZED and _getrefcount(found) <= 3:
        found.clear()


def called(f: Callable[..., Any], args: tuple[Any, ...], given: Given) -> list[Any]:
    """Call a function with arguments that are followed, and return its tracked results.

    Arrays become inputs with gradients. Those of a model are followed, too, so that nothing before its first parameter
    is missing, but no gradient is told of them, as there is none in training; and the model stays as it is.
    """
    if type(f).__name__ == "Compiled":  # a replay leaves no tape
        f = f.f  # type: ignore[attr-defined]
    model = hasattr(f, "named_parameters")
    given.title = type(f).__name__ if model else getattr(f, "__name__", "f").strip("<>")
    names = argument_names(f, len(args))
    put_back = remember(f) if model else lambda: None
    first: Exception | None = None
    for follow in (True, False):
        try:
            found = f(*[_enter(name, a, given, model, follow) for name, a in zip(names, args, strict=True)])
            break
        except Exception as error:  # who asks for plain arrays gets them
            if first is not None or not given.held:
                given.raised = first or error
                raise given.raised from None
            first = error
            given.forget_followed()
        finally:
            put_back()
    results = [t for t in flatten(found)[0] if type(t) is Tensor and t._node is not None]
    if not results:
        whole = [name for name, a in zip(names, args, strict=True) if _is_whole(a)]
        hint = f": {', '.join(whole)} is of integers, write floats" if whole else ""
        raise TypeError(
            f"{given.title} returned nothing that depends on a tracked Tensor, so there is no graph to draw{hint}"
        )
    return results


def remember(model: Any) -> Callable[[], None]:
    """Return a function that puts back what a model changes when it is called: running averages, generators."""
    held = [v for m in getattr(model, "modules", list)() for v in vars(m).values()]
    untracked = [(v, np.copy(v._data)) for v in held if type(v) is Tensor and v._node is None]
    sources = [(v, v.bit_generator.state) for v in held if isinstance(v, np.random.Generator)]

    def put_back() -> None:
        for t, value in untracked:
            t.assign(value)
        for source, state in sources:
            source.bit_generator.state = state

    return put_back


def _enter(name: str, value: Any, given: Given, model: bool, follow: bool) -> Any:
    """Return an argument as it is passed on, and note its name."""
    if hasattr(value, "named_parameters"):
        given.names |= {t._node: str(n) for n, t in value.named_parameters()}
        return value
    try:
        leaves, rebuild = flatten(value)
    except TypeError:
        return value
    made = []
    for label, a in zip(places(value, name), leaves, strict=True):
        if type(a) is Tensor and a._node is not None:
            given.names.setdefault(a._node, a.name or label)
            given.inputs.add(a._node)
        elif follow and _kind(a) in ("f", "c"):
            a = Tensor(a, requires_grad=True, name=label)
            given.inputs.add(a._node)
            given.held.append(a)
            if model:
                given.followed.add(a._node)
        elif isinstance(a, np.ndarray | Tensor):
            given.arrays.append((label, getattr(a, "_data", a), True))
        made.append(a)
    return rebuild(made)


def _kind(a: Any) -> str:
    """Return what kind of numbers something is of, or "" if it is of none: a word, a flag."""
    a = getattr(a, "_data", a)
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype.kind
    return "" if isinstance(a, bool) or not isinstance(a, int | float | complex) else np.asarray(a).dtype.kind


def _is_whole(a: Any) -> bool:
    """Say whether something is of integers."""
    return _kind(a) in ("i", "u") and np.ndim(getattr(a, "_data", a)) > 0


def places(tree: Any, name: str) -> list[str]:
    """Return what one would write for each leaf of a tree with this name.

    Examples
    --------
    >>> places({"w": [1.0, 2.0], "b": None}, "p")
    ["p['w'][0]", "p['w'][1]"]
    """
    below = None if tree is None else _children(tree)
    if below is None:
        return [] if tree is None else [name]
    fields = getattr(tree, "_fields", None) or list(getattr(type(tree), "__dataclass_fields__", ()))
    if isinstance(tree, dict):
        labels = [f"[{key!r}]" for key in _sorted(tree)]
    elif len(fields) == len(below[0]):
        labels = [f".{field}" for field in fields]
    else:
        labels = [f"[{k}]" for k in range(len(below[0]))]
    return [place for label, child in zip(labels, below[0], strict=True) for place in places(child, name + label)]


def argument_names(f: Any, n: int) -> list[str]:
    """Return the names of the first arguments of a function."""
    try:
        parameters: Sequence[Any] = list(inspect.signature(getattr(f, "forward", f)).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "x")
    return (names + [f"{rest}{k + 1}" for k in range(n)])[:n]
