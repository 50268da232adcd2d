"""Functions of functions: what they return, in which containers, how they nest, and what they refuse."""

import collections
import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest
from numeric import along, close, gradient
from tables import expressions, named, same

import autograd_core as ag
from autograd_core import Tensor
from autograd_core.tree import flatten, map_tree

RNG = np.random.default_rng(0)
X, Y = RNG.uniform(0.4, 1.6, 3), RNG.uniform(0.4, 1.6, (2, 3))
V = RNG.normal(size=3)
Pair = collections.namedtuple("Pair", "a b")


@dataclasses.dataclass
class Params:
    w: np.ndarray
    b: float
    rest: tuple = (None,)


def f(x):
    return np.sum(np.sin(x) * x[::-1] ** 2)


def g(x):
    return np.tanh(Y @ x) * x[:2]


TREES = {
    "array": (X, lambda t: t),
    "scalar": (np.float64(0.7), lambda t: t * X),
    "list": ([X, 0.5], lambda t: t[0] * t[1]),
    "tuple": ((X, Y), lambda t: t[0] * t[1][0]),
    "dict": ({"w": Y, "b": X}, lambda t: np.sum(t["w"], 0) * t["b"]),
    "nested": (
        {"layers": [(Y, X), (2 * Y, None)], "scale": 1.5},
        lambda t: t["layers"][0][0][1] * t["layers"][1][0][0] * t["scale"] + t["layers"][0][1],
    ),
    "namedtuple": (Pair(X, Y), lambda t: t.a * t.b[1]),
    "dataclass": (Params(X, 0.3), lambda t: t.w**2 * t.b),
    "float32": ([X.astype("f4"), np.float32(2)], lambda t: t[0] * t[1]),
    "empty": ({"x": X, "none": None, "nothing": []}, lambda t: t["x"] * 2),
}


def structure_of(tree):
    leaves, rebuild = flatten(tree)
    return rebuild([(np.shape(v), np.asarray(v).dtype.str) for v in leaves])


# --- in any container -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tree", "use"), named(TREES))
def test_gradients_have_the_structure_of_the_argument(tree, use):
    loss = lambda t: np.sum(np.sin(use(t)))
    found = ag.grad(loss)(tree)
    assert structure_of(found) == structure_of(tree)
    leaves, rebuild = flatten(tree)
    arrays = tuple(np.asarray(v, np.float64) for v in leaves)
    close(
        flatten(found)[0],
        gradient(lambda x: loss(rebuild(x)), arrays),
        1e-5 if "f4" in str(structure_of(tree)) else 1e-6,
    )
    value, again = ag.value_and_grad(loss)(tree)
    same(value, loss(tree))
    same(flatten(again)[0], flatten(found)[0])


@pytest.mark.parametrize(("tree", "use"), named(TREES))
def test_vjp_jvp_and_jacobian_in_containers(tree, use):
    h = lambda t: {"y": np.sin(use(t)), "z": (np.sum(use(t)), None)}
    leaves, rebuild = flatten(tree)
    direction = rebuild([np.cos(np.asarray(v)).astype(np.asarray(v).dtype) for v in leaves])
    value, pull = ag.vjp(h, tree)
    same(flatten(value)[0], flatten(h(tree))[0])
    pulled = pull(value)
    assert structure_of(pulled) == structure_of(tree)
    again, pushed = ag.jvp(h, (tree,), (direction,))
    same(flatten(again)[0], flatten(value)[0])
    assert structure_of(pushed) == structure_of(value)
    dot = lambda a, b: sum(
        np.sum(np.asarray(u, float) * np.asarray(v, float)) for u, v in zip(flatten(a)[0], flatten(b)[0], strict=True)
    )
    np.testing.assert_allclose(
        dot(pushed, value), dot(pulled, direction), 1e-5 if "f4" in str(structure_of(tree)) else 1e-12
    )
    reverse, forward = (ag.jacobian(h, mode=mode)(tree) for mode in ("reverse", "forward"))
    for blocks in (reverse, forward):
        assert structure_of(blocks["z"][0]) == structure_of(tree)
        assert [b.shape for b in flatten(blocks["y"])[0]] == [np.shape(value["y"]) + np.shape(v) for v in leaves]
    close(flatten(forward)[0], flatten(reverse)[0], 1e-5 if "f4" in str(structure_of(tree)) else 1e-13)


@pytest.mark.parametrize("argnums", [0, 1, -1, (0,), (1, 0), (0, 1), (0, -1)], ids=str)
@pytest.mark.parametrize(
    "transform",
    [ag.grad, ag.jacobian, ag.hessian, ag.elementwise_grad, lambda f, n: lambda *a: ag.value_and_grad(f, n)(*a)[1]],
    ids="grad jacobian hessian elementwise_grad value_and_grad".split(),
)
def test_argnums(argnums, transform):
    h = lambda a, b: np.sum(a["x"] ** 2 * b) + np.sum(b**3)
    found = transform(h, argnums)({"x": X}, 2 * X)
    wanted = [transform(lambda a: h(a, 2 * X), 0)({"x": X}), transform(lambda b: h({"x": X}, b), 0)(2 * X)]
    if isinstance(argnums, int):
        assert type(found) is type(wanted[argnums])
        same(flatten(found)[0], flatten(wanted[argnums])[0])
    else:
        assert len(found) == len(argnums)
        if transform is not ag.hessian:  # whose blocks have two arguments
            for ours, n in zip(found, argnums, strict=True):
                same(flatten(ours)[0], flatten(wanted[n])[0])


def test_blocks_of_a_hessian():
    h = lambda p: np.sum(p["a"] ** 2 * p["b"]) + p["b"][0] ** 3
    a, b = X, 2 * X
    blocks = ag.hessian(h)({"a": a, "b": b})
    same(blocks["a"]["a"], np.diag(2 * b))
    same(blocks["a"]["b"], np.diag(2 * a))
    same(blocks["b"]["a"], np.diag(2 * a))
    same(blocks["b"]["b"], np.diag([6 * b[0], 0.0, 0.0]))
    (aa, ab), (ba, bb) = ag.hessian(lambda a, b: h({"a": a, "b": b}), (0, 1))(a, b)
    same([aa, ab, ba, bb], [blocks[i][j] for i in "ab" for j in "ab"])


