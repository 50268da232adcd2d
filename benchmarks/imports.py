"""Import time: fresh processes, bare Python subtracted, relative to `import numpy`."""

import os
import random
import subprocess
import sys
import time


def import_times(modules, rounds):
    """Best seconds of `import module` over the rounds, bare Python's start subtracted."""
    programs = {None: "pass"} | {module: f"import {module}" for module in modules}
    best = dict.fromkeys(programs, float("inf"))
    for program in programs.values():
        start(program)  # byte-compile, and warm the disk cache
    for _ in range(rounds):
        for module in random.sample(list(programs), len(programs)):
            best[module] = min(best[module], start(programs[module]))
    bare = best.pop(None)
    return {module: max(seconds - bare, 0.0) for module, seconds in best.items()}


def start(program):
    """Seconds from starting Python to its end."""
    begin = time.perf_counter()
    cached = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # as users have it
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL, env=cached)
    return time.perf_counter() - begin
