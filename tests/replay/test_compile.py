"""A compiled function: the same bits as the function itself, at other values too."""

import numpy as np
import pytest
from bits import identical
from hypothesis import Phase, given, settings
from test_random_programs import draw_like, run, shapes, steps
from test_recording import A2, B2, REPLAYED, A, B

import autograd_core as ag
from autograd_core import Tensor

ON_LEAVES = ("pulled back", "accumulated", "training")


BY_MASKS = ("selecting by a mask", "indexing by a mask")  # whose shapes depend on values: refused


@pytest.mark.parametrize("name", [name for name in REPLAYED if name not in BY_MASKS])
def test_replay_equals_eager(name):
    program = REPLAYED[name]

    def f(x, y):
        return program(*((Tensor(x), Tensor(y)) if name in ON_LEAVES else (x, y)))

    compiled = ag.compile(f)
    for x, y in ((A, B), (A2, B2), (B, A)):
        identical(compiled(x, y), program(Tensor(x), Tensor(y)))
    assert len(compiled.plans) == 1


@settings(max_examples=15, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(steps, shapes)
def test_replay_equals_eager_on_random_programs(steps, shapes):
    rng = np.random.default_rng(0)
    # What parts of an array send back is added up in another order in a recorded sweep: a last bit or two.
    parts = {"assign", "pick", "scalar", "halves", "flip", "stack", "dot"}
    reordered = 1e-13 if any(name in parts for name, *_ in steps) else 0

    def f(*x):
        out, loss = run(steps, x)
        return out, loss

    def first_order(*x):
        t = [Tensor(a) for a in x]
        loss = run(steps, t)[1]
        loss.backward()
        return loss, [p.grad for p in t]

    for program in (f, first_order, ag.value_and_grad(lambda *x: run(steps, x)[1], tuple(range(len(shapes))))):
        compiled = ag.compile(program)
        for _ in range(3):
            x = draw_like(rng, [np.zeros(s) for s in shapes])
            identical(compiled(*x), program(*x), 0 if program is f else reordered)
        assert len(compiled.plans) == 1
