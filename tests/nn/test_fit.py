import functools
import json
import sys
import types

import numpy as np
import pytest

import autograd_core as ag
import nn
from nn import schedules

X, Y = nn.data.moons(120, rng=0)
VALID = nn.data.moons(40, rng=1)


class Noisy(nn.Module):
    """A layer that draws random numbers in training, as Dropout does, and keeps a running mean."""

    def __init__(self):
        self.rng, self.mean = np.random.default_rng(3), ag.Tensor(np.zeros(8), requires_grad=False)

    def forward(self, x):
        if self.training:
            self.mean.assign(0.9 * self.mean.data + 0.1 * x.data.mean(axis=0))
            x = x * self.rng.integers(0, 2, x.shape) * 2
        return x - self.mean


def network(dtype=np.float64):
    return nn.MLP([2, 8, 2], "tanh", rng=0, dtype=dtype)


def train(model=None, data=(X, Y), **settings):
    model = network() if model is None else model
    settings = {"loss": nn.cross_entropy, "optimizer": nn.Adam(lr=0.02), "epochs": 3, "progress": False} | settings
    return model, nn.fit(model, data, **settings)


def weights(model):
    return b"".join(a.tobytes() for a in model.state_dict().values())


# --- what it does -----------------------------------------------------------------------------------------------------


def test_it_is_the_loop_one_would_write():
    model, history = train(batch_size=50, rng=7)
    twin, optimizer, rng = network(), nn.Adam(lr=0.02), np.random.default_rng(7)
    optimizer.attach(twin.parameters())
    means = []
    for _ in range(3):
        total = 0
        for x, y in nn.data.batches((X, Y), 50, rng=rng):
            optimizer.zero_grad()
            loss = nn.cross_entropy(twin(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        means.append(total / len(Y))
    assert weights(model) == weights(twin)
    assert history["loss"] == means
    assert history.stopped == "all 3 epochs done"
    assert len(history) == 3
    assert repr(history).startswith("History(3 epochs: loss 0.")


def test_it_learns():
    model, history = train(epochs=60, validation=VALID, metrics=[nn.metrics.accuracy])
    assert history["val_accuracy"][-1] > 0.95
    assert set(history.columns) == {"loss", "lr", "val_loss", "val_accuracy"}
    _, history = train(metrics={"right": nn.metrics.accuracy}, epochs=1)
    assert set(history.columns) == {"loss", "lr", "right"}
    with ag.no_grad():
        assert nn.metrics.accuracy(model(X), Y) > 0.9


def test_floats_take_the_dtype_of_the_parameters():
    seen = []
    model, _ = train(
        network(np.float32), loss=lambda z, y: seen.append(z.dtype) or nn.cross_entropy(z, y), validation=VALID
    )
    assert set(seen) == {np.dtype(np.float32)}
    assert all(p.dtype == np.float32 for p in model.parameters())


def test_modes():
    model, seen = nn.Sequential(nn.Linear(2, 8, rng=0), Noisy(), nn.Linear(8, 2, rng=1)).eval(), []
    noisy = model.layers[1]
    train(model, loss=lambda z, y: seen.append(noisy.training) or nn.cross_entropy(z, y), validation=VALID, epochs=1)
    assert seen == [True, False, *[True] * 4, False]  # the first two are a look at the labels
    assert noisy.training is False


def test_several_inputs():
    class Sum(nn.Module):
        def __init__(self):
            self.w = ag.Tensor([1.0, 1.0])

        def forward(self, a, b):
            return a * self.w[0] + b * self.w[1]

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 64))
    model, _ = train(
        Sum(), (a, b, 2 * a - b), loss=nn.mse, epochs=100, optimizer=nn.SGD(lr=0.1), validation=(a, b, 2 * a - b)
    )
    np.testing.assert_allclose(model.w.data, [2, -1], atol=1e-3)


