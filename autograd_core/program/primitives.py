"""Primitives: how each operation runs. A row is an operation, a column a way to run it; what has no row is called.

    form       the word for how it is written as NumPy source, if `holds` of the equation; else `otherwise`
    number     the same where the result is a number
    entries    the ufunc and the operands by which it goes entry by entry
    reduces    the ufunc by which it reduces
    sign       Python's operator between two numbers
    neutral    the number beside which the other operand is the result, bit by bit; on either side if it `commutes`
    scalar     how it is computed of single floats, and of vectors of them; None if its result is its operand
    python     what computes it of Python numbers alone
    call       what is called for it, where that is not the forward function of its rule
    harmless   no values make it raise
    unsteady   its dtype depends on values
    shape      by what values decide the shape of the result: "mask" of an index, "found" entries, the largest of
               "counts", "bins"; "" where they do not

A new way to run programs is a new column. What the columns cannot say, since it depends on operands, is said by the
functions below the table's heading, of an equation each; no other file here asks for an operation by name.
"""

from __future__ import annotations

import itertools
import math
import operator
import types
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..operators import _square
from ..ops import elementwise, index, parts, reduce, statistics, values
from .program import Equation, Program, Variable

ndarray = np.ndarray
BITS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}
VIEWS = {"part", "reshape", "stretch", "transpose"}
WRITABLE = {"copy", "dot", "front", "group", "join", "matmul", "mean", "reduction", "scatter", "selection", "setitem"}
WRITABLE |= {"ufunc"}
CALLED = {"call", "check", "item"}  # forms of which nobody knows that they raise at no values


class Kernel:
    """An operation on scalars: on arrays by ``f(*operands, out)``, on floats by an expression, or by a function.

    In an expression ``{0}`` is the first operand and ``{f}`` the function. A result may be finite although an operand
    in `hides` is not: the exponential of minus infinity, what `where` does not take.
    """

    __slots__ = ("expression", "f", "hides", "name", "of_numbers", "repeats", "scalar")

    def __init__(
        self,
        f: Callable[..., Any],
        expression: str = "",
        name: str = "",
        scalar: Any = None,
        hides: tuple[int, ...] = (0, 1, 2),
        of_numbers: bool = False,
    ) -> None:
        self.f = f
        self.scalar = scalar or f
        self.expression = expression
        self.name = name or f.__name__
        self.hides = hides
        self.of_numbers = of_numbers  # is it another operation of booleans, as True + True is True?
        self.repeats = any(expression.count(f"{{{i}}}") > 1 for i in range(3))


