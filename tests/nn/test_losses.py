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


def given_to(loss):
    """Return what every loss takes: probabilities, and for `nll` their logarithms."""
    return np.log(probabilities(4, 3)) if loss is nn.nll else probabilities(4, 3)


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


@every_reduction
@pytest.mark.parametrize("labels", [np.array([0, 2, 1, 1]), probabilities(4, 3)], ids=["labels", "probabilities"])
def test_cross_entropy_with_smoothed_labels(reduction, labels, check_derivatives):
    logits = normal(4, 3)
    hot = np.eye(3)[labels] if labels.ndim == 1 else labels
    expected = REDUCE[reduction](by_words(logits, 0.8 * hot + 0.2 / 3))
    np.testing.assert_allclose(nn.cross_entropy(logits, labels, reduction, label_smoothing=0.2), expected, rtol=1e-13)
    check_derivatives(lambda x: nn.cross_entropy(x, labels, reduction, label_smoothing=0.2), logits)
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.cross_entropy(logits, labels, label_smoothing=1.5)


@every_reduction
def test_weights_of_classes_as_pytorch(reduction):
    torch = pytest.importorskip("torch")
    logits, labels, weight = normal(4, 3), np.array([0, 2, 1, 1]), np.array([0.5, 1.0, 2.0])
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(logits), torch.tensor(labels), torch.tensor(weight), reduction=reduction
    )
    np.testing.assert_allclose(nn.cross_entropy(logits, labels, reduction, weight=weight), theirs.numpy(), rtol=1e-13)
    found = nn.nll(nn.log_softmax(logits), labels, reduction, weight=weight)
    np.testing.assert_allclose(found, theirs.numpy(), rtol=1e-13)


def test_weights_of_classes_say_what_does_not_fit():
    with pytest.raises(ValueError, match=r"3 classes need a weight of shape \(3,\), not \(2,\)"):
        nn.cross_entropy(normal(4, 3), np.array([0, 2, 1, 1]), weight=[1, 2])
    with pytest.raises(ValueError, match="need integer labels"):
        nn.cross_entropy(normal(4, 3), probabilities(4, 3), weight=[1, 2, 3])


def test_cross_entropy_keeps_its_softmax_for_the_first_order_only():
    """Of second order the softmax is a function of the logits: the Hessian is diag(p) - p p'."""
    logits = normal(3)
    p = nn.softmax(logits)
    for labels in (np.int64(1), np.eye(3)[1]):
        hessian = ag.hessian(lambda x, labels=labels: nn.cross_entropy(x, labels))(logits)
        np.testing.assert_allclose(hessian, np.diag(p) - np.outer(p, p), atol=1e-15)
        t = ag.Tensor(logits)
        loss = nn.cross_entropy(t, labels)
        for _ in range(2):
            loss.backward(retain_graph=True)
        np.testing.assert_allclose(t.grad, 2 * (p - np.eye(3)[1]), rtol=1e-14)


# --- element by element -----------------------------------------------------------------------------------------------

signs = np.where(normal(4, 3, seed=3) > 0, 1, -1)
ELEMENTWISE = {  # prediction, target, the loss in words
    "bce": (probabilities(4, 3), probabilities(4, 3)[::-1], lambda p, y: -(y * np.log(p) + (1 - y) * np.log(1 - p))),
    "bce_with_logits": (normal(4, 3), probabilities(4, 3), lambda x, y: np.log(1 + np.exp(x)) - x * y),
    "binomial": (normal(4, 3), signs, lambda f, y: np.log(1 + np.exp(-2 * y * f))),
    "hinge": (normal(4, 3), signs, lambda f, y: np.maximum(0, 1 - y * f)),
    "huber": (2 * normal(4, 3), normal(4, 3, seed=1), lambda f, y: by_branches(np.abs(f - y))),
    "l1": (normal(4, 3), normal(4, 3, seed=1), lambda f, y: np.abs(f - y)),
    "logistic": (normal(4, 3), signs, lambda f, y: np.log(1 + np.exp(-y * f))),
    "mse": (normal(4, 3), normal(4, 3, seed=1), lambda f, y: (f - y) ** 2),
}
every_loss = pytest.mark.parametrize("name", ELEMENTWISE)


def by_branches(d, delta=1):
    return np.where(d < delta, d**2 / 2, delta * d - delta**2 / 2)


