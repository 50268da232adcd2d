"""What cannot be replayed is refused while recording, with the line and a remedy; and everything is as it was."""

import ast
import io
import math
import os
import pathlib
import random

import numpy as np
import pytest

import autograd_core as ag
import autograd_core.program
import autograd_core.replay
import nn
from autograd_core import Tensor
from autograd_core.program import calls as traced
from autograd_core.program.tracing import trace

X = np.array([1.0, -2.0, 3.0])


def branch(x):
    return x if x[0] > 0 else -x


def stored(x):
    out = np.zeros(3)
    out[0] = x[0]
    return out + x


def swallowed(x):
    try:
        scale = float(x[0])
    except RuntimeError:
        scale = 0.0
    return x * scale


def filled(x):
    x[0] = 5.0
    return x


def added(x):
    x += 1
    return x


def yielding(x):
    yield x * 2


async def awaited(x):
    return x * 2


class Box:
    def __init__(self, value):
        self.value = value


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


def raising(x):
    with np.errstate(invalid="raise"):
        return np.sqrt(np.abs(x))


def changed(x):
    y = OUTSIDE * x
    OUTSIDE[0] += 1
    return y


OUTSIDE = np.ones(3)
RNG = np.random.default_rng(0)
DRAW = np.random.default_rng(0).normal
PYTHONS = random.Random(0)
HERE = r".*test_refusals\.py:\d+"
TABLE = r"ag\.Tensor\(a, requires_grad=False\)\[i\]"
BAKED = r"under ag\.compile \(at .*test_refusals\.py:\d+\): its value would be baked.*np\.where"
CHANGED = rf"a Tensor of shape \(3,\), from around the compiled function, is changed in place.*{HERE}.*t\.assign"


def held(change):
    """Return a function that changes a Tensor it holds."""
    t = Tensor(np.array([3.0, 1.0, 2.0]), requires_grad=False)

    def f(x):
        change(t, x)
        return t * x

    f.held = t
    return f


