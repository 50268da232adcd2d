"""NumPy's protocols: every ufunc in every way of calling it, every function with its keywords, and whose turn it is."""

import inspect

import numpy as np
import pytest
from samples import COMPOSITE_SAMPLES, SAMPLES, name_of, samples_of
from tables import expressions, named, same

import autograd_core as ag
from autograd_core import Tensor
from autograd_core.rules import COMPOSITES, CONSTANTS, REFUSED, RULES

A = np.array([[0.5, 0.25, 0.8], [0.3, 0.75, 0.6]])
V = np.array([0.4, 0.9, 0.7])
MASK = np.array([True, False, True])


def untracked(a):
    return Tensor(a, requires_grad=False)


# --- ufuncs, in every way ---------------------------------------------------------------------------------------------

UFUNCS = sorted({f for f in vars(np).values() if isinstance(f, np.ufunc)}, key=lambda f: f.__name__)
WAYS = {
    "call": lambda f, x: f(*[x] * f.nin),
    "dtype": lambda f, x: f(*[x] * f.nin, dtype="f4"),
    "out": lambda f, x: f(*[x] * f.nin, out=like(f, x)),
    "where": lambda f, x: f(*[x] * f.nin, where=MASK[: x.shape[1]], out=like(f, x)),
    "reduce": lambda f, x: f.reduce(x),
    "reduce axis": lambda f, x: f.reduce(x, 1, keepdims=True),
    "reduce all": lambda f, x: f.reduce(x, axis=None),
    "reduce dtype": lambda f, x: f.reduce(x, dtype="f4"),
    "reduce initial": lambda f, x: f.reduce(x, initial=0.5),
    "reduce where": lambda f, x: f.reduce(x, axis=-1, initial=1.0, where=MASK[: x.shape[1]]),
    "accumulate": lambda f, x: f.accumulate(x),
    "accumulate axis": lambda f, x: f.accumulate(x, 1),
    "accumulate dtype": lambda f, x: f.accumulate(x, dtype="f4"),
    "outer": lambda f, x: f.outer(x, x),
    "outer dtype": lambda f, x: f.outer(x, x, dtype="f4"),
    "reduceat": lambda f, x: f.reduceat(x, [0, 1]),
}
CANDIDATES = (A, np.array([[1, 2, 3], [3, 1, 2]]), A > 0.4, A[:, :2])
REFUSALS = (TypeError, ValueError, RuntimeError)


def bare(x):
    return x.data if isinstance(x, Tensor) else x


def like(f, x):
    """Return a place for the results of a ufunc: an array for an array, a Tensor for a Tensor."""
    found = f(*[bare(x)] * f.nin)
    places = tuple(np.full(y.shape, 7).astype(y.dtype) for y in (found if f.nout > 1 else (found,)))
    places = tuple(untracked(y) for y in places) if isinstance(x, Tensor) else places
    return places if f.nout > 1 else places[0]


def suitable(f, way):
    """Return an array that the ufunc takes in this way and NumPy's result; None if NumPy refuses all."""
    for a in CANDIDATES:
        try:
            with np.errstate(all="ignore"):
                return a, way(f, a)
        except REFUSALS:
            continue
    return None


def attempt(f, *args, **kwargs):
    """Return a result, or the TypeError that refuses."""
    try:
        return f(*args, **kwargs)
    except TypeError as refusal:
        return refusal


def compare(ufunc, way):
    found = suitable(ufunc, way)
    if found is None:
        with pytest.raises(REFUSALS):
            way(ufunc, Tensor(A))
        return
    a, theirs = found
    with np.errstate(all="ignore"):
        ours = attempt(way, ufunc, Tensor(a))
    if isinstance(ours, TypeError):
        assert ufunc.__name__ in str(ours)
    else:
        same(ours, theirs)


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda f: f.__name__)
def test_ufunc_has_numpys_values_or_is_refused_by_name(ufunc):
    for name, way in WAYS.items():
        try:
            compare(ufunc, way)
        except BaseException as error:
            error.add_note(name)
            raise


