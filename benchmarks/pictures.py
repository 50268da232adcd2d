"""How long a picture takes: ``python -m benchmarks.pictures``. And what drawing costs those who do not draw: nothing.

Best of some rounds, in milliseconds: `draw` (tape to graph data, gradients included), the DOT text, the whole picture in
one direction and in both, and the interactive page. Then the median ratio of XOR training steps with and without the
drawing code imported, each in processes of its own, in turns.
"""

import argparse
import random
import statistics
import subprocess
import sys
import time

import numpy as np

import autograd_core as ag


def residual(n):
    """A net of arrays: blocks of a product, a tanh and a skip, with a scale here and there so that no two are equal."""
    h = ag.Tensor(np.ones((4, 8)), name="x")
    for k in range(n // 4):
        with ag.scope(f"block {k}"):
            h = h + np.tanh(h @ ag.Tensor(np.full((8, 8), 0.1))) * (1.0 + k)
    return np.sum(h) / n


def scalars(n):
    """Numbers combined at random, as a scalar network looks to the tape: nothing repeats."""
    rng = random.Random(0)
    values = [ag.Tensor(rng.random(), name=f"x{k}") for k in range(10)]
    for _ in range(n):
        a, b = (values[-1 - rng.randrange(min(len(values), 30))] for _ in range(2))
        kind = rng.randrange(3)
        values.append(a * b if kind == 0 else np.tanh(a + b) if kind == 1 else a - b)
    return sum(values[-20:])


def chain(n):
    """A loop of two operations."""
    y = ag.Tensor(0.5, name="x")
    for _ in range(n // 2):
        y = y * 0.999 + 0.001
    return y


ROWS = [(residual, 1000), (scalars, 1000), (chain, 10_000), (chain, 100_000), (chain, 1_000_000), (scalars, 100_000)]
XOR = """
import sys, time
import numpy as np, nn, autograd_core as ag
if sys.argv[1] == "drawn":
    ag.draw(ag.Tensor(1.0) * 2.0).to_dot()
X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]); y = np.array([[0.0], [1], [1], [0]])
model = nn.MLP([2, 16, 1], "tanh", rng=0)
optimizer = nn.SGD(model.parameters(), lr=0.1)
def step():
    loss = np.mean((model(X) - y) ** 2)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
best = float("inf")
for _ in range(30):
    begin = time.perf_counter()
    for _ in range(200):
        step()
    best = min(best, (time.perf_counter() - begin) / 200)
print(best * 1e6)
"""


def best(rounds, make, *calls):
    """Return the best milliseconds of each call, the result of one being the argument of the next."""
    found = [float("inf")] * len(calls)
    for _ in range(rounds):
        given = make()
        for k, call in enumerate(calls):
            begin = time.perf_counter()
            made = call(given)
            found[k] = min(found[k], (time.perf_counter() - begin) * 1e3)
            given = made if made is not None else given
    return found


def row(program, n, rounds):
    """Print one line."""

    def only(call):
        return lambda p: (call(p), None)[1]

    loss = program(n)
    draw, dot, one, other, page = best(
        rounds,
        lambda: loss,
        ag.draw,
        only(lambda p: p.to_dot()),
        only(lambda p: p.to_svg("forward")),
        only(lambda p: p.to_svg("backward")),
        only(lambda p: p.render("html")),
    )
    p = ag.draw(loss)
    name = f"{program.__name__} {n:,}"
    print(
        f"{name:19} {len(p.graph.vertices):8,} {len(p.view.boxes):6} {draw:9.1f} {dot:7.1f} {draw + dot:10.1f} "
        f"{draw + one:12.1f} {draw + one + other:11.1f} {page:9.1f}"
    )


def xor(rounds):
    """Return the median ratio of a training step where a picture has been drawn to one where drawing is not imported."""
    ratios = []
    for _ in range(rounds):
        pair = [("drawn", 0.0), ("not", 0.0)]
        random.shuffle(pair)
        times = {}
        for how, _ in pair:
            done = subprocess.run([sys.executable, "-c", XOR, how], capture_output=True, text=True, check=True)
            times[how] = float(done.stdout)
        ratios.append(times["drawn"] / times["not"])
    return statistics.median(ratios)


def main():
    """Print all of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    ag.draw(ag.Tensor(1.0) * 2.0).to_dot()  # imports
    print(f"engine: {ag.draw(ag.Tensor(1.0) * 2.0).engine}; milliseconds, best of {rounds}")
    head = ("graph", "vertices", "boxes", "draw", "DOT", "draw + DOT", "draw + image", "both images", "page")
    print("{:19} {:>8} {:>6} {:>9} {:>7} {:>10} {:>12} {:>11} {:>9}".format(*head))
    for program, n in ROWS:
        row(program, n, rounds if n < 50_000 else min(rounds, 3 if n < 500_000 else 1))
    print(f"XOR training step, a picture drawn before : not = {xor(rounds):.3f}")


if __name__ == "__main__":
    main()