REFUSED = {
    "float": (lambda x: float(x[0]), BAKED),
    "int": (lambda x: int(x[0]), BAKED),
    "bool": (lambda x: bool(x[0]), BAKED),
    "item": (lambda x: x[0].item(), BAKED),
    "tolist": (lambda x: x.tolist(), BAKED),
    "numpy": (lambda x: x.numpy(), BAKED),
    "asarray": (lambda x: np.asarray(x, dtype=float, copy=True, like=None), BAKED),
    "a branch": (branch, BAKED),
    "a loop": (lambda x: next(i for i in range(9) if i > x[0]), BAKED),
    "math": (lambda x: math.sin(x[0]), BAKED),
    "range": (lambda x: range(np.argmax(x)), BAKED),
    "in": (lambda x: 2.0 in x, BAKED),
    "stored in an array": (stored, BAKED),
    "a mask as an index": (lambda x: np.sum(x[x > 0]), r"x\[mask\] .*test_refusals\.py:\d+.*np\.where"),
    "entries that are not 0": (lambda x: np.flatnonzero(x), r"np\.flatnonzero .*test_refusals\.py:\d+.*np\.where"),
    "a condition as an index": (
        lambda x: np.piecewise(x, [x > 0, x <= 0], [np.sin, 0.0]),
        rf"np\.piecewise asks for np\.asarray.*{HERE}.*np\.where.*np\.select",
    ),
    "ends of segments": (
        lambda x: np.add.reduceat(x, np.argsort(x)[:2]),
        rf"np\.reduceat asks for np\.asarray.*{HERE}.*a tuple of Python ints",
    ),
    "counts of copies": (
        lambda x: np.repeat(x, np.argsort(x)),
        rf"np\.repeat .*{HERE}.* repeats= .*decides the shape.*np\.take\(x, i, axis=0\)",
    ),
    "a count of copies": (lambda x: np.repeat(x, np.argmax(x)), rf"np\.repeat .*{HERE}.* repeats= .*a Python int"),
    "vectorize": (lambda x: np.vectorize(abs)(x), rf"np\.vectorize asks for .*{HERE}.*for whole arrays"),
    "an axis": (lambda x: np.sum(x[None], axis=np.argmin(x)), rf"np\.sum .*{HERE}.* axis= .*as a Python int"),
    "a length": (lambda x: np.fft.fft(x, np.argmax(x)), rf"np\.fft .*{HERE}.* n= .*as a Python int"),
    "entries left out": (lambda x: np.delete(x, np.argsort(x)[:2]), rf"np\.delete .*{HERE}.* gone= "),
    "different entries": (lambda x: np.unique(x), rf"np\.unique .*{HERE}.*as there are different ones.*np\.where"),
    "common entries": (lambda x: np.intersect1d(x, x), rf"np\.intersect1d .*{HERE}.*different ones"),
    "counted numbers": (lambda x: np.bincount(np.argsort(x)), rf"np\.bincount .*{HERE}.*minlength=n.*np\.sum"),
    "as many bins as fit": (lambda x: np.histogram(x, "auto")[0], rf"np\.histogram .*{HERE}.*as a Python int"),
    "a number of bins": (lambda x: np.histogram(x, np.argmax(x))[0], rf"np\.histogram .*{HERE}.*as a Python int"),
    "an entry of a list": (lambda x: [1.0, 2.0, 3.0][np.argmax(x)], rf"index\(\) .*{HERE}.*{TABLE}"),
    "an entry of an array": (lambda x: np.eye(3)[np.argsort(x)], rf"np\.asarray.*{HERE}.*{TABLE}"),
    "an array of entries": (lambda x: np.array([x[0], x[1]]), rf"np\.asarray.*{HERE}.*np\.stack"),
    "an iterable": (lambda x: np.fromiter(x, float), BAKED),
    "closeness": (lambda x: x if np.allclose(x, 1) else -x, rf"^bool\(\) .*{HERE}"),
    "equality": (lambda x: x if np.array_equal(x, X) else -x, rf"^bool\(\) .*{HERE}"),
    "how many are not 0": (lambda x: range(np.count_nonzero(x)), rf"^index\(\) .*{HERE}"),
    "print": (lambda x: print(x, file=io.StringIO()), rf"^str\(\) .*{HERE}.*ag\.fresh\(print, t\)"),
    "format": (lambda x: f"{x[0]:.2f}", rf"^format\(\) .*{HERE}.*ag\.fresh\(print, t\)"),
    "a text": (lambda x: np.array2string(x), rf"^np\.array2string\(\) .*{HERE}"),
    "shared memory": (lambda x: x if np.shares_memory(x, x) else -x, rf"^np\.shares_memory\(\) .*{HERE}.*ask outside"),
    "a refusal that is caught": (swallowed, rf"refused at {HERE} was caught inside.*let the error pass"),
    "an argument that is added to": (added, rf"an argument of shape \(3,\) is changed.*{HERE}.*x = x \+ 1"),
    "an argument assigned into": (filled, rf"an argument of shape \(3,\) is changed.*{HERE}.*x\.copy\(\)"),
    "an argument as out=": (lambda x: np.sin(x, out=x), rf"an argument of shape .*{HERE}.*x\.copy\(\)"),
    "an argument that is sorted": (lambda x: x.sort(), rf"an argument of shape .*{HERE}.*x\.copy\(\)"),
    "a Tensor from around added to": (held(lambda t, x: t.__iadd__(x)), CHANGED),
    "a Tensor from around assigned into": (held(lambda t, x: t.__setitem__(0, x[0])), CHANGED),
    "a Tensor from around filled": (held(lambda t, _x: t.fill(2.0)), CHANGED),
    "a Tensor from around that is sorted": (held(lambda t, _x: t.sort()), CHANGED),
    "a Tensor from around added to at": (held(lambda t, x: np.add.at(t, [0, 0], x[:2])), CHANGED),
    "a Tensor from around as out=": (held(lambda t, x: np.exp(x, out=t)), CHANGED),
    "a generator function": (yielding, r"not a generator, which runs when recording is over.*a list or a tuple"),
    "a generator as a result": (lambda x: (v for v in [x]), r"not a generator"),
    "an iterator as a result": (lambda x: iter([x]), r"not a list_iterator"),
    "a coroutine": (awaited, r"not a coroutine"),
    "a function as a result": (lambda x: lambda y: x * y, r"returned a function that holds traced values"),
    "an object as a result": (lambda x: Box([x]), r"returned a Box that holds traced values.*ag\.register_tree\(Box"),
    "a slot of a result": (lambda x: Slotted(x * 2), r"returned a Slotted that holds traced values"),
    "a set as a result": (lambda x: {x.sum()}, r"returned a set that holds traced values"),
    "errors raised by values": (raising, rf"np\.errstate\(invalid='raise'\) .*{HERE}.*np\.where"),
    "a generator of Python's": (lambda x: x * PYTHONS.random(), r"drawn from inside.*ag\.fresh"),
    "a method of a generator": (lambda x: x * DRAW(size=3), r"drawn from inside.*ag\.fresh"),
    "a number drawn in advance": (lambda x: x * np.random.randn(), r"global generator.*ag\.fresh"),  # noqa: NPY002
    "zeros at the ends": (lambda x: np.trim_zeros(x), r"np\.argwhere .*test_refusals\.py:\d+.*np\.where"),
    "real or complex": (lambda x: np.emath.sqrt(x), r"np\.emath gives real or complex.*test_refusals\.py:\d+.*0j"),
    "real if close": (lambda x: np.real_if_close(x + 0j), r"np\.real_if_close gives real or complex.*np\.real\(x\)"),
    "an array that changes": (changed, r"shape \(3,\), used at .*test_refusals\.py:\d+, was changed in place"),
    "a hidden draw": (lambda x: x * RNG.normal(size=3), r"drawn from inside.*ag\.fresh\(rng\.normal"),
    "numpy's global generator": (lambda x: x * np.random.rand(), r"global generator.*ag\.fresh"),  # noqa: NPY002
    "python's generator": (lambda x: x * random.random(), r"global generator.*ag\.fresh"),
    "a result that is no number": (lambda x: ag.fresh(lambda: ("a", 1)) or x, r"returns numbers and arrays"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    f, message = REFUSED[name]
    np.random.randn()  # noqa: NPY002  (which keeps a second number)
    with pytest.raises(ag.GraphError) as refusal:
        ag.compile(f)(X)
    assert pytest.raises(ag.GraphError, match=message).matches(refusal.value), str(refusal.value)
    if hasattr(f, "held"):
        np.testing.assert_array_equal(f.held.data, [3.0, 1.0, 2.0])


def under_another_name(p):
    w = p.data
    w *= 2


def through_an_entry(p):
    p.data[0] = 9.0


@pytest.mark.parametrize("change", [under_another_name, through_an_entry])
def test_a_parameter_changed_in_place_under_another_name(change):
    p = Tensor(X, name="p")

    def f(x):
        change(p)
        return p * x

    with pytest.raises(ag.GraphError, match=r"'p', taken as \.data at .*test_refusals\.py:\d+.*p\.assign"):
        ag.compile(f)(X)
    np.testing.assert_array_equal(p.data, X)


def test_a_refusal_costs_nothing():
    p, q = Tensor(X), Tensor(2.0)
    p.grad = np.ones(3)

    def f(x):
        p.grad = None
        loss = np.sum(p * x) * q
        loss.backward()
        p.data -= 0.1 * p.grad
        q.assign(q.data * 3)
        return float(loss)

    compiled = ag.compile(f)
    with pytest.raises(ag.GraphError):
        compiled(X)
    np.testing.assert_array_equal(p.data, X)
    np.testing.assert_array_equal(p.grad, np.ones(3))
    assert (q.data, q.grad, compiled.plans) == (2.0, None, [])
    with pytest.raises(ag.GraphError, match="nothing has been compiled"):
        compiled.plan  # noqa: B018


def test_objects_in_arrays():
    with pytest.raises(TypeError, match="arrays of numbers, not of object"):
        ag.compile(lambda x: x)(np.array([None]))


def test_shuffling_in_place():
    with pytest.raises(ag.GraphError, match="permuted"):
        ag.compile(lambda x, rng: rng.shuffle(x))(X, np.random.default_rng(0))


def test_what_depends_on_something_else_is_found_by_check():
    os.environ["A_RATE"] = "2"  # which nothing in the function's code names as a place
    compiled = ag.compile(lambda x: x * float(os.environ["A_RATE"]), check=True)
    compiled(X)
    np.testing.assert_array_equal(compiled(X), 2 * X)
    os.environ["A_RATE"] = "3"
    with pytest.raises(ag.GraphError, match=r"result 0 of the replay differs.*an attribute"):
        compiled(X)


@pytest.mark.parametrize("name", ["spawn", "bit_generator"])
def test_a_generator_that_was_passed_in_only_draws(name):
    with pytest.raises(ag.GraphError, match=rf"rng\.{name} .*{HERE}.*take it outside"):
        ag.compile(lambda rng: getattr(rng, name))(np.random.default_rng(0))


def test_a_change_of_shape_from_around_is_another_plan():
    counts = np.array([1, 2, 3])
    compiled = ag.compile(lambda x: np.sin(np.repeat(x, counts)) + 1)
    for change in (3, 3, 1):
        counts[2] = change
        np.testing.assert_array_equal(compiled(X), np.sin(np.repeat(X, counts)) + 1)


def test_what_a_function_called_anew_returns():
    with pytest.raises(ag.GraphError, match=r"returns numbers and arrays, not \(1, 'a'\)"):
        ag.compile(lambda x: ag.fresh(lambda: (1, "a")) or x)(X)


def test_check_refuses_draws():
    compiled = ag.compile(lambda x: x * ag.fresh(RNG.normal), check=True)
    compiled(X)
    with pytest.raises(ag.GraphError, match="cannot call a function twice"):
        compiled(X)


# --- none without a test ----------------------------------------------------------------------------------------------


def checked(f, *args, change=None):
    compiled = ag.compile(f, check=True)
    compiled(*args)
    if change is not None:
        change()
    compiled(*args)


class Calls:
    number = 0

    def more(self):
        self.number += 1


def counting(calls):
    return lambda x: (calls.more(), x)[1]


def deciding(x):
    os.environ["A_RATE"] = "2"
    checked(lambda x: x * float(os.environ["A_RATE"]), x, change=lambda: os.environ.update(A_RATE="3"))


def stepping_twice(x):
    p = Tensor(X)
    first, second = nn.SGD([p], lr=0.1), nn.SGD([p], lr=0.1)

    def step(x):
        np.sum(p * x).backward()
        first.step()
        second.step()

    ag.compile(step)(x)


PARAMETER = Tensor(X)
OTHERS = {
    "a run with other arguments": lambda: trace(lambda x: x * 2)(X)(X, X),
    "a run with other inputs": lambda: trace(lambda x: x * 2)(X).run([X, X]),
    "a trace of no function": lambda: trace(X),
    "a trace inside of another": lambda: trace(lambda x: trace(np.sin)(x)(x))(X),
    "a run with another number": lambda: trace(lambda x, n: x * n)(X, 2)(X, 3),
    "a run with a Tensor": lambda: trace(lambda x: x * 2)(X)(Tensor(X)),
    "a run inside a compiled function": lambda: ag.compile(trace(lambda x: x * 2)(X))(X),
    "a run with another shape": lambda: trace(lambda x: x * 2)(X)(X[:1]),
    "a changed count": lambda: ag.compile(counting(Calls()))(X),
    "a parameter's values": lambda: ag.compile(lambda x: through_an_entry(Tensor(x)) or x)(X),
    "a parameter from around": lambda: ag.compile(lambda x: through_an_entry(PARAMETER) or x * PARAMETER)(X),
    "shuffling": lambda: ag.compile(lambda x, rng: rng.shuffle(x))(X, np.random.default_rng(0)),
    "spawning": lambda: ag.compile(lambda rng: rng.spawn(2))(np.random.default_rng(0)),
    "a result of ag.fresh": lambda: ag.compile(lambda x: ag.fresh(lambda: (1, "a")) or x)(X),
    "checked draws": lambda: checked(lambda x: x * ag.fresh(RNG.normal), X),
    "checked differences": lambda: deciding(X),
    "a parameter of two optimizers": lambda: stepping_twice(X),
    "objects": lambda: ag.compile(lambda x: x)(np.array([None])),
    "complex eigenvalues": lambda: traced.Steady(np.linalg.eigvals, lambda: np.ones(2, complex), [X], "ag.compile")(),
    "no function": lambda: ag.compile(3),
    "no plan": lambda: ag.compile(abs).plan,
}


@pytest.mark.parametrize("name", REFUSED)
def test_tracing_refuses_what_compiling_refuses(name):
    with pytest.raises((ag.GraphError, TypeError)) as refusal:
        trace(REFUSED[name][0])(X)
    assert "ag.compile" not in str(refusal.value)
    assert "compiled function" not in str(refusal.value)


def test_every_refusal_has_a_test():
    np.random.randn()  # noqa: NPY002
    raised = set()
    for refuse in (*OTHERS.values(), *(lambda f=f: ag.compile(f)(X) for f, _ in REFUSED.values())):
        with pytest.raises((ag.GraphError, TypeError)) as refusal:
            refuse()
        raised.add((refusal.traceback[-1].path.name, refusal.traceback[-1].lineno + 1))
    missing = []
    rooms = [pathlib.Path(room.__file__).parent for room in (autograd_core.replay, autograd_core.program)]
    for path in [path for room in rooms for path in room.glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            kind = getattr(getattr(node.exc, "func", None), "id", "") if isinstance(node, ast.Raise) else ""
            lines = {line for name, line in raised if name == path.name}
            if kind in ("GraphError", "TypeError") and lines.isdisjoint(range(node.lineno, node.end_lineno + 1)):
                missing.append(f"{path.name}:{node.lineno}")
    assert not missing
