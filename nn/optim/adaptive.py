"""Equations with a rate of its own for every entry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..functional.given import is_number
from .optimizer import Optimizer, check_eps, check_share
from .runs import Settings


class AdaGrad(Optimizer):
    """A rate of its own for every entry, by the sum of all its squared gradients (Duchi et al. 2011).

    ::

        g = gradient + weight_decay * p
        s = s + g**2                                (s = 0 at first)
        p = p - lr * g / (sqrt(s) + eps)

    Parameters are those of `SGD`, without momentum; `eps` keeps the quotient finite.
    """

    squares = ("s",)

    def __init__(
        self,
        parameters: Iterable[Any] | None = None,
        *,
        lr: float = 0.01,
        eps: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "eps": eps, "weight_decay": weight_decay})

    def check(self, settings: Settings) -> None:
        """Refuse a negative eps."""
        check_eps(settings["eps"])

    @staticmethod
    def slots(settings: Settings) -> tuple[str, ...]:  # noqa: ARG004
        """Return the sum of squares."""
        return ("s",)

    @staticmethod
    def update(p: Any, g: Any, state: Any, t: Any, lr: Any, settings: Settings) -> None:  # noqa: ARG004
        """Apply the equation above."""
        (s,) = state
        if settings["weight_decay"]:
            g = g + settings["weight_decay"] * p
        s += g * g
        d = np.sqrt(s)
        d += settings["eps"]
        d = g / d
        d *= lr
        p -= d


class RMSProp(Optimizer):
    """AdaGrad that forgets: a running mean of squared gradients (Tieleman and Hinton 2012).

    ::

        g = gradient + weight_decay * p
        s = alpha * s + (1 - alpha) * g**2          (s = 0 at first)
        u = g / (sqrt(s) + eps)
        p = p - lr * u                              or, with momentum,
        v = momentum * v + u;  p = p - lr * v
    """

    squares = ("s",)

    def __init__(
        self,
        parameters: Iterable[Any] | None = None,
        *,
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            parameters, {"lr": lr, "alpha": alpha, "eps": eps, "momentum": momentum, "weight_decay": weight_decay}
        )

    def check(self, settings: Settings) -> None:
        """Refuse means that would never forget, and a negative eps."""
        check_eps(settings["eps"])
        for name in ("alpha", "momentum"):
            check_share(name, settings[name])

    @staticmethod
    def slots(settings: Settings) -> tuple[str, ...]:
        """Return the mean square, and the velocity."""
        return ("s", "v") if settings["momentum"] else ("s",)

    @staticmethod
    def update(p: Any, g: Any, state: Any, t: Any, lr: Any, settings: Settings) -> None:  # noqa: ARG004
        """Apply the equation above."""
        s, alpha, mu = state[0], settings["alpha"], settings["momentum"]
        if settings["weight_decay"]:
            g = g + settings["weight_decay"] * p
        d = g * g
        d *= 1 - alpha
        s *= alpha
        s += d
        d = np.sqrt(s)
        d += settings["eps"]
        d = g / d
        if mu:
            v = state[1]
            v *= mu
            v += d
            d = lr * v
        else:
            d *= lr
        p -= d


class Adam(Optimizer):
    """Momentum and a rate of its own for every entry (Kingma and Ba 2015).

    ::

        g = gradient + weight_decay * p
        m = b1 * m + (1 - b1) * g                   (m = v = 0 at first)
        v = b2 * v + (1 - b2) * g**2
        p = p - lr * (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + eps)      in step t = 1, 2, ...

    Parameters
    ----------
    parameters : iterable of Tensors or of dicts, optional
        As for `SGD`.
    lr : float
    betas : (float, float)
        b1 and b2, both from 0 up to, but not including, 1.
    eps : float
    weight_decay : float

    Examples
    --------
    >>> import autograd_core as ag
    >>> p = ag.Tensor([1.0, -2.0])
    >>> optimizer = Adam([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    Tensor([ 0.9, -1.9])
    """

    squares = ("v",)

    def __init__(
        self,
        parameters: Iterable[Any] | None = None,
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            parameters,
            {
                "lr": lr,
                "betas": _pair(betas),
                "eps": eps,
                "weight_decay": weight_decay,
            },
        )

    def check(self, settings: Settings) -> None:
        """Refuse means that would never forget, and a negative eps."""
        check_eps(settings["eps"])
        betas = settings["betas"]
        if len(betas) != 2 or not all(is_number(b) and 0 <= b < 1 for b in betas):
            raise ValueError(f"betas are two numbers from 0 up to, but not including, 1; not {betas}")

    @staticmethod
    def slots(settings: Settings) -> tuple[str, ...]:  # noqa: ARG004
        """Return both means."""
        return ("m", "v")

    @staticmethod
    def update(p: Any, g: Any, state: Any, t: Any, lr: Any, settings: Settings) -> None:
        """Apply the equation above, multiplied out: sqrt(v / c) + eps = (sqrt(v) + eps * sqrt(c)) / sqrt(c)."""
        if settings["weight_decay"]:
            g = g + settings["weight_decay"] * p
        (m, v), (b1, b2) = state, settings["betas"]
        root = (1 - b2**t) ** 0.5
        m *= b1
        m += (1 - b1) * g
        d = g * g
        d *= 1 - b2
        v *= b2
        v += d
        d = np.sqrt(v)
        d += settings["eps"] * root
        d = m / d
        d *= lr * root / (1 - b1**t)
        p -= d


class AdamW(Adam):
    """Adam with a weight decay beside the gradient, not in it (Loshchilov and Hutter 2019).

    ::

        m = b1 * m + (1 - b1) * gradient            (m = v = 0 at first)
        v = b2 * v + (1 - b2) * gradient**2
        p = p - lr * weight_decay * p - lr * (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + eps)
    """

    def __init__(
        self,
        parameters: Iterable[Any] | None = None,
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    @staticmethod
    def update(p: Any, g: Any, state: Any, t: Any, lr: Any, settings: Settings) -> None:
        """Apply the equation above."""
        p *= 1 - lr * settings["weight_decay"]
        Adam.update(p, g, state, t, lr, {**settings, "weight_decay": 0})


def _pair(betas: Any) -> tuple[Any, ...]:
    return tuple(betas) if isinstance(betas, Iterable) else (betas,)
