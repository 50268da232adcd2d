"""Every operation under `ag.compile`: values and gradients of its samples, or a refusal that says why."""

import numpy as np
import pytest
from bits import identical
from samples import name_of
from test_rules import FUNCTIONS, cases

import autograd_core as ag
from autograd_core.tree import flatten

BOUND = 1e-13  # where a mask takes the place of a branch; most agree to the last bit
BY_SHAPE = r"has as many entries as there are True ones"
DIFFERENT = r"has as many entries as there are different ones"
BY_DTYPE = r"gives real or complex numbers, as the values want it"
REFUSED = {
    **dict.fromkeys(["np.polymul", "np.trim_zeros"], BY_SHAPE),
    **{f"np.{f}": DIFFERENT for f in "unique unique_all unique_counts unique_inverse unique_values".split()},
    **{f"np.{f}": DIFFERENT for f in "union1d intersect1d setdiff1d setxor1d".split()},
    "np.polydiv": r"bool\(\)",  # leading coefficients that are close to 0 are left out
    **{f"np.lib.scimath.{f}": BY_DTYPE for f in "sqrt log log2 log10 arccos arcsin arctanh power logn".split()},
    "ops.scientific.logm": "global generator",
    "scipy.linalg._matfuncs.logm": "global generator",
}


def plain(results):
    return [v.data if isinstance(v, ag.Tensor) else v for v in flatten(results)[0]]


@pytest.mark.parametrize("fn", FUNCTIONS, ids=name_of)
def test_replay_of_every_operation(fn):
    found = next((c for c in cases(fn, (np.float64,), True, 0) if c.x), None)
    if found is None:
        pytest.skip("no arguments to differentiate by")
    w = found.like(found.f(found.x))

    def program(*x):
        value, pull = ag.vjp(lambda *x: found.f(x), *x)
        return value, pull(w)

    if name_of(fn) in REFUSED:
        with pytest.raises(ag.GraphError, match=REFUSED[name_of(fn)]):
            ag.compile(program)(*found.x)
        return
    compiled = ag.compile(program)
    for factor in (1.0, 1.0 - 2e-3):
        x = tuple((a * factor).astype(a.dtype) for a in found.x)
        identical(plain(compiled(*x)), plain(program(*x)), BOUND)
        identical(plain(compiled(*x)), plain(program(*x)), BOUND)


def test_a_selection_below_a_quantile():
    def f(x):
        chosen = np.where(x > 0, np.sqrt(np.abs(x)), 0.0)
        return np.median(np.concatenate([np.abs(x), chosen])) + np.sum(np.quantile(np.minimum(x, 0.1), [0.2, 0.7]))

    slope, rng = ag.value_and_grad(f), np.random.default_rng(0)
    compiled = ag.compile(slope)
    for _ in range(4):
        x = rng.normal(size=7)
        identical(compiled(x), slope(x), BOUND)
