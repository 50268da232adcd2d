import numpy as np
import pytest

import autograd_core as ag
import nn

pytest.importorskip("scipy")


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


METHODS = "Nelder-Mead Powell CG BFGS L-BFGS-B TNC SLSQP Newton-CG trust-ncg trust-krylov trust-exact dogleg".split()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_reaches_the_minimum(method):
    x0 = np.array([1.1, 1.2]) if method == "dogleg" else np.array([-1.2, 1.0])
    found = nn.minimize(rosenbrock, x0, method)
    np.testing.assert_allclose(found.x, 1, atol=1e-3)


def test_trust_constr_with_products():
    found = nn.minimize(rosenbrock, np.array([0.5, 0.5]), "trust-constr")
    np.testing.assert_allclose(found.x, 1, atol=1e-3)


def test_trees_and_dtypes():
    A = np.array([[3.0, 1.0], [1.0, 2.0]])

    def f(p):
        return 0.5 * np.sum(p["w"] * (A @ p["w"])) - np.sum(p["w"]) + (p["rest"][0] - 2) ** 2

    start = {"w": np.zeros(2, np.float32), "rest": (1, None)}
    for method in ("L-BFGS-B", "Newton-CG", "trust-exact"):
        found = nn.minimize(f, start, method, tol=1e-8)
        np.testing.assert_allclose(found.x["w"], np.linalg.solve(A, [1, 1]), atol=1e-5)
        assert found.x["w"].dtype == np.float32
        assert found.x["rest"][0] == pytest.approx(2, abs=1e-5)
        assert found.x["rest"][1] is None
    np.testing.assert_array_equal(start["w"], 0)


def test_options_are_passed_on():
    found = nn.minimize(rosenbrock, np.array([-1.2, 1.0]), bounds=[(-2, 0.5), (-2, 2)], options={"maxiter": 500})
    np.testing.assert_allclose(found.x, [0.5, 0.25], atol=1e-4)
    assert nn.minimize(rosenbrock, np.array([-1.2, 1.0]), options={"maxiter": 2}).nit == 2


def test_it_takes_a_tensor():
    np.testing.assert_allclose(nn.minimize(lambda x: np.sum((x - 3) ** 2), ag.Tensor([1.0, 2.0])).x, 3, atol=1e-5)


@pytest.mark.parametrize(
    ("x0", "error", "message"),
    [
        (np.array([1j]), TypeError, "needs real numbers, x0 has complex128"),
        (np.array([np.nan]), ValueError, "not finite"),
        ([], ValueError, "no numbers at all"),
        (np.array(["a"]), TypeError, "needs real numbers"),
    ],
    ids=["complex", "nan", "nothing", "texts"],
)
def test_bad_input(x0, error, message):
    with pytest.raises(error, match=message):
        nn.minimize(rosenbrock, x0)


def test_a_module_is_trained():
    X = np.random.default_rng(0).normal(size=(50, 3))
    y = X @ np.array([[1.0], [-2.0], [0.5]]) + 3
    model = nn.Linear(3, 1, rng=0)
    before = model.state_dict()
    found = nn.minimize(lambda m: nn.mse(m(X), y), model)
    np.testing.assert_allclose(found.x.weight.data, [[1, -2, 0.5]], atol=1e-5)
    np.testing.assert_allclose(found.x.bias.data, [3], atol=1e-5)
    assert len(list(found.x.parameters())) == 2  # ready to be trained on
    nn.mse(found.x(X), y).backward()
    np.testing.assert_array_equal(model.weight.data, before["weight"])
    assert model.weight.grad is None
