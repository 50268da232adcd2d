"""Assignment and augmented assignment: NumPy's values, right gradients, no quadratic loops, and what is refused."""

import itertools
import re
import tracemalloc

import numpy as np
import pytest
from numeric import along, close, gradient
from tables import bug, expressions, same

import autograd_core as ag
from autograd_core import Tensor

RNG = np.random.default_rng(0)
A, B = RNG.uniform(0.3, 1.7, (2, 3)), RNG.uniform(0.3, 1.7, (2, 3))
W = RNG.uniform(0.5, 1.5, (2, 3))
MASK = np.array([[True, False, True], [False, False, True]])
SQUARE = RNG.uniform(0.1, 0.5, (3, 3))


def statements(*sources):
    """Return programs over `y`, which changes, and `t`, each a row under its own source; a pair is a known bug."""
    rows = []
    for row in sources:
        source, reason = row if isinstance(row, tuple) else (row, None)
        code = compile(source, "<statement>", "exec")

        def run(y, t, code=code):
            scope = {"y": y, "t": t, "np": np, "MASK": MASK, "SQUARE": SQUARE, "ag": ag}
            exec(code, scope)
            return scope["y"]

        rows.append(bug(run, reason=reason, id=source) if reason else pytest.param(run, id=source))
    return rows


PROGRAMS = statements(
    # basic indices
    "y[0] = t[0]", "y[-1] = 2.0", "y[1] = t[1] * y[0]", "y[0, 1] = t[0, 0]", "y[:, 1] = t[:, 0]", "y[1:] = t[:1]",
    "y[...] = t[0]", "y[:] = 3", "y[()] = t", "y[:, ::2] = t[:, :2] * y[:, 1:]", "y[::-1] = t", "y[None, 0] = t[1]",
    "y[:, None, 1] = t[:, :1]", "y[0] = t[1, 2]", "y[0] = [1, 2, 3]", "y[:, :2] = t[0, :2]", "y[0] = y[1]",
    "y[0], y[1] = y[1] * 1, y[0] * 1",
    # masks and integer arrays
    "y[MASK] = t[MASK]", "y[MASK] = t[0, 0]", "y[MASK] = 0.5", "y[y > 1] = 1.0", "y[y > 1] *= t[0, 0]",
    "y[[True, False]] = t[1]", "y[:, MASK[0]] = t[:, :2]", "y[[1, 0]] = t", "y[[0, 1, 0]] = t[[0, 1, 1]]",
    "y[[0, 0, 0]] = t[0]", "y[[0, 0], [1, 1]] = t[0, :2]", "y[[0, 0], [1, 1]] = t[0, 0]",
    "y[np.array([[0], [1]]), [0, 2]] = t[:, :2]", "y[1, [0, 2, 0]] = t[0]", "y[..., [2, 2, 1]] = t", "y[[]] = 0.0",
    "y[True] = t", "y[[0, -2]] = t",
    # augmented assignment
    "y += t", "y -= t[0]", "y *= 2", "y /= t", "y **= 2", "y **= t", "y %= 0.7", "y @= SQUARE", "y += y", "y *= y",
    "y += 1; y *= t; y -= 0.5", "y[0] += t[1]", "y[:, 1] *= t[:, 0]", "y[1:] -= y[:1]", "y[MASK] += 1",
    "y[[0, 0]] += t", "y[0, 1:] = 0",
    # functions that write
    "y.fill(2.0)", "y.sort()", "y.sort(axis=0)", "y.partition(1)", "y.put([0, 4], t[0, :2])", "y.put([7, -1], 2.0, mode='wrap')", "np.add.at(y, [0, 0], t)",
    "np.add.at(y, ([0, 0, 1], [1, 1, 2]), t[0])", "np.subtract.at(y, MASK, t[0, 0])",
    "np.add.at(y, (slice(None), [0, 0]), t[:, :2])", "np.multiply(y, t, out=y)", "np.exp(t, out=y, where=MASK)",
    "np.add(y[0], t, out=y)", "np.multiply.at(y, [0, 0], t)", "np.maximum.at(y, (0, [1, 1]), t[0, :2])", "np.exp.at(y, MASK)", "np.divide.at(y, [0, 1, 0], 2.0)",
    # loops
    "for i in range(2): y[i] = y[1 - i] * t[i]", "for i in range(3): y[:, i] += y[:, i - 1]",
    "for i in range(3): y[i % 2] = y[i % 2] * y[(i + 1) % 2] + t[0]",
    "for i in range(6): y[divmod(i, 3)] = t[divmod(i, 3)] * 2", "z = y * y; y[0] = 0; y = y + z",
    "v = y * 1; y[0] = t[0]; y = y * v",
)  # fmt: skip


