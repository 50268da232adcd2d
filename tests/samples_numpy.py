"""Arguments at which the functions of parts, nans, statistics, calculus, polynomials, editing, creation, choosing and methods are tested.

In the form of samples.py, with two more kinds of sample: of functions that write into their first argument, and of
those that ask a Tensor only when it is given as ``like=``.
"""

import numpy as np
from samples import (
    EDGES,
    INF,
    MASK,
    NAN,
    S,
    Sample,
    anywhere,
    apart,
    between,
    beyond,
    binary,
    calls,
    distinct,
    nonzero,
    normal,
    of_all_ranks,
    pairs,
    positive,
    quotients,
    reduction,
    rough,
    unary,
)

from autograd_core.ops import (
    calculus,
    choosing,
    creation,
    editing,
    methods,
    nans,
    parts,
    polynomials,
    statistics,
    values,
)
from autograd_core.rules import Door


class InPlace(Sample):
    """A call whose result is its first argument, of which it is given a copy."""

    def call(self, fn, args, kwargs):
        target, *rest = super().call(lambda *a, **_: a, args, kwargs)
        target = target.copy()
        assert fn(target, *rest, **kwargs) is None
        return target


class Same(Sample):
    """A call of a function of two arguments with an array and the same without derivatives."""

    def call(self, fn, args, kwargs):
        return fn(*args, values.values(*args), **kwargs)


class Like(Sample):
    """A call that NumPy hands to a Tensor only by ``like=``."""

    def call(self, fn, args, kwargs):
        tensors = [a for a in flat(args) if type(a) is Door.kind]
        return fn(*args, **kwargs, **({"like": tensors[0]} if tensors else {}))


def flat(args):
    for a in args:
        yield from flat(a) if isinstance(a, list | tuple) else [a]


def P(make, *shape, **kwargs):
    """Draw an array and make of it the arguments of a function that writes into the first of them."""
    return lambda rng: InPlace((normal(rng, shape),), kwargs, through=make)


def T(make, *shape, draw=normal, **kwargs):
    """Draw an array and make the arguments of it, where NumPy asks some of them, but not others."""
    return lambda rng: Sample((draw(rng, shape),), kwargs, through=make)


def L(*args, **kwargs):
    return Like(args, kwargs)


def all_of(*makers):
    """Join samples, functions of a generator that make one, and families of them."""

    def family(rng):
        for make in makers:
            made = make(rng) if callable(make) else make
            yield from [made] if isinstance(made, Sample) else made

    return family


# --- parts of numbers -------------------------------------------------------------------------------------------------

exponents = [((2, 3), 2), ((3,), np.array([0, -1, 3])), ((2, 1), np.array([1, 2])), ((), 1), ((0,), 1)]
SAMPLES = {
    **dict.fromkeys([parts.fraction, parts.mantissa], unary(apart(0.3))),
    parts.scaled: calls(*((shape, {"power": power}) for shape, power in exponents if shape != (2, 1))),
    np.nextafter: binary(normal, normal),
    np.heaviside: all_of(
        all_of(
            lambda rng: S(np.array([[0], [1], [-1]]), normal(rng, (2,))),
            lambda rng: S(0, normal(rng)),
            lambda rng: S(2.0, normal(rng, (2,))),
        ),
        rough(EDGES[:, None], EDGES),
    ),
    **dict.fromkeys(
        [np.i0, parts.i1], all_of(unary(normal), S(np.array([0.0, 9.0, -20.0, 1e-3])), rough(np.array([700.0, 1e3])))
    ),
    parts.complex_of: pairs(((2, 3), (2, 3)), ((2, 1), (3,)), ((), ())),
    parts.direction: all_of(unary(nonzero), rough(np.zeros(2))),
    values.instead: lambda rng: iter([Same((normal(rng, shape),)) for shape in ((2, 3), ())]),
}
holes = np.array([[NAN, 0.5, 2.0], [-1.0, NAN, NAN]])
COMPOSITE_SAMPLES = {
    np.modf: unary(apart(0.3)),
    np.frexp: unary(apart(0.3)),
    np.ldexp: calls(*exponents),
    np.divmod: quotients,
    np.angle: all_of(anywhere, calls(((3,), True), ((2,), {"deg": True}), draw=nonzero)),
    np.sign: all_of(unary(nonzero), rough(np.zeros(2))),
    np.real_if_close: all_of(anywhere, T(lambda x: (x * (1 + 0j) + 1e-17j,), 3), calls(((3,), 1e20))),
    np.sort_complex: all_of(calls(((5,),), ((2, 3),), draw=distinct), rough(EDGES[1:])),
    np.nan_to_num: all_of(
        anywhere, S(holes), rough(np.array([1.0, INF, -INF, NAN]), nan=3.0, posinf=1e4), rough(EDGES, neginf=-1.0)
    ),
    np.emath.sqrt: all_of(calls(((3,),), ((),), draw=nonzero), calls(((2, 3),), draw=positive), rough(EDGES)),
    **dict.fromkeys(
        [np.emath.log, np.emath.log2, np.emath.log10],
        all_of(calls(((3,),), ((),), draw=nonzero), calls(((2, 3),), draw=positive)),
    ),
    **dict.fromkeys(
        [np.emath.arccos, np.emath.arcsin, np.emath.arctanh], calls(((3,),), ((2, 2),), ((),), draw=beyond(0.2, 0.8))
    ),
    np.emath.power: all_of(
        pairs(((3,), (3,)), ((2, 1), ()), draw=nonzero),
        lambda rng: S(-positive(rng, (3,)), 2),
        lambda rng: S(2, nonzero(rng, (2,))),
    ),
    np.emath.logn: all_of(pairs(((3,), (3,)), draw=beyond(1.5, 2)), lambda rng: S(2, nonzero(rng, (2,)))),
}

