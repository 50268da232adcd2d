"""What lives how long: no reference cycles, freeing on the way back, accumulation, leaves after errors, bytes kept, long chains."""

import contextlib
import gc
import os
import subprocess
import sys
import tracemalloc
import weakref

import numpy as np
import pytest
from tables import expressions, named, same

import autograd_core as ag
from autograd_core import Tensor
from autograd_core.nodes import Leaf, Node
from autograd_core.rules import RULES

V = np.array([0.5, 1.5, 2.5])
M = np.array([[0.5, 1.0], [2.0, 0.7]])
N = 100_000  # entries of a large array


@pytest.fixture(autouse=True, scope="module")
def old_objects_set_aside():
    """Let the garbage collector see only what is made from here on: a collection then takes no time."""
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def nothing_remains():
    """Fail if what the block makes outlives it without the garbage collector: Tensors, nodes, and cycles of ours."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
        left = [x for x in gc.get_objects() if isinstance(x, Node | Tensor)]
        assert not left, f"{len(left)} objects remain, {left[:3]}"
        assert not cycles(), "reference cycles remain"
    finally:
        gc.enable()


def cycles():
    """Return what only the garbage collector can free, of our making."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        home = lambda x: getattr(x, "__module__", None) or ""
        return [
            x for x in gc.garbage if home(type(x)).startswith("autograd_core") or home(x).startswith("autograd_core")
        ]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


def broken(pull, **properties):
    """Return a function of our own whose rule is `pull`."""

    @ag.primitive
    def f(x):
        return x * 2

    ag.rule(f, pull, **properties)
    return f


def raising(g):
    raise KeyError(f"oops, with {g}")


def returning(value):
    return broken(lambda g: (g, value)[1])


RAISES = broken(raising)
WRONG = returning(np.ones(7))


def trying(use, *errors):
    def used(x):
        with contextlib.suppress(*(errors or (Exception,))):
            use(x)

    return used


PROGRAMS = {
    "recorded and dropped": lambda x: np.sum(np.exp(x) * x @ M),
    "pulled back": lambda x: np.sum(np.tanh(x) ** 2).backward(),
    "pulled back twice": lambda x: (lambda y: (y.backward(retain_graph=True), y.backward()))(np.sum(x * x)),
    "pulled back and kept": lambda x: np.sum(x * x).backward(retain_graph=True),
    "scalars": lambda x: (x[0, 0] * x[0, 1] + 2).backward(),
    "assigned": lambda x: (lambda y: (y.__setitem__(0, y[1] * 2), np.sum(y).backward()))(x * 1),
    "selected": lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0)).backward(),
    "several results": lambda x: np.linalg.slogdet(x)[1].backward(),
    "joined": lambda x: np.sum(np.concatenate([x, x * 2])).backward(),
    "indexed": lambda x: np.sum(x[[0, 0]] * x[:1]).backward(),
    "einsum": lambda x: np.einsum("ij,jk->", x, x).backward(),
    "grad": lambda x: ag.grad(lambda y: np.sum(np.sin(y) * y))(x.data),
    "grad of a tensor": lambda x: np.sum(ag.grad(lambda y: np.sum(np.sin(y) * y))(x)).backward(),
    "grad of grad": lambda x: ag.grad(lambda y: np.sum(ag.grad(lambda z: np.sum(z**3))(y) ** 2))(x.data),
    "vjp": lambda x: (lambda value, pull: (pull(value), pull(value)))(*ag.vjp(np.exp, x.data)),
    "jvp": lambda x: ag.jvp(lambda y: np.sum(np.exp(y) @ y), (x.data,), (x.data,)),
    "jacobian": lambda x: [ag.jacobian(lambda y: np.sin(y) @ y, mode=mode)(x.data) for mode in ("reverse", "forward")],
    "hessian": lambda x: ag.hessian(lambda y: np.sum(np.sin(y) @ y))(x.data),
    "hvp": lambda x: ag.hvp(lambda y: np.sum(np.sin(y) @ y))(x.data, x.data),
    "checkpoint": lambda x: np.sum(ag.checkpoint(lambda y: np.sin(y) * y)(x)).backward(),
    "checkpoint in grad": lambda x: ag.grad(lambda y: np.sum(ag.checkpoint(lambda z: np.sin(z) * z)(y)))(x.data),
    "checkpoint dropped": lambda x: ag.checkpoint(lambda y: np.sin(y) * y)(x),
    "scope and debug": lambda x: (lambda: debugged(x))(),
    "a rule that raises": trying(lambda x: np.sum(RAISES(np.exp(x))).backward(), KeyError),
    "a wrong rule": trying(lambda x: np.sum(WRONG(np.exp(x))).backward(), ValueError),
    "a raising rule in grad": trying(lambda x: ag.grad(lambda y: np.sum(RAISES(y)))(x.data), KeyError),
    "an error in the function": trying(
        lambda x: ag.grad(lambda y: np.sum(np.exp(y)) + np.ones(7) @ y)(x.data), ValueError
    ),
    "a second backward": trying(lambda x: (lambda y: (y.backward(), y.backward()))(np.sum(x * x)), ag.GraphError),
    "backward of no scalar": trying(lambda x: (x * 2).backward(), ValueError),
    "a forward error": trying(lambda x: np.exp(x) @ np.ones(7), ValueError),
    "copies": lambda x: (lambda y: np.sum(y.copy() + y).backward())(x * 1),
    "untracked": lambda x: np.exp(x.detach()) * 2,
}


