"""The contract of every operation, over the tables RULES and COMPOSITES and the arguments in samples.py."""

import contextlib
import inspect
import operator
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from numeric import along, close, dot, gradient
from samples import COMPOSITE_SAMPLES, SAMPLES, name_of, samples_of

import autograd_core as ag
from autograd_core.ops import elementwise
from autograd_core.rules import COMPOSITES, RULES
from autograd_core.tree import flatten

DTYPES = (np.float64, np.float32, np.float16, np.complex128, np.complex64)
EXACT = (np.float64, np.complex128)  # in which differences can be taken
# Rows that a person reaches by other names.
CALLED = {elementwise.at_least: np.maximum, elementwise.at_most: np.minimum}
KNOWN_BUGS = {}  # (test, function): why it fails for now
FUNCTIONS = [fn for fn in (*SAMPLES, *COMPOSITE_SAMPLES) if fn in RULES or fn in COMPOSITES]


class Case:
    """A sample in one dtype: `f`, a function of a tuple of arrays that returns a tuple of arrays, and the arrays `x`."""

    def __init__(self, fn, sample, dtype):
        self.fn, self.sample, self.dtype = CALLED.get(fn, fn), sample, dtype
        if (getattr(fn, "__module__", None) or "").startswith("scipy"):  # not a ufunc: it asks no Tensor by itself
            self.fn = ag.primitive(fn)
        self.leaves, self.rebuild = flatten((sample.args, sample.kwargs))
        self.places = [
            k for k, a in enumerate(self.leaves) if isinstance(a, np.ndarray | np.generic) and a.dtype.kind in "fc"
        ]
        self.x = tuple(self.cast(self.leaves[k]) for k in self.places)
        self.rng = np.random.default_rng(0)

    def cast(self, a):
        if np.dtype(self.dtype).kind != "c":
            a = a.real
        elif self.sample.smooth and a.dtype.kind != "c":  # away from the real axis, where branch cuts lie
            a = a + 1j * np.linspace(0.2, 0.7, a.size).reshape(a.shape)
        return a.astype(self.dtype)

    def call(self, x):
        """Return what the function returns when `x` stand in the places of its arrays."""
        leaves = list(self.leaves)
        for k, a in zip(self.places, x, strict=True):
            leaves[k] = a
        return self.sample.call(self.fn, *self.rebuild(leaves))

    def f(self, x):
        """Return the results that can have derivatives."""
        return tuple(y for y in flatten(self.call(x))[0] if y.dtype.kind in "fc")

    def accepted(self):
        """Does NumPy take this dtype here? A sample of complex numbers is one in complex dtypes only."""
        if np.dtype(self.dtype).char not in self.sample.kinds:
            return False
        if any(
            self.leaves[k].dtype.kind == "c" and a.dtype.kind != "c" for k, a in zip(self.places, self.x, strict=True)
        ):
            return False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                self.call(self.x)
        except (TypeError, np.exceptions.ComplexWarning):
            return False
        return True

    def like(self, arrays):
        """Return random arrays in the spaces of others: cotangents, or directions."""
        return tuple(self._random(a.shape, a.dtype) for a in arrays)

    def _random(self, shape, dtype):
        v = self.rng.uniform(-1, 1, shape)
        return np.asarray(v + 1j * self.rng.uniform(-1, 1, shape) if dtype.kind == "c" else v, dtype)[()]

    def pull(self, x, w):
        return ag.vjp(self.f, x)[1](w)

    def __repr__(self):
        return f"{name_of(self.fn)} of {np.dtype(self.dtype).name}: {self.sample}"


def cases(fn, dtypes, smooth, several):
    """Yield the samples of a function in all dtypes that it takes; in complex ones the first `several`, since they take long."""
    for k, sample in enumerate(samples_of(fn)):
        for dtype in dtypes if sample.smooth or not smooth else ():
            if k < several or np.dtype(dtype).kind != "c":
                case = Case(fn, sample, dtype)
                if case.accepted():
                    yield case


