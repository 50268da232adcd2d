"""Data: minibatches, splits, standardisation, augmentation, and small sets to try things on.

Every set of data is a tuple of arrays, usually (X, y), with one observation in each row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import autograd_core as ag

from .init import Rng, generator

Array = np.ndarray[Any, Any]
Data = tuple[Array, ...]


def check(data: Any, what: str = "the data") -> Data:
    """Return data as a tuple of arrays with equally many rows, at least one, all finite; or say what is wrong.

    Examples
    --------
    >>> check(([[1.0], [np.nan]], [0, 1]))
    Traceback (most recent call last):
    ...
    ValueError: array 0 of the data has nan in row 1 (1 of 2 rows are not finite)
    """
    arrays = _rows(data, what)
    if not len(arrays[0]):
        raise ValueError(f"{what} is empty: it has no observations at all")
    for i, a in enumerate(arrays):
        if a.dtype.kind not in "biufc":
            raise TypeError(f"array {i} of {what} has dtype {a.dtype}, and is not of numbers")
        if a.dtype.kind in "fc" and not np.isfinite(a).all():
            rows = np.flatnonzero(~np.isfinite(a).reshape(len(a), -1).all(axis=1))
            row = np.ravel(a[rows[0]])
            value = row[~np.isfinite(row)][0]
            raise ValueError(
                f"array {i} of {what} has {value} in row {rows[0]} ({len(rows)} of {len(a)} rows are not finite)"
            )
    return arrays


def _rows(data: Any, what: str = "the data") -> Data:
    """Return data as a tuple of arrays with equally many rows; or say what is wrong."""
    if not isinstance(data, tuple | list):
        raise TypeError(f"{what} is a tuple of arrays, such as (X, y), not a {type(data).__name__}")
    arrays = tuple(np.asarray(a.data if isinstance(a, ag.Tensor) else a) for a in data)
    lengths = [len(a) if a.ndim else None for a in arrays]
    if not arrays or None in lengths or len(set(lengths)) > 1:
        raise ValueError(f"the arrays of {what} need equally many rows, not {lengths}")
    return arrays


# --- walking over data ------------------------------------------------------------------------------------------------


def batches(
    data: Any, size: int, *, rng: Rng | None = None, epochs: int = 1, drop_last: bool = False
) -> Iterator[Data]:
    """Yield minibatches: each observation once an epoch, in a new random order, or in their own order without `rng`.

    Examples
    --------
    >>> [y.tolist() for X, y in batches((np.zeros((5, 2)), np.arange(5)), 2)]
    [[0, 1], [2, 3], [4]]
    """
    arrays = _rows(data)
    n = len(arrays[0])
    check_size(size, n)
    source = None if rng is None else generator(rng)
    stop = n - n % size if drop_last else n
    return (part for _ in range(epochs) for part in _epoch(arrays, size, stop, source))


def _epoch(arrays: Data, size: int, stop: int, rng: np.random.Generator | None) -> Iterator[Data]:
    order = None if rng is None else rng.permutation(len(arrays[0]))
    for a in range(0, stop, size):
        rows = slice(a, a + size) if order is None else order[a : a + size]
        yield tuple(x[rows] for x in arrays)


def check_size(size: int, n: int) -> None:
    """Raise where batches of `size` cannot be taken from n observations."""
    if not whole(size, 1):
        raise ValueError(f"a batch has a positive number of observations, not {size!r}")
    if not n:
        raise ValueError("the data is empty: it has no observations at all")
    if size > n:
        raise ValueError(f"a batch of {size} is larger than the data, which has {n} observations")


def whole(n: Any, least: int) -> bool:
    """Say whether something is a whole number of at least so much."""
    return isinstance(n, int | np.integer) and not isinstance(n, bool) and bool(n >= least)


def split(data: Any, fractions: Sequence[float] = (0.8, 0.2), *, rng: Rng) -> tuple[Data, ...]:
    """Return disjoint random parts of data, of the given fractions.

    Examples
    --------
    >>> train, test = split((np.zeros((10, 2)), np.arange(10)), (0.7, 0.3), rng=0)
    >>> len(train[1]), len(test[1])
    (7, 3)
    """
    arrays = _rows(data)
    n = len(arrays[0])
    if not hasattr(fractions, "__len__") or not len(fractions):
        raise TypeError(f"fractions are several numbers, such as (0.8, 0.2), not {fractions!r}")
    if min(fractions) <= 0 or sum(fractions) > 1 + 1e-12:
        raise ValueError(f"fractions are positive, with a sum of at most 1, not {tuple(fractions)}")
    ends = [0, *np.rint(np.cumsum(fractions) * n).astype(int).tolist()]
    if any(a == b for a, b in pairwise(ends)):
        raise ValueError(f"{n} observations are too few for parts of {tuple(fractions)}: one would be empty")
    order = generator(rng).permutation(n)
    return tuple(tuple(x[order[a:b]] for x in arrays) for a, b in pairwise(ends))


@dataclasses.dataclass(frozen=True)
class Standardiser:
    """The map x -> (x - mean) / scale of each feature, with its inverse; made by `standardise`."""

    mean: Array
    scale: Array

    def __call__(self, X: Any) -> Any:
        """Standardise other data in the same way, a test set for example."""
        return (X - self.mean) / self.scale

    def inverse(self, Z: Any) -> Any:
        """Undo it."""
        return Z * self.scale + self.mean


def standardise(X: Any) -> tuple[Array, Standardiser]:
    """Return the data with mean 0 and deviation 1 in each feature, and the map that did it; constant features become 0.

    Examples
    --------
    >>> Z, map = standardise(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> Z.tolist(), map(np.array([2.0, 6.0])).tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [0.0, 1.0])
    """
    (X,) = check((X,))
    if X.dtype.kind == "c":
        raise TypeError(
            "standardise takes real numbers: the real and the imaginary part of complex ones are two features"
        )
    X = X if X.dtype.kind == "f" else X.astype(float)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    constant = scale <= 4 * np.finfo(X.dtype).eps * np.abs(mean)  # what rounding leaves of a constant feature
    made = Standardiser(mean, np.where(constant, 1, scale).astype(X.dtype))
    Z = made(X)
    Z[..., constant] = 0
    return Z, made


# --- augmentation: more data of the same meaning ----------------------------------------------------------------------


def jitter(X: Any, deviation: float, *, rng: Rng) -> Array:
    """Return the data with normal noise added."""
    X = np.asarray(X, None if np.asarray(X).dtype.kind == "f" else float)
    return X + generator(rng).normal(0, deviation, X.shape).astype(X.dtype)


def shift(images: Any, most: int, *, rng: Rng) -> Array:
    """Return images (..., height, width), each moved by up to `most` pixels both ways; what enters is 0."""
    images, rng = np.asarray(images), generator(rng)
    h, w = images.shape[-2:]
    if not 0 <= most <= min(h, w):
        raise ValueError(f"images of {h} x {w} are shifted by 0 to {min(h, w)} pixels, not {most}")
    wide = np.pad(images, [(0, 0)] * (images.ndim - 2) + [(most, most)] * 2)
    out = np.empty_like(images)
    for i, (a, b) in enumerate(rng.integers(0, 2 * most + 1, (len(images), 2)).tolist()):
        out[i] = wide[i, ..., a : a + h, b : b + w]
    return out


def flip(images: Any, *, rng: Rng) -> Array:
    """Return images (..., width), each mirrored left to right with probability 1/2."""
    images = np.asarray(images).copy()
    chosen = generator(rng).random(len(images)) < 0.5
    images[chosen] = images[chosen][..., ::-1]
    return images


# --- small sets -------------------------------------------------------------------------------------------------------


def xor() -> Data:
    """Return the four points of XOR, and their labels in a column, as floats."""
    return np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([[0.0], [1.0], [1.0], [0.0]])


def moons(n: int = 200, noise: float = 0.1, *, rng: Rng) -> Data:
    """Return two interleaved half circles, labels 0 and 1."""
    return _curves(n, noise, rng, lambda t: (np.cos(np.pi * t), np.sin(np.pi * t)),
                   lambda t: (1 - np.cos(np.pi * t), 0.5 - np.sin(np.pi * t)))  # fmt: skip


def circles(n: int = 200, noise: float = 0.05, ratio: float = 0.5, *, rng: Rng) -> Data:
    """Return a circle, label 0, and a smaller one inside it, label 1."""
    return _curves(n, noise, rng, lambda t: (np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)),
                   lambda t: (ratio * np.cos(2 * np.pi * t), ratio * np.sin(2 * np.pi * t)))  # fmt: skip


def spirals(n: int = 200, noise: float = 0.05, turns: float = 1.5, *, rng: Rng) -> Data:
    """Return two spirals that wind around each other, labels 0 and 1."""
    return _curves(n, noise, rng, lambda t: (t * np.cos(2 * np.pi * turns * t), t * np.sin(2 * np.pi * turns * t)),
                   lambda t: (-t * np.cos(2 * np.pi * turns * t), -t * np.sin(2 * np.pi * turns * t)))  # fmt: skip


def _curves(n: int, noise: float, rng: Rng, *curves: Any) -> Data:
    """Return points on curves over [0, 1], with noise, in random order."""
    _check_n(n, len(curves))
    rng, labels = generator(rng), np.arange(n) % len(curves)
    t = np.sqrt(rng.random(n))
    X = np.select([labels[:, None] == i for i in range(len(curves))], [np.stack(c(t), axis=1) for c in curves])
    order = rng.permutation(n)
    return (X + rng.normal(0, noise, X.shape))[order], labels[order]


def blobs(n: int = 200, classes: int = 3, deviation: float = 0.5, *, rng: Rng) -> Data:
    """Return normal clouds around points on a circle of radius 3, one for each class."""
    _check_n(classes, 1, "classes")
    _check_n(n, classes)
    rng = generator(rng)
    labels = rng.permutation(np.arange(n) % classes)
    angle = 2 * np.pi * labels / classes
    return 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + rng.normal(0, deviation, (n, 2)), labels


def regression_1d(n: int = 100, noise: float = 0.1, *, rng: Rng) -> Data:
    """Return x in [-1, 1] and y = sin(3x) + x/2 with normal noise, both in columns."""
    _check_n(n, 1)
    rng = generator(rng)
    x = rng.uniform(-1, 1, (n, 1))
    return x, np.sin(3 * x) + x / 2 + rng.normal(0, noise, x.shape)


def digits() -> Data:
    """Return scikit-learn's 1797 handwritten digits: images (1797, 8, 8) in [0, 1], and labels."""
    try:
        from sklearn.datasets import load_digits  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as e:
        raise ImportError("nn.data.digits needs scikit-learn: pip install 'autograd-core[nn]'") from e
    found = load_digits()
    return found.images / 16, found.target


def _check_n(n: int, least: int, what: str = "observations") -> None:
    if n < least:
        raise ValueError(f"at least {least} {what} are needed, not {n}")