@every_loss
@every_reduction
def test_elementwise_losses(name, reduction, check_derivatives):
    loss, (f, y, words) = getattr(nn, name), ELEMENTWISE[name]
    np.testing.assert_allclose(loss(f, y, reduction), REDUCE[reduction](words(f, y)), rtol=1e-12)
    np.testing.assert_array_equal(loss(ag.Tensor(f), y, reduction=reduction).data, loss(f, y, reduction))
    check_derivatives(lambda x: loss(x, y, reduction), f)
    if y.dtype.kind == "f":
        check_derivatives(lambda x, t: loss(x, t, reduction), f, y)


@every_loss
@every_reduction
@pytest.mark.parametrize("shape", [(4,), (4, 3)])
def test_sample_weights(name, reduction, shape, check_derivatives):
    loss, (f, y, words) = getattr(nn, name), ELEMENTWISE[name]
    w = np.arange(np.prod(shape)).reshape(shape)
    full = np.broadcast_to(w.reshape(4, -1), (4, 3))
    losses = words(f, y) * full
    expected = {"mean": losses.sum() / full.sum(), "sum": losses.sum(), "none": losses}[reduction]
    np.testing.assert_allclose(loss(f, y, reduction, sample_weight=w), expected, rtol=1e-12)
    check_derivatives(lambda x: loss(x, y, reduction, sample_weight=w), f)
    unweighted = loss(f, y, reduction)
    np.testing.assert_allclose(loss(f, y, reduction, sample_weight=np.ones(4)), unweighted, rtol=1e-13)


@pytest.mark.parametrize("loss", [nn.cross_entropy, nn.nll, nn.multinomial_deviance])
def test_sample_weights_of_classes(loss):
    x, labels, w = given_to(loss), np.array([0, 2, 1, 1]), np.array([1.0, 0.0, 2.0, 3.0])
    expected = np.average(loss(x, labels, "none"), weights=w)
    np.testing.assert_allclose(loss(x, labels, sample_weight=w), expected, rtol=1e-13)
    assert loss(ag.Tensor(x), labels, sample_weight=w).requires_grad


@pytest.mark.parametrize(
    ("weights", "message"),
    [([1, 2], r"need sample weights of shape \(4,\), not \(2,\)"), ([1, 1, 1, -1], "finite numbers from 0"),
     ([1, 1, 1, np.nan], "finite numbers"), ([0, 0, 0, 0], "a sample weight above 0")],
)  # fmt: skip
def test_sample_weights_that_are_none(weights, message):
    with pytest.raises(ValueError, match=message):
        nn.mse(ag.Tensor(normal(4, 3)), normal(4, 3), sample_weight=weights)


@every_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_far_from_zero(name, dtype):
    if name == "bce":
        f, y = ag.Tensor(np.array([0, 0, 1, 1], dtype)), np.array([0, 1, 0, 1], dtype)
        expected = [0, 100, 100, 0]
    else:
        f, y = ag.Tensor(np.array([-1e4, 1e4, -1e4, 1e4], dtype)), np.array([0, 1, 1, 0], dtype)
        far = {"mse": 1e8, "binomial": 2e4, "hinge": 10001}.get(name, 1e4)
        expected = [0, 0, far, far]
    if name in ("huber", "l1", "mse"):
        y = f.data * [1, 1, 0, 0]
        expected = np.subtract(expected, 0.5 * (np.array(expected) > 0)) if name == "huber" else expected
    loss = getattr(nn, name)(f, y.astype(dtype), "none")
    assert loss.dtype == dtype
    np.testing.assert_allclose(loss.data, expected, rtol=1e-6)
    loss.backward(np.ones(4))
    assert np.all(np.isfinite(f.grad))
    assert f.grad.dtype == dtype


@every_loss
def test_integer_targets_take_the_dtype_of_the_prediction(name):
    f, y = ag.Tensor(np.array([0.25, 0.75], np.float32)), np.array([0, 1])
    loss = getattr(nn, name)(f, y)
    assert loss.dtype == np.float32
    loss.backward()
    expected = getattr(nn, name)(f.data.astype(float), y.astype(float))
    np.testing.assert_allclose(loss.data, expected, rtol=1e-6)


@every_loss
def test_losses_do_not_broadcast(name):
    _, y, _ = ELEMENTWISE[name]
    with pytest.raises(ValueError, match=f"{name} needs a prediction and a target of one shape"):
        getattr(nn, name)(ag.Tensor(y[:, :1] * 0.5), y)
    with pytest.raises(ValueError, match="no observations"):
        getattr(nn, name)(np.zeros(0), np.zeros(0))


