"""Arguments at which every operation is tested: SAMPLES for the rows of RULES, COMPOSITE_SAMPLES for the composites.

An entry takes a random generator and yields samples. What is differentiated by are the arrays and NumPy scalars of
floats among the arguments, wherever they stand; Python numbers, integers and booleans are constants. Everything is
given in float64: the contract (test_rules.py) casts it to every other dtype that the function accepts.
"""

from __future__ import annotations

import importlib
import itertools
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autograd_core.ops import elementwise, index, norms, products, reduce

INF, NAN = np.inf, np.nan
EDGES = np.array([0.0, -0.0, 1.0, -1.0, INF, -INF, NAN])
MASK = np.array([[True, False, True], [True, True, False]])


@dataclass(frozen=True)
class Sample:
    """One call. Where it is not `smooth` (ties, edges of the domain) values and spaces are compared, derivatives not."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    smooth: bool = True
    kinds: str = "efdFD"  # the precisions in which the function is there, and has derivatives
    through: Callable[..., tuple[Any, ...]] | None = (
        None  # what makes arguments from `args`: a positive definite matrix
    )

    def call(self, fn: Any, args: Any, kwargs: Any) -> Any:
        """Return ``fn(*args, **kwargs)`` of arguments in the places of this sample's own."""
        return fn(*(self.through(*args) if self.through else args), **kwargs)


def S(*args: Any, **kwargs: Any) -> Sample:
    return Sample(args, kwargs)


def rough(*args: Any, **kwargs: Any) -> Sample:
    return Sample(args, kwargs, smooth=False)


def through(make: Callable[..., tuple[Any, ...]], *args: Any, **kwargs: Any) -> Sample:
    return Sample(args, kwargs, through=make)


def name_of(fn: Any) -> str:
    """Return a name that belongs to one function only: np.sum and our own sum may both exist."""
    module = (getattr(fn, "__module__", None) or "numpy").replace("autograd_core.ops.", "ops.")
    if isinstance(fn, np.ufunc) and getattr(np, fn.__name__, None) is not fn:
        module = "umath" if fn.__name__ == "clip" else "special"  # behind a method of arrays: a.clip(t, 1); or SciPy's
    return f"{module}.{fn.__name__}".replace("numpy.", "np.")


def samples_of(fn: Any) -> list[Sample]:
    """Return the samples of a function, the same every time and in whatever order tests run."""
    make = SAMPLES.get(fn) or COMPOSITE_SAMPLES[fn]
    return list(make(np.random.default_rng(zlib.crc32(name_of(fn).encode()))))


# --- numbers ----------------------------------------------------------------------------------------------------------
# A drawing takes a generator and a shape. None comes near a kink: finite differences need room.


def between(low, high):
    return lambda rng, shape=(): np.asarray(low + (high - low) * rng.random(shape))[()]


def beyond(low, high):
    """Draw numbers of both signs whose size is between `low` and `high`."""
    return lambda rng, shape=(): between(low, high)(rng, shape) * rng.choice([-1.0, 1.0], shape)


def distinct(rng, shape=()):
    """Draw numbers of which no two are closer than 0.3."""
    n = int(np.prod(shape))
    return np.reshape(0.37 * rng.permutation(n) - 0.15 * n + 0.05, shape)[()]


def apart(offset):
    """Draw whole numbers plus an offset: two such arrays with different offsets never tie."""
    return lambda rng, shape=(): np.asarray(rng.integers(-2, 3, shape) + offset)[()]


normal = between(-2, 2)
positive = between(0.3, 2)
nonzero = beyond(0.3, 2)
regular = lambda rng, shape: between(-1, 1)(rng, shape) + 3 * np.eye(*shape[-2:])  # matrices far from singular


# --- families ---------------------------------------------------------------------------------------------------------


def unary(draw):
    def samples(rng):
        yield S(draw(rng, (2, 3)))
        yield S(draw(rng))
        yield S(draw(rng, (6, 2))[::-2].T)  # neither contiguous nor aligned with memory
        yield S(draw(rng, (0, 2)))
        yield rough(EDGES)

    return samples


def binary(first, second, *more):
    def samples(rng):
        yield S(first(rng, (2, 3)), second(rng, (2, 3)))
        yield S(first(rng, (2, 1, 3)), second(rng, (2, 1)))
        yield S(first(rng, (3,)), second(rng))
        yield S(first(rng), second(rng))
        yield S(first(rng, (2, 2)).T, float(second(rng)))
        yield S(float(first(rng)), second(rng, (1, 2)))
        yield S(first(rng, (3, 1)), second(rng, (0,)))
        yield rough(EDGES[:, None], EDGES)
        yield rough(first(rng, (2,)), 0.0)  # numbers that promote nothing, nor does what the rule makes of them
        yield rough(0, second(rng, (2,)))
        yield rough(first(rng, (2,)), 1)
        yield from more

    return samples


def reduction(draw, *more, empty=True):
    """Samples of a function of (x, axis, keepdims); `more` are (kwargs of a call on an array of shape (2, 3))."""

    def samples(rng):
        x = draw(rng, (2, 3, 2))
        yield S(x)
        yield S(x, 1)
        yield S(x.T, axis=-1)
        yield S(x, axis=(0, -1))
        yield S(x, axis=(-1, 1), keepdims=True)
        yield S(x[0], keepdims=True)
        yield S(x[1], axis=())
        yield S(draw(rng))
        yield S(draw(rng, (1, 3)), axis=0)
        yield S(np.zeros((0, 3)), axis=-1)
        if empty:
            yield S(np.zeros((0, 3)), axis=0)
            yield S(draw(rng), axis=-1)
        yield rough(EDGES)
        for kwargs in more:
            yield S(draw(rng, (2, 3)), **kwargs)

    return samples


