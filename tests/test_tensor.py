"""The Tensor as a value: construction, data, operators, Python's protocols, ndarray's methods and attributes."""

import copy
import math
import operator
import pickle
import re
import traceback
import warnings

import numpy as np
import pytest
from tables import expressions, named, same

import autograd_core as ag
from autograd_core import Tensor

A = np.array([[0.5, -1.25, 2.0], [3.5, 0.75, -0.3]])
V = np.array([1.5, -2.0, 0.7])
S = np.float64(1.7)


def bare(x):
    return x.data if isinstance(x, Tensor) else x


# --- construction -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "keywords", "kind", "dtype", "tracked"),
    [
        (1.5, {}, np.float64, "f8", True),
        (3, {}, np.int64, "i8", False),
        (True, {}, np.bool_, "?", False),
        (1 + 2j, {}, np.complex128, "c16", True),
        (np.float32(2), {}, np.float32, "f4", True),
        (np.array(2.0), {}, np.float64, "f8", True),
        (np.array(2.0, "f2"), {}, np.float16, "f2", True),
        ([1.0, 2.0], {}, np.ndarray, "f8", True),
        ([[1, 2], [3, 4.5]], {}, np.ndarray, "f8", True),
        ((1, 2), {}, np.ndarray, "i8", False),
        (range(3), {}, np.ndarray, "i8", False),
        ([], {}, np.ndarray, "f8", True),
        (np.zeros((0, 3), "f4"), {}, np.ndarray, "f4", True),
        (np.arange(3, dtype="u1"), {}, np.ndarray, "u1", False),
        ([1 + 1j], {}, np.ndarray, "c16", True),
        ([np.float32(1), np.float32(2)], {}, np.ndarray, "f4", True),
        ([1, 2], {"dtype": float}, np.ndarray, "f8", True),
        (1, {"dtype": "f4"}, np.float32, "f4", True),
        (1.5, {"dtype": int}, np.int64, "i8", False),
        ([1.0, 2.0], {"requires_grad": False}, np.ndarray, "f8", False),
        ([1.0, 2.0], {"requires_grad": True}, np.ndarray, "f8", True),
        ([1, 2], {"requires_grad": False}, np.ndarray, "i8", False),
        ([1, 2], {"requires_grad": True, "dtype": "f4"}, np.ndarray, "f4", True),
        (Tensor(2), {"dtype": float}, np.float64, "f8", True),
        (Tensor([1.0], requires_grad=False), {}, np.ndarray, "f8", True),
        ([Tensor(1), Tensor(2)], {}, np.ndarray, "i8", False),
    ],
    ids=repr,
)
def test_construction(data, keywords, kind, dtype, tracked):
    t = Tensor(data, **keywords)
    plain = [bare(d) for d in data] if isinstance(data, list) else bare(data)
    same(t, np.array(plain, keywords.get("dtype"))[()])
    assert (type(t.data), t.dtype, t.requires_grad) == (kind, np.dtype(dtype), tracked)
    assert t.is_leaf
    assert t.grad is None
    assert t.name is None


@pytest.mark.parametrize(
    "a", [A.copy(), A.copy().T[::-1], np.broadcast_to(np.ones(3), (2, 3))], ids=["whole", "strided", "broadcast"]
)
def test_construction_copies(a):
    t, before = Tensor(a), a.copy()
    assert not np.shares_memory(t.data, a)
    t.data[...] = 7
    assert np.array_equal(a, before)


@pytest.mark.parametrize(
    ("data", "keywords", "error", "says"),
    [
        ("a", {}, TypeError, "holds numbers.*str"),
        (None, {}, TypeError, "holds numbers.*NoneType"),
        ({"a": 1.0}, {}, TypeError, "holds numbers.*dict"),
        (np.array([None, 1.0]), {}, TypeError, "holds numbers.*object"),
        (np.array(["2020-01-01"], "M8[D]"), {}, TypeError, "holds numbers"),
        (np.zeros(2, [("a", float)]), {}, TypeError, "holds numbers"),
        ([[1.0], [1.0, 2.0]], {}, ValueError, "inhomogeneous"),
        ([1, 2], {"requires_grad": True}, TypeError, "int64.*dtype=float"),
        (True, {"requires_grad": True}, TypeError, "bool.*dtype=float"),
        (1.0, {"requires_grad": True, "dtype": int}, TypeError, "int64"),
        (Tensor(1.0), {}, TypeError, r"\.copy\(\).*\.detach\(\)"),
        (Tensor(1.0) * 2, {}, TypeError, r"\.copy\(\).*\.detach\(\)"),
        ([Tensor(1.0), Tensor(2.0)], {}, TypeError, r"lose its gradient"),
        (1.0, {"grad": True}, TypeError, "unexpected keyword argument 'grad'"),
    ],
)
def test_bad_data(data, keywords, error, says):
    with pytest.raises(error, match=says):
        Tensor(data, **keywords)


def test_a_list_of_tensors_is_joined_by_stack():
    with pytest.raises(TypeError, match=r"np\.stack"):
        Tensor([Tensor(1.0), Tensor(2.0)])


def hold(t):
    holder = np.empty(1, object)
    holder[0] = t
    return holder


OBJECTS = [
    "np.array([t, t])", "np.array([t[0], t[0]])", "t + hold(t)", "hold(t) * t[0]", "np.add(t, hold(t))",
    "Tensor(hold(t))", "np.concatenate([t, hold(t)])",
]  # fmt: skip


@pytest.mark.parametrize("use", expressions(*OBJECTS))
def test_never_an_object_array(use):
    with pytest.raises((TypeError, ValueError), match=r"\.data|np\.stack"):
        use(Tensor(V))


def test_subclasses_are_refused():
    with pytest.raises(TypeError, match=r"cannot be subclassed.*hold one"):
        type("Sub", (Tensor,), {})


# --- requires_grad, grad ----------------------------------------------------------------------------------------------


def test_requires_grad_may_be_set_on_a_leaf():
    t = Tensor(V)
    t.requires_grad = False
    assert not t.requires_grad
    assert not (t * 2).requires_grad
    t.requires_grad = True
    np.sum(t * t).backward()
    same(t.grad, 2 * V)


