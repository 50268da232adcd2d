"""Write the README's table of ratios out of the benchmarks' tables: ``python docs/ratios.py`` after a run with ``--write``."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
MARKS = "<!-- ratios -->\n", "<!-- /ratios -->"
ROWS = {
    "train-xor-adam": "XOR 2-16-1, training step, Adam",
    "train-small": "32-64-64-10, batch 64, training step, Adam",
    "train-mnist": "784-512-256-10, batch 128, training step, Adam",
    "rnn": "tanh RNN, 100 steps",
    "elementwise-1e6-f64": "element-wise chain, 10^6 entries, float64",
    "chain-1e4": "scalar chain of 10^4 pairs of operations",
    "moons": "micrograd's moons, a node a scalar",
    "rosenbrock-hessian": "Hessian of Rosenbrock, n = 100",
    "jacobian": "Jacobian of a 64-64-64 net",
}
COLUMNS = {
    "NumPy out=": "NumPy, `out=`",
    "ours": "ours",
    "ours compiled": "ours, compiled",
    "PyTorch": "PyTorch",
    "torch.compile": "torch.compile",
    "jax.jit": "jax.jit",
    "autograd": "autograd",
    "MyGrad": "MyGrad",
    "micrograd": "micrograd",
}


def measured(text):
    """Return the cells of all tables with ratios by row and column; where two tables have one, the first counts."""
    cells, columns = {}, []
    for line in text.splitlines():
        parts = [part.strip() for part in line.strip("|").split("|")]
        if not line.startswith("|"):
            columns = []
        elif parts[:2] == ["row", "what"]:
            columns = parts
        elif columns:
            for column, cell in zip(columns, parts, strict=False):
                cells.setdefault((parts[0], column), cell)
    return cells


def table(text):
    """Return the README's table and the sentence below it."""
    cells = measured(text)
    columns = [c for c in COLUMNS if any((row, c) in cells for row in ROWS)]
    lines = [
        f"| lower is better | {' | '.join(COLUMNS[c] for c in columns)} |",
        f"|---|{'---:|' * len(columns)}",
        *(f"| {label} | {' | '.join(cells.get((row, c), '–') for c in columns)} |" for row, label in ROWS.items()),
    ]
    date, machine = re.search(r"^(\d{4}-\d\d-\d\d); .*?; (.*?);", text, re.M).groups()
    return "\n".join([*lines, "", f"{date}; {machine}.", ""])


def rewritten(readme, text):
    """Return the README with the table between its marks."""
    start, end = readme.index(MARKS[0]) + len(MARKS[0]), readme.index(MARKS[1])
    return readme[:start] + "\n" + table(text) + "\n" + readme[end:]


if __name__ == "__main__":
    path = ROOT / "README.md"
    found = rewritten(path.read_text(encoding="utf-8"), (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8"))
    path.write_text(found, encoding="utf-8", newline="\n")
