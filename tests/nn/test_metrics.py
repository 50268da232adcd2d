import numpy as np
import pytest

import autograd_core as ag
from nn import metrics


def test_accuracy_of_every_form():
    scores = np.array([[1.0, 2.0, 0.0], [3.0, 2.0, 1.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    labels = np.array([1, 0, 2, 0])
    assert metrics.accuracy(scores, labels) == 0.75
    assert metrics.accuracy(ag.Tensor(scores), labels) == 0.75
    assert metrics.accuracy(scores, np.eye(3)[labels]) == 0.75
    assert metrics.accuracy(scores.argmax(axis=1), labels) == 0.75
    logits, two = np.array([-1.0, 2.0, 0.5]), np.array([0, 1, 0])
    assert metrics.accuracy(logits, two) == pytest.approx(2 / 3)
    assert metrics.accuracy(logits[:, None], two[:, None].astype(float)) == pytest.approx(2 / 3)
    assert metrics.accuracy(np.array([0.4, 0.6, 0.4]), two, threshold=0.5) == 1


def test_r2_as_its_formula():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(50, 2))
    p = y + 0.1 * rng.normal(size=y.shape)
    wanted = np.mean([1 - np.sum((y[:, i] - p[:, i]) ** 2) / (50 * np.var(y[:, i])) for i in range(2)])
    assert metrics.r2(p, y) == pytest.approx(wanted)
    assert metrics.r2(y, y) == 1
    assert metrics.r2(np.full(3, 2.0), np.array([1.0, 2.0, 3.0])) == 0


def test_confusion_matrix():
    found, labels = np.array([0, 1, 2, 2, 1]), np.array([0, 1, 2, 1, 1])
    m = metrics.confusion_matrix(found, labels)
    np.testing.assert_array_equal(m, [[1, 0, 0], [0, 2, 1], [0, 0, 1]])
    assert metrics.confusion_matrix(found, labels, classes=4).shape == (4, 4)
    assert m.trace() / m.sum() == metrics.accuracy(found, labels)


def test_as_scikit_learn():
    judge = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 5, (2, 100))
    np.testing.assert_array_equal(metrics.confusion_matrix(a, b), judge.confusion_matrix(b, a))
    assert metrics.r2(a, b) == pytest.approx(judge.r2_score(b, a))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: metrics.accuracy(np.zeros((3, 2)), np.zeros(4, int)),
            "accuracy of predictions and targets that do not belong together",
        ),
        (lambda: metrics.accuracy(np.zeros((0, 2)), np.zeros(0, int)), "of no observations"),
        (lambda: metrics.r2(np.zeros(3), np.ones(3)), "constant"),
        (lambda: metrics.r2(np.zeros((3, 1)), np.ones(3)), "do not belong together"),
        (lambda: metrics.confusion_matrix(np.array([3]), np.array([0]), classes=2), "there is a class 3"),
        (lambda: metrics.confusion_matrix(np.array([-1]), np.array([0])), "negative"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_small_integers_do_not_wrap_around():
    prediction, target = np.array([250, 10, 30], np.uint8), np.array([240, 20, 30], np.uint8)
    assert metrics.r2(prediction, target) == metrics.r2(prediction.astype(float), target.astype(float))
    assert metrics.r2(np.array([True, False]), np.array([True, False])) == 1
    with pytest.raises(TypeError, match="a metric takes real numbers, not an array of dtype complex128"):
        metrics.r2(prediction + 1j, target)


def test_a_score_that_is_nan_is_no_prediction():
    assert metrics.accuracy(np.array([np.nan, 1.0]), np.array([0, 1])) == 0.5
    assert metrics.accuracy(np.array([[np.nan, 0.0], [0.0, 1.0]]), np.array([0, 1])) == 0.5
    with pytest.raises(ValueError, match="scores that are NaN"):
        metrics.confusion_matrix(np.array([np.nan, 1.0]), np.array([0, 1]))


def test_what_has_no_metric():
    with pytest.raises(TypeError, match="a metric takes real numbers, not an array of dtype <U1"):
        metrics.accuracy(["a"], ["a"])
    for classes in (2.5, 0, True):
        with pytest.raises(ValueError, match="1 to 10,000 classes"):
            metrics.confusion_matrix([0, 1], [0, 1], classes=classes)
    with pytest.raises(ValueError, match="1 to 10,000 classes, not 1000001"):
        metrics.confusion_matrix([10**6], [0])