def contract(*dtypes, several, smooth=True):
    """Make a test of every function from a check of one case."""

    def decorate(check):
        name = check.__name__

        def marks(fn):
            return pytest.mark.xfail(strict=True, reason=KNOWN_BUGS[name, fn]) if (name, fn) in KNOWN_BUGS else ()

        @pytest.mark.filterwarnings("ignore:.*dtype=float16.*deprecated in SciPy:DeprecationWarning")
        @pytest.mark.parametrize("fn", [pytest.param(fn, id=name_of(fn), marks=marks(fn)) for fn in FUNCTIONS])
        def test(fn):
            with np.errstate(all="ignore") if not smooth else contextlib.nullcontext():
                for case in cases(fn, dtypes, smooth, several):
                    try:
                        check(case)
                    except Exception as error:
                        error.add_note(repr(case))
                        raise

        test.__name__ = name
        return test

    return decorate


# --- the tables -------------------------------------------------------------------------------------------------------


def of_other_tests(fn):
    """Say whether a row was registered by another test, or belongs to `nn`, whose tests look after it."""
    module = getattr(fn, "__module__", None) or "numpy"
    if isinstance(getattr(fn, "__wrapped__", None), np.ufunc):  # a test's ag.primitive(np.exp), named after that
        return True
    if module.startswith("autograd_core"):  # a doctest's function is no attribute of its module
        return getattr(sys.modules[module], fn.__name__, fn) is not fn or not hasattr(sys.modules[module], fn.__name__)
    return module.partition(".")[0] != "numpy"


@pytest.mark.parametrize(
    ("table", "samples"), [(RULES, SAMPLES), (COMPOSITES, COMPOSITE_SAMPLES)], ids=["rules", "composites"]
)
def test_registered_means_tested(table, samples):
    theirs = [fn for fn in table if fn not in samples and not of_other_tests(fn)]
    assert not [name_of(fn) for fn in theirs], "without samples"
    assert not [name_of(fn) for fn in samples if fn not in table], "samples of what is not in the table"
    for fn in samples:
        assert any(sample.smooth for sample in samples_of(fn)), name_of(fn)
        with np.errstate(all="ignore"):
            wrong = [s for s in samples_of(fn) if not any(Case(fn, s, dtype).accepted() for dtype in EXACT)]
        assert not wrong, f"NumPy itself does not take these arguments of {name_of(fn)}"


@pytest.mark.parametrize("fn", FUNCTIONS, ids=name_of)
def test_metadata_has_numpys_names(fn):
    if fn in COMPOSITES:
        ours, theirs = inspect.signature(COMPOSITES[fn]).parameters, inspect.signature(fn).parameters
        anything = any(p.kind is p.VAR_KEYWORD for p in theirs.values())
        ours = [
            p.name for p in ours.values() if p.kind is not p.VAR_POSITIONAL and not (anything and p.name not in theirs)
        ]
        ours = [name for name in ours if name in theirs or name != "descending"]  # NumPy's since 2.5
        assert [name for name in theirs if name in ours] == ours
    elif not isinstance(fn, np.ufunc):
        assert RULES[fn].metadata - {"aux"} <= set(inspect.signature(fn).parameters)
        assert RULES[fn].parameters() == tuple(inspect.signature(fn).parameters)


@pytest.mark.parametrize("fn", FUNCTIONS, ids=name_of)
def test_an_unknown_keyword_is_refused(fn):
    sample = samples_of(fn)[0]
    case = Case(fn, replace(sample, kwargs=sample.kwargs | {"no_such_keyword": 1}), np.float64)
    with pytest.raises(TypeError, match="no_such_keyword"):
        case.call([ag.Tensor(a) for a in case.x])


# --- values and spaces ------------------------------------------------------------------------------------------------


def same_bits(ours, theirs):
    """Compare Tensors or arrays with NumPy's: container, shape, dtype, and every bit but a NaN's."""
    assert type(ours) is type(theirs) or isinstance(ours, ag.Tensor)
    for a, b in zip(flatten(ours)[0], flatten(theirs)[0], strict=True):
        a = a.data if isinstance(a, ag.Tensor) else a
        np.testing.assert_array_equal(a, b, strict=True)
        if a.dtype.kind in "fc":
            parts = [np.array([y.real, y.imag]) for y in (a, b)]
            np.testing.assert_array_equal(*(np.signbit(y) & ~np.isnan(y) for y in parts), err_msg="signs of zeros")


@contract(*DTYPES, smooth=False, several=9)
def test_value_is_numpys(case):
    same_bits(case.call([ag.Tensor(a) for a in case.x]), case.call(case.x))


