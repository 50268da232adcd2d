"""explain: the operation, the entry, the operands and the line where a NaN, an infinity, a zero or a None began."""

import gc
import inspect

import numpy as np
import pytest
import samples

import autograd_core as ag
import nn
from autograd_core import GraphError, Tensor, explain
from autograd_core.diagnosis.tape import Tape
from autograd_core.diagnosis.trails import Trail
from autograd_core.diagnosis.words import KINDS
from autograd_core.tree import flatten


def here(offset=0):
    frame = inspect.currentframe().f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno + offset}"


A = np.array([[1.0, 2.0, 3.0], [4.0, 0.0, 6.0]])
SAFE = np.abs(np.random.default_rng(3).normal(size=(2, 3))) + 0.5


# --- NaN and infinity, forwards ---------------------------------------------------------------------------------------


def entropy(x):
    return -np.sum(x * np.log(x))


def softmax_loss(x):
    e = np.exp(300 * x)
    return np.mean(e / np.sum(e, axis=1, keepdims=True))


def spread(x):
    p = np.transpose(np.log(x))[1:]
    return np.sum(np.cumsum(p @ np.ones((2, 4)), axis=0)[::-1] ** 2)


def stacked(x):
    rows = [np.sqrt(x[0]), np.sqrt(x[1] - 1), x[0]]
    return np.max(np.stack(rows), axis=0) @ np.ones(3)


@pytest.mark.parametrize(
    ("f", "operation", "index", "operands", "offset"),
    [
        (entropy, "log", (1, 1), {"x": 0.0}, 1),
        (softmax_loss, "exp", (0, 2), {"x": 900.0}, 1),
        (spread, "log", (1, 1), {"x": 0.0}, 1),
        (stacked, "sqrt", (1,), {"x": -1.0}, 1),
    ],
)
def test_the_origin_in_the_forward_pass(f, operation, index, operands, offset):
    e = explain(f, A)
    line = f"{__file__}:{f.__code__.co_firstlineno + offset}"
    assert (e.where, e.operation, e.index, e.operands, e.line) == ("forward", operation, index, operands, line)
    assert e.kind == ("inf" if f is spread else "nan")
    assert "> " + inspect.getsource(f).splitlines()[offset].strip() in e.text


def test_a_result_with_axes_names_its_entry():
    e = explain(lambda x: np.log(x)[::-1], np.array([1.0, 0.0, 2.0, 3.0]))
    assert (e.kind, e.operation, e.index) == ("inf", "log", (1,))
    assert "the result[2] is -inf" in e.text


def test_without_debug_the_operation_is_found_from_what_the_tape_keeps():
    x = Tensor(A)
    with np.errstate(all="ignore"):
        e = explain(entropy(x))
    assert (e.kind, e.operation, e.index, e.operands, e.line) == ("nan", "log", (1, 1), {"x": 0.0}, None)
    assert "ag.debug()" in e.text


def test_what_cannot_be_known_is_said():
    x = Tensor(SAFE)
    e = explain(np.sum((x + 1) * np.nan + 2))  # the sums keep nothing
    assert e.kind == "nan"
    assert "in or before" in e.text or e.operation == "multiply"


def test_data_that_was_given_bad():
    data = np.array([[1.0, np.nan], [0.0, 1.0]])
    e = explain(lambda w: np.sum((data @ w) ** 2), np.ones((2, 2)))
    assert (e.kind, e.operation, e.index) == ("nan", "matmul", (0, 0))
    assert "a was given with nan at [0, 1]" in e.text


def test_a_leaf_that_is_bad_already():
    w = Tensor([1.0, np.inf, 2.0], name="w")
    e = explain(np.sum(w * 2), wrt=w)
    assert (e.kind, e.operation, e.name, e.index) == ("inf", None, "w", (1,))
    assert "w[1] was inf before anything was computed" in e.text


