"""gradcheck as people use it: right gradients pass, wrong ones are named, and what cannot be judged is said so."""

import json
import warnings
from collections import namedtuple

import numpy as np
import pytest

import autograd_core as ag
from autograd_core.checking import InconclusiveWarning
from autograd_core.state import STATE

X = np.array([0.5, -1.2, 2.0])
A = np.array([[0.3, -0.8, 1.1], [1.4, 0.2, -0.6]])
Point = namedtuple("Point", "x y")


@ag.primitive
def cube(x):
    return x**3


ag.rule(cube, lambda g, x: g * 3.15 * x**2)


@ag.primitive
def scaled(a, b):
    return a * b


ag.rule(scaled, lambda g, b: g * b, lambda g, a: np.where(np.arange(np.size(a)) == 2, 1.001, 1) * g * a)


def judged(f, *args, **options):
    return ag.gradcheck(f, *args, raises=False, **options)


# --- right ------------------------------------------------------------------------------------------------------------

RIGHT = {
    "scalar": (lambda x: x**3, 2.0),
    "vector": (lambda x: np.tanh(x) * x, X),
    "tiny": (lambda x: 1e-12 * np.sin(x), X),
    "huge": (lambda x: 1e12 * np.sin(x), X),
    "small inputs": (lambda x: np.log(x), X**2 * 1e-9),
    "large inputs": (np.sin, X * 1e6),
    "fast oscillation": (lambda x: np.sin(1e6 * x), X),
    "zeros": (lambda x: np.sum(x**2), np.zeros(3)),
    "several arguments": (lambda x, a: a @ x, X, A),
    "several results": (lambda x: (np.sum(x), {"s": np.sin(x)}), X),
    "containers": (lambda p: p["q"][0] * p["q"][1], {"q": [X, X + 1], "unused": X}),
    "namedtuple": (lambda p: p.x * p.y, Point(X, 2.0)),
    "constants among arguments": (lambda x, n, axis: np.sum(x**n, axis), A, 3, 1),
    "many results": (lambda x: np.outer(np.sin(x), np.arange(50)), X),
    "complex": (lambda z: np.abs(z) + np.real(z * z), X + 1j * X[::-1]),
    "complex results": (lambda x: np.exp(1j * x), X),
    "complex to complex": (lambda z: np.conj(z) * z**2, X + 1j * X[::-1]),
    "domain edge close by": (lambda x: np.sqrt(x) + np.log(x), np.array([1e-11])),
    "kink close by": (lambda x: np.abs(x) + 1, np.array([1e-9, -1e-7])),
    "indices": (lambda x, i: x[i], X, np.array([0, 2, 2])),
    "independent of the argument": (lambda x: np.sum(x * 0) + 1.0, X),
    "cancelled": (lambda x: np.sum(np.exp(x) / np.sum(np.exp(x))), X),
    "selection": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), X),
    "strided": (lambda x: np.sin(x), A[:, ::-2]),
}


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", RIGHT)
def test_right(name, full):
    f, *args = RIGHT[name]
    report = ag.gradcheck(f, *args, full=full)
    assert report.verdict in ("ok", "kink")
    assert report.counts.get("ok")


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("name", ["vector", "several arguments", "complex to complex", "containers", "selection"])
def test_right_in_higher_order(name, order):
    f, *args = RIGHT[name]
    assert ag.gradcheck(f, *args, order=order, full=order == 2).order == order


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.complex64])
def test_lower_precision_is_judged_through_the_higher(dtype):
    assert ag.gradcheck(lambda x: np.exp(x) * np.sin(x), X.astype(dtype)).rtol == 1e-6
    assert ag.gradcheck(lambda x: np.sum(np.exp(x)) / 7, X.astype(dtype), order=2)


def test_a_function_that_insists_on_float32():
    f = lambda x: np.sin(x.astype(np.float32))
    assert ag.gradcheck(f, X.astype(np.float32)).rtol > 1e-5
    assert ag.gradcheck(f, X)


def test_wrt_chooses():
    wrong_in_b = lambda a, b: scaled(a, b)
    assert judged(wrong_in_b, X, X).verdict == "wrong"
    assert ag.gradcheck(wrong_in_b, X, X, wrt=0).inputs == ("a",)
    assert judged(wrong_in_b, X, X, wrt=[1]).inputs == ("b",)
    assert judged(wrong_in_b, X, X, wrt=-1).inputs == ("b",)


