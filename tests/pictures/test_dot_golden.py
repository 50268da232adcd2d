"""The DOT text to the byte, of a dozen graphs: also under other hash seeds and in another process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pictures.programs import PROGRAMS, drawn

GOLDEN = Path(__file__).parent / "golden"
CODE = """
import hashlib
from pictures.programs import PROGRAMS, drawn
digest = hashlib.sha256()
for name in PROGRAMS:
    p = drawn(name)
    for direction in ("forward", "backward"):
        digest.update(p.to_dot(direction).encode())
    digest.update(p.text().encode())
print(digest.hexdigest())
"""


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_dot_is_as_ever(name, direction):
    """A change of these files is a change of every picture: look at it, then PICTURES_GOLDEN=write."""
    path = GOLDEN / f"{name}_{direction}.dot"
    made = drawn(name).to_dot(direction)
    if os.environ.get("PICTURES_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(made, encoding="utf-8", newline="\n")
    assert made == path.read_text(encoding="utf-8")


def test_same_bytes_under_any_hash_seed():
    tests = str(Path(__file__).parent.parent)
    found = set()
    for seed in ("0", "4711"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([tests, *sys.path])}
        done = subprocess.run([sys.executable, "-c", CODE], env=env, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1


def test_drawing_twice_gives_the_same():
    for name in ("mlp", "recurrent", "odd_names"):
        p = drawn(name)
        assert p.to_dot() == p.to_dot()
        assert p.forward().to_dot("backward") == drawn(name).backward().to_dot()
