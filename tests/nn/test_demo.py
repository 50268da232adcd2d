"""The demonstration, from training to the page, and what its command says."""

import re
import sys

import numpy as np
import pytest

import autograd_core as ag
import nn
from nn import __main__ as program

pytest.importorskip("matplotlib", reason="the report's figures need matplotlib")
pytest.importorskip("sklearn", reason="the digits come from scikit-learn")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    from nn.demo.main import main

    path = tmp_path_factory.mktemp("demo") / "report.html"
    assert main(["--report", str(path), "--quick"]) == 0
    return path.read_text(encoding="utf-8")


def test_everything_is_on_the_page(report):
    titles = re.findall(r"<h2>(.*?)</h2>", report)
    assert titles == ["Two moons", "Handwritten digits", "Is the gradient right?", "Compiled training", "The graph"]
    assert "Every gradient is right." in report
    assert len(re.findall(r'<div class="figure"', report)) == 6  # two curves for each task, the boundary, the mistakes
    assert "#010203" not in report  # the ink is the page's
    drawn = ag.draw(ag.Tensor(1.0) * 2).engine is not None  # or else it is a text
    assert ("data-ag-picture" if drawn else "cross_entropy(") in report  # a browser looks at it in tests/pictures


def test_the_page_needs_nothing_from_elsewhere(report):
    links = re.findall(r"""(?:src|href)=["']?([^"'\s>]+)""", report)
    assert not [link for link in links if not link.startswith(("data:", "#"))]
    assert not re.findall(r"@import|url\((?!['\"]?(?:data:|#))", report)


def test_the_command_says_what_it_does_not_understand(capsys):
    assert program.main(["dance"]) == 2
    assert "dance" in capsys.readouterr().err


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    from nn.demo import figures

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"autograd-core\[plots\]"):
        figures._plots()


def test_missing_libraries_are_named_before_anything_is_trained(monkeypatch, capsys):
    from nn.demo import main as demo

    monkeypatch.setitem(demo.NEEDED, "a library", "no_such_module_anywhere")
    monkeypatch.setattr(demo.tasks, "moons", None)
    assert demo.main([]) == 2
    assert "needs a library: pip install 'autograd-core[nn,plots]'" in capsys.readouterr().err


def test_without_a_layout_engine_the_report_has_the_graph_as_text(monkeypatch, tmp_path):
    from autograd_core.pictures import layout
    from nn.demo import Section, draw_graph, moons, write

    monkeypatch.setattr(layout, "engine", lambda: None)
    picture = draw_graph(moons(epochs=1, progress=False))
    page = write(tmp_path / "x.html", "", "", [Section("", parts=[picture._repr_mimebundle_()["text/html"]])])
    assert "cross_entropy(" in page.read_text(encoding="utf-8")
    assert "install Graphviz" in page.read_text(encoding="utf-8")


def test_text_on_the_page_is_escaped(tmp_path):
    from nn.demo import Section, write

    where = write(tmp_path / "x.html", "<b>", "a & b", [Section("<script>", "1 < 2", [("<i>", "&")])])
    page = where.read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<b>" not in page
    assert "<i>" not in page


def test_predictions_leave_the_mode_as_it_was():
    from nn.demo.tasks import predict

    model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.Dropout(0.5, rng=1))
    assert predict(model, np.ones((3, 2))).shape == (3, 2)
    assert model.training
