"""Corners in which a program of Tensors must be one of arrays: assignments that broadcast, numbers with an axis, lists."""

import numpy as np
import pytest
from agreement import agrees

import autograd_core as ag

X = np.array([[0.4, -1.2, 0.7], [1.9, 0.3, -0.6]])
MASK = np.array([[True, False, True], [False, True, True]])
OLDER = np.lib.NumpyVersion(np.__version__) < "2.4.0"


def drawn(shape):
    return np.random.default_rng(len(shape) + sum(shape)).normal(size=shape)


def changed(change):
    """Make a function of an array and more that returns the array, changed."""

    def f(a, *more):
        change(a, *more)
        return a

    return f


# --- assignments -------------------------------------------------------------------------------------------------------

INDICES = {
    "0": 0,
    "-1": -1,
    "all": slice(None),
    "...": Ellipsis,
    "0:1": slice(0, 1),
    "0:0": slice(0, 0),
    "backwards": slice(None, None, -1),
    "row mask": np.array([True, False]),
    "mask": MASK,
    "list": [0, 1],
    "repeated": [1, 1],
    "empty": [],
    "new axis": (None, 0),
    "column": (slice(None), 0),
    "part of a row": (0, slice(0, 2)),
    "places": ([0, 1], [1, 2]),
    "one": (0, 0),
    "array": np.array([[0, 1], [1, 0]]),
}
VALUES = [(), (1,), (3,), (1, 3), (2, 3), (1, 1, 3), (1, 2, 3), (2, 1), (1, 1), (2,), (1, 1, 1, 2)]


@pytest.mark.parametrize("index", INDICES)
def test_assigned_values_broadcast_as_numpys_do(index):
    for shape in VALUES:
        value = drawn(shape)
        agrees(changed(lambda t, v: t.__setitem__(INDICES[index], v)), X, value, compiled=len(shape) == 2)
        agrees(changed(lambda t, v=value: t.__setitem__(INDICES[index], v)), X, compiled=False)


def test_a_row_assigned_from_a_matrix_of_one_row():
    agrees(changed(lambda t: t.__setitem__(0, t * 2)), drawn((1, 4)))
    agrees(changed(lambda t: t.__setitem__((0, slice(1, 3)), np.exp(t[:, 1:3]))), drawn((1, 4)))
    x = ag.Tensor(np.ones((1, 4)))
    t = x * 1.0
    t[0] = x * 2
    np.sum(t).backward()
    np.testing.assert_array_equal(x.grad, np.full((1, 4), 2.0))


WRITERS = {
    "putmask": lambda t, v: np.putmask(t, MASK, v),
    "putmask of numbers": lambda t, v: np.putmask(t, MASK.astype(int) * 2, v),
    "putmask of nothing": lambda t, v: np.putmask(t, MASK & False, v),
    "putmask by a mask of another size": lambda t, v: np.putmask(t, [True], v),
    "putmask by a flat mask": lambda t, v: np.putmask(t, MASK.reshape(-1), v),
    "place": lambda t, v: np.place(t, MASK, v),
    "place of nothing": lambda t, v: np.place(t, MASK & False, v),
    "put": lambda t, v: np.put(t, [0, 2, 4, 0], v),
    "put of nothing": lambda t, v: np.put(t, [], v),
    "put at one place": lambda t, v: np.put(t, 3, v),
    "put at a matrix of places": lambda t, v: np.put(t, [[0, 1], [2, 3]], v),
    "put, wrapped": lambda t, v: np.put(t, [7, -8], v, mode="wrap"),
    "put, clipped": lambda t, v: np.put(t, [7, -8], v, mode="clip"),
    "copyto": lambda t, v: np.copyto(t, v),
    "copyto where": lambda t, v: np.copyto(t, v, where=MASK),
    "copyto where in rows": lambda t, v: np.copyto(t, v, where=MASK[0]),
    "fill_diagonal": lambda t, v: np.fill_diagonal(t, v),
    "put_along_axis": lambda t, v: np.put_along_axis(t, np.array([[0], [2]]), v, 1),
    "put_along_axis without an axis": lambda t, v: np.put_along_axis(t, np.array([0, 2, 2]), v, None),
    "add.at": lambda t, v: np.add.at(t, ([1, 0, 1],), v),
    "multiply.at": lambda t, v: np.multiply.at(t, ([1, 0, 1],), v),
    "+=": lambda t, v: t.__iadd__(v),
}


@pytest.mark.parametrize("name", WRITERS)
def test_writers_take_what_numpys_take(name):
    for shape in [(), (0,), (1,), (2,), (3,), (7,), (2, 3), (2, 2), (1, 6), (1, 1, 3)]:
        if name == "put_along_axis without an axis" and OLDER and shape not in [(), (1,), (3,)]:
            continue  # older NumPy repeats values, or leaves some out, as np.put does; here they are refused
        agrees(changed(WRITERS[name]), X, drawn(shape), compiled=False)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2,), (3,), (2, 2)])
