"""Comparing bit by bit: arrays, numbers and Tensors, in tuples and lists."""

import numpy as np

from autograd_core import Tensor


def leaves(tree):
    return [v for t in tree for v in leaves(t)] if isinstance(tree, tuple | list) else [tree]


def plain(tree):
    return [np.asarray(v.data if isinstance(v, Tensor) else v) for v in leaves(tree)]


def identical(found, wanted, bound=0):
    """Compare bit by bit, or within a bound; a zero is a zero, whatever its sign."""
    for ours, theirs in zip(plain(found), plain(wanted), strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(ours, theirs, bound, bound)
