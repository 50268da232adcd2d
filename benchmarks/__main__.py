"""The command line: `python -m benchmarks --help`."""

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks import report
from benchmarks.against import OURS, compare
from benchmarks.imports import import_times
from benchmarks.libraries import COMPILED, DEFAULT, LIBRARIES
from benchmarks.measure import Plan, measure, say
from benchmarks.rows import ROWS
from benchmarks.worker import Worker

README = Path(__file__).with_name("README.md")
EXTRAS = {
    "kept-bytes": "bytes kept for the backward pass of the MNIST-sized network",
    "node-bytes": "bytes a node of the long scalar chain",
    "import": "import time relative to NumPy's",
}


def main(argv=None):
    """Run, print, and return the exit status: 1 if anything disagreed or broke."""
    args = arguments(argv)
    if args.list:
        for name, title in [*((row.name, row.title) for row in ROWS), *EXTRAS.items()]:
            print(f"{name:22}{title}")
        return 0
    rows = [row for row in ROWS if chosen(row.name, args.rows)]
    if args.against:
        table, failures = compare(args.against, rows, OURS if args.libs == DEFAULT else args.libs, args.plan)
        print(table.markdown() if args.markdown else table.text())
        print("\n".join(failures), end="", file=sys.stderr)
        return 1 if failures else 0
    extras = [name for name in EXTRAS if chosen(name, args.rows)]
    with ExitStack() as stack:
        workers = start_workers(args.libs, stack)
        env = report.environment(workers)
        cells = measure(rows, workers, args.plan) if rows else {}
    answers = {name: ask_extra(name, list(workers), args.quick) for name in extras}

    tables = make_tables(rows, cells, answers, list(workers), args.stat)
    lines = report.environment_lines(env)
    print("\n".join(lines))
    for table in tables:
        print("\n" + (table.markdown() if args.markdown else table.text()))
    if args.write:
        report.write_readme(README, lines, tables)
    if args.json:
        write_json(args.json, env, rows, cells, answers)
    return complain(cells, answers)


def arguments(argv):
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios to NumPy written by hand.")
    parser.add_argument("--rows", type=words, help="comma-separated beginnings of rows' names: xor,chain")
    parser.add_argument(
        "--libs",
        type=words,
        default=DEFAULT,
        help=f"of {','.join(LIBRARIES)}, or all; default: those that compile nothing",
    )
    parser.add_argument("--rounds", type=int, help="default: 7, or 3 with --quick")
    parser.add_argument("--against", metavar="REV", help="compare ours with its state at a revision of Git's")
    parser.add_argument("--quick", action="store_true", help="short turns, and slow libraries left out of slow rows")
    parser.add_argument("--stat", choices=report.STATS, default="median", help="of the paired ratios; default: median")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every time measured")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    parser.add_argument("--list", action="store_true", help="list the rows and do nothing")
    args = parser.parse_args(argv)
    args.libs = list(LIBRARIES) if args.libs == ["all"] else args.libs
    if unknown := [name for name in args.libs if name not in LIBRARIES]:
        parser.error(f"unknown library {unknown[0]!r}; known are {', '.join(LIBRARIES)}")
    names = [*(row.name for row in ROWS), *EXTRAS]
    if unknown := [start for start in args.rows or [] if not any(name.startswith(start) for name in names)]:
        parser.error(f"no row begins with {unknown[0]!r}; --list shows them")
    if args.write and args.rows:
        parser.error("--write needs every row; leave out --rows")
    rounds = args.rounds or (3 if args.quick else 7)
    args.plan = Plan(rounds, 0.06, 3.0, quick=True) if args.quick else Plan(rounds, 0.2, 20.0)
    return args


def words(text):
    """Split at commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def chosen(name, starts):
    """Whether --rows means this one."""
    return starts is None or any(name.startswith(start) for start in starts)


def start_workers(libraries, stack):
    """Start a process for each library that is there, NumPy first; a sentence about each that is not."""
    workers = {}
    for name in sorted({"numpy", *libraries}, key=list(LIBRARIES).index):
        library = LIBRARIES[name]
        if not library.installed():
            print(f"{library.heading} is left out: there is no module {library.module!r}.", file=sys.stderr)
            continue
        say(f"starting {library.heading}")
        worker = stack.enter_context(Worker(name))
        try:
            worker.start()
        except RuntimeError as error:
            print(f"{library.heading} is left out: {report.first_line(error)}.", file=sys.stderr)
            continue
        workers[name] = worker
    return workers


def ask_extra(name, libraries, quick):
    """One of the small tables' numbers: `{library: answer}`, an answer that begins with an error's name if it failed."""
    say(f"measuring {name}")
    libraries = [library for library in libraries if library not in COMPILED]
    if name == "import":
        seconds = import_times([LIBRARIES[library].module for library in libraries], 3 if quick else 10)
        say("")
        return {library: seconds[LIBRARIES[library].module] for library in libraries}
    answers = {}
    for library in libraries:
        with Worker(library) as worker:  # a fresh process
            try:
                answers[library] = worker.ask({"kept-bytes": "kept", "node-bytes": "nodes"}[name])
            except RuntimeError as error:
                answers[library] = str(error)
    say("")
    return {library: answer for library, answer in answers.items() if answer is not None}


def make_tables(rows, cells, answers, libraries, stat):
    """Every table there is something to put in."""
    tables = report.main_tables(rows, cells, libraries, stat) if rows else []
    if any(row.operations for row in rows):
        tables.append(report.operations_table(rows, cells, libraries))
    makers = {"kept-bytes": report.kept_table, "node-bytes": report.nodes_table, "import": report.imports_table}
    return tables + [makers[name](answer) for name, answer in answers.items() if answer]


def write_json(path, env, rows, cells, answers):
    """Everything, for programs."""
    by_row = {}
    for row in rows:
        by_library = {
            name: {"times": c.times, "compilation": c.wait if name in COMPILED else None, "failure": c.failure}
            for name, c in cells[row.name].items()
        }
        by_row[row.name] = {"title": row.title, "dtype": str(row.dtype.__name__), "libraries": by_library}
    content = {"environment": env, "rows": by_row, "extras": answers}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def complain(cells, answers):
    """Name every failure on standard error; the exit status."""
    failures = [(row, lib, cell.failure) for row, libs in cells.items() for lib, cell in libs.items() if cell.failure]
    failures += [(n, lib, a) for n, answer in answers.items() for lib, a in answer.items() if isinstance(a, str)]
    for row, library, failure in failures:
        print(report.failed(row, library, failure), file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
