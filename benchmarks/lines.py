"""Where the time of a compiled step goes, line by line of its source: `python -m benchmarks.lines row [--top N]`.

The source of a plan is run with a clock between its lines, which costs 0.1 us a line. Of a group the lines of its own
function are shown, those of both cores added up. What the lines call is NumPy's, with few exceptions: only other
functions, or fewer of them, would make the step shorter.
"""

import argparse
import re
import statistics
import time
from collections import defaultdict

from autograd_core.replay import blocks, run
from autograd_core.replay.memory import Layout, Memory
from autograd_core.replay.writer import Writer, compiled
from benchmarks.rows import ROWS

LONG = 2.0  # seconds that a row is looked at
CALLED = re.compile(r"(?:([A-Za-z_]\w*?)_?\d*|\w+\.(\w+))\(")
KEYWORDS = ("if", "try", "except", "raise", "return", "with", "def", "forget")


def clocked(source, names, spent):
    """Return source with a clock after every line; `spent` gets seconds by line."""
    names |= {"now": time.perf_counter, "spent": spent}
    lines = []
    for number, line in enumerate(source.splitlines()):
        indent, text = re.match(r"( *)(.*)", line).groups()
        if text.split("(")[0].split()[0].rstrip(":") in KEYWORDS:
            lines.append(line)
            if text.startswith("def "):
                lines.append("    before = now()")
            continue
        lines += [line, f"{indent}spent[{number}].append(now() - before); before = now()"]
    return "\n".join(lines)


def clocks(row):
    """Return the lines of a row's compiled step, and seconds each of them takes a step."""
    found = []

    def executor(plan):
        writer = Writer(plan, Memory(Layout(plan.program)))
        source, spent = writer.source(blocks.write), defaultdict(list)
        found.append((writer, source.splitlines(), spent))
        return compiled(clocked(source, writer.names, spent), writer.names)

    kept, run.executor = run.executor, executor
    try:
        step = row.step("compiled")
        for _ in range(5):
            step()
        for *_, spent in found:
            spent.clear()
        steps, until = 0, time.perf_counter() + LONG
        while time.perf_counter() < until or steps < 5:
            step()
            steps += 1
    finally:
        run.executor = kept
    rows = []
    for writer, lines, spent in found:
        rows += [(writer, lines[k], statistics.median(s) * len(s) / steps) for k, s in spent.items() if s]
    return rows


def operation(writer, line):
    """Return what a line calls, in a word."""
    text = line.strip()
    if (match := CALLED.search(text)) is None:
        return "other lines"
    name = match[1] or match[2]
    if name in ("f", "c"):  # a function bound by a letter and a number
        bound = writer.names.get(text[match.start() :].split("(")[0])
        bound = getattr(bound, "__wrapped__", bound)
        return getattr(bound, "__name__", type(bound).__name__)
    return name


def main(argv=None):
    """Print the operations of a step, dearest first."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lines", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="+")
    parser.add_argument("--top", type=int, default=12)
    args = parser.parse_args(argv)
    known = {row.name: row for row in ROWS}
    if unknown := [name for name in args.rows if name not in known]:
        parser.error(f"no row is called {unknown[0]}: there are {', '.join(known)}")
    for name in args.rows:
        seconds, lines = defaultdict(float), defaultdict(int)
        for writer, line, each in clocks(known[name]):
            if "parts = " not in line:  # a group: its own lines are there
                seconds[operation(writer, line)] += each
                lines[operation(writer, line)] += 1
        if not (total := sum(seconds.values())):
            print(f"{name}: no lines, it is a graph of scalars")
            continue
        print(f"{name}: {1e6 * total:,.0f} us in {sum(lines.values())} lines")
        for what in sorted(seconds, key=seconds.get, reverse=True)[: args.top]:
            print(
                f"  {what:24}{lines[what]:4} lines{1e6 * seconds[what]:12,.1f} us{100 * seconds[what] / total:6.1f} %"
            )


if __name__ == "__main__":
    main()