Holds = Callable[[Equation], Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Primitive:
    """A row of the table."""

    form: str = "call"
    holds: Holds = None
    otherwise: str = "call"
    number: str = "call"
    entries: Callable[[Equation], tuple[Any, tuple[Any, ...]] | None] | None = None
    reduces: Any = None
    sign: str = ""
    neutral: float | None = None
    commutes: bool = False
    scalar: Kernel | str | None = ""  # "" where there is none
    python: Any = None
    call: Any = None
    harmless: bool = False
    unsteady: bool = False
    shape: str = ""


NONE = Primitive()
PRIMITIVES: dict[Any, Primitive] = {}


def runs(*operations: Any, **columns: Any) -> None:
    """Add a row for operations that run in one way."""
    row = Primitive(**columns)
    for operation in operations:
        PRIMITIVES[operation] = row


def row_of(equation: Equation) -> Primitive:
    """Return the row of the operation of an equation."""
    return PRIMITIVES.get(equation.operation, NONE)


def decides_shape(fn: Any, args: Any) -> str:
    """Return by what values decide the shape of a result, before there is an equation; "" if they do not."""
    kind = PRIMITIVES.get(fn, NONE).shape
    return "" if fn is values.plain and not decides_shape(args[0], args[1:]) else kind


def described(program: Program) -> str:
    """Return how each operation of a program runs, the most frequent first, a line each; "call" is a plain call."""
    counts = Counter((equation.title, form_of(equation)) for equation in program)
    return "\n".join(f"{n} {title}: {form}" for (title, form), n in counts.most_common())


# --- what an equation is ----------------------------------------------------------------------------------------------


def form_of(equation: Equation) -> str:
    """Return what an equation is, in a word; if it is one of WRITABLE, the result can be written into a given array.

    Effects are "assign", "gradient", "check" and "call", which is also what has several results or no form of its own;
    "number" is what results in one, "group" a group of operations entry by entry.
    """
    if not equation.form:
        equation.form = _form(equation)
    return equation.form


def _form(equation: Equation) -> str:
    if is_group(equation):
        return "group"
    if equation.effect:
        return equation.effect
    if len(equation.outputs) != 1 or equation.several:
        return "call"
    if not equation.outputs[0].shape:
        return "number"
    if type(equation.call) is np.ufunc and plain_ufunc(equation) is not None:
        return "ufunc"
    row = row_of(equation)
    return row.form if row.holds is None or row.holds(equation) else row.otherwise


def is_group(equation: Equation) -> bool:
    """Say whether an equation is a group of element-wise operations."""
    return hasattr(equation.call, "overwrites")


def may_raise(equation: Equation) -> bool:
    """Say whether an equation may raise for some values: singular matrices, indices out of bounds."""
    form = form_of(equation)
    harmless = isinstance(equation.call, np.ufunc | types.BuiltinFunctionType) or row_of(equation).harmless
    return form in CALLED or (form == "number" and not harmless)


def is_array(a: Any) -> bool:
    """Say whether an operand is a variable with axes."""
    return type(a) is Variable and bool(a.shape)


# --- entry by entry ---------------------------------------------------------------------------------------------------


def plain_ufunc(equation: Equation) -> Any:
    """Return the ufunc that an equation applies entry by entry, with its operands as they are; None if none."""
    fn: Any = SAME_AS.get(equation.operation, equation.call)
    plain = type(fn) is np.ufunc and fn.signature is None and fn.nout == 1 and not equation.params
    fits = plain and not equation.effect and len(equation.outputs) == 1 and len(equation.inputs) == fn.nin
    return fn if fits else None


def ufunc_of(equation: Equation) -> Any:
    """Return the ufunc and the operands by which an equation goes entry by entry; None if it does not."""
    if (fn := plain_ufunc(equation)) is not None:
        return fn, equation.inputs
    entries = row_of(equation).entries
    return entries(equation) if entries else None


SAME_AS: dict[Any, Any] = {reduce.root: np.sqrt, _square: np.square}


def _power(equation: Equation) -> Any:
    """Return the ufunc and the operands by which an array's own operator computes a power."""
    if len(equation.inputs) != 2 or type(equation.inputs[0]) is not Variable:
        return None
    a, b = equation.inputs
    if type(b) is Variable:
        return np.power, equation.inputs
    if type(b) in (int, float):
        fn = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal, 1: np.positive}.get(b)
        return (fn, (a,)) if fn else (np.power, equation.inputs) if b else None
    return None


def is_choice(equation: Equation) -> bool:
    """Say whether an equation is ``np.where(mask, a, b)`` of a mask that may differ."""
    return equation.operation is np.where and len(equation.inputs) == 3 and type(equation.inputs[0]) is Variable


def chooses_or_zero(equation: Equation) -> bool:
    """Say whether an equation is ``np.where(mask, g, 0)``, which multiplies bits."""
    if not is_choice(equation) or type(equation.inputs[2]) is Variable:
        return False
    mask, g, zero = equation.inputs
    out = equation.outputs[0]
    return bool(
        is_array(mask) and is_array(g)
        and mask.dtype == bool and mask.shape == g.shape and g.dtype in BITS and g.dtype == out.dtype
        and isinstance(zero, int | float | np.number) and zero == 0
    )  # fmt: skip