# --- past NaN ---------------------------------------------------------------------------------------------------------


def hollow(draw, *more, **common):
    """Samples of a reduction that looks past NaN; `more` are keywords of calls on an array of shape (2, 3)."""

    def family(rng):
        x = np.where(rng.random((2, 3, 4)) < 0.3, NAN, draw(rng, (2, 3, 4)))
        x[..., 0] = draw(rng, (2, 3))  # no slice without a number
        yield from (
            S(x, **common),
            S(x, axis=2, **common),
            S(x[..., :2], axis=-1, keepdims=True, **common),
            S(draw(rng, (2, 3)), axis=0, **common),
        )
        yield S(np.array([NAN, 0.5]), **common)
        for kwargs in more:
            yield S(np.where(np.array([[True, False, False], [False, False, True]]), NAN, draw(rng, (2, 3))), **kwargs)

    return family


some = {"where": np.array([[True, True, False], [True, False, True]])}
several = {"axis": (0, 1)}
center = {"mean": np.array([[0], [1]]), "axis": 1}
nan_moments = hollow(
    normal,
    several,
    {"axis": 0, "ddof": 0.5},
    {"axis": 1, "correction": 0.5, "keepdims": True},
    {"axis": 1, **some},
    center,
    {"dtype": np.float64},
)
COMPOSITE_SAMPLES |= {
    np.nansum: hollow(normal, several, {"initial": 2.0}, {"axis": 1, **some}, {"dtype": np.float64}),
    np.nanprod: hollow(nonzero, several, {"initial": 2.0}, {"axis": 1, **some}, {"dtype": np.float64}),
    np.nanmean: hollow(normal, several, {"axis": 1, **some}, {"dtype": np.float64}),
    np.nanvar: nan_moments,
    np.nanstd: all_of(nan_moments, rough(np.array([1.0, NAN, 1.0]))),
    np.nancumsum: calls(((2, 3),), ((2, 3), 1), ((3,), {"axis": -1, "dtype": np.float64})),
    np.nancumprod: all_of(calls(((2, 3),), ((2, 3), 1), draw=nonzero), S(holes, axis=1), S(holes)),
    np.nanmax: all_of(
        hollow(distinct, several, {"initial": 0.0}, {"axis": 1, "initial": -3.0, **some}),
        rough(np.array([2.0, NAN, 2.0])),
    ),
    np.nanmin: all_of(
        hollow(distinct, several, {"initial": 0.0}, {"axis": 1, "initial": 3.0, **some}),
        rough(np.array([2.0, NAN, 2.0])),
    ),
    np.nanmedian: hollow(distinct, several),
    np.nanquantile: all_of(
        hollow(distinct, q=0.3), hollow(distinct, q=np.array([0.15, 0.85])), S(holes, 0.6, axis=1, method="hazen")
    ),
    np.nanpercentile: all_of(
        hollow(distinct, q=30.0), S(holes, [10, 80], axis=1, method="median_unbiased", keepdims=True)
    ),
}
COMPOSITE_SAMPLES |= dict.fromkeys(
    [np.amax, np.amin],
    all_of(reduction(distinct, {"axis": 0, "initial": 0.0}, empty=False), rough(np.array([2.0, 2.0]))),
)
SAMPLES |= {
    nans.known_largest: all_of(reduction(distinct, empty=False), S(holes, axis=1)),
    nans.known_smallest: all_of(reduction(distinct, empty=False), S(holes, axis=1)),
}

SAMPLES |= {
    nans.known_sum: hollow(normal, several, {"axis": 1, **some}),
    nans.known_product: hollow(nonzero, several, {"axis": 1, **some}),
    nans.known_mean: hollow(normal, several, {"axis": 1, **some}),
    **dict.fromkeys([nans.known_variance, nans.known_deviation], hollow(normal, several, {"axis": 0, "ddof": 0.5}, {"axis": 1, **some})),
    nans.known_variance_about: lambda rng: iter([
        S(holes, normal(rng, (2, 1)), axis=1), S(holes, normal(rng), keepdims=True, ddof=1), S(holes, normal(rng, (2, 1)), axis=1, **some),
    ]),
    nans.known_running_sum: all_of(calls(((2, 3),)), S(holes), S(holes, axis=1)),
    nans.known_running_product: all_of(calls(((2, 3),), draw=nonzero), S(holes), S(holes, axis=1)),
}  # fmt: skip