def test_keyword_arguments_pass_through():
    h = lambda x, *, power=2, shift: np.sum((x + shift) ** power)
    kwargs = {"power": 3, "shift": X}
    wanted = 3 * (X + X) ** 2
    close((ag.grad(h)(X, **kwargs),), (wanted,), 1e-15)
    close((ag.value_and_grad(h)(X, **kwargs)[1],), (wanted,), 1e-15)
    close((ag.vjp(h, X, **kwargs)[1](1.0),), (wanted,), 1e-15)
    close((ag.jvp(h, (X,), (V,), **kwargs)[1],), (wanted @ V,), 1e-14)
    close((ag.jacobian(h)(X, **kwargs),), (wanted,), 1e-15)
    close((ag.hessian(h)(X, **kwargs),), (np.diag(12 * X),), 1e-15)
    close((ag.elementwise_grad(lambda x, *, k: k * x**2)(X, k=3.0),), (6 * X,), 1e-15)
    close((ag.checkpoint(h)(Tensor(X), **kwargs).data,), (h(X, **kwargs),), 1e-15)
    close((ag.grad(lambda x: np.sum(ag.checkpoint(h)(x, **kwargs)))(X),), (wanted,), 1e-15)


@pytest.mark.parametrize(
    "transform", [ag.grad, ag.value_and_grad, ag.jacobian, ag.hessian, ag.elementwise_grad, ag.checkpoint]
)
def test_the_function_keeps_its_name(transform):
    def loss(x):
        """Return something."""
        return x

    assert (transform(loss).__name__, transform(loss).__doc__) == ("loss", "Return something.")
    transform(np.sin)
    transform(functools.partial(loss, 1))


def test_has_aux():
    h = lambda x: (np.sum(x**2), {"half": x / 2, "name": "aux", "count": 3, "none": None})
    (value, aux), slope = ag.value_and_grad(h, has_aux=True)(X)
    same([value, slope, aux["half"]], [np.sum(X**2), 2 * X, X / 2])
    assert (aux["name"], aux["count"], aux["none"]) == ("aux", 3, None)
    assert type(aux["half"]) is np.ndarray
    # an outer transform differentiates the auxiliary value, too
    outer = ag.grad(
        lambda x: (lambda both: both[0][1]["half"] @ V + both[1] @ V)(ag.value_and_grad(h, has_aux=True)(x))
    )
    close((outer(X),), (V / 2 + 2 * V,), 1e-15)
    with pytest.raises((TypeError, ValueError)):
        ag.value_and_grad(np.sum, has_aux=True)(X)


# --- results ----------------------------------------------------------------------------------------------------------

RESULTS = {
    "grad": lambda x: ag.grad(f)(x),
    "value_and_grad": lambda x: ag.value_and_grad(f)(x),
    "vjp": lambda x: ag.vjp(g, x)[0],
    "pull": lambda x: ag.vjp(g, x)[1](np.ones(2)),
    "pull of two": lambda x: ag.vjp(lambda a, b: a + b, x, x)[1](np.ones(3)),
    "pull of the same": lambda x: ag.vjp(lambda a: a, x)[1](np.ones(3)),
    "pull of two results": lambda x: ag.vjp(lambda a: (a + 1, a.T), x)[1]((np.ones(3), np.ones(3))),
    "jvp": lambda x: ag.jvp(g, (x,), (V,)),
    "jacobian": lambda x: ag.jacobian(g)(x),
    "jacobian forward": lambda x: ag.jacobian(g, mode="forward")(x),
    "jacobian of the same": lambda x: ag.jacobian(lambda a: (a, a))(x),
    "hessian": lambda x: ag.hessian(f)(x),
    "hvp": lambda x: ag.hvp(f)(x, V),
    "elementwise_grad": lambda x: ag.elementwise_grad(np.sin)(x),
    "elementwise_grad of a sum": lambda x: ag.elementwise_grad(lambda a, b: a + b, (0, 1))(x, x),
    "grad of a sum": lambda x: ag.grad(lambda a, b: np.sum(a + b), (0, 1))(x, x),
    "grad of a mean": lambda x: ag.grad(np.mean)(x),
    "grad of a constant": lambda x: ag.grad(lambda _: 3.0)(x),
    "grad of what is not used": lambda x: ag.grad(lambda a, _: np.sum(a), (0, 1))(x, x),
    "grad in a container": lambda x: ag.grad(lambda t: np.sum(t["a"] + t["b"][0]))({"a": x, "b": [x]}),
}
SHARED_VALUES = {
    "vjp of the same": lambda x: ag.vjp(lambda a: (a, a.T), x)[0],
    "jvp of the same": lambda x: ag.jvp(lambda a: (a, a + 0, a, a.T, a[::-1]), (x,), (V,)),
}


@pytest.mark.parametrize("use", named(RESULTS))
def test_results_are_plain(use):
    for leaf in flatten(use(X))[0]:
        assert type(leaf) in (np.ndarray, np.float64)
        assert isinstance(leaf, np.ndarray) == (np.ndim(leaf) > 0)
    with ag.no_grad():
        for leaf in flatten(use(X))[0]:
            assert not isinstance(leaf, Tensor)


@pytest.mark.parametrize("use", named(RESULTS | SHARED_VALUES))
def test_results_are_the_callers(use):
    x = X.copy()
    found = [a for a in flatten(use(x))[0] if isinstance(a, np.ndarray)]
    wanted = [a.copy() for a in found]
    for i, a in enumerate(found):
        assert a.flags.writeable
        assert not any(np.shares_memory(a, b) for b in (x, V, *found[:i]))
        a[...] = 7
    same(x, X)
    again = [a for a in flatten(use(x))[0] if isinstance(a, np.ndarray)]
    same(again, wanted)


def test_a_pull_may_be_used_again():
    value, pull = ag.vjp(g, X)
    jacobian = ag.jacobian(g)(X)
    for w in (np.array([1.0, 0.0]), np.array([0.0, 2.0]), value):
        first, second = pull(w), pull(w)
        close((first,), (w @ jacobian,), 1e-14)
        same(second, first)
        first[...] = 0
        same(pull(w), second)