def test_a_masks_infinity_is_no_fault():
    mask = np.array([[True, True, False], [False, False, False]])

    def attention(s):
        s = np.where(mask, s, -np.inf)
        top = np.max(s, axis=1, keepdims=True)
        return np.sum(np.exp(s - top))

    e = explain(attention, SAFE)
    assert (e.operation, e.index, e.operands) == ("subtract", (1, 0), {"a": -np.inf, "b": -np.inf})
    assert explain(lambda s: np.sum(np.exp(np.where(mask[:1], s, -np.inf))), SAFE).kind == "fine"


def test_infinite_data_is_a_fault():
    x = np.array([[1.0, np.inf]])
    model = nn.MLP([2, 4, 1], rng=0)
    e = explain(lambda: nn.mse(model(x), np.ones((1, 1))), wrt=model)
    assert e.kind in ("nan", "inf")
    assert "given with inf at [0, 1]" in e.text


# --- NaN and infinity, backwards --------------------------------------------------------------------------------------


def hidden_overflow(x):
    return np.sum(1 / (1 + np.exp(200 * x)))


def root(x):
    r = np.sqrt(x[::-1] * 4)
    return np.sum(r * r)


def power(x):
    return np.sum(x**0.5)


def broadcast(x):
    y = x[1:, 1:2] * SAFE + np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 4.0]])
    return np.sum(np.sqrt(y))


@pytest.mark.parametrize(
    ("f", "operation", "index", "operands", "offset"),
    [
        (hidden_overflow, "exp", (1, 0), {"x": 800.0}, 1),
        (root, "sqrt", (0, 1), {"x": 0.0}, 1),
        (power, "power", (1, 1), {"a": 0.0, "b": 0.5}, 1),
        (broadcast, "sqrt", (0, 0), {"x": 0.0}, 2),
    ],
)
def test_the_origin_in_the_backward_pass(f, operation, index, operands, offset):
    e = explain(f, A)
    line = f"{__file__}:{f.__code__.co_firstlineno + offset}"
    assert (e.where, e.operation, e.index, e.operands, e.line) == ("backward", operation, index, operands, line)
    assert e.kind in ("nan", "inf")
    assert e.name == "x"


def test_a_bad_cotangent_through_several_results():
    def f(a):
        u, s, _ = np.linalg.svd(a, full_matrices=False)
        return np.sum(u[:, :1]) + np.sum(np.sqrt(s - s))

    e = explain(f, SAFE)
    assert (e.where, e.operation) == ("backward", "sqrt")


def test_what_was_made_forwards_and_met_backwards():
    def f(x):
        y = np.exp(x)
        return np.sum(x / y)  # x / inf = 0, and the pullback multiplies 0 by an infinity

    e = explain(f, np.array([1.0, 1000.0]))
    assert e.kind == "nan"
    assert e.operation in ("exp", "divide")
    assert "exp" in e.text


def test_no_bad_gradient_where_the_branch_is_not_taken():
    assert explain(lambda x: np.sum(np.where(x > 0, np.log(x), 0.0)), A).kind == "fine"


# --- before and after backward ----------------------------------------------------------------------------------------


def test_nothing_is_changed_and_nothing_freed():
    x = Tensor([4.0, 9.0], name="x")
    x.grad = np.array([1.0, 2.0])
    loss = np.sum(np.sqrt(x))
    before = x.grad
    assert explain(loss).kind == "fine"
    assert x.grad is before
    np.testing.assert_array_equal(x.grad, [1.0, 2.0])
    loss.backward()
    np.testing.assert_allclose(x.grad, [1.25, 2 + 1 / 6])


def test_after_backward_under_debug():
    x = Tensor(A, name="x")
    with ag.debug(), np.errstate(all="ignore"):
        loss = root(x)
        loss.backward()
    grad = x.grad.copy()
    e = explain(loss)
    assert (e.kind, e.operation, e.index) == ("nan", "sqrt", (0, 1))
    assert e.line.startswith(__file__)
    np.testing.assert_array_equal(x.grad, grad)
    with pytest.raises(GraphError, match="freed"):
        loss.backward()  # as freed as before


def test_after_backward_without_debug_is_a_sentence():
    x = Tensor(np.abs(A))
    loss = np.sum(np.tanh(x + 1) ** 2)
    loss.backward()
    e = explain(loss)
    assert e.kind == "freed"
    assert "retain_graph=True" in e.text


