"""The data against the tape: counts from a walk of its own, values from NumPy, gradients from `backward`."""

import collections
import copy
import pickle
import re

import numpy as np
import pytest
from pictures.programs import PROGRAMS, drawn, micrograd, mlp, some

import autograd_core as ag
import nn
from autograd_core.pictures.modules import find_modules
from autograd_core.pictures.numbers import summarise


def tape(root):
    """Walk a tape with a stack: nodes, and edges as (kind of source, kind of target, argument)."""
    seen, stack, edges = {root}, [root], []
    while stack:
        node = stack.pop()
        for i, p in enumerate(node.parents):
            if p is not None:
                edges.append((p, node, i))
                if p not in seen:
                    seen.add(p)
                    stack.append(p)
    return seen, edges


def alone_of(node, alone):
    """Return the operation of which a node is the only result that is used, else the node."""
    return node.p if node in alone else node


def is_entered(node):
    """Say whether a node only marks where a transform was entered."""
    return node.op is not None and node.op.name == "input"


@pytest.mark.parametrize("name", PROGRAMS)
def test_vertices_and_edges_are_those_of_the_tape(name):
    told = PROGRAMS[name]()
    nodes, edges = tape(told["what"]._node)
    graph = ag.draw(told.pop("what"), **told).graph
    results = collections.Counter(n.p for n in nodes if n.op is not None and n.op.name == "pick")
    alone = {n for n in nodes if n.op is not None and n.op.name == "pick" and results[n.p] == 1}
    edges = [(alone_of(p, alone), n, i) for p, n, i in edges if n not in alone]
    operations = [n for n in nodes if n.op is not None and not is_entered(n) and n not in alone]
    leaves = [n for n in nodes if n.op is None]
    roles = collections.Counter(v.role for v in graph.vertices)
    assert roles["operation"] == len(operations)
    named = len(told.get("inputs", {}))
    assert roles["parameter"] + roles["input"] - len(leaves) in range(named + 2)  # plain arrays that are inputs
    assert roles["output"] == 1 + len(told.get("outputs", {}))
    names = collections.Counter((n.op.name.strip("_"), i) for _, n, i in edges if not is_entered(n))
    tracked = [e for e in graph.edges if graph.vertices[e.target].role == "operation"]
    tracked = [e for e in tracked if not is_constant(graph.vertices[e.source])]
    assert collections.Counter((graph.vertices[e.target].op, e.argument) for e in tracked) == names


def is_constant(v):
    return v.role == "constant" or v.why_none == "not tracked"


def test_red_are_the_parameters():
    told = mlp()
    graph = ag.draw(told.pop("what"), **told).graph
    assert [v.name for v in graph.vertices if v.role == "parameter"] == ["W1", "W2"]
    assert [v.name for v in graph.vertices if v.role == "input"] == ["x", "y"]
    assert [v.name for v in graph.vertices if v.role == "output"] == ["ŷ", "output"]


W, X = ag.Tensor([3.0, 1.0], name="W"), np.array([1.0, 2.0])


def weighted(x):
    return np.sum(x * W)


def wrapping(x):
    return weighted(ag.Tensor(x, name="x"))


def of_dict(p):
    return weighted(p["x"])


def declared(of):
    """Return a drawing of a result, of a Tensor made by a function of X, which is declared as an input."""
    t = of(ag.Tensor(X, name="x"))
    return ag.draw(weighted(t), inputs={"x": t})


ROLES = {
    "argument": lambda: ag.draw(weighted, ag.Tensor(X, name="x")),
    "argument, compiled": lambda: ag.draw(ag.compile(weighted), ag.Tensor(X, name="x")),
    "argument, a result": lambda: ag.draw(weighted, ag.Tensor(X, name="z") * 2.0),
    "argument, in a dict": lambda: ag.draw(of_dict, {"x": ag.Tensor(X, name="x")}),
    "argument, wrapped": lambda: ag.draw(wrapping, X),
    "argument, an array": lambda: ag.draw(weighted, X),
    "argument, beside a parameter": lambda: ag.draw(lambda x, w: np.sum(x * w), ag.Tensor(X), W, params={"W": W}),
    "declared": lambda: declared(lambda x: x),
    "declared, a result": lambda: declared(lambda x: np.exp(x) * 2.0),
    "declared, by its array": lambda: ag.draw(weighted(ag.Tensor(X, name="x")), inputs={"x": X}),
    "declared, by an equal array, without a name": lambda: ag.draw(weighted(ag.Tensor(X)), inputs={"x": X + 0}),
}


@pytest.mark.parametrize("case", ROLES)
def test_an_input_is_white_whatever_it_is(case):
    vertices = ROLES[case]().graph.vertices
    assert [(v.role, v.name) for v in vertices[:2]] == [("input", "x"), ("parameter", "W")]
    assert [v.op for v in vertices if v.op] == ["multiply", "sum"]
    assert vertices[0].gradient == summarise(W.data)
    assert vertices[0].value is not None


