"""The two programs: `python -m autograd_core` here, `python -m nn` in tests/nn."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

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
    assert {"Python", "BLAS", "threads", "Graphviz"} <= lines.keys()


def test_it_lists_every_extra_that_pyproject_offers():
    root = Path(__file__).parents[1]
    offered = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert offered.keys() - {"all", "bench"} == about.EXTRAS.keys()
    for extra, names in about.EXTRAS.items():
        wanted = {re.match(r"[\w-]+", requirement)[0] for requirement in offered[extra]}
        assert set(names) <= wanted


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