@pytest.mark.parametrize(
    "change",
    named(
        {
            "the argument": lambda x, *_: x.__imul__(0),
            "the value": lambda _x, _w, value: value.__imul__(0),
            "the cotangent": lambda _x, w, _: w.__imul__(0),
        }
    ),
)
def test_a_pull_does_not_depend_on_later_changes(change):
    x, w = X.copy(), np.ones(3)
    value, pull = ag.vjp(lambda x: np.exp(x * x), x)
    wanted = pull(w)
    same(wanted, np.exp(X * X) * (X + X))
    change(x, w, value)
    same(pull(np.ones(3)), wanted)


def test_the_callers_arrays_are_not_written_into():
    x, y = X.copy(), Y.copy()
    for use in RESULTS.values():
        use(x)
    ag.grad(lambda a, b: np.sum(a @ b.T), (0, 1))(y, y)
    same([x, y], [X, Y])


# --- orders and nesting -----------------------------------------------------------------------------------------------

DERIVATIVES = {
    "sin": (np.sin, [np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin, np.cos]),
    "exp": (np.exp, [np.exp] * 6),
    "log": (np.log, [np.log, *(lambda x, n=n: (-1.0) ** (n - 1) * math.factorial(n - 1) / x**n for n in range(1, 6))]),
    "x**5": (lambda x: x**5, [lambda x, n=n: math.perm(5, n) * x ** (5 - n) for n in range(6)]),
    "tanh'": (
        lambda x: np.exp(2 * x) * x,
        [lambda x, n=n: np.exp(2 * x) * (2.0**n * x + n * 2.0 ** (n - 1)) for n in range(6)],
    ),
}
STEPS = {
    "reverse": lambda h: ag.grad(h),
    "forward": lambda h: lambda x: ag.jvp(h, (x,), (1.0,))[1],
    "vjp": lambda h: lambda x: ag.vjp(h, x)[1](1.0),
    "jacobian": lambda h: ag.jacobian(h, mode="forward"),
    "elementwise": lambda h: ag.elementwise_grad(h),
    "checkpoint": lambda h: ag.grad(ag.checkpoint(h)),
}


@pytest.mark.parametrize("name", DERIVATIVES)
@pytest.mark.parametrize("step", named(STEPS))
def test_order_five(name, step):
    h, derivatives = DERIVATIVES[name]
    for order in range(6):
        np.testing.assert_allclose(h(0.7), derivatives[order](0.7), 1e-11)
        assert not isinstance(h(0.7), Tensor)
        h = step(h)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(steps, id="-".join(steps))
        for steps in itertools.product(list(STEPS), repeat=3)
        if len(set(steps)) > 1
    ],
)
def test_orders_mix(steps):
    h, derivatives = np.sin, DERIVATIVES["sin"][1]
    for step in steps:
        h = STEPS[step](h)
    np.testing.assert_allclose(h(0.7), derivatives[3](0.7), 1e-12)


D = {"grad": ag.grad, "jvp": STEPS["forward"], "vjp": STEPS["vjp"]}


@pytest.mark.parametrize("outer", D.values(), ids=D)
@pytest.mark.parametrize("inner", D.values(), ids=D)
def test_perturbations_are_not_confused(outer, inner):
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(2.0) == 1.0
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0) == 6.0
    assert outer(lambda x: inner(lambda y: x * y * y)(x))(3.0) == 12.0
    assert outer(lambda x: inner(lambda _: x)(x) + x)(3.0) == 1.0
    assert outer(lambda x: x * inner(lambda x: x * x)(x) * inner(lambda _: x)(1.0))(3.0) == 0.0
    # a function that escapes from the inner derivative (Siskind and Pearlmutter, Manzyuk et al.)
    shift = lambda u: lambda h: lambda z: h(z + u)
    hat = inner(lambda u: shift(u)(lambda z: z**3)(2.0))(0.0)
    assert hat == 12.0
    assert outer(lambda u: inner(shift(u)(lambda z: z**3))(2.0))(0.0) == 12.0
    assert outer(lambda x: inner(lambda y: inner(lambda z: x * y * z)(1.0))(1.0))(5.0) == 1.0


def test_many_levels_at_once():
    h = lambda x, y, z: x**2 * y**3 * np.sin(z)
    nest = lambda x: ag.grad(lambda y: ag.grad(lambda z: ag.grad(lambda a: h(a, y, z))(x))(0.3))(2.0)
    np.testing.assert_allclose(ag.grad(nest)(1.5), 2 * 3 * 2.0**2 * np.cos(0.3), 1e-13)


@pytest.mark.parametrize(
    "outer",
    named(
        {
            "reverse": lambda h: ag.jacobian(h, mode="reverse"),
            "forward": lambda h: ag.jacobian(h, mode="forward"),
            "rows": lambda h: lambda x: np.stack([ag.grad(lambda x, i=i: h(x)[i])(x) for i in range(3)]),
        }
    ),
)
@pytest.mark.parametrize(
    "inner",
    named(
        {
            "grad": ag.grad(f),
            "pull": lambda x: ag.vjp(f, x)[1](1.0),
            "push": lambda x: np.stack([ag.jvp(f, (x,), (e,))[1] for e in np.eye(3)]),
            "jacobian": ag.jacobian(f, mode="forward"),
            "hvp": None,
        }
    ),
)
def test_hessians_agree(outer, inner):
    numeric = gradient_of_gradient(f, X)
    if inner is None:
        np.testing.assert_allclose(np.stack([ag.hvp(f)(X, e) for e in np.eye(3)]), numeric, 1e-7, 1e-8)
        inner = lambda x: ag.hvp(lambda x: f(x) * 1)(x, np.array([0.5, -1.0, 2.0]))
        wanted = ag.jacobian(lambda x: ag.jvp(ag.grad(f), (x,), (np.array([0.5, -1.0, 2.0]),))[1])(X)
        np.testing.assert_allclose(outer(inner)(X), wanted, 1e-12)
        return
    np.testing.assert_allclose(outer(inner)(X), numeric, 1e-7, 1e-8)
    np.testing.assert_allclose(ag.hessian(f)(X), numeric, 1e-7, 1e-8)


def gradient_of_gradient(f, x):
    return np.stack([along(lambda x: (ag.grad(f)(x[0]),), (x,), (e,))[0] for e in np.eye(len(x))])


