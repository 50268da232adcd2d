"""Functions of PyTorch's and JAX's arrays, differentiated by PyTorch and JAX, checked here.

Nothing is imported before an array of theirs has been given, so nothing need be installed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..tensor import Tensor
from ..tree import flatten
from .names import name_of, named_leaves
from .programs import Array, Program, Pull, Slot, argument_of, is_float, wanted

LOCAL = {np.ndarray, np.float64, float, int, Tensor}


def home(x: Any) -> str:
    """Return "torch", "jax" or "" for the library that an array belongs to."""
    if type(x) in LOCAL:
        return ""
    root = type(x).__module__.partition(".")[0]
    if root == "torch" or ("torch" in sys.modules and isinstance(x, sys.modules["torch"].nn.Module)):
        return "torch"
    return "jax" if root in ("jax", "jaxlib") else ""


def to_numpy(x: Any) -> Any:
    """Return anybody's array as NumPy's, and anything else as it is."""
    if isinstance(x, Tensor):
        return x._data
    if home(x) == "torch" and hasattr(x, "detach"):
        x = x.detach().cpu().resolve_conj()
        return (x.float() if str(x.dtype) == "torch.bfloat16" else x).numpy()
    return np.asarray(x) if home(x) == "jax" and hasattr(x, "dtype") else x


def like(model: Any, x: Array) -> Any:
    """Return values as an array of the same library as another, or as a scalar of the same kind."""
    if home(model) == "torch":
        return sys.modules["torch"].tensor(x)
    if home(model) == "jax":
        with _wide():
            return sys.modules["jax"].numpy.asarray(x)
    # np.float64 is a float, but one with .shape and .dtype.
    return x[()] if isinstance(model, np.generic) else x.item()


def _wide() -> Any:
    """Return a context in which JAX computes in float64 if that is what it is given."""
    jax = sys.modules["jax"]
    if callable(found := getattr(jax, "enable_x64", None)):
        return found(True)
    return importlib.import_module("jax.experimental").enable_x64()


def _sorted(f: Any, args: tuple[Any, ...], wrt: Any, library: str) -> tuple[list[Any], Any, list[Slot]]:
    """Return the leaves of the arguments, how to put them together, and the slots among them."""
    leaves, rebuild = flatten(args)
    names = named_leaves(f, args)
    positions, held = wanted(wrt, len(args))
    if held:
        raise TypeError("of a function of other arrays only arguments can be checked: wrt= takes their numbers")
    slots = [
        Slot(names[k], to_numpy(a), k)
        for k, (a, i) in enumerate(zip(leaves, argument_of(args), strict=True))
        if home(a) == library and is_float(to_numpy(a)) and (positions is None or i in positions)
    ]
    return leaves, rebuild, slots


def _refuse(f: Any, args: tuple[Any, ...], library: str, remedy: str) -> None:
    """Raise if there are arrays, but of something else than floats."""
    for name, a in zip(named_leaves(f, args), flatten(args)[0], strict=True):
        if home(a) == library and hasattr(a, "dtype"):
            raise TypeError(
                f"gradcheck needs floats to differentiate by, {name} has dtype {a.dtype}: write {remedy.format(name)}"
            )


def _named_after(base: Program, twin: Any) -> Any:
    """Give the gradient of a function, a function of the same inputs and of cotangents, names from the function's."""
    names = [slot.name for slot in base.slots]
    for k, slot in enumerate(twin.slots):
        slot.name = names[k] if k < len(names) else "cotangent"
    twin.name = f"gradient of {base.name}"
    return twin


