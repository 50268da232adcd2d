"""Optimizer: what all of them share, groups of parameters with settings of their own, and states."""

from __future__ import annotations

import copy
import functools
import math
import numbers
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, Self, cast

import numpy as np

import autograd_core as ag

from ..functional.given import is_number
from ..module import Module
from .recorded import record
from .runs import Run, Settings, runs_of, settings_of


class Optimizer:
    """What optimizers share: groups of parameters, their state, and the walk over them.

    Made with settings alone it is a configuration; `attach` gives it parameters, and a fresh state. A subclass writes
    `update`, its equation, and `slots`, the names of its state if it has any; its settings hold "lr" at least.

    Attributes
    ----------
    groups : list of dict
        Settings, and the parameters they are for under "params"; may be changed between steps.
    scale : float
        A factor before every learning rate, for schedules.
    runs : list of Run
        The buffers in which parameters, gradients and state live.
    """

    squares: tuple[str, ...] = ()  # slots that hold means or sums of squares, which are never negative

    def __init__(self, parameters: Iterable[Any] | None, settings: Settings) -> None:
        settings = _plain(settings)
        self._check(settings)
        self.defaults = settings
        self.scale = 1.0
        self.groups: list[dict[str, Any]] = []
        self.runs: list[Run] = []
        self._whole: Any = None  # what makes an update whole, for the arrays there are
        self.version = object()  # another one with other groups
        if parameters is not None:
            self.attach(parameters)

    def attach(self, parameters: Iterable[Any]) -> Self:
        """Take charge of parameters, or of groups ``[{"params": ..., "lr": ...}, ...]``; return the optimizer."""
        groups = self._grouped(parameters)
        runs = [run for group in groups for run in runs_of(group, self.slots(group))]
        with ag.uninterrupted():
            self.groups, self.runs, self._whole, self.version = groups, runs, None, object()
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
        check_rate(lr)
        for settings in [self.defaults, *self.groups]:
            settings["lr"] = float(lr)

    def __ag_state__(self, names: Set[str], whole: bool) -> Iterator[Any]:
        """Yield what a compiled step rests on: settings, but the rate only where the function reads that itself."""
        yield functools.partial(getattr, self, "version")
        for run in self.runs:
            yield from run.__ag_state__(names, whole)
        for group in self.groups:
            yield from (functools.partial(group.get, name) for name in group if name not in ("lr", "params"))
        if not names.isdisjoint(("lr", "groups", "defaults")):
            yield from (functools.partial(group.get, "lr") for group in (*self.groups, self.defaults))
        if "scale" in names:
            yield functools.partial(getattr, self, "scale")
        if not names.isdisjoint(("runs", "state_dict")):
            yield functools.partial(getattr, self, "_counts")

    @property
    def _counts(self) -> object:
        """What is other at every call, as counts of steps are: who reads them is not to be replayed."""
        return object()

    def step(self) -> None:
        """Update every parameter by its gradient; one without a gradient stays as it is.

        Parameters, state and step counts change all together or, if this raises, not at all.
        """
        if not self.groups:
            raise RuntimeError(f"{type(self).__name__} has no parameters yet: call attach(model.parameters()) first")
        rates = [ag.fresh(run.rate, self) for run in self.runs]  # first, since an odd one raises
        for run in self.runs:
            if (slots := self.slots(run.group)) != run.slots:
                run.switch(slots)
                self._whole = None
        if type(rates[0]) is float:
            found = [run.gather() for run in self.runs]  # how many parameters of each run have a gradient
            if moving := any(found):
                self._update(rates, found)
        else:
            found = [record(run, self, lr) for run, lr in zip(self.runs, rates, strict=True)]
            moving = any(found)
        if not moving:
            raise RuntimeError(
                "step() where no parameter has a gradient: call loss.backward() before it, zero_grad() after it"
            )

    def _update(self, rates: list[Any], found: list[int]) -> None:
        """Update all runs, or none."""
        with self._whole or self._block():
            for i, run in enumerate(self.runs):
                run.step(self, rates[i], found[i])

    def _block(self) -> Any:
        """Return what makes an update whole, for the arrays there are."""
        if self._whole is None:
            arrays = [a for run in self.runs for a in (run.values, run.steps, *run.state)]
            self._whole = ag.all_or_nothing(*arrays, trusted=True)
        return self._whole

    def zero_grad(self) -> None:
        """Forget all gradients, so that the next backward() starts afresh."""
        for run in self.runs:
            for p in run.parameters:
                if p.requires_grad:  # a frozen one has no gradient to forget
                    p.grad = None

    # --- what a subclass writes -----------------------------------------------------------------------------------

    @staticmethod
    def slots(settings: Settings) -> tuple[str, ...]:  # noqa: ARG004
        """Return the names of the arrays of state that each parameter has: none, unless a subclass says so."""
        return ()

    @staticmethod
    def update(p: Any, g: Any, state: Any, t: Any, lr: Any, settings: Settings) -> None:
        """Change values and state, in place, by a gradient: the equation, as the top of `nn.optim` describes it."""
        raise NotImplementedError

    def check(self, settings: Settings) -> None:
        """Raise a ValueError where settings make no sense, beyond the rate and the weight decay."""

    # --- groups and state -----------------------------------------------------------------------------------------

    def _check(self, settings: Settings) -> None:
        check_rate(settings["lr"])
        for name, value in settings.items():
            if not isinstance(value, numbers.Real | tuple):
                raise TypeError(f"{name} of {type(self).__name__} is a number, not {value!r}")
        if not 0 <= (decay := settings.get("weight_decay", 0)) < math.inf:
            raise ValueError(f"a weight decay is a number from 0 upwards, not {decay}")
        self.check(settings)

    def _grouped(self, parameters: Iterable[Any]) -> list[dict[str, Any]]:
        """Return groups with all their settings, or say what is wrong with them."""
        who = type(self).__name__
        if isinstance(parameters, ag.Tensor | Mapping | Module) or not isinstance(parameters, Iterable):
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
            settings = _plain({**self.defaults, **settings_of(dict(group))})
            self._check(settings)
            groups.append({"params": _trainable(group["params"], who), **settings})
            for p in groups[-1]["params"]:
                if owner.setdefault(id(p), i) != i:
                    raise ValueError(f"a parameter of shape {p.shape} is in groups {owner[id(p)]} and {i} of {who}")
        return groups

    def state_dict(self) -> dict[str, Any]:
        """Return copies of settings and state; parameters are numbered, group after group."""
        self._block().refuse()
        return self._state()

    def _state(self) -> dict[str, Any]:
        number = {id(p): i for i, p in enumerate(self.parameters)}
        state = {number[id(p)]: run.state_of(i) for run in self.runs for i, p in enumerate(run.parameters)}
        groups = [{**settings_of(group), "params": [number[id(p)] for p in group["params"]]} for group in self.groups]
        return {"groups": groups, "scale": self.scale, "state": {i: state[i] for i in sorted(state)}}

    def load_state_dict(self, state: Mapping[str, Any]) -> Self:
        """Take over settings and state; if anything does not fit, change nothing."""
        who = type(self).__name__
        own = self._state()
        try:
            given = {int(i): s for i, s in state["state"].items()}
            groups, scale = [dict(group) for group in state["groups"]], float(state["scale"])
            layout = [group.pop("params") for group in groups]
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise ValueError(f"this is not a state of {who}: it needs groups, scale and state") from e
        if wrong := _misfit(layout, set(given), [group["params"] for group in own["groups"]]):
            raise ValueError(f"the state does not fit {who}: {wrong}")
        for i, settings in enumerate(groups):
            if set(settings) != set(self.defaults):
                raise ValueError(
                    f"the state does not fit {who}: group {i} has the settings {', '.join(settings)}, "
                    f"expected {', '.join(self.defaults)}"
                )
            self._check(settings)
        number, found = {id(p): i for i, p in enumerate(self.parameters)}, []
        new_group = {id(old): new for old, new in zip(self.groups, groups, strict=True)}
        for run in self.runs:
            order = [number[id(p)] for p in run.parameters]
            slots = self.slots(new_group[id(run.group)])
            complaints = [f"the state of parameter {i} does not fit {who}" for i in order]
            found.append((run, slots, *run.read([given[i] for i in order], slots, self.squares, complaints)))
        with ag.uninterrupted():
            for old, new in zip(self.groups, groups, strict=True):
                old.update(new)
            for run, slots, arrays, steps in found:
                run.steps[:] = steps
                run.look_at_steps()
                run.take(slots, arrays)
            self._block().forget()
            self.scale, self._whole = scale, None
        return self

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.defaults.items())
        return f"{type(self).__name__}({settings})"

    def __reduce__(self) -> Any:
        """Pickle settings, parameters and state, not the buffers: these are made anew."""
        return _restored, (type(self), self.defaults, self.groups, self.state_dict())

    def __deepcopy__(self, memo: Any) -> Any:
        """Copy a configuration; one that is in charge of parameters would have two masters for them."""
        if self.groups:
            raise TypeError(f"{type(self).__name__} with parameters is not copied: copy its state_dict()")
        twin = copy.copy(self)
        twin.defaults, twin.groups, twin.runs = dict(self.defaults), [], []
        return twin


