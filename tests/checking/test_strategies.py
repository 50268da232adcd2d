"""The strategies give what they promise, and examples that a fault needs; the decorator finds faults and is never vacuous."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

import autograd_core as ag
from autograd_core.checking import GradientError
from autograd_core.checking.decorator import checks_gradient
from autograd_core.checking.expressions import OPERATIONS, build
from autograd_core.checking.strategies import (
    DOMAINS,
    LAYOUTS,
    Domain,
    arranged,
    away_from,
    axes,
    broadcastable,
    cotangents,
    dtypes,
    indices,
    operands,
    orthogonal,
    program_of,
    programs,
    scales,
    shapes,
    spd,
    tensors,
    well_conditioned,
)

quick = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
# Not `explain`: it tells which parts of a smallest example do not matter, in as much time as it takes to find it.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink)
searching = settings(max_examples=2000, deadline=None, database=None, derandomize=True, phases=PHASES)


def exists(strategy, wanted):
    return find(strategy, wanted, settings=settings(searching, phases=[Phase.generate]))


def smallest(strategy, wanted):
    return find(strategy, wanted, settings=searching)


@pytest.fixture
def unexplained():
    """Let the decorator, which takes the profile's settings, find faults without explaining them."""
    profile = settings.get_current_profile_name()
    settings.register_profile("unexplained", settings.default, phases=PHASES)
    settings.load_profile("unexplained")
    yield
    settings.load_profile(profile)


# --- what is drawn ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        lambda s: s == (),
        lambda s: 0 in s and len(s) == 2,
        lambda s: 1 in s and 3 in s,
        lambda s: len(s) == 3 and min(s) > 1,
    ],
    ids=["no axes", "empty", "length 1", "large"],
)
def test_every_kind_of_shape_is_found(wanted):
    assert wanted(exists(shapes(), wanted))


@quick
@given(broadcastable(3))
def test_shapes_broadcast_together(group):
    assert len(group) == 3
    np.broadcast_shapes(*group)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda g: len(g[0]) != len(g[1]),
        lambda g: g[0] != g[1] and len(g[0]) == len(g[1]),
        lambda g: () in g and g != ((), ()),
    ],
    ids=["in front", "inside", "all"],
)
def test_shapes_that_must_be_stretched_are_found(wanted):
    assert wanted(exists(broadcastable(), wanted))


@pytest.mark.parametrize("name", [*DOMAINS, (2.0, 7.5), away_from([0, 1], 0.2)], ids=str)
@pytest.mark.parametrize("elements", ["draw", "seed"])
def test_values_are_in_their_domain(name, elements):
    domain = DOMAINS[name] if isinstance(name, str) else name if isinstance(name, Domain) else Domain(*name)

    @quick
    @given(tensors((2, 3), domain=name, elements=elements))
    def run(x):
        assert np.all((x >= domain.low) & (x <= domain.high))
        for point in domain.avoid:
            assert np.all(np.abs(x - point) >= domain.gap - 1e-12)

    run()


@quick
@given(tensors((4,), domain=scales(-8, 8)), tensors((4,), domain=scales(-3, -2, positive=True), elements="seed"))
def test_scales(x, y):
    size = np.log10(np.abs(x))
    assert np.all((size >= -8) & (size < 9))
    assert np.all((y > 0) & (np.log10(y) >= -3) & (np.log10(y) <= -1))


def test_scales_reach_both_ends():
    assert exists(tensors((), domain=scales(-8, 8)), lambda x: np.abs(x) < 1e-6) < 1e-6
    assert exists(tensors((), domain=scales(-8, 8)), lambda x: x < -1e6) < -1e6


@quick
@given(tensors((3, 4), distinct=0.1), tensors((5,), distinct=0.2, domain="positive"))
def test_no_ties(x, y):
    assert np.min(np.diff(np.sort(x, axis=None))) >= 0.1 - 1e-9
    assert np.min(np.diff(np.sort(y))) >= 0.2 - 1e-9
    assert y.min() > 0


