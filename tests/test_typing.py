"""Types: programs as users write them pass mypy --strict and basedpyright, and what is asserted in them holds."""

import importlib.util
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(__file__).with_name("users_programs.py")
needs_mypy = pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is in the lint group")
PYRIGHT = shutil.which("basedpyright", path=str(Path(sys.executable).parent))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Where mypy keeps what it knows of the packages, which takes it half a minute."""
    return tmp_path_factory.mktemp("mypy")


def mypy(*files, cache, more=()):
    """Return what mypy prints of files, in strict mode and with no settings of ours."""
    arguments = ["--strict", *more, "--config-file=", "--no-error-summary", "--cache-dir", str(cache)]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *arguments, *map(str, files)], cwd=ROOT, capture_output=True, text=True
    )
    lines = (run.stdout + run.stderr).splitlines()
    return [line for line in lines if str(files[0].name) in line]


def test_programs_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(PROGRAMS))
    assert (tmp_path / "graph.txt").exists()


@needs_mypy
def test_programs_pass_mypy(cache):
    assert mypy(PROGRAMS, cache=cache) == []


@pytest.mark.skipif(PYRIGHT is None, reason="basedpyright is in the lint group")
def test_programs_pass_basedpyright(tmp_path):
    shutil.copy(PROGRAMS, tmp_path)
    (tmp_path / "pyrightconfig.json").write_text(f'{{"extraPaths": ["{ROOT.as_posix()}"]}}', encoding="utf-8")
    command = [PYRIGHT, "--level", "error", "--pythonpath", sys.executable, "--project", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


@needs_mypy
def test_programs_of_the_readme_pass_mypy(tmp_path, cache):
    """But for two functions in it, which are written without types."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert len(blocks) > 5
    page = tmp_path / "readme.py"
    page.write_text("\n".join(blocks), encoding="utf-8")
    assert mypy(page, cache=cache, more=["--allow-untyped-defs", "--allow-untyped-calls"]) == []


@needs_mypy
def test_a_wrong_program_is_found(tmp_path, cache):
    """Else the tests above would pass whatever was checked."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "import numpy as np\nimport autograd_core as ag\nx = ag.Tensor([1.0])\n"
        "(x * x).backwards()\ndef f(v: str) -> float: return 1.0\nag.grad(f)(np.ones(2))\nx.grad + 1\n",
        encoding="utf-8",
    )
    found = mypy(wrong, cache=cache)
    assert [re.search(r":(\d+):", line).group(1) for line in found if "error" in line] == ["4", "6", "7"]
