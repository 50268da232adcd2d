"""Where entries tie, any share that is one passes, and none that is not."""

import numpy as np
import pytest

import autograd_core as ag

PAIR = np.array([2.0, 2.0, 1.0])


def judged(f, *args, **options):
    return ag.gradcheck(f, *args, raises=False, **options)


def constant(*slopes):
    found = tuple(np.array(s, float) for s in slopes)
    return lambda *_: found if len(found) > 1 else found[0]


# Shares of a tie of two or three, and whether they are a combination of the slopes beside it.
SHARES = [
    ([1, 1, 0], False), ([0.5, 0.5, 0], True), ([1, 0, 0], True), ([0, 1, 0], True), ([0.3, 0.7, 0], True),
    ([0.5, 1, 0], False), ([0.4, 0.4, 0], False), ([0, 0, 0], False), ([2, -1, 0], False), ([0.5, 0.5, 0.1], False),
]  # fmt: skip
SELECTIONS = {
    "max": np.max,
    "max of negatives": lambda x: -np.min(-x),
    "last of sorted": lambda x: np.sort(x)[-1],
    "partition": lambda x: np.partition(x, 1)[2],
    "quantile": lambda x: np.quantile(x, 1.0),
    "maximum of views": lambda x: np.maximum(np.maximum(x[0], x[1]), x[2]),
    "infinite norm": lambda x: np.linalg.norm(x, np.inf),
    "accumulated": lambda x: np.maximum.accumulate(x)[-1],
}


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(("share", "right"), SHARES)
@pytest.mark.parametrize("name", SELECTIONS)
def test_shares_of_two(name, share, right, full):
    report = judged(SELECTIONS[name], PAIR, gradient=constant(share), full=full)
    assert report.verdict in (("ok", "kink") if right else ("wrong",)), report


@pytest.mark.parametrize(
    "f",
    [np.max, np.min, np.median, lambda x: np.sort(x)[1], lambda x: np.quantile(x, 0.5)],
    ids=["max", "min", "median", "sort", "quantile"],
)
@pytest.mark.parametrize("value", [1.0, 0.0, -3.0])
def test_shares_of_three(f, value):
    x = np.full(3, value)
    for share in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [1 / 3] * 3, [0.2, 0.3, 0.5], [0, 0.5, 0.5]):
        assert judged(f, x, gradient=constant(share)).verdict in ("ok", "kink"), share
    for share in ([0.5] * 3, [1, 1, 1], [0, 0, 0], [1, 0.5, 0], [0.1] * 3):  # 1/2 each is what central differences say
        assert judged(f, x, gradient=constant(share)).verdict == "wrong", share


@pytest.mark.parametrize("value", [1.0, 0.0])
@pytest.mark.parametrize("shapes", [((), ()), ((2,), (2,)), ((2, 2), ()), ((2, 1), (3,))])
@pytest.mark.parametrize("f", [np.maximum, np.minimum, np.fmax])
def test_shares_of_two_arguments(f, shapes, value):
    a, b = (np.full(s, value) for s in shapes)
    whole = np.broadcast_shapes(*shapes)

    def gradient(a, b, s, t):
        linear = lambda a, b: np.sum(s * np.broadcast_to(a, whole) + t * np.broadcast_to(b, whole))
        return ag.grad(linear, (0, 1))(a, b)

    for s, t, right in ((1, 1, 0), (0.5, 0.5, 1), (1, 0, 1), (0, 1, 1), (0.3, 0.7, 1), (0, 0, 0), (0.4, 0.4, 0)):
        report = judged(lambda a, b: np.sum(f(a, b)), a, b, gradient=lambda a, b, s=s, t=t: gradient(a, b, s, t))
        assert bool(report) == bool(right), (s, t, report)


GROUPS = {
    "rows": (np.array([[2.0, 2.0, 1.0], [3.0, 3.0, 3.0]]), 1),
    "columns": (np.array([[2.0, 3.0], [2.0, 3.0], [1.0, 0.0]]), 0),
    "equal in both rows": (np.full((2, 2), 5.0), 1),
    "zeros": (np.zeros((2, 3)), -1),
    "three axes": (np.ones((2, 2, 2)), (0, 2)),
}


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("f", [np.max, np.min])
def test_groups_along_an_axis(f, name):
    x, axis = GROUPS[name]
    x = x if f is np.max else -x
    equal = lambda x: x == f(x, axis, keepdims=True)
    total = lambda x: np.sum(f(x, axis) ** 2)
    slope = lambda x: 2 * f(x, axis, keepdims=True) + np.zeros_like(x)
    assert judged(total, x, gradient=lambda x: slope(x) * equal(x) / np.sum(equal(x), axis, keepdims=True))
    if np.any(x):
        assert judged(total, x, gradient=lambda x: slope(x) * equal(x)).verdict == "wrong"
    sums = lambda x: np.sum(f(x, axis))
    report = judged(sums, x, gradient=lambda x: equal(x) * 1.0)
    assert report.verdict == "wrong"
    assert "tie" in report.cause
    assert "together" in report.wrong[0].input


