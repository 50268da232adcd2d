"""Gradient descent, with momentum or without."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .optimizer import Optimizer, check_share
from .runs import Settings


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
    parameters : iterable of Tensors or of dicts, optional
        What to update; or give it later, to `attach`. Dicts are groups with settings of their own,
        ``{"params": [...], "lr": 0.01}``.
    lr : float
    momentum : float
        From 0 up to, but not including, 1.
    nesterov : bool
    weight_decay : float

    Examples
    --------
    >>> import autograd_core as ag
    >>> p = ag.Tensor([1.0, -2.0])
    >>> optimizer = SGD([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    Tensor([ 0.8, -1.6])
    """

    def __init__(
        self,
        parameters: Iterable[Any] | None = None,
        *,
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            parameters, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
        )

    def check(self, settings: Settings) -> None:
        """Refuse a momentum that would never fade."""
        check_share("momentum", settings["momentum"])
        if settings["nesterov"] and not settings["momentum"]:
            raise ValueError("nesterov=True needs a momentum, such as 0.9")

    @staticmethod
    def slots(settings: Settings) -> tuple[str, ...]:
        """Return the velocity."""
        return ("v",) if settings["momentum"] else ()

    @staticmethod
    def update(p: Any, g: Any, state: Any, t: Any, lr: Any, settings: Settings) -> None:  # noqa: ARG004
        """Apply the equation above."""
        if settings["weight_decay"]:
            g = g + settings["weight_decay"] * p
        if mu := settings["momentum"]:
            (v,) = state
            v *= mu
            v += g
            g = g + mu * v if settings["nesterov"] else v
        p -= lr * g
