"""Arrays made of numbers: ranges, grids, and NumPy's constructors, which ask a Tensor only if given ``like=`` one."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..rules import composite, constant, primitive, rule
from ..spaces import array, cast
from .values import instead, plain, recorded

# --- ranges -----------------------------------------------------------------------------------------------------------


@primitive
def spread(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """Return numbers spread evenly from start to stop."""
    return np.linspace(start, stop, num, endpoint, dtype=dtype, axis=axis)


def _spread_pull(g: Any, first: float, num: int, endpoint: bool, axis: int) -> Any:
    """Weigh the cotangents: of the start from 1 down to 0, of the stop from 0 up to 1."""
    weights = np.linspace(first, 1 - first, num, endpoint)
    return np.tensordot(weights, np.moveaxis(g, axis, 0), 1)


rule(
    spread,
    lambda g, num=50, endpoint=True, axis=0: _spread_pull(g, 1.0, num, endpoint, axis),
    lambda g, num=50, endpoint=True, axis=0: _spread_pull(g, 0.0, num, endpoint, axis),
    args="start stop",
    metadata="dtype",
    name="linspace",
)


@composite(np.linspace)
def _linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, *, device: Any = None,
) -> Any:  # fmt: skip
    num = operator.index(num)
    start, stop = (a if isinstance(a, int | float | complex) else array(a) for a in (start, stop))
    numbers = spread(start, stop, num=num, endpoint=endpoint, dtype=dtype, axis=axis)
    steps = num - 1 if endpoint else num
    return (numbers, (stop - start) / steps if steps > 0 else np.nan) if retstep else numbers


@composite(np.logspace)
def _logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Any:
    if np.ndim(base):
        ndim = max(np.ndim(a) for a in (start, stop, base))
        start, stop, base = (
            np.reshape(array(a), (1,) * (ndim - np.ndim(a)) + np.shape(a)) for a in (start, stop, base)
        )
        base = np.expand_dims(base, axis)
    y = np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))
    return cast(y, dtype)


@composite(np.geomspace)
def _geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    start, stop = array(start), array(stop)
    if not recorded() and (np.any(start == 0) or np.any(stop == 0)):
        raise ValueError("a geometric sequence cannot include zero")
    exact = np.result_type(start.dtype, stop.dtype, float(num), np.zeros((), dtype))
    start, stop = (cast(a, exact) for a in (start, stop))
    turn = np.sign(start)
    first, last = np.divide(start, turn), np.divide(stop, turn)
    y = np.logspace(np.log10(first), np.log10(last), num, endpoint, dtype=exact)
    if num > 0:
        ends = [np.broadcast_to(e, y.shape[1:])[None] for e in (first, last)]
        middle = [y[1:-1], ends[1]] if num > 1 and endpoint else [y[1:]]
        y = np.concatenate([ends[0], *middle])
    y = np.multiply(y, turn)
    y = np.moveaxis(y, 0, axis) if axis else y
    if exact.kind == "c":
        y = instead(y, plain(np.geomspace, start, stop, num, endpoint, exact, axis))
    return cast(y, dtype)


# --- grids ------------------------------------------------------------------------------------------------------------


@primitive
def grid(x: Any, shape: tuple[int, ...], axis: int) -> Any:
    """Return the entries of x along one axis of a grid, repeated along the others."""
    return np.array(np.broadcast_to(np.reshape(x, [-1 if i == axis else 1 for i in range(len(shape))]), shape))


def _grid_pull(g: Any, x_space: Any, shape: Any = (), axis: int = 0) -> Any:
    return np.reshape(np.sum(g, axis=tuple(i for i in range(len(shape)) if i != axis)), x_space.shape)


rule(grid, _grid_pull, linear=True, name="meshgrid")


@composite(np.meshgrid)
def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    if indexing not in ("xy", "ij"):
        raise ValueError(f"the indexing of np.meshgrid is 'xy' or 'ij', not {indexing!r}")
    n = len(xi)
    xi = tuple(array(x) for x in xi)
    axes = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    shape = [0] * n
    for x, axis in zip(xi, axes, strict=True):
        shape[axis] = x.size
    return tuple(
        grid(x, shape=tuple(m if i == axis or not sparse else 1 for i, m in enumerate(shape)), axis=axis)
        for x, axis in zip(xi, axes, strict=True)
    )


# --- filled, and like another -----------------------------------------------------------------------------------------


@composite(np.full_like)
def _full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *,
    device: Any = None,
) -> Any:  # fmt: skip
    return filled(np.shape(a) if shape is None else shape, fill_value, array(a).dtype if dtype is None else dtype)


@composite(np.full)
def _full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, device: Any = None) -> Any:
    return filled(shape, fill_value, dtype)


def filled(shape: Any, value: Any, dtype: Any) -> Any:
    """Return an array of one value, or of some that are broadcast."""
    return np.copy(np.broadcast_to(cast(array(value), dtype), shape))


def nested(a: Any) -> Any:
    """Return nested lists of numbers, arrays and Tensors as one array.

    Examples
    --------
    >>> nested([[1, np.float64(2)], [3, 4]])
    array([[1., 2.],
           [3., 4.]])
    """
    return np.stack([nested(b) for b in a]) if isinstance(a, list | tuple) and len(a) else array(a)


def _array(a: Any, dtype: Any = None, ndmin: int = 0) -> Any:
    a = cast(nested(a), dtype)
    return np.reshape(a, (1,) * (ndmin - a.ndim) + a.shape) if a.ndim < ndmin else a


@composite(np.array)
def _new_array(
    object: Any, dtype: Any = None, *, copy: Any = True, order: Any = "K", subok: Any = False, ndmin: int = 0
) -> Any:
    return np.copy(_array(object, dtype, ndmin)) if copy else _array(object, dtype, ndmin)


composite(np.asarray)(lambda a, dtype=None, order=None, *, device=None, copy=None: _array(a, dtype))
composite(np.asanyarray)(lambda a, dtype=None, order=None, *, device=None, copy=None: _array(a, dtype))
composite(np.ascontiguousarray)(lambda a, dtype=None: _array(a, dtype, 1))
composite(np.asfortranarray)(lambda a, dtype=None: _array(a, dtype, 1))
composite(np.require)(lambda a, dtype=None, requirements=None: _array(a, dtype))

constant(
    np.zeros, np.ones, np.empty, np.eye, np.identity, np.tri, np.arange, np.fromfunction, np.fromiter, np.frombuffer,
    np.fromstring, np.fromfile, np.loadtxt, np.genfromtxt,
)  # fmt: skip
