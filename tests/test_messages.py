"""What somebody new does wrong, and the sentence that comes back: what was given, what was expected, what to write."""

import functools
import importlib.util
import io
import math
import re
import traceback

import numpy as np
import pytest

import autograd_core as ag
import nn

GIVEN = {"__name__": __name__, "np": np, "ag": ag, "nn": nn, "math": math, "functools": functools}


def names():
    """Return what the expressions below speak of, made anew for each."""
    model = nn.MLP([2, 3, 1], rng=0)
    return GIVEN | {
        "t": ag.Tensor([0.5, 1.0, 2.0]),
        "s": ag.Tensor(2.0),
        "M": ag.Tensor([[1.0, 2.0], [3.0, 4.0]]),
        "a": np.ones(3),
        "rng": np.random.default_rng(0),
        "X": np.ones((4, 2)),
        "y": np.ones((4, 1)),
        "model": model,
        "logits": ag.Tensor(np.arange(6.0).reshape(2, 3)),
    }


def sentence_of(act, error):
    """Return what is said; `act` is an expression, or statements, in the words above, or a function."""
    do = act if callable(act) else lambda: exec(compile(act, "<typed by a person>", "exec"), names())
    with pytest.raises(error) as caught:
        do()
    return str(caught.value)


def check(act, error, fragments):
    said = sentence_of(act, error)
    missing = [fragment for fragment in fragments if fragment not in said]
    assert not missing, said


# --- taking a Tensor for an array or a number -------------------------------------------------------------------------

DETACHING = [
    ("math.exp(s)", TypeError, ["math.exp(t)", "write np.exp(t)", ".item()"]),
    ("math.exp(math.sin(s))", TypeError, ["math.sin(t)", "write np.sin(t)"]),
    ("math.exp(np.sin(s))", TypeError, ["math.exp(t)", "write np.exp(t)"]),
    ("f = math.log1p\nf(s)", TypeError, ["write np.log1p(t)"]),
    ("from math import sqrt\nsqrt(s)", TypeError, ["write np.sqrt(t)"]),
    ("[math.cosh(v) for v in t]", TypeError, ["write np.cosh(t)"]),
    ("math.pow(s, 2)", TypeError, ["write np.pow(t)"]),
    ("math.floor(s)", TypeError, ["write np.floor(t)"]),
    ("math.atan2(s, 1.0)", TypeError, ["write np.atan2(t)"]),
    ("math.erf(s)", TypeError, ["write scipy.special.erf(t)"]),
    ("math.lgamma(s)", TypeError, ["write scipy.special.gammaln(t)"]),
    ("math.fsum(t)", TypeError, ["write np.sum(t)"]),
    ("math.sin(t)", TypeError, ["write np.sin(t)"]),
    ("import cmath\ncmath.exp(s)", TypeError, ["cmath.exp(t)", "write np.exp(t)"]),
    ("a[:] = t", TypeError, ["into a plain array", "np.stack(parts)", "ag.Tensor(a, requires_grad=False)", ".data"]),
    ("a[a > 0] = t", TypeError, ["into a plain array", "np.stack(parts)"]),
    ("np.full(3, s)", TypeError, ["write np.broadcast_to(t, shape)"]),
    ("np.full_like(a, s)", TypeError, ["write np.broadcast_to(t, shape)"]),
    ("np.float32(s)", TypeError, ["np.float32(t)", "write t.astype(np.float32)"]),
    ("np.vectorize(lambda v: v * 2)(t)", TypeError, ["np.vectorize", "write f for whole arrays", "np.stack"]),
    ("np.frompyfunc(lambda v: v * 2, 1, 1)(t)", TypeError, ["np.frompyfunc", "<lambda>", "for whole arrays"]),
    ("def g(v):\n    return v\nnp.frompyfunc(g, 1, 1)(t)", TypeError, ["np.frompyfunc made of g ", "np.stack"]),
    ("a += t", TypeError, ["in place, as in a += t", "write a = np.add(a, t)"]),
    ("a *= t", TypeError, ["write a = np.multiply(a, t)", "ag.Tensor(a, requires_grad=False)"]),
    ("f'{t:.2f}'", TypeError, ["'.2f'", "shape (3,)", "t.item()", "np.array2string"]),
    ("np.concatenate(t, t)", TypeError, ["axis= as a constant", "in a list, np.concatenate([a, b])"]),
    ("np.stack(t, t)", TypeError, ["in a list, np.stack([a, b])"]),
    ("np.max(t, t)", TypeError, ["the larger of two is np.maximum(a, b)"]),
    ("np.min(t, t)", TypeError, ["the smaller of two is np.minimum(a, b)"]),
    ("ag.Tensor('abc')", TypeError, ["a Tensor holds numbers, str gave dtype <U3"]),
    ("ag.Tensor([s, s])", TypeError, ["np.stack([...])"]),
    ("ag.Tensor(1.0, name=3)", TypeError, ["the name of a Tensor is a string, not 3"]),
]


