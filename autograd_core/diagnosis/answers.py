"""The answer: the first of what is wrong, with a result, with a connection, with a gradient; or that nothing is."""

from __future__ import annotations

import copy

import numpy as np

from ..nodes import Leaf, Node
from .case import Case
from .nothing import disconnected, no_gradient, unconnected, weak_gradient
from .numbers import bad_gradient, bad_result
from .tape import bad, first
from .trails import Trail
from .words import Explanation, place, where_in
from .zeros import idle_units

ORDER = ("nan", "inf", "never connected", "detached", "not tracked", "accumulated", "freed", "dead relu", "saturated")


def answer(case: Case) -> Explanation:
    """Return the first of what is wrong: a result, a connection, a gradient."""
    lost = [disconnected(case, name, t) for name, t in case.asked.items() if not case.connected(t._node)]
    if not case.results:
        return lost[0] if len(lost) == 1 else unconnected(lost)
    if lost and len(lost) == len(case.asked) == len(case.names):
        return _worst(case, lost)
    if (wrong := bad_result(case)) is not None:
        return wrong
    if case.tape.lost:
        return Explanation(
            "freed",
            "the result is finite, but backward() has freed what its gradients need "
            f"({case.tape.lost[-1].op.name} and before)",
            details=(
                "explain before backward(), write backward(retain_graph=True), or compute the result inside "
                "`with ag.debug():`, which keeps it",
            ),
        )
    case.trail = Trail(case.tape, {n: np.ones(n.shape, n.dtype)[()] for n in case.tape.roots})
    found = [_gradient(case, node, name) for node, name in case.names.items() if case.connected(node)]
    return _worst(case, [*lost, *found])


def _gradient(case: Case, key: Node, name: str) -> Explanation:
    """Return what is to be said about the gradient of one Tensor."""
    node = case.tape.twin.get(key, key)
    g = case.trail.found.get(node, case.trail.into.get(node))
    if g is not None and (index := first(bad(g))) is not None:
        return bad_gradient(case, node, name, g, index)
    if g is None or not np.any(g):
        return no_gradient(case, node, name, g)
    if (weak := weak_gradient(case, node, name, g)) is not None:
        return weak
    if isinstance(key, Leaf) and key.grad is not None and (at := first(bad(key.gradient()))) is not None:
        return Explanation(
            "accumulated",
            f"{name}.grad holds {np.asarray(key.grad)[at]} at {where_in(at) or '()'} from before: the gradient of "
            "this result is finite",
            index=at,
            name=name,
            details=("an earlier backward() put it there; set grad to None before the next one",),
        )
    size, what = (np.abs(g), "of size") if np.iscomplexobj(g) else (g, "from")
    text = f"the gradient of {name} is finite, {what} {np.min(size):.3g} to {np.max(size):.3g}"
    return Explanation("fine", text, name=name, details=(*_absent_grad(case, key), *_remarks(case)))


def _absent_grad(case: Case, key: Node) -> list[str]:
    """Return why `.grad` is None all the same, if somebody may be looking for it."""
    if case.again is not None or getattr(key, "grad", None) is not None:
        return []
    if isinstance(key, Leaf):
        return ["its .grad is None, since backward() has not been called"]
    return [f"only leaves have a .grad, and this is the result of {key.op.name}: ag.vjp gives its gradient"]


def _worst(case: Case, found: list[Explanation]) -> Explanation:
    """Return the worst finding, with all of them beside it."""
    rank = {kind: i for i, kind in enumerate(ORDER)}
    worst = min(found, key=lambda e: rank.get(e.kind, 98 + (e.kind == "fine")))
    if len(found) == 1:
        return worst
    e = copy.copy(worst)
    if worst.kind == "fine":
        e.sentence = f"nothing is wrong: the result and {len(found)} gradients are finite, and none is zero"
        e.details = (*[f.sentence for f in found[:20]], *_remarks(case))
        e.name = None
    else:
        others = [f.sentence for f in found if f is not worst and f.kind != "fine"]
        e.details = (*worst.details, *(f"also: {s}" for s in others[:8]))
        e.details += (f"and {len(others) - 8} more",) if len(others) > 8 else ()
    e.findings = tuple(found)
    return e


def _remarks(case: Case) -> list[str]:
    """Return what is worth a look although nothing is wrong: units that are dead for every row."""
    return [
        f"{dead} of {n} units of relu{place(*case.spot(node))} are 0 for every row"
        for node, dead, n in idle_units(case.tape)
    ]