def in_numpy(run, x):
    """Return what the program makes of arrays."""
    return run(x[0] * 1, x[1])


@pytest.mark.parametrize("run", PROGRAMS)
def test_values_and_gradients(run):
    x, t = Tensor(A), Tensor(B)
    y = run(x * 1, t)
    same(y, in_numpy(run, (A, B)))
    same(x, A)
    same(t, B)
    np.sum(np.sin(y) * W).backward()
    numeric = gradient(lambda x: np.sum(np.sin(in_numpy(run, x)) * W), (A, B))
    close((np.zeros_like(A) if x.grad is None else x.grad, np.zeros_like(B) if t.grad is None else t.grad), numeric)


@pytest.mark.parametrize("run", [pytest.param(*row.values, id=row.id) for row in PROGRAMS])
def test_transforms_agree(run):
    f = lambda x, t: np.sin(run(x * 1, t)) * W
    loss = lambda x, t: np.sum(f(x, t))
    v = (np.cos(A), np.sin(3 * B))
    numeric = along(lambda x: (np.sin(in_numpy(run, x)) * W,), (A, B), v)
    close((ag.jvp(f, (A, B), v)[1],), numeric)
    both = (0, 1)
    reverse, forward = (ag.jacobian(f, both, mode=mode)(A, B) for mode in ("reverse", "forward"))
    close(reverse, forward, 1e-12)
    close((sum(np.sum(j * d, axis=(2, 3)) for j, d in zip(reverse, v, strict=True)),), numeric)
    slope = lambda x, t: sum(np.sum(g * d) for g, d in zip(ag.grad(loss, both)(x, t), v, strict=True))
    second = along(lambda x: ag.grad(loss, both)(*x), (A, B), v)
    close(ag.grad(slope, both)(A, B), second)


@pytest.mark.parametrize(
    ("run", "functional"),
    [
        (lambda y, t: y.__setitem__(0, t[0]), lambda y, t: np.concatenate([t[:1], y[1:]])),
        (lambda y, t: y.__setitem__(MASK, t[0, 0]), lambda y, t: np.where(MASK, t[0, 0], y)),
        (
            lambda y, t: y.__setitem__((slice(None), 1), t[:, 0]),
            lambda y, t: np.stack([y[:, 0], t[:, 0], y[:, 2]], axis=1),
        ),
        (lambda y, t: y.__iadd__(t[0]), lambda y, t: y + t[0]),
        (lambda y, t: np.add.at(y, [1, 1], t), lambda y, t: y + np.stack([0 * y[0], t[0] + t[1]])),
    ],
    ids=["row", "mask", "column", "iadd", "add.at"],
)
def test_the_functional_formulation_has_the_same_gradients(run, functional):
    def written(x, t):
        y = x * 1
        run(y, t)
        return np.sum(np.sin(y) * W)

    ours = ag.grad(written, (0, 1))(A, B)
    close(ours, ag.grad(lambda x, t: np.sum(np.sin(functional(x * 1, t)) * W), (0, 1))(A, B), 1e-15)
    ours, theirs = (ag.hessian(f)(A, B) for f in (written, lambda x, t: np.sum(np.sin(functional(x * 1, t)) * W)))
    close((ours,), (theirs,), 1e-14)


@pytest.mark.parametrize(
    ("outer", "inner"), [("f4", "f8"), ("f8", "f4"), ("c16", "f8"), ("c16", "c16"), ("f2", "f4"), ("f4", "i8")]
)
@pytest.mark.parametrize(
    "run", statements("y[0] = t[0]", "y += t", "y[MASK] = t[MASK]", "y *= 2", "np.add.at(y, 0, t[1])")
)
def test_dtypes(run, outer, inner):
    a, b = A.astype(outer), (4 * B).astype(inner)
    x, t = Tensor(a), Tensor(b)
    y = run(x * 1, t)
    same(y, run(a * 1, b))
    assert y.dtype == outer
    np.sum(np.real(y)).backward()
    assert x.grad.dtype == a.dtype
    assert t.grad is None or t.grad.dtype == b.dtype


