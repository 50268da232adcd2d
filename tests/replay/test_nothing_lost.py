"""What is easily lost between a recording and its replays: results of checkpoints, masks of numbers, refusals."""

import numpy as np
import pytest
from bits import identical

import autograd_core as ag
from autograd_core import Tensor

X = np.array([0.5, 1.5, 2.0])

# --- checkpoints ------------------------------------------------------------------------------------------------------

BLOCKS = {
    "a number": lambda a, b: np.sum(np.sin(a * b)),
    "an array": lambda a, b: np.sin(a * b),
    "two numbers": lambda a, b: (np.sum(a * b), np.sum(a) * b[0]),
    "a number and an array": lambda a, b: (np.mean(a * b), a * b**2),
    "a dict": lambda a, b: {"y": np.sum(a * b), "z": a + b},
    "the same twice": lambda a, b: (y := np.sum(a * b), y),
    "a checkpoint in a checkpoint": lambda a, b: ag.checkpoint(lambda c: np.sum(np.exp(c)))(a * b),
    "a checkpoint beside": lambda a, b: ag.checkpoint(np.sin)(a * b) + np.cos(a),
    "what is not tracked": lambda a, b: (np.sum(a), np.sum(b)),
    "an assignment": lambda a, b: set_first(a * b),
}


def set_first(y):
    y[0] = y[1] * 2
    return np.sum(y**2)


def total(tree):
    leaves = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, tuple) else [tree]
    return sum(np.sum(leaf * (i + 1.0)) for i, leaf in enumerate(leaves))


@pytest.mark.parametrize("w", [2.0, np.array([1.0, -1.0, 0.5]), np.float32(0.5)], ids=["float", "array", "float32"])
@pytest.mark.parametrize("name", BLOCKS)
def test_checkpoints_in_a_step(name, w):
    found = []
    for run in (lambda f: f, ag.compile):
        p = Tensor(w)

        def step(x, p=p):
            p.grad = None
            loss = total(ag.checkpoint(BLOCKS[name])(p, x))
            loss.backward()
            p.data = p.data - np.float32(0.1) * p.grad
            return loss, p.grad, p.data * 1

        run_step = run(step)
        found.append([run_step(X + k) for k in range(4)])
    identical(*found, 1e-6 if isinstance(w, np.float32) else 1e-13)


def second(f):
    return ag.grad(ag.grad(f))


def through_compiled(f):
    return ag.grad(ag.compile(f))


def growing(x):
    return x * np.exp(x)


def stacked(x):
    return np.sum(np.stack([x, x**2]))


@pytest.mark.parametrize("way", [ag.grad, ag.value_and_grad, second, through_compiled])
@pytest.mark.parametrize("f", [np.sin, growing, stacked])
def test_checkpoints_of_one_number(f, way):
    own = way(ag.checkpoint(f))
    compiled = ag.compile(own)
    for x in (0.5, 1.5, -2.0):
        identical(compiled(x), own(x), 1e-14)
        identical(compiled(x), way(f)(x), 1e-14)


@pytest.mark.parametrize("v", [np.ones(3), np.array([0.0, 1.0, -1.0])])
def test_second_derivatives_of_checkpoints(v):
    f = ag.checkpoint(lambda x: np.sum(np.sin(x) * x[0]))
    compiled = ag.compile(ag.hvp(f))
    for k in range(3):
        identical(compiled(X + k, v), ag.hvp(f)(X + k, v), 1e-14)


# --- selections of numbers --------------------------------------------------------------------------------------------

SELECTIONS = {
    "a root": lambda x: np.where(2 * x > 0, np.sqrt(2 * x), 0 * x),
    "a root beside a number": lambda x: np.where(2 * x > 0, np.sqrt(2 * x), 0.0),
    "a logarithm": lambda x: np.where(x > 0, np.log(x), x),
    "a quotient": lambda x: np.where(x * 2 != 0, np.sin(x) / x, x),
    "a sum over an array": lambda x: np.where(x > 0, np.sum(np.sqrt(np.ones(3, x.dtype) * x)), 0 * x),
    "two branches": lambda x: np.select([x > 0, x < 0], [np.sqrt(x), np.sqrt(-x)], 0 * x),
    "stacked": lambda x: np.sum(np.where(np.stack([x, 2 * x]) > 0, np.sqrt(np.stack([x, 2 * x])), 0 * x)),
    "nested": lambda x: np.where(x > -5, np.where(x > 0, x * np.sqrt(np.prod(np.stack([x, x, x]))), x), 3 * x),
}


@pytest.mark.filterwarnings("ignore:.*(invalid value|divide by zero):RuntimeWarning")
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("way", [ag.grad, ag.value_and_grad, second])
@pytest.mark.parametrize("name", SELECTIONS)
def test_masks_of_numbers_are_kept_at_every_call(name, way, dtype, first):
    own = way(SELECTIONS[name])
    compiled = ag.compile(own)
    for x in (first, 0, 1, 0.5, 0, -1):
        identical(compiled(dtype(x)), own(dtype(x)), 4 * np.finfo(dtype).eps)
