"""What becomes of a plan: passes, buffers, groups, instances; and which plan is chosen."""

import copy
import gc
import pickle
import sys
import threading
import weakref

import numpy as np
import pytest
from bits import identical

import autograd_core as ag
from autograd_core import Tensor
from autograd_core.replay import groups
from autograd_core.replay.memory import Layout

RNG = np.random.default_rng(0)


def names(compiled):
    return [step.title for step in compiled.plan.equations]


def twice(compiled, *args):
    compiled(*args)
    return compiled(*args)


# --- passes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "left"),
    [
        (lambda x: x * 1 - 0, []),
        (lambda x: x * 1 + 0, ["add"]),  # of -0.0 it is 0.0
        (lambda x: np.exp(x) + np.exp(x), ["exp", "add"]),
        (lambda x: (np.sin(x), np.cos(x))[0], ["sin"]),
        (lambda x: x / 1.0 - 0, []),
        (lambda x: x + 0.0 * np.ones(3), ["multiply", "add"]),
        (lambda x: x.T.T @ x, ["transpose", "transpose", "matmul"]),
    ],
)
def test_passes_leave_what_is_needed(f, left):
    x = RNG.normal(size=(3, 3))
    compiled = ag.compile(f)
    identical(twice(compiled, x), f(x))
    assert names(compiled) == left or set(names(compiled)) <= set(left)


def test_an_array_from_around_is_read_anew():
    c = np.ones(3)
    compiled = ag.compile(lambda x: (x * c, Tensor(c) * x, np.exp(Tensor(c))))
    x = RNG.normal(size=3)
    compiled(x)
    c[0] = 5.0
    identical(list(compiled(x)), [x * c, x * c, np.exp(c)])


def test_buffers_are_shared():
    def f(x):
        for _ in range(20):
            x = np.tanh(x) * x
        return np.sum(x)

    x = RNG.normal(size=(40, 40))
    compiled = ag.compile(f)
    identical(twice(compiled, x), f(x))
    assert Layout(compiled.plan).size <= 3 * x.nbytes


# --- groups -----------------------------------------------------------------------------------------------------------

N = 3 * groups.SPLIT + 5
NEWEST = np.lib.NumpyVersion(np.__version__) >= "2.4.0"  # older NumPy sums large arrays by chunks of its buffer


def chain(x):
    return np.sum(np.sin(np.exp(-(x**2))) * x + np.log1p(x**2))


def selections(x):
    y = np.where(x > 0.5, np.sqrt(np.abs(x)), x**3) + np.maximum(x, 0.1) + ag.relu(x - 1)
    return np.mean(y) + np.sum(np.clip(x, -1, 1) / 7)


def broadcast(x):
    m = np.reshape(x[: N - N % 5], (-1, 5))
    return np.sum((np.tanh(m * np.arange(5.0) + m[:1]) - 1) ** 2)


@pytest.mark.parametrize("f", [chain, selections, broadcast])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_large_arrays_go_block_by_block_with_the_same_bits(f, dtype):
    slope = ag.value_and_grad(f)
    compiled = ag.compile(slope)
    for _ in range(3):
        x = RNG.normal(size=N).astype(dtype)
        identical(compiled(x), slope(x), 0 if NEWEST else {"f4": 1e-5, "f8": 1e-13}[dtype])
    assert "group 0" in compiled.plan.notes
    assert "group" in names(compiled)


@pytest.mark.skipif(not NEWEST, reason="older NumPy sums large arrays by chunks of its buffer")
@pytest.mark.parametrize("n", [7, 129, 1000, 4099, 100_003])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sums_of_halves_are_numpys(n, dtype):
    x = RNG.normal(size=n).astype(dtype)
    parts = [np.add.reduce(x[a:b]) for a, b in groups.halves(0, n, 256)]
    assert groups.added(parts, 0, n, 256) == np.sum(x)


def test_an_error_on_another_core_arrives():
    def part(start, *_):
        if start:
            raise FloatingPointError("in a block")

    with pytest.raises(FloatingPointError, match="in a block"):
        groups.run(part, [(0, 1), (1, 2)], [[], []], ())


# --- calls ------------------------------------------------------------------------------------------------------------


