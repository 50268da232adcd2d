"""Buffers: a place in one block of bytes for each result that can be written into, by when it lives."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..program.calls import is_harmless
from ..program.primitives import VIEWS, WRITABLE, is_flat_join, is_group, may_raise
from ..program.program import Equation, Program, Variable, variables
from .groups import Group

ndarray = np.ndarray
ALIGNED = 64


class Memory:
    """The arrays of one instance of a plan: parts of a block of bytes, as a layout has them."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.used = layout.used
        self.alive: list[Any] = []
        self.block = _aligned(layout.size)

    def buffer(self, v: Variable) -> Any:
        """Return the array for a result, or None if it has none."""
        place = self.layout.places.get(v)
        if place is None or isinstance(place, ndarray):
            return place
        if v.axes is None:
            return self.part(place, v.shape, v.dtype)
        return self.part(place, [v.shape[i] for i in v.axes], v.dtype).transpose(np.argsort(v.axes))

    def part(self, start: int, shape: Any, dtype: Any) -> Any:
        """Return part of the block as an array."""
        return self.block[start : start + math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)

    def rooms(self, group: Group) -> list[list[Any]]:
        """Return for each core the arrays in which it keeps a group's temporaries."""
        starts = iter(self.layout.rooms[group.first])
        return [[self.part(next(starts), group.block, d) for d in group.scratch] for _ in range(group.cores)]


