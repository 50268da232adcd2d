"""Files from PyTorch and back: the same names and shapes, the same outputs to float32 accuracy, for every layer."""

import numpy as np
import pytest

import autograd_core as ag
import nn

torch = pytest.importorskip("torch", reason="PyTorch is the judge")
pytest.importorskip("safetensors", reason="files are safetensors")


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def integers(*shape):
    return np.random.default_rng(0).integers(0, 7, shape)


T, F = torch.nn, {"rng": 0, "dtype": np.float32}
SIZED = {"dtype": np.float32}
PAIRS = {
    "Linear": (lambda: T.Linear(3, 5), lambda: nn.Linear(3, 5, **F), normal(4, 3)),
    "Linear without bias": (lambda: T.Linear(3, 5, bias=False), lambda: nn.Linear(3, 5, bias=False, **F), normal(4, 3)),
    "Conv1d": (
        lambda: T.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2),
        lambda: nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2, **F),
        normal(2, 4, 9),
    ),
    "Conv2d": (
        lambda: T.Conv2d(3, 6, (3, 5), padding="same", bias=False),
        lambda: nn.Conv2d(3, 6, (3, 5), padding="same", bias=False, **F),
        normal(2, 3, 7, 6),
    ),
    "BatchNorm1d": (lambda: T.BatchNorm1d(3), lambda: nn.BatchNorm(3, **SIZED), normal(5, 3)),
    "BatchNorm2d": (lambda: T.BatchNorm2d(3), lambda: nn.BatchNorm(3, **SIZED), normal(5, 3, 4, 4)),
    "LayerNorm": (lambda: T.LayerNorm((3, 4)), lambda: nn.LayerNorm((3, 4), **SIZED), normal(5, 3, 4)),
    "Embedding": (
        lambda: T.Embedding(7, 3, padding_idx=2),
        lambda: nn.Embedding(7, 3, padding_idx=2, **F),
        integers(4, 5),
    ),
    "RNN": (lambda: T.RNN(3, 4, 2), lambda: nn.RNN(3, 4, 2, **F), normal(6, 2, 3)),
    "LSTM": (
        lambda: T.LSTM(3, 4, 2, bidirectional=True, batch_first=True),
        lambda: nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True, **F),
        normal(2, 6, 3),
    ),
    "GRU": (lambda: T.GRU(3, 4, bidirectional=True), lambda: nn.GRU(3, 4, bidirectional=True, **F), normal(6, 2, 3)),
    "a network": (
        lambda: T.Sequential(
            T.Conv2d(1, 4, 3), T.BatchNorm2d(4), T.ReLU(), T.MaxPool2d(2), T.Flatten(), T.Dropout(0.5), T.Linear(36, 5)
        ),
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, **F), nn.BatchNorm(4, **SIZED), nn.relu, nn.MaxPool2d(2), nn.Flatten(),
            nn.Dropout(0.5, rng=0), nn.Linear(36, 5, **F),
        ),
        normal(2, 1, 8, 8),
    ),
}  # fmt: skip


def trained(module, x):
    """Return a PyTorch module whose every parameter and running average has moved away from where it starts."""
    torch.manual_seed(0)
    module = module()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(2):
        out = module(torch.tensor(x))
        out = out[0] if isinstance(out, tuple) else out
        optimizer.zero_grad()
        (out.sin().sum()).backward()
        optimizer.step()
    return module.eval()


def outputs(found):
    """Return all arrays of what a layer returns."""
    if isinstance(found, tuple):
        return [a for part in found for a in outputs(part)]
    return [found.data if isinstance(found, ag.Tensor) else found.detach().numpy()]


@pytest.mark.parametrize("name", PAIRS)
def test_pytorchs_file_gives_the_same_outputs_and_goes_back(name, tmp_path):
    from safetensors.torch import load_file, save_file

    make_theirs, make_ours, x = PAIRS[name]
    theirs, ours = trained(make_theirs, x), make_ours().eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())

    save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    assert nn.load(tmp_path / "theirs.safetensors", into=ours) is ours
    for mine, other in zip(outputs(ours(x)), outputs(theirs(torch.tensor(x))), strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, other, rtol=2e-5, atol=2e-6)

    for p in ours.parameters():
        p.assign(p.data + np.float32(0.1))
    nn.save(ours, tmp_path / "ours.safetensors")
    theirs.load_state_dict(load_file(tmp_path / "ours.safetensors"))  # strict: neither more names nor fewer
    for mine, other in zip(outputs(ours(x)), outputs(theirs(torch.tensor(x))), strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-5, atol=2e-6)