def test_after_an_update_the_graph_is_stale():
    x = Tensor(SAFE)
    loss = np.sum(x**2)
    x.data -= 0.1
    with pytest.raises(GraphError, match="updated"):
        explain(loss)


def test_a_gradient_that_is_left_from_before():
    x = Tensor([4.0, 0.0], name="x")
    with np.errstate(all="ignore"):
        np.sum(np.sqrt(x)).backward()
    e = explain(np.sum(x * 2), wrt=x)
    assert (e.kind, e.index, e.name) == ("accumulated", (1,), "x")


# --- zeros ------------------------------------------------------------------------------------------------------------

ZEROS = {
    "dead relu": (lambda x: np.sum(ag.relu(-x)), "relu"),
    "dead relu, maximum": (lambda x: np.sum(np.maximum(-x, 0)), "maximum"),
    "saturated": (lambda x: np.sum(np.tanh(100 * x)), "tanh"),
    "saturated, nearly": (lambda x: np.sum(np.tanh(8 + x)), "tanh"),
    "saturated, sigmoid": (lambda x: np.sum(nn.functional.sigmoid(800 + x)), "sigmoid"),
    "absent": (lambda x: np.sum(np.where(x > 100, np.exp(x), 1.0)), "where"),
    "absent, clip": (lambda x: np.sum(np.clip(x, 50.0, 60.0)), "clip"),
    "zero": (lambda x: np.sum(x * np.zeros(3)), "multiply"),
    "zero, product": (lambda x: np.sum(x @ np.zeros((3, 2))), "matmul"),
    "zero, stationary": (lambda x: np.sum((x - x.data) ** 2), "square"),
}


@pytest.mark.parametrize("case", ZEROS)
def test_why_a_gradient_is_zero(case):
    f, operation = ZEROS[case]
    e = explain(f, SAFE)
    assert (e.kind, e.operation, e.name) == (case.split(",")[0], operation, "x")
    assert e.line == f"{__file__}:{f.__code__.co_firstlineno}"


def test_contributions_that_cancel():
    e = explain(lambda x: np.sum(np.sin(x) - np.sin(x)), SAFE)
    assert e.kind == "cancelled"


def test_units_that_never_fire_are_a_remark():
    w = np.array([[1.0, -1.0, 1.0, -1.0]])
    e = explain(lambda x: np.sum(ag.relu(x @ w)), SAFE[:, :1])
    assert e.kind == "fine"
    assert "2 of 4 units of relu" in e.text


def test_the_way_through_is_what_counts():
    e = explain(lambda x: np.sum(ag.relu(-x)) + np.sum(x), SAFE)
    assert e.kind == "fine"


# --- None -------------------------------------------------------------------------------------------------------------


def test_never_connected():
    e = explain(lambda x, y: np.sum(y**2 if x is not None else y), SAFE, SAFE)
    assert (e.kind, e.name) == ("never connected", "x")
    assert [f.kind for f in e.findings] == ["never connected", "fine"]
    p, q = Tensor(SAFE, name="p"), Tensor(SAFE, name="q")
    assert explain(np.sum(q), wrt=p).kind == "never connected"
    assert explain(np.sum(q), wrt=q).kind == "fine"
    assert explain(3.0, wrt=q).kind == "never connected"
    assert explain(np.sum(q.detach())).kind == "never connected"


DETACHING = {
    "detach": (lambda x, y: np.sum(x.detach() * y), "multiply"),
    "data": (lambda x, y: np.sum(y + np.sin(y) * x.data.T[:2, :2].sum() + x.data), "add"),
    "stop_gradient": (lambda x, y: y @ ag.stop_gradient(x).T, "matmul"),
    "no_grad": (lambda x, y: np.sum(forgotten(x) * y), "multiply"),
    "round": (lambda x, y: np.sum(np.round(x) * y), None),
    "item": (lambda x, y: np.sum(y * x[0, 0].item()), None),
    "comparison": (lambda x, y: np.sum(y * (x > 0.6)), None),
}