def test_tensors_that_a_function_holds():
    w, b = ag.Tensor(A, name="w"), ag.Tensor(np.float32(0.5))
    before = w.data.copy()
    report = ag.gradcheck(lambda x: np.tanh(w @ x + b), X, wrt=[0, w, b])
    assert report.inputs == ("x", "w", "wrt[1]")
    assert judged(lambda: np.sum(cube(w)), wrt=w).verdict == "wrong"
    assert (w.data == before).all()
    assert w.grad is None
    assert w.is_leaf
    assert b.dtype == np.float32


def test_forward_mode_alone_and_reverse_mode_alone():
    for modes in ("forward", ("reverse",)):
        for full in (True, False):
            assert ag.gradcheck(lambda x, a: np.tanh(a @ x), X, A, modes=modes, full=full)
            assert judged(lambda x: np.sum(cube(x)), X, modes=modes, full=full).verdict == "wrong"


def test_switches_are_left_alone():
    before = STATE.get()
    judged(lambda x: np.sum(cube(x)), X)
    assert STATE.get() is before


# --- wrong ------------------------------------------------------------------------------------------------------------


def test_a_wrong_operation_is_named_with_line_and_entry():
    def f(x, w):
        h = np.tanh(x * w)
        h = scaled(w, h)
        return np.sum(h * h)

    with pytest.raises(ag.GradientError) as caught:
        ag.gradcheck(f, X, X + 1)
    report = caught.value.report
    assert report.op == "scaled"
    assert report.line.rpartition(":")[0].endswith("test_gradcheck.py")
    assert report.line.endswith(f":{f.__code__.co_firstlineno + 2}")
    assert report.blame[0].operand == "b"
    assert report.blame[0].entry.input == "b[2]"
    assert report.blame[0].entry.ratio == pytest.approx(1.001)
    assert "scaled" in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_a_wrong_second_derivative_is_found_and_named():
    hidden = ag.primitive(lambda x: x**3)
    hidden.__name__ = "hidden"
    ag.rule(hidden, lambda g, x: g * 3 * (x.data if isinstance(x, ag.Tensor) else x) ** 2, name="hidden")
    assert ag.gradcheck(lambda x: np.sum(hidden(x) * x), X)
    report = judged(lambda x: np.sum(hidden(x) * x), X, order=2)
    assert (report.verdict, report.order, report.op) == ("wrong", 2, "hidden")


@pytest.mark.parametrize("full", [True, False])
def test_one_wrong_entry_among_many_is_located(full):
    x = np.random.default_rng(0).uniform(0.5, 1.5, (30, 40))

    def df(x):
        g = np.cos(x)
        g[17, 23] *= 1.01
        return g

    report = judged(lambda x: np.sum(np.sin(x)), x, gradient=df, full=full)
    assert [e.input for e in report.wrong] == ["x[17, 23]"]
    assert report.wrong[0].ratio == pytest.approx(1.01)
    assert "one entry only" in report.cause or not full


def test_errors_that_cancel_in_their_sum_are_found():
    # four entries are tried at a time, at steps of random size
    x = np.full(200, 0.7)
    for k in range(5):
        apart = np.zeros(200)
        apart[[k, 3 * k + 7]] = 1e-3, -1e-3
        report = judged(lambda x: np.sum(np.sin(x)), x, gradient=lambda x, d=apart: np.cos(x) + d, full=True)
        assert {e.column for e in report.wrong} == {k, 3 * k + 7}
        assert report.counts == {"ok": 198, "wrong": 2}
    assert ag.gradcheck(lambda x: np.sum(np.sin(x)), x, full=True).evaluations < 150


def test_a_kink_among_many_is_told():
    x = np.r_[0.0, np.linspace(0.5, 2, 99)]
    report = judged(lambda x: np.sum(np.maximum(x, 0)), x, gradient=np.ones_like, full=True)
    assert report.counts == {"ok": 99, "kink": 1}


def test_the_wrong_result_is_located_among_many():
    x = np.random.default_rng(0).uniform(0.5, 1.5, 100)

    def jacobian(x):
        return np.diag(np.cos(x)) + np.where(np.arange(10000).reshape(100, 100) == 4321, 0.5, 0)

    report = judged(np.sin, x, gradient=jacobian, full=False)
    assert [(e.output, e.input) for e in report.wrong] == [("result[43]", "x[21]")]


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e-6, 1.0, 1e30])
def test_no_absolute_tolerance(scale):
    f = lambda x: scale * np.sin(x)
    assert ag.gradcheck(f, X, gradient=lambda x: np.diag(scale * np.cos(x)))
    report = judged(f, X, gradient=lambda x: np.diag(-scale * np.cos(x)))
    assert report.verdict == "wrong"
    assert "sign" in report.cause