def calls(*shapes, draw=normal):
    """Samples written as (shape or shapes of the arrays, further positional arguments..., {keywords})."""

    def samples(rng):
        for shape, *rest in shapes:
            kwargs = rest.pop() if rest and isinstance(rest[-1], dict) else {}
            yield S(draw(rng, shape), *rest, **kwargs)

    return samples


def pairs(*shapes, draw=normal, **common):
    """Samples of a function of two arrays, written as (shape, shape, {keywords})."""

    def samples(rng):
        for a, b, *rest in shapes:
            yield S(draw(rng, a), draw(rng, b), **common, **(rest[0] if rest else {}))

    return samples


RANKS = ((), (2,), (3,), (2, 3), (3, 2), (3, 3), (1, 2, 3), (2, 3, 3))


def of_all_ranks(fn, draw=normal, **common):
    """Samples of a product of two arrays, of all pairs of ranks from 0 to 3 that NumPy takes: the smallest of each."""

    def samples(rng):
        seen = set()
        for a, b in itertools.product(RANKS, RANKS):
            try:
                fn(np.ones(a), np.ones(b), **common)
            except (ValueError, TypeError, IndexError, np.linalg.LinAlgError):
                continue
            if (len(a), len(b)) not in seen:
                seen.add((len(a), len(b)))
                yield S(draw(rng, a), draw(rng, b), **common)

    return samples


def lists(*shapes, draw=normal):
    """Samples of a function of a list of arrays, written as ([shapes], {keywords})."""

    def samples(rng):
        for parts, *rest in shapes:
            yield S([draw(rng, shape) for shape in parts], **(rest[0] if rest else {}))

    return samples


def also(samples, *more):
    """Add to a family samples that need no numbers drawn, functions of a generator that make one, or other families."""

    def longer(rng):
        yield from samples(rng)
        for sample in more:
            made = sample(rng) if callable(sample) else sample
            yield from [made] if isinstance(made, Sample) else made

    return longer


# --- element-wise -----------------------------------------------------------------------------------------------------


def quotients(rng):
    """Samples of remainders: no quotient near a whole number."""
    for shape_a, shape_b in [((2, 3), (2, 3)), ((2, 1), (3,)), ((), (2,)), ((), ()), ((0, 2), (2,))]:
        b = between(2.0, 2.1)(rng, shape_b) * rng.choice([-1.0, 1.0], shape_b)
        yield S(np.asarray(2.0 * rng.integers(-2, 2, shape_a) + between(0.9, 1.1)(rng, shape_a))[()], b)
    yield S(np.array([3.1, -3.1]), 2.0)
    yield rough(EDGES[:, None], EDGES)


def wheres(rng):
    a, b = normal(rng, (2, 3)), normal(rng, (2, 3))
    yield S(MASK, a, b)
    yield S(MASK[:, :1], a[0], b)
    yield S(MASK, normal(rng), 0.0)
    yield S(MASK, 1.0, b)
    yield S(True, a[:, :1], b[0])
    yield S(np.array([1, 0, 2]), a, b[:1])  # whatever is not 0 is taken
    yield S(np.zeros((0, 3), bool), a[:1], 2.0)


def beside_numbers(rng):
    """Samples of np.maximum and np.minimum of an array and a Python number."""
    yield S(apart(0.3)(rng, (2, 3)), 0.0)
    yield S(-1.0, apart(0.3)(rng, (3,)))
    yield S(apart(0.3)(rng, (0,)), 1)
    yield rough(np.array([0.0, 1.0, -1.0]), 0.0)
    yield rough(EDGES, 0.0)
    yield rough(EDGES, NAN)


powers = also(
    binary(positive, beyond(0.5, 2)),
    lambda rng: S(nonzero(rng, (2, 3)), 3.0),
    lambda rng: S(nonzero(rng, (2, 3)), 2),
    lambda rng: S(nonzero(rng, (3,)), np.array([[2], [-1], [0]])),
    lambda rng: S(normal(rng, (3,)), 0),
    lambda rng: S(nonzero(rng), -2.0),
    lambda rng: S(2, normal(rng, (2,))),
)

# fmt: off
anywhere, inside = unary(normal), unary(between(-0.9, 0.9))
SAMPLES: dict[Any, Callable[[Any], Any]] = {
    **dict.fromkeys([np.positive, np.negative, np.conjugate, np.real, np.imag], anywhere),
    **dict.fromkeys([np.degrees, np.rad2deg, np.radians, np.deg2rad], anywhere),
    **dict.fromkeys([np.square, np.exp, np.exp2, np.expm1, np.sin, np.cos, np.sinh, np.cosh, np.tanh], anywhere),
    **dict.fromkeys([np.arctan, np.arcsinh], anywhere),
    **dict.fromkeys([np.absolute, np.fabs, np.cbrt, np.reciprocal, elementwise.relu], unary(nonzero)),
    **dict.fromkeys([np.sqrt, np.log, np.log2, np.log10, reduce.root], unary(positive)),
    **dict.fromkeys([np.arcsin, np.arccos, np.arctanh, np.log1p], inside),
    np.tan: unary(between(-1.2, 1.2)),
    np.arccosh: unary(between(1.2, 3)),
    elementwise.sinc: also(anywhere, S(np.array([0.0, 1e-5, -2e-3, 1e-3 / np.pi, 1.0, 3.5]))),
    np.add: also(binary(normal, normal), S(np.ones(2), np.arange(2)), S(np.ones(2), 2.0, dtype=np.float64)),
    np.subtract: binary(normal, normal),
    np.multiply: binary(normal, normal),
    np.divide: binary(normal, nonzero),
    **dict.fromkeys([np.power, np.float_power], powers),
    **dict.fromkeys([np.remainder, np.fmod], quotients),
    **dict.fromkeys([np.maximum, np.minimum, np.fmax, np.fmin], binary(apart(0.1), apart(0.6))),
    **dict.fromkeys([elementwise.at_least, elementwise.at_most], beside_numbers),
    **dict.fromkeys([np.logaddexp, np.logaddexp2], binary(normal, normal)),
    **dict.fromkeys([np.hypot, np.arctan2, np.copysign], binary(nonzero, nonzero)),
    np.where: wheres,
}

