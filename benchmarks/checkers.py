"""False alarms and misses of gradient checkers: `python -m benchmarks.checkers`, ten minutes.

Functions with Jacobians known in closed form, at 1 to 5 entries of sizes from 1e-6 to 1e6, are given to `ag.gradcheck` and to
the criteria of PyTorch, HIPS autograd, JAX and Chainer: first with the right Jacobian, then with wrong ones. A false alarm is
a right one that is refused, a miss a wrong one that is not. The peers' criteria are written here from their sources (steps,
directions, tolerances, in float64): their drivers would time their frameworks, and want a rule for each function.
"""

import argparse
import collections
import sys
import time
import warnings

import numpy as np

import autograd_core as ag

# --- functions: values, Jacobian, where they are defined ---------------------------------------------------------------


def entrywise(f, slope, domain=lambda x: x):
    return f, lambda x: np.diag(np.asarray(slope(x))), domain


def others(x, how):
    return np.array([how(np.delete(x, i)) for i in range(len(x))])


def softmax(x):
    e = np.exp(x - np.max(x))
    return e / np.sum(e)


def softmax_jacobian(x):
    p = softmax(x)
    return -np.outer(p, p) * (1 - np.eye(len(x))) + np.diag(p * others(p, np.sum))


def share_jacobian(x):
    s = np.sum(x)
    return (np.diag(others(x, np.sum)) - x[:, None] * (1 - np.eye(len(x)))) / s**2