def debugged(x):
    with ag.debug(), ag.scope("layer"):
        np.sum(np.exp(x) * M).backward()


@pytest.mark.parametrize("use", named(PROGRAMS))
def test_nothing_remains_with_the_collector_off(use):
    use(Tensor(M))  # tables and caches are filled
    with nothing_remains():
        x = Tensor(M)
        use(x)
        del x


@pytest.mark.parametrize(
    "use",
    expressions(
        "t * 2", "np.exp(t)", "t[0]", "np.sum(t)", "t @ t", "np.concatenate([t, t])", "np.linalg.slogdet(t)[1]",
        "t.T", "np.where(t > 1, t, 0)", "t.detach()",
    ),
)  # fmt: skip
def test_tensors_and_arrays_die_at_once(use):
    gc.disable()
    try:
        x = Tensor(M)
        y = use(x)
        alive = [weakref.ref(x), weakref.ref(y)]
        del x
        assert alive[0]() is None  # a result holds nodes, not the Tensors of its operands
        assert alive[1]() is y
        del y
        assert alive[1]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "use",
    named(
        {
            "grad": lambda f: ag.grad(f)(M),
            "checkpoint pulled back": lambda f: ag.checkpoint(f)(Tensor(M)).backward(),
            "checkpoint dropped": lambda f: ag.checkpoint(f)(Tensor(M)),
            "vjp": lambda f: ag.vjp(f, M)[1](1.0),
            "hessian": lambda f: ag.hessian(f)(M),
        }
    ),
)
def test_a_users_function_and_what_it_closes_over_are_let_go(use):
    class Held(np.ndarray):
        pass

    def make():
        held = np.ones(1).view(Held)
        return (lambda x: np.sum(np.sin(x)) + 0 * held.shape[0]), weakref.ref(held)

    use(make()[0])
    gc.disable()
    try:
        f, alive = make()
        use(f)
        del f
        assert alive() is None
    finally:
        gc.enable()


# --- freeing on the way back ------------------------------------------------------------------------------------------


def kept_bytes(make):
    """Return the bytes that remain allocated of what `make` makes, and what it returns."""
    gc.collect()
    tracemalloc.start()
    try:
        found = make()
        gc.collect()
        return tracemalloc.get_traced_memory()[0], found
    finally:
        tracemalloc.stop()