@pytest.mark.parametrize(
    "run", statements("y[()] = t", "y[...] = t * y", "y += t", "y *= y", "y /= t", "y **= 3", "y.fill(1.5)", "y -= 1")
)
def test_scalars(run):
    x, t = Tensor(1.3), Tensor(0.7)
    y = run(x * 1, t)
    same(y, run(np.array(1.3), np.float64(0.7))[()])
    y.backward()
    numeric = gradient(lambda x: run(np.array(x[0]), x[1])[()], (np.array(1.3), np.array(0.7)))
    close([np.zeros(()) if g is None else g for g in (x.grad, t.grad)], numeric)


def test_an_untracked_tensor_is_filled():
    t = Tensor(B)
    y = Tensor(np.zeros(A.shape), requires_grad=False)
    y[0] = 1.0
    y += 1.0
    assert not y.requires_grad
    y[1] = t[1]
    assert y.requires_grad
    assert not y.is_leaf
    np.sum(y * W).backward()
    same(t.grad, np.stack([np.zeros(3), W[1]]))
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 0


def test_the_tensor_stays_itself():
    y = z = Tensor(A) * 1
    y += 1
    y[0] = 2.0
    np.multiply(y, 2, out=y)
    assert y is z
    same(z, np.where([[True], [False]], 4.0, (A + 1) * 2))


CHANGES = ["y[0] = y[1] * 2", "y += 1", "y *= t", "y[MASK] = 0.0", "y.sort()", "y[...] = t"]


@pytest.mark.parametrize("run", statements(*CHANGES))
def test_arguments_of_a_transform_may_be_changed_inside(run):
    a, b = A.copy(), B.copy()
    f = lambda x, t: np.sum(np.sin(run(x, t)) * W)
    numeric = gradient(lambda x: np.sum(np.sin(in_numpy(run, x)) * W), (A, B))
    try:
        close(ag.grad(f, (0, 1))(a, b), numeric)
        close((ag.jvp(f, (a, b), (W, W))[1],), (sum(np.sum(g * W) for g in numeric),))
        close(ag.jacobian(f, (0, 1), mode="forward")(a, b), numeric)
    finally:  # the caller's arrays are the caller's
        same(a, A)
        same(b, B)


@pytest.mark.parametrize("run", statements(*CHANGES))
def test_arguments_of_a_checkpoint_may_be_changed_inside(run):
    f = ag.checkpoint(lambda x, t: np.sum(np.sin(run(x, t)) * W))
    close(
        ag.grad(lambda x, t: f(x * 1, t), (0, 1))(A, B),
        gradient(lambda x: np.sum(np.sin(in_numpy(run, x)) * W), (A, B)),
    )


# --- what was taken before keeps its values ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "take",
    expressions(
        "y[1:]", "y.T", "y.reshape(-1)", "y.data", "y.detach()", "y[0]", "y.real", "+y", "y.copy()", "np.squeeze(y)",
        "y * 1", "list(y)[0]",
        of="y",
    ),
)  # fmt: skip
@pytest.mark.parametrize(
    "run",
    statements(
        "y[0] = t[0]", "y[...] = 7.0", "y += 1", "y.fill(0.0)", "np.add.at(y, 0, 1.0)", "np.exp(t, out=y)",
        "y.sort(axis=0)",
    ),
)  # fmt: skip
def test_what_was_taken_before_keeps_its_values(take, run):
    y = Tensor(A) * 1
    taken = take(y)
    before = np.array(taken if isinstance(taken, np.ndarray) else taken.data)
    run(y, Tensor(B))
    same(taken, before)