# fmt: on
# --- indexing ---------------------------------------------------------------------------------------------------------

INDICES = [
    *(1, -1, slice(None), slice(None, None, -2), None, Ellipsis, ()),
    *((0, 2), (slice(1), -1), (Ellipsis, 0), (0, None, slice(1, 3))),
    *([0, 1, 0], np.array([-1, 0]), np.array([[1, 1], [0, 1]]), (slice(None), [0, 2, 2]), ([0, 1], [-1, 0])),
    *((slice(None, 1), np.array([2, 0])), (np.array([[0], [1]]), [0, 2]), (0, [1, 1]), (None, [1, 0])),
    *(MASK, MASK[:, 0], (slice(None), MASK[0]), (1, MASK[1]), np.zeros((2, 3), bool), [], np.int64(1), np.array(1)),
]
POSITIONS = np.arange(6).reshape(2, 3)  # POSITIONS[i] has the shape of what an index takes


def gets(rng):
    for i in INDICES:
        yield S(normal(rng, (2, 3)), index=i)
    yield S(normal(rng, (2, 3, 2)), index=([0, 1], slice(None), [1, 1]))
    yield S(normal(rng, (4, 2)), index=np.array([3, 3, 0]))
    yield S(normal(rng), index=())
    yield S(normal(rng, (0, 2)), index=(slice(None), 1))


def scatters(rng):
    for i in INDICES:
        yield S(normal(rng, POSITIONS[i].shape), index=i, shape=(2, 3))
    yield S(normal(rng, (3, 2)), index=np.array([3, 3, 0]), shape=(4, 2))


def adds(rng):
    for i in INDICES:
        yield S(normal(rng, (2, 3)), normal(rng, POSITIONS[i].shape), index=i)


def sets(rng):
    yield from adds(rng)
    yield S(normal(rng, (2, 3)), normal(rng), index=1)
    yield S(normal(rng, (2, 3)), normal(rng, (2, 1)), index=(slice(None), [0, 2]))
    yield S(normal(rng, (2, 3)), 0.5, index=MASK)
    yield S(np.zeros(3), normal(rng, (2,)), index=np.array([1, 1]))  # the last one stays


SAMPLES |= {
    np.diagonal: calls(
        ((3, 3),),
        ((2, 3), 1),
        ((3, 2), -2),
        ((2, 3, 2), 0, 0, 2),
        ((2, 3, 2), {"offset": -1, "axis1": 1, "axis2": 0}),
        ((2, 3), 5),
    ),
}
SAMPLES |= {
    index.ordered: calls(((2, 3), {"axis": -1, "kind": "stable"}), ((5,), {"axis": -1, "kind": None}), ((2, 3, 2), {"axis": -2, "kind": None}), draw=distinct),
    index.parted: calls(((5,), {"kth": 2, "axis": -1, "kind": "introselect"}), ((2, 3, 2), {"kth": 1, "axis": -2, "kind": "introselect"}), draw=distinct),
    elementwise.between: also(
        calls(((2, 3), {"low": -0.4, "high": 0.6}), ((), {"low": 0, "high": 1}), ((0, 2), {"low": 0.0, "high": 1.0}), draw=apart(0.3)),
        rough(EDGES[2:], low=0.0, high=1.0),
    ),
}  # fmt: skip
SAMPLES |= {index.getitem: gets, index.scatter: scatters, index.setitem: sets, index.added_at: adds}

