"""What the documents promise about the project itself: commands, examples to paste, images, and a test for every claim."""

import ast
import contextlib
import doctest
import importlib.util
import inspect
import io
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import autograd_core as ag
import nn

ROOT = Path(__file__).parents[1]
MADE = ROOT / "docs" / "course"  # docs/conf.py copies the notebooks there, and their map as its index
PAGES = sorted([*ROOT.glob("*.md"), *(page for page in ROOT.glob("docs/**/*.md") if page.parent != MADE)])


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def python_blocks(text):
    return re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)


@pytest.mark.parametrize("name", ["main", "test"])
def test_readme_has_the_command_in_one_line(name):
    # .ci/run finds the commands by the same mark
    blocks = re.findall(rf"^<!-- {name} command -->\n```bash\n(.*?)^```$", read("README.md"), re.M | re.S)
    assert len(blocks) == 1
    (command,) = blocks[0].splitlines()
    assert command.startswith("python3 -m venv .venv && ")
    assert not command.endswith("\\")


def test_the_main_command_installs_what_the_demonstration_needs():
    from nn.demo.main import NEEDED

    (extras,) = re.findall(r'-e "\.\[(.*?)\]" && \.venv/bin/python -m nn demo', read("README.md"))
    offered = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    assert NEEDED.keys() <= {name for extra in extras.split(",") for name in offered[extra]}


def test_versions_agree():
    (cited,) = re.findall(r"^version: (\S+)$", read("CITATION.cff"), re.M)
    assert tomllib.loads(read("pyproject.toml"))["project"]["version"] == cited == ag.__version__


def test_changelog_is_ready_for_the_next_change():
    sections = re.findall(r"^## \[(.+?)\]", read("CHANGELOG.md"), re.M)
    assert sections[0] == "Unreleased"
    assert len(set(sections)) == len(sections)


def test_links_in_the_documents_lead_somewhere():
    broken = []
    for document in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8")):
            if "://" not in target and not (document.parent / target).exists():
                broken.append(f"{document.relative_to(ROOT)}: {target}")
    assert not broken


def test_every_page_is_in_the_table_of_contents():
    listed = re.findall(r"```{toctree}\n(.*?)```", read("docs/index.md"), re.S)
    entries = {line for block in listed for line in block.splitlines() if line and not line.startswith(":")}
    assert "course/index" in entries
    assert entries - {"course/index"} | {"index"} == {
        page.relative_to(ROOT / "docs").with_suffix("").as_posix()
        for page in PAGES
        if page.is_relative_to(ROOT / "docs")
    }


# --- the README's examples, to be pasted into any Python, print what stands below them --------------------------------


def steps(source):
    """Yield each statement of a block with what the comment lines below it say is printed."""
    lines = source.splitlines()
    tree = ast.parse(source).body
    for node, following in zip(tree, [*tree[1:], None], strict=True):
        below = lines[node.end_lineno : following.lineno - 1 if following else len(lines)]
        said = "".join(f"{line.removeprefix('#').removeprefix(' ')}\n" for line in below if line.startswith("#"))
        yield ast.get_source_segment(source, node), said


def run_as_pasted(source, names):
    """Run a block; return (statement, said, printed) wherever they differ."""
    wrong = []
    for statement, said in steps(source):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(statement, "<README>", "exec"), names)
        options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        if not doctest.OutputChecker().check_output(said, out.getvalue(), options):
            wrong.append((statement, said, out.getvalue()))
    return wrong


