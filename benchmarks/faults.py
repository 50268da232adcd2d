"""Does `ag.gradcheck` name the guilty? `python -m benchmarks.faults` plants 50 faults, and times a long program.

In a random program of 100 operations one more is put at a random place: right forwards, but with a rule that is off in one
entry, by a sign, a factor, a hundredth or a thousandth. Found means: called wrong, that operation named first, and that entry
of its operand. A fault of which next to nothing arrives at the inputs is planted elsewhere. Then a program of 100 operations on 1,000 entries is checked entry by entry, against the clock.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

import autograd_core as ag

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import samples  # noqa: F401
from test_random_programs import BINARY, UNARY

SMOOTH = [name for name in UNARY if name not in ("ravel", "scalar")]
FACTORS = (-1.0, 0.0, 2.0, 1.01, 1.001)


def planted(entry, factor, number):
    """Return an operation whose rule is off in one entry."""

    @ag.primitive
    def suspect(x):
        return np.sin(x) + x

    def rule(g, x):
        here = np.arange(np.size(x)).reshape(np.shape(x)) == entry
        return g * (np.cos(x) + 1) * np.where(here, factor, 1.0)

    ag.rule(suspect, rule, name=f"suspect_{number}")
    return suspect


def program(rng, operations, place, suspect):
    """Return a random program that calls the suspect at a place."""
    names = [rng.choice([*SMOOTH, *BINARY]) for _ in range(operations)]
    numbers = rng.integers(0, 4, (operations, 2))  # of recent values, so that most are used

    def run(x, y):
        values = [x, y]
        for k, (name, (i, j)) in enumerate(zip(names, numbers, strict=True)):
            a, b = values[-1 - i % len(values)], values[j % 2] if k % 3 else values[-1 - j % len(values)]
            values.append(UNARY[name](a) if name in UNARY else BINARY[name](a, b))
            if k == place:
                values[-1] = suspect(values[-1])
        return sum(np.mean(np.sin(v)) for v in values)

    return run


def find(seed):
    """Plant one fault; return whether it was found, and what was said."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0.3, 1, (3, 3)), rng.uniform(-1, 1, (2, 3, 1))
    while True:
        place, shape = int(rng.integers(0, 100)), []
        honest = lambda v, shape=shape: shape.append(np.shape(v)) or np.sin(v) + v
        right = program(np.random.default_rng(seed), 100, place, honest)
        right(x, y)
        entry = int(rng.integers(0, np.prod(shape[0], dtype=int)))
        f = program(np.random.default_rng(seed), 100, place, planted(entry, FACTORS[seed % len(FACTORS)], seed))
        both = zip(ag.grad(f, (0, 1))(x, y), ag.grad(right, (0, 1))(x, y), strict=True)
        if any(np.max(np.abs(a - b) / np.abs(b)) > 1e-5 for a, b in both):
            break
    if not ag.gradcheck(right, x, y, raises=False, full=True):
        return False, f"{seed}: false alarm"
    report = ag.gradcheck(f, x, y, raises=False, full=True)
    index = ", ".join(str(i) for i in np.unravel_index(entry, shape[0]))
    wanted = f"x[{index}]" if shape[0] else "x"
    named = report.blame[0].entry.input if report.blame else None
    found = not report and report.op == f"suspect_{seed}" and named == wanted
    return found, f"{seed}: {report.verdict}, {report.op} {named}, wanted suspect_{seed} {wanted}"


def long_program(x):
    for _ in range(25):
        x = x + 0.1 * np.sin(x)
        x = np.tanh(x)
    return np.sum(x)


def main(argv=None):
    """Run, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=50)
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    outcomes = [find(seed) for seed in range(args.faults)]
    print(f"planted faults named exactly, operation and entry: {sum(ok for ok, _ in outcomes)} of {len(outcomes)}")
    print(*(what for ok, what in outcomes if not ok), sep="\n")
    x = np.random.default_rng(0).uniform(-1, 1, 1000)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        report = ag.gradcheck(long_program, x, full=True)
        times.append(time.perf_counter() - start)
    operations = 25 * 4
    print(
        f"{operations} operations, {report.size:,} entries one by one: {min(times):.2f} s at best of 5, {max(times):.2f} at worst"
    )
    return int(not all(ok for ok, _ in outcomes))


if __name__ == "__main__":
    sys.exit(main())
