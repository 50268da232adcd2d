"""The run: check that all libraries agree, then time them in turns, interleaved."""

import random
import statistics
import sys
import time
from dataclasses import dataclass, field

import numpy as np

PATIENCE = 600  # seconds for the first steps of a cell, compilation included; then it is given up


@dataclass
class Cell:
    """One library on one row."""

    times: dict = field(default_factory=dict)  # round -> best seconds a step
    seconds: float = 0.0  # of the step that was checked
    wait: float = 0.0  # seconds that the first steps took longer: compilation
    failure: str = ""  # why there is no number


@dataclass(frozen=True)
class Plan:
    """How long to measure."""

    rounds: int
    turn: float  # seconds a turn, at least
    budget: float  # seconds a cell in all rounds; a slower one takes part in fewer of them
    quick: bool = False


def measure(rows, workers, plan):
    """Check, then time: `{row name: {library: Cell}}`."""
    cells = {}
    for row in rows:
        say(f"checking {row.name}")
        cells[row.name] = check(row, workers, plan)
    rng = random.Random(0)
    taking_part = {
        (name, library): set(rng.sample(range(plan.rounds), rounds_for(cell, plan)))
        for name, row in cells.items()
        for library, cell in row.items()
        if not cell.failure
    }
    for number in range(plan.rounds):
        # Rows in random order, and within a row the libraries: a pair to be divided is measured within seconds.
        for row in rng.sample(rows, len(rows)):
            turns = [lib for lib in cells[row.name] if number in taking_part.get((row.name, lib), ())]
            for library in rng.sample(turns, len(turns)):
                say(f"round {number + 1} of {plan.rounds}: {row.name}, {library}")
                take_turn(workers[library], row, cells[row.name][library], number, plan)
    say("")
    return cells


def rounds_for(cell, plan):
    """In how many rounds a cell takes part."""
    return max(1, min(plan.rounds, int(plan.budget / max(cell.seconds, 1e-9))))


def take_turn(worker, row, cell, number, plan):
    """Time one cell once."""
    if cell.failure:
        return
    time.sleep(0.05)  # threads of the last turn still spin for tens of milliseconds (OpenBLAS: 2**26 cycles)
    try:
        cell.times[number] = worker.ask("time", row.name, plan.turn)
    except RuntimeError as error:
        cell.failure = str(error)


def check(row, workers, plan):
    """One step or two of every library, compared with NumPy's: a Cell for each that has the row."""
    cells, reference = {}, None
    for library in ["numpy", *(name for name in workers if name != "numpy")]:
        if plan.quick and library in row.slow:
            continue
        try:
            answer = workers[library].ask("check", row.name, patience=PATIENCE)
        except RuntimeError as error:
            cells[library] = Cell(failure=str(error))
            continue
        if answer is None:
            continue
        results, seconds, wait = answer
        reference = reference or results
        cells[library] = Cell(seconds=seconds, wait=wait, failure=disagreement(reference, results, row.tolerance))
    return cells


def disagreement(reference, results, tolerance):
    """What differs between two libraries' results, step by step, or an empty string."""
    for step, (expected, found) in enumerate(zip(reference, results, strict=False), 1):
        if len(expected) != len(found):
            return f"step {step}: {len(found)} results instead of {len(expected)}"
        for k, (a, b) in enumerate(zip(expected, found, strict=True)):
            if a.shape != b.shape:
                return f"step {step}, result {k}: shape {b.shape} instead of {a.shape}"
            error = np.max(np.abs(a - b), initial=0.0) / max(np.max(np.abs(a), initial=0.0), np.finfo(float).tiny)
            if not error <= tolerance:
                return f"step {step}, result {k}: relative error {error:.1e}, allowed {tolerance:.0e}"
    return ""


def paired(cell, base):
    """Median over the rounds of the ratio to the other's time in the same round."""
    ratios = [seconds / base.times[number] for number, seconds in cell.times.items() if number in base.times]
    return statistics.median(ratios) if ratios else None


def minima(cell, base):
    """Ratio of the best of all rounds."""
    return min(cell.times.values()) / min(base.times.values()) if cell.times and base.times else None


def say(text):
    """Show progress on a terminal, on one line."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
