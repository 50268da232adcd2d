"""Does `ag.explain` name the origin? `python -m benchmarks.diagnosis` plants faults in random programs and asks it.

Each fault is one entry of one operation in the middle of a random program of about 30 lines: the programs are written as
source, so that the line that must be named is known. Then it measures what `ag.debug()` costs where it is off.
"""

import argparse
import linecache
import statistics
import sys
import time

import numpy as np

import autograd_core as ag
from autograd_core import explain
from autograd_core.state import PLAIN, STATE

SHAPE = (3, 4)

# (expression of z, the value of z at the entry, a harmless value for all others, the operation to be named)
FAULTS = [
    ("np.log(z)", 0.0, 0.5, "log"),
    ("np.log(z)", -1.0, 0.5, "log"),
    ("np.log2(z)", 0.0, 0.5, "log2"),
    ("np.log10(z)", -2.0, 0.5, "log10"),
    ("np.log1p(z)", -1.0, 0.5, "log1p"),
    ("np.sqrt(z)", 0.0, 0.5, "sqrt"),
    ("np.sqrt(z)", -0.25, 0.5, "sqrt"),
    ("np.cbrt(z)", 0.0, 0.5, "cbrt"),
    ("np.exp(z)", 1000.0, 0.5, "exp"),
    ("1 / (1 + np.exp(z))", 800.0, 0.5, "exp"),
    ("np.exp(z * z * 300) / 9", 2.0, 0.05, "exp"),
    ("np.expm1(z)", 1000.0, 0.5, "expm1"),
    ("np.cosh(z)", 800.0, 0.5, "cosh"),
    ("1 / z", 0.0, 0.5, "divide"),
    ("z / z", 0.0, 0.5, "divide"),
    ("np.reciprocal(z)", 0.0, 0.5, "reciprocal"),
    ("z ** 0.5", 0.0, 0.5, "power"),
    ("z ** 1.5", -1.0, 0.5, "power"),
    ("np.power(z, z)", -0.5, 0.5, "power"),
    ("np.arcsin(z)", 1.0, 0.5, "arcsin"),
    ("np.arccos(z)", 1.5, 0.5, "arccos"),
    ("np.arctanh(z)", 1.0, 0.5, "arctanh"),
    ("np.arccosh(z + 1)", 0.0, 0.5, "arccosh"),
    ("np.square(z)", 1e200, 0.5, "square"),
    ("z * np.where(z > 1e3, np.inf, 1.0)", 2e3, 0.5, "multiply"),
    ("z - np.where(z > 1e3, np.nan, 1.0)", 2e3, 0.5, "subtract"),
]  # fmt: skip

STEPS = [
    "np.tanh({a})", "np.sin({a})", "{a} * 0.5 + {b}", "{a} * {b}", "np.cos({a}) - {b}", "np.arctan({a} + {b})", "{a}.copy()",
    "np.exp(-{a} * {a}) + {b}", "np.hypot({a}, 1 + np.tanh({b}))", "{a} / (2 + np.sin({b}))", "np.logaddexp({a}, {b})",
    "{a} @ np.eye(4) * 0.9", "np.reshape({a}.T.T, (3, 4)) + 0.1 * {b}", "np.cumsum({a}, axis=1) / 4", "np.roll({a}, 1, axis=0)",
    "np.where(np.arange(4) % 2 == 0, {a}, {b})", "{a} - np.mean({b}, axis=0)", "np.concatenate([{a}[1:], {b}[:1]])",
]  # fmt: skip


def program(k):
    """Return the source of a random program with a fault: its text, the line, the entry and the operation at fault."""
    rng = np.random.default_rng(k)
    expression, value, harmless, operation = FAULTS[k % len(FAULTS)]
    at = tuple(int(rng.integers(n)) for n in SHAPE)
    lines, names = ["def f(x, y):"], ["x", "y"]

    def step():
        a, b = (names[-1 - int(rng.integers(min(3, len(names))))] for _ in range(2))
        lines.append(f"    v{len(lines)} = " + STEPS[int(rng.integers(len(STEPS)))].format(a=a, b=b))
        names.append(f"v{len(lines) - 1}")

    for _ in range(int(rng.integers(2, 14))):
        step()
    lines.append("    hole = np.ones((3, 4))")
    lines.append(f"    hole[{at}] = 0.0")
    lines.append(f"    z = np.where(hole == 0, {value!r}, {harmless!r}) + 0.01 * np.sin({names[-1]}) * hole")
    lines.append(f"    w = {expression}")
    line = len(lines)
    lines.append(f"    v{len(lines)} = w + 0.1 * {names[-1]}")
    names.append(f"v{len(lines) - 1}")
    for _ in range(int(rng.integers(2, 14))):
        step()
    lines.append(f"    return np.sum({names[-1]}) + np.mean(w)")
    return "\n".join(lines) + "\n", line, at, operation


def judge(k, how):
    """Return whether operation, line and entry are named exactly, and what was said."""
    source, line, at, operation = program(k)
    path = f"<fault {k}>"
    linecache.cache[path] = len(source), None, source.splitlines(keepends=True), path
    space = {"np": np}
    exec(compile(source, path, "exec"), space)
    rng = np.random.default_rng(10_000 + k)
    x, y = rng.uniform(-1, 1, SHAPE), rng.uniform(-1, 1, SHAPE)
    if how == "function":
        e = explain(space["f"], x, y)
    else:
        with ag.debug(), np.errstate(all="ignore"):
            loss = space["f"](ag.Tensor(x), ag.Tensor(y))
            if how == "after backward":
                loss.backward()
        e = explain(loss)
    right = (e.operation, e.line, e.index) == (operation, f"{path}:{line}", at) and e.kind in ("nan", "inf")
    return right, f"expected {operation} at {path}:{line} {at}\n{source.splitlines()[line - 1]}\n{e}"


def cost_off():
    """Return the share of an XOR training step that asking for the switch takes, as an upper bound."""
    import nn

    X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
    model = nn.MLP([2, 4, 1], rng=0)
    params = list(model.parameters())

    def step():
        loss = nn.mse(model(X), y)
        loss.backward()
        for p in params:
            p.data -= 0.1 * p.grad
            p.grad = None
        return loss

    operations = len(explain_path(step()))
    get, rounds, inner = STATE.get, [], 200_000

    def asking():
        for _ in range(inner):
            state = get()
            if state is not PLAIN and state.noted:
                raise AssertionError

    def nothing():
        for _ in range(inner):
            pass

    for _ in range(9):
        t = [timed(asking), timed(nothing), timed(lambda: [step() for _ in range(300)])]
        rounds.append(operations * (t[0] - t[1]) / inner / (t[2] / 300))
    return operations, statistics.median(rounds)


def explain_path(loss):
    from autograd_core.sweep import order

    return [n for n in order([loss._node]) if n.op is not None]


def timed(f):
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def main(argv=None):
    """Run, print, and return the exit status: 1 if an origin was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnosis", description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=50)
    args = parser.parse_args(argv)
    missed = 0
    for how in ("function", "debug", "after backward"):
        results = [judge(k, how) for k in range(args.faults)]
        for right, text in results:
            if not right:
                print(text, end="\n\n")
        found = sum(right for right, _ in results)
        missed += args.faults - found
        print(f"{how:15} origins named exactly (operation, line, entry): {found} of {args.faults}")
    operations, share = cost_off()
    print(f"debug off: at most {100 * share:.2f} % of an XOR step of {operations} operations")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
