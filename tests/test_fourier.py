"""Fourier transforms: against PyTorch, and what the contract (test_rules.py) cannot say of them."""

import numpy as np
import pytest
from numeric import along, close, gradient

import autograd_core as ag

rng = np.random.default_rng(2)
X, Y = rng.normal(size=(2, 4, 5, 6))
Z = X + 1j * Y
LINES = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
BOXES = ["fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"]
REAL = {"rfft", "ihfft", "rfft2", "rfftn"}


def loss(xp, y):
    return xp.sum(xp.abs(y - 0.3) ** 3)


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("name", [*LINES, *BOXES])
def test_torch_agrees(name, norm):
    torch = pytest.importorskip("torch")
    ours, theirs = getattr(np.fft, name), getattr(torch.fft, name)
    calls = [({}, {})]
    if name in LINES:
        calls += [({"n": n, "axis": 1}, {"n": n, "dim": 1}) for n in (3, 5, 8)]
    else:
        calls += [({"s": s, "axes": (2, 0)}, {"s": s, "dim": (2, 0)}) for s in ((3, 7), (-1, 4))]
    for kwargs, torchs in calls:
        x = X if name in REAL else Z
        t = torch.tensor(x, requires_grad=True)
        loss(torch, theirs(t, norm=norm, **torchs)).backward()
        found = ag.grad(lambda x, kwargs=kwargs: loss(np, ours(x, norm=norm, **kwargs)))(x)
        close((found,), (t.grad.resolve_conj().numpy().conj(),), 1e-11)


def test_jax_agrees():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    for name, x in (("fft", Z), ("rfft", X), ("irfft", Z)):
        f = lambda xp, x, name=name: loss(xp, getattr(xp.fft, name)(x, 7, 1))
        close((ag.grad(lambda x, f=f: f(np, x))(x),), (jax.grad(lambda x, f=f: f(jax.numpy, x))(x),), 1e-11)


@pytest.mark.parametrize("name", LINES)
def test_linear_forwards(name):
    x = X if name in REAL else Z
    fn = getattr(np.fft, name)
    value, tangent = ag.jvp(fn, (x,), (2 * x,))
    np.testing.assert_array_equal(tangent, fn(2 * x))
    np.testing.assert_array_equal(value, fn(x))


def test_transform_of_the_transposed_matrix():
    jacobian = ag.jacobian(lambda x: np.real(np.fft.fft(x)))(X[0, 0])
    close((jacobian,), (np.real(np.fft.fft(np.eye(6))),), 1e-14)


def test_second_derivatives():
    power = lambda x: np.sum(np.abs(np.fft.rfft2(x)) ** 4) / 1e3
    v = Y[0]
    found = ag.hvp(power)(X[0], v)
    close((found,), along(lambda x: (ag.grad(power)(*x),), (X[0],), (v,)))


def test_convolution_by_transforms():
    k = Y[0, 0]
    f = lambda x: np.sum(np.fft.irfft(np.fft.rfft(x, 11) * np.fft.rfft(k, 11), 11) ** 2)
    g = lambda x: np.sum(np.convolve(x, k) ** 2)
    close((ag.grad(f)(X[0, 0]),), gradient(lambda x: g(*x), (X[0, 0],)))


@pytest.mark.parametrize("name", [*LINES, *BOXES])
def test_float32_stays(name):
    fn = getattr(np.fft, name)
    x = X if name in REAL else Z
    small = x.astype(np.complex64 if name not in REAL else np.float32)
    assert fn(ag.Tensor(small)).dtype == fn(small).dtype
    found = ag.grad(lambda x: loss(np, fn(x)))(small)
    assert found.dtype == small.dtype
    close((found,), (ag.grad(lambda x: loss(np, fn(x)))(x),), 1e-4)


def test_a_real_argument_has_a_real_gradient():
    for fn in (np.fft.fft, np.fft.irfft, np.fft.hfft, np.fft.ifftn):
        found = ag.grad(lambda x, fn=fn: loss(np, fn(x)))(X)
        close((found,), (ag.grad(lambda x, fn=fn: loss(np, fn(x)))(X + 0j).real,), 1e-12)
        assert found.dtype == np.float64


@pytest.mark.parametrize("axes", [None, 0, -1, (0, 2), [1]])
def test_shifts(axes):
    for fn, back in ((np.fft.fftshift, np.fft.ifftshift), (np.fft.ifftshift, np.fft.fftshift)):
        value, pull = ag.vjp(lambda x, fn=fn: fn(x, axes), X)
        np.testing.assert_array_equal(value, fn(X, axes))
        np.testing.assert_array_equal(pull(Y), back(Y, axes))


def test_frequencies_are_numbers():
    assert type(np.fft.fftfreq(4)) is np.ndarray
    spacing = ag.grad(lambda d: np.sum(np.fft.rfftfreq(5, d) ** 2))(0.5)
    close((spacing,), (-2 * np.sum(np.fft.rfftfreq(5, 0.5) ** 2) / 0.5,))


def test_what_is_refused():
    t = ag.Tensor(Z)
    for name in (*LINES, *BOXES):
        x = ag.Tensor(X if name in REAL else Z)
        with pytest.raises(TypeError, match="out="):
            getattr(np.fft, name)(x, out=np.zeros_like(getattr(np.fft, name)(x.data)))
        with pytest.raises(ValueError, match="norm"):
            getattr(np.fft, name)(x, norm="backwards")
    with pytest.raises(ValueError, match="data points"):
        np.fft.fft(t, 0)
    with pytest.raises(ValueError, match="argument"):
        np.fft.fft2(t, (2, 2), (0,))
    with pytest.raises(TypeError):
        np.fft.rfft(t)
