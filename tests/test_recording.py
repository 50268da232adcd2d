"""What can be written down beside a graph: recorders, scopes, names, source lines; and arrays that change after their use."""

import contextlib
import inspect
import operator
import re

import numpy as np
import pytest
from bits import leaves
from tables import bug, expressions, named, same

import autograd_core as ag
from autograd_core import Tensor
from autograd_core.state import PLAIN, STATE, Recorder, recording

RNG = np.random.default_rng(0)
A, B = RNG.uniform(0.4, 1.6, (2, 3)), RNG.uniform(0.4, 1.6, (2, 3))
A2, B2 = RNG.uniform(0.4, 1.6, (2, 3)), RNG.uniform(0.4, 1.6, (2, 3))
SQUARE = RNG.uniform(0.2, 0.5, (3, 3))


class Tape(Recorder):
    """A recorder that only listens."""

    title = "Tape"

    def __init__(self):
        self.steps = []

    def record(self, fn, args, kwargs, ans):
        self.steps.append((fn, args, kwargs, ans))

    @property
    def functions(self):
        return [fn for fn, *_ in self.steps]


# --- programs whose every operation is told; `program/` and `replay/` run them again ------------------------------------


def assigned(index, value):
    def use(x, y):
        z = x * 1
        z[index(x) if callable(index) else index] = value(y)
        return z + x

    return use


def augmented(x, y):
    z = x * 1
    z += y
    z *= z
    z -= 0.5
    return z


def pulled(x, y):
    loss = np.sum(np.where(x > 1, np.sin(x) * y, x) * x)
    loss.backward()
    return x.grad, y.grad


def accumulated(x, y):
    np.sum(x * y).backward()
    np.sum(x * x * y).backward()
    return x.grad, y.grad


def training(x, y):
    h = np.maximum(x @ SQUARE, 0.9)
    loss = np.mean((np.tanh(h) - y) ** 2)
    loss.backward()
    return loss, x.grad