def is_copy(equation: Equation) -> bool:
    """Say whether an equation copies or casts an array."""
    return row_of(equation).form == "copy" and type(equation.inputs[0]) is Variable


# --- views, products, reductions --------------------------------------------------------------------------------------


def is_view(equation: Equation) -> bool:
    """Say whether the result of an equation is a view of its first operand, whatever the values."""
    if not equation.inputs or type(equation.inputs[0]) is not Variable or len(equation.reads) > 1:
        return False
    if is_part(equation):
        return is_array(equation.inputs[0]) and index.is_basic(index_of(equation))
    plain = equation.params.get("copy") is None and equation.params.get("order", "C") == "C"
    return plain and (is_stretch(equation) or is_array(equation.inputs[0]))


def is_part(equation: Equation) -> bool:
    """Say whether an equation takes entries of an array."""
    return row_of(equation).form == "part"


def is_stretch(equation: Equation) -> bool:
    """Say whether an equation repeats an array along axes."""
    return row_of(equation).form == "stretch"


def index_of(equation: Equation) -> Any:
    """Return the index of an equation that reads or writes entries."""
    return equation.params["index"] if "index" in equation.params else equation.inputs[1]


def is_product(equation: Equation) -> bool:
    """Say whether an equation is a product of two matrices that BLAS can write into a buffer."""
    if equation.params or len(equation.inputs) != 2 or not all(map(is_array, equation.inputs)):
        return False
    (a, b), out = equation.inputs, equation.outputs[0]
    same = a.dtype == b.dtype == out.dtype and out.axes is None and out.dtype.kind in "fc" and out.dtype.itemsize > 2
    return same and len(a.shape) == 2 == len(b.shape)


def reduction(equation: Equation) -> Any:
    """Return the ufunc by which an equation reduces, or None."""
    plain = set(equation.params) <= {"axis", "keepdims"} and len(equation.inputs) == 1
    return row_of(equation).reduces if plain else None


def reduces(equation: Equation) -> bool:
    """Say whether an equation reduces an array by a ufunc."""
    return reduction(equation) is not None and is_array(equation.inputs[0])


def is_of_matrix(equation: Equation) -> bool:
    """Say whether an equation reduces a matrix to a row."""
    return len(equation.inputs[0].shape) == 2 and equation.params["axis"] == (0,)


def is_mean(equation: Equation) -> bool:
    """Say whether an equation is a mean that we take as the rule does."""
    if row_of(equation).form != "mean" or not is_array(equation.inputs[0]):
        return False
    x = equation.inputs[0]
    return x.dtype.kind == "f" and x.dtype.itemsize >= 4 and x.size > 0


def sums_all(equation: Equation) -> bool:
    """Say whether an equation is the sum or the mean over all entries, as a number."""
    if equation.effect or len(equation.outputs) != 1 or len(equation.inputs) != 1:
        return False
    x = equation.inputs[0]
    plain = type(x) is Variable and x.dtype is not None and x.dtype.kind == "f" and x.dtype.itemsize > 2
    return plain and not equation.outputs[0].shape and (row_of(equation).number == "sum" or is_mean(equation))


def is_join(equation: Equation) -> bool:
    """Say whether an equation joins arrays along an axis."""
    return set(equation.params) <= {"axis"} and len(equation.inputs) == 1


def is_flat_join(equation: Equation) -> bool:
    """Say whether an equation puts arrays of one axis and dtype end to end."""
    if row_of(equation).form != "join" or equation.effect or not is_join(equation):
        return False
    arrays, dtype = equation.inputs[0], equation.outputs[0].dtype
    if equation.params.get("axis", 0) != 0 or type(arrays) not in (tuple, list):
        return False
    return all(type(a) is Variable and len(a.shape) == 1 and a.dtype == dtype for a in arrays)


# --- kernels of scalars -----------------------------------------------------------------------------------------------