WRONG = {
    "the sign is wrong": lambda _, g: -g,
    "twice": lambda _, g: 2 * g,
    "half": lambda _, g: g / 2,
    "where a mean is meant": lambda _, g: 9 * g,
    "where a sum is meant": lambda _, g: g / 9,
    "1/17": lambda _, g: g / 17,
    "transpose": lambda _, g: g.T,
    "reversed along axis 1": lambda _, g: g[:, ::-1],
    "shifted by 1 along axis 0": lambda _, g: np.roll(g, -1, 0),
    "sums over axis 1": lambda _, g: np.broadcast_to(g.sum(1, keepdims=True), g.shape),
    "wrong places": lambda _, g: g.ravel()[[3, 1, 8, 0, 5, 4, 7, 6, 2]].reshape(3, 3),
    "zero where the function is not flat": lambda _, g: 0 * g,
    "one entry only": lambda _, g: g + np.where(np.arange(9).reshape(3, 3) == 4, 0.1, 0),
    "float32": lambda x, g: g.astype(np.float32).astype(float) * (1 + 1e-5 * np.cos(100 * x)),
    "NaN where": lambda x, g: np.where(x > 1, np.nan, g),
}


@pytest.mark.parametrize("cause", WRONG)
def test_likely_causes(cause):
    x = np.array([[0.3, 1.1, -0.7], [0.9, -0.2, 0.6], [1.7, 0.1, -1.3]])
    spoilt = WRONG[cause]
    report = judged(lambda x: np.sum(np.exp(x)), x, gradient=lambda x: spoilt(x, np.exp(x)))
    assert not report
    assert cause in report.cause


def test_a_lost_path_is_called_so():
    report = judged(lambda x, y: np.sum(x * y.data), X, X)
    assert "nothing flows back to y" in report.cause


# --- kinks ------------------------------------------------------------------------------------------------------------


def test_any_subgradient_is_right_at_a_kink_and_nothing_else():
    f = lambda x: np.maximum(x, 0)
    at = np.zeros(1)
    for slope, verdict in ((0.0, "kink"), (0.3, "kink"), (1.0, "kink"), (1.1, "wrong"), (-0.1, "wrong")):
        report = judged(f, at, gradient=lambda _, s=slope: np.full((1, 1), s))
        assert (report.verdict, report.entries[0].sides) == (verdict, (0.0, 1.0)), slope
    assert judged(f, at, gradient=lambda _: np.full((1, 1), 5.0), kinks="skip").verdict == "kink"
    assert judged(f, at, kinks="forbid").verdict == "wrong"
    assert judged(np.abs, at, kinks="forbid").verdict == "wrong"
    assert judged(np.tanh, at, kinks="forbid").verdict == "ok"


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    "f",
    [ag.relu, np.abs, np.max, np.sort, lambda x: np.clip(x, 0, 1), lambda x: ag.relu(x) - ag.relu(-x)],
    ids=["relu", "abs", "max", "sort", "clip", "cancelling"],
)
def test_kinks_of_our_own_are_no_alarm(f, full):
    assert ag.gradcheck(f, np.array([1.0, 0.0, 1.0, -2.0]), full=full)


def test_a_kink_inside_a_function_of_float32_only():
    def f(x):
        if x.dtype != np.float32:
            raise ValueError("float32 only")
        return np.sum(ag.relu(x) - ag.relu(-x))

    report = judged(f, np.array([0.0, 1.0], np.float32))
    assert (report.verdict, report.counts) == ("kink", {"ok": 1, "kink": 1, "wrong": 0})
    assert "beside them all is right" in report.message


@pytest.mark.parametrize("f", [lambda x: np.abs(x) ** 1.5, lambda x: x * np.abs(x)], ids=["1.5", "x|x|"])
def test_smooth_functions_made_of_kinks(f):
    assert ag.gradcheck(f, np.array([0.0, 1.0])).verdict == "ok"


def test_what_looks_like_a_kink_from_afar():
    f = lambda x: np.max(x) + np.log(np.sum(np.exp(x - np.max(x))))
    x = np.array([8360.3, 8342.9])
    p = np.exp(x - x[0]) / np.sum(np.exp(x - x[0]))
    assert judged(f, x, gradient=lambda _: p).verdict in ("ok", "inconclusive")
    assert judged(f, x, gradient=lambda _: p * [1, 1.03]).verdict == "wrong"
    dead = lambda x: np.sum(np.maximum(x, 0))
    x = np.array([-6e-7, 7e-7])
    assert judged(dead, x, gradient=lambda _: np.array([0.0, 1.0])).verdict == "ok"
    assert judged(dead, x, gradient=lambda _: np.array([1e-3, 1.0])).verdict == "wrong"


