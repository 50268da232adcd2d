"""A call of a compiled function that fails leaves Tensors, optimizers and counts as they were, wherever it fails."""

# ruff: noqa: ARG001, ARG005 (programs and failures share a signature)

import warnings

import numpy as np
import pytest

import autograd_core as ag
import nn

X = np.random.default_rng(0).normal(size=(16, 8))
GOOD, SINGULAR = np.eye(3), np.zeros((3, 3))


class World:
    """A model with running averages, two optimizers of which one has two groups, and a number."""

    def __init__(self, hidden):
        self.model = nn.Sequential(
            nn.Linear(8, hidden, rng=0), nn.BatchNorm(hidden), np.tanh, nn.Linear(hidden, 8, rng=1)
        )
        first, last = self.model.layers[0], self.model.layers[3]
        self.scale = ag.Tensor(1.0)
        self.adam = nn.Adam([{"params": list(first.parameters())}, {"params": [self.scale], "lr": 0.1}])
        self.sgd = nn.SGD([*last.parameters(), *self.model.layers[1].parameters()], lr=0.01, momentum=0.9)
        self.count = ag.Tensor(0, dtype=int)
        self.failing = False

    def everything(self):
        return (
            self.model.state_dict(), self.adam.state_dict(), self.sgd.state_dict(), self.scale.data, self.count.data
        )  # fmt: skip

    def check(self):
        if self.failing:
            raise KeyError("no")
        return 0.0

    def loss(self, x):
        self.adam.zero_grad()
        self.sgd.zero_grad()
        loss = nn.mse(self.model(x) * self.scale, x)
        loss.backward()
        return loss


def at_the_end(w, x, A):
    loss = w.loss(x)
    w.adam.step()
    w.sgd.step()
    w.count.data += 1
    return loss, np.linalg.inv(A)


def between(w, x, A):
    loss = w.loss(x)
    w.adam.step()
    inverse = np.linalg.inv(A)
    w.sgd.step()
    return loss, inverse


def of_new_values(w, x, A):
    loss = w.loss(x)
    w.adam.step()
    w.sgd.step()
    return loss, np.linalg.inv(A * (1 + 0 * w.scale))


def called(w, x, A):
    loss = w.loss(x)
    w.adam.step()
    w.sgd.step()
    w.count.data += 1
    return loss, ag.fresh(w.check)


def by_hand(w, x, A):
    loss = w.loss(x)
    for p in w.model.parameters():
        p.data -= 0.1 * p.grad
    w.scale.data -= 0.1 * w.scale.grad
    w.count.data += 1
    return loss, np.linalg.solve(A, np.ones(3))


PROGRAMS = {
    "at the end": at_the_end,
    "between two optimizers": between,
    "of new values": of_new_values,
    "by a function called anew": called,
    "by hand": by_hand,
}
FAILURES = {
    "singular": (np.linalg.LinAlgError, lambda w, f: f(X, SINGULAR)),
    "overflow": (FloatingPointError, lambda w, f: overflowing(f, "raise")),
    "a warning that is an error": (RuntimeWarning, lambda w, f: overflowing(f, "warn")),
    "an index": (KeyError, lambda w, f: failing(w, f)),
}


def overflowing(f, mode):
    with np.errstate(all=mode), warnings.catch_warnings():
        warnings.simplefilter("error")
        f(X * 1e200, GOOD)


def failing(w, f):
    w.failing = True
    try:
        f(X, GOOD)
    finally:
        w.failing = False


CASES = [
    (program, failure)
    for program in PROGRAMS
    for failure in FAILURES
    if failure not in ("an index", "singular") or (failure == "an index") == (program == "by a function called anew")
]


@pytest.mark.parametrize("hidden", [4, 600])
@pytest.mark.parametrize(("program", "failure"), CASES)
def test_everything_is_as_it_was(program, failure, hidden):
    f, (error, fail) = PROGRAMS[program], FAILURES[failure]
    ours, twin = World(hidden), World(hidden)
    compiled, plain = ag.compile(lambda x, A: f(ours, x, A)), lambda x, A: f(twin, x, A)
    with warnings.catch_warnings():
        warnings.resetwarnings()
        for _ in range(2):
            compiled(X, GOOD), plain(X, GOOD)
        before = ours.everything()
        for _ in range(2):
            with pytest.raises(error):
                fail(ours, compiled)
            np.testing.assert_equal(ours.everything(), before)
        for _ in range(2):
            compiled(X, GOOD), plain(X, GOOD)
    for a, b in zip(flat(ours.everything()), flat(twin.everything()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("hidden", [4, 600])
@pytest.mark.parametrize("program", PROGRAMS)
def test_so_it_is_where_the_recording_fails(program, hidden):
    f, w = PROGRAMS[program], World(hidden)
    before = w.everything()
    compiled = ag.compile(lambda x, A: f(w, x, A))
    error, fail = FAILURES["an index" if program == "by a function called anew" else "singular"]
    with pytest.raises(error):
        fail(w, compiled)
    np.testing.assert_equal(w.everything(), before)


def flat(tree):
    if isinstance(tree, dict):
        return [a for k in tree for a in flat(tree[k])]
    if isinstance(tree, tuple | list):
        return [a for part in tree for a in flat(part)]
    return [tree]


@pytest.mark.parametrize("hidden", [4, 600])
def test_what_does_not_need_the_update_is_computed_before_it(hidden):
    """Nothing has to be copied for it then."""
    w = World(hidden)
    step = ag.compile(lambda x, A: at_the_end(w, x, A))
    step(X, GOOD), step(X, GOOD)
    source = step.plan.notes["source"]
    inverse = next(i for i, s in enumerate(step.plan.equations) if s.title == "inv")
    changed = next(i for i, s in enumerate(step.plan.equations) if s.effect == "assign" and s.target is not w.count)
    assert inverse < changed
    assert "with whole" in source


@pytest.mark.parametrize("n", [3, 40])
def test_scalars(n):
    weights = [ag.Tensor(0.1 * i) for i in range(n)]

    @ag.compile
    def step(x):
        loss = sum((np.tanh(w * x) - 0.5) ** 2 for w in weights)
        for w in weights:
            w.grad = None
        loss.backward()
        for w in weights:
            w.data -= 0.1 * w.grad
        return loss

    step(1.0), step(2.0)
    before = [w.data for w in weights]
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        step(np.inf)
    assert [w.data for w in weights] == before
