"""How much memory a step takes at its peak: `python -m benchmarks.peaks [resident | compiled] [row ...] [--write]`.

`resident`: growth of the resident memory's high-water mark over four training steps after the model has been built, for
each library; on Linux only, whose `/proc` lets the mark be reset. It includes what a library keeps for later steps.

`compiled`: bytes that Python and NumPy have allocated (`tracemalloc`), above what stood there when the model had been
built, at the peak of the fifth step: of ours as it is, and compiled. Gradients, the optimizer's state, pools of temporaries,
the plan and its buffers all count. Then what is still there after that step, of the compiled one: the arrays of it, and
the rest, which is the plan as Python's objects.

Each number comes from a fresh process.
"""

import argparse
import gc
import importlib
import importlib.util
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np

from benchmarks.memory import peak_growth

LIBRARIES = "numpy", "ours", "torch"
NAMES = "train-small", "train-mnist", "train-wide", "train-conv", "train-rnn", "train-embedding"
LONG = "chain-1e5", "moons", "fan-in"  # take minutes under tracemalloc; to be named if they are wanted
README = Path(__file__).with_name("README.md")
MARKERS = "<!-- peaks -->", "<!-- /peaks -->"
STEPS = 4  # before the one that is looked at: recorded, planned, twice replayed


# --- one number, in a process of its own ------------------------------------------------------------------------------


def resident(library, name):
    """Return megabytes by which the peak lies above what stood there before the first step."""
    step = built(library, name)
    return [peak_growth(lambda: [step() for _ in range(4)]) / 2**20]


def traced(library, name):
    """Return kilobytes above what stood there before the first step: at a step's peak; of arrays after it; of all after it."""
    importlib.import_module("concurrent.futures.thread")  # which large groups import when they are run

    built(library, "train-xor-adam")()  # what else is imported or kept at first use, whatever the row
    tracemalloc.start()
    step = built(library, name)
    gc.collect()
    before, arrays_before = tracemalloc.get_traced_memory()[0], array_bytes()
    for _ in range(STEPS):
        step()
    gc.collect()
    tracemalloc.reset_peak()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    gc.collect()
    after, arrays = tracemalloc.get_traced_memory()[0], array_bytes()
    return [(peak - before) / 1024, (arrays - arrays_before) / 1024, (after - before) / 1024]


def array_bytes():
    """Return the bytes that NumPy's arrays have allocated."""
    mine = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([mine]).traces)


def built(library, name):
    """Return a row's step in a library's words; its results are dropped, as a training loop does."""
    from benchmarks.rows import ROWS

    (row,) = (row for row in ROWS if row.name == name)
    step = row.step(library)

    def dropped():
        step()

    return dropped


# --- the tables -------------------------------------------------------------------------------------------------------


def asked(question, library, name):
    """Ask a fresh process."""
    command = [sys.executable, "-m", "benchmarks.peaks", "--one", library, question, name]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [float(word) for word in found.split()]


def resident_table(names):
    """Print a line for each row, a column for each library."""
    libraries = [name for name in LIBRARIES if name != "torch" or importlib.util.find_spec("torch")]
    print(f"{'peak of a training step, MB':28}" + "".join(f"{library:>9}" for library in libraries))
    for name in names or NAMES:
        found = [asked("resident", library, name)[0] for library in libraries]
        print(f"{name:28}" + "".join(f"{x:9.1f}" for x in found), flush=True)


def compiled_table(names, write):
    """Print a line for each row; write them into the README, too."""
    from benchmarks.report import Table, write_readme
    from benchmarks.rows import ROWS

    rows = [row.name for row in ROWS if row.name not in LONG]
    table = Table("Peak of a step, KiB", ["row", "ours", "compiled", "ratio", "kept: arrays", "kept: objects"])
    print(f"{table.title:22}" + "".join(f"{heading:>14}" for heading in table.headings[1:]))
    for name in names or rows:
        eager, *_ = asked("compiled", "ours", name)
        peak, arrays, kept = asked("compiled", "compiled", name)
        entries = [f"{x:,.0f}" for x in (eager, peak)] + [f"{peak / eager:.2f}"]
        entries += [f"{x:,.0f}" for x in (arrays, kept - arrays)]
        table.rows.append([name, *entries])
        print(f"{name:22}" + "".join(f"{entry:>14}" for entry in entries), flush=True)
    if write:
        write_readme(README, [], [table], MARKERS)


def main(argv=None):
    """Print the tables, or one number for them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peaks", description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="?", choices=["resident", "compiled"], help="default: both")
    parser.add_argument("rows", nargs="*", help="names of rows; default: all that apply")
    parser.add_argument(
        "--write", action="store_true", help="put the table of compiled steps into benchmarks/README.md"
    )
    parser.add_argument("--one", metavar="LIBRARY", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one:
        print(*{"resident": resident, "compiled": traced}[args.table](args.one, *args.rows))
        return
    if args.table != "resident":
        compiled_table(args.rows, args.write)
    if args.table != "compiled":
        if not Path("/proc/self/clear_refs").exists():
            sys.exit("the resident memory's peak needs Linux's /proc")
        resident_table(args.rows)


if __name__ == "__main__":
    main()