@pytest.mark.parametrize(("act", "error", "fragments"), DETACHING, ids=[row[0] for row in DETACHING])
def test_taking_a_tensor_for_an_array(act, error, fragments):
    check(act, error, fragments)


ENTRIES = ["a[0] = s", "a[0] = t[1]", "a[0] = t", "a[0] += s", "a[0] -= t[1]", "a.fill(s)", "np.zeros(3, int)[0] = s"]


@pytest.mark.parametrize("act", ENTRIES)
def test_an_entry_of_a_plain_array(act):
    # NumPy puts "setting an array element with a sequence" over any error of float(); ours is its cause and is printed.
    with pytest.raises((TypeError, ValueError)) as caught:
        exec(compile(act, "<typed by a person>", "exec"), names())
    printed = "".join(traceback.format_exception(caught.value))
    assert "would silently lose its gradient" in printed
    assert "np.broadcast_to" in printed if "fill" in act else re.search(r"np\.stack\(parts\).*\.item\(\)", printed)


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib")
@pytest.mark.parametrize("call", ["plt.plot(t)", "plt.plot(a, t)", "plt.scatter(t, t)", "plt.hist(t)", "plt.imshow(M)",
                                  "plt.bar(a, t)", "plt.subplots()[1].plot(t)"])  # fmt: skip
def test_drawing_a_tensor_with_matplotlib(call):
    import matplotlib as mpl

    mpl.use("Agg")
    check(f"import matplotlib.pyplot as plt\n{call}", TypeError, ["matplotlib takes plain arrays, give it t.data"])
    mpl.pyplot.close("all")


SCIPY = [
    "optimize.brentq(lambda x: w * x**2 - 2, 0, 2)", "optimize.bisect(lambda x: w * x**2 - 2, 0, 2)",
    "optimize.root(lambda x: w * x**2 - 2, [1.0])", "optimize.fsolve(lambda x: w * x**2 - 2, [1.0])",
    "optimize.leastsq(lambda x: w * x - 2, [1.0])", "optimize.least_squares(lambda x: w * x - 2, [1.0])",
    "optimize.minimize(lambda x: np.sum(w * x**2), [1.0, 2.0])", "optimize.minimize(lambda x: np.sum(x**2), t)",
    "optimize.curve_fit(lambda x, c: w * c * x, np.arange(3.0), np.arange(3.0))",
    "optimize.minimize_scalar(lambda x: (ag.Tensor(x) - 2) ** 2)", "optimize.newton(lambda x: ag.Tensor(x)**2 - 2, 1.0)",
    "optimize.differential_evolution(lambda x: w * x[0], [(0, 1)])",
    "optimize.minimize(lambda x: x @ x, [1.0, 2.0], jac=lambda x: w * x)",
]  # fmt: skip


