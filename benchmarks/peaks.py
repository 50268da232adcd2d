"""How much memory a training step takes at its peak, beyond parameters and data: `python -m benchmarks.peaks`.

The growth of the resident memory's high-water mark over four steps after the model has been built, each library in a fresh
process; on Linux only, whose `/proc` lets the mark be reset. It includes what a library keeps for later steps.
"""

import gc
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np

LIBRARIES = "numpy", "ours", "torch"
NAMES = "train-small", "train-mnist", "train-wide", "train-conv", "train-rnn", "train-embedding"
STATUS = Path("/proc/self/status")


def growth(library, name):
    """Return megabytes by which the peak lies above what stood there before the first step."""
    from benchmarks.rows import training

    (row,) = (row for row in training.ROWS if row.name == name)
    row.make(np.random.default_rng(0))
    step = getattr(row.style, library)(row)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = kilobytes("VmRSS")
    for _ in range(4):
        step()
    return (kilobytes("VmHWM") - before) / 1024


def kilobytes(what):
    """Return a line of `/proc/self/status` as a number."""
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(what))


def main():
    """Print a line for each row, a column for each library."""
    if not STATUS.exists():
        sys.exit("this measurement needs Linux's /proc")
    libraries = [name for name in LIBRARIES if name != "torch" or importlib.util.find_spec("torch")]
    print(f"{'peak of a training step, MB':28}" + "".join(f"{library:>9}" for library in libraries))
    for name in NAMES:
        command = [sys.executable, "-m", "benchmarks.peaks"]
        found = [subprocess.run([*command, library, name], capture_output=True, text=True, check=True).stdout
                 for library in libraries]  # fmt: skip
        print(f"{name:28}" + "".join(f"{float(text):9.1f}" for text in found))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(growth(*sys.argv[1:]))
    else:
        main()
