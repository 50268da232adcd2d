"""ag.flatten: a tree as one vector, and back; both are differentiated through."""

import numpy as np
import pytest

import autograd_core as ag
import nn

TREE = {
    "w": np.arange(6.0).reshape(2, 3),
    "rest": [np.float32(2.5), (1.5, None, np.array([1, 2]))],
    "empty": np.zeros((0, 2)),
}


def test_there_and_back():
    vector, unflatten = ag.flatten(TREE)
    assert vector.shape == (10,)
    again = unflatten(vector)
    assert np.array_equal(again["w"], TREE["w"])
    assert again["rest"][0].dtype == np.float32
    assert again["rest"][1][1] is None
    assert again["rest"][1][2].tolist() == [1.0, 2.0]
    assert again["empty"].shape == (0, 2)
    assert np.array_equal(ag.flatten(again)[0], vector)


def test_gradients_by_the_vector_and_by_the_tree_are_one():
    def f(p):
        return np.sum(np.sin(p["w"])) * p["b"] ** 2 + p["rest"][0]

    tree = {"w": np.array([[0.3, 1.2]]), "b": 2.0, "rest": [np.float64(4.0)]}
    vector, unflatten = ag.flatten(tree)
    by_vector = ag.grad(lambda v: f(unflatten(v)))(vector)
    assert np.allclose(by_vector, ag.flatten(ag.grad(f)(tree))[0], rtol=1e-14)
    assert ag.gradcheck(lambda v: f(unflatten(v)), vector)
    assert np.allclose(
        ag.hessian(lambda v: f(unflatten(v)))(vector), ag.jacobian(ag.grad(lambda v: f(unflatten(v))))(vector)
    )
    assert np.allclose(ag.compile(ag.grad(lambda v: f(unflatten(v))))(vector), by_vector)


def test_of_tensors_the_vector_is_one():
    a, b = ag.Tensor([1.0, 2.0]), ag.Tensor(3.0)
    vector, _ = ag.flatten([a, b])
    (vector**2).sum().backward()
    assert a.grad.tolist() == [2.0, 4.0]
    assert b.grad == 6.0


def test_a_module():
    model = nn.MLP([2, 3, 1], rng=0)
    vector, unflatten = ag.flatten(ag.stop_gradient(model))
    assert vector.shape == (model.num_parameters(),)
    twin = unflatten(vector * 0)
    assert np.array_equal(twin(np.ones((1, 2))), np.zeros((1, 1)))


def test_complex_beside_real():
    vector, unflatten = ag.flatten([np.array([1 + 2j]), np.array([3.0])])
    z, x = unflatten(vector)
    assert z.dtype == np.complex128
    assert x.dtype == np.float64
    assert ag.flatten({})[0].shape == (0,)


def test_what_does_not_fit():
    _, unflatten = ag.flatten({"a": np.ones(2)})
    with pytest.raises(ValueError, match=r"a vector of 2 numbers fills {'a': \*}, not one of shape \(3,\)"):
        unflatten(np.ones(3))
    with pytest.raises(TypeError, match="and there is a str"):
        ag.flatten({"a": "text"})
    with pytest.raises(TypeError, match="and there is a ndarray"):
        ag.flatten([np.array(["a"])])