# --- ufuncs, by example -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    expressions(
        "np.add(t, V, dtype='f4')", "np.exp(t, dtype=np.float32)", "np.add(t, 1, casting='no')", "np.multiply(t, t, order='F')",
        "np.add(V, t, subok=False)", "np.multiply(t, 2.0, where=True)", "np.add(t, V, None)", "np.exp(t, out=None)", "np.exp(t, out=(None,))",
        "np.add.reduce(t)", "np.add.reduce(t, axis=(0, 1))", "np.add.reduce(t, axis=(), keepdims=True)", "np.add.reduce(t, 1, None, None, True)",
        "np.add.reduce(t, initial=3.0, where=MASK, axis=1)", "np.multiply.reduce(t, axis=None)", "np.maximum.reduce(t, axis=1)", "np.minimum.reduce(t, axis=1, keepdims=True)",
        "np.maximum.reduce(t, axis=-1, initial=0.0, where=MASK)", "np.add.accumulate(t, axis=1)", "np.multiply.accumulate(t, 1)",
        "np.multiply.outer(t, V)", "np.subtract.outer(V, t)", "np.add.outer(t, 1.0)", "np.power.outer(t, [1, 2])", "np.maximum.outer(t, V)",
        "np.logical_and.reduce(t > 0.4)", "np.less.outer(t, V)", "np.logaddexp.reduce(t, axis=1)",
    ),
)  # fmt: skip
def test_ways_of_calling_ufuncs(use):
    x = Tensor(A)
    ours, theirs = use(x), use(A)
    same(ours, theirs)
    if np.asarray(theirs).dtype.kind == "f":
        w = np.cos(np.arange(np.size(theirs))).reshape(np.shape(theirs))
        np.sum(ours * w).backward()
        numeric = np.zeros_like(A)
        for i in np.ndindex(A.shape):
            e = np.zeros_like(A)
            e[i] = 1e-3 if ours.dtype == np.float64 else 1e-2
            numeric[i] = np.sum((use(A + e) - use(A - e)).astype(float) * w) / (2 * e[i])
        np.testing.assert_allclose(x.grad, numeric, 1e-4 if ours.dtype == np.float64 else 1e-2, 1e-6)
        assert x.grad.dtype == A.dtype


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize(
    "use",
    expressions(
        "np.add(t, V, out=out)", "np.exp(t, out=out)", "np.multiply(t, t, out=(out,))", "np.add(t, V, out)", "np.add(t[0], V, out=out)",
        "np.log(t, out=out, where=MASK)", "np.divide(t, t - 0.25, out=out, where=t != 0.25)", "np.add(t, 1, out=out, where=[[True], [False]])",
        "np.less(t, 0.5, out=out)", "np.floor(t, out=out)", "np.multiply(t, 2, out=out, dtype='f4')", "np.add(V, 1.0, out=out)",
        of="t, out",
    ),
)  # fmt: skip
def test_out_is_a_tensor(use, dtype):
    before = np.full(A.shape, 7, dtype)
    out, wanted = untracked(before), before.copy()
    ours, theirs = use(Tensor(A), out), use(A, wanted)
    assert ours is out
    assert theirs is wanted
    same(out, wanted)


def test_out_is_differentiable():
    x, y = Tensor(A), Tensor(A) * 3
    out = untracked(np.zeros(A.shape))
    np.multiply(x, y, out=out)
    np.exp(out, out=out, where=MASK)
    np.add.reduce(out, axis=0, out=(total := untracked(np.zeros(3))))
    np.sum(total).backward()
    wanted = np.where(MASK, np.exp(3 * A * A) * 3 * A, 3 * A)
    np.testing.assert_allclose(x.grad, wanted, 1e-12)