def test_too_many_distinct_values_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        exists(tensors((9, 9), distinct=0.5), bool)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    a = np.arange(12.0).reshape(3, 4)
    b = arranged(a, layout)
    np.testing.assert_array_equal(b, np.broadcast_to(a[:1], a.shape) if layout == "expanded" else a)
    told = {
        "C": b.flags.c_contiguous and b.flags.writeable,
        "F": b.flags.f_contiguous,
        "strided": not b.flags.c_contiguous and min(b.strides) > 8,
        "negative": max(b.strides) < 0,
        "readonly": not b.flags.writeable,
        "expanded": b.strides[0] == 0,
    }
    assert told[layout]
    assert b is not a
    assert arranged(np.float64(2.0), layout) == 2.0


def test_every_layout_dtype_and_space_is_found():
    any_layout = tensors((3, 2), layout="any")
    assert exists(any_layout, lambda x: min(x.strides) < 0).shape == (3, 2)
    assert not exists(any_layout, lambda x: not x.flags.writeable).flags.writeable
    assert exists(tensors(dtype=dtypes("fce")), lambda x: x.dtype == np.complex64 and x.ndim == 2).dtype == np.complex64
    assert isinstance(exists(tensors(), lambda x: np.ndim(x) == 0), np.float64)
    assert exists(tensors(), lambda x: np.size(x) == 0).size == 0


def test_examples_shrink_to_simple_ones():
    x = smallest(tensors(), lambda x: np.sum(x) > 2.5)
    assert np.size(x) == 1
    assert float(np.sum(x)) == pytest.approx(2.501, abs=2e-3)
    assert smallest(tensors((2,)), lambda x: x[0] != x[1]).tolist() in ([0.0, 0.001], [0.001, 0.0], [0.0, 1e-3])


@quick
@given(st.integers(0, 3).flatmap(lambda n: st.tuples(st.just(n), axes(n))))
def test_axes_are_axes(drawn):
    ndim, axis = drawn
    np.sum(np.ones((2,) * ndim), axis=axis)


def test_every_kind_of_axis_is_found():
    for wanted in (
        lambda a: a is None,
        lambda a: a == -2,
        lambda a: isinstance(a, tuple) and len(a) == 2 and a[0] < 0 <= a[1],
    ):
        assert wanted(exists(axes(3), wanted))


@quick
@given(st.sampled_from([(), (3,), (2, 3), (0, 2), (3, 1, 2)]).flatmap(lambda s: st.tuples(st.just(s), indices(s))))
def test_indices_are_indices(drawn):
    shape, index = drawn
    a = np.arange(math.prod(shape)).reshape(shape)
    a[index]
    a[index] = 0


def test_every_kind_of_index_is_found():
    a = np.arange(6.0).reshape(2, 3)
    for wanted in (
        lambda i: isinstance(i, tuple) and any(k is None for k in i),
        lambda i: isinstance(i, np.ndarray) and i.dtype == bool and i.any(),
        lambda i: isinstance(i, np.ndarray) and i.dtype == int and len(i.ravel()) > len(set(i.ravel() % 2)),
        lambda i: isinstance(i, tuple) and any(isinstance(s, slice) and s.step == -2 for s in i),
    ):
        a[exists(indices((2, 3)), wanted)]


@quick
@given(spd(3, kappa=20), well_conditioned(3, 2, kappa=5), orthogonal(4, batch=(2,)), spd(2, batch=(3,)))
def test_matrices(a, b, q, many):
    eigenvalues = np.linalg.eigvalsh(a)
    assert eigenvalues[0] > 0
    assert eigenvalues[-1] / eigenvalues[0] <= 20 + 1e-9
    assert np.min(np.diff(eigenvalues)) > 1e-3
    assert np.linalg.cond(b) <= 5 + 1e-9
    assert b.shape == (3, 2)
    np.testing.assert_allclose(q @ np.swapaxes(q, -1, -2), np.broadcast_to(np.eye(4), (2, 4, 4)), atol=1e-12)
    np.linalg.cholesky(many)


@quick
@given(cotangents(np.zeros((2, 3), np.float32)), cotangents(3))
def test_cotangents(g, one):
    assert (g.shape, g.dtype) == ((2, 3), np.float32)
    assert np.all(g != 0)
    assert np.shape(one) == ()


