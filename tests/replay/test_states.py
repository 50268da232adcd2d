"""What a compiled function rests on may change and change back: a few plans are kept, and no end of recording is said."""

import warnings

import numpy as np
import pytest

import autograd_core as ag
import nn

X = np.linspace(-1, 1, 6).reshape(3, 2)


def test_gradients_there_and_not_there():
    model = nn.MLP([2, 3, 1], rng=np.random.default_rng(0))
    twin = nn.MLP([2, 3, 1], rng=np.random.default_rng(0))

    def backward(model):
        return lambda x: np.sum(model(x) ** 2).backward()

    compiled, plain = ag.compile(backward(model)), backward(twin)
    for i in range(12):
        if i % 2 == 0:
            for m in (model, twin):
                for p in m.parameters():
                    p.grad = None
        compiled(X + i), plain(X + i)
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            assert np.allclose(p.grad, q.grad, rtol=1e-12)
    assert len(compiled.plans) == 2


def test_training_and_evaluation():
    layer = nn.Dropout(0.5, rng=np.random.default_rng(0))
    f = ag.compile(lambda x: layer(x) * 2)
    for i in range(8):
        layer.train(i % 2 == 0)
        dropped = np.any(f(X + 2) == 0) or not np.array_equal(f(X + 2), 2 * X + 4)
        assert dropped == (i % 2 == 0)
    assert len(f.plans) == 2
    assert f.plan is f.plans[-1]


class Counter:
    """Something that counts its calls."""

    def __init__(self):
        self.calls = 0


def test_what_changes_at_every_call_is_named():
    counter = Counter()
    f = ag.compile(lambda x: x * counter.calls)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for i in range(20):
            counter.calls = 1000 + i
            assert np.array_equal(f(X), X * counter.calls)
    assert [str(w.message).partition(",")[0] for w in told] == [
        "the attribute 'calls' of Counter changes at every call"
    ]
    assert len(f.plans) <= 4
    replayed = f.plan
    counter.calls = f(X)[0, 0] / X[0, 0]
    assert np.array_equal(f(X), X * counter.calls)
    assert f.plan is replayed


def test_tensors_made_inside_are_nobody_elses():
    def f(x):
        t = ag.Tensor(x)
        loss = np.sum(np.sin(t) * t)
        loss.backward()
        return loss, t.grad

    compiled = ag.compile(f)
    for i in range(4):
        for a, b in zip(compiled(X + i), f(X + i), strict=True):
            assert np.array_equal(a, b)
    assert len(compiled.plans) == 1
    assert compiled.fast is not None  # and it is replayed, not recorded at every call


def test_only_functions_are_compiled():
    with pytest.raises(TypeError, match="takes a function, not 3"):
        ag.compile(3)


def test_a_gradient_that_is_not_there_is_another_state():
    def both(wrap):
        a, b = ag.Tensor(np.ones(2)), ag.Tensor(np.ones(2))
        step = wrap(nn.SGD([a, b], lr=0.1).step)
        for i in range(6):
            a.grad = b.grad = None
            loss = np.sum(a * a)
            if i % 3:
                loss = loss + np.sum(b * b)
            loss.backward()
            step()
        return a.data, b.data

    for ours, theirs in zip(both(ag.compile), both(lambda step: step), strict=True):
        assert np.array_equal(ours, theirs)


def test_what_is_not_finite_is_no_other_kind_of_arguments():
    w = ag.Tensor(2.0)

    @ag.compile
    def loss(x):
        w.grad = None
        y = np.maximum(w * x, 0)
        z = np.where(y > 0, y * y, y)
        z.backward()
        return z

    for _ in range(20):
        assert loss(float("inf")) == np.inf
    for x in (1.0, 2.0, 3.0):
        assert loss(x) == 4 * x * x
        assert w.grad == 4 * x * x
    assert len(loss.plans) == 1


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_a_gradient_has_the_dtype_of_its_parameter(dtype):
    p = ag.Tensor(np.ones(3, np.float32))

    @ag.compile
    def give(x):
        p.grad = x * 2

    for k in range(4):
        give(np.arange(3).astype(dtype) + k)
        assert p.grad.dtype == np.float32
        assert np.array_equal(p.grad, 2.0 * (np.arange(3) + k))


class Odd:
    """Attributes that Python's grammar cannot name."""


def test_attributes_may_be_named_like_keywords():
    setattr(Odd, "lambda", 0.5)
    f = ag.compile(lambda x: x * getattr(Odd, "lambda"))
    assert [f(np.full(2, 2.0))[0] for _ in range(3)] == [1.0] * 3
    setattr(Odd, "lambda", 1.5)
    assert f(np.full(2, 2.0))[0] == 3.0