# --- statistics -------------------------------------------------------------------------------------------------------

METHODS = [
    *statistics.SLOPES,
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]
quantiles = [
    *(lambda rng, m=m: S(distinct(rng, (2, 5)), np.array([0.23, 0.61]), axis=1, method=m) for m in METHODS),
    *(lambda rng, q=q: S(distinct(rng, (2, 3, 2)), q, (0, 2), keepdims=q > 0.5) for q in (0.0, 0.3, 1.0)),
    lambda rng: S(distinct(rng, (5,)), np.array([[0.21, 0.4, 0.55], [0.3, 0.61, 0.6]])),
    lambda rng: S(distinct(rng), 0.5),
    lambda rng: S(distinct(rng, (2, 3)), [0.2, 0.5], axis=0),
    lambda rng: S(distinct(rng, (2, 5)), 0.4, axis=1, method="inverted_cdf", weights=np.array([1, 2, 1, 0, 3])),
    lambda rng: S(
        distinct(rng, (2, 3)), np.array([0.1, 0.6]), method="inverted_cdf", weights=np.array([[1, 2, 1], [3, 1, 1]])
    ),
    lambda rng: S(np.arange(6), positive(rng, (2,)) / 4),
    rough(np.array([[1.0, 1.0, 2.0], [NAN, 0.0, 1.0]]), 0.4, axis=1),
]


def percents(sample):
    """Turn a sample of np.quantile into one of np.percentile."""

    def make(rng):
        x, q, *rest = (made := sample(rng) if callable(sample) else sample).args
        return Sample((x, (np.multiply(q, 100) if np.ndim(q) else q * 100), *rest), made.kwargs, made.smooth)

    return make


COMPOSITE_SAMPLES |= {
    np.median: all_of(reduction(distinct, empty=False), rough(np.array([[1.0, 1.0, 2.0], [NAN, 0.0, 1.0]]), axis=1)),
    np.quantile: all_of(*quantiles),
    np.percentile: all_of(*(percents(q) for q in quantiles)),
    np.cov: all_of(
        calls(
            ((2, 4),),
            ((4,),),
            ((4, 2), None, False),
            ((2, 4), {"bias": True}),
            ((2, 3), {"ddof": 0}),
            ((2, 4), {"fweights": np.array([1, 2, 1, 3])}),
        ),
        lambda rng: S(normal(rng, (2, 4)), normal(rng, (1, 4))),
        lambda rng: S(normal(rng, (4,)), normal(rng, (4,)), aweights=np.array([1, 2, 1, 2]), fweights=[1, 1, 2, 1]),
        lambda rng: S(normal(rng, (4, 1)), normal(rng, (4, 2)), rowvar=False),
        lambda rng: S(normal(rng, (2, 4)), aweights=[1, 2, 3, 0.5]),
    ),
    np.corrcoef: all_of(
        calls(((3, 5),), ((5, 2), None, False)),
        lambda rng: S(normal(rng, (2, 5)), normal(rng, (5,))),
        lambda rng: S(normal(rng, (5,)), normal(rng, (5,))),
    ),
    np.bincount: all_of(
        lambda rng: S(np.array([0, 2, 2, 1]), normal(rng, (4,))), lambda rng: S([1, 1, 4], normal(rng, (3,)), 7)
    ),
    np.histogram_bin_edges: calls(((7,),), ((2, 3), 4), ((5,), {"range": (-1, 1)}), ((9,), "auto"), draw=distinct),
    np.histogram: all_of(
        calls(((7,), 5), ((7,), {"bins": 5, "density": True}), ((6,), 4, (-1.2, 1.1)), draw=distinct),
        lambda rng: S(distinct(rng, (6,)), np.array([-2, 0, 2]), weights=positive(rng, (6,))),
        lambda rng: S(np.arange(5), 3, weights=normal(rng, (5,)), density=True),
        lambda rng: S(distinct(rng, (5,)), np.array([-1.05, 0.02, 1.03]), density=True),
    ),
    np.histogram2d: all_of(
        lambda rng: S(distinct(rng, (6,)), distinct(rng, (6,)), 3, density=True),
        lambda rng: S(np.arange(4), np.arange(4)[::-1], [2, 3], weights=normal(rng, (4,))),
        lambda rng: S(distinct(rng, (5,)), distinct(rng, (5,)), bins=np.array([-3.0, 0.02, 3.0])),
    ),
    np.histogramdd: all_of(
        lambda rng: S(distinct(rng, (6, 2)), 2),
        lambda rng: S(np.arange(6).reshape(3, 2), (2, 1), weights=normal(rng, (3,)), density=True),
        lambda rng: S([distinct(rng, (4,)), distinct(rng, (4,))], bins=[np.array([-2, 0.03, 2]), 2]),
    ),
}
SAMPLES |= {
    statistics.order_statistic: lambda rng: iter(
        [
            S(distinct(rng, (2, 5)), np.array([0.2, 0.7]), of="quantile", axis=1),
            S(distinct(rng, (4,)), 0.5, of="median", axis=0, keepdims=True),
            S(distinct(rng, (2, 3)), 30.0, of="nanpercentile", method="weibull"),
        ]
    ),
    statistics.fixed_statistic: lambda rng: iter(
        [S(distinct(rng, (2, 5)), q=0.3, of="quantile", axis=1), S(distinct(rng, (4,)), q=0.5, of="median")]
    ),
    statistics.binned: lambda rng: iter(
        [S(normal(rng, (4,)), np.array([0, 2, 2, 1])), S(normal(rng, (2,)), np.array([1, 1]), minlength=3)]
    ),
    statistics.tally: all_of(
        lambda rng: S(normal(rng, (4,)), np.array([1, 2, 2, 9]), bins=np.array([0, 2, 4, 5])),
        lambda rng: S(normal(rng, (3,)), np.array([[0, 1], [2, 1], [1, 0]]), bins=2),
    ),
}

