"""``python -m nn demo [--report report.html]``: the whole story in a minute. Exits with 0 if all went as it should."""

from __future__ import annotations

import argparse
import html
import importlib.util
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import numpy as np

from . import figures, page, proof, tasks

NEEDED = {"matplotlib": "matplotlib", "scikit-learn": "sklearn"}


def main(argv: Sequence[str] | None = None) -> int:
    """Train, check, compile, draw, write the page; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m nn demo", description="Train two networks and report on them.")
    parser.add_argument("--report", default="report.html", help="where to write the page (default: report.html)")
    parser.add_argument("--quick", action="store_true", help="train for a few epochs only, check some entries only")
    args = parser.parse_args(argv)
    if missing := [name for name, module in NEEDED.items() if not importlib.util.find_spec(module)]:
        print(
            f"the report needs {' and '.join(missing)}: pip install 'autograd-core[nn,plots]', or in a clone "
            "pip install -e '.[nn,plots]'",
            file=sys.stderr,
        )
        return 2

    trained = []
    for train in (tasks.moons, tasks.digits):
        task = train(epochs=8 if args.quick else None)
        trained.append(task)
        print(f"{task.title}: {task.accuracy:.1%} of {len(task.held_out[1])} held-out points are right")
    moons, digits = trained

    report = proof.check_gradient(moons, full=not args.quick)
    print(f"Gradients of all {moons.model.num_parameters()} parameters: {'right' if report else 'WRONG'}")
    eager, compiled = proof.compare_speed(digits)
    print(f"A training step on digits: {eager:.0f} us, compiled {compiled:.0f} us")
    picture = proof.draw_graph(moons)
    if picture.engine is None:
        print("No Graphviz: the report shows the graph as text, and says how to get the picture")

    sections = [
        *(_training(task) for task in trained),
        _checking(report),
        page.Section(
            "Compiled training",
            "ag.compile records a training step once, plans it, and replays it: nothing is recorded again.",
            [
                ("as it is", f"{eager:,.0f} µs a step"),
                ("compiled", f"{compiled:,.0f} µs a step"),
                ("gain", f"{eager / compiled:.1f} times"),
            ],
        ),
        page.Section(
            "The graph",
            "The loss of four points: what was computed, and how its gradient came back."
            + (" Step through both with the buttons or the arrow keys." if picture.engine else ""),
            parts=[picture._repr_mimebundle_()["text/html"]],
        ),
    ]
    lead = f"autograd-core {version()} on NumPy {np.__version__}: two networks, trained, checked, compiled and drawn."
    where = page.write(args.report, "autograd-core, a report", lead, sections)
    print(f"The report: {where}")
    return 0 if report and all(t.accuracy >= t.wanted for t in trained) else 1


def version() -> str:
    """Return the version of what is installed."""
    try:
        return metadata.version("autograd-core")
    except metadata.PackageNotFoundError:
        return "(a checkout, not installed)"


def _training(task: tasks.Task) -> page.Section:
    parts = [figures.learning_curves(task)]
    parts += [figures.decision_boundary(task)] if task.held_out[0].shape[1] == 2 else [figures.mistakes(task)]
    return page.Section(
        task.title,
        task.history.stopped.capitalize(),
        [
            ("held-out accuracy", f"{task.accuracy:.1%}"),
            ("parameters", f"{task.model.num_parameters():,}"),
            ("epochs", str(len(task.history))),
        ],
        [f"<pre>{html.escape(str(task.model))}</pre>", *parts],
    )


def _checking(report: Any) -> page.Section:
    verdict = '<p class="good">Every gradient is right.</p>' if report else '<p class="bad">A gradient is wrong.</p>'
    return page.Section(
        "Is the gradient right?",
        "ag.gradcheck moves every parameter of the first network a little, and compares how the loss changes "
        "with what the gradient says.",
        parts=[verdict, f"<pre>{html.escape(str(report))}</pre>"],
    )
