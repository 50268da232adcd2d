"""Fit scikit-learn's digits with `nn.fit` and with `MLPClassifier`, at the same settings: `python -m benchmarks.digits`.

Both take the same 64-64-10 network, Glorot's initial weights, Adam, batches of 32 and as many epochs, in float32 and in
float64, in turns; times are medians, accuracies means over seeds on a quarter of the data that neither has seen.
"""

import statistics
import time
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import nn

EPOCHS, BATCH, RATE, HIDDEN = 20, 32, 1e-3, 64


def ours(train, test, seed):
    """Return seconds and accuracy of `nn.fit`."""
    model = nn.MLP([64, HIDDEN, 10], "relu", rng=seed, dtype=train[0].dtype)
    for layer in (model.layers[0], model.layers[2]):
        layer.weight.assign(nn.init.glorot(seed, layer.weight.shape))
    start = time.perf_counter()
    nn.fit(
        model, train, loss=nn.cross_entropy, optimizer=nn.Adam(lr=RATE), epochs=EPOCHS, batch_size=BATCH, rng=seed,
        progress=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    return seconds, nn.metrics.accuracy(model(test[0]).data, test[1])


def theirs(train, test, seed):
    """Return seconds and accuracy of scikit-learn's."""
    model = MLPClassifier(
        HIDDEN, batch_size=BATCH, learning_rate_init=RATE, max_iter=EPOCHS, alpha=0, n_iter_no_change=EPOCHS, tol=0,
        random_state=seed,
    )  # fmt: skip
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged: as wanted, after so many epochs
        model.fit(*train)
    return time.perf_counter() - start, model.score(*test)


def main(seeds=range(7)):
    """Print a line for each dtype."""
    X, y = load_digits(return_X_y=True)
    for dtype in (np.float32, np.float64):
        data = (X / 16).astype(dtype), y
        rows = []
        for seed in seeds:
            train, test = nn.data.split(data, (0.75, 0.25), rng=seed)
            rows.append([*ours(train, test, seed), *theirs(train, test, seed)])
        mine, accuracy, other, their_accuracy = zip(*rows, strict=True)
        ratio = statistics.median(a / b for a, b in zip(mine, other, strict=True))
        print(
            f"{np.dtype(dtype).name}: nn.fit {statistics.median(mine):.3f} s, {statistics.mean(accuracy):.2%} right; "
            f"scikit-learn {statistics.median(other):.3f} s, {statistics.mean(their_accuracy):.2%}; ratio {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