def test_jacobians_of_every_shape():
    for m, n in itertools.product((0, 1, 2, 5), repeat=2):
        a = np.linspace(0.5, 1.5, m * n).reshape(m, n)
        for mode in (None, "reverse", "forward"):
            same(ag.jacobian(lambda x, a=a: a @ x, mode=mode)(np.ones(n)) + 0, a + 0)
    same(ag.jacobian(np.sin)(0.0), np.float64(1.0))
    assert ag.jacobian(lambda x: np.outer(x, x))(X).shape == (3, 3, 3)
    assert ag.jacobian(np.sum)(Y).shape == (2, 3)
    with pytest.raises(ValueError, match=r"mode is 'reverse', 'forward' or None, not 'sideways'"):
        ag.jacobian(np.sum, mode="sideways")


def test_large_jacobians_go_in_batches(monkeypatch):
    monkeypatch.setattr("autograd_core.transforms.ROWS", 7)
    for mode in ("reverse", "forward"):
        same(ag.jacobian(lambda x: np.sin(x)[::-1] * 2, mode=mode)(X), np.diag(2 * np.cos(X))[::-1])


@pytest.mark.parametrize("transform", [ag.grad, ag.jacobian, ag.elementwise_grad, ag.hessian])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_dtypes(transform, dtype):
    x = X.astype(dtype)
    found = transform(lambda x: np.sum(x**2 * 1.5))(x)
    assert found.dtype == dtype
    assert all(d.dtype == dtype for d in ag.jvp(np.square, (x,), (x,)))
    assert ag.jvp(np.square, (x,), (np.arange(3),))[1].dtype == dtype


def test_complex():
    z = X + 1j * V
    same(ag.grad(lambda z: np.sum(np.real(z * z)))(z), 2 * z)
    close((ag.grad(lambda z: np.sum(np.abs(z) ** 2))(z),), (2 * z.conj(),), 1e-15)
    close((ag.vjp(np.exp, z)[1](np.ones(3)),), (np.exp(z),), 1e-15)
    close((ag.jacobian(lambda z: z**2)(z),), (np.diag(2 * z),), 1e-15)
    close((ag.jacobian(lambda z: z**2, mode="forward")(z),), (np.diag(2 * z),), 1e-15)


# --- with Tensors that are already on a tape --------------------------------------------------------------------------


def test_a_transform_of_a_tensor_is_recorded():
    for use in (
        ag.grad(f),
        lambda x: ag.vjp(f, x)[1](1.0),
        lambda x: ag.value_and_grad(f)(x)[1],
        ag.elementwise_grad(lambda x: f(x)),
    ):
        x = Tensor(X)
        slope = use(x)
        assert isinstance(slope, Tensor)
        same(slope, ag.grad(f)(X))
        assert x.grad is None
        np.sum(slope * V).backward()
        close((x.grad,), (ag.hvp(f)(X, V),), 1e-13)


def test_backward_of_every_transform():
    x, hessian = Tensor(X), ag.hessian(f)(X)
    for use in (
        lambda x: ag.jvp(f, (x,), (V,))[1],
        lambda x: ag.jacobian(f, mode="forward")(x) @ V,
        lambda x: ag.jacobian(f, mode="reverse")(x) @ V,
        lambda x: ag.value_and_grad(f)(x * 1)[1] @ V,
    ):
        x.grad = None
        use(x).backward()
        close((x.grad,), (hessian @ V,), 1e-12)
    x.grad = None
    ag.vjp(f, x)[0].backward()
    close((x.grad,), (ag.grad(f)(X),), 1e-14)


def test_a_tangent_or_cotangent_may_be_a_tensor():
    v = Tensor(V)
    _, tangent = ag.jvp(f, (X,), (v,))
    tangent.backward()
    close((v.grad,), (ag.grad(f)(X),), 1e-14)
    w = Tensor(np.array([1.0, 2.0]))
    np.sum(ag.vjp(g, X)[1](w) * V).backward()
    close((w.grad,), (ag.jacobian(g)(X) @ V,), 1e-14)
    assert ag.vjp(g, X)[1](w.detach()).shape == (3,)


def test_backward_inside_a_transform():
    # a training step inside a function that is differentiated: leaves are leaves there, too
    def step(x):
        p = Tensor(X)
        loss = np.sum(np.sin(p) * ag.stop_gradient(x))
        loss.backward()
        return np.sum(x * p.grad)

    close((ag.grad(step)(X),), (np.cos(X) * X,), 1e-14)
    p = Tensor(X)
    ag.grad(lambda x: np.sum(p * x))(X)
    assert p.grad is None


def test_untracked_tensors_are_plain_arguments():
    x = Tensor(X, requires_grad=False)
    for use in RESULTS.values():
        for ours, theirs in zip(flatten(use(x))[0], flatten(use(X))[0], strict=True):
            assert not isinstance(ours, Tensor)
            same(ours, theirs)


CLOSED_OVER = {
    "grad": lambda w, v: ag.grad(lambda x: np.sum(np.sin(w * x)))(v),
    "value": lambda w, v: ag.value_and_grad(lambda x: np.sum(x**2) + np.sum(w**2))(v)[0],
    "an argument": lambda w, v: ag.grad(lambda x, w: np.sum(np.sin(w * x)))(v, w),
    "grad of grad": lambda w, v: ag.grad(lambda x: np.sum(ag.grad(lambda x: np.sum(np.sin(w * x)))(x) ** 2))(v),
    "jvp": lambda w, v: ag.jvp(lambda x: np.sin(w * x), (v,), (np.ones(3),))[1],
    "vjp": lambda w, v: ag.vjp(lambda x: np.sin(w * x), v)[1](np.ones(3)),
    "jacobian": lambda w, v: ag.jacobian(lambda x: np.cumsum(np.sin(w * x)))(v),
    "jacobian forward": lambda w, v: ag.jacobian(lambda x: np.cumsum(np.sin(w * x)), mode="forward")(v),
    "hessian": lambda w, v: ag.hessian(lambda x: np.sum(np.sin(w * x)) * x[0])(v),
    "hvp": lambda w, v: ag.hvp(lambda x: np.sum(np.sin(w * x)) * x[0])(v, np.ones(3)),
    "elementwise_grad": lambda w, v: ag.elementwise_grad(lambda x: np.sin(w * x))(v),
    "checkpoint": lambda w, v: ag.grad(ag.checkpoint(lambda x: np.sum(np.sin(w * x))))(v),
    "a result of it": lambda w, v: (lambda u: ag.grad(lambda x: np.sum(np.sin(u * x)))(v))(w * 2),
}


