"""PyTorch's graphs in the same picture: from `grad_fn` down, with the gradients of a sweep that leaves nothing behind.

PyTorch is imported by who has its Tensors, never here. The sweep is `torch.autograd.grad` with hooks on the nodes, so
no `.grad` changes; a module that is called gets its buffers, its mode and the random state back.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from .data import Edge, Graph, Vertex
from .given import Given, argument_names
from .numbers import summarise, tell
from .symbols import clean, label_of
from .writing import UNTRACKED

NAMES = {  # of PyTorch's backward nodes, where they are not those of NumPy's functions in capitals
    "mul": "multiply", "sub": "subtract", "rsub": "subtract", "div": "divide", "pow": "power", "neg": "negative",
    "mm": "matmul", "bmm": "matmul", "mv": "matmul", "dot": "matmul", "t": "transpose", "permute": "transpose",
    "view": "reshape", "unsafe_view": "reshape", "cat": "concatenate", "abs": "absolute",
    "select": "getitem", "slice": "getitem", "index": "getitem", "amax": "max", "amin": "min",
    "native_batch_norm": "batch_norm", "linalg_vector_norm": "norm", "nll_loss": "nll",
}  # fmt: skip
OPERANDS = {"addmm": ("", "mat1", "mat2"), "addbmm": ("", "batch1", "batch2")}  # under which names nodes keep them
OTHERWISE = (("self", "input"), ("other", "mat2", "weight", "vec", "tensor"))
RESULTS = ("_saved_result", "_saved_result0")
UNREACHED = "nothing flows"
FREED = (
    "backward() has freed what this graph had kept: draw it before, or write loss.backward(retain_graph=True) the "
    "first time"
)


def is_torch(what: Any) -> bool:
    """Say whether something is a Tensor or a module of PyTorch's, which then has been imported by somebody else."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(what, torch.Tensor | torch.nn.Module)


def graph_of(what: Any, args: tuple[Any, ...], given: Given, gradient: Any) -> Graph:
    """Return the data of the graph of a Tensor of PyTorch's, or of a module called with arguments."""
    torch = sys.modules["torch"]
    if not isinstance(what, torch.nn.Module):
        if args:
            raise TypeError("draw(result) takes no further arguments; to draw a module write draw(module, *args)")
        return _Reader(what, given, gradient, _Calls(""), {}).graph
    calls = _Calls(type(what).__name__)
    names = {id(p): name for name, p in what.named_parameters()}
    with _as_it_was(what, torch):
        result = calls.run(what, args, torch)
        return _Reader(result, given, gradient, calls, names).graph


@contextlib.contextmanager
def _as_it_was(model: Any, torch: Any) -> Iterator[None]:
    """Give a module its buffers back, and PyTorch its random state."""
    buffers = {name: b.clone() for name, b in model.named_buffers()}
    state = torch.random.get_rng_state()
    try:
        yield
    finally:
        torch.random.set_rng_state(state)
        for name, b in model.named_buffers():
            b.data.copy_(buffers[name])  # past the count of changes, by which an earlier graph would be refused


