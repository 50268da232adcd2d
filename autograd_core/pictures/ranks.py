"""What makes a layout readable: the longest way is straight, and leaves hang beside the operation they enter first."""

from __future__ import annotations

from .view import LEAVES, Key, Link, View, role_of

RANKSEP = 30.0  # points between two ranks
FIRST = {"input": 2, "parameter": 1}  # where a spine rather begins, of ways that are equally long


def spine(view: View) -> set[int]:
    """Return the links of the longest way through the picture, if possible from an input: it is drawn straight."""
    into: dict[Key, list[int]] = {}
    for k, link in enumerate(view.links):
        into.setdefault(link.target, []).append(k)
    depth: dict[Key, int] = {}
    best: dict[Key, int] = {}
    for key in view.boxes:
        ranked = [
            (depth[source := view.links[k].source], FIRST.get(role_of(view, source), 0), -k) for k in into.get(key, ())
        ]
        if ranked:
            longest = max(ranked)
            best[key] = -longest[2]
        depth[key] = 1 + longest[0] if ranked else 0
    found: set[int] = set()
    for end in [k for k in view.boxes if role_of(view, k) == "output"][::-1] or view.boxes[-1:]:
        at: Key | None = end
        while at in best and best[at] not in found:
            found.add(best[at])
            at = view.links[best[at]].source
    return found


def hanging(view: View, straight: set[int]) -> tuple[dict[Key, Key], set[Key]]:
    """Return the leaves in the rank of their first user, with that user, and those of them on its other side."""
    users: dict[Key, list[int]] = {}
    for k, link in enumerate(view.links):
        users.setdefault(link.source, []).append(k)
    order = {key: i for i, key in enumerate(view.boxes)}
    on = {view.links[k].target for k in straight}
    found: dict[Key, Key] = {}
    above: set[Key] = set()
    taken: dict[Key, int] = {}
    for key in view.boxes:
        if key[0] == "m" or role_of(view, key) not in LEAVES or key not in users:
            continue
        if any(k in straight for k in users[key]):
            continue
        target = min((view.links[k].target for k in users[key]), key=lambda t: order[t])
        near = target[0] == "n" and view.frame_of[target] == view.frame_of[key]
        if taken.get(target, 0) < 2 and (near or role_of(view, key) == "input") and beside(view, key, target, on):
            found[key] = target
            if taken.get(target):
                above.add(key)
            taken[target] = taken.get(target, 0) + 1
    return found, above


def beside(view: View, key: Key, target: Key, on: set[Key]) -> bool:
    """Say whether there is room: outside of all modules, other rows lie between an input and what is off the spine."""
    return role_of(view, key) != "input" or target in on or view.frame_of[target] is not None


def weight(view: View, link: Link, straight: bool, first: bool, hangs: dict[Key, Key]) -> int:
    """Return how much a link wants to be short and straight; a leaf used again in another module pulls nobody to it."""
    if straight:
        return 12
    if role_of(view, link.source) in LEAVES:
        near = first or view.frame_of[link.source] == view.frame_of[link.target]
        return 3 if hangs.get(link.source) == link.target else int(near)
    return 1


def length(view: View, sizes: dict[Key, tuple[float, float]]) -> float:
    """Return how wide a picture from left to right becomes, about: by its longest way."""
    into: dict[Key, list[Key]] = {}
    for link in view.links:
        into.setdefault(link.target, []).append(link.source)
    reach: dict[Key, float] = {}
    for key in view.boxes:
        before = [reach[source] for source in into.get(key, ()) if role_of(view, source) != "parameter"]
        reach[key] = sizes[key][0] + (RANKSEP + max(before) if before else 0.0)
    return max(reach.values(), default=0.0)