def by_entry(fn: Any) -> Callable[..., None]:
    """Return a function on vectors that calls one on numbers for each entry."""

    def into(*operands: Any) -> None:
        operands[-1][:] = list(itertools.starmap(fn, np.broadcast(*operands[:-1])))

    return into


def into_last(fn: Any) -> Callable[..., None]:
    """Return a function that writes what another one returns into its last argument."""

    def into(*operands: Any) -> None:
        operands[-1][:] = fn(*operands[:-1])

    return into


def _floor(x: Any, out: Any) -> None:
    np.maximum(x, 0.0, out=out)


def _larger(a: Any, b: Any, out: Any) -> None:
    np.maximum(a, b, out=out)


def _smaller(a: Any, b: Any, out: Any) -> None:
    np.minimum(a, b, out=out)


def conjugate(z: complex) -> complex:
    """Return the conjugate of a Python number, a Python number again."""
    return z.conjugate()


def _squared(x: float) -> float:
    return math.pow(x, 2.0)


def _infix(fn: Any, sign: str, *hides: int, of_numbers: bool = False) -> Kernel:
    return Kernel(fn, f"({{0}} {sign} {{1}})", hides=hides, of_numbers=of_numbers)


SUM = Kernel(np.add, name="sum", hides=())  # of more than two: what chains of additions become


# --- the table --------------------------------------------------------------------------------------------------------

# Arithmetic. A scalar's power is C's, which NumPy's of arrays is not: one square in a thousand has another last bit.
runs(np.add, sign="+", neutral=-0.0, commutes=True, python=operator.add, scalar=_infix(np.add, "+", of_numbers=True))
runs(np.subtract, sign="-", neutral=0, python=operator.sub, scalar=_infix(np.subtract, "-"))
runs(np.multiply, sign="*", neutral=1, commutes=True, python=operator.mul, scalar=_infix(np.multiply, "*"))
runs(np.true_divide, sign="/", neutral=1, python=operator.truediv, scalar=_infix(np.true_divide, "/", 1))
runs(operator.add, sign="+", scalar=_infix(np.add, "+", of_numbers=True))
runs(operator.sub, sign="-", scalar=_infix(np.subtract, "-"))
runs(operator.mul, sign="*", scalar=_infix(np.multiply, "*"))
runs(operator.truediv, sign="/", scalar=_infix(np.true_divide, "/", 1))
runs(np.remainder, python=operator.mod)
runs(np.negative, python=operator.neg, scalar=Kernel(np.negative, "(-{0})", hides=()))
runs(operator.neg, scalar=Kernel(np.negative, "(-{0})", hides=()))
runs(np.absolute, python=abs, scalar=Kernel(np.absolute, "abs({0})", hides=(), of_numbers=True))
runs(abs, scalar=Kernel(np.absolute, "abs({0})", hides=(), of_numbers=True))
runs(np.positive, python=operator.pos, scalar=None)
runs(operator.pos, np.real, conjugate, scalar=None)
runs(np.conjugate, python=conjugate, scalar=None)
runs(
    operator.pow, form="ufunc", holds=_power, sign="**", entries=_power,
    scalar=Kernel(by_entry(math.pow), "{f}({0}, {1})", "pow", math.pow),
)  # fmt: skip
runs(
    _square, form="ufunc", holds=plain_ufunc,
    scalar=Kernel(by_entry(_squared), "{f}({0}, 2.0)", "square", math.pow, hides=()),
)  # fmt: skip
runs(reduce.root, form="ufunc", holds=plain_ufunc)
_fn: Any
for _fn in (np.power, np.float_power, np.fmax, np.fmin):
    runs(_fn, scalar=Kernel(by_entry(_fn), name=_fn.__name__, scalar=_fn))

# Functions of one number of which neither result is finite if the operand is not.
runs(np.sin, scalar=Kernel(np.sin, hides=()))
runs(np.cos, scalar=Kernel(np.cos, hides=()))
runs(parts.sign, scalar=Kernel(np.sign))
runs(
    elementwise.relu, form="ufunc", entries=lambda equation: (np.maximum, (equation.inputs[0], 0)),
    scalar=Kernel(_floor, "({0} if {0} > 0 or {0} != {0} else 0.0)", "relu"),
)  # fmt: skip