# fmt: off
COMPOSITE_SAMPLES: dict[Any, Callable[[Any], Any]] = {
    np.sinc: also(anywhere, S(np.array([0.0, 0.5, 1.0]))),
    np.clip: also(
        calls(
            ((2, 3), -0.4, 0.6), ((2, 3), None, 0.6), ((3,), 0.1, None), ((3,), {"min": -0.4, "max": 1}), ((), 0.1, 1),
            draw=apart(0.3),
        ),
        S(np.array([[0.2, 3.0, -1.0]]), np.array([[0.0], [1.0]]), np.array([1.5, 2.5, 4.0])),
        S(np.zeros((0, 2)), -1, 1),
        rough(np.array([0.0, 1.0, 0.5]), 0.0, 1.0),
        rough(EDGES[2:], 0.0, 1.0),  # NumPy leaves the sign of a zero beside an equal bound open
    ),
    elementwise.CLIP: calls(((2, 3), -0.4, 0.6), ((3,), np.array([0.1, -0.5, 0.0]), 1), ((), 0.1, 1), draw=apart(0.3)),
    np.take: calls(
        ((2, 3), 4), ((2, 3), [0, 5, 0]), ((2, 3), [[1, -1]], 1), ((2, 3), np.array([1]), {"axis": 0}),
        ((3,), [7, -8], {"mode": "wrap"}), ((3,), [7, -8], {"mode": "clip"}), ((2, 3, 2), [2, 2], {"axis": -2}), ((2, 3), np.zeros(0, int), {"axis": 1}),
    ),
    np.take_along_axis: calls(
        ((2, 3), np.array([[0, 0], [2, 1]]), 1), ((2, 3), np.array([[1, 0, 1]]), 0), ((2, 3), np.array([5, 5]), None),
        ((3,), np.array([-1]), {"axis": -1}), ((2, 3), np.array([[2, 0]]), {"axis": 1}),
        ((3, 2), np.array([4, 1, 1, 0]), {"axis": None}), ((3, 3), np.array([8, 2]), None),
    ),
    np.compress: lambda rng: iter([
        S([True, False, True], normal(rng, (2, 3)), axis=1), S([0, 1], normal(rng, (2, 3))),
        S([False], normal(rng, (3,)), 0),
    ]),
    np.extract: lambda rng: iter([S(MASK, normal(rng, (2, 3))), S(MASK[0], normal(rng, (3,)))]),
    np.trace: calls(((3, 3),), ((2, 3), 1), ((2, 3, 2), -1, 1, 0), ((2, 2), {"dtype": np.float64})),
    np.diag: calls(((3,),), ((2,), 1), ((2,), -2), ((3, 3),), ((2, 3), {"k": 1}), ((2, 3), -1), ((0,),)),
    np.diagflat: calls(((2, 2),), ((2,), -1), ((), 1)),
    np.sort: also(
        calls(
            ((2, 3),), ((2, 3), 0), ((2, 3), None), ((3,), {"kind": "heapsort"}),
            ((2, 3, 2), {"axis": -2, "stable": True}), ((0, 2),), draw=distinct,
        ),
        rough(np.array([1.0, 0.0, 1.0, NAN, -INF])),
    ),
    np.partition: also(
        calls(((5,), 2), ((2, 3), 1, 0), ((2, 3), 3, None), ((2, 3), {"kth": -1}), ((5,), (1, 3)), draw=distinct),
        rough(np.array([1.0, 0.0, 1.0]), 1),
    ),
    np.diff: also(
        calls(
            ((4,),), ((2, 3), 2), ((3, 2), {"axis": 0}), ((2, 3), {"prepend": 1.0}),
            ((2, 3), {"append": np.zeros((1, 3)), "axis": 0}), ((3,), 0), ((2, 1),),
        ),
        lambda rng: S(normal(rng, (2, 3)), prepend=normal(rng, (2, 2)), append=normal(rng)),
        lambda rng: S(np.arange(3), append=normal(rng, (2,))),
    ),
}

# --- joining and splitting --------------------------------------------------------------------------------------------

three = ([(2,), (1,), (0,)],)
blocks = ([(2, 3), (2, 3)],)
SAMPLES[np.concatenate] = also(
    lists(
        three, blocks, ([(2, 1), (2, 3)], {"axis": -1}), ([(2, 1), (3,)], {"axis": None}), ([(2, 3)], {"axis": 1}),
        ([(1, 2, 1), (1, 1, 1)], {"axis": 1}),
    ),
    lambda rng: S((np.arange(2), normal(rng, (2,)), np.ones(1, np.float32)), 0),
    lambda rng: S([normal(rng, (2,)), normal(rng, (1,))], dtype=np.float64),
    lambda rng: S(normal(rng, (2, 1, 3))),  # the rows of one array
)
SAMPLES[np.stack] = also(
    lists(blocks, ([(3,), (3,)], {"axis": 1}), ([(), ()],), ([(2, 3)], {"axis": -2}), ([(0,), (0,)],)),
    lambda rng: S((np.arange(2), normal(rng, (2,)), np.ones(2, np.float32)), -1),
    lambda rng: S(normal(rng, (2, 1, 3)), axis=1),  # the rows of one array
)
split_many = [((5, 2), [1, 3]), ((4, 2), 2), ((4, 2), [3, 1, 9])]
COMPOSITE_SAMPLES |= {
    np.vstack: lists(blocks, ([(3,), (2, 3)],), ([(), ()],)),
    np.hstack: lists(three, blocks, ([(), (1,)],)),
    np.dstack: lists(([(2,), (2,)],), blocks, ([(2, 1, 2), (2, 1)],)),
    np.column_stack: lists(([(2,), (2, 3)],), ([(3,), (3,)],), ([()],)),
    np.append: pairs(((2,), (3,)), ((2, 2), ()), ((2, 1), (2, 2), {"axis": 1})),
    np.block: lambda rng: iter([
        S([[normal(rng, (2, 2)), normal(rng, (2, 1))], [normal(rng, (1, 1)), normal(rng, (1, 2))]]),
        S([[np.eye(2), normal(rng, (2,)).reshape(2, 1)]]), S([[[normal(rng, (2,))]], [[normal(rng, (2,))]]]),
        S([normal(rng, (2,)), normal(rng)]), S(normal(rng, (2,))),
    ]),
    np.array_split: calls(*split_many, ((5, 2), 3), ((2, 5), 2, 1), ((2, 3), 3, {"axis": -1}), ((1,), 2)),
    np.split: calls(*split_many, ((2, 4), 2, 1), ((2, 3), [1], {"axis": -1})),
    np.hsplit: calls(((4,), 2), ((2, 3), [1]), ((1, 4, 2), 4)),
    np.vsplit: calls(((4, 2), 2), ((3, 1, 2), [1])),
    np.dsplit: calls(((1, 2, 4), 2), ((1, 1, 3), [1])),
    np.unstack: calls(((2, 3),), ((2, 3), {"axis": 1}), ((1, 2, 2), {"axis": -1})),
    np.select: lambda rng: iter([
        S([MASK, ~MASK], [normal(rng, (2, 3)), normal(rng, (3,))]),
        S([MASK[0], np.array([True, True, False])], [normal(rng, (3,)), 2.0], default=0.5),
        S([MASK], [normal(rng)], np.arange(6).reshape(2, 3)),
    ]),
}

