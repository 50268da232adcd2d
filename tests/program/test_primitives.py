"""The table of primitives: every operation with a rule has a way to run, and no other file asks for one by name."""

import ast
from pathlib import Path

import numpy as np
import pytest

import autograd_core as ag
from autograd_core.program import primitives, program
from autograd_core.program.primitives import CALLED, PRIMITIVES, VIEWS, WRITABLE, described, form_of
from autograd_core.program.tracing import trace
from autograd_core.replay.kernels import FORMS
from autograd_core.rules import COMPOSITES, CONSTANTS, RULES

EFFECTS = {"assign", "gradient", "check", "call"}
PYTHON = {"add", "sub", "mul", "truediv", "neg", "pos", "pow", "abs", "_square", "conjugate"}
HOUSE = Path(program.__file__).parents[1]
X = np.array([[0.4, -1.2, 0.7], [1.9, 0.3, -0.6]])


def test_every_form_can_be_written():
    words = {row.form for row in PRIMITIVES.values()} | {row.otherwise for row in PRIMITIVES.values()}
    assert words <= {*FORMS, *EFFECTS}
    assert {*FORMS, "group"} >= VIEWS | WRITABLE | CALLED


def test_rows_are_of_operations_that_are_recorded():
    """A row nobody can meet would be a row nobody tests."""
    known = {*RULES, *CONSTANTS, *COMPOSITES}  # these last as what `plain` calls
    strange = [fn for fn in PRIMITIVES if fn not in known and getattr(fn, "__name__", "") not in PYTHON]
    assert not strange


MET = {  # a function of a matrix in whose program the form is met
    "copy": lambda x: np.copy(x),
    "dot": lambda x: np.dot(x, x.T),
    "front": lambda x: ag.grad(lambda b: np.sum(x * b))(np.ones(3)),
    "item": lambda x: x[[1, 0]],
    "join": lambda x: np.concatenate([x, x]),
    "matmul": lambda x: x @ x.T,
    "mean": lambda x: np.mean(x, axis=0),
    "number": lambda x: np.sum(x),
    "part": lambda x: x[0],
    "reduction": lambda x: np.max(x, axis=1),
    "reshape": lambda x: np.reshape(x, (3, 2)),
    "scatter": lambda x: ag.grad(lambda a: np.sum(a[0] ** 2))(x),
    "selection": lambda x: np.where(x > 0, x, 0),
    "setitem": lambda x: _set(x * 1.5),
    "stretch": lambda x: np.broadcast_to(x, (2, 2, 3)),
    "transpose": lambda x: x.T,
    "ufunc": lambda x: np.sin(x),
}


def _set(x):
    x[0, 0] = 2.0
    return x


def test_every_form_is_met():
    assert set(MET) == set(FORMS) - EFFECTS


@pytest.mark.parametrize("form", MET)
def test_what_has_the_form_runs_as_numpy_does(form):
    f = MET[form]
    traced = trace(f)(X)
    assert form in [form_of(equation) for equation in traced]
    compiled, want = ag.compile(f), np.asarray(ag.stop_gradient(f(ag.Tensor(-X))))
    compiled(X)
    for found in (compiled(-X), traced(-X)):
        np.testing.assert_array_equal(found, want, strict=True)


def test_what_has_no_row_is_called_and_says_so():
    assert described(trace(lambda x: np.sum(np.sort(x)))(X)) == "1 sort: call\n1 sum: number"
    assert np.sort not in PRIMITIVES


@pytest.mark.parametrize(
    "path",
    [p for folder in ("program", "replay") for p in sorted((HOUSE / folder).rglob("*.py")) if p.stem != "primitives"],
    ids=lambda p: f"{p.parent.name}/{p.stem}",
)
def test_only_the_table_asks_for_an_operation_by_name(path):
    named = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        and any(getattr(x, "attr", "") == "operation" for x in (node.left, *node.comparators))
    ]
    assert not named


def test_the_table_is_read_in_one_place():
    """Columns are asked for through `row_of`, or by what captures, before there is an equation."""
    asking = {
        p.stem for f in ("program", "replay") for p in (HOUSE / f).rglob("*.py") if "PRIMITIVES" in p.read_text("utf-8")
    }
    assert asking == {"primitives", "capture", "calls"}
    assert callable(primitives.row_of)
