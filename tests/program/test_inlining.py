"""Operations that compiled programs write out: declared with the rule, and true of every one that is."""

import numpy as np
import pytest

import autograd_core as ag
import nn
from autograd_core.rules import RULES

X = np.linspace(-2, 2, 12).reshape(4, 3)
DECLARED = [fn for fn, op in RULES.items() if op.inline]


def titles(f, *args):
    compiled = ag.compile(f)
    compiled(*args)
    return [e.title for e in compiled.plan.program]


@pytest.mark.parametrize("fn", DECLARED, ids=[f"{k} {RULES[fn].name}" for k, fn in enumerate(DECLARED)])
def test_what_is_declared_has_a_body(fn):
    assert hasattr(fn, "__wrapped__")
    assert not RULES[fn].joint
    assert not RULES[fn].outputs


def test_layers_and_losses_are_declared():
    names = {RULES[fn].name for fn in DECLARED}
    assert {"linear", "sigmoid", "softmax", "log_softmax", "cross_entropy", "mse", "huber", "embedding"} <= names


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "f", [nn.sigmoid, nn.softplus, nn.elu, nn.gelu, nn.silu, nn.leaky_relu, nn.softmax, nn.log_softmax],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_the_bits_are_the_same(f, dtype):
    x = X.astype(dtype)
    assert f.__name__ not in titles(lambda x: f(x) + 1, x)
    assert ag.compile(lambda x: f(x) + 1)(x).tobytes() == (f(x) + 1).tobytes()


def test_a_plain_operand_beside_a_tensor():
    layer = nn.Linear(3, 2, rng=0)
    assert "linear" not in titles(lambda y: layer(X) * y, 2.0)


def test_what_is_not_declared_stays_one():
    assert "_valid" in titles(lambda x: nn.cross_entropy(x, np.array([0, 1, 2, 0])), X)  # it looks at the labels


def test_a_body_that_gives_other_bits_stays_one():
    @ag.primitive
    def doubled(x):
        return x * 2 if isinstance(x, np.ndarray) else x * 2 * (1 + 2**-52)

    ag.rule(doubled, lambda g: g * 2, inline=True, trusted=True)
    try:
        assert "doubled" in titles(lambda x: doubled(x) + 1, X)
    finally:
        del RULES[doubled]