# --- flat as far as one can see ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [True, False])
def test_no_alarm_where_a_function_has_no_digits_for_its_slope(full):
    for f in (lambda x: np.log(1 + x**2), lambda x: 1 - np.cos(x), lambda x: np.sqrt(1 + x * x) - 1):
        for x in (1e-12, 1e-9, 1e-6):
            assert judged(f, x, full=full).verdict in ("ok", "inconclusive")


def test_no_slope_hides_in_a_dead_zone():
    for f, x, slope in (
        (ag.relu, -0.5, 1.0),
        (ag.relu, -0.5, 1e-6),
        (lambda x: 0 * x, 0.3, 1e-3),
        (np.floor, 0.5, 1.0),
    ):
        for full in (True, False):
            report = judged(f, np.array([x]), gradient=lambda _, s=slope: np.full((1, 1), s), full=full)
            assert report.verdict == "wrong"
    report = judged(lambda x: np.log(1 + x * x), np.array([1e-9]), gradient=lambda x: np.diag(2.001 * x))
    assert report.verdict == "wrong"


# --- what cannot be judged --------------------------------------------------------------------------------------------


def test_nothing_judged_is_no_pass():
    f = lambda x: 1e8 + x * x
    with pytest.raises(ag.GradientError, match="not one derivative could be judged"):
        ag.gradcheck(f, 1e-3)
    report = judged(f, 1e-3)
    assert report.verdict == "inconclusive"
    assert report.judged() == 0


def test_a_part_that_was_not_judged_is_a_warning():
    with pytest.warns(InconclusiveWarning, match="inconclusive"):
        ag.gradcheck(lambda x: 1e8 * np.array([1.0, 0.0]) + x * x, np.array([1e-3, 1.0]))


# --- bad input --------------------------------------------------------------------------------------------------------


def changing(x):
    x[0] = 3.0
    return np.sum(x * x)


def raising(x):
    if np.any(x.data < 0.5):
        raise ValueError("too small")
    return np.sum(x**2)


draws = np.random.default_rng(0)
BAD = {
    "structure: changes x in place": (changing, X),
    "structure: is nan": (np.sum, np.array([1.0, np.nan])),
    "structure: is inf": (np.sum, np.array([np.inf])),
    "structure: no gradient there": (lambda x: np.sum(np.log(x)), np.zeros(2)),
    "structure: returns no floats": (lambda _: 3, X),
    "structure: change their shapes": (lambda x: x[x > 0], np.array([0.0, 1.0])),
    "nondeterministic: called twice": (lambda x: x * draws.random(), X),
    "nonfinite: edge of the function's domain": (np.sqrt, np.zeros(1)),
}


@pytest.mark.parametrize("expected", BAD)
def test_bad_input_is_a_sentence(expected):
    verdict, _, words = expected.partition(": ")
    f, *args = BAD[expected]
    with pytest.raises(ag.GradientError) as caught:
        ag.gradcheck(f, *args)
    assert caught.value.report.verdict == verdict
    assert words in str(caught.value)