class Layout:
    """For each result where in the block it begins, or the array of somebody else that it is written into at once.

    Results share bytes if they do not live at the same time. Gradients that leaves are lent live from the equation that
    makes them until the next call; they lie at the bottom, those made last first: what ends before has room there.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.places: dict[Variable, Any] = {}
        self.size = 0
        self.rooms: dict[Variable, list[int]] = {}  # for the first result of a group: where its temporaries are kept
        self.lent: set[Variable] = set()  # roots of gradients that leaves are lent
        self.kept: list[tuple[int, int]] = []  # the equations that make these, falling, and where their bytes end
        self.joined: set[Variable] = set()  # results of concatenations whose parts are written in their places at once
        self.used = {v for e in program.equations for v in e.reads} | set(variables(program.outputs))
        self.parts: dict[Variable, Variable] = {}  # of views and their like -> what else lies in the same memory
        for equation in program.equations:
            if equation.form in VIEWS:
                self.parts[equation.outputs[0]] = equation.inputs[0]
            elif equation.shares:  # variables that may share memory live and die together
                roots = {self.root(v) for v in (*equation.shares, *equation.outputs)}
                first = min(roots, key=lambda v: v.number)
                self.parts.update((v, first) for v in roots if v is not first)
        self.last = self.last_uses()
        self.adopt()
        self.lend()
        self.share()

    def described(self) -> dict[Variable, str]:
        """Return in words where each result lives."""
        old = "where the old value stood"
        return {v: f"byte {place}" if isinstance(place, int) else old for v, place in self.places.items()}

    def root(self, v: Variable) -> Variable:
        """Return the variable in whose memory another lies; most lie in their own."""
        while (whole := self.parts.get(v)) is not None:
            v = whole
        return v

    def last_uses(self) -> dict[Variable, int]:
        """Return for each root the number of the last equation that reads it or a view of it."""
        last: dict[Variable, int] = {}
        for i, equation in enumerate(self.program.equations):
            for v in equation.reads:
                last[self.root(v)] = i
        for v in variables(self.program.outputs):
            last[self.root(v)] = len(self.program.equations)
        return last

    # --- results that live in arrays of others ----------------------------------------------------------------------

    def adopt(self) -> None:
        """Let new values of Tensors be computed in their own places, where nobody needs the old."""
        program = self.program
        made = {v: i for i, equation in enumerate(program.equations) for v in equation.outputs}
        taken: set[int] = set()
        results = set(variables(program.outputs))
        for i, equation in enumerate(program.equations):
            if equation.effect != "assign" or type(equation.inputs[0]) is not Variable:
                continue
            v = equation.inputs[0]
            target = equation.target._data
            if (
                v in made
                and v not in self.places
                and self.root(v) == v
                and type(target) is ndarray
                and target.flags.writeable
                and target.flags.c_contiguous
                and (target.shape, target.dtype, None) == (v.shape, v.dtype, v.axes)
                and program.equations[made[v]].form in WRITABLE
                and v not in results
                and id(target) not in taken
                and self.undisturbed(v, target, made[v], i)
            ):
                self.places[v] = target
                taken.add(id(target))

    def undisturbed(self, new: Variable, target: Any, start: int, stop: int) -> bool:
        """Say whether nobody reads an array's old values, nor calls out, after the equation that makes the new ones."""
        equations = self.program.equations
        for i in range(start, stop + 1):
            equation = equations[i]
            if equation.effect == "call" and i > start:
                return False
            if start < i < stop and may_raise(equation):
                return False  # the old values are to be there then
            olds = {v for v in equation.reads if self.overlapping(v, target)}
            if olds and (i > start or not overwritable(equation, olds, new)):
                return False
            if i != start and equation.effect == "assign" and i != stop and overlaps(equation, target):
                return False
        last = self.last.get(new, start)
        return not any(overlaps(equation, target) for equation in equations[stop + 1 : last])

    def overlapping(self, v: Variable, target: Any) -> bool:
        """Say whether a variable is memory around the program, or a view of it, that overlaps an array."""
        whole = self.root(v)
        if whole.kind == "input":  # which may be anything
            return bool(whole.shape)
        held = whole.source._data if whole.kind == "tensor" else whole.source if whole.kind == "constant" else None
        return type(held) is ndarray and np.may_share_memory(held, target)

    # --- gradients, which stay where they are until the next call ----------------------------------------------------

    def lend(self) -> None:
        """Give gradients that leaves get and the program goes on with bytes of their own; end to end if it joins them.

        What only others will read is made anew at each call: lent, it would have to be copied for them.
        """
        program, given = self.program, used_after(self.program)
        results = {self.root(v) for v in variables(program.outputs)}
        made = {v: i for i, e in enumerate(program.equations) if e.form in WRITABLE for v in e.outputs}
        taken = results | set(self.places)
        whole = {v: v for v in made if v.nbytes and taken.isdisjoint((v, self.root(v)))}
        self.lent = {self.root(v) for v in given} & set(whole)
        free, together = set(self.lent), list[tuple[int, Variable, list[Variable]]]()
        for equation in program.equations:
            if equation.form == "reshape" and equation.inputs[0] in whole and equation.inputs[0].axes is None:
                whole[equation.outputs[0]] = whole[equation.inputs[0]]
            if is_flat_join(equation) and (joined := equation.outputs[0]) in whole:
                parts = [whole[v] for v in equation.reads if v in whole]
                if len(parts) == len(set(parts)) == len(equation.reads) and free.issuperset(parts):
                    together.append((min(made[v] for v in parts), joined, parts))
                    self.joined.add(joined)
                    free.difference_update(parts)
        together += [(made[v], v, [v]) for v in free]
        for first, joined, parts in sorted(together, key=lambda t: (t[0], t[1].number), reverse=True):
            self.places[joined] = start = self.size
            for v in parts:
                self.places[v] = start
                start += v.nbytes
            self.size = _padded(start)
            self.kept.append((first, self.size))

    def needless(self) -> set[int]:
        """Return the identities of equations that forget a gradient, where one is lent before anybody could look."""
        found: set[int] = set()
        later: set[int] = set()  # leaves that are lent one, seen from the end
        for equation in reversed(self.program.equations):
            if equation.effect == "call":
                later.clear()
            elif equation.effect == "gradient" and equation.inputs[0] is None and id(equation.target) in later:
                found.add(id(equation))
            elif equation.effect == "gradient":
                (later.add if self.is_lent(equation.inputs[0], equation.target) else later.discard)(id(equation.target))
        return found

    def lent_to(self) -> set[int]:
        """Return the identities of leaves that are lent a gradient at some equation."""
        given = (e for e in self.program.equations if e.effect == "gradient")
        return {id(e.target) for e in given if self.is_lent(e.inputs[0], e.target)}

    def is_lent(self, v: Any, leaf: Any) -> bool:
        """Say whether a leaf may be given the array of a result as it is."""
        is_result = type(v) is Variable and self.root(v) in self.lent
        return is_result and (v.shape, v.dtype) == (leaf.shape, leaf.dtype)

    def unread(self) -> bool:
        """Say whether nobody reads the gradients of the call before while the program runs."""
        foreign = (e for e in self.program.equations if e.effect == "call" and not is_harmless(e))
        return all(v.kind != "gradient" for v in self.used) and next(foreign, None) is None

    # --- all else ----------------------------------------------------------------------------------------------------

    def share(self) -> None:
        """Give every other result that can be written into a place, bytes that are free again first."""
        program, bottom = self.program, self.size
        outputs = {self.root(v) for v in (*variables(program.outputs), *given_away(program))}
        kept = self.kept if self.unread() else []
        free, owner, ends = Gaps(), dict[int, Variable](), dict[int, list[Variable]]()
        for i, equation in enumerate(program.equations):
            for v in equation.outputs if equation.form in WRITABLE else ():
                if v in self.places or v in outputs or v in self.parts or not (v.shape and v.nbytes):
                    continue
                last = max(self.last.get(v, i), i)
                limit = _end_of(kept, last)
                dying = self.dying(equation, v, i, owner)
                start = next((at for at in dying if at >= bottom or at + v.nbytes <= limit), None)
                self.places[v] = start = free.take(v.nbytes, limit, bottom) if start is None else start
                owner[start] = v
                ends.setdefault(last, []).append(v)
            if equation.form == "group":
                sizes = equation.call.rooms()
                self.rooms[equation.call.first] = [free.take(n, _end_of(kept, i), bottom) for n in sizes]
                for start, n in zip(self.rooms[equation.call.first], sizes, strict=True):
                    free.give(start, n)
            for v in ends.pop(i, ()):
                if owner[self.places[v]] is v:
                    free.give(self.places[v], v.nbytes)
        self.size = max(self.size, free.highest)

    def dying(self, equation: Equation, out: Variable, i: int, owner: dict[int, Variable]) -> Iterator[int]:
        """Yield the places of operands that end here and may be written over entry by entry."""
        for v in dict.fromkeys(equation.reads):
            place = self.places.get(v)
            if (
                isinstance(place, int)
                and v not in self.parts
                and self.last.get(v) == i
                and owner.get(place) is v
                and in_place(equation, v, out)
            ):
                yield place