@pytest.mark.parametrize(
    "use",
    expressions(
        "y * y", "np.exp(y)", "y @ y.T", "y[1:] * y[:1]", "np.sqrt(y)", "y.T * 2 * y.T", "np.sum(y, axis=0) * y", of="y"
    ),
)
def test_operations_before_a_change_keep_their_operands(use):
    x = Tensor(A)
    y = x * 1
    z = use(y)
    y[...] = 0.0
    y += 100
    np.sum(z).backward()
    close((x.grad,), gradient(lambda x: np.sum(use(x[0] * 1)), (A,)))


# --- loops ------------------------------------------------------------------------------------------------------------

LONG, STEPS = 100_000, 60


def address(y):
    return y.data.__array_interface__["data"][0]


LOOPS = {
    "constants": lambda y, _, i: y.__setitem__(i, 1.0),
    "entries": lambda y, t, i: y.__setitem__(i, t[i]),
    "recurrence": lambda y, t, i: y.__setitem__(i + 1, y[i] * t[i]),
    "slices": lambda y, t, i: y.__setitem__(slice(10 * i, 10 * i + 10), t[i]),
    "moved slices": lambda y, t, i: y.__setitem__(slice(10 * i + 10, 10 * i + 20), y[10 * i : 10 * i + 10] + t[i]),
    "integer arrays": lambda y, t, i: y.__setitem__([i, i + 1], t[i]),
    "added entries": lambda y, t, i: y.__setitem__(i, y[i] + t[i]),
    "kept slices": lambda y, t, i: y.__setitem__(slice(10 * i + 10, 10 * i + 20), y[10 * i : 10 * i + 10] * t[i]),
}


@pytest.mark.parametrize("step", LOOPS.values(), ids=LOOPS)
def test_a_loop_of_assignments_copies_nothing(step, monkeypatch):
    x, t = Tensor(np.ones(LONG)), Tensor(np.full(STEPS, 0.9))
    y = x * 1
    tracemalloc.start()
    try:
        places = set()
        for i in range(STEPS):
            step(y, t, i)
            places.add(address(y))
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(places) == 1
    assert peak < 3 * 8 * LONG
    assert kept < 1.5 * 8 * LONG  # one copy, where a view from before the first assignment is kept
    loss = np.sum(y)
    large = []

    def counted(make):
        def maker(*args, **kwargs):
            found = make(*args, **kwargs)
            if np.size(found) >= LONG:
                large.append(make.__name__)
            return found

        return maker

    for name in ("array", "zeros", "ones", "where", "copy", "zeros_like"):
        monkeypatch.setattr(np, name, counted(getattr(np, name)))
    loss.backward()
    monkeypatch.undo()
    assert len(large) < 10, "an array of full length for every step"
    numeric = np.ones(LONG)
    wanted = x.data.copy()
    for i in range(STEPS):
        step(wanted, t.data, i)
    same(y, wanted)
    assert x.grad.shape == numeric.shape


@pytest.mark.parametrize("step", [pytest.param(f, id=name) for name, f in LOOPS.items()])
def test_gradients_of_loops(step):
    def f(x):
        y = x[0] * 1
        for i in range(4):
            step(y, x[1], i)
        return np.sum(np.sin(y) * np.arange(60.0))

    a, b = np.linspace(0.3, 0.8, 60), np.linspace(0.7, 1.2, 4)
    close(ag.grad(lambda a, b: f((a, b)), (0, 1))(a, b), gradient(f, (a, b)))


# --- refusals ---------------------------------------------------------------------------------------------------------


def attempt(run, y, t, error, says):
    """Check that a program is refused and that nothing has been changed by it."""
    before, tracked = y.numpy(), y.requires_grad
    with pytest.raises(error, match=says):
        run(y, t)
    same(y, before)
    assert y.requires_grad == tracked


@pytest.mark.parametrize(
    "run",
    statements(
        "y[0] = t[0]", "y[...] = 1", "y += t", "y -= 1", "y *= 2", "y.fill(0)", "y.sort()", "np.add.at(y, 0, 1.0)",
        "np.exp(t, out=y)", "y[0] += 1",
    ),
)  # fmt: skip
@pytest.mark.parametrize("name", [None, "weight"])
def test_a_leaf_is_not_changed(run, name):
    p = Tensor(A, name=name)
    attempt(run, p, Tensor(B), ag.GraphError, rf"{name or re.escape('shape (2, 3)')}.*leaf.*(p\.data|p\.assign)")
    p.requires_grad = False
    run(p, B)


