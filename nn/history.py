"""What happened in training: its numbers, when to stop, and the error that ends it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from .data import whole
from .functional.given import is_number
from .module import Module


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
        if axes.get_lines():
            axes.legend()
        return axes

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.columns.items() if values)
        return f"History({len(self)} epochs{': ' * bool(last)}{last}; {self.stopped or 'running'})"


class EarlyStopping:
    """Stop when a loss has not become better for `patience` epochs, and go back to the best weights.

    Parameters
    ----------
    patience : int
    min_delta : float
        By how much a loss must be lower than the best to count.
    monitor : str, optional
        A column of the history; by default "val_loss", or "loss" without validation data.
    mode : {"min", "max"}, optional
        Is less better, or more? By default more for accuracy and r2, less for everything else.
    """

    def __init__(
        self, patience: int = 10, min_delta: float = 0.0, monitor: str | None = None, mode: str | None = None
    ) -> None:
        if not whole(patience, 1):
            raise ValueError(f"patience is a positive number of epochs, not {patience!r}")
        if not is_number(min_delta) or not min_delta >= 0:
            raise ValueError(f"min_delta is a number from 0 upwards, not {min_delta!r}")
        if mode not in (None, "min", "max"):
            raise ValueError(f'mode is "min" or "max", not {mode!r}')
        self.patience, self.min_delta, self.monitor = patience, min_delta, monitor
        grows = (monitor or "").removeprefix("val_") in ("accuracy", "r2")
        self.sign = -1 if mode == "max" or (mode is None and grows) else 1
        self.start()

    def start(self) -> None:
        """Forget what was seen: `fit` begins."""
        self.best, self.best_epoch, self.weights = self.sign * math.inf, 0, dict[str, Any]()

    def observe(self, epoch: int, loss: float, model: Module) -> bool:
        """Take note of the loss after an epoch; say whether to stop."""
        if self.sign * loss < self.sign * self.best - self.min_delta:
            self.best, self.best_epoch, self.weights = loss, epoch, model.state_dict()
        return epoch - self.best_epoch >= self.patience
