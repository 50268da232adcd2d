"""The benchmark measures what it says: all do the same work, whoever takes no part is named with a reason."""

import importlib
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = (
    "readme xor xor-step xor-nn xor-nn-step small-relu small-nn elementwise-1e4-f64 rosenbrock-hvp logistic-hessian "
    "jacobian train-xor-sgd train-xor-adam train-small"
).split()


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])  # behind the packages under test, wherever they are
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("library", ["ours", "compiled", "out"])
def test_we_compute_what_is_computed_by_hand(benchmarks, library, name):
    worker, measure = benchmarks("worker"), benchmarks("measure")
    row = worker.ROW[name]
    answer = worker.Bench(library).check(name)
    if row.absence(library):
        assert answer is None
        assert library == "out"
        return
    expected, _, _ = worker.Bench("numpy").check(name)
    assert len(expected) == 2
    assert measure.disagreement(expected, answer[0], row.tolerance) == ""


def test_compilation_is_not_timed(benchmarks, monkeypatch):
    worker = benchmarks("worker")
    waits = [3.0, 3.0, 0.0]  # the first steps of a cell

    def step():
        clock[0] += waits.pop(0) if waits else 0.01

    clock = [0.0]
    monkeypatch.setattr(worker.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(type(worker.ROW["xor"]), "step", lambda *_: step)
    assert abs(worker.Bench("jit").time("xor", 0.05) - 0.01) < 1e-9
    waits[:] = [3.0, 3.0, 0.0]
    assert worker.Bench("torch").time("xor", 0.05) == 3.0


def test_a_disagreement_is_told(benchmarks):
    worker, measure = benchmarks("worker"), benchmarks("measure")
    expected, _, _ = worker.Bench("numpy").check("xor")
    found = [[x.copy() for x in step] for step in expected]
    found[1][2][3] *= 1 + 1e-6
    assert measure.disagreement(expected, found, 1e-8).startswith("step 2, result 2: relative error")
    assert measure.disagreement(expected, [step[:-1] for step in expected], 1e-8) == "step 1: 4 results instead of 5"


def test_each_library_takes_part_in_each_row_or_there_is_a_reason(benchmarks):
    rows, libraries = benchmarks("rows").ROWS, benchmarks("libraries").LIBRARIES
    for row, library in itertools.product(rows, libraries):
        reason = row.absence(library)
        assert isinstance(reason, str)
        assert reason or callable(getattr(row.style, library))
    for row in rows:
        assert not row.absence("numpy")
        assert not row.absence("ours")
        assert not row.absence("compiled")
        assert not row.absence("torch")


def test_tables_say_who_is_missing_and_why(benchmarks):
    measure, report, rows = benchmarks("measure"), benchmarks("report"), benchmarks("rows").ROWS
    chosen = [row for row in rows if row.name in ("chain-1e4", "train-small")]
    chain, small = (row.name for row in chosen)

    def cell(seconds):
        return measure.Cell(times={0: seconds, 1: seconds}, wait=0.5)

    cells = {
        chain: {"numpy": cell(1.0), "compiled": cell(0.25), "torch": cell(90.0), "micrograd": cell(80.0)},
        small: {"numpy": cell(1.0), "compiled": measure.Cell(failure="ValueError: no\nTraceback"), "torch": cell(3.0)},
    }
    libraries = ["numpy", "compiled", "torch", "torch_compile", "micrograd"]
    eager, compiled, waits = report.main_tables(chosen, cells, libraries, "median")
    assert [line[4:] for line in eager.rows] == [["90.0", "80.0"], ["3.00", "–"]]
    assert "micrograd: only scalars." in eager.note
    assert [line[4:] for line in compiled.rows] == [["0.25", "–", "80.0 micrograd"], ["FAIL", "–", "3.00 PyTorch"]]
    assert "torch.compile: minutes to compile (chain-1e4)." in compiled.note
    assert "torch.compile: left out of quick runs (train-small)." in compiled.note
    assert "FAIL train-small, ours compiled: ValueError: no" in compiled.note
    assert waits.rows == [[chain, "0.500", "–"], [small, "–", "–"]]


def test_tables_are_written_between_the_marks(benchmarks, tmp_path):
    report = benchmarks("report")
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- table -->\nold\n<!-- /table -->\nafter\n", encoding="utf-8")
    report.write_readme(
        path, ["where", "with what"], [report.Table("Title", ["row", "ours"], [["xor", "1.00"]], "Note.")]
    )
    text = path.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- table -->\n\nwhere\nwith what\n\n**Title**")
    assert "| xor | 1.00 |\n\nNote.\n\n<!-- /table -->\nafter\n" in text
    assert "old" not in text


def test_the_readme_has_room_for_tables(benchmarks):
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for mark in (*benchmarks("report").MARKERS, *benchmarks("peaks").MARKERS):
        assert text.count(mark) == 1


def test_peaks_are_put_into_a_table(benchmarks, tmp_path, monkeypatch, capsys):
    peaks = benchmarks("peaks")
    path = tmp_path / "README.md"
    path.write_text("<!-- peaks -->\n<!-- /peaks -->\n", encoding="utf-8")
    numbers = {"ours": [2000.0, 900.0, 1000.0], "compiled": [3000.0, 1500.0, 1750.0]}
    monkeypatch.setattr(peaks, "asked", lambda *words: numbers[words[1]])
    monkeypatch.setattr(peaks, "README", path)
    peaks.main(["compiled", "xor", "--write"])
    assert "| xor | 2,000 | 3,000 | 1.50 | 1,500 | 250 |" in path.read_text(encoding="utf-8")
    assert capsys.readouterr().out.split()[-6:] == ["xor", "2,000", "3,000", "1.50", "1,500", "250"]


def test_the_list_has_every_row(benchmarks, capsys):
    assert benchmarks("__main__").main(["--list"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == [*(row.name for row in benchmarks("rows").ROWS), "kept-bytes", "node-bytes", "import"]
    assert benchmarks("__main__").arguments(["--libs", "all"]).libs == list(benchmarks("libraries").LIBRARIES)


def test_the_lines_of_a_step_are_clocked(benchmarks, capsys, monkeypatch):
    lines = benchmarks("lines")
    monkeypatch.setattr(lines, "LONG", 0.01)
    lines.main(["train-xor-sgd"])
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("train-xor-sgd: ")
    found = {row[:26].strip(): int(row[26:30]) for row in rows}
    assert found["dot"] >= 5
    assert {"tanh", "subtract", "rate"} <= set(found)


def test_an_earlier_state_stands_beside_this_one(benchmarks):
    against, measure = benchmarks("against"), benchmarks("measure")
    rows = [row for row in benchmarks("rows").ROWS if row.name in ("xor", "readme")]
    cells = {
        "readme": {
            "ours": measure.Cell(times={0: 1.0, 1: 4.0}),
            "ours before": measure.Cell(times={0: 2.0, 1: 4.0}),
            "compiled": measure.Cell(times={0: 1.0}, wait=3.0),
            "compiled before": measure.Cell(times={0: 4.0}, wait=2.0),
        },
        "xor": {"ours": measure.Cell(times={0: 3.0}), "ours before": measure.Cell(failure="ValueError: no")},
    }
    found = against.table("HEAD~1", rows, cells, ["ours", "compiled"])
    assert found.headings[2:] == ["ours", "compiled", "recording"]
    lines = {line[0]: line[2:] for line in found.rows}
    assert lines["readme"] == lines["median"] == ["0.75", "0.25", "1.50"]
    assert lines["xor"] == ["–", "–", "–"]


def test_an_earlier_state_is_taken_from_git(benchmarks):
    if subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True).returncode:
        pytest.skip("not a checkout of Git's")
    with benchmarks("against").exported("HEAD") as folder, benchmarks("worker").Worker("ours", folder) as worker:
        assert (Path(folder) / "autograd_core" / "tensor.py").exists()
        worker.start()
        assert worker.info["file"].startswith(folder)
        results, _, _ = worker.ask("check", "xor")
        assert results
    assert not Path(folder).exists()