REPLAYED = {
    "arithmetic": lambda x, y: (x * 2 + y / x - x**y, -x, abs(x - y), 3 - x),
    "square": lambda x, _: (x**2, x**3, 2**x),
    "scalars": lambda x, y: x[0, 0] * y[1, 1] + x[0, 1] ** 2,
    "comparisons": lambda x, y: (x > y, x == y, x <= 1.0, x > 1.0, ~(x > y), (x > y) & (x > 1)),
    "a mask as a factor": lambda x, y: (x > 1) * y,
    "where": lambda x, y: np.where(x > 1, x, y),
    "selecting by a mask": lambda x, _: np.where(x > 1, x, 0)[(x > 1).any(axis=1)],
    "indexing by a mask": lambda x, y: np.sum(x[y > 1]),
    "indexing by an index": lambda x, y: x[:, np.argmax(y[0])],
    "gradient by an index": lambda x, y: ag.grad(lambda x: np.sum(x[np.argmax(y, axis=0), np.arange(3)] ** 2))(x),
    "sorting": lambda x, y: np.sort(x * y, axis=1),
    "constants": lambda x, y: np.sign(x - 1) * np.floor(3 * y) + np.round(x, 1),
    "argmax": lambda x, _: np.argmax(x, axis=1),
    "several in a list": lambda x, y: np.concatenate([x, y, x * y], axis=1),
    "stack": lambda x, y: np.stack([x[0], y[1]]),
    "reductions": lambda x, y: (
        np.sum(x, axis=0), np.mean(x), np.max(y, axis=1), np.std(x), np.prod(x, axis=0), np.cumsum(y),
    ),
    "shapes": lambda x, y: np.reshape(x.T, (2, 3))[:, ::-1] + np.expand_dims(y[0], 0),
    "products": lambda x, y: (x @ y.T, np.dot(x, y.T), np.outer(x, y), np.tensordot(x, y, ([1], [1]))),
    "einsum": lambda x, y: np.einsum("ij,kj->ik", x, y),
    "norm": lambda x, y: np.linalg.norm(x - y),
    "linear algebra": lambda x, y: np.linalg.solve(x @ y.T + 2 * np.eye(2), x),
    "several results": lambda x, y: np.linalg.slogdet(x @ y.T + 2 * np.eye(2))[1],
    "relu": lambda x, y: ag.relu(x - 1) + ag.logsumexp(y),
    "maximum of a number": lambda x, y: np.maximum(x, 1.0) + np.minimum(1.0, y),
    "clip": lambda x, _: np.clip(x, 0.8, 1.2),
    "dtype of a ufunc": lambda x, y: np.add(x, y, dtype="f4"),
    "astype": lambda x, y: x.astype("f4") * y,
    "outer of a ufunc": lambda x, y: np.subtract.outer(x[0], y[0]),
    "assigned": assigned((0, 1), lambda y: y[0, 0]),
    "assigned by a mask": assigned(lambda x: x > 1, lambda y: y[0, 0]),
    "assigned a number": assigned(0, lambda _: 2.0),
    "augmented": augmented,
    "detached": lambda x, y: x.detach() * y,
    "rounded": lambda x, _: round(x[0, 0], 1) * x,
    "a root as a power": lambda x, y: (x**0.5, x ** (-1), x[0, 0] ** 2, 2.0**y),
    "a Tensor of a Tensor": lambda x, y: Tensor(x.detach()) * y,
    "taken": lambda x, y: np.take(x, np.argmax(y)) + np.take_along_axis(x, np.argsort(y, axis=1), 1),
    "copied": lambda x, y: x.copy() * y,
    "power of a mask": lambda x, y: x ** (y > 1),
    "pulled back": pulled,
    "accumulated": accumulated,
    "training": training,
    "grad": lambda x, y: ag.grad(lambda x: np.sum(np.where(x > 1, np.sin(x), x) * y))(x),
    "value_and_grad": lambda x, y: ag.value_and_grad(lambda x: np.sum(x * x * y))(x),
    "grad of grad": lambda x, y: ag.grad(lambda x: np.sum(ag.grad(lambda y: np.sum(np.sin(x * y)))(y) ** 2))(x),
    "vjp": lambda x, y: ag.vjp(lambda x: np.exp(x) * x, x)[1](y),
    "jvp": lambda x, y: ag.jvp(lambda x: np.exp(x) @ SQUARE, (x,), (y,))[1],
    "jacobian": lambda x, y: ag.jacobian(lambda x: np.sin(x) * y[0])(x[0]),
    "jacobian forward": lambda x, y: ag.jacobian(lambda x: np.sin(x) * y[0], mode="forward")(x[0]),
    "hessian": lambda x, y: ag.hessian(lambda x: np.sum(np.sin(x) * y[0]))(x[0]),
    "hvp": lambda x, y: ag.hvp(lambda x: np.sum(np.sin(x) * x))(x, y),
    "checkpoint": lambda x, y: ag.grad(lambda x: np.sum(ag.checkpoint(lambda x: np.sin(x) * y)(x)))(x),
    "no_grad": lambda x, y: untracked(x) * y,
    "untracked": lambda x, y: np.exp(x.detach()) > y,
}  # fmt: skip


def untracked(x):
    with ag.no_grad():
        return np.sin(x) * 2


@pytest.mark.parametrize(
    ("use", "told"),
    named(
        {
            "comparison": (lambda x: x > 1, [np.greater]),
            "comparison from the left": (lambda x: x < 1.0, [np.less]),
            "mask": (lambda x: np.isnan(x), [np.isnan]),
            "constant": (lambda x: np.floor(x), [np.floor]),
            "constant function": (lambda x: np.argsort(x), [np.argsort]),
            "product": (lambda x: x * 2, [np.multiply]),
            "function": (lambda x: np.exp(x), [np.exp]),
            "untracked": (lambda x: np.exp(x.detach()), [np.exp]),
            "two": (lambda x: np.exp(x) + x, [np.exp, np.add]),
            "nothing": (lambda x: (x.shape, len(x), x.dtype, x.ndim), []),
        }
    ),
)
def test_what_a_recorder_is_told(use, told):
    tape = Tape()
    x = Tensor(A)
    with recording(tape):
        use(x)
    assert tape.functions == told
    use(x)
    assert tape.functions == told


def test_indexing_and_assignment_are_told():
    tape = Tape()
    with recording(tape):
        y = Tensor(A) * 1
        y[0]
        y[y > 1]
        y[1] = 2.0
    assert [getattr(fn, "__name__", fn) for fn in tape.functions] == [
        "multiply", "getitem", "greater", "getitem", "setitem",
    ]  # fmt: skip


def test_the_sweep_is_told():
    tape = Tape()
    x = Tensor(A)
    with recording(tape):
        loss = np.sum(np.sin(x) * x)
        forward = len(tape.steps)
        loss.backward()
    swept = tape.functions[forward:]
    assert np.cos in swept
    assert np.multiply in swept
    assert isinstance(x.grad, Tensor)
    same(x.grad, np.cos(A) * A + np.sin(A))


