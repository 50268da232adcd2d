import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_core as ag
import nn
from nn.functional import ACTIVATIONS, find_activation

FORMULAS = {
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "gelu": lambda x: x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))) / 2,
    "identity": lambda x: x,
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "log_softmax": lambda x: np.log(np.exp(x) / np.sum(np.exp(x), -1, keepdims=True)),
    "relu": lambda x: np.where(x > 0, x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "softmax": lambda x: np.exp(x) / np.sum(np.exp(x), -1, keepdims=True),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "step": lambda x: np.where(x < 0, 0, 1),
    "tanh": lambda x: np.sinh(x) / np.cosh(x),
}
FAR = {
    "elu": [-1, 0, 1e4],
    "gelu": [0, 0, 1e4],
    "identity": [-1e4, 0, 1e4],
    "leaky_relu": [-1e2, 0, 1e4],
    "log_softmax": [-2e4, -1e4, 0],
    "relu": [0, 0, 1e4],
    "sigmoid": [0, 0.5, 1],
    "silu": [0, 0, 1e4],
    "softmax": [0, 0, 1],
    "softplus": [0, np.log(2), 1e4],
    "tanh": [-1, 0, 1],
}
SMOOTH = {name: f for name, f in ACTIVATIONS.items() if name != "step"}
every_activation = pytest.mark.parametrize("f", SMOOTH.values(), ids=SMOOTH)


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(3, 4))


@every_activation
def test_values(f, x):
    np.testing.assert_allclose(f(x), FORMULAS[f.__name__](x), rtol=1e-14)
    np.testing.assert_array_equal(f(ag.Tensor(x)).data, f(x))


@every_activation
def test_far_from_zero(f):
    x = ag.Tensor([-1e4, 0.0, 1e4])
    y = f(x)
    np.testing.assert_allclose(y.data, FAR[f.__name__], rtol=1e-15)
    np.sum(y * np.array([1.0, 2.0, 3.0])).backward()
    assert np.all(np.isfinite(x.grad))


@every_activation
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_stays(f, x, dtype):
    t = ag.Tensor(x.astype(dtype))
    y = f(t)
    assert f(t.data).dtype == y.dtype == dtype
    y.backward(np.ones(y.shape))
    assert t.grad.dtype == dtype


@every_activation
def test_derivatives(f, x, check_derivatives):
    check_derivatives(f, x)


@every_activation
def test_derivatives_as_pytorch(f, x):
    torch = pytest.importorskip("torch")
    theirs = torch.tensor(np.concatenate([x, [[-50.0, -1e4, 50.0, 1e4], [0.0, 0.0, 0.0, -0.0]]]), requires_grad=True)
    ours, g = ag.Tensor(theirs.detach().numpy()), np.random.default_rng(2).normal(size=(5, 4))
    chosen = {
        "elu": torch.nn.functional.elu,
        "gelu": torch.nn.functional.gelu,
        "identity": lambda t: t.clone(),
        "leaky_relu": torch.nn.functional.leaky_relu,
        "silu": torch.nn.functional.silu,
        "softmax": lambda t: torch.softmax(t, -1),
        "log_softmax": lambda t: torch.log_softmax(t, -1),
        "softplus": torch.nn.functional.softplus,
    }
    z = chosen.get(f.__name__, getattr(torch, f.__name__, None))(theirs)
    y = f(ours)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-13, atol=1e-16)
    z.backward(torch.tensor(g))
    y.backward(g)
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-12, atol=1e-16)


def test_step_is_flat(x):
    t = ag.Tensor(x)
    np.testing.assert_array_equal(nn.step(x), FORMULAS["step"](x))
    np.testing.assert_array_equal(nn.step(t).data, FORMULAS["step"](x))
    np.sum(3 * nn.step(t)).backward()
    np.testing.assert_array_equal(t.grad, np.zeros_like(x))
    np.testing.assert_array_equal(ag.grad(lambda x: np.sum(x * nn.step(x)))(x), FORMULAS["step"](x))
    np.testing.assert_array_equal(ag.compile(nn.step)(x), FORMULAS["step"](x))
    np.testing.assert_array_equal(nn.step(np.arange(-1, 2)), [0, 1, 1])
    assert nn.step(np.float32([0, -1])).dtype == np.float32
    assert nn.step(0.0) == 1


def test_gelu_by_tanh(x, check_derivatives):
    def f(t):
        return nn.gelu(t, approximate="tanh")

    np.testing.assert_allclose(f(x), x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), rtol=1e-13)
    np.testing.assert_allclose(f(x), nn.gelu(x), atol=5e-4)
    check_derivatives(f, x)
    far = ag.Tensor(np.array([-1e30, -1e4, 1e4, 1e30], np.float32))
    y = f(far)
    np.testing.assert_array_equal(y.data, np.maximum(far.data, 0))
    y.backward(np.ones(4))
    np.testing.assert_array_equal(far.grad, [0, 0, 1, 1])
    with pytest.raises(ValueError, match='"none" or "tanh", not'):
        nn.gelu(x, "erf")