# Comparisons and choices. The larger of two zeros depends on the machine, so at a tie NumPy is asked.
for _fn, _sign in (
    (np.greater, ">"), (np.greater_equal, ">="), (np.less, "<"), (np.less_equal, "<="), (np.equal, "=="),
    (np.logical_or, "or"), (np.logical_and, "and"),
):  # fmt: skip
    runs(_fn, scalar=_infix(_fn, _sign, 0, 1))
runs(np.not_equal, neutral=0, scalar=_infix(np.not_equal, "!=", 0, 1))  # masks are compared with 0
runs(np.bitwise_or, scalar=_infix(np.logical_or, "or"))
runs(np.bitwise_and, scalar=_infix(np.logical_and, "and"))
runs(np.bitwise_xor, scalar=_infix(np.not_equal, "!="))
runs(np.logical_not, np.invert, scalar=Kernel(np.logical_not, "(not {0})"))
runs(
    np.where,
    form="selection",
    holds=chooses_or_zero,
    scalar=Kernel(into_last(np.where), "({1} if {0} else {2})", "where"),
)
runs(
    np.maximum,
    scalar=Kernel(_larger, "({0} if {0} > {1} else {1} if {0} < {1} else {f}({0}, {1}))", "maximum", np.maximum),
)
runs(
    np.minimum,
    scalar=Kernel(_smaller, "({0} if {0} < {1} else {1} if {0} > {1} else {f}({0}, {1}))", "minimum", np.minimum),
)

# Views, copies, entries.
runs(np.transpose, form="transpose", holds=is_view)
runs(np.broadcast_to, form="stretch", holds=is_view)
runs(np.reshape, form="reshape", holds=is_view, call=np.reshape)
runs(index.getitem, form="part", holds=is_view, otherwise="item", number="item", shape="mask")
runs(np.copy, form="copy", holds=is_copy, call=np.copy)
runs(np.astype, form="copy", holds=is_copy, call=np.astype)
runs(np.array, form="copy", holds=is_copy)
runs(np.concatenate, form="join", holds=is_join)
runs(index.scatter, form="scatter")
runs(index.setitem, form="setitem")

# Products and reductions.
runs(np.matmul, form="matmul", holds=is_product)
runs(np.dot, form="dot", holds=is_product, number="dot", harmless=True)
runs(reduce.total, form="reduction", holds=reduces, number="sum", reduces=np.add, harmless=True)
runs(
    reduce.sum_in_front, form="front", holds=is_of_matrix, otherwise="reduction", number="sum", reduces=np.add,
    harmless=True,
)  # fmt: skip
runs(reduce.mean, form="mean", holds=is_mean, number="mean", harmless=True)
runs(reduce.largest, form="reduction", holds=reduces, reduces=np.maximum, harmless=True)
runs(reduce.smallest, form="reduction", holds=reduces, reduces=np.minimum, harmless=True)
runs(np.any, form="reduction", holds=reduces, reduces=np.logical_or, harmless=True)
runs(np.all, form="reduction", holds=reduces, reduces=np.logical_and, harmless=True)

runs(np.linalg.eig, np.linalg.eigvals, unsteady=True)  # of real matrices: real or complex, before NumPy 2.5

# What has as many entries as values want it; a replay has buffers of one size.
runs(
    np.nonzero, np.flatnonzero, np.argwhere, np.extract, np.compress, np.unique, np.trim_zeros, np.intersect1d,
    shape="found",
)  # fmt: skip
runs(values.plain, shape="found")  # of one of these
runs(statistics.counts, statistics.binned, shape="counts")
runs(statistics.tally, statistics.tally_of_ones, statistics.raw_edges, shape="bins")