MIX = np.array([[0.7, -1.3, 0.2, 2.1, 0.9], [1.9, 0.4, -0.8, 0.3, -1.1], [-0.6, 1.2, 1.7, -0.5, 0.8]])
with_sign = lambda x: x
positive = np.abs
FUNCTIONS = {
    "sin": entrywise(np.sin, np.cos),
    "exp": entrywise(np.exp, np.exp),
    "log": entrywise(np.log, lambda x: 1 / x, positive),
    "sqrt": entrywise(np.sqrt, lambda x: 0.5 / np.sqrt(x), positive),
    "square": entrywise(np.square, lambda x: 2 * x),
    "cube": entrywise(lambda x: x**3, lambda x: 3 * x**2),
    "reciprocal": entrywise(lambda x: 1 / x, lambda x: -1 / x**2),
    "tanh": entrywise(np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "sigmoid": entrywise(lambda x: 1 / (1 + np.exp(-x)), lambda x: 0.25 / np.cosh(x / 2) ** 2),
    "softplus": entrywise(lambda x: np.logaddexp(0, x), lambda x: 1 / (1 + np.exp(-x))),
    "arctan": entrywise(np.arctan, lambda x: 1 / (1 + x**2)),
    "arcsin": entrywise(np.arcsin, lambda x: 1 / np.sqrt((1 - x) * (1 + x)), lambda x: x / (1 + np.abs(x))),
    "log1p": entrywise(np.log1p, lambda x: 1 / (1 + x), positive),
    "expm1": entrywise(np.expm1, np.exp),
    "abs": entrywise(np.abs, np.sign),
    "relu": entrywise(lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
    "leaky": entrywise(lambda x: np.where(x > 0, x, 0.99 * x), lambda x: np.where(x > 0, 1, 0.99)),
    "tiny": entrywise(lambda x: 1e-6 * np.sin(x), lambda x: 1e-6 * np.cos(x)),
    "on a pedestal": entrywise(lambda x: 1e8 + np.sin(x), np.cos),
    "on a high pedestal": entrywise(lambda x: 1e8 + x * x, lambda x: 2 * x),
    "x sin x": entrywise(lambda x: x * np.sin(x), lambda x: np.sin(x) + x * np.cos(x)),
    "power": entrywise(lambda x: x**1.5, lambda x: 1.5 * np.sqrt(x), positive),
    "softmax": (softmax, softmax_jacobian, with_sign),
    "logsumexp": (lambda x: np.max(x) + np.log(np.sum(np.exp(x - np.max(x)))), softmax, with_sign),
    "norm": (lambda x: np.sqrt(np.sum(x * x)), lambda x: x / np.sqrt(np.sum(x * x)), with_sign),
    "product": (np.prod, lambda x: others(x, np.prod), with_sign),
    "share": (lambda x: x / np.sum(x), share_jacobian, positive),
    "linear": (lambda x: MIX[:, : len(x)] @ x, lambda x: MIX[:, : len(x)], with_sign),
    "running squares": (lambda x: np.cumsum(x * x), lambda x: np.tril(np.tile(2 * x, (len(x), 1))), with_sign),
    "neighbours": (
        lambda x: x * np.roll(x, 1), lambda x: np.diag(np.roll(x, 1)) + np.roll(np.eye(len(x)), -1, 1) * x[:, None], with_sign,
    ),
}  # fmt: skip
MISTAKES = {
    "x (1 + 1e-5)": lambda J: J * (1 + 1e-5),
    "x 1.001": lambda J: J * 1.001,
    "x 2": lambda J: J * 2,
    "negated": lambda J: -J,
    "one entry 0": lambda J: changed(J, 0.0),
    "one entry x 1.01": lambda J: changed(J, 1.01),
    "columns rolled": lambda J: np.roll(J, 1, axis=-1),
}


def changed(J, factor):
    """Change one entry that is not 0: the middle one of them."""
    J = J.copy()
    at = np.flatnonzero(J)
    if len(at):
        J.reshape(-1)[at[len(at) // 2]] *= factor
    return J


# --- criteria: is this Jacobian right? ---------------------------------------------------------------------------------


def matrix(J):
    return J.reshape(-1, J.shape[-1])


def ours(full):
    def check(f, J, x, seed):
        report = ag.gradcheck(f, x, gradient=lambda _: J, raises=False, full=full, seed=seed)
        return report.verdict if report.verdict == "inconclusive" else "right" if report else "wrong"

    return check


def differences(f, x, v, step):
    return np.atleast_1d((f(x + step * v) - f(x - step * v)) / (2 * step))


def told(right):
    return "right" if np.all(right) else "wrong"


def torch_slow(f, J, x, seed):
    n = np.stack([differences(f, x, e, 1e-6) for e in np.eye(len(x))], axis=1)
    return told(np.abs(matrix(J) - n) <= 1e-5 + 1e-3 * np.abs(n))


def torch_fast(f, J, x, seed):
    rng = np.random.default_rng(0)  # a fixed generator, and no signs, as in torch
    u, v = rng.random(len(x)), rng.random(len(matrix(J)))
    u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
    n, a = v @ differences(f, x, u, 1e-6), v @ matrix(J) @ u
    return told(np.abs(a - n) <= 1e-5 * np.sum(u) * np.sum(v) + 1e-3 * np.abs(n))


def hips(f, J, x, seed):
    rng = np.random.default_rng(seed)
    J = matrix(J)

    def close(a, b):
        return np.abs(a - b) < 1e-6 or np.abs(a - b) / np.abs(a + b) < 1e-6

    v, w = rng.standard_normal(len(x)), rng.standard_normal(len(J))
    forward = close(w @ (J @ v), w @ differences(f, x, v, 5e-7))
    v, w = rng.standard_normal(len(x)), rng.standard_normal(len(J))
    return told(forward and close(w @ differences(f, x, v, 5e-7), v @ (w @ J)))


def jax(f, J, x, seed):
    rng = np.random.RandomState(0)  # as in JAX
    J = matrix(J)

    def close(a, b):
        return np.abs(a - b) <= 1e-5 * np.size(a) + 1e-5 * np.size(a) * np.abs(b)

    v = rng.randn(len(x))
    n = differences(f, x, v, 1e-4)
    w = rng.randn(len(J))
    return told(np.all(close(J @ v, n)) and close(w @ J @ v, w @ n))


def chainer(f, J, x, seed):
    u = np.random.default_rng(seed).standard_normal(len(x))
    u /= np.linalg.norm(u)
    w = np.random.default_rng(seed + 1).standard_normal(len(matrix(J)))
    n, a = w @ differences(f, x, u, 1e-3), w @ matrix(J) @ u
    return told(np.abs(a - n) <= 1e-5 + 1e-4 * np.abs(n))


CRITERIA = {
    "ours, by entry": ours(True),
    "ours, 3 projections": ours(False),
    "PyTorch slow": torch_slow,
    "PyTorch fast": torch_fast,
    "HIPS autograd": hips,
    "JAX": jax,
    "Chainer": chainer,
}


def visible(f, x, J, K):
    """Say whether a mistake makes a difference: whether it moves a result as an entry moves by half of its size or by 1/2."""
    moved = np.abs(matrix(K) - matrix(J)) * 0.5 * np.maximum(np.abs(x), 1)
    return bool(np.any(moved > np.spacing(np.abs(np.atleast_1d(f(x))))[:, None]))


# --- the run -----------------------------------------------------------------------------------------------------------


def points(rounds):
    """Yield points at which function and Jacobian are finite."""
    for name, (f, jacobian, domain) in FUNCTIONS.items():
        for r in range(rounds):
            for decade in range(-6, 7):
                rng = np.random.default_rng([r, decade + 6, len(name), sum(map(ord, name))])
                n = 1 + (r + decade) % 5
                x = domain(rng.uniform(1, 10, n) * rng.choice([-1.0, 1.0], n) * 10.0**decade)
                with np.errstate(all="ignore"):
                    J = np.asarray(jacobian(x), float)
                    if np.all(np.isfinite(f(x))) and np.all(np.isfinite(J)):
                        yield name, decade, f, J, x


def main(argv=None):
    """Run, print, and return the exit status: 1 if ours gives a false alarm."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkers", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="points of each function in each decade")
    parser.add_argument("--only", default="", help="criteria whose names hold this")
    parser.add_argument("--show", type=int, default=10, help="false alarms and misses of ours to print")
    args = parser.parse_args(argv)
    alarms, missed, unsure, seen = (collections.Counter() for _ in range(4))
    by_mistake = {name: collections.Counter() for name in MISTAKES}
    seconds = collections.Counter()
    rights, wrongs = 0, collections.Counter()
    criteria = {who: check for who, check in CRITERIA.items() if args.only in who}
    shown = []
    for k, (name, decade, f, J, x) in enumerate(points(args.rounds)):
        trials = [("right", J), *((m, spoil(J)) for m, spoil in MISTAKES.items())]
        trials = [(m, K) for m, K in trials if m == "right" or not np.array_equal(K, J)]
        rights += 1
        wrongs.update(m for m, _ in trials[1:])
        clear = {m: visible(f, x, J, K) for m, K in trials[1:]}
        seen["all"] += sum(clear.values())
        for mistake, K in trials:
            for who, check in criteria.items():
                start = time.perf_counter()
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    verdict = check(f, K, x, k)
                seconds[who] += time.perf_counter() - start
                unsure[who, mistake == "right"] += verdict == "inconclusive"
                if mistake == "right":
                    alarms[who] += verdict == "wrong"
                elif verdict != "wrong":
                    missed[who] += 1
                    seen[who] += clear[mistake]
                    by_mistake[mistake][who] += 1
                if who == "ours, by entry" and (verdict == "wrong") == (mistake == "right"):
                    shown.append(f"{name}, 1e{decade:+d}, {mistake}: {verdict} at x = {x}")
    report(criteria, rights, wrongs, alarms, missed, seen, unsure, by_mistake, seconds)
    print("\n".join(["", "ours, by entry, was wrong about:", *shown[: args.show], f"({len(shown)} in all)"]))
    return int(alarms["ours, by entry"] > 0 or alarms["ours, 3 projections"] > 0)


def report(criteria, rights, wrongs, alarms, missed, seen, unsure, by_mistake, seconds):
    """Print the table."""
    total = sum(wrongs.values())
    print(f"{len(FUNCTIONS)} functions, {rights:,} right and {total:,} wrong Jacobians, entries of size 1e-6 to 1e7")
    print("inconclusive counts as neither right nor wrong: no alarm, but a miss")
    print(f"visible: {seen['all']:,}, where the mistake would move a result by a unit in its last place at some step\n")
    head = [
        "criterion",
        "false alarms",
        "missed",
        "of visible",
        *(f"missed: {m}" for m in by_mistake),
        "inconclusive",
        "ms",
    ]
    rows = [head]
    for who in criteria:
        rows.append([
            who, f"{100 * alarms[who] / rights:.2f} %", f"{100 * missed[who] / total:.2f} %",
            f"{100 * seen[who] / seen['all']:.2f} %",
            *(f"{100 * counts[who] / wrongs[m]:.1f}" for m, counts in by_mistake.items()),
            f"{unsure[who, True]} + {unsure[who, False]}", f"{1e3 * seconds[who] / (rights + total):.2f}",
        ])  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        print("  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