@pytest.mark.parametrize("call", SCIPY)
def test_a_solver_of_scipy_is_given_tensors(call):
    pytest.importorskip("scipy")
    act = f"from scipy import optimize\nw = ag.Tensor(2.0)\n{call}"
    check(act, (TypeError, RuntimeError), ["scipy.optimize", "return y.item() or y.data", "ag.grad(f)", ".data"])


@pytest.mark.parametrize(
    "call",
    ["integrate.quad(lambda x: s * x, 0, 1)", "integrate.solve_ivp(lambda u, y: s * y, (0, 1), [1.0])",
     "integrate.odeint(lambda y, u: s * y, 1.0, [0.0, 1.0])"],
)  # fmt: skip
def test_an_integral_of_scipy_is_given_tensors(call):
    pytest.importorskip("scipy")
    check(f"from scipy import integrate\n{call}", RuntimeError, ["scipy.integrate", "return y.item() or y.data"])


@pytest.mark.parametrize(
    "call",
    ["signal.lfilter([1.0], [1.0, 0.5], t)", "signal.lfilter(t, [1.0, 0.5], a)", "signal.savgol_filter(t, 3, 1)",
     "interpolate.CubicSpline(a.cumsum(), t)", "ndimage.gaussian_filter(t, 1.0)"],
)  # fmt: skip
def test_a_function_of_scipy_without_a_rule_is_given_a_tensor(call):
    pytest.importorskip("scipy")
    act = f"from scipy import interpolate, ndimage, signal\n{call}"
    check(act, (TypeError, RuntimeError), ["give it t.data", "ag.primitive(", "ag.rule", ".detach()"])


# --- functions of functions, switches, rules --------------------------------------------------------------------------

TRANSFORMS = "grad value_and_grad elementwise_grad jacobian hessian hvp checkpoint".split()


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("given", ["a", "t", "3.0"])
def test_a_value_in_the_place_of_a_function(name, given):
    check(f"ag.{name}({given})", TypeError, [f"ag.{name}(f)(x)", "backward()"])


@pytest.mark.parametrize("call", ["vjp(t, a)", "jvp(a, (a,), (a,))"])
def test_a_value_in_the_place_of_a_function_beside_its_arguments(call):
    check(f"ag.{call}", TypeError, [f"ag.{call[:3]}(f, x)", "of shape (3,)"])


@pytest.mark.parametrize("call", [*(f"{name}(f)(1.0)" for name in TRANSFORMS[:-2]), "hvp(f)(1.0, 1.0)", "vjp(f, 1.0)",
                                  "jvp(f, (1.0,), (1.0,))", "compile(ag.grad(f))(1.0)"])  # fmt: skip
def test_a_function_without_return(call):
    check(f"def f(x):\n    x * 2\nag.{call}", TypeError, ["returned 0: None", "does it end with return?"])


USE = [
    ("with ag.no_grad: pass", TypeError, ["brackets", "with ag.no_grad():"]),
    ("with ag.debug: pass", TypeError, ["with ag.debug():"]),
    ("@ag.no_grad\ndef f(x): return x", TypeError, ["@ag.no_grad()"]),
    ("ag.grad(lambda x: x)(x=1.0)", TypeError, ["0 positional arguments", "passed by position"]),
    ("ag.exp(s)", AttributeError, ["write np.exp: NumPy's own functions take Tensors"]),
    ("ag.jit(lambda x: x)", AttributeError, ["write ag.compile"]),
    ("ag.Variable(1.0)", AttributeError, ["write ag.Tensor"]),
    ("ag.numpy", AttributeError, ["import numpy as np"]),
    ("ag.value_and_gradient", AttributeError, ["write ag.value_and_grad"]),
    ("t.clone()", AttributeError, ["write t.copy()"]),
    ("t.to('cpu')", AttributeError, ["t.astype(dtype)", "no GPU"]),
    ("t.cuda()", AttributeError, ["no GPU"]),
    ("t.requires_grad_()", AttributeError, ["write t.requires_grad = True"]),
    ("t.permute(0)", AttributeError, ["write np.transpose(t, axes)"]),
    ("t.expand(2, 3)", AttributeError, ["write np.broadcast_to(t, shape)"]),
    ("t.double()", AttributeError, ["write t.astype(np.float64)"]),
    ("t.add_(1)", AttributeError, ["write t += other"]),
    ("t.numel()", AttributeError, ["write t.size"]),
    ("t.dim()", AttributeError, ["write t.ndim"]),
    ("t.retain_grad()", AttributeError, ["only leaves have a grad"]),
]


