"""Figures of the report, as SVG or PNG inside the page: learning curves, a decision boundary, digits."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

import nn

from .tasks import Task, predict

COLOURS = ["#3465a4", "#cc4125"]


def learning_curves(task: Task) -> str:
    """Return losses and accuracy over epochs."""
    figure, (left, right) = _plots().subplots(1, 2, figsize=(8, 2.6), layout="constrained")
    epochs = range(1, len(task.history) + 1)
    for name, colour, label in (("loss", COLOURS[0], "training loss"), ("val_loss", COLOURS[1], "held-out loss")):
        left.semilogy(epochs, task.history[name], color=colour, label=label)
    right.plot(epochs, task.history["val_accuracy"], color=COLOURS[1], label="held-out accuracy")
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.legend(frameon=False)
    return _svg(figure, f"{task.title}: loss and accuracy over {len(task.history)} epochs")


def decision_boundary(task: Task) -> str:
    """Return the plane coloured by the model's probabilities, with the held-out points."""
    X, y = task.held_out
    low, high = X.min(0) - 0.4, X.max(0) + 0.4
    a, b = np.meshgrid(np.linspace(low[0], high[0], 160), np.linspace(low[1], high[1], 120))
    logits = predict(task.model, np.column_stack([a.ravel(), b.ravel()]))
    p = np.asarray(nn.softmax(logits))[:, 1].reshape(a.shape)
    figure, axes = _plots().subplots(figsize=(4.6, 3.4), layout="constrained")
    axes.contourf(a, b, p, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.6)
    axes.contour(a, b, p, levels=[0.5], colors="black", linewidths=1)
    for k, marker in ((0, "o"), (1, "^")):
        axes.scatter(*X[y == k].T, s=16, marker=marker, edgecolor="white", linewidth=0.5, color=COLOURS[k])
    axes.set_xlabel("$x_1$")
    axes.set_ylabel("$x_2$")
    return _png(figure, "Two moons: held-out points on the probabilities that the network gives")


def mistakes(task: Task, most: int = 12) -> str:
    """Return the held-out digits that the model takes for others."""
    X, y = task.held_out
    guess = predict(task.model, X).argmax(1)
    wrong = np.flatnonzero(guess != y)[:most]
    figure, axes = _plots().subplots(1, max(len(wrong), 1), figsize=(8, 1.2), layout="constrained", squeeze=False)
    for ax in axes[0]:
        ax.axis("off")
    for ax, i in zip(axes[0], wrong, strict=False):
        ax.imshow(X[i].reshape(8, 8), cmap="gray_r", interpolation="nearest")
        ax.set_title(f"{y[i]} as {guess[i]}", fontsize=8)
    return _png(figure, f"{len(wrong)} held-out digits that the network takes for others")


def _plots() -> Any:
    try:
        import matplotlib as mpl
    except ImportError as e:
        raise ImportError("the report needs matplotlib: pip install 'autograd-core[plots]'") from e
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def _svg(figure: Any, alt: str) -> str:
    import matplotlib as mpl

    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "autograd-core", "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    _plots().close(figure)
    drawing = out.getvalue()
    return f'<div class="figure" role="img" aria-label="{alt}">{drawing[drawing.index("<svg") :]}</div>'


def _png(figure: Any, alt: str) -> str:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=144, metadata={"Software": None})
    _plots().close(figure)
    return f'<img alt="{alt}" src="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}">'
