"""Hypothesis strategies for whoever checks derivatives: shapes, arrays, axes, indices, matrices, whole programs.

    from autograd_core.checking.strategies import operands, tensors

    @given(tensors(domain="positive", layout="any"))
    def test_my_log(x): ...

Shapes with no axes, empty axes and axes of length 1 are always in the mix. Values are short decimals, so examples are
readable and shrink to simpler ones; they come from domains that keep away from the places where there is no derivative.
Hypothesis is imported when a strategy is asked for.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .expressions import RandomProgram, build, chosen

__all__ = [
    "DOMAINS",
    "Domain",
    "arranged",
    "away_from",
    "axes",
    "broadcastable",
    "cotangents",
    "dtypes",
    "indices",
    "operands",
    "orthogonal",
    "programs",
    "scales",
    "shapes",
    "spd",
    "tensors",
    "well_conditioned",
]

Shape = tuple[int, ...]
LAYOUTS = ("C", "F", "strided", "negative", "readonly", "expanded")


def hypothesis() -> Any:
    """Return Hypothesis' strategies, or say which extra brings them."""
    try:
        from hypothesis import strategies
    except ImportError as error:
        raise ImportError("the strategies need Hypothesis: pip install 'autograd-core[check]'") from error
    return strategies


# --- values -----------------------------------------------------------------------------------------------------------


class Domain(NamedTuple):
    """Where values come from: between `low` and `high`, no nearer than `gap` to any of `avoid`.

    With `exponents` they are log-uniform instead: a sign (if `low` < 0), three digits, a power of ten in that range.

    Examples
    --------
    >>> Domain(-1.0, 1.0, avoid=(0.0,), gap=0.25).segments()
    [(-1.0, -0.25), (0.25, 1.0)]
    """

    low: float = -3.0
    high: float = 3.0
    avoid: tuple[float, ...] = ()
    gap: float = 0.05
    exponents: tuple[int, int] | None = None

    def segments(self) -> list[tuple[float, float]]:
        """Return the intervals that are left."""
        found, start = [], self.low
        for point in sorted(self.avoid):
            if point - self.gap >= start:
                found.append((start, min(point - self.gap, self.high)))
            start = max(start, point + self.gap)
        return [*found, (start, self.high)] if start <= self.high else found

    def elements(self) -> Any:
        """Return a strategy for one value: the simplest, to which examples shrink, is the one nearest to 0."""
        return _elements(self)

    def _strategy(self) -> Any:
        st = hypothesis()
        if self.exponents is not None:
            low, high = self.exponents
            tenths = st.integers(100, 999)
            exponent = (
                st.integers(low, high) if low > 0 or high < 0 else st.integers(0, high - low).map(_near_zero(low, high))
            )
            signs = st.sampled_from([1, -1] if self.low < 0 else [1])
            return st.builds(lambda s, m, e: float(f"{s * m / 100}e{e}"), signs, tenths, exponent)
        parts = sorted(self.segments(), key=lambda ends: (max(ends[0], -ends[1], 0.0), ends[0] < 0))
        if not parts:
            raise ValueError(f"nothing is left of {self}")
        return st.one_of(*(_decimals(a, b) for a, b in parts))

    def sample(self, rng: np.random.Generator, shape: Shape) -> Any:
        """Return values from a generator."""
        if self.exponents is not None:
            size = 10.0 ** rng.uniform(self.exponents[0], self.exponents[1] + 1, shape)
            return size * rng.choice([1.0, -1.0] if self.low < 0 else [1.0], shape)
        parts = self.segments()
        lengths = np.array([b - a for a, b in parts])
        share = lengths / lengths.sum() if lengths.sum() else np.full(len(parts), 1 / len(parts))
        which = rng.choice(len(parts), shape, p=share)
        low, high = np.array(parts).T
        return np.asarray(low[which] + (high - low)[which] * rng.random(shape))


@functools.lru_cache(256)
def _elements(domain: Domain) -> Any:
    """Return one strategy for one domain: Hypothesis looks at each new one for longer than it draws from it."""
    return domain._strategy()