@pytest.mark.parametrize("target", [(7, 2), (2, 2, 2), (0, 2), (3, 3)])
def test_fill_diagonal(shape, target):
    for wrap in (False, True):
        agrees(changed(lambda t, v: np.fill_diagonal(t, v, wrap=wrap)), drawn(target), drawn(shape), compiled=False)  # noqa: B023


# --- numbers with an axis ----------------------------------------------------------------------------------------------

AXES = (None, 0, -1, 1, -2, (), (0,))
ON_AXES = {
    **{
        fn.__name__: (lambda x, axis, fn=fn: fn(x, axis=axis))
        for fn in (
            np.sum, np.prod, np.max, np.min, np.mean, np.std, np.var, np.ptp, np.median, np.any, np.argmax, np.cumsum,
            np.cumprod, np.nansum, np.nanmax, np.nanmean, np.nanstd, np.nanprod, np.nanmedian, np.nancumsum,
            np.nancumprod, np.sort, np.argsort, np.flip, np.squeeze, np.count_nonzero, np.average, np.cumulative_sum,
            np.cumulative_prod, np.diff, np.gradient, np.trapezoid, np.unwrap, np.linalg.norm, np.linalg.vector_norm,
            np.unstack, np.expand_dims,
        )
    },
    **{
        f"{ufunc.__name__}.reduce": (lambda x, axis, ufunc=ufunc: ufunc.reduce(x, axis=axis))
        for ufunc in (np.add, np.multiply, np.maximum, np.logaddexp, np.hypot, np.subtract)
    },
    **{
        f"{ufunc.__name__}.reduce from 0.2": (lambda x, axis, ufunc=ufunc: ufunc.reduce(x, axis=axis, initial=0.2))
        for ufunc in (np.add, np.multiply, np.minimum, np.logaddexp, np.hypot)
    },
    "add.accumulate": lambda x, axis: np.add.accumulate(x, axis=axis),
    "maximum.accumulate": lambda x, axis: np.maximum.accumulate(x, axis=axis),
    "sum with keepdims": lambda x, axis: np.sum(x, axis=axis, keepdims=True),
    "max with keepdims": lambda x, axis: np.max(x, axis=axis, keepdims=True),
    **{
        f"{fn.__name__} from 0.2": (lambda x, axis, fn=fn: fn(x, axis=axis, initial=0.2))
        for fn in (np.sum, np.prod, np.max, np.min)
    },
    "max where nothing is": lambda x, axis: np.max(x, axis=axis, initial=0.2, where=False),
    "weighted average": lambda x, axis: np.average(x, axis=axis, weights=np.float64(2.0)),
    "roll": lambda x, axis: np.roll(x, 1, axis=axis),
    **{f"repeat {n}": (lambda x, axis, n=n: np.repeat(x, n, axis=axis)) for n in (2, [2], 0, [1, 2])},
    **{f"take {i}": (lambda x, axis, i=i: np.take(x, i, axis=axis)) for i in (0, -1, [0, 0], [], 5)},
    "take, wrapped": lambda x, axis: np.take(x, [5, 1], axis=axis, mode="wrap"),
    "delete": lambda x, axis: np.delete(x, 0, axis=axis),
    "insert": lambda x, axis: np.insert(x, 0, 0.5, axis=axis),
    "append": lambda x, axis: np.append(x, 0.5, axis=axis),
    "compress": lambda x, axis: np.compress([True], x, axis=axis),
    "partition": lambda x, axis: np.partition(x, 0, axis=axis),
    "quantile": lambda x, axis: np.quantile(x, [0.3, 0.5], axis=axis),
    "take_along_axis": lambda x, axis: np.take_along_axis(x, np.array([0]), axis=axis),
    "take_along_axis at a number": lambda x, axis: np.take_along_axis(x, np.array(0), axis=axis),
    "split": lambda x, axis: np.split(x, 1, axis=axis),
    "concatenate": lambda x, axis: np.concatenate([x, x], axis=axis),
    "stack": lambda x, axis: np.stack([x, x], axis=axis),
    "moveaxis": lambda x, axis: np.moveaxis(x, axis, 0),
    "apply_along_axis": lambda x, axis: np.apply_along_axis(np.sum, axis, x),
    "pad": lambda x, _: np.pad(x, 1),
    "pad of nothing": lambda x, _: np.pad(x, 0, "edge"),
    "pad by the edge": lambda x, _: np.pad(x, ((1, 2),), "edge"),
    "pad by a ramp": lambda x, _: np.pad(x, 1, "linear_ramp"),
}  # fmt: skip


@pytest.mark.parametrize("name", ON_AXES)
def test_numbers_have_the_axes_that_numpy_gives_them(name):
    for axis in AXES:
        agrees(lambda x: ON_AXES[name](x, axis), 0.7, compiled=axis == -1)  # noqa: B023