@pytest.mark.parametrize(("act", "error", "fragments"), USE, ids=[row[0] for row in USE])
def test_use(act, error, fragments):
    check(act, error, fragments)


PRIMITIVE = "@ag.primitive\ndef f(x, k=2, how=None): return x * k\n"
RULES = [
    (PRIMITIVE + "ag.rule(f, lambda g, y: g)", ["names y", "f(x, k, how)", "calls the arrays x", "args="]),
    (PRIMITIVE + "ag.rule(f, lambda g, x_spaces: g)", ["names x_spaces", "x_space"]),
    (PRIMITIVE + "ag.rule(f, lambda g, axis: g)", ["names axis", "f(x, k, how) does not have"]),
    (PRIMITIVE + "ag.rule(f, lambda x: 2 * x)", ["first, under the name g, not x", "lambda g, x: ..."]),
    (PRIMITIVE + "ag.rule(f, lambda ans, g: g * ans)", ["first, under the name g, not ans", "lambda g, ans: ..."]),
    (PRIMITIVE + "def pull(x, g): return g\nag.rule(f, pull)", ["under the name g, not x", "def pull(g, x)"]),
    (PRIMITIVE + "ag.rule(f, 3.0)", ["a function or None where no gradient flows", "not 3.0"]),
    (PRIMITIVE + "ag.rule(f)", ["a pullback for each array argument"]),
    ("ag.rule(np.i0, lambda g, z: g)", ["names z", "i0(x)"]),
    ("ag.rule('sin', lambda g: g)", ["a rule is for a function", "not for 'sin'"]),
    ("def f(x): return x\nag.rule(f, lambda g: g)", ["would never be used", "@ag.primitive"]),
    ("ag.rule(math.exp, lambda g, ans: g * ans)", ["would never be used", "ag.primitive(exp)"]),
    ("ag.primitive(3)", ["primitive takes a function, not 3"]),
    (
        "@ag.primitive\ndef ap(f, x): return f(x)\nag.rule(ap, None, lambda g, x: g)\nap(np.sin, t)",
        ["a ufunc is neither a number nor an array", "functions come behind the arrays"],
    ),
    (
        "@ag.primitive\ndef ap(f, x): return f(x)\nag.rule(ap, None, lambda g, x: g)\nap(lambda v: v, t)",
        ["a function is neither a number nor an array", "ag.primitive(lambda x, f: f(x))"],
    ),
]


@pytest.mark.parametrize(("act", "fragments"), RULES, ids=range(len(RULES)))
def test_rules_are_refused_when_they_are_registered(act, fragments):
    check(act, TypeError, fragments)


class Scaled:
    def __init__(self, c):
        self.c = c

    def pull(self, g, x):
        return self.c * g * x


PULLS = {
    "left out": lambda g, k: g * k,
    "two left out": lambda g, how, k: g * k * (how is None),
    "another name": lambda cotangent, k: cotangent * k,
    "own default": lambda g, c=2.0: g * c,
    "any": lambda g, **rest: g * 2.0 + 0.0 * len(rest),
    "method": Scaled(2.0).pull,
    "partial": functools.partial(lambda c, g: g * c, 2.0),
}


@pytest.mark.parametrize("pull", PULLS.values(), ids=PULLS)
def test_rules_that_are_right_are_taken(pull):
    """A pullback gets the default of a keyword that the call left out; its own defaults, and a method, are its own."""

    @ag.primitive
    def double(x, k=2.0, how=None):
        return x * k if how is None else how(x)

    ag.rule(double, pull)
    assert ag.grad(double)(1.0) == 2.0


