"""What is captured: run equation by equation, a program gives what the function gives, at other values too."""

import numpy as np
import pytest
from bits import identical
from samples import name_of
from test_recording import A2, B2, REPLAYED, A, B
from test_rules import FUNCTIONS, cases

import autograd_core as ag
from autograd_core import Tensor
from autograd_core.program.tracing import trace
from autograd_core.tree import flatten

BOUND = 1e-13  # where a mask takes the place of a branch; most agree to the last bit
BY_VALUES = {  # whose shapes depend on values, or who ask for values
    "np.polymul", "np.trim_zeros", "np.polydiv", "ops.scientific.logm", "scipy.linalg._matfuncs.logm",
    *(f"np.{f}" for f in "unique unique_all unique_counts unique_inverse unique_values".split()),
    *(f"np.{f}" for f in "union1d intersect1d setdiff1d setxor1d".split()),
    *(f"np.lib.scimath.{f}" for f in "sqrt log log2 log10 arccos arcsin arctanh power logn".split()),
}  # fmt: skip
ON_LEAVES = ("pulled back", "accumulated", "training")
BY_MASKS = ("selecting by a mask", "indexing by a mask")


def plain(results):
    return [v.data if isinstance(v, ag.Tensor) else v for v in flatten(results)[0]]


@pytest.mark.parametrize("fn", FUNCTIONS, ids=name_of)
def test_a_run_of_every_operation(fn):
    found = next((c for c in cases(fn, (np.float64,), True, 0) if c.x), None)
    if found is None:
        pytest.skip("no arguments to differentiate by")
    w = found.like(found.f(found.x))

    def f(*x):
        value, pull = ag.vjp(lambda *x: found.f(x), *x)
        return value, pull(w)

    if name_of(fn) in BY_VALUES:
        pytest.skip("depends on values")
    program = trace(f)(*found.x)
    for factor in (1.0, 1.0 - 2e-3):
        x = tuple((a * factor).astype(a.dtype) for a in found.x)
        identical(plain(program(*x)), plain(f(*x)), BOUND)


@pytest.mark.parametrize("name", [name for name in REPLAYED if name not in BY_MASKS])
def test_a_run_equals_eager(name):
    def f(x, y):
        return REPLAYED[name](*((Tensor(x), Tensor(y)) if name in ON_LEAVES else (x, y)))

    program = trace(f)(A, B)
    for x, y in ((A, B), (A2, B2), (B, A)):
        identical(program(x, y), REPLAYED[name](Tensor(x), Tensor(y)))
