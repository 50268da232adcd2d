"""This checkout beside an earlier one: both libraries in one interleaved run, `python -m benchmarks --against HEAD~1`."""

import contextlib
import io
import statistics
import subprocess
import tarfile
import tempfile
from pathlib import Path

from benchmarks.libraries import COMPILED
from benchmarks.measure import measure, paired
from benchmarks.report import NOTHING, Table, failed
from benchmarks.worker import Worker

ROOT = Path(__file__).parents[1]
OURS = ("ours", "compiled")


@contextlib.contextmanager
def exported(revision):
    """Yield a folder with the packages as they were at a revision."""
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", revision, "autograd_core", "nn"]
    packed = subprocess.run(command, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        yield folder


def compare(revision, rows, libraries, plan):
    """Measure both and return a table of ratios, and the sentences of what has failed."""
    wanted = [name for name in OURS if name in libraries]
    with exported(revision) as folder, contextlib.ExitStack() as stack:
        workers = {"numpy": stack.enter_context(Worker("numpy"))}
        for name in wanted:
            workers[name] = stack.enter_context(Worker(name))
            workers[before(name)] = stack.enter_context(Worker(name, folder))
        cells = measure(rows, workers, plan)
    failures = [
        failed(row, lib, cell.failure) for row, libs in cells.items() for lib, cell in libs.items() if cell.failure
    ]
    return table(revision, rows, cells, wanted), failures


def before(name):
    """Name the same library as it was."""
    return f"{name} before"


def table(revision, rows, cells, libraries):
    """Time of now divided by time of then, in each round, the median; and of a compiled function's first calls."""
    headings = [heading for name in libraries for heading in ([name] if name not in COMPILED else [name, "recording"])]
    found = Table(f"Time now relative to {revision} (lower is better)", ["row", "dtype", *headings])
    columns = [[] for _ in headings]
    for row in rows:
        line = []
        for name in libraries:
            now, then = cells[row.name].get(name), cells[row.name].get(before(name))
            measured = now is not None and then is not None and not (now.failure or then.failure)
            line.append(paired(now, then) if measured else None)
            if name in COMPILED:
                line.append(now.wait / then.wait if measured and then.wait else None)
        for column, ratio in zip(columns, line, strict=True):
            column.extend([] if ratio is None else [ratio])
        found.rows.append([row.name, row.dtype.__name__, *(NOTHING if r is None else f"{r:.2f}" for r in line)])
    medians = [f"{statistics.median(column):.2f}" if column else NOTHING for column in columns]
    found.rows.append(["median", "", *medians])
    return found