def test_a_function_behind_the_arrays_is_metadata():
    @ag.primitive
    def apply(x, f, scale=1.0):
        return scale * f(x)

    ag.rule(apply, lambda g, x, f, scale: g * scale * ag.elementwise_grad(f)(x))
    x = np.array([0.5, 1.0])
    np.testing.assert_allclose(ag.grad(lambda x: np.sum(apply(x, np.sin)))(x), np.cos(x))
    np.testing.assert_allclose(ag.grad(lambda x: np.sum(apply(x, f=np.sin, scale=2.0)))(x), 2 * np.cos(x))
    step = ag.compile(ag.grad(lambda x: np.sum(apply(x, np.exp))))
    for x in (np.zeros(2), np.ones(2)):
        np.testing.assert_allclose(step(x), np.exp(x))


# --- networks ---------------------------------------------------------------------------------------------------------

LAYERS = [
    ("nn.Linear(2.5, 3, rng=0)", TypeError, ["n_in of Linear is an integer, not 2.5"]),
    ("nn.Linear(2.0, 3, rng=0)", TypeError, ["not 2.0: write 2"]),
    ("nn.Linear(2, '3', rng=0)", TypeError, ["n_out of Linear is an integer, not '3'"]),
    ("nn.Linear(X.shape, 3, rng=0)", TypeError, ["n_in of Linear is an integer, not (4, 2)"]),
    ("nn.MLP([2, 2.5, 1], rng=0)", TypeError, ["a size of MLP is an integer, not 2.5"]),
    ("nn.MLP([2, 1], nn.Dropout, rng=0)", TypeError, ["the class Dropout: make one"]),
    ("nn.Conv2d(1.5, 2, 3, rng=0)", TypeError, ["n_in of Conv2d is an integer, not 1.5"]),
    ("nn.Conv1d(1, 2, 2.5, rng=0)", ValueError, ["window is an integer from 1 upwards", "not 2.5"]),
    ("nn.Conv2d(1, 2, 3, stride=1.5, rng=0)", ValueError, ["stride is an integer", "not 1.5"]),
    ("nn.MaxPool2d(2.5)", ValueError, ["window is an integer", "not 2.5"]),
    ("nn.Embedding(2.5, 2, rng=0)", TypeError, ["n of Embedding is an integer, not 2.5"]),
    ("nn.RNN(2, 2.5, rng=0)", TypeError, ["hidden of RNN is an integer, not 2.5"]),
    ("nn.LSTM(2.5, 2, rng=0)", TypeError, ["n_in of LSTM is an integer, not 2.5"]),
    ("nn.GRU(2, 2, num_layers=1.5, rng=0)", TypeError, ["num_layers of GRU is an integer, not 1.5"]),
    ("nn.LayerNorm(2.5)", TypeError, ["LayerNorm is an integer, not 2.5"]),
    ("nn.BatchNorm('2')", TypeError, ["BatchNorm is an integer, not '2'"]),
    ("nn.RBF(2, 3.5, rng=0)", TypeError, ["n_out of RBF is an integer, not 3.5"]),
    ("nn.init.he(0, (2.5, 2))", TypeError, ["is an integer, not 2.5"]),
    ("nn.Sequential(nn.Linear)", TypeError, ["layer 0 is the class Linear: make one of it, Linear(...)"]),
    ("nn.Sequential(np.tanh, nn.Dropout)", TypeError, ["layer 1 is the class Dropout"]),
    ("nn.Residual(nn.Linear)", TypeError, ["layer 0 is the class Linear"]),
    ("nn.Parallel(np.tanh, nn.Linear)", TypeError, ["branch 1 is the class Linear"]),
    ("nn.Sequential([np.tanh])", TypeError, ["layer 0 is a list", "write Sequential(*layers)"]),
    ("nn.Sequential(np.tanh for _ in a)", TypeError, ["layer 0 is a generator", "write Sequential(*layers)"]),
    ("nn.Sequential(np.tanh, 'relu')", TypeError, ["layer 1 is a str", "write nn.relu"]),
    ("nn.Sequential(np.tanh, None)", TypeError, ["layer 1 is a NoneType, neither a Module nor a function"]),
    ("nn.mse(model, y)", TypeError, ["mse takes numbers, not a MLP", "as in model(X)"]),
    ("nn.cross_entropy(model, y)", TypeError, ["cross_entropy takes numbers, not a MLP"]),
    ("model(model)", TypeError, ["takes numbers, not a MLP"]),
    ("nn.clip_grad_norm_", AttributeError, ["write nn.clip_by_norm"]),
]