def test_gelu_without_scipy(x, monkeypatch):
    expected = nn.gelu(x)
    nn.functional.activations._erfc.cache_clear()
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    np.testing.assert_allclose(nn.gelu(x), expected, rtol=1e-14)
    nn.functional.activations._erfc.cache_clear()


def test_elu_takes_an_alpha(x, check_derivatives):
    check_derivatives(lambda t: nn.elu(t, 0.3), x)
    check_derivatives(lambda t: nn.elu(t, alpha=2), x)
    for alpha in (0, -1, np.inf, np.nan):
        with pytest.raises(ValueError, match="positive alpha"):
            nn.elu(x, alpha)


def test_slopes_at_zero():
    def slope(f, *args):
        return ag.grad(lambda x: f(x, *args))(0.0)

    assert slope(nn.relu) == 0
    assert slope(nn.leaky_relu) == 0.01
    assert slope(nn.leaky_relu, 0.2) == 0.2
    assert slope(nn.elu) == 1
    assert slope(nn.silu) == slope(nn.gelu) == 0.5
    assert slope(nn.softplus) == 0.5
    assert slope(nn.sigmoid) == 0.25


def test_leaky_relu_takes_its_slope_by_position_and_by_name(x, check_derivatives):
    check_derivatives(lambda t: nn.leaky_relu(t, 0.3), x)
    check_derivatives(lambda t: nn.leaky_relu(t, slope=0.3), x)
    np.testing.assert_array_equal(nn.leaky_relu(ag.Tensor(x), slope=1).data, x)


@pytest.mark.parametrize("slope", [0, -0.1, 1.5, np.nan])
def test_leaky_relu_refuses_other_slopes(slope, x):
    with pytest.raises(ValueError, match="0 < slope <= 1"):
        nn.leaky_relu(ag.Tensor(x), slope)


@pytest.mark.parametrize("axis", [0, 1, -1, -2, None])
@pytest.mark.parametrize("f", [nn.softmax, nn.log_softmax])
def test_softmax_along_any_axis(f, axis, x, check_derivatives):
    p = nn.softmax(x, axis)
    np.testing.assert_allclose(p.sum(axis=axis), 1)
    np.testing.assert_allclose(np.exp(nn.log_softmax(x, axis=axis)), p)
    check_derivatives(lambda t: f(t, axis=axis), x)


def test_softmax_jacobian_is_the_lectures_formula(x):
    p = nn.softmax(x[0])
    np.testing.assert_allclose(ag.jacobian(nn.softmax)(x[0]), np.diag(p) - np.outer(p, p), atol=1e-15)


# --- linear -----------------------------------------------------------------------------------------------------------


def layer(n_in, n_out):
    rng = np.random.default_rng(3)
    return rng.normal(size=(n_out, n_in)), rng.normal(size=n_out)


@given(st.lists(st.integers(0, 3), max_size=3), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_linear_is_what_it_says_for_any_number_of_axes(lead, n_in, n_out, contiguous):
    weight, bias = layer(n_in, n_out)
    x = np.random.default_rng(4).normal(size=(*lead, n_in))
    if not contiguous:
        x = np.stack([x, x], -1)[..., 0]
    tensors = [ag.Tensor(a) for a in (x, weight, bias)]
    y = nn.linear(*tensors)
    np.testing.assert_allclose(y.data, x @ weight.T + bias, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(nn.linear(x, weight, bias), y.data)
    g = np.random.default_rng(5).normal(size=y.shape)
    y.backward(g)
    words = [ag.Tensor(a) for a in (x, weight, bias)]
    (words[0] @ words[1].T + words[2]).backward(g)
    for ours, theirs in zip(tensors, words, strict=True):
        np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_derivatives(shape, bias, check_derivatives):
    weight, b = layer(3, 2)
    check_derivatives(nn.linear, np.random.default_rng(6).normal(size=shape), weight, *([b] if bias else []))


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3)])
@pytest.mark.parametrize(("n", "argnum"), [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)])
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_linear_jacobian(shape, n, argnum, mode):
    args = [np.random.default_rng(7).normal(size=shape), *layer(3, 2)][:n]

    def shifted(e):  # affine in each argument, so its columns are differences
        return nn.linear(*(a + e if i == argnum else a for i, a in enumerate(args)))

    basis = np.eye(args[argnum].size).reshape(-1, *args[argnum].shape)
    columns = np.stack([shifted(e) - shifted(0 * e) for e in basis], -1)
    jacobian = ag.jacobian(nn.linear, argnum, mode=mode)(*args)
    np.testing.assert_allclose(jacobian, columns.reshape(jacobian.shape), atol=1e-13)


def test_linear_is_one_operation():
    weight, bias = layer(3, 2)
    for rest in ([weight, bias], [weight]):
        y = nn.linear(ag.Tensor(np.ones((4, 3))), *(ag.Tensor(a) for a in rest))
        assert "op=linear" in repr(y)


