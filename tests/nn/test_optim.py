import numpy as np
import pytest

import autograd_core as ag
import nn

SETTINGS = [
    {},
    {"weight_decay": 0.1},
    {"momentum": 0.9},
    {"momentum": 0.9, "weight_decay": 0.1},
    {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
]
every_setting = pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(s) or "plain")
A, C = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1.0, -1.0])


def quadratic(p, q):
    return 0.5 * np.sum(p * (A @ p)) + np.sum(C * p) + (q - 1) ** 2


def gradient(p, q):
    return A @ p + C, 2 * (q - 1)


def start(dtype=np.float64):
    return ag.Tensor([1.0, -2.0], dtype=dtype, name="p"), ag.Tensor(3.0, dtype=dtype, name="q")


def run(optimizer, parameters, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        quadratic(*parameters).backward()
        optimizer.step()


@every_setting
def test_sgd_is_its_equation(settings):
    parameters = start()
    run(nn.SGD(parameters, lr=0.05, **settings), parameters, 10)
    values, velocities = [np.array([1.0, -2.0]), 3.0], [0.0, 0.0]
    momentum, decay = settings.get("momentum", 0), settings.get("weight_decay", 0)
    for _ in range(10):
        for i, g in enumerate(gradient(*values)):
            g = g + decay * values[i]
            velocities[i] = momentum * velocities[i] + g
            values[i] = values[i] - 0.05 * (g + momentum * velocities[i] if settings.get("nesterov") else velocities[i])
    for p, value in zip(parameters, values, strict=True):
        np.testing.assert_allclose(p.data, value, rtol=1e-14)


@every_setting
def test_sgd_as_pytorch(settings):
    torch = pytest.importorskip("torch")
    ours, theirs = start(), [torch.tensor(p.data, requires_grad=True) for p in start()]
    mine, other = nn.SGD(ours, lr=0.05, **settings), torch.optim.SGD(theirs, lr=0.05, **settings)
    for _ in range(100):
        run(mine, ours, 1)
        other.zero_grad()
        p, q = theirs
        (0.5 * torch.sum(p * (torch.tensor(A) @ p)) + torch.sum(torch.tensor(C) * p) + (q - 1) ** 2).backward()
        other.step()
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.data, b.detach().numpy(), rtol=1e-12)


def test_nesterov_is_the_lectures_at_the_point_it_looks_ahead_to():
    (p, q), rate, mu = start(), 0.05, 0.9
    optimizer = nn.SGD([p, q], lr=rate, momentum=mu, nesterov=True)
    w, theta = [np.array([1.0, -2.0]), 3.0], [0.0, 0.0]
    for _ in range(10):
        run(optimizer, (p, q), 1)
        g = gradient(*(a + mu * t for a, t in zip(w, theta, strict=True)))
        theta = [mu * t - rate * d for t, d in zip(theta, g, strict=True)]
        w = [a + t for a, t in zip(w, theta, strict=True)]
        for a, b, t in zip((p, q), w, theta, strict=True):
            np.testing.assert_allclose(a.data, b + mu * t, rtol=1e-13)


