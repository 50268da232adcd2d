"""Samples of SciPy's functions, for samples.py to merge at its end; none where SciPy is not installed."""

import numpy as np
from samples import EDGES, S, Sample, between, beyond, nonzero, normal, positive, rough

from autograd_core.ops import sparse

REAL = "efd"
SAMPLES = {
    sparse.times: lambda rng: (
        S(normal(rng, shape), matrix=np.array([[2, 0, -1], [0, 1, 3]])) for shape in [(3,), (3, 2)]
    ),
}
COMPOSITE_SAMPLES = {}
unit = between(0.15, 0.85)
INTEGERS = np.array([[0], [1], [4]])


def real(*args, **kwargs):
    return Sample(args, kwargs, kinds=REAL)


def of(*draws, edges=True, complex=False, more=()):
    """Return samples of an element-wise function: whole, broadcast, a scalar, the edges of its domain."""
    make = S if complex else real

    def samples(rng):
        yield make(*(draw(rng, (2, 3)) for draw in draws))
        if len(draws) > 1:
            yield make(draws[0](rng), *(draw(rng, (3, 1)[: k + 1]) for k, draw in enumerate(draws[1:])))
        else:
            yield make(draws[0](rng))
        if edges:
            yield Sample((*(draw(rng) for draw in draws[:-1]), EDGES), smooth=False, kinds=REAL)
        yield from more

    return samples


def whole(*values):
    """Draw whole numbers, which nothing is differentiated by."""
    return lambda rng, shape=(): rng.choice(values, shape) if shape else int(rng.choice(values))


