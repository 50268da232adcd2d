"""Is the gradient right, how fast is a step, and what does the graph look like?"""

from __future__ import annotations

import time
from typing import Any

import autograd_core as ag
import nn

from .tasks import Task


def check_gradient(task: Task, rows: int = 4, full: bool = True) -> Any:
    """Return the report of `ag.gradcheck` on the loss of a few rows, at every entry of every parameter."""
    X, y = (a[:rows] for a in task.train)

    def loss(model: Any) -> Any:
        return nn.cross_entropy(model(X), y)

    return ag.gradcheck(loss, task.model, full=full, raises=False)


def compare_speed(task: Task, batch_size: int = 32, seconds: float = 0.5) -> tuple[float, float]:
    """Return the best times, in microseconds, of a training step as it is and compiled; turns interleaved."""
    X, y = (a[:batch_size] for a in task.train)
    eager, compiled = (_step(task, compile) for compile in (False, True))
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    for step in (eager, compiled):
        step(X, y)
        step(X, y)
    while time.perf_counter() < end:
        for step, taken in zip((eager, compiled), times, strict=True):
            start = time.perf_counter()
            for _ in range(10):
                step(X, y)
            taken.append((time.perf_counter() - start) * 1e5)
    return min(times[0]), min(times[1])


def _step(task: Task, compile: bool) -> Any:
    """Return a training step of a copy of the model."""
    import copy

    model = copy.deepcopy(task.model)
    optimizer = nn.Adam(model.parameters(), lr=1e-4)

    def step(X: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(X), y)
        loss.backward()
        optimizer.step()
        return loss

    return ag.compile(step) if compile else step


def draw_graph(task: Task, rows: int = 4) -> Any:
    """Return the picture of the loss of a few rows."""
    X, y = (a[:rows] for a in task.train)
    return ag.draw(nn.cross_entropy(task.model(X), y))
