"""The table: for every operation the pullback of each of its array arguments, in plain NumPy.

    rule(np.exp, lambda g, ans: g * ans)

The names of a pullback's parameters say what the tape must keep for it, and nothing else is kept:

    g            the cotangent of the result (a tuple of them for an operation with several results)
    ans          the result
    x, a, b ...  the value of an argument, under the name the rule gives it (``args=``)
    x_space      an argument's shape and dtype, without its value
    ans_space    the result's
    i            of a variadic operation, which argument is meant: `space` is its own, `spaces` and `values` are of all
    aux          a by-product of the computation, if the operation has one
    anything     else is metadata: a keyword of the operation, under NumPy's name

A pullback fed ndarrays is raw NumPy; fed Tensors it is recorded, so gradients have gradients; read the other way it
pushes tangents. It never mentions broadcasting or dtypes (the sweep undoes them once), never writes in place and never
branches on values of `g`. This module knows neither nodes nor Tensors; it only reads names, once, at registration.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType
from typing import Any, TypeVar

import numpy as np

from .packages import is_of_part
from .pullbacks import Pull, adapt, check_names, names_of, places, same
from .tree import flatten

F = TypeVar("F", bound=Callable[..., Any])
NAMES = {1: ("x",), 2: ("a", "b"), 3: ("a", "b", "c")}
SILENT = frozenset({"out", "casting", "order", "subok", "dtype", "signature", "like", "copy", "device"})

# What a rule says of its operation, and what recording and the sweep derive from that.
DECLARED = """
args aux batched carries compute elementwise fixes fn inline into joint linear metadata name outputs params partial pole
push refill selects singular trusted variadic weak widens""".split()
DERIVED = "blind direct freed keeps needs original plans pulls simple special wide".split()


class Op:
    """One row of the table.

    A *narrow* operation has one or two array arguments and no metadata, and its node holds their values in slots; every
    other one is *wide*. `pulls[i]` takes a cotangent and a node, and hands the pullback what it names.
    """

    __slots__ = (*DECLARED, *DERIVED)

    def __init__(
        self,
        fn: Callable[..., Any],
        pulls: tuple[Pull | None, ...],
        *,
        args: str | None = None,
        name: str | None = None,
        compute: Callable[..., Any] | None = None,
        elementwise: bool | None = None,
        linear: bool = False,
        selects: bool = False,
        batched: bool | None = None,
        carries: bool = False,
        outputs: int = 0,
        partial: bool = False,
        variadic: bool = False,
        joint: bool = False,
        push: Pull | None = None,
        into: Callable[..., Any] | None = None,
        refill: Callable[..., Any] | None = None,
        metadata: str = "",
        aux: bool = False,
        params: str = "",
        trusted: bool | None = None,
        widens: bool = False,
        fixes: bool | None = None,
        inline: bool = False,
    ) -> None:
        self.fn = fn
        self.name: str = name or str(getattr(fn, "__name__", repr(fn)))
        self.compute: Any = compute or getattr(fn, "__wrapped__", fn)
        self.args = tuple(args.replace(",", " ").split()) if args else NAMES.get(len(pulls), ())
        self.variadic = variadic
        self.joint = joint
        if not (variadic or joint) and len(self.args) != len(pulls):
            raise TypeError(
                f"the rule for {self.name} names the arguments {self.args} but has {len(pulls)} pullbacks; "
                f"write one pullback for each array argument (None where there is no gradient)"
            )
        self.outputs, self.partial, self.aux, self.widens = outputs, partial, aux, widens
        self.linear, self.selects = linear, selects
        self.elementwise = (isinstance(fn, np.ufunc) and fn.signature is None) if elementwise is None else elementwise
        self.batched = self.elementwise if batched is None else batched
        self.carries = carries or self.elementwise
        self.push, self.into, self.refill, self.inline = push, into, refill, inline
        self.trusted = all(p is None or is_of_part(p) for p in pulls) if trusted is None else trusted
        self.params: tuple[str, ...] | None = tuple(params.split()) or None
        unknown = joint or not (self.trusted or self.elementwise)  # a user's operation, or what a checkpoint holds
        self.fixes = selects or unknown if fixes is None else fixes
        if not self.trusted:
            self.compute = _numpy_valued(self.compute)
            check_names(self, pulls, frozenset(metadata.split()))
        self._derive(pulls, frozenset(metadata.split()))

    def _derive(self, pulls: tuple[Pull | None, ...], more: frozenset[str]) -> None:
        """Work out, once, what recording and the sweep will ask."""
        self.needs = tuple(frozenset(names_of(p)) if p and p is not same else frozenset() for p in pulls)
        known = places(self).keys()
        self.metadata = frozenset().union(*self.needs) - known | more
        several = self.variadic or self.joint or self.outputs > 0
        self.wide = bool(self.metadata) or several or not 1 <= len(self.args) <= 2
        alone = self.selects or self.joint or self.outputs > 0 or self.into is not None or self.refill is not None
        self.special = alone or not self.trusted or None in pulls
        # Nothing but one cotangent to make: the sweep need not look further unless a mask is wanted.
        self.simple = (
            self.trusted and self.elementwise and len(pulls) == 1 and not (several or self.into or self.refill)
        )
        self.singular = self.elementwise and any(n & {"ans", "values", *self.args} for n in self.needs)
        # May its slope be infinite, or NaN, at a finite argument? Those that cannot say so where they are registered.
        self.pole = self.singular
        # Does a Python number beside an array take the array's dtype? Not where NumPy computes in float64 regardless;
        # and a power by a Python number has bits of its own (x**0.5 is a square root).
        self.weak = isinstance(self.fn, np.ufunc) and self.fn not in (np.power, np.float_power)
        self.pulls: tuple[Any, ...] = tuple(p and adapt(self, p) for p in pulls)
        self.blind = 0 if self.variadic or self.joint else sum(1 << i for i, p in enumerate(pulls) if p is None)
        self.plans: dict[tuple[int, int], tuple[tuple[int, ...], tuple[int, ...], bool]] = {}
        # A primitive of ours that `record1`, `record2` or `record3` take: fixed arity, nothing but arrays.
        more_than_values = set().union(*self.needs) - {"g", "ans", *self.args}
        three = len(self.args) == 3 and not (several or self.aux or self.metadata or more_than_values)
        self.direct = self.trusted and (three or not self.wide)
        self.keeps = tuple(self._fixed_plan(mask) for mask in range(8 if three else 0 if self.wide else 4))
        self.freed: Op | None = None  # the twin that stands in freed nodes, made when the first is freed
        self.original: Op | None = None  # of such a twin: the operation itself

    def _fixed_plan(self, mask: int) -> tuple[bool, ...] | None:
        """Return which of (a, b, ans) are kept when the arguments in `mask` (bits) are tracked; None for nothing."""
        wanted = frozenset[str]().union(*(n for i, n in enumerate(self.needs) if mask >> i & 1))
        plan = (*(name in wanted for name in (*self.args, "")[: max(2, len(self.args))]), "ans" in wanted)
        return plan if any(plan) else None

    def plan(self, mask: int, n: int) -> tuple[tuple[int, ...], tuple[int, ...], bool]:
        """Return what to keep of `n` arguments of which those in `mask` (bits) are tracked.

        The numbers of those kept by value, of those kept as a space (where no node tells it), and whether the result
        is kept.
        """
        if (found := self.plans.get((mask, n))) is not None:
            return found
        together = self.variadic or self.joint
        tracked = range(len(self.needs)) if together else [i for i in range(n) if mask >> i & 1]
        wanted = frozenset[str]().union(*(self.needs[i] for i in tracked))
        every = range(n)
        names = self.args if len(self.args) == n else ("",) * n
        by_value = tuple(i for i in every if "values" in wanted or names[i] in wanted)
        by_space = tuple(i for i in every if "spaces" in wanted or names[i] + "_space" in wanted)
        by_space = tuple(i for i in by_space if i not in by_value and not mask >> i & 1)
        plan = self.plans[mask, n] = by_value, by_space, "ans" in wanted
        return plan

    def parameters(self) -> tuple[str, ...]:
        """Return the names of NumPy's own parameters, in order; read when first needed, since reading them is slow."""
        if self.params is None:
            import inspect

            try:
                self.params = tuple(inspect.signature(self.fn).parameters)
            except (TypeError, ValueError):  # a C function without a signature
                self.params = self.args
        return self.params

    def twin(self, **changes: Any) -> Op:
        """Return a copy that differs in some slots."""
        twin = Op.__new__(Op)
        for slot in Op.__slots__:
            setattr(twin, slot, changes.get(slot, getattr(self, slot)))
        return twin

    def told_as(self, fn: Any) -> Op:
        """Return a twin of which a recorder is told by another function: the one to call for the same bits."""
        return self.twin(fn=fn)

    def __repr__(self) -> str:
        return f"<rule for {self.name}>"


