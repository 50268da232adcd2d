"""One question of a program with arrays: does it do with Tensors what it does with NumPy, derivatives included?"""

import warnings

import numpy as np
from numeric import close, gradient

import autograd_core as ag
from autograd_core.tree import flatten

REFUSALS = (ValueError, TypeError, IndexError, np.exceptions.AxisError, np.linalg.LinAlgError, AttributeError)


def answer(f, arrays):
    """Return what a program gives of copies of arrays, or None where it is refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f(*arrays)
    except REFUSALS:
        return None


def agrees(f, *arrays, compiled=True):
    """Compare bits and refusals with NumPy's, and derivatives of first order with differences, forward and compiled, too."""
    arrays = tuple(np.asarray(a, float)[()] for a in arrays)
    theirs = answer(f, [np.array(a)[()] for a in arrays])
    ours = answer(f, [ag.Tensor(a) * 1.0 for a in arrays])
    assert (ours is None) == (theirs is None), "refused by us" if ours is None else "refused by NumPy"
    if theirs is None:
        return
    for a, b in zip(flatten(ours)[0], flatten(theirs)[0], strict=True):
        np.testing.assert_array_equal(np.asarray(ag.stop_gradient(a)), np.asarray(b), strict=True)
    if all(np.asarray(y).dtype.kind in "fc" for y in flatten(theirs)[0]):
        with warnings.catch_warnings():  # older NumPy takes an array of one entry for a number under protest
            warnings.filterwarnings("ignore", "Conversion of an array with ndim > 0", DeprecationWarning)
            has_right_derivatives(f, arrays, compiled)


def has_right_derivatives(f, arrays, compiled=True):
    """Compare the gradient of a bent sum of the results with differences, with forward mode, and with its replay."""
    rng = np.random.default_rng(0)

    def bent(x):
        own = [a * 1.0 if isinstance(a, ag.Tensor) else np.array(a)[()] for a in x]  # which the program may change
        return sum(np.sum(np.sin(y) * (1.3 + np.arange(np.size(y)).reshape(np.shape(y)))) for y in flatten(f(*own))[0])

    slope = ag.grad(bent)(arrays)
    close(slope, gradient(bent, arrays))
    v = tuple(np.asarray(rng.normal(size=np.shape(a)))[()] for a in arrays)
    along = sum(np.sum(g * d) for g, d in zip(slope, v, strict=True))
    close((ag.jvp(bent, (arrays,), (v,))[1],), (along,), 1e-9)
    pulled = lambda x: ag.grad(bent)(x)
    back = ag.grad(lambda x: sum(np.sum(g * d) for g, d in zip(pulled(x), v, strict=True)))(arrays)
    close(ag.jvp(pulled, (arrays,), (v,))[1], back, 1e-9)
    if compiled:
        replayed = ag.compile(pulled)
        for _ in range(2):
            close(replayed(arrays), slope, 1e-12)
