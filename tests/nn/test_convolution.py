import numpy as np
import pytest

import autograd_core as ag
import nn
from nn.functional import avg_pool2d, conv1d, conv2d, convolution, max_pool2d

CASES = [  # shape of x, of weight, stride, padding
    ((2, 1, 5, 5), (3, 1, 2, 2), 1, 0),
    ((2, 2, 6, 5), (3, 2, 3, 2), (2, 1), (1, 2)),
    ((3, 2, 4, 4), (1, 2, 4, 4), 1, 0),
    ((1, 3, 7, 7), (2, 3, 1, 1), 3, 0),
    ((2, 1, 3, 3), (2, 1, 2, 2), 2, 1),
]
every_case = pytest.mark.parametrize(("shape", "weight_shape", "stride", "padding"), CASES)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def by_hand(x, weight, bias, stride, padding):
    """Correlation, place by place."""
    (s, t), (p, q) = (np.broadcast_to(v, 2) for v in (stride, padding))
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (q, q)))
    k, m = weight.shape[2:]
    rows, columns = range(0, x.shape[2] - k + 1, s), range(0, x.shape[3] - m + 1, t)
    y = [[np.tensordot(x[:, :, i : i + k, j : j + m], weight, ((1, 2, 3), (1, 2, 3))) for j in columns] for i in rows]
    return np.moveaxis(np.array(y), (0, 1, 2, 3), (2, 3, 0, 1)) + bias[:, None, None]


@every_case
def test_convolution_is_correlation(shape, weight_shape, stride, padding):
    x, weight, bias = normal(*shape), normal(*weight_shape, seed=1), normal(weight_shape[0], seed=2)
    expected = by_hand(x, weight, bias, stride, padding)
    np.testing.assert_allclose(conv2d(x, weight, bias, stride=stride, padding=padding), expected, atol=1e-12)
    without = conv2d(x, weight, stride=stride, padding=padding)
    np.testing.assert_allclose(without + bias[:, None, None], expected, atol=1e-12)
    strided = np.asfortranarray(x)
    np.testing.assert_allclose(conv2d(strided, weight, bias, stride=stride, padding=padding), expected, atol=1e-12)


@every_case
@pytest.mark.parametrize("bias", [True, False])
def test_convolution_derivatives(shape, weight_shape, stride, padding, bias, check_derivatives):
    args = [normal(*shape), normal(*weight_shape, seed=1), *([normal(weight_shape[0], seed=2)] if bias else [])]
    check_derivatives(lambda *a: conv2d(*a, stride=stride, padding=padding), *args)


def test_convolution_in_blocks(monkeypatch, check_derivatives):
    x, weight, bias = normal(7, 2, 5, 5), normal(3, 2, 3, 3, seed=1), normal(3, seed=2)
    expected = conv2d(x, weight, bias)
    monkeypatch.setattr(convolution, "BLOCK", 2 * 18 * 9)  # two images at a time, and one left
    np.testing.assert_allclose(conv2d(x, weight, bias), expected, rtol=1e-12)
    check_derivatives(conv2d, x, weight, bias)


def test_conv1d(check_derivatives):
    x, weight, bias = normal(2, 3, 8), normal(4, 3, 3, seed=1), normal(4, seed=2)
    y = conv1d(x, weight, bias, stride=2, padding=1)
    expected = conv2d(x[:, :, None], weight[:, :, None], bias, stride=(1, 2), padding=(0, 1))[:, :, 0]
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    check_derivatives(lambda *a: conv1d(*a, stride=2, padding=1), x, weight, bias)


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_convolution_as_pytorch(d, bias):
    torch = pytest.importorskip("torch")
    theirs = (torch.nn.Conv1d, torch.nn.Conv2d)[d - 1](2, 4, 3, stride=2, padding=1, bias=bias)
    ours = (nn.Conv1d, nn.Conv2d)[d - 1](2, 4, 3, stride=2, padding=1, bias=bias, rng=0, dtype=np.float32)
    ours.load_state_dict(theirs.state_dict())
    x = ag.Tensor(normal(3, 2, *(9, 8)[:d]).astype(np.float32))
    z = torch.tensor(x.data, requires_grad=True)
    y, expected = ours(x), theirs(z)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    g = normal(*y.shape, seed=1).astype(np.float32)
    y.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(x.grad, z.grad.numpy(), rtol=1e-4, atol=1e-5)
    for (name, p), (their_name, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == their_name
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("shapes", "settings", "message"),
    [
        (((2, 3, 5, 5), (4, 2, 3, 3)), {}, "needs 2 channels; x has the shape"),
        (((3, 5, 5), (4, 3, 3, 3)), {}, "needs x with 4 axes"),
        (((2, 3, 5, 5), (4, 3, 3)), {}, "needs a weight with 4 axes"),
        (((2, 3, 5, 5), (4, 3, 3, 3), (3,)), {}, r"needs a bias of shape \(4,\), not \(3,\)"),
        (((2, 3, 2, 5), (4, 3, 3, 3)), {}, r"a window of \(3, 3\) does not fit into \(2, 5\)"),
        (((2, 3, 5, 5), (4, 3, 3, 3)), {"stride": 0}, "stride is an integer from 1 upwards, or 2 of them, not 0"),
        (((2, 3, 5, 5), (4, 3, 3, 3)), {"padding": (1, 1, 1)}, "padding is an integer from 0 upwards, or 2"),
    ],
)
def test_convolution_says_what_does_not_fit(shapes, settings, message):
    for kind in (ag.Tensor, np.asarray):
        with pytest.raises(ValueError, match=message):
            conv2d(*(kind(np.ones(s)) for s in shapes), **settings)


