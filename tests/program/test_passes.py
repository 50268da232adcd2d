"""Passes on programs written by hand: what each takes out, what it must leave, and that the bits stay the same."""

import numpy as np
import pytest

import autograd_core as ag
from autograd_core.program.passes import forwards, optimised, raised_first, without_dead
from autograd_core.program.program import Equation, Program, Variable

X = np.array([[0.4, -1.2, 0.7], [1.9, 0.3, -0.6]])


class Written:
    """A program under construction: `w(np.sin, x)` adds an equation and returns its result."""

    def __init__(self, *values):
        self.equations = []
        self.count = 0
        self.inputs = [self.new("input", v) for v in values]

    def new(self, kind, value, source=None):
        self.count += 1
        return Variable(self.count - 1, kind, value, source)

    def constant(self, value):
        return self.new("constant", value, value)

    def __call__(self, fn, *inputs, **params):
        def plain(x):
            return x.value if type(x) is Variable else x

        value = fn(*map(plain, inputs), **{k: plain(v) for k, v in params.items()})
        out = self.new("value", value)
        self.equations.append(Equation(fn, fn, inputs, params, (out,)))
        return out

    def effect(self, effect, target, value):
        self.equations.append(Equation(None, None, (value,), {}, (), effect=effect, target=target))

    def call(self, fn, *inputs):
        out = self.new("value", fn(*[x.value for x in inputs]))
        self.equations.append(Equation(fn, fn, inputs, {}, (out,), effect="call"))
        return out

    def program(self, *outputs):
        return Program(self.inputs, self.equations, list(outputs))


def names(program):
    return [equation.title for equation in program]


def locked(a):
    a = np.array(a)
    a.flags.writeable = False
    return a


# --- what a pass takes out --------------------------------------------------------------------------------------------


def _folding(w, x):
    return w(np.multiply, x, w(np.exp, w.constant(locked([1.0, 2.0, 3.0]))))


def _folding_numbers(w, x):
    return w(np.multiply, x, w(np.exp, w.constant(np.float64(0.5))))


def _folding_chains(w, x):
    c = w(np.sin, w(np.cos, w.constant(locked(np.ones(3)))))
    return w(np.add, x, c)


def _not_what_may_change(w, x):
    return w(np.multiply, x, w(np.exp, w.constant(np.ones(3))))


def _times_one(w, x):
    return w(np.sin, w(np.multiply, x, 1))


def _one_times(w, x):
    return w(np.sin, w(np.multiply, 1.0, x))


def _plus_nothing(w, x):
    return w(np.sin, w(np.add, -0.0, w(np.subtract, w(np.true_divide, x, 1), 0)))


def _not_plus_zero(w, x):
    return w(np.add, w(np.add, x, 0.0), w(np.add, 0, x))


def _not_minus_minus_zero(w, x):
    return w(np.sin, w(np.subtract, x, -0.0))


def _not_of_complex_numbers(w, x):
    return w(np.multiply, w(np.multiply, x, 1j), 1)


def _counts(w, x):
    return w(np.add, w(np.argsort, x), 0)


def _not_nothing_minus(w, x):
    return w(np.sin, w(np.subtract, 0, x))


def _not_to_another_dtype(w, x):
    return w(np.sin, w(np.multiply, w(np.greater, x, 0), 1))


def _masks(w, x):
    return w(np.where, w(np.not_equal, w(np.greater, x, 0), 0), x, 0.0)


def _not_numbers_compared(w, x):
    return w(np.where, w(np.not_equal, x, 0), x, 0.0)


def _the_same_twice(w, x):
    return w(np.add, w(np.sin, x), w(np.sin, x))


def _not_the_other_sign(w, x):
    return w(np.add, w(np.multiply, x, 0.0), w(np.multiply, x, -0.0))


def _not_another_type(w, x):
    return w(np.add, w(np.multiply, x, 2), w(np.multiply, x, np.float32(2)))


def _stretched(w, x):
    return w(np.multiply, x, w(np.broadcast_to, w(np.sum, x), (2, 3)))


def _not_all_stretched(w, x):
    a = w(np.broadcast_to, w(np.sum, x), (2, 3))
    return w(np.add, a, a)


def _dead(w, x):
    w(np.exp, x)
    return w(np.sin, x)


