import json
import os
import sys

import numpy as np
import pytest

import autograd_core as ag
import nn
from nn import io

safetensors = pytest.importorskip("safetensors")

ARRAYS = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array(2.5),
    "none": np.empty((0, 3)),
    "flags": np.array([True, False]),
    "big": np.arange(3, dtype=">i4"),
    "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}


def raw(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(shape=(2,), offsets=(0, 16), dtype="F64"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


# --- arrays -----------------------------------------------------------------------------------------------------------


def test_arrays_come_back(tmp_path):
    path = tmp_path / "x.safetensors"
    io.write(path, ARRAYS, {"made by": "us"})
    found, metadata = io.read(path)
    assert metadata == {"made by": "us"}
    assert set(found) == set(ARRAYS)
    for name, a in ARRAYS.items():
        np.testing.assert_array_equal(found[name], a)
        assert found[name].shape == a.shape
        assert found[name].dtype == a.dtype.newbyteorder("=")
        assert found[name].flags.writeable


def test_the_same_arrays_make_the_same_file(tmp_path):
    """One entry of metadata only: safetensors writes several in any order."""
    for name in "ab":
        nn.save(nn.MLP([2, 3, 1], rng=0), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with safetensors.safe_open(tmp_path / "a", "numpy") as file:
        assert list(file.metadata()) == [io.ARCHITECTURE]


@pytest.mark.parametrize("use", [lambda path: io.write(path, {}), io.read], ids=["write", "read"])
def test_without_safetensors(tmp_path, monkeypatch, use):
    for name in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"needs safetensors: pip install 'autograd-core\[nn\]'"):
        use(tmp_path / "x")
    assert not list(tmp_path.iterdir())


NONE = "x is no safetensors file, or truncated: "
HOSTILE = {
    "nothing": (b"", NONE + ".*too small"),
    "a pickle": (b"\x80\x04\x95" + b"x" * 30, NONE + ".*too large"),
    "a long header": ((10**6).to_bytes(8, "little") + b"{}", NONE),
    "no JSON": (raw(b"{nonsense}"), NONE),
    "no text": (raw(b"\xff\xfe"), NONE),
    "a list": (raw([1]), NONE),
    "deep": (raw(b'{"a":' * 100_000), NONE),
    "metadata": (raw({"__metadata__": {"a": 1}}), NONE),
    "no entry": (raw({"a": 3}), NONE),
    "no shape": (raw({"a": {"dtype": "F64", "data_offsets": [0, 8]}}), NONE),
    "negative": (raw({"a": entry((-2,))}, bytes(16)), NONE),
    "huge": (raw({"a": entry((2**40, 2**40))}, bytes(16)), NONE),
    "dtype": (raw({"a": entry(dtype="O")}, bytes(16)), NONE),
    "short": (raw({"a": entry()}, bytes(15)), NONE),
    "long": (raw({"a": entry()}, bytes(17)), NONE),
    "overlap": (raw({"a": entry(), "b": entry(offsets=(8, 24))}, bytes(24)), NONE),
    "hole": (raw({"a": entry(offsets=(8, 24))}, bytes(24)), NONE),
    "size": (raw({"a": entry((3,))}, bytes(16)), NONE),
    "reversed": (raw({"a": entry(offsets=(16, 0))}, bytes(16)), NONE),
    "bfloat16": (raw({"a": entry(offsets=(0, 4), dtype="BF16")}, bytes(4)), "x: NumPy cannot hold a, of dtype BF16"),
    "float8": (raw({"a": entry(offsets=(0, 2), dtype="F8_E5M2")}, bytes(2)), "cannot hold a, of dtype F8_E5M2"),
    "wide": (raw({"a": entry((0, 2**62), (0, 0))}), "cannot hold a, of dtype F64: array is too big"),
    "dimensions": (raw({"a": entry((1,) * 70 + (2,))}, bytes(16)), "cannot hold a, of dtype F64: maximum supported"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_files_that_are_refused(tmp_path, kind):
    content, message = HOSTILE[kind]
    if kind in ("bfloat16", "float8") and "ml_dtypes" in sys.modules:
        pytest.skip("JAX brings ml_dtypes, which teaches NumPy these dtypes")
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(io.FileError, match=message):
        io.read(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        nn.load(tmp_path / "x")


def test_every_truncation_is_noticed(tmp_path):
    path = tmp_path / "x"
    nn.save(nn.MLP([2, 3, 1], rng=0), path)
    whole = path.read_bytes()
    for n in range(0, len(whole), 7):
        path.write_bytes(whole[:n])
        with pytest.raises(nn.FileError, match="no safetensors file, or truncated"):
            nn.load(path)


def test_what_cannot_be_written(tmp_path):
    path = tmp_path / "x"
    for arrays, message in [
        ({"a": np.array([1j])}, "a has dtype complex128"),
        ({"a": np.array(["x"])}, "a has dtype <U1"),
    ]:
        with pytest.raises(TypeError, match=message):
            io.write(path, arrays)
    with pytest.raises(ValueError, match="__metadata__"):
        io.write(path, {"__metadata__": np.ones(1)})
    assert not list(tmp_path.iterdir())


def test_a_crash_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x"
    io.write(path, {"a": np.ones(2)})

    def fail(*_):
        raise OSError("disk full")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(OSError, match="disk full"):
                io.write(path, {"a": np.zeros(2)})
        assert [p.name for p in tmp_path.iterdir()] == ["x"]
        np.testing.assert_array_equal(io.read(path)[0]["a"], 1)


# --- models -----------------------------------------------------------------------------------------------------------


class Own(nn.Module):
    def __init__(self, n):
        self.inner = nn.MLP([n, 3, 2], "sigmoid", rng=0)
        self.settings = {
            "rate": 0.5,
            "sizes": (1, [2, None]),
            "no": float("inf"),
            "kind": np.dtype("f4"),
            "n": np.int64(3),
        }
        self.table = np.arange(3)
        self.mean = ag.Tensor(np.zeros(2), requires_grad=False)
        self.tied = self.inner.layers[0].weight
        self.again = self.inner.layers[0]
        self.rng = np.random.default_rng(5)

    def forward(self, x):
        return self.inner(x) - self.mean


def test_a_model_comes_back(tmp_path):
    path = tmp_path / "model.safetensors"
    model = nn.MLP([4, 5, 3], "leaky_relu", rng=0, dtype=np.float32).eval()
    model.layers[0].bias.requires_grad = False
    nn.save(model, path)
    found = nn.load(path)
    assert type(found) is nn.MLP
    assert repr(found) == repr(model)
    assert found.training is False
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    np.testing.assert_array_equal(found(x).data, model(x).data)
    np.sum(found(x)).backward()


def test_a_class_of_ones_own(tmp_path):
    path, model = tmp_path / "x", Own(2)
    model.rng.random(3)
    nn.save(model, path)
    with pytest.raises(nn.FileError, match=r"the class Own is unknown: .* classes=\[Own\]"):
        nn.load(path)
    found = nn.load(path, classes=[Own])
    assert found.settings == model.settings
    assert type(found.settings["sizes"]) is tuple
    assert found.tied is found.inner.layers[0].weight
    assert found.again is found.inner.layers[0]
    assert found.mean.requires_grad is False
    assert found.rng.random() == model.rng.random()
    np.testing.assert_array_equal(found.table, model.table)
    np.testing.assert_array_equal(found(np.ones((1, 2))).data, model(np.ones((1, 2))).data)


def test_into_a_model(tmp_path):
    path, model, other = tmp_path / "x", nn.MLP([2, 3, 1], rng=0), nn.MLP([2, 3, 1], rng=1)
    io.write(path, model.state_dict())
    assert nn.load(path, into=other) is other
    np.testing.assert_array_equal(other(np.ones(2)).data, model(np.ones(2)).data)
    with pytest.raises(nn.FileError, match="but not how the model is built"):
        nn.load(path)
    with pytest.raises(ValueError, match=r"0.weight has shape"):
        nn.load(path, into=nn.MLP([2, 4, 1], rng=0))
    nn.save(own := Own(2), path)
    nn.load(path, into=own)


def test_models_that_cannot_be_written(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(TypeError, match=r"Sequential\.layers\.1 is <lambda>, which a file cannot hold"):
        nn.save(nn.Sequential(nn.Linear(1, 1, rng=0), lambda x: x), path)
    with pytest.raises(TypeError, match="takes a Module, not a dict"):
        nn.save({}, path)
    assert not path.exists()


def linear(**settings):
    return {"class": "Linear", "settings": settings}


W = {"tensor": "w", "requires_grad": True, "name": None}
DESCRIPTIONS = {
    "unknown class": ({"class": "os.system", "settings": {}}, "the class os.system is unknown"),
    "a module's name": ({"class": "Module", "settings": {}}, "the class Module is unknown"),
    "a method": (linear(weight=W, forward="x"), "cannot have a setting called 'forward'"),
    "a dunder": (linear(weight=W, __class__="x"), "cannot have a setting called '__class__'"),
    "a dot": (linear(**{"weight": W, "a.b": 1}), "cannot have a setting called 'a.b'"),
    "no array": (linear(weight={**W, "tensor": "other"}), "'other' is unknown"),
    "left over": (linear(), "w is not in the model"),
    "function": (linear(weight=W, f={"function": "eval"}), "'eval' is unknown"),
    "unknown kind": (linear(weight=W, f={"pickle": "x"}), "a 'pickle' is unknown"),
    "nothing": (linear(weight=W, f={}), "describes nothing"),
    "a list": ([1], "describes nothing"),
    "a number": (3, "describes a int, not a model"),
    "again": (linear(weight=W, f={"again": 7}), "out of range"),
    "negative again": (linear(weight=W, f={"again": -1}), "no position"),
    "rng": (linear(weight=W, f={"rng": {"bit_generator": "Generator"}}), "is unknown"),
    "rng state": (linear(weight=W, f={"rng": {"bit_generator": "PCG64", "state": 3}}), "does not describe a model"),
    "settings": ({"class": "Linear", "settings": 3}, "is not a dict"),
    "flag": (linear(weight={**W, "requires_grad": "yes"}), "is not a bool"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DESCRIPTIONS)
def test_descriptions_that_are_refused(tmp_path, kind):
    description, message = DESCRIPTIONS[kind]
    path = tmp_path / "x"
    io.write(path, {"w": np.ones((1, 1))}, {io.ARCHITECTURE: json.dumps(description)})
    with pytest.raises(
        nn.FileError,
        match=f"x does not describe a model: .*{message}" if "describe a model" not in message else message,
    ):
        nn.load(path)


@pytest.mark.parametrize("text", ["{", "[" * 100_000], ids=["broken", "deep"])
def test_an_architecture_that_is_no_json(tmp_path, text):
    path = tmp_path / "x"
    io.write(path, {"w": np.ones(1)}, {io.ARCHITECTURE: text})
    with pytest.raises(nn.FileError, match="does not describe a model"):
        nn.load(path)


def test_every_layer_is_saved(tmp_path):
    """A model with one of each of nn's simple layers, whatever they hold."""
    made = []
    for cls in io.known_classes().values():
        for args in [(2, 3), (2,), ()]:
            for kwargs in [{"rng": 0}, {}]:
                try:
                    made.append(cls(*args, **kwargs))
                    break
                except (TypeError, ValueError):
                    continue
            else:
                continue
            break
    for i, layer in enumerate(made):
        nn.save(layer, tmp_path / str(i))
        assert repr(nn.load(tmp_path / str(i))) == repr(layer)


# --- where and how files are written ----------------------------------------------------------------------------------

POSIX = os.name == "posix"
WRITERS = {
    "nn.save": lambda path: nn.save(nn.MLP([2, 3, 1], rng=0), path),
    "io.write": lambda path: io.write(path, {"a": np.ones(2)}),
    "Picture.save": lambda path: ag.draw(ag.Tensor(2.0) * 3).save(path),
    "replace_file": lambda path: ag.replace_file(path, b"new"),
}


@pytest.fixture(params=WRITERS)
def write(request):
    return WRITERS[request.param]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link(tmp_path, write, there):
    (tmp_path / "far").mkdir()
    target, link, second = tmp_path / "far" / "x.dot", tmp_path / "link.dot", tmp_path / "second.dot"
    if there:
        target.write_bytes(b"old")
    try:
        link.symlink_to(target)
        second.symlink_to(link.name)
    except OSError:
        assert not POSIX
        return  # Windows lets administrators only make links
    write(second)
    assert link.is_symlink()
    assert second.is_symlink()
    assert target.read_bytes() != b"old"
    assert [p.name for p in target.parent.iterdir()] == ["x.dot"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o755])
def test_permissions_stay(tmp_path, write, mode):
    path = tmp_path / "x.dot"
    path.write_bytes(b"old")
    path.chmod(mode)
    expected = path.stat().st_mode  # Windows knows read-only, and no more
    write(path)
    assert path.stat().st_mode == expected
    assert path.read_bytes() != b"old"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_usual_permissions(tmp_path, write, mask, monkeypatch):
    before = os.umask(mask)
    try:
        monkeypatch.setattr(os, "umask", None)  # it is the whole process's
        write(tmp_path / "x.dot")
        with open(tmp_path / "y", "wb"):
            pass
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert (tmp_path / "x.dot").stat().st_mode == (tmp_path / "y").stat().st_mode


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("name", ["fsync", "replace", "chmod"])
def test_what_fails_leaves_the_old_file(tmp_path, write, name, error, monkeypatch):
    path = tmp_path / "x.dot"
    path.write_bytes(b"old")

    def fail(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        with pytest.raises(type(error)):
            write(path)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x.dot", b"old")]


def test_a_folder_and_a_device_are_not_replaced(tmp_path):
    (tmp_path / "x.dot").mkdir()
    with pytest.raises((IsADirectoryError, PermissionError), match=r"x\.dot"):
        ag.replace_file(tmp_path / "x.dot", b"new")
    assert (tmp_path / "x.dot").is_dir()
    ag.replace_file(os.devnull, b"new")
    assert not os.path.isfile(os.devnull)
    assert [p.name for p in tmp_path.iterdir()] == ["x.dot"]


def test_a_file_that_may_not_be_written(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write whatever there is
    with pytest.raises(PermissionError, match="may not be written"):
        ag.replace_file(path, b"new")
    assert path.read_bytes() == b"old"


# --- values that do not fit -------------------------------------------------------------------------------------------


def single(kind=np.float32):
    return nn.Sequential(nn.Linear(2, 3, rng=0, dtype=kind), nn.BatchNorm(3, dtype=kind))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("0.weight", 1e300, r"0.weight has 1e\+300, which float32 cannot hold"),
        ("0.weight", -1e39, r"0.weight has -1e\+39, which float32 cannot hold"),
        ("1.running_var", 1e200, r"1.running_var has 1e\+200, which float32"),
        ("1.num_batches_tracked", 2.5, "1.num_batches_tracked has 2.5, which int64 cannot hold"),
        ("1.num_batches_tracked", np.nan, "1.num_batches_tracked has nan, which int64 cannot hold"),
        ("1.num_batches_tracked", 2**63, "1.num_batches_tracked has 9223372036854775808, which int64"),
    ],
)
@pytest.mark.parametrize("way", ["state", "file"])
def test_numbers_that_a_model_cannot_hold(tmp_path, way, name, value, message):
    model = single()
    state = {k: v.astype(float) if v.dtype.kind == "f" else v for k, v in model.state_dict().items()}
    state[name] = np.full(state[name].shape, value)
    before = model.state_dict()
    io.write(tmp_path / "x", state)
    with pytest.raises(ValueError, match=message):
        model.load_state_dict(state) if way == "state" else nn.load(tmp_path / "x", into=model)
    np.testing.assert_equal(model.state_dict(), before)


def test_numbers_that_are_rounded_or_not_finite_are_loaded():
    model = single()
    state = {k: v.astype(float) if v.dtype.kind == "f" else v for k, v in model.state_dict().items()}
    state["0.weight"][:] = [[1e-300, 0.1], [np.inf, np.nan], [-np.inf, 3.4028234e38]]
    with np.errstate(all="raise"):
        model.load_state_dict(state)
    np.testing.assert_array_equal(
        model.layers[0].weight.data, np.float32([[0, 0.1], [np.inf, np.nan], [-np.inf, 3.4028234e38]])
    )


def trained(make):
    p, q = ag.Tensor(np.ones(3, np.float32)), ag.Tensor(np.ones((2, 2), np.float16))
    optimizer = make([p, q])
    (np.sum(p * p) + np.sum(q * q)).backward()
    optimizer.step()
    return optimizer


OPTIMIZERS = {
    "Adam": lambda ps: nn.Adam(ps),
    "AdamW": lambda ps: nn.AdamW(ps),
    "AdaGrad": lambda ps: nn.AdaGrad(ps),
    "RMSProp": lambda ps: nn.RMSProp(ps, momentum=0.9),
    "SGD": lambda ps: nn.SGD(ps, lr=0.1, momentum=0.9),
}
BAD_STATES = [
    *((name, slot, np.nan, f"{slot} has NaN, 3 of 3 entries") for name, slot in [
        ("Adam", "m"), ("Adam", "v"), ("AdamW", "v"), ("AdaGrad", "s"), ("RMSProp", "s"), ("RMSProp", "v"), ("SGD", "v"),
    ]),
    *((name, slot, -1e-9, f"{slot} has -1e-09, and is a mean or a sum of squares") for name, slot in [
        ("Adam", "v"), ("AdamW", "v"), ("AdaGrad", "s"), ("RMSProp", "s"),
    ]),
    ("Adam", "m", 1e300, r"m has 1e\+300, which float32 cannot hold"),
    ("SGD", "v", -1e300, r"v has -1e\+300, which float32 cannot hold"),
    *(("Adam", "step", t, "step is a number of updates, not") for t in (-1, 2.5, np.nan, np.inf)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "slot", "value", "message"), BAD_STATES)
def test_states_that_an_optimizer_refuses(name, slot, value, message):
    optimizer = trained(OPTIMIZERS[name])
    before, bad = optimizer.state_dict(), optimizer.state_dict()
    old = bad["state"][0][slot]
    bad["state"][0][slot] = value if slot == "step" else np.full(np.shape(old), value)
    with pytest.raises(ValueError, match=f"the state of parameter 0 does not fit {name}: {message}"):
        optimizer.load_state_dict(bad)
    np.testing.assert_equal(optimizer.state_dict(), before)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_states_that_an_optimizer_takes(name):
    """A velocity may be negative; a square may have overflowed, as it had where the state was saved."""
    optimizer = trained(OPTIMIZERS[name])
    state = optimizer.state_dict()
    for own in state["state"].values():
        for slot, a in own.items():
            if slot in optimizer.squares:
                a[...] = np.inf
            elif slot != "step":
                a[...] = -3
    np.testing.assert_equal(optimizer.load_state_dict(state).state_dict(), state)