@pytest.mark.parametrize(
    ("use", "error", "says"),
    named(
        {
            "into a plain array": (
                lambda x: np.sin(x, out=np.zeros(A.shape)),
                TypeError,
                r"np\.sin.*plain array.*pass a Tensor as out=",
            ),
            "in place by a tensor": (lambda x: np.zeros(A.shape).__iadd__(x), TypeError, r"np\.add.*plain array"),
            "reduce into a plain array": (
                lambda x: np.add.reduce(x, out=np.zeros(3)),
                TypeError,
                r"np\.add.*plain array",
            ),
            "two outputs": (lambda x: np.divmod(x, 1, out=(None, np.zeros(A.shape))), TypeError, r"np\.divmod"),
            "where without out": (lambda x: np.log(x, where=A > 0.5), TypeError, r"np\.log.*where=.*out=.*np\.where"),
            "of another shape": (lambda x: np.sin(x, out=untracked(np.zeros(3))), ValueError, "broadcast"),
            "a leaf": (lambda x: np.sin(x, out=x), ag.GraphError, "leaf"),
            "an unknown keyword": (lambda x: np.sin(x, no_such_keyword=1), TypeError, "no_such_keyword"),
            "axis of a call": (lambda x: np.sin(x, axis=0), TypeError, "axis"),
            "reduce an unknown keyword": (lambda x: np.add.reduce(x, no_such_keyword=1), TypeError, "no_such_keyword"),
            "accumulate over two axes": (
                lambda x: np.add.accumulate(x, axis=(0, 1)),
                (TypeError, ValueError),
                "axis|tuple|int",
            ),
            "too many operands": (lambda x: np.add(x, x, untracked(np.zeros(A.shape)), x), TypeError, "arguments"),
            "at of an array": (
                lambda x: np.maximum.at(np.ones(3), 0, x[0]),
                TypeError,
                r"np\.maximum\.at of a plain array and a Tensor",
            ),
            "at a plain array": (lambda x: np.add.at(np.zeros(3), [0], x[0, 0]), TypeError, r"np\.add\.at"),
            "at a leaf": (lambda x: np.add.at(x, 0, 1.0), ag.GraphError, "leaf"),
            "floats into integers": (lambda x: np.sin(x, out=untracked(np.zeros(A.shape, int))), TypeError, "int64"),
        }
    ),
)
def test_ufunc_refusals(use, error, says):
    x = Tensor(A)
    with pytest.raises(error, match=says):
        use(x)
    assert x.grad is None
    same(x, A)


def test_at_accumulates():
    index, values = [0, 0, 2, 0], np.array([1.0, 2.0, 4.0, 8.0])
    x, v = Tensor(V), Tensor(values)
    for ufunc, sign in ((np.add, 1), (np.subtract, -1)):
        y, wanted = x * 2, V * 2
        ufunc.at(y, index, v)
        ufunc.at(wanted, index, values)
        same(y, wanted)
        np.sum(y * [1.0, 10.0, 100.0]).backward()
        same(x.grad, np.array([2.0, 20.0, 200.0]))
        same(v.grad, sign * np.array([1.0, 1.0, 100.0, 1.0]))
        x.grad = v.grad = None


def test_at_has_numpys_bits():
    rng = np.random.default_rng(0)
    a, i, v = rng.normal(size=5), rng.integers(0, 5, 100), rng.normal(size=100)
    y, wanted = untracked(a), a.copy()
    np.add.at(y, i, v)
    np.add.at(wanted, i, v)
    same(y, wanted)


# --- functions --------------------------------------------------------------------------------------------------------

FUNCTIONS = [
    fn for fn in (*SAMPLES, *COMPOSITE_SAMPLES) if (fn in RULES or fn in COMPOSITES) and not isinstance(fn, np.ufunc)
]
OURS = [fn for fn in FUNCTIONS if not (fn.__module__ or "").startswith("numpy")]


def signature(fn):
    try:
        return inspect.signature(fn)
    except ValueError:  # a C function of an older NumPy
        return None


# Functions with like= are reached through it only: np.array(t) of a tracked Tensor is refused, np.array(a, like=t) is not.
SIGNED = [fn for fn in FUNCTIONS if fn not in OURS and signature(fn) and "like" not in signature(fn).parameters]
SHORT = {
    np.clip: "kwargs of the ufunc: use np.minimum and np.maximum",
    np.vecdot: "keywords of the ufunc",
    np.einsum: "spelled out: order, casting",
    **dict.fromkeys(
        (np.unique_all, np.unique_counts, np.unique_inverse, np.unique_values), "NumPy shows a keyword that it refuses"
    ),
}