@pytest.mark.parametrize("loss", [nn.hinge, nn.logistic, nn.binomial])
def test_labels_of_two_classes(loss):
    f = normal(4)
    expected = loss(f, np.array([-1, 1, 1, -1]))
    for labels in ([0, 1, 1, 0], np.array([0, 1, 1, 0], np.uint8), np.array([False, True, True, False])):
        np.testing.assert_array_equal(loss(f, labels), expected)
    np.testing.assert_array_equal(loss(f, [0.0, 1.0, 1.0, 0.0]), expected)
    for labels in ([0, 1, 1, -1], [1, 2, 1, 2], [0.5, 1, 1, 0], np.array([255, 1, 1, 1], np.uint8)):
        with pytest.raises(ValueError, match=f"labels of {loss.__name__} are 0 and 1, or -1 and 1; these are"):
            loss(f, labels)


def test_losses_of_two_classes_agree():
    f, y = normal(6), np.array([0, 1, 1, 0, 1, 0])
    np.testing.assert_allclose(nn.logistic(f, y), nn.bce_with_logits(f, y), rtol=1e-14)
    np.testing.assert_allclose(nn.logistic(f, y), nn.bce(nn.sigmoid(f), y), rtol=1e-13)
    np.testing.assert_allclose(nn.logistic(2 * f, y), nn.binomial(f, y), rtol=1e-14)
    np.testing.assert_allclose(nn.logistic(f, y), nn.cross_entropy(np.stack([0 * f, f], -1), y), rtol=1e-13)


def test_kinks():
    assert ag.grad(lambda f: nn.hinge(f, 1))(1.0) == 0
    assert ag.grad(lambda f: nn.l1(f, 2.0))(2.0) == 0
    assert ag.grad(lambda f: nn.huber(f, 0.0, delta=2))(2.0) == 2


def test_huber_takes_a_delta(check_derivatives):
    f, y = 4 * normal(5), normal(5, seed=1)
    np.testing.assert_allclose(nn.huber(f, y, "none", delta=2), by_branches(np.abs(f - y), 2), rtol=1e-13)
    check_derivatives(lambda a, b: nn.huber(a, b, delta=2), f, y)
    for delta in (0, -1, np.inf, np.nan):
        with pytest.raises(ValueError, match="positive delta"):
            nn.huber(f, y, delta=delta)


@pytest.mark.parametrize("p", [-0.1, 1.1, np.inf])
def test_probabilities_lie_between_0_and_1(p):
    with pytest.raises(ValueError, match="probabilities of bce lie between 0 and 1"):
        nn.bce([p], [1.0])
    for loss in (nn.bce, nn.bce_with_logits):
        with pytest.raises(ValueError, match=f"targets of {loss.__name__} lie between 0 and 1"):
            loss([0.5], [p])


# --- probabilities that are known, and penalties ----------------------------------------------------------------------


@every_reduction
def test_nll_and_deviance(reduction, check_derivatives):
    logits, labels = normal(4, 3), np.array([0, 2, 1, 1])
    expected = nn.cross_entropy(logits, labels, reduction)
    np.testing.assert_allclose(nn.nll(nn.log_softmax(logits), labels, reduction), expected, rtol=1e-13)
    for y in (labels, np.eye(3)[labels], np.eye(3, dtype=int)[labels]):
        np.testing.assert_allclose(nn.multinomial_deviance(nn.softmax(logits), y, reduction), expected, rtol=1e-13)
        check_derivatives(lambda p, y=y: nn.multinomial_deviance(p, y, reduction), probabilities(4, 3))
    check_derivatives(lambda x: nn.nll(x, labels, reduction), logits)
    with pytest.raises(ValueError, match="labels of 3 classes are 0 to 2"):
        nn.nll(logits, labels + 1)
    with pytest.raises(ValueError, match="probabilities of multinomial_deviance lie between"):
        nn.multinomial_deviance(logits, labels)