# --- calculus ---------------------------------------------------------------------------------------------------------

ascending = lambda rng, n: np.cumsum(between(0.5, 1.0)(rng, (n,)))
inner = lambda rng, n: 0.37 + 0.51 * np.arange(n)
COMPOSITE_SAMPLES |= {
    np.gradient: all_of(
        calls(
            ((5,),),
            ((3, 4),),
            ((3, 4), 2.0, {"axis": 1}),
            ((3, 4), 2, 0.5),
            ((2, 3, 2), {"axis": (0, -1)}),
            ((4,), 0.5, {"edge_order": 2}),
        ),
        *(lambda rng, k=k: S(normal(rng, (5,)), ascending(rng, 5), edge_order=k) for k in (1, 2)),
        *(lambda rng, k=k: S(normal(rng, (3, 4)), np.array([0, 1, 2, 3]), axis=1, edge_order=k) for k in (1, 2)),
        lambda rng: S(normal(rng, (4,)), positive(rng)),
        lambda rng: S(normal(rng, (3, 4)), positive(rng), ascending(rng, 4)),
        lambda rng: S(np.arange(4) ** 2, ascending(rng, 4)),
        rough(np.array([1.0, 4.0, 9.0, 10.0]), np.array([0.0, 0.5, 1.0, 1.5])),
    ),
    np.trapezoid: all_of(
        calls(((5,),), ((3, 4), {"axis": 0}), ((3, 4), None, 0.5), ((2, 3, 2), np.array([0, 1, 3]), {"axis": 1})),
        lambda rng: S(normal(rng, (2, 3)), normal(rng, (3,))),
        lambda rng: S(normal(rng, (3, 2)), normal(rng, (3, 2)), axis=0),
        lambda rng: S(normal(rng, (3,)), dx=normal(rng)),
    ),
    np.ediff1d: all_of(
        calls(((4,),), ((2, 3),), ((1,),), ((3,), {"to_begin": 0.0})),
        lambda rng: S(normal(rng, (3,)), normal(rng, (2,)), normal(rng)),
    ),
    np.cumulative_sum: calls(
        ((3,),),
        ((2, 3), {"axis": 1}),
        ((2, 3), {"axis": 0, "include_initial": True}),
        ((3,), {"dtype": np.float64}),
        ((),),
    ),
    np.cumulative_prod: calls(
        ((3,),), ((2, 3), {"axis": 1}), ((2, 3), {"axis": 0, "include_initial": True}), draw=nonzero
    ),
    np.interp: all_of(
        lambda rng: S(inner(rng, 5), np.array([0.0, 1.1, 2.2, 3.3]), normal(rng, (4,))),
        lambda rng: S(np.array([[-1.0, 0.3], [1.7, 5.0]]), np.array([0.0, 1.1, 2.2]), normal(rng, (3,))),
        lambda rng: S(1.3, np.array([0.0, 1.1, 2.2]), normal(rng, (3,)), left=9.0, right=-9.0),
        T(lambda f: (np.array([-1.0, 0.3, 5.0]), np.array([0.0, 1.1, 2.2]), f[:3], f[3], f[4]), 5),
        lambda rng: S(np.array([-1.3, 0.3, 5.2]), np.array([2.0, 0.1, 1.1]), normal(rng, (3,)), period=2.5),
        lambda rng: S(np.array([0.4, 1.5]), [0, 1, 2], [0.0, 3.0, 1.0]),
        rough(np.array([0.0, 1.0, 2.0, NAN]), np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0])),
        rough(np.array([0.0, 1.0]), np.array([0.5]), np.array([3.0])),
    ),
    **{
        fn: all_of(
            pairs(((5,), (3,)), ((3,), (5,)), ((2,), (4,)), ((4,), (4,)), ((1,), (1,))),
            *(
                lambda rng, n=n, m=m, mode=mode: S(normal(rng, (n,)), normal(rng, (m,)), mode)
                for n, m in ((5, 3), (2, 5), (4, 4), (6, 4))
                for mode in ("full", "same", "valid")
            ),
        )
        for fn in (np.convolve, np.correlate)
    },
}
SAMPLES |= {
    calculus.interpolate: lambda rng: iter(
        [
            S(inner(rng, 5), np.array([0.0, 1.1, 2.2, 3.3]), normal(rng, (4,))),
            S(np.array([-1.0, 9.0]), np.array([0.0, 1.1]), normal(rng, (2,))),
        ]
    ),
    **dict.fromkeys(
        [calculus.convolution, calculus.correlation],
        lambda rng: iter(
            [
                S(normal(rng, (n,)), normal(rng, (m,)), mode=mode)
                for n, m in ((5, 2), (4, 3), (3, 3))
                for mode in ("full", "same", "valid")
            ]
        ),
    ),
    np.unwrap: calls(((5,),), ((2, 4), {"axis": 0}), ((6,), 4.0), ((6,), {"period": 1.5}), draw=between(-6, 6)),
    np.matvec: all_of(pairs(((2, 1, 2, 3), (2, 3))), of_all_ranks(np.matvec)),
    np.vecmat: all_of(pairs(((2, 2), (2, 1, 2, 3))), of_all_ranks(np.vecmat)),
}