class TorchFunction(Program):
    """A function of PyTorch tensors, and a module with its parameters."""

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...], wrt: Any) -> None:
        import torch

        self.torch, self.f = torch, f
        self.name = name_of(f)
        self.leaves, self.rebuild, self.slots = _sorted(f, args, wrt, "torch")
        self.parameters: list[str] = []
        if isinstance(f, torch.nn.Module) and wrt is None:
            for name, p in f.named_parameters():
                self.parameters.append(name)
                self.slots.append(Slot(name, to_numpy(p)))
        if not self.slots:
            _refuse(f, args, "torch", "{}.double()")
            raise TypeError("gradcheck needs a tensor of floats to differentiate by")

    def tensors(self, xs: Sequence[Array]) -> list[Any]:
        """Return values as tensors with the strides of those that were given."""
        found = []
        for slot, x in zip(self.slots, xs, strict=True):
            laid = slot.laid_out(x)
            if not laid.flags.writeable:
                laid.flags.writeable = True  # `to_numpy` may have forbidden it, and PyTorch knows no such thing
            found.append(self.torch.from_numpy(laid) if laid.ndim else self.torch.tensor(x))
        return found

    def run(self, ts: Sequence[Any]) -> list[Any]:
        """Call the function with tensors in the places of its slots."""
        leaves = list(self.leaves)
        n = len(self.slots) - len(self.parameters)
        for slot, t in zip(self.slots[:n], ts[:n], strict=True):
            leaves[slot.place] = t
        args = self.rebuild(leaves)
        if isinstance(self.f, self.torch.nn.Module):
            state = dict(zip(self.parameters, ts[n:], strict=True))
            wide = any(t.dtype in (self.torch.float64, self.torch.complex128) for t in ts)
            buffers = {k: b.double() if wide and b.is_floating_point() else b for k, b in self.f.named_buffers()}
            out = self.torch.func.functional_call(self.f, {**state, **buffers}, args)
        else:
            out = self.f(*args)
        return [r for r in flatten(out)[0] if home(r) == "torch" and (r.is_floating_point() or r.is_complex())]

    def values(self, xs: Sequence[Array]) -> list[Array]:
        """Run without recording."""
        with self.torch.no_grad():
            ts = self.tensors(xs)
            results = [np.array(to_numpy(r)) for r in self.run(ts)]
        for slot, t, x in zip(self.slots, ts, xs, strict=True) if self.watched else ():
            if not np.array_equal(to_numpy(t), x, equal_nan=True):
                self.changed = slot.name
        return results

    def pull(self, xs: Sequence[Array]) -> tuple[list[Array], Pull]:
        """Run once; PyTorch pulls back. Its gradient by a complex number is the conjugate of ours."""
        torch = self.torch
        with torch.enable_grad():
            ts = [t.requires_grad_() for t in self.tensors(xs)]
            results = self.run([t.clone() for t in ts])  # clones: a leaf must not be changed in place
        used = [r for r in results if r.requires_grad]

        def pull(cotangents: Sequence[Any]) -> list[Any]:
            gs = [
                torch.tensor(np.conj(g)).to(r.dtype)
                for g, r in zip(cotangents, results, strict=True)
                if r.requires_grad
            ]
            if not used:
                return [None] * len(ts)
            found = torch.autograd.grad(used, ts, gs, retain_graph=True, allow_unused=True)
            return [None if g is None else np.conj(to_numpy(g)) for g in found]

        return [to_numpy(r) for r in results], pull

    def derivative(self, results: Sequence[Array], rng: np.random.Generator) -> TorchFunction:
        """Return the pullback as a function of the inputs and of cotangents."""
        torch, base, n = self.torch, self, len(self.slots)

        def gradient(*ts: Any) -> Any:
            with torch.enable_grad():
                xs = [t if t.requires_grad else t.detach().requires_grad_() for t in ts[:n]]
                out = [(r, g) for r, g in zip(base.run(xs), ts[n:], strict=True) if r.requires_grad]
                found = torch.autograd.grad(
                    [r for r, _ in out], xs, [g for _, g in out], create_graph=True, allow_unused=True
                )
            return tuple(torch.zeros_like(x) if g is None else g for g, x in zip(found, xs, strict=True))

        cotangents = [torch.tensor(np.asarray(rng.uniform(0.5, 1.5, r.shape), r.dtype)) for r in results]
        twin = TorchFunction(gradient, (*(torch.tensor(s.value) for s in self.slots), *cotangents), None)
        return _named_after(self, twin)


class JaxFunction(Program):
    """A function of JAX arrays."""

    can_push = True

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...], wrt: Any) -> None:
        import jax

        self.jax, self.f = jax, f
        self.name = name_of(f)
        self.leaves, self.rebuild, self.slots = _sorted(f, args, wrt, "jax")
        if not self.slots:
            _refuse(f, args, "jax", "{}.astype(float)")
            raise TypeError("gradcheck needs an array of floats to differentiate by")

    def run(self, *ts: Any) -> list[Any]:
        """Call the function with arrays in the places of its slots."""
        leaves = list(self.leaves)
        for slot, t in zip(self.slots, ts, strict=True):
            leaves[slot.place] = t
        out = self.jax.tree_util.tree_leaves(self.f(*self.rebuild(leaves)))
        return [r for r in out if getattr(r, "dtype", np.dtype(int)).kind in "fc"]

    def values(self, xs: Sequence[Array]) -> list[Array]:
        """Run in float64 if that is what is given."""
        with _wide():
            return [np.asarray(r) for r in self.run(*map(self.jax.numpy.asarray, xs))]

    def pull(self, xs: Sequence[Array]) -> tuple[list[Array], Pull]:
        """Run once; JAX pulls back."""
        with _wide():
            results, back = self.jax.vjp(self.run, *map(self.jax.numpy.asarray, xs))

        def pull(cotangents: Sequence[Any]) -> list[Any]:
            with _wide():
                gs = [self.jax.numpy.asarray(g, r.dtype) for g, r in zip(cotangents, results, strict=True)]
                return [np.asarray(g) for g in back(gs)]

        return [np.asarray(r) for r in results], pull

    def push(self, xs: Sequence[Array], tangents: Sequence[Array]) -> list[Any]:
        """Let JAX push tangents."""
        with _wide():
            asarray = self.jax.numpy.asarray
            moving = tuple(asarray(v, x.dtype) for v, x in zip(tangents, xs, strict=True))
            return [np.asarray(t) for t in self.jax.jvp(self.run, tuple(map(asarray, xs)), moving)[1]]

    def derivative(self, results: Sequence[Array], rng: np.random.Generator) -> JaxFunction:
        """Return the pullback as a function of the inputs and of cotangents."""
        n, base = len(self.slots), self

        def gradient(*ts: Any) -> Any:
            return base.jax.vjp(base.run, *ts[:n])[1](list(ts[n:]))

        with _wide():
            asarray = self.jax.numpy.asarray
            cotangents = [asarray(np.asarray(rng.uniform(0.5, 1.5, r.shape), r.dtype)) for r in results]
            twin = JaxFunction(gradient, (*(asarray(s.value) for s in self.slots), *cotangents), None)
        return _named_after(self, twin)