def test_penalties(check_derivatives):
    a, b = normal(3), normal(2, 2, seed=1)
    np.testing.assert_allclose(nn.l1_penalty([a, b]), np.abs(a).sum() + np.abs(b).sum())
    np.testing.assert_allclose(nn.l2_penalty(iter([a, b])), (a**2).sum() + (b**2).sum())
    check_derivatives(lambda *p: nn.l1_penalty(p), a, b)
    check_derivatives(lambda *p: nn.l2_penalty(p), a, b)
    model = nn.MLP([2, 3, 1], rng=0)
    nn.l2_penalty(model.parameters()).backward()
    np.testing.assert_allclose(model.layers[0].weight.grad, 2 * model.layers[0].weight.data)
    assert nn.l1_penalty(ag.Tensor([0.0, -2.0])).item() == 2
    with pytest.raises(ValueError, match="no parameters at all"):
        nn.l1_penalty([])
    every = nn.l2_penalty(model.parameters())
    assert nn.l2_penalty(model).item() == every.item()
    with pytest.raises(TypeError, match=r"model\.parameters\(\), not of a float"):
        nn.l2_penalty(0.1)


# --- all --------------------------------------------------------------------------------------------------------------

SAMPLES = {
    "bce": (nn.bce, ELEMENTWISE["bce"][1]),
    "bce_with_logits": (nn.bce_with_logits, ELEMENTWISE["bce"][1]),
    "hinge": (nn.hinge, signs),
    "huber": (nn.huber, normal(4, 3, seed=1)),
    "l1": (nn.l1, normal(4, 3, seed=1)),
    "nll": (nn.nll, np.array([0, 2, 1, 1])),
    "mse": (nn.mse, normal(4, 3, seed=1)),
    "labels": (nn.cross_entropy, np.array([0, 2, 1, 1])),
    "probabilities": (nn.cross_entropy, probabilities(4, 3)),
}


REDUCE_TORCH = {"mean": lambda x: x.mean(), "sum": lambda x: x.sum(), "none": lambda x: x}


@every_reduction
@pytest.mark.parametrize("sample", SAMPLES)
def test_losses_as_pytorch(sample, reduction):
    torch = pytest.importorskip("torch")
    loss, target = SAMPLES[sample]
    theirs = {
        nn.bce: torch.nn.functional.binary_cross_entropy,
        nn.bce_with_logits: torch.nn.functional.binary_cross_entropy_with_logits,
        nn.cross_entropy: torch.nn.functional.cross_entropy,
        nn.hinge: lambda f, y, reduction: REDUCE_TORCH[reduction](torch.relu(1 - y * f)),
        nn.huber: torch.nn.functional.huber_loss,
        nn.l1: torch.nn.functional.l1_loss,
        nn.mse: torch.nn.functional.mse_loss,
        nn.nll: torch.nn.functional.nll_loss,
    }[loss]
    x = ag.Tensor(probabilities(4, 3) if loss is nn.bce else normal(4, 3))
    z = torch.tensor(x.data, requires_grad=True)
    ours, expected = loss(x, target, reduction), theirs(z, torch.tensor(target.copy()), reduction=reduction)
    np.testing.assert_allclose(ours.data, expected.detach().numpy(), rtol=1e-13)
    g = normal(*ours.shape, seed=2)
    ours.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(x.grad, z.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_loss_is_one_operation(sample):
    loss, target = SAMPLES[sample]
    assert f"op={loss.__name__}" in repr(loss(ag.Tensor(given_to(loss)), target))


@pytest.mark.parametrize("sample", SAMPLES)
def test_unknown_reduction(sample):
    loss, target = SAMPLES[sample]
    with pytest.raises(ValueError, match='"mean", "sum" or "none", not \'average\''):
        loss(ag.Tensor(given_to(loss)), target, "average")
    with pytest.raises(ValueError, match='"mean", "sum" or "none", not \'average\''):
        loss(ag.Tensor(given_to(loss)), target, "average", sample_weight=np.ones(4))


# --- positive targets that weigh more ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pos_weight", [3.0, [0.5, 2.0, 1.0]], ids=["one", "per class"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_positive_weights_as_pytorch(pos_weight, reduction):
    torch = pytest.importorskip("torch", reason="PyTorch is the judge")
    rng = np.random.default_rng(0)
    x, y = ag.Tensor(rng.normal(size=(4, 3))), rng.uniform(size=(4, 3))
    z = torch.tensor(x.data, requires_grad=True)
    loss = nn.bce_with_logits(x, y, reduction, pos_weight=pos_weight)
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(
        z, torch.tensor(y), reduction=reduction, pos_weight=torch.tensor(pos_weight, dtype=float)
    )
    np.testing.assert_allclose(loss.data, theirs.detach().numpy(), rtol=1e-12)
    np.sum(loss).backward()
    theirs.sum().backward()
    np.testing.assert_allclose(x.grad, z.grad.numpy(), rtol=1e-12)


def test_positive_weights(check_derivatives):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 3)), rng.integers(0, 2, (4, 3)).astype(float)
    settings = {"pos_weight": [0.5, 2.0, 1.0], "sample_weight": [1.0, 2.0, 0.0, 1.0]}
    check_derivatives(lambda x: nn.bce_with_logits(x, y, **settings), x)
    each = nn.bce_with_logits(x, y, "none")
    expected = np.where(y == 1, each * [0.5, 2.0, 1.0], each)
    np.testing.assert_allclose(nn.bce_with_logits(x, y, "none", pos_weight=[0.5, 2.0, 1.0]), expected)
    far = ag.Tensor([1e4, -1e4, 1e4, -1e4], dtype=np.float32)
    loss = nn.bce_with_logits(far, [1, 1, 0, 0], "none", pos_weight=3.0)
    np.testing.assert_array_equal(loss.data, np.array([0, 3e4, 1e4, 0], np.float32))
    assert loss.dtype == np.float32
    np.sum(loss).backward()
    np.testing.assert_array_equal(far.grad, [0, -3, 1, 0])


