"""What a forward pass changes, to be put back; and which module's output is the first that is not finite."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

import autograd_core as ag

from .module import Module


class Undo:
    """What a forward pass in training changes besides gradients, to be put back where no update comes of it.

    That is running averages, and the generators of layers such as Dropout.
    """

    def __init__(self, model: Module) -> None:
        held = [t for m in model.modules() for _, t in m._parts() if isinstance(t, ag.Tensor)]
        self.running = list({id(t): t for t in held if t.is_leaf and not t.requires_grad}.values())
        self.sources = generators(model)
        self.values, self.states = list[Any](), list[Any]()

    def note(self) -> None:
        """Take note of what there is."""
        self.values = [t.data.copy() for t in self.running]
        self.states = [g.bit_generator.state for g in self.sources]

    def narrow(self) -> None:
        """Look, from now on, only at what has changed since: large frozen weights would be copied for nothing."""
        pairs = zip(self.running, self.values, strict=True)
        self.running = [t for t, old in pairs if not np.array_equal(t.data, old, equal_nan=True)]

    def __call__(self) -> None:
        """Put everything back."""
        for t, values in zip(self.running, self.values, strict=True):
            t.assign(values)
        for g, state in zip(self.sources, self.states, strict=True):
            g.bit_generator.state = state


def generators(model: Module) -> list[np.random.Generator]:
    """Return the generators that the parts of a model hold, each once."""
    found = [v for m in model.modules() for v in vars(m).values() if isinstance(v, np.random.Generator)]
    return list({id(g): g for g in found}.values())


@contextlib.contextmanager
def watched_outputs(model: Module) -> Iterator[list[str]]:
    """Collect the modules whose output is not finite, in the order in which they are done, the innermost first."""
    found: list[str] = []

    def watch(m: Module, name: str) -> None:
        forward = m.forward

        def watched(*args: Any, **kwargs: Any) -> Any:
            y = forward(*args, **kwargs)
            if isinstance(y, ag.Tensor) and not np.isfinite(y.data).all():
                found.append(name)
            return y

        vars(m)["forward"] = watched

    modules = list(model.modules())
    for i, m in enumerate(modules):
        watch(m, f"{type(m).__name__} {m._name!r}" if i else type(m).__name__)
    try:
        yield found
    finally:
        for m in modules:
            del vars(m)["forward"]