def test_what_is_declared_by_nobody_is_red():
    for p in (ag.draw(weighted(ag.Tensor(X, name="x"))), ag.draw(weighted(ag.Tensor(X, name="z")), inputs={"x": X})):
        assert [v.role for v in p.graph.vertices[:2]] == ["parameter", "parameter"]


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2), (4, 3, 2, 2)])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_a_normalisation_is_drawn_as_what_it_is(affine, shape, training):
    """Axes added for broadcasting and the one result used of an operation with several are no steps."""
    model, x = nn.BatchNorm(3, affine=affine), some(*shape)
    model.train(training)
    p = ag.draw(model, x)
    labels = [v.label for v in p.graph.vertices if v.role == "operation"]
    assert not {"reshape", "result 0", "result"} & set(labels)
    assert ("standardize" in labels) == training
    if affine:
        np.sum(model(x)).backward()
    for v in p.graph.vertices:
        if v.role == "parameter":
            t = dict(model.named_parameters())[v.name]
            assert v.shape == t.shape
            assert v.gradient is not None
            assert float(v.gradient.norm) == pytest.approx(np.linalg.norm(t.grad))
    assert [p.graph.vertices[k].role for k in p.graph.backward] == ["operation"] * len(p.graph.backward)


def test_axes_that_are_asked_for_are_drawn():
    x = ag.Tensor(some(4), name="x")
    column = x.reshape(4, 1)
    assert "reshape" in {v.op for v in ag.draw(np.sum(column * some(4, 3))).graph.vertices}  # it has a name
    assert "reshape" in {v.op for v in ag.draw(np.sum(x.reshape(1, 4) @ some(4, 3))).graph.vertices}


def test_of_several_results_those_used_are_told_apart():
    U, s, _ = np.linalg.svd(ag.Tensor([[2.0, 0.0], [0.0, 1.0]], name="A"))
    assert [v.label for v in ag.draw(np.sum(U) + np.sum(s)).graph.vertices if v.label.startswith("result")] == [
        "result 0",
        "result 1",
    ]


@pytest.mark.parametrize("name", sorted(set(PROGRAMS) - {"second_order"}))
@pytest.mark.parametrize("before", [True, False])
def test_gradients_are_those_of_backward(name, before):
    told = PROGRAMS[name]()
    root = told.pop("what")
    leaves = {n for n in tape(root._node)[0] if n.op is None}
    seed = np.ones(root.shape)
    if before:
        graph = ag.draw(root, **told).graph
        assert all(leaf.grad is None for leaf in leaves), "drawing adds to no gradient"
        with np.errstate(all="ignore"):
            root.backward(seed)
    else:
        with np.errstate(all="ignore"):
            root.backward(seed)
        graph = ag.draw(root, **told).graph
    by_name = {v.name: v for v in graph.vertices if v.role in ("parameter", "input")}
    for leaf in leaves:
        v = by_name.get(leaf.name)
        if v is None or [n.name for n in leaves].count(leaf.name) > 1:
            continue
        assert v.gradient is not None
        expected = summarise(leaf.grad)
        assert v.gradient.text == expected.text
        assert float(v.gradient.norm) == pytest.approx(float(expected.norm), nan_ok=True)


def test_values_and_gradients_of_micrograds_example():
    told = micrograd()
    g = told["what"]
    g.backward()
    graph = ag.draw(g).graph
    found = {v.name: v for v in graph.vertices if v.name}
    assert found["g"].value.text == "24.7"
    assert found["a"].gradient.mean == pytest.approx(138.8338192419825)
    assert found["b"].gradient.mean == pytest.approx(645.5772594752186)
    assert all(v.gradient is not None for v in graph.vertices if v.label != "+" or v.value.text != "−2")


def test_gradient_inside_by_finite_differences():
    W = ag.Tensor(some(3, 4), name="W")

    def rest(h):
        return np.sum(np.tanh(h) ** 2)

    h = some(3) @ W
    graph = ag.draw(rest(h)).graph
    v = next(v for v in graph.vertices if v.name == "h")
    h0, eps = h.data, 1e-6
    numeric = [(rest(h0 + d) - rest(h0 - d)) / (2 * eps) for d in np.eye(4) * eps]
    assert float(v.gradient.norm) == pytest.approx(np.linalg.norm(numeric), rel=1e-7)
    assert float(v.value.norm) == pytest.approx(np.linalg.norm(h0))


