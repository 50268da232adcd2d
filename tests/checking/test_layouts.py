"""What gradcheck hands to a function has the memory, the class and the identity of what it was given."""

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import floats

import autograd_core as ag
from autograd_core.checking import GradientError
from autograd_core.checking.decorator import checks_gradient
from autograd_core.checking.layouts import described, is_plain, laid_out, repeats
from autograd_core.checking.strategies import tensors

A = np.array([[0.3, -0.8, 1.1], [1.4, 0.2, -0.6]])
CUBE = np.random.default_rng(0).uniform(0.5, 1.5, (2, 3, 4))


class Turning(np.ndarray):
    """Arrays whose product is that of matrices."""

    def __mul__(self, other):
        return np.asarray(self) @ np.asarray(other)


def frozen(a):
    a = a.copy(order="K")
    a.flags.writeable = False
    return a


LAYOUTS = {
    "C": CUBE,
    "F": np.asfortranarray(CUBE),
    "transposed": CUBE.T,
    "axes exchanged": CUBE.transpose(1, 0, 2),
    "reversed": CUBE[::-1, :, ::-1],
    "strided": CUBE[:, ::2, 1::2],
    "broadcast": np.broadcast_to(CUBE[0], (3, 3, 4)),
    "windows": np.lib.stride_tricks.sliding_window_view(np.arange(1.0, 8), 3),
    "read-only": frozen(CUBE),
    "read-only F": frozen(CUBE.T),
    "other byte order": CUBE.astype(CUBE.dtype.newbyteorder()),
    "column of a large table": np.ones((400, 3000))[:, 7],
    "field of records": np.ones(5, [("a", "i4"), ("b", "f8"), ("c", "i4")])["b"][::2],
    "subclass": A.view(Turning),
    "vector": CUBE[0, 0],
    "0-d": np.array(1.5),
    "empty": CUBE[:0].T,
}


def form(a):
    flags = a.flags
    order = (flags.c_contiguous, flags.f_contiguous, flags.aligned, flags.writeable, a.dtype.isnative)
    return type(a), a.shape, [np.sign(s) for s in a.strides if a.size], order


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
@pytest.mark.parametrize("name", LAYOUTS)
def test_values_are_laid_out_like_a_model(name, dtype):
    model = LAYOUTS[name]
    found = laid_out(model, np.array(model, dtype))
    assert form(found) == form(model) or (name == "field of records" and dtype is np.float32)  # aligned, then
    assert np.array_equal(found, np.array(model, dtype))
    assert found.dtype.newbyteorder("=") == dtype
    assert not np.shares_memory(found, model)
    other = np.random.default_rng(1).uniform(size=model.shape)
    assert np.array_equal(laid_out(model, other), other)
    assert repeats(model) == (name in ("broadcast", "windows"))
    assert is_plain(model) == (described(model) == "C order") == (name in ("C", "vector", "0-d", "empty"))


# --- gradients that are wrong in some memory only ---------------------------------------------------------------------

WRONG_WHERE = {  # a gradient of sum(x * x), and where it is wrong
    "ravel K": (lambda x: 2 * x.ravel(order="K").reshape(x.shape), lambda x: np.any(x.ravel(order="K") != x.ravel())),
    "not contiguous": (lambda x: (2 if x.flags.c_contiguous else 3) * x, lambda x: not x.flags.c_contiguous),
    "Fortran's order": (lambda x: (2 if x.flags.f_contiguous else 3) * x, lambda x: not x.flags.f_contiguous),
    "negative strides": (lambda x: (3 if min(x.strides) < 0 else 2) * x, lambda x: min(x.strides) < 0),
    "no strides": (lambda x: (2 if min(map(abs, x.strides)) else 3) * x, lambda x: not min(map(abs, x.strides))),
    "read-only": (lambda x: (2 if x.flags.writeable else 3) * x, lambda x: not x.flags.writeable),
    "byte order": (lambda x: (2 if x.dtype.isnative else 3) * x, lambda x: not x.dtype.isnative),
    "raw bytes": (
        lambda x: 2 * np.frombuffer(x.tobytes("A"), x.dtype).reshape(x.shape),
        lambda x: x.flags.f_contiguous and not x.flags.c_contiguous,
    ),
}
PLACES = ["C", "F", "transposed", "axes exchanged", "reversed", "strided", "broadcast", "read-only", "other byte order"]