def test_convolution_layers():
    layer = nn.Conv2d(1, 8, (5, 3), padding=2, rng=0)
    assert (layer.weight.shape, layer.bias.shape, layer.num_parameters()) == ((8, 1, 5, 3), (8,), 128)
    assert np.abs(layer.weight.data).max() <= np.sqrt(3 / 15)
    assert nn.Conv1d(1, 1, 3, bias=False, rng=0).bias is None
    with pytest.raises(TypeError, match="weights are floats"):
        nn.Conv2d(1, 1, 3, rng=0, dtype=complex)


# --- pooling ----------------------------------------------------------------------------------------------------------

POOLS = [((2, 3, 6, 6), 2, None, 0), ((2, 1, 5, 7), (2, 3), None, 0), ((1, 2, 6, 5), 3, 1, 1), ((1, 1, 7, 7), 3, 2, 0)]
every_pool = pytest.mark.parametrize(("shape", "window", "stride", "padding"), POOLS)


@every_pool
@pytest.mark.parametrize("f", [max_pool2d, avg_pool2d])
def test_pooling_derivatives(f, shape, window, stride, padding, check_derivatives):
    check_derivatives(lambda x: f(x, window, stride=stride, padding=padding), normal(*shape))


@every_pool
@pytest.mark.parametrize("kind", ["Max", "Avg"])
@pytest.mark.parametrize("ties", [True, False])
def test_pooling_as_pytorch(kind, ties, shape, window, stride, padding):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn, f"{kind}Pool2d")(window, stride, padding)
    ours = getattr(nn, f"{kind}Pool2d")(window, stride=stride, padding=padding)
    x = ag.Tensor(np.round(normal(*shape)) if ties else normal(*shape))
    z = torch.tensor(x.data, requires_grad=True)
    y, expected = ours(x), theirs(z)
    np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=1e-13)
    g = normal(*y.shape, seed=1)
    y.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(x.grad, z.grad.numpy(), rtol=1e-13)


def test_pooling_by_hand():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    np.testing.assert_array_equal(max_pool2d(x, 2), [[[[5, 7], [13, 15]]]])
    np.testing.assert_array_equal(avg_pool2d(x, 2), [[[[2.5, 4.5], [10.5, 12.5]]]])
    np.testing.assert_array_equal(max_pool2d(-x, 2, padding=1)[0, 0, 0], [0, -1, -3])
    assert np.isnan(max_pool2d(np.where(x == 0, np.nan, x), 2)[0, 0, 0, 0])


def test_pooling_says_what_does_not_fit():
    with pytest.raises(ValueError, match="channels, height, width"):
        nn.MaxPool2d(2)(np.ones((4, 4)))
    with pytest.raises(ValueError, match=r"does not fit into \(2, 2\)"):
        nn.AvgPool2d(3)(np.ones((1, 1, 2, 2)))
    with pytest.raises(ValueError, match="at most half the window"):
        nn.MaxPool2d(2, padding=2)(np.ones((1, 1, 4, 4)))
    with pytest.raises(ValueError, match="window is an integer from 1 upwards"):
        nn.MaxPool2d(0)


def test_a_convolutional_network_learns():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 64)
    x = rng.normal(0, 0.3, (64, 1, 8, 8)).astype(np.float32)
    x[np.arange(64), 0, rng.integers(0, 8, 64)] += 1.0 * (labels == 1)[:, None]  # a row, or a column
    for i in np.flatnonzero(labels == 0):
        x[i, 0, :, rng.integers(0, 8)] += 1
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, rng=0, dtype=np.float32), nn.relu, nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(36, 2, rng=1, dtype=np.float32),
    )  # fmt: skip
    optimizer = nn.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