def _numpy_valued(fn: Any) -> Callable[..., Any]:
    """Let a user's function return Python numbers and lists, too."""

    def compute(*args: Any, **kwargs: Any) -> Any:
        ans = fn(*args, **kwargs)
        return ans if isinstance(ans, np.ndarray | np.generic | tuple) else np.asarray(ans)[()]

    return compute


RULES: dict[Any, Op] = {}
COMPOSITES: dict[Any, Callable[..., Any]] = {}
CONSTANTS: set[Any] = set()
REFUSED: dict[Any, str] = {}
PRIMITIVES: weakref.WeakSet[Any] = weakref.WeakSet()  # what `primitive` returned


def rule(fn: Callable[..., Any], *pulls: Pull | None, **properties: Any) -> Op:
    """Register the pullbacks of `fn`, one for each array argument (None: no gradient flows there).

    Parameters
    ----------
    fn : callable
        A NumPy function or ufunc, or a function made by `primitive`.
    *pulls : callable or None
        Pullbacks; the names of their parameters say what they need (see the top of this module).
    args : str, optional
        Names of the array arguments, ``"x"`` for one, ``"a b"`` for two, ``"a b c"`` for three unless given.
    linear : bool
        Linear in each array argument by itself: a tangent is pushed by calling the operation on it.
    elementwise : bool, optional
        Entry by entry with broadcasting: a tangent is pushed by the pullback itself. Known for ufuncs.
    selects : bool
        The operation takes some entries and leaves others; its pullbacks return `present(g, mask)`.
    batched : bool
        The pullbacks also accept a stack of cotangents (more axes in front). Known for element-wise operations.
    carries : bool
        The pullback, applied to a mask, says where its result is present: shape functions, sums, indexing.
    outputs : int
        Number of results, if the operation returns a tuple.
    partial : bool
        The pullback is given None, not zeros, for a result that nobody used: absent is not zero.
    variadic : bool
        Any number of array arguments, one pullback for all, told which one by its parameter ``i``.
    push : callable, optional
        ``push(i, tangent, node, lead)``: the tangent of the result, where calling the operation would not do.
    aux : bool
        The operation is computed by ``compute(...) -> (result, by-product)``, and a pullback may name ``aux``.
    joint : bool
        One pullback returns the cotangents of all arguments as a list.
    fixes : bool, optional
        Some entries of the result may not depend on an argument at all: zeros put beside it, a triangle left out.
        Known for selections, and supposed of your own operations that are not element-wise.
    inline : bool
        The function runs on Tensors, too, with the same bits: a compiled program has its operations in its place.
    metadata : str
        Keywords that the operation knows and no pullback names.
    widens : bool
        The pullbacks are given arrays of whole numbers as int64, with which they may reckon.
    into : callable, optional
        ``into(buffer, g, node)`` adds what one operand gets to a buffer that the sweep owns, as a scatter does.
    refill : callable, optional
        ``refill(sweep, node, g)`` lets an assignment take its part out of a cotangent without copying the rest.
    trusted : bool, optional
        The pullbacks return what they must, so nobody looks: known of the library's own.
    name, compute, params : optional
        What messages and pictures call it; what computes it; NumPy's names of its parameters, if not `fn` tells them.

    Examples
    --------
    >>> import autograd_core as ag
    >>> @ag.primitive
    ... def cube(x):
    ...     return x**3
    >>> ag.rule(cube, lambda g, x: g * 3 * x**2)
    <rule for cube>
    >>> float(ag.grad(cube)(2.0))
    12.0
    """
    if not callable(fn):
        raise TypeError(f"a rule is for a function, as in ag.rule(np.exp, lambda g, ans: g * ans), not for {fn!r}")
    for pull in pulls or ("nothing",):
        if pull is not None and not callable(pull):
            raise TypeError(
                f"a rule has a pullback for each array argument, a function or None where no gradient flows, "
                f"not {pull!r}"
            )
    op = Op(fn, pulls, **properties)
    if not op.trusted:
        _check_reachable(fn, op.name)
    RULES[fn] = op
    return op


