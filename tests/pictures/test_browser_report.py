"""The report of `python -m nn demo` in a browser: nothing is missing, nothing is asked for, and its graph can be stepped."""

import pytest

from autograd_core.pictures.layout import engine

STEP = """host => {
  const one = q => host.shadowRoot.querySelector(q), seen = [];
  one("button.reset").click();
  while (one("button.next").getAttribute("aria-disabled") !== "true") {
    one("button.next").click();
    seen.push(one(".panel .heading > b").textContent);
  }
  return seen;
}"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    pytest.importorskip("matplotlib", reason="the report's figures need matplotlib")
    pytest.importorskip("sklearn", reason="the digits come from scikit-learn")
    from nn.demo.main import main

    path = tmp_path_factory.mktemp("report") / "report.html"
    assert main(["--report", str(path), "--quick"]) == 0
    return path.read_text(encoding="utf-8")


def test_report(visit, report):
    page = visit.open(report)
    assert page.title() == "autograd-core, a report"
    assert page.locator("img").evaluate_all("all => all.every(i => i.complete && i.naturalWidth > 100)")
    assert page.locator(".figure svg").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if engine() is None:
        pytest.skip("needs a layout engine: Graphviz's dot, or pygraphviz")
    steps = page.locator("[data-ag-picture]").evaluate(STEP)
    forward = ["linear", "tanh", "linear", "tanh", "linear", "cross_entropy"]
    assert steps == forward + forward[::-1]
