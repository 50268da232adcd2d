"""Random programs over smooth functions, with values used many times: every walk must tell the same story."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numeric import along, close, dot

import autograd_core as ag

SHAPES = [(3, 3), (3,), (3, 1), (), (2, 3, 1), (1, 1)]  # all of them broadcast together
EVEN = np.eye(3, dtype=bool)


def full(a):
    return np.broadcast_to(a, (2, 3, 3)) + 0.0


# None of them lets numbers grow by much, so that 30 in a row stay where differences are exact.
UNARY = {
    **{fn.__name__: fn for fn in (np.sin, np.cos, np.tanh, np.arctan, np.arcsinh, np.sinc, np.negative, np.ravel)},
    "ravel": lambda a: np.ravel(full(a))[:3] + 0.1,
    "bell": lambda a: np.exp(-a * a),
    "root": lambda a: np.sqrt(1 + np.square(a)),
    "log": lambda a: np.log(2 + a**2),
    "softmax": lambda a: np.exp(full(a) - ag.logsumexp(full(a), axis=-1, keepdims=True)),
    "sum": lambda a: np.sum(full(a), axis=(0, 2), keepdims=True) / 4,
    "mean": lambda a: np.mean(full(a), axis=1, keepdims=True),
    "var": lambda a: np.var(full(a), axis=-1, keepdims=True) / 2,
    "prod": lambda a: np.tanh(np.prod(full(a), axis=1, keepdims=True)),
    "cumsum": lambda a: np.cumsum(full(a), axis=1) / 3,
    "transpose": lambda a: np.swapaxes(full(a), 1, 2),
    "reshape": lambda a: np.reshape(full(a), (3, 2, 3)).transpose(1, 0, 2),
    "flip": lambda a: full(a)[:, ::-1],
    "roll": lambda a: np.roll(full(a), 1, axis=-1),
    "pick": lambda a: full(a)[:, [2, 0, 0]],
    "scalar": lambda a: full(a)[1, 2, 0] * 0.5,
    "tril": lambda a: np.tril(full(a)),
    "einsum": lambda a: np.einsum("kii->ki", full(a))[:, None],
    "inverse": lambda a: np.linalg.inv(np.tanh(full(a)) + 4 * np.eye(3)),
    "halves": lambda a: np.concatenate(np.split(full(a), 2)[::-1]),
    "assign": lambda a: assigned(full(a), np.sin(a)),
}
BINARY = {
    "add": lambda a, b: (a + b) / 2,
    "subtract": lambda a, b: a - 0.5 * b,
    "multiply": lambda a, b: np.sin(a) * b,
    "divide": lambda a, b: a / (1 + b * b),
    "power": lambda a, b: np.power(1.5 + np.tanh(a), np.cos(b)),
    "hypot": lambda a, b: np.hypot(a, 1 + b * b) / 2,
    "arctan2": lambda a, b: np.arctan2(a, 2 + np.sin(b)),
    "logaddexp": lambda a, b: np.logaddexp(a, b) / 2,
    "where": lambda a, b: np.where(EVEN, a, b),
    "matmul": lambda a, b: np.tanh(full(a) @ full(b)),
    "dot": lambda a, b: np.tanh(np.dot(full(a)[0], full(b)[1])),
    "stack": lambda a, b: np.stack([full(a)[0], full(b)[1]]),
    "inner": lambda a, b: np.sum(full(a) * full(b), axis=-1, keepdims=True) / 4,
}


def assigned(y, value):
    y = y.copy()
    y[..., 1:2] = np.mean(value)
    y *= 0.5
    return y


def run(steps, leaves):
    """Return the last value of a program, and the sum of all: some are used often, some only here."""
    values = list(leaves)
    for name, i, j in steps:
        a, b = values[-1 - i % len(values)], values[-1 - j % len(values)]
        values.append(UNARY[name](a) if name in UNARY else BINARY[name](a, b))
    return values[-1], sum(np.mean(np.sin(v)) for v in values)


steps = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 30), st.integers(0, 30)), min_size=10, max_size=30
)
shapes = st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3)


def draw_like(rng, arrays):
    return tuple(np.asarray(rng.uniform(-1, 1, np.shape(a)))[()] for a in arrays)


@given(steps, shapes, st.integers(0, 99))
def test_every_walk_tells_the_same(steps, shapes, seed):
    rng = np.random.default_rng(seed)
    x = draw_like(rng, [np.zeros(s) for s in shapes])
    v = draw_like(rng, x)
    f = lambda x: run(steps, x)

    value, pull = ag.vjp(f, x)
    u = draw_like(rng, value)
    (back,) = (pull(u),)
    pushed = ag.jvp(f, (x,), (v,))[1]
    scale = sum(np.sum(np.abs(a * b)) for a, b in zip(u, pushed, strict=True))
    assert abs(dot(u, pushed) - dot(back, v)) <= 1e-10 * max(scale, 1), "<u, Jv> = <J'u, v>"
    close(pushed, along(f, x, v), 1e-6)

    assert [g.tobytes() for g in pull(u)] == [g.tobytes() for g in back], "pulled again"
    assert [g.tobytes() for g in ag.vjp(f, x)[1](u)] == [g.tobytes() for g in back], "recorded again"
    t = tuple(ag.Tensor(a) for a in x)
    dot(f(t), u).backward()
    close([a.grad for a in t], back, 1e-12)


@given(steps, shapes, st.integers(0, 99))
def test_second_derivatives_agree(steps, shapes, seed):
    rng = np.random.default_rng(seed)
    x = draw_like(rng, [np.zeros(s) for s in shapes])
    v, w = draw_like(rng, x), draw_like(rng, x)
    f = lambda x: run(steps, x)[1]

    product = ag.hvp(f)(x, v)
    close(ag.jvp(ag.grad(f), (x,), (v,))[1], product, 1e-10)
    close(ag.grad(lambda x: ag.jvp(f, (x,), (v,))[1])(x), product, 1e-10)
    close([dot(ag.hvp(f)(x, w), v)], [dot(product, w)], 1e-9)
    close(product, along(ag.grad(f), x, v), 1e-6)
