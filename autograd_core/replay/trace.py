"""Tracing: run a function once on Tensors that stand for its arguments, and write down every operation as a plan.

A traced value is known by the identity of its array, as a recorder is told to (`state.Recorder`); everything met is
kept alive until the trace is over, so that identities stay true. What the recorder cannot see is looked for afterwards:
arrays that changed under the program, random generators that were drawn from without a word, values of parameters
changed through another name. All of these are refused, and what has been changed is put back.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
from typing import Any

import numpy as np

from ..nodes import PICK, Leaf, tick
from ..notes import GraphError, checksum, source_line
from ..ops.index import getitem
from ..ops.reduce import total
from ..recording import tensor
from ..rules import RULES
from ..state import STATE, Recorder, switched
from ..tensor import Tensor
from ..tree import flatten
from .plan import SEQUENCES, Plan, Ref, Slot, Step
from .refusals import (
    ASKED,
    alike,
    refuse_metadata,
    refuse_raising,
    refuse_result,
    refuse_shape,
    refuse_swallowed,
    refuse_value,
    refuse_writing,
)
from .sums import is_leading, sum_leading
from .surroundings import Surroundings
from .traced import (
    WEAK,
    ByProducts,
    Draws,
    Steady,
    by_products,
    computing,
    draw,
    made_of_others,
    number_of,
    of_networks,
    owner_of,
    standing_for,
    strip,
)
from .weak import OPERATORS, weak

ndarray = np.ndarray
float64 = np.float64
FLOAT = np.dtype(np.float64)
PYTHONS = (*WEAK, float, int, complex)
LITERAL = {int, float, bool, str, type(None)}
UNSTEADY = {np.linalg.eig, np.linalg.eigvals}  # of real matrices: real or complex, before NumPy 2.5
NUMBERS = (np.generic, *WEAK, np.random.Generator)
WATCHED = 1 << 24  # bytes up to which an array taken from around the program is watched for changes


# What `np.errstate` sets, to be compared by identity: `np.geterr` takes a twentieth of the time of recording.
settings_of_errors: Any = getattr(np.geterr.__globals__.get("_extobj_contextvar"), "get", np.geterr)


class Trace(Recorder):
    """A recorder that writes a plan."""

    title = "ag.compile"

    def __init__(self, around: Surroundings, masks: bool = False) -> None:
        self.masks = masks  # are those of scalars to be kept?
        self.plan = Plan()
        self.around = around
        self.known: dict[int, Ref] = {}  # identity of a value -> slot
        self.alive: list[Any] = []
        self.values: dict[int, Any] = {}  # slot -> the value it had
        self.owners: dict[int, Tensor] = {}
        self.memory: dict[int, Any] = {}  # identity of the array of a captured Tensor -> that array
        self.parts: dict[int, dict[int, Any]] = {}  # the same, by whose memory they are parts of
        self.sums: list[tuple[Any, int, str]] = []
        self.undo: dict[int, tuple[Tensor, Any]] = {}
        self.leaves: dict[int, tuple[Leaf, Any]] = {}  # leaves whose gradient was touched, and what it was before
        self.aliases: dict[int, tuple[Tensor, Tensor, str]] = {}
        self.epoch = 0
        self.start = tick()  # leaves made later are the program's own
        self.settings, self.errors = settings_of_errors(), np.geterr()
        self.journal: list[tuple[int, Ref | None]] | None = None  # what was known before, while it may be taken back
        self.arguments: list[Any] = []  # Tensors that stand for arrays of the caller's
        self.refused: tuple[str, str] | None = None  # where a value was asked for, and what was said
        self.literals: dict[int, Any] = {}  # tuples and lists in which nothing is traced
        self.functions: dict[Any, tuple[bool, Any]] = {}  # is it written down as it is? what is to be called?

    # --- what the engine tells ------------------------------------------------------------------------------------

    def record(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], ans: Any) -> None:
        """Write down one operation."""
        plain, compute = self.functions.get(fn) or self.look(fn)
        if plain and not kwargs and type(ans) is Tensor and type(ans._data) is float64:
            self.write_number(fn, compute, args, ans)
        elif type(ans) is not Tensor:
            self.record_several(fn, args, kwargs, ans)
        elif type(ans._data) in PYTHONS:
            if type(ans._data) not in WEAK:  # 0.9 ** t: of a float and an int of ours Python makes its own
                ans._data = weak(ans._data)
            fn = OPERATORS.get(fn, fn)
            self.write(fn, (self.functions.get(fn) or self.look(fn))[1], args, kwargs, (ans,))
        elif plain:
            self.write(fn, compute, args, kwargs, (ans,))
        elif not self.unfolded(fn, args, kwargs, ans):
            self.record_one(fn, compute, args, kwargs, ans)

    def checked(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Write down what raises at some values, and returns nothing."""
        self.plan.steps.append(Step(computing(fn), self.refs(args), self.refs(kwargs), (), effect="check", told=fn))

    def record_one(self, fn: Any, compute: Any, args: Any, kwargs: Any, ans: Tensor) -> None:
        """Write down an operation with something special about it."""
        if type(kwargs.get("axes")) is ndarray:
            kwargs = {**kwargs, "axes": tuple(kwargs["axes"].tolist())}
        if fn is total and is_leading(kwargs.get("axis")) and type(ans._data) is ndarray:
            ans._data[...] = sum_leading(args[0]._data, kwargs["axis"])
        if more := by_products(fn, ans):
            self.write(fn, ByProducts(fn, 1), args, kwargs, (ans, *map(tensor, more)), several=True)
        else:
            self.write(fn, compute, args, kwargs, (ans,))

    def record_several(self, fn: Any, args: Any, kwargs: Any, ans: Any) -> None:
        """Write down an operation with several results."""
        compute = self.look(fn)[1]
        if ans and (more := by_products(fn, ans[0])):
            ans, compute = (*ans, *map(tensor, more)), ByProducts(fn, len(ans))
        self.write(fn, compute, args, kwargs, ans, several=True)
        main = next((t._node.p for t in ans if t._node is not None and t._node.op is PICK), None)
        if main is not None and main.ans is not None:
            main.ans = tuple([t._data for t in ans[: len(main.ans)]])

    def look(self, fn: Any) -> tuple[bool, Any]:
        """Return whether an operation is written down as it is, and what is to be called."""
        op = RULES.get(fn)
        plain = not (op is not None and op.aux) and not made_of_others(fn) and fn not in (total, np.transpose)
        found = self.functions[fn] = plain, computing(fn)
        return found

    def write(self, fn: Any, compute: Any, args: Any, kwargs: Any, results: Any, several: bool = False) -> None:
        """Write down a step with its results."""
        reads: list[int] = []
        given, known = [], self.known
        for a in args:
            if type(a) is Tensor and (ref := known.get(id(a._data))) is not None:
                reads.append(ref.slot)
                given.append(ref)
            else:
                given.append(a if type(a) in LITERAL else self.refs(a, reads))
        arrays = len(reads)
        named = {k: self.refs(v, reads) for k, v in kwargs.items()} if kwargs else {}
        if fn in ASKED:
            refuse_shape(fn, args, named, self.plan, results)
        elif fn in UNSTEADY:
            compute = Steady(fn, compute, results)
        if len(reads) > arrays and fn is not getitem:
            refuse_metadata(fn, named, self.plan)
        if len(results) == 1 and type(results[0]._data) is not ndarray:
            step = Step(compute, tuple(given), named, (self.new(results[0]),), fn, several, tuple(reads))
        else:
            shares = self.shared(results, reads)
            outs = tuple([self.new(t) for t in results])
            step = Step(compute, tuple(given), named, outs, fn, several, tuple(reads))
            step.shares = shares
        self.plan.steps.append(step)
        if settings_of_errors() is not self.settings and np.geterr() != self.errors:
            refuse_raising(np.geterr(), self.errors)
            self.plan.notes["quiet"] = "as recorded: NumPy does not warn"

    def write_number(self, fn: Any, compute: Any, args: Any, ans: Tensor) -> None:
        """Write down a step that results in a number, of which scalar graphs have hundreds of thousands."""
        value, known, slots = ans._data, self.known, self.plan.slots
        if id(value) in known or self.journal is not None or fn in ASKED:
            self.write(fn, compute, args, {}, (ans,))
            return
        reads: list[int] = []
        given = []
        for a in args:
            if type(a) is Tensor and (ref := known.get(id(a._data))) is not None:
                reads.append(ref.slot)
                given.append(ref)
            else:
                given.append(a if type(a) in LITERAL else self.refs(a, reads))
        if (node := ans._node) is not None and node.ans is not None:
            node.ans = value
        k = len(slots)
        slots.append(Slot(k, "value", (), FLOAT, None, False, 0))
        known[id(value)] = Ref(k)
        self.values[k] = value
        self.plan.steps.append(Step(compute, tuple(given), {}, (k,), fn, False, tuple(reads)))
        if settings_of_errors() is not self.settings and np.geterr() != self.errors:
            self.plan.notes["quiet"] = "as recorded: NumPy does not warn"

    def unfolded(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], ans: Tensor) -> bool:
        """Record the body of an operation in its place, if it has one that runs on Tensors and gives the same bits."""
        if not made_of_others(fn):
            return False
        for a in args:
            self.refs(a)  # what is taken from around the program is to be known as it is
        before = len(self.plan.steps), len(self.plan.slots), len(self.sums), len(self.aliases)
        outer, self.journal = self.journal, []
        refused = self.refused
        given = [tensor(a._data) if type(a) is Tensor else a for a in args]
        state = STATE.get()
        token = STATE.set(state.changed(grad=False) if state.grad else state)
        try:
            out = fn.__wrapped__(*given, **kwargs)
            if alike(out._data, ans._data):
                self.know(ans._data, self.ref(out))
                if outer is not None:
                    outer += self.journal
                if more := by_products(fn, ans):  # what is left of this, should no pullback ask for one, is dropped
                    self.write(fn, ByProducts(fn, 0), args, kwargs, [*map(tensor, more)], several=True)
                return True
        except Exception:
            pass  # it asks for values, or does what Tensors refuse: then it stays one step
        finally:
            journal, self.journal, self.refused = self.journal, outer, refused
            STATE.reset(token)
        self.take_back(journal, *before)
        return False

    def take_back(self, journal: Any, steps: int, slots: int, sums: int, aliases: int) -> None:
        """Forget what has been written down since."""
        for key, slot in reversed(journal):
            if slot is None:
                self.known.pop(key, None)
                if type(value := self.memory.pop(key, None)) is ndarray:
                    self.near(value).pop(key, None)
            else:
                self.known[key] = slot
        self.alive += [self.values.pop(slot.number) for slot in self.plan.slots[slots:]]
        del self.plan.steps[steps:], self.plan.slots[slots:], self.sums[sums:]
        for key in list(self.aliases)[aliases:]:
            del self.aliases[key]

    def shared(self, results: Any, reads: list[int]) -> tuple[int, ...]:
        """Return the operands with which results may share memory."""
        views = [a for t in results if type(a := t._data) is ndarray and (a.base is not None or id(a) in self.known)]
        if not views:
            return ()
        operands = {k: v for k in reads if type(v := self.values[k]) is ndarray}
        return tuple([k for k, v in operands.items() if any(np.may_share_memory(a, v) for a in views)])

    def find(self, value: Any) -> Any:
        """Return the Tensor that stands for a value the tape had kept, in tuples and slices also, or the value."""
        if isinstance(value, SEQUENCES):
            if self.literals.get(id(value)) is value:
                return value
            if LITERAL.issuperset(map(type, value)):
                self.literals[id(value)] = value  # ten thousand sizes, of which each of as many pullbacks asks
                return value
            parts = [self.find(v) for v in value]
            return value if all(a is b for a, b in zip(parts, value, strict=True)) else type(value)(parts)
        return tensor(value) if id(value) in self.known and value is not None else value

    def asked(self, what: Any) -> None:
        """Refuse to tell a value, and remember it, should the program catch the error."""
        try:
            refuse_value(what)
        except GraphError as error:
            self.refused = source_line(), str(error)
            raise

    def changing(self, t: Tensor) -> None:
        """Refuse to change an argument of the call in place."""
        if any(t is a for a in self.arguments):
            refuse_writing(t.shape)

    def stand_in(self, t: Tensor) -> Any:
        """Give a stand-in for the values of a Tensor, and see to it that a change of it does not go unnoticed."""
        self.ref(t)
        stand_in = tensor(t._data)
        if type(t._data) is ndarray and (type(t._node) is Leaf or t._node is None):
            self.aliases[id(stand_in)] = t, stand_in, source_line()
            self.alive += [stand_in, t._data]
        return stand_in

    def carried(self, t: Tensor) -> None:
        """Meet a Tensor whose array goes on in another."""
        self.ref(t)  # from now on its array is known as its own, whatever Tensor carries it

    def made(self, t: Tensor, data: Any) -> None:
        """Write down that a Tensor was made of a plain array."""
        self.record(np.array, (data,), {"dtype": t.dtype}, t)  # which may have changed when it is replayed

    def assign(self, t: Tensor, value: Any) -> None:
        """Write down that a Tensor gets new values."""
        self.ref(t)  # it is ours to read, also where nothing has read it yet
        given = self.refs(value)
        self.aliases.pop(id(value), None)
        if id(t) not in self.undo:
            self.undo[id(t)] = t, t._data.copy() if type(t._data) is ndarray else t._data
        if type(t._data) is not ndarray:
            self.keep_number(t)
        self.plan.steps.append(Step(None, (given,), {}, (), effect="assign", target=t))
        if type(t._data) is ndarray and (type(given) is not Ref or given != self.known.get(id(t._data))):
            self.changed(t._data)  # where it is not p.data = p.data

    def placed(self, t: Tensor) -> None:
        """Refuse a Tensor that has got new values here and moves on: a replay would take its old values along."""
        if id(t) in self.undo:
            raise GraphError(
                f"a Tensor of shape {t.shape} gets new values and then moves into another buffer, as a parameter of "
                f"two optimizers that step in one compiled function does (at {source_line()}): compile the two steps "
                f"apart"
            )

    def keep_number(self, t: Tensor) -> None:
        """Read a number before it is assigned to: who has taken it keeps it, since numbers do not change in place."""
        value = t._data
        if value is self.memory.pop(id(value), None):
            slot = self.plan.slot("value", (), value.dtype)
            step = Step(operator.pos, (self.known[id(value)],), {}, (slot.number,), np.positive)
            self.plan.steps.append(step)
            self.know(value, slot.ref)
            self.owners.pop(id(value), None)

    def gradient(self, leaf: Leaf, value: Any) -> None:
        """Write down that a leaf gets a gradient."""
        self.leaves.setdefault(id(leaf), (leaf, leaf.grad))
        if leaf.seq > self.start:  # the program made it, and knows what stands for its gradient
            return
        if value is not None and id(leaf) not in self.reset and leaf.grad is None:
            self.plan.guards.append((functools.partial(has_gradient, leaf), False))
        self.reset.add(id(leaf))
        given = None if value is None else self.refs(value)
        self.plan.steps.append(Step(None, (given,), {}, (), effect="grad", target=leaf))

    @functools.cached_property
    def reset(self) -> set[int]:
        """Leaves whose gradient is the program's own by now, whatever it was before."""
        return set()

    def earlier_gradient(self, leaf: Leaf) -> Any:
        """Give what stands for the gradient that a leaf had before."""
        g = leaf.gradient()
        if g is None:
            if id(leaf) not in self.reset and leaf.seq <= self.start:
                self.plan.guards.append((functools.partial(has_gradient, leaf), False))
            return None
        self.leaves.setdefault(id(leaf), (leaf, g))
        if id(g) not in self.known and id(leaf) in self.reset:  # p.grad = 0.0: what the program has given it itself
            self.know(g, self.plan.slot("constant", np.shape(g), g.dtype, g, g).ref)
        elif id(g) not in self.known:
            self.know(g, self.plan.slot("grad", np.shape(g), g.dtype, source=leaf).ref)
            self.plan.guards.append((functools.partial(has_gradient, leaf), True))
        return tensor(g)

    def call(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any]:
        """Call a function that is to be called anew at every replay."""
        self.masks = True  # it is no scalar graph, and should not be called twice
        ours = isinstance(getattr(fn, "__self__", None), np.random.Generator) or of_networks(fn)
        world = fn is not draw and not ours  # it takes a while to look at the global generators
        self.around.watch(world)
        with switched(recorder=None):
            ans = fn(*strip(args), **strip(kwargs))
        self.around.settle(world, fn)
        several = type(ans) is tuple and len(ans) > 0
        told = tuple([standing_for(v) for v in ans]) if several else standing_for(ans)
        outs = tuple([self.new(t) for t in (told if several else (told,)) if type(t) is Tensor])
        if several and len(outs) != len(told):
            raise GraphError(f"a function called by ag.fresh returns numbers and arrays, not {ans!r} ({source_line()})")
        self.plan.steps.append(
            Step(computing(fn), self.refs(args), self.refs(kwargs), outs, effect="call", told=fn, several=several)
        )
        self.changed(None)
        return (told,)

    def assume_finite(self) -> bool:
        """Let the sweep leave out a mask of a scalar: a zero stays a zero as long as all values are finite.

        The masks of a rectifier follow every product below it: they made two thirds of the plan of micrograd's moons.
        """
        self.plan.finite = self.plan.finite or not self.masks
        return not self.masks

    def all_finite(self) -> bool:
        """Say whether every value met so far is finite; nearly all of them are numbers."""
        return all(math.isfinite(v) if type(v) is float64 else is_finite(v) for v in self.values.values())

    # --- slots ----------------------------------------------------------------------------------------------------

    def know(self, value: Any, ref: Ref) -> None:
        """Let a value be known by its identity."""
        key = id(value)
        if self.journal is not None:
            self.journal.append((key, self.known.get(key)))
        self.known[key] = ref
        if self.values.setdefault(ref.slot, value) is not value:
            self.alive.append(value)

    def new(self, t: Tensor) -> int:
        """Return a slot for a result."""
        value = t._data
        kind = type(value)
        if kind is np.bool_:  # there are two of them in all the world, and we know values by their identity
            value = t._data = np.array(value)
        elif kind is not ndarray and id(value) in self.known:
            value = t._data = value.copy() if isinstance(value, np.generic) else value
        if (node := t._node) is not None and node.ans is not None:
            node.ans = value  # the very object, by which a pullback's Tensor will be known
        slot = self.plan.slot("value", value.shape, value.dtype, value, None, kind in WEAK).number
        self.know(value, Ref(slot))
        return slot

    def entered(self, value: Any) -> Any:
        """Return a Tensor for an argument of the call, or what draws in place of a generator."""
        kind = type(value)
        if isinstance(value, np.random.Generator):
            slot = self.plan.slot("input", None, None)
            self.plan.inputs.append(slot.number)
            self.know(value, slot.ref)
            return Draws(value)
        if kind is float:
            value = weak(value)
        elif kind is ndarray:
            value = value.view()  # an identity of its own: one array may be two arguments
        elif isinstance(value, np.generic):
            value = np.array(value)[()] if kind is not np.bool_ else np.array(value)
        slot = self.plan.slot("input", value.shape, value.dtype, value, weak=kind is float)
        self.plan.inputs.append(slot.number)
        self.know(value, slot.ref)
        t = tensor(value)
        if kind is ndarray:
            self.arguments.append(t)
        return t

    def ref(self, t: Tensor) -> Ref:
        """Return the slot of a Tensor: of a traced value, or of one taken from around the program."""
        value = t._data
        found = self.known.get(id(value))
        if found is None:
            owner = self.owners.setdefault(id(value), t)  # not a passing Tensor around the same array
            found = self.plan.slot("tensor", value.shape, value.dtype, value, owner, epoch=self.epoch).ref
            self.know(value, found)
            self.memory[id(value)] = value
            if type(value) is ndarray:
                self.near(value)[id(value)] = value
        return found

    def near(self, a: Any) -> dict[int, Any]:
        """Return the arrays that may share memory with one: those of the same owner; those of strangers together."""
        owner = owner_of(a)
        return self.parts.setdefault(0 if owner is None else id(owner), {})

    def refs(self, tree: Any, reads: list[int] | None = None) -> Any:
        """Return arguments with `Ref`s in the places of traced values; note their slots."""
        kind = type(tree)
        if kind is Tensor:
            found = self.ref(tree)
        elif kind in LITERAL:
            return tree
        elif kind is ndarray:
            found = self.array(tree)
        elif kind is slice:
            return slice(*self.refs((tree.start, tree.stop, tree.step), reads))
        elif isinstance(tree, SEQUENCES):
            parts = [self.refs(v, reads) for v in tree]
            if all(map(operator.is_, parts, tree)):
                return tree  # itself: a function called anew may change it
            return kind(*parts) if hasattr(tree, "_fields") else kind(parts)
        elif kind is dict:
            named = {k: self.refs(v, reads) for k, v in tree.items()}
            return tree if all(named[k] is tree[k] for k in tree) else named
        elif isinstance(tree, NUMBERS) and id(tree) in self.known:
            found = self.known[id(tree)]
        else:
            return tree
        if reads is not None:
            reads.append(found.slot)
        return found

    def array(self, a: Any) -> Ref:
        """Return the slot of a plain array: a traced value that has lost its Tensor, or one from around the program."""
        found = self.known.get(id(a))
        if found is None:
            found = self.plan.slot("constant", a.shape, a.dtype, a, a).ref
            self.know(a, found)
            if a.flags.writeable and a.nbytes <= WATCHED:
                self.sums.append((a, checksum(a), source_line()))
        return found

    def changed(self, memory: Any) -> None:
        """Forget what is known of arrays of captured Tensors that share memory with one that changes (None: of all)."""
        self.epoch += 1
        owner = None if memory is None else owner_of(memory)
        groups = list(self.parts.values()) if owner is None else [self.parts.get(id(owner), {}), self.parts.get(0, {})]
        for near in groups:
            for key, a in list(near.items()):
                if memory is None or np.may_share_memory(a, memory):
                    self.known.pop(key, None)
                    self.memory.pop(key, None)
                    del near[key]
        if memory is None:  # numbers are in no group
            for key in self.memory:
                self.known.pop(key, None)
            self.memory.clear()

    # --- the end --------------------------------------------------------------------------------------------------

    def finish(self, out: Any) -> Any:
        """Take down what the program returns; return it with plain values."""
        leaves, rebuild = flatten(out)
        plain = []
        for leaf in leaves:
            traced = isinstance(leaf, Tensor) or (type(leaf) is ndarray)
            if not traced and type(leaf) not in LITERAL:
                refuse_result(leaf, self.known)
            self.plan.outputs.append(self.refs(leaf) if traced else leaf)
            plain.append(leaf._data if isinstance(leaf, Tensor) else leaf)
        self.plan.rebuild = rebuild
        if self.refused:
            refuse_swallowed(self.refused[0])
        self.refuse_hidden_changes()
        self.around.finish(self.known)
        plain = [v.copy() if type(v) is ndarray and v.shape else number_of(v) for v in plain]
        for leaf, _ in self.leaves.values():
            _settle_gradient(leaf)
        return rebuild(plain)

    def refuse_hidden_changes(self) -> None:
        """Raise where the program has done what the recorder was not told."""
        for a, before, line in self.sums:
            if checksum(a) != before:
                raise GraphError(
                    f"an array of shape {a.shape}, used at {line}, was changed in place inside the compiled function, "
                    f"which a replay would not do again: pass it as an argument and return its new values, or hold it "
                    f"in a Tensor and write t.assign(...)"
                )
        for t, stand_in, line in self.aliases.values():
            if id(stand_in._data) != id(t._data) and self.known.get(id(stand_in._data)) is not None:
                raise GraphError(
                    f"the values of {t._label()}, taken as .data at {line}, were changed in place under another name, "
                    f"which a replay would not do: write p.data -= ..., p.data = ... or p.assign(...)"
                )

    def put_back(self) -> None:
        """Undo what the program has done to Tensors around it."""
        for t, before in reversed(self.undo.values()):  # a parameter is a part of a buffer that was written first
            if type(before) is ndarray and type(t._data) is ndarray and t._data.flags.writeable:
                t._data[...] = before
            else:
                t._data = before
        for leaf, grad in self.leaves.values():
            leaf.grad = grad
        error = sys.exc_info()[1]
        if self.refused and isinstance(error, TypeError | ValueError):  # NumPy's, of an entry that is set by float()
            raise GraphError(self.refused[1]) from error


def has_gradient(leaf: Leaf) -> bool:
    """Say whether a leaf has one."""
    return leaf.grad is not None


def is_finite(value: Any) -> bool:
    """Say whether a value of any kind holds neither infinity nor NaN."""
    return not isinstance(value, ndarray | np.inexact | float | complex) or bool(np.all(np.isfinite(value)))


def _settle_gradient(leaf: Leaf) -> None:
    """Turn the Tensor that stood for a gradient into an array of the leaf's own."""
    g = leaf.grad
    if isinstance(g, Tensor):
        leaf.grad = np.array(g._data)[()]