class _Calls:
    """A module called once: which part has made which nodes, and their results."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.values: dict[Any, Any] = {}
        self.scopes: dict[Any, tuple[str, ...]] = {}
        self.names: list[str] = []  # of the arguments
        self.given: list[Any] = []
        self.open: list[tuple[str, int]] = []  # the modules that run, and the moment when each began

    def run(self, model: Any, args: tuple[Any, ...], torch: Any) -> Any:
        """Call a module; return the first Tensor of its result."""

        def now() -> int:
            with torch.enable_grad():
                return int((torch.zeros((), requires_grad=True) * 1).grad_fn._sequence_nr())

        def leave(_: Any, __: Any, out: Any) -> None:
            path = tuple(name for name, _ in self.open)
            for t in out if isinstance(out, tuple | list) else (out,):
                if isinstance(t, torch.Tensor) and t.grad_fn is not None:
                    self.values.setdefault(t.grad_fn, t.detach())
                    self._claim(t.grad_fn, self.open[-1][1], path)
            self.open.pop()

        handles = []
        for name, module in model.named_modules():
            short = name.rpartition(".")[2] or self.title
            handles.append(
                module.register_forward_pre_hook(lambda _, __, short=short: self.open.append((short, now())))
            )
            handles.append(module.register_forward_hook(leave))
        try:
            with torch.enable_grad():
                self.names = argument_names(model.forward, len(args))
                self.given = [torch.as_tensor(a) if isinstance(a, np.ndarray) else a for a in args]
                out = model(*self.given)
        finally:
            for handle in handles:
                handle.remove()
        return out if isinstance(out, torch.Tensor) else next(t for t in out if isinstance(t, torch.Tensor))

    def _claim(self, root: Any, since: int, path: tuple[str, ...]) -> None:
        """Note what was made since a module began and that no module inside has claimed."""
        stack, seen = [root], set()
        while stack:
            fn = stack.pop()
            if fn is not None and fn not in seen and _is_operation(fn) and fn._sequence_nr() > since:
                seen.add(fn)
                self.scopes.setdefault(fn, path)
                stack += [f for f, _ in fn.next_functions]


def _is_operation(fn: Any) -> bool:
    return not hasattr(fn, "variable")  # AccumulateGrad stands for a leaf


def _order(root: Any) -> list[Any]:
    """Return the nodes below one, operands first, in the order of execution."""
    seen, stack = {root}, [root]
    while stack:
        for f, _ in stack.pop().next_functions:
            if f is not None and f not in seen:
                seen.add(f)
                stack.append(f)
    return sorted((f for f in seen if _is_operation(f)), key=lambda f: f._sequence_nr())


class _Reader:
    """One graph, node by node."""

    def __init__(
        self,
        result: Any,
        given: Given,
        gradient: Any,
        calls: _Calls,
        names: dict[int, str],
    ) -> None:
        if result.grad_fn is None:
            raise TypeError(
                "this PyTorch tensor depends on nothing that requires a gradient: there is no graph to draw"
            )
        self.given, self.values, self.scopes, self.names = given, calls.values, calls.scopes, names
        self.graph = Graph(calls.title)
        self.at: dict[Any, int] = {}
        self.path = _order(result.grad_fn)
        self.variables = {id(t): name for name, t in given.torch.items()}
        self.made = {t.grad_fn: name for name, t in given.torch.items() if t.grad_fn is not None}
        arguments = {name: t for name, t in zip(calls.names, calls.given, strict=False) if hasattr(t, "data_ptr")}
        named = {**given.torch, **arguments}
        self.inputs = {(t.data_ptr(), tuple(t.shape)): name for name, t in named.items() if hasattr(t, "data_ptr")}
        self.arguments = {id(t) for t in (*calls.given, *given.torch_inputs)}
        self.variables |= {id(t): name for name, t in arguments.items()}
        self.plain: dict[Any, int] = {}  # operands that need no gradient
        self.totals, self.sent = self._sweep(result, gradient)
        for fn in self.path:  # what comes from outside stands outside, before all modules
            for i, (f, _) in enumerate(fn.next_functions):
                if f is None:
                    self._untracked(fn, i)
        for fn in self.path:
            self._operation(fn)
        k = self.at[result.grad_fn]
        last = self.graph.vertices[k]
        name = last.name or "output"
        last.name = ""
        out = Vertex("output", "", name, last.shape, last.dtype, (k,), value=_stats(result), gradient=last.gradient)
        self.graph.vertices.append(out)
        self.graph.edges.append(Edge(k, len(self.graph.vertices) - 1, 0, last.gradient))
        self.graph.backward = [self.at[fn] for fn in reversed(self.path) if fn in self.totals]

    def _sweep(self, result: Any, gradient: Any) -> tuple[dict[Any, Any], dict[Any, list[Any]]]:
        """Return the gradient of every node, and what each sends to its operands."""
        torch = sys.modules["torch"]
        totals: dict[Any, Any] = {}
        sent: dict[Any, list[Any]] = {}

        def before(fn: Any) -> Any:
            return lambda grads: totals.__setitem__(fn, _stats(next((g for g in grads if g is not None), None)))

        def after(fn: Any) -> Any:
            return lambda grads, _: sent.__setitem__(fn, [None if g is None else _stats(g) for g in grads])

        leaves = list(
            dict.fromkeys(f for fn in self.path for f, _ in fn.next_functions if f is not None and not _is_operation(f))
        )
        handles = [h for fn in self.path for h in (fn.register_prehook(before(fn)), fn.register_hook(after(fn)))]
        seed = torch.ones_like(result) if gradient is None else torch.as_tensor(gradient).expand_as(result)
        try:
            found = torch.autograd.grad(
                result, [f.variable for f in leaves], seed, retain_graph=True, allow_unused=True
            )
        except RuntimeError as error:
            if "second time" in str(error):
                raise TypeError(FREED) from error
            raise
        finally:
            for handle in handles:
                handle.remove()
        totals.update((f, _stats(g)) for f, g in zip(leaves, found, strict=True) if g is not None)
        return totals, sent

    def _add(self, vertex: Vertex) -> int:
        self.graph.vertices.append(vertex)
        return len(self.graph.vertices) - 1

    def _leaf(self, fn: Any, scope: tuple[str, ...]) -> int:
        if fn not in self.at:
            t = fn.variable
            name = self.names.get(id(t)) or self.variables.get(id(t), "")
            role = "input" if id(t) in self.arguments else "parameter"
            v = Vertex(role, "", name, tuple(t.shape), _dtype(t.dtype), path=scope, value=_stats(t))
            v.gradient = self.totals.get(fn)
            v.why_none = None if v.gradient is not None else UNREACHED
            if t.grad is not None and (held := _stats(t.grad)) != v.gradient:
                v.accumulated = held
            self.at[fn] = self._add(v)
        return self.at[fn]

    def _untracked(self, fn: Any, i: int) -> int | str | None:
        """Return where an operand is that needs no gradient: where another one needs it, the node has kept it."""
        torch, name = sys.modules["torch"], operation_name(fn.name())
        names = (OPERANDS[name][i : i + 1] if name in OPERANDS else OTHERWISE[i : i + 1][0]) if i < 3 else ()
        for kept in names:
            t = getattr(fn, f"_saved_{kept}", None)
            if not isinstance(t, torch.Tensor):
                continue
            if not t.shape and t.device.type == "cpu":
                return tell(t.item())
            key = (t.data_ptr(), tuple(t.shape))
            if key not in self.plain:
                known = self.inputs.get(key, "")
                role = "input" if known else "constant"
                v = Vertex(role, "", known, tuple(t.shape), _dtype(t.dtype), value=_stats(t), why_none=UNTRACKED)
                self.plain[key] = self._add(v)
            return self.plain[key]
        return None

    def _operation(self, fn: Any) -> None:
        scope = self.scopes.get(fn, ())
        operands: list[int | str | None] = []
        for i, (f, _) in enumerate(fn.next_functions):
            operands.append(
                self._untracked(fn, i) if f is None else self.at[f] if f in self.at else self._leaf(f, scope)
            )
        number = getattr(fn, "_saved_exponent", getattr(fn, "_saved_other", None))
        if isinstance(number, int | float) and len(operands) == 1:
            operands.append(tell(number))
        name = operation_name(fn.name())
        (meta, *_) = fn._input_metadata or (None,)
        v = Vertex("operation", name, self.made.get(fn, ""), operands=tuple(operands), path=scope)
        if meta is not None:
            v.shape, v.dtype = tuple(meta.shape), _dtype(meta.dtype)
        v.label = label_of(name, operands, {})
        v.value = _stats(self.values[fn]) if fn in self.values else _saved(fn)
        v.gradient = self.totals.get(fn)
        v.why_none = None if v.gradient is not None else UNREACHED
        k = self.at[fn] = self._add(v)
        flows = self.sent.get(fn, [])
        for i, source in enumerate(operands):
            if isinstance(source, int):
                self.graph.edges.append(Edge(source, k, i, flows[i] if i < len(flows) else None))


def operation_name(text: str) -> str:
    """Return NumPy's name of one of PyTorch's backward nodes.

    Examples
    --------
    >>> operation_name("AddmmBackward0"), operation_name("MulBackward0"), operation_name("LogSoftmaxBackward0")
    ('addmm', 'multiply', 'log_softmax')
    """
    bare = re.sub(r"Backward\d*$", "", text.rpartition("::")[2])
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", bare).lower()
    return NAMES.get(snake, clean(snake))


def _saved(fn: Any) -> Any:
    """Return the result that a node has kept, in numbers."""
    for name in RESULTS:
        with contextlib.suppress(RuntimeError):  # it has been freed
            t = getattr(fn, name, None)
            if t is not None and not isinstance(t, int | float | tuple):
                return _stats(t)
    return None


def _stats(t: Any) -> Any:
    """Return a Tensor in a few numbers; NumPy has no bfloat16."""
    if t is None:
        return None
    t = t.detach().to("cpu").resolve_conj().resolve_neg()
    return summarise((t.float() if t.dtype.is_floating_point and t.dtype.itemsize < 4 else t).numpy())


def _dtype(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")
