"""What a check has found, in a form for people and in one for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

SHOWN = 10  # entries in a table
FAILURES = ("nondeterministic", "structure", "wrong", "nonfinite", "approximate", "triangle")
VERDICTS = (*FAILURES, "inconclusive", "kink", "ok")  # worst first


class GradientError(AssertionError):
    """A gradient is wrong, or cannot be one; `report` says which, where and by how much."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


class InconclusiveWarning(UserWarning):
    """A gradient was not found wrong, but some of its entries could not be judged."""


@dataclass
class Entry:
    """One derivative: of one result (or a combination) by one entry of an input (or in a direction of many).

    `expected` comes from differences, `error` is their own estimate of how far off they may be; `sides` are the limits
    from the left and from the right where they differ.
    """

    verdict: str
    output: str
    input: str
    at: float | None
    got: float
    expected: float
    error: float
    sides: tuple[float, float] | None = None
    mode: str = "reverse"
    row: int | None = None
    column: int | None = None
    combination: int = 0  # which combination of results
    tied: bool = False  # entries that tie, moved together

    @property
    def ratio(self) -> float:
        """What was got, divided by what was expected."""
        return self.got / self.expected if self.expected else math.nan

    def known(self) -> bool:
        """Say whether differences tell at least the size of the derivative."""
        return math.isfinite(self.expected) and not self.error > 0.1 * (
            max(abs(self.expected), abs(self.got)) if math.isfinite(self.got) else abs(self.expected)
        )

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        if self.sides is not None:
            low, high = sorted(self.sides)
            expected = f"between {_number(low)} and {_number(high)}"
        else:
            expected = _with_error(self.expected, self.error) if self.known() else "unknown"
        what = f"d {self.output} / d {self.input}"
        return (
            what,
            "" if self.at is None else f"{_number(self.at)}",
            _number(self.got),
            expected,
            f"{self.ratio:.6g}" if self.sides is None and self.known() and math.isfinite(self.ratio) else "",
            self.verdict,
        )


@dataclass
class Blame:
    """A recorded operation whose own rule is wrong at the values it was given."""

    op: str
    position: int  # among the recorded operations, from 1
    total: int
    line: str | None
    operand: str
    entry: Entry
    source: str = ""
    difference: str = ""  # in place of a derivative

    def __str__(self) -> str:
        where = f", called at {self.line}" if self.line else ""
        e = self.entry
        _, at, got, expected, _, _ = e.cells()
        verb = "is wrong" if e.verdict == "wrong" or e.known() else "has no finite answer"
        rule = f"its {e.mode} rule for {self.operand} {verb}"
        return (
            f"{self.op}, operation {self.position} of {self.total}{where}: {rule}; "
            f"d {e.output} / d {e.input}{' at ' + at if at else ''} is {got}, expected {expected}"
        )


@dataclass
class Report:
    """The outcome of `gradcheck`. `verdict` is the worst of all; ``bool(report)`` says whether nothing is wrong."""

    name: str
    verdict: str = "ok"
    message: str = ""
    entries: list[Entry] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    blame: list[Blame] = field(default_factory=list)
    cause: str = ""
    full: bool = True
    order: int = 1
    modes: tuple[str, ...] = ("reverse",)
    inputs: tuple[str, ...] = ()
    size: int = 0
    projections: int = 0
    rtol: float = 1e-6
    evaluations: int = 0
    accuracy: float | None = None  # of a derivative that is right to some digits only
    seed: int = 0
    detached: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.verdict not in FAILURES

    @property
    def ok(self) -> bool:
        """Is nothing wrong? Kinks are not wrong, and what could not be judged has not been found wrong."""
        return bool(self)

    @property
    def op(self) -> str | None:
        """The name of the first operation whose rule is wrong."""
        return self.blame[0].op if self.blame else None

    @property
    def line(self) -> str | None:
        """The source line where that operation was called."""
        return self.blame[0].line if self.blame else None

    @property
    def wrong(self) -> list[Entry]:
        """The entries that are wrong."""
        return [e for e in self.entries if e.verdict in FAILURES]

    def judged(self) -> float:
        """Return the share of the derivatives looked at that could be judged."""
        total = sum(self.counts.values())
        return 1.0 - self.counts.get("inconclusive", 0) / total if total else 1.0

    def settle(self) -> Report:
        """Make the verdict the worst of the entries."""
        found = {e.verdict for e in self.entries} | {self.verdict}
        self.verdict = next(v for v in VERDICTS if v in found)
        order = {v: k for k, v in enumerate(VERDICTS)}
        self.entries.sort(key=lambda e: order[e.verdict])  # stable: the worst of a kind came first
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python objects, for JSON."""
        return asdict(self)

    def guarantee(self) -> str:
        """Say what a check by projections would have missed."""
        k, seen = self.projections, 0.1 * self.rtol
        chances = [f"{_chance(n, k)} if it makes {_number(n * seen)} of the whole" for n in (100, 10000)]
        return f"{k} random projections miss what is wrong with an entry with probability at most {', '.join(chances)}"

    def __str__(self) -> str:
        head = f"gradcheck of {self.name}: {self._verdict()}"
        lines = [head + self._summary()]
        if self.message:
            lines.append(f"  {self.message}")
        shown = [e for e in self.entries if self or e.verdict in FAILURES]
        if shown:
            lines += ["  " + row for row in _table(shown[:SHOWN])]
            if len(shown) > SHOWN:
                lines.append(f"  ... and more: {len(shown) - SHOWN} like these were looked at")
        lines += [f"  first wrong operation: {self.blame[0]}"] if self.blame else []
        lines += [f"  likely cause: {self.cause}"] if self.cause else []
        return "\n".join(lines)

    __repr__ = __str__

    def _verdict(self) -> str:
        if self.verdict == "approximate":
            return f"approximate ({brief_power(self.accuracy or 0.0)})"
        if self.verdict == "triangle":
            return "one triangle only"
        return self.verdict if self else self.verdict.upper()

    def _summary(self) -> str:
        if not self.counts:
            return ""
        parts = ", ".join(f"{self.counts[v]:,} {v}" for v in reversed(VERDICTS) if self.counts.get(v))
        how = f"{self.size:,} entries" if self.full else f"{self.projections} projections of {self.size:,} entries"
        more = f", order {self.order}" if self.order > 1 else ""
        return f" ({parts}; {how} of {', '.join(self.inputs[:4])}{', ...' if len(self.inputs) > 4 else ''}{more})"


def brief_power(x: float) -> str:
    """Return the power of ten that is not less than a number.

    Examples
    --------
    >>> brief_power(4e-6)
    '1e-5'
    """
    return f"1e{math.ceil(math.log10(x))}" if x else "0"


def _chance(ratio: float, k: int) -> str:
    return f"{min(1.0, (2 / math.sqrt(ratio)) ** k):.2g}"


def _table(entries: Sequence[Entry]) -> list[str]:
    rows = [("derivative", "at", "got", "expected", "ratio", ""), *(e.cells() for e in entries)]
    if len({e.mode for e in entries}) > 1:
        rows = [(*r, m) for r, m in zip(rows, ["mode", *(e.mode for e in entries)], strict=True)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _number(x: float) -> str:
    return f"{x:.10g}"


def _with_error(x: float, error: float) -> str:
    """Return a number with as many digits as are known, and how well it is known."""
    if not math.isfinite(x):
        return "unknown"
    if not error or not math.isfinite(error):
        return _number(x)
    digits = 1 + math.floor(math.log10(abs(x) / error)) if x and abs(x) > error else 1
    return f"{x:.{min(max(digits, 2), 15)}g} +- {error:.1g}"