# --- products ---------------------------------------------------------------------------------------------------------

matrices = [((2, 3), (3, 2)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3))]
SAMPLES |= {
    np.matmul: also(
        pairs(
            *matrices, ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 1)), ((2, 1, 2, 3), (2, 3, 2)), ((3,), (2, 3, 2)),
            ((2, 2, 3), (3,)),
        ),
        lambda rng: S(normal(rng, (3, 2)).T, normal(rng, (4, 3))[::2].T),
        lambda rng: S(np.arange(4).reshape(2, 2), normal(rng, (2, 2))),
        of_all_ranks(np.matmul),
    ),
    np.dot: also(
        pairs(
            *matrices, ((), (2, 3)), ((3,), ()), ((), ()), ((2, 2, 3), (3,)), ((2, 2, 3), (3, 2)), ((3,), (2, 3, 2)),
            ((2, 3), (2, 3, 2)), ((1, 2, 3), (2, 3, 1)),
        ),
        lambda rng: S(2.0, normal(rng, (2,))),
        of_all_ranks(np.dot),
    ),
    products.vecdot: also(pairs(((3,), (3,)), ((2, 1, 3), (2, 3))), of_all_ranks(np.vecdot)),
    products.on_diagonal: calls(
        ((3,), {"term": "ii", "shape": (3, 3)}), ((2, 3), {"term": "iij", "shape": (2, 2, 3)}),
        ((2,), {"term": "iii", "shape": (2, 2, 2)}),
    ),
    products.contract: lists(
        (blocks[0], {"subscripts": "ij,kj->ik"}), ([(2, 2)], {"subscripts": "ii->i"}), ([(2, 3)], {"subscripts": "ij->"}),
        ([(2,), (2, 3), (3,)], {"subscripts": "i,ij,j->"}), ([(2, 3), (3,)], {"subscripts": "ij,k->kj"}),
    ),
}
einsums = [
    *[
        ("ij,jk", (2, 3), (3, 2)), ("ij,jk->ki", (2, 3), (3, 2)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("ij->ji", (2, 3)),
        ("ij->", (2, 3)),
    ],
    *[
        ("i,i->i", (3,), (3,)), ("i,j", (2,), (3,)), ("i,ij,j", (2,), (2, 3), (3,)), ("iij,j->i", (2, 2, 3), (3,)),
        ("iji->j", (2, 3, 2)),
    ],
    *[
        ("...ij,jk->...ik", (2, 1, 2), (2, 3)), ("...i,...i", (2, 3), (1, 3)), ("i...->...", (2, 3)), ("...", (2,)),
        ("ab...,b", (2, 3, 2), (3,)),
    ],
    *[
        ("ij,j->i", (2, 3), (1,)), ("ij,kl->jl", (2, 3), (2, 2)), (",i", (), (3,)), ("i , i -> ", (3,), (3,)),
        ("ii,ii->i", (2, 2), (2, 2)),
    ],
    *[("...,...", a, b) for a in ((), (3,), (2, 3), (1, 2, 3)) for b in ((), (3,), (2, 3), (2, 2, 3))],
]
kernels = [
    ((2, 3), (3, 2), {"axes": 1}), ((2, 3), (2, 3)), ((2, 3), (3, 2), {"axes": ([0, 1], [1, 0])}),
    ((2, 3), (2,), {"axes": (0, -1)}), ((2,), (3,), {"axes": 0}),
]
COMPOSITE_SAMPLES |= {
    np.inner: also(pairs(((2, 1, 3), (2, 3))), of_all_ranks(np.inner)),
    np.outer: also(pairs(((0,), (2,))), of_all_ranks(np.outer)),
    np.vdot: of_all_ranks(np.vdot),
    np.vecdot: also(pairs(((2, 1, 3), (2, 3)), ((3, 2), (3, 2), {"axis": 0})), of_all_ranks(np.vecdot)),
    np.tensordot: also(
        pairs(*kernels, ((2, 3, 2), (3, 2, 2), {"axes": ((1, -1), (0, 2))})),
        *(of_all_ranks(np.tensordot, axes=axes) for axes in (0, 1, 2, ([-1], [0]))),
    ),
    np.einsum: lambda rng: iter([
        *(S(subscripts, *(normal(rng, shape) for shape in shapes)) for subscripts, *shapes in einsums),
        S("ij,jk,kl", normal(rng, (2, 3)), normal(rng, (3, 2)), normal(rng, (2, 2)), optimize=True),
        S(normal(rng, (2, 3)), [0, 1], normal(rng, (3, 2)), [1, 2], [0, 2]), S(normal(rng, (2, 2)), [0, 0]),
    ]),
    np.kron: also(pairs(((2, 2), (1, 3)), ((1, 2, 1), (2, 1))), of_all_ranks(np.kron)),
}

# --- reductions -------------------------------------------------------------------------------------------------------

some = {"where": MASK}
ddofs = [{"ddof": 1}, {"axis": -1, "ddof": 1, "keepdims": True}, {"axis": 0, "ddof": 0.5}]
moments = [
    *ddofs, {"correction": 1}, {"axis": 1, **some}, {"dtype": np.float64},
    {"axis": 1, "mean": np.array([[0.3], [-0.2]])},
]
bounded = [{"initial": 0.0}, {"axis": 1, "initial": -3.0, **some}]
with_zeros = [S(np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 1.5]])), S(np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 1.5]]), axis=1)]
ties = [
    rough(np.array([[1.0, 2.0, 2.0], [2.0, 0.0, -1.0]])), rough(np.array([[1.0, 2.0, 2.0], [2.0, 0.0, 2.0]]), axis=0),
]
low_infinite = [rough(np.array([[-INF, -INF], [0.0, -INF]]), axis=1), rough(np.array([INF, 1.0, INF]))]


