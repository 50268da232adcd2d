"""Optimizers: an optimizer is an equation, applied to all parameters at once.

Small parameters are gathered into one flat buffer, so that an update is a handful of NumPy calls however many there
are; large ones are walked in place, in blocks that stay in the cache.
"""

# ruff: noqa: ARG002  an equation has no use for every argument

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any, Self, cast

import numpy as np

import autograd_core as ag

Array = np.ndarray[Any, Any]
Settings = dict[str, Any]
BLOCK = 1 << 15  # entries: a few arrays of that many fit into a core's cache


class Optimizer:
    """What optimizers share: groups of parameters, their state, and the walk over them.

    Made with settings alone it is a configuration; `attach` gives it parameters, and a fresh state. A subclass writes
    `slots`, the names of its state, and `change`, its equation.

    Attributes
    ----------
    groups : list of dict
        Settings, and the parameters they are for under "params"; may be changed between steps.
    scale : float
        A factor before every learning rate, for schedules.
    """

    def __init__(self, parameters: Iterable[Any] | None, settings: Settings) -> None:
        self._check(settings)
        self.defaults = settings
        self.scale = 1.0
        self.groups: list[dict[str, Any]] = []
        self._runs: list[_Run] = []
        if parameters is not None:
            self.attach(parameters)

    def attach(self, parameters: Iterable[Any]) -> Self:
        """Take charge of parameters, or of groups ``[{"params": ..., "lr": ...}, ...]``; return the optimizer."""
        groups = self._grouped(parameters)
        self.groups = groups
        self._runs = [run for group in groups for run in _runs(group, self.slots(group))]
        return self

    @property
    def parameters(self) -> list[ag.Tensor]:
        """All parameters, group after group."""
        return [p for group in self.groups for p in group["params"]]

    @property
    def lr(self) -> float:
        """The learning rate, of the first group if there are several; setting it sets that of all."""
        return cast(float, (self.groups[0] if self.groups else self.defaults)["lr"])

    @lr.setter
    def lr(self, lr: float) -> None:
        _check_rate(lr)
        for settings in [self.defaults, *self.groups]:
            settings["lr"] = lr

    def step(self) -> None:
        """Update every parameter by its gradient; one without a gradient stays as it is."""
        if not self.groups:
            raise RuntimeError(f"{type(self).__name__} has no parameters yet: call attach(model.parameters()) first")
        if not sum(run.step(self) for run in self._runs):  # all of them, where any() would stop
            raise RuntimeError(
                "step() where no parameter has a gradient: call loss.backward() before it, zero_grad() after it"
            )

    def zero_grad(self) -> None:
        """Forget all gradients, so that the next backward() starts afresh."""
        for run in self._runs:
            for p in run.parameters:
                if p.grad is not None:
                    p.grad = None

    # --- what a subclass writes -----------------------------------------------------------------------------------

    def slots(self, settings: Settings) -> tuple[str, ...]:
        """Return the names of the arrays of state that each parameter has."""
        raise NotImplementedError

    def change(self, d: Array, p: Array | None, state: list[Array], t: int, settings: Settings) -> None:
        """Turn the gradient `d` into what is subtracted from the parameters, in place, all of one axis.

        `p` is None without weight decay; `t` counts the steps of these parameters from 1; the rate is `rate(settings)`.
        """
        raise NotImplementedError

    def rate(self, settings: Settings) -> float:
        """Return the learning rate of a group at this step."""
        return cast(float, settings["lr"]) * self.scale

    def check(self, settings: Settings) -> None:
        """Raise a ValueError where settings make no sense, beyond the rate and the weight decay."""

    # --- groups and state -----------------------------------------------------------------------------------------

    def _check(self, settings: Settings) -> None:
        _check_rate(settings["lr"])
        if not 0 <= settings["weight_decay"] < math.inf:
            raise ValueError(f"a weight decay is a number from 0 upwards, not {settings['weight_decay']}")
        self.check(settings)

    def _grouped(self, parameters: Iterable[Any]) -> list[dict[str, Any]]:
        """Return groups with all their settings, or say what is wrong with them."""
        who = type(self).__name__
        given = parameters if isinstance(parameters, ag.Tensor) or not isinstance(parameters, Iterable) else None
        if given is not None or isinstance(parameters, Mapping):
            raise TypeError(
                f"{who} takes parameters, such as model.parameters() or [p], not a {type(parameters).__name__}; "
                f"a learning rate is written lr=0.1"
            )
        found = list(parameters)
        if not found or not isinstance(found[0], Mapping):
            return [{"params": _trainable(found, who), **self.defaults}]
        groups, owner = [], dict[int, int]()
        for i, group in enumerate(found):
            if not isinstance(group, Mapping) or "params" not in group:
                raise TypeError(f'group {i} of {who} is not a dict with "params" and settings: {group!r}')
            if unknown := set(group) - {"params", *self.defaults}:
                raise ValueError(
                    f"group {i} of {who} has {', '.join(sorted(unknown))}; settings are {', '.join(self.defaults)}"
                )
            settings = {**self.defaults, **{k: v for k, v in group.items() if k != "params"}}
            self._check(settings)
            groups.append({"params": _trainable(group["params"], who), **settings})
            for p in groups[-1]["params"]:
                if owner.setdefault(id(p), i) != i:
                    raise ValueError(f"a parameter of shape {p.shape} is in groups {owner[id(p)]} and {i} of {who}")
        return groups

    def state_dict(self) -> dict[str, Any]:
        """Return copies of settings and state; parameters are numbered, group after group."""
        number = {id(p): i for i, p in enumerate(self.parameters)}
        state = {number[id(p)]: run.state_of(i) for run in self._runs for i, p in enumerate(run.parameters)}
        groups = [{**_settings(group), "params": [number[id(p)] for p in group["params"]]} for group in self.groups]
        return {"groups": groups, "scale": self.scale, "state": {i: state[i] for i in sorted(state)}}

    def load_state_dict(self, state: Mapping[str, Any]) -> Self:
        """Take over settings and state; if anything does not fit, change nothing."""
        who = type(self).__name__
        own = self.state_dict()
        try:
            given = {int(i): s for i, s in state["state"].items()}
            groups, scale = [dict(group) for group in state["groups"]], float(state["scale"])
            layout = [group.pop("params") for group in groups]
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise ValueError(f"this is not a state of {who}: it needs groups, scale and state") from e
        if layout != [group["params"] for group in own["groups"]] or set(given) != set(own["state"]):
            raise ValueError(
                f"the state does not fit {who}: it is for groups of {[len(g) for g in layout]} parameters, "
                f"here are groups of {[len(g['params']) for g in own['groups']]}"
            )
        for i, settings in enumerate(groups):
            if set(settings) != set(self.defaults):
                raise ValueError(
                    f"the state does not fit {who}: group {i} has the settings {', '.join(settings)}, "
                    f"expected {', '.join(self.defaults)}"
                )
            self._check(settings)
        fresh = [{"params": old["params"], **new} for old, new in zip(self.groups, groups, strict=True)]
        runs = [run for group in fresh for run in _runs(group, self.slots(group))]
        number = {id(p): i for i, p in enumerate(self.parameters)}
        for run in runs:
            for i, p in enumerate(run.parameters):
                run.take(i, given[number[id(p)]], f"the state of parameter {number[id(p)]} does not fit {who}")
        for old, new in zip(self.groups, fresh, strict=True):
            old.update(new)
        for run, group in zip(runs, _owners(runs, self.groups), strict=True):
            run.group = group
        self._runs, self.scale = runs, scale
        return self

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.defaults.items())
        return f"{type(self).__name__}({settings})"

    def __deepcopy__(self, memo: Any) -> Any:
        """Copy a configuration; one that is in charge of parameters would have two masters for them."""
        if self.groups:
            raise TypeError(f"a {type(self).__name__} with parameters is not copied: copy its state_dict()")
        twin = copy.copy(self)
        twin.defaults, twin.groups, twin._runs = dict(self.defaults), [], []
        return twin