@pytest.mark.parametrize(
    ("make", "wanted", "error", "says"),
    [
        (lambda: Tensor(V) * 2, False, ag.GraphError, r"leaves only.*detach\(\)"),
        (lambda: Tensor([1, 2]), True, TypeError, r"int64.*astype\(float\)"),
    ],
)
def test_requires_grad_refused(make, wanted, error, says):
    t = make()
    before = t.requires_grad
    with pytest.raises(error, match=says):
        t.requires_grad = wanted
    assert t.requires_grad is before


def test_setting_requires_grad_to_what_it_is_changes_nothing():
    t = Tensor(V) * 2
    t.requires_grad = True
    assert not t.is_leaf


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, None), (V, V), ([1, 2, 3], np.array([1.0, 2, 3])), (V.astype("f4"), V.astype("f4").astype(float)),
        (Tensor(V, requires_grad=False), V),
    ],
    ids=["None", "array", "list", "float32", "Tensor"],
)  # fmt: skip
def test_grad_may_be_set(value, found):
    t = Tensor(V)
    t.grad = value
    assert t.grad is None if found is None else same(t.grad, found) is None


@pytest.mark.parametrize(
    ("make", "value", "error", "says"),
    [
        (lambda: Tensor(V), np.ones(2), ValueError, r"shape \(2,\).*shape \(3,\)"),
        (lambda: Tensor(V) * 2, V, ag.GraphError, "leaf"),
        (lambda: Tensor(V, requires_grad=False), V, ag.GraphError, "leaf"),
        (lambda: Tensor(V), V * 1j, TypeError, "complex"),
    ],
)
def test_grad_refused(make, value, error, says):
    t = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        with pytest.raises(error, match=says):
            t.grad = value
    assert t.grad is None


def test_a_result_has_no_grad():
    x = Tensor(V)
    y = x * 2
    np.sum(y).backward()
    assert y.grad is None
    assert x.grad is not None