@pytest.mark.parametrize(
    "run",
    statements(
        "y[0] = t[0]", "y[...] = 1", "y += t", "y -= 1", "y *= 2", "y.fill(0)", "y.sort()", "np.exp(t, out=y)",
        "y[0] += 1",
    ),
)  # fmt: skip
def test_a_leaf_is_updated_under_no_grad(run):
    p = Tensor(A, name="p")
    loss = np.sum(p * p)
    with ag.no_grad():
        run(p, Tensor(B))
    wanted = A.copy()
    same(p, run(wanted, B))
    assert p.is_leaf
    assert p.requires_grad
    with pytest.raises(ag.GraphError, match=r"p of shape.*updated after multiply"):
        loss.backward()
    np.sum(p * 2).backward()
    same(p.grad, np.full(A.shape, 2.0))


@pytest.mark.parametrize(
    "run",
    statements(
        "y += 1",
        "y *= 2",
        "y[0] = 1",
        "y.fill(0)",
    ),
)
def test_a_leaf_keeps_its_array_under_no_grad(run):
    p = Tensor(A)
    held = p.data
    with ag.no_grad():
        run(p, B)
    assert p.data is held


VIEWS = statements(
    "y[1:][0] = 1", "y[0][1] = t[0, 0]", "y.T[0] = 1", "v = y.T; v[0] = t[:, 0]", "y.reshape(-1)[0] = 1", "y.ravel()[0] = 1", "y.swapaxes(0, 1)[0] = 1", "y[None][0] = 1",
    "np.squeeze(y[None])[0] = 1", "y.mT[0] = 1", "np.split(y, 2)[0][0, 0] = 1", "for row in y: row[0] = 1", "np.flip(y)[0] = 1", "y[:][0] = 1", "y[...][0] = 1", "np.moveaxis(y, 0, 1)[0] = 1",
    "y[:, 1].fill(0)", "np.transpose(y)[MASK.T] = 0", "y[0:1][0][0] = 1", "np.exp(t, out=y[:])", "np.atleast_3d(y)[0] = 1", "np.expand_dims(y, 0)[0] = 1",
    "np.rot90(y)[0] = 1", "np.unstack(y)[0][0] = 1",
    "y.real[0] = 1", "y.T.sort()", "np.add.at(y[0], 0, 1.0)", "y.diagonal()[0] = 1",
)  # fmt: skip


@pytest.mark.parametrize("run", VIEWS)
@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "untracked"])
def test_assignment_through_a_view(run, tracked):
    y = Tensor(A) * 1 if tracked else Tensor(A, requires_grad=False)
    attempt(run, y, B, (ag.GraphError, ValueError), r"view.*y\[index\] = value.*copy\(\)|read-only")


FRESH = expressions(
    "x * 1", "x.copy()", "x.flatten()", "x[[0, 1]]", "x[MASK]", "np.concatenate([x, x])", "np.stack([x, x])", "np.vstack([x, x])", "np.where(MASK, x, 0)", "np.cumsum(x, 0)", "np.take(x, [0, 1], 0)", "np.sort(x)",
    "np.outer(x, x)", "np.repeat(x, 2)", "np.clip(x, 0.5, 1)", "np.astype(x, 'f4')", "np.mean(x, axis=0)", "np.tril(x)", "np.diff(x)", "np.append(x, x)", "np.linalg.inv(x[:, :2])",
    "np.einsum('ij,kj', x, x)", "np.dot(x, x.T)", "x @ x.T", "np.diag(x[0])", "np.maximum(x, 1)", "np.prod(x, axis=0)", "np.block([[x, x]])", "np.average(x, axis=0)", "np.linalg.solve(x[:, :2], x)", "np.copy(x)",
    "np.roll(x, 1)", "np.tile(x, (2, 1))", "np.tensordot(x, x, ([1], [1]))", "np.kron(x, x)",
    of="x",
)  # fmt: skip


@pytest.mark.parametrize("make", FRESH)
def test_fresh_results_may_be_changed(make):
    x = Tensor(A)
    y, wanted = make(x), make(A)
    y[0] = 9.0
    wanted[0] = 9.0
    same(y, wanted)
    np.sum(y).backward()
    assert x.grad.shape == A.shape


