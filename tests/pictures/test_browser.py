"""The saved page in a browser: every step against the program itself, the numbers against NumPy, keyboard, themes, folding."""

import re

import numpy as np
import pytest

import autograd_core as ag
import nn
from autograd_core.pictures.numbers import tell
from autograd_core.pictures.page import document, fragment, script

HOSTILE = "</script><img src=x onerror=\"alert(1)\"> & 'q' <b>${alert(2)}</b>"


def drawn(loss, **options):
    """Return a picture that has been laid out, or skip."""
    picture = ag.draw(loss, **options)
    if not picture.to_dict()["views"]:
        pytest.skip("needs a layout engine: Graphviz's dot, or pygraphviz")
    return picture


def saved(*pictures):
    """Return one page with all of the pictures."""
    first, *others = [picture if isinstance(picture, dict) else picture.to_dict() for picture in pictures]
    return document(first).replace("</main>", "".join(map(fragment, others)) + "</main>")


class Regression:
    """mean((tanh(x W + b) - y)^2), its values and gradients in NumPy by hand."""

    def __init__(self):
        rng = np.random.default_rng(0)
        x, y, W, b = (rng.normal(size=s) for s in [(7, 5), (7, 4), (5, 4), (4,)])
        z = x @ W
        a = z + b
        h = np.tanh(a)
        e = h - y
        s = np.square(e)
        self.values = [("matmul", z), ("add", a), ("tanh", h), ("subtract", e), ("square", s), ("mean", np.mean(s))]
        ds = np.full_like(s, 1 / s.size)
        de = 2 * e * ds
        da = de * (1 - h**2)
        self.sent = [
            ("mean", [ds]),
            ("square", [de]),
            ("subtract", [de]),
            ("tanh", [da]),
            ("add", [da, da.sum(0)]),
            ("matmul", [x.T @ da]),
        ]
        self.W, self.b = ag.Tensor(W, name="W"), ag.Tensor(b, name="b")
        self.loss = np.mean(np.square(np.tanh(x @ self.W + self.b) - y))


# Click through all steps, and write down what is shown at each: in one go, which is ten times faster than asking step by step.
WALK = """host => {
  const root = host.shadowRoot, one = q => root.querySelector(q), all = q => [...root.querySelectorAll(q)];
  const row = tr => ({
    result: tr.classList.contains("result"), label: tr.querySelector("th").textContent,
    value: tr.querySelector("td.value").textContent, bold: (tr.querySelector(".figures b") || {}).textContent,
  });
  const steps = [];
  one("button.reset").click();
  while (one("button.next").getAttribute("aria-disabled") !== "true") {
    one("button.next").click();
    steps.push({
      way: one(".panel .badge").textContent.split(" ")[0], op: one(".panel .heading > b").textContent, heading: one(".panel .heading").textContent,
      current: all(".node.current").map(e => e.dataset.node || e.dataset.module), rows: all(".panel tr").map(row), said: one("[aria-live=polite]").textContent,
      turned: all(".edge.flipped").flatMap(e => e.dataset.edge.split(" ")), markup: all(".panel b *, .panel img").length,
    });
  }
  return steps;
}"""


def walk(page):
    """Return what the page shows at each step from the start to the end."""
    return page.locator(".ag-picture").first.evaluate(WALK)


def results(step):
    """Return the numbers in the rows of a step that are results: a norm, or the number itself."""
    found = []
    for row in step["rows"]:
        norm = re.search(r"‖·‖ ([^ a-z]+)", row["value"])
        if row["result"]:
            found.append(float((norm[1] if norm else row["bold"]).replace("−", "-")))
    return found


def test_steps_come_in_the_order_of_execution(visit):
    log = []

    def telltale(name):
        def run(x):
            log.append(("forward", name))
            return np.tanh(x)

        def pull(g, ans):
            log.append(("backward", name))
            return g * (1 - ans**2)

        run.__name__ = name
        operation = ag.primitive(run)
        ag.rule(operation, pull)
        return operation

    first, second, third, fourth, fifth = map(telltale, ["first", "second", "third", "fourth", "fifth"])
    x, w = ag.Tensor([0.3, -1.1], name="x"), ag.Tensor([0.7, 0.2], name="w")
    a, b = second(w), first(x)
    c = third(x * w)
    loss = np.sum(fifth(a * b + fourth(b)) * c + x)
    picture = drawn(loss)
    log = [entry for entry in log if entry[0] == "forward"]  # whatever sweep the drawing has done is not the program's
    loss.backward()
    steps = walk(visit.open(saved(picture)))
    names = {name for _, name in log}
    assert [(step["way"], step["op"]) for step in steps if step["op"] in names] == log
    assert len(log) == 10
    data = picture.to_dict()
    ringed = [node for step in steps for node in step["current"]]
    assert ringed == data["forward"] + data["backward"]
    assert [data["nodes"][node]["op"] for node in ringed] == [step["op"] for step in steps]


