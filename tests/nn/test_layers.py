import numpy as np
import pytest

import autograd_core as ag
import nn


def test_linear_layer():
    layer, x = nn.Linear(3, 2, rng=0), np.random.default_rng(1).normal(size=(4, 3))
    assert (layer.weight.shape, layer.bias.shape) == ((2, 3), (2,))
    assert (layer.weight.name, layer.bias.name) == ("weight", "bias")
    np.testing.assert_array_equal(layer.weight.data, nn.init.uniform_fan_in(0, (2, 3)))
    np.testing.assert_array_equal(layer.bias.data, [0, 0])
    layer.bias.assign([1.0, 2.0])
    np.testing.assert_array_equal(layer(x).data, x.dot(layer.weight.data.T) + [1, 2])
    np.testing.assert_array_equal(layer(ag.Tensor(x)).data, layer(x).data)
    np.testing.assert_allclose(layer(x[0]).data, layer(x).data[0])


def test_linear_layer_without_bias():
    layer = nn.Linear(3, 2, bias=False, rng=0)
    assert layer.bias is None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    np.testing.assert_array_equal(layer(np.ones((1, 3))).data, np.ones((1, 3)).dot(layer.weight.data.T))


def test_linear_layer_in_single_precision():
    layer = nn.Linear(3, 2, rng=0, dtype=np.float32)
    y = layer(np.ones((4, 3), np.float32))
    y.backward(np.ones((4, 2)))
    assert {a.dtype for a in (y, layer.weight, layer.weight.grad, layer.bias.grad)} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("n_in", "n_out"), [(0, 2), (2, 0), (-1, 2)])
def test_linear_layer_of_no_size(n_in, n_out):
    with pytest.raises(ValueError, match="positive lengths"):
        nn.Linear(n_in, n_out, rng=0)


def test_randomness_is_explicit():
    with pytest.raises(TypeError, match="rng"):
        nn.Linear(2, 2)
    with pytest.raises(TypeError, match="rng is a seed"):
        nn.MLP([2, 2], rng=None)
    with pytest.raises(TypeError, match="integer"):
        nn.Linear(2.0, 2, rng=0)


def test_the_wrong_number_of_features():
    with pytest.raises(ValueError, match=r"weight of shape \(16, 2\) needs x of shape \(\.\.\., 2\), not \(4, 3\)"):
        nn.MLP([2, 16, 1], rng=0)(np.ones((4, 3)))


def test_sequential_composes_modules_and_functions():
    first, last = nn.Linear(2, 3, rng=0), nn.Linear(3, 1, rng=1)
    model = nn.Sequential(first, np.tanh, lambda h: h * 2, last)
    x = np.random.default_rng(2).normal(size=(5, 2))
    np.testing.assert_array_equal(model(x).data, last(np.tanh(first(x)) * 2).data)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "3.weight", "3.bias"]
    np.testing.assert_array_equal(nn.Sequential()(x), x)


def test_sequential_refuses_what_cannot_be_called():
    with pytest.raises(TypeError, match="layer 1 is a str, neither a Module nor a function"):
        nn.Sequential(nn.Linear(2, 3, rng=0), "tanh")


def test_mlp():
    model = nn.MLP([2, 16, 8, 1], activation="relu", rng=0)
    assert [p.shape for p in model.parameters()] == [(16, 2), (16,), (8, 16), (8,), (1, 8), (1,)]
    assert model.layers[1] is model.layers[3] is nn.relu
    assert len(model.layers) == 5
    np.testing.assert_array_equal(model.layers[0].weight.data, nn.MLP([2, 16, 1], rng=0).layers[0].weight.data)
    assert not np.array_equal(
        nn.MLP([2, 2, 2], rng=0).layers[0].weight.data, nn.MLP([2, 2, 2], rng=0).layers[2].weight.data
    )
    assert nn.MLP([2, 1], rng=np.random.default_rng(0), dtype=np.float32).layers[0].weight.dtype == np.float32


def test_mlp_takes_any_activation():
    wave = nn.MLP([1, 4, 1], activation=np.sin, rng=0)
    x = np.ones((3, 1))
    np.testing.assert_array_equal(wave(x).data, wave.layers[2](np.sin(wave.layers[0](x))).data)
    with pytest.raises(ValueError, match="did you mean 'tanh'"):
        nn.MLP([1, 4, 1], activation="tahn", rng=0)


@pytest.mark.parametrize("sizes", [[], [3]])
def test_mlp_needs_an_input_and_an_output(sizes):
    with pytest.raises(ValueError, match="the sizes of its input and its output"):
        nn.MLP(sizes, rng=0)


def test_gradients_of_a_model_against_finite_differences():
    model = nn.MLP([3, 5, 4, 2], activation="softplus", rng=0)
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    nn.mse(model(x), y).backward()
    for p in model.parameters():
        d, h = rng.normal(size=p.shape), 1e-6
        start, values = p.data.copy(), []
        for sign in (1, -1):
            p.assign(start + sign * h * d)
            values.append(nn.mse(model(x), y).item())
        p.assign(start)
        np.testing.assert_allclose(np.sum(p.grad * d), (values[0] - values[1]) / (2 * h), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_model_of_pytorch_gives_the_same_outputs_and_gradients(activation):
    torch = pytest.importorskip("torch")
    act = {"relu": torch.nn.ReLU(), "tanh": torch.nn.Tanh()}[activation]
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 8), act, torch.nn.Linear(8, 3))
    ours = nn.MLP([4, 8, 3], activation=activation, rng=0, dtype=np.float32)
    ours.load_state_dict(theirs.state_dict())
    x, labels = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32), np.array([0, 2, 1, 1, 0])
    loss = nn.cross_entropy(ours(x), labels)
    expected = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(labels))
    np.testing.assert_allclose(loss.data, expected.detach().numpy(), rtol=1e-6)
    loss.backward()
    expected.backward()
    for (name, p), (their_name, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == their_name
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-5, atol=1e-7)
    theirs.load_state_dict({name: torch.tensor(v) for name, v in ours.state_dict().items()})
