"""Settings that make no sense are refused in a sentence when something is made, not in the middle of training."""

import numpy as np
import pytest

import autograd_core as ag
import nn

REFUSED = {
    "lr by name": (lambda: nn.Adam(lr="fast"), ValueError, "a learning rate is a positive number, not 'fast'"),
    "lr by yes": (lambda: nn.SGD(lr=True), ValueError, "a learning rate is a positive number, not True"),
    "decay by name": (lambda: nn.AdamW(weight_decay="a"), TypeError, "weight_decay of AdamW is a number"),
    "one beta": (lambda: nn.Adam(betas=0.9), ValueError, r"betas are two numbers .* not \(0.9,\)"),
    "betas by name": (lambda: nn.Adam(betas="ab"), ValueError, "betas are two numbers"),
    "eps by name": (lambda: nn.RMSProp(eps="a"), TypeError, "eps of RMSProp is a number"),
    "momentum by name": (lambda: nn.SGD(lr=1, momentum="a"), TypeError, "momentum of SGD is a number"),
    "limit by name": (lambda: nn.clip_by_norm([], "a"), ValueError, "clipped to a positive limit, not 'a'"),
    "a gain on the plateau": (lambda: nn.schedules.ReduceOnPlateau(min_delta=-1), ValueError, "min_delta is at least 0"),
    "a high floor": (lambda: nn.schedules.ReduceOnPlateau(lowest=2), ValueError, "lowest from 0 to 1, not 0.0 and 2"),
    "min_delta by name": (lambda: nn.EarlyStopping(min_delta="a"), ValueError, "min_delta is a number from 0 upwards"),
    "no features": (lambda: nn.BatchNorm(0), ValueError, "BatchNorm is of a positive number of features, not of 0"),
    "fewer features": (lambda: nn.BatchNorm(-1), ValueError, "BatchNorm is of a positive number of features"),
    "no axes": (lambda: nn.LayerNorm(()), ValueError, "LayerNorm is of a positive number of features"),
    "a negative axis": (lambda: nn.LayerNorm((2, -1)), ValueError, "LayerNorm is of a positive number of features"),
    "a negative eps": (lambda: nn.BatchNorm(3, eps=-1), ValueError, "eps is a small number from 0 upwards, not -1"),
    "eps of a layer": (lambda: nn.LayerNorm(3, eps=np.nan), ValueError, "eps is a small number from 0 upwards"),
    "no momentum": (lambda: nn.BatchNorm(3, momentum=None), ValueError, "momentum lies between 0 and 1, not None"),
    "p by name": (lambda: nn.Dropout("a", rng=0), ValueError, "not including, 1; not 'a'"),
    "one size": (lambda: nn.MLP(2, rng=0), ValueError, r"an MLP needs the sizes .* not 2"),
    "init by name": (lambda: nn.Linear(2, 3, rng=0, init="he"), TypeError, "init is a function, such as nn.init.he"),
    "init of windows": (lambda: nn.Conv1d(2, 3, 1, rng=0, init="he"), TypeError, "init is a function"),
    "capitals": (lambda: nn.Activation("RELU"), ValueError, r"called 'RELU'; did you mean 'relu'\? There are elu"),
    "no activation": (lambda: nn.Activation(None), ValueError, "no activation is called None; there are elu"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_settings_that_are_refused(case):
    make, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        make()


def tensor(gradient, dtype=float):
    p = ag.Tensor(np.zeros(np.shape(gradient)), dtype=dtype)
    p.grad = np.array(gradient, dtype)
    return p


@pytest.mark.parametrize(("dtype", "size"), [(float, 1e200), (np.float32, 1e25), (np.float32, 1e-30), (float, 1e-200)])
def test_norms_of_which_no_square_is_a_float(dtype, size):
    p, q = tensor([3 * size, 0.0], dtype), tensor([4 * size], dtype)
    limit = size / 2
    assert nn.clip_by_norm([p, q], limit) == pytest.approx(5 * size, rel=1e-6)
    np.testing.assert_allclose(np.concatenate([p.grad, q.grad]), [0.6 * limit, 0, 0.8 * limit], rtol=1e-6)


def test_clipping_under_compile_does_not_overflow_either():
    p = ag.Tensor(np.ones(2), dtype=np.float32)

    @ag.compile
    def step(scale):
        p.grad = None
        np.sum(p * scale).backward()
        nn.clip_by_norm([p], 1.0)

    for scale in (np.float32([3.0, 4.0]), np.float32([3e25, 4e25]), np.float32([0.3, 0.4])):
        with np.errstate(over="ignore"):  # of the first try at the norm
            step(scale)
        np.testing.assert_allclose(p.grad, [0.6, 0.8] if scale[0] > 1 else [0.3, 0.4], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_gradients_that_are_not_finite_are_left_to_be_seen(bad):
    p, q = tensor([bad, 1.0]), tensor([5.0])
    assert not np.isfinite(nn.clip_by_norm([p, q], 1.0))
    np.testing.assert_array_equal(p.grad, [bad, 1.0])
    np.testing.assert_array_equal(q.grad, [5.0])


def test_one_parameter_may_be_given_by_itself():
    p = tensor([3.0, 4.0])
    assert nn.clip_by_norm(p, 1.0) == 5
    np.testing.assert_allclose(p.grad, [0.6, 0.8])
    nn.clip_by_value(p, 0.7)
    np.testing.assert_allclose(p.grad, [0.6, 0.7])