NEWEST = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.4.0", reason="composites follow NumPy's newest signatures"
)


@NEWEST
@pytest.mark.parametrize("fn", [fn for fn in SIGNED if fn in COMPOSITES and fn not in SHORT], ids=name_of)
def test_a_composite_has_numpys_parameters(fn):
    describe = lambda f: [
        ("*" if p.kind is p.VAR_POSITIONAL else p.name, p.kind) for p in signature(f).parameters.values()
    ]
    newer = {"descending"} if np.lib.NumpyVersion(np.__version__) < "2.5.0" else set()
    assert [p for p in describe(COMPOSITES[fn]) if p[0] not in newer] == describe(fn)


@NEWEST
@pytest.mark.parametrize("fn", [fn for fn in SIGNED if fn in COMPOSITES], ids=name_of)
def test_a_composite_has_numpys_defaults(fn):
    theirs = signature(fn).parameters
    for name, p in signature(COMPOSITES[fn]).parameters.items():
        default = theirs[name].default if name in theirs else p.default
        # NumPy's absence of a value may be spelled out
        assert p.default is default or p.default == default or default is np._NoValue or p.default is np._NoValue


def called_in_another_way(fn, sample, by):
    """Return the function and arguments of a sample, all by keyword or all by position; None if that is not possible."""
    args, kwargs = (sample.through(*sample.args) if sample.through else sample.args), sample.kwargs
    try:
        bound = signature(fn).bind(*args, **kwargs)
    except TypeError:  # a call that NumPy refuses
        return None
    parameters = signature(fn).parameters
    if any(
        parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
        or parameters[name].kind is inspect.Parameter.VAR_KEYWORD
        for name in bound.arguments
    ):
        return None
    if by == "keyword":
        head = [v for name, v in bound.arguments.items() if parameters[name].kind is inspect.Parameter.POSITIONAL_ONLY]
        return head, {
            name: v
            for name, v in bound.arguments.items()
            if parameters[name].kind is not inspect.Parameter.POSITIONAL_ONLY
        }
    head, rest, gap = [], {}, False
    for name, p in parameters.items():
        if p.kind is inspect.Parameter.KEYWORD_ONLY:
            if name in bound.arguments:
                rest[name] = bound.arguments[name]
        elif name in bound.arguments and not gap:
            head.append(bound.arguments[name])
        elif name in bound.arguments:
            rest[name] = bound.arguments[name]
        elif p.default is np._NoValue or p.default is p.empty:
            gap = True
        elif not gap:
            head.append(p.default)
    return head, rest


def wrapped(tree):
    if isinstance(tree, list | tuple):
        return type(tree)([wrapped(v) for v in tree])
    return Tensor(tree) if isinstance(tree, np.ndarray | np.generic) and tree.dtype.kind in "fc" else tree


@pytest.mark.parametrize("by", ["keyword", "position"])
@pytest.mark.parametrize("fn", [fn for fn in SIGNED if fn not in SHORT], ids=name_of)
def test_arguments_by_keyword_and_by_position(fn, by):
    for sample in samples_of(fn)[:6]:
        call = called_in_another_way(fn, sample, by)
        if call is None or not sample.smooth:
            continue
        args, kwargs = call
        try:
            theirs = fn(*args, **kwargs)
            if theirs is None or (
                fn is np.bincount and not theirs.any()
            ):  # written into its argument; integers whatever the weights
                continue
            ours = fn(*wrapped(args), **{k: wrapped(v) for k, v in kwargs.items()})
        except Exception as error:
            error.add_note(f"{name_of(fn)}(*{args}, **{kwargs})")
            raise
        same(ours, theirs)


WITH_OUT = [fn for fn in SIGNED if "out" in signature(fn).parameters] + [np.round, np.any, np.argmax]