# --- the equations ----------------------------------------------------------------------------------------------------


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
        if not 0 <= settings["momentum"] < 1:
            raise ValueError(f"momentum lies from 0 up to, but not including, 1; not {settings['momentum']}")
        if settings["nesterov"] and not settings["momentum"]:
            raise ValueError("nesterov=True needs a momentum, such as 0.9")

    def slots(self, settings: Settings) -> tuple[str, ...]:
        """Return the velocity."""
        return ("v",) if settings["momentum"] else ()

    def change(self, d: Array, p: Array | None, state: list[Array], t: int, settings: Settings) -> None:
        """Apply the equation above."""
        if p is not None:
            d += settings["weight_decay"] * p
        if state:
            (v,), mu = state, _number(settings["momentum"], d.dtype)
            v *= mu
            v += d
            if settings["nesterov"]:
                d += mu * v
            else:
                d[...] = v
        d *= self.rate(settings)


class AdaGrad(Optimizer):
    """A rate of its own for every entry, by the sum of all its squared gradients (Duchi et al. 2011).

    ::

        g = gradient + weight_decay * p
        s = s + g**2                                (s = 0 at first)
        p = p - lr * g / (sqrt(s) + eps)

    Parameters are those of `SGD`, without momentum; `eps` keeps the quotient finite.
    """

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
        _check_eps(settings["eps"])

    def slots(self, settings: Settings) -> tuple[str, ...]:
        """Return the sum of squares."""
        return ("s",)

    def change(self, d: Array, p: Array | None, state: list[Array], t: int, settings: Settings) -> None:
        """Apply the equation above."""
        if p is not None:
            d += settings["weight_decay"] * p
        (s,) = state
        s += d * d
        root = np.sqrt(s)
        root += _number(settings["eps"], d.dtype)
        d /= root
        d *= self.rate(settings)


