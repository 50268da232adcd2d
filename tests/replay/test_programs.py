"""Programs as people write them: compiled they take the steps that they take uncompiled, one after the other.

Each is a function of `C`, which is `ag.compile` or does nothing; it makes its data, parameters and generators, and returns
its step, a function of the number of steps before. Everything a step returns is compared, parameters included.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from bits import identical

import autograd_core as ag
import nn


def leaves_of(parameters):
    return [p.data.copy() for p in parameters]


def gaussian_process(C):
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 5, 12))
    y = np.sin(x) + 0.1 * rng.normal(size=12)

    @C
    @ag.value_and_grad
    def loss(p):
        scale, height, noise = np.exp(p["scale"]), np.exp(p["height"]), np.exp(p["noise"])
        K = height**2 * np.exp(-0.5 * ((x[:, None] - x) / scale) ** 2) + noise**2 * np.eye(len(x))
        return 0.5 * y @ np.linalg.solve(K, y) + np.sum(np.log(np.diag(np.linalg.cholesky(K))))

    p = {"scale": 0.0, "height": 0.0, "noise": -1.0}

    def step(_):
        nonlocal p
        value, slope = loss(p)
        p = ag.map_tree(lambda a, g: a - 0.01 * g, p, slope)
        return value, slope, p

    return step


def kalman_filter(C):
    ys = np.cumsum(np.random.default_rng(0).normal(size=8))
    F, H = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([1.0, 0.0])

    @C
    @ag.value_and_grad
    def loss(theta):
        q, r = np.exp(theta[0]), np.exp(theta[1])
        m, P, total = np.zeros(2), 10 * np.eye(2), 0.0
        for y in ys:
            m, P = F @ m, F @ P @ F.T + q * np.eye(2)
            S = H @ P @ H + r
            gain, e = P @ H / S, y - H @ m
            total = total + 0.5 * (np.log(S) + e**2 / S)
            m, P = m + gain * e, P - np.outer(gain, H @ P)
        return total

    theta = np.zeros(2)

    def step(_):
        nonlocal theta
        value, slope = loss(theta)
        theta = theta - 0.01 * slope
        return value, slope

    return step


def differential_equation(C):
    h = 0.1

    def motion(s, p):
        return np.stack([p[0] * s[0] - p[1] * s[0] * s[1], p[2] * s[0] * s[1] - p[3] * s[1]])

    def path(p, s):
        states = [s]
        for _ in range(8):  # Runge and Kutta
            k1 = motion(s, p)
            k2 = motion(s + h / 2 * k1, p)
            k3 = motion(s + h / 2 * k2, p)
            s = s + h / 6 * (k1 + 2 * k2 + 2 * k3 + motion(s + h * k3, p))
            states.append(s)
        return np.stack(states)

    start, p = np.array([1.0, 0.5]), np.array([1.2, 0.8, 0.9, 2.5])
    data = path(np.array([1.5, 1.0, 1.0, 3.0]), start)
    slope = C(ag.value_and_grad(lambda p: np.mean((path(p, start) - data) ** 2)))

    def step(_):
        nonlocal p
        value, g = slope(p)
        p = p - 0.1 * g
        return value, g

    return step


def variational_autoencoder(C):
    rng, draws = np.random.default_rng(0), np.random.default_rng(1)
    X = rng.uniform(size=(24, 6))
    encoder, decoder = nn.MLP([6, 8, 4], "relu", rng=rng), nn.MLP([2, 8, 6], "relu", rng=rng)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = nn.Adam(parameters, lr=1e-2)

    @C
    def update(x, rng):
        optimizer.zero_grad()
        code = encoder(x)
        mean, log_variance = code[:, :2], code[:, 2:]
        z = mean + np.exp(0.5 * log_variance) * rng.normal(size=mean.shape)
        fit = nn.bce_with_logits(decoder(z), x, reduction="sum") / len(x)
        distance = -0.5 * np.sum(1 + log_variance - mean**2 - np.exp(log_variance)) / len(x)
        loss = fit + distance
        loss.backward()
        optimizer.step()
        return loss, distance

    return lambda i: (update(X[i % 3 * 8 : i % 3 * 8 + 8], draws), leaves_of(parameters))


class Attention(nn.Module):
    def __init__(self, width, heads, rng):
        self.query, self.key, self.value, self.out = (nn.Linear(width, width, rng=rng) for _ in range(4))
        self.norm, self.drop, self.heads = nn.LayerNorm(width), nn.Dropout(0.2, rng=rng), heads

    def forward(self, x):
        n, steps, width = x.shape

        def split(z):
            return z.reshape(n, steps, self.heads, width // self.heads).transpose(0, 2, 1, 3)

        h = self.norm(x)
        q, k, v = split(self.query(h)), split(self.key(h)), split(self.value(h))
        scores = np.where(np.triu(np.ones((steps, steps), bool), 1), -1e9, q @ k.swapaxes(-1, -2) / np.sqrt(width))
        mixed = (nn.softmax(scores, axis=-1) @ v).transpose(0, 2, 1, 3).reshape(x.shape)
        return x + self.drop(self.out(mixed))


def language_model(C):
    rng = np.random.default_rng(0)
    tokens = rng.integers(7, size=200)
    embedding, head = nn.Embedding(7, 8, rng=rng), nn.Linear(8, 7, rng=rng)
    model = nn.Sequential(embedding, Attention(8, 2, rng), Attention(8, 2, rng), head)
    optimizer = nn.AdamW(model.parameters(), lr=1e-2)

    @C
    def update(x, y):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x).reshape(-1, 7), y.reshape(-1))
        loss.backward()
        norm = nn.clip_by_norm(model.parameters(), 1.0)
        optimizer.step()
        return loss, norm

    def step(i):
        at = np.random.default_rng(i).integers(190, size=4)[:, None] + np.arange(5)
        return update(tokens[at], tokens[at + 1]), leaves_of(model.parameters())

    return step


def physics_informed_network(C):
    model = nn.MLP([1, 8, 1], "tanh", rng=0)
    optimizer = nn.Adam(model.parameters(), lr=1e-2)
    second = ag.elementwise_grad(ag.elementwise_grad(model))
    ends = np.array([[0.0], [1.0]])

    @C
    def update(x):
        optimizer.zero_grad()
        residual = second(ag.Tensor(x)) + np.pi**2 * np.sin(np.pi * x)
        loss = np.mean(residual**2) + 10 * np.mean(model(ends) ** 2)
        loss.backward()
        optimizer.step()
        return loss

    return lambda i: (update(np.random.default_rng(i).uniform(size=(9, 1))), leaves_of(model.parameters()))


def learning_to_learn(C):
    def network(p, x):
        return np.tanh(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]

    def loss(p, x, y):
        return np.mean((network(p, x) - y) ** 2)

    def adapted(p, x, y):
        for _ in range(2):
            p = ag.map_tree(lambda a, g: a - 0.1 * g, p, ag.grad(loss)(p, x, y))
        return p

    @C
    @ag.value_and_grad
    def meta(p, tasks):
        return sum(loss(adapted(p, *known), *asked) for known, asked in tasks) / len(tasks)

    rng = np.random.default_rng(0)
    p = {"w1": rng.normal(size=(1, 5)), "b1": np.zeros(5), "w2": rng.normal(size=(5, 1)), "b2": np.zeros(1)}

    def step(_):
        nonlocal p
        tasks = []
        for _ in range(2):
            phase, x = rng.uniform(0, 3), rng.uniform(-3, 3, (2, 6, 1))
            tasks.append([(x[i], np.sin(x[i] + phase)) for i in range(2)])
        value, g = meta(p, tasks)
        p = ag.map_tree(lambda a, b: a - 0.01 * b, p, g)
        return value, g

    return step


def adversaries(C):
    rng = np.random.default_rng(0)
    maker, judge = nn.MLP([2, 8, 2], "relu", rng=0), nn.MLP([2, 8, 1], "leaky_relu", rng=1)
    makers, judges = nn.Adam(maker.parameters(), lr=1e-2), nn.RMSProp(judge.parameters(), lr=1e-2)

    def verdict(x, real):
        scores = judge(x)
        return nn.bce_with_logits(scores, np.full_like(scores, real))

    @C
    def judging(real, z):
        judges.zero_grad()
        loss = verdict(real, 1.0) + verdict(ag.stop_gradient(maker(z)), 0.0)
        loss.backward()
        judges.step()
        return loss

    @C
    def making(z):
        makers.zero_grad()
        loss = verdict(maker(z), 1.0)
        loss.backward()
        makers.step()
        return loss

    def step(_):
        losses = judging(rng.normal(size=(8, 2)) + 2, rng.normal(size=(8, 2))), making(rng.normal(size=(8, 2)))
        return losses, leaves_of([*maker.parameters(), *judge.parameters()])

    return step


def batches_and_evaluation(C):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(22, 4)).astype("f4"), rng.integers(3, size=22)
    layers = nn.Linear(4, 6, rng=0, dtype="f4"), nn.BatchNorm(6, dtype="f4"), nn.relu, nn.Dropout(0.3, rng=3)
    model = nn.Sequential(*layers, nn.Linear(6, 3, rng=1, dtype="f4"))
    optimizer = nn.SGD(model.parameters(), lr=0.1, momentum=0.9)
    rate = nn.schedules.cosine(20, warmup=3)

    @C
    def update(x, t):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        return loss

    @C
    def evaluated(x, t):
        with ag.no_grad():
            scores = model(x)
            return nn.cross_entropy(scores, t), np.mean(scores.argmax(axis=1) == t)

    def step(i):
        optimizer.scale = rate(i)
        model.train()
        losses = [update(*batch) for batch in nn.data.batches((X, y), 8, rng=np.random.default_rng(i))]  # 8, 8 and 6
        model.eval()
        return losses, evaluated(X, y), list(model.state_dict().values())

    return step


@dataclass
class Layer:
    weight: np.ndarray
    bias: np.ndarray


@dataclass
class Network:
    layers: list
    scale: float = 1.0

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = np.tanh(x @ layer.weight + layer.bias)
        return self.scale * (x @ self.layers[-1].weight + self.layers[-1].bias)


def newton_with_conjugate_gradients(C):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 1))
    network = Network([Layer(rng.normal(size=(3, 4)), np.zeros(4)), Layer(rng.normal(size=(4, 1)), np.zeros(1))])

    def loss(network):
        return np.mean((network(X) - y) ** 2)

    slope, curved = C(ag.value_and_grad(loss)), C(ag.hvp(loss))

    def step(_):
        nonlocal network
        value, g = slope(network)
        along = curved(network, g)
        pairs = zip(*(as_list(t) for t in (g, along)), strict=True)
        gg, gHg = (sum(parts) for parts in zip(*((np.sum(a * a), np.sum(a * b)) for a, b in pairs), strict=True))
        network = ag.map_tree(lambda p, a: p - np.minimum(gg / abs(gHg), 0.5) * a, network, g)
        return value, as_list(g), as_list(along), as_list(network)

    return step


def as_list(network):
    return [*(a for layer in network.layers for a in (layer.weight, layer.bias)), network.scale]


class Learner:
    """A model that keeps its rate, its parameters and their running average among its attributes."""

    def __init__(self, C):
        self.rate, self.n = 0.1, 5
        self.w, self.average = ag.Tensor(np.zeros(self.n)), ag.Tensor(np.zeros(self.n), requires_grad=False)
        self.count = ag.Tensor(0.0, requires_grad=False)
        self.update = C(self.updated)

    def updated(self, x, y):
        self.w.grad = None
        loss = np.mean(np.abs(x @ self.w - y)) + 0.01 * np.sum(self.w**2)
        loss.backward()
        norm = np.linalg.norm(self.w.grad)
        self.w.data -= self.rate * self.w.grad * np.minimum(1.0, 0.5 / norm)
        self.average.data = 0.9 * self.average.data + 0.1 * self.w.data
        self.count.data += 1
        return loss, self.average.data / (1 - 0.9**self.count.data)


def object_with_state(C):
    learner, rng = Learner(C), np.random.default_rng(0)
    X, y = rng.normal(size=(9, 5)), rng.normal(size=9)

    def step(i):
        learner.rate = 0.1 if i < 3 else 0.05
        return learner.update(X, y), leaves_of([learner.w, learner.average, learner.count])

    return step


PROGRAMS = {  # and how far off they may be: gradients of parts of an array are added up in another order
    gaussian_process: 0,
    kalman_filter: 1e-13,
    differential_equation: 1e-13,
    variational_autoencoder: 0,
    language_model: 0,
    physics_informed_network: 0,
    learning_to_learn: 1e-13,
    adversaries: 0,
    batches_and_evaluation: 0,
    newton_with_conjugate_gradients: 0,
    object_with_state: 0,
}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_steps_are_the_same(program):
    compiled = []

    def record(f):
        compiled.append(ag.compile(f))
        return compiled[-1]

    eager, replayed = program(lambda f: f), program(record)
    for i in range(6):
        identical(values(replayed(i)), values(eager(i)), PROGRAMS[program])
    assert compiled
    assert all(1 <= len(f.plans) <= 3 for f in compiled)  # recorded, and not at every step


def values(tree):
    """Return what a step returns, dicts as lists."""
    if isinstance(tree, dict):
        return values(list(tree.values()))
    return [values(part) for part in tree] if isinstance(tree, tuple | list) else tree