@pytest.mark.parametrize("use", named(CLOSED_OVER))
def test_a_tensor_in_means_tensors_out(use):
    w = Tensor(X)
    penalty = lambda w: np.sum(use(w, Tensor(V)) ** 2)
    (np.sum(w * 2) + penalty(w)).backward()
    close((w.grad - 2,), (ag.grad(penalty)(X),), 1e-13)


@pytest.mark.parametrize("use", named(CLOSED_OVER))
def test_plain_in_means_plain_out(use):
    with ag.no_grad():
        leaves = flatten(use(Tensor(X), Tensor(V)))[0]
    for leaf in (*leaves, *flatten(use(Tensor(X), V))[0], *flatten(use(Tensor(X), Tensor(V).detach()))[0]):
        assert type(leaf) in (np.ndarray, np.float64)


def test_a_result_changed_in_place_is_not_pulled_through():
    w = Tensor(X)
    y, pull = ag.vjp(lambda x: x * w, Tensor(V))
    y *= 100
    same(pull(np.ones(3)).data, X)


@pytest.mark.parametrize("switch", [ag.no_grad, ag.debug, lambda: ag.scope("s")], ids=["no_grad", "debug", "scope"])
def test_transforms_inside_a_switch(switch):
    plain = {name: use(X) for name, use in RESULTS.items()}
    with switch():
        for name, use in RESULTS.items():
            same(flatten(use(X))[0], flatten(plain[name])[0])


def test_no_grad_inside_a_transform_stops():
    def h(x):
        with ag.no_grad():
            y = x * x
        return np.sum(x * y)

    same(ag.grad(h)(X), X * X)
    same(ag.jvp(h, (X,), (V,))[1], np.sum(X * X * V))


# --- stop_gradient ----------------------------------------------------------------------------------------------------


def test_stop_gradient():
    same(ag.grad(lambda x: np.sum(x * ag.stop_gradient(x)))(X), X)
    same(ag.grad(lambda x: np.sum(ag.stop_gradient(x) ** 2))(X), np.zeros(3))
    same(ag.jvp(lambda x: x * ag.stop_gradient(x), (X,), (V,))[1], V * X)
    same(ag.grad(lambda x: ag.grad(lambda y: np.sum(y**2 * ag.stop_gradient(x)))(x) @ V)(X), 2 * X * V)
    assert ag.stop_gradient(X) is X
    assert ag.stop_gradient(3) == 3
    t = Tensor(X)
    assert not ag.stop_gradient(t).requires_grad
    assert ag.stop_gradient(t) is not t


def test_stop_gradient_of_a_container():
    same(ag.grad(lambda x: np.sum(ag.stop_gradient({"a": [x]})["a"][0] * x))(X), X)


# --- checkpoint -------------------------------------------------------------------------------------------------------


def body(x, y):
    z = np.sin(x) * y
    return np.exp(-z * z), {"sum": np.sum(z)}


@pytest.mark.parametrize(
    "use",
    named(
        {
            "reverse": lambda h: ag.grad(lambda x, y: h(x, y)[0] @ V + h(x, y)[1]["sum"], (0, 1))(X, Y[0]),
            "one result": lambda h: ag.grad(lambda x, y: h(x, y)[1]["sum"], (0, 1))(X, Y[0]),
            "one argument": lambda h: (ag.grad(lambda x: h(x, Y[0])[0] @ V)(X),),
            "forward": lambda h: (ag.jvp(lambda x, y: h(x, y)[0], (X, Y[0]), (V, V))[1],),
            "jacobian": lambda h: tuple(
                ag.jacobian(lambda x: h(x, Y[0])[0], mode=mode)(X) for mode in ("reverse", "forward")
            ),
            "second order": lambda h: (ag.hessian(lambda x: h(x, Y[0])[0] @ V)(X),),
            "hvp": lambda h: (ag.hvp(lambda x: h(x, Y[0])[1]["sum"] ** 2)(X, V),),
            "third order": lambda h: (ag.jacobian(ag.hessian(lambda x: h(x, Y[0])[0] @ V))(X),),
            "backward": lambda h: backward_of(h),
            "closure": lambda h: closure_of(h),
            "twice": lambda h: (ag.grad(lambda x: h(h(x, Y[0])[0], x)[0] @ V)(X),),
            "nested": lambda h: (ag.grad(lambda x: ag.checkpoint(lambda x: h(x, x)[0] * x)(x) @ V)(X),),
            "untouched": lambda h: (ag.grad(lambda x: h(Y[1], Y[0])[0] @ x)(X),),
        }
    ),
)
def test_checkpoint(use):
    close(use(ag.checkpoint(body)), use(body), 1e-13)


def backward_of(h):
    x, y = Tensor(X), Tensor(Y[0])
    a, b = h(x, y)
    (a @ V + b["sum"]).backward()
    return x.grad, y.grad


def closure_of(h):
    x, w = Tensor(X), Tensor(Y[1])
    inner = lambda x: h(x * w, w)[0]
    run = ag.checkpoint(inner) if hasattr(h, "__wrapped__") else inner
    (run(x) @ V).backward()
    return x.grad, w.grad


def test_checkpoint_runs_again_only_when_pulled_back():
    runs = []

    @ag.checkpoint
    def h(x):
        runs.append(1)
        return np.sin(x) * 2

    x = Tensor(X)
    y = h(x)
    assert len(runs) == 1
    np.sum(y).backward()
    assert len(runs) == 2
    h(X)
    h(x.detach())
    with ag.no_grad():
        assert not h(x).requires_grad
    assert len(runs) == 5
    assert type(h(X)) is np.ndarray


def test_checkpoint_refuses_what_it_cannot_repeat():
    calls = itertools.count()

    @ag.checkpoint
    def h(x):
        return x * 2 if next(calls) == 0 else (x * 2, x * 3)

    with pytest.raises((ValueError, RuntimeError)):
        np.sum(h(Tensor(X))).backward()


@pytest.mark.parametrize(
    "change",
    named(
        {
            "an array": lambda c, _: c.__imul__(0),
            "a tensor in place": lambda _, z: z.__iadd__(9.0),
            "a tensor by index": lambda _, z: z.__setitem__(0, 9.0),
            "nothing": lambda *_: None,
        }
    ),
)
def test_a_checkpoint_does_not_depend_on_later_changes(change):
    x, c = Tensor(X), V.copy()
    z = x * 1
    y = np.sum(ag.checkpoint(lambda z, c: np.sin(z) * c)(z, c))
    change(c, z)
    y.backward()
    close((x.grad,), (np.cos(X) * V,), 1e-14)