BIG = np.linspace(0.5, 1.5, N)
KEPT = {  # large arrays alive after an operation on a leaf whose result is dropped but for its sum, without the leaf
    "np.exp(t)": 1,
    "np.tanh(t)": 1,
    "np.sqrt(t)": 1,
    "ag.relu(t)": 1,
    "t + 1": 0,
    "t + t": 0,
    "t - BIG": 0,
    "t * 2": 0,
    "-t": 0,
    "t * BIG": 0,
    "np.sin(t)": 0,
    "np.square(t)": 0,
    "t.reshape(-1, 10).T": 0,
    "t[::-1]": 0,
    "np.concatenate([t, t])": 0,
    "np.mean(t) + t": 0,
    "np.maximum(t, 0)": 1,
    "np.exp(t + 1)": 1,
    "(t + 1) * 2 - 3": 0,
    "np.exp(t) * 3": 1,
    "np.exp(np.exp(t))": 2,
    "np.exp(t) * np.exp(t)": 2,
    "np.cumsum(t)": 0,
    "t.astype('f4')": 0,
    "np.clip(t, 0.2, 2.0)": 0,
    "(t * 1) ** 2": 1,
    "np.where(BIG > 1, t, 0.0)": 0.125,
}


@pytest.mark.parametrize(
    ("use", "arrays"),
    [pytest.param(row.values[0], n, id=row.id) for row, n in zip(expressions(*KEPT), KEPT.values(), strict=True)],
)
def test_bytes_kept(use, arrays):
    x = Tensor(BIG)
    np.sum(use(x))
    kept, _ = kept_bytes(lambda: np.sum(use(x)))
    assert arrays * 8 * N <= kept < (arrays + 0.15) * 8 * N


@pytest.mark.parametrize(
    "use",
    expressions(
        "np.exp(t)", "np.exp(t) * np.exp(t)", "np.where(np.exp(t) > 1, np.exp(t), 0)", "np.cumprod(t)", "np.linalg.norm(np.exp(t))",
        "t[np.arange(N)]", "ag.checkpoint(np.exp)(t * 2)",
    ),
)  # fmt: skip
def test_backward_frees_what_was_kept(use):
    x = Tensor(BIG)
    x.grad = np.zeros(N)

    def make(retain):
        y = np.sum(use(x))
        y.backward(retain_graph=retain)
        return y

    make(False)
    gradient = 8 * N  # a new one each time
    assert kept_bytes(lambda: make(True))[0] > gradient + 0.9 * 8 * N
    assert kept_bytes(lambda: make(False))[0] < gradient + 0.1 * 8 * N


def test_the_sweep_frees_as_it_goes():
    x = Tensor(BIG)
    y = x
    for _ in range(20):
        y = np.exp(-y)
    loss = np.sum(y)
    del y
    tracemalloc.start()
    try:
        loss.backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * 8 * N


def test_transforms_keep_nothing():
    f = lambda x: np.sum(np.exp(np.sin(x)))
    ag.grad(f)(BIG)
    kept, g = kept_bytes(lambda: ag.grad(f)(BIG))
    assert kept < 1.1 * 8 * N
    assert g.shape == (N,)


def test_checkpoint_keeps_less():
    f = lambda x: np.exp(np.exp(np.sin(np.exp(np.sin(x)))))
    x = Tensor(BIG)
    run = lambda g: np.sum(g(x))
    for g in (f, ag.checkpoint(f)):
        run(g)
    plain, _ = kept_bytes(lambda: run(f))
    less, y = kept_bytes(lambda: run(ag.checkpoint(f)))
    assert plain > 2.9 * 8 * N
    assert less < 0.1 * 8 * N
    y.backward()
    np.sum(f(z := Tensor(BIG))).backward()
    np.testing.assert_allclose(x.grad, z.grad, 1e-15)


# --- a graph and its walks --------------------------------------------------------------------------------------------


def test_retain_graph():
    x = Tensor(V)
    y = np.sum(x**3)
    for k in range(1, 4):
        y.backward(retain_graph=True)
        same(x.grad, k * 3 * V**2)
    y.backward()
    same(x.grad, 4 * 3 * V**2)


