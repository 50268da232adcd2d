"""What NumPy's functions cost for a Tensor: `python -m benchmarks.functions`.

Two tables. The first: a call through `np.*` on small arrays, plain and tracked, against the promise of 1.5 times NumPy's own
time and 1.5 us. The second: how the time of a function and of its gradient grow with size; a gradient must not grow faster.
"""

import argparse
import time

import numpy as np

import autograd_core as ag

rng = np.random.default_rng(0)
NAN = np.nan

CALLS = """
    exp(v) | add(v, v) | sum(v) | mean(m, axis=0) | std(v) | max(m, axis=1) | prod(v) | cumsum(v) | cumprod(v) | sort(v) | where(v > 1, v, 0.0)
    clip(v, 0, 1) | reshape(m, -1) | concatenate([v, v]) | stack([v, v]) | take(v, [1, 2]) | dot(m, v[:10]) | matvec(m, v[:10])
    nansum(h) | nanmean(h) | nanvar(h) | nanmax(h) | median(v) | quantile(v, 0.3) | cov(m) | histogram(v) | bincount([0, 1] * 50, v)
    gradient(v) | trapezoid(v) | interp(v, s, v) | convolve(v, k) | unwrap(v) | polyval(k, v) | roots(k) | vander(k) | polyadd(k, v)
    pad(m, 2) | pad(m, 2, 'reflect') | delete(v, 3) | insert(v, 3, 1.0) | resize(v, (7, 7)) | linspace(k, 2.0, 20) | meshgrid(k, k)
    choose([0, 1] * 50, [v, v]) | piecewise(v, [v > 1], [np.sin, np.cos]) | unique(v) | i0(v) | nan_to_num(h) | modf(v) | angle(v)
    maximum.accumulate(v) | add.reduceat(v, [0, 5, 9]) | hypot.reduce(v) | subtract.outer(k, k)
"""  # fmt: skip

GROWTH = """
    cumprod(v) | prod(v) | sort(v) | median(v) | max(v) | nanmedian(v) | quantile(v, [0.1, 0.5, 0.9]) | maximum.accumulate(v) | v[i] | interp(v, s, v)
    gradient(v) | histogram(v) | bincount(j, v) | add.reduceat(v, j[::10]) | trapezoid(v) | partition(v, 5) | pad(v, 10, 'wrap')
    convolve(v, k) | polyval(k, v) | unwrap(v) | unique(v) | cov(v.reshape(4, -1)) | delete(v, j[:9]) | insert(v, [1, 5], [0.0, 1.0]) | corrcoef(v.reshape(4, -1))
"""  # fmt: skip


def sources(table):
    return [source.strip() for line in table.strip().splitlines() for source in line.split("|")]


def arrays(n):
    v = rng.uniform(0.3, 2, n)
    return {
        "v": v,
        "m": v.reshape(-1, 10),
        "h": np.where(rng.random(n) < 0.1, NAN, v),
        "s": np.sort(rng.uniform(0, 2, n)),
        "k": rng.uniform(0.5, 2, 5),
    }


def best(f, seconds=0.02):
    """Return the best time of a call of several batches, in microseconds."""
    f()
    start = time.perf_counter()
    f()
    number = max(1, int(seconds / 5 / max(time.perf_counter() - start, 1e-7)))
    times = []
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(number):
            f()
        times.append((time.perf_counter() - start) / number)
    return min(times) * 1e6


def calls():
    """Compare a call on Tensors with NumPy's own."""
    plain = arrays(100)
    tensors = {name: ag.Tensor(a) for name, a in plain.items()}
    print(f"{'call':40}{'NumPy us':>10}{'ours us':>10}{'ratio':>8}{'over 1.5x + 1.5':>17}")
    over = 0
    for source in sources(CALLS):
        a, b = (best(eval(f"lambda: np.{source}", {"np": np, **names})) for names in (plain, tensors))
        excess = b - 1.5 * a - 1.5
        over += excess > 0
        print(f"{source:40}{a:10.2f}{b:10.2f}{b / a:8.2f}" + (f"{excess:17.1f}" if excess > 0 else ""))
    print(f"{over} of {len(sources(CALLS))} cost more than promised")


def growth(sizes):
    """Compare how a function and its gradient grow; times per entry, in ns."""
    print(f"\n{'function':32}" + "".join(f"{f'n = {n:,}':>24}" for n in sizes) + f"{'gradient / function':>22}")
    print(f"{'':32}" + f"{'NumPy   gradient ns/n':>24}" * len(sizes))
    for source in sources(GROWTH):
        code = compile(source if source.startswith("v[") else f"np.{source}", source, "eval")
        cells, ratios = [], []
        for n in sizes:
            plain = arrays(n) | {"np": np, "i": rng.integers(0, n, n), "j": np.sort(rng.integers(0, n, n))}

            def gradient(plain=plain, code=code):
                v = ag.Tensor(plain["v"])
                y = eval(code, plain | {"v": v})
                y = y[-1] if isinstance(y, tuple) else y
                y.backward(np.ones(y.shape))

            a = best(lambda plain=plain, code=code: eval(code, plain), 0.1) / n * 1e3
            b = best(gradient, 0.1) / n * 1e3
            cells.append(f"{a:13.2f} {b:10.2f}")
            ratios.append(b / a)
        steeper = "  <-- grows" if ratios[-1] > 3 * ratios[0] else ""
        print(f"{source:32}" + "".join(cells) + f"{ratios[0]:12.1f} ->{ratios[-1]:7.1f}{steeper}")


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.functions", description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="10000,1000000", help="comma-separated; default: %(default)s")
    args = parser.parse_args()
    calls()
    growth([int(n) for n in args.sizes.split(",")])


if __name__ == "__main__":
    main()