def test_schedules_and_clipping():
    optimizer, rates = nn.SGD(lr=0.5), []
    train(optimizer=optimizer, schedule=lambda k: rates.append(k) or 1 / (k + 1), epochs=2, batch_size=60, clip=1e-3)
    assert rates == [0, 1, 2, 3]
    assert optimizer.scale == 0.25
    assert optimizer.lr == 0.5
    model = network()
    before = {n: p.data.copy() for n, p in model.named_parameters()}
    train(model, optimizer=nn.SGD(lr=1.0), epochs=1, batch_size=120, clip=1e-3)
    moved = np.sqrt(sum(np.sum((p.data - before[n]) ** 2) for n, p in model.named_parameters()))
    assert moved == pytest.approx(1e-3)
    model = network()
    train(model, optimizer=nn.SGD(lr=1.0), epochs=1, batch_size=120, clip=lambda ps: nn.clip_by_value(ps, 1e-4))
    assert max(np.abs(p.data - before[n]).max() for n, p in model.named_parameters()) <= 1e-4 * (1 + 1e-9)
    plateau = schedules.ReduceOnPlateau(patience=0, factor=0.5, min_delta=10)
    _, history = train(schedule=plateau, epochs=3)
    assert history["lr"] == [0.02, 0.02, 0.01]


def test_callbacks():
    rows = []
    _, history = train(callbacks=[lambda epoch, row: rows.append((epoch, row)), lambda epoch, _: epoch == 2])
    assert [epoch for epoch, _ in rows] == [1, 2]
    assert rows[1][1]["loss"] == history["loss"][1]
    assert history.stopped == "a callback ended it after epoch 2"


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_early_stopping_restores_the_best_weights():
    model, seen = network(), []
    stop = nn.EarlyStopping(patience=3)
    _, history = train(
        model, (X[:12], Y[:12]), epochs=200, optimizer=nn.Adam(lr=0.2), validation=VALID, early_stopping=stop,
        callbacks=[lambda *_: seen.append(weights(model))],
    )  # fmt: skip
    best = int(np.argmin(history["val_loss"]))
    assert history.best_epoch == best + 1
    assert len(history) == best + 4 < 200
    assert weights(model) == seen[best]
    assert history.stopped == "no better val_loss for 3 epochs"
    with ag.no_grad():
        assert nn.cross_entropy(model(VALID[0]), VALID[1]).item() == pytest.approx(min(history["val_loss"]))


@pytest.mark.parametrize("patience", [0, 1.5, True])
def test_a_patience_that_makes_no_sense(patience):
    with pytest.raises(ValueError, match="patience is a positive number"):
        nn.EarlyStopping(patience)


def test_a_loss_that_is_not_finite():
    model = nn.Sequential(nn.Linear(1, 1, rng=0), np.log)
    model.layers[0].weight.assign([[1.0]])
    before, x = weights(model), np.array([[1.0], [1.0], [-9.0]])
    with pytest.raises(nn.TrainingError, match=r"nan in epoch 1, batch 2 \(update 2\): it begins in the output of Seq"):
        nn.fit(
            model,
            (x, x),
            loss=nn.mse,
            optimizer=nn.SGD(lr=1e-9),
            epochs=2,
            batch_size=2,
            progress=False,
            rng=_InOrder(),
        )
    assert "forward" not in vars(model)
    assert weights(model) != before
    with pytest.raises(nn.TrainingError, match=r"0\.weight is not finite since the update before") as caught:
        train(optimizer=nn.SGD(lr=1e308), loss=lambda z, y: 1e6 * nn.cross_entropy(z, y))
    assert isinstance(caught.value.history, nn.History)
    with pytest.raises(nn.TrainingError, match="it begins in the loss; all outputs are finite"):
        train(loss=lambda z, y: nn.cross_entropy(z, y) * np.inf)


class _InOrder(np.random.Generator):
    """A source of randomness that shuffles nothing."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def permutation(self, n):
        return np.arange(n)


def test_ctrl_c_returns_what_was_learnt():
    model, start = network(), weights(network())

    def interrupt(epoch, _):
        if epoch == 2:
            raise KeyboardInterrupt

    _, history = train(model, callbacks=[interrupt], early_stopping=nn.EarlyStopping())
    assert history.stopped == "interrupted in epoch 3"
    assert len(history) == history.best_epoch == 2
    assert weights(model) != start


# --- checkpoints ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A folder for checkpoints, where they can be written."""
    pytest.importorskip("safetensors")
    return tmp_path


def run(path, epochs, cut=None, resume=True, **more):
    model = nn.Sequential(nn.Linear(2, 8, rng=0), np.tanh, Noisy(), nn.Linear(8, 2, rng=1))

    def callback(epoch, _):
        if epoch == cut:
            raise KeyboardInterrupt

    settings = {
        "optimizer": nn.AdamW(
            [{"params": model.layers[0].parameters(), "lr": 0.1}, {"params": model.layers[3].parameters()}]
        ),
        "schedule": schedules.ReduceOnPlateau(patience=0, factor=0.5, min_delta=0.1),
        "early_stopping": nn.EarlyStopping(patience=5),
    } | more
    return train(
        model, epochs=epochs, validation=VALID, checkpoint=path, resume=resume, callbacks=[callback], **settings
    )