@pytest.mark.parametrize(
    "use",
    expressions(
        "np.sum(t * t)", "np.sum(np.exp(t))", "np.sum(t) + 1", "t[0] * t[1]", "np.linalg.norm(t)",
        "np.concatenate([t, t])[0]", "np.sum(np.where(t > 1, t, 0))", "np.max(t)", "ag.checkpoint(np.sum)(t)",
        "t @ t",
    ),
)  # fmt: skip
def test_a_second_backward_says_what_to_write(use):
    x = Tensor(V)
    y = use(x)
    y.backward()
    before = x.grad.copy()
    for _ in range(2):
        with pytest.raises(
            ag.GraphError,
            match=r"walked by backward\(\).*freed.*backward\(retain_graph=True\).*compute the result again",
        ):
            y.backward()
    same(x.grad, before)
    use(x).backward()
    same(x.grad, 2 * before)


def test_a_leaf_may_be_pulled_back_again_and_again():
    x = Tensor(2.0)
    x.backward()
    x.backward(3.0)
    same(x.grad, np.float64(4.0))


@pytest.mark.parametrize("retain", [False, True])
def test_two_losses_over_one_subgraph(retain):
    x = Tensor(V)
    shared = np.exp(x)
    first, second = np.sum(shared), np.sum(shared * 2)
    first.backward(retain_graph=retain)
    if retain:
        second.backward()
        same(x.grad, np.exp(V) + 2 * np.exp(V))
    else:
        with pytest.raises(ag.GraphError, match=r"freed what exp had kept.*retain_graph=True"):
            second.backward()
        same(x.grad, np.exp(V))
    (x.__setattr__("grad", None), (np.sum(np.exp(x)) + np.sum(np.exp(x) * 2)).backward())
    same(x.grad, np.exp(V) + 2 * np.exp(V))


@pytest.mark.parametrize("use", expressions("t * 2", "t + 1", "np.exp(t)", "t[0]", "np.sum(t)"))
def test_using_a_freed_result_again(use):
    x = Tensor(V)
    y = np.sin(x)
    np.sum(y).backward()
    before = x.grad.copy()
    z = use(y)  # values are still there
    same(z, use(np.sin(V)))
    with pytest.raises(ag.GraphError, match="freed what sin had kept"):
        np.sum(z).backward()
    same(x.grad, before)


def test_accumulation():
    x, y = Tensor(V), Tensor(2.0)
    for k in range(1, 4):
        np.sum(x * y).backward()
        same(x.grad, k * 2.0 * np.ones(3))
        same(y.grad, k * np.sum(V))
    x.grad = None
    np.sum(x * y).backward()
    same(x.grad, 2.0 * np.ones(3))


@pytest.mark.parametrize(
    "gradient", [None, 2.0, np.array(2.0), np.float32(2), Tensor(2.0, requires_grad=False), 2], ids=repr
)
def test_backward_with_a_gradient(gradient):
    x = Tensor(V)
    np.sum(x * x).backward(gradient)
    same(x.grad, (1.0 if gradient is None else 2.0) * 2 * V)


def test_backward_of_arrays():
    for g in (V, V.tolist(), V.astype("f4"), Tensor(V)):
        x = Tensor(V)
        (x * x).backward(g)
        same(x.grad, 2 * V * np.asarray(g.data if isinstance(g, Tensor) else g, float))
    x = Tensor(V[:1])
    (x * x).backward()  # one entry is a scalar, whatever its axes
    same(x.grad, 2 * V[:1])


