"""The process in which one library lives: it answers questions from `measure.py`, one at a time.

Nothing else is imported here than the library itself and NumPy, so that no library runs on another's heap or threads.
"""

import gc
import itertools
import multiprocessing
import sys
import time
import traceback

import numpy as np

from benchmarks import memory
from benchmarks.libraries import COMPILED, LIBRARIES
from benchmarks.rows import ROWS

BATCH = 0.02  # seconds; a batch shorter than this would time the clock, and never meet the garbage collector
SLOW = 1.0  # seconds; a step longer than this is not repeated within a turn
ROW = {row.name: row for row in ROWS}


def serve(connection, library, folder):
    """Answer `(question, *arguments)` until `None`: with `("ok", answer)`, or `("error", sentence)`."""
    if folder:
        sys.path.insert(0, folder)
    state = Bench(library)
    for question, *arguments in iter(connection.recv, None):
        try:
            connection.send(("ok", getattr(state, question)(*arguments)))
        except Exception as error:
            connection.send(("error", f"{type(error).__name__}: {error}\n{traceback.format_exc()}"))


class Bench:
    """What a worker can be asked."""

    def __init__(self, library):
        self.library = library
        self.compiled = {}

    def prepare(self):
        """Import the library; its version and threads."""
        return LIBRARIES[self.library].prepare()

    def check(self, name):
        """Return what the first two steps gave, as float64, a step's seconds, and the earlier ones' beyond; or None."""
        step = self.step(name)
        if step is None:
            return None
        results, times, patient = [], [], self.library in COMPILED  # which may compile at the second step again
        for _ in range(3 if patient else 2):
            start = time.perf_counter()
            outputs = step()
            times.append(time.perf_counter() - start)
            results.append([as_float64(value) for value in outputs])
            if times[-1] > 2 * SLOW and not patient:
                break
        return results[:2], times[-1], max(0.0, sum(times) - len(times) * times[-1])

    def time(self, name, seconds):
        """Best seconds per step over batches that together last about `seconds`, after a warm-up."""
        anew = self.library in COMPILED and name not in self.compiled  # in a process that had to be started again
        step = self.step(name)
        timed(step, 3 if anew else 0)
        gc.collect()
        once = timed(step, 1)
        if once > SLOW:
            return once
        once = timed(step, 1)
        number = max(1, round(BATCH / once))
        timed(step, max(1, number // 4))
        until = time.perf_counter() + seconds
        best = timed(step, number) / number
        while time.perf_counter() < until:
            best = min(best, timed(step, number) / number)
        return best

    def kept(self):
        """Bytes kept for the backward pass."""
        return memory.kept(self.library)

    def nodes(self):
        """Bytes a node of a long scalar chain."""
        return memory.nodes(self.library)

    def step(self, name):
        """Build the step anew, on a small heap; only compiled ones are kept."""
        if self.library not in COMPILED:
            return ROW[name].step(self.library)
        if name not in self.compiled:
            self.compiled[name] = ROW[name].step(self.library)
        return self.compiled[name]


def timed(step, number):
    """Seconds that `number` steps take."""
    start = time.perf_counter()
    for _ in itertools.repeat(None, number):
        step()
    return time.perf_counter() - start


def as_float64(value):
    """Return any library's array or scalar as a NumPy array."""
    is_array = isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "block_until_ready")  # the latter is JAX's
    value = value if is_array else getattr(value, "data", value)
    value = value.numpy() if hasattr(value, "numpy") else value  # PyTorch's
    return np.array(value, dtype=np.float64)


class Worker:
    """The other end: a process of its own for one library, which can be asked and ended.

    `folder` is where it is looked for first: an earlier state of ours, for example.
    """

    def __init__(self, library, folder=""):
        self.library = library
        self.folder = folder
        self.process = None

    def ask(self, *question, patience=300):
        """Return the answer; RuntimeError says why there is none."""
        if self.process is None:
            self.start()
        try:
            self.connection.send(question)
            if not self.connection.poll(patience):
                raise EOFError
            status, answer = self.connection.recv()
        except (EOFError, OSError):
            self.end()
            raise RuntimeError(f"no answer within {patience} s, or the process died") from None
        if status == "error":
            raise RuntimeError(answer)
        return answer

    def start(self):
        """Start the process and let it import its library."""
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, self.library, self.folder), daemon=True)
        self.process.start()
        theirs.close()
        self.info = self.ask("prepare")

    def end(self):
        """End the process, if there is one."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
            self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
