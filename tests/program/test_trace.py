"""`ag.trace`: what it takes, what it leaves behind (nothing), what it refuses in its own name, and how it prints."""

import gc
import random
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

import autograd_core as ag
import nn

X = np.array([[0.4, -1.2, 0.7], [1.9, 0.3, -0.6]])


def net():
    model = nn.MLP([3, 4, 2], "tanh", rng=0)
    optimizer = nn.Adam(model.parameters(), lr=0.01)

    def step(x):
        optimizer.zero_grad()
        loss = np.mean(model(x) ** 2)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


COMPILED = ag.compile(np.sin)

# --- what it takes ----------------------------------------------------------------------------------------------------

PROGRAMS = {
    "an array": (lambda x: np.sin(x) * 2, (X,), (-X,)),
    "float32": (lambda x: np.sum(np.exp(x)), (X.astype(np.float32),), (-X.astype(np.float32),)),
    "a Python number": (lambda x: x * 2 + 1, (0.5,), (1.5,)),
    "a number of NumPy's": (lambda x: np.sqrt(x) * 2, (np.float64(0.5),), (np.float64(2.0),)),
    "containers": (lambda d: {"s": d["a"] + d["b"][0], "t": (d["b"][1], 3)}, ({"a": X, "b": [X, X[0]]},), ({"a": -X, "b": [X * 2, X[1]]},)),
    "an int beside": (lambda x, n: x**n, (X, 2), (X * 2, 2)),
    "a gradient": (ag.grad(lambda x: np.sum(np.tanh(x) ** 2)), (X,), (X / 2,)),
    "a Hessian": (ag.hessian(lambda x: np.sum(x**3)), (X[0],), (X[1],)),
    "a Jacobian": (ag.jacobian(np.sin), (X[0],), (X[1],)),
    "a tangent": (lambda x, v: ag.jvp(np.exp, (x,), (v,))[1], (X, X), (-X, X + 1)),
    "a compiled function": (ag.compile(lambda x: np.cos(x) + x), (X,), (X * 3,)),
    "a compiled function inside": (lambda x: COMPILED(x) * 2, (X,), (X * 3,)),
    "a checkpoint": (ag.grad(lambda x: np.sum(ag.checkpoint(lambda a: np.sin(a) ** 2)(x))), (X,), (X * 2,)),
    "lists of Tensors": (lambda x: np.stack([x[0], x[1] * 2]), (X,), (-X,)),
    "assignment": (lambda x: _assigned(x * 1.0), (X,), (X + 1,)),
    "sorting": (lambda x: np.sort(x, axis=1)[:, 0], (X,), (-X,)),
    "linear algebra": (lambda a: np.linalg.inv(a), (X[:, :2],), (X[:, 1:],)),
}  # fmt: skip


def _assigned(x):
    x[0] = x[1] * 2
    return x


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_what_the_function_does(name):
    f, args, others = PROGRAMS[name]
    program = ag.trace(f)(*args)
    for given in (args, others):
        found, want = program(*given), f(*given)
        (a, b) = (ag.map_tree(np.asarray, t) for t in (found, want))
        ag.map_tree(np.testing.assert_array_equal, a, b)
    assert str(program).splitlines()[-1].startswith("  return ")
    assert len(program) == len(list(program)) == len(program.equations)


def test_draws_are_drawn_anew():
    def f(x, rng):
        return x + rng.normal(size=2) + ag.fresh(outer.normal)

    outer = np.random.default_rng(1)
    program = ag.trace(f)(np.zeros(2), np.random.default_rng(0))
    assert [e.effect for e in program].count("call") == 2
    outer, again = np.random.default_rng(1), np.random.default_rng(5)
    want = again.normal(size=2)
    found = program(np.zeros(2), np.random.default_rng(5))
    assert np.ptp(found - want) < 1e-12


