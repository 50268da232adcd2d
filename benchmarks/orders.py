"""Second derivatives, forward mode and mapping over a batch, function by function: `python -m benchmarks.features`.

Each function takes x, five numbers between 0.2 and 0.9, and is written in the words of each library's own namespace, here called
`np`; where PyTorch spells it otherwise, its own spelling stands behind the bar. What is right is agreed with differences
of NumPy's results (second derivatives, tangents) or with a loop over the batch. An exception counts as "raises".
"""

import numpy as np

X = np.array([0.31, 0.74, 0.52, 0.23, 0.88])
V = np.array([0.6, -0.3, 0.9, 0.5, -0.7])
C = np.array([0.7, 0.2, 0.9, 0.4, 0.55])
M = np.array([[2.0, 0.3, 0.1, 0.2, 0.0], [0.3, 1.5, 0.4, 0.1, 0.2], [0.1, 0.4, 1.2, 0.0, 0.3],
              [0.2, 0.1, 0.0, 1.8, 0.1], [0.0, 0.2, 0.3, 0.1, 1.4]])  # fmt: skip

FUNCTIONS = """
np.sin(x); np.exp(x); np.log(x); np.sqrt(x); np.tanh(x); np.arctan(x); np.arcsin(x); np.log1p(x); np.expm1(x); np.sinc(x)
x ** 3; x ** 0.5; 1 / x; x * C - C / x; 2.0 ** x; np.abs(x) * x; np.square(x); np.maximum(x, C) * x; np.hypot(x, C)
np.arctan2(x, C); np.logaddexp(x, C); np.where(x > 0.5, x * x, np.sin(x)); np.clip(x, 0.3, 0.8) * x
np.sum(x) ** 2; np.prod(x); np.mean(x * x) * x; np.max(x) * x; np.cumsum(x, 0) * x; np.cumprod(x, 0); np.ptp(x) * x | (x.max() - x.min()) * x
np.std(x) | np.std(x, correction=0); np.var(x) | np.var(x, correction=0)
np.sort(x) * C * x | np.sort(x)[0] * C * x; np.median(x) * x; np.diff(x) ** 2; np.flip(x, (0,)) * x; np.roll(x, 2) * x
np.concatenate([x, x * x]) ** 2; np.stack([x, x * x]) ** 2; np.reshape(x, (5, 1)) * x; np.outer(x, x) * M; x[1:] * x[:-1]
x[np.array([0, 2, 2])] ** 2 | x[[0, 2, 2]] ** 2; np.tril(np.outer(x, x)) ** 2; np.diag(x) @ M @ x; np.trace(np.outer(x, x)) * x
np.tile(x, 2) ** 2 | np.tile(x, (2,)) ** 2; M @ x * x; np.dot(x, C) * x; np.einsum("i,ij,j->", x, M, x)
np.tensordot(M, np.outer(x, x), 2); np.kron(x, x); np.cross(x[:3], x[2:])
np.linalg.solve(M, x * x); np.linalg.solve(M + np.outer(x, x), x); np.linalg.inv(M + np.outer(x, x))
np.linalg.det(M + np.outer(x, x)); np.linalg.slogdet(M + np.outer(x, x))[1]; np.linalg.cholesky(M + np.outer(x, x))
np.linalg.eigvalsh(M + np.outer(x, x)); np.linalg.svd(M + np.outer(x, x))[1]; np.linalg.norm(x) * x
np.linalg.norm(np.outer(x, x) + M); np.linalg.pinv(M + np.outer(x, x)); np.linalg.qr(M + np.outer(x, x))[1] ** 2
np.linalg.matrix_power(M + np.outer(x, x), 3); np.abs(np.fft.fft(x)) ** 2; np.real(np.fft.ifft(x * x))
np.logaddexp(x, C) * np.exp(-x); np.sin(x) / np.cos(x); np.exp(-np.sum(x * x)); np.log(np.sum(np.exp(x)))
"""
TITLES = {
    "second": "Of {} functions: gradients of gradients, right / raises / wrong",
    "forward": "The same in forward mode",
    "batch": "The same, written for one example, mapped over a batch (`vmap`)",
}