CASES = {  # what is written, and the operations that are left
    "a locked constant is folded": (_folding, ["multiply"]),
    "a number is folded": (_folding_numbers, ["multiply"]),
    "what is made of constants is folded": (_folding_chains, ["add"]),
    "an array that may change is not": (_not_what_may_change, ["exp", "multiply"]),
    "x * 1": (_times_one, ["sin"]),
    "1.0 * x": (_one_times, ["sin"]),
    "-0.0 + (x / 1 - 0)": (_plus_nothing, ["sin"]),
    "x + 0.0 is not, for x = -0.0": (_not_plus_zero, ["add", "add", "add"]),
    "x - -0.0 is not, for x = -0.0": (_not_minus_minus_zero, ["subtract", "sin"]),
    "1 times an infinite complex number is NaN": (_not_of_complex_numbers, ["multiply", "multiply"]),
    "integers + 0": (_counts, ["argsort"]),
    "0 - x is another": (_not_nothing_minus, ["subtract", "sin"]),
    "mask * 1 is another dtype": (_not_to_another_dtype, ["greater", "multiply", "sin"]),
    "mask != 0": (_masks, ["greater", "where"]),
    "x != 0 of numbers": (_not_numbers_compared, ["not_equal", "where"]),
    "the same twice": (_the_same_twice, ["sin", "add"]),
    "0.0 and -0.0 are different": (_not_the_other_sign, ["multiply", "multiply", "add"]),
    "2 and float32(2) are different": (_not_another_type, ["multiply", "multiply", "add"]),
    "a stretched operand": (_stretched, ["sum", "multiply"]),
    "nothing else has the shape": (_not_all_stretched, ["sum", "broadcast_to", "add"]),
    "what nobody reads": (_dead, ["sin"]),
}


@pytest.mark.parametrize("case", CASES)
def test_passes_leave_what_is_needed_and_the_bits(case):
    write, left = CASES[case]
    w = Written(X)
    program = w.program(write(w, *w.inputs))
    before = names(program)
    better = optimised(program)
    assert names(better) == left
    assert names(program) == before, "a pass has changed the program that it was given"
    for x in (X, -X, X * np.nan, X * 1e300, X * np.inf, X * 0.0):
        with np.errstate(all="ignore"):
            (found,), (want,) = better.run([x]), program.run([x])
            np.testing.assert_array_equal(found, want)
            assert np.array_equal(np.signbit(np.real(found)), np.signbit(np.real(want)))  # -0.0 is not 0.0


def test_a_result_may_be_an_input():
    w = Written(X)
    (x,) = w.inputs
    assert optimised(w.program(w(np.multiply, x, 1))).outputs == [x]


# --- effects ----------------------------------------------------------------------------------------------------------


def test_what_has_an_effect_stays_in_order():
    w = Written(X)
    (x,) = w.inputs
    t = ag.Tensor(np.zeros((2, 3)))
    w.call(np.sin, x)
    w.call(np.sin, x)
    w.effect("gradient", t._node, w(np.sin, x))
    w.effect("assign", t, w(np.cos, x))
    program = optimised(w.program())
    assert [e.effect for e in program] == ["call", "call", "", "gradient", "", "assign"]
    program.run([X])
    np.testing.assert_array_equal(t.data, np.cos(X))
    np.testing.assert_array_equal(t.grad, np.sin(X))


def test_a_copy_of_what_changes_is_kept():
    w = Written(X)
    (x,) = w.inputs
    t = ag.Tensor(np.ones((2, 3)))
    before = w.new("tensor", t.data, t)
    kept = w(np.multiply, before, 1)
    w.effect("assign", t, x)
    program = w.program(kept)
    assert names(forwards(program)) == ["multiply", "assign"]
    np.testing.assert_array_equal(program.run([X])[0], np.ones((2, 3)))


def test_what_may_raise_comes_before_the_first_change():
    w = Written(np.eye(2), X)
    a, x = w.inputs
    t = ag.Tensor(np.zeros((2, 3)))
    w.effect("assign", t, w(np.sin, x))
    inverse = w(np.linalg.inv, w(np.add, a, a))
    w.effect("assign", t, w(np.matmul, inverse, x))
    order = names(raised_first(w.program()))
    assert order.index("inv") < order.index("assign")
    assert sorted(order) == sorted(names(w.program()))


def test_what_may_raise_stays_behind_a_call():
    w = Written(np.eye(2))
    (a,) = w.inputs
    t = ag.Tensor(np.zeros((2, 2)))
    w.effect("assign", t, a)
    drawn = w.call(np.copy, a)
    w(np.linalg.inv, drawn)
    assert names(raised_first(w.program())) == ["assign", "copy", "inv"]


def test_dead_code_goes_with_all_it_needs():
    w = Written(X)
    (x,) = w.inputs
    w(np.exp, w(np.sin, w(np.cos, x)))
    assert names(without_dead(w.program(x))) == []
