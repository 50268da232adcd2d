"""What recording and planning cost, in eager steps of the same program: `python -m benchmarks.recording [row ...]`.

The first three calls of a compiled step (recorded; planned; the check of arguments written) less three replays, divided by
the median of an eager step. Each program is built and compiled afresh several times in one process; the table shows the
median, and the very first time, which also loads what had not been loaded yet.
"""

import argparse
import gc
import statistics
import time

from benchmarks.rows import ROWS

PROGRAMS = (
    "train-xor-sgd train-xor-adam train-small train-mnist train-conv train-rnn train-embedding xor readme chain-1e3 "
    "chain-1e4 moons fan-in elementwise-1e4-f32"
).split()


def main(argv=None):
    """Print a line for each program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", default=PROGRAMS)
    parser.add_argument("--builds", type=int, default=7)
    args = parser.parse_args(argv)
    known = {row.name: row for row in ROWS}
    if unknown := [name for name in args.rows if name not in known]:
        parser.error(f"no row is called {unknown[0]}: there are {', '.join(known)}")
    print(f"{'':18}{'eager step':>12}{'replay':>12}{'recording':>12}{'in steps':>10}{'the first':>10}")
    for name in args.rows:
        eager, replay, costs = measured(known[name], args.builds)
        cost = statistics.median(costs)
        times = "".join(f"{1e6 * t:9,.0f} us" for t in (eager, replay, cost))
        print(f"{name:18}{times}{cost / eager:10.1f}{costs[0] / eager:10.1f}", flush=True)


def measured(row, builds):
    """Return the seconds of an eager step, of a replay, and of recording, for each build."""
    costs, eager, replays = [], [], []
    for _ in range(builds):
        plain, compiled = row.step("ours"), row.step("compiled")
        gc.collect()
        first = sum(seconds(compiled) for _ in range(3))
        eager.append(typical(plain))
        replays.append(typical(compiled))
        costs.append(first - 3 * replays[-1])
        if first > 20:
            break
    return statistics.median(eager), statistics.median(replays), costs


def typical(step):
    """Return the median time of a step, over a tenth of a second."""
    found = [seconds(step), seconds(step)]
    until = time.perf_counter() + 0.1
    while time.perf_counter() < until:
        found.append(seconds(step))
    return statistics.median(found[1:])


def seconds(step):
    """Time one step."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
