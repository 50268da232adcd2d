"""What the README's table says of us is so."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import autograd_core as ag

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("features", ROOT / "benchmarks" / "features.py")
features = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(features)


@pytest.mark.parametrize("row", features.CAN)
def test_we_can(row):
    assert row("ours", lambda f, x: ag.grad(f)(x), np)


@pytest.mark.parametrize("row", features.CANNOT)
def test_we_cannot(row):
    if row is features.bfloat16:
        pytest.importorskip("ml_dtypes", reason="NumPy has no bfloat16 of its own")
    assert features.attempt(row, "ours", lambda f, x: ag.grad(f)(x), np) is False


def test_the_readme_has_every_row():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in features.ROWS:
        assert f"| {row.__doc__.rstrip('.')} | {'yes' if row in features.CAN else 'no'} |" in readme
