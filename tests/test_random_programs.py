"""Random programs, with values used many times: every walk must tell the same story, and other judges too."""

import copy
import functools
import sys

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from numeric import along, close, dot
from samples import samples_of
from test_rules import FUNCTIONS, Case

import autograd_core as ag
from autograd_core.tree import flatten

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


# --- programs of every function that has a rule -----------------------------------------------------------------------
# A step calls a function at one of its samples, whose arrays are moved a little by what has been computed before: far
# less than the samples are from a kink, so that differences are a judge, and so is JAX where it has the function.


def steps_of_all():
    """Return a step for each smooth sample in real numbers of each function: some 1,700 of them."""
    found = []
    for fn in FUNCTIONS:
        for sample in samples_of(fn):
            if sample.smooth and not any(np.iscomplexobj(a) for a in flatten((sample.args, sample.kwargs))[0]):
                case = Case(fn, sample, np.float64)
                if case.x and all(np.size(a) for a in case.x) and case.accepted():
                    found.append(case)
    return found


STEPS = []


def step(k):
    STEPS[:] = STEPS or steps_of_all()
    return STEPS[k % len(STEPS)]


def moved(xp, base, values, i):
    """Return an array of a sample, moved by values."""
    value = values[i % len(values)]
    spread = xp.resize(xp.ravel(value), np.shape(base))
    return base + 0.01 * xp.tanh(spread)


def compose(xp, program, leaves, call=lambda case, x: case.f(x)):
    """Return the sum over everything that a random program of these functions computes."""
    values = list(leaves)
    for k, i in program:
        case = step(k)
        x = tuple(moved(xp, a, values, i + 3 * place) for place, a in enumerate(case.x))
        for y in call(case, x):
            parts = (xp.real(y), xp.imag(y)) if y.dtype.kind == "c" else (y,)
            values += [xp.tanh(xp.ravel(part) / 4) for part in parts if part.size]
    return sum(xp.mean(xp.sin(v + 0.1 * n)) for n, v in enumerate(values))


everything = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 30)), min_size=3, max_size=12)


def leaves(seed):
    rng = np.random.default_rng(seed)
    return draw_like(rng, [np.zeros(3), np.zeros((2, 2))]), draw_like(rng, [np.zeros(3), np.zeros((2, 2))])


@settings(max_examples=max(10, settings.default.max_examples // 3))
@given(everything, st.integers(0, 99))
def test_programs_of_all_functions(program, seed):
    x, v = leaves(seed)
    f = lambda x: compose(np, program, x)
    try:
        gradient = ag.grad(f)(x)
        slope = dot(gradient, v)
        close((ag.jvp(f, (x,), (v,))[1],), (slope,), 1e-10)
        close((slope,), along(lambda x: (f(x),), x, v), 1e-7)
        close(ag.hvp(f)(x, v), along(ag.grad(f), x, v), 1e-5)
    except Exception as error:
        error.add_note(" -> ".join(repr(step(k)) for k, _ in program))
        raise


@settings(max_examples=3, phases=[Phase.explicit, Phase.generate])  # each is compiled by JAX: shrinking takes minutes
@given(everything, st.integers(0, 99))
def test_programs_of_all_functions_in_jax(program, seed):
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    x, _ = leaves(seed)
    program = [(k, i) for k, i in program if in_jax(jax, step(k)) is not None]
    call = lambda case, x: in_jax(jax, case)(x)
    f = jax.jit(jax.value_and_grad(lambda x: compose(jax.numpy, program, x, call)))
    value, expected = f.lower(x).compile(compiler_options={"xla_backend_optimization_level": 0})(x)
    ours, gradient = ag.value_and_grad(lambda x: compose(np, program, x))(x)
    assume(np.allclose(ours, value, rtol=1e-10))  # some functions have other defaults there
    assume(all(np.all(np.isfinite(a)) for a in expected))  # and some no gradient beside NaN
    close(gradient, [np.asarray(a) for a in expected], 1e-9)


@functools.cache
def in_jax(jax, case):
    """Return a step as JAX computes it; None if it does not have the function, or does not differentiate it."""
    module = (getattr(case.fn, "__module__", None) or "numpy").replace("numpy", "jax.numpy", 1)
    theirs = getattr(sys.modules.get(module, jax.numpy), case.fn.__name__, None)
    if theirs is None or not module.startswith("jax.numpy"):
        return None
    twin = copy.copy(case)
    twin.fn = theirs
    try:
        shapes = jax.eval_shape(twin.f, case.x)
        jax.eval_shape(jax.grad(lambda x: sum(jax.numpy.sum(jax.numpy.real(y)) for y in twin.f(x))), case.x)
    except Exception:  # whatever JAX refuses
        return None
    return twin.f if [a.shape for a in shapes] == [np.shape(a) for a in case.f(case.x)] else None