def _near_zero(low: int, high: int) -> Callable[[int], int]:
    """Return a map of 0, 1, 2, ... to the numbers from low to high, those near 0 first."""
    order = sorted(range(low, high + 1), key=abs)
    return lambda k: order[k]


def _decimals(low: float, high: float) -> Any:
    """Return decimals with about three digits between two numbers."""
    st = hypothesis()
    digits = 3 - math.floor(math.log10(high - low)) if high > low else 6
    unit = 10.0**-digits
    a, b = math.ceil(low / unit - 1e-9), math.floor(high / unit + 1e-9)
    return st.integers(min(a, b), max(a, b)).map(lambda k: min(max(round(k * unit, max(digits, 0)), low), high))


DOMAINS = {
    "real": Domain(),
    "positive": Domain(0.1, 4.0),
    "unit": Domain(0.05, 0.95),
    "open": Domain(-0.95, 0.95),
    "nonzero": Domain(avoid=(0.0,), gap=0.1),
    "above 1": Domain(1.1, 5.0),
    "angle": Domain(-1.4, 1.4),
}


def away_from(points: Sequence[float] | float, gap: float = 0.05, low: float = -3.0, high: float = 3.0) -> Domain:
    """Return the numbers between `low` and `high` that are no nearer than `gap` to some points: kinks, poles.

    Examples
    --------
    >>> away_from(0).segments()
    [(-3.0, -0.05), (0.05, 3.0)]
    """
    return Domain(low, high, tuple(np.atleast_1d(points).tolist()), gap)


def scales(low: int = -8, high: int = 8, *, positive: bool = False) -> Domain:
    """Return numbers of all sizes from 10**low to 10**(high + 1), log-uniformly.

    Examples
    --------
    >>> scales(-2, 2).exponents
    (-2, 2)
    """
    return Domain(0.0 if positive else -math.inf, exponents=(low, high))


def domain_of(domain: Any) -> Domain:
    """Return a domain by its name, by its ends, or itself."""
    if isinstance(domain, str):
        if domain not in DOMAINS:
            raise ValueError(
                f"no domain is called {domain!r}; there are {', '.join(map(repr, DOMAINS))}, or Domain(low, high)"
            )
        return DOMAINS[domain]
    if isinstance(domain, Domain):
        return domain
    low, high = domain
    return Domain(float(low), float(high))


# --- shapes and dtypes ------------------------------------------------------------------------------------------------


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4) -> Any:
    """Return a strategy for shapes, among them no axes, empty axes and axes of length 1."""
    st = hypothesis()
    sides = st.sampled_from(sorted(range(min_side, max_side + 1), key=lambda n: (n == 0, n)))
    return st.lists(sides, min_size=min_dims, max_size=max_dims).map(tuple)