@pytest.mark.parametrize("place", [*PLACES, "two axes", "one axis", "one axis reversed"])
@pytest.mark.parametrize("name", WRONG_WHERE)
def test_a_gradient_wrong_in_some_memory(name, place):
    gradient, is_wrong = WRONG_WHERE[name]
    x = {"two axes": A.T, "one axis": CUBE[0, :, 1], "one axis reversed": CUBE[0, 0, ::-1]}.get(place)
    x = LAYOUTS[place] if x is None else x
    report = ag.gradcheck(lambda x: np.sum(x * x), x, gradient=gradient, raises=False)
    assert report.verdict == ("wrong" if is_wrong(x) else "ok")
    assert ("depends on layout" in report.cause) == (not report)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_right_gradients_pass_in_any_memory(place, full):
    f = lambda x: np.sum(np.sin(x) * np.arange(x.size).reshape(x.shape))
    df = lambda x: np.cos(x) * np.arange(x.size).reshape(x.shape)
    assert ag.gradcheck(f, LAYOUTS[place], full=full).verdict == "ok"
    assert ag.gradcheck(f, LAYOUTS[place], gradient=df, full=full).verdict == "ok"
    assert ag.gradcheck(f, LAYOUTS[place].astype(np.float32), full=full).verdict == "ok"


def test_a_function_may_depend_on_memory_if_its_gradient_does():
    f = lambda x: np.sum(x.ravel(order="K") * np.arange(x.size))
    df = lambda x: np.arange(x.size, dtype=float).reshape(x.T.shape).T
    assert ag.gradcheck(f, A.T, gradient=df).verdict == "ok"


@pytest.mark.parametrize(
    "wrap",
    [lambda x: {"a": [x, 1.0]}, lambda x: ((x,), {"b": x * 2}), lambda x: [x[0], x[1:]]],
    ids=["dict", "tuple", "list"],
)
def test_memory_inside_containers(wrap):
    def square(tree):
        return sum(np.sum(np.square(a)) for a in _leaves(tree))

    def gradient(tree, order="K"):
        return [2 * np.asarray(a).ravel(order=order).reshape(np.shape(a)) for a in _leaves(tree)]

    for x, wrong in ((CUBE, False), (CUBE.T, True)):
        report = ag.gradcheck(square, wrap(x), gradient=gradient, raises=False)
        assert (report.verdict == "wrong", "depends on layout" in report.cause) == (wrong, wrong)
        assert ag.gradcheck(square, wrap(x), gradient=lambda tree: gradient(tree, "C"))


def _leaves(tree):
    if isinstance(tree, dict):
        tree = [tree[k] for k in sorted(tree)]
    return [a for part in tree for a in _leaves(part)] if isinstance(tree, list | tuple) else [tree]


def test_a_rule_that_is_wrong_in_some_memory():
    square = ag.primitive(lambda x: x * x)
    ag.rule(square, lambda g, x: g * 2 * x.ravel(order="K").reshape(x.shape), name="square_in_memory")
    assert ag.gradcheck(lambda x: np.sum(square(x)), A, modes="reverse")
    for f, x in ((square, A.T), (lambda x: square(x.T), A), (lambda x: square(x[:, ::-1].T), A)):
        report = ag.gradcheck(f, x, modes="reverse", raises=False)
        assert (report.verdict, report.op) == ("wrong", "square_in_memory")
        assert "depends on layout" in report.cause


def test_tensors_of_pytorch_keep_their_strides():
    torch = pytest.importorskip("torch", reason="torch is not installed")

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * x * (2 if x.is_contiguous() else 3)

    t = torch.tensor(A)
    assert ag.gradcheck(lambda x: Square.apply(x).sum(), t)
    report = ag.gradcheck(lambda x: Square.apply(x).sum(), t.T, raises=False)
    assert "depends on layout" in report.cause
    assert ag.gradcheck(lambda x: (x**3).sum(), t.expand(2, 2, 3).transpose(0, 2))


# --- class and identity -----------------------------------------------------------------------------------------------

SCALARS = {
    "float": 2.0,
    "complex": 2.0 + 1j,
    "float64": np.float64(2),
    "float32": np.float32(2),
    "float16": np.float16(2),
    "complex64": np.complex64(2 + 1j),
    "0-d": np.array(2.0),
    "0-d float32": np.array(2, np.float32),
}


@pytest.mark.parametrize("name", SCALARS)
def test_scalars_arrive_as_what_they_are(name):
    x, seen = SCALARS[name], set()

    def f(x):
        seen.add(type(x))
        return np.real(x * x)

    def gradient(x):
        seen.add(type(x))
        return x * 2 if isinstance(x, float | complex) and not isinstance(x, np.generic) else 2 * x.reshape(x.shape)

    assert ag.gradcheck(f, x, gradient=gradient)
    kinds = (np.floating, np.complexfloating) if isinstance(x, np.generic) else type(x)
    assert all(issubclass(kind, kinds) for kind in seen)
    assert not (isinstance(x, np.generic) and seen & {float, complex})