@pytest.mark.parametrize(("act", "error", "fragments"), LAYERS, ids=[row[0] for row in LAYERS])
def test_layers(act, error, fragments):
    check(act, error, fragments)


FIT = "nn.fit(model, (X, y), loss=nn.mse, optimizer=nn.SGD(lr=0.1), epochs=1, progress=False, callbacks={})"
TRAINING = [
    ("nn.SGD(model.parameters(), lr=-0.1)", ValueError, ["positive number, not -0.1", "0 is allowed"]),
    ("nn.SGD(model.named_parameters(), lr=0.1)", TypeError, ["write model.parameters(), without the names"]),
    ("nn.SGD([a], lr=0.1)", TypeError, ["not a tracked leaf", "write ag.Tensor(array)"]),
    ("nn.SGD([t * 2], lr=0.1)", TypeError, ["the result of an operation", "ag.Tensor(t.data)"]),
    ("nn.SGD([t.detach()], lr=0.1)", TypeError, ["requires_grad=True"]),
    ("nn.SGD([], lr=0.1)", ValueError, ["was given no parameters", "ag.Tensor(array), not arrays", "generator"]),
    (FIT.format("3"), TypeError, ["a callback is a function of the epoch", "not 3"]),
    (FIT.format("[print, 3]"), TypeError, ["a callback is a function", "not 3"]),
]


@pytest.mark.parametrize(("act", "error", "fragments"), TRAINING, ids=[row[0] for row in TRAINING])
def test_training(act, error, fragments):
    check(act, error, fragments)


def test_a_rate_of_0_moves_nothing():
    p = ag.Tensor([1.0, -2.0])
    for optimizer in (nn.SGD([p], lr=0.0), nn.Adam([p], lr=0.0), nn.SGD([{"params": [p], "lr": 0}], lr=1.0)):
        p.grad = None
        np.sum(p * p).backward()
        optimizer.step()
        np.testing.assert_array_equal(p.data, [1.0, -2.0])
    optimizer.lr = 0
    assert optimizer.lr == 0


def taken_in_turns(steps):
    """Return what SGD with momentum and Adam, step by step in turns, make of [1, -2, 3] under the loss w @ w."""
    w, v, m, s = np.array([1.0, -2.0, 3.0]), np.zeros(3), np.zeros(3), np.zeros(3)
    for k in range(1, steps + 1):
        v = 0.9 * v + 2 * w
        w = w - 0.1 * v
        m, s = 0.9 * m + 0.1 * 2 * w, 0.999 * s + 0.001 * 4 * w * w
        w = w - 0.05 * (m / (1 - 0.9**k)) / (np.sqrt(s / (1 - 0.999**k)) + 1e-8)
    return w


def two_optimizers():
    """Return two parameters, and the steps of two optimizers that share them."""
    p, q = ag.Tensor([1.0, -2.0]), ag.Tensor(3.0)

    def step(optimizer):
        optimizer.zero_grad()
        (np.sum(p * p) + q * q).backward()
        optimizer.step()

    first, second = nn.SGD([p, q], lr=0.1, momentum=0.9), nn.Adam([p, q], lr=0.05)
    return p, q, lambda: step(first), lambda: step(second)