@pytest.mark.parametrize(
    ("run", "error", "says"),
    [
        pytest.param(*row.values, *expected, id=row.id, marks=row.marks)
        for rows, *expected in [
            (
                statements(
                    "y[0] = 1j", "y += 1j", "y[0] = t * 1j", "y *= t * 1j",
                    "np.add.at(y, 0, 1j)",
                    "y.fill(1j)", "np.multiply(t, 1j, out=y)",
                ),
                TypeError,
                "complex.*float64|float64.*complex",
            ),
            (
                statements("y += np.ones((2, 2, 3))", "y @= SQUARE[:, :2]", "np.add(y, np.ones((2, 2, 3)), out=y)"),
                ValueError,
                r"shape|broadcast",
            ),
            (
                statements(
                    "y[0] = np.ones(5)", "y[MASK] = np.ones(2)", "y[...] = np.ones((2, 2, 3))",
                    "y[[0, 1]] = np.ones((3, 3))", "y += np.ones(2)",
                ),
                ValueError,
                "broadcast|cannot assign|shape",
            ),
            (
                statements(
                    "y[9] = 1", "y[0, 0, 0] = 1", "y[0.5] = 1", "y[np.ones((3, 3), bool)] = 1", "y['a'] = 1",
                    "y[[0, 5]] = 1", "np.add.at(y, 9, 1.0)",
                ),
                IndexError,
                "",
            ),
            (
                statements(
                    "y[0] = 'a'", "y[0] = None", "y += None", "y[0] = object()", "y[0] = np.array([None] * 3)",
                    "y[0] = {}", "y += 'a'",
                ),
                (TypeError, ValueError),
                "",
            ),
            (statements("del y[0]", "y[0:1] @= 1", "y <<= 1"), (TypeError, ValueError, AttributeError), ""),
        ]
        for row in rows
    ],
)  # fmt: skip
def test_refused(run, error, says):
    x, t = Tensor(A), Tensor(B)
    y = x * 1
    attempt(run, y, t, error, says or ".")
    np.sum(y * W).backward()  # nothing has been lost
    same(x.grad, W)


@pytest.mark.parametrize(
    "run",
    statements(
        "y[0] = 1", "y[0] = t[0]", "y.fill(0)", "np.exp(t, out=y)",
        "y += 1", "y *= t", "y.sort()", "np.add.at(y, 0, 1.0)",
    ),
)  # fmt: skip
def test_a_result_is_not_changed_under_no_grad(run):
    y = Tensor(A) * 1
    with ag.no_grad():
        attempt(run, y, Tensor(B), ag.GraphError, r"no_grad.*detach\(\)\.copy\(\)")


@pytest.mark.parametrize("run", statements("y[0] = 1", "y += t", "y.sort()"))
def test_untracked_results_change_freely_under_no_grad(run):
    with ag.no_grad():
        y = Tensor(A) * 1
        same(run(y, Tensor(B)), run(A * 1, B))


@pytest.mark.parametrize(
    "run",
    statements(
        "y += t", "y += 0.5", "y *= t", "y[0] = t[0]", "np.exp(t, out=y)", "y[...] = t",
    ),
)  # fmt: skip
def test_tracked_values_do_not_go_into_integers(run):
    y = Tensor(np.ones((2, 3), int))
    attempt(run, y, Tensor(B), TypeError, "int64")


def test_integers_change_among_themselves():
    y = Tensor([1, 2, 3])
    y[0] = 7
    y += 1
    y[1] = 2.9
    same(y, np.array([8, 2, 4]))
    assert not y.requires_grad


def test_the_two_ways_of_reading_a_changed_tensor_agree():
    # a change between two uses of the same Tensor: each use has the gradient of its own moment
    x = Tensor(A)
    y = x * 1
    first = np.sum(y * y)
    for k, (i, j) in enumerate(itertools.product(range(2), range(3))):
        y[i, j] = y[i, j] * (k + 1)
    (first + np.sum(y)).backward()
    close((x.grad,), (2 * A + np.arange(1.0, 7).reshape(2, 3),), 1e-14)