# --- polynomials ------------------------------------------------------------------------------------------------------

COMPOSITE_SAMPLES |= {
    np.poly: all_of(calls(((3,),), ((1,),)), T(lambda x: (np.stack([x[0] + 1j, x[0] - 1j, x[1] + 0j]),), 2)),
    np.polyadd: pairs(((3,), (3,)), ((2,), (4,)), ((3,), (1,)), ((), (2,))),
    np.polysub: pairs(((3,), (3,)), ((2,), (4,)), ((3,), (1,))),
    np.polymul: all_of(
        pairs(((3,), (2,)), ((1,), (3,)), draw=nonzero),
        lambda rng: S([1, 2], nonzero(rng, (2,))),
        lambda rng: S([0, 0], nonzero(rng, (2,))),
    ),
    np.polydiv: pairs(((4,), (2,)), ((5,), (3,)), ((2,), (2,)), ((1,), (3,)), draw=nonzero),
    np.polyder: calls(((4,),), ((4,), 2), ((3,), 0), ((2,), {"m": 3})),
    np.polyint: all_of(
        calls(((3,),), ((3,), 2), ((2,), 2, [1, 2]), ((2,), {"m": 3, "k": 2}), ((2,), 0)),
        T(lambda x: (x[:2], 2, x[2:]), 4),
    ),
    np.polyfit: all_of(
        lambda rng: S(inner(rng, 6), normal(rng, (6,)), 2),
        lambda rng: S(inner(rng, 5), normal(rng, (5, 2)), 1),
        lambda rng: S(inner(rng, 5), normal(rng, (5,)), 1, w=positive(rng, (5,))),
        lambda rng: S(np.arange(5), normal(rng, (5,)), 2, cov=True),
        lambda rng: S(np.arange(5), normal(rng, (5,)), 2, cov="unscaled"),
    ),
}
SAMPLES |= {
    np.polyval: all_of(
        pairs(((3,), (2, 3)), ((1,), ()), ((4,), (2,))),
        of_all_ranks(np.polyval),
        lambda rng: S([2, 0, 1], normal(rng, (3,))),
    ),
    np.vander: calls(((3,),), ((3,), 2), ((2,), {"N": 4, "increasing": True}), ((2,), 1), ((2,), 0), ((0,), 2)),
    np.roots: all_of(
        *(S(np.array(p)) for p in ([1.0, -3.2, -6.0, 8.5], [2.0, 0.3, 4.0], [1.0, -4.0, 2.5, 0.0], [3.0, -2.0])),
        rough(np.array([1.0, -2.0, 1.0])),
    ),
}

# --- editing ----------------------------------------------------------------------------------------------------------