def test_integers_are_refused_with_the_remedy():
    for args, options in (((np.arange(3),), {}), ((3,), {}), ((X, np.arange(3)), {"wrt": 1})):
        with pytest.raises(TypeError, match=r"has dtype int64: write np\.asarray\(.*, float\)"):
            ag.gradcheck(lambda *x: np.sum(x[0]), *args, **options)
    with pytest.raises(TypeError, match="needs an argument of floats"):
        ag.gradcheck(lambda: np.ones(3))
    with pytest.raises(TypeError, match="x has dtype object"):
        ag.gradcheck(lambda x: np.sum(x), X.astype(object))
    with pytest.raises(TypeError, match="needs a function for f, not int"):
        ag.gradcheck(3, X)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"modes": "sideways"}, "modes are"),
        ({"kinks": "maybe"}, "kinks is"),
        ({"order": 0}, "order is"),
        ({"order": 1.5}, "order is a whole number"),
        ({"projections": 0, "full": False}, "projections is a whole number"),
        ({"rtol": 0}, "rtol is a positive number"),
        ({"rtol": float("nan")}, "rtol is a positive number"),
        ({"noise": -1.0}, "noise is a positive number"),
        ({"gradient": X}, "needs a function for gradient, not ndarray"),
        ({"wrt": []}, "wrt= names nothing"),
        ({"wrt": 3}, "wrt= takes"),
        ({"wrt": "x"}, "wrt= takes"),
        ({"wrt": ag.Tensor(X) * 2}, "wrt= takes leaves"),
    ],
)
def test_options_that_do_not_exist(options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        ag.gradcheck(np.sin, X, **options)


def test_empty_arrays():
    for f, x in ((np.sin, np.zeros((0, 3))), (lambda x: x[:0], X)):
        report = ag.gradcheck(f, x)
        assert "empty" in report.message


def test_a_function_that_raises_near_the_point():
    assert ag.gradcheck(raising, np.array([0.5, 3.0]))
    with pytest.raises(ValueError, match="too small"):
        ag.gradcheck(raising, X)
    only_there = lambda x: np.sum(x) if np.array_equal(x.data, X) else raising(x * 0)
    report = judged(only_there, X)
    assert report.verdict == "inconclusive"
    assert "raises ValueError: too small" in report.message


def test_gradients_that_cannot_be_one():
    f = lambda x: np.sum(x**2)
    bad = {
        "shape (3, 2), expected (2, 3); its axes are swapped": lambda a: 2 * a.T,
        "dtype float32, expected float64": lambda a: (2 * a).astype(np.float32),
        "returned 2 arrays": lambda a: (2 * a, a),
        "returned 0 arrays": lambda _: None,
        "dtype int64, expected float64": lambda a: np.ones(a.shape, np.int64),
    }
    for words, df in bad.items():
        report = judged(f, A, gradient=df)
        assert report.verdict == "structure"
        assert words in report.message


def test_gradients_by_hand_may_be_whole_numbers():
    assert ag.gradcheck(lambda x: 2 * x, 3.0, gradient=lambda _: 2)
    assert judged(lambda x: 2 * x, 3.0, gradient=lambda _: 3).verdict == "wrong"


def test_a_gradient_that_is_another_every_time():
    report = judged(lambda x: np.sum(x**2), X, gradient=lambda x: 2 * x * (1 + 1e-3 * draws.random()))
    assert report.verdict == "nondeterministic"
    assert "computed twice" in report.message


def test_a_rule_that_loses_digits():
    rounding = ag.primitive(lambda x: x**2)
    ag.rule(rounding, lambda g, x: (g * 2 * x).astype(np.float32).astype(float), name="rounding")
    report = judged(lambda x: np.sum(rounding(np.sin(x))), X)
    assert (report.verdict, report.op) == ("wrong", "rounding")
    assert "float32" in report.cause
    for seed in range(10):  # one entry is enough
        assert judged(lambda x: rounding(np.sin(x)), 0.7, seed=seed).verdict == "wrong"
    assert judged(lambda x: np.sin(x.astype(np.float32)).astype(np.float64), X)


def test_a_rule_that_ignores_its_cotangent():
    ignores = ag.primitive(lambda x: x**2)
    ag.rule(ignores, lambda g, x: 2 * x + 0 * np.sign(g))
    assert "not linear in the cotangent" in judged(lambda x: ignores(x), X).message


# --- reports ----------------------------------------------------------------------------------------------------------


def test_a_report_is_data():
    report = judged(lambda x: np.sum(cube(x)), X)
    assert not report
    assert not report.ok
    told = json.loads(json.dumps(report.to_dict()))
    assert told["verdict"] == "wrong"
    assert {e["input"] for e in told["entries"]} == {"x[0]", "x[1]", "x[2]"}
    assert report.counts == {"wrong": 3}
    first, second = (str(judged(lambda x: np.sum(cube(x)), X)) for _ in range(2))
    assert first == second


def test_the_guarantee_of_projections_is_kept():
    # 0.1 rtol times 100 in one entry: missed at most with the stated probability
    rng = np.random.default_rng(0)
    x, missed = rng.uniform(0.5, 1.5, 300), 0
    for trial in range(10):
        wrong = rng.integers(300)
        df = lambda x, k=wrong: x * (1 + np.where(np.arange(300) == k, 300 * 1e-5, 0))
        missed += bool(judged(lambda x: 0.5 * np.sum(x * x), x, gradient=df, full=False, seed=trial))
    assert missed == 0
    report = ag.gradcheck(lambda x: 0.5 * np.sum(x * x), x, full=False)
    assert "0.008 if it makes 1e-05 of the whole" in report.guarantee()


def test_warnings_of_numpy_stay_inside():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ag.gradcheck(lambda x: np.log(x), np.array([1e-9]))


@pytest.mark.parametrize("x", [[-735.0], [-735.0, -736.0], [-744.0, -720.0, -745.0]])
@pytest.mark.parametrize("full", [True, False])
def test_subnormal_results_raise_no_alarm(x, full):
    for seed in range(5):
        assert not ag.gradcheck(np.exp, np.array(x), full=full, seed=seed, raises=False).wrong