@pytest.mark.parametrize(
    ("make", "gradient", "error", "says"),
    named(
        {
            "no scalar": (lambda x: x * 2, None, ValueError, r"shape \(3,\) needs gradient=.*np\.sum"),
            "wrong shape": (lambda x: x * 2, np.ones(2), ValueError, r"shape \(3,\).*shape \(2,\)"),
            "shape of a scalar": (lambda x: np.sum(x), np.ones(1), ValueError, r"shape \(\).*shape \(1,\)"),
            "complex": (lambda x: x * 2, 1j * V, TypeError, "float64.*complex128"),
            "text": (lambda x: x * 2, np.array(["a", "b", "c"]), TypeError, "float64.*<U1"),
            "an object": (lambda x: x * 2, {}, TypeError, "dict"),
            "untracked": (lambda x: x.detach() * 2, V, ag.GraphError, r"no tracked Tensor.*no_grad\(\).*\.data"),
            "integers": (lambda _: Tensor([1, 2, 3]), V, ag.GraphError, "is not differentiated"),
            "an unknown keyword": (
                lambda x: type("Y", (), {"backward": lambda _, g: np.sum(x).backward(g, create_graph=True)})(),
                None,
                TypeError,
                "create_graph",
            ),
            "an empty array": (lambda x: x[:0], None, ValueError, "needs gradient="),
        }
    ),
)
def test_backward_refused(make, gradient, error, says):
    x = Tensor(V)
    x.grad = V
    y = make(x)
    with pytest.raises(error, match=says):
        y.backward(gradient)
    same(x.grad, V)
    if getattr(y, "requires_grad", False):
        np.sum(y).backward()  # and the graph is as it was
        assert x.grad is not None


def test_backward_under_a_switch():
    for switch in (ag.no_grad, ag.debug, lambda: ag.scope("s")):
        x = Tensor(V)
        y = np.sum(np.exp(x) * x)
        with switch():
            y.backward()
        same(x.grad, ag.grad(lambda x: np.sum(np.exp(x) * x))(V))


PROGRAM = """
import hashlib, numpy as np, autograd_core as ag
x = {k: np.linspace(k, 1, 7) for k in (0.1, 0.2, 0.3)}
def f(x):
    parts = [np.sin(v * j) + w for j in range(9) for v in x.values() for w in x.values()]
    return np.sum(np.stack(parts) ** 3) + sum(p[0] * p[-1] for p in parts)
found = [*ag.grad(f)(x).values(), *(b for row in ag.hessian(f)(x).values() for b in row.values())]
leaves = [ag.Tensor(v) for v in x.values()]
f(dict(enumerate(leaves))).backward()
print(hashlib.sha256(b"".join(a.tobytes() for a in (*found, *(t.grad for t in leaves)))).hexdigest())
"""


def test_the_same_bytes_whatever_the_hash_seed():
    found = set()
    for seed in "01":
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, timeout=60, env=environment
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1


# --- leaves after errors ----------------------------------------------------------------------------------------------


BAD_RULES = {
    "raises": (RAISES, KeyError, "oops"),
    "wrong shape": (WRONG, ValueError, r"shape \(7,\).*shape \(3,\)"),
    "integers": (returning(np.ones(3, int)), TypeError, "int64.*float64"),
    "float32": (returning(np.ones(3, "f4")), TypeError, "float32.*float64"),
    "a list": (returning([1.0, 2.0, 3.0]), TypeError, "list"),
    "a string": (returning("a"), TypeError, "str"),
    "objects": (returning(np.array([None] * 3)), TypeError, "object"),
}


@pytest.mark.parametrize(("f", "error", "says"), named(BAD_RULES))
def test_leaves_are_as_they_were_after_an_error_in_a_rule(f, error, says):
    x, y = Tensor(V), Tensor(V)
    x.grad = np.full(3, 7.0)
    loss = np.sum(f(np.exp(x) + y) + y * 3)
    with pytest.raises(error, match=says) as caught:
        loss.backward()
    assert caught.value.__notes__ == ["in the pullback of f, whose result has shape (3,)"]
    same(x.grad, np.full(3, 7.0))
    assert y.grad is None
    same(x, V)
    np.sum(x * y).backward()
    same(y.grad, V)


# --- stale leaves -----------------------------------------------------------------------------------------------------

UPDATES = {
    "data -=": lambda p: setattr(p, "data", p.data.__isub__(0.1)),
    "assign": lambda p: p.assign(V + 1),
    "data =": lambda p: setattr(p, "data", V + 1),
    "under no_grad": lambda p: changed(p),
}