def running(draw):
    return also(
        calls(
            ((2, 3),), ((3,), 0), ((2, 3), {"axis": -1}), ((2, 3, 2), 1), ((),), ((0, 2), {"axis": 1}),
            ((2, 1), {"axis": 0, "dtype": np.float64}), draw=draw,
        ),
        rough(EDGES[::-1]),
    )


SAMPLES |= {
    reduce.total: reduction(normal),
    reduce.sum_in_front: calls(((2, 3), (0,)), ((4,), (0,)), ((2, 3, 2), (0,)), ((2, 3, 2), (0, 1)), ((0, 3), (0,))),
    reduce.mean: reduction(normal, empty=False),
    **dict.fromkeys(
        [reduce.total_where, reduce.mean_where],
        reduction(normal, some, {"axis": 0, "keepdims": True, **some}, {"dtype": np.float64}, empty=False),
    ),
    reduce.total_from: pairs(
        ((2, 3), ()), ((2, 3), (), {"axis": 0, **some}), ((2, 1), (), {"axis": -1, "keepdims": True}),
    ),
    reduce.product_from: pairs(((2, 3), ()), ((2, 3), (), {"axis": 0}), ((2, 1), (), {"axis": -1, "keepdims": True})),
    reduce.variance: reduction(normal, *ddofs, empty=False),
    reduce.variance_where: reduction(normal, *ddofs, {"axis": -1, **some}, {"keepdims": True, **some}, empty=False),
    reduce.variance_about: pairs(
        ((2, 3), ()), ((2, 3), (2, 1), {"axis": 1, "ddof": 1}),
        ((2, 3), (1, 3), {"axis": 0, "keepdims": True, "where": MASK[:, :1]}),
    ),
    reduce.deviation: also(reduction(normal, *ddofs, empty=False), rough(np.ones((2, 3)), axis=1)),
    reduce.product: also(reduction(nonzero), *with_zeros),
    reduce.largest: also(reduction(distinct, empty=False), *ties),
    reduce.smallest: also(reduction(distinct, empty=False), *ties),
    reduce.logsumexp: also(reduction(normal, empty=False), *low_infinite),
    np.cumsum: running(normal),
    np.cumprod: also(
        running(nonzero), *with_zeros, S(np.array([2.0, 0.0, 3.0, 0.0, 1.0])),
        S(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]]), axis=0),
    ),
}
COMPOSITE_SAMPLES |= {
    np.sum: also(
        reduction(
            normal, {"initial": 2.0}, some, {"axis": 1, "where": MASK[0], "initial": 1, "keepdims": True},
            {"dtype": np.float64}, {"axis": 0, "dtype": complex},
        ),
        lambda rng: S(normal(rng, (2, 3)), 0, None, None, True),
        lambda rng: S(normal(rng, (5, 300))[:1], axis=1, where=np.arange(300) % 7 > 2),
    ),
    np.mean: reduction(normal, some, {"axis": 1, "keepdims": True, **some}, {"dtype": np.float64}, empty=False),
    np.var: reduction(normal, *moments, empty=False),
    np.std: also(reduction(normal, *moments, empty=False), rough(np.ones((2, 3)), axis=1)),
    np.prod: also(
        reduction(nonzero, {"initial": 2.0}, some, {"axis": 1, "initial": 3, **some}, {"dtype": np.float64}),
        *with_zeros,
    ),
    np.max: also(reduction(distinct, *bounded, empty=False), *ties),
    np.min: also(reduction(distinct, {"initial": 0.0}, {"axis": 1, "initial": 3.0, **some}, empty=False), *ties),
    np.ptp: also(reduction(distinct, empty=False), *ties),
    np.average: also(
        calls(
            ((2, 3),), ((2, 3), 0), ((2, 3), {"axis": (0, 1), "keepdims": True}),
            ((2, 3), {"weights": np.array([1, 2, 0]), "axis": -1}), ((3,), {"returned": True}),
        ),
        lambda rng: S(normal(rng, (2, 3)), weights=positive(rng, (2, 3)), returned=True),
        lambda rng: S(normal(rng, (2, 3)), axis=1, weights=positive(rng, (3,)), keepdims=True),
        lambda rng: S(normal(rng, (2, 3, 2)), axis=(2, 0), weights=positive(rng, (2, 2))),
        *(
            lambda rng, how=how: S(normal(rng, (2, 3, 2)), weights=positive(rng, (2, 3, 2)), **how)
            for how in ({"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (2, 0), "returned": True}, {"axis": (0, 1)})
        ),
        lambda rng: S(normal(rng, (2, 2)), axis=(1, 0), weights=positive(rng, (2, 2))),
    ),
}

# --- shapes -----------------------------------------------------------------------------------------------------------

twisted = lambda *args, **kwargs: lambda rng: S(normal(rng, (2, 3, 2)).T, *args, **kwargs)  # in Fortran's order
SAMPLES |= {
    np.reshape: also(
        calls(
            ((2, 3), (3, 2)), ((2, 3), -1), ((2, 3), (-1, 2), {"order": "F"}), ((), (1, 1)), ((0, 2), (2, 0, 1)),
            ((4,), {"shape": (2, 2), "copy": True}), ((1,), ()),
        ),
        *(twisted((4, 3), order=order) for order in "CF"),
    ),
    np.transpose: calls(
        ((2, 3),), ((2, 3, 1), (2, 0, 1)), ((2, 3, 1), {"axes": (-1, 0, 1)}), ((3,),), ((),), ((2, 0, 1), [1, 2, 0]),
    ),
    np.broadcast_to: calls(
        ((3,), (2, 3)), ((2, 1), (2, 2, 3)), ((), (2,)), ((3,), {"shape": 3}), ((1, 2), (0, 2)), ((1, 2), (1, 2)),
        ((2,), (0, 2)),
    ),
    np.repeat: also(
        calls(
            ((2, 3), 2), ((2, 3), 2, 1), ((2, 3), [1, 0, 2], {"axis": -1}), ((2, 1), np.array([2, 3, 1])[:2]),
            ((3,), 0), ((2, 2), [3], 0), ((), 2), ((0,), 2),
        ),
        lambda rng: S(normal(rng, (2, 3, 2)), [2, 0], axis=0),
    ),
    np.flip: calls(((2, 3),), ((2, 3), 0), ((2, 3, 2), {"axis": (0, -1)}), ((),), ((2, 3), ())),
    np.roll: calls(
        ((2, 3), 1), ((2, 3), -2, 1), ((2, 3), (1, 2), {"axis": (0, -1)}), ((3,), 7), ((2, 3), 1, {"axis": (0, 0)}),
        ((), 1), ((3,), np.int64(1), 0),
    ),
    np.tril: calls(((3, 3),), ((2, 3), 1), ((2, 3, 2), {"k": -1}), ((3,),)),
    np.triu: calls(((3, 3),), ((2, 3), 1), ((2, 3, 2), {"k": -1}), ((3,),)),
    np.copy: also(calls(((2, 3),), ((),), ((2, 3), "F"), ((0,), {"order": "K"})), twisted(), twisted(order="K")),
    np.astype: also(
        calls(((2, 3), np.float64), ((2, 3), complex), ((), np.float64), ((2,), np.float64, {"copy": False})),
        rough(np.array([1 / 3, 1e3]), np.float32),
    ),
}
whole = [((2, 3),), ((2, 1, 3),), ((),), ((3,),), ((0, 2),)]
COMPOSITE_SAMPLES |= {
    np.ravel: also(calls(*whole, ((2, 3), "F"), ((2, 3), {"order": "K"})), *(twisted(order) for order in "CFAK")),
    np.squeeze: calls(*whole[1:3], ((1, 2, 1), 0), ((1, 2, 1), {"axis": (0, -1)}), ((2, 1), -1), ((1,),)),
    np.expand_dims: calls(((2, 3), 0), ((2, 3), -1), ((2,), (0, 2)), ((), {"axis": 0})),
    **dict.fromkeys(
        [np.atleast_1d, np.atleast_2d, np.atleast_3d],
        also(calls(*whole), lambda rng: S(normal(rng), normal(rng, (2,)), normal(rng, (1, 2)))),
    ),
    np.swapaxes: calls(((2, 3), 0, 1), ((2, 3, 1), -1, 0), ((3,), 0, 0)),
    np.moveaxis: calls(((2, 3, 1), 0, -1), ((2, 3, 1), (0, 1), (-1, 0)), ((2, 1), 1, 1)),
    np.rollaxis: calls(((2, 3, 1), 2), ((2, 3, 1), 0, 2), ((2, 3, 1), -1, 1)),
    np.matrix_transpose: calls(((2, 3),), ((2, 3, 1),)),
    np.broadcast_arrays: pairs(((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2,))),
    np.tile: calls(((2, 3), 2), ((2,), (2, 2)), ((2, 1, 2), (3, 1)), ((), 3), ((2,), 0), ((3,), ())),
    np.fliplr: calls(((2, 3),), ((1, 2, 2),)),
    np.flipud: calls(((2, 3),), ((3,),)),
    np.rot90: calls(((2, 3),), ((2, 3), 2), ((2, 3), -1), ((2, 1, 3), 1, (2, 0)), ((2, 3), {"k": 4})),
}

# --- linear algebra ---------------------------------------------------------------------------------------------------


def definite(a):
    """Make a positive definite matrix of any square one."""
    return (a @ a.conj().swapaxes(-1, -2) + 2 * np.eye(a.shape[-1], dtype=a.dtype),)


def regulars(*shapes, **kwargs):
    """Samples of a function of a regular matrix and, where a second shape is given, of another array."""

    def samples(rng):
        for a, *b in shapes:
            yield S(regular(rng, a), *(normal(rng, shape) for shape in b), **kwargs)

    return samples


square = [((3, 3),), ((2, 2, 2),), ((1, 1),), ((0, 2, 2),)]
singular = [np.ones((3, 3)), np.zeros((2, 2)), np.diag([2.0, 0.0, 0.0]), np.stack([np.eye(2), np.ones((2, 2))])]
SAMPLES |= {
    np.linalg.inv: regulars(*square),
    np.linalg.solve: regulars(
        ((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 2, 2), (2, 2, 1)), ((2, 2, 2), (2,)), ((2, 2), (3, 2, 1)),
        ((2, 2), (2, 0)),
    ),
    np.linalg.det: also(regulars(*square), *(S(a) for a in singular)),
    np.linalg.slogdet: also(regulars(*square), S(np.array([[0.0, 1.0], [2.0, 0.3]])), rough(np.ones((2, 2)))),
    np.linalg.cholesky: lambda rng: iter([
        *(through(definite, normal(rng, shape)) for (shape,) in square), through(
            definite, normal(rng, (2, 2)), upper=True,
        ),
    ]),
    norms.euclidean: also(
        calls(
            ((2, 3),), ((2, 3, 2), {"axis": (0, -1)}), ((2, 3), {"axis": 1, "keepdims": True}), ((),),
            ((0, 3), {"axis": 0}), draw=nonzero,
        ),
        rough(np.zeros((2, 3)), axis=1),
    ),
    norms.p_norm: also(
        calls(
            ((2, 3), {"ord": 3, "axis": -1}), ((2, 3), {"ord": 1.5, "axis": 0, "keepdims": True}),
            ((3,), {"ord": -2, "axis": 0}), draw=nonzero,
        ),
        rough(np.zeros((2, 3)), ord=3, axis=1),
    ),
}
vector_norms = [
    ((3,),), ((2, 3), {"axis": 1}),
    *(((2, 3), {"axis": 1, "ord": p, "keepdims": p < 0}) for p in (0, 1, 2, 3, -1, INF, -INF)),
]
matrix_norms = [
    ((2, 3),), *(((2, 3, 2), {"ord": p, "axis": (0, 2)}) for p in ("fro", 1, -1, INF, -INF)), ((3, 3), 1),
    ((2, 2), "fro", (1, 0), True),
]
COMPOSITE_SAMPLES |= {
    np.linalg.norm: also(
        calls(*vector_norms, *matrix_norms, ((2, 3, 2),), ((),), draw=nonzero), rough(np.zeros((2, 2))),
        rough(np.array([1.0, -1.0]), INF),
    ),
    np.linalg.vector_norm: calls(
        *vector_norms, ((2, 3),), ((2, 3, 2), {"axis": (0, -1), "ord": 1, "keepdims": True}), draw=nonzero,
    ),
    np.linalg.matrix_norm: calls(((2, 3),), ((2, 3, 2), {"ord": 1, "keepdims": True}), draw=nonzero),
    np.linalg.matrix_power: lambda rng: iter(
        [S(regular(rng, (2, 2)), n) for n in (0, 1, 2, 3, 5, -1, -2)] + [S(normal(rng, (2, 2, 2)), 4)],
    ),
    np.linalg.multi_dot: lists(
        ([(2, 3), (3, 2)],), ([(2, 3), (3, 4), (4, 1)],), ([(3,), (3, 2), (2, 2), (2,)],), ([(3,), (3, 2), (2, 3)],),
        ([(3,), (3,)],), ([(2, 3), (3,)],), ([(3,), (3, 2)],), ([(2, 2, 3), (3, 2)],), ([(), (2,)],),
    ),
    np.linalg.tensorinv: lambda rng: iter(
        [S(regular(rng, (4, 4)).reshape(2, 2, 4), ind=2), S(regular(rng, (4, 4)).reshape(4, 2, 2), ind=1)],
    ),
    np.linalg.tensorsolve: lambda rng: iter([
        S(regular(rng, (4, 4)).reshape(2, 2, 4), normal(rng, (2, 2))), S(
            regular(rng, (4, 4)).reshape(2, 4, 2).copy(), normal(rng, (4,)), axes=(0,),
        ),
    ]),
    np.cross: also(
        pairs(((3, 2), (3, 2), {"axis": 0}), ((2, 3), (3, 2), {"axisb": 0, "axisc": 0})),
        of_all_ranks(np.linalg.cross),  # np.cross of 2 entries is refused, and deprecated
    ),
    np.linalg.cross: also(pairs(((3, 2), (3, 2), {"axis": 0})), of_all_ranks(np.linalg.cross)),
    np.linalg.matmul: also(pairs(*matrices), of_all_ranks(np.linalg.matmul)),
    np.linalg.matrix_transpose: calls(((2, 3),), ((2, 3, 1),)),
    np.linalg.tensordot: also(pairs(*kernels), of_all_ranks(np.linalg.tensordot, axes=1)),
    np.linalg.vecdot: also(pairs(((3, 2), (3, 2), {"axis": 0})), of_all_ranks(np.linalg.vecdot)),
    np.linalg.diagonal: calls(((3, 3),), ((2, 3, 2), {"offset": -1})),
    np.linalg.trace: calls(((3, 3),), ((2, 3, 2), {"offset": 1})),
    np.linalg.outer: pairs(((2,), (3,))),
}

# fmt: on
# --- families whose samples have files of their own -------------------------------------------------------------------
# They import this one, so they come last.

for _path in sorted(Path(__file__).parent.glob("samples_*.py")):
    _module = importlib.import_module(_path.stem)
    SAMPLES |= getattr(_module, "SAMPLES", {})
    COMPOSITE_SAMPLES |= getattr(_module, "COMPOSITE_SAMPLES", {})