def test_a_recorded_sweep_accumulates():
    x = Tensor(A)
    with recording(Tape()):
        np.sum(x * 2).backward()
        np.sum(x * 3).backward()
    same(x.grad, np.full(A.shape, 5.0))


def test_a_recorder_is_told_in_order_and_of_operands_as_tensors():
    tape = Tape()
    x = Tensor(A)
    with recording(tape):
        y = np.exp(x * 2.0)
    (_, (a, two), _, product), (_, (operand,), _, ans) = tape.steps
    assert a is x
    assert two == 2.0
    assert operand is product
    assert ans is y


@pytest.mark.parametrize(
    "what",
    [
        "float", "int", "complex", "bool", "np.asarray", "if", "math.sin", "round", "in", "range", ".item", ".tolist",
        ".numpy",
    ],
)  # fmt: skip
def test_a_value_is_not_baked_in(what):
    import math
    import operator

    use = {
        "float": float, "int": int, "complex": complex, "bool": bool, "np.asarray": np.asarray, "if": lambda t: 1 if t > 1 else 2, "math.sin": math.sin, "round": lambda t: int(round(t, 1)),
        "in": lambda t: 2.0 in t, "range": operator.index, ".item": Tensor.item, ".tolist": Tensor.tolist,
        ".numpy": Tensor.numpy,
    }[what]  # fmt: skip
    value = 3 if what == "range" else [2.0] if what == "in" else 2.0
    for t in (Tensor(value, requires_grad=False), Tensor(value)):
        with (
            recording(Tape()),
            pytest.raises((ag.GraphError, TypeError), match=r"under Tape \(at .*baked.*np\.where|\.item\(\)"),
        ):
            use(t)
    use(Tensor(value, requires_grad=False))


def test_recorders_nest_and_leave():
    outer, inner = Tape(), Tape()
    x = Tensor(A)
    with recording(outer):
        x * 2
        with recording(inner):
            x * 3
        x * 4
    x * 5
    assert (len(outer.steps), len(inner.steps)) == (2, 1)
    assert STATE.get() is PLAIN


# --- scopes and names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    expressions(
        "t * 2", "np.exp(t)", "t + t", "np.sum(t)", "t[0]", "t @ t.T", "np.concatenate([t, t])", "np.mean(t)",
        "np.linalg.slogdet(t[:, :2])[1]",
        "ag.relu(t)", "np.where(A > 1, t, 0)", "np.std(t)", "written(t)",
        "ag.checkpoint(np.exp)(t)",
        "ag.grad(lambda x: np.sum(x**3))(t)",
    ),
)  # fmt: skip
def test_scopes_are_noted_on_every_operation(use):
    x = Tensor(A)
    assert use(x).scope == ()
    with ag.scope("layer 1"):
        one = use(x)
        with ag.scope("attention"):
            two = use(x)
        three = use(x)
    assert (one.scope, two.scope, three.scope) == (("layer 1",), ("layer 1", "attention"), ("layer 1",))
    assert x.scope == ()
    assert use(x).scope == ()


def written(t):
    y = t * 1
    y[0] = 2.0
    return y


def test_scopes_change_neither_values_nor_gradients():
    x = Tensor(A)
    with ag.scope("a"), ag.scope("b"):
        loss = np.sum(np.sin(x) * x)
        loss.backward()
    same(x.grad, np.cos(A) * A + np.sin(A))


def test_scopes_are_left_after_an_error():
    def failing():
        with ag.scope("a"):
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert (Tensor(1.0) * 2).scope == ()


def test_many_scopes_of_one_name():
    x = Tensor(1.0)
    for _ in range(3):
        with ag.scope("layer"):
            assert (x * 2).scope == ("layer",)
    with ag.scope("layer"), ag.no_grad(), ag.scope("inner"):
        assert not (x * 2).requires_grad
        with ag.debug():
            assert STATE.get().scope == ("layer", "inner")


def test_names_stay_with_their_results():
    x = Tensor(A, name="x")
    with ag.scope("s"):
        y = x * 2
        y.name = "y"
        z = y + 1
    assert (y.name, y.scope, z.name) == ("y", ("s",), None)
    np.sum(z).backward()
    assert x.name == "x"


def here():
    return f"{__file__}:{inspect.currentframe().f_back.f_lineno}"