def first_sample(fn):
    if fn in (np.round, np.any, np.argmax):
        return (A, 0) if fn is np.argmax else (A,) if fn is np.round else (A > 0.5, 0), {}
    sample = next(s for s in samples_of(fn) if s.smooth)
    return sample.through(*sample.args) if sample.through else sample.args, sample.kwargs


@pytest.mark.parametrize("fn", WITH_OUT, ids=name_of)
def test_out_of_a_function_is_filled_or_refused(fn):
    args, kwargs = first_sample(fn)
    theirs = fn(*args, **kwargs)
    out = untracked(np.full(np.shape(theirs), 7).astype(np.asarray(theirs).dtype))
    ours = attempt(fn, *wrapped(args), **kwargs, out=out)
    if isinstance(ours, TypeError):
        assert "out=" in str(ours)
    else:
        assert ours is out, "out= is forgotten"
        same(out, np.asarray(theirs)[()])
    plain = np.full(np.shape(theirs), 7).astype(np.asarray(theirs).dtype)
    if np.asarray(theirs).dtype.kind == "f" and fn not in CONSTANTS:
        with pytest.raises(TypeError, match="out="):
            fn(*wrapped(args), **kwargs, out=plain)


def test_out_of_a_constant_does_not_write_into_kept_values():
    x = Tensor(V)
    y = np.exp(x)
    loss = np.sum(y)
    attempt(np.round, y, out=y)
    loss.backward()
    same(x.grad, np.exp(V))


@pytest.mark.parametrize(
    "use",
    expressions(
        "np.sum(a=t, axis=0)", "np.sum(t, 0, None, None, True)", "np.mean(t, keepdims=True)", "np.mean(t, -1, 'f4')", "np.reshape(t, (3, 2), order='F')", "np.reshape(t, (3, 2), 'F')",
        "np.reshape(t, shape=-1)", "np.transpose(t, axes=(1, 0))", "np.transpose(t, (1, 0))", "np.concatenate((t, A), axis=1)", "np.concatenate([t, A], 1)", "np.concatenate(t)",
        "np.concatenate([t, [[1, 2, 3]]], dtype='f4')", "np.stack([t, A], -1)", "np.where(A > 0.5, t, 0)", "np.where(t > 0.5, t, A)", "np.take(t, [0, 1], 1)", "np.clip(t, None, 0.5)",
        "np.clip(t, a_max=0.5, a_min=None)", "np.cumsum(t, axis=1)", "np.cumsum(t, 1)", "np.roll(t, 1, axis=0)", "np.roll(t, (1, 2), (0, 1))", "np.swapaxes(t, axis1=0, axis2=1)",
        "np.moveaxis(t, source=0, destination=1)", "np.squeeze(t[None], axis=0)", "np.tensordot(t, A, axes=([0, 1], [0, 1]))", "np.einsum('ij,kj->ik', t, A)", "np.einsum('ij->j', t)",
        "np.matmul(t, A.T)", "np.dot(t, b=V)", "np.dot(a=t, b=V)", "np.var(t, ddof=1)", "np.std(t, 0, None, None, 1)", "np.prod(t, axis=0, keepdims=True)", "np.max(t, initial=2.0, axis=0)",
        "np.repeat(t, repeats=2, axis=0)", "np.tile(t, reps=(2, 1))", "np.flip(t, axis=0)", "np.expand_dims(t, axis=(0, 2))", "np.broadcast_to(t, shape=(2, 2, 3))", "np.linalg.norm(t, axis=1, ord=2)",
        "np.linalg.solve(a=A[:, :2], b=t)", "np.linalg.inv(t[:, :2])", "np.astype(t, 'f4')", "np.copy(t)", "np.sort(t, axis=0, kind='stable')", "np.trace(t, offset=1)", "np.split(t, 3, axis=1)",
        "np.array_split(t, 2)", "np.atleast_3d(t)", "np.outer(V, b=t)", "np.linalg.det(t[:, :2])", "np.ptp(t, axis=0)", "np.select([t > 0.5], [t], default=0.0)", "np.diff(t, n=1, axis=0, prepend=0.0)",
    ),
)  # fmt: skip
def test_functions_by_example(use):
    ours, theirs = use(Tensor(A)), use(A)
    same(ours, theirs)
    for part in ours if isinstance(ours, list | tuple) else [ours]:
        assert part.requires_grad