def test_a_sum_of_contributions():
    x = ag.Tensor(3.0, name="x")
    graph = ag.draw(x * x + x).graph
    flows = [e.flow.mean for e in graph.edges if graph.vertices[e.source].name == "x"]
    assert flows == [3.0, 3.0, 1.0]
    assert next(v for v in graph.vertices if v.name == "x").gradient.mean == 7.0


def test_what_a_selection_leaves_out_is_absent_not_zero():
    x = ag.Tensor(0.0, name="x")
    with np.errstate(all="ignore"):
        p = ag.draw(np.where(x > 0, np.sqrt(x), 0.0))
    assert [v.gradient for v in p.graph.vertices if v.op == "sqrt"] == [None]
    assert "dashed" in next(row for row in p.to_dot("backward").splitlines() if "->" in row)


def rectified(a, b):
    return ag.relu(a * b) + b


def selected(a, b):
    return np.where(b > 0, b * 2.0, a * 3.0)


def largest(a, b):
    return np.maximum(a, b) * 2.0


def times_zero(a, b):
    return a * 0.0 + b


def rooted(a, b):
    return np.where(a > 0, np.sqrt(a), b)


@pytest.mark.parametrize("f", [rectified, selected, largest, times_zero, rooted])
@pytest.mark.parametrize("shape", [(), (2,)])
@pytest.mark.parametrize("before", [True, False])
def test_a_gradient_of_zero_is_told(f, shape, before):
    """Also where a selection lets nothing through: `backward` leaves a zero, and so does the picture."""
    a, b = (ag.Tensor(np.full(shape, v)[()], name=n) for v, n in ((-4.0, "a"), (2.0, "b")))
    with np.errstate(all="ignore"):
        y = f(a, b)
        picture = ag.draw(y) if before else None
        y.backward(np.ones(shape), retain_graph=True)
        picture = picture or ag.draw(y)
    found = {v.name: v for v in picture.graph.vertices if v.role == "parameter"}
    for t in (a, b):
        assert found[t.name].gradient == summarise(t.grad)
    assert re.search(r"^a = .*grad 0|^a = .*‖·‖ = 0", picture.text(), re.M)
    assert "∂y/∂a" in picture.to_dot("backward")
    inside = [v for v in picture.graph.vertices if v.op in ("sqrt", "multiply") and v.gradient is None]
    assert bool(inside) == (f in (rectified, selected, rooted))  # absent, not zero


def test_freed_and_stale_graphs_say_so():
    W = ag.Tensor(some(3, 4), name="W")
    loss = np.sum(np.tanh(some(3) @ W))
    loss.backward()
    p = ag.draw(loss)
    assert "backward() has freed" in p.note
    assert next(v for v in p.graph.vertices if v.name == "W").gradient == summarise(W.grad)
    assert [v.op for v in p.graph.vertices if v.op] == ["matmul", "tanh", "sum"]
    loss = np.sum(np.tanh(some(3) @ W))
    W.data -= 0.5
    p = ag.draw(loss)
    assert "W of shape (3, 4) was updated" in p.note
    assert [v.value for v in p.graph.vertices if v.name == "W" or v.op == "matmul"] == [None, None]


def test_retained_graphs_are_drawn_whole():
    W = ag.Tensor(some(3, 4), name="W")
    loss = np.sum(np.tanh(some(3) @ W))
    loss.backward(retain_graph=True)
    p = ag.draw(loss)
    assert p.note == ""
    assert all(v.gradient is not None for v in p.graph.vertices if v.role == "operation")
    loss.backward()
    v = next(v for v in ag.draw(np.sum(W * 1.0)).graph.vertices if v.name == "W")
    assert v.accumulated == summarise(W.grad)
    assert v.gradient == summarise(np.ones((3, 4)))


def test_drawing_computes_nothing_that_draws_random_numbers():
    rng = np.random.default_rng(0)

    @ag.primitive
    def noisy(x, rng=None):
        return x + rng.normal(size=x.shape)

    ag.rule(noisy, lambda g: g, args="x", metadata="rng").trusted = True
    x = ag.Tensor(some(3))
    y = np.exp(noisy(x, rng=rng)).sum()
    before = rng.bit_generator.state
    p = ag.draw(y)
    assert rng.bit_generator.state == before
    assert next(v for v in p.graph.vertices if v.op == "noisy").value is None


def test_a_failing_pullback_is_told_not_raised():
    @ag.primitive
    def broken(x):
        return np.asarray(x) * 2

    def pull(_):
        raise ZeroDivisionError("oh")

    ag.rule(broken, pull)
    p = ag.draw(broken(ag.Tensor([1.0, 2.0], name="x")))
    assert "ZeroDivisionError in the pullback of broken: oh" in p.note
    assert "broken(x)" in p.text()