@pytest.mark.parametrize(
    "use",
    expressions(
        "t * 2", "np.exp(t)", "np.mean(t)", "t[0]", "np.linalg.norm(t)", "t.sum()", "np.stack([t, t])", "ag.relu(t)",
        "ag.logsumexp(t)", "np.add.reduce(t)",
    ),
)  # fmt: skip
def test_source_lines_under_debug(use):
    x = Tensor(A)

    def program():
        return use(x), here()

    with ag.debug():
        line, where = use(x), here()
    assert line._node.note.line.rpartition(":")[0] in (where.rpartition(":")[0], "<string>")
    with ag.debug():
        y, where = x * 2, here()
    assert y._node.note.line == where
    assert getattr(use(x)._node, "note", None) is None
    assert program()[0].requires_grad


# --- arrays that change after they have been used ---------------------------------------------------------------------

CAPTURES = [
    "t * c", "c * t", "t + c", "t - c", "t / c", "c / t", "t ** c", "c ** t", "t @ c.T", "c.T @ t", "np.dot(t, c.T)", "np.maximum(t, c)", "np.minimum(c, t)", "np.fmax(t, c)", "np.hypot(t, c)",
    "np.arctan2(c, t)", "np.logaddexp(t, c)", "np.where(m, t, c)", "np.where(m, c, t * t)", "np.outer(t, c)", "np.einsum('ij,ij->i', t, c)", "np.tensordot(t, c, ([1], [1]))", "np.kron(t, c)", "np.inner(t, c)",
    "np.average(t, weights=c)", "np.concatenate([t, c]) ** 2", "np.multiply.outer(t[0], c[0])", "np.copysign(t, c)", "np.clip(t, c - 0.2, c + 0.2)", "np.select([m], [t], default=c)", "np.sum(t * c, where=m)",
    "np.linalg.solve(c[:, :2] + 2 * np.eye(2), t[:, :3])", "np.vecdot(t, c)", "np.sum(t, where=m)", "np.mean(t, where=m)", "np.max(t, where=m, initial=0.0)", "t[m]", "t[i]", "t[:, i]", "t[i, i]", "np.take(t, i)", "np.take(t, i, axis=1)",
    "np.take_along_axis(t, j, 1)", "np.compress(m[0], t, axis=1)", "np.extract(m, t)", "np.repeat(t, r, axis=1)", "np.add.at(z := t * 1, i, c[0]) or z * z", "put(t, m, c[m])", "put(t, i, t[i] * c[i])", "put(t, (i, i), c[0, :2])", "np.roll(t, i[0])",
    "u * t", "t @ u.T", "np.where(m, t, u)", "t[0, 0] * c", "np.float64(2) * t * c", "t * c.T.T", "t * c[::-1]", "np.power(c, t)", "(t * c) * c", "np.broadcast_to(c[0], c.shape) * t", "np.prod(t * c)", "np.split(t, i[1:], axis=0)[0]", "np.ptp(t * c)",
]  # fmt: skip


def put(t, index, value):
    y = t * 1
    y[index] = value
    return y * y


def captures(n):
    """Return arrays of n columns that a program takes from around it: values, a mask, indices, an untracked Tensor."""
    c = np.linspace(0.6, 1.4, 2 * n).reshape(2, n)
    m = np.sin(np.arange(2 * n)).reshape(2, n) > -0.2
    return {
        "c": c,
        "m": m,
        "i": np.array([0, 1]),
        "j": np.argsort(np.cos(c * 9), axis=1),
        "r": np.full(n, 2),
        "u": Tensor(c[::-1], requires_grad=False),
    }


def spoil(names):
    for a in names.values():
        a = a._data if isinstance(a, Tensor) else a
        a[...] = a == 0 if a.dtype == bool else 0 if a.dtype.kind == "i" else -7


def gradient_of(code, n, spoiled):
    names = captures(n)
    t = Tensor(np.linspace(0.5, 1.5, 2 * n).reshape(2, n))
    out = eval(code, {"t": t, "np": np, "put": put, **names})
    out = np.sum(out * np.cos(np.arange(out.size)).reshape(out.shape))
    if spoiled:
        spoil(names)
    out.backward()
    return t.grad


CAPTURED = [pytest.param(compile(source, source, "eval"), id=source) for source in CAPTURES]


@pytest.mark.parametrize("code", CAPTURED)
def test_small_arrays_are_copied(code):
    same(gradient_of(code, 3, spoiled=True), gradient_of(code, 3, spoiled=False))