@pytest.mark.parametrize(
    "use",
    expressions(
        "np.sum(t, no_such_keyword=1)", "np.reshape(t, (3, 2), no_such_keyword=1)", "np.concatenate([t], no_such_keyword=1)", "np.exp(t, no_such_keyword=1)", "np.round(t, no_such_keyword=1)",
        "np.where(A > 0, t, 0, no_such_keyword=1)", "np.linalg.norm(t, no_such_keyword=1)", "np.einsum('ij->j', t, no_such_keyword=1)", "np.isnan(t, no_such_keyword=1)", "np.zeros_like(t, no_such_keyword=1)",
    ),
)  # fmt: skip
def test_unknown_keywords(use):
    with pytest.raises(TypeError, match="no_such_keyword"):
        use(Tensor(A))


@pytest.mark.parametrize(
    "use",
    expressions(
        "np.sum(t, axis=5)", "np.sum(t, 0, None, None, True, 0.0, True, 'too many')", "np.reshape(t, (4, 2))", "np.concatenate([t, V])", "np.concatenate(t[0])", "np.concatenate([])+t",
        "np.stack([t, V])", "np.transpose(t, (0, 0))", "np.matmul(t, t)", "np.dot(t, t)", "np.einsum('ij,jk', t, t)", "np.take(t, 9)", "np.where(A > 0, t)", "np.broadcast_to(t, (3, 3))",
        "np.squeeze(t, 0)", "np.swapaxes(t, 0, 7)", "np.split(t, 2, axis=1)", "np.linalg.inv(t)", "np.linalg.solve(t, t)", "np.cumsum(t, axis=9)", "np.expand_dims(t, 9)", "np.sum()+t",
        "np.clip(t, [1, 2], 3)", "np.tensordot(t, t)[0]", "np.roll(t, 1, axis=7)", "np.max(t[:, :0])", "np.max(t, where=MASK)", "np.repeat(t, -1)", "np.moveaxis(t, 0, 9)", "np.atleast_1d(t, x=1)",
    ),
)  # fmt: skip
def test_what_numpy_refuses_is_refused(use):
    refusals = (TypeError, ValueError, IndexError, np.linalg.LinAlgError)
    for t in (A, Tensor(A)):
        with pytest.raises(refusals):
            use(t)


TENSOR_MASKS = [
    "np.where(m, t, 0.0)", "np.add(t, 1.0, where=m, out=untracked(np.zeros(A.shape)))", "t[m]", "np.compress(m[0], t, axis=1)", "np.select([m], [t])", "np.extract(m, t)", "np.copyto(z := t * 1, 7.0, where=m) or z",
    "np.sum(t, where=m)", "np.prod(t, where=m)", "np.max(t, where=m, initial=0.0)", "np.min(t, 1, where=m, initial=9.0)",
    "np.add.reduce(t, where=m)", "np.mean(t, where=m)", "np.std(t, where=m)", "np.var(t, where=m)",
]  # fmt: skip


@pytest.mark.parametrize("use", expressions(*TENSOR_MASKS, of="t, m"))
def test_masks_may_be_tensors(use):
    mask = A > 0.4
    theirs = use(A, mask)
    if not isinstance(theirs, Tensor):  # of a ufunc with out=
        same(use(Tensor(A), Tensor(mask)), theirs)
        same(bare(use(A, Tensor(mask))), theirs)