def _plain(settings: Settings) -> Settings:
    """Return settings with Python's numbers for NumPy's: those of float64 would make arrays of float32 into float64."""

    def number(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(number, value))
        return value.item() if isinstance(value, np.generic) else value

    return {name: number(value) for name, value in settings.items()}


def _restored(kind: type[Optimizer], defaults: Settings, groups: list[Any], state: Mapping[str, Any]) -> Optimizer:
    optimizer = kind.__new__(kind)
    Optimizer.__init__(optimizer, None, defaults)
    if groups:
        optimizer.attach(groups).load_state_dict(state)
    optimizer.scale = state["scale"]
    return optimizer


def _trainable(parameters: Iterable[Any], who: str) -> list[ag.Tensor]:
    """Return the parameters, each once; or say what is wrong with them."""
    if isinstance(parameters, ag.Tensor):
        parameters = [parameters]
    found = list({id(p): p for p in parameters}.values())
    for i, p in enumerate(found):
        if not isinstance(p, ag.Tensor) or not (p.requires_grad and p.is_leaf):
            raise TypeError(f"parameter {i} of {who} is not a tracked leaf: {p!r}{_hint(p)}")
        if p.dtype.kind == "c":
            raise TypeError(
                f"parameter {i} of {who} is complex, of shape {p.shape}: train its real and its imaginary part"
            )
    if not found:
        raise ValueError(
            f"{who} was given no parameters: those of a model are its attributes that are tracked Tensors, "
            f"ag.Tensor(array), not arrays; and a generator gives them once only"
        )
    return found