UNEQUAL = {
    "of x and 2 y": (lambda x, y: np.maximum(x, 2 * y), (2.0, 1.0), (1, 0), (0, 2)),
    "of x and -y": (lambda x, y: np.maximum(x, -y), (2.0, -2.0), (1, 0), (0, -1)),
    "of x and y**2": (lambda x, y: np.minimum(x, y**2), (9.0, 3.0), (1, 0), (0, 6)),
    "of a difference": (lambda x, y: np.abs(x - 3 * y), (3.0, 1.0), (1, -3), (-1, 3)),
    "of sizes": (lambda x, y: np.max(np.abs(np.stack([x, y]))), (2.0, -2.0), (1, 0), (0, -1)),
}


@pytest.mark.parametrize("name", UNEQUAL)
def test_ties_of_unequal_entries(name):
    f, point, one, other = UNEQUAL[name]
    one, other = np.array(one, float), np.array(other, float)
    for share in (0, 0.3, 0.5, 1):
        report = judged(f, *point, gradient=lambda *_, s=share: tuple(s * one + (1 - s) * other))
        assert report.verdict in ("ok", "kink"), (share, report)
    for wrong in ((np.abs(one) + np.abs(other)) * [1, 1], 0.8 * one + 0.8 * other * [1, 0.5]):
        assert judged(f, *point, gradient=lambda *_, w=wrong: tuple(map(float, w))).verdict == "wrong"


OURS = {
    "max": np.max,
    "min": np.min,
    "sort": np.sort,
    "median": np.median,
    "ptp": np.ptp,
    "std": np.std,
    "norm": np.linalg.norm,
    "quantile": lambda x: np.quantile(x, 0.3),
    "accumulate": np.maximum.accumulate,
    "clip": lambda x: np.clip(x, 0, 1),
    "largest size": lambda x: np.max(np.abs(x)),
    "cumsum": np.cumsum,
    "two kinks that make none": lambda x: ag.relu(x) - ag.relu(-x),
}


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", OURS)
def test_our_own_rules_are_no_alarm(name, full):
    for x in (np.ones(3), np.zeros(4), np.array([1.0, -1.0, 1.0, 1.0, 0.0]), np.array([2.0, 2, 3, 3, 3])):
        assert judged(OURS[name], x, full=full), x


@pytest.mark.parametrize("x", [np.ones(40), np.zeros(12), -np.ones(31)], ids=["ones", "zeros", "negatives"])
@pytest.mark.parametrize(
    "f", [np.sort, np.median, lambda x: np.partition(x, 5)[:7]], ids=["sort", "median", "partition"]
)
def test_slopes_that_few_places_beside_have(f, x):
    assert judged(f, x).verdict == "kink"
    assert judged(f, x, gradient=lambda x: 1.5 * ag.jacobian(f)(x)).verdict == "wrong"


def test_a_tie_among_many_entries():
    x = np.r_[np.linspace(0, 1, 298), 2.0, 2.0]
    equal = lambda x: x == np.max(x)
    assert judged(np.max, x, gradient=lambda x: equal(x) / np.sum(equal(x)))
    assert judged(np.max, x, gradient=lambda x: equal(x) * 1.0).verdict == "wrong"


def test_a_rule_that_counts_ties_twice_is_named():
    largest = ag.primitive(lambda x: np.max(x))
    ag.rule(largest, lambda g, x, ans: g * (x == ans), name="largest")
    report = judged(lambda x: 3 * largest(x * 1.0) + np.sum(x), PAIR)
    assert (report.verdict, report.op) == ("wrong", "largest")
    assert "tie" in report.cause


def test_what_is_allowed_at_kinks_is_allowed_at_ties():
    double = constant([1, 1, 0])
    assert judged(np.max, PAIR, gradient=double, kinks="skip").verdict == "kink"
    assert judged(np.max, PAIR, gradient=constant([0.5, 0.5, 0]), kinks="forbid").verdict == "wrong"


def test_equal_entries_of_a_smooth_function_hide_nothing():
    x = np.full(20, 0.7)
    wrong = np.cos(x) + np.where(np.arange(20) == 3, 1e-3, 0) - np.where(np.arange(20) == 4, 1e-3, 0)
    assert judged(lambda x: np.sum(np.sin(x)), x, gradient=constant(wrong)).verdict == "wrong"
    for size in (1e-3, 0.5):  # rounding makes slopes differ here
        high = lambda x: 1e8 + np.sum(x * x)
        assert judged(high, size * x[:3], gradient=lambda x: 2.02 * x).verdict != "kink"
    for far in (np.array([-9991349.0932723, -4937604.53010096]), 3e6 * x[:2]):  # the slopes of a period are no kink's
        assert judged(np.sin, far, gradient=lambda x: -np.diag(np.cos(x))).verdict == "wrong"
    fast = lambda x: np.sum(np.sin(1e5 * x))
    assert judged(fast, x[:3], gradient=lambda x: 1e5 * np.cos(1e5 * x)).verdict == "ok"
    assert judged(fast, x[:3], gradient=lambda x: 1.01e5 * np.cos(1e5 * x)).verdict == "wrong"
