"""Every layer, loss and optimizer that `nn` exports, compiled: each takes the steps that the eager one takes.

The tables below hold them all (`test_nothing_is_left_out` says so), and a run is a short life of a training: steps on
batches of several sizes, rates that change, evaluation in between, states saved and loaded, gradients looked at, kept
and added to. After every event all there is to see is compared: losses, outputs, values, gradients, states.

All of it is the same bit for bit.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_core as ag
import nn

N = 6
BATCHES = (slice(0, 6), slice(1, 5))


def flat(layer):
    """A network around a layer, which makes rows of three scores of whatever it gives."""
    return lambda dtype: Around(layer(dtype), dtype)


class Around(nn.Module):
    """A layer, its output flattened, a dense layer after it whose size is found out."""

    def __init__(self, body, dtype):
        self.body, self.dtype = body, dtype

    def fitted(self, x):
        with ag.no_grad():
            width = self.flat(x).shape[1]
        self.head = nn.Linear(width, 3, rng=7, dtype=self.dtype)
        return self

    def flat(self, x):
        y = self.body(x)
        y = y[0] if isinstance(y, tuple) else y
        return nn.Flatten()(y)

    def forward(self, x):
        return self.head(self.flat(x))


class Tied(nn.Module):
    """One layer twice, and its weight transposed."""

    def __init__(self, dtype):
        self.first = self.again = nn.Linear(4, 4, rng=0, dtype=dtype)
        self.weight = self.first.weight

    def forward(self, x):
        return nn.tanh(self.again(nn.tanh(self.first(x)))) @ self.weight


def rows(rng, dtype):
    return rng.normal(size=(N, 4)).astype(dtype)


def images(rng, dtype):
    return rng.normal(size=(N, 2, 5, 5)).astype(dtype)


def series(rng, dtype):
    return rng.normal(size=(N, 4, 5)).astype(dtype)


def tokens(rng, _):
    return rng.integers(0, 7, (N, 4))


def dense(after):
    return lambda dtype: nn.Sequential(nn.Linear(4, 5, rng=0, dtype=dtype), after())


LAYERS = {
    "Activation": (dense(lambda: nn.Activation("leaky_relu", slope=0.2)), rows),
    "AvgPool2d": (lambda t: nn.Sequential(nn.Conv2d(2, 3, 2, rng=0, dtype=t), nn.AvgPool2d(2)), images),
    "BatchNorm": (lambda t: nn.Sequential(nn.Linear(4, 3, rng=0, dtype=t), nn.BatchNorm(3, dtype=t)), rows),
    "BatchNorm of images": (lambda t: nn.BatchNorm(2, dtype=t, momentum=0.3), images),
    "BatchNorm, not affine": (lambda t: nn.Sequential(nn.Linear(4, 3, rng=0, dtype=t), nn.BatchNorm(3, affine=False, dtype=t)), rows),
    "Conv1d": (lambda t: nn.Conv1d(4, 2, 2, stride=2, rng=0, dtype=t), series),
    "Conv2d": (lambda t: nn.Conv2d(2, 3, 3, padding=1, rng=0, dtype=t), images),
    "Conv2d, in groups": (lambda t: nn.Conv2d(2, 4, 2, groups=2, dilation=2, bias=False, rng=0, dtype=t), images),
    "Dropout": (dense(lambda: nn.Dropout(0.4, rng=1)), rows),
    "Embedding": (lambda t: nn.Embedding(7, 3, rng=0, dtype=t), tokens),
    "Embedding, padded": (lambda t: nn.Embedding(7, 3, padding_idx=2, rng=0, dtype=t), tokens),
    "Flatten": (lambda t: nn.Sequential(nn.Conv2d(2, 3, 3, rng=0, dtype=t), nn.relu, nn.Flatten()), images),
    "GRU": (lambda t: nn.GRU(5, 3, batch_first=True, rng=0, dtype=t), series),
    "LSTM": (lambda t: nn.LSTM(5, 2, 2, dropout=0.3, bidirectional=True, batch_first=True, rng=0, dtype=t), series),
    "LayerNorm": (lambda t: nn.Sequential(nn.Linear(4, 3, rng=0, dtype=t), nn.LayerNorm(3, dtype=t)), rows),
    "Linear": (lambda t: nn.Linear(4, 3, rng=0, dtype=t), rows),
    "MLP": (lambda t: nn.MLP([4, 8, 5], "gelu", rng=0, dtype=t), rows),
    "MaxPool2d": (lambda t: nn.Sequential(nn.Conv2d(2, 3, 2, rng=0, dtype=t), nn.MaxPool2d(2)), images),
    "Parallel": (lambda t: nn.Parallel(nn.Linear(4, 2, rng=0, dtype=t), nn.Linear(4, 3, rng=1, dtype=t)), rows),
    "RBF": (lambda t: nn.RBF(4, 3, rng=0, dtype=t), rows),
    "RNN": (lambda t: nn.RNN(5, 3, batch_first=True, bidirectional=True, rng=0, dtype=t), series),
    "Residual": (lambda t: nn.Residual(nn.Linear(4, 4, rng=0, dtype=t), nn.tanh, nn.Dropout(0.2, rng=3)), rows),
    "Sequential": (lambda t: nn.Sequential(nn.Linear(4, 4, rng=0, dtype=t), np.tanh, nn.Linear(4, 2, rng=1, dtype=t)), rows),
    "shared": (Tied, rows),
}  # fmt: skip
FUNCTIONS = (
    "elu", "gelu", "identity", "leaky_relu", "log_softmax", "relu", "sigmoid", "silu", "softmax", "softplus", "tanh",
)  # fmt: skip
LAYERS["functions"] = (dense(lambda: nn.Parallel(*(getattr(nn, name) for name in FUNCTIONS))), rows)

LABELS = np.array([0, 2, 1, 1, 0, 2])
HOT = np.eye(3)[LABELS]
WEIGHTS = np.array([1.0, 2.0, 0.5, 1.0, 0.25, 3.0])


def signs(t):
    return (2 * HOT - 1).astype(t)


def hot(t):
    return HOT.astype(t)


def labels(_):
    return LABELS


def mixed(t):
    return (HOT * 0.7 + 0.1).astype(t)


LOSSES = {  # of a model, its output and the target; what the target is
    "bce": (lambda _, z, y: nn.bce(nn.sigmoid(z), y), mixed),
    "bce_with_logits": (lambda _, z, y: nn.bce_with_logits(z, y), mixed),
    "bce_with_logits, weighted": (lambda _, z, y: nn.bce_with_logits(z, y, pos_weight=np.array([1.0, 2.0, 3.0])), hot),
    "binomial": (lambda _, z, y: nn.binomial(z, y), signs),
    "cross_entropy": (lambda _, z, y: nn.cross_entropy(z, y), labels),
    "cross_entropy of probabilities": (lambda _, z, y: nn.cross_entropy(z, y, label_smoothing=0.1), mixed),
    "cross_entropy, weighted": (lambda _, z, y: nn.cross_entropy(z, y, weight=np.array([1.0, 2.0, 0.5])), labels),
    "hinge": (lambda _, z, y: nn.hinge(z, y), signs),
    "huber": (lambda _, z, y: nn.huber(z, y, delta=0.5), hot),
    "l1": (lambda _, z, y: nn.l1(z, y, "sum"), hot),
    "l1_penalty": (lambda m, z, y: nn.mse(z, y) + 0.01 * nn.l1_penalty(m), hot),
    "l2_penalty": (lambda m, z, y: nn.mse(z, y) + 0.01 * nn.l2_penalty(m.parameters()), hot),
    "logistic": (lambda _, z, y: nn.logistic(z, y), signs),
    "mse": (lambda _, z, y: nn.mse(z, y), hot),
    "mse of each": (lambda _, z, y: np.sum(np.sqrt(nn.mse(z, y, "none") + 1)), hot),
    "multinomial_deviance": (lambda _, z, y: nn.multinomial_deviance(nn.softmax(z), y), hot),
    "nll": (lambda _, z, y: nn.nll(nn.log_softmax(z), y), labels),
}


def grouped(kind, **settings):
    """Two groups of parameters with a rate each."""

    def make(parameters):
        first, *rest = parameters
        return kind([{"params": [first], "lr": 0.02}, {"params": rest}], lr=0.01, **settings)

    return make


OPTIMIZERS = {
    "SGD": lambda p: nn.SGD(p, lr=0.05),
    "SGD, momentum": lambda p: nn.SGD(p, lr=0.02, momentum=0.9, weight_decay=1e-2),
    "SGD, Nesterov": lambda p: nn.SGD(p, lr=0.02, momentum=0.8, nesterov=True),
    "AdaGrad": lambda p: nn.AdaGrad(p, lr=0.02, weight_decay=1e-2),
    "RMSProp": lambda p: nn.RMSProp(p, lr=0.005),
    "RMSProp, momentum": lambda p: nn.RMSProp(p, lr=0.005, alpha=0.9, momentum=0.5, weight_decay=1e-2),
    "Adam": lambda p: nn.Adam(p, lr=0.01),
    "Adam, decayed": lambda p: nn.Adam(p, lr=0.01, betas=(0.7, 0.9), eps=1e-3, weight_decay=1e-2),
    "AdamW": lambda p: nn.AdamW(p, lr=0.01),
    "Adam, groups": grouped(nn.Adam),
    "SGD, groups": grouped(nn.SGD, momentum=0.5),
}
CLIPS = {
    "none": lambda _: None,
    "clip_by_norm": lambda parameters: nn.clip_by_norm(parameters, 0.1),
    "clip_by_value": lambda parameters: nn.clip_by_value(parameters, 0.01),
}
SCHEDULES = {
    "constant": nn.schedules.constant,
    "step": lambda: nn.schedules.step(2, 0.5),
    "cosine": lambda: nn.schedules.cosine(10, warmup=3),
    "inverse": lambda: nn.schedules.inverse(5),
    "ReduceOnPlateau": lambda: nn.schedules.ReduceOnPlateau(patience=0, factor=0.5, min_delta=1e9),
}


class Life:
    """A training, compiled or not, to which things happen."""

    def __init__(self, compiled, layer, loss, optimizer, dtype, clip, schedule, zero):
        body, made = LAYERS[layer]
        self.x, self.y = made(np.random.default_rng(5), dtype), LOSSES[loss][1](np.dtype(dtype))
        self.model = flat(body)(dtype).fitted(self.x).train()
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.loss, self.clip, self.schedule, self.zero = LOSSES[loss][0], CLIPS[clip], SCHEDULES[schedule](), zero
        self.updates, self.kept = 0, []
        wrap = ag.compile if compiled else lambda f: f
        self.train_step, self.predict, self.gradients, self.update = map(
            wrap, (self._step, self._predict, self._gradients, self._update)
        )

    def _gradients(self, x, y):
        value = self.loss(self.model, self.model(x), y)
        value.backward()
        return value

    def _update(self):
        self.clip(self.optimizer.parameters)
        self.optimizer.step()

    def _step(self, x, y):
        if self.zero:
            self.optimizer.zero_grad()
        value = self._gradients(x, y)
        self._update()
        return value

    def _predict(self, x):
        return self.model(x)

    def batch(self, k):
        return self.x[BATCHES[k]], self.y[BATCHES[k]]

    def happen(self, event):
        """Let one thing happen; return what is to be seen of it at once."""
        return plain(getattr(self, event)())

    def step(self):
        self.optimizer.scale = self.schedule(self.updates)
        self.updates += 1
        if hasattr(self.schedule, "observe"):
            self.schedule.observe(1.0)
        return self.train_step(*self.batch(0))

    def small(self):
        return self.train_step(*self.batch(1))

    def accumulate(self):
        found = [self.gradients(*self.batch(k)) for k in (0, 0)]
        self.update()
        return found

    def evaluate(self):
        self.model.eval()
        with ag.no_grad():
            found = self.predict(self.x)
        self.model.train()
        return found

    def rate(self):
        self.optimizer.lr *= 0.5

    def forget(self):
        self.optimizer.zero_grad()

    def look(self):
        self.kept.append([(p.grad, None if p.grad is None else p.grad.copy()) for p in self.model.parameters()])
        return [g for g, _ in self.kept[-1] if g is not None]

    def save_and_load(self):
        state, values = self.optimizer.state_dict(), self.model.state_dict()
        self.train_step(*self.batch(0))
        self.optimizer.load_state_dict(state)
        self.model.load_state_dict(values)

    def everything(self):
        state = self.optimizer.state_dict()["state"]
        found = {f"value of {name}": v for name, v in self.model.state_dict().items()}
        found |= {f"gradient of {name}": p.grad for name, p in self.model.named_parameters() if p.grad is not None}
        found |= {f"{name} of parameter {i}": v for i, own in state.items() for name, v in own.items()}
        return found


EVENTS = ("step", "small", "accumulate", "evaluate", "rate", "forget", "look", "save_and_load")
LONG = ("step", "look", "small", "step", "evaluate", "accumulate", "rate", "step", "save_and_load", "step")


def plain(v):
    if isinstance(v, list | tuple):
        return [plain(a) for a in v]
    return None if v is None else np.asarray(v.data if isinstance(v, ag.Tensor) else v)


def agree(found, wanted, what):
    if isinstance(wanted, list):
        for a, b in zip(found, wanted, strict=True):
            agree(a, b, what)
    elif wanted is not None:
        a, b = np.asarray(found), np.asarray(wanted)
        assert (a.shape, a.dtype) == (b.shape, b.dtype), what
        np.testing.assert_array_equal(a, b, what)


def live(events, *choice):
    """Let the same happen to a compiled training and to an eager one."""
    ours, theirs = Life(True, *choice), Life(False, *choice)
    for i, event in enumerate(events):
        agree(ours.happen(event), theirs.happen(event), f"{event}, event {i}")
        if event in ("look", "evaluate") or i == len(events) - 1:  # who asks too often never sees what is lent
            found, wanted = ours.everything(), theirs.everything()
            assert found.keys() == wanted.keys(), f"{event}, event {i}"
            for name, value in wanted.items():
                agree(found[name], value, f"{name} after {event}, event {i}")
    for g, copied in itertools.chain(*ours.kept):
        assert g is None or np.array_equal(g, copied)


TABLES = (LAYERS, LOSSES, OPTIMIZERS, ("f4", "f8"), CLIPS, SCHEDULES, (True, True, False))


def choices():
    """Return a choice for each layer, so that every loss, optimizer and so on occurs."""
    assert all(len(table) <= len(LAYERS) for table in TABLES)
    rest = [itertools.cycle(table) for table in TABLES[1:]]
    return [(layer, *map(next, rest)) for layer in LAYERS]


@pytest.mark.parametrize("choice", choices(), ids=lambda choice: "-".join(map(str, choice)))
def test_a_life(choice):
    live(LONG, *choice)


@settings(max_examples=max(2, settings().max_examples // 10))
@given(
    events=st.lists(st.sampled_from(EVENTS), min_size=3, max_size=8),
    choice=st.tuples(*(st.sampled_from(list(table)) for table in TABLES)),
)
def test_any_life(events, choice):
    live(("step", *events), *choice)


def test_nothing_is_left_out():
    def missing(exported, table):
        return set(exported) - {name.partition(",")[0].partition(" ")[0] for name in table}

    kinds = {name: v for name, v in vars(nn).items() if isinstance(v, type)}
    layers = [name for name, v in kinds.items() if issubclass(v, nn.Module)]
    optimizers = [name for name, v in vars(nn.optim).items() if isinstance(v, type) and hasattr(v, "attach")]
    schedules = [name for name, v in vars(nn.schedules).items() if getattr(v, "__module__", "") == "nn.schedules"]
    assert missing(layers, LAYERS) == {"Module"}
    assert missing(set(nn.functional.__all__) & set(nn.__all__), FUNCTIONS) == {"linear", "step"}  # a step has no slope
    assert missing(nn.losses.__all__, LOSSES) == {"Reduction"}
    assert missing(optimizers, OPTIMIZERS) == {"Optimizer"}
    assert missing([name for name in nn.__all__ if name.startswith("clip")], CLIPS) == set()
    assert missing([name for name in schedules if name[0] != "_"], SCHEDULES) == set()
