"""Jacobians under `compile`: a batch of cotangents has one axis more in front, and no sum may take that for its own."""

import numpy as np
import pytest

import autograd_core as ag

RNG = np.random.default_rng(0)
A = RNG.normal(size=(3, 3))
ROW = np.array([1.0, 2.0, 3.0])
MANY = RNG.normal(size=20)  # so many inputs that the Jacobian is taken by pullbacks

FUNCTIONS = {  # of an operand that is stretched, its value, and another
    "a number beside a row": (lambda s, x: A @ (s * ROW) + x[:3], np.float64(2.0)),
    "a number beside a matrix": (lambda s, x: np.sum(A @ (s * A), axis=0) + x[:3], np.float64(2.0)),
    "a row beside a matrix": (lambda s, x: np.sum(A * (s * A), axis=1) + x[:3], RNG.normal(size=3)),
    "a column beside a matrix": (lambda s, x: A @ np.sum(s * A, axis=1) + x[:3], RNG.normal(size=(3, 1))),
    "a row of one": (lambda s, x: A @ (s * ROW) + x[:3], RNG.normal(size=1)),
    "a matrix beside three axes": (lambda s, x: np.sum((s * A[:, None] * A) ** 2, axis=(1, 2)) + x[:3], A.copy()),
    "no axis": (lambda s, x: A @ (np.sum(s * x) * ROW) * s, np.float64(0.5)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_was_stretched_is_summed_behind_the_batch(name, dtype):
    f, value = FUNCTIONS[name]
    s, x = np.asarray(value, dtype)[()], MANY.astype(dtype)
    jacobian = ag.jacobian(lambda s, x: f(s, x).astype(dtype), argnums=(0, 1))
    compiled = ag.compile(jacobian)
    for scale in (1, 1, 2):
        want, found = jacobian(s * scale, x), compiled(s * scale, x)
        for a, b in zip(found, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5 if dtype is np.float32 else 1e-12, atol=1e-6)
    forward = np.stack([ag.jvp(lambda s: f(s, x), (s,), (d,))[1] for d in basis(s)], axis=-1)
    np.testing.assert_allclose(compiled(s, x)[0], forward.reshape(3, *np.shape(s)), rtol=1e-4, atol=1e-5)


def basis(s):
    """Yield the tangents along each entry."""
    for i in range(np.size(s)):
        d = np.zeros(np.shape(s), s.dtype)
        d[np.unravel_index(i, np.shape(s))] = 1
        yield d[()]