@pytest.mark.parametrize(
    "use",
    expressions(
        "t * 2", "t * t + t", "np.exp(t)", "np.stack([t, t]) @ [1.0, 2.0]", "np.mean(t * V)", "(V * t)[1]", "np.linalg.norm(V * t)", "np.where(t > 1, t, 0) + t",
        "np.sum(t)", "t.reshape(1)[0]", "ag.relu(t)", "np.maximum(t, 0)", "np.clip(t, 0, 9)", "np.where(t > 1, t, 0)", "np.max(t)", "np.select([t > 1], [t])", "ag.relu(t) * 2",
    ),
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_gradient_of_a_scalar_is_a_scalar(use, dtype):
    t = Tensor(dtype(1.5))
    use(t).backward()
    assert type(t.grad) is dtype


@pytest.mark.parametrize("dtype", ["f2", "f4"])
@pytest.mark.parametrize(
    "use",
    expressions(
        "np.mean(t)", "np.mean(t, axis=0)", "np.var(t)", "np.std(t)", "np.max(t)", "np.maximum(t, 0)", "np.maximum(0.5, t)", "np.clip(t, 0.1, 0.9)", "t * 2.5", "2.5 * t", "t ** 2", "t ** 0.5 + t", "1 / (1 + np.exp(-t))",
        "t - 1", "t / 3", "3 // t + t", "t % 2", "ag.relu(t)", "ag.logsumexp(t)", "np.where(t > 0.5, t, 0.0)", "np.linalg.norm(t)", "t @ t", "t * np.float32(2)[()] if t.dtype == 'f4' else t", "np.stack([t, t])", "t[0] * 2.0", "np.sum(t) * 0.5",
        "np.average(t)", "np.log(t + 1)", "np.hypot(t, 1.0)", "np.power(t, 2)", "np.prod(t)", "np.cumsum(t)", "t.std() * t", "np.sqrt(t) * 2",
    ),
)  # fmt: skip
def test_small_floats_stay_small(use, dtype):
    a = np.abs(V).astype(dtype)
    t = Tensor(a)
    with np.errstate(all="ignore"):
        y = use(t)
        same(y, use(a)) if "logsumexp" not in str(use) and "relu" not in str(use) else None
        np.sum(y).backward()
    assert y.dtype == dtype
    assert (t.grad.dtype, t.grad.shape) == (a.dtype, a.shape)


@pytest.mark.parametrize(
    "make",
    expressions(
        "V",
        "V[::-1]",
        "A.T",
        "A[:, ::2]",
        "np.zeros((0, 3))",
        "np.float64(2)",
        "A[:1]",
        "np.broadcast_to(V, (2, 3))",
        "(A + 1j).T",
        "A.astype('f4').T",
        of="_",
    ),
)
def test_a_gradient_has_the_space_of_its_leaf(make):
    t = Tensor(make(None))
    for y in (t * 2, t + np.ones(t.shape), t.T * 3, np.exp(t), t * np.float64(2)):
        t.grad = None
        y.backward(np.ones(y.shape))
        assert (np.shape(t.grad), t.grad.dtype) == (t.shape, t.dtype)


def test_a_mask_is_not_lost():
    masked = np.ma.array(V, mask=[False, True, False])
    for make in (Tensor, lambda m: Tensor(m, requires_grad=False), lambda m: Tensor(V) * m):
        with pytest.raises(TypeError, match=r"MaskedArray would lose .*filled"):
            make(masked)
    same(Tensor(masked.filled(0.0)), masked.filled(0.0))


def test_requires_grad_off_and_on_again():
    t = Tensor(V, name="t")
    y = np.sum(t * t)
    y.backward(retain_graph=True)
    t.requires_grad = False
    assert (t.grad, t.name) == (None, None)
    y.backward(retain_graph=True)  # nobody wants it
    t.requires_grad = True
    assert (t.grad, t.name) == (None, "t")
    y.backward()
    same(t.grad, 2 * V)


def test_a_leaf_changed_while_switched_off_is_stale():
    t = Tensor(V, name="t")
    y = np.sum(t * t)
    t.requires_grad = False
    t.assign(V + 1)
    t.requires_grad = True
    with pytest.raises(ag.GraphError, match="t of shape"):
        y.backward()


def test_leaves_switched_off_are_forgotten_with_their_tensors():
    from autograd_core.tensor import _asleep

    before = len(_asleep)
    for _ in range(10):
        Tensor(V).requires_grad = False
    assert len(_asleep) == before


# --- data, assign, detach, item, numpy, name --------------------------------------------------------------------------


def test_data_of_a_leaf_is_the_array_and_may_be_written_into():
    p = Tensor(V)
    held = p.data
    p.data -= 0.5
    held[0] = 7
    same(p, np.array([7, *(V - 0.5)[1:]]))
    assert p.data is held


def test_data_of_a_scalar_leaf():
    p = Tensor(2.0)
    p.data -= 0.5
    same(p, np.float64(1.5))


@pytest.mark.parametrize("make", expressions("x * 2", "x[1:]", "x.T", "np.exp(x)", "np.reshape(x, (1, 3))", of="x"))
def test_data_of_a_result_is_read_only(make):
    y = make(Tensor(V))
    with pytest.raises(ValueError, match="read-only"):
        y.data[...] = 0
    with pytest.raises(ag.GraphError, match="only a leaf"):
        y.data = np.zeros(y.shape)
    same(y, make(V))


@pytest.mark.parametrize("set_", [lambda p, v: p.assign(v), lambda p, v: setattr(p, "data", v)], ids=["assign", "data"])
@pytest.mark.parametrize(
    "value", [V + 1, [1, 2, 3], Tensor(V + 1), Tensor([1, 2, 3]), (V + 1).astype("f4"), np.arange(3)], ids=repr
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_assign(set_, value, dtype):
    p = Tensor(V, dtype=dtype)
    held = p.data
    set_(p, value)
    same(p, np.array(value.data if isinstance(value, Tensor) else value, dtype))
    assert p.data is held
    assert p.is_leaf
    assert p.requires_grad


def test_assign_returns_the_tensor_and_takes_scalars():
    p = Tensor(np.float32(1))
    assert p.assign(2.5) is p
    same(p, np.float32(2.5))


@pytest.mark.parametrize(
    ("make", "value", "error", "says"),
    [
        (lambda: Tensor(V), np.ones(2), ValueError, r"\(2,\).*\(3,\)"),
        (lambda: Tensor(V), 1.0, ValueError, r"\(\).*\(3,\)"),
        (lambda: Tensor(V), V * 1j, TypeError, "complex.*float64"),
        (lambda: Tensor(V), "abc", (TypeError, ValueError), r"\(\)|number"),
        (lambda: Tensor(V) * 2, V, ag.GraphError, "only a leaf.*multiply"),
    ],
)
def test_assign_refused(make, value, error, says):
    p = make()
    before = p.numpy()
    with pytest.raises(error, match=says):
        p.assign(value)
    same(p, before)


def test_detach():
    x = Tensor(V)
    y = (x * 2).detach()
    assert not y.requires_grad
    same(y, V * 2)
    z = np.sum(x * y)
    z.backward()
    same(x.grad, V * 2)
    assert x.detach() is not x
    assert x.requires_grad


@pytest.mark.parametrize(
    "make",
    expressions("x * 1", "x", of="x"),
)
def test_values_of_a_detached_tensor_are_read_only(make):
    t = make(Tensor(V))
    with pytest.raises(ValueError, match="read-only"):
        t.detach().data[0] = 9
    same(t, V)


def test_numpy_is_a_copy_and_tolist_python():
    t = Tensor(A)
    t.numpy()[...] = 0
    same(t, A)
    assert t.tolist() == A.tolist()
    assert Tensor(1.5).tolist() == 1.5
    same(Tensor(1.5).numpy(), np.array(1.5))


@pytest.mark.parametrize(
    ("data", "args"), [(2.5, ()), ([2.5], ()), (A, (1, 2)), (A, (3,)), (A, ((0, 1),)), (3, ()), (1j, ())]
)
def test_item(data, args):
    found, wanted = Tensor(data).item(*args), np.array(data).item(*args)
    assert (found, type(found)) == (wanted, type(wanted))


def test_item_of_many():
    with pytest.raises(ValueError, match="size 1"):
        Tensor(V).item()


def test_name():
    x = Tensor(V, name="w")
    y = x * 2
    y.name = "twice"
    assert (x.name, y.name, (x + 1).name) == ("w", "twice", None)
    x.name = "v"
    assert x.name == "v"
    with pytest.raises(ag.GraphError, match="untracked"):
        x.detach().name = "lost"


def test_place_lets_values_live_in_a_buffer():
    values = np.zeros(5)
    p, q = Tensor(V, name="p"), Tensor([1.0, 2.0])
    assert p.place(values[:3]) is p
    q.place(values[3:])
    same(values, np.array([*V, 1.0, 2.0]))
    for k in (1, 2):
        (np.sum(p * p) + np.sum(q * 3)).backward()
        same(p.grad, k * 2 * V)
        same(q.grad, k * np.array([3.0, 3.0]))
    values -= 0.1
    same(p, V - 0.1)
    p.assign(V)
    with ag.no_grad():
        p[0] = 7.0
        p *= 2
    same(values[:3], np.array([14.0, *(2 * V[1:])]))
    p.grad = None
    assert p.grad is None
    np.sum(p).backward()
    same(p.grad, np.ones(3))
    assert (p.name, p.is_leaf) == ("p", True)
    assert f"{Tensor(1.25).place(np.zeros(1)[0:].reshape(())):.1f}" == "1.2"


@pytest.mark.parametrize(
    ("make", "arrays", "error", "says"),
    [
        (lambda: Tensor(V), [np.zeros(2)], ValueError, r"\(3,\).*float64"),
        (lambda: Tensor(V), [np.zeros(3, "f4")], ValueError, r"\(3,\).*float64"),
        (lambda: Tensor(V), [[0.0] * 3], ValueError, r"\(3,\).*float64"),
        (lambda: Tensor(V) * 1, [np.zeros(3)], ag.GraphError, "leaf"),
        (lambda: Tensor(V, requires_grad=False), [np.zeros(3)], ag.GraphError, "leaf"),
    ],
)
def test_place_refused(make, arrays, error, says):
    t = make()
    with pytest.raises(error, match=says):
        t.place(*arrays)
    same(t, V)


def test_a_graph_recorded_before_place_is_stale():
    p = Tensor(V, name="p")
    loss = np.sum(p * p)
    p.place(np.zeros(3))
    with pytest.raises(ag.GraphError, match="p of shape"):
        loss.backward()


# --- operators --------------------------------------------------------------------------------------------------------

BINARY = "add sub mul truediv mod pow matmul floordiv lt le gt ge eq ne".split()
PLAIN = {"floordiv", "lt", "le", "gt", "ge", "eq", "ne"}
BITWISE = "and_ or_ xor".split()
FLOATS = [
    (A, A + 0.1), (A, V), (A, S), (A, 2.0), (A, 3), (A, True), (A, A.tolist()), (A, tuple(V)), (A, [1, 2, 3]),
    (A, np.float32(2)), (A, np.array(2.0)), (A, np.arange(3)), (A, V.astype("f4")), (A.astype("f4"), 0.1),
    (A.astype("f4"), S), (A.astype("f4"), V), (A.astype("f2"), 3), (A.T, 0.5), (np.abs(A), 0.0), (S, A), (S, S),
    (S, 2.0), (S, 3), (np.float32(1.7), 2.5), (np.float32(1.7), S), (S, V.tolist()),
    (np.zeros((0, 3)), V),
    (np.arange(6).reshape(2, 3), 2.5), (np.arange(6).reshape(2, 3), 2.0), (np.arange(6).reshape(2, 3), 2),
    (np.arange(3), np.arange(3)), (np.int64(3), 2.0), (A + 1j, 2.5), (A + 1j, V - 1j), (A, 1j),
]  # fmt: skip


def operands():
    for name in BINARY:
        for x, y in FLOATS:
            if name == "mul" and np.ndim(x) == 0 and isinstance(y, list):  # Python's repetition of a sequence
                continue
            if name == "matmul" and (np.ndim(x) == 0 or np.ndim(y) == 0 or np.shape(x)[-1] != np.shape(y)[0]):
                continue
            if name in ("mod", "floordiv", "lt", "le", "gt", "ge") and (np.iscomplexobj(x) or np.iscomplexobj(y)):
                continue
            yield name, x, y
    yield "matmul", A, A.T.tolist()


def quietly(f, *args):
    with np.errstate(all="ignore"):
        return f(*args)


def compare_operator(name, x, y):
    op = getattr(operator, name)
    container = None if name not in PLAIN else type(quietly(op, x, y))
    wrap = Tensor if isinstance(x, np.ndarray | np.generic) else None
    for a, b in ((x, y), (y, x)):
        if name == "matmul" and a is y and np.shape(a)[-1] != np.shape(b)[0]:
            continue
        theirs = quietly(op, a, b)
        if a is x:
            same(quietly(op, wrap(x), y), theirs, container)
        else:
            same(quietly(op, y, wrap(x)), theirs, container)
        if isinstance(y, np.ndarray | np.generic):
            same(quietly(op, Tensor(a), Tensor(b)), theirs, container)


@pytest.mark.parametrize("name", BINARY)
def test_operator_is_numpys_in_both_orders(name):
    for n, x, y in operands():
        if n == name and not (name == "pow" and np.asarray(x).dtype.kind == "i"):
            try:
                compare_operator(name, x, y)
            except Exception as error:
                error.add_note(f"{name} of {x!r} and {y!r}")
                raise


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.arange(3), 2), (np.arange(3), 2.5), (np.int64(3), 2), (np.arange(3), 2.0), (np.int64(3), 2.0),
    ],
)  # fmt: skip
def test_power_of_integers(x, y):
    compare_operator("pow", x, y)