def test_results_are_the_callers():
    compiled = ag.compile(lambda x: (x, x * 2, x[1:], x.T, x * 2))
    x = RNG.normal(size=(3, 3))
    compiled(x)
    first = compiled(x)
    kept = [a.copy() for a in first]
    for i, a in enumerate(first):
        assert not any(np.shares_memory(a, b) for b in [x, *first[:i], *first[i + 1 :]])
        a[...] = -1
    for a, b in zip(compiled(x), kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_each_kind_of_call_has_its_plan_and_few_are_kept():
    compiled = ag.compile(lambda x, n=1, *, flip=False: (x[::-1] if flip else x) * n)
    x = np.arange(4.0)
    for _ in range(2):
        for args, kwargs in [
            ((x,), {}),
            ((x, 3), {}),
            ((x.astype("f4"),), {}),
            ((x,), {"flip": True}),
            ((x[::2],), {}),
        ]:
            identical(compiled(*args, **kwargs), compiled.f(*args, **kwargs))
    assert len(compiled.plans) == 5
    for n in range(40):
        identical(compiled(x, n), x * n)
        identical(compiled(x), x)
    assert len(compiled.plans) == 16


def test_arguments_of_another_kind_at_every_call_are_named():
    compiled = ag.compile(lambda x, step: x * step)
    x = np.arange(4.0)
    for i in range(16):
        identical(compiled(x, i), x * i)
    with pytest.warns(UserWarning, match=r"different kinds \(int 16, at last\)"):
        compiled(x, 16)
    for i in range(16, 40):
        identical(compiled(x, i), x * i)
    plans = compiled.plans
    identical(compiled(x, 3), x * 3)  # one that is known
    assert compiled.plans[-1] in plans
    assert len(compiled.plans) == len(plans)
    for i in range(40):
        identical(compiled(x, np.int64(i)), x * i)


def test_compiled_functions_are_copied_and_pickled_without_plans():
    twice(cube, np.arange(3.0))
    assert pickle.loads(pickle.dumps(cube)) is cube

    held = {"f": ag.compile(np.sin, check=True), "x": np.arange(3.0)}
    held["f"](held["x"])
    assert repr(held["f"]) == "<compiled sin: 1 plans, print(f.plan) shows the one used last>"
    for again in (copy.deepcopy(held), pickle.loads(pickle.dumps(held))):
        assert again["f"].check
        assert not again["f"].plans
        identical(again["f"](again["x"]), np.sin(held["x"]))


@ag.compile
def cube(x):
    return x**3


def test_structures_go_in_and_out():
    def f(tree, rate):
        return {"new": [p - rate * g for p, g in zip(tree["p"], tree["g"], strict=True)], "n": None, "name": "sgd"}

    compiled = ag.compile(f)
    for rate in (0.1, 0.2, 0.3):
        tree = {"p": [RNG.normal(size=2), np.float64(2.0)], "g": (RNG.normal(size=2), np.float32(1.0))}
        found, wanted = compiled(tree, rate), f(tree, rate)
        identical(found["new"], wanted["new"])
        assert (found["n"], found["name"]) == (None, "sgd")
    assert len(compiled.plans) == 1


def test_python_floats_stay_weak():
    compiled = ag.compile(lambda x, lr: (x * lr, lr * 2 + 1, x - lr**2))
    x = np.ones(3, np.float32)
    for lr in (0.1, 0.7):
        found, wanted = compiled(x, lr), compiled.f(x, lr)
        assert found[0].dtype == found[2].dtype == np.float32
        assert type(found[1]) is float
        identical(list(found), list(wanted))


def test_numbers_around_the_function_are_not_baked_in():
    rate = 0.5
    compiled = ag.compile(lambda x: x * rate)
    x = np.ones(2)
    identical(twice(compiled, x), x * 0.5)
    rate = 0.25
    identical(compiled(x), x * 0.25)
    identical(compiled(x), x * 0.25)


def test_parameters_are_read_anew():
    p, q = Tensor(np.ones(3)), Tensor(2.0)
    compiled = ag.compile(lambda x: p * x * q)
    x = np.arange(3.0)
    identical(twice(compiled, x), x * 2)
    p.data -= 0.5
    q.assign(3.0)
    identical(compiled(x), 0.5 * x * 3)
    home = np.zeros(5)
    p.place(home[1:4])
    identical(compiled(x), 0.5 * x * 3)
    home[...] = 4
    identical(compiled(x), 4 * x * 3)


def test_gradients_accumulate_as_they_do():
    p, q = Tensor(np.ones(3)), Tensor(np.ones(3))

    def f(p, x):
        np.sum(p * x * x).backward()

    compiled = ag.compile(f)
    for _ in range(4):
        x = RNG.normal(size=3)
        compiled(p, x), f(q, x)
        identical(p.grad, q.grad)
    held = p.grad
    kept = held.copy()
    compiled(p, x)
    np.testing.assert_array_equal(held, kept)


def test_draws_are_afresh():
    compiled = ag.compile(lambda x, rng: x + rng.normal(size=x.shape) * ag.fresh(SOURCE.random))
    plain = np.random.default_rng(5), np.random.default_rng(6)
    given, SOURCE.bit_generator.state = np.random.default_rng(5), plain[1].bit_generator.state
    x = np.zeros(4)
    for _ in range(3):
        identical(compiled(x, given), x + plain[0].normal(size=4) * plain[1].random())
    assert len(compiled.plans) == 1


SOURCE = np.random.default_rng(6)


def test_inside_a_transform_and_under_no_grad():
    compiled = ag.compile(lambda x: np.sum(np.sin(x) ** 2))
    x = RNG.normal(size=3)
    identical(ag.grad(compiled)(x), np.sin(2 * x), 1e-14)
    identical(ag.compile(ag.grad(compiled))(x), np.sin(2 * x), 1e-14)
    with ag.no_grad():
        identical(twice(compiled, x), np.sum(np.sin(x) ** 2))
    assert Tensor(x).grad is None


def test_calls_at_the_same_time_do_not_share_buffers():
    def f(x):
        for _ in range(5):
            x = np.tanh(x @ x.T) @ x
        return x

    compiled = ag.compile(f)
    inputs = [RNG.normal(size=(30, 30)) for _ in range(4)]
    wanted = [f(x) for x in inputs]
    wrong = []

    def work(i):
        for _ in range(20):
            if not np.array_equal(compiled(inputs[i]), wanted[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_method_and_a_decorator_with_settings():
    class Model:
        def __init__(self, w):
            self.w = w

        @ag.compile(check=True)
        def predict(self, x):
            return x * self.w

    one, two = Model(Tensor(2.0)), Model(Tensor(3.0))
    for model, w in ((one, 2.0), (two, 3.0), (one, 2.0)):
        np.testing.assert_array_equal(model.predict(np.ones(2)), np.full(2, w))


def test_a_plan_reads_well():
    w = Tensor(RNG.normal(size=(3, 2)), name="w")

    @ag.compile
    def step(x):
        w.grad = None
        loss = np.mean(np.tanh(x @ w.data.T) ** 2) + np.sum(w * w)
        loss.backward()
        w.data -= 0.1 * w.grad
        return loss

    twice(step, RNG.normal(size=(4, 2)))
    text = str(step.plan)
    places = "-> byte 0", "-> view", "-> where the old value stood"
    assert "around %" in text
    assert text.index("return %") < text.index("def replay(")
    for part in (
        "inputs %0 float64[4, 2]",
        "float64[3, 2] w\n",
        "buffers: ",
        "grad w <- ",
        "assign w <- ",
        "tanh(",
        "return %",
        *places,
    ):
        assert part in text


def test_a_compiled_function_is_freed():
    class Big:
        def __call__(self, x):
            return x * 2

    f = Big()
    compiled = ag.compile(f.__call__)
    twice(compiled, np.ones(3))
    gone = weakref.ref(f)
    del f, compiled
    gc.collect()
    assert gone() is None


# --- time in proportion to the program --------------------------------------------------------------------------------


def summed(n):
    rows = [np.full(2, float(i)) for i in range(n)]
    return ag.compile(ag.grad(lambda rows: sum(np.sum(x * x) for x in rows))), (rows,)


def joined(n):
    rows = [np.full(2, float(i)) for i in range(n)]
    return ag.compile(ag.grad(lambda rows: np.sum(np.concatenate(rows) ** 2))), (rows,)


def updated(n):
    parameters = [Tensor(np.full(2, float(i))) for i in range(n)]

    def step(x):
        for p in parameters:
            p.grad = None
        sum(np.sum(p * x) for p in parameters).backward()
        for p in parameters:
            p.data -= 0.1 * p.grad

    return ag.compile(step), (np.ones(2),)


def of_numbers(n):
    return ag.compile(ag.grad(lambda x: sum(np.tanh(x[i]) for i in range(n)))), (np.ones(n),)


def counted(compiled, args):
    """Return how many functions are called while recording: time, but the same every time."""
    calls = 0

    def count(_frame, event, _arg):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        compiled(*args)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("make", [summed, joined, updated, of_numbers])
def test_recording_is_linear(make):
    counted(*make(20))  # what is loaded once
    few, many = (counted(*make(n)) for n in (100, 400))
    assert many < 6 * few  # 4 would be exact, 16 quadratic


def test_entries_of_plain_arrays_at_traced_places():
    table = np.arange(12.0).reshape(4, 3)
    compiled = ag.compile(lambda i, x: np.sum(ag.Tensor(table, requires_grad=False)[i] * x, axis=1))
    x = np.arange(6.0).reshape(2, 3)
    for i in ([0, 3], [1, 1], [2, 0]):
        identical(compiled(np.array(i), x), np.sum(table[i] * x, axis=1))


def test_what_is_plain_without_compiling_is_plain_in_a_compiled_function():
    """A derivative by plain arguments is no way to the parameters around it: neither recorded nor not."""
    w = ag.Tensor(3.0)

    def loss(x):
        w.grad = None
        found = ag.grad(lambda x: w * x**2)(x) ** 2 + 0 * w
        found.backward()
        return w.grad

    assert loss(2.0) == ag.compile(loss)(2.0) == 0

    def live(x):
        w.grad = None
        (ag.grad(lambda x: w * x**2)(ag.Tensor(x)) ** 2).backward()
        return w.grad

    assert live(2.0) == ag.compile(live)(2.0) == 96