@pytest.mark.parametrize(
    ("weight", "message"),
    [(-1, "finite numbers from 0"), (np.inf, "finite numbers"), ([1.0, 2.0], r"of shape \(3,\) or \(\), not \(2,\)")],
)
def test_positive_weights_that_are_none(weight, message):
    with pytest.raises(ValueError, match=message):
        nn.bce_with_logits(np.zeros((4, 3)), np.ones((4, 3)), pos_weight=weight)


def test_a_nan_that_is_predicted_is_a_nan_and_one_in_the_targets_an_error():
    p, y = np.array([0.5, np.nan]), np.array([1.0, 0.0])
    assert np.isnan(nn.bce(p, y))
    assert np.isnan(nn.multinomial_deviance(np.array([[0.5, np.nan]]), np.array([1])))
    for loss in (nn.bce, nn.bce_with_logits):
        with pytest.raises(ValueError, match=r"targets of bce.* lie between 0 and 1"):
            loss(y, p)


LOGITS, LABELS = np.arange(12.0).reshape(4, 3), np.array([0, 1, 2, 1])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.cross_entropy(LOGITS + 1j, LABELS), TypeError, "cross_entropy takes real numbers, not .* complex128"),
        (lambda: nn.nll(LOGITS + 1j, LABELS), TypeError, "nll takes real numbers"),
        (lambda: nn.cross_entropy(1.0, 0), ValueError, r"cross_entropy needs scores of shape \(..., classes\)"),
        (lambda: nn.cross_entropy(LOGITS[:, :0], LABELS), ValueError, r"logits of shape \(4, 0\): there are no classes"),
        (lambda: nn.cross_entropy(LOGITS.astype(str), LABELS), TypeError, "real numbers, not an array of dtype <U"),
        (lambda: nn.mse(LOGITS.astype(str), LOGITS), TypeError, "mse takes numbers, not an array of dtype <U"),
        (lambda: nn.huber(None, None), TypeError, "huber takes numbers, not an array of dtype object"),
        (lambda: nn.hinge(np.array(["a"]), np.array([1])), TypeError, "hinge takes numbers"),
        (lambda: nn.l2_penalty("abc"), TypeError, "not of a str"),
        (lambda: nn.l2_penalty(np.array([1j])), TypeError, "l2_penalty takes real numbers"),
        (lambda: nn.l2_penalty(nn.Linear(2, 2, rng=0).freeze()), ValueError, "all are frozen"),
    ],
)  # fmt: skip
def test_what_no_loss_can_be_taken_of(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_lists_and_dicts():
    assert nn.cross_entropy(LOGITS.tolist(), LABELS.tolist()) == nn.cross_entropy(LOGITS, LABELS)
    p = nn.softmax(LOGITS)
    assert nn.multinomial_deviance(p.tolist(), LABELS.tolist()) == nn.multinomial_deviance(p, LABELS)
    assert nn.l2_penalty({"w": np.ones(3), "b": 2.0}) == 7
    assert nn.l1_penalty({"w": -np.ones(3)}) == 3


# --- half precision ---------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(7)
SIGNS, CLASSES = np.where(RNG.random((64, 8)) < 0.5, -1, 1), RNG.integers(0, 8, 64)
ZEROS_AND_ONES, SCORES = (SIGNS + 1) // 2, RNG.normal(size=(64, 8))
CHANCES = np.clip(RNG.random((64, 8)), 0.05, 0.95)
HALVES = {  # loss, prediction, target; PyTorch's loss of float32
    "mse": (nn.mse, 300 * SCORES, np.zeros((64, 8)), "mse_loss"),
    "mse of differences of 300": (nn.mse, np.full((64, 8), 300.0), np.zeros((64, 8)), "mse_loss"),
    "mse of few": (nn.mse, np.full(3, 200.0), np.zeros(3), "mse_loss"),
    "l1": (nn.l1, 3000 * SCORES, SCORES, "l1_loss"),
    "huber": (nn.huber, 500 * SCORES, SCORES, "huber_loss"),
    "logistic": (nn.logistic, 20 * SCORES, SIGNS, "soft_margin_loss"),
    "bce": (nn.bce, CHANCES, ZEROS_AND_ONES, "binary_cross_entropy"),
    "bce_with_logits": (nn.bce_with_logits, 900 * SCORES, ZEROS_AND_ONES, "binary_cross_entropy_with_logits"),
    "cross_entropy": (nn.cross_entropy, 900 * SCORES, CLASSES, "cross_entropy"),
    "cross_entropy, 5000 classes": (nn.cross_entropy, np.zeros((4, 5000)), np.arange(4), "cross_entropy"),
    "nll": (nn.nll, -900 * np.abs(SCORES), CLASSES, "nll_loss"),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", HALVES)
def test_losses_of_half_precision_are_those_of_float32_rounded(name, reduction):
    torch = pytest.importorskip("torch")
    loss, prediction, target, theirs = HALVES[name]
    x = ag.Tensor(prediction.astype(np.float16))
    y = target.astype(np.float16) if target.dtype.kind == "f" else target
    found = loss(x, y, reduction)
    assert found.dtype == np.float16
    x32 = torch.tensor(x.data.astype(np.float32), requires_grad=True)
    y32 = torch.tensor(y if loss in (nn.cross_entropy, nn.nll) else y.astype(np.float32))
    expected = getattr(torch.nn.functional, theirs)(x32, y32, reduction=reduction)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(found.data, expected.detach().numpy().astype(np.float16), rtol=2e-3, atol=1e-4)
    expected.sum().backward()
    found.backward(np.ones(found.shape, np.float16))
    assert x.grad.dtype == np.float16
    np.testing.assert_allclose(x.grad, x32.grad.numpy(), rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_wider_target_gives_a_wider_loss(kind):
    x = ag.Tensor(np.full(3, 300, np.float16))
    loss = nn.mse(x, np.zeros(3, kind))
    assert loss.dtype == kind
    assert loss.item() == 90_000


def test_half_precision_by_keyword():
    x = np.full(3, 200, np.float16)
    assert nn.mse(prediction=x, target=0 * x) == nn.mse(x, target=0 * x) == np.float16(40_000)
    logits = SCORES.astype(np.float16)
    assert nn.cross_entropy(labels=CLASSES, logits=logits) == nn.cross_entropy(logits, CLASSES)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'target'"):
        nn.mse(x)


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("f", [nn.softmax, nn.log_softmax])
def test_softmax_of_half_precision_sums_in_float32(f, axis):
    torch = pytest.importorskip("torch")
    a = np.tile(RNG.normal(size=(1, 1)) + np.linspace(0, 0.1, 3), (6000, 1)).astype(np.float16)
    x = ag.Tensor(a if axis == 0 else a.T)
    y = f(x, axis=axis)
    t = torch.tensor(x.data.astype(np.float32), requires_grad=True)
    expected = getattr(torch, f.__name__)(t, axis)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=2e-3, atol=1e-6)
    g = np.ones(y.shape, np.float16) if f is nn.log_softmax else SCORES.ravel()[:3].astype(np.float16)
    g = np.broadcast_to(g if axis == 0 else g.reshape(-1, 1) if g.ndim == 1 else g, y.shape)
    y.backward(g)
    expected.backward(torch.tensor(g.astype(np.float32)))
    np.testing.assert_allclose(x.grad, t.grad.numpy(), rtol=5e-3, atol=5e-3)


def test_penalties_of_half_precision():
    x = ag.Tensor(np.full(3, 20, np.float16))
    assert nn.l2_penalty(x).item() == 1200
    y = ag.Tensor(np.full(3, 300, np.float16))
    with np.errstate(over="ignore"):
        nn.l2_penalty(y).backward()
    np.testing.assert_array_equal(y.grad, 600)
