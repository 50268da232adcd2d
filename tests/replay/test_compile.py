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


# --- what refusals advise to write ------------------------------------------------------------------------------------

X, TABLE, STATE = np.array([1.0, -2.0, 3.0]), np.eye(4), Tensor(np.zeros(3), requires_grad=False)
LABELS = np.array([2, 0, 2])


def summed_by_labels(x, i):
    y = ag.Tensor(np.zeros(4), requires_grad=False)
    np.add.at(y, i, x)
    return y


def on_a_copy(x, _i):
    x = x.copy()
    x += 1
    x[0] = 5.0
    return x


def by_a_state(x, _i):
    STATE.assign(np.tanh(x + STATE))
    return STATE * 1


ADVICE = {
    "a choice": lambda x, _i: np.where(x > 0, np.sqrt(np.abs(x)), 0.0),
    "several choices": lambda x, _i: np.select([x > 2, x > 0], [x, np.sin(x)], -x),
    "an entry": lambda _x, i: ag.Tensor(TABLE, requires_grad=False)[i],
    "entries of a traced array": lambda x, i: np.take(x, i, axis=0),
    "numbers counted": lambda _x, i: np.bincount(i, minlength=4),
    "numbers compared": lambda _x, i: np.sum(i[:, None] == np.arange(4), axis=0),
    "sums by labels": summed_by_labels,
    "ends of segments": lambda x, _i: np.multiply.reduceat(x, (0, 2)),
    "joined": lambda x, _i: np.stack([x[0], x[1]]),
    "a copy": on_a_copy,
    "a state": by_a_state,
    "an axis": lambda x, _i: np.sum(x[None], axis=1),
}


@pytest.mark.parametrize("name", ADVICE)
def test_what_refusals_advise(name):
    f = ADVICE[name]
    compiled = ag.compile(f)
    STATE.assign(np.zeros(3))
    for x, i in ((X, LABELS), (2 * X[::-1].copy(), LABELS[::-1].copy()), (X, LABELS)):
        before = np.array(STATE.data)
        found = compiled(x, i)
        after = np.array(STATE.data)
        STATE.assign(before)
        wanted = f(x.copy(), i)
        identical(found, wanted.data if isinstance(wanted, Tensor) else wanted)
        identical(after, np.array(STATE.data))
    assert len(compiled.plans) == 1


def test_printing_at_every_replay(capsys):
    compiled = ag.compile(lambda x: (ag.fresh(print, x[0]), x * 2)[1])
    for x in (X, 2 * X, 3 * X):
        compiled(x)
    assert capsys.readouterr().out == "1.0\n2.0\n3.0\n"