DROPOUT = nn.Dropout(0.5, rng=0)
OUTER = np.random.default_rng(2)
DRAWING = {  # a function, its arguments beside X, and what tells the state of its generator
    "an argument": (lambda x, rng: x + rng.normal(), (OUTER,), lambda: OUTER.bit_generator.state),
    "by ag.fresh": (lambda x: x + ag.fresh(OUTER.normal), (), lambda: OUTER.bit_generator.state),
    "of NumPy's own": (lambda x: x + ag.fresh(np.random.normal), (), lambda: np.random.get_state()),  # noqa: NPY002
    "of Python's own": (lambda x: x + ag.fresh(random.random), (), lambda: random.getstate()),
    "in a layer": (lambda x: DROPOUT(x), (), lambda: next(v for v in vars(DROPOUT).values() if hasattr(v, "random")).bit_generator.state),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWING)
def test_tracing_draws_nothing(name):
    f, args, state = DRAWING[name]
    before = str(state())
    program = ag.trace(f)(X, *args)
    assert str(state()) == before
    assert not np.array_equal(program(X, *args), program(X, *args))
    assert str(state()) != before


# --- what it leaves behind --------------------------------------------------------------------------------------------


def test_tracing_leaves_everything_as_it_was():
    model, optimizer, step = net()
    step(X)
    before = [p.data.copy() for p in model.parameters()], [p.grad.copy() for p in model.parameters()]
    counts = optimizer.state_dict()
    program = ag.trace(step)(X)
    for p, data, grad in zip(model.parameters(), *before, strict=True):
        np.testing.assert_array_equal(p.data, data)
        np.testing.assert_array_equal(p.grad, grad)
    assert str(optimizer.state_dict()) == str(counts)
    other, _, plain = net()
    for _ in range(2):
        plain(X)
    program(X)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-12)


def test_a_failed_trace_leaves_everything_as_it_was():
    p = ag.Tensor(np.ones(3))

    def f(x):
        p.assign(p.data * 2)
        return bool(x[0] > 0)

    with pytest.raises(ag.GraphError):
        ag.trace(f)(np.ones(2))
    np.testing.assert_array_equal(p.data, np.ones(3))


def test_nothing_is_kept_alive_by_a_program_that_is_gone():
    gc.collect()
    gc.disable()
    try:
        held = [ag.Tensor(np.ones(3))]
        gone = weakref.ref(held[0])
        program = ag.trace(lambda x, a=held[0]: np.sum(x * a))(X)
        program(X)
        del program
        held.clear()
        assert gone() is None
    finally:
        gc.enable()


def test_a_program_keeps_no_values_of_its_trace():
    program = ag.trace(lambda x: np.sum(np.exp(x) * X[0]))(X)
    assert all(v.value is None for v in program.variables)


def test_threads_trace_at_once():
    found = {}

    def work(k):
        found[k] = str(ag.trace(lambda x: np.sum(np.sin(x) * (k + 1.0)))(X))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k, text in found.items():
        assert f"multiply(b, {k + 1})" in text


# --- what it refuses --------------------------------------------------------------------------------------------------

REFUSED = {
    "a branch": lambda x: x if x[0, 0] > 0 else -x,
    "a number": lambda x: float(x[0, 0]),
    "an array": lambda x: np.asarray(x),
    "a mask": lambda x: x[x > 0],
    "as many as there are": lambda x: np.nonzero(x),
    "an argument in place": lambda x: x.__iadd__(1),
    "errors": lambda x: _raising(x),
    "a generator": lambda x: (y for y in x),
    "a caught refusal": lambda x: _caught(x),
}


def _raising(x):
    with np.errstate(invalid="raise"):
        return np.sqrt(np.abs(x))


def _caught(x):
    try:
        return float(x[0, 0])
    except ag.GraphError:
        return x


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_in_its_own_name(name):
    with pytest.raises(ag.GraphError) as refused:
        ag.trace(REFUSED[name])(X)
    assert "ag.trace" in str(refused.value) or "traced function" in str(refused.value)
    assert "ag.compile" not in str(refused.value)