def special():
    import scipy.special as sp

    import autograd_core as ag

    sp.erf(ag.Tensor(0.5))  # from now on the rules are there
    from autograd_core.ops import special as ours

    order, degree = whole(0, 1, 2, 3), whole(0, 1, 2, 5)
    half = lambda rng, shape=(): whole(1, 3, 5)(rng) / 2
    constant = lambda rng, shape=(): float(positive(rng))
    rows = {
        "cbrt": of(nonzero), "exp2 exp10 sindg cosdg cosm1 expit log_expit": of(normal), "expm1": of(normal, complex=True),
        "log1p": of(unit, complex=True), "tandg cotdg": of(between(10, 80)), "logit": of(unit), "radian": of(normal, normal, normal, edges=False),
        "exprel": of(normal, more=[real(np.array([0.0, 1e-9, 0.029, -0.031, 0.3]))]),
        "xlogy": of(normal, positive, complex=True, more=[real(0.0, np.array([2.0, 1.0])), rough(0.0, np.array([0.0, 1.0, -1.0, np.nan]))]),
        "xlog1py": of(normal, unit, complex=True), "entr": of(positive), "rel_entr kl_div": of(positive, positive, more=[rough(0.0, np.array([0.0, 1.0]))]),
        "huber": of(between(0.5, 1), beyond(1.1, 2)), "pseudo_huber": of(positive, normal),
        "boxcox": of(positive, normal, more=[real(np.array([0.5, 2.0]), np.array([[0.0], [1e-6], [1.0]]))]), "boxcox1p": of(positive, normal),
        "inv_boxcox inv_boxcox1p": of(positive, between(0.1, 1)), "powm1": of(positive, normal), "wrightomega": of(normal, edges=False, complex=True),
        "erf erfc erfi dawsn": of(normal, complex=True), "erfcx": of(between(-1, 1), complex=True), "wofz": of(normal, complex=True, edges=False), "erfinv": of(unit), "erfcinv": of(between(0.2, 1.8)),
        "ndtr log_ndtr": of(normal, complex=True, more=[real(np.array([-30.0, -5.0, 6.0]))]), "ndtri": of(unit), "ndtri_exp": of(between(-3, -0.1)), "owens_t": of(normal, normal),
        "fresnel": of(normal, complex=True), "modfresnelp modfresnelm": of(between(0.5, 1.5), edges=False), "voigt_profile": of(normal, positive, positive),
        "gamma gammaln rgamma psi": of(positive, more=[real(np.array([-0.5, -1.4, -2.6, 5.0]))]), "loggamma": of(positive),
        "beta betaln poch": of(positive, positive), "binom": of(between(4, 5), between(1.2, 2.8)),
        "gammainc gammaincc": of(constant, positive), "gammaincinv gammainccinv": of(constant, unit),
        "betainc betaincc betaincinv betainccinv": of(constant, constant, unit), "polygamma": of(whole(0, 1, 3), positive),
        "ellipk ellipe": of(unit, more=[real(np.array([-3.0, -0.2, -0.05, 0.0, 0.05, 0.2, 0.8]))]), "ellipkm1": of(unit, more=[real(np.array([0.05, 0.95, 1.0, 1.05]))]),
        "ellipkinc ellipeinc": of(between(-4, 4), unit, more=[real(np.array([0.5, 2.0]), np.array([[0.0], [1e-4], [0.00101], [-0.7]]))]),
        "ellipj": of(normal, unit),
        "stdtr": of(constant, normal), "stdtrit": of(between(2, 3) and constant, unit), "chdtr chdtrc": of(constant, positive), "chdtri": of(constant, unit),
        "gdtr gdtrc": lambda rng: iter([real(positive(rng, (2, 3)), 1.7, positive(rng, (3,)))]), "gdtrix": lambda rng: iter([real(positive(rng, (2, 3)), 1.7, unit(rng, (3,)))]),
        "fdtr fdtrc": of(constant, constant, positive), "fdtri": of(constant, constant, unit),
        "pdtr pdtrc": lambda rng: iter([real(2.5, positive(rng, (2, 3))), real(np.array([[0.2], [3.3]]), positive(rng))]), "pdtri": of(order, unit, edges=False),
        "bdtr bdtrc": lambda rng: iter([real(2.5, np.int64(6), unit(rng, (2, 3)))]), "bdtri": lambda rng: iter([real(2, np.int64(6), unit(rng, (2, 3)))]),
        "nbdtr nbdtrc nbdtri": lambda rng: iter([real(2, 6, unit(rng, (2, 3)))]), "nrdtrimn": of(unit, positive, normal), "nrdtrisd": lambda rng: iter([real(normal(rng, (2, 3)), between(0.6, 0.8)(rng, (3,)), normal(rng))]),
        "j0 j1 i0 i1 i0e i1e": of(nonzero), "y0 y1 k0 k1 k0e k1e": of(positive), "jv": of(half, positive, complex=True, more=[real(1, np.array([0.0, -0.7])), real(np.array([[0], [2]]), np.array([0.4, -1.2]))]),
        "yv iv kv kve hankel1 hankel2 hankel1e hankel2e": of(half, positive, complex=True, edges=False), "jve yve ive": of(half, positive, edges=False),
        "yn kn": of(order, positive, edges=False), "struve modstruve": of(half, positive, edges=False),
        "airy": of(normal, complex=True), "airye": of(positive), "itairy": of(nonzero, edges=False), "kelvin": of(positive, edges=False), "ber bei berp beip": of(nonzero), "ker kei kerp keip": of(positive),
        "pbdv pbvv": of(half, positive, edges=False), "pbwa": of(half, positive, edges=False),
        "expi": of(nonzero), "exp1": of(positive, complex=True), "expn": of(order, positive, edges=False), "sici shichi": of(positive), "spence": of(positive, complex=True, more=[real(np.array([1.0 - 1e-9, 1.0]))]),
        "itj0y0 iti0k0 it2j0y0 it2i0k0 itstruve0 it2struve0 itmodstruve0": of(positive, edges=False),
        "hyp0f1": of(half, normal, complex=True, edges=False), "hyp1f1 hyperu": of(half, half, positive, edges=False), "hyp2f1": of(half, half, half, between(-0.8, 0.8), edges=False),
        "wright_bessel log_wright_bessel": of(half, half, positive, edges=False),
        "eval_chebyt eval_chebyu eval_chebyc eval_chebys eval_sh_chebyt eval_sh_chebyu eval_legendre eval_sh_legendre eval_hermite eval_hermitenorm eval_laguerre":
            of(degree, unit, edges=False, more=[real(INTEGERS, np.array([-0.3, 1.0]))]),
        "eval_genlaguerre eval_gegenbauer": of(degree, half, unit, edges=False), "eval_jacobi eval_sh_jacobi": of(degree, lambda *a: half(*a) + 3, half, unit, edges=False),
        "lpmv": of(order, lambda *a: order(*a) + 3, unit, edges=False),
    }  # fmt: skip
    SAMPLES.update(
        {getattr(sp, name): make for names, make in rows.items() for name in names.split() if hasattr(sp, name)}
    )
    SAMPLES[sp.softmax] = SAMPLES[sp.log_softmax] = sums
    SAMPLES[ours.polygamma] = SAMPLES[sp.polygamma]
    SAMPLES[sp._ufuncs._zeta] = SAMPLES[ours.hurwitz] = of(
        lambda rng, shape=(): 1.5 + constant(rng), positive, edges=False
    )
    SAMPLES[sp._ufuncs._lambertw] = lambda rng: iter(
        [real(positive(rng, (2, 3)), 0, 1e-8), real(-1.0 - positive(rng), np.array([-1, 1]), 1e-8)]
    )
    COMPOSITE_SAMPLES[sp.logsumexp] = lambda rng: iter([
        *sums(rng), real(normal(rng, (2, 3)), axis=0, b=normal(rng, (2, 3)), return_sign=True), real(normal(rng, (2, 3)), b=np.array([1.0, 0.0, 2.0])),
    ])  # fmt: skip
    COMPOSITE_SAMPLES[sp.multigammaln] = lambda rng: iter(
        [real(3 + positive(rng, (2, 3)), 3), real(3 + positive(rng), 2)]
    )