@contract(*DTYPES, smooth=False, several=9)
def test_gradient_lives_where_its_argument_does(case):
    first, *others = case.x or [None]
    mixed = (first, *(a.real.astype(np.float64) for a in others))
    for x in (case.x, mixed) if others else (case.x,):
        w = tuple(np.ones_like(y) for y in case.f(x))
        found = ag.vjp(case.f, x)[1](w)
        assert [(g.shape, g.dtype) for g in found] == [(a.shape, a.dtype) for a in x]
        assert [type(g) for g in found] == [type(a[()]) for a in x]


METHODS = [fn for fn in FUNCTIONS if hasattr(np.ndarray, fn.__name__) and getattr(np, fn.__name__, None) is fn]
OTHERWISE = {np.sort, np.partition, np.resize, np.put, np.compress}  # in place, or with arguments in another order


@pytest.mark.parametrize("fn", [fn for fn in METHODS if fn not in OTHERWISE], ids=name_of)
def test_method_is_the_function(fn):
    for sample in samples_of(fn):
        if sample.smooth and isinstance(sample.args[0], np.ndarray) and sample.args[0].dtype.kind == "f":
            method = lambda a, *rest, **kwargs: getattr(a, fn.__name__)(*rest, **kwargs)
            case, function = Case(fn, sample, np.float64), Case(fn, sample, np.float64)
            case.fn = method
            try:
                theirs = case.call(case.x)
            except TypeError:  # a keyword that the method does not have
                continue
            same_bits(case.call([ag.Tensor(a) for a in case.x]), theirs)
            w = case.like(case.f(case.x))
            close(case.pull(case.x, w), function.pull(case.x, w), 0)


OPERATORS = "add sub mul truediv pow mod floordiv matmul lt le gt ge eq ne".split()


@pytest.mark.parametrize("name", OPERATORS)
def test_operator_is_numpys(name):
    op = getattr(operator, name)
    a, b = np.array([[0.5, 1.5], [2.5, 0.7]]), np.array([[1.25, 2.0], [0.4, 1.1]])
    for x, y in [(a, b), (a, b[0]), (a[0, 0], b), (a, 2.0), (3, b), (a, np.float32(2)), (a.astype(np.float32), 0.1)]:
        if name == "matmul" and (np.ndim(x) == 0 or np.ndim(y) == 0):
            continue
        X, Y = (ag.Tensor(v) if isinstance(v, np.ndarray | np.generic) else v for v in (x, y))
        for ours in (op(X, Y), op(X, y), op(x, Y)):
            same_bits(ours, op(x, y))


# --- derivatives ------------------------------------------------------------------------------------------------------


@contract(*EXACT, several=3)
def test_reverse(case):
    w = case.like(case.f(case.x))
    found = case.pull(case.x, w)
    close(found, gradient(lambda x: dot(case.f(x), w), case.x))
    for k, a in enumerate(case.x if len(case.x) > 1 else ()):  # by one argument, the others being plain arrays
        if (g := alone(case, k, a, w)) is not None:
            close((g,), (found[k],), 1e-14)


def alone(case, k, a, w):
    """Return the gradient by one argument; None where NumPy, which does not ask it, is refused: np.full_like(array, tensor)."""
    try:
        return ag.vjp(lambda a: case.f((*case.x[:k], a, *case.x[k + 1 :])), a)[1](w)
    except TypeError as refused:
        if "would silently lose its gradient" not in str(refused):
            raise
        return None


@contract(*EXACT, several=3)
def test_forward(case):
    v = case.like(case.x)
    value, found = ag.jvp(case.f, (case.x,), (v,))
    same_bits(value, case.f(case.x))
    close(found, along(case.f, case.x, v))
    assert [y.dtype for y in found] == [y.dtype for y in value]


@contract(*EXACT, several=3)
def test_second_order(case):
    w, v = case.like(case.f(case.x)), case.like(case.x)
    f = lambda x: case.f(
        tuple(a - 0.01 * np.tanh(a) for a in x)
    )  # bent, so that cotangents and tangents are recorded too
    pull = lambda x: ag.vjp(f, x)[1](w)
    numeric = along(pull, case.x, v)
    close(ag.grad(lambda x: dot(pull(x), v))(case.x), numeric)
    close(ag.jvp(pull, (case.x,), (v,))[1], numeric)
    close(ag.grad(lambda x: dot(ag.jvp(f, (x,), (v,))[1], w))(case.x), numeric)


