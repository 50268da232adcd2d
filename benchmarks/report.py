"""What was measured, as tables: text for a terminal, Markdown for the README, JSON for programs."""

import datetime
import itertools
import os
import platform
from dataclasses import dataclass, field

import numpy as np

from benchmarks.libraries import COMPILED, LIBRARIES
from benchmarks.measure import minima, paired
from benchmarks.rows.base import WITHOUT

STATS = {"median": [paired], "min": [minima], "both": [paired, minima]}
MARKERS = "<!-- table -->", "<!-- /table -->"
NOTHING = "–"


@dataclass
class Table:
    """A title, a row of headings, rows of strings, and a line or two below."""

    title: str
    headings: list
    rows: list = field(default_factory=list)
    note: str = ""

    def text(self):
        """Columns of equal width, numbers to the right."""
        lines = [self.headings, *self.rows]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.headings))]
        place = [str.ljust if heading in ("row", "what") else str.rjust for heading in self.headings]
        padded = ["  ".join(put(*pair) for put, *pair in zip(place, line, widths, strict=True)) for line in lines]
        return "\n".join([self.title, "", *(line.rstrip() for line in padded), *self.below()])

    def markdown(self):
        """A table as GitHub draws it."""
        rule = ["---" if heading in ("row", "what") else "---:" for heading in self.headings]
        lines = ["| " + " | ".join(line) + " |" for line in (self.headings, rule, *self.rows)]
        return "\n".join([f"**{self.title}**", "", *lines, *self.below()])

    def below(self):
        """Lines to stand under the table."""
        return ["", self.note] if self.note else []


