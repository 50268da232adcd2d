"""Training: `fit`, its history, early stopping, and checkpoints from which it goes on bit by bit."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import autograd_core as ag

from . import io
from .data import Data, _epoch, check, check_size, whole
from .init import Rng, generator
from .module import Module
from .optim import Optimizer, clip_by_norm

Metric = Callable[[Any, Any], float]
CHECKPOINT = "nn.checkpoint"


class TrainingError(FloatingPointError):
    """A loss that is not finite; `history` is what was recorded before."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


@dataclasses.dataclass
class History:
    """What happened in training: one number for each epoch, by name.

    Attributes
    ----------
    columns : dict of lists
        "loss", "lr", metrics, and "val_loss" and so on if there were validation data.
    stopped : str
        Why it ended.
    best_epoch : int or None
        The epoch, counted from 1, whose weights were restored.
    """

    columns: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    stopped: str = ""
    best_epoch: int | None = None

    def __getitem__(self, name: str) -> list[float]:
        """Return one column."""
        return self.columns[name]

    def __len__(self) -> int:
        """Return the number of complete epochs."""
        return len(self.columns.get("loss", ()))

    def plot(self, names: Iterable[str] | None = None) -> Any:
        """Draw losses, or the columns that are named, over epochs; return matplotlib's axes."""
        try:
            import matplotlib.pyplot as plt
        except ImportError as e:
            raise ImportError("History.plot needs matplotlib: pip install 'autograd-core[plots]'") from e
        _, axes = plt.subplots()
        for name in names or [name for name in self.columns if name.endswith("loss")]:
            axes.plot(range(1, len(self) + 1), self.columns[name], label=name)
        if self.best_epoch is not None:
            axes.axvline(self.best_epoch, linestyle=":", color="gray", label="best")
        axes.set_xlabel("epoch")
        axes.legend()
        return axes

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.columns.items() if values)
        return f"History({len(self)} epochs{': ' * bool(last)}{last}; {self.stopped or 'running'})"


class EarlyStopping:
    """Stop when a loss has not fallen for `patience` epochs, and go back to the best weights.

    Parameters
    ----------
    patience : int
    min_delta : float
        By how much a loss must be lower than the best to count.
    monitor : str, optional
        A column of the history; by default "val_loss", or "loss" without validation data.
    """

    def __init__(self, patience: int = 10, min_delta: float = 0.0, monitor: str | None = None) -> None:
        if not whole(patience, 1):
            raise ValueError(f"patience is a positive number of epochs, not {patience!r}")
        self.patience, self.min_delta, self.monitor = patience, min_delta, monitor
        self.start()

    def start(self) -> None:
        """Forget what was seen: `fit` begins."""
        self.best, self.best_epoch, self.weights = math.inf, 0, dict[str, Any]()

    def observe(self, epoch: int, loss: float, model: Module) -> bool:
        """Take note of the loss after an epoch; say whether to stop."""
        if loss < self.best - self.min_delta:
            self.best, self.best_epoch, self.weights = loss, epoch, model.state_dict()
        return epoch - self.best_epoch >= self.patience


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
    metrics: Iterable[Metric] | Mapping[str, Metric] = (),
    callbacks: Iterable[Callable[[int, dict[str, float]], Any]] = (),
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
    run = _Training(model, check(data), loss, optimizer, batch_size, generator(rng))
    run.schedule, run.metrics = schedule, _named(metrics)
    run.judge_by(validation, early_stopping)
    run.steps = _Steps(model, loss, optimizer, _clipper(clip), compile)
    run.attach()
    if resume and checkpoint is not None and Path(checkpoint).exists():
        run.restore(checkpoint)
    with run.modes_restored(), _bar(progress, len(run.history), epochs) as show:
        run.rehearse()
        run.loop(epochs, list(callbacks), checkpoint, show)
    return run.history


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


