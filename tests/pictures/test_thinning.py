"""Long repeats of which only both ends are read: pictures are the same as if everything were."""

import numpy as np
import pytest

import autograd_core as ag
from autograd_core.pictures import thinning
from autograd_core.pictures.labels import Labels

N = 60


def chain(x):
    for _ in range(N):
        x = np.sin(x)
    return x


def two_operations(x):
    for _ in range(N):
        x = np.sin(x) * 1.01
    return x


def numbers_nobody_keeps(x):
    for _ in range(N):
        x = x + 0.25
    return x


def with_the_argument(x):
    y = x
    for _ in range(N):
        y = np.tanh(y * x + x)
    return y


def two_behind(x):
    a, b = x, x * 0.5
    for _ in range(N):
        a, b = b, np.sin(a + b)
    return b


def shared_weights(x):
    W, y = ag.Tensor(np.eye(3) * 0.9, name="W"), np.ones(3) * x
    for _ in range(N):
        y = np.tanh(W @ y)
    return np.sum(y)


def own_weights(x):
    y = np.ones(3) * x
    for k in range(N):
        y = np.tanh(ag.Tensor(np.eye(3) * (0.9 + k / 1000)) @ y + ag.Tensor(np.zeros(3)))
    return np.sum(y)


def in_scopes(x):
    for _ in range(N):
        with ag.scope("block"):
            x = np.exp(np.sin(x) * 0.1)
    return x


def two_repeats(x):
    for _ in range(N):
        x = np.sin(x)
    for _ in range(N):
        x = np.tanh(x) + 1.0
    return x


def reductions(x):
    y = np.ones((2, 3)) * x
    for _ in range(N):
        y = y - np.mean(y, axis=0)
    return np.sum(y)


def several_results(x):
    A = np.arange(4.0).reshape(2, 2) * x + np.eye(2)
    for _ in range(N):
        A = np.linalg.qr(A)[0] * 2.0
    return np.sum(A)


def axes_for_broadcasting(x):
    M = np.ones((2, 3)) * x
    for _ in range(N):
        M = M * 0.5 + np.expand_dims(np.mean(M, axis=0), 0)
    return np.sum(M)


def with_the_argument_of_a_transform(x):
    y = x
    for _ in range(N):
        y = np.tanh(y) * x
    return y


REPEATS = [
    several_results, axes_for_broadcasting, with_the_argument_of_a_transform, chain, two_operations, numbers_nobody_keeps, with_the_argument, two_behind, shared_weights, own_weights, in_scopes,
    two_repeats, reductions,
]  # fmt: skip


def drawn(f, monkeypatch, long, **options):
    monkeypatch.setattr(thinning, "LONG", long)
    monkeypatch.setattr(thinning, "KEPT", 16)
    x = ag.Tensor(0.5, name="x")
    return ag.draw(f(x), **options)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("f", REPEATS, ids=lambda f: f.__name__)
def test_the_picture_is_the_same(f, direction, monkeypatch):
    whole = drawn(f, monkeypatch, 10**9, direction=direction)
    thin = drawn(f, monkeypatch, 40, direction=direction)
    assert thin.text() == whole.text()
    assert boxes(thin) == boxes(whole)
    assert (thin.note, thin.alt) == (whole.note, whole.alt)
    assert thin.graph.gaps, "nothing was left out"
    assert len(thin.graph.vertices) < len(whole.graph.vertices)


def boxes(picture):
    """Return what stands in the boxes, in order."""
    labels = Labels(picture.view)
    return [labels.of(key, backward) for key in picture.view.boxes for backward in (False, True)]


def unequal(x):
    for k in range(N):
        x = np.sin(x) * (1.0 + k / 1000)
    return x


def sums_of_unequal(x):
    for k in range(N):
        x = x + k / 4
    return x


def broken_in_between(x):
    for k in range(N):
        x = np.where(np.isnan(x), 0.25, x) * 1.0
        x = x * np.nan if k == N // 2 else np.sin(x)
    return x


def watched_from_outside(x):
    seen = []
    for _ in range(N):
        x = np.sin(x)
        seen.append(x)
    return x + seen[N // 2] * 3.0


@pytest.mark.parametrize(
    "f", [unequal, sums_of_unequal, broken_in_between, watched_from_outside], ids=lambda f: f.__name__
)
def test_what_differs_in_the_middle_is_drawn(f, monkeypatch):
    assert drawn(f, monkeypatch, 40).text() == drawn(f, monkeypatch, 10**9).text()


def test_a_name_in_the_middle_is_no_other_picture(monkeypatch):
    def f(x):
        for k in range(N):
            x = np.sin(x)
            if k == N // 2:
                x.name = "middle"
        return x

    assert drawn(f, monkeypatch, 40).text() == drawn(f, monkeypatch, 10**9).text()


def test_what_is_drawn_whole_is_read_whole(monkeypatch):
    assert not drawn(chain, monkeypatch, 40, fold=False).graph.gaps
    assert not drawn(chain, monkeypatch, 40, focus="x").graph.gaps


def test_a_long_program_has_few_vertices():
    y = ag.Tensor(0.5)
    for _ in range(15_000):
        y = np.sin(y) * 1.01
    picture = ag.draw(y)
    assert len(picture.graph.vertices) < 3 * 2 * thinning.KEPT
    assert "× 15000" in picture.text()
    assert "30,000 operations" in repr(picture)