def environment(workers):
    """Return where and with what this was measured; nothing that names the machine."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    settings = {k: v for k, v in os.environ.items() if k.endswith("_NUM_THREADS")}
    return {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {usable} cores, {vector_units()}",
        "threads": ", ".join(f"{k}={v}" for k, v in settings.items()) or "as each library chooses",
        "versions": {name: worker.info["version"] for name, worker in workers.items()},
        "torch threads": next((worker.info["threads"] for worker in workers.values() if worker.info["threads"]), None),
    }


def vector_units():
    """Return the widest vector unit that NumPy sees."""
    try:
        from numpy._core._multiarray_umath import __cpu_features__ as features
    except ImportError:
        return "vector units unknown"
    known = [("X86_V4", "AVX-512"), ("AVX512F", "AVX-512"), ("AVX2", "AVX2"), ("ASIMD", "NEON")]
    return next((name for feature, name in known if features.get(feature)), "no wide vectors")


def environment_lines(env):
    """Say the environment in words."""
    versions = ", ".join(f"{LIBRARIES[name].heading} {v}" for name, v in named(env["versions"]).items())
    torch = f" (PyTorch: {env['torch threads']})" if env["torch threads"] else ""
    return [f"{env['date']}; Python {env['python']}; {env['system']}; threads {env['threads']}{torch}.", f"{versions}."]


def named(versions):
    """Drop the second and third way of using one library."""
    modules = {}
    for name in versions:
        modules.setdefault(LIBRARIES[name].module, name)
    return {name: versions[name] for name in modules.values()}


def main_tables(rows, cells, libraries, stat):
    """Ratios to hand-written NumPy: of libraries that run operation by operation, of compiled steps; how long compiling took."""
    eager = [name for name in libraries if name not in COMPILED and name != "numpy"]
    compiled = [name for name in libraries if name in COMPILED]
    tables = []
    if eager or not compiled:
        tables.append(
            ratios_table(
                "Time of a step, relative to NumPy written by hand (lower is better)", rows, cells, eager, stat
            )
        )
    if compiled:
        title = "Compiled steps, relative to NumPy written by hand (lower is better)"
        tables.append(ratios_table(title, rows, cells, compiled, stat, [name for name in eager if name != "ours"]))
    if waiting := [name for name in compiled if name != "out"]:
        tables.append(waits_table(rows, cells, waiting))
    return tables


def ratios_table(title, rows, cells, libraries, stat, rivals=()):
    """A column for each library, and one for the best of the rivals, if there are any."""
    headings = [*(LIBRARIES[name].heading for name in libraries), *(["best not compiled"] if rivals else [])]
    table = Table(title, ["row", "what", "dtype", "NumPy, us", *headings])
    for row in rows:
        base, found = cells[row.name]["numpy"], cells[row.name]
        absolute = "FAIL" if base.failure else microseconds(base)
        ratios = [ratio(found.get(name), base, stat) for name in libraries]
        best = [winner(found, base, rivals)] if rivals else []
        table.rows.append([row.name, row.title, f"f{8 * np.dtype(row.dtype).itemsize}", absolute, *ratios, *best])
    words = {
        "median": "median over the rounds of the ratio within a round",
        "min": "ratio of the best times of all rounds",
        "both": "median over the rounds of the ratio within a round / ratio of the best times of all rounds",
    }
    sentences = [f"Ratio: {words[stat]}. NumPy: best of all rounds. {NOTHING}: left out."]
    table.note = " ".join([*sentences, *reasons(rows, cells, libraries)])
    return table


def reasons(rows, cells, libraries):
    """Say for each reason who has no number, and where, if not wherever one would expect it; then what failed."""
    who, where = {}, {}
    for row, name in itertools.product(rows, libraries):
        if name not in cells[row.name]:
            reason = row.absence(name) or "left out of quick runs"
            names = where.setdefault((LIBRARIES[name].heading, reason), [])
            names.append(row.name)
    for (heading, reason), names in where.items():
        suffix = "" if reason in WITHOUT.values() else f" ({', '.join(names)})"
        who.setdefault(reason + suffix, []).append(heading)
    found = [(row.name, name, cells[row.name].get(name)) for row in rows for name in libraries]
    failures = [failed(row, name, cell.failure) for row, name, cell in found if cell and cell.failure]
    return [*(f"{', '.join(headings)}: {reason}." for reason, headings in who.items()), *failures]


def failed(row, library, failure):
    """Say what went wrong, in a line."""
    return f"FAIL {row}, {LIBRARIES[library].heading}: {first_line(failure)}"


def first_line(message):
    """Drop the traceback."""
    return str(message).strip().splitlines()[0]


def winner(found, base, rivals):
    """The least ratio among some libraries, and whose it is."""
    good = [name for name in rivals if name in found and found[name].times and not found[name].failure]
    if not good or base.failure:
        return NOTHING
    best = min(good, key=lambda name: paired(found[name], base) or float("inf"))
    return f"{number(paired(found[best], base))} {LIBRARIES[best].heading}"


def waits_table(rows, cells, libraries):
    """Seconds that the first steps took longer than later ones."""
    table = Table("Compilation, seconds", ["row", *(LIBRARIES[name].heading for name in libraries)])
    for row in rows:
        found = [cells[row.name].get(name) for name in libraries]
        if any(found):
            table.rows.append([row.name, *(NOTHING if not c or c.failure else f"{c.wait:.3f}" for c in found)])
    table.note = "Measured once, not repeated. torch.compile finds in a cache on disk what it has compiled before."
    return table


def ratio(cell, base, stat):
    """One entry of the main table."""
    if cell is None:
        return NOTHING
    if cell.failure or base.failure:
        return "FAIL"
    return " / ".join(number(statistic(cell, base)) for statistic in STATS[stat])


def microseconds(cell):
    """The best of all rounds."""
    us = 1e6 * min(cell.times.values())
    return f"{us:.1f}" if us < 100 else f"{us:,.0f}"


def number(x):
    """Three digits, as far as they go."""
    if x is None:
        return NOTHING
    return f"{x:.2f}" if x < 10 else f"{x:.1f}" if x < 100 else f"{x:,.0f}"


def operations_table(rows, cells, libraries):
    """Microseconds an operation of the scalar chains, and how they grow with its length."""
    chains = [row for row in rows if row.operations]
    table = Table(
        "Scalar chain: microseconds an operation, forward and backward (best of all rounds)",
        ["row", *(LIBRARIES[name].heading for name in libraries)],
    )
    for row in chains:
        found = [cells[row.name].get(name) for name in libraries]
        times = [min(c.times.values()) if c and c.times and not c.failure else None for c in found]
        table.rows.append([row.name, *(NOTHING if t is None else f"{1e6 * t / row.operations:.3f}" for t in times)])
    if len(chains) > 1:
        short, long = chains[0], chains[-1]
        growth = []
        for name in libraries:
            few, many = cells[short.name].get(name), cells[long.name].get(name)
            known = few and many and not few.failure and not many.failure
            r = paired(many, few) if known else None
            growth.append(NOTHING if r is None else number(r * short.operations / long.operations))
        table.rows.append([f"{long.name} / {short.name}", *growth])
    return table


def kept_table(answers):
    """Bytes kept for the backward pass."""
    table = Table(
        "Kept for the backward pass, 784-512-256-10, batch 128, float32 (parameters and input not counted)",
        ["row", *(LIBRARIES[name].heading for name in answers)],
    )
    table.rows.append(["KiB", *(amount(answer, 1024) for answer in answers.values())])
    return table


def nodes_table(answers):
    """Bytes a node of the long chain."""
    table = Table(
        "Bytes a node of a scalar chain of 10^5 pairs (peak growth of a step / 2 x 10^5)",
        ["row", *(LIBRARIES[name].heading for name in answers)],
    )
    for key, title in [("tracemalloc", "Python and NumPy allocations"), ("resident", "resident memory")]:
        entries = [answer if isinstance(answer, str) else answer.get(key) for answer in answers.values()]
        table.rows.append([title, *(amount(entry, 1) for entry in entries)])
    return table


def amount(answer, unit):
    """A number of bytes, FAIL or nothing."""
    if isinstance(answer, str):
        return "FAIL"
    return NOTHING if answer is None else f"{answer / unit:,.0f}"


def imports_table(seconds):
    """Import times relative to NumPy's."""
    table = Table(
        "Import time relative to `import numpy` (fresh processes, bare Python subtracted)",
        ["row", *(LIBRARIES[name].heading for name in seconds)],
    )
    table.rows.append(["ratio", *(number(s / seconds["numpy"]) for s in seconds.values())])
    table.note = f"`import numpy`: {1e3 * seconds['numpy']:.0f} ms."
    return table


def write_readme(path, lines, tables, markers=MARKERS):
    """Put lines and tables between two of the README's markers."""
    text = path.read_text(encoding="utf-8")
    start, end = markers
    before, after = text[: text.index(start) + len(start)], text[text.index(end) :]
    body = "\n\n".join([*(["\n".join(lines)] if lines else []), *(table.markdown() for table in tables)])
    path.write_text(f"{before}\n\n{body}\n\n{after}", encoding="utf-8", newline="\n")