class _Undo:
    """What a forward pass in training changes besides gradients, to be put back where no update comes of it.

    That is running averages, and the generators of layers such as Dropout.
    """

    def __init__(self, model: Module) -> None:
        held = [t for m in model.modules() for _, t in m._parts() if isinstance(t, ag.Tensor)]
        self.running = list({id(t): t for t in held if t.is_leaf and not t.requires_grad}.values())
        self.sources = _generators(model)
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
        self.undo = _Undo(model)
        self.history, self.updates, self.finished = History(), 0, ""

    def cast(self, data: Data) -> Data:
        """Return data with floats in the dtype of the parameters."""
        return tuple(a.astype(self.dtype, copy=False) if self.dtype and a.dtype.kind == "f" else a for a in data)

    def judge_by(self, validation: Any, early_stopping: EarlyStopping | None) -> None:
        """Say by which data, and when to stop."""
        self.validation = None if validation is None else self.cast(check(validation, "the validation data"))
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
            self.optimizer.scale = float(self.schedule(self.updates))
        self.undo.note()
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what is not finite is told below
                found = float(np.asarray(_value(self.steps.forward_and_back(*batch))).item())
                if not math.isfinite(found):
                    self.undo()  # to look at the very pass that went wrong
                    raise TrainingError(self.where(found, batch, epoch, number), self.history)
                self.steps.update()
        except BaseException:
            self.undo()
            self.optimizer.zero_grad()
            raise
        if not self.seen:
            self.undo.narrow()
            self.seen = True
        self.updates += 1
        return found

    def rehearse(self) -> None:
        """Let model and loss look at the smallest and the largest labels, before anything is changed.

        Labels out of range are an error then, not in the middle of the first epoch, or after it.
        """
        for data, training in ((self.data, True), (self.validation, False)):
            if data is None or (training and self.size == self.n) or all(a.dtype.kind == "f" for a in data):
                continue
            whole_numbers = [a for a in data if a.dtype.kind != "f" and a.size]
            extremes = [int(k) // a[0].size for a in whole_numbers for k in (a.argmin(), a.argmax())]
            rows = list(dict.fromkeys([*extremes, *range(min(self.size + len(extremes), len(data[0])))]))[: self.size]
            batch = tuple(a[rows] for a in data)
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
        with ag.no_grad(), _watched(self.model) as first:
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
        return list({id(g): g for g in [self.rng, *_generators(self.model)]}.values())

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


def _generators(model: Module) -> list[np.random.Generator]:
    """Return the generators that the parts of a model hold, each once."""
    found = [v for m in model.modules() for v in vars(m).values() if isinstance(v, np.random.Generator)]
    return list({id(g): g for g in found}.values())


def _value(x: Any) -> Any:
    return x.data if isinstance(x, ag.Tensor) else x


def _kind(x: Any) -> str:
    return f"a {type(x).__name__} of shape {np.shape(_value(x))}"


def _named(metrics: Any) -> dict[str, Metric]:
    return dict(metrics) if isinstance(metrics, Mapping) else {f.__name__: f for f in metrics}


def _clipper(clip: Any) -> Callable[[list[ag.Tensor]], Any] | None:
    if clip is None or callable(clip):
        return clip
    if not clip > 0:
        raise ValueError(f"clip is a positive norm, or a function of the parameters, not {clip!r}")
    return lambda parameters: clip_by_norm(parameters, clip)


@contextlib.contextmanager
def _watched(model: Module) -> Iterator[list[str]]:
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


@contextlib.contextmanager
def _bar(progress: bool | None, done: int, epochs: int) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """Show progress on stderr: by tqdm if it is installed, else in plain lines; or not at all."""
    notebook = _in_a_notebook()
    if not (progress if progress is not None else notebook or sys.stderr.isatty()):
        yield lambda *_: None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda epoch, row: print(f"epoch {epoch}/{epochs}  {_line(row)}", file=sys.stderr)
        return
    if notebook:
        with contextlib.suppress(ImportError):
            import ipywidgets  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401
            from tqdm.notebook import tqdm
    with tqdm(total=epochs, initial=done, unit="epoch", file=None if notebook else sys.stderr) as bar:

        def show(_: int, row: dict[str, float]) -> None:
            bar.set_postfix_str(_line(row), refresh=False)
            bar.update()

        yield show


def _in_a_notebook() -> bool:
    """Say whether a kernel runs this; that its package was imported says nothing (nbclient's users import it too)."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython and ipython.get_ipython(), "kernel")


def _line(row: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in row.items())
