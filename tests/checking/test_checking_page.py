"""The page on checking: its examples in PyTorch and JAX run, and say what the page says they say."""

import re
from pathlib import Path

import numpy as np
import pytest

import autograd_core as ag

PAGE = Path(__file__).parents[2] / "docs" / "checking.md"


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_examples_of_other_libraries(library, capsys):
    pytest.importorskip(library, reason=f"{library} is not installed")
    text = PAGE.read_text(encoding="utf-8")
    program, said = re.search(
        rf"```python\n(import {library}\n.*?)```\n+(?:[^`]*?)```text\n(.*?)```", text, re.S
    ).groups()
    exec(compile(program, str(PAGE), "exec"), {"ag": ag, "np": np, "x": np.linspace(-2, 2, 5)})
    printed = capsys.readouterr().out
    pattern = ".*?".join(re.escape(part) for part in re.split(r"\.\.\.", " ".join(said.split())))
    assert re.fullmatch(pattern, " ".join(printed.split())), printed


def test_commands_exist():
    commands = re.findall(r"^python -m (benchmarks\.\w+)", PAGE.read_text(encoding="utf-8"), re.M)
    assert len(commands) == 4
    assert all((PAGE.parents[1] / (c.replace(".", "/") + ".py")).exists() for c in commands)
