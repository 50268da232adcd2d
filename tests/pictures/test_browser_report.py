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


# The text that is smallest on the screen, drawings included; what is wider than the page; and colours that are not the page's.
LOOK = """() => {
  const seen = [...document.querySelectorAll("body *, body svg text")].filter(e => !e.closest("[data-ag-picture]") &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && e.getClientRects().length && e.tagName !== "STYLE");
  const size = e => parseFloat(getComputedStyle(e).fontSize) * (e.getCTM ? Math.hypot(e.getScreenCTM().c, e.getScreenCTM().d) : 1);
  const small = seen.filter(e => !e.closest("tspan") && size(e) < 11.5).map(e => [e.textContent, size(e)]);
  const clipped = [...document.querySelectorAll("pre, table, .figure")].filter(e => e.scrollWidth > e.clientWidth + 1 && e.tagName !== "TABLE" || e.getBoundingClientRect().right > innerWidth).map(e => e.textContent);
  const white = [...document.querySelectorAll(".figure, .figure svg, .figure rect, .figure path")].filter(e => {
    const at = getComputedStyle(e), area = e.getBoundingClientRect();
    const fill = e.closest("svg") ? at.fill : at.backgroundColor;
    return area.width * area.height > 20000 && /rgb\\(2[45]\\d, 2[45]\\d, 2[45]\\d\\)/.test(fill) && at.fillOpacity > 0.5;
  }).map(e => e.outerHTML.slice(0, 200));
  const ink = [...document.querySelectorAll(".figure svg text")].map(e => getComputedStyle(e).fill);
  return { small, clipped, white, ink: [...new Set(ink)], page: getComputedStyle(document.body).color };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_report_can_be_read_anywhere(visit, report, width, scheme):
    page = visit.open(report, viewport={"width": width, "height": 844}, color_scheme=scheme)
    look = page.evaluate(LOOK)
    assert look["small"] == []
    assert look["clipped"] == []
    assert look["white"] == []
    assert look["ink"] == [look["page"]]
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert "<locals>" not in page.locator("body").inner_text()


def test_report(visit, report):
    page = visit.open(report)
    assert page.title() == "autograd-core, a report"
    assert page.locator("img").evaluate_all("all => all.every(i => i.complete && i.naturalWidth > 100)")
    assert page.locator(".figure svg").count() == 6
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if engine() is None:
        pytest.skip("needs a layout engine: Graphviz's dot, or pygraphviz")
    steps = page.locator("[data-ag-picture]").evaluate(STEP)
    forward = ["linear", "tanh", "linear", "tanh", "linear", "cross_entropy"]
    assert steps == forward + forward[::-1]
