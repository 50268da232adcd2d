"""The two programs: `python -m autograd_core` here, `python -m nn` in tests/nn."""

import subprocess
import sys

import numpy as np

import autograd_core as ag
from autograd_core import __main__ as about


def run(**environment):
    import os

    return subprocess.run(
        [sys.executable, "-m", "autograd_core"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=True,
    ).stdout


def test_it_prints_versions_and_what_there_is():
    lines = dict(line.split(maxsplit=1) for line in run().splitlines())
    assert lines["autograd-core"] == ag.__version__
    assert lines["NumPy"] == np.__version__
    assert {
        "Python",
        "BLAS",
        "threads",
        "Graphviz",
        "[viz]",
        "[plots]",
        "[nn]",
        "[scipy]",
        "[notebook]",
    } <= lines.keys()


def test_without_a_layout_engine_it_says_how_to_get_one(monkeypatch):
    def missing(name):
        raise about.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(about.shutil, "which", lambda _: None)
    monkeypatch.setattr(about.metadata, "version", missing)
    assert "autograd-core[viz]" in about.graphviz()


def test_a_dot_that_does_not_run_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(about.shutil, "which", lambda _: str(tmp_path / "dot"))
    assert "does not run" in about.graphviz()


def test_threads_named_by_the_environment_are_shown(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert "OMP_NUM_THREADS=3" in about.threads()