@pytest.mark.parametrize(
    "use",
    named(
        {"argument": lambda p: ag.checkpoint(np.sin)(p), "closure": lambda p: ag.checkpoint(lambda x: np.sin(x) * p)(X)}
    ),
)
def test_a_checkpoint_of_a_leaf_that_has_been_updated(use):
    p = Tensor(X, name="weight")
    y = np.sum(use(p))
    p.data -= 1
    with pytest.raises(ag.GraphError, match=r"weight of shape.*updated"):
        y.backward()


# --- errors -----------------------------------------------------------------------------------------------------------

ERRORS = {
    "integers": (lambda: ag.grad(lambda x: x * x)(3), TypeError, r"grad needs floats.*int64.*np\.asarray\(x, float\)"),
    "integer array": (lambda: ag.vjp(np.sum, np.arange(3)), TypeError, "vjp needs floats.*int64"),
    "booleans": (lambda: ag.jacobian(np.sum)(X > 0), TypeError, "jacobian needs floats.*bool"),
    "integers in a container": (lambda: ag.grad(lambda t: t["a"])({"a": 1.0, "n": 3}), TypeError, "grad needs floats.*int64"),
    "integer tensor": (lambda: ag.jvp(np.sum, (Tensor([1, 2]),), (V,)), (TypeError, ValueError), "jvp needs floats.*int64|tangent"),
    "text": (lambda: ag.grad(lambda _: 1.0)("a"), TypeError, "<U1|str"),
    "an object": (lambda: ag.grad(lambda _: 1.0)(object()), TypeError, "object"),
    "no scalar": (lambda: ag.grad(np.sin)(X), TypeError, r"grad needs a scalar result.*\(3,\).*jacobian, vjp or elementwise_grad"),
    "no scalar, value_and_grad": (lambda: ag.value_and_grad(np.sin)(X), TypeError, r"scalar result.*\(3,\)"),
    "no scalar, hessian": (lambda: ag.hessian(np.sin)(X), TypeError, "scalar result"),
    "no scalar, hvp": (lambda: ag.hvp(np.sin)(X, V), TypeError, "scalar result"),
    "plain and no scalar": (lambda: ag.grad(lambda _: X)(X), TypeError, "scalar result"),
    "two results": (lambda: ag.grad(lambda x: (np.sum(x), np.sum(x)))(X), TypeError, "one result, it returned 2"),
    "no result": (lambda: ag.grad(lambda _: None)(X), TypeError, "one result, it returned 0"),
    "complex result": (lambda: ag.grad(lambda z: np.sum(z))(X + 1j), TypeError, "real result.*complex128.*real part"),
    "a result that is text": (lambda: ag.grad(lambda _: "a")(X), TypeError, "real|scalar|str|number"),
    "argnums": (lambda: ag.grad(f, 1)(X), TypeError, "grad by argument 1.*called with 1 positional"),
    "negative argnums": (lambda: ag.jacobian(f, -2)(X), TypeError, "jacobian by argument -2.*1 positional"),
    "argnums of a keyword": (lambda: ag.grad(lambda x: x)(x=1.0), TypeError, "grad by argument 0.*0 positional"),
    "vjp of nothing": (lambda: ag.vjp(f), TypeError, r"vjp\(f, x, \.\.\.\)"),
    "cotangent's shape": (lambda: ag.vjp(np.sin, X)[1](np.ones(2)), ValueError, r"cotangent of shape \(2,\).*\(3,\)"),
    "cotangent's structure": (lambda: ag.vjp(lambda x: {"a": x}, X)[1]([X]), ValueError, r"cotangent has the structure \[\*\], expected \{'a': \*\}"),
    "number of cotangents": (lambda: ag.vjp(lambda x: (x, x), X)[1]((X,)), ValueError, r"structure"),
    "complex cotangent": (lambda: ag.vjp(np.sin, X)[1](V * 1j), TypeError, "complex.*float64|float64.*complex"),
    "complex tangent": (lambda: ag.jvp(np.sin, (X,), (V * 1j,)), TypeError, "complex.*float64|float64.*complex"),
    "tangent's shape": (lambda: ag.jvp(np.sin, (X,), (np.ones(2),)), ValueError, r"tangent of shape \(2,\).*\(3,\)"),
    "tangent's structure": (lambda: ag.jvp(lambda t: t[0], ([X],), ({"a": X},)), ValueError, "tangents has the structure"),
    "number of tangents": (lambda: ag.jvp(np.add, (X, X), (X,)), ValueError, "tangents has the structure"),
    "jvp of no tuple": (lambda: ag.jvp(np.sin, X, V), TypeError, r"jvp takes tuples: jvp\(f, \(x,\), \(v,\)\)"),
    "vector's structure": (lambda: ag.hvp(lambda t: t["a"] @ t["a"])({"a": X}, V), ValueError, "vector has the structure"),
    "vector's shape": (lambda: ag.hvp(f)(X, np.ones(2)), ValueError, r"\(2,\).*\(3,\)"),
    "a list that contains itself": (lambda: ag.grad(lambda t: t[0])(recursive()), ValueError, "a list contains itself"),
    "an argument twice": (lambda: ag.grad(lambda a, b: a @ b, (0, -2))(X, V), TypeError, "names an argument twice"),
    "an argument by name": (lambda: ag.grad(lambda a, b: a @ b, "a")(X, V), TypeError, "argnums= as an int"),
    "an unknown keyword": (lambda: ag.grad(f)(X, no_such_keyword=1), TypeError, "no_such_keyword"),
    "an unknown option": (lambda: ag.grad(f, has_aux=True), TypeError, "has_aux"),
    "the function's own error": (lambda: ag.grad(lambda x: np.sum(x @ np.ones(9)))(X), ValueError, "mismatch|shape"),
    "float of the argument": (lambda: ag.grad(lambda x: math.sin(x))(1.0), TypeError, r"\.item\(\).*\.data.*\.detach\(\)"),
}  # fmt: skip


def recursive():
    found = [1.0]
    found.append(found)
    return found


@pytest.mark.parametrize(("use", "error", "says"), named(ERRORS))
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_errors(use, error, says):
    with pytest.raises(error, match=says):
        use()


