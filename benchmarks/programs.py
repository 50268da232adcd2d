"""False alarms of `ag.gradcheck` on random programs: `python -m benchmarks.programs` checks 10,000 of them.

The programs are right by construction: NumPy over smooth and singular operations, values used many times, inputs away
from kinks and poles. Whatever is called wrong is a false alarm, or a bug in a rule; it is printed as a program to run.
"""

import argparse
import collections
import re
import sys
import time
import warnings

import numpy as np

import autograd_core as ag
from autograd_core.checking.strategies import program_of


def main(argv=None):
    """Check, print, and return the exit status: 1 if anything was called wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.programs", description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=8, help="statements in a program, at most")
    parser.add_argument("--order", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument("--show", type=int, default=10, help="alarms to print in full")
    args = parser.parse_args(argv)
    verdicts, entries, used = collections.Counter(), collections.Counter(), collections.Counter()
    alarms, start = [], time.perf_counter()
    for k in range(args.first, args.first + args.programs):
        program = program_of(np.random.default_rng(k), args.size)
        used.update(set(re.findall(r"np\.(?:linalg\.)?\w+|\*\*|@|/|\[", program.source)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = ag.gradcheck(program, *program.inputs, order=args.order, seed=k, raises=False)
        verdicts[report.verdict] += 1
        entries.update(report.counts)
        if not report:
            alarms.append(k)
            if len(alarms) <= args.show:
                print(f"--- program {k}\n{program!r}\n{report}\n", flush=True)
    seconds = time.perf_counter() - start
    total = sum(entries.values())
    print(f"{args.programs:,} programs of at most {args.size} statements, order {args.order}: {seconds:.0f} s")
    print(f"{total:,} derivatives: " + ", ".join(f"{n:,} {v}" for v, n in entries.most_common()))
    print("programs: " + ", ".join(f"{n:,} {v}" for v, n in verdicts.most_common()))
    print(f"{len(used)} kinds of operations in use, the rarest in {min(used.values())} programs")
    print(f"false alarms: {len(alarms)}" + (f" (programs {alarms[:20]})" if alarms else ""))
    return int(bool(alarms))


if __name__ == "__main__":
    sys.exit(main())