class Gaps:
    """The bytes that are free, from the lowest up; there is no end to them."""

    def __init__(self) -> None:
        self.starts: list[int] = [0]
        self.stops: list[float] = [math.inf]
        self.highest = 0  # where all ends that has been taken

    def take(self, n: int, limit: int, bottom: int) -> int:
        """Return the first place for `n` bytes that ends before `limit`, or begins at `bottom` or after it."""
        n = _padded(n)
        for i, start in enumerate(self.starts):
            at = start if start + n <= limit else max(start, bottom)
            if at + n <= self.stops[i]:
                break
        rest = [(a, b) for a, b in ((self.starts[i], at), (at + n, self.stops[i])) if a < b]
        self.starts[i : i + 1], self.stops[i : i + 1] = [a for a, _ in rest], [b for _, b in rest]
        self.highest = max(self.highest, at + n)
        return at

    def give(self, start: int, n: int) -> None:
        """Let bytes be free again."""
        stop: float = start + _padded(n)
        i = bisect.bisect_left(self.starts, start)
        if i < len(self.starts) and self.starts[i] == stop:
            stop = self.stops[i]
            del self.starts[i], self.stops[i]
        if i and self.stops[i - 1] == start:
            self.stops[i - 1] = stop
        else:
            self.starts.insert(i, start)
            self.stops.insert(i, stop)


def _padded(n: int) -> int:
    """Return so many bytes that what comes next begins at the border of a cache line."""
    return -(-n // ALIGNED) * ALIGNED


def _end_of(kept: list[tuple[int, int]], last: int) -> int:
    """Return where the bytes end that nobody needs for a gradient up to an equation."""
    n = bisect.bisect_left(kept, -last, key=lambda entry: -entry[0])
    return kept[n - 1][1] if n else 0


def in_place(equation: Equation, old: Variable, out: Variable) -> bool:
    """Say whether an equation may write its result over an operand."""
    alike = (old.shape, old.dtype, old.axes) == (out.shape, out.dtype, out.axes)
    if is_group(equation):
        return alike and bool(equation.call.overwrites(out, {old}))
    return alike and equation.form == "ufunc"


def given_away(program: Program) -> list[Variable]:
    """Return the variables whose arrays become gradients of leaves, who keep them."""
    return [v for e in program.equations if e.effect == "gradient" for v in e.reads]


def used_after(program: Program) -> set[Variable]:
    """Return the gradients that leaves are given and that are read afterwards, by an optimizer in general."""
    later: set[Variable] = set()
    found: set[Variable] = set()
    for equation in reversed(program.equations):
        if equation.effect == "gradient":
            found.update(later.intersection(equation.reads))
        else:
            later.update(equation.reads)
    return found


def overwritable(equation: Equation, olds: set[Variable], out: Variable) -> bool:
    """Say whether an equation may write a result over some of what it reads."""
    if is_group(equation):
        return all(v.shape == out.shape for v in olds) and bool(equation.call.overwrites(out, olds))
    return all(in_place(equation, v, out) for v in olds)


def overlaps(equation: Equation, target: Any) -> bool:
    """Say whether an equation writes into an array of somebody else, as far as can be known."""
    if equation.effect == "call":
        return True
    held = equation.target._data if equation.effect == "assign" else None
    return type(held) is ndarray and np.may_share_memory(held, target)


def _aligned(n: int) -> Any:
    """Return bytes that begin at the border of a cache line."""
    raw = np.empty(n + ALIGNED, np.uint8)
    start = -raw.ctypes.data % ALIGNED
    return raw[start : start + n]
