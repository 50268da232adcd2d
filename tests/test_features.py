"""What the README's table says of us is so."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import autograd_core as ag

ROOT = Path(__file__).parents[1]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


features, calls, orders = load("features"), load("calls"), load("orders")


@pytest.mark.parametrize("row", features.CAN)
def test_we_can(row):
    assert row("ours", lambda f, x: ag.grad(f)(x), np)


@pytest.mark.parametrize("row", features.CANNOT)
def test_we_cannot(row):
    if row is features.bfloat16:
        pytest.importorskip("ml_dtypes", reason="NumPy has no bfloat16 of its own")
    assert features.attempt(row, "ours", lambda f, x: ag.grad(f)(x), np) is False


CALLS = calls.calls()


@pytest.mark.filterwarnings("ignore")  # of the functions that NumPy is about to drop
@pytest.mark.parametrize("call", CALLS)
def test_calls_through_plain_numpy(call):
    assert calls.verdict(call, lambda f, x: ag.grad(f)(x)) == "right"


@pytest.mark.parametrize(
    ("gradient", "verdict"),
    [(lambda f, x: -ag.grad(f)(x), "wrong"), (lambda f, x: f(x).grad, "raises"), (lambda f, x: ag.grad(f)(x)[:2], "wrong")],
    ids=["sign", "none", "shape"],
)  # fmt: skip
def test_a_call_that_is_not_right_is_counted_so(gradient, verdict):
    assert calls.verdict("np.sin(x)", gradient) == verdict


FUNCTIONS = [text for text, _ in orders.functions()]


@pytest.mark.parametrize("kind", ["second", "forward"])
@pytest.mark.parametrize("text", FUNCTIONS)
def test_second_derivatives_and_forward_mode(text, kind):
    own, array, ways = orders.words("ours")
    assert orders.verdict(text, own, array, ways[kind], orders.expected(text)[kind]) == "right"


def test_we_cannot_map_over_a_batch():
    assert "batch" not in orders.words("ours")[2]
    assert not hasattr(ag, "vmap")


@pytest.mark.parametrize(
    ("way", "verdict"),
    [(lambda f: -f(orders.X), "wrong"), (lambda f: f(orders.X).grad, "raises"), (lambda _: orders.X, "wrong")],
    ids=["sign", "none", "shape"],
)
def test_a_function_that_is_not_right_is_counted_so(way, verdict):
    assert orders.verdict("np.sin(x)", np, np.asarray, way, np.array(np.sum(np.sin(orders.X) ** 2))) == verdict


def test_the_readme_counts_the_functions():
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for kind, title in orders.TITLES.items():
        start = f"| {title.format(len(FUNCTIONS))} |"
        (row,) = [line for line in readme if line.startswith(start)]
        cells = row.removeprefix(start).strip(" |").split(" | ")
        assert cells[0] == ("no" if kind == "batch" else f"{len(FUNCTIONS)} / 0 / 0")
        assert len(cells) == len(features.NAMES)
        assert all(cell == "no" or sum(map(int, cell.split(" / "))) == len(FUNCTIONS) for cell in cells)


def test_the_readme_counts_the_calls():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    title = f"| Of {len(CALLS)} calls through plain `numpy`: right / raises / wrong |"
    (row,) = [line for line in readme.splitlines() if line.startswith(title)]
    ours, *others = row.removeprefix(title).strip(" |").split(" | ")
    assert ours == f"{len(CALLS)} / 0 / 0"
    assert others.pop() == "–"  # micrograd has no arrays
    assert all(sum(map(int, cell.split(" / "))) == len(CALLS) for cell in others)


def test_the_readme_has_every_row():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in features.ROWS:
        assert f"| {row.__doc__.rstrip('.')} | {'yes' if row in features.CAN else 'no'} |" in readme
