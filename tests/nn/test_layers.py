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


# --- beside one another -----------------------------------------------------------------------------------------------


def test_activation_with_settings():
    layer, x = nn.Activation("leaky_relu", slope=0.2), np.array([-1.0, 2.0])
    np.testing.assert_array_equal(layer(x), [-0.2, 2])
    assert nn.Activation(np.tanh)(0.0) == 0
    with pytest.raises(ValueError, match="did you mean 'silu'"):
        nn.Activation("silo")


def test_residual():
    inner, x = nn.Linear(3, 3, rng=0), normal(4, 3)
    model = nn.Residual(inner, np.tanh)
    np.testing.assert_array_equal(model(x).data, x + np.tanh(inner(x).data))
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    with pytest.raises(ValueError, match=r"keep the shape, but made \(4, 2\) of \(4, 3\)"):
        nn.Residual(nn.Linear(3, 2, rng=0))(x)


def test_parallel_is_an_inception_block():
    block = nn.Parallel(
        nn.Conv2d(3, 2, 1, rng=0), nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, rng=1), nn.relu), lambda x: x
    )
    x = normal(2, 3, 5, 5)
    y = block(x)
    assert y.shape == (2, 9, 5, 5)
    np.testing.assert_array_equal(y.data[:, :2], block.branches[0](x).data)
    np.testing.assert_array_equal(y.data[:, 6:], x)
    assert [name for name, _ in block.named_parameters()] == ["0.weight", "0.bias", "1.0.weight", "1.0.bias"]
    assert "1: Sequential" in repr(block)
    with pytest.raises(ValueError, match="a branch at least"):
        nn.Parallel()
    with pytest.raises(TypeError, match="branch 0 is a str"):
        nn.Parallel("relu")


# --- one observation at a time ----------------------------------------------------------------------------------------


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_flatten():
    assert nn.Flatten()(ag.Tensor(normal(2, 3, 4))).shape == (2, 12)
    assert nn.Flatten()(np.zeros((0, 3, 4))).shape == (0, 12)  # as in PyTorch, so that what follows takes it
    with pytest.raises(ValueError, match="along a first axis"):
        nn.Flatten()(np.float64(1))


def test_dropout():
    layer, x = nn.Dropout(0.25, rng=0), ag.Tensor(np.ones(10_000, np.float32))
    y = layer(x)
    assert set(np.unique(y.data)) == {0, np.float32(4 / 3)}
    assert y.dtype == np.float32
    assert abs((y.data == 0).mean() - 0.25) < 0.02
    y.backward(np.ones(y.shape))
    np.testing.assert_array_equal(x.grad, y.data)
    assert not np.array_equal(layer(x).data, y.data)
    np.testing.assert_array_equal(nn.Dropout(0.25, rng=0)(x).data, y.data)
    assert layer.eval()(x) is x
    assert nn.Dropout(0, rng=0)(x) is x
    for p in (-0.1, 1, np.nan):
        with pytest.raises(ValueError, match="probability"):
            nn.Dropout(p, rng=0)
    with pytest.raises(TypeError, match="rng is a seed"):
        nn.Dropout(rng=None)


def test_rbf(check_derivatives):
    layer, x = nn.RBF(2, 3, scale=0.5, rng=0), normal(4, 2)
    d = ((x[:, None] - layer.center.data) ** 2).sum(-1)
    np.testing.assert_allclose(layer(x).data, np.exp(-d / (2 * 0.25)))

    def f(x, center, log_scale):
        model = nn.RBF(2, 3, rng=0)
        model.center, model.log_scale = center, log_scale
        return model.forward(x)

    check_derivatives(f, x, normal(3, 2, seed=1), normal(3, seed=2) / 4)
    with pytest.raises(ValueError, match="positive scale"):
        nn.RBF(2, 3, scale=0, rng=0)
    with pytest.raises(ValueError, match="needs x of shape"):
        layer(np.ones((4, 3)))
    with pytest.raises(ValueError, match="positive lengths"):
        nn.RBF(0, 3, rng=0)