def forgotten(x):
    with ag.no_grad():
        return np.tanh(x)


@pytest.mark.parametrize("case", DETACHING)
def test_detached(case):
    f, operation = DETACHING[case]
    e = explain(f, np.linspace(0.3, 1.4, 6).reshape(2, 3), SAFE)
    assert (e.kind, e.operation, e.name) == ("detached", operation, "x")
    if operation:
        assert e.line == f"{__file__}:{f.__code__.co_firstlineno}"


def test_detached_before_the_question_was_asked():
    x, y = Tensor(SAFE, name="x"), Tensor(SAFE, name="y")
    with ag.debug():
        line, loss = here(), np.sum(x.detach() * y)
        other = np.sum(forgotten(x) * y)
    e = explain(loss, wrt=x)
    assert (e.kind, e.operation, e.line) == ("detached", "multiply", line)
    e = explain(other, wrt=x)
    assert e.kind == "never connected"
    assert "which takes an untracked Tensor" in e.text


def test_a_grad_that_is_none_all_the_same():
    x = Tensor(SAFE, name="x")
    h = np.tanh(x)
    loss = np.sum(h * h)
    assert "backward() has not been called" in explain(loss, wrt=x).text
    assert "only leaves have a .grad" in explain(loss, wrt=h).text
    loss.backward(retain_graph=True)
    assert "None" not in explain(loss, wrt=x).text


def test_not_tracked():
    x = Tensor(SAFE, requires_grad=False)
    assert explain(np.sum(Tensor(SAFE) * x), wrt=x).kind == "not tracked"


def test_shaking_the_arguments_leaves_them_as_they_were():
    x = SAFE.copy()
    explain(lambda x: np.sum(np.round(x) * Tensor(SAFE)), x)
    np.testing.assert_array_equal(x, SAFE)
    t = Tensor(SAFE)
    explain(lambda t: np.sum(np.round(t) * Tensor(SAFE)), t)
    np.testing.assert_array_equal(t.data, SAFE)


# --- models, containers, oddities -------------------------------------------------------------------------------------


def test_a_models_parameters_have_their_names():
    model = nn.MLP([3, 5, 2], rng=0)
    X = np.full((4, 3), 1e200)
    e = explain(lambda: nn.mse(model(X), np.zeros((4, 2))), wrt=model)
    assert e.kind in ("inf", "nan")
    dead = nn.MLP([3, 5, 2], rng=0)
    first = next(p for name, p in dead.named_parameters() if name.endswith("bias"))
    first.data[...] = -1e3
    e = explain(lambda: nn.mse(dead(SAFE), np.ones((2, 2))), wrt=dead)
    assert e.kind == "dead relu"
    assert {f.name: f.kind for f in e.findings}["0.weight"] == "dead relu"
    assert any("MLP" in f.scope for f in e.findings)
    assert {f.name for f in explain(dead, SAFE).findings} >= {"0.weight", "2.bias"}
    assert explain(dead.forward, SAFE).kind == "dead relu"


def test_containers_of_arguments():
    e = explain(lambda p: np.sum(np.sqrt(p["w"]) * p["b"]), {"w": np.array([1.0, 0.0]), "b": np.ones(2)})
    assert (e.kind, e.operation) == ("inf", "sqrt")
    x, y = Tensor(SAFE), Tensor(SAFE)
    assert explain(np.sum(x * 2), wrt={"x": x, "y": [y]}).kind == "never connected"
    assert [f.kind for f in explain(np.sum(x * y), wrt=[x, y]).findings] == ["fine", "fine"]
    with pytest.raises(TypeError, match="wrt= takes Tensors"):
        explain(np.sum(x), wrt=SAFE)
    with pytest.raises(TypeError, match="no further arguments"):
        explain(np.sum(x), x)


def test_several_and_nonscalar_results():
    e = explain(lambda x: (np.sin(x), {"r": np.sqrt(x)}), A)
    assert (e.kind, e.operation) == ("inf", "sqrt")


