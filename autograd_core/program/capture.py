"""Capture: run a function once on Tensors that stand for its arguments, and write down every operation as an equation.

Every Tensor refers to its variable, and every node on the tape to its equation, so the flow of data is written down as
it happens. One dictionary maps the arrays and Tensors that the function takes from around it to their variables; values
made inside are never looked up. What the recorder is not told of is looked for when the function has returned: arrays
that changed in place, values of parameters changed under another name. Those are refused, and what has been changed is
put back.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from typing import Any

import numpy as np

from ..nodes import PICK, Leaf, tick
from ..notes import GraphError, checksum, source_line
from ..recording import again, tensor
from ..rules import RULES
from ..spaces import Space
from ..state import STATE, Recorder, switched
from ..tensor import Tensor
from ..tree import flatten
from .calls import WEAK, ByProducts, Draws, Steady, arrays_of, computing, owner_of, standing_for, strip
from .primitives import NONE, PRIMITIVES
from .program import SEQUENCES, Equation, Program, Variable, replaced
from .weak import weak

ndarray = np.ndarray
float64 = np.float64
new = object.__new__
PYTHONS = (*WEAK, float, int, complex)
LITERAL = {int, float, bool, str, type(None)}
WATCHED = 1 << 24  # bytes up to which an array taken from around the function is watched for changes

# What `np.errstate` sets, to be compared by identity: `np.geterr` takes a twentieth of the time of recording.
settings_of_errors: Any = getattr(np.geterr.__globals__.get("_extobj_contextvar"), "get", np.geterr)


class Capture(Recorder):
    """A recorder that writes a program.

    `title` is the function that messages speak of. With `masks` those of absent cotangents of scalars are written down,
    too; without, a scalar program holds only where all its values are finite.
    """

    title = "ag.trace"
    full = True

    def __init__(self, masks: bool = True, inline: bool = False) -> None:
        self.masks = masks
        self.inline = inline  # are operations written with others written out?
        self.finite = False  # have masks of scalars been left out?
        self.mark = object()  # of the variables and equations that belong here; they must not hold the rest alive
        self.count = 0
        self.inputs: list[Variable] = []
        self.taken: list[Variable] = []  # these, and all others that no equation makes
        self.equations: list[Equation] = []
        self.guards: list[tuple[Any, Any]] = []  # (read, expected): what must be as it was for the program to hold
        self.around: dict[int, tuple[Any, Any, Variable]] = {}  # identity -> the object, its array, its variable
        self.tensors: dict[int, Tensor] = {}  # those from around, by identity; whether they are tracked decides
        self.near: dict[int, dict[int, Any]] = {}  # identity of a memory's owner -> what of `around` lies in it
        self.inside: dict[int, Any] = {}  # arrays made by equations, which must come as Tensors
        self.watched: list[tuple[Any, int, str]] = []
        self.undo: dict[int, tuple[Tensor, Any]] = {}
        self.leaves: dict[int, tuple[Leaf, Any]] = {}  # leaves whose gradient was touched, and what it was before
        self.reset: set[int] = set()  # leaves whose gradient is the program's own by now
        self.aliases: dict[int, tuple[Tensor, Tensor, Any, str]] = {}  # what stands for the values of a Tensor
        self.arguments: list[Tensor] = []  # Tensors that stand for arrays of the caller's
        self.refused: tuple[str, str] | None = None  # where a value was asked for, and what was said
        self.calls: dict[Any, tuple[Any, bool, bool]] = {}
        self.renamed: dict[Variable, Variable] = {}  # numbers read before they were assigned to
        self.epoch = 0
        self.start = tick()  # leaves made later are the program's own
        self.settings, self.errors = settings_of_errors(), np.geterr()

    # --- variables --------------------------------------------------------------------------------------------------

    def new(self, kind: str, value: Any, source: Any = None, weak: bool = False) -> Variable:
        """Return a new variable."""
        self.count += 1
        v = Variable(self.count - 1, kind, value, source, weak, self.epoch, self.mark)
        if kind != "value":
            self.taken.append(v)
        return v

    def variable(self, t: Tensor) -> Variable:
        """Return the variable of a Tensor: its own, or one for what is taken from around the function."""
        v = getattr(t, "_var", None)
        if v is not None and v.mark is self.mark:
            if self.renamed:
                v = self.renamed.get(v, v)
            if v.value is not t._data:
                raise AssertionError(f"a Tensor of shape {t.shape} has lost its variable (at {source_line()})")
            return v
        return self.met(t, t._data, "tensor")

    def is_from_around(self, t: Tensor) -> bool:
        """Say whether a Tensor was there before, rather than made while the function runs."""
        v = getattr(t, "_var", None)
        return v is None or v.mark is not self.mark

    def met(self, x: Any, value: Any, kind: str) -> Variable:
        """Return the variable of an array or a Tensor from around the function."""
        found = self.around.get(id(x))
        if found is not None and found[1] is value:
            return found[2]
        if id(value) in self.inside:
            raise AssertionError(f"an array of shape {value.shape} has lost its variable (at {source_line()})")
        v = self.new(kind, value, x)
        self.around[id(x)] = x, value, v
        if kind == "tensor":
            self.tensors[id(x)] = x
        if type(value) is ndarray:
            self.siblings(value)[id(x)] = value
            if kind == "constant" and value.flags.writeable and value.nbytes <= WATCHED:
                self.watched.append((value, checksum(value), source_line()))
        return v

    def siblings(self, a: Any) -> dict[int, Any]:
        """Return the arrays that may share memory with one: those of the same owner; those of strangers together."""
        owner = owner_of(a)
        return self.near.setdefault(0 if owner is None else id(owner), {})

    def operand(self, x: Any) -> Any:
        """Return arguments with variables in the places of values."""
        kind = type(x)
        if kind is Tensor:
            return self.variable(x)
        if kind in LITERAL:
            return x
        if kind is ndarray:
            return self.met(x, x, "constant")
        if kind is slice:
            return slice(*self.operand((x.start, x.stop, x.step)))
        if isinstance(x, SEQUENCES):
            if LITERAL.issuperset(map(type, x)):  # ten thousand sizes, of which each of as many pullbacks asks
                return x
            parts = [self.operand(v) for v in x]
            if all(a is b for a, b in zip(parts, x, strict=True)):
                return x  # itself: a function called anew may change it
            return kind(*parts) if hasattr(x, "_fields") else kind(parts)
        if kind is dict:
            named = {k: self.operand(v) for k, v in x.items()}
            return x if all(named[k] is x[k] for k in x) else named
        if isinstance(x, np.random.Generator) and id(x) in self.around:
            return self.around[id(x)][2]
        return x

    def standing(self, tree: Any, value: Any, source: Any) -> Any:
        """Return what a pullback sees: Tensors in the places of variables, with a node if that is tracked."""
        if type(tree) is Variable:
            t = new(Tensor)
            t._data, t._node, t._var = tree.value, source, tree
            return t
        if isinstance(tree, (*SEQUENCES, dict, slice)):
            return replaced(tree, lambda v: self.standing(v, None, None))
        if source is not None:
            return tensor(value, source)
        return value

    def kept(self, value: Any, source: Any, holder: Any, place: Any) -> Any:
        """Return what stands for a value that a node keeps: operand `place`, result ``-1 - place``, or a keyword."""
        if value is None:
            return None
        equation = getattr(holder, "note", None)
        if type(equation) is not Equation or equation.mark is not self.mark:  # from before
            return self.foreign(value, source)
        if isinstance(place, str):
            if place == "aux":
                return value if equation.byproduct is None else self.standing(equation.byproduct, value, None)
            tree = equation.params.get(place, value)
            return value if tree is value or tree is equation.given.get(place) else self.standing(tree, value, None)
        if place < 0:
            return self.standing(equation.outputs[-1 - place], value, source)
        inputs = equation.inputs[0] if len(equation.inputs) == 1 and holder.op.variadic else equation.inputs
        if type(value) is Space:
            return value
        return self.standing(inputs[place], value, source)

    def foreign(self, value: Any, source: Any) -> Any:
        """Return what stands for a value that was recorded before, or made by the sweep itself."""
        if isinstance(value, ndarray) or (source is not None and isinstance(value, np.generic)):
            t = tensor(value, source)
            t._var = self.met(value, value, "constant")
            return t
        if isinstance(value, SEQUENCES):
            parts = [self.foreign(v, None) for v in value]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        return value

    def enter(self, t: Tensor, leaf: Any) -> None:
        """Let the Tensor that a transform has made of an argument be the same variable."""
        if type(leaf) is Tensor:
            t._var = self.variable(leaf)
        elif type(leaf) is ndarray:
            t._var = self.met(leaf, t._data, "constant")
        else:
            t._var = self.new("constant", t._data, t._data)

    def become(self, t: Tensor, other: Any) -> None:
        """Let a Tensor be the variable of the value that it has taken over."""
        found = self.operand(other)
        t._var = found if type(found) is Variable else self.new("constant", t._data, t._data)

    # --- operations -------------------------------------------------------------------------------------------------

    def record(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], ans: Any) -> None:
        """Write down one operation."""
        call, aux, inlined = self.calls.get(fn) or self.look(fn)
        if inlined and type(ans) is Tensor and self.unfold(fn, args, kwargs, ans):
            return
        inputs = tuple([self.variable(a) if type(a) is Tensor else self.operand(a) for a in args])
        params = kwargs
        if kwargs:
            if type(kwargs.get("axes")) is ndarray:
                kwargs = {**kwargs, "axes": tuple(kwargs["axes"].tolist())}
            params = {k: self.operand(v) for k, v in kwargs.items()}
        self.refuse(fn, args, params, ans)
        if type(ans) is Tensor:
            if type(ans._data) in PYTHONS:  # of Python numbers, and a Python number itself
                ans._data = weak(ans._data)
                fn = PRIMITIVES.get(fn, NONE).python or fn
                call = self.look(fn)[0]
            node = ans._node
            outputs: tuple[Variable, ...] = (self.result(ans),)
            several = False
        else:
            node = next((t._node.p for t in ans if t._node is not None and t._node.op is PICK), None)
            outputs = tuple([self.result(t) for t in ans])
            several = True
        if PRIMITIVES.get(fn, NONE).unsteady:
            call = Steady(fn, call, ans if several else (ans,), self.title)
        equation = Equation(fn, call, inputs, params, outputs, several, scope=STATE.get().scope, mark=self.mark)
        equation.given = kwargs
        if aux and node is not None:
            self.keep_byproduct(equation, node.kwargs.get("aux"), len(outputs))
        if node is not None and node.op is not None:
            annotated(node, equation)
        if several or type(ans._data) is ndarray:
            equation.shares = self.sharing(outputs, equation)
        self.append(equation)

    def checked(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Write down what raises at some values, and returns nothing."""
        inputs, params = tuple([self.operand(a) for a in args]), self.operand(kwargs)
        self.append(Equation(fn, computing(fn), inputs, params, (), effect="check", mark=self.mark))

    def look(self, fn: Any) -> tuple[Any, bool, bool]:
        """Return what is to be called for an operation, whether it leaves a by-product, whether its body is written."""
        op = RULES.get(fn)
        found = self.calls[fn] = (
            computing(fn),
            op is not None and op.aux,
            self.inline and op is not None and op.inline and hasattr(fn, "__wrapped__"),
        )
        return found

    def refuse(self, fn: Any, args: Any, params: dict[str, Any], ans: Any) -> None:
        """Raise where what has been computed would not hold for other values."""

    def unfold(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], ans: Tensor) -> bool:
        """Write down the body of an operation in its place, if it gives the same bits."""
        inputs = tuple([self.operand(a) for a in args])  # what comes from around is to be known as it is
        params = {k: self.operand(v) for k, v in kwargs.items()}
        before = len(self.equations), len(self.watched), dict(self.aliases)
        given = [again(a) if type(a) is Tensor else self.foreign(a, None) for a in args]
        with switched(grad=False):
            out = fn.__wrapped__(*given, **kwargs)
        if not alike(out._data, ans._data):  # a product of matrices laid out otherwise
            del self.equations[before[0] :], self.watched[before[1] :]
            self.aliases = before[2]
            return False
        v = self.variable(out)
        ans._data, ans._var = out._data, v
        equation = Equation(fn, None, inputs, params, (v,), mark=self.mark)
        node = ans._node
        if node is not None:
            if RULES[fn].aux:
                self.keep_byproduct(equation, node.kwargs.get("aux"), 0)
            if equation.byproduct is not None:  # dropped, should no pullback ask for it
                self.append(Equation(fn, equation.call, inputs, params, equation.outputs[1:], True, mark=self.mark))
            annotated(node, equation)
        return True

    def result(self, t: Tensor) -> Variable:
        """Return the variable of a result."""
        value = t._data
        v = t._var = self.new("value", value, weak=type(value) in WEAK)
        if type(value) is ndarray:
            self.inside[id(value)] = value
        return v

    def append(self, equation: Equation) -> None:
        """Add an equation."""
        if settings_of_errors() is not self.settings and np.geterr() != self.errors:
            equation.quiet = True
        self.equations.append(equation)

    def keep_byproduct(self, equation: Equation, aux: Any, results: int) -> None:
        """Let what the forward pass has left to the pullbacks be further results."""
        made: dict[int, Variable] = {}
        for a in arrays_of(aux):
            made[id(a)] = self.new("value", a)
        if not made:  # sizes, an axis: the same at every run
            return
        by = {id(v.value): v for v in made.values()}
        equation.byproduct = _with_variables(aux, by)
        equation.call = ByProducts(equation.operation, results)
        equation.outputs += tuple(made.values())
        equation.several = True

    def sharing(self, outputs: tuple[Variable, ...], equation: Equation) -> tuple[Variable, ...]:
        """Return the operands with which results may share memory: views of them, or the very same array."""
        operands = [v.value for v in equation.reads]
        views = [
            v.value
            for v in outputs
            if type(v.value) is ndarray and (v.value.base is not None or any(v.value is a for a in operands))
        ]
        if not views:
            return ()
        arrays = [v for v in dict.fromkeys(equation.reads) if type(v.value) is ndarray]
        return tuple([v for v in arrays if any(np.may_share_memory(v.value, a) for a in views)])

    def assume_finite(self) -> bool:
        """Leave out the masks of scalars: a zero stays a zero as long as all values are finite.

        The masks of a rectifier follow every product below it: they made two thirds of the plan of micrograd's moons.
        """
        self.finite = self.finite or not self.masks
        return not self.masks

    def all_finite(self) -> bool:
        """Say whether every value met so far is finite; nearly all of them are numbers."""
        made = (v.value for e in self.equations for v in e.outputs)
        values = itertools.chain(made, (v.value for v in self.taken))
        return all(math.isfinite(x) if type(x) is float64 else is_finite(x) for x in values)

    # --- what is no operation ---------------------------------------------------------------------------------------

    def asked(self, what: Any) -> None:
        """Remember that a value was asked for, should the function catch the error."""
        self.refused = source_line(), f"{what} of a Tensor under {self.title}"

    def changing(self, t: Tensor) -> None:
        """Hear that a Tensor becomes another value."""

    def stand_in(self, t: Tensor) -> Any:
        """Give a stand-in for the values of a Tensor, and see to it that a change of it does not go unnoticed."""
        stand_in = tensor(t._data)
        stand_in._var = self.variable(t)
        if type(t._data) is ndarray and (type(t._node) is Leaf or t._node is None):
            self.aliases[id(stand_in)] = t, stand_in, t._data, source_line()
        return stand_in

    def made(self, t: Tensor, data: Any) -> None:
        """Write down that a Tensor was made of something, which may have changed at the next run."""
        if type(data) is ndarray:
            self.record(np.array, (data,), {"dtype": t.dtype}, t)
        else:
            t._var = self.new("constant", t._data, np.array(t._data)[()])

    def assign(self, t: Tensor, value: Any) -> None:
        """Write down that a Tensor gets new values."""
        before = self.variable(t)
        given = self.operand(value)
        self.aliases.pop(id(value), None)
        if id(t) not in self.undo:
            self.undo[id(t)] = t, t._data.copy() if type(t._data) is ndarray else t._data
        if before.kind == "tensor" and type(t._data) is not ndarray:
            self.keep_number(before)
        self.equations.append(Equation(None, None, (given,), {}, (), effect="assign", target=t, mark=self.mark))
        if given is not before or type(t._data) is not ndarray:  # not p.data = p.data
            self.changed(t._data)
            t._var = None
            self.around.pop(id(t), None)

    def keep_number(self, v: Variable) -> None:
        """Read a number before it is assigned to: who has taken it keeps it, since numbers do not change in place."""
        kept = self.renamed[v] = self.new("value", v.value)
        self.equations.append(Equation(np.positive, operator.pos, (v,), {}, (kept,), mark=self.mark))

    def gradient(self, leaf: Leaf, value: Any) -> None:
        """Write down that a leaf gets a gradient."""
        self.leaves.setdefault(id(leaf), (leaf, leaf.grad))
        if leaf.seq > self.start:  # the program made it, and knows what stands for its gradient
            return
        if value is not None and id(leaf) not in self.reset and leaf.grad is None:
            self.guards.append((functools.partial(has_gradient, leaf), False))
        self.reset.add(id(leaf))
        given = None if value is None else self.operand(value)
        self.equations.append(Equation(None, None, (given,), {}, (), effect="gradient", target=leaf, mark=self.mark))

    def earlier_gradient(self, leaf: Leaf) -> Any:
        """Give what stands for the gradient that a leaf had before."""
        g = leaf.gradient()
        if g is None:
            if id(leaf) not in self.reset and leaf.seq <= self.start:
                self.guards.append((functools.partial(has_gradient, leaf), False))
            return None
        self.leaves.setdefault(id(leaf), (leaf, g))
        t = tensor(g)
        if id(leaf) in self.reset:  # p.grad = 0.0: what the program has given it itself
            t._var = self.met(g, g, "constant") if type(g) is ndarray else self.new("constant", g, g)
            return t
        found = self.around.get(id(leaf))
        if found is None:
            found = self.around[id(leaf)] = leaf, g, self.new("gradient", g, leaf)
            self.guards.append((functools.partial(has_gradient, leaf), True))
        t._var = found[2]
        return t

    def called(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function unseen."""
        with switched(recorder=None):
            return fn(*strip(args), **strip(kwargs))

    def call(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any]:
        """Call a function that is to be called anew at every run."""
        self.masks = True  # it is no scalar graph, and should not be called twice
        ans = self.called(fn, args, kwargs)
        several = type(ans) is tuple and len(ans) > 0
        told = tuple([standing_for(v) for v in ans]) if several else standing_for(ans)
        results = [t for t in (told if several else (told,)) if type(t) is Tensor]
        if several and len(results) != len(told):
            raise GraphError(f"a function called by ag.fresh returns numbers and arrays, not {ans!r} ({source_line()})")
        outputs = tuple([self.result(t) for t in results])
        inputs, params = self.operand(args), self.operand(kwargs)
        self.equations.append(
            Equation(
                fn, computing(fn), inputs, params, outputs, several, "call", scope=STATE.get().scope, mark=self.mark
            )
        )
        self.changed(None)
        return (told,)

    def changed(self, memory: Any) -> None:
        """Forget what is known of arrays from around that share memory with one that changes (None: of all)."""
        self.epoch += 1
        if memory is None:
            self.around = {k: f for k, f in self.around.items() if isinstance(f[0], np.random.Generator)}
            self.near.clear()
            return
        if type(memory) is not ndarray:
            return
        owner = owner_of(memory)
        for near in list(self.near.values()) if owner is None else [self.near.get(id(owner), {}), self.near.get(0, {})]:
            for key, a in list(near.items()):
                if np.may_share_memory(a, memory):
                    self.around.pop(key, None)
                    del near[key]

    def known(self) -> Known:
        """Return what says whether an identity is that of a value which a variable stands for."""
        return Known(self)

    # --- the beginning and the end ------------------------------------------------------------------------------------

    def entered(self, value: Any) -> Any:
        """Return a Tensor for an argument of the call, or what draws in place of a generator."""
        kind = type(value)
        if isinstance(value, np.random.Generator):
            v = self.new("input", value, value)
            self.around[id(value)] = value, value, v
            self.inputs.append(v)
            return Draws(value)
        if kind is float or kind is complex:
            value = weak(value)
        elif kind is ndarray:
            value = value.view()  # which nobody may change in place
        t = tensor(value)
        t._var = self.new("input", value, weak=kind in (float, complex))
        self.inputs.append(t._var)
        if kind is ndarray:
            self.arguments.append(t)
        return t

    def finish(self, out: Any, name: str = "program") -> Program:
        """Take down what the function returns, refuse what was changed unseen, and return the program."""
        leaves, rebuild = flatten(out)
        outputs = [self.result_leaf(x) for x in leaves]
        self.refuse_hidden_changes()
        for leaf, _ in self.leaves.values():
            settle_gradient(leaf)
        return Program(self.inputs, self.equations, outputs, rebuild, name=name)

    def forget_values(self) -> None:
        """Let variables and equations go of the values that stood there, when nobody will ask for them any more."""
        for equation in self.equations:
            equation.given = {}
            for v in equation.outputs:
                v.value = None
        for v in self.taken:
            v.value = None

    def result_leaf(self, x: Any) -> Any:
        """Return the variable of a leaf of the result, or the leaf if it is literal."""
        return self.operand(x) if isinstance(x, Tensor | ndarray) else x

    def refuse_hidden_changes(self) -> None:
        """Raise where the function has done what the recorder was not told."""
        for a, before, line in self.watched:
            if checksum(a) != before:
                raise GraphError(
                    f"an array of shape {a.shape}, used at {line}, was changed in place inside the function, which a "
                    f"run of what was recorded would not do again: pass it as an argument and return its new values, "
                    f"or hold it in a Tensor and write t.assign(...)"
                )
        for t, stand_in, before, line in self.aliases.values():
            if stand_in._data is not before:
                raise GraphError(
                    f"the values of {t._label()}, taken as .data at {line}, were changed in place under another name, "
                    f"which a run of what was recorded would not do: write p.data -= ..., p.data = ... or p.assign(...)"
                )

    def put_back(self) -> None:
        """Undo what the function has done to Tensors around it."""
        for t, before in reversed(self.undo.values()):  # a parameter is a part of a buffer that was written first
            if type(before) is ndarray and type(t._data) is ndarray and t._data.flags.writeable:
                t._data[...] = before
            else:
                t._data = before
        for leaf, grad in self.leaves.values():
            leaf.grad = grad


class Known:
    """The identities of all values that variables stand for; gathered when first asked, which is seldom."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.found: set[int] | None = None

    def __contains__(self, key: int) -> bool:
        if self.found is None:
            c = self.capture
            self.found = {id(v.value) for e in c.equations for v in e.outputs}
            self.found.update([id(v.value) for v in c.taken])
        return key in self.found


def annotated(node: Any, equation: Equation) -> None:
    """Let an equation be the note of a node."""
    if (note := getattr(node, "note", None)) is not None:
        equation.name = note.name
    node.note = equation


def alike(a: Any, b: Any) -> bool:
    """Say whether values are equal, entry by entry, NaN being NaN."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return a.tobytes() == b.tobytes() or bool(np.array_equal(a, b, equal_nan=True))


def _with_variables(tree: Any, by: dict[int, Variable]) -> Any:
    if isinstance(tree, SEQUENCES):
        return type(tree)(_with_variables(part, by) for part in tree)
    return by.get(id(tree), tree)


def is_finite(value: Any) -> bool:
    """Say whether a value of any kind holds neither infinity nor NaN."""
    return not isinstance(value, ndarray | np.inexact | float | complex) or bool(np.all(np.isfinite(value)))


def has_gradient(leaf: Leaf) -> bool:
    """Say whether a leaf has one."""
    return leaf.grad is not None


def settle_gradient(leaf: Leaf) -> None:
    """Turn the Tensor that stood for a gradient into an array of the leaf's own."""
    g = leaf.grad
    if isinstance(g, Tensor):
        leaf.grad = np.array(g._data)[()]