# --- embedding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (2, 4), (0,)])
def test_embedding(shape, check_derivatives):
    indices, weight = np.random.default_rng(0).integers(0, 5, shape), normal(5, 2)
    np.testing.assert_array_equal(nn.functional.embedding(indices, weight), weight[indices])
    if indices.size:
        check_derivatives(lambda w: nn.functional.embedding(indices, w), weight)
    t, g = ag.Tensor(weight), normal(*shape, 2, seed=1)
    nn.functional.embedding(indices, t).backward(g)
    expected = np.zeros((5, 2))
    np.add.at(expected, indices, g)
    np.testing.assert_allclose(t.grad, expected, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_embedding_adds_up_few_and_many_rows_of_one_number(dtype):
    indices = np.random.default_rng(0).permutation(np.repeat([0, 3, 4, 6], [1, 8, 30, 9])).astype(dtype)
    t, g = ag.Tensor(np.zeros((8, 2))), normal(48, 2)
    nn.functional.embedding(indices, t).backward(g)
    expected = np.zeros((8, 2))
    np.add.at(expected, indices, g)
    np.testing.assert_allclose(t.grad, expected, atol=1e-14)


def test_embedding_refuses_other_indices():
    layer = nn.Embedding(4, 2, rng=0)
    for indices in ([0, 4], [-1, 0]):
        with pytest.raises(ValueError, match="takes indices 0 to 3; these go from"):
            layer(np.array(indices))
    with pytest.raises(TypeError, match="takes integers, not float64"):
        layer(np.ones(2))
    with pytest.raises(ValueError, match="positive lengths"):
        nn.Embedding(0, 2, rng=0)


# --- normalisation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5)])
def test_normalisation_derivatives(shape, check_derivatives):
    x, weight, bias = normal(*shape), normal(3, seed=1), normal(3, seed=2)
    check_derivatives(nn.functional.batch_norm, x, weight, bias)
    weight, bias = normal(*shape[1:], seed=1), normal(*shape[1:], seed=2)
    check_derivatives(nn.functional.layer_norm, x, weight, bias)
    check_derivatives(lambda x: nn.functional.layer_norm(x), x)


def same_as_pytorch(ours, theirs, *shape):
    """Compare outputs, gradients and state, of a first batch."""
    torch = pytest.importorskip("torch")
    x = ag.Tensor(3 + 2 * normal(*shape).astype(np.float32))
    z = torch.tensor(x.data, requires_grad=True)
    y, expected = ours(x), theirs(z)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    g = normal(*y.shape, seed=1).astype(np.float32)
    y.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(x.grad, z.grad.numpy(), rtol=1e-3, atol=1e-5)
    for (name, p), (their_name, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == their_name
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-4, atol=1e-4)
        p.grad = q.grad = None
    state = ours.state_dict()
    assert state.keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(state[name], value.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5)])
def test_batch_norm_as_pytorch(shape):
    torch = pytest.importorskip("torch")
    theirs = (torch.nn.BatchNorm1d, torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)[len(shape) - 2](3)
    ours = nn.BatchNorm(3, dtype=np.float32)
    with torch.no_grad():
        theirs.weight.uniform_(0.5, 2)
        theirs.bias.uniform_(-1, 1)
    ours.load_state_dict(theirs.state_dict())
    for _ in range(2):
        same_as_pytorch(ours, theirs, *shape)
    same_as_pytorch(ours.eval(), theirs.eval(), *shape)


@pytest.mark.parametrize("shape", [3, (5, 3)])
def test_layer_norm_as_pytorch(shape):
    torch = pytest.importorskip("torch")
    same_as_pytorch(nn.LayerNorm(shape, dtype=np.float32), torch.nn.LayerNorm(shape), 4, 5, 3)


def test_normalisation_says_what_does_not_fit():
    with pytest.raises(ValueError, match=r"BatchNorm of 3 features needs x of shape \(n, 3, \.\.\.\), not \(4, 2\)"):
        nn.BatchNorm(3)(np.ones((4, 2)))
    layer = nn.BatchNorm(3)
    with pytest.raises(ValueError, match="two values of each feature"):
        layer(np.ones((1, 3)))
    assert layer.num_batches_tracked.item() == 0
    assert layer.eval()(np.ones((1, 3))).shape == (1, 3)
    assert nn.BatchNorm(3, affine=False)(normal(4, 3)).shape == (4, 3)
    with pytest.raises(ValueError, match="momentum"):
        nn.BatchNorm(3, momentum=2)
    with pytest.raises(ValueError, match=r"LayerNorm of \(3,\) needs x of shape \(\.\.\., 3\), not \(4, 2\)"):
        nn.LayerNorm(3)(np.ones((4, 2)))