@pytest.mark.parametrize("name", ON_AXES)
def test_an_axis_too_many_is_refused(name):
    # counted from the end without a look, axis 2 of a matrix would be its first
    for shape, axis in [((2,), 1), ((2,), -2), ((2, 2), 2), ((2, 2), -3)]:
        agrees(lambda x: ON_AXES[name](x, axis), drawn(shape), compiled=False)  # noqa: B023


# --- lists of Tensors --------------------------------------------------------------------------------------------------
# `t` is a vector of three, `a` a number. NumPy asks a Tensor only if one stands outside of the list.

IN_LISTS = {
    "append": lambda t, a: np.append(t, [a]),
    "append rows": lambda t, _: np.append(t[None], [t], axis=0),
    "append to a list": lambda t, a: np.append([a, 1.0], t),
    "insert": lambda t, a: np.insert(t, 1, [a, 2 * a]),
    "insert at places": lambda t, a: np.insert(t, [0, 1], [a, 2 * a]),
    "where": lambda t, a: np.where([True, False, True], t, [a, a, a]),
    "dot": lambda t, a: np.dot(t, [a, 1.0, a]),
    "inner": lambda t, a: np.inner([a, 1.0, a], t),
    "outer": lambda t, a: np.outer(t, [a, 1.0]),
    "vdot": lambda t, a: np.vdot([a, 1.0, a], t),
    "cross": lambda t, a: np.cross(t, [a, 1.0, 2.0]),
    "kron": lambda t, a: np.kron(t, [a, 1.0]),
    "tensordot": lambda t, a: np.tensordot(t, [a, 1.0, a], 1),
    "einsum": lambda t, a: np.einsum("i,i", t, [a, 1.0, a]),
    "matmul": lambda t, _: np.matmul([t, t], t),
    "convolve": lambda t, a: np.convolve(t, [a, 1.0]),
    "add": lambda t, a: np.add(t, [a, 1.0, a]),
    "+": lambda t, a: t + [a, 1.0, a],
    "reflected *": lambda t, a: [a, 1.0, a] * t,
    "maximum": lambda t, a: np.maximum(t, [a, a, a]),
    "power": lambda t, a: np.power(np.exp(t), [a, 1.0, 2.0]),
    "hypot": lambda t, a: np.hypot([a, 1.0, 2.0], t),
    "clip": lambda t, a: np.clip(t, [a, a, a], 2.0),
    "concatenate": lambda t, a: np.concatenate([t, [a]]),
    "hstack": lambda t, a: np.hstack([t, [a], a]),
    "vstack": lambda t, a: np.vstack([t, [a, a, 1.0]]),
    "column_stack": lambda t, a: np.column_stack([t, [a, a, 1.0]]),
    "select": lambda t, a: np.select([[True, False, True]], [t], [a, a, a]),
    "choose": lambda t, a: np.choose([0, 1, 0], [t, [a, a, a]]),
    "diff": lambda t, a: np.diff(t, prepend=[a], append=[a, a]),
    "ediff1d": lambda t, a: np.ediff1d(t, to_end=[a, a]),
    "interp": lambda t, a: np.interp(t, [-3.0, 0.5, 3.0], [a, 2 * a, 1.0]),
    "polyval": lambda t, a: np.polyval([a, 1.0, a], t),
    "average": lambda t, a: np.average(t, weights=[a, 1.0, a]),
    "trapezoid": lambda t, a: np.trapezoid(t, [0.0, a, 1.0]),
    "gradient": lambda t, a: np.gradient(t, [0.0, a, 1.0]),
    "pad": lambda t, a: np.pad(t, 1, constant_values=[a, 1.0]),
    "solve": lambda t, a: np.linalg.solve([[a, 0.0], [0.0, 1.0]], t[:2]),
    "assignment": changed(lambda t, a: t.__setitem__(slice(0, 2), [a, 2 * a])),
    "put": changed(lambda t, a: np.put(t, [0, 1], [a, 2 * a])),
    "place": changed(lambda t, a: np.place(t, [True, False, True], [a, 2 * a])),
    "putmask": changed(lambda t, a: np.putmask(t, [True, False, True], [a, 2 * a])),
    "copyto": changed(lambda t, a: np.copyto(t, [a, 2 * a, a])),
    "add.at": changed(lambda t, a: np.add.at(t, [0, 0], [a, 2 * a])),
    "multiply.at": changed(lambda t, a: np.multiply.at(t, [0, 0], [a, 2 * a])),
}


@pytest.mark.parametrize("name", IN_LISTS)
def test_lists_of_tensors_beside_a_tensor_are_stacked(name):
    agrees(IN_LISTS[name], np.array([0.1, 0.9, 0.4]), 0.3)


@pytest.mark.parametrize("fn", [np.sum, np.sin, np.max, np.linalg.norm, np.sort, np.diag])
def test_a_list_alone_is_refused_with_what_to_write(fn):
    with pytest.raises(TypeError, match=r"np\.stack"):
        fn([ag.Tensor(1.0), 2.0])
