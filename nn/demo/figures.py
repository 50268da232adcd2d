"""Figures of the report, as SVG in the colours of the text around: learning curves, a decision boundary, digits."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

import nn

from .tasks import Task, predict

COLOURS = ["#4a86c5", "#d9553b"]  # to be told apart, and from a white and a black page
INK = "#010203"  # stands for the colour of the text around, which a page in the dark has white
STYLE = {
    "font.size": 12,  # of figures 4.4 inches wide: 16 pixels, and still 13 on a telephone
    "svg.hashsalt": "autograd-core",
    "svg.fonttype": "none",
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
}


def learning_curves(task: Task) -> str:
    """Return losses and accuracy over epochs."""
    epochs = range(1, len(task.history) + 1)
    with _style():
        losses, axes = _plots().subplots(figsize=(4.4, 2.9), layout="constrained")
        for name, colour, line, label in (
            ("loss", COLOURS[0], "-", "training loss"),
            ("val_loss", COLOURS[1], "--", "held-out loss"),
        ):
            axes.semilogy(epochs, task.history[name], color=colour, linestyle=line, label=label)
        right, beside = _plots().subplots(figsize=(4.4, 2.9), layout="constrained")
        beside.plot(epochs, task.history["val_accuracy"], color=COLOURS[1], linestyle="--")
        axes.legend(frameon=False)
        beside.set_ylabel("held-out accuracy")
        axes.set_xlabel("epoch")
        beside.set_xlabel("epoch")
        told = f"over {len(task.history)} epochs"
        return _svg(losses, f"{task.title}: loss {told}") + _svg(right, f"{task.title}: accuracy {told}")


def decision_boundary(task: Task) -> str:
    """Return the plane coloured by the model's probabilities, with the held-out points."""
    X, y = task.held_out
    low, high = X.min(0) - 0.4, X.max(0) + 0.4
    a, b = np.meshgrid(np.linspace(low[0], high[0], 160), np.linspace(low[1], high[1], 120))
    logits = predict(task.model, np.column_stack([a.ravel(), b.ravel()]))
    p = np.asarray(nn.softmax(logits))[:, 1].reshape(a.shape)
    with _style():
        figure, axes = _plots().subplots(figsize=(4.4, 3.4), layout="constrained")
        extent = (low[0], high[0], low[1], high[1])
        axes.imshow(p, extent=extent, origin="lower", aspect="auto", cmap="coolwarm", alpha=0.45, vmin=0, vmax=1)
        axes.contour(a, b, p, levels=[0.5], colors=INK, linewidths=1)
        for k, marker in ((0, "o"), (1, "^")):
            axes.scatter(*X[y == k].T, s=16, marker=marker, edgecolor="white", linewidth=0.5, color=COLOURS[k])
        axes.set_xlabel("$x_1$")
        axes.set_ylabel("$x_2$")
        return _svg(figure, "Two moons: held-out points on the probabilities that the network gives")


def mistakes(task: Task, most: int = 12) -> str:
    """Return the held-out digits that the model takes for others."""
    from matplotlib.colors import LinearSegmentedColormap

    X, y = task.held_out
    guess = predict(task.model, X).argmax(1)
    wrong = np.flatnonzero(guess != y)[:most]
    ink = LinearSegmentedColormap.from_list("ink", [COLOURS[0] + "00", COLOURS[0]])  # on nothing, so on any page
    with _style():
        rows = max(1, -(-len(wrong) // 6))
        figure, axes = _plots().subplots(rows, 6, figsize=(4.4, 1.1 * rows), layout="constrained", squeeze=False)
        for ax in axes.flat:
            ax.axis("off")
        for ax, i in zip(axes.flat, wrong, strict=False):
            ax.imshow(X[i].reshape(8, 8), cmap=ink, interpolation="nearest")
            ax.set_title(f"{y[i]} as {guess[i]}", fontsize=11)
        return _svg(figure, f"{len(wrong)} held-out digits that the network takes for others")


def _plots() -> Any:
    try:
        import matplotlib as mpl
    except ImportError as e:
        raise ImportError("the report needs matplotlib: pip install 'autograd-core[plots]'") from e
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def _style() -> Any:
    return _plots().rc_context(STYLE)


def _svg(figure: Any, alt: str) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    _plots().close(figure)
    drawing = out.getvalue().replace(INK, "currentColor")
    return f'<div class="figure" role="img" aria-label="{alt}">{drawing[drawing.index("<svg") :]}</div>'
