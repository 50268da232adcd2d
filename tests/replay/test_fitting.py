"""`nn.fit(compile=True)` is `nn.fit`: the same history and the same weights, bit for bit, whatever it is asked for."""

import itertools

import numpy as np
import pytest

import nn

RNG = np.random.default_rng(3)
X, LABELS = RNG.normal(size=(26, 4)), RNG.integers(0, 3, 26)
XV, LABELS_V = RNG.normal(size=(9, 4)), RNG.integers(0, 3, 9)


def network(dtype="f8"):
    return nn.Sequential(
        nn.Linear(4, 6, rng=0, dtype=dtype), nn.BatchNorm(6, dtype=dtype), nn.tanh, nn.Dropout(0.3, rng=1), nn.Linear(6, 3, rng=2, dtype=dtype)
    )  # fmt: skip


def both(change=lambda *_: None, dtype="f8", folder=None, **settings):
    """Fit twice, compiled and not, and compare."""
    found = []
    for compiled in (True, False):
        model = network(dtype)
        given = {
            "loss": nn.cross_entropy,
            "optimizer": nn.Adam(lr=0.02),
            "epochs": 4,
            "batch_size": 8,
            "rng": 5,
            **settings,
        }
        change(given, model, folder and folder / str(compiled))
        history = nn.fit(model, (X, LABELS), **given, progress=False, compile=compiled)
        state = given["optimizer"].state_dict()
        found.append((history, model.state_dict(), state))
    (ours, values, state), (theirs, wanted, their_state) = found
    assert ours.columns == theirs.columns
    assert (ours.stopped, ours.best_epoch) == (theirs.stopped, theirs.best_epoch)
    for name, value in wanted.items():
        np.testing.assert_array_equal(values[name], value, name)
    for i, own in their_state["state"].items():
        for name, value in own.items():
            np.testing.assert_array_equal(state["state"][i][name], value, name)
    return ours


OPTIMIZERS = {
    "SGD": lambda: nn.SGD(lr=0.1),
    "Nesterov": lambda: nn.SGD(lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-2),
    "AdaGrad": lambda: nn.AdaGrad(lr=0.05),
    "RMSProp": lambda: nn.RMSProp(lr=0.01, momentum=0.5),
    "Adam": lambda: nn.Adam(lr=0.02, weight_decay=1e-2),
    "AdamW": lambda: nn.AdamW(lr=0.02),
}
SCHEDULES = {
    "none": lambda: None,
    "cosine": lambda: nn.schedules.cosine(12, warmup=2),
    "plateau": lambda: nn.schedules.ReduceOnPlateau(patience=0, min_delta=1.0),
}
CLIPS = {"none": None, "norm": 0.2, "value": lambda parameters: nn.clip_by_value(parameters, 0.02)}
EXTRAS = {
    "nothing": {},
    "validation": {"validation": (XV, LABELS_V)},
    "validation and metrics": {"validation": (XV, LABELS_V), "metrics": nn.metrics.accuracy},
}


def choices():
    tables = [itertools.cycle(t) for t in (SCHEDULES, CLIPS, EXTRAS, ("f4", "f8"), (1000, 7, 13))]
    next(tables[1])
    return [(name, *map(next, tables)) for name in OPTIMIZERS]


@pytest.mark.parametrize("choice", choices(), ids=lambda choice: "-".join(map(str, choice)))
def test_settings(choice):
    optimizer, schedule, clip, extra, dtype, size = choice

    def change(settings, *_):
        settings |= {"optimizer": OPTIMIZERS[optimizer](), "schedule": SCHEDULES[schedule](), "clip": CLIPS[clip]}
        settings |= {"batch_size": min(size, len(X)), **EXTRAS[extra]}

    both(change, dtype)


def test_early_stopping_goes_back_to_the_best():
    history = both(
        lambda settings, *_: settings.update(early_stopping=nn.EarlyStopping(patience=2), optimizer=nn.Adam(lr=0.3)),
        epochs=30,
        validation=(XV, LABELS_V),
    )
    assert history.best_epoch is not None
    assert len(history) < 30


def test_callbacks_change_what_they_like():
    def change(settings, model, _):
        optimizer = settings["optimizer"]

        def callback(epoch, _):
            if epoch == 2:
                optimizer.lr = 0.003
                model.layers[0].freeze()
            if epoch == 3:
                optimizer.groups[0]["weight_decay"] = 0.1
            if epoch == 4:
                model.layers[0].freeze(False)
                for p in model.parameters():
                    p.data = p.data * 0.9
            if epoch == 5:
                model.layers[1].eval()
            return epoch == 7

        settings["callbacks"] = callback

    history = both(change, epochs=9)
    assert history.stopped == "a callback ended it after epoch 7"


def test_it_goes_on_from_a_checkpoint(tmp_path):
    straight, gone_on = [], []

    def interrupted(settings, model, folder):
        folder.mkdir()
        settings |= {"checkpoint": folder / "c", "resume": True}
        nn.fit(model, (X, LABELS), **{**settings, "epochs": 2}, progress=False, compile=folder.name == "True")
        settings["optimizer"] = nn.Adam(lr=0.02)

    straight = both(epochs=5)
    gone_on = both(interrupted, epochs=5, folder=tmp_path)
    assert straight.columns == gone_on.columns


@pytest.mark.parametrize("layer", ["Embedding", "LSTM", "Conv2d"])
def test_other_kinds_of_inputs(layer):
    make, x = {
        "Embedding": (lambda: nn.Sequential(nn.Embedding(5, 3, rng=0), nn.Flatten(), nn.Linear(12, 3, rng=1)), RNG.integers(0, 5, (20, 4))),
        "LSTM": (lambda: nn.Sequential(nn.LSTM(2, 3, batch_first=True, rng=0), last, nn.Linear(3, 3, rng=1)), RNG.normal(size=(20, 4, 2))),
        "Conv2d": (lambda: nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.relu, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 3, rng=1)), RNG.normal(size=(20, 1, 4, 4))),
    }[layer]  # fmt: skip
    y = RNG.integers(0, 3, 20)
    found = []
    for compiled in (True, False):
        model = make()
        history = nn.fit(
            model, (x, y), loss=nn.cross_entropy, optimizer=nn.SGD(lr=0.1, momentum=0.9), epochs=3, batch_size=8,
            progress=False, compile=compiled,
        )  # fmt: skip
        found.append((history["loss"], model.state_dict()))
    assert found[0][0] == found[1][0]
    for name, value in found[1][1].items():
        np.testing.assert_array_equal(found[0][1][name], value, name)


def last(found):
    return found[0][:, -1]


def test_a_loss_that_is_not_finite_changes_nothing():
    told = []
    for compiled in (True, False):
        model, optimizer = network(), nn.SGD(lr=1e200)
        with pytest.raises(nn.TrainingError) as failed:
            nn.fit(
                model, (X, LABELS), loss=lambda z, y: nn.mse(z, np.eye(3)[0] + 0 * z) + nn.cross_entropy(z, y),
                optimizer=optimizer, epochs=2, batch_size=13, progress=False, compile=compiled,
            )  # fmt: skip
        assert all(p.grad is None for p in model.parameters())
        told.append((str(failed.value), model.state_dict()))
    assert told[0][0] == told[1][0]
    assert "in epoch 1, batch 2 (update 2)" in told[0][0]
    for name, value in told[1][1].items():
        np.testing.assert_array_equal(told[0][1][name], value, name)
