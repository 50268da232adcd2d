import numpy as np
import pytest

import nn
from nn import schedules


def test_shapes():
    assert [schedules.constant()(k) for k in (0, 10)] == [1, 1]
    assert [schedules.step(3)(k) for k in (0, 2, 3, 6)] == pytest.approx([1, 1, 0.1, 0.01])
    assert [schedules.inverse()(k) for k in (0, 100, 300)] == [1, 0.5, 0.25]
    c = schedules.cosine(100, warmup=10, end=0.1)
    values = [c(k) for k in range(120)]
    assert values[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert np.all(np.diff(values[10:101]) < 0)
    assert values[55] == pytest.approx(0.55)
    assert values[100:] == pytest.approx([0.1] * 20)


def test_cosine_as_pytorch():
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs, ours = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20), schedules.cosine(20)
    for k in range(20):
        assert ours(k) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()


def test_plateau():
    s = schedules.ReduceOnPlateau(patience=2, factor=0.5, lowest=0.3)
    seen = []
    for loss in [3, 2, 2, 2, 2, 1, 1, 1, 1]:
        s.observe(loss)
        seen.append(s(0))
    assert seen == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.3]
    twin = schedules.ReduceOnPlateau(patience=2, factor=0.5)
    twin.load_state_dict(s.state_dict())
    assert (twin.best, twin.scale, twin.waited) == (s.best, s.scale, s.waited)


@pytest.mark.parametrize("kind", [schedules.inverse(), schedules.step(1, 0.9)], ids=["inverse", "step"])
def test_a_schedule_scales_the_rate(kind):
    import autograd_core as ag

    p = ag.Tensor([0.0])
    optimizer = nn.SGD([p], lr=0.5)
    for k in range(3):
        p.grad = np.ones(1)
        optimizer.scale = kind(k)
        before = p.data.copy()
        optimizer.step()
        np.testing.assert_allclose(before - p.data, 0.5 * kind(k))
    assert optimizer.lr == 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.step(0), "every is a whole number of at least 1, not 0"),
        (lambda: schedules.step(1, 0), "factor lies above 0"),
        (lambda: schedules.cosine(5, warmup=5), "total is a whole number of at least 6"),
        (lambda: schedules.cosine(5, warmup=-1), "warmup is"),
        (lambda: schedules.cosine(5, end=2), "end lies from 0 to 1"),
        (lambda: schedules.inverse(0), "positive a"),
        (lambda: schedules.ReduceOnPlateau(factor=2), "factor lies"),
        (lambda: schedules.ReduceOnPlateau(patience=1.5), "patience is"),
    ],
)
def test_what_makes_no_sense(make, message):
    with pytest.raises(ValueError, match=message):
        make()
