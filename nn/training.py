"""Training: `fit`, its history, early stopping, and checkpoints from which it goes on bit by bit."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import autograd_core as ag

from . import io
from .data import Data, _epoch, check, check_size, whole
from .functional.given import is_number
from .history import EarlyStopping, History, TrainingError
from .init import Rng, generator
from .module import Module
from .optim import Optimizer, clip_by_norm
from .progress import progress_bar
from .undoing import Undo, generators, watched_outputs

Metric = Callable[[Any, Any], float]
Callback = Callable[[int, dict[str, float]], Any]
CHECKPOINT = "nn.checkpoint"


def fit(
    model: Module,
    data: Any,
    *,
    loss: Callable[..., Any],
    optimizer: Optimizer,
    epochs: int,
    batch_size: int | None = None,
    validation: Any = None,
    early_stopping: EarlyStopping | None = None,
    schedule: Callable[[int], float] | None = None,
    clip: float | Callable[[list[ag.Tensor]], Any] | None = None,
    metrics: Metric | Iterable[Metric] | Mapping[str, Metric] = (),
    callbacks: Callback | Iterable[Callback] = (),
    progress: bool | None = None,
    rng: Rng = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    compile: bool = False,
) -> History:
    """Train a model: minimise ``loss(model(X), y)`` over minibatches.

    Parameters
    ----------
    model : Module
    data : (X, y)
        Arrays with one observation in each row, the target last. Floats are computed in the dtype of the parameters.
        Integers are tried out first: model and loss see the smallest and the largest once, and nothing is kept.
    loss : callable
        ``loss(output, target)``, the mean over a batch.
    optimizer : Optimizer
        Attached to the model if it has no parameters yet.
    epochs : int
    batch_size : int, optional
        By default 32, or all observations if there are fewer.
    validation : (X, y), optional
        Judged after every epoch, in evaluation mode.
    early_stopping : EarlyStopping, optional
    schedule : callable, optional
        From the number of updates so far to a factor for the learning rate; see `nn.schedules`.
    clip : float or callable, optional
        The largest norm of all gradients together, or what is called with the parameters before an update.
    metrics : functions, or dict of them
        ``metric(output, target)`` after every epoch, of the validation data if there are any, else of the data.
    callbacks : functions
        Called with the epoch, from 1, and its numbers; one that returns True ends the training.
    progress : bool, optional
        By default in a terminal or a notebook only.
    rng : Generator or int
        For the order of the observations.
    checkpoint : path, optional
        Written after every epoch.
    resume : bool
        Go on from the checkpoint, if there is one, up to `epochs`: bit by bit as if it had not been interrupted.
    compile : bool
        Record the step once for each size of batch and replay it, several times faster for small networks: model, loss
        and clipping must do the same operations for every batch (see `ag.compile`).

    Returns
    -------
    History
        Also after Ctrl-C.

    Raises
    ------
    TrainingError
        When a loss is not finite; the update that it would have led to is not done.

    Examples
    --------
    >>> import nn
    >>> model = nn.MLP([2, 16, 1], "tanh", rng=0)
    >>> history = nn.fit(model, nn.data.xor(), loss=nn.mse, optimizer=nn.Adam(lr=0.03), epochs=200, progress=False)
    >>> history["loss"][-1] < 0.01
    True
    """
    if not whole(epochs, 1):
        raise ValueError(f"epochs is a positive number, not {epochs!r}")
    if resume and checkpoint is None:
        raise ValueError("resume=True needs checkpoint=, the file to go on from")
    _check(model, loss, optimizer, early_stopping, schedule)
    called = _called(callbacks)
    if checkpoint is not None and (Path(checkpoint).is_dir() or not Path(checkpoint).absolute().parent.is_dir()):
        raise FileNotFoundError(f"checkpoint= is a file in a folder that exists, not {os.fspath(checkpoint)}")
    run = _Training(model, check(data), loss, optimizer, batch_size, generator(rng))
    run.schedule, run.metrics = schedule, _named(metrics)
    run.judge_by(validation, early_stopping)
    run.steps = _Steps(model, loss, optimizer, _clipper(clip), compile)
    run.attach()
    if resume and checkpoint is not None and Path(checkpoint).exists():
        run.restore(checkpoint)
    with run.modes_restored(), progress_bar(progress, len(run.history), epochs) as show:
        run.rehearse()
        run.loop(epochs, called, checkpoint, show)
    return run.history


def _called(callbacks: Any) -> list[Callback]:
    """Return callbacks as a list, or say that they are none."""
    found = [callbacks] if callable(callbacks) else list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    for f in found:
        if not callable(f):
            raise TypeError(f"a callback is a function of the epoch and its numbers, not {f!r}")
    return found


class _Steps:
    """One update in two parts, between which the loss is looked at; both are replayed if they are to be compiled."""

    def __init__(self, model: Module, loss: Any, optimizer: Optimizer, clip: Any, compiled: bool) -> None:
        self.model, self.loss, self.optimizer, self.clip = model, loss, optimizer, clip
        self.forward_and_back = ag.compile(self.gradients) if compiled else self.gradients
        self.update = ag.compile(self.change) if compiled else self.change
        self.compiled = compiled

    def gradients(self, *batch: Any) -> Any:
        """Leave the gradient of the loss of a batch in the parameters; return the loss."""
        self.optimizer.zero_grad()
        value = self.loss(self.model(*batch[:-1]), batch[-1])
        if not isinstance(value, ag.Tensor) or value.size != 1:
            raise TypeError(
                f"the loss of a batch is one tracked number, not {_kind(value)}: does it take the mean, and is it "
                f"computed from the model's output?"
            )
        if self.compiled or math.isfinite(value.item()):
            value.backward()
        return value

    def change(self) -> None:
        """Change the parameters by their gradients."""
        if self.clip is not None:
            self.clip(self.optimizer.parameters)
        self.optimizer.step()


class _Training:
    """Everything that one call of `fit` works with."""

    validation: Data | None = None
    early: EarlyStopping | None = None
    schedule: Any = None
    steps: _Steps
    seen = False  # has there been an update?

    def __init__(
        self, model: Module, data: Data, loss: Any, optimizer: Optimizer, batch_size: int | None, rng: Any
    ) -> None:
        if len(data) < 2:
            raise ValueError("the data is a tuple of inputs and a target, such as (X, y)")
        self.model, self.loss, self.optimizer, self.rng = model, loss, optimizer, rng
        kinds = {p.dtype for p in model.parameters()}
        if not kinds:
            raise ValueError(f"{type(model).__name__} has no parameters to train")
        self.dtype = kinds.pop() if len(kinds) == 1 else None
        self.data = self.cast(data)
        self.n = len(data[0])
        self.size = min(32, self.n) if batch_size is None else batch_size
        check_size(self.size, self.n)
        self.metrics: dict[str, Metric] = {}
        self.undo = Undo(model)
        self.history, self.updates, self.finished = History(), 0, ""

    def cast(self, data: Data) -> Data:
        """Return data with floats in the dtype of the parameters."""
        return tuple(a.astype(self.dtype, copy=False) if self.dtype and a.dtype.kind == "f" else a for a in data)

    def judge_by(self, validation: Any, early_stopping: EarlyStopping | None) -> None:
        """Say by which data, and when to stop."""
        if validation is not None:
            self.validation = self.cast(check(validation, "the validation data"))
            if len(self.validation) != len(self.data):
                raise ValueError(f"the validation data has {len(self.validation)} arrays, the data {len(self.data)}")
        self.early = early_stopping
        if early_stopping is not None:
            if early_stopping.monitor not in (None, *(columns := self.columns())):
                raise ValueError(f"early stopping watches {early_stopping.monitor}; there are {', '.join(columns)}")
            early_stopping.start()

    def attach(self) -> None:
        """Give the optimizer the model's parameters, or see that it has none but those."""
        own = list(self.model.parameters())
        if not self.optimizer.groups:
            self.optimizer.attach(own)
            return
        trained = [p for p in self.optimizer.parameters if p.requires_grad]  # the others have been frozen since
        if foreign := [p for p in trained if all(p is not q for q in own)]:
            raise ValueError(
                f"the optimizer is in charge of {len(foreign)} parameters that are not in the model; "
                f"make a new one, or call optimizer.attach(model.parameters())"
            )

    def columns(self) -> list[str]:
        """Return the names of the numbers of an epoch."""
        if self.validation is None:
            return ["loss", "lr", *self.metrics]
        return ["loss", "lr", "val_loss", *(f"val_{name}" for name in self.metrics)]

    # --- the loop -------------------------------------------------------------------------------------------------

    def loop(self, epochs: int, callbacks: list[Any], checkpoint: Any, show: Callable[..., None]) -> None:
        """Run epochs until there is a reason to stop."""
        history = self.history
        try:
            while len(history) < epochs and not self.finished:
                row = self.epoch(len(history) + 1)
                with ag.uninterrupted():  # columns stay equally long
                    for name, value in row.items():
                        history.columns.setdefault(name, []).append(value)
                    self.judge(len(history), row)
                for callback in callbacks:
                    if callback(len(history), dict(row)) is True:
                        self.finished = f"a callback ended it after epoch {len(history)}"
                if checkpoint is not None:
                    self.save(checkpoint)
                show(len(history), row)
            history.stopped = self.finished or f"all {epochs} epochs done"
        except KeyboardInterrupt:
            history.stopped = f"interrupted in epoch {len(history) + 1}"
        if self.early is not None and self.early.weights:
            self.model.load_state_dict(self.early.weights)
            history.best_epoch = self.early.best_epoch

    def epoch(self, number: int) -> dict[str, float]:
        """Go through the data once; return the numbers of this epoch."""
        self.model.train()
        total = 0.0
        for i, batch in enumerate(_epoch(self.data, self.size, self.n, self.rng)):
            total += self.update(batch, number, i + 1) * len(batch[-1])
        row = {"loss": total / self.n, "lr": self.optimizer.lr * self.optimizer.scale}
        if self.validation is not None:
            output = self.output(self.validation)
            with ag.no_grad():
                row["val_loss"] = float(_value(self.loss(output, self.validation[-1])))
            row |= {f"val_{name}": float(f(output, self.validation[-1])) for name, f in self.metrics.items()}
        elif self.metrics:
            output = self.output(self.data)
            row |= {name: float(f(output, self.data[-1])) for name, f in self.metrics.items()}
        return row

    def update(self, batch: Data, epoch: int, number: int) -> float:
        """Take one step; return the loss before it."""
        if self.schedule is not None:
            scale = self.schedule(self.updates)
            if not is_number(scale) or not 0 <= scale < math.inf:
                raise ValueError(f"a schedule gives a factor from 0 upwards; for update {self.updates} it is {scale!r}")
            self.optimizer.scale = float(scale)
        self.undo.note()
        before = self.updates
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what is not finite is told below
                found = float(np.asarray(_value(self.steps.forward_and_back(*batch))).item())
                if not math.isfinite(found):
                    self.undo()  # to look at the very pass that went wrong
                    raise TrainingError(self.where(found, batch, epoch, number), self.history)
                with ag.uninterrupted():  # the update, and what counts it
                    self.steps.update()
                    self.updates += 1
                    if not self.seen:
                        self.undo.narrow()
                        self.seen = True
        except BaseException:
            if self.updates == before:  # no update has come of it
                self.undo()
                self.optimizer.zero_grad()
            raise
        return found

    def rehearse(self) -> None:
        """Let model and loss look at the smallest and the largest labels, and at one row that is left over.

        Labels out of range are an error then, before anything is changed, and not in the middle of the first epoch.
        """
        for data, training in ((self.data, True), (self.validation, False)):
            if data is None or (training and self.size == self.n) or all(a.dtype.kind == "f" for a in data):
                continue
            whole_numbers = [a for a in data if a.dtype.kind != "f" and a.size]
            extremes = [int(k) // a[0].size for a in whole_numbers for k in (a.argmin(), a.argmax())]
            rows = list(dict.fromkeys([*extremes, *range(min(self.size + len(extremes), len(data[0])))]))[: self.size]
            batch = tuple(a[rows] for a in data)
            self.try_out(batch, training)
        if self.size > 1 and self.n % self.size == 1:
            try:
                self.try_out(tuple(a[:1] for a in self.data), True)
            except ValueError as e:
                rest = f"{self.n} observations in batches of {self.size} leave one over; choose another batch_size"
                raise ValueError(f"{e}: {rest}") from e

    def try_out(self, batch: Data, training: bool) -> None:
        """Compute the loss of a batch without a trace."""
        self.model.train(training)
        self.undo.note()
        try:
            with ag.no_grad(), np.errstate(all="ignore"):
                self.loss(self.model(*batch[:-1]), batch[-1])
        finally:
            self.undo()

    def judge(self, epoch: int, row: dict[str, float]) -> None:
        """Tell the loss after an epoch to whom it concerns."""
        watched = "val_loss" if "val_loss" in row else "loss"
        if hasattr(self.schedule, "observe"):
            self.schedule.observe(row[watched])
        if self.early is not None:
            name = self.early.monitor or watched
            if self.early.observe(epoch, row[name], self.model):
                self.finished = f"no better {name} for {self.early.patience} epochs"

    def output(self, data: Data) -> Any:
        """Return the model's output in evaluation mode, computed batch by batch."""
        self.model.eval()
        with ag.no_grad():
            parts = [_value(self.model(*b[:-1])) for b in _epoch(data, self.size, len(data[0]), None)]
        return np.concatenate(parts)

    def where(self, found: float, batch: Data, epoch: int, number: int) -> str:
        """Say where a loss began not to be finite."""
        text = f"the loss is {found} in epoch {epoch}, batch {number} (update {self.updates + 1})"
        for name, p in self.model.named_parameters():
            if not np.isfinite(p.data).all():
                return f"{text}: {name} is not finite since the update before; try a lower rate, or clip="
        with ag.no_grad(), watched_outputs(self.model) as first:
            self.model(*batch[:-1])
        place = f"in the output of {first[0]}" if first else "in the loss; all outputs are finite"
        return f"{text}: it begins {place}, the parameters are finite; try a lower rate, or clip="

    @contextlib.contextmanager
    def modes_restored(self) -> Iterator[None]:
        """Leave the model in the modes, training or evaluation, in which it was."""
        modes = [(m, m.training) for m in self.model.modules()]
        try:
            yield
        finally:
            for m, mode in modes:
                m.training = mode

    # --- checkpoints ----------------------------------------------------------------------------------------------

    def generators(self) -> list[np.random.Generator]:
        """Return every source of randomness, each once: our own, and those of layers such as Dropout."""
        return list({id(g): g for g in [self.rng, *generators(self.model)]}.values())

    def save(self, path: Any) -> None:
        """Write all that the next epoch depends on."""
        state = self.optimizer.state_dict()
        arrays = {f"model.{name}": a for name, a in self.model.state_dict().items()}
        steps = {i: s.pop("step") for i, s in state["state"].items()}
        arrays |= {f"optimizer.{i}.{name}": a for i, s in state["state"].items() for name, a in s.items()}
        notes = {
            "setting": self.setting(),
            "history": self.history.columns,
            "updates": self.updates,
            "finished": self.finished,
            "optimizer": {"groups": state["groups"], "scale": state["scale"], "steps": steps},
            "generators": [g.bit_generator.state for g in self.generators()],
        }
        if self.early is not None:
            arrays |= {f"best.{name}": a for name, a in self.early.weights.items()}
            notes["early"] = [self.early.best, self.early.best_epoch]
        if hasattr(self.schedule, "state_dict"):
            notes["schedule"] = self.schedule.state_dict()
        io.write(path, arrays, {CHECKPOINT: json.dumps(notes, default=np.ndarray.tolist)})

    def setting(self) -> dict[str, Any]:
        """Return what must be the same to go on."""
        return {
            "observations": self.n,
            "batch size": int(self.size),
            "optimizer": type(self.optimizer).__name__,
            "early stopping": self.early is not None,
            "schedule": self.schedule is not None,
            "sources of randomness": [type(g.bit_generator).__name__ for g in self.generators()],
        }

    def restore(self, path: Any) -> None:
        """Go back to where a checkpoint was written; if it does not fit, change nothing."""
        arrays, metadata = io.read(path)
        try:
            notes = json.loads(metadata[CHECKPOINT])
            given, own = notes["setting"], self.setting()
            differing = [f"{k}: {given.get(k)}, here {own[k]}" for k in own if given.get(k) != own[k]]
            if differing:
                raise ValueError(f"it is of another training ({'; '.join(differing)})")
            noted, sources = notes["optimizer"], list(zip(self.generators(), notes["generators"], strict=True))
            state = {int(i): {"step": t, **_under(f"optimizer.{i}.", arrays)} for i, t in noted["steps"].items()}
            groups = [{k: tuple(v) if k == "betas" else v for k, v in g.items()} for g in noted["groups"]]
            history, updates, finished = History(columns=notes["history"]), notes["updates"], notes["finished"]
            best, best_epoch = notes["early"] if self.early is not None else (math.inf, 0)
            for g, s in sources:
                type(g.bit_generator)(0).state = s  # fails here rather than below
            before = self.optimizer.state_dict()
            self.optimizer.load_state_dict({"groups": groups, "scale": noted["scale"], "state": state})
            try:
                if hasattr(self.schedule, "load_state_dict"):
                    self.schedule.load_state_dict(notes["schedule"])
                self.model.load_state_dict(_under("model.", arrays))
            except BaseException:
                self.optimizer.load_state_dict(before)
                raise
        except KeyError as e:
            raise io.FileError(f"{path} is no checkpoint of fit: {e} is missing") from e
        except (ValueError, TypeError, AttributeError) as e:
            raise io.FileError(f"cannot resume from {path}: {e}") from e
        for g, s in sources:
            g.bit_generator.state = s
        if self.early is not None:
            self.early.best, self.early.best_epoch, self.early.weights = best, best_epoch, _under("best.", arrays)
        self.history, self.updates, self.finished = history, updates, finished


# --- helpers ----------------------------------------------------------------------------------------------------------


def _under(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def _value(x: Any) -> Any:
    return x.data if isinstance(x, ag.Tensor) else x


def _kind(x: Any) -> str:
    return f"a {type(x).__name__} of shape {np.shape(_value(x))}"


def _check(model: Any, loss: Any, optimizer: Any, early_stopping: Any, schedule: Any) -> None:
    """Say which argument is not what it should be, before anything is done with it."""
    if not isinstance(model, Module):
        raise TypeError(f"the model is a Module, not a {type(model).__name__}")
    if not callable(loss):
        raise TypeError(f"the loss is a function, such as nn.mse, not {loss!r}")
    if not isinstance(optimizer, Optimizer):
        hint = f": write {optimizer.__name__}(...)" if isinstance(optimizer, type) else ""
        raise TypeError(f"the optimizer is an object such as nn.Adam(lr=0.001), not {optimizer!r}{hint}")
    if early_stopping is not None and not hasattr(early_stopping, "observe"):
        raise TypeError(f"early_stopping is nn.EarlyStopping(patience=...), not {early_stopping!r}")
    if schedule is not None and not callable(schedule):
        raise TypeError(f"a schedule is a function of the number of updates, see nn.schedules; not {schedule!r}")


def _named(metrics: Any) -> dict[str, Metric]:
    """Return metrics by name."""
    if isinstance(metrics, Mapping):
        found = dict(metrics)
    else:
        every = [metrics] if callable(metrics) or isinstance(metrics, str) else list(metrics)
        found = {_name(f): f for f in every}
    for name, f in found.items():
        if not callable(f):
            raise TypeError(f"a metric is a function, such as nn.metrics.accuracy, not {f!r}")
        if name in ("loss", "lr"):
            raise ValueError(f"a metric cannot be called {name}: the history has a column of that name")
    return found


def _name(f: Any) -> str:
    """Return the name of a function, also of a partial one."""
    return str(getattr(f, "__name__", None) or getattr(getattr(f, "func", None), "__name__", type(f).__name__))


def _clipper(clip: Any) -> Callable[[list[ag.Tensor]], Any] | None:
    if clip is None or callable(clip):
        return clip
    if not is_number(clip) or not clip > 0:
        raise ValueError(f"clip is a positive norm, or a function of the parameters, not {clip!r}")
    limit = float(clip)
    return lambda parameters: clip_by_norm(parameters, limit)