def test_numbers_are_those_of_the_sweep(visit):
    truth = Regression()
    steps = walk(visit.open(saved(drawn(truth.loss))))
    forward, backward = steps[: len(truth.values)], steps[len(truth.values) :]
    assert [step["op"] for step in forward] == [name for name, _ in truth.values]
    assert [step["op"] for step in backward] == [name for name, _ in truth.sent]
    for step, (_, value) in zip(forward, truth.values, strict=True):
        np.testing.assert_allclose(results(step), [np.linalg.norm(value)], rtol=1e-3)
    for step, (_, arrays) in zip(backward, truth.sent, strict=True):
        np.testing.assert_allclose(sorted(results(step)), sorted(map(np.linalg.norm, arrays)), rtol=1e-3)


def test_numbers_are_written_as_in_the_picture(visit):
    rng = np.random.default_rng(0)
    numbers = [0.0, 1.0, -2.5, 9999.5, 99995.0, 1e-4, 9.9999e-5, 100.0, 1e22, 1e-300, 12345678.0, 0.1, -0.00012345]
    numbers += list(
        np.concatenate([rng.normal(size=200) * 10.0 ** rng.integers(-9, 9, 200), rng.integers(-2000, 2000, 50)])
    )
    said = visit.open("<!doctype html>").evaluate(f"numbers => {{ {script()} return numbers.map(number); }}", numbers)
    assert said == [tell(float(x)) for x in numbers]


def test_hovering_tells_value_and_gradient(visit):
    truth = Regression()
    picture = drawn(truth.loss)
    page = visit.open(saved(picture))
    truth.loss.backward()
    (W,) = [i for i, node in picture.to_dict()["nodes"].items() if node["name"] == "W"]
    assert not page.locator(".tip").is_visible()
    page.locator(f'.node[data-node="{W}"]').hover()
    tip = page.locator(".tip")
    norms = [float(n.replace("−", "-")) for n in re.findall(r"‖·‖ (\S+)", tip.inner_text())]
    np.testing.assert_allclose(norms, [np.linalg.norm(truth.W.data), np.linalg.norm(truth.W.grad)], rtol=1e-3)
    bars = tip.locator(".histogram").first.locator("rect")
    heights = [float(bar.get_attribute("height")) for bar in bars.all()]
    counts = np.histogram(truth.W.data, len(heights))[0]
    assert np.argmax(heights) in np.flatnonzero(counts == counts.max())
    page.mouse.move(2, 2)
    assert not tip.is_visible()


def test_edges_turn_when_their_gradient_flows(visit):
    truth = Regression()
    picture = drawn(truth.loss)
    data = picture.to_dict()
    nodes, edges, done = data["nodes"], data["edges"], set()
    for k, step in enumerate(walk(visit.open(saved(picture)))):
        if step["way"] == "backward":
            done.add(data["backward"][k - len(data["forward"])])
        flows = [
            e
            for e, edge in edges.items()
            if edge["flow"] and (edge["to"] in done or nodes[edge["to"]]["role"] == "output")
        ]
        assert sorted(step["turned"]) == sorted(flows if done else [])


def test_keyboard(visit):
    page = visit.open(saved(drawn(Regression().loss)))
    status = page.locator(".status")
    assert status.inner_text() == "whole forward pass"
    page.keyboard.press("Tab")
    for key, said in [
        ("ArrowRight", "forward 1 / 6"),
        ("ArrowRight", "forward 2 / 6"),
        ("ArrowLeft", "forward 1 / 6"),
        ("End", "backward 6 / 6"),
        ("ArrowRight", "backward 6 / 6"),
        ("Home", "start"),
        ("b", "whole backward pass"),
        ("ArrowRight", "backward 1 / 6"),
        ("f", "whole forward pass"),
    ]:
        page.keyboard.press(key)
        assert status.inner_text() == said, key
    focused = "document.querySelector('[data-ready]').shadowRoot.activeElement"
    page.keyboard.press("ArrowDown")
    first = page.evaluate(f"{focused}.getAttribute('aria-label')")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(f"{focused}.getAttribute('aria-label')") != first
    assert page.locator(".tip").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator(".tip").is_visible()
    ring = f"getComputedStyle({focused}.querySelector('.box'))"
    assert page.evaluate(f"parseFloat({ring}.strokeWidth)") > 3


