"""The pytest plugin: a fixture `gradcheck`, options for it, and a line in the summary.

Installed as a module of its own, `pytest_autograd_core`, so that starting pytest imports neither NumPy nor
autograd_core, which are imported by the first test that asks for the fixture. Hence this file imports nothing of ours.
"""

from __future__ import annotations

import json
import types
from typing import Any


def pytest_addoption(parser: Any) -> None:
    """Add the options of `gradcheck`."""
    group = parser.getgroup("gradcheck", "checking of gradients (autograd-core)")
    group.addoption(
        "--gradcheck",
        choices=["auto", "fast", "full"],
        default="auto",
        help="every entry of a gradient (full), random combinations of them (fast), or by size (auto)",
    )
    group.addoption("--gradcheck-seed", type=int, default=0, metavar="N", help="seed of the random directions")
    group.addoption("--gradcheck-report", metavar="FILE", help="write all reports to a JSON file")


def pytest_configure(config: Any) -> None:
    """Bring in the fixture."""
    if not config.pluginmanager.has_plugin("autograd_core_gradcheck"):
        config.pluginmanager.register(_plugin(config), "autograd_core_gradcheck")


class Checker:
    """What the fixture `gradcheck` gives: `autograd_core.gradcheck`, with the options of the command line.

    A test fails, too, if more than a fifth of the derivatives it looked at could not be judged: passing says little.
    """

    def __init__(self, config: Any) -> None:
        self.full = {"auto": None, "fast": False, "full": True}[config.getoption("--gradcheck")]
        self.seed = config.getoption("--gradcheck-seed")
        self.reports: list[dict[str, Any]] = []  # of the test that is running

    def __call__(self, f: Any, *args: Any, **options: Any) -> Any:
        """Check the gradient of `f`; see `autograd_core.gradcheck` for the options."""
        __tracebackhide__ = True
        import warnings

        from autograd_core.checking import GradientError, InconclusiveWarning, gradcheck

        options = {"full": self.full, "seed": self.seed} | options
        error = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InconclusiveWarning)  # `judge` decides whether too much is unjudged
            try:
                report = gradcheck(f, *args, **options)
            except GradientError as found:
                error, report = found, found.report
        self.reports.append(json.loads(json.dumps(report.to_dict(), default=str)))
        if error is not None:
            raise error.with_traceback(None) from None
        return report

    def judge(self) -> None:
        """Fail a test that has passed without having seen enough."""
        __tracebackhide__ = True
        counts = _total(self.reports)
        total, unseen = sum(counts.values()), counts.get("inconclusive", 0)
        if unseen > total / 5:
            raise AssertionError(
                f"gradcheck could judge too little to pass: {unseen:,} of {total:,} derivatives were inconclusive "
                f"({100 * unseen / total:.0f} %, allowed are 20 %); check at values of moderate size, away from jumps"
            )


def _total(reports: list[dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for report in reports:
        for verdict, n in report["counts"].items():
            counts[verdict] = counts.get(verdict, 0) + n
    return counts


def _plugin(config: Any) -> types.ModuleType:
    """Return the fixture and its hooks as a module: of an object's methods pytest makes no fixture for a session."""
    import pytest

    checker = Checker(config)
    kept: list[dict[str, Any]] = []

    @pytest.fixture(scope="session")  # with a shorter scope Hypothesis would refuse it
    def gradcheck() -> Any:
        """Check a gradient: ``gradcheck(f, *args, ...)``, as `autograd_core.gradcheck`; fails with its report."""
        return checker

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call() -> Any:
        checker.reports = []
        result = yield
        checker.judge()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item: Any, call: Any) -> Any:
        report = yield
        if call.when == "call" and checker.reports:  # as an attribute it travels from pytest-xdist's workers, too
            report.gradcheck = [{"test": item.nodeid, **r} for r in checker.reports]
            checker.reports = []
        return report

    def pytest_runtest_logreport(report: Any) -> None:
        kept.extend(getattr(report, "gradcheck", ()))

    def pytest_terminal_summary(terminalreporter: Any) -> None:
        path = config.getoption("--gradcheck-report")
        if path:
            with open(path, "w", encoding="utf-8") as file:
                json.dump(kept, file, indent=1)
        if kept:
            parts = ", ".join(f"{n:,} {verdict}" for verdict, n in sorted(_total(kept).items(), key=lambda c: -c[1]))
            terminalreporter.write_line(f"gradcheck: {len(kept):,} gradients, derivatives: {parts or 'none'}")

    plugin = types.ModuleType("autograd_core_gradcheck")
    hooks = (pytest_pyfunc_call, pytest_runtest_makereport, pytest_runtest_logreport, pytest_terminal_summary)
    vars(plugin).update({f.__name__: f for f in hooks}, gradcheck=gradcheck)
    return plugin