def test_a_subclass_stays_one():
    one = np.ones((2, 2))
    f = lambda m: np.sum(m * m)
    right = lambda m: one @ np.asarray(m).T + np.asarray(m).T @ one
    m = np.array([[1.0, 2.0], [3.0, 4.0]]).view(Turning)
    assert ag.gradcheck(f, m, gradient=right)
    assert not ag.gradcheck(f, m, gradient=lambda m: 2 * np.asarray(m), raises=False)


def test_one_array_in_two_places_is_one_array():
    x = np.array([0.5, -1.2, 2.0])
    f = lambda a, b: np.sum(a * b * b)
    assert ag.gradcheck(f, x, x, gradient=lambda a, b: (b * b, 2 * a * b))
    wrong = lambda a, b: (b * b, 2 * a * b) if a is not b else (3 * a * b, 3 * a * b)
    assert ag.gradcheck(f, x, x.copy(), gradient=wrong)
    report = ag.gradcheck(f, x, x, gradient=wrong, raises=False)
    assert report.verdict == "wrong"
    assert "a and b are one array" in report.cause


@pytest.mark.parametrize(
    "a", [[[0, 0], [1e-3, 0]], [[0, 0, 0], [0, 1, 0]], [[0, 1, 0], [0, 0, 2], [0, 0, 0]], [[1, 2], [3, 4]]]
)
def test_entries_that_are_zero_do_not_hide_that_it_is_the_layout(a):
    wrong = lambda x: 2 * x.ravel(order="K").reshape(x.shape)
    report = ag.gradcheck(lambda x: np.sum(x * x), np.array(a, float, order="F"), gradient=wrong, raises=False)
    assert "depends on layout" in report.cause


# --- the decorator ----------------------------------------------------------------------------------------------------


def in_order_of_memory(x):
    return 2 * x.ravel(order="K").reshape(x.shape)


def of_adjacent_entries(x):
    return 2 * x if x.flags.c_contiguous else 2.5 * x


def going_forwards(x):
    return 2 * x * (1 + 0.1 * any(s < 0 for s in x.strides))


MUTANTS = [in_order_of_memory, of_adjacent_entries, going_forwards]
SPECS = {
    "a shape": (3, 2),
    "a domain": "positive",
    "an array": np.ones((2, 3)),
    "tensors": tensors((2, 3)),
    "of NumPy": arrays(np.float64, (2, 2), elements=floats(1, 2)),
}


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("spec", SPECS)
def test_the_decorator_draws_other_memory(spec, mutant):
    @checks_gradient(x=SPECS[spec], gradient=mutant, examples=300)
    def test_square(x):
        return np.sum(x * x)

    with pytest.raises(GradientError) as caught:
        test_square()
    assert "depends on layout" in caught.value.report.cause
    assert "x=array(" in "".join(caught.value.__notes__)


def test_the_decorator_draws_other_memory_of_all_arguments_and_in_containers():
    wrong = lambda x, y: (y * in_order_of_memory(x) / 2, x * in_order_of_memory(y) / 2)

    @checks_gradient(gradient=wrong, examples=200)
    def test_product(x, y):
        return np.sum(x * y)

    @checks_gradient(
        d=tensors((2, 2)).map(lambda a: {"a": a}), gradient=lambda d: {"a": in_order_of_memory(d["a"])}, examples=60
    )
    def test_of_a_dict(d):
        return np.sum(d["a"] ** 2)

    for test in (test_product, test_of_a_dict):
        with pytest.raises(GradientError):
            test()


@pytest.mark.parametrize("layouts", ["C", ["C"], ["readonly", "C"]])
def test_the_decorator_draws_the_memory_it_is_told(layouts):
    @checks_gradient(x=(2, 3), gradient=in_order_of_memory, examples=30, layouts=layouts)
    def test_square(x):
        return np.sum(x * x)

    test_square()
    with pytest.raises(ValueError, match="layouts are some of C, F"):
        checks_gradient(x=(2, 3), layouts="K")(lambda x: np.sum(x))


def test_memory_that_was_drawn_stays():
    seen = set()

    @checks_gradient(x=tensors((2, 3), layout="readonly"), examples=10)
    def test_square(x):
        return np.sum(x * x)

    @checks_gradient(
        x=tensors((2, 3), layout="F"), gradient=lambda x: seen.add(x.flags.f_contiguous) or 2 * x, examples=10
    )
    def test_square_in_fortran(x):
        return np.sum(x * x)

    test_square()
    test_square_in_fortran()
    assert seen == {True}