def test_unknown_names_are_refused():
    for ask in (lambda: tensors(domain="postive"), lambda: tensors(layout="G"), lambda: tensors(elements="x")):
        with pytest.raises(ValueError, match=r"positive|negative|draw"):
            ask()
    with pytest.raises(ValueError, match="no operation"):
        build([(0, 0, 0, 0)], (np.ones(2),), ["np.nothing"])


# --- programs ---------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(programs())
def test_random_programs_have_right_gradients(program):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = ag.gradcheck(program, *program.inputs, raises=False)
    assert report


@quick
@given(programs(max_size=6, inputs=3))
def test_a_program_is_its_source(program):
    space = {"np": np}
    exec(program.source, space)
    again = space["program"](*program.inputs)
    for a, b in zip(np.atleast_1d(again) if not isinstance(again, tuple) else again, _results(program), strict=True):
        np.testing.assert_array_equal(a, b)
    assert program.operations == program.source.count("\n") - 1
    assert repr(program).startswith(program.source)


def _results(program):
    found = program(*program.inputs)
    return found if isinstance(found, tuple) else np.atleast_1d(found)


def test_every_operation_is_reached():
    assert len(OPERATIONS) > 90
    missing = []
    for number, (template, _) in enumerate(OPERATIONS):
        mark = template.split("{")[0] or template[3:].split("{")[0]
        inputs = [
            (np.array([[0.5, -0.7], [0.35, 0.81]]), np.array([1.2, 0.4])),
            (np.array([0.5, 0.7]), np.array([0.31, 0.9])),
        ]
        inputs += [(np.array([[0.3, 0.85]]), np.array([0.6, 1.4])), (np.float64(0.5), np.array([0.3]))]
        if not any(
            mark.strip() in build([(number, j, k, k)], v).source for v in inputs for j in (0, 1) for k in range(4)
        ):
            missing.append(template)
    assert not missing


def test_programs_share_values_and_shrink():
    program = smallest(programs(max_size=3, inputs=1), lambda p: "np.linalg" in p.source)
    assert program.operations <= 2
    shared = program_of(np.random.default_rng(0), size=12)
    assert shared.operations >= 10
    assert shared.source == program_of(np.random.default_rng(0), size=12).source


@quick
@given(programs(operations=["np.sin", "*"]))
def test_operations_can_be_chosen(program):
    assert "np.cos" not in program.source


# --- what random programs have found ------------------------------------------------------------------------------------


def test_a_plain_buffer_takes_no_tracked_contribution():
    x = np.array([0.3, 0.4])

    def f(x):
        c = np.sin(x)
        return np.sum(np.exp(c)) + np.sum(c) + np.sum(c * 3.0)  # pulled back: plain, plain, tracked

    np.testing.assert_allclose(ag.hessian(f)(x), np.diag(ag.elementwise_grad(ag.elementwise_grad(f))(x)))


def test_a_compiled_function_is_the_same_each_time():
    def f(x):
        return np.trace(np.outer(np.trace(np.outer(x, x)), x))

    gradient = ag.compile(ag.grad(f))
    x = np.float64(0.5)
    assert [float(gradient(x)) for _ in range(3)] == [float(ag.grad(f)(x))] * 3


# --- the decorator ----------------------------------------------------------------------------------------------------


@checks_gradient(x=tensors(domain="positive"), y="unit", examples=5)
def test_as_a_decorator(x, y):
    return np.sum(x * np.log(x)) + np.sum(np.log(y))


@checks_gradient(examples=5)
def test_without_arguments_everything_is_drawn_together(a, b):
    return np.sin(a) * b


@checks_gradient(operands(2, domain=["real", "nonzero"]), examples=5)
def test_operands_of_a_group(a, b):
    return a / b


@pytest.mark.parametrize("power", [2, 3])
@checks_gradient(x=(3,), examples=3)
def test_beside_parametrize(power, x):
    assert power in (2, 3)
    return np.sum(x**power)


class TestInAClass:
    @checks_gradient(x=np.ones((2, 2), np.float32), k=3, examples=3)
    def test_method(self, x, k):
        assert x.dtype == np.float32
        return x * k