def test_examples_of_the_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    blocks = python_blocks(read("README.md"))
    assert len(blocks) == 7  # the one beside the picture, and six things to do
    assert ">>>" not in read("README.md")  # prompts cannot be pasted
    with np.printoptions():
        wrong = [found for block in blocks for found in run_as_pasted(block, names)]
    assert not wrong
    assert "W1" in (tmp_path / "graph.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("source", ["print(1)\n# 2\n", "1 + 1\n# 2\n", "x = 1\n# 1\n", "print(1)\n"])
def test_a_wrong_example_would_be_found(source):
    assert run_as_pasted(source, {})


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_images_of_the_readme_are_of_its_example(direction):
    picture = load(ROOT / "docs" / "pictures.py").readme()
    if picture.engine is None:
        pytest.skip("needs a layout engine: Graphviz's dot, or pygraphviz")
    words = [words_of(svg) for svg in (picture.to_svg(direction), read(f"docs/images/{direction}.svg"))]
    assert words[0] == words[1]


def words_of(svg):
    """Return what is written in an image; the engine, dot or the Graphviz of a wheel, is named by who laid it out."""
    return sorted(re.findall(r">([^<>\s][^<>]*)<", re.sub(r"laid out by \w+", "laid out", svg)))


@pytest.mark.parametrize(("other", "same"), [("laid out by pygraphviz.", True), ("laid out by dot. Folded.", False)])
def test_words_of_an_image_are_compared_but_for_the_engine(other, same):
    svg = "<desc>Forward pass, 3 boxes, {}</desc><text>W1</text>"
    assert (words_of(svg.format("laid out by dot.")) == words_of(svg.format(other))) is same


def test_ratios_of_the_readme_are_those_of_the_benchmark():
    made = load(ROOT / "docs" / "ratios.py").rewritten(read("README.md"), read("benchmarks/README.md"))
    assert made == read("README.md"), "run `python docs/ratios.py`"


@pytest.mark.parametrize(("name", "needs"), [("compiling.md", ()), ("api/nn.md", ("scipy", "safetensors"))])
def test_programs_on_pages_run(name, needs, tmp_path, monkeypatch):
    # doctest runs what has prompts; these are whole programs
    for package in needs:
        pytest.importorskip(package, reason="the page's programs need it")
    monkeypatch.chdir(tmp_path)
    blocks = python_blocks(read(f"docs/{name}"))
    assert blocks
    for block in blocks:
        exec(compile(block, name, "exec"), {})


def test_no_program_on_a_page_goes_unrun():
    # checking.md's are run in tests/checking; property_based_checking.md shows a test that calls a function of the reader's
    known = {"README.md", "compiling.md", "nn.md", "checking.md", "property_based_checking.md"}
    assert {page.name for page in PAGES if python_blocks(page.read_text(encoding="utf-8"))} <= known


# --- every claim of the README has a test -----------------------------------------------------------------------------

CLAIMS = {
    "Gradients of ordinary NumPy programs": "tests/test_rules.py::test_value_is_numpys",
    "checks a gradient, compiles a training step, and writes `report.html`": "tests/nn/test_demo.py::test_everything_is_on_the_page",
    "a graph to step through": "tests/pictures/test_browser_report.py::test_report",
    "A `dot` program that is installed already": "tests/pictures/test_layout_engines.py::test_pygraphviz_takes_the_place_of_dot",
    "pictures are text, and say so": "tests/pictures/test_layout_engines.py::test_without_an_engine_there_is_a_text_and_a_sentence",
    "arrays and nested containers of them": "tests/test_transforms.py::test_gradients_have_the_structure_of_the_argument",
    "gradients have gradients": "tests/test_transforms.py::test_order_five",
    "names and weights are PyTorch's": "tests/nn/test_pytorch_files.py",
    "yours, PyTorch's, JAX's, or one written by hand": "tests/checking",
    "with date and machine, is in [benchmarks/README.md]": "tests/test_docs.py::test_ratios_of_the_readme_are_those_of_the_benchmark",
    "recorded once, planned, and replayed": "tests/replay/test_compile.py::test_replay_equals_eager",
    "What each can do, found out by trying": "tests/test_features.py::test_we_can",
    "Imports go downwards only, and a test keeps it so": "tests/test_architecture.py::test_imports_go_downwards",
    "broadcasting and promotion are undone": "tests/test_rules.py",
    "one line and a sample": "tests/test_rules.py::test_registered_means_tested",
    "is a course": "tests/test_notebooks.py",
    "There is no GPU, no `vmap`, no `bfloat16`": "tests/test_features.py::test_we_cannot",
    "Python's control flow is differentiated along the path that was taken": "tests/test_random_programs.py",
    "A function without a rule raises an error that names it": "tests/test_protocol.py::test_no_rule",
    "It never passes as a constant": "tests/test_protocol.py::test_every_function_of_numpy_is_in_a_table_or_refused_by_name",
    "`y[i] = t` works": "tests/test_inplace.py::test_values_and_gradients",
    "is an error that shows what to write instead": "tests/test_inplace.py::test_assignment_through_a_view",
    "of a tracked Tensor raises": "tests/test_tensor.py::test_silent_detaching_is_refused",
    "ties of `max` and `maximum` share equally": "tests/test_selections.py::test_chosen_derivative",
    "Complex gradients follow JAX's convention": "tests/test_transforms.py::test_complex",
    "at kinks, ties and singular points": "tests/test_selections.py::test_chosen_second_derivative",
    "the graph up to there, with the operation that failed": "tests/pictures/test_failing.py",
    "of PyTorch's `loss` and modules the same picture": "tests/pictures/test_pytorch.py",
    "prints what is there": "tests/test_main.py::test_it_prints_versions_and_what_there_is",
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_of_the_readme_has_a_test(claim):
    assert claim in " ".join(read("README.md").split())
    path, _, name = CLAIMS[claim].partition("::")
    assert (ROOT / path).exists()
    assert f"def {name}(" in read(path) if name else True


# --- the reference ----------------------------------------------------------------------------------------------------


def reference(page, package):
    """Return the objects that a page of the reference shows, and the examples in its own text."""
    text = read(f"docs/api/{page}.md")
    shown, inside = {}, ""
    for kind, name in re.findall(r"(?:auto(function|class|exception|module)|currentmodule):: (\S+)", text):
        if not kind:
            inside = name
            continue
        *path, last = f"{inside}.{name}".lstrip(".").removeprefix(f"{package.__name__}.").split(".")
        if kind == "module":
            module = sys.modules[name] if name in sys.modules else importlib.import_module(name)
            own = getattr(module, "__all__", None) or [
                n for n, v in vars(module).items() if getattr(v, "__module__", "") == name and not n.startswith("_")
            ]
            shown.update({n: getattr(module, n) for n in own})
        elif not path:
            shown[last] = getattr(package, last)
    return shown, "\n".join(re.findall(r"^```pycon\n(.*?)^```$", text, re.M | re.S))


@pytest.mark.parametrize("package", [ag, nn])
def test_everything_is_on_the_page_of_that_name(package):
    text = read("docs/everything.md")
    assert not [name for name in package.__all__ if not re.search(rf"\b{name}\b", text)]


@pytest.mark.parametrize(("page", "package"), [("autograd_core", ag), ("nn", nn)])
def test_the_reference_has_every_public_name_with_an_example(page, package):
    shown, examples = reference(page, package)
    public = {n: getattr(package, n) for n in package.__all__ if not inspect.ismodule(getattr(package, n))}
    assert not public.keys() - shown.keys(), "the page does not show them"
    assert not [n for n, v in public.items() if len(inspect.getdoc(v) or "") < 20], "they have no docstring"
    examples += "".join(python_blocks(read(f"docs/api/{page}.md")))
    missing = [
        n for n, v in public.items() if ">>>" not in (inspect.getdoc(v) or "") and not re.search(rf"\b{n}\b", examples)
    ]
    assert not missing, "neither their docstring nor the page has an example of them"
