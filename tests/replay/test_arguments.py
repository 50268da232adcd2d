"""What a compiled function is called with selects the plan: objects are themselves, and no other that looks like them."""

import functools

import numpy as np
import pytest

import autograd_core as ag
import nn

X = np.linspace(-1, 1, 6).reshape(3, 2)


MAKERS = {
    "closure": lambda k: lambda y: y * k,
    "partial": lambda k: functools.partial(np.multiply, k),
    "other code": lambda k: eval(f"lambda y: y * {k}"),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
def test_functions_that_are_gone_are_not_taken_for_new_ones(make):
    compiled = ag.compile(lambda x, f: np.sin(f(x)))
    for k in range(6):
        assert np.array_equal(compiled(X, make(k)), np.sin(X * k))


def test_parts_of_a_file(tmp_path):
    values = np.arange(40.0).reshape(10, 4)
    values.tofile(tmp_path / "values")
    held = np.memmap(tmp_path / "values", dtype=float, shape=(10, 4), mode="r")
    compiled = ag.compile(lambda x: np.sin(x) + x)
    for k in range(0, 10, 2):
        assert np.array_equal(compiled(held[k : k + 2]), np.sin(values[k : k + 2]) + values[k : k + 2])


def test_arrays_that_compute_otherwise_are_left_alone():
    compiled = ag.compile(lambda x: x * x)
    for k in range(4):
        m = np.ma.array(X + k, mask=X > 0)
        found = compiled(m)
        assert np.array_equal(np.ma.getmaskarray(found), X > 0)
        assert np.array_equal(found.filled(0), (m * m).filled(0))


def test_plans_without_gradients_are_not_for_others():
    model = nn.MLP([2, 3, 1], "tanh", rng=0)

    def f(x):
        y = np.sum(model(x))
        return y * (2.0 if y.requires_grad else 3.0)

    compiled = ag.compile(f)
    y = float(np.sum(model(X)).data)
    for _ in range(3):
        with ag.no_grad():
            assert [compiled(X), compiled(X)] == [y * 3] * 2
        assert [compiled(X), compiled(X)] == [y * 2] * 2


def test_models_as_arguments():
    shared = nn.Linear(2, 2, rng=0)
    models = [
        nn.Sequential(shared, np.tanh),
        nn.Sequential(shared, nn.relu),
        nn.Sequential(shared, nn.Dropout(0.5, rng=0)),
    ]
    compiled = ag.compile(lambda model, x: model(x) * 2)
    for i in range(3):
        for model in models:
            found = compiled(model.train(i == 0), X)
            if i:
                assert np.array_equal(found, model(X).data * 2)


def test_models_that_change():
    model = nn.Sequential(
        nn.Linear(2, 2, rng=0), nn.Activation("leaky_relu", slope=0.1), nn.BatchNorm(2), nn.Dropout(0.5, rng=0)
    )
    compiled = ag.compile(lambda x: model(x) * 2)

    def check():
        for _ in range(2):
            assert np.array_equal(compiled(X), model(X).data * 2)

    model.eval()
    check()
    model.layers[1].settings["slope"] = 0.7
    check()
    model.layers[2].eps = 0.5
    check()
    model.layers[0] = nn.Linear(2, 2, rng=1)
    check()
    model.layers[0].weight = ag.Tensor(np.ones((2, 2)))
    check()
    model.layers.append(np.sin)
    check()
    model.train()
    model.layers[3].p = 0.0
    check()


def test_containers_around_a_function():
    weights = {"a": np.ones(2), "b": np.full(2, 2.0)}
    rows = [np.ones(2), np.ones(2)]

    def f(x):
        return sum(w * np.sum(x) for w in weights.values()) + sum(np.sum(r) * x[0] for r in rows)

    compiled = ag.compile(f)

    def check():
        for _ in range(2):
            assert np.array_equal(compiled(X + 1), f(X + 1))

    check()
    weights["a"] = np.full(2, 5.0)
    check()
    rows[1] = np.full(2, 7.0)
    check()
    rows.pop()
    check()
    del weights["b"]
    check()


def test_the_gradient_of_before_is_that_of_before():
    p = ag.Tensor(np.ones(3))

    def f(x):
        before = p.grad
        p.grad = None
        np.sum(p * x).backward()
        return before + p.grad * 10

    compiled = ag.compile(f)
    p.grad = np.zeros(3)
    assert [compiled(np.full(3, k))[0] for k in (1.0, 2.0, 3.0)] == [10.0, 21.0, 32.0]


def test_a_call_that_fails_assigns_nothing():
    w = ag.Tensor(np.ones(3))

    @ag.compile
    def f(x):
        new = w.data * 0.5
        y = np.linalg.inv(x)
        w.data = new
        return y

    f(np.eye(2))
    f(np.eye(2))
    with pytest.raises(np.linalg.LinAlgError):
        f(np.ones((2, 2)))
    assert np.array_equal(w.data, np.full(3, 0.25))


def test_a_call_that_fails_leaves_no_gradients_of_another():
    model = nn.MLP([2, 3, 4], "tanh", rng=0)

    @ag.compile
    def f(x, y):
        model.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        return loss

    f(X, np.array([0, 1, 2]))
    f(X, np.array([0, 1, 2]))
    with pytest.raises(ValueError, match="labels of 4 classes"):
        f(X, np.array([0, 1, 9]))
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.float64, np.complex128])
def test_complex_numbers_are_arguments(dtype):
    def f(x, c):
        return np.sum(np.abs(x * c) ** 2) + c, x + c.conjugate(), c * c

    compiled, x = ag.compile(f), np.arange(3).astype(dtype)
    for c in (1 + 2j, 3j, 0.5 + 0j):
        for found, want in zip(compiled(x, c), f(x, c), strict=True):
            assert getattr(found, "dtype", complex) == getattr(want, "dtype", complex)  # the number stays weak
            assert np.allclose(found, want, rtol=1e-6)
    assert len(compiled.plans) == 1


def test_gradients_of_complex_numbers():
    f = ag.grad(lambda c: np.real(c * np.conj(c)))
    compiled = ag.compile(f)
    for c in (2j, 1 + 1j):
        assert compiled(c) == f(c)


def test_a_program_takes_another_complex_number():
    program = ag.trace(lambda x, c: x * c)(np.ones(2), 1j)
    assert np.array_equal(program(np.ones(2), 2 - 1j), [2 - 1j, 2 - 1j])
    with pytest.raises(TypeError, match="number"):
        program(np.ones(2), "2j")