def test_playing_runs_to_the_end_and_starts_again(visit):
    page = visit.open(saved(drawn(Regression().loss)), viewport={"width": 1000, "height": 600})
    page.clock.install(time=0)
    page.clock.pause_at(60_000)  # from here on time passes only when told to
    page.locator(".speed").select_option("4")
    page.locator(".play").click()
    page.clock.run_for(800)
    assert page.locator(".status").inner_text() == "forward 4 / 6"
    page.locator(".play").click()
    stopped = page.locator(".status").inner_text()
    page.clock.run_for(2000)
    assert page.locator(".status").inner_text() == stopped
    page.locator(".play").click()
    page.clock.run_for(6000)
    assert page.locator(".status").inner_text() == "backward 6 / 6"
    assert page.locator(".play").get_attribute("aria-label") == "Play"
    page.locator(".play").click()
    page.clock.run_for(100)
    assert page.locator(".status").inner_text() == "forward 1 / 6"


def test_each_step_is_spoken_and_every_control_has_a_name(visit):
    page = visit.open(saved(drawn(Regression().loss)))
    said = [step["said"] for step in walk(page)]
    assert len(set(said)) == len(said) == 12
    assert all(re.match(r"(Forward|Backward) [1-6] of 6: \w+", words) for words in said)
    names = page.locator("button, select, input").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert all(names)
    assert page.locator("[data-ready]").get_attribute("aria-label")
    assert page.locator(".node[tabindex='0'], .module[tabindex='0']").count() == 1


def test_two_pictures_live_beside_each_other(visit):
    same, other = drawn(Regression().loss), drawn(np.sum(ag.Tensor([1.0, 2.0], name="x") ** 2))
    page = visit.open(saved(same, same, other))
    hosts = page.locator(".ag-picture[data-ready]")
    assert hosts.count() == 3
    hosts.nth(1).locator(".next").click()
    assert [hosts.nth(i).get_attribute("data-step") for i in range(3)] == ["whole", "1", "whole"]
    page.keyboard.press("ArrowRight")
    assert [hosts.nth(i).get_attribute("data-step") for i in range(3)] == ["whole", "2", "whole"]


def test_without_scripts_the_image_shows(visit):
    page = visit.open(saved(drawn(Regression().loss)), java_script_enabled=False)
    box = page.locator("img").bounding_box()
    assert box["width"] > 300
    assert box["height"] > 50
    assert page.locator(".ag-picture").inner_text().strip() == ""


def test_names_of_users_stay_text(visit):
    x = ag.Tensor([1.0, 2.0], name=HOSTILE)
    with ag.scope(HOSTILE):
        loss = np.sum(x * x)
    picture = drawn(loss)
    page = visit.open(saved(picture))
    (node,) = [i for i, n in picture.to_dict()["nodes"].items() if n["name"] == HOSTILE]
    page.locator(f'.node[data-node="{node}"]').hover()
    assert HOSTILE in page.locator(".tip").inner_text()
    assert [step["markup"] for step in walk(page)] == [0] * 4
    assert page.locator("main img").count() == 1  # the picture itself, under the figure that took its place


def test_a_script_that_runs_at_the_end_of_the_output_finds_its_figure(visit):
    html = fragment(drawn(Regression().loss).to_dict())
    tab = visit.page()
    tab.goto("about:blank")
    tab.evaluate(  # as Visual Studio Code does
        """html => {
          const output = document.body.appendChild(document.createElement("div"));
          for (let i = 0; i < 2; i++) {
            const item = output.appendChild(document.createElement("div"));
            item.innerHTML = html;
            for (const old of [...item.getElementsByTagName("script")]) {
              const script = document.createElement("script");
              script.text = old.innerText;
              output.appendChild(script).parentNode.removeChild(script);
            }
          }
        }""",
        html,
    )
    assert tab.locator(".ag-picture[data-ready]").count() == 2
    assert tab.locator(".bar").count() == 2