@pytest.mark.parametrize(
    "y",
    [0, 1, 2, 3, -1, -2, 0.5, 2.0, -1.0, 1.5, -0.5, np.float64(2), np.float64(0.5), np.array(0.5), np.array(2.0)],
    ids=repr,
)
@pytest.mark.parametrize("dtype", ["f8", "f4", "c16"])
def test_power_has_numpys_bits(y, dtype):  # NumPy computes some exponents as square, sqrt, reciprocal
    x = np.random.default_rng(0).uniform(0.1, 3, 500).astype(dtype)
    same(Tensor(x) ** y, x**y)
    same(Tensor(x[0]) ** y, x[0] ** y)
    same(np.power(Tensor(x), y), np.power(x, y))


@pytest.mark.parametrize("name", BITWISE)
def test_bitwise_operators(name):
    op = getattr(operator, name)
    a, b = np.array([True, False, True]), np.array([True, True, False])
    i = np.arange(3)
    for x, y in [(a, b), (i, i + 1), (i, 3), (a, True)]:
        for ours in (op(Tensor(x), y), op(y, Tensor(x)), op(Tensor(x), Tensor(y))):
            same(ours, op(x, y), type(op(x, y)))
    same(~Tensor(a), ~a, np.ndarray)


@pytest.mark.parametrize("op", [operator.lshift, operator.rshift])
def test_shifts(op):
    same(op(Tensor([1, 2]), 1), op(np.array([1, 2]), 1), np.ndarray)
    same(op(8, Tensor([1, 2])), op(8, np.array([1, 2])), np.ndarray)


@pytest.mark.parametrize("op", [operator.neg, operator.pos, operator.abs])
@pytest.mark.parametrize(
    "x", [A, S, A.astype("f4"), np.arange(-1, 2), A + 1j], ids=lambda x: str(x.dtype) + str(x.shape)
)
def test_unary_operators(op, x):
    same(op(Tensor(x)), op(x), Tensor)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (A, 0.7),
        (0.7, A),
        (A, V),
        (V, A),
    ],
)
def test_divmod(x, y):
    ours = divmod(*(Tensor(v) if v is A else v for v in (x, y)))
    same(ours, divmod(x, y))
    assert (type(ours[0]), type(ours[1])) == (np.ndarray, Tensor)