def test_a_result_that_depends_on_nothing_has_gradient_zero():
    same(ag.grad(lambda _: 3.0)(X), np.zeros(3))
    same(ag.grad(lambda _: np.sum(X))(X.astype("f4")), np.zeros(3, "f4"))
    same(ag.jacobian(lambda _: X)(X), np.zeros((3, 3)))
    same(ag.jvp(lambda _: X, (X,), (V,)), (X, np.zeros(3)))
    same(ag.jvp(lambda x: np.argmax(x), (X,), (V,))[1], np.float64(0.0))
    same(ag.vjp(lambda x: np.argsort(x), X)[1](np.ones(3)), np.zeros(3))
    same(ag.hessian(lambda x: np.sum(x))(X), np.zeros((3, 3)))


# --- operations of one's own ------------------------------------------------------------------------------------------


def own(*pulls, fn=None, **properties):
    """Return a new operation with a rule."""

    def scaled(x, k=2.0):
        return np.sin(x) * k

    operation = ag.primitive(fn or scaled)
    ag.rule(operation, *pulls, **properties)
    return operation


def test_a_rule_gives_every_derivative():
    op = own(lambda g, x, k=2.0: g * np.cos(x) * k, elementwise=True)
    plain = lambda x: np.sin(x) * 3.0
    h = lambda x: op(x, k=3.0)
    same(h(X), plain(X))
    assert type(h(X)) is np.ndarray
    for use in (
        lambda h: ag.grad(lambda x: h(x) @ V)(X),
        lambda h: ag.jvp(h, (X,), (V,))[1],
        lambda h: ag.jacobian(h)(X),
        lambda h: ag.hessian(lambda x: h(x) @ V)(X),
        lambda h: ag.jacobian(ag.jacobian(h, mode="forward"), mode="forward")(X),
    ):
        close((use(h),), (use(plain),), 1e-14)
    x = Tensor(X)
    np.sum(op(x, 3.0)).backward()  # a keyword by position
    close((x.grad,), (3 * np.cos(X),), 1e-14)


def with_v(op):
    partial = lambda x: op(np.sin(x), V * x)
    partial.__wrapped__ = lambda x: op.__wrapped__(np.sin(x), V * x)
    return partial


@pytest.mark.parametrize(
    "op",
    named(
        {
            "not element-wise": own(lambda g, x: g[..., ::-1] * 2 + 0 * x, fn=lambda x: 2 * x[::-1]),
            "linear": own(lambda g: g[..., ::-1] * 2, fn=lambda x: 2 * x[::-1], linear=True),
            "keeps the result": own(lambda g, ans: g * ans, fn=lambda x: np.exp(x), elementwise=True),
            "two arguments": with_v(own(lambda g, b: g * b, lambda g, a: g * a, fn=lambda a, b: a * b)),
            "a space": own(
                lambda g, x_space: np.broadcast_to(np.expand_dims(g, -1), (*g.shape, *x_space.shape)),
                fn=lambda x: np.sum(x),
            ),
            "metadata": own(lambda g, k=1.0: g * k, fn=lambda x, k=1.0: x * k, metadata="k"),
        }
    ),
)
def test_kinds_of_rules(op):
    h = lambda x: np.sin(op(x)) * 1.0
    x = np.array([0.3, 0.5, 0.9])
    plain = lambda x: np.sin(op.__wrapped__(x))
    w = np.cos(np.arange(np.size(h(x)))).reshape(np.shape(h(x)))
    numeric = gradient(lambda x: np.sum(plain(x[0]) * w), (x,))
    close((ag.grad(lambda x: np.sum(h(x) * w))(x),), numeric)
    close((ag.jvp(h, (x,), (V,))[1],), along(lambda x: (plain(x[0]),), (x,), (V,)))
    close((ag.jacobian(h, mode="reverse")(x),), (ag.jacobian(h, mode="forward")(x),), 1e-13)
    second = along(lambda x: (ag.grad(lambda x: np.sum(h(x) * w))(x[0]),), (x,), (V,))
    close((ag.hvp(lambda x: np.sum(h(x) * w))(x, V),), second)


def test_several_results():
    op = own(lambda g, x: g[0] * np.cos(x) - g[1] * np.sin(x), fn=lambda x: (np.sin(x), np.cos(x)), outputs=2)
    plain = lambda x: (np.sin(x), np.cos(x))
    for use in (
        lambda h: ag.grad(lambda x: h(x)[0] @ V + h(x)[1] @ X)(X), lambda h: ag.grad(lambda x: h(x)[1] @ X)(X), lambda h: ag.hessian(lambda x: h(x)[0] @ h(x)[1])(X),
        lambda h: ag.jvp(lambda x: h(x)[0] * h(x)[1], (X,), (V,))[1],
    ):  # fmt: skip
        close((use(op),), (use(plain),), 1e-13)


def test_a_pullback_for_one_argument_only():
    op = own(lambda g, b: g * b, None, fn=lambda a, b: a * b)
    same(ag.grad(lambda a, b: np.sum(op(a, b)), (0, 1))(X, V), (V, np.zeros(3)))
    x = Tensor(X)
    np.sum(op(X, x) + x).backward()
    same(x.grad, np.ones(3))


def test_a_primitive_without_rule():
    @ag.primitive
    def mystery(x):
        return x * 2

    same(mystery(X), X * 2)
    with pytest.raises(TypeError, match=r"mystery has no gradient rule.*ag\.rule\(mystery, lambda g"):
        mystery(Tensor(X))


@pytest.mark.parametrize(
    ("pull", "error", "says"),
    named(
        {
            "raises": (lambda g: {}["oops"] * g, KeyError, "oops"),
            "wrong shape": (lambda g: np.concatenate([g, g]), ValueError, r"\(6,\).*\(3,\)"),
            "a shape that would broadcast": (lambda g: np.sum(g), ValueError, r"\(\).*\(3,\)"),
            "integers": (lambda g: np.ones(g.shape, int), TypeError, "int64.*float64"),
            "booleans": (lambda g: g > 0, TypeError, "bool.*float64"),
            "float32": (lambda g: g.astype("f4"), TypeError, "float32.*float64.*digits"),
            "a list": (lambda g: list(g), TypeError, "list"),
            "a tuple": (lambda g: (g,), TypeError, "tuple"),
            "text": (lambda g: f"{g}", TypeError, "str"),
            "nothing": (lambda g: None if g.shape else g, TypeError, "None"),
        }
    ),
)
def test_bad_rules(pull, error, says):
    op = own(pull)
    with pytest.raises(error, match=says) as caught:
        ag.grad(lambda x: np.sum(op(x) * V))(X)
    assert caught.value.__notes__ == ["in the pullback of scaled, whose result has shape (3,)"]