@contract(*EXACT, several=3)
def test_batched(case):
    values, pull = ag.vjp(case.f, case.x)
    zeros = [np.zeros_like(y) for y in values]
    found = ag.jacobian(case.f, mode="reverse")(case.x)
    for k, (y, blocks) in enumerate(zip(values, found, strict=True)):
        seeds = [row.reshape(y.shape) for row in np.eye(y.size, dtype=y.dtype)]
        rows = [pull((*zeros[:k], seed, *zeros[k + 1 :])) for seed in seeds]
        if y.dtype.kind == "c":  # by a real argument a cotangent 1 pulls back the real part, -1j the imaginary one
            rest = [pull((*zeros[:k], -1j * seed, *zeros[k + 1 :])) for seed in seeds]
            rows = [
                [a if a.dtype.kind == "c" else a + 1j * b for a, b in zip(*both, strict=True)]
                for both in zip(rows, rest, strict=True)
            ]
        one_by_one = [np.reshape([row[i] for row in rows], y.shape + a.shape) for i, a in enumerate(case.x)]
        close(blocks, one_by_one, 1e-13)
        assert [b.shape for b in blocks] == [b.shape for b in one_by_one]
    if case.dtype is np.float64:
        columns = ag.jacobian(case.f, mode="forward")(case.x)
        close([b for row in columns for b in row], [b for row in found for b in row], 1e-13)


# --- what the tables cannot say ----------------------------------------------------------------------------------------


def test_forward_is_pushed_under_no_grad_too():
    x = np.array([2.0, 3.0, 4.0])
    with ag.no_grad():
        np.testing.assert_array_equal(ag.jvp(np.cumprod, (x,), (np.ones(3),))[1], [1, 5, 26])
        np.testing.assert_array_equal(ag.hvp(lambda x: np.sum(x**3))(x, np.ones(3)), 6 * x)


def test_a_tangent_that_does_not_depend_on_the_argument():
    x, v = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    slope = lambda x: ag.jvp(lambda x: np.sum(np.broadcast_to(x, (2, 2)) * np.sort(x)), (x,), (v,))[1]
    np.testing.assert_allclose(ag.grad(slope)(x), 4 * v)


def test_jacobian_of_complex_results_of_real_arguments():
    f = lambda x: np.exp(1j * x)
    x = np.array([0.5, 1.0])
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(ag.jacobian(f, mode=mode)(x), np.diag(1j * f(x)))


@pytest.mark.parametrize("axes", [[(0, 1), (1, 0), (0, 1)], [(1, 0), (0, 1), (0, 1)], [(-2, -1), (-2, -1), (1, 0)]])
def test_matmul_with_axes_is_right_or_refused(axes):
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.5, -1.0], [2.0, 0.3]])
    f = lambda x: (np.matmul(x[0], x[1], axes=axes) ** 2,)
    try:
        found = ag.grad(lambda x: np.sum(f(x)[0]))((a, b))
    except TypeError:  # a sentence is enough, silence is not
        return
    close(found, gradient(lambda x: np.sum(f(x)[0]), (a, b)))


CONTAINERS = {
    "a dict": lambda t: ({"w": t},),
    "a dict beside": lambda t: (t, {"w": t}),
    "a list of lists": lambda t: ([[t]],),
    "a dict of lists": lambda t: ({"w": [1.0, t]},),
    "a tuple of dicts": lambda t: (({"w": t}, 1.0),),
}


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("with_rule", [True, False])
def test_a_primitive_refuses_containers_of_tensors(name, with_rule):
    @ag.primitive
    def rounded(tree, more=None):
        return np.round(flatten((tree, more))[0][-1])

    if with_rule:
        ag.rule(rounded, lambda g: g, args="tree")
    for run in (ag.grad, lambda f: ag.compile(ag.grad(f)), lambda f: ag.grad(ag.checkpoint(f))):
        with pytest.raises(TypeError, match="rounded, a primitive, was given Tensors in nested containers"):
            run(lambda x: rounded(*CONTAINERS[name](x)))(0.7)
    with pytest.raises(TypeError, match="more="):
        ag.grad(lambda x: rounded(1.0, more={"w": x}))(0.7)
    assert rounded({"w": 0.7}) == 1.0  # of plain numbers it is the function itself
