"""Modules of ours, functions of PyTorch and JAX, and pairs written by hand."""

import numpy as np
import pytest

import autograd_core as ag
import nn

X = np.array([[0.5, -1.2, 2.0], [1.1, 0.3, -0.4]])


def judged(f, *args, **options):
    return ag.gradcheck(f, *args, raises=False, **options)


# --- modules ----------------------------------------------------------------------------------------------------------


def test_a_module_with_its_parameters():
    model = nn.MLP([3, 4, 2], activation="tanh", rng=0)
    before = {k: v.copy() for k, v in model.state_dict().items()}
    report = ag.gradcheck(model, X, order=2, full=False)
    assert len(report.inputs) == 1 + 4 + 1
    assert report.inputs[0] == "x"
    assert ag.gradcheck(lambda m, x: np.sum(m(x) ** 2), model, X).size == 6 + 26
    after = model.state_dict()
    assert all((after[k] == before[k]).all() and after[k].dtype == before[k].dtype for k in before)
    assert all(p.grad is None for p in model.parameters())


def test_dropout_is_called_random():
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.Dropout(0.5, rng=0))
    report = judged(model, X)
    assert report.verdict == "nondeterministic"
    assert "model.eval()" in report.message
    assert ag.gradcheck(model.eval(), X)


# --- pairs ------------------------------------------------------------------------------------------------------------


def test_a_hand_written_gradient_of_several_arguments():
    f = lambda a, b: np.sum(np.sin(a) * b)
    assert ag.gradcheck(f, X, X + 1, gradient=lambda a, b: (np.cos(a) * b, np.sin(a)))
    report = judged(f, X, X + 1, gradient=lambda a, b: (np.cos(a) * b, np.cos(a)))
    assert {e.input.partition("[")[0] for e in report.wrong} == {"b"}
    assert ag.gradcheck(f, X, X + 1, wrt=0, gradient=lambda a, b: np.cos(a) * b)


def test_jacobians_and_containers():
    f = lambda p: {"s": p["x"] ** 2, "t": np.sum(p["x"])}
    jacobian = lambda p: ({"x": np.diag(2 * p["x"])}, {"x": np.ones(3)})
    assert ag.gradcheck(f, {"x": X[0]}, gradient=jacobian)
    report = judged(f, {"x": X[0]}, gradient=lambda p: ({"x": np.diag(p["x"])}, {"x": np.ones(3)}))
    assert {e.output.partition("[")[0] for e in report.wrong} == {"result"}
    assert all(e.ratio == pytest.approx(0.5) for e in report.wrong)


def test_a_pair_in_float32_is_judged_in_float64():
    f = lambda x: np.sum(np.exp(x))
    assert ag.gradcheck(f, X.astype(np.float32), gradient=np.exp)
    assert judged(f, X.astype(np.float32), gradient=lambda x: np.exp(x) * 1.001).verdict == "wrong"
    digits_lost = lambda x: np.exp(x) if x.dtype == float else (np.exp(x.astype(np.float16))).astype(np.float32)
    report = judged(f, X.astype(np.float32), gradient=digits_lost)
    assert report.verdict == "wrong"
    assert "right in float64 but not in float32" in report.cause


# --- PyTorch ----------------------------------------------------------------------------------------------------------


def test_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = torch.tensor(X)
    assert ag.gradcheck(lambda x: torch.tanh(x).pow(2).sum(), x, order=2)
    assert ag.gradcheck(lambda z: (z * z.conj()).real.sum() + (z**2).imag.sum(), torch.tensor(X + 1j * X[::-1].copy()))
    assert ag.gradcheck(lambda x: torch.exp(x).sum(), x.float())

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * x.cos() * 1.0001

    report = judged(lambda x: Wrong.apply(x).sum(), x)
    assert report.verdict == "wrong"
    assert report.wrong[0].ratio == pytest.approx(1.0001)
    assert report.wrong[0].input.startswith("x[")
    assert torch.autograd.gradcheck(Wrong.apply, (x.clone().requires_grad_(),)), "which PyTorch accepts"


def test_bad_input_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    with pytest.raises(TypeError, match=r"n has dtype torch.int64: write n\.double\(\)"):
        ag.gradcheck(lambda n: n.sum(), torch.arange(3))
    report = judged(lambda x: x.mul_(2).sum(), torch.tensor(X))
    assert report.verdict == "structure"
    assert "changes x in place" in report.message


def test_by_which_arguments_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    f = lambda a, b: (a * b).sum()
    args = torch.tensor(X), torch.tensor(X)
    assert ag.gradcheck(f, *args, wrt=np.int64(-1)).inputs == ("b",)
    for wrt in (2, [0, 7], [], "a"):
        with pytest.raises(TypeError, match="wrt= "):
            ag.gradcheck(f, *args, wrt=wrt)
    with pytest.raises(TypeError, match="only arguments can be checked"):
        ag.gradcheck(f, *args, wrt=ag.Tensor(X))


def test_a_module_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    report = ag.gradcheck(model, torch.tensor(X, dtype=torch.float32))
    assert report.inputs[1:] == ("0.weight", "0.bias", "2.weight", "2.bias")
    assert model[0].weight.dtype == torch.float32


# --- JAX --------------------------------------------------------------------------------------------------------------


def test_jax():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jnp = jax.numpy
    x = jnp.asarray(X[:1, 1:])
    assert ag.gradcheck(lambda x: jnp.sum(x**3), x[0, 1:], order=2).modes == ("reverse", "forward")
    assert ag.gradcheck(lambda p: p["w"] @ p["x"], {"w": x, "x": x[0] + 1})

    @jax.custom_jvp
    def wrong(x):
        return jnp.sin(x)

    wrong.defjvp(
        lambda primals, tangents: (wrong(*primals), tangents[0] * jnp.cos(primals[0]) * (1 + 1e-4 * (primals[0] > 1.5)))
    )
    with pytest.raises(TypeError, match=r"n has dtype int(32|64): write n\.astype\(float\)"):
        ag.gradcheck(lambda n: n.sum(), jnp.arange(3))
    report = judged(lambda x: wrong(x).sum(), x)
    assert [e.input for e in report.wrong] == ["x[0, 1]"]
    assert report.wrong[0].ratio == pytest.approx(1.0001)