@pytest.mark.parametrize(
    ("x", "args"),
    [
        (S, (1,)),
        (np.float32(2.75), (1,)),
        (S, ()),
    ],
)
def test_round(x, args):
    ours, theirs = round(Tensor(x), *args), round(x, *args)
    assert (ours, type(ours)) == (theirs, type(theirs))


@pytest.mark.parametrize("name", [n for n in BINARY if n not in PLAIN])
def test_operators_are_recorded_in_both_orders(name):
    op, m, c = getattr(operator, name), np.array([[1.5, 0.4], [0.3, 2.5]]), np.array([[1.2, 0.7], [2.4, 1.1]])
    x = Tensor(m)
    for r in (op(x, c), op(c, x), op(x, c.tolist()), op(c.tolist(), x), op(x, x)):
        assert r.requires_grad
        assert not r.is_leaf
    for r in (op(x.detach(), c), op(c, x.detach())):
        assert not r.requires_grad


@pytest.mark.parametrize(
    "other",
    [None, "a", object(), {"a": 1}, np.array([None] * 3), [None] * 3, [[1.0], [1.0, 2.0]]],
    ids=lambda x: "object" if type(x) is object else repr(x),  # no address, or processes would collect other tests
)
@pytest.mark.parametrize("op", [operator.add, operator.mul, operator.pow, operator.matmul])
def test_operators_refuse_what_is_no_number(op, other):
    for x in (Tensor(V), Tensor(S)):
        for pair in ((x, other), (other, x)):
            with pytest.raises((TypeError, ValueError)):
                op(*pair)


@pytest.mark.parametrize(
    ("op", "other"),
    [
        *((op, other) for op in (operator.eq, operator.ne) for other in (None, object(), "a")),
    ],
    ids=lambda v: getattr(v, "__name__", type(v).__name__),
)
def test_equality_with_anything(op, other):
    same(op(Tensor(V), other), op(V, other), np.ndarray)


def test_tensors_are_hashed_by_identity():
    x, y = Tensor(V), Tensor(V)
    assert {x: 1, y: 2}[x] == 1
    assert len({x, y, x}) == 2


# --- Python's protocols -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    expressions(
        "len(t)", "[v + 0 for v in t]", "[v + 0 for row in t for v in row]", "list(reversed(t[0]))", "-1.25 in t", "7.0 in t", "V in t",
        "sum(t)", "max(t[0]) + min(t[1])", "sorted(t[0])", "bool(t[0, 0])", "bool(t[:1, :1] > 0)", "[*t][1]", "(lambda a, b: b)(*t)",
        "math.prod(t[0])", "str(t)", "f'{t}'", "f'{t[0, 0]:.3f}|{t[0, 1]:+}|{t[0, 2]!s:>6}'", "f'{t[0, 0]:>9.2e}'", "'%s' % t[0, 0]",
        "callable(t)", "isinstance(t, float)",
    ),
)  # fmt: skip
def test_python_protocols_as_numpy(use):
    ours, theirs = use(Tensor(A)), use(A)
    if isinstance(theirs, np.ndarray | np.generic | list | tuple):
        same(ours, theirs)
    else:
        assert (ours, type(ours)) == (theirs, type(theirs))


@pytest.mark.parametrize("use", expressions("len(t)", "iter(t)", "list(t)", "t[0]", "t[:]", "t.mT"))
def test_a_scalar_has_no_axes(use):
    for t in (Tensor(1.5), Tensor(1.5) * 2):
        with pytest.raises((TypeError, IndexError, ValueError)):
            use(t)


def test_truth_of_many_is_refused():
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Tensor(V))


def test_iteration_is_recorded():
    x = Tensor(A)
    sum(np.sum(row) * k for k, row in enumerate(x)).backward()
    same(x.grad, np.array([[0.0] * 3, [1.0] * 3]))


@pytest.mark.parametrize(
    ("t", "text"),
    [
        (Tensor([1.0, 2.0]), "Tensor([1., 2.])"),
        (Tensor(2.0), "Tensor(2.0)"),
        (Tensor(3), "Tensor(3)"),
        (Tensor([1, 2]), "Tensor([1, 2])"),
        (Tensor(2.0, name="w"), "Tensor(2.0, name='w')"),
        (Tensor(2.0, requires_grad=False), "Tensor(2.0, requires_grad=False)"),
        (Tensor(np.float32(2)), "Tensor(2.0, dtype=float32)"),
        (Tensor([1.0, 2.0]) * 2, "Tensor([2., 4.], op=multiply)"),
        (np.sum(Tensor([1.0, 2.0])), "Tensor(3.0, op=sum)"),
        (Tensor([[1.0, 2.0], [3.0, 4.0]]), "Tensor([[1., 2.],\n        [3., 4.]])"),
    ],
    ids=str,
)
def test_repr(t, text):
    assert repr(t) == text


def test_repr_of_a_large_tensor_is_short():
    assert len(repr(Tensor(np.zeros((1000, 1000))))) < 500


# --- copies -----------------------------------------------------------------------------------------------------------