def _hint(p: Any) -> str:
    """Say how something becomes a parameter."""
    if isinstance(p, tuple) and p and isinstance(p[0], str):
        return "; write model.parameters(), without the names"
    if isinstance(p, np.ndarray):
        return "; write ag.Tensor(array)"
    if isinstance(p, ag.Tensor) and not p.is_leaf:
        return "; it is the result of an operation: write ag.Tensor(t.data)"
    return "; write ag.Tensor(data, requires_grad=True), or unfreeze it" if isinstance(p, ag.Tensor) else ""


def _misfit(layout: list[Any], given: set[int], own: list[list[int]]) -> str:
    """Say why the parameters of a state, group by group, and those it knows something of, are not our own; "" if so."""
    if [len(group) for group in layout] != [len(group) for group in own]:
        return (
            f"it is for groups of {[len(group) for group in layout]} parameters, here are groups of "
            f"{[len(group) for group in own]}"
        )
    if layout != own:
        return f"it numbers the parameters {layout}, here they are {own}"
    wanted = {i for group in own for i in group}
    if lacking := sorted(wanted - given):
        return f"it has no state of parameter {', '.join(map(str, lacking))}"
    if extra := sorted(given - wanted):
        return f"it has a state of parameter {', '.join(map(str, extra))}, here are 0 to {len(wanted) - 1}"
    return ""


def check_rate(lr: float) -> None:
    """Refuse a learning rate that is not a number from 0 upwards; at 0 nothing moves, which is a way to compare."""
    if not is_number(lr) or not 0 <= lr < math.inf:
        raise ValueError(f"a learning rate is a positive number, not {lr!r}; 0 is allowed, and moves nothing")


def check_share(name: str, value: float) -> None:
    """Refuse a share of the past that would never fade."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} lies from 0 up to, but not including, 1; not {value}")


def check_eps(eps: float) -> None:
    """Refuse an eps that is not a number from 0 upwards."""
    if not 0 <= eps < math.inf:
        raise ValueError(f"eps is a small number from 0 upwards, not {eps}")