@pytest.mark.parametrize(
    "use",
    expressions(
        "np.maximum(V, t)", "np.clip(V, t, 2.0)", "np.diff(V, prepend=t)", "np.linspace(0.0, t, 3)", "np.full(3, t)", "np.round(V, t)", "np.roll(V, t)", "np.float64(3) ** t", "np.where(MASK, V, t)",
        ("np.linalg.norm(V, ord=t)", "NumPy asks nobody: it compares the order with 2"), "np.linalg.norm(Tensor(V), ord=t)", "np.percentile(V, t)", "np.quantile(Tensor(V), t / 5)",
    ),
)  # fmt: skip
def test_a_tracked_number_is_differentiated_by_or_refused(use):
    t = Tensor(2.0)
    out = attempt(lambda: use(t))
    if not isinstance(out, TypeError):
        np.sum(out).backward()
        e = 1e-6
        high, low = (bare(np.sum(use(2 + d))) for d in (e, -e))
        np.testing.assert_allclose(t.grad, (high - low) / (2 * e), 1e-5, 1e-8)


# --- constants --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    expressions(
        "np.sign(t)", "np.floor(t)", "t > 0.5", "np.argmax(t, axis=1)", "np.isnan(t)", "np.shape(t)", "np.ndim(t)", "np.size(t)", "np.zeros_like(t)", "np.ones_like(t, dtype=int)", "np.nonzero(t > 0.5)",
        "np.argsort(t)", "np.round(t, 1)", "np.allclose(t, A)", "np.array_equal(t, t)", "np.any(t > 0.7, axis=0)", "np.count_nonzero(t)", "np.searchsorted(V[[0, 2, 1]], t)", "np.isclose(t, 0.5)",
        "np.result_type(t, 'f4')", "np.logical_and(t, MASK)", "np.floor_divide(t, 0.2)", "0.7 // t", "np.iscomplexobj(t)", "np.digitize(t, V[[0, 2, 1]])", "np.lexsort((t[0], t[1]))", "np.empty_like(t).shape",
    ),
)  # fmt: skip
def test_constants_are_plain(use):
    ours, theirs = use(Tensor(A)), use(A)
    assert type(ours) is type(theirs)
    if isinstance(theirs, tuple):
        assert all(type(a) is type(b) for a, b in zip(ours, theirs, strict=True))
    assert np.array_equal(ours, theirs)


# --- no rule ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "fn", "use", "near"),
    [
        (RULES, np.tanh, lambda x: np.tanh(x), "np.tan"),
        (RULES, np.logaddexp, lambda x: np.logaddexp(x, x), "np.logaddexp2"),
        (RULES, np.cumsum, lambda x: np.cumsum(x), r"np\.\w*(sum|prod)"),
        (COMPOSITES, np.vstack, lambda x: np.vstack([x, x]), r"np\.\w*stack"),
        (COMPOSITES, np.linalg.norm, lambda x: np.linalg.norm(x), r"np\.linalg\.\w+"),
        (COMPOSITES, np.mean, lambda x: x.mean(), r"np\.\w+"),
    ],
    ids=["tanh", "logaddexp", "cumsum", "vstack", "norm", "mean"],
)
def test_no_rule(monkeypatch, table, fn, use, near):
    monkeypatch.delitem(table, fn)
    name = name_of(fn) if not isinstance(fn, np.ufunc) else f"np.{fn.__name__}"
    with pytest.raises(
        TypeError,
        match=rf"^{name} has no gradient rule; the nearest function with a rule is {near}\. .*ag\.rule\({name}, lambda g.*t\.data",
    ):
        use(Tensor(A))


def test_refused_by_name(monkeypatch):
    monkeypatch.delitem(COMPOSITES, np.vstack)
    monkeypatch.setitem(REFUSED, np.vstack, "write np.concatenate(...)")
    with pytest.raises(TypeError, match=r"np\.vstack is refused for Tensors: write np\.concatenate"):
        np.vstack([Tensor(A)])


OVERRIDABLE = sorted(np.testing.overrides.get_overridable_numpy_array_functions(), key=name_of)


def test_every_function_of_numpy_is_in_a_table_or_refused_by_name():
    x = Tensor(A)
    for fn in OVERRIDABLE:
        if not (fn in RULES or fn in COMPOSITES or fn in CONSTANTS):
            with pytest.raises(TypeError, match=rf"np.*{fn.__name__} (has no gradient rule|is refused)"):
                x.__array_function__(fn, (Tensor,), (x,), {})


