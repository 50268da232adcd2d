"""Optimizers: an optimizer is an equation, applied to each parameter."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Self

import numpy as np

import autograd_core as ag


class Optimizer:
    """What optimizers share: the parameters they are attached to, and the walk over them.

    Made with a learning rate alone it is a configuration; `attach` gives it parameters, and a fresh state. A subclass
    writes `start`, the state of one parameter, and `update`, the equation.
    """

    def __init__(self, parameters: Iterable[ag.Tensor] | None, lr: float) -> None:
        if not 0 < lr < math.inf:
            raise ValueError(f"a learning rate is a positive number, not {lr}")
        self.lr = lr
        self.parameters: list[ag.Tensor] = []
        self.states: list[dict[str, Any]] = []
        if parameters is not None:
            self.attach(parameters)

    def attach(self, parameters: Iterable[ag.Tensor]) -> Self:
        """Take charge of parameters; return the optimizer itself."""
        found = _trainable(parameters, type(self).__name__)
        self.parameters, self.states = found, [self.start(p) for p in found]
        return self

    def step(self) -> None:
        """Update every parameter by its gradient; one without a gradient stays as it is."""
        if not self.parameters:
            raise RuntimeError(f"{type(self).__name__} has no parameters yet: call attach(model.parameters()) first")
        moved = False
        for p, state in zip(self.parameters, self.states, strict=True):
            if (g := p.grad) is not None:
                self.update(p, g, state)
                moved = True
        if not moved:
            raise RuntimeError(
                "step() where no parameter has a gradient: call loss.backward() before it, zero_grad() after it"
            )

    def zero_grad(self) -> None:
        """Forget all gradients, so that the next backward() starts afresh."""
        for p in self.parameters:
            p.grad = None

    def start(self, p: ag.Tensor) -> dict[str, Any]:
        """Return the state of one parameter before the first step."""
        raise NotImplementedError

    def update(self, p: ag.Tensor, g: Any, state: dict[str, Any]) -> None:
        """Update one parameter, and its state, by its gradient."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent.

    ::

        g = gradient + weight_decay * p
        v = momentum * v + g                        (v = 0 at first)
        p = p - lr * v                              or, by Nesterov,
        p = p - lr * (g + momentum * v)

    This is PyTorch's form. With ``theta = -lr * v`` it is the textbook's ``theta = momentum * theta - lr * g``,
    ``w = w + theta``; Nesterov's `p` is the point ``w + momentum * theta`` where the textbook takes the gradient.

    Parameters
    ----------
    parameters : iterable of Tensors, optional
        What to update; or give it later, to `attach`.
    lr : float
    momentum : float
        From 0 up to, but not including, 1.
    nesterov : bool
    weight_decay : float

    Examples
    --------
    >>> p = ag.Tensor([1.0, -2.0])
    >>> optimizer = SGD([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    Tensor([ 0.8, -1.6])
    """

    def __init__(
        self,
        parameters: Iterable[ag.Tensor] | None = None,
        *,
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum lies from 0 up to, but not including, 1; not {momentum}")
        if not 0 <= weight_decay < math.inf:
            raise ValueError(f"a weight decay is a number from 0 upwards, not {weight_decay}")
        if nesterov and not momentum:
            raise ValueError("nesterov=True needs a momentum, such as 0.9")
        self.momentum, self.nesterov, self.weight_decay = momentum, nesterov, weight_decay
        super().__init__(parameters, lr)

    def start(self, p: ag.Tensor) -> dict[str, Any]:
        """Return a velocity of 0."""
        return {"v": np.zeros(p.shape, p.dtype)} if self.momentum else {}

    def update(self, p: ag.Tensor, g: Any, state: dict[str, Any]) -> None:
        """Apply the equation above."""
        if self.weight_decay:
            g = g + self.weight_decay * p.data
        if self.momentum:
            v = state["v"]
            v *= self.momentum
            v += g
            g = g + self.momentum * v if self.nesterov else v
        p.data -= self.lr * g


def _trainable(parameters: Iterable[Any], who: str) -> list[ag.Tensor]:
    """Return the parameters, each once; or say what is wrong with them."""
    if isinstance(parameters, ag.Tensor) or not isinstance(parameters, Iterable):
        raise TypeError(
            f"{who} takes parameters, such as model.parameters() or [p], not a {type(parameters).__name__}; "
            f"a learning rate is written lr=0.1"
        )
    found = list({id(p): p for p in parameters}.values())
    for i, p in enumerate(found):
        if not isinstance(p, ag.Tensor) or not (p.requires_grad and p.is_leaf):
            raise TypeError(f"parameter {i} of {who} is not a tracked leaf: {p!r}")
        if p.dtype.kind == "c":
            raise TypeError(
                f"parameter {i} of {who} is complex, of shape {p.shape}: train its real and its imaginary part"
            )
    if not found:
        raise ValueError(f"{who} was given no parameters (a generator gives them once only)")
    return found