def functions():
    """Return each function as text, in NumPy's words and in PyTorch's."""
    lines = [line.strip() for line in FUNCTIONS.replace("\n", ";").split(";") if line.strip()]
    return [(line.split(" | ")[0], line.split(" | ")[-1]) for line in lines]


def written(text, own, array):
    """Return a function of x that is written in a library's namespace, with its arrays."""
    names = {"np": own, "C": array(C), "M": array(M)}
    body = eval(f"lambda x: {text}", names)
    return lambda x: (lambda y: y * y)(body(x)).sum()


def slope(f, x, v, h):
    """Return a derivative along v by differences of fourth order."""
    return (8 * (f(x + h * v) - f(x - h * v)) - (f(x + 2 * h * v) - f(x - 2 * h * v))) / (12 * h)


def expected(text):
    """Return the derivative of the slope along V, that slope, and the values at a batch, from NumPy's own results."""
    f = written(text, np, np.asarray)
    second = [slope(lambda y: slope(f, y, V, 1e-3), X, e, 1e-3) for e in np.eye(5)]
    return {"second": np.array(second), "forward": slope(f, X, V, 1e-3), "batch": np.array([f(x) for x in batch()])}


def batch():
    """Return three points."""
    return np.stack([X, X[::-1] * 0.9, np.roll(X, 1) * 1.05])


def words(name):
    """Return a library's namespace, its arrays, and its ways: second, forward, batch; None for what it does not have."""
    if name == "ours":
        import autograd_core as ag

        return np, np.asarray, {
            "second": lambda f: ag.grad(lambda x: np.sum(ag.grad(f)(x) * V))(X),
            "forward": lambda f: ag.jvp(f, (X,), (V,))[1],
        }  # fmt: skip
    if name == "PyTorch":
        import torch
        from torch.func import grad, jvp, vmap

        v = torch.tensor(V)
        return torch, torch.tensor, {
            "second": lambda f: grad(lambda x: (grad(f)(x) * v).sum())(torch.tensor(X)),
            "forward": lambda f: jvp(f, (torch.tensor(X),), (v,))[1],
            "batch": lambda f: vmap(f)(torch.tensor(batch())),
        }  # fmt: skip
    if name == "JAX":
        import jax

        return jax.numpy, jax.numpy.asarray, {
            "second": lambda f: jax.grad(lambda x: (jax.grad(f)(x) * V).sum())(jax.numpy.asarray(X)),
            "forward": lambda f: jax.jvp(f, (jax.numpy.asarray(X),), (jax.numpy.asarray(V),))[1],
            "batch": lambda f: jax.vmap(f)(jax.numpy.asarray(batch())),
        }  # fmt: skip
    if name == "autograd":
        import autograd

        return autograd.numpy, np.asarray, {
            "second": lambda f: autograd.grad(lambda x: (autograd.grad(f)(x) * V).sum())(X),
            "forward": lambda f: autograd.make_jvp(f)(X)(V)[1],
        }  # fmt: skip
    return None, None, {}


def verdict(text, own, array, way, want):
    """Say what a library makes of a function: right, raises or wrong."""
    try:
        found = np.asarray(way(written(text, own, array)), float)
    except Exception:
        return "raises"
    good = found.shape == want.shape and np.allclose(found, want, rtol=1e-5, atol=1e-6 * max(1.0, np.abs(want).max()))
    return "right" if good else "wrong"


def judged(name):
    """Return, for each kind of derivative that a library has, what it makes of each function."""
    own, array, ways = words(name)
    found = {kind: {} for kind in ways}
    for text, torchs in functions():
        want = expected(text)
        for kind, way in ways.items():
            found[kind][text] = verdict(torchs if name == "PyTorch" else text, own, array, way, want[kind])
    return found


def rows(names):
    """Return rows of the table: counts, or "no" where a library has nothing of the kind."""
    found = {name: judged(name) for name in names}
    return [
        [title.format(len(functions())), *(counted(found[n][kind]) if kind in found[n] else "no" for n in names)]
        for kind, title in TITLES.items()
    ]


def counted(verdicts):
    """Return the counts as a cell of the table."""
    return " / ".join(str(list(verdicts.values()).count(kind)) for kind in ("right", "raises", "wrong"))