PROGRAM = ag.trace(np.sin)(X)
HIDDEN = {  # ways in which the results of a program would silently be constants
    "its gradient": lambda: ag.grad(lambda x: np.sum(PROGRAM(x)))(X),
    "its tangent": lambda: ag.jvp(PROGRAM, (X,), (X,)),
    "its Jacobian": lambda: ag.jacobian(lambda x: PROGRAM(x))(X),
    "a tracked Tensor": lambda: PROGRAM(ag.Tensor(X)),
    "a Tensor": lambda: PROGRAM(ag.Tensor(X, requires_grad=False)),
    "compiled": lambda: ag.compile(PROGRAM)(X),
    "compiled, inside": lambda: ag.compile(lambda x: PROGRAM(x) * 2)(X),
    "compiled, of an array from around": lambda: ag.compile(lambda x: PROGRAM(X) * x)(X),
    "traced": lambda: ag.trace(lambda x: PROGRAM(x) * 2)(X),
    "a run by hand": lambda: PROGRAM.run([ag.Tensor(X)]),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_nothing_flows_through_a_program_unseen(name):
    with pytest.raises((TypeError, ag.GraphError), match="call the function itself"):
        HIDDEN[name]()


def test_another_tensor_is_another_program():
    first, second = ag.Tensor(X), ag.Tensor(X + 1)
    program = ag.trace(lambda t, x: t * x)(first, X)
    np.testing.assert_array_equal(program(first, X), X * X)
    with pytest.raises(TypeError, match="trace it anew"):
        program(second, X)


OTHER_ARGUMENTS = {
    "another shape": lambda p: p(X[:1], 2),
    "another dtype": lambda p: p(X.astype(np.float32), 2),
    "another int": lambda p: p(X, 3),
    "one too few": lambda p: p(X),
    "one too many": lambda p: p(X, 2, 3),
    "another structure": lambda p: p([X], 2),
    "a list": lambda p: p(X.tolist(), 2),
    "by another name": lambda p: p(X, n=2),
}


@pytest.mark.parametrize("name", OTHER_ARGUMENTS)
def test_arguments_of_another_kind_are_refused(name):
    program = ag.trace(lambda x, n: x * n)(X, 2)
    with pytest.raises(TypeError, match="trace"):
        OTHER_ARGUMENTS[name](program)


# --- how it prints ----------------------------------------------------------------------------------------------------


def test_a_program_prints_like_a_page():
    c = np.arange(3.0)
    w = ag.Tensor(np.ones((3, 3)), name="w")

    def f(x, s):
        with ag.scope("inner"):
            y = x @ w + c
        return np.sum(y[0, 1:], keepdims=True) * s

    assert str(ag.trace(f)(X, 2.0)).splitlines() == [
        "f(a: f64[2,3], b: number)",
        "    c: f64[3,3] = 'w'",
        "    e: f64[3]   = array from around",
        "  inner:",
        "      d: f64[2,3] = matmul(a, c)",
        "      f: f64[2,3] = add(d, e)",
        "    g: f64[2]     = f[0, 1:]",
        "    h: f64[1]     = sum(g, keepdims=True)",
        "    i: f64[1]     = multiply(h, b)",
        "  return i",
    ]


def test_parameters_of_one_name_are_told_apart():
    model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.Linear(2, 2, rng=1))
    optimizer = nn.SGD(model.parameters(), lr=0.1)

    def step(x):
        loss = np.sum(model(x))
        loss.backward()
        optimizer.step()
        return loss

    text = str(ag.trace(step)(np.ones((1, 2))))
    assert text.count("= 'weight'\n") == text.count("= 'weight' 2\n") == 1
    assert text.count("gradient of 'bias' <-") == text.count("gradient of 'bias' 2 <-") == 1


def test_equations_know_their_lines():
    def f(x):
        y = np.sin(x)
        return y * 2

    first = f.__code__.co_firstlineno
    program = ag.trace(ag.grad(f))(1.0)
    here = [int(e.line.rpartition(":")[2]) - first for e in program if e.line.startswith(__file__)]
    assert {1, 2} <= set(here)
    assert all(e.line for e in program)
    assert f"sin(b)  # {Path(__file__).name}:{first + 1}" in program.text(lines=True)
    assert "#" not in str(program)