def changed(p):
    with ag.no_grad():
        p += 1


@pytest.mark.parametrize("update", named(UPDATES))
@pytest.mark.parametrize("use", expressions("np.sum(t * t)", "np.sum(np.exp(t))", "np.sum(t + 1)", "t @ t", "t[0]"))
def test_a_stale_leaf_is_named(update, use):
    p = Tensor(V, name="weight")
    p.grad = V
    loss = use(p)
    update(p)
    with pytest.raises(
        ag.GraphError,
        match=r"weight of shape \(3,\) was updated after \w+ had used it.*before updating.*compute the loss again",
    ):
        loss.backward()
    same(p.grad, V)
    p.grad = None
    use(p).backward()
    same(p.grad, ag.grad(use)(p.data))


def test_a_leaf_without_name_is_described():
    p = Tensor(V)
    loss = np.sum(p)
    p.assign(V)
    with pytest.raises(ag.GraphError, match=r"a Tensor of shape \(3,\) was updated"):
        loss.backward()


def test_only_what_is_used_can_be_stale():
    p, q = Tensor(V), Tensor(V)
    loss = np.sum(p * p)
    q.assign(V + 1)
    loss.backward()
    same(p.grad, 2 * V)


@pytest.mark.parametrize(
    "make",
    named(
        {
            "closed over": lambda p: ag.vjp(lambda x: np.sum(p * x), V)[1],
            "argument": lambda p: ag.vjp(lambda x: np.sum(x * x), p)[1],
        }
    ),
)
def test_a_stale_leaf_in_a_transform(make):
    p = Tensor(V, name="weight")
    pull = make(p)
    p.data -= 100
    with pytest.raises(ag.GraphError, match=r"weight.*updated"):
        pull(1.0)


# --- whose arrays gradients are ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    expressions(
        "x + y", "x - y", "x * 1 + y", "x.T + y.T", "np.sum(x + y)", "x[0] + y[0]", "np.concatenate([x, y])", "np.stack([x, y])", "np.where(V > 1, x, y)", "x + y + w", "x * y", "+x + +y", "np.broadcast_to(x, (2, 3)) + y",
        "np.reshape(x, (3, 1)) + y", "np.maximum(x, y)", "x.copy() + y", "x @ w + y", "np.split(np.concatenate([x, y]), 2)[0] + w", "x + x", "ag.checkpoint(lambda a, b: a + b)(x, y)",
        of="x, y, w",
    ),
)  # fmt: skip
@pytest.mark.parametrize("retain", [False, True])
def test_gradients_share_nothing(use, retain):
    leaves = [Tensor(V) for _ in range(3)]
    out = use(*leaves)
    seed = np.ones(out.shape)
    for _ in range(1 + retain):
        out.backward(seed, retain_graph=retain)
    grads = [t.grad for t in leaves if t.grad is not None] + [seed]
    for i, a in enumerate(grads):
        assert a.flags.writeable
        for b in [*grads[:i], *(t.data for t in leaves), out.data]:
            assert not np.shares_memory(a, b)
    wanted = [t.grad.copy() if t.grad is not None else None for t in leaves]
    for t in leaves:
        if t.grad is not None:
            t.grad *= 0
            if retain:
                t.grad = None
    if retain:
        out.backward(seed)
        for t, w in zip(leaves, wanted, strict=True):
            if w is not None:
                same(t.grad * 2, w)


# --- long chains ------------------------------------------------------------------------------------------------------