def luminance(colour):
    """Return the relative luminance of "rgb(r, g, b)" as WCAG defines it."""
    c = np.array([float(v) for v in re.findall(r"[\d.]+", colour)[:3]]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


TEXTS_ON_BOXES = """all => all.map(node => {
  const box = getComputedStyle(node.querySelector(".there > .box")).fill;
  return [...node.querySelectorAll(".there > text")].map(text => [getComputedStyle(text).fill, box]);
}).flat()"""


def test_themes(visit):
    themes = ["auto", "dark", "lecture"]
    lecture, dark = (
        drawn(Regression().loss, theme="lecture").to_dict(),
        drawn(Regression().loss, theme="dark").to_dict(),
    )
    page = visit.open(saved(lecture | {"theme": "auto"}, dark, lecture), color_scheme="light")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for theme, host in zip(themes, page.locator(".ag-picture").all(), strict=True):
            dark = theme == "dark" or (theme == "auto" and scheme == "dark")
            page.locator(f".ag-picture[data-theme={'dark' if dark else 'light'}]").first.wait_for()
            ground = host.locator(".ground").evaluate("e => getComputedStyle(e).fill")
            assert (luminance(ground) < 0.05) == dark
            pairs = host.locator(".node").evaluate_all(TEXTS_ON_BOXES)
            assert len(pairs) > 10
            for text, box in pairs:
                light, low = sorted([luminance(text), luminance(box)], reverse=True)
                assert (light + 0.05) / (low + 0.05) >= 4.5, (text, box)
    page.emulate_media(color_scheme="light")  # and then the notebook's own theme counts, not the system's
    auto = page.locator(".ag-picture").first
    for notebook, theme in [
        ("document.body.dataset.jpThemeLight = 'false'", "dark"),
        ("document.body.dataset.jpThemeLight = 'true'", "light"),
        ("delete document.body.dataset.jpThemeLight; document.body.className = 'vscode-dark'", "dark"),
        ("document.body.className = 'vscode-light'", "light"),
        ("document.body.className = ''", "light"),
    ]:
        page.evaluate(notebook)
        page.wait_for_function("theme => document.querySelector('.ag-picture').dataset.theme === theme", arg=theme)
    button = page.locator("button.theme").first
    button.click()
    assert auto.get_attribute("data-theme") == "light"
    button.click()
    button.click()
    assert button.get_attribute("aria-label") == "Theme: auto"


def test_modules_collapse_and_expand_and_steps_go_on_inside(visit):
    model = nn.MLP([3, 4, 2], activation="tanh", rng=0)
    picture = drawn(np.sum(model(np.ones((5, 3))) ** 2))
    data = picture.to_dict()
    assert len(data["views"]) > 1
    page = visit.open(saved(picture))
    page.locator(".open").click()
    everything = page.locator(".node[data-node]").count()
    module = page.locator("g.module.folds:not(.node)").first
    name = module.get_attribute("data-module")
    module.locator(".there > text.name").click()
    closed = page.locator(f'.node[data-module="{name}"]')
    assert closed.count() == 1
    assert closed.get_attribute("aria-expanded") == "false"
    assert page.locator(".node[data-node]").count() < everything
    ringed = [step["current"] for step in walk(page)]
    assert [len(boxes) for boxes in ringed] == [1] * (len(data["forward"]) + len(data["backward"]))
    assert [name] in ringed
    closed.focus()
    page.keyboard.press("Enter")
    assert page.locator(".node[data-node]").count() == everything
    page.locator(".close").click()
    assert page.locator(".node[data-node]").count() < everything


def test_a_repeated_block_is_walked_copy_by_copy(visit):
    model = nn.MLP([4] * 15, activation="tanh", rng=0)
    picture = drawn(np.sum(model(np.ones((2, 4)))), params=model, fold=True)
    data = picture.to_dict()
    (block,) = [name for name, module in data["modules"].items() if module["times"] > 1]
    page = visit.open(saved(picture))
    page.locator(f'.folds[data-module="{block}"] .there > text.name').click()
    times = data["modules"][block]["times"]
    for way in ("forward", "backward"):
        steps = [step for step in walk(page) if step["way"] == way]
        inside = [step for step in steps if step["current"] == [block]]
        assert len(inside) == 2 * times  # a linear map and a tanh
        copies = [int(re.search(rf"copy (\d+) of {times}", step["heading"])[1]) for step in inside]
        assert sorted(copies, reverse=way == "backward") == copies
        assert set(copies) == set(range(1, times + 1))