@pytest.mark.usefixtures("unexplained")
def test_it_finds_a_fault_and_shrinks_it():
    @checks_gradient(
        operands(2, max_dims=1, max_side=2, elements="seed"),
        gradient=lambda a, b: (b * np.ones_like(a), a * np.ones_like(b)),
        examples=40,
    )
    def product(a, b):
        return np.sum(a * b)  # its gradient forgets to sum over what was broadcast

    with pytest.raises((GradientError, ValueError)) as found:
        product()
    text = "".join([str(found.value), *getattr(found.value, "__notes__", ())])
    assert "operands=(" in text
    assert "product" in text


@pytest.mark.parametrize(
    ("bug", "shape"),
    [
        (lambda x: np.where(np.size(x) > 1, 1.0, 0.5) * 2 * x, ()),
        (lambda x: 2 * np.abs(x), ()),
        (lambda x: 2 * x * (np.ndim(x) < 2 or np.shape(x)[0] != 2), (2, 1)),
    ],
    ids=["scalars", "negative", "two rows"],
)
@pytest.mark.usefixtures("unexplained")
def test_it_finds_the_smallest_example(bug, shape):
    seen = []

    def gradient(x):
        seen.append(np.shape(x))
        return bug(x)

    @checks_gradient(x=tensors(shapes(min_side=1, max_dims=2, max_side=2)), gradient=gradient, examples=60)
    def square(x):
        return np.sum(x * x)

    with pytest.raises(GradientError):
        square()
    assert seen[-1] == shape


def test_it_does_not_pass_vacuously():
    @checks_gradient(x=(0, 3), examples=5)
    def nothing(x):
        return np.sum(x)

    with pytest.raises(AssertionError, match="no derivative"):
        nothing()

    @checks_gradient(x=(), examples=5)
    def unseen(x):
        return 1e12 + np.sum(np.sin(x))

    with pytest.raises(AssertionError, match="could judge too little to pass"):
        unseen()


def test_one_example_that_cannot_be_judged_is_no_failure():
    @checks_gradient(x=tensors(()), examples=20)
    def mostly_seen(x):
        return np.sin(x) + (1e12 if 0.5 < np.max(x) < 0.6 else 0.0)

    mostly_seen()


def test_arguments_that_do_not_exist_are_refused():
    with pytest.raises(TypeError, match="no argument 'z'"):
        checks_gradient(z=(3,))(lambda x: x)
    with pytest.raises(TypeError, match="one strategy"):
        checks_gradient(operands(1), operands(1))(lambda x, y: x + y)


def transposing(a, b):
    return (np.ones((3, 3)) @ b.T).T, a.T @ np.ones((3, 3))


def test_a_transposed_gradient_is_called_so(monkeypatch):
    monkeypatch.setattr("autograd_core.checking.decorator.SHRINKING", 0.3)

    @checks_gradient(a=(3, 3), b=(3, 3), gradient=transposing)
    def product(a, b):
        return np.sum(a @ b)

    with pytest.raises(ag.GradientError, match="likely cause: it is the right one transposed") as caught:
        product()
    notes = "\n".join(caught.value.__notes__)
    assert "Failing test case: product(" in notes
    assert "autograd_core" not in notes
    assert "numpy" not in notes


@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_a_failing_example_stays_one_when_time_is_up(seconds, monkeypatch):
    monkeypatch.setattr("autograd_core.checking.decorator.SHRINKING", seconds)

    @checks_gradient(x=tensors((2,)), gradient=lambda x: 2 * np.abs(x))
    def square(x):
        return np.sum(x * x)

    with pytest.raises(ag.GradientError, match=r"the sign is wrong|one entry only"):
        square()


def test_the_explanation_shows_the_users_lines():
    def gradient(x):
        if x.ndim == 2:
            return 3 * x + 1  # here
        return 2 * x

    @checks_gradient(x=tensors(shapes(min_side=1, max_side=2)), gradient=gradient)
    def square(x):
        return np.sum(x * x)

    for _ in range(2):  # the second time Hypothesis begins with the example that has failed
        with pytest.raises(ag.GradientError) as caught:
            square()
        note = next(n for n in caught.value.__notes__ if n.startswith("Explanation"))
        assert note.splitlines()[1:] == [f"    {__file__}:{gradient.__code__.co_firstlineno + 2}"]