@pytest.mark.parametrize(
    ("make", "error", "says"),
    named(
        {
            "too few pullbacks": (
                lambda: ag.rule(ag.primitive(lambda a, b: a + b), lambda g: g, args="a b"),
                TypeError,
                r"\('a', 'b'\) but has 1 pullbacks",
            ),
            "an unknown property": (
                lambda: ag.rule(ag.primitive(lambda a: a), lambda g: g, no_such_property=True),
                TypeError,
                "no_such_property",
            ),
            "joint, wrong count": (
                lambda: ag.grad(
                    lambda x: np.sum(own(lambda g: [g], fn=lambda a, b: a + b, joint=True, args="a b")(x, x))
                )(X),
                (ValueError, TypeError),
                "1 cotangents for 2 arguments|number",
            ),
            "an unknown keyword": (
                lambda: own(lambda g: g)(Tensor(X), no_such_keyword=1),
                TypeError,
                "no_such_keyword",
            ),
            "a keyword the rule does not know": (
                lambda: own(lambda g: g)(Tensor(X), k=3.0),
                TypeError,
                "rule for scaled does not know the keyword 'k'",
            ),
            "no array": (lambda: own(lambda g: g)(Tensor(X), Tensor(X)), TypeError, ""),
        }
    ),
)
def test_bad_registrations_and_calls(make, error, says):
    with pytest.raises(error, match=says or "."):
        make()


@pytest.mark.parametrize("result", expressions("float(np.sum(x))", "x.tolist()", "int(np.sum(x))", of="x"))
def test_a_primitive_may_return_what_numpy_understands(result):
    op = own(lambda g, x_space: np.broadcast_to(np.sum(g), x_space.shape), fn=result)
    same(op(Tensor(X)), np.asarray(result(X))[()])


def test_what_a_rule_returns_is_not_written_into():
    held = np.ones(3)
    op = own(lambda g: (g, held)[1], fn=lambda x: x * 1.0)
    x = Tensor(X)
    (np.sum(op(x)) + np.sum(op(x)) + np.sum(x * 2)).backward()
    same(held, np.ones(3))
    same(x.grad, np.full(3, 4.0))


@pytest.mark.parametrize(
    "use",
    named(
        {
            "an argument by keyword": lambda x: ag.relu(x=x),
            "an argument by position": lambda x: ag.relu(x),
        }
    ),
)
def test_a_primitive_is_one_operation_however_it_is_called(use):
    assert ag.grad(use)(0.0) == 0.0  # np.maximum(x, 0), of which relu is made, has 1/2
    y = use(Tensor(0.5))
    assert "op=relu" in repr(y)


def test_a_tracked_tensor_is_no_metadata():
    op = own(lambda g, x, k=2.0: g * np.cos(x) * k)
    with pytest.raises(TypeError, match="k"):
        ag.grad(lambda k: np.sum(op(Tensor(X), k=k)))(3.0)


def test_a_rule_may_be_replaced():
    op = own(lambda g: g * 5)
    assert ag.grad(lambda x: op(x))(1.0) == 5.0
    ag.rule(op, lambda g: g * 7)
    assert ag.grad(lambda x: op(x))(1.0) == 7.0


# --- results that have no derivative -----------------------------------------------------------------------------------

WITHOUT = {
    "a comparison": lambda x: x > 0,
    "argmax": np.argmax,
    "argsort": np.argsort,
    "isnan": np.isnan,
    "a cast to integers": lambda x: x.real.astype(int),
    "any": lambda x: np.any(x > 0),
    "count_nonzero": np.count_nonzero,
    "searchsorted": lambda x: np.searchsorted(np.arange(3.0), x.real),
    "a length": lambda x: x.shape[0],
    "a Python integer": lambda _: 3,
    "a Python float": lambda _: 0.5,
    "a flag": lambda _: True,
    "plain integers": lambda _: np.arange(2),
    "one of two results": lambda x: (x * 2, x.real > 0),
    "one of a dict": lambda x: {"value": np.sum(x), "index": np.argmax(x.real), "none": None},
    "counts beside values": lambda x: np.unique(x, return_counts=True),
    "an exponent beside a mantissa": lambda x: np.frexp(x.real),
}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("name", WITHOUT)
def test_derivatives_of_whole_numbers_have_the_precision_of_the_arguments(name, dtype):
    f, x, v = WITHOUT[name], np.array([1.5, -0.5], dtype), np.ones(2, dtype)
    ways = [ag.jvp(f, (x,), (v,))]
    if f is not WITHOUT["counts beside values"]:  # whose shape depends on values
        ways.append(ag.compile(lambda x: ag.jvp(f, (x,), (v,)))(x))
    for value, tangent in ways:
        for y, t in zip(flatten(value)[0], flatten(tangent)[0], strict=True):
            assert np.shape(t) == np.shape(y)
            assert t.dtype == (y.dtype if moves(y) else np.finfo(dtype).dtype)
            assert moves(y) or not np.any(t)
    for mode in ("forward", "reverse"):
        for y, block in zip(flatten(f(x))[0], flatten(ag.jacobian(f, mode=mode)(x))[0], strict=True):
            assert block.shape == (*np.shape(y), 2)
            assert block.dtype == (y.dtype if moves(y) and mode == "forward" else dtype)
    assert ag.vjp(f, x)[1](map_tree(lambda y: np.ones(np.shape(y)), f(x))).dtype == dtype


def moves(y):
    return hasattr(y, "dtype") and y.dtype.kind in "fc"


def test_a_constant_of_a_precision_of_its_own_keeps_it():
    x = np.ones(2, np.float32)
    assert ag.jvp(lambda _: np.float64(3.0), (x,), (x,))[1].dtype == np.float64
    mixed = ag.jvp(lambda a, b: np.argmax(a * b), (x, np.ones(2)), (x, np.ones(2)))[1]
    assert mixed.dtype == np.float64