def test_resumed_is_as_if_uninterrupted_bit_by_bit(folder):
    model, whole = run(folder / "a", 6, resume=False)
    run(folder / "b", 6, cut=4)  # the fourth epoch is lost, the third was written
    again, resumed = run(folder / "b", 6)
    assert weights(again) == weights(model)
    assert resumed == whole
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()
    longer, history = run(folder / "a", 8)
    assert len(history) == 8
    assert weights(longer) == weights(run(folder / "c", 8)[0])


def test_a_training_that_had_ended_stays_so(folder):
    early = {"optimizer": nn.SGD(lr=1e-9), "early_stopping": nn.EarlyStopping(1, min_delta=1.0)}
    _, history = run(folder / "a", 5, **early)
    assert history.stopped == "no better val_loss for 1 epochs"
    early["optimizer"] = nn.SGD(lr=1e-9)
    assert run(folder / "a", 9, **early)[1] == history


def test_checkpoints_of_something_else_are_refused(folder):
    path = folder / "a"
    run(path, 1)
    for settings, message in [
        ({"batch_size": 7}, "batch size: 32, here 7"),
        ({"optimizer": nn.Adam(lr=0.1)}, "optimizer: AdamW, here Adam"),
        ({"early_stopping": None}, "early stopping: True, here False"),
        ({"optimizer": nn.AdamW(lr=0.1)}, r"groups of \[2, 2\] parameters, here are groups of \[4\]"),
    ]:
        with pytest.raises(nn.FileError, match=message):
            run(path, 2, **settings)
    model = network()
    before = weights(model)
    nn.io.write(path, model.state_dict())
    with pytest.raises(nn.FileError, match="no checkpoint of fit"):
        train(model, checkpoint=path, resume=True)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(nn.FileError, match="truncated"):
        train(model, checkpoint=path, resume=True)
    assert weights(model) == before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda notes: notes.pop("history"), "no checkpoint of fit: 'history' is missing"),
        (lambda notes: notes["generators"][0].update(state=3), "cannot resume"),
        (lambda notes: notes["optimizer"].update(scale="x"), "cannot resume .* not a state of AdamW"),
        (lambda notes: notes["optimizer"]["groups"][0].update(lr=-1), "positive number, not -1"),
        (lambda notes: notes.update(setting=3), "cannot resume"),
    ],
    ids=["history", "rng", "scale", "rate", "setting"],
)
def test_a_spoilt_checkpoint_changes_nothing(folder, spoil, message):
    path, model = folder / "a", network()
    train(network(), optimizer=nn.AdamW(), epochs=1, checkpoint=path)
    arrays, metadata = nn.io.read(path)
    notes = json.loads(metadata["nn.checkpoint"])
    spoil(notes)
    nn.io.write(path, arrays, {"nn.checkpoint": json.dumps(notes)})
    before, rng = weights(model), np.random.default_rng(5)
    with pytest.raises(nn.FileError, match=message):
        train(model, optimizer=nn.AdamW(), checkpoint=path, resume=True, rng=rng)
    assert weights(model) == before
    assert rng.random() == np.random.default_rng(5).random()


# --- progress and pictures --------------------------------------------------------------------------------------------


