"""Judges for the tests of nn: central differences, along random directions."""

import numpy as np
import pytest

import autograd_core as ag


def along(f, args, directions, h=1e-5):
    """Return the derivative of f at args in a direction."""
    return (
        f(*(a + h * d for a, d in zip(args, directions, strict=True)))
        - f(*(a - h * d for a, d in zip(args, directions, strict=True)))
    ) / (2 * h)


@pytest.fixture
def check_derivatives():
    """Compare reverse, forward and second derivatives of a function of float64 arrays with finite differences."""

    def check(f, *args, rtol=1e-6, atol=1e-8):
        rng = np.random.default_rng(0)
        args = [np.asarray(a, float) for a in args]
        every = tuple(range(len(args)))
        u, v = ([rng.normal(size=a.shape) for a in args] for _ in range(2))
        w = rng.normal(size=np.shape(f(*args)))

        def scalar(*a):
            return np.sum(w * f(*a))

        def slope(*a):  # along u, by the reverse sweep
            return sum(np.sum(g * d) for g, d in zip(ag.grad(scalar, every)(*a), u, strict=True))

        def inner(gradient, directions):
            return sum(np.sum(g * d) for g, d in zip(gradient, directions, strict=True))

        def tangent(*a):  # the same slope, by the forward sweep
            return ag.jvp(scalar, a, tuple(u))[1]

        for g, a in zip(ag.grad(scalar, every)(*args), args, strict=True):
            assert (g.shape, g.dtype) == (a.shape, a.dtype)
        np.testing.assert_allclose(slope(*args), along(scalar, args, u), rtol, atol)
        np.testing.assert_allclose(ag.jvp(f, tuple(args), tuple(u))[1], along(f, args, u), rtol, atol)
        second = along(slope, args, v)
        np.testing.assert_allclose(inner(ag.grad(slope, every)(*args), v), second, rtol, atol)
        np.testing.assert_allclose(inner(ag.grad(tangent, every)(*args), v), second, rtol, atol)
        np.testing.assert_allclose(ag.jvp(slope, tuple(args), tuple(v))[1], second, rtol, atol)

    return check