def _check_reachable(fn: Any, name: str) -> None:
    """Refuse a rule for a function that never asks the table: its body would be differentiated instead."""
    if isinstance(fn, FunctionType | BuiltinFunctionType | type) and fn not in PRIMITIVES:
        raise TypeError(
            f"a rule for {name} would never be used, since {name} does not ask for one: register it for what "
            f"ag.primitive({name}) returns, or put @ag.primitive above its definition"
        )


def composite(fn: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Say how a NumPy function is made of others: a decorator over a function with NumPy's signature."""

    def register(body: Callable[..., Any]) -> Callable[..., Any]:
        COMPOSITES[fn] = body
        if body.__name__[0] in "_<":  # by which Python's own errors call it: np.linalg.norm() got an unexpected keyword
            module = (getattr(fn, "__module__", None) or "numpy").replace("numpy", "np")
            body.__qualname__ = f"{module}.{getattr(fn, '__name__', fn)}"
        return body

    return register


def constant(*fns: Any) -> None:
    """Say that functions have no gradient by nature: for Tensors they return plain arrays."""
    CONSTANTS.update(fns)


def refuse(fn: Any, why: str) -> None:
    """Say why a function cannot take Tensors, and what to write instead."""
    REFUSED[fn] = why


def primitive(fn: F) -> F:
    """Make a function of our own, or a user's, one operation on the tape, exactly as NumPy's are (NEP 18).

    Called with Tensors it is recorded whole, and needs a `rule`; its body sees plain arrays only.
    """
    if not callable(fn):
        raise TypeError(f"primitive takes a function, not {fn!r}")

    ours = is_of_part(fn)

    @functools.wraps(fn)
    def public(*args: Any, **kwargs: Any) -> Any:
        if not ours and public not in CONSTANTS:
            _refuse_containers(fn, args, kwargs)
        if Door.kind in map(type, args):
            op = RULES.get(public)
            if op is not None and (op.wide or (op.direct and not kwargs)) and len(args) == len(op.args):
                return Door.record(op, args, kwargs)
        for a in (*args, *kwargs.values()):
            kind = type(a)
            if kind is Door.kind:
                return a.__array_function__(public, (kind,), args, kwargs)
            if kind is list or kind is tuple:
                for b in a:
                    if type(b) is Door.kind:
                        return b.__array_function__(public, (Door.kind,), args, kwargs)
        return fn(*args, **kwargs)

    PRIMITIVES.add(public)
    return public  # type: ignore[return-value]


def _refuse_containers(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise where Tensors are inside of a container that is an argument: nobody would ask the rule."""
    for k, a in (*enumerate(args), *kwargs.items()):
        if type(a) in BARE or type(a) is Door.kind or (isinstance(a, list | tuple) and not any(map(_holds, a))):
            continue
        if _holds(a):
            which = f"argument {k + 1}" if isinstance(k, int) else f"{k}="
            raise TypeError(
                f"{getattr(fn, '__name__', fn)}, a primitive, was given Tensors in nested containers ({which}, a "
                f"{type(a).__name__}), where its rule would not be asked: pass each Tensor as an argument of its own, "
                "and put them together inside"
            )


def _holds(tree: Any) -> bool:
    """Say whether there are Tensors inside of a container; a Tensor itself is none."""
    return type(tree) not in BARE and any(type(leaf) is Door.kind and leaf is not tree for leaf in flatten(tree)[0])


BARE = {np.ndarray, np.float64, float, int, bool, str, type(None)}


class Door:
    """Where recording enters from above: the Tensor's type and its way in, set when that module is loaded."""

    kind: Any = None
    record: Callable[..., Any]


class Present:
    """A cotangent that is absent where `mask` is False; absent is not the same as zero.

    ``np.where(x > 0, np.sqrt(x), 0.0)`` at 0 sends nothing into the square root, whose derivative there is infinite.
    A zero would become 0 * inf = NaN on the way to `x`.
    """

    __slots__ = ("g", "mask")

    def __init__(self, g: Any, mask: Any) -> None:
        self.g = g
        self.mask = mask


def present(g: Any, mask: Any) -> Present:
    """Return the cotangent of a selection: `g`, already zero where `mask` is False, and `mask` itself.

    A mask that is dear to make may be given as a function without arguments.
    """
    return Present(g, mask)


def where(mask: Any, g: Any) -> Any:
    """Return `g` where `mask` holds, else 0, in the dtype of `g`.

    For arrays by multiplying the bit patterns with 0 and 1, which is exact, also for NaN, and does not mispredict
    branches: 20 us where ``np.where`` takes 240 for 65,000 float32 and a random mask.
    """
    bits = BITS.get(g.dtype) if type(g) is np.ndarray and g.size > 256 else None
    if bits is not None and type(mask) is np.ndarray and mask.dtype is BOOL:  # a condition may be any numbers
        return (g.view(bits) * mask.view(np.int8)).view(g.dtype)
    return np.where(mask, g, g.dtype.type(0))


BOOL = np.dtype(bool)
BITS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}
