"""Why a gradient is zero, tiny or None: in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..nodes import Node
from ..state import no_grad
from ..tape_values import UNKNOWN
from ..tensor import Tensor
from ..tree import flatten
from .case import Case, argument, listed
from .words import LINES_HINT, Explanation, place
from .zeros import Block, blocks, cancels, faded

LOOSE = "an untracked Tensor: detached, computed under no_grad(), or made with requires_grad=False"
TINY = 1e-6  # below this a gradient that a saturated function has faded is worth a word


def no_gradient(case: Case, node: Node, name: str, g: Any) -> Explanation:
    """Return why the gradient of a Tensor on the tape is zero, or absent."""
    if node.size == 0:
        return Explanation("fine", f"{name} is empty, and so is its gradient", name=name)
    if g is not None and cancels(case.trail, node):
        text = f"the gradient of {name} is zero: {len(case.trail.edges[node])} contributions that are not zero cancel"
        return Explanation("cancelled", text, name=name)
    found = blocks(case.tape, case.trail, node)
    if not found:
        text = f"the gradient of {name} is zero: what flows back to it is zero from the start"
        return Explanation("zero", text, name=name)
    return _blocked(case, name, found, "is zero")


def weak_gradient(case: Case, node: Node, name: str, g: Any) -> Explanation | None:
    """Return which saturated function has faded a gradient to almost nothing, if one has."""
    size = float(np.max(np.abs(g)))
    block = faded(case.trail, node) if size < TINY else None
    return block and _blocked(case, name, [block], f"is at most {size:.1e}")


def _blocked(case: Case, name: str, found: list[Block], what: str) -> Explanation:
    block = found[0]
    op, kind = block.node, block.kind
    line, scope = case.spot(op)
    operands = case.operands(op, None)
    reason = {
        "dead relu": f"{op.op.name} is 0 at every entry, so nothing goes back through it",
        "absent": f"{op.op.name} takes no entry of its operand {argument(op, block.i)}: it is absent, not zero",
        "saturated": f"{op.op.name} is saturated: flat at every entry it was given",
    }.get(kind, f"{op.op.name} sends back exactly 0")
    details = [listed(operands), *_remedy(case, block)]
    if len(found) > 1:
        details.append(f"on other ways: {', '.join(dict.fromkeys(b.node.op.name for b in found[1:]))}")
    if line is None:
        details.append(LINES_HINT)
    text = f"the gradient of {name} {what}: {reason}{place(line, scope)}"
    return case.blame(op, kind, text, details, operands=operands, name=name)


def _remedy(case: Case, block: Block) -> list[str]:
    if block.kind == "dead relu":
        return ["a smaller learning rate, another initialisation or a leaky relu keeps units alive"]
    if block.kind == "saturated":
        return ["scale or normalise what goes into it; for a loss, use the one that takes logits"]
    if block.kind == "absent" or not (block.node.op.linear or block.node.op.name == "multiply"):
        return []
    others = [(j, v) for j, v in enumerate(case.tape.operands(block.node)) if j != block.i and v is not UNKNOWN]
    return [f"its other operand {argument(block.node, j)} is 0 everywhere" for j, v in others if not np.any(v)]


# --- None -------------------------------------------------------------------------------------------------------------


def unconnected(lost: list[Explanation]) -> Explanation:
    """Return what is to be said about a result without a tape."""
    text = "the result depends on no tracked Tensor, so no gradient flows anywhere"
    why = "was it computed under no_grad(), from .data, .item() or .detach(), or from plain arrays only?"
    return Explanation("never connected", text, details=(why,), findings=tuple(lost))


def disconnected(case: Case, name: str, t: Tensor) -> Explanation:
    """Return why no gradient can reach a Tensor: it is not on the tape of the result."""
    if t._node is None:
        text = f"{name} is not tracked: its requires_grad is False, so it has no gradient"
        return Explanation("not tracked", text, name=name)
    loose = _loose(case)
    for node, i in loose:
        v = case.tape.note(node).operands[i]
        if v is t._data or (isinstance(v, np.ndarray) and np.may_share_memory(v, t._data)):
            return _detached(case, name, node, i, "its values enter {} through .detach(), .data or stop_gradient")
    depends = _depends_on(case, t)
    loose = [(node, i) for node, i in loose if i in case.tape.note(node).loose]
    if depends:
        if loose:
            return _detached(case, name, *loose[0], "{} takes " + LOOSE)
        text = f"{name} is detached: the result changes with it, but no operation on the tape leads to it"
        why = (
            "it goes through .data, .item(), no_grad(), plain NumPy, or a function without gradient, as np.round or a "
            "comparison"
        )
        return Explanation("detached", text, name=name, details=(why,))
    if depends is False:
        why = "changing it does not change the result"
    elif loose:
        taker = loose[0][0]
        why = f"unless it went through {taker.op.name}{place(*case.spot(taker))}, which takes {LOOSE}"
    else:
        why = "compute it inside `with ag.debug():`, and what was detached on the way can be found"
    text = f"{name} was never connected: no operation that led to the result used it"
    return Explanation("never connected", text, name=name, details=(why,))


def _detached(case: Case, name: str, node: Node, i: int, how: str) -> Explanation:
    where = f"{node.op.name} as {argument(node, i)}{place(*case.spot(node))}"
    text = f"{name} is detached: {how.format(where)}"
    return case.blame(node, "detached", text, (), operands=case.operands(node, None), name=name)


def _loose(case: Case) -> list[tuple[Node, int]]:
    """Return the operands on the tape, noted under debug, that came without a node; the earliest first."""
    found = []
    for node in case.tape.path:
        operands = getattr(case.tape.note(node), "operands", ())
        for i, (p, v) in enumerate(zip(node.parents, operands, strict=False)):
            if p is None and v is not None and np.asarray(v).dtype.kind in "fc":
                found.append((node, i))
    return found


def _depends_on(case: Case, t: Tensor) -> bool | None:
    """Say whether the result changes with a Tensor that is ours to change; None if that cannot be tried."""
    if case.again is None or id(t) not in case.own:
        return None
    before, rng = np.array(t._data), np.random.default_rng(0)
    with no_grad(), np.errstate(all="ignore"):
        seen = [_bits(case.again()) for _ in range(2)]
        for size in (1e-3, 0.7):  # np.round does not feel the first
            step = size * (1 + np.abs(before)) * rng.uniform(0.5, 1, before.shape)
            t.assign((before + step).astype(before.dtype))
            seen.append(_bits(case.again()))
    return None if seen[0] != seen[1] else any(bits != seen[0] for bits in seen)


def _bits(result: Any) -> list[bytes]:
    return [np.asarray(r._data if isinstance(r, Tensor) else r).tobytes() for r in flatten(result)[0] if r is not None]