MAKERS = {
    "BatchNorm": lambda d: nn.BatchNorm(2, dtype=d),
    "Conv1d": lambda d: nn.Conv1d(2, 2, 2, rng=0, dtype=d),
    "Embedding": lambda d: nn.Embedding(2, 2, rng=0, dtype=d),
    "LSTM": lambda d: nn.LSTM(2, 2, rng=0, dtype=d),
    "LayerNorm": lambda d: nn.LayerNorm(2, dtype=d),
    "Linear": lambda d: nn.Linear(2, 2, rng=0, dtype=d),
    "RBF": lambda d: nn.RBF(2, 2, rng=0, dtype=d),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_parameters_are_floats(make):
    assert {p.dtype for p in make(np.float32).parameters()} == {np.dtype(np.float32)}
    for dtype in (complex, int):
        with pytest.raises(TypeError, match="weights are floats"):
            make(dtype)


# --- statistics, once -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [0, 1, 2, None])
def test_derivatives_of_standardised_values_and_of_their_statistics(k, check_derivatives):
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    tell = nn.functional.normalization.standardize_and_tell

    def f(x):
        found = tell(x, axis=(0, 2))
        return found[k] if k is not None else sum(np.sum(np.sin(v)) for v in found)

    check_derivatives(f, x, rtol=1e-5)


def test_batch_norm_finds_its_statistics_once(monkeypatch):
    layer, calls = nn.BatchNorm(3), []
    mean = np.mean
    monkeypatch.setattr(np, "mean", lambda *a, **k: (calls.append(1), mean(*a, **k))[1])
    layer(np.random.default_rng(0).normal(size=(6, 3)))
    assert len(calls) == 2  # of the values, and of the squares


# --- padding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding_idx", [0, 3, -1])
def test_embedding_with_padding_as_pytorch(padding_idx):
    torch = pytest.importorskip("torch", reason="PyTorch is the judge")
    theirs = torch.nn.Embedding(5, 2, padding_idx=padding_idx)
    ours = nn.Embedding(5, 2, padding_idx=padding_idx, rng=0)
    assert np.all(ours.weight.data[padding_idx] == 0)
    assert np.all(ours.weight.data.any(axis=1) == (np.arange(5) != padding_idx % 5))
    ours.load_state_dict(theirs.state_dict())
    indices = np.array([[0, 3, 4, 4], [1, 3, 0, 2]])
    y, expected = ours(indices), theirs(torch.tensor(indices))
    np.testing.assert_allclose(y.data, expected.detach().numpy())
    g = np.random.default_rng(1).normal(size=y.shape)
    y.backward(g)
    expected.backward(torch.tensor(g, dtype=torch.float32))
    np.testing.assert_allclose(ours.weight.grad, theirs.weight.grad.numpy(), rtol=1e-6)


def test_a_row_of_padding_stays_as_it_is():
    indices, v = np.array([0, 1, 1, 2]), np.random.default_rng(0).normal(size=(3, 2))
    scale = np.array([1.0, 0.0, 1.0])[:, None]  # the same as a table without the row
    f = nn.functional.embedding
    with_padding = ag.grad(lambda w: np.sum(f(indices, w, 1) ** 2))(v)
    np.testing.assert_allclose(with_padding, ag.grad(lambda w: np.sum(f(indices, w) ** 2))(v) * scale)
    for make in (lambda: nn.Embedding(3, 2, padding_idx=3, rng=0), lambda: f(indices, v, -4)):
        with pytest.raises(ValueError, match="of 3 rows has none with the number padding_idx="):
            make()


def test_layers_by_position():
    model = nn.MLP([2, 3, 4, 1], rng=0)
    assert len(model) == 5
    assert list(model) == model.layers
    assert model[-1] is model.layers[4]
    x = np.ones((2, 2))
    np.testing.assert_array_equal(model[2:](model[:2](x).data).data, model(x).data)
    assert type(model[1:]) is nn.Sequential
    with pytest.raises(IndexError):
        model[5]


@pytest.mark.parametrize(
    "make",
    [
        lambda init: nn.Linear(3, 4, rng=0, init=init, dtype=np.float32),
        lambda init: nn.MLP([3, 4], rng=0, init=init, dtype=np.float32)[0],
        lambda init: nn.Conv2d(3, 4, 2, rng=0, init=init, dtype=np.float32),
    ],
    ids=["Linear", "MLP", "Conv2d"],
)
@pytest.mark.parametrize("name", ["uniform_fan_in", "glorot", "he", "gaussian", "orthogonal"])
def test_initial_weights_by_choice(make, name):
    init = getattr(nn.init, name)
    layer = make(init)
    np.testing.assert_array_equal(layer.weight.data, init(0, layer.weight.shape, dtype=np.float32))
    assert layer.weight.dtype == np.float32


def test_forgetting_gradients():
    model = nn.MLP([2, 3, 1], rng=0)
    np.sum(model(np.ones((2, 2)))).backward()
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
