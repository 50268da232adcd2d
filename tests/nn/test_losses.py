import numpy as np
import pytest

import autograd_core as ag
import nn

REDUCE = {"mean": np.mean, "sum": np.sum, "none": lambda losses: losses}
every_reduction = pytest.mark.parametrize("reduction", REDUCE)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def probabilities(*shape):
    p = np.random.default_rng(1).uniform(0.1, 1, shape)
    return p / p.sum(-1, keepdims=True)


# --- mse --------------------------------------------------------------------------------------------------------------


@every_reduction
@pytest.mark.parametrize("shape", [(), (3,), (4, 2), (2, 3, 4)])
def test_mse(shape, reduction, check_derivatives):
    a, b = normal(*shape), normal(*shape, seed=1)
    expected = REDUCE[reduction]((a - b) ** 2)
    np.testing.assert_allclose(nn.mse(a, b, reduction), expected, rtol=1e-14)
    np.testing.assert_array_equal(nn.mse(ag.Tensor(a), b, reduction=reduction).data, nn.mse(a, b, reduction))
    check_derivatives(lambda p, t: nn.mse(p, t, reduction=reduction), a, b)


def test_mse_of_strided_arrays():
    a, b = normal(4, 6)[:, ::2], normal(3, 4, seed=1).T
    np.testing.assert_allclose(nn.mse(a, b), np.mean((a - b) ** 2), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@every_reduction
def test_mse_keeps_the_dtype(dtype, reduction):
    a, b = ag.Tensor(normal(4, 2), dtype=dtype), normal(4, 2, seed=1).astype(dtype)
    loss = nn.mse(a, b, reduction)
    assert loss.dtype == dtype
    loss.backward(np.ones(loss.shape))
    assert a.grad.dtype == dtype


def test_mse_of_many_half_precision_numbers_is_finite():
    a = np.full(10_000, 3, np.float16)
    assert nn.mse(a, np.zeros_like(a)) == 9


def test_mse_of_integers_does_not_wrap_around():
    assert nn.mse(np.array([1], np.uint8), np.array([3], np.uint8)) == 4
    assert nn.mse([True, False], [False, False]) == 0.5
    assert nn.mse(ag.Tensor([0.5]), np.array([1], np.uint8)).item() == 0.25


def test_mse_takes_lists_and_numbers():
    assert nn.mse(ag.Tensor([1.0, 2.0]), [1, 4]).item() == 2
    x = ag.Tensor(3.0)
    nn.mse(x, 1.0).backward()
    assert x.grad == 4


@pytest.mark.parametrize(("a", "b"), [((4, 1), (4,)), ((4,), (4, 1)), ((4, 2), (2,)), ((3,), ())])
def test_mse_does_not_broadcast(a, b):
    with pytest.raises(ValueError, match=r"of one shape, not .* and .*reshape"):
        nn.mse(ag.Tensor(normal(*a)), normal(*b))


def test_mse_refuses_what_has_no_mean():
    with pytest.raises(ValueError, match="no observations"):
        nn.mse(ag.Tensor(np.zeros((0, 1))), np.zeros((0, 1)))
    assert nn.mse(np.zeros(0), np.zeros(0), "sum") == 0
    with pytest.raises(TypeError, match="complex"):
        nn.mse(ag.Tensor([1j]), np.zeros(1))


# --- cross_entropy ----------------------------------------------------------------------------------------------------


def by_words(logits, p):
    return -np.sum(p * (logits - np.log(np.sum(np.exp(logits), -1, keepdims=True))), -1)


@every_reduction
@pytest.mark.parametrize("lead", [(), (4,), (2, 4)])
def test_cross_entropy_of_labels(lead, reduction, check_derivatives):
    logits, labels = normal(*lead, 3), np.random.default_rng(1).integers(0, 3, lead)
    expected = REDUCE[reduction](by_words(logits, np.eye(3)[labels]))
    np.testing.assert_allclose(nn.cross_entropy(logits, labels, reduction), expected, rtol=1e-13)
    check_derivatives(lambda x: nn.cross_entropy(x, labels, reduction), logits)


@every_reduction
@pytest.mark.parametrize("lead", [(), (4,), (2, 4)])
def test_cross_entropy_of_probabilities(lead, reduction, check_derivatives):
    logits, p = normal(*lead, 3), probabilities(*lead, 3)
    expected = REDUCE[reduction](by_words(logits, p))
    np.testing.assert_allclose(nn.cross_entropy(logits, p, reduction), expected, rtol=1e-13)
    check_derivatives(lambda x, p: nn.cross_entropy(x, p, reduction), logits, p)


def test_cross_entropy_gradient_is_the_lectures_formula():
    logits, labels = ag.Tensor(normal(5, 3)), np.array([0, 2, 1, 1, 0])
    nn.cross_entropy(logits, labels, "sum").backward()
    np.testing.assert_allclose(logits.grad, nn.softmax(logits.data) - np.eye(3)[labels], atol=1e-15)


def test_one_hot_labels_are_probabilities():
    logits, labels = normal(5, 3), np.array([0, 2, 1, 1, 0])
    expected = nn.cross_entropy(logits, labels)
    for hot in (np.eye(3)[labels], np.eye(3, dtype=bool)[labels]):
        t = ag.Tensor(logits)
        loss = nn.cross_entropy(t, hot)
        np.testing.assert_allclose(loss.data, expected)
        loss.backward()
        np.testing.assert_allclose(t.grad, (nn.softmax(logits) - hot) / 5, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_reduction
def test_cross_entropy_at_large_logits(dtype, reduction):
    logits = ag.Tensor(np.array([[1e4, -1e4, 0], [-1e4, -1e4, 1e4]]), dtype=dtype)
    for labels in (np.array([0, 1]), np.eye(3, dtype=dtype)[[0, 1]]):
        logits.grad = None
        loss = nn.cross_entropy(logits, labels, reduction)
        np.testing.assert_array_equal(loss.data, REDUCE[reduction](np.array([0, 2e4], dtype)))
        assert loss.dtype == dtype
        loss.backward(np.ones(loss.shape))
        scale = 0.5 if reduction == "mean" else 1
        np.testing.assert_array_equal(logits.grad, scale * np.array([[0, 0, 0], [0, -1, 1]], dtype))


def test_cross_entropy_takes_lists_numbers_and_untracked_tensors():
    logits = ag.Tensor([0.0, 0.0])
    for label in (1, np.int8(1), ag.Tensor(1)):
        assert nn.cross_entropy(logits, label).item() == np.log(2)
    assert nn.cross_entropy(ag.Tensor(np.zeros((2, 2))), [0, 1]).item() == np.log(2)
    assert nn.cross_entropy(ag.Tensor(np.zeros((2, 2))), [[0.5, 0.5], [1.0, 0.0]]).item() == np.log(2)


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0], np.array([0, 200], np.uint8), np.array([-1, 0], np.int8)])
def test_labels_out_of_range(labels):
    with pytest.raises(ValueError, match="labels of 3 classes are 0 to 2; these go from"):
        nn.cross_entropy(ag.Tensor(np.zeros((2, 3))), labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 1), int), r"integer labels of shape \(2,\), not \(2, 1\)"),
        (np.zeros(3, int), r"integer labels of shape \(2,\), not \(3,\)"),
        (np.zeros((2, 3), int), r"one-hot"),
        (
            np.zeros(2),
            r"probabilities of that shape or integer labels of shape \(2,\); these are float64 of shape \(2,\)",
        ),
        (np.zeros((2, 4)), r"these are float64 of shape \(2, 4\)"),
    ],
)
def test_labels_of_the_wrong_shape(labels, message):
    with pytest.raises(ValueError, match=message):
        nn.cross_entropy(ag.Tensor(np.zeros((2, 3))), labels)