def sums(rng):
    yield real(normal(rng, (2, 3)))
    yield real(normal(rng, (2, 3)), axis=-1)
    yield real(normal(rng, (2, 3, 2)), axis=(0, 2))


def pairs(*shapes, **kwargs):
    return lambda rng: (
        Sample((normal(rng, a), normal(rng, b)), kwargs | (rest[0] if rest else {}), kinds="fdFD")
        for a, b, *rest in shapes
    )


def matrices_and_signals():
    import scipy.linalg as la
    import scipy.signal as signal

    from autograd_core.ops import late

    late.load()

    from autograd_core.ops import scientific, signals

    near = lambda rng, shape: between(-0.4, 0.4)(rng, shape) + 1.5 * np.eye(shape[-1])  # positive eigenvalues
    triangle = lambda rng: between(0.3, 0.9)(rng, (3, 3)) + 2 * np.eye(3)
    SAMPLES.update(
        {
            scientific.expm: lambda rng: iter([S(normal(rng, (3, 3))), S(normal(rng, (2, 2, 2))), S(np.eye(2)), S(np.zeros((2, 2))), S(5 * normal(rng, (2, 2)))]),
            scientific.logm: lambda rng: iter([Sample((near(rng, (3, 3)),), kinds="dD"), Sample((np.eye(2),), kinds="dD")]),
            scientific.sqrtm: lambda rng: iter([S(near(rng, (3, 3))), S(2 * np.eye(2))]),
            scientific.solve_sylvester: lambda rng: iter([S(near(rng, (3, 3)), near(rng, (2, 2)), normal(rng, (3, 2)))]),
            scientific.solve_triangular: lambda rng: iter([
                S(triangle(rng), normal(rng, (3,))), S(triangle(rng), normal(rng, (3, 2)), lower=True), S(triangle(rng), normal(rng, (3,)), trans=1),
                S(triangle(rng), normal(rng, (3, 2)), trans="C", lower=True, unit_diagonal=True),
            ]),
            scientific.cho_solve: lambda rng: iter([
                Sample((triangle(rng), normal(rng, (3,))), {"lower": True}, kinds=REAL), Sample((triangle(rng), normal(rng, (3, 2))), kinds=REAL),
            ]),
        }
    )  # fmt: skip
    for name in ("expm", "logm", "sqrtm", "solve_sylvester", "solve_triangular"):
        COMPOSITE_SAMPLES[getattr(la, name)] = SAMPLES[getattr(scientific, name)]
    COMPOSITE_SAMPLES[la.cho_solve] = lambda rng: iter([
        Sample(((triangle(rng), True), normal(rng, (3,))), kinds=REAL), Sample(((triangle(rng), False), normal(rng, (3, 2))), kinds=REAL),
    ])  # fmt: skip
    modes = [{"mode": mode} for mode in ("full", "same", "valid")]
    plain = pairs(
        ((5,), (3,)),
        ((4, 5), (3, 2), modes[1]),
        ((5,), (2,), modes[2]),
        ((2, 3), (2, 4), modes[0]),
        ((3,), (5,), modes[2]),
        ((3,), (4,), modes[1]),
    )
    some = pairs(
        ((5,), (3,)),
        ((4, 5), (3, 2), modes[1]),
        ((2, 5), (1, 2), {"axes": 1, "mode": "valid"}),
        ((2, 5), (2, 3), {"axes": [-1]}),
    )
    COMPOSITE_SAMPLES.update(
        {signal.convolve: plain, signal.correlate: plain, signal.fftconvolve: some, signal.oaconvolve: some}
    )
    SAMPLES[signals.convolution] = lambda rng: iter(
        [S(normal(rng, (4,)), normal(rng, (3,)), name="convolve", mode="full", axes=None, method="auto")]
    )


try:
    import scipy.special  # noqa: F401
except ImportError:
    pass
else:
    special()
    matrices_and_signals()
