"""Samples of ops/spectral.py and ops/fourier.py, for samples.py to merge at its end: it is imported first."""

import numpy as np
from samples import S, also, between, calls, normal, rough, through

from autograd_core.ops import spectral


def steep(_, shape, seed=0):
    """Draw matrices whose eigenvalues and singular values are apart, and the entries that LAPACK makes real far from 0.

    The same ones always: where they lie close, a step of finite differences passes a jump of phase or of order.
    """
    return normal(np.random.default_rng(seed), shape) / 2 + 1.5 * np.arange(shape[-1]) * np.eye(*shape[-2:])


def thick(_, shape):
    """Draw matrices of full rank, well-conditioned."""
    return steep(_, shape) + (1 + np.arange(shape[-1])) * np.eye(*shape[-2:])


def turning(_, shape):
    """Draw real matrices with complex eigenvalues."""
    matrix = steep(_, shape, 37) + 4 * (np.eye(*shape[-2:], k=1) - np.eye(*shape[-2:], k=-1))
    return matrix * 1.3 ** (np.arange(shape[-1])[:, None] - np.arange(shape[-1]))


def hermitian(*a):
    return tuple((x + np.conjugate(np.swapaxes(x, -1, -2))) / 2 for x in a)


def product(a, b, *rest):
    return a @ b, *rest


lines = calls(
    ((5,),),
    ((4,), 6),
    ((7,), 4),
    ((2, 6), 3, 0),
    ((6, 2), {"n": 5, "axis": 0, "norm": "ortho"}),
    ((2, 3, 4), None, 1, "forward"),
    ((4,), {"norm": "backward"}),
    ((2, 1), 2),
    ((0, 4), 3, -1),
)
boxes = calls(
    ((4, 5),),
    ((4, 3), (3, 4), (0, 1)),
    ((2, 3, 4), (4, -1), (0, -1)),
    ((3, 4, 2), {"axes": (1, 0), "norm": "ortho"}),
    ((3, 4), None, (1,), "forward"),
    ((3, 4), {"s": (5, 6), "axes": (1, 1)}),
    ((4, 4), {"axes": (0, 0)}),
)


def families(*makers):
    """Join families of samples."""
    return lambda rng: (sample for make in makers for sample in make(rng))


def symmetric(*samples, draw=steep):
    """Samples written as for `calls`, made Hermitian on the way in."""

    def make(rng):
        for shape, *rest in samples:
            kwargs = rest.pop() if rest and isinstance(rest[-1], dict) else {}
            yield through(lambda a, *more: (*hermitian(a), *more), draw(rng, shape), *rest, **kwargs)

    return make


squares = ((3, 3),), ((2, 3, 3),), ((1, 1),), ((0, 2, 2),), ((0, 0),)
oblongs = ((4, 2),), ((2, 4),), ((3, 3),), ((2, 3, 2),), ((1, 4),), ((0, 3, 2),)
matrices = also(calls(*oblongs, draw=thick), lambda rng: S(thick(rng, (9, 2)).T), rough(np.zeros((2, 3))))
diagonals = symmetric(*squares, ((3, 3), "U"), ((3, 3), {"UPLO": "U"}))
eigen = also(calls(*squares, draw=steep), lambda rng: S(turning(rng, (4, 4))), lambda rng: S(turning(rng, (2, 3, 3))))
ties = rough(np.eye(3)), rough(np.zeros((2, 2, 2)))
reduced = {"full_matrices": False}

SAMPLES = {
    np.linalg.eigh: diagonals,
    np.linalg.eigvalsh: also(diagonals, *ties),
    np.linalg.eig: eigen,
    np.linalg.eigvals: also(eigen, *ties),
    spectral.singular: calls(
        *((shape, reduced) for (shape,) in oblongs), ((3, 3),), ((2, 2, 2),), ((2, 9), reduced), draw=thick
    ),
    np.linalg.svdvals: matrices,
    spectral.nuclear: also(calls(((3,),), ((2, 3),), draw=between(1, 3)), rough(np.zeros(2))),
    spectral.still: lambda rng: iter(
        [S(normal(rng, (2, 3, 3)), np.zeros((3, 3), bool), normal(rng, (3,)), name="eigh")]
    ),
    spectral.factors: calls(*oblongs, ((3, 3), {"mode": "complete"}), ((2, 3), {"mode": "complete"}), draw=thick),
    np.linalg.pinv: families(
        calls(*oblongs, ((4, 2), 1e-10), ((2, 3), {"rtol": 1e-12}), ((2, 3, 2), [1e-10, 1e-9]), ((0, 3),), draw=thick),
        symmetric(((3, 3), {"hermitian": True}), draw=thick),
        lambda rng: iter(
            [through(product, normal(rng, (4, 2)), normal(rng, (2, 3)), rcond=1e-10), rough(np.zeros((2, 3)))]
        ),
    ),
    np.linalg.lstsq: lambda rng: iter(
        [
            *(
                S(thick(rng, (m, n)), normal(rng, (m, *more)), **kwargs)
                for m, n, more, kwargs in [
                    (4, 3, (), {}),
                    (4, 3, (2,), {}),
                    (2, 3, (), {}),
                    (2, 3, (2,), {}),
                    (3, 3, (), {"rcond": -1}),
                    (4, 2, (), {"rcond": 1e-9}),
                    (4, 2, (0,), {}),
                ]
            ),
            through(product, normal(rng, (5, 2)), normal(rng, (2, 3)), normal(rng, (5, 2)), rcond=1e-10),
        ]
    ),
    np.fft.fft: lines,
    np.fft.ifft: lines,
    np.fft.rfft: lines,
    np.fft.irfft: lines,
}

COMPOSITE_SAMPLES = {
    np.linalg.svd: families(
        calls(
            ((3, 3),),
            ((4, 2), False),
            ((2, 4), reduced),
            ((2, 3, 2), {"compute_uv": False}),
            ((3, 2), True, False),
            draw=thick,
        ),
        symmetric(((3, 3), {"hermitian": True}), ((2, 3, 3), {"hermitian": True, "compute_uv": False})),
    ),
    np.linalg.qr: calls(
        *oblongs,
        ((3, 2), "r"),
        ((2, 3), {"mode": "r"}),
        ((2, 3), {"mode": "complete"}),
        ((3, 3), {"mode": "reduced"}),
        draw=thick,
    ),
    np.linalg.cond: also(
        calls(
            *squares[:3],
            *(((3, 3), p) for p in (2, -2, 1, -1, np.inf, -np.inf, "fro")),
            ((4, 2),),
            ((2, 3), {"p": -2}),
            ((2, 2, 2), 1),
            draw=thick,
        ),
        *(rough(np.array([[[1.0, 2.0], [2.0, 4.0]], [[1.0, 0.0], [0.0, 3.0]]]), p) for p in (None, -2, 1, "fro")),
        rough(np.zeros((2, 2))),
    ),
    np.fft.hfft: lines,
    np.fft.ihfft: lines,
    **dict.fromkeys(
        [np.fft.fftn, np.fft.ifftn, np.fft.rfftn, np.fft.irfftn], also(boxes, lambda rng: S(normal(rng, (2, 3, 4))))
    ),
    **dict.fromkeys([np.fft.fft2, np.fft.ifft2, np.fft.rfft2, np.fft.irfft2], boxes),
    **dict.fromkeys(
        [np.fft.fftshift, np.fft.ifftshift],
        calls(((5,),), ((2, 3),), ((2, 3), 1), ((2, 3, 5), {"axes": (0, -1)}), ((0, 2),)),
    ),
}