@pytest.mark.parametrize("wrap", [lambda f: f, ag.compile], ids=["eager", "compiled"])
def test_one_parameter_in_two_optimizers(wrap):
    """Each has a state of its own, and the parameter goes from one buffer to the other."""
    p, q, *steps = two_optimizers()
    steps = [wrap(f) for f in steps]
    for _ in range(6):
        for f in steps:
            f()
    np.testing.assert_allclose(np.append(p.data, q.data), taken_in_turns(6), rtol=1e-13)


def test_two_optimizers_in_one_compiled_function_share_no_parameter():
    p, q, first, second = two_optimizers()
    check(ag.compile(lambda: (first(), second())), ag.GraphError, ["two optimizers", "compile the two steps apart"])
    assert (p.data.tolist(), q.item()) == ([1.0, -2.0], 3.0)


def spoilt(spoil):
    def act():
        model = nn.MLP([2, 3, 1], rng=0)
        optimizer = nn.Adam(model.parameters())
        np.sum(model(np.ones((1, 2)))).backward()
        optimizer.step()
        state = optimizer.state_dict()
        spoil(state)
        nn.Adam(nn.MLP([2, 3, 1], rng=0).parameters()).load_state_dict(state)

    return act


STATES = {
    "one is lacking": (lambda s: s["state"].pop(1), "it has no state of parameter 1"),
    "two are lacking": (lambda s: [s["state"].pop(i) for i in (0, 3)], "it has no state of parameter 0, 3"),
    "one too much": (lambda s: s["state"].update({9: s["state"][0]}), "a state of parameter 9, here are 0 to 3"),
    "another order": (lambda s: s["groups"][0].update(params=[1, 0, 2, 3]), "numbers the parameters [[1, 0, 2, 3]]"),
    "fewer": (lambda s: s["groups"][0].update(params=[0]), "groups of [1] parameters, here are groups of [4]"),
}


@pytest.mark.parametrize("name", STATES)
def test_states_of_optimizers(name):
    spoil, said = STATES[name]
    check(spoilt(spoil), ValueError, [said])