class RMSProp(Optimizer):
    """AdaGrad that forgets: a running mean of squared gradients (Tieleman and Hinton 2012).

    ::

        g = gradient + weight_decay * p
        s = alpha * s + (1 - alpha) * g**2          (s = 0 at first)
        u = g / (sqrt(s) + eps)
        p = p - lr * u                              or, with momentum,
        v = momentum * v + u;  p = p - lr * v
    """

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
        _check_eps(settings["eps"])
        for name in ("alpha", "momentum"):
            if not 0 <= settings[name] < 1:
                raise ValueError(f"{name} lies from 0 up to, but not including, 1; not {settings[name]}")

    def slots(self, settings: Settings) -> tuple[str, ...]:
        """Return the mean square, and the velocity."""
        return ("s", "v") if settings["momentum"] else ("s",)

    def change(self, d: Array, p: Array | None, state: list[Array], t: int, settings: Settings) -> None:
        """Apply the equation above."""
        if p is not None:
            d += settings["weight_decay"] * p
        s, alpha = state[0], settings["alpha"]
        square = d * d
        square *= _number(1 - alpha, d.dtype)
        s *= _number(alpha, d.dtype)
        s += square
        np.sqrt(s, out=square)
        square += _number(settings["eps"], d.dtype)
        d /= square
        if len(state) == 2:
            v = state[1]
            v *= _number(settings["momentum"], d.dtype)
            v += d
            d[...] = v
        d *= self.rate(settings)


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
    >>> p = ag.Tensor([1.0, -2.0])
    >>> optimizer = Adam([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    Tensor([ 0.9, -1.9])
    """

    decoupled = False

    def __init__(
        self,
        parameters: Iterable[Any] | None = None,
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay})

    def check(self, settings: Settings) -> None:
        """Refuse means that would never forget, and a negative eps."""
        _check_eps(settings["eps"])
        if len(settings["betas"]) != 2 or not all(0 <= b < 1 for b in settings["betas"]):
            raise ValueError(f"betas are two numbers from 0 up to, but not including, 1; not {settings['betas']}")

    def slots(self, settings: Settings) -> tuple[str, ...]:
        """Return both means."""
        return ("m", "v")

    def change(self, d: Array, p: Array | None, state: list[Array], t: int, settings: Settings) -> None:
        """Apply the equation above, multiplied out: sqrt(v / c) + eps = (sqrt(v) + eps * sqrt(c)) / sqrt(c)."""
        (m, v), (b1, b2), rate = state, settings["betas"], self.rate(settings)
        if p is not None and not self.decoupled:
            d += settings["weight_decay"] * p
        root = math.sqrt(1 - b2**t)
        s = d * _number(1 - b1, d.dtype)
        m *= _number(b1, d.dtype)
        m += s
        d *= d
        d *= _number(1 - b2, d.dtype)
        v *= _number(b2, d.dtype)
        v += d
        np.sqrt(v, out=d)
        d += settings["eps"] * root
        np.divide(m, d, out=d)
        d *= rate * root / (1 - b1**t)
        if p is not None and self.decoupled:
            d += (rate * settings["weight_decay"]) * p


class AdamW(Adam):
    """Adam with a weight decay beside the gradient, not in it (Loshchilov and Hutter 2019).

    ::

        m = b1 * m + (1 - b1) * gradient            (m = v = 0 at first)
        v = b2 * v + (1 - b2) * gradient**2
        p = p - lr * weight_decay * p - lr * (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + eps)
    """

    decoupled = True

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


# --- clipping ---------------------------------------------------------------------------------------------------------


def clip_by_norm(parameters: Iterable[ag.Tensor], limit: float) -> float:
    """Shorten all gradients by one factor so that their common norm is at most `limit`; return the norm before.

    Examples
    --------
    >>> p = ag.Tensor([0.0, 0.0])
    >>> p.grad = np.array([3.0, 4.0])
    >>> clip_by_norm([p], 1.0)
    5.0
    >>> p.grad
    array([0.6, 0.8])
    """
    _check_limit(limit)
    found = [p for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(float(np.vdot(g := p.grad, g).real) for p in found))
    if norm > limit:
        for p in found:
            p.grad = p.grad * p.dtype.type(limit / norm)
    return norm


def clip_by_value(parameters: Iterable[ag.Tensor], limit: float) -> None:
    """Bring every entry of every gradient into [-limit, limit].

    Examples
    --------
    >>> p = ag.Tensor([0.0, 0.0])
    >>> p.grad = np.array([3.0, -0.5])
    >>> clip_by_value([p], 1.0)
    >>> p.grad
    array([ 1. , -0.5])
    """
    _check_limit(limit)
    for p in parameters:
        if p.grad is not None:
            p.grad = np.clip(p.grad, -limit, limit)


# --- runs of parameters -----------------------------------------------------------------------------------------------


class _Run:
    """Parameters of one group and one dtype, end to end on one axis, with the state beside them."""

    def __init__(self, parameters: list[ag.Tensor], group: Settings, slots: tuple[str, ...]) -> None:
        self.parameters, self.group, self.slots = parameters, group, slots
        sizes = [p.size for p in parameters]
        self.ends = [0, *np.cumsum(sizes).tolist()]
        self.dtype = _computed_in(parameters[0].dtype)
        self.state = [np.zeros(self.ends[-1], self.dtype) for _ in slots]
        self.steps = [0] * len(parameters)
        self.whole = len(parameters) == 1 and _walkable(parameters[0])
        self.flat = np.empty(0 if self.whole else self.ends[-1], self.dtype)
        self.views = [] if self.whole else [self.view(self.flat, i) for i in range(len(parameters))]

    def view(self, flat: Array, i: int) -> Array:
        """Return the part of an axis that belongs to a parameter, in its shape."""
        return flat[self.ends[i] : self.ends[i + 1]].reshape(self.parameters[i].shape)

    def step(self, optimizer: Optimizer) -> bool:
        """Update all parameters that have a gradient; say whether there are any."""
        if self.whole:
            return self._step_in_place(optimizer)
        gradients = [p.grad for p in self.parameters]
        if all(g is not None for g in gradients) and len(set(self.steps)) == 1:
            self._step_gathered(optimizer, gradients, 0, len(gradients))
            return True
        found = [i for i, g in enumerate(gradients) if g is not None]
        for i in found:  # one by one: those that sat out have counted fewer steps
            self._step_gathered(optimizer, gradients, i, i + 1)
        return bool(found)

    def _step_gathered(self, optimizer: Optimizer, gradients: list[Any], first: int, last: int) -> None:
        start, stop = self.ends[first], self.ends[last]
        d, parameters = self.flat[start:stop], self.parameters[first:last]
        np.concatenate([g.ravel() for g in gradients[first:last]], out=d)
        p = None
        if self.group["weight_decay"]:
            p = np.concatenate([q.data.ravel() for q in parameters], dtype=self.dtype)
        t = self.steps[first] + 1
        for a in range(0, stop - start, BLOCK):
            b = min(a + BLOCK, stop - start)
            state = [s[start + a : start + b] for s in self.state]
            optimizer.change(d[a:b], None if p is None else p[a:b], state, t, self.group)
        self.steps[first:last] = [t] * (last - first)
        for q, view in zip(parameters, self.views[first:last], strict=True):
            q.data -= view

    def _step_in_place(self, optimizer: Optimizer) -> bool:
        (q,) = self.parameters
        if q.grad is None:
            return False
        p, g = q.data.reshape(-1), q.grad.reshape(-1)
        decays, t = bool(self.group["weight_decay"]), self.steps[0] + 1
        for a in range(0, p.size, BLOCK):
            values, d = p[a : a + BLOCK], g[a : a + BLOCK].copy()
            state = [s[a : a + BLOCK] for s in self.state]
            optimizer.change(d, values if decays else None, state, t, self.group)
            values -= d
        q.data = q.data  # says that it was updated
        self.steps[0] = t
        return True

    def state_of(self, i: int) -> dict[str, Any]:
        """Return a copy of the state of one parameter."""
        arrays = {name: self.view(s, i).copy() for name, s in zip(self.slots, self.state, strict=True)}
        return {"step": self.steps[i], **arrays}

    def take(self, i: int, state: Mapping[str, Any], complaint: str) -> None:
        """Give one parameter a state."""
        if set(state) != {"step", *self.slots}:
            raise ValueError(f"{complaint}: it has {', '.join(state)}, expected step, {', '.join(self.slots)}")
        for name, own in zip(self.slots, self.state, strict=True):
            shape, given = self.parameters[i].shape, np.asarray(state[name])
            if given.shape != shape or given.dtype.kind not in "fiu":
                raise ValueError(f"{complaint}: {name} is {given.dtype} of shape {given.shape}, expected {shape}")
            self.view(own, i)[...] = given
        self.steps[i] = int(state["step"])


def _runs(group: Settings, slots: tuple[str, ...]) -> list[_Run]:
    """Return the runs of a group: large parameters each for itself, the rest gathered by dtype."""
    small: dict[Any, list[ag.Tensor]] = {}
    for p in group["params"]:
        small.setdefault((id(p) if _walkable(p) else None, p.dtype), []).append(p)
    return [_Run(parameters, group, slots) for parameters in small.values()]


def _owners(runs: list[_Run], groups: list[Settings]) -> list[Settings]:
    group_of = {id(p): group for group in groups for p in group["params"]}
    return [group_of[id(run.parameters[0])] for run in runs]


def _walkable(p: ag.Tensor) -> bool:
    """Say whether a parameter is large enough, and lies in memory so, that its own array is walked in blocks."""
    value = p.data
    return value.size >= BLOCK and value.flags.c_contiguous and value.flags.writeable and value.itemsize > 2


def _computed_in(dtype: Any) -> Any:
    """Return the dtype of the state: half precision is updated in single, where eps is not 0."""
    return np.dtype(np.float32) if dtype.itemsize == 2 else np.dtype(dtype)


def _settings(group: Settings) -> Settings:
    return {name: value for name, value in group.items() if name != "params"}


@functools.lru_cache(256)
def _number(value: float, dtype: Any) -> Any:
    """Return a constant as an array without axes: as an operand it costs half of what a Python number does."""
    return np.array(value, dtype)


def _trainable(parameters: Iterable[Any], who: str) -> list[ag.Tensor]:
    """Return the parameters, each once; or say what is wrong with them."""
    if isinstance(parameters, ag.Tensor):
        parameters = [parameters]
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


def _check_rate(lr: float) -> None:
    if not 0 < lr < math.inf:
        raise ValueError(f"a learning rate is a positive number, not {lr}")


def _check_eps(eps: float) -> None:
    if not 0 <= eps < math.inf:
        raise ValueError(f"eps is a small number from 0 upwards, not {eps}")


def _check_limit(limit: float) -> None:
    if not limit > 0:
        raise ValueError(f"gradients are clipped to a positive limit, not {limit}")