def test_names_come_from_everywhere():
    class Model:
        def __init__(self):
            self.weight = ag.Tensor(some(2, 2))

        def named_parameters(self):
            return [("layers.0.weight", self.weight)]

        def forward(self, x):
            return x @ self.weight

        __call__ = forward

    model, other = Model(), ag.Tensor(some(2, 2))
    p = ag.draw(model, some(2))
    assert [v.name for v in p.graph.vertices] == ["x", "layers.0.weight", "", "output"]
    assert [v.role for v in p.graph.vertices] == ["input", "parameter", "operation", "output"]
    named = ag.draw(np.sum(other * 2.0))
    assert named.graph.vertices[0].name == "other"
    assert ag.draw(np.sum(other * 2.0), names={"mine": other}).graph.vertices[0].name == "mine"


def test_functions_are_called_with_followed_arguments():
    def f(x, y, n):
        return np.sum(x * y) ** n if x[0] > 0 else None

    graph = ag.draw(f, some(3, start=1.0), 2.0, 3).graph
    assert [(v.role, v.name) for v in graph.vertices[:2]] == [("input", "x"), ("input", "y")]
    assert graph.title == "f"
    assert all(v.gradient is not None for v in graph.vertices)


def test_constants_nobody_kept_are_recognised():
    x, y = ag.Tensor(some(4)), some(4, step=0.5)
    z = (x - y) ** 2 + 1.0
    p = ag.draw(np.sum(z))
    assert [v.name for v in p.graph.vertices if v.role == "input"] == ["y"]
    assert [v.label for v in p.graph.vertices if v.op == "add"] == ["+ 1"]


@pytest.mark.parametrize(
    "x", [some(5), some(70), some(3) * 1e300, some(3) * 1e-300, np.array([1 + 2j, 3j]), np.zeros(2)]
)
def test_statistics(x):
    s, size = summarise(x), np.abs(x) if np.iscomplexobj(x) else x
    largest = np.max(np.abs(x)) or 1.0
    assert float(s.norm) / largest == pytest.approx(np.linalg.norm(np.abs(x) / largest))
    assert float(summarise(x, True).norm) == pytest.approx(float(s.norm))
    assert (s.n, s.nonfinite) == (x.size, 0)
    assert (float(s.min), float(s.max)) == (size.min(), size.max())
    assert s.histogram is None or sum(s.histogram) == x.size
    if s.histogram is not None:
        numpys = np.histogram(size, 12)[0]  # an entry on the border of two bins may fall into either
        assert np.max(np.abs(np.cumsum(s.histogram) - np.cumsum(numpys))) <= 1


@pytest.mark.parametrize("x", [[np.nan, 1.0], [np.inf, -np.inf, 2.0], np.nan, [np.nan] * 100])
def test_statistics_of_what_is_not_finite(x):
    s = summarise(np.array(x)[()])
    assert s.nonfinite == np.size(x) - np.count_nonzero(np.isfinite(x))
    assert s.norm in ("nan", "inf")
    assert summarise(np.array(x)[()], True).nonfinite == s.nonfinite


def test_a_picture_keeps_nothing_alive():
    import gc
    import weakref

    x = ag.Tensor(some(3))
    loss = np.sum(np.tanh(x) * x)
    p = ag.draw(loss)
    p.to_dot()
    gone = weakref.ref(x)
    gc.disable()
    try:
        del x, loss
        assert gone() is None
    finally:
        gc.enable()


def test_modules_are_runs_and_never_make_a_circle():
    told = mlp()
    graph = ag.draw(told.pop("what"), **told).graph
    find_modules(graph)
    assert [(m.name, graph.vertices[m.first].name) for m in graph.modules] == [
        ("layer 1", "W1"),
        ("layer 2", "W2"),
        ("regulariser", ""),
    ]
    x = ag.Tensor(1.0)
    for k in range(3):  # one scope entered again and again, with something between
        with ag.scope("again"):
            x = x * 2.0 + 1.0
        x = np.tanh(x) if k < 2 else x
    graph = ag.draw(x, fold=False).graph
    assert [m.name for m in graph.modules] == ["again"] * 3


def test_the_callers_variables_are_left_alone():
    x = ag.Tensor(2.0)
    mine = locals()
    ag.draw(x * x)
    assert mine["x"] is x


@pytest.mark.parametrize("name", PROGRAMS)
def test_arrows_go_forward_in_every_view(name):
    p = drawn(name)
    for view in p._views():
        order = {key: k for k, key in enumerate(view.boxes)}
        assert all(order[link.source] < order[link.target] for link in view.links)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_picture_can_be_pickled_and_copied(name):
    first = drawn(name)
    told = first.to_dot("backward"), first.text()
    for twin in (pickle.loads(pickle.dumps(drawn(name))), copy.deepcopy(drawn(name))):
        assert (twin.to_dot("backward"), twin.text()) == told