@pytest.mark.parametrize(
    "value", [np.zeros((0, 3)), np.float32(2.0), np.ones((2, 2), np.float32), 1 + 2j, np.float64(0.5)]
)
def test_spaces(value):
    assert explain(lambda x: np.sum(np.real(x * x)), value).kind == "fine"


def test_in_place_assignments():
    def f(x):
        y = x.copy()
        y[0] = np.log(x[1])
        y += 1
        return np.sum(y)

    e = explain(f, A)
    assert (e.kind, e.operation, e.index) == ("inf", "log", (1,))


def test_second_derivatives_are_programs_too():
    e = explain(lambda x: np.sum(ag.grad(lambda y: np.sum(y**1.5))(x)), np.array([1.0, 0.0]))
    assert e.kind in ("inf", "nan")
    assert e.where == "backward"


def test_a_long_chain():
    def f(x):
        y = np.log(x)
        for _ in range(3000):
            y = y * 1.0
        return np.sum(y)

    e = explain(f, np.array([1.0, 0.0]))
    assert (e.operation, e.index) == ("log", (1,))


def test_it_reads_in_a_notebook():
    e = explain(lambda x: np.sum(np.sqrt(x) * (x < 9)), A)
    page = e._repr_html_()
    assert page.count("<div") == page.count("</div>")
    assert "&lt; 9" in page.replace("&nbsp;", " ")
    assert repr(e) == str(e) == e.text
    assert e.kind in KINDS


def test_debugging_makes_no_cycles():
    def run():
        with ag.debug():
            x = Tensor(SAFE)
            y = x * 2
            y[0] = 1.0
            y += x
            u, s = np.linalg.svd(y @ y.T)[:2]
            loss = np.sum(s) + np.sum(u)
            loss.backward()
            explain(loss)

    run()
    gc.collect()
    gc.disable()
    try:
        run()
        assert gc.collect() == 0
    finally:
        gc.enable()


# --- the walk behind it -----------------------------------------------------------------------------------------------


def masked_loss(fn, sample):
    """Return the sum of two thirds of the results, selected, so that masks travel back; and the leaves."""
    given, rebuild = flatten((sample.args, sample.kwargs))
    leaves = [Tensor(a) if isinstance(a, np.ndarray | np.floating) and a.dtype.kind in "fc" else a for a in given]
    args, kwargs = rebuild(leaves)
    loss = Tensor(0.0, requires_grad=False)
    for y in flatten(sample.call(fn, args, kwargs))[0]:
        if type(y) is Tensor and y.requires_grad:
            mask = np.reshape(np.arange(y.size) % 3 > 0, y.shape)
            loss = loss + np.sum(np.real(np.where(mask, y * 1.5, 0.0)))
    return loss, [t for t in leaves if type(t) is Tensor]


@pytest.mark.parametrize("table", [samples.SAMPLES, samples.COMPOSITE_SAMPLES], ids=["rules", "composites"])
def test_its_sweep_finds_the_engines_gradients(table):
    seen = 0
    for fn in table:
        if str(getattr(fn, "__module__", "")).startswith("scipy"):  # some of them ask no Tensor
            continue
        with ag.debug(), np.errstate(all="ignore"):
            loss, leaves = masked_loss(fn, samples.samples_of(fn)[0])
            if not loss.requires_grad:
                continue
            trail = Trail(Tape([loss._node], [loss.data], {}), {loss._node: np.ones((), loss.dtype)[()]})
            before = explain(loss)
            loss.backward()
        after = explain(loss)
        assert (before.kind, before.operation, before.index) == (after.kind, after.operation, after.index), fn
        for t in leaves:
            g = trail.found.get(t._node, np.zeros(t.shape))
            if t.grad is not None:
                np.testing.assert_allclose(g, t.grad, rtol=1e-9, atol=1e-12, err_msg=str(fn))
        seen += 1
    assert seen > 50


def test_complex_gradients_are_told_by_their_size():
    x = ag.Tensor(np.array([3.0 + 4.0j, 2.0j]))
    assert "is finite, of size 1 to 1" in str(ag.explain(np.sum(np.abs(x))))
