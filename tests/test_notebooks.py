"""The course: every row of its map is asserted in the notebook the map names, and every notebook runs."""

import ast
import importlib.util
import json
import os
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9]*.ipynb"))
COUNT = {"A": range(1, 11), "B": range(11), "C": range(15), "D": range(1, 8), "E": range(1, 7), "F": range(1, 4)}
ROW = re.compile(r"^\| ([A-F]\d+) \|.*\| (\d\d) \|$", re.MULTILINE)
HEAD = re.compile(r"# ([A-F]\d+): \S")
SOLUTION = re.compile(r"<details>.*?```python\n(.*?)```.*?</details>", re.DOTALL)
NEEDED = ["nbclient", "nbformat", "ipykernel", "matplotlib", "scipy", "sklearn", "hypothesis"]

pytestmark = pytest.mark.skipif(not NOTEBOOKS, reason="the notebooks are not beside the tests")


def cells(path, kind="code"):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [c | {"source": "".join(c["source"])} for c in notebook["cells"] if c["cell_type"] == kind]


def asserted(source):
    """Return the assertions of a cell that look at something computed."""
    tree = ast.parse(source)
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert) and any(isinstance(n, ast.Name | ast.Call) for n in ast.walk(node.test))
    ]


@pytest.fixture(scope="module")
def rows():
    """The map of the README, from rows to notebooks."""
    return ROW.findall((FOLDER / "README.md").read_text(encoding="utf-8"))


def test_the_map_has_every_row_once(rows):
    assert sorted(row for row, _ in rows) == sorted(
        f"{letter}{i}" for letter, numbers in COUNT.items() for i in numbers
    )


def test_every_row_heads_one_cell_that_asserts_it(rows):
    found = {}
    for path in NOTEBOOKS:
        for cell in cells(path):
            for line in cell["source"].splitlines():
                if match := HEAD.match(line):
                    found.setdefault(match[1], []).append((path.name[:2], len(asserted(cell["source"]))))
    for row, notebook in rows:
        assert [where for where, _ in found.get(row, [])] == [notebook], f"{row} heads {found.get(row, 'no cell')}"
        assert found[row][0][1], f"the cell of {row} asserts nothing"
    assert set(found) == {row for row, _ in rows}


@pytest.mark.parametrize("source", ["assert True", "assert 1 == 1, 'x'", "print('assert x')", "x = 1"])
def test_what_asserts_nothing_is_seen(source):
    assert not asserted(source)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name[:2])
def test_notebooks_are_stored_with_outputs_and_without_traces(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert [c["execution_count"] for c in code] == list(range(1, len(code) + 1))
    outputs = [o for c in code for o in c["outputs"]]
    assert outputs
    for output in outputs:
        assert output["output_type"] in ("stream", "display_data", "execute_result")
        assert output.get("name") != "stderr", output
        for kind, value in output.get("data", {"text/plain": output.get("text", "")}).items():
            text = value if isinstance(value, str) else "".join(value)
            assert len(text) < 200_000, f"an output of {len(text):,} characters"
            if kind == "text/plain":
                assert not re.search(r"0x[0-9a-f]{6,}|/(?:tmp|home|root)/|[A-Z]:\\\\", text), text
    assert all(set(c) >= {"id"} and not c["metadata"] for c in notebook["cells"])


def test_the_readme_links_every_notebook():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(([^)]*\.ipynb)\)", text)) >= {path.name for path in NOTEBOOKS}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Jupyter's own parts
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name[:2])
def test_notebook_runs(path):
    """Execute a notebook, with its hidden solutions, in a kernel of its own."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"notebooks need {', '.join(missing)}")
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with_solutions = []
    for cell in notebook.cells:
        with_solutions.append(cell)
        if cell.cell_type == "markdown":
            with_solutions += [nbformat.v4.new_code_cell(source) for source in SOLUTION.findall(cell.source)]
    notebook.cells = with_solutions
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}})
    client.execute(env=env)
    printed = [o for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]
    assert not printed
