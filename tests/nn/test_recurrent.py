import numpy as np
import pytest

import autograd_core as ag
import nn

LAYERS = {"RNN": 1, "GRU": 3, "LSTM": 4}
every_layer = pytest.mark.parametrize("kind", LAYERS)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def parts(kind, hidden=2, steps=4, n=2):
    """Return samples of what enters, of the first states, and of the weight."""
    states = [normal(n, hidden, seed=i) for i in (1, 2)[: 2 if kind == "LSTM" else 1]]
    k = LAYERS[kind]
    bias = [normal(k * hidden, seed=4)] if kind == "GRU" else []
    return normal(steps, n, k * hidden), *states, normal(k * hidden, hidden, seed=3), *bias


def unrolled_rnn(z, h, weight):
    rows = []
    for row in z:
        h = np.tanh(row + h @ weight.T)
        rows.append(h)
    return np.stack(rows)


def unrolled_lstm(z, h, c, weight):
    rows, cells = [], []
    for row in z:
        i, f, g, o = np.split(row + h @ weight.T, 4, axis=-1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * np.tanh(g)
        h = nn.sigmoid(o) * np.tanh(c)
        rows.append(h)
        cells.append(c)
    return np.stack([np.stack(rows), np.stack(cells)])


def unrolled_gru(z, h, weight, bias):
    rows = []
    for row in z:
        (zr, zu, zm), (ar, au, am) = (np.split(v, 3, axis=-1) for v in (row, h @ weight.T + bias))
        r, u = nn.sigmoid(zr + ar), nn.sigmoid(zu + au)
        h = (1 - u) * np.tanh(zm + r * am) + u * h
        rows.append(h)
    return np.stack(rows)


FUNCTIONS = {
    "GRU": (nn.functional.gru, unrolled_gru),
    "RNN": (nn.functional.rnn, unrolled_rnn),
    "LSTM": (lambda *a: np.stack(nn.functional.lstm(*a)), unrolled_lstm),
}


@every_layer
@pytest.mark.parametrize("steps", [1, 4])
def test_a_sequence_is_its_steps_unrolled(kind, steps):
    f, unrolled = FUNCTIONS[kind]
    args = parts(kind, steps=steps)
    np.testing.assert_allclose(f(*args), unrolled(*args), rtol=1e-13)
    ours, theirs = ([ag.Tensor(a) for a in args] for _ in range(2))
    y, expected = f(*ours), unrolled(*theirs)
    np.testing.assert_allclose(y.data, expected.data, rtol=1e-13)
    g = normal(*y.shape, seed=5)
    y.backward(g)
    expected.backward(g)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.grad, b.grad, rtol=1e-12, atol=1e-14)


@every_layer
def test_derivatives(kind, check_derivatives):
    check_derivatives(FUNCTIONS[kind][0], *parts(kind, steps=3), rtol=1e-5)


@every_layer
def test_a_sequence_is_one_operation(kind):
    f = {"RNN": nn.functional.rnn, "GRU": nn.functional.gru, "LSTM": nn.functional.recurrence._lstm}[kind]
    assert f"op={kind.lower()}" in repr(f(*map(ag.Tensor, parts(kind))))


@every_layer
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("single", [True, False])
def test_as_pytorch(kind, batch_first, given, single):
    compare_with_pytorch(kind, given, single, batch_first=batch_first)


STACKS = [
    {"num_layers": 2},
    {"bidirectional": True},
    {"bidirectional": True, "num_layers": 3},
    {"bidirectional": True, "num_layers": 2, "bias": False},
    {"bias": False},
]


@every_layer
@pytest.mark.parametrize("settings", STACKS, ids=lambda s: "-".join(s))
def test_stacks_and_two_directions_as_pytorch(kind, settings):
    compare_with_pytorch(kind, True, False, batch_first=True, **settings)
    compare_with_pytorch(kind, False, True, **settings)


def compare_with_pytorch(kind, given, single, batch_first=False, **settings):
    torch = pytest.importorskip("torch", reason="PyTorch is the judge")
    theirs = getattr(torch.nn, kind)(3, 5, batch_first=batch_first, **settings)
    ours = getattr(nn, kind)(3, 5, batch_first=batch_first, **settings, rng=0, dtype=np.float32)
    ours.load_state_dict(theirs.state_dict())
    runs = settings.get("num_layers", 1) * (1 + settings.get("bidirectional", False))
    n = 6 if batch_first else 4
    x = ag.Tensor((normal(4, 3) if single else normal(6, 4, 3)).astype(np.float32))
    first = [normal(runs, *(() if single else (n,)), 5, seed=i).astype(np.float32) for i in (1, 2)]
    as_state = (lambda s: s[0]) if kind != "LSTM" else tuple
    state = (as_state(first), as_state([torch.tensor(a) for a in first])) if given else (None, None)
    z = torch.tensor(x.data, requires_grad=True)
    y, last = ours(x, state[0])
    expected, their_last = theirs(z, state[1])
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    lasts = [(last, their_last)] if kind != "LSTM" else list(zip(last, their_last, strict=True))
    for a, b in lasts:
        np.testing.assert_allclose(a.data, b.detach().numpy(), rtol=1e-5, atol=1e-6)
    g = normal(*y.shape, seed=1).astype(np.float32)
    (np.sum(y * g) + sum(np.sum(a * a) for a, _ in lasts)).backward()
    ((expected * torch.tensor(g)).sum() + sum((b * b).sum() for _, b in lasts)).backward()
    np.testing.assert_allclose(x.grad, z.grad.numpy(), rtol=1e-4, atol=1e-5)
    for (name, p), (their_name, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == their_name
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-4, atol=2e-5)


@every_layer
def test_what_does_not_fit(kind):
    layer = getattr(nn, kind)(3, 5, rng=0)
    with pytest.raises(ValueError, match=r"needs x of shape \(steps, n, 3\) or \(steps, 3\), not \(4, 2, 2\)"):
        layer(np.ones((4, 2, 2)))
    with pytest.raises(ValueError, match="one step at least"):
        layer(np.ones((0, 2, 3)))
    h = np.ones((1, 7, 5))
    with pytest.raises(ValueError, match=r"needs a first state of shape \(1, 2, 5\), not \(1, 7, 5\)"):
        layer(np.ones((4, 2, 3)), h if kind != "LSTM" else (h, h))
    with pytest.raises(ValueError, match="positive lengths"):
        getattr(nn, kind)(0, 5, rng=0)


@every_layer
def test_dropout_between_layers(kind):
    layer = getattr(nn, kind)(2, 4, 2, dropout=0.5, rng=0)
    x = normal(3, 2, 2)
    assert not np.array_equal(layer(x)[0].data, layer(x)[0].data)
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].data, layer(x)[0].data)
    assert all("dropout" not in name for name in layer.state_dict())


def test_a_recurrent_network_remembers():
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], (64, 6, 1))  # is the first step the answer?
    layer, head = nn.LSTM(1, 8, batch_first=True, rng=0), nn.Linear(8, 2, rng=1)
    optimizer = nn.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    for _ in range(80):
        optimizer.zero_grad()
        loss = nn.cross_entropy(head(layer(x)[0][:, -1]), (x[:, 0, 0] > 0).astype(int))
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