windows = [((5,), 3), ((3, 4), (2, 2)), ((3, 4), 2, {"axis": 1}), ((4, 3), (2, 2, 1), (0, 0, 1)), ((3,), 3)]
pads = [
    *(
        ((2, 3), w, {"mode": m})
        for m in ("edge", "wrap", "symmetric", "reflect", "linear_ramp", "mean", "median")
        for w in (1, ((0, 2), (5, 1)))
    ),
    *(((2, 3), w, m, {"reflect_type": "odd"}) for m in ("symmetric", "reflect") for w in (1, ((1, 2), (7, 5)))),
    *(((2, 3), w) for w in (1, (1, 2), ((1, 0), (0, 2)), 0)),
    *([((2, 3), {"pad_width": {-1: 2, 0: (1, 0)}})] if np.lib.NumpyVersion(np.__version__) >= "2.4.0" else []),
    *(((2, 3), 2, {"constant_values": v}) for v in (1.5, (1.0, 2.0), ((1, 2), (3, 4)))),
    *(((4,), 2, {"mode": m, "stat_length": k}) for m in ("mean", "median") for k in (2, (1, 3))),
    *[
        ((3,), (2, 1), "linear_ramp", {"end_values": (3.0, -1.0)}),
        ((1,), 2, "reflect"),
        ((1, 2), 3, "symmetric"),
        ((0,), (1, 2), "constant"),
    ],
]
extremes = [
    ((2, 4), w, {"mode": m, **kw})
    for m in ("maximum", "minimum")
    for w, kw in ((1, {}), (((0, 2), (5, 1)), {}), (2, {"stat_length": (1, 3)}))
]
COMPOSITE_SAMPLES |= {
    np.delete: all_of(
        calls(
            ((5,), 1),
            ((5,), [0, 2]),
            ((2, 3), 1, 0),
            ((2, 3), slice(0, 2), {"axis": 1}),
            ((2, 3), 4),
            ((3,), []),
            ((2, 3), -1, -1),
            ((5,), slice(None, None, 2)),
        ),
        lambda rng: S(normal(rng, (3,)), np.array([True, False, True])),
    ),
    np.insert: all_of(
        calls(((3,), 1, 2.5), ((2, 3), [1, 1], 0.5, {"axis": 1}), ((3,), slice(0, 2), 1.0), ((2, 3), -1, 3.0)),
        lambda rng: S(normal(rng, (2, 3)), 1, normal(rng, (2,)), axis=1),
        lambda rng: S(normal(rng, (2, 3)), [0, 3], normal(rng, (2, 2)), axis=1),
        lambda rng: S(normal(rng, (2, 3)), [1], normal(rng, (2, 1)), axis=1),
        lambda rng: S(normal(rng, (2, 3)), 1, normal(rng, (2, 3)), axis=0),
        lambda rng: S(normal(rng, (3,)), [2, 0, 2], normal(rng, (3,))),
        lambda rng: S(normal(rng, (3,)), np.array([True, False, True]), normal(rng, (2,))),
    ),
    np.resize: calls(((2, 3), (3, 3)), ((2, 3), 4), ((2,), (2, 2, 2)), ((3,), (0, 2)), ((0,), (2,)), ((), 3)),
    np.trim_zeros: all_of(
        *(T(lambda x: (np.pad(x, (1, 2)),), 3, draw=nonzero, **kw) for kw in ({}, {"trim": "f"}, {"trim": "b"})),
        T(lambda x: (np.pad(x, 1),), 1, 2, draw=nonzero),
        T(lambda x: (np.pad(x, 1),), 2, 1, draw=nonzero, axis=0),
        T(lambda x: (x * 0,), 3),
    ),
    np.lib.stride_tricks.sliding_window_view: calls(*windows),
    np.pad: all_of(calls(*pads), calls(*extremes, draw=distinct)),
    np.put_along_axis: all_of(
        P(lambda x: (x[:2], np.array([[0, 2], [1, 0]]), x[2:, 1:], 1), 3, 3),
        P(lambda x: (x[:2], np.array([[1, 0, 1]]), x[2, 2]), 3, 3, axis=0),
    ),
    np.put: all_of(
        P(lambda x: (x[:2], [4, 0], x[2, :2]), 3, 3),
        P(lambda x: (x[:2], [-1, 1, 2], x[2, :2]), 3, 3),
        P(lambda x: (x, [7, -9], 2.0), 3, mode="clip"),
        P(lambda x: (x[1:], 5, x[0]), 4, mode="wrap"),
    ),
    np.place: all_of(P(lambda x: (x[:2], MASK, x[2, :2]), 3, 3), P(lambda x: (x, MASK, [1.5]), 2, 3)),
    np.putmask: all_of(
        P(lambda x: (x[:2], MASK, x[1:]), 3, 3),
        P(lambda x: (x[:2], MASK, x[2, :2]), 3, 3),
        P(lambda x: (x[1:], MASK[0], x[0]), 4),
    ),
    np.copyto: all_of(
        P(lambda x: (x[:2], x[2]), 3, 3),
        P(lambda x: (x[:2], x[1:]), 3, 3, where=MASK),
        P(lambda x: (x, 3), 2, casting="unsafe"),
    ),
    np.fill_diagonal: all_of(
        P(lambda x: (x[:3], x[3, 0]), 4, 3),
        P(lambda x: (x[:2], x[2, :2]), 3, 4),
        P(lambda x: (x, 1.5), 5, 2, wrap=True),
        P(lambda x: (x[:5], x[5, 0]), 6, 2),
        P(lambda x: (x, 0.5), 2, 2, 2),
    ),
}