def test_cross_entropy_of_nothing():
    with pytest.raises(ValueError, match="no observations"):
        nn.cross_entropy(ag.Tensor(np.zeros((0, 3))), np.zeros(0, int))
    assert nn.cross_entropy(ag.Tensor(np.zeros((0, 3))), np.zeros(0, int), "sum").item() == 0


# --- both -------------------------------------------------------------------------------------------------------------

SAMPLES = {
    "mse": (nn.mse, normal(4, 3, seed=1)),
    "labels": (nn.cross_entropy, np.array([0, 2, 1, 1])),
    "probabilities": (nn.cross_entropy, probabilities(4, 3)),
}


@every_reduction
@pytest.mark.parametrize("sample", SAMPLES)
def test_losses_as_pytorch(sample, reduction):
    torch = pytest.importorskip("torch")
    loss, target = SAMPLES[sample]
    theirs = {nn.mse: torch.nn.functional.mse_loss, nn.cross_entropy: torch.nn.functional.cross_entropy}[loss]
    x = ag.Tensor(normal(4, 3))
    z = torch.tensor(x.data, requires_grad=True)
    ours, expected = loss(x, target, reduction), theirs(z, torch.tensor(target), reduction=reduction)
    np.testing.assert_allclose(ours.data, expected.detach().numpy(), rtol=1e-13)
    g = normal(*ours.shape, seed=2)
    ours.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(x.grad, z.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_loss_is_one_operation(sample):
    loss, target = SAMPLES[sample]
    assert f"op={loss.__name__}" in repr(loss(ag.Tensor(normal(4, 3)), target))


@pytest.mark.parametrize("sample", SAMPLES)
def test_unknown_reduction(sample):
    loss, target = SAMPLES[sample]
    with pytest.raises(ValueError, match='"mean", "sum" or "none", not \'average\''):
        loss(ag.Tensor(normal(4, 3)), target, "average")