@every_setting
def test_sgd_reaches_the_minimum(settings):
    parameters = start()
    optimizer = nn.SGD(lr=0.05, **{**settings, "weight_decay": 0}).attach(parameters)
    run(optimizer, parameters, 400)
    np.testing.assert_allclose(parameters[0].data, np.linalg.solve(A, -C), atol=1e-8)
    np.testing.assert_allclose(parameters[1].data, 1, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@every_setting
def test_the_dtype_stays(settings, dtype):
    p = ag.Tensor([1.0, -2.0], dtype=dtype)
    optimizer = nn.SGD([p], lr=0.05, **settings)
    np.sum(p * p).backward()
    optimizer.step()
    assert p.dtype == dtype


def test_parameters_are_updated_in_place_and_their_graphs_become_stale():
    p, q = start()
    array, loss = p.data, quadratic(p, q)
    optimizer = nn.SGD([p, q], lr=0.1)
    quadratic(p, q).backward()
    optimizer.step()
    assert p.data is array
    with pytest.raises(RuntimeError, match="updated after"):
        loss.backward()


def test_attaching():
    (p, q), optimizer = start(), nn.SGD(lr=0.1, momentum=0.9)
    assert optimizer.attach(t for t in (p, q, p)) is optimizer  # what is shared is updated once
    assert len(optimizer.parameters) == 2
    assert optimizer.parameters[1] is q
    run(optimizer, (p, q), 1)
    np.testing.assert_allclose(p.data, np.array([1, -2]) - 0.1 * gradient(np.array([1.0, -2.0]), 3.0)[0])
    optimizer.attach([p, q])  # the velocity starts afresh
    before = p.data.copy()
    run(optimizer, (p, q), 1)
    np.testing.assert_allclose(p.data, before - 0.1 * gradient(before, 0)[0])


def test_zero_grad_and_parameters_without_gradient():
    p, q = start()
    optimizer = nn.SGD([p, q], lr=0.1)
    np.sum(p * p).backward()
    optimizer.step()
    assert q.data == 3
    np.testing.assert_allclose(p.data, [0.8, -1.6])
    optimizer.zero_grad()
    assert p.grad is None
    with pytest.raises(RuntimeError, match=r"no parameter has a gradient: call loss\.backward"):
        optimizer.step()


def test_the_rate_may_change():
    p, q = start()
    optimizer = nn.SGD([p, q], lr=0.1)
    optimizer.lr = 0.5
    np.sum(p * p).backward()
    optimizer.step()
    np.testing.assert_array_equal(p.data, [0, 0])


def test_step_needs_parameters():
    with pytest.raises(RuntimeError, match=r"call attach\(model\.parameters\(\)\) first"):
        nn.SGD(lr=0.1).step()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": 0}, "learning rate is a positive number, not 0"),
        ({"lr": -0.1}, "learning rate"),
        ({"lr": np.nan}, "learning rate"),
        ({"lr": np.inf}, "learning rate"),
        ({"lr": 0.1, "momentum": 1}, "momentum lies from 0"),
        ({"lr": 0.1, "momentum": -0.1}, "momentum lies from 0"),
        ({"lr": 0.1, "weight_decay": -1}, "weight decay"),
        ({"lr": 0.1, "nesterov": True}, "nesterov=True needs a momentum"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        nn.SGD(**settings)


UNTRAINABLE = {
    "a tensor": (
        lambda: ag.Tensor([1.0]),
        TypeError,
        r"takes parameters, such as model\.parameters\(\) or \[p\], not a Tensor",
    ),
    "a module": (lambda: nn.Linear(1, 1, rng=0), TypeError, r"such as model\.parameters\(\) or \[p\], not a Linear"),
    "a rate": (lambda: 0.1, TypeError, r"a learning rate is written lr=0\.1"),
    "nothing": (list, ValueError, "was given no parameters"),
    "complex": (
        lambda: [ag.Tensor([1.0]), ag.Tensor([1.0j])],
        TypeError,
        r"parameter 1 of SGD is complex, of shape \(1,\)",
    ),
    "untracked": (
        lambda: [ag.Tensor([1.0], requires_grad=False)],
        TypeError,
        "parameter 0 of SGD is not a tracked leaf",
    ),
    "a result": (lambda: [ag.Tensor([1.0]) * 2], TypeError, "not a tracked leaf"),
    "an array": (lambda: [np.ones(2)], TypeError, "not a tracked leaf"),
}


@pytest.mark.parametrize("kind", UNTRAINABLE)
def test_what_cannot_be_trained(kind):
    make, error, message = UNTRAINABLE[kind]
    p, _ = start()
    optimizer = nn.SGD([p], lr=0.1)
    with pytest.raises(error, match=message):
        optimizer.attach(make())
    assert len(optimizer.parameters) == 1
    assert optimizer.parameters[0] is p
