"""An update under `ag.compile`: the same equation, once over whole buffers, written onto the tape."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag


class Boxes:
    """Tensors that live in parts of a run's buffers: reading and assigning them is recorded."""

    def __init__(self) -> None:
        self.found: dict[tuple[int, int, int], tuple[Any, ag.Tensor]] = {}

    def of(self, flat: Any, start: int, stop: int) -> ag.Tensor:
        """Return the Tensor of a part of a buffer, always the same."""
        key = id(flat), start, stop
        if key not in self.found or self.found[key][0] is not flat:
            part = flat[start:stop]
            self.found[key] = flat, ag.Tensor(part.copy()).place(part)
        return self.found[key][1]


def record(run: Any, optimizer: Any, lr: Any) -> int:
    """Record the update of all parameters that have a gradient; return how many there are."""
    run.settle()
    found = [i for i, p in enumerate(run.parameters) if p.grad is not None]
    together = len(found) == len(run.parameters) and run.even
    if together:
        spans = [(0, run.small), *((i, i + 1) for i in range(run.small, len(found)))]
    else:  # one by one: those that sat out have counted fewer steps
        spans = [(i, i + 1) for i in found]
    for first, last in spans:
        if run.ends[first] < run.ends[last]:
            _span(run, optimizer, first, last, lr)
    for first, last in [(0, len(found))] if together else spans:
        steps = run.boxes.of(run.steps, first, last)
        steps.data = steps.data + 1
    for i in found:
        p = run.parameters[i]
        p.data = p.data  # says that it was updated
    if not together:
        run.look_at_steps()
    return len(found)


def _span(run: Any, optimizer: Any, first: int, last: int, lr: Any) -> None:
    """Apply the equation to parameters that lie side by side."""
    start, stop, boxes = run.ends[first], run.ends[last], run.boxes
    t = ag.fresh(run.number, first)
    parts = [p.grad.reshape(-1) for p in run.parameters[first:last]]
    g = parts[0] if len(parts) == 1 else np.concatenate(parts)
    values, kept = boxes.of(run.values, start, stop), [boxes.of(s, start, stop) for s in run.state]
    p, state = values.data, [box.data for box in kept]
    if run.half:
        single = p.astype(np.float32)
        optimizer.update(single, g.astype(np.float32), state, t, lr, run.settings())
        p = single.astype(run.dtype)
    else:
        optimizer.update(p, g, state, t, lr, run.settings())
    for box, new in zip([values, *kept], [p, *state], strict=True):
        box.data = new