SAMPLES |= {
    creation.grid: calls(((2,), {"shape": (2, 3), "axis": 0}), ((3,), {"shape": (2, 3), "axis": 1}), ((), {"shape": (1, 2), "axis": 0})),
    statistics.covariance: calls(((2, 4),), ((4,),), ((4, 2), {"rowvar": False}), ((2, 3), {"ddof": 0, "fweights": [1, 2, 1], "aweights": [1, 2, 3]})),
    statistics.correlation: calls(((2, 4),), ((4,),), ((4, 3), {"rowvar": False})),
    editing.padded: calls(
        ((2, 3), {"widths": [(0, 1), (2, 0)]}), ((2,), {"widths": [(1, 1)], "constant_values": 2.0}), ((2, 3), {"widths": [(3, 1), (5, 0)], "mode": "reflect"}), ((2,), {"widths": [(3, 1)], "mode": "wrap"}),
    ),
    calculus.area: calls(((5,), {"x": None, "dx": 0.5, "axis": -1}), ((2, 3, 2), {"x": np.array([0, 1, 3]), "dx": 1.0, "axis": -2}), ((1, 2), {"x": None, "dx": 2, "axis": -2})),
    calculus.slope: calls(((6,), {"spacing": 0.5, "axis": -1}), ((2, 5), {"spacing": np.array([0, 1, 3, 4, 6]), "axis": -1, "edge_order": 2}), ((3, 2), {"spacing": 1.0, "axis": -2, "edge_order": 2}), ((2, 1), {"spacing": 1.0, "axis": -2})),
    polynomials.monic: calls(((4,),), ((1,),)),
    parts.finite: all_of(anywhere, S(holes), rough(EDGES, nan=2.0, posinf=3.0)),
    calculus.steps: calls(((4,),), ((2, 3),), ((1,),), ((0,),)),
    editing.without: calls(((5,), {"gone": 1}), ((2, 3), {"gone": [0, -1], "axis": 1}), ((2, 3), {"gone": np.array([4])})),
    editing.inserted: pairs(((3,), (), {"places": 1}), ((2, 3), (2, 1), {"places": [1], "axis": 1}), ((2, 3), (2,), {"places": -1, "axis": -1}), ((3,), (2,), {"places": slice(0, 2)})),
    editing.refilled: calls(((2, 3), {"shape": (3, 3)}), ((2, 3), {"shape": 4}), ((0,), {"shape": (2,)})),
}  # fmt: skip

# --- creation ---------------------------------------------------------------------------------------------------------

SAMPLES[creation.spread] = pairs(
    ((), ()),
    ((2,), ()),
    ((2,), (2,), {"num": 3, "endpoint": False, "axis": -1}),
    ((), (3,), {"num": 1}),
    ((), (), {"num": 0}),
)
COMPOSITE_SAMPLES |= {
    np.linspace: all_of(
        pairs(
            ((), ()),
            ((2,), ()),
            ((2,), (2,), {"num": 3, "endpoint": False, "axis": -1}),
            ((), (3,), {"num": 1}),
            ((), (), {"retstep": True, "num": 4}),
        ),
        lambda rng: S(0, normal(rng), 5),
    ),
    np.logspace: all_of(
        pairs(((), (), {"num": 5}), ((2,), (), {"num": 3, "axis": 1, "base": 2.0})),
        lambda rng: S(0, normal(rng, (2,)), 3, base=positive(rng, (2,))),
    ),
    np.geomspace: all_of(
        pairs(
            ((), (), {"num": 5}),
            ((2,), (), {"num": 3, "axis": 1}),
            ((2,), (2,), {"num": 4, "endpoint": False}),
            ((), (), {"num": 1}),
            draw=positive,
        ),
        lambda rng: S(-1.0, -positive(rng), 4),
    ),
    np.meshgrid: all_of(
        pairs(
            ((2,), (3,)), ((2,), (3,), {"indexing": "ij"}), ((2,), (), {"sparse": True}), ((2,), (1,), {"copy": False})
        ),
        lambda rng: S(normal(rng, (2,)), normal(rng, (3,)), normal(rng, (2,))),
        lambda rng: S(normal(rng, (2,))),
    ),
    np.full_like: all_of(T(lambda x: (x, x[0]), 2, 3), T(lambda x: (x, x[0]), 2, shape=(4,))),
    np.full: all_of(lambda rng: L((2, 3), normal(rng, (3,))), lambda rng: L(3, normal(rng), np.float64)),
    np.array: all_of(
        lambda rng: L([normal(rng), normal(rng), 2.0]),
        lambda rng: L([[normal(rng), 1], [normal(rng), 2.0]]),
        lambda rng: L(normal(rng, (2,)), ndmin=3),
        lambda rng: L([normal(rng, (2,))] * 2, np.float64),
    ),
    **dict.fromkeys(
        [np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.require],
        all_of(
            lambda rng: L(normal(rng, (2, 3))),
            lambda rng: L([normal(rng), 2.0]),
            lambda rng: L(normal(rng, (2,)), np.float64),
        ),
    ),
}

# --- choosing ---------------------------------------------------------------------------------------------------------