@pytest.mark.parametrize("code", CAPTURED)
def test_a_change_of_a_large_array_is_caught_under_debug(code):
    n = 700 if "kron" not in str(code) and "outer" not in str(code) else 30
    with ag.debug():
        wanted = gradient_of(code, n, spoiled=False)
        found = attempt(code, n)
    if isinstance(found, ag.GraphError):
        assert re.search(
            r"an array of shape .* was changed after \w+ had used it \(at .+:\d+\).*pass a copy, or call backward\(\) before",
            str(found),
        )
    else:
        same(found, wanted)


def attempt(code, n):
    try:
        return gradient_of(code, n, spoiled=True)
    except ag.GraphError as refusal:
        return refusal


def test_the_message_names_the_line():
    with ag.debug():
        c = np.ones(2000)
        loss, where = np.sum(Tensor(np.ones(2000)) * c), here()
        c[0] = 7
        with pytest.raises(
            ag.GraphError, match=rf"shape \(2000,\) was changed after multiply had used it \(at {re.escape(where)}\)"
        ):
            loss.backward()


def test_large_arrays_are_referenced():
    c = np.ones(100_000)
    y = Tensor(np.ones(100_000)) * c
    assert any(np.shares_memory(c, a) for a in (y._node.a, y._node.b) if a is not None)


@pytest.mark.parametrize(
    "change",
    named(
        {
            "assign": lambda p: p.assign(np.full(3, 9.0)),
            "[0] = under no_grad": lambda p: ag.no_grad()(operator.setitem)(p, 0, 9.0),
            "data -=": lambda p: setattr(p, "data", p.data.__isub__(1)),
            "data[0] =": bug(
                lambda p: p.data.__setitem__(0, 9.0),
                reason="nobody sees a write into the array itself, but for ag.debug(); p[0] = ... under no_grad is seen",
            ),
        }
    ),
)
def test_a_changed_leaf_is_caught(change):
    p = Tensor(np.arange(3.0), name="p")
    loss = np.sum(p * p)
    change(p)
    with pytest.raises(ag.GraphError, match=r"p of shape|changed"):
        loss.backward()


def test_a_changed_leaf_is_caught_under_debug():
    with ag.debug():
        p = Tensor(np.arange(3.0), name="p")
        loss = np.sum(p * p)
        p.data[0] = 9.0
        with pytest.raises(ag.GraphError, match="changed after multiply"):
            loss.backward()


VIEWS = {
    "overwritten": (lambda y: y[1:], lambda y: operator.setitem(y, 1, 7.0), True),
    "beside": (lambda y: y[1:], lambda y: operator.setitem(y, 0, 7.0), False),
    "copied": (lambda y: y[1:].copy(), lambda y: operator.setitem(y, 1, 7.0), False),
    "turned": (lambda y: y.T[::-1][0], lambda y: operator.setitem(y, (0, 2), 7.0), True),
    "turned beside": (lambda y: y.T[::-1][0], lambda y: operator.setitem(y, (0, 1), 7.0), False),
    "broadcast": (lambda y: np.broadcast_to(y, (2, 2, 3)), lambda y: operator.setitem(y, np.median(A) < A, 7.0), True),
    "in place": (lambda y: y.T, lambda y: operator.iadd(y, 1), True),
    "in place, the same": (lambda y: y[1:], lambda y: operator.imul(y, 1), False),
}


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(("take", "change", "stale"), named(VIEWS))
def test_a_view_that_keeps_its_values_is_reported_under_debug(take, change, stale, tracked):
    with ag.debug():
        for fresh in (np.array, np.asfortranarray):
            y = Tensor(A, requires_grad=False)
            y = Tensor(fresh(A)) * 1 if tracked else y
            y[0, 0] = 5.0
            view = take(y)
            with (
                pytest.warns(UserWarning, match=r"taken at .* keeps its values") if stale else contextlib.nullcontext()
            ):
                change(y)
            change(y)  # nobody looks any more at what was the array
            assert view.ndim


def test_debug_changes_no_value():
    for program in REPLAYED.values():
        plain = program(Tensor(A), Tensor(B))
        with ag.debug():
            debugged = program(Tensor(A), Tensor(B))
        for ours, theirs in zip(leaves(debugged), leaves(plain), strict=True):
            same(ours, theirs.data if isinstance(theirs, Tensor) else theirs)