P, LABELS = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]]), np.array([0, 2])
LOSSES = {
    "a sum above 1": (lambda x, p: nn.cross_entropy(x, p * 1.5), P, "add up to 1 along the last axis, not to 1.5"),
    "a sum below 1": (lambda x, p: nn.cross_entropy(x, p * 0.5), P, "p / p.sum(axis=-1, keepdims=True)"),
    "counts": (
        lambda x, p: nn.cross_entropy(x, p * 10),
        P,
        "target probabilities of cross_entropy lie between 0 and 1",
    ),
    "negative": (lambda x, p: nn.cross_entropy(x, p - 0.25), P, "lie between 0 and 1"),
    "nan": (lambda x, p: nn.cross_entropy(x, p * np.nan), P, "lie between 0 and 1"),
    "probabilities": (lambda x, p: nn.nll(p + 0 * x, LABELS), P, "nll(np.log(p), labels)"),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_values_that_losses_refuse(name, compiled):
    loss, p, said = LOSSES[name]
    step = (ag.compile if compiled else lambda f: f)(ag.grad(lambda x, p: np.sum(loss(x, p))))
    check(lambda: step(np.ones((2, 3)), p), ValueError, [said])


@pytest.mark.parametrize("loss", [nn.cross_entropy, lambda x, p: nn.nll(p + x, LABELS)], ids=["cross_entropy", "nll"])
def test_a_compiled_loss_looks_at_every_batch(loss):
    step, x = ag.compile(ag.value_and_grad(lambda x, p: loss(x, p))), np.zeros((2, 3))
    good, bad = (P, P * 1.01) if loss is nn.cross_entropy else (np.log(P), P)
    for _ in range(3):
        before = step(x, good)
    with pytest.raises(ValueError, match="probabilities"):
        step(x, bad)
    np.testing.assert_equal(step(x, good), before)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_probabilities_with_their_roundings_are_taken(dtype):
    p = np.random.default_rng(0).dirichlet(np.ones(100), 50).astype(dtype)
    assert np.isfinite(nn.cross_entropy(np.zeros((50, 100), dtype), p))
    assert np.isfinite(nn.nll(nn.log_softmax(np.zeros((50, 100), dtype)), np.zeros(50, int)))


LABELLED = [
    ("nn.cross_entropy(logits, np.array([0.0, 1.0]))", ["write labels.astype(int)"]),
    ("nn.cross_entropy(logits, np.array([[0], [1]]))", ["integer labels of shape (2,)", "write labels.reshape(2,)"]),
]


@pytest.mark.parametrize(("act", "fragments"), LABELLED)
def test_labels(act, fragments):
    check(act, ValueError, fragments)


# --- files ------------------------------------------------------------------------------------------------------------

FILES = {
    "save to nothing": ("nn.save(model, '')", ValueError, ["the path is empty", "'model.saf"]),
    "save into a folder": ("nn.save(model, folder)", OSError, ["is a folder", "model.safetensors"]),
    "save where no folder is": ("nn.save(model, folder / 'no' / 'm')", OSError, ["there is no folder", "no"]),
    "save to a number": ("nn.save(model, 3)", TypeError, ["a path is a string or a Path", "int"]),
    "save to None": ("nn.save(model, None)", TypeError, ["a string or a Path", "NoneType"]),
    "load a folder": ("nn.load(folder)", OSError, ["is a folder, not a file that save wrote"]),
    "load a folder into": ("nn.load(folder, into=model)", OSError, ["is a folder"]),
    "load nothing": ("nn.load('')", ValueError, ["the path is empty"]),
    "load what is not there": ("nn.load(folder / 'm')", OSError, ["there is no file"]),
    "load a model": ("nn.load(model)", TypeError, ["not MLP", "load(path, into=model)"]),
    "load None": ("nn.load(None)", TypeError, ["a string or a Path", "NoneType"]),
    "read a folder": ("nn.io.read(folder)", OSError, ["is a folder"]),
}


@pytest.mark.parametrize("name", FILES)
def test_paths(name, tmp_path):
    pytest.importorskip("safetensors")
    act, error, fragments = FILES[name]
    check(f"import pathlib\nfolder = pathlib.Path({str(tmp_path)!r})\n{act}", error, fragments)
    assert not list(tmp_path.iterdir())


# --- names that a terminal would obey, and that no file can hold ------------------------------------------------------

NAMES = ["a\x1b[31mred", "b\ud800c", "\x9b31m", "left\u202eright", "bell\x07", "\x7f", "\udfff"]
UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def graph_named(name):
    x = ag.Tensor([1.0, 2.0], name=name)
    with ag.scope(name):
        y = x * np.ones(2)
    y.name = name
    return np.sum(y)


@pytest.mark.parametrize("name", NAMES, ids=map(ascii, NAMES))
def test_names_in_pictures(name, tmp_path):
    picture = ag.draw(graph_named(name))
    assert not UNFIT.search(picture.text())
    kinds = ["txt", "json", "dot", "html", *(["svg"] if picture.engine else [])]
    for kind in kinds:
        picture.save(tmp_path / f"graph.{kind}")
        assert not UNFIT.search((tmp_path / f"graph.{kind}").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES, ids=map(ascii, NAMES))
def test_names_in_explanations_and_errors(name):
    x = ag.Tensor([0.0, 2.0], name=name)
    said = str(ag.explain(np.sum(np.sqrt(x) * x)))
    assert "is nan" in said
    loss = np.sum(x * x)
    x.assign([1.0, 1.0])
    with pytest.raises(ag.GraphError, match="was updated after") as caught:
        loss.backward()
    for text in (said, str(caught.value), repr(x)):
        assert not UNFIT.search(text)
        io.TextIOWrapper(io.BytesIO(), encoding="utf-8").write(text)


def test_ordinary_names_stay():
    name = "größe\n∂W₁ 中"
    assert ag.draw(graph_named(name)).text().count("größe ∂W₁ 中") >= 2
