"""The pytest plugin, in runs of its own: what passes, what fails, what the summary says, and what is not imported."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import autograd_core

# An installed package's plugin is found by pytest itself, and must not be named a second time.
INSTALLED = "autograd_core" in metadata.entry_points(group="pytest11").names
PLUGIN = [] if INSTALLED else ["-p", "autograd_core.checking.plugin"]

TESTS = """
import numpy as np


def test_right(gradcheck):
    report = gradcheck(lambda x: np.sum(np.sin(x)), np.linspace(0, 1, 3))
    assert report


def test_wrong(gradcheck):
    def df(x):
        return -np.cos(x)

    gradcheck(lambda x: np.sum(np.sin(x)), np.linspace(0, 1, 3), gradient=df)


def test_wrong_but_expected(gradcheck):
    report = gradcheck(lambda x: np.sin(x), 1.0, gradient=lambda x: 2 * np.cos(x), raises=False)
    assert not report


def test_mostly_unseen(gradcheck):
    gradcheck(lambda x: np.sum(np.sin(x)), np.ones(3))
    gradcheck(lambda x: 1e12 + np.sum(np.sin(x)), np.ones(9), raises=False)


def test_without():
    pass
"""

HYPOTHESIS = """
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=5)
@given(st.integers(1, 3))
def test_inside_given(gradcheck, n):
    gradcheck(lambda x: np.prod(x), np.arange(1.0, n + 1))
"""


def run(where, *options, **files):
    for name, text in files.items():
        (where / f"{name}.py").write_text(text, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(Path(autograd_core.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "pytest", *PLUGIN, "-p", "no:cacheprovider", "-p", "no:randomly", *options]
    environment = {**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": ""}
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    where = tmp_path_factory.mktemp("plugin")
    done = run(where, "--gradcheck-report=found.json", "-rA", "-W", "error", test_it=TESTS, test_more=HYPOTHESIS)
    return done.stdout + done.stderr, json.loads((where / "found.json").read_text(encoding="utf-8"))


def test_what_passes_and_what_fails(outcome):
    text, _ = outcome
    assert "4 passed" in text
    assert "2 failed" in text
    assert "FAILED test_it.py::test_wrong " in text
    assert "FAILED test_it.py::test_mostly_unseen" in text


def test_a_failure_is_the_report_and_the_line_of_the_test(outcome):
    text, _ = outcome
    failure = text.partition("test_wrong ____")[2].partition("____ test_")[0]
    assert ">       gradcheck(lambda x: np.sum(np.sin(x)), np.linspace(0, 1, 3), gradient=df)" in text
    assert "d result / d x[1]" in text
    assert "the sign is wrong" in text
    assert "checker.py" not in failure, "frames of ours bury the test's own"


def test_a_test_that_saw_too_little_fails(outcome):
    text, _ = outcome
    assert "could judge too little to pass" in text


def test_the_summary_and_the_file_count_everything(outcome):
    text, found = outcome
    assert f"gradcheck: {len(found)} gradients, derivatives: " in text
    assert {r["verdict"] for r in found} >= {"ok", "wrong"}
    assert {r["test"].rpartition("::")[2] for r in found} == {
        "test_right", "test_wrong", "test_wrong_but_expected", "test_mostly_unseen", "test_inside_given",
    }  # fmt: skip


def test_options_reach_the_checker(tmp_path):
    text = "import numpy as np\ndef test_it(gradcheck):\n    assert gradcheck(np.sin, np.ones(5)).full is {}\n"
    done = run(tmp_path, "-q", "--gradcheck=fast", "--gradcheck-seed=3", test_it=text.format(False))
    assert done.returncode == 0, done.stdout


def test_starting_pytest_imports_nothing(tmp_path):
    if not INSTALLED:
        source = (Path(autograd_core.__file__).parent / "checking" / "plugin.py").read_text(encoding="utf-8")
        (tmp_path / "pytest_autograd_core.py").write_text(source, encoding="utf-8")
    text = "import sys\ndef test_it():\n    assert not {'numpy', 'autograd_core'} & set(sys.modules)\n"
    (tmp_path / "test_it.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_autograd_core", "-p", "no:cacheprovider"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
    }
    done = subprocess.run(
        [*command, "test_it.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