COMPOSITE_SAMPLES |= {
    np.choose: all_of(
        lambda rng: S(np.array([0, 1, 1]), [normal(rng, (3,)), normal(rng, (3,))]),
        lambda rng: S([[1], [0]], (normal(rng, (2, 3)), normal(rng))),
        lambda rng: S(np.array([3, -1]), [normal(rng, (2,)), normal(rng, (2,))], mode="wrap"),
        lambda rng: S(np.array([3, -1]), [normal(rng, (2,)), 2.0], None, "clip"),
        lambda rng: S(np.array([0, 1, 2, 1]), normal(rng, (3, 4))),
        lambda rng: S(1, [normal(rng), normal(rng, (2,))]),
    ),
    np.piecewise: all_of(
        *(
            lambda rng, conditions=c, fns=f: S(np.array([-1.5, 0.3, 2.0]), conditions, fns)
            for c, f in (
                (np.array([[True, False, False], [False, True, False]]), [np.sin, 2.5]),
                ([np.array([True, False, False])], [np.exp, lambda x: x * x]),
                (np.array([False, True, True]), [np.cos, 1.0]),
            )
        ),
        S(np.array([0.3, 2.0]), [np.array([True, False])], [lambda x, a, b=1: a * x + b, 0.0], 3.0, b=2.0),
        S(np.array(0.7)[()], [True], [np.exp]),
    ),
    np.apply_along_axis: all_of(
        *(
            lambda rng, f=f, axis=axis: S(f, axis, distinct(rng, (2, 3, 2)))
            for f, axis in ((np.sum, 1), (np.sort, -1), (np.diff, 0), (lambda v: v[:, None] * v, 1))
        ),
        lambda rng: S(np.quantile, 0, distinct(rng, (3,)), 0.5, method="hazen"),
    ),
    np.apply_over_axes: all_of(
        lambda rng: S(np.sum, normal(rng, (2, 3, 2)), [0, 2]),
        lambda rng: S(np.cumsum, normal(rng, (2, 3)), 1),
        lambda rng: S(np.mean, normal(rng, (2, 3)), (0, -1)),
    ),
    np.unique: all_of(
        *(
            lambda rng, kw=kw: S(distinct(rng, (2, 3)), **kw)
            for kw in ({}, {"axis": 0}, {"return_inverse": True}, {"return_index": True, "axis": 1})
        ),
        T(lambda x: (np.concatenate([x, x]),), 3, draw=distinct, return_counts=True),
        *([rough(np.array([2.0, 3.0, 2.0, 0.5]), sorted=False)] if choosing.HASHES else []),
        rough(np.array([2.0, NAN, 1.0, NAN]), return_index=True, return_counts=True),
        rough(np.array([2.0, NAN, 1.0, NAN]), equal_nan=False),
    ),
    **dict.fromkeys(
        [np.unique_all, np.unique_counts, np.unique_inverse, np.unique_values],
        all_of(
            lambda rng: S(distinct(rng, (1, 1))),
            rough(np.array([[2.0, 1.0, 2.0, 0.5]])),
            rough(np.array([2.0, NAN, 1.0, NAN])),
        ),
    ),
    np.union1d: all_of(T(lambda x: (x[:3], x[1:]), 4, draw=distinct), S(np.array([2.0, 1.5]), [1, 3])),
    np.intersect1d: all_of(
        *(
            T(lambda x: (x, x[1:]), 4, draw=distinct, **kw)
            for kw in ({}, {"return_indices": True}, {"assume_unique": True})
        ),
        rough(np.array([1.0, 2.0]), [2, 5]),
    ),
    np.setdiff1d: all_of(
        T(lambda x: (x, x[2:]), 4, draw=distinct), T(lambda x: (x, x[2:]), 4, draw=distinct, assume_unique=True)
    ),
    np.setxor1d: all_of(
        T(lambda x: (x[:3], x[2:]), 4, draw=distinct), S(np.array([2.0, 1.5]), [1], assume_unique=True)
    ),
}

# --- methods of ufuncs ------------------------------------------------------------------------------------------------

tied = np.array([1.0, 0.5, 1.0, 2.0, 2.0, -1.0, 2.0, 3.0])
SAMPLES |= {
    methods.radius: all_of(reduction(nonzero), rough(np.zeros((2, 2)), axis=1)),
    methods.log_of_sum: all_of(
        reduction(normal, empty=False),
        calls(((2, 3), {"axis": 0, "base2": True})),
        rough(np.array([[-INF, -INF], [0.0, -INF]]), axis=1),
    ),
    **dict.fromkeys(
        [methods.running_max, methods.running_min],
        all_of(
            calls(((5,), {"axis": 0}), ((2, 5, 2), {"axis": 1}), ((4, 3), {"axis": 0}), draw=distinct),
            rough(tied, axis=0),
            rough(np.array([1.0, NAN, 3.0]), axis=0),
        ),
    ),
    methods.segment_sums: calls(
        ((6,), {"starts": np.array([0, 2, 1, 5]), "axis": -1}), ((2, 4, 2), {"starts": np.array([1, 3, 3]), "axis": -2})
    ),
}