@pytest.mark.parametrize(
    "kinds", [(np.float32, np.float64, np.float32), (np.float32, np.float32, np.float64), (int, np.float32, np.float32)]
)
def test_linear_promotes_as_numpy_does(kinds):
    x, weight, bias = (a.astype(kind) for a, kind in zip((np.ones((4, 3)), *layer(3, 2)), kinds, strict=True))
    y = nn.linear(x, ag.Tensor(weight), ag.Tensor(bias))
    assert y.dtype == (x @ weight.T + bias).dtype
    np.testing.assert_allclose(y.data, x @ weight.T + bias, rtol=1e-6)


def test_linear_leaves_its_arguments_alone():
    x, weight, bias = np.ones((4, 3)), *layer(3, 2)
    before = [a.copy() for a in (x, weight, bias)]
    nn.linear(x, weight, bias)
    for a, b in zip((x, weight, bias), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((4, 2), (2, 3), (2,)), r"weight of shape \(2, 3\) needs x of shape \(\.\.\., 3\), not \(4, 2\)"),
        (((), (2, 3), (2,)), r"needs x of shape \(\.\.\., 3\), not \(\)"),
        (((4, 3), (3,), (2,)), r"weight of shape \(n_out, n_in\), not \(3,\)"),
        (((4, 3), (2, 3), (3,)), r"needs a bias of shape \(2,\), not \(3,\)"),
        (((4, 3), (2, 3), (4, 2)), r"needs a bias of shape \(2,\), not \(4, 2\)"),
    ],
)
def test_linear_says_what_does_not_fit(shapes, message):
    for kind in (ag.Tensor, np.asarray):
        with pytest.raises(ValueError, match=message):
            nn.linear(*(kind(np.ones(s)) for s in shapes))


# --- by name ----------------------------------------------------------------------------------------------------------


def test_activations_by_name():
    assert find_activation("relu") is nn.relu
    assert find_activation(np.sin) is np.sin
    with pytest.raises(ValueError, match="no activation is called 'rellu'; did you mean 'relu'"):
        find_activation("rellu")
    with pytest.raises(ValueError, match="there are elu, gelu, identity, leaky_relu"):
        find_activation(None)


HALVES = {
    "layer_norm": (lambda x: nn.functional.layer_norm(x), (6, 5)),
    "layer_norm with weights": (lambda x: nn.functional.layer_norm(x, x[0] / 300, x[1] / 300), (6, 5)),
    "layer_norm of images": (lambda x: nn.functional.layer_norm(x, np.ones((9, 9), np.float16)), (2, 3, 9, 9)),
    "batch_norm": (lambda x: nn.functional.batch_norm(x), (6, 5)),
    "batch_norm of images": (lambda x: nn.functional.batch_norm(x), (3, 2, 20, 20)),
    "LayerNorm": (lambda x: nn.LayerNorm(5, dtype=np.float16)(x), (6, 5)),
    "BatchNorm": (lambda x: nn.BatchNorm(5, dtype=np.float16)(x), (6, 5)),
}


@pytest.mark.parametrize("scale", [1.0, 300.0, 9000.0])
@pytest.mark.parametrize("name", HALVES)
def test_statistics_of_half_precision_are_float32(name, scale):
    f, shape = HALVES[name]
    x = (np.random.default_rng(3).normal(size=shape) * scale + 0.2 * scale).astype(np.float16)
    wide = x.astype(np.float64)
    w = np.random.default_rng(4).normal(size=shape)
    near = lambda a, b: np.testing.assert_allclose(a, b, rtol=0.01, atol=0.004 * np.max(np.abs(b)))
    assert f(ag.Tensor(x)).dtype == np.float16
    near(f(ag.Tensor(x)).data, f(ag.Tensor(wide)).data)
    g = lambda x: np.sum(f(x).astype(np.float64) * w)
    assert ag.grad(g)(x).dtype == np.float16
    near(ag.grad(g)(x) * scale, ag.grad(g)(wide) * scale)
    compiled = ag.compile(ag.grad(g))
    near(compiled(x) * scale, ag.grad(g)(wide) * scale)
    near(compiled(x) * scale, ag.grad(g)(wide) * scale)


def test_batch_norm_of_half_precision_follows_and_evaluates():
    x = (np.random.default_rng(3).normal(size=(50, 4)) * 9000).astype(np.float16)
    layer = nn.BatchNorm(4, momentum=1.0, dtype=np.float16)
    layer(x)
    np.testing.assert_allclose(layer.running_var.data, np.var(x.astype(float), axis=0, ddof=1), rtol=1e-4)
    layer.eval()
    y = layer(ag.Tensor(x))
    assert y.dtype == np.float16
    np.testing.assert_allclose(np.std(y.data.astype(float), axis=0, ddof=1), 1, rtol=1e-2)
