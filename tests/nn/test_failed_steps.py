"""A step of `fit` that fails leaves the whole model as it was: running averages and generators, too."""

import numpy as np
import pytest

import autograd_core as ag
import nn

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(64, 3)), RNG.integers(0, 2, 64)


def network():
    return nn.Sequential(
        nn.Linear(3, 4, rng=0), nn.BatchNorm(4), nn.relu, nn.Dropout(0.5, rng=3), nn.Linear(4, 2, rng=1)
    )


def fit(model, X=X, y=Y, **settings):
    settings = {"loss": nn.cross_entropy, "optimizer": nn.SGD(lr=0.1), "epochs": 1, "batch_size": 16} | settings
    return nn.fit(model, (X, y), progress=False, **settings)


def everything(model):
    return model.state_dict(), model.layers[3].rng.bit_generator.state


def with_label(label):
    y = Y.copy()
    y[50] = label
    return y


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("settings", [{"y": with_label(7)}, {"y": with_label(-1)}, {"validation": (X, with_label(2))}])
def test_a_bad_label_anywhere_changes_nothing(settings, compile):
    model = network()
    before = everything(model)
    with pytest.raises(ValueError, match="labels of 2 classes are 0 to 1"):
        fit(model, **settings, compile=compile)
    np.testing.assert_equal(everything(model), before)
    assert all(m.training for m in model.modules())


def failing(at, error):
    calls = []

    def loss(output, target):
        calls.append(0)
        if len(calls) == at:
            raise error
        return nn.cross_entropy(output, target)

    return loss


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()])
def test_an_error_in_the_loss_costs_one_step_only(error):
    whole, part = network(), network()
    seen = []
    fit(whole, loss=lambda f, y: seen.append(everything(whole)) or nn.cross_entropy(f, y), batch_size=32)
    before = everything(part)
    if isinstance(error, Exception):
        with pytest.raises(RuntimeError, match="no"):
            fit(part, loss=failing(2, error), batch_size=32)  # the first call is a rehearsal
    else:
        assert "interrupted in epoch 1" in fit(part, loss=failing(2, error), batch_size=32).stopped
    np.testing.assert_equal(everything(part), before)
    assert all(p.grad is None for p in part.parameters())


@pytest.mark.parametrize("compile", [False, True])
def test_a_loss_that_is_not_finite_leaves_no_nan_behind(compile):
    model = nn.Sequential(nn.BatchNorm(3), nn.Linear(3, 2, rng=0))
    before = model.state_dict()
    with pytest.raises(nn.TrainingError, match=r"in the output of BatchNorm '0', the parameters are finite"):
        fit(model, np.full_like(X, 1e308), np.eye(2)[Y], loss=nn.mse, compile=compile)  # the sum overflows
    np.testing.assert_equal(model.state_dict(), before)
    assert all(p.grad is None for p in model.parameters())


def test_the_search_for_a_nan_sees_the_pass_that_failed():
    class Half(nn.Module):
        def __init__(self):
            self.weight, self.rng = ag.Tensor(np.ones(3)), np.random.default_rng(5)

        def forward(self, x):
            return x * self.weight * (np.inf if self.rng.random() < 0.5 else 1.0)

    model = nn.Sequential(nn.Linear(3, 3, rng=0), Half())
    with pytest.raises(nn.TrainingError, match="in the output of Half '1'"):
        fit(model, X, X, loss=nn.mse, epochs=20)


def test_labels_are_looked_at_without_a_trace():
    """The rehearsal draws from no generator and moves no average that the training would see."""
    first, second = network(), network()
    fit(first)
    second.train()
    optimizer = nn.SGD(second.parameters(), lr=0.1)
    for Xb, yb in nn.data.batches((X, Y), 16, rng=0):
        optimizer.zero_grad()
        nn.cross_entropy(second(Xb), yb).backward()
        optimizer.step()
    np.testing.assert_equal(first.state_dict(), second.state_dict())


def test_running_averages_follow_when_nothing_fails():
    model = network()
    fit(model, epochs=3)
    assert model.layers[1].num_batches_tracked.item() == 12
    model.layers[0].weight.requires_grad = False  # by hand, and not trained: looked at once
    weight = model.layers[0].weight.data.copy()
    fit(model)
    np.testing.assert_array_equal(model.layers[0].weight.data, weight)
    assert model.layers[1].num_batches_tracked.item() == 16