def broadcastable(n: int = 2, max_dims: int = 3, max_side: int = 4, min_side: int = 1) -> Any:
    """Return a strategy for `n` shapes that broadcast together: axes missing in front, axes of length 1."""
    st = hypothesis()

    def narrowed(shape: Shape) -> Any:
        one = st.tuples(st.integers(0, len(shape)), st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
        return st.lists(one, min_size=n, max_size=n).map(lambda cuts: tuple(_narrow(shape, *cut) for cut in cuts))

    return shapes(0, max_dims, min_side, max_side).flatmap(narrowed)


def _narrow(shape: Shape, missing: int, ones: list[bool]) -> Shape:
    return tuple(1 if one else n for n, one in list(zip(shape, ones, strict=True))[missing:])


def dtypes(kinds: str = "f") -> Any:
    """Return a strategy for dtypes: floats ("f"), complex numbers ("c"), half precision ("e"), integers ("i")."""
    known = {"f": ["float64", "float32"], "c": ["complex128", "complex64"], "e": ["float16"], "i": ["int64"]}
    return hypothesis().sampled_from([np.dtype(name) for kind in kinds for name in known[kind]])


# --- arrays -----------------------------------------------------------------------------------------------------------


def tensors(
    shape: Any = None,
    dtype: Any = np.float64,
    *,
    domain: Any = "real",
    distinct: float = 0.0,
    layout: str = "C",
    elements: str = "draw",
) -> Any:
    """Return a strategy for arrays (scalars of NumPy for shape ``()``).

    Parameters
    ----------
    shape : tuple of int or strategy, optional
        `shapes()` by default.
    dtype : dtype or strategy
    domain : str, Domain or (low, high)
        One of `DOMAINS`, ``away_from(0)``, ``scales(-8, 8)``, or your own.
    distinct : float
        If positive, no two entries are nearer to each other than this: no ties for maxima, sorts and medians.
    layout : str
        "C", "F", "strided", "negative" (strides), "readonly", "expanded" (strides of 0), or "any" of them.
    elements : str
        "draw" draws every entry, which shrinks; "seed" draws one number for all, which is quick for large arrays.
    """
    st = hypothesis()
    domain = domain_of(domain)
    if elements not in ("draw", "seed"):
        raise ValueError(f"elements is 'draw' or 'seed', not {elements!r}")
    if layout not in (*LAYOUTS, "any"):
        raise ValueError(f"layout is one of {', '.join(LAYOUTS)} or any, not {layout!r}")

    @functools.lru_cache(256)
    def filled(shape: Shape, dtype: Any) -> Any:
        n = math.prod(shape) * (2 if np.dtype(dtype).kind == "c" else 1)
        if distinct and n:
            values = _apart(n, distinct, domain)
        elif elements == "seed":
            values = st.integers(0, 2**32 - 1).map(lambda seed: domain.sample(np.random.default_rng(seed), (n,)))
        else:
            values = st.lists(domain.elements(), min_size=n, max_size=n)
        arrays = values.map(lambda v: _shaped(np.asarray(v, np.float64), shape, dtype))
        if layout == "C":
            return arrays
        return st.builds(arranged, arrays, st.sampled_from(LAYOUTS) if layout == "any" else st.just(layout))

    return st.tuples(_strategy(shapes() if shape is None else shape), _strategy(dtype)).flatmap(lambda s: filled(*s))


def _shaped(values: Any, shape: Shape, dtype: Any) -> Any:
    if np.dtype(dtype).kind == "c":
        values = values[: len(values) // 2] + 1j * values[len(values) // 2 :]
    return np.reshape(values, shape).astype(dtype)[()]


def _apart(n: int, gap: float, domain: Domain) -> Any:
    """Return a strategy for `n` numbers no two of which are nearer than a gap."""
    st = hypothesis()
    parts = domain.segments() if domain.exponents is None else [(domain.low, domain.high)]
    grid = np.concatenate([np.arange(a, b + 1e-12, gap) for a, b in parts])
    if len(grid) < n:
        raise ValueError(f"{n} numbers at least {gap} apart do not fit into {domain}")
    grid = grid[np.argsort(np.abs(grid), kind="stable")]
    return st.lists(st.integers(0, len(grid) - 1), min_size=n, max_size=n, unique=True).map(lambda k: grid[k])


def _strategy(x: Any) -> Any:
    st = hypothesis()
    return x if isinstance(x, st.SearchStrategy) else st.just(x)


def arranged(a: Any, layout: str) -> Any:
    """Return an array with the same values and another layout in memory ("expanded" repeats its first entries).

    Examples
    --------
    >>> arranged(np.arange(6.0).reshape(2, 3), "negative").strides
    (-24, -8)
    """
    a = np.asarray(a)
    if not a.ndim:
        return a[()]
    if layout == "F":
        return np.asfortranarray(a)
    if layout == "strided":
        room = np.zeros(tuple(2 * n for n in a.shape), a.dtype)
        view = room[(slice(None, None, 2),) * a.ndim]
        view[...] = a
        return view
    if layout == "negative":
        return np.flip(np.ascontiguousarray(np.flip(a)))
    if layout == "expanded":
        return np.broadcast_to(a[:1], a.shape)
    a = a.copy()
    a.flags.writeable = layout != "readonly"
    return a


def operands(
    n: int = 2,
    dtype: Any = np.float64,
    *,
    domain: Any = "real",
    max_dims: int = 3,
    min_side: int = 1,
    max_side: int = 4,
    **options: Any,
) -> Any:
    """Return a strategy for tuples of `n` arrays that broadcast together.

    `domain` may be a list, one for each; `layout` and `elements` are as for `tensors`.
    """
    st = hypothesis()
    each = domain if isinstance(domain, list) else [domain] * n
    together = broadcastable(n, max_dims, max_side, min_side)
    return together.flatmap(
        lambda group: st.tuples(
            *(tensors(shape, dtype, domain=d, **options) for shape, d in zip(group, each, strict=True))
        )
    )


def cotangents(like: Any) -> Any:
    """Return a strategy for what a pullback may be given: arrays like a result, of both signs and sizes around 1."""
    like = np.asarray(like)
    kind = like.dtype if like.dtype.kind in "fc" else np.float64
    return tensors(like.shape, kind, domain=Domain(-2.0, 2.0, avoid=(0.0,), gap=0.05))


# --- axes and indices -------------------------------------------------------------------------------------------------


def axes(ndim: int, *, none: bool = True, tuples: bool = True) -> Any:
    """Return a strategy for ``axis=`` of an array: None, positive, negative, tuples in any order."""
    st = hypothesis()
    kinds = [st.none()] if none or not ndim else []
    if ndim:
        kinds.insert(0, st.integers(-ndim, ndim - 1))
        if tuples:
            several = st.lists(st.integers(0, ndim - 1), unique=True, max_size=ndim)
            signs = st.lists(st.booleans(), min_size=ndim, max_size=ndim)
            kinds.append(st.builds(lambda a, s: tuple(i - ndim if s[i] else i for i in a), several, signs))
    return st.one_of(*kinds)


def indices(shape: Shape, *, basic: bool = False) -> Any:
    """Return a strategy for an index into an array: numbers, slices, ``...``, new axes, arrays that repeat, masks."""
    st = hypothesis()

    def along(n: int) -> Any:
        ends = st.one_of(st.none(), st.integers(-n - 1, n + 1))
        slices = st.builds(slice, ends, ends, st.sampled_from([None, 1, -1, 2, -2]))
        return st.one_of(slices, st.integers(-n, n - 1)) if n else slices

    def tuples(depth: int) -> Any:
        return st.tuples(*(along(n) for n in shape[:depth]))

    plain = st.integers(0, len(shape)).flatmap(tuples)
    kinds = [
        plain,
        plain.map(lambda index: (*index, ...)),
        plain.map(lambda index: (None, *index)),
    ]
    if not basic and shape:
        n = shape[0]
        mask = st.lists(st.booleans(), min_size=math.prod(shape), max_size=math.prod(shape))
        kinds.append(mask.map(lambda m: np.reshape(np.array(m, bool), shape)))
        if n:
            rows = st.lists(st.integers(-n, n - 1), max_size=5).map(lambda r: np.array(r, int))
            kinds += [rows, rows.map(lambda r: (r, ...)), rows.map(lambda r: np.stack([r, r]))]
            if len(shape) > 1 and shape[1]:
                pairs = st.lists(
                    st.tuples(st.integers(-n, n - 1), st.integers(0, shape[1] - 1)), min_size=1, max_size=5
                )
                kinds.append(pairs.map(lambda p: tuple(np.array(p).T)))
    return st.one_of(*kinds)


# --- matrices ---------------------------------------------------------------------------------------------------------


def orthogonal(n: int, batch: Shape = ()) -> Any:
    """Return a strategy for orthogonal matrices."""
    return hypothesis().integers(0, 2**32 - 1).map(lambda seed: _rotation(np.random.default_rng(seed), n, batch))


def well_conditioned(n: int, m: int | None = None, *, kappa: float = 10.0, batch: Shape = ()) -> Any:
    """Return a strategy for matrices whose singular values differ, lie between 1/sqrt(kappa) and sqrt(kappa)."""

    def make(seed: int) -> Any:
        rng = np.random.default_rng(seed)
        cols = n if m is None else m
        left, right = _rotation(rng, n, batch), _rotation(rng, cols, batch)
        k = min(n, cols)
        return left[..., :k] * _spectrum(rng, k, kappa) @ right[..., :k, :]

    return hypothesis().integers(0, 2**32 - 1).map(make)


def spd(n: int, *, kappa: float = 10.0, batch: Shape = ()) -> Any:
    """Return a strategy for symmetric positive definite matrices with different eigenvalues."""

    def make(seed: int) -> Any:
        rng = np.random.default_rng(seed)
        q = _rotation(rng, n, batch)
        a = q * _spectrum(rng, n, kappa) @ np.swapaxes(q, -1, -2)
        return (a + np.swapaxes(a, -1, -2)) / 2

    return hypothesis().integers(0, 2**32 - 1).map(make)


def _rotation(rng: np.random.Generator, n: int, batch: Shape) -> Any:
    return np.linalg.qr(rng.normal(size=(*batch, n, n)))[0]


def _spectrum(rng: np.random.Generator, k: int, kappa: float) -> Any:
    """Return `k` numbers around 1, log-uniform with gaps, the largest `kappa` times the smallest at most."""
    if k < 2:
        return np.ones(k)
    places = (np.arange(k) + rng.uniform(0.2, 0.8, k)) / k
    return kappa ** (rng.permutation(places) - 0.5)


# --- programs ---------------------------------------------------------------------------------------------------------


def programs(
    max_size: int = 8, *, inputs: int = 2, operations: Sequence[str] | None = None, dtype: Any = np.float64
) -> Any:
    """Return a strategy for whole random programs over NumPy, whose values are used many times.

    A program is called like a function of its `inputs`, prints as Python source, and shrinks to the shortest that still
    fails. Its inputs keep away from kinks and poles. `operations` restricts it to those whose source contains one of
    the given texts.

    Examples
    --------
    >>> from hypothesis import given
    >>> import autograd_core as ag
    >>> @given(programs(max_size=3))
    ... def test_values(program):
    ...     assert all(np.all(np.isfinite(y)) for y in program(*program.inputs))
    """
    st = hypothesis()
    ways = 4 * 6 * 6  # to choose two operands and a parameter
    rows = st.lists(st.integers(0, ways * len(chosen(operations)) - 1), min_size=1, max_size=max_size)
    groups = st.sampled_from([g[:n] for n in range(1, inputs + 1) for g in GROUPS])
    numbers = st.lists(Domain(-2.0, 2.0).elements(), min_size=12, max_size=12)

    def make(drawn: tuple[list[int], list[Shape], list[float]]) -> RandomProgram:
        codes, group, values = drawn
        arrays = [np.resize(np.roll(values, -5 * k), shape).astype(dtype)[()] for k, shape in enumerate(group)]
        return build([(c // ways, c // 36 % 4, c // 6 % 6, c % 6) for c in codes], arrays, operations)

    return st.tuples(rows, groups, numbers).map(make)


# Shapes of inputs that broadcast together, in three places; more are made of them by the programs.
GROUPS: list[list[Shape]] = [
    [(2,), (2,), ()],
    [(), (3,), (2, 1)],
    [(3,), (), (3,)],
    [(2, 3), (3,), (1, 3)],
    [(3, 1), (1, 3), (3, 3)],
    [(1, 2), (2, 2), (2,)],
    [(2, 1, 2), (3, 1), (2,)],
    [(), (), ()],
]


def program_of(rng: np.random.Generator, size: int = 8, inputs: int = 2) -> RandomProgram:
    """Return a random program from a generator, without Hypothesis: for runs by the thousand."""
    full = tuple(int(n) for n in rng.integers(1, 4, rng.integers(0, 4)))
    group = [_narrow(full, int(rng.integers(len(full) + 1)), list(rng.random(len(full)) < 0.3)) for _ in range(inputs)]
    values = tuple(np.round(rng.uniform(-2, 2, shape), 3)[()] for shape in group)
    return build([tuple(map(int, row)) for row in rng.integers(0, 1000, (size, 4))], values)