def test_it_is_quiet_where_nobody_looks(capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # imported by a program that runs notebooks, not in one
    train(progress=None)
    assert capfd.readouterr() == ("", "")


def test_progress_in_plain_lines(capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    train(progress=True)
    lines = capfd.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


def test_progress_by_tqdm(capfd):
    pytest.importorskip("tqdm")
    train(progress=True)
    assert "3/3" in capfd.readouterr().err


def test_plot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    _, history = train(validation=VALID, early_stopping=nn.EarlyStopping())
    axes = history.plot()
    assert [line.get_label() for line in axes.get_lines()] == ["loss", "val_loss", "best"]
    assert len(history.plot(["lr"]).get_lines()) == 2
    pyplot.close("all")


def test_plot_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", types.ModuleType("matplotlib"))
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'autograd-core\[plots\]'"):
        nn.History().plot()


# --- bad input --------------------------------------------------------------------------------------------------------

BAD = {
    "nan": ({"data": (np.where(X[3, 1] == X, np.nan, X), Y)}, ValueError, "array 0 of the data has nan in row 3"),
    "nan in validation": ({"validation": (VALID[0] * np.nan, VALID[1])}, ValueError, "array 0 of the validation data has nan"),
    "empty": ({"data": (X[:0], Y[:0])}, ValueError, "the data is empty"),
    "only inputs": ({"data": (X,)}, ValueError, r"inputs and a target, such as \(X, y\)"),
    "lengths": ({"data": (X, Y[:5])}, ValueError, "equally many rows"),
    "batch": ({"batch_size": 121}, ValueError, "a batch of 121 is larger than the data, which has 120"),
    "no batch": ({"batch_size": 0}, ValueError, "positive number of observations, not 0"),
    "epochs": ({"epochs": 0}, ValueError, "epochs is a positive number, not 0"),
    "resume": ({"resume": True}, ValueError, "resume=True needs checkpoint="),
    "clip": ({"clip": -1}, ValueError, "clip is a positive norm"),
    "rng": ({"rng": "x"}, TypeError, "rng is a seed"),
    "labels": ({"data": (X, Y + 1)}, ValueError, "labels of 2 classes are 0 to 1"),
    "features": ({"data": (np.ones((120, 3)), Y)}, ValueError, "needs x of shape"),
    "each": ({"loss": lambda z, y: nn.cross_entropy(z, y, reduction="none")}, TypeError, "one tracked number, not a Tensor of shape"),
    "untracked": ({"loss": lambda *_: np.float64(1)}, TypeError, r"one tracked number, not a float64 of shape \(\)"),
    "monitor": ({"early_stopping": nn.EarlyStopping(monitor="x")}, ValueError, "early stopping watches x; there are loss, lr"),
    "a model that is none": ({"model": np.tanh}, TypeError, "the model is a Module, not a ufunc"),
    "a loss by name": ({"loss": "mse"}, TypeError, "the loss is a function, such as nn.mse, not 'mse'"),
    "an optimizer by name": ({"optimizer": "adam"}, TypeError, r"an object such as nn.Adam\(lr=0.001\), not 'adam'"),
    "an optimizer's class": ({"optimizer": nn.Adam}, TypeError, r"write Adam\(...\)"),
    "a patience": ({"early_stopping": 3}, TypeError, r"early_stopping is nn.EarlyStopping\(patience=...\), not 3"),
    "a schedule that is a number": ({"schedule": 0.5}, TypeError, "a schedule is a function of the number of updates"),
    "a schedule without end": ({"schedule": lambda _: np.nan}, ValueError, "for update 0 it is nan"),
    "a schedule that climbs": ({"schedule": lambda _: -1}, ValueError, "for update 0 it is -1"),
    "a schedule of nothing": ({"schedule": lambda _: None}, ValueError, "for update 0 it is None"),
    "clip by name": ({"clip": "norm"}, ValueError, "clip is a positive norm, or a function of the parameters, not 'norm'"),
    "clip by yes": ({"clip": True}, ValueError, "clip is a positive norm"),
    "a metric by name": ({"metrics": "accuracy"}, TypeError, "a metric is a function, such as nn.metrics.accuracy"),
    "a metric in the way": ({"metrics": {"loss": nn.metrics.accuracy}}, ValueError, "a metric cannot be called loss"),
    "validation by half": ({"validation": (X,)}, ValueError, "the validation data has 1 arrays, the data 2"),
    "one left over": (
        {"model": nn.Sequential(nn.BatchNorm(2), nn.Linear(2, 2, rng=0)), "batch_size": 17},
        ValueError,
        r"BatchNorm needs two values .*: 120 observations in batches of 17 leave one over; choose another batch_size",
    ),
    "foreign": ({"optimizer": nn.SGD([ag.Tensor(1.0)], lr=1)}, ValueError, "in charge of 1 parameters that are not in the model"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_input(kind):
    settings, error, message = BAD[kind]
    settings = dict(settings)
    model = settings.pop("model", None) or network()
    if not isinstance(model, nn.Module):
        with pytest.raises(error, match=message):
            train(model, **settings)
        return
    before = weights(model)
    with pytest.raises(error, match=message):
        train(model, **settings)
    assert weights(model) == before


def test_a_model_without_parameters():
    with pytest.raises(ValueError, match="Sequential has no parameters to train"):
        train(nn.Sequential(np.tanh))


# --- compiled ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": lambda: nn.SGD(lr=0.1, momentum=0.9)},
        {"optimizer": lambda: nn.Adam(lr=0.01), "clip": 0.05},
        {"optimizer": lambda: nn.AdamW(lr=0.01), "schedule": nn.schedules.cosine(60)},
    ],
)
def test_compiled_training_is_the_same(settings):
    X, y = nn.data.moons(50, rng=0)
    runs = []
    for compiled in (False, True):
        model = nn.Sequential(
            nn.Linear(2, 8, rng=0), nn.Activation("tanh"), nn.Dropout(0.2, rng=1), nn.Linear(8, 2, rng=2)
        )
        chosen = {**settings, "optimizer": settings["optimizer"]()}
        history = nn.fit(
            model, (X, y), loss=nn.cross_entropy, epochs=8, batch_size=16, progress=False, compile=compiled, **chosen
        )
        runs.append((history.columns, model.state_dict(), chosen["optimizer"].state_dict()["state"]))
    (columns, weights, state), (own_columns, own_weights, own_state) = runs
    np.testing.assert_allclose(own_columns["loss"], columns["loss"], 1e-13)
    for name, value in weights.items():
        np.testing.assert_allclose(own_weights[name], value, 1e-12, 1e-13)
    assert [s["step"] for s in own_state.values()] == [s["step"] for s in state.values()]


def test_compiled_training_tells_of_a_loss_that_is_not_finite():
    model = nn.Linear(1, 1, rng=0)
    with pytest.raises(nn.TrainingError, match="the loss is inf in epoch 1, batch 1"):
        nn.fit(
            model, (np.full((4, 1), 1e200), np.zeros((4, 1))), loss=nn.mse, optimizer=nn.SGD(lr=1.0), epochs=3,
            progress=False, compile=True,
        )  # fmt: skip
    assert np.isfinite(model.weight.data).all()


def test_an_optimizer_goes_on_when_a_part_has_been_frozen():
    X, y = nn.data.moons(64, rng=0)
    model = nn.MLP([2, 4, 2], rng=0)
    optimizer = nn.Adam(model.parameters(), lr=0.01)
    fit = functools.partial(nn.fit, model, (X, y), loss=nn.cross_entropy, optimizer=optimizer, epochs=1, progress=False)
    fit()
    model.layers[0].freeze()
    before, last = model.layers[0].weight.numpy(), model.layers[2].weight.numpy()
    fit()
    np.testing.assert_array_equal(model.layers[0].weight.data, before)
    assert not np.array_equal(model.layers[2].weight.data, last)


def test_one_metric_or_callback_needs_no_list():
    seen = []
    _, history = train(metrics=nn.metrics.accuracy, callbacks=lambda epoch, row: seen.append((epoch, *row)), epochs=2)
    assert seen == [(1, "loss", "lr", "accuracy"), (2, "loss", "lr", "accuracy")]
    _, named = train(metrics=[functools.partial(nn.metrics.accuracy, threshold=0.5)], epochs=2)
    assert named["accuracy"] == history["accuracy"]


def test_data_may_be_tensors():
    _, history = train(data=(ag.Tensor(X), ag.Tensor(Y)), epochs=2)
    _, plain = train(epochs=2)
    assert history["loss"] == plain["loss"]


@pytest.mark.parametrize(("settings", "best"), [({}, 3), ({"mode": "max"}, 3), ({"mode": "min"}, 1)])
def test_early_stopping_by_a_metric_that_grows(settings, best):
    values = iter([0.5, 0.6, 0.9, 0.7, 0.8, 0.7])
    stopping = nn.EarlyStopping(patience=2, monitor="accuracy", **settings)
    _, history = train(metrics={"accuracy": lambda *_: next(values)}, early_stopping=stopping, epochs=6)
    assert history.best_epoch == best
    assert len(history) == best + 2
    with pytest.raises(ValueError, match='mode is "min" or "max"'):
        nn.EarlyStopping(mode="auto")


def test_a_checkpoint_that_cannot_be_written_is_told_before_the_first_epoch(tmp_path):
    model = network()
    before = weights(model)
    for path in (tmp_path, tmp_path / "nowhere" / "checkpoint"):
        with pytest.raises(FileNotFoundError, match="checkpoint= is a file in a folder that exists, not "):
            train(model, checkpoint=path)
    assert weights(model) == before