def chain(kind, n):
    x = Tensor(1.0) if kind == "scalars" else Tensor(np.ones(2))
    y = x
    for _ in range(n // 2):
        y = y * 1.0
        y = y + 1e-6
    return x, y


@pytest.mark.slow
@pytest.mark.parametrize(("collector", "n"), [(True, 1_000_000), (False, 200_000)], ids=["collected", "uncollected"])
def test_a_chain_of_a_million_operations(collector, n):
    limit = sys.getrecursionlimit()
    if not collector:
        gc.disable()
    try:
        x, y = chain("scalars", n)
        if collector:
            y.backward()
            same(x.grad, np.float64(1.0))
        alive = weakref.ref(x)
        del x, y
        assert alive() is None
    finally:
        gc.enable()
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize("kind", ["scalars", "arrays"])
@pytest.mark.parametrize(
    "walk",
    named(
        {
            "backward": lambda _, y: np.sum(y).backward(),
            "retained": lambda _, y: np.sum(y).backward(retain_graph=True),
            "dropped": lambda *_: None,
            "in no order": lambda x, y: (y * x[...] + y).backward(np.ones(x.shape)),
        }
    ),
)
def test_walks_do_not_recurse(kind, walk):
    with nothing_remains():
        x, y = chain(kind, 20 * sys.getrecursionlimit())
        walk(x, y)
        del x, y


@pytest.mark.parametrize(
    "transform",
    named(
        {
            "grad": lambda f, x: ag.grad(f)(x),
            "jvp": lambda f, x: ag.jvp(f, (x,), (x,))[1],
            "vjp": lambda f, x: ag.vjp(f, x)[1](1.0),
            "hvp": lambda f, x: ag.hvp(f)(x, x),
            "jacobian": lambda f, x: ag.jacobian(f, mode="forward")(x),
            "checkpoint": lambda f, x: ag.grad(ag.checkpoint(f))(x),
        }
    ),
)
def test_transforms_do_not_recurse(transform):
    def f(x):
        for _ in range(3 * sys.getrecursionlimit()):
            x = x * 1.0001
        return x

    transform(f, np.float64(1.0))


def test_long_loops_of_assignments_and_lists_do_not_recurse():
    n = 5 * sys.getrecursionlimit()
    t = Tensor(np.ones(n))
    y = t * 1
    for i in range(1, n):
        y[i] = y[i - 1] * 1.0
    y[-1].backward()
    assert t.grad[0] == 1.0
    parts = [t[i] for i in range(n)]
    np.sum(np.stack(parts)).backward()
    assert np.sum(t.grad) == n + 1


def events(f):
    """Return how many calls of functions a program makes, Python's and C's: its work, without a clock."""
    count = 0

    def told(_, event, __):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(told)
    try:
        f()
    finally:
        sys.setprofile(None)
    return count


def filled(n):
    y = Tensor(np.ones(n)) * 1
    for i in range(1, n):
        y[i] = y[i - 1] * 2.0
    return y[-1]


@pytest.mark.parametrize(
    "use",
    expressions(
        "chain('scalars', n)[1]", "chain('arrays', n)[1]", "filled(n)", "sum(Tensor(np.ones(n)))", "np.sum(np.outer(np.ones(n), Tensor(np.ones(n))))", "sum(x * x for x in [Tensor(2.0)] * n)",
        "sum(np.split(Tensor(np.ones(n)), n))", "np.concatenate([Tensor(np.ones(1))] * n)", "np.stack([Tensor(1.0) for _ in range(n)])", "np.stack(list(Tensor(np.ones(n))))",
        of="n",
    ),
)  # fmt: skip
def test_work_grows_no_faster_than_the_graph(use):
    walk = lambda n: lambda: np.sum(use(n)).backward()
    walk(100)()
    assert events(walk(400)) < 2.5 * events(walk(200))


def test_many_checkpoints_do_not_recurse():
    @ag.checkpoint
    def step(x):
        return np.sin(x)

    def f(x):
        for _ in range(3 * sys.getrecursionlimit()):
            x = step(x)
        return x

    ag.grad(f)(0.5)


def test_a_leaf_outlives_the_graphs_made_from_it():
    x = Tensor(V)
    before = len([n for n in gc.get_objects() if issubclass(type(n), Node)])
    for _ in range(100):
        np.sum(np.exp(x)).backward()
    assert len([n for n in gc.get_objects() if issubclass(type(n), Node)]) <= before + 1
    assert isinstance(x._node, Leaf)
    assert np.exp in RULES