def test_scipys_ufuncs_come_through_the_same_door(monkeypatch):
    special = pytest.importorskip("scipy.special", reason="SciPy is not installed")
    special.erf(Tensor(V))  # by which the rules of SciPy's functions are registered
    monkeypatch.delitem(RULES, special.expit)
    with pytest.raises(TypeError, match=r"expit has no gradient rule.*ag\.rule\("):
        special.expit(Tensor(V))
    monkeypatch.setitem(RULES, special.expit, None)  # so that it is taken away again
    ag.rule(special.expit, lambda g, ans: g * ans * (1 - ans))
    x = Tensor(V)
    y = special.expit(x)
    same(y, special.expit(V))
    np.sum(y).backward()
    np.testing.assert_allclose(x.grad, special.expit(V) * (1 - special.expit(V)))


def test_a_rule_added_to_a_numpy_function_is_used(monkeypatch):
    assert np.i0 not in COMPOSITES
    if np.i0 in RULES:
        monkeypatch.delitem(RULES, np.i0)
    with pytest.raises(TypeError, match=r"np\.i0"):
        np.i0(Tensor(V))
    monkeypatch.setitem(RULES, np.i0, None)
    ag.rule(np.i0, lambda g, x: g * x)
    same(ag.grad(lambda x: np.sum(np.i0(x)))(V), V)


# --- whose turn it is -------------------------------------------------------------------------------------------------


class Foreign:
    """Speaks both protocols and Python's operators, and answers with its own name."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return "foreign"

    def __array_function__(self, fn, types, args, kwargs):
        return "foreign"

    def __add__(self, other):
        return "foreign"

    __radd__ = __rmatmul__ = __rpow__ = __gt__ = __eq__ = __add__
    __hash__ = None


class Unwilling(Foreign):
    __array_ufunc__ = None


class Operators:
    """Speaks Python's operators only."""

    def __radd__(self, _):
        return "foreign"

    __rmatmul__ = __rpow__ = __gt__ = __radd__


TURNS = [f"x {op} {kind}()" for kind in ("Unwilling", "Operators") for op in ("+", "@", "**", "<")]
TURNS += [
    "x == Foreign()", "x < Foreign()", "Foreign() + x", "Unwilling() + x", "np.add(Foreign(), x)",
    "np.sum(Foreign())", "np.concatenate([Foreign(), x])", "np.concatenate([x, Foreign()])",
    "x + Foreign()", "x @ Foreign()", "x ** Foreign()", "np.add(x, Foreign())", "np.maximum(x, Foreign())",
    "np.multiply.outer(x, Foreign())",
]  # fmt: skip


@pytest.mark.parametrize("use", expressions(*TURNS, of="x"))
def test_foreign_classes_get_their_turn(use):
    assert use(Tensor(V)) == "foreign"


def test_unwilling_classes_are_refused_by_numpy():
    with pytest.raises(TypeError):
        np.add(Tensor(V), Unwilling())
    with pytest.raises(TypeError):
        np.add(Tensor(V), Operators())


@pytest.mark.parametrize(
    "use", expressions("x * other", "np.multiply(x, other)", "np.concatenate([x, other], axis=None)", of="x, other")
)
@pytest.mark.parametrize("kind", ["masked", "matrix"])
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_subclasses_of_arrays_keep_their_meaning_or_are_refused(use, kind):
    a, other = (V, np.ma.array(V, mask=MASK)) if kind == "masked" else (V[:, None], np.matrix(V))
    with pytest.raises(TypeError):
        use(untracked(a), other)


def test_tensors_come_before_arrays():
    for y in (
        V + Tensor(V),
        np.float64(2) * Tensor(V),
        V @ Tensor(V),
        [1, 2, 3] - Tensor(V),
        np.add(V, Tensor(V)),
        np.concatenate([V, Tensor(V)]),
    ):
        assert isinstance(y, Tensor)
        assert y.requires_grad