LEAVES = {
    "array": lambda: Tensor(A),
    "float32": lambda: Tensor(V.astype("f4"), name="w"),
    "scalar": lambda: Tensor(1.5, name="s"),
    "float32 scalar": lambda: Tensor(np.float32(1.5)),
    "untracked": lambda: Tensor(V, requires_grad=False),
    "integers": lambda: Tensor([1, 2]),
    "complex": lambda: Tensor([1 + 2j]),
    "empty": lambda: Tensor(np.zeros((0, 3))),
    "strided": lambda: Tensor(np.asfortranarray(A)),
}
COPIES = {
    f"pickle {p}": lambda t, p=p: pickle.loads(pickle.dumps(t, p)) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)
} | {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("make", named(LEAVES))
@pytest.mark.parametrize("duplicate", named(COPIES))
def test_copy_of_a_leaf(make, duplicate):
    t = make()
    if t.requires_grad:
        t.grad = np.full(t.shape, 3, t.dtype)
    twin = duplicate(t)
    same(twin, t._data)
    assert (twin.requires_grad, twin.name, twin.is_leaf) == (t.requires_grad, t.name, True)
    if t.requires_grad:
        same(twin.grad, t.grad)
        assert not np.shares_memory(twin.grad, t.grad)
        np.sum(np.real(twin * 1)).backward()
        same(t.grad, np.full(t.shape, 3, t.dtype)[()])
    if t.shape:
        assert not np.shares_memory(twin.data, t.data)


@pytest.mark.parametrize("duplicate", expressions("copy.copy(t)", "copy.deepcopy(t)", "t.copy()", "np.copy(t)", "+t"))
def test_copy_of_a_result_stays_connected(duplicate):
    x = Tensor(V)
    y = x * x
    z = duplicate(y)
    z[0] = 0.0
    same(y, V * V)
    np.sum(z).backward()
    same(x.grad, np.array([0.0, *(2 * V)[1:]]))


def test_a_container_keeps_its_sharing():
    t = Tensor(V)
    for duplicate in (copy.deepcopy, COPIES["pickle 5"]):
        a, b = duplicate([t, t])
        assert a is b
        assert a is not t


@pytest.mark.parametrize("make", expressions("x * 2", "x[0]", "np.sum(x)", of="x"))
def test_a_result_cannot_be_pickled(make):
    y = make(Tensor(V))
    with pytest.raises(TypeError, match=r"result of \w+ cannot be pickled.*t\.detach\(\).*t\.data"):
        pickle.dumps(y)
    same(pickle.loads(pickle.dumps(y.detach())), y._data)


# --- no silent detaching ----------------------------------------------------------------------------------------------

ARRAY = np.zeros(3)


def store(index, a=None):
    def use(t):
        (ARRAY.copy() if a is None else a)[index] = t

    return use


DETACHING = {
    "float": float,
    "int": int,
    "complex": complex,
    "index": operator.index,
    "math.sin": math.sin,
    "math.floor": math.floor,
    "asarray": np.asarray,
    "array": np.array,
    "ascontiguousarray": np.ascontiguousarray,
    "list of them": lambda t: np.array([t, t]),
    "asarray with dtype": lambda t: np.asarray(t, dtype="f4"),
    "store": store(slice(None)),
    "store an entry": store(0),
    "fill": lambda t: ARRAY.copy().fill(t),
    "full": lambda t: np.full(3, t),
    "from_dlpack": np.from_dlpack,
    "frombuffer": np.frombuffer,
    "range": range,
    "list index": lambda t: [1, 2, 3][t],
    "array index": lambda t: ARRAY[t],
    "float32": np.float32,
    "format d": lambda t: "%d" % t,  # noqa: UP031
    "out": lambda t: np.exp(t, out=ARRAY.copy() if t.shape else np.zeros(())),
    "iadd": lambda t: operator.iadd(ARRAY.copy(), t),
    "copyto": lambda t: np.copyto(ARRAY.copy(), t),
}
NAMELESS = {
    "list index", "array index", "range", "frombuffer", "format d", "copyto", "put", "out", "iadd",
}  # Python's and NumPy's own words  # fmt: skip
SCALARS_ONLY = {
    "float", "int", "complex", "index", "math.sin", "math.floor", "store an entry", "fill", "list index", "range",
    "float32", "format d", "full",
}  # fmt: skip


@pytest.mark.parametrize("name", DETACHING)
def test_silent_detaching_is_refused(name):
    for t in (Tensor(1.0), Tensor(1.0) * 1) if name in SCALARS_ONLY else (Tensor(V), Tensor(V) * 1):
        with pytest.raises((TypeError, ValueError, IndexError, BufferError)) as caught:
            DETACHING[name](t)
        if name not in NAMELESS:
            chain = [caught.value]
            while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
                chain.append(cause)
            assert any(all(word in str(e) for word in (".item()", ".data", ".detach()")) for e in chain)


def test_storing_an_entry_says_what_to_write():
    """NumPy puts words of its own over the error of any sequence's `float`; ours stands above them in the traceback."""
    with pytest.raises((TypeError, ValueError)) as caught:
        np.zeros(3)[0] = Tensor(1.0)
    assert re.search(r"\.item\(\).*\.data.*\.detach\(\)", "".join(traceback.format_exception(caught.value)))


@pytest.mark.parametrize(
    "use",
    expressions(
        "float(t)", "int(t)", "complex(t)", "math.sin(t)", "f'{t:.2f}'", "np.asarray(t)", "np.float32(t)",
        "np.full(2, t)",
    ),
)  # fmt: skip
def test_untracked_scalars_convert(use):
    ours, theirs = use(Tensor(1.5, requires_grad=False)), use(np.float64(1.5))
    assert type(ours) is type(theirs)
    assert np.array_equal(ours, theirs)


def test_untracked_integers_index():
    assert [10, 20, 30][Tensor(1)] == 20
    assert list(range(Tensor(3))) == [0, 1, 2]
    same(V[Tensor([0, 2])], V[[0, 2]])
    same(np.from_dlpack(Tensor(V, requires_grad=False)), V)


# --- indexing ---------------------------------------------------------------------------------------------------------

INDICES = [
    0, -1, np.int32(1), (1, 2), (-1, -3), slice(None), slice(1, None), (slice(None), 1), (slice(None, None, -1), slice(0, 2)),
    None, (None, 0), ..., (..., 0), (0, ...), (slice(None), None, 1), [0, 1, 0], np.array([1, 0]), ([0, 1], [2, 0]), (slice(None), [2, 0]),
    ([1, 0], slice(1)), ([[0], [1]], [0, 2]), A > 0, (0, V > 0), [True, False], np.array([], int), [], (1, [0, 2]), True, (), Tensor([0, 1]), (Tensor(1), Tensor([0, 2])),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_indexing_is_numpys(index):
    plain = tuple(bare(i) for i in index) if isinstance(index, tuple) else bare(index)
    x = Tensor(A)
    y = x[index]
    same(y, A[plain], Tensor)
    w = np.arange(1.0, 1 + np.size(A[plain])).reshape(np.shape(A[plain]))
    np.sum(y * w).backward()
    wanted = np.zeros_like(A)
    np.add.at(wanted, plain, w)
    same(x.grad, wanted)


@pytest.mark.parametrize(
    "index",
    [
        2, (0, 3), 1.0, "a", ([0, 1], [0, 1, 2]), (0, 0, 0),
        [0.5],
        Tensor(1.0),
        slice(None, None, 0),
        np.ones((3, 3), bool),
    ],
    ids=repr,
)  # fmt: skip
def test_bad_indices(index):
    theirs = None
    try:
        A[index]
    except Exception as error:
        theirs = error
    with pytest.raises((IndexError, ValueError, TypeError)) as caught:
        Tensor(A)[index]
    assert isinstance(caught.value, type(theirs)) or isinstance(index, Tensor)


# --- ndarray's methods and attributes ---------------------------------------------------------------------------------

M = np.array([[4.0, 1.0, 3.0], [2.0, 6.0, 5.0]])
F, C, B, L, K = M.astype("f4"), M + 1j, M > 2, M[None, :, :1], np.arange(2)
SAME = {  # attribute: what is asked of which array, "M(axis=0)" for M.sum(axis=0)
    "T": ["A", "V", "S"],
    "mT": ["L"],
    "real": ["A", "C"],
    "imag": ["C"],
    "shape": ["A", "S"],
    "dtype": ["A", "S", "F"],
    "ndim": ["A", "S"],
    "size": ["A", "S"],
    "nbytes": ["A", "S"],
    "itemsize": ["A", "F"],
    "strides": ["A"],
    "device": ["A"],
    "tobytes": ["A()", "S()"],
    "all": ["B()", "B(0)", "B(axis=1, keepdims=True)", "M()", "M(where=[[True], [False]])"],
    "any": ["B()", "B(0)", "B(axis=1, keepdims=True)"],
    "argmax": ["M()", "M(0)", "M(axis=1, keepdims=True)"],
    "argmin": ["M()", "M(axis=-1)"],
    "argpartition": ["M(1)", "M(1, axis=0)"],
    "argsort": ["M()", "M(0)", "M(axis=None)", "M(kind='stable')"],
    "astype": ["M('f4')", "M(int)", "M(complex)", "M('f4', copy=False)", "M(dtype=np.float32)"],
    "choose": ["K([[1.5, 2.5], [3.5, 4.5]])"],
    "clip": ["M(2, 4)", "M(2)", "M(min=2)", "M(max=4)", "M(2, max=4)", "M([2, 3, 1], 5.5)"],
    "compress": ["M([True, False], axis=0)", "M([True, False, True])", "M([False, True, True], 1)"],
    "conj": ["M()", "C()"],
    "conjugate": ["C()"],
    "copy": ["M()", "M('F')", "M(order='K')"],
    "cumprod": ["M()", "M(0)", "M(axis=1)", "F(dtype=float)"],
    "cumsum": ["M()", "M(0)", "M(axis=1)", "F(dtype=float)"],
    "diagonal": ["M()", "M(1)", "M(offset=-1)", "M(0, 1, 0)"],
    "dot": ["M(V)", "M(M.T)", "V(V)", "V(2.0)"],
    "flatten": ["M()", "M('F')", "S()"],
    "item": ["S()", "M(3)", "M(1, 2)", "M((0, 1))"],
    "max": [
        "M()", "M(0)", "M(axis=(0, 1))", "M(axis=1, keepdims=True)", "M(initial=9.0)", "M(1, where=B, initial=0.0)",
    ],
    "mean": ["M()", "M(0)", "M(axis=1, keepdims=True)", "M(dtype='f4')", "M(where=B)", "F()", "F(dtype='f8')", "F(0)"],
    "min": ["M()", "M(0)", "M(axis=1, keepdims=True)", "M(initial=0.5)"],
    "nonzero": ["B()"],
    "prod": ["M()", "M(0)", "M(axis=1, keepdims=True)", "M(dtype='f4')", "M(initial=2.0)", "M(where=B)"],
    "ravel": ["M()", "M('F')", "M(order='K')", "L('K')", "L('A')"],
    "repeat": ["M(2)", "M(2, 1)", "M([1, 2], axis=0)"],
    "reshape": [
        "M(3, 2)", "M((3, 2))", "M(-1)", "M((3, -1), order='F')", "M([6])", "M(1, 6, 1)", "M(3, 2, copy=True)",
        "S(1)", "S(1, 1)", "S(())",
    ],
    "round": ["A()", "A(1)", "A(decimals=1)"],
    "searchsorted": ["K(0.5)", "K([0.5, 2.0])", "K(1, side='right')", "K(v=0.1)"],
    "squeeze": ["L()", "L(0)", "L(axis=2)", "L((0, 2))"],
    "std": ["M()", "M(0)", "M(axis=1, keepdims=True)", "M(ddof=1)", "M(dtype='f4')", "M(0, mean=M.mean(0))"],
    "sum": [
        "M()", "M(0)", "M(axis=(0, 1))", "M(axis=1, keepdims=True)", "M(dtype='f4')", "M(initial=2.0)", "M(where=B)",
        "F()", "F(dtype=float)",
    ],
    "swapaxes": ["M(0, 1)", "M(-1, -2)"],
    "take": [
        "M([0, 5])", "M(1, axis=0)", "M([0, 2], 1)", "M([7, -8], mode='wrap')", "M([7, -8], mode='clip')",
        "M([[0, 1], [2, 0]], axis=1)",
    ],
    "tolist": ["M()", "S()"],
    "trace": ["M()", "M(1)", "M(offset=-1)", "M(dtype='f4')"],
    "transpose": ["M()", "M(1, 0)", "M((1, 0))", "M(None)", "M([-1, 0])"],
    "var": ["M()", "M(0)", "M(axis=1, keepdims=True)", "M(ddof=1)", "M(dtype='f4')", "M(mean=np.mean(M))"],
}  # fmt: skip
DIFFERENT = {  # attribute: why it is not NumPy's result, and what it is instead
    "data": "the array itself (NumPy: a buffer of bytes): .data is what PyTorch's users expect",
    "flags": "of the array; a result's .data is read-only",
    "flat": "an iterator over recorded entries, without indexing: np.ravel(t)[i]",
    "fill": "in place: a leaf refuses",
    **dict.fromkeys(("sort", "partition", "put"), "in place: a leaf refuses"),
    "resize": "refused: a value does not change its shape",
}
ABSENT = {
    **dict.fromkeys(("itemset", "newbyteorder", "ptp", "tostring"), "gone from NumPy itself since 2.0 or 2.3"),
    "base": "whose memory it is, is not the user's concern: Tensors are values",
    "byteswap": "bytes: use t.data",
    "ctypes": "memory: use t.data",
    "dump": "files: pickle t.detach() or save t.data",
    "dumps": "files: pickle t.detach() or save t.data",
    "getfield": "bytes: use t.data",
    "setfield": "bytes: use t.data",
    "setflags": "memory: use t.data",
    "to_device": "there is one device",
    "tofile": "files: use t.data",
    "view": "would reinterpret or alias memory: t.astype(dtype), t.copy()",
}


def public(kind):
    return {name for name in dir(kind) if not name.startswith("_") and hasattr(kind, name)}


def test_every_attribute_of_ndarray_is_classified():
    tables = [set(SAME), set(DIFFERENT), set(ABSENT)]
    assert public(np.ndarray) - set().union(*tables) == set(), "new in NumPy: give it a place in a table"
    assert sum(map(len, tables)) == len(set().union(*tables)), "in two tables"
    assert not [name for name in ABSENT if hasattr(Tensor, name)]
    assert not [name for name in (*SAME, *DIFFERENT) if name in public(np.ndarray) and not hasattr(Tensor, name)]


def test_what_a_tensor_has_and_an_array_has_not():
    ours = "assign backward detach grad is_leaf name numpy place requires_grad scope"
    assert public(Tensor) - public(np.ndarray) == set(ours.split())


def uses():
    for name, rows in SAME.items():
        for row in rows:
            source = f"{row[0]}.{name}{row[1:]}"
            function = eval(f"lambda t: t.{name}{row[1:]}", globals())
            yield pytest.param(row[0], function, id=source)


@pytest.mark.parametrize(("array", "use"), list(uses()))
def test_attribute_is_numpys(array, use):
    a = globals()[array]
    ours, theirs = use(Tensor(a)), use(a)
    if isinstance(theirs, np.ndarray | np.generic) or (
        isinstance(theirs, tuple) and isinstance(next(iter(theirs), 0), np.ndarray)
    ):
        same(ours, theirs)
        if isinstance(ours, Tensor):
            assert ours.requires_grad == (ours.dtype.kind in "fc" and a.dtype.kind in "fc")
    else:
        assert (ours, type(ours)) == (theirs, type(theirs))


WITHOUT_KEYWORDS = ("item", "tolist", "conj", "conjugate", "flatten", "copy", "nonzero", "transpose", "swapaxes")


@pytest.mark.parametrize(
    "use",
    expressions(
        *(f"t.{name}{rows[0][1:-1] + ', no_such_keyword=1)'}".replace("(, ", "(") for name, rows in SAME.items() if rows[0][-1] == ")" and name != "astype"),
        "t.astype(int, casting='safe')",
        "t.astype('f4', no_such_keyword=1)",
        "t.reshape(4, 2)", "t.transpose(0)", "t.transpose(0, 0)", "t.take([9])", "t.squeeze(0)", "t.sum(5)", "t.dot(np.ones(5))",
        "t.swapaxes(0, 5)", "t.compress([True] * 9, 1)", "t.repeat([1, 2, 3], 0)", "t.item(99)", "t.cumsum((0, 1))", "t.max(where=B)",
        "t.sum(axis=(0, 0))", "t.trace(0, 1, 1)", "t.diagonal(0, 1, 1)", "t.argmax((0, 1))", "t.reshape(-1, -1)", "t.reshape()", "t.T.mT.shape[5]",
        "V.mT if t is M else Tensor(V).mT", "t.mean(3)", "t.std(axis=2)", "t.prod(axis=-3)", "t.min(axis=9)", "t.take([5], mode='no')", "t.ravel('Z')",
    ),
)  # fmt: skip
def test_attribute_refuses_what_numpy_refuses(use):
    for t in (M, Tensor(M)):
        with pytest.raises((TypeError, ValueError, IndexError)):
            use(t)


def test_different_attributes():
    y = Tensor(M) * 1
    same([v.item() for v in y.flat], list(map(float, M.flat)))
    assert y.flags.c_contiguous
    y.sort(axis=0)
    same(y, np.sort(M, axis=0))
    y.fill(2.0)
    same(y, np.full_like(M, 2.0))
    for change in (lambda t: t.sort(), lambda t: t.fill(0.0)):
        with pytest.raises(ag.GraphError, match="leaf"):
            change(Tensor(M))
    with pytest.raises(TypeError, match=r"np\.resize"):
        y.resize(3, 2)
    for name in ("shape", "dtype", "T", "strides", "size"):
        with pytest.raises(AttributeError):
            setattr(y, name, getattr(y, name))
    with pytest.raises(AttributeError):
        y.no_such_attribute = 1


def test_sorting_in_place_is_differentiable():
    x = Tensor(V)
    y = x * 1
    y.sort()
    np.sum(y * np.array([1.0, 10.0, 100.0])).backward()
    same(x.grad, np.array([100.0, 1.0, 10.0]))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("relu", "np.maximum"),
        ("exp", r"np.exp\(t\)"),
        ("view", "t.reshape"),
        ("zero_grad", "t.grad = None"),
        ("nix", "'nix'$"),
    ],
)
def test_a_missing_method_says_what_to_write(name, hint):
    t = Tensor(2.0)
    with pytest.raises(AttributeError, match=hint):
        getattr(t, name)
    assert name not in dir(t)
    assert not hasattr(Tensor, name)


def test_integers_are_not_differentiated():
    with pytest.raises(ag.GraphError, match=r"write ag.Tensor"):
        Tensor(2).backward()
