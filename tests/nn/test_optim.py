import copy
import pickle

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
    optimizer = nn.SGD([p, q], lr=0.1)
    array, loss = p.data, quadratic(p, q)
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
        ({"lr": False}, "learning rate is a positive number, not False"),
        ({"lr": -0.1}, "learning rate"),
        ({"lr": np.nan}, "learning rate"),
        ({"lr": "0.1"}, "a learning rate is a positive number, not '0.1'"),
        ({"lr": np.ones(2)}, "learning rate"),
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
    "a model": (lambda: nn.MLP([2, 1], rng=0), TypeError, r"such as model\.parameters\(\) or \[p\], not a MLP"),
    "a group": (lambda: {"params": [ag.Tensor([1.0])]}, TypeError, "not a dict"),
    "groups without parameters": (lambda: [{"lr": 0.1}], TypeError, 'group 0 of SGD is not a dict with "params"'),
    "an unknown setting": (
        lambda: [{"params": [ag.Tensor([1.0])], "rate": 1}],
        ValueError,
        "has rate; settings are lr",
    ),
    "a bad setting": (lambda: [{"params": [ag.Tensor([1.0])], "lr": -1}], ValueError, "positive number, not -1"),
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


# --- all of them ------------------------------------------------------------------------------------------------------

KINDS = [
    (nn.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (nn.AdaGrad, {"lr": 0.1}),
    (nn.AdaGrad, {"lr": 0.1, "weight_decay": 0.1}),
    (nn.RMSProp, {"lr": 0.01}),
    (nn.RMSProp, {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    (nn.Adam, {"lr": 0.05}),
    (nn.Adam, {"lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-4, "weight_decay": 0.1}),
    (nn.AdamW, {"lr": 0.05}),
    (nn.AdamW, {"lr": 0.05, "weight_decay": 0.2}),
]
every_kind = pytest.mark.parametrize(
    ("kind", "settings"), KINDS, ids=lambda v: getattr(v, "__name__", None) or "-".join(v)
)


def large(dtype=np.float64):
    """Return parameters that are walked in blocks, and some that are gathered, among them one in Fortran's order."""
    rng = np.random.default_rng(0)
    shapes = [(3, 4), (300, 250), (), (0, 2), (5,), (40_000,)]
    found = [ag.Tensor(rng.normal(size=s), dtype=dtype) for s in shapes]
    return [*found, ag.Tensor(np.asfortranarray(rng.normal(size=(200, 200))), dtype=dtype)]


def feed(parameters, seed):
    rng = np.random.default_rng(seed)
    for p in parameters:
        p.grad = rng.normal(size=p.shape).astype(p.dtype)


@every_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_pytorch(kind, settings, dtype):
    torch = pytest.importorskip("torch")
    ours = [p for p in large(dtype) if p.size < 50]
    theirs = [torch.tensor(p.data, requires_grad=True) for p in ours]
    name = {"AdaGrad": "Adagrad", "RMSProp": "RMSprop"}.get(kind.__name__, kind.__name__)
    mine, other = kind(ours, **settings), getattr(torch.optim, name)(theirs, **settings)
    for step in range(100):
        feed(ours, step)
        for p, t in zip(ours, theirs, strict=True):
            t.grad = torch.tensor(p.grad)
        mine.step()
        other.step()
        for p, t in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(
                p.data, t.detach().numpy(), rtol=1e-10 if dtype is np.float64 else 2e-4, atol=1e-6
            )


@every_kind
def test_large_parameters_as_small_ones(kind, settings):
    whole = large()
    parts = [[ag.Tensor(x) for x in np.array_split(np.ravel(p.data), 30)] for p in whole]
    one, many = kind(whole, **settings), kind([p for row in parts for p in row], **settings)
    for step in range(3):
        feed(whole, step)
        for p, row in zip(whole, parts, strict=True):
            for q, g in zip(row, np.array_split(np.ravel(p.grad), 30), strict=True):
                q.grad = g
        before = [p.grad.copy() for p in whole]
        one.step()
        many.step()
        for p, g in zip(whole, before, strict=True):
            np.testing.assert_array_equal(p.grad, g)  # still there to look at
    for p, row in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(np.ravel(p.data), np.concatenate([q.data for q in row]))


@every_kind
def test_half_precision(kind, settings):
    p = ag.Tensor([1.0, -2.0], dtype=np.float16)
    optimizer = kind([p], **settings)
    for _ in range(3):
        p.grad = np.array([1e-3, 1.0], np.float16)
        optimizer.step()
    assert p.dtype == np.float16
    assert p.data[0] < 1
    assert p.data[1] < -2


@every_kind
def test_going_on_from_a_state(kind, settings):
    one, two = large(), large()
    first = kind(one, **settings)
    for step in range(3):
        feed(one, step)
        first.step()
    first.scale = 0.5
    state = first.state_dict()
    for p, q in zip(one, two, strict=True):
        q.assign(p.data)
    second = kind([{"params": two, "lr": 7.0}], lr=1.0).attach(two) if kind is nn.AdaGrad else kind(two, **settings)
    second.load_state_dict(state)
    for step in range(3, 6):
        for parameters, optimizer in [(one, first), (two, second)]:
            feed(parameters, step)
            optimizer.step()
    assert [p.data.tobytes() for p in one] == [p.data.tobytes() for p in two]


def test_a_state_that_does_not_fit_changes_nothing():
    (p, q), adam = start(), nn.Adam(lr=0.1)
    adam.attach([p, q])
    run(adam, (p, q), 2)
    good = adam.state_dict()

    def without_m(s):
        del s["state"][1]["m"]

    def wrong_shape(s):
        s["state"][1]["m"] = np.zeros(3)

    def wrong_rate(s):
        s["groups"][0]["lr"] = -1

    def fewer(s):
        s["groups"][0]["params"] = [0]

    def unknown(s):
        s["groups"][0]["rate"] = 1

    def bare(s):
        del s["groups"]

    for spoil, message in [
        (without_m, "parameter 1 does not fit Adam: it has step, v"),
        (wrong_shape, r"m is float64 of shape \(3,\)"),
        (wrong_rate, "positive number, not -1"),
        (fewer, r"groups of \[1\] parameters, here are groups of \[2\]"),
        (unknown, "group 0 has the settings"),
        (bare, "needs groups, scale and state"),
    ]:
        bad = adam.state_dict()
        spoil(bad)
        with pytest.raises(ValueError, match=message):
            adam.load_state_dict(bad)
        np.testing.assert_equal(adam.state_dict(), good)


def test_groups():
    p, q = start()
    optimizer = nn.SGD([{"params": [p]}, {"params": q, "lr": 0.5}], lr=0.1)
    run(optimizer, (p, q), 1)
    np.testing.assert_allclose(p.data, np.array([1, -2]) - 0.1 * gradient(np.array([1.0, -2.0]), 3.0)[0])
    np.testing.assert_allclose(q.data, 3 - 0.5 * 4)
    assert [g["lr"] for g in optimizer.groups] == [0.1, 0.5]
    optimizer.lr = 0.2
    assert [g["lr"] for g in optimizer.groups] == [0.2, 0.2]
    with pytest.raises(ValueError, match=r"is in groups 0 and 1 of SGD"):
        nn.SGD([{"params": [p]}, {"params": [p, q]}], lr=0.1)
    with pytest.raises(ValueError, match="positive number, not -1"):
        optimizer.lr = -1
    assert repr(nn.SGD(lr=0.1)) == "SGD(lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0)"


def test_those_that_sat_out_count_their_own_steps():
    p, q = start()
    optimizer, alone = nn.Adam([p, q], lr=0.1), nn.Adam([lonely := ag.Tensor(3.0)], lr=0.1)
    p.grad = np.ones(2)
    optimizer.step()
    for _ in range(2):
        p.grad, q.grad, lonely.grad = np.ones(2), 1.5, 1.5
        optimizer.step()
        alone.step()
    assert q.data == lonely.data
    assert [s["step"] for s in optimizer.state_dict()["state"].values()] == [3, 2]


def test_a_parameter_may_be_assigned_between_steps_and_belong_to_two():
    p, _ = start()
    one, two = nn.SGD([p], lr=0.1), nn.SGD([p], lr=0.2)
    for optimizer, rate in [(one, 0.1), (two, 0.2), (one, 0.1)]:
        p.assign([1.0, 1.0])
        p.data = p.data + 1
        p.grad = np.array([1.0, 2.0])
        optimizer.step()
        np.testing.assert_allclose(p.data, [2 - rate, 2 - 2 * rate])


def test_freezing_between_steps():
    p, q = start()
    optimizer = nn.Adam([p, q], lr=0.1)
    run(optimizer, (p, q), 1)
    q.requires_grad = False
    before = q.data.copy()
    run(optimizer, (p, q), 1)
    assert q.data == before


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (nn.Adam, {"betas": (0.9, 1.0)}, "betas are two numbers"),
        (nn.Adam, {"betas": (0.9,)}, "betas are two numbers"),
        (nn.Adam, {"eps": -1}, "eps is a small number"),
        (nn.AdamW, {"weight_decay": -1}, "weight decay"),
        (nn.AdaGrad, {"lr": -1}, "learning rate"),
        (nn.AdaGrad, {"eps": np.nan}, "eps is"),
        (nn.RMSProp, {"alpha": 1}, "alpha lies from 0"),
        (nn.RMSProp, {"momentum": -1}, "momentum lies from 0"),
    ],
)
def test_other_settings_that_make_no_sense(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind(**settings)


def test_only_a_configuration_is_copied():
    p, _ = start()
    twin = copy.deepcopy(nn.Adam(lr=0.1))
    assert twin.lr == 0.1
    with pytest.raises(TypeError, match="copy its state_dict"):
        copy.deepcopy(nn.Adam([p], lr=0.1))


def test_clipping():
    p, q = start()
    p.grad, q.grad = np.array([3.0, 0.0]), 4.0
    assert nn.clip_by_norm([p, q], 10) == 5
    np.testing.assert_array_equal(p.grad, [3, 0])
    assert nn.clip_by_norm([p, q], 1) == 5
    np.testing.assert_allclose([*p.grad, q.grad], [0.6, 0, 0.8])
    nn.clip_by_value([p, q, ag.Tensor(1.0)], 0.7)
    np.testing.assert_allclose([*p.grad, q.grad], [0.6, 0, 0.7])
    for clip in (nn.clip_by_norm, nn.clip_by_value):
        with pytest.raises(ValueError, match="positive limit, not 0"):
            clip([p], 0)


# --- the buffers, and the equation by itself --------------------------------------------------------------------------


@every_kind
def test_an_equation_is_a_function_of_arrays(kind, settings):
    """What `step` does is the equation called on flat arrays; numbers may be arrays, and arrays Tensors."""
    parameters = [p for p in large() if p.size < 50]
    optimizer = kind(parameters, **settings)
    (run,) = optimizer.runs
    rest = {k: v for k, v in optimizer.defaults.items() if k != "lr"}
    assert {k: run.settings()[k] for k in rest} == rest
    p = run.values.copy()
    state = [np.zeros_like(p) for _ in kind.slots(rest)]
    traced, traced_state = ag.Tensor(p, requires_grad=False), [ag.Tensor(s, requires_grad=False) for s in state]
    for t in range(1, 4):
        feed(parameters, t)
        optimizer.step()
        g = run.gradients.copy()
        before = g.copy()
        kind.update(p, g, state, t, settings["lr"], rest)
        np.testing.assert_array_equal(g, before)
        np.testing.assert_array_equal(p, run.values)
        for mine, other in zip(state, run.state, strict=True):
            np.testing.assert_array_equal(mine, other)
        kind.update(traced, g, traced_state, np.float64(t), np.array(settings["lr"]), rest)
        np.testing.assert_allclose(traced.data, p, rtol=1e-12)


def test_values_and_gradients_live_in_buffers():
    model = nn.MLP([3, 4, 4, 2], rng=0)
    before = model.state_dict()
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    (run,) = optimizer.runs
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    nn.mse(model(np.ones((5, 3))), np.ones((5, 2))).backward()
    optimizer.step()
    for i, p in enumerate(run.parameters):
        assert np.shares_memory(p.data, run.values)
        np.testing.assert_array_equal(run.part(run.gradients, i), p.grad)
    before = model.state_dict()
    run.values *= 2  # an update from outside is seen by the model
    np.testing.assert_array_equal(model.state_dict()["2.weight"], 2 * before["2.weight"])


@pytest.mark.parametrize("layers", [1, 30])
def test_an_update_is_a_handful_of_calls(layers, monkeypatch):
    parameters = [ag.Tensor(np.ones((3, 3))) for _ in range(layers)]
    optimizer, calls = nn.Adam(parameters), []
    update = nn.Adam.update
    monkeypatch.setattr(nn.Adam, "update", staticmethod(lambda *args: (calls.append(args[0].size), update(*args))))
    feed(parameters, 0)
    optimizer.step()
    assert calls == [9 * layers]


def test_gradients_that_were_kept_keep_their_values():
    p, q = start()
    optimizer = nn.SGD([p, q], lr=0.1)
    kept = []
    for _ in range(3):
        optimizer.zero_grad()
        value = p.data.copy()
        quadratic(p, q).backward()
        kept.append((p.grad, gradient(value, 0.0)[0]))
        optimizer.step()
    for found, expected in kept:
        np.testing.assert_allclose(found, expected)


def test_a_gradient_that_was_assigned_is_added_to():
    p, q = start()
    nn.SGD([p, q], lr=0.1)
    quadratic(p, q).backward()
    p.grad = np.array([10.0, 20.0])
    np.sum(p * p).backward()
    np.testing.assert_array_equal(p.grad, [12, 16])


def test_gradients_add_up_and_may_be_assigned():
    p, q = start()
    np.sum(p * p).backward()
    optimizer = nn.SGD([p, q], lr=0.1)  # a gradient that is there already counts
    quadratic(p, q).backward()
    expected = gradient(np.array([1.0, -2.0]), 3.0)[0] + np.array([2.0, -4.0])
    np.testing.assert_allclose(p.grad, expected)
    q.grad = 1.0
    optimizer.step()
    np.testing.assert_allclose(p.data, [1, -2] - 0.1 * expected)
    np.testing.assert_allclose(q.data, 3 - 0.1)


@every_kind
def test_a_pickled_optimizer_goes_on_with_its_model(kind, settings):
    model = nn.MLP([3, 4, 2], rng=0)
    optimizer = kind([{"params": model.layers[0].parameters(), "lr": 0.01}, {"params": model.layers[2].parameters()}],
                     **settings)  # fmt: skip
    optimizer.scale = 0.5
    for step in range(4):
        feed(list(model.parameters()), step)
        optimizer.step()
        if step == 1:
            twin, other = pickle.loads(pickle.dumps((model, optimizer)))
        elif step > 1:
            feed(list(twin.parameters()), step)
            other.step()
    np.testing.assert_equal(twin.state_dict(), model.state_dict())
    bare = pickle.loads(pickle.dumps(kind(**settings)))
    assert repr(bare) == repr(kind(**settings))


def test_numbers_are_parameters_like_others():
    p = ag.Tensor(3.0)
    optimizer = nn.SGD([p], lr=0.5)
    before = repr(p)
    (p * p).backward()
    assert (p.grad == 6, np.shape(p.grad)) == (True, ())
    optimizer.step()
    assert (before, repr(p), p.item()) == ("Tensor(3.0)", "Tensor(0.0)", 0.0)
    assert float(copy.deepcopy(p).data) == 0.0


@every_kind
def test_numpys_numbers_as_settings(kind, settings):
    def as_numpy(v):
        return tuple(map(np.float64, v)) if isinstance(v, tuple) else v if v is True else np.float64(v)

    ours, theirs = (ag.Tensor([1.0, -2.0], dtype=np.float32) for _ in range(2))
    one = kind([ours], **settings)
    two = kind([{"params": [theirs], **{k: as_numpy(v) for k, v in settings.items()}}], lr=np.float32(1))
    two.lr = np.float64(one.lr)
    for step in range(3):
        feed([ours], step)
        feed([theirs], step)
        one.step()
        two.step()
    np.testing.assert_array_equal(ours.data, theirs.data)
    assert all(type(v) in (float, bool, tuple) for k, v in two.groups[0].items() if k != "params")


def test_a_momentum_may_be_switched_on():
    p, q = start()
    optimizer = nn.SGD([p, q], lr=0.1)
    run(optimizer, (p, q), 1)
    optimizer.groups[0]["momentum"] = 0.5
    run(optimizer, (p, q), 2)
    assert [set(s) for s in optimizer.state_dict()["state"].values()] == [{"step", "v"}] * 2
    twin = start()
    other = nn.SGD(twin, lr=0.1, momentum=0.5)
    run(other, twin, 1)
    other.attach(twin)
    run(other, twin, 2)
    np.testing.assert_array_equal(p.data, twin[0].data)


def test_clipping_gradients_of_a_model_and_of_half_precision():
    model = nn.MLP([2, 3, 1], rng=0)
    np.sum(100 * model(np.ones((2, 2)))).backward()
    norm = nn.clip_by_norm(model, 1.0)
    assert norm > 1
    np.testing.assert_allclose(nn.clip_by_norm(model.parameters(), 1.0), 1.0, rtol=1e-12)
    nn.clip_by_value(model, 1e-3)
    assert max(np.abs(p.grad).max() for p in model.parameters()) == 1e-3
    p = ag.Tensor([0.0, 0.0], dtype=np.float16)
    p.grad = np.array([300.0, 400.0])
    assert nn.clip_by_norm([p], 5.0) == 500
    np.testing.assert_allclose(p.grad, [3, 4], rtol=1e-3)
